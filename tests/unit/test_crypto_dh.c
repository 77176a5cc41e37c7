/* test_crypto_dh.c: the groups from RFC 7919's own formula; powers against GMP's and another library's; limits. */
#include "tests/unit/cmocka_all.h"

#include "crypto/dh.h"
#include "crypto/dh_fixed_base.h"
#include "crypto/secret.h"
#include "tests/unit/crypto_support.h"
#include "tests/unit/fixed_rng.h"

#include <gmp.h>
#include <pthread.h>
#include <string.h>

/* RFC 7919 appendix A.1 to A.5: p = 2^b - 2^(b-64) + (floor(2^(b-130) * e) + X) * 2^64 - 1. */
static const struct {
    uint16_t id;
    const char *name;
    unsigned bits;
    unsigned x;
    unsigned exponent_bits; /* "short exponents", at the end of each section */
} rfc_groups[DH_GROUP_COUNT] = {
    { 256, "ffdhe2048", 2048, 560316, 225 },   { 257, "ffdhe3072", 3072, 2625351, 275 },
    { 258, "ffdhe4096", 4096, 5736041, 325 },  { 259, "ffdhe6144", 6144, 15705020, 375 },
    { 260, "ffdhe8192", 8192, 10965728, 400 },
};

/* floor(2^bits * e), by the series of 1/k! with 64 bits to spare. */
static void scaled_e(mpz_t e, unsigned bits)
{
    mpz_t term;
    mpz_init(term);
    mpz_setbit(term, bits + 64);
    mpz_set_ui(e, 0);
    for (unsigned k = 1; mpz_sgn(term) > 0; k++) {
        mpz_add(e, e, term);
        mpz_fdiv_q_ui(term, term, k);
    }
    mpz_fdiv_q_2exp(e, e, 64);
    mpz_clear(term);
}

static void rfc_prime(mpz_t p, unsigned bits, unsigned x)
{
    mpz_t power;
    mpz_init(power);
    scaled_e(p, bits - 130);
    mpz_add_ui(p, p, x);
    mpz_mul_2exp(p, p, 64);
    mpz_setbit(power, bits);
    mpz_add(p, p, power);
    mpz_set_ui(power, 0);
    mpz_setbit(power, bits - 64);
    mpz_sub(p, p, power);
    mpz_sub_ui(p, p, 1);
    mpz_clear(power);
}

static void import(mpz_t number, const uint8_t *bytes, size_t len)
{
    mpz_import(number, len, 1, 1, 1, 0, bytes);
}

static void export(const mpz_t number, uint8_t *bytes, size_t len)
{
    size_t used = (mpz_sizeinbase(number, 2) + 7) / 8;
    assert_true(used <= len);
    memset(bytes, 0, len);
    if (mpz_sgn(number) != 0) {
        mpz_export(bytes + len - used, NULL, 1, 1, 1, 0, number);
    }
}

/* Bytes of prime + difference, as on the wire. */
static void near_prime(const struct dh_group *group, long difference, uint8_t *bytes)
{
    mpz_t p;
    mpz_init_set_str(p, group->prime_hex, 16);
    if (difference < 0) {
        mpz_sub_ui(p, p, (unsigned long)-difference);
    } else {
        mpz_add_ui(p, p, (unsigned long)difference);
    }
    export(p, bytes, group->len);
    mpz_clear(p);
}

/* result = base^exponent mod p by mpz_powm: variable time, another function than ours. */
static void expected_power(const struct dh_group *group, const uint8_t *base, size_t base_len, const uint8_t *exponent,
                           uint8_t *result)
{
    mpz_t b, e, p;
    mpz_inits(b, e, NULL);
    mpz_init_set_str(p, group->prime_hex, 16);
    import(b, base, base_len);
    import(e, exponent, group->private_len);
    mpz_powm(b, b, e, p);
    export(b, result, group->len);
    mpz_clears(b, e, p, NULL);
}

