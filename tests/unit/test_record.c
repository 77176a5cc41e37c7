/* Records: what is sealed opens, once and in order; nothing else does; keys are renewed where the document says. */
#include "crypto/secret.h"
#include "wire/codec.h"
#include "wire/frame.h"
#include "wire/message.h"
#include "wire/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/registers.h"

#define LIMIT (4 * (size_t)FRAME_LEN_AFTER_LOGIN)

/* One direction: both its ends, and what is between them. */
struct channel {
    struct record_half sender;
    struct record_half receiver;
    struct buffer wire;
};

static void traffic_of(uint8_t start, uint8_t traffic[KDF_SECRET_LEN])
{
    for (size_t i = 0; i < KDF_SECRET_LEN; i++)
        traffic[i] = (uint8_t)(start + i);
}

static void open_channel(struct channel *c, const struct suite *suite)
{
    uint8_t traffic[KDF_SECRET_LEN];

    traffic_of(1, traffic);
    memset(c, 0, sizeof(*c));
    assert_int_equal(record_init(&c->sender, suite, traffic), 0);
    assert_int_equal(record_init(&c->receiver, suite, traffic), 0);
    buffer_init(&c->wire, LIMIT);
}

static void close_channel(struct channel *c)
{
    record_clear(&c->sender);
    record_clear(&c->receiver);
    buffer_clear(&c->wire);
}

static struct bytes of(const char *text)
{
    return (struct bytes){ .data = (const uint8_t *)text, .len = strlen(text) };
}

/* One message in a record of its own. */
static int seal_one(struct record_half *sender, struct bytes message, struct buffer *out)
{
    int added = record_add(sender, message, out);
    record_seal(sender, out);
    return added;
}

/* Seals one message and takes the frame off the wire; the caller frees it. */
static uint8_t *sealed(struct channel *c, struct bytes message, size_t *len)
{
    assert_int_equal(seal_one(&c->sender, message, &c->wire), 0);
    *len = buffer_len(&c->wire);
    uint8_t *frame = malloc(*len);
    assert_non_null(frame);
    memcpy(frame, buffer_data(&c->wire), *len);
    buffer_consume(&c->wire, *len);
    return frame;
}

static void assert_next(struct bytes *messages, struct bytes message)
{
    struct bytes next;
    assert_int_equal(record_next(messages, &next), 0);
    assert_int_equal(next.len, message.len);
    assert_memory_equal(next.data, message.data, message.len);
}

static void pass(struct channel *c, struct bytes message)
{
    struct bytes messages;
    size_t len;
    uint8_t *frame = sealed(c, message, &len);

    assert_int_equal(record_open(&c->receiver, frame, len, &messages), 0);
    assert_next(&messages, message);
    assert_int_equal(messages.len, 0);
    free(frame);
}

/* Refuses that frame, and then everything. */
static void assert_kills(struct channel *c, uint8_t *frame, size_t len)
{
    struct bytes opened = of("something");
    static const uint8_t zeros[KDF_SECRET_LEN];

    assert_int_equal(record_open(&c->receiver, frame, len, &opened), -1);
    assert_null(opened.data);
    assert_int_equal(opened.len, 0);
    assert_memory_equal(c->receiver.traffic, zeros, sizeof(zeros));
    assert_null(c->receiver.aead);

    uint8_t *good = sealed(c, of("behind it"), &len);
    assert_int_equal(record_open(&c->receiver, good, len, &opened), -1);
    free(good);
}

/* traffic' and the key that comes from it, by the formulas: HKDF-Expand of one block is one HMAC. */
static struct aead *renewed(const struct suite *suite, uint8_t traffic[KDF_SECRET_LEN])
{
    static const char next[] = "kdc-chat v1 next\x01", record[] = "kdc-chat v1 record";
    uint8_t following[KDF_SECRET_LEN];

    hmac_sha512(traffic, KDF_SECRET_LEN, next, sizeof(next) - 1, following);
    memcpy(traffic, following, sizeof(following));
    struct aead *aead = aead_derive(suite, traffic, record, sizeof(record) - 1);
    assert_non_null(aead);
    return aead;
}

