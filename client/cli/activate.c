/* activate: makes a pending account active, by the code that was mailed. */
#include "client/cli/cli_session.h"
#include "client/cli/command.h"
#include "wire/name.h"

#include <stdio.h>
#include <string.h>

static void on_event(void *context, const struct kc_event *event)
{
    struct cli_session *session = context;
    if (event->type == KC_EVENT_READY) {
        printf("The account %s is active.\n", event->name);
        cli_session_end(session, EXIT_CODE_OK);
    }
}

enum exit_code activate_command(const struct options *options, char *const *arguments)
{
    struct cli_session session = { 0 };
    struct name name;
    session.joining.attempt = ATTEMPT_ACTIVATE;
    if (arguments[0] != NULL) {
        if (name_from_string(arguments[0], &name) != 0) {
            fprintf(stderr, "kdc-chat: activate: %s\n", kc_error_text(KC_BAD_NAME));
            return EXIT_CODE_USAGE;
        }
        memcpy(session.user, name.text, sizeof session.user);
    }
    const struct cli_session_handler handler = { .context = &session, .event = on_event };
    enum exit_code code = cli_session_open(&session, options) ? cli_session_run(&session, &handler) : session.code;
    cli_session_close(&session);
    return code;
}
