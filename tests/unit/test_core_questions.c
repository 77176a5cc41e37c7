/* test_core_questions.c: what a client's core asks the KDC: who is online, and about one of them. */
#include "client/core_internal.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/core_script.h"

#include <stdio.h>
#include <stdlib.h>

static struct list_entry *entries(unsigned from, unsigned count)
{
    struct list_entry *list = calloc(count, sizeof(*list));
    assert_non_null(list);
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(list[i].name.text, sizeof(list[i].name.text), "user%06u", from + i);
        list[i].since = 1;
    }
    return list;
}

static int list_reply(struct rig *rig, uint32_t request, bool more, unsigned from, unsigned count)
{
    struct list_entry *list = entries(from, count);
    int error = rig_tell(
        rig, &(struct message){ .type = MESSAGE_LIST_REPLY,
                                .list_reply = { .request = request, .more = more, .count = count, .entries = list } });
    free(list);
    return error;
}

static void pages_of_a_list_are_gathered_into_one_event(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(core_list(rig->core), KC_NOT_READY);
    alice_logs_in(rig);
    assert_int_equal(core_list(rig->core), KC_OK);
    assert_int_equal(core_list(rig->core), KC_OK);
    assert_int_equal(rig_carry(rig), KC_OK);
    const struct message *m = rig_take(rig, MESSAGE_LIST);
    assert_non_null(m);
    assert_false(m->list.has_after);
    assert_int_equal(list_reply(rig, m->list.request, true, 0, 1000), KC_OK);
    assert_true(rig_quiet(rig));
    m = rig_take(rig, MESSAGE_LIST);
    assert_non_null(m);
    assert_true(m->list.has_after);
    assert_string_equal(m->list.after.text, "user000999");
    assert_int_equal(list_reply(rig, m->list.request, false, 1000, 5), KC_OK);
    const struct rig_event *e = rig_event(rig, KC_EVENT_LIST);
    assert_non_null(e);
    assert_int_equal(e->people_count, 1005);
    assert_string_equal(e->first, "user000000");
    assert_string_equal(e->last, "user001004");
    m = rig_take(rig, MESSAGE_LIST);
    assert_non_null(m);
    assert_int_equal(list_reply(rig, m->list.request, false, 0, 0), KC_OK);
    e = rig_event(rig, KC_EVENT_LIST);
    assert_non_null(e);
    assert_int_equal(e->people_count, 0);
    assert_true(rig_silent(rig));
}

static void a_list_that_goes_backwards_or_nowhere_is_refused(void **state)
{
    struct rig *rig = *state;
    for (unsigned i = 0; i < 3; i++) {
        alice_logs_in(rig);
        assert_int_equal(core_list(rig->core), KC_OK);
        assert_int_equal(rig_carry(rig), KC_OK);
        const struct message *m = rig_take(rig, MESSAGE_LIST);
        assert_non_null(m);
        if (i == 0) {
            assert_int_equal(list_reply(rig, m->list.request, true, 0, 0), KC_PROTOCOL);
        } else if (i == 1) {
            assert_int_equal(list_reply(rig, m->list.request + 1, false, 0, 1), KC_PROTOCOL);
        } else {
            assert_int_equal(list_reply(rig, m->list.request, true, 0, 10), KC_OK);
            m = rig_take(rig, MESSAGE_LIST);
            assert_non_null(m);
            assert_int_equal(list_reply(rig, m->list.request, true, 9, 10), KC_PROTOCOL);
        }
        assert_closed_because(rig, REASON_MALFORMED);
        rig_cut(rig);
    }
}

static void an_endless_list_is_given_up(void **state)
{
    struct rig *rig = *state;
    alice_logs_in(rig);
    assert_int_equal(core_list(rig->core), KC_OK);
    assert_int_equal(rig_carry(rig), KC_OK);
    for (unsigned page = 0; page <= LIST_NAMES_MAX / 1000; page++) {
        const struct message *m = rig_take(rig, MESSAGE_LIST);
        assert_non_null(m);
        assert_int_equal(list_reply(rig, m->list.request, true, 1000 * page, 1000), KC_OK);
    }
    const struct rig_event *e = rig_event(rig, KC_EVENT_REFUSED);
    assert_non_null(e);
    assert_int_equal(e->error, REASON_TOO_MANY);
    assert_true(rig_silent(rig));
}

static void who_is_answered_or_refused(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(core_who(rig->core, "bob"), KC_NOT_READY);
    alice_logs_in(rig);
    assert_int_equal(core_who(rig->core, "Bob!"), KC_BAD_NAME);
    assert_int_equal(core_who(rig->core, "bob"), KC_OK);
    assert_int_equal(core_who(rig->core, "nobody"), KC_OK);
    assert_int_equal(rig_carry(rig), KC_OK);
    const struct message *m = rig_take(rig, MESSAGE_WHO);
    assert_non_null(m);
    struct message reply = { .type = MESSAGE_WHO_REPLY,
                             .who_reply = { m->who.request, rig_name("bob"), PRESENCE_ONLINE, 5 } };
    m = rig_take(rig, MESSAGE_WHO);
    assert_non_null(m);
    assert_int_equal(kdc_refuses(rig, m->who.request, REASON_NO_SUCH_USER, 0), KC_OK);
    assert_int_equal(rig_tell(rig, &reply), KC_OK);
    const struct rig_event *e = rig_event(rig, KC_EVENT_REFUSED);
    assert_non_null(e);
    assert_string_equal(e->peer, "nobody");
    assert_int_equal(e->error, REASON_NO_SUCH_USER);
    e = rig_event(rig, KC_EVENT_WHO);
    assert_non_null(e);
    assert_string_equal(e->peer, "bob");
    assert_true(e->online);
    assert_int_equal(e->since, 5);
    assert_int_equal(rig_tell(rig, &reply), KC_PROTOCOL);
}

static void a_refused_list_is_told(void **state)
{
    struct rig *rig = *state;
    alice_logs_in(rig);
    assert_int_equal(core_list(rig->core), KC_OK);
    assert_int_equal(rig_carry(rig), KC_OK);
    const struct message *m = rig_take(rig, MESSAGE_LIST);
    assert_non_null(m);
    assert_int_equal(kdc_refuses(rig, m->list.request, REASON_BUSY, 2), KC_OK);
    const struct rig_event *e = rig_event(rig, KC_EVENT_REFUSED);
    assert_non_null(e);
    assert_string_equal(e->peer, "");
    assert_int_equal(e->error, REASON_BUSY);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, core_script_begin, core_script_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pages_of_a_list_are_gathered_into_one_event),
        TEST(a_list_that_goes_backwards_or_nowhere_is_refused),
        TEST(an_endless_list_is_given_up),
        TEST(who_is_answered_or_refused),
        TEST(a_refused_list_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
