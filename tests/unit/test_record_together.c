/* test_record_together.c: several messages in one record. */
#include "tests/unit/cmocka_all.h"
#include "tests/unit/record_channel.h"
#include "wire/frame.h"

#include <stdlib.h>
#include <string.h>

static void what_gathers_goes_in_one_record(void **state)
{
    (void)state;
    static const char *const texts[] = { "one", "and two", "t", "four of them" };
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        struct channel c;
        struct bytes messages;
        size_t plain_len = 0;
        channel_open(&c, &suites[s]);
        for (size_t i = 0; i < 4; i++) {
            assert_int_equal(record_add(&c.sender, bytes_of(texts[i]), &c.wire), 0);
            plain_len += FRAME_HEADER_LEN + strlen(texts[i]);
        }
        assert_int_equal(c.sender.sequence, 0);
        assert_int_equal(buffer_len(&c.wire), FRAME_HEADER_LEN + plain_len);
        record_seal(&c.sender, &c.wire);
        record_seal(&c.sender, &c.wire); /* there is nothing more to seal */
        assert_int_equal(buffer_len(&c.wire), FRAME_HEADER_LEN + suite_sealed_len(&suites[s], plain_len));
        channel_open_next(&c, &messages);
        for (size_t i = 0; i < 4; i++)
            assert_next_message(&messages, bytes_of(texts[i]));
        assert_int_equal(messages.len, 0);
        assert_int_equal(buffer_len(&c.wire), 0);
        assert_int_equal(c.sender.sequence, 1);
        assert_int_equal(c.sender.records, 1);
        assert_int_equal(c.sender.bytes, plain_len);
        assert_int_equal(c.receiver.bytes, plain_len);
        channel_pass(&c, bytes_of("goes on"));
        channel_close(&c);
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
            channel_open(&c, &suites[s]);
            channel_make_room(&c);
            assert_int_equal(record_add(&c.sender, (struct bytes){ text, half }, &c.wire), 0);
            assert_int_equal(record_add(&c.sender, (struct bytes){ text, half + more }, &c.wire), 0);
            record_seal(&c.sender, &c.wire);
            assert_int_equal(c.sender.sequence, 1 + more);
            if (more == 0)
                assert_true(buffer_len(&c.wire) <= FRAME_HEADER_LEN + FRAME_LEN_BEFORE_LOGIN);
            channel_open_next(&c, &messages);
            assert_next_message(&messages, (struct bytes){ text, half });
            if (more == 1)
                channel_open_next(&c, &messages);
            assert_next_message(&messages, (struct bytes){ text, half + more });
            assert_int_equal(messages.len, 0);
            channel_close(&c);
        }
    }
}

