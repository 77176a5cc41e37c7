/*
 * cli_password.h: another password: asked for on the way in when the KDC wants one, in a chat (/passwd), or all there is to do
 * (the command passwd). Part of cli_session.
 */
#ifndef CLIENT_CLI_CLI_PASSWORD_H
#define CLIENT_CLI_CLI_PASSWORD_H

#include "client/cli/cli_session.h"

/* Whether the KDC refused the new password, and not who one is. */
bool cli_password_is_refusal(int error);

/* A new password that is one, twice the same; what is wrong with others is told. ASK_OK, ASK_NO_TERMINAL or ASK_INTERRUPTED. */
enum ask_result cli_password_ask_new(const char *name, struct password *password);

/* The old one and a new one, and hands both to the library. What doesn't come to that is told, and the session goes on. Not to be
 * called from an event. */
void cli_password_change(struct cli_session *session);

#endif
