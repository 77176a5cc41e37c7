/* Plain frames: byte for byte, and nothing but what the encoder makes. */
#include "tests/support/wire_bytes.h"
#include "tests/unit/cmocka_all.h"
#include "wire/frame.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t dh_value[1025] = { 0xd1, 0xd2, 0xd3 };
static const uint8_t ticket[TICKET_LEN_MAX + 1] = { 0xe1, 0xe2 };

/* A frame of each type, and the same by hand from docs/protocol.md section 3. */
static const struct client_hello client_hello = {
    .version = 1,
    .random = { 0xa0, 0xa1, 0xa2 },
    .group = DH_FFDHE3072,
    .dh_public = { dh_value, 3 },
    .suites = { 2, 3, 1 },
    .suite_count = 3,
};
static const char client_hello_bytes[] = "00000032 01 0001 a0a1a2 00*29 0101 0003 d1d2d3 03 0002 0003 0001 00";

static const struct client_hello offer = {
    .version = 1,
    .random = { 0xa0, 0xa1, 0xa2 },
    .group = DH_FFDHE3072,
    .dh_public = { dh_value, 3 },
    .suites = { 2 },
    .suite_count = 1,
    .resumes = true,
    .ticket = { ticket, 2 },
    .binder = { 0x51, 0x52 },
};
static const char offer_bytes[] = "00000072 01 0001 a0a1a2 00*29 0101 0003 d1d2d3 01 0002 01 0002 e1e2 5152 00*62";

static const struct hello_retry hello_retry = { .groups = { 0x0101, 0x0102 }, .group_count = 2 };
static const char hello_retry_bytes[] = "00000006 02 02 0101 0102";

static const struct server_hello server_hello = {
    .version = 1,
    .random = { 0xb0, 0xb1 },
    .suite = 2,
    .resumed = true,
    .dh_public = { dh_value, 3 },
    .identity = { 0x11, 0x12 },
    .signature = { 0x21, 0x22 },
    .confirm = { 0x31, 0x32 },
};
static const char server_hello_bytes[] =
    "000000cb 03 0001 b0b1 00*30 0002 01 0003 d1d2d3 1112 00*30 2122 00*62 3132 00*62";

static const struct client_finish client_finish = { .confirm = { 0x41, 0x42 } };
static const char client_finish_bytes[] = "00000041 04 4142 00*62";

static const struct alert alert = { .reason = REASON_BUSY, .retry_after = 0x01020304 };
static const char alert_bytes[] = "00000006 05 0b 01020304";

static const char *const samples[] = { client_hello_bytes,  hello_retry_bytes, server_hello_bytes,
                                       client_finish_bytes, alert_bytes,       offer_bytes };
#define SAMPLE_COUNT (sizeof(samples) / sizeof(samples[0]))

static size_t sample_bytes(const char *notation, uint8_t room[2048])
{
    size_t len = bytes_from(notation, room, 2048);
    assert_true(len != SIZE_MAX);
    return len;
}

/* Decodes from memory of exactly that size, so that a read past it is seen; whatever is taken must come back the same. */
static int decodes(const uint8_t *data, size_t len)
{
    uint8_t *exact = malloc(len + (len == 0));
    assert_non_null(exact);
    memcpy(exact, data, len);
    struct bytes frame = { exact, len };
    struct buffer again;
    buffer_init(&again, 100000);
    int result = frame_again(frame, &again);
    if (result == 0)
        assert_true(buffer_holds(&again, frame));
    buffer_clear(&again);
    free(exact);
    return result;
}

static void holds_just(struct buffer *b, const char *notation)
{
    uint8_t expected[2048];
    size_t len = sample_bytes(notation, expected);
    assert_int_equal(buffer_len(b), len);
    assert_memory_equal(buffer_data(b), expected, len);
    buffer_clear(b);
}

