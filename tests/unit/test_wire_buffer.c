/* The queue of bytes: its limit, its order, and what becomes of its memory. */
#include "crypto/secret.h"
#include "tests/unit/cmocka_all.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The buffer's memory is seen here: how many blocks are out, and that each is all zero when it comes back. The library's
 * source is taken in, so that its malloc and free are these. */
static struct {
    void *block;
    size_t len;
} blocks[8];
static size_t blocks_out;
static size_t blocks_taken; /* ever */
static bool wiping;         /* whether blocks must be zero when they come back: not those of a stock */
static bool memory_is_out;

static void *watched_malloc(size_t len)
{
    if (memory_is_out)
        return NULL;
    void *block = malloc(len);
    assert_non_null(block);
    memset(block, 0xa5, len);
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        if (blocks[i].block == NULL) {
            blocks[i].block = block;
            blocks[i].len = len;
            blocks_out++;
            blocks_taken++;
            return block;
        }
    }
    fail_msg("more blocks than a buffer should ever hold");
    return NULL;
}

static void watched_free(void *block)
{
    if (block == NULL)
        return;
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        if (blocks[i].block != block)
            continue;
        for (size_t k = 0; wiping && k < blocks[i].len; k++)
            assert_int_equal(((const uint8_t *)block)[k], 0);
        blocks[i].block = NULL;
        blocks_out--;
        free(block);
        return;
    }
    fail_msg("a block that the buffer doesn't own");
}

#define malloc watched_malloc
#define free watched_free
#include "wire/buffer.c"
#undef malloc
#undef free

static void a_new_buffer_holds_no_memory(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 100);
    assert_int_equal(buffer_len(&b), 0);
    assert_null(buffer_data(&b));
    assert_int_equal(blocks_out, 0);
    buffer_consume(&b, 5);
    buffer_clear(&b);
    assert_int_equal(b.limit, 100);
}

static void bytes_leave_in_the_order_they_came(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 1000);
    uint8_t in = 0, out = 0;
    size_t held = 0;
    for (size_t round = 0; round < 3000; round++) {
        size_t add = round * 7 % 13, drop = round * 5 % 11;
        for (size_t i = 0; i < add; i++) {
            assert_int_equal(buffer_append(&b, &in, 1), 0);
            in++;
        }
        held += add;
        drop = drop < held ? drop : held;
        for (size_t i = 0; i < drop; i++)
            assert_int_equal(buffer_data(&b)[i], (uint8_t)(out + i));
        buffer_consume(&b, drop);
        out = (uint8_t)(out + drop);
        held -= drop;
        assert_int_equal(buffer_len(&b), held);
        if (held > 900) {
            buffer_consume(&b, held - 1);
            out = (uint8_t)(out + held - 1);
            held = 1;
        }
    }
    buffer_clear(&b);
    assert_int_equal(blocks_out, 0);
}

static void the_limit_counts_what_is_held(void **state)
{
    (void)state;
    static const size_t limits[] = { 1, 10, 511, 512, 513, 5000, 70000 };
    static uint8_t bytes[70001];
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        size_t limit = limits[i];
        struct buffer b;
        buffer_init(&b, limit);
        assert_null(buffer_reserve(&b, limit + 1));
        assert_null(buffer_reserve(&b, SIZE_MAX));
        assert_int_equal(blocks_out, 0);
        assert_int_equal(buffer_append(&b, bytes, limit), 0);
        assert_null(buffer_reserve(&b, 1));
        assert_int_equal(buffer_append(&b, bytes, 1), -1);
        assert_int_equal(buffer_len(&b), limit);
        assert_null(buffer_reserve(&b, SIZE_MAX));
        if (limit > 1) { /* what was consumed makes room again */
            buffer_consume(&b, 1);
            assert_int_equal(buffer_append(&b, bytes, 2), -1);
            assert_int_equal(buffer_append(&b, bytes, 1), 0);
            assert_int_equal(buffer_len(&b), limit);
        }
        assert_true(b.room <= (limit < 512 ? 512 : limit));
        buffer_clear(&b);
    }
    struct buffer none;
    buffer_init(&none, 0);
    assert_int_equal(buffer_append(&none, bytes, 1), -1);
    assert_int_equal(buffer_append(&none, NULL, 0), 0);
    assert_int_equal(blocks_out, 0);
}

static void memory_is_wiped_and_freed_when_nothing_is_left(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 1000);
    assert_int_equal(buffer_append(&b, "secret", 6), 0);
    assert_int_equal(blocks_out, 1);
    buffer_consume(&b, 5);
    assert_int_equal(blocks_out, 1);
    buffer_consume(&b, 1);
    assert_int_equal(blocks_out, 0);
    assert_null(buffer_data(&b));
    assert_int_equal(buffer_append(&b, "again", 5), 0);
    buffer_consume(&b, 500); /* more than there is: all of it */
    assert_int_equal(buffer_len(&b), 0);
    assert_int_equal(blocks_out, 0);
    assert_int_equal(b.limit, 1000);
}

static void growing_leaves_no_bytes_behind(void **state)
{
    (void)state;
    struct buffer b;
    uint8_t piece[300];
    memset(piece, 0x5a, sizeof(piece));
    buffer_init(&b, 100000);
    for (size_t i = 0; i < 300; i++)
        assert_int_equal(buffer_append(&b, piece, sizeof(piece)), 0); /* watched_free looks at each old block */
    assert_int_equal(blocks_out, 1);
    assert_int_equal(buffer_len(&b), 300 * sizeof(piece));
    for (size_t i = 0; i < buffer_len(&b); i++)
        assert_int_equal(buffer_data(&b)[i], 0x5a);
    buffer_clear(&b);
    assert_int_equal(blocks_out, 0);
}

