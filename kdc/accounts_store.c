#include "kdc/accounts_store.h"

#include "kdc/clock.h"
#include "kdc/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAUSE_QUIET_MS 1000
/* A hash of which nothing was found to replace belongs to another application's table, most likely: then each login would compute
 * one for nothing. If its owner has just changed it, the others' turn comes a little later. */
#define NO_REHASH_MS 600000

struct accounts_store {
    struct accounts accounts; /* first: the table points back to us */
    struct store *store;
    struct database_state *state;
    struct database_connection connection; /* the state's list has it */
    bool trying;                           /* it is we who ask while it is away */
};

static struct accounts_store *self(struct accounts *accounts)
{
    return (struct accounts_store *)accounts;
}

int database_state_init(struct database_state *state)
{
    state->looked = false;
    state->reachable = false;
    state->away =
        false; /* until somebody has looked: who logs in first isn't refused because another is just looking */
    state->trying = false;
    state->told = 0;
    (void)snprintf(state->cause, sizeof state->cause, "nobody has asked it yet");
    state->changed = 0;
    state->failed = 0;
    state->error[0] = '\0';
    state->connections = NULL;
    state->troubles = (struct call_troubles){ 0 };
    state->no_rehash_until = 0;
    return pthread_mutex_init(&state->lock, NULL) == 0 ? 0 : -1;
}

void database_state_clear(struct database_state *state)
{
    pthread_mutex_destroy(&state->lock);
}

bool database_state_get(struct database_state *state, char cause[DATABASE_CAUSE_MAX])
{
    pthread_mutex_lock(&state->lock);
    const bool reachable = state->reachable;
    (void)snprintf(cause, DATABASE_CAUSE_MAX, "%s",
                   reachable ? call_troubles_cause(&state->troubles, clock_monotonic_ms()) : state->cause);
    pthread_mutex_unlock(&state->lock);
    return reachable;
}

struct database_report database_state_report(struct database_state *state)
{
    struct database_report report;
    pthread_mutex_lock(&state->lock);
    report.reachable = state->reachable;
    const uint64_t now = clock_monotonic_ms();
    (void)snprintf(report.failing, sizeof report.failing, "%s",
                   state->reachable ? call_troubles_cause(&state->troubles, now) : "");
    (void)snprintf(report.login, sizeof report.login, "%s",
                   state->reachable ? call_troubles_cause_of(&state->troubles, store_login_call(), now) : "");
    report.changed = state->changed;
    report.failed = state->failed;
    memcpy(report.error, state->error, sizeof report.error);
    pthread_mutex_unlock(&state->lock);
    return report;
}

void database_state_connections(struct database_state *state,
                                void (*each)(void *context, struct database_connection *connection), void *context)
{
    pthread_mutex_lock(&state->lock);
    for (struct database_connection *one = state->connections; one != NULL; one = one->next) {
        each(context, one);
    }
    pthread_mutex_unlock(&state->lock);
}

static void list_connection(struct database_state *state, struct database_connection *connection)
{
    pthread_mutex_lock(&state->lock);
    struct database_connection **place = &state->connections;
    while (*place != NULL && strverscmp((*place)->owner, connection->owner) < 0) {
        place = &(*place)->next;
    }
    connection->next = *place;
    *place = connection;
    pthread_mutex_unlock(&state->lock);
}

static void unlist_connection(struct database_state *state, const struct database_connection *connection)
{
    pthread_mutex_lock(&state->lock);
    struct database_connection **place = &state->connections;
    while (*place != connection) {
        place = &(*place)->next;
    }
    *place = connection->next;
    pthread_mutex_unlock(&state->lock);
}

bool database_state_away(struct database_state *state)
{
    pthread_mutex_lock(&state->lock);
    const bool away = state->away;
    pthread_mutex_unlock(&state->lock);
    return away;
}

/* Before a question: whether it may be asked. A database that says nothing holds up whoever asks it until a timeout: one
 * is enough for that. */
static bool may_ask(struct accounts_store *s)
{
    struct database_state *state = s->state;
    pthread_mutex_lock(&state->lock);
    const bool away = state->away;
    const bool may = !away || !state->trying;
    s->trying = may && away;
    state->trying = state->trying || s->trying;
    pthread_mutex_unlock(&state->lock);
    if (!away) {
        store_forget_backoff(s->store);
    }
    return may;
}

