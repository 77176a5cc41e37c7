/* kdc-admin invite: codes by which people register under the policy `invite`. A code is shown when it is made, and never again. */
#include "crypto/secret.h"
#include "kdc/admin/command.h"
#include "kdc/admin/output.h"
#include "kdc/admin/user.h"
#include "kdc/audit_events.h"
#include "kdc/clock.h"
#include "kdc/store_registration.h"
#include "wire/name.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_PART 200
#define DAY_MS UINT64_C(86400000)
#define DEFAULT_MS (14 * DAY_MS)
#define LONGEST_DAYS 3650

/* ---- what was asked for ---- */

/* "12h", "30d" from now on. 0, or -1. */
static int span_parse(const char *text, uint64_t now, uint64_t *ms)
{
    const size_t digits = strspn(text, "0123456789");
    const char unit = text[digits];
    if (digits == 0 || digits > 6 || (unit != 'm' && unit != 'h' && unit != 'd') || text[digits + 1] != '\0')
        return -1;
    const uint64_t span = strtoull(text, NULL, 10) * (unit == 'm' ? DAY_MS / 1440 : unit == 'h' ? DAY_MS / 24 : DAY_MS);
    if (span == 0 || span > LONGEST_DAYS * DAY_MS)
        return -1;
    *ms = now + span;
    return 0;
}

static enum exit_code expiry_take(const char *text, uint64_t *ms)
{
    const uint64_t now = clock_wall_ms();
    *ms = text == NULL ? now + DEFAULT_MS : 0;
    if (text == NULL || strcmp(text, "never") == 0 || span_parse(text, now, ms) == 0)
        return EXIT_DONE;
    if (time_parse(text, ms) != 0)
        return complain(
            EXIT_BAD_USAGE,
            "--expires takes 12h, 30d, a date such as 2026-11-20 or 2026-11-20T09:00:00Z, or never, not '%s': "
            "see kdc-admin --help",
            text);
    return *ms > now ? EXIT_DONE : complain(EXIT_REFUSED, "nobody was invited: --expires %s is over already", text);
}

static enum exit_code number_take(const char *what, const char *text, uint64_t most, uint64_t *number)
{
    const size_t digits = strspn(text, "0123456789");
    if (digits > 0 && digits <= 18 && text[digits] == '\0')
        *number = strtoull(text, NULL, 10);
    if (digits == 0 || digits > 18 || text[digits] != '\0' || *number == 0 || *number > most)
        return complain(EXIT_BAD_USAGE, "%s takes a number from 1 to %" PRIu64 ", not '%s': see kdc-admin --help", what,
                        most, text);
    return EXIT_DONE;
}

static enum exit_code note_check(const char *note)
{
    const struct bytes text = { (const uint8_t *)note, strlen(note) };
    bool good = text.len <= STORE_NOTE_MAX && utf8_valid(text);
    for (size_t i = 0; i < text.len; i++)
        good = good && text.data[i] >= 0x20 && text.data[i] != 0x7f;
    return good ? EXIT_DONE
                : complain(EXIT_REFUSED, "--note takes up to %d bytes of UTF-8 in one line", STORE_NOTE_MAX);
}

/* ---- new ---- */

struct making {
    uint64_t count;
    uint64_t expires;
    const char *note;
    struct store_invitation *invitations;
    char (*codes)[CODE_INVITATION_ROOM]; /* secret memory */
};

static int codes_make(struct making *making)
{
    making->invitations = calloc(making->count, sizeof *making->invitations);
    making->codes = secret_alloc(making->count * sizeof *making->codes);
    if (making->invitations == NULL || making->codes == NULL)
        return -1;
    for (size_t i = 0; i < making->count; i++) {
        if (code_invitation_make(&rng_system, making->codes[i]) != 0 ||
            code_invitation_digest((struct bytes){ (const uint8_t *)making->codes[i], strlen(making->codes[i]) },
                                   making->invitations[i].digest) != 0)
            return -1;
    }
    return 0;
}

