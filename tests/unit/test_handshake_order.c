/* The handshake out of order: versions, frames out of their place, alerts, faults of our own. */
#include "tests/unit/cmocka_all.h"
#include "tests/unit/exchange.h"
#include "wire/frame.h"

#include <string.h>

/* ---- versions ---- */

struct version_change {
    bool from_client; /* whose hello */
    uint8_t version;
    size_t cut; /* how much of it is left; 0: all */
};

static unsigned change_version(void *context, size_t index, struct exchange_frame *frame)
{
    const struct version_change *change = context;

    (void)index;
    if (frame->from_client != change->from_client)
        return 1;
    frame->bytes[5] = 0;
    frame->bytes[6] = change->version;
    if (change->cut > 0)
        frame->len = change->cut;
    return 1;
}

static void another_version_is_named_even_when_the_rest_can_not_be_read(void **state)
{
    struct exchange *x = *state;
    static const uint8_t versions[] = { 0, 2, 255 };
    static struct version_change change;

    x->between = change_version;
    x->context = &change;
    for (size_t i = 0; i < sizeof(versions); i++) {
        change.version = versions[i];
        for (change.cut = 0; change.cut <= 7; change.cut += 7) {
            change.from_client = true;
            exchange_begin(x);
            exchange_run(x);
            assert_true(x->server_failed);
            assert_int_equal(x->server_reason, REASON_VERSION);
            assert_false(x->server_done || x->client_done);

            change.from_client = false;
            exchange_begin(x);
            exchange_run(x);
            assert_true(x->client_failed);
            assert_int_equal(x->failure.reason, REASON_VERSION);
            assert_false(x->server_done || x->client_done);
        }
    }
}

/* ---- order ---- */

/* Frames of every kind, each well-formed: a whole handshake with a retry, and an alert. */
struct samples {
    struct exchange x;
    struct bytes frames[6]; /* client_hello, hello_retry, client_hello, server_hello, client_finish, alert */
    struct buffer alert;
};

static void samples_make(struct samples *s, bool with_ticket)
{
    struct alert alert = { .reason = REASON_BUSY, .retry_after = 3 };

    exchange_init(&s->x, DH_FFDHE3072, SUITE);
    exchange_client_groups(&s->x, DH_FFDHE3072, GROUP);
    s->x.server_policy.group_count = 1;
    if (with_ticket)
        exchange_tickets(&s->x);
    exchange_begin(&s->x);
    exchange_run(&s->x);
    assert_int_equal(s->x.sent_count, 5);
    for (size_t i = 0; i < 5; i++)
        s->frames[i] = exchange_sent(&s->x, i);
    buffer_init(&s->alert, 64);
    assert_int_equal(frame_put_alert(&s->alert, &alert), 0);
    s->frames[5] = (struct bytes){ .data = buffer_data(&s->alert), .len = buffer_len(&s->alert) };
}

static void samples_clear(struct samples *s)
{
    exchange_clear(&s->x);
    buffer_clear(&s->alert);
}

static void the_kdc_takes_in_order(bool with_ticket)
{
    static struct samples s;
    static const size_t order[] = { 0, 2, 4 }; /* the client's frames, as the KDC takes them */

    samples_make(&s, with_ticket);
    /* After `done` good frames, each frame that isn't the next one. */
    for (size_t done = 0; done <= 3; done++) {
        for (size_t wrong = 0; wrong < 6; wrong++) {
            enum reason reason = REASON_NONE;
            if (done < 3 && (wrong == order[done] || (done < 2 && wrong == order[1 - done])))
                continue; /* a client_hello is a client_hello */
            exchange_begin(&s.x);
            for (size_t i = 0; i < done; i++) {
                enum handshake_server_event event =
                    handshake_server_frame(s.x.server, s.frames[order[i]], &s.x.to_client, &s.x.server_keys, &reason);
                assert_int_not_equal(event, HANDSHAKE_SERVER_FAILED);
                if (event == HANDSHAKE_SERVER_COMPUTE) {
                    handshake_server_compute(s.x.server);
                    assert_int_equal(handshake_server_reply(s.x.server, &s.x.to_client), REASON_NONE);
                }
            }
            assert_int_equal(
                handshake_server_frame(s.x.server, s.frames[wrong], &s.x.to_client, &s.x.server_keys, &reason),
                HANDSHAKE_SERVER_FAILED);
            assert_int_equal(reason, REASON_OUT_OF_ORDER);
            /* And then nothing more, not even what would have been right. */
            for (size_t i = 0; i < 6; i++)
                assert_int_equal(
                    handshake_server_frame(s.x.server, s.frames[i], &s.x.to_client, &s.x.server_keys, &reason),
                    HANDSHAKE_SERVER_FAILED);
        }
    }
    samples_clear(&s);
}

