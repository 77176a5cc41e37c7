/* error.c: words for what went wrong: our own here, the protocol's from wire/reason.h. */
#include "client/kdcchat.h"
#include "wire/reason.h"

#include <stddef.h>

static const struct {
    int error;
    const char *name;
    const char *text;
} errors[] = {
    { KC_OK, "ok", "All went well" },
    { KC_UNREACHABLE, "unreachable", "The KDC can't be reached: check its address, and whether it runs" },
    { KC_CONNECTION_LOST, "connection_lost", "The connection to the KDC was lost" },
    { KC_IDENTITY_CHANGED, "identity_changed",
      "This is not the KDC that is known under this address: somebody may stand in between, or it was set up anew; "
      "ask its operator for its fingerprint before you go on" },
    { KC_IDENTITY_REFUSED, "identity_refused", "The KDC's fingerprint was not accepted" },
    { KC_BAD_SIGNATURE, "bad_signature",
      "The KDC couldn't prove its identity: somebody may stand in between; no password was sent" },
    { KC_BAD_CONFIRM, "bad_confirm",
      "The KDC doesn't hold the same key: somebody may stand in between; no password was sent" },
    { KC_BAD_ADDRESS, "bad_address", "The KDC's name can't be resolved: check the server's address" },
    { KC_NO_MEMORY, "no_memory", "Memory is out" },
    { KC_KNOWN_KDCS, "known_kdcs", "The file of known KDCs can't be read or written" },
    { KC_BAD_NAME, "bad_name",
      "Not a name: 1 to 32 letters a-z, digits, dots, hyphens or underscores, beginning with a letter or a digit" },
    { KC_BAD_TEXT, "bad_text", "A text must be UTF-8 of 1 to 16384 bytes" },
    { KC_BAD_PASSWORD, "bad_password", "A password must be 8 to 72 bytes of UTF-8 without NUL" },
    { KC_OUTBOX_FULL, "outbox_full", "Too much waits for this person already: send again when some of it has arrived" },
    { KC_BAD_OPTION, "bad_option", "An option is not valid: a group, a suite or a fingerprint" },
    { KC_NOT_READY, "not_ready", "Not logged in" },
    { KC_PROTOCOL, "protocol", "The KDC sent what it must not: its version may differ from this client's" },
};

const char *kc_error_name(int error)
{
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        if (errors[i].error == error)
            return errors[i].name;
    }
    return error > 0 && error < REASON_COUNT ? reason_name((enum reason)error) : "unknown";
}

const char *kc_error_text(int error)
{
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        if (errors[i].error == error)
            return errors[i].text;
    }
    return error > 0 && error < REASON_COUNT ? reason_text((enum reason)error) : "An unknown error";
}

const char *kc_version(void)
{
    return KDC_CHAT_VERSION;
}
