#include "kdc/control_commands.h"

#include "kdc/control_penalties.h"
#include "kdc/figures_json.h"
#include "kdc/figures_take.h"
#include "kdc/log.h"
#include "kdc/reactor.h"
#include "wire/name.h"
#include "wire/reason.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *error_reply(const char *sentence)
{
    return json_pack("{s:s}", "error", sentence);
}

/* ---- who ---- */

static json_t *session_object(const struct directory_entry *entry)
{
    const struct suite *suite = suite_by_id(entry->suite);
    const struct dh_group *group = dh_group_by_id(entry->group);
    return json_pack("{s:s, s:I, s:s, s:I, s:I, s:s, s:s}", "user", entry->name.text, "session",
                     (json_int_t)entry->ref.session, "source", entry->source, "since", (json_int_t)entry->since,
                     "conversations", (json_int_t)entry->conversations, "suite", suite != NULL ? suite->name : "",
                     "group", group != NULL ? group->name : "");
}

static json_t *who_is(struct server *server, const char *user)
{
    struct name name;
    struct directory_entry entry;
    if (name_from_string(user, &name) != 0) {
        return error_reply("\"user\" must be a user's name");
    }
    if (!directory_find(server->directory, &name, &entry)) {
        return json_pack("{s:[]}", "sessions");
    }
    return json_pack("{s:[o]}", "sessions", session_object(&entry));
}

static json_t *who(struct server *server, const json_t *request)
{
    const json_t *user = json_object_get(request, "user");
    if (user != NULL) {
        return who_is(server, json_is_string(user) ? json_string_value(user) : "");
    }
    struct directory_entry *entries = NULL;
    size_t count = 0;
    bool more = false;
    json_t *sessions = json_array();
    if (sessions == NULL || directory_list(server->directory, NULL, SIZE_MAX, &entries, &count, &more) != 0) {
        json_decref(sessions);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        if (json_array_append_new(sessions, session_object(&entries[i])) != 0) {
            json_decref(sessions);
            free(entries);
            return NULL;
        }
    }
    free(entries);
    return json_pack("{s:o}", "sessions", sessions);
}

/* ---- kick ---- */

static enum reason reason_of_kick(const json_t *request)
{
    static const enum reason allowed[] = { REASON_KICKED,          REASON_ACCOUNT_LOCKED,  REASON_ACCOUNT_DISABLED,
                                           REASON_MUST_CHANGE,     REASON_ACCOUNT_EXPIRED, REASON_NEW_PASSWORD,
                                           REASON_ACCOUNT_RENAMED, REASON_ACCOUNT_DELETED };
    const json_t *wanted = json_object_get(request, "reason");
    if (wanted == NULL) {
        return REASON_KICKED;
    }
    for (size_t i = 0; json_is_string(wanted) && i < sizeof allowed / sizeof allowed[0]; i++) {
        if (strcmp(json_string_value(wanted), reason_name(allowed[i])) == 0) {
            return allowed[i];
        }
    }
    return REASON_NONE;
}

static json_t *kick(struct server *server, const json_t *request)
{
    struct name name;
    struct directory_entry entry;
    const char *user = json_string_value(json_object_get(request, "user"));
    const enum reason reason = reason_of_kick(request);
    if (user == NULL || name_from_string(user, &name) != 0) {
        return error_reply("\"user\" must be a user's name");
    }
    if (reason == REASON_NONE) {
        return error_reply(
            "\"reason\" must be kicked, account_locked, account_disabled, account_expired, account_renamed, account_deleted, "
            "new_password or must_change");
    }
    if (!directory_find(server->directory, &name, &entry)) {
        return json_pack("{s:i}", "ended", 0);
    }
    const struct session_ref nobody = { 0 };
    struct mail_end *mail = mail_new(MAIL_END, &entry.ref, &nobody, 0);
    if (mail == NULL) {
        return NULL;
    }
    mail->reason = reason;
    reactor_mail(server->reactors[entry.ref.seat], &mail->mail);
    log_line(LOG_INFO, "kicked", LOG_TEXT("user", name.text), LOG_NUMBER("session", entry.ref.session),
             LOG_TEXT("reason", reason_name(reason)));
    return json_pack("{s:i}", "ended", 1);
}

/* ---- expires ---- */

static json_t *expires(struct server *server, const json_t *request)
{
    struct name name;
    struct directory_entry entry;
    const char *user = json_string_value(json_object_get(request, "user"));
    const json_t *when = json_object_get(request, "expires");
    if (user == NULL || name_from_string(user, &name) != 0) {
        return error_reply("\"user\" must be a user's name");
    }
    if (!json_is_integer(when) || json_integer_value(when) < 0) {
        return error_reply("\"expires\" must be milliseconds since 1970, or 0");
    }
    if (!directory_find(server->directory, &name, &entry)) {
        return json_pack("{s:i}", "told", 0);
    }
    const struct session_ref nobody = { 0 };
    struct mail_expires *mail = mail_new(MAIL_EXPIRES, &entry.ref, &nobody, 0);
    if (mail == NULL) {
        return NULL;
    }
    mail->expires = (uint64_t)json_integer_value(when);
    reactor_mail(server->reactors[entry.ref.seat], &mail->mail);
    return json_pack("{s:i}", "told", 1);
}

/* ---- status ---- */

static json_t *status(struct server *server, const json_t *request)
{
    (void)request;
    struct figures figures;
    figures_take(server, true, &figures);
    json_t *reply = figures_json(&figures);
    figures_clear(&figures);
    return reply;
}

/* ---- refresh ---- */

static json_t *refresh(struct server *server, const json_t *request)
{
    (void)request;
    /* While it drains nobody comes in, and so nothing depends on it. */
    if (!atomic_load_explicit(&server->draining, memory_order_relaxed) && journal_refresh(server->journal) != 0) {
        return error_reply("the database can't be asked now which accounts have changed");
    }
    return json_pack("{s:b}", "refreshed", 1);
}

/* ---- */

static const struct {
    const char *name;
    json_t *(*run)(struct server *server, const json_t *request);
} commands[] = {
    { "who", who },
    { "kick", kick },
    { "expires", expires },
    { "status", status },
    { "refresh", refresh },
    { "penalties", control_penalties },
    { "penalties_clear", control_penalties_clear },
};

static json_t *answer(struct server *server, const json_t *request)
{
    const char *name = json_string_value(json_object_get(request, "command"));
    for (size_t i = 0; name != NULL && i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(name, commands[i].name) == 0) {
            return commands[i].run(server, request);
        }
    }
    return error_reply("\"command\" must be who, kick, status, refresh, penalties or penalties_clear");
}

static char *dump(json_t *reply)
{
    char *text = reply != NULL ? json_dumps(reply, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(reply);
    return text;
}

char *control_error(const char *sentence)
{
    return dump(error_reply(sentence));
}

char *control_reply(struct server *server, const char *line, size_t len)
{
    json_t *request = json_loadb(line, len, 0, NULL);
    if (!json_is_object(request)) {
        json_decref(request);
        return control_error("a request is one JSON object on a line");
    }
    json_t *reply = answer(server, request);
    json_decref(request);
    return reply != NULL ? dump(reply) : control_error("memory is out");
}
