#include "kdc/session_internal.h"

#include "crypto/secret.h"
#include "kdc/conversation.h"
#include "wire/message.h"
#include "wire/reason.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct session *session_new(const struct session_host *host, void *link, const struct session_ref *ref,
                            const struct session_origin *origin)
{
    struct session *s = calloc(1, sizeof *s);
    if (s != NULL) {
        if (origin->resumption != NULL && host->tickets != NULL) {
            s->resumption = secret_alloc(KDF_SECRET_LEN);
        }
        if (s->resumption != NULL) {
            memcpy(s->resumption, origin->resumption, KDF_SECRET_LEN);
            secret_wipe_registers(); /* copying went through them */
        }
        s->host = host;
        s->link = link;
        s->ref = *ref;
        s->ref.session = 0;
        s->suite = origin->suite;
        s->group = origin->group;
        (void)snprintf(s->source, sizeof s->source, "%s", origin->source);
    }
    return s;
}

void session_free(struct session **session)
{
    struct session *s = *session;
    if (s != NULL) {
        session_lost(s, REASON_NONE);
        session_requests_drop(s);
        session_guesses_drop(s);
        free(s->legs);
        free(s->requests);
        free(s->watched);
        secret_free(&s->resumption);
        free(s);
        *session = NULL;
    }
}

void session_send(struct session *s, const struct message *m)
{
    if (s->state == SESSION_ENDED) {
        return;
    }
    const enum reason failed = s->host->send(s->link, m);
    if (failed != REASON_NONE) {
        session_close(s, failed);
    }
}

static void log_left(const struct session *s, const char *how)
{
    const uint64_t now = s->host->now(s->host->context);
    const struct log_field fields[] = {
        LOG_TEXT("user", s->name.text), LOG_NUMBER("session", s->ref.session),
        LOG_TEXT("reason", how),        LOG_NUMBER("seconds", now > s->since ? (now - s->since) / 1000 : 0),
        LOG_TEXT("source", s->source),  { .key = NULL },
    };
    s->host->log(LOG_INFO, "left", fields);
}

/* The one way out. First out of the directory, then the news: whoever hears of it looks there and finds us gone. */
static void leave(struct session *s, const char *how)
{
    const enum session_state before = s->state;
    s->state = SESSION_ENDED;
    if (before == SESSION_IN) {
        (void)directory_remove(s->host->directory, &s->name, &s->ref);
        session_unwatch_all(s);
        session_legs_leave(s);
        log_left(s, how);
    }
}

void session_close(struct session *session, enum reason reason)
{
    if (session->state != SESSION_ENDED) {
        leave(session, reason_name(reason));
        session->host->end(session->link, reason, true);
    }
}

void session_lost(struct session *session, enum reason reason)
{
    if (session->state != SESSION_ENDED) {
        leave(session, reason == REASON_NONE ? "cut" : reason_name(reason));
    }
}

static void receive_before_login(struct session *s, const struct message *m)
{
    switch (m->type) {
    case MESSAGE_LOGIN:
    case MESSAGE_REGISTER:
    case MESSAGE_LOGIN_CHANGING:
    case MESSAGE_ACTIVATE:
        if (s->state != SESSION_LOGIN) {
            session_close(s, REASON_OUT_OF_ORDER);
            return;
        }
        session_login(s, m);
        return;
    case MESSAGE_CLOSE:
        leave(s, reason_name(m->close.reason));
        s->host->end(s->link, m->close.reason, false);
        return;
    default:
        session_close(s, REASON_OUT_OF_ORDER);
    }
}

static void receive_in(struct session *s, const struct message *m)
{
    switch (m->type) {
    case MESSAGE_OPEN:
        session_open(s, &m->open);
        return;
    case MESSAGE_LIST:
        session_list(s, &m->list);
        return;
    case MESSAGE_WHO:
        session_who(s, &m->who);
        return;
    case MESSAGE_CHANGE_PASSWORD:
        session_change_password(s, &m->change_password);
        return;
    case MESSAGE_DEACTIVATE:
        session_deactivate(s, &m->deactivate);
        return;
    case MESSAGE_PING:
        session_send(s, &(struct message){ .type = MESSAGE_PONG, .ping = m->ping });
        return;
    case MESSAGE_CLOSE:
        leave(s, reason_name(m->close.reason));
        s->host->end(s->link, m->close.reason, false);
        return;
    default:
        session_close(s, REASON_OUT_OF_ORDER);
    }
}

void session_receive(struct session *session, struct bytes plain)
{
    if (session->state == SESSION_ENDED) {
        return;
    }
    if (session->state == SESSION_IN && plain.len > 0 && plain.data[0] == MESSAGE_CIPHERTEXT) {
        session_relay(session, plain);
        return;
    }
    struct message m;
    switch (message_decode(plain, ROLE_CLIENT, &m)) {
    case MESSAGE_OK:
        if (session->state == SESSION_IN) {
            receive_in(session, &m);
        } else {
            receive_before_login(session, &m);
        }
        return;
    case MESSAGE_MALFORMED:
        session_close(session, REASON_MALFORMED);
        return;
    case MESSAGE_OUT_OF_PLACE:
        session_close(session, REASON_OUT_OF_ORDER);
        return;
    }
}

