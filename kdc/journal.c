#include "kdc/journal_internal.h"

#include "kdc/clock.h"
#include "kdc/log.h"
#include "kdc/waiting.h"

#include <stdlib.h>
#include <string.h>

#define REFRESH_MAX_MS 2000
#define RETRY_BUSY 1        /* seconds */
#define RETRY_UNAVAILABLE 5 /* about the store's own backoff */

/* ---- lists ---- */

static void append(struct journal_list *list, struct inbox_item *item)
{
    item->next = NULL;
    if (list->newest != NULL) {
        list->newest->next = item;
    } else {
        list->oldest = item;
    }
    list->newest = item;
    list->len++;
}

struct inbox_item *journal_list_take(struct journal_list *list)
{
    struct inbox_item *item = list->oldest;
    if (item != NULL) {
        list->oldest = item->next;
        list->newest = list->oldest != NULL ? list->newest : NULL;
        list->len--;
    }
    return item;
}

void journal_list_move(struct journal_list *to, struct journal_list *from)
{
    if (from->oldest == NULL) {
        return;
    }
    if (to->newest != NULL) {
        to->newest->next = from->oldest;
    } else {
        to->oldest = from->oldest;
    }
    to->newest = from->newest;
    to->len += from->len;
    *from = (struct journal_list){ 0 };
}

/* ---- from any thread ---- */

/* Under the lock. True: the caller wakes the thread, once it has let go of the lock. */
static bool must_wake(struct journal *journal)
{
    const bool sleeps = journal->sleeps;
    journal->sleeps = false;
    return sleeps;
}

int journal_issue(struct journal *journal, struct mail_issue *mail, uint32_t *retry_after)
{
    enum reason refused = REASON_NONE;
    bool wakes = false;
    pthread_mutex_lock(&journal->lock);
    if (journal->stopping || journal->issues.len + journal->issues_taken >= JOURNAL_ISSUES_MAX) {
        refused = REASON_BUSY;
    } else if (journal->away && journal->options.away(journal->options.context)) {
        refused = REASON_UNAVAILABLE;
    } else {
        append(&journal->issues, &mail->mail.item);
        wakes = gathering_enough(&journal->gathering, journal->issues.len) && must_wake(journal);
    }
    pthread_mutex_unlock(&journal->lock);
    if (wakes) {
        pthread_cond_signal(&journal->work);
    }
    if (refused == REASON_NONE) {
        return 0;
    }
    mail->reason = refused;
    *retry_after = refused == REASON_BUSY ? RETRY_BUSY : RETRY_UNAVAILABLE;
    return -1;
}

bool journal_note_dropped(struct journal *journal, uint64_t number)
{
    uint64_t left_out = 0;
    journal->dropped += number;
    return log_quota_take(&journal->quota, clock_monotonic_ms(), 1, &left_out);
}

void journal_complain(const char *why, uint64_t dropped)
{
    log_line(LOG_WARN, "events are missing from the audit log", LOG_TEXT("cause", why),
             LOG_NUMBER("since_start", dropped));
}

static char *put_text(char *at, const char *text, const char **copy)
{
    *copy = at;
    return stpcpy(at, text) + 1;
}

static struct journal_entry *entry_new(const struct journal_event *event)
{
    struct journal_entry *entry =
        malloc(sizeof *entry + strlen(event->event) + strlen(event->user) + strlen(event->source) +
               strlen(event->detail) + (event->outcome == NULL ? 0 : strlen(event->outcome)) + 5);
    if (entry != NULL) {
        entry->time = clock_monotonic_ms();
        entry->event.logged_in = event->logged_in;
        entry->event.from = event->from;
        char *at = put_text(entry->texts, event->event, &entry->event.event);
        at = put_text(at, event->user, &entry->event.user);
        at = put_text(at, event->source, &entry->event.source);
        at = put_text(at, event->detail, &entry->event.detail);
        entry->event.outcome = NULL;
        if (event->outcome != NULL) {
            (void)put_text(at, event->outcome, &entry->event.outcome);
        }
    }
    return entry;
}