static void the_kdc_takes_each_frame_once_and_in_order(void **state)
{
    (void)state;
    the_kdc_takes_in_order(false);
    the_kdc_takes_in_order(true);
}

static void a_frame_while_the_kdc_computes_is_out_of_order(void **state)
{
    struct exchange *x = *state;
    enum reason reason = REASON_NONE;

    exchange_run(x);
    struct exchange_frame hello = x->sent[0];
    struct bytes frame = { .data = hello.bytes, .len = hello.len };
    for (int computed = 0; computed < 2; computed++) {
        exchange_begin(x);
        assert_int_equal(handshake_server_frame(x->server, frame, &x->to_client, &x->server_keys, &reason),
                         HANDSHAKE_SERVER_COMPUTE);
        if (computed)
            handshake_server_compute(x->server);
        assert_int_equal(handshake_server_frame(x->server, frame, &x->to_client, &x->server_keys, &reason),
                         HANDSHAKE_SERVER_FAILED);
        assert_int_equal(reason, REASON_OUT_OF_ORDER);
        assert_int_equal(handshake_server_reply(x->server, &x->to_client), REASON_INTERNAL);
        assert_int_equal(buffer_len(&x->to_client), 0);
    }
}

static void the_client_takes_in_order(bool with_ticket)
{
    static struct samples s;
    static const size_t order[] = { 1, 3 };
    struct handshake_failure failure;

    samples_make(&s, with_ticket);
    for (int started = 0; started < 2; started++) {
        for (size_t done = 0; done <= (started ? 2u : 0u); done++) {
            for (size_t wrong = 0; wrong < 6; wrong++) {
                bool alert_in_place = wrong == 5 && started;
                if (alert_in_place || (started && done < 2 && wrong == order[done]) || (done == 0 && wrong == 3))
                    continue; /* done 0: a server_hello has its place there, but is another hello's */
                exchange_begin(&s.x);
                if (started)
                    assert_int_equal(handshake_client_start(s.x.client, &s.x.to_server), REASON_NONE);
                for (size_t i = 0; i < done; i++)
                    assert_int_not_equal(
                        handshake_client_frame(s.x.client, s.frames[order[i]], &s.x.to_server, &failure),
                        HANDSHAKE_FAILED);
                assert_int_equal(handshake_client_frame(s.x.client, s.frames[wrong], &s.x.to_server, &failure),
                                 HANDSHAKE_FAILED);
                assert_int_equal(failure.reason, REASON_OUT_OF_ORDER);
                assert_int_equal(handshake_client_finish(s.x.client, &s.x.to_server, &s.x.client_keys),
                                 REASON_OUT_OF_ORDER);
            }
        }
    }
    samples_clear(&s);
}

static void the_client_takes_each_frame_once_and_in_order(void **state)
{
    (void)state;
    the_client_takes_in_order(false);
    the_client_takes_in_order(true);
}

static void the_client_starts_and_finishes_once(void **state)
{
    struct exchange *x = *state;

    assert_int_equal(handshake_client_finish(x->client, &x->to_server, &x->client_keys), REASON_OUT_OF_ORDER);
    exchange_begin(x);
    exchange_run(x);
    assert_true(x->client_done);
    assert_int_equal(handshake_client_finish(x->client, &x->to_server, &x->client_keys), REASON_OUT_OF_ORDER);
    exchange_begin(x);
    assert_int_equal(handshake_client_start(x->client, &x->to_server), REASON_NONE);
    assert_int_equal(handshake_client_start(x->client, &x->to_server), REASON_INTERNAL);
}

/* ---- alerts ---- */

