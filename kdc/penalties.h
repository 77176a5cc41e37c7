/*
 * penalties.h: guessing passwords costs time, then a temporary lock: by account (its name, whether or not there is such an
 * account) and by source (an IPv4 address or an IPv6 /64, admission.h).
 *
 * Each wrong password adds to the guilt of the account's name and of its source. Guilt is counted in failures; it is forgotten
 * evenly, all that makes a lock in forget_seconds.
 *
 *   account, failures  0   1   2   3   4   5 ...   account_failures
 *   an attempt waits   0   1   2   4   8  15 s     is refused for lock_seconds, without being looked at
 *
 * Many people may share a source: source_failures of its failures weigh as much as account_failures of an account's. Who comes
 * from a source that has logged in to this account before (a known source) doesn't bear what the account has gathered, and
 * half of what the source has: so strangers can't keep an account's owner out, and nobody guesses freely next to the owner
 * either. Resumption tickets know no penalty. An exempt source neither bears nor causes any.
 *
 * What can't be guessed away: a right password takes nothing from its source's guilt (else an attacker with an account would
 * log in now and then), and from the account's only what the same session had got wrong before.
 *
 * Bounded: two tables of fixed size, of sets; a name or source can only be in its set, which is chosen by a secret random number.
 * A newcomer to a full set takes the place of the least guilty, and its guilt, but for what would lock: so whoever comes with
 * a million names or addresses pushes out nobody who has done more, and gains nothing.
 *
 * Times are milliseconds of any clock. One that is set back makes neither locks nor guilt last longer. Thread: any.
 */
#ifndef KDC_PENALTIES_H
#define KDC_PENALTIES_H

#include "kdc/admission.h"
#include "kdc/networks.h"
#include "wire/name.h"

#include <stddef.h>

#define PENALTIES_ENTRIES \
    16384                    /* of accounts, and of sources; about 1 MB each, of which only what is used is touched */
#define PENALTIES_WHO_MAX 64 /* "2001:db8:0:1::/64" */

struct penalties;

struct penalty_policy {
    bool enabled;
    unsigned account_failures; /* that lock; at least 1, as the next two */
    unsigned source_failures;
    unsigned forget_seconds;
    unsigned lock_seconds;
    unsigned delay_max; /* seconds; 0: attempts never wait */
    struct networks exempt;
};

/* NULL when memory or randomness is out. */
struct penalties *penalties_new(const struct penalty_policy *policy) __attribute__((warn_unused_result));
void penalties_free(struct penalties **penalties); /* sets to NULL; *penalties may be NULL */
/* From now on; the guilty stay as guilty, measured by the new bounds, and locks as long as they were. */
void penalties_set_policy(struct penalties *penalties, const struct penalty_policy *policy);

/* ---- for whoever looks at a password: session_guess.c ---- */

struct penalty_verdict {
    uint32_t delay_ms;    /* so long it waits before it is looked at */
    uint32_t retry_after; /* seconds; not 0: it isn't looked at, and the answer is REASON_PENALTY */
};
/* `name` NULL: none that an account could have. `known`: the source has logged in to this account before. */
struct penalty_verdict penalties_ask(struct penalties *penalties, const struct name *name,
                                     const struct admission_source *source, bool known, uint64_t now);

/* The same on the worker, right before the password is looked at: attempts of strangers at one account (unless it is innocent)
 * that are being looked at count as failures until they have ended. Whoever would be one too many is told to come back in a
 * moment (retry_after), so many at the same time learn no more than one by one. *counted: either penalties_end has to follow, or
 * penalties_failed that is told so. */
struct penalty_verdict penalties_begin(struct penalties *penalties, const struct name *name,
                                       const struct admission_source *source, bool known, uint64_t now, bool *counted);
void penalties_end(struct penalties *penalties, const struct name *name);

/* What became of it; whether it led to a lock just now is for the audit log. */
struct penalty_news {
    bool noted; /* it counts against the account */
    bool account_locked;
    bool source_locked;
};
/* A password was looked at, and was wrong. `counted`: as penalties_begin said, and that has ended. */
struct penalty_news penalties_failed(struct penalties *penalties, const struct name *name,
                                     const struct admission_source *source, bool counted, uint64_t now);
/* A password of this name was right, after the same session had got it wrong `failures` times that were noted. */
void penalties_succeeded(struct penalties *penalties, const struct name *name, unsigned failures, uint64_t now);
/* For stats: an attempt waits, or was refused. */
void penalties_count_delayed(struct penalties *penalties);
void penalties_count_refused(struct penalties *penalties);

/* ---- for operators ---- */

struct penalty_entry {
    bool is_account;
    char who[PENALTIES_WHO_MAX]; /* the name, or the address */
    unsigned failures;           /* that aren't forgotten, rounded up */
    uint32_t delay_ms;           /* for the next attempt of a stranger's; 0 for who is locked */
    uint32_t locked_seconds;     /* still to go; 0: not locked */
};
/* At most `max` of those that are guilty, from *place (0: the first) on, which is moved; how many there are. Less than `max`:
 * those were all. */
size_t penalties_list(struct penalties *penalties, size_t *place, struct penalty_entry *entries, size_t max,
                      uint64_t now);
/* Forgets. How many were guilty. */
size_t penalties_clear_account(struct penalties *penalties, const struct name *name, uint64_t now);
size_t penalties_clear_source(struct penalties *penalties, const struct admission_source *source, uint64_t now);
size_t penalties_clear_all(struct penalties *penalties, uint64_t now);

struct penalty_stats {
    size_t accounts; /* guilty ones */
    size_t accounts_locked;
    size_t sources;
    size_t sources_locked;
    uint64_t account_locks; /* since the start, as what follows */
    uint64_t source_locks;
    uint64_t failures; /* wrong passwords that counted */
    uint64_t delayed;  /* attempts that had to wait */
    uint64_t refused;  /* attempts that were not looked at */
};
/* However often it is asked, it goes through the tables, which logins need, once in PENALTIES_STATS_MS: how many are guilty or locked
 * may be that old. What an operator has cleared, or another policy, shows at once. */
#define PENALTIES_STATS_MS 1000
struct penalty_stats penalties_stats(struct penalties *penalties, uint64_t now);

#endif
