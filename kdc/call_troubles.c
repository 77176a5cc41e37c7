#include "kdc/call_troubles.h"

#include <stdio.h>
#include <string.h>

#define QUIET_MS 1000
#define STALE_MS 60000

enum call_news call_troubles_note(struct call_troubles *troubles, int call, const char *cause, uint64_t now_ms,
                                  char was[CALL_TROUBLE_MAX])
{
    was[0] = '\0';
    if (call < 0 || call >= STORE_CALLS) {
        return CALL_NO_NEWS;
    }
    struct call_trouble *trouble = &troubles->calls[call];
    const bool fails = cause != NULL;
    const bool same =
        fails == trouble->fails && (!fails || strncmp(cause, trouble->cause, sizeof trouble->cause - 1) == 0);
    const bool told = trouble->cause[0] != '\0'; /* that it fails */
    trouble->failed = fails ? now_ms : trouble->failed;
    if (same) {
        return CALL_NO_NEWS;
    }
    trouble->fails = fails;
    if (fails && trouble->told != 0 && now_ms - trouble->told < QUIET_MS) {
        return CALL_NO_NEWS; /* with the cause of before, so that it is news again later */
    }
    if (fails) {
        (void)snprintf(trouble->cause, sizeof trouble->cause, "%s", cause);
        trouble->told = now_ms;
        return CALL_FAILS;
    }
    memcpy(was, trouble->cause, sizeof trouble->cause);
    trouble->cause[0] = '\0';
    return told ? CALL_WORKS : CALL_NO_NEWS;
}

const char *call_troubles_cause_of(const struct call_troubles *troubles, int call, uint64_t now_ms)
{
    const struct call_trouble *trouble = &troubles->calls[call];
    return trouble->fails && now_ms - trouble->failed < STALE_MS ? trouble->cause : "";
}

const char *call_troubles_cause(const struct call_troubles *troubles, uint64_t now_ms)
{
    const char *cause = "";
    for (int call = 0; call < STORE_CALLS && cause[0] == '\0'; call++) {
        cause = call_troubles_cause_of(troubles, call, now_ms);
    }
    return cause;
}
