/* What kdcd records: the issue of keys, and the audit log. */
#include "kdc/store_internal.h"
#include "wire/name.h"

#include <stdio.h>
#include <string.h>

enum store_result store_epoch_issue(struct store *store, uint64_t user_a, uint64_t user_b, struct store_epoch *epoch)
{
    const struct store_in in[] = { { .number = user_a }, { .number = user_b } };
    uint64_t number = 0;
    uint64_t conversation = 0;
    size_t rows = 0;
    const struct store_out out[] = { { .number = &conversation }, { .number = &number } };
    enum store_result result = store_call(store, STATEMENT_EPOCH_ISSUE, in, 2, out, 2, NULL, NULL, &rows);
    if (result != STORE_OK)
        return result;
    if (rows == 0)
        return STORE_NOT_FOUND;
    if (conversation == 0 || number == 0 || number > UINT32_MAX) {
        (void)snprintf(store->error, sizeof store->error, "kdc_epoch_issue gave a number that can't be one");
        return STORE_BROKEN;
    }
    epoch->conversation = conversation;
    epoch->epoch = (uint32_t)number;
    return STORE_OK;
}

/* Columns of the audit log, in bytes; what is longer is cut. */
#define EVENT_MAX 64
#define USER_MAX 64
#define SOURCE_MAX 64
#define DETAIL_MAX 255

/* A copy that the column takes: well-formed UTF-8 without control characters, cut to `max` bytes. */
static void text_take(const char *text, char *out, size_t max)
{
    size_t len = strnlen(text, max);
    memcpy(out, text, len);
    while (len > 0 && text[len] != '\0' && ((unsigned char)text[len] & 0xc0) == 0x80)
        len--; /* not in the middle of a character */
    out[len] = '\0';
    bool ascii_only = !utf8_valid((struct bytes){ .data = (const uint8_t *)out, .len = len });
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)out[i];
        if (byte < 0x20 || byte == 0x7f || (ascii_only && byte >= 0x80))
            out[i] = '?';
    }
}

enum store_result store_audit(struct store *store, const char *event, const char *user, const char *source,
                              const char *detail)
{
    char event_text[EVENT_MAX + 1];
    char user_text[USER_MAX + 1];
    char source_text[SOURCE_MAX + 1];
    char detail_text[DETAIL_MAX + 1];
    text_take(event, event_text, EVENT_MAX);
    text_take(user, user_text, USER_MAX);
    text_take(source, source_text, SOURCE_MAX);
    text_take(detail, detail_text, DETAIL_MAX);
    const struct store_in in[] = {
        { .text = event_text }, { .text = user_text }, { .text = source_text }, { .text = detail_text }
    };
    return store_call(store, STATEMENT_AUDIT, in, 4, NULL, 0, NULL, NULL, NULL);
}
