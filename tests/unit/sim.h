/*
 * sim.h: a whole small world in one process and under one virtual clock: people with their clients (client/core), and a KDC with
 * two reactors, its accounts in memory, and a network between them that can be slow, cut, or deaf.
 *
 * The KDC is the real one, down to its sockets: server.c, reactor.c, connection*.c and all behind them. The linker (--wrap)
 * puts a stand-in below: instead of libevent, sockets, threads and clocks there is a scheduler that decides by a seed what
 * happens next: how many bytes arrive where, which worker's job is done, which reactor wakes up, whether time goes by. So every
 * schedule can be replayed from its seed. See the Makefile for what is wrapped.
 *
 * Everything is checked all the time (sim_check.c): what is wrong first is kept, sim_failure tells.
 *
 * One world at a time. Thread: one.
 */
#ifndef TESTS_UNIT_SIM_H
#define TESTS_UNIT_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sim_person { SIM_ALICE, SIM_BOB, SIM_CAROL, SIM_PEOPLE };

/* Running clients: one of each person, and second ones of Alice and Bob. */
enum sim_device_index { ALICE, BOB, CAROL, ALICE_2, BOB_2, SIM_DEVICES };

struct sim;

struct sim_options {
    uint64_t seed;
    bool trace;               /* every event, to stderr */
    bool no_accounts;         /* people register instead of logging in */
    unsigned pipe;            /* bytes that a socket holds; 0: the seed decides */
    unsigned output_max;      /* of the KDC's configuration; 0: the seed decides */
    unsigned rekey_messages;  /* likewise */
    unsigned ticket_lifetime; /* likewise */
    /* May do something to somebody (but stop the KDC, or let time pass) in the middle of what the KDC's threads do. NULL: nothing. */
    void (*meanwhile)(void *context);
    void *context;
    bool in_turn; /* the KDC's threads run one after the other; otherwise the seed decides whether they do */
};

/* NULL when memory is out. */
struct sim *sim_new(const struct sim_options *options);
/* Everybody leaves, the KDC stops, and nothing may be left; what was is a failure. Copies the first failure, or "", to `failure`
 * (may be NULL). */
#define SIM_FAILURE_MAX 512
void sim_free(struct sim **sim, char failure[SIM_FAILURE_MAX]);

/* "" while all is well. */
const char *sim_failure(const struct sim *sim);

/* ---- what people and their machines do ---- */
void sim_come(struct sim *sim, unsigned device);  /* wants to be in from now on, and comes back by itself */
void sim_leave(struct sim *sim, unsigned device); /* in an orderly way */
void sim_send(struct sim *sim, unsigned device, enum sim_person to, size_t len); /* a text, of about that length */
void sim_open(struct sim *sim, unsigned device, enum sim_person peer);           /* /to and /rekey */
void sim_ask(struct sim *sim, unsigned device, enum sim_person about);           /* /list and /who */

/* ---- what happens to them ---- */
void sim_cut(struct sim *sim, unsigned device, bool noticed); /* the connection; noticed: both ends know at
                                                                 * once, else by chance or by pings */
void sim_stall(struct sim *sim, unsigned device, bool on);    /* the client doesn't read */
void sim_kick(struct sim *sim, enum sim_person person);
void sim_restart(struct sim *sim, bool orderly); /* the KDC; it is back a little later */
void sim_database(struct sim *sim, bool available);
void sim_database_hiccup(struct sim *sim); /* one call fails */
void sim_busy(struct sim *sim, bool on);   /* the queues of the workers and the journal are full */
/* Locks it, as an operator does: the session ends. Nothing happens without the database. */
void sim_lock_account(struct sim *sim, enum sim_person person, bool on);

/* ---- going on ---- */
/* One event of those that may be next, in a world where anything may be slow. False once something was wrong. */
bool sim_step(struct sim *sim);
/* Until nothing is going on any more but time: everything that is possible happens, and time passes only when nothing else
 * does. False when something is wrong; also when the world doesn't become calm. */
bool sim_settle(struct sim *sim);
/* Time goes by, and what is due happens, with nothing else done to anybody. */
bool sim_wait(struct sim *sim, uint64_t ms);
/* Everything is healed, each of those who took part comes in with each of their clients in turn, and all is checked that must
 * be so in a calm world. */
bool sim_calm_down(struct sim *sim);

/* ---- what one may see ---- */
bool sim_is_in(const struct sim *sim, unsigned device);
size_t sim_undelivered(const struct sim *sim, unsigned device);
size_t sim_shown(const struct sim *sim, unsigned device, unsigned from);          /* texts from that client */
uint32_t sim_epoch(const struct sim *sim, unsigned device, enum sim_person peer); /* the newest; 0: none yet */
uint64_t sim_conversation(const struct sim *sim, unsigned device, enum sim_person peer);
unsigned sim_times_in(const struct sim *sim, unsigned device); /* logins, and coming back by ticket */
unsigned sim_tickets_taken(const struct sim *sim);             /* in handshakes, of all clients */
unsigned sim_resumed(const struct sim *sim);                   /* of all clients, those that were by ticket */
unsigned sim_refused(const struct sim *sim, unsigned device, int reason);
int sim_last_error(const struct sim *sim, unsigned device); /* why the last connection ended */
unsigned sim_seat(const struct sim *sim,
                  enum sim_person person); /* the reactor of the KDC's that has them, who are in */
unsigned sim_moved(const struct sim *sim); /* connections, from one reactor to another */
bool sim_told_online(const struct sim *sim, unsigned device, enum sim_person peer);
bool sim_told_offline(const struct sim *sim, unsigned device, enum sim_person peer);
size_t sim_answers(const struct sim *sim, unsigned device); /* to sim_ask, and refusals of it */
size_t sim_events(const struct sim *sim);                   /* that the scheduler chose */
uint64_t sim_now(const struct sim *sim);                    /* virtual milliseconds */
struct sim_dice *sim_dice(struct sim *sim);
/* What this process has really used of a processor, in milliseconds: all other clocks are the world's. */
uint64_t sim_cpu_ms(void);

#endif
