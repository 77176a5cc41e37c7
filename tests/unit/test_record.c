/* test_record.c: records: what is sealed opens, once and in order; nothing else does. Several messages in one:
 * test_record_together.c; their keys: test_record_keys.c. */
#include "tests/unit/cmocka_all.h"
#include "tests/unit/record_channel.h"
#include "wire/frame.h"

#include <stdlib.h>
#include <string.h>

/* ---- what holds ---- */

static void messages_arrive_in_every_suite(void **state)
{
    (void)state;
    struct message m = { .type = MESSAGE_PING }, got;

    for (size_t s = 0; s < SUITE_COUNT; s++) {
        struct channel c;
        channel_open(&c, &suites[s]);
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
        channel_close(&c);
    }
}

static void message_and_encoded_message_are_sealed_alike(void **state)
{
    (void)state;
    struct channel a, b;
    const uint8_t plain[] = { MESSAGE_PING, 0, 0, 0, 0, 0, 0, 0, 77 };
    struct message m = { .type = MESSAGE_PING, .ping = { .token = 77 } };

    channel_open(&a, &suites[0]);
    channel_open(&b, &suites[0]);
    assert_int_equal(record_add_message(&a.sender, &m, &a.wire), 0);
    record_seal(&a.sender, &a.wire);
    assert_int_equal(channel_seal_one(&b.sender, (struct bytes){ .data = plain, .len = sizeof(plain) }, &b.wire), 0);
    assert_int_equal(buffer_len(&a.wire), buffer_len(&b.wire));
    assert_memory_equal(buffer_data(&a.wire), buffer_data(&b.wire), buffer_len(&a.wire));
    channel_close(&a);
    channel_close(&b);
}

static void the_same_plaintext_never_looks_the_same(void **state)
{
    (void)state;
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        struct channel c;
        size_t len, again_len;
        channel_open(&c, &suites[s]);
        uint8_t *frame = channel_sealed(&c, bytes_of("the same"), &len);
        uint8_t *again = channel_sealed(&c, bytes_of("the same"), &again_len);
        assert_int_equal(len, again_len);
        assert_memory_not_equal(frame + 4, again + 4, 8);
        free(frame);
        free(again);
        channel_close(&c);
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
        channel_open(&c, &suites[s]);
        channel_pass(&c, (struct bytes){ .data = plain, .len = max });
        assert_int_equal(record_add(&c.sender, (struct bytes){ .data = plain, .len = max + 1 }, &c.wire), -1);
        assert_int_equal(
            record_add(&c.sender, (struct bytes){ .data = plain, .len = FRAME_LEN_AFTER_LOGIN + 1 }, &c.wire), -1);
        assert_int_equal(record_add(&c.sender, (struct bytes){ .data = plain, .len = SIZE_MAX }, &c.wire), -1);
        assert_int_equal(record_add(&c.sender, (struct bytes){ .data = plain, .len = 0 }, &c.wire), -1);
        assert_int_equal(buffer_len(&c.wire), 0);
        channel_pass(&c, bytes_of("goes on"));
        channel_close(&c);
    }
    free(plain);
}

/* ---- what doesn't ---- */

static void every_flipped_bit_is_refused(void **state)
{
    (void)state;
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        for (size_t bit = 0;; bit++) {
            struct channel c;
            size_t len;
            channel_open(&c, &suites[s]);
            channel_pass(&c, bytes_of("one before"));
            uint8_t *frame = channel_sealed(&c, bytes_of("a plaintext of more than two blocks"), &len);
            if (bit < 8 * len) {
                frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
                assert_kills(&c, frame, len);
            }
            free(frame);
            channel_close(&c);
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
            channel_open(&c, &suites[s]);
            uint8_t *frame = channel_sealed(&c, bytes_of("a plaintext"), &len);
            size_t left = cut / 2; /* each length twice: the length field as it was, and as it is */
            uint8_t *exact = malloc(left > 0 ? left : 1);
            assert_non_null(exact);
            if (cut % 2 == 1 && left >= FRAME_HEADER_LEN)
                frame[3] = (uint8_t)(left - FRAME_HEADER_LEN);
            memcpy(exact, frame, left);
            assert_kills(&c, exact, left);
            free(exact);
            free(frame);
            channel_close(&c);
        }
    }
}

