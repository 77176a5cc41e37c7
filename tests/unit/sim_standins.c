/*
 * sim_standins.c: what the real KDC finds below it instead of threads, workers, libevent, sockets and clocks.
 *
 * A reactor's thread function is kept instead of being run in a thread; for every turn it is called, finds one or a few events
 * to handle (event_base_loop), finishes the turn, and is told to end when it asks for the next.
 *
 * Threads run at the same time: where one does what others can see (a mail pushed, the directory read or changed, a call to
 * the database), others may go on in between. They are called from there, as long as they are not in a turn already.
 */
#include "kdc/connection.h"
#include "kdc/server.h"
#include "tests/unit/sim_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The linker's names, as in sim_memo.c. */
struct worker_pool *__wrap_worker_pool_new(const struct worker_pool_options *);
void __wrap_worker_pool_free(struct worker_pool **);
void __wrap_worker_pool_submit(struct worker_pool *, struct job *);
bool __wrap_worker_pool_withdraw(struct worker_pool *, struct job *);
int __wrap_journal_start(struct journal *);
int __wrap_upkeep_start(struct upkeep *);
int __real_journal_issue(struct journal *, struct mail_issue *, uint32_t *);
int __wrap_journal_issue(struct journal *, struct mail_issue *, uint32_t *);
int __wrap_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
int __wrap_pthread_join(pthread_t, void **);
struct event_base *__wrap_event_base_new(void);
void __wrap_event_base_free(struct event_base *);
int __wrap_event_base_loop(struct event_base *, int);
struct event *__wrap_event_new(struct event_base *, evutil_socket_t, short, event_callback_fn, void *);
void __wrap_event_free(struct event *);
int __wrap_event_assign(struct event *, struct event_base *, evutil_socket_t, short, event_callback_fn, void *);
int __wrap_event_add(struct event *, const struct timeval *);
int __wrap_event_del(struct event *);
int __wrap_event_pending(const struct event *, short, struct timeval *);
ssize_t __wrap_recv(int, void *, size_t, int);
ssize_t __wrap_send(int, const void *, size_t, int);
int __wrap_shutdown(int, int);
int __real_close(int);
int __wrap_close(int);
int __wrap_setsockopt(int, int, int, const void *, socklen_t);
int __wrap_getnameinfo(const struct sockaddr *, socklen_t, char *, socklen_t, char *, socklen_t, int);
int __real_clock_gettime(clockid_t, struct timespec *);
int __wrap_clock_gettime(clockid_t, struct timespec *);
void __wrap_log_event(enum log_level, const char *, const struct log_field *);
void __real_inbox_push(struct inbox *, struct inbox_item *);
void __wrap_inbox_push(struct inbox *, struct inbox_item *);
void __real_inbox_push_all(struct inbox *, struct inbox_item *, struct inbox_item *);
void __wrap_inbox_push_all(struct inbox *, struct inbox_item *, struct inbox_item *);
int __real_directory_insert(struct directory *, const struct directory_entry *, struct directory_entry *,
                            struct directory_watcher **);
int __wrap_directory_insert(struct directory *, const struct directory_entry *, struct directory_entry *,
                            struct directory_watcher **);
bool __real_directory_remove(struct directory *, const struct name *, const struct session_ref *);
bool __wrap_directory_remove(struct directory *, const struct name *, const struct session_ref *);
bool __real_directory_find(struct directory *, const struct name *, struct directory_entry *);
bool __wrap_directory_find(struct directory *, const struct name *, struct directory_entry *);
void __real_directory_set_seat(struct directory *, const struct name *, const struct session_ref *, uint32_t);
void __wrap_directory_set_seat(struct directory *, const struct name *, const struct session_ref *, uint32_t);
enum directory_watch __real_directory_find_or_watch(struct directory *, const struct name *, const struct session_ref *,
                                                    struct directory_entry *);
enum directory_watch __wrap_directory_find_or_watch(struct directory *, const struct name *, const struct session_ref *,
                                                    struct directory_entry *);

#define ADDED 1 /* evcb_flags: as in a base */

/* The stand-ins have no other way to find the world. */
static struct sim *world;

void sim_standins_for(struct sim *sim)
{
    world = sim;
}

