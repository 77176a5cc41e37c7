/* docs/test-vector.txt, line by line against the code. `test_vector --write FILE` makes the file. */
#include "tests/unit/vector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define VECTOR_FILE "docs/test-vector.txt"

static void every_line_of_the_document_is_what_the_code_does(void **state)
{
    (void)state;
    char *made = NULL, *expected = NULL, *found = NULL;
    size_t made_len = 0, expected_room = 0, found_room = 0;
    size_t lines = 0;

    FILE *memory = open_memstream(&made, &made_len);
    assert_non_null(memory);
    assert_int_equal(vector_write(memory), 0);
    assert_int_equal(fclose(memory), 0);

    FILE *document = fopen(VECTOR_FILE, "r");
    if (document == NULL)
        fail_msg("%s can't be read: run this from the checkout's root", VECTOR_FILE);
    memory = fmemopen(made, made_len, "r");
    assert_non_null(memory);
    while (getline(&expected, &expected_room, memory) >= 0) {
        lines++;
        if (getline(&found, &found_room, document) < 0)
            fail_msg("%s ends before line %zu", VECTOR_FILE, lines);
        if (strcmp(expected, found) != 0)
            fail_msg("%s line %zu is\n%sbut the code says\n%s", VECTOR_FILE, lines, found, expected);
    }
    assert_true(getline(&found, &found_room, document) < 0); /* nothing more */
    assert_true(lines > 100);
    fclose(memory);
    fclose(document);
    free(expected);
    free(found);
    free(made);
}

static int write_file(const char *path)
{
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        perror(path);
        return EXIT_FAILURE;
    }
    int result = vector_write(file);
    return fclose(file) == 0 && result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_line_of_the_document_is_what_the_code_does),
    };
    if (argc == 3 && strcmp(argv[1], "--write") == 0)
        return write_file(argv[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
