/* Messages: byte for byte, who may send them, and nothing but what the encoder makes. */
#include "tests/support/wire_bytes.h"
#include "tests/unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_NAME "abcdefghijklmnopqrstuvwxyz-_.789"
#define ROOM 66000

static const uint8_t some_bytes[ROOM] = { 0xc0, 0xc1, 0xc2, 0xc3 };
static const struct list_entry two_entries[] = { { { "alice" }, 0x11 }, { { "bob" }, 0x22 } };

/* A message, who sends it, and the same by hand from docs/protocol.md section 6. */
static const struct sample {
    const char *bytes;
    enum role sender;
    struct message m;
} samples[] = {
    { "10 05 'Alice' 08 'pass w' 0aff",
      ROLE_CLIENT,
      { .type = MESSAGE_LOGIN,
        .credentials = { { (const uint8_t *)"Alice", 5 }, { (const uint8_t *)"pass w\n\xff", 8 } } } },
    { "10 00 00", ROLE_CLIENT, { .type = MESSAGE_LOGIN } },
    { "11 05 'Alice' 08 'password' 00 00 00",
      ROLE_CLIENT,
      { .type = MESSAGE_REGISTER,
        .registering = { .credentials = { { (const uint8_t *)"Alice", 5 }, { (const uint8_t *)"password", 8 } } } } },
    { "11 ff c0c1c2c3 00*251 ff c0c1c2c3 00*251 40 c0c1c2c3 00*60 fe c0c1c2c3 00*250 20 c0c1c2c3 00*28",
      ROLE_CLIENT,
      { .type = MESSAGE_REGISTER,
        .registering = { .credentials = { { some_bytes, 255 }, { some_bytes, 255 } },
                         .code = { some_bytes, CODE_LEN_MAX },
                         .email = { some_bytes, EMAIL_LEN_MAX },
                         .phone = { some_bytes, PHONE_LEN_MAX } } } },
    { "12 0102030405060708 0000018bcfe56800 05 'alice' 000003e8 00000e10 001e 00000000 0000",
      ROLE_KDC,
      { .type = MESSAGE_WELCOME,
        .welcome = { .session = UINT64_C(0x0102030405060708),
                     .time = 1700000000000,
                     .name = { "alice" },
                     .rekey_messages = 1000,
                     .rekey_seconds = 3600,
                     .ping_seconds = 30 } } },
    { "12 0102030405060708 0000018bcfe56800 05 'alice' 00*4 00*4 001e 00015180 0004 c0c1c2c3",
      ROLE_KDC,
      { .type = MESSAGE_WELCOME,
        .welcome = { .session = UINT64_C(0x0102030405060708),
                     .time = 1700000000000,
                     .name = { "alice" },
                     .ping_seconds = 30,
                     .ticket_seconds = 86400,
                     .ticket = { some_bytes, 4 } } } },
    { "12 ff*8 ff*8 20 '" LONGEST_NAME "' ff*4 ff*4 ffff ff*4 0200 c0c1c2c3 00*508",
      ROLE_KDC,
      { .type = MESSAGE_WELCOME,
        .welcome = { .session = UINT64_MAX,
                     .time = UINT64_MAX,
                     .name = { LONGEST_NAME },
                     .rekey_messages = UINT32_MAX,
                     .rekey_seconds = UINT32_MAX,
                     .ping_seconds = UINT16_MAX,
                     .ticket_seconds = UINT32_MAX,
                     .ticket = { some_bytes, TICKET_LEN_MAX } } } },
    { "13 00000000 0d 00000005",
      ROLE_KDC,
      { .type = MESSAGE_REFUSED, .refused = { .request = 0, .reason = REASON_LOGIN_FAILED, .retry_after = 5 } } },
    { "13 01020304 25 ff*4",
      ROLE_KDC,
      { .type = MESSAGE_REFUSED,
        .refused = { .request = 0x01020304, .reason = REASON_INTERNAL, .retry_after = UINT32_MAX } } },
    { "14 00000001 01 'b'", ROLE_CLIENT, { .type = MESSAGE_OPEN, .open = { .request = 1, .peer = { "b" } } } },
    { "15 00000007 1112131415161718 00000001 05 'alice' 03 'bob' 2122232425262728 3132333435363738 0001"
      " 4142434445464748 18 c0c1c2c3 00*20",
      ROLE_KDC,
      { .type = MESSAGE_GRANT,
        .grant = { .request = 7,
                   .conversation = UINT64_C(0x1112131415161718),
                   .epoch = 1,
                   .a = { "alice" },
                   .b = { "bob" },
                   .session_a = UINT64_C(0x2122232425262728),
                   .session_b = UINT64_C(0x3132333435363738),
                   .suite = SUITE_3DES_CBC_HMAC_SHA512,
                   .time = UINT64_C(0x4142434445464748),
                   .key = { some_bytes, 24 } } } },
    { "15 00000000 00*8 ff*4 01 '0' 20 '" LONGEST_NAME "' 00*8 00*8 0003 00*8 20 c0c1c2c3 00*28",
      ROLE_KDC,
      { .type = MESSAGE_GRANT,
        .grant = { .epoch = UINT32_MAX,
                   .a = { "0" },
                   .b = { LONGEST_NAME },
                   .suite = SUITE_AES_256_GCM,
                   .key = { some_bytes, 32 } } } },
    { "16 0102030405060708 00000009 1112131415161718 c0c1c2c3 00*13",
      ROLE_CLIENT,
      { .type = MESSAGE_CIPHERTEXT,
        .ciphertext = { .conversation = UINT64_C(0x0102030405060708),
                        .epoch = 9,
                        .sequence = UINT64_C(0x1112131415161718),
                        .sealed = { some_bytes, 17 } } } },
    { "16 00*8 00000001 00*8 c0c1c2c3 00*16436",
      ROLE_KDC,
      { .type = MESSAGE_CIPHERTEXT, .ciphertext = { .epoch = 1, .sealed = { some_bytes, MESSAGE_SEALED_MAX } } } },
    { "16 00*8 00000001 00*8 c0c1c2c3 00*65000",
      ROLE_CLIENT,
      { .type = MESSAGE_CIPHERTEXT, .ciphertext = { .epoch = 1, .sealed = { some_bytes, 65004 } } } },
    { "17 0102030405060708 00000009 1112131415161718 1a",
      ROLE_KDC,
      { .type = MESSAGE_UNDELIVERED,
        .undelivered = { .conversation = UINT64_C(0x0102030405060708),
                         .epoch = 9,
                         .sequence = UINT64_C(0x1112131415161718),
                         .reason = REASON_PEER_OFFLINE } } },
    { "18 03 'bob' 00",
      ROLE_KDC,
      { .type = MESSAGE_PRESENCE, .presence = { .name = { "bob" }, .presence = PRESENCE_OFFLINE } } },
    { "18 03 'bob' 01",
      ROLE_KDC,
      { .type = MESSAGE_PRESENCE, .presence = { .name = { "bob" }, .presence = PRESENCE_ONLINE } } },
    { "19 00000002 00", ROLE_CLIENT, { .type = MESSAGE_LIST, .list = { .request = 2 } } },
    { "19 ff*4 01 03 'bob'",
      ROLE_CLIENT,
      { .type = MESSAGE_LIST, .list = { .request = UINT32_MAX, .has_after = true, .after = { "bob" } } } },
    { "1a 00000002 00 0000", ROLE_KDC, { .type = MESSAGE_LIST_REPLY, .list_reply = { .request = 2 } } },
    { "1a 00000002 01 0002 05 'alice' 00*7 11 03 'bob' 00*7 22",
      ROLE_KDC,
      { .type = MESSAGE_LIST_REPLY,
        .list_reply = { .request = 2, .more = true, .count = 2, .entries = two_entries } } },
    { "1b 00000003 03 'bob'", ROLE_CLIENT, { .type = MESSAGE_WHO, .who = { .request = 3, .name = { "bob" } } } },
    { "1c 00000003 03 'bob' 01 0000018bcfe56800",
      ROLE_KDC,
      { .type = MESSAGE_WHO_REPLY,
        .who_reply = { .request = 3, .name = { "bob" }, .presence = PRESENCE_ONLINE, .since = 1700000000000 } } },
    { "1d 0102030405060708", ROLE_CLIENT, { .type = MESSAGE_PING, .ping = { .token = UINT64_C(0x0102030405060708) } } },
    { "1e 0102030405060708", ROLE_KDC, { .type = MESSAGE_PONG, .ping = { .token = UINT64_C(0x0102030405060708) } } },
    { "1f 00", ROLE_CLIENT, { .type = MESSAGE_CLOSE, .close = { .reason = REASON_NONE } } },
    { "1f 21", ROLE_KDC, { .type = MESSAGE_CLOSE, .close = { .reason = REASON_SHUTTING_DOWN } } },
    { "20 0102030405060708 00004000",
      ROLE_KDC,
      { .type = MESSAGE_CREDIT, .credit = { .conversation = UINT64_C(0x0102030405060708), .bytes = 16384 } } },
    { "21 05 'Alice' 08 'password' 06 '012345'",
      ROLE_CLIENT,
      { .type = MESSAGE_ACTIVATE,
        .activate = { .credentials = { { (const uint8_t *)"Alice", 5 }, { (const uint8_t *)"password", 8 } },
                      .code = { (const uint8_t *)"012345", 6 } } } },
    { "21 00 00 40 c0c1c2c3 00*60",
      ROLE_CLIENT,
      { .type = MESSAGE_ACTIVATE, .activate = { .code = { some_bytes, CODE_LEN_MAX } } } },
    { "22 01020304 08 'password' 05 'other'",
      ROLE_CLIENT,
      { .type = MESSAGE_CHANGE_PASSWORD,
        .change_password = { .request = 0x01020304,
                             .old = { (const uint8_t *)"password", 8 },
                             .new = { (const uint8_t *)"other", 5 } } } },
    { "22 00000001 ff c0c1c2c3 00*251 ff c0c1c2c3 00*251",
      ROLE_CLIENT,
      { .type = MESSAGE_CHANGE_PASSWORD,
        .change_password = { .request = 1, .old = { some_bytes, 255 }, .new = { some_bytes, 255 } } } },
    { "23 00000007 00015180 0004 c0c1c2c3",
      ROLE_KDC,
      { .type = MESSAGE_PASSWORD_CHANGED,
        .password_changed = { .request = 7, .ticket_seconds = 86400, .ticket = { some_bytes, 4 } } } },
    { "23 ff*4 00000000 0000",
      ROLE_KDC,
      { .type = MESSAGE_PASSWORD_CHANGED, .password_changed = { .request = UINT32_MAX } } },
    { "24 05 'Alice' 08 'password' 05 'other'",
      ROLE_CLIENT,
      { .type = MESSAGE_LOGIN_CHANGING,
        .login_changing = { .credentials = { { (const uint8_t *)"Alice", 5 }, { (const uint8_t *)"password", 8 } },
                            .new = { (const uint8_t *)"other", 5 } } } },
    { "24 00 00 ff c0c1c2c3 00*251",
      ROLE_CLIENT,
      { .type = MESSAGE_LOGIN_CHANGING, .login_changing = { .new = { some_bytes, 255 } } } },
    { "25 00000007 00", ROLE_CLIENT, { .type = MESSAGE_DEACTIVATE, .deactivate = { .request = 7 } } },
    { "25 ff*4 40 c0c1c2c3 00*60",
      ROLE_CLIENT,
      { .type = MESSAGE_DEACTIVATE, .deactivate = { .request = UINT32_MAX, .code = { some_bytes, CODE_LEN_MAX } } } },
    { "26 00000007", ROLE_KDC, { .type = MESSAGE_CODE_MAILED, .code_mailed = { .request = 7 } } },
    { "20 ff*8 ff*4",
      ROLE_KDC,
      { .type = MESSAGE_CREDIT, .credit = { .conversation = UINT64_MAX, .bytes = UINT32_MAX } } },
};
#define SAMPLE_COUNT (sizeof(samples) / sizeof(samples[0]))

