/*
 * reason.h: the words for a reason (docs/protocol.md section 7), in one place.
 */
#ifndef WIRE_REASON_H
#define WIRE_REASON_H

#include "wire/protocol.h"

/* A short name for logs and JSON: "login_failed". "unknown" for what is none. */
const char *reason_name(enum reason reason);
/* A sentence for a person, without a final full stop: what happened and what to do next. */
const char *reason_text(enum reason reason);

#endif
