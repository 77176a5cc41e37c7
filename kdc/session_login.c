/*
 * session_login.c: login and register.
 *
 * Whether a name exists shows neither in the answer nor in its time: for an unknown one a bcrypt of the policy's cost is
 * computed all the same, and for a hash of a lower cost what is missing to that. What is wrong with an account is told
 * only to somebody who knows its password.
 */
#include "kdc/session_register.h"

#include "crypto/secret.h"
#include "kdc/audit_events.h"
#include "wire/name.h"
#include "wire/reason.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BCRYPT_COST_MIN 4 /* of any hash */

/* Secret memory: it holds the password. */
struct login_job {
    struct guess_job guess;
    bool registers;
    bool activates; /* or asks for another code */
    bool changes;   /* another password, on the way in */
    bool has_name;  /* the typed one is allowed */
    struct name name;
    char password[PASSWORD_LEN_MAX + 1]; /* secret */
    unsigned cost;
    struct password_change change;
    struct registering registering;
    uint64_t time; /* milliseconds since 1970 UTC, when it began */
    char source[DIRECTORY_SOURCE_MAX];
    const struct session_host *host; /* for `record` alone, which any thread may call */
    struct store_user account;       /* with its hash */
    struct store_user now;           /* the same after bcrypt */
    char fresh_hash[PASSWORD_HASH_LEN];
    /* Results. */
    enum reason reason;
    uint64_t user;
    uint64_t epoch;   /* the account's, for a ticket; 0: unknown */
    uint64_t expires; /* the account; 0: never */
};

/* Whether one may come in to that account, whose password is right. */
static enum reason reason_of_account(const struct login_job *login, const struct store_user *account)
{
    const enum reason reason = session_reason_of_account(account, login->time);
    return reason == REASON_NONE && account->must_change && !login->changes ? REASON_MUST_CHANGE : reason;
}

/* A wrong password took 2^c of the hash's own cost c. With dummies of c, c + 1, ... it makes up the policy's 2^cost. */
static void make_up_time(const struct login_job *login, struct accounts *accounts)
{
    static const size_t prefix_len = sizeof "$2b$" - 1;
    const char *hash = login->account.hash;
    const unsigned long own = strnlen(hash, PASSWORD_HASH_LEN) > prefix_len ? strtoul(hash + prefix_len, NULL, 10) : 0;
    for (unsigned cost = (unsigned)own; own >= BCRYPT_COST_MIN && cost < login->cost; cost++) {
        accounts->verify_nobody(accounts, login->password, cost);
    }
}

/* REASON_NONE: the password is right and the account may be used. */
static enum reason check_password(struct login_job *login, struct accounts *accounts)
{
    enum store_result found = STORE_NOT_FOUND;
    if (!guess_may_look(&login->guess, accounts)) {
        return login->guess.refused;
    }
    if (login->has_name) {
        found = accounts->find(accounts, &login->name, &login->account);
    }
    if (found == STORE_NOT_FOUND) {
        accounts->verify_nobody(accounts, login->password, login->cost);
        guess_was(&login->guess, false);
        return REASON_LOGIN_FAILED;
    }
    if (found != STORE_OK) {
        return session_reason_of_failure(found);
    }
    switch (accounts->verify(accounts, login->password, login->account.hash)) {
    case PASSWORD_MATCH:
        guess_was(&login->guess, true);
        login->user = login->account.id;
        return reason_of_account(login, &login->account);
    case PASSWORD_MISMATCH:
        make_up_time(login, accounts);
        guess_was(&login->guess, false);
        return REASON_LOGIN_FAILED;
    case PASSWORD_BAD_HASH:
        log_line(LOG_ERROR, "an account's hash is not bcrypt", LOG_TEXT("user", login->name.text));
        accounts->verify_nobody(accounts, login->password, login->cost);
        guess_was(&login->guess, false);
        return REASON_LOGIN_FAILED;
    case PASSWORD_FAILED:
        break;
    }
    return REASON_INTERNAL;
}

/* A hash of another cost or prefix than the policy's is replaced while the password is at hand. That this fails is no
 * reason to keep anyone out. */
static void rehash(struct login_job *login, struct accounts *accounts)
{
    if (accounts->outdated(accounts, login->account.hash, login->cost) &&
        accounts->hash(accounts, login->password, login->cost, login->fresh_hash) == PASSWORD_MATCH &&
        accounts->rehash(accounts, login->user, login->account.hash, login->fresh_hash) == STORE_OK) {
        memcpy(login->account.hash, login->fresh_hash, sizeof login->account.hash);
    }
}

/* While bcrypt computed, the account may have been locked or deleted, or its password changed; and whoever did it found no
 * session to end. */