/* The next record of the channel is the first under the key behind `traffic`, which is stepped on; the receiver agrees. */
static void assert_renews(struct channel *c, uint8_t traffic[KDF_SECRET_LEN])
{
    const struct suite *suite = c->sender.suite;
    uint8_t plain[64];
    struct bytes opened;
    size_t len, plain_len = 0;
    uint64_t sequence = c->sender.sequence;

    assert_memory_equal(c->sender.traffic, traffic, KDF_SECRET_LEN);
    uint8_t *frame = sealed(c, of("new key"), &len);
    struct aead *aead = renewed(suite, traffic);
    assert_int_equal(aead_open(aead, sequence, frame, FRAME_HEADER_LEN, frame + FRAME_HEADER_LEN,
                               len - FRAME_HEADER_LEN, plain, &plain_len),
                     0);
    assert_int_equal(plain_len, FRAME_HEADER_LEN + 7);
    aead_free(&aead);
    assert_int_equal(record_open(&c->receiver, frame, len, &opened), 0);
    assert_memory_equal(c->sender.traffic, traffic, KDF_SECRET_LEN);
    assert_memory_equal(c->receiver.traffic, traffic, KDF_SECRET_LEN);
    assert_int_equal(c->sender.sequence, sequence + 1);
    assert_int_equal(c->sender.records, 1);
    assert_int_equal(c->sender.bytes, FRAME_HEADER_LEN + 7);
    assert_int_equal(c->receiver.records, 1);
    assert_int_equal(c->receiver.bytes, FRAME_HEADER_LEN + 7);
    free(frame);
}

/* ---- what holds ---- */

static void messages_arrive_in_every_suite(void **state)
{
    (void)state;
    struct message m = { .type = MESSAGE_PING }, got;

    for (size_t s = 0; s < SUITE_COUNT; s++) {
        struct channel c;
        open_channel(&c, &suites[s]);
        for (uint64_t i = 0; i < 20; i++) {
            struct bytes messages, opened;
            m.ping.token = i;
            assert_int_equal(record_add_message(&c.sender, &m, &c.wire), 0);
            record_seal(&c.sender, &c.wire);
            size_t len = buffer_len(&c.wire);
            assert_int_equal(len, FRAME_HEADER_LEN + suite_sealed_len(&suites[s], FRAME_HEADER_LEN + 9));
            assert_int_equal(record_open(&c.receiver, c.wire.data + c.wire.start, len, &messages), 0);
            assert_int_equal(record_next(&messages, &opened), 0);
            assert_int_equal(messages.len, 0);
            assert_int_equal(message_decode(opened, ROLE_CLIENT, &got), MESSAGE_OK);
            assert_int_equal(got.ping.token, i);
            buffer_consume(&c.wire, len);
        }
        close_channel(&c);
    }
}

static void message_and_encoded_message_are_sealed_alike(void **state)
{
    (void)state;
    struct channel a, b;
    const uint8_t plain[] = { MESSAGE_PING, 0, 0, 0, 0, 0, 0, 0, 77 };
    struct message m = { .type = MESSAGE_PING, .ping = { .token = 77 } };

    open_channel(&a, &suites[0]);
    open_channel(&b, &suites[0]);
    assert_int_equal(record_add_message(&a.sender, &m, &a.wire), 0);
    record_seal(&a.sender, &a.wire);
    assert_int_equal(seal_one(&b.sender, (struct bytes){ .data = plain, .len = sizeof(plain) }, &b.wire), 0);
    assert_int_equal(buffer_len(&a.wire), buffer_len(&b.wire));
    assert_memory_equal(buffer_data(&a.wire), buffer_data(&b.wire), buffer_len(&a.wire));
    close_channel(&a);
    close_channel(&b);
}

static void the_same_plaintext_never_looks_the_same(void **state)
{
    (void)state;
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        struct channel c;
        size_t len, again_len;
        open_channel(&c, &suites[s]);
        uint8_t *frame = sealed(&c, of("the same"), &len);
        uint8_t *again = sealed(&c, of("the same"), &again_len);
        assert_int_equal(len, again_len);
        assert_memory_not_equal(frame + 4, again + 4, 8);
        free(frame);
        free(again);
        close_channel(&c);
    }
}

static void the_longest_frame_goes_and_one_byte_more_does_not(void **state)
{
    (void)state;
    uint8_t *plain = calloc(1, FRAME_LEN_AFTER_LOGIN + 1);
    assert_non_null(plain);
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        struct channel c;
        size_t max = FRAME_LEN_AFTER_LOGIN;
        while (suite_sealed_len(&suites[s], FRAME_HEADER_LEN + max) > FRAME_LEN_AFTER_LOGIN)
            max--;
        open_channel(&c, &suites[s]);
        pass(&c, (struct bytes){ .data = plain, .len = max });
        assert_int_equal(record_add(&c.sender, (struct bytes){ .data = plain, .len = max + 1 }, &c.wire), -1);
        assert_int_equal(
            record_add(&c.sender, (struct bytes){ .data = plain, .len = FRAME_LEN_AFTER_LOGIN + 1 }, &c.wire), -1);
        assert_int_equal(record_add(&c.sender, (struct bytes){ .data = plain, .len = SIZE_MAX }, &c.wire), -1);
        assert_int_equal(record_add(&c.sender, (struct bytes){ .data = plain, .len = 0 }, &c.wire), -1);
        assert_int_equal(buffer_len(&c.wire), 0);
        pass(&c, of("goes on"));
        close_channel(&c);
    }
    free(plain);
}

