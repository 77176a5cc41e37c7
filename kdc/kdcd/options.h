/*
 * options.h: kdcd's command line: one table, from which the parser, the help and the manual come.
 */
#ifndef KDC_KDCD_OPTIONS_H
#define KDC_KDCD_OPTIONS_H

#include <argp.h>
#include <stdbool.h>

struct kdcd_options {
    const char *config_path; /* NULL only with `sample` */
    bool check;
    bool sample;
};

/* Ended by one of zeros. */
extern const struct argp_option kdcd_option_table[];

/* Ends the process when there is no more to do (--help, --version) or the command line is wrong. */
struct kdcd_options kdcd_options_parse(int argc, char **argv);

#endif
