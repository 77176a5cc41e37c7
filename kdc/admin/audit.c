/* kdc-admin audit: the newest events, or those behind a number, read and printed part by part. */
#include "kdc/admin/audit.h"
#include "kdc/admin/output.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SEARCH_SECONDS 600

/* The newest `limit` events of a filter: the number before the first of them. *more: there are earlier ones. */
static enum store_result newest_find(struct audit_view *view, struct store *store, bool *more)
{
    struct store_audit_filter filter = view->filter;
    uint64_t left = view->limit;
    uint64_t newest = 0;
    size_t count = AUDIT_PART;
    filter.backwards = true;
    *more = false;
    while (left > 0 && count == AUDIT_PART) {
        const enum store_result result = store_audit_list(store, &filter, view->events, AUDIT_PART, &count);
        if (result != STORE_OK)
            return result;
        *more = count > left;
        count = count > left ? (size_t)left : count;
        if (count == 0)
            break;
        newest = newest == 0 ? view->events[0].id : newest;
        filter.before = view->events[count - 1].id;
        left -= count;
    }
    /* What comes meanwhile isn't among them. */
    view->filter.before = newest == 0 ? 1 : newest + 1;
    view->filter.after = newest == 0 ? 0 : filter.before - 1;
    return STORE_OK;
}

static void part_print(struct audit_view *view, size_t count, bool first)
{
    for (size_t i = 0; view->note != NULL && i < count; i++)
        view->note(view->context, view->events[i].id);
    if (!view->json || view->follow) {
        audit_print(view, view->events, count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (!first || i > 0)
            (void)putchar(',');
        json_put(stdout, audit_json(&view->events[i]));
    }
}

/* Sets `before` behind the last event that --until leaves, so that nobody looks for more of them up to the log's end. */
static enum store_result end_find(struct audit_view *view, struct store *store)
{
    struct store_audit_filter filter = view->filter;
    filter.backwards = true;
    size_t count = 0;
    const enum store_result result = store_audit_list(store, &filter, view->events, 1, &count);
    if (result == STORE_OK)
        view->filter.before = count == 0 ? 1 : view->events[0].id + 1;
    return result;
}

/* In the order of their numbers. *first: of those that were printed; 0: none were. */
static enum store_result all_print(struct audit_view *view, struct store *store, uint64_t *first)
{
    struct store_audit_filter filter = view->filter;
    uint64_t left = view->limit;
    size_t count = AUDIT_PART;
    *first = 0;
    while (left > 0 && count == AUDIT_PART && !ferror(stdout)) {
        const size_t max = left < AUDIT_PART ? (size_t)left : AUDIT_PART;
        const enum store_result result = store_audit_list(store, &filter, view->events, max, &count);
        if (result != STORE_OK)
            return result;
        if (view->json && !view->follow && *first == 0)
            (void)putchar('[');
        part_print(view, count, *first == 0);
        left -= count;
        if (count > 0) {
            *first = *first == 0 ? view->events[0].id : *first;
            filter.after = view->events[count - 1].id;
        }
    }
    if (view->json && !view->follow)
        (void)puts(view->limit == 0 ? "[]" : "]");
    return STORE_OK;
}

enum exit_code audit_view_print(struct audit_view *view, struct store *store)
{
    const bool newest = view->filter.after == 0 && view->limit != UINT64_MAX;
    bool more = false;
    uint64_t first = 0;
    enum store_result result = STORE_OK;
    if (newest)
        result = newest_find(view, store, &more);
    else if (view->filter.until != 0 && view->filter.before == 0)
        result = end_find(view, store);
    if (result == STORE_OK)
        result = all_print(view, store, &first);
    if (result != STORE_OK)
        return complain_store(store, result, "the audit log can't be read");
    if (!view->json && !view->follow && first == 0)
        (void)puts("There is no such event.");
    else if (!view->json && more && !view->limited && !view->follow && isatty(STDOUT_FILENO))
        (void)printf("Earlier ones: --before %" PRIu64 "; all: --limit all\n", first);
    return EXIT_DONE;
}

enum exit_code audit_show(struct admin *admin)
{
    struct audit_view view = { 0 };
    enum exit_code code = audit_view_take(admin, &view);
    if (code != EXIT_DONE)
        return code;
    /* The server says nothing while it looks through a log of many million events. */
    if (!view.follow && admin->config.db_read_timeout < SEARCH_SECONDS)
        admin->config.db_read_timeout = SEARCH_SECONDS;
    struct store *store = store_new(&admin->config, STORE_ACCOUNT_ADMIN);
    view.events = calloc(AUDIT_PART, sizeof *view.events);
    if (store == NULL || view.events == NULL)
        code = complain(EXIT_OTHER, "memory is out");
    else
        code = view.follow ? audit_follow(&view, store) : audit_view_print(&view, store);
    free(view.events);
    store_free(&store);
    return code;
}
