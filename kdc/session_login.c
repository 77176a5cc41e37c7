/*
 * session_login.c: login and register.
 *
 * Whether a name exists shows neither in the answer nor in its time: for an unknown one a bcrypt of the policy's cost is
 * computed all the same, and for a hash of a lower cost what is missing to that. What is wrong with an account is told
 * only to somebody who knows its password.
 */
#include "kdc/session_internal.h"

#include "crypto/secret.h"
#include "wire/name.h"
#include "wire/reason.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BCRYPT_COST_MIN 4 /* of any hash */

/* Secret memory: it holds the password. */
struct login_job {
    struct job job;
    bool registers;
    bool has_name; /* the typed one is allowed */
    struct name name;
    char password[PASSWORD_LEN_MAX + 1]; /* secret */
    unsigned cost;
    char source[DIRECTORY_SOURCE_MAX];
    const struct session_host *host; /* for `record` alone, which any thread may call */
    struct store_user account;       /* with its hash */
    struct store_user now;           /* the same after bcrypt */
    char fresh_hash[PASSWORD_HASH_LEN];
    /* Results. */
    enum reason reason;
    uint64_t user;
    uint64_t epoch; /* the account's, for a ticket; 0: unknown */
};

static enum reason reason_of_state(enum user_state state)
{
    switch (state) {
    case USER_ACTIVE:
        return REASON_NONE;
    case USER_PENDING:
        return REASON_ACCOUNT_PENDING;
    case USER_LOCKED:
        return REASON_ACCOUNT_LOCKED;
    case USER_DISABLED:
        break;
    }
    return REASON_ACCOUNT_DISABLED;
}

/* "We failed" in its two kinds. */
static enum reason reason_of_failure(enum store_result result)
{
    return result == STORE_UNAVAILABLE ? REASON_UNAVAILABLE : REASON_INTERNAL;
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
    if (login->has_name) {
        found = accounts->find(accounts, &login->name, &login->account);
    }
    if (found == STORE_NOT_FOUND) {
        accounts->verify_nobody(accounts, login->password, login->cost);
        return REASON_LOGIN_FAILED;
    }
    if (found != STORE_OK) {
        return reason_of_failure(found);
    }
    switch (accounts->verify(accounts, login->password, login->account.hash)) {
    case PASSWORD_MATCH:
        login->user = login->account.id;
        return reason_of_state(login->account.state);
    case PASSWORD_MISMATCH:
        make_up_time(login, accounts);
        return REASON_LOGIN_FAILED;
    case PASSWORD_BAD_HASH:
        log_line(LOG_ERROR, "an account's hash is not bcrypt", LOG_TEXT("user", login->name.text));
        accounts->verify_nobody(accounts, login->password, login->cost);
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
        return found == STORE_NOT_FOUND ? REASON_LOGIN_FAILED : reason_of_failure(found);
    }
    if (login->now.id != login->user || strcmp(login->now.hash, login->account.hash) != 0) {
        return REASON_LOGIN_FAILED;
    }
    login->epoch = login->now.epoch;
    return reason_of_state(login->now.state);
}

static enum reason make_account(struct login_job *login, struct accounts *accounts)
{
    enum store_result result = accounts->find(accounts, &login->name, &login->account);
    if (result == STORE_OK) {
        return REASON_NAME_TAKEN;
    }
    if (result != STORE_NOT_FOUND) {
        return reason_of_failure(result);
    }
    if (accounts->hash(accounts, login->password, login->cost, login->fresh_hash) != PASSWORD_MATCH) {
        return REASON_INTERNAL;
    }
    result = accounts->add(accounts, &login->name, login->fresh_hash, &login->user);
    if (result == STORE_EXISTS) { /* somebody was quicker */
        return REASON_NAME_TAKEN;
    }
    if (result != STORE_OK) {
        return reason_of_failure(result);
    }
    /* The account is there; that its epoch can't be asked for costs a ticket and nothing else. */
    if (accounts->find(accounts, &login->name, &login->now) == STORE_OK && login->now.id == login->user &&
        strcmp(login->now.hash, login->fresh_hash) == 0) {
        login->epoch = login->now.epoch;
    }
    return REASON_NONE;
}

