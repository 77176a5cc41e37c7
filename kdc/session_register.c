/*
 * session_register.c: making an account, and the codes that are mailed to activate or give it up.
 *
 * Under the policy `email` an account is pending until the code that was mailed is typed: so whoever registers shows that they
 * read that address. What registering tells to others about an address: nothing, but where each may be one account's only,
 * that it is another's. In particular an address that has had many mails gets no more for a while, and nobody hears of that.
 */
#include "kdc/session_register.h"

#include "crypto/secret.h"
#include "kdc/audit_events.h"
#include "kdc/mailer.h"
#include "kdc/penalties.h"
#include "wire/reason.h"

#include <string.h>

#define RETRY_NO_MAIL 60 /* seconds: the queue is full, so the mail server is away, or overrun */

/* ---- on the session's thread ---- */

enum reason session_registering_judge(const struct session *s, const struct message_register *m)
{
    const struct config *config = s->host->config;
    char digest[CODE_DIGEST_ROOM];
    struct email email;
    struct phone phone;
    if (config->registration == REGISTRATION_CLOSED) {
        return REASON_REGISTRATION_CLOSED;
    }
    if (config->registration == REGISTRATION_INVITE && code_invitation_digest(m->code, digest) != 0) {
        return REASON_INVITATION;
    }
    const bool needs_email = config->registration == REGISTRATION_EMAIL || config->require_email;
    if ((needs_email || m->email.len > 0) && email_parse(m->email, &email) != 0) {
        return REASON_EMAIL;
    }
    if (m->phone.len > 0 && phone_parse(m->phone, &phone) != 0) {
        return REASON_PHONE;
    }
    return REASON_NONE;
}

void session_registering_take(struct registering *r, const struct session *s, const struct message_register *m,
                              struct bytes typed)
{
    const struct config *config = s->host->config;
    r->host = s->host;
    memcpy(r->source, s->source, sizeof r->source);
    r->origin = s->host->origin(s->link);
    r->mailing = config->mail_server[0] != '\0';
    r->by_code = config->registration == REGISTRATION_EMAIL;
    r->minutes = config->activation_minutes;
    r->tries = config->code_tries;
    r->mails = config->code_mails;
    r->typed_len = typed.len <= sizeof r->typed ? typed.len : 0;
    if (r->typed_len > 0) {
        memcpy(r->typed, typed.data, r->typed_len);
    }
    if (m == NULL) {
        return;
    }
    /* They were judged: what fails now is absent. */
    struct store_registration *account = &r->account;
    account->unique = config->contact_unique;
    (void)!email_parse(m->email, &account->email);
    (void)!phone_parse(m->phone, &account->phone);
    if (config->registration == REGISTRATION_INVITE) {
        (void)!code_invitation_digest(m->code, account->invitation);
    }
}

/* ---- on a worker ---- */

void session_register_record(const struct registering *r, const char *event, const struct name *name,
                             enum reason reason)
{
    const struct journal_event entry = {
        .event = event,
        .user = name->text,
        .source = r->source,
        .detail = "",
        .outcome = reason == REASON_NONE ? NULL : reason_name(reason),
    };
    r->host->record(r->host->context, &entry);
}

static enum reason reason_of_registered(enum store_registered outcome)
{
    switch (outcome) {
    case REGISTERED:
        return REASON_NONE;
    case REGISTERED_NO_INVITATION:
        return REASON_INVITATION;
    case REGISTERED_NAME_TAKEN:
        return REASON_NAME_TAKEN;
    case REGISTERED_EMAIL_TAKEN:
        return REASON_EMAIL_TAKEN;
    case REGISTERED_PHONE_TAKEN:
        return REASON_PHONE_TAKEN;
    }
    return REASON_INTERNAL;
}

static enum reason reason_of_code(enum store_code_outcome outcome)
{
    switch (outcome) {
    case CODE_OUTCOME_OK:
    case CODE_OUTCOME_QUIET:
        return REASON_NONE;
    case CODE_OUTCOME_MANY:
        return REASON_TOO_MANY;
    case CODE_OUTCOME_EMAIL:
        return REASON_EMAIL;
    case CODE_OUTCOME_WRONG:
        return REASON_CODE;
    case CODE_OUTCOME_EXPIRED:
    case CODE_OUTCOME_STATE:
        return REASON_CODE_EXPIRED;
    }
    return REASON_INTERNAL;
}

static bool can_mail(struct registering *r)
{
    const bool can = r->host->mail != NULL && r->host->mail(r->host->context, NULL) == 0;
    r->retry_after = can ? 0 : RETRY_NO_MAIL;
    return can;
}

/* To r->to. */
static enum reason post_code(struct registering *r, const struct name *name, enum code_purpose purpose,
                             const char *code)
{
    struct letter letter = { .to = r->to, .name = *name, .purpose = purpose, .minutes = r->minutes };
    memcpy(letter.code, code, sizeof letter.code);
    const bool posted = r->host->mail(r->host->context, &letter) == 0;
    secret_wipe(&letter, sizeof letter);
    r->retry_after = posted ? 0 : RETRY_NO_MAIL;
    return posted ? REASON_NONE : REASON_UNAVAILABLE;
}