/* ---- several in one ---- */

/* A record is there, and the receiver opens it: *messages lends from the wire. */
static void open_next(struct channel *c, struct bytes *messages)
{
    size_t len;
    assert_int_equal(frame_peek(buffer_data(&c->wire), buffer_len(&c->wire), FRAME_LEN_AFTER_LOGIN, &len), FRAME_READY);
    assert_int_equal(record_open(&c->receiver, c->wire.data + c->wire.start, len, messages), 0);
    /* It lends from memory that nobody touches while the wire's end is left alone. */
    c->wire.start += len;
}

/* So that it needn't grow. */
static void make_room(struct channel *c)
{
    assert_non_null(buffer_reserve(&c->wire, LIMIT / 2));
}

static void what_gathers_goes_in_one_record(void **state)
{
    (void)state;
    static const char *const texts[] = { "one", "and two", "t", "four of them" };
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        struct channel c;
        struct bytes messages;
        size_t plain_len = 0;
        open_channel(&c, &suites[s]);
        for (size_t i = 0; i < 4; i++) {
            assert_int_equal(record_add(&c.sender, of(texts[i]), &c.wire), 0);
            plain_len += FRAME_HEADER_LEN + strlen(texts[i]);
        }
        assert_int_equal(c.sender.sequence, 0);
        assert_int_equal(buffer_len(&c.wire), FRAME_HEADER_LEN + plain_len);
        record_seal(&c.sender, &c.wire);
        record_seal(&c.sender, &c.wire); /* there is nothing more to seal */
        assert_int_equal(buffer_len(&c.wire), FRAME_HEADER_LEN + suite_sealed_len(&suites[s], plain_len));
        open_next(&c, &messages);
        for (size_t i = 0; i < 4; i++)
            assert_next(&messages, of(texts[i]));
        assert_int_equal(messages.len, 0);
        assert_int_equal(buffer_len(&c.wire), 0);
        assert_int_equal(c.sender.sequence, 1);
        assert_int_equal(c.sender.records, 1);
        assert_int_equal(c.sender.bytes, plain_len);
        assert_int_equal(c.receiver.bytes, plain_len);
        pass(&c, of("goes on"));
        close_channel(&c);
    }
}

static void they_gather_up_to_the_bound(void **state)
{
    (void)state;
    static uint8_t text[RECORD_TOGETHER_MAX];
    const size_t half = RECORD_TOGETHER_MAX / 2 - FRAME_HEADER_LEN;
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        for (size_t more = 0; more <= 1; more++) {
            struct channel c;
            struct bytes messages;
            open_channel(&c, &suites[s]);
            make_room(&c);
            assert_int_equal(record_add(&c.sender, (struct bytes){ text, half }, &c.wire), 0);
            assert_int_equal(record_add(&c.sender, (struct bytes){ text, half + more }, &c.wire), 0);
            record_seal(&c.sender, &c.wire);
            assert_int_equal(c.sender.sequence, 1 + more);
            if (more == 0)
                assert_true(buffer_len(&c.wire) <= FRAME_HEADER_LEN + FRAME_LEN_BEFORE_LOGIN);
            open_next(&c, &messages);
            assert_next(&messages, (struct bytes){ text, half });
            if (more == 1)
                open_next(&c, &messages);
            assert_next(&messages, (struct bytes){ text, half + more });
            assert_int_equal(messages.len, 0);
            close_channel(&c);
        }
    }
}

static void a_longer_message_goes_alone(void **state)
{
    (void)state;
    static uint8_t text[41000];
    struct channel c;
    struct bytes messages;
    open_channel(&c, &suites[0]);
    make_room(&c);
    assert_int_equal(record_add(&c.sender, of("before"), &c.wire), 0);
    assert_int_equal(record_add(&c.sender, (struct bytes){ text, sizeof(text) }, &c.wire), 0);
    assert_int_equal(record_add(&c.sender, of("behind"), &c.wire), 0);
    assert_int_equal(record_add(&c.sender, of("and more"), &c.wire), 0);
    record_seal(&c.sender, &c.wire);
    assert_int_equal(c.sender.sequence, 3);
    open_next(&c, &messages);
    assert_next(&messages, of("before"));
    assert_int_equal(messages.len, 0);
    open_next(&c, &messages);
    assert_next(&messages, (struct bytes){ text, sizeof(text) });
    assert_int_equal(messages.len, 0);
    open_next(&c, &messages);
    assert_next(&messages, of("behind"));
    assert_next(&messages, of("and more"));
    assert_int_equal(messages.len, 0);
    close_channel(&c);
}

