/*
 * session_ref.h: how a session is named outside of its own reactor: the place where its connection began, for good, and two numbers
 * that tell whether it is still the same one; and where it sat when this was written, which may be out of date: what goes there is
 * passed on. Nobody holds a pointer to a session but its reactor.
 */
#ifndef KDC_SESSION_REF_H
#define KDC_SESSION_REF_H

#include <stdbool.h>
#include <stdint.h>

struct session_ref {
    uint32_t reactor;    /* where its connection began */
    uint32_t slot;       /* of that reactor */
    uint32_t generation; /* of that slot: another one for each connection that it holds */
    uint32_t seat;       /* the reactor that it sat with: see reactor_move.c */
    uint64_t session;    /* the session's number; 0 before login */
};

static inline bool session_ref_equal(const struct session_ref *a, const struct session_ref *b)
{
    return a->reactor == b->reactor && a->slot == b->slot && a->generation == b->generation && a->session == b->session;
}

/* The same session, addressed where it began: all that is sent so takes one way, wherever it moves meanwhile. */
static inline struct session_ref session_ref_home(const struct session_ref *ref)
{
    struct session_ref home = *ref;
    home.seat = ref->reactor;
    return home;
}

#endif
