#include "tests/unit/core_rig.h"

#include "crypto/secret.h"
#include "wire/frame.h"
#include "wire/name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char rig_password[] = "correct horse";

struct name rig_name(const char *text)
{
    struct name name;
    if (name_from_string(text, &name) != 0)
        memset(&name, 0, sizeof(name));
    return name;
}

/* ---- what is handed to the core ---- */

static uint64_t rig_now(void *context)
{
    return ((struct rig *)context)->now;
}

static uint64_t rig_wall(void *context)
{
    return UINT64_C(1700000000000) + ((struct rig *)context)->now;
}

static enum core_identity rig_identity(void *context, const uint8_t public_key[IDENTITY_PUBLIC_LEN])
{
    struct rig *rig = context;
    if (memcmp(public_key, rig->identity->public_key, IDENTITY_PUBLIC_LEN) != 0)
        return CORE_IDENTITY_CHANGED;
    return rig->judgement;
}

static void copy_name(char to[NAME_LEN_MAX + 1], const char *from)
{
    if (from != NULL)
        (void)snprintf(to, NAME_LEN_MAX + 1, "%s", from);
}

static void rig_event_fn(void *context, const struct kc_event *event)
{
    struct rig *rig = context;
    if (event->type == KC_EVENT_TRACE) {
        rig->traced++;
        rig->trace_tells = rig->trace_tells || strstr(event->text, rig_password) != NULL ||
                           (rig->forbidden[0] != '\0' && strstr(event->text, rig->forbidden) != NULL);
    } else if (rig->event_count < RIG_EVENTS_MAX) {
        struct rig_event *e = &rig->events[rig->event_count++];
        *e = (struct rig_event){
            .type = event->type,
            .error = event->error,
            .retry_after = event->retry_after,
            .online = event->online,
            .resumed = event->resumed,
            .by_peer = event->by_peer,
            .number = event->number,
            .conversation = event->conversation,
            .epoch = event->epoch,
            .since = event->since,
            .people_count = event->people_count,
            .text_len = event->text_len,
        };
        copy_name(e->peer, event->peer);
        if (event->people_count > 0) {
            copy_name(e->first, event->people[0].name);
            copy_name(e->last, event->people[event->people_count - 1].name);
        }
        size_t len = event->text_len < sizeof(e->text) - 1 ? event->text_len : sizeof(e->text) - 1;
        if (event->text != NULL)
            memcpy(e->text, event->text, len);
    }
    if (rig->on_event != NULL)
        rig->on_event(rig, event);
}

static bool rig_open_ticket(void *context, struct bytes ticket, uint8_t secret[KDF_SECRET_LEN])
{
    struct rig_tickets *t = &((struct rig *)context)->tickets;
    t->offered++;
    t->newest = ticket.len == sizeof(t->number) && memcmp(ticket.data, t->number, ticket.len) == 0;
    if (!t->takes || !t->newest)
        return false;
    memcpy(secret, t->secret, sizeof(t->secret));
    return true;
}

/* ---- making and ending ---- */

struct rig *rig_new(void)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    if (rig == NULL)
        return NULL;
    rig->now = 1000000;
    fixed_rng_init(&rig->random, "core");
    rig->judgement = CORE_IDENTITY_KNOWN;
    rig->conversation_suite = SUITE_3DES_CBC_HMAC_SHA512;
    rig->client_policy = (struct handshake_policy){
        .groups = { DH_FFDHE2048 }, .group_count = 1, .suites = { SUITE_CHACHA20_POLY1305 }, .suite_count = 1
    };
    rig->kdc_policy = rig->client_policy;
    rig->identity = identity_new(&rig->random.rng);
    rig->tickets.handshake = (struct handshake_tickets){ .context = rig, .open = rig_open_ticket };
    rig->tickets.seconds = 3600;
    buffer_init(&rig->wire, (size_t)1 << 22);
    buffer_init(&rig->reply, (size_t)1 << 22);
    struct core_host host = {
        .context = rig,
        .now = rig_now,
        .wall = rig_wall,
        .event = rig_event_fn,
        .identity = rig_identity,
        .rng = &rig->random.rng,
    };
    rig->core = core_new(&host, &rig->client_policy);
    if (rig->core == NULL || rig->identity == NULL)
        rig_free(&rig);
    return rig;
}

