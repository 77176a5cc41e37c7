/*
 * fuzz_core.c: a client that is logged in, and a KDC that says whatever it likes. The input is a row of steps:
 *
 *   0..: u16 length, and that many bytes: a message of the KDC's, sealed as it should be; from 0x8000: all that a record holds
 *   then  a grant with a good key: from whom, conversation and epoch
 *         a text, a receipt or a confirm of the peer's under the newest epoch
 *         the person sends, opens, lists, asks, discards; time goes by; the connection is cut and made again
 *
 * What must hold: no crash, what the client sends is well-formed, its password goes nowhere but into a login, its
 * memory is bounded, and each text number of an instance is told once and in order.
 */
#include "client/core_internal.h"
#include "tests/unit/core_rig.h"

#include <stdlib.h>
#include <string.h>

#define PEOPLE 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const people[PEOPLE] = { "bob", "carol", "dave", "alice" };

static void require(bool condition)
{
    if (!condition)
        abort();
}

struct input {
    const uint8_t *data;
    size_t len;
};

static uint8_t byte(struct input *in)
{
    if (in->len == 0)
        return 0;
    in->len--;
    return *in->data++;
}

/* The last number told of each instance that the harness itself speaks for. */
struct watch {
    uint64_t last[256];
};

static struct watch watch;

/* The harness's texts are "instance number", so that what is told can be checked. */
static void on_event(struct rig *rig, const struct kc_event *event)
{
    (void)rig;
    if (event->type != KC_EVENT_TEXT || event->text_len != 2 || event->peer == NULL || strcmp(event->peer, "bob") != 0)
        return;
    uint8_t instance = (uint8_t)event->text[0] & 3;
    uint8_t number = (uint8_t)event->text[1];
    require(number > watch.last[instance]);
    watch.last[instance] = number;
}

static int come_up(struct rig *rig)
{
    if (rig_connect(rig) != KC_OK || rig_take(rig, MESSAGE_LOGIN) == NULL)
        return -1;
    return rig_welcome(rig, "alice");
}

static int speak(struct rig *rig, struct input *in)
{
    static const enum content_kind kinds[] = { CONTENT_CONFIRM, CONTENT_TEXT, CONTENT_RECEIVED, CONTENT_TEXT };
    enum content_kind kind = kinds[byte(in) % 4];
    char text[3] = { 0 };
    uint64_t instance = byte(in) & 3;
    uint64_t number = byte(in) & 127;
    if (rig->peer == NULL)
        return KC_OK;
    text[0] = (char)(0x20 + instance);
    text[1] = (char)(number == 0 ? 1 : number);
    if (kind == CONTENT_RECEIVED)
        instance = rig->core->instance;
    return rig_peer_says(rig, kind, instance, (uint64_t)(number == 0 ? 1 : number), kind == CONTENT_TEXT ? text : NULL);
}

static int act(struct rig *rig, struct input *in)
{
    const char *who = people[byte(in) % PEOPLE];
    switch (byte(in) % 6) {
    case 0:
        (void)core_send(rig->core, who, "a text", 6, NULL);
        break;
    case 1:
        (void)core_open(rig->core, who);
        break;
    case 2:
        (void)core_list(rig->core);
        break;
    case 3:
        (void)core_who(rig->core, who);
        break;
    case 4:
        (void)core_discard(rig->core, who);
        break;
    default:
        return rig_wait(rig, UINT64_C(500) * byte(in));
    }
    return rig_carry(rig);
}

static int raw(struct rig *rig, struct input *in)
{
    size_t len = (size_t)byte(in) << 8;
    len |= byte(in);
    const bool whole = len >= 0x8000;
    len &= 0x7fff;
    len = len > in->len ? in->len : len;
    const uint8_t *plain = in->data;
    in->data += len;
    in->len -= len;
    if (whole)
        return rig_tell_record(rig, plain, len);
    return len == 0 ? KC_OK : rig_tell_plain(rig, plain, len);
}

static int step(struct rig *rig, struct input *in)
{
    switch (byte(in) % 5) {
    case 0:
        return raw(rig, in);
    case 1: {
        /* Bob's epochs are followed; the others' only come. */
        uint8_t who = byte(in) % PEOPLE;
        uint32_t request = byte(in) % 8;
        uint32_t epoch = 1 + (uint32_t)byte(in);
        const char *opener = request == 0 ? people[who] : "alice";
        const char *opened = request == 0 ? "alice" : people[who];
        return rig_grant(rig, request, 1 + who, epoch, opener, opened, people[who]);
    }
    case 2:
        return speak(rig, in);
    case 3:
        return act(rig, in);
    default:
        rig_cut(rig);
        return come_up(rig);
    }
}

/* Whoever reads what the client sent finds its password in logins alone. */
static void check(struct rig *rig)
{
    require(!rig->broken);
    while (rig->first != NULL) {
        struct rig_message *message = rig->first;
        require(message->m.type == MESSAGE_LOGIN ||
                memmem(message->plain, message->plain_len, rig_password, strlen(rig_password)) == NULL);
        require(rig_take(rig, message->m.type) != NULL);
    }
    require(!rig->trace_tells);
    require(rig->core->peer_count <= PEERS_MAX);
    require(buffer_len(core_output(rig->core)) <= OUTPUT_LIMIT);
    rig->event_count = 0;
    rig->event_at = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { .data = data, .len = size };
    struct rig *rig = rig_new();
    memset(&watch, 0, sizeof(watch));
    if (rig == NULL)
        return 0;
    rig->on_event = on_event;
    core_set_trace(rig->core, true);
    require(rig_login(rig, "alice") == 0);
    check(rig);
    for (unsigned steps = 0; in.len > 0 && steps < 400; steps++) {
        int error = step(rig, &in);
        check(rig);
        if (error != KC_OK) {
            unsigned after;
            bool again = core_may_return(rig->core, error, &after);
            rig_cut(rig);
            if (!again || come_up(rig) != KC_OK)
                break;
            check(rig);
        }
    }
    rig_free(&rig);
    return 0;
}
