#include "wire/frame.h"

#include "wire/codec.h"

#include <string.h>

_Static_assert(PLAIN_FRAME_MAX >= SERVER_HELLO_MAX, "a server_hello fits");

enum frame_status frame_peek(const uint8_t *data, size_t len, size_t limit, size_t *frame_len)
{
    *frame_len = FRAME_HEADER_LEN;
    if (len < FRAME_HEADER_LEN)
        return FRAME_MORE;

    struct reader r;
    reader_init(&r, data, FRAME_HEADER_LEN);
    size_t body = reader_u32(&r);
    if (body == 0)
        return FRAME_EMPTY;
    if (body > limit)
        return FRAME_TOO_LONG;
    *frame_len = FRAME_HEADER_LEN + body;
    return len < *frame_len ? FRAME_MORE : FRAME_READY;
}

const char *frame_type_name(unsigned type)
{
    static const char *const names[] = {
        [FRAME_CLIENT_HELLO] = "client_hello",
        [FRAME_HELLO_RETRY] = "hello_retry",
        [FRAME_SERVER_HELLO] = "server_hello",
        [FRAME_CLIENT_FINISH] = "client_finish",
        [FRAME_ALERT] = "alert",
    };
    if (type >= sizeof(names) / sizeof(names[0]) || names[type] == NULL)
        return "unknown";
    return names[type];
}

/* ---- encoders: into a room of their own first, so that a frame that can't be made leaves nothing behind ---- */

static void put_header(struct writer *w, uint8_t room[PLAIN_FRAME_MAX], enum frame_type type)
{
    writer_init(w, room, PLAIN_FRAME_MAX);
    writer_u32(w, 0); /* the length, once it is known */
    writer_u8(w, (uint8_t)type);
}

static int put_end(struct writer *w, struct buffer *out)
{
    if (writer_end(w) != 0)
        return -1;
    struct writer header;
    writer_init(&header, w->data, FRAME_HEADER_LEN);
    writer_u32(&header, (uint32_t)(w->len - FRAME_HEADER_LEN));
    return buffer_append(out, w->data, w->len);
}

static void put_public(struct writer *w, struct bytes dh_public)
{
    if (dh_public.len < 1 || dh_public.len > DH_PUBLIC_MAX)
        writer_fail(w);
    writer_vec16(w, dh_public.data, dh_public.len);
}

static void put_numbers(struct writer *w, const uint16_t *numbers, size_t count, size_t max)
{
    if (count < 1 || count > max) {
        writer_fail(w);
        return;
    }
    writer_u8(w, (uint8_t)count);
    for (size_t i = 0; i < count; i++)
        writer_u16(w, numbers[i]);
}

/* What a client_hello says about resuming, which is its end. */
static void put_offer(struct writer *w, const struct client_hello *m)
{
    writer_u8(w, m->resumes ? 1 : 0);
    if (!m->resumes)
        return;
    if (m->ticket.len < 1 || m->ticket.len > TICKET_LEN_MAX)
        writer_fail(w);
    writer_vec16(w, m->ticket.data, m->ticket.len);
    writer_bytes(w, m->binder, sizeof(m->binder));
}

static bool all_different(const uint16_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = i + 1; k < count; k++)
            if (numbers[i] == numbers[k])
                return false;
    return true;
}

int frame_put_client_hello(struct buffer *out, const struct client_hello *m)
{
    uint8_t room[PLAIN_FRAME_MAX];
    struct writer w;
    put_header(&w, room, FRAME_CLIENT_HELLO);
    writer_u16(&w, m->version);
    writer_bytes(&w, m->random, sizeof(m->random));
    writer_u16(&w, m->group);
    put_public(&w, m->dh_public);
    put_numbers(&w, m->suites, m->suite_count, HELLO_SUITES_MAX);
    if (m->suite_count > HELLO_SUITES_MAX || !all_different(m->suites, m->suite_count))
        writer_fail(&w);
    put_offer(&w, m);
    return put_end(&w, out);
}

int frame_put_hello_retry(struct buffer *out, const struct hello_retry *m)
{
    uint8_t room[PLAIN_FRAME_MAX];
    struct writer w;
    put_header(&w, room, FRAME_HELLO_RETRY);
    put_numbers(&w, m->groups, m->group_count, RETRY_GROUPS_MAX);
    return put_end(&w, out);
}

int frame_put_server_hello(struct buffer *out, const struct server_hello *m)
{
    uint8_t room[PLAIN_FRAME_MAX];
    struct writer w;
    put_header(&w, room, FRAME_SERVER_HELLO);
    writer_u16(&w, m->version);
    writer_bytes(&w, m->random, sizeof(m->random));
    writer_u16(&w, m->suite);
    writer_u8(&w, m->resumed ? 1 : 0);
    put_public(&w, m->dh_public);
    writer_bytes(&w, m->identity, sizeof(m->identity));
    writer_bytes(&w, m->signature, sizeof(m->signature));
    writer_bytes(&w, m->confirm, sizeof(m->confirm));
    return put_end(&w, out);
}

