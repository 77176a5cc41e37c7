#include "kdc/figures.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#define GENERAL "kdcd"
#define SESSIONS "Sessions"
#define CONVERSATIONS "Conversations"
#define DATABASE "Database"
#define JOURNAL "Journal"
#define WORKERS "Workers"
#define REACTORS "Reactors"
#define GUESSING "Guessing"
#define MAIL "Mail"

const struct figure figure_table[FIGURE_COUNT] = {
    [FIGURE_VERSION] = { "version", FIGURE_TEXT, UNIT_NUMBER, NULL, false, GENERAL, "version", "kdcd's version" },
    [FIGURE_START_TIME] = { "start_time_seconds", FIGURE_GAUGE, UNIT_TIME, NULL, false, GENERAL, "started",
                            "When kdcd started, in seconds since 1970 UTC" },
    [FIGURE_UPTIME] = { "uptime_seconds", FIGURE_GAUGE, UNIT_SECONDS, NULL, false, GENERAL, "up for",
                        "How long kdcd has been running" },
    [FIGURE_READY] = { "ready", FIGURE_GAUGE, UNIT_YES_NO, NULL, false, GENERAL, "takes logins",
                       "1 when people can log in: the database answers and finds accounts, and there is room; else 0" },
    [FIGURE_NOT_READY] = { "not_ready", FIGURE_TEXT, UNIT_NUMBER, NULL, true, GENERAL, "because",
                           "Why people can't log in now; only there while they can't" },
    [FIGURE_CPU] = { "process_cpu_seconds_total", FIGURE_COUNTER, UNIT_SECONDS, NULL, false, GENERAL, "processor time",
                     "Processor time that kdcd has used, of all its threads" },
    [FIGURE_MEMORY] = { "process_resident_memory_bytes", FIGURE_GAUGE, UNIT_BYTES, NULL, false, GENERAL, "memory",
                        "Memory that kdcd occupies" },
    [FIGURE_SECRET_USED] = { "secret_memory_used_bytes", FIGURE_GAUGE, UNIT_BYTES, NULL, false, GENERAL,
                             "secret memory", "Memory that holds keys and passwords" },
    [FIGURE_SECRET_RESERVED] = { "secret_memory_reserved_bytes", FIGURE_GAUGE, UNIT_BYTES, NULL, false, GENERAL,
                                 "secret memory reserved", "Memory that is set apart for keys and passwords" },
    [FIGURE_SECRET_LOCKED] = { "secret_memory_locked_bytes", FIGURE_GAUGE, UNIT_BYTES, NULL, false, GENERAL,
                               "secret memory locked",
                               "Of the reserved memory, how much can't be swapped out; less than reserved: the limit "
                               "on locked memory (ulimit -l) is too low" },
    [FIGURE_OPEN_FDS] = { "process_open_fds", FIGURE_GAUGE, UNIT_NUMBER, NULL, false, GENERAL, "file descriptors",
                          "File descriptors that kdcd has open; about one for each connection" },
    [FIGURE_MAX_FDS] = { "process_max_fds", FIGURE_GAUGE, UNIT_NUMBER, NULL, false, GENERAL, "file descriptors, limit",
                         "File descriptors that kdcd may have open" },
    [FIGURE_LOG_DROPPED] = { "log_lines_dropped_total", FIGURE_COUNTER, UNIT_NUMBER, NULL, false, GENERAL,
                             "log lines dropped",
                             "Lines that are missing from the log because whoever reads it was too slow" },

    [FIGURE_SESSIONS] = { "sessions", FIGURE_GAUGE, UNIT_NUMBER, NULL, false, SESSIONS, "sessions",
                          "Users who are logged in" },
    [FIGURE_CONNECTIONS] = { "connections", FIGURE_GAUGE, UNIT_NUMBER, NULL, false, SESSIONS, "connections",
                             "Open connections of clients, also those that haven't logged in" },
    [FIGURE_BEFORE_LOGIN] = { "connections_before_login", FIGURE_GAUGE, UNIT_NUMBER, NULL, false, SESSIONS,
                              "connections before login", "Open connections that haven't logged in" },
    [FIGURE_CONNECTIONS_ENDED] = { "connections_ended_total", FIGURE_COUNTER, UNIT_NUMBER, NULL, false, SESSIONS,
                                   "connections ended", "Connections of clients that were let in and have ended" },
    [FIGURE_CONNECTIONS_REFUSED] = { "connections_refused_total", FIGURE_COUNTER, UNIT_NUMBER, "cause", false, SESSIONS,
                                     "connections refused",
                                     "Connections that were turned away as soon as they came, by the limit that was "
                                     "reached" },
    [FIGURE_HANDSHAKES] = { "handshakes_total", FIGURE_COUNTER, UNIT_NUMBER, NULL, false, SESSIONS, "handshakes",
                            "Handshakes that were done" },
    [FIGURE_LOGINS_RATE] = { "logins_per_second", FIGURE_GAUGE, UNIT_PER_SECOND, NULL, true, SESSIONS,
                             "logins a second", "Logins a second, of the last ten seconds" },
    [FIGURE_LOGINS] = { "logins_total", FIGURE_COUNTER, UNIT_NUMBER, "way", false, SESSIONS, "logins",
                        "Logins, by how they were done: with a password, by registering, with a resumption ticket" },
    [FIGURE_LOGIN_DURATION] = { "login_duration_seconds", FIGURE_HISTOGRAM, UNIT_SECONDS, NULL, false, SESSIONS,
                                "login duration",
                                "How long those who log in with a password or register wait for the answer, whatever "
                                "it is" },
    [FIGURE_REFUSALS_RATE] = { "refusals_per_second", FIGURE_GAUGE, UNIT_PER_SECOND, NULL, true, SESSIONS,
                               "refusals a second", "Refusals a second, of the last ten seconds" },
    [FIGURE_REFUSALS] = { "refusals_total", FIGURE_COUNTER, UNIT_NUMBER, "reason", false, SESSIONS, "refusals",
                          "What clients were refused or closed for, by the reason that they were told" },

    [FIGURE_CONVERSATIONS] = { "conversations", FIGURE_GAUGE, UNIT_NUMBER, NULL, false, CONVERSATIONS, "conversations",
                               "Conversations of the sessions that are there" },
    [FIGURE_MESSAGES_RATE] = { "messages_per_second", FIGURE_GAUGE, UNIT_PER_SECOND, NULL, true, CONVERSATIONS,
                               "messages a second", "Messages a second, of the last ten seconds" },
    [FIGURE_MESSAGES] = { "messages_total", FIGURE_COUNTER, UNIT_NUMBER, NULL, false, CONVERSATIONS, "messages",
                          "Messages that were passed on, also those by which clients acknowledge others" },
    [FIGURE_KEYS_RATE] = { "keys_per_second", FIGURE_GAUGE, UNIT_PER_SECOND, NULL, true, CONVERSATIONS, "keys a second",
                           "Conversation keys a second, of the last ten seconds" },
    [FIGURE_KEYS] = { "keys_issued_total", FIGURE_COUNTER, UNIT_NUMBER, NULL, false, CONVERSATIONS, "keys issued",
                      "Conversation keys that were issued" },

    [FIGURE_DATABASE_UP] = { "database_up", FIGURE_GAUGE, UNIT_YES_NO, NULL, false, DATABASE, "reachable",
                             "1 when the database answered the last question, else 0" },
    [FIGURE_DATABASE_CHANGED] = { "database_changed_time_seconds", FIGURE_GAUGE, UNIT_TIME, NULL, false, DATABASE,
                                  "since",
                                  "When database_up became what it is, in seconds since 1970 UTC; 0: it was never asked" },
    [FIGURE_DATABASE_FAILING] = { "database_failing", FIGURE_TEXT, UNIT_NUMBER, NULL, true, DATABASE, "fails at",
                                  "What the database does not do although it is reachable, and why (a full disk, a "
                                  "read-only server, a missing right); only there while it is so" },
    [FIGURE_DATABASE_FAILED] = { "database_last_failure_time_seconds", FIGURE_GAUGE, UNIT_TIME, NULL, false, DATABASE,
                                 "last failure",
                                 "When a question was last not answered, in seconds since 1970 UTC; 0: never" },
    [FIGURE_DATABASE_ERROR] = { "database_last_error", FIGURE_TEXT, UNIT_NUMBER, NULL, true, DATABASE, "last error",
                                "What was wrong then; only there once something was" },
    [FIGURE_POOL_SIZE] = { "database_pool_size", FIGURE_GAUGE, UNIT_NUMBER, NULL, false, DATABASE, "pool size",
                           "Connections to the database that kdcd keeps: one for each worker that asks it, one for the "
                           "journal" },
    [FIGURE_POOL_CONNECTIONS] = { "database_connections", FIGURE_GAUGE, UNIT_NUMBER, "state", false, DATABASE, "pool",
                                  "Of those, how many are in each state: closed (connects when it is needed), "
                                  "connecting, idle, busy (waits for an answer), backoff (could not connect, and "
                                  "pauses)" },
    [FIGURE_DATABASE_DURATION] = { "database_call_duration_seconds", FIGURE_HISTOGRAM, UNIT_SECONDS, NULL, false,
                                   DATABASE, "call duration", "How long the database took to answer, or to fail to" },
    [FIGURE_CONNECTION_STATE] = { "database_connection_state", FIGURE_TEXT, UNIT_NUMBER, "connection", true, DATABASE,
                                  "STATE", "The state of each connection to the database, by whose it is" },
    [FIGURE_CONNECTION_CALLS] = { "database_calls_total", FIGURE_COUNTER, UNIT_NUMBER, "connection", false, DATABASE,
                                  "CALLS", "Calls of procedures, by whose connection it was" },
    [FIGURE_CONNECTION_FAILURES] = { "database_call_failures_total", FIGURE_COUNTER, UNIT_NUMBER, "connection", false,
                                     DATABASE, "FAILED", "Of those, calls that got no usable answer" },
    [FIGURE_CONNECTION_CONNECTS] = { "database_connects_total", FIGURE_COUNTER, UNIT_NUMBER, "connection", false,
                                     DATABASE, "CONNECTS", "How often it has connected" },
    [FIGURE_CONNECTION_CONNECT_FAILURES] = { "database_connect_failures_total", FIGURE_COUNTER, UNIT_NUMBER,
                                             "connection", false, DATABASE, "FAILED",
                                             "How often it could not connect" },
    [FIGURE_CONNECTION_MEAN] = { "database_call_mean_seconds", FIGURE_GAUGE, UNIT_SECONDS, "connection", false,
                                 DATABASE, "MEAN CALL",
                                 "How long its calls took on average in the last half minute to a minute" },
    [FIGURE_CONNECTION_SLOWEST] = { "database_call_slowest_seconds", FIGURE_GAUGE, UNIT_SECONDS, "connection", false,
                                    DATABASE, "SLOWEST", "How long the slowest of those calls took" },

    [FIGURE_JOURNAL_ISSUES] = { "journal_issues_waiting", FIGURE_GAUGE, UNIT_NUMBER, NULL, false, JOURNAL,
                                "keys waiting", "Keys that wait until their issue is on record" },
    [FIGURE_JOURNAL_EVENTS] = { "journal_events_waiting", FIGURE_GAUGE, UNIT_NUMBER, NULL, false, JOURNAL,
                                "events waiting", "Events that wait to be put into the audit log" },
    [FIGURE_JOURNAL_BATCHES] = { "journal_batches_total", FIGURE_COUNTER, UNIT_NUMBER, NULL, false, JOURNAL, "batches",
                                 "Transactions by which keys and events were put on record" },
    [FIGURE_JOURNAL_DROPPED] = { "journal_events_dropped_total", FIGURE_COUNTER, UNIT_NUMBER, NULL, false, JOURNAL,
                                 "events dropped", "Events that are missing from the audit log" },

    [FIGURE_WORKERS] = { "workers", FIGURE_GAUGE, UNIT_NUMBER, NULL, false, WORKERS, "workers",
                         "Threads that compute and ask the database; there are two more for what mustn't wait" },
    [FIGURE_JOBS_WAITING] = { "jobs_waiting", FIGURE_GAUGE, UNIT_NUMBER, "class", false, WORKERS, "jobs waiting",
                              "Jobs that wait for a worker: handshakes, questions to the database, passwords to check" },
    [FIGURE_JOBS_LIMIT] = { "jobs_waiting_limit", FIGURE_GAUGE, UNIT_NUMBER, NULL, false, WORKERS,
                            "jobs waiting, limit", "Jobs of each class that may wait; more are refused as busy" },
    [FIGURE_JOBS_FINISHED] = { "jobs_finished_total", FIGURE_COUNTER, UNIT_NUMBER, "class", false, WORKERS,
                               "jobs finished", "Jobs that workers have done" },
    [FIGURE_JOB_WAIT] = { "job_wait_seconds", FIGURE_HISTOGRAM, UNIT_SECONDS, "class", false, WORKERS, "wait",
                          "How long jobs waited for a worker" },
    [FIGURE_JOB_MEAN] = { "job_mean_seconds", FIGURE_GAUGE, UNIT_SECONDS, "class", false, WORKERS, "mean job",
                          "How long a job takes a worker, on average of late" },
    [FIGURE_JOB_ALARMS] = { "job_alarms_total", FIGURE_COUNTER, UNIT_NUMBER, NULL, false, WORKERS, "waited too long",
                            "Jobs that waited for a worker for longer than two seconds" },
    [FIGURE_JOBS_DISPLACED] = { "jobs_displaced_total", FIGURE_COUNTER, UNIT_NUMBER, NULL, false, WORKERS, "displaced",
                                "Jobs that had to leave a full queue for those of a source that had fewer" },

    [FIGURE_REACTORS] = { "reactors", FIGURE_GAUGE, UNIT_NUMBER, NULL, false, REACTORS, "reactors",
                          "Threads that read and write connections" },
    [FIGURE_MOVED] = { "reactor_moved_total", FIGURE_COUNTER, UNIT_NUMBER, "reactor", false, REACTORS, "moved",
                       "Connections that left this reactor for another, to be with those whom they talk with" },
    [FIGURE_INBOX_ITEMS] = { "reactor_inbox_items_total", FIGURE_COUNTER, UNIT_NUMBER, "reactor", false, REACTORS,
                             "from other threads", "What other threads had for a reactor, and it has taken" },
    [FIGURE_INBOX_LONGEST] = { "reactor_inbox_longest", FIGURE_GAUGE, UNIT_NUMBER, "reactor", false, REACTORS,
                               "most at once",
                               "The most that a reactor has found waiting at once in the last half minute to a "
                               "minute" },

    [FIGURE_GUESSED] = { "guesses_total", FIGURE_COUNTER, UNIT_NUMBER, NULL, false, GUESSING, "wrong passwords",
                         "Wrong passwords that count against an account and a source" },
    [FIGURE_GUESSES_DELAYED] = { "guesses_delayed_total", FIGURE_COUNTER, UNIT_NUMBER, NULL, false, GUESSING,
                                 "had to wait", "Logins that had to wait because of wrong passwords before them" },
    [FIGURE_GUESSES_REFUSED] = { "guesses_refused_total", FIGURE_COUNTER, UNIT_NUMBER, NULL, false, GUESSING,
                                 "not looked at",
                                 "Logins that were refused unseen because of wrong passwords before them" },
    [FIGURE_GUILTY] = { "penalties", FIGURE_GAUGE, UNIT_NUMBER, "of", false, GUESSING, "with a penalty",
                        "Accounts and sources with wrong passwords that aren't forgotten yet" },
    [FIGURE_GUILTY_LOCKED] = { "penalties_locked", FIGURE_GAUGE, UNIT_NUMBER, "of", false, GUESSING, "locked now",
                               "Of those, how many are locked for a while" },
    [FIGURE_GUILTY_LOCKS] = { "penalty_locks_total", FIGURE_COUNTER, UNIT_NUMBER, "of", false, GUESSING, "locks",
                              "How often wrong passwords have led to such a lock" },

    [FIGURE_MAIL_UP] = { "mail_up", FIGURE_GAUGE, UNIT_YES_NO, NULL, false, MAIL, "server takes mails",
                         "Whether the mail server took the last mail, or refused it for its own sake" },
    [FIGURE_MAIL_ERROR] = { "mail_last_error", FIGURE_TEXT, UNIT_NUMBER, NULL, true, MAIL, "last error",
                            "Why the last mail that failed did; only there once one has" },
    [FIGURE_MAIL_WAITING] = { "mails_waiting", FIGURE_GAUGE, UNIT_NUMBER, NULL, false, MAIL, "mails waiting",
                              "Mails with codes that no server has taken yet" },
    [FIGURE_MAIL_SENT] = { "mails_sent_total", FIGURE_COUNTER, UNIT_NUMBER, NULL, false, MAIL, "mails sent",
                           "Mails that the server has taken" },
    [FIGURE_MAIL_RETRIES] = { "mail_retries_total", FIGURE_COUNTER, UNIT_NUMBER, NULL, false, MAIL, "tries that failed",
                              "Tries to send a mail that failed and were made again" },
    [FIGURE_MAIL_DROPPED] = { "mails_dropped_total", FIGURE_COUNTER, UNIT_NUMBER, "cause", false, MAIL, "mails dropped",
                              "Mails that were not sent: refused or too old, or there were too many" },
};

