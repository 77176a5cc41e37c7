/* core_login.c: who one is: credentials in, and what the KDC says to them, or to a ticket. */
#include "client/core_internal.h"

#include "crypto/secret.h"

#include <string.h>

static void send_credentials(struct core *core)
{
    const struct credentials *who = core->credentials;
    struct message m = {
        .type = core->make_account ? MESSAGE_REGISTER : MESSAGE_LOGIN,
        .credentials = {
            .name = { .data = (const uint8_t *)who->name.text, .len = strlen(who->name.text) },
            .password = { .data = who->password, .len = who->password_len },
        },
    };
    if (core->make_account) {
        m.registering.code = who->code;
        m.registering.email = who->email;
        m.registering.phone = who->phone;
    }
    if (who->activates) {
        m.type = MESSAGE_ACTIVATE;
        m.activate.code = who->code;
    }
    if (who->changing) {
        m.type = MESSAGE_LOGIN_CHANGING;
        m.login_changing.new = (struct bytes){ .data = who->next, .len = who->next_len };
    }
    core->state = CORE_LOGIN;
    core_put(core, &m);
}

/* Copies them behind `at`. */
static struct bytes keep_words(uint8_t **at, struct bytes words)
{
    const struct bytes kept = { .data = *at, .len = words.len };
    if (words.len > 0)
        memcpy(*at, words.data, words.len);
    *at += words.len;
    return kept;
}

int login_take(struct core *core, const char *name, struct bytes password, const struct login_wish *wish)
{
    const struct bytes *next = wish->next;
    struct credentials *who = core->credentials;
    struct name parsed;
    if (core->state == CORE_LOGIN || core->state == CORE_READY || core->state == CORE_ENDED || core->offered ||
        core->resuming)
        return KC_NOT_READY;
    if (name_from_string(name, &parsed) != 0)
        return KC_BAD_NAME;
    if (password_check(password) != REASON_NONE || (next != NULL && password_check(*next) != REASON_NONE))
        return KC_BAD_PASSWORD;

    /* Somebody else: what waits here is the one before's. */
    if (core->self.text[0] != '\0' && !name_equal(&core->self, &parsed)) {
        peers_free(core);
        core->self = (struct name){ .text = "" };
    }
    login_forget(core);
    core->credentials->name = parsed;
    memcpy(core->credentials->password, password.data, password.len);
    core->credentials->password_len = password.len;
    core->credentials->changing = next != NULL;
    if (next != NULL) {
        memcpy(core->credentials->next, next->data, next->len);
        core->credentials->next_len = next->len;
    }
    uint8_t *at = who->words;
    who->activates = wish->activates;
    who->code = keep_words(&at, wish->code);
    who->email = keep_words(&at, wish->email);
    who->phone = keep_words(&at, wish->phone);
    secret_wipe_registers(); /* copying went through them */
    core->make_account = wish->make_account;
    core->accepted = false;
    if (core->state == CORE_CREDENTIALS)
        send_credentials(core);
    return KC_OK;
}

int core_login(struct core *core, const char *name, const char *password, size_t password_len, bool make_account)
{
    return login_take(core, name, (struct bytes){ .data = (const uint8_t *)password, .len = password_len },
                      &(struct login_wish){ .make_account = make_account });
}

int core_login_changing(struct core *core, const char *name, const char *password, size_t password_len, const char *new,
                        size_t new_len)
{
    const struct bytes next = { .data = (const uint8_t *)new, .len = new_len };
    return login_take(core, name, (struct bytes){ .data = (const uint8_t *)password, .len = password_len },
                      &(struct login_wish){ .next = &next });
}

void login_forget(struct core *core)
{
    secret_wipe(core->credentials, sizeof(*core->credentials));
    resumption_forget(core);
}

void login_start(struct core *core)
{
    if (core->resuming) {
        core->state = CORE_LOGIN;
        return;
    }
    if (core->credentials->password_len > 0) {
        send_credentials(core);
        return;
    }
    core_emit(core, &(struct kc_event){ .type = KC_EVENT_LOGIN_REFUSED, .error = KC_NOT_READY });
}

void login_welcome(struct core *core, const struct message_welcome *m)
{
    if (!name_equal(&m->name, &core->credentials->name)) {
        core_fail_close(core, REASON_MALFORMED, KC_PROTOCOL);
        return;
    }
    bool resumed = core->accepted;
    core->self = m->name;
    core->session = m->session;
    core->rekey_messages = m->rekey_messages == 0 ? UINT64_MAX : m->rekey_messages;
    core->rekey_ms = m->rekey_seconds == 0 ? UINT64_MAX : UINT64_C(1000) * m->rekey_seconds;
    core->ping_ms = UINT64_C(1000) * m->ping_seconds;
    core->make_account = false;
    if (core->credentials->changing)
        password_take_next(core);
    else
        password_forget_next(core); /* the old one still holds */
    core->credentials->activates = false;
    secret_wipe(core->credentials->words, sizeof(core->credentials->words));
    core->accepted = true;
    core->state = CORE_READY;
    resumption_keep(core, m);
    opens_after_login(core);
    core_emit(core, &(struct kc_event){
                        .type = KC_EVENT_READY,
                        .fingerprint = core->fingerprint,
                        .name = core->self.text,
                        .group = core->group->name,
                        .suite = core->suite->name,
                        .session = core->session,
                        .resumed = resumed,
                    });
}

void login_refused(struct core *core, const struct message_refused *m)
{
    if (core->resuming) {
        /* The account was changed at this very moment: whether the password still holds, the KDC says. */
        core->resuming = false;
        resumption_forget(core);
        login_start(core);
        return;
    }
    if (core->accepted && m->reason == REASON_LOGIN_FAILED && core->credentials->next_len > 0) {
        /* The connection was lost just when the password was changed. */
        password_take_next(core);
        send_credentials(core);
        return;
    }
    if (core->accepted) {
        /* Nobody sits at the prompt: busy and the like are worth another try, all else is the end. */
        core->retry_after = m->retry_after;
        core_fail_close(core, REASON_NONE, (int)m->reason);
        return;
    }
    core->state = CORE_CREDENTIALS;
    login_forget(core);
    core_emit(core, &(struct kc_event){
                        .type = KC_EVENT_LOGIN_REFUSED,
                        .error = (int)m->reason,
                        .retry_after = m->retry_after,
                    });
}
