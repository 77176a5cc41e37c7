/*
 * test_kdc_queues.c: the reactors' mailbox, and their timer wheel.
 */
#include "kdc/mailbox.h"
#include "kdc/timer_wheel.h"
#include "tests/unit/cmocka_all.h"

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

/* ---- mailbox ---- */

static bool awake(const struct mailbox *mailbox)
{
    struct pollfd wake = { .fd = mailbox->wake_fd, .events = POLLIN };
    return poll(&wake, 1, 0) == 1;
}

static void mail_comes_out_in_the_order_it_went_in(void **state)
{
    (void)state;
    struct mailbox mailbox;
    struct mailbox_item items[5] = { { 0 } };
    assert_int_equal(mailbox_init(&mailbox), 0);
    for (unsigned round = 0; round < 2; round++) {
        assert_false(awake(&mailbox));
        assert_null(mailbox_take(&mailbox));
        for (unsigned i = 0; i < 5; i++) {
            items[i].kind = i;
            mailbox_push(&mailbox, &items[i]);
        }
        assert_true(awake(&mailbox));
        unsigned seen = 0;
        for (const struct mailbox_item *item = mailbox_take(&mailbox); item != NULL; item = item->next) {
            assert_int_equal(item->kind, seen++);
        }
        assert_int_equal(seen, 5);
    }
    mailbox_close(&mailbox);
}

#define PRODUCERS 3
#define EACH 20000

struct numbered {
    struct mailbox_item item; /* kind: the producer */
    unsigned number;
};

struct producer {
    struct mailbox *mailbox;
    unsigned number;
    struct numbered items[EACH];
};

static void *produce(void *argument)
{
    struct producer *p = argument;
    for (unsigned i = 0; i < EACH; i++) {
        p->items[i].item.kind = p->number;
        p->items[i].number = i;
        mailbox_push(p->mailbox, &p->items[i].item);
    }
    return NULL;
}

static void nothing_is_lost_and_each_producers_order_is_kept(void **state)
{
    (void)state;
    static struct producer producers[PRODUCERS];
    struct mailbox mailbox;
    pthread_t threads[PRODUCERS];
    unsigned next[PRODUCERS] = { 0 };
    unsigned total = 0;
    assert_int_equal(mailbox_init(&mailbox), 0);
    for (unsigned i = 0; i < PRODUCERS; i++) {
        producers[i].mailbox = &mailbox;
        producers[i].number = i;
        assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
    }
    while (total < PRODUCERS * EACH) {
        /* Only a wake-up makes us look: one that is missing makes this time out. */
        struct pollfd wake = { .fd = mailbox.wake_fd, .events = POLLIN };
        assert_int_equal(poll(&wake, 1, 30000), 1);
        for (const struct mailbox_item *item = mailbox_take(&mailbox); item != NULL; item = item->next) {
            assert_int_equal(((const struct numbered *)item)->number, next[item->kind]++);
            total++;
        }
    }
    for (unsigned i = 0; i < PRODUCERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    mailbox_close(&mailbox);
}

/* ---- timer wheel ---- */

#define START 1000003u

static unsigned length(const struct timer *timer)
{
    unsigned count = 0;
    for (; timer != NULL; timer = timer->next) {
        count++;
    }
    return count;
}

static void a_deadline_fires_never_early_and_at_most_a_tick_late(void **state)
{
    (void)state;
    static const uint64_t waits[] = { 0, 1, 127, 128, 129, 1000, 10000, 65535, 65536, 65537, 200000, 1000000 };
    static struct timer_wheel wheel;
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        struct timer timer = { 0 };
        const uint64_t deadline = START + waits[i];
        timer_wheel_init(&wheel, START);
        timer_wheel_set(&wheel, &timer, deadline);
        uint64_t now = START;
        while (timer_wheel_turn(&wheel, now) == NULL) {
            now += 50;
            assert_true(now < deadline + TIMER_WHEEL_TICK_MS + 50);
        }
        assert_true(now >= deadline);
        assert_null(timer.link);
        assert_null(timer_wheel_turn(&wheel, now + 10000000));
    }
}

static void a_deadline_can_be_moved_and_taken_out(void **state)
{
    (void)state;
    static struct timer_wheel wheel;
    struct timer moved = { 0 };
    struct timer removed = { 0 };
    struct timer stays = { 0 };
    timer_wheel_init(&wheel, START);
    timer_wheel_set(&wheel, &moved, START + 1000);
    timer_wheel_set(&wheel, &removed, START + 1000);
    timer_wheel_set(&wheel, &stays, START + 1000);
    timer_wheel_set(&wheel, &moved, START + 5000);
    timer_wheel_remove(&removed);
    timer_wheel_remove(&removed);
    const struct timer *due = timer_wheel_turn(&wheel, START + 2000);
    assert_ptr_equal(due, &stays);
    assert_int_equal(length(due), 1);
    assert_ptr_equal(timer_wheel_turn(&wheel, START + 6000), &moved);
}

static void after_a_long_pause_all_that_is_due_fires_at_once(void **state)
{
    (void)state;
    static struct timer_wheel wheel;
    static struct timer timers[1000];
    memset(timers, 0, sizeof timers);
    timer_wheel_init(&wheel, START);
    for (unsigned i = 0; i < 1000; i++) {
        timer_wheel_set(&wheel, &timers[i], START + i * 500);
    }
    assert_int_equal(length(timer_wheel_turn(&wheel, START + 250000)), 501);
    assert_int_equal(length(timer_wheel_turn(&wheel, START + 600000)), 499);
}

static void what_is_overdue_already_fires_at_the_next_turn(void **state)
{
    (void)state;
    static struct timer_wheel wheel;
    struct timer timer = { 0 };
    timer_wheel_init(&wheel, START);
    (void)timer_wheel_turn(&wheel, START + 10000);
    timer_wheel_set(&wheel, &timer, START + 1);
    assert_ptr_equal(timer_wheel_turn(&wheel, START + 10000 + TIMER_WHEEL_TICK_MS), &timer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mail_comes_out_in_the_order_it_went_in),
        cmocka_unit_test(nothing_is_lost_and_each_producers_order_is_kept),
        cmocka_unit_test(a_deadline_fires_never_early_and_at_most_a_tick_late),
        cmocka_unit_test(a_deadline_can_be_moved_and_taken_out),
        cmocka_unit_test(after_a_long_pause_all_that_is_due_fires_at_once),
        cmocka_unit_test(what_is_overdue_already_fires_at_the_next_turn),
    };
    return cmocka_run_group_tests_name("kdc_queues", tests, NULL, NULL);
}
