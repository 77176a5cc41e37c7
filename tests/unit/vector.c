#include "tests/unit/vector.h"

#include "crypto/secret.h"
#include "tests/unit/fixed_rng.h"
#include "tests/unit/vector_internal.h"
#include "wire/message.h"
#include "wire/name.h"

#include <nettle/des.h>
#include <string.h>

/* ---- records ---- */

static void records_begin(struct vector *v, struct person *p)
{
    const struct suite *suite = p->keys.suite;
    uint8_t key[SUITE_KEY_MAX], iv[SUITE_IV_MAX];

    vector_comment(v, "Section 4.2: record keys of both directions.");
    vector_derive(suite, p->keys.client_traffic, "record", key, iv);
    vector_person_line(v, p, "client_record_key", key, suite->key_len);
    vector_person_line(v, p, "client_record_iv", iv, suite->iv_len);
    vector_derive(suite, p->keys.server_traffic, "record", key, iv);
    vector_person_line(v, p, "server_record_key", key, suite->key_len);
    vector_person_line(v, p, "server_record_iv", iv, suite->iv_len);
    vector_check(v,
                 record_init(&p->client_send, suite, p->keys.client_traffic) == 0 &&
                     record_init(&p->kdc_receive, suite, p->keys.client_traffic) == 0 &&
                     record_init(&p->kdc_send, suite, p->keys.server_traffic) == 0 &&
                     record_init(&p->client_receive, suite, p->keys.server_traffic) == 0,
                 "record keys");
}

/* What a record holds, by the document: each message, with its length before it. */
static void frames_of(struct vector *v, struct person *p, const char *const *names, const struct message *m,
                      size_t count, struct writer *w)
{
    uint8_t plain[VECTOR_ROOM];
    char label[64];
    for (size_t i = 0; i < count; i++) {
        struct writer one;
        writer_init(&one, plain, sizeof(plain));
        vector_check(v, message_encode(&m[i], &one) == 0, names[i]);
        snprintf(label, sizeof(label), "%s_%s", names[i], "message");
        vector_person_line(v, p, label, plain, one.len);
        writer_u32(w, (uint32_t)one.len);
        writer_bytes(w, plain, one.len);
    }
    vector_check(v, writer_end(w) == 0, names[0]);
}

/* Messages over the session: each one's plaintext, and the record that carries them. */
static void record_of(struct vector *v, struct person *p, bool from_client, const char *name, const char *const *names,
                      const struct message *m, size_t count)
{
    struct record_half *send = from_client ? &p->client_send : &p->kdc_send;
    struct record_half *receive = from_client ? &p->kdc_receive : &p->client_receive;
    const uint8_t *traffic = from_client ? p->keys.client_traffic : p->keys.server_traffic;
    uint8_t key[SUITE_KEY_MAX], iv[SUITE_IV_MAX], plain[VECTOR_ROOM], frame[VECTOR_ROOM], again[VECTOR_ROOM];
    uint64_t sequence = send->sequence;
    struct buffer out;
    struct writer w;
    struct bytes opened;
    char label[64];

    buffer_init(&out, VECTOR_ROOM);
    (void)!buffer_reserve(&out, VECTOR_ROOM); /* so that it needn't grow between two messages */
    writer_init(&w, plain, sizeof(plain));
    frames_of(v, p, names, m, count, &w);
    for (size_t i = 0; i < count; i++)
        vector_check(v, record_add_message(send, &m[i], &out) == 0, name);
    record_seal(send, &out);
    if (v->failed)
        goto done;
    size_t len = buffer_len(&out);
    memcpy(frame, buffer_data(&out), len);
    snprintf(label, sizeof(label), "%s_%s", name, "record");
    vector_person_line(v, p, label, frame, len);

    vector_derive(send->suite, traffic, "record", key, iv);
    struct aead *aead = aead_new(send->suite, key, iv);
    vector_check(v, aead != NULL, "record key");
    if (aead == NULL)
        goto done;
    aead_seal(aead, sequence, frame, FRAME_HEADER_LEN, plain, w.len, again);
    aead_free(&aead);
    vector_check(v, memcmp(again, frame + FRAME_HEADER_LEN, len - FRAME_HEADER_LEN) == 0, name);
    vector_check(v,
                 record_open(receive, frame, len, &opened) == 0 && opened.len == w.len &&
                     memcmp(opened.data, plain, w.len) == 0,
                 name);

done:
    buffer_clear(&out);
}

/* One message, in a record of its own. */
static void record(struct vector *v, struct person *p, bool from_client, const char *name, const struct message *m)
{
    record_of(v, p, from_client, name, &name, m, 1);
}

