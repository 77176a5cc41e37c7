#include "kdc/code.h"

#include "crypto/secret.h"

#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>

#define INVITATION_CHARACTERS 20
#define GROUP_LEN 5

static const char base32[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

const char *code_purpose_word(enum code_purpose purpose)
{
    return purpose == CODE_ACTIVATE ? "activate" : "deactivate";
}

int code_mailed_make(const struct rng *rng, char code[CODE_MAILED_ROOM])
{
    static const uint32_t values = 1000000;
    uint32_t drawn;
    do {
        if (rng_fill(rng, (uint8_t *)&drawn, sizeof drawn) != 0)
            return -1;
    } while (drawn >= UINT32_MAX - UINT32_MAX % values); /* those above would make some values likelier */
    drawn %= values;
    for (size_t i = CODE_MAILED_DIGITS; i-- > 0; drawn /= 10)
        code[i] = (char)('0' + drawn % 10);
    code[CODE_MAILED_DIGITS] = '\0';
    secret_wipe(&drawn, sizeof drawn);
    return 0;
}

int code_invitation_make(const struct rng *rng, char code[CODE_INVITATION_ROOM])
{
    uint8_t drawn[INVITATION_CHARACTERS];
    if (rng_fill(rng, drawn, sizeof drawn) != 0)
        return -1;
    char *at = code;
    for (size_t i = 0; i < INVITATION_CHARACTERS; i++) {
        if (i > 0 && i % GROUP_LEN == 0)
            *at++ = '-';
        *at++ = base32[drawn[i] % 32];
    }
    *at = '\0';
    secret_wipe(drawn, sizeof drawn);
    return 0;
}

static void hash(const char *label, const uint8_t *bound, size_t bound_len, const char *code, size_t len,
                 char digest[CODE_DIGEST_ROOM])
{
    struct sha512_ctx context;
    uint8_t out[SHA512_256_DIGEST_SIZE];
    sha512_256_init(&context);
    sha512_update(&context, strlen(label) + 1, (const uint8_t *)label);
    sha512_update(&context, bound_len, bound);
    sha512_update(&context, len, (const uint8_t *)code);
    sha512_256_digest(&context, sizeof out, out);
    for (size_t i = 0; i < sizeof out; i++)
        (void)snprintf(digest + 2 * i, 3, "%02x", out[i]);
    secret_wipe(&context, sizeof context);
    secret_wipe_residue();
}

/* What was typed without blanks and hyphens; -1: not `len` characters. */
static int strip(struct bytes typed, char *out, size_t len)
{
    size_t found = 0;
    for (size_t i = 0; i < typed.len; i++) {
        const char c = (char)typed.data[i];
        if (c == ' ' || c == '-')
            continue;
        if (found == len)
            return -1;
        out[found++] = c;
    }
    return found == len ? 0 : -1;
}

int code_mailed_digest(enum code_purpose purpose, uint64_t user, struct bytes typed, char digest[CODE_DIGEST_ROOM])
{
    char code[CODE_MAILED_DIGITS] = { 0 };
    uint8_t bound[1 + sizeof user] = { (uint8_t)purpose };
    bool good = strip(typed, code, sizeof code) == 0;
    for (size_t i = 0; i < sizeof code; i++)
        good = good && code[i] >= '0' && code[i] <= '9';
    for (size_t i = 0; i < sizeof user; i++)
        bound[1 + i] = (uint8_t)(user >> (8 * (sizeof user - 1 - i)));
    if (good)
        hash("kdc-chat mailed code", bound, sizeof bound, code, sizeof code, digest);
    secret_wipe(code, sizeof code);
    return good ? 0 : -1;
}

/* As it was shown; '\0': it isn't a character of a code. */
static char meant(char c)
{
    if (c >= 'a' && c <= 'z')
        c = (char)(c - 'a' + 'A');
    if (c == 'O')
        c = '0';
    if (c == 'I' || c == 'L')
        c = '1';
    return c != '\0' && strchr(base32, c) != NULL ? c : '\0';
}

int code_invitation_digest(struct bytes typed, char digest[CODE_DIGEST_ROOM])
{
    char code[INVITATION_CHARACTERS] = { 0 };
    bool good = strip(typed, code, sizeof code) == 0;
    for (size_t i = 0; good && i < sizeof code; i++) {
        code[i] = meant(code[i]);
        good = code[i] != '\0';
    }
    if (good)
        hash("kdc-chat invitation", NULL, 0, code, sizeof code, digest);
    secret_wipe(code, sizeof code);
    return good ? 0 : -1;
}
