/*
 * contact.h: e-mail addresses and telephone numbers as people type them.
 *
 * Taken is what any mail server takes, and not all that RFC 5321 would allow: no quoted local parts, no address literals, no
 * comments, ASCII only (a domain in another script is written in its xn-- form). What is taken holds no blank, no control
 * character, no bracket and no quote: nothing that could end an SMTP command or a header's line.
 *
 * Any thread.
 */
#ifndef KDC_CONTACT_H
#define KDC_CONTACT_H

#include "wire/protocol.h"

#define EMAIL_LOCAL_MAX 64
#define PHONE_DIGITS_MIN 6
#define PHONE_DIGITS_MAX 15 /* E.164 */

struct email {
    char text[EMAIL_LEN_MAX + 1]; /* empty: none */
};

struct phone {
    char text[1 + PHONE_DIGITS_MAX + 1]; /* "+" and digits; empty: none */
};

/* local@domain: up to 64 bytes of atoms (RFC 5322's atext) with single dots between them; at least two labels (RFC 1123) of up
 * to 63 letters, digits and inner hyphens; 254 in all. Its domain becomes lower-case. 0; -1 with *email empty. */
int email_parse(struct bytes typed, struct email *email) __attribute__((warn_unused_result));
/* "+" and 6 to 15 digits, the first one not 0; blanks, hyphens, dots and brackets between the digits are left out. 0; -1 with
 * *phone empty. */
int phone_parse(struct bytes typed, struct phone *phone) __attribute__((warn_unused_result));

#endif
