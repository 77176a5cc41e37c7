/* Readers and writers: bounds, the first error that stays, big-endian. */
#include "tests/support/wire_bytes.h"
#include "tests/unit/cmocka_all.h"
#include "wire/codec.h"

#include <string.h>

static const uint8_t fifteen[15] = { 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08,
                                     0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7 };

static void integers_are_big_endian(void **state)
{
    (void)state;
    struct reader r;
    reader_init(&r, fifteen, sizeof(fifteen));
    assert_int_equal(reader_u8(&r), 0x01);
    assert_int_equal(reader_u16(&r), 0x0203);
    assert_int_equal(reader_u32(&r), 0x04050607);
    assert_true(reader_u64(&r) == UINT64_C(0x08f1f2f3f4f5f6f7));
    assert_int_equal(reader_end(&r), 0);

    uint8_t out[15];
    struct writer w;
    writer_init(&w, out, sizeof(out));
    writer_u8(&w, 0x01);
    writer_u16(&w, 0x0203);
    writer_u32(&w, 0x04050607);
    writer_u64(&w, UINT64_C(0x08f1f2f3f4f5f6f7));
    assert_int_equal(writer_end(&w), 0);
    assert_int_equal(w.len, sizeof(out));
    assert_memory_equal(out, fifteen, sizeof(out));
}

static void reading_past_the_end_fails_for_good(void **state)
{
    (void)state;
    struct reader r;
    reader_init(&r, fifteen, 3);
    assert_int_equal(reader_u32(&r), 0);
    assert_int_equal(reader_u8(&r), 0); /* there is a byte, but the first error stays */
    assert_null(reader_bytes(&r, 1).data);
    assert_int_equal(reader_bytes(&r, 1).len, 0);
    assert_null(reader_bytes(&r, 0).data);
    uint8_t copy[2] = { 9, 9 };
    reader_copy(&r, copy, sizeof(copy));
    assert_int_equal(copy[0], 0);
    assert_int_equal(copy[1], 0);
    assert_int_equal(reader_end(&r), -1);
}

static void what_is_left_over_is_an_error_at_the_end(void **state)
{
    (void)state;
    struct reader r;
    reader_init(&r, fifteen, 2);
    assert_int_equal(reader_u8(&r), 1);
    assert_int_equal(reader_end(&r), -1);
    assert_int_equal(reader_u8(&r), 2);
    assert_int_equal(reader_end(&r), 0);
}

static void bytes_are_lent_and_copied(void **state)
{
    (void)state;
    struct reader r;
    reader_init(&r, fifteen, sizeof(fifteen));
    struct bytes lent = reader_bytes(&r, 4);
    assert_ptr_equal(lent.data, fifteen);
    assert_int_equal(lent.len, 4);
    uint8_t copy[11];
    reader_copy(&r, copy, sizeof(copy));
    assert_memory_equal(copy, fifteen + 4, sizeof(copy));
    assert_int_equal(reader_bytes(&r, 0).len, 0);
    assert_int_equal(reader_end(&r), 0);
}

static void a_refusal_of_the_callers_stays(void **state)
{
    (void)state;
    struct reader r;
    reader_init(&r, fifteen, 0);
    assert_int_equal(reader_end(&r), 0);
    reader_fail(&r);
    assert_int_equal(reader_end(&r), -1);

    uint8_t out[4];
    struct writer w;
    writer_init(&w, out, sizeof(out));
    writer_u8(&w, 1);
    writer_fail(&w);
    writer_u8(&w, 2);
    assert_int_equal(writer_end(&w), -1);
    assert_int_equal(w.len, 1);
}

static void empty_input_needs_no_memory(void **state)
{
    (void)state;
    struct reader r;
    reader_init(&r, NULL, 0);
    assert_int_equal(reader_rest(&r, 0, 10).len, 0);
    assert_int_equal(reader_bytes(&r, 0).len, 0);
    assert_int_equal(reader_end(&r), 0);
    assert_int_equal(reader_u8(&r), 0);
    assert_int_equal(reader_end(&r), -1);
}

/* For each length that a vec may claim and each number of bytes that are there. */
static void a_vec_is_taken_within_its_bounds_only(void **state)
{
    (void)state;
    const size_t min = 2, max = 6;
    for (size_t claimed = 0; claimed <= 9; claimed++) {
        for (size_t there = 0; there <= 9; there++) {
            uint8_t in8[10] = { (uint8_t)claimed };
            uint8_t in16[11] = { 0, (uint8_t)claimed };
            struct reader r8, r16;
            reader_init(&r8, in8, 1 + there);
            reader_init(&r16, in16, 2 + there);
            struct bytes v8 = reader_vec8(&r8, min, max);
            struct bytes v16 = reader_vec16(&r16, min, max);
            bool good = claimed >= min && claimed <= max && claimed <= there;
            assert_int_equal(v8.len, good ? claimed : 0);
            assert_int_equal(v16.len, good ? claimed : 0);
            assert_ptr_equal(v8.data, good ? in8 + 1 : NULL);
            assert_ptr_equal(v16.data, good ? in16 + 2 : NULL);
            assert_int_equal(reader_end(&r8), good && claimed == there ? 0 : -1);
            assert_int_equal(reader_end(&r16), good && claimed == there ? 0 : -1);
        }
    }
}

