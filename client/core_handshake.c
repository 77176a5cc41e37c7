/* core_handshake.c: from the client_hello to a channel that both sides have confirmed, and whether it leads to the
 * right KDC. */
#include "client/core_internal.h"

#include "crypto/secret.h"
#include "wire/frame.h"

#define ALERT_RETRY_MAX_S 60 /* an alert is anybody's: one forged frame keeps nobody away for longer */

static void trace_sent_frames(struct core *core, size_t from)
{
    const uint8_t *data = buffer_data(&core->output);
    size_t len = buffer_len(&core->output);
    size_t frame_len;
    while (from < len && frame_peek(data + from, len - from, FRAME_LEN_BEFORE_LOGIN, &frame_len) == FRAME_READY) {
        trace_frame(core, true, (struct bytes){ .data = data + from, .len = frame_len });
        from += frame_len;
    }
}

int core_connected(struct core *core)
{
    if (core->state != CORE_DISCONNECTED)
        return KC_NOT_READY;
    core->error = KC_OK;
    core->error_by_alert = false;
    core->retry_after = 0;
    core->last_received = core_now(core);
    core->handshake = handshake_client_new(&core->policy, core->host.rng);
    if (core->handshake == NULL)
        return KC_NO_MEMORY;
    core->state = CORE_HANDSHAKE;
    resumption_offer(core);
    if (handshake_client_start(core->handshake, &core->output) != REASON_NONE) {
        core_fail(core, REASON_INTERNAL);
        return core->error;
    }
    trace_sent_frames(core, 0);
    return KC_OK;
}

static void handshake_failed(struct core *core, const struct handshake_failure *failure)
{
    /* A ticket that stood in the way isn't offered again. */
    if (!failure->from_peer || failure->reason == REASON_CONFIRM || failure->reason == REASON_MALFORMED)
        resumption_forget(core);
    if (failure->from_peer) {
        core->error_by_alert = true;
        core->retry_after =
            failure->retry_after < ALERT_RETRY_MAX_S ? failure->retry_after : (uint32_t)ALERT_RETRY_MAX_S;
        core_fail(core, (int)failure->reason);
        return;
    }
    size_t before = buffer_len(&core->output);
    struct alert alert = { .reason = failure->reason };
    if (failure->reason != REASON_NONE && frame_put_alert(&core->output, &alert) == 0)
        trace_sent_frames(core, before);
    if (failure->bad_signature)
        core_fail(core, KC_BAD_SIGNATURE);
    else if (failure->reason == REASON_CONFIRM)
        core_fail(core, KC_BAD_CONFIRM);
    else
        core_fail(core, failure->reason == REASON_NONE ? KC_PROTOCOL : (int)failure->reason);
}

static int start_channel(struct core *core, const struct handshake_keys *keys)
{
    core->channel = secret_alloc(sizeof(*core->channel));
    if (core->channel == NULL || record_init(&core->channel->sending, keys->suite, keys->client_traffic) != 0 ||
        record_init(&core->channel->receiving, keys->suite, keys->server_traffic) != 0)
        return KC_NO_MEMORY;
    core->group = keys->group;
    core->suite = keys->suite;
    return KC_OK;
}

/* The KDC is the right one: confirm, and from here on everything is a record. */
static void handshake_done(struct core *core)
{
    size_t before = buffer_len(&core->output);
    struct handshake_keys *keys = secret_alloc(sizeof(*keys));
    if (keys == NULL) {
        core_fail(core, KC_NO_MEMORY);
        return;
    }
    enum reason reason = handshake_client_finish(core->handshake, &core->output, keys);
    int error = reason == REASON_NONE ? start_channel(core, keys) : (int)reason;
    handshake_client_free(&core->handshake);
    if (error == KC_OK) {
        core->state = CORE_CREDENTIALS;
        trace_sent_frames(core, before);
        trace_handshake_done(core, keys);
        resumption_judge(core, keys);
    } else {
        core_fail(core, error);
    }
    secret_free(&keys);
    if (core->state == CORE_CREDENTIALS)
        login_start(core);
}

static void judge_identity(struct core *core)
{
    const uint8_t *identity = handshake_client_identity(core->handshake);
    identity_fingerprint(identity, core->fingerprint);
    trace_line(core, "confirmed by the KDC: its signature and its HMAC over the handshake are right; KDC %s",
               core->fingerprint);
    if (core->state == CORE_ENDED) /* closed from within the trace */
        return;
    switch (core->host.identity(core->host.context, identity)) {
    case CORE_IDENTITY_KNOWN:
        handshake_done(core);
        return;
    case CORE_IDENTITY_UNKNOWN:
        core->state = CORE_TRUST;
        core_emit(core, &(struct kc_event){ .type = KC_EVENT_IDENTITY, .fingerprint = core->fingerprint });
        return;
    case CORE_IDENTITY_CHANGED:
        break;
    }
    core_fail(core, KC_IDENTITY_CHANGED);
}

int core_trust(struct core *core, bool yes)
{
    if (core->state != CORE_TRUST)
        return KC_NOT_READY;
    if (!yes) {
        core_fail(core, KC_IDENTITY_REFUSED);
        return core->error;
    }
    handshake_done(core);
    return core->error;
}

static void handshake_frame(struct core *core, struct bytes frame)
{
    struct handshake_failure failure = { .reason = REASON_NONE };
    size_t before = buffer_len(&core->output);
    trace_frame(core, false, frame);
    switch (handshake_client_frame(core->handshake, frame, &core->output, &failure)) {
    case HANDSHAKE_RETRIED:
        trace_sent_frames(core, before);
        break;
    case HANDSHAKE_IDENTITY:
        judge_identity(core);
        break;
    case HANDSHAKE_FAILED:
    default:
        handshake_failed(core, &failure);
        break;
    }
}

/* Whether the frame is an alert: then the connection fails by it. */
static bool take_alert(struct core *core, struct bytes frame)
{
    struct alert alert;
    if (frame_get_alert(frame, &alert) != 0)
        return false;
    trace_frame(core, false, frame);
    handshake_failed(core, &(struct handshake_failure){
                               .reason = alert.reason, .from_peer = true, .retry_after = alert.retry_after });
    return true;
}

/* While a person looks at the fingerprint the KDC has nothing to say, but that it got tired of waiting. */
static void frame_while_asking(struct core *core, struct bytes frame)
{
    if (!take_alert(core, frame)) {
        trace_frame(core, false, frame);
        core_fail(core, KC_PROTOCOL);
    }
}

bool core_late_alert(struct core *core, struct bytes frame)
{
    return core->channel->receiving.sequence == 0 && take_alert(core, frame);
}

void core_plain_frame(struct core *core, struct bytes frame)
{
    if (core->state == CORE_TRUST)
        frame_while_asking(core, frame);
    else
        handshake_frame(core, frame);
}
