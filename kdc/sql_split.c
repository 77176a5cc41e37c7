#include "kdc/sql_split.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

void sql_split_start(struct sql_split *split, const char *text, size_t len)
{
    split->text = text;
    split->end = text + len;
    (void)strcpy(split->delimiter, ";");
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool starts(const char *at, const char *end, const char *with)
{
    size_t len = strlen(with);
    return (size_t)(end - at) >= len && memcmp(at, with, len) == 0;
}

static const char *line_end(const char *at, const char *end)
{
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    return newline == NULL ? end : newline + 1;
}

/* Behind the comment that begins at `at`; `at` itself when none does; NULL when it isn't ended. */
static const char *comment_skip(const char *at, const char *end)
{
    bool dashes = starts(at, end, "--") && (at + 2 == end || blank(at[2]));
    if (dashes || (at < end && *at == '#'))
        return line_end(at, end);
    if (!starts(at, end, "/*"))
        return at;
    for (at += 2; at < end; at++) {
        if (starts(at, end, "*/"))
            return at + 2;
    }
    return NULL;
}

/* Behind the quoted string or name that begins at `at`; NULL when it isn't ended. */
static const char *quoted_skip(const char *at, const char *end)
{
    char quote = *at++;
    while (at < end) {
        bool doubled = *at == quote && at + 1 < end && at[1] == quote;
        if (*at == quote && !doubled)
            return at + 1;
        bool escape = doubled || (*at == '\\' && quote != '`');
        at += escape ? 2 : 1;
    }
    return NULL;
}

/* Takes a line "DELIMITER x" at the text's front. 1: taken; 0: there is none; -1: x is missing or too long. */
static int delimiter_take(struct sql_split *split)
{
    static const char word[] = "DELIMITER";
    const char *at = split->text;
    size_t len = sizeof word - 1;
    if ((size_t)(split->end - at) <= len || strncasecmp(at, word, len) != 0 || !blank(at[len]))
        return 0;
    const char *end = line_end(at, split->end);
    for (at += len; at < end && blank(*at); at++)
        ;
    const char *last = at;
    while (last < end && !blank(*last))
        last++;
    if (last == at || (size_t)(last - at) >= sizeof split->delimiter)
        return -1;
    memset(split->delimiter, 0, sizeof split->delimiter);
    memcpy(split->delimiter, at, (size_t)(last - at));
    split->text = end;
    return 1;
}

/* Moves to the next statement's first byte, or to the end. */
static int between_skip(struct sql_split *split)
{
    for (;;) {
        while (split->text < split->end && blank(*split->text))
            split->text++;
        const char *behind = comment_skip(split->text, split->end);
        if (behind == NULL)
            return -1;
        if (behind != split->text) {
            split->text = behind;
            continue;
        }
        int taken = delimiter_take(split);
        if (taken < 0)
            return -1;
        if (taken > 0)
            continue;
        if (!starts(split->text, split->end, split->delimiter))
            return 0;
        split->text += strlen(split->delimiter); /* an empty statement */
    }
}

int sql_split_next(struct sql_split *split, struct sql_statement *statement)
{
    if (between_skip(split) != 0)
        return -1;
    if (split->text == split->end)
        return 0;
    const char *at = split->text;
    while (at < split->end && !starts(at, split->end, split->delimiter)) {
        const char *behind =
            *at == '\'' || *at == '"' || *at == '`' ? quoted_skip(at, split->end) : comment_skip(at, split->end);
        if (behind == NULL)
            return -1;
        at = behind == at ? at + 1 : behind;
    }
    if (at == split->end)
        return -1; /* a file's last statement has its delimiter too */
    statement->text = split->text;
    statement->len = (size_t)(at - split->text);
    split->text = at + strlen(split->delimiter);
    while (statement->len > 0 && blank(statement->text[statement->len - 1]))
        statement->len--;
    return 1;
}