/* Memory that a buffer gives back to its stock isn't wiped: a plaintext must never have been moved out of it. */
static void what_gathers_is_never_moved(void **state)
{
    (void)state;
    static const char text[] = "a plaintext that nobody may find";
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        struct buffer_stock stock;
        struct channel c;
        struct bytes messages;
        size_t count = 0, got = 0, moves = 0;
        open_channel(&c, &suites[s]);
        buffer_stock_init(&stock, 4);
        buffer_init_with(&c.wire, LIMIT, &stock);
        for (size_t room = 0; moves < 3; count++) {
            assert_int_equal(record_add(&c.sender, of(text), &c.wire), 0);
            moves += c.wire.room != room;
            room = c.wire.room;
        }
        assert_int_equal(stock.count, 1);
        assert_null(memmem(stock.spare, BUFFER_STOCK_ROOM, text, sizeof(text) - 1));
        assert_non_null(memmem(c.wire.data, c.wire.end, text, sizeof(text) - 1)); /* it would be seen */
        record_seal(&c.sender, &c.wire);
        assert_null(memmem(c.wire.data, c.wire.room, text, sizeof(text) - 1));
        while (buffer_len(&c.wire) > 0) {
            open_next(&c, &messages);
            for (; messages.len > 0; got++)
                assert_next(&messages, of(text));
        }
        assert_int_equal(got, count);
        assert_true(c.sender.sequence < 8);
        close_channel(&c);
        buffer_stock_clear(&stock);
    }
}

static void what_can_not_be_added_leaves_what_has_gathered(void **state)
{
    (void)state;
    static const uint8_t text[1000];
    const struct message invalid = { .type = (enum message_type)99 };
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        struct channel c;
        struct bytes messages;
        open_channel(&c, &suites[s]);
        buffer_init(&c.wire, 512);
        assert_int_equal(record_add(&c.sender, of("one"), &c.wire), 0);
        assert_int_equal(record_add_message(&c.sender, &invalid, &c.wire), -1);
        assert_int_equal(record_add(&c.sender, of("two"), &c.wire), 0);
        assert_int_equal(record_add(&c.sender, (struct bytes){ text, sizeof(text) }, &c.wire), -1);
        record_seal(&c.sender, &c.wire);
        open_next(&c, &messages);
        assert_next(&messages, of("one"));
        assert_next(&messages, of("two"));
        assert_int_equal(messages.len, 0);
        assert_int_equal(buffer_len(&c.wire), 0);
        close_channel(&c);
    }
}

static void what_gathers_keeps_its_key(void **state)
{
    (void)state;
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        struct channel c;
        uint8_t traffic[KDF_SECRET_LEN];
        struct bytes messages;
        open_channel(&c, &suites[s]);
        traffic_of(1, traffic);
        c.sender.records = c.receiver.records = suites[s].key_records - 1;
        assert_int_equal(record_add(&c.sender, of("the last"), &c.wire), 0);
        record_cool(&c.sender);
        assert_non_null(c.sender.aead);
        assert_int_equal(record_add(&c.sender, of("record"), &c.wire), 0);
        assert_int_equal(record_add(&c.sender, of("under this key"), &c.wire), 0);
        record_seal(&c.sender, &c.wire);
        assert_memory_equal(c.sender.traffic, traffic, sizeof(traffic));
        open_next(&c, &messages);
        assert_next(&messages, of("the last"));
        assert_next(&messages, of("record"));
        assert_next(&messages, of("under this key"));
        assert_renews(&c, traffic);
        close_channel(&c);
    }
}

static void every_flipped_bit_refuses_all_messages(void **state)
{
    (void)state;
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        for (size_t bit = 0;; bit++) {
            struct channel c;
            open_channel(&c, &suites[s]);
            for (int i = 0; i < 3; i++)
                assert_int_equal(record_add(&c.sender, of("one of three"), &c.wire), 0);
            record_seal(&c.sender, &c.wire);
            const size_t len = buffer_len(&c.wire);
            uint8_t *frame = malloc(len);
            assert_non_null(frame);
            memcpy(frame, buffer_data(&c.wire), len);
            buffer_consume(&c.wire, len);
            if (bit < 8 * len) {
                frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
                assert_kills(&c, frame, len);
            }
            free(frame);
            close_channel(&c);
            if (bit == 8 * len)
                break;
        }
    }
}

