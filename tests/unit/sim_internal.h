/*
 * sim_internal.h: what the simulation's files share. Private to sim*.c.
 */
#ifndef TESTS_UNIT_SIM_INTERNAL_H
#define TESTS_UNIT_SIM_INTERNAL_H

#include "client/core.h"
#include "kdc/config.h"
#include "kdc/worker_pool.h"
#include "tests/unit/sim.h"
#include "tests/unit/sim_accounts.h"
#include "tests/unit/sim_memo.h"

#include <time.h>

#define SIM_START_MS UINT64_C(1000000)
#define SIM_TODAY_MS UINT64_C(1795000000000) /* in the year 2026 */
#define SIM_WIRES 64
#define SIM_JOBS 64
#define SIM_REACTORS 2
#define SIM_TEXTS_MAX 1024 /* from one client to one person */
#define SIM_TURN_MAX 4
#define SIM_ALONE 1000 /* added to sim_kdc.inside: nothing happens in between */
#define SIM_FD 100000  /* the first of the sockets that there aren't */
#define SIM_NEVER UINT64_MAX
#define SIM_MARK "readable" /* in every text and every password, and never on the wire */

struct event;
struct job;

/* A TCP connection. */
struct sim_wire {
    bool used;
    unsigned device;
    struct buffer up; /* client to KDC: on its way */
    struct buffer down;
    bool up_end; /* the end of input, behind what is on its way */
    bool down_end;
    bool cut; /* nothing passes any more */
    bool device_knows;
    bool kdc_knows;
    bool device_gone; /* that side has closed its socket */
    bool kdc_gone;
    size_t readable; /* bytes that the KDC's next recv may give */
    struct event *read_event;
    struct event *write_event;
    struct sim_rng rng; /* the KDC's, for this connection */
};

/* CAME: without a conversation the KDC promises to tell that somebody comes, but not that they go. */
enum sim_told { TOLD_NOTHING, TOLD_OFFLINE, TOLD_CAME, TOLD_ONLINE };

struct sim_device {
    struct sim *sim;
    unsigned index;
    enum sim_person person;
    bool used; /* takes part */
    struct core *core;
    struct sim_rng rng;
    struct sim_wire *wire;
    bool wants;
    bool makes_account;
    bool needs_login;
    bool stalled;
    uint64_t login_at; /* types the password again */
    uint64_t connect_at;
    uint64_t deadline; /* of connecting and logging in */
    unsigned failures;
    unsigned connections;
    unsigned times_in;
    int last_error;
    unsigned refused[REASON_COUNT];
    size_t answers;
    size_t asked;
    /* By person. */
    uint64_t sent[SIM_PEOPLE];
    uint64_t delivered[SIM_PEOPLE];
    uint64_t discarded_set[SIM_PEOPLE][SIM_TEXTS_MAX / 64]; /* because that person's account was locked */
    uint32_t epoch[SIM_PEOPLE];
    uint64_t conversation[SIM_PEOPLE];
    enum sim_told told[SIM_PEOPLE];
    /* By client: what was shown of it. */
    uint64_t last_shown[SIM_DEVICES];
    size_t shown[SIM_DEVICES];
    uint64_t shown_set[SIM_DEVICES][SIM_TEXTS_MAX / 64];
};

struct sim_job {
    struct job *job;
    bool runs;
    bool ran;
};

struct sim_thread {
    void *(*run)(void *);
    void *argument;
    bool ended;
    bool turns; /* in the middle of one */
};

/* The KDC, and what the stand-ins for threads and libevent know of it. */
struct sim_kdc {
    struct server *server; /* NULL: down */
    uint64_t start_at;
    struct config config;
    struct worker_pool_options pool;
    bool busy;
    struct sim_job jobs[SIM_JOBS];
    size_t job_count;
    bool journal_writes; /* in the middle of a round */
    struct sim_thread threads[SIM_REACTORS];
    size_t thread_count;
    struct event *wake[SIM_REACTORS];
    struct event *tick[SIM_REACTORS];
    size_t timers; /* made so far: the first event without a descriptor is reactor 0's */
    size_t wakes;
    struct event *turn[SIM_TURN_MAX]; /* what the next turn is about */
    size_t turn_count;                /* 0: it is over */
    unsigned inside;                  /* turns and jobs that are in the middle of something */
    struct sim_rng keys;              /* what conversation keys are made of */
    unsigned tickets_taken;           /* in handshakes */
    unsigned resumed;                 /* sessions that came by ticket */
    struct sim_rng source;            /* what the KDC draws from: instead of it, keys or a connection's */
};

