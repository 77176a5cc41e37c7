/* Public values that no key pair gives: refused on both sides before anything is computed with them. */
#include "tests/unit/cmocka_all.h"
#include "tests/unit/exchange.h"
#include "wire/frame.h"
#include "wire/key_schedule.h"

#include <stdlib.h>
#include <string.h>

/* Six that no key pair gives, and wrong lengths. */
struct public_value {
    const char *what;
    uint8_t bytes[DH_PUBLIC_MAX];
    size_t len;
};

static void set_prime(struct public_value *value, const struct dh_group *group, int more)
{
    for (size_t i = 0; i < group->len; i++) {
        char digits[3] = { group->prime_hex[2 * i], group->prime_hex[2 * i + 1], 0 };
        value->bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    value->len = group->len;
    /* The prime ends in 64 ones. */
    if (more < 0)
        value->bytes[group->len - 1] = 0xfe;
    for (size_t i = group->len; more > 0 && i-- > 0 && ++value->bytes[i] == 0;)
        continue;
}

#define BAD_VALUES 10

static size_t bad_values(const struct dh_group *group, struct public_value values[BAD_VALUES])
{
    static const char *const names[BAD_VALUES] = { "0",     "1",       "p - 1",   "p",      "p + 1",
                                                   "2^n-1", "length-", "length+", "1 byte", "1024" };
    memset(values, 0, BAD_VALUES * sizeof(values[0]));
    for (size_t i = 0; i < BAD_VALUES; i++) {
        values[i].what = names[i];
        values[i].len = group->len;
    }
    values[1].bytes[group->len - 1] = 1;
    set_prime(&values[2], group, -1);
    set_prime(&values[3], group, 0);
    set_prime(&values[4], group, 1);
    memset(values[5].bytes, 0xff, group->len);
    memset(values[6].bytes, 5, DH_PUBLIC_MAX);
    values[6].len = group->len - 1;
    memset(values[7].bytes, 5, DH_PUBLIC_MAX);
    values[7].len = group->len + 1;
    values[8].bytes[0] = 4;
    values[8].len = 1;
    values[9].bytes[DH_PUBLIC_MAX - 1] = 4; /* in range, but for its length */
    values[9].len = DH_PUBLIC_MAX;
    return BAD_VALUES;
}

static void the_kdc_never_computes_with_a_bad_public_value(void **state)
{
    struct exchange *x = *state;
    static struct public_value values[BAD_VALUES];
    size_t count = bad_values(dh_group_by_id(GROUP), values);
    enum reason reason = REASON_NONE;
    struct buffer made;

    for (size_t i = 0; i <= count; i++) {
        static const uint8_t good[256] = { 4 };
        struct client_hello m = { .version = PROTOCOL_VERSION, .group = GROUP, .suites = { SUITE }, .suite_count = 1 };
        m.dh_public = i < count ? (struct bytes){ .data = values[i].bytes, .len = values[i].len }
                                : (struct bytes){ .data = good, .len = sizeof(good) };
        exchange_begin(x);
        buffer_init(&made, 2048);
        assert_int_equal(frame_put_client_hello(&made, &m), 0);
        enum handshake_server_event event =
            handshake_server_frame(x->server, (struct bytes){ .data = buffer_data(&made), .len = buffer_len(&made) },
                                   &x->to_client, &x->server_keys, &reason);
        buffer_clear(&made);
        handshake_server_compute(x->server);
        if (i == count) { /* the same with a value that is fit */
            assert_int_equal(event, HANDSHAKE_SERVER_COMPUTE);
            assert_int_not_equal(x->server_rng.drawn, 0);
            continue;
        }
        if (event != HANDSHAKE_SERVER_FAILED || reason != REASON_PUBLIC_VALUE)
            fail_msg("public value %s: reason %d", values[i].what, (int)reason);
        assert_int_equal(x->server_rng.drawn, 0); /* compute did nothing */
        assert_int_equal(handshake_server_reply(x->server, &x->to_client), REASON_INTERNAL);
        assert_int_equal(buffer_len(&x->to_client), 0);
    }
}

/* A KDC made by the test: its server_hello to the client's hello, properly signed and, with `shared`, confirmed. */
static void make_reply(const struct exchange *x, struct bytes hello, struct bytes dh_public, struct bytes shared,
                       struct transcript *t, size_t *at)
{
    uint8_t th[SHA512_LEN], hash[SHA512_LEN], signature[IDENTITY_SIGNATURE_LEN], confirm[SHA512_LEN];
    struct key_schedule keys;
    struct server_hello m = { .version = PROTOCOL_VERSION, .suite = SUITE, .dh_public = dh_public };

    memcpy(m.identity, x->identity->public_key, sizeof(m.identity));
    assert_int_equal(transcript_init(t), 0);
    assert_int_equal(transcript_add(t, hello), 0);
    *at = buffer_len(&t->bytes);
    assert_int_equal(frame_put_server_hello(&t->bytes, &m), 0);
    transcript_hash(t, CUT_IDENTITY, th);
    assert_int_equal(identity_sign(x->identity, key_schedule_signature_context, th, sizeof(th), signature), 0);
    transcript_fill(t, CUT_IDENTITY, signature);
    transcript_hash(t, CUT_SIGNATURE, hash);
    key_schedule_derive(&keys, th, shared.data, shared.len);
    key_schedule_confirm(keys.server_confirm, hash, confirm);
    transcript_fill(t, CUT_SIGNATURE, confirm);
}

static void the_client_never_computes_with_a_bad_public_value(void **state)
{
    struct exchange *x = *state;
    const struct dh_group *group = dh_group_by_id(GROUP);
    static struct public_value values[BAD_VALUES + 1];
    size_t count = bad_values(group, values);
    struct handshake_failure failure;

    values[count] =
        (struct public_value){ .what = "fit, but another shared secret", .bytes = { 4 }, .len = group->len };
    for (size_t i = 0; i <= count; i++) {
        /* What such a KDC would hope for as shared secret: 0, 1 or p - 1. */
        for (size_t hope = 0; hope < 3; hope++) {
            struct transcript t;
            size_t at = 0;
            exchange_begin(x);
            assert_int_equal(handshake_client_start(x->client, &x->to_server), REASON_NONE);
            make_reply(x, (struct bytes){ .data = buffer_data(&x->to_server), .len = buffer_len(&x->to_server) },
                       (struct bytes){ .data = values[i].bytes, .len = values[i].len },
                       (struct bytes){ .data = values[hope].bytes, .len = group->len }, &t, &at);
            assert_int_equal(handshake_client_frame(x->client, transcript_since(&t, at), &x->to_server, &failure),
                             HANDSHAKE_FAILED);
            if (failure.reason != (i < count ? REASON_PUBLIC_VALUE : REASON_CONFIRM))
                fail_msg("public value %s: reason %d", values[i].what, (int)failure.reason);
            assert_false(failure.bad_signature);

            /* The value is judged before the signature. */
            static const uint8_t no_signature[IDENTITY_SIGNATURE_LEN];
            exchange_begin(x);
            assert_int_equal(handshake_client_start(x->client, &x->to_server), REASON_NONE);
            transcript_fill(&t, CUT_IDENTITY, no_signature);
            assert_int_equal(handshake_client_frame(x->client, transcript_since(&t, at), &x->to_server, &failure),
                             HANDSHAKE_FAILED);
            assert_int_equal(failure.bad_signature, i == count);
            transcript_clear(&t);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, exchange_set_up, exchange_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_kdc_never_computes_with_a_bad_public_value),
        TEST(the_client_never_computes_with_a_bad_public_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
