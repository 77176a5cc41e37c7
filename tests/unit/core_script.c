#include "tests/unit/core_script.h"

#include "client/core_internal.h"
#include "tests/unit/cmocka_all.h"

#include <string.h>

int core_script_begin(void **state)
{
    *state = rig_new();
    return *state == NULL ? -1 : 0;
}

int core_script_begin_in(void **state)
{
    return core_script_begin(state) == 0 ? rig_login(*state, "alice") : -1;
}

int core_script_end(void **state)
{
    struct rig *rig = *state;
    bool good = !rig->broken && !rig->trace_tells;
    rig_free(&rig);
    return good ? 0 : -1;
}

/* ---- Alice ---- */

void alice_logs_in(struct rig *rig)
{
    assert_int_equal(rig_login(rig, "alice"), 0);
    assert_true(core_ready(rig->core));
}

void alice_gives_password(struct rig *rig)
{
    assert_int_equal(core_login(rig->core, "alice", rig_password, strlen(rig_password), false), KC_OK);
}

uint64_t alice_says(struct rig *rig, const char *to, const char *text)
{
    uint64_t number = 0;
    assert_int_equal(core_send(rig->core, to, text, strlen(text), &number), KC_OK);
    assert_int_equal(rig_carry(rig), KC_OK);
    return number;
}

void alice_opens_with_bob(struct rig *rig, uint32_t epoch)
{
    assert_int_equal(core_open(rig->core, "bob"), KC_OK);
    assert_int_equal(rig_carry(rig), KC_OK);
    assert_int_equal(rig_open(rig, CONVERSATION, epoch, "alice", "bob"), 0);
}

void alice_comes_back(struct rig *rig)
{
    rig_cut(rig);
    assert_int_equal(rig_connect(rig), KC_OK);
    assert_non_null(rig_take(rig, MESSAGE_LOGIN));
    assert_int_equal(rig_welcome(rig, "alice"), KC_OK);
    const struct rig_event *e = rig_event(rig, KC_EVENT_READY);
    assert_non_null(e);
    assert_true(e->resumed);
}

/* ---- Bob ---- */

/* Bob acknowledges; his client knows whose texts they are. */
void bob_received(struct rig *rig, uint64_t number)
{
    assert_int_equal(rig_peer_says(rig, CONTENT_RECEIVED, rig->core->instance, number, NULL), KC_OK);
}

/* ---- the KDC ---- */

uint32_t kdc_takes_open(struct rig *rig, const char *peer)
{
    const struct message *m = rig_take(rig, MESSAGE_OPEN);
    assert_non_null(m);
    assert_string_equal(m->open.peer.text, peer);
    return m->open.request;
}

int kdc_refuses(struct rig *rig, uint32_t request, enum reason reason, uint32_t retry_after)
{
    return rig_tell(rig, &(struct message){ .type = MESSAGE_REFUSED, .refused = { request, reason, retry_after } });
}

int kdc_closes(struct rig *rig, enum reason reason)
{
    return rig_tell(rig, &(struct message){ .type = MESSAGE_CLOSE, .close = { reason } });
}

void kdc_tells_presence(struct rig *rig, const char *peer, bool online)
{
    struct message m = { .type = MESSAGE_PRESENCE,
                         .presence = { rig_name(peer), online ? PRESENCE_ONLINE : PRESENCE_OFFLINE } };
    assert_int_equal(rig_tell(rig, &m), KC_OK);
}

/* ---- what is heard ---- */

void assert_closed_because(struct rig *rig, enum reason reason)
{
    const struct message *m = rig_take(rig, MESSAGE_CLOSE);
    assert_non_null(m);
    assert_int_equal(m->close.reason, reason);
}

void assert_hears(struct rig *rig, uint64_t number, const char *text)
{
    struct content content;
    assert_true(rig_peer_hears(rig, &content));
    assert_int_equal(content.kind, CONTENT_TEXT);
    assert_int_equal(content.number, number);
    assert_int_equal(content.text.len, strlen(text));
    assert_memory_equal(content.text.data, text, strlen(text));
}

void assert_hears_kind(struct rig *rig, enum content_kind kind)
{
    struct content content;
    assert_true(rig_peer_hears(rig, &content));
    assert_int_equal(content.kind, kind);
}

void assert_receipt(struct rig *rig, uint64_t instance, uint64_t number)
{
    struct content content;
    assert_true(rig_peer_hears(rig, &content));
    assert_int_equal(content.kind, CONTENT_RECEIVED);
    assert_int_equal(content.instance, instance);
    assert_int_equal(content.number, number);
}

void assert_text(struct rig *rig, const char *text)
{
    const struct rig_event *e = rig_event(rig, KC_EVENT_TEXT);
    assert_non_null(e);
    assert_string_equal(e->peer, "bob");
    assert_string_equal(e->text, text);
}

void assert_delivered(struct rig *rig, uint64_t number)
{
    const struct rig_event *e = rig_event(rig, KC_EVENT_DELIVERED);
    assert_non_null(e);
    assert_string_equal(e->peer, "bob");
    assert_int_equal(e->number, number);
}

void assert_refused(struct rig *rig, const char *peer, enum reason reason)
{
    const struct rig_event *e = rig_event(rig, KC_EVENT_REFUSED);
    assert_non_null(e);
    assert_string_equal(e->peer, peer);
    assert_int_equal(e->error, reason);
}

void assert_presence(struct rig *rig, const char *peer, bool online)
{
    const struct rig_event *e = rig_event(rig, KC_EVENT_PRESENCE);
    assert_non_null(e);
    assert_string_equal(e->peer, peer);
    assert_int_equal(e->online, online);
}
