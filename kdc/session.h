/*
 * session.h: the KDC's side of one connection once its handshake is done: login, conversations, presence (docs/protocol.md
 * section 6), as a state machine without I/O.
 *
 * It takes what its client said (session_receive), what other sessions and the journal tell it (session_mail,
 * session_pass) and the results of its jobs (session_job_done), and acts only through its host: a table of
 * functions that kdcd fills with sockets, reactors and workers (reactor.c), and a test with queues of its own, in the
 * order and at the time that it chooses.
 *
 *   LOGIN -- login, register --> CHECKING -- job done --> IN -- close, end, lost --> ENDED
 *     |^--------- refused ---------'                      ^
 *     '------------------ a ticket -----------------------'
 *
 * Thread: the one that owns the session, until session_moved, which the next owner calls before anything else; all calls of its host's
 * functions happen on it, within a call of ours.
 */
#ifndef KDC_SESSION_H
#define KDC_SESSION_H

#include "kdc/config.h"
#include "kdc/counters.h"
#include "kdc/directory.h"
#include "kdc/job.h"
#include "kdc/journal.h"
#include "kdc/log.h"
#include "kdc/mail.h"
#include "kdc/password_policy.h"
#include "kdc/ticket.h"

struct session;
struct account_changes;
struct letter;
struct penalties;

/* What a session lives in. Lent to the session for its whole life, or until session_moved. `context` is the host's own, `link` is what
 * session_new was given for this session's connection. */
struct session_host {
    void *context;
    const struct config *config;             /* as it is now: a reload puts another one here */
    const struct password_policy *passwords; /* likewise; NULL: any password is taken */
    const struct rng *rng;
    struct directory *directory;
    struct counters *counters;
    struct ticket_keys *tickets;     /* NULL: no tickets are given or taken */
    struct account_changes *changes; /* NULL: nothing changes */
    struct penalties *penalties;     /* NULL: guessing costs nothing */
    struct penalties
        *registrations;         /* pending accounts, counted by source as if they were failures; NULL: any number */
    struct penalties *openings; /* conversations, counted by who opens them, likewise */

    /* Milliseconds since 1970 UTC. Any thread, for as long as the host exists; `log` too. */
    uint64_t (*now)(void *context);
    /* A number that no session of this KDC has or had. */
    uint64_t (*session_number)(void *context);
    /* Takes the mail. Mails posted by one session arrive at another in their order. At mail->to session_mail gets it, or
     * session_mail_lost if nobody is there; conversation_issue gets what a MAIL_ISSUE brings. */
    void (*post)(void *context, struct mail *mail);
    /* As journal_issue: the mail comes back by `post` as MAIL_ISSUE, once the epoch is on record, or as MAIL_UNISSUED. */
    int (*issue)(void *context, struct mail_issue *mail, uint32_t *retry_after);
    /* As journal_event. This one may be called on any thread, for as long as the host exists. */
    void (*record)(void *context, const struct journal_event *event);
    /* Any thread that may wait a moment, for as long as the host exists: an account was changed, and that is in the database. Tickets of
     * before are void when it returns, and a session of that user's other than `keep` (NULL: any) is about to end. */
    void (*account_changed)(void *context, const struct name *name, const struct session_ref *keep, enum reason reason);
    /* As mailer_post: 0, or -1. `letter` NULL: whether one would be taken now. Any thread, for as long as the host exists. NULL:
     * there is no mail. */
    int (*mail)(void *context, const struct letter *letter);
    /* Passes a ciphertext message (type and body; copied if need be) to session_pass of another session. False when it is
     * known that nobody is there, or when memory is out. */
    bool (*pass)(void *context, const struct session_ref *to, const struct session_ref *from, struct bytes plain);
    void (*log)(enum log_level level, const char *event, const struct log_field *fields);

