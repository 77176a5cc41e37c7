/*
 * store_internal.h: what the files of the store share. Nobody else includes this.
 */
#ifndef KDC_STORE_INTERNAL_H
#define KDC_STORE_INTERNAL_H

#include "kdc/store.h"

#include <mysql.h>

#define STORE_ERROR_MAX 512

/* What is called, in the order of the table in store_call.c. */
enum statement {
    STATEMENT_SCHEMA_VERSION,
    STATEMENT_USER_FIND,
    STATEMENT_USER_ADD,
    STATEMENT_USER_REHASH,
    STATEMENT_JOURNAL,
    STATEMENT_ACCOUNT_CHANGES,
    STATEMENT_USER_LIST, /* this and what follows: for STORE_ACCOUNT_ADMIN only */
    STATEMENT_USER_SET_HASH,
    STATEMENT_USER_SET_STATE,
    STATEMENT_USER_DELETE,
    STATEMENT_USER_EXPORT,
    STATEMENT_USER_IMPORT,
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
    char *text;                              /* a batch, as it goes to the database; kept for the next */
    size_t text_room;
    char error[STORE_ERROR_MAX];
};

/* ---- store.c ---- */
uint64_t store_clock(void); /* monotonic milliseconds */
/* Takes note of a server's or the connector's error, closes the connection when it is of no more use, and tells which
 * result that is. `what` was being done. */
enum store_result store_fail(struct store *store, unsigned number, const char *text, const char *what);
/* Connected as store_connect does it, but without a look at the schema. */
enum store_result store_connect_server(struct store *store) __attribute__((warn_unused_result));
void store_disconnect(struct store *store);
/* The number of the newest migration that this program brings along. */
unsigned store_schema_needed(void);

/* ---- store_call.c ---- */
struct store_in {     /* a parameter */
    const char *text; /* NULL: number */
    uint64_t number;
};

struct store_out { /* a column of the result */
    char *text;    /* where to; NULL: number */
    size_t size;   /* of text, with its NUL */
    uint64_t *number;
};

/* Calls it. For each row of the first result set the columns are put where `out` says, then `row` (may be NULL) is
 * called.
 * *rows (may be NULL) counts them. Other result sets are read and dropped. */
enum store_result store_call(struct store *store, enum statement statement, const struct store_in *in, size_t in_count,
                             const struct store_out *out, size_t out_count, void (*row)(void *context), void *context,
                             size_t *rows) __attribute__((warn_unused_result));
#endif
