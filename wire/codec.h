/*
 * codec.h: bounds-checked cursors over bytes: `reader` takes apart, `writer` puts together. All integers big-endian.
 *
 * Both remember their first error and do nothing from then on, so a chain of calls is checked once at its end:
 * reader_end (which also demands that nothing is left over) and writer_end. No allocation; any thread.
 */
#ifndef WIRE_CODEC_H
#define WIRE_CODEC_H

#include "wire/protocol.h"

struct reader {
    const uint8_t *data;
    size_t len;
    size_t at;
    bool failed;
};

void reader_init(struct reader *r, const void *data, size_t len);
uint8_t reader_u8(struct reader *r);
uint16_t reader_u16(struct reader *r);
uint32_t reader_u32(struct reader *r);
uint64_t reader_u64(struct reader *r);
/* Exactly `len` bytes, lent; {NULL, 0} after an error. */
struct bytes reader_bytes(struct reader *r, size_t len);
/* Copies exactly `len` bytes; `out` is zeroed after an error. */
void reader_copy(struct reader *r, void *out, size_t len);
/* A length of 8 or 16 bits, from `min` to `max`, and as many bytes. */
struct bytes reader_vec8(struct reader *r, size_t min, size_t max);
struct bytes reader_vec16(struct reader *r, size_t min, size_t max);
/* What is left, at most `max` bytes. */
struct bytes reader_rest(struct reader *r, size_t min, size_t max);
/* Marks the input as refused: for checks that the caller makes itself. */
void reader_fail(struct reader *r);
/* 0 when every call so far went well and nothing is left; -1 otherwise. */
int reader_end(const struct reader *r) __attribute__((warn_unused_result));

struct writer {
    uint8_t *data;
    size_t room;
    size_t len;
    bool failed;
};

/* With `data` NULL it only counts: w->len is then what the same calls would write. */
void writer_init(struct writer *w, void *data, size_t room);
void writer_u8(struct writer *w, uint8_t value);
void writer_u16(struct writer *w, uint16_t value);
void writer_u32(struct writer *w, uint32_t value);
void writer_u64(struct writer *w, uint64_t value);
void writer_bytes(struct writer *w, const void *data, size_t len);
void writer_vec8(struct writer *w, const void *data, size_t len);
void writer_vec16(struct writer *w, const void *data, size_t len);
/* Marks the output as refused: for checks that the caller makes itself. */
void writer_fail(struct writer *w);
/* 0 when everything fitted; -1 otherwise. */
int writer_end(const struct writer *w) __attribute__((warn_unused_result));

#endif
