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
    struct store_user account; /* with its hash */
    struct store_user now;     /* the same after bcrypt */
    char fresh_hash[PASSWORD_HASH_LEN];
    /* Results. */
    enum reason reason;
    uint64_t user;
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
    return result == STORE_OK ? REASON_NONE : reason_of_failure(result);
}

static enum reason login_on_worker(struct login_job *login, struct accounts *accounts)
{
    enum reason reason = login->registers ? make_account(login, accounts) : check_password(login, accounts);
    if (reason == REASON_NONE && !login->registers) {
        rehash(login, accounts);
        reason = look_again(login, accounts);
    }
    if (reason == REASON_NONE) {
        /* Users of another application's table have no last login in ours. */
        const enum store_result result = accounts->logged_in(accounts, login->user);
        reason = result == STORE_OK || result == STORE_NOT_FOUND ? REASON_NONE : reason_of_failure(result);
    }
    return reason;
}

static void run_login(struct job *job, struct accounts *accounts)
{
    struct login_job *login = (struct login_job *)job;
    login->reason = login_on_worker(login, accounts);
    secret_wipe(login->password, sizeof login->password);
    secret_wipe_registers();
    if (login->reason == REASON_UNAVAILABLE || login->reason == REASON_INTERNAL) {
        return;
    }
    const bool in = login->reason == REASON_NONE;
    const char *event = login->registers ? (in ? "register" : "register refused") : (in ? "login" : "login refused");
    /* An audit log that can't be written keeps nobody out: the store has complained by then. */
    (void)!accounts->audit(accounts, event, login->has_name ? login->name.text : "", login->source,
                           in ? "" : reason_name(login->reason));
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

static void refuse_login(struct session *s, enum reason reason, uint32_t retry_after, const char *name)
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
    if (counts_as_try(reason) && ++s->tries >= s->host->config->login_tries) {
        session_close(s, REASON_TRIES);
    }
}

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

static void welcome(struct session *s)
{
    const struct config *config = s->host->config;
    session_send(s, &(struct message){ .type = MESSAGE_WELCOME,
                                       .welcome = { .session = s->ref.session,
                                                    .time = s->since,
                                                    .name = s->name,
                                                    .rekey_messages = config->rekey_messages,
                                                    .rekey_seconds = config->rekey_seconds,
                                                    .ping_seconds = (uint16_t)config->ping_seconds } });
}

static void log_welcome(const struct session *s, bool registered)
{
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
    s->host->log(LOG_INFO, registered ? "registered and logged in" : "logged in", fields);
}

static void enter(struct session *s, const struct login_job *login)
{
    s->user = login->user;
    s->name = login->name;
    s->since = s->host->now(s->host->context);
    s->ref.session = s->host->session_number(s->host->context);

    struct directory_entry entry = {
        .name = s->name, .user = s->user, .ref = s->ref, .since = s->since, .suite = s->suite, .group = s->group
    };
    struct directory_entry old;
    struct directory_watcher *watchers;
    memcpy(entry.source, s->source, sizeof entry.source);
    if (directory_insert(s->host->directory, &entry, &old, &watchers) != 0) {
        refuse_login(s, REASON_INTERNAL, 1, s->name.text);
        return;
    }
    s->state = SESSION_IN;
    counter_add(&s->host->counters->logins, 1);
    log_welcome(s, login->registers);
    welcome(s);
    if (old.ref.session != 0) {
        take_over(s, &old);
    }
    tell_watchers(s, watchers);
    directory_watchers_free(&watchers);
    if (s->state == SESSION_IN) {
        s->host->logged_in(s->link);
    }
}

static void login_done(struct job *job, void *owner)
{
    struct session *s = owner;
    const struct login_job *login = (const struct login_job *)job;
    if (login->reason == REASON_NONE) {
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

    uint32_t retry_after = 0;
    s->state = SESSION_CHECKING;
    if (s->host->submit(s->link, &login->job, &retry_after) != 0) {
        destroy_login(&login->job);
        refuse_login(s, REASON_BUSY, retry_after, name.text);
    }
}
