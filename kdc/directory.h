/*
 * directory.h: who is logged in, and where: from a user's name to that user's session; and who wants to know when somebody
 * comes.
 *
 * One session a user. The table is cut into shards with a lock each, which is held for a look-up and never across anything
 * slow. A watcher is told once, by whoever inserts the user it waits for. The only place that knows where a session
 * lives now (a reference that is older still arrives); nothing else may assume that it is in this process.
 *
 * Thread: any.
 */
#ifndef KDC_DIRECTORY_H
#define KDC_DIRECTORY_H

#include "kdc/session_ref.h"
#include "wire/protocol.h"

#define DIRECTORY_SOURCE_MAX 64 /* "[2001:db8::1]:50112" */

struct directory;

struct directory_entry {
    struct name name;
    bool congested; /* too much waits for its client */
    uint64_t user;  /* the account's id */
    struct session_ref ref;
    uint64_t since; /* milliseconds since 1970 UTC */
    /* For the operator's `who`. */
    char source[DIRECTORY_SOURCE_MAX];
    uint16_t suite;
    uint16_t group;
    uint32_t conversations;
};

struct directory_watcher {
    struct directory_watcher *next;
    struct session_ref ref;
};

/* NULL when memory or randomness is out. */
struct directory *directory_new(void) __attribute__((warn_unused_result));
void directory_free(struct directory **directory); /* sets to NULL */

/* The user is logged in: 0, or -1 when memory is out. If an older session was there, it is replaced and *old set
 * (old->ref.session is 0 otherwise). *watchers is the list of those to tell; the caller frees it with
 * directory_watchers_free. */
int directory_insert(struct directory *directory, const struct directory_entry *entry, struct directory_entry *old,
                     struct directory_watcher **watchers) __attribute__((warn_unused_result));
void directory_watchers_free(struct directory_watcher **watchers);

/* The user's session has ended. Removes it only if it still is this one; true if so. */
bool directory_remove(struct directory *directory, const struct name *name, const struct session_ref *ref);

bool directory_find(struct directory *directory, const struct name *name, struct directory_entry *entry)
    __attribute__((warn_unused_result));

enum directory_watch {
    DIRECTORY_ONLINE,   /* *entry is set, nothing is watched */
    DIRECTORY_WATCHING, /* offline: `watcher` is told once when the user comes */
    DIRECTORY_WATCHED,  /* the same, but it was on the list already */
    DIRECTORY_NO_MEMORY,
};
/* In one step, so that nobody slips in between. */
enum directory_watch directory_find_or_watch(struct directory *directory, const struct name *name,
                                             const struct session_ref *watcher, struct directory_entry *entry)
    __attribute__((warn_unused_result));
void directory_unwatch(struct directory *directory, const struct name *name, const struct session_ref *watcher);

/* How many conversations the session holds, for `who`. Nothing if it isn't there any more. */
void directory_set_conversations(struct directory *directory, const struct name *name, const struct session_ref *ref,
                                 uint32_t conversations);

/* Whether too much waits for the session's client: then nobody else opens a conversation with it. Likewise. */
void directory_set_congested(struct directory *directory, const struct name *name, const struct session_ref *ref,
                             bool congested);

/* The session sits with another reactor now. Likewise. */
void directory_set_seat(struct directory *directory, const struct name *name, const struct session_ref *ref,
                        uint32_t seat);

size_t directory_count(struct directory *directory);

/* The first `max` entries behind `after` (NULL: from the first) by name. *entries is the caller's to free (NULL when *count is
 * 0), *more tells whether there are others behind. Each shard is seen at its own moment. 0, or -1 when memory
 * is out. Looks at every entry: for a worker or the control thread, not for a reactor. */
int directory_list(struct directory *directory, const struct name *after, size_t max, struct directory_entry **entries,
                   size_t *count, bool *more) __attribute__((warn_unused_result));

#endif
