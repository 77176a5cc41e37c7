#include "tests/unit/sim_memo.h"

#include "crypto/dh.h"
#include "crypto/identity.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096
#define INPUT_MAX 4096

/* The linker's names: __real_X is X itself, __wrap_X is what the program calls. */
enum dh_result __real_dh_keypair(const struct dh_group *, const struct rng *, uint8_t *, uint8_t *);
enum dh_result __wrap_dh_keypair(const struct dh_group *, const struct rng *, uint8_t *, uint8_t *);
enum dh_result __real_dh_shared(const struct dh_group *, const uint8_t *, const uint8_t *, size_t, uint8_t *);
enum dh_result __wrap_dh_shared(const struct dh_group *, const uint8_t *, const uint8_t *, size_t, uint8_t *);
int __real_identity_sign(const struct identity *, const char *, const void *, size_t, uint8_t *);
int __wrap_identity_sign(const struct identity *, const char *, const void *, size_t, uint8_t *);
int __real_identity_verify(const uint8_t *, const char *, const void *, size_t, const uint8_t *);
int __wrap_identity_verify(const uint8_t *, const char *, const void *, size_t, const uint8_t *);
void *__real_malloc(size_t);
void *__wrap_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__wrap_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
void *__wrap_realloc(void *, size_t);
void *__real_reallocarray(void *, size_t, size_t);
void *__wrap_reallocarray(void *, size_t, size_t);
void __real_free(void *);
void __wrap_free(void *);

/* ---- chance ---- */