static void a_reservation_is_contiguous_and_counts_once_committed(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 2000);
    assert_int_equal(buffer_append(&b, "ab", 2), 0);
    uint8_t *at = buffer_reserve(&b, 1500);
    assert_non_null(at);
    assert_int_equal(buffer_len(&b), 2);
    memset(at, 'c', 1500);
    buffer_commit(&b, 3);
    assert_int_equal(buffer_len(&b), 5);
    assert_memory_equal(buffer_data(&b), "abccc", 5);
    buffer_clear(&b);
}

static void a_reservation_given_up_is_wiped(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 2000);
    uint8_t *at = buffer_reserve(&b, 100);
    assert_non_null(at);
    memset(at, 0x77, 100);
    buffer_commit(&b, 0);
    assert_int_equal(blocks_out, 0);
    assert_int_equal(buffer_len(&b), 0);
}

static void without_memory_it_stays_as_it_was(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 5000);
    assert_int_equal(buffer_append(&b, "held", 4), 0);
    memory_is_out = true;
    assert_null(buffer_reserve(&b, 4000));
    memory_is_out = false;
    assert_int_equal(buffer_len(&b), 4);
    assert_memory_equal(buffer_data(&b), "held", 4);
    buffer_clear(&b);
    assert_int_equal(blocks_out, 0);
}

/* ---- stocks ---- */

static int stocked(void **state)
{
    (void)state;
    wiping = false;
    blocks_taken = 0;
    return 0;
}

static int private(void **state)
{
    (void)state;
    wiping = true;
    return blocks_out == 0 ? 0 : -1;
}

static void a_stock_lends_the_same_memory_again_and_again(void **state)
{
    (void)state;
    struct buffer_stock stock;
    struct buffer a, b;
    buffer_stock_init(&stock, 4);
    buffer_init_with(&a, SIZE_MAX / 4, &stock);
    buffer_init_with(&b, SIZE_MAX / 4, &stock);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(buffer_append(&a, "for a", 5), 0);
        assert_int_equal(buffer_append(&b, "for b", 5), 0);
        assert_memory_equal(buffer_data(&a), "for a", 5);
        buffer_consume(&a, 5);
        assert_null(buffer_data(&a));
        buffer_consume(&b, 2);
        assert_memory_equal(buffer_data(&b), "r b", 3);
        buffer_clear(&b);
    }
    assert_int_equal(blocks_taken, 2);
    assert_int_equal(stock.count, 2);
    buffer_stock_clear(&stock);
    assert_int_equal(blocks_out, 0);
}

static void a_buffer_that_outgrows_the_stock_gives_its_piece_back(void **state)
{
    (void)state;
    static uint8_t piece[1000];
    struct buffer_stock stock;
    struct buffer b;
    memset(piece, 0x5a, sizeof(piece));
    buffer_stock_init(&stock, 4);
    buffer_init_with(&b, SIZE_MAX / 4, &stock);
    for (unsigned i = 0; i < 30; i++)
        assert_int_equal(buffer_append(&b, piece, sizeof(piece)), 0);
    for (unsigned i = 0; i < 30; i++)
        assert_memory_equal(buffer_data(&b) + i * sizeof(piece), piece, sizeof(piece));
    assert_int_equal(stock.count, 1);
    assert_int_equal(blocks_out, 2);
    buffer_clear(&b);
    assert_int_equal(stock.count, 1);
    assert_int_equal(blocks_out, 1);
    buffer_stock_clear(&stock);
}

static void a_stock_is_bounded_and_gives_back_what_is_not_needed(void **state)
{
    (void)state;
    struct buffer_stock stock;
    struct buffer many[6];
    buffer_stock_init(&stock, 4);
    for (size_t i = 0; i < 6; i++) {
        buffer_init_with(&many[i], SIZE_MAX / 4, &stock);
        assert_int_equal(buffer_append(&many[i], "x", 1), 0);
    }
    assert_int_equal(blocks_out, 6);
    for (size_t i = 0; i < 6; i++)
        buffer_clear(&many[i]);
    assert_int_equal(blocks_out, 4);

    /* One is needed between two trims: it stays, the others go. */
    buffer_stock_trim(&stock);
    assert_int_equal(blocks_out, 4);
    assert_int_equal(buffer_append(&many[0], "x", 1), 0);
    buffer_clear(&many[0]);
    buffer_stock_trim(&stock);
    assert_int_equal(blocks_out, 1);
    buffer_stock_trim(&stock);
    assert_int_equal(blocks_out, 0);
    assert_int_equal(buffer_append(&many[0], "x", 1), 0);
    buffer_clear(&many[0]);
    buffer_stock_clear(&stock);
    assert_int_equal(blocks_out, 0);
}

int main(void)
{
    wiping = true;

    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_buffer_holds_no_memory),
        cmocka_unit_test(bytes_leave_in_the_order_they_came),
        cmocka_unit_test(the_limit_counts_what_is_held),
        cmocka_unit_test(memory_is_wiped_and_freed_when_nothing_is_left),
        cmocka_unit_test(growing_leaves_no_bytes_behind),
        cmocka_unit_test(a_reservation_is_contiguous_and_counts_once_committed),
        cmocka_unit_test(a_reservation_given_up_is_wiped),
        cmocka_unit_test(without_memory_it_stays_as_it_was),
        cmocka_unit_test_setup_teardown(a_stock_lends_the_same_memory_again_and_again, stocked, private),
        cmocka_unit_test_setup_teardown(a_buffer_that_outgrows_the_stock_gives_its_piece_back, stocked, private),
        cmocka_unit_test_setup_teardown(a_stock_is_bounded_and_gives_back_what_is_not_needed, stocked, private),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
