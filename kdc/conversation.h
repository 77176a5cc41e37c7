/*
 * conversation.h: the owner of a conversation, which makes its keys.
 *
 * Every conversation has one owner (in kdcd: the reactor of its number), through which all its grants go, one after the
 * other. So both people get them in the same order; and since the opener's grant is posted last, no message under a new
 * epoch can overtake the peer's grant of it.
 *
 * The key exists from conversation_issue until both sessions have sealed their grant: in secret memory, wiped behind.
 * Only the database's record that it was issued stays. Thread: the owner's.
 */
#ifndef KDC_CONVERSATION_H
#define KDC_CONVERSATION_H

#include "kdc/session.h"

/* Makes the key for an epoch that is on record, and posts a grant to each session; on failure the opener is refused. */
void conversation_issue(const struct session_host *host, const struct issue *issue);

#endif
