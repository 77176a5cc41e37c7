#include "tests/unit/record_channel.h"

#include "tests/unit/cmocka_all.h"
#include "wire/frame.h"

#include <stdlib.h>
#include <string.h>

void channel_traffic(uint8_t start, uint8_t traffic[KDF_SECRET_LEN])
{
    for (size_t i = 0; i < KDF_SECRET_LEN; i++)
        traffic[i] = (uint8_t)(start + i);
}

void channel_open(struct channel *c, const struct suite *suite)
{
    uint8_t traffic[KDF_SECRET_LEN];

    channel_traffic(1, traffic);
    memset(c, 0, sizeof(*c));
    assert_int_equal(record_init(&c->sender, suite, traffic), 0);
    assert_int_equal(record_init(&c->receiver, suite, traffic), 0);
    buffer_init(&c->wire, LIMIT);
}

void channel_close(struct channel *c)
{
    record_clear(&c->sender);
    record_clear(&c->receiver);
    buffer_clear(&c->wire);
}

int channel_seal_one(struct record_half *sender, struct bytes message, struct buffer *out)
{
    int added = record_add(sender, message, out);
    record_seal(sender, out);
    return added;
}

uint8_t *channel_sealed(struct channel *c, struct bytes message, size_t *len)
{
    assert_int_equal(channel_seal_one(&c->sender, message, &c->wire), 0);
    *len = buffer_len(&c->wire);
    uint8_t *frame = malloc(*len);
    assert_non_null(frame);
    memcpy(frame, buffer_data(&c->wire), *len);
    buffer_consume(&c->wire, *len);
    return frame;
}

void assert_next_message(struct bytes *messages, struct bytes message)
{
    struct bytes next;
    assert_int_equal(record_next(messages, &next), 0);
    assert_int_equal(next.len, message.len);
    assert_memory_equal(next.data, message.data, message.len);
}

void channel_pass(struct channel *c, struct bytes message)
{
    struct bytes messages;
    size_t len;
    uint8_t *frame = channel_sealed(c, message, &len);

    assert_int_equal(record_open(&c->receiver, frame, len, &messages), 0);
    assert_next_message(&messages, message);
    assert_int_equal(messages.len, 0);
    free(frame);
}

void channel_open_next(struct channel *c, struct bytes *messages)
{
    size_t len;
    assert_int_equal(frame_peek(buffer_data(&c->wire), buffer_len(&c->wire), FRAME_LEN_AFTER_LOGIN, &len), FRAME_READY);
    assert_int_equal(record_open(&c->receiver, c->wire.data + c->wire.start, len, messages), 0);
    /* It lends from memory that nobody touches while the wire's end is left alone. */
    c->wire.start += len;
}

void channel_make_room(struct channel *c)
{
    assert_non_null(buffer_reserve(&c->wire, LIMIT / 2));
}

void assert_kills(struct channel *c, uint8_t *frame, size_t len)
{
    struct bytes opened = bytes_of("something");
    static const uint8_t zeros[KDF_SECRET_LEN];

    assert_int_equal(record_open(&c->receiver, frame, len, &opened), -1);
    assert_null(opened.data);
    assert_int_equal(opened.len, 0);
    assert_memory_equal(c->receiver.traffic, zeros, sizeof(zeros));
    assert_null(c->receiver.aead);

    uint8_t *good = channel_sealed(c, bytes_of("behind it"), &len);
    assert_int_equal(record_open(&c->receiver, good, len, &opened), -1);
    free(good);
}

/* traffic' and the key that comes from it, by the formulas: HKDF-Expand of one block is one HMAC. */
static struct aead *renewed(const struct suite *suite, uint8_t traffic[KDF_SECRET_LEN])
{
    static const char next[] = "kdc-chat v1 next\x01", record[] = "kdc-chat v1 record";
    uint8_t following[KDF_SECRET_LEN];

    hmac_sha512(traffic, KDF_SECRET_LEN, next, sizeof(next) - 1, following);
    memcpy(traffic, following, sizeof(following));
    struct aead *aead = aead_derive(suite, traffic, record, sizeof(record) - 1);
    assert_non_null(aead);
    return aead;
}

void assert_renews(struct channel *c, uint8_t traffic[KDF_SECRET_LEN])
{
    const struct suite *suite = c->sender.suite;
    uint8_t plain[64];
    struct bytes opened;
    size_t len, plain_len = 0;
    uint64_t sequence = c->sender.sequence;

    assert_memory_equal(c->sender.traffic, traffic, KDF_SECRET_LEN);
    uint8_t *frame = channel_sealed(c, bytes_of("new key"), &len);
    struct aead *aead = renewed(suite, traffic);
    assert_int_equal(aead_open(aead, sequence, frame, FRAME_HEADER_LEN, frame + FRAME_HEADER_LEN,
                               len - FRAME_HEADER_LEN, plain, &plain_len),
                     0);
    assert_int_equal(plain_len, FRAME_HEADER_LEN + 7);
    aead_free(&aead);
    assert_int_equal(record_open(&c->receiver, frame, len, &opened), 0);
    assert_memory_equal(c->sender.traffic, traffic, KDF_SECRET_LEN);
    assert_memory_equal(c->receiver.traffic, traffic, KDF_SECRET_LEN);
    assert_int_equal(c->sender.sequence, sequence + 1);
    assert_int_equal(c->sender.records, 1);
    assert_int_equal(c->sender.bytes, FRAME_HEADER_LEN + 7);
    assert_int_equal(c->receiver.records, 1);
    assert_int_equal(c->receiver.bytes, FRAME_HEADER_LEN + 7);
    free(frame);
}
