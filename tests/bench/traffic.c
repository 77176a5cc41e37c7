#include "tests/bench/traffic.h"

#include "wire/message.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define LOGIN_CONCURRENCY 32
#define SECONDS_EACH 0.5 /* that a login may take at most, however slow its bcrypt */
#define OPEN_SECONDS 30
#define OPAQUE_MIN 16 /* room for a number, and something behind it */
#define CIPHERTEXT_HEADER 21
#define WINDOW_BYTES 32768 /* under way in one direction of a conversation (protocol, section 6.2) */
#define DRAIN_SECONDS 3

/* ---- sending ---- */

static void put_u64(uint8_t *at, uint64_t value)
{
    value = htobe64(value);
    memcpy(at, &value, sizeof value);
}

static uint64_t get_u64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return be64toh(value);
}

bool way_has_room(const struct way *way)
{
    /* A bare relay gives no credit: there, what hasn't arrived is under way. */
    return (way->pair->traffic->pool.bare ? (way->sent - way->received) * way->pair->plain_len : way->held) <
           WINDOW_BYTES;
}

static void add_real(struct way *way)
{
    uint8_t room[MESSAGE_SEALED_MAX];
    struct message m = { .type = MESSAGE_CIPHERTEXT };
    const struct traffic *traffic = way->pair->traffic;
    const struct content content = { .kind = CONTENT_TEXT,
                                     .instance = 1,
                                     .number = way->sent + 1,
                                     .text = { (const uint8_t *)traffic->text, traffic->bench->options->size } };
    if (epoch_seal(way->sending, &content, room, &m.ciphertext) != 0) {
        session_fault(way->from, "sealing", "a text");
        return;
    }
    way->held += CIPHERTEXT_HEADER + m.ciphertext.sealed.len;
    session_add(way->from, &m);
}

static void add_ready(struct way *way)
{
    struct pair *pair = way->pair;
    put_u64(pair->payload, way->sent);
    put_u64(pair->plain + CIPHERTEXT_HEADER - sizeof(uint64_t), way->sent);
    way->held += pair->plain_len;
    session_add_plain(way->from, (struct bytes){ pair->plain, pair->plain_len });
}

void way_add(struct way *way)
{
    const struct traffic *traffic = way->pair->traffic;
    if (!way_has_room(way)) {
        session_fault(way->from, "sending", "there is no credit for what has long arrived");
        return;
    }
    way->sent_at[way->sent % traffic->ring] = clock_ns();
    if (traffic->bench->options->real && !traffic->pool.bare) {
        add_real(way);
    } else {
        add_ready(way);
    }
    way->sent++;
}

/* ---- arriving ---- */

static void judge_number(struct way *way, uint64_t number)
{
    struct traffic *traffic = way->pair->traffic;
    way->received++;
    if (number != way->expected) {
        if (number < way->expected) {
            traffic->bench->faults.doubled++;
        } else {
            traffic->bench->faults.out_of_order++;
            way->expected = number + 1;
        }
        return;
    }
    way->expected++;
    traffic->delivered++;
    if (traffic->latency != NULL) {
        latency_add(traffic->latency, clock_ns() - way->sent_at[number % traffic->ring]);
    }
    traffic->arrived(way);
}

static struct way *way_to(struct bench_session *s)
{
    struct pair *pair = s->context;
    return s == &pair->b ? &pair->forth : &pair->back;
}

static void take_ready(struct bench_session *s, struct bytes payload)
{
    const struct pair *pair = s->context;
    if (payload.len != pair->payload_len || memcmp(payload.data + sizeof(uint64_t), pair->payload + sizeof(uint64_t),
                                                   payload.len - sizeof(uint64_t)) != 0) {
        session_fault(s, "a message", "it isn't what was sent");
        return;
    }
    judge_number(way_to(s), get_u64(payload.data));
}

static void take_real(struct bench_session *s, const struct message_ciphertext *m)
{
    uint8_t plain[MESSAGE_SEALED_MAX];
    struct content content;
    const struct traffic *traffic = ((const struct pair *)s->context)->traffic;
    if (epoch_open(way_to(s)->receiving, m, plain, &content) != 0) {
        session_fault(s, "a message", "it doesn't open");
        return;
    }
    if (content.kind != CONTENT_TEXT) {
        return; /* the other's confirm */
    }
    if (content.text.len != traffic->bench->options->size ||
        memcmp(content.text.data, traffic->text, content.text.len) != 0) {
        session_fault(s, "a message", "it isn't what was sent");
        return;
    }
    judge_number(way_to(s), content.number - 1);
}

static void take_grant(struct bench_session *s, const struct message_grant *grant);