static void groups_are_those_of_the_formula(void **state)
{
    (void)state;
    for (size_t i = 0; i < DH_GROUP_COUNT; i++) {
        const struct dh_group *group = &dh_groups[i];
        mpz_t expected, prime;
        mpz_init(expected);
        rfc_prime(expected, rfc_groups[i].bits, rfc_groups[i].x);
        assert_int_equal(mpz_init_set_str(prime, group->prime_hex, 16), 0);
        assert_int_equal(mpz_cmp(expected, prime), 0);
        assert_int_equal(strlen(group->prime_hex), 2 * group->len);
        assert_int_equal(group->len * 8, rfc_groups[i].bits);
        assert_int_equal(group->exponent_bits, rfc_groups[i].exponent_bits);
        assert_int_equal(group->private_len, (rfc_groups[i].exponent_bits + 7) / 8);
        assert_true(group->len <= DH_PUBLIC_MAX && group->private_len <= DH_PRIVATE_MAX);
        assert_ptr_equal(dh_group_by_id(rfc_groups[i].id), group);
        assert_ptr_equal(dh_group_by_name(rfc_groups[i].name), group);
        assert_string_equal(group->name, rfc_groups[i].name);
        mpz_clears(expected, prime, NULL);
    }
    assert_null(dh_group_by_id(0));
    assert_null(dh_group_by_id(0x00ff));
    assert_null(dh_group_by_id(0x0105));
    assert_null(dh_group_by_id(23)); /* a curve of the same registry */
    assert_null(dh_group_by_name("ffdhe1024"));
    assert_null(dh_group_by_name("FFDHE2048"));
    assert_null(dh_group_by_name(""));
}

/* GMP's test begins with Baillie, Pomerance, Selfridge and Wagstaff's, which no composite is known to pass; above 24 it
 * adds rounds of Miller and Rabin's. Those are left out for the large primes, for time: the formula is checked above. */
static void primes_are_safe_primes(void **state)
{
    (void)state;
    for (size_t i = 0; i < DH_GROUP_COUNT; i++) {
        mpz_t p;
        mpz_init_set_str(p, dh_groups[i].prime_hex, 16);
        int rounds = dh_groups[i].len <= 384 ? 30 : 1;
        assert_int_not_equal(mpz_probab_prime_p(p, rounds), 0);
        mpz_fdiv_q_2exp(p, p, 1);
        assert_int_not_equal(mpz_probab_prime_p(p, rounds), 0);
        mpz_clear(p);
    }
}

static void public_values_out_of_range_are_refused(void **state)
{
    (void)state;
    static const struct {
        long difference; /* from the prime */
        enum dh_result expected;
    } near[] = { { -2, DH_OK }, { -1, DH_BAD_VALUE }, { 0, DH_BAD_VALUE }, { 1, DH_BAD_VALUE }, { 2, DH_BAD_VALUE } };
    for (size_t i = 0; i < DH_GROUP_COUNT; i++) {
        const struct dh_group *group = &dh_groups[i];
        uint8_t value[DH_PUBLIC_MAX + 1] = { 0 };
        size_t last = group->len - 1;
        assert_int_equal(dh_public_check(group, value, group->len), DH_BAD_VALUE);
        value[last] = 1;
        assert_int_equal(dh_public_check(group, value, group->len), DH_BAD_VALUE);
        value[last] = 2;
        assert_int_equal(dh_public_check(group, value, group->len), DH_OK);
        value[last] = 0;
        value[0] = 1;
        assert_int_equal(dh_public_check(group, value, group->len), DH_OK);
        for (size_t k = 0; k < sizeof near / sizeof *near; k++) {
            near_prime(group, near[k].difference, value);
            assert_int_equal(dh_public_check(group, value, group->len), near[k].expected);
        }
        memset(value, 0xff, group->len);
        assert_int_equal(dh_public_check(group, value, group->len), DH_BAD_VALUE);
    }
}

static void public_values_of_another_length_are_refused(void **state)
{
    (void)state;
    uint8_t value[DH_PUBLIC_MAX + 8] = { 0 };
    value[3] = 7;
    for (size_t i = 0; i < DH_GROUP_COUNT; i++) {
        const struct dh_group *group = &dh_groups[i];
        assert_int_equal(dh_public_check(group, value, group->len), DH_OK);
        assert_int_equal(dh_public_check(group, value, group->len - 1), DH_BAD_LENGTH);
        assert_int_equal(dh_public_check(group, value, group->len + 1), DH_BAD_LENGTH);
        assert_int_equal(dh_public_check(group, value, 0), DH_BAD_LENGTH);
        for (size_t k = 0; k < DH_GROUP_COUNT; k++) {
            enum dh_result expected = k == i ? DH_OK : DH_BAD_LENGTH;
            assert_int_equal(dh_public_check(group, value, dh_groups[k].len), expected);
        }
    }
}

