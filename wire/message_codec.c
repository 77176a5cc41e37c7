#include "wire/message_codec.h"

#include "wire/name.h"

#include <string.h>

#define SEALED_MIN 17 /* one byte of content and the shortest tag */
#define ISSUED_KEY_MIN 24
#define CREDENTIAL_MAX 255

/* ---- fields that several messages have ---- */

static void put_name(struct writer *w, const struct name *name)
{
    struct bytes text = { .data = (const uint8_t *)name->text, .len = strnlen(name->text, sizeof(name->text)) };
    struct name canonical;
    if (name_parse(text, &canonical) != 0 || memcmp(canonical.text, name->text, text.len) != 0)
        writer_fail(w);
    writer_vec8(w, text.data, text.len);
}

static void get_name(struct reader *r, struct name *name)
{
    struct bytes text = reader_vec8(r, 1, NAME_LEN_MAX);
    if (name_parse(text, name) != 0 || memcmp(name->text, text.data, text.len) != 0)
        reader_fail(r);
}

static bool reason_in_place(unsigned reason, bool none_allowed)
{
    return reason < REASON_COUNT && (none_allowed || reason != REASON_NONE);
}

static void put_reason(struct writer *w, enum reason reason, bool none_allowed)
{
    if (!reason_in_place((unsigned)reason, none_allowed))
        writer_fail(w);
    writer_u8(w, (uint8_t)reason);
}

static enum reason get_reason(struct reader *r, bool none_allowed)
{
    unsigned reason = reader_u8(r);
    if (!reason_in_place(reason, none_allowed)) {
        reader_fail(r);
        return REASON_NONE;
    }
    return (enum reason)reason;
}

/* A u8 that is 0 or 1. */
static void put_flag(struct writer *w, unsigned flag)
{
    if (flag > 1)
        writer_fail(w);
    writer_u8(w, (uint8_t)flag);
}

static bool get_flag(struct reader *r)
{
    unsigned flag = reader_u8(r);
    if (flag > 1)
        reader_fail(r);
    return flag == 1;
}

static enum presence get_presence_of(struct reader *r)
{
    return get_flag(r) ? PRESENCE_ONLINE : PRESENCE_OFFLINE;
}

/* A number that isn't 0: a client's request, an epoch, bytes given back. */
static void put_nonzero(struct writer *w, uint32_t value)
{
    if (value == 0)
        writer_fail(w);
    writer_u32(w, value);
}

static uint32_t get_nonzero(struct reader *r)
{
    uint32_t value = reader_u32(r);
    if (value == 0)
        reader_fail(r);
    return value;
}

/* ---- login and what answers it ---- */

void put_credentials(struct writer *w, const struct message *m)
{
    writer_vec8(w, m->credentials.name.data, m->credentials.name.len);
    writer_vec8(w, m->credentials.password.data, m->credentials.password.len);
}

void get_credentials(struct reader *r, struct message *m)
{
    m->credentials.name = reader_vec8(r, 0, CREDENTIAL_MAX);
    m->credentials.password = reader_vec8(r, 0, CREDENTIAL_MAX);
}

/* A ticket and a time to use it, or neither. */
static bool ticket_in_place(const struct message_welcome *welcome)
{
    return welcome->ticket.len <= TICKET_LEN_MAX && (welcome->ticket.len == 0) == (welcome->ticket_seconds == 0);
}

void put_welcome(struct writer *w, const struct message *m)
{
    writer_u64(w, m->welcome.session);
    writer_u64(w, m->welcome.time);
    put_name(w, &m->welcome.name);
    writer_u32(w, m->welcome.rekey_messages);
    writer_u32(w, m->welcome.rekey_seconds);
    writer_u16(w, m->welcome.ping_seconds);
    if (!ticket_in_place(&m->welcome))
        writer_fail(w);
    writer_u32(w, m->welcome.ticket_seconds);
    writer_vec16(w, m->welcome.ticket.data, m->welcome.ticket.len);
}