static void take_credit(struct bench_session *s, const struct message_credit *credit)
{
    struct pair *pair = s->context;
    struct way *way = s == &pair->a ? &pair->forth : &pair->back;
    if (credit->conversation != pair->conversation || credit->bytes > way->held) {
        session_fault(s, "credit", "for what wasn't sent");
        return;
    }
    way->held -= credit->bytes;
    if (pair->traffic->room != NULL) {
        pair->traffic->room(way);
    }
}

static void on_message(struct bench_session *s, const struct message *m)
{
    const struct pair *pair = s->context;
    if (m->type == MESSAGE_GRANT) {
        take_grant(s, &m->grant);
    } else if (m->type == MESSAGE_CREDIT) {
        take_credit(s, &m->credit);
    } else if (m->type != MESSAGE_CIPHERTEXT || m->ciphertext.conversation != pair->conversation) {
        session_fault(s, "a message that isn't expected", message_type_name(m->type));
    } else if (pair->traffic->bench->options->real) {
        take_real(s, &m->ciphertext);
    } else {
        take_ready(s, m->ciphertext.sealed);
    }
}

/* ---- conversations ---- */

/* The message that is sent again and again, but for its numbers. */
static int make_ready(struct pair *pair, const struct suite *suite, size_t tag_len)
{
    const size_t content = 1 + 2 * sizeof(uint64_t) + pair->traffic->bench->options->size;
    const size_t sealed = suite_sealed_len(suite, content);
    struct writer w;
    /* At the bare relay the record's tag is just more bytes. */
    pair->payload_len = sealed + tag_len;
    pair->plain_len = CIPHERTEXT_HEADER + pair->payload_len;
    pair->plain = malloc(pair->plain_len);
    if (pair->plain == NULL || pair->payload_len < OPAQUE_MIN) {
        return -1;
    }
    pair->payload = pair->plain + CIPHERTEXT_HEADER;
    writer_init(&w, pair->plain, pair->plain_len);
    writer_u8(&w, MESSAGE_CIPHERTEXT);
    writer_u64(&w, pair->conversation);
    writer_u32(&w, pair->epoch);
    writer_u64(&w, 0);
    return writer_end(&w) == 0 ? rng_fill(&rng_system, pair->payload, pair->payload_len) : -1;
}

/* As a client does: the first message of an epoch tells that it was taken. */
static int take_epoch(struct bench_session *s, const struct message_grant *grant)
{
    struct pair *pair = s->context;
    struct way *out = s == &pair->a ? &pair->forth : &pair->back;
    struct way *in = way_to(s);
    uint8_t room[MESSAGE_SEALED_MAX];
    const struct content confirm = { .kind = CONTENT_CONFIRM };
    struct message m = { .type = MESSAGE_CIPHERTEXT };
    out->sending = epoch_new(grant, &s->name);
    if (out->sending == NULL || epoch_seal(out->sending, &confirm, room, &m.ciphertext) != 0) {
        return -1;
    }
    in->receiving = out->sending; /* one object holds this side's both chains */
    out->held += CIPHERTEXT_HEADER + m.ciphertext.sealed.len;
    session_add(s, &m);
    session_send(s);
    return 0;
}

static void take_grant(struct bench_session *s, const struct message_grant *grant)
{
    struct pair *pair = s->context;
    pair->conversation = grant->conversation;
    pair->epoch = grant->epoch;
    if (pair->traffic->bench->options->real) {
        if (take_epoch(s, grant) != 0) {
            session_fault(s, "a grant", "it makes no sense");
        }
    } else if (pair->plain == NULL && make_ready(pair, suite_by_id(grant->suite), 0) != 0) {
        session_fault(s, "a grant", "memory is out");
    }
    pair->traffic->granted++;
}

static void on_frame(struct bench_session *s, struct bytes frame)
{
    if (frame.len < CIPHERTEXT_HEADER + OPAQUE_MIN) {
        session_fault(s, "a message", "it isn't what was sent");
        return;
    }
    take_ready(s, (struct bytes){ frame.data + CIPHERTEXT_HEADER, frame.len - CIPHERTEXT_HEADER });
}

static void on_session(struct bench_session *s)
{
    (void)s;
}

static bool all_granted(const void *context)
{
    const struct traffic *traffic = context;
    return traffic->granted == 2 * traffic->pair_count || faults_any(&traffic->bench->faults);
}

static int open_all(struct traffic *traffic)
{
    for (size_t i = 0; i < traffic->pair_count; i++) {
        struct pair *pair = &traffic->pairs[i];
        if (traffic->pool.bare) {
            if (make_ready(pair, suite_by_id(SUITE_3DES_CBC_HMAC_SHA512),
                           suite_by_id(traffic->pool.policy.suites[0])->tag_len) != 0) {
                return -1;
            }
        } else {
            session_add(&pair->a,
                        &(struct message){ .type = MESSAGE_OPEN, .open = { .request = 1, .peer = pair->b.name } });
            session_send(&pair->a);
        }
    }
    if (!traffic->pool.bare &&
        !pool_run(&traffic->pool, clock_ns() + OPEN_SECONDS * UINT64_C(1000000000), all_granted, traffic)) {
        fault(&traffic->bench->faults, "not all conversations were opened");
    }
    return faults_any(&traffic->bench->faults) ? -1 : 0;
}

