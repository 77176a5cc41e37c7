#include "kdc/session_internal.h"

#include "wire/codec.h"
#include "wire/name.h"

#include <stdlib.h>
#include <string.h>

/*
 * Flow (docs/protocol.md section 6.2). What a client has said in a conversation is under way until `credit` gives it back, and
 * every byte is given back once: when the peer's session gives credit for it, when the leg that counts it ends, or at once when
 * it isn't passed on. A client's count is therefore what its leg counts, and what is on the way between the two, in
 * either direction. From that follows:
 *
 * - who keeps to the window never finds it full here, so it is never held;
 * - nobody gets credit for what it didn't say;
 * - a credit needs no word of which pairing of sessions it is about, and may come before or behind any grant: those
 *   bytes are in the client's count until just then.
 */
#define SEALED_MIN 17 /* one byte and the shortest tag */
#define WINDOW CONVERSATION_WINDOW

/* Where the conversation's leg is, or would be. */
static size_t position(const struct session *s, uint64_t conversation)
{
    size_t low = 0;
    size_t high = s->leg_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (s->legs[middle].conversation < conversation) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct leg *session_leg_find(struct session *s, uint64_t conversation)
{
    const size_t i = position(s, conversation);
    return i < s->leg_count && s->legs[i].conversation == conversation ? &s->legs[i] : NULL;
}

bool session_leg_with(const struct session *s, const struct name *peer)
{
    for (size_t i = 0; i < s->leg_count; i++) {
        if (!s->legs[i].gone && name_equal(&s->legs[i].peer_name, peer)) {
            return true;
        }
    }
    return false;
}

static void post_gone(const struct session *s, const struct leg *leg)
{
    struct mail_leg *mail = mail_new(MAIL_PEER_GONE, &leg->peer, &s->ref, 0);
    if (mail != NULL) {
        mail->conversation = leg->conversation;
        s->host->post(s->host->context, &mail->mail);
    }
}

static void set_held(struct session *s, struct leg *leg, bool held)
{
    if (leg->held != held) {
        leg->held = held;
        s->holds += held ? 1u : -1u;
        if (s->holds == (held ? 1u : 0u)) {
            s->host->hold(s->link, held);
        }
    }
}

static void count_live(struct session *s, int change)
{
    s->live_legs += (size_t)change;
    counter_add(&s->host->counters->conversations, change);
    directory_set_conversations(s->host->directory, &s->name, &s->ref, (uint32_t)s->live_legs);
}

static bool post_credit(const struct session *s, const struct session_ref *to, uint64_t conversation, size_t bytes)
{
    struct mail_credit *mail = mail_new(MAIL_CREDIT, to, &s->ref, 0);
    if (mail != NULL) {
        mail->conversation = conversation;
        mail->bytes = bytes;
        s->host->post(s->host->context, &mail->mail);
    }
    return mail != NULL;
}

/* To our client, of what it has said itself. May end the session, and with it all legs. */
static void give_back(struct session *s, uint64_t conversation, size_t bytes)
{
    if (bytes > 0) {
        session_send(s, &(struct message){ .type = MESSAGE_CREDIT,
                                           .credit = { .conversation = conversation, .bytes = (uint32_t)bytes } });
    }
}

void session_leg_gone(struct session *s, struct leg *leg)
{
    const struct leg before = *leg;
    set_held(s, leg, false);
    leg->in_flight = 0;
    leg->owed = 0;
    leg->gone = true;
    count_live(s, -1);
    if (before.owed > 0) {
        /* It may count on: this leg may have ended by news that were late. */
        (void)post_credit(s, &before.peer, before.conversation, before.owed);
    }
    give_back(s, before.conversation, before.in_flight);
}

/* The leg that is missed least: one whose peer is gone, else the one that has been silent for longest. */
static size_t least_missed(const struct session *s)
{
    size_t best = 0;
    for (size_t i = 1; i < s->leg_count; i++) {
        const struct leg *a = &s->legs[i];
        const struct leg *b = &s->legs[best];
        if (a->gone != b->gone ? a->gone : a->used < b->used) {
            best = i;
        }
    }
    return best;
}

static void evict(struct session *s, size_t i)
{
    if (!s->legs[i].gone) {
        const struct leg leg = s->legs[i];
        session_leg_gone(s, &s->legs[i]);
        post_gone(s, &leg);
    }
    if (s->state == SESSION_ENDED) {
        return;
    }
    s->leg_count--;
    memmove(&s->legs[i], &s->legs[i + 1], (s->leg_count - i) * sizeof *s->legs);
}

struct leg *session_leg_set(struct session *s, uint64_t conversation, const struct session_ref *peer,
                            const struct name *peer_name)
{
    struct leg *leg = session_leg_find(s, conversation);
    if (leg == NULL) {
        while (s->leg_count > 0 && s->leg_count >= s->host->config->conversations_max) {
            evict(s, least_missed(s));
        }
        if (s->state == SESSION_ENDED) {
            return NULL;
        }
        void *array = s->legs;
        const int room = session_room_for_one(&array, s->leg_count, &s->leg_room, sizeof *s->legs);
        s->legs = array;
        if (room != 0) {
            return NULL;
        }
        const size_t i = position(s, conversation);
        memmove(&s->legs[i + 1], &s->legs[i], (s->leg_count - i) * sizeof *s->legs);
        s->leg_count++;
        leg = &s->legs[i];
        *leg = (struct leg){ .conversation = conversation, .gone = true };
    }
    if (!leg->gone && !session_ref_equal(&leg->peer, peer)) {
        session_leg_gone(s, leg); /* the peer's older session: its news are on their way and will find this one */
        if (s->state == SESSION_ENDED) {
            return NULL;
        }
    }
    if (!session_ref_equal(&leg->peer, peer)) { /* else it keeps its way: what is said there stays in order */
        leg->peer = *peer;
    }
    if (leg->gone) {
        leg->gone = false;
        count_live(s, 1);
    }
    leg->peer_name = *peer_name;
    leg->used = ++s->uses;
    return leg;
}

void session_legs_leave(struct session *s)
{
    for (size_t i = 0; i < s->leg_count; i++) {
        if (!s->legs[i].gone) {
            post_gone(s, &s->legs[i]);
        }
    }
    counter_add(&s->host->counters->conversations, -(int64_t)s->live_legs);
    s->leg_count = 0;
    s->live_legs = 0;
    s->holds = 0;
}

/* ---- ciphertexts ---- */

/* Of `bytes` bytes, which are not under way then. */
static void undelivered(struct session *s, const struct message_ciphertext *m, size_t bytes, enum reason reason)
{
    counter_add(&s->host->counters->refused[reason], 1);
    session_send(s, &(struct message){ .type = MESSAGE_UNDELIVERED,
                                       .undelivered = { .conversation = m->conversation,
                                                        .epoch = m->epoch,
                                                        .sequence = m->sequence,
                                                        .reason = reason } });
    give_back(s, m->conversation, bytes);
}

/* The way of most bytes: the header is looked at, the rest is passed on as it is. */
void session_relay(struct session *s, struct bytes plain)
{
    struct reader r;
    struct message_ciphertext m;
    reader_init(&r, plain.data, plain.len);
    (void)reader_u8(&r);
    m.conversation = reader_u64(&r);
    m.epoch = reader_u32(&r);
    m.sequence = reader_u64(&r);
    m.sealed = reader_rest(&r, SEALED_MIN, SIZE_MAX);
    if (reader_end(&r) != 0) {
        session_close(s, REASON_MALFORMED);
        return;
    }
    if (m.sealed.len > MESSAGE_SEALED_MAX) {
        undelivered(s, &m, plain.len, REASON_TEXT_LENGTH);
        return;
    }
    struct leg *leg = session_leg_find(s, m.conversation);
    if (leg == NULL) {
        undelivered(s, &m, plain.len, REASON_NO_CONVERSATION);
        return;
    }
    if (leg->gone || !s->host->pass(s->host->context, &leg->peer, &s->ref, plain)) {
        undelivered(s, &m, plain.len, REASON_PEER_OFFLINE);
        return;
    }
    counter_add(&s->host->counters->messages, 1);
    leg->used = ++s->uses;
    if (leg->in_flight >= WINDOW) {
        /* Our client doesn't keep to the window: this one passes, and the next isn't read. */
        set_held(s, leg, true);
    }
    leg->in_flight += plain.len;
}

static void give_credit(const struct session *s, struct leg *leg)
{
    if (post_credit(s, &leg->peer, leg->conversation, leg->owed)) {
        leg->owed = 0;
    }
}

/* Credit is given in large pieces, and none while too much waits for our client: so those who talk with it stop, and what
 * they can still have on its way here is bounded by their windows. */
static void account(struct session *s, struct leg *leg, const struct session_ref *from, size_t bytes)
{
    if (leg->gone || !session_ref_equal(&leg->peer, from)) {
        /* What no leg owes would stay in the sender's window for ever. */
        (void)post_credit(s, from, leg->conversation, bytes);
        return;
    }
    leg->owed += bytes;
    if (!s->congested && leg->owed >= WINDOW / 2) {
        give_credit(s, leg);
    }
}

static void set_congested(struct session *s, bool congested)
{
    s->congested = congested;
    directory_set_congested(s->host->directory, &s->name, &s->ref, congested);
}

void session_watch_output(struct session *s)
{
    if (!s->congested && s->state == SESSION_IN && s->host->waiting(s->link) > s->host->config->output_max / 2) {
        set_congested(s, true);
    }
}

void session_pass(struct session *session, const struct session_ref *from, struct bytes plain)
{
    struct reader r;
    if (session->state != SESSION_IN) {
        return;
    }
    reader_init(&r, plain.data, plain.len);
    (void)reader_u8(&r);
    const uint64_t conversation = reader_u64(&r);
    struct leg *leg = session_leg_find(session, conversation);
    if (leg == NULL) {
        /* Our client has no grant for it: it was dropped, as its sender is being taken over; or the leg has made way. */
        (void)post_credit(session, from, conversation, plain.len);
        return;
    }
    const enum reason failed = session->host->send_plain(session->link, plain);
    if (failed != REASON_NONE) {
        session_close(session, failed);
        return;
    }
    session_watch_output(session);
    account(session, leg, from, plain.len);
}

void session_drained(struct session *session)
{
    if (!session->congested) {
        return;
    }
    set_congested(session, false);
    for (size_t i = 0; i < session->leg_count; i++) {
        if (session->legs[i].owed >= WINDOW / 2) {
            give_credit(session, &session->legs[i]);
        }
    }
}

void session_take_credit(struct session *s, const struct mail_credit *mail)
{
    struct leg *leg = session_leg_find(s, mail->conversation);
    if (leg == NULL || leg->gone || !session_ref_equal(&leg->peer, &mail->mail.from)) {
        return; /* given back when that leg ended */
    }
    /* The peer's session may also tell of bytes from before the leg was made anew. */
    const size_t bytes = mail->bytes < leg->in_flight ? mail->bytes : leg->in_flight;
    leg->in_flight -= bytes;
    if (leg->in_flight < WINDOW) {
        set_held(s, leg, false);
    }
    give_back(s, mail->conversation, bytes);
}
