/* How kdc-admin gets a new password: never from the command line or the environment. */
#include "crypto/secret.h"
#include "kdc/admin/command.h"
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

enum exit_code password_ask(struct admin *admin, const char *name, char **password)
{
    char error[SECRET_FILE_ERROR_MAX];
    size_t len = 0;
    int result;
    *password = NULL;
    if (admin->password_file != NULL)
        result = secret_file_read(admin->password_file, false, password, &len, error);
    else if (isatty(STDIN_FILENO))
        result = terminal_ask(name, password, &len, error);
    else
        result = secret_fd_read(STDIN_FILENO, "standard input", password, &len, error);
    if (result != 0)
        return complain(EXIT_REFUSED, "there is no password for %s: %s", name, error);
    enum reason reason = password_check((struct bytes){ .data = (const uint8_t *)*password, .len = len });
    if (reason != REASON_NONE) {
        secret_free(password);
        return complain(EXIT_REFUSED, "the password for %s was not taken. %s", name, reason_text(reason));
    }
    return EXIT_DONE;
}
