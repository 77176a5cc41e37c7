/*
 * test_crypto_secret_residue.c: after each operation with a secret nothing of it is on the stack, nor in what GMP gave back; for
 * sealing and opening, once the thread has wiped what it left, however deep that was.
 */
#include "tests/unit/cmocka_all.h"

#include "crypto/dh.h"
#include "crypto/identity.h"
#include "crypto/secret.h"
#include "crypto/suite.h"

#include <gmp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifndef __has_feature
#define __has_feature(name) 0
#endif
/* Under these the stack is laid out otherwise, and nobody may look at it from outside. */
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer) || defined(__SANITIZE_THREAD__) || \
    __has_feature(thread_sanitizer)
#define UNDER_SANITIZER 1
#endif

#define BLOCK_LEN 256

#ifndef UNDER_SANITIZER

#define STACK_LEN ((size_t)1 << 20)
#define PIECE 16 /* bytes of a secret that are too many to be there by chance */

/* A thread on a stack of ours, and what that stack held just after the work was done. */
struct trial {
    void (*work)(void *context);
    void *context;
    uint8_t *stack;
    uint8_t *seen;
};

static void *run(void *argument)
{
    const struct trial *trial = argument;
    trial->work(trial->context);
    /* No call here: it would have its frame where we look. */
    const volatile uint8_t *stack = trial->stack;
    size_t below = (size_t)((const uint8_t *)__builtin_frame_address(0) - trial->stack);
    for (size_t i = 0; i < below; i++) {
        trial->seen[i] = stack[i];
    }
    return NULL;
}

