#include "kdc/mail_text.h"

#include "crypto/secret.h"
#include "wire/name.h"

#include <errno.h>
#include <inttypes.h>
#include <nettle/base64.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SUBJECT_FIELD "Subject: "
#define WORD_BYTES 45   /* of UTF-8 in one encoded word: 75 characters with what stands around it (RFC 2047) */
#define BASE64_BYTES 57 /* a line of 76 */

static const char built_in_activate[] =
    "Hello,\n"
    "\n"
    "somebody has made the account {name} with this address. If that was you,\n"
    "activate it with this code:\n"
    "\n"
    "    {code}\n"
    "\n"
    "It holds for {minutes} minutes. Type it where you registered; nobody will ever\n"
    "ask you for it by mail or telephone.\n"
    "\n"
    "If it wasn't you, do nothing: the account then goes away by itself.\n";

static const char built_in_deactivate[] =
    "Hello,\n"
    "\n"
    "somebody who is logged in as {name} wants to give up that account. If that is\n"
    "you, confirm it with this code:\n"
    "\n"
    "    {code}\n"
    "\n"
    "It holds for {minutes} minutes. Afterwards the account can't be used any more.\n"
    "\n"
    "If it isn't you, somebody knows your password: change it, and tell the\n"
    "server's operator.\n";

/* ---- templates ---- */

/* Why the template can't be used; NULL: it is in order. `text`: the whole file. */
static const char *template_take(struct mail_template *template, const char *text, size_t len)
{
    if (memchr(text, '\0', len) != NULL || !utf8_valid((struct bytes){ (const uint8_t *)text, len }))
        return "isn't UTF-8 text";
    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)text[i];
        if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
            return "holds a control character (lines end with a newline alone)";
    }
    const char *line = text;
    for (const char *end; (end = strchr(line, '\n')) != NULL || (end = strchr(line, '\0')) > line; line = end + 1) {
        if (end - line > MAIL_LINE_MAX)
            return "has a line of more than 800 bytes";
        if (*end == '\0')
            break;
    }
    const size_t field = sizeof SUBJECT_FIELD - 1;
    const char *end = strstr(text, "\n\n");
    if (strncmp(text, SUBJECT_FIELD, field) != 0 || end == NULL || memchr(text, '\n', (size_t)(end - text)) != NULL)
        return "must begin with a line 'Subject: ...' and an empty line";
    const size_t subject = (size_t)(end - text) - field;
    if (subject == 0 || subject >= sizeof template->subject || memchr(text, '\t', (size_t)(end - text)) != NULL)
        return "has a subject that is empty, too long (255 bytes), or with a tab in it";
    if (strstr(end, "{code}") == NULL)
        return "has no {code} in its text";
    memcpy(template->subject, text + field, subject);
    template->subject[subject] = '\0';
    (void)snprintf(template->text, sizeof template->text, "%s", end + 2);
    return NULL;
}

int mail_template_load(struct mail_template *template, const char *path, enum code_purpose purpose,
                       char error[MAILER_ERROR_MAX])
{
    char text[MAIL_TEMPLATE_MAX + 2];
    if (path[0] == '\0') {
        const bool activate = purpose == CODE_ACTIVATE;
        (void)snprintf(template->subject, sizeof template->subject, "%s",
                       activate ? "Your code for kdc-chat" : "Giving up your account of kdc-chat");
        (void)snprintf(template->text, sizeof template->text, "%s", activate ? built_in_activate : built_in_deactivate);
        return 0;
    }
    FILE *file = fopen(path, "re");
    size_t len = file == NULL ? 0 : fread(text, 1, sizeof text - 1, file);
    const bool failed = file == NULL || ferror(file) != 0;
    if (failed)
        (void)snprintf(error, MAILER_ERROR_MAX, "the mail template %s can't be read: %s", path, strerror(errno));
    if (file != NULL)
        (void)fclose(file);
    if (failed)
        return -1;
    text[len] = '\0';
    const char *wrong = len > MAIL_TEMPLATE_MAX ? "is longer than 8192 bytes" : template_take(template, text, len);
    if (wrong != NULL)
        (void)snprintf(error, MAILER_ERROR_MAX, "the mail template %s %s", path, wrong);
    return wrong == NULL ? 0 : -1;
}

/* ---- a mail ---- */

struct writing {
    char *at;
    char *end;
    bool full;
};

static void put_bytes(struct writing *w, const char *data, size_t len)
{
    if ((size_t)(w->end - w->at) < len) {
        w->full = true;
        return;
    }
    memcpy(w->at, data, len);
    w->at += len;
}