/* One line when the database goes, or has another reason to be of no use, and one when it comes: whoever sees it first. Another
 * reason not at once: until each may try again it repeats its own, and they may differ. */
static bool note_reachable(struct database_state *state, bool reachable, const char *cause, uint64_t now)
{
    const bool news = !state->looked || state->reachable != reachable ||
                      (!reachable && now - state->told >= CAUSE_QUIET_MS &&
                       strncmp(state->cause, cause, sizeof state->cause - 1) != 0);
    state->changed = state->looked && state->reachable == reachable ? state->changed : clock_wall_ms();
    state->looked = true;
    state->reachable = reachable;
    if (news) {
        (void)snprintf(state->cause, sizeof state->cause, "%s", reachable ? "" : cause);
        state->told = now;
    }
    return news;
}

/* Behind it. */
static enum store_result judged(struct accounts_store *s, enum store_result result)
{
    struct database_state *state = s->state;
    const int call = store_last_call(s->store);
    const bool failed = result < 0;
    const bool reachable = !failed || call >= 0;
    const char *cause = failed ? store_error(s->store) : NULL;
    const uint64_t now = clock_monotonic_ms();
    char was[CALL_TROUBLE_MAX];
    pthread_mutex_lock(&state->lock);
    if (failed) {
        state->failed = clock_wall_ms();
        (void)snprintf(state->error, sizeof state->error, "%s", cause);
    }
    const bool news = note_reachable(state, reachable, cause, now);
    const enum call_news call_news = call_troubles_note(&state->troubles, call, cause, now, was);
    state->away = !reachable && (result == STORE_UNAVAILABLE || state->away);
    state->trying = state->trying && !s->trying;
    s->trying = false;
    pthread_mutex_unlock(&state->lock);
    if (news && reachable) {
        log_event(LOG_INFO, "database is reachable", NULL);
    } else if (news && result == STORE_BROKEN) {
        log_line(LOG_ERROR, "database can't be used", LOG_TEXT("cause", cause));
    } else if (news) {
        log_line(LOG_WARN, "database is not reachable", LOG_TEXT("cause", cause));
    }
    if (call_news == CALL_FAILS) {
        log_line(result == STORE_UNAVAILABLE ? LOG_WARN : LOG_ERROR, "a database call fails", LOG_TEXT("cause", cause));
    } else if (call_news == CALL_WORKS) {
        log_line(LOG_INFO, "a database call works again", LOG_TEXT("was", was));
    }
    return result;
}

static enum store_result find(struct accounts *a, const struct name *name, struct store_user *user)
{
    return may_ask(self(a)) ? judged(self(a), store_user_find(self(a)->store, name, user)) : STORE_UNAVAILABLE;
}

static enum store_result enroll(struct accounts *a, const struct store_registration *registration,
                                enum store_registered *outcome, uint64_t *id, uint64_t *epoch)
{
    return may_ask(self(a)) ? judged(self(a), store_register(self(a)->store, registration, outcome, id, epoch))
                            : STORE_UNAVAILABLE;
}

static enum store_result code_new(struct accounts *a, const struct store_code *code, enum store_code_outcome *outcome,
                                  struct email *email, uint32_t *retry_after)
{
    return may_ask(self(a)) ? judged(self(a), store_code_new(self(a)->store, code, outcome, email, retry_after))
                            : STORE_UNAVAILABLE;
}

static enum store_result code_use(struct accounts *a, uint64_t user, enum code_purpose purpose, const char *digest,
                                  enum store_code_outcome *outcome, uint64_t *epoch)
{
    return may_ask(self(a)) ? judged(self(a), store_code_use(self(a)->store, user, purpose, digest, outcome, epoch))
                            : STORE_UNAVAILABLE;
}

static enum store_result unactivated_remove(struct accounts *a, unsigned days, unsigned max, uint64_t *removed)
{
    return may_ask(self(a)) ? judged(self(a), store_unactivated_remove(self(a)->store, days, max, removed))
                            : STORE_UNAVAILABLE;
}

static enum store_result rehash(struct accounts *a, uint64_t id, const char *from, const char *to)
{
    struct database_state *state = self(a)->state;
    const enum store_result result =
        may_ask(self(a)) ? judged(self(a), store_user_rehash(self(a)->store, id, from, to)) : STORE_UNAVAILABLE;
    if (result == STORE_NOT_FOUND) {
        pthread_mutex_lock(&state->lock);
        state->no_rehash_until = clock_monotonic_ms() + NO_REHASH_MS;
        pthread_mutex_unlock(&state->lock);
    }
    return result;
}

