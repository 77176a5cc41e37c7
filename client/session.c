/* session.c: the calls of kdcchat.h, on top of the core (what is said) and of link.c (how it gets there). */
#include "client/session.h"

#include "crypto/secret.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- what the core asks of its host ---- */

static uint64_t milliseconds(clockid_t clock)
{
    struct timespec t;
    if (clock_gettime(clock, &t) != 0)
        return 0;
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t session_now(void *context)
{
    (void)context;
    return milliseconds(CLOCK_MONOTONIC);
}

static uint64_t session_wall(void *context)
{
    (void)context;
    return milliseconds(CLOCK_REALTIME);
}

void session_emit(struct kc_client *client, const struct kc_event *event)
{
    client->fn(client->context, client, event);
}

static void core_event(void *context, const struct kc_event *event)
{
    struct kc_client *client = context;
    if (event->type == KC_EVENT_IDENTITY)
        client->asked = true;
    if (event->type == KC_EVENT_LOGIN_REFUSED)
        client->login_asked = true;
    if (event->type == KC_EVENT_IDENTITY || event->type == KC_EVENT_LOGIN_REFUSED)
        link_pause(client);
    session_emit(client, event);
}

/* ---- the KDC's identity ---- */

/* From now on this identity and no other, and on disk too. */
static int remember(struct kc_client *client)
{
    memcpy(client->trusted, client->offered, IDENTITY_PUBLIC_LEN);
    client->has_trusted = true;
    uint8_t known[IDENTITY_PUBLIC_LEN];
    if (client->known_path == NULL)
        return KC_OK;
    if (known_kdcs_find(client->known_path, client->address, known, client->detail) == KNOWN_KDCS_FOUND &&
        memcmp(known, client->offered, sizeof(known)) == 0)
        return KC_OK;
    return known_kdcs_put(client->known_path, client->address, client->offered, client->detail) == 0 ? KC_OK
                                                                                                     : KC_KNOWN_KDCS;
}

static enum core_identity judge_known(struct kc_client *client, const uint8_t known[IDENTITY_PUBLIC_LEN])
{
    if (memcmp(known, client->offered, IDENTITY_PUBLIC_LEN) == 0) {
        memcpy(client->trusted, client->offered, IDENTITY_PUBLIC_LEN);
        client->has_trusted = true;
        return CORE_IDENTITY_KNOWN;
    }
    identity_fingerprint(known, client->known_fingerprint);
    return CORE_IDENTITY_CHANGED;
}

static enum core_identity judge_identity(void *context, const uint8_t public_key[IDENTITY_PUBLIC_LEN])
{
    struct kc_client *client = context;
    memcpy(client->offered, public_key, IDENTITY_PUBLIC_LEN);
    identity_fingerprint(public_key, client->fingerprint);
    if (client->has_trusted)
        return judge_known(client, client->trusted);
    if (client->wanted_fingerprint[0] != '\0') {
        if (strcmp(client->wanted_fingerprint, client->fingerprint) == 0) {
            /* The person vouches for it: a file that can't be written is no reason to stay away. */
            (void)remember(client);
            return CORE_IDENTITY_KNOWN;
        }
        memcpy(client->known_fingerprint, client->wanted_fingerprint, KC_FINGERPRINT_LEN);
        return CORE_IDENTITY_CHANGED;
    }
    if (client->known_path == NULL)
        return CORE_IDENTITY_UNKNOWN;
    uint8_t known[IDENTITY_PUBLIC_LEN];
    switch (known_kdcs_find(client->known_path, client->address, known, client->detail)) {
    case KNOWN_KDCS_FOUND:
        return judge_known(client, known);
    case KNOWN_KDCS_NONE:
        return CORE_IDENTITY_UNKNOWN;
    case KNOWN_KDCS_FAILED:
    default:
        client->judge_error = KC_KNOWN_KDCS;
        return CORE_IDENTITY_CHANGED;
    }
}

int kc_trust(struct kc_client *client, bool yes)
{
    if (!client->asked)
        return KC_NOT_READY;
    client->asked = false;
    if (!yes) {
        client->leaving = true;
        client->end_error = KC_IDENTITY_REFUSED;
        (void)core_trust(client->core, false);
        link_wake(client);
        return KC_OK;
    }
    int result = remember(client);
    if (client->link == LINK_PARKED) {
        link_connect(client);
        return result;
    }
    link_resume(client);
    (void)core_trust(client->core, true); /* what goes wrong, the core hands out at its next turn */
    link_wake(client);
    return result;
}

const char *kc_fingerprint(const struct kc_client *client)
{
    return client->fingerprint;
}

const char *kc_detail(const struct kc_client *client)
{
    return client->detail;
}

/* ---- making and ending ---- */

struct kc_client *kc_new(struct event_base *base, const struct kc_options *options, kc_event_fn fn, void *context,
                         int *error)
{
    struct handshake_policy policy = { .group_count = 0 };
    struct kc_client *client = calloc(1, sizeof(*client));
    *error = KC_NO_MEMORY;
    if (client == NULL)
        return NULL;
    client->base = base;
    client->fn = fn;
    client->context = context;
    client->fd = -1;
    struct core_host host = {
        .context = client,
        .now = session_now,
        .wall = session_wall,
        .event = core_event,
        .identity = judge_identity,
        .rng = &rng_system,
    };
    if ((*error = session_options_take(client, options, &policy)) != KC_OK)
        goto fail;
    *error = KC_NO_MEMORY;
    client->core = core_new(&host, &policy);
    if (client->core == NULL || link_init(client) != 0)
        goto fail;
    core_set_send_only(client->core, options->send_only);
    *error = KC_OK;
    return client;

fail:
    kc_free(&client);
    return NULL;
}

void kc_free(struct kc_client **client_at)
{
    struct kc_client *client = *client_at;
    if (client == NULL)
        return;
    link_free(client);
    core_free(&client->core);
    free(client->host);
    free(client->address);
    free(client->known_path);
    secret_wipe(client->read_buffer, sizeof(client->read_buffer));
    free(client);
    *client_at = NULL;
}

/* After the core has taken credentials. */
static void login_taken(struct kc_client *client)
{
    client->login_asked = false;
    if (client->link == LINK_PARKED && !client->asked)
        link_connect(client);
    if (client->link == LINK_UP && core_state(client->core) == CORE_LOGIN) {
        link_resume(client);
        link_wake(client);
    }
}

int kc_login(struct kc_client *client, const char *name, const char *password, size_t password_len, bool make_account)
{
    int error = core_login(client->core, name, password, password_len, make_account);
    if (error == KC_OK)
        login_taken(client);
    return error;
}

int kc_register(struct kc_client *client, const char *name, const char *password, size_t password_len,
                const struct kc_registration *registration)
{
    int error = core_register(client->core, name, password, password_len, registration);
    if (error == KC_OK)
        login_taken(client);
    return error;
}

int kc_activate(struct kc_client *client, const char *name, const char *password, size_t password_len, const char *code)
{
    int error = core_activate(client->core, name, password, password_len, code);
    if (error == KC_OK)
        login_taken(client);
    return error;
}

int kc_deactivate(struct kc_client *client, const char *code)
{
    int error = core_deactivate(client->core, code);
    link_wake(client);
    return error;
}

int kc_login_changing(struct kc_client *client, const char *name, const char *password, size_t password_len,
                      const char *new_password, size_t new_len)
{
    int error = core_login_changing(client->core, name, password, password_len, new_password, new_len);
    if (error == KC_OK)
        login_taken(client);
    return error;
}

int kc_connect(struct kc_client *client)
{
    uint8_t known[IDENTITY_PUBLIC_LEN];
    if (client->known_path != NULL && !client->has_trusted &&
        known_kdcs_find(client->known_path, client->address, known, client->detail) == KNOWN_KDCS_FAILED)
        return KC_KNOWN_KDCS;
    if (client->link == LINK_PARKED)
        client->asked = false;
    link_connect(client);
    return KC_OK;
}

void kc_disconnect(struct kc_client *client)
{
    if (client->link == LINK_IDLE)
        return;
    client->leaving = true;
    if (client->link != LINK_CLOSING)
        client->end_error = KC_OK;
    core_close(client->core);
    link_wake(client);
}

/* ---- talking ---- */

int kc_open(struct kc_client *client, const char *peer)
{
    int error = core_open(client->core, peer);
    link_wake(client);
    return error;
}

int kc_send(struct kc_client *client, const char *peer, const char *text, size_t len, uint64_t *number)
{
    int error = core_send(client->core, peer, text, len, number);
    link_wake(client);
    return error;
}

size_t kc_undelivered(const struct kc_client *client, const char *peer)
{
    return core_undelivered(client->core, peer);
}

size_t kc_discard(struct kc_client *client, const char *peer)
{
    return core_discard(client->core, peer);
}

int kc_change_password(struct kc_client *client, const char *old_password, size_t old_len, const char *new_password,
                       size_t new_len)
{
    int error = core_change_password(client->core, old_password, old_len, new_password, new_len);
    link_wake(client);
    return error;
}

int kc_list(struct kc_client *client)
{
    int error = core_list(client->core);
    link_wake(client);
    return error;
}

int kc_who(struct kc_client *client, const char *name)
{
    int error = core_who(client->core, name);
    link_wake(client);
    return error;
}

void kc_set_trace(struct kc_client *client, bool on)
{
    core_set_trace(client->core, on);
}
