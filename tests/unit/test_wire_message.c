/* Messages: byte for byte, who may send them, and nothing but what the encoder makes. */
#include "tests/support/wire_bytes.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/message_samples.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Decodes from memory of exactly that size, so that a read past it is seen; whatever is taken must come back the same. */
static enum message_status decodes(const uint8_t *data, size_t len, enum role sender)
{
    uint8_t *exact = malloc(len + (len == 0));
    assert_non_null(exact);
    memcpy(exact, data, len);
    struct bytes plain = { exact, len };
    struct buffer again;
    buffer_init(&again, 2 * ROOM);
    enum message_status status = message_again(plain, sender, &again);
    if (status == MESSAGE_OK)
        assert_true(buffer_holds(&again, plain));
    buffer_clear(&again);
    free(exact);
    return status;
}

static void each_message_is_encoded_as_the_document_says(void **state)
{
    (void)state;
    static uint8_t expected[ROOM], out[ROOM];
    for (size_t i = 0; i < sample_count; i++) {
        size_t len = by_hand(samples[i].bytes, expected);
        assert_int_equal(message_len(&samples[i].m), len);
        struct writer w;
        writer_init(&w, out, len);
        assert_int_equal(message_encode(&samples[i].m, &w), 0);
        assert_int_equal(w.len, len);
        assert_memory_equal(out, expected, len);
        for (size_t room = 0; room < len; room += room < 100 ? 1 : 1009) {
            writer_init(&w, out, room);
            assert_int_equal(message_encode(&samples[i].m, &w), -1);
        }
    }
}

static void each_message_is_decoded_as_the_document_says(void **state)
{
    (void)state;
    static uint8_t plain[ROOM];
    for (size_t i = 0; i < sample_count; i++) {
        size_t len = by_hand(samples[i].bytes, plain);
        struct message m;
        memset(&m, 0x5a, sizeof(m));
        assert_int_equal(message_decode((struct bytes){ plain, len }, samples[i].sender, &m), MESSAGE_OK);
        same_message(&samples[i].m, &m);
        assert_int_equal(decodes(plain, len, samples[i].sender), MESSAGE_OK);
    }
}

static const char *const type_names[] = {
    [16] = "login",
    [17] = "register",
    [18] = "welcome",
    [19] = "refused",
    [20] = "open",
    [21] = "grant",
    [22] = "ciphertext",
    [23] = "undelivered",
    [24] = "presence",
    [25] = "list",
    [26] = "list_reply",
    [27] = "who",
    [28] = "who_reply",
    [29] = "ping",
    [30] = "pong",
    [31] = "close",
    [32] = "credit",
    [33] = "activate",
    [34] = "change_password",
    [35] = "password_changed",
    [36] = "login_changing",
    [37] = "deactivate",
    [38] = "code_mailed",
};

static bool is_type(unsigned type)
{
    return type < sizeof(type_names) / sizeof(type_names[0]) && type_names[type] != NULL;
}

static void there_is_a_sample_of_every_type(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        size_t found = 0;
        for (size_t i = 0; i < sample_count; i++)
            found += samples[i].m.type == type;
        assert_int_equal(found > 0, is_type(type));
    }
}

/* A message with a rest at its end is whole at any length from here on; the others only at one. */
static size_t shortest_whole(const struct sample *sample, size_t len)
{
    return sample->m.type == MESSAGE_CIPHERTEXT ? 1 + 8 + 4 + 8 + 17 : len;
}

static void truncated_messages_are_refused(void **state)
{
    (void)state;
    static uint8_t plain[ROOM];
    for (size_t i = 0; i < sample_count; i++) {
        size_t len = by_hand(samples[i].bytes, plain);
        size_t whole = shortest_whole(&samples[i], len);
        for (size_t cut = 0; cut < len; cut += cut < 600 ? 1 : 1009)
            assert_int_equal(decodes(plain, cut, samples[i].sender), cut < whole ? MESSAGE_MALFORMED : MESSAGE_OK);
    }
}

