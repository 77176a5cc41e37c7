/* test_crypto_secret_threads.c: secret.h between threads, which have pages of their own and free each other's blocks.
 * */
#include "tests/unit/cmocka_all.h"

#include "crypto/secret.h"

#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#endif
/* Under these a child of a program that has threads may hang in locks that aren't ours. */
#if defined(UNDER_ASAN) || defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define FORKS 0
#else
#define FORKS 8
#endif

#define SPARE_MOST ((size_t)16 * 4 << 15) /* four empty slabs of each of 16 pools are kept */

static void *churn(void *argument)
{
    unsigned seed = *(const unsigned *)argument;
    uint8_t *blocks[32] = { NULL };
    for (int i = 0; i < 4000; i++) {
        seed = seed * 1103515245 + 12345;
        uint8_t **block = &blocks[seed >> 16 & 31];
        if (*block != NULL) {
            secret_free(block);
        } else {
            size_t len = 1 + (seed >> 8) % 3000;
            *block = secret_alloc(len);
            if (*block == NULL || (*block)[0] != 0 || (*block)[len - 1] != 0) {
                return argument;
            }
            memset(*block, (int)(seed >> 24) | 1, len);
        }
    }
    for (size_t i = 0; i < 32; i++) {
        secret_free(&blocks[i]);
    }
    return NULL;
}

static void threads_share_it(void **state)
{
    (void)state;
    struct secret_stats before = secret_stats();
    pthread_t threads[4];
    unsigned seeds[4] = { 1, 2, 3, 4 };
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, churn, &seeds[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(secret_stats().used, before.used);
}

struct crate {
    uint8_t *blocks[40];
};

#define CRATE_LENGTH(i) ((i) % 13 == 12 ? 40000 : 1 + (i)*211 % 9000)

static void *fill_crate(void *argument)
{
    struct crate *crate = argument;
    for (size_t i = 0; i < sizeof crate->blocks / sizeof *crate->blocks; i++) {
        crate->blocks[i] = secret_alloc(CRATE_LENGTH(i));
        if (crate->blocks[i] != NULL) {
            memset(crate->blocks[i], 0x77, CRATE_LENGTH(i));
        }
    }
    return NULL;
}

static void *empty_crate(void *argument)
{
    struct crate *crate = argument;
    for (size_t i = 0; i < sizeof crate->blocks / sizeof *crate->blocks; i++) {
        secret_free(&crate->blocks[i]);
    }
    return NULL;
}

static void in_another_thread(void *(*work)(void *argument), void *argument)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, work, argument), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

#define ROUNDS 200 /* times 1.5 MiB that would stay, if they went back to the wrong place or to none */

/* Each thread has pages of its own, yet what one allocates and another frees is all counted and all used again. */
static void what_another_thread_frees_is_counted_and_goes_back(void **state)
{
    (void)state;
    const struct secret_stats before = secret_stats();
    struct crate crate;
    size_t wanted = 0;
    for (size_t i = 0; i < sizeof crate.blocks / sizeof *crate.blocks; i++) {
        wanted += CRATE_LENGTH(i);
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        in_another_thread(fill_crate, &crate);
        const struct secret_stats full = secret_stats();
        assert_true(full.used - before.used >= wanted);
        assert_true(full.reserved >= full.used);
        assert_true(full.locked <= full.reserved);
        in_another_thread(empty_crate, &crate);
        assert_int_equal(secret_stats().used, before.used);
    }
    assert_true(secret_stats().reserved <= before.reserved + SPARE_MOST);
}

#ifndef UNDER_ASAN /* which reports the look at freed memory */

#define HALF_LEN 16000 /* two of them fill what the allocator cuts blocks from */

static void *take_one(void *argument)
{
    *(uint8_t **)argument = secret_alloc(HALF_LEN);
    return NULL;
}

static void *free_one(void *argument)
{
    secret_free(argument);
    return NULL;
}