static void a_refused_value_is_never_computed_with(void **state)
{
    (void)state;
    const struct dh_group *group = dh_group_by_id(DH_FFDHE2048);
    uint8_t private_key[DH_PRIVATE_MAX] = { 0 }, value[DH_PUBLIC_MAX] = { 0 }, shared[DH_PUBLIC_MAX];
    private_key[group->private_len - 1] = 5;
    for (long difference = -1; difference <= 1; difference++) {
        near_prime(group, difference, value);
        memset(shared, 0xaa, sizeof shared);
        assert_int_equal(dh_shared(group, private_key, value, group->len, shared), DH_BAD_VALUE);
        assert_all(shared, group->len, 0);
    }
    memset(shared, 0xaa, sizeof shared);
    assert_int_equal(dh_shared(group, private_key, value, group->len - 1, shared), DH_BAD_LENGTH);
    assert_all(shared, group->len, 0);
    assert_int_equal(shared[group->len], 0xaa);
}

/* Made with OpenSSL. */
static const char known_private[] = "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d";
static const char known_public[] =
    "777ab6dd87953ac95e985824f8afd6b12a1a19008c5fe0aa3e923951b6d9fc874d07d14f33d7ea5e927282ca9c31b882"
    "d36c565aae887ffc2c1a375bac8b5a0cf6ac15ad68643b4b9f4f890b7739ceb11e7960f37e6257aa7b133cf06f409c05"
    "80dfa555e81372f620908b2e520209333d3e8bfbc501de4977e46f5399652cb8ab7c61355b199b315455813967cbd4fd"
    "7f236d484a450c661acae8fcdb9a917f67ef34bb9858161d322e4745fe03a8a5611f1cc2bd7bfa1e112119a883413837"
    "ba71611f6d058126996b3be6d20d81b5bb76b2ffccaf18fc0ccec99947e4c8990629b6504103cdc965adf2c92a5b1650"
    "09be2c623ad43a9d84b639d402654d26";
static const char known_peer[] =
    "ec7102813eff45fe95d29a4a84e56515e92539b909b3df6d14b8e2c71b26112640e13dbdde62613c75de2cb065f7d662"
    "446b4818dc65bb8e0fa6b4756e15f8bc99d238ebb78ea3bb00cc7d0fe6c274e40a23df059f24cd3656b36ba559bb0bbf"
    "f228e1423c4fc80b63f0a22a95a523ae126ee5ee7698902e631156665d92594b9472d7ce23956fe4513f645e31c1849d"
    "01c50d20a1ce4fe99a45d8eceebf94e1744f414864700c01eef0f4b3526b49aa10363c53c1e5876667ca6efe79b3b724"
    "6fbf8a01f8ea103b90a5641870aa1012411f9e9c7db47236f63a949c63dff123cd2b488be7842131dbea808488e52329"
    "75cdfa9d21ee225d63f38ad110059b97";
static const char known_shared[] =
    "52da46612de7ad2fb22f37d33c2507140ba9f5b45cc8ce2f71a57fee31e4f63bd573b8611de1705b14544d7ceaa2df57"
    "5e4e60ef45dc1314570bf80f17459f6d6205a61352f24085bfd364b6aa8cb327c8b2f6eac0daeb6a58b14c58d42e2eaf"
    "447076c187291ad53f6975c41623ce9bbb432cea528bb3896ca411170c680d63721c50b6dfa254b26326eb8579d342e6"
    "ded7745afb059e08827a91f4b1e12982c425474fef5a589617e1be6520ddc6c9e242ae51c7e6835ea4b9b9a98312cdd6"
    "d14ef23334bef3a1f8bde0f3a508d3c80a1be48a7c0ba7f95d88b851e84262134109599995f569630c1fc77b4b6b6fb5"
    "5e53b4856ff7680acd8857f5316ed23a";

static void known_answer_of_another_library(void **state)
{
    (void)state;
    const struct dh_group *group = dh_group_by_id(DH_FFDHE2048);
    uint8_t script_bytes[DH_PRIVATE_MAX], private_key[DH_PRIVATE_MAX], peer[256], value[256];
    size_t len = unhex(known_private, script_bytes, sizeof script_bytes);
    unhex(known_peer, peer, sizeof peer);
    struct scripted_rng script = { .bytes = script_bytes, .len = len };
    struct rng rng = scripted_rng(&script);
    assert_int_equal(dh_keypair(group, &rng, private_key, value), DH_OK);
    assert_hex(private_key, len, known_private);
    assert_hex(value, sizeof value, known_public);
    assert_int_equal(dh_shared(group, private_key, peer, sizeof peer, value), DH_OK);
    assert_hex(value, sizeof value, known_shared);
}