/* What somebody who isn't there any more can't take: a ciphertext's sender and a grant's other side hear of it. */
void session_mail_lost(const struct session_host *host, const struct mail *mail)
{
    if (mail->type == MAIL_CIPHERTEXT) {
        const struct mail_ciphertext *lost = (const struct mail_ciphertext *)mail;
        struct message m;
        struct mail_undelivered *answer = mail_new(MAIL_UNDELIVERED, &mail->from, &mail->to, 0);
        if (answer == NULL) {
            return;
        }
        if (message_decode((struct bytes){ lost->plain, lost->len }, ROLE_CLIENT, &m) != MESSAGE_OK) {
            mail_free(&answer->mail);
            return;
        }
        answer->what = (struct message_undelivered){ .conversation = m.ciphertext.conversation,
                                                     .epoch = m.ciphertext.epoch,
                                                     .sequence = m.ciphertext.sequence,
                                                     .reason = REASON_PEER_OFFLINE };
        host->post(host->context, &answer->mail);
    } else if (mail->type == MAIL_GRANT) {
        /* If it was the first of the two, the second sees that nobody is there: it may be the opener, who wants an answer. */
        conversation_pass_grant(host, (const struct mail_grant *)mail, &mail->from);
        const struct issue *issue = &((const struct mail_grant *)mail)->issue;
        const struct session_ref *other = session_ref_equal(&issue->a, &mail->to) ? &issue->b : &issue->a;
        struct mail_leg *answer = mail_new(MAIL_PEER_GONE, other, &mail->to, 0);
        if (answer != NULL) {
            answer->conversation = issue->conversation;
            host->post(host->context, &answer->mail);
        }
    }
}

static void peer_gone(struct session *s, const struct mail_leg *mail)
{
    struct leg *leg = session_leg_find(s, mail->conversation);
    /* The leg may have been turned to the peer's next session since. */
    if (leg != NULL && !leg->gone && session_ref_equal(&leg->peer, &mail->mail.from)) {
        const struct name name = leg->peer_name;
        session_leg_gone(s, leg);
        session_report(s, &name);
    }
}

void session_mail(struct session *session, const struct mail *mail)
{
    if (session->state != SESSION_IN || !session_ref_equal(&mail->to, &session->ref)) {
        session_mail_lost(session->host, mail);
        return;
    }
    switch (mail->type) {
    case MAIL_GRANT:
        session_take_grant(session, (const struct mail_grant *)mail);
        return;
    case MAIL_CIPHERTEXT: {
        const struct mail_ciphertext *m = (const struct mail_ciphertext *)mail;
        session_pass(session, &mail->from, (struct bytes){ m->plain, m->len });
        return;
    }
    case MAIL_UNDELIVERED:
        session_send(session, &(struct message){ .type = MESSAGE_UNDELIVERED,
                                                 .undelivered = ((const struct mail_undelivered *)mail)->what });
        return;
    case MAIL_REFUSED: {
        const struct message_refused *what = &((const struct mail_refused *)mail)->what;
        session_refuse(session, what->request, what->reason, what->retry_after);
        return;
    }
    case MAIL_PEER_GONE:
        peer_gone(session, (const struct mail_leg *)mail);
        return;
    case MAIL_CREDIT:
        session_take_credit(session, (const struct mail_credit *)mail);
        return;
    case MAIL_CAME_ONLINE:
        session_watch_fired(session, &((const struct mail_name *)mail)->name);
        return;
    case MAIL_END:
        session_close(session, ((const struct mail_end *)mail)->reason);
        return;
    case MAIL_EXPIRES:
        session->expires = ((const struct mail_expires *)mail)->expires;
        session->host->rescheduled(session->link);
        return;
    case MAIL_UNISSUED:
        session_take_unissued(session, (const struct mail_issue *)mail);
        return;
    case MAIL_ISSUE: /* not for sessions */
        return;
    }
}

void session_job_done(struct session *session, struct job *job)
{
    if (session->state == SESSION_ENDED) {
        return;
    }
    if (job->busy && job->class == JOB_SQL && !session_guess_asks(job)) {
        session_request_displaced(session, (struct request_job *)job); /* it begins with the job */
        return;
    }
    job->done(job, session);
}

bool session_may_move(const struct session *session)
{
    return session->state == SESSION_IN && session->live_legs == 0 && session->jobs == 0 &&
           session->waiting_oldest == NULL && session->guesses == NULL;
}

void session_moved(struct session *session, const struct session_host *host, uint32_t seat)
{
    session->host = host;
    session->ref.seat = seat;
}

bool session_is_in(const struct session *session)
{
    return session->state == SESSION_IN;
}

bool session_is_over(const struct session *session)
{
    return session->state == SESSION_ENDED;
}

uint64_t session_expires(const struct session *session)
{
    return session->expires;
}

bool session_is_congested(const struct session *session)
{
    return session->congested;
}

const struct name *session_name(const struct session *session)
{
    return &session->name;
}

const struct session_ref *session_ref_of(const struct session *session)
{
    return &session->ref;
}

int session_room_for_one(void **array, size_t count, size_t *room, size_t size)
{
    if (count < *room) {
        return 0;
    }
    const size_t next = *room == 0 ? 2 : *room * 2;
    void *grown = reallocarray(*array, next, size);
    if (grown == NULL) {
        return -1;
    }
    *array = grown;
    *room = next;
    return 0;
}
