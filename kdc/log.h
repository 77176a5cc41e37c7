/*
 * log.h: kdcd's log: one line an event, on stderr, as text or as JSON. Never a secret, never a raw byte from the network:
 * values are escaped.
 *
 *   2026-11-20T09:00:00.123Z info ready to accept connections on 127.0.0.1:19268
 *   2026-11-20T09:00:07.400Z info logged in user=alice session=4711 source=127.0.0.1:50112 reactor=0
 *   {"time":"2026-11-20T09:00:07.400Z","level":"info","event":"logged in","user":"alice","session":4711,…}
 *
 * A log may be slow: a full disk, a terminal that was stopped, a supervisor that doesn't read its pipe. So once log_start
 * was called a thread of its own writes; whoever logs leaves the line in a queue and goes on. When the queue is full,
 * lines are left out, and a line tells how many once it is empty again. Before log_start and after log_stop a line is
 * written by whoever logs it.
 *
 * Lines of the same moment leave in one write(2) of up to 4096 bytes; none is torn. For that a line waits 5 ms for others, which
 * is what a process that is killed may leave unsaid; one of LOG_WARN or LOG_ERROR doesn't wait, and takes along those before it.
 *
 * Thread: any, but log_start and log_stop: the main one. The level and format are set at start and at reload.
 */
#ifndef KDC_LOG_H
#define KDC_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_field {
    const char *key;  /* NULL ends a list */
    const char *text; /* a string, or NULL: then number */
    uint64_t number;
};

void log_set(enum log_level level, bool json);
bool log_wants(enum log_level level);
/* 0, or -1 when there is no thread to be had. */
int log_start(void) __attribute__((warn_unused_result));
/* Lines that were left out since the start because whoever reads the log was too slow. Any thread. */
uint64_t log_lines_dropped(void);
/* Writes what is queued, for a second at most: a log that nobody reads keeps no program from its end. */
void log_stop(void);
/* `event` is a constant phrase without values; the values go into fields. */
void log_event(enum log_level level, const char *event, const struct log_field *fields);

#define LOG_TEXT(k, v)          \
    {                           \
        .key = (k), .text = (v) \
    }
#define LOG_NUMBER(k, v)                    \
    {                                       \
        .key = (k), .number = (uint64_t)(v) \
    }
/* log_line(LOG_INFO, "logged in", LOG_TEXT("user", name), LOG_NUMBER("session", id)) */
#define log_line(level, event, ...) \
    log_event((level), (event), (const struct log_field[]){ __VA_ARGS__, { .key = (void *)0 } })

#endif
