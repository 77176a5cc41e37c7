#include "client/cli/cli_password.h"

#include "crypto/secret.h"
#include "wire/name.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>

bool cli_password_is_refusal(int error)
{
    switch (error) {
    case REASON_PASSWORD_SHORT:
    case REASON_PASSWORD_LONG:
    case REASON_PASSWORD_NUL:
    case REASON_PASSWORD_UTF8:
    case REASON_PASSWORD_COMMON:
    case REASON_PASSWORD_REUSED:
        return true;
    default:
        return false;
    }
}

static enum reason judge(const struct password *password)
{
    return password_check((struct bytes){ (const uint8_t *)password->bytes, password->len });
}

static enum ask_result ask_twice(const char *question, struct password *password, struct password *again)
{
    for (;;) {
        enum ask_result result = ask_password(question, password);
        if (result != ASK_OK && result != ASK_TOO_LONG) {
            return result;
        }
        const enum reason reason = result == ASK_TOO_LONG ? REASON_PASSWORD_LONG : judge(password);
        if (reason != REASON_NONE) {
            fprintf(stderr, "%s.\n", kc_error_text((int)reason));
            continue;
        }
        result = ask_password("The same password again: ", again);
        if (result != ASK_OK && result != ASK_TOO_LONG) {
            return result;
        }
        if (again->len == password->len && secret_equal(again->bytes, password->bytes, again->len)) {
            return ASK_OK;
        }
        fprintf(stderr, "The two passwords differ.\n");
    }
}

enum ask_result cli_password_ask_new(const char *name, struct password *password)
{
    char question[sizeof "New password for : " + KC_NAME_MAX];
    struct password *again = secret_alloc(sizeof *again);
    if (again == NULL) {
        fprintf(stderr, "kdc-chat: no memory\n");
        return ASK_INTERRUPTED;
    }
    (void)snprintf(question, sizeof question, "New password for %s: ", name);
    const enum ask_result result = ask_twice(question, password, again);
    secret_free(&again);
    return result;
}

static void change(struct cli_session *session, struct password *old, struct password *new)
{
    const enum ask_result asked = ask_password("Your password until now: ", old);
    if (asked == ASK_OK && judge(old) != REASON_NONE) {
        fprintf(stderr, "That is not your password; it stays as it is.\n");
        return;
    }
    if (asked != ASK_OK || cli_password_ask_new(session->user, new) != ASK_OK) {
        fprintf(stderr, "Your password stays as it is.\n");
        return;
    }
    /* A person takes time, and the KDC may not have waited: the library learns that first. */
    (void)event_base_loop(session->base, EVLOOP_NONBLOCK);
    const int error = session->ending ? KC_NOT_READY
                                      : kc_change_password(session->client, old->bytes, old->len, new->bytes, new->len);
    if (error != KC_OK) {
        fprintf(stderr, "Your password stays as it is: %s.\n", kc_error_text(error));
    }
}

void cli_password_change(struct cli_session *session)
{
    struct password *old = secret_alloc(sizeof *old);
    struct password *new = secret_alloc(sizeof *new);
    if (old != NULL && new != NULL) {
        change(session, old, new);
    } else {
        fprintf(stderr, "kdc-chat: no memory\n");
    }
    secret_free(&old);
    secret_free(&new);
}
