#include "kdc/priority.h"

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SHORT_TURN_NS 100000 /* the shortest that the kernel takes */

/* The kernel's struct sched_attr, which the C library doesn't have, in its first version. */
struct scheduling {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime; /* nanoseconds */
    uint64_t deadline;
    uint64_t period;
};

void priority_step_back(int nice)
{
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), nice);
}

void priority_short_turns(void)
{
    errno = 0;
    const int nice = getpriority(PRIO_PROCESS, (id_t)gettid());
    struct scheduling attributes = {
        .size = sizeof attributes, .policy = SCHED_OTHER, .nice = nice, .runtime = SHORT_TURN_NS
    };
    if (errno == 0) {
        (void)syscall(SYS_sched_setattr, 0, &attributes, 0);
    }
}

void priority_go_first(bool on)
{
    struct scheduling attributes = { .size = sizeof attributes, .policy = SCHED_RR, .priority = 1 };
    if (on) {
        (void)syscall(SYS_sched_setattr, 0, &attributes, 0);
    } else {
        priority_short_turns();
    }
}
