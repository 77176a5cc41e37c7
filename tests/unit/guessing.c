#include "tests/unit/guessing.h"

#include "tests/unit/cmocka_all.h"
#include "wire/name.h"

#include <stdio.h>
#include <stdlib.h>

const struct penalty_policy guessing_policy = { .enabled = true,
                                                .account_failures = 10,
                                                .source_failures = 30,
                                                .forget_seconds = 3600,
                                                .lock_seconds = 900,
                                                .delay_max = 15 };

int guessing_set_up(void **state)
{
    struct guessing *g = calloc(1, sizeof *g);
    assert_non_null(g);
    g->p = penalties_new(&guessing_policy);
    assert_non_null(g->p);
    g->now = START;
    *state = g;
    return 0;
}

int guessing_tear_down(void **state)
{
    struct guessing *g = *state;
    penalties_free(&g->p);
    free(g);
    return 0;
}

struct name guessing_name(const char *text)
{
    struct name name;
    assert_int_equal(name_from_string(text, &name), 0);
    return name;
}

struct admission_source guessing_source(const char *text)
{
    struct admission_source source;
    assert_int_equal(source_parse(text, &source), 0);
    return source;
}

struct penalty_verdict guessing_ask(struct guessing *g, const char *name, const char *source, bool known)
{
    const struct name account = guessing_name(name);
    const struct admission_source from = guessing_source(source);
    return penalties_ask(g->p, &account, &from, known, g->now);
}

void guessing_miss(struct guessing *g, const char *name, const char *source)
{
    const struct name account = guessing_name(name);
    const struct admission_source from = guessing_source(source);
    const struct penalty_news news = penalties_failed(g->p, &account, &from, false, g->now);
    g->account_locks += news.account_locked;
    g->source_locks += news.source_locked;
}

void guessing_miss_from_everywhere(struct guessing *g, const char *name, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char source[32];
        (void)snprintf(source, sizeof source, "10.%u.%u.%u", i >> 16, i >> 8 & 0xff, i & 0xff);
        guessing_miss(g, name, source);
    }
}

void assert_verdict(struct penalty_verdict verdict, uint32_t delay_s, uint32_t retry_after)
{
    assert_int_equal(verdict.delay_ms, delay_s * 1000);
    assert_int_equal(verdict.retry_after, retry_after);
}
