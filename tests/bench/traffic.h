/*
 * traffic.h: pairs of sessions that talk: conversations with real keys (--inner real: sealed and opened under the conversation
 * key at both ends) or with ready ciphertext of the same size (--inner opaque); at the bare relay the same bytes as plain
 * frames. Every message bears its number and is checked where it arrives.
 */
#ifndef BENCH_TRAFFIC_H
#define BENCH_TRAFFIC_H

#include "tests/bench/latency.h"
#include "tests/bench/measure.h"
#include "tests/bench/pool.h"
#include "wire/epoch.h"

struct pair;

/* One direction of a pair. */
struct way {
    struct pair *pair;
    struct bench_session *from;
    struct epoch *sending;   /* --inner real: `from`'s end of the conversation */
    struct epoch *receiving; /* ... and the other's */
    uint64_t sent;           /* messages; the next one's number */
    uint64_t received;
    uint64_t expected;
    uint64_t held;     /* bytes of ciphertext messages that the KDC hasn't given credit for */
    uint64_t *sent_at; /* a ring: when the messages under way were sent */
};

struct pair {
    struct traffic *traffic;
    struct bench_session a;
    struct bench_session b;
    struct way forth; /* a to b */
    struct way back;
    uint64_t conversation;
    uint32_t epoch;
    unsigned grants;  /* of the two */
    uint8_t *plain;   /* opaque and bare: the next message */
    uint8_t *payload; /* in it: the number, then what must arrive unchanged */
    size_t plain_len;
    size_t payload_len;
};

struct traffic {
    struct pool pool;
    struct bench *bench;
    struct pair *pairs;
    size_t pair_count;
    struct bench_session **order; /* both of all pairs, as they connect */
    size_t ring;                  /* messages under way in one direction, at most */
    char *text;
    size_t granted;
    struct latency *latency; /* NULL: not measured now */
    uint64_t delivered;
    void (*arrived)(struct way *way); /* a message, in order and whole */
    void (*room)(struct way *way);    /* may be NULL: credit has come; it may send again */
};

/* Pairs that are logged in and have their conversation. NULL after a fault. `target`: bench->target or a bare relay. */
struct traffic *traffic_new(struct bench *bench, const struct target *target, bool bare, size_t pairs, size_t ring)
    __attribute__((warn_unused_result));
void traffic_free(struct traffic **traffic);

/* Whether it may send: less than a conversation's window of bytes is under way. */
bool way_has_room(const struct way *way);
/* The next message of this direction: added to what `from` has to send. A fault when there is no room for it. */
void way_add(struct way *way);

/* Waits until all that was sent has arrived. What hasn't in a few seconds is lost. `arrived` and `room` are told meanwhile. */
void traffic_drain(struct traffic *traffic);

/* What stretches of traffic gave, added up. */
struct outcome {
    struct spent spent;
    uint64_t delivered; /* counted where they arrive */
    struct latency latency;
};

#endif
