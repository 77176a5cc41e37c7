#include "tests/bench/measure.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S UINT64_C(1000000000)
#define TASKS_MAX 1024
#define TURN_NS 100000  /* the shortest that the scheduler grants */
#define RESET_ON_FORK 1 /* SCHED_FLAG_RESET_ON_FORK: threads that it begins are as others are */

static uint64_t read_clock(clockid_t clock)
{
    struct timespec t = { 0 };
    (void)clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

uint64_t clock_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t thread_cpu_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

/* The first bytes of a small file, as a string; empty when it can't be read. */
static void read_text(const char *path, char *text, size_t room)
{
    FILE *file = fopen(path, "re");
    size_t len = 0;
    if (file != NULL) {
        len = fread(text, 1, room - 1, file);
        (void)fclose(file);
    }
    text[len] = '\0';
}

static size_t tasks_of(pid_t pid, pid_t tasks[TASKS_MAX])
{
    char path[64];
    size_t count = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return 0;
    }
    /* One folder, one thread. */
    // cppcheck-suppress readdirCalled
    for (const struct dirent *entry = readdir(folder); entry != NULL && count < TASKS_MAX; entry = readdir(folder)) {
        const long task = strtol(entry->d_name, NULL, 10);
        if (task > 0) {
            tasks[count++] = (pid_t)task;
        }
    }
    (void)closedir(folder);
    return count;
}

static uint64_t scheduled_ns(pid_t pid)
{
    pid_t tasks[TASKS_MAX];
    const size_t count = tasks_of(pid, tasks);
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++) {
        char path[64];
        char text[128];
        (void)snprintf(path, sizeof path, "/proc/%d/task/%d/schedstat", (int)pid, (int)tasks[i]);
        read_text(path, text, sizeof text);
        total += strtoull(text, NULL, 10);
    }
    return total;
}

struct usage usage_of(pid_t pid)
{
    struct usage usage = { 0 };
    char path[64];
    char text[1024];
    if (pid <= 0) {
        return usage;
    }
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    read_text(path, text, sizeof text);
    /* Behind the program's name, which may hold anything: state, ten numbers, user, system (proc(5)). */
    char *field = strrchr(text, ')');
    for (unsigned i = 0; field != NULL && i < 12; i++) {
        field = strchr(field + 1, ' ');
    }
    if (field == NULL) {
        return usage;
    }
    const uint64_t tick_ns = NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);
    char *rest = NULL;
    usage.user_ns = strtoull(field, &rest, 10) * tick_ns;
    usage.system_ns = strtoull(rest, NULL, 10) * tick_ns;
    usage.total_ns = scheduled_ns(pid);
    if (usage.total_ns == 0) { /* a kernel that doesn't count them */
        usage.total_ns = usage.user_ns + usage.system_ns;
    }
    return usage;
}

struct sample sample_take(pid_t server, pid_t database)
{
    return (struct sample){ .wall_ns = clock_ns(),
                            .server = usage_of(server),
                            .database = usage_of(database),
                            .own_ns = read_clock(CLOCK_PROCESS_CPUTIME_ID) };
}

static double seconds(uint64_t from, uint64_t to)
{
    return to > from ? (double)(to - from) / 1e9 : 0;
}

void spent_add(struct spent *spent, const struct sample *from, const struct sample *to)
{
    /* The scheduler's total, shared out as the ticks say. */
    const double user = seconds(from->server.user_ns, to->server.user_ns);
    const double system = seconds(from->server.system_ns, to->server.system_ns);
    const double total = seconds(from->server.total_ns, to->server.total_ns);
    const double share = user + system > 0 ? user / (user + system) : 0;
    spent->seconds += seconds(from->wall_ns, to->wall_ns);
    spent->server_cpu += total;
    spent->server_user += total * share;
    spent->server_system += total * (1 - share);
    /* Its threads come and go, so only the ticks know them all. */
    spent->database_cpu +=
        seconds(from->database.user_ns + from->database.system_ns, to->database.user_ns + to->database.system_ns);
    spent->own_cpu += seconds(from->own_ns, to->own_ns);
}

