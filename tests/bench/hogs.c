#include "tests/bench/hogs.h"

#include "tests/bench/measure.h"

#include <crypt.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define COST 8 /* some ten milliseconds a call: they end soon after they are told to */
#define PERIOD_NS UINT64_C(1000000)
#define PART_NS UINT64_C(120000) /* what 2,000 connections a second cost us, measured */

struct hogs {
    atomic_bool stop;
    unsigned count;
    pthread_t threads[HOGS_MAX];
};

static void *compute(void *argument)
{
    struct hogs *hogs = argument;
    struct crypt_data *data = calloc(1, sizeof *data);
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), HOGS_NICENESS);
    if (data != NULL && crypt_gensalt_rn("$2b$", COST, "0123456789abcdef", 16, setting, sizeof setting) != NULL) {
        while (!atomic_load(&hogs->stop) && crypt_rn("correct horse", setting, data, sizeof *data) != NULL) {
        }
    }
    free(data);
    return NULL;
}

static void *compute_in_parts(void *argument)
{
    struct hogs *hogs = argument;
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), HOGS_NICENESS);
    for (uint64_t next = clock_ns(); !atomic_load(&hogs->stop); next += PERIOD_NS) {
        const uint64_t since = thread_cpu_ns();
        while (thread_cpu_ns() - since < PART_NS) {
        }
        const uint64_t now = clock_ns();
        if (next + PERIOD_NS > now) {
            const struct timespec pause = { .tv_nsec = (long)(next + PERIOD_NS - now) };
            (void)nanosleep(&pause, NULL);
        }
    }
    return NULL;
}

struct hogs *hogs_new(unsigned workers)
{
    struct hogs *hogs = calloc(1, sizeof *hogs);
    if (hogs == NULL) {
        return NULL;
    }
    const unsigned wanted = workers + 1 < HOGS_MAX ? workers + 1 : HOGS_MAX;
    atomic_init(&hogs->stop, false);
    for (; hogs->count < wanted; hogs->count++) {
        void *(*run)(void *) = hogs->count == 0 ? compute_in_parts : compute;
        if (pthread_create(&hogs->threads[hogs->count], NULL, run, hogs) != 0) {
            hogs_free(&hogs);
            return NULL;
        }
    }
    return hogs;
}

void hogs_free(struct hogs **hogs)
{
    if (*hogs == NULL) {
        return;
    }
    atomic_store(&(*hogs)->stop, true);
    for (unsigned i = 0; i < (*hogs)->count; i++) {
        (void)pthread_join((*hogs)->threads[i], NULL);
    }
    free(*hogs);
    *hogs = NULL;
}
