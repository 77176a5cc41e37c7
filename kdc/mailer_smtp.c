/* mailer_smtp.c: one try to give a mail to the server: SMTP by libcurl. */
#include "kdc/mailer_internal.h"

#include "crypto/secret.h"

#include <curl/curl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT_SECONDS_MAX 15

struct smtp {
    CURL *curl;
    const struct config *config;
    const char *password; /* lent, secret; NULL: none */
    const _Atomic bool *stopping;
    curl_socket_t socket; /* CURL_SOCKET_BAD: there is none */
    char url[CONFIG_TEXT_MAX + 64];
    char from[CONFIG_TEXT_MAX + 2];
    char said[CURL_ERROR_SIZE];
    const char *mail; /* lent while it is sent */
    size_t left;
    bool asked_for_it; /* the server wanted the mail itself */
};

/* ---- libcurl's memory: codes and the password pass through it ---- */

static void wiping_free(void *block)
{
    if (block != NULL) {
        secret_wipe(block, malloc_usable_size(block));
        free(block);
    }
}

static void *wiping_realloc(void *block, size_t len)
{
    void *next = malloc(len);
    if (next != NULL && block != NULL) {
        const size_t before = malloc_usable_size(block);
        memcpy(next, block, before < len ? before : len);
        wiping_free(block);
    }
    return next;
}

int smtp_prepare(void)
{
    return curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wiping_free, wiping_realloc, strdup, calloc) == CURLE_OK
               ? 0
               : -1;
}

/* ---- a try ---- */

static size_t give(char *out, size_t size, size_t count, void *context)
{
    struct smtp *smtp = context;
    smtp->asked_for_it = true;
    const size_t len = size * count < smtp->left ? size * count : smtp->left;
    memcpy(out, smtp->mail, len);
    smtp->mail += len;
    smtp->left -= len;
    return len;
}

/* As libcurl wants it. NOLINTNEXTLINE(readability-non-const-parameter) */
static size_t drop(char *data, size_t size, size_t count, void *context)
{
    (void)data;
    (void)context;
    return size * count;
}

static int on_opened(void *context, curl_socket_t opened, curlsocktype purpose)
{
    struct smtp *smtp = context;
    (void)purpose;
    smtp->socket = opened;
    return CURL_SOCKOPT_OK;
}

static int on_closing(void *context, curl_socket_t closing)
{
    struct smtp *smtp = context;
    if (smtp->socket == closing)
        smtp->socket = CURL_SOCKET_BAD;
    return close(closing);
}

/* Whoever ends a connection here says QUIT and waits for an answer: from a server that is silent there is none to be had. */
static void cut_off(const struct smtp *smtp)
{
    if (smtp->socket != CURL_SOCKET_BAD)
        (void)shutdown(smtp->socket, SHUT_RDWR);
}

static int watch(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct smtp *smtp = context;
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    if (!atomic_load(smtp->stopping))
        return 0;
    cut_off(smtp);
    return 1;
}

static bool set_server(struct smtp *smtp)
{
    const struct config *config = smtp->config;
    const bool bare_v6 = strchr(config->mail_server, ':') != NULL;
    (void)snprintf(smtp->url, sizeof smtp->url, "%s://%s%s%s:%u", config->mail_tls == MAIL_TLS ? "smtps" : "smtp",
                   bare_v6 ? "[" : "", config->mail_server, bare_v6 ? "]" : "", config->mail_port);
    (void)snprintf(smtp->from, sizeof smtp->from, "<%s>", config->mail_from);
    const long connect = config->mail_timeout < CONNECT_SECONDS_MAX ? (long)config->mail_timeout : CONNECT_SECONDS_MAX;
    CURL *curl = smtp->curl;
    return curl_easy_setopt(curl, CURLOPT_URL, smtp->url) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK && /* whatever the environment says */
           curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)config->mail_timeout) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, connect) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_SERVER_RESPONSE_TIMEOUT, (long)config->mail_timeout) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_USE_SSL,
                            config->mail_tls == MAIL_PLAIN ? (long)CURLUSESSL_NONE : (long)CURLUSESSL_ALL) ==
               CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
           (config->mail_ca[0] == '\0' || (curl_easy_setopt(curl, CURLOPT_CAINFO, config->mail_ca) == CURLE_OK &&
                                           curl_easy_setopt(curl, CURLOPT_CAPATH, NULL) == CURLE_OK)) &&
           (smtp->password == NULL || (curl_easy_setopt(curl, CURLOPT_USERNAME, config->mail_user) == CURLE_OK &&
                                       curl_easy_setopt(curl, CURLOPT_PASSWORD, smtp->password) == CURLE_OK));
}

