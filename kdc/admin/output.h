/*
 * output.h: tables for people, JSON for programs. No control character of the data ever reaches a terminal.
 */
#ifndef KDC_ADMIN_OUTPUT_H
#define KDC_ADMIN_OUTPUT_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* `text` with whatever isn't a printable character as '?'. */
void text_print(FILE *out, const char *text);

#define TABLE_COLUMNS_MAX 8

/* A table that is printed once all its rows are known: columns as wide as what stands in them. */
struct table {
    size_t columns;
    const char *titles[TABLE_COLUMNS_MAX]; /* lent; titles[0] NULL: no line of titles */
    size_t widths[TABLE_COLUMNS_MAX];      /* at least; for a table that is printed part by part */
    char **cells;                          /* row by row; owned */
    size_t count;                          /* cells */
    size_t room;
};

/* Adds a cell (copied); rows come full by themselves. */
void table_add(struct table *table, const char *text);
void table_add_number(struct table *table, uint64_t number);
/* Prints, and frees what was added. */
void table_print(struct table *table);

#define TIME_TEXT_LEN 32

/* RFC 3339, UTC, with milliseconds: "2026-11-20T09:00:00.123Z". */
void time_text(uint64_t ms, char out[TIME_TEXT_LEN]);
/* For a table: seconds are enough; "never" for 0. */
void time_text_short(uint64_t ms, char out[TIME_TEXT_LEN]);
/* For JSON: a new string, or null for 0. */
json_t *time_json(uint64_t ms);

/* One line. Takes the reference. */
void json_print(json_t *json);
/* The same into a file, without the line's end. */
void json_put(FILE *out, json_t *json);

#endif
