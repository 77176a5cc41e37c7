/*
 * test_kdc_networks.c: addresses as people write them.
 */
#include "kdc/networks.h"
#include "tests/unit/cmocka_all.h"

#include <string.h>

static struct networks parsed(const char *text)
{
    struct networks networks;
    char why[NETWORKS_WHY_MAX];
    assert_int_equal(networks_parse(text, &networks, why), 0);
    return networks;
}

static struct admission_source source(const char *text)
{
    struct admission_source found;
    assert_int_equal(source_parse(text, &found), 0);
    return found;
}

static bool holds(const char *networks, const char *address)
{
    const struct networks list = parsed(networks);
    const struct admission_source from = source(address);
    return networks_hold(&list, &from);
}

static void a_network_holds_its_addresses_and_no_others(void **state)
{
    (void)state;
    assert_true(holds("192.0.2.7", "192.0.2.7"));
    assert_false(holds("192.0.2.7", "192.0.2.6"));
    assert_true(holds("10.0.0.0/8", "10.255.3.4"));
    assert_false(holds("10.0.0.0/8", "11.0.0.1"));
    assert_true(holds("10.1.2.3/8", "10.255.3.4")); /* what is behind the prefix doesn't matter */
    assert_true(holds("192.0.2.128/25", "192.0.2.200"));
    assert_false(holds("192.0.2.128/25", "192.0.2.127"));
    assert_true(holds("0.0.0.0/0", "203.0.113.9"));
    assert_false(holds("0.0.0.0/0", "2001:db8::1"));
    assert_true(holds("2001:db8::/32", "2001:db8:ffff::1"));
    assert_false(holds("2001:db8::/32", "2001:db9::1"));
    assert_true(holds(" 192.0.2.7 ,\t2001:db8::/32 ", "2001:db8::1"));
    assert_false(holds("", "192.0.2.7"));
}

static void an_ipv6_address_stands_for_its_64(void **state)
{
    (void)state;
    assert_true(holds("2001:db8::5", "2001:db8::6"));
    assert_false(holds("2001:db8::5", "2001:db8:0:1::5"));
    const struct admission_source a = source("2001:db8:0:1::5");
    const struct admission_source b = source("2001:db8:0:1:ffff::");
    assert_true(admission_source_equal(&a, &b));
}

static void ipv4_inside_ipv6_is_ipv4(void **state)
{
    (void)state;
    assert_true(holds("::ffff:192.0.2.0/120", "192.0.2.9"));
    assert_false(holds("::ffff:192.0.2.0/120", "192.0.3.9"));
    assert_true(holds("192.0.2.9", "::ffff:192.0.2.9"));
}

static void what_is_no_network_is_refused_with_its_words(void **state)
{
    static const char *const wrong[] = { "192.0.2",
                                         "192.0.2.7/33",
                                         "192.0.2.7/",
                                         "192.0.2.7/-1",
                                         "192.0.2.7/ 8",
                                         "/8",
                                         "localhost",
                                         "2001:db8::/129",
                                         "::ffff:0.0.0.0/95",
                                         "192.0.2.7,,192.0.2.8",
                                         "192.0.2.7,",
                                         ",",
                                         "192.0.2.7 192.0.2.8" };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct networks networks;
        char why[NETWORKS_WHY_MAX] = "";
        if (networks_parse(wrong[i], &networks, why) == 0 || why[0] == '\0') {
            fail_msg("'%s' was taken", wrong[i]);
        }
    }
}

static void there_is_a_most(void **state)
{
    char text[NETWORKS_MAX * 16 + 32] = "";
    char why[NETWORKS_WHY_MAX];
    struct networks networks;
    (void)state;
    char *at = text;
    for (size_t i = 0; i < NETWORKS_MAX; i++) {
        at = stpcpy(at, i == 0 ? "192.0.2.7" : ",192.0.2.7");
    }
    assert_int_equal(networks_parse(text, &networks, why), 0);
    assert_int_equal(networks.count, NETWORKS_MAX);
    (void)stpcpy(at, ",192.0.2.7");
    assert_int_equal(networks_parse(text, &networks, why), -1);
}

static void a_source_is_told_as_it_is_read(void **state)
{
    static const char *const told[] = { "192.0.2.7", "2001:db8:0:1::/64", "::/64", "0.0.0.0" };
    (void)state;
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
        char text[SOURCE_TEXT_MAX];
        const struct admission_source s = source(told[i]);
        source_text(&s, text);
        assert_string_equal(text, told[i]);
    }
    struct admission_source none;
    assert_int_equal(source_parse("192.0.2.0/24", &none), -1);
    assert_int_equal(source_parse("2001:db8::/32", &none), -1);
    assert_int_equal(source_parse("alice", &none), -1);
    assert_int_equal(source_parse("", &none), -1);
}

static void for_the_database_it_is_hexadecimal(void **state)
{
    char hex[SOURCE_HEX_MAX];
    const struct admission_source nobody = { 0 };
    const struct admission_source v4 = source("192.0.2.7");
    const struct admission_source v6 = source("2001:db8:0:1::9");
    (void)state;
    source_hex(&v4, hex);
    assert_string_equal(hex, "04c000020700000000");
    source_hex(&v6, hex);
    assert_string_equal(hex, "0620010db800000001");
    source_hex(&nobody, hex);
    assert_string_equal(hex, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_network_holds_its_addresses_and_no_others),
        cmocka_unit_test(an_ipv6_address_stands_for_its_64),
        cmocka_unit_test(ipv4_inside_ipv6_is_ipv4),
        cmocka_unit_test(what_is_no_network_is_refused_with_its_words),
        cmocka_unit_test(there_is_a_most),
        cmocka_unit_test(a_source_is_told_as_it_is_read),
        cmocka_unit_test(for_the_database_it_is_hexadecimal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
