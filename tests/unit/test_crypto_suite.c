/* test_crypto_suite.c: the three suites against published vectors, and against everybody who changes a byte. */
#include "tests/unit/cmocka_all.h"

#include "crypto/secret.h"
#include "crypto/suite.h"
#include "crypto/tdes_key.h"
#include "tests/unit/crypto_support.h"

#include <nettle/cbc.h>
#include <nettle/des.h>
#include <string.h>

#define ROOM 2048

static const char tdes_bundle[] = "0123456789abcdef23456789abcdef01456789abcdef0123";

/* A key that every suite accepts, other bytes for other `seed`. */
static void some_key(uint8_t key[SUITE_KEY_MAX], uint8_t seed)
{
    for (size_t i = 0; i < SUITE_KEY_MAX; i++) {
        key[i] = (uint8_t)(7 * i + 31 * seed + 1);
    }
    tdes_key_set_parity(key);
    assert_int_equal(tdes_key_check(key), 0);
}

static struct aead *some_aead(const struct suite *suite)
{
    uint8_t key[SUITE_KEY_MAX], iv[SUITE_IV_MAX];
    some_key(key, 1);
    memset(iv, 0x3c, sizeof iv);
    struct aead *aead = aead_new(suite, key, iv);
    assert_non_null(aead);
    return aead;
}

static void suites_are_found_by_number_and_name(void **state)
{
    (void)state;
    static const struct {
        uint16_t id;
        const char *name;
        size_t key_len, iv_len, tag_len, issued_key_len;
    } expected[] = {
        { 1, "3des-cbc-hmac-sha512", 56, 8, 32, 24 },
        { 2, "chacha20-poly1305", 32, 12, 16, 32 },
        { 3, "aes-256-gcm", 32, 12, 16, 32 },
    };
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        const struct suite *suite = suite_by_id(expected[i].id);
        assert_non_null(suite);
        assert_ptr_equal(suite, suite_by_name(expected[i].name));
        assert_string_equal(suite->name, expected[i].name);
        assert_int_equal(suite->key_len, expected[i].key_len);
        assert_int_equal(suite->iv_len, expected[i].iv_len);
        assert_int_equal(suite->tag_len, expected[i].tag_len);
        assert_int_equal(suite->issued_key_len, expected[i].issued_key_len);
        assert_true(suite->key_len <= SUITE_KEY_MAX && suite->iv_len <= SUITE_IV_MAX);
        assert_true(suite->tag_len <= SUITE_TAG_MAX && suite->issued_key_len <= SUITE_ISSUED_KEY_MAX);
    }
    assert_null(suite_by_id(0));
    assert_null(suite_by_id(4));
    assert_null(suite_by_name("chacha20"));
    assert_null(suite_by_name(""));
}

static void a_triple_des_key_stays_below_2_to_the_20_blocks(void **state)
{
    (void)state;
    const struct suite *suite = suite_by_id(SUITE_3DES_CBC_HMAC_SHA512);
    /* Each record adds at most a block of padding, and one for its CBC IV. */
    assert_true(suite->key_bytes / 8 + 2 * suite->key_records < 1 << 20);
    assert_int_equal(suite->key_bytes, 1 << 22);
    assert_int_equal(suite->key_records, 1 << 16);
}

/* Seals and opens; `sealed_hex` is what must come between. */
static void check_vector(struct aead *aead, uint64_t sequence, const uint8_t *ad, size_t ad_len, const uint8_t *plain,
                         size_t plain_len, const char *sealed_hex)
{
    uint8_t sealed[ROOM], opened[ROOM];
    size_t sealed_len = suite_sealed_len(aead_suite(aead), plain_len), opened_len = 0;
    aead_seal(aead, sequence, ad, ad_len, plain, plain_len, sealed);
    assert_hex(sealed, sealed_len, sealed_hex);
    assert_int_equal(aead_open(aead, sequence, ad, ad_len, sealed, sealed_len, opened, &opened_len), 0);
    assert_int_equal(opened_len, plain_len);
    assert_memory_equal(opened, plain, plain_len);
}

