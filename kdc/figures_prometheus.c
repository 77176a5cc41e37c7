/* figures_prometheus.c: figures in Prometheus's text format, version 0.0.4. */
#include "kdc/figures.h"

#include <inttypes.h>

static void number_print(FILE *out, double number)
{
    if (number >= 0 && number < 9007199254740992.0 && number == (double)(uint64_t)number) {
        (void)fprintf(out, "%" PRIu64, (uint64_t)number);
    } else {
        (void)fprintf(out, "%.15g", number);
    }
}

/* A label's value, between its quotes; nothing of ours needs escaping but what an error might say. */
static void quoted_print(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\\' || *text == '"') {
            (void)fprintf(out, "\\%c", *text);
        } else if (*text == '\n') {
            (void)fputs("\\n", out);
        } else {
            (void)fputc(*text, out);
        }
    }
}

/* name_suffix{label="word",more="…"}, and the blank. */
static void name_print(FILE *out, const struct figure_value *value, const char *suffix, const char *bound)
{
    const struct figure *figure = &figure_table[value->id];
    (void)fprintf(out, FIGURES_PREFIX "%s%s", figure->name, suffix);
    if (figure->label != NULL) {
        (void)fprintf(out, "{%s=\"", figure->label);
        quoted_print(out, value->word);
        (void)fputc('"', out);
    }
    if (bound != NULL) {
        (void)fprintf(out, "%cle=\"%s\"", figure->label == NULL ? '{' : ',', bound);
    }
    (void)fputs(figure->label == NULL && bound == NULL ? " " : "} ", out);
}

static void histogram_print(FILE *out, const struct figure_value *value)
{
    uint64_t count = 0;
    for (size_t i = 0; i <= HISTOGRAM_STEPS; i++) {
        char bound[32] = "+Inf";
        if (i < HISTOGRAM_STEPS) {
            (void)snprintf(bound, sizeof bound, "%.9g", (double)histogram_bounds[i] / 1e6);
        }
        count += value->histogram->counts[i];
        name_print(out, value, "_bucket", bound);
        (void)fprintf(out, "%" PRIu64 "\n", count);
    }
    name_print(out, value, "_sum", NULL);
    (void)fprintf(out, "%.9g\n", (double)value->histogram->sum_us / 1e6);
    name_print(out, value, "_count", NULL);
    (void)fprintf(out, "%" PRIu64 "\n", count);
}

static void value_print(FILE *out, const struct figure_value *value)
{
    const struct figure *figure = &figure_table[value->id];
    if (figure->kind == FIGURE_HISTOGRAM) {
        histogram_print(out, value);
    } else if (figure->kind == FIGURE_TEXT) {
        (void)fprintf(out, FIGURES_PREFIX "%s_info{%s=\"", figure->name, figure->name);
        quoted_print(out, value->text);
        (void)fputs("\"} 1\n", out);
    } else {
        name_print(out, value, "", NULL);
        number_print(out, value->number);
        (void)fputc('\n', out);
    }
}

void figures_print_prometheus(const struct figures *figures, FILE *out)
{
    static const char *const types[] = { "gauge", "counter", "histogram", "gauge" };
    for (size_t i = 0; i < figures->count; i++) {
        const struct figure_value *value = &figures->values[i];
        const struct figure *figure = &figure_table[value->id];
        if (figure->ours) {
            continue;
        }
        if (i == 0 || figures->values[i - 1].id != value->id) {
            const char *suffix = figure->kind == FIGURE_TEXT ? "_info" : "";
            (void)fprintf(out, "# HELP " FIGURES_PREFIX "%s%s %s.\n# TYPE " FIGURES_PREFIX "%s%s %s\n", figure->name,
                          suffix, figure->help, figure->name, suffix, types[figure->kind]);
        }
        value_print(out, value);
    }
}
