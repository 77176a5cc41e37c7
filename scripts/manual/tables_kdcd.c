/* kdcd's options, exit codes, settings and figures. */
#include "kdc/figures.h"
#include "kdc/kdcd/exit_code.h"
#include "kdc/kdcd/options.h"
#include "kdc/settings.h"
#include "scripts/manual/tables.h"

#include <string.h>

static json_t *setting_json(const struct setting *setting)
{
    json_t *json = json_pack("{s:s, s:s, s:b, s:b, s:s}", "key", setting->key, "initial", setting->initial, "required",
                             setting->required, "reloadable", setting->reloadable, "doc", setting->doc);
    if (setting->type == SETTING_NUMBER) {
        (void)json_object_set_new(json, "min", json_integer(setting->min));
        (void)json_object_set_new(json, "max", json_integer(setting->max));
    }
    return json;
}

static json_t *section_json(const struct setting_section *section)
{
    json_t *keys = json_array();
    for (size_t i = 0; i < settings_count; i++) {
        if (strcmp(settings[i].section, section->name) == 0) {
            (void)json_array_append_new(keys, setting_json(&settings[i]));
        }
    }
    return json_pack("{s:s, s:s, s:o}", "name", section->name, "doc", section->doc, "settings", keys);
}

static json_t *figure_json(const struct figure *figure)
{
    static const char *const kinds[] = { "gauge", "counter", "histogram", "text" };
    return json_pack("{s:s, s:s, s:s?, s:b, s:s}", "name", figure->name, "kind", kinds[figure->kind], "label",
                     figure->label, "ours", figure->ours, "help", figure->help);
}

json_t *kdcd_tables(void)
{
    json_t *options = json_array();
    json_t *codes = json_array();
    json_t *sections = json_array();
    for (const struct argp_option *option = kdcd_option_table; option->name != NULL; option++) {
        (void)json_array_append_new(options, argp_option_json(option));
    }
    argp_own_options_add(options);
    for (const struct exit_code_description *one = kdcd_exit_codes; one->doc != NULL; one++) {
        (void)json_array_append_new(codes, exit_code_json((int)one->code, one->doc));
    }
    for (size_t i = 0; i < setting_sections_count; i++) {
        (void)json_array_append_new(sections, section_json(&setting_sections[i]));
    }
    json_t *figures = json_array();
    for (size_t i = 0; i < FIGURE_COUNT; i++) {
        (void)json_array_append_new(figures, figure_json(&figure_table[i]));
    }
    return json_pack("{s:o, s:o, s:o, s:o}", "options", options, "exit_codes", codes, "sections", sections, "figures",
                     figures);
}
