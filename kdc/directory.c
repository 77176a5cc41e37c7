#include "kdc/directory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SHARDS 64 /* a power of two */
#define BUCKETS_MIN 16

/* A name that somebody has or waits for. */
struct node {
    struct node *next;
    bool online;
    struct directory_entry entry; /* only its name, unless online */
    struct directory_watcher *watchers;
};

struct shard {
    pthread_mutex_t lock; /* guards the rest */
    struct node **buckets;
    size_t bucket_count; /* a power of two, or 0 */
    size_t nodes;
    size_t online;
};

struct directory {
    uint64_t seed[2]; /* names are chosen by users: without it they could choose them into one bucket */
    struct shard shards[SHARDS];
};

static uint64_t mix(uint64_t a, uint64_t b)
{
    const unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_name(const struct directory *d, const struct name *name)
{
    const size_t len = strlen(name->text);
    uint64_t hash = d->seed[0] ^ len;
    for (size_t at = 0; at < len; at += 8) {
        uint64_t word = 0;
        memcpy(&word, name->text + at, len - at < 8 ? len - at : 8);
        hash = mix(hash ^ word, d->seed[1]);
    }
    return mix(hash ^ d->seed[1], 0x9e3779b97f4a7c15u);
}

static struct shard *lock_shard(struct directory *d, uint64_t hash)
{
    struct shard *shard = &d->shards[hash % SHARDS];
    pthread_mutex_lock(&shard->lock);
    return shard;
}

/* The place that points to the name's node, or where a new one would hang. The shard has buckets. */
static struct node **place_of(struct shard *shard, uint64_t hash, const struct name *name)
{
    struct node **place = &shard->buckets[(hash / SHARDS) & (shard->bucket_count - 1)];
    while (*place != NULL && strcmp((*place)->entry.name.text, name->text) != 0) {
        place = &(*place)->next;
    }
    return place;
}

static struct node *find_node(struct shard *shard, uint64_t hash, const struct name *name)
{
    return shard->bucket_count == 0 ? NULL : *place_of(shard, hash, name);
}

static int grow(const struct directory *d, struct shard *shard)
{
    const size_t count = shard->bucket_count == 0 ? BUCKETS_MIN : shard->bucket_count * 2;
    struct node **buckets = calloc(count, sizeof(struct node *));
    if (buckets == NULL) {
        return -1;
    }
    for (size_t i = 0; i < shard->bucket_count; i++) {
        while (shard->buckets[i] != NULL) {
            struct node *node = shard->buckets[i];
            shard->buckets[i] = node->next;
            struct node **place = &buckets[(hash_name(d, &node->entry.name) / SHARDS) & (count - 1)];
            node->next = *place;
            *place = node;
        }
    }
    free(shard->buckets);
    shard->buckets = buckets;
    shard->bucket_count = count;
    return 0;
}

/* The name's node, made if it isn't there. */
static struct node *node_for(const struct directory *d, struct shard *shard, uint64_t hash, const struct name *name)
{
    struct node *node = find_node(shard, hash, name);
    if (node != NULL) {
        return node;
    }
    if (shard->nodes >= shard->bucket_count && grow(d, shard) != 0 && shard->bucket_count == 0) {
        return NULL;
    }
    node = calloc(1, sizeof *node);
    if (node == NULL) {
        return NULL;
    }
    node->entry.name = *name;
    *place_of(shard, hash, name) = node;
    shard->nodes++;
    return node;
}

/* Frees the node if nobody has the name and nobody waits for it. */
static void drop_if_unused(struct shard *shard, uint64_t hash, const struct name *name)
{
    struct node **place = place_of(shard, hash, name);
    struct node *node = *place;
    if (node != NULL && !node->online && node->watchers == NULL) {
        *place = node->next;
        shard->nodes--;
        free(node);
    }
}

struct directory *directory_new(void)
{
    struct directory *d = calloc(1, sizeof *d);
    if (d == NULL) {
        return NULL;
    }
    if (rng_fill(&rng_system, (uint8_t *)d->seed, sizeof d->seed) != 0) {
        free(d);
        return NULL;
    }
    d->seed[1] |= 1;
    for (size_t i = 0; i < SHARDS; i++) {
        if (pthread_mutex_init(&d->shards[i].lock, NULL) != 0) {
            while (i-- > 0) {
                pthread_mutex_destroy(&d->shards[i].lock);
            }
            free(d);
            return NULL;
        }
    }
    return d;
}

void directory_watchers_free(struct directory_watcher **watchers)
{
    while (*watchers != NULL) {
        struct directory_watcher *watcher = *watchers;
        *watchers = watcher->next;
        free(watcher);
    }
}

void directory_free(struct directory **directory)
{
    struct directory *d = *directory;
    if (d == NULL) {
        return;
    }
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &d->shards[i];
        for (size_t b = 0; b < shard->bucket_count; b++) {
            while (shard->buckets[b] != NULL) {
                struct node *node = shard->buckets[b];
                shard->buckets[b] = node->next;
                directory_watchers_free(&node->watchers);
                free(node);
            }
        }
        free(shard->buckets);
        pthread_mutex_destroy(&shard->lock);
    }
    free(d);
    *directory = NULL;
}