static void extended_messages_are_refused(void **state)
{
    (void)state;
    static uint8_t plain[ROOM];
    for (size_t i = 0; i < sample_count; i++) {
        size_t len = by_hand(samples[i].bytes, plain);
        if (samples[i].m.type == MESSAGE_CIPHERTEXT)
            continue;
        for (unsigned extra = 0; extra < 256; extra++) {
            plain[len] = (uint8_t)extra;
            assert_int_equal(decodes(plain, len + 1, samples[i].sender), MESSAGE_MALFORMED);
        }
    }
}

static void a_message_from_the_wrong_side_is_out_of_place(void **state)
{
    (void)state;
    static uint8_t plain[ROOM];
    for (size_t i = 0; i < sample_count; i++) {
        size_t len = by_hand(samples[i].bytes, plain);
        enum role other = samples[i].sender == ROLE_CLIENT ? ROLE_KDC : ROLE_CLIENT;
        bool either = samples[i].m.type == MESSAGE_CIPHERTEXT || samples[i].m.type == MESSAGE_CLOSE;
        assert_int_equal(decodes(plain, len, other), either ? MESSAGE_OK : MESSAGE_OUT_OF_PLACE);
    }
    for (unsigned type = 0; type < 256; type++) {
        uint8_t unknown[9] = { (uint8_t)type };
        if (is_type(type))
            continue;
        for (size_t len = 1; len <= sizeof(unknown); len++) {
            assert_int_equal(decodes(unknown, len, ROLE_CLIENT), MESSAGE_OUT_OF_PLACE);
            assert_int_equal(decodes(unknown, len, ROLE_KDC), MESSAGE_OUT_OF_PLACE);
        }
    }
}

