/*
 * core_script.h: what Alice, Bob and the KDC do in the tests of a client's core, step by step, on the rig (core_rig.h): its core
 * is Alice's, its peer Bob. Fails the test (cmocka) when a step goes otherwise.
 */
#ifndef TESTS_UNIT_CORE_SCRIPT_H
#define TESTS_UNIT_CORE_SCRIPT_H

#include "tests/unit/core_rig.h"

#define CONVERSATION 5 /* Alice's and Bob's */
#define INSTANCE 77    /* Bob's client */

/* For cmocka: *state is a rig; Alice isn't in yet. */
int core_script_begin(void **state);
/* The same, and she is in. */
int core_script_begin_in(void **state);
/* -1 also when Alice sent what doesn't open, or a trace told what it must not. */
int core_script_end(void **state);

/* Alice. */
void alice_logs_in(struct rig *rig);
void alice_gives_password(struct rig *rig);
uint64_t alice_says(struct rig *rig, const char *to, const char *text); /* gives the text's number */
void alice_opens_with_bob(struct rig *rig, uint32_t epoch);
/* After a cut, by her password. */
void alice_comes_back(struct rig *rig);

/* Bob acknowledges; his client knows whose texts they are. */
void bob_received(struct rig *rig, uint64_t number);

/* The KDC. */
uint32_t kdc_takes_open(struct rig *rig, const char *peer); /* gives the request's number */
/* The result of core_input, of these two. */
int kdc_refuses(struct rig *rig, uint32_t request, enum reason reason, uint32_t retry_after);
int kdc_closes(struct rig *rig, enum reason reason);
void kdc_tells_presence(struct rig *rig, const char *peer, bool online);

/* The next that the KDC hears. */
void assert_closed_because(struct rig *rig, enum reason reason);
/* The next that Bob hears: a text; anything of that kind; a receipt. */
void assert_hears(struct rig *rig, uint64_t number, const char *text);
void assert_hears_kind(struct rig *rig, enum content_kind kind);
void assert_receipt(struct rig *rig, uint64_t instance, uint64_t number);
/* The next event of Alice's: a text of Bob's; one of hers that he has; a refusal; somebody comes or goes. */
void assert_text(struct rig *rig, const char *text);
void assert_delivered(struct rig *rig, uint64_t number);
void assert_refused(struct rig *rig, const char *peer, enum reason reason);
void assert_presence(struct rig *rig, const char *peer, bool online);

#endif