static void welcome(struct vector *v, struct person *p)
{
    struct fixed_rng rng;
    struct message m = {
        .type = MESSAGE_WELCOME,
        .welcome = { .session = p->session,
                     .time = UINT64_C(1700000000000),
                     .rekey_messages = 1000,
                     .rekey_seconds = 3600,
                     .ping_seconds = 30,
                     .ticket_seconds = 86400,
                     .ticket = { .data = p->ticket, .len = sizeof(p->ticket) } },
    };

    fixed_rng_init(&rng, p->ticket_rng);
    vector_check(v, rng_fill(&rng.rng, p->ticket, sizeof(p->ticket)) == 0, "ticket");
    vector_person_line(v, p, "ticket", p->ticket, sizeof(p->ticket));
    vector_check(v, name_from_string(p->name, &m.welcome.name) == 0, "name");
    record(v, p, false, "welcome", &m);
}

static void login(struct vector *v, struct person *p, const char *password)
{
    struct message m = { .type = MESSAGE_LOGIN };

    vector_comment(v, "Section 4: login. The message (type and body), then the whole record.");
    m.credentials.name = (struct bytes){ .data = (const uint8_t *)p->name, .len = strlen(p->name) };
    m.credentials.password = (struct bytes){ .data = (const uint8_t *)password, .len = strlen(password) };
    record(v, p, true, "login", &m);
    welcome(v, p);
}

/* ---- conversation ---- */

static void conversation(struct vector *v)
{
    struct fixed_rng rng;
    struct message m = { .type = MESSAGE_OPEN, .open = { .request = 1 } };

    vector_comment(v, "Section 6.2: alice opens a conversation with bob; both get a grant.");
    vector_check(v, name_from_string("bob", &m.open.peer) == 0, "name");
    record(v, &v->alice, true, "open", &m);

    fixed_rng_init(&rng, "issued key");
    vector_check(v, suite_issue_key(suite_by_id(SUITE_3DES_CBC_HMAC_SHA512), &rng.rng, v->issued_key) == 0,
                 "issued key");
    vector_line(v, "", "issued_key", v->issued_key, sizeof(v->issued_key));
    v->grant = (struct message_grant){
        .request = 1,
        .conversation = 7,
        .epoch = 1,
        .session_a = v->alice.session,
        .session_b = v->bob.session,
        .suite = SUITE_3DES_CBC_HMAC_SHA512,
        .time = UINT64_C(1700000001000),
        .key = { .data = v->issued_key, .len = sizeof(v->issued_key) },
    };
    vector_check(v, name_from_string("alice", &v->grant.a) == 0 && name_from_string("bob", &v->grant.b) == 0, "names");
    m = (struct message){ .type = MESSAGE_GRANT, .grant = v->grant };
    record(v, &v->alice, false, "grant", &m);
    v->alice.epoch = epoch_new(&m.grant, &m.grant.a);
    m.grant.request = 0;
    record(v, &v->bob, false, "grant", &m);
    v->bob.epoch = epoch_new(&m.grant, &m.grant.b);
    vector_check(v, v->alice.epoch != NULL && v->bob.epoch != NULL, "epoch");
}

/* Section 5.1: the chains, from the grant's message as it went over the wire. */
static void chains(struct vector *v, uint8_t a_to_b[64], uint8_t b_to_a[64])
{
    static const uint8_t zeros[64];
    uint8_t plain[256], context[64], prk[64], info[256];
    struct message m = { .type = MESSAGE_GRANT, .grant = v->grant };
    struct writer w;

    writer_init(&w, plain, sizeof(plain));
    vector_check(v, message_encode(&m, &w) == 0, "grant");
    const uint8_t *body = plain + 1 + 4;           /* behind type and request */
    size_t len = w.len - 1 - 4 - 1 - TDES_KEY_LEN; /* before the key */
    vector_comment(v, "Section 5.1: context, prk, and the first chain of each direction.");
    vector_line(v, "", "context", body, len);
    sha512_hash(body, len, context);
    vector_line(v, "", "context_sha512", context, 64);
    hmac_sha512(zeros, 64, v->issued_key, TDES_KEY_LEN, prk);
    vector_line(v, "", "epoch_prk", prk, 64);
    for (int direction = 0; direction < 2; direction++) {
        uint8_t *chain = direction == 0 ? a_to_b : b_to_a;
        int at = snprintf((char *)info, sizeof(info), "kdc-chat v1 chain");
        memcpy(info + at, context, 64);
        at += 64;
        at += snprintf((char *)info + at, sizeof(info) - (size_t)at, "%s",
                       direction == 0 ? "\x05"
                                        "alice"
                                        "\x03"
                                        "bob"
                                      : "\x03"
                                        "bob"
                                        "\x05"
                                        "alice");
        vector_expand(prk, info, (size_t)at, chain, 64);
        vector_line(v, "", direction == 0 ? "chain_alice_to_bob" : "chain_bob_to_alice", chain, 64);
    }
}

