/* The table of changed accounts: what holds and what doesn't. */
#include "kdc/account_changes.h"
#include "tests/unit/cmocka_all.h"

#define MANY 100000

static int begin(void **state)
{
    *state = account_changes_new();
    return *state == NULL ? -1 : 0;
}

static int end(void **state)
{
    account_changes_free((struct account_changes **)state);
    return 0;
}

static void put(struct account_changes *c, uint64_t user, uint64_t epoch, uint64_t changed_ms)
{
    assert_int_equal(account_changes_put(c, user, epoch, changed_ms), 0);
}

static void nothing_holds_before_a_feed_is_complete(void **state)
{
    struct account_changes *c = *state;
    assert_false(account_changes_holds(c, 1, 10));
    put(c, 2, 20, 1000);
    assert_false(account_changes_holds(c, 2, 20));
    account_changes_fed(c, 0);
    assert_true(account_changes_holds(c, 1, 10));
    assert_true(account_changes_holds(c, 2, 20));
}

static void an_account_that_changed_holds_for_its_newest_epoch_alone(void **state)
{
    struct account_changes *c = *state;
    account_changes_fed(c, 0);
    put(c, 7, 100, 1000);
    assert_true(account_changes_holds(c, 7, 100));
    assert_false(account_changes_holds(c, 7, 99));
    put(c, 7, 101, 2000);
    assert_false(account_changes_holds(c, 7, 100));
    assert_true(account_changes_holds(c, 7, 101));
    assert_true(account_changes_holds(c, 8, 100));
}

static void deleted_accounts_and_those_without_an_epoch_never_hold(void **state)
{
    struct account_changes *c = *state;
    account_changes_fed(c, 0);
    put(c, 7, 0, 1000);
    assert_false(account_changes_holds(c, 7, 100));
    assert_false(account_changes_holds(c, 7, 0));
    assert_false(account_changes_holds(c, 8, 0));
    assert_false(account_changes_holds(c, 0, 5));
}

static void many_accounts_are_kept_and_forgotten_in_time(void **state)
{
    struct account_changes *c = *state;
    const uint64_t begun = UINT64_C(1795165200000);
    const uint64_t keep = UINT64_C(1000) * ACCOUNT_CHANGES_SECONDS;
    for (uint64_t user = 1; user <= MANY; user++) {
        put(c, user * 4096, user, user % 2 == 0 ? begun : begun + keep);
    }
    account_changes_fed(c, begun);
    assert_int_equal(account_changes_count(c), MANY);
    for (uint64_t user = 1; user <= MANY; user++) {
        assert_true(account_changes_holds(c, user * 4096, user));
        assert_false(account_changes_holds(c, user * 4096, user + 1));
        assert_true(account_changes_holds(c, user * 4096 + 1, user + 1));
    }
    account_changes_fed(c, begun + keep);
    assert_int_equal(account_changes_count(c), MANY / 2);
    assert_false(account_changes_holds(c, 4096, 2));
    assert_true(account_changes_holds(c, 2 * UINT64_C(4096), 1));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_holds_before_a_feed_is_complete),
        TEST(an_account_that_changed_holds_for_its_newest_epoch_alone),
        TEST(deleted_accounts_and_those_without_an_epoch_never_hold),
        TEST(many_accounts_are_kept_and_forgotten_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
