#include "client/cli/printable.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#define REPLACEMENT 0xFFFD
#define EMOJI_PRESENTATION 0xFE0F
/* What one byte may become: "<U+0000>" for a two-byte character, four spaces, or three bytes of a picture. */
#define GROWTH 4

/* The code point at the start of `text` (len at least 1) and its length; REPLACEMENT and 1 for what is no UTF-8. */
static size_t next_code_point(const char *text, size_t len, int32_t *code_point)
{
    utf8proc_int32_t decoded;
    utf8proc_ssize_t used =
        utf8proc_iterate((const utf8proc_uint8_t *)text, len > 4 ? 4 : (utf8proc_ssize_t)len, &decoded);
    if (used <= 0) {
        *code_point = REPLACEMENT;
        return 1;
    }
    *code_point = decoded;
    return (size_t)used;
}

static bool is_misleading(int32_t c)
{
    return (c >= 0x80 && c <= 0x9F)                                        /* C1 controls */
           || c == 0x061C || c == 0x200E || c == 0x200F                    /* marks of direction */
           || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) /* embeddings, overrides, isolates */
           || (c >= 0x206A && c <= 0x206F)                                 /* deprecated format controls */
           || c == 0x2028 || c == 0x2029                                   /* line and paragraph separators */
           || (c >= 0xFFF9 && c <= 0xFFFB);                                /* interlinear annotation */
}

static size_t put_code_point(int32_t code_point, char *out)
{
    return (size_t)utf8proc_encode_char(code_point, (utf8proc_uint8_t *)out);
}

char *printable(const char *text, size_t len, bool newlines)
{
    if (len > (SIZE_MAX - 1) / GROWTH) {
        return NULL;
    }
    char *out = malloc(len * GROWTH + 1);
    if (out == NULL) {
        return NULL;
    }
    size_t written = 0;
    for (size_t at = 0; at < len;) {
        int32_t c;
        size_t used = next_code_point(text + at, len - at, &c);
        if (c == '\n' && newlines) {
            out[written++] = '\n';
        } else if (c == '\t') {
            memcpy(out + written, "    ", 4);
            written += 4;
        } else if (c < 0x20) {
            written += put_code_point(0x2400 + c, out + written);
        } else if (c == 0x7F) {
            written += put_code_point(0x2421, out + written);
        } else if (is_misleading(c)) {
            char shown[16];
            int shown_len = snprintf(shown, sizeof shown, "<U+%04X>", (unsigned)c);
            memcpy(out + written, shown, (size_t)shown_len);
            written += (size_t)shown_len;
        } else {
            written += put_code_point(c, out + written);
        }
        at += used;
    }
    out[written] = '\0';
    return out;
}

size_t cluster_len(const char *text, size_t len)
{
    if (len == 0) {
        return 0;
    }
    int32_t before;
    size_t at = next_code_point(text, len, &before);
    utf8proc_int32_t state = 0;
    while (at < len) {
        int32_t c;
        size_t used = next_code_point(text + at, len - at, &c);
        if (utf8proc_grapheme_break_stateful(before, c, &state)) {
            break;
        }
        before = c;
        at += used;
    }
    return at;
}

size_t cluster_len_before(const char *text, size_t len)
{
    /* Clusters can only be found from a start that is known. A newline always is one. */
    size_t at = len > 0 ? len - 1 : 0;
    while (at > 0 && text[at - 1] != '\n') {
        at--;
    }
    size_t cluster = 0;
    while (at < len) {
        cluster = cluster_len(text + at, len - at);
        at += cluster;
    }
    return cluster;
}

size_t text_width(const char *text, size_t len)
{
    size_t width = 0;
    for (size_t at = 0; at < len;) {
        int32_t c;
        at += next_code_point(text + at, len - at, &c);
        int columns = utf8proc_charwidth(c);
        /* This one may turn the character before it into a wide emoji. */
        width += c == EMOJI_PRESENTATION ? 1 : columns > 0 ? (size_t)columns : 0;
    }
    return width;
}
