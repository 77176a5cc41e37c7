#include "kdc/ticket.h"

#include "crypto/secret.h"
#include "crypto/suite.h"
#include "wire/codec.h"
#include "wire/name.h"

#include <string.h>

#define LABEL "kdc-chat v1 ticket"
#define LABEL_LEN (sizeof LABEL - 1)
#define SALT_LEN 32

/* The ticket's own key, from its period's. NULL when memory is out. */
static struct aead *derive(const uint8_t key[TICKET_KEY_LEN], const uint8_t salt[SALT_LEN])
{
    uint8_t info[LABEL_LEN + SALT_LEN];
    memcpy(info, LABEL, LABEL_LEN);
    memcpy(info + LABEL_LEN, salt, SALT_LEN);
    return aead_derive(suite_by_id(SUITE_CHACHA20_POLY1305), key, info, sizeof info);
}

int ticket_seal(const struct ticket *ticket, struct ticket_keys *keys, const struct rng *rng, uint8_t out[TICKET_LEN])
{
    static const uint8_t zeros[NAME_LEN_MAX];
    uint8_t key[TICKET_KEY_LEN]; /* secret */
    uint64_t period = 0;
    struct writer w;
    int result = -1;
    const size_t name_len = strlen(ticket->name.text);

    ticket_keys_newest(keys, &period, key);
    writer_init(&w, out, TICKET_LEN);
    writer_u64(&w, period);
    if (rng_fill(rng, out + w.len, SALT_LEN) != 0)
        goto out;
    w.len += SALT_LEN;
    writer_u64(&w, ticket->user);
    writer_u8(&w, (uint8_t)name_len);
    writer_bytes(&w, ticket->name.text, name_len);
    writer_bytes(&w, zeros, NAME_LEN_MAX - name_len);
    writer_u64(&w, ticket->epoch);
    writer_u64(&w, ticket->issued);
    writer_u64(&w, ticket->expires);
    writer_bytes(&w, ticket->secret, sizeof ticket->secret);
    struct aead *aead = writer_end(&w) == 0 ? derive(key, out + 8) : NULL;
    if (aead == NULL)
        goto out;
    aead_seal(aead, 0, out, TICKET_HEAD_LEN, out + TICKET_HEAD_LEN, TICKET_PLAIN_LEN, out + TICKET_HEAD_LEN);
    aead_free(&aead);
    result = 0;
out:
    if (result != 0)
        secret_wipe(out, TICKET_LEN);
    secret_wipe(key, sizeof key);
    return result;
}

/* The name with its length in front, and nothing but zeros behind it. */
static void take_name(struct reader *r, struct name *name)
{
    const size_t len = reader_u8(r);
    const struct bytes padded = reader_bytes(r, NAME_LEN_MAX);
    if (r->failed || len > NAME_LEN_MAX || name_parse((struct bytes){ padded.data, len }, name) != 0 ||
        memcmp(name->text, padded.data, len) != 0) {
        reader_fail(r);
        return;
    }
    for (size_t i = len; i < NAME_LEN_MAX; i++) {
        if (padded.data[i] != 0)
            reader_fail(r);
    }
}

static int decode(const uint8_t plain[TICKET_PLAIN_LEN], struct ticket *ticket)
{
    struct reader r;
    reader_init(&r, plain, TICKET_PLAIN_LEN);
    ticket->user = reader_u64(&r);
    take_name(&r, &ticket->name);
    ticket->epoch = reader_u64(&r);
    ticket->issued = reader_u64(&r);
    ticket->expires = reader_u64(&r);
    reader_copy(&r, ticket->secret, sizeof ticket->secret);
    return reader_end(&r);
}

static bool is_of_now(const struct ticket *ticket, const struct ticket_keys *keys, uint64_t now)
{
    return ticket->issued <= now + TICKET_AHEAD_MS &&
           (ticket->issued > now || now - ticket->issued < (uint64_t)1000 * ticket_keys_lifetime(keys)) &&
           (ticket->expires == 0 || now < ticket->expires);
}

unsigned ticket_seconds_left(const struct ticket *ticket, const struct ticket_keys *keys, uint64_t now)
{
    const uint64_t age = now > ticket->issued ? now - ticket->issued : 0;
    const uint64_t life = (uint64_t)1000 * ticket_keys_lifetime(keys);
    uint64_t left = age < life ? life - age : 0;
    if (ticket->expires != 0 && now + left > ticket->expires) {
        left = ticket->expires > now ? ticket->expires - now : 0;
    }
    return (unsigned)(left / 1000);
}

int ticket_open(struct bytes sealed, struct ticket_keys *keys, uint64_t now, struct ticket *ticket)
{
    uint8_t key[TICKET_KEY_LEN]; /* secret */
    uint8_t plain[TICKET_PLAIN_LEN + SUITE_TAG_MAX];
    size_t plain_len = 0;
    struct reader r;
    int result = -1;
    struct aead *aead = NULL;

    memset(ticket, 0, sizeof *ticket);
    if (sealed.len != TICKET_LEN)
        return -1;
    reader_init(&r, sealed.data, sealed.len);
    if (!ticket_keys_find(keys, reader_u64(&r), key))
        return -1;
    aead = derive(key, sealed.data + 8);
    if (aead != NULL &&
        aead_open(aead, 0, sealed.data, TICKET_HEAD_LEN, sealed.data + TICKET_HEAD_LEN, TICKET_LEN - TICKET_HEAD_LEN,
                  plain, &plain_len) == 0 &&
        plain_len == TICKET_PLAIN_LEN && decode(plain, ticket) == 0 && is_of_now(ticket, keys, now))
        result = 0;
    aead_free(&aead);
    if (result != 0)
        secret_wipe(ticket, sizeof *ticket);
    secret_wipe(key, sizeof key);
    secret_wipe(plain, sizeof plain);
    return result;
}
