#include "kdc/account_changes.h"

#include "crypto/rng.h"

#include <pthread.h>
#include <stdlib.h>

#define SLOTS_MIN 64

/* Open addressing, probed in a row, at most three quarters full. Entries go only when all are laid anew, so no slot is ever
 * freed. */
struct slot {
    uint64_t user; /* 0: free */
    uint64_t epoch;
    uint64_t changed_ms;
};

struct account_changes {
    pthread_mutex_t lock; /* guards the rest */
    struct slot *slots;
    size_t slot_count; /* a power of two */
    size_t used;
    uint64_t oldest_ms; /* of those that are in; UINT64_MAX: none */
    uint64_t seed;
    bool fed;
    bool incomplete; /* something of this feed had no room */
};

struct account_changes *account_changes_new(void)
{
    struct account_changes *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return NULL;
    }
    c->slots = calloc(SLOTS_MIN, sizeof *c->slots);
    c->slot_count = SLOTS_MIN;
    c->oldest_ms = UINT64_MAX;
    if (c->slots == NULL || rng_fill(&rng_system, (uint8_t *)&c->seed, sizeof c->seed) != 0 ||
        pthread_mutex_init(&c->lock, NULL) != 0) {
        free(c->slots);
        free(c);
        return NULL;
    }
    return c;
}

void account_changes_free(struct account_changes **changes)
{
    if (*changes != NULL) {
        pthread_mutex_destroy(&(*changes)->lock);
        free((*changes)->slots);
        free(*changes);
        *changes = NULL;
    }
}

/* The user's slot, or the free one where it would be. */
static struct slot *slot_of(struct slot *slots, size_t count, uint64_t seed, uint64_t user)
{
    uint64_t hash = (user ^ seed) * UINT64_C(0x9e3779b97f4a7c15);
    hash ^= hash >> 32;
    size_t i = hash & (count - 1);
    while (slots[i].user != 0 && slots[i].user != user) {
        i = (i + 1) & (count - 1);
    }
    return &slots[i];
}

/* Lays out anew what changed at `keep_from` or later, in `count` slots. */
static int lay_out(struct account_changes *c, size_t count, uint64_t keep_from)
{
    struct slot *slots = calloc(count, sizeof *slots);
    if (slots == NULL) {
        return -1;
    }
    c->used = 0;
    c->oldest_ms = UINT64_MAX;
    for (size_t i = 0; i < c->slot_count; i++) {
        const struct slot *old = &c->slots[i];
        if (old->user != 0 && old->changed_ms >= keep_from) {
            *slot_of(slots, count, c->seed, old->user) = *old;
            c->oldest_ms = old->changed_ms < c->oldest_ms ? old->changed_ms : c->oldest_ms;
            c->used++;
        }
    }
    free(c->slots);
    c->slots = slots;
    c->slot_count = count;
    return 0;
}

bool account_changes_holds(struct account_changes *changes, uint64_t user, uint64_t epoch)
{
    if (user == 0 || epoch == 0) {
        return false;
    }
    pthread_mutex_lock(&changes->lock);
    const struct slot *slot = slot_of(changes->slots, changes->slot_count, changes->seed, user);
    const bool holds = changes->fed && (slot->user == 0 || slot->epoch == epoch);
    pthread_mutex_unlock(&changes->lock);
    return holds;
}

bool account_changes_outdates(struct account_changes *changes, uint64_t user, uint64_t epoch)
{
    if (user == 0 || epoch == 0) {
        return false;
    }
    pthread_mutex_lock(&changes->lock);
    const struct slot *slot = slot_of(changes->slots, changes->slot_count, changes->seed, user);
    const bool outdates = slot->user != 0 && (slot->epoch == 0 || slot->epoch > epoch);
    pthread_mutex_unlock(&changes->lock);
    return outdates;
}

static int put(struct account_changes *c, uint64_t user, uint64_t epoch, uint64_t changed_ms)
{
    struct slot *slot = slot_of(c->slots, c->slot_count, c->seed, user);
    if (slot->user == 0) {
        if (c->used >= c->slot_count / 4 * 3) {
            if (lay_out(c, c->slot_count * 2, 0) != 0) {
                return -1;
            }
            slot = slot_of(c->slots, c->slot_count, c->seed, user);
        }
        c->used++;
    }
    *slot = (struct slot){ .user = user, .epoch = epoch, .changed_ms = changed_ms };
    c->oldest_ms = changed_ms < c->oldest_ms ? changed_ms : c->oldest_ms;
    return 0;
}

int account_changes_put(struct account_changes *changes, uint64_t user, uint64_t epoch, uint64_t changed_ms)
{
    if (user == 0) {
        return 0;
    }
    pthread_mutex_lock(&changes->lock);
    const int failed = put(changes, user, epoch, changed_ms);
    if (failed != 0) {
        changes->incomplete = true;
        changes->fed = false;
    }
    pthread_mutex_unlock(&changes->lock);
    return failed;
}

void account_changes_fed(struct account_changes *changes, uint64_t forget_before_ms)
{
    pthread_mutex_lock(&changes->lock);
    changes->fed = !changes->incomplete;
    changes->incomplete = false;
    /* Not before a tenth of the time has gone by since the last: all are looked at. */
    if (changes->oldest_ms < forget_before_ms &&
        forget_before_ms - changes->oldest_ms > UINT64_C(100) * ACCOUNT_CHANGES_SECONDS) {
        size_t count = changes->slot_count;
        while (count > SLOTS_MIN && changes->used < count / 8) {
            count /= 2;
        }
        (void)!lay_out(changes, count, forget_before_ms); /* without memory they stay, which does no harm */
    }
    pthread_mutex_unlock(&changes->lock);
}

void account_changes_starve(struct account_changes *changes)
{
    pthread_mutex_lock(&changes->lock);
    changes->fed = false;
    pthread_mutex_unlock(&changes->lock);
}

size_t account_changes_count(struct account_changes *changes)
{
    pthread_mutex_lock(&changes->lock);
    const size_t count = changes->used;
    pthread_mutex_unlock(&changes->lock);
    return count;
}