/* One message from one person to the other: inner, then under both sessions. Steps the chain. */
static void talk(struct vector *v, struct person *from, struct person *to, uint8_t chain[64], const char *name,
                 const struct content *content)
{
    const struct suite *suite = epoch_suite(from->epoch);
    uint8_t key[SUITE_KEY_MAX], iv[SUITE_IV_MAX], cbc_iv[DES_BLOCK_SIZE], ad[20];
    uint8_t room[MESSAGE_SEALED_MAX], plain[MESSAGE_SEALED_MAX], again[1024];
    struct message m = { .type = MESSAGE_CIPHERTEXT };
    struct content opened;
    struct writer w;
    char label[64];

#define LINE(what, data, len) \
    (snprintf(label, sizeof(label), "%s_%s", name, what), vector_person_line(v, from, label, data, len))
    writer_init(&w, plain, sizeof(plain));
    vector_check(v, content_encode(content, &w) == 0 && w.len <= sizeof(again) - 64, "content");
    vector_check(v, epoch_seal(from->epoch, content, room, &m.ciphertext) == 0, "seal");
    if (v->failed)
        return;
    vector_derive(suite, chain, "message", key, iv);
    for (size_t i = 0; i < sizeof(cbc_iv); i++)
        cbc_iv[i] = iv[i] ^ (uint8_t)(m.ciphertext.sequence >> 8 * (7 - i));
    struct des3_ctx des3;
    des3_set_key(&des3, key);
    des3_encrypt(&des3, sizeof(cbc_iv), cbc_iv, cbc_iv);

    LINE("content", plain, w.len);
    LINE("chain", chain, 64);
    LINE("key", key, suite->key_len);
    LINE("iv", iv, suite->iv_len);
    LINE("cbc_iv", cbc_iv, sizeof(cbc_iv));

    struct writer ad_writer;
    writer_init(&ad_writer, ad, sizeof(ad));
    writer_u64(&ad_writer, m.ciphertext.conversation);
    writer_u32(&ad_writer, m.ciphertext.epoch);
    writer_u64(&ad_writer, m.ciphertext.sequence);
    LINE("ad", ad, sizeof(ad));
    LINE("sealed", m.ciphertext.sealed.data, m.ciphertext.sealed.len);
#undef LINE
    struct aead *aead = aead_new(suite, key, iv);
    vector_check(v, aead != NULL, "message key");
    if (aead == NULL)
        return;
    aead_seal(aead, m.ciphertext.sequence, ad, sizeof(ad), plain, w.len, again);
    aead_free(&aead);
    vector_check(v, memcmp(again, room, m.ciphertext.sealed.len) == 0, "message");
    vector_expand_label(chain, "next", chain);

    snprintf(label, sizeof(label), "sends_%s", name);
    record(v, from, true, label, &m);
    snprintf(label, sizeof(label), "gets_%s", name);
    record(v, to, false, label, &m);
    vector_check(v, epoch_open(to->epoch, &m.ciphertext, plain, &opened) == 0 && opened.kind == content->kind, "open");
}

static void talks(struct vector *v, uint8_t a_to_b[64], uint8_t b_to_a[64])
{
    static const char text[] = "Gr\xc3\xbc\xc3\x9f"
                               "e, Bob";
    const struct content confirm = { .kind = CONTENT_CONFIRM };
    const struct content said = {
        .kind = CONTENT_TEXT,
        .instance = UINT64_C(0x1122334455667788),
        .number = 1,
        .text = { .data = (const uint8_t *)text, .len = sizeof(text) - 1 },
    };
    const struct content received = { .kind = CONTENT_RECEIVED, .instance = UINT64_C(0x1122334455667788), .number = 1 };

    vector_comment(v, "Section 5.2: alice's confirm. Inner, then as ciphertext message in a record of each session.");
    talk(v, &v->alice, &v->bob, a_to_b, "confirm", &confirm);
    vector_comment(v, "Bob's confirm.");
    talk(v, &v->bob, &v->alice, b_to_a, "confirm", &confirm);
    vector_comment(v, "Alice's text.");
    talk(v, &v->alice, &v->bob, a_to_b, "text", &said);
    vector_comment(v, "Bob's receipt.");
    talk(v, &v->bob, &v->alice, b_to_a, "received", &received);
    vector_comment(v, "Section 4: two messages in one record. Alice pings, and leaves.");
    static const char *const last_words[] = { "ping", "close" };
    const struct message m[] = {
        { .type = MESSAGE_PING, .ping = { .token = UINT64_C(0x0102030405060708) } },
        { .type = MESSAGE_CLOSE, .close = { .reason = REASON_NONE } },
    };
    record_of(v, &v->alice, true, "last", last_words, m, 2);
}

