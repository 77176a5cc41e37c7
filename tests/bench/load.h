/*
 * load.h: more than a KDC can do: strangers from many addresses who connect and say nothing, who begin handshakes and don't
 * end them, and who log in; so many a second, whatever becomes of those before. A thread of its own, so that what it
 * computes doesn't delay the one that measures.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "tests/bench/crowd.h"
#include "tests/bench/latency.h"

#include <pthread.h>
#include <stdatomic.h>

enum load_kind {
    LOAD_SILENT = 0,   /* connects */
    LOAD_HALF = 1,     /* sends a hello, takes the answer, and stays */
    LOAD_LOGIN = 2,    /* handshake and login, then leaves */
    LOAD_NEWCOMER = 3, /* the same, from the address that nobody else of these comes from */
    LOAD_KINDS = 4,
};

/* What became of one kind. */
struct load_tally {
    uint64_t begun;
    uint64_t served;  /* the hello answered, the login welcomed */
    uint64_t busy;    /* told so */
    uint64_t word;    /* ended with another word: a deadline, mostly */
    uint64_t no_word; /* ended without one */
    struct latency served_after;
    struct latency refused_after; /* busy: from the first packet on */
};

struct load {
    struct bench *bench;
    struct bench own; /* the thread's own faults */
    struct crowd crowd;
    struct load_client *clients;
    uint8_t hello[2048]; /* one that all of LOAD_HALF send */
    size_t hello_len;
    size_t free_count;
    size_t *free;     /* indices of clients that are down */
    uint64_t crowded; /* couldn't begin: all of ours are in use */
    unsigned sources;
    atomic_bool stop;
    pthread_t thread;
    struct load_tally tallies[LOAD_KINDS];
};

/* Accounts that it logs in to, from number `first` on. */
#define LOAD_ACCOUNTS 64

/* 0, or -1 after a fault; load_free must follow either way. */
int load_init(struct load *load, struct bench *bench, uint32_t first) __attribute__((warn_unused_result));
void load_free(struct load *load);

/* Begins, and ends: by then all its connections are gone. */
int load_begin(struct load *load) __attribute__((warn_unused_result));
void load_end(struct load *load);

/* report["result"]["load"]. */
void load_report(struct load *load, double seconds);

#endif
