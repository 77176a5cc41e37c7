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
