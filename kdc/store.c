#include "kdc/store_internal.h"

#include "crypto/rng.h"
#include "crypto/secret.h"
#include "kdc/clock.h"
#include "kdc/secret_file.h"
#include "kdc/sql_files.h"

#include <errmsg.h>
#include <mysqld_error.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BACKOFF_MIN 100  /* milliseconds */
#define BACKOFF_MAX 5000 /* milliseconds */

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void library_init(void)
{
    (void)mysql_server_init(0, NULL, NULL);
}

struct store *store_new(const struct config *config, enum store_account account)
{
    (void)pthread_once(&library_once, library_init);
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL)
        return NULL;
    store->config = *config;
    store->account = account;
    store->last_call = -1;
    return store;
}

void store_disconnect(struct store *store)
{
    for (size_t i = 0; i < STATEMENT_COUNT; i++) {
        if (store->statements[i] != NULL)
            (void)mysql_stmt_close(store->statements[i]);
        store->statements[i] = NULL;
    }
    if (store->db != NULL) {
        mysql_close(store->db);
        store_stats_now(store->stats, STORE_ACTIVITY_CLOSED);
    }
    store->db = NULL;
    store->schema_checked = false;
}

void store_free(struct store **store)
{
    if (*store == NULL)
        return;
    store_disconnect(*store);
    free((*store)->text);
    free(*store);
    *store = NULL;
    mysql_thread_end();
}

void store_set_stats(struct store *store, struct store_stats *stats)
{
    store->stats = stats;
}

const char *store_error(const struct store *store)
{
    return store->error;
}

int store_last_call(const struct store *store)
{
    return store->last_call;
}

int store_login_call(void)
{
    return STATEMENT_USER_FIND;
}

/* ---- errors ---- */

enum severity {
    LOST,       /* can't be asked now, and this connection is of no more use */
    BUSY,       /* this can't be asked now; the connection is well */
    UNWRITABLE, /* it takes no changes now; another server may take over as the writable one behind the same address */
    BROKEN,
    UNFIT, /* what was to be written can't be */
};

#define MAKE_ROOM "make room on the database server's disk"
#define READ_ONLY "'SET GLOBAL read_only = 0' on the database server, or lead kdcd to the one that is writable"

