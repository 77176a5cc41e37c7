/*
 * mailer.h: mails codes to people: by SMTP (libcurl), from one thread of its own, never from a reactor or a worker.
 *
 * What is to be mailed waits in a bounded queue until a server has taken it. What a server refuses for now, or can't be
 * told because it is away, is tried again with a backoff for as long as its code holds; what it refuses for good is dropped.
 * Either way the person may ask for another code. A letter that was taken may still bounce: nobody hears of that here.
 *
 * A mail is plain text without a link. Its words come from a template (or are built in), in which {name}, {code} and {minutes}
 * stand for what is known; its first line is "Subject: ..." and its second one empty. Nothing that a person typed stands in a
 * header but the address, which holds only what contact.h lets through.
 *
 * The connection is encrypted and the server's certificate checked, unless the configuration says tls = none.
 *
 * Codes are secrets: letters wait in secret memory, libcurl's own buffers are wiped when it gives them back, and the log has
 * neither codes nor addresses.
 *
 * Thread: mailer_post, _has_room and _stats any; new and free the main one.
 */
#ifndef KDC_MAILER_H
#define KDC_MAILER_H

#include "kdc/code.h"
#include "kdc/config.h"
#include "kdc/contact.h"

#define MAILER_QUEUE_MAX 256
#define MAILER_ERROR_MAX 512
#define MAILER_CAUSE_MAX 192

struct letter {
    struct email to;
    struct name name; /* the account's */
    enum code_purpose purpose;
    char code[CODE_MAILED_ROOM]; /* secret */
    unsigned minutes;            /* that it holds from now on */
};

struct mailer;

/* Reads password and templates, and starts the thread. NULL with a sentence in `error`. Before there are other threads: libcurl
 * is set up here. config->mail_server may not be empty. */
struct mailer *mailer_new(const struct config *config, char error[MAILER_ERROR_MAX])
    __attribute__((warn_unused_result));
/* Gives up what waits and what is on its way. Sets to NULL; *mailer may be NULL. */
void mailer_free(struct mailer **mailer);

/* Copies the letter. 0; -1: too many wait. Never blocks. */
int mailer_post(struct mailer *mailer, const struct letter *letter) __attribute__((warn_unused_result));
/* Whether one more could be taken now. */
bool mailer_has_room(struct mailer *mailer);

struct mailer_stats {
    size_t queued; /* letters that wait, or are on their way */
    size_t queue_max;
    uint64_t sent;                /* taken by the server, since the start */
    uint64_t retried;             /* tries that failed and were to be tried again */
    uint64_t dropped;             /* refused for good, or too old */
    uint64_t full;                /* letters that found no room */
    bool failing;                 /* the last try failed */
    char cause[MAILER_CAUSE_MAX]; /* why the last one that failed did; empty: none did */
};
struct mailer_stats mailer_stats(struct mailer *mailer);

/* Whether the templates that the configuration names can be used: 0, or -1 with a sentence. For --check-config. */
int mailer_check(const struct config *config, char error[MAILER_ERROR_MAX]) __attribute__((warn_unused_result));

#endif
