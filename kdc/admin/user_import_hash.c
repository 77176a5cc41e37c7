/* Passwords of an import, hashed on all cores. */
#include "crypto/secret.h"
#include "kdc/admin/user_import.h"
#include "kdc/clock.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 256
#define NICENESS 10 /* a kdcd on the same machine goes first */
#define SHOWN_EVERY_MS 200
#define BAR_LEN 30

struct hashing {
    struct import *import;
    unsigned cost;
    size_t total;
    /* The rest under the lock. */
    pthread_mutex_t lock;
    pthread_cond_t ended;
    size_t next;
    size_t done;
    size_t running; /* threads */
    bool failed;
};

/* The next row with a password; NULL: there is none, or it has failed. */
static struct import_row *row_next(struct hashing *hashing)
{
    struct import_row *row = NULL;
    (void)pthread_mutex_lock(&hashing->lock);
    while (row == NULL && !hashing->failed && hashing->next < hashing->import->count) {
        struct import_row *one = &hashing->import->rows[hashing->next++];
        row = one->password != NULL ? one : NULL;
    }
    (void)pthread_mutex_unlock(&hashing->lock);
    return row;
}

static void *hash_some(void *argument)
{
    struct hashing *hashing = argument;
    if (nice(NICENESS) == -1) {
        /* Then it goes on as it is. */
    }
    for (struct import_row *row = row_next(hashing); row != NULL; row = row_next(hashing)) {
        const bool failed = password_hash(row->password, hashing->cost, &rng_system, row->user.hash) != PASSWORD_MATCH;
        secret_free(&row->password);
        (void)pthread_mutex_lock(&hashing->lock);
        hashing->failed = hashing->failed || failed;
        hashing->done++;
        (void)pthread_mutex_unlock(&hashing->lock);
    }
    (void)pthread_mutex_lock(&hashing->lock);
    hashing->running--;
    (void)pthread_cond_signal(&hashing->ended);
    (void)pthread_mutex_unlock(&hashing->lock);
    return NULL;
}

/* ---- what is shown meanwhile ---- */

static void progress_show(size_t done, size_t total, uint64_t elapsed_ms)
{
    char bar[BAR_LEN + 1];
    char left[48] = "";
    for (size_t i = 0; i < BAR_LEN; i++)
        bar[i] = i < done * BAR_LEN / total ? '#' : '.';
    bar[BAR_LEN] = '\0';
    if (done > 0 && done < total) {
        const uint64_t seconds = (elapsed_ms / done * (total - done) + 999) / 1000;
        if (seconds < 120)
            (void)snprintf(left, sizeof left, ", about %u s left", (unsigned)seconds);
        else if (seconds < 7200)
            (void)snprintf(left, sizeof left, ", about %u min left", (unsigned)(seconds / 60));
        else
            (void)snprintf(left, sizeof left, ", about %.1f h left", (double)seconds / 3600);
    }
    (void)fprintf(stderr, "\r\033[Khashing passwords [%s] %zu of %zu%s", bar, done, total, left);
}

/* Until all threads have ended. */
static void progress_watch(struct hashing *hashing)
{
    const bool shown = isatty(STDERR_FILENO) == 1;
    const uint64_t started = clock_monotonic_ms();
    (void)pthread_mutex_lock(&hashing->lock);
    while (hashing->running > 0) {
        struct timespec until;
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += SHOWN_EVERY_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        (void)pthread_cond_timedwait(&hashing->ended, &hashing->lock, &until);
        const size_t done = hashing->done;
        (void)pthread_mutex_unlock(&hashing->lock);
        if (shown)
            progress_show(done, hashing->total, clock_monotonic_ms() - started);
        (void)pthread_mutex_lock(&hashing->lock);
    }
    (void)pthread_mutex_unlock(&hashing->lock);
    if (shown)
        (void)fputc('\n', stderr);
}

int import_hash(struct import *import, unsigned cost)
{
    struct hashing hashing = {
        .import = import, .cost = cost, .lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER
    };
    pthread_t threads[THREADS_MAX] = { 0 };
    size_t count = 0;
    cpu_set_t cores;
    for (size_t i = 0; i < import->count; i++)
        hashing.total += import->rows[i].password != NULL ? 1 : 0;
    if (hashing.total == 0)
        return 0;
    size_t wanted = sched_getaffinity(0, sizeof cores, &cores) == 0 ? (size_t)CPU_COUNT(&cores) : 1;
    wanted = wanted > THREADS_MAX ? THREADS_MAX : wanted;
    wanted = wanted > hashing.total ? hashing.total : wanted;
    hashing.running = wanted;
    while (count < wanted && pthread_create(&threads[count], NULL, hash_some, &hashing) == 0)
        count++;
    (void)pthread_mutex_lock(&hashing.lock);
    hashing.running -= wanted - count; /* those that couldn't be started */
    (void)pthread_mutex_unlock(&hashing.lock);
    progress_watch(&hashing);
    for (size_t i = 0; i < count; i++)
        (void)pthread_join(threads[i], NULL);
    return hashing.failed || count == 0 ? -1 : 0;
}