static size_t by_hand(const char *notation, uint8_t room[ROOM])
{
    size_t len = bytes_from(notation, room, ROOM);
    assert_true(len != SIZE_MAX);
    return len;
}

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

static void same_bytes(struct bytes a, struct bytes b)
{
    assert_int_equal(a.len, b.len);
    if (a.len > 0)
        assert_memory_equal(a.data, b.data, a.len);
}

static void same_message(const struct message *a, struct message *b)
{
    assert_int_equal(a->type, b->type);
    switch (a->type) {
    case MESSAGE_LOGIN:
        same_bytes(a->credentials.name, b->credentials.name);
        same_bytes(a->credentials.password, b->credentials.password);
        break;
    case MESSAGE_REGISTER:
        same_bytes(a->registering.credentials.name, b->registering.credentials.name);
        same_bytes(a->registering.credentials.password, b->registering.credentials.password);
        same_bytes(a->registering.code, b->registering.code);
        same_bytes(a->registering.email, b->registering.email);
        same_bytes(a->registering.phone, b->registering.phone);
        break;
    case MESSAGE_ACTIVATE:
        same_bytes(a->activate.credentials.name, b->activate.credentials.name);
        same_bytes(a->activate.credentials.password, b->activate.credentials.password);
        same_bytes(a->activate.code, b->activate.code);
        break;
    case MESSAGE_CHANGE_PASSWORD:
        assert_int_equal(a->change_password.request, b->change_password.request);
        same_bytes(a->change_password.old, b->change_password.old);
        same_bytes(a->change_password.new, b->change_password.new);
        break;
    case MESSAGE_PASSWORD_CHANGED:
        assert_int_equal(a->password_changed.request, b->password_changed.request);
        assert_int_equal(a->password_changed.ticket_seconds, b->password_changed.ticket_seconds);
        same_bytes(a->password_changed.ticket, b->password_changed.ticket);
        break;
    case MESSAGE_LOGIN_CHANGING:
        same_bytes(a->login_changing.credentials.name, b->login_changing.credentials.name);
        same_bytes(a->login_changing.credentials.password, b->login_changing.credentials.password);
        same_bytes(a->login_changing.new, b->login_changing.new);
        break;
    case MESSAGE_DEACTIVATE:
        assert_int_equal(a->deactivate.request, b->deactivate.request);
        same_bytes(a->deactivate.code, b->deactivate.code);
        break;
    case MESSAGE_CODE_MAILED:
        assert_int_equal(a->code_mailed.request, b->code_mailed.request);
        break;
    case MESSAGE_WELCOME:
        assert_true(a->welcome.session == b->welcome.session && a->welcome.time == b->welcome.time);
        assert_string_equal(a->welcome.name.text, b->welcome.name.text);
        assert_int_equal(a->welcome.rekey_messages, b->welcome.rekey_messages);
        assert_int_equal(a->welcome.rekey_seconds, b->welcome.rekey_seconds);
        assert_int_equal(a->welcome.ping_seconds, b->welcome.ping_seconds);
        assert_int_equal(a->welcome.ticket_seconds, b->welcome.ticket_seconds);
        same_bytes(a->welcome.ticket, b->welcome.ticket);
        break;
    case MESSAGE_REFUSED:
        assert_int_equal(a->refused.request, b->refused.request);
        assert_int_equal(a->refused.reason, b->refused.reason);
        assert_int_equal(a->refused.retry_after, b->refused.retry_after);
        break;
    case MESSAGE_OPEN:
        assert_int_equal(a->open.request, b->open.request);
        assert_string_equal(a->open.peer.text, b->open.peer.text);
        break;
    case MESSAGE_GRANT:
        assert_int_equal(a->grant.request, b->grant.request);
        assert_true(a->grant.conversation == b->grant.conversation && a->grant.time == b->grant.time);
        assert_int_equal(a->grant.epoch, b->grant.epoch);
        assert_string_equal(a->grant.a.text, b->grant.a.text);
        assert_string_equal(a->grant.b.text, b->grant.b.text);
        assert_true(a->grant.session_a == b->grant.session_a && a->grant.session_b == b->grant.session_b);
        assert_int_equal(a->grant.suite, b->grant.suite);
        same_bytes(a->grant.key, b->grant.key);
        break;
    case MESSAGE_CIPHERTEXT:
        assert_true(a->ciphertext.conversation == b->ciphertext.conversation);
        assert_int_equal(a->ciphertext.epoch, b->ciphertext.epoch);
        assert_true(a->ciphertext.sequence == b->ciphertext.sequence);
        same_bytes(a->ciphertext.sealed, b->ciphertext.sealed);
        break;
    case MESSAGE_UNDELIVERED:
        assert_true(a->undelivered.conversation == b->undelivered.conversation);
        assert_int_equal(a->undelivered.epoch, b->undelivered.epoch);
        assert_true(a->undelivered.sequence == b->undelivered.sequence);
        assert_int_equal(a->undelivered.reason, b->undelivered.reason);
        break;
    case MESSAGE_PRESENCE:
        assert_string_equal(a->presence.name.text, b->presence.name.text);
        assert_int_equal(a->presence.presence, b->presence.presence);
        break;
    case MESSAGE_LIST:
        assert_int_equal(a->list.request, b->list.request);
        assert_int_equal(a->list.has_after, b->list.has_after);
        assert_string_equal(a->list.after.text, b->list.after.text);
        break;
    case MESSAGE_LIST_REPLY:
        assert_int_equal(a->list_reply.request, b->list_reply.request);
        assert_int_equal(a->list_reply.more, b->list_reply.more);
        assert_int_equal(a->list_reply.count, b->list_reply.count);
        for (size_t i = 0; i < a->list_reply.count; i++) {
            struct list_entry entry;
            assert_int_equal(message_list_next(&b->list_reply, &entry), 1);
            assert_string_equal(a->list_reply.entries[i].name.text, entry.name.text);
            assert_true(a->list_reply.entries[i].since == entry.since);
        }
        assert_int_equal(message_list_next(&b->list_reply, &(struct list_entry){ .since = 0 }), 0);
        break;
    case MESSAGE_WHO:
        assert_int_equal(a->who.request, b->who.request);
        assert_string_equal(a->who.name.text, b->who.name.text);
        break;
    case MESSAGE_WHO_REPLY:
        assert_int_equal(a->who_reply.request, b->who_reply.request);
        assert_string_equal(a->who_reply.name.text, b->who_reply.name.text);
        assert_int_equal(a->who_reply.presence, b->who_reply.presence);
        assert_true(a->who_reply.since == b->who_reply.since);
        break;
    case MESSAGE_PING:
    case MESSAGE_PONG:
        assert_true(a->ping.token == b->ping.token);
        break;
    case MESSAGE_CLOSE:
        assert_int_equal(a->close.reason, b->close.reason);
        break;
    case MESSAGE_CREDIT:
        assert_true(a->credit.conversation == b->credit.conversation);
        assert_int_equal(a->credit.bytes, b->credit.bytes);
        break;
    }
}

static void each_message_is_encoded_as_the_document_says(void **state)
{
    (void)state;
    static uint8_t expected[ROOM], out[ROOM];
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
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
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
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
        for (size_t i = 0; i < SAMPLE_COUNT; i++)
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
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
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
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
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
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
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
        "13 00000001 32 00000000",                                 /* no reason has 50 */
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
        "17 00*8 00000001 00*8 32",
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
        "1f 32", /* no reason has 50 */
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
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
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
