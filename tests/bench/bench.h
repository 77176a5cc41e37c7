/*
 * bench.h: what a mode of kdc-bench gets and gives.
 *
 * A mode measures the target, then (unless --no-limits) what the machine allows for the same work, and leaves both in
 * bench->report. A fault of any kind makes the run's figures worthless: the program then exits with 1.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include "tests/bench/options.h"
#include "tests/bench/target.h"

#include <jansson.h>

struct faults {
    uint64_t errors;
    uint64_t lost;
    uint64_t doubled;
    uint64_t out_of_order;
    char first[256]; /* the first error in words */
};

void fault(struct faults *faults, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool faults_any(const struct faults *faults);

struct bench {
    const struct options *options;
    struct target target;
    struct faults faults;
    json_t *report; /* an object: "result", "limit", "ratio" */
};

struct mode {
    const char *name;
    const char *what;         /* one line for --help */
    bool logins_are_measured; /* a spawned kdcd then computes bcrypt at its full cost */
    bool default_limits;      /* ... and has the limits that it has by default, not such as let everything in */
    unsigned (*accounts)(const struct options *options);
    void (*run)(struct bench *bench);
};

/* One for each mode_*.c. */
extern const struct mode mode_handshake, mode_login, mode_resume, mode_keys, mode_pingpong, mode_relay, mode_idle,
    mode_storm, mode_overload, mode_churn, mode_restart;

/* Sets report[section][key]; takes the value over. */
void bench_put(struct bench *bench, const char *section, const char *key, json_t *value);
void bench_number(struct bench *bench, const char *section, const char *key, double value);
/* ratio[key] = a / b, when b is there. */
void bench_ratio(struct bench *bench, const char *key, double a, double b);

#endif
