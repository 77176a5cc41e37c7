/* Resumption (docs/protocol.md section 3.5): when a ticket is taken, what it changes, and what happens to one that isn't. */
#include "crypto/secret.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/exchange.h"
#include "wire/frame.h"
#include "wire/key_schedule.h"

#include <string.h>

static int setup(void **state)
{
    (void)exchange_set_up(state);
    exchange_tickets(*state);
    exchange_begin(*state);
    return 0;
}

static void assert_agreed(const struct exchange *x, bool resumed)
{
    assert_true(x->client_done && x->server_done);
    assert_false(x->client_failed || x->server_failed);
    assert_int_equal(handshake_server_resumed(x->server), resumed);
    assert_int_equal(x->client_keys.resumed, resumed);
    assert_int_equal(x->server_keys.resumed, resumed);
    assert_memory_equal(x->client_keys.client_traffic, x->server_keys.client_traffic, KDF_SECRET_LEN);
    assert_memory_equal(x->client_keys.server_traffic, x->server_keys.server_traffic, KDF_SECRET_LEN);
    assert_memory_equal(x->client_keys.exporter, x->server_keys.exporter, KDF_SECRET_LEN);
    assert_memory_equal(x->client_keys.resumption, x->server_keys.resumption, KDF_SECRET_LEN);
    assert_memory_not_equal(x->client_keys.resumption, x->client_keys.exporter, KDF_SECRET_LEN);
    assert_memory_not_equal(x->client_keys.resumption, x->client_keys.client_traffic, KDF_SECRET_LEN);
    assert_memory_not_equal(x->client_keys.resumption, x->client_keys.server_traffic, KDF_SECRET_LEN);
}

/* ---- taken ---- */

static void a_ticket_is_taken_in_every_group_and_suite(void **state)
{
    struct exchange *x = *state;

    for (size_t g = 0; g < DH_GROUP_COUNT; g++) {
        for (size_t s = 0; s < SUITE_COUNT; s++) {
            x->client_policy.groups[0] = dh_groups[g].id;
            x->client_policy.suites[0] = suites[s].id;
            exchange_begin(x);
            exchange_run(x);
            assert_agreed(x, true);
            assert_int_equal(x->sent_count, 3);
            assert_int_equal(x->opens, 1);
            assert_ptr_equal(x->client_keys.group, &dh_groups[g]);
            assert_ptr_equal(x->client_keys.suite, &suites[s]);
        }
    }
}

static void the_longest_ticket_can_be_offered(void **state)
{
    struct exchange *x = *state;
    struct client_hello hello;

    memset(x->ticket, 0x5a, sizeof(x->ticket));
    x->ticket_len = TICKET_LEN_MAX;
    exchange_begin(x);
    exchange_run(x);
    assert_agreed(x, false);
    assert_int_equal(frame_get_client_hello(exchange_sent(x, 0), &hello), 0);
    assert_int_equal(hello.ticket.len, TICKET_LEN_MAX);
    assert_memory_equal(hello.ticket.data, x->ticket, TICKET_LEN_MAX);
}

static void keys_are_others_than_without_a_ticket(void **state)
{
    struct exchange *x = *state;

    exchange_run(x);
    assert_agreed(x, true);
    struct handshake_keys resumed = x->client_keys;
    x->ticket_len = 0;
    exchange_begin(x);
    exchange_run(x);
    assert_agreed(x, false);
    assert_memory_not_equal(resumed.client_traffic, x->client_keys.client_traffic, KDF_SECRET_LEN);
    assert_memory_not_equal(resumed.server_traffic, x->client_keys.server_traffic, KDF_SECRET_LEN);
    assert_memory_not_equal(resumed.exporter, x->client_keys.exporter, KDF_SECRET_LEN);
    assert_memory_not_equal(resumed.resumption, x->client_keys.resumption, KDF_SECRET_LEN);
    assert_memory_not_equal(resumed.resumption, x->ticket_secret, KDF_SECRET_LEN);
}

