#include "kdc/settings.h"

#include "crypto/password.h"
#include "kdc/config.h"
#include "kdc/log.h"

static const char *const registration_words[] = { [REGISTRATION_OPEN] = "open",
                                                  [REGISTRATION_INVITE] = "invite",
                                                  [REGISTRATION_EMAIL] = "email",
                                                  [REGISTRATION_CLOSED] = "closed",
                                                  NULL };
static const char *const mail_tls_words[] = {
    [MAIL_STARTTLS] = "starttls", [MAIL_TLS] = "tls", [MAIL_PLAIN] = "none", NULL
};
static const char *const log_format_words[] = { [LOG_FORMAT_LINES] = "lines", [LOG_FORMAT_JSON] = "json", NULL };
static const char *const log_level_words[] = {
    [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error", NULL
};

static const char *const switch_words[] = { [false] = "off", [true] = "on", NULL };

const struct setting_section setting_sections[] = {
    { "listen", "Where clients connect." },
    { "identity", "The KDC's long-term identity, which clients remember." },
    { "database", "MariaDB or MySQL: either by a UNIX socket, or by TCP with host (then always with TLS, verified)." },
    { "admin", "How kdc-admin logs in to the database. kdcd doesn't use this." },
    { "control", "How kdc-admin reaches a running kdcd." },
    { "metrics", "kdcd's figures by HTTP: /metrics for Prometheus, /ready and /live for whoever watches over kdcd." },
    { "threads", "How many there are of each kind." },
    { "policy", "What is accepted and asked for. A reload changes it for connections and logins from then on." },
    { "registration", "People who make their own accounts, and how they can be reached." },
    { "mail", "The server that takes mails with codes to people (policy.registration = email; giving up an account)." },
    { "limits", "How much, how many, how long." },
    { "penalties", "What guessing passwords costs, for each account and each source: an IPv4 address or an IPv6 /64." },
    { "audit", "The audit log: kdc-admin audit shows it." },
    { "log", "kdcd logs to its standard error." },
};
const size_t setting_sections_count = sizeof setting_sections / sizeof setting_sections[0];

#define AT(member) .offset = offsetof(struct config, member)
#define RANGE(low, high) .type = SETTING_NUMBER, .min = (low), .max = (high)

const struct setting settings[] = {
    { "listen", "address", SETTING_ADDRESS, AT(address), .initial = "127.0.0.1", .required = true,
      .doc = "A numeric IPv4 or IPv6 address; 0.0.0.0 or :: for all of this machine's." },
    { "listen", "port", RANGE(0, 65535), AT(port), .initial = "19268",
      .doc = "0: the kernel chooses a free one, and the log tells which." },
    { "listen", "backlog", RANGE(1, 65535), AT(backlog), .initial = "512",
      .doc = "Connections that may wait to be accepted." },

    { "identity", "file", SETTING_PATH, AT(identity_file), .initial = "/var/lib/kdc-chat/identity", .required = true,
      .doc = "The secret seed, mode 0600. Made at the first start if it is missing. Keep a copy in a safe\n"
             "place: with another identity every client refuses this KDC." },
    { "identity", "ticket_file", SETTING_PATH, AT(ticket_file), .initial = "",
      .doc = "The secret key that resumption tickets are sealed under, mode 0600. Made at the first start if it is\n"
             "missing, and written anew every ticket_lifetime. No copy is needed: without it clients log in by\n"
             "password once. KDCs of one database that start with copies of one file take each other's tickets.\n"
             "Empty: the identity's file with -tickets behind its name." },

    { "database", "socket", SETTING_SOCKET, AT(db_socket), .initial = "/run/mysqld/mysqld.sock",
      .doc = "The database server's UNIX socket. Not used when host is set." },
    { "database", "host", SETTING_TEXT, AT(db_host), .initial = "",
      .doc = "The database server's name or address, for TCP." },
    { "database", "port", RANGE(1, 65535), AT(db_port), .initial = "3306", .doc = "For TCP." },
    { "database", "tls_ca", SETTING_PATH, AT(db_tls_ca), .initial = "",
      .doc = "For TCP: the authority's certificate (PEM) that the server's must come from; empty: those that\n"
             "this system trusts." },
    { "database", "name", SETTING_TEXT, AT(db_name), .initial = "kdc_chat", .required = true, .doc = "The database." },
    { "database", "user", SETTING_TEXT, AT(db_user), .initial = "kdc", .required = true,
      .doc = "kdcd's account. It may call the kdc_ procedures and nothing else." },
    { "database", "password_file", SETTING_PATH, AT(db_password_file), .initial = "",
      .doc = "Its first line is the account's password; it is refused when everybody can read it.\n"
             "'kdc-admin db init' makes it if it is missing. Empty: no password (the server knows the account by the\n"
             "operating system's user)." },
    { "database", "connect_timeout", RANGE(1, 300), AT(db_connect_timeout), .initial = "5", .doc = "Seconds." },
    { "database", "read_timeout", RANGE(1, 300), AT(db_read_timeout), .initial = "10",
      .doc = "Seconds that one answer may take." },

    { "admin", "user", SETTING_TEXT, AT(admin_user), .initial = "root", .required = true, .reloadable = true,
      .doc = "A database account that may create databases, accounts and procedures." },
    { "admin", "password_file", SETTING_PATH, AT(admin_password_file), .initial = "", .reloadable = true,
      .doc = "Its first line is that account's password. Empty: no password." },

    { "control", "socket", SETTING_SOCKET, AT(control_socket), .initial = "/run/kdc-chat/control.sock",
      .required = true, .doc = "A UNIX socket, for root and kdcd's own user only." },

    { "metrics", "address", SETTING_ADDRESS, AT(metrics_address), .initial = "127.0.0.1", .required = true,
      .doc =
          "A numeric IPv4 or IPv6 address. Nobody is asked for a password there: let it be a loopback one, or one that\n"
          "only those reach who may know how much people talk." },
    { "metrics", "port", RANGE(0, 65535), AT(metrics_port), .initial = "0", .doc = "0: no figures are served." },

    { "threads", "reactors", RANGE(0, 256), AT(reactors), .initial = "0",
      .doc = "Threads that read and write connections. 0: one for each core." },
    { "threads", "workers", RANGE(0, 256), AT(workers), .initial = "0",
      .doc = "Threads that compute and ask the database; each has a database connection. 0: one for each core.\n"
             "There are two more, for what mustn't wait until logins are done." },

    { "policy", "groups", SETTING_GROUPS, AT(handshake), .initial = "ffdhe3072, ffdhe4096", .required = true,
      .reloadable = true,
      .doc = "Diffie-Hellman groups that are accepted, the preferred one first: ffdhe2048, ffdhe3072, ffdhe4096,\n"
             "ffdhe6144, ffdhe8192. 2048 bits are below today's advice; the largest cost the KDC much more than\n"
             "an attacker." },
    { "policy", "suites", SETTING_SUITES, AT(handshake),
      .initial = "chacha20-poly1305, aes-256-gcm, 3des-cbc-hmac-sha512", .required = true, .reloadable = true,
      .doc = "Suites that are accepted between clients and the KDC; the client's order decides. By itself kdc-chat\n"
             "offers aes-256-gcm first where its processor computes AES, else chacha20-poly1305. A session takes\n"
             "about 9 KB more memory while it talks under aes-256-gcm, and a message about a microsecond less." },
    { "policy", "conversation_suite", SETTING_SUITE, AT(conversation_suite), .initial = "3des-cbc-hmac-sha512",
      .required = true, .reloadable = true, .doc = "The suite that conversation keys are issued for." },
    { "policy", "bcrypt_cost", RANGE(PASSWORD_COST_MIN, PASSWORD_COST_MAX), AT(bcrypt_cost), .initial = "12",
      .reloadable = true,
      .doc = "Each step doubles the time of a login, for attackers and for us. Hashes of another cost are made\n"
             "anew when their user logs in." },
    { "policy", "registration", SETTING_REGISTRATION, AT(registration), .choices = registration_words,
      .initial = "open", .required = true, .reloadable = true,
      .doc = "Who may make an account. open: whoever can connect. invite: whoever has a code of kdc-admin invite.\n"
             "email: whoever reads the mail that is sent to the address that they give ([mail] must be set);\n"
             "until then the account is pending. closed: nobody but kdc-admin." },
    { "policy", "password_min", RANGE(PASSWORD_LEN_MIN, PASSWORD_LEN_MAX), AT(password_min), .initial = "8",
      .reloadable = true, .doc = "Bytes that a new password has at least; those that there are stay good." },
    { "policy", "password_list", SETTING_PATH, AT(password_list), .initial = "", .reloadable = true,
      .doc = "Passwords that nobody may take, one a line, in upper or lower case. Empty: the commonest ones, a list\n"
             "that is built in. The user's own name (of 4 letters or more) may stand in no password in any case." },
    { "policy", "password_history", RANGE(0, PASSWORD_HISTORY_MAX), AT(password_history), .initial = "0",
      .reloadable = true,
      .doc = "So many of somebody's earlier passwords aren't taken again; the present one never is. For that their\n"
             "hashes are kept, and a change takes as long as so many logins more." },
    { "policy", "login_tries", RANGE(1, 100), AT(login_tries), .initial = "3", .reloadable = true,
      .doc = "Logins that may fail on one connection before it is closed." },
    { "policy", "rekey_messages", RANGE(1, 1000000000), AT(rekey_messages), .initial = "10000", .reloadable = true,
      .doc = "A client asks for a new conversation key after so many messages of its own ..." },
    { "policy", "rekey_seconds", RANGE(1, 31536000), AT(rekey_seconds), .initial = "3600", .reloadable = true,
      .doc = "... or after so many seconds." },
    { "policy", "ticket_lifetime", RANGE(0, 604800), AT(ticket_lifetime), .initial = "604800",
      .doc = "Seconds for which a client that was logged in may come back by its resumption ticket, without its\n"
             "password. A changed, locked or deleted account's tickets are void at once. 0: there are no tickets." },

    { "registration", "contact_unique", SETTING_SWITCH, AT(contact_unique), .choices = switch_words, .initial = "off",
      .required = true, .reloadable = true,
      .doc = "on: an e-mail address or telephone number may be one account's only. Then registering tells whether an\n"
             "address has an account here; off, it tells nothing." },
    { "registration", "require_email", SETTING_SWITCH, AT(require_email), .choices = switch_words, .initial = "off",
      .required = true, .reloadable = true,
      .doc = "on: who registers must give an address under the policies open and invite, too." },
    { "registration", "activation_minutes", RANGE(1, 1440), AT(activation_minutes), .initial = "15", .reloadable = true,
      .doc = "Minutes for which a code that was mailed holds." },
    { "registration", "code_tries", RANGE(1, 20), AT(code_tries), .initial = "5", .reloadable = true,
      .doc = "Wrong codes after which the right one doesn't hold any more." },
    { "registration", "code_mails", RANGE(1, 100), AT(code_mails), .initial = "5", .reloadable = true,
      .doc = "Codes that are mailed for one account, and to one address, within an hour." },
    { "registration", "per_source", RANGE(0, 100000), AT(registrations_per_source), .initial = "20", .reloadable = true,
      .doc =
          "Accounts that wait for a mailed code and are made from one source (an IPv4 address or an IPv6 /64) within an hour.\n"
          "Sources in penalties.exempt aren't counted. 0: any number." },
    { "registration", "unactivated_days", RANGE(0, 3650), AT(unactivated_days), .initial = "7", .reloadable = true,
      .doc = "Days after which an account that was never activated is removed, and its name free again. 0: never." },

    { "mail", "server", SETTING_TEXT, AT(mail_server), .initial = "",
      .doc = "The SMTP server's name or address. Empty: nothing is mailed." },
    { "mail", "port", RANGE(1, 65535), AT(mail_port), .initial = "587",
      .doc = "587 and 25 with tls = starttls, 465 with tls = tls." },
    { "mail", "from", SETTING_TEXT, AT(mail_from), .initial = "", .doc = "The sender's address." },
    { "mail", "tls", SETTING_MAIL_TLS, AT(mail_tls), .choices = mail_tls_words, .initial = "starttls", .required = true,
      .doc =
          "starttls: nothing is said in the clear but that; tls: encrypted from the first byte on. In both cases the\n"
          "server's certificate is checked. none: codes can be read on the way; for a server on this machine." },
    { "mail", "ca", SETTING_PATH, AT(mail_ca), .initial = "",
      .doc = "The authorities' certificates (PEM) that the server's must come from; empty: those that this system\n"
             "trusts." },
    { "mail", "user", SETTING_TEXT, AT(mail_user), .initial = "",
      .doc = "kdcd's name at the server. Empty: it takes mail from kdcd without." },
    { "mail", "password_file", SETTING_PATH, AT(mail_password_file), .initial = "",
      .doc = "Its first line is the password for that; it is refused when everybody can read it." },
    { "mail", "timeout", RANGE(1, 300), AT(mail_timeout), .initial = "30",
      .doc = "Seconds for one mail, from connecting to its being taken." },
    { "mail", "template", SETTING_PATH, AT(mail_template), .initial = "",
      .doc =
          "The mail with a code that activates an account: a file in UTF-8 with \"Subject: ...\", an empty line and the\n"
          "text, in which {name}, {code} and {minutes} stand for themselves. Without links: who gets used to\n"
          "those in such mails is easily cheated. Empty: a text that is built in." },
    { "mail", "template_deactivate", SETTING_PATH, AT(mail_template_deactivate), .initial = "",
      .doc = "Likewise, for giving an account up." },

    { "limits", "handshake_deadline", RANGE(1, 3600), AT(handshake_deadline), .initial = "10", .reloadable = true,
      .doc = "Seconds from a connection's start to the end of its handshake." },
    { "limits", "login_deadline", RANGE(1, 3600), AT(login_deadline), .initial = "60", .reloadable = true,
      .doc = "Seconds from a connection's start to its login." },
    { "limits", "ping_seconds", RANGE(1, 20000), AT(ping_seconds), .initial = "30", .reloadable = true,
      .doc =
          "A client that has been silent for so long pings; one that is silent for three times as long is dropped." },
    { "limits", "connections", RANGE(1, 1000000), AT(connections_max), .initial = "10000", .reloadable = true,
      .doc = "Open connections; further ones are told to come back later. With fewer file descriptors (ulimit -n)\n"
             "there are fewer connections." },
    { "limits", "connections_before_login", RANGE(1, 1000000), AT(connections_before_login_max), .initial = "1000",
      .reloadable = true, .doc = "Of those, connections that haven't logged in yet." },
    { "limits", "connections_per_source", RANGE(1, 1000000), AT(connections_per_source_max), .initial = "100",
      .reloadable = true,
      .doc = "Of those, connections from one IPv4 address or IPv6 /64. Where many come from one (NAT, a gateway),\n"
             "allow as many as may want in at the same time: after a restart that is everybody. While workers are\n"
             "scarce, such an address is served as one, whatever it may bring." },
    { "limits", "queue", RANGE(1, 1000000), AT(queue_max), .initial = "256", .reloadable = true,
      .doc = "Jobs that wait for a worker, of each kind; whoever brings more is told to come back later. In a full\n"
             "queue, the source with the most makes room for others." },
    { "limits", "conversations", RANGE(1, 100000), AT(conversations_max), .initial = "256", .reloadable = true,
      .doc = "Conversations of one session." },
    { "limits", "opens_per_minute", RANGE(0, 100000), AT(opens_per_minute), .initial = "600", .reloadable = true,
      .doc =
          "Conversation keys that one account may ask for, evenly; a tenth of them, or as many as conversations, at\n"
          "once. Each is a row of the audit log. 0: any number." },
    { "limits", "output", RANGE(131072, 1073741824), AT(output_max), .initial = "1048576", .reloadable = true,
      .doc = "Bytes that may wait for one client that doesn't read; then it is disconnected." },
    { "limits", "drain_seconds", RANGE(0, 600), AT(drain_seconds), .initial = "5", .reloadable = true,
      .doc = "At SIGTERM: how long to go on sending what is waiting." },

    { "penalties", "enabled", SETTING_SWITCH, AT(penalties.enabled), .choices = switch_words, .initial = "on",
      .required = true, .reloadable = true,
      .doc = "on, or off: passwords may be guessed as fast as they are checked." },
    { "penalties", "account_failures", RANGE(1, 1000), AT(penalties.account_failures), .initial = "10",
      .reloadable = true,
      .doc = "Wrong passwords for one name, whether or not there is such an account, until it is locked. Before that\n"
             "each makes the next attempt wait: 1 s, 2 s, 4 s, 8 s and so on. An address that has logged in to the\n"
             "account before doesn't bear this, nor does a resumption ticket." },
    { "penalties", "source_failures", RANGE(1, 100000), AT(penalties.source_failures), .initial = "30",
      .reloadable = true,
      .doc = "Wrong passwords from one source until it is locked; so many weigh as much as account_failures. For the\n"
             "accounts that it has logged in to before a source may do twice as much." },
    { "penalties", "delay_max", RANGE(0, 60), AT(penalties.delay_max), .initial = "15", .reloadable = true,
      .doc = "Seconds that an attempt waits at most. 0: none waits." },
    { "penalties", "lock_seconds", RANGE(1, 86400), AT(penalties.lock_seconds), .initial = "900", .reloadable = true,
      .doc = "Seconds that a lock lasts." },
    { "penalties", "forget_seconds", RANGE(1, 604800), AT(penalties.forget_seconds), .initial = "3600",
      .reloadable = true,
      .doc = "Seconds until all failures that make a lock are forgotten; they are forgotten evenly." },
    { "penalties", "exempt", SETTING_NETWORKS, AT(penalties.exempt), .initial = "", .reloadable = true,
      .doc = "Addresses and networks (192.0.2.7, 10.0.0.0/8, 2001:db8::/32) that all this isn't for. Whoever can\n"
             "connect from there may guess freely: only gateways and monitors that keep watch themselves." },

    { "audit", "retention_days", RANGE(0, 36500), AT(audit_retention_days), .initial = "0", .reloadable = true,
      .doc = "kdcd removes events that are older. 0: they stay for ever." },

    { "log", "format", SETTING_LOG_FORMAT, AT(log_format), .choices = log_format_words, .initial = "lines",
      .required = true, .reloadable = true, .doc = "lines, for people; json, one object a line." },
    { "log", "level", SETTING_LOG_LEVEL, AT(log_level), .choices = log_level_words, .initial = "info", .required = true,
      .reloadable = true, .doc = "debug, info, warn or error: what is less than that isn't logged." },
    { "log", "refusals", AT(log_refusals), RANGE(5, 1000000), .initial = "50", .reloadable = true,
      .doc =
          "Lines a second of each reactor about connections that come to nothing; a fifth of that of each session about "
          "refused requests." },
};
const size_t settings_count = sizeof settings / sizeof settings[0];