static void values_out_of_bounds_are_refused(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "12 00*8 00*8 00 00*4 00*4 0000 00*4 0000",                /* a name of no bytes */
        "12 00*8 00*8 21 61*33 00*4 00*4 0000 00*4 0000",          /* of 33 */
        "12 00*8 00*8 01 'A' 00*4 00*4 0000 00*4 0000",            /* not in canonical form */
        "12 00*8 00*8 01 'a' 00*4 00*4 0000",                      /* nothing about a ticket */
        "12 00*8 00*8 01 'a' 00*4 00*4 0000 00000001 0000",        /* a time, and no ticket */
        "12 00*8 00*8 01 'a' 00*4 00*4 0000 00000000 0001 c0",     /* a ticket, and no time */
        "12 00*8 00*8 01 'a' 00*4 00*4 0000 00000001 0201 00*513", /* of 513 bytes */
        "13 00000001 00 00000000",                                 /* reason none */
        "13 00000001 35 00000000",                                 /* no reason has 50 */
        "13 00000001 ff 00000000",
        "14 00000000 03 'bob'", /* request 0 */
        "14 00000001 00",
        "14 00000001 03 'Bob'",
        "14 00000001 03 '.bo'",
        "14 00000001 03 'bo' 00",
        "14 00000001 03 'b b'",
        "15 00000000 00*8 00000000 01 'a' 01 'b' 00*8 00*8 0001 00*8 18 00*24", /* epoch 0 */
        "15 00000000 00*8 00000001 01 'A' 01 'b' 00*8 00*8 0001 00*8 18 00*24",
        "15 00000000 00*8 00000001 01 'a' 01 'B' 00*8 00*8 0001 00*8 18 00*24",
        "15 00000000 00*8 00000001 01 'a' 01 'b' 00*8 00*8 0000 00*8 18 00*24", /* suite 0 */
        "15 00000000 00*8 00000001 01 'a' 01 'b' 00*8 00*8 0004 00*8 18 00*24", /* unknown */
        "15 00000000 00*8 00000001 01 'a' 01 'b' 00*8 00*8 0101 00*8 18 00*24",
        "15 00000000 00*8 00000001 01 'a' 01 'b' 00*8 00*8 0001 00*8 17 00*23", /* a key of 23 bytes */
        "15 00000000 00*8 00000001 01 'a' 01 'b' 00*8 00*8 0001 00*8 21 00*33",
        "15 00000000 00*8 00000001 01 'a' 01 'b' 00*8 00*8 0001 00*8 00",
        "16 00*8 00000000 00*8 00*17", /* epoch 0 */
        "16 00*8 00000001 00*8 00*16", /* shorter than any sealed content */
        "17 00*8 00000000 00*8 1a",    /* epoch 0 */
        "17 00*8 00000001 00*8 00",    /* reason none */
        "17 00*8 00000001 00*8 35",
        "11 00 00 41 00*65 00 00", /* a code of 65 bytes */
        "11 00 00 00 ff 00*255 00",
        "11 00 00 00 00 21 00*33",
        "11 00 00", /* as it was without the three */
        "21 00 00 41 00*65",
        "22 00000000 01 'a' 01 'b'", /* request 0 */
        "22 00000001 01 'a'",
        "23 00000000 00000000 0000",
        "23 00000001 00000001 0000", /* a time, and no ticket */
        "23 00000001 00000000 0001 c0",
        "23 00000001 00000001 0201 00*513",
        "24 00 00",       /* a login */
        "25 00000000 00", /* request 0 */
        "25 00000001 41 00*65",
        "26 00000000",
        "18 03 'bob' 02", /* presence 2 */
        "18 03 'bob' ff",
        "18 03 'BOB' 01",
        "19 00000000 00", /* request 0 */
        "19 00000001 02", /* has_after 2 */
        "19 00000001 02 03 'bob'",
        "19 00000001 01", /* and nothing after */
        "19 00000001 01 00",
        "19 00000001 01 03 'boB'",
        "19 00000001 00 03 'bob'",         /* has none, but there is */
        "1a 00000001 02 0000",             /* more 2 */
        "1a 00000001 00 0001",             /* one that isn't there */
        "1a 00000001 00 0000 01 'a' 00*8", /* one too many */
        "1a 00000001 00 0001 01 'A' 00*8",
        "1a 00000001 00 0001 00 00*8",
        "1a 00000001 00 0002 01 'a' 00*8 01 'a' 00*8", /* a name twice */
        "1a 00000001 00 0002 01 'b' 00*8 01 'a' 00*8", /* descending */
        "1a 00000001 00 0002 02 'aa' 00*8 01 'a' 00*8",
        "1a 00000001 00 0003 01 'a' 00*8 01 'c' 00*8 01 'b' 00*8",
        "1b 00000000 03 'bob'", /* request 0 */
        "1b 00000001 03 'b' ff 'b'",
        "1c 00000001 03 'bob' 02 00*8", /* presence 2 */
        "1c 00000001 03 'b*b' 01 00*8",
        "1f 35", /* no reason has 53 */
        "1f ff",
        "20 00*8 00000000", /* credit of nothing */
    };
    uint8_t *plain = malloc(ROOM);
    assert_non_null(plain);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        size_t len = by_hand(refused[i], plain);
        enum message_status client = decodes(plain, len, ROLE_CLIENT), kdc = decodes(plain, len, ROLE_KDC);
        bool by_sender = client == MESSAGE_OUT_OF_PLACE ? kdc == MESSAGE_MALFORMED : client == MESSAGE_MALFORMED;
        if (!by_sender)
            fail_msg("taken: %s", refused[i]);
    }
    free(plain);
}

/* LIST_ENTRIES_MAX and one more, in order. */
static struct list_entry *many_entries(void)
{
    struct list_entry *entries = calloc(LIST_ENTRIES_MAX + 1, sizeof(*entries));
    assert_non_null(entries);
    for (unsigned i = 0; i <= LIST_ENTRIES_MAX; i++) {
        snprintf(entries[i].name.text, sizeof(entries[i].name.text), "user-%04u-whose-name-has-32-byte", i);
        entries[i].since = UINT64_MAX - i;
    }
    return entries;
}

