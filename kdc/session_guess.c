/*
 * session_guess.c: every attempt at a password or an invitation goes through here.
 *
 *   session_guess -- no penalty ------------------------------> a worker: guess_may_look, bcrypt, guess_was --> done
 *         |                                                        ^                                             ^
 *         '-- some: is the source known to the account? (SQL) --> wait, if told to                               |
 *                                                              '- locked: session_guess_back gives the reason ---'
 *
 * What it costs to be wrong is noted by the worker, at once: whoever hangs up before the answer has paid all the same. The worker
 * asks once more before it looks at the password (penalties_begin): of many attempts that came at the same time no more are looked
 * at than if they had come one by one.
 *
 * An unknown name has its penalties as any other, and is asked about as long as any other.
 */
#include "kdc/session_internal.h"

#include "crypto/secret.h"
#include "kdc/audit_events.h"
#include "kdc/networks.h"
#include "wire/name.h"
#include "wire/reason.h"

#include <stdlib.h>

/* Of a session; made when it first guesses. */
struct session_guesses {
    struct guess_job *waits; /* for the host's timer; owned */
    bool busy;               /* one is on its way; the next has to wait for its answer */
    struct name name;        /* that was got wrong last */
    unsigned failures;       /* so often in a row */
};

/* Asks whether the source is known. */
struct known_job {
    struct job job;
    struct guess_job *guess; /* owned, until it goes on */
};

static struct penalty_verdict ask(const struct guess_job *guess, bool known)
{
    const struct session_host *host = guess->host;
    return penalties_ask(host->penalties, guess->name, &guess->origin, known, host->now(host->context));
}

static bool matters(const struct penalty_verdict *verdict)
{
    return verdict->retry_after > 0 || verdict->delay_ms > 0;
}

/* ---- on a worker ---- */

/* Two questions, whether or not there is such an account. */
static void learn(struct guess_job *guess, struct accounts *accounts)
{
    uint64_t id = 0;
    struct store_user account;
    guess->asked = true;
    enum store_result result = accounts->find(accounts, guess->name, &account);
    if (result == STORE_OK) {
        id = account.id;
    }
    secret_wipe(account.hash, sizeof account.hash);
    if (result == STORE_OK || result == STORE_NOT_FOUND) {
        result = accounts->source_known(accounts, id, &guess->origin, &guess->known);
    }
    if (result != STORE_OK) {
        guess->refused = REASON_UNAVAILABLE;
        guess->retry_after = RETRY_UNAVAILABLE;
    }
}

static struct penalty_verdict begin(struct guess_job *guess)
{
    const struct session_host *host = guess->host;
    return penalties_begin(host->penalties, guess->name, &guess->origin, guess->known, host->now(host->context),
                           &guess->looking);
}

void guess_over(struct guess_job *guess)
{
    if (guess->looking) {
        guess->looking = false;
        penalties_end(guess->host->penalties, guess->name);
    }
}

bool guess_may_look(struct guess_job *guess, struct accounts *accounts)
{
    if (guess->host->penalties == NULL) {
        return true;
    }
    struct penalty_verdict verdict = begin(guess);
    if (verdict.retry_after > 0 && guess->name != NULL && !guess->asked && ask(guess, true).retry_after == 0) {
        learn(guess, accounts);
        verdict = guess->refused == REASON_NONE ? begin(guess) : verdict;
    }
    if (guess->refused == REASON_NONE && verdict.retry_after > 0) {
        guess->refused = REASON_PENALTY;
        guess->retry_after = verdict.retry_after;
    }
    return guess->refused == REASON_NONE;
}

static void tell_locked(const struct guess_job *guess, const char *user, const char *source, const char *what)
{
    const struct session_host *host = guess->host;
    const struct journal_event event = { .event = AUDIT_LOCKED_OUT,
                                         .user = user,
                                         .source = source,
                                         .detail = what,
                                         .outcome = reason_name(REASON_PENALTY) };
    host->record(host->context, &event);
    host->log(LOG_WARN, "locked out after too many wrong passwords",
              (const struct log_field[]){
                  LOG_TEXT("what", what), LOG_TEXT("user", user), LOG_TEXT("source", source), { 0 } });
}

void guess_was(struct guess_job *guess, bool right)
{
    const struct session_host *host = guess->host;
    if (host->penalties == NULL) {
        return;
    }
    const uint64_t now = host->now(host->context);
    if (right) {
        guess_over(guess);
        penalties_succeeded(host->penalties, guess->name, guess->failures, now);
        return;
    }
    const struct penalty_news news =
        penalties_failed(host->penalties, guess->name, &guess->origin, guess->looking, now);
    guess->looking = false;
    guess->noted = news.noted;
    if (news.account_locked) {
        tell_locked(guess, guess->name->text, guess->source, "the account");
    }
    if (news.source_locked) {
        char text[SOURCE_TEXT_MAX];
        source_text(&guess->origin, text);
        tell_locked(guess, "", text, "the source");
    }
}