int directory_insert(struct directory *directory, const struct directory_entry *entry, struct directory_entry *old,
                     struct directory_watcher **watchers)
{
    const uint64_t hash = hash_name(directory, &entry->name);
    memset(old, 0, sizeof *old);
    *watchers = NULL;
    struct shard *shard = lock_shard(directory, hash);
    struct node *node = node_for(directory, shard, hash, &entry->name);
    if (node == NULL) {
        pthread_mutex_unlock(&shard->lock);
        return -1;
    }
    if (node->online) {
        *old = node->entry;
    } else {
        shard->online++;
    }
    node->online = true;
    node->entry = *entry;
    *watchers = node->watchers;
    node->watchers = NULL;
    pthread_mutex_unlock(&shard->lock);
    return 0;
}

bool directory_remove(struct directory *directory, const struct name *name, const struct session_ref *ref)
{
    const uint64_t hash = hash_name(directory, name);
    struct shard *shard = lock_shard(directory, hash);
    struct node *node = find_node(shard, hash, name);
    const bool same = node != NULL && node->online && session_ref_equal(&node->entry.ref, ref);
    if (same) {
        node->online = false;
        shard->online--;
        drop_if_unused(shard, hash, name);
    }
    pthread_mutex_unlock(&shard->lock);
    return same;
}

bool directory_find(struct directory *directory, const struct name *name, struct directory_entry *entry)
{
    const uint64_t hash = hash_name(directory, name);
    struct shard *shard = lock_shard(directory, hash);
    const struct node *node = find_node(shard, hash, name);
    const bool online = node != NULL && node->online;
    if (online) {
        *entry = node->entry;
    }
    pthread_mutex_unlock(&shard->lock);
    return online;
}

/* Under the lock; the user is offline. */
static enum directory_watch add_watcher(const struct directory *d, struct shard *shard, uint64_t hash,
                                        const struct name *name, const struct session_ref *ref)
{
    struct node *node = find_node(shard, hash, name);
    if (node != NULL) {
        for (const struct directory_watcher *w = node->watchers; w != NULL; w = w->next) {
            if (session_ref_equal(&w->ref, ref)) {
                return DIRECTORY_WATCHED;
            }
        }
    }
    struct directory_watcher *watcher = malloc(sizeof *watcher);
    if (watcher == NULL) {
        return DIRECTORY_NO_MEMORY;
    }
    node = node_for(d, shard, hash, name);
    if (node == NULL) {
        free(watcher);
        return DIRECTORY_NO_MEMORY;
    }
    watcher->ref = *ref;
    watcher->next = node->watchers;
    node->watchers = watcher;
    return DIRECTORY_WATCHING;
}

enum directory_watch directory_find_or_watch(struct directory *directory, const struct name *name,
                                             const struct session_ref *watcher, struct directory_entry *entry)
{
    const uint64_t hash = hash_name(directory, name);
    struct shard *shard = lock_shard(directory, hash);
    const struct node *node = find_node(shard, hash, name);
    enum directory_watch result = DIRECTORY_ONLINE;
    if (node != NULL && node->online) {
        *entry = node->entry;
    } else {
        result = add_watcher(directory, shard, hash, name, watcher);
    }
    pthread_mutex_unlock(&shard->lock);
    return result;
}

