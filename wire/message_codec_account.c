/* message_codec_account.c: bodies of the messages by which one makes, activates and gives up an account, and changes its
 * password. */
#include "wire/message_codec.h"

#define PASSWORD_TYPED_MAX 255

/* Bytes of up to `max`, as they were typed. */
static void put_typed(struct writer *w, struct bytes typed, size_t max)
{
    if (typed.len > max)
        writer_fail(w);
    writer_vec8(w, typed.data, typed.len);
}

static void put_request(struct writer *w, uint32_t request)
{
    if (request == 0)
        writer_fail(w);
    writer_u32(w, request);
}

static uint32_t get_request(struct reader *r)
{
    const uint32_t request = reader_u32(r);
    if (request == 0)
        reader_fail(r);
    return request;
}

void put_register(struct writer *w, const struct message *m)
{
    put_credentials(w, m);
    put_typed(w, m->registering.code, CODE_LEN_MAX);
    put_typed(w, m->registering.email, EMAIL_LEN_MAX);
    put_typed(w, m->registering.phone, PHONE_LEN_MAX);
}

void get_register(struct reader *r, struct message *m)
{
    get_credentials(r, m);
    m->registering.code = reader_vec8(r, 0, CODE_LEN_MAX);
    m->registering.email = reader_vec8(r, 0, EMAIL_LEN_MAX);
    m->registering.phone = reader_vec8(r, 0, PHONE_LEN_MAX);
}

void put_activate(struct writer *w, const struct message *m)
{
    put_credentials(w, m);
    put_typed(w, m->activate.code, CODE_LEN_MAX);
}

void get_activate(struct reader *r, struct message *m)
{
    get_credentials(r, m);
    m->activate.code = reader_vec8(r, 0, CODE_LEN_MAX);
}

void put_deactivate(struct writer *w, const struct message *m)
{
    put_request(w, m->deactivate.request);
    put_typed(w, m->deactivate.code, CODE_LEN_MAX);
}

void get_deactivate(struct reader *r, struct message *m)
{
    m->deactivate.request = get_request(r);
    m->deactivate.code = reader_vec8(r, 0, CODE_LEN_MAX);
}

void put_code_mailed(struct writer *w, const struct message *m)
{
    put_request(w, m->code_mailed.request);
}

void get_code_mailed(struct reader *r, struct message *m)
{
    m->code_mailed.request = get_request(r);
}

void put_change_password(struct writer *w, const struct message *m)
{
    put_request(w, m->change_password.request);
    put_typed(w, m->change_password.old, PASSWORD_TYPED_MAX);
    put_typed(w, m->change_password.new, PASSWORD_TYPED_MAX);
}

void get_change_password(struct reader *r, struct message *m)
{
    m->change_password.request = get_request(r);
    m->change_password.old = reader_vec8(r, 0, PASSWORD_TYPED_MAX);
    m->change_password.new = reader_vec8(r, 0, PASSWORD_TYPED_MAX);
}

/* A ticket and the time that it holds come together, or neither does. */
void put_password_changed(struct writer *w, const struct message *m)
{
    const struct message_password_changed *changed = &m->password_changed;
    if (changed->ticket.len > TICKET_LEN_MAX || (changed->ticket.len == 0) != (changed->ticket_seconds == 0))
        writer_fail(w);
    put_request(w, changed->request);
    writer_u32(w, changed->ticket_seconds);
    writer_vec16(w, changed->ticket.data, changed->ticket.len);
}

void get_password_changed(struct reader *r, struct message *m)
{
    struct message_password_changed *changed = &m->password_changed;
    changed->request = get_request(r);
    changed->ticket_seconds = reader_u32(r);
    changed->ticket = reader_vec16(r, 0, TICKET_LEN_MAX);
    if ((changed->ticket.len == 0) != (changed->ticket_seconds == 0))
        reader_fail(r);
}

void put_login_changing(struct writer *w, const struct message *m)
{
    put_credentials(w, m);
    put_typed(w, m->login_changing.new, PASSWORD_TYPED_MAX);
}

void get_login_changing(struct reader *r, struct message *m)
{
    get_credentials(r, m);
    m->login_changing.new = reader_vec8(r, 0, PASSWORD_TYPED_MAX);
}
