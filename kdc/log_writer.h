/*
 * log_writer.h: how lines get from log.c to stderr. Private to log.c and log_writer.c; the rules are in log.h.
 */
#ifndef KDC_LOG_WRITER_H
#define KDC_LOG_WRITER_H

#include <stdbool.h>
#include <stddef.h>

/* A whole line with its newline: queued, written, or left out. An urgent one isn't kept for others to come. */
void log_writer_take(const char *line, size_t len, bool urgent);

#endif
