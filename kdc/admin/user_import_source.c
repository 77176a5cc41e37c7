#include "crypto/secret.h"
#include "kdc/admin/user_import.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_LEN ((size_t)1 << 16)
#define END (-1)

/* Reads on behind what is in the buffer. */
static bool buffer_add(struct import_source *source)
{
    ssize_t got;
    do
        got = read(source->fd, source->buffer + source->len, BUFFER_LEN - source->len);
    while (got < 0 && errno == EINTR);
    source->error = got < 0 ? errno : 0;
    source->len += got < 0 ? 0 : (size_t)got;
    return got > 0;
}

static bool buffer_fill(struct import_source *source)
{
    source->at = source->len = 0;
    return buffer_add(source);
}

static int byte_peek(struct import_source *source)
{
    return source->at < source->len || buffer_fill(source) ? source->buffer[source->at] : END;
}

static int byte_next(struct import_source *source)
{
    const int byte = byte_peek(source);
    if (byte == END)
        return END;
    source->at++;
    if (byte == '\n')
        source->line++;
    return byte;
}

int source_open(struct import_source *source, int fd)
{
    static const uint8_t mark[] = { 0xef, 0xbb, 0xbf };
    *source = (struct import_source){ .fd = fd, .buffer = secret_alloc(BUFFER_LEN), .line = 1 };
    if (source->buffer == NULL)
        return -1;
    while (source->len < sizeof mark && buffer_add(source)) {
    }
    if (source->len >= sizeof mark && memcmp(source->buffer, mark, sizeof mark) == 0)
        source->at = sizeof mark;
    return 0;
}

void source_close(struct import_source *source)
{
    secret_free(&source->buffer);
}

int record_new(struct record *record)
{
    *record = (struct record){ .text = secret_alloc(RECORD_MAX) };
    return record->text == NULL ? -1 : 0;
}

void record_free(struct record *record)
{
    secret_free(&record->text);
}

static void wrong_note(struct record *record, const char *why)
{
    if (record->wrong == NULL)
        record->wrong = why;
}

static void byte_put(struct record *record, int byte)
{
    if (byte == '\0')
        wrong_note(record, "there is a NUL byte in it");
    if (record->len == RECORD_MAX)
        wrong_note(record, "it is longer than 16384 bytes");
    else
        record->text[record->len++] = (char)byte;
}

static void field_end(struct record *record, size_t start)
{
    if (record->count < RECORD_FIELDS_MAX)
        record->fields[record->count] =
            (struct bytes){ .data = (const uint8_t *)record->text + start, .len = record->len - start };
    record->count++;
}

static void record_begin(struct import_source *source, struct record *record)
{
    secret_wipe(record->text, record->len);
    record->len = record->count = 0;
    record->wrong = NULL;
    record->line = source->line;
}

/* A carriage return in front of the line's end belongs to it. */
static void line_end(struct record *record, size_t start)
{
    if (record->len > start && record->text[record->len - 1] == '\r')
        record->len--;
}

bool record_read_line(struct import_source *source, struct record *record)
{
    do {
        record_begin(source, record);
        if (byte_peek(source) == END)
            return false;
        for (int byte = byte_next(source); byte != '\n' && byte != END; byte = byte_next(source))
            byte_put(record, byte);
        line_end(record, 0);
    } while (record->len == 0 && record->wrong == NULL);
    field_end(record, 0);
    return source->error == 0;
}

/* The rest of a field whose opening quote was read; gives the byte behind it. */
static int quoted_read(struct import_source *source, struct record *record)
{
    for (;;) {
        int byte = byte_next(source);
        if (byte == END) {
            wrong_note(record, "a quote isn't closed up to the end of the file");
            return END;
        }
        if (byte == '"') {
            byte = byte_next(source);
            if (byte != '"')
                return byte;
        }
        byte_put(record, byte);
    }
}

/* One field; gives what ended it: a comma, a newline or the end. */
static int field_read(struct import_source *source, struct record *record)
{
    const size_t start = record->len;
    int byte = byte_next(source);
    const bool quoted = byte == '"';
    if (quoted) {
        byte = quoted_read(source, record);
        if (byte == '\r' && byte_peek(source) == '\n')
            byte = byte_next(source);
    }
    for (; byte != ',' && byte != '\n' && byte != END; byte = byte_next(source)) {
        if (quoted)
            wrong_note(record, "there is something behind a closing quote");
        else if (byte == '"')
            wrong_note(record, "there is a quote in a column that isn't quoted");
        byte_put(record, byte);
    }
    if (byte != ',' && !quoted)
        line_end(record, start);
    field_end(record, start);
    return byte;
}

bool record_read_csv(struct import_source *source, struct record *record)
{
    do {
        record_begin(source, record);
        if (byte_peek(source) == END)
            return false;
        while (field_read(source, record) == ',') {
        }
    } while (record->count == 1 && record->len == 0 && record->wrong == NULL);
    return source->error == 0;
}
