/* An epoch at both its ends: what is said arrives, in turn and once; a grant that makes no sense gives none. */
#include "crypto/secret.h"
#include "tests/unit/fixed_rng.h"
#include "wire/epoch.h"
#include "wire/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Two people, a grant, and what each made of it. */
struct pair {
    uint8_t key[SUITE_ISSUED_KEY_MAX];
    struct message_grant grant;
    struct epoch *alice;
    struct epoch *bob;
};

/* A sealed message with the bytes that it lends, so that several can be on their way. */
struct letter {
    uint8_t room[MESSAGE_SEALED_MAX];
    struct message_ciphertext m;
};

static void pair_grant(struct pair *p, const struct suite *suite)
{
    struct fixed_rng rng;

    memset(p, 0, sizeof(*p));
    fixed_rng_init(&rng, "issued key");
    assert_int_equal(suite_issue_key(suite, &rng.rng, p->key), 0);
    p->grant = (struct message_grant){
        .request = 5,
        .conversation = 42,
        .epoch = 3,
        .session_a = 11,
        .session_b = 12,
        .suite = suite->id,
        .time = 1700000000000,
        .key = { .data = p->key, .len = suite->issued_key_len },
    };
    assert_int_equal(name_from_string("alice", &p->grant.a), 0);
    assert_int_equal(name_from_string("bob", &p->grant.b), 0);
}

static void pair_take(struct pair *p)
{
    struct message_grant other = p->grant;
    other.request = 0; /* as the one who didn't open gets it */
    p->alice = epoch_new(&p->grant, &p->grant.a);
    p->bob = epoch_new(&other, &other.b);
    assert_non_null(p->alice);
    assert_non_null(p->bob);
}

static void pair_open(struct pair *p, const struct suite *suite)
{
    pair_grant(p, suite);
    pair_take(p);
}

static void pair_close(struct pair *p)
{
    epoch_free(&p->alice);
    epoch_free(&p->bob);
}

static struct content text(const char *string)
{
    return (struct content){
        .kind = CONTENT_TEXT,
        .instance = 99,
        .number = 1,
        .text = { .data = (const uint8_t *)string, .len = strlen(string) },
    };
}

static void seal(struct epoch *from, const char *string, struct letter *letter)
{
    struct content c = text(string);
    assert_int_equal(epoch_seal(from, &c, letter->room, &letter->m), 0);
}

static int open_letter(struct epoch *to, const struct letter *letter, const char *expected)
{
    static uint8_t plain[CONTENT_LEN_MAX + SUITE_OVERHEAD_MAX];
    struct content c;

    if (epoch_open(to, &letter->m, plain, &c) != 0)
        return -1;
    assert_int_equal(c.kind, CONTENT_TEXT);
    assert_int_equal(c.text.len, strlen(expected));
    assert_memory_equal(c.text.data, expected, c.text.len);
    return 0;
}

/* ---- what holds ---- */

static void what_one_says_the_other_hears_in_every_suite(void **state)
{
    (void)state;
    static struct letter letter;

    for (size_t s = 0; s < SUITE_COUNT; s++) {
        struct pair p;
        pair_open(&p, &suites[s]);
        for (uint64_t i = 0; i < 10; i++) {
            assert_int_equal(epoch_sent(p.alice), i);
            seal(p.alice, "to bob", &letter);
            assert_int_equal(letter.m.conversation, 42);
            assert_int_equal(letter.m.epoch, 3);
            assert_int_equal(letter.m.sequence, i);
            assert_int_equal(open_letter(p.bob, &letter, "to bob"), 0);
            if (i % 2 == 0) {
                seal(p.bob, "to alice", &letter);
                assert_int_equal(letter.m.sequence, i / 2);
                assert_int_equal(open_letter(p.alice, &letter, "to alice"), 0);
            }
        }
        assert_int_equal(epoch_sent(p.alice), 10);
        assert_int_equal(epoch_conversation(p.bob), 42);
        assert_int_equal(epoch_number(p.bob), 3);
        assert_ptr_equal(epoch_suite(p.bob), &suites[s]);
        pair_close(&p);
    }
}