/* Two pairs for the group, checked against GMP and against each other. */
static void check_agreement(const struct dh_group *group, const struct rng *rng)
{
    uint8_t a[DH_PRIVATE_MAX], b[DH_PRIVATE_MAX], public_a[DH_PUBLIC_MAX], public_b[DH_PUBLIC_MAX];
    uint8_t shared_a[DH_PUBLIC_MAX], shared_b[DH_PUBLIC_MAX], expected[DH_PUBLIC_MAX];
    const uint8_t two = 2;
    assert_int_equal(dh_keypair(group, rng, a, public_a), DH_OK);
    assert_int_equal(dh_keypair(group, rng, b, public_b), DH_OK);
    assert_memory_not_equal(a, b, group->private_len);
    assert_int_equal(dh_public_check(group, public_a, group->len), DH_OK);
    expected_power(group, &two, 1, a, expected);
    assert_memory_equal(public_a, expected, group->len);
    assert_int_equal(dh_shared(group, a, public_b, group->len, shared_a), DH_OK);
    assert_int_equal(dh_shared(group, b, public_a, group->len, shared_b), DH_OK);
    assert_memory_equal(shared_a, shared_b, group->len);
    expected_power(group, public_b, group->len, a, expected);
    assert_memory_equal(shared_a, expected, group->len);
}

static void both_sides_agree_before_and_after_the_table(void **state)
{
    (void)state;
    struct fixed_rng fixed;
    fixed_rng_init(&fixed, "dh");
    for (size_t i = 0; i < DH_GROUP_COUNT; i++) {
        const struct dh_group *group = &dh_groups[i];
        check_agreement(group, &fixed.rng);
        assert_int_equal(dh_group_prepare(group), 0);
        assert_non_null(dh_fixed_base_of(group));
        assert_int_equal(dh_group_prepare(group), 0);
        check_agreement(group, &fixed.rng);
    }
}

/* The generator's powers by table, for exponents at the edges: dh_keypair takes them from its generator. */
static void table_powers_are_right_at_the_edges(void **state)
{
    (void)state;
    const uint8_t two = 2;
    for (size_t i = 0; i < DH_GROUP_COUNT; i++) {
        const struct dh_group *group = &dh_groups[i];
        size_t len = group->private_len;
        uint8_t top = (uint8_t)(0xff >> (8 * len - group->exponent_bits));
        uint8_t exponent[DH_PRIVATE_MAX], private_key[DH_PRIVATE_MAX], value[DH_PUBLIC_MAX], expected[DH_PUBLIC_MAX];
        assert_int_equal(dh_group_prepare(group), 0);
        for (unsigned edge = 0; edge < group->exponent_bits + 4; edge++) {
            memset(exponent, 0, sizeof exponent);
            if (edge == 0) {
                memset(exponent, 0xff, len); /* 2^bits - 1, once the bits above are cut off */
            } else if (edge < group->exponent_bits) {
                exponent[len - 1 - edge / 8] = (uint8_t)(1 << edge % 8); /* 2^1 ... 2^(bits - 1) */
            } else {
                exponent[len - 1] = (uint8_t)(edge - group->exponent_bits + 2); /* 2 ... 5 */
            }
            if (edge > 8 && edge < group->exponent_bits && i > 1 && edge % 37 != 0) {
                continue; /* every bit of the two small groups, some of the others: time */
            }
            struct scripted_rng script = { .bytes = exponent, .len = len };
            struct rng rng = scripted_rng(&script);
            assert_int_equal(dh_keypair(group, &rng, private_key, value), DH_OK);
            exponent[0] &= top;
            assert_memory_equal(private_key, exponent, len);
            expected_power(group, &two, 1, exponent, expected);
            assert_memory_equal(value, expected, group->len);
        }
    }
}

/* 2^0 and 2^1 are never drawn, but the table must know them. */
static void table_powers_of_zero_and_one(void **state)
{
    (void)state;
    const struct dh_group *group = dh_group_by_id(DH_FFDHE3072);
    enum { LIMBS = 48 };
    mp_limb_t prime[LIMBS], power[LIMBS], exponent[7] = { 0 }, scratch[512];
    mpz_t p;
    mpz_init_set_str(p, group->prime_hex, 16);
    for (mp_size_t i = 0; i < LIMBS; i++) {
        prime[i] = mpz_getlimbn(p, i);
    }
    mpz_clear(p);
    assert_true(dh_fixed_base_scratch(LIMBS) <= sizeof scratch / sizeof *scratch);
    assert_int_equal(dh_group_prepare(group), 0);
    for (mp_limb_t x = 0; x < 2; x++) {
        exponent[0] = x;
        dh_fixed_base_power(dh_fixed_base_of(group), prime, exponent, power, scratch);
        assert_int_equal(power[0], x + 1);
        for (size_t i = 1; i < LIMBS; i++) {
            assert_int_equal(power[i], 0);
        }
    }
}

