#include "kdc/accounts_store.h"

#include "kdc/clock.h"
#include "kdc/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAUSE_QUIET_MS 1000

struct accounts_store {
    struct accounts accounts; /* first: the table points back to us */
    struct store *store;
    struct database_state *state;
    bool trying; /* it is we who ask while it is away */
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
    memcpy(cause, state->cause, DATABASE_CAUSE_MAX);
    pthread_mutex_unlock(&state->lock);
    return reachable;
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

/* Behind it. One line when the database goes, or has another reason to be of no use, and one when it comes: whoever
 * sees it first. Another reason not at once: until each may try again it repeats its own, and they may differ. */
static enum store_result judged(struct accounts_store *s, enum store_result result)
{
    struct database_state *state = s->state;
    const bool reachable = result != STORE_UNAVAILABLE && result != STORE_BROKEN;
    const char *cause = reachable ? "" : store_error(s->store);
    const uint64_t now = clock_monotonic_ms();
    pthread_mutex_lock(&state->lock);
    const bool news = !state->looked || state->reachable != reachable ||
                      (!reachable && now - state->told >= CAUSE_QUIET_MS &&
                       strncmp(state->cause, cause, sizeof state->cause - 1) != 0);
    state->looked = true;
    state->reachable = reachable;
    state->away = result == STORE_BROKEN ? state->away : result == STORE_UNAVAILABLE;
    state->trying = state->trying && !s->trying;
    s->trying = false;
    if (news) {
        (void)snprintf(state->cause, sizeof state->cause, "%s", cause);
        state->told = now;
    }
    pthread_mutex_unlock(&state->lock);
    if (news && reachable) {
        log_event(LOG_INFO, "database is reachable", NULL);
    } else if (news) {
        log_line(LOG_WARN, result == STORE_BROKEN ? "database can't be used" : "database is not reachable",
                 LOG_TEXT("cause", cause));
    }
    return result;
}

static enum store_result find(struct accounts *a, const struct name *name, struct store_user *user)
{
    return may_ask(self(a)) ? judged(self(a), store_user_find(self(a)->store, name, user)) : STORE_UNAVAILABLE;
}

static enum store_result add(struct accounts *a, const struct name *name, const char *hash, uint64_t *id)
{
    return may_ask(self(a)) ? judged(self(a), store_user_add(self(a)->store, name, hash, USER_ACTIVE, id))
                            : STORE_UNAVAILABLE;
}

static enum store_result rehash(struct accounts *a, uint64_t id, const char *from, const char *to)
{
    return may_ask(self(a)) ? judged(self(a), store_user_rehash(self(a)->store, id, from, to)) : STORE_UNAVAILABLE;
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
    (void)a;
    return password_hash_outdated(hash, cost);
}

static bool tend(struct accounts *a)
{
    return may_ask(self(a)) && judged(self(a), store_connect(self(a)->store)) == STORE_OK;
}

struct accounts *accounts_store_new(const struct config *config, struct database_state *state)
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
    s->accounts = (struct accounts){
        .find = find,
        .add = add,
        .rehash = rehash,
        .write = write_batch,
        .changes = changes,
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
        store_free(&s->store);
        free(s);
        *accounts = NULL;
    }
}
