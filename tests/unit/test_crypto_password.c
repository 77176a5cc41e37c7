/* test_crypto_password.c: bcrypt: published hashes, what a stored hash may look like, and lengths. */
#include "tests/unit/cmocka_all.h"

#include "crypto/password.h"
#include "crypto/secret.h"
#include "tests/unit/crypto_support.h"

#include <string.h>
#include <time.h>

struct vector {
    const char *password, *hash;
};

/* From the test programs of crypt_blowfish, OpenBSD and jBCrypt. */
static const struct vector vectors[] = {
    { "U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW" },
    { "U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK" },
    { "U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a" },
    { "", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy" },
    { "\xff\xff\xa3", "$2b$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e" },
    { "\xff\xff\xa3", "$2y$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e" },
    { "\xff\xff\xa3", "$2a$05$/OK.fbVrR/bpIqNJ5ianF.nqd1wy.pTMdcvrRWxyiGL2eMz.2a85." },
    { "\xa3", "$2y$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq" },
    { "a", "$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe" },
    { "abcdefghijklmnopqrstuvwxyz", "$2a$06$.rCVZVOThsIa97pEDOxvGuRRgzG64bvtJ0938xuqzv18d3ZpQhstC" },
};

static void published_hashes_match_their_passwords_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        assert_true(password_hash_valid(vectors[i].hash));
        assert_int_equal(password_verify(vectors[i].password, vectors[i].hash), PASSWORD_MATCH);
        assert_int_equal(password_verify("another", vectors[i].hash), PASSWORD_MISMATCH);
    }
}

static void every_character_of_a_stored_digest_counts(void **state)
{
    (void)state;
    for (size_t at = 29; at < PASSWORD_HASH_LEN - 1; at++) {
        char hash[PASSWORD_HASH_LEN];
        memcpy(hash, vectors[0].hash, sizeof hash);
        hash[at] = hash[at] == 'x' ? 'y' : 'x';
        assert_int_equal(password_verify(vectors[0].password, hash), PASSWORD_MISMATCH);
    }
}

static void a_salt_with_unused_bits_set_still_matches(void **state)
{
    (void)state;
    char hash[PASSWORD_HASH_LEN];
    memcpy(hash, vectors[0].hash, sizeof hash);
    assert_int_equal(hash[28], '.');
    hash[28] = '/';
    assert_int_equal(password_verify(vectors[0].password, hash), PASSWORD_MATCH);
}

static void what_is_no_bcrypt_hash_is_ours_to_mend(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "*",
        "$2b$05$",
        "plain text",
        "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeWx",
        "$1a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2a$03$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2a$32$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2a$5$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeWxx",
        "$2a$0x$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2a$05.CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe",
        "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeWW",
        "$2a$05$CCCCCCCCCC+CCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe\xe9",
        "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(password_hash_valid(bad[i]));
        assert_int_equal(password_verify("U*U", bad[i]), PASSWORD_BAD_HASH);
        assert_true(password_hash_outdated(bad[i], 12));
    }
    assert_true(password_hash_valid("$2a$04$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"));
    assert_true(password_hash_valid("$2a$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"));
}

static void a_fresh_hash_matches_and_has_a_fresh_salt(void **state)
{
    (void)state;
    char hash[PASSWORD_HASH_LEN], another[PASSWORD_HASH_LEN];
    size_t before = secret_stats().used;
    assert_int_equal(password_hash("correct horse", PASSWORD_COST_MIN, &rng_system, hash), PASSWORD_MATCH);
    assert_int_equal(password_hash("correct horse", PASSWORD_COST_MIN, &rng_system, another), PASSWORD_MATCH);
    assert_memory_equal(hash, "$2b$10$", 7);
    assert_int_equal(strlen(hash), PASSWORD_HASH_LEN - 1);
    assert_string_not_equal(hash, another);
    assert_int_equal(password_verify("correct horse", hash), PASSWORD_MATCH);
    assert_int_equal(password_verify("correct horsf", hash), PASSWORD_MISMATCH);
    assert_false(password_hash_outdated(hash, 10));
    assert_true(password_hash_outdated(hash, 12));
    hash[2] = 'y';
    assert_true(password_hash_outdated(hash, 10));
    assert_int_equal(password_verify("correct horse", hash), PASSWORD_MATCH);
    assert_int_equal(secret_stats().used, before);
}

