/*
 * cli_session.h: what all commands share: who logs in, the connection, the questions on the way (is this the right KDC? another
 * try?), signals, and the end with its exit code and its message. A command sees the events that are left.
 *
 * Nobody types a password twice for a reconnect: libkdcchat keeps it in locked memory; here it is wiped at login.
 */
#ifndef CLIENT_CLI_CLI_SESSION_H
#define CLIENT_CLI_CLI_SESSION_H

#include "client/cli/credentials.h"
#include "client/cli/exit_code.h"
#include "client/cli/options.h"
#include "client/kdcchat.h"

#include <stdbool.h>

struct event;
struct event_base;

/* What a command brings. `context` is its own; every function but `event` may be NULL. */
struct cli_session_handler {
    void *context;
    void (*event)(void *context, const struct kc_event *event);
    void (*trace)(void *context, const char *line); /* NULL: standard error */
    void (*interrupt)(void *context);               /* Ctrl-C; NULL: the session ends */
    void (*asked)(void *context);                   /* QUESTION_PASSWORD is done: the terminal is free again */
    void (*stop)(void *context);                    /* the loop has ended: before the last message is printed */
};

/* What is to be asked before it can go on. Asked between two turns of the loop, not in an event: the KDC may not wait for
 * so long, and the library must be able to notice before the answer is given. */
enum question { QUESTION_NONE, QUESTION_IDENTITY, QUESTION_LOGIN, QUESTION_PASSWORD, QUESTION_CODE };

#define JOINING_ROOM 300 /* longer than any answer that makes sense */

/* What somebody said who makes or activates an account: cli_register. */
struct joining {
    enum attempt { ATTEMPT_LOGIN, ATTEMPT_REGISTER, ATTEMPT_ACTIVATE } attempt; /* the last, or the one to be made */
    char invitation[JOINING_ROOM];
    char email[JOINING_ROOM];
    char phone[JOINING_ROOM];
    char code[JOINING_ROOM]; /* that was mailed; wiped once it is handed over */
};

struct cli_session {
    const struct options *options;
    const struct cli_session_handler *handler;
    bool reconnect;        /* come back after a lost connection */
    bool takes_texts;      /* shows what arrives; else it stays with its sender */
    bool make_account;     /* register instead of logging in */
    bool changes_password; /* at the login */
    bool offer_account;    /* after a refused login, ask whether to try again or to make the account */

    int wanted_end; /* a kc_error or reason that the connection is to end with: then all is well, and this 0; 0: none */
    struct joining joining;

    struct event_base *base;
    struct kc_client *client;
    char user[KC_NAME_MAX + 1];
    struct password *password;        /* NULL once logged in */
    struct password *new_password;    /* that the login asks for in its place; NULL: none */
    bool was_ready;                   /* has been logged in */
    enum question question;           /* to be asked in the next turn */
    char offered[KC_FINGERPRINT_LEN]; /* QUESTION_IDENTITY */
    bool asking;                      /* a question is being asked */
    bool parted;                      /* the KDC took too many tries for one connection: the next needs another */
    int refused;                      /* QUESTION_LOGIN: why, and after how many seconds to try again */
    unsigned retry_after;
    bool ending;
    bool done;
    enum exit_code code;
    char *failure; /* the last message; NULL: none */
    struct event *signals[3];
    struct event *end_timer;
};

/* Opens everything, but connects nothing. False after a message to standard error: `code` says why. */
bool cli_session_open(struct cli_session *session, const struct options *options) __attribute__((warn_unused_result));
/* Asks for name and password as needed, connects, and runs until the end; returns the exit code. */
enum exit_code cli_session_run(struct cli_session *session, const struct cli_session_handler *handler)
    __attribute__((warn_unused_result));
void cli_session_close(struct cli_session *session);

/* Ends it in order, with that code. The first end counts. */
void cli_session_end(struct cli_session *session, enum exit_code code);
/* The same with a message for a person. */
void cli_session_fail(struct cli_session *session, enum exit_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with the words and the code of a kc_error or protocol reason; `subject` (may be NULL) stands in front. */
void cli_session_fail_error(struct cli_session *session, const char *subject, int error, unsigned retry_after);
/* Standard output took no more, and errno says why: quietly when nobody reads it any more. */
void cli_session_output_failed(struct cli_session *session);

#endif
