/* What is put on record: the issue of keys, and the audit log: as JSON, a whole batch in one call (sql/procedures/kdc_journal.sql). */
#include "kdc/audit_events.h"
#include "kdc/store_internal.h"
#include "wire/name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Columns of the audit log, in bytes; what is longer is cut. */
#define EVENT_MAX 64
#define USER_MAX 64
#define SOURCE_MAX 64
#define DETAIL_MAX 255
#define OUTCOME_MAX 32
#define ACTOR_MAX 128

#define NUMBER_LEN 21 /* of a u64, and a comma */
/* What an entry takes at most: every byte of a text may need a backslash. */
#define ISSUE_LEN_MAX (2 * NUMBER_LEN + 2 * (2 * USER_MAX + SOURCE_MAX) + 16)
#define EVENT_LEN_MAX                                                                                  \
    (2 * NUMBER_LEN + 2 * (EVENT_MAX + USER_MAX + SOURCE_MAX + DETAIL_MAX + OUTCOME_MAX + ACTOR_MAX) + \
     SOURCE_HEX_MAX + 24)

/* A copy that the column takes: well-formed UTF-8 without control characters, cut to `max` bytes. */
static void text_take(const char *text, char *out, size_t max)
{
    size_t len = strnlen(text, max);
    memcpy(out, text, len);
    while (len > 0 && text[len] != '\0' && ((unsigned char)text[len] & 0xc0) == 0x80)
        len--; /* not in the middle of a character */
    out[len] = '\0';
    bool ascii_only = !utf8_valid((struct bytes){ .data = (const uint8_t *)out, .len = len });
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)out[i];
        if (byte < 0x20 || byte == 0x7f || (ascii_only && byte >= 0x80))
            out[i] = '?';
    }
}

/* ---- JSON, behind `at`, where there is room; each gives where it ends ---- */

static char *put_escaped(char *at, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            *at++ = '\\';
        *at++ = *text;
    }
    return at;
}

/* Nearly all are short and plain: those go in one walk. */
static char *put_text(char *at, const char *text, size_t max)
{
    char taken[DETAIL_MAX + 1];
    *at++ = '"';
    char *out = at;
    const char *from = text;
    while (*from >= ' ' && *from <= '~' && *from != '"' && *from != '\\' && (size_t)(from - text) < max)
        *out++ = *from++;
    if (*from != '\0') {
        text_take(text, taken, max);
        out = put_escaped(at, taken);
    }
    *out++ = '"';
    *out++ = ',';
    return out;
}

static char *put_number(char *at, uint64_t number)
{
    char digits[NUMBER_LEN];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (count > 0)
        *at++ = digits[--count];
    *at++ = ',';
    return at;
}

/* In the place of the last comma, if there is one. */
static char *put_end(char *at, const char *end)
{
    return stpcpy(at[-1] == ',' ? at - 1 : at, end);
}

static char *put_issue(char *at, const struct store_issue *issue)
{
    *at++ = '[';
    at = put_number(at, issue->user_a);
    at = put_number(at, issue->user_b);
    at = put_text(at, issue->name_a, USER_MAX);
    at = put_text(at, issue->name_b, USER_MAX);
    at = put_text(at, issue->source, SOURCE_MAX);
    return put_end(at, "],");
}

static char *put_event(char *at, const struct store_event *event)
{
    *at++ = '[';
    at = put_number(at, event->logged_in);
    at = put_number(at, event->age_ms);
    at = put_text(at, event->event, EVENT_MAX);
    at = put_text(at, event->user, USER_MAX);
    at = put_text(at, event->source, SOURCE_MAX);
    at = put_text(at, event->detail, DETAIL_MAX);
    at = put_text(at, event->outcome == NULL ? AUDIT_OK : event->outcome, OUTCOME_MAX);
    at = put_text(at, event->actor == NULL ? "" : event->actor, ACTOR_MAX);
    if (event->logged_in != 0) {
        char origin[SOURCE_HEX_MAX];
        source_hex(&event->from, origin);
        at = put_text(at, origin, SOURCE_HEX_MAX);
    }
    return put_end(at, "],");
}

