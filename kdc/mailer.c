#include "kdc/mailer_internal.h"

#include "crypto/secret.h"
#include "kdc/clock.h"
#include "kdc/log.h"
#include "kdc/secret_file.h"
#include "kdc/waiting.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RETRY_FIRST_MS 2000
#define RETRY_MOST_MS 60000
#define IDLE_MS 5000 /* then a connection that nobody needs is given up */

struct slot {
    struct letter letter;
    uint64_t until; /* monotonic milliseconds: then the code doesn't hold any more */
    uint64_t due;   /* likewise: not tried before */
    unsigned pause; /* milliseconds, after the next try that fails; 0: none has yet */
    bool used;
};

struct mailer {
    struct config config;
    struct mail_template templates[2]; /* by purpose */
    char *password;                    /* secret memory; NULL: none */
    char *mail;                        /* secret memory: the one that is sent */
    struct smtp *smtp;                 /* the thread's */
    pthread_t thread;
    _Atomic bool stopping;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t work;
    struct slot *slots; /* secret memory: MAILER_QUEUE_MAX */
    size_t queued;
    uint64_t server_due; /* monotonic milliseconds: nothing is tried before */
    unsigned server_pause;
    struct mailer_stats stats;
};

/* ---- any thread ---- */

int mailer_post(struct mailer *mailer, const struct letter *letter)
{
    int result = -1;
    pthread_mutex_lock(&mailer->lock);
    for (size_t i = 0; i < MAILER_QUEUE_MAX && result != 0; i++) {
        struct slot *slot = &mailer->slots[i];
        if (!slot->used) {
            const uint64_t now = clock_monotonic_ms();
            *slot = (struct slot){
                .letter = *letter, .until = now + UINT64_C(60000) * letter->minutes, .due = now, .used = true
            };
            mailer->queued++;
            result = 0;
        }
    }
    mailer->stats.full += result == 0 ? 0 : 1;
    pthread_mutex_unlock(&mailer->lock);
    secret_wipe_registers(); /* copying went through them */
    if (result == 0)
        pthread_cond_signal(&mailer->work);
    return result;
}

bool mailer_has_room(struct mailer *mailer)
{
    pthread_mutex_lock(&mailer->lock);
    const bool room = mailer->queued < MAILER_QUEUE_MAX;
    pthread_mutex_unlock(&mailer->lock);
    return room;
}

struct mailer_stats mailer_stats(struct mailer *mailer)
{
    pthread_mutex_lock(&mailer->lock);
    struct mailer_stats stats = mailer->stats;
    stats.queued = mailer->queued;
    stats.queue_max = MAILER_QUEUE_MAX;
    pthread_mutex_unlock(&mailer->lock);
    return stats;
}

/* ---- the thread ---- */

static void slot_free(struct mailer *mailer, struct slot *slot)
{
    secret_wipe(slot, sizeof *slot);
    mailer->queued--;
}

/* Under the lock. The one that is due first, though perhaps not yet; NULL: none waits. */
static struct slot *next_slot(struct mailer *mailer)
{
    struct slot *next = NULL;
    for (size_t i = 0; i < MAILER_QUEUE_MAX; i++) {
        struct slot *slot = &mailer->slots[i];
        if (slot->used && (next == NULL || slot->due < next->due))
            next = slot;
    }
    return next;
}

/* Under the lock. Letters whose codes are of no use any more. */
static unsigned drop_old(struct mailer *mailer, uint64_t now)
{
    unsigned dropped = 0;
    for (size_t i = 0; i < MAILER_QUEUE_MAX; i++) {
        if (mailer->slots[i].used && mailer->slots[i].until <= now) {
            slot_free(mailer, &mailer->slots[i]);
            dropped++;
        }
    }
    mailer->stats.dropped += dropped;
    return dropped;
}

static unsigned longer(unsigned pause)
{
    return pause == 0 ? RETRY_FIRST_MS : pause < RETRY_MOST_MS / 2 ? 2 * pause : RETRY_MOST_MS;
}

