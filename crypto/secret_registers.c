/*
 * secret_registers.c: what ciphers leave in the vector registers. A thread that waits for its next work keeps them, and a core
 * dump notes every thread's registers: so they are emptied after each use of a key, like the stack.
 */
#include "crypto/secret.h"

#if defined(__x86_64__)

#define CLEAR_HIGH(n) "vpxorq %%zmm" #n ", %%zmm" #n ", %%zmm" #n "\n\t"

/* Registers 16 to 31, which only AVX-512 has: the C library copies memory through them. */
__attribute__((target("avx512f"))) static void clear_high_registers(void)
{
    __asm__ volatile(CLEAR_HIGH(16) CLEAR_HIGH(17) CLEAR_HIGH(18) CLEAR_HIGH(19) CLEAR_HIGH(20) CLEAR_HIGH(21)
                         CLEAR_HIGH(22) CLEAR_HIGH(23) CLEAR_HIGH(24) CLEAR_HIGH(25) CLEAR_HIGH(26) CLEAR_HIGH(27)
                             CLEAR_HIGH(28) CLEAR_HIGH(29) CLEAR_HIGH(30) CLEAR_HIGH(31)::
                                 : "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24",
                                   "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31");
}

#define LOW_REGISTERS                                                                                          \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", \
        "xmm13", "xmm14", "xmm15"

__attribute__((target("avx"))) static void clear_low_registers(void)
{
    __asm__ volatile("vzeroall" ::: LOW_REGISTERS);
}

#define CLEAR_LOW(n) "pxor %%xmm" #n ", %%xmm" #n "\n\t"

static void clear_oldest_registers(void)
{
    __asm__ volatile(CLEAR_LOW(0) CLEAR_LOW(1) CLEAR_LOW(2) CLEAR_LOW(3) CLEAR_LOW(4) CLEAR_LOW(5) CLEAR_LOW(6)
                         CLEAR_LOW(7) CLEAR_LOW(8) CLEAR_LOW(9) CLEAR_LOW(10) CLEAR_LOW(11) CLEAR_LOW(12) CLEAR_LOW(13)
                             CLEAR_LOW(14) CLEAR_LOW(15)::
                                 : LOW_REGISTERS);
}

void secret_wipe_registers(void)
{
    if (__builtin_cpu_supports("avx512f")) {
        clear_high_registers();
    }
    if (__builtin_cpu_supports("avx")) {
        clear_low_registers();
    } else {
        clear_oldest_registers();
    }
}

#elif defined(__aarch64__)

#define CLEAR(n) "movi v" #n ".2d, #0\n\t"

void secret_wipe_registers(void)
{
    /* The low halves of v8 to v15 belong to the caller: the compiler saves them around this. */
    __asm__ volatile(CLEAR(0) CLEAR(1) CLEAR(2) CLEAR(3) CLEAR(4) CLEAR(5) CLEAR(6) CLEAR(7) CLEAR(8) CLEAR(9) CLEAR(10)
                         CLEAR(11) CLEAR(12) CLEAR(13) CLEAR(14) CLEAR(15) CLEAR(16) CLEAR(17) CLEAR(18) CLEAR(19)
                             CLEAR(20) CLEAR(21) CLEAR(22) CLEAR(23) CLEAR(24) CLEAR(25) CLEAR(26) CLEAR(27) CLEAR(28)
                                 CLEAR(29) CLEAR(30) CLEAR(31)::
                                     : "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12",
                                       "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23",
                                       "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31");
}

#else

void secret_wipe_registers(void)
{
}

#endif
