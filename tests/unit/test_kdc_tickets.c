/* Resumption tickets at the KDC: sealing and opening, and the keys that they are sealed under, in memory and in their file. */
#include "crypto/secret.h"
#include "kdc/ticket.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/fixed_rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIFETIME 100
#define NOW UINT64_C(1795000050) /* in the middle of period 17950000 */
#define NOW_MS (NOW * 1000)

static const uint8_t first_key[TICKET_KEY_LEN] = { 1, 2, 3 };

static char folder[64];
static char path[96];
static char error[TICKET_KEYS_ERROR_MAX];

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/kdc-tickets-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    (void)snprintf(path, sizeof path, "%s/tickets", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(folder); /* fails when anything else was left in it */
}

static struct ticket_keys *keys_at(uint64_t now)
{
    struct ticket_keys *keys = ticket_keys_new(LIFETIME, now, first_key);
    assert_non_null(keys);
    return keys;
}

static struct ticket ticket_of(const char *name)
{
    struct ticket ticket = { .user = 77, .epoch = UINT64_C(1795000000123456), .issued = NOW_MS };
    (void)snprintf(ticket.name.text, sizeof ticket.name.text, "%s", name);
    memset(ticket.secret, 0x5a, sizeof ticket.secret);
    return ticket;
}

static void seal(struct ticket_keys *keys, uint8_t out[TICKET_LEN])
{
    const struct ticket ticket = ticket_of("alice");
    assert_int_equal(ticket_seal(&ticket, keys, &rng_system, out), 0);
}

static int opens(struct ticket_keys *keys, const uint8_t *sealed, size_t len, uint64_t now)
{
    struct ticket ticket;
    /* In memory of exactly its length, so that reading past its end is seen. */
    uint8_t *exact = malloc(len == 0 ? 1 : len);
    assert_non_null(exact);
    memcpy(exact, sealed, len);
    const int result = ticket_open((struct bytes){ exact, len }, keys, now, &ticket);
    free(exact);
    const struct ticket empty = { 0 };
    if (result != 0)
        assert_memory_equal(&ticket, &empty, sizeof ticket);
    else
        assert_string_equal(ticket.name.text, "alice");
    return result;
}

/* ---- tickets ---- */

static void a_ticket_opens_to_what_was_sealed(void **state)
{
    (void)state;
    struct ticket_keys *keys = keys_at(NOW);
    static const char *const names[] = { "a", "alice", "a-name-of-exactly.32_charactersz" };
    for (size_t i = 0; i < 3; i++) {
        const struct ticket ticket = ticket_of(names[i]);
        struct ticket opened;
        uint8_t sealed[TICKET_LEN];
        assert_int_equal(ticket_seal(&ticket, keys, &rng_system, sealed), 0);
        assert_int_equal(ticket_open((struct bytes){ sealed, sizeof sealed }, keys, NOW_MS + 5, &opened), 0);
        assert_int_equal(opened.user, ticket.user);
        assert_string_equal(opened.name.text, names[i]);
        assert_int_equal(opened.epoch, ticket.epoch);
        assert_int_equal(opened.issued, ticket.issued);
        assert_memory_equal(opened.secret, ticket.secret, sizeof ticket.secret);
        assert_null(memmem(sealed, sizeof sealed, names[1], 5));
        assert_null(memmem(sealed, sizeof sealed, ticket.secret, 8));
    }
    ticket_keys_free(&keys);
}

static void no_two_tickets_are_alike(void **state)
{
    (void)state;
    struct ticket_keys *keys = keys_at(NOW);
    uint8_t a[TICKET_LEN];
    uint8_t b[TICKET_LEN];
    seal(keys, a);
    seal(keys, b);
    for (size_t at = 8; at + 16 <= TICKET_LEN; at += 16)
        assert_memory_not_equal(a + at, b + at, 16);
    ticket_keys_free(&keys);
}

