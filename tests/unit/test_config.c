/* The configuration: defaults, every kind of mistake with the place that it is in, the sample, what a reload may
 * change. */
#include "kdc/config.h"
#include "kdc/settings.h"
#include "tests/unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOLDER_TEMPLATE "/tmp/kdc-config-XXXXXX"

static char folder[] = FOLDER_TEMPLATE;
static char path[64];
static struct config config;
static char error[CONFIG_ERROR_MAX];

static int folder_make(void **state)
{
    (void)state;
    (void)strcpy(folder, FOLDER_TEMPLATE);
    if (mkdtemp(folder) == NULL)
        return -1;
    (void)snprintf(path, sizeof path, "%s/kdc.conf", folder);
    return 0;
}

static int folder_remove(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(folder);
}

/* Loads `text` as a file. */
static int load(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    return config_load(path, &config, error);
}

static void loads(const char *text)
{
    if (load(text) != 0)
        fail_msg("%s", error);
}

static void defaults_come_from_an_empty_file(void **state)
{
    (void)state;
    loads("");
    assert_string_equal(config.address, "127.0.0.1");
    assert_int_equal(config.port, 19268);
    assert_string_equal(config.db_host, "");
    assert_int_equal(config.handshake.group_count, 2);
    assert_int_equal(config.handshake.groups[0], DH_FFDHE3072);
    assert_int_equal(config.handshake.groups[1], DH_FFDHE4096);
    assert_int_equal(config.handshake.suite_count, 3);
    assert_int_equal(config.conversation_suite, SUITE_3DES_CBC_HMAC_SHA512);
    assert_int_equal(config.bcrypt_cost, 12);
    assert_int_equal(config.registration, REGISTRATION_OPEN);
    assert_int_equal(config.handshake_deadline, 10);
    assert_int_equal(config.login_deadline, 60);
    assert_int_equal(config.login_tries, 3);
    assert_int_equal(config.log_format, LOG_FORMAT_LINES);
    assert_int_equal(config.log_level, 1);
    assert_int_equal(config.log_refusals, 50);
}

static void values_are_taken_as_people_write_them(void **state)
{
    (void)state;
    loads("# a comment\n; another\n[listen]\r\naddress = ::1 ; and one behind a value\r\n  port=0\n\tbacklog : 7\n"
          "[policy]\ngroups = ffdhe8192 ,ffdhe2048\nsuites=aes-256-gcm\nconversation_suite = chacha20-poly1305\n"
          "registration = Closed\nbcrypt_cost = 10\n[log]\nformat = json\nlevel = error\n[limits]\noutput = 131072\n");
    assert_string_equal(config.address, "::1");
    assert_int_equal(config.port, 0);
    assert_int_equal(config.backlog, 7);
    assert_int_equal(config.handshake.group_count, 2);
    assert_int_equal(config.handshake.groups[0], DH_FFDHE8192);
    assert_int_equal(config.handshake.groups[1], DH_FFDHE2048);
    assert_int_equal(config.handshake.suite_count, 1);
    assert_int_equal(config.handshake.suites[0], SUITE_AES_256_GCM);
    assert_int_equal(config.conversation_suite, SUITE_CHACHA20_POLY1305);
    assert_int_equal(config.registration, REGISTRATION_CLOSED);
    assert_int_equal(config.bcrypt_cost, 10);
    assert_int_equal(config.log_format, LOG_FORMAT_JSON);
    assert_int_equal(config.log_level, 3);
    assert_int_equal(config.output_max, 131072);
}

static void relative_paths_start_at_the_files_folder(void **state)
{
    char wanted[CONFIG_TEXT_MAX];
    (void)state;
    loads("[identity]\nfile = kdc-identity\n[control]\nsocket = /run/kdcd.sock\n[database]\nsocket = db/x.sock\n");
    (void)snprintf(wanted, sizeof wanted, "%s/kdc-identity", folder);
    assert_string_equal(config.identity_file, wanted);
    assert_string_equal(config.control_socket, "/run/kdcd.sock");
    (void)snprintf(wanted, sizeof wanted, "%s/db/x.sock", folder);
    assert_string_equal(config.db_socket, wanted);
    assert_string_equal(config.db_password_file, ""); /* not set is not the folder */
}