static void a_list_holds_1000_names_at_most(void **state)
{
    (void)state;
    static uint8_t out[ROOM];
    struct list_entry *entries = many_entries();
    struct message m = { .type = MESSAGE_LIST_REPLY,
                         .list_reply = { .request = 1, .count = LIST_ENTRIES_MAX, .entries = entries } };
    size_t len = message_len(&m);
    assert_int_equal(len, 1 + 4 + 1 + 2 + LIST_ENTRIES_MAX * (1 + 32 + 8));
    assert_true(len <= FRAME_LEN_AFTER_LOGIN - SUITE_OVERHEAD_MAX);
    struct writer w;
    writer_init(&w, out, sizeof(out));
    assert_int_equal(message_encode(&m, &w), 0);
    assert_int_equal(w.len, len);
    assert_int_equal(decodes(out, len, ROLE_KDC), MESSAGE_OK);
    struct message decoded;
    assert_int_equal(message_decode((struct bytes){ out, len }, ROLE_KDC, &decoded), MESSAGE_OK);
    same_message(&m, &decoded);
    for (size_t cut = 0; cut < len; cut += 41) /* whole entries, too */
        assert_int_equal(decodes(out, cut, ROLE_KDC), MESSAGE_MALFORMED);

    /* One more, by hand: the encoder doesn't. */
    m.list_reply.count = LIST_ENTRIES_MAX + 1;
    assert_int_equal(message_len(&m), 0);
    writer_init(&w, out, sizeof(out));
    assert_int_equal(message_encode(&m, &w), -1);
    m.list_reply.count = LIST_ENTRIES_MAX;
    writer_init(&w, out, sizeof(out));
    assert_int_equal(message_encode(&m, &w), 0);
    writer_vec8(&w, entries[LIST_ENTRIES_MAX].name.text, 32);
    writer_u64(&w, 0);
    assert_int_equal(writer_end(&w), 0);
    out[6] = (LIST_ENTRIES_MAX + 1) >> 8;
    out[7] = (LIST_ENTRIES_MAX + 1) & 0xff;
    assert_int_equal(decodes(out, w.len, ROLE_KDC), MESSAGE_MALFORMED);
    free(entries);
}

static void refuses_to_encode(struct message m)
{
    static uint8_t out[ROOM];
    struct writer w;
    writer_init(&w, out, sizeof(out));
    assert_int_equal(message_encode(&m, &w), -1);
    assert_int_equal(message_len(&m), 0);
}

