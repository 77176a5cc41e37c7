/*
 * guessing.h: passwords guessed and what that costs (kdc/penalties.h), under a clock of the test's. Fails the test (cmocka) on
 * anything unexpected.
 */
#ifndef TESTS_UNIT_GUESSING_H
#define TESTS_UNIT_GUESSING_H

#include "kdc/penalties.h"

#define START UINT64_C(1795165200000)

struct guessing {
    struct penalties *p;
    uint64_t now;
    unsigned account_locks; /* as failures told */
    unsigned source_locks;
};

extern const struct penalty_policy guessing_policy; /* the default one */

/* For cmocka: *state is a struct guessing, at START, under guessing_policy. */
int guessing_set_up(void **state);
int guessing_tear_down(void **state);

struct name guessing_name(const char *text);
struct admission_source guessing_source(const char *text);

struct penalty_verdict guessing_ask(struct guessing *g, const char *name, const char *source, bool known);
/* A wrong password. */
void guessing_miss(struct guessing *g, const char *name, const char *source);
/* Each from a source of its own, and each name once, as far as two bytes go. */
void guessing_miss_from_everywhere(struct guessing *g, const char *name, unsigned count);

void assert_verdict(struct penalty_verdict verdict, uint32_t delay_s, uint32_t retry_after);

#endif
