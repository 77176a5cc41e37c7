#include "kdc/figures_json.h"

static json_t *histogram_json(const struct histogram_total *histogram)
{
    json_t *buckets = json_object();
    uint64_t count = 0;
    for (size_t i = 0; i <= HISTOGRAM_STEPS; i++) {
        char bound[32] = "+Inf";
        if (i < HISTOGRAM_STEPS) {
            (void)snprintf(bound, sizeof bound, "%.9g", (double)histogram_bounds[i] / 1e6);
        }
        count += histogram->counts[i];
        if (json_object_set_new(buckets, bound, json_integer((json_int_t)count)) != 0) {
            json_decref(buckets);
            return NULL;
        }
    }
    return json_pack("{s:I, s:o, s:o}", "count", (json_int_t)count, "sum_seconds",
                     json_real((double)histogram->sum_us / 1e6), "buckets", buckets);
}

static json_t *value_json(const struct figure_value *value)
{
    const struct figure *figure = &figure_table[value->id];
    switch (figure->kind) {
    case FIGURE_TEXT:
        return json_string(value->text);
    case FIGURE_HISTOGRAM:
        return histogram_json(value->histogram);
    case FIGURE_GAUGE:
    case FIGURE_COUNTER:
        break;
    }
    if (figure->unit == UNIT_YES_NO) {
        return json_boolean(value->number != 0);
    }
    const bool whole = figure->unit != UNIT_SECONDS && figure->unit != UNIT_PER_SECOND &&
                       value->number == (double)(json_int_t)value->number;
    return whole ? json_integer((json_int_t)value->number) : json_real(value->number);
}

json_t *figures_json(const struct figures *figures)
{
    json_t *all = json_object();
    bool failed = all == NULL || figures->failed;
    for (size_t i = 0; i < figures->count && !failed; i++) {
        const struct figure_value *value = &figures->values[i];
        const struct figure *figure = &figure_table[value->id];
        json_t *place = all;
        if (figure->label != NULL) {
            place = json_object_get(all, figure->name);
            if (place == NULL && json_object_set_new(all, figure->name, json_object()) == 0) {
                place = json_object_get(all, figure->name);
            }
        }
        failed = json_object_set_new(place, figure->label != NULL ? value->word : figure->name, value_json(value)) != 0;
    }
    if (failed) {
        json_decref(all);
        return NULL;
    }
    return all;
}