enum reason session_mail_code(struct registering *r, struct accounts *accounts, const struct name *name, uint64_t user,
                              enum code_purpose purpose)
{
    struct store_code new = {
        .user = user, .purpose = purpose, .seconds = 60 * r->minutes, .tries = r->tries, .mails = r->mails
    };
    char code[CODE_MAILED_ROOM];
    enum store_code_outcome outcome = CODE_OUTCOME_STATE;
    enum reason reason = REASON_INTERNAL;
    if (!r->mailing) {
        return REASON_EMAIL;
    }
    if (!can_mail(r)) {
        return REASON_UNAVAILABLE;
    }
    if (code_mailed_make(r->host->rng, code) == 0 &&
        code_mailed_digest(purpose, user, (struct bytes){ (const uint8_t *)code, CODE_MAILED_DIGITS }, new.digest) ==
            0) {
        const enum store_result result = accounts->code_new(accounts, &new, &outcome, &r->to, &r->retry_after);
        reason = result != STORE_OK ? session_reason_of_failure(result) : reason_of_code(outcome);
    }
    if (reason == REASON_CODE_EXPIRED) { /* another application's account, or one that an operator made pending */
        reason = REASON_EMAIL;
    }
    if (reason == REASON_NONE && outcome == CODE_OUTCOME_OK) {
        reason = post_code(r, name, purpose, code);
        session_register_record(r, AUDIT_CODE_MAILED, name, reason);
    } else if (reason == REASON_NONE) {
        log_line(LOG_WARN, "mailed no code: too many for one address", LOG_TEXT("user", name->text),
                 LOG_TEXT("source", r->source));
    }
    secret_wipe(code, sizeof code);
    secret_wipe(new.digest, sizeof new.digest);
    return reason;
}

enum reason session_use_code(struct registering *r, struct accounts *accounts, uint64_t user, enum code_purpose purpose)
{
    char digest[CODE_DIGEST_ROOM];
    enum store_code_outcome outcome = CODE_OUTCOME_STATE;
    if (code_mailed_digest(purpose, user, (struct bytes){ (const uint8_t *)r->typed, r->typed_len }, digest) != 0) {
        return REASON_CODE; /* what can't be a code costs no try */
    }
    const enum store_result result = accounts->code_use(accounts, user, purpose, digest, &outcome, &r->epoch);
    secret_wipe(digest, sizeof digest);
    return result != STORE_OK ? session_reason_of_failure(result) : reason_of_code(outcome);
}

/* Accounts that nobody may ever activate take names, and mail strangers: a source makes so many an hour. */
static bool may_make(struct registering *r)
{
    const struct session_host *host = r->host;
    if (host->registrations == NULL) {
        return true;
    }
    const uint64_t now = host->now(host->context);
    r->retry_after = penalties_ask(host->registrations, NULL, &r->origin, false, now).retry_after;
    if (r->retry_after == 0) {
        (void)penalties_failed(host->registrations, NULL, &r->origin, false, now);
    }
    return r->retry_after == 0;
}

/* What can be known before bcrypt is paid for. Not with an invitation: whether a name is taken is told to who has one. */
static enum reason look_first(struct registering *r, struct accounts *accounts, const struct name *name)
{
    struct store_user taken;
    if (r->account.invitation[0] != '\0') {
        return REASON_NONE;
    }
    const enum store_result result = accounts->find(accounts, name, &taken);
    secret_wipe(taken.hash, sizeof taken.hash);
    if (result != STORE_NOT_FOUND) {
        return result == STORE_OK ? REASON_NAME_TAKEN : session_reason_of_failure(result);
    }
    if (!r->by_code) {
        return REASON_NONE;
    }
    /* Without mail nobody could ever activate it: rather no account than a dead one. */
    if (!can_mail(r)) {
        return REASON_UNAVAILABLE;
    }
    return may_make(r) ? REASON_NONE : REASON_TOO_MANY;
}

enum reason session_register_account(struct registering *r, struct accounts *accounts, const struct name *name,
                                     const char *password, unsigned cost)
{
    struct store_registration *account = &r->account;
    enum store_registered outcome = REGISTERED;
    const enum reason refused = look_first(r, accounts, name);
    if (refused != REASON_NONE) {
        return refused;
    }
    if (accounts->hash(accounts, password, cost, account->hash) != PASSWORD_MATCH) {
        return REASON_INTERNAL;
    }
    account->name = *name;
    account->pending = r->by_code;
    const enum store_result result = accounts->enroll(accounts, account, &outcome, &r->user, &r->epoch);
    if (result != STORE_OK) {
        return session_reason_of_failure(result);
    }
    enum reason reason = reason_of_registered(outcome);
    if (reason == REASON_NONE && account->pending) {
        /* The account is there. If this code gets lost, the next one may be asked for. */
        (void)session_mail_code(r, accounts, name, r->user, CODE_ACTIVATE);
        r->retry_after = 0;
        reason = REASON_ACCOUNT_PENDING;
    }
    return reason;
}

enum reason session_activate_account(struct registering *r, struct accounts *accounts, const struct name *name,
                                     uint64_t user)
{
    if (r->typed_len == 0) {
        const enum reason reason = session_mail_code(r, accounts, name, user, CODE_ACTIVATE);
        return reason == REASON_NONE ? REASON_ACCOUNT_PENDING : reason;
    }
    const enum reason reason = session_use_code(r, accounts, user, CODE_ACTIVATE);
    if (reason == REASON_NONE) {
        r->host->account_changed(r->host->context, name, NULL, REASON_ACCOUNT_PENDING);
    }
    if (reason != REASON_UNAVAILABLE && reason != REASON_INTERNAL) {
        session_register_record(r, AUDIT_ACTIVATE, name, reason);
    }
    return reason;
}
