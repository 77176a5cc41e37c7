/* kdc-admin identity ...: the KDC's identity file. */
#include "kdc/admin/command.h"
#include "kdc/admin/output.h"
#include "kdc/audit_events.h"
#include "kdc/identity_file.h"

#include <stdio.h>

static enum exit_code identity_print(struct admin *admin, const struct identity *identity)
{
    char fingerprint[IDENTITY_FINGERPRINT_LEN];
    char public_key[2 * IDENTITY_PUBLIC_LEN + 1];
    identity_fingerprint(identity->public_key, fingerprint);
    for (size_t i = 0; i < IDENTITY_PUBLIC_LEN; i++)
        (void)snprintf(public_key + 2 * i, 3, "%02x", identity->public_key[i]);
    if (admin->json) {
        json_print(json_pack("{s:s, s:s, s:s}", "fingerprint", fingerprint, "public_key", public_key, "file",
                             admin->config.identity_file));
    } else if ((admin->options & OPTION_FINGERPRINT) != 0) {
        (void)puts(fingerprint);
    } else {
        struct table table = { .columns = 2 };
        table_add(&table, "fingerprint");
        table_add(&table, fingerprint);
        table_add(&table, "public key");
        table_add(&table, public_key);
        table_add(&table, "file");
        table_add(&table, admin->config.identity_file);
        table_print(&table);
    }
    return EXIT_DONE;
}

enum exit_code identity_show(struct admin *admin)
{
    char error[IDENTITY_FILE_ERROR_MAX];
    struct identity *identity = NULL;
    enum exit_code code = EXIT_OTHER;
    switch (identity_file_load(admin->config.identity_file, &identity, error)) {
    case IDENTITY_FILE_OK:
    case IDENTITY_FILE_MADE:
        code = identity_print(admin, identity);
        break;
    case IDENTITY_FILE_MISSING:
        code =
            complain(EXIT_NOT_FOUND, "%s: it is made by kdcd's first start, or now by: kdc-admin identity init", error);
        break;
    case IDENTITY_FILE_FAILED:
        code = complain(EXIT_OTHER, "%s", error);
        break;
    }
    identity_free(&identity);
    return code;
}

enum exit_code identity_init(struct admin *admin)
{
    char error[IDENTITY_FILE_ERROR_MAX];
    struct identity *identity = NULL;
    enum identity_file_result result =
        identity_file_load_or_make(admin->config.identity_file, &rng_system, &identity, error);
    if (result < 0)
        return complain(EXIT_OTHER, "%s", error);
    if (result == IDENTITY_FILE_MADE) {
        char fingerprint[IDENTITY_FINGERPRINT_LEN];
        identity_fingerprint(identity->public_key, fingerprint);
        admin_record_done(admin, AUDIT_IDENTITY_MADE, "", fingerprint);
    }
    enum exit_code code = identity_print(admin, identity);
    identity_free(&identity);
    return code;
}
