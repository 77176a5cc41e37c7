/*
 * cli_register.h: the questions of somebody who makes, activates or gives up an account: for an invitation, an address, the
 * code that was mailed. Part of cli_session.
 */
#ifndef CLIENT_CLI_CLI_REGISTER_H
#define CLIENT_CLI_CLI_REGISTER_H

#include "client/cli/cli_session.h"

/* What the options say. False: the session ends. */
bool cli_register_options(struct cli_session *session) __attribute__((warn_unused_result));
/* Hands name, password and what was said to the library; a kc_error. */
int cli_register_send(struct cli_session *session);

enum register_answer {
    REGISTER_NOT_OURS, /* the refusal has nothing to do with it */
    REGISTER_AGAIN,    /* with what was answered now */
    REGISTER_OVER,     /* the session ends */
};
/* After a refusal: asks for what is missing. */
enum register_answer cli_register_answer(struct cli_session *session);

/* Nobody can be asked for another code (session->refused: code, code_expired, too_many), which that command of ours mails. Ends the
 * session. */
void cli_register_fail_code(struct cli_session *session, const char *command);

/* QUESTION_CODE: the code that was mailed to give the account up, handed to the library. */
void cli_register_ask_code(struct cli_session *session);

#endif
