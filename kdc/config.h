/*
 * config.h: kdcd's configuration, read from an INI file (inih) by one table that holds each key's section, name, type,
 * bounds, default and documentation; the commented sample is printed from the same table.
 *
 * A struct config is plain data, filled once by config_load and read-only afterwards; `SIGHUP` loads a new one, and
 * config_reloadable tells what may differ.
 */
#ifndef KDC_CONFIG_H
#define KDC_CONFIG_H

#include "kdc/penalties.h"
#include "wire/handshake.h"

#include <stdio.h>

#define CONFIG_TEXT_MAX 256
#define CONFIG_ERROR_MAX 512
#define PASSWORD_HISTORY_MAX 24

enum config_registration { REGISTRATION_OPEN, REGISTRATION_INVITE, REGISTRATION_EMAIL, REGISTRATION_CLOSED };
enum config_mail_tls { MAIL_STARTTLS, MAIL_TLS, MAIL_PLAIN };
enum config_log_format { LOG_FORMAT_LINES, LOG_FORMAT_JSON };

struct config {
    /* [listen] */
    char address[CONFIG_TEXT_MAX]; /* numeric IPv4 or IPv6 */
    unsigned port;                 /* 0: the kernel chooses; the log tells */
    unsigned backlog;
    /* [identity] */
    char identity_file[CONFIG_TEXT_MAX]; /* Ed25519 seed in hexadecimal, mode 0600; made at first start */
    char ticket_file[CONFIG_TEXT_MAX];   /* what tickets are sealed under (ticket_keys.h), likewise */
    /* [database] */
    char db_socket[CONFIG_TEXT_MAX]; /* UNIX socket; or: */
    char db_host[CONFIG_TEXT_MAX];
    unsigned db_port;
    char db_name[CONFIG_TEXT_MAX];
    char db_user[CONFIG_TEXT_MAX];
    char db_password_file[CONFIG_TEXT_MAX]; /* empty: no password (socket authentication) */
    char db_tls_ca[CONFIG_TEXT_MAX];        /* for TCP */
    unsigned db_connect_timeout;            /* seconds */
    unsigned db_read_timeout;               /* seconds */
    /* [admin]: for kdc-admin only */
    char admin_user[CONFIG_TEXT_MAX];
    char admin_password_file[CONFIG_TEXT_MAX];
    /* [control] */
    char control_socket[CONFIG_TEXT_MAX];
    /* [metrics] */
    char metrics_address[CONFIG_TEXT_MAX]; /* numeric */
    unsigned metrics_port;                 /* 0: none are served */
    /* [threads] */
    unsigned reactors; /* 0: as many as cores */
    unsigned workers;  /* 0: as many as cores */
    /* [policy] */
    struct handshake_policy handshake; /* groups, suites: comma-separated names in order of preference */
    uint16_t conversation_suite;
    unsigned bcrypt_cost;
    enum config_registration registration;
    unsigned password_min;               /* password_policy.h */
    char password_list[CONFIG_TEXT_MAX]; /* empty: built in */
    unsigned password_history;           /* earlier passwords that aren't taken again */
    unsigned login_tries;
    unsigned rekey_messages;
    unsigned rekey_seconds;
    unsigned ticket_lifetime; /* seconds; 0: no tickets */
    /* [registration] */
    bool contact_unique;
    bool require_email;
    unsigned activation_minutes; /* that a code holds */
    unsigned code_tries;
    unsigned code_mails;               /* to one address, within an hour */
    unsigned registrations_per_source; /* pending ones, within an hour; 0: any number */
    unsigned unactivated_days;         /* 0: for ever */
    /* [mail] */
    char mail_server[CONFIG_TEXT_MAX]; /* empty: nothing is mailed */
    unsigned mail_port;
    char mail_from[CONFIG_TEXT_MAX];
    enum config_mail_tls mail_tls;
    char mail_ca[CONFIG_TEXT_MAX]; /* empty: the authorities that the system trusts */
    char mail_user[CONFIG_TEXT_MAX];
    char mail_password_file[CONFIG_TEXT_MAX];
    unsigned mail_timeout;               /* seconds */
    char mail_template[CONFIG_TEXT_MAX]; /* empty: built in */
    char mail_template_deactivate[CONFIG_TEXT_MAX];
    /* [limits] */
    unsigned handshake_deadline; /* seconds from accept */
    unsigned login_deadline;     /* seconds from accept */
    unsigned ping_seconds;
    unsigned connections_max; /* open connections; more get alert busy */
    unsigned connections_before_login_max;
    unsigned connections_per_source_max; /* before login, per IPv4 address or IPv6 /64 */
    unsigned queue_max;                  /* jobs that wait for a worker; more get busy */
    unsigned conversations_max;          /* of one session */
    unsigned opens_per_minute;           /* of one account; 0: any number */
    unsigned output_max;                 /* bytes waiting for one connection; past it: slow_reader */
    unsigned drain_seconds;              /* SIGTERM: time to send what is queued */
    /* [penalties] */
    struct penalty_policy penalties;
    /* [audit] */
    unsigned audit_retention_days; /* 0: for ever */
    /* [log] */
    enum config_log_format log_format;
    unsigned log_level; /* enum log_level */
    unsigned
        log_refusals; /* lines a second of each reactor about connections that come to nothing; of a session a fifth */
};

/* Defaults, then `path`. 0; -1 with `error` a sentence that names file, line and key. Relative paths inside are taken
 * as relative to the configuration file's folder. Also refuses values that contradict each other. */
int config_load(const char *path, struct config *config, char error[CONFIG_ERROR_MAX])
    __attribute__((warn_unused_result));
/* The first key that differs and can't be reloaded ("listen.port"; lent until this thread's next call), or NULL when
 * `next` may take over. [policy] but ticket_lifetime, [limits], [penalties], [audit] and [log] can be reloaded; [admin] concerns only
 * kdc-admin; the rest takes a restart. */
const char *config_not_reloadable(const struct config *now, const struct config *next);
/* Every key with its documentation and default, as a commented kdc.conf. */
void config_print_sample(FILE *out);

#endif
