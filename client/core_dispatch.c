/* core_dispatch.c: which message has its place when, and who takes it. */
#include "client/core_internal.h"

static void pong(struct core *core, const struct message_ping *m)
{
    if (!core->ping_waits || m->token != core->ping_token)
        core_fail_close(core, REASON_OUT_OF_ORDER, KC_PROTOCOL);
    core->ping_waits = false;
}

static void closed(struct core *core, const struct message_close *m)
{
    core_fail(core, m->reason == REASON_NONE ? KC_CONNECTION_LOST : (int)m->reason);
}

/* False when the message has no place now. */
static bool take_before_ready(struct core *core, const struct message *m)
{
    if (core->state != CORE_LOGIN)
        return false;
    if (m->type == MESSAGE_WELCOME) {
        login_welcome(core, &m->welcome);
        return true;
    }
    if (m->type == MESSAGE_REFUSED && m->refused.request == 0) {
        login_refused(core, &m->refused);
        return true;
    }
    return false;
}

static bool take_when_ready(struct core *core, struct message *m)
{
    switch (m->type) {
    case MESSAGE_REFUSED:
        request_refused(core, &m->refused);
        return true;
    case MESSAGE_GRANT:
        conversation_grant(core, &m->grant);
        return true;
    case MESSAGE_CIPHERTEXT:
        conversation_ciphertext(core, &m->ciphertext);
        return true;
    case MESSAGE_UNDELIVERED:
        conversation_undelivered(core, &m->undelivered);
        return true;
    case MESSAGE_CREDIT:
        conversation_credit(core, &m->credit);
        return true;
    case MESSAGE_PRESENCE:
        peer_presence(core, &m->presence);
        return true;
    case MESSAGE_LIST_REPLY:
        request_list_reply(core, &m->list_reply);
        return true;
    case MESSAGE_WHO_REPLY:
        request_who_reply(core, &m->who_reply);
        return true;
    case MESSAGE_CODE_MAILED:
        deactivate_mailed(core, &m->code_mailed);
        return true;
    case MESSAGE_PASSWORD_CHANGED:
        password_changed(core, &m->password_changed);
        return true;
    case MESSAGE_PONG:
        pong(core, &m->ping);
        return true;
    default:
        return false;
    }
}

void dispatch_message(struct core *core, struct bytes plain, struct bytes frame)
{
    struct message m;
    enum message_status status = message_decode(plain, ROLE_KDC, &m);
    if (status != MESSAGE_OK) {
        trace_line(core, "<- a message that can't be, of %zu bytes", plain.len);
        core_fail_close(core, status == MESSAGE_MALFORMED ? REASON_MALFORMED : REASON_OUT_OF_ORDER, KC_PROTOCOL);
        return;
    }
    trace_message(core, false, &m, frame, frame.len);
    if (core->state == CORE_ENDED) /* closed from within the trace */
        return;
    if (m.type == MESSAGE_CLOSE) {
        closed(core, &m.close);
        return;
    }
    bool taken = core->state == CORE_READY ? take_when_ready(core, &m) : take_before_ready(core, &m);
    if (!taken)
        core_fail_close(core, REASON_OUT_OF_ORDER, KC_PROTOCOL);
}