static void the_rest_is_taken_within_its_bounds_only(void **state)
{
    (void)state;
    for (size_t there = 0; there <= 9; there++) {
        struct reader r;
        reader_init(&r, fifteen, 1 + there);
        assert_int_equal(reader_u8(&r), 1);
        struct bytes rest = reader_rest(&r, 2, 6);
        bool good = there >= 2 && there <= 6;
        assert_int_equal(rest.len, good ? there : 0);
        assert_int_equal(reader_end(&r), good ? 0 : -1);
    }
}

static void a_huge_length_is_no_overflow(void **state)
{
    (void)state;
    struct reader r;
    reader_init(&r, fifteen, sizeof(fifteen));
    assert_int_equal(reader_u8(&r), 1);
    assert_null(reader_bytes(&r, SIZE_MAX).data);
    assert_int_equal(reader_end(&r), -1);

    uint8_t out[4];
    struct writer w;
    writer_init(&w, out, sizeof(out));
    writer_u8(&w, 1);
    writer_bytes(&w, fifteen, SIZE_MAX);
    assert_int_equal(writer_end(&w), -1);
}

static void a_writer_never_passes_its_room(void **state)
{
    (void)state;
    for (size_t room = 0; room <= 14; room++) {
        uint8_t out[16];
        memset(out, 0xee, sizeof(out));
        struct writer w;
        writer_init(&w, out, room);
        writer_u8(&w, 1);
        writer_u16(&w, 2);
        writer_u32(&w, 3);
        writer_vec8(&w, fifteen, 2);
        writer_vec16(&w, fifteen, 2);
        assert_int_equal(writer_end(&w), room == 14 ? 0 : -1);
        for (size_t i = room; i < sizeof(out); i++)
            assert_int_equal(out[i], 0xee);
    }
}

static void vecs_carry_their_length(void **state)
{
    (void)state;
    uint8_t out[12], expected[12];
    struct writer w;
    writer_init(&w, out, sizeof(out));
    writer_vec8(&w, "abc", 3);
    writer_vec16(&w, "de", 2);
    writer_vec8(&w, NULL, 0);
    writer_vec16(&w, NULL, 0);
    assert_int_equal(writer_end(&w), 0);
    size_t len = bytes_from("03 'abc' 0002 'de' 00 0000", expected, sizeof(expected));
    assert_int_equal(w.len, len);
    assert_memory_equal(out, expected, len);
}

static void a_vec_longer_than_its_length_can_say_is_refused(void **state)
{
    (void)state;
    static uint8_t in[0x10000], out[0x10010];
    struct writer w;
    writer_init(&w, out, sizeof(out));
    writer_vec8(&w, in, 255);
    writer_vec16(&w, in, 0xffff - 256);
    assert_int_equal(writer_end(&w), 0);
    writer_init(&w, out, sizeof(out));
    writer_vec8(&w, in, 256);
    assert_int_equal(writer_end(&w), -1);
    writer_init(&w, out, sizeof(out));
    writer_vec16(&w, in, 0xffff);
    assert_int_equal(writer_end(&w), 0);
    writer_init(&w, out, sizeof(out));
    writer_vec16(&w, in, 0x10000);
    assert_int_equal(writer_end(&w), -1);
}

static void a_writer_without_memory_counts(void **state)
{
    (void)state;
    struct writer w;
    writer_init(&w, NULL, SIZE_MAX);
    writer_u8(&w, 1);
    writer_u64(&w, 2);
    writer_vec16(&w, fifteen, 5);
    writer_bytes(&w, fifteen, 3);
    assert_int_equal(writer_end(&w), 0);
    assert_int_equal(w.len, 1 + 8 + 2 + 5 + 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_big_endian),
        cmocka_unit_test(reading_past_the_end_fails_for_good),
        cmocka_unit_test(what_is_left_over_is_an_error_at_the_end),
        cmocka_unit_test(bytes_are_lent_and_copied),
        cmocka_unit_test(a_refusal_of_the_callers_stays),
        cmocka_unit_test(empty_input_needs_no_memory),
        cmocka_unit_test(a_vec_is_taken_within_its_bounds_only),
        cmocka_unit_test(the_rest_is_taken_within_its_bounds_only),
        cmocka_unit_test(a_huge_length_is_no_overflow),
        cmocka_unit_test(a_writer_never_passes_its_room),
        cmocka_unit_test(vecs_carry_their_length),
        cmocka_unit_test(a_vec_longer_than_its_length_can_say_is_refused),
        cmocka_unit_test(a_writer_without_memory_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
