/*
 * secret.h: memory for what must not be seen.
 *
 * Keys, passwords and everything that one could compute them from live here: in pages that are locked
 * (mlock), left out of core dumps (MADV_DONTDUMP) and empty in a forked child (MADV_WIPEONFORK). A block is
 * zero when it is handed out and is wiped when it is given back. Pages that the kernel won't lock (RLIMIT_MEMLOCK) are
 * used unlocked, and secret_stats shows it; pages that it won't leave out of dumps and of children are never used.
 *
 * Cost: a block takes its length rounded up to 64 bytes (coarser above 1 KiB; whole pages above 32 KiB). Up to 16
 * threads hold each other up only where one frees what another allocated, and then for some instructions.
 *
 * Thread: every function may be called from any thread, and in a forked child, where blocks from before the fork
 * read as zero and are not locked.
 */
#ifndef CRYPTO_SECRET_H
#define CRYPTO_SECRET_H

#include <stdbool.h>
#include <stddef.h>

/* A zeroed block of `len` bytes (any length from 1), aligned for any type; NULL when memory is out.
 * The caller owns it and gives it back with secret_free. */
void *secret_alloc(size_t len) __attribute__((warn_unused_result, malloc));

/* Wipes the block that *block points to, gives it back, and sets *block to NULL. `block` is the address of a
 * pointer from secret_alloc; *block may be NULL. */
void secret_free(void *block);

/* Overwrites `len` bytes with zero, in a way that the compiler may not leave out. For secrets on the stack. */
void secret_wipe(void *data, size_t len);

/* Empties the processor's vector registers, where ciphers hold keys while they work (x86-64 and AArch64; elsewhere it does
 * nothing). For whoever copied a secret; secret_wipe_residue does it too. */
void secret_wipe_registers(void);

/* What Nettle and GMP leave of a secret that they computed with lies on the stack below their caller, up to 4 KiB deep, and
 * in the vector registers. It is wiped in one of two ways.
 *
 * At once: each function of this room that gave them a secret ends in secret_wipe_residue, which costs about 50 ns. */
void secret_wipe_residue(void);

/* Or later, where that would be a good part of the work: aead_seal and aead_open say by secret_leave_residue that they have
 * left something (1 ns), and the thread calls secret_wipe_left_residue before it waits or goes back to code that isn't ours.
 * That wipes the stack from its own frame to 4 KiB below the deepest call that left anything since the last time, and the
 * registers; where nothing was left it does nothing. So it is called from a frame above all those calls: a loop's, a
 * job's. Each thread for itself. */
void secret_leave_residue(void);
void secret_wipe_left_residue(void);

/* From now on GMP wipes whatever it gives back, in the whole process: Hogweed signs in scratch of GMP's. A program that holds
 * an identity calls it at the start of main, before there are other threads; a library never does. */
void secret_guard_gmp(void);

/* True when the two ranges of `len` bytes are equal; the time depends on `len` alone. */
bool secret_equal(const void *a, const void *b, size_t len) __attribute__((warn_unused_result));

/* What the allocator holds, for status and tests. While other threads allocate and free, the three are of moments that
 * lie a little apart. */
struct secret_stats {
    size_t used;     /* bytes handed out now, as rounded up */
    size_t reserved; /* bytes set aside for blocks */
    size_t locked;   /* of those, bytes that the kernel agreed to lock (less than reserved: RLIMIT_MEMLOCK) */
};
struct secret_stats secret_stats(void);

#endif