/* The thread that allocated a block finds its memory again, and the one that freed it doesn't get it. */
static void a_block_goes_back_to_where_it_came_from(void **state)
{
    (void)state;
    uint8_t *keep = secret_alloc(HALF_LEN), *block = secret_alloc(HALF_LEN), *others;
    const volatile uint8_t *where = block;
    memset(block, 0xaa, HALF_LEN);
    in_another_thread(free_one, &block);
    assert_null(block);
    for (size_t i = 0; i < HALF_LEN; i++) {
        assert_int_equal(where[i], 0);
    }
    in_another_thread(take_one, &others);
    assert_ptr_not_equal(others, where);
    block = secret_alloc(HALF_LEN);
    assert_ptr_equal(block, where);
    secret_free(&others);
    secret_free(&block);
    secret_free(&keep);
}
#endif

#define TRADERS 20 /* more than there are pools: some share one */
#define COUNTERS 64

/* Where threads leave blocks for whoever comes next. */
static struct counter {
    pthread_mutex_t lock;
    uint8_t *block;
    size_t len;
} counters[COUNTERS];

static void *trade(void *argument)
{
    unsigned seed = *(const unsigned *)argument;
    for (int i = 0; i < 3000; i++) {
        seed = seed * 1103515245 + 12345;
        struct counter *counter = &counters[seed >> 16 & (COUNTERS - 1)];
        size_t len = (seed >> 22) % 100 == 0 ? 33000 : 1 + (seed >> 8) % 20000;
        uint8_t *block = secret_alloc(len);
        if (block == NULL || block[0] != 0 || block[len / 2] != 0 || block[len - 1] != 0) {
            return argument;
        }
        memset(block, (int)(len & 0x7f) | 1, len);
        pthread_mutex_lock(&counter->lock);
        uint8_t *found = counter->block;
        size_t found_len = counter->len;
        counter->block = block;
        counter->len = len;
        pthread_mutex_unlock(&counter->lock);
        uint8_t mark = (uint8_t)((found_len & 0x7f) | 1);
        if (found != NULL && (found[0] != mark || found[found_len / 2] != mark || found[found_len - 1] != mark)) {
            return argument;
        }
        secret_free(&found);
        const struct secret_stats now = secret_stats();
        if (now.used > (size_t)64 << 20) {
            return argument;
        }
    }
    return NULL;
}

/* A child that goes on allocating, in the pools of all the threads whose blocks it has. */
static int trade_in_child(void)
{
    unsigned seed = 99;
    if (secret_stats().locked != 0) {
        return 1;
    }
    for (size_t i = 0; i < COUNTERS; i++) { /* somebody may have had one of the locks; nobody else is here now */
        assert_int_equal(pthread_mutex_init(&counters[i].lock, NULL), 0);
        counters[i].block = NULL;
    }
    return trade(&seed) == NULL ? 0 : 2;
}

static void threads_free_what_others_allocated_while_one_forks(void **state)
{
    (void)state;
    const struct secret_stats before = secret_stats();
    pthread_t threads[TRADERS];
    unsigned seeds[TRADERS];
    for (size_t i = 0; i < COUNTERS; i++) {
        assert_int_equal(pthread_mutex_init(&counters[i].lock, NULL), 0);
    }
    for (unsigned i = 0; i < TRADERS; i++) {
        seeds[i] = i + 1;
        assert_int_equal(pthread_create(&threads[i], NULL, trade, &seeds[i]), 0);
    }
    for (int i = 0; i < FORKS; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            alarm(60);
            _exit(trade_in_child());
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    for (size_t i = 0; i < TRADERS; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    for (size_t i = 0; i < COUNTERS; i++) {
        secret_free(&counters[i].block);
        assert_int_equal(pthread_mutex_destroy(&counters[i].lock), 0);
    }
    const struct secret_stats after = secret_stats();
    assert_int_equal(after.used, before.used);
    assert_true(after.reserved <= before.reserved + SPARE_MOST);
    assert_true(after.locked <= after.reserved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifndef UNDER_ASAN
        cmocka_unit_test(a_block_goes_back_to_where_it_came_from), /* the first: its threads get a pool each */
#endif
        cmocka_unit_test(threads_share_it),
        cmocka_unit_test(what_another_thread_frees_is_counted_and_goes_back),
        cmocka_unit_test(threads_free_what_others_allocated_while_one_forks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