/* How many messages are in that plaintext; -1 when one of them is none. */
static int count_messages(const uint8_t *plain, size_t len)
{
    /* Of just its size, so that a sanitizer sees what is read behind it. */
    uint8_t *exact = malloc(len > 0 ? len : 1);
    assert_non_null(exact);
    if (len > 0)
        memcpy(exact, plain, len);
    struct bytes messages = { exact, len };
    int count = 0;
    do {
        struct bytes message;
        const size_t before = messages.len;
        if (record_next(&messages, &message) != 0) {
            assert_null(message.data);
            assert_int_equal(messages.len, before);
            count = -1;
            break;
        }
        assert_true(message.len > 0);
        count++;
    } while (messages.len > 0);
    free(exact);
    return count;
}

static void only_whole_messages_are_taken(void **state)
{
    (void)state;
    static const uint8_t two[] = { 0, 0, 0, 2, 29, 7, 0, 0, 0, 1, 29 };
    for (size_t len = 0; len <= sizeof(two); len++)
        assert_int_equal(count_messages(two, len), len == 6 ? 1 : len == sizeof(two) ? 2 : -1);
    const uint8_t none[] = { 0, 0, 0, 0 };
    assert_int_equal(count_messages(none, sizeof(none)), -1);
    const uint8_t none_behind_one[] = { 0, 0, 0, 1, 29, 0, 0, 0, 0 };
    assert_int_equal(count_messages(none_behind_one, sizeof(none_behind_one)), -1);
    const uint8_t over_the_end[] = { 0, 0, 0, 1, 29, 0, 0, 0, 2, 29 };
    assert_int_equal(count_messages(over_the_end, sizeof(over_the_end)), -1);
    const uint8_t far_over_the_end[] = { 0xff, 0xff, 0xff, 0xff, 29 };
    assert_int_equal(count_messages(far_over_the_end, sizeof(far_over_the_end)), -1);
}

static void several_in_too_long_a_record_are_not_taken(void **state)
{
    (void)state;
    static uint8_t plain[RECORD_TOGETHER_MAX + 1];
    for (size_t more = 0; more <= 1; more++) {
        const size_t first = RECORD_TOGETHER_MAX + more - 2 * FRAME_HEADER_LEN - 1;
        memset(plain, 0, sizeof(plain));
        plain[2] = (uint8_t)(first >> 8);
        plain[3] = (uint8_t)first;
        plain[FRAME_HEADER_LEN + first + 3] = 1;
        assert_int_equal(count_messages(plain, RECORD_TOGETHER_MAX + more), more == 0 ? 2 : -1);
    }
    const size_t alone = RECORD_TOGETHER_MAX + 1 - FRAME_HEADER_LEN;
    plain[2] = (uint8_t)(alone >> 8);
    plain[3] = (uint8_t)alone;
    assert_int_equal(count_messages(plain, sizeof(plain)), 1);
}

/* ---- what doesn't ---- */

static void every_flipped_bit_is_refused(void **state)
{
    (void)state;
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        for (size_t bit = 0;; bit++) {
            struct channel c;
            size_t len;
            open_channel(&c, &suites[s]);
            pass(&c, of("one before"));
            uint8_t *frame = sealed(&c, of("a plaintext of more than two blocks"), &len);
            if (bit < 8 * len) {
                frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
                assert_kills(&c, frame, len);
            }
            free(frame);
            close_channel(&c);
            if (bit == 8 * len)
                break;
        }
    }
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        size_t len = 1;
        for (size_t cut = 0; cut < 2 * len; cut++) {
            struct channel c;
            open_channel(&c, &suites[s]);
            uint8_t *frame = sealed(&c, of("a plaintext"), &len);
            size_t left = cut / 2; /* each length twice: the length field as it was, and as it is */
            uint8_t *exact = malloc(left > 0 ? left : 1);
            assert_non_null(exact);
            if (cut % 2 == 1 && left >= FRAME_HEADER_LEN)
                frame[3] = (uint8_t)(left - FRAME_HEADER_LEN);
            memcpy(exact, frame, left);
            assert_kills(&c, exact, left);
            free(exact);
            free(frame);
            close_channel(&c);
        }
    }
}

static void a_longer_frame_is_refused(void **state)
{
    (void)state;
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        struct channel c;
        size_t len;
        open_channel(&c, &suites[s]);
        uint8_t *frame = sealed(&c, of("a plaintext"), &len);
        uint8_t *more = calloc(1, len + 8);
        assert_non_null(more);
        memcpy(more, frame, len);
        more[3] = (uint8_t)(len + 8 - FRAME_HEADER_LEN);
        assert_kills(&c, more, len + 8);
        free(more);
        free(frame);
        close_channel(&c);
    }
}