static int text_make(struct store *store, const struct store_batch *batch)
{
    const size_t room = batch->issue_count * ISSUE_LEN_MAX + batch->event_count * EVENT_LEN_MAX + 64;
    if (store->text_room < room) {
        char *text = realloc(store->text, room);
        if (text == NULL)
            return -1;
        store->text = text;
        store->text_room = room;
    }
    char *at = stpcpy(store->text, "{\"issues\":[");
    for (size_t i = 0; i < batch->issue_count; i++)
        at = put_issue(at, &batch->issues[i]);
    at = put_end(at, "],\"events\":[");
    for (size_t i = 0; i < batch->event_count; i++)
        at = put_event(at, &batch->events[i]);
    (void)put_end(at, "]}");
    return 0;
}

/* ---- the call ---- */

/* One for each issue, also for those that can't be: a procedure may tell some before a deadlock shows, and then the second try's
 * answers come over the first's. */
struct answers {
    struct store_batch *batch;
    uint64_t number; /* of the issue, from 1 */
    uint64_t conversation;
    uint64_t epoch;
    bool wrong;
};

static void answer_take(void *context)
{
    struct answers *answers = context;
    if (answers->number < 1 || answers->number > answers->batch->issue_count ||
        (answers->conversation == 0) != (answers->epoch == 0) || answers->epoch > UINT32_MAX) {
        answers->wrong = true;
        return;
    }
    struct store_issue *issue = &answers->batch->issues[answers->number - 1];
    issue->conversation = answers->conversation;
    issue->epoch = (uint32_t)answers->epoch;
}

enum store_result store_write(struct store *store, struct store_batch *batch)
{
    struct answers answers = { .batch = batch };
    const struct store_out out[] = { { .number = &answers.number },
                                     { .number = &answers.conversation },
                                     { .number = &answers.epoch } };
    for (size_t i = 0; i < batch->issue_count; i++)
        batch->issues[i].conversation = 0;
    if (text_make(store, batch) != 0) {
        (void)snprintf(store->error, sizeof store->error, "kdc_journal: memory is out");
        return STORE_BROKEN;
    }
    const struct store_in in[] = { { .text = store->text } };
    enum store_result result = store_call(store, STATEMENT_JOURNAL, in, 1, out, 3, answer_take, &answers, NULL);
    if (result == STORE_OK && answers.wrong) {
        (void)snprintf(store->error, sizeof store->error, "kdc_journal gave a number that can't be one");
        return STORE_REFUSED;
    }
    return result == STORE_BROKEN && store->unfit ? STORE_REFUSED : result;
}

enum store_result store_audit(struct store *store, const char *event, const char *user, const char *source,
                              const char *detail)
{
    const struct store_event one = { .event = event, .user = user, .source = source, .detail = detail };
    return store_write(store, &(struct store_batch){ .events = &one, .event_count = 1 });
}

/* ---- known sources ---- */

enum store_result store_source_known(struct store *store, uint64_t id, const struct admission_source *source,
                                     bool *known)
{
    char hex[SOURCE_HEX_MAX];
    uint64_t count = 0;
    source_hex(source, hex);
    const struct store_in in[] = { { .number = id }, { .text = hex } };
    const struct store_out out[] = { { .number = &count } };
    enum store_result result = store_call(store, STATEMENT_SOURCE_KNOWN, in, 2, out, 1, NULL, NULL, NULL);
    *known = result == STORE_OK && count > 0;
    return result;
}

/* ---- changed accounts ---- */

struct changes {
    uint64_t user; /* 0: the time of asking is in `changed` */
    uint64_t epoch;
    uint64_t changed; /* microseconds */
    uint64_t asked;
    store_changed *take;
    void *context;
};

static void change_take(void *context)
{
    struct changes *changes = context;
    if (changes->user == 0)
        changes->asked = changes->changed;
    else
        changes->take(changes->context, changes->user, changes->epoch, changes->changed / 1000);
}

enum store_result store_account_changes(struct store *store, uint64_t *since, store_changed *changed, void *context)
{
    struct changes changes = { .take = changed, .context = context };
    const struct store_out out[] = { { .number = &changes.user },
                                     { .number = &changes.epoch },
                                     { .number = &changes.changed } };
    const struct store_in in[] = { { .number = *since } };
    enum store_result result = store_call(store, STATEMENT_ACCOUNT_CHANGES, in, 1, out, 3, change_take, &changes, NULL);
    if (result == STORE_OK && changes.asked == 0) {
        (void)snprintf(store->error, sizeof store->error, "kdc_account_changes didn't tell the time");
        return STORE_BROKEN;
    }
    if (result == STORE_OK)
        *since = changes.asked;
    return result;
}