static void each_frame_is_encoded_as_the_document_says(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 10000);
    assert_int_equal(frame_put_client_hello(&b, &client_hello), 0);
    holds_just(&b, client_hello_bytes);
    assert_int_equal(frame_put_client_hello(&b, &offer), 0);
    holds_just(&b, offer_bytes);
    assert_int_equal(frame_put_hello_retry(&b, &hello_retry), 0);
    holds_just(&b, hello_retry_bytes);
    assert_int_equal(frame_put_server_hello(&b, &server_hello), 0);
    holds_just(&b, server_hello_bytes);
    assert_int_equal(frame_put_client_finish(&b, &client_finish), 0);
    holds_just(&b, client_finish_bytes);
    assert_int_equal(frame_put_alert(&b, &alert), 0);
    holds_just(&b, alert_bytes);
}

static struct bytes by_hand(const char *notation, uint8_t room[2048])
{
    return (struct bytes){ room, sample_bytes(notation, room) };
}

static void each_frame_is_decoded_as_the_document_says(void **state)
{
    (void)state;
    uint8_t room[2048];

    struct client_hello ch;
    assert_int_equal(frame_get_client_hello(by_hand(client_hello_bytes, room), &ch), 0);
    assert_int_equal(ch.version, 1);
    assert_memory_equal(ch.random, client_hello.random, sizeof(ch.random));
    assert_int_equal(ch.group, DH_FFDHE3072);
    assert_int_equal(ch.dh_public.len, 3);
    assert_memory_equal(ch.dh_public.data, dh_value, 3);
    assert_int_equal(ch.suite_count, 3);
    assert_memory_equal(ch.suites, client_hello.suites, sizeof(ch.suites));
    assert_false(ch.resumes);
    assert_int_equal(ch.ticket.len, 0);
    assert_int_equal(frame_get_client_hello(by_hand(offer_bytes, room), &ch), 0);
    assert_true(ch.resumes);
    assert_int_equal(ch.ticket.len, 2);
    assert_memory_equal(ch.ticket.data, ticket, 2);
    assert_memory_equal(ch.binder, offer.binder, sizeof(ch.binder));

    struct hello_retry hr;
    assert_int_equal(frame_get_hello_retry(by_hand(hello_retry_bytes, room), &hr), 0);
    assert_int_equal(hr.group_count, 2);
    assert_memory_equal(hr.groups, hello_retry.groups, sizeof(hr.groups));

    struct server_hello sh;
    assert_int_equal(frame_get_server_hello(by_hand(server_hello_bytes, room), &sh), 0);
    assert_int_equal(sh.version, 1);
    assert_memory_equal(sh.random, server_hello.random, sizeof(sh.random));
    assert_int_equal(sh.suite, 2);
    assert_true(sh.resumed);
    assert_int_equal(sh.dh_public.len, 3);
    assert_memory_equal(sh.dh_public.data, dh_value, 3);
    assert_memory_equal(sh.identity, server_hello.identity, sizeof(sh.identity));
    assert_memory_equal(sh.signature, server_hello.signature, sizeof(sh.signature));
    assert_memory_equal(sh.confirm, server_hello.confirm, sizeof(sh.confirm));

    struct client_finish cf;
    assert_int_equal(frame_get_client_finish(by_hand(client_finish_bytes, room), &cf), 0);
    assert_memory_equal(cf.confirm, client_finish.confirm, sizeof(cf.confirm));

    struct alert a;
    assert_int_equal(frame_get_alert(by_hand(alert_bytes, room), &a), 0);
    assert_int_equal(a.reason, REASON_BUSY);
    assert_int_equal(a.retry_after, 0x01020304);
}

static void a_frame_is_refused_by_every_other_types_decoder(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        uint8_t room[2048];
        struct bytes frame = by_hand(samples[i], room);
        struct client_hello ch;
        struct hello_retry hr;
        struct server_hello sh;
        struct client_finish cf;
        struct alert a;
        assert_int_equal(frame_get_client_hello(frame, &ch), i == 0 || i == 5 ? 0 : -1);
        assert_int_equal(frame_get_hello_retry(frame, &hr), i == 1 ? 0 : -1);
        assert_int_equal(frame_get_server_hello(frame, &sh), i == 2 ? 0 : -1);
        assert_int_equal(frame_get_client_finish(frame, &cf), i == 3 ? 0 : -1);
        assert_int_equal(frame_get_alert(frame, &a), i == 4 ? 0 : -1);
    }
}

