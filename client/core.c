/* core.c: one connection's life: what comes in and goes out, what is due when, and how it ends. */
#include "client/core_internal.h"

#include "crypto/secret.h"
#include "wire/frame.h"
#include "wire/reason.h"

#include <stdlib.h>
#include <string.h>

uint64_t core_now(const struct core *core)
{
    return core->host.now(core->host.context);
}

uint64_t core_random(const struct core *core, uint64_t below)
{
    uint32_t value = 0;
    if (below == 0 || rng_fill(core->host.rng, (uint8_t *)&value, sizeof(value)) != 0)
        return 0;
    return value % below;
}

void core_emit(struct core *core, const struct kc_event *event)
{
    core->depth++;
    core->host.event(core->host.context, event);
    core->depth--;
}

void core_emit_peer(struct core *core, enum kc_event_type type, const struct name *peer, int error,
                    unsigned retry_after)
{
    struct kc_event event = {
        .type = type,
        .error = error,
        .retry_after = retry_after,
        .peer = peer == NULL ? NULL : peer->text,
    };
    core_emit(core, &event);
}

/* ---- the end ---- */

void core_fail(struct core *core, int error)
{
    if (core->error == KC_OK)
        core->error = error;
    core->state = CORE_ENDED;
}

/* Ended first: the application may leave once more from within the close's trace, and a close is the last message. */
static void end_with_close(struct core *core, enum reason reason)
{
    bool channel_is_up = core->state >= CORE_CREDENTIALS && core->state <= CORE_READY;
    core->state = CORE_ENDED;
    if (channel_is_up)
        core_put(core, &(struct message){ .type = MESSAGE_CLOSE, .close = { .reason = reason } });
}

void core_fail_close(struct core *core, enum reason reason, int error)
{
    if (core->error == KC_OK)
        core->error = error;
    end_with_close(core, reason);
}

/* What time alone or another try may mend; everything else needs a person. */
static bool passes_by_itself(int error)
{
    switch (error) {
    case REASON_MALFORMED:
    case REASON_OUT_OF_ORDER:
    case REASON_TOO_LONG:
    case REASON_CONFIRM:
    case REASON_RECORD:
    case REASON_DEADLINE:
    case REASON_BUSY:
    case REASON_UNAVAILABLE:
    case REASON_PENALTY:
    case REASON_SHUTTING_DOWN:
    case REASON_SILENT:
    case REASON_SLOW_READER:
    case REASON_INTERNAL:
    case KC_UNREACHABLE:
    case KC_CONNECTION_LOST:
    case KC_BAD_ADDRESS:
    case KC_NO_MEMORY:
    case KC_PROTOCOL:
        return true;
    default:
        return false;
    }
}

bool core_may_return(const struct core *core, int error, unsigned *retry_after)
{
    *retry_after = core->error == error ? core->retry_after : 0;
    /* An alert may be anybody's: it must not be able to end what was going well. */
    if (core->accepted && core->error == error && core->error_by_alert)
        return true;
    return passes_by_itself(error);
}

void core_disconnected(struct core *core)
{
    handshake_client_free(&core->handshake);
    if (core->channel != NULL) {
        record_clear(&core->channel->sending);
        record_clear(&core->channel->receiving);
        secret_free(&core->channel);
    }
    buffer_clear(&core->input);
    buffer_clear(&core->output);
    const bool changing = requests_count(core, REQUEST_PASSWORD) > 0;
    requests_forget(core);
    for (size_t i = 0; i < core->peer_count; i++) {
        struct peer *peer = core->peers[i];
        peer->open_before = peer->open_before || peer->epoch != NULL || peer->open_wanted;
        peer->opening = OPENING_NO;
        peer_drop_epochs(peer);
        outbox_rewind(&peer->outbox);
    }
    core->ping_waits = false;
    core->state = CORE_DISCONNECTED;
    resumption_disconnected(core);
    if (core->error != KC_OK && !passes_by_itself(core->error) && !(core->accepted && core->error_by_alert))
        login_forget(core);
    password_disconnected(core, changing);
}

