/* Figures: the table, the text for Prometheus, the JSON, and what they are made of. */
#include "kdc/figures.h"
#include "kdc/figures_json.h"
#include "kdc/rates.h"
#include "kdc/recent.h"
#include "tests/unit/cmocka_all.h"

#include <stdlib.h>
#include <string.h>

static char *prometheus(const struct figures *figures)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    figures_print_prometheus(figures, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void assert_has(const char *text, const char *lines)
{
    if (strstr(text, lines) == NULL) {
        fail_msg("not there: %s\nin:\n%s", lines, text);
    }
}

/* ---- the table ---- */

static bool ends_with(const char *text, const char *end)
{
    const size_t len = strlen(text);
    const size_t end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static void every_figure_is_named_by_the_conventions(void **state)
{
    (void)state;
    for (size_t i = 0; i < FIGURE_COUNT; i++) {
        const struct figure *figure = &figure_table[i];
        assert_non_null(figure->name);
        assert_int_equal(strspn(figure->name, "abcdefghijklmnopqrstuvwxyz_"), strlen(figure->name));
        assert_true((figure->kind == FIGURE_COUNTER) == ends_with(figure->name, "_total"));
        if (figure->unit == UNIT_SECONDS || figure->unit == UNIT_TIME) {
            assert_non_null(strstr(figure->name, "_seconds"));
        }
        assert_true((figure->unit == UNIT_BYTES) == ends_with(figure->name, "_bytes"));
        assert_true((figure->unit == UNIT_PER_SECOND) == ends_with(figure->name, "_per_second"));
        assert_true(figure->help[0] != '\0' && !ends_with(figure->help, "."));
        assert_null(strpbrk(figure->help, "\\\n|"));
        assert_true(figure->title[0] != '\0' && figure->section[0] != '\0');
        for (size_t other = 0; other < i; other++) {
            assert_string_not_equal(figure->name, figure_table[other].name);
        }
        /* Sections aren't torn. */
        for (size_t other = 0; i > 0 && other + 1 < i; other++) {
            assert_false(strcmp(figure->section, figure_table[i - 1].section) != 0 &&
                         strcmp(figure->section, figure_table[other].section) == 0);
        }
    }
}

/* ---- Prometheus ---- */

static void numbers_are_whole_where_they_can_be(void **state)
{
    (void)state;
    struct figures figures = { 0 };
    figures_put(&figures, FIGURE_UPTIME, NULL, 0.25);
    figures_put(&figures, FIGURE_SESSIONS, NULL, 4294967296.0);
    figures_put(&figures, FIGURE_MESSAGES, NULL, 0);
    char *text = prometheus(&figures);
    assert_string_equal(text,
                        "# HELP kdc_chat_uptime_seconds How long kdcd has been running.\n"
                        "# TYPE kdc_chat_uptime_seconds gauge\n"
                        "kdc_chat_uptime_seconds 0.25\n"
                        "# HELP kdc_chat_sessions Users who are logged in.\n"
                        "# TYPE kdc_chat_sessions gauge\n"
                        "kdc_chat_sessions 4294967296\n"
                        "# HELP kdc_chat_messages_total Messages that were passed on, also those by which clients "
                        "acknowledge others.\n"
                        "# TYPE kdc_chat_messages_total counter\n"
                        "kdc_chat_messages_total 0\n");
    free(text);
    figures_clear(&figures);
}

static void a_labels_words_stand_together_and_are_escaped(void **state)
{
    (void)state;
    struct figures figures = { 0 };
    figures_put(&figures, FIGURE_REFUSALS, "busy", 1);
    figures_put(&figures, FIGURE_REFUSALS, "a\\b\"c\nd", 2);
    figures_put_text(&figures, FIGURE_VERSION, NULL, "1.0\"");
    char *text = prometheus(&figures);
    assert_has(text, "# TYPE kdc_chat_refusals_total counter\n"
                     "kdc_chat_refusals_total{reason=\"busy\"} 1\n"
                     "kdc_chat_refusals_total{reason=\"a\\\\b\\\"c\\nd\"} 2\n"
                     "# HELP kdc_chat_version_info ");
    assert_has(text, "# TYPE kdc_chat_version_info gauge\nkdc_chat_version_info{version=\"1.0\\\"\"} 1\n");
    free(text);
    figures_clear(&figures);
}

static void a_histograms_buckets_add_up(void **state)
{
    (void)state;
    static struct histogram histogram;
    struct histogram_total total = { 0 };
    struct figures figures = { 0 };
    histogram_add(&histogram, 1000); /* a bound belongs to its bucket */
    histogram_add(&histogram, 1001);
    histogram_add(&histogram, 10000001);
    histogram_read(&histogram, &total);
    assert_int_equal(histogram_count(&total), 3);
    figures_put_histogram(&figures, FIGURE_JOB_WAIT, "sql", &total);
    char *text = prometheus(&figures);
    assert_has(text, "# TYPE kdc_chat_job_wait_seconds histogram\n"
                     "kdc_chat_job_wait_seconds_bucket{class=\"sql\",le=\"0.001\"} 1\n"
                     "kdc_chat_job_wait_seconds_bucket{class=\"sql\",le=\"0.0025\"} 2\n");
    assert_has(text, "kdc_chat_job_wait_seconds_bucket{class=\"sql\",le=\"10\"} 2\n"
                     "kdc_chat_job_wait_seconds_bucket{class=\"sql\",le=\"+Inf\"} 3\n"
                     "kdc_chat_job_wait_seconds_sum{class=\"sql\"} 10.002002\n"
                     "kdc_chat_job_wait_seconds_count{class=\"sql\"} 3\n");
    free(text);
    figures_clear(&figures);
}

static void what_is_only_for_status_is_left_out(void **state)
{
    (void)state;
    struct figures figures = { 0 };
    figures_put(&figures, FIGURE_MESSAGES_RATE, NULL, 1);
    figures_put_text(&figures, FIGURE_DATABASE_ERROR, NULL, "gone");
    char *text = prometheus(&figures);
    assert_string_equal(text, "");
    free(text);
    figures_clear(&figures);
}

/* ---- JSON ---- */

/* Errors are cut to a length, wherever that is, and say what somebody else's server wanted. */
static void what_a_server_said_spoils_neither_json_nor_a_terminal(void **state)
{
    (void)state;
    struct figures figures = { 0 };
    /* NOLINTBEGIN(misc-misleading-bidirectional): it is what this is about */
    figures_put_text(&figures, FIGURE_DATABASE_ERROR, NULL,
                     "a\nb\tc\033[2Jd\x7f\xc2\x9b"
                     "e\xe2\x80\xae gr\xc3\xbc\xc3\x9f"
                     "e \xff \xe2\x82\xac\xe2\x82");
    /* NOLINTEND(misc-misleading-bidirectional) */
    json_t *json = figures_json(&figures);
    assert_non_null(json);
    assert_string_equal(json_string_value(json_object_get(json, "database_last_error")),
                        "a b c?[2Jd???e??? gr\xc3\xbc\xc3\x9f"
                        "e ? \xe2\x82\xac??");
    json_decref(json);
    figures_clear(&figures);
}

static void json_has_the_same_names_and_types_that_stay(void **state)
{
    (void)state;
    struct figures figures = { 0 };
    const struct histogram_total none = { 0 };
    figures_put_text(&figures, FIGURE_VERSION, NULL, "1.0");
    figures_put(&figures, FIGURE_UPTIME, NULL, 3); /* whole, but the next one won't be */
    figures_put(&figures, FIGURE_READY, NULL, 1);
    figures_put(&figures, FIGURE_JOBS_WAITING, "sql", 2);
    figures_put(&figures, FIGURE_JOBS_WAITING, "password", 0);
    figures_put(&figures, FIGURE_MESSAGES_RATE, NULL, 0);
    figures_put_histogram(&figures, FIGURE_LOGIN_DURATION, NULL, &none);
    json_t *json = figures_json(&figures);
    assert_non_null(json);
    assert_true(json_is_real(json_object_get(json, "uptime_seconds")));
    assert_true(json_is_true(json_object_get(json, "ready")));
    assert_true(json_is_real(json_object_get(json, "messages_per_second")));
    const json_t *waiting = json_object_get(json, "jobs_waiting");
    assert_int_equal(json_object_size(waiting), 2);
    assert_int_equal(json_integer_value(json_object_get(waiting, "sql")), 2);
    const json_t *duration = json_object_get(json, "login_duration_seconds");
    assert_true(json_is_integer(json_object_get(duration, "count")));
    assert_int_equal(json_object_size(json_object_get(duration, "buckets")), HISTOGRAM_STEPS + 1);
    json_decref(json);
    figures_clear(&figures);
}

/* ---- rates, and what was of late ---- */

static struct rates_sample sample(uint64_t seconds, uint64_t messages)
{
    return (struct rates_sample){ .time = seconds * 1000000, .counters = { [RATE_MESSAGES] = messages } };
}

static double rate_at(const struct rates *rates, uint64_t seconds, uint64_t messages)
{
    const struct rates_sample now = sample(seconds, messages);
    return rates_get(rates, RATE_MESSAGES, &now);
}

static void a_rate_is_that_of_the_last_ten_seconds(void **state)
{
    (void)state;
    struct rates rates = { 0 };
    assert_true(rate_at(&rates, 5, 100) == 0);
    struct rates_sample one = sample(5, 100);
    rates_note(&rates, &one);
    assert_true(rate_at(&rates, 5, 100) == 0);
    assert_true(rate_at(&rates, 7, 130) == 15);
    for (uint64_t second = 6; second <= 100; second++) {
        one = sample(second, 100 + second);
        rates_note(&rates, &one);
    }
    assert_true(rate_at(&rates, 100, 200) == 1);
    /* A hundred at once weigh for ten seconds. */
    assert_true(rate_at(&rates, 100, 300) == 11);
    for (uint64_t second = 101; second <= 111; second++) {
        one = sample(second, 300);
        rates_note(&rates, &one);
    }
    assert_true(rate_at(&rates, 111, 300) == 0);
}

static void what_was_of_late_is_forgotten_after_a_minute(void **state)
{
    (void)state;
    static struct recent recent;
    const uint64_t w = RECENT_WINDOW_MS;
    assert_int_equal(recent_read(&recent, 0).count, 0);
    recent_add(&recent, 7, 10 * w);
    recent_add(&recent, 3, 10 * w + 5);
    struct recent_total total = recent_read(&recent, 10 * w + 6);
    assert_true(total.count == 2 && total.sum == 10 && total.most == 7);
    recent_add(&recent, 5, 11 * w);
    total = recent_read(&recent, 12 * w - 1);
    assert_true(total.count == 3 && total.sum == 15 && total.most == 7);
    total = recent_read(&recent, 12 * w);
    assert_true(total.count == 1 && total.most == 5);
    recent_add(&recent, 1, 12 * w); /* in the place of the first window */
    total = recent_read(&recent, 12 * w + 1);
    assert_true(total.count == 2 && total.sum == 6 && total.most == 5);
    assert_int_equal(recent_read(&recent, 14 * w).count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_figure_is_named_by_the_conventions),
        cmocka_unit_test(numbers_are_whole_where_they_can_be),
        cmocka_unit_test(a_labels_words_stand_together_and_are_escaped),
        cmocka_unit_test(a_histograms_buckets_add_up),
        cmocka_unit_test(what_is_only_for_status_is_left_out),
        cmocka_unit_test(what_a_server_said_spoils_neither_json_nor_a_terminal),
        cmocka_unit_test(json_has_the_same_names_and_types_that_stay),
        cmocka_unit_test(a_rate_is_that_of_the_last_ten_seconds),
        cmocka_unit_test(what_was_of_late_is_forgotten_after_a_minute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
