#include "kdc/penalties_internal.h"

#define CLOCK_SLACK_MS 1000 /* threads read the clock before they have the lock */

/* A clock that was set back would leave locks and guilt standing for as much longer: ours goes on from where it was. */
uint64_t penalty_time(struct penalties *p, uint64_t now)
{
    if (now + p->shift + CLOCK_SLACK_MS < p->latest) {
        p->shift = p->latest - now;
    } else if (now + p->shift > p->latest) {
        p->latest = now + p->shift;
    }
    return p->latest;
}

static unsigned bound_of(const struct penalty_policy *policy, enum penalty_kind kind)
{
    return kind == ACCOUNTS ? policy->account_failures : policy->source_failures;
}

static uint32_t failure_of(const struct penalty_policy *policy, enum penalty_kind kind)
{
    return GUILT_FULL / bound_of(policy, kind);
}

uint32_t penalty_guilt(const struct penalty_policy *policy, const struct guilty *g, uint64_t now)
{
    const uint64_t elapsed = now > g->stamp ? now - g->stamp : 0;
    const uint64_t all = (uint64_t)policy->forget_seconds * 1000; /* to forget GUILT_FULL */
    if (elapsed >= all * KNOWN_SHARE) {
        return 0;
    }
    const uint64_t forgotten = elapsed * GUILT_FULL / all;
    return g->guilt > forgotten ? g->guilt - (uint32_t)forgotten : 0;
}

unsigned penalty_failures(const struct penalty_policy *policy, const struct guilty *g, enum penalty_kind kind,
                          uint64_t now)
{
    return (unsigned)(((uint64_t)penalty_guilt(policy, g, now) * bound_of(policy, kind) + GUILT_FULL - 1) / GUILT_FULL);
}

uint64_t penalty_locked(const struct guilty *g, uint64_t now)
{
    const uint64_t all = (uint64_t)g->lock_seconds * 1000;
    const uint64_t elapsed = now > g->locked_at ? now - g->locked_at : 0;
    return elapsed < all ? all - elapsed : 0;
}

static uint32_t delay_of(const struct penalty_policy *policy, unsigned steps)
{
    uint32_t seconds = steps > 0 ? 1 : 0;
    for (unsigned i = 1; i < steps && seconds < policy->delay_max; i++) {
        seconds *= 2;
    }
    return (seconds < policy->delay_max ? seconds : policy->delay_max) * 1000;
}

struct penalty_verdict penalty_verdict_of(const struct penalty_policy *policy, const struct guilty *g,
                                          enum penalty_kind kind, bool known, uint64_t now)
{
    struct penalty_verdict verdict = { 0 };
    if (g == NULL || (kind == ACCOUNTS && known)) {
        return verdict;
    }
    const uint64_t locked = penalty_locked(g, now);
    if (locked > 0 && (!known || g->locks_known)) {
        verdict.retry_after = (uint32_t)((locked + 999) / 1000);
        return verdict;
    }
    uint64_t steps = penalty_failures(policy, g, kind, now);
    if (kind == SOURCES) {
        steps = steps * policy->account_failures / ((uint64_t)policy->source_failures * (known ? KNOWN_SHARE : 1));
    }
    verdict.delay_ms = delay_of(policy, (unsigned)steps);
    return verdict;
}

bool penalty_blame(const struct penalty_policy *policy, struct guilty *g, enum penalty_kind kind, uint64_t now)
{
    const uint32_t most = kind == ACCOUNTS ? GUILT_FULL : GUILT_SOURCE_FULL;
    const uint32_t guilt = penalty_guilt(policy, g, now) + failure_of(policy, kind);
    const bool locked = penalty_locked(g, now) > 0;
    g->guilt = guilt < most ? guilt : most;
    g->stamp = now;
    const unsigned failures = penalty_failures(policy, g, kind, now);
    const bool locks_known = kind == SOURCES && failures >= KNOWN_SHARE * policy->source_failures;
    if (failures < bound_of(policy, kind) || (locked && (!locks_known || g->locks_known))) {
        return false;
    }
    g->locked_at = now;
    g->lock_seconds = policy->lock_seconds;
    g->locks_known = locks_known;
    return true;
}

bool penalty_is_guilty(const struct penalty_policy *policy, const struct guilty *g, uint64_t now)
{
    return g->len != 0 && (penalty_guilt(policy, g, now) > 0 || penalty_locked(g, now) > 0);
}

void penalty_forgive(const struct penalty_policy *policy, struct guilty *g, enum penalty_kind kind, unsigned failures,
                     uint64_t now)
{
    const uint32_t guilt = penalty_guilt(policy, g, now);
    const uint64_t forgiven = (uint64_t)failures * failure_of(policy, kind);
    g->guilt = guilt > forgiven ? guilt - (uint32_t)forgiven : 0;
    g->stamp = now;
}
