#include "client/cli/cli_register.h"

#include "client/cli/printable.h"
#include "crypto/secret.h"
#include "wire/protocol.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_MORE_CODES "No more codes are mailed within the next %u minutes; the last one may still hold"

__attribute__((format(printf, 1, 2))) static void tell(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
}

/* Without blanks around it. False: the session ends. */
static bool ask(struct cli_session *session, const char *question, char answer[JOINING_ROOM])
{
    switch (ask_line(question, answer, JOINING_ROOM)) {
    case ASK_OK:
        break;
    case ASK_TOO_LONG:
        cli_session_fail(session, EXIT_CODE_REFUSED, "the answer is too long");
        return false;
    case ASK_NO_TERMINAL:
    case ASK_INTERRUPTED:
        cli_session_end(session, EXIT_CODE_INTERRUPTED);
        return false;
    }
    const size_t start = strspn(answer, " \t");
    size_t len = strlen(answer + start);
    while (len > 0 && (answer[start + len - 1] == ' ' || answer[start + len - 1] == '\t')) {
        len--;
    }
    memmove(answer, answer + start, len);
    answer[len] = '\0';
    return true;
}

static bool take(struct cli_session *session, enum option_id id, char to[JOINING_ROOM])
{
    const char *value = session->options->value[id];
    if (value == NULL) {
        return true;
    }
    if (strlen(value) >= JOINING_ROOM) {
        cli_session_fail(session, EXIT_CODE_USAGE, "--%s is too long", option_table[id].name);
        return false;
    }
    (void)snprintf(to, JOINING_ROOM, "%s", value);
    return true;
}

bool cli_register_options(struct cli_session *session)
{
    struct joining *joining = &session->joining;
    if (!take(session, OPTION_INVITE, joining->invitation) || !take(session, OPTION_EMAIL, joining->email) ||
        !take(session, OPTION_PHONE, joining->phone) || !take(session, OPTION_CODE, joining->code)) {
        return false;
    }
    if (joining->attempt == ATTEMPT_ACTIVATE && joining->code[0] == '\0' && ask_possible()) {
        return ask(session, "The code that was mailed (Enter: mail another): ", joining->code);
    }
    return true;
}

int cli_register_send(struct cli_session *session)
{
    struct joining *joining = &session->joining;
    const struct password *password = session->password;
    if (joining->attempt == ATTEMPT_ACTIVATE) {
        int error = kc_activate(session->client, session->user, password->bytes, password->len, joining->code);
        secret_wipe(joining->code, sizeof joining->code);
        return error;
    }
    const struct kc_registration registration = { .invitation = joining->invitation,
                                                  .email = joining->email,
                                                  .phone = joining->phone };
    return kc_register(session->client, session->user, password->bytes, password->len, &registration);
}

/* ---- refused ---- */

/* `what` is missing, or isn't right. */
static enum register_answer ask_missing(struct cli_session *session, const char *question, enum option_id option,
                                        char answer[JOINING_ROOM])
{
    const int refused = session->refused;
    if (!ask_possible()) {
        const char *missing = option == OPTION_INVITE ? "an account is made here with an invitation's code"
                                                      : "an account is made here with an e-mail address";
        cli_session_fail(session, exit_code_of(refused), "%s: %s; give it with --%s", session->user,
                         answer[0] == '\0' && option != OPTION_PHONE ? missing : kc_error_text(refused),
                         option_table[option].name);
        return REGISTER_OVER;
    }
    if (answer[0] != '\0') {
        tell("%s.\n", kc_error_text(refused));
    }
    if (!ask(session, question, answer)) {
        return REGISTER_OVER;
    }
    if (answer[0] == '\0' && option != OPTION_PHONE) {
        cli_session_end(session, exit_code_of(refused));
        return REGISTER_OVER;
    }
    return REGISTER_AGAIN;
}

static enum register_answer ask_code(struct cli_session *session)
{
    struct joining *joining = &session->joining;
    if (!ask(session, "Code (Enter: mail another): ", joining->code)) {
        return REGISTER_OVER;
    }
    joining->attempt = ATTEMPT_ACTIVATE;
    return REGISTER_AGAIN;
}

