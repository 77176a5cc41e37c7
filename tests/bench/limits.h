/*
 * limits.h: what this machine's arithmetic allows, measured beside the server's work: bare calls, nothing around them.
 */
#ifndef BENCH_LIMITS_H
#define BENCH_LIMITS_H

#include "crypto/dh.h"
#include "crypto/suite.h"
#include "tests/bench/bench.h"

/* libxcrypt's crypt_rn with bcrypt at that cost, on so many threads at once. 0, or -1 without memory or threads. */
struct limits_bcrypt {
    double per_s;  /* all threads together */
    double cpu_ms; /* of one call */
};
int limits_bcrypt(unsigned cost, unsigned threads, double seconds, struct limits_bcrypt *limit)
    __attribute__((warn_unused_result));

/* CPU milliseconds of one call each, on so many threads at once: cores that share their units are slower together than one alone. */
struct limits_handshake {
    double powm_sec_ms;   /* mpz_powm_sec: any base, an exponent of the group's short length */
    double fixed_base_ms; /* a power of the generator from a table, the exponent drawn */
    double sign_ms;       /* Ed25519 */
    double verify_ms;     /* ... which the client does instead */
};
/* What the KDC can't do without. */
double limits_handshake_server_ms(const struct limits_handshake *limit);
double limits_handshake_client_ms(const struct limits_handshake *limit);
/* Measures and puts them into report["limit"], and the ratio of the server's CPU for one handshake to them. */
void limits_report_handshake(struct bench *bench, double server_cpu_ms);
/* 0, or -1 without memory or threads. */
int limits_handshake(const struct dh_group *group, unsigned threads, struct limits_handshake *limit)
    __attribute__((warn_unused_result));

/* CPU microseconds for opening and sealing `len` bytes. 0 when memory is out. */
double limits_aead_us(const struct suite *suite, size_t len);

#endif
