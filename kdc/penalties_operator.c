#include "kdc/penalties_internal.h"

#include <stdio.h>
#include <string.h>

#define WALK_LEN 1024 /* entries */

static void describe(const struct penalty_policy *policy, const struct guilty *g, enum penalty_kind kind, uint64_t now,
                     struct penalty_entry *entry)
{
    const struct penalty_verdict verdict = penalty_verdict_of(policy, g, kind, false, now);
    *entry = (struct penalty_entry){ .is_account = kind == ACCOUNTS,
                                     .failures = penalty_failures(policy, g, kind, now),
                                     .delay_ms = verdict.delay_ms,
                                     .locked_seconds = verdict.retry_after };
    if (kind == ACCOUNTS) {
        (void)snprintf(entry->who, sizeof entry->who, "%.*s", g->len, (const char *)g->key);
    } else {
        struct admission_source source = { .family = g->key[0] };
        memcpy(source.prefix, g->key + 1, sizeof source.prefix);
        source_text(&source, entry->who);
    }
}

/* Walks over both tables let go of the lock now and then: a login waits for none of them. */
static void let_others(struct penalties *p, size_t place)
{
    if (place % WALK_LEN == 0) {
        pthread_mutex_unlock(&p->lock);
        pthread_mutex_lock(&p->lock);
    }
}

size_t penalties_list(struct penalties *penalties, size_t *place, struct penalty_entry *entries, size_t max,
                      uint64_t now)
{
    struct penalties *p = penalties;
    size_t count = 0;
    pthread_mutex_lock(&p->lock);
    now = penalty_time(p, now);
    for (; count < max && *place < PENALTY_KINDS * PENALTIES_ENTRIES; ++*place) {
        const enum penalty_kind kind = *place < PENALTIES_ENTRIES ? ACCOUNTS : SOURCES;
        const struct guilty *g = &p->tables[kind][*place % PENALTIES_ENTRIES];
        let_others(p, *place);
        if (penalty_is_guilty(&p->policy, g, now)) {
            describe(&p->policy, g, kind, now, &entries[count++]);
        }
    }
    pthread_mutex_unlock(&p->lock);
    return count;
}

static size_t clear(struct penalties *p, const struct penalty_key *key, uint64_t now)
{
    pthread_mutex_lock(&p->lock);
    struct guilty *g = penalty_find(p, key);
    const bool was = g != NULL && penalty_is_guilty(&p->policy, g, penalty_time(p, now));
    if (g != NULL) {
        *g = (struct guilty){ 0 };
    }
    p->walked = 0;
    pthread_mutex_unlock(&p->lock);
    return was;
}

size_t penalties_clear_account(struct penalties *penalties, const struct name *name, uint64_t now)
{
    const struct penalty_key key = penalty_key_of_account(name);
    return clear(penalties, &key, now);
}

size_t penalties_clear_source(struct penalties *penalties, const struct admission_source *source, uint64_t now)
{
    const struct penalty_key key = penalty_key_of_source(source);
    return clear(penalties, &key, now);
}

size_t penalties_clear_all(struct penalties *penalties, uint64_t now)
{
    struct penalties *p = penalties;
    size_t count = 0;
    pthread_mutex_lock(&p->lock);
    now = penalty_time(p, now);
    for (size_t i = 0; i < PENALTY_KINDS * PENALTIES_ENTRIES; i++) {
        struct guilty *g = &p->tables[i / PENALTIES_ENTRIES][i % PENALTIES_ENTRIES];
        let_others(p, i);
        if (g->len != 0) { /* leave alone what was never touched: it takes no memory yet */
            count += penalty_is_guilty(&p->policy, g, now);
            *g = (struct guilty){ 0 };
        }
    }
    p->walked = 0;
    pthread_mutex_unlock(&p->lock);
    return count;
}

/* Under the lock, which it lets go of in between. */
static void count_guilty(struct penalties *p, uint64_t now)
{
    size_t guilty[PENALTY_KINDS] = { 0 };
    size_t locked[PENALTY_KINDS] = { 0 };
    p->walked = now; /* at once: what is cleared meanwhile makes it untrue again */
    for (size_t i = 0; i < PENALTY_KINDS * PENALTIES_ENTRIES; i++) {
        const size_t kind = i / PENALTIES_ENTRIES;
        const struct guilty *g = &p->tables[kind][i % PENALTIES_ENTRIES];
        let_others(p, i);
        if (penalty_is_guilty(&p->policy, g, now)) {
            guilty[kind]++;
            locked[kind] += penalty_locked(g, now) > 0;
        }
    }
    p->counts.accounts = guilty[ACCOUNTS];
    p->counts.accounts_locked = locked[ACCOUNTS];
    p->counts.sources = guilty[SOURCES];
    p->counts.sources_locked = locked[SOURCES];
}

struct penalty_stats penalties_stats(struct penalties *penalties, uint64_t now)
{
    struct penalties *p = penalties;
    pthread_mutex_lock(&p->lock);
    now = penalty_time(p, now);
    if (p->walked == 0 || now - p->walked >= PENALTIES_STATS_MS) {
        count_guilty(p, now);
    }
    const struct penalty_stats stats = p->counts;
    pthread_mutex_unlock(&p->lock);
    return stats;
}
