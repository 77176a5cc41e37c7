/*
 * clock_text.h: times as text. Milliseconds since 1970 UTC in.
 */
#ifndef CLIENT_CLI_CLOCK_TEXT_H
#define CLIENT_CLI_CLOCK_TEXT_H

#include <stdint.h>

#define CLOCK_TEXT_ROOM 40

/* By this machine's clock. */
uint64_t clock_now(void);

/* "14:03:05", of the person's time zone. `text` has CLOCK_TEXT_ROOM bytes, here and below; it is returned. */
const char *clock_text_time(uint64_t time, char *text);
/* "2026-11-20 14:03:05", likewise. */
const char *clock_text_date(uint64_t time, char *text);
/* "2026-11-20T14:03:05.123Z": RFC 3339, in UTC. */
const char *clock_text_rfc3339(uint64_t time, char *text);

#endif
