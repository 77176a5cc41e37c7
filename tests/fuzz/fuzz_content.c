/* content_decode: whatever is taken is exactly what the encoder makes of it, and a text is UTF-8. */
#include "tests/support/wire_bytes.h"
#include "wire/name.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct bytes plain = { data, len };
    struct buffer again;
    struct content c;
    buffer_init(&again, len);
    if (content_again(plain, &again) == 0 && !buffer_holds(&again, plain))
        abort();
    buffer_clear(&again);
    if (content_decode(plain, &c) == 0 && c.kind == CONTENT_TEXT && !text_valid(c.text))
        abort();
    return 0;
}
