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
    void (*stop)(void *context);                    /* the loop has ended: before the last message is printed */
};

/* What is to be asked before it can go on. Asked between two turns of the loop, not in an event: the KDC may not wait for
 * so long, and the library must be able to notice before the answer is given. */
enum question { QUESTION_NONE, QUESTION_IDENTITY, QUESTION_LOGIN };

struct cli_session {
    const struct options *options;
    const struct cli_session_handler *handler;
    bool reconnect;     /* come back after a lost connection */
    bool takes_texts;   /* shows what arrives; else it stays with its sender */
    bool make_account;  /* register instead of logging in */
    bool offer_account; /* after a refused login, ask whether to try again or to make the account */

    struct event_base *base;
    struct kc_client *client;
    char user[KC_NAME_MAX + 1];
    struct password *password;        /* NULL once logged in */
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
