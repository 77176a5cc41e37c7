/* trace.c: what happens, in lines: every frame and message by name, direction and size. Never a key, a password or a
 * text. */
#include "client/core_internal.h"

#include "crypto/secret.h"
#include "wire/frame.h"
#include "wire/reason.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINE_MAX_LEN 640
#define HEX_MAX 24 /* bytes of anything that a line shows */
#define HEX_ROOM (2 * HEX_MAX + 8)

static const char key_label[] = PROTOCOL_NAME " key fingerprint";

void trace_line(struct core *core, const char *format, ...)
{
    char line[LINE_MAX_LEN];
    if (!core->tracing)
        return;
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (len < 0)
        return;
    size_t text_len = (size_t)len < sizeof(line) ? (size_t)len : sizeof(line) - 1;
    core_emit(core, &(struct kc_event){ .type = KC_EVENT_TRACE, .text = line, .text_len = text_len });
}

/* At most `max` of the bytes, and "…" when there are more: `len` tells how many there really are. */
static const char *hex(const uint8_t *data, size_t len, size_t max, char out[HEX_ROOM])
{
    static const char digits[] = "0123456789abcdef";
    size_t shown = len < max ? len : max;
    for (size_t i = 0; i < shown; i++) {
        out[2 * i] = digits[data[i] >> 4];
        out[2 * i + 1] = digits[data[i] & 15];
    }
    memcpy(out + 2 * shown, len > shown ? "…" : "", len > shown ? sizeof("…") : 1);
    return out;
}

static const char *arrow(bool sent)
{
    return sent ? "->" : "<-";
}

/* ---- plain frames ---- */

static const char *group_name(uint16_t id)
{
    const struct dh_group *group = dh_group_by_id(id);
    return group == NULL ? "unknown" : group->name;
}

static const char *suite_name(uint16_t id)
{
    const struct suite *suite = suite_by_id(id);
    return suite == NULL ? "unknown" : suite->name;
}

static void describe_client_hello(struct bytes frame, char *out, size_t room)
{
    struct client_hello m;
    char random[HEX_ROOM];
    if (frame_get_client_hello(frame, &m) != 0)
        return;
    int len = snprintf(out, room, ", group %s, random %s, suites", group_name(m.group),
                       hex(m.random, sizeof(m.random), 8, random));
    for (size_t i = 0; i < m.suite_count && len > 0 && (size_t)len < room; i++)
        len += snprintf(out + len, room - (size_t)len, " %s", suite_name(m.suites[i]));
    if (m.resumes && len > 0 && (size_t)len < room)
        (void)snprintf(out + len, room - (size_t)len, ", a ticket of %zu bytes", m.ticket.len);
}

static void describe_server_hello(struct bytes frame, char *out, size_t room)
{
    struct server_hello m;
    char random[HEX_ROOM];
    if (frame_get_server_hello(frame, &m) == 0)
        (void)snprintf(out, room, ", suite %s, %srandom %s, with identity, signature and confirm", suite_name(m.suite),
                       m.resumed ? "resumed, " : "", hex(m.random, sizeof(m.random), 8, random));
}

static void describe_retry(struct bytes frame, char *out, size_t room)
{
    struct hello_retry m;
    int len = 0;
    if (frame_get_hello_retry(frame, &m) != 0)
        return;
    for (size_t i = 0; i < m.group_count && len >= 0 && (size_t)len < room; i++)
        len += snprintf(out + len, room - (size_t)len, "%s %s", i == 0 ? ", accepted groups" : "",
                        group_name(m.groups[i]));
}

static void describe_alert(struct bytes frame, char *out, size_t room)
{
    struct alert m;
    if (frame_get_alert(frame, &m) == 0)
        (void)snprintf(out, room, ", %s", reason_name(m.reason));
}

void trace_frame(struct core *core, bool sent, struct bytes frame)
{
    char what[256] = "";
    char start[HEX_ROOM];
    if (!core->tracing)
        return;
    unsigned type = frame.len > FRAME_HEADER_LEN ? frame.data[FRAME_HEADER_LEN] : 0;
    switch (type) {
    case FRAME_CLIENT_HELLO:
        describe_client_hello(frame, what, sizeof(what));
        break;
    case FRAME_HELLO_RETRY:
        describe_retry(frame, what, sizeof(what));
        break;
    case FRAME_SERVER_HELLO:
        describe_server_hello(frame, what, sizeof(what));
        break;
    case FRAME_ALERT:
        describe_alert(frame, what, sizeof(what));
        break;
    default:
        break;
    }
    trace_line(core, "%s %s%s; frame of %zu bytes: %s", arrow(sent), frame_type_name(type), what, frame.len,
               hex(frame.data, frame.len, 16, start));
}

void trace_handshake_done(struct core *core, const struct handshake_keys *keys)
{
    char transcript[HEX_ROOM];
    trace_line(core, "confirmed by this client; both hold the session keys: group %s, suite %s, transcript %s",
               keys->group->name, keys->suite->name, hex(keys->transcript, SHA512_LEN, 16, transcript));
}

/* ---- messages ---- */

