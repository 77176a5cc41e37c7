/*
 * session_open.c: opening a conversation.
 *
 *   the opener's session   is it somebody else, is there room, and     session_open
 *                          not too many of late;
 *                          the peer's session, of the directory;       issue
 *                          the two had better sit together             host.bring_together
 *   the journal's thread   the epoch on record                         journal.c
 *   where the first of     the key, a grant to the first               conversation_issue
 *   the two began
 *   each session           its leg; the grant to its client; the       session_take_grant
 *                          first passes it on to the second
 *
 * Who has a session may be written to: whoever locks or deletes an account ends its session. When the peer has none, a worker
 * asks the database for the account (run_open), so that the opener hears whether there is such a user.
 *
 * A grant comes unasked and in no window: so nobody opens a conversation with a session that too much waits for already.
 */
#include "kdc/session_internal.h"

#include "crypto/secret.h"
#include "kdc/conversation.h"
#include "wire/name.h"

#include <stdlib.h>
#include <string.h>

#define RETRY_CONGESTED 1 /* seconds */

struct open_job {
    struct request_job head;
    struct name peer;
    /* Results. */
    enum reason reason;
    uint64_t user; /* the peer's account */
};

/* ---- the peer has a session ---- */

static uint32_t retry_of(enum reason reason)
{
    return reason == REASON_UNAVAILABLE ? RETRY_UNAVAILABLE : 0;
}

static void issue(struct session *s, uint32_t request, const struct directory_entry *peer)
{
    uint32_t retry_after = 0;
    if (peer->congested) {
        session_refuse(s, request, REASON_BUSY, RETRY_CONGESTED);
        return;
    }
    const struct issue wish = { .request = request,
                                .a = s->ref,
                                .b = peer->ref,
                                .name_a = s->name,
                                .name_b = peer->name,
                                .suite = s->host->config->conversation_suite,
                                .time = s->host->now(s->host->context) };
    const struct session_ref first = conversation_first(&wish);
    struct mail_issue *mail = mail_new(MAIL_ISSUE, &first, &s->ref, 0);
    if (mail == NULL) {
        session_refuse(s, request, REASON_INTERNAL, 1);
        return;
    }
    mail->issue = wish;
    mail->user_a = s->user;
    mail->user_b = peer->user;
    memcpy(mail->source, s->source, sizeof mail->source);
    s->host->bring_together(s->link, peer); /* first: who has a conversation doesn't move */
    if (s->host->issue(s->host->context, mail, &retry_after) != 0) {
        const enum reason reason = mail->reason;
        mail_free(&mail->mail);
        session_refuse(s, request, reason, retry_after);
    }
}

void session_take_unissued(struct session *s, const struct mail_issue *mail)
{
    session_refuse(s, mail->issue.request, mail->reason, retry_of(mail->reason));
}

/* ---- it has none ---- */

static enum reason reason_of_store(enum store_result result)
{
    switch (result) {
    case STORE_OK:
        return REASON_NONE;
    case STORE_NOT_FOUND:
        return REASON_NO_SUCH_USER;
    case STORE_EXISTS:
        return REASON_INTERNAL;
    case STORE_UNAVAILABLE:
    case STORE_BROKEN: /* until the operator has mended it */
    case STORE_REFUSED:
        break;
    }
    return REASON_UNAVAILABLE;
}

static void run_open(struct job *job, struct accounts *accounts)
{
    struct open_job *open = (struct open_job *)job;
    struct store_user user;
    open->reason = reason_of_store(accounts->find(accounts, &open->peer, &user));
    secret_wipe(user.hash, sizeof user.hash);
    if (open->reason == REASON_NONE) {
        open->user = user.id;
        open->reason = user.state == USER_ACTIVE ? REASON_NONE : REASON_PEER_LOCKED;
    }
}

static void destroy_open(struct job *job)
{
    free(job);
}

/* There is such a user, who was offline: who has come in between is not. */
static void open_found(struct session *s, const struct open_job *open)
{
    struct directory_entry entry;
    /* A name that was deleted and made anew while its old session is still there: not the same person. */
    if (directory_find(s->host->directory, &open->peer, &entry) && entry.user == open->user) {
        issue(s, open->head.request, &entry);
        return;
    }
    session_refuse(s, open->head.request, REASON_PEER_OFFLINE, 0);
    session_watch(s, &open->peer);
}

