#include "kdc/ticket_keys.h"

#include "crypto/secret.h"
#include "kdc/secret_file.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIVE 2
#define LINE_MAX_LEN (20 + 1 + 10 + 1 + 2 * TICKET_KEY_LEN + 1)

_Static_assert(TICKET_KEYS_ERROR_MAX >= SECRET_FILE_ERROR_MAX, "one is written into the other");

static const char step_label[] = "kdc-chat v1 next ticket key";

/* Secret memory. */
struct ticket_keys {
    pthread_mutex_t lock; /* of what follows; held for a copy only */
    uint64_t older;       /* period of live[0]; live[1] is the next one's */
    uint8_t live[LIVE][TICKET_KEY_LEN];
    /* Constant. */
    unsigned lifetime;
    char *path; /* NULL: none */
};

static void step(const uint8_t key[TICKET_KEY_LEN], uint8_t next[TICKET_KEY_LEN])
{
    hkdf_sha512_expand(key, step_label, sizeof step_label - 1, next, TICKET_KEY_LEN);
}

/* The older of the two that are live now. */
static uint64_t older_now(unsigned lifetime, uint64_t now)
{
    const uint64_t period = now / lifetime;
    return period == 0 ? 0 : period - 1;
}

static struct ticket_keys *keys_new(const char *path, unsigned lifetime, uint64_t older,
                                    const uint8_t key[TICKET_KEY_LEN])
{
    struct ticket_keys *keys = secret_alloc(sizeof *keys);
    if (keys == NULL || pthread_mutex_init(&keys->lock, NULL) != 0) {
        secret_free(&keys);
        return NULL;
    }
    keys->lifetime = lifetime;
    keys->older = older;
    memcpy(keys->live[0], key, TICKET_KEY_LEN);
    step(keys->live[0], keys->live[1]);
    if (path != NULL && (keys->path = strdup(path)) == NULL)
        ticket_keys_free(&keys);
    return keys;
}

struct ticket_keys *ticket_keys_new(unsigned lifetime, uint64_t now, const uint8_t key[TICKET_KEY_LEN])
{
    return keys_new(NULL, lifetime, older_now(lifetime, now), key);
}

void ticket_keys_free(struct ticket_keys **keys)
{
    if (*keys == NULL)
        return;
    (void)pthread_mutex_destroy(&(*keys)->lock);
    free((*keys)->path);
    secret_free(keys);
}

unsigned ticket_keys_lifetime(const struct ticket_keys *keys)
{
    return keys->lifetime;
}

/* ---- the file ---- */

/* Decimal digits up to a space, without a needless zero in front; *at goes behind the space. */
static bool take_number(const char **at, const char *end, uint64_t max, uint64_t *number)
{
    const char *first = *at;
    *number = 0;
    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
        const uint64_t digit = (uint64_t)(**at - '0');
        if (*number > (max - digit) / 10)
            return false;
        *number = *number * 10 + digit;
    }
    if (*at == first || (*first == '0' && *at - first > 1) || *at == end || **at != ' ')
        return false;
    (*at)++;
    return true;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int parse(const char *text, size_t len, uint64_t *period, uint64_t *lifetime, uint8_t key[TICKET_KEY_LEN])
{
    const char *at = text;
    const char *end = text + len;
    if (!take_number(&at, end, UINT64_MAX - 1, period) || !take_number(&at, end, UINT32_MAX, lifetime) ||
        end - at != 2 * TICKET_KEY_LEN)
        return -1;
    for (size_t i = 0; i < TICKET_KEY_LEN; i++) {
        const int high = hex_digit(at[2 * i]);
        const int low = hex_digit(at[2 * i + 1]);
        if (high < 0 || low < 0)
            return -1;
        key[i] = (uint8_t)(high << 4 | low);
    }
    return 0;
}

/* What a file of these would hold, in secret memory; NULL when memory is out. */
static char *print(uint64_t period, unsigned lifetime, const uint8_t key[TICKET_KEY_LEN])
{
    static const char digits[] = "0123456789abcdef";
    char *text = secret_alloc(LINE_MAX_LEN);
    if (text == NULL)
        return NULL;
    int at = snprintf(text, LINE_MAX_LEN, "%llu %u ", (unsigned long long)period, lifetime);
    for (size_t i = 0; i < TICKET_KEY_LEN; i++) {
        text[at++] = digits[key[i] >> 4];
        text[at++] = digits[key[i] & 15];
    }
    return text;
}

static int replace(const struct ticket_keys *keys, char error[TICKET_KEYS_ERROR_MAX])
{
    char *text = print(keys->older, keys->lifetime, keys->live[0]);
    int result = -1;
    if (text == NULL)
        (void)snprintf(error, TICKET_KEYS_ERROR_MAX, "%s: can't be written: memory is out", keys->path);
    else
        result = secret_file_replace(keys->path, text, error);
    secret_free(&text);
    return result;
}

/* 0; SECRET_FILE_MISSING; -1 with `error`. */
static int read_file(const char *path, uint64_t *period, uint64_t *lifetime, uint8_t key[TICKET_KEY_LEN],
                     char error[TICKET_KEYS_ERROR_MAX])
{
    char *text = NULL; /* secret */
    size_t len = 0;
    const int fd = secret_file_open_own(path, "the tickets' key", error);
    if (fd < 0)
        return fd;
    int result = secret_fd_read(fd, path, &text, &len, error);
    if (result == 0 && parse(text, len, period, lifetime, key) != 0) {
        (void)snprintf(error, TICKET_KEYS_ERROR_MAX,
                       "%s: holds no tickets' key; delete it, and a fresh one is made at the next start", path);
        result = -1;
    }
    (void)close(fd);
    secret_free(&text);
    return result;
}

