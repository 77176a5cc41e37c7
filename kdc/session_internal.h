/*
 * session_internal.h: what the session's files share. Private to them.
 */
#ifndef KDC_SESSION_INTERNAL_H
#define KDC_SESSION_INTERNAL_H

#include "kdc/accounts.h"
#include "kdc/log_quota.h"
#include "kdc/session.h"

#define SESSION_REQUESTS_MAX 64 /* unanswered at once */
#define SESSION_JOBS_MAX 4      /* of a session with the workers at once: nobody fills their queue alone */
#define RETRY_UNAVAILABLE 5     /* seconds: about the store's own backoff */

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
    unsigned tries;
    /* Set by the login. */
    uint64_t user;
    uint64_t since;
    struct name name;
    uint16_t suite;
    uint16_t group;
    char source[DIRECTORY_SOURCE_MAX];
    uint8_t *resumption; /* secret memory, KDF_SECRET_LEN bytes: until the welcome; NULL: no ticket can be given */
    /* Sorted by conversation. */
    struct leg *legs;
    size_t leg_count;
    size_t leg_room;
    size_t live_legs;
    uint64_t uses;
    unsigned holds; /* legs that are held */
    bool congested;
    struct request *requests;
    size_t request_count;
    size_t request_room;
    unsigned jobs;                       /* of requests, with the workers */
    struct mailbox_item *waiting_oldest; /* jobs that wait for one of those to come back: as many as requests at most */
    struct mailbox_item *waiting_newest;
    struct log_quota quota; /* of lines about refused requests */
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

/* session_enter.c */
enum session_entry_way { SESSION_BY_LOGIN, SESSION_BY_REGISTERING, SESSION_BY_TICKET };
struct session_entry {
    enum session_entry_way way;
    uint64_t user;
    struct name name;
    uint64_t epoch;  /* the account's; 0: unknown, and so no ticket is given */
    uint64_t issued; /* that the ticket was which it came by */
};
/* The user is in. False when memory is out: then nothing is said yet. */
bool session_enter(struct session *s, const struct session_entry *entry);

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
/* Makes the leg, or turns it to the peer's present session; makes room if need be. NULL when memory is out. */
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