static void open_done(struct job *job, void *owner)
{
    struct session *s = owner;
    const struct open_job *open = (const struct open_job *)job;
    session_request_job_back(s);
    if (open->reason == REASON_NONE) {
        open_found(s, open);
    } else {
        session_refuse(s, open->head.request, open->reason, retry_of(open->reason));
    }
}

static void submit_open(struct session *s, uint32_t request, const struct name *peer)
{
    struct open_job *open = calloc(1, sizeof *open);
    if (open == NULL) {
        session_refuse(s, request, REASON_INTERNAL, 1);
        return;
    }
    open->head.job = (struct job){ .class = JOB_SQL, .run = run_open, .done = open_done, .destroy = destroy_open };
    open->head.request = request;
    open->peer = *peer;
    session_submit(s, &open->head);
}

/* ---- */

/* Each costs the database a row for good: an account may have so many a minute, in whatever sessions. Seconds to wait; 0: go on. */
static uint32_t too_fast(struct session *s)
{
    static const struct admission_source none = { .family = 0 };
    struct penalties *openings = s->host->openings;
    if (openings == NULL || s->host->config->opens_per_minute == 0) {
        return 0;
    }
    const uint64_t now = s->host->now(s->host->context);
    const uint32_t retry_after = penalties_ask(openings, &s->name, &none, false, now).retry_after;
    if (retry_after == 0) {
        (void)penalties_failed(openings, &s->name, &none, false, now);
    }
    return retry_after;
}

void session_open(struct session *s, const struct message_open *m)
{
    /* Another epoch with somebody one talks to already needs no room. */
    const bool full = s->live_legs + session_requests_opening(s) >= s->host->config->conversations_max &&
                      !session_leg_with(s, &m->peer);
    struct directory_entry entry;
    uint32_t retry_after;
    if (!session_request_begin(s, m->request, true)) {
        return;
    }
    if (name_equal(&m->peer, &s->name)) {
        session_refuse(s, m->request, REASON_PEER_IS_SELF, 0);
    } else if (full) {
        session_refuse(s, m->request, REASON_TOO_MANY, 0);
    } else if ((retry_after = too_fast(s)) != 0) {
        session_refuse(s, m->request, REASON_TOO_MANY, retry_after);
    } else if (directory_find(s->host->directory, &m->peer, &entry)) {
        issue(s, m->request, &entry);
    } else {
        submit_open(s, m->request, &m->peer);
    }
}

/* Whether the peer's session is still the one that the grant names; *entry tells where it sits now. It leaves the directory
 * before it tells anyone: so if its news came before this grant, we see it here, and otherwise they will find our leg. */
static bool still_there(const struct session *s, const struct name *name, const struct session_ref *ref,
                        struct directory_entry *entry)
{
    return directory_find(s->host->directory, name, entry) && session_ref_equal(&entry->ref, ref);
}

static void send_grant(struct session *s, const struct mail_grant *grant, uint32_t request)
{
    const struct issue *issue = &grant->issue;
    session_send(s, &(struct message){ .type = MESSAGE_GRANT,
                                       .grant = { .request = request,
                                                  .conversation = issue->conversation,
                                                  .epoch = issue->epoch,
                                                  .a = issue->name_a,
                                                  .b = issue->name_b,
                                                  .session_a = issue->a.session,
                                                  .session_b = issue->b.session,
                                                  .suite = issue->suite,
                                                  .time = issue->time,
                                                  .key = { grant->key, grant->key_len } } });
}

void session_take_grant(struct session *s, const struct mail_grant *grant)
{
    const struct issue *issue = &grant->issue;
    const bool opener = session_ref_equal(&issue->a, &s->ref);
    const struct session_ref *peer = opener ? &issue->b : &issue->a;
    const struct name *peer_name = opener ? &issue->name_b : &issue->name_a;
    struct directory_entry entry;
    if (!still_there(s, peer_name, peer, &entry)) {
        if (opener) {
            session_refuse(s, issue->request, REASON_PEER_OFFLINE, 0);
            session_watch(s, peer_name);
        }
        return;
    }
    const struct leg *leg = session_leg_set(s, issue->conversation, &entry.ref, peer_name);
    if (leg == NULL) {
        session_mail_lost(s->host, &grant->mail);
        if (opener) {
            session_refuse(s, issue->request, REASON_INTERNAL, 1);
        }
        return;
    }
    const struct session_ref second = leg->peer; /* as the leg goes, so that what is passed on stays behind it */
    if (opener) {
        session_request_end(s, issue->request);
    }
    send_grant(s, grant, opener ? issue->request : 0);
    session_watch_output(s);
    conversation_pass_grant(s->host, grant, &second);
}
