/* password.c: bcrypt by libxcrypt, whose scratch we own, and strict reading of stored hashes. */
#include "crypto/password.h"

#include "crypto/secret.h"

#include <crypt.h>
#include <stdint.h>
#include <string.h>

#define PASSWORD_MAX 72 /* bytes: bcrypt sees no more */
#define PREFIX "$2b$"
#define PREFIX_LEN 4
#define SALT_AT 7 /* after "$2b$12$" */
#define SALT_RANDOM_LEN 16
#define DIGEST_AT 29 /* after the salt's 22 characters */
#define HASH_CHARACTERS (PASSWORD_HASH_LEN - 1)
#define STORED_COST_MIN 4
#define STORED_COST_MAX 31

/* 53 characters behind a cost: no password is known for it. */
#define NOBODY_SALT_AND_DIGEST "Mx7bIuC0oEwrq3l1Yw9Jne5GdK1zUPd1vTR0hJ8pXcFs6LmVaQyKO"

_Static_assert(SALT_AT + sizeof NOBODY_SALT_AND_DIGEST == PASSWORD_HASH_LEN, "a whole hash");

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_bcrypt_character(char c)
{
    return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' || c == '/';
}

static unsigned cost_of(const char *hash)
{
    return 10 * (unsigned)(hash[PREFIX_LEN] - '0') + (unsigned)(hash[PREFIX_LEN + 1] - '0');
}

static bool fits(const char *password)
{
    return strnlen(password, PASSWORD_MAX + 1) <= PASSWORD_MAX;
}

bool password_hash_valid(const char *hash)
{
    if (strnlen(hash, PASSWORD_HASH_LEN) != HASH_CHARACTERS || hash[0] != '$' || hash[1] != '2' ||
        (hash[2] != 'a' && hash[2] != 'b' && hash[2] != 'y') || hash[3] != '$' || !is_digit(hash[PREFIX_LEN]) ||
        !is_digit(hash[PREFIX_LEN + 1]) || hash[PREFIX_LEN + 2] != '$') {
        return false;
    }
    for (size_t i = SALT_AT; i < HASH_CHARACTERS; i++) {
        if (!is_bcrypt_character(hash[i])) {
            return false;
        }
    }
    return cost_of(hash) >= STORED_COST_MIN && cost_of(hash) <= STORED_COST_MAX;
}

bool password_hash_outdated(const char *hash, unsigned cost)
{
    return !password_hash_valid(hash) || strncmp(hash, PREFIX, PREFIX_LEN) != 0 || cost_of(hash) != cost;
}

enum password_result password_hash(const char *password, unsigned cost, const struct rng *rng,
                                   char hash[PASSWORD_HASH_LEN])
{
    uint8_t random[SALT_RANDOM_LEN];
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    struct crypt_data *scratch = NULL;
    enum password_result result = PASSWORD_FAILED;

    memset(hash, 0, PASSWORD_HASH_LEN);
    if (!fits(password) || cost < PASSWORD_COST_MIN || cost > PASSWORD_COST_MAX ||
        rng_fill(rng, random, sizeof random) != 0 ||
        crypt_gensalt_rn(PREFIX, cost, (const char *)random, sizeof random, setting, sizeof setting) == NULL) {
        goto out;
    }
    scratch = secret_alloc(sizeof *scratch);
    if (scratch == NULL) {
        goto out;
    }
    const char *made = crypt_rn(password, setting, scratch, sizeof *scratch);
    if (made == NULL || !password_hash_valid(made)) {
        goto out;
    }
    memcpy(hash, made, PASSWORD_HASH_LEN);
    result = PASSWORD_MATCH;

out:
    secret_free(&scratch);
    return result;
}

enum password_result password_verify(const char *password, const char *hash)
{
    if (!password_hash_valid(hash)) {
        return PASSWORD_BAD_HASH;
    }
    struct crypt_data *scratch = secret_alloc(sizeof *scratch);
    if (scratch == NULL) {
        return PASSWORD_FAILED;
    }
    /* One that is too long never matches, in the same time: bcrypt would cut it. */
    bool whole = fits(password);
    const char *made = crypt_rn(whole ? password : "", hash, scratch, sizeof *scratch);
    enum password_result result = PASSWORD_FAILED;
    if (made != NULL && password_hash_valid(made)) {
        /* The digest alone: of the salt's last character two bits count, and libxcrypt clears the others. */
        bool equal = secret_equal(made + DIGEST_AT, hash + DIGEST_AT, HASH_CHARACTERS - DIGEST_AT);
        result = equal && whole ? PASSWORD_MATCH : PASSWORD_MISMATCH;
    }
    secret_free(&scratch);
    return result;
}

void password_verify_nobody(const char *password, unsigned cost)
{
    char hash[PASSWORD_HASH_LEN] = PREFIX "00$" NOBODY_SALT_AND_DIGEST;
    cost = cost < STORED_COST_MIN ? STORED_COST_MIN : cost;
    cost = cost > STORED_COST_MAX ? STORED_COST_MAX : cost;
    hash[PREFIX_LEN] = (char)('0' + cost / 10);
    hash[PREFIX_LEN + 1] = (char)('0' + cost % 10);
    enum password_result ignored = password_verify(password, hash);
    (void)ignored;
}
