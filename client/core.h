/*
 * core.h: the client's protocol side without I/O: frames in, frames and events out. libkdcchat's session.c gives it a
 * socket and timers; the simulation in the tests gives it a virtual clock and a network of its own.
 *
 * Holds everything that outlives a connection (conversations with their last epochs, outboxes, what was received), so
 * that a reconnect is: core_connected with a fresh handshake, and everything unacknowledged goes out again.
 *
 * After every call of core_input, core_tick and the calls of kdcchat.h, and after having written some of core_output,
 * the host looks at core_output and core_next_tick again: texts wait while much is to be sent, and an error that came
 * up in a call that has another result (core_send) is handed out by the next core_tick.
 *
 * The event function may call everything below but core_free, core_connected, core_input, core_tick and
 * core_disconnected.
 *
 * Thread: one. Lives in memory of its own; secrets in secret memory.
 */
#ifndef CLIENT_CORE_H
#define CLIENT_CORE_H

#include "client/kdcchat.h"
#include "wire/handshake.h"

struct core;

enum core_identity { CORE_IDENTITY_KNOWN, CORE_IDENTITY_UNKNOWN, CORE_IDENTITY_CHANGED };

/* Handed in. `now` is a monotonic clock in milliseconds, `wall` the time of day. */
struct core_host {
    void *context;
    uint64_t (*now)(void *context);
    uint64_t (*wall)(void *context);
    void (*event)(void *context, const struct kc_event *event);
    /* How the KDC with this identity is known: the host answers at once with known/unknown/changed; for unknown the
     * core waits for core_trust. */
    enum core_identity (*identity)(void *context, const uint8_t public_key[IDENTITY_PUBLIC_LEN]);
    const struct rng *rng;
};

enum core_state {
    CORE_DISCONNECTED, /* no transport */
    CORE_HANDSHAKE,
    CORE_TRUST,       /* the KDC is unknown: waits for core_trust */
    CORE_CREDENTIALS, /* the channel is up: waits for core_login */
    CORE_LOGIN,       /* waits for the KDC's answer */
    CORE_READY,
    CORE_ENDED, /* nothing more is sent or accepted: the transport is to be closed */
};

/* `host` and `policy` are copied; host->rng is lent. NULL when memory or randomness is out. */
struct core *core_new(const struct core_host *host, const struct handshake_policy *policy)
    __attribute__((warn_unused_result));
void core_free(struct core **core);

/* Transport. A new connection is up: the client_hello is appended to the output. */
int core_connected(struct core *core) __attribute__((warn_unused_result));
/* Bytes that arrived, in any portions; changed in place. 0, or a kc_error/reason for which the transport must be
 * closed (after flushing the output). */
int core_input(struct core *core, uint8_t *data, size_t len) __attribute__((warn_unused_result));
/* What waits to be sent: the host writes and consumes it. */
struct buffer *core_output(struct core *core);
/* The transport is gone: epochs are dead, requests forgotten, outboxes kept. */
void core_disconnected(struct core *core);
/* Timers: what is due at now() (pings, rekeying by age, receipts); 0 or an error as core_input. */
int core_tick(struct core *core) __attribute__((warn_unused_result));
/* When core_tick wants to be called next, by the clock of now(); UINT64_MAX: never. */
uint64_t core_next_tick(const struct core *core);

enum core_state core_state(const struct core *core);
bool core_ready(const struct core *core);
/* Whether coming back by itself may help after that error of core_input or core_tick, or KC_CONNECTION_LOST and its
 * like; *retry_after: not before so many seconds (0: as one likes). Known until core_connected. */
bool core_may_return(const struct core *core, int error, unsigned *retry_after);
/* The KDC took the credentials once: a connection that is lost now is worth coming back for. */
bool core_was_ready(const struct core *core);
/* Wipes the password, when nobody will come back. */
void core_forget_password(struct core *core);

/* The calls of kdcchat.h, with the same results. core_trust: KC_OK; KC_IDENTITY_REFUSED after a no, or another error:
 * then the transport is to be closed; KC_NOT_READY when there is nothing to trust. core_close: flush the output, then
 * close. */
int core_login(struct core *core, const char *name, const char *password, size_t password_len, bool make_account);
int core_login_changing(struct core *core, const char *name, const char *password, size_t password_len, const char *new,
                        size_t new_len);
int core_register(struct core *core, const char *name, const char *password, size_t password_len,
                  const struct kc_registration *registration);
int core_activate(struct core *core, const char *name, const char *password, size_t password_len, const char *code);
int core_deactivate(struct core *core, const char *code);
int core_trust(struct core *core, bool yes);
void core_close(struct core *core);
int core_open(struct core *core, const char *name);
int core_send(struct core *core, const char *name, const char *text, size_t len, uint64_t *number);
size_t core_undelivered(const struct core *core, const char *name);
size_t core_discard(struct core *core, const char *name);
int core_change_password(struct core *core, const char *old, size_t old_len, const char *new, size_t new_len);
int core_list(struct core *core);
int core_who(struct core *core, const char *name);
void core_set_trace(struct core *core, bool on);
/* kc_options.send_only */
void core_set_send_only(struct core *core, bool on);

#endif
