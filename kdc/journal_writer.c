#include "kdc/journal_internal.h"

#include "kdc/clock.h"
#include "kdc/waiting.h"

#include <stdlib.h>

#define LOOK_MS 1000 /* between two looks for changed accounts */
/* A look takes so much of the time of the one before: a change bears the time of its statement, and can be seen only once it is
 * committed. By default InnoDB lets a statement wait for 50 s. */
#define OVERLAP_US (60 * 1000000)
/* Our clock and the database's, at most, at the first look. */
#define CLOCKS_APART_US (UINT64_C(3600) * 1000000)

/* To the one who opened. */
static void make_unissued(struct mail_issue *mail, enum reason reason)
{
    mail->mail.type = MAIL_UNISSUED;
    mail->mail.to = mail->issue.a;
    mail->reason = reason;
}

static enum reason reason_of(enum store_result result)
{
    return result == STORE_UNAVAILABLE || result == STORE_BROKEN ? REASON_UNAVAILABLE : REASON_INTERNAL;
}

/* Whether it may go well later: the database is away, or it is one that the operator has to mend. Until then events wait. */
static bool can_wait(enum store_result result)
{
    return result == STORE_UNAVAILABLE || result == STORE_BROKEN;
}

/* The first of each list, without taking them out. */
static struct store_batch make_batch(struct journal *journal, const struct journal_list *issues,
                                     const struct journal_list *events)
{
    struct store_batch batch = { .issues = journal->batch_issues, .events = journal->batch_events };
    const uint64_t now = clock_monotonic_ms();
    for (struct inbox_item *item = issues->oldest; item != NULL && batch.issue_count < JOURNAL_BATCH_MAX;
         item = item->next) {
        const struct mail_issue *mail = journal_issue_of(item);
        journal->batch_issues[batch.issue_count++] = (struct store_issue){ .user_a = mail->user_a,
                                                                           .user_b = mail->user_b,
                                                                           .name_a = mail->issue.name_a.text,
                                                                           .name_b = mail->issue.name_b.text,
                                                                           .source = mail->source };
    }
    for (struct inbox_item *item = events->oldest; item != NULL && batch.event_count < JOURNAL_BATCH_MAX;
         item = item->next) {
        const struct journal_entry *entry = journal_entry_of(item);
        journal->batch_events[batch.event_count++] = (struct store_event){ .event = entry->event.event,
                                                                           .user = entry->event.user,
                                                                           .source = entry->event.source,
                                                                           .detail = entry->event.detail,
                                                                           .outcome = entry->event.outcome,
                                                                           .logged_in = entry->event.logged_in,
                                                                           .from = entry->event.from,
                                                                           .age_ms = now - entry->time };
    }
    return batch;
}

/* Notes what is done with, before anybody can see it. */
static void note_written(struct journal *journal, const struct store_batch *batch, enum store_result result,
                         uint64_t took_us)
{
    bool tell = false;
    pthread_mutex_lock(&journal->lock);
    gathering_call_over(&journal->gathering, result == STORE_OK ? batch->issue_count : 0, journal->issues.len, took_us,
                        journal->options.company_us, clock_monotonic_us());
    journal->away = can_wait(result);
    journal->issues_taken -= batch->issue_count;
    if (!can_wait(result)) {
        journal->events_taken -= batch->event_count;
    }
    if (result == STORE_OK) {
        journal->batches++;
    } else if (!can_wait(result) && batch->event_count > 0) {
        tell = journal_note_dropped(journal, batch->event_count);
    }
    const uint64_t dropped = journal->dropped;
    pthread_mutex_unlock(&journal->lock);
    if (tell) {
        journal_complain("the database refuses them", dropped);
    }
}

static void hand_on(struct journal *journal, struct journal_list *issues, const struct store_batch *batch,
                    enum store_result result)
{
    for (size_t i = 0; i < batch->issue_count; i++) {
        struct mail_issue *mail = journal_issue_of(journal_list_take(issues));
        const struct store_issue *issue = &batch->issues[i];
        if (result != STORE_OK) {
            make_unissued(mail, reason_of(result));
        } else if (issue->conversation == 0) {
            make_unissued(mail, REASON_NO_SUCH_USER);
        } else {
            mail->issue.conversation = issue->conversation;
            mail->issue.epoch = issue->epoch;
        }
        journal->batch_mails[i] = &mail->mail;
    }
    if (batch->issue_count > 0) {
        journal->options.deliver(journal->options.context, journal->batch_mails, batch->issue_count);
    }
}

static enum store_result write_batch(struct journal *journal, struct accounts *accounts, struct journal_list *issues,
                                     struct journal_list *events)
{
    struct store_batch batch = make_batch(journal, issues, events);
    const uint64_t began = clock_monotonic_us();
    const enum store_result result = accounts != NULL ? accounts->write(accounts, &batch) : STORE_REFUSED;
    note_written(journal, &batch, result, clock_monotonic_us() - began);
    hand_on(journal, issues, &batch, result);
    for (size_t i = 0; !can_wait(result) && i < batch.event_count; i++) {
        free(journal_entry_of(journal_list_take(events)));
    }
    return result;
}

/* What the thread has taken and can't write now: back to the front of the queue. */
static void put_back(struct journal *journal, struct journal_list *events)
{
    pthread_mutex_lock(&journal->lock);
    journal->events_taken = 0;
    journal_list_move(events, &journal->events);
    journal->events = *events;
    pthread_mutex_unlock(&journal->lock);
}

