/*
 * mail.h: what one session (or the journal) tells another session: the only way in which sessions touch each
 * other. A mail is a heap object that goes through queues; whoever takes it out frees it with mail_free.
 *
 * A mail that carries a key lives in secret memory and is wiped by mail_free.
 */
#ifndef KDC_MAIL_H
#define KDC_MAIL_H

#include "kdc/directory.h"
#include "kdc/inbox.h"
#include "wire/protocol.h"

enum mail_type {
    MAIL_ISSUE,       /* struct mail_issue; not to a session but to where its key is made (conversation.h) */
    MAIL_UNISSUED,    /* struct mail_issue: yours comes back, for the reason in it */
    MAIL_GRANT,       /* struct mail_grant; from there to the first session, and on to the second */
    MAIL_CIPHERTEXT,  /* struct mail_ciphertext */
    MAIL_UNDELIVERED, /* struct mail_undelivered: what became of a ciphertext of yours */
    MAIL_REFUSED,     /* struct mail_refused: a request of yours */
    MAIL_PEER_GONE,   /* struct mail_leg: `from` is not in this conversation any more */
    MAIL_CREDIT,      /* struct mail_credit: `from` has taken so much of what you passed to it */
    MAIL_CAME_ONLINE, /* struct mail_name: a user that you watched */
    MAIL_END,         /* struct mail_end: your session is over: taken over, kicked */
    MAIL_EXPIRES,     /* struct mail_expires: your account ends at another time */
};

struct mail {
    struct inbox_item item; /* the queues' */
    enum mail_type type;
    struct session_ref to;
    struct session_ref from;
};

/* An epoch that the database knows of (in a mail_issue on its way to the journal: is to know of), on its way to its key. */
struct issue {
    uint64_t conversation;
    uint32_t epoch;
    uint32_t request;     /* of the one who opened */
    struct session_ref a; /* who opened */
    struct session_ref b;
    struct name name_a;
    struct name name_b;
    uint16_t suite;
    uint64_t time; /* milliseconds since 1970 UTC */
};

/* Through the journal (journal.h), which sets the conversation and the epoch, to where the key is made; or back to the one who
 * opened. */
struct mail_issue {
    struct mail mail;
    struct issue issue;
    uint64_t user_a; /* the accounts */
    uint64_t user_b;
    char source[DIRECTORY_SOURCE_MAX]; /* of the one who opened */
    enum reason reason;                /* when it comes back */
};

struct mail_grant {
    struct mail mail;
    struct issue issue;
    bool first; /* to be passed on to the other */
    size_t key_len;
    uint8_t key[SUITE_ISSUED_KEY_MAX]; /* secret */
};

struct mail_ciphertext {
    struct mail mail;
    struct mail_stock *home; /* where mail_free takes it; NULL: it is freed */
    size_t len;
    uint8_t plain[]; /* the whole message, type and body */
};

struct mail_undelivered {
    struct mail mail;
    struct message_undelivered what;
};

struct mail_refused {
    struct mail mail;
    struct message_refused what;
};

struct mail_leg {
    struct mail mail;
    uint64_t conversation;
};

struct mail_credit {
    struct mail mail;
    uint64_t conversation;
    size_t bytes;
};

struct mail_name {
    struct mail mail;
    struct name name;
};

struct mail_end {
    struct mail mail;
    enum reason reason;
};

struct mail_expires {
    struct mail mail;
    uint64_t expires; /* milliseconds since 1970 UTC; 0: never */
};

/* A zeroed mail of that type and size; `extra` bytes behind it for a ciphertext. NULL when memory is out. */
void *mail_new(enum mail_type type, const struct session_ref *to, const struct session_ref *from, size_t extra)
    __attribute__((warn_unused_result));
void mail_free(struct mail *mail);
/* The same at the program's end, when the stocks may be gone. */
void mail_discard(struct mail *mail);

#define MAIL_STOCK_ROOM 512 /* bytes of a ciphertext message that a stock has mails for: longer ones are allocated */

/* Ciphertext mails of one sender's thread, used again and again: whoever frees one gives it back here. */
struct mail_stock {
    _Atomic(struct inbox_item *) back; /* from any thread */
    struct inbox_item *spare;          /* the rest is the owner's */
    unsigned spare_count;
    unsigned least; /* spare ones since the last trim */
    unsigned out;   /* mails that are spare, back, or on their way */
    unsigned max;
};

void mail_stock_init(struct mail_stock *stock, unsigned max);
/* As mail_new for a ciphertext of `len` bytes; from the stock, if they fit it and it isn't exhausted. */
struct mail_ciphertext *mail_stock_take(struct mail_stock *stock, const struct session_ref *to,
                                        const struct session_ref *from, size_t len) __attribute__((warn_unused_result));
/* Frees what hasn't been needed since the last call. */
void mail_stock_trim(struct mail_stock *stock);
/* Frees what is there. Mails that are still on their way may only be discarded then. */
void mail_stock_clear(struct mail_stock *stock);

#endif
