#include "kdc/mail.h"

#include "crypto/secret.h"

#include <stdlib.h>

static const size_t sizes[] = {
    [MAIL_ISSUE] = sizeof(struct mail_issue),
    [MAIL_GRANT] = sizeof(struct mail_grant),
    [MAIL_CIPHERTEXT] = sizeof(struct mail_ciphertext),
    [MAIL_UNDELIVERED] = sizeof(struct mail_undelivered),
    [MAIL_REFUSED] = sizeof(struct mail_refused),
    [MAIL_PEER_GONE] = sizeof(struct mail_leg),
    [MAIL_CREDIT] = sizeof(struct mail_credit),
    [MAIL_CAME_ONLINE] = sizeof(struct mail_name),
    [MAIL_END] = sizeof(struct mail_end),
};

void *mail_new(enum mail_type type, const struct session_ref *to, const struct session_ref *from, size_t extra)
{
    const size_t size = sizes[type] + extra;
    struct mail *mail = type == MAIL_GRANT        ? secret_alloc(size)
                        : type == MAIL_CIPHERTEXT ? malloc(size)
                                                  : calloc(1, size);
    if (mail == NULL) {
        return NULL;
    }
    mail->item = (struct mailbox_item){ 0 };
    mail->type = type;
    mail->to = *to;
    mail->from = *from;
    return mail;
}

void mail_free(struct mail *mail)
{
    if (mail->type == MAIL_GRANT) {
        secret_free(&mail);
    } else {
        free(mail);
    }
}
