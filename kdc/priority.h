/*
 * priority.h: which of kdcd's threads the kernel lets go first when there are fewer cores than work. What people say to each
 * other goes before what newcomers cost.
 *
 * Linux: a thread has a niceness of its own. Where the kernel or our rights don't allow a call, the thread runs on as it was.
 * Thread: each function is about the one that calls it.
 */
#ifndef KDC_PRIORITY_H
#define KDC_PRIORITY_H

#include <stdbool.h>

/* Steps back behind threads of a lower niceness (setpriority(2)). Only for one that holds no lock that a reactor may have to wait
 * for: it can be made to wait for its core in the middle of anything. */
void priority_step_back(int nice);

/* For one who works for microseconds at a time and waits in between: asks for short turns (sched_setattr(2), Linux 6.12 and
 * later), so that it goes on as soon as it has something to do, and not when another's long turn is over. */
void priority_short_turns(void);

/* For the same one, while it must not wait for a core at all: goes before all that isn't in real time (SCHED_RR, sched(7)), if we may,
 * as root may and who has RLIMIT_RTPRIO. It then also runs at each wake-up at once, and so for less at a time: not for always.
 * False: asks for short turns again. */
void priority_go_first(bool on);

#endif
