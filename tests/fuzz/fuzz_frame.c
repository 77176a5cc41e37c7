/* frame.h's decoders: whatever is taken as a plain frame is exactly what the encoder makes of it. */
#include "tests/support/wire_bytes.h"
#include "wire/frame.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    size_t frame_len = 0;
    enum frame_status status = frame_peek(data, len, FRAME_LEN_BEFORE_LOGIN, &frame_len);
    if (status == FRAME_READY && (frame_len > len || frame_len > FRAME_HEADER_LEN + FRAME_LEN_BEFORE_LOGIN))
        abort();
    if (status == FRAME_MORE && frame_len <= len)
        abort();

    struct buffer again;
    struct bytes frame = { data, status == FRAME_READY ? frame_len : len };
    buffer_init(&again, 2 * FRAME_LEN_BEFORE_LOGIN);
    if (frame_again(frame, &again) == 0 && (status != FRAME_READY || !buffer_holds(&again, frame)))
        abort();
    buffer_clear(&again);
    return 0;
}