static void every_kind_of_content_arrives(void **state)
{
    (void)state;
    static struct letter letter;
    static uint8_t longest[TEXT_LEN_MAX], plain[CONTENT_LEN_MAX + SUITE_OVERHEAD_MAX];
    memset(longest, 'x', sizeof(longest));
    const struct content contents[] = {
        { .kind = CONTENT_CONFIRM },
        { .kind = CONTENT_RECEIVED, .instance = UINT64_MAX, .number = 7 },
        { .kind = CONTENT_TEXT, .instance = 1, .number = 1, .text = { .data = longest, .len = sizeof(longest) } },
    };

    for (size_t s = 0; s < SUITE_COUNT; s++) {
        struct pair p;
        pair_open(&p, &suites[s]);
        for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
            struct content got;
            assert_int_equal(epoch_seal(p.alice, &contents[i], letter.room, &letter.m), 0);
            assert_true(letter.m.sealed.len <= MESSAGE_SEALED_MAX);
            assert_int_equal(epoch_open(p.bob, &letter.m, plain, &got), 0);
            assert_int_equal(got.kind, contents[i].kind);
            assert_int_equal(got.instance, contents[i].instance);
            assert_int_equal(got.number, contents[i].number);
            assert_int_equal(got.text.len, contents[i].text.len);
        }
        pair_close(&p);
    }
}

static void content_that_is_not_valid_is_not_sealed(void **state)
{
    (void)state;
    static struct letter letter;
    static uint8_t longest[TEXT_LEN_MAX + 1];
    struct pair p;
    struct content empty = text(""), latin = text("\xe9"), long_text = text("x");

    memset(longest, 'x', sizeof(longest));
    long_text.text = (struct bytes){ .data = longest, .len = sizeof(longest) };
    pair_open(&p, &suites[0]);
    assert_int_equal(epoch_seal(p.alice, &empty, letter.room, &letter.m), -1);
    assert_int_equal(epoch_seal(p.alice, &latin, letter.room, &letter.m), -1);
    assert_int_equal(epoch_seal(p.alice, &long_text, letter.room, &letter.m), -1);
    assert_int_equal(epoch_sent(p.alice), 0);
    seal(p.alice, "goes on", &letter);
    assert_int_equal(open_letter(p.bob, &letter, "goes on"), 0);
    pair_close(&p);
}

/* ---- what is refused, and changes nothing ---- */

/* `letter` is refused by bob, who then still takes the message that is in turn. */
static void assert_refused(struct pair *p, const struct letter *letter, const struct letter *in_turn)
{
    assert_int_equal(open_letter(p->bob, letter, ""), -1);
    assert_int_equal(open_letter(p->bob, in_turn, "in turn"), 0);
}

static void a_message_out_of_turn_changes_nothing(void **state)
{
    (void)state;
    static struct letter first, second, third;

    for (size_t s = 0; s < SUITE_COUNT; s++) {
        struct pair p;
        pair_open(&p, &suites[s]);
        seal(p.alice, "in turn", &first);
        seal(p.alice, "in turn", &second);
        seal(p.alice, "in turn", &third);
        assert_refused(&p, &second, &first); /* too early */
        assert_refused(&p, &first, &second); /* a second time */
        assert_int_equal(open_letter(p.bob, &second, ""), -1);
        assert_int_equal(open_letter(p.bob, &first, ""), -1);
        assert_int_equal(open_letter(p.bob, &third, "in turn"), 0);

        /* And renumbering it doesn't help. */
        first.m.sequence = 3;
        assert_int_equal(open_letter(p.bob, &first, ""), -1);
        pair_close(&p);
    }
}

static void every_flipped_bit_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    static struct letter good, bad;

    for (size_t s = 0; s < SUITE_COUNT; s++) {
        struct pair p;
        pair_open(&p, &suites[s]);
        seal(p.alice, "in turn", &good);
        for (size_t bit = 0; bit < 8 * good.m.sealed.len; bit++) {
            bad = good;
            bad.m.sealed.data = bad.room;
            bad.room[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_equal(open_letter(p.bob, &bad, ""), -1);
        }
        for (unsigned bit = 0; bit < 64; bit++) {
            bad = good;
            bad.m.conversation ^= UINT64_C(1) << bit;
            assert_int_equal(open_letter(p.bob, &bad, ""), -1);
            bad = good;
            bad.m.epoch ^= UINT32_C(1) << bit % 32;
            assert_int_equal(open_letter(p.bob, &bad, ""), -1);
            bad = good;
            bad.m.sequence ^= UINT64_C(1) << bit;
            assert_int_equal(open_letter(p.bob, &bad, ""), -1);
        }
        assert_int_equal(open_letter(p.bob, &good, "in turn"), 0);
        pair_close(&p);
    }
}

