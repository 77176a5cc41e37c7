/*
 * call_troubles.h: which of the procedures fail although the database is there, and why: a right that was taken away, a procedure
 * that is missing, a read-only server, a full disk, somebody else's lock. Others go well meanwhile, so each has a state of its
 * own: else log and status would tell of a database that comes and goes.
 *
 * Thread: whoever has it locks it. No memory, no I/O.
 */
#ifndef KDC_CALL_TROUBLES_H
#define KDC_CALL_TROUBLES_H

#include "kdc/store.h"

#define CALL_TROUBLE_MAX 256

struct call_troubles { /* of zeros: none */
    struct call_trouble {
        bool fails;
        uint64_t failed; /* monotonic milliseconds: last */
        uint64_t told;   /* likewise: the log's last line about it; 0: never */
        char cause[CALL_TROUBLE_MAX];
    } calls[STORE_CALLS];
};

enum call_news { CALL_NO_NEWS, CALL_FAILS, CALL_WORKS };

/* A call (as store_last_call gives it; others are left out) went well (cause NULL), or not. What the log is to be told: no more
 * than a line a second about each. CALL_WORKS: `was` has the cause of before. */
enum call_news call_troubles_note(struct call_troubles *troubles, int call, const char *cause, uint64_t now_ms,
                                  char was[CALL_TROUBLE_MAX]);
/* Lent: the cause of one that failed when it was last called, within the last minute (what nobody calls any more may have
 * been mended); empty: there is none. */
const char *call_troubles_cause(const struct call_troubles *troubles, uint64_t now_ms);
/* The same of one call, below STORE_CALLS. */
const char *call_troubles_cause_of(const struct call_troubles *troubles, int call, uint64_t now_ms);

#endif
