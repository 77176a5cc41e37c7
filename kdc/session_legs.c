#include "kdc/session_internal.h"

#include "wire/codec.h"
#include "wire/name.h"

#include <stdlib.h>
#include <string.h>

#define SEALED_MIN 17 /* one byte and the shortest tag */
#define WINDOW 32768u /* bytes that one session may have on their way to another */

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

void session_leg_gone(struct session *s, struct leg *leg)
{
    set_held(s, leg, false);
    leg->in_flight = 0;
    leg->owed = 0;
    leg->gone = true;
    count_live(s, -1);
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
        post_gone(s, &s->legs[i]);
        session_leg_gone(s, &s->legs[i]);
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
    }
    if (leg->gone) {
        leg->gone = false;
        count_live(s, 1);
    }
    leg->peer = *peer;
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

static void undelivered(struct session *s, const struct message_ciphertext *m, enum reason reason)
{
    counter_add(&s->host->counters->refused[reason], 1);
    session_send(s, &(struct message){ .type = MESSAGE_UNDELIVERED,
                                       .undelivered = { .conversation = m->conversation,
                                                        .epoch = m->epoch,
                                                        .sequence = m->sequence,
                                                        .reason = reason } });
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
        undelivered(s, &m, REASON_TEXT_LENGTH);
        return;
    }
    struct leg *leg = session_leg_find(s, m.conversation);
    if (leg == NULL) {
        undelivered(s, &m, REASON_NO_CONVERSATION);
        return;
    }
    if (leg->gone || !s->host->pass(s->host->context, &leg->peer, &s->ref, plain)) {
        undelivered(s, &m, REASON_PEER_OFFLINE);
        return;
    }
    counter_add(&s->host->counters->messages, 1);
    leg->used = ++s->uses;
    leg->in_flight += plain.len;
    set_held(s, leg, leg->in_flight >= WINDOW);
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

static void give_credit(const struct session *s, struct leg *leg)
{
    if (post_credit(s, &leg->peer, leg->conversation, leg->owed)) {
        leg->owed = 0;
    }
}

/* Credit is given in large pieces, and none while too much waits for our client: so those who send to it stop reading from
 * theirs, and what they can still have on its way here is bounded by their windows. */
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
    if (session->host->waiting(session->link) > session->host->config->output_max / 2) {
        session->congested = true;
    }
    account(session, leg, from, plain.len);
}

void session_drained(struct session *session)
{
    if (!session->congested) {
        return;
    }
    session->congested = false;
    for (size_t i = 0; i < session->leg_count; i++) {
        if (session->legs[i].owed >= WINDOW / 2) {
            give_credit(session, &session->legs[i]);
        }
    }
}

void session_take_credit(struct session *s, const struct mail_credit *mail)
{
    struct leg *leg = session_leg_find(s, mail->conversation);
    if (leg != NULL && !leg->gone && session_ref_equal(&leg->peer, &mail->mail.from)) {
        leg->in_flight -= mail->bytes < leg->in_flight ? mail->bytes : leg->in_flight;
        set_held(s, leg, leg->in_flight >= WINDOW);
    }
}
