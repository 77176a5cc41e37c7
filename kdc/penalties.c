#include "kdc/penalties_internal.h"

#include "crypto/rng.h"
#include "crypto/secret.h"

#include <stdlib.h>

#define RETRY_LOOKING 1 /* seconds: what is being looked at takes about as long */

static bool is_free(const struct penalties *p, const struct admission_source *source)
{
    return !p->policy.enabled || networks_hold(&p->policy.exempt, source);
}

struct penalties *penalties_new(const struct penalty_policy *policy)
{
    struct penalties *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < PENALTY_KINDS; i++) {
        p->tables[i] = calloc(PENALTIES_ENTRIES, sizeof *p->tables[i]);
    }
    p->policy = *policy;
    if (p->tables[ACCOUNTS] == NULL || p->tables[SOURCES] == NULL ||
        rng_fill(&rng_system, p->salt, sizeof p->salt) != 0 || pthread_mutex_init(&p->lock, NULL) != 0) {
        free(p->tables[ACCOUNTS]);
        free(p->tables[SOURCES]);
        free(p);
        return NULL;
    }
    return p;
}

void penalties_free(struct penalties **penalties)
{
    struct penalties *p = *penalties;
    if (p != NULL) {
        free(p->tables[ACCOUNTS]);
        free(p->tables[SOURCES]);
        pthread_mutex_destroy(&p->lock);
        secret_wipe(p->salt, sizeof p->salt);
        free(p);
        *penalties = NULL;
    }
}

void penalties_set_policy(struct penalties *penalties, const struct penalty_policy *policy)
{
    pthread_mutex_lock(&penalties->lock);
    penalties->policy = *policy;
    penalties->walked = 0;
    pthread_mutex_unlock(&penalties->lock);
}

static void add_verdict(struct penalty_verdict *verdict, struct penalty_verdict other)
{
    verdict->delay_ms = other.delay_ms > verdict->delay_ms ? other.delay_ms : verdict->delay_ms;
    verdict->retry_after = other.retry_after > verdict->retry_after ? other.retry_after : verdict->retry_after;
}

/* *account: whose guilt may count; NULL when there is none. */
static struct penalty_verdict ask(struct penalties *p, const struct name *name, const struct admission_source *source,
                                  bool known, uint64_t now, struct guilty **account)
{
    struct penalty_verdict verdict = { 0 };
    *account = NULL;
    if (is_free(p, source)) {
        return verdict;
    }
    if (name != NULL && !known) {
        const struct penalty_key key = penalty_key_of_account(name);
        *account = penalty_find(p, &key);
        add_verdict(&verdict, penalty_verdict_of(&p->policy, *account, ACCOUNTS, false, now));
    }
    if (source->family != 0) {
        const struct penalty_key key = penalty_key_of_source(source);
        add_verdict(&verdict, penalty_verdict_of(&p->policy, penalty_find(p, &key), SOURCES, known, now));
    }
    return verdict;
}

struct penalty_verdict penalties_ask(struct penalties *penalties, const struct name *name,
                                     const struct admission_source *source, bool known, uint64_t now)
{
    struct guilty *account;
    pthread_mutex_lock(&penalties->lock);
    const struct penalty_verdict verdict = ask(penalties, name, source, known, penalty_time(penalties, now), &account);
    pthread_mutex_unlock(&penalties->lock);
    return verdict;
}

struct penalty_verdict penalties_begin(struct penalties *penalties, const struct name *name,
                                       const struct admission_source *source, bool known, uint64_t now, bool *counted)
{
    struct penalties *p = penalties;
    struct guilty *g;
    pthread_mutex_lock(&p->lock);
    const uint64_t time = penalty_time(p, now);
    struct penalty_verdict verdict = ask(p, name, source, known, time, &g);
    *counted = g != NULL && verdict.retry_after == 0;
    if (*counted && g->looking > 0 &&
        g->looking + penalty_failures(&p->policy, g, ACCOUNTS, time) >= p->policy.account_failures) {
        *counted = false;
        verdict.retry_after = RETRY_LOOKING;
    }
    if (*counted) {
        g->looking++;
    }
    pthread_mutex_unlock(&p->lock);
    return verdict;
}

static void end(const struct penalties *p, const struct name *name)
{
    const struct penalty_key key = penalty_key_of_account(name);
    struct guilty *g = penalty_find(p, &key);
    if (g != NULL && g->looking > 0) { /* else it was pushed out or cleared meanwhile */
        g->looking--;
    }
}

void penalties_end(struct penalties *penalties, const struct name *name)
{
    pthread_mutex_lock(&penalties->lock);
    end(penalties, name);
    pthread_mutex_unlock(&penalties->lock);
}

struct penalty_news penalties_failed(struct penalties *penalties, const struct name *name,
                                     const struct admission_source *source, bool counted, uint64_t now)
{
    struct penalties *p = penalties;
    struct penalty_news news = { 0 };
    pthread_mutex_lock(&p->lock);
    if (counted) {
        end(p, name);
    }
    if (!is_free(p, source)) {
        const uint64_t time = penalty_time(p, now);
        p->counts.failures++;
        if (name != NULL) {
            const struct penalty_key key = penalty_key_of_account(name);
            news.noted = true;
            news.account_locked = penalty_blame(&p->policy, penalty_find_or_make(p, &key, time), ACCOUNTS, time);
        }
        if (source->family != 0) {
            const struct penalty_key key = penalty_key_of_source(source);
            news.source_locked = penalty_blame(&p->policy, penalty_find_or_make(p, &key, time), SOURCES, time);
        }
        p->counts.account_locks += news.account_locked;
        p->counts.source_locks += news.source_locked;
    }
    pthread_mutex_unlock(&p->lock);
    return news;
}

void penalties_succeeded(struct penalties *penalties, const struct name *name, unsigned failures, uint64_t now)
{
    struct penalties *p = penalties;
    const struct penalty_key key = penalty_key_of_account(name);
    pthread_mutex_lock(&p->lock);
    struct guilty *g = failures > 0 ? penalty_find(p, &key) : NULL;
    if (g != NULL) {
        penalty_forgive(&p->policy, g, ACCOUNTS, failures, penalty_time(p, now));
    }
    pthread_mutex_unlock(&p->lock);
}

void penalties_count_delayed(struct penalties *penalties)
{
    pthread_mutex_lock(&penalties->lock);
    penalties->counts.delayed++;
    pthread_mutex_unlock(&penalties->lock);
}

void penalties_count_refused(struct penalties *penalties)
{
    pthread_mutex_lock(&penalties->lock);
    penalties->counts.refused++;
    pthread_mutex_unlock(&penalties->lock);
}
