/*
 * store_internal.h: what the files of the store share. Nobody else includes this.
 */
#ifndef KDC_STORE_INTERNAL_H
#define KDC_STORE_INTERNAL_H

#include "kdc/store.h"
#include "kdc/store_stats.h"

#include <mysql.h>

#define STORE_ERROR_MAX 512

/* A text that is put together in a room that was reckoned beforehand. Past its end nothing is written. */
struct store_text {
    char *at; /* where it goes on; ended by a NUL */
    size_t left;
    bool cut;
};
void store_text_add(struct store_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What is called, in the order of the table in store_call.c. */
enum statement {
    STATEMENT_SCHEMA_VERSION,
    STATEMENT_USER_FIND,
    STATEMENT_USER_REHASH,
    STATEMENT_USER_PASSWORD,
    STATEMENT_USER_HISTORY,
    STATEMENT_SOURCE_KNOWN,
    STATEMENT_REGISTER,
    STATEMENT_CODE_NEW,
    STATEMENT_CODE_USE,
    STATEMENT_UNACTIVATED_REMOVE,
    STATEMENT_JOURNAL,
    STATEMENT_ACCOUNT_CHANGES,
    STATEMENT_AUDIT_EXPIRE,
    STATEMENT_USER_LIST, /* this and what follows: for STORE_ACCOUNT_ADMIN only */
    STATEMENT_USER_SET_HASH,
    STATEMENT_USER_SET_STATE,
    STATEMENT_USER_FREE,
    STATEMENT_USER_SET_MUST_CHANGE,
    STATEMENT_USER_SET_EXPIRY,
    STATEMENT_USER_RENAME,
    STATEMENT_USER_MAKE,
    STATEMENT_USER_FIGURES,
    STATEMENT_USER_DELETE,
    STATEMENT_USER_EXPORT,
    STATEMENT_USER_IMPORT,
    STATEMENT_USER_CONTACTS,
    STATEMENT_USER_SET_CONTACT,
    STATEMENT_INVITATION_NEW,
    STATEMENT_INVITATION_LIST,
    STATEMENT_INVITATION_REVOKE,
    STATEMENT_AUDIT_LIST,
    STATEMENT_COUNT,
};

struct store {
    struct config config;
    enum store_account account;
    bool without_database; /* connects to the server, to no database (schema.c: there may be none yet) */
    bool schema_checked;   /* by this connection */
    MYSQL *db;             /* NULL: not connected */
    MYSQL_STMT *statements[STATEMENT_COUNT]; /* prepared on this connection when first called */
    uint64_t next_connect;                   /* monotonic milliseconds; not before */
    unsigned backoff;                        /* milliseconds; 0: the last connection was well */
    struct store_stats *stats;               /* lent; NULL: nobody wants to know */
    int last_call;                           /* as store_last_call gives it */
    bool unfit;                              /* the last failure was for what was to be written */
    uint64_t called_us;                      /* monotonic: when the call that runs began */
    char *text;                              /* a batch, as it goes to the database; kept for the next */
    size_t text_room;
    char error[STORE_ERROR_MAX];
};

/* ---- store.c ---- */
/* Takes note of a server's or the connector's error, closes the connection when it is of no more use, and tells which
 * result that is. `what` was being done. */
enum store_result store_fail(struct store *store, unsigned number, const char *text, const char *what);
/* The same, but for an error of a question that began at `began` (clock_monotonic_ms) and may take so many seconds: that
 * nothing came in all that time the connector calls a lost connection, or an error of TLS. */
enum store_result store_fail_late(struct store *store, unsigned number, const char *text, const char *what,
                                  uint64_t began, unsigned seconds);
/* Connected as store_connect does it, but without a look at the schema. */
enum store_result store_connect_server(struct store *store) __attribute__((warn_unused_result));
void store_disconnect(struct store *store);
/* The number of the newest migration that this program brings along. */
unsigned store_schema_needed(void);
/* For so many seconds a lock is waited for. */
unsigned store_lock_patience(const struct store *store);

/* ---- store_accounts.c ---- */
/* What LIKE takes for a pattern of * and ?, with | to escape; NULL: ''. */
void store_pattern_take(const char *pattern, char like[2 * STORE_PATTERN_MAX + 1]);

/* ---- store_accounts.c ---- */
/* What "name", "email" or "phone" calls: 0, or -1. */
int store_taken_from_word(const char *word, enum store_taken *taken) __attribute__((warn_unused_result));

/* ---- store_call.c ---- */
struct store_in {     /* a parameter */
    const char *text; /* NULL: number */
    uint64_t number;
};

struct store_out { /* a column of the result */
    char *text;    /* where to; NULL: number */
    size_t size;   /* of text, with its NUL */
    uint64_t *number;
    bool optional; /* may be missing, and all behind it: then it is 0 or empty */
};

/* Calls it. For each row of the first result set the columns are put where `out` says, then `row` (may be NULL) is
 * called.
 * *rows (may be NULL) counts them. Other result sets are read and dropped. */
enum store_result store_call(struct store *store, enum statement statement, const struct store_in *in, size_t in_count,
                             const struct store_out *out, size_t out_count, void (*row)(void *context), void *context,
                             size_t *rows) __attribute__((warn_unused_result));
#endif
