/*
 * test_kdc_queues.c: the reactors' inbox, their stock of mails, and their timer wheel.
 */
#include "kdc/inbox.h"
#include "kdc/mail.h"
#include "kdc/timer_wheel.h"
#include "tests/unit/cmocka_all.h"

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* ---- inbox ---- */

static bool awake(const struct inbox *inbox)
{
    struct pollfd wake = { .fd = inbox->wake_fd, .events = POLLIN };
    return poll(&wake, 1, 0) == 1;
}

static void mail_comes_out_in_the_order_it_went_in(void **state)
{
    (void)state;
    struct inbox inbox;
    struct inbox_item items[5] = { { 0 } };
    assert_int_equal(inbox_init(&inbox), 0);
    for (unsigned round = 0; round < 2; round++) {
        assert_false(awake(&inbox));
        assert_null(inbox_take(&inbox));
        for (unsigned i = 0; i < 5; i++) {
            items[i].kind = i;
            inbox_push(&inbox, &items[i]);
        }
        assert_true(awake(&inbox));
        unsigned seen = 0;
        for (const struct inbox_item *item = inbox_take(&inbox); item != NULL; item = item->next) {
            assert_int_equal(item->kind, seen++);
        }
        assert_int_equal(seen, 5);
    }
    inbox_close(&inbox);
}

static void several_come_as_one(void **state)
{
    (void)state;
    struct inbox inbox;
    struct inbox_item items[4] = { { 0 } };
    assert_int_equal(inbox_init(&inbox), 0);
    inbox_push(&inbox, &items[0]);
    items[3].next = &items[2];
    items[2].next = &items[1];
    inbox_push_all(&inbox, &items[3], &items[1]);
    unsigned seen = 0;
    for (const struct inbox_item *item = inbox_take(&inbox); item != NULL; item = item->next) {
        assert_ptr_equal(item, &items[seen++]);
    }
    assert_int_equal(seen, 4);
    items[1].next = &items[0];
    inbox_push_all(&inbox, &items[1], &items[0]);
    assert_true(awake(&inbox));
    assert_non_null(inbox_take(&inbox));
    inbox_close(&inbox);
}

#define PRODUCERS 3
#define EACH 20000

struct numbered {
    struct inbox_item item; /* kind: the producer */
    unsigned number;
};

struct producer {
    struct inbox *inbox;
    unsigned number;
    struct numbered items[EACH];
};

static void *produce(void *argument)
{
    struct producer *p = argument;
    for (unsigned i = 0; i < EACH; i++) {
        p->items[i].item.kind = p->number;
        p->items[i].number = i;
        if (p->number > 0) {
            inbox_push(p->inbox, &p->items[i].item);
        } else if (i % 2 == 1) { /* this one brings two at a time */
            p->items[i].item.next = &p->items[i - 1].item;
            inbox_push_all(p->inbox, &p->items[i].item, &p->items[i - 1].item);
        }
    }
    return NULL;
}

static void nothing_is_lost_and_each_producers_order_is_kept(void **state)
{
    (void)state;
    static struct producer producers[PRODUCERS];
    struct inbox inbox;
    pthread_t threads[PRODUCERS];
    unsigned next[PRODUCERS] = { 0 };
    unsigned total = 0;
    assert_int_equal(inbox_init(&inbox), 0);
    for (unsigned i = 0; i < PRODUCERS; i++) {
        producers[i].inbox = &inbox;
        producers[i].number = i;
        assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
    }
    while (total < PRODUCERS * EACH) {
        /* Only a wake-up makes us look: one that is missing makes this time out. */
        struct pollfd wake = { .fd = inbox.wake_fd, .events = POLLIN };
        assert_int_equal(poll(&wake, 1, 30000), 1);
        for (const struct inbox_item *item = inbox_take(&inbox); item != NULL; item = item->next) {
            assert_int_equal(((const struct numbered *)item)->number, next[item->kind]++);
            total++;
        }
    }
    for (unsigned i = 0; i < PRODUCERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    inbox_close(&inbox);
}

/* ---- an inbox whose consumer waits for edges ---- */

static int edges_of(const struct inbox *inbox)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLET };
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    assert_true(epoll >= 0);
    assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, inbox->wake_fd, &event), 0);
    return epoll;
}

