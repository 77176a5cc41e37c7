#include "tests/unit/fixed_rng.h"

#include <stdio.h>
#include <string.h>

#define PREFIX "kdc-chat test vector"

static void block(const char *name, uint64_t counter, uint8_t out[SHA512_LEN])
{
    uint8_t input[128];
    size_t len = (size_t)snprintf((char *)input, sizeof(input) - 8, "%s%s", PREFIX, name);

    for (int shift = 56; shift >= 0; shift -= 8)
        input[len++] = (uint8_t)(counter >> shift);
    sha512_hash(input, len, out);
}

static int fill(void *context, uint8_t *out, size_t len)
{
    struct fixed_rng *r = context;
    uint8_t bytes[SHA512_LEN];

    if (len > r->fail_at - r->drawn)
        return -1;
    for (size_t i = 0; i < len; i++) {
        size_t at = (size_t)(r->drawn % SHA512_LEN);
        if (i == 0 || at == 0)
            block(r->name, r->drawn / SHA512_LEN, bytes);
        out[i] = bytes[at];
        r->drawn++;
    }
    return 0;
}

void fixed_rng_init(struct fixed_rng *r, const char *name)
{
    *r = (struct fixed_rng){ .rng = { .fill = fill, .context = r }, .name = name, .fail_at = UINT64_MAX };
}