int frame_put_client_finish(struct buffer *out, const struct client_finish *m)
{
    uint8_t room[PLAIN_FRAME_MAX];
    struct writer w;
    put_header(&w, room, FRAME_CLIENT_FINISH);
    writer_bytes(&w, m->confirm, sizeof(m->confirm));
    return put_end(&w, out);
}

int frame_put_alert(struct buffer *out, const struct alert *m)
{
    uint8_t room[PLAIN_FRAME_MAX];
    struct writer w;
    put_header(&w, room, FRAME_ALERT);
    if (m->reason <= REASON_NONE || m->reason >= REASON_COUNT)
        writer_fail(&w);
    writer_u8(&w, (uint8_t)m->reason);
    writer_u32(&w, m->retry_after);
    return put_end(&w, out);
}

/* ---- decoders ---- */

static void get_header(struct reader *r, struct bytes frame, enum frame_type type)
{
    reader_init(r, frame.data, frame.len);
    uint32_t body = reader_u32(r);
    if (frame.len < FRAME_HEADER_LEN || body != frame.len - FRAME_HEADER_LEN || reader_u8(r) != (uint8_t)type)
        reader_fail(r);
}

static size_t get_numbers(struct reader *r, uint16_t *numbers, size_t max)
{
    size_t count = reader_u8(r);
    if (count < 1 || count > max) {
        reader_fail(r);
        return 0;
    }
    for (size_t i = 0; i < count; i++)
        numbers[i] = reader_u16(r);
    return count;
}

/* A u8 that is 0 or 1. */
static bool get_flag(struct reader *r)
{
    unsigned flag = reader_u8(r);
    if (flag > 1)
        reader_fail(r);
    return flag == 1;
}

int frame_get_client_hello(struct bytes frame, struct client_hello *m)
{
    struct reader r;
    memset(m, 0, sizeof(*m));
    get_header(&r, frame, FRAME_CLIENT_HELLO);
    m->version = reader_u16(&r);
    reader_copy(&r, m->random, sizeof(m->random));
    m->group = reader_u16(&r);
    m->dh_public = reader_vec16(&r, 1, DH_PUBLIC_MAX);
    m->suite_count = get_numbers(&r, m->suites, HELLO_SUITES_MAX);
    if (!all_different(m->suites, m->suite_count))
        reader_fail(&r);
    m->resumes = get_flag(&r);
    if (m->resumes) {
        m->ticket = reader_vec16(&r, 1, TICKET_LEN_MAX);
        reader_copy(&r, m->binder, sizeof(m->binder));
    }
    if (reader_end(&r) != 0) {
        memset(m, 0, sizeof(*m));
        return -1;
    }
    return 0;
}

int frame_get_hello_retry(struct bytes frame, struct hello_retry *m)
{
    struct reader r;
    memset(m, 0, sizeof(*m));
    get_header(&r, frame, FRAME_HELLO_RETRY);
    m->group_count = get_numbers(&r, m->groups, RETRY_GROUPS_MAX);
    if (reader_end(&r) != 0) {
        memset(m, 0, sizeof(*m));
        return -1;
    }
    return 0;
}

int frame_get_server_hello(struct bytes frame, struct server_hello *m)
{
    struct reader r;
    memset(m, 0, sizeof(*m));
    get_header(&r, frame, FRAME_SERVER_HELLO);
    m->version = reader_u16(&r);
    reader_copy(&r, m->random, sizeof(m->random));
    m->suite = reader_u16(&r);
    m->resumed = get_flag(&r);
    m->dh_public = reader_vec16(&r, 1, DH_PUBLIC_MAX);
    reader_copy(&r, m->identity, sizeof(m->identity));
    reader_copy(&r, m->signature, sizeof(m->signature));
    reader_copy(&r, m->confirm, sizeof(m->confirm));
    if (reader_end(&r) != 0) {
        memset(m, 0, sizeof(*m));
        return -1;
    }
    return 0;
}

int frame_get_client_finish(struct bytes frame, struct client_finish *m)
{
    struct reader r;
    get_header(&r, frame, FRAME_CLIENT_FINISH);
    reader_copy(&r, m->confirm, sizeof(m->confirm));
    if (reader_end(&r) != 0) {
        memset(m, 0, sizeof(*m));
        return -1;
    }
    return 0;
}

int frame_get_alert(struct bytes frame, struct alert *m)
{
    struct reader r;
    get_header(&r, frame, FRAME_ALERT);
    unsigned reason = reader_u8(&r);
    uint32_t retry_after = reader_u32(&r);
    if (reason == REASON_NONE || reason >= REASON_COUNT)
        reader_fail(&r);
    if (reader_end(&r) != 0) {
        memset(m, 0, sizeof(*m));
        return -1;
    }
    *m = (struct alert){ .reason = (enum reason)reason, .retry_after = retry_after };
    return 0;
}
