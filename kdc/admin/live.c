/* kdc-admin who, kick: who is logged in, and ending that. */
#include "kdc/admin/command.h"
#include "kdc/admin/output.h"
#include "kdc/audit_events.h"
#include "kdc/control_client.h"
#include "wire/name.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TIMEOUT_MS 5000

/* Asks kdcd; the request's reference is taken. NULL: it has complained, and *code is set. */
static json_t *ask(struct admin *admin, json_t *request, const char *what, enum exit_code *code)
{
    char error[CONTROL_ERROR_MAX];
    json_t *reply;
    enum control_result result = control_ask(admin->config.control_socket, request, TIMEOUT_MS, &reply, error);
    json_decref(request);
    *code = EXIT_DONE;
    if (result != CONTROL_OK)
        *code = complain(result == CONTROL_NOT_RUNNING ? EXIT_NOT_RUNNING : EXIT_OTHER, "%s: %s", what, error);
    return reply;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

static uint64_t number_of(const json_t *object, const char *key)
{
    json_int_t number = json_integer_value(json_object_get(object, key));
    return number < 0 ? 0 : (uint64_t)number;
}

/* Times as people and JSON's readers elsewhere in this program know them. */
static json_t *session_json(const json_t *session)
{
    json_t *copy = json_copy((json_t *)(uintptr_t)session);
    if (copy != NULL)
        (void)json_object_set_new(copy, "since", time_json(number_of(session, "since")));
    return copy;
}

enum exit_code live_who(struct admin *admin)
{
    enum exit_code code;
    size_t i;
    const json_t *session;
    json_t *reply = ask(admin, json_pack("{s:s}", "command", "who"), "nobody can be listed", &code);
    if (reply == NULL)
        return code;
    json_t *sessions = json_object_get(reply, "sessions");
    if (admin->json) {
        json_t *list = json_array();
        json_array_foreach(sessions, i, session)
        {
            (void)json_array_append_new(list, session_json(session));
        }
        json_print(list);
    } else if (json_array_size(sessions) == 0) {
        (void)puts("Nobody is logged in.");
    } else {
        struct table table = { .columns = 7,
                               .titles = { "USER", "SESSION", "SOURCE", "SINCE", "CONVERSATIONS", "SUITE", "GROUP" } };
        json_array_foreach(sessions, i, session)
        {
            char since[TIME_TEXT_LEN];
            time_text_short(number_of(session, "since"), since);
            table_add(&table, text_of(session, "user"));
            table_add_number(&table, number_of(session, "session"));
            table_add(&table, text_of(session, "source"));
            table_add(&table, since);
            table_add_number(&table, number_of(session, "conversations"));
            table_add(&table, text_of(session, "suite"));
            table_add(&table, text_of(session, "group"));
        }
        table_print(&table);
    }
    json_decref(reply);
    return EXIT_DONE;
}

enum exit_code live_kick(struct admin *admin)
{
    enum exit_code code;
    struct name name;
    if (name_from_string(admin->argument, &name) != 0)
        return complain(EXIT_REFUSED, "'%s' can't be a user's name", admin->argument);
    json_t *reply = ask(admin, json_pack("{s:s, s:s, s:s}", "command", "kick", "user", name.text, "reason", "kicked"),
                        "no session was ended", &code);
    if (reply == NULL)
        return code;
    uint64_t ended = number_of(reply, "ended");
    json_decref(reply);
    if (ended == 0)
        return complain(EXIT_NOT_FOUND, "%s isn't logged in", name.text);
    admin_record_done(admin, AUDIT_USER_KICKED, name.text, "");
    if (admin->json)
        json_print(json_pack("{s:s, s:I}", "user", name.text, "ended", (json_int_t)ended));
    else
        (void)printf("The session of %s is ended.\n", name.text);
    return EXIT_DONE;
}

enum exit_code live_refresh(struct admin *admin, const char *user)
{
    char error[CONTROL_ERROR_MAX];
    json_t *reply;
    json_t *request = json_pack("{s:s}", "command", "refresh");
    enum control_result result = control_ask(admin->config.control_socket, request, TIMEOUT_MS, &reply, error);
    json_decref(request);
    json_decref(reply);
    if (result == CONTROL_OK || result == CONTROL_NOT_RUNNING)
        return EXIT_DONE;
    return complain(EXIT_OTHER, "that is done, but for a while %s may still come in without a password: %s", user,
                    error);
}

enum exit_code live_end(struct admin *admin, const char *user, const char *reason, json_int_t *ended)
{
    char error[CONTROL_ERROR_MAX];
    json_t *reply;
    json_t *request = json_pack("{s:s, s:s, s:s}", "command", "kick", "user", user, "reason", reason);
    enum control_result result = control_ask(admin->config.control_socket, request, TIMEOUT_MS, &reply, error);
    uint64_t count = number_of(reply, "ended");
    json_decref(request);
    json_decref(reply);
    if (ended != NULL)
        *ended = (json_int_t)count;
    if (result == CONTROL_NOT_RUNNING) {
        if (!admin->json)
            (void)puts("kdcd isn't running: there was no session to end.");
        return EXIT_DONE;
    }
    if (result != CONTROL_OK)
        return complain(EXIT_OTHER, "that is done, but a session of %s may go on: %s", user, error);
    if (count > 0 && !admin->json)
        (void)printf("The session of %s is ended.\n", user);
    return EXIT_DONE;
}

/* Asks without a word about a kdcd that isn't running. *reply is set on EXIT_DONE. */
static enum exit_code ask_quietly(struct admin *admin, json_t *request, const char *user, json_t **reply)
{
    char error[CONTROL_ERROR_MAX];
    enum control_result result = control_ask(admin->config.control_socket, request, TIMEOUT_MS, reply, error);
    json_decref(request);
    if (result == CONTROL_NOT_RUNNING)
        return EXIT_NOT_RUNNING;
    return result == CONTROL_OK ? EXIT_DONE : complain(EXIT_OTHER, "kdcd can't be asked about %s: %s", user, error);
}

enum exit_code live_expires(struct admin *admin, const char *user, uint64_t expires)
{
    json_t *reply = NULL;
    json_t *request = json_pack("{s:s, s:s, s:I}", "command", "expires", "user", user, "expires", (json_int_t)expires);
    const enum exit_code code = ask_quietly(admin, request, user, &reply);
    json_decref(reply);
    if (code == EXIT_OTHER)
        return complain(code, "that is done, but a session of %s may not know it", user);
    return code == EXIT_NOT_RUNNING ? EXIT_DONE : code;
}

enum exit_code live_session(struct admin *admin, const char *user, json_t **session)
{
    json_t *reply = NULL;
    json_t *request = json_pack("{s:s, s:s}", "command", "who", "user", user);
    const enum exit_code code = ask_quietly(admin, request, user, &reply);
    *session = json_incref(json_array_get(json_object_get(reply, "sessions"), 0));
    json_decref(reply);
    return code;
}