static void codes_print(const struct admin *admin, const struct making *making)
{
    char expires[TIME_TEXT_LEN];
    time_text_short(making->expires, expires);
    if (admin->json)
        (void)putchar('[');
    for (size_t i = 0; i < making->count; i++) {
        const struct store_invitation *one = &making->invitations[i];
        if (admin->json) {
            (void)fputs(i == 0 ? "" : ",", stdout);
            json_put(stdout, json_pack("{s:I, s:s, s:o, s:s}", "id", (json_int_t)one->id, "code", making->codes[i],
                                       "expires", time_json(making->expires), "note", making->note));
        } else {
            (void)printf("%s  (%" PRIu64 ")\n", making->codes[i], one->id);
        }
    }
    if (admin->json)
        (void)puts("]");
    else if (making->expires == 0)
        (void)printf("Each is for one account, and never expires. It is not shown again.\n");
    else
        (void)printf("Each is for one account, until %s. It is not shown again.\n", expires);
}

static enum exit_code made_record(struct store *store, const struct making *making)
{
    char detail[64];
    const uint64_t first = making->invitations[0].id;
    const uint64_t last = making->invitations[making->count - 1].id;
    if (making->count == 1)
        (void)snprintf(detail, sizeof detail, "%" PRIu64, first);
    else
        (void)snprintf(detail, sizeof detail, "%" PRIu64 " to %" PRIu64, first, last);
    return admin_record(store, AUDIT_INVITATION_MADE, "", detail) == STORE_OK
               ? EXIT_DONE
               : complain(EXIT_DONE, "that is done, but it isn't in the audit log: %s", store_error(store));
}

enum exit_code invite_new(struct admin *admin)
{
    struct making making = { .count = 1, .note = admin->note == NULL ? "" : admin->note };
    char actor[ADMIN_ACTOR_MAX];
    enum exit_code code = expiry_take(admin->expires, &making.expires);
    if (code == EXIT_DONE && admin->count != NULL)
        code = number_take("--count", admin->count, STORE_INVITATIONS, &making.count);
    if (code == EXIT_DONE)
        code = note_check(making.note);
    if (code != EXIT_DONE)
        return code;
    admin_actor(actor);
    struct store *store = store_new(&admin->config, STORE_ACCOUNT_ADMIN);
    if (store == NULL || codes_make(&making) != 0) {
        code = complain(EXIT_OTHER, "nobody was invited: memory or randomness is out");
    } else {
        const enum store_result result =
            store_invitations_make(store, making.invitations, making.count, making.note, actor, making.expires);
        code = result == STORE_OK ? made_record(store, &making) : complain_store(store, result, "nobody was invited");
        if (result == STORE_OK)
            codes_print(admin, &making);
    }
    secret_free(&making.codes);
    free(making.invitations);
    store_free(&store);
    if (code == EXIT_DONE && !admin->json && admin->config.registration != REGISTRATION_INVITE)
        (void)fputs("kdc-admin: policy.registration isn't invite: until it is, these codes are of no use\n", stderr);
    return code;
}

/* ---- list ---- */

