/*
 * secret_residue.c: what Nettle and GMP leave behind of the secrets that pass through them. Both compute in memory that
 * the secret allocator doesn't see, and wipe none of it: Nettle in local variables (HMAC's padded key, counter mode's key
 * stream, Ed25519's expanded seed), Hogweed in scratch that it takes by GMP's memory functions.
 */
#include "crypto/secret.h"

#include <gmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define STACK_DEPTH 4096 /* bytes: traces lie 2.5 KiB down at most, where a first call has the linker save registers */
#define WIPE_STEP 1024

static __attribute__((noinline)) void wipe_stack(void)
{
    uint8_t below[STACK_DEPTH];
    secret_wipe(below, sizeof below);
}

void secret_wipe_residue(void)
{
    wipe_stack();
    secret_wipe_registers();
}

/* The lowest frame of this thread that left something; 0: nothing is left. */
static _Thread_local uintptr_t deepest;

__attribute__((noinline)) void secret_leave_residue(void)
{
    const uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    if (deepest == 0 || here < deepest) {
        deepest = here;
    }
}

/* The deeper part first: then this isn't a tail call, whose frame would be this one once more. */
static __attribute__((noinline)) void wipe_stack_down_to(uintptr_t end) /* NOLINT(misc-no-recursion) */
{
    uint8_t below[WIPE_STEP];
    __asm__ volatile("" ::"r"(below) : "memory");
    if ((uintptr_t)below > end) {
        wipe_stack_down_to(end);
    }
    secret_wipe(below, sizeof below);
}

void secret_wipe_left_residue(void)
{
    if (deepest != 0) {
        wipe_stack_down_to(deepest - STACK_DEPTH);
        secret_wipe_registers();
        deepest = 0;
    }
}

/* By GMP's own functions the memory is malloc's. */
static void wipe_and_free(void *memory, size_t len)
{
    secret_wipe(memory, len);
    free(memory);
}

/* Not realloc: that would leave the old bytes behind unwiped. */
static void *move_and_wipe(void *memory, size_t old_len, size_t new_len)
{
    void *(*allocate)(size_t len);
    mp_get_memory_functions(&allocate, NULL, NULL);
    void *moved = allocate(new_len); /* GMP's own: ends the program when memory is out, as GMP has it */
    memcpy(moved, memory, old_len < new_len ? old_len : new_len);
    wipe_and_free(memory, old_len);
    return moved;
}

void secret_guard_gmp(void)
{
    mp_set_memory_functions(NULL, move_and_wipe, wipe_and_free);
}
