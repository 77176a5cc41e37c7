/*
 * waiting.h: a lock and the conditions that threads wait for under it, until a time of the monotonic clock at the most: a wall
 * clock that is set neither ends a wait nor draws it out. Any thread.
 */
#ifndef KDC_WAITING_H
#define KDC_WAITING_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* Makes the lock and its conditions, for pthread_cond_timedwait by the monotonic clock. `other` may be NULL: there is one
 * condition only. 0; or -1, and then nothing is made. Whoever has them destroys each. */
int waiting_init(pthread_mutex_t *lock, pthread_cond_t *condition, pthread_cond_t *other)
    __attribute__((warn_unused_result));

/* So far from now, by the monotonic clock. */
struct timespec waiting_in_ms(uint64_t ms);
struct timespec waiting_in_us(uint64_t us);

#endif
