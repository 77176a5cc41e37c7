/*
 * process_stats.h: what this process takes of the machine. Any thread; takes some milliseconds with many open files.
 */
#ifndef KDC_PROCESS_STATS_H
#define KDC_PROCESS_STATS_H

#include <stdint.h>

#define PROCESS_UNKNOWN UINT64_MAX /* it could not be found out */

struct process_stats {
    uint64_t resident; /* bytes */
    uint64_t cpu_us;
    uint64_t open_fds;
    uint64_t max_fds;
};

struct process_stats process_stats(void);

#endif