static void set_length(uint8_t *frame, size_t body)
{
    for (size_t i = 0; i < FRAME_HEADER_LEN; i++)
        frame[i] = (uint8_t)(body >> (8 * (3 - i)));
}

static void truncated_and_extended_frames_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        uint8_t frame[2048] = { 0 };
        size_t len = sample_bytes(samples[i], frame);
        assert_int_equal(decodes(frame, len), 0);
        for (size_t cut = 0; cut < len; cut++) {
            assert_int_equal(decodes(frame, cut), -1); /* the length field tells of more */
            if (cut < FRAME_HEADER_LEN)
                continue;
            uint8_t honest[2048];
            memcpy(honest, frame, len);
            set_length(honest, cut - FRAME_HEADER_LEN);
            assert_int_equal(decodes(honest, cut), -1); /* it tells the truth, but a field is cut */
            assert_int_equal(decodes(honest, len), -1);
        }
        for (unsigned extra = 0; extra < 256; extra++) {
            frame[len] = (uint8_t)extra;
            set_length(frame, len - FRAME_HEADER_LEN);
            assert_int_equal(decodes(frame, len + 1), -1);
            set_length(frame, len + 1 - FRAME_HEADER_LEN);
            assert_int_equal(decodes(frame, len + 1), -1);
        }
    }
}

/* Every byte of every frame set to every value: what is taken, comes back the same (`decodes` looks). */
static void whatever_is_taken_could_have_been_encoded(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        uint8_t frame[2048] = { 0 };
        size_t len = sample_bytes(samples[i], frame);
        size_t taken = 0;
        for (size_t at = 0; at < len; at++) {
            uint8_t was = frame[at];
            for (unsigned value = 0; value < 256; value++) {
                frame[at] = (uint8_t)value;
                taken += decodes(frame, len) == 0;
            }
            frame[at] = was;
        }
        assert_true(taken > len);
    }
}

