/* The journal: what gathers is written together, in order, and handed on only then. */
#include "kdc/clock.h"
#include "kdc/journal.h"
#include "tests/unit/cmocka_all.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCHES_MAX 64

/* The clock that the journal sees stands still from when it is set; 0: it is the real one. */
static _Atomic uint64_t clock_stands_us;

int __real_clock_gettime(clockid_t, struct timespec *);
int __wrap_clock_gettime(clockid_t, struct timespec *);

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    const uint64_t stands = clock_stands_us;
    if (stands == 0 || clock != CLOCK_MONOTONIC) {
        return __real_clock_gettime(clock, now);
    }
    *now = (struct timespec){ .tv_sec = (time_t)(stands / 1000000), .tv_nsec = (long)(stands % 1000000) * 1000 };
    return 0;
}

struct rig {
    struct accounts accounts; /* first: what the journal sees */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct journal *journal;
    struct account_changes *changes;
    bool away;
    bool known_away;
    bool broken;
    bool refuses;
    bool stuck; /* a write waits until this is over */
    bool in_write;
    size_t batches;
    size_t issues[BATCHES_MAX]; /* by batch */
    size_t events[BATCHES_MAX];
    char last_event[128];
    uint64_t last_logged_in;
    uint32_t epochs;
    uint64_t fed_epoch; /* of account 5 */
    size_t looks;
    uint64_t last_since;
    struct inbox_item *delivered; /* oldest first */
    size_t delivered_count;
    bool stopped;
};

static enum store_result write_batch(struct accounts *accounts, struct store_batch *batch)
{
    struct rig *rig = (struct rig *)accounts;
    pthread_mutex_lock(&rig->lock);
    rig->in_write = true;
    pthread_cond_broadcast(&rig->changed);
    while (rig->stuck) {
        pthread_cond_wait(&rig->changed, &rig->lock);
    }
    rig->in_write = false;
    enum store_result result = rig->away ? STORE_UNAVAILABLE : rig->broken ? STORE_BROKEN : STORE_OK;
    result = rig->refuses ? STORE_REFUSED : result;
    if (result == STORE_OK) {
        assert_true(rig->batches < BATCHES_MAX);
        rig->issues[rig->batches] = batch->issue_count;
        rig->events[rig->batches++] = batch->event_count;
    }
    for (size_t i = 0; result == STORE_OK && i < batch->issue_count; i++) {
        struct store_issue *issue = &batch->issues[i];
        issue->conversation = issue->user_b == 13 ? 0 : issue->user_a * 100 + issue->user_b;
        issue->epoch = ++rig->epochs;
    }
    for (size_t i = 0; result == STORE_OK && i < batch->event_count; i++) {
        const struct store_event *event = &batch->events[i];
        (void)snprintf(rig->last_event, sizeof rig->last_event, "%s %s %s %s", event->event, event->user, event->source,
                       event->detail);
        rig->last_logged_in = event->logged_in;
    }
    pthread_mutex_unlock(&rig->lock);
    return result;
}

static enum store_result changes(struct accounts *accounts, uint64_t *since, store_changed *changed, void *context)
{
    struct rig *rig = (struct rig *)accounts;
    pthread_mutex_lock(&rig->lock);
    const enum store_result result = rig->away ? STORE_UNAVAILABLE : rig->broken ? STORE_BROKEN : STORE_OK;
    const uint64_t epoch = rig->fed_epoch;
    if (result == STORE_OK) {
        rig->looks++;
        rig->last_since = *since;
    }
    pthread_mutex_unlock(&rig->lock);
    if (result != STORE_OK) {
        return result;
    }
    if (epoch != 0) {
        changed(context, 5, epoch, epoch / 1000);
    }
    *since = UINT64_C(1795165200000000);
    return STORE_OK;
}

static struct accounts *start(void *context)
{
    return &((struct rig *)context)->accounts;
}

static void stop(void *context, struct accounts *accounts)
{
    struct rig *rig = context;
    assert_ptr_equal(accounts, &rig->accounts);
    rig->stopped = true;
}

