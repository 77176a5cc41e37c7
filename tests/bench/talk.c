#include "tests/bench/talk.h"

#include <string.h>

struct talk {
    struct traffic *traffic;
    struct latency window;
    size_t next; /* pair */
};

static void on_arrived(struct way *way)
{
    struct talk *talk = way->pair->traffic->pool.context;
    const struct traffic *traffic = way->pair->traffic;
    latency_add(&talk->window, clock_ns() - way->sent_at[(way->expected - 1) % traffic->ring]);
}

/* A pair that may not send (the other end doesn't get anything) is passed over. */
static void say(struct talk *talk)
{
    struct traffic *traffic = talk->traffic;
    struct way *way = &traffic->pairs[talk->next].forth;
    talk->next = (talk->next + 1) % traffic->pair_count;
    if (way_has_room(way) && way->sent - way->received < traffic->ring) {
        way_add(way);
        session_send(way->from);
    }
}

void talk_run(struct traffic *traffic, double per_second, double seconds, const struct talk_watch *watch,
              struct outcome *outcome)
{
    static struct talk talk;
    const struct target *target = traffic->pool.target;
    const uint64_t interval = (uint64_t)(1e9 / per_second);
    const uint64_t window_ns = (uint64_t)(TALK_WINDOW_SECONDS * 1e9);
    talk = (struct talk){ .traffic = traffic };
    traffic->pool.context = &talk;
    traffic->arrived = on_arrived;
    traffic->latency = &outcome->latency;
    traffic->delivered = 0;
    const struct sample from = sample_take(target->pid, target->database_pid);
    uint64_t due = from.wall_ns;
    uint64_t window_end = from.wall_ns + window_ns;
    const uint64_t end = from.wall_ns + (uint64_t)(seconds * 1e9);
    for (uint64_t now = clock_ns(); now < end && !faults_any(&traffic->bench->faults); now = clock_ns()) {
        for (; due <= now; due += interval) {
            say(&talk);
        }
        if (now >= window_end) {
            if (watch != NULL) {
                watch->window(watch->context, &talk.window);
            }
            memset(&talk.window, 0, sizeof talk.window);
            window_end += window_ns;
        }
        pool_turn(&traffic->pool, due < end ? due : end);
    }
    const struct sample to = sample_take(target->pid, target->database_pid);
    spent_add(&outcome->spent, &from, &to);
    traffic_drain(traffic);
    outcome->delivered += traffic->delivered;
    traffic->latency = NULL;
}