static bool edge_within(int epoll, int milliseconds)
{
    struct epoll_event event;
    return epoll_wait(epoll, &event, 1, milliseconds) == 1;
}

static void nobody_wakes_who_is_awake(void **state)
{
    (void)state;
    struct inbox inbox;
    struct inbox_item items[4] = { { 0 } };
    assert_int_equal(inbox_init(&inbox), 0);
    const int epoll = edges_of(&inbox);
    assert_true(inbox_may_sleep(&inbox));
    assert_false(edge_within(epoll, 0));
    for (unsigned round = 0; round < 3; round++) {
        inbox_push(&inbox, &items[0]);
        assert_true(edge_within(epoll, 0)); /* without having read the eventfd since the last one */
        assert_false(edge_within(epoll, 0));
        inbox_stay_awake(&inbox);
        assert_ptr_equal(inbox_collect(&inbox), &items[0]);
        inbox_push(&inbox, &items[1]);
        assert_false(edge_within(epoll, 0));
        assert_false(inbox_may_sleep(&inbox)); /* what came meanwhile isn't slept over */
        inbox_push(&inbox, &items[2]);
        assert_false(edge_within(epoll, 0));
        const struct inbox_item *first = inbox_collect(&inbox);
        assert_ptr_equal(first, &items[1]);
        assert_ptr_equal(first->next, &items[2]);
        assert_true(inbox_may_sleep(&inbox));
    }
    close(epoll);
    inbox_close(&inbox);
}

