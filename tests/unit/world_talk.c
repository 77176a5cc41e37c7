#include "tests/unit/world_talk.h"

#include "tests/unit/cmocka_all.h"

uint64_t world_talk(struct world *w, struct client *a, struct client *b, uint32_t request, const char *b_name)
{
    world_open(a, request, b_name);
    world_settle(w);
    assert_int_equal(world_expect(b, MESSAGE_GRANT).grant.request, 0);
    const struct message m = world_expect(a, MESSAGE_GRANT);
    assert_int_equal(m.grant.request, request);
    return m.grant.conversation;
}

void world_expect_credit(struct client *c, uint64_t conversation, size_t bytes)
{
    const struct message m = world_expect(c, MESSAGE_CREDIT);
    assert_int_equal(m.credit.conversation, conversation);
    assert_int_equal(m.credit.bytes, bytes);
}
