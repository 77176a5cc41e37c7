/* What people type: names, passwords, text; and the words for reasons. */
#include "tests/unit/cmocka_all.h"
#include "wire/name.h"
#include "wire/reason.h"

#include <ctype.h>
#include <string.h>

static struct bytes bytes_of(const void *data, size_t len)
{
    return (struct bytes){ .data = data, .len = len };
}

static void a_name_takes_each_byte_where_it_belongs(void **state)
{
    (void)state;
    static const char first[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    static const char more[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
    for (int c = 0; c < 256; c++) {
        int low = c >= 'A' && c <= 'Z' ? c + 32 : c;
        bool is_first = c != 0 && strchr(first, low) != NULL;
        bool is_more = c != 0 && strchr(more, low) != NULL;
        struct name name;
        const uint8_t alone[1] = { (uint8_t)c }, leading[2] = { (uint8_t)c, 'b' }, trailing[2] = { 'b', (uint8_t)c };

        assert_int_equal(name_parse(bytes_of(alone, 1), &name), is_first ? 0 : -1);
        assert_int_equal((uint8_t)name.text[0], is_first ? low : 0);
        assert_int_equal(name_parse(bytes_of(leading, 2), &name), is_first ? 0 : -1);
        assert_int_equal((uint8_t)name.text[0], is_first ? low : 0);
        assert_int_equal(name.text[1], is_first ? 'b' : 0);
        assert_int_equal(name_parse(bytes_of(trailing, 2), &name), is_more ? 0 : -1);
        assert_int_equal((uint8_t)name.text[1], is_more ? low : 0);
        assert_int_equal(name.text[0], is_more ? 'b' : 0);
    }
}

static void a_name_is_1_to_32_bytes(void **state)
{
    (void)state;
    char typed[40];
    memset(typed, 'X', sizeof(typed));
    for (size_t len = 0; len <= sizeof(typed); len++) {
        struct name name;
        memset(&name, 0x55, sizeof(name));
        bool good = len >= 1 && len <= 32;
        assert_int_equal(name_parse(bytes_of(typed, len), &name), good ? 0 : -1);
        assert_int_equal(strnlen(name.text, sizeof(name.text)), good ? len : 0);
        for (size_t i = 0; i < sizeof(name.text); i++) /* zero behind the name, all of it when refused */
            assert_int_equal(name.text[i], good && i < len ? 'x' : 0);
    }
}

static void a_name_from_a_string_is_the_same(void **state)
{
    (void)state;
    struct name name, other;
    assert_int_equal(name_from_string("Alice.B_c-9", &name), 0);
    assert_string_equal(name.text, "alice.b_c-9");
    assert_int_equal(name_from_string("ALICE.B_C-9", &other), 0);
    assert_true(name_equal(&name, &other));
    assert_int_equal(name_from_string("alice.b_c-8", &other), 0);
    assert_false(name_equal(&name, &other));
    assert_int_equal(name_from_string("alice.b_c-", &other), 0);
    assert_false(name_equal(&name, &other));
    assert_int_equal(name_from_string("", &name), -1);
    assert_string_equal(name.text, "");
    assert_int_equal(name_from_string("0123456789012345678901234567890", &name), 0);
    assert_int_equal(name_from_string("01234567890123456789012345678901", &name), 0);
    assert_int_equal(name_from_string("012345678901234567890123456789012", &name), -1);
    assert_int_equal(name_from_string("two words", &name), -1);
    assert_int_equal(name_from_string(" alice", &name), -1);
    assert_int_equal(name_from_string("alice ", &name), -1);
    assert_int_equal(name_from_string("\xe2\x84\xaa", &name), -1); /* U+212A, whose lower case is k */
    assert_int_equal(name_from_string("\xc3\xa4", &name), -1);
}

static void a_password_is_judged_by_length_nul_and_encoding(void **state)
{
    (void)state;
    char p[80];
    memset(p, 'p', sizeof(p));
    for (size_t len = 0; len <= sizeof(p); len++) {
        enum reason expected = len < 8 ? REASON_PASSWORD_SHORT : len > 72 ? REASON_PASSWORD_LONG : REASON_NONE;
        assert_int_equal(password_check(bytes_of(p, len)), expected);
    }
    assert_int_equal(password_check(bytes_of(NULL, 0)), REASON_PASSWORD_SHORT);
    for (size_t at = 0; at < 72; at++) {
        p[at] = '\0';
        assert_int_equal(password_check(bytes_of(p, 72)), REASON_PASSWORD_NUL);
        p[at] = '\xff';
        assert_int_equal(password_check(bytes_of(p, 72)), REASON_PASSWORD_UTF8);
        p[at] = 'p';
    }
    assert_int_equal(password_check(bytes_of(p, 72)), REASON_NONE);
    memcpy(p + 70, "\xe2\x82\xac", 3); /* a sign of three bytes that would be cut at the 72nd */
    assert_int_equal(password_check(bytes_of(p, 72)), REASON_PASSWORD_UTF8);
    assert_int_equal(password_check(bytes_of(p, 73)), REASON_PASSWORD_LONG);
    assert_int_equal(password_check(bytes_of("p\xc3\xa4ssw\xc3\xb6rd", 10)), REASON_NONE);
    assert_int_equal(password_check(bytes_of("\xf0\x9f\x98\x80\xf0\x9f\x98\x80", 8)), REASON_NONE); /* bytes count */
}

/* RFC 3629 said otherwise than by a decoder: a sequence is well-formed if writing its code point in the shortest way gives
 * it back. Returns the length of the code point's encoding, 0 for what has none. */
static size_t encode_code_point(uint32_t cp, uint8_t out[4])
{
    if (cp < 0x80) {
        out[0] = (uint8_t)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (uint8_t)(0xc0 | cp >> 6);
        out[1] = (uint8_t)(0x80 | (cp & 0x3f));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (uint8_t)(0xe0 | cp >> 12);
        out[1] = (uint8_t)(0x80 | (cp >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (cp & 0x3f));
        return cp >= 0xd800 && cp <= 0xdfff ? 0 : 3;
    }
    if (cp > 0x10ffff)
        return 0;
    out[0] = (uint8_t)(0xf0 | cp >> 18);
    out[1] = (uint8_t)(0x80 | (cp >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (cp >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (cp & 0x3f));
    return 4;
}

static bool one_code_point(const uint8_t *s, size_t len)
{
    static const uint8_t lead_bits[5] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    uint32_t cp = s[0] & lead_bits[len];
    for (size_t i = 1; i < len; i++)
        cp = cp << 6 | (s[i] & 0x3f);
    uint8_t shortest[4];
    return encode_code_point(cp, shortest) == len && memcmp(shortest, s, len) == 0;
}

/* Whether s splits into code points. */
static bool well_formed(const uint8_t *s, size_t len)
{
    if (len == 0)
        return true;
    for (size_t n = 1; n <= 4 && n <= len; n++)
        if (one_code_point(s, n) && well_formed(s + n, len - n))
            return true;
    return false;
}

static void every_code_point_but_the_surrogates_is_utf8(void **state)
{
    (void)state;
    for (uint32_t cp = 0; cp <= 0x10ffff; cp++) {
        uint8_t s[4];
        size_t len = encode_code_point(cp, s);
        if (len == 0) {
            assert_true(cp >= 0xd800 && cp <= 0xdfff);
            assert_false(utf8_valid(bytes_of(s, 3)));
        } else if (!utf8_valid(bytes_of(s, len))) {
            fail_msg("U+%04X refused", cp);
        }
    }
}

static void every_pair_of_bytes_is_judged_right(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 0x10000; i++) {
        const uint8_t s[2] = { (uint8_t)(i >> 8), (uint8_t)i };
        assert_int_equal(utf8_valid(bytes_of(s, 2)), well_formed(s, 2));
        assert_int_equal(utf8_valid(bytes_of(s, 1)), well_formed(s, 1));
    }
}

/* Every pair of bytes in front, and behind it all the bytes at which something changes. */
static void longer_sequences_are_judged_right(void **state)
{
    (void)state;
    static const uint8_t edges[] = {
        0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xe0, 0xf0, 0xff
    };
    for (unsigned i = 0; i < 0x10000; i++) {
        uint8_t s[4] = { (uint8_t)(i >> 8), (uint8_t)i };
        for (size_t k = 0; k < sizeof(edges); k++) {
            s[2] = edges[k];
            if (utf8_valid(bytes_of(s, 3)) != well_formed(s, 3))
                fail_msg("%02x %02x %02x misjudged", s[0], s[1], s[2]);
            if (s[0] < 0xf0)
                continue;
            for (size_t n = 0; n < sizeof(edges); n++) {
                s[3] = edges[n];
                if (utf8_valid(bytes_of(s, 4)) != well_formed(s, 4))
                    fail_msg("%02x %02x %02x %02x misjudged", s[0], s[1], s[2], s[3]);
            }
        }
    }
}

static void known_edges_of_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *s;
        size_t len;
        bool valid;
    } edges[] = {
        { "", 0, true },
        { "\0", 1, true },
        { "\x7f", 1, true },
        { "\x80", 1, false },                     /* a continuation alone */
        { "\xc0\x80", 2, false },                 /* over-long U+0000 */
        { "\xc1\xbf", 2, false },                 /* over-long U+007F */
        { "\xc2\x80", 2, true },                  /* U+0080 */
        { "\xe0\x9f\xbf", 3, false },             /* over-long U+07FF */
        { "\xe0\xa0\x80", 3, true },              /* U+0800 */
        { "\xed\x9f\xbf", 3, true },              /* U+D7FF */
        { "\xed\xa0\x80", 3, false },             /* U+D800 */
        { "\xed\xbf\xbf", 3, false },             /* U+DFFF */
        { "\xed\xa0\xbd\xed\xb8\x80", 6, false }, /* a surrogate pair */
        { "\xee\x80\x80", 3, true },              /* U+E000 */
        { "\xef\xbf\xbf", 3, true },              /* U+FFFF: not a character, but well-formed */
        { "\xf0\x8f\xbf\xbf", 4, false },         /* over-long U+FFFF */
        { "\xf0\x90\x80\x80", 4, true },          /* U+10000 */
        { "\xf4\x8f\xbf\xbf", 4, true },          /* U+10FFFF */
        { "\xf4\x90\x80\x80", 4, false },         /* U+110000 */
        { "\xf8\x88\x80\x80\x80", 5, false },     /* five bytes */
        { "\xfe", 1, false },
        { "\xff", 1, false },
        { "a\xe2\x82\xac", 4, true },
        { "a\xe2\x82", 3, false }, /* cut */
        { "a\xe2", 2, false },
        { "\xf0\x9f\x98", 3, false },
        { "\xe2\x82z", 3, false },
    };
    for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++)
        if (utf8_valid(bytes_of(edges[i].s, edges[i].len)) != edges[i].valid)
            fail_msg("edge %zu misjudged", i);
}

static void a_text_is_1_to_16384_bytes_of_utf8(void **state)
{
    (void)state;
    static char text[16385];
    memset(text, 't', sizeof(text));
    assert_false(text_valid(bytes_of(text, 0)));
    assert_true(text_valid(bytes_of(text, 1)));
    assert_true(text_valid(bytes_of(text, 16384)));
    assert_false(text_valid(bytes_of(text, 16385)));
    text[16383] = '\xc3';
    assert_false(text_valid(bytes_of(text, 16384)));
    assert_true(text_valid(bytes_of(text, 16383)));
}

/* The table of docs/protocol.md section 7. */
static void every_reason_has_its_number_name_and_words(void **state)
{
    (void)state;
    static const char *const names[] = {
        "none",
        "malformed",
        "out_of_order",
        "too_long",
        "version",
        "group",
        "suite",
        "public_value",
        "confirm",
        "record",
        "deadline",
        "busy",
        "unavailable",
        "login_failed",
        "tries",
        "name",
        "password_short",
        "password_long",
        "password_nul",
        "password_utf8",
        "name_taken",
        "account_locked",
        "account_disabled",
        "account_pending",
        "registration_closed",
        "no_such_user",
        "peer_offline",
        "peer_is_self",
        "peer_locked",
        "no_conversation",
        "text_length",
        "too_many",
        "taken_over",
        "shutting_down",
        "kicked",
        "silent",
        "slow_reader",
        "internal",
        "must_change",
        "password_common",
        "password_reused",
        "account_expired",
        "invitation",
        "email",
        "email_taken",
        "phone",
        "phone_taken",
        "code",
        "code_expired",
        "penalty",
        "new_password",
        "account_renamed",
        "account_deleted",
    };
    assert_int_equal(sizeof(names) / sizeof(names[0]), REASON_COUNT);
    for (unsigned i = 0; i < REASON_COUNT; i++) {
        assert_string_equal(reason_name((enum reason)i), names[i]);
        const char *text = reason_text((enum reason)i);
        size_t len = strlen(text);
        assert_true(len > 10 && isupper((unsigned char)text[0]) && text[len - 1] != '.');
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(text, reason_text((enum reason)k));
    }
    assert_string_equal(reason_name(REASON_COUNT), "unknown");
    assert_string_equal(reason_name((enum reason)255), "unknown");
    assert_string_equal(reason_name((enum reason) - 1), "unknown");
    assert_non_null(reason_text(REASON_COUNT));
    assert_non_null(reason_text((enum reason) - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_takes_each_byte_where_it_belongs),
        cmocka_unit_test(a_name_is_1_to_32_bytes),
        cmocka_unit_test(a_name_from_a_string_is_the_same),
        cmocka_unit_test(a_password_is_judged_by_length_nul_and_encoding),
        cmocka_unit_test(every_code_point_but_the_surrogates_is_utf8),
        cmocka_unit_test(every_pair_of_bytes_is_judged_right),
        cmocka_unit_test(longer_sequences_are_judged_right),
        cmocka_unit_test(known_edges_of_utf8),
        cmocka_unit_test(a_text_is_1_to_16384_bytes_of_utf8),
        cmocka_unit_test(every_reason_has_its_number_name_and_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
