/* rng.c: the kernel's generator, behind struct rng. */
#include "crypto/rng.h"

#include "crypto/secret.h"

#include <errno.h>
#include <sys/random.h>

static int fill_from_kernel(void *context, uint8_t *out, size_t len)
{
    (void)context;
    size_t done = 0;
    while (done < len) {
        ssize_t got = getrandom(out + done, len - done, 0);
        if (got > 0) {
            done += (size_t)got;
        } else if (got == 0 || errno != EINTR) {
            secret_wipe(out, done);
            return -1;
        }
    }
    return 0;
}

const struct rng rng_system = { .fill = fill_from_kernel, .context = NULL };

int rng_fill(const struct rng *rng, uint8_t *out, size_t len)
{
    return rng->fill(rng->context, out, len) == 0 ? 0 : -1;
}
