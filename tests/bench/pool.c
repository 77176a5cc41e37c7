#include "tests/bench/pool.h"

#include "tests/bench/measure.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define READ_ROOM (FRAME_HEADER_LEN + FRAME_LEN_AFTER_LOGIN + 65536)
#define BUFFERS_SPARE 256
#define EVENTS_A_TURN 256
#define NS_PER_MS UINT64_C(1000000)
#define CLOSE_SECONDS 10

static int init(struct pool *pool, struct bench *bench, const struct target *target, bool bare,
                const struct pool *other)
{
    const struct dh_group *group = dh_group_by_name(bench->options->group);
    const struct suite *suite = suite_by_name(bench->options->suite);
    *pool = (struct pool){
        .target = target, .faults = &bench->faults, .bare = bare, .registers = bench->options->registers, .epoll = -1
    };
    if (group == NULL || suite == NULL) {
        fault(&bench->faults, "there is no group '%s' or no suite '%s'", bench->options->group, bench->options->suite);
        return -1;
    }
    pool->policy = (struct handshake_policy){
        .groups = { group->id }, .group_count = 1, .suites = { suite->id }, .suite_count = 1
    };
    pool->shares_epoll = other != NULL;
    pool->epoll = other != NULL ? other->epoll : epoll_create1(EPOLL_CLOEXEC);
    pool->read_buffer = malloc(READ_ROOM);
    buffer_stock_init(&pool->buffers, BUFFERS_SPARE);
    if (dh_group_prepare(group) != 0 || pool->epoll < 0 || pool->read_buffer == NULL) {
        fault(&bench->faults, "memory or descriptors are out");
        pool_clear(pool);
        return -1;
    }
    return 0;
}

int pool_init(struct pool *pool, struct bench *bench, const struct target *target, bool bare)
{
    return init(pool, bench, target, bare, NULL);
}

int pool_init_beside(struct pool *pool, struct bench *bench, const struct pool *other)
{
    return init(pool, bench, other->target, other->bare, other);
}

void pool_clear(struct pool *pool)
{
    if (pool->epoll >= 0 && !pool->shares_epoll) {
        close(pool->epoll);
    }
    pool->epoll = -1;
    free(pool->read_buffer);
    pool->read_buffer = NULL;
    buffer_stock_clear(&pool->buffers);
}

void pool_turn(struct pool *pool, uint64_t deadline)
{
    struct epoll_event events[EVENTS_A_TURN];
    const uint64_t now = clock_ns();
    const uint64_t left = deadline > now ? deadline - now : 0;
    const int count = epoll_wait(pool->epoll, events, EVENTS_A_TURN, (int)((left + NS_PER_MS - 1) / NS_PER_MS));
    for (int i = 0; i < count; i++) {
        session_ready(events[i].data.ptr, events[i].events);
    }
}

bool pool_run(struct pool *pool, uint64_t deadline, bool (*condition)(const void *context), const void *context)
{
    while (!condition(context)) {
        if (clock_ns() >= deadline) {
            return false;
        }
        pool_turn(pool, deadline);
    }
    return true;
}

/* ---- many at once ---- */

struct bring_up {
    enum session_state goal;
    size_t pending; /* connected, not there yet */
    size_t done;
    size_t count;
    const struct faults *faults;
    uint64_t errors_before;
};

static struct bring_up *bring_up_of(const struct bench_session *s)
{
    return s->pool->context;
}

static void arrived(struct bench_session *s)
{
    bring_up_of(s)->pending--;
    bring_up_of(s)->done++;
}

static void on_secured(struct bench_session *s)
{
    if (bring_up_of(s)->goal == SESSION_SECURED) {
        arrived(s);
    } else {
        session_login(s);
    }
}

static void ignore_message(struct bench_session *s, const struct message *m)
{
    (void)s;
    (void)m;
}

static void ignore_frame(struct bench_session *s, struct bytes frame)
{
    (void)s;
    (void)frame;
}

static void ignore_closed(struct bench_session *s)
{
    (void)s;
}

static bool failed(const struct bring_up *b)
{
    return b->faults->errors != b->errors_before;
}

int pool_bring_up(struct pool *pool, struct bench_session **sessions, size_t count, size_t concurrency, double seconds,
                  enum session_state goal)
{
    static const struct pool_handler handler = {
        .secured = on_secured, .up = arrived, .message = ignore_message, .frame = ignore_frame, .closed = ignore_closed
    };
    const struct pool_handler *handler_before = pool->handler;
    void *context_before = pool->context;
    struct bring_up b = { .goal = goal, .count = count, .faults = pool->faults, .errors_before = pool->faults->errors };
    const uint64_t deadline = clock_ns() + (uint64_t)(seconds * 1e9);
    size_t next = 0;
    pool->handler = &handler;
    pool->context = &b;
    while (b.done < count && !failed(&b) && clock_ns() < deadline) {
        /* At the bare relay each waits for its peer, so they can't wait for each other. */
        while (next < count && (b.pending < concurrency || pool->bare) && !failed(&b)) {
            b.pending++;
            session_connect(sessions[next++]);
        }
        pool_turn(pool, deadline);
    }
    pool->handler = handler_before;
    pool->context = context_before;
    if (b.done == count) {
        return 0;
    }
    if (!failed(&b)) {
        fault(pool->faults, "only %zu of %zu sessions were there after %.0f seconds", b.done, count, seconds);
    }
    return -1;
}

static bool all_down(const void *context)
{
    return ((const struct pool *)context)->open == 0;
}

void pool_bring_down(struct pool *pool, struct bench_session **sessions, size_t count)
{
    static const struct pool_handler handler = { .secured = ignore_closed,
                                                 .up = ignore_closed,
                                                 .message = ignore_message,
                                                 .frame = ignore_frame,
                                                 .closed = ignore_closed };
    pool->handler = &handler;
    for (size_t i = 0; i < count; i++) {
        session_close(sessions[i]);
    }
    if (!pool_run(pool, clock_ns() + CLOSE_SECONDS * UINT64_C(1000000000), all_down, pool)) {
        fault(pool->faults, "%zu sessions were not closed by the other side", pool->open);
    }
    for (size_t i = 0; i < count; i++) {
        session_drop(sessions[i]);
    }
}
