/* status_signals.c: the signals that a watcher of the status has to do with: kept away but while it waits. */
#include "kdc/admin/status.h"

#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t arrived[NSIG];
static const int watched[] = { SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGTSTP, SIGCONT };
#define WATCHED (sizeof watched / sizeof watched[0])

static void on_signal(int number)
{
    arrived[number] = 1;
}

void status_signals_begin(void)
{
    struct sigaction action = { .sa_handler = on_signal };
    sigset_t set;
    (void)sigemptyset(&set);
    for (size_t i = 0; i < WATCHED; i++) {
        (void)sigaddset(&set, watched[i]);
        (void)sigaction(watched[i], &action, NULL);
    }
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
}

bool status_wait(int timeout_ms, int input)
{
    const struct timespec timeout = { .tv_sec = timeout_ms / 1000, .tv_nsec = (long)(timeout_ms % 1000) * 1000000 };
    struct pollfd fd = { .fd = input, .events = POLLIN };
    sigset_t none;
    (void)sigemptyset(&none);
    return ppoll(&fd, 1, &timeout, &none) > 0;
}

static bool take(int number)
{
    const bool came = arrived[number] != 0;
    arrived[number] = 0;
    return came;
}

struct status_signals status_signals_take(void)
{
    struct status_signals signals = { 0 };
    const bool ends[] = { take(SIGINT), take(SIGTERM), take(SIGHUP) };
    signals.ended = ends[0] || ends[1] || ends[2];
    signals.resized = take(SIGWINCH);
    signals.suspended = take(SIGTSTP);
    signals.resumed = take(SIGCONT);
    return signals;
}

void status_suspend(void)
{
    (void)kill(0, SIGSTOP); /* the whole job, as the terminal would have it */
}
