/*
 * reactor_accepted.c: connections on their way from the listener to their reactor: through its inbox, and then in a line of its
 * own, so that a crowd that comes at once begins bit by bit.
 */
#include "kdc/connection.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct accepted {
    struct inbox_item item;
    int fd;
    struct sockaddr_storage address;
    socklen_t address_len;
    struct admission_source source;
};

int reactor_accepted(struct reactor *reactor, int fd, const struct sockaddr *address, socklen_t len,
                     const struct admission_source *source)
{
    struct accepted *accepted = calloc(1, sizeof *accepted);
    if (accepted == NULL || len > sizeof accepted->address) {
        free(accepted);
        return -1;
    }
    accepted->fd = fd;
    accepted->source = *source;
    accepted->address_len = len;
    memcpy(&accepted->address, address, len);
    accepted->item.kind = REACTOR_ACCEPTED;
    (void)atomic_fetch_add_explicit(&reactor->load, 1, memory_order_relaxed);
    inbox_push(&reactor->inbox, &accepted->item);
    return 0;
}

void reactor_let_wait(struct reactor *reactor, struct inbox_item *item)
{
    item->next = NULL;
    if (reactor->accepted_newest != NULL) {
        reactor->accepted_newest->next = item;
    } else {
        reactor->accepted_oldest = item;
    }
    reactor->accepted_newest = item;
}

static struct accepted *take_accepted(struct reactor *reactor)
{
    struct inbox_item *item = reactor->accepted_oldest;
    if (item != NULL) {
        reactor->accepted_oldest = item->next;
        if (item->next == NULL) {
            reactor->accepted_newest = NULL;
        }
    }
    return (struct accepted *)item;
}

void reactor_begin_some(struct reactor *reactor)
{
    for (unsigned i = 0; i < REACTOR_BEGIN_A_TURN; i++) {
        struct accepted *accepted = take_accepted(reactor);
        if (accepted == NULL) {
            return;
        }
        connection_open(reactor, accepted->fd, (const struct sockaddr *)&accepted->address, accepted->address_len,
                        &accepted->source);
        free(accepted);
    }
}

void reactor_turn_away(struct reactor *reactor, struct inbox_item *item)
{
    struct accepted *accepted = (struct accepted *)item;
    close(accepted->fd);
    admission_leave(reactor->server->admission, &accepted->source, false);
    free(accepted);
}