static void an_alert_ends_the_clients_handshake_with_its_reason(void **state)
{
    (void)state;
    static struct samples s;
    struct handshake_failure failure;

    samples_make(&s, false);
    for (size_t done = 0; done < 3; done++) { /* after client_hello, after the retry, while the identity is judged */
        exchange_begin(&s.x);
        assert_int_equal(handshake_client_start(s.x.client, &s.x.to_server), REASON_NONE);
        if (done > 0)
            assert_int_equal(handshake_client_frame(s.x.client, s.frames[1], &s.x.to_server, &failure),
                             HANDSHAKE_RETRIED);
        if (done > 1)
            assert_int_equal(handshake_client_frame(s.x.client, s.frames[3], &s.x.to_server, &failure),
                             HANDSHAKE_IDENTITY);
        assert_int_equal(handshake_client_frame(s.x.client, s.frames[5], &s.x.to_server, &failure), HANDSHAKE_FAILED);
        assert_int_equal(failure.reason, REASON_BUSY);
        assert_int_equal(failure.retry_after, 3);
        assert_true(failure.from_peer);
        assert_false(failure.bad_signature);
        assert_int_equal(handshake_client_finish(s.x.client, &s.x.to_server, &s.x.client_keys), REASON_OUT_OF_ORDER);
    }
    samples_clear(&s);
}

static void an_alert_without_a_known_reason_is_malformed(void **state)
{
    struct exchange *x = *state;
    struct handshake_failure failure;
    static const uint8_t reasons[] = { 0, REASON_COUNT, 255 };

    for (size_t i = 0; i < sizeof(reasons); i++) {
        const uint8_t alert[] = { 0, 0, 0, 6, FRAME_ALERT, reasons[i], 0, 0, 0, 9 };
        exchange_begin(x);
        assert_int_equal(handshake_client_start(x->client, &x->to_server), REASON_NONE);
        assert_int_equal(handshake_client_frame(x->client, (struct bytes){ .data = alert, .len = sizeof(alert) },
                                                &x->to_server, &failure),
                         HANDSHAKE_FAILED);
        assert_int_equal(failure.reason, REASON_MALFORMED);
        assert_false(failure.from_peer);
        assert_int_equal(failure.retry_after, 0);
    }
}

/* ---- our own faults ---- */

static void without_randomness_nothing_goes_out(void **state)
{
    struct exchange *x = *state;

    for (uint64_t at = 0; at < HELLO_RANDOM_LEN + 29; at += 20) { /* in the random, then in the exponent */
        exchange_begin(x);
        x->client_rng.fail_at = at;
        assert_int_equal(handshake_client_start(x->client, &x->to_server), REASON_INTERNAL);
        assert_int_equal(buffer_len(&x->to_server), 0);

        exchange_begin(x);
        x->server_rng.fail_at = at;
        exchange_run(x);
        assert_true(x->server_failed);
        assert_int_equal(x->server_reason, REASON_INTERNAL);
        assert_int_equal(x->sent_count, 1);
    }
}

static void a_full_buffer_ends_the_handshake_and_gets_nothing(void **state)
{
    struct exchange *x = *state;
    enum reason reason = REASON_NONE;
    struct handshake_failure failure;
    struct buffer full;

    exchange_run(x);
    struct exchange_frame hello = x->sent[0], reply = x->sent[1];
    buffer_init(&full, 16);

    exchange_begin(x);
    assert_int_equal(handshake_client_start(x->client, &full), REASON_INTERNAL);
    assert_int_equal(handshake_server_frame(x->server, (struct bytes){ .data = hello.bytes, .len = hello.len }, &full,
                                            &x->server_keys, &reason),
                     HANDSHAKE_SERVER_COMPUTE);
    handshake_server_compute(x->server);
    assert_int_equal(handshake_server_reply(x->server, &full), REASON_INTERNAL);

    exchange_begin(x);
    assert_int_equal(handshake_client_start(x->client, &x->to_server), REASON_NONE);
    assert_int_equal(
        handshake_client_frame(x->client, (struct bytes){ .data = reply.bytes, .len = reply.len }, &full, &failure),
        HANDSHAKE_IDENTITY);
    assert_int_equal(handshake_client_finish(x->client, &full, &x->client_keys), REASON_INTERNAL);
    assert_int_equal(handshake_client_finish(x->client, &x->to_server, &x->client_keys), REASON_OUT_OF_ORDER);
    assert_int_equal(buffer_len(&full), 0);
    buffer_clear(&full);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, exchange_set_up, exchange_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(another_version_is_named_even_when_the_rest_can_not_be_read),
        TEST(the_kdc_takes_each_frame_once_and_in_order),
        TEST(a_frame_while_the_kdc_computes_is_out_of_order),
        TEST(the_client_takes_each_frame_once_and_in_order),
        TEST(the_client_starts_and_finishes_once),
        TEST(an_alert_ends_the_clients_handshake_with_its_reason),
        TEST(an_alert_without_a_known_reason_is_malformed),
        TEST(without_randomness_nothing_goes_out),
        TEST(a_full_buffer_ends_the_handshake_and_gets_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
