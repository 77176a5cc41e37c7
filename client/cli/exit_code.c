#include "client/cli/exit_code.h"

#include "client/kdcchat.h"
#include "wire/protocol.h"

#include <stddef.h>

static const struct {
    int error;
    enum exit_code code;
} codes[] = {
    { KC_OK, EXIT_CODE_OK },
    { KC_UNREACHABLE, EXIT_CODE_UNREACHABLE },
    { KC_CONNECTION_LOST, EXIT_CODE_UNREACHABLE },
    { KC_BAD_ADDRESS, EXIT_CODE_UNREACHABLE },
    { KC_NOT_READY, EXIT_CODE_UNREACHABLE },
    { REASON_SHUTTING_DOWN, EXIT_CODE_UNREACHABLE },
    { REASON_SILENT, EXIT_CODE_UNREACHABLE },
    { REASON_SLOW_READER, EXIT_CODE_UNREACHABLE },
    { KC_IDENTITY_CHANGED, EXIT_CODE_IDENTITY },
    { KC_IDENTITY_REFUSED, EXIT_CODE_IDENTITY },
    { KC_BAD_SIGNATURE, EXIT_CODE_IDENTITY },
    { KC_BAD_CONFIRM, EXIT_CODE_IDENTITY },
    { KC_BAD_OPTION, EXIT_CODE_USAGE },
    { KC_BAD_NAME, EXIT_CODE_REFUSED },
    { KC_BAD_TEXT, EXIT_CODE_REFUSED },
    { KC_BAD_PASSWORD, EXIT_CODE_REFUSED },
    { REASON_NAME, EXIT_CODE_REFUSED },
    { REASON_PASSWORD_SHORT, EXIT_CODE_REFUSED },
    { REASON_PASSWORD_LONG, EXIT_CODE_REFUSED },
    { REASON_PASSWORD_NUL, EXIT_CODE_REFUSED },
    { REASON_PASSWORD_UTF8, EXIT_CODE_REFUSED },
    { REASON_NAME_TAKEN, EXIT_CODE_REFUSED },
    { REASON_REGISTRATION_CLOSED, EXIT_CODE_REFUSED },
    { REASON_TEXT_LENGTH, EXIT_CODE_REFUSED },
    { REASON_PEER_IS_SELF, EXIT_CODE_REFUSED },
    { REASON_PASSWORD_COMMON, EXIT_CODE_REFUSED },
    { REASON_PASSWORD_REUSED, EXIT_CODE_REFUSED },
    { REASON_INVITATION, EXIT_CODE_REFUSED },
    { REASON_EMAIL, EXIT_CODE_REFUSED },
    { REASON_EMAIL_TAKEN, EXIT_CODE_REFUSED },
    { REASON_PHONE, EXIT_CODE_REFUSED },
    { REASON_PHONE_TAKEN, EXIT_CODE_REFUSED },
    { REASON_CODE, EXIT_CODE_REFUSED },
    { REASON_CODE_EXPIRED, EXIT_CODE_REFUSED },
    { REASON_LOGIN_FAILED, EXIT_CODE_LOGIN },
    { REASON_MUST_CHANGE, EXIT_CODE_LOGIN },
    { REASON_ACCOUNT_EXPIRED, EXIT_CODE_LOGIN },
    { REASON_NEW_PASSWORD, EXIT_CODE_LOGIN },
    { REASON_ACCOUNT_RENAMED, EXIT_CODE_LOGIN },
    { REASON_ACCOUNT_DELETED, EXIT_CODE_LOGIN },
    { REASON_TRIES, EXIT_CODE_LOGIN },
    { REASON_ACCOUNT_LOCKED, EXIT_CODE_LOGIN },
    { REASON_ACCOUNT_DISABLED, EXIT_CODE_LOGIN },
    { REASON_ACCOUNT_PENDING, EXIT_CODE_LOGIN },
    { REASON_NO_SUCH_USER, EXIT_CODE_NO_SUCH_USER },
    { REASON_PEER_LOCKED, EXIT_CODE_NO_SUCH_USER },
    { REASON_PEER_OFFLINE, EXIT_CODE_PEER_OFFLINE },
    { REASON_DEADLINE, EXIT_CODE_TIMEOUT },
    { REASON_BUSY, EXIT_CODE_BUSY },
    { REASON_UNAVAILABLE, EXIT_CODE_BUSY },
    { REASON_PENALTY, EXIT_CODE_BUSY },
    { REASON_TOO_MANY, EXIT_CODE_BUSY },
    { KC_OUTBOX_FULL, EXIT_CODE_BUSY },
    { REASON_TAKEN_OVER, EXIT_CODE_ENDED },
    { REASON_KICKED, EXIT_CODE_ENDED },
};

enum exit_code exit_code_of(int error)
{
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (codes[i].error == error) {
            return codes[i].code;
        }
    }
    return EXIT_CODE_OTHER;
}

const struct exit_code_description exit_code_table[] = {
    { EXIT_CODE_OK, "done" },
    { EXIT_CODE_OTHER, "anything that isn't below" },
    { EXIT_CODE_USAGE, "wrong usage: command line, environment, or configuration file" },
    { EXIT_CODE_LOGIN, "login refused" },
    { EXIT_CODE_PEER_OFFLINE, "the other person is offline" },
    { EXIT_CODE_NO_SUCH_USER, "no such user, or the account isn't active" },
    { EXIT_CODE_UNREACHABLE, "the KDC can't be reached, or the connection was lost" },
    { EXIT_CODE_IDENTITY, "the KDC's identity changed, isn't trusted, or wasn't proved" },
    { EXIT_CODE_TIMEOUT, "timed out" },
    { EXIT_CODE_REFUSED, "input refused: a name, password, text or code; name taken; registration closed" },
    { EXIT_CODE_BUSY, "busy or temporarily unavailable: try again later" },
    { EXIT_CODE_ENDED, "ended: logged in elsewhere, or kicked by the operator" },
    { EXIT_CODE_PENDING, "a code was mailed: give it next (activate, deactivate)" },
    { EXIT_CODE_INTERRUPTED, "interrupted" },
    { EXIT_CODE_OK, NULL },
};