static void chacha20_poly1305_of_rfc_8439(void **state)
{
    (void)state;
    static const char plain[] = "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
                                "future, sunscreen would be it.";
    uint8_t key[32], iv[12], ad[12];
    unhex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f", key, sizeof key);
    unhex("070000004041424344454647", iv, sizeof iv);
    unhex("50515253c0c1c2c3c4c5c6c7", ad, sizeof ad);
    static const char sealed[] = "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
                                 "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
                                 "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
                                 "3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691";
    struct aead *aead = aead_new(suite_by_id(SUITE_CHACHA20_POLY1305), key, iv);
    assert_non_null(aead);
    check_vector(aead, 0, ad, sizeof ad, (const uint8_t *)plain, strlen(plain), sealed);
    aead_free(&aead);
    assert_null(aead);

    /* The same nonce, half of it by the sequence number: it is xor-ed, big-endian, into the IV's end. */
    unhex("070000004040404040404040", iv, sizeof iv);
    aead = aead_new(suite_by_id(SUITE_CHACHA20_POLY1305), key, iv);
    assert_non_null(aead);
    check_vector(aead, UINT64_C(0x0001020304050607), ad, sizeof ad, (const uint8_t *)plain, strlen(plain), sealed);
    aead_free(&aead);
}

/* McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 13, 14 and 16. */
static void aes_256_gcm_of_its_authors(void **state)
{
    (void)state;
    const struct suite *suite = suite_by_id(SUITE_AES_256_GCM);
    uint8_t key[32] = { 0 }, iv[12] = { 0 }, plain[60] = { 0 }, ad[20];
    struct aead *aead = aead_new(suite, key, iv);
    assert_non_null(aead);
    check_vector(aead, 0, NULL, 0, plain, 0, "530f8afbc74536b9a963b4f1c4cb738b");
    check_vector(aead, 0, NULL, 0, plain, 16, "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
    aead_free(&aead);

    unhex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", key, sizeof key);
    unhex("cafebabefacedbaddecaf888", iv, sizeof iv);
    unhex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
          "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
          plain, sizeof plain);
    unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2", ad, sizeof ad);
    aead = aead_new(suite, key, iv);
    assert_non_null(aead);
    check_vector(aead, 0, ad, sizeof ad, plain, sizeof plain,
                 "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
                 "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b");
    aead_free(&aead);
}

/* SP 800-67, appendix B.1: "The qufck brown fox jump" by three keys, block by block. The first block is the IV, so that
 * the CBC IV is its ciphertext; the others are put in so that the chaining cancels out. */
static void triple_des_of_sp_800_67_through_the_suite(void **state)
{
    (void)state;
    uint8_t key[SUITE_KEY_MAX], blocks[24], expected[24], plain[16], sealed[56];
    unhex(tdes_bundle, key, sizeof key);
    memset(key + TDES_KEY_LEN, 0x42, sizeof key - TDES_KEY_LEN);
    unhex("54686520717566636b2062726f776e20666f78206a756d70", blocks, sizeof blocks);
    unhex("a826fd8ce53b855fcce21c8112256fe668d5c05dd9b6b900", expected, sizeof expected);
    for (size_t i = 0; i < sizeof plain; i++) {
        plain[i] = blocks[8 + i] ^ expected[i];
    }
    struct aead *aead = aead_new(suite_by_id(SUITE_3DES_CBC_HMAC_SHA512), key, blocks);
    assert_non_null(aead);
    aead_seal(aead, 0, NULL, 0, plain, sizeof plain, sealed);
    assert_memory_equal(sealed, expected + 8, 16);
    aead_free(&aead);
}

/* Computed by another library (OpenSSL's triple DES, Python's HMAC) from the words in suite.h. */
static void tdes_suite_of_another_library(void **state)
{
    (void)state;
    static const char plain[] = "The quick brown fox jumps over the lazy dog";
    uint8_t key[SUITE_KEY_MAX], iv[8];
    unhex(tdes_bundle, key, sizeof key);
    for (size_t i = 0; i < 32; i++) {
        key[TDES_KEY_LEN + i] = (uint8_t)(0x80 + i);
    }
    unhex("5468652071756663", iv, sizeof iv);
    struct aead *aead = aead_new(suite_by_id(SUITE_3DES_CBC_HMAC_SHA512), key, iv);
    assert_non_null(aead);
    check_vector(aead, UINT64_C(0x0102030405060708), (const uint8_t *)"associated", 10, (const uint8_t *)plain,
                 strlen(plain),
                 "f0cdea3bdbf6f771f1692b0768dc52b9013d75657b1d4518ddd6f6c18f08eb656e0a88bf2c4c5251bbcd919dcd649d0c"
                 "8d02628237b58ea59fcd81b5a6190976dec41bd69c5b4d7c56e07de718a79702");
    check_vector(aead, 1, NULL, 0, (const uint8_t *)plain, 0,
                 "8c363073c0061a9f215bcc57f088f855b1adeab975a45bf3d9adc120987ecc30f984d8a5dedc7313");
    aead_free(&aead);
}

