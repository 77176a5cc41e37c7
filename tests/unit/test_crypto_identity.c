/* test_crypto_identity.c: Ed25519 against RFC 8032's vectors, and the name of the purpose in front. */
#include "tests/unit/cmocka_all.h"

#include "crypto/identity.h"
#include "crypto/secret.h"
#include "tests/unit/crypto_support.h"

#include <nettle/eddsa.h>
#include <string.h>

struct vector {
    const char *seed, *public_key, *message, *signature; /* hexadecimal */
};

/* RFC 8032 section 7.1, tests 1 to 3. */
static const struct vector vectors[] = {
    { "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
      "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
      "d25bf5f0595bbe24655141438e7a100b" },
    { "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
      "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
      "387b2eaeb4302aeeb00d291612bb0c00" },
    { "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
      "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
      "4a7c15e9716ed28dc027beceea1ec40a" },
};

/* Test "1024" of RFC 8032 section 7.1. Its message has its first zero byte after 67 others: read as context, zero
 * and data, it goes through our own composition. */
static const char long_seed[] = "f5e5767cf153319517630f226876b86c8160cc583bc013744c6bf255f5cc0ee5";
static const char long_public_key[] = "278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e";
static const char long_context[] =
    "08b8b2b733424243760fe426a4b54908632110a66c2f6591eabd3345e3e4eb98fa6e264bf09efe12ee50f8f54e9f77b1"
    "e355f6c50544e23fb1433ddf73be84d879de7c";
static const char long_data[] =
    "46dc4996d9e773f4bc9efe5738829adb26c81b37c93a1b270b20329d658675fc6ea534e0810a4432826bf58c941efb65"
    "d57a338bbd2e26640f89ffbc1a858efcb8550ee3a5e1998bd177e93a7363c344fe6b199ee5d02e82d522c4feba15452f"
    "80288a821a579116ec6dad2b3b310da903401aa62100ab5d1a36553e06203b33890cc9b832f79ef80560ccb9a39ce767"
    "967ed628c6ad573cb116dbefefd75499da96bd68a8a97b928a8bbc103b6621fcde2beca1231d206be6cd9ec7aff6f6c9"
    "4fcd7204ed3455c68c83f4a41da4af2b74ef5c53f1d8ac70bdcb7ed185ce81bd84359d44254d95629e9855a94a7c1958"
    "d1f8ada5d0532ed8a5aa3fb2d17ba70eb6248e594e1a2297acbbb39d502f1a8c6eb6f1ce22b3de1a1f40cc24554119a8"
    "31a9aad6079cad88425de6bde1a9187ebb6092cf67bf2b13fd65f27088d78b7e883c8759d2c4f5c65adb7553878ad575"
    "f9fad878e80a0c9ba63bcbcc2732e69485bbc9c90bfbd62481d9089beccf80cfe2df16a2cf65bd92dd597b0707e0917a"
    "f48bbb75fed413d238f5555a7a569d80c3414a8d0859dc65a46128bab27af87a71314f318c782b23ebfe808b82b0ce26"
    "401d2e22f04d83d1255dc51addd3b75a2b1ae0784504df543af8969be3ea7082ff7fc9888c144da2af58429ec96031db"
    "cad3dad9af0dcbaaaf268cb8fcffead94f3c7ca495e056a9b47acdb751fb73e666c6c655ade8297297d07ad1ba5e43f1"
    "bca32301651339e22904cc8c42f58c30c04aafdb038dda0847dd988dcda6f3bfd15c4b4c4525004aa06eeff8ca61783a"
    "acec57fb3d1f92b0fe2fd1a85f6724517b65e614ad6808d6f6ee34dff7310fdc82aebfd904b01e1dc54b2927094b2db6"
    "8d6f903b68401adebf5a7e08d78ff4ef5d63653a65040cf9bfd4aca7984a74d37145986780fc0b16ac451649de6188a7"
    "dbdf191f64b5fc5e2ab47b57f7f7276cd419c17a3ca8e1b939ae49e488acba6b965610b5480109c8b17b80e1b7b750df"
    "c7598d5d5011fd2dcc5600a32ef5b52a1ecc820e308aa342721aac0943bf6686b64b2579376504ccc493d97e6aed3fb0"
    "f9cd71a43dd497f01f17c0e2cb3797aa2a2f256656168e6c496afc5fb93246f6b1116398a346f1a641f3b041e989f791"
    "4f90cc2c7fff357876e506b50d334ba77c225bc307ba537152f3f1610e4eafe595f6d9d90d11faa933a15ef136954686"
    "8a7f3a45a96768d40fd9d03412c091c6315cf4fde7cb68606937380db2eaaa707b4c4185c32eddcdd306705e4dc1ffc8"
    "72eeee475a64dfac86aba41c0618983f8741c5ef68d3a101e8a3b8cac60c905c15fc910840b94c00a0b9d0";
static const char long_signature[] =
    "0aab4c900501b3e24d7cdf4663326a3a87df5e4843b2cbdb67cbf6e460fec350aa5371b1508f9f4528ecea23c436d94b"
    "5e8fcd4f681e30a6ac00a9704a188a03";

/* The library that we stand on, without a context. */
static void ed25519_of_rfc_8032(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        uint8_t seed[32], public_key[32], message[2], signature[64];
        unhex(vectors[i].seed, seed, sizeof seed);
        size_t len = unhex(vectors[i].message, message, sizeof message);
        struct identity *identity = identity_from_seed(seed);
        assert_non_null(identity);
        assert_memory_equal(identity->seed, seed, sizeof seed);
        assert_hex(identity->public_key, sizeof identity->public_key, vectors[i].public_key);
        ed25519_sha512_public_key(public_key, seed);
        ed25519_sha512_sign(public_key, seed, len, message, signature);
        assert_hex(signature, sizeof signature, vectors[i].signature);
        identity_free(&identity);
        assert_null(identity);
    }
}