uint64_t sim_cpu_ms(void)
{
    struct timespec now;
    (void)__real_clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    if (world == NULL)
        return __real_clock_gettime(clock, now);
    const uint64_t ms = world->now + (clock == CLOCK_REALTIME ? SIM_TODAY_MS : 0);
    now->tv_sec = (time_t)(ms / 1000);
    now->tv_nsec = (long)(ms % 1000 * 1000000);
    return 0;
}

void __wrap_log_event(enum log_level level, const char *event, const struct log_field *fields)
{
    if (world == NULL || strcmp(event, "a reactor's event loop failed") == 0) /* the end of our every turn */
        return;
    world->kdc.resumed += strcmp(event, "resumed") == 0;
    for (const struct log_field *f = fields; f != NULL && f->key != NULL; f++)
        world->kdc.tickets_taken += strcmp(f->key, "ticket") == 0 && strcmp(f->text, "taken") == 0;
    if (level >= LOG_ERROR)
        sim_fail(world, "the KDC logs an error: %s", event);
    if (!world->options.trace)
        return;
    char line[512];
    int len = snprintf(line, sizeof line, "%s", event);
    for (const struct log_field *f = fields; f != NULL && f->key != NULL && len < (int)sizeof line; f++) {
        len += f->text != NULL
                   ? snprintf(line + len, sizeof line - (size_t)len, " %s=%s", f->key, f->text)
                   : snprintf(line + len, sizeof line - (size_t)len, " %s=%llu", f->key, (unsigned long long)f->number);
    }
    sim_trace(world, "    kdc: %s", line);
}

/* ---- threads and workers ---- */

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
    struct sim_kdc *kdc = &world->kdc;
    (void)attributes;
    kdc->threads[kdc->thread_count] = (struct sim_thread){ .run = run, .argument = argument };
    *thread = (pthread_t)kdc->thread_count++;
    return 0;
}

/* The schedule runs its rounds (sim_kdc_write_journal). */
int __wrap_journal_start(struct journal *journal)
{
    (void)journal;
    return 0;
}

/* Nothing grows old here. */
int __wrap_upkeep_start(struct upkeep *upkeep)
{
    (void)upkeep;
    return 0;
}

/* Full, when the workers' queue is. */
int __wrap_journal_issue(struct journal *journal, struct mail_issue *mail, uint32_t *retry_after)
{
    if (!world->kdc.busy) {
        return __real_journal_issue(journal, mail, retry_after);
    }
    mail->reason = REASON_BUSY;
    *retry_after = 1 + sim_below(&world->dice, 3);
    return -1;
}

struct event_base *__wrap_event_base_new(void)
{
    return calloc(1, 1);
}

void __wrap_event_base_free(struct event_base *base)
{
    free(base);
}

int __wrap_event_base_loop(struct event_base *base, int flags)
{
    struct sim_kdc *kdc = &world->kdc;
    struct event *events[SIM_TURN_MAX];
    const size_t count = kdc->turn_count;
    (void)flags;
    if (count == 0) {
        for (size_t i = 0; i < kdc->thread_count; i++) {
            if (((struct reactor *)kdc->threads[i].argument)->base == base)
                kdc->threads[i].ended = false;
        }
        return -1;
    }
    memcpy(events, kdc->turn, sizeof events);
    kdc->turn_count = 0;
    sim_kdc_handle(world, events, count);
    return 0;
}

int __wrap_pthread_join(pthread_t thread, void **result)
{
    struct sim *sim = world;
    const unsigned number = (unsigned)thread;
    (void)result;
    for (unsigned i = 0; i < 1000 && !sim->kdc.threads[number].ended; i++) {
        for (unsigned r = 0; r < SIM_REACTORS; r++) {
            if (sim_kdc_has_mail(sim, r))
                sim_kdc_wake(sim, r);
            sim_kdc_tick(sim, r);
        }
        sim->now += TIMER_WHEEL_TICK_MS;
    }
    if (!sim->kdc.threads[number].ended)
        sim_fail(sim, "reactor %u doesn't end", number);
    return 0;
}

struct worker_pool *__wrap_worker_pool_new(const struct worker_pool_options *options)
{
    world->kdc.pool = *options;
    return (struct worker_pool *)&world->kdc; /* looked at by nobody */
}

