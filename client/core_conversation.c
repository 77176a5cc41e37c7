/* core_conversation.c: epochs taken, what arrives under them, and when a new epoch is due (protocol.md section 5). What goes
 * out under them: core_sending.c. */
#include "client/core_internal.h"

#include "crypto/secret.h"

#include <string.h>

/* ---- a new epoch, when the newest has served its time ---- */

/* A little earlier than the KDC says, by chance: so that seldom both of two ask. */
static uint64_t a_little_less(const struct core *core, uint64_t value)
{
    return value == UINT64_MAX ? value : value - core_random(core, value / 8);
}

void conversation_rekey_if_due(struct core *core, struct peer *peer)
{
    if (peer->epoch == NULL || peer->opening != OPENING_NO)
        return;
    uint64_t sent = epoch_sent(peer->epoch);
    /* The first message, the confirm, is no use of the key: an epoch in which nobody speaks may stay. */
    if (sent > 1 && (sent - 1 >= peer->rekey_after || core_now(core) >= peer->rekey_at)) {
        trace_line(core, "a new key is due: conversation %llu, epoch %u, %llu messages sent",
                   (unsigned long long)peer->conversation, epoch_number(peer->epoch), (unsigned long long)sent);
        peer_want_open(peer, peer_calm(core, peer));
    }
}

/* ---- grants ---- */

/* Numbers of conversations never change hands: at most a KDC with another database gives them anew. */
static bool take_number(struct core *core, uint64_t conversation, const struct name *other)
{
    struct peer *known = peer_by_conversation(core, conversation);
    if (known == NULL || name_equal(&known->name, other))
        return true;
    if (known->epoch != NULL)
        return false;
    known->newest_epoch = 0;
    return true;
}

/* The request that the grant answers, if it names one. False when it is none of ours. */
static bool take_open_request(struct core *core, const struct message_grant *m)
{
    struct request request;
    if (m->request == 0)
        return true;
    if (!request_take(core, m->request, &request) || request.kind != REQUEST_OPEN ||
        !name_equal(&request.name, &m->b) || !name_equal(&m->a, &core->self))
        return false;
    struct peer *peer = peer_find(core, &request.name);
    if (peer != NULL) {
        peer->opening = OPENING_NO;
        peer->open_wanted = false;
        peer->open_tries = 0;
    }
    return true;
}

static void take_epoch(struct core *core, struct peer *peer, struct epoch *epoch)
{
    epoch_free(&peer->previous);
    peer->previous = peer->epoch;
    if (peer->previous != NULL)
        epoch_stop_sending(peer->previous);
    peer->epoch = epoch;
    peer->conversation = epoch_conversation(epoch);
    peer->newest_epoch = epoch_number(epoch);
    peer->confirm_due = true;
    peer->repaired = false;
    peer->open_before = false;
    if (peer->opening != OPENING_ASKED)
        peer->opening = OPENING_NO;
    peer->rekey_after = a_little_less(core, core->rekey_messages);
    uint64_t age = a_little_less(core, core->rekey_ms);
    peer->rekey_at = age == UINT64_MAX ? UINT64_MAX : core_now(core) + age;
    outbox_rewind(&peer->outbox);
}

void conversation_grant(struct core *core, const struct message_grant *m)
{
    bool is_a = name_equal(&m->a, &core->self);
    bool is_b = name_equal(&m->b, &core->self);
    const struct name *other = is_a ? &m->b : &m->a;
    /* A grant for another session of ours would be an old one, played again. */
    bool for_us = (is_a ? m->session_a : m->session_b) == core->session;
    if (is_a == is_b || !for_us || !take_open_request(core, m) || !take_number(core, m->conversation, other)) {
        core_fail_close(core, REASON_MALFORMED, KC_PROTOCOL);
        return;
    }
    struct peer *peer = peer_get(core, other);
    if (peer != NULL && peer->conversation != m->conversation) {
        peer->newest_epoch = 0;
        peer->in_flight = 0;
    }
    if (peer == NULL || m->epoch <= peer->newest_epoch) {
        trace_line(core, "epoch ignored: conversation %llu, epoch %u (%s)", (unsigned long long)m->conversation,
                   m->epoch, peer == NULL ? "too many conversations" : "not newer than the one at hand");
        return;
    }
    struct epoch *epoch = epoch_new(m, &core->self);
    if (epoch == NULL) {
        core_fail_close(core, REASON_MALFORMED, KC_PROTOCOL);
        return;
    }
    take_epoch(core, peer, epoch);
    /* Before any event: the application may send from within it, and the confirm is the first message of its epoch. */
    if (!conversation_confirm(core, peer))
        return;
    trace_epoch(core, m);
    core_emit(core, &(struct kc_event){
                        .type = KC_EVENT_OPENED,
                        .peer = peer->name.text,
                        .suite = epoch_suite(epoch)->name,
                        .conversation = m->conversation,
                        .epoch = m->epoch,
                        .by_peer = is_b,
                    });
    conversation_flush(core, peer);
}

/* ---- messages ---- */

