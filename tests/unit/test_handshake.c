/* The handshake's two sides with each other: what they agree on, and whose policy decides. */
#include "tests/unit/cmocka_all.h"
#include "tests/unit/exchange.h"
#include "wire/frame.h"

#include <string.h>

static void assert_agreed(const struct exchange *x, uint16_t group, uint16_t suite)
{
    assert_true(x->client_done);
    assert_true(x->server_done);
    assert_false(x->client_failed);
    assert_false(x->server_failed);
    assert_int_equal(x->client_keys.suite->id, suite);
    assert_int_equal(x->client_keys.group->id, group);
    assert_ptr_equal(x->client_keys.suite, x->server_keys.suite);
    assert_ptr_equal(x->client_keys.group, x->server_keys.group);
    assert_memory_equal(x->client_keys.client_traffic, x->server_keys.client_traffic, KDF_SECRET_LEN);
    assert_memory_equal(x->client_keys.server_traffic, x->server_keys.server_traffic, KDF_SECRET_LEN);
    assert_memory_equal(x->client_keys.exporter, x->server_keys.exporter, KDF_SECRET_LEN);
    assert_memory_equal(x->client_keys.transcript, x->server_keys.transcript, SHA512_LEN);
    assert_memory_not_equal(x->client_keys.client_traffic, x->client_keys.server_traffic, KDF_SECRET_LEN);
    assert_memory_not_equal(x->client_keys.client_traffic, x->client_keys.exporter, KDF_SECRET_LEN);
    assert_memory_equal(handshake_client_identity(x->client), x->identity->public_key, IDENTITY_PUBLIC_LEN);
}

static void both_sides_agree_in_every_group_and_suite(void **state)
{
    struct exchange *x = *state;

    for (size_t g = 0; g < DH_GROUP_COUNT; g++) {
        for (size_t s = 0; s < SUITE_COUNT; s++) {
            x->client_policy.groups[0] = dh_groups[g].id;
            x->client_policy.suites[0] = suites[s].id;
            exchange_begin(x);
            exchange_run(x);
            assert_agreed(x, dh_groups[g].id, suites[s].id);
            assert_int_equal(x->sent_count, 3);
            assert_ptr_equal(handshake_server_group(x->server), &dh_groups[g]);
            assert_ptr_equal(handshake_server_suite(x->server), &suites[s]);
            assert_ptr_equal(handshake_client_group(x->client), &dh_groups[g]);
        }
    }
}

static void system_randomness_gives_other_keys_every_time(void **state)
{
    struct exchange *x = *state;
    uint8_t before[KDF_SECRET_LEN] = { 0 };

    for (int i = 0; i < 4; i++) {
        exchange_begin(x);
        handshake_client_free(&x->client);
        x->client = handshake_client_new(&x->client_policy, &rng_system);
        assert_non_null(x->client);
        exchange_run(x);
        assert_agreed(x, GROUP, SUITE);
        assert_memory_not_equal(x->client_keys.client_traffic, before, sizeof(before));
        memcpy(before, x->client_keys.client_traffic, sizeof(before));
    }
}

static void randoms_shown_are_those_on_the_wire(void **state)
{
    struct exchange *x = *state;
    struct client_hello hello;
    struct server_hello reply;

    exchange_run(x);
    assert_int_equal(frame_get_client_hello(exchange_sent(x, 0), &hello), 0);
    assert_int_equal(frame_get_server_hello(exchange_sent(x, 1), &reply), 0);
    assert_memory_equal(handshake_client_random(x->client), hello.random, HELLO_RANDOM_LEN);
    assert_memory_equal(handshake_client_server_random(x->client), reply.random, HELLO_RANDOM_LEN);
}

/* ---- policy ---- */

static void set_server_groups(struct exchange *x, uint16_t first, uint16_t second)
{
    x->server_policy.groups[0] = first;
    x->server_policy.groups[1] = second;
    x->server_policy.group_count = 2;
}

static void a_group_that_is_not_accepted_is_tried_again_with_one_that_is(void **state)
{
    struct exchange *x = *state;
    struct client_hello first, second;
    struct hello_retry retry;

    exchange_client_groups(x, DH_FFDHE3072, DH_FFDHE2048);
    set_server_groups(x, DH_FFDHE4096, DH_FFDHE2048);
    exchange_begin(x);
    exchange_run(x);
    assert_agreed(x, DH_FFDHE2048, SUITE);
    assert_int_equal(x->sent_count, 5);

    assert_int_equal(frame_get_client_hello(exchange_sent(x, 0), &first), 0);
    assert_int_equal(frame_get_hello_retry(exchange_sent(x, 1), &retry), 0);
    assert_int_equal(frame_get_client_hello(exchange_sent(x, 2), &second), 0);
    assert_int_equal(retry.group_count, 2);
    assert_int_equal(retry.groups[0], DH_FFDHE4096);
    assert_int_equal(retry.groups[1], DH_FFDHE2048);
    assert_int_equal(first.group, DH_FFDHE3072);
    assert_int_equal(second.group, DH_FFDHE2048);
    assert_memory_not_equal(first.random, second.random, HELLO_RANDOM_LEN);
    assert_memory_equal(first.suites, second.suites, sizeof(first.suites));
    assert_memory_equal(handshake_client_random(x->client), second.random, HELLO_RANDOM_LEN);
}

