#include "kdc/store_internal.h"

#include <stdarg.h>
#include <stdio.h>

void store_text_add(struct store_text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int len = vsnprintf(text->at, text->left, format, arguments);
    va_end(arguments);
    text->cut = text->cut || len < 0 || (size_t)len >= text->left;
    if (text->cut) {
        text->left = 0; /* nothing more: what came behind a gap would be another text */
        return;
    }
    text->at += len;
    text->left -= (size_t)len;
}
