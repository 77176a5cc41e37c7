/*
 * mail_text.h: the words of a mail, and the whole of it as it goes to a server (RFC 5322, MIME).
 *
 * A template is the file that kdc.conf names, or what is built in: "Subject: " and a subject, an empty line, the text. UTF-8;
 * the subject has no control characters, the text none but newlines and tabs. {name}, {code} and {minutes} are replaced, in the text
 * only; everything else stands as it is.
 *
 * Any thread; a template never changes.
 */
#ifndef KDC_MAIL_TEXT_H
#define KDC_MAIL_TEXT_H

#include "kdc/mailer.h"

#define MAIL_TEMPLATE_MAX 8192 /* bytes of a file */
#define MAIL_LINE_MAX 800      /* of a line; a mail's may have 998 with what is put in */
#define MAIL_MAX 24576         /* a whole mail */

struct mail_template {
    char subject[256];
    char text[MAIL_TEMPLATE_MAX + 1];
};

/* From the file at `path`; empty: what is built in for that purpose. 0, or -1 with a sentence that names the file. */
int mail_template_load(struct mail_template *template, const char *path, enum code_purpose purpose,
                       char error[MAILER_ERROR_MAX]) __attribute__((warn_unused_result));

/* What is known of a mail besides its letter. */
struct mail_frame {
    const char *from;
    uint64_t time;      /* seconds since 1970 UTC */
    uint64_t number[2]; /* random: of this mail, and no other */
};
/* The mail, lines ended by CR LF, into `out` (secret: the caller wipes it). Its length, or 0: it is too long. */
size_t mail_compose(const struct mail_template *template, const struct letter *letter, const struct mail_frame *frame,
                    char out[MAIL_MAX]) __attribute__((warn_unused_result));

#endif
