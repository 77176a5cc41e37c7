#include "kdc/password_policy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIST_FILE_MAX (64 * 1024 * 1024)

/* What people take before they think. Lower-case, sorted by nothing: that is done for every list. */
static const char built_in[] = "00000000\n01234567\n0123456789\n0987654321\n11111111\n1111111111\n11223344\n"
                               "1122334455\n12121212\n123123123\n12341234\n1234512345\n12345678\n123456789\n"
                               "1234567890\n12345678910\n123456789a\n1234qwer\n147258369\n1q2w3e4r\n1q2w3e4r5t\n"
                               "1qaz2wsx\n1qaz2wsx3edc\n22222222\n33333333\n55555555\n66666666\n77777777\n"
                               "87654321\n88888888\n987654321\n9876543210\n99999999\n999999999\na1b2c3d4\n"
                               "aa123456\naaaaaaaa\nabc12345\nabcd1234\nabcdefgh\nabcdefghi\naccess123\n"
                               "admin123\nadmin1234\nadministrator\nalexander\nangel123\narsenal1\nasdasdasd\n"
                               "asdf1234\nasdfasdf\nasdfghjk\nasdfghjkl\nbaseball\nbasketball\nbatman123\n"
                               "benjamin\nblink182\nbutterfly\ncharlie1\nchangeme\nchangeme1\nchangeme123\n"
                               "chelsea1\nchocolate\ncomputer\ncomputer1\ncorvette\ndefault1\ndragon123\n"
                               "elizabeth\nfootball\nfootball1\nfreedom1\nfuckyou1\nguest123\nhello123\n"
                               "hello1234\nhelloworld\niloveyou\niloveyou1\ninternet\njennifer\njordan23\n"
                               "jessica1\nkdc-chat\nletmein1\nletmein123\nletmeinnow\nliverpool\nlogin123\n"
                               "manchester\nmaster123\nmercedes\nmichael1\nmichelle\nmidnight\nmonkey123\n"
                               "mustang1\nmypassword\nnintendo\np@ssw0rd\np@ssword\npass1234\npass12345\n"
                               "passpass\npassw0rd\npassw0rd1\npassword\npassword!\npassword0\npassword1\n"
                               "password1!\npassword11\npassword12\npassword123\npassword1234\npassword2\n"
                               "password21\npassword99\npasswort\npasswort1\npokemon1\nprincess\nprincess1\n"
                               "q1w2e3r4\nq1w2e3r4t5\nqazwsxedc\nqwer1234\nqwerasdf\nqwerqwer\nqwerty12\n"
                               "qwerty123\nqwerty1234\nqwertyui\nqwertyuiop\nqwertz123\nrootroot\nsamantha\n"
                               "secret123\nshadow123\nspiderman\nstarwars\nsummer2024\nsummer2025\nsunshine\n"
                               "sunshine1\nsuperman\nsuperman1\nsupersecret\ntemp1234\ntest1234\ntesttest\n"
                               "trustno1\nvictoria\nwelcome1\nwelcome12\nwelcome123\nwhatever\nwhatever1\n"
                               "william1\nwinter2024\nwinter2025\nzaq12wsx\nzxcvbnm1\nzxcvbnm123\n";

struct password_policy {
    _Atomic unsigned references;
    unsigned min;
    char *text;           /* the list, lowered, each entry ended by NUL */
    const char **entries; /* into it, sorted */
    size_t count;
};

static char lowered(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* ---- the list ---- */

static int entries_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Cuts policy->text, of `len` bytes and a NUL, into entries. 0, or -1: memory is out. */
static int entries_make(struct password_policy *policy, size_t len)
{
    size_t lines = 1;
    for (size_t i = 0; i < len; i++) {
        lines += policy->text[i] == '\n' ? 1 : 0;
        policy->text[i] = lowered(policy->text[i]);
    }
    policy->entries = calloc(lines, sizeof *policy->entries);
    if (policy->entries == NULL) {
        return -1;
    }
    char *rest = policy->text;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        size_t line_len = strlen(line);
        if (line_len > 0 && line[line_len - 1] == '\r') {
            line[--line_len] = '\0';
        }
        if (line_len > 0 && strncmp(line, "#!", 2) != 0) {
            policy->entries[policy->count++] = line;
        }
    }
    qsort(policy->entries, policy->count, sizeof *policy->entries, entries_compare);
    return 0;
}

