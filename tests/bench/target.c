#include "tests/bench/target.h"

#include "tests/bench/measure.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <libgen.h>
#include <limits.h>
#include <netdb.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENTS_MAX 24
#define NUMBER_MAX 24

static unsigned cores(void)
{
    const long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (unsigned)count : 1;
}

static int resolve(struct target *target, const char *server, char error[TARGET_ERROR_MAX])
{
    char host[128];
    const char *colon = strrchr(server, ':');
    if (colon == NULL || (size_t)(colon - server) >= sizeof host) {
        (void)snprintf(error, TARGET_ERROR_MAX, "'%s' is not ADDRESS:PORT", server);
        return -1;
    }
    (void)snprintf(host, sizeof host, "%.*s", (int)(colon - server), server);
    char *bare = host[0] == '[' ? host + 1 : host;
    bare[strcspn(bare, "]")] = '\0';
    const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
    struct addrinfo *found = NULL;
    const int failed = getaddrinfo(bare, colon + 1, &hints, &found);
    if (failed != 0) {
        (void)snprintf(error, TARGET_ERROR_MAX, "%s: %s", server, gai_strerror(failed));
        return -1;
    }
    memcpy(&target->address, found->ai_addr, found->ai_addrlen);
    target->address_len = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

/* A program that lies beside this one. */
static int beside_us(const char *name, char path[PATH_MAX])
{
    char own[PATH_MAX];
    const ssize_t len = readlink("/proc/self/exe", own, sizeof own - 1);
    if (len < 0) {
        return -1;
    }
    own[len] = '\0';
    return snprintf(path, PATH_MAX, "%s/%s", dirname(own), name) < PATH_MAX ? 0 : -1;
}

/* Starts a program whose first line of output tells where it listens; our end of its input is what keeps it alive. In a process
 * group of its own: what ends ours (an interrupt, timeout(1)) ends it by that, in order, and not before it has tidied up. */
static FILE *start_child(struct target *target, char **arguments)
{
    int input[2];
    int output[2];
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    if (pipe2(input, O_CLOEXEC) != 0) {
        return NULL;
    }
    if (pipe2(output, O_CLOEXEC) != 0) {
        close(input[0]);
        close(input[1]);
        return NULL;
    }
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, input[0], STDIN_FILENO);
    (void)posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
    (void)posix_spawnattr_init(&attributes);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP); /* 0, as it is: its own */
    const int failed = posix_spawnp(&target->child, arguments[0], &actions, &attributes, arguments, environ);
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&actions);
    close(input[0]);
    close(output[1]);
    if (failed != 0) {
        target->child = 0;
        close(input[1]);
        close(output[0]);
        errno = failed;
        return NULL;
    }
    target->child_input = input[1];
    target->child_output = fdopen(output[0], "r");
    if (target->child_output == NULL) {
        close(output[0]);
    }
    return target->child_output;
}

static json_t *hear_child(const struct target *target)
{
    char line[4096];
    return fgets(line, sizeof line, target->child_output) != NULL ? json_loads(line, 0, NULL) : NULL;
}

/* The line of JSON by which a child says that it is ready. */
static json_t *ask_child(struct target *target, char **arguments, char error[TARGET_ERROR_MAX])
{
    json_t *told = start_child(target, arguments) != NULL ? hear_child(target) : NULL;
    if (told == NULL) {
        const bool ran = target->child_output != NULL;
        (void)snprintf(error, TARGET_ERROR_MAX, "%s did not start%s%s", arguments[0], ran ? "" : ": ",
                       ran ? "" : strerrordesc_np(errno));
        (void)!target_stop(target);
    }
    return told;
}

static int take_address(struct target *target, const json_t *told, char error[TARGET_ERROR_MAX])
{
    const char *server = json_string_value(json_object_get(told, "server"));
    target->pid = (pid_t)json_integer_value(json_object_get(told, "pid"));
    if (server == NULL) {
        (void)snprintf(error, TARGET_ERROR_MAX, "what was started doesn't tell where it listens");
        return -1;
    }
    return resolve(target, server, error);
}

static void copy_text(char *to, size_t room, const json_t *told, const char *key)
{
    const char *text = json_string_value(json_object_get(told, key));
    (void)snprintf(to, room, "%s", text != NULL ? text : "");
}

struct command {
    char *arguments[ARGUMENTS_MAX];
    size_t count;
    char numbers[ARGUMENTS_MAX][NUMBER_MAX];
};

static void add(struct command *command, const char *argument)
{
    if (command->count + 1 < ARGUMENTS_MAX) {
        command->arguments[command->count++] = (char *)(uintptr_t)argument;
    }
}

static void add_number(struct command *command, const char *option, unsigned number)
{
    char *text = command->numbers[command->count];
    (void)snprintf(text, NUMBER_MAX, "%u", number);
    add(command, option);
    add(command, text);
}

