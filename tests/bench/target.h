/*
 * target.h: the kdcd that is measured: one that runs already (--server), or one of our own on a scratch database (--spawn),
 * which tests/bench/scratch.py makes and ends when our end of its standard input is closed. And the bare relay, the same
 * way.
 */
#ifndef BENCH_TARGET_H
#define BENCH_TARGET_H

#include "tests/bench/options.h"

#include <netinet/in.h>
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
    pid_t child; /* 0: not ours */
    int child_input;
};

/* 0; -1 with a sentence. */
int target_start(struct target *target, const struct options *options, unsigned accounts, bool quick_logins,
                 char error[TARGET_ERROR_MAX]) __attribute__((warn_unused_result));
/* The bare relay: only address and pid are filled. */
int target_start_bare(struct target *target, const struct options *options, unsigned reactors,
                      char error[TARGET_ERROR_MAX]) __attribute__((warn_unused_result));
/* Ends what was started. */
void target_stop(struct target *target);

#endif
