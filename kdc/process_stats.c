#include "kdc/process_stats.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static uint64_t resident(void)
{
    uint64_t size;
    uint64_t pages;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL) {
        return PROCESS_UNKNOWN;
    }
    /* NOLINTNEXTLINE(cert-err34-c) the kernel's own numbers */
    const int read = fscanf(file, "%" SCNu64 " %" SCNu64, &size, &pages);
    (void)fclose(file);
    return read == 2 ? pages * (uint64_t)sysconf(_SC_PAGESIZE) : PROCESS_UNKNOWN;
}

static uint64_t open_fds(void)
{
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL) {
        return PROCESS_UNKNOWN;
    }
    uint64_t count = 0;
    // cppcheck-suppress readdirCalled
    while (readdir(folder) != NULL) {
        count++;
    }
    (void)closedir(folder);
    return count < 3 ? 0 : count - 3; /* ".", "..", and the folder's own */
}

struct process_stats process_stats(void)
{
    struct process_stats stats = {
        .resident = resident(), .cpu_us = PROCESS_UNKNOWN, .open_fds = open_fds(), .max_fds = PROCESS_UNKNOWN
    };
    struct rusage usage;
    struct rlimit limit;
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        stats.cpu_us = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
                       (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        stats.max_fds = limit.rlim_cur;
    }
    return stats;
}