void core_close(struct core *core)
{
    if (core->state == CORE_DISCONNECTED || core->state == CORE_ENDED)
        return;
    /* What arrived just now is acknowledged first: its sender would wait for that in vain. */
    conversations_acknowledge(core);
    end_with_close(core, REASON_NONE);
}

/* ---- output ---- */

bool core_put(struct core *core, const struct message *m)
{
    size_t before = buffer_len(&core->output);
    if (core->channel == NULL || record_add_message(&core->channel->sending, m, &core->output) != 0) {
        core_fail(core, KC_NO_MEMORY);
        return false;
    }
    record_seal(&core->channel->sending, &core->output);
    secret_wipe_left_residue(); /* who calls us isn't ours */
    core->last_sent = core_now(core);
    size_t frame_len = buffer_len(&core->output) - before;
    struct bytes head = { .data = buffer_data(&core->output) + before, .len = frame_len };
    trace_message(core, true, m, head, frame_len);
    return true;
}

struct buffer *core_output(struct core *core)
{
    return &core->output;
}

/* ---- input ---- */

static void bad_record(struct core *core, size_t left)
{
    trace_line(core, "<- a record that can't be, at its last %zu bytes", left);
    core_fail_close(core, REASON_MALFORMED, KC_PROTOCOL);
}

static void handle_frame(struct core *core, uint8_t *frame, size_t len)
{
    core->last_received = core_now(core);
    if (core->state == CORE_HANDSHAKE || core->state == CORE_TRUST) {
        core_plain_frame(core, (struct bytes){ .data = frame, .len = len });
        return;
    }
    if (core_late_alert(core, (struct bytes){ .data = frame, .len = len }))
        return;
    uint8_t head[16];
    size_t head_len = len < sizeof(head) ? len : sizeof(head);
    memcpy(head, frame, head_len);
    struct bytes messages;
    int opened = record_open(&core->channel->receiving, frame, len, &messages);
    secret_wipe_left_residue();
    if (opened != 0) {
        trace_line(core, "<- a record of %zu bytes that doesn't open", len);
        core_fail(core, REASON_RECORD);
        return;
    }
    do {
        struct bytes message;
        if (record_next(&messages, &message) == 0)
            dispatch_message(core, message, (struct bytes){ .data = head, .len = len });
        else
            bad_record(core, messages.len);
    } while (messages.len > 0 && core->state != CORE_ENDED);
    /* A grant's key was in it, or somebody's text. */
    secret_wipe(frame, len);
}

static enum frame_status peek(const struct core *core, const uint8_t *data, size_t len, size_t *frame_len)
{
    size_t limit = core->state == CORE_READY ? FRAME_LEN_AFTER_LOGIN : FRAME_LEN_BEFORE_LOGIN;
    return frame_peek(data, len, limit, frame_len);
}

static void bad_frame(struct core *core, enum frame_status status)
{
    enum reason reason = status == FRAME_TOO_LONG ? REASON_TOO_LONG : REASON_MALFORMED;
    trace_line(core, "<- a frame that can't be: %s", reason_name(reason));
    core_fail_close(core, reason, KC_PROTOCOL);
}

/* Completes the frame whose beginning waits in core->input; returns how many bytes of `data` it took. */
static size_t fill_input(struct core *core, const uint8_t *data, size_t len)
{
    size_t have = buffer_len(&core->input);
    size_t frame_len;
    enum frame_status status = peek(core, buffer_data(&core->input), have, &frame_len);
    size_t taken = 0;

    if (status == FRAME_MORE) {
        taken = frame_len - have < len ? frame_len - have : len;
        if (buffer_append(&core->input, data, taken) != 0) {
            core_fail(core, KC_NO_MEMORY);
            return taken;
        }
        have += taken;
        status = peek(core, buffer_data(&core->input), have, &frame_len);
    }
    if (status == FRAME_READY) {
        handle_frame(core, core->input.data + core->input.start, frame_len);
        buffer_consume(&core->input, frame_len);
    } else if (status != FRAME_MORE) {
        bad_frame(core, status);
    }
    return taken;
}

