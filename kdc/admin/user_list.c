/* kdc-admin user list: read and printed part by part. */
#include "kdc/admin/command.h"
#include "kdc/admin/output.h"
#include "kdc/admin/user.h"
#include "wire/name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_PART 500 /* users asked for at once */

struct listing {
    struct store_filter filter;
    struct name after; /* empty: from the first */
    uint64_t limit;    /* UINT64_MAX: none */
};

/* A date that an option gives; NULL stays 0. EXIT_DONE, or it has complained. */
static enum exit_code date_take(const char *option, const char *text, uint64_t *ms)
{
    if (text == NULL)
        return EXIT_DONE;
    if (time_parse(text, ms) != 0)
        return complain(EXIT_BAD_USAGE,
                        "%s takes a date such as 2026-11-20 or 2026-11-20T09:00:00Z, not '%s': see kdc-admin --help",
                        option, text);
    *ms = *ms == 0 ? 1 : *ms; /* 0 is none */
    return EXIT_DONE;
}

static enum exit_code pattern_check(const char *pattern)
{
    if (pattern == NULL)
        return EXIT_DONE;
    if (pattern[0] == '\0' || strlen(pattern) > STORE_PATTERN_MAX ||
        pattern[strspn(pattern, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-*?")] != '\0')
        return complain(
            EXIT_BAD_USAGE,
            "no name is like '%s': --name takes letters, digits, . _ - and * for any characters, ? for one; "
            "see kdc-admin --help",
            pattern);
    return EXIT_DONE;
}

/* What the options ask for. EXIT_DONE, or it has complained. */
static enum exit_code listing_take(struct admin *admin, struct listing *listing, char pattern[STORE_PATTERN_MAX + 1])
{
    enum exit_code code = pattern_check(admin->pattern);
    if (code == EXIT_DONE)
        code = date_take("--login-before", admin->login_before, &listing->filter.login_before);
    if (code == EXIT_DONE)
        code = date_take("--login-after", admin->login_after, &listing->filter.login_since);
    if (code != EXIT_DONE)
        return code;
    if (admin->pattern != NULL) {
        (void)snprintf(pattern, STORE_PATTERN_MAX + 1, "%s", admin->pattern);
        for (char *at = pattern; *at != '\0'; at++)
            *at = (char)(*at >= 'A' && *at <= 'Z' ? *at - 'A' + 'a' : *at);
        listing->filter.pattern = pattern;
    }
    listing->filter.by_state = admin->state != NULL;
    if (admin->state != NULL && user_state_from_word(admin->state, &listing->filter.state) != 0)
        return complain(EXIT_BAD_USAGE,
                        "--state takes pending, active, locked or disabled, not '%s': see kdc-admin --help",
                        admin->state);
    if (admin->after != NULL && name_from_string(admin->after, &listing->after) != 0)
        return complain(EXIT_BAD_USAGE, "--after takes a user's name, not '%s': see kdc-admin --help", admin->after);
    listing->limit = UINT64_MAX;
    if (admin->limit != NULL) {
        const size_t digits = strspn(admin->limit, "0123456789");
        if (digits == 0 || digits > 18 || admin->limit[digits] != '\0')
            return complain(EXIT_BAD_USAGE, "--limit takes a number, not '%s': see kdc-admin --help", admin->limit);
        listing->limit = strtoull(admin->limit, NULL, 10);
    }
    return EXIT_DONE;
}

static void part_print_json(const struct store_user *users, size_t count, bool first)
{
    for (size_t i = 0; i < count; i++) {
        if (!first || i > 0)
            (void)putchar(',');
        json_put(stdout, user_json(&users[i]));
    }
}

/* Of a table in several parts all columns are as wide as they can get. */
static void part_print_table(const struct store_user *users, size_t count, bool first, bool only)
{
    struct table table = { .columns = 6 };
    static const char *const titles[] = { "NAME", "STATE", "CREATED", "LAST LOGIN", "EXPIRES", "ID" };
    static const size_t widths[] = { NAME_LEN_MAX,
                                     sizeof "disabled" - 1,
                                     sizeof "2026-11-20 09:00:00Z" - 1,
                                     sizeof "2026-11-20 09:00:00Z" - 1,
                                     sizeof "2026-11-20 09:00:00Z" - 1,
                                     0 };
    for (size_t i = 0; i < table.columns; i++) {
        table.titles[i] = first ? titles[i] : NULL;
        table.widths[i] = only ? 0 : widths[i];
    }
    for (size_t i = 0; i < count; i++) {
        char time[TIME_TEXT_LEN];
        table_add(&table, users[i].name.text);
        table_add(&table, user_state_word(users[i].state));
        time_text_short(users[i].created, time);
        table_add(&table, time);
        time_text_short(users[i].last_login, time);
        table_add(&table, time);
        time_text_short(users[i].expires, time);
        table_add(&table, time);
        table_add_number(&table, users[i].id);
    }
    table_print(&table);
}

static enum exit_code listing_print(struct admin *admin, struct listing *listing, struct store *store,
                                    struct store_user *users)
{
    uint64_t left = listing->limit;
    size_t count = LIST_PART;
    bool first = true;
    while (count == LIST_PART && left > 0) {
        const size_t max = left < LIST_PART ? (size_t)left : LIST_PART;
        enum store_result result = store_user_list(
            store, &listing->filter, listing->after.text[0] == '\0' ? NULL : &listing->after, users, max, &count);
        if (result != STORE_OK)
            return complain_store(store, result, "the users can't be listed");
        if (admin->json && first)
            (void)putchar('[');
        if (admin->json)
            part_print_json(users, count, first);
        else if (count > 0)
            part_print_table(users, count, first, first && (count < LIST_PART || left == count));
        if (count > 0) {
            listing->after = users[count - 1].name;
            first = false;
        }
        left -= count;
    }
    if (admin->json)
        (void)puts(first && listing->limit == 0 ? "[]" : "]");
    else if (first)
        (void)puts(admin->options == 0 ? "There are no users yet: make one with: kdc-admin user add NAME"
                                       : "There is no such user.");
    return EXIT_DONE;
}

enum exit_code user_list(struct admin *admin)
{
    struct listing listing = { 0 };
    char pattern[STORE_PATTERN_MAX + 1];
    enum exit_code code = listing_take(admin, &listing, pattern);
    if (code != EXIT_DONE)
        return code;
    struct store *store = store_new(&admin->config, STORE_ACCOUNT_ADMIN);
    struct store_user *users = calloc(LIST_PART, sizeof *users);
    code = store == NULL || users == NULL ? complain(EXIT_OTHER, "memory is out")
                                          : listing_print(admin, &listing, store, users);
    free(users);
    store_free(&store);
    return code;
}
