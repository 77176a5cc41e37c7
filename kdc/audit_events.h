/*
 * audit_events.h: the kinds of events that the audit log knows: a fixed set, part of the interface for scripts. Whoever records
 * an event takes its name from here; what isn't here is a defect.
 *
 * What came of it is a column of its own: "ok", or the reason why not (wire/reason.h).
 */
#ifndef KDC_AUDIT_EVENTS_H
#define KDC_AUDIT_EVENTS_H

#define AUDIT_OK "ok"

/* By people, over the network. */
#define AUDIT_LOGIN "login"
#define AUDIT_RESUME "resume"
#define AUDIT_REGISTER "register"
#define AUDIT_ACTIVATE "activate"
#define AUDIT_DEACTIVATE "deactivate"
#define AUDIT_PASSWORD_CHANGE "password change"
#define AUDIT_KEY_ISSUED "key issued" /* by sql/procedures/kdc_journal.sql */
#define AUDIT_CODE_MAILED "code mailed"
/* By kdcd itself. */
#define AUDIT_LOCKED_OUT "locked out"
#define AUDIT_ACCOUNT_REMOVED "account removed"
/* By operators. */
#define AUDIT_USER_ADDED "user added"
#define AUDIT_USER_IMPORTED "user imported" /* by sql/procedures/admin_user_import.sql */
#define AUDIT_USERS_EXPORTED "users exported"
#define AUDIT_USER_PASSWORD "user given another password"
#define AUDIT_USER_LOCKED "user locked"
#define AUDIT_USER_UNLOCKED "user unlocked"
#define AUDIT_USER_DISABLED "user disabled"
#define AUDIT_USER_ENABLED "user enabled"
#define AUDIT_USER_RENAMED "user renamed"
#define AUDIT_USER_CHANGED "user changed"
#define AUDIT_USER_DELETED "user deleted"
#define AUDIT_USER_KICKED "user kicked"
#define AUDIT_INVITATION_MADE "invitation made"
#define AUDIT_INVITATION_REVOKED "invitation revoked"
#define AUDIT_PENALTIES_CLEARED "penalties cleared"
#define AUDIT_IDENTITY_MADE "identity made"
#define AUDIT_DATABASE_CHANGED "database changed"
#define AUDIT_DATABASE_BACKED_UP "database backed up"
#define AUDIT_DATABASE_RESTORED "database restored"

struct audit_event_description {
    const char *event;
    const char *doc; /* a line, for the manual */
};

/* All of them, ended by one of NULLs. */
extern const struct audit_event_description audit_events[];

#endif