static void a_ticket_with_any_byte_changed_or_missing_is_refused(void **state)
{
    (void)state;
    struct ticket_keys *keys = keys_at(NOW);
    uint8_t sealed[TICKET_LEN + 1] = { 0 };
    seal(keys, sealed);
    for (size_t i = 0; i < TICKET_LEN; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            sealed[i] ^= (uint8_t)(1U << bit);
            assert_int_equal(opens(keys, sealed, TICKET_LEN, NOW_MS), -1);
            sealed[i] ^= (uint8_t)(1U << bit);
        }
        assert_int_equal(opens(keys, sealed, i, NOW_MS), -1);
    }
    assert_int_equal(opens(keys, sealed, TICKET_LEN + 1, NOW_MS), -1);
    assert_int_equal(opens(keys, sealed, TICKET_LEN, NOW_MS), 0);
    ticket_keys_free(&keys);
}

static void a_ticket_is_taken_for_its_lifetime_and_no_longer(void **state)
{
    (void)state;
    struct ticket_keys *keys = keys_at(NOW);
    uint8_t sealed[TICKET_LEN];
    seal(keys, sealed);
    assert_int_equal(opens(keys, sealed, TICKET_LEN, NOW_MS + LIFETIME * 1000 - 1), 0);
    assert_int_equal(opens(keys, sealed, TICKET_LEN, NOW_MS + LIFETIME * 1000), -1);
    const struct ticket ticket = ticket_of("alice");
    assert_int_equal(ticket_seconds_left(&ticket, keys, NOW_MS), LIFETIME);
    assert_int_equal(ticket_seconds_left(&ticket, keys, NOW_MS + 1), LIFETIME - 1);
    assert_int_equal(ticket_seconds_left(&ticket, keys, NOW_MS + LIFETIME * 1000 - 1), 0);
    assert_int_equal(ticket_seconds_left(&ticket, keys, NOW_MS + LIFETIME * 1000), 0);
    assert_int_equal(ticket_seconds_left(&ticket, keys, NOW_MS - 5), LIFETIME);
    assert_int_equal(opens(keys, sealed, TICKET_LEN, NOW_MS - TICKET_AHEAD_MS), 0);
    assert_int_equal(opens(keys, sealed, TICKET_LEN, NOW_MS - TICKET_AHEAD_MS - 1), -1);
    ticket_keys_free(&keys);
}

static void a_ticket_isnt_sealed_without_randomness(void **state)
{
    (void)state;
    struct ticket_keys *keys = keys_at(NOW);
    struct fixed_rng rng;
    const struct ticket ticket = ticket_of("alice");
    const uint8_t nothing[TICKET_LEN] = { 0 };
    uint8_t sealed[TICKET_LEN];
    fixed_rng_init(&rng, "tickets");
    rng.fail_at = 0;
    assert_int_equal(ticket_seal(&ticket, keys, &rng.rng, sealed), -1);
    assert_memory_equal(sealed, nothing, sizeof sealed);
    ticket_keys_free(&keys);
}

/* ---- keys ---- */

static void a_ticket_outlives_one_rotation_and_not_two(void **state)
{
    (void)state;
    struct ticket_keys *keys = keys_at(NOW);
    uint8_t sealed[TICKET_LEN];
    seal(keys, sealed);
    assert_int_equal(ticket_keys_turn(keys, NOW + 49, error), 0); /* the same period */
    assert_int_equal(opens(keys, sealed, TICKET_LEN, NOW_MS), 0);
    assert_int_equal(ticket_keys_turn(keys, NOW + 50, error), 0);
    assert_int_equal(opens(keys, sealed, TICKET_LEN, NOW_MS), 0);
    uint8_t later[TICKET_LEN];
    seal(keys, later);
    assert_int_equal(ticket_keys_turn(keys, NOW + 150, error), 0);
    assert_int_equal(opens(keys, sealed, TICKET_LEN, NOW_MS), -1);
    assert_int_equal(opens(keys, later, TICKET_LEN, NOW_MS), 0);
    ticket_keys_free(&keys);
}

