/* Prints the tables of all three programs: what pages.py and completions.py read. */
#include "scripts/manual/tables.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>

json_t *option_json(const char *name, int letter, const char *argument, const char *doc)
{
    char text[2] = { (char)letter, '\0' };
    return json_pack("{s:s, s:s?, s:s?, s:s, s:b, s:n, s:[]}", "name", name, "letter", letter == 0 ? NULL : text,
                     "argument", argument, "doc", doc, "own", false, "environment", "values");
}

json_t *argp_option_json(const struct argp_option *option)
{
    return option_json(option->name, option->key < 256 && isprint(option->key) ? option->key : 0, option->arg,
                       option->doc);
}

void argp_own_options_add(json_t *options)
{
    (void)json_array_append_new(options, option_json("help", '?', NULL, "Give this help list"));
    (void)json_array_append_new(options, option_json("usage", 0, NULL, "Give a short usage message"));
    (void)json_array_append_new(options, option_json("version", 'V', NULL, "Print program version"));
}

json_t *exit_code_json(int code, const char *doc)
{
    return json_pack("{s:i, s:s}", "code", code, "doc", doc);
}

int main(void)
{
    json_t *all =
        json_pack("{s:o, s:o, s:o}", "kdcd", kdcd_tables(), "kdc-admin", admin_tables(), "kdc-chat", chat_tables());
    const bool done = all != NULL && json_dumpf(all, stdout, JSON_INDENT(1)) == 0 && fputc('\n', stdout) != EOF &&
                      fflush(stdout) == 0;
    json_decref(all);
    if (!done) {
        (void)fputs("tables: the tables could not be written\n", stderr);
    }
    return done ? 0 : 1;
}