static const struct {
    unsigned number;
    enum severity severity;
    const char *advice; /* NULL: none */
} errors[] = {
    { CR_CONNECTION_ERROR, LOST, NULL },
    { CR_CONN_HOST_ERROR, LOST, NULL },
    { CR_UNKNOWN_HOST, LOST, NULL },
    { CR_SERVER_GONE_ERROR, LOST, NULL },
    { CR_SERVER_HANDSHAKE_ERR, LOST, NULL },
    { CR_SERVER_LOST, LOST, NULL },
    { CR_SERVER_LOST_EXTENDED, LOST, NULL },
    { CR_SSL_CONNECTION_ERROR, LOST, "check database.tls_ca and the server's certificate" },
    { CR_OUT_OF_MEMORY, LOST, NULL },
    { CR_COMMANDS_OUT_OF_SYNC, LOST, NULL },
    { CR_MALFORMED_PACKET, LOST, NULL },
    { CR_STMT_CLOSED, LOST, NULL },
    { ER_CON_COUNT_ERROR, LOST, NULL },
    { ER_TOO_MANY_USER_CONNECTIONS, LOST, NULL },
    { ER_USER_LIMIT_REACHED, LOST, NULL },
    { ER_OUT_OF_RESOURCES, LOST, NULL },
    { ER_OUTOFMEMORY, LOST, NULL },
    { ER_HOST_IS_BLOCKED, LOST, NULL },
    { ER_SERVER_SHUTDOWN, LOST, NULL },
    { ER_NORMAL_SHUTDOWN, LOST, NULL },
    { ER_SHUTDOWN_COMPLETE, LOST, NULL },
    { ER_CONNECTION_KILLED, LOST, NULL },
    { ER_NET_READ_ERROR, LOST, NULL },
    { ER_NET_READ_INTERRUPTED, LOST, NULL },
    { ER_NET_ERROR_ON_WRITE, LOST, NULL },
    { ER_NET_WRITE_INTERRUPTED, LOST, NULL },
    { ER_NEW_ABORTING_CONNECTION, LOST, NULL },
    { ER_UNKNOWN_COM_ERROR, LOST, NULL }, /* a Galera node that isn't ready */
    { 4031, LOST, NULL },                 /* MySQL 8: closed for being idle */
    { ER_OPTION_PREVENTS_STATEMENT, UNWRITABLE, READ_ONLY },
    { ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION, UNWRITABLE, READ_ONLY },
    { ER_READ_ONLY_MODE, UNWRITABLE, READ_ONLY },
    { ER_LOCK_WAIT_TIMEOUT, BUSY, "somebody else's transaction holds a lock: see SHOW PROCESSLIST" },
    { ER_AUTOINC_READ_FAILED, BUSY, "somebody else fills the table: see SHOW PROCESSLIST" }, /* INSERT ... SELECT */
    { ER_LOCK_DEADLOCK, BUSY, NULL },
    { ER_QUERY_INTERRUPTED, BUSY, NULL },
    { ER_STATEMENT_TIMEOUT, BUSY, NULL },
    { ER_DISK_FULL, BUSY, MAKE_ROOM },
    { ER_RECORD_FILE_FULL, BUSY, MAKE_ROOM },
    { ER_ERROR_ON_WRITE, BUSY, MAKE_ROOM },
    { ER_TEMP_FILE_WRITE_FAILURE, BUSY, MAKE_ROOM },
    { ER_GET_ERRNO, BUSY, "see the database server's own log" },
    { ER_ERROR_DURING_COMMIT, BUSY, "see the database server's own log" },
    { ER_BINLOG_LOGGING_IMPOSSIBLE, BROKEN, "see the database server's own log" },
    { ER_DUP_ENTRY, UNFIT, NULL },
    { ER_DATA_TOO_LONG, UNFIT, NULL },
    { ER_TRUNCATED_WRONG_VALUE_FOR_FIELD, UNFIT, NULL },
    { ER_WARN_DATA_OUT_OF_RANGE, UNFIT, NULL },
    { ER_BINLOG_STMT_MODE_AND_ROW_ENGINE, BROKEN, "set the server's binlog_format to MIXED or ROW" },
    { ER_BAD_DB_ERROR, BROKEN, "make it with: kdc-admin db init" },
    { ER_NO_SUCH_TABLE, BROKEN, "bring it up to date with: kdc-admin db migrate" },
    { ER_SP_DOES_NOT_EXIST, BROKEN, "make it with: kdc-admin db init" },
    { ER_PROCACCESS_DENIED_ERROR, BROKEN, "give the account its rights with: kdc-admin db init" },
    { ER_DBACCESS_DENIED_ERROR, BROKEN, "make the database and its account with: kdc-admin db init" },
    { ER_ACCESS_DENIED_ERROR, BROKEN, "check the account's name and password file; 'kdc-admin db init' makes kdcd's" },
};

enum store_result store_fail(struct store *store, unsigned number, const char *text, const char *what)
{
    enum severity severity = BROKEN;
    const char *advice = NULL;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        if (errors[i].number == number) {
            severity = errors[i].severity;
            advice = errors[i].advice;
        }
    }
    (void)snprintf(store->error, sizeof store->error, "%s: %s (%u)%s%s", what, text, number, advice == NULL ? "" : ": ",
                   advice == NULL ? "" : advice);
    store->unfit = severity == UNFIT;
    if (severity == LOST || severity == UNWRITABLE)
        store_disconnect(store);
    if (severity == LOST)
        store->last_call = -1;
    return severity == BROKEN || severity == UNFIT ? STORE_BROKEN : STORE_UNAVAILABLE;
}

