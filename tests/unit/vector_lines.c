/* The lines of the test vector, and the document's formulas behind them. */
#include "tests/unit/vector_internal.h"

#include <string.h>

void vector_check(struct vector *v, bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "test vector: %s\n", what);
    v->failed = true;
}

void vector_comment(struct vector *v, const char *text)
{
    fprintf(v->out, "\n# %s\n", text);
}

void vector_line(struct vector *v, const char *prefix, const char *name, const void *data, size_t len)
{
    const uint8_t *bytes = data;

    fprintf(v->out, "%s%s = ", prefix, name);
    for (size_t i = 0; i < len; i++)
        fprintf(v->out, "%02x", bytes[i]);
    fputc('\n', v->out);
}

void vector_person_line(struct vector *v, const struct person *p, const char *name, const void *data, size_t len)
{
    vector_line(v, p->prefix, name, data, len);
}

void vector_expand(const uint8_t prk[64], const void *info, size_t info_len, uint8_t *out, size_t len)
{
    uint8_t input[64 + 256 + 1], first[64], second[64];

    memcpy(input, info, info_len);
    input[info_len] = 1;
    hmac_sha512(prk, 64, input, info_len + 1, first);
    memcpy(input, first, 64);
    memcpy(input + 64, info, info_len);
    input[64 + info_len] = 2;
    hmac_sha512(prk, 64, input, 64 + info_len + 1, second);
    memcpy(out, first, len < 64 ? len : 64);
    if (len > 64)
        memcpy(out + 64, second, len - 64);
}

void vector_expand_label(const uint8_t prk[64], const char *label, uint8_t out[64])
{
    char info[64];
    int len = snprintf(info, sizeof(info), "kdc-chat v1 %s", label);
    vector_expand(prk, info, (size_t)len, out, 64);
}

/* vector_derive(suite, secret, info): key and IV. c = 0 does for every key in this exchange. */
void vector_derive(const struct suite *suite, const uint8_t secret[64], const char *label, uint8_t *key, uint8_t *iv)
{
    uint8_t material[SUITE_KEY_MAX + SUITE_IV_MAX];
    char info[64];
    int len = snprintf(info, sizeof(info) - 1, "kdc-chat v1 %s", label);

    info[len] = 0;
    vector_expand(secret, info, (size_t)len + 1, material, suite->key_len + suite->iv_len);
    if (suite->id == SUITE_3DES_CBC_HMAC_SHA512)
        tdes_key_set_parity(material);
    memcpy(key, material, suite->key_len);
    memcpy(iv, material + suite->key_len, suite->iv_len);
}
