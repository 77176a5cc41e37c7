/*
 * tables.h: what the man pages and the shell completions are made from: the programs' own tables, as JSON. The rooms
 * of the three programs use the same names, so each is told in a file of its own.
 */
#ifndef SCRIPTS_MANUAL_TABLES_H
#define SCRIPTS_MANUAL_TABLES_H

#include <argp.h>
#include <jansson.h>

/* Each a new reference; NULL when memory is out. */
json_t *kdcd_tables(void);
json_t *admin_tables(void);
json_t *chat_tables(void);

/* ---- shared ---- */

/* An option; letter 0: it has none, argument NULL: it is a switch.. */
json_t *option_json(const char *name, int letter, const char *argument, const char *doc);
json_t *argp_option_json(const struct argp_option *option);
/* Adds what argp itself gives to every program. */
void argp_own_options_add(json_t *options);
json_t *exit_code_json(int code, const char *doc);

#endif
