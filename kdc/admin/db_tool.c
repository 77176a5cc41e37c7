#include "crypto/secret.h"
#include "kdc/admin/db.h"
#include "kdc/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPTIONS_FD 3 /* in the started program */
#define OPTIONS_ARGUMENT "--defaults-file=/proc/self/fd/3"
#define ARGUMENTS_MAX 16
#define OPTIONS_MAX 8192

/* ---- the option file ---- */

/* A value in quotes. */
static size_t option_put(char *out, size_t room, const char *key, const char *value)
{
    size_t len = (size_t)snprintf(out, room, "%s=\"", key);
    for (; *value != '\0' && len + 4 < room; value++) {
        if (*value == '\\' || *value == '"')
            out[len++] = '\\';
        out[len++] = *value;
    }
    return len + (size_t)snprintf(out + len, room - len, "\"\n");
}

/* `text` is secret. Its length; 0: the password can't be read, and it has complained. */
static size_t options_make(const struct config *config, char *text)
{
    char error[512];
    char port[16];
    char *password = NULL; /* secret */
    size_t password_len = 0;
    size_t len = (size_t)snprintf(text, OPTIONS_MAX, "[client]\ndefault-character-set=utf8mb4\n");
    len += option_put(text + len, OPTIONS_MAX - len, "user", config->admin_user);
    if (config->admin_password_file[0] != '\0') {
        if (secret_file_read(config->admin_password_file, true, &password, &password_len, error) != 0) {
            (void)complain(EXIT_OTHER, "%s", error);
            return 0;
        }
        len += option_put(text + len, OPTIONS_MAX - len, "password", password);
        secret_free(&password);
    }
    if (config->db_host[0] == '\0') {
        len += option_put(text + len, OPTIONS_MAX - len, "protocol", "socket");
        return len + option_put(text + len, OPTIONS_MAX - len, "socket", config->db_socket);
    }
    (void)snprintf(port, sizeof port, "%u", config->db_port);
    len += option_put(text + len, OPTIONS_MAX - len, "protocol", "tcp");
    len += option_put(text + len, OPTIONS_MAX - len, "host", config->db_host);
    len += option_put(text + len, OPTIONS_MAX - len, "port", port);
    if (config->db_tls_ca[0] != '\0')
        len += option_put(text + len, OPTIONS_MAX - len, "ssl-ca", config->db_tls_ca);
    return len + (size_t)snprintf(text + len, OPTIONS_MAX - len, "ssl\nssl-verify-server-cert\n");
}

static enum exit_code options_open(struct admin *admin, struct db_tool *tool)
{
    char *text = secret_alloc(OPTIONS_MAX);
    const size_t len = text == NULL ? 0 : options_make(&admin->config, text);
    enum exit_code code = EXIT_OTHER;
    if (text == NULL) {
        code = complain(EXIT_OTHER, "memory is out");
    } else if (len > 0) {
        tool->options = memfd_create("options", MFD_CLOEXEC);
        if (tool->options < 0 || fchmod(tool->options, 0600) != 0 || write(tool->options, text, len) != (ssize_t)len)
            code = complain(EXIT_OTHER, "an option file in memory can't be made: %s", strerror(errno));
        else
            code = EXIT_DONE;
    }
    secret_free(&text);
    return code;
}

/* ---- the program ---- */

static bool tool_find(const char *name, char path[PATH_MAX])
{
    const char *folders = getenv("PATH");
    if (folders == NULL || folders[0] == '\0')
        folders = "/usr/local/bin:/usr/bin:/bin";
    while (*folders != '\0') {
        const size_t len = strcspn(folders, ":");
        if (len > 0 && folders[0] == '/' && snprintf(path, PATH_MAX, "%.*s/%s", (int)len, folders, name) < PATH_MAX &&
            access(path, X_OK) == 0)
            return true;
        folders += len + (folders[len] == ':' ? 1 : 0);
    }
    return false;
}