static void deliver(void *context, struct mail **mails, size_t count)
{
    struct rig *rig = context;
    pthread_mutex_lock(&rig->lock);
    struct inbox_item **place = &rig->delivered;
    while (*place != NULL) {
        place = &(*place)->next;
    }
    for (size_t i = 0; i < count; i++) {
        mails[i]->item.next = NULL;
        *place = &mails[i]->item;
        place = &mails[i]->item.next;
    }
    rig->delivered_count += count;
    pthread_cond_broadcast(&rig->changed);
    pthread_mutex_unlock(&rig->lock);
}

static bool known_away(void *context)
{
    return ((struct rig *)context)->known_away;
}

static int begin(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    assert_non_null(rig);
    pthread_mutex_init(&rig->lock, NULL);
    pthread_cond_init(&rig->changed, NULL);
    rig->accounts = (struct accounts){ .write = write_batch, .changes = changes };
    rig->changes = account_changes_new();
    assert_non_null(rig->changes);
    rig->journal = journal_new(&(struct journal_options){ .context = rig,
                                                          .start = start,
                                                          .stop = stop,
                                                          .deliver = deliver,
                                                          .away = known_away,
                                                          .changes = rig->changes,
                                                          .company_us = UINT64_C(60000000) });
    assert_non_null(rig->journal);
    *state = rig;
    return 0;
}

static struct mail_issue *take_delivered(struct rig *rig)
{
    struct inbox_item *item = rig->delivered;
    if (item != NULL) {
        rig->delivered = item->next;
        rig->delivered_count--;
    }
    return (struct mail_issue *)item;
}

static int end(void **state)
{
    struct rig *rig = *state;
    struct mail_issue *mail;
    clock_stands_us = 0;
    journal_stop(rig->journal);
    journal_free(&rig->journal);
    account_changes_free(&rig->changes);
    while ((mail = take_delivered(rig)) != NULL) {
        mail_free(&mail->mail);
    }
    pthread_cond_destroy(&rig->changed);
    pthread_mutex_destroy(&rig->lock);
    free(rig);
    return 0;
}

static struct mail_issue *issue(uint32_t request, uint64_t peer)
{
    const struct session_ref nobody = { 0 };
    struct mail_issue *mail = mail_new(MAIL_ISSUE, &nobody, &nobody, 0);
    assert_non_null(mail);
    mail->issue.request = request;
    mail->user_a = 1;
    mail->user_b = peer;
    return mail;
}

static void submit(struct rig *rig, uint32_t request, uint64_t peer)
{
    uint32_t retry_after = 0;
    assert_int_equal(journal_issue(rig->journal, issue(request, peer), &retry_after), 0);
}

static void record(struct rig *rig, const char *event, uint64_t logged_in)
{
    journal_event(rig->journal,
                  &(struct journal_event){
                      .event = event, .user = "alice", .source = "here", .detail = "", .logged_in = logged_in });
}

static void expect_delivered(struct rig *rig, enum mail_type type, uint32_t request, enum reason reason)
{
    struct mail_issue *mail = take_delivered(rig);
    assert_non_null(mail);
    assert_int_equal(mail->mail.type, type);
    assert_int_equal(mail->issue.request, request);
    assert_int_equal(mail->reason, reason);
    mail_free(&mail->mail);
}

static void what_has_gathered_is_written_at_once_and_handed_on_in_order(void **state)
{
    struct rig *rig = *state;
    for (uint32_t i = 1; i <= 5; i++) {
        submit(rig, i, i == 3 ? 13 : 2);
    }
    record(rig, "login", 77);
    assert_int_equal(journal_stats(rig->journal).queued, 6);
    assert_null(rig->delivered);
    journal_step(rig->journal, &rig->accounts);
    assert_int_equal(rig->batches, 1);
    assert_int_equal(rig->issues[0], 5);
    assert_int_equal(rig->events[0], 1);
    assert_string_equal(rig->last_event, "login alice here ");
    assert_int_equal(rig->last_logged_in, 77);
    for (uint32_t i = 1; i <= 5; i++) {
        if (i != 3) {
            assert_int_equal(((struct mail_issue *)rig->delivered)->issue.conversation, 102);
            assert_int_equal(((struct mail_issue *)rig->delivered)->issue.epoch, i);
        }
        expect_delivered(rig, i == 3 ? MAIL_UNISSUED : MAIL_ISSUE, i, i == 3 ? REASON_NO_SUCH_USER : REASON_NONE);
    }
    assert_int_equal(journal_stats(rig->journal).queued, 0);
    assert_int_equal(journal_stats(rig->journal).batches, 1);
}

