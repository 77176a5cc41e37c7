/* kdc-chat's options, commands, exit codes, and the commands of its chat. */
#include "client/cli/chat.h"
#include "client/cli/command.h"
#include "client/cli/exit_code.h"
#include "client/cli/options.h"
#include "crypto/dh.h"
#include "crypto/suite.h"
#include "scripts/manual/tables.h"

/* The words that the list of such an option is made of. */
static json_t *values_json(enum option_id id)
{
    json_t *values = json_array();
    for (size_t i = 0; id == OPTION_GROUP && i < DH_GROUP_COUNT; i++) {
        (void)json_array_append_new(values, json_string(dh_groups[i].name));
    }
    for (size_t i = 0; id == OPTION_SUITE && i < SUITE_COUNT; i++) {
        (void)json_array_append_new(values, json_string(suites[i].name));
    }
    return values;
}

static json_t *chat_option_json(enum option_id id)
{
    const struct option_description *option = &option_table[id];
    json_t *json = option_json(option->name, option->letter, option->argument, option->doc);
    (void)json_object_set_new(json, "own", json_boolean(option->environment == NULL));
    if (option->environment != NULL) {
        (void)json_object_set_new(json, "environment", json_string(option->environment));
    }
    (void)json_object_set_new(json, "values", values_json(id));
    return json;
}

static json_t *command_json(const struct command *command)
{
    json_t *options = json_array();
    for (unsigned id = 0; id < OPTION_ID_COUNT; id++) {
        if ((command->own_options & 1U << id) != 0) {
            (void)json_array_append_new(options, json_string(option_table[id].name));
        }
    }
    return json_pack("{s:[s], s:s, s:s, s:o}", "words", command->name, "arguments", command->arguments, "doc",
                     command->doc, "options", options);
}

json_t *chat_tables(void)
{
    json_t *options = json_array();
    json_t *list = json_array();
    json_t *slashes = json_array();
    json_t *codes = json_array();
    for (unsigned id = 0; id < OPTION_ID_COUNT; id++) {
        (void)json_array_append_new(options, chat_option_json((enum option_id)id));
    }
    argp_own_options_add(options);
    for (const struct command *command = command_table; command->name != NULL; command++) {
        (void)json_array_append_new(list, command_json(command));
    }
    for (const struct chat_command *command = chat_commands; command->name != NULL; command++) {
        (void)json_array_append_new(slashes, json_pack("{s:s, s:s, s:s}", "name", command->name, "arguments",
                                                       command->arguments, "doc", command->doc));
    }
    for (const struct exit_code_description *one = exit_code_table; one->doc != NULL; one++) {
        (void)json_array_append_new(codes, exit_code_json((int)one->code, one->doc));
    }
    return json_pack("{s:o, s:o, s:o, s:o}", "options", options, "commands", list, "chat_commands", slashes,
                     "exit_codes", codes);
}
