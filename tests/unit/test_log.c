/* The log: what comes out on stderr, byte for byte, also when the values are hostile. */
#include "kdc/log.h"
#include "tests/unit/cmocka_all.h"

#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define OUTPUT_MAX (1024 * 1024)

/* What log() writes to stderr meanwhile; to be freed. */
static char *captured(void (*log)(void))
{
    char name[] = "/tmp/kdc-log-XXXXXX";
    int file = mkstemp(name);
    int before = dup(STDERR_FILENO);
    assert_true(file >= 0 && before >= 0);
    assert_true(dup2(file, STDERR_FILENO) >= 0);
    log();
    assert_true(dup2(before, STDERR_FILENO) >= 0);
    char *text = calloc(1, OUTPUT_MAX);
    assert_non_null(text);
    assert_true(pread(file, text, OUTPUT_MAX - 1, 0) >= 0);
    (void)close(before);
    (void)close(file);
    (void)unlink(name);
    return text;
}

#define TIME_LEN 24 /* 2026-11-20T09:00:00.123Z */

static void assert_time(const char *text)
{
    static const char shape[] = "0000-00-00T00:00:00.000Z";
    for (size_t i = 0; i < TIME_LEN; i++) {
        if (shape[i] == '0')
            assert_true(text[i] >= '0' && text[i] <= '9');
        else
            assert_int_equal(text[i], shape[i]);
    }
}

/* The bytes of every kind that may not come out as they are, and some that may. */
static const char hostile[] =
    "a\n\r\t\x1b[31m\x7f\"\\ \xc2\x9b \xff\xc3 \xe2\x80\xae \xed\xa0\x80 gr\xc3\xbc\xc3\x9f"; /* NOLINT(misc-misleading-bidirectional) that is the point */

static void log_ordinary(void)
{
    log_line(LOG_INFO, "logged in", LOG_TEXT("user", "alice"), LOG_NUMBER("session", UINT64_MAX),
             LOG_TEXT("source", "[::1]:50112"));
}

static void log_hostile(void)
{
    log_line(LOG_WARN, "refused", LOG_TEXT("name", hostile), LOG_TEXT("empty", ""), LOG_TEXT("equals", "a=b"));
}

static void log_long(void)
{
    static char text[20000];
    memset(text, '"', sizeof text - 1);
    log_line(LOG_ERROR, "long", LOG_TEXT("first", "kept"), LOG_TEXT("second", text), LOG_TEXT("third", "left out"));
}

static void log_every_level(void)
{
    log_event(LOG_DEBUG, "debugging", NULL);
    log_event(LOG_INFO, "informing", NULL);
    log_event(LOG_WARN, "warning", NULL);
    log_event(LOG_ERROR, "failing", NULL);
}

static void a_line_has_time_level_event_and_fields(void **state)
{
    (void)state;
    log_set(LOG_INFO, false);
    char *text = captured(log_ordinary);
    assert_time(text);
    assert_string_equal(text + TIME_LEN,
                        " info logged in user=alice session=18446744073709551615 source=[::1]:50112\n");
    free(text);
}

static void hostile_values_stay_inside_of_their_quotes(void **state)
{
    (void)state;
    log_set(LOG_INFO, false);
    char *text = captured(log_hostile);
    assert_string_equal(text + TIME_LEN,
                        " warn refused name=\"a\\x0a\\x0d\\x09\\x1b[31m\\x7f\\\"\\\\ \\xc2\\x9b \\xff\\xc3 "
                        "\\xe2\\x80\\xae \\xed\\xa0\\x80 gr\xc3\xbc\xc3\x9f\" empty=\"\" equals=\"a=b\"\n");
    free(text);
}

