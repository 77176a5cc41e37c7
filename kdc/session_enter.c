/*
 * session_enter.c: a session's user is known, by login, by registering or by a resumption ticket: into the directory, and welcome.
 *
 * A ticket spares the database as long as nothing is known against it (account_changes.h). Whoever changes an account makes that
 * known first and ends the account's session afterwards: so a session looks once more when it can be found in the directory,
 * whichever way it came.
 */
#include "kdc/session_internal.h"

#include "crypto/secret.h"
#include "kdc/account_changes.h"
#include "kdc/audit_events.h"
#include "wire/reason.h"

#include <string.h>

static void tell_watchers(const struct session *s, struct directory_watcher *watchers)
{
    for (const struct directory_watcher *w = watchers; w != NULL; w = w->next) {
        struct mail_name *mail = mail_new(MAIL_CAME_ONLINE, &w->ref, &s->ref, 0);
        if (mail != NULL) {
            mail->name = s->name;
            s->host->post(s->host->context, &mail->mail);
        }
    }
}

static void take_over(const struct session *s, const struct directory_entry *old)
{
    struct mail_end *mail = mail_new(MAIL_END, &old->ref, &s->ref, 0);
    if (mail != NULL) {
        mail->reason = REASON_TAKEN_OVER;
        s->host->post(s->host->context, &mail->mail);
    }
}

unsigned session_seal_ticket(struct session *s, const struct session_entry *entry, uint64_t now,
                             uint8_t out[TICKET_LEN])
{
    const struct session_host *host = s->host;
    if (host->tickets == NULL || s->resumption == NULL || entry->epoch == 0) {
        return 0;
    }
    struct ticket ticket = { .user = s->user,
                             .name = s->name,
                             .epoch = entry->epoch,
                             .issued = entry->way == SESSION_BY_TICKET ? entry->issued : now,
                             .expires = entry->expires };
    unsigned seconds = ticket_seconds_left(&ticket, host->tickets, now);
    memcpy(ticket.secret, s->resumption, sizeof ticket.secret);
    if (seconds > 0 && ticket_seal(&ticket, host->tickets, host->rng, out) != 0) {
        seconds = 0;
    }
    secret_wipe(&ticket, sizeof ticket);
    secret_wipe_registers();
    return seconds;
}

static void welcome(struct session *s, const struct session_entry *entry)
{
    const struct config *config = s->host->config;
    uint8_t ticket[TICKET_LEN];
    const unsigned seconds = session_seal_ticket(s, entry, s->since, ticket);
    session_send(s, &(struct message){ .type = MESSAGE_WELCOME,
                                       .welcome = { .session = s->ref.session,
                                                    .time = s->since,
                                                    .name = s->name,
                                                    .rekey_messages = config->rekey_messages,
                                                    .rekey_seconds = config->rekey_seconds,
                                                    .ping_seconds = (uint16_t)config->ping_seconds,
                                                    .ticket_seconds = seconds,
                                                    .ticket = { ticket, seconds > 0 ? sizeof ticket : 0 } } });
}

static void log_welcome(const struct session *s, enum session_entry_way way)
{
    static const char *const events[] = {
        [SESSION_BY_LOGIN] = "logged in",
        [SESSION_BY_REGISTERING] = "registered and logged in",
        [SESSION_BY_TICKET] = "resumed",
    };
    const struct suite *suite = suite_by_id(s->suite);
    const struct dh_group *group = dh_group_by_id(s->group);
    const struct log_field fields[] = {
        LOG_TEXT("user", s->name.text),
        LOG_NUMBER("session", s->ref.session),
        LOG_TEXT("source", s->source),
        LOG_TEXT("group", group != NULL ? group->name : "none"),
        LOG_TEXT("suite", suite != NULL ? suite->name : "none"),
        { .key = NULL },
    };
    s->host->log(LOG_INFO, events[way], fields);
}

static bool has_changed(const struct session *s, const struct session_entry *entry)
{
    struct account_changes *changes = s->host->changes;
    if (changes == NULL) {
        return false;
    }
    return entry->way == SESSION_BY_TICKET ? !account_changes_holds(changes, entry->user, entry->epoch)
                                           : account_changes_outdates(changes, entry->user, entry->epoch);
}

bool session_enter(struct session *s, const struct session_entry *entry)
{
    s->user = entry->user;
    s->name = entry->name;
    s->expires = entry->expires;
    s->tries = 0;
    s->since = s->host->now(s->host->context);
    s->ref.session = s->host->session_number(s->host->context);

    struct directory_entry here = {
        .name = s->name, .user = s->user, .ref = s->ref, .since = s->since, .suite = s->suite, .group = s->group
    };
    struct directory_entry old;
    struct directory_watcher *watchers;
    memcpy(here.source, s->source, sizeof here.source);
    if (directory_insert(s->host->directory, &here, &old, &watchers) != 0) {
        return false;
    }
    s->state = SESSION_IN;
    counter_add(entry->way == SESSION_BY_TICKET ? &s->host->counters->resumed : &s->host->counters->logins, 1);
    counter_add(&s->host->counters->registered, entry->way == SESSION_BY_REGISTERING);
    log_welcome(s, entry->way);
    welcome(s, entry);
    if (old.ref.session != 0) {
        take_over(s, &old);
    }
    tell_watchers(s, watchers);
    directory_watchers_free(&watchers);
    if (s->state == SESSION_IN) {
        s->host->logged_in(s->link);
    }
    if (has_changed(s, entry)) {
        session_close(s, REASON_LOGIN_FAILED);
    }
    return true;
}

void session_resume(struct session *s, const struct ticket *ticket)
{
    const struct session_entry entry = { .way = SESSION_BY_TICKET,
                                         .user = ticket->user,
                                         .name = ticket->name,
                                         .epoch = ticket->epoch,
                                         .issued = ticket->issued,
                                         .expires = ticket->expires };
    struct journal_event event = { .event = AUDIT_RESUME,
                                   .user = ticket->name.text,
                                   .source = s->source,
                                   .detail = "",
                                   .logged_in = ticket->user,
                                   .from = s->host->origin(s->link) };
    if (has_changed(s, &entry)) {
        event.outcome = reason_name(REASON_LOGIN_FAILED);
        event.logged_in = 0;
        s->host->record(s->host->context, &event);
        session_refuse_login(s, REASON_LOGIN_FAILED, ticket->name.text);
        return;
    }
    if (!session_enter(s, &entry)) {
        session_refuse_login(s, REASON_INTERNAL, ticket->name.text);
        return;
    }
    s->host->record(s->host->context, &event);
}
