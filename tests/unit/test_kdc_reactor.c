/*
 * test_kdc_reactor.c: a crowd that connects at once begins bit by bit, and who is there already is served in between. The test
 * takes the reactor's turns itself, one after the other.
 */
#include "kdc/config.h"
#include "kdc/reactor.h"
#include "tests/unit/cmocka_all.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CROWD (2 * REACTOR_BEGIN_A_TURN + 3)

static const struct sockaddr_in nowhere = { .sin_family = AF_INET };

struct fixture {
    struct server server;
    struct reactor *reactor;
    struct config *config;
    int ends[CROWD]; /* ours */
    size_t count;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->config = calloc(1, sizeof *f->config);
    f->config->handshake_deadline = 60;
    f->config->connections_max = 1000;
    f->server.live = live_config_new(f->config, NULL);
    f->server.admission = admission_new();
    f->server.reactors = &f->reactor;
    f->server.reactor_count = 1;
    assert_non_null(f->server.live);
    assert_non_null(f->server.admission);
    f->reactor = reactor_new(&f->server, 0, f->server.live);
    assert_non_null(f->reactor);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    reactor_free(&f->reactor);
    assert_int_equal(admission_connections(f->server.admission), 0); /* also of those that never began */
    for (size_t i = 0; i < f->count; i++) {
        char byte;
        while (recv(f->ends[i], &byte, 1, MSG_DONTWAIT) == 1) {
        }
        assert_int_equal(recv(f->ends[i], &byte, 1, MSG_DONTWAIT), 0);
        close(f->ends[i]);
    }
    admission_free(&f->server.admission);
    live_config_drop(&f->server.live);
    free(f->config);
    free(f);
    return 0;
}

/* As the listener hands them over. */
static void come(struct fixture *f, size_t count)
{
    const struct admission_limits limits = { .connections_max = 1000,
                                             .before_login_max = 1000,
                                             .per_source_max = 1000 };
    const struct admission_source source = admission_source_of((const struct sockaddr *)&nowhere);
    for (size_t i = 0; i < count; i++) {
        int pair[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
        assert_int_equal(admission_enter(f->server.admission, &limits, &source, 0), ADMISSION_IN);
        assert_int_equal(
            reactor_accepted(f->reactor, pair[1], (const struct sockaddr *)&nowhere, sizeof nowhere, &source), 0);
        f->ends[f->count++] = pair[0];
    }
}

static bool is_answered(int end)
{
    uint8_t byte;
    const ssize_t got = recv(end, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
    assert_true(got == 1 || errno == EAGAIN);
    return got == 1;
}

static void a_crowd_begins_bit_by_bit(void **state)
{
    struct fixture *f = *state;
    come(f, CROWD);
    assert_true(reactor_turn(f->reactor));
    assert_int_equal(f->reactor->connections, REACTOR_BEGIN_A_TURN);
    assert_true(reactor_turn(f->reactor)); /* without waiting for anything to happen */
    assert_int_equal(f->reactor->connections, 2 * REACTOR_BEGIN_A_TURN);
    assert_true(reactor_turn(f->reactor));
    assert_int_equal(f->reactor->connections, CROWD);
    assert_false(f->reactor->more);
}

static void who_is_there_is_served_while_a_crowd_begins(void **state)
{
    struct fixture *f = *state;
    come(f, 1);
    assert_true(reactor_turn(f->reactor));
    come(f, CROWD - 1);
    assert_true(reactor_turn(f->reactor));
    assert_int_equal(f->reactor->connections, 1 + REACTOR_BEGIN_A_TURN);
    /* An empty frame, which is refused with an alert: a word from one who is there, and the answer to it. */
    const uint8_t frame[4] = { 0 };
    assert_int_equal(send(f->ends[0], frame, sizeof frame, 0), sizeof frame);
    assert_false(is_answered(f->ends[0]));
    assert_true(reactor_turn(f->reactor));
    assert_true(is_answered(f->ends[0]));
    assert_true(f->reactor->connections < CROWD);
}

static void who_has_not_begun_is_let_go_at_the_end(void **state)
{
    struct fixture *f = *state;
    come(f, CROWD);
    assert_true(reactor_turn(f->reactor));
    assert_int_equal(admission_connections(f->server.admission), CROWD);
}

static void a_drain_has_a_word_for_who_has_not_begun(void **state)
{
    struct fixture *f = *state;
    come(f, CROWD);
    assert_int_equal(reactor_drain(f->reactor, 5), 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(reactor_turn(f->reactor)); /* they linger until their ends are closed */
    }
    for (size_t i = 0; i < f->count; i++) {
        assert_true(is_answered(f->ends[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_crowd_begins_bit_by_bit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_is_there_is_served_while_a_crowd_begins, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_has_not_begun_is_let_go_at_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_drain_has_a_word_for_who_has_not_begun, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
