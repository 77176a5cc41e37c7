/*
 * store_stats.h: what a store's connection is doing and has done, for operators. Written by the store's thread, read by any.
 */
#ifndef KDC_STORE_STATS_H
#define KDC_STORE_STATS_H

#include "kdc/histogram.h"
#include "kdc/recent.h"

#include <stdbool.h>

enum store_activity {
    STORE_ACTIVITY_CLOSED = 0, /* not connected: the next call connects */
    STORE_ACTIVITY_CONNECTING,
    STORE_ACTIVITY_IDLE,
    STORE_ACTIVITY_BUSY,    /* waits for an answer */
    STORE_ACTIVITY_BACKOFF, /* connecting failed: for a moment it isn't tried again */
    STORE_ACTIVITY_COUNT,
};

struct store_stats {
    _Atomic unsigned activity; /* enum store_activity */
    _Atomic uint64_t calls;    /* of procedures, answered or not */
    _Atomic uint64_t failures; /* of those: without a usable answer */
    _Atomic uint64_t connects; /* that succeeded */
    _Atomic uint64_t connect_failures;
    struct histogram call_us;
    struct recent recent_us; /* calls */
};

/* "idle" and so on. */
const char *store_activity_name(enum store_activity activity);

/* ---- for the store; stats may be NULL ---- */
void store_stats_now(struct store_stats *stats, enum store_activity activity);
void store_stats_connected(struct store_stats *stats, bool connected);
void store_stats_called(struct store_stats *stats, uint64_t took_us, bool answered);

#endif
