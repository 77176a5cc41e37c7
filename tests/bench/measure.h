/*
 * measure.h: what a process has used, by /proc/PID, and the clock. Only what the kernel says: nothing is asked of the
 * measured process.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Monotonic, nanoseconds. */
uint64_t clock_ns(void);
/* Of this thread, nanoseconds of CPU. */
uint64_t thread_cpu_ns(void);

/* CPU so far. The scheduler counts `total` in nanoseconds; user and system are in clock ticks, so they tell the shares. */
struct usage {
    uint64_t total_ns;
    uint64_t user_ns;
    uint64_t system_ns;
};

/* Zero when there is no such process (pid 0: nobody is measured). */
struct usage usage_of(pid_t pid);

/* One moment: the clock, the server, its database, ourselves. */
struct sample {
    uint64_t wall_ns;
    struct usage server;
    struct usage database;
    uint64_t own_ns;
};

struct sample sample_take(pid_t server, pid_t database);

/* What was used in one or several stretches of time: seconds. */
struct spent {
    double seconds; /* of the clock */
    double server_cpu;
    double server_user;
    double server_system;
    double database_cpu;
    double own_cpu;
};

void spent_add(struct spent *spent, const struct sample *from, const struct sample *to);
/* {"seconds", "server_cpu_s", "server_user_s", "server_system_s", "database_cpu_s", "generator_cpu_s"}. NULL when memory is
 * out. */
json_t *spent_json(const struct spent *spent);

struct memory {
    uint64_t rss; /* bytes */
    uint64_t pss;
    uint64_t peak; /* of rss, since the process began */
};
struct memory memory_of(pid_t pid);
/* The resident memory alone, which costs the process nothing (memory_of makes it hold still for a moment). */
uint64_t rss_of(pid_t pid);

/* Of the whole machine, both ends of each connection: bytes. */
struct kernel_memory {
    uint64_t slab;           /* the kernel's own objects, sockets among them */
    uint64_t socket_buffers; /* what TCP holds of data, by its own count */
};
struct kernel_memory memory_of_kernel(void);

/* This thread is to have a core at once when something has come for it, whoever has it: in real time if we may (true), else
 * by asking for short turns (Linux 6.12 and later). On a machine of its own it would have one; here the server's workers and
 * our own load have the cores, and what they do to the one who measures is not the server's latency. For a thread that hardly
 * computes. The server's threads have no part in it. */
bool go_first(void);

/* How many cores a process may run on; 0 when that can't be told. */
unsigned cpus_of(pid_t pid);

/* Ties every thread of a process to those cores ("0", "0,1", "0-1"). 0; -1 with errno. */
int cpus_pin(pid_t pid, const char *list) __attribute__((warn_unused_result));

#endif