static void more_than_a_batch_takes_goes_into_several(void **state)
{
    struct rig *rig = *state;
    for (uint32_t i = 0; i < JOURNAL_BATCH_MAX + 10; i++) {
        submit(rig, i, 2);
    }
    journal_step(rig->journal, &rig->accounts);
    assert_int_equal(rig->batches, 2);
    assert_int_equal(rig->issues[0], JOURNAL_BATCH_MAX);
    assert_int_equal(rig->issues[1], 10);
    for (uint32_t i = 0; i < JOURNAL_BATCH_MAX + 10; i++) {
        expect_delivered(rig, MAIL_ISSUE, i, REASON_NONE);
    }
}

static void a_full_queue_takes_no_more_until_it_is_written(void **state)
{
    struct rig *rig = *state;
    uint32_t retry_after = 0;
    for (uint32_t i = 0; i < JOURNAL_ISSUES_MAX; i++) {
        submit(rig, i, 2);
    }
    struct mail_issue *mail = issue(1, 2);
    assert_int_equal(journal_issue(rig->journal, mail, &retry_after), -1);
    assert_int_equal(mail->reason, REASON_BUSY);
    assert_true(retry_after >= 1);
    mail_free(&mail->mail);
    for (uint32_t i = 0; i < JOURNAL_EVENTS_MAX + 3; i++) {
        record(rig, "login", 0);
    }
    assert_int_equal(journal_stats(rig->journal).dropped, 3);
    journal_step(rig->journal, &rig->accounts);
    assert_int_equal(journal_stats(rig->journal).queued, 0);
    submit(rig, 1, 2);
}

static void without_the_database_issues_fail_and_events_wait(void **state)
{
    struct rig *rig = *state;
    uint32_t retry_after = 0;
    rig->away = true;
    rig->known_away = true;
    submit(rig, 1, 2);
    submit(rig, 2, 2);
    record(rig, "login refused", 0);
    journal_step(rig->journal, &rig->accounts);
    expect_delivered(rig, MAIL_UNISSUED, 1, REASON_UNAVAILABLE);
    expect_delivered(rig, MAIL_UNISSUED, 2, REASON_UNAVAILABLE);
    assert_int_equal(journal_stats(rig->journal).queued, 1);
    assert_false(journal_has_work(rig->journal));

    struct mail_issue *mail = issue(3, 2);
    assert_int_equal(journal_issue(rig->journal, mail, &retry_after), -1);
    assert_int_equal(mail->reason, REASON_UNAVAILABLE);
    mail_free(&mail->mail);

    /* Somebody else has found it back. */
    rig->away = false;
    rig->known_away = false;
    record(rig, "login", 0);
    submit(rig, 4, 2);
    journal_step(rig->journal, &rig->accounts);
    assert_int_equal(rig->batches, 1);
    assert_int_equal(rig->events[0], 2);
    assert_string_equal(rig->last_event, "login alice here ");
    expect_delivered(rig, MAIL_ISSUE, 4, REASON_NONE);
}

static void with_a_database_that_must_be_mended_issues_fail_and_events_wait(void **state)
{
    struct rig *rig = *state;
    rig->broken = true;
    submit(rig, 1, 2);
    record(rig, "login refused", 0);
    journal_step(rig->journal, &rig->accounts);
    expect_delivered(rig, MAIL_UNISSUED, 1, REASON_UNAVAILABLE);
    assert_int_equal(journal_stats(rig->journal).queued, 1);
    assert_int_equal(journal_stats(rig->journal).dropped, 0);

    rig->broken = false;
    submit(rig, 2, 2);
    journal_step(rig->journal, &rig->accounts);
    assert_int_equal(rig->events[0], 1);
    assert_int_equal(rig->issues[0], 1);
    expect_delivered(rig, MAIL_ISSUE, 2, REASON_NONE);
}

