/* crypto_support.c: what the crypto room's tests share. */
#include "tests/unit/cmocka_all.h"

#include "tests/unit/crypto_support.h"

#include <stdlib.h>
#include <string.h>

size_t unhex(const char *text, uint8_t *bytes, size_t room)
{
    size_t len = strlen(text) / 2;
    assert_int_equal(strlen(text) % 2, 0);
    assert_true(len <= room);
    for (size_t i = 0; i < len; i++) {
        const char pair[3] = { text[2 * i], text[2 * i + 1], '\0' };
        char *end;
        bytes[i] = (uint8_t)strtoul(pair, &end, 16);
        assert_ptr_equal(end, pair + 2);
    }
    return len;
}

void assert_hex(const uint8_t *bytes, size_t len, const char *text)
{
    uint8_t expected[2048];
    assert_int_equal(unhex(text, expected, sizeof expected), len);
    assert_memory_equal(bytes, expected, len);
}

void assert_all(const uint8_t *bytes, size_t len, uint8_t value)
{
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(bytes[i], value);
    }
}

static int fill_scripted(void *context, uint8_t *out, size_t len)
{
    struct scripted_rng *script = context;
    if (script->len < len) {
        return -1;
    }
    memcpy(out, script->bytes, len);
    script->bytes += len;
    script->len -= len;
    return 0;
}

struct rng scripted_rng(struct scripted_rng *script)
{
    return (struct rng){ .fill = fill_scripted, .context = script };
}