static void keys_that_were_stepped_one_by_one_or_at_once_are_the_same(void **state)
{
    (void)state;
    struct ticket_keys *often = keys_at(NOW);
    struct ticket_keys *seldom = keys_at(NOW);
    uint8_t sealed[TICKET_LEN];
    for (uint64_t i = 1; i <= 7; i++)
        assert_int_equal(ticket_keys_turn(often, NOW + i * LIFETIME, error), 0);
    seal(often, sealed);
    assert_int_equal(opens(seldom, sealed, TICKET_LEN, NOW_MS), -1);
    assert_int_equal(ticket_keys_turn(seldom, NOW + 7 * LIFETIME, error), 0);
    assert_int_equal(opens(seldom, sealed, TICKET_LEN, NOW_MS), 0);
    /* The clock goes back: nothing does. */
    assert_int_equal(ticket_keys_turn(seldom, NOW, error), 0);
    assert_int_equal(opens(seldom, sealed, TICKET_LEN, NOW_MS), 0);
    ticket_keys_free(&often);
    ticket_keys_free(&seldom);
}

static void other_keys_open_nothing(void **state)
{
    (void)state;
    struct ticket_keys *ours = keys_at(NOW);
    const uint8_t other_key[TICKET_KEY_LEN] = { 1, 2, 4 };
    struct ticket_keys *theirs = ticket_keys_new(LIFETIME, NOW, other_key);
    uint8_t sealed[TICKET_LEN];
    seal(ours, sealed);
    assert_int_equal(opens(theirs, sealed, TICKET_LEN, NOW_MS), -1);
    ticket_keys_free(&ours);
    ticket_keys_free(&theirs);
}

/* ---- the file ---- */

static struct ticket_keys *load(uint64_t now, unsigned lifetime, enum ticket_keys_result expected)
{
    struct ticket_keys *keys;
    error[0] = '\0';
    const enum ticket_keys_result result = ticket_keys_load(path, lifetime, now, &rng_system, &keys, error);
    if (result != expected)
        print_message("%d instead of %d: %s\n", (int)result, (int)expected, error);
    assert_int_equal(result, expected);
    assert_true((keys == NULL) == (expected == TICKET_KEYS_FAILED));
    return keys;
}

static void read_file(char text[256])
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    const size_t len = fread(text, 1, 255, file);
    text[len] = '\0';
    (void)fclose(file);
}

