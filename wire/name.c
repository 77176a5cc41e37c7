#include "wire/name.h"

#include <string.h>
#include <utf8proc.h>

static bool letter_or_digit(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

int name_parse(struct bytes typed, struct name *name)
{
    memset(name, 0, sizeof(*name));
    if (typed.len < 1 || typed.len > NAME_LEN_MAX)
        return -1;
    for (size_t i = 0; i < typed.len; i++) {
        uint8_t c = typed.data[i];
        if (c >= 'A' && c <= 'Z')
            c = (uint8_t)(c - 'A' + 'a');
        bool mark = c == '.' || c == '_' || c == '-';
        if (!letter_or_digit(c) && !(mark && i > 0)) {
            memset(name, 0, sizeof(*name));
            return -1;
        }
        name->text[i] = (char)c;
    }
    return 0;
}

int name_from_string(const char *typed, struct name *name)
{
    struct bytes bytes = { .data = (const uint8_t *)typed, .len = strnlen(typed, NAME_LEN_MAX + 1) };
    return name_parse(bytes, name);
}

bool name_equal(const struct name *a, const struct name *b)
{
    return strncmp(a->text, b->text, sizeof(a->text)) == 0;
}

enum reason password_check(struct bytes password)
{
    if (password.len < PASSWORD_LEN_MIN)
        return REASON_PASSWORD_SHORT;
    if (password.len > PASSWORD_LEN_MAX)
        return REASON_PASSWORD_LONG;
    if (memchr(password.data, 0, password.len) != NULL)
        return REASON_PASSWORD_NUL;
    return utf8_valid(password) ? REASON_NONE : REASON_PASSWORD_UTF8;
}

bool utf8_valid(struct bytes text)
{
    size_t at = 0;
    while (at < text.len) {
        utf8proc_int32_t codepoint;
        utf8proc_ssize_t taken = utf8proc_iterate(text.data + at, (utf8proc_ssize_t)(text.len - at), &codepoint);
        if (taken <= 0)
            return false;
        at += (size_t)taken;
    }
    return true;
}

bool text_valid(struct bytes text)
{
    return text.len >= 1 && text.len <= TEXT_LEN_MAX && utf8_valid(text);
}