struct sim {
    struct sim_options options;
    struct sim_dice dice;
    uint64_t now;
    size_t events;
    size_t pipe;
    bool in_turn; /* see struct sim_options */
    bool calm;
    bool bounded; /* time may not pass `until` */
    uint64_t until;
    struct sim_accounts accounts;
    struct sim_kdc kdc;
    struct sim_wire wires[SIM_WIRES];
    struct sim_device devices[SIM_DEVICES];
    bool locked[SIM_PEOPLE];
    uint64_t session_before[SIM_PEOPLE]; /* that was being ended when the account was locked; 0: none */
    long allocated_before;
    size_t secret_before;
    char failure[SIM_FAILURE_MAX];
};

extern const char *const sim_names[SIM_PEOPLE];
extern const char *const sim_device_names[SIM_DEVICES];

void sim_fail(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_trace(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* sim.c: the network. */
struct sim_wire *sim_wire_new(struct sim *sim, unsigned device);
struct sim_wire *sim_wire_of_fd(struct sim *sim, int fd);
/* Puts bytes on their way; they vanish when nobody is there. */
void sim_wire_put(struct sim *sim, struct sim_wire *wire, struct buffer *pipe, const void *data, size_t len);
void sim_wire_drop(struct sim_wire *wire); /* once both ends have closed */

/* sim_standins.c */
void sim_standins_for(struct sim *sim); /* the world that they belong to; NULL: none any more */
bool sim_event_added(const struct event *event);

/* sim_kdc.c */
void sim_kdc_handle(struct sim *sim, struct event *const *events, size_t count);
int sim_kdc_start(struct sim *sim);
void sim_kdc_stop(struct sim *sim, bool orderly);
bool sim_kdc_accept(struct sim *sim, struct sim_wire *wire);
bool sim_kdc_readable(const struct sim *sim, const struct sim_wire *wire);
bool sim_kdc_writable(const struct sim *sim, const struct sim_wire *wire);
void sim_kdc_read(struct sim *sim, struct sim_wire *wire, size_t len);
void sim_kdc_write(struct sim *sim, struct sim_wire *wire);
bool sim_kdc_has_mail(const struct sim *sim, unsigned reactor);
bool sim_kdc_turns(const struct sim *sim, unsigned reactor);
void sim_kdc_wake(struct sim *sim, unsigned reactor);
uint64_t sim_kdc_due(const struct sim *sim, unsigned reactor);
void sim_kdc_tick(struct sim *sim, unsigned reactor);
void sim_kdc_run_job(struct sim *sim, size_t index);
void sim_kdc_deliver_job(struct sim *sim, size_t index);
bool sim_kdc_has_entries(const struct sim *sim); /* for the journal */
void sim_kdc_write_journal(struct sim *sim);
void sim_kdc_refresh(struct sim *sim); /* accounts have changed */
size_t sim_kdc_online(const struct sim *sim);
bool sim_kdc_knows(const struct sim *sim, enum sim_person person);
void sim_kdc_kick(struct sim *sim, enum sim_person person);
/* As whoever locks or unlocks an account does: makes it known, then ends the session. */
void sim_kdc_account_changed(struct sim *sim, enum sim_person person, const struct store_user *user);
/* Nobody is in whose account was locked before. */
void sim_kdc_check_locked(struct sim *sim);
void sim_kdc_pass_time(struct sim *sim);
void sim_kdc_check(struct sim *sim); /* once it is calm */

/* sim_schedule.c: something else happens in between, on another thread, now and then. */
void sim_meanwhile(struct sim *sim);

/* sim_device.c */
int sim_device_init(struct sim *sim, unsigned index);
void sim_device_pump(struct sim_device *device); /* core to wire */
void sim_device_read(struct sim_device *device, size_t len);
void sim_device_lost(struct sim_device *device, int error);
void sim_device_tick(struct sim_device *device);
void sim_device_connect(struct sim_device *device);
void sim_device_login(struct sim_device *device);
/* The nearest thing that it waits for. */
uint64_t sim_device_due(const struct sim_device *device);

/* sim_check.c */
void sim_check_event(struct sim_device *device, const struct kc_event *event);
void sim_check_device(const struct sim_device *device);
void sim_check_calm(struct sim *sim);
bool sim_mark_in(const void *data, size_t len);
/* Bytes of that conversation (all: of all) that this client takes for under way. */
#define SIM_ALL UINT64_MAX
size_t sim_in_flight(const struct sim_device *device, uint64_t conversation);
/* "" when nothing is going on with any client. */
const char *sim_going_on(const struct sim *sim);

#endif
