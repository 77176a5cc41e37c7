#include "tests/support/wire_bytes.h"

#include "wire/frame.h"

#include <stdlib.h>
#include <string.h>

static int digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(digits, c);
    return at == NULL ? -1 : (int)(at - digits);
}

size_t bytes_from(const char *notation, uint8_t *out, size_t room)
{
    size_t len = 0;
    bool quoted = false;
    for (const char *at = notation; *at != '\0'; at++) {
        if (*at == '\'') {
            quoted = !quoted;
            continue;
        }
        if (*at == ' ' && !quoted)
            continue;

        uint8_t value = (uint8_t)*at;
        size_t count = 1;
        if (!quoted) {
            int high = digit(at[0]);
            int low = high < 0 ? -1 : digit(at[1]);
            if (low < 0)
                return SIZE_MAX;
            value = (uint8_t)(high * 16 + low);
            at++;
            if (at[1] == '*') {
                char *end;
                count = strtoul(at + 2, &end, 10);
                at = end - 1;
            }
        }
        if (count > room - len)
            return SIZE_MAX;
        memset(out + len, value, count);
        len += count;
    }
    return quoted ? SIZE_MAX : len;
}

/* A decoded list_reply lends its entries as bytes; the encoder wants an array of them. */
static struct list_entry *gather_entries(struct message *m)
{
    struct list_entry *entries = calloc(m->list_reply.count + 1, sizeof(*entries));
    size_t count = 0;
    while (entries != NULL && count <= m->list_reply.count && message_list_next(&m->list_reply, &entries[count]) == 1)
        count++;
    if (entries != NULL && count != m->list_reply.count) {
        free(entries);
        entries = NULL;
    }
    m->list_reply.entries = entries;
    return entries;
}

enum message_status message_again(struct bytes plain, enum role sender, struct buffer *again)
{
    struct message m;
    enum message_status status = message_decode(plain, sender, &m);
    if (status != MESSAGE_OK)
        return status;

    struct list_entry *entries = m.type == MESSAGE_LIST_REPLY ? gather_entries(&m) : NULL;
    size_t len = message_len(&m);
    uint8_t *at = len == 0 ? NULL : buffer_reserve(again, len);
    if (at != NULL) {
        struct writer w;
        writer_init(&w, at, len);
        buffer_commit(again, message_encode(&m, &w) == 0 ? w.len : 0);
    }
    free(entries);
    return status;
}

int content_again(struct bytes plain, struct buffer *again)
{
    struct content c;
    if (content_decode(plain, &c) != 0)
        return -1;
    size_t len = content_len(&c);
    uint8_t *at = buffer_reserve(again, len);
    if (at != NULL) {
        struct writer w;
        writer_init(&w, at, len);
        buffer_commit(again, content_encode(&c, &w) == 0 ? w.len : 0);
    }
    return 0;
}

int frame_again(struct bytes frame, struct buffer *again)
{
    union {
        struct client_hello client_hello;
        struct hello_retry hello_retry;
        struct server_hello server_hello;
        struct client_finish client_finish;
        struct alert alert;
    } m;
    int put = -1;

    switch (frame.len > FRAME_HEADER_LEN ? frame.data[FRAME_HEADER_LEN] : 0) {
    case FRAME_CLIENT_HELLO:
        if (frame_get_client_hello(frame, &m.client_hello) != 0)
            return -1;
        put = frame_put_client_hello(again, &m.client_hello);
        break;
    case FRAME_HELLO_RETRY:
        if (frame_get_hello_retry(frame, &m.hello_retry) != 0)
            return -1;
        put = frame_put_hello_retry(again, &m.hello_retry);
        break;
    case FRAME_SERVER_HELLO:
        if (frame_get_server_hello(frame, &m.server_hello) != 0)
            return -1;
        put = frame_put_server_hello(again, &m.server_hello);
        break;
    case FRAME_CLIENT_FINISH:
        if (frame_get_client_finish(frame, &m.client_finish) != 0)
            return -1;
        put = frame_put_client_finish(again, &m.client_finish);
        break;
    case FRAME_ALERT:
        if (frame_get_alert(frame, &m.alert) != 0)
            return -1;
        put = frame_put_alert(again, &m.alert);
        break;
    default:
        return -1;
    }
    if (put != 0)
        buffer_clear(again);
    return 0;
}

bool buffer_holds(const struct buffer *b, struct bytes bytes)
{
    return buffer_len(b) == bytes.len && (bytes.len == 0 || memcmp(buffer_data(b), bytes.data, bytes.len) == 0);
}
