/* kdc-admin penalties: who has guessed too much, and forgetting it. */
#include "kdc/admin/command.h"
#include "kdc/admin/output.h"
#include "kdc/audit_events.h"
#include "kdc/control_client.h"
#include "kdc/networks.h"
#include "wire/name.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 5000
#define CANT_TELL "penalties can't be told"

/* Asks kdcd; takes the request's reference. NULL: it has complained, and *code is set. */
static json_t *ask(struct admin *admin, json_t *request, const char *what, enum exit_code *code)
{
    char error[CONTROL_ERROR_MAX];
    json_t *reply;
    enum control_result result = control_ask(admin->config.control_socket, request, TIMEOUT_MS, &reply, error);
    json_decref(request);
    if (result != CONTROL_OK)
        *code = complain(result == CONTROL_NOT_RUNNING ? EXIT_NOT_RUNNING : EXIT_OTHER, "%s: %s", what, error);
    return reply;
}

/* All of them, page by page. NULL: it has complained. */
static json_t *ask_all(struct admin *admin, enum exit_code *code)
{
    json_t *all = json_array();
    json_int_t from = 0;
    do {
        json_t *reply = ask(admin, json_pack("{s:s, s:I}", "command", "penalties", "from", from), CANT_TELL, code);
        json_t *page = json_object_get(reply, "penalties");
        const json_int_t next = json_integer_value(json_object_get(reply, "next"));
        if (reply != NULL && (!json_is_array(page) || (next != 0 && next <= from) || json_array_extend(all, page) != 0))
            *code = complain(EXIT_OTHER, CANT_TELL ": kdcd gave an answer that can't be one");
        json_decref(reply);
        if (*code != EXIT_DONE) {
            json_decref(all);
            return NULL;
        }
        from = next;
    } while (from != 0);
    return all;
}

static int64_t number_of(const json_t *entry, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(entry, key));
}

/* The guiltiest first. */
static int compare(const void *left, const void *right)
{
    static const char *const keys[] = { "locked", "delay", "failures" };
    const json_t *a = *(json_t *const *)left;
    const json_t *b = *(json_t *const *)right;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const int64_t x = number_of(a, keys[i]);
        const int64_t y = number_of(b, keys[i]);
        if (x != y)
            return x > y ? -1 : 1;
    }
    return strcmp(json_string_value(json_object_get(a, "who")), json_string_value(json_object_get(b, "who")));
}

/* Takes the reference. NULL when memory is out, or something isn't what it must be. */
static json_t *sorted(json_t *all)
{
    const size_t count = json_array_size(all);
    json_t **entries = calloc(count + 1, sizeof(json_t *));
    json_t *list = json_array();
    bool fine = entries != NULL && list != NULL;
    for (size_t i = 0; fine && i < count; i++) {
        entries[i] = json_array_get(all, i);
        fine =
            json_is_string(json_object_get(entries[i], "who")) && json_is_string(json_object_get(entries[i], "kind"));
    }
    if (fine && count > 1)
        qsort(entries, count, sizeof(json_t *), compare);
    for (size_t i = 0; fine && i < count; i++)
        fine = json_array_append(list, entries[i]) == 0;
    free(entries);
    json_decref(all);
    if (fine)
        return list;
    json_decref(list);
    return NULL;
}

static void seconds_add(struct table *table, int64_t seconds)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%" PRId64 " s", seconds);
    table_add(table, seconds > 0 ? text : "-");
}

enum exit_code penalties_show(struct admin *admin)
{
    enum exit_code code = EXIT_DONE;
    size_t i;
    const json_t *entry;
    json_t *all = ask_all(admin, &code);
    if (all == NULL)
        return code;
    all = sorted(all);
    if (all == NULL)
        return complain(EXIT_OTHER, CANT_TELL ": memory is out, or kdcd's answer can't be one");
    if (admin->json) {
        json_print(all);
        return EXIT_DONE;
    }
    if (json_array_size(all) == 0) {
        (void)puts("Nobody is under penalty.");
    } else {
        struct table table = { .columns = 5, .titles = { "KIND", "WHO", "FAILURES", "NEXT WAITS", "LOCKED FOR" } };
        json_array_foreach(all, i, entry)
        {
            table_add(&table, json_string_value(json_object_get(entry, "kind")));
            table_add(&table, json_string_value(json_object_get(entry, "who")));
            table_add_number(&table, (uint64_t)number_of(entry, "failures"));
            seconds_add(&table, number_of(entry, "delay"));
            seconds_add(&table, number_of(entry, "locked"));
        }
        table_print(&table);
    }
    json_decref(all);
    return EXIT_DONE;
}

enum exit_code penalties_clear(struct admin *admin)
{
    enum exit_code code = EXIT_DONE;
    struct name name;
    struct admission_source source;
    const char *who = admin->argument;
    const bool all = (admin->options & OPTION_ALL) != 0;
    if (all == (who != NULL))
        return complain(EXIT_BAD_USAGE, "penalties clear takes a name, an address, or --all: see kdc-admin --help");
    const bool is_name = !all && name_from_string(who, &name) == 0;
    if (!all && !is_name && source_parse(who, &source) != 0)
        return complain(EXIT_REFUSED, "'%s' can be neither a user's name nor an address", who);
    json_t *request = all ? json_pack("{s:s, s:b}", "command", "penalties_clear", "all", 1)
                          : json_pack("{s:s, s:s}", "command", "penalties_clear", "who", who);
    json_t *reply = ask(admin, request, "nothing was cleared", &code);
    if (reply == NULL)
        return code;
    const int64_t cleared = number_of(reply, "cleared");
    json_decref(reply);
    if (cleared == 0 && !all)
        return complain(EXIT_NOT_FOUND, "%s isn't under penalty", who);
    if (cleared > 0) {
        char detail[32];
        (void)snprintf(detail, sizeof detail, "%" PRId64, cleared);
        admin_record_done(admin, AUDIT_PENALTIES_CLEARED, all ? "" : is_name ? name.text : who, detail);
    }
    if (admin->json)
        json_print(json_pack("{s:I}", "cleared", (json_int_t)cleared));
    else
        (void)printf("Cleared %" PRId64 ".\n", cleared);
    return EXIT_DONE;
}