static void whatever_is_sealed_opens_at_every_length_also_in_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        struct aead *aead = some_aead(&suites[i]);
        for (size_t len = 0; len < 1200; len = len < 40 ? len + 1 : len + 97) {
            uint8_t plain[ROOM] = { 0 }, sealed[ROOM], copy[ROOM], ad[32];
            size_t sealed_len = suite_sealed_len(&suites[i], len), opened_len = SIZE_MAX, ad_len = len % 33;
            for (size_t at = 0; at < len; at++) {
                plain[at] = (uint8_t)(at * 5 + len);
            }
            memset(ad, (int)len, sizeof ad);
            memcpy(copy, plain, len);
            assert_true(sealed_len > len && sealed_len <= len + SUITE_OVERHEAD_MAX);

            sealed[sealed_len] = 0xee;
            aead_seal(aead, len, ad, ad_len, plain, len, sealed);
            assert_int_equal(sealed[sealed_len], 0xee);
            aead_seal(aead, len, ad, ad_len, copy, len, copy);
            assert_memory_equal(copy, sealed, sealed_len);

            uint8_t opened[ROOM];
            memset(opened, 0xdd, sizeof opened);
            assert_int_equal(aead_open(aead, len, ad, ad_len, sealed, sealed_len, opened, &opened_len), 0);
            assert_int_equal(opened_len, len);
            assert_memory_equal(opened, plain, len);
            assert_all(opened + len, 64, 0xdd);
            opened_len = SIZE_MAX;
            assert_int_equal(aead_open(aead, len, ad, ad_len, copy, sealed_len, copy, &opened_len), 0);
            assert_int_equal(opened_len, len);
            assert_memory_equal(copy, plain, len);
        }
        aead_free(&aead);
    }
}

static void assert_refused(struct aead *aead, uint64_t sequence, const char *ad, const uint8_t *sealed, size_t len)
{
    uint8_t plain[256];
    size_t plain_len = 12345;
    memset(plain, 0x99, sizeof plain);
    assert_int_equal(aead_open(aead, sequence, ad, strlen(ad), sealed, len, plain, &plain_len), -1);
    assert_all(plain, sizeof plain, 0x99);
    assert_int_equal(plain_len, 12345);
}

static void anything_changed_is_refused_and_writes_nothing(void **state)
{
    (void)state;
    static const char ad[] = "sixteen and more bytes";
    static const size_t lengths[] = { 0, 1, 8, 16, 61 };
    for (size_t i = 0; i < SUITE_COUNT * 5; i++) {
        const struct suite *suite = &suites[i / 5];
        size_t len = lengths[i % 5], sealed_len = suite_sealed_len(suite, len), opened_len;
        struct aead *aead = some_aead(suite);
        uint8_t plain[64], sealed[128], opened[128];
        memset(plain, 0x77, sizeof plain);
        memset(sealed, 0, sizeof sealed);
        aead_seal(aead, 1000, ad, strlen(ad), plain, len, sealed);

        for (size_t at = 0; at < sealed_len; at++) {
            for (unsigned bit = 1; bit < 256; bit <<= 1) {
                sealed[at] ^= (uint8_t)bit;
                assert_refused(aead, 1000, ad, sealed, sealed_len);
                sealed[at] ^= (uint8_t)bit;
            }
        }
        for (size_t cut = 0; cut < sealed_len; cut++) {
            assert_refused(aead, 1000, ad, sealed, cut);
            assert_refused(aead, 1000, ad, sealed + sealed_len - cut, cut);
        }
        for (size_t more = 1; more <= 16; more++) {
            assert_refused(aead, 1000, ad, sealed, sealed_len + more);
        }
        for (unsigned bit = 0; bit < 64; bit++) {
            assert_refused(aead, 1000 ^ UINT64_C(1) << bit, ad, sealed, sealed_len);
        }
        assert_refused(aead, 1000, "", sealed, sealed_len);
        assert_refused(aead, 1000, "sixteen and more byteS", sealed, sealed_len);
        assert_refused(aead, 1000, "sixteen and more byte", sealed, sealed_len);
        assert_refused(aead, 1000, "sixteen and more bytes.", sealed, sealed_len);

        /* And the aead is as good as before. */
        assert_int_equal(aead_open(aead, 1000, ad, strlen(ad), sealed, sealed_len, opened, &opened_len), 0);
        assert_int_equal(opened_len, len);
        aead_free(&aead);
    }
}

