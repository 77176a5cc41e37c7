#include "kdc/secret_file.h"

#include "crypto/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int secret_fd_read(int fd, const char *path, char **text, size_t *len, char error[SECRET_FILE_ERROR_MAX])
{
    char *data = secret_alloc(SECRET_FILE_MAX + 2);
    size_t used = 0;
    const char *end = NULL;
    *text = NULL;
    *len = 0;
    if (data == NULL) {
        (void)snprintf(error, SECRET_FILE_ERROR_MAX, "%s: can't be read: memory is out", path);
        return -1;
    }
    while (end == NULL && used < SECRET_FILE_MAX + 1) {
        ssize_t got = read(fd, data + used, SECRET_FILE_MAX + 1 - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            (void)snprintf(error, SECRET_FILE_ERROR_MAX, "%s: can't be read: %s", path, strerror(errno));
            secret_free(&data);
            return -1;
        }
        if (got == 0)
            break;
        end = memchr(data + used, '\n', (size_t)got);
        used += (size_t)got;
    }
    if (end == NULL && used > SECRET_FILE_MAX) {
        (void)snprintf(error, SECRET_FILE_ERROR_MAX, "%s: the first line is longer than %d bytes", path,
                       SECRET_FILE_MAX);
        secret_free(&data);
        return -1;
    }
    size_t line = end == NULL ? used : (size_t)(end - data);
    if (end != NULL && line > 0 && data[line - 1] == '\r')
        line--;
    secret_wipe(data + line, SECRET_FILE_MAX + 2 - line);
    *text = data;
    *len = line;
    return 0;
}

int secret_file_read(const char *path, bool private_only, char **text, size_t *len, char error[SECRET_FILE_ERROR_MAX])
{
    struct stat st;
    int result = -1;
    *text = NULL;
    *len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st) != 0)
        (void)snprintf(error, SECRET_FILE_ERROR_MAX, "%s: can't be read: %s", path, strerror(errno));
    else if (private_only && (st.st_mode & S_IRWXO) != 0)
        (void)snprintf(error, SECRET_FILE_ERROR_MAX,
                       "%s: refused: everybody on this machine may read or write it; change that with: chmod 600 %s",
                       path, path);
    else
        result = secret_fd_read(fd, path, text, len, error);
    if (fd >= 0)
        (void)close(fd);
    return result;
}

int secret_file_open_own(const char *path, const char *what, char error[SECRET_FILE_ERROR_MAX])
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT) {
        (void)snprintf(error, SECRET_FILE_ERROR_MAX, "%s: there is no such file", path);
        return SECRET_FILE_MISSING;
    }
    if (fd < 0 || fstat(fd, &st) != 0)
        (void)snprintf(error, SECRET_FILE_ERROR_MAX, "%s: %s can't be read: %s", path, what, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        (void)snprintf(error, SECRET_FILE_ERROR_MAX, "%s: %s must be in a regular file", path, what);
    else if (st.st_uid != geteuid() && st.st_uid != 0 && geteuid() != 0) /* root looks after others' files */
        (void)snprintf(error, SECRET_FILE_ERROR_MAX,
                       "%s: %s is refused: the file belongs to user %u; change that with: chown %u %s", path, what,
                       (unsigned)st.st_uid, (unsigned)geteuid(), path);
    else if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        (void)snprintf(error, SECRET_FILE_ERROR_MAX,
                       "%s: %s is refused: others than its owner may read or write the file (mode %04o); change "
                       "that with: chmod 600 %s",
                       path, what, (unsigned)(st.st_mode & 07777), path);
    else
        return fd;
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

/* Writes it all to a new file beside `path`, whose name goes to `beside`. 0 or -1. */
static int write_beside(const char *path, const char *text, char beside[PATH_MAX], char error[SECRET_FILE_ERROR_MAX])
{
    size_t len = strlen(text);
    if (snprintf(beside, PATH_MAX, "%s.%ld.new", path, (long)getpid()) >= PATH_MAX) {
        (void)snprintf(error, SECRET_FILE_ERROR_MAX, "%.200s...: the path is too long", path);
        return -1;
    }
    int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 && errno == EEXIST && unlink(beside) == 0) /* of one who had our number and was killed in the middle */
        fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        (void)snprintf(error, SECRET_FILE_ERROR_MAX, "%s: can't be made: %s", path, strerror(errno));
        return -1;
    }
    int result = 0;
    if (write(fd, text, len) != (ssize_t)len || write(fd, "\n", 1) != 1 || fsync(fd) != 0) {
        (void)snprintf(error, SECRET_FILE_ERROR_MAX, "%s: can't be written: %s", path, strerror(errno));
        (void)unlink(beside);
        result = -1;
    }
    (void)close(fd);
    return result;
}

/* A name in a folder lasts once the folder is written, too. That it can't be is no reason to do without the file. */
static void sync_folder(const char *path)
{
    char copy[PATH_MAX];
    (void)snprintf(copy, sizeof copy, "%s", path);
    const int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
}

int secret_file_make(const char *path, const char *text, char error[SECRET_FILE_ERROR_MAX])
{
    char beside[PATH_MAX];
    int result = -1;
    if (write_beside(path, text, beside, error) != 0)
        return -1;
    if (link(beside, path) == 0)
        result = 0;
    else if (errno == EEXIST)
        result = 1;
    else
        (void)snprintf(error, SECRET_FILE_ERROR_MAX, "%s: can't be made: %s", path, strerror(errno));
    (void)unlink(beside);
    sync_folder(path);
    return result;
}

int secret_file_replace(const char *path, const char *text, char error[SECRET_FILE_ERROR_MAX])
{
    char beside[PATH_MAX];
    if (write_beside(path, text, beside, error) != 0)
        return -1;
    if (rename(beside, path) == 0) {
        sync_folder(path);
        return 0;
    }
    (void)snprintf(error, SECRET_FILE_ERROR_MAX, "%s: can't be replaced: %s", path, strerror(errno));
    (void)unlink(beside);
    return -1;
}