json_t *spent_json(const struct spent *spent)
{
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f}", "seconds", spent->seconds, "server_cpu_s", spent->server_cpu,
                     "server_user_s", spent->server_user, "server_system_s", spent->server_system, "database_cpu_s",
                     spent->database_cpu, "generator_cpu_s", spent->own_cpu);
}

/* The number behind a line's name, times 1024; 0 when there is no such line. */
static uint64_t kilobytes(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at != NULL ? strtoull(at + strlen(name), NULL, 10) * 1024 : 0;
}

struct memory memory_of(pid_t pid)
{
    char path[64];
    char text[4096];
    if (pid <= 0) {
        return (struct memory){ 0 };
    }
    (void)snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    read_text(path, text, sizeof text);
    struct memory memory = { .rss = kilobytes(text, "\nRss:"), .pss = kilobytes(text, "\nPss:") };
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    read_text(path, text, sizeof text);
    /* The kernel keeps its high-water mark by counters that lag behind each core's pages; what was just counted is exact. */
    const uint64_t mark = kilobytes(text, "\nVmHWM:");
    memory.peak = mark > memory.rss ? mark : memory.rss;
    return memory;
}

uint64_t rss_of(pid_t pid)
{
    char path[64];
    char text[256];
    (void)snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    read_text(path, text, sizeof text);
    const char *second = strchr(text, ' ');
    return second != NULL ? strtoull(second, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

struct kernel_memory memory_of_kernel(void)
{
    char text[8192];
    read_text("/proc/meminfo", text, sizeof text);
    struct kernel_memory memory = { .slab = kilobytes(text, "\nSlab:") };
    read_text("/proc/net/sockstat", text, sizeof text);
    const char *tcp = strstr(text, "\nTCP:");
    const char *pages = tcp != NULL ? strstr(tcp, " mem ") : NULL;
    memory.socket_buffers =
        pages != NULL ? strtoull(pages + strlen(" mem "), NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
    return memory;
}

/* sched_setattr(2): the C library has neither the call nor its struct. */
struct scheduling {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime;
    uint64_t deadline;
    uint64_t period;
};

bool go_first(void)
{
    struct scheduling attributes = {
        .size = sizeof attributes, .policy = SCHED_FIFO, .flags = RESET_ON_FORK, .priority = 1
    };
    if (syscall(SYS_sched_setattr, 0, &attributes, 0) == 0) {
        return true;
    }
    attributes = (struct scheduling){ .size = sizeof attributes, .policy = SCHED_OTHER, .runtime = TURN_NS };
    (void)syscall(SYS_sched_setattr, 0, &attributes, 0);
    return false;
}

unsigned cpus_of(pid_t pid)
{
    cpu_set_t set;
    return sched_getaffinity(pid, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 0;
}

static int parse_cpus(const char *list, cpu_set_t *set)
{
    CPU_ZERO(set);
    const char *at = list;
    do {
        char *end = NULL;
        const unsigned long first = strtoul(at, &end, 10);
        unsigned long last = first;
        if (end == at) {
            return -1;
        }
        if (*end == '-') {
            at = end + 1;
            last = strtoul(at, &end, 10);
        }
        if (first > last || last >= CPU_SETSIZE) {
            return -1;
        }
        for (unsigned long cpu = first; cpu <= last; cpu++) {
            CPU_SET(cpu, set);
        }
        at = *end == ',' ? end + 1 : end;
    } while (*at != '\0' && *at != '\n');
    return 0;
}

int cpus_pin(pid_t pid, const char *list)
{
    cpu_set_t set;
    pid_t tasks[TASKS_MAX];
    if (parse_cpus(list, &set) != 0) {
        errno = EINVAL;
        return -1;
    }
    const size_t count = tasks_of(pid, tasks);
    for (size_t i = 0; i < count; i++) {
        if (sched_setaffinity(tasks[i], sizeof set, &set) != 0) {
            return -1;
        }
    }
    if (count == 0) {
        errno = ESRCH;
        return -1;
    }
    return 0;
}