/* Steps `key` on from `period` to `to`. False when that is too far. */
static bool step_to(uint64_t *period, uint8_t key[TICKET_KEY_LEN], uint64_t to)
{
    if (to > *period && to - *period > TICKET_KEYS_STEPS_MAX)
        return false;
    for (; *period < to; (*period)++)
        step(key, key);
    return true;
}

/* A fresh key's file, unless somebody else is quicker. 0: made; 1: there is one; -1 with `error`. */
static int make_file(const char *path, unsigned lifetime, uint64_t older, const struct rng *rng,
                     char error[TICKET_KEYS_ERROR_MAX])
{
    uint8_t key[TICKET_KEY_LEN]; /* secret */
    char *text = rng_fill(rng, key, sizeof key) == 0 ? print(older, lifetime, key) : NULL;
    int made = -1;
    if (text == NULL)
        (void)snprintf(error, TICKET_KEYS_ERROR_MAX, "%s: no key can be made: memory or randomness is out", path);
    else
        made = secret_file_make(path, text, error);
    secret_wipe(key, sizeof key);
    secret_free(&text);
    return made;
}

enum ticket_keys_result ticket_keys_load(const char *path, unsigned lifetime, uint64_t now, const struct rng *rng,
                                         struct ticket_keys **keys, char error[TICKET_KEYS_ERROR_MAX])
{
    enum ticket_keys_result result = TICKET_KEYS_FAILED;
    const uint64_t older = older_now(lifetime, now);
    uint8_t key[TICKET_KEY_LEN] = { 0 }; /* secret */
    uint64_t period = 0;
    uint64_t of_lifetime = 0;
    *keys = NULL;

    int made = 1;
    int there = read_file(path, &period, &of_lifetime, key, error);
    if (there == SECRET_FILE_MISSING) {
        made = make_file(path, lifetime, older, rng, error);
        there = made < 0 ? -1 : read_file(path, &period, &of_lifetime, key, error);
    }
    if (there != 0)
        goto out;
    const uint64_t held = period;
    bool anew = false;
    if (of_lifetime != lifetime || !step_to(&period, key, older)) {
        anew = true;
        period = older;
        if (rng_fill(rng, key, sizeof key) != 0) {
            (void)snprintf(error, TICKET_KEYS_ERROR_MAX, "%s: no key can be made: randomness is out", path);
            goto out;
        }
    }
    *keys = keys_new(path, lifetime, period, key);
    if (*keys == NULL) {
        (void)snprintf(error, TICKET_KEYS_ERROR_MAX, "%s: memory is out", path);
        goto out;
    }
    if ((anew || period != held) && replace(*keys, error) != 0)
        result = TICKET_KEYS_KEPT;
    else if (anew)
        result = TICKET_KEYS_ANEW;
    else if (period > older)
        result = TICKET_KEYS_AHEAD;
    else
        result = made == 0 ? TICKET_KEYS_MADE : TICKET_KEYS_LOADED;
out:
    secret_wipe(key, sizeof key);
    return result;
}

/* ---- in use ---- */

int ticket_keys_turn(struct ticket_keys *keys, uint64_t now, char error[TICKET_KEYS_ERROR_MAX])
{
    const uint64_t to = older_now(keys->lifetime, now);
    if (to <= keys->older) /* nobody else writes it */
        return 0;
    uint8_t key[TICKET_KEY_LEN]; /* secret */
    uint8_t next[TICKET_KEY_LEN];
    uint64_t period = keys->older;
    memcpy(key, keys->live[0], sizeof key);
    /* A clock that leaps by years gets there in several turns. */
    if (!step_to(&period, key, to))
        (void)step_to(&period, key, period + TICKET_KEYS_STEPS_MAX);
    step(key, next);
    (void)pthread_mutex_lock(&keys->lock);
    keys->older = period;
    memcpy(keys->live[0], key, sizeof key);
    memcpy(keys->live[1], next, sizeof next);
    (void)pthread_mutex_unlock(&keys->lock);
    secret_wipe(key, sizeof key);
    secret_wipe(next, sizeof next);
    return keys->path != NULL && replace(keys, error) != 0 ? 1 : 0;
}

void ticket_keys_newest(struct ticket_keys *keys, uint64_t *period, uint8_t key[TICKET_KEY_LEN])
{
    (void)pthread_mutex_lock(&keys->lock);
    *period = keys->older + 1;
    memcpy(key, keys->live[1], TICKET_KEY_LEN);
    (void)pthread_mutex_unlock(&keys->lock);
}

bool ticket_keys_find(struct ticket_keys *keys, uint64_t period, uint8_t key[TICKET_KEY_LEN])
{
    bool found = false;
    (void)pthread_mutex_lock(&keys->lock);
    if (period >= keys->older && period - keys->older < LIVE) {
        memcpy(key, keys->live[period - keys->older], TICKET_KEY_LEN);
        found = true;
    }
    (void)pthread_mutex_unlock(&keys->lock);
    return found;
}
