#include "kdc/figures_taker.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

enum wanted { WANTS_NOTHING, WANTS_FIGURES, WANTS_READY, WANTS_END };

struct figures_taker {
    struct server *server;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows; the thread holds it while it looks at the server */
    pthread_cond_t changed;
    enum wanted wanted;
    bool stopped; /* the server isn't looked at any more */
    struct figures figures;
    bool ready;
    char why[NOT_READY_MAX];
};

static void take(struct figures_taker *t)
{
    t->figures = (struct figures){ 0 };
    t->ready = false;
    if (t->stopped) {
        (void)snprintf(t->why, sizeof t->why, "kdcd is shutting down");
    } else if (t->wanted == WANTS_FIGURES) {
        figures_take(t->server, false, &t->figures);
    } else {
        t->ready = figures_ready(t->server, t->why);
    }
}

static void *run(void *argument)
{
    struct figures_taker *t = argument;
    pthread_mutex_lock(&t->lock);
    while (t->wanted != WANTS_END) {
        if (t->wanted == WANTS_NOTHING) {
            pthread_cond_wait(&t->changed, &t->lock);
            continue;
        }
        take(t);
        t->wanted = WANTS_NOTHING;
        pthread_cond_broadcast(&t->changed);
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

/* Signals are the main thread's. */
static int start_thread(struct figures_taker *taker)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failed = pthread_create(&taker->thread, NULL, run, taker);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed == 0 ? 0 : -1;
}

struct figures_taker *figures_taker_new(struct server *server)
{
    struct figures_taker *taker = calloc(1, sizeof *taker);
    if (taker == NULL) {
        return NULL;
    }
    taker->server = server;
    if (pthread_mutex_init(&taker->lock, NULL) != 0) {
        goto no_lock;
    }
    if (pthread_cond_init(&taker->changed, NULL) != 0) {
        goto no_condition;
    }
    if (start_thread(taker) == 0) {
        return taker;
    }
    pthread_cond_destroy(&taker->changed);
no_condition:
    pthread_mutex_destroy(&taker->lock);
no_lock:
    free(taker);
    return NULL;
}

void figures_taker_stop(struct figures_taker *taker)
{
    pthread_mutex_lock(&taker->lock);
    taker->stopped = true;
    pthread_mutex_unlock(&taker->lock);
}

void figures_taker_free(struct figures_taker **taker)
{
    struct figures_taker *t = *taker;
    if (t == NULL) {
        return;
    }
    pthread_mutex_lock(&t->lock);
    t->wanted = WANTS_END;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
    pthread_join(t->thread, NULL);
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->lock);
    free(t);
    *taker = NULL;
}

/* Leaves the lock held: the answer is behind it. */
static void ask(struct figures_taker *t, enum wanted wanted)
{
    pthread_mutex_lock(&t->lock);
    t->wanted = wanted;
    pthread_cond_broadcast(&t->changed);
    while (t->wanted == wanted) {
        pthread_cond_wait(&t->changed, &t->lock);
    }
}

bool figures_taker_figures(struct figures_taker *taker, struct figures *figures)
{
    ask(taker, WANTS_FIGURES);
    *figures = taker->figures;
    const bool taken = !taker->stopped || figures->count > 0;
    pthread_mutex_unlock(&taker->lock);
    return taken;
}

bool figures_taker_ready(struct figures_taker *taker, char why[NOT_READY_MAX])
{
    ask(taker, WANTS_READY);
    const bool ready = taker->ready;
    (void)snprintf(why, NOT_READY_MAX, "%s", taker->why);
    pthread_mutex_unlock(&taker->lock);
    return ready;
}