static void a_consumer_that_sleeps_between_misses_nothing(void **state)
{
    (void)state;
    static struct producer producers[PRODUCERS];
    struct inbox inbox;
    pthread_t threads[PRODUCERS];
    unsigned next[PRODUCERS] = { 0 };
    unsigned total = 0;
    assert_int_equal(inbox_init(&inbox), 0);
    const int epoll = edges_of(&inbox);
    for (unsigned i = 0; i < PRODUCERS; i++) {
        producers[i].inbox = &inbox;
        producers[i].number = i;
        assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
    }
    while (total < PRODUCERS * EACH) {
        if (inbox_may_sleep(&inbox)) {
            assert_true(edge_within(epoll, 30000));
            inbox_stay_awake(&inbox);
        }
        for (const struct inbox_item *item = inbox_collect(&inbox); item != NULL; item = item->next) {
            assert_int_equal(((const struct numbered *)item)->number, next[item->kind]++);
            total++;
        }
    }
    for (unsigned i = 0; i < PRODUCERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    close(epoll);
    inbox_close(&inbox);
}

/* ---- stock of mails ---- */

static const struct session_ref here = { .reactor = 1, .slot = 2, .generation = 3, .session = 4 };
static const struct session_ref there = { .reactor = 5, .slot = 6, .generation = 7, .session = 8 };

static void a_mail_that_is_freed_is_used_again(void **state)
{
    (void)state;
    struct mail_stock stock;
    mail_stock_init(&stock, 10);
    struct mail_ciphertext *mail = mail_stock_take(&stock, &there, &here, 100);
    assert_non_null(mail);
    mail_free(&mail->mail);
    for (unsigned i = 0; i < 50; i++) {
        struct mail_ciphertext *again = mail_stock_take(&stock, &here, &there, MAIL_STOCK_ROOM);
        assert_ptr_equal(again, mail);
        assert_int_equal(again->mail.type, MAIL_CIPHERTEXT);
        assert_memory_equal(&again->mail.to, &here, sizeof here);
        assert_memory_equal(&again->mail.from, &there, sizeof there);
        memset(again->plain, 0x5a, MAIL_STOCK_ROOM);
        mail_free(&again->mail);
    }
    assert_int_equal(stock.out, 1);
    mail_stock_clear(&stock);
    assert_int_equal(stock.out, 0);
}

static void a_stock_of_mails_is_bounded_and_gives_back_what_is_not_needed(void **state)
{
    (void)state;
    struct mail_stock stock;
    struct mail_ciphertext *mails[12];
    mail_stock_init(&stock, 10);
    struct mail_ciphertext *longer = mail_stock_take(&stock, &there, &here, MAIL_STOCK_ROOM + 1);
    assert_non_null(longer);
    memset(longer->plain, 0x5a, MAIL_STOCK_ROOM + 1);
    assert_int_equal(stock.out, 0);
    mail_free(&longer->mail);
    for (size_t i = 0; i < 12; i++) {
        mails[i] = mail_stock_take(&stock, &there, &here, 10);
        assert_non_null(mails[i]);
    }
    assert_int_equal(stock.out, 10);
    for (size_t i = 0; i < 12; i++) {
        mail_free(&mails[i]->mail);
    }
    mail_stock_trim(&stock); /* finds them */
    assert_int_equal(stock.out, 10);
    mails[0] = mail_stock_take(&stock, &there, &here, 10);
    mail_free(&mails[0]->mail);
    mail_stock_trim(&stock); /* one was needed */
    assert_int_equal(stock.out, 1);
    mail_stock_trim(&stock);
    assert_int_equal(stock.out, 0);
    mail_stock_clear(&stock);
}

#define IN_FLIGHT 64

struct passing {
    struct inbox inbox;
    unsigned received;
};

static void *receive(void *argument)
{
    struct passing *passing = argument;
    while (passing->received < EACH) {
        struct pollfd wake = { .fd = passing->inbox.wake_fd, .events = POLLIN };
        assert_int_equal(poll(&wake, 1, 30000), 1);
        struct inbox_item *item = inbox_take(&passing->inbox);
        while (item != NULL) {
            struct inbox_item *next = item->next;
            struct mail_ciphertext *mail = (struct mail_ciphertext *)item;
            unsigned number;
            memcpy(&number, mail->plain, sizeof number);
            assert_int_equal(number, passing->received++);
            mail_free(&mail->mail);
            item = next;
        }
    }
    return NULL;
}

/* One way only: the stock lives from what the other thread gives back. */
static void mails_come_home_from_another_thread(void **state)
{
    (void)state;
    struct passing passing = { .received = 0 };
    struct mail_stock stock;
    pthread_t thread;
    mail_stock_init(&stock, IN_FLIGHT);
    assert_int_equal(inbox_init(&passing.inbox), 0);
    assert_int_equal(pthread_create(&thread, NULL, receive, &passing), 0);
    for (unsigned i = 0; i < EACH; i++) {
        struct mail_ciphertext *mail = mail_stock_take(&stock, &there, &here, sizeof i);
        assert_non_null(mail);
        memcpy(mail->plain, &i, sizeof i);
        inbox_push(&passing.inbox, &mail->mail.item);
        if (i % 1000 == 0) {
            mail_stock_trim(&stock);
        }
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(stock.out <= IN_FLIGHT);
    mail_stock_clear(&stock);
    assert_int_equal(stock.out, 0);
    inbox_close(&passing.inbox);
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
        cmocka_unit_test(several_come_as_one),
        cmocka_unit_test(nothing_is_lost_and_each_producers_order_is_kept),
        cmocka_unit_test(nobody_wakes_who_is_awake),
        cmocka_unit_test(a_consumer_that_sleeps_between_misses_nothing),
        cmocka_unit_test(a_mail_that_is_freed_is_used_again),
        cmocka_unit_test(a_stock_of_mails_is_bounded_and_gives_back_what_is_not_needed),
        cmocka_unit_test(mails_come_home_from_another_thread),
        cmocka_unit_test(a_deadline_fires_never_early_and_at_most_a_tick_late),
        cmocka_unit_test(a_deadline_can_be_moved_and_taken_out),
        cmocka_unit_test(after_a_long_pause_all_that_is_due_fires_at_once),
        cmocka_unit_test(what_is_overdue_already_fires_at_the_next_turn),
    };
    return cmocka_run_group_tests_name("kdc_queues", tests, NULL, NULL);
}