static void json_is_valid_for_any_bytes(void **state)
{
    json_error_t wrong;
    (void)state;
    log_set(LOG_INFO, true);
    char *text = captured(log_hostile);
    assert_int_equal(strcspn(text, "\n"), strlen(text) - 1);
    for (const char *at = text; *at != '\n'; at++)
        assert_true((unsigned char)*at >= 0x20 && *at != 0x7f);
    json_t *line = json_loads(text, JSON_REJECT_DUPLICATES, &wrong);
    assert_non_null(line);
    assert_time(json_string_value(json_object_get(line, "time")));
    assert_string_equal(json_string_value(json_object_get(line, "level")), "warn");
    assert_string_equal(json_string_value(json_object_get(line, "event")), "refused");
    assert_string_equal(json_string_value(json_object_get(line, "equals")), "a=b");
    const char *name = json_string_value(json_object_get(line, "name"));
    assert_memory_equal(name, "a\n\r\t\x1b[31m\x7f\"\\ ", 12);
    json_decref(line);
    free(text);

    text = captured(log_ordinary);
    line = json_loads(text, 0, &wrong);
    assert_null(line); /* 2^64-1 is more than jansson's integers; the text is still right JSON: */
    assert_non_null(
        strstr(text, ",\"event\":\"logged in\",\"user\":\"alice\",\"session\":18446744073709551615,\"source\":"));
    free(text);
}

static void a_line_that_is_too_long_leaves_out_whole_fields(void **state)
{
    json_error_t wrong;
    (void)state;
    log_set(LOG_INFO, false);
    char *text = captured(log_long);
    assert_string_equal(text + TIME_LEN, " error long first=kept ...\n");
    free(text);
    log_set(LOG_INFO, true);
    text = captured(log_long);
    json_t *line = json_loads(text, 0, &wrong);
    assert_non_null(line);
    assert_true(json_is_true(json_object_get(line, "cut")));
    assert_string_equal(json_string_value(json_object_get(line, "first")), "kept");
    json_decref(line);
    free(text);
}

static void less_than_the_level_is_not_logged(void **state)
{
    (void)state;
    log_set(LOG_WARN, false);
    assert_false(log_wants(LOG_INFO));
    assert_true(log_wants(LOG_WARN));
    char *text = captured(log_every_level);
    assert_null(strstr(text, "debugging"));
    assert_null(strstr(text, "informing"));
    assert_non_null(strstr(text, " warn warning\n"));
    assert_non_null(strstr(text, " error failing\n"));
    free(text);
    log_set(LOG_DEBUG, false);
    text = captured(log_every_level);
    assert_non_null(strstr(text, " debug debugging\n"));
    free(text);
}

#define THREADS 4
#define LINES 500

static void *lines_log(void *context)
{
    for (uint64_t i = 0; i < LINES; i++)
        log_line(LOG_INFO, "line", LOG_NUMBER("thread", *(uint64_t *)context), LOG_NUMBER("number", i));
    return NULL;
}

