/*
 * log_quota.h: a bound on lines that somebody else can cause, so that a flood doesn't fill the disk: so many a second, and
 * the first line of a later second tells how many were left out.
 *
 * Zeroed: fresh. Thread: one.
 */
#ifndef KDC_LOG_QUOTA_H
#define KDC_LOG_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

struct log_quota {
    uint64_t second;
    unsigned lines; /* in that second */
    uint64_t left_out;
};

/* Whether a line may be written at `now` (milliseconds of any clock). If so *left_out tells how many before it weren't. */
static inline bool log_quota_take(struct log_quota *quota, uint64_t now, unsigned a_second, uint64_t *left_out)
{
    if (quota->second != now / 1000) {
        quota->second = now / 1000;
        quota->lines = 0;
    }
    if (quota->lines >= a_second) {
        quota->left_out++;
        return false;
    }
    quota->lines++;
    *left_out = quota->left_out;
    quota->left_out = 0;
    return true;
}

#endif
