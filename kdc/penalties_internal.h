/*
 * penalties_internal.h: what the files of penalties share. Private to them: penalties_model.c, what guilt is; penalties_table.c, whose
 * it is; penalties.c, what guesses ask; penalties_operator.c, what operators ask.
 *
 * All under struct penalties' lock, and in its time.
 */
#ifndef KDC_PENALTIES_INTERNAL_H
#define KDC_PENALTIES_INTERNAL_H

#include "kdc/penalties.h"

#include <pthread.h>

#define PENALTY_SALT_LEN 32
#define PENALTY_KEY_MAX NAME_LEN_MAX

#define GUILT_FULL (UINT32_C(1) << 30) /* that locks */
#define KNOWN_SHARE 2                  /* a known source bears so small a part of its guilt */
#define GUILT_SOURCE_FULL (KNOWN_SHARE * GUILT_FULL)

struct guilty {
    uint8_t len; /* 0: nobody */
    uint8_t key[PENALTY_KEY_MAX];
    bool locks_known;      /* the lock is for known sources too */
    uint16_t looking;      /* attempts of strangers at this account that are being looked at */
    uint32_t guilt;        /* at `stamp` */
    uint32_t lock_seconds; /* from locked_at; 0: not locked since */
    uint64_t stamp;
    uint64_t locked_at;
};

enum penalty_kind { ACCOUNTS, SOURCES, PENALTY_KINDS };

struct penalties {
    uint8_t salt[PENALTY_SALT_LEN]; /* keeps strangers from choosing who shares a set */
    pthread_mutex_t lock;           /* guards what follows */
    struct penalty_policy policy;
    struct guilty *tables[PENALTY_KINDS]; /* PENALTIES_ENTRIES each */
    struct penalty_stats counts;          /* those since the start, and of the tables what the last walk found */
    uint64_t walked;                      /* when it was; 0: never, or no longer true */
    uint64_t latest;                      /* of our time, which never goes back */
    uint64_t shift;                       /* it is ahead of the callers' clock by so much */
};

/* Whom it is about. */
struct penalty_key {
    enum penalty_kind kind;
    uint8_t len;
    uint8_t bytes[PENALTY_KEY_MAX];
};

/* ---- penalties_model.c ---- */

/* Our time. */
uint64_t penalty_time(struct penalties *p, uint64_t now);
/* Those that aren't forgotten; one that is in part is a whole one. */
unsigned penalty_failures(const struct penalty_policy *policy, const struct guilty *g, enum penalty_kind kind,
                          uint64_t now);
uint32_t penalty_guilt(const struct penalty_policy *policy, const struct guilty *g, uint64_t now);
/* Milliseconds that it is still locked for. */
uint64_t penalty_locked(const struct guilty *g, uint64_t now);
bool penalty_is_guilty(const struct penalty_policy *policy, const struct guilty *g, uint64_t now);
/* `g` NULL: innocent. */
struct penalty_verdict penalty_verdict_of(const struct penalty_policy *policy, const struct guilty *g,
                                          enum penalty_kind kind, bool known, uint64_t now);
/* One failure more. True: that led to a lock, or made it one for known sources too. */
bool penalty_blame(const struct penalty_policy *policy, struct guilty *g, enum penalty_kind kind, uint64_t now);
void penalty_forgive(const struct penalty_policy *policy, struct guilty *g, enum penalty_kind kind, unsigned failures,
                     uint64_t now);

/* ---- penalties_table.c ---- */

struct penalty_key penalty_key_of_account(const struct name *name);
struct penalty_key penalty_key_of_source(const struct admission_source *source);
/* NULL: it isn't there. */
struct guilty *penalty_find(const struct penalties *p, const struct penalty_key *key);
struct guilty *penalty_find_or_make(struct penalties *p, const struct penalty_key *key, uint64_t now);

#endif
