#include "kdc/penalties_internal.h"

#include "crypto/kdf.h"

#include <string.h>

#define SET_LEN 8
#define SETS (PENALTIES_ENTRIES / SET_LEN)

static struct guilty *set_of(const struct penalties *p, const struct penalty_key *key)
{
    uint8_t hash[SHA512_LEN];
    uint64_t number;
    uint8_t text[PENALTY_KEY_MAX + 1];
    text[0] = (uint8_t)key->kind;
    memcpy(text + 1, key->bytes, key->len);
    hmac_sha512(p->salt, sizeof p->salt, text, (size_t)key->len + 1, hash);
    memcpy(&number, hash, sizeof number);
    return &p->tables[key->kind][number % SETS * SET_LEN];
}

static struct guilty *find_in(struct guilty *set, const struct penalty_key *key)
{
    for (size_t i = 0; i < SET_LEN; i++) {
        if (set[i].len == key->len && memcmp(set[i].key, key->bytes, key->len) == 0) {
            return &set[i];
        }
    }
    return NULL;
}

struct guilty *penalty_find(const struct penalties *p, const struct penalty_key *key)
{
    return find_in(set_of(p, key), key);
}

/* Who counts for least; who is locked for most. */
static uint64_t rank_of(const struct penalties *p, const struct guilty *g, uint64_t now)
{
    return !penalty_is_guilty(&p->policy, g, now)
               ? 0
               : penalty_guilt(&p->policy, g, now) + (penalty_locked(g, now) > 0 ? UINT64_C(2) * GUILT_SOURCE_FULL : 0);
}

struct guilty *penalty_find_or_make(struct penalties *p, const struct penalty_key *key, uint64_t now)
{
    struct guilty *set = set_of(p, key);
    struct guilty *found = find_in(set, key);
    if (found != NULL) {
        return found;
    }
    struct guilty *least = set;
    for (size_t i = 1; i < SET_LEN; i++) {
        least = rank_of(p, &set[i], now) < rank_of(p, least, now) ? &set[i] : least;
    }
    const uint32_t left = penalty_is_guilty(&p->policy, least, now) ? penalty_guilt(&p->policy, least, now) : 0;
    *least = (struct guilty){ .len = key->len, .guilt = left < GUILT_FULL / 2 ? left : GUILT_FULL / 2, .stamp = now };
    memcpy(least->key, key->bytes, key->len);
    return least;
}

struct penalty_key penalty_key_of_account(const struct name *name)
{
    struct penalty_key key = { .kind = ACCOUNTS, .len = (uint8_t)strlen(name->text) };
    memcpy(key.bytes, name->text, key.len);
    return key;
}

struct penalty_key penalty_key_of_source(const struct admission_source *source)
{
    struct penalty_key key = { .kind = SOURCES, .len = sizeof source->prefix + 1 };
    key.bytes[0] = source->family;
    memcpy(key.bytes + 1, source->prefix, sizeof source->prefix);
    return key;
}
