/* kdc-admin audit: what its options ask for, and how an event looks. */
#include "kdc/admin/audit.h"
#include "kdc/admin/output.h"
#include "kdc/admin/user.h"
#include "kdc/audit_events.h"
#include "kdc/clock.h"
#include "wire/reason.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_DEFAULT 100
#define LIMIT_FOLLOW 10

/* A number of up to 18 digits. 0, or -1. */
static int number_parse(const char *text, uint64_t *number)
{
    const size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 18 || text[digits] != '\0')
        return -1;
    *number = strtoull(text, NULL, 10);
    return 0;
}

/* "2h": so long ago. 0, or -1. */
static int ago_parse(const char *text, uint64_t now_ms, uint64_t *ms)
{
    static const struct {
        char letter;
        uint64_t seconds;
    } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 } };
    const size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 9 || text[digits] == '\0' || text[digits + 1] != '\0')
        return -1;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (text[digits] != units[i].letter)
            continue;
        const uint64_t ago_ms = strtoull(text, NULL, 10) * units[i].seconds * 1000;
        *ms = ago_ms < now_ms ? now_ms - ago_ms : 1;
        return 0;
    }
    return -1;
}

static enum exit_code time_take(const char *option, const char *text, uint64_t *ms)
{
    if (text == NULL)
        return EXIT_DONE;
    if (ago_parse(text, clock_wall_ms(), ms) != 0 && time_parse(text, ms) != 0)
        return complain(
            EXIT_BAD_USAGE,
            "%s takes a date such as 2026-11-20 or 2026-11-20T09:00:00Z, or 90s, 15m, 2h, 3d or 4w ago, not "
            "'%s': see kdc-admin --help",
            option, text);
    *ms = *ms == 0 ? 1 : *ms; /* 0 is none */
    return EXIT_DONE;
}

static enum exit_code id_take(const char *option, const char *text, uint64_t *id)
{
    if (text != NULL && number_parse(text, id) != 0)
        return complain(EXIT_BAD_USAGE, "%s takes an event's number, not '%s': see kdc-admin --help", option, text);
    return EXIT_DONE;
}

static enum exit_code event_check(const char *event)
{
    char known[1024] = "";
    size_t len = 0;
    if (event == NULL)
        return EXIT_DONE;
    for (const struct audit_event_description *one = audit_events; one->event != NULL; one++) {
        if (strcmp(one->event, event) == 0)
            return EXIT_DONE;
        len += (size_t)snprintf(known + len, sizeof known - len, "%s%s", len == 0 ? "" : ", ", one->event);
        len = len < sizeof known ? len : sizeof known - 1;
    }
    return complain(EXIT_BAD_USAGE, "there are no events '%s', but: %s", event, known);
}

static enum exit_code outcome_check(const char *outcome)
{
    if (outcome == NULL || strcmp(outcome, AUDIT_OK) == 0 || strcmp(outcome, "failed") == 0)
        return EXIT_DONE;
    for (int i = 1; i < REASON_COUNT; i++) {
        if (strcmp(outcome, reason_name((enum reason)i)) == 0)
            return EXIT_DONE;
    }
    return complain(
        EXIT_BAD_USAGE,
        "--outcome takes ok, failed or a reason's name such as login_failed, not '%s': see kdc-admin --help", outcome);
}

/* An address stands in the log with its port. */
static enum exit_code source_take(const char *source, char pattern[STORE_PATTERN_MAX + 1])
{
    struct in6_addr address;
    char text[2 * STORE_PATTERN_MAX];
    const bool v4 = inet_pton(AF_INET, source, &address) == 1;
    const bool v6 = inet_pton(AF_INET6, source, &address) == 1;
    const int len = snprintf(text, sizeof text, "%s%s%s%s", v6 ? "[" : "", source, v6 ? "]" : "", v4 || v6 ? ":*" : "");
    if (len <= 0 || len > STORE_PATTERN_MAX)
        return complain(EXIT_BAD_USAGE,
                        "--source takes an address or a pattern of up to %d bytes: see kdc-admin --help",
                        STORE_PATTERN_MAX);
    memcpy(pattern, text, (size_t)len + 1);
    return EXIT_DONE;
}

