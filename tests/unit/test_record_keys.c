/* test_record_keys.c: the keys of records: renewed where the document says, cooled, and gone in the end. */
#include "crypto/secret.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/record_channel.h"
#include "tests/unit/registers.h"
#include "wire/frame.h"

#include <stdlib.h>

/* ---- renewal ---- */

static void triple_des_keys_are_renewed_after_65536_records(void **state)
{
    (void)state;
    struct channel c;
    uint8_t traffic[KDF_SECRET_LEN];

    channel_traffic(1, traffic);
    channel_open(&c, suite_by_id(SUITE_3DES_CBC_HMAC_SHA512));
    for (int i = 0; i < 65536; i++)
        channel_pass(&c, bytes_of("m"));
    assert_renews(&c, traffic);
    assert_int_equal(c.sender.sequence, 65537);
    for (int i = 1; i < 65536; i++) /* the count began at 0 with the new key */
        channel_pass(&c, bytes_of("m"));
    assert_renews(&c, traffic);
    channel_close(&c);
}

static void triple_des_keys_are_renewed_after_4194304_bytes(void **state)
{
    (void)state;
    static const uint8_t plain[32768 - FRAME_HEADER_LEN];
    uint8_t traffic[KDF_SECRET_LEN];

    for (size_t less = 0; less <= 1; less++) {
        struct channel c;
        channel_traffic(1, traffic);
        channel_open(&c, suite_by_id(SUITE_3DES_CBC_HMAC_SHA512));
        for (int i = 0; i < 127; i++)
            channel_pass(&c, (struct bytes){ .data = plain, .len = sizeof(plain) });
        channel_pass(&c, (struct bytes){ .data = plain, .len = sizeof(plain) - less });
        if (less == 1) /* one byte is missing: one record more under the old key */
            channel_pass(&c, (struct bytes){ .data = plain, .len = sizeof(plain) });
        assert_renews(&c, traffic);
        channel_close(&c);
    }
}

static void the_others_are_renewed_after_their_own_counts(void **state)
{
    (void)state;
    static const uint16_t ids[] = { SUITE_CHACHA20_POLY1305, SUITE_AES_256_GCM };

    for (size_t i = 0; i < 2; i++) {
        struct channel c;
        uint8_t traffic[KDF_SECRET_LEN];
        channel_traffic(1, traffic);
        channel_open(&c, suite_by_id(ids[i]));
        channel_pass(&c, bytes_of("first"));
        /* So many records and bytes can't be sent in a test: the counts are put just before the limits. */
        c.sender.records = c.receiver.records = 4194304 - 2;
        channel_pass(&c, bytes_of("the last but one"));
        assert_int_equal(c.sender.records, 4194304 - 1);
        channel_pass(&c, bytes_of("the last"));
        assert_renews(&c, traffic);
        c.sender.bytes = c.receiver.bytes = UINT64_C(17179869184) - 9 - 2 * FRAME_HEADER_LEN;
        channel_pass(&c, bytes_of("12345678"));
        channel_pass(&c, bytes_of("9"));
        assert_renews(&c, traffic);
        channel_close(&c);
    }
}

static void a_receiver_that_counts_otherwise_can_not_follow(void **state)
{
    (void)state;
    struct channel c;
    size_t len;

    channel_open(&c, suite_by_id(SUITE_3DES_CBC_HMAC_SHA512));
    c.sender.records = 65536;
    c.receiver.records = 65535;
    uint8_t *frame = channel_sealed(&c, bytes_of("new key"), &len);
    assert_kills(&c, frame, len);
    free(frame);
    channel_close(&c);
}

static void the_last_sequence_number_is_not_used(void **state)
{
    (void)state;
    struct channel c;
    size_t len;

    channel_open(&c, &suites[0]);
    c.sender.sequence = c.receiver.sequence = UINT64_MAX - 1;
    uint8_t *frame = channel_sealed(&c, bytes_of("last"), &len);
    assert_int_equal(record_add(&c.sender, bytes_of("one more"), &c.wire), -1);
    free(frame);
    channel_close(&c);
}

/* ---- cooling ---- */

static void channel_cool(struct channel *c)
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
        channel_open(&c, &suites[s]);
        channel_pass(&c, bytes_of("before"));
        struct record_half was = c.sender;
        channel_cool(&c);
        assert_int_equal(secret_stats().used, before); /* the halves themselves are on this stack */
        channel_cool(&c);
        was.aead = NULL;
        assert_memory_equal(&c.sender, &was, sizeof(was));

        /* Sealed warm, opened cooled, and the other way round; and it isn't the same record again. */
        size_t len, again_len;
        uint8_t *frame = channel_sealed(&c, bytes_of("text"), &len);
        record_cool(&c.sender);
        uint8_t *again = channel_sealed(&c, bytes_of("text"), &again_len);
        assert_memory_not_equal(frame + 4, again + 4, 8);
        struct bytes opened;
        assert_int_equal(record_open(&c.receiver, frame, len, &opened), 0);
        record_cool(&c.receiver);
        assert_int_equal(record_open(&c.receiver, again, again_len, &opened), 0);
        assert_next_message(&opened, bytes_of("text"));
        assert_int_equal(c.sender.sequence, 3);
        assert_int_equal(c.receiver.sequence, 3);
        free(frame);
        free(again);
        channel_close(&c);
    }
}

static void cooling_changes_nothing_about_renewal(void **state)
{
    (void)state;
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        struct channel c;
        uint8_t traffic[KDF_SECRET_LEN];
        channel_open(&c, &suites[s]);
        channel_traffic(1, traffic);
        c.sender.records = c.receiver.records = suites[s].key_records - 2;
        channel_pass(&c, bytes_of("one"));
        channel_cool(&c);
        assert_int_equal(c.sender.records, suites[s].key_records - 1);
        channel_pass(&c, bytes_of("the last under this key"));
        channel_cool(&c);
        assert_renews(&c, traffic);
        channel_cool(&c);
        channel_pass(&c, bytes_of("goes on"));
        assert_int_equal(c.sender.records, 2);
        channel_close(&c);
    }
}

static void a_cooled_half_refuses_what_is_not_next(void **state)
{
    (void)state;
    struct channel c;
    size_t len;
    channel_open(&c, &suites[0]);
    uint8_t *frame = channel_sealed(&c, bytes_of("a plaintext"), &len);
    frame[len - 1] ^= 1;
    channel_cool(&c);
    assert_kills(&c, frame, len);
    record_cool(&c.receiver);
    assert_kills(&c, frame, len);
    free(frame);
    channel_close(&c);
}

static void nothing_secret_stays_allocated(void **state)
{
    (void)state;
    size_t before = secret_stats().used;
    struct channel c;

    channel_open(&c, suite_by_id(SUITE_3DES_CBC_HMAC_SHA512));
    c.sender.records = c.receiver.records = 65536;
    channel_pass(&c, bytes_of("renewed"));
    channel_close(&c);
    assert_int_equal(secret_stats().used, before);
}

static void a_new_half_leaves_nothing_of_its_secret_in_the_registers(void **state)
{
    (void)state;
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        uint8_t traffic[KDF_SECRET_LEN];
        struct record_half half;
        struct registers seen;
        channel_traffic(1, traffic);
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
        cmocka_unit_test(a_new_half_leaves_nothing_of_its_secret_in_the_registers),
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