static void a_wrong_length_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    static struct letter good, bad;
    static const uint8_t long_bytes[MESSAGE_SEALED_MAX + 1];

    for (size_t s = 0; s < SUITE_COUNT; s++) {
        struct pair p;
        pair_open(&p, &suites[s]);
        seal(p.alice, "in turn", &good);
        for (size_t len = 0; len < good.m.sealed.len; len++) {
            bad = good;
            bad.m.sealed.len = len;
            assert_int_equal(open_letter(p.bob, &bad, ""), -1);
        }
        bad = good;
        bad.m.sealed.data = bad.room;
        bad.m.sealed.len += 8;
        assert_int_equal(open_letter(p.bob, &bad, ""), -1);
        bad.m.sealed = (struct bytes){ .data = long_bytes, .len = sizeof(long_bytes) };
        assert_int_equal(open_letter(p.bob, &bad, ""), -1);
        assert_int_equal(open_letter(p.bob, &good, "in turn"), 0);
        pair_close(&p);
    }
}

static void ones_own_message_reflected_back_is_refused(void **state)
{
    (void)state;
    static struct letter mine, theirs;

    for (size_t s = 0; s < SUITE_COUNT; s++) {
        struct pair p;
        pair_open(&p, &suites[s]);
        seal(p.bob, "from bob", &mine);
        seal(p.alice, "in turn", &theirs);
        assert_refused(&p, &mine, &theirs);
        assert_int_equal(open_letter(p.alice, &mine, "from bob"), 0);
        pair_close(&p);
    }
}

/* Authentic, since made with the message key, but no content that an encoder produces. */
static void authentic_nonsense_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    static struct letter good, bad;
    static const struct {
        uint8_t bytes[20];
        size_t len;
    } nonsense[] = {
        { { 0 }, 0 },
        { { 0 }, 1 },
        { { CONTENT_CONFIRM, 0 }, 2 },
        { { 4 }, 1 },
        { { CONTENT_TEXT, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1 }, 17 },
        { { CONTENT_TEXT, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0xff }, 18 },
        { { CONTENT_RECEIVED, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0 }, 16 },
    };
    static const char label[] = "kdc-chat v1 message";
    static const uint8_t direction[] = { 5, 'a', 'l', 'i', 'c', 'e', 3, 'b', 'o', 'b', 0x01 /* HKDF's counter */ };
    static const uint8_t ad[20] = { 0, 0, 0, 0, 0, 0, 0, 42, 0, 0, 0, 3 };
    struct pair p;
    uint8_t context[] = { 0,   0,   0, 0,   0,   0,   0, 42,   0, 0, 0,    3,    5,    'a',  'l',  'i',
                          'c', 'e', 3, 'b', 'o', 'b', 0, 0,    0, 0, 0,    0,    0,    11,   0,    0,
                          0,   0,   0, 0,   0,   12,  0, 0x02, 0, 0, 0x01, 0x8b, 0xcf, 0xe5, 0x68, 0x00 };
    uint8_t info[256], prk[KDF_SECRET_LEN], chain[KDF_SECRET_LEN];

    pair_open(&p, suite_by_id(SUITE_CHACHA20_POLY1305));
    seal(p.alice, "in turn", &good);

    /* The chain from the grant, by the document's formulas. */
    size_t at = (size_t)snprintf((char *)info, sizeof(info), "kdc-chat v1 chain");
    sha512_hash(context, sizeof(context), info + at);
    at += SHA512_LEN;
    memcpy(info + at, direction, sizeof(direction));
    hkdf_sha512_extract(NULL, 0, p.key, 32, prk);
    hmac_sha512(prk, sizeof(prk), info, at + sizeof(direction), chain);
    struct aead *aead = aead_derive(suite_by_id(SUITE_CHACHA20_POLY1305), chain, label, sizeof(label) - 1);
    assert_non_null(aead);
    aead_seal(aead, 0, ad, sizeof(ad), (const uint8_t *)"\x02\0\0\0\0\0\0\0\x63\0\0\0\0\0\0\0\x01in turn", 24,
              bad.room);
    assert_memory_equal(bad.room, good.room, good.m.sealed.len); /* so the key is the right one */

    for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
        bad.m = good.m;
        aead_seal(aead, 0, ad, sizeof(ad), nonsense[i].bytes, nonsense[i].len, bad.room);
        bad.m.sealed = (struct bytes){ .data = bad.room, .len = nonsense[i].len + 16 };
        assert_int_equal(open_letter(p.bob, &bad, ""), -1);
    }
    /* Longer than any content, and than the room that a caller has for one: not even opened. */
    static uint8_t plain[CONTENT_LEN_MAX + SUITE_OVERHEAD_MAX + 64], too_long[sizeof(plain)],
        sealed[sizeof(plain) + 16];
    struct content c;
    aead_seal(aead, 0, ad, sizeof(ad), too_long, sizeof(too_long), sealed);
    memset(plain, 0xaa, sizeof(plain));
    memset(too_long, 0xaa, sizeof(too_long));
    bad.m.sealed = (struct bytes){ .data = sealed, .len = sizeof(sealed) };
    assert_int_equal(epoch_open(p.bob, &bad.m, plain, &c), -1);
    assert_memory_equal(plain, too_long, sizeof(plain));

    assert_int_equal(open_letter(p.bob, &good, "in turn"), 0);
    aead_free(&aead);
    pair_close(&p);
}

