/* The handshake with somebody in between: whatever is changed, cut, dropped or doubled, the two never both hold keys. */
#include "crypto/secret.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/exchange.h"
#include "wire/frame.h"
#include "wire/key_schedule.h"

#include <stdlib.h>
#include <string.h>

/* A client that first asks for a group that the KDC refuses, so that all five frames are there. */
static void with_retry(struct exchange *x)
{
    exchange_client_groups(x, DH_FFDHE3072, GROUP);
    x->server_policy.group_count = 1;
    exchange_begin(x);
}

static void assert_broken(const struct exchange *x)
{
    assert_false(x->client_done && x->server_done);
    assert_true(x->client_failed || x->server_failed);
}

/* ---- bytes changed ---- */

struct flip {
    size_t index; /* of the frame */
    size_t at;
    uint8_t mask;
};

static unsigned do_flip(void *context, size_t index, struct exchange_frame *frame)
{
    const struct flip *flip = context;
    if (index == flip->index)
        frame->bytes[flip->at] ^= flip->mask;
    return 1;
}

static void flip_every_byte(struct exchange *x, size_t frames)
{
    static struct flip flip;
    size_t lengths[EXCHANGE_FRAMES_MAX];

    exchange_run(x);
    assert_true(x->client_done && x->server_done);
    assert_int_equal(x->sent_count, frames);
    for (size_t i = 0; i < frames; i++)
        lengths[i] = x->sent[i].len;

    x->between = do_flip;
    x->context = &flip;
    for (flip.index = 0; flip.index < frames; flip.index++) {
        for (flip.at = 0; flip.at < lengths[flip.index]; flip.at++) {
            flip.mask = (uint8_t)(1u << (flip.at + flip.index) % 8);
            exchange_begin(x);
            exchange_run(x);
            assert_broken(x);
            /* Whatever was changed before the client's last frame, it notices itself and sends no last frame. */
            if (flip.index + 1 < frames)
                assert_false(x->client_done);
            else
                assert_true(x->server_failed);
        }
    }
}

static void no_flipped_byte_leads_to_keys_on_both_sides(void **state)
{
    flip_every_byte(*state, 3);
}

static void no_flipped_byte_does_with_a_retry_either(void **state)
{
    struct exchange *x = *state;
    with_retry(x);
    flip_every_byte(x, 5);
}

static void no_flipped_byte_does_with_a_ticket(void **state)
{
    struct exchange *x = *state;
    exchange_tickets(x);
    exchange_begin(x);
    flip_every_byte(x, 3);
    assert_true(x->opens > 0);
}

static void no_flipped_byte_does_with_a_ticket_and_a_retry(void **state)
{
    struct exchange *x = *state;
    exchange_tickets(x);
    with_retry(x);
    flip_every_byte(x, 5);
}

static void every_bit_of_the_server_hellos_end_counts(void **state)
{
    struct exchange *x = *state;
    struct handshake_failure failure;

    exchange_run(x);
    struct exchange_frame reply = x->sent[1];
    size_t identity_at = reply.len - CUT_IDENTITY - IDENTITY_PUBLIC_LEN;
    for (size_t bit = 0; bit < 8 * (reply.len - identity_at); bit++) {
        size_t at = identity_at + bit / 8;
        reply.bytes[at] ^= (uint8_t)(1u << bit % 8);
        exchange_begin(x);
        assert_int_equal(handshake_client_start(x->client, &x->to_server), REASON_NONE);
        assert_int_equal(handshake_client_frame(x->client, (struct bytes){ .data = reply.bytes, .len = reply.len },
                                                &x->to_server, &failure),
                         HANDSHAKE_FAILED);
        assert_int_equal(failure.reason, REASON_CONFIRM);
        assert_false(failure.from_peer);
        /* In the identity or signature the signature is wrong; in the confirm it isn't. */
        assert_int_equal(failure.bad_signature, at < reply.len - CUT_SIGNATURE);
        reply.bytes[at] ^= (uint8_t)(1u << bit % 8);
    }
}

/* ---- frames dropped, doubled, cut ---- */

struct delivery {
    size_t index;
    unsigned times;
};

static unsigned deliver(void *context, size_t index, struct exchange_frame *frame)
{
    const struct delivery *delivery = context;
    (void)frame;
    return index == delivery->index ? delivery->times : 1;
}

static void a_dropped_frame_leaves_nobody_with_keys(void **state)
{
    struct exchange *x = *state;
    static struct delivery delivery;

    with_retry(x);
    x->between = deliver;
    x->context = &delivery;
    for (delivery.index = 0; delivery.index < 5; delivery.index++) {
        exchange_begin(x);
        exchange_run(x);
        assert_false(x->server_done);
        assert_int_equal(x->client_done, delivery.index == 4);
        assert_int_equal(x->sent_count, delivery.index + 1);
    }
}

