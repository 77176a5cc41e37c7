/*
 * talk.h: conversations at their own pace, as people hold them: whatever becomes of a message, the next is sent when it is
 * due. What the machine does besides then shows in how long messages take, and not in how many there are.
 */
#ifndef BENCH_TALK_H
#define BENCH_TALK_H

#include "tests/bench/traffic.h"

#define TALK_WINDOW_SECONDS 0.1

struct talk_watch {
    void *context;
    /* Every TALK_WINDOW_SECONDS: what the messages that arrived meanwhile took. */
    void (*window)(void *context, const struct latency *latency);
};

/* All pairs in turn send so many messages a second, for so long; then waits until all is there. Adds to the outcome. `watch`
 * may be NULL. */
void talk_run(struct traffic *traffic, double per_second, double seconds, const struct talk_watch *watch,
              struct outcome *outcome);

#endif
