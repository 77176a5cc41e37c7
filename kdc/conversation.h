/*
 * conversation.h: the owner of a conversation, which makes its keys.
 *
 * Every conversation has one owner (in kdcd: the reactor of its number), through which all its grants go, one after the
 * other. They go to the session of the user whose name sorts first, and from there to the other's. So both people get them in the
 * same order, and no message under a new epoch overtakes its grant: the first's goes the same way behind the grant, and the second
 * has nothing to send before the first's client was sent its own.
 *
 * The key exists from conversation_issue until both sessions have sealed their grant: in secret memory, wiped behind.
 * Only the database's record that it was issued stays. Thread: the owner's.
 */
#ifndef KDC_CONVERSATION_H
#define KDC_CONVERSATION_H

#include "kdc/session.h"

/* Makes the key for an epoch that is on record, and posts the grant to the first session; on failure the opener is refused. */
void conversation_issue(const struct session_host *host, const struct issue *issue);
/* The first session has taken the grant, or isn't there: posts it to the second, `to`, by the way that the first's ciphertexts go.
 * Nothing, if this was the second's. Thread: the session's. */
void conversation_pass_grant(const struct session_host *host, const struct mail_grant *grant,
                             const struct session_ref *to);

#endif
