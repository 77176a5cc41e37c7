/*
 * fuzz_handshake_server.c: whatever a client may send before it is known: frames to the KDC's side of the handshake.
 * Powers are computed only for hellos that pass every cheap check; randomness is fixed, so that a run can be repeated.
 * The KDC opens one ticket, whose secret the corpus' writer has used in two exchanges: nobody else makes a binder for it.
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

static void begin(struct exchange *x)
{
    exchange_init(x, DH_FFDHE2048, SUITE_CHACHA20_POLY1305);
    x->server_policy.group_count = 1; /* ffdhe2048 */
    exchange_tickets(x);
    exchange_begin(x);
}

/* The two exchanges with the ticket as they go with nobody in between. */
static struct exchange straight, retried;

static bool is_sent(const struct exchange *x, size_t index, struct bytes frame)
{
    return x->sent[index].len == frame.len && memcmp(x->sent[index].bytes, frame.data, frame.len) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct exchange x;
    const struct exchange *resumed = NULL;
    bool again = false, over = false;

    if (straight.sent_count == 0) {
        begin(&straight);
        exchange_run(&straight);
        begin(&retried);
        exchange_client_groups(&retried, DH_FFDHE3072, DH_FFDHE2048);
        exchange_begin(&retried);
        exchange_run(&retried);
        require(straight.server_keys.resumed && retried.server_keys.resumed);
    }
    begin(&x);

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
        require(x.opens <= 1);
        if (event == HANDSHAKE_SERVER_COMPUTE) {
            if (handshake_server_resumed(x.server)) {
                resumed = again ? &retried : &straight;
                require(is_sent(resumed, again ? 2 : 0, frame));
            }
            require(handshake_server_group(x.server) != NULL && handshake_server_suite(x.server) != NULL);
            handshake_server_compute(x.server);
            require(handshake_server_reply(x.server, &x.to_client) == REASON_NONE);
        }
        again = again || event == HANDSHAKE_SERVER_RETRY;
        if (event == HANDSHAKE_SERVER_DONE) {
            require(x.server_keys.resumed == (resumed != NULL));
            require(resumed == NULL || is_sent(resumed, resumed->sent_count - 1, frame));
        }
        over = over || event == HANDSHAKE_SERVER_FAILED || event == HANDSHAKE_SERVER_DONE;
    }
    exchange_clear(&x);
    return 0;
}
