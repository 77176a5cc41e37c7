/* Mails: templates that can't be used, and what goes to the server. */
#include "kdc/mail_text.h"
#include "tests/unit/cmocka_all.h"

#include <nettle/base64.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/kdc-mail-XXXXXX";
static char path[64];

static int set_up(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    (void)snprintf(path, sizeof path, "%s/template", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(folder);
}

static int load(struct mail_template *template, const char *text, size_t len, char error[MAILER_ERROR_MAX])
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
    error[0] = '\0';
    return mail_template_load(template, path, CODE_ACTIVATE, error);
}

static const struct letter letter = {
    .to = { "alice@example.org" }, .name = { "alice" }, .code = "012345", .minutes = 15
};
static const struct mail_frame frame = { .from = "chat@example.com", .time = 1700000000, .number = { 1, 0xabc } };

static void a_mail_is_plain_text_with_the_code_and_without_links(void **state)
{
    (void)state;
    static struct mail_template template;
    static char out[MAIL_MAX + 1];
    char error[MAILER_ERROR_MAX];
    for (enum code_purpose purpose = CODE_ACTIVATE; purpose <= CODE_DEACTIVATE; purpose++) {
        assert_int_equal(mail_template_load(&template, "", purpose, error), 0);
        const size_t len = mail_compose(&template, &letter, &frame, out);
        assert_true(len > 0);
        out[len] = '\0';
        assert_non_null(strstr(out, "\r\n    012345\r\n"));
        assert_non_null(strstr(out, "alice"));
        assert_non_null(strstr(out, "15 minutes"));
        assert_null(strstr(out, "://"));
        assert_null(strstr(out, "www."));
        assert_null(strchr(out, '{'));
        for (const char *at = out; (at = strchr(at, '\n')) != NULL; at++)
            assert_true(at[-1] == '\r');
    }
}

static void its_headers_are_these_and_no_others(void **state)
{
    (void)state;
    static struct mail_template template;
    static char out[MAIL_MAX + 1];
    char error[MAILER_ERROR_MAX];
    static const char text[] = "Subject: Your code\n\n{code} for {name}, {minutes}; {other} {code";
    assert_int_equal(load(&template, text, sizeof text - 1, error), 0);
    const size_t len = mail_compose(&template, &letter, &frame, out);
    out[len] = '\0';
    assert_string_equal(out, "From: <chat@example.com>\r\n"
                             "To: <alice@example.org>\r\n"
                             "Subject: Your code\r\n"
                             "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"
                             "Message-ID: <00000000000000010000000000000abc@example.com>\r\n"
                             "Auto-Submitted: auto-generated\r\n"
                             "MIME-Version: 1.0\r\n"
                             "Content-Type: text/plain; charset=utf-8\r\n"
                             "Content-Transfer-Encoding: 7bit\r\n"
                             "\r\n"
                             "012345 for alice, 15; {other} {code\r\n");
}

static void other_scripts_are_encoded(void **state)
{
    (void)state;
    static struct mail_template template;
    static char out[MAIL_MAX + 1];
    char error[MAILER_ERROR_MAX];
    static const char text[] =
        "Subject: K\xc3\xb6"
        "d \xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
        "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\n"
        "\nF\xc3\xbcr {name}:\n{code}\n";
    assert_int_equal(load(&template, text, sizeof text - 1, error), 0);
    const size_t len = mail_compose(&template, &letter, &frame, out);
    out[len] = '\0';
    /* 45 bytes would end within a character: the first word has 44. */
    assert_non_null(strstr(out, "Subject: =?UTF-8?B?S8O2ZCDigqzigqzigqzigqzigqzigqzigqzigqzigqzigqzigqzigqzigqw=?=\r\n"
                                " =?UTF-8?B?4oKs?=\r\n"));
    const char *body = strstr(out, "base64\r\n\r\n");
    assert_non_null(body);
    struct base64_decode_ctx context;
    uint8_t decoded[256] = { 0 };
    size_t decoded_len = sizeof decoded;
    base64_decode_init(&context);
    assert_int_equal(base64_decode_update(&context, &decoded_len, decoded, strlen(body + 10), body + 10), 1);
    assert_string_equal((char *)decoded, "F\xc3\xbcr alice:\r\n012345\r\n\r\n");
}

static void a_template_that_could_do_harm_or_is_none_is_refused(void **state)
{
    (void)state;
    static struct mail_template template;
    static char longest[MAIL_TEMPLATE_MAX + 2];
    char error[MAILER_ERROR_MAX];
    memset(longest, 'a', sizeof longest);
    (void)snprintf(longest, sizeof longest, "Subject: x\n\n{code}\n");
    longest[strlen(longest)] = 'a';
    for (size_t i = 100; i < sizeof longest; i += 100)
        longest[i] = '\n';
    assert_int_equal(load(&template, longest, MAIL_TEMPLATE_MAX, error), 0);
    assert_int_equal(load(&template, longest, MAIL_TEMPLATE_MAX + 1, error), -1);
    assert_non_null(strstr(error, "longer than 8192"));
    static const struct {
        const char *text;
        size_t len;
        const char *says;
    } bad[] = {
        { "", 0, "must begin" },
        { "{code}\n", 7, "must begin" },
        { "Subject: x\n{code}\n", 18, "must begin" },
        { "Subject: x\nBcc: eve@example.org\n\n{code}\n", 40, "must begin" },
        { "Subject: \n\n{code}\n", 18, "empty" },
        { "Subject: x\ty\n\n{code}\n", 21, "tab" },
        { "Subject: x\n\ncode\n", 17, "no {code}" },
        { "Subject: x\r\n\r\n{code}\r\n", 22, "control character" },
        { "Subject: x\rBcc: eve\n\n{code}\n", 28, "control character" },
        { "Subject: x\n\n{code}\0\n", 20, "UTF-8" },
        { "Subject: x\xff\n\n{code}\n", 20, "UTF-8" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(load(&template, bad[i].text, bad[i].len, error), -1);
        assert_non_null(strstr(error, path));
        if (strstr(error, bad[i].says) == NULL)
            fail_msg("%zu: %s", i, error);
    }
    assert_int_equal(mail_template_load(&template, "/nowhere/template", CODE_ACTIVATE, error), -1);
    assert_non_null(strstr(error, "/nowhere/template"));
}

static void a_mail_that_is_too_long_isnt_cut(void **state)
{
    (void)state;
    static struct mail_template template;
    static char out[MAIL_MAX];
    (void)snprintf(template.subject, sizeof template.subject, "x");
    memset(template.text, '\n', MAIL_TEMPLATE_MAX);
    assert_int_equal(mail_compose(&template, &letter, &frame, out), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mail_is_plain_text_with_the_code_and_without_links),
        cmocka_unit_test(its_headers_are_these_and_no_others),
        cmocka_unit_test(other_scripts_are_encoded),
        cmocka_unit_test(a_template_that_could_do_harm_or_is_none_is_refused),
        cmocka_unit_test(a_mail_that_is_too_long_isnt_cut),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
