/* test_crypto_secret.c: what secret.h promises, looked at from outside: contents, /proc/self/smaps, a forked child. */
#include "tests/unit/cmocka_all.h"

#include "crypto/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#endif
/* Under these mlock does nothing and says that it did. */
#if defined(UNDER_ASAN) || defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define MLOCK_IS_MOCKED 1
#else
#define MLOCK_IS_MOCKED 0
#endif

static const size_t lengths[] = { 1,    7,    64,    65,    600,   1024,  1025,  1344,   1345,   4096,
                                  8193, 9000, 16384, 32768, 32769, 40960, 40961, 100000, 3000000 };
#define LENGTH_COUNT (sizeof lengths / sizeof *lengths)

/* The flags in which the kernel describes the mapping at `address`; "" when there is none. */
static void mapping_flags(const void *address, char *flags, size_t room)
{
    FILE *smaps = fopen("/proc/self/smaps", "r");
    assert_non_null(smaps);
    char line[512];
    int inside = 0;
    flags[0] = '\0';
    while (fgets(line, sizeof line, smaps) != NULL) {
        char *dash, *space;
        uintptr_t start = strtoull(line, &dash, 16), end = *dash == '-' ? strtoull(dash + 1, &space, 16) : 0;
        if (end > 0 && *space == ' ') { /* "7f00-7f01 rw-p ...": the head of a mapping */
            inside = (uintptr_t)address >= start && (uintptr_t)address < end;
        } else if (inside && strncmp(line, "VmFlags:", 8) == 0) {
            snprintf(flags, room, "%s", line + 8);
            break;
        }
    }
    fclose(smaps);
}

static void blocks_are_zero_aligned_and_apart(void **state)
{
    (void)state;
    uint8_t *blocks[LENGTH_COUNT];
    for (size_t i = 0; i < LENGTH_COUNT; i++) {
        blocks[i] = secret_alloc(lengths[i]);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % _Alignof(max_align_t), 0);
        for (size_t at = 0; at < lengths[i]; at++) {
            assert_int_equal(blocks[i][at], 0);
        }
        memset(blocks[i], (int)i + 1, lengths[i]);
    }
    for (size_t i = 0; i < LENGTH_COUNT; i++) {
        for (size_t at = 0; at < lengths[i]; at++) {
            assert_int_equal(blocks[i][at], i + 1);
        }
        secret_free(&blocks[i]);
        assert_null(blocks[i]);
    }
}

static void a_length_of_zero_or_beyond_memory_is_null(void **state)
{
    (void)state;
    assert_null(secret_alloc(0));
    assert_null(secret_alloc(SIZE_MAX));
    assert_null(secret_alloc(SIZE_MAX / 2));
}

static void null_may_be_freed(void **state)
{
    (void)state;
    void *nothing = NULL;
    secret_free(&nothing);
    assert_null(nothing);
}

#ifndef UNDER_ASAN /* which reports the look at freed memory */
static void a_freed_block_is_wiped(void **state)
{
    (void)state;
    uint8_t *neighbour = secret_alloc(600), *block = secret_alloc(600);
    memset(block, 0xaa, 600);
    const volatile uint8_t *where = block;
    secret_free(&block);
    for (size_t i = 0; i < 600; i++) {
        assert_int_equal(where[i], 0);
    }
    secret_free(&neighbour);
}
#endif

static void freed_memory_is_used_again(void **state)
{
    (void)state;
    uint8_t *keep = secret_alloc(300), *block = secret_alloc(300);
    void *where = block;
    struct secret_stats before = secret_stats();
    for (int i = 0; i < 10000; i++) {
        secret_free(&block);
        block = secret_alloc(300);
        assert_ptr_equal(block, where);
        memset(block, 0xbb, 300);
    }
    struct secret_stats after = secret_stats();
    assert_int_equal(before.reserved, after.reserved);
    secret_free(&block);
    secret_free(&keep);
}

static void many_small_blocks_are_compact_and_go_back(void **state)
{
    (void)state;
    enum { COUNT = 10000, LEN = 600 };
    uint8_t **blocks = calloc(COUNT, sizeof *blocks);
    assert_non_null(blocks);
    struct secret_stats before = secret_stats();
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = secret_alloc(LEN);
        assert_non_null(blocks[i]);
        memcpy(blocks[i], &i, sizeof i);
    }
    struct secret_stats full = secret_stats();
    assert_int_equal(full.used - before.used, COUNT * 640);
    assert_true(full.reserved - before.reserved < COUNT * 640 * 21 / 20);
    /* In another order than they came. */
    for (size_t step = 0; step < 7; step++) {
        for (size_t i = step; i < COUNT; i += 7) {
            assert_memory_equal(blocks[i], &i, sizeof i);
            secret_free(&blocks[i]);
        }
    }
    struct secret_stats after = secret_stats();
    assert_int_equal(after.used, before.used);
    assert_true(after.reserved <= before.reserved + (1 << 20));
    free(blocks);
}

#define KEYS 400 /* 58 slabs: two arenas and more */
#define KEY_LEN 4432