static void close_records(struct person *p)
{
    record_clear(&p->client_send);
    record_clear(&p->client_receive);
    record_clear(&p->kdc_send);
    record_clear(&p->kdc_receive);
    epoch_free(&p->epoch);
}

static void write_all(struct vector *v)
{
    struct fixed_rng rng;
    uint8_t seed[IDENTITY_SEED_LEN], a_to_b[64], b_to_a[64];

    fprintf(
        v->out,
        "# One whole exchange of the kdc-chat protocol, version 1: docs/protocol.md section 9 says how to read it.\n"
        "# Made by the test that checks it: test_vector --write FILE.\n");
    vector_comment(v, "The KDC's identity: Ed25519 seed and public key.");
    fixed_rng_init(&rng, "kdc identity");
    vector_check(v, rng_fill(&rng.rng, seed, sizeof(seed)) == 0, "seed");
    v->identity = identity_from_seed(seed);
    if (v->identity == NULL) {
        vector_check(v, false, "identity");
        return;
    }
    vector_line(v, "", "kdc_identity_seed", seed, sizeof(seed));
    vector_line(v, "", "kdc_identity", v->identity->public_key, IDENTITY_PUBLIC_LEN);

    vector_comment(v, "---- Alice's session: ffdhe2048, chacha20-poly1305. ----");
    vector_handshake(v, &v->alice);
    if (!v->failed)
        records_begin(v, &v->alice);
    if (!v->failed)
        login(v, &v->alice, "alice's password");
    vector_comment(v, "---- Bob's session: asks for ffdhe3072, gets ffdhe2048; aes-256-gcm. ----");
    if (!v->failed)
        vector_handshake(v, &v->bob);
    if (!v->failed)
        records_begin(v, &v->bob);
    if (!v->failed)
        login(v, &v->bob, "bob's password");
    vector_comment(v, "---- The conversation: 3des-cbc-hmac-sha512. ----");
    if (!v->failed)
        conversation(v);
    if (!v->failed)
        chains(v, a_to_b, b_to_a);
    if (!v->failed)
        talks(v, a_to_b, b_to_a);
    vector_comment(v, "---- Alice again, with the ticket of her first session: ffdhe2048, chacha20-poly1305. ----");
    if (!v->failed)
        vector_handshake(v, &v->again);
    if (!v->failed)
        records_begin(v, &v->again);
    vector_comment(v, "What follows client_finish: her second session's welcome.");
    if (!v->failed)
        welcome(v, &v->again);
}

int vector_write(FILE *out)
{
    static const struct person alice = {
        .name = "alice",
        .prefix = "alice_",
        .client_rng = "alice",
        .server_rng = "kdc for alice",
        .ticket_rng = "ticket for alice",
        .policy = { .groups = { DH_FFDHE2048 },
                    .group_count = 1,
                    .suites = { SUITE_CHACHA20_POLY1305, SUITE_3DES_CBC_HMAC_SHA512 },
                    .suite_count = 2 },
        .session = UINT64_C(0xa11ce00000000001),
    };
    static const struct person bob = {
        .name = "bob",
        .prefix = "bob_",
        .client_rng = "bob",
        .server_rng = "kdc for bob",
        .ticket_rng = "ticket for bob",
        .policy = { .groups = { DH_FFDHE3072, DH_FFDHE2048 },
                    .group_count = 2,
                    .suites = { SUITE_AES_256_GCM },
                    .suite_count = 1 },
        .session = UINT64_C(0xb0b0000000000002),
    };
    struct vector *v = secret_alloc(sizeof(*v));
    if (v == NULL)
        return -1;
    v->out = out;
    v->alice = alice;
    v->bob = bob;
    v->again = alice;
    v->again.prefix = "alice_again_";
    v->again.client_rng = "alice again";
    v->again.server_rng = "kdc for alice again";
    v->again.ticket_rng = "ticket for alice again";
    v->again.before = &v->alice;
    v->again.session = UINT64_C(0xa11ce00000000003);
    write_all(v);
    bool failed = v->failed || ferror(out) != 0;
    close_records(&v->alice);
    close_records(&v->bob);
    close_records(&v->again);
    identity_free(&v->identity);
    secret_free(&v);
    return failed ? -1 : 0;
}