static enum reason look_again(struct login_job *login, struct accounts *accounts)
{
    const enum store_result found = accounts->find(accounts, &login->name, &login->now);
    if (found != STORE_OK) {
        return found == STORE_NOT_FOUND ? REASON_LOGIN_FAILED : session_reason_of_failure(found);
    }
    if (login->now.id != login->user || strcmp(login->now.hash, login->account.hash) != 0) {
        return REASON_LOGIN_FAILED;
    }
    login->epoch = login->now.epoch;
    login->expires = login->now.expires;
    return reason_of_account(login, &login->now);
}

/* A wrong invitation costs its source what a wrong password does. */
static enum reason make_account(struct login_job *login, struct accounts *accounts)
{
    struct registering *r = &login->registering;
    if (!guess_may_look(&login->guess, accounts)) {
        return login->guess.refused;
    }
    const enum reason reason = session_register_account(r, accounts, &login->name, login->password, login->cost);
    if (reason == REASON_INVITATION) {
        guess_was(&login->guess, false);
    }
    login->user = r->user;
    login->epoch = r->epoch;
    return reason;
}

static enum reason change_password(struct login_job *login, struct accounts *accounts)
{
    const enum reason reason = session_password_set(accounts, &login->account, login->password, &login->change);
    if (reason == REASON_NONE) {
        login->host->account_changed(login->host->context, &login->name, NULL, REASON_NEW_PASSWORD);
    }
    if (reason != REASON_UNAVAILABLE && reason != REASON_INTERNAL) {
        session_password_record(login->host, login->name.text, login->source, reason);
    }
    return reason;
}

static enum reason login_on_worker(struct login_job *login, struct accounts *accounts)
{
    enum reason reason = login->registers ? make_account(login, accounts) : check_password(login, accounts);
    if (reason == REASON_ACCOUNT_PENDING && login->activates) {
        reason = session_activate_account(&login->registering, accounts, &login->name, login->user);
        if (reason == REASON_CODE) {
            guess_was(&login->guess, false); /* many accounts, a few codes each: that is guessing, too */
        }
    }
    if (reason != REASON_NONE || login->registers) {
        return reason;
    }
    if (login->changes) {
        reason = change_password(login, accounts);
    } else {
        rehash(login, accounts);
    }
    return reason == REASON_NONE ? look_again(login, accounts) : reason;
}

/* For the audit log; also when the client has gone meanwhile: nobody tries passwords unseen by not waiting for the answer. What
 * isn't looked at, being under penalty, isn't tried: one event when that begins is enough. */
static void record(const struct login_job *login)
{
    const bool in = login->reason == REASON_NONE;
    const struct journal_event event = {
        .event = login->registers ? AUDIT_REGISTER : AUDIT_LOGIN,
        .user = login->has_name ? login->name.text : "",
        .source = login->source,
        .detail = "",
        .outcome = in ? NULL : reason_name(login->reason),
        .logged_in = in ? login->user : 0,
        .from = login->guess.origin,
    };
    login->host->record(login->host->context, &event);
}

static void run_login(struct job *job, struct accounts *accounts)
{
    struct login_job *login = (struct login_job *)job;
    login->reason = login_on_worker(login, accounts);
    guess_over(&login->guess);
    secret_wipe(login->password, sizeof login->password);
    secret_wipe(login->change.password, sizeof login->change.password);
    secret_wipe(login->registering.typed, sizeof login->registering.typed);
    secret_wipe_registers();
    if (login->reason != REASON_UNAVAILABLE && login->reason != REASON_INTERNAL && login->reason != REASON_PENALTY) {
        record(login);
    }
}

static void destroy_login(struct job *job)
{
    struct login_job *login = (struct login_job *)job;
    secret_free(&login);
}

/* ---- on the session's thread ---- */

static bool counts_as_try(enum reason reason)
{
    return reason != REASON_BUSY && reason != REASON_UNAVAILABLE && reason != REASON_INTERNAL &&
           reason != REASON_MUST_CHANGE && reason != REASON_ACCOUNT_PENDING && reason != REASON_TOO_MANY;
}

static void tell_refused(struct session *s, enum reason reason, uint32_t retry_after, const char *name)
{
    s->state = SESSION_LOGIN;
    counter_add(&s->host->counters->refused[reason], 1);
    s->host->log(reason == REASON_PENALTY ? LOG_DEBUG : LOG_INFO, /* when that began was told */
                 "refused a login",
                 (const struct log_field[]){ LOG_TEXT("user", name),
                                             LOG_TEXT("reason", reason_name(reason)),
                                             LOG_TEXT("source", s->source),
                                             { .key = NULL } });
    session_send(s, &(struct message){ .type = MESSAGE_REFUSED,
                                       .refused = { .request = 0, .reason = reason, .retry_after = retry_after } });
}

