#include "tests/unit/exchange.h"

#include "wire/frame.h"

#include <stdlib.h>
#include <string.h>

#define QUEUE_LIMIT 8192

/* A test can't go on without memory. */
static void need(bool condition)
{
    if (!condition)
        abort();
}

void exchange_init(struct exchange *x, uint16_t group, uint16_t suite)
{
    struct fixed_rng rng;
    uint8_t seed[IDENTITY_SEED_LEN];

    memset(x, 0, sizeof(*x));
    x->client_policy =
        (struct handshake_policy){ .groups = { group }, .group_count = 1, .suites = { suite }, .suite_count = 1 };
    x->server_policy.group_count = DH_GROUP_COUNT;
    for (size_t i = 0; i < DH_GROUP_COUNT; i++)
        x->server_policy.groups[i] = dh_groups[i].id;
    x->server_policy.suite_count = SUITE_COUNT;
    for (size_t i = 0; i < SUITE_COUNT; i++)
        x->server_policy.suites[i] = suites[i].id;

    fixed_rng_init(&rng, "kdc identity");
    need(rng_fill(&rng.rng, seed, sizeof(seed)) == 0);
    x->identity = identity_from_seed(seed);
    need(x->identity != NULL);
    exchange_begin(x);
}

void exchange_client_groups(struct exchange *x, uint16_t first, uint16_t second)
{
    x->client_policy.groups[0] = first;
    x->client_policy.groups[1] = second;
    x->client_policy.group_count = 2;
}

static void known_ticket(uint8_t ticket[EXCHANGE_TICKET_LEN])
{
    struct fixed_rng rng;

    fixed_rng_init(&rng, "ticket");
    need(rng_fill(&rng.rng, ticket, EXCHANGE_TICKET_LEN) == 0);
}

static bool open_ticket(void *context, struct bytes ticket, uint8_t secret[KDF_SECRET_LEN])
{
    struct exchange *x = context;
    uint8_t known[EXCHANGE_TICKET_LEN];

    x->opens++;
    known_ticket(known);
    memcpy(secret, x->kdc_secret, KDF_SECRET_LEN); /* also when it isn't: the answer decides */
    return ticket.len == sizeof(known) && memcmp(ticket.data, known, sizeof(known)) == 0;
}

void exchange_tickets(struct exchange *x)
{
    struct fixed_rng rng;

    known_ticket(x->ticket);
    x->ticket_len = EXCHANGE_TICKET_LEN;
    fixed_rng_init(&rng, "ticket secret");
    need(rng_fill(&rng.rng, x->ticket_secret, sizeof(x->ticket_secret)) == 0);
    memcpy(x->kdc_secret, x->ticket_secret, sizeof(x->kdc_secret));
    x->kdc_opens = true;
}

void exchange_clear(struct exchange *x)
{
    handshake_client_free(&x->client);
    handshake_server_free(&x->server);
    identity_free(&x->identity);
    buffer_clear(&x->to_server);
    buffer_clear(&x->to_client);
}

int exchange_set_up(void **state)
{
    static struct exchange x;
    exchange_init(&x, GROUP, SUITE);
    *state = &x;
    return 0;
}

int exchange_tear_down(void **state)
{
    exchange_clear(*state);
    return 0;
}