static void what_cant_be_decoded_isnt_encoded(void **state)
{
    (void)state;
    static const struct list_entry twice[] = { { { "a" }, 0 }, { { "a" }, 0 } };
    static const struct list_entry descending[] = { { { "b" }, 0 }, { { "a" }, 0 } };
    static const struct list_entry unnamed[] = { { { "a" }, 0 }, { { "" }, 0 } };
    struct name unending;
    memset(unending.text, 'a', sizeof(unending.text));
    const struct message refused[] = {
        { .type = (enum message_type)0 },
        { .type = (enum message_type)15 },
        { .type = (enum message_type)39 },
        { .type = (enum message_type)(256 + MESSAGE_PING) },
        { .type = MESSAGE_LOGIN, .credentials = { { some_bytes, 256 }, { some_bytes, 1 } } },
        { .type = MESSAGE_LOGIN, .credentials = { { some_bytes, 1 }, { some_bytes, 256 } } },
        { .type = MESSAGE_REGISTER, .registering = { .code = { some_bytes, CODE_LEN_MAX + 1 } } },
        { .type = MESSAGE_REGISTER, .registering = { .email = { some_bytes, EMAIL_LEN_MAX + 1 } } },
        { .type = MESSAGE_REGISTER, .registering = { .phone = { some_bytes, PHONE_LEN_MAX + 1 } } },
        { .type = MESSAGE_ACTIVATE, .activate = { .code = { some_bytes, CODE_LEN_MAX + 1 } } },
        { .type = MESSAGE_CHANGE_PASSWORD, .change_password = { .request = 0 } },
        { .type = MESSAGE_CHANGE_PASSWORD, .change_password = { .request = 1, .old = { some_bytes, 256 } } },
        { .type = MESSAGE_CHANGE_PASSWORD, .change_password = { .request = 1, .new = { some_bytes, 256 } } },
        { .type = MESSAGE_PASSWORD_CHANGED, .password_changed = { .request = 0 } },
        { .type = MESSAGE_PASSWORD_CHANGED, .password_changed = { .request = 1, .ticket_seconds = 1 } },
        { .type = MESSAGE_PASSWORD_CHANGED, .password_changed = { .request = 1, .ticket = { some_bytes, 1 } } },
        { .type = MESSAGE_LOGIN_CHANGING, .login_changing = { .new = { some_bytes, 256 } } },
        { .type = MESSAGE_DEACTIVATE, .deactivate = { .request = 0 } },
        { .type = MESSAGE_DEACTIVATE, .deactivate = { .request = 1, .code = { some_bytes, CODE_LEN_MAX + 1 } } },
        { .type = MESSAGE_CODE_MAILED, .code_mailed = { .request = 0 } },
        { .type = MESSAGE_WELCOME },
        { .type = MESSAGE_WELCOME, .welcome = { .name = { "Alice" } } },
        { .type = MESSAGE_WELCOME, .welcome = { .name = unending } },
        { .type = MESSAGE_WELCOME, .welcome = { .name = { "a" }, .ticket_seconds = 1 } },
        { .type = MESSAGE_WELCOME, .welcome = { .name = { "a" }, .ticket = { some_bytes, 1 } } },
        { .type = MESSAGE_WELCOME,
          .welcome = { .name = { "a" }, .ticket_seconds = 1, .ticket = { some_bytes, TICKET_LEN_MAX + 1 } } },
        { .type = MESSAGE_CREDIT, .credit = { .conversation = 1, .bytes = 0 } },
        { .type = MESSAGE_REFUSED, .refused = { .reason = REASON_NONE } },
        { .type = MESSAGE_REFUSED, .refused = { .reason = REASON_COUNT } },
        { .type = MESSAGE_OPEN, .open = { .request = 0, .peer = { "bob" } } },
        { .type = MESSAGE_OPEN, .open = { .request = 1, .peer = { "b b" } } },
        { .type = MESSAGE_GRANT,
          .grant = { .epoch = 0, .a = { "a" }, .b = { "b" }, .suite = 1, .key = { some_bytes, 24 } } },
        { .type = MESSAGE_GRANT, .grant = { .epoch = 1, .b = { "b" }, .suite = 1, .key = { some_bytes, 24 } } },
        { .type = MESSAGE_GRANT, .grant = { .epoch = 1, .a = { "a" }, .suite = 1, .key = { some_bytes, 24 } } },
        { .type = MESSAGE_GRANT,
          .grant = { .epoch = 1, .a = { "a" }, .b = { "b" }, .suite = 4, .key = { some_bytes, 24 } } },
        { .type = MESSAGE_GRANT,
          .grant = { .epoch = 1, .a = { "a" }, .b = { "b" }, .suite = 1, .key = { some_bytes, 23 } } },
        { .type = MESSAGE_GRANT,
          .grant = { .epoch = 1, .a = { "a" }, .b = { "b" }, .suite = 1, .key = { some_bytes, 33 } } },
        { .type = MESSAGE_CIPHERTEXT, .ciphertext = { .epoch = 0, .sealed = { some_bytes, 17 } } },
        { .type = MESSAGE_CIPHERTEXT, .ciphertext = { .epoch = 1, .sealed = { some_bytes, 16 } } },
        { .type = MESSAGE_UNDELIVERED, .undelivered = { .epoch = 0, .reason = REASON_BUSY } },
        { .type = MESSAGE_UNDELIVERED, .undelivered = { .epoch = 1, .reason = REASON_NONE } },
        { .type = MESSAGE_PRESENCE, .presence = { .name = { "bob" }, .presence = (enum presence)2 } },
        { .type = MESSAGE_PRESENCE, .presence = { .name = { "" } } },
        { .type = MESSAGE_LIST, .list = { .request = 0 } },
        { .type = MESSAGE_LIST, .list = { .request = 1, .has_after = true } },
        { .type = MESSAGE_LIST_REPLY, .list_reply = { .request = 1, .count = 2, .entries = twice } },
        { .type = MESSAGE_LIST_REPLY, .list_reply = { .request = 1, .count = 2, .entries = descending } },
        { .type = MESSAGE_LIST_REPLY, .list_reply = { .request = 1, .count = 2, .entries = unnamed } },
        { .type = MESSAGE_LIST_REPLY, .list_reply = { .request = 1, .count = 1 } },
        { .type = MESSAGE_LIST_REPLY, .list_reply = { .request = 1, .count = SIZE_MAX, .entries = twice } },
        { .type = MESSAGE_WHO, .who = { .request = 0, .name = { "bob" } } },
        { .type = MESSAGE_WHO, .who = { .request = 1 } },
        { .type = MESSAGE_WHO_REPLY, .who_reply = { .request = 1, .name = { "bob" }, .presence = (enum presence)2 } },
        { .type = MESSAGE_WHO_REPLY, .who_reply = { .request = 1 } },
        { .type = MESSAGE_CLOSE, .close = { .reason = REASON_COUNT } },
    };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        refuses_to_encode(refused[i]);
}

