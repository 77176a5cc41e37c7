#include "kdc/waiting.h"

#include <stddef.h>

static int init_conditions(pthread_cond_t *condition, pthread_cond_t *other, const pthread_condattr_t *attributes)
{
    if (pthread_cond_init(condition, attributes) != 0) {
        return -1;
    }
    if (other != NULL && pthread_cond_init(other, attributes) != 0) {
        pthread_cond_destroy(condition);
        return -1;
    }
    return 0;
}

int waiting_init(pthread_mutex_t *lock, pthread_cond_t *condition, pthread_cond_t *other)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0) {
        return -1;
    }
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    int result = pthread_mutex_init(lock, NULL) == 0 ? 0 : -1;
    if (result == 0 && init_conditions(condition, other, &attributes) != 0) {
        pthread_mutex_destroy(lock);
        result = -1;
    }
    pthread_condattr_destroy(&attributes);
    return result;
}

struct timespec waiting_in_us(uint64_t us)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(us / 1000000);
    until.tv_nsec += (long)(us % 1000000) * 1000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    return until;
}

struct timespec waiting_in_ms(uint64_t ms)
{
    return waiting_in_us(ms * 1000);
}
