/* kdc-admin status: how kdcd is doing, once or again and again; for people, and as JSON. */
#include "kdc/admin/status.h"

#include "kdc/admin/output.h"
#include "kdc/clock.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TIMEOUT_MS 5000
#define SECONDS_DEFAULT 2
#define SECONDS_MAX 3600

enum control_result status_ask(const struct admin *admin, int timeout_ms, json_t **reply, char error[CONTROL_ERROR_MAX])
{
    json_t *request = json_pack("{s:s}", "command", "status");
    enum control_result result = control_ask(admin->config.control_socket, request, timeout_ms, reply, error);
    json_decref(request);
    return result;
}

static enum exit_code memory_out(void)
{
    return complain(EXIT_OTHER, "memory is out");
}

/* For people; the reply stays the caller's. */
static enum exit_code page_print(const json_t *reply)
{
    struct status_page page;
    if (status_page_make(reply, 0, &page) != 0)
        return memory_out();
    for (size_t i = 0; i < page.count; i++)
        (void)puts(page.lines[i]);
    status_page_clear(&page);
    return EXIT_DONE;
}

static enum exit_code show_once(struct admin *admin)
{
    char error[CONTROL_ERROR_MAX];
    json_t *reply = NULL;
    enum exit_code code = EXIT_DONE;
    const enum control_result result = status_ask(admin, TIMEOUT_MS, &reply, error);
    if (result != CONTROL_OK)
        return complain(result == CONTROL_NOT_RUNNING ? EXIT_NOT_RUNNING : EXIT_OTHER,
                        "kdcd's status can't be told: %s", error);
    if (admin->json)
        json_print(json_incref(reply));
    else
        code = page_print(reply);
    json_decref(reply);
    return code;
}

/* One turn of watching without a terminal: a line of JSON, or a page with its time in front and an empty line behind. A kdcd
 * that isn't there is told, too, and waited for. */
static enum exit_code show_turn(struct admin *admin)
{
    char error[CONTROL_ERROR_MAX];
    char now[TIME_TEXT_LEN];
    json_t *reply = NULL;
    enum exit_code code = EXIT_DONE;
    const enum control_result result = status_ask(admin, TIMEOUT_MS, &reply, error);
    if (admin->json) {
        json_print(result == CONTROL_OK ? json_incref(reply) : json_pack("{s:s}", "error", error));
    } else {
        time_text_short((uint64_t)time(NULL) * 1000, now);
        (void)printf("%s\n", now);
        if (result == CONTROL_OK) {
            code = page_print(reply);
        } else {
            text_print(stdout, error);
            (void)putchar('\n');
        }
        (void)putchar('\n');
    }
    json_decref(reply);
    return code;
}

static enum exit_code watch_lines(struct admin *admin, unsigned seconds)
{
    enum exit_code code = EXIT_DONE;
    uint64_t next = clock_monotonic_ms();
    status_signals_begin();
    for (;;) {
        code = show_turn(admin);
        if (code != EXIT_DONE || fflush(stdout) != 0 || ferror(stdout))
            return code; /* main complains about an output that failed */
        next += (uint64_t)seconds * 1000;
        for (uint64_t now = clock_monotonic_ms(); now < next; now = clock_monotonic_ms()) {
            (void)status_wait((int)(next - now), -1);
            const struct status_signals signals = status_signals_take();
            if (signals.ended)
                return EXIT_DONE;
            if (signals.suspended)
                status_suspend();
        }
        if (status_signals_take().ended)
            return EXIT_DONE;
        if (clock_monotonic_ms() > next + (uint64_t)seconds * 1000)
            next = clock_monotonic_ms(); /* it was stopped, or kdcd took long: nothing is to be made up for */
    }
}

static enum exit_code seconds_read(const struct admin *admin, unsigned *seconds)
{
    const char *text = admin->argument;
    *seconds = SECONDS_DEFAULT;
    if (text == NULL)
        return EXIT_DONE;
    const size_t len = strlen(text);
    const unsigned long number = len > 0 && len <= 4 && strspn(text, "0123456789") == len ? strtoul(text, NULL, 10) : 0;
    if (number < 1 || number > SECONDS_MAX)
        return complain(EXIT_BAD_USAGE, "--watch takes a number of seconds from 1 to %d, not '%s'", SECONDS_MAX, text);
    *seconds = (unsigned)number;
    return EXIT_DONE;
}

enum exit_code live_status(struct admin *admin)
{
    unsigned seconds;
    const bool watches = (admin->options & OPTION_WATCH) != 0;
    if (admin->argument != NULL && !watches)
        return complain(EXIT_BAD_USAGE, "status takes a number of seconds with --watch only: see kdc-admin --help");
    const enum exit_code wrong = seconds_read(admin, &seconds);
    if (wrong != EXIT_DONE)
        return wrong;
    if (!watches)
        return show_once(admin);
    const char *terminal = getenv("TERM");
    const bool draws = !admin->json && isatty(STDOUT_FILENO) && terminal != NULL && strcmp(terminal, "dumb") != 0;
    return draws ? status_screen(admin, seconds) : watch_lines(admin, seconds);
}
