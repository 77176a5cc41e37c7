/*
 * test_kdc_directory.c: who is logged in, who wants to know, and that only the right session is ever removed.
 */
#include "kdc/directory.h"
#include "tests/unit/cmocka_all.h"
#include "wire/name.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct name name_of(const char *text)
{
    struct name name;
    assert_int_equal(name_from_string(text, &name), 0);
    return name;
}

static struct session_ref ref_of(uint64_t session)
{
    return (struct session_ref){ .reactor = 1, .slot = (uint32_t)session, .generation = 7, .session = session };
}

static struct directory_entry entry_of(const char *name, uint64_t session)
{
    return (struct directory_entry){ .name = name_of(name), .user = session, .ref = ref_of(session), .since = session };
}

/* Inserts where nobody is expected to be, and nobody to wait. */
static void insert_alone(struct directory *d, const char *name, uint64_t session)
{
    struct directory_entry old;
    struct directory_watcher *watchers;
    const struct directory_entry entry = entry_of(name, session);
    assert_int_equal(directory_insert(d, &entry, &old, &watchers), 0);
    assert_int_equal(old.ref.session, 0);
    assert_null(watchers);
}

static int set_up(void **state)
{
    *state = directory_new();
    return *state == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    struct directory *d = *state;
    directory_free(&d);
    assert_null(d);
    return 0;
}

static void a_user_is_found_from_insert_to_remove(void **state)
{
    struct directory *d = *state;
    struct directory_entry found;
    const struct name alice = name_of("alice");
    const struct session_ref ref = ref_of(5);
    assert_false(directory_find(d, &alice, &found));
    insert_alone(d, "alice", 5);
    assert_true(directory_find(d, &alice, &found));
    assert_true(session_ref_equal(&found.ref, &ref));
    assert_int_equal(directory_count(d), 1);
    assert_true(directory_remove(d, &alice, &ref));
    assert_false(directory_find(d, &alice, &found));
    assert_int_equal(directory_count(d), 0);
}

static void a_newer_session_takes_the_place_and_the_older_cannot_remove_it(void **state)
{
    struct directory *d = *state;
    struct directory_entry old;
    struct directory_entry found;
    struct directory_watcher *watchers;
    const struct name alice = name_of("alice");
    const struct directory_entry newer = entry_of("alice", 6);
    const struct session_ref first = ref_of(5);
    insert_alone(d, "alice", 5);
    assert_int_equal(directory_insert(d, &newer, &old, &watchers), 0);
    assert_int_equal(old.ref.session, 5);
    assert_null(watchers);
    assert_false(directory_remove(d, &alice, &first));
    assert_true(directory_find(d, &alice, &found));
    assert_int_equal(found.ref.session, 6);
    assert_int_equal(directory_count(d), 1);
}

static void every_part_of_a_ref_counts(void **state)
{
    struct directory *d = *state;
    const struct name alice = name_of("alice");
    insert_alone(d, "alice", 5);
    for (int part = 0; part < 4; part++) {
        struct session_ref other = ref_of(5);
        other.reactor += part == 0;
        other.slot += part == 1;
        other.generation += part == 2;
        other.session += part == 3;
        assert_false(directory_remove(d, &alice, &other));
    }
}

static void watchers_are_told_once(void **state)
{
    struct directory *d = *state;
    struct directory_entry entry;
    struct directory_entry old;
    struct directory_watcher *watchers;
    const struct name bob = name_of("bob");
    const struct session_ref one = ref_of(1);
    const struct session_ref two = ref_of(2);
    assert_int_equal(directory_find_or_watch(d, &bob, &one, &entry), DIRECTORY_WATCHING);
    assert_int_equal(directory_find_or_watch(d, &bob, &one, &entry), DIRECTORY_WATCHED);
    assert_int_equal(directory_find_or_watch(d, &bob, &two, &entry), DIRECTORY_WATCHING);
    assert_false(directory_find(d, &bob, &entry)); /* being waited for is not being there */
    assert_int_equal(directory_count(d), 0);

    const struct directory_entry there = entry_of("bob", 9);
    assert_int_equal(directory_insert(d, &there, &old, &watchers), 0);
    size_t told = 0;
    for (const struct directory_watcher *w = watchers; w != NULL; w = w->next) {
        assert_true(session_ref_equal(&w->ref, &one) || session_ref_equal(&w->ref, &two));
        told++;
    }
    assert_int_equal(told, 2);
    directory_watchers_free(&watchers);
    assert_int_equal(directory_find_or_watch(d, &bob, &one, &entry), DIRECTORY_ONLINE);
    assert_int_equal(entry.ref.session, 9);

    /* Once: who comes again finds nobody waiting. */
    assert_true(directory_remove(d, &bob, &there.ref));
    insert_alone(d, "bob", 10);
}

static void who_does_not_watch_any_more_is_not_told(void **state)
{
    struct directory *d = *state;
    struct directory_entry entry;
    const struct name bob = name_of("bob");
    const struct session_ref one = ref_of(1);
    assert_int_equal(directory_find_or_watch(d, &bob, &one, &entry), DIRECTORY_WATCHING);
    directory_unwatch(d, &bob, &one);
    directory_unwatch(d, &bob, &one);
    insert_alone(d, "bob", 9);
}

