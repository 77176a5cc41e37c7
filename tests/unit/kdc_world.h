/*
 * kdc_world.h: the KDC's protocol side in memory, for tests of sessions: sessions without sockets, a table of accounts, and
 * queues for mail, jobs and the journal that move only when the test says so. Fails the test (cmocka) on anything unexpected.
 */
#ifndef TESTS_UNIT_KDC_WORLD_H
#define TESTS_UNIT_KDC_WORLD_H

#include "kdc/accounts.h"
#include "kdc/journal.h"
#include "kdc/mailer.h"
#include "kdc/penalties.h"
#include "kdc/session.h"

#define WORLD_CLIENTS 64
#define WORLD_ACCOUNTS 8
#define WORLD_HISTORY 4
#define WORLD_SOURCES 16
#define WORLD_PASSWORD "correct horse"

struct world;

struct client {
    struct world *world;
    struct session *session; /* NULL once freed */
    struct session_ref ref;
    struct inbox_item *sent; /* oldest first */
    size_t waiting;          /* what the host says of the output */
    enum reason send_fails;  /* REASON_NONE: it doesn't */
    struct admission_source origin;
    bool delayed;
    uint64_t delayed_until;
    bool held;
    bool logged_in;
    unsigned rescheduled;
    bool ended;
    bool told;          /* the end was announced ... */
    enum reason reason; /* ... with this */
};

struct account {
    struct store_user user; /* user.hash: the password itself */
    bool used;
    bool foreign; /* its password can't be changed here */
    char history[WORLD_HISTORY][PASSWORD_HASH_LEN];
    unsigned kept;
    struct email email;
    char digest[CODE_DIGEST_ROOM]; /* of the code that was mailed */
    unsigned tries_left;
};

struct world {
    struct session_host host;
    struct config config;
    struct counters counters;
    struct accounts accounts;
    struct client clients[WORLD_CLIENTS];
    size_t client_count;
    struct account table[WORLD_ACCOUNTS];
    struct inbox_item *mail;
    struct inbox_item *jobs;
    struct inbox_item *homeward;     /* jobs that found no room */
    struct ticket_keys *tickets;     /* a session's ticket may be used for an hour */
    struct account_changes *changes; /* moved by the test */
    struct penalties *penalties;     /* NULL, until world_punish */
    struct {
        uint64_t user;
        struct admission_source source;
    } known[WORLD_SOURCES]; /* where users have logged in from */
    size_t known_count;
    unsigned known_asked;    /* how often somebody wanted to know */
    struct journal *journal; /* the real one, without a thread */
    size_t queue_room;       /* jobs that are taken */
    bool database_gone;
    char invitation[CODE_DIGEST_ROOM];    /* the one that holds; empty: none */
    enum store_code_outcome code_outcome; /* of the next new code */
    struct letter letter;                 /* the last that was posted */
    unsigned letters;
    bool mail_full;
    unsigned nobody_verified; /* dummy verifications */
    uint64_t nobody_work;     /* and their sum of 2^cost */
    uint32_t epochs;
    unsigned recorded; /* events of the audit log */
    char last_recorded[128];
    char last_outcome[40]; /* of it; "ok": it went well */
    uint64_t number;
    uint64_t time;
};

/* Empty, with a generous configuration. */
struct world *world_new(void);
void world_free(struct world *w);
/* For cmocka: *state is a world in which alice, bob and carol have accounts, and one that is locked. */
int world_set_up(void **state);
int world_tear_down(void **state);
/* kdc_world_accounts.c */
void world_fill_accounts(struct world *w);
void world_add_account(struct world *w, const char *name, enum user_state state);
/* From now on guessing costs: as by default, or by that policy. */
void world_punish(struct world *w, const struct penalty_policy *policy);
/* A connection after its handshake. */
struct client *world_connect(struct world *w);
/* The same from 192.0.2.`host`; world_connect's are from 192.0.2.1. */
struct client *world_connect_from(struct world *w, uint8_t host);
/* Time goes on, and whoever has waited for that goes on too. */
void world_pass_time(struct world *w, uint64_t ms);
/* Its handshake's resumption secret: 64 times this byte. */
uint8_t world_resumption(const struct client *c);
/* The ticket of a welcome, opened. */
struct ticket world_ticket(struct world *w, const struct message_welcome *welcome);
/* A connection whose handshake was resumed by that ticket. */
struct client *world_resume(struct world *w, const struct ticket *ticket);
/* Connects and logs in (the account is there), and takes the welcome. */
struct client *world_login(struct world *w, const char *name);

/* What the client says. */
void world_say(struct client *c, const struct message *m);
void world_say_credentials(struct client *c, enum message_type type, const char *name, const char *password);
void world_register(struct client *c, const char *name, const char *code, const char *email, const char *phone);
void world_activate(struct client *c, const char *name, const char *password, const char *code);
void world_deactivate(struct client *c, uint32_t request, const char *code);
void world_open(struct client *c, uint32_t request, const char *peer);
void world_say_ciphertext(struct client *c, uint64_t conversation, uint64_t sequence, size_t len);

/* One step of a queue, oldest first; false when it is empty. */
bool world_deliver_mail(struct world *w);
bool world_run_job(struct world *w);                            /* runs it and brings the result home */
bool world_displace_job(struct world *w, uint32_t retry_after); /* brings it home as the pool does for want of room */
bool world_run_journal(struct world *w);                        /* writes a batch of all that waits */
void world_settle(struct world *w);                             /* until all are empty */

/* The oldest message that the session has sent, taken out; its type must be this. Lent until the next call. */
struct message world_expect(struct client *c, enum message_type type);
void world_expect_nothing(const struct client *c);
void world_expect_refused(struct client *c, uint32_t request, enum reason reason);
void world_expect_presence(struct client *c, const char *name, enum presence presence);
/* The session has ended with this reason, and the client was told. */
void world_expect_closed(const struct client *c, enum reason reason);
/* The transport is gone, the session freed. */
void world_hang_up(struct client *c);

#endif
