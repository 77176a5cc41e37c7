#include "kdc/config.h"

#include "kdc/contact.h"
#include "kdc/setting_value.h"

#include <errno.h>
#include <ini.h>
#include <string.h>

#define SETTINGS_MAX 128 /* more than the table has */

struct loading {
    const char *path;
    struct config *config;
    char *error;
    FILE *file;
    unsigned line;                /* of what is being read */
    unsigned error_line;          /* of what error tells */
    unsigned lines[SETTINGS_MAX]; /* where each setting was set; 0: it wasn't */
};

/* ---- the file ---- */

/* One line for inih. Counts the lines, and takes away blanks in front, which inih would take for a line continued. */
static char *line_read(char *line, int room, void *stream)
{
    struct loading *loading = stream;
    if (fgets(line, room, loading->file) == NULL)
        return NULL;
    loading->line++;
    size_t len = strlen(line);
    if (len == (size_t)room - 1 && line[len - 1] != '\n' && loading->error[0] == '\0')
        (void)snprintf(loading->error, CONFIG_ERROR_MAX, "%s:%u: the line is too long", loading->path, loading->line);
    else if ((len == 0 || line[len - 1] != '\n') && !feof(loading->file) && loading->error[0] == '\0')
        (void)snprintf(loading->error, CONFIG_ERROR_MAX, "%s:%u: holds a NUL byte", loading->path, loading->line);
    size_t blank = strspn(line, " \t");
    memmove(line, line + blank, len - blank + 1);
    return loading->error[0] == '\0' ? line : NULL;
}

static int setting_read(void *user, const char *section, const char *key, const char *value)
{
    struct loading *loading = user;
    char why[SETTING_WHY_MAX];
    if (loading->error[0] != '\0')
        return 0;
    loading->error_line = loading->line;
    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *setting = &settings[i];
        if (strcmp(section, setting->section) != 0 || strcmp(key, setting->key) != 0)
            continue;
        const char *wrong = setting_value_set(loading->config, setting, loading->path, value, why);
        if (loading->lines[i] != 0)
            (void)snprintf(loading->error, CONFIG_ERROR_MAX, "%s:%u: %s.%s is set twice (first in line %u)",
                           loading->path, loading->line, section, key, loading->lines[i]);
        else if (wrong != NULL)
            (void)snprintf(loading->error, CONFIG_ERROR_MAX, "%s:%u: %s.%s %s, not '%.80s'", loading->path,
                           loading->line, section, key, wrong, value);
        loading->lines[i] = loading->line;
        return loading->error[0] == '\0';
    }
    bool known = false;
    for (size_t i = 0; i < setting_sections_count; i++)
        known = known || strcmp(section, setting_sections[i].name) == 0;
    (void)snprintf(loading->error, CONFIG_ERROR_MAX, "%s:%u: there is no %s '%.80s'%s%.80s%s", loading->path,
                   loading->line, known ? "key" : "section", known ? key : section, known ? " in section [" : "",
                   known ? section : "", known ? "]" : "");
    return 0;
}

/* The line that set this key; 0: none did. */
static unsigned line_of(const struct loading *loading, const char *section, const char *key)
{
    for (size_t i = 0; i < settings_count; i++) {
        if (strcmp(section, settings[i].section) == 0 && strcmp(key, settings[i].key) == 0)
            return loading->lines[i];
    }
    return 0;
}

/* By default beside the identity: that is where a secret may be written. */
static void ticket_file_place(struct loading *loading)
{
    struct config *config = loading->config;
    if (config->ticket_file[0] == '\0' && loading->error[0] == '\0' &&
        snprintf(config->ticket_file, CONFIG_TEXT_MAX, "%s-tickets", config->identity_file) >= CONFIG_TEXT_MAX)
        (void)snprintf(loading->error, CONFIG_ERROR_MAX,
                       "%s: identity.file is too long a path for identity.ticket_file to be beside it", loading->path);
}