static void tcp_takes_the_place_of_the_default_socket(void **state)
{
    (void)state;
    loads("[database]\nhost = db.example\ntls_ca = ca.pem\n");
    assert_string_equal(config.db_socket, "");
    assert_string_equal(config.db_host, "db.example");
}

static void every_mistake_is_told_with_its_line_and_key(void **state)
{
    static const struct {
        const char *text;
        const char *where; /* behind the path */
        const char *what;
    } mistakes[] = {
        { "[listen]\nport = 65536\n", ":2: listen.port", "from 0 to 65535, not '65536'" },
        { "[listen]\nport = -1\n", ":2: listen.port", "not '-1'" },
        { "[listen]\nport = 0x10\n", ":2: listen.port", "number" },
        { "[listen]\nport = 99999999999999999999\n", ":2: listen.port", "number" },
        { "[listen]\nport =\n", ":2: listen.port", "number" },
        { "[listen]\n\n\naddress = localhost\n", ":4: listen.address", "numeric" },
        { "[listen]\naddress =\n", ":2: listen.address", "may not be empty" },
        { "[listen]\nprot = 1\n", ":2: there is no key 'prot'", "[listen]" },
        { "[listne]\nport = 1\n", ":2: there is no section 'listne'", "" },
        { "port = 1\n", ":1: there is no section ''", "" },
        { "[listen]\nport = 1\nport = 2\n", ":3: listen.port is set twice", "line 2" },
        { "[listen]\nport = 1\n  prot = 2\n", ":3: there is no key 'prot'", "" },
        { "[listen\nport = 1\n", ":1: neither", "" },
        { "[listen]\nport\n", ":2: neither", "" },
        { "[policy]\nbcrypt_cost = 9\n", ":2: policy.bcrypt_cost", "from 10 to 15" },
        { "[policy]\ngroups = ffdhe3072, modp1024\n", ":2: policy.groups", "'modp1024'" },
        { "[policy]\ngroups = ffdhe3072,,\n", ":2: policy.groups", "''" },
        { "[policy]\ngroups =\n", ":2: policy.groups", "''" },
        { "[policy]\ngroups = ffdhe3072, ffdhe3072\n", ":2: policy.groups", "twice" },
        { "[policy]\nsuites = des\n", ":2: policy.suites", "'des'" },
        { "[policy]\nconversation_suite = rot13\n", ":2: policy.conversation_suite", "rot13" },
        { "[policy]\nregistration = maybe\n", ":2: policy.registration", "open invite email closed" },
        { "[policy]\nregistration = email\n", ":2: policy.registration", "mail.server" },
        { "[mail]\nserver = mx.example\n", ":2: mail.from", "e-mail address" },
        { "[mail]\nserver = mx.example\nfrom = a@b.de\\r\n", ":3: mail.from", "e-mail address" },
        { "[mail]\nserver = mx.example/x\nfrom = a@b.de\n", ":2: mail.server", "name or address" },
        { "[mail]\nserver = mx\nfrom = a@b.de\nuser = u\n", ":4: mail.user", "both or none" },
        { "[mail]\nserver = mx\nfrom = a@b.de\npassword_file = p\n", ":4: mail.password_file", "both or none" },
        { "[mail]\nserver = mx\nfrom = a@b.de\ntls = none\nuser = u\npassword_file = p\n", ":5: mail.user",
          "everybody can read" },
        { "[log]\nlevel = loud\n", ":2: log.level", "debug info warn error" },
        { "[limits]\nlogin_deadline = 5\n", ":2: limits.login_deadline", "handshake_deadline" },
        { "[limits]\nhandshake_deadline = 61\n", ":2: limits.login_deadline", "handshake_deadline" },
        { "[database]\nsocket = /s\nhost = h\n", ":2: database.socket and database.host (line 3)", "both set" },
        { "[database]\nsocket =\n", ":2: database.socket and database.host", "both empty" },
        { "[database]\ntls_ca = /ca\n", ":2: database.tls_ca", "TCP" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        assert_int_equal(load(mistakes[i].text), -1);
        if (strncmp(error, path, strlen(path)) != 0 ||
            strncmp(error + strlen(path), mistakes[i].where, strlen(mistakes[i].where)) != 0 ||
            strstr(error, mistakes[i].what) == NULL || strchr(error, '\n') != NULL)
            fail_msg("'%s' gives '%s'", mistakes[i].text, error);
    }
}

static void what_is_too_long_is_refused_not_cut(void **state)
{
    char text[1024];
    (void)state;
    (void)snprintf(text, sizeof text, "[control]\nsocket = /%0108d\n", 0);
    assert_int_equal(load(text), -1);
    assert_non_null(strstr(error, ":2: control.socket is too long"));
    (void)snprintf(text, sizeof text, "[identity]\n\nfile = /%0400d\n", 0);
    assert_int_equal(load(text), -1);
    assert_non_null(strstr(error, ":3: "));
    assert_non_null(strstr(error, "too long"));
}

static void a_file_that_cant_be_read_is_told(void **state)
{
    (void)state;
    assert_int_equal(config_load("/nonexistent/kdc.conf", &config, error), -1);
    assert_string_equal(error, "/nonexistent/kdc.conf: can't be read: No such file or directory");
    assert_int_equal(config_load(folder, &config, error), -1);
    assert_non_null(strstr(error, "can't be read"));
}

/* The sample as it is printed; to be freed. `live`: its keys no longer commented out. */
static char *sample_text(int live)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    config_print_sample(out);
    assert_int_equal(fclose(out), 0);
    for (char *at = text; live && at != NULL; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (at[0] == '#' && at[1] != ' ' && at[1] != '\0')
            at[0] = ' ';
    }
    return text;
}