static void a_replayed_dropped_or_reordered_record_is_refused(void **state)
{
    (void)state;
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        for (int what = 0; what < 3; what++) {
            struct channel c;
            struct bytes opened;
            size_t first_len, second_len;
            open_channel(&c, &suites[s]);
            uint8_t *first = sealed(&c, of("the same text"), &first_len);
            uint8_t *second = sealed(&c, of("the same text"), &second_len);
            uint8_t *copy = malloc(first_len);
            assert_non_null(copy);
            memcpy(copy, first, first_len);
            if (what == 0) { /* replay */
                assert_int_equal(record_open(&c.receiver, first, first_len, &opened), 0);
                assert_kills(&c, copy, first_len);
            } else if (what == 1) { /* drop */
                assert_kills(&c, second, second_len);
            } else { /* reorder: what comes later is lost with it */
                assert_int_equal(record_open(&c.receiver, second, second_len, &opened), -1);
                assert_kills(&c, first, first_len);
            }
            free(first);
            free(second);
            free(copy);
            close_channel(&c);
        }
    }
}

static void the_other_directions_record_is_refused(void **state)
{
    (void)state;
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        struct channel there, back;
        uint8_t traffic[KDF_SECRET_LEN];
        size_t len;
        open_channel(&there, &suites[s]);
        open_channel(&back, &suites[s]);
        record_clear(&back.sender);
        record_clear(&back.receiver);
        traffic_of(101, traffic);
        assert_int_equal(record_init(&back.sender, &suites[s], traffic), 0);
        assert_int_equal(record_init(&back.receiver, &suites[s], traffic), 0);
        uint8_t *frame = sealed(&there, of("reflected"), &len);
        assert_kills(&back, frame, len);
        free(frame);
        close_channel(&there);
        close_channel(&back);
    }
}

static void a_plain_frame_is_refused(void **state)
{
    (void)state;
    struct channel c;
    uint8_t alert[] = { 0, 0, 0, 6, 5, 1, 0, 0, 0, 0 };

    open_channel(&c, &suites[0]);
    assert_kills(&c, alert, sizeof(alert));
    close_channel(&c);
}

static void a_cleared_half_does_nothing(void **state)
{
    (void)state;
    struct record_half half = { 0 };
    struct buffer out;
    struct bytes opened;
    uint8_t frame[40] = { 0, 0, 0, 36 };
    struct message m = { .type = MESSAGE_PING };

    record_clear(&half);
    buffer_init(&out, LIMIT);
    assert_int_equal(record_add(&half, of("x"), &out), -1);
    assert_int_equal(record_add_message(&half, &m, &out), -1);
    record_seal(&half, &out);
    assert_int_equal(record_open(&half, frame, sizeof(frame), &opened), -1);
    assert_int_equal(buffer_len(&out), 0);
}

/* ---- what fails leaves everything as it was ---- */

static void assert_unchanged_by_failure(struct channel *c, const struct message *m, struct buffer *out)
{
    struct record_half before = c->sender;
    size_t held = buffer_len(out);

    assert_int_equal(record_add_message(&c->sender, m, out), -1);
    assert_memory_equal(&c->sender, &before, sizeof(before));
    assert_int_equal(buffer_len(out), held);
}

static void a_full_buffer_changes_nothing(void **state)
{
    (void)state;
    struct message m = { .type = MESSAGE_PING };

    for (size_t s = 0; s < SUITE_COUNT; s++) {
        struct channel c;
        struct buffer small;
        size_t frame_len = FRAME_HEADER_LEN + suite_sealed_len(&suites[s], FRAME_HEADER_LEN + 9);
        open_channel(&c, &suites[s]);
        buffer_init(&small, 2 * frame_len - 1);
        assert_int_equal(record_add_message(&c.sender, &m, &small), 0);
        record_seal(&c.sender, &small);
        assert_unchanged_by_failure(&c, &m, &small);
        c.sender.records = c.receiver.records = suites[s].key_records; /* nor is the key renewed */
        struct record_half before = c.sender;
        assert_unchanged_by_failure(&c, &m, &small);
        assert_int_equal(record_add(&c.sender, of("any text at all"), &small), -1);
        assert_memory_equal(&c.sender, &before, sizeof(before));

        /* And what was sealed before and is sealed after are neighbours. */
        struct bytes opened;
        c.receiver.records = 0;
        assert_int_equal(record_open(&c.receiver, small.data + small.start, frame_len, &opened), 0);
        c.receiver.records = suites[s].key_records;
        pass(&c, of("goes on"));
        buffer_clear(&small);
        close_channel(&c);
    }
}

static void an_invalid_message_changes_nothing(void **state)
{
    (void)state;
    struct channel c;
    struct message m = { .type = (enum message_type)99 };

    open_channel(&c, &suites[0]);
    assert_unchanged_by_failure(&c, &m, &c.wire);
    m = (struct message){ .type = MESSAGE_REFUSED, .refused = { .reason = REASON_NONE } };
    assert_unchanged_by_failure(&c, &m, &c.wire);
    pass(&c, of("goes on"));
    close_channel(&c);
}