static uint32_t draw(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33);
}

/* Bytes changed, dropped and doubled at random: `decodes` looks that what is taken comes back the same. */
static void whatever_is_taken_could_have_been_encoded(void **state)
{
    (void)state;
    static uint8_t original[ROOM], changed[ROOM];
    uint64_t seed = 20;
    size_t taken = 0, refused = 0;
    for (size_t i = 0; i < sample_count; i++) {
        size_t whole = by_hand(samples[i].bytes, original);
        if (whole > 1000)
            continue;
        for (size_t round = 0; round < 4000; round++) {
            size_t len = whole;
            memcpy(changed, original, whole);
            for (size_t changes = 1 + draw(&seed) % 3; changes > 0 && len > 0; changes--) {
                size_t at = draw(&seed) % len;
                switch (draw(&seed) % 4) {
                case 0:
                    changed[at] = (uint8_t)draw(&seed);
                    break;
                case 1:
                    changed[at] ^= (uint8_t)(1u << draw(&seed) % 8);
                    break;
                case 2:
                    memmove(changed + at, changed + at + 1, len - at - 1);
                    len--;
                    break;
                default:
                    memmove(changed + at + 1, changed + at, len - at);
                    len++;
                }
            }
            for (int sender = ROLE_CLIENT; sender <= ROLE_KDC; sender++) {
                if (decodes(changed, len, (enum role)sender) == MESSAGE_OK)
                    taken++;
                else
                    refused++;
            }
        }
    }
    assert_true(taken > 10000 && refused > 10000);
}

static void a_refused_message_lends_nothing(void **state)
{
    (void)state;
    static uint8_t plain[ROOM];
    size_t len = by_hand("10 05 'alice' 08 'password' 00", plain);
    static const struct message zero;
    struct message m;
    memset(&m, 0x5a, sizeof(m));
    assert_int_equal(message_decode((struct bytes){ plain, len }, ROLE_CLIENT, &m), MESSAGE_MALFORMED);
    assert_memory_equal(&m, &zero, sizeof(m));
    memset(&m, 0x5a, sizeof(m));
    assert_int_equal(message_decode((struct bytes){ plain, len - 1 }, ROLE_KDC, &m), MESSAGE_OUT_OF_PLACE);
    assert_memory_equal(&m, &zero, sizeof(m));
    assert_int_equal(message_decode((struct bytes){ NULL, 0 }, ROLE_KDC, &m), MESSAGE_MALFORMED);
}

static void types_have_names(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 300; i++)
        assert_string_equal(message_type_name(i), is_type(i) ? type_names[i] : "unknown");
    assert_string_equal(message_type_name(~0u), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_message_is_encoded_as_the_document_says),
        cmocka_unit_test(each_message_is_decoded_as_the_document_says),
        cmocka_unit_test(there_is_a_sample_of_every_type),
        cmocka_unit_test(truncated_messages_are_refused),
        cmocka_unit_test(extended_messages_are_refused),
        cmocka_unit_test(a_message_from_the_wrong_side_is_out_of_place),
        cmocka_unit_test(values_out_of_bounds_are_refused),
        cmocka_unit_test(a_list_holds_1000_names_at_most),
        cmocka_unit_test(what_cant_be_decoded_isnt_encoded),
        cmocka_unit_test(whatever_is_taken_could_have_been_encoded),
        cmocka_unit_test(a_refused_message_lends_nothing),
        cmocka_unit_test(types_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
