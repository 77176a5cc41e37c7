/* Whether kdcd's account may do what sql/grants.sql says, and nothing else. */
#include "kdc/schema_sql.h"

#include <stdio.h>
#include <string.h>

#define PROCEDURES_MAX 128

struct rights {
    struct schema_check *check;
    char names[PROCEDURES_MAX][65]; /* that grants.sql names */
    bool granted[PROCEDURES_MAX];
    size_t count;
};

static void wanted_take(struct rights *rights)
{
    static const char begin[] = "GRANT EXECUTE ON PROCEDURE ";
    const char *at = schema_file("grants.sql")->text;
    while ((at = strstr(at, begin)) != NULL && rights->count < PROCEDURES_MAX) {
        at += sizeof begin - 1;
        rights->count += sscanf(at, "%64s", rights->names[rights->count]) == 1 ? 1 : 0;
    }
}

/* "GRANT EXECUTE ON PROCEDURE `kdc_chat`.`kdc_journal` TO ..."; only what stands before " TO " may be told: behind it is what
 * the server keeps of the password. */
static void grant_take(void *context, const char *const *values)
{
    struct rights *rights = context;
    const char *grant = values[0];
    const char *end = strstr(grant, " TO ");
    const size_t len = end == NULL ? 0 : (size_t)(end - grant);
    const bool passes_on = strstr(grant, " WITH GRANT OPTION") != NULL;
    char expected[4 * CONFIG_TEXT_MAX];
    if (!passes_on && strncmp(grant, "GRANT USAGE ON *.* TO ", sizeof "GRANT USAGE ON *.* TO " - 1) == 0)
        return;
    for (size_t i = 0; i < rights->count && !passes_on; i++) {
        (void)snprintf(expected, sizeof expected, "GRANT EXECUTE ON PROCEDURE %s.`%s`",
                       schema_identifier(rights->check->store->config.db_name).text, rights->names[i]);
        if (strlen(expected) == len && strncmp(grant, expected, len) == 0) {
            rights->granted[i] = true;
            return;
        }
    }
    schema_check_tell(rights->check, "rights", SCHEMA_WRONG, "kdcd's account has more than it should: %.*s%s", (int)len,
                      grant, passes_on ? " WITH GRANT OPTION" : "");
}

enum store_result schema_check_rights(struct schema_check *check)
{
    struct store *store = check->store;
    struct rights rights = { .check = check };
    const struct schema_account account = schema_account(store);
    const size_t told = check->told;
    char sql[SCHEMA_SQL_MAX];
    bool exists = false;
    enum store_result result = schema_account_exists(store, &exists);
    if (result != STORE_OK)
        return result;
    if (!exists) {
        schema_check_tell(check, "rights", SCHEMA_WRONG, "there is no account %s: make it with: kdc-admin db init",
                          account.text);
        return STORE_OK;
    }
    wanted_take(&rights);
    const int len = snprintf(sql, sizeof sql, "SHOW GRANTS FOR %s", account.text);
    result = schema_rows(store, sql, (size_t)len, grant_take, &rights);
    for (size_t i = 0; i < rights.count && result == STORE_OK; i++) {
        if (!rights.granted[i])
            schema_check_tell(check, "rights", SCHEMA_WRONG,
                              "kdcd's account may not call %s: kdc-admin db init gives it", rights.names[i]);
    }
    if (result == STORE_OK && check->told == told)
        schema_check_tell(check, "rights", SCHEMA_WELL, "%s may call the kdc_ procedures, and nothing else",
                          account.text);
    return result;
}