enum store_result store_fail_late(struct store *store, unsigned number, const char *text, const char *what,
                                  uint64_t began, unsigned seconds)
{
    const bool gone =
        number == CR_SERVER_LOST || number == CR_SERVER_LOST_EXTENDED || number == CR_SSL_CONNECTION_ERROR;
    if (!gone || clock_monotonic_ms() - began < seconds * UINT64_C(1000))
        return store_fail(store, number, text, what);
    char late[128];
    (void)snprintf(late, sizeof late, "no answer within %u s: the database server hangs, or its disk is full", seconds);
    return store_fail(store, CR_SERVER_LOST, late, what);
}

/* ---- connecting ---- */

static const char *account_user(const struct store *store)
{
    return store->account == STORE_ACCOUNT_KDC ? store->config.db_user : store->config.admin_user;
}

static int options_set(MYSQL *db, const struct config *config)
{
    const unsigned off = 0;
    const my_bool on = 1;
    const unsigned protocol = config->db_host[0] == '\0' ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
    int failed = mysql_optionsv(db, MYSQL_OPT_LOCAL_INFILE, &off) | mysql_optionsv(db, MYSQL_OPT_PROTOCOL, &protocol) |
                 mysql_optionsv(db, MYSQL_OPT_CONNECT_TIMEOUT, &config->db_connect_timeout) |
                 mysql_optionsv(db, MYSQL_OPT_READ_TIMEOUT, &config->db_read_timeout) |
                 mysql_optionsv(db, MYSQL_OPT_WRITE_TIMEOUT, &config->db_read_timeout) |
                 mysql_optionsv(db, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (config->db_host[0] != '\0') {
        failed |=
            mysql_optionsv(db, MYSQL_OPT_SSL_ENFORCE, &on) | mysql_optionsv(db, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &on);
        if (config->db_tls_ca[0] != '\0')
            failed |= mysql_optionsv(db, MYSQL_OPT_SSL_CA, config->db_tls_ca);
    }
    return failed;
}

unsigned store_lock_patience(const struct store *store)
{
    return (store->config.db_read_timeout + 1) / 2;
}

/* What we rely on. A lock is waited for less long than the answer: the server doesn't notice when we give up, so a statement
 * that still waited would keep its connection there, and be carried out later although we have said that it wasn't. */
static int session_set(const struct store *store)
{
    const unsigned wait = store_lock_patience(store);
    char sql[400];
    int len = snprintf(sql, sizeof sql,
                       "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO',"
                       " autocommit = 1, time_zone = '+00:00',"
                       " group_concat_max_len = GREATEST(@@group_concat_max_len, 1048576)," /* JSON_ARRAYAGG's, too */
                       " innodb_lock_wait_timeout = LEAST(@@innodb_lock_wait_timeout, %u),"
                       " lock_wait_timeout = LEAST(@@lock_wait_timeout, %u)",
                       wait, wait);
    return mysql_real_query(store->db, sql, (unsigned long)len);
}

/* One attempt. */
static enum store_result connect_once(struct store *store)
{
    const struct config *config = &store->config;
    const char *password_file =
        store->account == STORE_ACCOUNT_KDC ? config->db_password_file : config->admin_password_file;
    bool tcp = config->db_host[0] != '\0';
    char *password = NULL; /* secret */
    size_t password_len = 0;
    char what[CONFIG_TEXT_MAX * 3];
    enum store_result result = STORE_BROKEN;
    const uint64_t began = clock_monotonic_ms();

    (void)snprintf(what, sizeof what, "connecting to the database at %s as %s",
                   tcp ? config->db_host : config->db_socket, account_user(store));
    if (password_file[0] != '\0' && secret_file_read(password_file, true, &password, &password_len, store->error) != 0)
        return STORE_BROKEN;
    store->db = mysql_init(NULL);
    if (store->db == NULL || options_set(store->db, config) != 0) {
        (void)snprintf(store->error, sizeof store->error, "%.300s: memory is out", what);
        result = STORE_UNAVAILABLE;
        goto out;
    }
    if (mysql_real_connect(store->db, tcp ? config->db_host : NULL, account_user(store), password,
                           store->without_database ? NULL : config->db_name, tcp ? config->db_port : 0,
                           tcp ? NULL : config->db_socket, CLIENT_MULTI_RESULTS) == NULL ||
        session_set(store) != 0) {
        result = store_fail_late(store, mysql_errno(store->db), mysql_error(store->db), what, began,
                                 config->db_connect_timeout);
        goto out;
    }
    result = STORE_OK;
out:
    /* The connector keeps a copy for reconnects of its own, which we don't use. */
    if (store->db != NULL && store->db->passwd != NULL)
        secret_wipe(store->db->passwd, strlen(store->db->passwd));
    secret_free(&password);
    if (result != STORE_OK)
        store_disconnect(store);
    return result;
}

/* Whether an idle connection has something to read: then the server has closed it (and perhaps said so before). */
static bool idle_lost(MYSQL *db)
{
    struct pollfd fd = { .fd = mysql_get_socket(db), .events = POLLIN | POLLRDHUP };
    return poll(&fd, 1, 0) > 0;
}

/* The next connect not before the backoff is over, which doubles each time; up to a quarter less of it by chance, so that
 * several KDCs which have lost the same database don't all come back at once. */
static void backoff_start(struct store *store)
{
    unsigned next = store->backoff == 0 ? BACKOFF_MIN : store->backoff * 2;
    uint32_t chance = 0;
    (void)!rng_fill(&rng_system, (uint8_t *)&chance, sizeof chance); /* without: the whole of it */
    store->backoff = next > BACKOFF_MAX ? BACKOFF_MAX : next;
    store->next_connect = clock_monotonic_ms() + store->backoff - chance % (store->backoff / 4 + 1);
}

void store_forget_backoff(struct store *store)
{
    store->next_connect = 0;
}

enum store_result store_connect_server(struct store *store)
{
    if (store->db != NULL && idle_lost(store->db))
        store_disconnect(store);
    if (store->db != NULL)
        return STORE_OK;
    if (store->backoff > 0 && clock_monotonic_ms() < store->next_connect)
        return STORE_UNAVAILABLE; /* store->error still says why */
    store_stats_now(store->stats, STORE_ACTIVITY_CONNECTING);
    enum store_result result = connect_once(store);
    store_stats_connected(store->stats, result == STORE_OK);
    if (result != STORE_OK)
        backoff_start(store);
    return result;
}

/* The number of the newest migration that this program brings along. */
unsigned store_schema_needed(void)
{
    unsigned needed = 0;
    for (const struct sql_file *file = sql_files; file->name != NULL; file++) {
        static const char folder[] = "migrations/";
        if (strncmp(file->name, folder, sizeof folder - 1) != 0)
            continue;
        unsigned long number = strtoul(file->name + sizeof folder - 1, NULL, 10);
        if (number > needed)
            needed = (unsigned)number;
    }
    return needed;
}

enum store_result store_connect(struct store *store)
{
    store->last_call = -1;
    enum store_result result = store_connect_server(store);
    if (result != STORE_OK || store->schema_checked)
        return result;
    uint64_t number = 0;
    size_t rows = 0;
    const struct store_out out[] = { { .number = &number } };
    store->schema_checked = true; /* store_call comes back here */
    result = store_call(store, STATEMENT_SCHEMA_VERSION, NULL, 0, out, 1, NULL, NULL, &rows);
    if (result == STORE_OK && (rows != 1 || number < store_schema_needed())) {
        (void)snprintf(
            store->error, sizeof store->error,
            "the database's schema has number %u, this program needs %u: bring it up to date with: kdc-admin "
            "db migrate",
            (unsigned)number, store_schema_needed());
        result = STORE_BROKEN;
    }
    if (result == STORE_OK) {
        store->backoff = 0;
    } else {
        store_disconnect(store);
        backoff_start(store);
        store_stats_now(store->stats, STORE_ACTIVITY_BACKOFF);
    }
    store->last_call = -1;
    return result;
}