static void log_from_threads(void)
{
    pthread_t threads[THREADS];
    uint64_t numbers[THREADS];
    for (uint64_t i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, lines_log, &numbers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void lines_of_several_threads_dont_mix(void **state)
{
    (void)state;
    log_set(LOG_INFO, false);
    char *text = captured(log_from_threads);
    size_t count = 0;
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line != NULL && *line != '\0'; line = strsep(&rest, "\n")) {
        static const char before[] = " info line thread=";
        static const char between[] = " number=";
        char *at = line + TIME_LEN;
        assert_time(line);
        assert_memory_equal(at, before, sizeof before - 1);
        assert_true(strtoul(at + sizeof before - 1, &at, 10) < THREADS);
        assert_memory_equal(at, between, sizeof between - 1);
        assert_true(strtoul(at + sizeof between - 1, &at, 10) < LINES);
        assert_int_equal(*at, '\0');
        count++;
    }
    assert_int_equal(count, THREADS * LINES);
    free(text);
}

static void log_by_a_thread_of_its_own(void)
{
    assert_int_equal(log_start(), 0);
    log_from_threads();
    log_stop();
    log_event(LOG_INFO, "after the end", NULL);
}

static void a_log_that_was_started_writes_everything_before_it_stops(void **state)
{
    (void)state;
    log_set(LOG_INFO, false);
    char *directly = captured(log_from_threads);
    char *text = captured(log_by_a_thread_of_its_own);
    size_t lines[2] = { 0 };
    for (const char *at = directly; (at = strchr(at, '\n')) != NULL; at++)
        lines[0]++;
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        lines[1]++;
    assert_int_equal(lines[1], lines[0] + 1);
    assert_string_equal(text + strlen(text) - strlen(" info after the end\n"), " info after the end\n");
    free(directly);
    free(text);
}

/* What arrives in a pipe until `end` does; to be freed. */
static char *drained(int fd, const char *end)
{
    char *text = calloc(1, OUTPUT_MAX);
    size_t len = 0;
    assert_non_null(text);
    while (strstr(text, end) == NULL) {
        ssize_t got = read(fd, text + len, OUTPUT_MAX - 1 - len);
        assert_true(got > 0);
        len += (size_t)got;
    }
    return text;
}

static void a_log_that_nobody_reads_stops_nobody_and_tells_what_was_left_out(void **state)
{
    (void)state;
    enum { FLOOD = 20000 };
    int ends[2];
    int before = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    log_set(LOG_INFO, false);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    assert_int_equal(log_start(), 0);
    for (unsigned i = 0; i < FLOOD; i++) /* a minute's patience in the test runner; a blocked write would take it */
        log_line(LOG_INFO, "line", LOG_NUMBER("number", i));
    char *text = drained(ends[0], "lines were left out of the log lines=");
    size_t arrived = 0;
    for (const char *at = text; (at = strstr(at, " info line number=")) != NULL; at++)
        arrived++;
    const char *left_out = strstr(text, "log lines=") + strlen("log lines=");
    /* The number may be cut off still. */
    char rest[64] = "";
    if (strchr(left_out, '\n') == NULL)
        assert_true(read(ends[0], rest, sizeof rest - 1) > 0);
    char number[96];
    (void)snprintf(number, sizeof number, "%.30s%.60s", left_out, rest);
    assert_int_equal(arrived + strtoul(number, NULL, 10), FLOOD);
    free(text);
    /* Nobody reads any more. */
    for (unsigned i = 0; i < FLOOD; i++)
        log_line(LOG_INFO, "line", LOG_NUMBER("number", i));
    log_stop();
    /* Now that nobody can read, the write that hangs fails, and so does the rest. */
    (void)close(ends[0]);
    log_stop();
    assert_true(dup2(before, STDERR_FILENO) >= 0);
    (void)close(ends[1]);
    (void)close(before);
}

/* How long it takes until a line that was logged at that level is there, at best. */
static uint64_t quickest_ns(enum log_level level)
{
    enum { ROUNDS = 10 };
    uint64_t best = UINT64_MAX;
    int ends[2];
    int before = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    assert_int_equal(log_start(), 0);
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct timespec logged;
        struct timespec there;
        char line[256];
        (void)usleep(10000); /* a line that comes while another is being written needs no waiting anyway */
        (void)clock_gettime(CLOCK_MONOTONIC, &logged);
        log_event(level, "line", NULL);
        assert_true(read(ends[0], line, sizeof line) > 0);
        (void)clock_gettime(CLOCK_MONOTONIC, &there);
        const int64_t ns = (there.tv_sec - logged.tv_sec) * 1000000000 + there.tv_nsec - logged.tv_nsec;
        best = (uint64_t)ns < best ? (uint64_t)ns : best;
    }
    log_stop();
    assert_true(dup2(before, STDERR_FILENO) >= 0);
    (void)close(ends[0]);
    (void)close(ends[1]);
    (void)close(before);
    return best;
}

static void a_warning_waits_for_no_other_lines(void **state)
{
    (void)state;
    log_set(LOG_INFO, false);
    const uint64_t gathered = quickest_ns(LOG_INFO); /* however quick the machine is */
    assert_true(quickest_ns(LOG_WARN) < gathered / 2);
    assert_true(quickest_ns(LOG_ERROR) < gathered / 2);
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_time_level_event_and_fields),
        cmocka_unit_test(hostile_values_stay_inside_of_their_quotes),
        cmocka_unit_test(json_is_valid_for_any_bytes),
        cmocka_unit_test(a_line_that_is_too_long_leaves_out_whole_fields),
        cmocka_unit_test(less_than_the_level_is_not_logged),
        cmocka_unit_test(lines_of_several_threads_dont_mix),
        cmocka_unit_test(a_log_that_was_started_writes_everything_before_it_stops),
        cmocka_unit_test(a_log_that_nobody_reads_stops_nobody_and_tells_what_was_left_out),
        cmocka_unit_test(a_warning_waits_for_no_other_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
