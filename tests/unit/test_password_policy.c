/* Which passwords are taken: what crypto demands, length, the list, the name. */
#include "kdc/password_policy.h"
#include "tests/unit/cmocka_all.h"
#include "wire/name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[64];

static struct password_policy *policy_of(unsigned min, const char *list)
{
    char error[256] = "";
    struct password_policy *policy = password_policy_new(min, list, error, sizeof error);
    assert_string_equal(error, "");
    assert_non_null(policy);
    return policy;
}

static void write_list(const void *bytes, size_t len)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static enum reason judge(const struct password_policy *policy, const char *name, const char *password)
{
    struct name parsed = { "" };
    if (name != NULL) {
        assert_int_equal(name_from_string(name, &parsed), 0);
    }
    return password_policy_judge(policy, name != NULL ? &parsed : NULL,
                                 (struct bytes){ (const uint8_t *)password, strlen(password) });
}

static void what_any_password_must_be_comes_first(void **state)
{
    (void)state;
    struct password_policy *policy = policy_of(12, "");
    const char over[] = "xyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyx";
    assert_int_equal(strlen(over), 73);
    assert_int_equal(judge(policy, NULL, "1234567"), REASON_PASSWORD_SHORT);
    assert_int_equal(judge(policy, NULL, over), REASON_PASSWORD_LONG);
    assert_int_equal(judge(policy, NULL, over + 1), REASON_NONE);
    assert_int_equal(judge(policy, NULL, "caf\xe9 caf\xe9 caf\xe9"), REASON_PASSWORD_UTF8);
    assert_int_equal(password_policy_judge(policy, NULL, (struct bytes){ (const uint8_t *)"nul nul\0nul nul", 15 }),
                     REASON_PASSWORD_NUL);
    assert_int_equal(judge(policy, NULL, "elevenbytes"), REASON_PASSWORD_SHORT);
    assert_int_equal(judge(policy, NULL, "twelve bytes"), REASON_NONE);
    assert_int_equal(password_policy_min(policy), 12);
    password_policy_unref(&policy);
    assert_null(policy);
}

static void without_a_policy_any_password_goes_that_may_be_one(void **state)
{
    (void)state;
    assert_int_equal(judge(NULL, "password", "password"), REASON_NONE);
    assert_int_equal(judge(NULL, "alice", "1234567"), REASON_PASSWORD_SHORT);
    assert_int_equal(password_policy_min(NULL), 8);
}

static void the_commonest_ones_are_built_in(void **state)
{
    (void)state;
    static const char *const common[] = { "password", "PassWord", "12345678", "qwertyuiop", "QWERTY123",
                                          "iloveyou", "letmein1", "00000000", "zxcvbnm123", "p@ssw0rd" };
    static const char *const others[] = { "correct horse", "passwore",    "passwor!",
                                          "password12345", "1234567890a", "zzzzzzzz" };
    struct password_policy *policy = policy_of(8, "");
    for (size_t i = 0; i < sizeof common / sizeof common[0]; i++) {
        assert_int_equal(judge(policy, NULL, common[i]), REASON_PASSWORD_COMMON);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_int_equal(judge(policy, NULL, others[i]), REASON_NONE);
    }
    password_policy_unref(&policy);
}

static void a_file_takes_the_place_of_the_built_in_list(void **state)
{
    (void)state;
    static const char list[] =
        "#!comment: the worst\r\n\nHunter two two\r\n# 12345678\nz\xc3\xbcrich zoo\nlast of them";
    write_list(list, sizeof list - 1);
    struct password_policy *policy = policy_of(8, path);
    assert_int_equal(judge(policy, NULL, "hunter TWO two"), REASON_PASSWORD_COMMON);
    assert_int_equal(judge(policy, NULL, "# 12345678"), REASON_PASSWORD_COMMON);
    assert_int_equal(judge(policy, NULL, "Z\xc3\xbcrich zoo"), REASON_PASSWORD_COMMON);
    assert_int_equal(judge(policy, NULL, "Last of them"), REASON_PASSWORD_COMMON);
    assert_int_equal(judge(policy, NULL, "last of the"), REASON_NONE);
    assert_int_equal(judge(policy, NULL, "#!comment: the worst"), REASON_NONE);
    assert_int_equal(judge(policy, NULL, "password"), REASON_NONE);
    password_policy_unref(&policy);

    write_list("", 0);
    policy = policy_of(8, path);
    assert_int_equal(judge(policy, NULL, "password"), REASON_NONE);
    password_policy_unref(&policy);
}

