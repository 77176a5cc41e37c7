#include "kdc/log_writer.h"

#include "kdc/log.h"
#include "kdc/waiting.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define QUEUE_LEN ((size_t)256 * 1024)
#define STOP_MS 1000
#define GATHER_MS 20

/* The log is one for the whole program, as stderr is. */
static struct {
    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t changed;
    pthread_t thread;
    bool running;
    bool stopping;
    bool ended;
    bool sleeps;       /* the thread, with nothing to write */
    bool urgent;       /* what is queued is to be written at once */
    uint64_t left_out; /* lines that found no room, since the last one that did */
    uint64_t dropped;  /* the same, since the start */
    size_t start;      /* of what is queued */
    size_t len;
    char queue[QUEUE_LEN]; /* a ring */
} writer = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

/* A log that can't be written is nothing to stop for. */
static void write_out(const char *line, size_t len)
{
    ssize_t written = write(STDERR_FILENO, line, len);
    (void)written;
}

/* Under the lock; there is room. */
static void put(const char *line, size_t len, bool urgent)
{
    const size_t end = (writer.start + writer.len) % QUEUE_LEN;
    const size_t first = len < QUEUE_LEN - end ? len : QUEUE_LEN - end;
    memcpy(writer.queue + end, line, first);
    memcpy(writer.queue, line + first, len - first);
    writer.len += len;
    writer.urgent = writer.urgent || urgent;
    if (writer.sleeps || urgent || writer.len >= QUEUE_LEN / 4) {
        writer.sleeps = false;
        pthread_cond_signal(&writer.changed);
    }
}

void log_writer_take(const char *line, size_t len, bool urgent)
{
    pthread_mutex_lock(&writer.lock);
    const bool direct = !writer.running;
    if (!direct && len <= QUEUE_LEN - writer.len) {
        put(line, len, urgent);
    } else if (!direct) {
        writer.left_out++;
        writer.dropped++;
    }
    pthread_mutex_unlock(&writer.lock);
    if (direct) {
        write_out(line, len);
    }
}

/* Under the lock: as many whole lines as `out` takes, the oldest first; their length, 0 when there are none. None is longer than
 * `out`. */
static size_t oldest(char *out, size_t size)
{
    const size_t len = writer.len < size ? writer.len : size;
    const size_t first = len < QUEUE_LEN - writer.start ? len : QUEUE_LEN - writer.start;
    memcpy(out, writer.queue + writer.start, first);
    memcpy(out + first, writer.queue, len - first);
    const char *end = memrchr(out, '\n', len);
    return end == NULL ? 0 : (size_t)(end - out) + 1;
}

/* Under the lock. A line that came alone mostly is the first of several: they are given a moment, so that they cost one write and
 * one waking. */
static void wait_for_lines(void)
{
    writer.urgent = false; /* nothing is queued */
    writer.sleeps = true;
    while (writer.len == 0 && !writer.stopping) {
        pthread_cond_wait(&writer.changed, &writer.lock);
    }
    writer.sleeps = false;
    const struct timespec until = waiting_in_ms(GATHER_MS);
    while (!writer.stopping && !writer.urgent && writer.len < QUEUE_LEN / 4 &&
           pthread_cond_clockwait(&writer.changed, &writer.lock, CLOCK_MONOTONIC, &until) == 0) {
    }
}

static void *run(void *argument)
{
    (void)argument;
    char lines[4096];
    pthread_mutex_lock(&writer.lock);
    for (;;) {
        const size_t len = oldest(lines, sizeof lines);
        if (len == 0 && writer.stopping) {
            break;
        }
        if (len == 0) {
            wait_for_lines();
            continue;
        }
        pthread_mutex_unlock(&writer.lock);
        write_out(lines, len);
        pthread_mutex_lock(&writer.lock);
        /* Taken out only now: what is queued is what isn't written. */
        writer.start = (writer.start + len) % QUEUE_LEN;
        writer.len -= len;
        const uint64_t left_out = writer.left_out;
        if (left_out > 0 && writer.len == 0) {
            writer.left_out = 0;
            pthread_mutex_unlock(&writer.lock);
            log_line(LOG_WARN, "lines were left out of the log", LOG_NUMBER("lines", left_out));
            pthread_mutex_lock(&writer.lock);
        }
    }
    writer.ended = true;
    pthread_cond_broadcast(&writer.changed);
    pthread_mutex_unlock(&writer.lock);
    return NULL;
}

int log_start(void)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for other threads */
    pthread_mutex_lock(&writer.lock);
    writer.stopping = false;
    writer.ended = false;
    writer.running = pthread_create(&writer.thread, NULL, run, NULL) == 0;
    const int result = writer.running ? 0 : -1;
    pthread_mutex_unlock(&writer.lock);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

uint64_t log_lines_dropped(void)
{
    pthread_mutex_lock(&writer.lock);
    const uint64_t dropped = writer.dropped;
    pthread_mutex_unlock(&writer.lock);
    return dropped;
}

void log_stop(void)
{
    const struct timespec until = waiting_in_ms(STOP_MS);
    pthread_mutex_lock(&writer.lock);
    if (!writer.running) {
        pthread_mutex_unlock(&writer.lock);
        return;
    }
    writer.stopping = true;
    pthread_cond_broadcast(&writer.changed);
    while (!writer.ended && pthread_cond_clockwait(&writer.changed, &writer.lock, CLOCK_MONOTONIC, &until) == 0) {
    }
    /* One that hangs in a write is left alone: the program's end is its end. */
    const bool ended = writer.ended;
    writer.running = !ended;
    const pthread_t thread = writer.thread;
    pthread_mutex_unlock(&writer.lock);
    if (ended) {
        (void)pthread_join(thread, NULL);
    }
}
