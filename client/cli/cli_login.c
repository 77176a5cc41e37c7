#include "client/cli/cli_login.h"
#include "client/cli/cli_register.h"

#include "client/cli/cli_password.h"

#include "crypto/secret.h"
#include "wire/name.h"

#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longer than any answer that makes sense. */
#define ANSWER_ROOM 300

/* True for an answer; else the session ends with the reason. */
static bool answered(struct cli_session *session, enum ask_result result, const char *what, const char *option)
{
    switch (result) {
    case ASK_OK:
        return true;
    case ASK_NO_TERMINAL:
        cli_session_fail(session, EXIT_CODE_USAGE, "%s is needed, and there is no terminal to ask at: give %s", what,
                         option);
        return false;
    case ASK_TOO_LONG:
        cli_session_fail(session, EXIT_CODE_REFUSED, "%s: the answer is too long", what);
        return false;
    case ASK_INTERRUPTED:
        break;
    }
    cli_session_end(session, EXIT_CODE_INTERRUPTED);
    return false;
}

/* A line; blanks around it are cut, and what is too long for any answer is no answer, but not the end either. */
static enum ask_result ask_trimmed(const char *question, char *answer, size_t room)
{
    enum ask_result result = ask_line(question, answer, room);
    if (result == ASK_TOO_LONG) {
        (void)snprintf(answer, room, "?");
        return ASK_OK;
    }
    if (result == ASK_OK) {
        size_t start = strspn(answer, " \t");
        size_t len = strlen(answer + start);
        memmove(answer, answer + start, len + 1);
        for (; len > 0 && (answer[len - 1] == ' ' || answer[len - 1] == '\t'); len--) {
            answer[len - 1] = '\0';
        }
    }
    return result;
}

__attribute__((format(printf, 1, 2))) static void tell(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
}

/* --- Name and password --- */

/* `current` may be empty; Enter keeps it. */
static bool ask_name(struct cli_session *session, const char *current)
{
    char question[sizeof "Username []: " + KC_NAME_MAX];
    char answer[ANSWER_ROOM];
    (void)snprintf(question, sizeof question, *current != '\0' ? "Username [%s]: " : "Username%s: ", current);
    for (;;) {
        if (!answered(session, ask_trimmed(question, answer, sizeof answer), "a user's name", "--user")) {
            return false;
        }
        struct name name;
        if (answer[0] == '\0' && *current != '\0') {
            return true;
        }
        if (name_from_string(answer, &name) == 0) {
            memcpy(session->user, name.text, sizeof session->user);
            return true;
        }
        if (answer[0] != '\0') {
            tell("A name has 1 to 32 of a-z 0-9 . _ - and begins with a letter or a digit.\n");
        }
    }
}

/* One that may be a password. `make_account`: it is to become one. */
static bool ask_possible_password(struct cli_session *session, const char *question, bool make_account)
{
    struct password *password = session->password;
    for (;;) {
        enum ask_result result = ask_password(question, password);
        enum reason reason = REASON_PASSWORD_LONG;
        if (result != ASK_TOO_LONG) {
            if (!answered(session, result, "a password", "--password-file FILE")) {
                return false;
            }
            reason = password_check((struct bytes){ (const uint8_t *)password->bytes, password->len });
        }
        if (reason == REASON_NONE) {
            return true;
        }
        if (make_account) {
            tell("%s.\n", kc_error_text((int)reason));
        } else if (password->len > 0 || result == ASK_TOO_LONG) {
            tell("That can't be the password: passwords have 8 to 72 bytes%s.\n",
                 reason == REASON_PASSWORD_UTF8 ? " of UTF-8" : "");
        }
    }
}

/* For a new account: the same twice. `typed`: session->password holds what was typed before. */
static bool ask_twice(struct cli_session *session, bool typed)
{
    struct password *again = secret_alloc(sizeof *again);
    bool good = false;
    if (again == NULL) {
        cli_session_fail(session, EXIT_CODE_OTHER, "no memory");
        return false;
    }
    for (;;) {
        if (!typed && !ask_possible_password(session, "Password for the new account: ", true)) {
            break;
        }
        enum ask_result result = ask_password("The same password again: ", again);
        if (result != ASK_TOO_LONG && !answered(session, result, "a password", "--password-file FILE")) {
            break;
        }
        if (again->len == session->password->len && secret_equal(again->bytes, session->password->bytes, again->len)) {
            good = true;
            break;
        }
        tell("The two passwords differ.\n");
        typed = false;
    }
    secret_free(&again);
    return good;
}

static bool read_password(struct cli_session *session, const char *file, struct password *password)
{
    char error[600];
    if (!password_read_file(file, password, error, sizeof error)) {
        cli_session_fail(session, EXIT_CODE_USAGE, "%s", error);
        return false;
    }
    return true;
}

