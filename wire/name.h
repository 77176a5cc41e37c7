/*
 * name.h: what people type, judged by the same rules on both sides: names, passwords, text.
 */
#ifndef WIRE_NAME_H
#define WIRE_NAME_H

#include "wire/protocol.h"

/* [a-z0-9][a-z0-9._-]{0,31}; upper-case ASCII letters are taken and lowered. 0 with *name set, -1 with *name empty. */
int name_parse(struct bytes typed, struct name *name) __attribute__((warn_unused_result));
/* The same for a C string. */
int name_from_string(const char *typed, struct name *name) __attribute__((warn_unused_result));
bool name_equal(const struct name *a, const struct name *b) __attribute__((warn_unused_result));

/* REASON_NONE, or REASON_PASSWORD_…: 8 to 72 bytes of UTF-8 without NUL. */
enum reason password_check(struct bytes password) __attribute__((warn_unused_result));

/* Well-formed UTF-8 (RFC 3629: no surrogates, no over-long forms, nothing over U+10FFFF). */
bool utf8_valid(struct bytes text) __attribute__((warn_unused_result));
/* A text that may be sent: 1 to TEXT_LEN_MAX bytes of UTF-8. */
bool text_valid(struct bytes text) __attribute__((warn_unused_result));

#endif
