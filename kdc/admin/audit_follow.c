/*
 * kdc-admin audit --follow: asks every second.
 *
 * Numbers are given when a row is written, and rows are seen once they are committed: a later number may be seen earlier. So each
 * question goes back to what was the newest number a while ago, and what is told already isn't told again.
 */
#include "kdc/admin/audit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BACK_SECONDS 60   /* how long a row may take to be committed */
#define BACK_EVENTS 20000 /* and how many come meanwhile, at most, that are asked for again */

static volatile sig_atomic_t ended;

static void end_note(int number)
{
    (void)number;
    ended = 1;
}

struct following {
    struct audit_view *view;
    struct store *store;
    uint64_t newest[BACK_SECONDS]; /* the newest number, a second ago, two seconds ago, ... */
    uint64_t *told;                /* numbers above the oldest of those, sorted */
    size_t told_count;
    size_t told_room;
    bool away;
};

/* Of all events, whatever is filtered. */
static enum store_result newest_ask(struct following *f, uint64_t *newest)
{
    const struct store_audit_filter any = { .backwards = true };
    size_t count = 0;
    const enum store_result result = store_audit_list(f->store, &any, f->view->events, 1, &count);
    *newest = count == 0 ? 0 : f->view->events[0].id;
    return result;
}

/* The place of a number among those that were told, or where it belongs. */
static size_t told_find(const struct following *f, uint64_t id)
{
    size_t low = 0;
    size_t high = f->told_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (f->told[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* False when it was told before, or memory is out. */
static bool told_add(struct following *f, uint64_t id)
{
    const size_t at = told_find(f, id);
    if (at < f->told_count && f->told[at] == id)
        return false;
    if (f->told_count == f->told_room) {
        const size_t room = f->told_room == 0 ? 1024 : 2 * f->told_room;
        uint64_t *told = reallocarray(f->told, room, sizeof *told);
        if (told == NULL)
            return false;
        f->told = told;
        f->told_room = room;
    }
    memmove(f->told + at + 1, f->told + at, (f->told_count - at) * sizeof *f->told);
    f->told[at] = id;
    f->told_count++;
    return true;
}

/* Numbers that aren't asked for any more. */
static void told_forget(struct following *f, uint64_t up_to)
{
    const size_t count = told_find(f, up_to + 1);
    if (count == 0)
        return;
    memmove(f->told, f->told + count, (f->told_count - count) * sizeof *f->told);
    f->told_count -= count;
}

/* The number behind which is asked. */
static uint64_t back_to(const struct following *f)
{
    const uint64_t oldest = f->newest[BACK_SECONDS - 1];
    const uint64_t least = f->newest[0] > BACK_EVENTS ? f->newest[0] - BACK_EVENTS : 0;
    return oldest > least ? oldest : least;
}

/* What is new, up to `before` (0: all): printed, or only noted as told. */
static enum store_result new_take(struct following *f, uint64_t before, bool print)
{
    struct store_audit_event *events = f->view->events;
    struct store_audit_filter filter = f->view->filter;
    size_t count = AUDIT_PART;
    const uint64_t from = back_to(f);
    filter.after = from > filter.after ? from : filter.after;
    filter.before = before;
    told_forget(f, from);
    while (count == AUDIT_PART && !ended && !ferror(stdout)) {
        const enum store_result result = store_audit_list(f->store, &filter, events, AUDIT_PART, &count);
        if (result != STORE_OK)
            return result;
        size_t fresh = 0;
        for (size_t i = 0; i < count; i++) {
            filter.after = events[i].id;
            if (told_add(f, events[i].id) && print)
                events[fresh++] = events[i];
        }
        audit_print(f->view, events, fresh);
    }
    (void)fflush(stdout);
    return STORE_OK;
}

static void printed_note(void *context, uint64_t id)
{
    (void)told_add(context, id);
}

/* What is there. What stands among it later is new. */
static enum exit_code first_print(struct following *f)
{
    struct audit_view view = *f->view;
    uint64_t newest = 0;
    enum store_result result = newest_ask(f, &newest);
    for (size_t i = 0; i < BACK_SECONDS; i++)
        f->newest[i] = newest > BACK_EVENTS ? newest - BACK_EVENTS : 0;
    f->newest[0] = newest;
    if (result == STORE_OK)
        result = new_take(f, newest + 1, false);
    if (result != STORE_OK)
        return complain_store(f->store, result, "the audit log can't be followed");
    view.filter.before = newest + 1;
    view.note = printed_note;
    view.context = f;
    const enum exit_code code = audit_view_print(&view, f->store);
    f->view->titled = view.titled;
    (void)fflush(stdout);
    return code;
}

static enum store_result step(struct following *f)
{
    uint64_t newest = 0;
    const enum store_result result = newest_ask(f, &newest);
    if (result != STORE_OK)
        return result;
    if (newest < f->newest[0]) { /* another database stands there now: restored, or made anew */
        for (size_t i = 0; i < BACK_SECONDS; i++)
            f->newest[i] = newest;
        f->told_count = 0;
        return STORE_OK;
    }
    memmove(f->newest + 1, f->newest, (BACK_SECONDS - 1) * sizeof f->newest[0]);
    f->newest[0] = newest;
    return new_take(f, 0, true);
}

static void signals_take(void)
{
    const struct sigaction note = { .sa_handler = end_note };
    (void)sigaction(SIGINT, &note, NULL);
    (void)sigaction(SIGTERM, &note, NULL);
    (void)sigaction(SIGHUP, &note, NULL);
}

/* Tells when the database goes, and when it is back. */
static void away_tell(struct following *f, enum store_result result)
{
    const bool away = result != STORE_OK;
    if (away && !f->away)
        (void)complain(EXIT_DATABASE, "the audit log can't be read now, and is waited for: %s", store_error(f->store));
    else if (!away && f->away)
        (void)complain(EXIT_DONE, "the audit log can be read again");
    f->away = away;
}

enum exit_code audit_follow(struct audit_view *view, struct store *store)
{
    struct following following = { .view = view, .store = store };
    signals_take();
    const enum exit_code code = first_print(&following);
    while (code == EXIT_DONE && !ended && !ferror(stdout)) {
        const struct timespec second = { .tv_sec = 1 };
        (void)nanosleep(&second, NULL);
        if (ended)
            break;
        away_tell(&following, step(&following));
    }
    free(following.told);
    return code;
}