void get_welcome(struct reader *r, struct message *m)
{
    m->welcome.session = reader_u64(r);
    m->welcome.time = reader_u64(r);
    get_name(r, &m->welcome.name);
    m->welcome.rekey_messages = reader_u32(r);
    m->welcome.rekey_seconds = reader_u32(r);
    m->welcome.ping_seconds = reader_u16(r);
    m->welcome.ticket_seconds = reader_u32(r);
    m->welcome.ticket = reader_vec16(r, 0, TICKET_LEN_MAX);
    if (!ticket_in_place(&m->welcome))
        reader_fail(r);
}

void put_refused(struct writer *w, const struct message *m)
{
    writer_u32(w, m->refused.request);
    put_reason(w, m->refused.reason, false);
    writer_u32(w, m->refused.retry_after);
}

void get_refused(struct reader *r, struct message *m)
{
    m->refused.request = reader_u32(r);
    m->refused.reason = get_reason(r, false);
    m->refused.retry_after = reader_u32(r);
}

/* ---- conversations ---- */

void put_open(struct writer *w, const struct message *m)
{
    put_nonzero(w, m->open.request);
    put_name(w, &m->open.peer);
}

void get_open(struct reader *r, struct message *m)
{
    m->open.request = get_nonzero(r);
    get_name(r, &m->open.peer);
}

void put_grant(struct writer *w, const struct message *m)
{
    const struct message_grant *grant = &m->grant;
    if (suite_by_id(grant->suite) == NULL || grant->key.len < ISSUED_KEY_MIN || grant->key.len > SUITE_ISSUED_KEY_MAX)
        writer_fail(w);
    writer_u32(w, grant->request);
    writer_u64(w, grant->conversation);
    put_nonzero(w, grant->epoch);
    put_name(w, &grant->a);
    put_name(w, &grant->b);
    writer_u64(w, grant->session_a);
    writer_u64(w, grant->session_b);
    writer_u16(w, grant->suite);
    writer_u64(w, grant->time);
    writer_vec8(w, grant->key.data, grant->key.len);
}

void get_grant(struct reader *r, struct message *m)
{
    struct message_grant *grant = &m->grant;
    grant->request = reader_u32(r);
    grant->conversation = reader_u64(r);
    grant->epoch = get_nonzero(r);
    get_name(r, &grant->a);
    get_name(r, &grant->b);
    grant->session_a = reader_u64(r);
    grant->session_b = reader_u64(r);
    grant->suite = reader_u16(r);
    grant->time = reader_u64(r);
    grant->key = reader_vec8(r, ISSUED_KEY_MIN, SUITE_ISSUED_KEY_MAX);
    if (suite_by_id(grant->suite) == NULL)
        reader_fail(r);
}

void put_ciphertext(struct writer *w, const struct message *m)
{
    if (m->ciphertext.sealed.len < SEALED_MIN)
        writer_fail(w);
    writer_u64(w, m->ciphertext.conversation);
    put_nonzero(w, m->ciphertext.epoch);
    writer_u64(w, m->ciphertext.sequence);
    writer_bytes(w, m->ciphertext.sealed.data, m->ciphertext.sealed.len);
}

/* No upper bound here: a frame has one, and a text that is too long doesn't end the session. */
void get_ciphertext(struct reader *r, struct message *m)
{
    m->ciphertext.conversation = reader_u64(r);
    m->ciphertext.epoch = get_nonzero(r);
    m->ciphertext.sequence = reader_u64(r);
    m->ciphertext.sealed = reader_rest(r, SEALED_MIN, SIZE_MAX);
}

void put_undelivered(struct writer *w, const struct message *m)
{
    writer_u64(w, m->undelivered.conversation);
    put_nonzero(w, m->undelivered.epoch);
    writer_u64(w, m->undelivered.sequence);
    put_reason(w, m->undelivered.reason, false);
}

void get_undelivered(struct reader *r, struct message *m)
{
    m->undelivered.conversation = reader_u64(r);
    m->undelivered.epoch = get_nonzero(r);
    m->undelivered.sequence = reader_u64(r);
    m->undelivered.reason = get_reason(r, false);
}

/* ---- who is there ---- */

void put_presence(struct writer *w, const struct message *m)
{
    put_name(w, &m->presence.name);
    put_flag(w, (unsigned)m->presence.presence);
}