static uint64_t mixed(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

uint64_t sim_roll(struct sim_dice *dice)
{
    return mixed(dice->state++);
}

uint32_t sim_below(struct sim_dice *dice, uint32_t sides)
{
    return sides == 0 ? 0 : (uint32_t)((sim_roll(dice) >> 32) * sides >> 32);
}

static struct sim_rng *drawn_from(struct sim_rng *r)
{
    return r->instead == NULL ? r : r->instead;
}

static int fill(void *context, uint8_t *out, size_t len)
{
    struct sim_rng *r = drawn_from(context);
    if (len == 4 && r->dice != NULL) {
        const uint32_t value = (uint32_t)sim_roll(r->dice);
        memcpy(out, &value, sizeof value);
        return 0;
    }
    for (size_t i = 0; i < len; i++) {
        const uint64_t word = mixed(mixed(r->stream) + r->drawn / 8);
        out[i] = (uint8_t)(word >> (r->drawn % 8 * 8));
        r->drawn++;
    }
    return 0;
}

void sim_rng_init(struct sim_rng *r, uint64_t stream, struct sim_dice *dice)
{
    *r = (struct sim_rng){ .rng = { .fill = fill, .context = r }, .stream = stream, .dice = dice };
}

/* ---- memory ---- */

static long allocated;

long sim_allocated(void)
{
    return allocated;
}

void *__wrap_malloc(size_t len)
{
    void *block = __real_malloc(len);
    allocated += block != NULL;
    return block;
}

void *__wrap_calloc(size_t count, size_t len)
{
    void *block = __real_calloc(count, len);
    allocated += block != NULL;
    return block;
}

void *__wrap_realloc(void *old, size_t len)
{
    void *block = __real_realloc(old, len);
    allocated += old == NULL && block != NULL;
    return block;
}

void *__wrap_reallocarray(void *old, size_t count, size_t len)
{
    void *block = __real_reallocarray(old, count, len);
    allocated += old == NULL && block != NULL;
    return block;
}

void __wrap_free(void *block)
{
    allocated -= block != NULL;
    __real_free(block);
}

/* ---- what was computed before ---- */

struct key {
    uint64_t words[2];
};

struct result {
    struct result *next;
    struct key key;
    int code;
    uint64_t drawn; /* of the stream, afterwards */
    size_t len;
    uint8_t out[];
};

static struct result *results[BUCKETS];

struct inputs {
    uint8_t bytes[INPUT_MAX];
    size_t len;
};

static void put(struct inputs *in, const void *data, size_t len)
{
    if (len > sizeof in->bytes - in->len)
        abort();
    memcpy(in->bytes + in->len, data, len);
    in->len += len;
}

/* Two independent sums of 64 bits: nobody attacks it. */
static struct key key_of(const struct inputs *in)
{
    struct key key = { { in->len, ~in->len } };
    for (size_t at = 0; at < in->len; at += 8) {
        uint64_t word = 0;
        memcpy(&word, in->bytes + at, in->len - at < 8 ? in->len - at : 8);
        key.words[0] = mixed(key.words[0] ^ word);
        key.words[1] = mixed(key.words[1] + word * UINT64_C(0x9e3779b97f4a7c15));
    }
    return key;
}

static struct result **place(const struct inputs *in, struct key *key)
{
    *key = key_of(in);
    struct result **at = &results[key->words[0] % BUCKETS];
    while (*at != NULL && memcmp(&(*at)->key, key, sizeof *key) != 0)
        at = &(*at)->next;
    return at;
}

/* A new result of `len` bytes, zero. */
static struct result *remember(struct result **at, const struct key *key, size_t len)
{
    struct result *result = __real_calloc(1, sizeof *result + len);
    if (result == NULL)
        abort();
    result->key = *key;
    result->len = len;
    *at = result;
    return result;
}

enum dh_result __wrap_dh_keypair(const struct dh_group *group, const struct rng *rng, uint8_t *private_key,
                                 uint8_t *public_value)
{
    if (rng->fill != fill)
        return __real_dh_keypair(group, rng, private_key, public_value);
    struct sim_rng *r = drawn_from(rng->context);
    struct inputs in = { .len = 0 };
    struct key key;
    put(&in, "keypair", 7);
    put(&in, &group->id, sizeof group->id);
    put(&in, &r->stream, sizeof r->stream);
    put(&in, &r->drawn, sizeof r->drawn);
    struct result **at = place(&in, &key);
    if (*at == NULL) {
        const long before = allocated;
        struct result *result = remember(at, &key, group->private_len + group->len);
        result->code = __real_dh_keypair(group, rng, result->out, result->out + group->private_len);
        result->drawn = r->drawn;
        allocated = before; /* the generator's table stays */
    }
    memcpy(private_key, (*at)->out, group->private_len);
    memcpy(public_value, (*at)->out + group->private_len, group->len);
    r->drawn = (*at)->drawn;
    return (enum dh_result)(*at)->code;
}

enum dh_result __wrap_dh_shared(const struct dh_group *group, const uint8_t *private_key, const uint8_t *peer_public,
                                size_t peer_len, uint8_t *shared)
{
    struct inputs in = { .len = 0 };
    struct key key;
    put(&in, "shared", 6);
    put(&in, &group->id, sizeof group->id);
    put(&in, private_key, group->private_len);
    put(&in, peer_public, peer_len);
    struct result **at = place(&in, &key);
    if (*at == NULL) {
        struct result *result = remember(at, &key, group->len);
        result->code = __real_dh_shared(group, private_key, peer_public, peer_len, result->out);
    }
    memcpy(shared, (*at)->out, group->len);
    return (enum dh_result)(*at)->code;
}

static void put_signed(struct inputs *in, const uint8_t *public_key, const char *context, const void *data, size_t len)
{
    put(in, public_key, IDENTITY_PUBLIC_LEN);
    put(in, context, strlen(context) + 1);
    put(in, data, len);
}

int __wrap_identity_sign(const struct identity *identity, const char *context, const void *data, size_t len,
                         uint8_t *signature)
{
    struct inputs in = { .len = 0 };
    struct key key;
    put(&in, "sign", 4);
    put_signed(&in, identity->public_key, context, data, len);
    struct result **at = place(&in, &key);
    if (*at == NULL) {
        struct result *result = remember(at, &key, IDENTITY_SIGNATURE_LEN);
        result->code = __real_identity_sign(identity, context, data, len, result->out);
    }
    memcpy(signature, (*at)->out, IDENTITY_SIGNATURE_LEN);
    return (*at)->code;
}

int __wrap_identity_verify(const uint8_t *public_key, const char *context, const void *data, size_t len,
                           const uint8_t *signature)
{
    struct inputs in = { .len = 0 };
    struct key key;
    put(&in, "verify", 6);
    put_signed(&in, public_key, context, data, len);
    put(&in, signature, IDENTITY_SIGNATURE_LEN);
    struct result **at = place(&in, &key);
    if (*at == NULL)
        remember(at, &key, 0)->code = __real_identity_verify(public_key, context, data, len, signature);
    return (*at)->code;
}