/* ---- renewal ---- */

static void triple_des_keys_are_renewed_after_65536_records(void **state)
{
    (void)state;
    struct channel c;
    uint8_t traffic[KDF_SECRET_LEN];

    traffic_of(1, traffic);
    open_channel(&c, suite_by_id(SUITE_3DES_CBC_HMAC_SHA512));
    for (int i = 0; i < 65536; i++)
        pass(&c, of("m"));
    assert_renews(&c, traffic);
    assert_int_equal(c.sender.sequence, 65537);
    for (int i = 1; i < 65536; i++) /* the count began at 0 with the new key */
        pass(&c, of("m"));
    assert_renews(&c, traffic);
    close_channel(&c);
}

static void triple_des_keys_are_renewed_after_4194304_bytes(void **state)
{
    (void)state;
    static const uint8_t plain[32768 - FRAME_HEADER_LEN];
    uint8_t traffic[KDF_SECRET_LEN];

    for (size_t less = 0; less <= 1; less++) {
        struct channel c;
        traffic_of(1, traffic);
        open_channel(&c, suite_by_id(SUITE_3DES_CBC_HMAC_SHA512));
        for (int i = 0; i < 127; i++)
            pass(&c, (struct bytes){ .data = plain, .len = sizeof(plain) });
        pass(&c, (struct bytes){ .data = plain, .len = sizeof(plain) - less });
        if (less == 1) /* one byte is missing: one record more under the old key */
            pass(&c, (struct bytes){ .data = plain, .len = sizeof(plain) });
        assert_renews(&c, traffic);
        close_channel(&c);
    }
}

static void the_others_are_renewed_after_their_own_counts(void **state)
{
    (void)state;
    static const uint16_t ids[] = { SUITE_CHACHA20_POLY1305, SUITE_AES_256_GCM };

    for (size_t i = 0; i < 2; i++) {
        struct channel c;
        uint8_t traffic[KDF_SECRET_LEN];
        traffic_of(1, traffic);
        open_channel(&c, suite_by_id(ids[i]));
        pass(&c, of("first"));
        /* So many records and bytes can't be sent in a test: the counts are put just before the limits. */
        c.sender.records = c.receiver.records = 4194304 - 2;
        pass(&c, of("the last but one"));
        assert_int_equal(c.sender.records, 4194304 - 1);
        pass(&c, of("the last"));
        assert_renews(&c, traffic);
        c.sender.bytes = c.receiver.bytes = UINT64_C(17179869184) - 9 - 2 * FRAME_HEADER_LEN;
        pass(&c, of("12345678"));
        pass(&c, of("9"));
        assert_renews(&c, traffic);
        close_channel(&c);
    }
}

static void a_receiver_that_counts_otherwise_can_not_follow(void **state)
{
    (void)state;
    struct channel c;
    size_t len;

    open_channel(&c, suite_by_id(SUITE_3DES_CBC_HMAC_SHA512));
    c.sender.records = 65536;
    c.receiver.records = 65535;
    uint8_t *frame = sealed(&c, of("new key"), &len);
    assert_kills(&c, frame, len);
    free(frame);
    close_channel(&c);
}

static void the_last_sequence_number_is_not_used(void **state)
{
    (void)state;
    struct channel c;
    size_t len;

    open_channel(&c, &suites[0]);
    c.sender.sequence = c.receiver.sequence = UINT64_MAX - 1;
    uint8_t *frame = sealed(&c, of("last"), &len);
    assert_int_equal(record_add(&c.sender, of("one more"), &c.wire), -1);
    free(frame);
    close_channel(&c);
}

/* ---- cooling ---- */

static void cool(struct channel *c)
{
    record_cool(&c->sender);
    record_cool(&c->receiver);
    assert_null(c->sender.aead);
    assert_null(c->receiver.aead);
}

static void a_cooled_half_goes_on_where_it_was(void **state)
{
    (void)state;
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        struct channel c;
        size_t before = secret_stats().used;
        open_channel(&c, &suites[s]);
        pass(&c, of("before"));
        struct record_half was = c.sender;
        cool(&c);
        assert_int_equal(secret_stats().used, before); /* the halves themselves are on this stack */
        cool(&c);
        was.aead = NULL;
        assert_memory_equal(&c.sender, &was, sizeof(was));

        /* Sealed warm, opened cooled, and the other way round; and it isn't the same record again. */
        size_t len, again_len;
        uint8_t *frame = sealed(&c, of("text"), &len);
        record_cool(&c.sender);
        uint8_t *again = sealed(&c, of("text"), &again_len);
        assert_memory_not_equal(frame + 4, again + 4, 8);
        struct bytes opened;
        assert_int_equal(record_open(&c.receiver, frame, len, &opened), 0);
        record_cool(&c.receiver);
        assert_int_equal(record_open(&c.receiver, again, again_len, &opened), 0);
        assert_next(&opened, of("text"));
        assert_int_equal(c.sender.sequence, 3);
        assert_int_equal(c.receiver.sequence, 3);
        free(frame);
        free(again);
        close_channel(&c);
    }
}

