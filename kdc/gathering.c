#include "kdc/gathering.h"

static const struct gathering one_is_enough = { .awaited = 1 };

void gathering_init(struct gathering *gathering)
{
    *gathering = one_is_enough;
}

void gathering_call_over(struct gathering *gathering, size_t answered, size_t waiting, uint64_t took, uint64_t longest,
                         uint64_t now)
{
    const uint64_t patience = took / 2 < longest ? took / 2 : longest;
    const size_t company = answered + waiting;
    if (answered == 0 || company == 1) {
        *gathering = one_is_enough;
        return;
    }
    gathering->awaited = company < GATHERING_MAX ? company : GATHERING_MAX;
    gathering->until = now + patience;
}

bool gathering_enough(const struct gathering *gathering, size_t waiting)
{
    return waiting >= gathering->awaited;
}

uint64_t gathering_wait(struct gathering *gathering, size_t waiting, uint64_t now)
{
    if (now >= gathering->until) {
        *gathering = one_is_enough;
    }
    if (gathering_enough(gathering, waiting)) {
        return 0;
    }
    return gathering->awaited == 1 ? UINT64_MAX : gathering->until - now;
}