static void another_key_or_iv_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        uint8_t key[SUITE_KEY_MAX], iv[SUITE_IV_MAX], sealed[128], plain[128];
        size_t sealed_len = suite_sealed_len(&suites[i], 20), len;
        struct aead *aead = some_aead(&suites[i]);
        aead_seal(aead, 0, NULL, 0, (const uint8_t *)"twenty bytes of text", 20, sealed);
        aead_free(&aead);
        for (size_t at = 0; at < suites[i].key_len + suites[i].iv_len; at++) {
            some_key(key, 1);
            memset(iv, 0x3c, sizeof iv);
            uint8_t *byte = at < suites[i].key_len ? &key[at] : &iv[at - suites[i].key_len];
            *byte ^= suites[i].id == SUITE_3DES_CBC_HMAC_SHA512 && at < TDES_KEY_LEN ? 0x06 : 0x02;
            aead = aead_new(&suites[i], key, iv);
            assert_non_null(aead);
            int opened = aead_open(aead, 0, NULL, 0, sealed, sealed_len, plain, &len);
            /* Another triple-DES key under the same MAC key shows too: the CBC IV, which is tagged, depends on it. */
            assert_int_equal(opened, -1);
            aead_free(&aead);
        }
    }
}

/* Ciphertext with a right tag and wrong padding, as only somebody with the keys can make it. */
static void wrong_padding_under_a_right_tag_is_refused_and_writes_nothing(void **state)
{
    (void)state;
    static const char *const endings[] = {
        "0000000000000000", "0000000000000009", "00000000000000ff", "0000000000000102", "0000000000020103",
        "0707070707070708", "0806070707070707", "0808080808080807", "0908080808080808", "0909090909090909",
    };
    uint8_t key[SUITE_KEY_MAX], iv[8], chain[8], start[8];
    some_key(key, 1);
    memset(iv, 0x3c, sizeof iv);
    struct aead *aead = some_aead(suite_by_id(SUITE_3DES_CBC_HMAC_SHA512));
    struct des3_ctx cipher;
    des3_set_key(&cipher, key);
    des3_encrypt(&cipher, 8, start, iv);
    for (size_t i = 0; i < sizeof endings / sizeof *endings + 1; i++) {
        uint8_t text[16] = "8 bytes.", tagged[8 + 16 + 8] = { 0 }, tag[SHA512_LEN], sealed[16 + 32], out[64];
        bool good = i == sizeof endings / sizeof *endings;
        unhex(good ? "0000000000030303" : endings[i], text + 8, 8);
        memcpy(chain, start, 8);
        cbc_encrypt(&cipher, (nettle_cipher_func *)des3_encrypt, 8, chain, 16, sealed, text);
        memcpy(tagged, start, 8);
        memcpy(tagged + 8, sealed, 16);
        hmac_sha512(key + TDES_KEY_LEN, 32, tagged, sizeof tagged, tag);
        memcpy(sealed + 16, tag, 32);

        size_t len = 12345;
        memset(out, 0x99, sizeof out);
        int opened = aead_open(aead, 0, NULL, 0, sealed, sizeof sealed, out, &len);
        if (good) {
            assert_int_equal(opened, 0);
            assert_int_equal(len, 13);
        } else {
            assert_int_equal(opened, -1);
            assert_int_equal(len, 12345);
            assert_all(out, sizeof out, 0x99);
        }
    }
    aead_free(&aead);
}

static void a_triple_des_key_that_may_not_be_used_is_refused(void **state)
{
    (void)state;
    const struct suite *suite = suite_by_id(SUITE_3DES_CBC_HMAC_SHA512);
    uint8_t key[SUITE_KEY_MAX], iv[SUITE_IV_MAX] = { 0 };
    some_key(key, 1);
    key[3] ^= 1; /* parity */
    assert_null(aead_new(suite, key, iv));
    some_key(key, 1);
    memcpy(key + 8, key, 8);
    assert_null(aead_new(suite, key, iv));
    some_key(key, 1);
    memset(key + 16, 1, 8);
    assert_null(aead_new(suite, key, iv));
    some_key(key, 1);
    key[TDES_KEY_LEN] ^= 1; /* the MAC's key has no parity */
    struct aead *aead = aead_new(suite, key, iv);
    assert_non_null(aead);
    aead_free(&aead);
}