/* ---- keys ---- */

/* Looked for in the epoch's own memory, since no call shows it. */
static void a_used_chain_is_gone(void **state)
{
    (void)state;
    static struct letter letter;
    struct pair p;
    uint8_t before[KDF_SECRET_LEN];
    size_t at = 0;

    pair_open(&p, &suites[0]);
    /* The sending chain is what changes when a message is sealed. */
    uint8_t copy[160];
    memcpy(copy, p.alice, sizeof(copy));
    seal(p.alice, "one", &letter);
    while (at < sizeof(copy) && ((const uint8_t *)p.alice)[at] == copy[at])
        at++;
    assert_true(at + KDF_SECRET_LEN <= sizeof(copy));
    memcpy(before, copy + at, sizeof(before));

    /* In its place is now the step from it, from which there is no way back. */
    uint8_t next[KDF_SECRET_LEN];
    hmac_sha512(before, sizeof(before), "kdc-chat v1 next\x01", 17, next);
    assert_memory_equal((const uint8_t *)p.alice + at, next, sizeof(next));

    epoch_stop_sending(p.alice);
    static const uint8_t zeros[KDF_SECRET_LEN];
    assert_memory_equal((const uint8_t *)p.alice + at, zeros, sizeof(zeros));
    pair_close(&p);
}

static void an_epoch_that_stopped_sending_still_receives(void **state)
{
    (void)state;
    static struct letter letter;
    struct pair p;
    struct content c = text("no more");

    pair_open(&p, &suites[0]);
    seal(p.alice, "on its way", &letter);
    epoch_stop_sending(p.bob);
    assert_int_equal(open_letter(p.bob, &letter, "on its way"), 0);
    assert_int_equal(epoch_seal(p.bob, &c, letter.room, &letter.m), -1);
    assert_int_equal(epoch_sent(p.bob), 0);
    pair_close(&p);
}

static void each_field_of_the_grant_is_in_the_keys(void **state)
{
    (void)state;
    static struct letter letter;

    for (int field = 0; field < 8; field++) {
        struct pair p;
        struct name carol;
        assert_int_equal(name_from_string("carol", &carol), 0);
        pair_grant(&p, suite_by_id(SUITE_CHACHA20_POLY1305));
        p.alice = epoch_new(&p.grant, &p.grant.a);
        switch (field) {
        case 0:
            p.grant.conversation++;
            break;
        case 1:
            p.grant.epoch++;
            break;
        case 2:
            p.grant.a = carol;
            break;
        case 3:
            p.grant.session_a++;
            break;
        case 4:
            p.grant.session_b++;
            break;
        case 5:
            p.grant.suite = SUITE_AES_256_GCM;
            break;
        case 6:
            p.grant.time++;
            break;
        case 7:
            p.key[31] ^= 1;
            break;
        }
        p.bob = epoch_new(&p.grant, &p.grant.b);
        assert_non_null(p.alice);
        assert_non_null(p.bob);
        seal(p.alice, "never heard", &letter);
        letter.m.conversation = epoch_conversation(p.bob);
        letter.m.epoch = epoch_number(p.bob);
        assert_int_equal(open_letter(p.bob, &letter, ""), -1);
        pair_close(&p);
    }
}

