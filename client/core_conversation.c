/* core_conversation.c: epochs taken, messages under them, receipts, and when a new epoch is due (protocol.md section
 * 5). */
#include "client/core_internal.h"

#include "crypto/secret.h"

#include <string.h>

/* What a text at most takes in the output: its record, and some. */
#define MESSAGE_ROOM ((size_t)MESSAGE_SEALED_MAX + 256)

/* ---- sending ---- */

static bool window_is_open(const struct peer *peer)
{
    return peer->in_flight < CONVERSATION_WINDOW;
}

/* Receipts and texts: behind the epoch's confirm, within the window, and while not too much waits for the connection. */
static bool may_go(const struct core *core, const struct peer *peer)
{
    return !peer->confirm_due && window_is_open(peer) && buffer_len(&core->output) < OUTPUT_TEXT_LIMIT;
}

/* Seals under the newest epoch. The chain steps on with every message: so the room is there before, or the connection
 * ends. */
static bool seal_content(struct core *core, struct peer *peer, const struct content *content, uint8_t *room,
                         struct message *m)
{
    if (core->state != CORE_READY || peer->epoch == NULL)
        return false;
    m->type = MESSAGE_CIPHERTEXT;
    if (core->output.limit - buffer_len(&core->output) < MESSAGE_ROOM ||
        epoch_seal(peer->epoch, content, room, &m->ciphertext) != 0) {
        core_fail(core, KC_NO_MEMORY);
        return false;
    }
    peer->in_flight += message_len(m);
    return true;
}

static bool send_content(struct core *core, struct peer *peer, const struct content *content)
{
    uint8_t sealed[MESSAGE_SEALED_MAX];
    struct message m;
    return seal_content(core, peer, content, sealed, &m) && core_put(core, &m);
}

/* False when the connection ends over it; true also when the confirm has to wait, and everything else behind it. */
static bool send_confirm(struct core *core, struct peer *peer)
{
    if (!peer->confirm_due || !window_is_open(peer))
        return true;
    peer->confirm_due = false;
    return send_content(core, peer, &(struct content){ .kind = CONTENT_CONFIRM });
}

static void send_receipts(struct core *core, struct peer *peer)
{
    for (size_t i = 0; i < peer->arrival_count && may_go(core, peer); i++) {
        struct arrival *arrival = &peer->arrivals[i];
        if (!arrival->receipt_due || peer->epoch == NULL)
            continue;
        struct content received = { .kind = CONTENT_RECEIVED, .instance = arrival->instance, .number = arrival->last };
        arrival->receipt_due = false;
        if (!send_content(core, peer, &received)) {
            arrival->receipt_due = true;
            return;
        }
    }
}

static void send_texts(struct core *core, struct peer *peer)
{
    const struct outbox_text *text;
    while (may_go(core, peer) && (text = outbox_next(&peer->outbox)) != NULL) {
        struct content content = {
            .kind = CONTENT_TEXT,
            .instance = core->instance,
            .number = text->number,
            .text = { .data = text->bytes, .len = text->len },
        };
        uint8_t sealed[MESSAGE_SEALED_MAX];
        struct message m;
        if (!seal_content(core, peer, &content, sealed, &m))
            return;
        /* Noted first: the application may change the outbox from within the trace. */
        outbox_sent(&peer->outbox);
        if (!core_put(core, &m))
            return;
    }
}

void conversation_flush(struct core *core, struct peer *peer)
{
    if (core->state != CORE_READY || peer->epoch == NULL)
        return;
    if (!send_confirm(core, peer))
        return;
    send_receipts(core, peer);
    if (core->state == CORE_READY)
        send_texts(core, peer);
    if (core->state == CORE_READY)
        conversation_rekey_if_due(core, peer);
}

void conversations_flush(struct core *core)
{
    for (size_t i = 0; i < core->peer_count && core->state == CORE_READY; i++)
        conversation_flush(core, core->peers[i]);
    opens_run(core);
}

void conversations_acknowledge(struct core *core)
{
    for (size_t i = 0; i < core->peer_count && core->state == CORE_READY; i++) {
        if (core->peers[i]->epoch != NULL && send_confirm(core, core->peers[i]))
            send_receipts(core, core->peers[i]);
    }
}

int core_send(struct core *core, const char *name, const char *text, size_t len, uint64_t *number)
{
    struct name parsed;
    uint64_t given = 0;
    if (name_from_string(name, &parsed) != 0)
        return KC_BAD_NAME;
    if (!text_valid((struct bytes){ .data = (const uint8_t *)text, .len = len }))
        return KC_BAD_TEXT;
    struct peer *peer = peer_get(core, &parsed);
    if (peer == NULL)
        return KC_OUTBOX_FULL;
    int error = outbox_add(&peer->outbox, text, len, &given);
    if (error != KC_OK)
        return error;
    if (number != NULL)
        *number = given;
    if (core->state != CORE_READY)
        return KC_OK;
    if (peer->epoch != NULL) {
        conversation_flush(core, peer);
    } else if (peer->opening == OPENING_NO) {
        peer->open_tries = 0;
        peer_want_open(peer, core_now(core));
    } else if (peer->open_tries == 0) {
        /* A busy KDC isn't hurried. */
        peer_want_open(peer, peer_calm(core, peer));
    }
    opens_run(core);
    return KC_OK;
}

size_t core_undelivered(const struct core *core, const char *name)
{
    struct name parsed;
    size_t count = 0;
    if (name != NULL && name_from_string(name, &parsed) != 0)
        return 0;
    for (size_t i = 0; i < core->peer_count; i++) {
        if (name == NULL || name_equal(&core->peers[i]->name, &parsed))
            count += core->peers[i]->outbox.count;
    }
    return count;
}

size_t core_discard(struct core *core, const char *name)
{
    struct name parsed;
    size_t count = 0;
    if (name != NULL && name_from_string(name, &parsed) != 0)
        return 0;
    for (size_t i = 0; i < core->peer_count; i++) {
        if (name == NULL || name_equal(&core->peers[i]->name, &parsed))
            count += outbox_clear(&core->peers[i]->outbox);
    }
    return count;
}

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

uint64_t conversation_due(const struct core *core, const struct peer *peer)
{
    if (peer->epoch == NULL)
        return UINT64_MAX;
    if (may_go(core, peer)) {
        if (outbox_next(&peer->outbox) != NULL)
            return core_now(core);
        for (size_t i = 0; i < peer->arrival_count; i++) {
            if (peer->arrivals[i].receipt_due)
                return core_now(core);
        }
    }
    return peer->opening == OPENING_NO && epoch_sent(peer->epoch) > 1 ? peer->rekey_at : UINT64_MAX;
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
    if (!send_confirm(core, peer))
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