static void kdc_forget(struct rig *rig)
{
    handshake_server_free(&rig->handshake);
    if (rig->channel) {
        record_clear(&rig->sending);
        record_clear(&rig->receiving);
    }
    rig->channel = false;
    rig->alert = REASON_NONE;
    rig->heard = 0;
    buffer_clear(&rig->wire);
    buffer_clear(&rig->reply);
    free(rig->taken);
    rig->taken = NULL;
    while (rig->first != NULL) {
        struct rig_message *message = rig->first;
        rig->first = message->next;
        free(message);
    }
    rig->last = NULL;
}

void rig_free(struct rig **rig_at)
{
    struct rig *rig = *rig_at;
    if (rig == NULL)
        return;
    core_free(&rig->core);
    kdc_forget(rig);
    identity_free(&rig->identity);
    epoch_free(&rig->peer);
    free(rig);
    *rig_at = NULL;
}

void rig_cut(struct rig *rig)
{
    core_disconnected(rig->core);
    kdc_forget(rig);
}

/* ---- the KDC ---- */

static void keep(struct rig *rig, struct bytes plain)
{
    struct rig_message *message = malloc(sizeof(*message) + plain.len);
    if (message == NULL) {
        rig->broken = true;
        return;
    }
    memcpy(message->plain, plain.data, plain.len);
    message->plain_len = plain.len;
    message->next = NULL;
    if (message_decode((struct bytes){ .data = message->plain, .len = plain.len }, ROLE_CLIENT, &message->m) !=
        MESSAGE_OK) {
        rig->broken = true;
        free(message);
        return;
    }
    if (rig->last == NULL)
        rig->first = message;
    else
        rig->last->next = message;
    rig->last = message;
}

static void take_handshake_frame(struct rig *rig, struct bytes frame)
{
    struct handshake_keys keys;
    enum reason reason = REASON_NONE;
    struct alert alert;
    if (frame_get_alert(frame, &alert) == 0) {
        rig->alert = alert.reason;
        return;
    }
    switch (handshake_server_frame(rig->handshake, frame, &rig->reply, &keys, &reason)) {
    case HANDSHAKE_SERVER_COMPUTE:
        handshake_server_compute(rig->handshake);
        if (handshake_server_reply(rig->handshake, &rig->reply) != REASON_NONE)
            rig->broken = true;
        break;
    case HANDSHAKE_SERVER_DONE:
        memcpy(rig->tickets.next, keys.resumption, sizeof(rig->tickets.next));
        rig->tickets.resumed = keys.resumed;
        rig->channel = record_init(&rig->sending, keys.suite, keys.server_traffic) == 0 &&
                       record_init(&rig->receiving, keys.suite, keys.client_traffic) == 0;
        secret_wipe(&keys, sizeof(keys));
        break;
    case HANDSHAKE_SERVER_RETRY:
        break;
    case HANDSHAKE_SERVER_FAILED:
    default:
        if (frame_put_alert(&rig->reply, &(struct alert){ .reason = reason }) != 0)
            rig->broken = true;
        break;
    }
}

static void take_record(struct rig *rig, uint8_t *frame, size_t len)
{
    struct bytes messages;
    struct bytes message;
    if (record_open(&rig->receiving, frame, len, &messages) != 0) {
        rig->broken = true;
        return;
    }
    do {
        if (record_next(&messages, &message) == 0)
            keep(rig, message);
        else
            rig->broken = true;
    } while (!rig->broken && messages.len > 0);
}

static void take_frames(struct rig *rig)
{
    size_t len;
    while (!rig->broken &&
           frame_peek(buffer_data(&rig->wire), buffer_len(&rig->wire), FRAME_LEN_AFTER_LOGIN, &len) == FRAME_READY) {
        uint8_t *frame = rig->wire.data + rig->wire.start;
        /* A client that doesn't like the KDC may say so once the KDC is done. */
        if (rig->channel)
            take_record(rig, frame, len);
        else
            take_handshake_frame(rig, (struct bytes){ .data = frame, .len = len });
        buffer_consume(&rig->wire, len);
    }
}

int rig_carry(struct rig *rig)
{
    int error = KC_OK;
    for (;;) {
        struct buffer *output = core_output(rig->core);
        if (buffer_append(&rig->wire, buffer_data(output), buffer_len(output)) != 0)
            rig->broken = true;
        buffer_consume(output, buffer_len(output));
        take_frames(rig);
        size_t len = buffer_len(&rig->reply);
        if (len == 0 || error != KC_OK)
            return error;
        uint8_t *copy = malloc(len);
        if (copy == NULL)
            return KC_NO_MEMORY;
        memcpy(copy, buffer_data(&rig->reply), len);
        buffer_consume(&rig->reply, len);
        if (rig->flip > 0 && rig->flip <= len)
            copy[len - rig->flip] ^= 1;
        rig->flip = 0;
        size_t portion = rig->portion == 0 ? len : rig->portion;
        for (size_t at = 0; at < len && error == KC_OK; at += portion)
            error = core_input(rig->core, copy + at, len - at < portion ? len - at : portion);
        free(copy);
    }
}