static struct arrival *arrival_of(struct core *core, struct peer *peer, uint64_t instance)
{
    struct arrival *oldest = &peer->arrivals[0];
    struct arrival *found = NULL;
    for (size_t i = 0; i < peer->arrival_count && found == NULL; i++) {
        struct arrival *arrival = &peer->arrivals[i];
        if (arrival->instance == instance)
            found = arrival;
        else if (arrival->used < oldest->used)
            oldest = arrival;
    }
    if (found == NULL) {
        found = peer->arrival_count < INSTANCES_MAX ? &peer->arrivals[peer->arrival_count++] : oldest;
        *found = (struct arrival){ .instance = instance };
    }
    found->used = ++core->uses;
    return found;
}

static void text_arrived(struct core *core, struct peer *peer, const struct message_ciphertext *m,
                         const struct content *content)
{
    if (core->send_only) {
        trace_line(core, "text %llu from %s is not taken: this client only sends", (unsigned long long)content->number,
                   peer->name.text);
        return;
    }
    struct arrival *arrival = arrival_of(core, peer, content->instance);
    arrival->receipt_due = true;
    if (content->number <= arrival->last) {
        trace_line(core, "text %llu from %s is here already", (unsigned long long)content->number, peer->name.text);
        return;
    }
    arrival->last = content->number;
    core_emit(core, &(struct kc_event){
                        .type = KC_EVENT_TEXT,
                        .peer = peer->name.text,
                        .conversation = m->conversation,
                        .epoch = m->epoch,
                        .sequence = m->sequence,
                        .time = core->host.wall(core->host.context),
                        .text = (const char *)content->text.data,
                        .text_len = content->text.len,
                    });
}

static void receipt_arrived(struct core *core, struct peer *peer, const struct content *content)
{
    uint64_t number = 0;
    if (content->instance != core->instance || outbox_received(&peer->outbox, content->number, &number) == 0)
        return;
    core_emit(core, &(struct kc_event){ .type = KC_EVENT_DELIVERED, .peer = peer->name.text, .number = number });
}

/* A message that must have been for us doesn't open: the other side is to start afresh, once for each epoch. */
static void repair(struct core *core, struct peer *peer, const struct message_ciphertext *m)
{
    trace_line(core, "a message that doesn't open: conversation %llu, epoch %u, sequence %llu",
               (unsigned long long)m->conversation, m->epoch, (unsigned long long)m->sequence);
    if (peer->repaired)
        return;
    peer->repaired = true;
    peer_want_open(peer, peer_calm(core, peer));
}

void conversation_ciphertext(struct core *core, const struct message_ciphertext *m)
{
    uint8_t plain[MESSAGE_SEALED_MAX + 1]; /* and a NUL behind a text */
    struct content content;
    struct peer *peer = peer_by_conversation(core, m->conversation);

    if (peer == NULL || m->sealed.len > MESSAGE_SEALED_MAX)
        return;
    peer->used = ++core->uses;
    bool newest = peer->epoch != NULL && m->epoch == epoch_number(peer->epoch);
    bool previous = peer->previous != NULL && m->epoch == epoch_number(peer->previous);
    /* Under an epoch that is gone nothing is lost: who sent it will send it again under the newest. */
    if (!newest && !previous && m->epoch <= peer->newest_epoch)
        return;
    if ((!newest && !previous) || epoch_open(newest ? peer->epoch : peer->previous, m, plain, &content) != 0) {
        if (!previous)
            repair(core, peer, m);
        return;
    }
    if (newest)
        epoch_free(&peer->previous);
    switch (content.kind) {
    case CONTENT_TEXT:
        plain[(size_t)(content.text.data - plain) + content.text.len] = '\0';
        text_arrived(core, peer, m, &content);
        break;
    case CONTENT_RECEIVED:
        receipt_arrived(core, peer, &content);
        break;
    case CONTENT_CONFIRM:
    default:
        break;
    }
    secret_wipe(plain, sizeof(plain));
}

void conversation_undelivered(struct core *core, const struct message_undelivered *m)
{
    struct peer *peer = peer_by_conversation(core, m->conversation);
    if (peer == NULL || peer->epoch == NULL || m->epoch != epoch_number(peer->epoch))
        return;
    if (m->reason == REASON_TEXT_LENGTH) {
        core_emit_peer(core, KC_EVENT_REFUSED, &peer->name, (int)m->reason, 0);
        return;
    }
    /* Asking again leads to a new epoch, or makes the KDC tell when the person is there. */
    peer->open_before = true;
    peer_drop_epochs(peer);
    outbox_rewind(&peer->outbox);
    peer_want_open(peer,
                   m->reason == REASON_PEER_OFFLINE && peer->outbox.count > 0 ? core_now(core) : peer_calm(core, peer));
}

/* What became of those bytes doesn't matter here: the KDC gives back each that this session has sent, once. What may go now
 * does at the end of the input. */
void conversation_credit(struct core *core, const struct message_credit *m)
{
    struct peer *peer = peer_by_conversation(core, m->conversation);
    if (peer != NULL)
        peer->in_flight -= m->bytes < peer->in_flight ? m->bytes : peer->in_flight;
}
