/*
 * admission.h: who gets in at the door: bounds on open connections, on those that haven't logged in, and on those of one
 * source; with random early drop, so that a flood of half-open connections leaves room for others.
 *
 * Past half of connections_before_login_max a newcomer is refused with a probability that rises from nothing to
 * certainty at the bound (as OpenSSH's MaxStartups). A source is an IPv4 address or an IPv6 /64.
 *
 * Thread: any.
 */
#ifndef KDC_ADMISSION_H
#define KDC_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct admission;

struct admission_limits {
    unsigned connections_max;
    unsigned before_login_max;
    unsigned per_source_max;
};

/* The budget that a connection draws on. */
struct admission_source {
    uint8_t family; /* 4, 6, or 0 for what has no address */
    uint8_t prefix[8];
};

enum admission_verdict {
    ADMISSION_IN = 0,
    ADMISSION_FULL,         /* connections_max */
    ADMISSION_BEFORE_LOGIN, /* before_login_max */
    ADMISSION_EARLY_DROP,
    ADMISSION_SOURCE, /* per_source_max */
    ADMISSION_NO_MEMORY,
    ADMISSION_VERDICT_COUNT,
};

/* NULL when memory or randomness is out. */
struct admission *admission_new(void) __attribute__((warn_unused_result));
void admission_free(struct admission **admission); /* sets to NULL */

struct admission_source admission_source_of(const struct sockaddr *address);
bool admission_source_equal(const struct admission_source *a, const struct admission_source *b);
/* For tables of sources. Who doesn't know the seed can't choose addresses that collide. */
uint64_t admission_source_hash(const struct admission_source *source, uint64_t seed);

/* A new connection. `dice` is a random number, for early drop. Only ADMISSION_IN counts it. */
enum admission_verdict admission_enter(struct admission *admission, const struct admission_limits *limits,
                                       const struct admission_source *source, uint32_t dice)
    __attribute__((warn_unused_result));
/* A connection that was let in has logged in: it doesn't weigh on its source any more. */
void admission_logged_in(struct admission *admission, const struct admission_source *source);
/* A connection that was let in has ended. */
void admission_leave(struct admission *admission, const struct admission_source *source, bool was_logged_in);

/* ADMISSION_FULL or ADMISSION_BEFORE_LOGIN while nobody is let in, by the limits that were given last; else ADMISSION_IN. */
enum admission_verdict admission_full(struct admission *admission);
unsigned admission_connections(struct admission *admission);
unsigned admission_before_login(struct admission *admission); /* of those */

/* "limits.connections" and so on, for logs; "connections" and so on, for figures. */
const char *admission_verdict_name(enum admission_verdict verdict);
const char *admission_verdict_word(enum admission_verdict verdict);

#endif
