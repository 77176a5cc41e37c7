/* Contents: what two people's clients say inside a ciphertext message. */
#include "tests/support/wire_bytes.h"
#include "tests/unit/cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#define ROOM 20000

static const struct sample {
    const char *bytes; /* by hand from docs/protocol.md section 5.3 */
    struct content c;
} samples[] = {
    { "01", { .kind = CONTENT_CONFIRM } },
    { "02 0102030405060708 0000000000000001 'h' c3a9 'llo'",
      { .kind = CONTENT_TEXT,
        .instance = UINT64_C(0x0102030405060708),
        .number = 1,
        .text = { (const uint8_t *)"h\xc3\xa9llo", 6 } } },
    { "02 00*8 ff*8 00", { .kind = CONTENT_TEXT, .number = UINT64_MAX, .text = { (const uint8_t *)"\0", 1 } } },
    { "03 0102030405060708 1112131415161718",
      { .kind = CONTENT_RECEIVED, .instance = UINT64_C(0x0102030405060708), .number = UINT64_C(0x1112131415161718) } },
};
#define SAMPLE_COUNT (sizeof(samples) / sizeof(samples[0]))

static size_t by_hand(const char *notation, uint8_t room[ROOM])
{
    size_t len = bytes_from(notation, room, ROOM);
    assert_true(len != SIZE_MAX);
    return len;
}

/* Decodes from memory of exactly that size, so that a read past it is seen; whatever is taken must come back the same. */
static int decodes(const uint8_t *data, size_t len)
{
    uint8_t *exact = malloc(len + (len == 0));
    assert_non_null(exact);
    memcpy(exact, data, len);
    struct bytes plain = { exact, len };
    struct buffer again;
    buffer_init(&again, 2 * ROOM);
    int result = content_again(plain, &again);
    if (result == 0)
        assert_true(buffer_holds(&again, plain));
    buffer_clear(&again);
    free(exact);
    return result;
}

static void each_content_is_encoded_and_decoded_as_the_document_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        uint8_t expected[ROOM], out[ROOM];
        size_t len = by_hand(samples[i].bytes, expected);
        assert_int_equal(content_len(&samples[i].c), len);
        struct writer w;
        writer_init(&w, out, len);
        assert_int_equal(content_encode(&samples[i].c, &w), 0);
        assert_int_equal(w.len, len);
        assert_memory_equal(out, expected, len);
        writer_init(&w, out, len - 1);
        assert_int_equal(content_encode(&samples[i].c, &w), -1);

        struct content c;
        memset(&c, 0x5a, sizeof(c));
        assert_int_equal(content_decode((struct bytes){ expected, len }, &c), 0);
        assert_int_equal(c.kind, samples[i].c.kind);
        assert_true(c.instance == samples[i].c.instance && c.number == samples[i].c.number);
        assert_int_equal(c.text.len, samples[i].c.text.len);
        if (c.text.len > 0)
            assert_memory_equal(c.text.data, samples[i].c.text.data, c.text.len);
    }
}

static void truncated_and_extended_contents_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        uint8_t plain[ROOM] = { 0 };
        size_t len = by_hand(samples[i].bytes, plain);
        bool text = samples[i].c.kind == CONTENT_TEXT;
        for (size_t cut = 0; cut < len; cut++) {
            bool whole = text && cut >= 18 && cut != 19; /* 19: in the midst of a character */
            assert_int_equal(decodes(plain, cut), whole ? 0 : -1);
        }
        for (unsigned extra = 0; extra < 256; extra++) {
            plain[len] = (uint8_t)extra;
            assert_int_equal(decodes(plain, len + 1), text && extra < 0x80 ? 0 : -1);
        }
    }
}