static enum exit_code limit_take(struct admin *admin, struct audit_view *view)
{
    view->limited = admin->limit != NULL;
    view->limit = view->follow                                                              ? LIMIT_FOLLOW
                  : view->filter.after != 0 || admin->since != NULL || admin->after != NULL ? UINT64_MAX
                                                                                            : LIMIT_DEFAULT;
    if (admin->limit == NULL)
        return EXIT_DONE;
    if (strcmp(admin->limit, "all") == 0)
        view->limit = UINT64_MAX;
    else if (number_parse(admin->limit, &view->limit) != 0)
        return complain(EXIT_BAD_USAGE, "--limit takes a number or all, not '%s': see kdc-admin --help", admin->limit);
    return EXIT_DONE;
}

enum exit_code audit_view_take(struct admin *admin, struct audit_view *view)
{
    struct store_audit_filter *filter = &view->filter;
    view->json = admin->json;
    view->follow = (admin->options & OPTION_FOLLOW) != 0;
    filter->event = admin->event;
    filter->outcome = admin->outcome;
    if (admin->user != NULL && name_from_string(admin->user, &view->user) != 0)
        return complain(EXIT_BAD_USAGE, "--user takes a user's name, not '%s': see kdc-admin --help", admin->user);
    filter->user = admin->user == NULL ? NULL : view->user.text;
    if (view->follow && (admin->until != NULL || admin->before != NULL))
        return complain(EXIT_BAD_USAGE, "--follow has no end: it takes neither --until nor --before");
    enum exit_code code = event_check(admin->event);
    if (code == EXIT_DONE)
        code = outcome_check(admin->outcome);
    if (code == EXIT_DONE && admin->source != NULL) {
        code = source_take(admin->source, view->source);
        filter->source = view->source;
    }
    if (code == EXIT_DONE)
        code = time_take("--since", admin->since, &filter->since);
    if (code == EXIT_DONE)
        code = time_take("--until", admin->until, &filter->until);
    if (code == EXIT_DONE)
        code = id_take("--after", admin->after, &filter->after);
    if (code == EXIT_DONE)
        code = id_take("--before", admin->before, &filter->before);
    return code == EXIT_DONE ? limit_take(admin, view) : code;
}

json_t *audit_json(const struct store_audit_event *event)
{
    return json_pack("{s:I, s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "id", (json_int_t)event->id, "time",
                     time_json(event->time), "event", event->event, "user", event->user, "peer", event->peer, "source",
                     event->source, "outcome", event->outcome, "actor", event->actor, "detail", event->detail);
}

/* Parts that are printed one after the other have columns of about the same width. */
static void rows_print(struct audit_view *view, const struct store_audit_event *events, size_t count)
{
    static const char *const titles[] = { "ID", "TIME", "EVENT", "USER", "SOURCE", "OUTCOME", "BY", "DETAIL" };
    static const size_t widths[] = { 6,
                                     sizeof "2026-11-20 09:00:00Z" - 1,
                                     sizeof "key issued" - 1,
                                     8,
                                     sizeof "127.0.0.1:50000" - 1,
                                     sizeof "login_failed" - 1,
                                     0,
                                     0 };
    struct table table = { .columns = sizeof titles / sizeof titles[0] };
    for (size_t i = 0; i < table.columns; i++) {
        table.titles[i] = view->titled ? NULL : titles[i];
        table.widths[i] = widths[i];
    }
    view->titled = true;
    for (size_t i = 0; i < count; i++) {
        char time[TIME_TEXT_LEN];
        table_add_number(&table, events[i].id);
        time_text_short(events[i].time, time);
        table_add(&table, time);
        table_add(&table, events[i].event);
        table_add(&table, events[i].user);
        table_add(&table, events[i].source);
        table_add(&table, events[i].outcome);
        table_add(&table, events[i].actor);
        table_add(&table, events[i].detail);
    }
    table_print(&table);
}

void audit_print(struct audit_view *view, const struct store_audit_event *events, size_t count)
{
    if (count == 0)
        return;
    if (!view->json) {
        rows_print(view, events, count);
        return;
    }
    for (size_t i = 0; i < count; i++)
        json_print(audit_json(&events[i]));
}
