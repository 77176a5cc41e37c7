/* test_known_kdcs.c: the file of known KDCs: what is written is found, what can't be read is never written. */
#include "client/known_kdcs.h"
#include "tests/unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
    char folder[64];
    char inner[128];
    char path[192];
};

static struct place *new_place(void)
{
    struct place *place = calloc(1, sizeof(*place));
    assert_non_null(place);
    (void)snprintf(place->folder, sizeof(place->folder), "/tmp/known_kdcs.XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    (void)snprintf(place->inner, sizeof(place->inner), "%s/a/b", place->folder);
    (void)snprintf(place->path, sizeof(place->path), "%s/known_kdcs", place->inner);
    return place;
}

static void end_place(struct place *place)
{
    char above[128];
    (void)snprintf(above, sizeof(above), "%s/a", place->folder);
    (void)unlink(place->path);
    /* Fails when a temporary file was left behind. */
    if (access(place->inner, F_OK) == 0)
        assert_int_equal(rmdir(place->inner), 0);
    if (access(above, F_OK) == 0)
        assert_int_equal(rmdir(above), 0);
    assert_int_equal(rmdir(place->folder), 0);
    free(place);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fputs(text, file) >= 0, 1);
    assert_int_equal(fclose(file), 0);
}

static void assert_file(const char *path, const char *text)
{
    char data[2048];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t len = fread(data, 1, sizeof(data) - 1, file);
    data[len] = '\0';
    assert_int_equal(fclose(file), 0);
    assert_string_equal(data, text);
}

static void make_inner(const struct place *place)
{
    char above[128];
    (void)snprintf(above, sizeof(above), "%s/a", place->folder);
    assert_int_equal(mkdir(above, 0700), 0);
    assert_int_equal(mkdir(place->inner, 0700), 0);
}

#define KEY_A "0101010101010101010101010101010101010101010101010101010101010101"
#define KEY_B "abababababababababababababababababababababababababababababababab"

static void what_was_put_is_found(void **state)
{
    (void)state;
    struct place *place = new_place();
    char error[KNOWN_KDCS_ERROR_LEN] = "";
    uint8_t a[IDENTITY_PUBLIC_LEN], b[IDENTITY_PUBLIC_LEN], found[IDENTITY_PUBLIC_LEN];
    struct stat info;
    memset(a, 1, sizeof(a));
    memset(b, 0xab, sizeof(b));

    assert_int_equal(known_kdcs_find(place->path, "localhost:1", found, error), KNOWN_KDCS_NONE);
    assert_int_equal(known_kdcs_put(place->path, "localhost:1", a, error), 0);
    assert_int_equal(known_kdcs_put(place->path, "[::1]:19268", b, error), 0);
    assert_int_equal(known_kdcs_find(place->path, "localhost:1", found, error), KNOWN_KDCS_FOUND);
    assert_memory_equal(found, a, sizeof(a));
    assert_int_equal(known_kdcs_find(place->path, "[::1]:19268", found, error), KNOWN_KDCS_FOUND);
    assert_memory_equal(found, b, sizeof(b));
    assert_int_equal(known_kdcs_find(place->path, "localhost:11", found, error), KNOWN_KDCS_NONE);
    assert_file(place->path, "localhost:1 ed25519 " KEY_A "\n[::1]:19268 ed25519 " KEY_B "\n");

    assert_int_equal(stat(place->path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    assert_int_equal(stat(place->inner, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0700);

    assert_int_equal(known_kdcs_put(place->path, "localhost:1", b, error), 0);
    assert_file(place->path, "localhost:1 ed25519 " KEY_B "\n[::1]:19268 ed25519 " KEY_B "\n");
    end_place(place);
}

static void comments_and_other_lines_stay(void **state)
{
    (void)state;
    struct place *place = new_place();
    char error[KNOWN_KDCS_ERROR_LEN] = "";
    uint8_t b[IDENTITY_PUBLIC_LEN];
    memset(b, 0xab, sizeof(b));
    make_inner(place);
    write_file(place->path, "# mine\n\nkdc.example:19268 ed25519 " KEY_A);
    assert_int_equal(known_kdcs_put(place->path, "other:1", b, error), 0);
    assert_file(place->path, "# mine\n\nkdc.example:19268 ed25519 " KEY_A "\nother:1 ed25519 " KEY_B "\n");
    end_place(place);
}

static void a_line_that_cant_be_read_is_named_and_the_file_kept(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "kdc:1 ed25519\n",
        "kdc:1 ed25519 " KEY_A "0\n",
        "kdc:1 ed25519 0" KEY_A "\n",
        "kdc:1 rsa2048 " KEY_A "\n",
        "kdc:1  ed25519 " KEY_A "\n",
        " kdc:1 ed25519 " KEY_A "\n",
        "kdc ed25519 " KEY_A "\n",
        "kdc:1 ed25519 g101010101010101010101010101010101010101010101010101010101010101\n",
        "kdc:1 ed25519 " KEY_A " \n",
        "x:1 ed25519 " KEY_A "\n",
        "\tnothing\n",
    };
    struct place *place = new_place();
    uint8_t key[IDENTITY_PUBLIC_LEN] = { 0 };
    make_inner(place);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char error[KNOWN_KDCS_ERROR_LEN] = "";
        char text[512];
        (void)snprintf(text, sizeof(text), "x:1 ed25519 %s\n# comment\n%s", KEY_A, bad[i]);
        write_file(place->path, text);
        assert_int_equal(known_kdcs_find(place->path, "x:1", key, error), KNOWN_KDCS_FAILED);
        assert_non_null(strstr(error, "line 3"));
        assert_non_null(strstr(error, place->path));
        error[0] = '\0';
        assert_int_equal(known_kdcs_put(place->path, "x:1", key, error), -1);
        assert_non_null(strstr(error, "line 3"));
        assert_file(place->path, text);
    }
    end_place(place);
}

static void an_address_that_would_spoil_the_file_is_refused(void **state)
{
    (void)state;
    struct place *place = new_place();
    char error[KNOWN_KDCS_ERROR_LEN] = "";
    uint8_t key[IDENTITY_PUBLIC_LEN] = { 0 };
    assert_int_equal(known_kdcs_put(place->path, "a b:1", key, error), -1);
    assert_int_equal(known_kdcs_put(place->path, "a\nb:1", key, error), -1);
    assert_int_equal(known_kdcs_put(place->path, "#a:1", key, error), -1);
    assert_int_equal(known_kdcs_put(place->path, "a", key, error), -1);
    assert_int_equal(access(place->path, F_OK), -1);
    end_place(place);
}

static void a_file_that_cant_be_read_is_an_error(void **state)
{
    (void)state;
    struct place *place = new_place();
    char error[KNOWN_KDCS_ERROR_LEN] = "";
    uint8_t key[IDENTITY_PUBLIC_LEN] = { 0 };
    /* A folder in the file's place can be read by nobody, root included. */
    assert_int_equal(known_kdcs_find(place->folder, "x:1", key, error), KNOWN_KDCS_FAILED);
    assert_non_null(strstr(error, place->folder));
    error[0] = '\0';
    assert_int_equal(known_kdcs_put("/proc/none/known_kdcs", "x:1", key, error), -1);
    assert_non_null(strstr(error, "/proc/none"));
    end_place(place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_found),
        cmocka_unit_test(comments_and_other_lines_stay),
        cmocka_unit_test(a_line_that_cant_be_read_is_named_and_the_file_kept),
        cmocka_unit_test(an_address_that_would_spoil_the_file_is_refused),
        cmocka_unit_test(a_file_that_cant_be_read_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
