/*
 * options.h: kdc-bench's command line.
 */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mode;

struct options {
    const struct mode *mode;
    bool json;
    bool limits; /* measure them too */
    /* Whom: */
    bool spawn;
    const char *scratch; /* the script that makes a scratch database and a kdcd */
    const char *server;  /* address:port */
    pid_t pid;           /* of the server; 0: its CPU and memory aren't measured */
    pid_t database_pid;
    const char *users; /* accounts are called this and a number */
    const char *password_file;
    bool registers; /* make the accounts */
    const char *server_cpus;
    const char *cpus;
    unsigned reactors; /* of a spawned kdcd and of the bare relay; 0: one for each core */
    unsigned workers;
    unsigned cost; /* bcrypt's, of a spawned kdcd */
    /* How: */
    const char *group;
    const char *suite;
    unsigned concurrency;
    unsigned pairs;
    unsigned window;
    unsigned size; /* bytes of text */
    double seconds;
    bool real;  /* --inner real */
    bool batch; /* a whole window in one write */
    unsigned count;
    unsigned sessions;
    bool prepared;
    unsigned rate;    /* strangers a second */
    unsigned sources; /* addresses that they come from */
};

/* Ends the program when the command line is wrong. */
struct options options_parse(int argc, char **argv);

#endif