void __wrap_worker_pool_free(struct worker_pool **pool)
{
    struct sim_kdc *kdc = &world->kdc;
    if (*pool == NULL)
        return;
    for (size_t i = 0; i < kdc->job_count; i++) {
        if (kdc->jobs[i].ran)
            kdc->pool.deliver(kdc->pool.context, kdc->jobs[i].job);
        else
            kdc->jobs[i].job->destroy(kdc->jobs[i].job);
    }
    kdc->job_count = 0;
    *pool = NULL;
}

static void send_home(struct sim_kdc *kdc, struct job *job)
{
    job->busy = true;
    job->retry_after = 1 + sim_below(&world->dice, 3);
    kdc->pool.deliver(kdc->pool.context, job);
}

/* At times one that waits has to go for a newcomer. */
static bool displace(struct sim_kdc *kdc, struct job *job)
{
    for (size_t i = 0; i < kdc->job_count; i++) {
        struct job *waiting = kdc->jobs[i].job;
        if (!kdc->jobs[i].runs && waiting->class == job->class && sim_below(&world->dice, 2) == 0) {
            kdc->jobs[i] = (struct sim_job){ .job = job };
            send_home(kdc, waiting);
            return true;
        }
    }
    return false;
}

void __wrap_worker_pool_submit(struct worker_pool *pool, struct job *job)
{
    struct sim_kdc *kdc = &world->kdc;
    (void)pool;
    if (kdc->busy && displace(kdc, job)) {
        return;
    }
    if (kdc->busy || kdc->job_count == SIM_JOBS) {
        send_home(kdc, job);
        return;
    }
    kdc->jobs[kdc->job_count++] = (struct sim_job){ .job = job };
}

bool __wrap_worker_pool_withdraw(struct worker_pool *pool, struct job *job)
{
    struct sim_kdc *kdc = &world->kdc;
    (void)pool;
    for (size_t i = 0; i < kdc->job_count; i++) {
        if (kdc->jobs[i].job == job && !kdc->jobs[i].runs) {
            kdc->jobs[i] = kdc->jobs[--kdc->job_count];
            if (sim_below(&world->dice, 4) == 0) { /* somebody was at the queues */
                send_home(kdc, job);
                return false;
            }
            return true;
        }
    }
    return false;
}

/* ---- libevent ---- */

int __wrap_event_assign(struct event *event, struct event_base *base, evutil_socket_t fd, short what,
                        event_callback_fn callback, void *argument)
{
    memset(event, 0, sizeof *event);
    event->ev_base = base;
    event->ev_fd = fd;
    event->ev_events = what;
    event->ev_evcallback.evcb_cb_union.evcb_callback = callback;
    event->ev_evcallback.evcb_arg = argument;
    struct sim_wire *wire = sim_wire_of_fd(world, fd);
    if (wire != NULL && (what & EV_READ) != 0)
        wire->read_event = event;
    if (wire != NULL && (what & EV_WRITE) != 0)
        wire->write_event = event;
    return 0;
}

struct event *__wrap_event_new(struct event_base *base, evutil_socket_t fd, short what, event_callback_fn callback,
                               void *argument)
{
    struct sim_kdc *kdc = &world->kdc;
    struct event *event = malloc(sizeof *event);
    if (event == NULL)
        return NULL;
    (void)__wrap_event_assign(event, base, fd, what, callback, argument);
    if (sim_wire_of_fd(world, fd) != NULL)
        return event;
    if (fd >= 0)
        kdc->wake[kdc->wakes++] = event;
    else
        kdc->tick[kdc->timers++] = event;
    return event;
}

void __wrap_event_free(struct event *event)
{
    struct sim_wire *wire = sim_wire_of_fd(world, event->ev_fd);
    if (wire != NULL && wire->write_event == event)
        wire->write_event = NULL;
    free(event);
}

int __wrap_event_add(struct event *event, const struct timeval *timeout)
{
    (void)timeout;
    event->ev_evcallback.evcb_flags |= ADDED;
    return 0;
}

int __wrap_event_del(struct event *event)
{
    event->ev_evcallback.evcb_flags = 0;
    return 0;
}

int __wrap_event_pending(const struct event *event, short what, struct timeval *timeout)
{
    (void)timeout;
    return (event->ev_evcallback.evcb_flags & ADDED) != 0 ? event->ev_events & what : 0;
}

/* ---- what threads see of each other ---- */

void __wrap_inbox_push(struct inbox *inbox, struct inbox_item *item)
{
    __real_inbox_push(inbox, item);
    sim_meanwhile(world);
}

