/*
 * store_probe: the store, driven by a test through standard input, one command a line and one answer a line. An answer
 * is the result's name, what came, and after " | " the store's words when it failed.
 *
 *   store_probe CONFIG
 *     connect | find NAME | epoch NAME | add NAME HASH | rehash ID FROM TO | login ID | issue A B
 *     audit EVENT USER SOURCE DETAIL | changes SINCE (the time of asking, then user:epoch ...)
 *     batch A:B ... (in one; an answer for each: conversation:epoch)
 *   store_probe CONFIG race THREADS ROUNDS A B
 *     each thread, with a store of its own, issues ROUNDS epochs for A and B (odd threads: for B and A) and prints
 *     them.
 */
#include "kdc/store_registration.h"
#include "wire/name.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX 16384
#define BATCH_MAX 512

static struct config config;

static const char *result_name(enum store_result result)
{
    switch (result) {
    case STORE_OK:
        return "ok";
    case STORE_NOT_FOUND:
        return "not_found";
    case STORE_EXISTS:
        return "exists";
    case STORE_UNAVAILABLE:
        return "unavailable";
    case STORE_REFUSED:
        return "refused";
    case STORE_BROKEN:
        break;
    }
    return "broken";
}

static void name_take(const char *text, struct name *name)
{
    if (name_from_string(text, name) != 0) {
        (void)fprintf(stderr, "store_probe: '%s' is no name\n", text);
        exit(2);
    }
}

static enum store_result issue_one(struct store *store, uint64_t a, uint64_t b, struct store_issue *issue)
{
    *issue = (struct store_issue){ .user_a = a, .user_b = b, .name_a = "a", .name_b = "b", .source = "s" };
    enum store_result result = store_write(store, &(struct store_batch){ .issues = issue, .issue_count = 1 });
    return result == STORE_OK && issue->conversation == 0 ? STORE_NOT_FOUND : result;
}

/* "1:2 4:3 ..." */
static enum store_result batch_run(struct store *store, const char *pairs, char answer[ANSWER_MAX])
{
    static struct store_issue issues[BATCH_MAX];
    struct store_batch batch = { .issues = issues };
    char *at = (char *)(uintptr_t)pairs;
    while (*at != '\0' && batch.issue_count < BATCH_MAX) {
        const uint64_t a = strtoull(at, &at, 10);
        const uint64_t b = strtoull(at + 1, &at, 10);
        issues[batch.issue_count++] =
            (struct store_issue){ .user_a = a, .user_b = b, .name_a = "a", .name_b = "b", .source = "s" };
    }
    const enum store_result result = store_write(store, &batch);
    size_t len = 0;
    for (size_t i = 0; i < batch.issue_count && len < ANSWER_MAX; i++)
        len += (size_t)snprintf(answer + len, ANSWER_MAX - len, " %" PRIu64 ":%" PRIu32, issues[i].conversation,
                                issues[i].conversation == 0 ? 0 : issues[i].epoch);
    return result;
}

static void change_take(void *context, uint64_t user, uint64_t epoch, uint64_t changed_ms)
{
    char *changed = context;
    const size_t len = strlen(changed);
    (void)changed_ms;
    (void)snprintf(changed + len, ANSWER_MAX / 2 - len, " %" PRIu64 ":%" PRIu64, user, epoch);
}