static void describe_grant(const struct message_grant *m, char *out, size_t room)
{
    (void)snprintf(out, room, " request %u, conversation %llu, epoch %u, %s to %s, suite %s", m->request,
                   (unsigned long long)m->conversation, m->epoch, m->a.text, m->b.text, suite_name(m->suite));
}

static void describe_ciphertext(const struct message_ciphertext *m, char *out, size_t room)
{
    char start[HEX_ROOM];
    (void)snprintf(out, room, " conversation %llu, epoch %u, sequence %llu, sealed %zu bytes: %s",
                   (unsigned long long)m->conversation, m->epoch, (unsigned long long)m->sequence, m->sealed.len,
                   hex(m->sealed.data, m->sealed.len, HEX_MAX, start));
}

/* A ticket's bytes are nobody's business, not even sealed. */
static void describe_welcome(const struct message_welcome *m, char *out, size_t room)
{
    int len = snprintf(out, room, " %s, session %llu", m->name.text, (unsigned long long)m->session);
    if (m->ticket.len > 0 && len > 0 && (size_t)len < room)
        (void)snprintf(out + len, room - (size_t)len, ", a ticket of %zu bytes for %u seconds", m->ticket.len,
                       m->ticket_seconds);
}

static void describe(const struct message *m, char *out, size_t room)
{
    switch (m->type) {
    case MESSAGE_WELCOME:
        describe_welcome(&m->welcome, out, room);
        break;
    case MESSAGE_REFUSED:
        (void)snprintf(out, room, " request %u, %s", m->refused.request, reason_name(m->refused.reason));
        break;
    case MESSAGE_OPEN:
        (void)snprintf(out, room, " request %u, %s", m->open.request, m->open.peer.text);
        break;
    case MESSAGE_GRANT:
        describe_grant(&m->grant, out, room);
        break;
    case MESSAGE_CIPHERTEXT:
        describe_ciphertext(&m->ciphertext, out, room);
        break;
    case MESSAGE_UNDELIVERED:
        (void)snprintf(out, room, " conversation %llu, epoch %u, sequence %llu, %s",
                       (unsigned long long)m->undelivered.conversation, m->undelivered.epoch,
                       (unsigned long long)m->undelivered.sequence, reason_name(m->undelivered.reason));
        break;
    case MESSAGE_PRESENCE:
        (void)snprintf(out, room, " %s %s", m->presence.name.text,
                       m->presence.presence == PRESENCE_ONLINE ? "online" : "offline");
        break;
    case MESSAGE_LIST_REPLY:
        (void)snprintf(out, room, " request %u, %zu names%s", m->list_reply.request, m->list_reply.count,
                       m->list_reply.more ? ", more follow" : "");
        break;
    case MESSAGE_WHO:
        (void)snprintf(out, room, " request %u, %s", m->who.request, m->who.name.text);
        break;
    case MESSAGE_WHO_REPLY:
        (void)snprintf(out, room, " request %u, %s", m->who_reply.request, m->who_reply.name.text);
        break;
    case MESSAGE_CLOSE:
        (void)snprintf(out, room, " %s", reason_name(m->close.reason));
        break;
    case MESSAGE_CREDIT:
        (void)snprintf(out, room, " conversation %llu, %u bytes", (unsigned long long)m->credit.conversation,
                       m->credit.bytes);
        break;
    default:
        break;
    }
}

void trace_message(struct core *core, bool sent, const struct message *m, struct bytes head, size_t frame_len)
{
    char what[320] = "";
    char start[HEX_ROOM];
    if (!core->tracing)
        return;
    describe(m, what, sizeof(what));
    size_t shown = frame_len < 16 ? frame_len : 16;
    trace_line(core, "%s %s%s; record of %zu bytes: %s", arrow(sent), message_type_name((unsigned)m->type), what,
               frame_len, hex(head.data, frame_len, shown, start));
}

/* Names the issued key without telling it: 32 bytes of a hash under a label, shown as identities are. */
static void key_fingerprint(const struct message_grant *grant, char out[IDENTITY_FINGERPRINT_LEN])
{
    uint8_t bytes[sizeof(key_label) + 8 + 4 + 255];
    uint8_t hash[SHA512_LEN];
    struct writer w;

    writer_init(&w, bytes, sizeof(bytes));
    writer_bytes(&w, key_label, sizeof(key_label) - 1);
    writer_u64(&w, grant->conversation);
    writer_u32(&w, grant->epoch);
    writer_bytes(&w, grant->key.data, grant->key.len);
    memset(hash, 0, sizeof(hash));
    if (writer_end(&w) == 0)
        sha512_hash(bytes, w.len, hash);
    identity_fingerprint(hash, out);
    secret_wipe(bytes, sizeof(bytes));
    secret_wipe(hash, sizeof(hash));
}

void trace_epoch(struct core *core, const struct message_grant *grant)
{
    char fingerprint[IDENTITY_FINGERPRINT_LEN];
    if (!core->tracing)
        return;
    key_fingerprint(grant, fingerprint);
    trace_line(core, "epoch taken: conversation %llu, epoch %u, %s and %s, suite %s, key %s",
               (unsigned long long)grant->conversation, grant->epoch, grant->a.text, grant->b.text,
               suite_name(grant->suite), fingerprint);
}
