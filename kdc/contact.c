#include "kdc/contact.h"

#include <string.h>

#define LABEL_MAX 63

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Atoms with single dots between them. */
static bool local_valid(const char *text, size_t len)
{
    bool dot = true; /* the character before, or none: no dot may follow */
    for (size_t i = 0; i < len; i++) {
        const char c = text[i];
        if (c == '.' ? dot : !is_letter(c) && !is_digit(c) && (c == '\0' || strchr("!#$%&'*+-/=?^_`{|}~", c) == NULL))
            return false;
        dot = c == '.';
    }
    return len <= EMAIL_LOCAL_MAX && !dot;
}

static bool label_valid(const char *text, size_t len)
{
    if (len == 0 || len > LABEL_MAX || text[0] == '-' || text[len - 1] == '-')
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!is_letter(text[i]) && !is_digit(text[i]) && text[i] != '-')
            return false;
    }
    return true;
}

/* The last label isn't a number: that would be an address. */
static bool domain_valid(const char *domain)
{
    size_t labels = 0;
    bool number = true;
    for (const char *label = domain;; label++) {
        const size_t len = strcspn(label, ".");
        if (!label_valid(label, len))
            return false;
        labels++;
        number = strspn(label, "0123456789") >= len;
        label += len;
        if (*label == '\0')
            return labels >= 2 && !number;
    }
}

int email_parse(struct bytes typed, struct email *email)
{
    email->text[0] = '\0';
    if (typed.len == 0 || typed.len > EMAIL_LEN_MAX || memchr(typed.data, '\0', typed.len) != NULL)
        return -1;
    char text[EMAIL_LEN_MAX + 1];
    memcpy(text, typed.data, typed.len);
    text[typed.len] = '\0';
    char *at = strchr(text, '@');
    if (at == NULL || !local_valid(text, (size_t)(at - text)) || !domain_valid(at + 1))
        return -1;
    for (char *c = at + 1; *c != '\0'; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
    memcpy(email->text, text, typed.len + 1);
    return 0;
}

int phone_parse(struct bytes typed, struct phone *phone)
{
    char text[sizeof phone->text];
    size_t len = 0;
    phone->text[0] = '\0';
    if (typed.len == 0 || typed.data[0] != '+')
        return -1;
    text[len++] = '+';
    for (size_t i = 1; i < typed.len; i++) {
        const char c = (char)typed.data[i];
        if (c == ' ' || c == '-' || c == '.' || c == '(' || c == ')')
            continue;
        if (!is_digit(c) || (len == 1 && c == '0') || len == 1 + PHONE_DIGITS_MAX)
            return -1;
        text[len++] = c;
    }
    if (len < 1 + PHONE_DIGITS_MIN)
        return -1;
    text[len] = '\0';
    memcpy(phone->text, text, len + 1);
    return 0;
}
