/* passwd: another password for oneself, asked for or from files; logs in with it, and leaves. */
#include "client/cli/cli_session.h"
#include "client/cli/command.h"

#include <stdio.h>

static void on_event(void *context, const struct kc_event *event)
{
    struct cli_session *session = context;
    if (event->type == KC_EVENT_READY) {
        printf("The password of %s is changed.\n", event->name);
        cli_session_end(session, EXIT_CODE_OK);
    }
}

enum exit_code passwd_command(const struct options *options, char *const *arguments)
{
    (void)arguments;
    struct cli_session session = { 0 };
    session.changes_password = true;
    const struct cli_session_handler handler = { .context = &session, .event = on_event };
    enum exit_code code = cli_session_open(&session, options) ? cli_session_run(&session, &handler) : session.code;
    cli_session_close(&session);
    return code;
}
