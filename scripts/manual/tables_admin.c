/* kdc-admin's options, commands and exit codes. */
#include "kdc/admin/command.h"
#include "scripts/manual/tables.h"

static json_t *command_json(const struct command *command)
{
    json_t *options = json_array();
    for (const struct argp_option *option = admin_option_table; option->name != NULL; option++) {
        if ((command_option_by_key(option->key) & command->options) != 0) {
            (void)json_array_append_new(options, json_string(option->name));
        }
    }
    json_t *words =
        command->group == NULL ? json_pack("[s]", command->name) : json_pack("[s, s]", command->group, command->name);
    return json_pack("{s:o, s:s, s:s, s:o}", "words", words, "arguments",
                     command->argument == NULL ? "" : command->argument, "doc", command->doc, "options", options);
}

json_t *admin_tables(void)
{
    json_t *options = json_array();
    json_t *list = json_array();
    json_t *codes = json_array();
    for (const struct argp_option *option = admin_option_table; option->name != NULL; option++) {
        json_t *json = argp_option_json(option);
        (void)json_object_set_new(json, "own", json_boolean(command_option_by_key(option->key) != 0));
        (void)json_array_append_new(options, json);
    }
    argp_own_options_add(options);
    for (const struct command *command = commands; command->name != NULL; command++) {
        (void)json_array_append_new(list, command_json(command));
    }
    for (const struct exit_code_description *one = admin_exit_codes; one->doc != NULL; one++) {
        (void)json_array_append_new(codes, exit_code_json((int)one->code, one->doc));
    }
    return json_pack("{s:o, s:o, s:o}", "options", options, "commands", list, "exit_codes", codes);
}
