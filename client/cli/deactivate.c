/* deactivate: gives an account up, by a code that is mailed. */
#include "client/cli/cli_register.h"
#include "client/cli/command.h"
#include "wire/protocol.h"

#include <stdio.h>

static void give(struct cli_session *session, const char *code)
{
    const int error = kc_deactivate(session->client, code);
    if (error != KC_OK) {
        cli_session_fail_error(session, NULL, error, 0);
    }
}

static void on_answer(struct cli_session *session, const struct kc_event *event)
{
    const bool wrong = event->error == REASON_CODE || event->error == REASON_CODE_EXPIRED;
    if (event->error == REASON_EMAIL) {
        cli_session_fail(session, exit_code_of(event->error),
                         "%s: the server can't mail a code for this account; ask its operator", session->user);
    } else if (event->error == REASON_TOO_MANY || (wrong && !ask_possible())) {
        session->refused = event->error;
        session->retry_after = event->retry_after;
        cli_register_fail_code(session, "deactivate");
    } else if (event->error != KC_OK && !wrong) {
        cli_session_fail_error(session, session->user, event->error, event->retry_after);
    } else {
        session->refused = event->error;
        session->question = QUESTION_CODE;
    }
}

static void on_event(void *context, const struct kc_event *event)
{
    struct cli_session *session = context;
    if (event->type == KC_EVENT_READY) {
        give(session, session->options->value[OPTION_CODE]);
    } else if (event->type == KC_EVENT_DEACTIVATION) {
        on_answer(session, event);
    }
}

enum exit_code deactivate_command(const struct options *options, char *const *arguments)
{
    (void)arguments;
    struct cli_session session = { 0 };
    session.wanted_end = REASON_ACCOUNT_DISABLED;
    const struct cli_session_handler handler = { .context = &session, .event = on_event };
    enum exit_code code = cli_session_open(&session, options) ? cli_session_run(&session, &handler) : session.code;
    if (session.wanted_end == 0) {
        printf("The account %s is given up: nobody can log in with it any more.\n", session.user);
    }
    cli_session_close(&session);
    return code;
}
