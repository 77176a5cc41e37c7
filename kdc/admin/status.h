/*
 * status.h: what `kdc-admin status` is made of: asking kdcd, a page for people, and the screen that shows it again and again.
 */
#ifndef KDC_ADMIN_STATUS_H
#define KDC_ADMIN_STATUS_H

#include "kdc/admin/command.h"
#include "kdc/control_client.h"

/* What kdcd says; *reply is the caller's, NULL with `error` a sentence when it isn't there. */
enum control_result status_ask(const struct admin *admin, int timeout_ms, json_t **reply, char error[CONTROL_ERROR_MAX])
    __attribute__((warn_unused_result));

/* The lines of a page, without their ends; no control character is in them. What is wrong comes first. */
#define STATUS_VALUES_AT 28 /* the column that values begin at, behind their titles */
struct status_page {
    char **lines;
    size_t count;
};
/* Lines are no longer than `columns` (0: as long as they are). -1: memory is out. What kdcd doesn't tell (an older one) is left
 * out. */
int status_page_make(const json_t *reply, size_t columns, struct status_page *page) __attribute__((warn_unused_result));
/* One more line, which is taken apart; a clean one. -1: memory is out, and the page is cleared. */
int status_page_add(struct status_page *page, char *text, size_t columns) __attribute__((warn_unused_result));
void status_page_clear(struct status_page *page);

/* Shows it on the terminal every `seconds` until somebody ends it. Restores the terminal. */
enum exit_code status_screen(struct admin *admin, unsigned seconds);

/* ---- signals, for both ways of watching ---- */

struct status_signals {
    bool ended;     /* SIGINT, SIGTERM, SIGHUP */
    bool resized;   /* SIGWINCH */
    bool suspended; /* SIGTSTP */
    bool resumed;   /* SIGCONT */
};
/* From now on these signals only arrive within status_wait. */
void status_signals_begin(void);
/* Waits for so long (0: only looks), or until something arrives: a signal, or something to read on `input` (-1: none). True: there is
 * something to read. */
bool status_wait(int timeout_ms, int input);
/* What has arrived since the last call. */
struct status_signals status_signals_take(void);
/* Stops the process as the signal would have without us. */
void status_suspend(void);

#endif
