/*
 * session_ref.h: how a session is named outside of its own reactor: a place, and two numbers that tell whether it is still
 * the same one that lives there. Nobody holds a pointer to a session but its reactor.
 */
#ifndef KDC_SESSION_REF_H
#define KDC_SESSION_REF_H

#include <stdbool.h>
#include <stdint.h>

struct session_ref {
    uint32_t reactor;    /* where its connection began: its name for good, with the next two, wherever it sits */
    uint32_t slot;       /* of that reactor */
    uint32_t generation; /* of that slot: another one for each connection that it holds */
    uint32_t seat;       /* the reactor that it sat with when this was written (reactor_move.c) */
    uint64_t session;    /* the session's number; 0 before login */
};

static inline bool session_ref_equal(const struct session_ref *a, const struct session_ref *b)
{
    return a->reactor == b->reactor && a->slot == b->slot && a->generation == b->generation && a->session == b->session;
}

#endif