static struct trial trial_run(void (*work)(void *context), void *context)
{
    struct trial trial = { .work = work, .context = context };
    trial.stack = mmap(NULL, STACK_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    trial.seen = calloc(1, STACK_LEN);
    assert_true(trial.stack != MAP_FAILED);
    assert_non_null(trial.seen);
    pthread_attr_t attributes;
    pthread_t thread;
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstack(&attributes, trial.stack, STACK_LEN), 0);
    assert_int_equal(pthread_create(&thread, &attributes, run, &trial), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(pthread_attr_destroy(&attributes), 0);
    return trial;
}

static void trial_end(struct trial *trial)
{
    assert_int_equal(munmap(trial->stack, STACK_LEN), 0);
    free(trial->seen);
}

/* The ways in which code keeps a secret: as it is or as HMAC pads it, each also with its words turned around. */
static bool sees(const struct trial *trial, const uint8_t *secret)
{
    static const uint8_t masks[] = { 0, 0x36, 0x5c };
    for (size_t m = 0; m < sizeof masks; m++) {
        uint8_t same[PIECE], words_turned[PIECE], turned[PIECE];
        for (size_t i = 0; i < PIECE; i++) {
            same[i] = secret[i] ^ masks[m];
            words_turned[(i & ~(size_t)7) + 7 - (i & 7)] = same[i];
            turned[PIECE - 1 - i] = same[i];
        }
        if (memmem(trial->seen, STACK_LEN, same, PIECE) != NULL ||
            memmem(trial->seen, STACK_LEN, words_turned, PIECE) != NULL ||
            memmem(trial->seen, STACK_LEN, turned, PIECE) != NULL) {
            return true;
        }
    }
    return false;
}

static void assert_leaves_nothing_of(void (*work)(void *context), void *context, const uint8_t *secret, size_t len)
{
    struct trial trial = trial_run(work, context);
    for (size_t at = 0; at + PIECE <= len; at += PIECE) {
        assert_false(sees(&trial, secret + at));
    }
    trial_end(&trial);
}

static void fill_random(uint8_t *bytes, size_t len)
{
    assert_int_equal(rng_fill(&rng_system, bytes, len), 0);
}

/* ---- that a trial sees what is there ---- */

struct careless {
    const uint8_t *secret;
    uint8_t sum;
};

static __attribute__((noinline)) void copy_to_the_stack(void *context)
{
    struct careless *careless = context;
    volatile uint8_t copy[64];
    for (size_t i = 0; i < sizeof copy; i++) {
        copy[i] = careless->secret[i];
    }
    careless->sum = copy[7];
}

static void a_careless_copy_is_seen(void **state)
{
    (void)state;
    uint8_t secret[64];
    fill_random(secret, sizeof secret);
    struct trial trial = trial_run(copy_to_the_stack, &(struct careless){ .secret = secret });
    assert_true(sees(&trial, secret + PIECE));
    trial_end(&trial);
}

/* ---- keys ---- */

struct keys {
    uint8_t secret[KDF_SECRET_LEN];
    uint8_t out[KDF_SECRET_LEN];
};

static void work_hmac(void *context)
{
    struct keys *keys = context;
    hmac_sha512(keys->secret, sizeof keys->secret, "data", 4, keys->out);
}

static void work_extract(void *context)
{
    struct keys *keys = context;
    hkdf_sha512_extract(NULL, 0, keys->secret, 32, keys->out);
}

static void work_expand(void *context)
{
    struct keys *keys = context;
    hkdf_sha512_expand(keys->secret, "label", 5, keys->out, sizeof keys->out);
}

static void a_derivation_leaves_nothing_of_its_keys(void **state)
{
    (void)state;
    static void (*const works[])(void *) = { work_hmac, work_extract, work_expand };
    for (size_t i = 0; i < sizeof works / sizeof *works; i++) {
        struct keys keys;
        fill_random(keys.secret, sizeof keys.secret);
        assert_leaves_nothing_of(works[i], &keys, keys.secret, sizeof keys.secret);
        assert_leaves_nothing_of(works[i], &keys, keys.out, sizeof keys.out);
    }
}

/* ---- identities ---- */

struct signing {
    uint8_t seed[IDENTITY_SEED_LEN];
    struct identity *identity;
    uint8_t signature[IDENTITY_SIGNATURE_LEN];
    int result;
};

static void work_from_seed(void *context)
{
    struct signing *signing = context;
    signing->identity = identity_from_seed(signing->seed);
}

static void work_sign(void *context)
{
    struct signing *signing = context;
    signing->result = identity_sign(signing->identity, "context", "data", 4, signing->signature);
}

static void an_identity_leaves_nothing_of_its_seed(void **state)
{
    (void)state;
    struct signing signing;
    uint8_t expanded[SHA512_LEN]; /* RFC 8032 section 5.1.5: the scalar, before its bits are set, and the prefix */
    fill_random(signing.seed, sizeof signing.seed);
    sha512_hash(signing.seed, sizeof signing.seed, expanded);
    assert_leaves_nothing_of(work_from_seed, &signing, signing.seed, sizeof signing.seed);
    assert_non_null(signing.identity);
    assert_leaves_nothing_of(work_sign, &signing, signing.seed, sizeof signing.seed);
    assert_int_equal(signing.result, 0);
    /* The scalar's first and last byte are changed: what is between them, and the prefix. */
    assert_leaves_nothing_of(work_sign, &signing, expanded + 8, 16);
    assert_leaves_nothing_of(work_sign, &signing, expanded + 32, 32);
    identity_free(&signing.identity);
}

/* ---- messages ---- */

#define TEXT_LEN 300

struct sealing {
    unsigned depth; /* of further frames on the stack */
    struct aead *aead;
    uint8_t plain[TEXT_LEN];
    uint8_t bytes[TEXT_LEN + SUITE_OVERHEAD_MAX];
    size_t len;
    int result;
};

#define DEPTHS_STEP 3000

/* The compiler may neither leave it out nor end its life before. */
static void keep(const uint8_t *room)
{
    __asm__ volatile("" ::"r"(room) : "memory");
}

static __attribute__((noinline)) void seal_at(struct sealing *sealing, unsigned depth)
{
    uint8_t room[DEPTHS_STEP];
    keep(room);
    if (depth > 0) {
        seal_at(sealing, depth - 1);
    } else {
        aead_seal(sealing->aead, 1, "ad", 2, sealing->bytes, TEXT_LEN, sealing->bytes);
    }
    keep(room);
}

static __attribute__((noinline)) void open_at(struct sealing *sealing, unsigned depth)
{
    uint8_t room[DEPTHS_STEP];
    keep(room);
    if (depth > 0) {
        open_at(sealing, depth - 1);
    } else {
        sealing->result =
            aead_open(sealing->aead, 1, "ad", 2, sealing->bytes, suite_sealed_len(aead_suite(sealing->aead), TEXT_LEN),
                      sealing->bytes, &sealing->len);
    }
    keep(room);
}

/* The deepest call isn't the last one. */
static void work_seal(void *context)
{
    struct sealing *sealing = context;
    seal_at(sealing, sealing->depth);
    if (sealing->depth > 0) {
        open_at(sealing, 0);
        seal_at(sealing, 0);
    }
    secret_wipe_left_residue();
}

static void work_open(void *context)
{
    struct sealing *sealing = context;
    open_at(sealing, sealing->depth);
    if (sealing->depth > 0) {
        seal_at(sealing, 0);
        open_at(sealing, 0);
    }
    secret_wipe_left_residue();
}

static void seal_and_wait(void *context)
{
    seal_at(context, 0);
}

/* In place, as records are sealed and opened. Whoever has the ciphertext has the text with the key stream too. */
static void a_message_leaves_nothing_of_its_text_or_key_stream(void **state)
{
    (void)state;
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        for (unsigned depth = 0; depth <= 5; depth += 5) {
            struct sealing sealing = { .depth = depth };
            uint8_t key[KDF_SECRET_LEN], stream[TEXT_LEN];
            fill_random(key, sizeof key);
            fill_random(sealing.plain, TEXT_LEN);
            sealing.aead = aead_derive(&suites[s], key, "label", 5);
            assert_non_null(sealing.aead);
            memcpy(sealing.bytes, sealing.plain, TEXT_LEN);
            aead_seal(sealing.aead, 1, "ad", 2, sealing.bytes, TEXT_LEN, sealing.bytes);
            for (size_t i = 0; i < TEXT_LEN; i++) {
                stream[i] = sealing.plain[i] ^ sealing.bytes[i];
            }
            assert_leaves_nothing_of(work_open, &sealing, stream, TEXT_LEN);
            assert_int_equal(sealing.result, 0);
            assert_memory_equal(sealing.bytes, sealing.plain, TEXT_LEN);
            assert_leaves_nothing_of(work_seal, &sealing, stream, TEXT_LEN);
            assert_leaves_nothing_of(work_open, &sealing, sealing.plain, TEXT_LEN);
            assert_leaves_nothing_of(work_seal, &sealing, sealing.plain, TEXT_LEN);
            aead_free(&sealing.aead);
        }
    }
}