/* ---- on the session's thread ---- */

static struct session_guesses *guesses_of(struct session *s)
{
    if (s->guesses == NULL) {
        s->guesses = calloc(1, sizeof *s->guesses);
    }
    return s->guesses;
}

static void finish(struct session *s, struct guess_job *guess)
{
    guess->job.done(&guess->job, s);
    guess->job.destroy(&guess->job);
}

static void refuse(struct session *s, struct guess_job *guess, enum reason reason, uint32_t retry_after)
{
    guess->refused = reason;
    guess->retry_after = retry_after;
    finish(s, guess);
}

static void go_on(struct session *s, struct guess_job *guess)
{
    const struct penalty_verdict verdict = ask(guess, guess->known);
    if (verdict.retry_after > 0) {
        refuse(s, guess, REASON_PENALTY, verdict.retry_after);
    } else if (verdict.delay_ms > 0) {
        penalties_count_delayed(s->host->penalties);
        s->guesses->waits = guess;
        s->host->delay(s->link, verdict.delay_ms);
    } else {
        s->host->submit(s->link, &guess->job);
    }
}

void session_delayed(struct session *s)
{
    struct guess_job *guess = s->guesses != NULL ? s->guesses->waits : NULL;
    if (guess != NULL) {
        s->guesses->waits = NULL;
        s->host->submit(s->link, &guess->job);
    }
}

static void run_known(struct job *job, struct accounts *accounts)
{
    learn(((struct known_job *)job)->guess, accounts);
}

static void known_done(struct job *job, void *owner)
{
    struct session *s = owner;
    struct guess_job *guess = ((struct known_job *)job)->guess;
    ((struct known_job *)job)->guess = NULL;
    if (job->busy) {
        refuse(s, guess, REASON_BUSY, job->retry_after);
    } else if (guess->refused != REASON_NONE) {
        finish(s, guess);
    } else {
        go_on(s, guess);
    }
}

static void destroy_known(struct job *job)
{
    struct known_job *known = (struct known_job *)job;
    if (known->guess != NULL) {
        known->guess->job.destroy(&known->guess->job);
    }
    free(known);
}

bool session_guess_asks(const struct job *job)
{
    return job->done == known_done;
}

static void ask_known(struct session *s, struct guess_job *guess)
{
    struct known_job *known = calloc(1, sizeof *known);
    if (known == NULL) {
        refuse(s, guess, REASON_INTERNAL, 1);
        return;
    }
    known->job = (struct job){ .class = JOB_SQL, .run = run_known, .done = known_done, .destroy = destroy_known };
    known->guess = guess;
    s->host->submit(s->link, &known->job);
}

void session_guess(struct session *s, struct guess_job *guess)
{
    struct session_guesses *guesses = guesses_of(s);
    guess->host = s->host;
    guess->origin = s->host->origin(s->link);
    if (guesses == NULL || guesses->busy) {
        refuse(s, guess, guesses == NULL ? REASON_INTERNAL : REASON_BUSY, 1);
        return;
    }
    guesses->busy = true;
    guess->counted = true;
    guess->failures = guess->name != NULL && name_equal(guess->name, &guesses->name) ? guesses->failures : 0;
    if (s->host->penalties == NULL) {
        s->host->submit(s->link, &guess->job);
        return;
    }
    const struct penalty_verdict stranger = ask(guess, false);
    /* Else it doesn't matter whether the source is known. */
    if (matters(&stranger) && guess->name != NULL && ask(guess, true).retry_after == 0) {
        ask_known(s, guess);
    } else {
        go_on(s, guess);
    }
}

enum reason session_guess_back(struct session *s, const struct guess_job *guess, uint32_t *retry_after)
{
    struct session_guesses *guesses = s->guesses;
    if (guess->counted) {
        guesses->busy = false;
        if (guess->noted) {
            guesses->failures = guess->failures + 1;
            guesses->name = *guess->name;
        }
    }
    if (guess->job.busy) {
        *retry_after = guess->job.retry_after;
        return REASON_BUSY;
    }
    *retry_after = guess->retry_after;
    if (guess->refused == REASON_PENALTY) {
        penalties_count_refused(s->host->penalties);
    }
    return guess->refused;
}

void session_guesses_drop(struct session *s)
{
    if (s->guesses != NULL && s->guesses->waits != NULL) {
        s->guesses->waits->job.destroy(&s->guesses->waits->job);
    }
    free(s->guesses);
    s->guesses = NULL;
}