/* A KDC made by the test: what it says of resuming, and what it puts into the keys besides the shared secret. */
static enum handshake_event client_meets(struct exchange *x, bool resumed, const uint8_t *ticket_secret,
                                         struct handshake_failure *failure)
{
    const struct dh_group *group = dh_group_by_id(GROUP);
    uint8_t private_key[DH_PRIVATE_MAX], public_value[DH_PUBLIC_MAX], ikm[DH_PUBLIC_MAX + KDF_SECRET_LEN];
    uint8_t th[SHA512_LEN], hash[SHA512_LEN], value[SHA512_LEN];
    size_t ikm_len = group->len;
    struct key_schedule keys;
    struct client_hello hello;
    struct transcript t;
    struct server_hello m = { .version = PROTOCOL_VERSION, .suite = SUITE, .resumed = resumed };

    assert_int_equal(handshake_client_start(x->client, &x->to_server), REASON_NONE);
    struct bytes frame = { .data = buffer_data(&x->to_server), .len = buffer_len(&x->to_server) };
    assert_int_equal(frame_get_client_hello(frame, &hello), 0);
    assert_int_equal(dh_keypair(group, &rng_system, private_key, public_value), DH_OK);
    assert_int_equal(dh_shared(group, private_key, hello.dh_public.data, hello.dh_public.len, ikm), DH_OK);
    if (ticket_secret != NULL) {
        memcpy(ikm + ikm_len, ticket_secret, KDF_SECRET_LEN);
        ikm_len += KDF_SECRET_LEN;
    }
    m.dh_public = (struct bytes){ .data = public_value, .len = group->len };
    memcpy(m.identity, x->identity->public_key, sizeof(m.identity));
    assert_int_equal(transcript_init(&t), 0);
    assert_int_equal(transcript_add(&t, frame), 0);
    size_t at = buffer_len(&t.bytes);
    assert_int_equal(frame_put_server_hello(&t.bytes, &m), 0);
    transcript_hash(&t, CUT_IDENTITY, th);
    assert_int_equal(identity_sign(x->identity, key_schedule_signature_context, th, sizeof(th), value), 0);
    transcript_fill(&t, CUT_IDENTITY, value);
    transcript_hash(&t, CUT_SIGNATURE, hash);
    key_schedule_derive(&keys, th, ikm, ikm_len);
    key_schedule_confirm(keys.server_confirm, hash, value);
    transcript_fill(&t, CUT_SIGNATURE, value);
    enum handshake_event event = handshake_client_frame(x->client, transcript_since(&t, at), &x->to_server, failure);
    transcript_clear(&t);
    return event;
}

static void a_kdc_that_says_resumed_must_have_the_tickets_secret(void **state)
{
    struct exchange *x = *state;
    struct handshake_failure failure;
    static const uint8_t another[KDF_SECRET_LEN] = { 1 };
    const struct {
        bool resumed;
        const uint8_t *secret;
        enum handshake_event event;
    } kdcs[] = {
        { true, x->ticket_secret, HANDSHAKE_IDENTITY },
        { false, NULL, HANDSHAKE_IDENTITY },
        { true, NULL, HANDSHAKE_FAILED },
        { true, another, HANDSHAKE_FAILED },
        { false, x->ticket_secret, HANDSHAKE_FAILED },
    };

    for (size_t i = 0; i < sizeof(kdcs) / sizeof(kdcs[0]); i++) {
        exchange_begin(x);
        assert_int_equal(client_meets(x, kdcs[i].resumed, kdcs[i].secret, &failure), kdcs[i].event);
        if (kdcs[i].event == HANDSHAKE_IDENTITY)
            continue;
        assert_int_equal(failure.reason, REASON_CONFIRM);
        assert_false(failure.bad_signature);
    }
}

static void resumed_without_an_offer_is_malformed(void **state)
{
    struct exchange *x = *state;
    struct handshake_failure failure;

    x->ticket_len = 0;
    exchange_begin(x);
    assert_int_equal(client_meets(x, true, x->ticket_secret, &failure), HANDSHAKE_FAILED);
    assert_int_equal(failure.reason, REASON_MALFORMED);
    exchange_begin(x);
    assert_int_equal(client_meets(x, true, NULL, &failure), HANDSHAKE_FAILED);
    assert_int_equal(failure.reason, REASON_MALFORMED);
}

