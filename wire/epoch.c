#include "wire/epoch.h"

#include "crypto/secret.h"
#include "wire/message.h"
#include "wire/name.h"

#include <string.h>

#define CONTEXT_MAX (8 + 4 + 2 * (1 + NAME_LEN_MAX) + 8 + 8 + 2 + 8)
#define MESSAGE_AD_LEN (8 + 4 + 8)

static const char chain_label[] = PROTOCOL_NAME " chain";
static const char message_label[] = PROTOCOL_NAME " message";
static const char next_label[] = PROTOCOL_NAME " next";

/* One direction: what it derives its next message's key from, and that message's number. */
struct chain {
    uint8_t secret[KDF_SECRET_LEN];
    uint64_t next;
    bool stopped;
};

struct epoch {
    uint64_t conversation;
    uint32_t number;
    const struct suite *suite;
    struct chain sending;
    struct chain receiving;
};

static void put_name(struct writer *w, const struct name *name)
{
    writer_vec8(w, name->text, strlen(name->text));
}

/* SHA-512 of the grant without its request and key: both people's chains come from the same view of who talks to whom. */
static int context_hash(const struct message_grant *g, uint8_t hash[SHA512_LEN])
{
    uint8_t context[CONTEXT_MAX];
    struct writer w;

    writer_init(&w, context, sizeof(context));
    writer_u64(&w, g->conversation);
    writer_u32(&w, g->epoch);
    put_name(&w, &g->a);
    put_name(&w, &g->b);
    writer_u64(&w, g->session_a);
    writer_u64(&w, g->session_b);
    writer_u16(&w, g->suite);
    writer_u64(&w, g->time);
    if (writer_end(&w) != 0)
        return -1;
    sha512_hash(context, w.len, hash);
    return 0;
}

/* chain[from to to] */
static int derive_chain(const uint8_t prk[KDF_SECRET_LEN], const uint8_t context[SHA512_LEN], const struct name *from,
                        const struct name *to, struct chain *chain)
{
    uint8_t info[sizeof(chain_label) - 1 + SHA512_LEN + 2 * (1 + NAME_LEN_MAX)];
    struct writer w;

    writer_init(&w, info, sizeof(info));
    writer_bytes(&w, chain_label, sizeof(chain_label) - 1);
    writer_bytes(&w, context, SHA512_LEN);
    put_name(&w, from);
    put_name(&w, to);
    if (writer_end(&w) != 0)
        return -1;
    hkdf_sha512_expand(prk, info, w.len, chain->secret, KDF_SECRET_LEN);
    return 0;
}

struct epoch *epoch_new(const struct message_grant *grant, const struct name *self)
{
    const struct suite *suite = suite_by_id(grant->suite);
    bool is_a = name_equal(&grant->a, self);
    bool is_b = name_equal(&grant->b, self);
    if (suite == NULL || is_a == is_b || suite_issued_key_check(suite, grant->key.data, grant->key.len) != 0)
        return NULL;

    uint8_t context[SHA512_LEN];
    if (context_hash(grant, context) != 0)
        return NULL;
    struct epoch *epoch = secret_alloc(sizeof(*epoch));
    if (epoch == NULL)
        return NULL;

    uint8_t prk[KDF_SECRET_LEN];
    const struct name *peer = is_a ? &grant->b : &grant->a;
    hkdf_sha512_extract(NULL, 0, grant->key.data, grant->key.len, prk);
    if (derive_chain(prk, context, self, peer, &epoch->sending) != 0 ||
        derive_chain(prk, context, peer, self, &epoch->receiving) != 0) {
        epoch_free(&epoch);
        goto out;
    }
    epoch->conversation = grant->conversation;
    epoch->number = grant->epoch;
    epoch->suite = suite;

out:
    secret_wipe(prk, sizeof(prk));
    return epoch;
}

void epoch_free(struct epoch **epoch)
{
    secret_free(epoch);
}

uint64_t epoch_conversation(const struct epoch *epoch)
{
    return epoch->conversation;
}

uint32_t epoch_number(const struct epoch *epoch)
{
    return epoch->number;
}

const struct suite *epoch_suite(const struct epoch *epoch)
{
    return epoch->suite;
}

uint64_t epoch_sent(const struct epoch *epoch)
{
    return epoch->sending.next;
}

static struct aead *message_key(const struct epoch *epoch, const struct chain *chain)
{
    return aead_derive(epoch->suite, chain->secret, message_label, sizeof(message_label) - 1);
}

/* One way only: from what is there now, the keys of the messages before can't be computed. */
static void chain_step(struct chain *chain)
{
    hkdf_sha512_expand(chain->secret, next_label, sizeof(next_label) - 1, chain->secret, KDF_SECRET_LEN);
    chain->next++;
}

static void message_ad(const struct epoch *epoch, uint64_t sequence, uint8_t ad[MESSAGE_AD_LEN])
{
    struct writer w;

    writer_init(&w, ad, MESSAGE_AD_LEN);
    writer_u64(&w, epoch->conversation);
    writer_u32(&w, epoch->number);
    writer_u64(&w, sequence);
}

int epoch_seal(struct epoch *epoch, const struct content *content, uint8_t *room, struct message_ciphertext *m)
{
    struct chain *chain = &epoch->sending;
    struct writer w;
    uint8_t ad[MESSAGE_AD_LEN];
    struct aead *aead = NULL;

    if (chain->stopped)
        return -1;
    writer_init(&w, room, CONTENT_LEN_MAX);
    if (content_encode(content, &w) != 0 || writer_end(&w) != 0)
        goto fail;
    aead = message_key(epoch, chain);
    if (aead == NULL)
        goto fail;

    message_ad(epoch, chain->next, ad);
    aead_seal(aead, chain->next, ad, sizeof(ad), room, w.len, room);
    aead_free(&aead);
    *m = (struct message_ciphertext){
        .conversation = epoch->conversation,
        .epoch = epoch->number,
        .sequence = chain->next,
        .sealed = { .data = room, .len = suite_sealed_len(epoch->suite, w.len) },
    };
    chain_step(chain);
    secret_wipe_left_residue();
    return 0;

fail:
    secret_wipe(room, CONTENT_LEN_MAX);
    return -1;
}

int epoch_open(struct epoch *epoch, const struct message_ciphertext *m, uint8_t *plain, struct content *content)
{
    struct chain *chain = &epoch->receiving;
    uint8_t ad[MESSAGE_AD_LEN];
    size_t plain_len = 0;

    if (m->conversation != epoch->conversation || m->epoch != epoch->number || m->sequence != chain->next ||
        m->sealed.len > MESSAGE_SEALED_MAX)
        return -1;

    struct aead *aead = message_key(epoch, chain);
    if (aead == NULL)
        return -1;
    message_ad(epoch, chain->next, ad);
    int result = aead_open(aead, chain->next, ad, sizeof(ad), m->sealed.data, m->sealed.len, plain, &plain_len);
    secret_wipe_left_residue();
    aead_free(&aead);
    if (result != 0)
        return -1;

    struct content opened;
    if (content_decode((struct bytes){ .data = plain, .len = plain_len }, &opened) != 0) {
        secret_wipe(plain, plain_len);
        return -1;
    }
    *content = opened;
    chain_step(chain);
    return 0;
}

void epoch_stop_sending(struct epoch *epoch)
{
    secret_wipe(epoch->sending.secret, sizeof(epoch->sending.secret));
    epoch->sending.stopped = true;
}