static void what_the_database_refuses_is_dropped_and_counted(void **state)
{
    struct rig *rig = *state;
    rig->refuses = true;
    submit(rig, 1, 2);
    record(rig, "login", 0);
    journal_step(rig->journal, &rig->accounts);
    expect_delivered(rig, MAIL_UNISSUED, 1, REASON_INTERNAL);
    assert_int_equal(journal_stats(rig->journal).dropped, 1);
    assert_int_equal(journal_stats(rig->journal).queued, 0);
}

static void wait_until(struct rig *rig, const bool *what)
{
    while (!*what) {
        pthread_cond_wait(&rig->changed, &rig->lock);
    }
}

/* Its thread runs, and writes this until let_go. */
static void begin_stuck(struct rig *rig, uint32_t request)
{
    rig->stuck = true;
    assert_int_equal(journal_start(rig->journal), 0);
    submit(rig, request, 2);
    pthread_mutex_lock(&rig->lock);
    wait_until(rig, &rig->in_write);
    pthread_mutex_unlock(&rig->lock);
}

static void let_go(struct rig *rig)
{
    pthread_mutex_lock(&rig->lock);
    rig->stuck = false;
    pthread_cond_broadcast(&rig->changed);
    pthread_mutex_unlock(&rig->lock);
}

static void wait_delivered(struct rig *rig, size_t count)
{
    pthread_mutex_lock(&rig->lock);
    while (rig->delivered_count < count) {
        pthread_cond_wait(&rig->changed, &rig->lock);
    }
    pthread_mutex_unlock(&rig->lock);
}

static void what_comes_while_one_batch_is_written_makes_up_the_next(void **state)
{
    struct rig *rig = *state;
    begin_stuck(rig, 0);
    for (uint32_t i = 1; i <= 20; i++) {
        submit(rig, i, 2);
    }
    let_go(rig);
    wait_delivered(rig, 21);
    assert_int_equal(rig->batches, 2);
    assert_int_equal(rig->issues[0], 1);
    assert_int_equal(rig->issues[1], 20);
    for (uint32_t i = 0; i <= 20; i++) {
        expect_delivered(rig, MAIL_ISSUE, i, REASON_NONE);
    }
}

/* One is being written, and two come meanwhile. */
static void begin_with_two_waiting(struct rig *rig)
{
    begin_stuck(rig, 1);
    submit(rig, 2, 2);
    submit(rig, 3, 2);
}

static void who_is_answered_and_comes_again_joins_those_who_came_meanwhile(void **state)
{
    struct rig *rig = *state;
    begin_with_two_waiting(rig);
    clock_stands_us = clock_monotonic_us() + 60000000; /* so long has it taken; whatever is waited for comes later */
    let_go(rig);
    wait_delivered(rig, 1);
    submit(rig, 4, 2);
    wait_delivered(rig, 4);
    assert_int_equal(rig->batches, 2);
    assert_int_equal(rig->issues[1], 3);
    for (uint32_t i = 1; i <= 4; i++) {
        expect_delivered(rig, MAIL_ISSUE, i, REASON_NONE);
    }
}

static void whoever_waits_for_company_in_vain_goes_alone(void **state)
{
    struct rig *rig = *state;
    const uint64_t begin = clock_monotonic_us();
    begin_with_two_waiting(rig);
    (void)usleep(200000);
    let_go(rig);
    wait_delivered(rig, 3);
    assert_true(clock_monotonic_us() - begin > 250000); /* 200 ms, and half of that */
    assert_int_equal(rig->batches, 2);
    assert_int_equal(rig->issues[1], 2);
    submit(rig, 4, 2);
    wait_delivered(rig, 4);
    assert_int_equal(rig->issues[2], 1);
}