/* The same of mail. */
static void mail_check(struct loading *loading)
{
    const struct config *config = loading->config;
    const char *wrong = NULL;
    const char *key = "from";
    if (config->registration == REGISTRATION_EMAIL && config->mail_server[0] == '\0') {
        (void)snprintf(loading->error, CONFIG_ERROR_MAX,
                       "%s:%u: policy.registration = email needs a server to mail by: set mail.server and mail.from",
                       loading->path, line_of(loading, "policy", "registration"));
        return;
    }
    if (config->mail_server[0] == '\0')
        return;
    struct email from;
    const struct bytes typed = { (const uint8_t *)config->mail_from, strlen(config->mail_from) };
    if (config->mail_server[strspn(config->mail_server,
                                   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:")] != '\0') {
        key = "server";
        wrong = "must be a server's name or address";
    } else if (email_parse(typed, &from) != 0) {
        wrong = "must be an e-mail address when mail.server is set";
    } else if (config->mail_user[0] != '\0' && config->mail_tls == MAIL_PLAIN) {
        key = "user";
        wrong = "would log in over a connection that everybody can read (mail.tls = none)";
    } else if ((config->mail_user[0] == '\0') != (config->mail_password_file[0] == '\0')) {
        key = config->mail_user[0] != '\0' ? "user" : "password_file";
        wrong = "goes with mail.user and mail.password_file: set both or none";
    }
    if (wrong != NULL) {
        const unsigned line = line_of(loading, "mail", key);
        (void)snprintf(loading->error, CONFIG_ERROR_MAX, "%s:%u: mail.%s %s", loading->path,
                       line != 0 ? line : line_of(loading, "mail", "server"), key, wrong);
    }
}

/* Values that are each right and don't go together. */
static int contradictions_check(struct loading *loading)
{
    struct config *config = loading->config;
    unsigned host = line_of(loading, "database", "host");
    unsigned socket = line_of(loading, "database", "socket");
    unsigned tls_ca = line_of(loading, "database", "tls_ca");
    bool tcp = config->db_host[0] != '\0';

    if (tcp && socket != 0 && config->db_socket[0] != '\0') {
        (void)snprintf(loading->error, CONFIG_ERROR_MAX,
                       "%s:%u: database.socket and database.host (line %u) are both set: leave one of them out",
                       loading->path, socket, host);
    } else if (!tcp && config->db_socket[0] == '\0') {
        (void)snprintf(loading->error, CONFIG_ERROR_MAX,
                       "%s:%u: database.socket and database.host are both empty: set one of them", loading->path,
                       socket != 0 ? socket : host);
    } else if (!tcp && config->db_tls_ca[0] != '\0') {
        (void)snprintf(loading->error, CONFIG_ERROR_MAX,
                       "%s:%u: database.tls_ca is for TCP: set database.host too, or leave it out", loading->path,
                       tls_ca);
    } else if (config->login_deadline < config->handshake_deadline) {
        unsigned login = line_of(loading, "limits", "login_deadline");
        (void)snprintf(loading->error, CONFIG_ERROR_MAX,
                       "%s:%u: limits.login_deadline (%u) is before limits.handshake_deadline (%u)", loading->path,
                       login != 0 ? login : line_of(loading, "limits", "handshake_deadline"), config->login_deadline,
                       config->handshake_deadline);
    }
    if (tcp)
        config->db_socket[0] = '\0';
    if (loading->error[0] == '\0')
        mail_check(loading);
    ticket_file_place(loading);
    return loading->error[0] == '\0' ? 0 : -1;
}

int config_load(const char *path, struct config *config, char error[CONFIG_ERROR_MAX])
{
    struct loading loading = { .path = path, .config = config, .error = error };
    char why[SETTING_WHY_MAX];
    _Static_assert(CONFIG_ERROR_MAX >= 512, "a sentence with a path needs room");

    memset(config, 0, sizeof *config);
    error[0] = '\0';
    for (size_t i = 0; i < settings_count; i++) {
        if (setting_value_set(config, &settings[i], "", settings[i].initial, why) != NULL) {
            (void)snprintf(error, CONFIG_ERROR_MAX, "the default of %s.%s is wrong", settings[i].section,
                           settings[i].key);
            return -1;
        }
    }
    loading.file = fopen(path, "re");
    if (loading.file == NULL) {
        (void)snprintf(error, CONFIG_ERROR_MAX, "%s: can't be read: %s", path, strerror(errno));
        return -1;
    }
    int first_error = ini_parse_stream(line_read, &loading, setting_read, &loading);
    if (error[0] == '\0' && ferror(loading.file))
        (void)snprintf(error, CONFIG_ERROR_MAX, "%s: can't be read: %s", path, strerror(errno));
    else if (first_error > 0 && (error[0] == '\0' || (unsigned)first_error < loading.error_line))
        (void)snprintf(error, CONFIG_ERROR_MAX, "%s:%d: neither a [section] nor key = value", path, first_error);
    else if (error[0] == '\0' && first_error < 0)
        (void)snprintf(error, CONFIG_ERROR_MAX, "%s: memory is out", path);
    (void)fclose(loading.file);
    if (error[0] != '\0')
        return -1;
    return contradictions_check(&loading);
}

/* ---- comparing, printing ---- */

const char *config_not_reloadable(const struct config *now, const struct config *next)
{
    static _Thread_local char name[64];
    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *setting = &settings[i];
        if (setting->reloadable || setting_value_equal(now, next, setting))
            continue;
        (void)snprintf(name, sizeof name, "%s.%s", setting->section, setting->key);
        return name;
    }
    return NULL;
}

static void comment_print(FILE *out, const char *doc)
{
    while (*doc != '\0') {
        size_t len = strcspn(doc, "\n");
        (void)fprintf(out, "# %.*s\n", (int)len, doc);
        doc += len + (doc[len] == '\n');
    }
}

void config_print_sample(FILE *out)
{
    comment_print(
        out, "kdc.conf: every key of kdcd's configuration with its default. Lines that begin with # are comments.\n"
             "Relative paths are taken from this file's folder. Keys marked (restart) take effect when kdcd starts\n"
             "again, the others on SIGHUP too.");
    for (size_t s = 0; s < setting_sections_count; s++) {
        const struct setting_section *section = &setting_sections[s];
        (void)fprintf(out, "\n[%s]\n", section->name);
        comment_print(out, section->doc);
        for (size_t i = 0; i < settings_count; i++) {
            const struct setting *setting = &settings[i];
            if (strcmp(setting->section, section->name) != 0)
                continue;
            (void)fputc('\n', out);
            comment_print(out, setting->doc);
            const char *restart = setting->reloadable ? "" : " (restart)";
            if (setting->type == SETTING_NUMBER)
                (void)fprintf(out, "# From %u to %u.%s\n", setting->min, setting->max, restart);
            else if (!setting->reloadable)
                (void)fprintf(out, "#%s\n", restart);
            (void)fprintf(out, "#%s =%s%s\n", setting->key, setting->initial[0] == '\0' ? "" : " ", setting->initial);
        }
    }
}