/* The database is away: whoever has come by now needn't wait for the next to find that out. */
static void refuse_all(struct journal *journal, struct journal_list *issues)
{
    pthread_mutex_lock(&journal->lock);
    journal_list_move(issues, &journal->issues);
    journal->issues_taken = 0;
    pthread_mutex_unlock(&journal->lock);
    while (issues->len > 0) {
        size_t count = 0;
        while (issues->len > 0 && count < JOURNAL_BATCH_MAX) {
            struct mail_issue *mail = journal_issue_of(journal_list_take(issues));
            make_unissued(mail, REASON_UNAVAILABLE);
            journal->batch_mails[count++] = &mail->mail;
        }
        journal->options.deliver(journal->options.context, journal->batch_mails, count);
    }
}

static void write_all(struct journal *journal, struct accounts *accounts)
{
    struct journal_list issues = { 0 };
    struct journal_list events = { 0 };
    pthread_mutex_lock(&journal->lock);
    journal_list_move(&issues, &journal->issues);
    journal_list_move(&events, &journal->events);
    journal->issues_taken = issues.len;
    journal->events_taken = events.len;
    pthread_mutex_unlock(&journal->lock);
    while (issues.len > 0 || events.len > 0) {
        if (can_wait(write_batch(journal, accounts, &issues, &events))) {
            refuse_all(journal, &issues);
            put_back(journal, &events);
            return;
        }
    }
}

static void put_change(void *context, uint64_t user, uint64_t epoch, uint64_t changed_ms)
{
    struct journal *journal = context;
    if (account_changes_put(journal->options.changes, user, epoch, changed_ms) != 0) {
        journal->put_failed = true;
    }
}

/* Asks which accounts have changed since the last time. */
static enum store_result ask_changes(struct journal *journal, struct accounts *accounts)
{
    const uint64_t keep_us = UINT64_C(1000000) * ACCOUNT_CHANGES_SECONDS;
    uint64_t since =
        journal->since != 0 ? journal->since - OVERLAP_US : clock_wall_ms() * 1000 - keep_us - CLOCKS_APART_US;
    journal->put_failed = false;
    const enum store_result result = accounts->changes(accounts, &since, put_change, journal);
    if (result == STORE_OK && !journal->put_failed) {
        journal->since = since;
        account_changes_fed(journal->options.changes, (since - keep_us) / 1000);
    } else if (result == STORE_BROKEN) {
        /* A database that is away changes no accounts; one that goes on without us does. */
        account_changes_starve(journal->options.changes);
    }
    return result == STORE_OK && journal->put_failed ? STORE_BROKEN : result;
}

static void look(struct journal *journal, struct accounts *accounts)
{
    pthread_mutex_lock(&journal->lock);
    const uint64_t wanted = journal->looks_wanted;
    const bool asked_for = wanted != journal->looks_done;
    pthread_mutex_unlock(&journal->lock);
    const uint64_t now = clock_monotonic_ms();
    if (!asked_for && now < journal->next_look) {
        return;
    }
    journal->next_look = now + LOOK_MS;
    enum store_result result = STORE_BROKEN;
    const bool asks = accounts != NULL && journal->options.changes != NULL;
    if (asks) {
        result = ask_changes(journal, accounts);
    }
    pthread_mutex_lock(&journal->lock);
    journal->away = asks ? result == STORE_UNAVAILABLE : journal->away;
    journal->looks_done = wanted;
    journal->look_failed = result != STORE_OK;
    pthread_cond_broadcast(&journal->looked);
    pthread_mutex_unlock(&journal->lock);
}

void journal_step(struct journal *journal, struct accounts *accounts)
{
    write_all(journal, accounts);
    look(journal, accounts);
}

bool journal_has_work(struct journal *journal)
{
    pthread_mutex_lock(&journal->lock);
    const bool has = journal->issues.len > 0 || (journal->events.len > 0 && !journal->away) ||
                     journal->looks_wanted != journal->looks_done;
    pthread_mutex_unlock(&journal->lock);
    return has;
}

/* Under the lock: how long the thread may sleep, in microseconds; 0: there is work. Events alone are no reason to ask a
 * database that is away more often than once a second. */
static uint64_t idle_for(struct journal *journal)
{
    const uint64_t now = clock_monotonic_us();
    const bool events = journal->events.len > 0 && !journal->away;
    uint64_t due = journal->next_look * 1000;
    if (journal->looks_wanted != journal->looks_done || (events && journal->events.len >= JOURNAL_GATHER_MAX)) {
        return 0;
    }
    if (events) {
        const uint64_t gathered = (journal_entry_of(journal->events.oldest)->time + JOURNAL_GATHER_MS) * 1000;
        due = gathered < due ? gathered : due;
    }
    const uint64_t left = due > now ? due - now : 0;
    const uint64_t company = gathering_wait(&journal->gathering, journal->issues.len, now);
    return company < left ? company : left;
}

/* Under the lock. */
static void wait_for_work(struct journal *journal)
{
    uint64_t idle;
    while (!journal->stopping && (idle = idle_for(journal)) > 0) {
        const struct timespec until = waiting_in_us(idle);
        journal->sleeps = true;
        (void)pthread_cond_timedwait(&journal->work, &journal->lock, &until);
    }
    journal->sleeps = false;
}

void *journal_work(void *argument)
{
    struct journal *journal = argument;
    struct accounts *accounts = journal->options.start(journal->options.context);
    pthread_mutex_lock(&journal->lock);
    while (!journal->stopping) {
        pthread_mutex_unlock(&journal->lock);
        journal_step(journal, accounts);
        pthread_mutex_lock(&journal->lock);
        wait_for_work(journal);
    }
    pthread_mutex_unlock(&journal->lock);
    write_all(journal, accounts); /* issues are dropped by now */
    journal->options.stop(journal->options.context, accounts);
    return NULL;
}