static enum register_answer pending(struct cli_session *session)
{
    struct joining *joining = &session->joining;
    char said[JOINING_ROOM + 128];
    char *address = printable(joining->email, strlen(joining->email), false);
    if (joining->attempt == ATTEMPT_REGISTER) {
        (void)snprintf(said, sizeof said, "The account %s is made. A code was mailed to %s", session->user,
                       address != NULL ? address : "you");
    } else if (joining->attempt == ATTEMPT_ACTIVATE) {
        (void)snprintf(said, sizeof said, "A code was mailed");
    } else {
        (void)snprintf(
            said, sizeof said,
            "The account %s is not activated yet: it waits for the code that was mailed, or for the operator",
            session->user);
    }
    free(address);
    if (!ask_possible()) {
        cli_session_fail(session, EXIT_CODE_PENDING, "%s; give it with: kdc-chat activate %s --code CODE", said,
                         session->user);
        return REGISTER_OVER;
    }
    tell("%s.\n", said);
    return ask_code(session);
}

static unsigned minutes(unsigned seconds)
{
    return (seconds + 59) / 60;
}

void cli_register_fail_code(struct cli_session *session, const char *command)
{
    const enum exit_code code = exit_code_of(session->refused);
    if (session->refused == REASON_TOO_MANY) {
        cli_session_fail(session, code, "%s: " NO_MORE_CODES, session->user, minutes(session->retry_after));
    } else {
        cli_session_fail(session, code, "%s: %s, with: kdc-chat %s", session->user, kc_error_text(session->refused),
                         command);
    }
}

static enum register_answer code_refused(struct cli_session *session)
{
    if (!ask_possible()) {
        cli_register_fail_code(session, "activate");
        return REGISTER_OVER;
    }
    if (session->refused == REASON_TOO_MANY) {
        tell(NO_MORE_CODES ".\n", minutes(session->retry_after));
    } else {
        tell("%s.\n", kc_error_text(session->refused));
    }
    return ask_code(session);
}

/* It was something else that was wanted. */
static enum register_answer pending_elsewhere(struct cli_session *session)
{
    cli_session_fail(session, exit_code_of(session->refused),
                     "%s: The account is not activated yet; give the code that was mailed with: kdc-chat activate %s "
                     "--code CODE, or ask the server's operator",
                     session->user, session->user);
    return REGISTER_OVER;
}

static enum register_answer too_many_made(struct cli_session *session)
{
    cli_session_fail(session, exit_code_of(session->refused),
                     "%s: too many accounts were made from this network within the hour; try again in %u minutes",
                     session->user, minutes(session->retry_after));
    return REGISTER_OVER;
}

enum register_answer cli_register_answer(struct cli_session *session)
{
    struct joining *joining = &session->joining;
    const bool registers = joining->attempt == ATTEMPT_REGISTER;
    const bool activates = joining->attempt == ATTEMPT_ACTIVATE;
    if (session->was_ready || (!session->offer_account && !registers && !activates)) {
        return session->refused == REASON_ACCOUNT_PENDING ? pending_elsewhere(session) : REGISTER_NOT_OURS;
    }
    switch (session->refused) {
    case REASON_INVITATION:
        return ask_missing(session, "Invitation code: ", OPTION_INVITE, joining->invitation);
    case REASON_EMAIL:
    case REASON_EMAIL_TAKEN:
        if (activates) {
            cli_session_fail(session, exit_code_of(session->refused),
                             "%s: the server can't mail a code for this account; ask its operator", session->user);
            return REGISTER_OVER;
        }
        return ask_missing(session, "E-mail address: ", OPTION_EMAIL, joining->email);
    case REASON_PHONE:
    case REASON_PHONE_TAKEN:
        return ask_missing(session, "Telephone number (Enter for none): ", OPTION_PHONE, joining->phone);
    case REASON_ACCOUNT_PENDING:
        return pending(session);
    case REASON_CODE:
    case REASON_CODE_EXPIRED:
        return code_refused(session);
    case REASON_TOO_MANY:
        return activates ? code_refused(session) : registers ? too_many_made(session) : REGISTER_NOT_OURS;
    default:
        return REGISTER_NOT_OURS;
    }
}

/* ---- giving up ---- */

void cli_register_ask_code(struct cli_session *session)
{
    char code[JOINING_ROOM];
    if (!ask_possible()) {
        cli_session_fail(session, EXIT_CODE_PENDING,
                         "A code was mailed; give it with: kdc-chat deactivate --code CODE");
        return;
    }
    if (session->refused != 0) {
        tell("%s.\n", kc_error_text(session->refused));
    } else {
        tell("A code was mailed. Once it is given, nobody can log in as %s any more.\n", session->user);
    }
    if (!ask(session, "Code (Enter: mail another): ", code)) {
        return;
    }
    const int error = kc_deactivate(session->client, code);
    secret_wipe(code, sizeof code);
    if (error != KC_OK) {
        cli_session_fail_error(session, NULL, error, 0);
    }
}
