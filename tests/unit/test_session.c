/*
 * test_session.c: libkdcchat as an application sees it: kdcchat.h over real sockets on the loopback, with a KDC that
 * the test plays in the same event loop. What is waited for is an event, never a time; where the library itself waits
 * (backoff, time-outs), it is told to wait shortly or the shortest wait is taken.
 */
#include "client/kdcchat.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/core_rig.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 20000

struct seen {
    enum kc_event_type type;
    int error;
    unsigned retry_ms;
    bool resumed;
    char fingerprint[KC_FINGERPRINT_LEN];
    char known_fingerprint[KC_FINGERPRINT_LEN];
    char peer[NAME_LEN_MAX + 1];
};

struct world {
    struct event_base *base;
    struct rig *kdc;
    int listener;
    int fd; /* the client's connection; -1: none */
    struct event *acceptable;
    struct event *readable;
    unsigned accepted;
    unsigned logins;
    bool silent;             /* accepts, and says nothing */
    unsigned refuse_logins;  /* so many, with login_failed */
    bool close_after_hello;  /* cuts while the client's person thinks */
    enum reason closed_with; /* the client's close; REASON_COUNT: none came */

    struct kc_client *client;
    struct kc_options options;
    char folder[64];
    char known[128];
    struct seen seen[64];
    size_t count;
    size_t at;
    bool trust_at_once;
    bool try_again; /* answers KC_EVENT_LOGIN_REFUSED with the password */
};

static void cut(struct world *w)
{
    if (w->readable != NULL)
        event_free(w->readable);
    w->readable = NULL;
    if (w->fd >= 0)
        assert_int_equal(close(w->fd), 0);
    w->fd = -1;
}

static void answer(struct world *w)
{
    struct buffer *out = &w->kdc->reply;
    while (buffer_len(out) > 0) {
        ssize_t n = send(w->fd, buffer_data(out), buffer_len(out), MSG_NOSIGNAL);
        if (n <= 0)
            return;
        buffer_consume(out, (size_t)n);
    }
}

static void tell(struct world *w, const struct message *m)
{
    rig_say(w->kdc, m);
    assert_false(w->kdc->broken);
    answer(w);
}

static void serve(struct world *w)
{
    while (w->kdc->first != NULL) {
        const struct message *m = rig_take(w->kdc, w->kdc->first->m.type);
        assert_non_null(m);
        if (m->type == MESSAGE_LOGIN && w->refuse_logins > 0) {
            w->refuse_logins--;
            tell(w, &(struct message){ .type = MESSAGE_REFUSED, .refused = { 0, REASON_LOGIN_FAILED, 0 } });
        } else if (m->type == MESSAGE_LOGIN) {
            struct message welcome = rig_welcome_message("alice");
            w->logins++;
            tell(w, &welcome);
        } else if (m->type == MESSAGE_OPEN) {
            tell(w,
                 &(struct message){ .type = MESSAGE_REFUSED, .refused = { m->open.request, REASON_PEER_OFFLINE, 0 } });
        } else if (m->type == MESSAGE_CLOSE) {
            w->closed_with = m->close.reason;
        }
    }
}

static void on_kdc_readable(evutil_socket_t fd, short what, void *context)
{
    struct world *w = context;
    uint8_t data[4096];
    (void)what;
    ssize_t n = recv(fd, data, sizeof(data), 0);
    if (n <= 0) {
        cut(w);
        return;
    }
    if (w->silent)
        return;
    rig_kdc_take(w->kdc, data, (size_t)n);
    answer(w);
    serve(w);
    if (w->close_after_hello) {
        w->close_after_hello = false;
        cut(w);
    }
}

static void on_acceptable(evutil_socket_t fd, short what, void *context)
{
    struct world *w = context;
    (void)what;
    cut(w);
    w->fd = accept(fd, NULL, NULL);
    assert_true(w->fd >= 0);
    w->accepted++;
    rig_kdc_start(w->kdc);
    w->readable = event_new(w->base, w->fd, EV_READ | EV_PERSIST, on_kdc_readable, w);
    assert_non_null(w->readable);
    assert_int_equal(event_add(w->readable, NULL), 0);
}