static void refuse_login(struct session *s, enum reason reason, uint32_t retry_after, const char *name)
{
    tell_refused(s, reason, retry_after, name);
    if (counts_as_try(reason) && ++s->tries >= s->host->config->login_tries) {
        session_close(s, REASON_TRIES);
    }
}

void session_refuse_login(struct session *s, enum reason reason, const char *name)
{
    tell_refused(s, reason, 0, name);
}

static void enter(struct session *s, const struct login_job *login)
{
    const struct session_entry entry = { .way = login->registers ? SESSION_BY_REGISTERING : SESSION_BY_LOGIN,
                                         .user = login->user,
                                         .name = login->name,
                                         .epoch = login->epoch,
                                         .expires = login->expires };
    session_guesses_drop(s);
    if (!session_enter(s, &entry)) {
        refuse_login(s, REASON_INTERNAL, 1, s->name.text);
    }
}

static void login_done(struct job *job, void *owner)
{
    struct session *s = owner;
    const struct login_job *login = (const struct login_job *)job;
    uint32_t retry_after = 0;
    const enum reason refused = session_guess_back(s, &login->guess, &retry_after);
    if (refused != REASON_NONE) {
        refuse_login(s, refused, retry_after, login->name.text);
    } else if (login->reason == REASON_NONE) {
        enter(s, login);
    } else {
        const uint32_t later = login->reason == REASON_UNAVAILABLE ? RETRY_UNAVAILABLE : 0;
        const uint32_t told = login->registering.retry_after;
        refuse_login(s, login->reason, told > 0 ? told : later, login->name.text);
        /* Asking for a code is none, but nobody makes account after account on one connection. */
        const bool made =
            login->registers && (login->reason == REASON_ACCOUNT_PENDING || login->reason == REASON_TOO_MANY);
        if (made && s->state == SESSION_LOGIN && ++s->tries >= s->host->config->login_tries) {
            session_close(s, REASON_TRIES);
        }
    }
}

/* What can be said without asking anybody; the same for every account, so it gives nothing away. */
static enum reason judge(const struct session *s, const struct message *m, const struct name *name, bool has_name)
{
    if (m->type == MESSAGE_REGISTER) {
        const enum reason refused = session_registering_judge(s, &m->registering);
        if (refused == REASON_REGISTRATION_CLOSED) {
            return refused;
        }
        if (!has_name) {
            return REASON_NAME;
        }
        const enum reason password = password_policy_judge(s->host->passwords, name, m->credentials.password);
        return password != REASON_NONE ? password : refused;
    }
    const enum reason reason = password_check(m->credentials.password);
    if (reason == REASON_NONE && m->type == MESSAGE_LOGIN_CHANGING) {
        return password_policy_judge(s->host->passwords, has_name ? name : NULL, m->login_changing.new);
    }
    return reason;
}

void session_login(struct session *s, const struct message *m)
{
    struct name name;
    const bool has_name = name_parse(m->credentials.name, &name) == 0;
    const enum reason refused = judge(s, m, &name, has_name);
    if (refused != REASON_NONE) {
        const struct journal_event event = {
            .event = m->type == MESSAGE_REGISTER ? AUDIT_REGISTER : AUDIT_LOGIN,
            .user = has_name ? name.text : "",
            .source = s->source,
            .detail = "",
            .outcome = reason_name(refused),
        };
        s->host->record(s->host->context, &event);
        refuse_login(s, refused, 0, name.text);
        return;
    }
    struct login_job *login = secret_alloc(sizeof *login);
    if (login == NULL) {
        refuse_login(s, REASON_INTERNAL, 1, name.text);
        return;
    }
    login->guess.job =
        (struct job){ .class = JOB_PASSWORD, .run = run_login, .done = login_done, .destroy = destroy_login };
    login->registers = m->type == MESSAGE_REGISTER;
    login->activates = m->type == MESSAGE_ACTIVATE;
    login->changes = m->type == MESSAGE_LOGIN_CHANGING;
    login->time = s->host->now(s->host->context);
    if (login->changes) {
        session_password_take(&login->change, s->host, m->login_changing.new);
    }
    if (login->registers) {
        session_registering_take(&login->registering, s, &m->registering, (struct bytes){ NULL, 0 });
    } else if (login->activates) {
        session_registering_take(&login->registering, s, NULL, m->activate.code);
    }
    login->has_name = has_name;
    login->name = name;
    memcpy(login->password, m->credentials.password.data, m->credentials.password.len); /* 72 at most: judged */
    login->cost = s->host->config->bcrypt_cost;
    memcpy(login->source, s->source, sizeof login->source);
    login->host = s->host;

    s->state = SESSION_CHECKING;
    login->guess.name = has_name && !login->registers ? &login->name : NULL; /* of an account that is there, perhaps */
    login->guess.source = login->source;
    session_guess(s, &login->guess);
}