static void write_file(const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void the_file_is_made_once_for_its_owner_only(void **state)
{
    (void)state;
    char first[256];
    char second[256];
    uint8_t sealed[TICKET_LEN];
    struct stat st;
    struct ticket_keys *keys = load(NOW, LIFETIME, TICKET_KEYS_MADE);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    read_file(first);
    assert_memory_equal(first, "17949999 100 ", 13);
    seal(keys, sealed);
    ticket_keys_free(&keys);
    keys = load(NOW, LIFETIME, TICKET_KEYS_LOADED);
    read_file(second);
    assert_string_equal(first, second);
    assert_int_equal(opens(keys, sealed, TICKET_LEN, NOW_MS), 0);
    ticket_keys_free(&keys);
}

static void the_file_holds_the_older_key_and_is_written_anew_at_each_turn(void **state)
{
    (void)state;
    char text[256];
    uint8_t sealed[TICKET_LEN];
    struct stat st;
    struct ticket_keys *keys = load(NOW, LIFETIME, TICKET_KEYS_MADE);
    seal(keys, sealed);
    assert_int_equal(ticket_keys_turn(keys, NOW + LIFETIME, error), 0);
    ticket_keys_free(&keys);
    read_file(text);
    assert_memory_equal(text, "17950000 100 ", 13);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    /* Down for three periods: what was sealed before is gone with its key, and the keys are those of a KDC that ran on. */
    keys = load(NOW + LIFETIME, LIFETIME, TICKET_KEYS_LOADED);
    assert_int_equal(opens(keys, sealed, TICKET_LEN, NOW_MS), 0);
    ticket_keys_free(&keys);
    keys = load(NOW + 4 * LIFETIME, LIFETIME, TICKET_KEYS_LOADED);
    assert_int_equal(opens(keys, sealed, TICKET_LEN, NOW_MS), -1);
    read_file(text);
    assert_memory_equal(text, "17950003 100 ", 13);
    ticket_keys_free(&keys);
}

static void two_kdcs_with_copies_of_a_file_take_each_others_tickets(void **state)
{
    (void)state;
    uint8_t sealed[TICKET_LEN];
    struct ticket_keys *one = load(NOW, LIFETIME, TICKET_KEYS_MADE);
    struct ticket_keys *other = load(NOW, LIFETIME, TICKET_KEYS_LOADED);
    for (uint64_t i = 1; i <= 3; i++) {
        assert_int_equal(ticket_keys_turn(one, NOW + i * LIFETIME, error), 0);
        assert_int_equal(ticket_keys_turn(other, NOW + i * LIFETIME, error), 0);
        seal(one, sealed);
        assert_int_equal(opens(other, sealed, TICKET_LEN, NOW_MS), 0);
    }
    ticket_keys_free(&one);
    ticket_keys_free(&other);
}

static void a_file_from_the_future_is_used_as_it_is(void **state)
{
    (void)state;
    char before[256];
    char after[256];
    uint8_t sealed[TICKET_LEN];
    struct ticket_keys *keys = load(NOW + 10 * LIFETIME, LIFETIME, TICKET_KEYS_MADE);
    ticket_keys_free(&keys);
    read_file(before);
    keys = load(NOW, LIFETIME, TICKET_KEYS_AHEAD);
    seal(keys, sealed);
    assert_int_equal(opens(keys, sealed, TICKET_LEN, NOW_MS), 0);
    assert_int_equal(ticket_keys_turn(keys, NOW + 2 * LIFETIME, error), 0);
    ticket_keys_free(&keys);
    read_file(after);
    assert_string_equal(before, after);
}

static void a_file_of_another_lifetime_or_of_long_ago_is_replaced(void **state)
{
    (void)state;
    char before[256];
    char after[256];
    struct ticket_keys *keys = load(NOW, LIFETIME, TICKET_KEYS_MADE);
    ticket_keys_free(&keys);
    read_file(before);
    keys = load(NOW, 2 * LIFETIME, TICKET_KEYS_ANEW);
    ticket_keys_free(&keys);
    read_file(after);
    assert_memory_equal(after, "8974999 200 ", 12);
    assert_string_not_equal(strrchr(before, ' '), strrchr(after, ' '));
    keys = load(NOW, 2 * LIFETIME, TICKET_KEYS_LOADED);
    ticket_keys_free(&keys);

    char old[256];
    (void)snprintf(old, sizeof old, "0 100 %0*d\n", 2 * TICKET_KEY_LEN, 0);
    write_file(old, 0600);
    keys = load(NOW, LIFETIME, TICKET_KEYS_ANEW);
    ticket_keys_free(&keys);
    read_file(after);
    assert_string_not_equal(strrchr(old, ' '), strrchr(after, ' '));
}

static void a_file_that_isnt_right_is_refused_and_kept(void **state)
{
    (void)state;
    char good[256];
    char text[512];
    char now_there[256];
    struct ticket_keys *keys = load(NOW, LIFETIME, TICKET_KEYS_MADE);
    ticket_keys_free(&keys);
    read_file(good);
    good[strcspn(good, "\n")] = '\0';
    static const char *const heads[] = { "",
                                         " ",
                                         "x",
                                         "-1 100 ",
                                         "017949999 100 ",
                                         "17949999  100 ",
                                         "17949999 100",
                                         "99999999999999999999 100 ",
                                         "17949999 99999999999 ",
                                         "17949999 0x10 " };
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        (void)snprintf(text, sizeof text, "%s%s\n", heads[i], strrchr(good, ' ') + 1);
        write_file(text, 0600);
        assert_null(load(NOW, LIFETIME, TICKET_KEYS_FAILED));
        assert_non_null(strstr(error, path));
        read_file(now_there);
        assert_string_equal(now_there, text);
    }
    (void)snprintf(text, sizeof text, "%s0\n", good);
    write_file(text, 0600);
    assert_null(load(NOW, LIFETIME, TICKET_KEYS_FAILED));
    (void)snprintf(text, sizeof text, "%s\n", good);
    text[strlen(text) - 2] = 'A'; /* capitals are no digits here */
    write_file(text, 0600);
    assert_null(load(NOW, LIFETIME, TICKET_KEYS_FAILED));
    (void)snprintf(text, sizeof text, "%s\n", good);
    write_file(text, 0640);
    assert_null(load(NOW, LIFETIME, TICKET_KEYS_FAILED));
    assert_non_null(strstr(error, "chmod 600"));
    assert_int_equal(chmod(path, 0600), 0);
    keys = load(NOW, LIFETIME, TICKET_KEYS_LOADED);
    ticket_keys_free(&keys);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_null(load(NOW, LIFETIME, TICKET_KEYS_FAILED));
    assert_int_equal(rmdir(path), 0);
}

