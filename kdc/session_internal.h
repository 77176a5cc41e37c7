/*
 * session_internal.h: what the session's files share. Private to them.
 */
#ifndef KDC_SESSION_INTERNAL_H
#define KDC_SESSION_INTERNAL_H

#include "kdc/accounts.h"
#include "kdc/log_quota.h"
#include "kdc/penalties.h"
#include "kdc/session.h"

#define SESSION_REQUESTS_MAX 64 /* unanswered at once */
#define SESSION_JOBS_MAX 4      /* of a session with the workers at once: nobody fills their queue alone */
#define RETRY_UNAVAILABLE 5     /* seconds: about the store's own backoff */

struct session_guesses;

enum session_state { SESSION_LOGIN, SESSION_CHECKING, SESSION_IN, SESSION_ENDED };

/* One conversation, as this session sees it. */
struct leg {
    uint64_t conversation;
    struct session_ref peer;
    struct name peer_name;
    uint64_t used;    /* session->uses at its last message or grant */
    bool gone;        /* the peer's session has ended; kept, so that the answer to late messages is right */
    bool held;        /* our client went past its window: we don't read from it until there is credit */
    size_t in_flight; /* bytes passed to the peer that it hasn't given credit for */
    size_t owed;      /* bytes that the peer passed to us and has no credit for yet */
};

struct request {
    uint32_t number;
    bool opens; /* an open */
};

/* The head of a request's job. */
struct request_job {
    struct job job;
    uint32_t request;
};

struct session {
    const struct session_host *host;
    void *link;
    struct session_ref ref;
    enum session_state state;
    unsigned tries;   /* that failed: logins, then changes of the password since the last that didn't */
    uint64_t expires; /* of the account, milliseconds since 1970 UTC; 0: never */
    /* Set by the login. */
    uint64_t user;
    uint64_t since;
    struct name name;
    uint16_t suite;
    uint16_t group;
    char source[DIRECTORY_SOURCE_MAX];
    bool congested;
    uint8_t *resumption; /* secret memory, KDF_SECRET_LEN: what its tickets stand for; NULL: none can be given */
    /* Sorted by conversation. */
    struct leg *legs;
    size_t leg_count;
    size_t leg_room;
    size_t live_legs;
    uint64_t uses;
    unsigned holds; /* legs that are held */
    unsigned jobs;  /* of requests, with the workers */
    struct request *requests;
    size_t request_count;
    size_t request_room;
    struct inbox_item *waiting_oldest; /* jobs that wait for one of those to come back: as many as requests at most */
    struct inbox_item *waiting_newest;
    struct log_quota quota;          /* of lines about refused requests */
    struct session_guesses *guesses; /* session_guess.c; NULL: none */
    /* Users whose coming the directory will tell us; oldest first. */
    struct name *watched;
    size_t watched_count;
    size_t watched_room;
};

/* session.c */
void session_send(struct session *s, const struct message *m); /* ends the session when that fails */

/* session_request.c: requests that wait for their answers. */
/* True: noted. False: it was refused, or the session ended over it. */
bool session_request_begin(struct session *s, uint32_t number, bool opens);
void session_request_end(struct session *s, uint32_t number);
/* Answers with `refused`, logs it, and ends the request. */
void session_refuse(struct session *s, uint32_t number, enum reason reason, uint32_t retry_after);
size_t session_requests_opening(const struct session *s);
/* Takes the job of a request; refuses that with busy when there is no room. The job begins with struct request_job. */
void session_submit(struct session *s, struct request_job *job);
/* A job that session_submit took is back. */
void session_request_job_back(struct session *s);
/* One that came home without having run: refuses its request with busy. */
void session_request_displaced(struct session *s, const struct request_job *job);
/* Destroys what waits. */
void session_requests_drop(struct session *s);

/* session_login.c */
void session_login(struct session *s, const struct message *m);
/* Answers as to a login, without counting it as a try. */
void session_refuse_login(struct session *s, enum reason reason, const char *name);

/* session_guess.c: whoever looks at a password does it by these. */
/* The head of such a job (JOB_PASSWORD), in secret memory. Its maker fills job and the first two; the rest is session_guess.c's. */
struct guess_job {
    struct job job;
    const struct name *name; /* of the account; NULL: none that there could be. Lent: in the job itself, as the next */
    const char *source;      /* for the audit log */
    const struct session_host *host;
    struct admission_source origin; /* where it came from */
    bool counted;                   /* as the session's one attempt */
    bool asked;                     /* whether the source is known */
    bool known;
    bool looking;      /* guess_over has to tell penalties that it isn't any more */
    bool noted;        /* it was wrong, and that counts against the account */
    unsigned failures; /* of this session at this name, just before */
    enum reason refused;
    uint32_t retry_after;
};
/* Takes the job, makes it wait as penalties have it, and submits it; it comes back by its `done`, perhaps within this call, whether
 * or not it ran. A session has one at a time: a second one is refused as busy. */