static void cooling_changes_nothing_about_renewal(void **state)
{
    (void)state;
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        struct channel c;
        uint8_t traffic[KDF_SECRET_LEN];
        open_channel(&c, &suites[s]);
        traffic_of(1, traffic);
        c.sender.records = c.receiver.records = suites[s].key_records - 2;
        pass(&c, of("one"));
        cool(&c);
        assert_int_equal(c.sender.records, suites[s].key_records - 1);
        pass(&c, of("the last under this key"));
        cool(&c);
        assert_renews(&c, traffic);
        cool(&c);
        pass(&c, of("goes on"));
        assert_int_equal(c.sender.records, 2);
        close_channel(&c);
    }
}

static void a_cooled_half_refuses_what_is_not_next(void **state)
{
    (void)state;
    struct channel c;
    size_t len;
    open_channel(&c, &suites[0]);
    uint8_t *frame = sealed(&c, of("a plaintext"), &len);
    frame[len - 1] ^= 1;
    cool(&c);
    assert_kills(&c, frame, len);
    record_cool(&c.receiver);
    assert_kills(&c, frame, len);
    free(frame);
    close_channel(&c);
}

static void nothing_secret_stays_allocated(void **state)
{
    (void)state;
    size_t before = secret_stats().used;
    struct channel c;

    open_channel(&c, suite_by_id(SUITE_3DES_CBC_HMAC_SHA512));
    c.sender.records = c.receiver.records = 65536;
    pass(&c, of("renewed"));
    close_channel(&c);
    assert_int_equal(secret_stats().used, before);
}

static void a_new_half_leaves_nothing_of_its_secret_in_the_registers(void **state)
{
    (void)state;
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        uint8_t traffic[KDF_SECRET_LEN];
        struct record_half half;
        struct registers seen;
        traffic_of(1, traffic);
        const int made = record_init(&half, &suites[i], traffic);
        registers_see(&seen);
        assert_int_equal(made, 0);
        assert_not_in_registers(&seen, traffic, sizeof(traffic));
        record_clear(&half);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_arrive_in_every_suite),
        cmocka_unit_test(a_new_half_leaves_nothing_of_its_secret_in_the_registers),
        cmocka_unit_test(message_and_encoded_message_are_sealed_alike),
        cmocka_unit_test(the_same_plaintext_never_looks_the_same),
        cmocka_unit_test(the_longest_frame_goes_and_one_byte_more_does_not),
        cmocka_unit_test(what_gathers_goes_in_one_record),
        cmocka_unit_test(they_gather_up_to_the_bound),
        cmocka_unit_test(a_longer_message_goes_alone),
        cmocka_unit_test(what_gathers_is_never_moved),
        cmocka_unit_test(what_can_not_be_added_leaves_what_has_gathered),
        cmocka_unit_test(what_gathers_keeps_its_key),
        cmocka_unit_test(every_flipped_bit_refuses_all_messages),
        cmocka_unit_test(only_whole_messages_are_taken),
        cmocka_unit_test(several_in_too_long_a_record_are_not_taken),
        cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(a_longer_frame_is_refused),
        cmocka_unit_test(a_replayed_dropped_or_reordered_record_is_refused),
        cmocka_unit_test(the_other_directions_record_is_refused),
        cmocka_unit_test(a_plain_frame_is_refused),
        cmocka_unit_test(a_cleared_half_does_nothing),
        cmocka_unit_test(a_full_buffer_changes_nothing),
        cmocka_unit_test(an_invalid_message_changes_nothing),
        cmocka_unit_test(triple_des_keys_are_renewed_after_65536_records),
        cmocka_unit_test(triple_des_keys_are_renewed_after_4194304_bytes),
        cmocka_unit_test(the_others_are_renewed_after_their_own_counts),
        cmocka_unit_test(a_receiver_that_counts_otherwise_can_not_follow),
        cmocka_unit_test(the_last_sequence_number_is_not_used),
        cmocka_unit_test(a_cooled_half_goes_on_where_it_was),
        cmocka_unit_test(cooling_changes_nothing_about_renewal),
        cmocka_unit_test(a_cooled_half_refuses_what_is_not_next),
        cmocka_unit_test(nothing_secret_stays_allocated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
