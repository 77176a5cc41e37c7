/*
 * password_policy.h: which passwords people may take. What crypto and the protocol demand of any password (8 to 72 bytes
 * of UTF-8 without NUL) comes first; then what the operator asks for: a longer one, none that everybody tries first, none
 * that holds the user's own name.
 *
 * Judged where a password is *set* (register, a change, kdc-admin, an import of plain ones); never at a login, where one
 * that was set under another policy stays good. A policy never changes once it is made: any thread, no lock. A reload makes
 * a new one, and whoever still holds the old one keeps it alive: a policy is counted.
 */
#ifndef KDC_PASSWORD_POLICY_H
#define KDC_PASSWORD_POLICY_H

#include "wire/name.h"

#include <stdbool.h>
#include <stddef.h>

#define PASSWORD_POLICY_NAME_MIN 4 /* shorter names are in too many words to be looked for */

struct password_policy;

/* A policy of `min` bytes (PASSWORD_LEN_MIN to PASSWORD_LEN_MAX) and the refused passwords of the file at `list`: one to a
 * line, in any case; empty lines, and those that begin with "#!", say nothing. An empty `list`: those that are built in.
 * NULL with a sentence in error when the file can't be read or there is no memory. One use: password_policy_unref. */
struct password_policy *password_policy_new(unsigned min, const char *list, char *error, size_t error_len)
    __attribute__((warn_unused_result));

/* One more who holds it; gives it back. NULL stays NULL. */
struct password_policy *password_policy_ref(struct password_policy *policy);
/* One less, and NULL into *policy. NULL inside is fine. The last one frees it. */
void password_policy_unref(struct password_policy **policy);

/* The shortest password that it takes, in bytes. NULL: PASSWORD_LEN_MIN. */
unsigned password_policy_min(const struct password_policy *policy);

/* REASON_NONE, or why `name` may not have this password: REASON_PASSWORD_SHORT, _LONG, _NUL or _UTF8, or
 * REASON_PASSWORD_COMMON (it is in the list, or holds the name). Microseconds: a reactor may. `name` NULL: not looked at.
 * `policy` NULL: only what any password must be. */
enum reason password_policy_judge(const struct password_policy *policy, const struct name *name, struct bytes password)
    __attribute__((warn_unused_result));

#endif
