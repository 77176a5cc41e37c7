#include "kdc/control_penalties.h"

#include "kdc/clock.h"
#include "kdc/log.h"
#include "kdc/networks.h"
#include "wire/name.h"

#define PAGE_LEN 500

static json_t *entry_object(const struct penalty_entry *entry)
{
    return json_pack("{s:s, s:s, s:I, s:I, s:I}", "kind", entry->is_account ? "account" : "source", "who", entry->who,
                     "failures", (json_int_t)entry->failures, "delay", (json_int_t)(entry->delay_ms / 1000), "locked",
                     (json_int_t)entry->locked_seconds);
}

json_t *control_penalties(struct server *server, const json_t *request)
{
    struct penalty_entry entries[PAGE_LEN];
    const json_int_t from = json_integer_value(json_object_get(request, "from"));
    size_t place = from > 0 ? (size_t)from : 0;
    const size_t count = penalties_list(server->penalties, &place, entries, PAGE_LEN, clock_wall_ms());
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < count; i++) {
        if (json_array_append_new(list, entry_object(&entries[i])) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return json_pack("{s:o, s:I}", "penalties", list, "next", count == PAGE_LEN ? (json_int_t)place : (json_int_t)0);
}

json_t *control_penalties_clear(struct server *server, const json_t *request)
{
    struct name name;
    struct admission_source source;
    const char *who = json_string_value(json_object_get(request, "who"));
    const uint64_t now = clock_wall_ms();
    size_t cleared = 0;
    if (json_is_true(json_object_get(request, "all"))) {
        cleared = penalties_clear_all(server->penalties, now);
        who = "all";
    } else {
        /* 192.0.2.7 may be both. */
        const bool is_name = who != NULL && name_from_string(who, &name) == 0;
        const bool is_source = who != NULL && source_parse(who, &source) == 0;
        if (!is_name && !is_source) {
            return json_pack("{s:s}", "error", "\"who\" must be a user's name or an address");
        }
        cleared += is_name ? penalties_clear_account(server->penalties, &name, now) : 0;
        cleared += is_source ? penalties_clear_source(server->penalties, &source, now) : 0;
    }
    log_line(LOG_INFO, "cleared penalties", LOG_TEXT("who", who), LOG_NUMBER("count", cleared));
    return json_pack("{s:I}", "cleared", (json_int_t)cleared);
}
