/* core_register.c: making an account, activating it, and giving it up. */
#include "client/core_internal.h"

#include <string.h>

static struct bytes text_bytes(const char *text)
{
    return (struct bytes){ .data = (const uint8_t *)text, .len = text == NULL ? 0 : strlen(text) };
}

int core_register(struct core *core, const char *name, const char *password, size_t password_len,
                  const struct kc_registration *registration)
{
    const struct login_wish wish = {
        .make_account = true,
        .code = text_bytes(registration->invitation),
        .email = text_bytes(registration->email),
        .phone = text_bytes(registration->phone),
    };
    if (wish.code.len > CODE_LEN_MAX)
        return REASON_INVITATION;
    if (wish.email.len > EMAIL_LEN_MAX)
        return REASON_EMAIL;
    if (wish.phone.len > PHONE_LEN_MAX)
        return REASON_PHONE;
    return login_take(core, name, (struct bytes){ .data = (const uint8_t *)password, .len = password_len }, &wish);
}

int core_activate(struct core *core, const char *name, const char *password, size_t password_len, const char *code)
{
    const struct login_wish wish = { .activates = true, .code = text_bytes(code) };
    if (wish.code.len > CODE_LEN_MAX)
        return REASON_CODE;
    return login_take(core, name, (struct bytes){ .data = (const uint8_t *)password, .len = password_len }, &wish);
}

int core_deactivate(struct core *core, const char *code)
{
    const struct bytes typed = text_bytes(code);
    if (core->state != CORE_READY)
        return KC_NOT_READY;
    if (typed.len > CODE_LEN_MAX)
        return REASON_CODE;
    uint32_t number = requests_count(core, REQUEST_DEACTIVATE) == 0 ? request_new(core, REQUEST_DEACTIVATE, NULL) : 0;
    if (number == 0)
        return REASON_TOO_MANY;
    struct message m = { .type = MESSAGE_DEACTIVATE, .deactivate = { .request = number, .code = typed } };
    return core_put(core, &m) ? KC_OK : KC_NO_MEMORY;
}

static void tell(struct core *core, int error, unsigned retry_after)
{
    core_emit(core, &(struct kc_event){ .type = KC_EVENT_DEACTIVATION, .error = error, .retry_after = retry_after });
}

void deactivate_mailed(struct core *core, const struct message_code_mailed *m)
{
    struct request request;
    if (!request_take(core, m->request, &request) || request.kind != REQUEST_DEACTIVATE) {
        core_fail_close(core, REASON_MALFORMED, KC_PROTOCOL);
        return;
    }
    tell(core, KC_OK, 0);
}

void deactivate_refused(struct core *core, const struct message_refused *m)
{
    tell(core, (int)m->reason, m->retry_after);
}