static void every_entry_of_a_long_list_is_found(void **state)
{
    (void)state;
    const size_t count = 5000;
    char *text = malloc(count * 20);
    size_t len = 0;
    assert_non_null(text);
    for (size_t i = 0; i < count; i++) {
        len += (size_t)sprintf(text + len, "%zu-Entry\n", (i * 7919) % count + 10000);
    }
    write_list(text, len);
    free(text);
    struct password_policy *policy = policy_of(8, path);
    for (size_t i = 10000; i < 10000 + count; i++) {
        char one[32];
        (void)snprintf(one, sizeof one, "%zu-eNTRY", i);
        assert_int_equal(judge(policy, NULL, one), REASON_PASSWORD_COMMON);
        (void)snprintf(one, sizeof one, "%zu-entrz", i);
        assert_int_equal(judge(policy, NULL, one), REASON_NONE);
    }
    password_policy_unref(&policy);
}

static void ones_own_name_stands_in_no_password(void **state)
{
    (void)state;
    struct password_policy *policy = policy_of(8, "");
    assert_int_equal(judge(policy, "alice", "alice's cat"), REASON_PASSWORD_COMMON);
    assert_int_equal(judge(policy, "alice", "the ALIce of old"), REASON_PASSWORD_COMMON);
    assert_int_equal(judge(policy, "alice", "I am malice"), REASON_PASSWORD_COMMON);
    assert_int_equal(judge(policy, "alice", "not alic e"), REASON_NONE);
    assert_int_equal(judge(policy, "bob", "bob's your uncle"), REASON_NONE); /* three letters are in many words */
    assert_int_equal(judge(policy, "anna", "banana split"), REASON_NONE);
    assert_int_equal(judge(policy, "anna", "hosanna heysanna"), REASON_PASSWORD_COMMON);
    assert_int_equal(judge(policy, NULL, "alice's cat"), REASON_NONE);
    password_policy_unref(&policy);
}

static void refuses(const char *list, const char *why)
{
    char error[256] = "";
    assert_null(password_policy_new(8, list, error, sizeof error));
    assert_non_null(strstr(error, list));
    assert_non_null(strstr(error, why));
}

static void a_list_that_cant_be_read_is_no_policy(void **state)
{
    (void)state;
    refuses("/nonexistent/list", "No such file");
    refuses("/tmp", "regular file");
    refuses("/dev/zero", "regular file");
    write_list("one two three\nfour\0five\n", 24);
    refuses(path, "NUL");
    assert_int_equal(truncate(path, 64 * 1024 * 1024 + 1), 0);
    refuses(path, "64 MiB");
}

static void whoever_holds_it_keeps_it(void **state)
{
    (void)state;
    struct password_policy *one = policy_of(8, "");
    struct password_policy *other = password_policy_ref(one);
    password_policy_unref(&one);
    assert_int_equal(judge(other, NULL, "password"), REASON_PASSWORD_COMMON);
    password_policy_unref(&other);
    password_policy_unref(&other);
    assert_null(password_policy_ref(NULL));
}

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(path, sizeof path, "/tmp/password_list.%ld", (long)getpid());
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(path);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_any_password_must_be_comes_first),
        cmocka_unit_test(without_a_policy_any_password_goes_that_may_be_one),
        cmocka_unit_test(the_commonest_ones_are_built_in),
        cmocka_unit_test(a_file_takes_the_place_of_the_built_in_list),
        cmocka_unit_test(every_entry_of_a_long_list_is_found),
        cmocka_unit_test(ones_own_name_stands_in_no_password),
        cmocka_unit_test(a_list_that_cant_be_read_is_no_policy),
        cmocka_unit_test(whoever_holds_it_keeps_it),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