void exchange_begin(struct exchange *x)
{
    handshake_client_free(&x->client);
    handshake_server_free(&x->server);
    buffer_clear(&x->to_server);
    buffer_clear(&x->to_client);
    buffer_init(&x->to_server, QUEUE_LIMIT);
    buffer_init(&x->to_client, QUEUE_LIMIT);
    x->tickets = (struct handshake_tickets){ .context = x, .open = open_ticket };
    fixed_rng_init(&x->client_rng, "alice");
    fixed_rng_init(&x->server_rng, "kdc for alice");
    x->client = handshake_client_new(&x->client_policy, &x->client_rng.rng);
    x->server =
        handshake_server_new(&x->server_policy, x->identity, x->kdc_opens ? &x->tickets : NULL, &x->server_rng.rng);
    need(x->client != NULL && x->server != NULL);
    if (x->ticket_len > 0)
        need(handshake_client_offer(x->client, (struct bytes){ .data = x->ticket, .len = x->ticket_len },
                                    x->ticket_secret) == 0);
    x->sent_count = 0;
    x->opens = 0;
    x->client_done = x->server_done = x->client_failed = x->server_failed = false;
    x->failure = (struct handshake_failure){ 0 };
    x->server_reason = REASON_NONE;
    memset(&x->client_keys, 0, sizeof(x->client_keys));
    memset(&x->server_keys, 0, sizeof(x->server_keys));
}

static void give_server(struct exchange *x, struct bytes frame)
{
    enum reason reason = REASON_NONE;

    switch (handshake_server_frame(x->server, frame, &x->to_client, &x->server_keys, &reason)) {
    case HANDSHAKE_SERVER_FAILED:
        if (!x->server_failed)
            x->server_reason = reason;
        x->server_failed = true;
        break;
    case HANDSHAKE_SERVER_RETRY:
        break;
    case HANDSHAKE_SERVER_COMPUTE:
        handshake_server_compute(x->server);
        x->server_reason = handshake_server_reply(x->server, &x->to_client);
        x->server_failed = x->server_reason != REASON_NONE;
        break;
    case HANDSHAKE_SERVER_DONE:
        x->server_done = true;
        break;
    }
}

static void give_client(struct exchange *x, struct bytes frame)
{
    struct handshake_failure failure;

    switch (handshake_client_frame(x->client, frame, &x->to_server, &failure)) {
    case HANDSHAKE_FAILED:
        if (!x->client_failed)
            x->failure = failure;
        x->client_failed = true;
        break;
    case HANDSHAKE_RETRIED:
        break;
    case HANDSHAKE_IDENTITY:
        x->client_done = handshake_client_finish(x->client, &x->to_server, &x->client_keys) == REASON_NONE;
        break;
    }
}

/* One frame from the front of a queue to the other side. */
static void pass(struct exchange *x, struct buffer *queue, bool from_client)
{
    struct exchange_frame frame = { .from_client = from_client };
    size_t index = x->sent_count;
    unsigned times = 1;

    need(frame_peek(buffer_data(queue), buffer_len(queue), FRAME_LEN_BEFORE_LOGIN, &frame.len) == FRAME_READY);
    need(frame.len <= sizeof(frame.bytes) && index < EXCHANGE_FRAMES_MAX);
    memcpy(frame.bytes, buffer_data(queue), frame.len);
    buffer_consume(queue, frame.len);
    x->sent[x->sent_count++] = frame;

    if (x->between != NULL)
        times = x->between(x->context, index, &frame);
    while (times-- > 0) {
        /* In memory of exactly its length, so that reading past its end is seen. */
        uint8_t *exact = malloc(frame.len > 0 ? frame.len : 1);
        need(exact != NULL);
        memcpy(exact, frame.bytes, frame.len);
        if (from_client)
            give_server(x, (struct bytes){ .data = exact, .len = frame.len });
        else
            give_client(x, (struct bytes){ .data = exact, .len = frame.len });
        free(exact);
    }
}

void exchange_run(struct exchange *x)
{
    if (handshake_client_start(x->client, &x->to_server) != REASON_NONE) {
        x->client_failed = true;
        x->failure.reason = REASON_INTERNAL;
    }
    for (;;) {
        if (buffer_len(&x->to_server) > 0)
            pass(x, &x->to_server, true);
        else if (buffer_len(&x->to_client) > 0)
            pass(x, &x->to_client, false);
        else
            break;
    }
}

struct bytes exchange_sent(const struct exchange *x, size_t index)
{
    return (struct bytes){ .data = x->sent[index].bytes, .len = x->sent[index].len };
}
