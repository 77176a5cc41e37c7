/*
 * session_password.c: another password for oneself: change_password in a session; and what login_changing (session_login.c)
 * does the same way.
 *
 * Whoever holds a session doesn't hold the account: the old password is asked for, wrong ones are counted as at a login, and
 * there is one change at a time. A change voids all tickets that were given before and ends any other session that came in by the
 * old password at that very moment; this session goes on, with a new ticket.
 */
#include "kdc/session_internal.h"

#include "crypto/secret.h"
#include "kdc/audit_events.h"
#include "wire/name.h"
#include "wire/reason.h"

#include <string.h>

enum reason session_reason_of_failure(enum store_result result)
{
    return result < 0 ? REASON_UNAVAILABLE : REASON_INTERNAL;
}

enum reason session_reason_of_account(const struct store_user *account, uint64_t now)
{
    switch (account->state) {
    case USER_ACTIVE:
        return account->expires != 0 && account->expires <= now ? REASON_ACCOUNT_EXPIRED : REASON_NONE;
    case USER_PENDING:
        return REASON_ACCOUNT_PENDING;
    case USER_LOCKED:
        return REASON_ACCOUNT_LOCKED;
    case USER_DISABLED:
        break;
    }
    return REASON_ACCOUNT_DISABLED;
}

/* ---- on a worker ---- */

/* Whether it is one of the earlier ones that aren't taken again. */
static enum reason judge_history(struct accounts *accounts, uint64_t user, const struct password_change *change)
{
    char hashes[PASSWORD_HISTORY_MAX][PASSWORD_HASH_LEN];
    size_t count = 0;
    enum reason reason = REASON_NONE;
    if (change->history == 0) {
        return REASON_NONE;
    }
    const enum store_result result = accounts->history(accounts, user, hashes, change->history, &count);
    if (result != STORE_OK) {
        reason = session_reason_of_failure(result);
    }
    for (size_t i = 0; i < count && reason == REASON_NONE; i++) {
        switch (accounts->verify(accounts, change->password, hashes[i])) {
        case PASSWORD_MATCH:
            reason = REASON_PASSWORD_REUSED;
            break;
        case PASSWORD_FAILED:
            reason = REASON_INTERNAL;
            break;
        case PASSWORD_MISMATCH:
        case PASSWORD_BAD_HASH:
            break;
        }
    }
    secret_wipe(hashes, sizeof hashes);
    return reason;
}

/* Nothing was changed: somebody else was quicker, or the account isn't one whose password kdc_user_password knows. */
static enum reason judge_unchanged(struct accounts *accounts, const struct store_user *account)
{
    struct store_user now;
    const enum store_result found = accounts->find(accounts, &account->name, &now);
    const bool same = found == STORE_OK && now.id == account->id && strcmp(now.hash, account->hash) == 0;
    secret_wipe(now.hash, sizeof now.hash);
    if (same && now.state != USER_ACTIVE) { /* an operator has just seen to that */
        return session_reason_of_account(&now, 0);
    }
    if (same) {
        log_line(LOG_ERROR, "a password can't be changed: kdc_user_password doesn't know the account",
                 LOG_TEXT("user", account->name.text));
        return REASON_INTERNAL;
    }
    return found == STORE_OK || found == STORE_NOT_FOUND ? REASON_LOGIN_FAILED : session_reason_of_failure(found);
}

enum reason session_password_set(struct accounts *accounts, struct store_user *account, const char *old,
                                 const struct password_change *change)
{
    char hash[PASSWORD_HASH_LEN];
    if (strcmp(old, change->password) == 0) { /* whoever gave both knows it already: nothing is learned from the time */
        return REASON_PASSWORD_REUSED;
    }
    const enum reason reused = judge_history(accounts, account->id, change);
    if (reused != REASON_NONE) {
        return reused;
    }
    if (accounts->hash(accounts, change->password, change->cost, hash) != PASSWORD_MATCH) {
        return REASON_INTERNAL;
    }
    const enum store_result result = accounts->password(accounts, account->id, account->hash, hash, change->history);
    if (result == STORE_OK) {
        memcpy(account->hash, hash, sizeof account->hash);
    }
    secret_wipe(hash, sizeof hash);
    if (result == STORE_NOT_FOUND) {
        return judge_unchanged(accounts, account);
    }
    return result == STORE_OK ? REASON_NONE : session_reason_of_failure(result);
}

void session_password_record(const struct session_host *host, const char *user, const char *source, enum reason reason)
{
    const struct journal_event event = {
        .event = AUDIT_PASSWORD_CHANGE,
        .user = user,
        .source = source,
        .detail = "",
        .outcome = reason == REASON_NONE ? NULL : reason_name(reason),
    };
    host->record(host->context, &event);
}

/* Secret memory: it holds passwords. */
struct change_job {
    struct guess_job guess; /* of the old one */
    uint32_t request;
    struct session_ref session;
    uint64_t user;
    uint64_t time; /* milliseconds since 1970 UTC, when it was asked for */
    struct name name;
    char source[DIRECTORY_SOURCE_MAX];
    char old[PASSWORD_LEN_MAX + 1]; /* secret */
    struct password_change change;
    struct store_user account; /* with its hash */
    /* Results. */
    enum reason reason;
    uint64_t epoch;   /* the account's new one; 0: unknown */
    uint64_t expires; /* the account; 0: never */
};