/* What the wipe is for: without it a suite or another leaves something to see. */
static void without_the_wipe_there_is_something_to_see(void **state)
{
    (void)state;
    bool seen = false;
    for (size_t s = 0; s < SUITE_COUNT && !seen; s++) {
        struct sealing sealing = { 0 };
        uint8_t key[KDF_SECRET_LEN], stream[TEXT_LEN];
        fill_random(key, sizeof key);
        sealing.aead = aead_derive(&suites[s], key, "label", 5);
        assert_non_null(sealing.aead);
        aead_seal(sealing.aead, 1, "ad", 2, sealing.bytes, TEXT_LEN, sealing.bytes);
        memcpy(stream, sealing.bytes, TEXT_LEN); /* of zeros */
        memset(sealing.bytes, 0, TEXT_LEN);
        struct trial trial = trial_run(seal_and_wait, &sealing);
        for (size_t at = 0; at + PIECE <= TEXT_LEN; at += PIECE) {
            seen = seen || sees(&trial, stream + at);
        }
        trial_end(&trial);
        aead_free(&sealing.aead);
    }
    assert_true(seen);
}

struct deriving {
    const struct suite *suite;
    uint8_t secret[KDF_SECRET_LEN];
};

static void work_derive(void *context)
{
    const struct deriving *deriving = context;
    struct aead *aead = aead_derive(deriving->suite, deriving->secret, "label", 5);
    aead_free(&aead);
}

