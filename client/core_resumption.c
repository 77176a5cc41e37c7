/* core_resumption.c: the ticket that a welcome brings, and coming back by it instead of by the password. */
#include "client/core_internal.h"

#include "crypto/secret.h"

#include <string.h>

void resumption_forget(struct core *core)
{
    struct resumption *r = core->resumption;
    secret_wipe(r->secret, sizeof(r->secret));
    secret_wipe(r->ticket, sizeof(r->ticket));
    r->ticket_len = 0;
}

void resumption_offer(struct core *core)
{
    struct resumption *r = core->resumption;
    core->offered = false;
    core->resuming = false;
    if (r->ticket_len > 0 && core_now(core) >= r->until)
        resumption_forget(core);
    if (r->ticket_len > 0 && core->accepted)
        core->offered = handshake_client_offer(
                            core->handshake, (struct bytes){ .data = r->ticket, .len = r->ticket_len }, r->secret) == 0;
}

void resumption_judge(struct core *core, const struct handshake_keys *keys)
{
    struct resumption *r = core->resumption;
    memcpy(r->next, keys->resumption, sizeof(r->next));
    secret_wipe_registers(); /* copying went through them */
    core->resuming = keys->resumed;
    if (core->offered)
        trace_line(core, keys->resumed ? "the KDC takes the ticket: no login is needed"
                                       : "the KDC doesn't take the ticket: a login is needed");
    if (core->offered && !keys->resumed)
        resumption_forget(core);
    core->offered = false;
}

void resumption_disconnected(struct core *core)
{
    core->offered = false;
    core->resuming = false;
    secret_wipe(core->resumption->next, sizeof(core->resumption->next));
}

void resumption_keep(struct core *core, const struct message_welcome *m)
{
    struct resumption *r = core->resumption;
    core->resuming = false;
    resumption_forget(core);
    if (m->ticket.len > 0 && m->ticket.len <= sizeof(r->ticket)) {
        memcpy(r->secret, r->next, sizeof(r->secret));
        secret_wipe_registers();
        memcpy(r->ticket, m->ticket.data, m->ticket.len);
        r->ticket_len = m->ticket.len;
        r->until = core_now(core) + UINT64_C(1000) * m->ticket_seconds;
    }
    secret_wipe(r->next, sizeof(r->next));
}

void resumption_replace(struct core *core, const struct message_password_changed *m)
{
    struct resumption *r = core->resumption;
    if (r->ticket_len == 0) /* then its secret is gone */
        return;
    if (m->ticket.len == 0 || m->ticket.len > sizeof(r->ticket)) {
        resumption_forget(core);
        return;
    }
    memcpy(r->ticket, m->ticket.data, m->ticket.len);
    r->ticket_len = m->ticket.len;
    r->until = core_now(core) + UINT64_C(1000) * m->ticket_seconds;
}