static enum reason login_on_worker(struct login_job *login, struct accounts *accounts)
{
    enum reason reason = login->registers ? make_account(login, accounts) : check_password(login, accounts);
    if (reason == REASON_NONE && !login->registers) {
        rehash(login, accounts);
        reason = look_again(login, accounts);
    }
    return reason;
}

/* For the audit log; also when the client has gone meanwhile: nobody tries passwords unseen by not waiting for the answer. */
static void record(const struct login_job *login)
{
    const bool in = login->reason == REASON_NONE;
    const struct journal_event event = {
        .event = login->registers ? (in ? "register" : "register refused") : (in ? "login" : "login refused"),
        .user = login->has_name ? login->name.text : "",
        .source = login->source,
        .detail = in ? "" : reason_name(login->reason),
        .logged_in = in ? login->user : 0,
    };
    login->host->record(login->host->context, &event);
}

static void run_login(struct job *job, struct accounts *accounts)
{
    struct login_job *login = (struct login_job *)job;
    login->reason = login_on_worker(login, accounts);
    secret_wipe(login->password, sizeof login->password);
    secret_wipe_registers();
    if (login->reason != REASON_UNAVAILABLE && login->reason != REASON_INTERNAL) {
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
    return reason != REASON_BUSY && reason != REASON_UNAVAILABLE && reason != REASON_INTERNAL;
}

static void tell_refused(struct session *s, enum reason reason, uint32_t retry_after, const char *name)
{
    s->state = SESSION_LOGIN;
    counter_add(&s->host->counters->refused[reason], 1);
    s->host->log(LOG_INFO, "refused a login",
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
                                         .epoch = login->epoch };
    if (!session_enter(s, &entry)) {
        refuse_login(s, REASON_INTERNAL, 1, s->name.text);
    }
}

static void login_done(struct job *job, void *owner)
{
    struct session *s = owner;
    const struct login_job *login = (const struct login_job *)job;
    if (job->busy) {
        refuse_login(s, REASON_BUSY, job->retry_after, login->name.text);
    } else if (login->reason == REASON_NONE) {
        enter(s, login);
    } else {
        refuse_login(s, login->reason, login->reason == REASON_UNAVAILABLE ? RETRY_UNAVAILABLE : 0, login->name.text);
    }
}

/* What can be said without asking anybody; the same for every account, so it gives nothing away. */
static enum reason judge(const struct session *s, const struct message *m, bool has_name)
{
    if (m->type == MESSAGE_REGISTER) {
        if (s->host->config->registration == REGISTRATION_CLOSED) {
            return REASON_REGISTRATION_CLOSED;
        }
        if (!has_name) {
            return REASON_NAME;
        }
    }
    return password_check(m->credentials.password);
}

void session_login(struct session *s, const struct message *m)
{
    struct name name;
    const bool has_name = name_parse(m->credentials.name, &name) == 0;
    const enum reason refused = judge(s, m, has_name);
    if (refused != REASON_NONE) {
        refuse_login(s, refused, 0, name.text);
        return;
    }
    struct login_job *login = secret_alloc(sizeof *login);
    if (login == NULL) {
        refuse_login(s, REASON_INTERNAL, 1, name.text);
        return;
    }
    login->job = (struct job){ .class = JOB_PASSWORD, .run = run_login, .done = login_done, .destroy = destroy_login };
    login->registers = m->type == MESSAGE_REGISTER;
    login->has_name = has_name;
    login->name = name;
    memcpy(login->password, m->credentials.password.data, m->credentials.password.len); /* 72 at most: judged */
    login->cost = s->host->config->bcrypt_cost;
    memcpy(login->source, s->source, sizeof login->source);
    login->host = s->host;

    s->state = SESSION_CHECKING;
    s->host->submit(s->link, &login->job);
}
