#include "kdc/admission.h"

#include "crypto/rng.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 1024 /* bounded by connections_before_login_max, so short chains even when all sources differ */

struct source_count {
    struct source_count *next;
    struct admission_source source;
    unsigned count;
};

struct admission {
    uint64_t seed; /* addresses are chosen by strangers */
    pthread_mutex_t lock;
    unsigned connections; /* from here on under the lock */
    unsigned before_login;
    struct admission_limits limits; /* that held for the last one to come */
    struct source_count *buckets[BUCKETS];
};

struct admission *admission_new(void)
{
    struct admission *a = calloc(1, sizeof *a);
    if (a == NULL) {
        return NULL;
    }
    if (rng_fill(&rng_system, (uint8_t *)&a->seed, sizeof a->seed) != 0 || pthread_mutex_init(&a->lock, NULL) != 0) {
        free(a);
        return NULL;
    }
    return a;
}

void admission_free(struct admission **admission)
{
    struct admission *a = *admission;
    if (a == NULL) {
        return;
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        while (a->buckets[i] != NULL) {
            struct source_count *found = a->buckets[i];
            a->buckets[i] = found->next;
            free(found);
        }
    }
    pthread_mutex_destroy(&a->lock);
    free(a);
    *admission = NULL;
}

struct admission_source admission_source_of(const struct sockaddr *address)
{
    static const uint8_t v4_mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
    struct admission_source source = { 0 };
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
        source.family = 4;
        memcpy(source.prefix, &v4->sin_addr, 4);
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
        const uint8_t *bytes = v6->sin6_addr.s6_addr;
        if (memcmp(bytes, v4_mapped, sizeof v4_mapped) == 0) {
            source.family = 4;
            memcpy(source.prefix, bytes + sizeof v4_mapped, 4);
        } else {
            source.family = 6;
            memcpy(source.prefix, bytes, sizeof source.prefix);
        }
    }
    return source;
}

bool admission_source_equal(const struct admission_source *a, const struct admission_source *b)
{
    return a->family == b->family && memcmp(a->prefix, b->prefix, sizeof a->prefix) == 0;
}

uint64_t admission_source_hash(const struct admission_source *source, uint64_t seed)
{
    uint64_t prefix;
    memcpy(&prefix, source->prefix, sizeof prefix);
    const unsigned __int128 product = (unsigned __int128)(prefix ^ source->family ^ seed) * (seed | 1);
    return ((uint64_t)product ^ (uint64_t)(product >> 64)) >> 20;
}

/* The place that points to the source's count, or where a new one would hang. Under the lock. */
static struct source_count **place_of(struct admission *a, const struct admission_source *source)
{
    struct source_count **place = &a->buckets[admission_source_hash(source, a->seed) % BUCKETS];
    while (*place != NULL && !admission_source_equal(&(*place)->source, source)) {
        place = &(*place)->next;
    }
    return place;
}

static bool early_drop(const struct admission *a, const struct admission_limits *limits, uint32_t dice)
{
    const unsigned soft = limits->before_login_max / 2;
    if (a->before_login < soft) {
        return false;
    }
    return dice % (limits->before_login_max - soft) < a->before_login - soft;
}

/* Under the lock. */
static enum admission_verdict enter(struct admission *a, const struct admission_limits *limits,
                                    const struct admission_source *source, uint32_t dice)
{
    if (a->connections >= limits->connections_max) {
        return ADMISSION_FULL;
    }
    if (a->before_login >= limits->before_login_max) {
        return ADMISSION_BEFORE_LOGIN;
    }
    struct source_count **place = place_of(a, source);
    if (*place != NULL && (*place)->count >= limits->per_source_max) {
        return ADMISSION_SOURCE;
    }
    if (early_drop(a, limits, dice)) {
        return ADMISSION_EARLY_DROP;
    }
    if (*place == NULL) {
        *place = calloc(1, sizeof **place);
        if (*place == NULL) {
            return ADMISSION_NO_MEMORY;
        }
        (*place)->source = *source;
    }
    (*place)->count++;
    a->connections++;
    a->before_login++;
    return ADMISSION_IN;
}

enum admission_verdict admission_enter(struct admission *admission, const struct admission_limits *limits,
                                       const struct admission_source *source, uint32_t dice)
{
    pthread_mutex_lock(&admission->lock);
    admission->limits = *limits;
    const enum admission_verdict verdict = enter(admission, limits, source, dice);
    pthread_mutex_unlock(&admission->lock);
    return verdict;
}

/* Under the lock. */
static void past_login(struct admission *a, const struct admission_source *source)
{
    struct source_count **place = place_of(a, source);
    struct source_count *found = *place;
    if (found != NULL && --found->count == 0) {
        *place = found->next;
        free(found);
    }
    a->before_login--;
}

void admission_logged_in(struct admission *admission, const struct admission_source *source)
{
    pthread_mutex_lock(&admission->lock);
    past_login(admission, source);
    pthread_mutex_unlock(&admission->lock);
}

void admission_leave(struct admission *admission, const struct admission_source *source, bool was_logged_in)
{
    pthread_mutex_lock(&admission->lock);
    if (!was_logged_in) {
        past_login(admission, source);
    }
    admission->connections--;
    pthread_mutex_unlock(&admission->lock);
}

unsigned admission_connections(struct admission *admission)
{
    pthread_mutex_lock(&admission->lock);
    const unsigned connections = admission->connections;
    pthread_mutex_unlock(&admission->lock);
    return connections;
}

unsigned admission_before_login(struct admission *admission)
{
    pthread_mutex_lock(&admission->lock);
    const unsigned connections = admission->before_login;
    pthread_mutex_unlock(&admission->lock);
    return connections;
}

enum admission_verdict admission_full(struct admission *admission)
{
    enum admission_verdict verdict = ADMISSION_IN;
    pthread_mutex_lock(&admission->lock);
    const struct admission_limits *limits = &admission->limits;
    if (limits->connections_max > 0 && admission->connections >= limits->connections_max) {
        verdict = ADMISSION_FULL;
    } else if (limits->before_login_max > 0 && admission->before_login >= limits->before_login_max) {
        verdict = ADMISSION_BEFORE_LOGIN;
    }
    pthread_mutex_unlock(&admission->lock);
    return verdict;
}

const char *admission_verdict_name(enum admission_verdict verdict)
{
    static const char *const names[] = {
        [ADMISSION_IN] = "in",
        [ADMISSION_FULL] = "limits.connections",
        [ADMISSION_BEFORE_LOGIN] = "limits.connections_before_login",
        [ADMISSION_EARLY_DROP] = "early drop before limits.connections_before_login",
        [ADMISSION_SOURCE] = "limits.connections_per_source",
        [ADMISSION_NO_MEMORY] = "memory",
    };
    return names[verdict];
}

const char *admission_verdict_word(enum admission_verdict verdict)
{
    static const char *const words[] = {
        [ADMISSION_IN] = "in",
        [ADMISSION_FULL] = "connections",
        [ADMISSION_BEFORE_LOGIN] = "connections_before_login",
        [ADMISSION_EARLY_DROP] = "early_drop",
        [ADMISSION_SOURCE] = "connections_per_source",
        [ADMISSION_NO_MEMORY] = "memory",
    };
    return words[verdict];
}