static int spawn_kdcd(struct target *target, const struct options *options, const struct target_wish *wish,
                      char error[TARGET_ERROR_MAX])
{
    char kdcd[PATH_MAX];
    struct command command = { 0 };
    if (beside_us("kdcd", kdcd) != 0) {
        (void)snprintf(error, TARGET_ERROR_MAX, "can't tell where this program is");
        return -1;
    }
    add(&command, options->scratch);
    add(&command, "--kdcd");
    add(&command, kdcd);
    add_number(&command, "--accounts", wish->accounts);
    add_number(&command, "--cost", options->cost);
    add_number(&command, "--reactors", options->reactors);
    add_number(&command, "--workers", options->workers);
    if (wish->quick_logins) {
        add(&command, "--quick-logins");
    }
    if (wish->default_limits) {
        add(&command, "--default-limits");
    }
    if (options->server_cpus != NULL) { /* before it counts its cores */
        add(&command, "--cpus");
        add(&command, options->server_cpus);
    }
    json_t *told = ask_child(target, command.arguments, error);
    if (told == NULL) {
        return -1;
    }
    target->database_pid = (pid_t)json_integer_value(json_object_get(told, "database_pid"));
    copy_text(target->users, sizeof target->users, told, "users");
    copy_text(target->password, sizeof target->password, told, "password");
    const int result = take_address(target, told, error);
    json_decref(told);
    return result;
}

static int attach(struct target *target, const struct options *options, char error[TARGET_ERROR_MAX])
{
    target->pid = options->pid;
    target->database_pid = options->database_pid;
    (void)snprintf(target->users, sizeof target->users, "%s", options->users);
    if (options->password_file != NULL) {
        FILE *file = fopen(options->password_file, "re");
        if (file == NULL || fgets(target->password, sizeof target->password, file) == NULL) {
            (void)snprintf(error, TARGET_ERROR_MAX, "%s: %s", options->password_file, strerrordesc_np(errno));
            if (file != NULL) {
                (void)fclose(file);
            }
            return -1;
        }
        (void)fclose(file);
        target->password[strcspn(target->password, "\n")] = '\0';
    }
    return resolve(target, options->server, error);
}

static int pin(const struct target *target, const struct options *options, char error[TARGET_ERROR_MAX])
{
    if ((options->server_cpus != NULL && cpus_pin(target->pid, options->server_cpus) != 0) ||
        (options->cpus != NULL && cpus_pin(getpid(), options->cpus) != 0)) {
        (void)snprintf(error, TARGET_ERROR_MAX, "can't tie to those cores: %s", strerrordesc_np(errno));
        return -1;
    }
    return 0;
}

int target_start(struct target *target, const struct options *options, const struct target_wish *wish,
                 char error[TARGET_ERROR_MAX])
{
    *target = (struct target){ .child_input = -1 };
    const int started = options->spawn ? spawn_kdcd(target, options, wish, error) : attach(target, options, error);
    /* As kdcd counts them when its settings say 0. One that ran before it was tied to fewer has more. */
    const unsigned its_cores = started == 0 && target->pid > 0 ? cpus_of(target->pid) : 0;
    const unsigned threads = its_cores != 0 ? its_cores : cores();
    target->cores = cores();
    target->reactors = options->reactors != 0 ? options->reactors : threads;
    target->workers = options->workers != 0 ? options->workers : threads;
    if (started != 0 || pin(target, options, error) != 0) {
        (void)!target_stop(target);
        return -1;
    }
    return 0;
}

int target_restart_begin(const struct target *target)
{
    static const char command[] = "restart\n";
    return write(target->child_input, command, sizeof command - 1) == (ssize_t)(sizeof command - 1) ? 0 : -1;
}

int target_restart_end(struct target *target, double *accepts_s, char error[TARGET_ERROR_MAX])
{
    json_t *told = hear_child(target);
    if (told == NULL) {
        (void)snprintf(error, TARGET_ERROR_MAX, "kdcd didn't start again");
        return -1;
    }
    target->pid = (pid_t)json_integer_value(json_object_get(told, "pid"));
    *accepts_s = json_real_value(json_object_get(told, "accepts_s"));
    json_decref(told);
    return 0;
}

int target_start_bare(struct target *target, const struct options *options, unsigned reactors,
                      char error[TARGET_ERROR_MAX])
{
    char path[PATH_MAX];
    struct command command = { 0 };
    *target = (struct target){ .child_input = -1, .reactors = reactors };
    if (beside_us("kdc-bench-relay", path) != 0) {
        (void)snprintf(error, TARGET_ERROR_MAX, "can't tell where this program is");
        return -1;
    }
    add(&command, path);
    add_number(&command, "--reactors", reactors);
    json_t *told = ask_child(target, command.arguments, error);
    if (told == NULL) {
        return -1;
    }
    const int result = take_address(target, told, error);
    json_decref(told);
    if (result != 0 || pin(target, options, error) != 0) {
        (void)!target_stop(target);
        return -1;
    }
    return 0;
}

int target_stop(struct target *target)
{
    int status = 0;
    if (target->child_input >= 0) {
        close(target->child_input);
        target->child_input = -1;
    }
    if (target->child > 0) {
        while (waitpid(target->child, &status, 0) < 0 && errno == EINTR) {
        }
        target->child = 0;
    }
    if (target->child_output != NULL) {
        (void)fclose(target->child_output);
        target->child_output = NULL;
    }
    return status == 0 ? 0 : -1;
}
