/*
 * mailer_internal.h: what the mailer's files share: mailer.c (the queue, and when which letter is tried), mailer_smtp.c (one try).
 * Nobody else includes this.
 */
#ifndef KDC_MAILER_INTERNAL_H
#define KDC_MAILER_INTERNAL_H

#include "kdc/mail_text.h"

#include <stdatomic.h>

enum smtp_result {
    SMTP_TAKEN,
    SMTP_NOT_THIS, /* not this letter now: another one may do */
    SMTP_NOT_NOW,  /* the server is away, or there is something wrong between us */
    SMTP_NEVER,    /* it refuses this letter for good */
};

struct smtp;

/* What a server is asked with. Copies nothing: all is lent for its life. NULL: memory is out. */
struct smtp *smtp_new(const struct config *config, const char *password, const _Atomic bool *stopping)
    __attribute__((warn_unused_result));
void smtp_free(struct smtp **smtp);
/* Sends `mail` to `to`. Keeps the connection for the next. Unless it was taken, `cause` is a phrase. */
enum smtp_result smtp_send(struct smtp *smtp, const char *to, const char *mail, size_t len,
                           char cause[MAILER_CAUSE_MAX]) __attribute__((warn_unused_result));
/* Says goodbye, if there is a connection. */
void smtp_hang_up(struct smtp *smtp);
/* Once in a process, before there are other threads. 0 or -1. */
int smtp_prepare(void) __attribute__((warn_unused_result));

#endif
