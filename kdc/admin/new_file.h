/*
 * new_file.h: a file that takes its place only once it is complete: a new one beside it, for its owner only. One at a time.
 */
#ifndef KDC_ADMIN_NEW_FILE_H
#define KDC_ADMIN_NEW_FILE_H

#include "kdc/admin/command.h"

#include <stdio.h>

/* NULL, and it has complained. A signal that ends the program takes it away. */
FILE *new_file_make(const char *path);
/* Puts it in its place when all is well (`code` EXIT_DONE), else takes it away. `code`, or it has complained. */
enum exit_code new_file_end(FILE *out, const char *path, enum exit_code code);

#endif