static void on_event(void *context, struct kc_client *client, const struct kc_event *event)
{
    struct world *w = context;
    if (event->type == KC_EVENT_TRACE)
        return;
    assert_true(w->count < sizeof(w->seen) / sizeof(w->seen[0]));
    struct seen *s = &w->seen[w->count++];
    *s = (struct seen){
        .type = event->type, .error = event->error, .retry_ms = event->retry_ms, .resumed = event->resumed
    };
    (void)snprintf(s->fingerprint, sizeof(s->fingerprint), "%s", event->fingerprint ? event->fingerprint : "");
    (void)snprintf(s->known_fingerprint, sizeof(s->known_fingerprint), "%s",
                   event->known_fingerprint ? event->known_fingerprint : "");
    (void)snprintf(s->peer, sizeof(s->peer), "%s", event->peer ? event->peer : "");
    if (event->type == KC_EVENT_IDENTITY && w->trust_at_once)
        assert_int_equal(kc_trust(client, true), KC_OK);
    if (event->type == KC_EVENT_LOGIN_REFUSED && w->try_again)
        assert_int_equal(kc_login(client, "alice", rig_password, strlen(rig_password), false), KC_OK);
}

static void on_patience_gone(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    *(bool *)context = true;
}

/* Turns the loop until the next event is there; it must have that type. */
static const struct seen *await(struct world *w, enum kc_event_type type)
{
    bool late = false;
    struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
    struct event *timer = event_new(w->base, -1, 0, on_patience_gone, &late);
    assert_non_null(timer);
    assert_int_equal(event_add(timer, &patience), 0);
    while (w->at == w->count && !late)
        assert_int_equal(event_base_loop(w->base, EVLOOP_ONCE), 0);
    event_free(timer);
    assert_false(late);
    assert_int_equal(w->seen[w->at].type, type);
    return &w->seen[w->at++];
}

/* Turns the loop for as long as it has something to do at once. */
static void settle(struct world *w)
{
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(event_base_loop(w->base, EVLOOP_NONBLOCK), 0);
        (void)usleep(1000);
    }
}

static uint16_t listen_somewhere(struct world *w)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);
    w->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(w->listener >= 0);
    assert_int_equal(bind(w->listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(w->listener, 5), 0);
    assert_int_equal(getsockname(w->listener, (struct sockaddr *)&address, &len), 0);
    return ntohs(address.sin_port);
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    if (w == NULL)
        return -1;
    *state = w;
    w->base = event_base_new();
    w->kdc = rig_new();
    w->fd = -1;
    w->closed_with = REASON_COUNT;
    w->options = (struct kc_options){ .groups = "ffdhe2048", .port = listen_somewhere(w), .reconnect = true };
    w->acceptable = event_new(w->base, w->listener, EV_READ | EV_PERSIST, on_acceptable, w);
    (void)snprintf(w->folder, sizeof(w->folder), "/tmp/session.XXXXXX");
    if (w->base == NULL || w->kdc == NULL || w->acceptable == NULL || event_add(w->acceptable, NULL) != 0 ||
        mkdtemp(w->folder) == NULL)
        return -1;
    (void)snprintf(w->known, sizeof(w->known), "%s/known_kdcs", w->folder);
    w->options.known_kdcs = w->known;
    w->trust_at_once = true;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    kc_free(&w->client);
    cut(w);
    event_free(w->acceptable);
    (void)close(w->listener);
    bool broken = w->kdc->broken;
    rig_free(&w->kdc);
    event_base_free(w->base);
    (void)unlink(w->known);
    int result = rmdir(w->folder);
    free(w);
    return broken ? -1 : result;
}

static void start(struct world *w)
{
    int error = -1;
    w->client = kc_new(w->base, &w->options, on_event, w, &error);
    assert_non_null(w->client);
    assert_int_equal(error, KC_OK);
    assert_int_equal(kc_login(w->client, "alice", rig_password, strlen(rig_password), false), KC_OK);
    assert_int_equal(kc_connect(w->client), KC_OK);
}

