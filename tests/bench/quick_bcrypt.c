/*
 * quick_bcrypt.c: preloaded into a kdcd that is to be filled with thousands of sessions before something else than logins is
 * measured: crypt_rn answers for "$2b$" hashes of every cost what cost 4 gives. Accounts are made with such hashes
 * (scratch.py). kdc-bench login never uses it.
 */
#include <crypt.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "$2b$"
#define COST_AT 4
#define COST_LEN 2
#define SETTING_MAX 64

typedef char *crypt_rn_function(const char *phrase, const char *setting, void *data, int size);

/* Exported: the program's call comes here. */
char *crypt_rn(const char *phrase, const char *setting, void *data, int size)
{
    char cheap[SETTING_MAX];
    void *found = dlsym(RTLD_NEXT, "crypt_rn");
    crypt_rn_function *real;
    if (found == NULL) {
        return NULL;
    }
    memcpy(&real, &found, sizeof real); /* POSIX's way from dlsym to a function */
    const size_t len = strlen(setting);
    if (strncmp(setting, PREFIX, sizeof PREFIX - 1) != 0 || len >= sizeof cheap || len < COST_AT + COST_LEN) {
        return real(phrase, setting, data, size);
    }
    (void)snprintf(cheap, sizeof cheap, "%s04%s", PREFIX, setting + COST_AT + COST_LEN);
    // cppcheck-suppress returnDanglingLifetime ; it points into `data`
    char *made = real(phrase, cheap, data, size);
    if (made != NULL) {
        memcpy(made + COST_AT, setting + COST_AT, COST_LEN);
    }
    return made;
}