static enum reason check_old(struct change_job *job, struct accounts *accounts)
{
    if (!guess_may_look(&job->guess, accounts)) {
        return job->guess.refused;
    }
    const enum store_result found = accounts->find(accounts, &job->name, &job->account);
    if (found != STORE_OK && found != STORE_NOT_FOUND) {
        return session_reason_of_failure(found);
    }
    if (found == STORE_NOT_FOUND || job->account.id != job->user) { /* it is gone: so will be the session */
        return REASON_LOGIN_FAILED;
    }
    switch (accounts->verify(accounts, job->old, job->account.hash)) {
    case PASSWORD_MATCH:
        guess_was(&job->guess, true);
        return session_reason_of_account(&job->account, job->time);
    case PASSWORD_MISMATCH:
    case PASSWORD_BAD_HASH:
        guess_was(&job->guess, false);
        return REASON_LOGIN_FAILED;
    case PASSWORD_FAILED:
        break;
    }
    return REASON_INTERNAL;
}

/* An operator who has locked the account right behind the change has moved its epoch, too: with that one no ticket may be given. */
static void ask_epoch(struct change_job *job, struct accounts *accounts)
{
    struct store_user now;
    if (accounts->find(accounts, &job->name, &now) == STORE_OK && now.id == job->user &&
        strcmp(now.hash, job->account.hash) == 0 && !now.must_change &&
        session_reason_of_account(&now, job->time) == REASON_NONE) {
        job->epoch = now.epoch;
        job->expires = now.expires;
    }
    secret_wipe(now.hash, sizeof now.hash);
}

static void run_change(struct job *running, struct accounts *accounts)
{
    struct change_job *job = (struct change_job *)running;
    job->reason = check_old(job, accounts);
    guess_over(&job->guess);
    if (job->reason == REASON_NONE) {
        job->reason = session_password_set(accounts, &job->account, job->old, &job->change);
    }
    secret_wipe(job->old, sizeof job->old);
    secret_wipe(job->change.password, sizeof job->change.password);
    secret_wipe_registers();
    if (job->reason == REASON_NONE) {
        ask_epoch(job, accounts);
        job->guess.host->account_changed(job->guess.host->context, &job->name, &job->session, REASON_NEW_PASSWORD);
    }
    if (job->reason != REASON_UNAVAILABLE && job->reason != REASON_INTERNAL && job->reason != REASON_PENALTY) {
        session_password_record(job->guess.host, job->name.text, job->source, job->reason);
    }
}

static void destroy_change(struct job *done)
{
    struct change_job *job = (struct change_job *)done;
    secret_free(&job);
}

/* ---- on the session's thread ---- */

static void tell_changed(struct session *s, const struct change_job *job)
{
    uint8_t ticket[TICKET_LEN];
    const struct session_entry entry = {
        .way = SESSION_BY_LOGIN, .user = s->user, .name = s->name, .epoch = job->epoch, .expires = job->expires
    };
    const unsigned seconds = session_seal_ticket(s, &entry, s->host->now(s->host->context), ticket);
    const struct log_field fields[] = { LOG_TEXT("user", s->name.text),
                                        LOG_NUMBER("session", s->ref.session),
                                        LOG_TEXT("source", s->source),
                                        { .key = NULL } };
    s->host->log(LOG_INFO, "changed the password", fields);
    s->tries = 0;
    session_request_end(s, job->request);
    session_send(s, &(struct message){ .type = MESSAGE_PASSWORD_CHANGED,
                                       .password_changed = { .request = job->request,
                                                             .ticket_seconds = seconds,
                                                             .ticket = { ticket, seconds > 0 ? sizeof ticket : 0 } } });
}

static void change_done(struct job *done, void *owner)
{
    struct session *s = owner;
    const struct change_job *job = (const struct change_job *)done;
    uint32_t retry_after = 0;
    const enum reason refused = session_guess_back(s, &job->guess, &retry_after);
    if (refused != REASON_NONE) {
        session_refuse(s, job->request, refused, retry_after);
        return;
    }
    if (job->reason == REASON_NONE) {
        tell_changed(s, job);
        return;
    }
    session_refuse(s, job->request, job->reason, job->reason == REASON_UNAVAILABLE ? RETRY_UNAVAILABLE : 0);
    if (job->reason == REASON_LOGIN_FAILED && ++s->tries >= s->host->config->login_tries) {
        session_close(s, REASON_TRIES);
    }
}

void session_change_password(struct session *s, const struct message_change_password *m)
{
    if (!session_request_begin(s, m->request, false)) {
        return;
    }
    const enum reason refused = password_policy_judge(s->host->passwords, &s->name, m->new);
    if (refused != REASON_NONE) {
        session_refuse(s, m->request, refused, 0);
        return;
    }
    struct change_job *job = secret_alloc(sizeof *job);
    if (job == NULL) {
        session_refuse(s, m->request, REASON_INTERNAL, 1);
        return;
    }
    job->guess.job =
        (struct job){ .class = JOB_PASSWORD, .run = run_change, .done = change_done, .destroy = destroy_change };
    job->guess.name = &job->name;
    job->guess.source = job->source;
    job->request = m->request;
    job->session = s->ref;
    job->user = s->user;
    job->time = s->host->now(s->host->context);
    job->name = s->name;
    memcpy(job->source, s->source, sizeof job->source);
    if (password_check(m->old) == REASON_NONE) { /* else it stays empty, and is wrong */
        memcpy(job->old, m->old.data, m->old.len);
    }
    session_password_take(&job->change, s->host, m->new);
    session_guess(s, &job->guess);
}

void session_password_take(struct password_change *change, const struct session_host *host, struct bytes password)
{
    memcpy(change->password, password.data, password.len); /* 72 at most: judged */
    secret_wipe_registers();                               /* copying went through them */
    change->password[password.len] = '\0';
    change->cost = host->config->bcrypt_cost;
    change->history = host->config->password_history;
}