static void a_derived_key_is_the_expansion_of_the_counted_label(void **state)
{
    (void)state;
    uint8_t secret[KDF_SECRET_LEN];
    memset(secret, 0x61, sizeof secret);
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        uint8_t material[SUITE_KEY_MAX + SUITE_IV_MAX], by_hand[64], derived[64], other[64];
        const struct suite *suite = &suites[i];
        hkdf_sha512_expand(secret, "label\0", 6, material, suite->key_len + suite->iv_len);
        if (suite->id == SUITE_3DES_CBC_HMAC_SHA512) {
            tdes_key_set_parity(material);
        }
        struct aead *a = aead_new(suite, material, material + suite->key_len);
        struct aead *b = aead_derive(suite, secret, "label", 5);
        struct aead *c = aead_derive(suite, secret, "", 0);
        assert_non_null(a);
        assert_non_null(b);
        assert_non_null(c);
        assert_ptr_equal(aead_suite(b), suite);
        aead_seal(a, 9, NULL, 0, (const uint8_t *)"text", 4, by_hand);
        aead_seal(b, 9, NULL, 0, (const uint8_t *)"text", 4, derived);
        aead_seal(c, 9, NULL, 0, (const uint8_t *)"text", 4, other);
        assert_memory_equal(by_hand, derived, suite_sealed_len(suite, 4));
        assert_memory_not_equal(by_hand, other, suite_sealed_len(suite, 4));
        aead_free(&a);
        aead_free(&b);
        aead_free(&c);
    }
}

static void an_aead_costs_what_its_suite_needs(void **state)
{
    (void)state;
    static const struct {
        uint16_t id;
        size_t most;
    } limits[] = { { SUITE_CHACHA20_POLY1305, 256 }, { SUITE_3DES_CBC_HMAC_SHA512, 896 }, { SUITE_AES_256_GCM, 4672 } };
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        size_t before = secret_stats().used;
        struct aead *aead = some_aead(suite_by_id(limits[i].id));
        assert_true(secret_stats().used > before);
        assert_true(secret_stats().used - before <= limits[i].most);
        aead_free(&aead);
        assert_int_equal(secret_stats().used, before);
        aead_free(&aead);
    }
}

static void issued_keys_are_fresh_and_pass_their_check(void **state)
{
    (void)state;
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        uint8_t a[SUITE_ISSUED_KEY_MAX], b[SUITE_ISSUED_KEY_MAX];
        size_t len = suites[i].issued_key_len;
        assert_int_equal(suite_issue_key(&suites[i], &rng_system, a), 0);
        assert_int_equal(suite_issue_key(&suites[i], &rng_system, b), 0);
        assert_memory_not_equal(a, b, len);
        assert_int_equal(suite_issued_key_check(&suites[i], a, len), 0);
        assert_int_equal(suite_issued_key_check(&suites[i], a, len - 1), -1);
        assert_int_equal(suite_issued_key_check(&suites[i], a, len + 1), -1);
        a[5] ^= 1;
        int expected = suites[i].id == SUITE_3DES_CBC_HMAC_SHA512 ? -1 : 0;
        assert_int_equal(suite_issued_key_check(&suites[i], a, len), expected);

        struct scripted_rng nothing = { .bytes = NULL, .len = 0 };
        struct rng rng = scripted_rng(&nothing);
        assert_int_equal(suite_issue_key(&suites[i], &rng, a), -1);
        assert_all(a, len, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(suites_are_found_by_number_and_name),
        cmocka_unit_test(a_triple_des_key_stays_below_2_to_the_20_blocks),
        cmocka_unit_test(chacha20_poly1305_of_rfc_8439),
        cmocka_unit_test(aes_256_gcm_of_its_authors),
        cmocka_unit_test(triple_des_of_sp_800_67_through_the_suite),
        cmocka_unit_test(tdes_suite_of_another_library),
        cmocka_unit_test(whatever_is_sealed_opens_at_every_length_also_in_place),
        cmocka_unit_test(anything_changed_is_refused_and_writes_nothing),
        cmocka_unit_test(another_key_or_iv_is_refused),
        cmocka_unit_test(wrong_padding_under_a_right_tag_is_refused_and_writes_nothing),
        cmocka_unit_test(a_triple_des_key_that_may_not_be_used_is_refused),
        cmocka_unit_test(a_derived_key_is_the_expansion_of_the_counted_label),
        cmocka_unit_test(an_aead_costs_what_its_suite_needs),
        cmocka_unit_test(issued_keys_are_fresh_and_pass_their_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
