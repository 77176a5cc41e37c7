/* Codes: how they are made, and that a digest is of one code, one account and one purpose. */
#include "kdc/code.h"
#include "tests/unit/cmocka_all.h"

#include <string.h>

static struct bytes typed(const char *text)
{
    return (struct bytes){ (const uint8_t *)text, strlen(text) };
}

/* Gives the bytes of a list, one after the other. */
struct dealer {
    const uint8_t *bytes;
    size_t len;
};

static int deal(void *context, uint8_t *out, size_t len)
{
    struct dealer *dealer = context;
    if (dealer->len < len)
        return -1;
    memcpy(out, dealer->bytes, len);
    dealer->bytes += len;
    dealer->len -= len;
    return 0;
}

static void a_mailed_code_has_six_digits_and_all_occur(void **state)
{
    (void)state;
    unsigned seen[CODE_MAILED_DIGITS][10] = { { 0 } };
    for (unsigned i = 0; i < 2000; i++) {
        char code[CODE_MAILED_ROOM];
        assert_int_equal(code_mailed_make(&rng_system, code), 0);
        assert_int_equal(strspn(code, "0123456789"), CODE_MAILED_DIGITS);
        for (size_t at = 0; at < CODE_MAILED_DIGITS; at++)
            seen[at][code[at] - '0']++;
    }
    for (size_t at = 0; at < CODE_MAILED_DIGITS; at++) {
        for (size_t digit = 0; digit < 10; digit++)
            assert_in_range(seen[at][digit], 100, 300);
    }
}

/* 2^32 isn't a multiple of a million: what is above the last multiple is drawn again. */
static void no_mailed_code_is_likelier_than_another(void **state)
{
    (void)state;
    static const uint32_t drawn[] = { 4294000000u, 4294967295u, 42u, 4293999999u };
    struct dealer dealer = { .bytes = (const uint8_t *)drawn, .len = sizeof drawn };
    const struct rng rng = { .fill = deal, .context = &dealer };
    char code[CODE_MAILED_ROOM];
    assert_int_equal(code_mailed_make(&rng, code), 0);
    assert_string_equal(code, "000042");
    assert_int_equal(code_mailed_make(&rng, code), 0);
    assert_string_equal(code, "999999");
    assert_int_equal(code_mailed_make(&rng, code), -1);
}

static void an_invitation_can_be_typed_and_read_out(void **state)
{
    (void)state;
    char code[CODE_INVITATION_ROOM];
    char other[CODE_INVITATION_ROOM];
    assert_int_equal(code_invitation_make(&rng_system, code), 0);
    assert_int_equal(code_invitation_make(&rng_system, other), 0);
    assert_string_not_equal(code, other);
    assert_int_equal(strlen(code), CODE_INVITATION_ROOM - 1);
    for (size_t i = 0; i < strlen(code); i++)
        assert_non_null(strchr(i % 6 == 5 ? "-" : "0123456789ABCDEFGHJKMNPQRSTVWXYZ", code[i]));
}

static void an_invitation_is_the_same_however_it_is_typed(void **state)
{
    (void)state;
    static const char *const same[] = { "01ABC-DEF01-23456-789XY", "01abc def01 23456 789xy", "OLabcdefoi23456789xY",
                                        "oIABC-DEFOL-23456-789XY" };
    static const char *const none[] = { "",
                                        "01ABC-DEF01-23456-789X",
                                        "01ABC-DEF01-23456-789XYZ",
                                        "01ABC-DEF01-23456-789XU",
                                        "01ABC-DEF01-23456-789X\xc3\x9f",
                                        "01ABC_DEF01_23456_789X" };
    char first[CODE_DIGEST_ROOM];
    char digest[CODE_DIGEST_ROOM];
    assert_int_equal(code_invitation_digest(typed(same[0]), first), 0);
    assert_int_equal(strspn(first, "0123456789abcdef"), CODE_DIGEST_ROOM - 1);
    for (size_t i = 1; i < sizeof same / sizeof same[0]; i++) {
        assert_int_equal(code_invitation_digest(typed(same[i]), digest), 0);
        assert_string_equal(digest, first);
    }
    assert_int_equal(code_invitation_digest(typed("01ABC-DEF01-23456-789XZ"), digest), 0);
    assert_string_not_equal(digest, first);
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_int_equal(code_invitation_digest(typed(none[i]), digest), -1);
}

static void a_mailed_codes_digest_is_one_accounts_and_for_one_end(void **state)
{
    (void)state;
    char digests[5][CODE_DIGEST_ROOM];
    assert_int_equal(code_mailed_digest(CODE_ACTIVATE, 1, typed("012345"), digests[0]), 0);
    assert_int_equal(code_mailed_digest(CODE_ACTIVATE, 1, typed("012346"), digests[1]), 0);
    assert_int_equal(code_mailed_digest(CODE_ACTIVATE, 2, typed("012345"), digests[2]), 0);
    assert_int_equal(code_mailed_digest(CODE_ACTIVATE, UINT64_C(1) << 56, typed("012345"), digests[3]), 0);
    assert_int_equal(code_mailed_digest(CODE_DEACTIVATE, 1, typed("012345"), digests[4]), 0);
    for (size_t i = 0; i < 5; i++) {
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(digests[i], digests[j]);
    }
    assert_int_equal(code_mailed_digest(CODE_ACTIVATE, 1, typed(" 012-345 "), digests[1]), 0);
    assert_string_equal(digests[0], digests[1]);
    static const char *const none[] = { "", "12345", "1234567", "12345a", "12345\xff" };
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_int_equal(code_mailed_digest(CODE_ACTIVATE, 1, typed(none[i]), digests[0]), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mailed_code_has_six_digits_and_all_occur),
        cmocka_unit_test(no_mailed_code_is_likelier_than_another),
        cmocka_unit_test(an_invitation_can_be_typed_and_read_out),
        cmocka_unit_test(an_invitation_is_the_same_however_it_is_typed),
        cmocka_unit_test(a_mailed_codes_digest_is_one_accounts_and_for_one_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
