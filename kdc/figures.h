/*
 * figures.h: how kdcd is doing, in figures: one table of what they are called, count and mean, from which the control protocol's
 * "status", kdc-admin's display, the Prometheus text and the manual's list are all made.
 *
 * A figure's name is the same everywhere: in JSON as it is, in Prometheus behind FIGURES_PREFIX. Names tell their unit and follow
 * Prometheus's conventions: base units (_seconds, _bytes), _total for what only grows. A figure with a label has a value for each of
 * the label's words ({"refusals_total":{"busy":1,…}}); which words there are is bounded.
 *
 * struct figures is a snapshot: taken by figures_take (figures_take.h), owned by one thread.
 */
#ifndef KDC_FIGURES_H
#define KDC_FIGURES_H

#include "kdc/histogram.h"

#include <stdbool.h>
#include <stdio.h>

#define FIGURES_PREFIX "kdc_chat_"
#define FIGURE_WORD_MAX 40

enum figure_id {
    /* kdcd */
    FIGURE_VERSION,
    FIGURE_START_TIME,
    FIGURE_UPTIME,
    FIGURE_READY,
    FIGURE_NOT_READY,
    FIGURE_CPU,
    FIGURE_MEMORY,
    FIGURE_SECRET_USED,
    FIGURE_SECRET_RESERVED,
    FIGURE_SECRET_LOCKED,
    FIGURE_OPEN_FDS,
    FIGURE_MAX_FDS,
    FIGURE_LOG_DROPPED,
    /* sessions */
    FIGURE_SESSIONS,
    FIGURE_CONNECTIONS,
    FIGURE_BEFORE_LOGIN,
    FIGURE_CONNECTIONS_ENDED,
    FIGURE_CONNECTIONS_REFUSED,
    FIGURE_HANDSHAKES,
    FIGURE_LOGINS_RATE,
    FIGURE_LOGINS,
    FIGURE_LOGIN_DURATION,
    FIGURE_REFUSALS_RATE,
    FIGURE_REFUSALS,
    /* conversations */
    FIGURE_CONVERSATIONS,
    FIGURE_MESSAGES_RATE,
    FIGURE_MESSAGES,
    FIGURE_KEYS_RATE,
    FIGURE_KEYS,
    /* database */
    FIGURE_DATABASE_UP,
    FIGURE_DATABASE_CHANGED,
    FIGURE_DATABASE_FAILING,
    FIGURE_DATABASE_FAILED,
    FIGURE_DATABASE_ERROR,
    FIGURE_POOL_SIZE,
    FIGURE_POOL_CONNECTIONS,
    FIGURE_DATABASE_DURATION,
    FIGURE_CONNECTION_STATE,
    FIGURE_CONNECTION_CALLS,
    FIGURE_CONNECTION_FAILURES,
    FIGURE_CONNECTION_CONNECTS,
    FIGURE_CONNECTION_CONNECT_FAILURES,
    FIGURE_CONNECTION_MEAN,
    FIGURE_CONNECTION_SLOWEST,
    /* journal */
    FIGURE_JOURNAL_ISSUES,
    FIGURE_JOURNAL_EVENTS,
    FIGURE_JOURNAL_BATCHES,
    FIGURE_JOURNAL_DROPPED,
    /* workers */
    FIGURE_WORKERS,
    FIGURE_JOBS_WAITING,
    FIGURE_JOBS_LIMIT,
    FIGURE_JOBS_FINISHED,
    FIGURE_JOB_WAIT,
    FIGURE_JOB_MEAN,
    FIGURE_JOB_ALARMS,
    FIGURE_JOBS_DISPLACED,
    /* reactors */
    FIGURE_REACTORS,
    FIGURE_MOVED,
    FIGURE_INBOX_ITEMS,
    FIGURE_INBOX_LONGEST,
    /* guessing */
    FIGURE_GUESSED,
    FIGURE_GUESSES_DELAYED,
    FIGURE_GUESSES_REFUSED,
    FIGURE_GUILTY,
    FIGURE_GUILTY_LOCKED,
    FIGURE_GUILTY_LOCKS,
    /* mail: where a server is configured */
    FIGURE_MAIL_UP,
    FIGURE_MAIL_ERROR,
    FIGURE_MAIL_WAITING,
    FIGURE_MAIL_SENT,
    FIGURE_MAIL_RETRIES,
    FIGURE_MAIL_DROPPED,
    FIGURE_COUNT,
};

enum figure_kind { FIGURE_GAUGE, FIGURE_COUNTER, FIGURE_HISTOGRAM, FIGURE_TEXT };

enum figure_unit {
    UNIT_NUMBER,
    UNIT_YES_NO,
    UNIT_SECONDS,
    UNIT_BYTES,
    UNIT_PER_SECOND,
    UNIT_TIME /* seconds since 1970 UTC */
};

struct figure {
    const char *name;
    enum figure_kind kind;
    enum figure_unit unit;
    const char *label;   /* NULL: it has one value */
    bool ours;           /* not for Prometheus, which works it out itself or has no use for it */
    const char *section; /* for people, as the title; figures of one section stand together */
    const char *title;
    const char *help; /* a sentence without its full stop */
};
extern const struct figure figure_table[FIGURE_COUNT];

struct figure_value {
    enum figure_id id;
    char word[FIGURE_WORD_MAX]; /* of the label; empty: it has none */
    double number;
    char *text;                        /* of a FIGURE_TEXT; owned */
    struct histogram_total *histogram; /* of a FIGURE_HISTOGRAM; owned */
};

/* Those of one figure stand together, and the figures in the table's order. */
struct figures {
    struct figure_value *values;
    size_t count;
    size_t room;
    bool failed; /* memory is out: something is missing */
};

void figures_clear(struct figures *figures);

/* ---- for whoever takes them. `word` NULL: the figure has no label ---- */
void figures_put(struct figures *figures, enum figure_id id, const char *word, double number);
/* `text` is cleaned (figures_clean). */
void figures_put_text(struct figures *figures, enum figure_id id, const char *word, const char *text);
void figures_put_histogram(struct figures *figures, enum figure_id id, const char *word,
                           const struct histogram_total *histogram);

/* For what a database or a mail server said: one line of well-formed UTF-8, of the same length, without anything that would steer a
 * terminal. What isn't becomes '?'; it may be what was cut in the middle of a character. */
void figures_clean(char *text);

/* In Prometheus's text format, version 0.0.4. */
void figures_print_prometheus(const struct figures *figures, FILE *out);

#endif