static unsigned flip_resumed(void *context, size_t index, struct exchange_frame *frame)
{
    (void)context;
    if (index == 1)
        frame->bytes[FRAME_HEADER_LEN + 1 + 2 + HELLO_RANDOM_LEN + 2] ^= 1;
    return 1;
}

static void nobody_in_between_decides_about_resuming(void **state)
{
    struct exchange *x = *state;

    x->between = flip_resumed;
    for (int opens = 0; opens < 2; opens++) {
        x->kdc_opens = opens != 0;
        exchange_begin(x);
        exchange_run(x);
        assert_true(x->client_failed);
        assert_int_equal(x->failure.reason, REASON_CONFIRM);
        assert_true(x->failure.bad_signature);
        assert_false(x->client_done || x->server_done);
    }
}

/* ---- retry ---- */

/* The document's formula: HMAC(Expand(the ticket's secret, P | " binder", 64), SHA-512(all up to the binder)). */
static void binder_by_hand(const struct exchange *x, size_t last, uint8_t binder[SHA512_LEN])
{
    static const char label[] = "kdc-chat v1 binder\x01";
    uint8_t key[SHA512_LEN], hash[SHA512_LEN], all[4096];
    size_t len = 11;

    memcpy(all, "kdc-chat v1", len);
    for (size_t i = 0; i <= last; i++) {
        memcpy(all + len, x->sent[i].bytes, x->sent[i].len);
        len += x->sent[i].len;
    }
    sha512_hash(all, len - 64, hash);
    hmac_sha512(x->ticket_secret, KDF_SECRET_LEN, label, sizeof(label) - 1, key);
    hmac_sha512(key, sizeof(key), hash, sizeof(hash), binder);
}

static void after_a_retry_the_ticket_is_bound_to_the_whole_transcript(void **state)
{
    struct exchange *x = *state;
    uint8_t binder[SHA512_LEN];
    struct client_hello first, second;

    exchange_client_groups(x, DH_FFDHE3072, GROUP);
    x->server_policy.group_count = 1;
    exchange_begin(x);
    exchange_run(x);
    assert_agreed(x, true);
    assert_int_equal(x->sent_count, 5);
    assert_int_equal(x->opens, 1); /* not for the hello that was refused */
    assert_int_equal(frame_get_client_hello(exchange_sent(x, 0), &first), 0);
    assert_int_equal(frame_get_client_hello(exchange_sent(x, 2), &second), 0);
    assert_true(first.resumes && second.resumes);
    assert_int_equal(first.ticket.len, second.ticket.len);
    assert_memory_equal(first.ticket.data, second.ticket.data, first.ticket.len);
    binder_by_hand(x, 0, binder);
    assert_memory_equal(first.binder, binder, sizeof(binder));
    binder_by_hand(x, 2, binder);
    assert_memory_equal(second.binder, binder, sizeof(binder));
}

/* ---- not taken ---- */

static void a_ticket_that_the_kdc_can_not_open_is_passed_over(void **state)
{
    struct exchange *x = *state;

    for (size_t at = 0; at < EXCHANGE_TICKET_LEN; at++) {
        x->ticket[at] ^= 0x10;
        exchange_begin(x);
        exchange_run(x);
        x->ticket[at] ^= 0x10;
        assert_agreed(x, false);
        assert_int_equal(x->opens, 1);
    }
    x->kdc_opens = false;
    exchange_begin(x);
    exchange_run(x);
    assert_agreed(x, false);
    assert_int_equal(x->opens, 0);
}

/* The client's hello, with the byte at that many before its end changed, to the KDC. */
static enum handshake_server_event server_meets(struct exchange *x, size_t from_end, enum reason *reason)
{
    uint8_t frame[EXCHANGE_FRAME_MAX];

    *reason = REASON_NONE;
    exchange_begin(x);
    assert_int_equal(handshake_client_start(x->client, &x->to_server), REASON_NONE);
    size_t len = buffer_len(&x->to_server);
    memcpy(frame, buffer_data(&x->to_server), len);
    if (from_end > 0)
        frame[len - from_end] ^= 0x40;
    return handshake_server_frame(x->server, (struct bytes){ .data = frame, .len = len }, &x->to_client,
                                  &x->server_keys, reason);
}

