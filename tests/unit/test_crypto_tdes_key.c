/* test_crypto_tdes_key.c: parity, weak, semi-weak and equal keys (SP 800-67r2 section 3). */
#include "tests/unit/cmocka_all.h"

#include "crypto/tdes_key.h"
#include "tests/unit/crypto_support.h"

#include <nettle/des.h>
#include <string.h>

static const char good_bundle[] = "0123456789abcdef23456789abcdef01456789abcdef0123";

/* FIPS 74 and SP 800-67r2 section 3.3.2: four weak keys, six pairs of semi-weak ones. */
static const char *const weak[] = {
    "0101010101010101", "fefefefefefefefe", "e0e0e0e0f1f1f1f1", "1f1f1f1f0e0e0e0e",
    "011f011f010e010e", "1f011f010e010e01", "01e001e001f101f1", "e001e001f101f101",
    "01fe01fe01fe01fe", "fe01fe01fe01fe01", "1fe01fe00ef10ef1", "e01fe01ff10ef10e",
    "1ffe1ffe0efe0efe", "fe1ffe1ffe0efe0e", "e0fee0fef1fef1fe", "fee0fee0fef1fef1",
};
#define WEAK_COUNT (sizeof weak / sizeof *weak)

static void a_good_bundle_is_accepted(void **state)
{
    (void)state;
    uint8_t key[TDES_KEY_LEN];
    unhex(good_bundle, key, sizeof key);
    assert_int_equal(tdes_key_check(key), 0);
}

static void weak_and_semi_weak_keys_are_refused_in_every_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < WEAK_COUNT; i++) {
        for (size_t place = 0; place < 3; place++) {
            uint8_t key[TDES_KEY_LEN];
            unhex(good_bundle, key, sizeof key);
            unhex(weak[i], key + 8 * place, 8);
            assert_int_equal(tdes_key_check(key), -1);
        }
    }
}

/* What makes them weak, by the cipher itself: this list is right, and is not the program's own. */
static void the_keys_listed_here_undo_themselves_or_each_other(void **state)
{
    (void)state;
    for (size_t i = 0; i < WEAK_COUNT; i++) {
        uint8_t first[8], second[8], block[8] = "01234567";
        struct des_ctx cipher;
        unhex(weak[i], first, 8);
        unhex(weak[i < 4 ? i : i ^ 1], second, 8);
        assert_int_equal(des_set_key(&cipher, first), 0);
        des_encrypt(&cipher, 8, block, block);
        assert_int_equal(des_set_key(&cipher, second), 0);
        des_encrypt(&cipher, 8, block, block);
        assert_memory_equal(block, "01234567", 8);
    }
}

static void wrong_parity_of_any_byte_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < TDES_KEY_LEN; i++) {
        uint8_t key[TDES_KEY_LEN];
        unhex(good_bundle, key, sizeof key);
        key[i] ^= 1;
        assert_int_equal(tdes_key_check(key), -1);
    }
}

static void equal_keys_are_refused_also_when_only_parity_differs(void **state)
{
    (void)state;
    static const size_t pairs[][2] = { { 0, 8 }, { 8, 16 }, { 0, 16 } };
    for (size_t i = 0; i < 3; i++) {
        uint8_t key[TDES_KEY_LEN];
        unhex(good_bundle, key, sizeof key);
        memcpy(key + pairs[i][1], key + pairs[i][0], 8);
        assert_int_equal(tdes_key_check(key), -1);
        for (size_t at = 0; at < 8; at++) {
            key[pairs[i][1] + at] ^= 1;
        }
        assert_int_equal(tdes_key_check(key), -1);
        tdes_key_set_parity(key);
        assert_int_equal(tdes_key_check(key), -1);
    }
}

static void parity_is_set_to_odd_and_changes_nothing_else(void **state)
{
    (void)state;
    for (unsigned value = 0; value < 256; value++) {
        uint8_t key[TDES_KEY_LEN];
        memset(key, (int)value, sizeof key);
        tdes_key_set_parity(key);
        for (size_t i = 0; i < sizeof key; i++) {
            assert_int_equal(__builtin_popcount(key[i]) % 2, 1);
            assert_int_equal(key[i] & 0xfe, value & 0xfe);
        }
    }
}

static void fresh_bundles_pass_the_check_and_differ(void **state)
{
    (void)state;
    uint8_t last[TDES_KEY_LEN] = { 0 };
    for (int i = 0; i < 200; i++) {
        uint8_t key[TDES_KEY_LEN];
        assert_int_equal(tdes_key_generate(&rng_system, key), 0);
        assert_int_equal(tdes_key_check(key), 0);
        assert_memory_not_equal(key, last, sizeof key);
        memcpy(last, key, sizeof key);
    }
}

static void a_refused_draw_is_drawn_again(void **state)
{
    (void)state;
    uint8_t draws[3 * TDES_KEY_LEN], key[TDES_KEY_LEN], expected[TDES_KEY_LEN];
    unhex(good_bundle, expected, sizeof expected);
    memset(draws, 0x00, TDES_KEY_LEN);                /* with parity set: weak */
    memset(draws + TDES_KEY_LEN, 0x5a, TDES_KEY_LEN); /* three equal keys */
    memcpy(draws + 2 * TDES_KEY_LEN, expected, TDES_KEY_LEN);
    struct scripted_rng script = { .bytes = draws, .len = sizeof draws };
    struct rng rng = scripted_rng(&script);
    assert_int_equal(tdes_key_generate(&rng, key), 0);
    assert_memory_equal(key, expected, sizeof key);
}

static void without_randomness_there_is_no_key(void **state)
{
    (void)state;
    uint8_t key[TDES_KEY_LEN], draw[TDES_KEY_LEN] = { 0 };
    memset(key, 0xaa, sizeof key);
    struct scripted_rng script = { .bytes = draw, .len = sizeof draw };
    struct rng rng = scripted_rng(&script);
    assert_int_equal(tdes_key_generate(&rng, key), -1);
    assert_all(key, sizeof key, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_bundle_is_accepted),
        cmocka_unit_test(weak_and_semi_weak_keys_are_refused_in_every_place),
        cmocka_unit_test(the_keys_listed_here_undo_themselves_or_each_other),
        cmocka_unit_test(wrong_parity_of_any_byte_is_refused),
        cmocka_unit_test(equal_keys_are_refused_also_when_only_parity_differs),
        cmocka_unit_test(parity_is_set_to_odd_and_changes_nothing_else),
        cmocka_unit_test(fresh_bundles_pass_the_check_and_differ),
        cmocka_unit_test(a_refused_draw_is_drawn_again),
        cmocka_unit_test(without_randomness_there_is_no_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
