/*
 * fuzz_record.c: whatever may come instead of a session's records. The first byte chooses the suite; the rest are frames.
 * A frame opens only if it is the very one that the sender made for that place.
 *
 * Besides, the whole input is taken apart as if a record had held it: messages, one behind the other, and no more.
 */
#include "wire/frame.h"
#include "wire/message.h"
#include "wire/record.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

#define PINGS_MAX 3

static unsigned pings_in(uint64_t sequence)
{
    return 1 + (unsigned)(sequence % PINGS_MAX);
}

/* The sender's next record: pings that carry its number. */
static void send_next(struct record_half *sender, struct buffer *out)
{
    struct message m = { .type = MESSAGE_PING, .ping = { .token = sender->sequence } };
    for (unsigned pings = pings_in(sender->sequence); pings > 0; pings--)
        require(record_add_message(sender, &m, out) == 0);
    record_seal(sender, out);
}

static void take(struct bytes messages, uint64_t sequence)
{
    struct bytes message;
    struct message m;
    for (unsigned pings = pings_in(sequence); pings > 0; pings--) {
        require(record_next(&messages, &message) == 0);
        require(message_decode(message, ROLE_CLIENT, &m) == MESSAGE_OK && m.ping.token == sequence);
    }
    require(messages.len == 0);
}

static void take_apart(const uint8_t *data, size_t size)
{
    struct bytes rest = { data, size };
    struct bytes message;
    const uint8_t *at = data;
    do {
        if (record_next(&rest, &message) != 0) {
            require(message.data == NULL && rest.data == at);
            return;
        }
        require(message.len > 0 && message.data == at + FRAME_HEADER_LEN && rest.data == message.data + message.len);
        require(rest.len == (size_t)(data + size - rest.data));
        at = rest.data;
    } while (rest.len > 0);
    require(at == data + size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t traffic[KDF_SECRET_LEN] = { 1, 2, 3 };
    struct record_half sender, receiver;
    struct buffer out;
    bool dead = false;

    take_apart(data, size);
    if (size == 0)
        return 0;
    const struct suite *suite = &suites[data[0] % SUITE_COUNT];
    data++;
    size--;
    require(record_init(&sender, suite, traffic) == 0 && record_init(&receiver, suite, traffic) == 0);
    buffer_init(&out, FRAME_LEN_AFTER_LOGIN);

    while (size > 0) {
        size_t len = 0;
        enum frame_status status = frame_peek(data, size, FRAME_LEN_AFTER_LOGIN, &len);
        if (status == FRAME_TOO_LONG || status == FRAME_EMPTY)
            break;
        if (status == FRAME_MORE)
            len = size;
        uint8_t *frame = malloc(len);
        require(frame != NULL);
        memcpy(frame, data, len);

        send_next(&sender, &out);
        bool same = buffer_len(&out) == len && memcmp(buffer_data(&out), data, len) == 0;
        struct bytes messages;
        bool opened = record_open(&receiver, frame, len, &messages) == 0;
        require(opened == (same && !dead));
        if (opened)
            take(messages, sender.sequence - 1);
        dead = dead || !opened;
        buffer_consume(&out, buffer_len(&out));
        free(frame);
        data += len;
        size -= len;
    }
    record_clear(&sender);
    record_clear(&receiver);
    buffer_clear(&out);
    return 0;
}