/* Under the lock: what became of it. True: this is news. */
static bool note(struct mailer *mailer, struct slot *slot, enum smtp_result result, const char *cause)
{
    struct mailer_stats *stats = &mailer->stats;
    const uint64_t now = clock_monotonic_ms();
    const bool was_failing = stats->failing;
    stats->failing = result == SMTP_NOT_NOW;
    const bool news = stats->failing != was_failing || (result != SMTP_TAKEN && strcmp(stats->cause, cause) != 0);
    if (result != SMTP_TAKEN)
        (void)snprintf(stats->cause, sizeof stats->cause, "%s", cause);
    mailer->server_pause = result == SMTP_NOT_NOW ? longer(mailer->server_pause) : 0;
    mailer->server_due = now + mailer->server_pause;
    switch (result) {
    case SMTP_TAKEN:
        stats->sent++;
        slot_free(mailer, slot);
        break;
    case SMTP_NEVER:
        stats->dropped++;
        slot_free(mailer, slot);
        break;
    case SMTP_NOT_NOW: /* behind the others, too: it may be this one recipient that the server makes us wait for */
    case SMTP_NOT_THIS:
        slot->pause = longer(slot->pause);
        slot->due = now + slot->pause;
        stats->retried++;
        break;
    }
    return news;
}

static void tell(const struct letter *letter, enum smtp_result result, const char *cause)
{
    static const char *const events[] = {
        [SMTP_TAKEN] = "the mail server takes mails again",
        [SMTP_NOT_THIS] = "the mail server takes a mail not now",
        [SMTP_NOT_NOW] = "mails can't be sent",
        [SMTP_NEVER] = "the mail server refuses a mail",
    };
    if (result == SMTP_TAKEN || result == SMTP_NOT_NOW)
        log_line(result == SMTP_TAKEN ? LOG_INFO : LOG_WARN, events[result], LOG_TEXT("cause", cause));
    else
        log_line(LOG_WARN, events[result], LOG_TEXT("user", letter->name.text), LOG_TEXT("cause", cause));
}

/* Under the lock, which it lets go meanwhile. Nobody else frees or moves a slot. */
static void send_slot(struct mailer *mailer, struct slot *slot)
{
    struct mail_frame frame = { .from = mailer->config.mail_from, .time = clock_wall_ms() / 1000 };
    struct letter letter = slot->letter; /* without the code: for the log */
    char cause[MAILER_CAUSE_MAX] = "it is too long";
    enum smtp_result result = SMTP_NEVER;
    secret_wipe(letter.code, sizeof letter.code);
    pthread_mutex_unlock(&mailer->lock);
    (void)!rng_fill(&rng_system, (uint8_t *)frame.number, sizeof frame.number);
    const size_t len = mail_compose(&mailer->templates[letter.purpose], &slot->letter, &frame, mailer->mail);
    if (len > 0)
        result = smtp_send(mailer->smtp, letter.to.text, mailer->mail, len, cause);
    secret_wipe(mailer->mail, MAIL_MAX);
    pthread_mutex_lock(&mailer->lock);
    if (atomic_load(&mailer->stopping))
        return;
    const bool news = note(mailer, slot, result, cause);
    pthread_mutex_unlock(&mailer->lock);
    if (result == SMTP_TAKEN)
        log_line(LOG_INFO, "mailed a code", LOG_TEXT("user", letter.name.text),
                 LOG_TEXT("purpose", code_purpose_word(letter.purpose)));
    if (news || result == SMTP_NEVER)
        tell(&letter, result, result == SMTP_TAKEN ? "" : cause);
    pthread_mutex_lock(&mailer->lock);
}

static void wait_until(struct mailer *mailer, uint64_t ms)
{
    struct timespec until = { .tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000 };
    (void)pthread_cond_timedwait(&mailer->work, &mailer->lock, &until);
}

