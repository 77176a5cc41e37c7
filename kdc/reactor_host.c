/*
 * reactor_host.c: the world that a session acts through (struct session_host), made of connections, reactors and workers.
 */
#include "kdc/clock.h"
#include "kdc/connection.h"
#include "kdc/mailer.h"
#include "wire/reason.h"

#include <stdlib.h>
#include <string.h>

void reactor_touch_clock(struct reactor *reactor)
{
    reactor->now = clock_read_us(CLOCK_MONOTONIC_COARSE) / 1000;
    inbox_stay_awake(&reactor->inbox);
}

static uint64_t host_now(void *context)
{
    (void)context;
    return clock_wall_ms();
}

static uint64_t host_session_number(void *context)
{
    struct reactor *reactor = context;
    return atomic_fetch_add_explicit(&reactor->server->next_session, 1, memory_order_relaxed);
}

static void post_own(struct reactor *reactor, struct mail *mail)
{
    mail->item.kind = REACTOR_MAIL;
    mail->item.next = NULL;
    if (reactor->own_newest != NULL) {
        reactor->own_newest->next = &mail->item;
    } else {
        reactor->own_oldest = &mail->item;
    }
    reactor->own_newest = &mail->item;
}

static void host_post(void *context, struct mail *mail)
{
    struct reactor *reactor = context;
    if (mail->to.seat == reactor->number) {
        post_own(reactor, mail);
    } else {
        reactor_mail(reactor->server->reactors[mail->to.seat], mail);
    }
}

static int host_issue(void *context, struct mail_issue *mail, uint32_t *retry_after)
{
    const struct reactor *reactor = context;
    return journal_issue(reactor->server->journal, mail, retry_after);
}

static void host_record(void *context, const struct journal_event *event)
{
    const struct reactor *reactor = context;
    journal_event(reactor->server->journal, event);
}

static int host_mail(void *context, const struct letter *letter)
{
    const struct reactor *reactor = context;
    struct mailer *mailer = reactor->server->mailer;
    if (mailer == NULL) {
        return -1;
    }
    return letter == NULL ? (mailer_has_room(mailer) ? 0 : -1) : mailer_post(mailer, letter);
}

/* On a worker. */
static void host_account_changed(void *context, const struct name *name, const struct session_ref *keep,
                                 enum reason reason)
{
    const struct reactor *reactor = context;
    static const struct session_ref nobody;
    struct directory_entry entry;
    (void)!journal_refresh(reactor->server->journal); /* if it can't be done now, it is within a second or two */
    if (!directory_find(reactor->server->directory, name, &entry) ||
        (keep != NULL && session_ref_equal(keep, &entry.ref))) {
        return;
    }
    struct mail_end *mail = mail_new(MAIL_END, &entry.ref, &nobody, 0);
    if (mail != NULL) {
        mail->reason = reason;
        reactor_mail(reactor->server->reactors[entry.ref.seat], &mail->mail);
    }
}

static bool pass_on(struct reactor *reactor, const struct session_ref *to, const struct session_ref *from,
                    struct bytes plain, uint32_t seat)
{
    struct mail_ciphertext *mail = mail_stock_take(&reactor->mails, to, from, plain.len);
    if (mail == NULL) {
        return false;
    }
    mail->len = plain.len;
    memcpy(mail->plain, plain.data, plain.len);
    mail->mail.to.seat = seat;
    reactor_mail(reactor->server->reactors[seat], &mail->mail);
    return true;
}

static bool host_pass(void *context, const struct session_ref *to, const struct session_ref *from, struct bytes plain)
{
    struct reactor *reactor = context;
    reactor->talked = reactor->now;
    const uint32_t seat = to->seat == reactor->number ? reactor_seat_of(reactor, to) : to->seat;
    if (seat != reactor->number) {
        return pass_on(reactor, to, from, plain, seat);
    }
    struct connection *c = reactor_find_session(reactor, to);
    if (c == NULL || c->session == NULL || !session_is_in(c->session)) {
        return false;
    }
    session_pass(c->session, from, plain);
    return true;
}

static enum reason host_send(void *link, const struct message *message)
{
    return connection_send(link, message);
}

static enum reason host_send_plain(void *link, struct bytes plain)
{
    return connection_send_plain(link, plain);
}

static size_t host_waiting(void *link)
{
    const struct connection *c = link;
    return buffer_len(&c->out);
}

static void host_hold(void *link, bool on)
{
    struct connection *c = link;
    c->held = on;
    connection_update_reading(c);
    if (!on && c->partial_len > 0 && !c->resumed) {
        c->resumed = true;
        c->next_resumed = c->reactor->resumed;
        c->reactor->resumed = c;
    }
}

static void host_logged_in(void *link)
{
    connection_logged_in(link);
}

static void host_rescheduled(void *link)
{
    connection_rescheduled(link);
}

static void host_end(void *link, enum reason reason, bool tell)
{
    struct connection *c = link;
    if (reason != REASON_NONE && tell) {
        counter_add(&c->reactor->counters.refused[reason], 1);
    }
    if (!c->logged_in) {
        connection_log(c, LOG_INFO, "closed before login", reason);
    }
    if (tell) {
        connection_send_close(c, reason);
    }
    connection_finish(c);
}

static void host_bring_together(void *link, const struct directory_entry *peer)
{
    reactor_bring_together(link, peer);
}

static struct admission_source host_origin(void *link)
{
    return ((const struct connection *)link)->admission;
}

static void host_delay(void *link, uint32_t ms)
{
    connection_delay(link, ms);
}

static void host_submit(void *link, struct job *job)
{
    struct connection *c = link;
    job->owner = c->ref;
    job->source = c->admission;
    if (job->class == JOB_PASSWORD) {
        c->with_worker = job;
    }
    worker_pool_submit(c->reactor->server->pool, job);
}

void reactor_fill_host(struct reactor *reactor)
{
    reactor->host = (struct session_host){
        .context = reactor,
        .config = &reactor->live->config,
        .passwords = reactor->live->passwords,
        .rng = &rng_system,
        .directory = reactor->server->directory,
        .counters = &reactor->counters,
        .tickets = reactor->server->tickets,
        .changes = reactor->server->changes,
        .penalties = reactor->server->penalties,
        .registrations = reactor->server->registrations,
        .openings = reactor->server->openings,
        .now = host_now,
        .session_number = host_session_number,
        .post = host_post,
        .issue = host_issue,
        .record = host_record,
        .account_changed = host_account_changed,
        .mail = host_mail,
        .pass = host_pass,
        .log = log_event,
        .send = host_send,
        .send_plain = host_send_plain,
        .waiting = host_waiting,
        .hold = host_hold,
        .logged_in = host_logged_in,
        .rescheduled = host_rescheduled,
        .end = host_end,
        .bring_together = host_bring_together,
        .origin = host_origin,
        .delay = host_delay,
        .submit = host_submit,
    };
}
