/*
 * figures_json.h: figures as the control protocol's "status" has them.
 *
 * {"sessions":2,"refusals_total":{"busy":1},…}; a histogram is {"count":3,"sum_seconds":0.25,"buckets":{"0.001":0,…,"+Inf":3}}, where
 * each bucket counts what took no longer than its name, in seconds.
 */
#ifndef KDC_FIGURES_JSON_H
#define KDC_FIGURES_JSON_H

#include "kdc/figures.h"

#include <jansson.h>

/* A new reference; NULL when memory is out. */
json_t *figures_json(const struct figures *figures) __attribute__((warn_unused_result));

#endif