static void what_cant_be_written_stays_in_use(void **state)
{
    (void)state;
    char before[256];
    char after[256];
    char beside[128];
    uint8_t sealed[TICKET_LEN];
    struct ticket_keys *keys = load(NOW, LIFETIME, TICKET_KEYS_MADE);
    seal(keys, sealed);
    read_file(before);
    /* A folder where the new file is to be written: not even root gets past it. */
    (void)snprintf(beside, sizeof beside, "%s.%ld.new", path, (long)getpid());
    assert_int_equal(mkdir(beside, 0700), 0);
    assert_int_equal(ticket_keys_turn(keys, NOW + LIFETIME, error), 1);
    assert_non_null(strstr(error, path));
    assert_int_equal(opens(keys, sealed, TICKET_LEN, NOW_MS), 0);
    read_file(after);
    assert_string_equal(before, after);
    struct ticket_keys *again = load(NOW + LIFETIME, LIFETIME, TICKET_KEYS_KEPT);
    assert_int_equal(opens(again, sealed, TICKET_LEN, NOW_MS), 0);
    assert_int_equal(rmdir(beside), 0);
    assert_int_equal(ticket_keys_turn(keys, NOW + 2 * LIFETIME, error), 0);
    read_file(after);
    assert_string_not_equal(before, after);
    ticket_keys_free(&again);
    ticket_keys_free(&keys);
}

static void what_was_left_in_the_middle_is_no_obstacle(void **state)
{
    (void)state;
    char beside[128];
    (void)snprintf(beside, sizeof beside, "%s.%ld.new", path, (long)getpid());
    FILE *left = fopen(beside, "w");
    assert_non_null(left);
    (void)fclose(left);
    struct ticket_keys *keys = load(NOW, LIFETIME, TICKET_KEYS_MADE);
    ticket_keys_free(&keys);
}

static void nothing_is_left_in_secret_memory(void **state)
{
    (void)state;
    const size_t before = secret_stats().used;
    uint8_t sealed[TICKET_LEN];
    struct ticket_keys *keys = load(NOW, LIFETIME, TICKET_KEYS_MADE);
    seal(keys, sealed);
    assert_int_equal(opens(keys, sealed, TICKET_LEN, NOW_MS), 0);
    assert_int_equal(ticket_keys_turn(keys, NOW + LIFETIME, error), 0);
    ticket_keys_free(&keys);
    ticket_keys_free(&keys);
    assert_int_equal(secret_stats().used, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ticket_opens_to_what_was_sealed),
        cmocka_unit_test(no_two_tickets_are_alike),
        cmocka_unit_test(a_ticket_with_any_byte_changed_or_missing_is_refused),
        cmocka_unit_test(a_ticket_is_taken_for_its_lifetime_and_no_longer),
        cmocka_unit_test(a_ticket_isnt_sealed_without_randomness),
        cmocka_unit_test(a_ticket_outlives_one_rotation_and_not_two),
        cmocka_unit_test(keys_that_were_stepped_one_by_one_or_at_once_are_the_same),
        cmocka_unit_test(other_keys_open_nothing),
        cmocka_unit_test_setup_teardown(the_file_is_made_once_for_its_owner_only, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(the_file_holds_the_older_key_and_is_written_anew_at_each_turn, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(two_kdcs_with_copies_of_a_file_take_each_others_tickets, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_file_from_the_future_is_used_as_it_is, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_file_of_another_lifetime_or_of_long_ago_is_replaced, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_file_that_isnt_right_is_refused_and_kept, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_cant_be_written_stays_in_use, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_was_left_in_the_middle_is_no_obstacle, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(nothing_is_left_in_secret_memory, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