static void a_derived_key_leaves_nothing_of_itself(void **state)
{
    (void)state;
    static const uint8_t label[] = { 'l', 'a', 'b', 'e', 'l', 0 };
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        struct deriving deriving = { .suite = &suites[s] };
        uint8_t key[SUITE_KEY_MAX];
        fill_random(deriving.secret, sizeof deriving.secret);
        hkdf_sha512_expand(deriving.secret, label, sizeof label, key, suites[s].key_len);
        assert_leaves_nothing_of(work_derive, &deriving, deriving.secret, sizeof deriving.secret);
        /* Of triple DES the MAC's part: the rest gets parity. */
        size_t from = suites[s].id == SUITE_3DES_CBC_HMAC_SHA512 ? 24 : 0;
        assert_leaves_nothing_of(work_derive, &deriving, key + from, suites[s].key_len - from);
    }
}

/* ---- Diffie-Hellman ---- */

struct agreeing {
    const struct dh_group *group;
    uint8_t private_key[DH_PRIVATE_MAX];
    uint8_t public_value[DH_PUBLIC_MAX];
    uint8_t shared[DH_PUBLIC_MAX];
    enum dh_result result;
};

static void work_shared(void *context)
{
    struct agreeing *agreeing = context;
    agreeing->result = dh_shared(agreeing->group, agreeing->private_key, agreeing->public_value, agreeing->group->len,
                                 agreeing->shared);
}

static void an_agreement_leaves_nothing_of_exponent_and_secret(void **state)
{
    (void)state;
    struct agreeing agreeing = { .group = dh_group_by_id(DH_FFDHE3072) };
    assert_int_equal(dh_keypair(agreeing.group, &rng_system, agreeing.private_key, agreeing.public_value), DH_OK);
    assert_leaves_nothing_of(work_shared, &agreeing, agreeing.private_key, agreeing.group->private_len);
    assert_int_equal(agreeing.result, DH_OK);
    assert_leaves_nothing_of(work_shared, &agreeing, agreeing.shared, agreeing.group->len);
}

#define MALLOCS_OWN 16 /* bytes at the front of a freed block that malloc uses itself */

static void assert_given_back_wiped(const uint8_t *block)
{
    volatile const uint8_t *bytes = block;
    for (size_t i = MALLOCS_OWN; i < BLOCK_LEN; i++) {
        assert_int_equal(bytes[i], 0);
    }
}

#else

static void assert_given_back_wiped(const uint8_t *block)
{
    (void)block;
}

#endif

/* ---- GMP's memory ---- */

static void what_gmp_gives_back_is_wiped(void **state)
{
    (void)state;
    void *(*allocate)(size_t);
    void *(*reallocate)(void *, size_t, size_t);
    void (*release)(void *, size_t);
    secret_guard_gmp();
    mp_get_memory_functions(&allocate, &reallocate, &release);

    uint8_t *block = allocate(BLOCK_LEN);
    memset(block, 0x5a, BLOCK_LEN);
    release(block, BLOCK_LEN);
    assert_given_back_wiped(block);

    uint8_t *shorter = allocate(BLOCK_LEN);
    memset(shorter, 0x5a, BLOCK_LEN);
    uint8_t *longer = reallocate(shorter, BLOCK_LEN, (size_t)2 * BLOCK_LEN);
    for (size_t i = 0; i < BLOCK_LEN; i++) {
        assert_int_equal(longer[i], 0x5a);
    }
    assert_given_back_wiped(shorter);
    release(longer, (size_t)2 * BLOCK_LEN);
    mp_set_memory_functions(NULL, NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifndef UNDER_SANITIZER
        cmocka_unit_test(a_careless_copy_is_seen),
        cmocka_unit_test(a_derivation_leaves_nothing_of_its_keys),
        cmocka_unit_test(an_identity_leaves_nothing_of_its_seed),
        cmocka_unit_test(a_message_leaves_nothing_of_its_text_or_key_stream),
        cmocka_unit_test(without_the_wipe_there_is_something_to_see),
        cmocka_unit_test(a_derived_key_leaves_nothing_of_itself),
        cmocka_unit_test(an_agreement_leaves_nothing_of_exponent_and_secret),
#endif
        cmocka_unit_test(what_gmp_gives_back_is_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