/* The whole file, with a NUL behind it. NULL: `why` tells. */
static char *file_read(int fd, size_t *len, const char **why)
{
    struct stat st;
    *why = NULL;
    if (fstat(fd, &st) != 0) {
        *why = strerror(errno);
        return NULL;
    }
    if (!S_ISREG(st.st_mode) || st.st_size > LIST_FILE_MAX) {
        *why = S_ISREG(st.st_mode) ? "it is longer than 64 MiB" : "it isn't a regular file";
        return NULL;
    }
    const size_t size = (size_t)st.st_size;
    char *text = malloc(size + 1);
    *len = 0;
    while (text != NULL && *len < size && *why == NULL) {
        const ssize_t got = read(fd, text + *len, size - *len);
        if (got > 0) {
            *len += (size_t)got;
        } else if (got == 0) {
            break;
        } else if (errno != EINTR) {
            *why = strerror(errno);
        }
    }
    if (text == NULL) {
        *why = "memory is out";
        return NULL;
    }
    text[*len] = '\0';
    if (*why == NULL && memchr(text, '\0', *len) != NULL) {
        *why = "it holds a NUL byte: it must be text, a password to a line";
    }
    if (*why != NULL) {
        free(text);
        return NULL;
    }
    return text;
}

static char *list_read(const char *path, size_t *len, const char **why)
{
    if (path[0] == '\0') {
        *len = sizeof built_in - 1;
        char *copy = strdup(built_in);
        *why = copy == NULL ? "memory is out" : NULL;
        return copy;
    }
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        *why = strerror(errno);
        return NULL;
    }
    char *text = file_read(fd, len, why);
    (void)close(fd);
    return text;
}

/* ---- its life ---- */

static void policy_free(struct password_policy *policy)
{
    free(policy->text);
    free((void *)policy->entries);
    free(policy);
}

struct password_policy *password_policy_new(unsigned min, const char *list, char *error, size_t error_len)
{
    const char *why = "memory is out";
    size_t len = 0;
    struct password_policy *policy = calloc(1, sizeof *policy);
    if (policy != NULL) {
        atomic_init(&policy->references, 1);
        policy->min = min;
        policy->text = list_read(list, &len, &why);
    }
    if (policy != NULL && policy->text != NULL && entries_make(policy, len) == 0) {
        return policy;
    }
    if (policy != NULL) {
        policy_free(policy);
    }
    (void)snprintf(error, error_len, "%s: the list of refused passwords can't be read: %s",
                   list[0] == '\0' ? "policy.password_list" : list, why != NULL ? why : "memory is out");
    return NULL;
}

struct password_policy *password_policy_ref(struct password_policy *policy)
{
    if (policy != NULL) {
        (void)atomic_fetch_add_explicit(&policy->references, 1, memory_order_relaxed);
    }
    return policy;
}

void password_policy_unref(struct password_policy **policy)
{
    if (*policy != NULL && atomic_fetch_sub_explicit(&(*policy)->references, 1, memory_order_acq_rel) == 1) {
        policy_free(*policy);
    }
    *policy = NULL;
}

unsigned password_policy_min(const struct password_policy *policy)
{
    return policy == NULL ? PASSWORD_LEN_MIN : policy->min;
}

/* ---- judging; no copy of the password is made ---- */

/* As strcmp of the lowered password with an entry. */
static int password_compare(struct bytes password, const char *entry)
{
    for (size_t i = 0; i < password.len; i++) {
        const unsigned char mine = (unsigned char)lowered((char)password.data[i]);
        const unsigned char its = (unsigned char)entry[i];
        if (mine != its) {
            return mine < its ? -1 : 1;
        }
    }
    return entry[password.len] == '\0' ? 0 : -1;
}

static bool is_listed(const struct password_policy *policy, struct bytes password)
{
    size_t low = 0;
    size_t high = policy->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = password_compare(password, policy->entries[middle]);
        if (order == 0) {
            return true;
        }
        low = order > 0 ? middle + 1 : low;
        high = order > 0 ? high : middle;
    }
    return false;
}

static bool holds_name(struct bytes password, const struct name *name)
{
    const size_t len = strlen(name->text);
    for (size_t at = 0; at + len <= password.len; at++) {
        size_t same = 0;
        while (same < len && lowered((char)password.data[at + same]) == name->text[same]) {
            same++;
        }
        if (same == len) {
            return true;
        }
    }
    return false;
}

enum reason password_policy_judge(const struct password_policy *policy, const struct name *name, struct bytes password)
{
    const enum reason reason = password_check(password);
    if (reason != REASON_NONE || policy == NULL) {
        return reason;
    }
    if (password.len < policy->min) {
        return REASON_PASSWORD_SHORT;
    }
    if (name != NULL && strlen(name->text) >= PASSWORD_POLICY_NAME_MIN && holds_name(password, name)) {
        return REASON_PASSWORD_COMMON;
    }
    return is_listed(policy, password) ? REASON_PASSWORD_COMMON : REASON_NONE;
}
