#include "kdc/identity_file.h"

#include "crypto/secret.h"
#include "kdc/secret_file.h"

#include <stdio.h>
#include <unistd.h>

#define HEX_LEN ((size_t)2 * IDENTITY_SEED_LEN)

_Static_assert(IDENTITY_FILE_ERROR_MAX >= SECRET_FILE_ERROR_MAX, "one is written into the other");

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The identity of a line of hexadecimal digits; NULL when it is none, or memory is out. */
static struct identity *identity_parse(const char *text, size_t len)
{
    struct identity *identity = NULL;
    uint8_t seed[IDENTITY_SEED_LEN]; /* secret */
    if (len != HEX_LEN)
        return NULL;
    for (size_t i = 0; i < sizeof seed; i++) {
        int high = hex_digit(text[2 * i]);
        int low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            goto out;
        seed[i] = (uint8_t)(high << 4 | low);
    }
    identity = identity_from_seed(seed);
out:
    secret_wipe(seed, sizeof seed);
    return identity;
}

enum identity_file_result identity_file_load(const char *path, struct identity **identity,
                                             char error[IDENTITY_FILE_ERROR_MAX])
{
    enum identity_file_result result = IDENTITY_FILE_FAILED;
    char *text = NULL; /* secret */
    size_t len = 0;
    *identity = NULL;

    int fd = secret_file_open_own(path, "the identity", error);
    if (fd == SECRET_FILE_MISSING) {
        (void)snprintf(error, IDENTITY_FILE_ERROR_MAX, "%s: there is no identity yet", path);
        return IDENTITY_FILE_MISSING;
    }
    if (fd < 0)
        return IDENTITY_FILE_FAILED;
    if (secret_fd_read(fd, path, &text, &len, error) != 0)
        goto out;
    *identity = identity_parse(text, len);
    if (*identity == NULL) {
        (void)snprintf(
            error, IDENTITY_FILE_ERROR_MAX,
            "%s: holds no identity (one line of %d hexadecimal digits): put back the right file from your copy", path,
            (int)HEX_LEN);
        goto out;
    }
    result = IDENTITY_FILE_OK;
out:
    (void)close(fd);
    secret_free(&text);
    return result;
}

/* Writes a fresh identity's seed. 0: made; 1: somebody else has made one; -1: neither. */
static int identity_make(const char *path, const struct rng *rng, char error[IDENTITY_FILE_ERROR_MAX])
{
    int made = -1;
    struct identity *identity = identity_new(rng);
    char *text = secret_alloc(HEX_LEN + 1);
    if (identity == NULL || text == NULL) {
        (void)snprintf(error, IDENTITY_FILE_ERROR_MAX, "%s: no identity can be made: memory or randomness is out",
                       path);
    } else {
        static const char digits[] = "0123456789abcdef";
        for (size_t i = 0; i < IDENTITY_SEED_LEN; i++) {
            text[2 * i] = digits[identity->seed[i] >> 4];
            text[2 * i + 1] = digits[identity->seed[i] & 15];
        }
        made = secret_file_make(path, text, error);
    }
    secret_free(&text);
    identity_free(&identity);
    return made;
}

enum identity_file_result identity_file_load_or_make(const char *path, const struct rng *rng,
                                                     struct identity **identity, char error[IDENTITY_FILE_ERROR_MAX])
{
    enum identity_file_result result = identity_file_load(path, identity, error);
    if (result != IDENTITY_FILE_MISSING)
        return result;
    int made = identity_make(path, rng, error);
    if (made < 0)
        return IDENTITY_FILE_FAILED;
    result = identity_file_load(path, identity, error);
    if (result == IDENTITY_FILE_MISSING)
        result = IDENTITY_FILE_FAILED;
    return result == IDENTITY_FILE_OK && made == 0 ? IDENTITY_FILE_MADE : result;
}
