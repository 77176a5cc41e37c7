#include "kdc/connection.h"

#include "crypto/secret.h"
#include "kdc/account_changes.h"
#include "wire/frame.h"
#include "wire/reason.h"

#include <stdlib.h>
#include <string.h>

/* The handshake's object and what it was begun under, while a worker computes with it. */
struct handshake_job {
    struct job job;
    struct handshake_server *handshake;
    struct live_config *policy;
};

static void run_handshake(struct job *job, struct accounts *accounts)
{
    (void)accounts;
    handshake_server_compute(((struct handshake_job *)job)->handshake);
}

static void destroy_handshake(struct job *job)
{
    struct handshake_job *h = (struct handshake_job *)job;
    handshake_server_free(&h->handshake);
    live_config_drop(&h->policy);
    free(h);
}

/* The result: back into the connection's hands, and the answer on its way. */
static void reply(struct job *job, void *owner)
{
    struct handshake_job *h = (struct handshake_job *)job;
    struct connection *c = owner;
    if (c->phase != CONNECTION_COMPUTING) {
        return;
    }
    if (job->busy) {
        connection_alert(c, REASON_BUSY, job->retry_after);
        return;
    }
    c->handshake = h->handshake;
    c->policy = h->policy;
    h->handshake = NULL;
    h->policy = NULL;
    c->phase = CONNECTION_HANDSHAKE;
    const enum reason failed = handshake_server_reply(c->handshake, &c->out);
    if (failed != REASON_NONE) {
        connection_alert(c, failed, 0);
        return;
    }
    connection_mark_unsent(c);
}

void connection_handshake_done(struct connection *c, struct job *job)
{
    job->done(job, c);
}

static void compute(struct connection *c)
{
    struct handshake_job *h = calloc(1, sizeof *h);
    if (h == NULL) {
        connection_alert(c, REASON_INTERNAL, 0);
        return;
    }
    h->job = (struct job){ .class = JOB_HANDSHAKE,
                           .run = run_handshake,
                           .done = reply,
                           .destroy = destroy_handshake,
                           .owner = c->ref,
                           .source = c->admission };
    h->handshake = c->handshake;
    h->policy = c->policy;
    c->handshake = NULL;
    c->policy = NULL;
    c->phase = CONNECTION_COMPUTING;
    c->with_worker = &h->job;
    worker_pool_submit(c->reactor->server->pool, &h->job);
}

static void log_done(const struct connection *c, const struct handshake_keys *keys)
{
    log_line(LOG_DEBUG, "handshake done", LOG_TEXT("source", c->source), LOG_TEXT("group", keys->group->name),
             LOG_TEXT("suite", keys->suite->name), LOG_TEXT("ticket", keys->resumed ? "taken" : "none"));
}

/* ---- the client's ticket ---- */

/* Secret memory. What the handshake asks about tickets, and what the one that it took says. The handshake's object, which may be
 * with a worker while the connection goes, doesn't look at it there. */
struct connection_offer {
    struct handshake_tickets tickets;
    struct reactor *reactor;
    struct ticket ticket;
};

static bool open_ticket(void *context, struct bytes sealed, uint8_t secret[KDF_SECRET_LEN])
{
    struct connection_offer *offer = context;
    const struct session_host *host = &offer->reactor->host;
    if (host->changes == NULL || ticket_open(sealed, host->tickets, host->now(host->context), &offer->ticket) != 0 ||
        !account_changes_holds(host->changes, offer->ticket.user, offer->ticket.epoch)) {
        return false;
    }
    memcpy(secret, offer->ticket.secret, KDF_SECRET_LEN);
    return true;
}

/* 0, or -1 when memory is out. */
static int take_offers(struct connection *c)
{
    if (c->reactor->host.tickets == NULL) {
        return 0;
    }
    c->offer = secret_alloc(sizeof *c->offer);
    if (c->offer == NULL) {
        return -1;
    }
    c->offer->tickets = (struct handshake_tickets){ .context = c->offer, .open = open_ticket };
    c->offer->reactor = c->reactor;
    return 0;
}

void connection_drop_offer(struct connection *c)
{
    secret_free(&c->offer);
}

/* ---- */

/* Both hold the keys: from here on there are records only. */
static int begin_session(struct connection *c, const struct handshake_keys *keys)
{
    const struct session_origin origin = {
        .source = c->source, .suite = keys->suite->id, .group = keys->group->id, .resumption = keys->resumption
    };
    c->channel = secret_alloc(sizeof *c->channel);
    if (c->channel == NULL || record_init(&c->channel->in, keys->suite, keys->client_traffic) != 0 ||
        record_init(&c->channel->out, keys->suite, keys->server_traffic) != 0) {
        return -1;
    }
    c->session = session_new(&c->reactor->host, c, &c->ref, &origin);
    if (c->session == NULL) {
        return -1;
    }
    c->phase = CONNECTION_SESSION;
    timer_wheel_set(&c->reactor->wheel, &c->timer,
                    c->accepted + (uint64_t)c->reactor->live->config.login_deadline * 1000);
    counter_add(&c->reactor->counters.handshakes, 1);
    log_done(c, keys);
    handshake_server_free(&c->handshake);
    live_config_drop(&c->policy);
    if (keys->resumed) {
        session_resume(c->session, &c->offer->ticket);
    }
    connection_drop_offer(c);
    return 0;
}

static bool is_alert(struct connection *c, struct bytes frame)
{
    struct alert alert;
    if (frame_get_alert(frame, &alert) != 0) {
        return false;
    }
    connection_log(c, LOG_INFO, "the client gave up the handshake", alert.reason);
    connection_lost(c, alert.reason);
    return true;
}

static int begin_handshake(struct connection *c)
{
    if (take_offers(c) != 0) {
        return -1;
    }
    c->policy = live_config_hold(c->reactor->live);
    c->handshake = handshake_server_new(&c->policy->config.handshake, c->reactor->server->identity,
                                        c->offer != NULL ? &c->offer->tickets : NULL, c->reactor->host.rng);
    return c->handshake == NULL ? -1 : 0;
}

void connection_plain_frame(struct connection *c, struct bytes frame)
{
    if (is_alert(c, frame)) {
        return;
    }
    if (c->phase == CONNECTION_COMPUTING) {
        connection_alert(c, REASON_OUT_OF_ORDER, 0);
        return;
    }
    if (c->handshake == NULL && begin_handshake(c) != 0) {
        connection_alert(c, REASON_INTERNAL, 0);
        return;
    }
    struct handshake_keys keys = { 0 };
    enum reason reason = REASON_NONE;
    switch (handshake_server_frame(c->handshake, frame, &c->out, &keys, &reason)) {
    case HANDSHAKE_SERVER_FAILED:
        connection_alert(c, reason, 0);
        break;
    case HANDSHAKE_SERVER_RETRY:
        connection_mark_unsent(c);
        break;
    case HANDSHAKE_SERVER_COMPUTE:
        compute(c);
        break;
    case HANDSHAKE_SERVER_DONE:
        if (begin_session(c, &keys) != 0) { /* too late for a plain frame */
            connection_lost(c, REASON_INTERNAL);
        }
        break;
    }
    secret_wipe(&keys, sizeof keys);
}
