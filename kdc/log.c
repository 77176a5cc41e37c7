#include "kdc/log.h"

#include "kdc/log_writer.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LINE_MAX_LEN 4096 /* longer lines are cut, and say so */

static atomic_int level_now = LOG_INFO;
static atomic_bool json_now = false;

/* A line being written; `full` once something didn't fit. */
struct line {
    char text[LINE_MAX_LEN];
    size_t len;
    bool json;
    bool full;
};

static const char *const level_words[] = { "debug", "info", "warn", "error" };

void log_set(enum log_level level, bool json)
{
    atomic_store_explicit(&level_now, (int)level, memory_order_relaxed);
    atomic_store_explicit(&json_now, json, memory_order_relaxed);
}

bool log_wants(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&level_now, memory_order_relaxed);
}

/* The last 32 bytes are kept for the line's end. */
static void bytes_add(struct line *line, const char *text, size_t len)
{
    if (line->len + len > LINE_MAX_LEN - 32) {
        line->full = true;
        return;
    }
    memcpy(line->text + line->len, text, len);
    line->len += len;
}

static void text_add(struct line *line, const char *text)
{
    bytes_add(line, text, strlen(text));
}

/* Bytes of a well-formed, printable UTF-8 character at `text` that may stand in a log as it is; 0 for others: control
 * characters (C1 and the line and paragraph separators too), what reorders text, and what is no UTF-8. */
static size_t printable(const unsigned char *text)
{
    if (text[0] < 0x80)
        return text[0] >= 0x20 && text[0] != 0x7f ? 1 : 0;
    size_t len = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
    if (text[0] < 0xc2 || text[0] > 0xf4)
        return 0;
    uint32_t code = text[0] & (0x7fU >> len);
    for (size_t i = 1; i < len; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3fU);
    }
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    if (code < least[len] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    bool hidden = code < 0xa0 || code == 0xad || code == 0x61c || (code >= 0x200b && code <= 0x200f) ||
                  (code >= 0x2028 && code <= 0x202e) || (code >= 0x2060 && code <= 0x206f) || code == 0xfeff ||
                  (code >= 0xfff9 && code <= 0xfffb) || (code >= 0xe0000 && code <= 0xe0fff);
    return hidden ? 0 : len;
}

/* Whether a value may stand without quotes in a line. */
static bool bare(const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        if (*at <= ' ' || *at >= 0x7f || *at == '"' || *at == '\\' || *at == '=')
            return false;
    }
    return *text != '\0';
}

/* A value between its quotes, escaped: a log of lines shows a byte as \xHH; in JSON, which has only characters, it is
 * \u00HH. */
static void escaped_add(struct line *line, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    if (bare(text)) { /* as nearly all are */
        text_add(line, text);
        return;
    }
    while (*at != '\0') {
        size_t len = printable(at);
        char escape[8];
        if (*at == '"' || *at == '\\') {
            (void)snprintf(escape, sizeof escape, "\\%c", (char)*at);
            text_add(line, escape);
        } else if (len > 0) {
            bytes_add(line, (const char *)at, len);
        } else {
            (void)snprintf(escape, sizeof escape, line->json ? "\\u%04x" : "\\x%02x", (unsigned)*at);
            text_add(line, escape);
        }
        at += len > 0 ? len : 1;
        if (line->full)
            return;
    }
}

static void number_add(struct line *line, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    bytes_add(line, digits + at, sizeof digits - at);
}

/* A field, or nothing of it when it doesn't fit. */
static void field_add(struct line *line, const struct log_field *field)
{
    size_t before = line->len;
    bool quoted = field->text != NULL && (line->json || !bare(field->text));
    text_add(line, line->json ? ",\"" : " ");
    text_add(line, field->key);
    text_add(line, line->json ? "\":" : "=");
    text_add(line, quoted ? "\"" : "");
    if (field->text != NULL)
        escaped_add(line, field->text);
    else
        number_add(line, field->number);
    text_add(line, quoted ? "\"" : "");
    if (line->full)
        line->len = before;
}

static void time_add(struct line *line)
{
    /* Each thread's last: a second has many lines. */
    static _Thread_local time_t second = -1;
    static _Thread_local char text[32];
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec != second) {
        struct tm utc;
        (void)gmtime_r(&now.tv_sec, &utc);
        (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
        second = now.tv_sec;
    }
    const long ms = now.tv_nsec / 1000000;
    const char rest[] = { '.', (char)('0' + ms / 100), (char)('0' + ms / 10 % 10), (char)('0' + ms % 10), 'Z' };
    text_add(line, text);
    bytes_add(line, rest, sizeof rest);
}

void log_event(enum log_level level, const char *event, const struct log_field *fields)
{
    if (!log_wants(level))
        return;
    struct line line; /* its text is written before it is read */
    line.len = 0;
    line.full = false;
    line.json = atomic_load_explicit(&json_now, memory_order_relaxed);
    text_add(&line, line.json ? "{\"time\":\"" : "");
    time_add(&line);
    text_add(&line, line.json ? "\",\"level\":\"" : " ");
    text_add(&line, level_words[level]);
    text_add(&line, line.json ? "\",\"event\":\"" : " ");
    if (line.json)
        escaped_add(&line, event);
    else
        text_add(&line, event);
    text_add(&line, line.json ? "\"" : "");
    for (const struct log_field *field = fields; field != NULL && field->key != NULL && !line.full; field++)
        field_add(&line, field);

    const char *end = line.json ? (line.full ? ",\"cut\":true}\n" : "}\n") : (line.full ? " ...\n" : "\n");
    size_t end_len = strlen(end);
    memcpy(line.text + line.len, end, end_len);
    log_writer_take(line.text, line.len + end_len, level >= LOG_WARN);
}
