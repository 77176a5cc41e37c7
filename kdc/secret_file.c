#include "kdc/secret_file.h"

#include "crypto/secret.h"

#include <errno.h>
#include <fcntl.h>
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

/* Writes it all to a new file beside `path`, then gives that the name, unless the name is taken. */
int secret_file_make(const char *path, const char *text, char error[SECRET_FILE_ERROR_MAX])
{
    char beside[4096];
    int result = -1;
    size_t len = strlen(text);
    if (snprintf(beside, sizeof beside, "%s.%ld.new", path, (long)getpid()) >= (int)sizeof beside) {
        (void)snprintf(error, SECRET_FILE_ERROR_MAX, "%.200s...: the path is too long", path);
        return -1;
    }
    int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        (void)snprintf(error, SECRET_FILE_ERROR_MAX, "%s: can't be made: %s", path, strerror(errno));
        return -1;
    }
    if (write(fd, text, len) != (ssize_t)len || write(fd, "\n", 1) != 1 || fsync(fd) != 0)
        (void)snprintf(error, SECRET_FILE_ERROR_MAX, "%s: can't be written: %s", path, strerror(errno));
    else if (link(beside, path) == 0)
        result = 0;
    else if (errno == EEXIST)
        result = 1;
    else
        (void)snprintf(error, SECRET_FILE_ERROR_MAX, "%s: can't be made: %s", path, strerror(errno));
    (void)close(fd);
    (void)unlink(beside);
    return result;
}
