/*
 * target.h: the kdcd that is measured: one that runs already (--server), or one of our own on a scratch database (--spawn),
 * which tests/bench/scratch.py makes and ends when our end of its standard input is closed, and starts again when told so
 * there. And the bare relay, the same way.
 */
#ifndef BENCH_TARGET_H
#define BENCH_TARGET_H

#include "tests/bench/options.h"

#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#define TARGET_ERROR_MAX 512

struct target {
    struct sockaddr_storage address;
    socklen_t address_len;
    pid_t pid;          /* 0: unknown */
    pid_t database_pid; /* 0: unknown */
    char users[24];
    char password[73]; /* of all the accounts; of a scratch database, or of accounts made to measure with */
    unsigned reactors;
    unsigned workers;
    unsigned cores; /* of this machine */
    pid_t child;    /* 0: not ours */
    int child_input;
    FILE *child_output;
};

/* What a mode wants of a kdcd that is spawned for it. */
struct target_wish {
    unsigned accounts;
    bool quick_logins;
    bool default_limits;
};

/* 0; -1 with a sentence. */
int target_start(struct target *target, const struct options *options, const struct target_wish *wish,
                 char error[TARGET_ERROR_MAX]) __attribute__((warn_unused_result));
/* A spawned kdcd is told to end and begins to: 0, or -1. Then waits until it has started again at the same address: 0, and
 * how many seconds passed from its start until it accepted a connection; or -1 with a sentence. */
int target_restart_begin(const struct target *target) __attribute__((warn_unused_result));
int target_restart_end(struct target *target, double *accepts_s, char error[TARGET_ERROR_MAX])
    __attribute__((warn_unused_result));
/* The bare relay: only address and pid are filled. */
int target_start_bare(struct target *target, const struct options *options, unsigned reactors,
                      char error[TARGET_ERROR_MAX]) __attribute__((warn_unused_result));
/* Ends what was started. 0, or -1 when it didn't end in order. */
int target_stop(struct target *target);

#endif
