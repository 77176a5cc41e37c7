#include "client/cli/credentials.h"

#include "client/cli/job.h"
#include "crypto/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

/* Those that would leave the terminal without echo. */
static const int caught_signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };
#define CAUGHT_COUNT (sizeof caught_signals / sizeof caught_signals[0])

/* Set by the signal handler while a question is asked; 0: none came. */
static volatile sig_atomic_t signal_that_came;

static void note_signal(int signal_number)
{
    signal_that_came = signal_number;
}

static int open_terminal(void)
{
    int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 && isatty(STDIN_FILENO) == 1) {
        fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    }
    return fd;
}

bool ask_possible(void)
{
    int fd = open_terminal();
    if (fd < 0) {
        return false;
    }
    close(fd);
    return true;
}

static void write_all(int fd, const char *text)
{
    size_t len = strlen(text);
    while (len > 0) {
        ssize_t written = write(fd, text, len);
        if (written < 0 && errno != EINTR) {
            return;
        }
        if (written > 0) {
            text += written;
            len -= (size_t)written;
        }
    }
}

/* While it is asked, Ctrl-C and Ctrl-Z end the line instead of sending a signal: that would also meet a make or a script
 * that started this program, and its shell would have the terminal before we put it back. */
static void take_signal_keys(struct termios *asking)
{
    asking->c_lflag = (asking->c_lflag | IEXTEN) & ~(tcflag_t)ISIG;
    asking->c_cc[VEOL] = asking->c_cc[VINTR];
    asking->c_cc[VEOL2] = asking->c_cc[VSUSP];
}

/* The signal that a key stands for, or 0. */
static int signal_of(const struct termios *asking, char byte)
{
    const cc_t typed = (cc_t)byte;
    if (typed == _POSIX_VDISABLE) {
        return 0;
    }
    return typed == asking->c_cc[VINTR]   ? SIGINT
           : typed == asking->c_cc[VSUSP] ? SIGTSTP
           : typed == asking->c_cc[VQUIT] ? SIGQUIT
                                          : 0;
}

/* Byte by byte, so that nothing that was typed ahead is taken away from who reads next. `asking`: the terminal's settings,
 * NULL when there are none. */
static enum ask_result read_answer(int fd, const struct termios *asking, char *answer, size_t room, bool *stopped)
{
    size_t len = 0;
    bool too_long = false;
    for (;;) {
        char byte;
        ssize_t got = read(fd, &byte, 1);
        if (got < 0 && errno == EINTR && signal_that_came == 0) {
            continue;
        }
        const int typed_signal = got > 0 && asking != NULL ? signal_of(asking, byte) : 0;
        if (got <= 0 || typed_signal != 0) {
            secret_wipe(&byte, 1);
            secret_wipe(answer, room); /* nothing of a password stays while we are stopped */
            *stopped = typed_signal == SIGTSTP;
            return ASK_INTERRUPTED;
        }
        if (byte == '\n' || byte == '\r') {
            answer[len] = '\0';
            return too_long ? ASK_TOO_LONG : ASK_OK;
        }
        if (len + 1 < room) {
            answer[len++] = byte;
        } else {
            too_long = true;
        }
        secret_wipe(&byte, 1);
    }
}

/* One asking; `stopped` when it was cut short by Ctrl-Z and the program goes on now. */
static enum ask_result ask_once(int fd, const char *question, bool echo, char *answer, size_t room, bool *stopped)
{
    struct sigaction before[CAUGHT_COUNT];
    struct sigaction action = { .sa_handler = note_signal };
    sigemptyset(&action.sa_mask);
    signal_that_came = 0;
    for (size_t i = 0; i < CAUGHT_COUNT; i++) {
        sigaction(caught_signals[i], &action, &before[i]);
    }
    struct termios saved = { 0 };
    bool has_settings = tcgetattr(fd, &saved) == 0;
    struct termios asking = saved;
    if (has_settings) {
        asking.c_lflag |= ICANON;
        asking.c_iflag |= ICRNL;
        asking.c_lflag = echo ? asking.c_lflag | ECHO : asking.c_lflag & ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
        take_signal_keys(&asking);
        tcsetattr(fd, echo ? TCSADRAIN : TCSAFLUSH, &asking);
    }
    write_all(fd, question);
    enum ask_result result = read_answer(fd, has_settings ? &asking : NULL, answer, room, stopped);
    int came = signal_that_came;
    if (!echo || result != ASK_OK) {
        write_all(fd, "\n");
    }
    if (has_settings) {
        tcsetattr(fd, TCSADRAIN, &saved);
    }
    for (size_t i = 0; i < CAUGHT_COUNT; i++) {
        sigaction(caught_signals[i], &before[i], NULL);
    }
    if (*stopped) {
        job_stop();
    } else if (came == SIGTSTP) {
        *stopped = true;
        (void)raise(SIGSTOP);
    }
    return result;
}

static enum ask_result ask(const char *question, bool echo, char *answer, size_t room)
{
    int fd = open_terminal();
    if (fd < 0) {
        return ASK_NO_TERMINAL;
    }
    enum ask_result result;
    bool stopped;
    do {
        stopped = false;
        result = ask_once(fd, question, echo, answer, room, &stopped);
    } while (stopped);
    close(fd);
    return result;
}

enum ask_result ask_line(const char *question, char *answer, size_t room)
{
    return ask(question, true, answer, room);
}

enum ask_result ask_password(const char *question, struct password *password)
{
    enum ask_result result = ask(question, false, password->bytes, sizeof password->bytes);
    password->len = result == ASK_OK ? strlen(password->bytes) : 0;
    if (result != ASK_OK) {
        secret_wipe(password->bytes, sizeof password->bytes);
    }
    return result;
}

bool password_read_file(const char *path, struct password *password, char *error, size_t error_room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) {
        (void)snprintf(error, error_room, "password file %s: %s", path, strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    if (S_ISREG(status.st_mode) && (status.st_mode & (S_IRGRP | S_IROTH)) != 0) {
        fprintf(stderr, "kdc-chat: warning: others can read the password file %s: chmod 600 it\n", path);
    }
    size_t len = 0;
    ssize_t got = 1;
    while (len < sizeof password->bytes && memchr(password->bytes, '\n', len) == NULL) {
        got = read(fd, password->bytes + len, sizeof password->bytes - len);
        if (got > 0) {
            len += (size_t)got;
        } else if (got == 0 || errno != EINTR) {
            break;
        }
    }
    int failure = errno;
    close(fd);
    const char *newline = memchr(password->bytes, '\n', len);
    password->len = newline != NULL ? (size_t)(newline - password->bytes) : len;
    if (password->len > 0 && newline != NULL && password->bytes[password->len - 1] == '\r') {
        password->len--;
    }
    if (got < 0 || password->len == 0 || password->len == sizeof password->bytes) {
        (void)snprintf(error, error_room, "password file %s: %s", path,
                       got < 0              ? strerror(failure)
                       : password->len == 0 ? "its first line is empty"
                                            : "its first line is too long");
        password->len = 0;
        return false;
    }
    return true;
}
