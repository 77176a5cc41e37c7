/* Files of SQL taken apart into statements. */
#include "kdc/sql_files.h"
#include "kdc/sql_split.h"
#include "tests/unit/cmocka_all.h"

#include <stdio.h>
#include <string.h>

/* Splits `text`: the statements, each in brackets. Returns what the last call returned. */
static int split(const char *text, char out[1024])
{
    struct sql_split s;
    struct sql_statement statement;
    int more;
    size_t used = 0;
    out[0] = '\0';
    sql_split_start(&s, text, strlen(text));
    while ((more = sql_split_next(&s, &statement)) > 0)
        used += (size_t)snprintf(out + used, 1024 - used, "[%.*s]", (int)statement.len, statement.text);
    return more;
}

static void statements_end_where_the_client_ends_them(void **state)
{
    static const struct {
        const char *text;
        const char *statements;
    } cases[] = {
        { "", "" },
        { " \n-- nothing\n# at all\n/* really; */ ;;\n", "" },
        { "SELECT 1;\nSELECT 2 ;", "[SELECT 1][SELECT 2]" },
        { "SELECT ';', \"a;b\", `;`;", "[SELECT ';', \"a;b\", `;`]" },
        { "SELECT 'it''s;', '\\';', \"\\\";\", '\\\\';SELECT 2;",
          "[SELECT 'it''s;', '\\';', \"\\\";\", '\\\\'][SELECT 2]" },
        { "SELECT `a\\`;SELECT 2;", "[SELECT `a\\`][SELECT 2]" },
        { "SELECT 1 -- it's; here\n, 2;", "[SELECT 1 -- it's; here\n, 2]" },
        { "SELECT 1--1;", "[SELECT 1--1]" },
        { "SELECT /* ; ' */ 1 # ; '\n;", "[SELECT /* ; ' */ 1 # ; ']" },
        { "DELIMITER //\nBEGIN a; b; END//\nDELIMITER ;\nSELECT 1;", "[BEGIN a; b; END][SELECT 1]" },
        { "delimiter $$\r\nSELECT ';'$$\n  DELIMITER ;\n", "[SELECT ';']" },
        { "SELECT 6 / 2;", "[SELECT 6 / 2]" },
        { "SELECT 'DELIMITER //';", "[SELECT 'DELIMITER //']" },
    };
    char out[1024];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(split(cases[i].text, out), 0);
        assert_string_equal(out, cases[i].statements);
    }
}

static void what_isnt_ended_is_an_error(void **state)
{
    static const char *const texts[] = {
        "SELECT 1",
        "SELECT 'a;",
        "SELECT \"a;",
        "SELECT `a;",
        "/* a;",
        "SELECT 1 /* ;",
        "DELIMITER\n",
        "DELIMITER  \n",
        "DELIMITER //\nSELECT 1;\n",
        "DELIMITER 12345678\n",
        "SELECT 'a\\",
    };
    char out[1024];
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(split(texts[i], out), -1);
}

static void every_file_of_ours_comes_apart(void **state)
{
    (void)state;
    assert_true(sql_files_count > 10);
    for (const struct sql_file *file = sql_files; file->name != NULL; file++) {
        if (strcmp(strrchr(file->name, '.'), ".sql") != 0)
            continue; /* schema.txt holds no statements */
        struct sql_split s;
        struct sql_statement statement;
        size_t count = 0;
        int more;
        sql_split_start(&s, file->text, file->len);
        while ((more = sql_split_next(&s, &statement)) > 0)
            count++;
        assert_int_equal(more, 0);
        assert_true(count > 0);
        if (strncmp(file->name, "procedures/", 11) == 0)
            assert_int_equal(count, 2); /* DROP and CREATE */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statements_end_where_the_client_ends_them),
        cmocka_unit_test(what_isnt_ended_is_an_error),
        cmocka_unit_test(every_file_of_ours_comes_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
