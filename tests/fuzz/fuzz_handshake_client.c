/*
 * fuzz_handshake_client.c: whatever may come to a client instead of the KDC's frames. The client's randomness is fixed,
 * so that the corpus holds exchanges that go through; of all inputs only those may: nobody can change a signed byte.
 */
#include "tests/unit/exchange.h"
#include "wire/frame.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* The exchange as it goes with nobody in between, with a retry and without. */
static struct exchange straight, retried;

static void begin(struct exchange *x, bool retry)
{
    exchange_init(x, DH_FFDHE2048, SUITE_CHACHA20_POLY1305);
    if (retry) {
        x->client_policy.groups[0] = DH_FFDHE3072;
        x->client_policy.groups[1] = DH_FFDHE2048;
        x->client_policy.group_count = 2;
        x->server_policy.group_count = 1;
        exchange_begin(x);
    }
}

static bool is_sent(const struct exchange *good, size_t index, struct bytes frame)
{
    return good->sent[index].len == frame.len && memcmp(good->sent[index].bytes, frame.data, frame.len) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct exchange x;
    const struct exchange *good;
    size_t reply;
    bool over = false;

    if (straight.sent_count == 0) {
        begin(&straight, false);
        exchange_run(&straight);
        begin(&retried, true);
        exchange_run(&retried);
        require(straight.client_done && retried.client_done);
    }
    if (size == 0)
        return 0;
    bool retry = data[0] % 2 != 0; /* which of the two clients it is for */
    data++;
    size--;
    good = retry ? &retried : &straight;
    reply = retry ? 3 : 1;
    begin(&x, retry);
    require(handshake_client_start(x.client, &x.to_server) == REASON_NONE);

    while (size > 0) {
        size_t len = 0;
        enum frame_status status = frame_peek(data, size, FRAME_LEN_BEFORE_LOGIN, &len);
        if (status == FRAME_TOO_LONG || status == FRAME_EMPTY)
            break;
        if (status == FRAME_MORE)
            len = size;
        struct bytes frame = { .data = data, .len = len };
        data += len;
        size -= len;

        struct handshake_failure failure;
        enum handshake_event event = handshake_client_frame(x.client, frame, &x.to_server, &failure);
        require((event == HANDSHAKE_FAILED) == (failure.reason != REASON_NONE));
        require(!over || event == HANDSHAKE_FAILED);
        if (event == HANDSHAKE_IDENTITY) {
            require(is_sent(good, reply, frame));
            require(handshake_client_finish(x.client, &x.to_server, &x.client_keys) == REASON_NONE);
            over = true;
        }
        over = over || event == HANDSHAKE_FAILED;
    }
    exchange_clear(&x);
    return 0;
}