static void a_doubled_frame_is_refused(void **state)
{
    struct exchange *x = *state;
    static struct delivery delivery = { .times = 2 };

    with_retry(x);
    x->between = deliver;
    x->context = &delivery;
    for (delivery.index = 0; delivery.index < 5; delivery.index++) {
        exchange_begin(x);
        exchange_run(x);
        assert_true(x->client_failed || x->server_failed);
        if (delivery.index < 3) /* later, one side has its keys already: there the copy is no record of theirs */
            assert_false(x->client_done && x->server_done);
        if (delivery.index == 0) /* the first hello, twice: its group is refused a second time */
            assert_int_equal(x->server_reason, REASON_GROUP);
        else if (delivery.index % 2 == 0)
            assert_int_equal(x->server_reason, REASON_OUT_OF_ORDER);
        else
            assert_int_equal(x->failure.reason, REASON_OUT_OF_ORDER);
    }
}

/* A copy in memory of exactly that length; with_length: its length field says so, too. */
static enum reason server_takes_cut(struct exchange *x, const struct exchange_frame *frame, size_t len,
                                    bool with_length)
{
    enum reason reason = REASON_NONE;
    uint8_t *cut = malloc(len > 0 ? len : 1);
    assert_non_null(cut);
    memcpy(cut, frame->bytes, len);
    if (with_length) {
        cut[2] = (uint8_t)((len - FRAME_HEADER_LEN) >> 8);
        cut[3] = (uint8_t)(len - FRAME_HEADER_LEN);
    }
    assert_int_equal(handshake_server_frame(x->server, (struct bytes){ .data = cut, .len = len }, &x->to_client,
                                            &x->server_keys, &reason),
                     HANDSHAKE_SERVER_FAILED);
    free(cut);
    return reason;
}

static void refused_at_each_length(struct exchange *x)
{
    exchange_run(x);
    assert_true(x->server_done);
    struct exchange_frame hello = x->sent[0];
    for (size_t len = 0; len < hello.len; len++) {
        enum reason expected = len > FRAME_HEADER_LEN ? REASON_MALFORMED : REASON_OUT_OF_ORDER;
        exchange_begin(x);
        assert_int_equal(server_takes_cut(x, &hello, len, false), expected);
        if (len > FRAME_HEADER_LEN) {
            exchange_begin(x);
            assert_int_equal(server_takes_cut(x, &hello, len, true), expected);
        }
        assert_int_equal(x->server_rng.drawn, 0);
        assert_int_equal(x->opens, 0);
    }
}

static void a_cut_client_hello_is_refused_at_each_length(void **state)
{
    struct exchange *x = *state;

    refused_at_each_length(x);
    exchange_tickets(x);
    exchange_begin(x);
    refused_at_each_length(x);
}

static void cut_frames_are_refused_by_the_client_at_each_length(void **state)
{
    struct exchange *x = *state;
    struct handshake_failure failure;

    with_retry(x);
    exchange_run(x);
    for (size_t index = 1; index <= 3; index += 2) { /* hello_retry, server_hello */
        struct exchange_frame frame = x->sent[index];
        for (size_t len = 0; len < frame.len; len++) {
            uint8_t *cut = malloc(len > 0 ? len : 1);
            assert_non_null(cut);
            memcpy(cut, frame.bytes, len);
            if (len >= FRAME_HEADER_LEN) {
                cut[2] = (uint8_t)((len - FRAME_HEADER_LEN) >> 8);
                cut[3] = (uint8_t)(len - FRAME_HEADER_LEN);
            }
            exchange_begin(x);
            assert_int_equal(handshake_client_start(x->client, &x->to_server), REASON_NONE);
            assert_int_equal(
                handshake_client_frame(x->client, (struct bytes){ .data = cut, .len = len }, &x->to_server, &failure),
                HANDSHAKE_FAILED);
            assert_int_equal(failure.reason, len > FRAME_HEADER_LEN ? REASON_MALFORMED : REASON_OUT_OF_ORDER);
            free(cut);
        }
        exchange_begin(x);
        exchange_run(x);
    }
}

static unsigned cut_last(void *context, size_t index, struct exchange_frame *frame)
{
    if (index == 2) {
        frame->len = *(size_t *)context;
        frame->bytes[3] = (uint8_t)(frame->len - FRAME_HEADER_LEN);
    }
    return 1;
}

static void a_cut_client_finish_is_refused_at_each_length(void **state)
{
    struct exchange *x = *state;
    static size_t len;

    x->between = cut_last;
    x->context = &len;
    for (len = FRAME_HEADER_LEN + 1; len < FRAME_HEADER_LEN + 1 + SHA512_LEN; len++) {
        exchange_begin(x);
        exchange_run(x);
        assert_true(x->server_failed);
        assert_int_equal(x->server_reason, REASON_MALFORMED);
    }
}

