/*
 * chat.h: the line client, in four parts: chat.c (its life: login, leaving), chat_input.c (what a line that was typed
 * means, and the commands), chat_show.c (what happened, as lines), chat_answers.c (what was asked for, likewise).
 *
 * On a terminal and in a pipe alike; without a terminal there is no prompt, one's own lines aren't repeated, a line is taken only
 * once the command before it has its answer, and the end of the input waits until what was written is delivered.
 *
 * Who comes and goes is told of the one that one talks to, and of those that one has written to or waits for; of others only what they
 * write, and how to answer.
 */
#ifndef CLIENT_CLI_CHAT_H
#define CLIENT_CLI_CHAT_H

#include "client/cli/cli_session.h"
#include "client/cli/line.h"
#include "client/cli/people.h"

/* The one wording for it. */
#define CHAT_NOT_CONNECTED "Not connected: it tries again by itself"

struct chat {
    struct cli_session session;
    struct line *line;
    bool interactive;
    struct people people;
    char current[KC_NAME_MAX + 1]; /* whom one talks to; empty: nobody yet */
    bool list_unasked;             /* the next list is the one after login, that nobody asked for */
    bool list_asked;               /* an answer to /list is awaited */
    bool lost;                     /* the connection, and the one at the terminal knows */
    bool settling;                 /* lost, or just back: who is online is only known in a moment */
    bool leaving;                  /* as soon as all is delivered */
    bool quit_warned;              /* the next /quit leaves whatever waits */
    enum exit_code first_error;    /* of a pipe's commands: its exit code in the end */
    struct event *leave_timer;
    struct event *settle_timer;
    char day[16]; /* of the last line that was shown */
};

/* chat.c */
/* Leaves once all is delivered, or says what isn't. `gone`: nobody could say /quit again. */
void chat_leave(struct chat *chat, bool gone);
/* Talks to that person from now on; "" to nobody. */
void chat_set_current(struct chat *chat, const char *name);
void chat_draw_prompt(struct chat *chat);
/* A failure of one thing that was asked for: told, and in a pipe kept for the exit code. */
void chat_problem(struct chat *chat, const char *subject, int error, unsigned retry_after);
/* Only keeps it. */
void chat_keep_error(struct chat *chat, enum exit_code code);
/* All that one wrote is delivered, and one wants to leave: leaves. */
void chat_leave_if_delivered(struct chat *chat);

/* chat_input.c */
struct chat_command {
    const char *name;
    const char *arguments; /* for the help */
    bool needs_argument;
    bool takes_argument;
    const char *doc;
    /* `argument` is "" when there is none. */
    void (*run)(struct chat *chat, const char *argument);
};
/* What may stand behind a slash; ended by one without a name. */
extern const struct chat_command chat_commands[];
/* struct line_handler's line. */
void chat_input(void *context, const char *text, size_t len);

/* chat_show.c */
/* struct cli_session_handler's event. */
void chat_event(void *context, const struct kc_event *event);
/* A text of one's own, in place of what was typed; `to` is named unless it is whom one talks to. */
void chat_show_own(struct chat *chat, const struct person *to, const char *text, size_t len);
/* After a reconnect: who didn't come back. */
void chat_settled(struct chat *chat);

/* chat_answers.c: chat_event's for these types. */
/* Who is online: in full to /list, in one line after login. */
void chat_show_list(struct chat *chat, const struct kc_event *event);
void chat_show_who(struct chat *chat, const struct kc_event *event);
void chat_show_password_changed(struct chat *chat, const struct kc_event *event);

#endif