int core_input(struct core *core, uint8_t *data, size_t len)
{
    size_t at = 0;
    if (core->state == CORE_DISCONNECTED)
        return KC_NOT_READY;
    while (core->state != CORE_ENDED && at < len) {
        if (buffer_len(&core->input) > 0) {
            at += fill_input(core, data + at, len - at);
            continue;
        }
        size_t frame_len;
        enum frame_status status = peek(core, data + at, len - at, &frame_len);
        if (status == FRAME_READY) {
            handle_frame(core, data + at, frame_len);
            at += frame_len;
        } else if (status == FRAME_MORE) {
            if (buffer_append(&core->input, data + at, len - at) != 0)
                core_fail(core, KC_NO_MEMORY);
            at = len;
        } else {
            bad_frame(core, status);
        }
    }
    opens_run(core);
    conversations_flush(core);
    return core->error;
}

/* ---- timers ---- */

static uint64_t ping_due(const struct core *core)
{
    if (core->ping_ms == 0)
        return UINT64_MAX;
    if (core->ping_waits)
        return core->ping_sent + core->ping_ms;
    /* Somebody who only talks notices as well that nobody is there. */
    uint64_t quiet = core->last_sent < core->last_received ? core->last_sent : core->last_received;
    return quiet + core->ping_ms;
}

static void ping_if_due(struct core *core, uint64_t now)
{
    if (now < ping_due(core))
        return;
    if (core->ping_waits) {
        trace_line(core, "the ping wasn't answered");
        core_fail(core, KC_CONNECTION_LOST);
        return;
    }
    core->ping_waits = true;
    core->ping_sent = now;
    core->ping_token++;
    core_put(core, &(struct message){ .type = MESSAGE_PING, .ping = { .token = core->ping_token } });
}

int core_tick(struct core *core)
{
    if (core->state == CORE_READY)
        ping_if_due(core, core_now(core));
    if (core->state == CORE_READY) {
        for (size_t i = 0; i < core->peer_count; i++)
            conversation_rekey_if_due(core, core->peers[i]);
    }
    opens_run(core);
    conversations_flush(core);
    return core->error;
}

uint64_t core_next_tick(const struct core *core)
{
    if (core->state == CORE_ENDED && core->error != KC_OK)
        return core_now(core);
    if (core->state != CORE_READY)
        return UINT64_MAX;
    uint64_t next = ping_due(core);
    bool may_open = requests_count(core, REQUEST_OPEN) < OPENS_MAX;
    for (size_t i = 0; i < core->peer_count; i++) {
        const struct peer *peer = core->peers[i];
        uint64_t due = conversation_due(core, peer);
        if (peer->opening == OPENING_DUE && may_open && peer->open_at < due)
            due = peer->open_at;
        if (due < next)
            next = due;
    }
    return next;
}

/* ---- making and ending ---- */

struct core *core_new(const struct core_host *host, const struct handshake_policy *policy)
{
    struct core *core = calloc(1, sizeof(*core));
    if (core == NULL)
        return NULL;
    core->host = *host;
    core->policy = *policy;
    buffer_init(&core->input, FRAME_HEADER_LEN + FRAME_LEN_AFTER_LOGIN);
    buffer_init(&core->output, OUTPUT_LIMIT);
    core->credentials = secret_alloc(sizeof(*core->credentials));
    core->resumption = secret_alloc(sizeof(*core->resumption));
    if (core->credentials == NULL || core->resumption == NULL ||
        rng_fill(host->rng, (uint8_t *)&core->instance, sizeof(core->instance)) != 0)
        core_free(&core);
    return core;
}

void core_free(struct core **core_at)
{
    struct core *core = *core_at;
    if (core == NULL)
        return;
    requests_forget(core);
    if (core->credentials != NULL && core->resumption != NULL)
        core_disconnected(core);
    peers_free(core);
    secret_free(&core->credentials);
    secret_free(&core->resumption);
    free(core);
    *core_at = NULL;
}

enum core_state core_state(const struct core *core)
{
    return core->state;
}

bool core_ready(const struct core *core)
{
    return core->state == CORE_READY;
}

bool core_was_ready(const struct core *core)
{
    return core->accepted;
}

void core_forget_password(struct core *core)
{
    login_forget(core);
}

void core_set_trace(struct core *core, bool on)
{
    core->tracing = on;
}

void core_set_send_only(struct core *core, bool on)
{
    core->send_only = on;
}