static void values_out_of_bounds_are_refused(void **state)
{
    (void)state;
    /* The length field is set to the truth below, so that only the field in question is wrong. */
    static const char *const refused[] = {
        "00*4",                                              /* nothing, not even a type */
        "00*4 01",                                           /* only a type */
        "00*4 01 0001 00*32 0101 0000 03 0002 0003 0001 00", /* dh_public of no bytes */
        "00*4 01 0001 00*32 0104 0401 aa*1025 01 0001 00",   /* of too many */
        "00*4 01 0001 00*32 0101 0003 d1d2d3 00 00",         /* no suite */
        "00*4 01 0001 00*32 0101 0003 d1d2d3 09 0001 0002 0003 0004 0005 0006 0007 0008 0009 00",
        "00*4 01 0001 00*32 0101 0003 d1d2d3 03 0002 0003 0002 00", /* a suite twice */
        "00*4 01 0001 00*32 0101 0003 d1d2d3 01 0002",              /* nothing about resuming */
        "00*4 01 0001 00*32 0101 0003 d1d2d3 01 0002 02",           /* resumes 2 */
        "00*4 01 0001 00*32 0101 0003 d1d2d3 01 0002 02 0001 e1 00*64",
        "00*4 01 0001 00*32 0101 0003 d1d2d3 01 0002 00 0001 e1 00*64",     /* doesn't, but a ticket */
        "00*4 01 0001 00*32 0101 0003 d1d2d3 01 0002 01",                   /* does, but none */
        "00*4 01 0001 00*32 0101 0003 d1d2d3 01 0002 01 0000 00*64",        /* a ticket of no bytes */
        "00*4 01 0001 00*32 0101 0003 d1d2d3 01 0002 01 0201 e1*513 00*64", /* of too many */
        "00*4 01 0001 00*32 0101 0003 d1d2d3 01 0002 01 0001 e1 00*63",     /* a short binder */
        "00*4 02 00",                                                       /* no group */
        "00*4 02 09 0100 0101 0102 0103 0104 0105 0106 0107 0108",
        "00*4 03 0001 00*32 0002 00 0000 00*32 00*64 00*64",         /* dh_public of no bytes */
        "00*4 03 0001 00*32 0002 00 0401 aa*1025 00*32 00*64 00*64", /* of too many */
        "00*4 03 0001 00*32 0002 02 0001 aa 00*32 00*64 00*64",      /* resumed 2 */
        "00*4 05 00 00000000",                                       /* reason none */
        "00*4 05 35 00000000",                                       /* no reason has 53 */
        "00*4 05 ff 00000000",
        "00*4 00 0b 00000000", /* no such type */
        "00*4 06 0b 00000000",
        "00*4 10 0b 00000000",
    };
    static const char *const taken[] = {
        "00*4 01 0001 00*32 0101 0001 d1 08 0001 0002 0003 0004 0005 0006 0007 ffff 00", /* one unknown */
        "00*4 01 ffff 00*32 9999 0001 00 01 0000 00", /* versions, groups: not judged here */
        "00*4 01 0001 00*32 0104 0400 aa*1024 01 0001 00",
        "00*4 01 0001 00*32 0101 0003 d1d2d3 01 0002 01 0001 e1 00*64",
        "00*4 01 0001 00*32 0101 0003 d1d2d3 01 0002 01 0200 e1*512 00*64",
        "00*4 02 08 0100 0101 0102 0103 0104 0105 0106 0107",
        "00*4 02 01 ffff",
        "00*4 03 0001 00*32 0002 00 0400 aa*1024 00*32 00*64 00*64",
        "00*4 03 0001 00*32 0002 01 0400 aa*1024 00*32 00*64 00*64",
        "00*4 05 01 00000000",
        "00*4 05 25 ffffffff",
    };
    uint8_t frame[2048];
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        size_t len = sample_bytes(refused[i], frame);
        set_length(frame, len - FRAME_HEADER_LEN);
        if (decodes(frame, len) != -1)
            fail_msg("taken: %s", refused[i]);
    }
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        size_t len = sample_bytes(taken[i], frame);
        set_length(frame, len - FRAME_HEADER_LEN);
        if (decodes(frame, len) != 0)
            fail_msg("refused: %s", taken[i]);
        for (unsigned wrong = 1; wrong != 0; wrong <<= 1) { /* one bit of the length field */
            set_length(frame, (len - FRAME_HEADER_LEN) ^ wrong);
            assert_int_equal(decodes(frame, len), -1);
        }
    }
}

static void what_cant_be_decoded_isnt_encoded(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 10000);
    struct client_hello ch = client_hello;
    ch.dh_public.len = 0;
    assert_int_equal(frame_put_client_hello(&b, &ch), -1);
    ch.dh_public.len = 1025;
    assert_int_equal(frame_put_client_hello(&b, &ch), -1);
    ch = client_hello;
    ch.suite_count = 0;
    assert_int_equal(frame_put_client_hello(&b, &ch), -1);
    ch.suite_count = 9;
    assert_int_equal(frame_put_client_hello(&b, &ch), -1);
    ch.suite_count = 4;
    ch.suites[3] = ch.suites[0];
    assert_int_equal(frame_put_client_hello(&b, &ch), -1);
    ch = offer;
    ch.ticket.len = 0;
    assert_int_equal(frame_put_client_hello(&b, &ch), -1);
    ch.ticket.len = TICKET_LEN_MAX + 1;
    assert_int_equal(frame_put_client_hello(&b, &ch), -1);

    struct hello_retry hr = hello_retry;
    hr.group_count = 0;
    assert_int_equal(frame_put_hello_retry(&b, &hr), -1);
    hr.group_count = 9;
    assert_int_equal(frame_put_hello_retry(&b, &hr), -1);

    struct server_hello sh = server_hello;
    sh.dh_public.len = 0;
    assert_int_equal(frame_put_server_hello(&b, &sh), -1);
    sh.dh_public.len = 1025;
    assert_int_equal(frame_put_server_hello(&b, &sh), -1);

    struct alert a = { .reason = REASON_NONE };
    assert_int_equal(frame_put_alert(&b, &a), -1);
    a.reason = REASON_COUNT;
    assert_int_equal(frame_put_alert(&b, &a), -1);
    assert_int_equal(buffer_len(&b), 0);
}