void rig_kdc_start(struct rig *rig)
{
    kdc_forget(rig);
    rig->handshake = handshake_server_new(&rig->kdc_policy, rig->identity, &rig->tickets.handshake, &rig->random.rng);
    rig->broken = rig->broken || rig->handshake == NULL;
}

void rig_kdc_take(struct rig *rig, const void *data, size_t len)
{
    if (buffer_append(&rig->wire, data, len) != 0)
        rig->broken = true;
    take_frames(rig);
}

int rig_connect(struct rig *rig)
{
    rig_kdc_start(rig);
    int error = core_connected(rig->core);
    return error != KC_OK ? error : rig_carry(rig);
}

void rig_say(struct rig *rig, const struct message *m)
{
    if (record_add_message(&rig->sending, m, &rig->reply) != 0)
        rig->broken = true;
    record_seal(&rig->sending, &rig->reply);
}

int rig_tell_all(struct rig *rig, const struct message *m, size_t count)
{
    for (size_t i = 0; i < count; i++)
        rig_say(rig, &m[i]);
    return rig_carry(rig);
}

int rig_tell_together(struct rig *rig, const struct message *m, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (record_add_message(&rig->sending, &m[i], &rig->reply) != 0)
            rig->broken = true;
    }
    record_seal(&rig->sending, &rig->reply);
    return rig_carry(rig);
}

int rig_tell(struct rig *rig, const struct message *m)
{
    return rig_tell_all(rig, m, 1);
}

int rig_tell_plain(struct rig *rig, const void *plain, size_t len)
{
    if (record_add(&rig->sending, (struct bytes){ .data = plain, .len = len }, &rig->reply) != 0)
        rig->broken = true;
    record_seal(&rig->sending, &rig->reply);
    return rig_carry(rig);
}

int rig_tell_record(struct rig *rig, const void *plain, size_t len)
{
    const size_t sealed_len = suite_sealed_len(rig->sending.suite, len);
    uint8_t *frame = buffer_reserve(&rig->reply, FRAME_HEADER_LEN + sealed_len);
    if (frame == NULL) {
        rig->broken = true;
        return KC_NO_MEMORY;
    }
    const uint8_t header[FRAME_HEADER_LEN] = { (uint8_t)(sealed_len >> 24), (uint8_t)(sealed_len >> 16),
                                               (uint8_t)(sealed_len >> 8), (uint8_t)sealed_len };
    memcpy(frame, header, sizeof(header));
    aead_seal(rig->sending.aead, rig->sending.sequence++, header, sizeof(header), plain, len, frame + FRAME_HEADER_LEN);
    buffer_commit(&rig->reply, FRAME_HEADER_LEN + sealed_len);
    return rig_carry(rig);
}

int rig_wait(struct rig *rig, uint64_t ms)
{
    uint64_t end = rig->now + ms;
    int error = KC_OK;
    /* A core that is always due would hang a test. */
    for (unsigned turns = 0; error == KC_OK && turns < 100000; turns++) {
        uint64_t next = core_next_tick(rig->core);
        if (next > end)
            break;
        rig->now = next > rig->now ? next : rig->now;
        error = core_tick(rig->core);
        int carried = rig_carry(rig);
        error = error != KC_OK ? error : carried;
    }
    rig->now = end;
    return error;
}

struct message rig_welcome_message(const char *name)
{
    return (struct message){
        .type = MESSAGE_WELCOME,
        .welcome = { .session = RIG_SESSION,
                     .time = 1,
                     .name = rig_name(name),
                     .rekey_messages = 1000,
                     .rekey_seconds = 3600,
                     .ping_seconds = 60 },
    };
}

int rig_welcome(struct rig *rig, const char *name)
{
    struct message m = rig_welcome_message(name);
    struct rig_tickets *t = &rig->tickets;
    if (t->gives) {
        t->given++;
        memcpy(t->number, &t->given, sizeof(t->number));
        memcpy(t->secret, t->next, sizeof(t->secret));
        m.welcome.ticket_seconds = t->seconds;
        m.welcome.ticket = (struct bytes){ .data = t->number, .len = sizeof(t->number) };
    }
    return rig_tell(rig, &m);
}

