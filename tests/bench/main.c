/*
 * main.c: kdc-bench: one mode, one report.
 */
#include "crypto/secret.h"
#include "tests/bench/bench.h"
#include "tests/bench/measure.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

void fault(struct faults *faults, const char *format, ...)
{
    if (faults->errors++ == 0) {
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(faults->first, sizeof faults->first, format, arguments);
        va_end(arguments);
    }
}

bool faults_any(const struct faults *faults)
{
    return faults->errors + faults->lost + faults->doubled + faults->out_of_order > 0;
}

void bench_put(struct bench *bench, const char *section, const char *key, json_t *value)
{
    json_t *object = json_object_get(bench->report, section);
    if (object == NULL) {
        object = json_object();
        if (json_object_set_new(bench->report, section, object) != 0) {
            fault(&bench->faults, "memory is out");
            json_decref(value);
            return;
        }
    }
    if (json_object_set_new(object, key, value) != 0) {
        fault(&bench->faults, "memory is out");
    }
}

void bench_number(struct bench *bench, const char *section, const char *key, double value)
{
    bench_put(bench, section, key, json_real(value));
}

void bench_ratio(struct bench *bench, const char *key, double a, double b)
{
    if (b > 0) {
        bench_number(bench, "ratio", key, a / b);
    }
}

static void report_options(struct bench *bench)
{
    const struct options *o = bench->options;
    const char *section = "options";
    bench_put(bench, section, "group", json_string(o->group));
    bench_put(bench, section, "suite", json_string(o->suite));
    bench_put(bench, section, "inner", json_string(o->real ? "real" : "opaque"));
    bench_put(bench, section, "batch", json_boolean(o->batch));
    bench_put(bench, section, "concurrency", json_integer(o->concurrency));
    bench_put(bench, section, "pairs", json_integer(o->pairs));
    bench_put(bench, section, "window", json_integer(o->window));
    bench_put(bench, section, "size", json_integer(o->size));
    bench_number(bench, section, "seconds", o->seconds);
    bench_put(bench, section, "cost", json_integer(o->cost));
    bench_put(bench, section, "prepared", json_boolean(o->prepared));
    bench_put(bench, section, "count", json_integer(o->count));
    bench_put(bench, section, "sessions", json_integer(o->sessions));
    bench_put(bench, section, "rate", json_integer(o->rate));
    bench_put(bench, section, "sources", json_integer(o->sources));
    bench_put(bench, section, "reactors", json_integer(bench->target.reactors));
    bench_put(bench, section, "workers", json_integer(bench->target.workers));
    bench_put(bench, section, "server_cpus", o->server_cpus != NULL ? json_string(o->server_cpus) : json_null());
    bench_put(bench, section, "cpus", o->cpus != NULL ? json_string(o->cpus) : json_null());
}

static void report_memory(struct bench *bench)
{
    const struct memory memory = memory_of(bench->target.pid);
    bench_put(bench, "server", "rss", json_integer((json_int_t)memory.rss));
    bench_put(bench, "server", "pss", json_integer((json_int_t)memory.pss));
    bench_put(bench, "server", "peak_rss", json_integer((json_int_t)memory.peak));
}

static void report_faults(struct bench *bench)
{
    const struct faults faults = bench->faults;
    const char *section = "faults";
    bench_put(bench, section, "errors", json_integer((json_int_t)faults.errors));
    bench_put(bench, section, "lost", json_integer((json_int_t)faults.lost));
    bench_put(bench, section, "doubled", json_integer((json_int_t)faults.doubled));
    bench_put(bench, section, "out_of_order", json_integer((json_int_t)faults.out_of_order));
    if (faults.errors > 0) {
        bench_put(bench, section, "first", json_stringn_nocheck(faults.first, strlen(faults.first)));
    }
}

/* Four digits that count, and none in place of a whole number's. */
static int decimals(double figure)
{
    int places = 3;
    if (figure == 0) {
        return 0;
    }
    while (figure < 1 && places < 9) {
        figure *= 10;
        places++;
    }
    while (figure >= 10 && places > 0) {
        figure /= 10;
        places--;
    }
    return places;
}

static void print_lines(const json_t *object, int depth)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        if (json_is_object(value)) {
            printf("%*s%s\n", 2 * depth, "", key);
            print_lines(value, depth + 1);
        } else if (json_is_real(value)) {
            const double figure = json_real_value(value);
            printf("%*s%-24s %.*f\n", 2 * depth, "", key, decimals(figure), figure);
        } else if (json_is_array(value)) {
            printf("%*s%-24s %zu samples (--json has them)\n", 2 * depth, "", key, json_array_size(value));
        } else {
            char *text = json_dumps(value, JSON_ENCODE_ANY);
            printf("%*s%-24s %s\n", 2 * depth, "", key, text != NULL ? text : "");
            free(text);
        }
    }
}

static int print_report(const struct bench *bench)
{
    if (!bench->options->json) {
        print_lines(bench->report, 0);
    } else if (json_dumpf(bench->report, stdout, JSON_REAL_PRECISION(6)) == 0) {
        (void)putchar('\n');
    }
    return fflush(stdout) == 0 && ferror(stdout) == 0 ? 0 : -1;
}

/* As many descriptors as we may have: each session takes one. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    char error[TARGET_ERROR_MAX];
    static struct options options;
    static struct bench bench;
    options = options_parse(argc, argv);
    const struct mode *mode = options.mode;
    secret_guard_gmp();
    (void)signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    bench.options = &options;
    bench.report = json_pack("{s:s}", "mode", mode->name);
    if (bench.report == NULL) {
        return 1;
    }
    const struct target_wish wish = { .accounts = mode->accounts(&options),
                                      .quick_logins = !mode->logins_are_measured,
                                      .default_limits = mode->default_limits };
    if (target_start(&bench.target, &options, &wish, error) != 0) {
        fprintf(stderr, "kdc-bench: %s\n", error);
        json_decref(bench.report);
        return 1;
    }
    report_options(&bench);
    mode->run(&bench);
    report_memory(&bench);
    if (target_stop(&bench.target) != 0) {
        fault(&bench.faults, "the kdcd did not end in order (or a sanitizer complained)");
    }
    report_faults(&bench);
    const bool bad = faults_any(&bench.faults);
    if (bad) {
        fprintf(stderr, "kdc-bench: the figures mean nothing: %s\n",
                bench.faults.errors > 0 ? bench.faults.first : "messages were lost, doubled or out of order");
    }
    const int printed = print_report(&bench);
    json_decref(bench.report);
    return bad || printed != 0 ? 1 : 0;
}