static void the_kdcs_first_group_that_the_client_allows_is_taken(void **state)
{
    struct exchange *x = *state;

    x->client_policy.groups[0] = DH_FFDHE8192;
    x->client_policy.groups[1] = DH_FFDHE2048;
    x->client_policy.groups[2] = DH_FFDHE3072;
    x->client_policy.group_count = 3;
    set_server_groups(x, DH_FFDHE3072, DH_FFDHE2048);
    exchange_begin(x);
    exchange_run(x);
    assert_agreed(x, DH_FFDHE3072, SUITE);
}

static void no_common_group_ends_at_the_client(void **state)
{
    struct exchange *x = *state;

    set_server_groups(x, DH_FFDHE3072, DH_FFDHE4096);
    exchange_begin(x);
    exchange_run(x);
    assert_true(x->client_failed);
    assert_int_equal(x->failure.reason, REASON_GROUP);
    assert_false(x->failure.from_peer);
    assert_int_equal(x->sent_count, 2);
}

/* A hello_retry made by the test, as a KDC of another kind could send it. */
static enum handshake_event give_retry(struct exchange *x, const struct hello_retry *m,
                                       struct handshake_failure *failure)
{
    struct buffer made;

    buffer_init(&made, 1024);
    assert_int_equal(frame_put_hello_retry(&made, m), 0);
    enum handshake_event event = handshake_client_frame(
        x->client, (struct bytes){ .data = buffer_data(&made), .len = buffer_len(&made) }, &x->to_server, failure);
    buffer_clear(&made);
    return event;
}

static void a_retry_that_asks_for_the_same_group_is_refused(void **state)
{
    struct exchange *x = *state;
    struct handshake_failure failure;
    struct hello_retry m = { .groups = { GROUP }, .group_count = 1 };

    assert_int_equal(handshake_client_start(x->client, &x->to_server), REASON_NONE);
    assert_int_equal(give_retry(x, &m, &failure), HANDSHAKE_FAILED);
    assert_int_equal(failure.reason, REASON_GROUP);
}

static void unknown_groups_in_a_retry_are_passed_over(void **state)
{
    struct exchange *x = *state;
    struct handshake_failure failure;
    struct hello_retry m = { .groups = { 0x001d, 0, GROUP, DH_FFDHE3072 }, .group_count = 4 };

    exchange_client_groups(x, GROUP, DH_FFDHE3072);
    exchange_begin(x);
    assert_int_equal(handshake_client_start(x->client, &x->to_server), REASON_NONE);
    assert_int_equal(give_retry(x, &m, &failure), HANDSHAKE_RETRIED);
    assert_int_equal(handshake_client_group(x->client)->id, DH_FFDHE3072);
}

static void a_second_retry_is_refused_by_the_client(void **state)
{
    struct exchange *x = *state;
    struct handshake_failure failure;
    struct hello_retry m = { .groups = { DH_FFDHE3072 }, .group_count = 1 };

    exchange_client_groups(x, GROUP, DH_FFDHE3072);
    exchange_begin(x);
    assert_int_equal(handshake_client_start(x->client, &x->to_server), REASON_NONE);
    assert_int_equal(give_retry(x, &m, &failure), HANDSHAKE_RETRIED);
    m.groups[0] = GROUP;
    size_t sent = buffer_len(&x->to_server);
    assert_int_equal(give_retry(x, &m, &failure), HANDSHAKE_FAILED);
    assert_int_equal(failure.reason, REASON_OUT_OF_ORDER);
    assert_int_equal(buffer_len(&x->to_server), sent);
}

/* A client_hello made by the test. */
static enum handshake_server_event give_hello(struct exchange *x, const struct client_hello *m, enum reason *reason)
{
    struct buffer made;

    buffer_init(&made, 2048);
    assert_int_equal(frame_put_client_hello(&made, m), 0);
    enum handshake_server_event event =
        handshake_server_frame(x->server, (struct bytes){ .data = buffer_data(&made), .len = buffer_len(&made) },
                               &x->to_client, &x->server_keys, reason);
    buffer_clear(&made);
    return event;
}

static struct client_hello some_hello(uint16_t group, const uint8_t *public_value, size_t len)
{
    return (struct client_hello){
        .version = PROTOCOL_VERSION,
        .group = group,
        .dh_public = { .data = public_value, .len = len },
        .suites = { SUITE },
        .suite_count = 1,
    };
}

