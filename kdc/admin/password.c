/* How kdc-admin gets a new password: never from the command line or the environment. */
#include "crypto/secret.h"
#include "kdc/admin/command.h"
#include "kdc/password_policy.h"
#include "kdc/secret_file.h"
#include "wire/name.h"
#include "wire/reason.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define GENERATED_LEN 23 /* four groups of five */

static volatile sig_atomic_t interrupted;

static void interrupt_note(int number)
{
    interrupted = number;
}

/* One line from the terminal without echo, which is set right again whatever happens: signals that would end the
 * program wait until that is done. 0 or -1. */
static int terminal_line(int terminal, const char *prompt, char **line, size_t *len, char error[SECRET_FILE_ERROR_MAX])
{
    static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };
    enum { ENDING_COUNT = sizeof ending / sizeof ending[0] };
    struct sigaction before[ENDING_COUNT];
    struct sigaction note = { .sa_handler = interrupt_note }; /* without SA_RESTART: read returns */
    struct termios shown;
    struct termios hidden;
    int result = -1;

    *line = NULL;
    if (tcgetattr(terminal, &shown) != 0) {
        (void)snprintf(error, SECRET_FILE_ERROR_MAX, "the terminal can't be used: %s", strerror(errno));
        return -1;
    }
    interrupted = 0;
    (void)sigemptyset(&note.sa_mask);
    for (size_t i = 0; i < ENDING_COUNT; i++)
        (void)sigaction(ending[i], &note, &before[i]);
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
    if (tcsetattr(terminal, TCSAFLUSH, &hidden) == 0) {
        (void)dprintf(terminal, "%s", prompt);
        char byte = 0;
        size_t used = 0;
        char *text = secret_alloc(SECRET_FILE_MAX + 1);
        while (text != NULL && read(terminal, &byte, 1) == 1 && byte != '\n') {
            if (used < SECRET_FILE_MAX)
                text[used++] = byte;
        }
        secret_wipe(&byte, sizeof byte);
        *line = text;
        *len = used;
        result = text == NULL || interrupted != 0 ? -1 : 0;
        (void)tcsetattr(terminal, TCSAFLUSH, &shown);
        (void)dprintf(terminal, "\n");
    }
    for (size_t i = 0; i < ENDING_COUNT; i++)
        (void)sigaction(ending[i], &before[i], NULL);
    if (interrupted != 0)
        (void)raise(interrupted);
    if (result != 0) {
        (void)snprintf(error, SECRET_FILE_ERROR_MAX, "no password was read from the terminal");
        secret_free(line);
    }
    return result;
}

static int terminal_ask(const char *name, char **password, size_t *len, char error[SECRET_FILE_ERROR_MAX])
{
    char prompt[80];
    char *again = NULL;
    size_t again_len = 0;
    int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (terminal < 0) {
        (void)snprintf(error, SECRET_FILE_ERROR_MAX, "the terminal can't be opened: %s", strerror(errno));
        return -1;
    }
    (void)snprintf(prompt, sizeof prompt, "New password for %s: ", name);
    int result = terminal_line(terminal, prompt, password, len, error);
    if (result == 0)
        result = terminal_line(terminal, "The same again: ", &again, &again_len, error);
    if (result == 0 && (*len != again_len || !secret_equal(*password, again, again_len))) {
        (void)snprintf(error, SECRET_FILE_ERROR_MAX, "the two passwords differ");
        result = -1;
    }
    secret_free(&again);
    if (result != 0)
        secret_free(password);
    (void)close(terminal);
    return result;
}

/* The first line of standard input; *password stays NULL when there is nothing at all. 0 or -1. */
static int input_take(char **password, size_t *len, char error[SECRET_FILE_ERROR_MAX])
{
    char first = 0; /* secret */
    ssize_t got = 0;
    while ((got = read(STDIN_FILENO, &first, 1)) < 0 && errno == EINTR)
        continue;
    if (got == 0)
        return 0;
    if (got < 0) {
        (void)snprintf(error, SECRET_FILE_ERROR_MAX, "standard input: can't be read: %s", strerror(errno));
        return -1;
    }
    if (first == '\n') {
        *password = secret_alloc(1);
        return *password == NULL ? -1 : 0;
    }
    const int result = secret_fd_read(STDIN_FILENO, "standard input", password, len, error);
    if (result == 0) { /* it has room for two more than a line, and the NUL is one of them */
        memmove(*password + 1, *password, *len + 1);
        (*password)[0] = first;
        ++*len;
    }
    secret_wipe(&first, sizeof first);
    return result;
}

/* As long as policy asks for, and never shorter than GENERATED_LEN: groups of letters and digits that nobody mistakes for each
 * other, some 5 bits each, with dashes between. NULL: memory or randomness is out. */
static char *generate(size_t min)
{
    static const char alphabet[] = "abcdefghijkmnpqrstuvwxyz23456789"; /* 32 */
    const size_t len = min < GENERATED_LEN ? GENERATED_LEN : min;
    char *text = secret_alloc(len + 1);
    uint8_t *random = secret_alloc(len);
    _Static_assert(sizeof alphabet - 1 == 32, "each character is equally likely");
    if (text != NULL && random != NULL && rng_fill(&rng_system, random, len) == 0) {
        for (size_t i = 0; i < len; i++)
            text[i] = i % 6 == 5 && i + 1 < len ? '-' : alphabet[random[i] % 32];
    } else {
        secret_free(&text);
    }
    secret_free(&random);
    return text;
}

/* Whether policy allows it. EXIT_DONE, or it has complained. */
static enum exit_code password_judge(struct admin *admin, const struct name *name, struct bytes password)
{
    char error[CONFIG_ERROR_MAX];
    const bool forced = (admin->options & OPTION_FORCE) != 0;
    struct password_policy *policy = NULL;
    if (!forced) {
        policy = password_policy_new(admin->config.password_min, admin->config.password_list, error, sizeof error);
        if (policy == NULL)
            return complain(EXIT_OTHER, "%s", error);
    }
    const enum reason reason = password_policy_judge(policy, name, password);
    enum exit_code code = EXIT_DONE;
    if (reason == REASON_PASSWORD_SHORT)
        code = complain(EXIT_REFUSED,
                        "the password for %s was not taken: it is too short; policy asks for at least %u bytes",
                        name->text, password_policy_min(policy));
    else if (reason != REASON_NONE)
        code = complain(EXIT_REFUSED, "the password for %s was not taken. %s", name->text, reason_text(reason));
    password_policy_unref(&policy);
    return code;
}

enum exit_code password_ask(struct admin *admin, const struct name *name, char **password, bool *generated)
{
    char error[SECRET_FILE_ERROR_MAX];
    size_t len = 0;
    int result = 0;
    *password = NULL;
    if (admin->password_file != NULL)
        result = secret_file_read(admin->password_file, false, password, &len, error);
    else if ((admin->options & OPTION_GENERATE) != 0)
        result = 0;
    else if (isatty(STDIN_FILENO))
        result = terminal_ask(name->text, password, &len, error);
    else
        result = input_take(password, &len, error);
    if (result != 0)
        return complain(EXIT_REFUSED, "there is no password for %s: %s", name->text, error);
    *generated = *password == NULL;
    if (*generated) {
        *password = generate(admin->config.password_min);
        return *password == NULL ? complain(EXIT_OTHER, "no password can be made: memory or randomness is out")
                                 : EXIT_DONE;
    }
    const enum exit_code code =
        password_judge(admin, name, (struct bytes){ .data = (const uint8_t *)*password, .len = len });
    if (code != EXIT_DONE)
        secret_free(password);
    return code;
}
