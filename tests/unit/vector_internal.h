/*
 * vector_internal.h: what the parts of vector.c share.
 */
#ifndef TESTS_VECTOR_INTERNAL_H
#define TESTS_VECTOR_INTERNAL_H

#include "crypto/tdes_key.h"
#include "wire/epoch.h"
#include "wire/handshake.h"
#include "wire/record.h"

#include <stdio.h>

#define VECTOR_ROOM 8192 /* for any frame, and for a transcript */
#define VECTOR_TICKET_LEN 100

/* One person's session: the handshake, then a record half for each direction at each end. */
struct person {
    const char *name;
    const char *prefix;                               /* of its lines */
    const char *client_rng, *server_rng, *ticket_rng; /* names of their streams */
    const struct person *before;                      /* the session whose ticket this one offers; NULL: none */
    struct handshake_policy policy;
    uint64_t session;
    struct handshake_keys keys;
    uint8_t ticket[VECTOR_TICKET_LEN]; /* that its welcome brings */
    struct record_half client_send, client_receive, kdc_send, kdc_receive;
    struct epoch *epoch;
};

struct vector {
    FILE *out;
    struct identity *identity;
    struct person alice, bob, again; /* again: alice, once more */
    uint8_t issued_key[TDES_KEY_LEN];
    struct message_grant grant;
    bool failed;
};

/* Notes that the code and the document disagree, unless `condition`. */
void vector_check(struct vector *v, bool condition, const char *what);
void vector_comment(struct vector *v, const char *text);
void vector_line(struct vector *v, const char *prefix, const char *name, const void *data, size_t len);
void vector_person_line(struct vector *v, const struct person *p, const char *name, const void *data, size_t len);

/* The document's formulas, with nothing but HMAC. Expand for up to two blocks; with `P | " " | label`; and derive(),
 * for which c = 0 does with every key of this exchange. */
void vector_expand(const uint8_t prk[64], const void *info, size_t info_len, uint8_t *out, size_t len);
void vector_expand_label(const uint8_t prk[64], const char *label, uint8_t out[64]);
void vector_derive(const struct suite *suite, const uint8_t secret[64], const char *label, uint8_t *key, uint8_t *iv);

/* One person's handshake: frames, exponents, and everything of sections 3.3 and 3.5. Fills p->keys. */
void vector_handshake(struct vector *v, struct person *p);

#endif
