/*
 * session_open.c: opening a conversation.
 *
 *   the opener's session   is it somebody else, is there room          session_open
 *   a worker               the peer's account; is the peer online;     run_open
 *                          the epoch on record
 *   the opener's session   to the conversation's owner                 open_done
 *   the owner              the key, a grant to the first of the two    conversation_issue
 *   each session           its leg; the grant to its client; the       session_take_grant
 *                          first passes it on to the second
 */
#include "kdc/session_internal.h"

#include "crypto/secret.h"
#include "kdc/conversation.h"
#include "wire/name.h"

#include <stdio.h>
#include <stdlib.h>

struct open_job {
    struct request_job head;
    struct directory *directory;
    unsigned attempt;
    uint64_t user;
    struct name name; /* of the opener */
    struct name peer;
    char source[DIRECTORY_SOURCE_MAX];
    /* Results. */
    enum reason reason;
    struct directory_entry entry; /* the peer's */
    struct store_epoch epoch;
};

static enum reason reason_of_store(enum store_result result)
{
    switch (result) {
    case STORE_OK:
        return REASON_NONE;
    case STORE_NOT_FOUND:
        return REASON_NO_SUCH_USER;
    case STORE_EXISTS:
    case STORE_BROKEN:
        return REASON_INTERNAL;
    case STORE_UNAVAILABLE:
        break;
    }
    return REASON_UNAVAILABLE;
}

static enum reason open_on_worker(struct open_job *open, struct accounts *accounts)
{
    struct store_user user;
    enum reason reason = reason_of_store(accounts->find(accounts, &open->peer, &user));
    secret_wipe(user.hash, sizeof user.hash);
    if (reason != REASON_NONE) {
        return reason;
    }
    if (user.state != USER_ACTIVE) {
        return REASON_PEER_LOCKED;
    }
    /* A name that was deleted and made anew while its old session is still there: not the same person. */
    if (!directory_find(open->directory, &open->peer, &open->entry) || open->entry.user != user.id) {
        return REASON_PEER_OFFLINE;
    }
    reason = reason_of_store(accounts->issue(accounts, open->user, user.id, &open->epoch));
    if (reason == REASON_NONE) {
        char detail[128];
        (void)snprintf(detail, sizeof detail, "conversation %llu epoch %u with %s",
                       (unsigned long long)open->epoch.conversation, (unsigned)open->epoch.epoch, open->peer.text);
        reason = reason_of_store(accounts->audit(accounts, "key issued", open->name.text, open->source, detail));
    }
    /* The accounts are found, so it isn't the peer that is missing. */
    return reason == REASON_NO_SUCH_USER ? REASON_INTERNAL : reason;
}

static void run_open(struct job *job, struct accounts *accounts)
{
    struct open_job *open = (struct open_job *)job;
    open->reason = open_on_worker(open, accounts);
}

static void destroy_open(struct job *job)
{
    free(job);
}

static void open_done(struct job *job, void *owner);

static void submit_open(struct session *s, uint32_t request, const struct name *peer, unsigned attempt)
{
    struct open_job *open = calloc(1, sizeof *open);
    if (open == NULL) {
        session_refuse(s, request, REASON_INTERNAL, 1);
        return;
    }
    open->head.job = (struct job){ .class = JOB_SQL, .run = run_open, .done = open_done, .destroy = destroy_open };
    open->directory = s->host->directory;
    open->head.request = request;
    open->attempt = attempt;
    open->user = s->user;
    open->name = s->name;
    open->peer = *peer;
    (void)snprintf(open->source, sizeof open->source, "%s", s->source);
    session_submit(s, &open->head);
}

/* The worker saw the peer offline: watch, unless it has come in between, then try once more. */
static void peer_offline(struct session *s, const struct open_job *open)
{
    struct directory_entry entry;
    if (open->attempt == 0 && directory_find(s->host->directory, &open->peer, &entry)) {
        submit_open(s, open->head.request, &open->peer, 1);
        return;
    }
    session_refuse(s, open->head.request, REASON_PEER_OFFLINE, 0);
    session_watch(s, &open->peer);
}

static void post_issue(struct session *s, const struct open_job *open)
{
    struct mail_issue *mail = mail_new(MAIL_ISSUE, &open->entry.ref, &s->ref, 0);
    if (mail == NULL) {
        session_refuse(s, open->head.request, REASON_INTERNAL, 1);
        return;
    }
    mail->issue = (struct issue){ .conversation = open->epoch.conversation,
                                  .epoch = open->epoch.epoch,
                                  .request = open->head.request,
                                  .a = s->ref,
                                  .b = open->entry.ref,
                                  .name_a = s->name,
                                  .name_b = open->entry.name,
                                  .suite = s->host->config->conversation_suite,
                                  .time = s->host->now(s->host->context) };
    s->host->post(s->host->context, &mail->mail);
}

static void open_done(struct job *job, void *owner)
{
    struct session *s = owner;
    const struct open_job *open = (const struct open_job *)job;
    session_request_job_back(s);
    switch (open->reason) {
    case REASON_NONE:
        post_issue(s, open);
        return;
    case REASON_PEER_OFFLINE:
        peer_offline(s, open);
        return;
    case REASON_UNAVAILABLE:
        session_refuse(s, open->head.request, open->reason, RETRY_UNAVAILABLE);
        return;
    default:
        session_refuse(s, open->head.request, open->reason, 0);
    }
}

void session_open(struct session *s, const struct message_open *m)
{
    /* Another epoch with somebody one talks to already needs no room. */
    const bool full = s->live_legs + session_requests_opening(s) >= s->host->config->conversations_max &&
                      !session_leg_with(s, &m->peer);
    if (!session_request_begin(s, m->request, true)) {
        return;
    }
    if (name_equal(&m->peer, &s->name)) {
        session_refuse(s, m->request, REASON_PEER_IS_SELF, 0);
    } else if (full) {
        session_refuse(s, m->request, REASON_TOO_MANY, 0);
    } else {
        submit_open(s, m->request, &m->peer, 0);
    }
}

/* Whether the peer's session is still the one that the grant names. It leaves the directory before it tells anyone: so if
 * its news came before this grant, we see it here, and otherwise they will find our leg. */
static bool still_there(const struct session *s, const struct name *name, const struct session_ref *ref)
{
    struct directory_entry entry;
    return directory_find(s->host->directory, name, &entry) && session_ref_equal(&entry.ref, ref);
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
    if (!still_there(s, peer_name, peer)) {
        if (opener) {
            session_refuse(s, issue->request, REASON_PEER_OFFLINE, 0);
            session_watch(s, peer_name);
        }
        return;
    }
    if (session_leg_set(s, issue->conversation, peer, peer_name) == NULL) {
        session_mail_lost(s->host, &grant->mail);
        if (opener) {
            session_refuse(s, issue->request, REASON_INTERNAL, 1);
        }
        return;
    }
    if (opener) {
        session_request_end(s, issue->request);
    }
    send_grant(s, grant, opener ? issue->request : 0);
    conversation_pass_grant(s->host, grant);
}
