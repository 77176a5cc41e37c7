/*
 * conversation.h: where a conversation's keys are made, and which way they go.
 *
 * A key is made where the first session began (in kdcd: by that reactor): that of the user whose name sorts first. Grants go to
 * that session, one after the other, and from there to the other's. So both people get them in the same order, and no message
 * under a new epoch overtakes its grant: the first's goes the same way behind the grant, and the second has nothing to send
 * before the first's client was sent its own.
 *
 * The key exists from conversation_issue until both sessions have sealed their grant: in secret memory, wiped behind.
 * Only the database's record that it was issued stays. Thread: that of the place.
 */
#ifndef KDC_CONVERSATION_H
#define KDC_CONVERSATION_H

#include "kdc/session.h"

/* Where that is, and where the grant goes next. Any thread. */
struct session_ref conversation_first(const struct issue *issue);
/* Makes the key for an epoch that is on record, and posts the grant to the first session; on failure the opener is refused. */
void conversation_issue(const struct session_host *host, const struct issue *issue);
/* The first session has taken the grant, or isn't there: posts it to the second, `to`, by the way that the first's ciphertexts go.
 * Nothing, if this was the second's. Thread: the session's. */
void conversation_pass_grant(const struct session_host *host, const struct mail_grant *grant,
                             const struct session_ref *to);

#endif
