/* message_decode, for both senders: whatever is taken is exactly what the encoder makes of it. */
#include "tests/support/wire_bytes.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void decode_as(struct bytes plain, enum role sender)
{
    struct buffer again;
    buffer_init(&again, plain.len);
    if (message_again(plain, sender, &again) == MESSAGE_OK && !buffer_holds(&again, plain))
        abort();
    buffer_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct bytes plain = { data, len };
    decode_as(plain, ROLE_CLIENT);
    decode_as(plain, ROLE_KDC);
    return 0;
}