static void a_longer_frame_is_refused(void **state)
{
    (void)state;
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        struct channel c;
        size_t len;
        channel_open(&c, &suites[s]);
        uint8_t *frame = channel_sealed(&c, bytes_of("a plaintext"), &len);
        uint8_t *more = calloc(1, len + 8);
        assert_non_null(more);
        memcpy(more, frame, len);
        more[3] = (uint8_t)(len + 8 - FRAME_HEADER_LEN);
        assert_kills(&c, more, len + 8);
        free(more);
        free(frame);
        channel_close(&c);
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
            channel_open(&c, &suites[s]);
            uint8_t *first = channel_sealed(&c, bytes_of("the same text"), &first_len);
            uint8_t *second = channel_sealed(&c, bytes_of("the same text"), &second_len);
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
            channel_close(&c);
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
        channel_open(&there, &suites[s]);
        channel_open(&back, &suites[s]);
        record_clear(&back.sender);
        record_clear(&back.receiver);
        channel_traffic(101, traffic);
        assert_int_equal(record_init(&back.sender, &suites[s], traffic), 0);
        assert_int_equal(record_init(&back.receiver, &suites[s], traffic), 0);
        uint8_t *frame = channel_sealed(&there, bytes_of("reflected"), &len);
        assert_kills(&back, frame, len);
        free(frame);
        channel_close(&there);
        channel_close(&back);
    }
}

static void a_plain_frame_is_refused(void **state)
{
    (void)state;
    struct channel c;
    uint8_t alert[] = { 0, 0, 0, 6, 5, 1, 0, 0, 0, 0 };

    channel_open(&c, &suites[0]);
    assert_kills(&c, alert, sizeof(alert));
    channel_close(&c);
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
    assert_int_equal(record_add(&half, bytes_of("x"), &out), -1);
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
        channel_open(&c, &suites[s]);
        buffer_init(&small, 2 * frame_len - 1);
        assert_int_equal(record_add_message(&c.sender, &m, &small), 0);
        record_seal(&c.sender, &small);
        assert_unchanged_by_failure(&c, &m, &small);
        c.sender.records = c.receiver.records = suites[s].key_records; /* nor is the key renewed */
        struct record_half before = c.sender;
        assert_unchanged_by_failure(&c, &m, &small);
        assert_int_equal(record_add(&c.sender, bytes_of("any text at all"), &small), -1);
        assert_memory_equal(&c.sender, &before, sizeof(before));

        /* And what was sealed before and is sealed after are neighbours. */
        struct bytes opened;
        c.receiver.records = 0;
        assert_int_equal(record_open(&c.receiver, small.data + small.start, frame_len, &opened), 0);
        c.receiver.records = suites[s].key_records;
        channel_pass(&c, bytes_of("goes on"));
        buffer_clear(&small);
        channel_close(&c);
    }
}

static void an_invalid_message_changes_nothing(void **state)
{
    (void)state;
    struct channel c;
    struct message m = { .type = (enum message_type)99 };

    channel_open(&c, &suites[0]);
    assert_unchanged_by_failure(&c, &m, &c.wire);
    m = (struct message){ .type = MESSAGE_REFUSED, .refused = { .reason = REASON_NONE } };
    assert_unchanged_by_failure(&c, &m, &c.wire);
    channel_pass(&c, bytes_of("goes on"));
    channel_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_arrive_in_every_suite),
        cmocka_unit_test(message_and_encoded_message_are_sealed_alike),
        cmocka_unit_test(the_same_plaintext_never_looks_the_same),
        cmocka_unit_test(the_longest_frame_goes_and_one_byte_more_does_not),
        cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(a_longer_frame_is_refused),
        cmocka_unit_test(a_replayed_dropped_or_reordered_record_is_refused),
        cmocka_unit_test(the_other_directions_record_is_refused),
        cmocka_unit_test(a_plain_frame_is_refused),
        cmocka_unit_test(a_cleared_half_does_nothing),
        cmocka_unit_test(a_full_buffer_changes_nothing),
        cmocka_unit_test(an_invalid_message_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