static void the_binder_of_a_ticket_that_is_not_taken_is_not_looked_at(void **state)
{
    struct exchange *x = *state;
    enum reason reason;

    x->ticket[0] ^= 1;
    assert_int_equal(server_meets(x, 1, &reason), HANDSHAKE_SERVER_COMPUTE);
    assert_int_equal(x->opens, 1);
    assert_false(handshake_server_resumed(x->server));
}

static void every_byte_of_the_binder_counts_before_anything_is_computed(void **state)
{
    struct exchange *x = *state;
    enum reason reason;

    assert_int_equal(server_meets(x, 0, &reason), HANDSHAKE_SERVER_COMPUTE);
    assert_true(handshake_server_resumed(x->server));
    for (size_t from_end = 1; from_end <= SHA512_LEN; from_end++) {
        assert_int_equal(server_meets(x, from_end, &reason), HANDSHAKE_SERVER_FAILED);
        assert_int_equal(reason, REASON_CONFIRM);
        assert_false(handshake_server_resumed(x->server));
        handshake_server_compute(x->server);
        assert_int_equal(x->server_rng.drawn, 0);
        assert_int_equal(handshake_server_reply(x->server, &x->to_client), REASON_INTERNAL);
        assert_int_equal(buffer_len(&x->to_client), 0);
    }
}

static void a_ticket_without_its_secret_gets_confirm(void **state)
{
    struct exchange *x = *state;

    x->ticket_secret[63] ^= 1;
    exchange_begin(x);
    exchange_run(x);
    assert_true(x->server_failed);
    assert_int_equal(x->server_reason, REASON_CONFIRM);
    assert_int_equal(x->sent_count, 1);
}

static void what_else_is_wrong_with_a_hello_is_found_before_its_ticket_is_opened(void **state)
{
    struct exchange *x = *state;
    enum reason reason;

    x->server_policy.suites[0] = SUITE_AES_256_GCM;
    x->server_policy.suite_count = 1;
    assert_int_equal(server_meets(x, 0, &reason), HANDSHAKE_SERVER_FAILED);
    assert_int_equal(reason, REASON_SUITE);
    assert_int_equal(x->opens, 0);
}

static void a_copied_hello_gets_an_answer_and_can_not_be_finished(void **state)
{
    struct exchange *x = *state;
    enum reason reason = REASON_NONE;

    exchange_run(x);
    struct exchange_frame hello = x->sent[0], finish = x->sent[2];
    exchange_begin(x);
    fixed_rng_init(&x->server_rng, "another random");
    assert_int_equal(handshake_server_frame(x->server, (struct bytes){ .data = hello.bytes, .len = hello.len },
                                            &x->to_client, &x->server_keys, &reason),
                     HANDSHAKE_SERVER_COMPUTE);
    assert_true(handshake_server_resumed(x->server));
    handshake_server_compute(x->server);
    assert_int_equal(handshake_server_reply(x->server, &x->to_client), REASON_NONE);
    assert_int_equal(handshake_server_frame(x->server, (struct bytes){ .data = finish.bytes, .len = finish.len },
                                            &x->to_client, &x->server_keys, &reason),
                     HANDSHAKE_SERVER_FAILED);
    assert_int_equal(reason, REASON_CONFIRM);
    static const struct handshake_keys none;
    assert_memory_equal(&x->server_keys, &none, sizeof(none));
}

/* ---- the client's offer ---- */

static void an_offer_comes_before_the_start_and_has_a_length(void **state)
{
    struct exchange *x = *state;
    static const uint8_t ticket[TICKET_LEN_MAX + 1] = { 9 };
    struct client_hello hello;

    x->ticket_len = 0;
    exchange_begin(x);
    assert_int_equal(handshake_client_offer(x->client, (struct bytes){ .data = ticket, .len = 0 }, x->ticket_secret),
                     -1);
    assert_int_equal(handshake_client_offer(x->client, (struct bytes){ .data = ticket, .len = TICKET_LEN_MAX + 1 },
                                            x->ticket_secret),
                     -1);
    assert_int_equal(handshake_client_start(x->client, &x->to_server), REASON_NONE);
    assert_int_equal(handshake_client_offer(x->client, (struct bytes){ .data = ticket, .len = 1 }, x->ticket_secret),
                     -1);
    struct bytes frame = { .data = buffer_data(&x->to_server), .len = buffer_len(&x->to_server) };
    assert_int_equal(frame_get_client_hello(frame, &hello), 0);
    assert_false(hello.resumes);
}