void session_guess(struct session *s, struct guess_job *guess);
/* In job->run, right before the password is looked at (dummies, too). False: it mayn't be. */
bool guess_may_look(struct guess_job *guess, struct accounts *accounts) __attribute__((warn_unused_result));
/* In job->run: it was looked at. Right: it is the account's password, whatever else is wrong with the account. */
void guess_was(struct guess_job *guess, bool right);
/* Last in job->run: it is looked at no more, even if nothing came of it. */
void guess_over(struct guess_job *guess);
/* First in job->done. REASON_NONE: it was looked at, and the job knows the rest. Else: it wasn't, with this reason and *retry_after. */
enum reason session_guess_back(struct session *s, const struct guess_job *guess, uint32_t *retry_after)
    __attribute__((warn_unused_result));
/* Whether it is a job of ours, which has nothing to do with requests. */
bool session_guess_asks(const struct job *job);
void session_guesses_drop(struct session *s);

/* session_enter.c */
enum session_entry_way { SESSION_BY_LOGIN, SESSION_BY_REGISTERING, SESSION_BY_TICKET };
struct session_entry {
    enum session_entry_way way;
    uint64_t user;
    struct name name;
    uint64_t epoch;   /* the account's; 0: unknown, and so no ticket is given */
    uint64_t issued;  /* that the ticket was which it came by */
    uint64_t expires; /* the account; 0: never */
};
/* The user is in. False when memory is out: then nothing is said yet. */
bool session_enter(struct session *s, const struct session_entry *entry);
/* A ticket for the next time, of somebody who is in, and for how many seconds from `now` on. 0: there is none to be had, and the
 * session is as good without. */
unsigned session_seal_ticket(struct session *s, const struct session_entry *entry, uint64_t now,
                             uint8_t out[TICKET_LEN]);

/* session_password.c */
/* Another password, as a job takes it along: secret memory. */
struct password_change {
    char password[PASSWORD_LEN_MAX + 1]; /* secret */
    unsigned cost;
    unsigned history; /* earlier ones that aren't taken again */
};
/* One that was judged, and the policy of now. */
void session_password_take(struct password_change *change, const struct session_host *host, struct bytes password);
void session_change_password(struct session *s, const struct message_change_password *m);
/* On a worker. `account`: as it was found, with its hash, whose password `old` was checked to be; afterwards with the new
 * hash. REASON_NONE, PASSWORD_REUSED; LOGIN_FAILED: the account has changed meanwhile; ACCOUNT_LOCKED and the like: its state has;
 * UNAVAILABLE, INTERNAL. */
enum reason session_password_set(struct accounts *accounts, struct store_user *account, const char *old,
                                 const struct password_change *change);
/* Any thread: what became of it, for the audit log. */
void session_password_record(const struct session_host *host, const char *user, const char *source, enum reason reason);
/* Whether the account may be used at that time: REASON_NONE, or why not. */
enum reason session_reason_of_account(const struct store_user *account, uint64_t now);
/* "We failed" in its two kinds. What the operator has to mend in the database is nothing else to the person than its being away. */
enum reason session_reason_of_failure(enum store_result result);

/* session_deactivate.c */
void session_deactivate(struct session *s, const struct message_deactivate *m);

/* session_open.c */
void session_open(struct session *s, const struct message_open *m);
void session_take_grant(struct session *s, const struct mail_grant *grant);
void session_take_unissued(struct session *s, const struct mail_issue *mail);

/* session_query.c */
void session_list(struct session *s, const struct message_list *m);
void session_who(struct session *s, const struct message_who *m);

/* session_legs.c: the conversations of a session, and the flow between their two ends. */
struct leg *session_leg_find(struct session *s, uint64_t conversation);
bool session_leg_with(const struct session *s, const struct name *peer); /* one that is alive */
/* Makes the leg, or turns it to the peer's present session; makes room if need be. One that is alive keeps its way to the peer: what is
 * said there stays in order. NULL when memory is out. */
struct leg *session_leg_set(struct session *s, uint64_t conversation, const struct session_ref *peer,
                            const struct name *peer_name);
void session_leg_gone(struct session *s, struct leg *leg);
void session_legs_leave(struct session *s); /* tells every peer */
void session_relay(struct session *s, struct bytes plain);
/* Behind what others make us send: whether too much waits for our client by now. */
void session_watch_output(struct session *s);
void session_take_credit(struct session *s, const struct mail_credit *mail);

/* session_presence.c */
/* Tells the client whether that user is online; if not, watches for it. */
void session_report(struct session *s, const struct name *name);
/* The client knows that the user is offline: watches, and tells it when the user comes. */
void session_watch(struct session *s, const struct name *name);
void session_watch_fired(struct session *s, const struct name *name);
void session_unwatch_all(struct session *s);

/* Room for one more in an array that grows by doubling. 0, or -1 when memory is out. */
int session_room_for_one(void **array, size_t count, size_t *room, size_t size);

#endif