static void command_run(struct store *store, char **word)
{
    enum store_result result = STORE_BROKEN;
    char answer[ANSWER_MAX] = "";
    struct name name;
    if (strcmp(word[0], "connect") == 0) {
        result = store_connect(store);
    } else if (strcmp(word[0], "find") == 0) {
        struct store_user user;
        name_take(word[1], &name);
        result = store_user_find(store, &name, &user);
        if (result == STORE_OK)
            (void)snprintf(answer, sizeof answer, " %" PRIu64 " %s %s %d %" PRIu64 " %" PRIu64, user.id, user.name.text,
                           user.hash, (int)user.state, user.created, user.last_login);
    } else if (strcmp(word[0], "add") == 0) {
        uint64_t id = 0;
        uint64_t epoch = 0;
        struct store_registration registration = { .pending = false };
        enum store_registered outcome = REGISTERED;
        name_take(word[1], &registration.name);
        (void)snprintf(registration.hash, sizeof registration.hash, "%s", word[2]);
        result = store_register(store, &registration, &outcome, &id, &epoch);
        result = result == STORE_OK && outcome == REGISTERED_NAME_TAKEN ? STORE_EXISTS : result;
        (void)snprintf(answer, sizeof answer, " %" PRIu64, id);
    } else if (strcmp(word[0], "rehash") == 0) {
        result = store_user_rehash(store, strtoull(word[1], NULL, 10), word[2], word[3]);
    } else if (strcmp(word[0], "epoch") == 0) {
        struct store_user user;
        name_take(word[1], &name);
        result = store_user_find(store, &name, &user);
        (void)snprintf(answer, sizeof answer, " %" PRIu64, user.epoch);
    } else if (strcmp(word[0], "login") == 0) {
        const struct store_event login = {
            .event = "login", .user = "u", .source = "s", .detail = "", .logged_in = strtoull(word[1], NULL, 10)
        };
        result = store_write(store, &(struct store_batch){ .events = &login, .event_count = 1 });
    } else if (strcmp(word[0], "issue") == 0) {
        struct store_issue issue = { 0 };
        result = issue_one(store, strtoull(word[1], NULL, 10), strtoull(word[2], NULL, 10), &issue);
        (void)snprintf(answer, sizeof answer, " %" PRIu64 " %" PRIu32, issue.conversation, issue.epoch);
    } else if (strcmp(word[0], "batch") == 0) {
        result = batch_run(store, word[1], answer);
    } else if (strcmp(word[0], "changes") == 0) {
        uint64_t since = strtoull(word[1], NULL, 10);
        char changed[ANSWER_MAX / 2] = "";
        result = store_account_changes(store, &since, change_take, changed);
        (void)snprintf(answer, sizeof answer, " %" PRIu64 "%s", since, changed);
    } else if (strcmp(word[0], "audit") == 0) {
        result = store_audit(store, word[1], word[2], word[3], word[4]);
    } else {
        (void)fprintf(stderr, "store_probe: no command '%s'\n", word[0]);
        exit(2);
    }
    (void)printf("%s%s%s%s\n", result_name(result), answer, result < 0 ? " | " : "",
                 result < 0 ? store_error(store) : "");
    (void)fflush(stdout);
}

static int commands_run(void)
{
    char line[16384];
    struct store *store = store_new(&config, STORE_ACCOUNT_KDC);
    if (store == NULL)
        return 1;
    while (fgets(line, sizeof line, stdin) != NULL) {
        char *words[5] = { "", "", "", "", "" };
        char *rest = line;
        line[strcspn(line, "\n")] = '\0';
        for (size_t i = 0; i < 5 && rest != NULL; i++)
            words[i] = strsep(&rest, "\t");
        command_run(store, words);
    }
    store_free(&store);
    return 0;
}

struct racer {
    pthread_t thread;
    unsigned rounds;
    uint64_t a;
    uint64_t b;
    pthread_barrier_t *start;
};

static void *race_run(void *context)
{
    struct racer *racer = context;
    struct store *store = store_new(&config, STORE_ACCOUNT_KDC);
    enum store_result result = store == NULL ? STORE_BROKEN : store_connect(store);
    (void)pthread_barrier_wait(racer->start);
    for (unsigned i = 0; i < racer->rounds && result == STORE_OK; i++) {
        struct store_issue issue;
        result = issue_one(store, racer->a, racer->b, &issue);
        if (result == STORE_OK)
            (void)printf("%" PRIu64 " %" PRIu32 "\n", issue.conversation, issue.epoch);
    }
    if (result != STORE_OK)
        (void)printf("%s: %s\n", result_name(result), store == NULL ? "" : store_error(store));
    store_free(&store);
    return NULL;
}

#define RACERS_MAX 32

static int race(unsigned threads, unsigned rounds, uint64_t a, uint64_t b)
{
    struct racer racers[RACERS_MAX];
    pthread_barrier_t start;
    if (threads == 0 || threads > RACERS_MAX || pthread_barrier_init(&start, NULL, threads) != 0)
        return 2;
    for (unsigned i = 0; i < threads; i++) {
        racers[i] =
            (struct racer){ .rounds = rounds, .a = i % 2 == 0 ? a : b, .b = i % 2 == 0 ? b : a, .start = &start };
        if (pthread_create(&racers[i].thread, NULL, race_run, &racers[i]) != 0)
            return 2;
    }
    for (unsigned i = 0; i < threads; i++)
        (void)pthread_join(racers[i].thread, NULL);
    (void)pthread_barrier_destroy(&start);
    return 0;
}

int main(int argc, char **argv)
{
    char error[CONFIG_ERROR_MAX];
    if ((argc != 2 && argc != 7) || config_load(argv[1], &config, error) != 0) {
        (void)fprintf(stderr, "store_probe: %s\n", argc < 2 ? "which configuration?" : error);
        return 2;
    }
    if (argc == 2)
        return commands_run();
    return race((unsigned)strtoul(argv[3], NULL, 10), (unsigned)strtoul(argv[4], NULL, 10), strtoull(argv[5], NULL, 10),
                strtoull(argv[6], NULL, 10));
}