static enum store_result set_password(struct accounts *a, uint64_t id, const char *from, const char *to, unsigned keep)
{
    return may_ask(self(a)) ? judged(self(a), store_user_password(self(a)->store, id, from, to, keep))
                            : STORE_UNAVAILABLE;
}

static enum store_result history(struct accounts *a, uint64_t id, char (*hashes)[PASSWORD_HASH_LEN], size_t max,
                                 size_t *count)
{
    *count = 0;
    return may_ask(self(a)) ? judged(self(a), store_user_history(self(a)->store, id, hashes, max, count))
                            : STORE_UNAVAILABLE;
}

static enum store_result source_known(struct accounts *a, uint64_t id, const struct admission_source *source,
                                      bool *known)
{
    *known = false;
    return may_ask(self(a)) ? judged(self(a), store_source_known(self(a)->store, id, source, known))
                            : STORE_UNAVAILABLE;
}

static enum store_result write_batch(struct accounts *a, struct store_batch *batch)
{
    return may_ask(self(a)) ? judged(self(a), store_write(self(a)->store, batch)) : STORE_UNAVAILABLE;
}

static enum store_result changes(struct accounts *a, uint64_t *since, store_changed *changed, void *context)
{
    return may_ask(self(a)) ? judged(self(a), store_account_changes(self(a)->store, since, changed, context))
                            : STORE_UNAVAILABLE;
}

static enum store_result audit_expire(struct accounts *a, unsigned days, unsigned max, uint64_t *removed)
{
    return may_ask(self(a)) ? judged(self(a), store_audit_expire(self(a)->store, days, max, removed))
                            : STORE_UNAVAILABLE;
}

static const char *error_text(struct accounts *a)
{
    return store_error(self(a)->store);
}

static enum password_result hash_password(struct accounts *a, const char *password, unsigned cost,
                                          char hash[PASSWORD_HASH_LEN])
{
    (void)a;
    return password_hash(password, cost, &rng_system, hash);
}

static enum password_result verify(struct accounts *a, const char *password, const char *hash)
{
    (void)a;
    return password_verify(password, hash);
}

static void verify_nobody(struct accounts *a, const char *password, unsigned cost)
{
    (void)a;
    password_verify_nobody(password, cost);
}

static bool outdated(struct accounts *a, const char *hash, unsigned cost)
{
    struct database_state *state = self(a)->state;
    pthread_mutex_lock(&state->lock);
    const bool may = clock_monotonic_ms() >= state->no_rehash_until;
    pthread_mutex_unlock(&state->lock);
    return may && password_hash_outdated(hash, cost);
}

static bool tend(struct accounts *a)
{
    return may_ask(self(a)) && judged(self(a), store_connect(self(a)->store)) == STORE_OK;
}

struct accounts *accounts_store_new(const struct config *config, struct database_state *state, const char *owner)
{
    struct accounts_store *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return NULL;
    }
    s->store = store_new(config, STORE_ACCOUNT_KDC);
    if (s->store == NULL) {
        free(s);
        return NULL;
    }
    s->state = state;
    (void)snprintf(s->connection.owner, sizeof s->connection.owner, "%s", owner);
    store_set_stats(s->store, &s->connection.stats);
    list_connection(state, &s->connection);
    s->accounts = (struct accounts){
        .find = find,
        .enroll = enroll,
        .code_new = code_new,
        .code_use = code_use,
        .unactivated_remove = unactivated_remove,
        .rehash = rehash,
        .password = set_password,
        .history = history,
        .source_known = source_known,
        .write = write_batch,
        .changes = changes,
        .audit_expire = audit_expire,
        .error = error_text,
        .hash = hash_password,
        .verify = verify,
        .verify_nobody = verify_nobody,
        .outdated = outdated,
        .tend = tend,
    };
    return &s->accounts;
}

void accounts_store_free(struct accounts **accounts)
{
    if (*accounts != NULL) {
        struct accounts_store *s = self(*accounts);
        unlist_connection(s->state, &s->connection);
        store_free(&s->store);
        free(s);
        *accounts = NULL;
    }
}
