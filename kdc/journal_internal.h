/*
 * journal_internal.h: what the journal's files share: journal.c (the queues, for any thread) and journal_writer.c (the thread).
 * Nobody else includes this.
 */
#ifndef KDC_JOURNAL_INTERNAL_H
#define KDC_JOURNAL_INTERNAL_H

#include "kdc/gathering.h"
#include "kdc/journal.h"
#include "kdc/log_quota.h"

#include <pthread.h>

/* What only events wait for: so many milliseconds after the first of them, or so many of them, go in one call. */
#define JOURNAL_GATHER_MS 50
#define JOURNAL_GATHER_MAX (JOURNAL_BATCH_MAX / 2)

/* An event in the queue, with its texts behind it. */
struct journal_entry {
    struct inbox_item item;
    struct journal_event event;
    uint64_t time; /* monotonic milliseconds */
    char texts[];
};

struct journal_list {
    struct inbox_item *oldest;
    struct inbox_item *newest;
    size_t len;
};

struct journal {
    struct journal_options options;
    pthread_t thread;
    bool runs;            /* the one who starts and stops */
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t work;
    pthread_cond_t looked;
    bool sleeps; /* the thread, waiting for `work` */
    bool stopping;
    bool away;                  /* the database didn't answer us last */
    struct journal_list issues; /* that wait */
    struct journal_list events;
    struct gathering gathering; /* of issues */
    size_t issues_taken;        /* those that the thread is writing */
    size_t events_taken;
    uint64_t batches;
    uint64_t dropped;
    struct log_quota quota;
    uint64_t looks_wanted;
    uint64_t looks_done; /* how many of those the last look has answered */
    bool look_failed;
    /* The thread's own. */
    uint64_t next_look; /* monotonic milliseconds */
    uint64_t since;     /* microseconds, the database's clock; 0: no look yet */
    bool put_failed;
    struct store_issue *batch_issues; /* JOURNAL_BATCH_MAX of each */
    struct store_event *batch_events;
    struct mail **batch_mails; /* that go out */
};

/* Each is the first member of what it stands for. */
static inline struct mail_issue *journal_issue_of(struct inbox_item *item)
{
    return (struct mail_issue *)item;
}

static inline struct journal_entry *journal_entry_of(struct inbox_item *item)
{
    return (struct journal_entry *)item;
}

/* ---- journal.c ---- */
struct inbox_item *journal_list_take(struct journal_list *list); /* the oldest; NULL: none */
/* Everything that `from` has, behind what `to` has. */
void journal_list_move(struct journal_list *to, struct journal_list *from);
/* Under the lock. True: the caller complains, once it has let go of the lock. */
bool journal_note_dropped(struct journal *journal, uint64_t number);
void journal_complain(const char *why, uint64_t dropped);

/* ---- journal_writer.c ---- */
void *journal_work(void *argument); /* the thread; its argument is the journal */

#endif
