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
/* KC_EVENT_IDENTITY: asks whether to trust it. */
void cli_login_identity(struct cli_session *session, const struct kc_event *event);
/* KC_EVENT_LOGIN_REFUSED: another try, an account, or the end. */
void cli_login_refused(struct cli_session *session, const struct kc_event *event);

#endif
