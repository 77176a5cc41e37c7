#include "kdc/control_commands.h"

#include "crypto/secret.h"
#include "kdc/clock.h"
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

static json_t *who(struct server *server, const json_t *request)
{
    (void)request;
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
    static const enum reason allowed[] = { REASON_KICKED, REASON_ACCOUNT_LOCKED, REASON_ACCOUNT_DISABLED,
                                           REASON_LOGIN_FAILED };
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
        return error_reply("\"reason\" must be kicked, account_locked, account_disabled or login_failed");
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
    reactor_mail(server->reactors[entry.ref.reactor], &mail->mail);
    log_line(LOG_INFO, "kicked", LOG_TEXT("user", name.text), LOG_NUMBER("session", entry.ref.session),
             LOG_TEXT("reason", reason_name(reason)));
    return json_pack("{s:i}", "ended", 1);
}

/* ---- status ---- */

struct totals {
    uint64_t logins;
    uint64_t resumed;
    uint64_t keys_issued;
    uint64_t messages;
    uint64_t legs;
    uint64_t refused[REASON_COUNT];
};

static void add_up(const struct server *server, struct totals *totals)
{
    for (unsigned i = 0; i < server->reactor_count; i++) {
        struct counters *counters = &server->reactors[i]->counters;
        totals->logins += counter_read(&counters->logins);
        totals->resumed += counter_read(&counters->resumed);
        totals->keys_issued += counter_read(&counters->keys_issued);
        totals->messages += counter_read(&counters->messages);
        totals->legs += counter_read(&counters->conversations);
        for (size_t r = 0; r < REASON_COUNT; r++) {
            totals->refused[r] += counter_read(&counters->refused[r]);
        }
    }
}

static json_t *refused_object(const struct totals *totals)
{
    json_t *refused = json_object();
    for (size_t r = 1; refused != NULL && r < REASON_COUNT; r++) {
        if (totals->refused[r] != 0 && json_object_set_new(refused, reason_name((enum reason)r),
                                                           json_integer((json_int_t)totals->refused[r])) != 0) {
            json_decref(refused);
            return NULL;
        }
    }
    return refused;
}

static json_t *database_text(struct server *server)
{
    char cause[DATABASE_CAUSE_MAX];
    if (database_state_get(&server->database, cause)) {
        return json_string("connected");
    }
    return json_sprintf("unavailable: %s", cause);
}

static json_t *status(struct server *server, const json_t *request)
{
    (void)request;
    struct totals totals = { 0 };
    add_up(server, &totals);
    totals.refused[REASON_BUSY] += counter_read(&server->refused_at_door);
    const struct worker_pool_stats pool = worker_pool_stats(server->pool);
    const struct journal_stats journal = journal_stats(server->journal);
    const struct secret_stats secret = secret_stats();
    size_t queued = 0;
    for (unsigned i = 0; i < JOB_CLASS_COUNT; i++) {
        queued += pool.queued[i];
    }
    return json_pack(
        "{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:{s:I, s:I, s:I}, s:{s:I, s:I, s:I}}",
        "version", KDC_CHAT_VERSION, "uptime", (json_int_t)((clock_monotonic_ms() - server->started) / 1000),
        "sessions", (json_int_t)directory_count(server->directory), "connections",
        (json_int_t)admission_connections(server->admission), "conversations", (json_int_t)((totals.legs + 1) / 2),
        "logins", (json_int_t)totals.logins, "resumed", (json_int_t)totals.resumed, "keys_issued",
        (json_int_t)totals.keys_issued, "messages", (json_int_t)totals.messages, "queue", (json_int_t)queued,
        "queue_max", (json_int_t)pool.queue_max, "queue_alarms", (json_int_t)pool.alarms, "workers",
        (json_int_t)server->worker_count, "reactors", (json_int_t)server->reactor_count, "database",
        database_text(server), "refused", refused_object(&totals), "journal", "queued", (json_int_t)journal.queued,
        "batches", (json_int_t)journal.batches, "dropped", (json_int_t)journal.dropped, "secret_memory", "used",
        (json_int_t)secret.used, "reserved", (json_int_t)secret.reserved, "locked", (json_int_t)secret.locked);
}

/* ---- refresh ---- */

static json_t *refresh(struct server *server, const json_t *request)
{
    (void)request;
    if (journal_refresh(server->journal) != 0) {
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
    { "status", status },
    { "refresh", refresh },
};

static json_t *answer(struct server *server, const json_t *request)
{
    const char *name = json_string_value(json_object_get(request, "command"));
    for (size_t i = 0; name != NULL && i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(name, commands[i].name) == 0) {
            return commands[i].run(server, request);
        }
    }
    return error_reply("\"command\" must be who, kick, status or refresh");
}

static char *dump(json_t *reply)
{
    char *text = reply != NULL ? json_dumps(reply, JSON_COMPACT) : NULL;
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
