/*
 * session_register.h: what somebody brings who makes, activates or gives up an account, as a job takes it along to a worker.
 * Private to session_login.c, in whose job a registering or activating person waits as one who logs in does, and to
 * session_register.c and session_deactivate.c.
 */
#ifndef KDC_SESSION_REGISTER_H
#define KDC_SESSION_REGISTER_H

#include "kdc/session_internal.h"

/* Lives in secret memory. */
struct registering {
    const struct session_host *host; /* its functions for any thread */
    char source[DIRECTORY_SOURCE_MAX];
    struct admission_source origin;
    struct store_registration account;
    char typed[CODE_LEN_MAX]; /* secret: a code that was mailed; */
    size_t typed_len;         /* 0: another one is wanted */
    bool mailing;             /* there is a mail server */
    bool by_code;             /* the policy: who registers is pending until a code is given */
    unsigned minutes;         /* the policy, for codes */
    unsigned tries;
    unsigned mails;
    struct email to;
    /* Results. */
    uint32_t retry_after;
    uint64_t user;
    uint64_t epoch;
};

/* On the session's thread: what can be said of a register without asking anybody: REASON_NONE, or why it is refused. */
enum reason session_registering_judge(const struct session *s, const struct message_register *m);
/* Takes along what was judged, or (m NULL) just the policy of now; `typed`: a code that was mailed. */
void session_registering_take(struct registering *r, const struct session *s, const struct message_register *m,
                              struct bytes typed);

/* On a worker. Makes the account. REASON_NONE: it is active; ACCOUNT_PENDING: it is made, and a code is mailed; or why not. */
enum reason session_register_account(struct registering *r, struct accounts *accounts, const struct name *name,
                                     const char *password, unsigned cost);
/* Of a pending account whose password was right: REASON_NONE: it is active now; ACCOUNT_PENDING: another code is mailed; or why
 * not. */
enum reason session_activate_account(struct registering *r, struct accounts *accounts, const struct name *name,
                                     uint64_t user);
/* Mails a new code. REASON_NONE, or why not. */
enum reason session_mail_code(struct registering *r, struct accounts *accounts, const struct name *name, uint64_t user,
                              enum code_purpose purpose);
/* Whether what was typed is the code. REASON_NONE: the account has changed its state; or why not. */
enum reason session_use_code(struct registering *r, struct accounts *accounts, uint64_t user,
                             enum code_purpose purpose);
/* Any thread: for the audit log. */
void session_register_record(const struct registering *r, const char *event, const struct name *name,
                             enum reason reason);

#endif
