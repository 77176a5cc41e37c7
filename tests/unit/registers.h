/*
 * registers.h: what a function that has just returned left in the vector registers. Include it behind cmocka. On other
 * processors than x86-64 nothing is seen.
 */
#ifndef UNIT_REGISTERS_H
#define UNIT_REGISTERS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define REGISTERS_SEEN 8 /* that memory is copied through */
#define REGISTER_LEN 16

struct registers {
    uint8_t bytes[REGISTERS_SEEN][REGISTER_LEN];
};

/* Inline, and without a call of its own: those would use them. */
static inline __attribute__((always_inline)) void registers_see(struct registers *seen)
{
#if defined(__x86_64__)
    __asm__ volatile("movdqu %%xmm0, (%0)\n\t"
                     "movdqu %%xmm1, 16(%0)\n\t"
                     "movdqu %%xmm2, 32(%0)\n\t"
                     "movdqu %%xmm3, 48(%0)\n\t"
                     "movdqu %%xmm4, 64(%0)\n\t"
                     "movdqu %%xmm5, 80(%0)\n\t"
                     "movdqu %%xmm6, 96(%0)\n\t"
                     "movdqu %%xmm7, 112(%0)"
                     :
                     : "r"(seen)
                     : "memory");
#else
    memset(seen, 0, sizeof *seen);
#endif
}

static inline void assert_not_in_registers(const struct registers *seen, const uint8_t *secret, size_t len)
{
    for (size_t i = 0; i < REGISTERS_SEEN; i++) {
        for (size_t at = 0; at + REGISTER_LEN <= len; at += REGISTER_LEN) {
            assert_memory_not_equal(seen->bytes[i], secret + at, REGISTER_LEN);
        }
    }
}

#endif