static void the_longest_frames_fit(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 10000);
    struct client_hello ch = offer;
    ch.dh_public.len = 1024;
    ch.ticket.len = TICKET_LEN_MAX;
    ch.suite_count = 8;
    for (uint16_t i = 0; i < 8; i++)
        ch.suites[i] = i;
    assert_int_equal(frame_put_client_hello(&b, &ch), 0);
    assert_int_equal(buffer_len(&b), 4 + 1 + 2 + 32 + 2 + 2 + 1024 + 1 + 16 + 1 + 2 + 512 + 64);
    assert_int_equal(buffer_len(&b), CLIENT_HELLO_MAX);
    assert_int_equal(decodes(buffer_data(&b), buffer_len(&b)), 0);
    buffer_clear(&b);
    struct server_hello sh = server_hello;
    sh.dh_public.len = 1024;
    assert_int_equal(frame_put_server_hello(&b, &sh), 0);
    assert_int_equal(buffer_len(&b), 4 + 1 + 2 + 32 + 2 + 1 + 2 + 1024 + 32 + 64 + 64);
    assert_int_equal(buffer_len(&b), SERVER_HELLO_MAX);
    assert_int_equal(decodes(buffer_data(&b), buffer_len(&b)), 0);
    buffer_clear(&b);
}

static void a_full_buffer_takes_no_part_of_a_frame(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 4 + 65 + 9);
    assert_int_equal(frame_put_client_finish(&b, &client_finish), 0);
    assert_int_equal(frame_put_alert(&b, &alert), -1); /* one byte too few */
    assert_int_equal(buffer_len(&b), 4 + 65);
    buffer_clear(&b);
    buffer_init(&b, 4 + 65 + 10);
    assert_int_equal(frame_put_client_finish(&b, &client_finish), 0);
    assert_int_equal(frame_put_alert(&b, &alert), 0);
    buffer_clear(&b);
}

static void a_refused_frame_lends_nothing(void **state)
{
    (void)state;
    uint8_t room[2048];
    static const struct client_hello no_client_hello;
    static const struct hello_retry no_hello_retry;
    static const struct server_hello no_server_hello;
    static const struct client_finish no_client_finish;
    static const struct alert no_alert;
    struct client_hello ch = client_hello;
    struct hello_retry hr = hello_retry;
    struct server_hello sh = server_hello;
    struct client_finish cf = client_finish;
    struct alert a = alert;

    struct bytes frame = by_hand(client_hello_bytes, room);
    frame.len--;
    set_length(room, frame.len - FRAME_HEADER_LEN);
    assert_int_equal(frame_get_client_hello(frame, &ch), -1);
    assert_memory_equal(&ch, &no_client_hello, sizeof(ch));
    ch = offer;
    frame = by_hand(offer_bytes, room);
    frame.len--;
    set_length(room, frame.len - FRAME_HEADER_LEN);
    assert_int_equal(frame_get_client_hello(frame, &ch), -1);
    assert_memory_equal(&ch, &no_client_hello, sizeof(ch));
    frame = by_hand("00*4 02 02 0101 01", room);
    set_length(room, frame.len - FRAME_HEADER_LEN);
    assert_int_equal(frame_get_hello_retry(frame, &hr), -1);
    assert_memory_equal(&hr, &no_hello_retry, sizeof(hr));
    frame = by_hand(server_hello_bytes, room);
    frame.len--;
    set_length(room, frame.len - FRAME_HEADER_LEN);
    assert_int_equal(frame_get_server_hello(frame, &sh), -1);
    assert_memory_equal(&sh, &no_server_hello, sizeof(sh));
    frame = by_hand("00000041 04 4142 00*62 00", room);
    assert_int_equal(frame_get_client_finish(frame, &cf), -1);
    assert_memory_equal(&cf, &no_client_finish, sizeof(cf));
    assert_int_equal(frame_get_alert(by_hand("00000006 05 35 00000001", room), &a), -1);
    assert_memory_equal(&a, &no_alert, sizeof(a));
}

