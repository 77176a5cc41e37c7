/* kdc-admin db check: whether the database is as kdcd needs it. */
#include "kdc/admin/db.h"
#include "kdc/admin/output.h"

#include <stdio.h>

struct findings {
    struct table table;
    json_t *list; /* lent; NULL: the table */
    size_t wrong;
};

static void finding_add(void *context, const char *what, enum schema_verdict verdict, const char *detail)
{
    static const char *const words[] = { [SCHEMA_WELL] = "ok", [SCHEMA_NOTED] = "note", [SCHEMA_WRONG] = "wrong" };
    struct findings *findings = context;
    findings->wrong += verdict == SCHEMA_WRONG ? 1 : 0;
    if (findings->list != NULL) {
        (void)json_array_append_new(
            findings->list, json_pack("{s:s, s:s, s:s}", "check", what, "result", words[verdict], "detail", detail));
        return;
    }
    table_add(&findings->table, what);
    table_add(&findings->table, words[verdict]);
    table_add(&findings->table, detail);
}

/* As kdcd does it. */
static void account_check(struct findings *findings, struct store *as_kdcd)
{
    if (store_connect(as_kdcd) == STORE_OK)
        finding_add(findings, "account", SCHEMA_WELL, "kdcd's account can use the database");
    else
        finding_add(findings, "account", SCHEMA_WRONG, store_error(as_kdcd));
}

enum exit_code db_check_run(struct admin *admin, json_t *list)
{
    struct findings findings = { .table = { .columns = 3, .titles = { "CHECK", "RESULT", "DETAIL" } }, .list = list };
    struct store *store = store_new(&admin->config, STORE_ACCOUNT_ADMIN);
    struct store *as_kdcd = store_new(&admin->config, STORE_ACCOUNT_KDC);
    enum exit_code code = EXIT_DONE;
    if (store == NULL || as_kdcd == NULL) {
        code = complain(EXIT_OTHER, "memory is out");
        goto out;
    }
    const enum store_result result = schema_check(store, finding_add, &findings);
    if (result != STORE_OK) {
        code = complain_store(store, result, "the database can't be checked");
        goto out;
    }
    account_check(&findings, as_kdcd);
    if (list == NULL)
        table_print(&findings.table);
    if (findings.wrong > 0)
        code = complain(EXIT_FOUND, "%zu thing%s wrong with the database", findings.wrong,
                        findings.wrong == 1 ? " is" : "s are");
out:
    store_free(&store);
    store_free(&as_kdcd);
    return code;
}

enum exit_code db_check(struct admin *admin)
{
    json_t *list = admin->json ? json_array() : NULL;
    const enum exit_code code = db_check_run(admin, list);
    if (list != NULL)
        json_print(list);
    return code;
}
