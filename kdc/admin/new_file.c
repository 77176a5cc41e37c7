#include "kdc/admin/new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char beside[PATH_MAX]; /* for the handler of signals; empty: there is none */
static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
#define ENDING_COUNT (sizeof ending / sizeof ending[0])
static struct sigaction before[ENDING_COUNT];

/* What was written may have hashes in it: it doesn't stay. */
static void interrupted(int number)
{
    (void)unlink(beside);
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

FILE *new_file_make(const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        (void)complain(EXIT_OTHER, "%s can't be written: it isn't a regular file; - is standard output", path);
        return NULL;
    }
    if (snprintf(beside, sizeof beside, "%s.%ld.new", path, (long)getpid()) >= (int)sizeof beside) {
        (void)complain(EXIT_OTHER, "%s can't be written: %s", path, strerror(ENAMETOOLONG));
        return NULL;
    }
    const int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
    if (out == NULL) {
        (void)complain(EXIT_OTHER, "%s can't be written: %s", path, strerror(errno));
        if (fd >= 0) {
            (void)close(fd);
            (void)unlink(beside);
        }
        return NULL;
    }
    for (size_t i = 0; i < ENDING_COUNT; i++) {
        const struct sigaction end = { .sa_handler = interrupted };
        if (sigaction(ending[i], NULL, &before[i]) == 0 && before[i].sa_handler != SIG_IGN)
            (void)sigaction(ending[i], &end, NULL);
    }
    return out;
}

enum exit_code new_file_end(FILE *out, const char *path, enum exit_code code)
{
    if (code == EXIT_DONE && (fflush(out) != 0 || ferror(out) || fsync(fileno(out)) != 0))
        code = complain(EXIT_OTHER, "%s can't be written: %s", path, strerror(errno));
    if (fclose(out) != 0 && code == EXIT_DONE)
        code = complain(EXIT_OTHER, "%s can't be written: %s", path, strerror(errno));
    if (code == EXIT_DONE && rename(beside, path) != 0)
        code = complain(EXIT_OTHER, "%s can't be written: %s", path, strerror(errno));
    if (code != EXIT_DONE)
        (void)unlink(beside);
    for (size_t i = 0; i < ENDING_COUNT; i++)
        (void)sigaction(ending[i], &before[i], NULL);
    return code;
}