static void a_finish_of_another_handshake_gets_confirm(void **state)
{
    struct exchange *x = *state;
    enum reason reason = REASON_NONE;

    exchange_run(x);
    struct exchange_frame finish = x->sent[2];
    exchange_begin(x);
    fixed_rng_init(&x->server_rng, "another random");
    assert_int_equal(handshake_client_start(x->client, &x->to_server), REASON_NONE);
    assert_int_equal(
        handshake_server_frame(x->server,
                               (struct bytes){ .data = buffer_data(&x->to_server), .len = buffer_len(&x->to_server) },
                               &x->to_client, &x->server_keys, &reason),
        HANDSHAKE_SERVER_COMPUTE);
    handshake_server_compute(x->server);
    assert_int_equal(handshake_server_reply(x->server, &x->to_client), REASON_NONE);
    assert_int_equal(handshake_server_frame(x->server, (struct bytes){ .data = finish.bytes, .len = finish.len },
                                            &x->to_client, &x->server_keys, &reason),
                     HANDSHAKE_SERVER_FAILED);
    assert_int_equal(reason, REASON_CONFIRM);
    static const struct handshake_keys none;
    assert_memory_equal(&x->server_keys, &none, sizeof(none));
}

static void a_suite_that_was_not_offered_is_refused(void **state)
{
    struct exchange *x = *state;
    struct handshake_failure failure;

    exchange_run(x);
    for (uint16_t suite = 0; suite <= 4; suite++) {
        struct exchange_frame reply = x->sent[1];
        reply.bytes[40] = (uint8_t)suite;
        struct exchange y;
        exchange_init(&y, GROUP, SUITE);
        assert_int_equal(handshake_client_start(y.client, &y.to_server), REASON_NONE);
        enum handshake_event event = handshake_client_frame(
            y.client, (struct bytes){ .data = reply.bytes, .len = reply.len }, &y.to_server, &failure);
        if (suite == SUITE) {
            assert_int_equal(event, HANDSHAKE_IDENTITY);
        } else {
            assert_int_equal(event, HANDSHAKE_FAILED);
            assert_int_equal(failure.reason, REASON_SUITE);
        }
        exchange_clear(&y);
    }
}

/* ---- identities ---- */

static void somebody_with_another_identity_is_seen_as_that(void **state)
{
    struct exchange *x = *state;
    uint8_t known[IDENTITY_PUBLIC_LEN];
    static const uint8_t seed[IDENTITY_SEED_LEN] = { 7 };

    memcpy(known, x->identity->public_key, sizeof(known));
    identity_free(&x->identity);
    x->identity = identity_from_seed(seed);
    assert_non_null(x->identity);
    exchange_begin(x);
    exchange_run(x);
    assert_true(x->client_done); /* since exchange_run takes any */
    assert_memory_not_equal(handshake_client_identity(x->client), known, sizeof(known));
    assert_memory_equal(handshake_client_identity(x->client), x->identity->public_key, sizeof(known));
}

static unsigned put_identity(void *context, size_t index, struct exchange_frame *frame)
{
    if (index == 1)
        memcpy(frame->bytes + frame->len - CUT_IDENTITY - IDENTITY_PUBLIC_LEN, context, IDENTITY_PUBLIC_LEN);
    return 1;
}

static void the_known_identity_can_not_be_claimed_without_its_key(void **state)
{
    struct exchange *x = *state;
    static uint8_t known[IDENTITY_PUBLIC_LEN];
    static const uint8_t seed[IDENTITY_SEED_LEN] = { 7 };

    memcpy(known, x->identity->public_key, sizeof(known));
    identity_free(&x->identity);
    x->identity = identity_from_seed(seed);
    assert_non_null(x->identity);
    x->between = put_identity;
    x->context = known;
    exchange_begin(x);
    exchange_run(x);
    assert_true(x->client_failed);
    assert_int_equal(x->failure.reason, REASON_CONFIRM);
    assert_true(x->failure.bad_signature);
    assert_false(x->server_done);
}

static void nothing_secret_stays_allocated(void **state)
{
    (void)state;
    struct exchange x;
    size_t before = secret_stats().used;

    exchange_init(&x, GROUP, SUITE);
    exchange_run(&x);
    exchange_tickets(&x);
    exchange_begin(&x);
    exchange_run(&x);
    exchange_clear(&x);
    assert_int_equal(secret_stats().used, before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, exchange_set_up, exchange_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_flipped_byte_leads_to_keys_on_both_sides),
        TEST(no_flipped_byte_does_with_a_retry_either),
        TEST(no_flipped_byte_does_with_a_ticket),
        TEST(no_flipped_byte_does_with_a_ticket_and_a_retry),
        TEST(every_bit_of_the_server_hellos_end_counts),
        TEST(a_dropped_frame_leaves_nobody_with_keys),
        TEST(a_doubled_frame_is_refused),
        TEST(a_cut_client_hello_is_refused_at_each_length),
        TEST(cut_frames_are_refused_by_the_client_at_each_length),
        TEST(a_cut_client_finish_is_refused_at_each_length),
        TEST(a_finish_of_another_handshake_gets_confirm),
        TEST(a_suite_that_was_not_offered_is_refused),
        TEST(somebody_with_another_identity_is_seen_as_that),
        TEST(the_known_identity_can_not_be_claimed_without_its_key),
        TEST(nothing_secret_stays_allocated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