static void the_sample_holds_every_key_with_its_default(void **state)
{
    struct config defaults;
    (void)state;
    loads("");
    defaults = config;
    char *text = sample_text(1);
    /* Both ways to the database can't be given at once; an empty host is the same as none. */
    loads(text);
    free(text);
    assert_memory_equal(&config, &defaults, sizeof config);
    text = sample_text(0);
    for (size_t i = 0; i < settings_count; i++) {
        char line[128];
        (void)snprintf(line, sizeof line, "\n#%s =", settings[i].key);
        assert_non_null(strstr(text, line));
    }
    free(text);
}

static void the_sample_in_docs_is_this_programs(void **state)
{
    char kept[32768];
    (void)state;
    FILE *file = fopen("docs/kdc.conf.sample", "r");
    assert_non_null(file);
    kept[fread(kept, 1, sizeof kept - 1, file)] = '\0';
    (void)fclose(file);
    char *text = sample_text(0);
    assert_string_equal(kept, text);
    free(text);
}

static void a_reload_may_change_policy_limits_and_log_only(void **state)
{
    struct config now;
    (void)state;
    loads("");
    now = config;
    assert_null(config_not_reloadable(&now, &config));
    loads("[policy]\ngroups = ffdhe2048\nsuites = aes-256-gcm\nbcrypt_cost = 10\nregistration = closed\n"
          "[limits]\nqueue = 1\nping_seconds = 1\n[log]\nlevel = debug\nformat = json\n[admin]\nuser = x\n");
    assert_null(config_not_reloadable(&now, &config));
    loads("[listen]\nport = 1\n");
    assert_string_equal(config_not_reloadable(&now, &config), "listen.port");
    loads("[database]\nuser = somebody\n");
    assert_string_equal(config_not_reloadable(&now, &config), "database.user");
    loads("[threads]\nworkers = 9\n");
    assert_string_equal(config_not_reloadable(&now, &config), "threads.workers");
    loads("[control]\nsocket = /x\n");
    assert_string_equal(config_not_reloadable(&now, &config), "control.socket");
    loads("[identity]\nfile = /x\n");
    assert_string_equal(config_not_reloadable(&now, &config), "identity.file");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_make, folder_remove)
    const struct CMUnitTest tests[] = {
        TEST(defaults_come_from_an_empty_file),
        TEST(values_are_taken_as_people_write_them),
        TEST(relative_paths_start_at_the_files_folder),
        TEST(tcp_takes_the_place_of_the_default_socket),
        TEST(every_mistake_is_told_with_its_line_and_key),
        TEST(what_is_too_long_is_refused_not_cut),
        TEST(a_file_that_cant_be_read_is_told),
        TEST(the_sample_holds_every_key_with_its_default),
        TEST(the_sample_in_docs_is_this_programs),
        TEST(a_reload_may_change_policy_limits_and_log_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
