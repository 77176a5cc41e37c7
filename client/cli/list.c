/* list: who is online. */
#include "client/cli/cli_session.h"
#include "client/cli/clock_text.h"
#include "client/cli/command.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

struct listing {
    struct cli_session session;
    bool json;
};

static bool print_person(const struct listing *listing, const struct kc_person *person)
{
    char since[CLOCK_TEXT_ROOM];
    if (!listing->json) {
        return printf("%-*s  since %s\n", KC_NAME_MAX, person->name, clock_text_date(person->since, since)) > 0;
    }
    json_t *object = json_pack("{s:s, s:s}", "name", person->name, "since", clock_text_rfc3339(person->since, since));
    char *text = object != NULL ? json_dumps(object, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
    json_decref(object);
    bool printed = text != NULL && printf("%s\n", text) > 0;
    free(text);
    return printed;
}

static void on_event(void *context, const struct kc_event *event)
{
    struct listing *listing = context;
    struct cli_session *session = &listing->session;
    if (event->type == KC_EVENT_READY) {
        int error = kc_list(session->client);
        if (error != KC_OK) {
            cli_session_fail_error(session, NULL, error, 0);
        }
    } else if (event->type == KC_EVENT_REFUSED) {
        cli_session_fail_error(session, NULL, event->error, event->retry_after);
    } else if (event->type == KC_EVENT_LIST) {
        bool printed = true;
        for (size_t i = 0; printed && i < event->people_count; i++) {
            printed = print_person(listing, &event->people[i]);
        }
        if (!printed || fflush(stdout) != 0) {
            cli_session_output_failed(session);
        }
        cli_session_end(session, EXIT_CODE_OK);
    }
}

enum exit_code list_command(const struct options *options, char *const *arguments)
{
    (void)arguments;
    struct listing listing = { 0 };
    listing.json = options_on(options, OPTION_JSON);
    const struct cli_session_handler handler = { .context = &listing, .event = on_event };
    enum exit_code code = cli_session_open(&listing.session, options) ? cli_session_run(&listing.session, &handler)
                                                                      : listing.session.code;
    cli_session_close(&listing.session);
    return code;
}