static void a_longer_message_goes_alone(void **state)
{
    (void)state;
    static uint8_t text[41000];
    struct channel c;
    struct bytes messages;
    channel_open(&c, &suites[0]);
    channel_make_room(&c);
    assert_int_equal(record_add(&c.sender, bytes_of("before"), &c.wire), 0);
    assert_int_equal(record_add(&c.sender, (struct bytes){ text, sizeof(text) }, &c.wire), 0);
    assert_int_equal(record_add(&c.sender, bytes_of("behind"), &c.wire), 0);
    assert_int_equal(record_add(&c.sender, bytes_of("and more"), &c.wire), 0);
    record_seal(&c.sender, &c.wire);
    assert_int_equal(c.sender.sequence, 3);
    channel_open_next(&c, &messages);
    assert_next_message(&messages, bytes_of("before"));
    assert_int_equal(messages.len, 0);
    channel_open_next(&c, &messages);
    assert_next_message(&messages, (struct bytes){ text, sizeof(text) });
    assert_int_equal(messages.len, 0);
    channel_open_next(&c, &messages);
    assert_next_message(&messages, bytes_of("behind"));
    assert_next_message(&messages, bytes_of("and more"));
    assert_int_equal(messages.len, 0);
    channel_close(&c);
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
        channel_open(&c, &suites[s]);
        buffer_stock_init(&stock, 4);
        buffer_init_with(&c.wire, LIMIT, &stock);
        for (size_t room = 0; moves < 3; count++) {
            assert_int_equal(record_add(&c.sender, bytes_of(text), &c.wire), 0);
            moves += c.wire.room != room;
            room = c.wire.room;
        }
        assert_int_equal(stock.count, 1);
        assert_null(memmem(stock.spare, BUFFER_STOCK_ROOM, text, sizeof(text) - 1));
        assert_non_null(memmem(c.wire.data, c.wire.end, text, sizeof(text) - 1)); /* it would be seen */
        record_seal(&c.sender, &c.wire);
        assert_null(memmem(c.wire.data, c.wire.room, text, sizeof(text) - 1));
        while (buffer_len(&c.wire) > 0) {
            channel_open_next(&c, &messages);
            for (; messages.len > 0; got++)
                assert_next_message(&messages, bytes_of(text));
        }
        assert_int_equal(got, count);
        assert_true(c.sender.sequence < 8);
        channel_close(&c);
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
        channel_open(&c, &suites[s]);
        buffer_init(&c.wire, 512);
        assert_int_equal(record_add(&c.sender, bytes_of("one"), &c.wire), 0);
        assert_int_equal(record_add_message(&c.sender, &invalid, &c.wire), -1);
        assert_int_equal(record_add(&c.sender, bytes_of("two"), &c.wire), 0);
        assert_int_equal(record_add(&c.sender, (struct bytes){ text, sizeof(text) }, &c.wire), -1);
        record_seal(&c.sender, &c.wire);
        channel_open_next(&c, &messages);
        assert_next_message(&messages, bytes_of("one"));
        assert_next_message(&messages, bytes_of("two"));
        assert_int_equal(messages.len, 0);
        assert_int_equal(buffer_len(&c.wire), 0);
        channel_close(&c);
    }
}

static void what_gathers_keeps_its_key(void **state)
{
    (void)state;
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        struct channel c;
        uint8_t traffic[KDF_SECRET_LEN];
        struct bytes messages;
        channel_open(&c, &suites[s]);
        channel_traffic(1, traffic);
        c.sender.records = c.receiver.records = suites[s].key_records - 1;
        assert_int_equal(record_add(&c.sender, bytes_of("the last"), &c.wire), 0);
        record_cool(&c.sender);
        assert_non_null(c.sender.aead);
        assert_int_equal(record_add(&c.sender, bytes_of("record"), &c.wire), 0);
        assert_int_equal(record_add(&c.sender, bytes_of("under this key"), &c.wire), 0);
        record_seal(&c.sender, &c.wire);
        assert_memory_equal(c.sender.traffic, traffic, sizeof(traffic));
        channel_open_next(&c, &messages);
        assert_next_message(&messages, bytes_of("the last"));
        assert_next_message(&messages, bytes_of("record"));
        assert_next_message(&messages, bytes_of("under this key"));
        assert_renews(&c, traffic);
        channel_close(&c);
    }
}

static void every_flipped_bit_refuses_all_messages(void **state)
{
    (void)state;
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        for (size_t bit = 0;; bit++) {
            struct channel c;
            channel_open(&c, &suites[s]);
            for (int i = 0; i < 3; i++)
                assert_int_equal(record_add(&c.sender, bytes_of("one of three"), &c.wire), 0);
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
            channel_close(&c);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_gathers_goes_in_one_record),
        cmocka_unit_test(they_gather_up_to_the_bound),
        cmocka_unit_test(a_longer_message_goes_alone),
        cmocka_unit_test(what_gathers_is_never_moved),
        cmocka_unit_test(what_can_not_be_added_leaves_what_has_gathered),
        cmocka_unit_test(what_gathers_keeps_its_key),
        cmocka_unit_test(every_flipped_bit_refuses_all_messages),
        cmocka_unit_test(only_whole_messages_are_taken),
        cmocka_unit_test(several_in_too_long_a_record_are_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