void journal_event(struct journal *journal, const struct journal_event *event)
{
    struct journal_entry *entry = entry_new(event);
    bool tell = false;
    bool wakes = false;
    pthread_mutex_lock(&journal->lock);
    if (entry == NULL || journal->stopping || journal->events.len + journal->events_taken >= JOURNAL_EVENTS_MAX) {
        tell = journal_note_dropped(journal, 1);
    } else {
        append(&journal->events, &entry->item);
        entry = NULL;
        /* The first sets the time, the last ends it; those between only join. */
        wakes = (journal->events.len == 1 || journal->events.len == JOURNAL_GATHER_MAX) && must_wake(journal);
    }
    const uint64_t dropped = journal->dropped;
    pthread_mutex_unlock(&journal->lock);
    if (wakes) {
        pthread_cond_signal(&journal->work);
    }
    free(entry);
    if (tell) {
        journal_complain("too many are waiting for the database", dropped);
    }
}

int journal_refresh(struct journal *journal)
{
    const struct timespec until = waiting_in_ms(REFRESH_MAX_MS);
    int waited = 0;
    pthread_mutex_lock(&journal->lock);
    const uint64_t mine = ++journal->looks_wanted;
    if (must_wake(journal)) {
        pthread_cond_signal(&journal->work);
    }
    while (journal->looks_done < mine && !journal->stopping && waited == 0) {
        waited = pthread_cond_timedwait(&journal->looked, &journal->lock, &until);
    }
    const bool done = journal->looks_done >= mine && !journal->look_failed;
    pthread_mutex_unlock(&journal->lock);
    return done ? 0 : -1;
}

struct journal_stats journal_stats(struct journal *journal)
{
    pthread_mutex_lock(&journal->lock);
    const size_t issues = journal->issues.len + journal->issues_taken;
    const size_t events = journal->events.len + journal->events_taken;
    const struct journal_stats stats = { .queued = issues + events,
                                         .issues = issues,
                                         .events = events,
                                         .batches = journal->batches,
                                         .dropped = journal->dropped };
    pthread_mutex_unlock(&journal->lock);
    return stats;
}

/* ---- its life ---- */

struct journal *journal_new(const struct journal_options *options)
{
    struct journal *journal = calloc(1, sizeof *journal);
    if (journal == NULL) {
        return NULL;
    }
    journal->options = *options;
    gathering_init(&journal->gathering);
    journal->batch_issues = calloc(JOURNAL_BATCH_MAX, sizeof *journal->batch_issues);
    journal->batch_events = calloc(JOURNAL_BATCH_MAX, sizeof *journal->batch_events);
    journal->batch_mails = calloc(JOURNAL_BATCH_MAX, sizeof(struct mail *));
    if (journal->batch_issues == NULL || journal->batch_events == NULL || journal->batch_mails == NULL ||
        waiting_init(&journal->lock, &journal->work, &journal->looked) != 0) {
        free(journal->batch_issues);
        free(journal->batch_events);
        free(journal->batch_mails);
        free(journal);
        return NULL;
    }
    return journal;
}

int journal_start(struct journal *journal)
{
    if (pthread_create(&journal->thread, NULL, journal_work, journal) != 0) {
        return -1;
    }
    journal->runs = true;
    return 0;
}

void journal_stop(struct journal *journal)
{
    struct journal_list dropped = { 0 };
    struct inbox_item *item;
    pthread_mutex_lock(&journal->lock);
    journal->stopping = true;
    journal_list_move(&dropped, &journal->issues);
    pthread_cond_broadcast(&journal->looked);
    pthread_cond_broadcast(&journal->work);
    pthread_mutex_unlock(&journal->lock);
    while ((item = journal_list_take(&dropped)) != NULL) {
        mail_free(&journal_issue_of(item)->mail);
    }
    if (journal->runs) {
        pthread_join(journal->thread, NULL);
        journal->runs = false;
    }
}

void journal_free(struct journal **journal)
{
    struct journal *j = *journal;
    struct inbox_item *item;
    if (j == NULL) {
        return;
    }
    if (j->events.len > 0 && j->stopping) {
        journal_complain("kdcd ended while the database was away", j->dropped + j->events.len);
    }
    while ((item = journal_list_take(&j->events)) != NULL) {
        free(journal_entry_of(item));
    }
    while ((item = journal_list_take(&j->issues)) != NULL) {
        mail_free(&journal_issue_of(item)->mail);
    }
    pthread_cond_destroy(&j->looked);
    pthread_cond_destroy(&j->work);
    pthread_mutex_destroy(&j->lock);
    free(j->batch_issues);
    free(j->batch_events);
    free(j->batch_mails);
    free(j);
    *journal = NULL;
}