void __wrap_inbox_push_all(struct inbox *inbox, struct inbox_item *newest, struct inbox_item *oldest)
{
    __real_inbox_push_all(inbox, newest, oldest);
    sim_meanwhile(world);
}

int __wrap_directory_insert(struct directory *directory, const struct directory_entry *entry,
                            struct directory_entry *old, struct directory_watcher **watchers)
{
    sim_meanwhile(world);
    const int result = __real_directory_insert(directory, entry, old, watchers);
    sim_meanwhile(world);
    return result;
}

bool __wrap_directory_remove(struct directory *directory, const struct name *name, const struct session_ref *ref)
{
    sim_meanwhile(world);
    const bool result = __real_directory_remove(directory, name, ref);
    sim_meanwhile(world);
    return result;
}

bool __wrap_directory_find(struct directory *directory, const struct name *name, struct directory_entry *entry)
{
    sim_meanwhile(world);
    const bool result = __real_directory_find(directory, name, entry);
    sim_meanwhile(world);
    return result;
}

void __wrap_directory_set_seat(struct directory *directory, const struct name *name, const struct session_ref *ref,
                               uint32_t seat)
{
    sim_meanwhile(world);
    __real_directory_set_seat(directory, name, ref, seat);
    sim_meanwhile(world);
}

enum directory_watch __wrap_directory_find_or_watch(struct directory *directory, const struct name *name,
                                                    const struct session_ref *watcher, struct directory_entry *entry)
{
    sim_meanwhile(world);
    const enum directory_watch result = __real_directory_find_or_watch(directory, name, watcher, entry);
    sim_meanwhile(world);
    return result;
}

bool sim_event_added(const struct event *event)
{
    return event != NULL && (event->ev_evcallback.evcb_flags & ADDED) != 0;
}

/* ---- sockets ---- */

ssize_t __wrap_recv(int fd, void *data, size_t len, int flags)
{
    struct sim_wire *wire = sim_wire_of_fd(world, fd);
    (void)flags;
    if (wire->cut && wire->kdc_knows) {
        errno = ECONNRESET;
        return -1;
    }
    size_t got = wire->cut ? 0 : buffer_len(&wire->up);
    if (got > wire->readable)
        got = wire->readable;
    if (got > len)
        got = len;
    wire->readable -= got;
    if (got > 0) {
        memcpy(data, buffer_data(&wire->up), got);
        buffer_consume(&wire->up, got);
        return (ssize_t)got;
    }
    if (!wire->cut && wire->up_end && buffer_len(&wire->up) == 0)
        return 0;
    errno = EAGAIN;
    return -1;
}

ssize_t __wrap_send(int fd, const void *data, size_t len, int flags)
{
    struct sim_wire *wire = sim_wire_of_fd(world, fd);
    (void)flags;
    if (wire->cut && wire->kdc_knows) {
        errno = ECONNRESET;
        return -1;
    }
    const size_t there = buffer_len(&wire->down);
    const size_t room = there < world->pipe ? world->pipe - there : 0;
    if (room == 0) {
        errno = EAGAIN;
        return -1;
    }
    len = len < room ? len : room;
    sim_wire_put(world, wire, &wire->down, data, len);
    return (ssize_t)len;
}

int __wrap_shutdown(int fd, int how)
{
    (void)how;
    sim_wire_of_fd(world, fd)->down_end = true;
    return 0;
}

int __wrap_close(int fd)
{
    struct sim_wire *wire = world == NULL ? NULL : sim_wire_of_fd(world, fd);
    if (wire == NULL)
        return __real_close(fd);
    wire->down_end = true;
    wire->kdc_gone = true;
    wire->read_event = NULL;
    wire->write_event = NULL;
    sim_wire_drop(wire);
    return 0;
}

int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
    (void)fd;
    (void)level;
    (void)option;
    (void)value;
    (void)len;
    return 0;
}

int __wrap_getnameinfo(const struct sockaddr *address, socklen_t len, char *host, socklen_t host_len, char *port,
                       socklen_t port_len, int flags)
{
    (void)len;
    (void)flags;
    (void)snprintf(host, host_len, "127.0.0.1");
    (void)snprintf(port, port_len, "%u",
                   (unsigned)ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port));
    return 0;
}
