/* E-mail addresses and telephone numbers: what is taken, and what isn't. */
#include "kdc/contact.h"
#include "tests/unit/cmocka_all.h"

#include <stdio.h>
#include <string.h>

#define A10 "aaaaaaaaaa"
#define A60 A10 A10 A10 A10 A10 A10

static struct bytes typed(const char *text)
{
    return (struct bytes){ (const uint8_t *)text, strlen(text) };
}

static void addresses_as_people_have_them_are_taken(void **state)
{
    (void)state;
    static const char *const good[] = {
        "a@b.de",
        "alice@example.org",
        "Alice.Liddell+chat@mail.example.co.uk",
        "o'hara_1-2=3@example.org",
        "!#$%&'*+-/=?^_`{|}~@example.org",
        A60 "aaaa@example.org",
        "a@" A60 "aaa.org",
        "a@1and1.de",
        "a@3.example",
        "a@xn--bcher-kva.example",
        "a@b--c.example",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct email email;
        assert_int_equal(email_parse(typed(good[i]), &email), 0);
        assert_string_equal(email.text, good[i]);
    }
}

static void what_is_no_address_or_could_do_harm_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "alice",
        "@example.org",
        "alice@",
        "alice@localhost",
        "alice@@example.org",
        "alice@bob@example.org",
        ".alice@example.org",
        "alice.@example.org",
        "al..ice@example.org",
        "al ice@example.org",
        " alice@example.org",
        "alice@example.org ",
        "alice@example.org\r\nBcc: eve@example.org",
        "alice\r\n@example.org",
        "alice@example.org\n",
        "alice\t@example.org",
        "<alice@example.org>",
        "alice>@example.org",
        "\"alice\"@example.org",
        "alice(work)@example.org",
        "alice,eve@example.org",
        "alice@example.org,eve@example.org",
        "alice;eve@example.org",
        "alice:eve@example.org",
        "al\\ice@example.org",
        "alice@exa_mple.org",
        "alice@-example.org",
        "alice@example-.org",
        "alice@example..org",
        "alice@.example.org",
        "alice@example.org.",
        "alice@[127.0.0.1]",
        "alice@127.0.0.1",
        "alice@example.123",
        "alice@ex\xc3\xa4n.org",
        "al\xc3\xafz@example.org",
        "alice\x7f@example.org",
        A60 "aaaaa@example.org",
        "a@" A60 "aaaa.org",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct email email = { "left over" };
        if (email_parse(typed(bad[i]), &email) == 0)
            fail_msg("taken: %s", bad[i]);
        assert_string_equal(email.text, "");
    }
}

static void nothing_hides_behind_a_nul(void **state)
{
    (void)state;
    struct email email;
    assert_int_equal(email_parse((struct bytes){ (const uint8_t *)"a@b.de\0x", 8 }, &email), -1);
    assert_int_equal(email_parse((struct bytes){ (const uint8_t *)"a\0@b.de", 7 }, &email), -1);
    struct phone phone;
    assert_int_equal(phone_parse((struct bytes){ (const uint8_t *)"+49123456\0", 10 }, &phone), -1);
}

static void an_address_has_254_bytes_at_most(void **state)
{
    (void)state;
    char text[300];
    struct email email;
    memset(text, 'a', sizeof text);
    text[0] = 'x';
    text[1] = '@';
    for (size_t i = 60; i < 250; i += 60)
        text[i] = '.';
    (void)snprintf(text + 250, sizeof text - 250, ".org");
    assert_int_equal(strlen(text), 254);
    assert_int_equal(email_parse(typed(text), &email), 0);
    (void)snprintf(text + 250, sizeof text - 250, "a.org");
    assert_int_equal(email_parse(typed(text), &email), -1);
}

static void a_domain_becomes_lower_case_and_nothing_else(void **state)
{
    (void)state;
    struct email email;
    assert_int_equal(email_parse(typed("Alice.B@Example.ORG"), &email), 0);
    assert_string_equal(email.text, "Alice.B@example.org");
}

static void numbers_as_people_write_them_become_e164(void **state)
{
    (void)state;
    static const char *const good[][2] = {
        { "+491234567", "+491234567" },
        { "+49 (123) 45-67", "+491234567" },
        { "+1.555.010.9999", "+15550109999" },
        { "+123456", "+123456" },
        { "+123456789012345", "+123456789012345" },
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct phone phone;
        assert_int_equal(phone_parse(typed(good[i][0]), &phone), 0);
        assert_string_equal(phone.text, good[i][1]);
    }
}

static void what_is_no_number_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",          "+",          "491234567",  "0049123456",  "+0123456", "+12345", "+1234567890123456",
        "+49123x56", "++49123456", " +49123456", "+49123456\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct phone phone = { "left over" };
        if (phone_parse(typed(bad[i]), &phone) == 0)
            fail_msg("taken: %s", bad[i]);
        assert_string_equal(phone.text, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_as_people_have_them_are_taken),
        cmocka_unit_test(what_is_no_address_or_could_do_harm_is_refused),
        cmocka_unit_test(nothing_hides_behind_a_nul),
        cmocka_unit_test(an_address_has_254_bytes_at_most),
        cmocka_unit_test(a_domain_becomes_lower_case_and_nothing_else),
        cmocka_unit_test(numbers_as_people_write_them_become_e164),
        cmocka_unit_test(what_is_no_number_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
