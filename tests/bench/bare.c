#include "tests/bench/bare.h"

void bare_start(struct bare *bare, struct bench *bench, size_t pairs, size_t ring)
{
    char error[TARGET_ERROR_MAX];
    *bare = (struct bare){ .target = { .child_input = -1 }, .faults = &bench->faults };
    if (!bench->options->limits || faults_any(&bench->faults)) {
        return;
    }
    if (target_start_bare(&bare->target, bench->options, bench->target.reactors, error) != 0) {
        fault(&bench->faults, "%s", error);
        return;
    }
    bare->traffic = traffic_new(bench, &bare->target, true, pairs, ring);
}

void bare_stop(struct bare *bare)
{
    traffic_free(&bare->traffic);
    if (target_stop(&bare->target) != 0) {
        fault(bare->faults, "the bare relay did not end in order");
    }
}