static void context_and_data_are_signed_with_a_zero_between(void **state)
{
    (void)state;
    uint8_t seed[32], data[1024], signature[64];
    char context[68] = { 0 };
    unhex(long_seed, seed, sizeof seed);
    assert_int_equal(unhex(long_context, (uint8_t *)context, sizeof context), 67);
    size_t len = unhex(long_data, data, sizeof data);
    struct identity *identity = identity_from_seed(seed);
    assert_non_null(identity);
    assert_hex(identity->public_key, sizeof identity->public_key, long_public_key);
    assert_int_equal(identity_sign(identity, context, data, len, signature), 0);
    assert_hex(signature, sizeof signature, long_signature);
    assert_int_equal(identity_verify(identity->public_key, context, data, len, signature), 0);
    identity_free(&identity);

    /* And one made by another library. */
    uint8_t sixteen[16];
    for (size_t i = 0; i < sizeof sixteen; i++) {
        sixteen[i] = (uint8_t)i;
    }
    unhex(vectors[0].seed, seed, sizeof seed);
    identity = identity_from_seed(seed);
    assert_non_null(identity);
    assert_int_equal(identity_sign(identity, "kdc-chat test", sixteen, sizeof sixteen, signature), 0);
    assert_hex(signature, sizeof signature,
               "4e46b4e1e779b937da1f86df5e02ddfb3028a2dbdc9a41e28817fa7b535c96a89224247f280d04a570b33610ac3cf696"
               "cf4cc69b479830bea87bfd5cbf6b5705");
    identity_free(&identity);
}

static void anything_changed_does_not_verify(void **state)
{
    (void)state;
    struct identity *identity = identity_new(&rng_system), *other = identity_new(&rng_system);
    assert_non_null(identity);
    assert_non_null(other);
    assert_memory_not_equal(identity->public_key, other->public_key, IDENTITY_PUBLIC_LEN);
    uint8_t data[8] = "payload", signature[IDENTITY_SIGNATURE_LEN];
    assert_int_equal(identity_sign(identity, "purpose", data, sizeof data, signature), 0);
    assert_int_equal(identity_verify(identity->public_key, "purpose", data, sizeof data, signature), 0);

    assert_int_equal(identity_verify(other->public_key, "purpose", data, sizeof data, signature), -1);
    assert_int_equal(identity_verify(identity->public_key, "purposf", data, sizeof data, signature), -1);
    assert_int_equal(identity_verify(identity->public_key, "", data, sizeof data, signature), -1);
    assert_int_equal(identity_verify(identity->public_key, "purpose", data, sizeof data - 1, signature), -1);
    assert_int_equal(identity_verify(identity->public_key, "purpose", NULL, 0, signature), -1);
    for (size_t i = 0; i < sizeof signature; i++) {
        signature[i] ^= 0x10;
        assert_int_equal(identity_verify(identity->public_key, "purpose", data, sizeof data, signature), -1);
        signature[i] ^= 0x10;
    }
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] ^= 1;
        assert_int_equal(identity_verify(identity->public_key, "purpose", data, sizeof data, signature), -1);
        data[i] ^= 1;
    }
    assert_int_equal(identity_verify(identity->public_key, "purpose", data, sizeof data, signature), 0);
    identity_free(&identity);
    identity_free(&other);
}

static void nothing_may_be_signed_as_data(void **state)
{
    (void)state;
    struct identity *identity = identity_new(&rng_system);
    assert_non_null(identity);
    uint8_t signature[IDENTITY_SIGNATURE_LEN];
    assert_int_equal(identity_sign(identity, "purpose", NULL, 0, signature), 0);
    assert_int_equal(identity_verify(identity->public_key, "purpose", NULL, 0, signature), 0);
    assert_int_equal(identity_verify(identity->public_key, "purpose", "", 1, signature), -1);
    identity_free(&identity);
}

static void without_memory_there_is_no_signature(void **state)
{
    (void)state;
    struct identity *identity = identity_new(&rng_system);
    assert_non_null(identity);
    uint8_t signature[IDENTITY_SIGNATURE_LEN];
    memset(signature, 0xaa, sizeof signature);
    assert_int_equal(identity_sign(identity, "purpose", "", SIZE_MAX - 3, signature), -1);
    assert_all(signature, sizeof signature, 0);
    identity_free(&identity);
}

static void without_randomness_there_is_no_identity(void **state)
{
    (void)state;
    struct scripted_rng script = { .bytes = NULL, .len = 0 };
    struct rng rng = scripted_rng(&script);
    size_t before = secret_stats().used;
    assert_null(identity_new(&rng));
    assert_int_equal(secret_stats().used, before);
}

static void the_fingerprint_is_shown_as_openssh_shows_host_keys(void **state)
{
    (void)state;
    uint8_t public_key[32];
    char fingerprint[IDENTITY_FINGERPRINT_LEN];
    unhex(vectors[0].public_key, public_key, sizeof public_key);
    identity_fingerprint(public_key, fingerprint);
    assert_string_equal(fingerprint, "SHA256:If4x36FUomFia/hUBG/SJxt77UtqvkWqWId+9H+XIbk");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ed25519_of_rfc_8032),
        cmocka_unit_test(context_and_data_are_signed_with_a_zero_between),
        cmocka_unit_test(anything_changed_does_not_verify),
        cmocka_unit_test(nothing_may_be_signed_as_data),
        cmocka_unit_test(without_memory_there_is_no_signature),
        cmocka_unit_test(without_randomness_there_is_no_identity),
        cmocka_unit_test(the_fingerprint_is_shown_as_openssh_shows_host_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
