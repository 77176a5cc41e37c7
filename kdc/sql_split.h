/*
 * sql_split.h: takes a file of SQL apart into statements, as the mariadb client does, so that the same files serve
 * both.
 *
 * Knows quoted strings and names ('…', "…", `…`, with backslashes in the first two and doubled quotes), comments
 * (-- to the line's end, # to the line's end, slash-star) and lines "DELIMITER x". Comments between statements are left
 * out, those within stay. Any thread.
 */
#ifndef KDC_SQL_SPLIT_H
#define KDC_SQL_SPLIT_H

#include <stddef.h>

struct sql_split {
    const char *text; /* what is left; lent */
    const char *end;
    char delimiter[8];
};

struct sql_statement { /* lent, part of the text; without its delimiter and without blanks around it */
    const char *text;
    size_t len;
};

void sql_split_start(struct sql_split *split, const char *text, size_t len);
/* 1: the next statement; 0: no more; -1: a string, comment or statement isn't ended, or a DELIMITER is none. */
int sql_split_next(struct sql_split *split, struct sql_statement *statement) __attribute__((warn_unused_result));

#endif
