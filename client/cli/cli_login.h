/*
 * cli_login.h: the questions on the way in: the KDC's identity at first contact, name and password, and what to do when they are
 * refused. Part of cli_session.
 */
#ifndef CLIENT_CLI_CLI_LOGIN_H
#define CLIENT_CLI_CLI_LOGIN_H

#include "client/cli/cli_session.h"
#include "wire/protocol.h"

/* Name and password from the options, or asked for, and handed to the library. False: the session ends. */
bool cli_login_first(struct cli_session *session) __attribute__((warn_unused_result));
/* The session's question: whether to trust the KDC; another try, an account, or the end. Runs the loop meanwhile, so not
 * to be called from an event. */
void cli_login_ask(struct cli_session *session);

#endif