/* ---- grants that make no sense ---- */

static void assert_no_epoch(const struct message_grant *grant, const struct name *self)
{
    struct epoch *epoch = epoch_new(grant, self);
    assert_null(epoch);
}

static void a_grant_for_others_or_for_one_alone_gives_no_epoch(void **state)
{
    (void)state;
    struct pair p;
    struct name carol;

    assert_int_equal(name_from_string("carol", &carol), 0);
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        pair_grant(&p, &suites[s]);
        assert_no_epoch(&p.grant, &carol);
        p.grant.b = p.grant.a;
        assert_no_epoch(&p.grant, &p.grant.a);
        assert_no_epoch(&p.grant, &carol);
    }
}

static void an_unknown_suite_gives_no_epoch(void **state)
{
    (void)state;
    struct pair p;

    pair_grant(&p, &suites[0]);
    p.grant.suite = 4;
    assert_no_epoch(&p.grant, &p.grant.a);
    p.grant.suite = 0;
    assert_no_epoch(&p.grant, &p.grant.a);
}

static void a_key_of_the_wrong_length_gives_no_epoch(void **state)
{
    (void)state;
    struct pair p;

    for (size_t s = 0; s < SUITE_COUNT; s++) {
        for (size_t len = 0; len <= SUITE_ISSUED_KEY_MAX; len++) {
            pair_grant(&p, &suites[s]);
            if (len == suites[s].issued_key_len)
                continue;
            p.grant.key.len = len;
            assert_no_epoch(&p.grant, &p.grant.a);
        }
    }
}

static void a_bad_triple_des_key_gives_no_epoch(void **state)
{
    (void)state;
    static const uint8_t weak[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };
    static const uint8_t semi_weak[8] = { 0x01, 0xfe, 0x01, 0xfe, 0x01, 0xfe, 0x01, 0xfe };
    struct pair p;

    for (size_t i = 0; i < 3; i++) {
        const struct suite *suite = suite_by_id(SUITE_3DES_CBC_HMAC_SHA512);
        pair_grant(&p, suite);
        memcpy(p.key + 8 * i, weak, 8);
        assert_no_epoch(&p.grant, &p.grant.a);
        memcpy(p.key + 8 * i, semi_weak, 8);
        assert_no_epoch(&p.grant, &p.grant.a);
        pair_grant(&p, suite);
        memcpy(p.key + 8 * i, p.key + 8 * ((i + 1) % 3), 8);
        assert_no_epoch(&p.grant, &p.grant.b);
        pair_grant(&p, suite);
        p.key[8 * i] ^= 1; /* parity */
        assert_no_epoch(&p.grant, &p.grant.b);
    }
}

static void nothing_secret_stays_allocated(void **state)
{
    (void)state;
    static struct letter letter;
    size_t before = secret_stats().used;
    struct pair p;

    pair_open(&p, &suites[0]);
    seal(p.alice, "text", &letter);
    assert_int_equal(open_letter(p.bob, &letter, "text"), 0);
    pair_close(&p);
    assert_null(p.alice);
    assert_int_equal(secret_stats().used, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_says_the_other_hears_in_every_suite),
        cmocka_unit_test(every_kind_of_content_arrives),
        cmocka_unit_test(content_that_is_not_valid_is_not_sealed),
        cmocka_unit_test(a_message_out_of_turn_changes_nothing),
        cmocka_unit_test(every_flipped_bit_is_refused_and_changes_nothing),
        cmocka_unit_test(a_wrong_length_is_refused_and_changes_nothing),
        cmocka_unit_test(ones_own_message_reflected_back_is_refused),
        cmocka_unit_test(authentic_nonsense_is_refused_and_changes_nothing),
        cmocka_unit_test(a_used_chain_is_gone),
        cmocka_unit_test(an_epoch_that_stopped_sending_still_receives),
        cmocka_unit_test(each_field_of_the_grant_is_in_the_keys),
        cmocka_unit_test(a_grant_for_others_or_for_one_alone_gives_no_epoch),
        cmocka_unit_test(an_unknown_suite_gives_no_epoch),
        cmocka_unit_test(a_key_of_the_wrong_length_gives_no_epoch),
        cmocka_unit_test(a_bad_triple_des_key_gives_no_epoch),
        cmocka_unit_test(nothing_secret_stays_allocated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