static struct figure_value *add(struct figures *figures, enum figure_id id, const char *word)
{
    if (figures->count == figures->room) {
        const size_t room = figures->room == 0 ? 128 : figures->room * 2;
        struct figure_value *values = reallocarray(figures->values, room, sizeof *values);
        if (values == NULL) {
            figures->failed = true;
            return NULL;
        }
        figures->values = values;
        figures->room = room;
    }
    struct figure_value *value = &figures->values[figures->count++];
    *value = (struct figure_value){ .id = id };
    (void)snprintf(value->word, sizeof value->word, "%s", word == NULL ? "" : word);
    return value;
}

void figures_put(struct figures *figures, enum figure_id id, const char *word, double number)
{
    struct figure_value *value = add(figures, id, word);
    if (value != NULL) {
        value->number = number;
    }
}

void figures_clean(char *text)
{
    while (*text != '\0') {
        utf8proc_int32_t code = 0;
        const utf8proc_ssize_t len = utf8proc_iterate((const utf8proc_uint8_t *)text, -1, &code);
        const utf8proc_category_t kind = len > 0 ? utf8proc_category(code) : UTF8PROC_CATEGORY_CC;
        const size_t taken = len > 0 ? (size_t)len : 1;
        if (*text == '\n' || *text == '\r' || *text == '\t') {
            *text = ' ';
        } else if (kind == UTF8PROC_CATEGORY_CC || kind == UTF8PROC_CATEGORY_CF || kind == UTF8PROC_CATEGORY_ZL ||
                   kind == UTF8PROC_CATEGORY_ZP) {
            memset(text, '?', taken);
        }
        text += taken;
    }
}

void figures_put_text(struct figures *figures, enum figure_id id, const char *word, const char *text)
{
    struct figure_value *value = add(figures, id, word);
    if (value != NULL) {
        value->text = strdup(text);
        figures->failed = figures->failed || value->text == NULL;
        if (value->text != NULL) {
            figures_clean(value->text);
        }
    }
}

void figures_put_histogram(struct figures *figures, enum figure_id id, const char *word,
                           const struct histogram_total *histogram)
{
    struct figure_value *value = add(figures, id, word);
    if (value != NULL) {
        value->histogram = malloc(sizeof *value->histogram);
        figures->failed = figures->failed || value->histogram == NULL;
        if (value->histogram != NULL) {
            *value->histogram = *histogram;
        }
    }
}

void figures_clear(struct figures *figures)
{
    for (size_t i = 0; i < figures->count; i++) {
        free(figures->values[i].text);
        free(figures->values[i].histogram);
    }
    free(figures->values);
    *figures = (struct figures){ 0 };
}
