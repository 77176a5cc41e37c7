/* test_crypto_kdf.c: SHA-512, HMAC-SHA-512 and HKDF-SHA-512 against published vectors; randomness. */
#include "tests/unit/cmocka_all.h"

#include "crypto/kdf.h"
#include "crypto/rng.h"
#include "tests/unit/crypto_support.h"

#include <string.h>

static void sha512_of_fips_180_examples(void **state)
{
    (void)state;
    uint8_t out[SHA512_LEN];
    sha512_hash("abc", 3, out);
    assert_hex(out, sizeof out,
               "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
               "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
    sha512_hash(NULL, 0, out);
    assert_hex(out, sizeof out,
               "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
               "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e");
}

struct hmac_vector {
    const char *key, *data, *mac; /* hexadecimal */
};

/* RFC 4231 section 4: test cases 1, 2, 3, 4, 6 and 7 (5 is about truncation; its first 16 bytes are below). */
static const struct hmac_vector hmac_vectors[] = {
    { "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
      "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
      "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854" },
    { "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
      "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
      "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737" },
    { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
      "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
      "dddddddddddddddddddddddddddddddddddd",
      "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39"
      "bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb" },
    { "0102030405060708090a0b0c0d0e0f10111213141516171819",
      "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
      "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
      "b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3db"
      "a91ca5c11aa25eb4d679275cc5788063a5f19741120c4f2de2adebeb10a298dd" },
};

static void hmac_of_rfc_4231(void **state)
{
    (void)state;
    uint8_t key[256], data[256], mac[SHA512_LEN];
    for (size_t i = 0; i < sizeof hmac_vectors / sizeof *hmac_vectors; i++) {
        size_t key_len = unhex(hmac_vectors[i].key, key, sizeof key);
        size_t data_len = unhex(hmac_vectors[i].data, data, sizeof data);
        hmac_sha512(key, key_len, data, data_len, mac);
        assert_hex(mac, sizeof mac, hmac_vectors[i].mac);
    }

    static const char truncation[] = "Test With Truncation";
    memset(key, 0x0c, 20);
    hmac_sha512(key, 20, truncation, strlen(truncation), mac);
    assert_hex(mac, 16, "415fad6271580a531d4179bc891d87a6");

    static const char hashed_key[] = "Test Using Larger Than Block-Size Key - Hash Key First";
    memset(key, 0xaa, 131);
    hmac_sha512(key, 131, hashed_key, strlen(hashed_key), mac);
    assert_hex(mac, sizeof mac,
               "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
               "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598");

    static const char long_data[] =
        "This is a test using a larger than block-size key and a larger than block-size data. "
        "The key needs to be hashed before being used by the HMAC algorithm.";
    hmac_sha512(key, 131, long_data, strlen(long_data), mac);
    assert_hex(mac, sizeof mac,
               "e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944"
               "b6022cac3c4982b10d5eeb55c3e4de15134676fb6de0446065c97440fa8c6a58");
}

struct hkdf_vector {
    const char *ikm, *salt, *info, *okm; /* hexadecimal */
};

/* The inputs of RFC 5869 appendix A with SHA-512, as several libraries publish them. */
static const struct hkdf_vector hkdf_vectors[] = {
    { "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
      "832390086cda71fb47625bb5ceb168e4c8e26a1a16ed34d9fc7fe92c1481579338da362cb8d9f925d7cb" },
    { "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f"
      "303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
      "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f"
      "909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
      "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
      "e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
      "ce6c97192805b346e6161e821ed165673b84f400a2b514b2fe23d84cd189ddf1b695b48cbd1c8388441137b3ce28f16a"
      "a64ba33ba466b24df6cfcb021ecff235f6a2056ce3af1de44d572097a8505d9e7a93" },
    { "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
      "f5fa02b18298a72a8c23898a8703472c6eb179dc204c03425c970e3b164bf90fff22d04836d0e2343bac" },
};

static void hkdf_of_rfc_5869_inputs(void **state)
{
    (void)state;
    uint8_t ikm[128], salt[128], info[128], prk[KDF_SECRET_LEN], okm[128];
    for (size_t i = 0; i < sizeof hkdf_vectors / sizeof *hkdf_vectors; i++) {
        size_t ikm_len = unhex(hkdf_vectors[i].ikm, ikm, sizeof ikm);
        size_t salt_len = unhex(hkdf_vectors[i].salt, salt, sizeof salt);
        size_t info_len = unhex(hkdf_vectors[i].info, info, sizeof info);
        size_t okm_len = strlen(hkdf_vectors[i].okm) / 2;
        hkdf_sha512_extract(salt, salt_len, ikm, ikm_len, prk);
        hkdf_sha512_expand(prk, info, info_len, okm, okm_len);
        assert_hex(okm, okm_len, hkdf_vectors[i].okm);
    }
}

/* RFC 5869 section 2 from HMAC alone, for every length across several blocks, and at the limit. */
static void hkdf_is_what_hmac_makes_of_it(void **state)
{
    (void)state;
    static uint8_t expected[KDF_EXPAND_MAX], out[KDF_EXPAND_MAX + 1];
    uint8_t salt[20], ikm[33], prk[KDF_SECRET_LEN], expected_prk[SHA512_LEN];
    const uint8_t info[] = { 1, 2, 3, 4, 5 };
    memset(salt, 0x11, sizeof salt);
    memset(ikm, 0x22, sizeof ikm);

    hkdf_sha512_extract(salt, sizeof salt, ikm, sizeof ikm, prk);
    hmac_sha512(salt, sizeof salt, ikm, sizeof ikm, expected_prk);
    assert_memory_equal(prk, expected_prk, sizeof prk);
    for (unsigned block = 0; block < 255; block++) {
        uint8_t data[SHA512_LEN + sizeof info + 1];
        size_t before = block > 0 ? SHA512_LEN : 0;
        memcpy(data, expected + (block > 0 ? block - 1 : 0) * SHA512_LEN, before);
        memcpy(data + before, info, sizeof info);
        data[before + sizeof info] = (uint8_t)(block + 1);
        hmac_sha512(prk, sizeof prk, data, before + sizeof info + 1, expected + block * SHA512_LEN);
    }
    for (size_t len = 0; len <= 200; len++) {
        memset(out, 0xee, sizeof out);
        hkdf_sha512_expand(prk, info, sizeof info, out, len);
        assert_memory_equal(out, expected, len);
        assert_int_equal(out[len], 0xee);
    }
    hkdf_sha512_expand(prk, info, sizeof info, out, KDF_EXPAND_MAX);
    assert_memory_equal(out, expected, KDF_EXPAND_MAX);

    /* In place, as a chain of keys is stepped. */
    hkdf_sha512_expand(prk, info, sizeof info, prk, sizeof prk);
    assert_memory_equal(prk, expected, sizeof prk);
}

static void the_kernel_gives_different_bytes_each_time(void **state)
{
    (void)state;
    static uint8_t a[100000], b[100000];
    memset(a, 0, sizeof a);
    assert_int_equal(rng_fill(&rng_system, a, sizeof a), 0);
    assert_int_equal(rng_fill(&rng_system, b, sizeof b), 0);
    assert_int_equal(rng_fill(&rng_system, a, 0), 0);
    assert_memory_not_equal(a, b, sizeof a);
    size_t zeros = 0;
    for (size_t i = 0; i < sizeof a; i++) {
        zeros += a[i] == 0;
    }
    assert_in_range(zeros, 200, 600); /* 390 expected */
}

static void a_generator_without_randomness_is_an_error(void **state)
{
    (void)state;
    uint8_t byte = 0;
    struct scripted_rng script = { .bytes = (const uint8_t *)"x", .len = 1 };
    struct rng rng = scripted_rng(&script);
    assert_int_equal(rng_fill(&rng, &byte, 1), 0);
    assert_int_equal(byte, 'x');
    assert_int_equal(rng_fill(&rng, &byte, 1), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha512_of_fips_180_examples),
        cmocka_unit_test(hmac_of_rfc_4231),
        cmocka_unit_test(hkdf_of_rfc_5869_inputs),
        cmocka_unit_test(hkdf_is_what_hmac_makes_of_it),
        cmocka_unit_test(the_kernel_gives_different_bytes_each_time),
        cmocka_unit_test(a_generator_without_randomness_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
