/*
 * fuzz_handshake_server.c: whatever a client may send before it is known: frames to the KDC's side of the handshake.
 * Powers are computed only for hellos that pass every cheap check; randomness is fixed, so that a run can be repeated.
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct exchange x;
    bool over = false;

    exchange_init(&x, DH_FFDHE2048, SUITE_CHACHA20_POLY1305);
    x.server_policy.group_count = 1; /* ffdhe2048 */
    exchange_begin(&x);

    while (size > 0) {
        size_t len = 0;
        enum frame_status status = frame_peek(data, size, FRAME_LEN_BEFORE_LOGIN, &len);
        if (status == FRAME_TOO_LONG || status == FRAME_EMPTY)
            break;
        if (status == FRAME_MORE)
            len = size; /* the last frame is cut: the state machine must bear that, too */
        struct bytes frame = { .data = data, .len = len };
        data += len;
        size -= len;

        enum reason reason = REASON_NONE;
        size_t sent = buffer_len(&x.to_client);
        enum handshake_server_event event =
            handshake_server_frame(x.server, frame, &x.to_client, &x.server_keys, &reason);
        require((event == HANDSHAKE_SERVER_FAILED) == (reason != REASON_NONE));
        require(!over || event == HANDSHAKE_SERVER_FAILED);
        require((event == HANDSHAKE_SERVER_RETRY) == (buffer_len(&x.to_client) > sent));
        if (event == HANDSHAKE_SERVER_COMPUTE) {
            require(handshake_server_group(x.server) != NULL && handshake_server_suite(x.server) != NULL);
            handshake_server_compute(x.server);
            require(handshake_server_reply(x.server, &x.to_client) == REASON_NONE);
        }
        over = over || event == HANDSHAKE_SERVER_FAILED || event == HANDSHAKE_SERVER_DONE;
    }
    exchange_clear(&x);
    return 0;
}
