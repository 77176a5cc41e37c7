#include "client/known_kdcs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_LEN_MAX ((size_t)1 << 20)
#define ADDRESS_MAX 300
#define KEY_DIGITS ((size_t)2 * IDENTITY_PUBLIC_LEN)

static const char key_type[] = "ed25519";

/* A whole file in memory. */
struct text {
    char *data;
    size_t len;
};

static int read_all(int fd, struct text *text)
{
    text->data = malloc(FILE_LEN_MAX + 1);
    if (text->data == NULL)
        return -1;
    while (text->len <= FILE_LEN_MAX) {
        ssize_t n = read(fd, text->data + text->len, FILE_LEN_MAX + 1 - text->len);
        if (n == 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return -1;
        if (n > 0)
            text->len += (size_t)n;
    }
    errno = EFBIG;
    return -1;
}

/* A missing file is an empty one. */
static int load(const char *path, struct text *text, char *error)
{
    *text = (struct text){ 0 };
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return 0;
    int result = fd < 0 ? -1 : read_all(fd, text);
    if (result != 0) {
        (void)snprintf(error, KNOWN_KDCS_ERROR_LEN, "%s can't be read: %s", path, strerror(errno));
        free(text->data);
        *text = (struct text){ 0 };
    }
    if (fd >= 0)
        (void)close(fd);
    return result;
}

/* ---- lines ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* "ADDRESS ed25519 KEY", single spaces; false for anything else. */
static bool parse_line(const char *line, size_t len, char address[ADDRESS_MAX], uint8_t key[IDENTITY_PUBLIC_LEN])
{
    const size_t tail_len = 1 + (sizeof(key_type) - 1) + 1 + KEY_DIGITS;
    if (len <= tail_len || len - tail_len >= ADDRESS_MAX)
        return false;
    size_t address_len = len - tail_len;
    memcpy(address, line, address_len);
    address[address_len] = '\0';
    if (memchr(line, ' ', address_len) != NULL || memchr(line, '\0', address_len) != NULL ||
        memchr(line, ':', address_len) == NULL)
        return false;
    const char *tail = line + address_len;
    if (tail[0] != ' ' || memcmp(tail + 1, key_type, sizeof(key_type) - 1) != 0 || tail[sizeof(key_type)] != ' ')
        return false;
    const char *digits = tail + sizeof(key_type) + 1;
    for (size_t i = 0; i < IDENTITY_PUBLIC_LEN; i++) {
        int high = hex_digit(digits[2 * i]);
        int low = hex_digit(digits[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        key[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* Where the line for an address lies in the file; len 0: nowhere. */
struct place {
    size_t start;
    size_t len;
};

/* Looks through every line: one that can't be read spoils the whole file, since it might be the one that matters. */
static int scan(const char *path, const struct text *text, const char *wanted, uint8_t key[IDENTITY_PUBLIC_LEN],
                struct place *place, char *error)
{
    size_t number = 0;
    *place = (struct place){ 0 };
    for (size_t start = 0; start < text->len;) {
        const char *line = text->data + start;
        const char *end = memchr(line, '\n', text->len - start);
        size_t len = end == NULL ? text->len - start : (size_t)(end - line);
        char address[ADDRESS_MAX];
        uint8_t found[IDENTITY_PUBLIC_LEN];
        number++;
        if (len > 0 && line[0] != '#') {
            if (!parse_line(line, len, address, found)) {
                (void)snprintf(error, KNOWN_KDCS_ERROR_LEN,
                               "%s, line %zu: not \"HOST:PORT ed25519 KEY\" (KEY: 64 hexadecimal digits): correct or "
                               "remove that line",
                               path, number);
                return -1;
            }
            if (strcmp(address, wanted) == 0) {
                if (place->len > 0) {
                    (void)snprintf(error, KNOWN_KDCS_ERROR_LEN,
                                   "%s, line %zu: %s is there twice: remove one of the two", path, number, wanted);
                    return -1;
                }
                *place = (struct place){ .start = start, .len = len };
                memcpy(key, found, sizeof(found));
            }
        }
        start += len + (end == NULL ? 0 : 1);
    }
    return 0;
}

enum known_kdcs_result known_kdcs_find(const char *path, const char *address, uint8_t key[IDENTITY_PUBLIC_LEN],
                                       char error[KNOWN_KDCS_ERROR_LEN])
{
    struct text text;
    struct place place;
    if (load(path, &text, error) != 0)
        return KNOWN_KDCS_FAILED;
    int result = scan(path, &text, address, key, &place, error);
    free(text.data);
    if (result != 0)
        return KNOWN_KDCS_FAILED;
    return place.len > 0 ? KNOWN_KDCS_FOUND : KNOWN_KDCS_NONE;
}

/* ---- writing ---- */

/* Makes the folder and those above it that are missing. */
static int make_folders(char *folder)
{
    for (char *slash = strchr(folder + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int result = mkdir(folder, 0700);
        *slash = '/';
        if (result != 0 && errno != EEXIST)
            return -1;
    }
    return mkdir(folder, 0700) == 0 || errno == EEXIST ? 0 : -1;
}

/* The folder's descriptor, locked: one rewrite at a time. */
static int lock_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL ? strdup(".") : strndup(path, slash == path ? 1 : (size_t)(slash - path));
    int fd = -1;
    if (folder == NULL)
        return -1;
    if (make_folders(folder) == 0)
        fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int saved = errno;
    free(folder);
    errno = saved;
    while (fd >= 0 && flock(fd, LOCK_EX) != 0) {
        if (errno != EINTR) {
            saved = errno;
            (void)close(fd);
            errno = saved;
            return -1;
        }
    }
    return fd;
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno != EINTR)
            return -1;
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        }
    }
    return 0;
}

/* The old text with one line put in its place, or at the end, into a new file that then takes the old one's name. */
static int replace(const char *path, const struct text *old, const struct place *place, const char *line)
{
    char *temporary = NULL;
    if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
        return -1;
    int fd = mkostemp(temporary, O_CLOEXEC);
    int result = fd < 0 ? -1 : 0;
    size_t before = place->len > 0 ? place->start : old->len;
    size_t after = place->len > 0 ? place->start + place->len : old->len;
    bool unended = place->len == 0 && old->len > 0 && old->data[old->len - 1] != '\n';

    if (result == 0 &&
        (fchmod(fd, 0600) != 0 || write_all(fd, old->data, before) != 0 || (unended && write_all(fd, "\n", 1) != 0) ||
         write_all(fd, line, strlen(line)) != 0 || (place->len == 0 && write_all(fd, "\n", 1) != 0) ||
         write_all(fd, old->data + after, old->len - after) != 0 || fsync(fd) != 0))
        result = -1;
    int saved = errno;
    if (fd >= 0 && close(fd) != 0 && result == 0) {
        saved = errno;
        result = -1;
    }
    if (result == 0 && rename(temporary, path) != 0) {
        saved = errno;
        result = -1;
    }
    if (result != 0 && fd >= 0)
        (void)unlink(temporary);
    free(temporary);
    errno = saved;
    return result;
}

int known_kdcs_put(const char *path, const char *address, const uint8_t key[IDENTITY_PUBLIC_LEN],
                   char error[KNOWN_KDCS_ERROR_LEN])
{
    char line[ADDRESS_MAX + sizeof(key_type) + 2 + KEY_DIGITS];
    uint8_t known[IDENTITY_PUBLIC_LEN];
    struct place place;
    struct text text = { 0 };
    int result = -1;

    if (strlen(address) >= ADDRESS_MAX || strpbrk(address, " \n") != NULL || strchr(address, ':') == NULL ||
        address[0] == '#') {
        (void)snprintf(error, KNOWN_KDCS_ERROR_LEN, "%s: not an address that can be remembered", address);
        return -1;
    }
    int len = snprintf(line, sizeof(line), "%s %s ", address, key_type);
    for (size_t i = 0; i < IDENTITY_PUBLIC_LEN; i++)
        len += snprintf(line + len, sizeof(line) - (size_t)len, "%02x", key[i]);

    int folder = lock_folder(path);
    if (folder < 0) {
        (void)snprintf(error, KNOWN_KDCS_ERROR_LEN, "the folder of %s can't be used: %s", path, strerror(errno));
        return -1;
    }
    if (load(path, &text, error) != 0 || scan(path, &text, address, known, &place, error) != 0)
        goto out;
    if (replace(path, &text, &place, line) != 0) {
        (void)snprintf(error, KNOWN_KDCS_ERROR_LEN, "%s can't be written: %s", path, strerror(errno));
        goto out;
    }
    (void)fsync(folder);
    result = 0;
out:
    free(text.data);
    (void)close(folder);
    return result;
}