static bool set_transfer(struct smtp *smtp)
{
    CURL *curl = smtp->curl;
    return curl_easy_setopt(curl, CURLOPT_MAIL_FROM, smtp->from) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_READFUNCTION, give) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_READDATA, smtp) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, watch) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_XFERINFODATA, smtp) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_SOCKOPTFUNCTION, on_opened) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_SOCKOPTDATA, smtp) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_CLOSESOCKETFUNCTION, on_closing) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_CLOSESOCKETDATA, smtp) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, smtp->said) == CURLE_OK;
}

/* The connection and its settings, unless they are there from the last time. */
static bool prepare(struct smtp *smtp)
{
    if (smtp->curl != NULL)
        return true;
    smtp->curl = curl_easy_init();
    if (smtp->curl != NULL && set_server(smtp) && set_transfer(smtp))
        return true;
    smtp_hang_up(smtp);
    return false;
}

/* A server's refusal of the letter itself comes after we have said whom it is from: everything before is about us. libcurl tells
 * of a greeting that refuses us as of a refusal of what was sent: but before that nobody has asked for it. */
static enum smtp_result judge(struct smtp *smtp, CURLcode code)
{
    long response = 0;
    (void)curl_easy_getinfo(smtp->curl, CURLINFO_RESPONSE_CODE, &response);
    if (code == CURLE_OK)
        return SMTP_TAKEN;
    const bool refused = code == CURLE_WEIRD_SERVER_REPLY || code == CURLE_RECV_ERROR;
    if ((code == CURLE_SEND_ERROR || (refused && smtp->asked_for_it)) && response >= 400)
        return response >= 500 && response != 530 && response != 535 ? SMTP_NEVER : SMTP_NOT_THIS;
    return SMTP_NOT_NOW;
}

static void describe(const struct smtp *smtp, CURLcode code, char cause[MAILER_CAUSE_MAX])
{
    long response = 0;
    (void)curl_easy_getinfo(smtp->curl, CURLINFO_RESPONSE_CODE, &response);
    const char *said = smtp->said[0] != '\0' ? smtp->said : curl_easy_strerror(code);
    if (response >= 400)
        (void)snprintf(cause, MAILER_CAUSE_MAX, "the server answered %ld: %.140s", response, said);
    else
        (void)snprintf(cause, MAILER_CAUSE_MAX, "%.160s", said);
}

enum smtp_result smtp_send(struct smtp *smtp, const char *to, const char *mail, size_t len,
                           char cause[MAILER_CAUSE_MAX])
{
    char recipient[EMAIL_LEN_MAX + 3];
    enum smtp_result result = SMTP_NOT_NOW;
    (void)snprintf(cause, MAILER_CAUSE_MAX, "memory is out");
    (void)snprintf(recipient, sizeof recipient, "<%s>", to);
    struct curl_slist *recipients = curl_slist_append(NULL, recipient);
    if (recipients != NULL && prepare(smtp) &&
        curl_easy_setopt(smtp->curl, CURLOPT_MAIL_RCPT, recipients) == CURLE_OK &&
        curl_easy_setopt(smtp->curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)len) == CURLE_OK) {
        smtp->mail = mail;
        smtp->left = len;
        smtp->asked_for_it = false;
        smtp->said[0] = '\0';
        const CURLcode code = curl_easy_perform(smtp->curl);
        result = judge(smtp, code);
        if (result != SMTP_TAKEN)
            describe(smtp, code, cause);
        (void)curl_easy_setopt(smtp->curl, CURLOPT_MAIL_RCPT, NULL);
    }
    curl_slist_free_all(recipients);
    smtp->mail = NULL;
    if (result != SMTP_TAKEN)
        smtp_hang_up(smtp);
    secret_wipe_residue();
    return result;
}

void smtp_hang_up(struct smtp *smtp)
{
    if (atomic_load(smtp->stopping))
        cut_off(smtp);
    if (smtp->curl != NULL)
        curl_easy_cleanup(smtp->curl);
    smtp->curl = NULL;
}

struct smtp *smtp_new(const struct config *config, const char *password, const _Atomic bool *stopping)
{
    struct smtp *smtp = calloc(1, sizeof *smtp);
    if (smtp != NULL) {
        smtp->config = config;
        smtp->password = password;
        smtp->stopping = stopping;
        smtp->socket = CURL_SOCKET_BAD;
    }
    return smtp;
}

void smtp_free(struct smtp **smtp)
{
    if (*smtp != NULL) {
        smtp_hang_up(*smtp);
        free(*smtp);
        *smtp = NULL;
    }
}