static void a_frames_end_is_known_from_its_header(void **state)
{
    (void)state;
    uint8_t room[2048];
    struct bytes frame = by_hand(alert_bytes, room);
    size_t need;
    for (size_t len = 0; len < frame.len; len++) {
        need = 0;
        assert_int_equal(frame_peek(frame.data, len, 16384, &need), FRAME_MORE);
        assert_int_equal(need, len < 4 ? 4 : frame.len);
    }
    assert_int_equal(frame_peek(frame.data, frame.len, 16384, &need), FRAME_READY);
    assert_int_equal(need, frame.len);
    assert_int_equal(frame_peek(frame.data, sizeof(room), 16384, &need), FRAME_READY);
    assert_int_equal(need, frame.len);
    assert_int_equal(frame_peek(NULL, 0, 16384, &need), FRAME_MORE);

    static const struct {
        uint8_t header[4];
        size_t limit;
        enum frame_status status;
    } headers[] = {
        { { 0, 0, 0, 0 }, 16384, FRAME_EMPTY },       { { 0, 0, 0, 1 }, 16384, FRAME_MORE },
        { { 0, 0, 0x40, 0 }, 16384, FRAME_MORE },     { { 0, 0, 0x40, 1 }, 16384, FRAME_TOO_LONG },
        { { 0, 1, 0, 0 }, 65536, FRAME_MORE },        { { 0, 1, 0, 1 }, 65536, FRAME_TOO_LONG },
        { { 1, 0, 0, 0 }, 65536, FRAME_TOO_LONG },    { { 0xff, 0xff, 0xff, 0xff }, 65536, FRAME_TOO_LONG },
        { { 0x80, 0, 0, 0 }, 65536, FRAME_TOO_LONG }, { { 0, 0, 0, 7 }, 6, FRAME_TOO_LONG },
    };
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
        assert_int_equal(frame_peek(headers[i].header, 4, headers[i].limit, &need), headers[i].status);
}

static void types_have_names(void **state)
{
    (void)state;
    static const char *const names[] = { "unknown",       "client_hello", "hello_retry", "server_hello",
                                         "client_finish", "alert",        "unknown" };
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_string_equal(frame_type_name(i), names[i]);
    assert_string_equal(frame_type_name(255), "unknown");
    assert_string_equal(frame_type_name(~0u), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_frame_is_encoded_as_the_document_says),
        cmocka_unit_test(each_frame_is_decoded_as_the_document_says),
        cmocka_unit_test(a_frame_is_refused_by_every_other_types_decoder),
        cmocka_unit_test(truncated_and_extended_frames_are_refused),
        cmocka_unit_test(whatever_is_taken_could_have_been_encoded),
        cmocka_unit_test(values_out_of_bounds_are_refused),
        cmocka_unit_test(what_cant_be_decoded_isnt_encoded),
        cmocka_unit_test(the_longest_frames_fit),
        cmocka_unit_test(a_full_buffer_takes_no_part_of_a_frame),
        cmocka_unit_test(a_refused_frame_lends_nothing),
        cmocka_unit_test(a_frames_end_is_known_from_its_header),
        cmocka_unit_test(types_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
