/*
 * exchange.h: one handshake between a client and a KDC in memory, with somebody in between who may change, drop or double
 * any frame. Deterministic: the same names give the same bytes.
 */
#ifndef TESTS_EXCHANGE_H
#define TESTS_EXCHANGE_H

#include "tests/unit/fixed_rng.h"
#include "wire/handshake.h"

#define EXCHANGE_FRAMES_MAX 8
#define EXCHANGE_FRAME_MAX 1700
#define EXCHANGE_TICKET_LEN 120

/* What most tests are about. */
#define GROUP DH_FFDHE2048
#define SUITE SUITE_CHACHA20_POLY1305

struct exchange_frame {
    bool from_client;
    size_t len;
    uint8_t bytes[EXCHANGE_FRAME_MAX];
};

struct exchange {
    struct handshake_policy client_policy;
    struct handshake_policy server_policy;
    struct fixed_rng client_rng;
    struct fixed_rng server_rng;
    struct identity *identity; /* the KDC's */

    /* Resuming: what the client offers (nothing when ticket_len is 0), and whether the KDC opens tickets. It knows one, of
     * the stream "ticket", with kdc_secret as its secret; `opens` counts how often it was shown any. */
    uint8_t ticket[TICKET_LEN_MAX];
    size_t ticket_len;
    uint8_t ticket_secret[KDF_SECRET_LEN];
    bool kdc_opens;
    uint8_t kdc_secret[KDF_SECRET_LEN];
    struct handshake_tickets tickets;
    unsigned opens;

    struct handshake_client *client;
    struct handshake_server *server;
    struct buffer to_server;
    struct buffer to_client;

    /* The one in between: sees frame number `index` (as sent, from 0), may change it, and returns how many times it is
     * delivered. NULL: passes everything on. */
    unsigned (*between)(void *context, size_t index, struct exchange_frame *frame);
    void *context;

    /* What came out. */
    struct exchange_frame sent[EXCHANGE_FRAMES_MAX]; /* before anybody changed them */
    size_t sent_count;
    bool client_done, server_done;
    bool client_failed, server_failed;
    struct handshake_failure failure;
    enum reason server_reason;
    struct handshake_keys client_keys, server_keys;
};

/* One group and one suite for the client; everything for the KDC. Randomness from the two names, the KDC's identity
 * from "kdc identity". */
void exchange_init(struct exchange *x, uint16_t group, uint16_t suite);
void exchange_clear(struct exchange *x);
/* The same for cmocka: *state is an exchange with GROUP and SUITE. 0. */
int exchange_set_up(void **state);
int exchange_tear_down(void **state);

/* The client asks for `first`, and would take `second`. For the next exchange_begin. */
void exchange_client_groups(struct exchange *x, uint16_t first, uint16_t second);

/* The client has the ticket that the KDC knows, and its secret. For the next exchange_begin. */
void exchange_tickets(struct exchange *x);

/* Makes both sides (again). */
void exchange_begin(struct exchange *x);
/* From the client's first frame until nothing moves any more; the client takes whatever identity it is shown. */
void exchange_run(struct exchange *x);

/* A frame of x->sent, to be handed to a state machine. */
struct bytes exchange_sent(const struct exchange *x, size_t index);

#endif