static void the_salt_is_what_the_generator_gave(void **state)
{
    (void)state;
    uint8_t random[16] = { 0 };
    struct scripted_rng script = { .bytes = random, .len = sizeof random };
    struct rng rng = scripted_rng(&script);
    char hash[PASSWORD_HASH_LEN];
    assert_int_equal(password_hash("password", 10, &rng, hash), PASSWORD_MATCH);
    assert_memory_equal(hash, "$2b$10$......................", 29);
}

static void up_to_72_bytes_count_and_more_are_refused(void **state)
{
    (void)state;
    char longest[73], longer[74], hash[PASSWORD_HASH_LEN];
    memset(longest, 'p', 72);
    longest[72] = '\0';
    memset(longer, 'p', 73);
    longer[73] = '\0';
    assert_int_equal(password_hash(longer, 10, &rng_system, hash), PASSWORD_FAILED);
    assert_int_equal(hash[0], '\0');
    assert_int_equal(password_hash(longest, 10, &rng_system, hash), PASSWORD_MATCH);
    assert_int_equal(password_verify(longest, hash), PASSWORD_MATCH);
    assert_int_equal(password_verify(longer, hash), PASSWORD_MISMATCH);
    char very_long[1000];
    memset(very_long, 'p', sizeof very_long - 1);
    very_long[sizeof very_long - 1] = '\0';
    assert_int_equal(password_verify(very_long, hash), PASSWORD_MISMATCH);
    assert_string_equal(vectors[3].password, "");
    assert_int_equal(password_verify(longer, vectors[3].hash), PASSWORD_MISMATCH);
    longest[71] = 'q';
    assert_int_equal(password_verify(longest, hash), PASSWORD_MISMATCH);
}

static void a_cost_outside_the_policy_or_no_randomness_fails(void **state)
{
    (void)state;
    char hash[PASSWORD_HASH_LEN];
    struct scripted_rng script = { .bytes = (const uint8_t *)"fifteen bytes..", .len = 15 };
    struct rng rng = scripted_rng(&script);
    memset(hash, 'x', sizeof hash);
    assert_int_equal(password_hash("password", 9, &rng_system, hash), PASSWORD_FAILED);
    assert_int_equal(password_hash("password", 16, &rng_system, hash), PASSWORD_FAILED);
    assert_int_equal(password_hash("password", 10, &rng, hash), PASSWORD_FAILED);
    assert_all((const uint8_t *)hash, sizeof hash, 0);
}

static double thread_seconds(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now), 0);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Processor time, and the least of several runs: what other programs do doesn't count. A wrong cost would double or
 * halve it, no computation at all make it nothing. */
static void nobody_takes_as_long_as_somebody(void **state)
{
    (void)state;
    double somebody = 1e9, nobody = 1e9;
    char too_long[200];
    memset(too_long, 'p', sizeof too_long - 1);
    too_long[sizeof too_long - 1] = '\0';
    for (int i = 0; i < 10; i++) {
        double start = thread_seconds();
        assert_int_equal(
            password_verify(i % 2 ? "guess" : too_long, "$2b$08$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
            PASSWORD_MISMATCH);
        double middle = thread_seconds();
        password_verify_nobody(i % 2 ? too_long : "guess", 8);
        double end = thread_seconds();
        somebody = middle - start < somebody ? middle - start : somebody;
        nobody = end - middle < nobody ? end - middle : nobody;
    }
    assert_true(nobody > 0.6 * somebody && nobody < 1.6 * somebody);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_hashes_match_their_passwords_alone),
        cmocka_unit_test(every_character_of_a_stored_digest_counts),
        cmocka_unit_test(a_salt_with_unused_bits_set_still_matches),
        cmocka_unit_test(what_is_no_bcrypt_hash_is_ours_to_mend),
        cmocka_unit_test(a_fresh_hash_matches_and_has_a_fresh_salt),
        cmocka_unit_test(the_salt_is_what_the_generator_gave),
        cmocka_unit_test(up_to_72_bytes_count_and_more_are_refused),
        cmocka_unit_test(a_cost_outside_the_policy_or_no_randomness_fails),
        cmocka_unit_test(nobody_takes_as_long_as_somebody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
