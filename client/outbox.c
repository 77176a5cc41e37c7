#include "client/outbox.h"

#include "client/kdcchat.h"
#include "crypto/secret.h"

#include <stdlib.h>
#include <string.h>

int outbox_add(struct outbox *outbox, const void *text, size_t len, uint64_t *number)
{
    if (outbox->count >= OUTBOX_TEXTS_MAX || len > OUTBOX_BYTES_MAX - outbox->bytes)
        return KC_OUTBOX_FULL;
    struct outbox_text *added = malloc(sizeof(*added) + len);
    if (added == NULL)
        return KC_NO_MEMORY;

    added->next = NULL;
    added->number = ++outbox->last_number;
    added->len = len;
    memcpy(added->bytes, text, len);
    if (outbox->last == NULL)
        outbox->first = added;
    else
        outbox->last->next = added;
    outbox->last = added;
    if (outbox->unsent == NULL)
        outbox->unsent = added;
    outbox->count++;
    outbox->bytes += len;
    *number = added->number;
    return KC_OK;
}

const struct outbox_text *outbox_next(const struct outbox *outbox)
{
    return outbox->under_way < OUTBOX_WINDOW ? outbox->unsent : NULL;
}

void outbox_sent(struct outbox *outbox)
{
    struct outbox_text *text = outbox->unsent;
    if (text == NULL)
        return;
    outbox->unsent = text->next;
    outbox->under_way++;
    if (text->number > outbox->last_sent)
        outbox->last_sent = text->number;
}

void outbox_rewind(struct outbox *outbox)
{
    outbox->unsent = outbox->first;
    outbox->under_way = 0;
}

static void drop_first(struct outbox *outbox)
{
    struct outbox_text *text = outbox->first;
    outbox->first = text->next;
    if (outbox->first == NULL)
        outbox->last = NULL;
    /* A receipt from before a new epoch may be for a text that waits to be sent again. */
    if (outbox->unsent == text)
        outbox->unsent = text->next;
    else
        outbox->under_way--;
    outbox->count--;
    outbox->bytes -= text->len;
    secret_wipe(text->bytes, text->len);
    free(text);
}

size_t outbox_received(struct outbox *outbox, uint64_t number, uint64_t *number_r)
{
    size_t dropped = 0;
    while (outbox->first != NULL && outbox->first->number <= number && outbox->first->number <= outbox->last_sent) {
        *number_r = outbox->first->number;
        drop_first(outbox);
        dropped++;
    }
    return dropped;
}

size_t outbox_clear(struct outbox *outbox)
{
    size_t dropped = 0;
    while (outbox->first != NULL) {
        drop_first(outbox);
        dropped++;
    }
    return dropped;
}