static void conversations_are_set_for_the_very_session_only(void **state)
{
    struct directory *d = *state;
    struct directory_entry found;
    const struct name alice = name_of("alice");
    const struct session_ref right = ref_of(5);
    const struct session_ref wrong = ref_of(4);
    insert_alone(d, "alice", 5);
    directory_set_conversations(d, &alice, &right, 3);
    directory_set_conversations(d, &alice, &wrong, 8);
    assert_true(directory_find(d, &alice, &found));
    assert_int_equal(found.conversations, 3);
}

static void a_seat_is_set_for_the_very_session_only(void **state)
{
    struct directory *d = *state;
    struct directory_entry found;
    const struct name alice = name_of("alice");
    const struct session_ref ref = ref_of(5);
    const struct session_ref other = ref_of(6);
    insert_alone(d, "alice", 5);
    directory_set_seat(d, &alice, &other, 3);
    assert_true(directory_find(d, &alice, &found));
    assert_int_equal(found.ref.seat, 0);
    directory_set_seat(d, &alice, &ref, 3);
    assert_true(directory_find(d, &alice, &found));
    assert_int_equal(found.ref.seat, 3);
    assert_true(session_ref_equal(&found.ref, &ref)); /* it has no other name by that */
    const struct session_ref home = session_ref_home(&found.ref);
    assert_int_equal(home.seat, home.reactor);
    assert_true(directory_remove(d, &alice, &ref));
    directory_set_seat(d, &alice, &ref, 2);
    assert_false(directory_find(d, &alice, &found));
}

#define MANY 3000

static void the_list_is_sorted_and_comes_in_pages(void **state)
{
    struct directory *d = *state;
    char text[NAME_LEN_MAX + 1];
    for (unsigned i = 0; i < MANY; i++) {
        (void)snprintf(text, sizeof text, "u%04u", (i * 1237) % MANY); /* in no order */
        insert_alone(d, text, i + 1);
    }
    const struct name waited_for = name_of("u0000x");
    const struct session_ref watcher = ref_of(1);
    struct directory_entry entry;
    assert_int_equal(directory_find_or_watch(d, &waited_for, &watcher, &entry), DIRECTORY_WATCHING);

    unsigned seen = 0;
    bool more = true;
    struct name after;
    while (more) {
        struct directory_entry *entries;
        size_t count;
        assert_int_equal(directory_list(d, seen == 0 ? NULL : &after, LIST_ENTRIES_MAX, &entries, &count, &more), 0);
        assert_int_equal(count, LIST_ENTRIES_MAX);
        for (size_t i = 0; i < count; i++) {
            (void)snprintf(text, sizeof text, "u%04u", seen++);
            assert_string_equal(entries[i].name.text, text);
        }
        after = entries[count - 1].name;
        free(entries);
    }
    assert_int_equal(seen, MANY);
}

static void an_empty_list_is_empty(void **state)
{
    struct directory_entry *entries;
    size_t count = 1;
    bool more = true;
    assert_int_equal(directory_list(*state, NULL, 10, &entries, &count, &more), 0);
    assert_int_equal(count, 0);
    assert_false(more);
    assert_null(entries);
}

/* ---- several threads ---- */

#define THREADS 4
#define ROUNDS 2000

struct racer {
    struct directory *directory;
    uint64_t number;
    unsigned told;     /* watchers that this one was handed */
    unsigned watching; /* that this one registered and didn't take back */
};

static void *race(void *argument)
{
    struct racer *racer = argument;
    struct directory *d = racer->directory;
    struct directory_entry entry = { .user = 1 };
    (void)snprintf(entry.name.text, sizeof entry.name.text, "shared");
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct directory_entry old;
        struct directory_watcher *watchers;
        entry.ref = ref_of(racer->number * ROUNDS + i + 1);
        if (i % 2 == 0) {
            if (directory_find_or_watch(d, &entry.name, &entry.ref, &old) == DIRECTORY_WATCHING) {
                racer->watching++;
            }
            continue;
        }
        if (directory_insert(d, &entry, &old, &watchers) != 0) {
            return NULL;
        }
        for (const struct directory_watcher *w = watchers; w != NULL; w = w->next) {
            racer->told++;
        }
        directory_watchers_free(&watchers);
        (void)directory_remove(d, &entry.name, &entry.ref);
    }
    return NULL;
}

static void no_watcher_is_lost_between_threads(void **state)
{
    pthread_t threads[THREADS];
    struct racer racers[THREADS];
    unsigned told = 0;
    unsigned watching = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){ .directory = *state, .number = i };
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        told += racers[i].told;
        watching += racers[i].watching;
    }
    assert_true(watching > 0);
    /* Those left over are still there for the next who comes. */
    struct directory_entry old;
    struct directory_watcher *watchers;
    const struct directory_entry last = entry_of("shared", THREADS * ROUNDS + 1);
    assert_int_equal(directory_insert(*state, &last, &old, &watchers), 0);
    for (const struct directory_watcher *w = watchers; w != NULL; w = w->next) {
        told++;
    }
    directory_watchers_free(&watchers);
    assert_int_equal(told, watching);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_user_is_found_from_insert_to_remove, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_newer_session_takes_the_place_and_the_older_cannot_remove_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(every_part_of_a_ref_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(watchers_are_told_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_does_not_watch_any_more_is_not_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(conversations_are_set_for_the_very_session_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_seat_is_set_for_the_very_session_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_list_is_sorted_and_comes_in_pages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_empty_list_is_empty, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_watcher_is_lost_between_threads, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("kdc_directory", tests, NULL, NULL);
}
