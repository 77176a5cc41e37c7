/*
 * fuzz_record.c: whatever may come instead of a session's records. The first byte chooses the suite; the rest are frames.
 * A frame opens only if it is the very one that the sender made for that place.
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

/* The sender's next record: a ping that carries its number. */
static void send_next(struct record_half *sender, struct buffer *out)
{
    struct message m = { .type = MESSAGE_PING, .ping = { .token = sender->sequence } };
    require(record_seal_message(sender, &m, out) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t traffic[KDF_SECRET_LEN] = { 1, 2, 3 };
    struct record_half sender, receiver;
    struct buffer out;
    bool dead = false;

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
        struct bytes plain;
        struct message m;
        bool opened = record_open(&receiver, frame, len, &plain) == 0;
        require(opened == (same && !dead));
        if (opened)
            require(message_decode(plain, ROLE_CLIENT, &m) == MESSAGE_OK && m.ping.token + 1 == sender.sequence);
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