enum exit_code db_tool_open(struct admin *admin, const char *const *names, const char *what, struct db_tool *tool)
{
    bool found = false;
    *tool = (struct db_tool){ .options = -1, .errors = -1 };
    for (const char *const *name = names; *name != NULL && !found; name++)
        found = tool_find(*name, tool->path);
    if (!found)
        return complain(EXIT_OTHER,
                        "%s: it takes the program %s, which isn't installed: it is in the package mariadb-client", what,
                        names[0]);
    return options_open(admin, tool);
}

/* In the child, which has but one thread. */
static void tool_run(const struct db_tool *tool, char *const *arguments, int in, int out)
{
    char path[] = "PATH=/usr/local/bin:/usr/bin:/bin";
    char *const environment[] = { path, NULL };
    const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    (void)signal(SIGPIPE, SIG_DFL);
    /* Those that we hand on have numbers above the ones that they get: nobody's place is taken before it is read. */
    const int from[] = { in < 0 ? nothing : in, out < 0 ? nothing : out, tool->errors, tool->options };
    int above[OPTIONS_FD + 1];
    for (int i = 0; i <= OPTIONS_FD; i++) {
        above[i] = fcntl(from[i], F_DUPFD_CLOEXEC, OPTIONS_FD + 1);
        if (above[i] < 0)
            _exit(127);
    }
    for (int i = 0; i <= OPTIONS_FD; i++) {
        if (dup2(above[i], i) != i)
            _exit(127);
    }
    (void)execve(tool->path, arguments, environment);
    _exit(127);
}

enum exit_code db_tool_start(struct db_tool *tool, const char *const *arguments, int in, int out)
{
    char *copy[ARGUMENTS_MAX] = { tool->path, (char *)(uintptr_t)OPTIONS_ARGUMENT };
    for (size_t i = 0; arguments[i] != NULL && i + 3 < ARGUMENTS_MAX; i++)
        copy[i + 2] = (char *)(uintptr_t)arguments[i];
    if (tool->errors >= 0)
        (void)close(tool->errors);
    tool->errors = memfd_create("errors", MFD_CLOEXEC);
    tool->pid = tool->errors < 0 ? -1 : fork();
    if (tool->pid == 0)
        tool_run(tool, copy, in, out);
    if (tool->pid < 0) {
        tool->pid = 0;
        return complain(EXIT_OTHER, "%s can't be started: %s", tool->path, strerror(errno));
    }
    return EXIT_DONE;
}

/* The last of it, in one line. */
static void errors_take(const struct db_tool *tool, char text[512])
{
    char all[4096];
    const off_t len = lseek(tool->errors, 0, SEEK_END);
    const off_t from = len > (off_t)sizeof all - 1 ? len - ((off_t)sizeof all - 1) : 0;
    const ssize_t taken = pread(tool->errors, all, sizeof all - 1, from);
    all[taken < 0 ? 0 : taken] = '\0';
    size_t len_left = strlen(all);
    while (len_left > 0 && all[len_left - 1] == '\n')
        all[--len_left] = '\0';
    for (char *at = all; *at != '\0'; at++)
        *at = *at == '\n' ? ' ' : *at;
    (void)snprintf(text, 512, "%s", len_left > 511 ? all + len_left - 511 : all);
}

enum exit_code db_tool_wait(struct db_tool *tool, const char *what)
{
    int status = 0;
    char text[512];
    while (waitpid(tool->pid, &status, 0) < 0) {
        if (errno != EINTR)
            return complain(EXIT_OTHER, "%s: %s", what, strerror(errno));
    }
    tool->pid = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return EXIT_DONE;
    errors_take(tool, text);
    if (text[0] == '\0')
        (void)snprintf(text, sizeof text, "%s %d",
                       WIFSIGNALED(status) ? "it was ended by signal" : "its exit status was",
                       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return complain(EXIT_OTHER, "%s: %s: %s", what, strrchr(tool->path, '/') + 1, text);
}

void db_tool_close(struct db_tool *tool)
{
    if (tool->pid > 0) {
        (void)kill(tool->pid, SIGTERM);
        (void)waitpid(tool->pid, NULL, 0);
        tool->pid = 0;
    }
    if (tool->options >= 0)
        (void)close(tool->options);
    if (tool->errors >= 0)
        (void)close(tool->errors);
    tool->options = tool->errors = -1;
}