/* A block that stays in each arena doesn't hold up the pages of those that go. */
static void pages_go_back_though_their_arenas_stay(void **state)
{
    (void)state;
    const struct secret_stats before = secret_stats();
    uint8_t *keys[KEYS];
    uint8_t *staying[KEYS / 50];
    for (unsigned round = 0; round < 3; round++) {
        for (size_t i = 0; i < KEYS; i++) {
            keys[i] = secret_alloc(KEY_LEN);
            assert_non_null(keys[i]);
            for (size_t k = 0; k < KEY_LEN; k += 8) {
                assert_int_equal(keys[i][k], 0);
            }
            memset(keys[i], 0x5a, KEY_LEN);
            if (i % 50 == 0) {
                staying[i / 50] = secret_alloc(3000);
                assert_non_null(staying[i / 50]);
            }
        }
        assert_true(secret_stats().reserved - before.reserved > (size_t)KEYS * KEY_LEN - ((size_t)5 << 15));
        for (size_t i = 0; i < KEYS; i++) {
            secret_free(&keys[i]);
        }
        const struct secret_stats after = secret_stats();
        assert_true(after.reserved <= before.reserved + ((size_t)6 << 15));
        assert_true(after.locked <= after.reserved);
        for (size_t i = 0; i < KEYS / 50; i++) {
            secret_free(&staying[i]);
        }
    }
    assert_int_equal(secret_stats().used, before.used);
}

static void pages_are_locked_and_left_out_of_dumps_and_children(void **state)
{
    (void)state;
    const size_t some[] = { 64, 600, 20000, 100000 };
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        uint8_t *block = secret_alloc(some[i]);
        assert_non_null(block);
        char flags[512];
        mapping_flags(block, flags, sizeof flags);
        assert_non_null(strstr(flags, " dd"));
        assert_non_null(strstr(flags, " wf"));
        mapping_flags(block + some[i] - 1, flags, sizeof flags);
        assert_non_null(strstr(flags, " dd"));
        struct secret_stats stats = secret_stats();
        if (!MLOCK_IS_MOCKED && stats.locked == stats.reserved) {
            assert_non_null(strstr(flags, " lo"));
        }
        secret_free(&block);
    }
}

/* What the child found: 0, or the number of the check that failed. */
static int look_around_in_child(uint8_t *small, uint8_t *large)
{
    for (size_t i = 0; i < 600; i++) {
        if (small[i] != 0) {
            return 1;
        }
    }
    for (size_t i = 0; i < 100000; i++) {
        if (large[i] != 0) {
            return 2;
        }
    }
    if (secret_stats().locked != 0) {
        return 3;
    }
    uint8_t *fresh = secret_alloc(600), *another = secret_alloc(70000);
    if (fresh == NULL || another == NULL || fresh == small || another == large) {
        return 4;
    }
    memset(fresh, 1, 600);
    size_t used = secret_stats().used;
    secret_free(&small);
    secret_free(&large);
    secret_free(&fresh);
    secret_free(&another);
    return secret_stats().used < used && secret_stats().locked <= secret_stats().reserved ? 0 : 5;
}

static void a_forked_child_sees_zeros_and_may_go_on(void **state)
{
    (void)state;
    uint8_t *small = secret_alloc(600), *large = secret_alloc(100000);
    assert_non_null(small);
    assert_non_null(large);
    memset(small, 0xcc, 600);
    memset(large, 0xdd, 100000);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(look_around_in_child(small, large));
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(small[599], 0xcc);
    assert_int_equal(large[99999], 0xdd);
    secret_free(&small);
    secret_free(&large);
}

static int use_without_permission_to_lock(void)
{
    struct rlimit none = { .rlim_cur = 0, .rlim_max = 0 };
    /* A privileged process locks whatever its limit: give that up first. */
    if (setrlimit(RLIMIT_MEMLOCK, &none) != 0 || (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0)) {
        return 1;
    }
    struct secret_stats before = secret_stats();
    uint8_t *large = secret_alloc(100000);
    if (large == NULL) {
        return 2;
    }
    memset(large, 1, 100000);
    struct secret_stats with = secret_stats();
    if (with.reserved <= before.reserved || with.locked != before.locked) {
        return 3;
    }
    secret_free(&large);
    return 0;
}

static void without_permission_to_lock_it_works_and_says_so(void **state)
{
    (void)state;
    if (MLOCK_IS_MOCKED) {
        skip();
    }
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(use_without_permission_to_lock());
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void wiping_and_comparing(void **state)
{
    (void)state;
    uint8_t a[32], b[32];
    memset(a, 5, sizeof a);
    memset(b, 5, sizeof b);
    assert_true(secret_equal(a, b, sizeof a));
    assert_true(secret_equal(a, b, 0));
    for (size_t i = 0; i < sizeof a; i++) {
        b[i] ^= 0x80;
        assert_false(secret_equal(a, b, sizeof a));
        assert_true(secret_equal(a, b, i));
        b[i] ^= 0x80;
    }
    secret_wipe(a + 1, sizeof a - 2);
    assert_int_equal(a[0], 5);
    assert_int_equal(a[31], 5);
    for (size_t i = 1; i < 31; i++) {
        assert_int_equal(a[i], 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_zero_aligned_and_apart),
        cmocka_unit_test(a_length_of_zero_or_beyond_memory_is_null),
        cmocka_unit_test(null_may_be_freed),
#ifndef UNDER_ASAN
        cmocka_unit_test(a_freed_block_is_wiped),
#endif
        cmocka_unit_test(freed_memory_is_used_again),
        cmocka_unit_test(many_small_blocks_are_compact_and_go_back),
        cmocka_unit_test(pages_go_back_though_their_arenas_stay),
        cmocka_unit_test(pages_are_locked_and_left_out_of_dumps_and_children),
        cmocka_unit_test(a_forked_child_sees_zeros_and_may_go_on),
        cmocka_unit_test(without_permission_to_lock_it_works_and_says_so),
        cmocka_unit_test(wiping_and_comparing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
