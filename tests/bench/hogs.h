/*
 * hogs.h: processor load that has nothing to do with the server: what it alone does to conversations on this machine, with
 * its scheduler and its neighbours, is the limit for what a server under load can promise them.
 *
 * As many threads as kdcd's workers compute bcrypt all the time, at the workers' niceness; and one computes for a part of each
 * millisecond, as the load that comes from us does.
 */
#ifndef BENCH_HOGS_H
#define BENCH_HOGS_H

#include <stdatomic.h>

/* Of kdcd's workers (kdc/worker_pool.c) and of our own load: on a machine of its own, it would disturb nobody here. */
#define HOGS_NICENESS 10
#define HOGS_MAX 64

struct hogs;

/* Begins. NULL without threads or memory. */
struct hogs *hogs_new(unsigned workers) __attribute__((warn_unused_result));
/* Ends them all. Sets to NULL; *hogs may be NULL. */
void hogs_free(struct hogs **hogs);

#endif