static void become_ready(struct world *w)
{
    start(w);
    assert_string_equal(await(w, KC_EVENT_IDENTITY)->fingerprint, kc_fingerprint(w->client));
    assert_false(await(w, KC_EVENT_READY)->resumed);
}

static void a_trusted_kdc_is_remembered_and_leaving_is_orderly(void **state)
{
    struct world *w = *state;
    become_ready(w);
    kc_disconnect(w->client);
    const struct seen *s = await(w, KC_EVENT_DISCONNECTED);
    assert_int_equal(s->error, KC_OK);
    assert_int_equal(s->retry_ms, 0);
    settle(w);
    assert_int_equal(w->closed_with, REASON_NONE);
    assert_int_equal(w->accepted, 1);
    kc_free(&w->client);
    start(w);
    (void)await(w, KC_EVENT_READY);
}

static void without_a_file_it_is_asked_each_time(void **state)
{
    struct world *w = *state;
    w->options.known_kdcs = NULL;
    become_ready(w);
    kc_free(&w->client);
    become_ready(w);
}

static void an_identity_that_is_refused_ends_it(void **state)
{
    struct world *w = *state;
    w->trust_at_once = false;
    start(w);
    (void)await(w, KC_EVENT_IDENTITY);
    assert_int_equal(kc_trust(w->client, false), KC_OK);
    const struct seen *s = await(w, KC_EVENT_DISCONNECTED);
    assert_int_equal(s->error, KC_IDENTITY_REFUSED);
    assert_int_equal(s->retry_ms, 0);
    assert_int_equal(kc_trust(w->client, true), KC_NOT_READY);
    assert_int_equal(w->logins, 0);
}

static void a_person_may_think_for_longer_than_the_kdc_waits(void **state)
{
    struct world *w = *state;
    w->trust_at_once = false;
    w->close_after_hello = true;
    start(w);
    (void)await(w, KC_EVENT_IDENTITY);
    settle(w);
    assert_int_equal(w->count, w->at);
    assert_int_equal(w->fd, -1);
    assert_int_equal(kc_trust(w->client, true), KC_OK);
    (void)await(w, KC_EVENT_READY);
    assert_int_equal(w->accepted, 2);
}

static void a_given_fingerprint_answers_for_the_person(void **state)
{
    struct world *w = *state;
    char fingerprint[KC_FINGERPRINT_LEN];
    identity_fingerprint(w->kdc->identity->public_key, fingerprint);
    w->options.fingerprint = fingerprint;
    start(w);
    (void)await(w, KC_EVENT_READY);
    kc_free(&w->client);
    fingerprint[20] = fingerprint[20] == 'A' ? 'B' : 'A';
    start(w);
    const struct seen *s = await(w, KC_EVENT_DISCONNECTED);
    assert_int_equal(s->error, KC_IDENTITY_CHANGED);
    assert_string_equal(s->known_fingerprint, fingerprint);
    assert_int_equal(w->logins, 1);
}

static void after_a_cut_it_comes_back_and_texts_wait(void **state)
{
    struct world *w = *state;
    become_ready(w);
    for (unsigned i = 0; i < 2; i++) {
        cut(w);
        const struct seen *s = await(w, KC_EVENT_DISCONNECTED);
        assert_int_equal(s->error, KC_CONNECTION_LOST);
        assert_in_range(s->retry_ms, 1, 1000);
        assert_int_equal(kc_send(w->client, "bob", "x", 1, NULL), KC_OK);
        assert_true(await(w, KC_EVENT_READY)->resumed);
        s = await(w, KC_EVENT_REFUSED);
        assert_int_equal(s->error, REASON_PEER_OFFLINE);
        assert_string_equal(s->peer, "bob");
    }
    assert_int_equal(kc_undelivered(w->client, "bob"), 2);
    assert_int_equal(w->logins, 3);
}