/* ---- secrets ---- */

/* Whether a quarter of the secret lies in a block, in its slack too, which AddressSanitizer would rather not have read. */
__attribute__((no_sanitize_address)) static bool holds(const void *block, size_t len,
                                                       const uint8_t secret[KDF_SECRET_LEN])
{
    const volatile uint8_t *bytes = block;

    for (size_t at = 0; at + 16 <= len; at++) {
        size_t first = 0, last = 0;
        while (first < 16 && bytes[at + first] == secret[first])
            first++;
        while (last < 16 && bytes[at + last] == secret[KDF_SECRET_LEN - 16 + last])
            last++;
        if (first == 16 || last == 16)
            return true;
    }
    return false;
}

static void the_tickets_secret_leaves_both_objects_once_it_is_used(void **state)
{
    struct exchange *x = *state;
    static uint8_t secret[KDF_SECRET_LEN];
    enum reason reason;

    /* How long the objects are: what they take. */
    size_t before = secret_stats().used;
    struct handshake_client *client = handshake_client_new(&x->client_policy, &rng_system);
    size_t client_len = secret_stats().used - before;
    handshake_client_free(&client);
    struct handshake_server *server = handshake_server_new(&x->server_policy, x->identity, NULL, &rng_system);
    size_t server_len = secret_stats().used - before;
    handshake_server_free(&server);
    memcpy(secret, x->ticket_secret, sizeof(secret));

    /* The KDC: opened, computed; binder wrong; not taken. */
    assert_int_equal(server_meets(x, 0, &reason), HANDSHAKE_SERVER_COMPUTE);
    assert_true(holds(x->client, client_len, secret));
    assert_true(holds(x->server, server_len, secret));
    handshake_server_compute(x->server);
    assert_false(holds(x->server, server_len, secret));
    assert_int_equal(server_meets(x, 1, &reason), HANDSHAKE_SERVER_FAILED);
    assert_false(holds(x->server, server_len, secret));
    x->ticket[0] ^= 1;
    assert_int_equal(server_meets(x, 0, &reason), HANDSHAKE_SERVER_COMPUTE);
    assert_false(holds(x->server, server_len, secret));
    x->ticket[0] ^= 1;

    /* The client: a handshake that succeeds, and one that doesn't. */
    struct handshake_failure failure;
    exchange_begin(x);
    assert_int_equal(client_meets(x, true, secret, &failure), HANDSHAKE_IDENTITY);
    assert_false(holds(x->client, client_len, secret));
    exchange_begin(x);
    assert_int_equal(client_meets(x, true, NULL, &failure), HANDSHAKE_FAILED);
    assert_false(holds(x->client, client_len, secret));
    exchange_begin(x);
    assert_int_equal(
        handshake_client_frame(x->client, (struct bytes){ .data = secret, .len = 3 }, &x->to_server, &failure),
        HANDSHAKE_FAILED);
    assert_false(holds(x->client, client_len, secret));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, exchange_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_ticket_is_taken_in_every_group_and_suite),
        TEST(the_longest_ticket_can_be_offered),
        TEST(keys_are_others_than_without_a_ticket),
        TEST(a_kdc_that_says_resumed_must_have_the_tickets_secret),
        TEST(resumed_without_an_offer_is_malformed),
        TEST(nobody_in_between_decides_about_resuming),
        TEST(after_a_retry_the_ticket_is_bound_to_the_whole_transcript),
        TEST(a_ticket_that_the_kdc_can_not_open_is_passed_over),
        TEST(the_binder_of_a_ticket_that_is_not_taken_is_not_looked_at),
        TEST(every_byte_of_the_binder_counts_before_anything_is_computed),
        TEST(a_ticket_without_its_secret_gets_confirm),
        TEST(what_else_is_wrong_with_a_hello_is_found_before_its_ticket_is_opened),
        TEST(a_copied_hello_gets_an_answer_and_can_not_be_finished),
        TEST(an_offer_comes_before_the_start_and_has_a_length),
        TEST(the_tickets_secret_leaves_both_objects_once_it_is_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
