/*
 * journal.h: what must be on record, written by one thread for all: the issue of keys, and the audit log.
 *
 * Whatever gathers while one transaction is being committed goes into the next one (group commit): under load one
 * call writes many, and the next waits a moment for those who were just answered (gathering.h); who opens alone never
 * waits. Events, which nobody waits for, gather for 50 ms before they are a call of their own. An issue is handed on
 * to where its key is made only once it is committed.
 *
 *   sessions, workers                 the journal's thread                  reactors
 *   journal_issue(mail) --> queue --> accounts->write(batch) --> deliver(MAIL_ISSUE, with conversation and epoch)
 *   journal_event(event) --> queue -/                       \-> deliver(MAIL_UNISSUED, with a reason)
 *
 * Both queues are bounded. While the database is away, or refuses us, issues are refused at once, and events wait for it.
 *
 * The same thread keeps the table of changed accounts (account_changes.h): it looks about once a second, and at once when
 * told to.
 */
#ifndef KDC_JOURNAL_H
#define KDC_JOURNAL_H

#include "kdc/account_changes.h"
#include "kdc/accounts.h"
#include "kdc/mail.h"

#define JOURNAL_BATCH_MAX 512    /* issues, and events, in one call */
#define JOURNAL_ISSUES_MAX 8192  /* that wait */
#define JOURNAL_EVENTS_MAX 16384 /* likewise; one takes about 150 bytes */

struct journal;

/* For the audit log. All lent for the call; user and detail may be empty; never a secret. */
struct journal_event {
    const char *event; /* audit_events.h */
    const char *user;
    const char *source;
    const char *detail;
    const char *outcome;          /* the name of the reason why not; NULL: it went well */
    uint64_t logged_in;           /* the account whose last login this is; 0: none */
    struct admission_source from; /* with logged_in: is a known source of the account's from now on (penalties.h) */
};

struct journal_options {
    void *context; /* handed to the functions */
    /* On the journal's own thread, as its first and last act. NULL: memory is out; then nothing can be issued. */
    struct accounts *(*start)(void *context);
    void (*stop)(void *context, struct accounts *accounts);
    /* On that thread: takes the mails, each for its `to`, and may use the array as it likes. */
    void (*deliver)(void *context, struct mail **mails, size_t count);
    /* Any thread: whether it is known that the database doesn't answer. */
    bool (*away)(void *context);
    struct account_changes *changes; /* lent; NULL: nobody wants to know */
    uint64_t company_us;             /* an issue waits for others so long at most; 0: not at all */
};

/* No thread runs yet. NULL when memory is out. */
struct journal *journal_new(const struct journal_options *options) __attribute__((warn_unused_result));
/* -1 when there is no thread to be had. */
int journal_start(struct journal *journal) __attribute__((warn_unused_result));
/* Writes the events that wait, if the database is there, drops the issues, and ends the thread. Nothing is taken afterwards. */
void journal_stop(struct journal *journal);
void journal_free(struct journal **journal); /* once stopped, or never started; sets to NULL; *journal may be NULL */

/* Puts an issue on record, then hands it on. 0: the journal owns the mail. -1: it stays the caller's; mail->reason (busy or
 * unavailable) and *retry_after (seconds) tell why. Any thread. */
int journal_issue(struct journal *journal, struct mail_issue *mail, uint32_t *retry_after)
    __attribute__((warn_unused_result));
/* Copies the event; never blocks. When the queue is full it is dropped, counted and complained about. Any thread. */
void journal_event(struct journal *journal, const struct journal_event *event);
/* Looks for changed accounts now, and returns once that is done. 0, or -1 when the database is away or takes longer than
 * two seconds. From a thread that may wait. */
int journal_refresh(struct journal *journal) __attribute__((warn_unused_result));

struct journal_stats {
    size_t queued; /* issues and events that wait */
    size_t issues; /* of those */
    size_t events;
    uint64_t batches; /* written */
    uint64_t dropped; /* events */
};
struct journal_stats journal_stats(struct journal *journal);

/* One round of the thread's work: writes what has gathered, and looks for changed accounts if that is due. For the thread, and
 * for tests without one. */
void journal_step(struct journal *journal, struct accounts *accounts);
/* Whether there is something to write. */
bool journal_has_work(struct journal *journal);

#endif
