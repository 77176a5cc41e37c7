#include "wire/reason.h"

static const struct {
    const char *name;
    const char *text;
} reasons[REASON_COUNT] = {
    [REASON_NONE] = { "none", "The connection was ended in good order" },
    [REASON_MALFORMED] = { "malformed", "Something arrived that the protocol doesn't allow; "
                                        "one of the two programs may need an update" },
    [REASON_OUT_OF_ORDER] = { "out_of_order", "Something arrived out of its turn; "
                                              "one of the two programs may need an update" },
    [REASON_TOO_LONG] = { "too_long", "Something arrived that is longer than the protocol allows; "
                                      "one of the two programs may need an update" },
    [REASON_VERSION] = { "version", "The server speaks another version of the protocol; update the older of the two" },
    [REASON_GROUP] = { "group", "Client and server accept no Diffie-Hellman group in common; "
                                "choose one that the server's operator allows" },
    [REASON_SUITE] = { "suite", "Client and server accept no suite in common; "
                                "choose one that the server's operator allows" },
    [REASON_PUBLIC_VALUE] = { "public_value", "A Diffie-Hellman value was out of its range; "
                                              "if trying again doesn't help, somebody may be tampering" },
    [REASON_CONFIRM] = { "confirm", "The two sides don't hold the same key; "
                                    "if trying again doesn't help, somebody may stand in between" },
    [REASON_RECORD] = { "record", "Something was changed, lost or repeated on its way; connect again" },
    [REASON_DEADLINE] = { "deadline", "Connecting or logging in took too long; try again" },
    [REASON_BUSY] = { "busy", "The server has too much to do; try again in a moment" },
    [REASON_UNAVAILABLE] = { "unavailable", "The server can't reach its database just now, or its mail server; "
                                            "try again in a moment" },
    [REASON_LOGIN_FAILED] = { "login_failed", "Wrong name or password; try again" },
    [REASON_TRIES] = { "tries", "Too many wrong tries; connect again to go on" },
    [REASON_NAME] = { "name", "That name is not allowed; take 1 to 32 letters a-z, digits, '.', '_' or '-', "
                              "beginning with a letter or digit" },
    [REASON_PASSWORD_SHORT] = { "password_short", "The password is too short; take a longer one" },
    [REASON_PASSWORD_LONG] = { "password_long", "The password is too long; take at most 72 bytes" },
    [REASON_PASSWORD_NUL] = { "password_nul", "The password holds a NUL byte; take another" },
    [REASON_PASSWORD_UTF8] = { "password_utf8", "The password is not UTF-8; check the terminal's or file's encoding" },
    [REASON_NAME_TAKEN] = { "name_taken", "That name is taken; choose another" },
    [REASON_ACCOUNT_LOCKED] = { "account_locked", "The account is locked; ask the server's operator" },
    [REASON_ACCOUNT_DISABLED] = { "account_disabled", "The account is disabled; ask the server's operator" },
    [REASON_ACCOUNT_PENDING] = { "account_pending", "The account is not activated yet; give the code that was mailed, "
                                                    "or ask the server's operator" },
    [REASON_REGISTRATION_CLOSED] = { "registration_closed", "Accounts can't be made here; ask the server's operator" },
    [REASON_NO_SUCH_USER] = { "no_such_user", "There is no user of that name; check the spelling" },
    [REASON_PEER_OFFLINE] = { "peer_offline", "That user is offline; try again when they are back" },
    [REASON_PEER_IS_SELF] = { "peer_is_self", "That is yourself; choose somebody else" },
    [REASON_PEER_LOCKED] = { "peer_locked", "That user's account is not active; ask the server's operator" },
    [REASON_NO_CONVERSATION] = { "no_conversation", "There is no such conversation any more; open it again" },
    [REASON_TEXT_LENGTH] = { "text_length", "The text is too long; send at most 16384 bytes at once" },
    [REASON_TOO_MANY] = { "too_many", "Too many conversations or requests at once, or one after the other; "
                                      "wait a moment, or connect again" },
    [REASON_TAKEN_OVER] = { "taken_over", "The same user logged in elsewhere; log in again to come back here" },
    [REASON_SHUTTING_DOWN] = { "shutting_down", "The server stops or restarts; try again in a moment" },
    [REASON_KICKED] = { "kicked", "The server's operator ended the session; ask them, or log in again" },
    [REASON_SILENT] = { "silent", "Nothing was heard for too long; connect again" },
    [REASON_SLOW_READER] = { "slow_reader", "What was sent was not read in time; connect again" },
    [REASON_INTERNAL] = { "internal", "Something failed on the other side; try again, "
                                      "and tell the server's operator if it stays" },
    [REASON_MUST_CHANGE] = { "must_change", "The password must be changed before you can go on; choose a new one" },
    [REASON_PASSWORD_COMMON] = { "password_common",
                                 "That password is too easy to guess; choose one that isn't in every list and doesn't hold your name" },
    [REASON_PASSWORD_REUSED] = { "password_reused", "That password was used before; choose another" },
    [REASON_ACCOUNT_EXPIRED] = { "account_expired", "The account has expired; ask the server's operator" },
    [REASON_INVITATION] = { "invitation",
                            "An account is made here with an invitation, and that code isn't one that holds; ask the server's operator" },
    [REASON_EMAIL] = { "email", "That is not an e-mail address that mail can be sent to; check the spelling" },
    [REASON_EMAIL_TAKEN] = { "email_taken",
                             "Another account has that e-mail address; take another, or log in to that account" },
    [REASON_PHONE] = { "phone", "That is not a telephone number; write it as + and up to 15 digits" },
    [REASON_PHONE_TAKEN] = { "phone_taken",
                             "Another account has that telephone number; take another, or log in to that account" },
    [REASON_CODE] = { "code", "That is not the code that was mailed; look again, or ask for a new one" },
    [REASON_CODE_EXPIRED] = { "code_expired", "That code doesn't hold any more; ask for a new one" },
    [REASON_PENALTY] = { "penalty", "Too many failed logins; wait before the next one" },
    [REASON_NEW_PASSWORD] = { "new_password", "The account has another password now; log in with that one" },
    [REASON_ACCOUNT_RENAMED] = { "account_renamed",
                                 "The account has another name now; ask the server's operator which, and log in by that one" },
    [REASON_ACCOUNT_DELETED] = { "account_deleted", "The account was deleted; ask the server's operator" },
};

const char *reason_name(enum reason reason)
{
    if ((unsigned)reason >= REASON_COUNT)
        return "unknown";
    return reasons[reason].name;
}

const char *reason_text(enum reason reason)
{
    if ((unsigned)reason >= REASON_COUNT)
        return "The other side gave a reason that this program doesn't know; it may need an update";
    return reasons[reason].text;
}
