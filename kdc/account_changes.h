/*
 * account_changes.h: which accounts have changed of late, so that a ticket can be judged without asking the database.
 *
 * An account has an epoch: a number that is another one after every change that voids tickets (password, state); the database
 * gives it with the account (store_user.epoch; 0: such an account gets no tickets). The journal feeds this table with the epochs
 * of all accounts that changed within the last ACCOUNT_CHANGES_SECONDS. Whatever is older than that and isn't in the table
 * hasn't changed since a ticket was given: so no ticket may live longer.
 *
 * Thread: any. A look-up takes a lock for the time of a probe.
 */
#ifndef KDC_ACCOUNT_CHANGES_H
#define KDC_ACCOUNT_CHANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACCOUNT_CHANGES_SECONDS (7 * 24 * 3600)

struct account_changes;

/* NULL when memory or randomness is out. */
struct account_changes *account_changes_new(void) __attribute__((warn_unused_result));
void account_changes_free(struct account_changes **changes); /* sets to NULL; *changes may be NULL */

/* Whether a ticket that was given for this epoch of the account still holds. False also before anything has been fed. */
bool account_changes_holds(struct account_changes *changes, uint64_t user, uint64_t epoch);

/* Whether the account is known to have changed, or to be deleted, since it had that epoch: for a login, which has asked the
 * database a moment ago and may know of a later change than this table. */
bool account_changes_outdates(struct account_changes *changes, uint64_t user, uint64_t epoch);

/* ---- from the feed ---- */
/* The account has this epoch (0: it is deleted) since changed_ms (milliseconds since 1970 UTC, by the database's clock). -1 when
 * memory is out: then nothing holds until a feed is complete again. */
int account_changes_put(struct account_changes *changes, uint64_t user, uint64_t epoch, uint64_t changed_ms)
    __attribute__((warn_unused_result));
/* A feed is complete; what changed before that is forgotten. */
void account_changes_fed(struct account_changes *changes, uint64_t forget_before_ms);
/* The database answers, but not this question: nothing holds until a feed is complete again. */
void account_changes_starve(struct account_changes *changes);

size_t account_changes_count(struct account_changes *changes);

#endif