void get_presence(struct reader *r, struct message *m)
{
    get_name(r, &m->presence.name);
    m->presence.presence = get_presence_of(r);
}

void put_list(struct writer *w, const struct message *m)
{
    put_nonzero(w, m->list.request);
    put_flag(w, m->list.has_after);
    if (m->list.has_after)
        put_name(w, &m->list.after);
}

void get_list(struct reader *r, struct message *m)
{
    m->list.request = get_nonzero(r);
    m->list.has_after = get_flag(r);
    if (m->list.has_after)
        get_name(r, &m->list.after);
}

/* A name stands once, and behind those before it. */
static bool ascending(const struct name *before, const struct name *name)
{
    return strcmp(before->text, name->text) < 0;
}

void put_list_reply(struct writer *w, const struct message *m)
{
    const struct message_list_reply *reply = &m->list_reply;
    if (reply->count > LIST_ENTRIES_MAX || (reply->count > 0 && reply->entries == NULL)) {
        writer_fail(w);
        return;
    }
    writer_u32(w, reply->request);
    put_flag(w, reply->more);
    writer_u16(w, (uint16_t)reply->count);
    for (size_t i = 0; i < reply->count && !w->failed; i++) {
        put_name(w, &reply->entries[i].name);
        if (i > 0 && !w->failed && !ascending(&reply->entries[i - 1].name, &reply->entries[i].name))
            writer_fail(w);
        writer_u64(w, reply->entries[i].since);
    }
}

void get_list_entry(struct reader *r, struct list_entry *entry)
{
    get_name(r, &entry->name);
    entry->since = reader_u64(r);
}

void get_list_reply(struct reader *r, struct message *m)
{
    struct message_list_reply *reply = &m->list_reply;
    reply->request = reader_u32(r);
    reply->more = get_flag(r);
    reply->count = reader_u16(r);
    if (reply->count > LIST_ENTRIES_MAX)
        reader_fail(r);

    struct reader ahead = *r; /* every entry is checked now; message_list_next takes them apart once more */
    reply->encoded = reader_rest(r, 0, SIZE_MAX);
    struct list_entry entry = { .since = 0 };
    for (size_t i = 0; i < reply->count && !ahead.failed; i++) {
        struct name before = entry.name;
        get_list_entry(&ahead, &entry);
        if (i > 0 && !ascending(&before, &entry.name))
            reader_fail(&ahead);
    }
    if (reader_end(&ahead) != 0)
        reader_fail(r);
}

void put_who(struct writer *w, const struct message *m)
{
    put_nonzero(w, m->who.request);
    put_name(w, &m->who.name);
}

void get_who(struct reader *r, struct message *m)
{
    m->who.request = get_nonzero(r);
    get_name(r, &m->who.name);
}

void put_who_reply(struct writer *w, const struct message *m)
{
    writer_u32(w, m->who_reply.request);
    put_name(w, &m->who_reply.name);
    put_flag(w, (unsigned)m->who_reply.presence);
    writer_u64(w, m->who_reply.since);
}

void get_who_reply(struct reader *r, struct message *m)
{
    m->who_reply.request = reader_u32(r);
    get_name(r, &m->who_reply.name);
    m->who_reply.presence = get_presence_of(r);
    m->who_reply.since = reader_u64(r);
}

/* ---- keeping alive, ending ---- */

void put_ping(struct writer *w, const struct message *m)
{
    writer_u64(w, m->ping.token);
}

void get_ping(struct reader *r, struct message *m)
{
    m->ping.token = reader_u64(r);
}

void put_close(struct writer *w, const struct message *m)
{
    put_reason(w, m->close.reason, true);
}

void get_close(struct reader *r, struct message *m)
{
    m->close.reason = get_reason(r, true);
}

/* ---- flow ---- */

void put_credit(struct writer *w, const struct message *m)
{
    writer_u64(w, m->credit.conversation);
    put_nonzero(w, m->credit.bytes);
}

void get_credit(struct reader *r, struct message *m)
{
    m->credit.conversation = reader_u64(r);
    m->credit.bytes = get_nonzero(r);
}
