/* The audit log, read and kept short. What is put into it: store_records.c. */
#include "kdc/store_internal.h"

#include <string.h>

struct reading {
    struct store_audit_event row; /* the one that was read last */
    struct store_audit_event *events;
    size_t max;
    size_t count;
};

static void row_take(void *context)
{
    struct reading *reading = context;
    if (reading->count < reading->max)
        reading->events[reading->count++] = reading->row;
}

static const char *text_or_any(const char *text)
{
    return text == NULL ? "" : text;
}

enum store_result store_audit_list(struct store *store, const struct store_audit_filter *filter,
                                   struct store_audit_event *events, size_t max, size_t *count)
{
    struct reading reading = { .events = events, .max = max };
    struct store_audit_event *row = &reading.row;
    char like[2 * STORE_PATTERN_MAX + 1];
    store_pattern_take(filter->source, like);
    const struct store_in in[] = {
        { .number = filter->after },
        { .number = filter->before },
        { .text = text_or_any(filter->user) },
        { .text = text_or_any(filter->event) },
        { .text = like },
        { .text = text_or_any(filter->outcome) },
        { .number = filter->since },
        { .number = filter->until },
        { .number = max },
        { .number = filter->backwards ? 1 : 0 },
    };
    const struct store_out out[] = {
        { .number = &row->id },
        { .number = &row->time },
        { .text = row->event, .size = sizeof row->event },
        { .text = row->user, .size = sizeof row->user },
        { .text = row->peer, .size = sizeof row->peer },
        { .text = row->source, .size = sizeof row->source },
        { .text = row->outcome, .size = sizeof row->outcome },
        { .text = row->actor, .size = sizeof row->actor },
        { .text = row->detail, .size = sizeof row->detail },
    };
    const enum store_result result = store_call(store, STATEMENT_AUDIT_LIST, in, sizeof in / sizeof in[0], out,
                                                sizeof out / sizeof out[0], row_take, &reading, NULL);
    *count = result == STORE_OK ? reading.count : 0;
    return result;
}

enum store_result store_audit_expire(struct store *store, unsigned days, unsigned max, uint64_t *removed)
{
    const struct store_in in[] = { { .number = days }, { .number = max } };
    const struct store_out out[] = { { .number = removed } };
    *removed = 0;
    return store_call(store, STATEMENT_AUDIT_EXPIRE, in, 2, out, 1, NULL, NULL, NULL);
}