static void another_identity_after_a_cut_stops_it_for_good(void **state)
{
    struct world *w = *state;
    become_ready(w);
    char before[KC_FINGERPRINT_LEN];
    char after[KC_FINGERPRINT_LEN];
    identity_fingerprint(w->kdc->identity->public_key, before);
    identity_free(&w->kdc->identity);
    w->kdc->identity = identity_new(&w->kdc->random.rng);
    identity_fingerprint(w->kdc->identity->public_key, after);
    cut(w);
    assert_int_equal(await(w, KC_EVENT_DISCONNECTED)->error, KC_CONNECTION_LOST);
    const struct seen *s = await(w, KC_EVENT_DISCONNECTED);
    assert_int_equal(s->error, KC_IDENTITY_CHANGED);
    assert_int_equal(s->retry_ms, 0);
    assert_string_equal(s->fingerprint, after);
    assert_string_equal(s->known_fingerprint, before);
    assert_int_equal(w->logins, 1);
}

static void who_is_taken_over_stays_away(void **state)
{
    struct world *w = *state;
    become_ready(w);
    tell(w, &(struct message){ .type = MESSAGE_CLOSE, .close = { REASON_TAKEN_OVER } });
    const struct seen *s = await(w, KC_EVENT_DISCONNECTED);
    assert_int_equal(s->error, REASON_TAKEN_OVER);
    assert_int_equal(s->retry_ms, 0);
    settle(w);
    assert_int_equal(w->accepted, 1);
}

static void without_reconnect_a_cut_is_the_end(void **state)
{
    struct world *w = *state;
    w->options.reconnect = false;
    become_ready(w);
    cut(w);
    const struct seen *s = await(w, KC_EVENT_DISCONNECTED);
    assert_int_equal(s->error, KC_CONNECTION_LOST);
    assert_int_equal(s->retry_ms, 0);
}

static void a_wrong_password_may_be_corrected(void **state)
{
    struct world *w = *state;
    w->refuse_logins = 2;
    w->try_again = true;
    start(w);
    (void)await(w, KC_EVENT_IDENTITY);
    assert_int_equal(await(w, KC_EVENT_LOGIN_REFUSED)->error, REASON_LOGIN_FAILED);
    assert_int_equal(await(w, KC_EVENT_LOGIN_REFUSED)->error, REASON_LOGIN_FAILED);
    (void)await(w, KC_EVENT_READY);
    assert_int_equal(w->accepted, 1);
}

static void a_password_may_be_corrected_after_the_kdc_hung_up(void **state)
{
    struct world *w = *state;
    w->refuse_logins = 2;
    start(w);
    (void)await(w, KC_EVENT_IDENTITY);
    for (unsigned i = 0; i < 2; i++) {
        (void)await(w, KC_EVENT_LOGIN_REFUSED);
        if (i == 0)
            tell(w, &(struct message){ .type = MESSAGE_CLOSE, .close = { REASON_DEADLINE } });
        else
            cut(w);
        settle(w);
        assert_int_equal(w->count, w->at);
        assert_int_equal(kc_login(w->client, "alice", rig_password, strlen(rig_password), false), KC_OK);
    }
    (void)await(w, KC_EVENT_READY);
    assert_int_equal(w->accepted, 3);
}

static void too_many_wrong_passwords_are_the_end(void **state)
{
    struct world *w = *state;
    w->refuse_logins = 1;
    start(w);
    (void)await(w, KC_EVENT_IDENTITY);
    (void)await(w, KC_EVENT_LOGIN_REFUSED);
    tell(w, &(struct message){ .type = MESSAGE_CLOSE, .close = { REASON_TRIES } });
    const struct seen *s = await(w, KC_EVENT_DISCONNECTED);
    assert_int_equal(s->error, REASON_TRIES);
    assert_int_equal(s->retry_ms, 0);
}

static void nobody_there_is_told_at_once_and_once(void **state)
{
    struct world *w = *state;
    assert_int_equal(event_del(w->acceptable), 0);
    assert_int_equal(close(w->listener), 0);
    w->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* keeps the number for tear_down */
    start(w);
    const struct seen *s = await(w, KC_EVENT_DISCONNECTED);
    assert_int_equal(s->error, KC_UNREACHABLE);
    assert_int_equal(s->retry_ms, 0);
}

