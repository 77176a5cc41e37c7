/*
 * message_codec.h: the bodies of the messages (docs/protocol.md section 6), one put and one get for each shape. Only
 * message.c's table uses them: it writes the type, and judges the end.
 *
 * A put fails the writer when a field is out of its bounds, a get fails the reader for the same: what one refuses, the
 * other does. A get finds *m zeroed.
 */
#ifndef WIRE_MESSAGE_CODEC_H
#define WIRE_MESSAGE_CODEC_H

#include "wire/codec.h"

typedef void message_put(struct writer *w, const struct message *m);
typedef void message_get(struct reader *r, struct message *m);

message_put put_credentials, put_welcome, put_refused, put_open, put_grant, put_ciphertext, put_undelivered,
    put_presence, put_list, put_list_reply, put_who, put_who_reply, put_ping, put_close, put_credit, put_register,
    put_activate, put_deactivate, put_code_mailed, put_change_password, put_password_changed, put_login_changing;
message_get get_credentials, get_welcome, get_refused, get_open, get_grant, get_ciphertext, get_undelivered,
    get_presence, get_list, get_list_reply, get_who, get_who_reply, get_ping, get_close, get_credit, get_register,
    get_activate, get_deactivate, get_code_mailed, get_change_password, get_password_changed, get_login_changing;

/* One entry of a list_reply. */
void get_list_entry(struct reader *r, struct list_entry *entry);

#endif
