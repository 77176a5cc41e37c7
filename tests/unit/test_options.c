/* Where kdc-chat's settings come from, and which of two counts. */
#include "client/cli/options.h"
#include "tests/unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FINGERPRINT "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

struct fixture {
    char folder[64];
    char config[128];
    struct options options;
    char error[700];
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    strcpy(fixture->folder, "/tmp/kdc-chat-options-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    (void)snprintf(fixture->config, sizeof fixture->config, "%s/kdc-chat", fixture->folder);
    assert_int_equal(mkdir(fixture->config, 0700), 0);
    (void)snprintf(fixture->config, sizeof fixture->config, "%s/kdc-chat/config", fixture->folder);
    assert_int_equal(setenv("XDG_CONFIG_HOME", fixture->folder, 1), 0);
    assert_int_equal(setenv("XDG_DATA_HOME", fixture->folder, 1), 0);
    for (int id = 0; id < OPTION_ID_COUNT; id++) {
        if (option_table[id].environment != NULL) {
            assert_int_equal(unsetenv(option_table[id].environment), 0);
        }
    }
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    options_free(&fixture->options);
    (void)unlink(fixture->config);
    *strrchr(fixture->config, '/') = '\0';
    (void)rmdir(fixture->config);
    (void)rmdir(fixture->folder);
    free(fixture);
    return 0;
}

static void write_config(const struct fixture *fixture, const char *text)
{
    FILE *file = fopen(fixture->config, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static bool set(struct fixture *fixture, enum option_id id, const char *value)
{
    return options_set(&fixture->options, id, value, "--test", fixture->error, sizeof fixture->error);
}

static bool complete(struct fixture *fixture)
{
    return options_complete(&fixture->options, fixture->error, sizeof fixture->error);
}

static void defaults_stand_when_nothing_is_said(void **state)
{
    struct fixture *fixture = *state;
    assert_true(complete(fixture));
    assert_string_equal(fixture->options.host, "127.0.0.1");
    assert_int_equal(fixture->options.port, 19268);
    assert_null(fixture->options.value[OPTION_USER]);
    assert_false(options_on(&fixture->options, OPTION_DEBUG));
    assert_int_equal(options_number(&fixture->options, OPTION_TIMEOUT, 15), 15);
    char known[128];
    (void)snprintf(known, sizeof known, "%s/kdc-chat/known_kdcs", fixture->folder);
    assert_string_equal(fixture->options.value[OPTION_KNOWN_KDCS], known);
}

static void command_line_beats_environment_beats_file_beats_default(void **state)
{
    struct fixture *fixture = *state;
    write_config(fixture, "# a comment\nserver = file.example:1\nuser = from-file\ngroup = ffdhe4096\ndebug = yes\n");
    assert_int_equal(setenv("KDC_CHAT_SERVER", "environment.example:2", 1), 0);
    assert_int_equal(setenv("KDC_CHAT_USER", "from-environment", 1), 0);
    assert_true(set(fixture, OPTION_SERVER, "line.example:3"));
    assert_true(complete(fixture));
    assert_string_equal(fixture->options.host, "line.example");
    assert_int_equal(fixture->options.port, 3);
    assert_string_equal(fixture->options.value[OPTION_USER], "from-environment");
    assert_string_equal(fixture->options.source[OPTION_USER], "$KDC_CHAT_USER");
    assert_string_equal(fixture->options.value[OPTION_GROUP], "ffdhe4096");
    assert_true(options_on(&fixture->options, OPTION_DEBUG));
}

static void an_empty_environment_variable_says_nothing(void **state)
{
    struct fixture *fixture = *state;
    write_config(fixture, "user = from-file\n");
    assert_int_equal(setenv("KDC_CHAT_USER", "", 1), 0);
    assert_true(complete(fixture));
    assert_string_equal(fixture->options.value[OPTION_USER], "from-file");
}

static void a_config_that_is_named_must_be_there(void **state)
{
    struct fixture *fixture = *state;
    assert_true(set(fixture, OPTION_CONFIG, "/nonexistent/config"));
    assert_false(complete(fixture));
    assert_non_null(strstr(fixture->error, "/nonexistent/config"));
    options_free(&fixture->options);
    assert_int_equal(setenv("KDC_CHAT_CONFIG", fixture->folder, 1), 0); /* a folder */
    assert_false(complete(fixture));
    assert_non_null(strstr(fixture->error, fixture->folder));
}

static void a_bad_file_is_refused_with_its_name_and_the_key(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *text;
        const char *expected;
    } cases[] = {
        { "servers = a\n", "'servers'" },
        { "password = hunter2hunter2\n", "'password'" },
        { "json = yes\n", "'json'" }, /* of a command, not of the person */
        { "config = x\n", "'config'" },
        { "[client]\nserver = a\n", "[client]" },
        { "\nserver\n", "line 2" },
        { "debug = perhaps\n", "debug" },
        { "server = host:99999\n", "server" },
        { "user = Not A Name\n", "user" },
        { "group = ffdhe1024\n", "ffdhe2048" },
        { "suite = rot13\n", "aes-256-gcm" },
        { "fingerprint = SHA256:short\n", "fingerprint" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_config(fixture, cases[i].text);
        assert_false(complete(fixture));
        assert_non_null(strstr(fixture->error, fixture->config));
        assert_non_null(strstr(fixture->error, cases[i].expected));
        assert_null(strstr(fixture->error, "hunter2"));
        options_free(&fixture->options);
    }
}

static void values_are_judged_wherever_they_come_from(void **state)
{
    struct fixture *fixture = *state;
    assert_true(set(fixture, OPTION_FINGERPRINT, FINGERPRINT));
    assert_false(set(fixture, OPTION_FINGERPRINT, FINGERPRINT "A"));
    assert_false(set(fixture, OPTION_FINGERPRINT, "sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
    assert_false(set(fixture, OPTION_FINGERPRINT, "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA:"));
    assert_string_equal(fixture->options.value[OPTION_FINGERPRINT], FINGERPRINT);
    assert_true(set(fixture, OPTION_GROUP, "ffdhe2048,ffdhe8192"));
    assert_false(set(fixture, OPTION_GROUP, "ffdhe2048,"));
    assert_false(set(fixture, OPTION_GROUP, ""));
    assert_true(set(fixture, OPTION_SUITE, "3des-cbc-hmac-sha512"));
    assert_true(set(fixture, OPTION_USER, "Alice"));
    assert_false(set(fixture, OPTION_USER, "-alice"));
    assert_true(set(fixture, OPTION_COUNT, "12"));
    assert_false(set(fixture, OPTION_COUNT, "0"));
    assert_false(set(fixture, OPTION_COUNT, "-1"));
    assert_false(set(fixture, OPTION_COUNT, "1x"));
    assert_false(set(fixture, OPTION_COUNT, "99999999999999999999"));
    assert_int_equal(options_number(&fixture->options, OPTION_COUNT, 0), 12);
}

static void a_server_is_a_host_with_or_without_a_port(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *host; /* NULL: refused */
        uint16_t port;
    } cases[] = {
        { "example.org", "example.org", 19268 },
        { "example.org:1", "example.org", 1 },
        { "127.0.0.1:65535", "127.0.0.1", 65535 },
        { "[::1]:5000", "::1", 5000 },
        { "[::1]", "::1", 19268 },
        { "::1", "::1", 19268 },
        { "fe80::1", "fe80::1", 19268 },
        { "", NULL, 0 },
        { ":1", NULL, 0 },
        { "[]:1", NULL, 0 },
        { "[::1", NULL, 0 },
        { "[::1]x", NULL, 0 },
        { "host:", NULL, 0 },
        { "host:0", NULL, 0 },
        { "host:65536", NULL, 0 },
        { "host:-1", NULL, 0 },
        { "host: 1", NULL, 0 },
        { "host:1x", NULL, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char host[64];
        uint16_t port = 0;
        assert_int_equal(options_parse_server(cases[i].text, host, sizeof host, &port), cases[i].host != NULL);
        if (cases[i].host != NULL) {
            assert_string_equal(host, cases[i].host);
            assert_int_equal(port, cases[i].port);
        }
    }
    char small[4];
    uint16_t port;
    assert_false(options_parse_server("host:1", small, sizeof small, &port));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(defaults_stand_when_nothing_is_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(command_line_beats_environment_beats_file_beats_default, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_empty_environment_variable_says_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_config_that_is_named_must_be_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_bad_file_is_refused_with_its_name_and_the_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(values_are_judged_wherever_they_come_from, set_up, tear_down),
        cmocka_unit_test(a_server_is_a_host_with_or_without_a_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