static void a_short_secret_is_padded_on_the_left(void **state)
{
    (void)state;
    const struct dh_group *group = dh_group_by_id(DH_FFDHE2048);
    uint8_t private_key[DH_PRIVATE_MAX] = { 0 }, peer[256] = { 0 }, shared[256];
    private_key[group->private_len - 1] = 9;
    peer[255] = 2;
    memset(shared, 0xaa, sizeof shared);
    assert_int_equal(dh_shared(group, private_key, peer, sizeof peer, shared), DH_OK);
    assert_all(shared, 254, 0);
    assert_hex(shared + 254, 2, "0200");
}

static void exponents_of_zero_and_one_are_drawn_again(void **state)
{
    (void)state;
    const struct dh_group *group = dh_group_by_id(DH_FFDHE2048);
    size_t len = group->private_len;
    uint8_t draws[3 * DH_PRIVATE_MAX] = { 0 }, private_key[DH_PRIVATE_MAX], value[256];
    draws[0] = 0xfe; /* beyond 225 bits: cut off, so that zero remains */
    draws[2 * len - 1] = 1;
    draws[3 * len - 1] = 3;
    struct scripted_rng script = { .bytes = draws, .len = 3 * len };
    struct rng rng = scripted_rng(&script);
    assert_int_equal(dh_keypair(group, &rng, private_key, value), DH_OK);
    assert_int_equal(private_key[len - 1], 3);
    assert_int_equal(value[255], 8);
    assert_all(value, 255, 0);
}

static void without_randomness_there_is_no_key_pair(void **state)
{
    (void)state;
    const struct dh_group *group = dh_group_by_id(DH_FFDHE3072);
    uint8_t private_key[DH_PRIVATE_MAX], value[DH_PUBLIC_MAX];
    struct scripted_rng script = { .bytes = NULL, .len = 0 };
    struct rng rng = scripted_rng(&script);
    size_t before = secret_stats().used;
    memset(private_key, 0xaa, sizeof private_key);
    memset(value, 0xaa, sizeof value);
    assert_int_equal(dh_keypair(group, &rng, private_key, value), DH_FAILED);
    assert_all(private_key, group->private_len, 0);
    assert_all(value, group->len, 0);
    assert_int_equal(secret_stats().used, before);
}

static void *prepare_and_use(void *argument)
{
    const struct dh_group *group = argument;
    uint8_t private_key[DH_PRIVATE_MAX], value[DH_PUBLIC_MAX], expected[DH_PUBLIC_MAX];
    const uint8_t two = 2;
    for (int i = 0; i < 4; i++) {
        if (dh_keypair(group, &rng_system, private_key, value) != DH_OK || dh_group_prepare(group) != 0) {
            return argument;
        }
        expected_power(group, &two, 1, private_key, expected);
        if (memcmp(value, expected, group->len) != 0) {
            return argument;
        }
    }
    return NULL;
}

/* First of all tests, while there is no table. */
static void threads_may_prepare_and_use_a_group_at_once(void **state)
{
    (void)state;
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, prepare_and_use, (void *)(uintptr_t)&dh_groups[1]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_may_prepare_and_use_a_group_at_once),
        cmocka_unit_test(groups_are_those_of_the_formula),
        cmocka_unit_test(primes_are_safe_primes),
        cmocka_unit_test(public_values_out_of_range_are_refused),
        cmocka_unit_test(public_values_of_another_length_are_refused),
        cmocka_unit_test(a_refused_value_is_never_computed_with),
        cmocka_unit_test(known_answer_of_another_library),
        cmocka_unit_test(both_sides_agree_before_and_after_the_table),
        cmocka_unit_test(table_powers_are_right_at_the_edges),
        cmocka_unit_test(table_powers_of_zero_and_one),
        cmocka_unit_test(a_short_secret_is_padded_on_the_left),
        cmocka_unit_test(exponents_of_zero_and_one_are_drawn_again),
        cmocka_unit_test(without_randomness_there_is_no_key_pair),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
