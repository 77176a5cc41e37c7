#include "kdc/store_stats.h"

#include "kdc/clock.h"
#include "kdc/counters.h"

const char *store_activity_name(enum store_activity activity)
{
    static const char *const names[STORE_ACTIVITY_COUNT] = { "closed", "connecting", "idle", "busy", "backoff" };
    return activity < STORE_ACTIVITY_COUNT ? names[activity] : "";
}

void store_stats_now(struct store_stats *stats, enum store_activity activity)
{
    if (stats != NULL) {
        atomic_store_explicit(&stats->activity, activity, memory_order_relaxed);
    }
}

void store_stats_connected(struct store_stats *stats, bool connected)
{
    if (stats != NULL) {
        counter_add(connected ? &stats->connects : &stats->connect_failures, 1);
        store_stats_now(stats, connected ? STORE_ACTIVITY_IDLE : STORE_ACTIVITY_BACKOFF);
    }
}

void store_stats_called(struct store_stats *stats, uint64_t took_us, bool answered)
{
    if (stats != NULL) {
        counter_add(&stats->calls, 1);
        counter_add(&stats->failures, answered ? 0 : 1);
        histogram_add(&stats->call_us, took_us);
        recent_add(&stats->recent_us, took_us, clock_monotonic_ms());
    }
}