static void a_text_is_1_to_16384_bytes_of_utf8(void **state)
{
    (void)state;
    uint8_t plain[ROOM] = { 0 };
    assert_int_equal(decodes(plain, by_hand("02 00*8 00*7 01 61*16384", plain)), 0);
    assert_int_equal(decodes(plain, by_hand("02 00*8 00*7 01 61*16385", plain)), -1);
    assert_int_equal(decodes(plain, by_hand("02 00*8 00*7 01", plain)), -1);
    assert_int_equal(decodes(plain, by_hand("02 00*8 00*7 01 61*16382 c3a9", plain)), 0);
    assert_int_equal(decodes(plain, by_hand("02 00*8 00*7 01 61*16383 c3", plain)), -1);
    assert_int_equal(decodes(plain, by_hand("02 00*8 00*7 01 c080", plain)), -1);
    assert_int_equal(decodes(plain, by_hand("02 00*8 00*7 01 eda080", plain)), -1);
    assert_int_equal(decodes(plain, by_hand("02 00*8 00*7 01 f4908080", plain)), -1);
}

static void numbers_count_from_1(void **state)
{
    (void)state;
    uint8_t plain[ROOM] = { 0 };
    assert_int_equal(decodes(plain, by_hand("02 00*8 00*8 'a'", plain)), -1);
    assert_int_equal(decodes(plain, by_hand("03 00*8 00*8", plain)), -1);
    assert_int_equal(decodes(plain, by_hand("03 00*8 00*7 01", plain)), 0);
}

static void unknown_kinds_are_refused(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 256; kind++) {
        uint8_t plain[18] = { (uint8_t)kind, [16] = 1, [17] = 'a' };
        assert_int_equal(decodes(plain, 1), kind == CONTENT_CONFIRM ? 0 : -1);
        assert_int_equal(decodes(plain, 17), kind == CONTENT_RECEIVED ? 0 : -1);
        assert_int_equal(decodes(plain, 18), kind == CONTENT_TEXT ? 0 : -1);
    }
}

static void what_cant_be_decoded_isnt_encoded(void **state)
{
    (void)state;
    static uint8_t text[16385], out[ROOM];
    memset(text, 'a', sizeof(text));
    const struct content refused[] = {
        { .kind = (enum content_kind)0 },
        { .kind = (enum content_kind)4 },
        { .kind = (enum content_kind)257 },
        { .kind = CONTENT_TEXT, .number = 0, .text = { text, 1 } },
        { .kind = CONTENT_TEXT, .number = 1, .text = { text, 0 } },
        { .kind = CONTENT_TEXT, .number = 1, .text = { text, 16385 } },
        { .kind = CONTENT_TEXT, .number = 1, .text = { (const uint8_t *)"\xff", 1 } },
        { .kind = CONTENT_RECEIVED, .number = 0 },
    };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct writer w;
        writer_init(&w, out, sizeof(out));
        assert_int_equal(content_encode(&refused[i], &w), -1);
    }
    struct content longest = { .kind = CONTENT_TEXT, .number = 1, .text = { text, 16384 } };
    assert_int_equal(content_len(&longest), CONTENT_LEN_MAX);
    struct writer w;
    writer_init(&w, out, CONTENT_LEN_MAX);
    assert_int_equal(content_encode(&longest, &w), 0);
    assert_int_equal(decodes(out, w.len), 0);
}

static void a_refused_content_lends_nothing(void **state)
{
    (void)state;
    static const struct content zero;
    uint8_t plain[ROOM] = { 0 };
    size_t len = by_hand("02 00*8 00*7 01 'abc' ff", plain);
    struct content c;
    memset(&c, 0x5a, sizeof(c));
    assert_int_equal(content_decode((struct bytes){ plain, len }, &c), -1);
    assert_memory_equal(&c, &zero, sizeof(c));
    assert_int_equal(content_decode((struct bytes){ NULL, 0 }, &c), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_content_is_encoded_and_decoded_as_the_document_says),
        cmocka_unit_test(truncated_and_extended_contents_are_refused),
        cmocka_unit_test(a_text_is_1_to_16384_bytes_of_utf8),
        cmocka_unit_test(numbers_count_from_1),
        cmocka_unit_test(unknown_kinds_are_refused),
        cmocka_unit_test(what_cant_be_decoded_isnt_encoded),
        cmocka_unit_test(a_refused_content_lends_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
