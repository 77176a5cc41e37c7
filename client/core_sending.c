/* core_sending.c: what goes to a person under the newest epoch: its confirm, receipts, and the texts of the outbox, as the
 * window lets them (protocol.md section 5). */
#include "client/core_internal.h"

/* What a text at most takes in the output: its record, and some. */
#define MESSAGE_ROOM ((size_t)MESSAGE_SEALED_MAX + 256)

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

bool conversation_confirm(struct core *core, struct peer *peer)
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
    if (!conversation_confirm(core, peer))
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
        if (core->peers[i]->epoch != NULL && conversation_confirm(core, core->peers[i]))
            send_receipts(core, core->peers[i]);
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
