/*
 * counters.h: what a reactor has counted since the start, for `status`. Written by the reactor that owns it, read by any
 * thread.
 */
#ifndef KDC_COUNTERS_H
#define KDC_COUNTERS_H

#include "kdc/histogram.h"
#include "kdc/recent.h"
#include "wire/protocol.h"

#include <stdatomic.h>

struct counters {
    _Atomic uint64_t handshakes;  /* done */
    _Atomic uint64_t logins;      /* welcomed */
    _Atomic uint64_t registered;  /* of those: because they made an account */
    _Atomic uint64_t resumed;     /* welcomed because of a ticket */
    _Atomic uint64_t keys_issued; /* epochs whose grants went out */
    _Atomic uint64_t messages;    /* ciphertexts passed on */
    _Atomic uint64_t refused[REASON_COUNT];
    _Atomic uint64_t ended;         /* connections that are gone */
    _Atomic uint64_t moved;         /* connections that left it for another reactor */
    _Atomic uint64_t conversations; /* legs of this reactor's sessions that are alive now: two for each conversation */
    _Atomic uint64_t inbox_items;   /* that came from other threads */
    struct recent inbox_recent;     /* how many of them at once */
    struct histogram login_us; /* from a password's coming to the answer; who was told that we are busy isn't in it */
};

/* One writer: no locked instruction is needed. */
static inline void counter_add(_Atomic uint64_t *counter, int64_t amount)
{
    const uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, now + (uint64_t)amount, memory_order_relaxed);
}

static inline uint64_t counter_read(_Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

#endif