static void *work(void *argument)
{
    struct mailer *mailer = argument;
    bool connected = false;
    pthread_mutex_lock(&mailer->lock);
    while (!atomic_load(&mailer->stopping)) {
        const uint64_t now = clock_monotonic_ms();
        const unsigned dropped = drop_old(mailer, now);
        struct slot *slot = next_slot(mailer);
        if (dropped > 0) {
            pthread_mutex_unlock(&mailer->lock);
            log_line(LOG_WARN, "gave mails up: their codes are too old", LOG_NUMBER("mails", dropped));
            pthread_mutex_lock(&mailer->lock);
            continue;
        }
        if (slot == NULL && connected) {
            wait_until(mailer, now + IDLE_MS);
            if (mailer->queued == 0) {
                pthread_mutex_unlock(&mailer->lock);
                smtp_hang_up(mailer->smtp);
                connected = false;
                pthread_mutex_lock(&mailer->lock);
            }
            continue;
        }
        if (slot == NULL) {
            (void)pthread_cond_wait(&mailer->work, &mailer->lock);
            continue;
        }
        const uint64_t due = slot->due > mailer->server_due ? slot->due : mailer->server_due;
        if (due > now) {
            wait_until(mailer, due < slot->until ? due : slot->until);
            continue;
        }
        send_slot(mailer, slot);
        connected = true;
    }
    pthread_mutex_unlock(&mailer->lock);
    return NULL;
}

/* ---- its life ---- */

static int load_templates(const struct config *config, struct mail_template templates[2], char error[MAILER_ERROR_MAX])
{
    return mail_template_load(&templates[CODE_ACTIVATE], config->mail_template, CODE_ACTIVATE, error) == 0 &&
                   mail_template_load(&templates[CODE_DEACTIVATE], config->mail_template_deactivate, CODE_DEACTIVATE,
                                      error) == 0
               ? 0
               : -1;
}

int mailer_check(const struct config *config, char error[MAILER_ERROR_MAX])
{
    static struct mail_template templates[2];
    return load_templates(config, templates, error);
}

static void free_all(struct mailer *mailer)
{
    smtp_free(&mailer->smtp);
    secret_free(&mailer->password);
    secret_free(&mailer->mail);
    secret_free(&mailer->slots);
    free(mailer);
}

/* What it needs before it has a thread. 0, or -1 with a sentence. */
static int fill(struct mailer *mailer, const struct config *config, char error[MAILER_ERROR_MAX])
{
    size_t len = 0;
    mailer->config = *config;
    atomic_init(&mailer->stopping, false);
    if (load_templates(config, mailer->templates, error) != 0)
        return -1;
    if (config->mail_password_file[0] != '\0' &&
        secret_file_read(config->mail_password_file, true, &mailer->password, &len, error) != 0)
        return -1;
    mailer->mail = secret_alloc(MAIL_MAX);
    mailer->slots = secret_alloc(MAILER_QUEUE_MAX * sizeof *mailer->slots);
    (void)snprintf(error, MAILER_ERROR_MAX, "mail can't be set up: memory is out");
    if (mailer->mail == NULL || mailer->slots == NULL || smtp_prepare() != 0)
        return -1;
    mailer->smtp = smtp_new(&mailer->config, mailer->password, &mailer->stopping);
    return mailer->smtp != NULL ? 0 : -1;
}

struct mailer *mailer_new(const struct config *config, char error[MAILER_ERROR_MAX])
{
    _Static_assert(SECRET_FILE_ERROR_MAX <= MAILER_ERROR_MAX, "room for the password file's");
    struct mailer *mailer = calloc(1, sizeof *mailer);
    if (mailer == NULL || fill(mailer, config, error) != 0 || waiting_init(&mailer->lock, &mailer->work, NULL) != 0) {
        if (mailer != NULL)
            free_all(mailer);
        return NULL;
    }
    if (pthread_create(&mailer->thread, NULL, work, mailer) != 0) {
        (void)snprintf(error, MAILER_ERROR_MAX, "there is no thread for mail");
        pthread_cond_destroy(&mailer->work);
        pthread_mutex_destroy(&mailer->lock);
        free_all(mailer);
        return NULL;
    }
    error[0] = '\0';
    return mailer;
}

void mailer_free(struct mailer **mailer)
{
    struct mailer *m = *mailer;
    if (m == NULL)
        return;
    pthread_mutex_lock(&m->lock);
    atomic_store(&m->stopping, true);
    pthread_cond_signal(&m->work);
    pthread_mutex_unlock(&m->lock);
    pthread_join(m->thread, NULL);
    if (m->queued > 0)
        log_line(LOG_WARN, "gave mails up: kdcd ends", LOG_NUMBER("mails", m->queued));
    pthread_cond_destroy(&m->work);
    pthread_mutex_destroy(&m->lock);
    free_all(m);
    *mailer = NULL;
}
