#include "wire/message.h"

#include "wire/message_codec.h"

#include <string.h>

/* Who may send a type. */
#define FROM_CLIENT (1u << ROLE_CLIENT)
#define FROM_KDC (1u << ROLE_KDC)

static const struct kind {
    const char *name;
    unsigned senders;
    message_put *put;
    message_get *get;
} kinds[] = {
    [MESSAGE_LOGIN] = { "login", FROM_CLIENT, put_credentials, get_credentials },
    [MESSAGE_REGISTER] = { "register", FROM_CLIENT, put_register, get_register },
    [MESSAGE_WELCOME] = { "welcome", FROM_KDC, put_welcome, get_welcome },
    [MESSAGE_REFUSED] = { "refused", FROM_KDC, put_refused, get_refused },
    [MESSAGE_OPEN] = { "open", FROM_CLIENT, put_open, get_open },
    [MESSAGE_GRANT] = { "grant", FROM_KDC, put_grant, get_grant },
    [MESSAGE_CIPHERTEXT] = { "ciphertext", FROM_CLIENT | FROM_KDC, put_ciphertext, get_ciphertext },
    [MESSAGE_UNDELIVERED] = { "undelivered", FROM_KDC, put_undelivered, get_undelivered },
    [MESSAGE_PRESENCE] = { "presence", FROM_KDC, put_presence, get_presence },
    [MESSAGE_LIST] = { "list", FROM_CLIENT, put_list, get_list },
    [MESSAGE_LIST_REPLY] = { "list_reply", FROM_KDC, put_list_reply, get_list_reply },
    [MESSAGE_WHO] = { "who", FROM_CLIENT, put_who, get_who },
    [MESSAGE_WHO_REPLY] = { "who_reply", FROM_KDC, put_who_reply, get_who_reply },
    [MESSAGE_PING] = { "ping", FROM_CLIENT, put_ping, get_ping },
    [MESSAGE_PONG] = { "pong", FROM_KDC, put_ping, get_ping },
    [MESSAGE_CLOSE] = { "close", FROM_CLIENT | FROM_KDC, put_close, get_close },
    [MESSAGE_CREDIT] = { "credit", FROM_KDC, put_credit, get_credit },
    [MESSAGE_ACTIVATE] = { "activate", FROM_CLIENT, put_activate, get_activate },
    [MESSAGE_CHANGE_PASSWORD] = { "change_password", FROM_CLIENT, put_change_password, get_change_password },
    [MESSAGE_PASSWORD_CHANGED] = { "password_changed", FROM_KDC, put_password_changed, get_password_changed },
    [MESSAGE_LOGIN_CHANGING] = { "login_changing", FROM_CLIENT, put_login_changing, get_login_changing },
    [MESSAGE_DEACTIVATE] = { "deactivate", FROM_CLIENT, put_deactivate, get_deactivate },
    [MESSAGE_CODE_MAILED] = { "code_mailed", FROM_KDC, put_code_mailed, get_code_mailed },
};

static const struct kind *kind_of(unsigned type)
{
    if (type >= sizeof(kinds) / sizeof(kinds[0]) || kinds[type].name == NULL)
        return NULL;
    return &kinds[type];
}

const char *message_type_name(unsigned type)
{
    const struct kind *kind = kind_of(type);
    return kind == NULL ? "unknown" : kind->name;
}

size_t message_len(const struct message *m)
{
    struct writer counting;
    writer_init(&counting, NULL, SIZE_MAX);
    return message_encode(m, &counting) == 0 ? counting.len : 0;
}

int message_encode(const struct message *m, struct writer *w)
{
    const struct kind *kind = kind_of((unsigned)m->type);
    if (kind == NULL) {
        writer_fail(w);
        return -1;
    }
    writer_u8(w, (uint8_t)m->type);
    kind->put(w, m);
    return writer_end(w);
}

enum message_status message_decode(struct bytes plain, enum role sender, struct message *m)
{
    memset(m, 0, sizeof(*m));
    if (plain.len == 0)
        return MESSAGE_MALFORMED;

    struct reader r;
    reader_init(&r, plain.data, plain.len);
    unsigned type = reader_u8(&r);
    const struct kind *kind = kind_of(type);
    if (kind == NULL || (kind->senders & 1u << sender) == 0)
        return MESSAGE_OUT_OF_PLACE;
    m->type = (enum message_type)type;
    kind->get(&r, m);
    if (reader_end(&r) != 0) {
        memset(m, 0, sizeof(*m));
        return MESSAGE_MALFORMED;
    }
    return MESSAGE_OK;
}

int message_list_next(struct message_list_reply *reply, struct list_entry *entry)
{
    if (reply->encoded.len == 0)
        return 0;
    struct reader r;
    reader_init(&r, reply->encoded.data, reply->encoded.len);
    get_list_entry(&r, entry);
    if (r.failed) /* not from the decoder */
        return 0;
    reply->encoded = reader_rest(&r, 0, SIZE_MAX);
    return 1;
}
