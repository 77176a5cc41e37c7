#include "kdc/settings.h"

#include "crypto/password.h"
#include "kdc/config.h"
#include "kdc/log.h"

static const char *const registration_words[] = {
    [REGISTRATION_OPEN] = "open", [REGISTRATION_CLOSED] = "closed", NULL
};
static const char *const log_format_words[] = { [LOG_FORMAT_LINES] = "lines", [LOG_FORMAT_JSON] = "json", NULL };
static const char *const log_level_words[] = {
    [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error", NULL
};

const struct setting_section setting_sections[] = {
    { "listen", "Where clients connect." },
    { "identity", "The KDC's long-term identity, which clients remember." },
    { "database", "MariaDB or MySQL: either by a UNIX socket, or by TCP with host (then always with TLS, verified)." },
    { "admin", "How kdc-admin logs in to the database. kdcd doesn't use this." },
    { "control", "How kdc-admin reaches a running kdcd." },
    { "threads", "How many there are of each kind." },
    { "policy", "What is accepted and asked for. A reload changes it for connections and logins from then on." },
    { "limits", "How much, how many, how long." },
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
      .doc = "open: whoever can connect may make an account. closed: only kdc-admin makes them." },
    { "policy", "login_tries", RANGE(1, 100), AT(login_tries), .initial = "3", .reloadable = true,
      .doc = "Logins that may fail on one connection before it is closed." },
    { "policy", "rekey_messages", RANGE(1, 1000000000), AT(rekey_messages), .initial = "10000", .reloadable = true,
      .doc = "A client asks for a new conversation key after so many messages of its own ..." },
    { "policy", "rekey_seconds", RANGE(1, 31536000), AT(rekey_seconds), .initial = "3600", .reloadable = true,
      .doc = "... or after so many seconds." },
    { "policy", "ticket_lifetime", RANGE(0, 604800), AT(ticket_lifetime), .initial = "604800",
      .doc = "Seconds for which a client that was logged in may come back by its resumption ticket, without its\n"
             "password. A changed, locked or deleted account's tickets are void at once. 0: there are no tickets." },

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
    { "limits", "output", RANGE(131072, 1073741824), AT(output_max), .initial = "1048576", .reloadable = true,
      .doc = "Bytes that may wait for one client that doesn't read; then it is disconnected." },
    { "limits", "drain_seconds", RANGE(0, 600), AT(drain_seconds), .initial = "5", .reloadable = true,
      .doc = "At SIGTERM: how long to go on sending what is waiting." },

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
