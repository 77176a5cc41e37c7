/*
 * fuzz_handshake_client.c: whatever may come to a client instead of the KDC's frames. The client's randomness is fixed,
 * so that the corpus holds exchanges that go through; of all inputs only those may: nobody can change a signed byte.
 * The first byte says which client it is for: 1: it can be asked to try another group; 2: it offers a ticket.
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

#define RETRY 1u
#define TICKET 2u
#define CLIENTS 4

/* The exchange of each client as it goes with nobody in between. */
static struct exchange good[CLIENTS];

static void begin(struct exchange *x, unsigned client)
{
    exchange_init(x, DH_FFDHE2048, SUITE_CHACHA20_POLY1305);
    if ((client & TICKET) != 0)
        exchange_tickets(x);
    if ((client & RETRY) != 0) {
        x->client_policy.groups[0] = DH_FFDHE3072;
        x->client_policy.groups[1] = DH_FFDHE2048;
        x->client_policy.group_count = 2;
        x->server_policy.group_count = 1;
    }
    exchange_begin(x);
}

static bool is_sent(const struct exchange *x, size_t index, struct bytes frame)
{
    return x->sent[index].len == frame.len && memcmp(x->sent[index].bytes, frame.data, frame.len) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct exchange x;
    bool over = false;

    for (unsigned i = 0; i < CLIENTS && good[i].sent_count == 0; i++) {
        begin(&good[i], i);
        exchange_run(&good[i]);
        require(good[i].client_done && good[i].client_keys.resumed == ((i & TICKET) != 0));
    }
    if (size == 0)
        return 0;
    unsigned client = data[0] % CLIENTS;
    data++;
    size--;
    size_t reply = (client & RETRY) != 0 ? 3 : 1;
    begin(&x, client);
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
            require(is_sent(&good[client], reply, frame));
            require(handshake_client_finish(x.client, &x.to_server, &x.client_keys) == REASON_NONE);
            require(x.client_keys.resumed == good[client].client_keys.resumed);
            over = true;
        }
        over = over || event == HANDSHAKE_FAILED;
    }
    exchange_clear(&x);
    return 0;
}