int rig_login(struct rig *rig, const char *name)
{
    if (core_login(rig->core, name, rig_password, strlen(rig_password), false) != KC_OK || rig_connect(rig) != KC_OK ||
        rig_take(rig, MESSAGE_LOGIN) == NULL || rig_welcome(rig, name) != KC_OK)
        return -1;
    return rig_event(rig, KC_EVENT_READY) == NULL ? -1 : 0;
}

/* ---- looking ---- */

const struct message *rig_take(struct rig *rig, enum message_type type)
{
    if (rig->first == NULL || rig->first->m.type != type)
        return NULL;
    free(rig->taken);
    rig->taken = rig->first;
    rig->first = rig->taken->next;
    if (rig->first == NULL)
        rig->last = NULL;
    return &rig->taken->m;
}

bool rig_silent(const struct rig *rig)
{
    return rig->first == NULL && !rig->broken;
}

const struct rig_event *rig_event(struct rig *rig, enum kc_event_type type)
{
    if (rig->event_at == rig->event_count || rig->events[rig->event_at].type != type)
        return NULL;
    return &rig->events[rig->event_at++];
}

bool rig_quiet(const struct rig *rig)
{
    return rig->event_at == rig->event_count;
}

/* ---- conversations ---- */

int rig_grant(struct rig *rig, uint32_t request, uint64_t conversation, uint32_t epoch, const char *a, const char *b,
              const char *peer)
{
    const struct suite *suite = suite_by_id(rig->conversation_suite);
    uint8_t key[SUITE_ISSUED_KEY_MAX];
    struct name name = rig_name(peer);
    bool by_peer = strcmp(a, peer) == 0;
    if (suite_issue_key(suite, &rig->random.rng, key) != 0)
        return KC_NO_MEMORY;
    struct message m = {
        .type = MESSAGE_GRANT,
        .grant = {
            .request = request,
            .conversation = conversation,
            .epoch = epoch,
            .a = rig_name(a),
            .b = rig_name(b),
            .session_a = by_peer ? RIG_PEER_SESSION : RIG_SESSION,
            .session_b = by_peer ? RIG_SESSION : RIG_PEER_SESSION,
            .suite = rig->conversation_suite,
            .time = rig_wall(rig),
            .key = { .data = key, .len = suite->issued_key_len },
        },
    };
    epoch_free(&rig->peer);
    rig->peer = epoch_new(&m.grant, &name);
    return rig_tell(rig, &m);
}

int rig_open(struct rig *rig, uint64_t conversation, uint32_t epoch, const char *self, const char *peer)
{
    const struct message *open = rig_take(rig, MESSAGE_OPEN);
    struct content content;
    if (open == NULL || strcmp(open->open.peer.text, peer) != 0 ||
        rig_grant(rig, open->open.request, conversation, epoch, self, peer, peer) != KC_OK ||
        rig_event(rig, KC_EVENT_OPENED) == NULL || !rig_peer_hears(rig, &content) || content.kind != CONTENT_CONFIRM)
        return -1;
    return rig_peer_says(rig, CONTENT_CONFIRM, 0, 0, NULL) == KC_OK ? 0 : -1;
}

int rig_peer_says(struct rig *rig, enum content_kind kind, uint64_t instance, uint64_t number, const char *text)
{
    struct content content = { .kind = kind, .instance = instance, .number = number };
    struct message m = { .type = MESSAGE_CIPHERTEXT };
    if (text != NULL)
        content.text = (struct bytes){ .data = (const uint8_t *)text, .len = strlen(text) };
    if (rig->peer == NULL || epoch_seal(rig->peer, &content, rig->sealed, &m.ciphertext) != 0)
        return KC_NO_MEMORY;
    return rig_tell(rig, &m);
}

int rig_give_back(struct rig *rig, uint64_t conversation)
{
    struct message m = { .type = MESSAGE_CREDIT,
                         .credit = { .conversation = conversation, .bytes = (uint32_t)rig->heard } };
    rig->heard = 0;
    return rig_tell(rig, &m);
}

bool rig_peer_hears(struct rig *rig, struct content *content)
{
    const struct message *m = rig_take(rig, MESSAGE_CIPHERTEXT);
    rig->heard += m == NULL ? 0 : rig->taken->plain_len;
    return m != NULL && rig->peer != NULL && epoch_open(rig->peer, &m->ciphertext, rig->plain, content) == 0;
}
