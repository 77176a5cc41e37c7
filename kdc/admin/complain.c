#include "kdc/admin/command.h"
#include "kdc/admin/output.h"

#include <stdarg.h>
#include <stdio.h>

enum exit_code complain(enum exit_code code, const char *format, ...)
{
    char text[2048];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    (void)fputs("kdc-admin: ", stderr);
    text_print(stderr, text);
    (void)fputc('\n', stderr);
    return code;
}

enum exit_code complain_store(struct store *store, enum store_result result, const char *what)
{
    return complain(result == STORE_UNAVAILABLE ? EXIT_DATABASE
                    : result == STORE_NOT_FOUND ? EXIT_NOT_FOUND
                                                : EXIT_OTHER,
                    "%s: %s", what, store_error(store));
}
