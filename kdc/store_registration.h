/*
 * store_registration.h: of the store (store.h, whose rules hold): people who register by themselves, the codes that are mailed
 * to them, how they can be reached, and invitations.
 */
#ifndef KDC_STORE_REGISTRATION_H
#define KDC_STORE_REGISTRATION_H

#include "kdc/code.h"
#include "kdc/contact.h"
#include "kdc/store.h"

/* ---- for kdcd ---- */

struct store_registration {
    struct name name;
    char hash[PASSWORD_HASH_LEN];
    bool pending; /* until a code is given; else the account is active at once */
    struct email email;
    struct phone phone;
    bool unique;                       /* these two may be no other account's */
    char invitation[CODE_DIGEST_ROOM]; /* empty: none is needed. Else it is used up by this */
};
enum store_registered {
    REGISTERED,
    REGISTERED_NO_INVITATION, /* not: the invitation isn't one that holds */
    REGISTERED_NAME_TAKEN,
    REGISTERED_EMAIL_TAKEN,
    REGISTERED_PHONE_TAKEN,
};
/* All or nothing. STORE_OK: *outcome tells; when it is REGISTERED there is an account with this number and epoch. */
enum store_result store_register(struct store *store, const struct store_registration *registration,
                                 enum store_registered *outcome, uint64_t *id, uint64_t *epoch)
    __attribute__((warn_unused_result));

struct store_code {
    uint64_t user;
    enum code_purpose purpose;
    char digest[CODE_DIGEST_ROOM];
    unsigned seconds; /* that it holds */
    unsigned tries;
    unsigned mails; /* to one address, within an hour */
};
enum store_code_outcome {
    CODE_OUTCOME_OK,
    CODE_OUTCOME_QUIET,   /* new: not to be mailed, and nobody is told */
    CODE_OUTCOME_MANY,    /* new: too many for this account within the hour */
    CODE_OUTCOME_EMAIL,   /* new: there is no address to mail it to */
    CODE_OUTCOME_WRONG,   /* use: it is another one */
    CODE_OUTCOME_EXPIRED, /* use: too old, tried too often, or there is none */
    CODE_OUTCOME_STATE,   /* the account isn't there, or in another state */
};
/* A new code in place of an earlier one. OK: it is to be mailed to *email. MANY: another in *retry_after seconds. */
enum store_result store_code_new(struct store *store, const struct store_code *code, enum store_code_outcome *outcome,
                                 struct email *email, uint32_t *retry_after) __attribute__((warn_unused_result));
/* Somebody typed one. OK: the account is active now, or disabled, and has this epoch. */
enum store_result store_code_use(struct store *store, uint64_t user, enum code_purpose purpose, const char *digest,
                                 enum store_code_outcome *outcome, uint64_t *epoch) __attribute__((warn_unused_result));
/* Accounts that registered so many days ago and were never activated go, `max` at most; *removed tells how many. */
enum store_result store_unactivated_remove(struct store *store, unsigned days, unsigned max, uint64_t *removed)
    __attribute__((warn_unused_result));

/* ---- for kdc-admin ---- */

enum store_result store_user_contacts(struct store *store, const struct name *name, struct email *email,
                                      struct phone *phone) __attribute__((warn_unused_result));
/* STORE_EXISTS: it is another account's. An empty one: there is none any more. */
enum store_result store_user_set_email(struct store *store, const struct name *name, const struct email *email,
                                       bool unique) __attribute__((warn_unused_result));
enum store_result store_user_set_phone(struct store *store, const struct name *name, const struct phone *phone,
                                       bool unique) __attribute__((warn_unused_result));

#define STORE_NOTE_MAX 255     /* bytes */
#define STORE_INVITATIONS 1000 /* made in one call */

struct store_invitation {
    uint64_t id;
    char digest[CODE_DIGEST_ROOM]; /* empty in lists */
    char note[STORE_NOTE_MAX * 4 + 1];
    char made_by[128 * 4 + 1];
    char used_by[NAME_LEN_MAX + 1]; /* the name at the time */
    char state[8];                  /* "open", "used", "revoked", "expired" */
    uint64_t made;                  /* milliseconds since 1970 UTC */
    uint64_t expires;               /* 0: never */
    uint64_t used;                  /* 0: not */
    uint64_t revoked;
};
/* All or none; sets their ids. Of each only the digest is looked at. */
enum store_result store_invitations_make(struct store *store, struct store_invitation *invitations, size_t count,
                                         const char *note, const char *made_by, uint64_t expires)
    __attribute__((warn_unused_result));
/* Those behind `after` in the order of their numbers, at most `max`; *count tells how many. */
enum store_result store_invitations_list(struct store *store, uint64_t after, struct store_invitation *invitations,
                                         size_t max, size_t *count) __attribute__((warn_unused_result));
/* STORE_EXISTS: it is used already. STORE_NOT_FOUND. One that was revoked before stays so. */
enum store_result store_invitation_revoke(struct store *store, uint64_t id) __attribute__((warn_unused_result));

#endif