static void events_alone_gather_for_a_moment_and_an_issue_takes_them_along_at_once(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(journal_start(rig->journal), 0);
    for (int i = 0; i < 60; i++) {
        record(rig, "login", 0);
        (void)usleep(500);
    }
    submit(rig, 1, 2);
    wait_delivered(rig, 1);
    expect_delivered(rig, MAIL_ISSUE, 1, REASON_NONE);
    size_t events = 0;
    for (size_t i = 0; i < rig->batches; i++) {
        events += rig->events[i];
    }
    assert_int_equal(events, 60);
    assert_true(rig->batches < 30); /* one for each would be 60 */
}

static void at_the_end_events_are_written_and_issues_dropped(void **state)
{
    struct rig *rig = *state;
    uint32_t retry_after = 0;
    begin_stuck(rig, 1);
    submit(rig, 2, 2);
    record(rig, "login", 0);
    let_go(rig);
    journal_stop(rig->journal);
    assert_true(rig->stopped);
    assert_string_equal(rig->last_event, "login alice here ");
    assert_int_equal(journal_stats(rig->journal).queued, 0);
    struct mail_issue *mail = issue(3, 2);
    assert_int_equal(journal_issue(rig->journal, mail, &retry_after), -1);
    mail_free(&mail->mail);
    record(rig, "login", 0);
    assert_int_equal(journal_stats(rig->journal).dropped, 1);
}

static void changed_accounts_are_known_when_a_refresh_returns(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(journal_start(rig->journal), 0);
    assert_int_equal(journal_refresh(rig->journal), 0);
    assert_true(account_changes_holds(rig->changes, 5, 1));
    pthread_mutex_lock(&rig->lock);
    rig->fed_epoch = UINT64_C(1795165200000000);
    pthread_mutex_unlock(&rig->lock);
    assert_int_equal(journal_refresh(rig->journal), 0);
    assert_false(account_changes_holds(rig->changes, 5, 1));
    assert_true(account_changes_holds(rig->changes, 5, UINT64_C(1795165200000000)));
    pthread_mutex_lock(&rig->lock);
    /* From the last time on, and before: longer than a statement may wait between its time and its commit. */
    assert_int_equal(rig->last_since, UINT64_C(1795165140000000));
    rig->away = true;
    pthread_mutex_unlock(&rig->lock);
    assert_int_equal(journal_refresh(rig->journal), -1);
}

static void refresh_while(struct rig *rig, bool away, bool broken, int wanted)
{
    pthread_mutex_lock(&rig->lock);
    rig->away = away;
    rig->broken = broken;
    pthread_mutex_unlock(&rig->lock);
    assert_int_equal(journal_refresh(rig->journal), wanted);
}

static void tickets_hold_without_the_database_but_not_with_one_that_does_not_tell_changes(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(journal_start(rig->journal), 0);
    refresh_while(rig, false, false, 0);
    refresh_while(rig, true, false, -1);
    assert_true(account_changes_holds(rig->changes, 5, 1));
    refresh_while(rig, false, true, -1);
    assert_false(account_changes_holds(rig->changes, 5, 1));
    refresh_while(rig, false, false, 0);
    assert_true(account_changes_holds(rig->changes, 5, 1));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_has_gathered_is_written_at_once_and_handed_on_in_order),
        TEST(more_than_a_batch_takes_goes_into_several),
        TEST(a_full_queue_takes_no_more_until_it_is_written),
        TEST(without_the_database_issues_fail_and_events_wait),
        TEST(with_a_database_that_must_be_mended_issues_fail_and_events_wait),
        TEST(what_the_database_refuses_is_dropped_and_counted),
        TEST(what_comes_while_one_batch_is_written_makes_up_the_next),
        TEST(who_is_answered_and_comes_again_joins_those_who_came_meanwhile),
        TEST(whoever_waits_for_company_in_vain_goes_alone),
        TEST(events_alone_gather_for_a_moment_and_an_issue_takes_them_along_at_once),
        TEST(at_the_end_events_are_written_and_issues_dropped),
        TEST(changed_accounts_are_known_when_a_refresh_returns),
        TEST(tickets_hold_without_the_database_but_not_with_one_that_does_not_tell_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
