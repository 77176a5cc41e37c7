/* kdcd's account in the database. Its password never stands in a statement: only what the server keeps of it. */
#include "crypto/rng.h"
#include "crypto/secret.h"
#include "kdc/schema_sql.h"
#include "kdc/secret_file.h"

#include <errno.h>
#include <nettle/sha1.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RANDOM_LEN 32
#define VERIFIER_LEN (1 + 2 * SHA1_DIGEST_SIZE) /* "*" and hexadecimal digits */

/* By a UNIX socket clients are always 'localhost'; by TCP kdcd may run on any machine that can prove its password. */
static const char *account_host(const struct store *store)
{
    return store->config.db_host[0] == '\0' ? "localhost" : "%";
}

struct schema_account schema_account(struct store *store)
{
    struct schema_account account;
    (void)snprintf(account.text, sizeof account.text, "%s@'%s'", schema_string(store, store->config.db_user).text,
                   account_host(store));
    return account;
}

enum store_result schema_account_exists(struct store *store, bool *exists)
{
    uint64_t count = 0;
    enum store_result result =
        schema_number(store, &count, "SELECT COUNT(*) FROM mysql.user WHERE user = %s AND host = '%s'",
                      schema_string(store, store->config.db_user).text, account_host(store));
    *exists = count > 0;
    return result;
}

/* What the server keeps of a password (mysql_native_password): SHA-1 twice. The passwords that we make have 256 random
 * bits, which no hash function is too quick for. */
static void verifier_make(const char *password, size_t len, char verifier[VERIFIER_LEN + 1])
{
    struct sha1_ctx sha1;
    uint8_t digest[SHA1_DIGEST_SIZE];
    sha1_init(&sha1);
    sha1_update(&sha1, len, (const uint8_t *)password);
    sha1_digest(&sha1, sizeof digest, digest);
    sha1_update(&sha1, sizeof digest, digest);
    sha1_digest(&sha1, sizeof digest, digest);
    verifier[0] = '*';
    for (size_t i = 0; i < sizeof digest; i++)
        (void)snprintf(verifier + 1 + 2 * i, 3, "%02X", digest[i]);
    secret_wipe(&sha1, sizeof sha1);
    secret_wipe(digest, sizeof digest);
}

/* Makes the password file with a random password if there is none. */
static enum store_result password_file_make(struct store *store, schema_change *change, void *context)
{
    const char *path = store->config.db_password_file;
    enum store_result result = STORE_BROKEN;
    if (access(path, F_OK) == 0)
        return STORE_OK;
    uint8_t random[RANDOM_LEN]; /* secret */
    char *text = secret_alloc(2 * RANDOM_LEN + 1);
    if (text == NULL || rng_fill(&rng_system, random, sizeof random) != 0) {
        (void)snprintf(store->error, sizeof store->error, "%s: can't be made: memory or randomness is out", path);
        goto out;
    }
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof random; i++) {
        text[2 * i] = digits[random[i] >> 4];
        text[2 * i + 1] = digits[random[i] & 15];
    }
    int made = secret_file_make(path, text, store->error);
    if (made < 0)
        goto out;
    if (made == 0)
        change(context, "password file", path);
    result = STORE_OK;
out:
    secret_wipe(random, sizeof random);
    secret_free(&text);
    return result;
}

/* How the account proves itself: " IDENTIFIED ...". */
static enum store_result identified_by(struct store *store, char clause[160])
{
    bool mariadb = mariadb_connection(store->db);
    const char *path = store->config.db_password_file;
    char *password = NULL; /* secret */
    size_t len = 0;
    char verifier[VERIFIER_LEN + 1];
    if (path[0] == '\0' && store->config.db_host[0] != '\0') {
        (void)snprintf(store->error, sizeof store->error,
                       "database.password_file isn't set: by TCP kdcd's account needs a password");
        return STORE_BROKEN;
    }
    if (path[0] == '\0') {
        (void)snprintf(clause, 160, mariadb ? "IDENTIFIED VIA unix_socket" : "IDENTIFIED WITH auth_socket");
        return STORE_OK;
    }
    if (secret_file_read(path, true, &password, &len, store->error) != 0)
        return STORE_BROKEN;
    if (len == 0 || memchr(password, '\0', len) != NULL) {
        (void)snprintf(store->error, sizeof store->error,
                       "%s: the first line must be kdcd's database password; remove the file, and a new one is made",
                       path);
        secret_free(&password);
        return STORE_BROKEN;
    }
    verifier_make(password, len, verifier);
    secret_free(&password);
    (void)snprintf(clause, 160,
                   mariadb ? "IDENTIFIED VIA mysql_native_password USING '%s'"
                           : "IDENTIFIED WITH mysql_native_password AS '%s'",
                   verifier);
    return STORE_OK;
}

enum store_result schema_account_make(struct store *store, schema_change *change, void *context)
{
    char clause[160];
    bool exists = false;
    struct schema_account account = schema_account(store);
    const char *tls = store->config.db_host[0] == '\0' ? "" : " REQUIRE SSL";
    enum store_result result = STORE_OK;
    if (store->config.db_password_file[0] != '\0')
        result = password_file_make(store, change, context);
    if (result == STORE_OK)
        result = identified_by(store, clause);
    if (result == STORE_OK)
        result = schema_account_exists(store, &exists);
    if (result == STORE_OK && !exists)
        result = schema_run(store, "CREATE USER IF NOT EXISTS %s %s%s", account.text, clause, tls);
    if (result == STORE_OK && !exists)
        change(context, "account", account.text);
    /* One that was there may have another password than the file. */
    if (result == STORE_OK && exists)
        result = schema_run(store, "ALTER USER %s %s%s", account.text, clause, tls);
    return result;
}