static void put(struct writing *w, const char *text)
{
    put_bytes(w, text, strlen(text));
}

__attribute__((format(printf, 2, 3))) static void put_format(struct writing *w, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    put(w, text);
    secret_wipe(text, sizeof text);
}

static bool is_ascii(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text >= 0x80)
            return false;
    }
    return true;
}

static void put_base64(struct writing *w, const char *data, size_t len)
{
    char out[BASE64_ENCODE_RAW_LENGTH(BASE64_BYTES)];
    base64_encode_raw(out, len, (const uint8_t *)data);
    put_bytes(w, out, BASE64_ENCODE_RAW_LENGTH(len));
    secret_wipe(out, sizeof out);
}

/* As it is when it is ASCII, else in encoded words, none of which splits a character. */
static void put_subject(struct writing *w, const char *subject)
{
    put(w, SUBJECT_FIELD);
    if (is_ascii(subject)) {
        put(w, subject);
    } else {
        while (*subject != '\0') {
            size_t len = strnlen(subject, WORD_BYTES);
            while (len > 0 && ((unsigned char)subject[len] & 0xc0) == 0x80)
                len--;
            put(w, "=?UTF-8?B?");
            put_base64(w, subject, len);
            subject += len;
            put(w, *subject != '\0' ? "?=\r\n " : "?=");
        }
    }
    put(w, "\r\n");
}

/* The text with what is known in the place of {name}, {code} and {minutes}. Newlines become CR LF. */
static void put_text(struct writing *w, const char *text, const struct letter *letter)
{
    char minutes[16];
    (void)snprintf(minutes, sizeof minutes, "%u", letter->minutes);
    const struct {
        const char *mark;
        const char *value;
    } values[] = { { "{name}", letter->name.text }, { "{code}", letter->code }, { "{minutes}", minutes } };
    while (*text != '\0') {
        size_t passed = 0;
        for (size_t i = 0; i < sizeof values / sizeof values[0] && passed == 0; i++) {
            if (strncmp(text, values[i].mark, strlen(values[i].mark)) == 0) {
                put(w, values[i].value);
                passed = strlen(values[i].mark);
            }
        }
        if (passed == 0) {
            put_bytes(w, *text == '\n' ? "\r\n" : text, *text == '\n' ? 2 : 1);
            passed = 1;
        }
        text += passed;
    }
    put(w, "\r\n"); /* whatever the last line ends with */
}

/* RFC 5322 section 3.3, in English whatever the locale is. */
static void put_date(struct writing *w, uint64_t time)
{
    static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char months[][4] = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
    };
    const time_t seconds = (time_t)time;
    struct tm utc = { 0 };
    (void)gmtime_r(&seconds, &utc);
    put_format(w, "Date: %s, %02d %s %04d %02d:%02d:%02d +0000\r\n", days[utc.tm_wday], utc.tm_mday, months[utc.tm_mon],
               1900 + utc.tm_year, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

size_t mail_compose(const struct mail_template *template, const struct letter *letter, const struct mail_frame *frame,
                    char out[MAIL_MAX])
{
    char text[MAIL_MAX / 2] = { 0 }; /* secret */
    struct writing body = { .at = text, .end = text + sizeof text - 1 };
    struct writing w = { .at = out, .end = out + MAIL_MAX };
    const char *at = strchr(frame->from, '@');
    put_text(&body, template->text, letter);
    *body.at = '\0';
    const bool ascii = is_ascii(text);

    put_format(&w, "From: <%s>\r\n", frame->from);
    put_format(&w, "To: <%s>\r\n", letter->to.text);
    put_subject(&w, template->subject);
    put_date(&w, frame->time);
    put_format(&w, "Message-ID: <%016" PRIx64 "%016" PRIx64 "%s>\r\n", frame->number[0], frame->number[1],
               at != NULL ? at : "@localhost");
    /* No program is to answer it (RFC 3834). */
    put(&w, "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n");
    put_format(&w, "Content-Transfer-Encoding: %s\r\n\r\n", ascii ? "7bit" : "base64");
    const size_t len = (size_t)(body.at - text);
    if (ascii) {
        put_bytes(&w, text, len);
    } else {
        for (size_t i = 0; i < len; i += BASE64_BYTES) {
            put_base64(&w, text + i, len - i < BASE64_BYTES ? len - i : BASE64_BYTES);
            put(&w, "\r\n");
        }
    }
    const bool full = w.full || body.full;
    secret_wipe(text, sizeof text);
    return full ? 0 : (size_t)(w.at - out);
}