static void a_second_hello_with_a_refused_group_gets_group(void **state)
{
    struct exchange *x = *state;
    static const uint8_t public_value[384] = { 1 };
    enum reason reason = REASON_NONE;
    struct client_hello m = some_hello(DH_FFDHE3072, public_value, sizeof(public_value));

    x->server_policy.group_count = 1; /* ffdhe2048 */
    exchange_begin(x);
    assert_int_equal(give_hello(x, &m, &reason), HANDSHAKE_SERVER_RETRY);
    assert_int_equal(reason, REASON_NONE);
    assert_int_equal(give_hello(x, &m, &reason), HANDSHAKE_SERVER_FAILED);
    assert_int_equal(reason, REASON_GROUP);
    assert_null(handshake_server_group(x->server));
    assert_int_equal(x->server_rng.drawn, 0);
}

static void an_unknown_group_is_answered_by_a_retry(void **state)
{
    struct exchange *x = *state;
    static const uint8_t public_value[32] = { 1 };
    enum reason reason = REASON_NONE;
    struct client_hello m = some_hello(0x001d, public_value, sizeof(public_value));

    assert_int_equal(give_hello(x, &m, &reason), HANDSHAKE_SERVER_RETRY);
}

static void the_clients_first_suite_that_the_kdc_accepts_is_taken(void **state)
{
    struct exchange *x = *state;

    x->client_policy.suites[0] = SUITE_AES_256_GCM;
    x->client_policy.suites[1] = SUITE_3DES_CBC_HMAC_SHA512;
    x->client_policy.suites[2] = SUITE_CHACHA20_POLY1305;
    x->client_policy.suite_count = 3;
    x->server_policy.suites[0] = SUITE_CHACHA20_POLY1305;
    x->server_policy.suites[1] = SUITE_3DES_CBC_HMAC_SHA512;
    x->server_policy.suite_count = 2;
    exchange_begin(x);
    exchange_run(x);
    assert_agreed(x, GROUP, SUITE_3DES_CBC_HMAC_SHA512);
}

static void no_common_suite_ends_with_suite(void **state)
{
    struct exchange *x = *state;

    x->server_policy.suites[0] = SUITE_AES_256_GCM;
    x->server_policy.suite_count = 1;
    exchange_begin(x);
    exchange_run(x);
    assert_true(x->server_failed);
    assert_int_equal(x->server_reason, REASON_SUITE);
    assert_int_equal(x->server_rng.drawn, 0);
}

static void unknown_suites_are_passed_over_but_not_offered_twice(void **state)
{
    struct exchange *x = *state;
    uint8_t public_value[256] = { 1 };
    enum reason reason = REASON_NONE;
    struct client_hello m = some_hello(GROUP, public_value, sizeof(public_value));
    struct buffer made;

    m.suites[0] = 0x1301;
    m.suites[1] = SUITE;
    m.suite_count = 2;
    assert_int_equal(give_hello(x, &m, &reason), HANDSHAKE_SERVER_COMPUTE);
    assert_int_equal(handshake_server_suite(x->server)->id, SUITE);

    /* The encoder refuses it, too: made by hand from a good one. */
    exchange_begin(x);
    buffer_init(&made, 2048);
    assert_int_equal(frame_put_client_hello(&made, &m), 0);
    memcpy(made.data + made.end - 5, made.data + made.end - 3, 2);
    assert_int_equal(handshake_server_frame(x->server,
                                            (struct bytes){ .data = buffer_data(&made), .len = buffer_len(&made) },
                                            &x->to_client, &x->server_keys, &reason),
                     HANDSHAKE_SERVER_FAILED);
    assert_int_equal(reason, REASON_MALFORMED);
    buffer_clear(&made);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, exchange_set_up, exchange_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_sides_agree_in_every_group_and_suite),
        TEST(system_randomness_gives_other_keys_every_time),
        TEST(randoms_shown_are_those_on_the_wire),
        TEST(a_group_that_is_not_accepted_is_tried_again_with_one_that_is),
        TEST(the_kdcs_first_group_that_the_client_allows_is_taken),
        TEST(no_common_group_ends_at_the_client),
        TEST(a_retry_that_asks_for_the_same_group_is_refused),
        TEST(unknown_groups_in_a_retry_are_passed_over),
        TEST(a_second_retry_is_refused_by_the_client),
        TEST(a_second_hello_with_a_refused_group_gets_group),
        TEST(an_unknown_group_is_answered_by_a_retry),
        TEST(the_clients_first_suite_that_the_kdc_accepts_is_taken),
        TEST(no_common_suite_ends_with_suite),
        TEST(unknown_suites_are_passed_over_but_not_offered_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