void directory_unwatch(struct directory *directory, const struct name *name, const struct session_ref *watcher)
{
    const uint64_t hash = hash_name(directory, name);
    struct shard *shard = lock_shard(directory, hash);
    struct node *node = find_node(shard, hash, name);
    if (node != NULL) {
        struct directory_watcher **place = &node->watchers;
        while (*place != NULL && !session_ref_equal(&(*place)->ref, watcher)) {
            place = &(*place)->next;
        }
        if (*place != NULL) {
            struct directory_watcher *found = *place;
            *place = found->next;
            free(found);
            drop_if_unused(shard, hash, name);
        }
    }
    pthread_mutex_unlock(&shard->lock);
}

void directory_set_conversations(struct directory *directory, const struct name *name, const struct session_ref *ref,
                                 uint32_t conversations)
{
    const uint64_t hash = hash_name(directory, name);
    struct shard *shard = lock_shard(directory, hash);
    struct node *node = find_node(shard, hash, name);
    if (node != NULL && node->online && session_ref_equal(&node->entry.ref, ref)) {
        node->entry.conversations = conversations;
    }
    pthread_mutex_unlock(&shard->lock);
}

void directory_set_congested(struct directory *directory, const struct name *name, const struct session_ref *ref,
                             bool congested)
{
    const uint64_t hash = hash_name(directory, name);
    struct shard *shard = lock_shard(directory, hash);
    struct node *node = find_node(shard, hash, name);
    if (node != NULL && node->online && session_ref_equal(&node->entry.ref, ref)) {
        node->entry.congested = congested;
    }
    pthread_mutex_unlock(&shard->lock);
}

void directory_set_seat(struct directory *directory, const struct name *name, const struct session_ref *ref,
                        uint32_t seat)
{
    const uint64_t hash = hash_name(directory, name);
    struct shard *shard = lock_shard(directory, hash);
    struct node *node = find_node(shard, hash, name);
    if (node != NULL && node->online && session_ref_equal(&node->entry.ref, ref)) {
        node->entry.ref.seat = seat;
    }
    pthread_mutex_unlock(&shard->lock);
}

size_t directory_count(struct directory *directory)
{
    size_t count = 0;
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_lock(&directory->shards[i].lock);
        count += directory->shards[i].online;
        pthread_mutex_unlock(&directory->shards[i].lock);
    }
    return count;
}

/* ---- the list ---- */

struct entries {
    struct directory_entry *all;
    size_t count;
    size_t room;
};

static int add_entry(struct entries *entries, const struct directory_entry *entry)
{
    if (entries->count == entries->room) {
        const size_t room = entries->room == 0 ? 64 : entries->room * 2;
        struct directory_entry *all = reallocarray(entries->all, room, sizeof *all);
        if (all == NULL) {
            return -1;
        }
        entries->all = all;
        entries->room = room;
    }
    entries->all[entries->count++] = *entry;
    return 0;
}

static int gather(struct shard *shard, const struct name *after, struct entries *entries)
{
    int result = 0;
    pthread_mutex_lock(&shard->lock);
    for (size_t b = 0; b < shard->bucket_count && result == 0; b++) {
        for (const struct node *node = shard->buckets[b]; node != NULL && result == 0; node = node->next) {
            if (node->online && (after == NULL || strcmp(node->entry.name.text, after->text) > 0)) {
                result = add_entry(entries, &node->entry);
            }
        }
    }
    pthread_mutex_unlock(&shard->lock);
    return result;
}

static int by_name(const void *a, const void *b)
{
    const struct directory_entry *x = a;
    const struct directory_entry *y = b;
    return strcmp(x->name.text, y->name.text);
}

int directory_list(struct directory *directory, const struct name *after, size_t max, struct directory_entry **entries,
                   size_t *count, bool *more)
{
    struct entries found = { 0 };
    for (size_t i = 0; i < SHARDS; i++) {
        if (gather(&directory->shards[i], after, &found) != 0) {
            free(found.all);
            return -1;
        }
    }
    if (found.count > 1) {
        qsort(found.all, found.count, sizeof *found.all, by_name);
    }
    *more = found.count > max;
    *count = *more ? max : found.count;
    *entries = found.all;
    return 0;
}