static void part_print(const struct store_invitation *invitations, size_t count, bool json, bool first, bool only)
{
    static const char *const titles[] = { "ID", "STATE", "EXPIRES", "USED BY", "MADE", "NOTE" };
    static const size_t widths[] = {
        6, sizeof "revoked" - 1, sizeof "2026-11-20 09:00:00Z" - 1, NAME_LEN_MAX, sizeof "2026-11-20 09:00:00Z" - 1, 0
    };
    struct table table = { .columns = 6 };
    for (size_t i = 0; i < table.columns; i++) {
        table.titles[i] = first ? titles[i] : NULL;
        table.widths[i] = only ? 0 : widths[i];
    }
    for (size_t i = 0; i < count; i++) {
        const struct store_invitation *one = &invitations[i];
        char time[TIME_TEXT_LEN];
        if (json) {
            (void)fputs(first && i == 0 ? "" : ",", stdout);
            json_put(stdout,
                     json_pack("{s:I, s:s, s:s, s:s, s:o, s:o, s:o, s:s?, s:o}", "id", (json_int_t)one->id, "state",
                               one->state, "note", one->note, "made_by", one->made_by, "made", time_json(one->made),
                               "expires", time_json(one->expires), "used", time_json(one->used), "used_by",
                               one->used_by[0] == '\0' ? NULL : one->used_by, "revoked", time_json(one->revoked)));
            continue;
        }
        table_add_number(&table, one->id);
        table_add(&table, one->state);
        time_text_short(one->expires, time);
        table_add(&table, time);
        table_add(&table, one->used_by[0] == '\0' ? "-" : one->used_by);
        time_text_short(one->made, time);
        table_add(&table, time);
        table_add(&table, one->note);
    }
    if (!json)
        table_print(&table);
}

static enum exit_code parts_print(struct admin *admin, struct store *store, struct store_invitation *invitations)
{
    uint64_t after = 0;
    size_t count = LIST_PART;
    bool first = true;
    while (count == LIST_PART) {
        const enum store_result result = store_invitations_list(store, after, invitations, LIST_PART, &count);
        if (result != STORE_OK)
            return complain_store(store, result, "the invitations can't be listed");
        if (admin->json && first)
            (void)putchar('[');
        if (count > 0) {
            part_print(invitations, count, admin->json, first, first && count < LIST_PART);
            after = invitations[count - 1].id;
            first = false;
        }
    }
    if (admin->json)
        (void)puts("]");
    else if (first)
        (void)puts("There are no invitations yet: make one with: kdc-admin invite new");
    return EXIT_DONE;
}

enum exit_code invite_list(struct admin *admin)
{
    struct store *store = store_new(&admin->config, STORE_ACCOUNT_ADMIN);
    struct store_invitation *invitations = calloc(LIST_PART, sizeof *invitations);
    const enum exit_code code = store == NULL || invitations == NULL ? complain(EXIT_OTHER, "memory is out")
                                                                     : parts_print(admin, store, invitations);
    free(invitations);
    store_free(&store);
    return code;
}

/* ---- revoke ---- */

enum exit_code invite_revoke(struct admin *admin)
{
    uint64_t id = 0;
    char text[64];
    enum exit_code code = number_take("invite revoke", admin->argument, 999999999999999999u, &id);
    if (code != EXIT_DONE)
        return code;
    struct store *store = store_new(&admin->config, STORE_ACCOUNT_ADMIN);
    if (store == NULL)
        return complain(EXIT_OTHER, "memory is out");
    const enum store_result result = store_invitation_revoke(store, id);
    (void)snprintf(text, sizeof text, "%" PRIu64, id);
    if (result == STORE_OK) {
        if (admin_record(store, AUDIT_INVITATION_REVOKED, "", text) != STORE_OK)
            (void)complain(EXIT_DONE, "that is done, but it isn't in the audit log: %s", store_error(store));
        if (admin->json)
            json_print(json_pack("{s:I, s:s}", "invitation", (json_int_t)id, "done", "revoked"));
        else
            (void)printf("Invitation %" PRIu64 " is revoked.\n", id);
    } else if (result == STORE_NOT_FOUND) {
        code = complain(EXIT_NOT_FOUND, "there is no invitation %" PRIu64 ": see kdc-admin invite list", id);
    } else if (result == STORE_EXISTS) {
        code = complain(EXIT_REFUSED, "invitation %" PRIu64 " was not revoked: somebody has registered with it", id);
    } else {
        (void)snprintf(text, sizeof text, "invitation %" PRIu64 " was not revoked", id);
        code = complain_store(store, result, text);
    }
    store_free(&store);
    return code;
}
