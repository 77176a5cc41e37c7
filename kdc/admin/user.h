/*
 * user.h: what the files of kdc-admin user ... share.
 */
#ifndef KDC_ADMIN_USER_H
#define KDC_ADMIN_USER_H

#include "kdc/store.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* id, name, state, created, last_login. */
json_t *user_json(const struct store_user *user);

enum user_format { FORMAT_NONE, FORMAT_CSV, FORMAT_JSONL, FORMAT_HTPASSWD };
/* By its name, or (NULL) as the file's name ends. FORMAT_NONE: there is no such format, or the name doesn't tell. */
enum user_format user_format_choose(const char *name, const char *path);

/* An ISO 8601 date or date-time, with a space or a T: "2026-11-20", "2026-11-20T09:00:00.123Z", "2026-11-20 09:00+01:00".
 * UTC where it names no zone. *ms since 1970 UTC; fractions of a millisecond are cut. 0, or -1: it isn't one, or is before 1970. */
int time_parse(const char *text, uint64_t *ms) __attribute__((warn_unused_result));

#endif