/* The one that the login is to ask for. */
static bool get_new_password(struct cli_session *session)
{
    const char *file = session->options->value[OPTION_NEW_PASSWORD_FILE];
    if (session->new_password == NULL) {
        session->new_password = secret_alloc(sizeof *session->new_password);
    }
    if (session->new_password == NULL) {
        cli_session_fail(session, EXIT_CODE_OTHER, "no memory");
        return false;
    }
    if (file != NULL) {
        return read_password(session, file, session->new_password);
    }
    return answered(session, cli_password_ask_new(session->user, session->new_password), "a new password",
                    "--new-password-file FILE");
}

static bool get_password(struct cli_session *session)
{
    const char *file = session->options->value[OPTION_PASSWORD_FILE];
    if (file != NULL) {
        return read_password(session, file, session->password);
    }
    if (!ask_possible()) {
        return answered(session, ASK_NO_TERMINAL, "a password", "--password-file FILE or $KDC_CHAT_PASSWORD_FILE");
    }
    return session->make_account ? ask_twice(session, false) : ask_possible_password(session, "Password: ", false);
}

/* A person takes time, and the KDC may not have waited: the library learns that before it gets the answer. False: there is
 * nothing more to answer. */
static bool catch_up(struct cli_session *session)
{
    (void)event_base_loop(session->base, EVLOOP_NONBLOCK);
    return !session->done && !session->ending;
}

/* Hands name and password to the library. */
static bool log_in(struct cli_session *session, enum attempt attempt)
{
    const bool make_account = attempt == ATTEMPT_REGISTER;
    session->joining.attempt = attempt;
    const struct password *password = session->password;
    const struct password *new = make_account ? NULL : session->new_password;
    int error = attempt != ATTEMPT_LOGIN ? cli_register_send(session)
                : new == NULL ? kc_login(session->client, session->user, password->bytes, password->len, false)
                              : kc_login_changing(session->client, session->user, password->bytes, password->len,
                                                  new->bytes, new->len);
    if (error == KC_BAD_PASSWORD) {
        enum reason reason = password_check((struct bytes){ (const uint8_t *)password->bytes, password->len });
        if (reason == REASON_NONE && new != NULL)
            reason = password_check((struct bytes){ (const uint8_t *)new->bytes, new->len });
        error = (int)reason;
    }
    if (error == KC_OK && session->parted) {
        session->parted = false;
        error = kc_connect(session->client);
    }
    if (error != KC_OK) {
        cli_session_fail_error(session, NULL, error, 0);
        return false;
    }
    return true;
}

/* The name may be there already. */
bool cli_login_first(struct cli_session *session)
{
    const char *user = session->options->value[OPTION_USER];
    struct name name;
    if (session->user[0] == '\0' && user != NULL && name_from_string(user, &name) == 0) {
        memcpy(session->user, name.text, sizeof session->user);
    } else if (session->user[0] == '\0' && !ask_name(session, "")) {
        return false;
    }
    const enum attempt attempt = session->make_account ? ATTEMPT_REGISTER : session->joining.attempt;
    return get_password(session) && (!session->changes_password || get_new_password(session)) &&
           cli_register_options(session) && log_in(session, attempt);
}

/* --- Refused --- */

static bool may_ask_again(int error)
{
    switch (error) {
    case REASON_LOGIN_FAILED:
    case REASON_NAME_TAKEN:
    case REASON_NAME:
    case REASON_PASSWORD_SHORT:
    case REASON_PASSWORD_LONG:
    case REASON_PASSWORD_NUL:
    case REASON_PASSWORD_UTF8:
    case REASON_PASSWORD_COMMON:
    case REASON_REGISTRATION_CLOSED:
        return true;
    default:
        return false;
    }
}

/* Another name and password. */
static void log_in_again(struct cli_session *session)
{
    secret_free(&session->new_password);
    if (ask_name(session, session->user) && ask_possible_password(session, "Password: ", false) && catch_up(session)) {
        (void)log_in(session, ATTEMPT_LOGIN);
    }
}

static void make_account(struct cli_session *session)
{
    /* What was typed for a name that isn't there is the account's password, if it is typed the same once more. */
    bool typed = session->refused == REASON_LOGIN_FAILED;
    bool named = typed || ask_name(session, "");
    if (named && ask_twice(session, typed) && catch_up(session)) {
        (void)log_in(session, ATTEMPT_REGISTER);
    }
}