    /* Sends to this session's client. REASON_NONE; REASON_SLOW_READER when too much is waiting; REASON_INTERNAL. */
    enum reason (*send)(void *link, const struct message *message);
    enum reason (*send_plain)(void *link, struct bytes plain); /* type and body, encoded already */
    /* Bytes that wait for the client to read them. */
    size_t (*waiting)(void *link);
    /* Stops reading from the client, or goes on. */
    void (*hold)(void *link, bool on);
    /* The client is logged in: it may send long frames, and is held to ping from now on. */
    void (*logged_in)(void *link);
    /* session_expires has changed. */
    void (*rescheduled)(void *link);
    /* The session is over: no call of ours reaches the link afterwards. If `tell`, the client gets a close with this
     * reason. The session is freed later, not within this call. */
    void (*end)(void *link, enum reason reason, bool tell);
    /* We have asked for a conversation with that session. A hint: either of the two may get another host (session_moved) later, not
     * within this call. */
    void (*bring_together)(void *link, const struct directory_entry *peer);
    /* The source that its connection draws on. */
    struct admission_source (*origin)(void *link);
    /* Asks for session_delayed, so much later; not asked for again before that. The login's deadline moves on by as much. */
    void (*delay)(void *link, uint32_t ms);
    /* As worker_pool_submit; the job comes back by session_job_done, later. */
    void (*submit)(void *link, struct job *job);
};

/* What the handshake and the transport know of a connection; lent only for the call. */
struct session_origin {
    const char *source; /* "127.0.0.1:50112" */
    uint16_t suite;
    uint16_t group;
    const uint8_t *resumption; /* the handshake's, for a ticket; secret, KDF_SECRET_LEN bytes, copied; NULL: none */
};

/* `ref` is its place; its number comes with the login. NULL when memory is out. */
struct session *session_new(const struct session_host *host, void *link, const struct session_ref *ref,
                            const struct session_origin *origin) __attribute__((warn_unused_result));
/* Leaves first, as session_lost, if it hasn't yet. Sets to NULL; *session may be NULL. */
void session_free(struct session **session);

/* The handshake was resumed by that ticket, and nothing has come from the client yet: it is in without a login, or refused
 * if the account has changed by now (then it may log in). */
void session_resume(struct session *session, const struct ticket *ticket);

/* A message from the client: type and body. A password in it is copied to secret memory; the caller wipes `plain`. */
void session_receive(struct session *session, struct bytes plain);

/* Lent: the caller frees the mail (and so wipes it). */
void session_mail(struct session *session, const struct mail *mail);
/* A mail for a session that isn't there any more: whoever must know is told. Lent, likewise. */
void session_mail_lost(const struct session_host *host, const struct mail *mail);
/* A ciphertext from a peer. */
void session_pass(struct session *session, const struct session_ref *from, struct bytes plain);

/* A job of this session is back. The caller destroys it afterwards. */
void session_job_done(struct session *session, struct job *job);

/* What the session wanted to wait for is over. */
void session_delayed(struct session *session);

/* Little is waiting for the client now: whoever was held up because of it may go on. */
void session_drained(struct session *session);

/* Ends it from our side, telling the client: deadline, silence, shutting down. */
void session_close(struct session *session, enum reason reason);
/* The transport is gone, or has failed for this reason. Nothing is sent. */
void session_lost(struct session *session, enum reason reason);

/* It may live in another host from now on: it has no conversation, and nobody works for it. */
bool session_may_move(const struct session *session);
/* It does, on that host's thread; `seat` is the reactor (session_ref.h). */
void session_moved(struct session *session, const struct session_host *host, uint32_t seat);

bool session_is_in(const struct session *session);   /* logged in, not ended */
bool session_is_over(const struct session *session); /* ended */
/* Too much is waiting for its client, and its peers are held up: see session_drained. */
bool session_is_congested(const struct session *session);
/* When its account ends, and the session with it (the host closes it: account_expired): milliseconds since 1970 UTC; 0: never. */
uint64_t session_expires(const struct session *session);
/* Its user's; empty before login. */
const struct name *session_name(const struct session *session);
const struct session_ref *session_ref_of(const struct session *session);

#endif
