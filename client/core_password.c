/* core_password.c: another password for oneself, while one is logged in. */
#include "client/core_internal.h"

#include "crypto/secret.h"

#include <string.h>

void password_take_next(struct core *core)
{
    struct credentials *who = core->credentials;
    if (who->next_len > 0) {
        memcpy(who->password, who->next, sizeof(who->password));
        secret_wipe_registers(); /* copying went through them */
        who->password_len = who->next_len;
    }
    password_forget_next(core);
}

void password_forget_next(struct core *core)
{
    secret_wipe(core->credentials->next, sizeof(core->credentials->next));
    core->credentials->next_len = 0;
    core->credentials->changing = false;
}

int core_change_password(struct core *core, const char *old, size_t old_len, const char *new, size_t new_len)
{
    struct credentials *who = core->credentials;
    const struct bytes old_bytes = { .data = (const uint8_t *)old, .len = old_len };
    const struct bytes new_bytes = { .data = (const uint8_t *)new, .len = new_len };
    if (password_check(old_bytes) != REASON_NONE || password_check(new_bytes) != REASON_NONE)
        return KC_BAD_PASSWORD;
    if (core->state != CORE_READY)
        return KC_NOT_READY;
    uint32_t number = requests_count(core, REQUEST_PASSWORD) == 0 ? request_new(core, REQUEST_PASSWORD, NULL) : 0;
    if (number == 0)
        return REASON_TOO_MANY;
    memcpy(who->next, new, new_len);
    secret_wipe_registers();
    who->next_len = new_len;
    struct message m = {
        .type = MESSAGE_CHANGE_PASSWORD,
        .change_password = { .request = number, .old = old_bytes, .new = new_bytes },
    };
    return core_put(core, &m) ? KC_OK : KC_NO_MEMORY;
}

static void tell(struct core *core, int error, unsigned retry_after)
{
    core_emit(core,
              &(struct kc_event){ .type = KC_EVENT_PASSWORD_CHANGED, .error = error, .retry_after = retry_after });
}

void password_changed(struct core *core, const struct message_password_changed *m)
{
    struct request request;
    if (!request_take(core, m->request, &request) || request.kind != REQUEST_PASSWORD) {
        core_fail_close(core, REASON_MALFORMED, KC_PROTOCOL);
        return;
    }
    password_take_next(core);
    resumption_replace(core, m);
    tell(core, KC_OK, 0);
}

void password_refused(struct core *core, const struct message_refused *m)
{
    /* A database that went away in the middle may have it: then it is as with a connection that was lost. */
    if (m->reason != REASON_UNAVAILABLE)
        password_forget_next(core);
    tell(core, (int)m->reason, m->retry_after);
}

void password_disconnected(struct core *core, bool asked)
{
    /* Whether it was changed nobody knows: next time the old one is tried first, then the new one. */
    if (asked)
        tell(core, KC_CONNECTION_LOST, 0);
}
