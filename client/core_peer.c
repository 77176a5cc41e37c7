/* core_peer.c: the people one talks with: remembering them, and opening conversations with them when there is a
 * reason to. */
#include "client/core_internal.h"

#include <stdlib.h>
#include <string.h>

#define PRESENCE_JITTER_MS 300 /* both of two may want to open again: the later one then needn't */
#define RESUME_JITTER_MS 500
#define RETRY_MIN_S 1   /* after busy and the like */
#define RETRY_LATE_S 20 /* once it was tried OPEN_TRIES_MAX times, and texts wait */
#define RETRY_MAX_S 3600

struct peer *peer_find(const struct core *core, const struct name *name)
{
    for (size_t i = 0; i < core->peer_count; i++) {
        if (name_equal(&core->peers[i]->name, name))
            return core->peers[i];
    }
    return NULL;
}

struct peer *peer_by_conversation(const struct core *core, uint64_t conversation)
{
    for (size_t i = 0; i < core->peer_count; i++) {
        if (core->peers[i]->newest_epoch > 0 && core->peers[i]->conversation == conversation)
            return core->peers[i];
    }
    return NULL;
}

void peer_drop_epochs(struct peer *peer)
{
    epoch_free(&peer->epoch);
    epoch_free(&peer->previous);
    peer->confirm_due = false;
}

static void peer_free(struct peer *peer)
{
    peer_drop_epochs(peer);
    (void)outbox_clear(&peer->outbox);
    free(peer);
}

void peers_free(struct core *core)
{
    for (size_t i = 0; i < core->peer_count; i++)
        peer_free(core->peers[i]);
    free(core->peers);
    core->peers = NULL;
    core->peer_count = 0;
    core->peer_room = 0;
}

static bool peer_idle(const struct peer *peer)
{
    return peer->epoch == NULL && peer->outbox.count == 0 && peer->opening != OPENING_ASKED &&
           peer->opening != OPENING_DUE;
}

/* Forgets the one who was silent for longest, of those with whom nothing is going on. */
static bool make_room(struct core *core)
{
    if (core->depth > 0)
        return false;
    size_t oldest = core->peer_count;
    for (size_t i = 0; i < core->peer_count; i++) {
        const struct peer *peer = core->peers[i];
        if (peer_idle(peer) && (oldest == core->peer_count || peer->used < core->peers[oldest]->used))
            oldest = i;
    }
    if (oldest == core->peer_count)
        return false;
    peer_free(core->peers[oldest]);
    core->peers[oldest] = core->peers[--core->peer_count];
    return true;
}

struct peer *peer_get(struct core *core, const struct name *name)
{
    struct peer *peer = peer_find(core, name);
    if (peer == NULL) {
        if (core->peer_count == PEERS_MAX && !make_room(core))
            return NULL;
        if (core->peer_count == core->peer_room) {
            size_t room = core->peer_room == 0 ? 8 : 2 * core->peer_room;
            struct peer **peers = reallocarray(core->peers, room, sizeof(struct peer *));
            if (peers == NULL)
                return NULL;
            core->peers = peers;
            core->peer_room = room;
        }
        peer = calloc(1, sizeof(*peer));
        if (peer == NULL)
            return NULL;
        peer->name = *name;
        core->peers[core->peer_count++] = peer;
    }
    peer->used = ++core->uses;
    return peer;
}

/* ---- opening ---- */

void peer_want_open(struct peer *peer, uint64_t at)
{
    if (peer->opening == OPENING_ASKED)
        return;
    if (peer->opening != OPENING_DUE || at < peer->open_at)
        peer->open_at = at;
    peer->opening = OPENING_DUE;
}

uint64_t peer_calm(const struct core *core, const struct peer *peer)
{
    uint64_t now = core_now(core);
    uint64_t calm = peer->opened_at == 0 ? now : peer->opened_at + OPEN_PAUSE_MS;
    return calm > now ? calm : now;
}

static bool send_open(struct core *core, struct peer *peer)
{
    uint32_t number = request_new(core, REQUEST_OPEN, &peer->name);
    if (number == 0)
        return false;
    peer->opening = OPENING_ASKED;
    peer->opened_at = core_now(core);
    return core_put(core, &(struct message){ .type = MESSAGE_OPEN, .open = { .request = number, .peer = peer->name } });
}

void opens_run(struct core *core)
{
    if (core->state != CORE_READY)
        return;
    uint64_t now = core_now(core);
    size_t under_way = requests_count(core, REQUEST_OPEN);
    for (size_t i = 0; i < core->peer_count && under_way < OPENS_MAX && core->state == CORE_READY; i++) {
        struct peer *peer = core->peers[i];
        if (peer->opening != OPENING_DUE || peer->open_at > now)
            continue;
        if (!send_open(core, peer))
            return;
        under_way++;
    }
}