/* ---- the end of a stretch ---- */

static bool all_arrived(const void *context)
{
    const struct traffic *traffic = context;
    for (size_t i = 0; i < traffic->pair_count; i++) {
        const struct pair *pair = &traffic->pairs[i];
        if (pair->forth.received < pair->forth.sent || pair->back.received < pair->back.sent) {
            return faults_any(&traffic->bench->faults);
        }
    }
    return true;
}

static uint64_t missing(const struct way *way)
{
    return way->expected < way->sent ? way->sent - way->expected : 0;
}

void traffic_drain(struct traffic *traffic)
{
    (void)!pool_run(&traffic->pool, clock_ns() + DRAIN_SECONDS * UINT64_C(1000000000), all_arrived, traffic);
    for (size_t i = 0; i < traffic->pair_count; i++) {
        traffic->bench->faults.lost += missing(&traffic->pairs[i].forth) + missing(&traffic->pairs[i].back);
    }
}

/* ---- its life ---- */

/* Pair by pair. kdcd deals its connections out in turns: with two reactors every pair begins apart. */
static void set_order(struct traffic *traffic)
{
    for (size_t i = 0; i < traffic->pair_count; i++) {
        traffic->order[2 * i] = &traffic->pairs[i].a;
        traffic->order[2 * i + 1] = &traffic->pairs[i].b;
    }
}

static void init_way(struct way *way, struct pair *pair, struct bench_session *from)
{
    way->pair = pair;
    way->from = from;
    way->sent_at = calloc(pair->traffic->ring, sizeof *way->sent_at);
    if (way->sent_at == NULL) {
        fault(&pair->traffic->bench->faults, "memory is out");
    }
}

static int init_pairs(struct traffic *traffic)
{
    const unsigned size = traffic->bench->options->size;
    traffic->pairs = calloc(traffic->pair_count, sizeof *traffic->pairs);
    traffic->order = calloc(2 * traffic->pair_count, sizeof(struct bench_session *));
    traffic->text = malloc(size);
    if (traffic->pairs == NULL || traffic->order == NULL || traffic->text == NULL) {
        fault(&traffic->bench->faults, "memory is out");
        return -1;
    }
    memset(traffic->text, 'x', size);
    for (uint32_t i = 0; i < traffic->pair_count; i++) {
        struct pair *pair = &traffic->pairs[i];
        pair->traffic = traffic;
        session_init(&pair->a, &traffic->pool, 2 * i);
        session_init(&pair->b, &traffic->pool, 2 * i + 1);
        pair->a.context = pair;
        pair->b.context = pair;
        init_way(&pair->forth, pair, &pair->a);
        init_way(&pair->back, pair, &pair->b);
    }
    set_order(traffic);
    return faults_any(&traffic->bench->faults) ? -1 : 0;
}

struct traffic *traffic_new(struct bench *bench, const struct target *target, bool bare, size_t pairs, size_t ring)
{
    static const struct pool_handler handler = {
        .secured = on_session, .up = on_session, .message = on_message, .frame = on_frame, .closed = on_session
    };
    struct traffic *traffic = calloc(1, sizeof *traffic);
    if (traffic == NULL || pool_init(&traffic->pool, bench, target, bare) != 0) {
        free(traffic);
        return NULL;
    }
    traffic->bench = bench;
    traffic->pair_count = pairs;
    traffic->ring = ring;
    if (init_pairs(traffic) != 0 || pool_bring_up(&traffic->pool, traffic->order, 2 * pairs, LOGIN_CONCURRENCY,
                                                  10 + SECONDS_EACH * 2 * (double)pairs, SESSION_UP) != 0) {
        traffic_free(&traffic);
        return NULL;
    }
    traffic->pool.handler = &handler;
    if (open_all(traffic) != 0) {
        traffic_free(&traffic);
    }
    return traffic;
}

void traffic_free(struct traffic **traffic)
{
    struct traffic *t = *traffic;
    if (t == NULL) {
        return;
    }
    if (t->pairs != NULL && t->order != NULL) {
        pool_bring_down(&t->pool, t->order, 2 * t->pair_count);
    }
    for (size_t i = 0; t->pairs != NULL && i < t->pair_count; i++) {
        epoch_free(&t->pairs[i].forth.sending);
        epoch_free(&t->pairs[i].back.sending);
        free(t->pairs[i].forth.sent_at);
        free(t->pairs[i].back.sent_at);
        free(t->pairs[i].plain);
    }
    pool_clear(&t->pool);
    free(t->pairs);
    free(t->order);
    free(t->text);
    free(t);
    *traffic = NULL;
}