static void a_name_with_several_addresses_is_tried_address_by_address(void **state)
{
    struct world *w = *state;
    /* Nobody listens under ::1, which comes first where localhost has both. */
    w->options.host = "LocalHost";
    become_ready(w);
    char line[256] = "";
    char wanted[64];
    (void)snprintf(wanted, sizeof(wanted), "localhost:%u ed25519 ", (unsigned)w->options.port);
    FILE *file = fopen(w->known, "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof(line), file));
    assert_int_equal(fclose(file), 0);
    assert_memory_equal(line, wanted, strlen(wanted));
}

static void a_silent_server_is_given_up(void **state)
{
    struct world *w = *state;
    w->silent = true;
    w->options.connect_timeout = 1;
    start(w);
    assert_int_equal(await(w, KC_EVENT_DISCONNECTED)->error, KC_UNREACHABLE);
}

static void a_name_that_isnt_one_is_told(void **state)
{
    struct world *w = *state;
    w->options.host = "..";
    start(w);
    assert_int_equal(await(w, KC_EVENT_DISCONNECTED)->error, KC_BAD_ADDRESS);
}

static void leaving_while_it_waits_to_come_back_ends_it(void **state)
{
    struct world *w = *state;
    become_ready(w);
    cut(w);
    assert_true(await(w, KC_EVENT_DISCONNECTED)->retry_ms > 0);
    kc_disconnect(w->client);
    const struct seen *s = await(w, KC_EVENT_DISCONNECTED);
    assert_int_equal(s->error, KC_OK);
    assert_int_equal(s->retry_ms, 0);
    (void)usleep(400000); /* longer than the backoff: if it still were to come, it would now */
    settle(w);
    assert_int_equal(w->accepted, 1);
}

static void a_file_that_cant_be_read_stops_it_before_it_starts(void **state)
{
    struct world *w = *state;
    int error = 0;
    FILE *file = fopen(w->known, "w");
    assert_non_null(file);
    assert_true(fputs("# mine\nrubbish\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    w->client = kc_new(w->base, &w->options, on_event, w, &error);
    assert_non_null(w->client);
    assert_int_equal(kc_connect(w->client), KC_KNOWN_KDCS);
    assert_non_null(strstr(kc_detail(w->client), "line 2"));
    settle(w);
    assert_int_equal(w->accepted, 0);
}

static void options_that_make_no_sense_are_refused(void **state)
{
    struct world *w = *state;
    static const struct kc_options bad[] = {
        { .groups = "ffdhe1024" },
        { .groups = "" },
        { .groups = "ffdhe3072," },
        { .groups = "ffdhe3072,ffdhe3072" },
        { .suites = "rot13" },
        { .suites = "aes-256-gcm,aes-256-gcm" },
        { .fingerprint = "SHA256:short" },
        { .fingerprint = "MD5:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" },
        { .fingerprint = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" },
        { .host = "" },
        { .host = "two words" },
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int error = KC_OK;
        assert_null(kc_new(w->base, &bad[i], on_event, w, &error));
        assert_int_equal(error, KC_BAD_OPTION);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_trusted_kdc_is_remembered_and_leaving_is_orderly),
        TEST(without_a_file_it_is_asked_each_time),
        TEST(an_identity_that_is_refused_ends_it),
        TEST(a_person_may_think_for_longer_than_the_kdc_waits),
        TEST(a_given_fingerprint_answers_for_the_person),
        TEST(after_a_cut_it_comes_back_and_texts_wait),
        TEST(another_identity_after_a_cut_stops_it_for_good),
        TEST(who_is_taken_over_stays_away),
        TEST(without_reconnect_a_cut_is_the_end),
        TEST(a_wrong_password_may_be_corrected),
        TEST(a_password_may_be_corrected_after_the_kdc_hung_up),
        TEST(too_many_wrong_passwords_are_the_end),
        TEST(nobody_there_is_told_at_once_and_once),
        TEST(a_name_with_several_addresses_is_tried_address_by_address),
        TEST(a_silent_server_is_given_up),
        TEST(a_name_that_isnt_one_is_told),
        TEST(leaving_while_it_waits_to_come_back_ends_it),
        TEST(a_file_that_cant_be_read_stops_it_before_it_starts),
        TEST(options_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