int core_open(struct core *core, const char *name)
{
    struct name parsed;
    if (name_from_string(name, &parsed) != 0)
        return KC_BAD_NAME;
    if (core->state != CORE_READY)
        return KC_NOT_READY;
    struct peer *peer = peer_get(core, &parsed);
    if (peer == NULL)
        return REASON_TOO_MANY;
    peer->open_wanted = true;
    peer->open_tries = 0;
    peer_want_open(peer, core_now(core));
    opens_run(core);
    return KC_OK;
}

void opens_after_login(struct core *core)
{
    uint64_t now = core_now(core);
    for (size_t i = 0; i < core->peer_count; i++) {
        struct peer *peer = core->peers[i];
        peer->opened_at = 0;
        peer->open_tries = 0;
        peer->in_flight = 0; /* this session has sent nothing yet */
        if (peer->outbox.count > 0)
            peer_want_open(peer, now);
        else if (peer->open_before)
            peer_want_open(peer, now + core_random(core, RESUME_JITTER_MS));
    }
}

/* Once it stands that there is nobody to talk with under that name. Who asks for a new epoch may have an old one still. */
static void give_up(struct peer *peer)
{
    peer->opening = OPENING_NO;
    peer->open_wanted = false;
    peer->open_before = false;
    peer_drop_epochs(peer);
    (void)outbox_clear(&peer->outbox);
}

static void open_later(struct core *core, struct peer *peer, const struct message_refused *m)
{
    bool enough = ++peer->open_tries >= OPEN_TRIES_MAX;
    if (enough && peer->outbox.count == 0) {
        peer->opening = OPENING_NO;
        peer->open_wanted = false;
        core_emit_peer(core, KC_EVENT_REFUSED, &peer->name, (int)m->reason, 0);
        return;
    }
    /* A text that waits goes some day: nobody will come and ask for it again. */
    uint32_t least = enough ? RETRY_LATE_S : RETRY_MIN_S;
    uint32_t seconds = m->retry_after < least ? least : m->retry_after;
    seconds = seconds > RETRY_MAX_S ? RETRY_MAX_S : seconds;
    uint64_t wait = UINT64_C(1000) * seconds;
    peer->opening = OPENING_NO;
    peer_want_open(peer, core_now(core) + wait + core_random(core, wait / 4));
    core_emit_peer(core, KC_EVENT_REFUSED, &peer->name, (int)m->reason, seconds);
}

void peer_open_refused(struct core *core, struct peer *peer, const struct message_refused *m)
{
    bool told = peer->open_wanted || peer->outbox.count > 0;
    switch (m->reason) {
    case REASON_PEER_OFFLINE:
        peer->opening = OPENING_OFFLINE;
        peer->open_wanted = false;
        peer->open_before = peer->open_before || peer->epoch != NULL;
        peer_drop_epochs(peer);
        outbox_rewind(&peer->outbox);
        /* Who was only looked for by the core itself was not refused to anybody. */
        core_emit_peer(core, told ? KC_EVENT_REFUSED : KC_EVENT_PRESENCE, &peer->name, told ? (int)m->reason : KC_OK,
                       0);
        return;
    case REASON_BUSY:
    case REASON_UNAVAILABLE:
    case REASON_TOO_MANY:
    case REASON_INTERNAL:
        open_later(core, peer, m);
        return;
    case REASON_NO_SUCH_USER:
    case REASON_PEER_IS_SELF:
    case REASON_PEER_LOCKED:
        give_up(peer);
        break;
    default:
        peer->opening = OPENING_NO;
        peer->open_wanted = false;
        break;
    }
    core_emit_peer(core, KC_EVENT_REFUSED, &peer->name, (int)m->reason, m->retry_after);
}

/* ---- presence ---- */

void peer_presence(struct core *core, const struct message_presence *m)
{
    struct peer *peer = peer_find(core, &m->name);
    uint64_t now = core_now(core);

    if (peer != NULL && m->presence == PRESENCE_OFFLINE) {
        peer->open_before = peer->open_before || peer->epoch != NULL;
        peer_drop_epochs(peer);
        outbox_rewind(&peer->outbox);
        if (peer->opening != OPENING_ASKED)
            peer->opening = OPENING_OFFLINE;
    } else if (peer != NULL && peer->outbox.count > 0) {
        peer_want_open(peer, peer->epoch == NULL ? now : peer_calm(core, peer));
    } else if (peer != NULL && (peer->epoch != NULL || peer->open_before)) {
        uint64_t calm = peer->epoch == NULL ? now : peer_calm(core, peer);
        peer_want_open(peer, calm + PRESENCE_JITTER_MS / 3 + core_random(core, PRESENCE_JITTER_MS));
    } else if (peer != NULL && peer->opening == OPENING_OFFLINE) {
        peer->opening = OPENING_NO;
    }
    core_emit(core, &(struct kc_event){
                        .type = KC_EVENT_PRESENCE, .peer = m->name.text, .online = m->presence == PRESENCE_ONLINE });
}