/* The account wants another password, or the KDC another than that. */
static void ask_new_password(struct cli_session *session)
{
    const bool by_file = session->options->value[OPTION_NEW_PASSWORD_FILE] != NULL;
    if (session->was_ready || by_file || !ask_possible()) {
        if (session->refused == REASON_MUST_CHANGE) {
            cli_session_fail(session, exit_code_of(session->refused), "%s: %s, with: kdc-chat passwd", session->user,
                             kc_error_text(session->refused));
        } else {
            cli_session_fail_error(session, session->user, session->refused, session->retry_after);
        }
        return;
    }
    tell("%s.\n", kc_error_text(session->refused));
    if (get_new_password(session) && catch_up(session)) {
        (void)log_in(session, ATTEMPT_LOGIN);
    }
}

static void ask_after_refusal(struct cli_session *session)
{
    const enum register_answer joining = cli_register_answer(session);
    if (joining == REGISTER_AGAIN && catch_up(session)) {
        (void)log_in(session, session->joining.attempt);
    }
    if (joining != REGISTER_NOT_OURS) {
        return;
    }
    if (session->refused == REASON_MUST_CHANGE ||
        (session->new_password != NULL && cli_password_is_refusal(session->refused))) {
        ask_new_password(session);
        return;
    }
    if (session->was_ready || !session->offer_account || !may_ask_again(session->refused) || !ask_possible()) {
        cli_session_fail_error(session, session->user, session->refused, session->retry_after);
        return;
    }
    bool may_create = session->refused != REASON_REGISTRATION_CLOSED;
    char account[sizeof "[c]reate the account , " + KC_NAME_MAX] = "";
    if (session->refused == REASON_LOGIN_FAILED) {
        tell("No such name or wrong password. ");
        (void)snprintf(account, sizeof account, "[c]reate the account %s, ", session->user);
    } else {
        tell("%s: %s. ", session->user, kc_error_text(session->refused));
        (void)snprintf(account, sizeof account, "%s", may_create ? "[c]reate another account, " : "");
    }
    for (;;) {
        char question[sizeof account + sizeof "[t]ry to log in, [q]uit? "];
        char answer[ANSWER_ROOM];
        (void)snprintf(question, sizeof question, "%s, %s[q]uit? ",
                       session->refused == REASON_LOGIN_FAILED ? "[t]ry again" : "[t]ry to log in", account);
        if (!answered(session, ask_trimmed(question, answer, sizeof answer), "an answer",
                      "--user and --password-file")) {
            return;
        }
        char choice = (char)(answer[0] | 0x20);
        if (choice == 't') {
            log_in_again(session);
            return;
        }
        if (choice == 'c' && may_create) {
            make_account(session);
            return;
        }
        if (choice == 'q') {
            cli_session_end(session, exit_code_of(session->refused));
            return;
        }
    }
}

/* --- First contact --- */

static void ask_identity(struct cli_session *session)
{
    const char *server = session->options->value[OPTION_SERVER];
    if (session->was_ready || !ask_possible()) {
        (void)kc_trust(session->client, false);
        cli_session_fail(session, EXIT_CODE_IDENTITY,
                         "the KDC at %s is not known here. Its fingerprint is %s\n"
                         "If that is what its operator says, give it once: --fingerprint %s",
                         server, session->offered, session->offered);
        return;
    }
    tell("First contact with the KDC at %s. Its fingerprint is\n\n    %s\n\n"
         "Compare it with what the operator of the KDC says.\n",
         server, session->offered);
    for (;;) {
        char answer[ANSWER_ROOM];
        if (!answered(session, ask_trimmed("Is it the right one (yes/no)? ", answer, sizeof answer), "an answer",
                      "--fingerprint")) {
            return;
        }
        if (strcasecmp(answer, "yes") == 0 || strcasecmp(answer, "y") == 0) {
            if (catch_up(session) && kc_trust(session->client, true) != KC_OK) {
                tell("It can't be remembered, so this is asked again next time: %s\n", kc_detail(session->client));
            }
            return;
        }
        if (strcasecmp(answer, "no") == 0 || strcasecmp(answer, "n") == 0) {
            (void)kc_trust(session->client, false);
            cli_session_fail(session, EXIT_CODE_IDENTITY, "the KDC at %s is not trusted. Nothing was sent to it.",
                             server);
            return;
        }
        tell("Please answer yes or no.\n");
    }
}

void cli_login_ask(struct cli_session *session)
{
    enum question question = session->question;
    session->question = QUESTION_NONE;
    if (question == QUESTION_IDENTITY) {
        ask_identity(session);
    } else if (question == QUESTION_PASSWORD) {
        cli_password_change(session);
    } else if (question == QUESTION_CODE) {
        cli_register_ask_code(session);
    } else {
        ask_after_refusal(session);
    }
}
