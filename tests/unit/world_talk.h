/*
 * world_talk.h: two of the tests' world (kdc_world.h) who talk with each other. Fails the test (cmocka) on anything unexpected.
 */
#ifndef TESTS_UNIT_WORLD_TALK_H
#define TESTS_UNIT_WORLD_TALK_H

#include "tests/unit/kdc_world.h"

/* What a ciphertext message with so much sealed counts in its window: type and body. */
#define SAID(sealed) ((sealed) + 21u)

/* Opens and takes both grants; gives the conversation's number. */
uint64_t world_talk(struct world *w, struct client *a, struct client *b, uint32_t request, const char *b_name);
/* The next that c gets. */
void world_expect_credit(struct client *c, uint64_t conversation, size_t bytes);

#endif
