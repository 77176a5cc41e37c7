/* What a typed line means. */
#include "client/cli/chat.h"
#include "client/cli/clock_text.h"
#include "client/cli/printable.h"
#include "wire/name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void notice(struct chat *chat, const char *text)
{
    line_notice(chat->line, "%s", text);
}

/* The name that was typed; false after saying that it is none. */
static bool parse_name(struct chat *chat, const char *typed, struct name *name)
{
    if (name_from_string(typed, name) == 0) {
        return true;
    }
    chat_problem(chat, NULL, KC_BAD_NAME, 0);
    return false;
}

/* --- Commands --- */

/* In a pipe, what comes next waits for the answer. */
static void await_answer(struct chat *chat)
{
    if (!chat->interactive) {
        line_pause(chat->line);
    }
}

/* Asks for a new epoch. */
static void open_conversation(struct chat *chat, struct person *person)
{
    int error = kc_open(chat->session.client, person->name);
    if (error == KC_OK) {
        person->asked = true;
        await_answer(chat);
    } else if (error == KC_NOT_READY) {
        line_notice(chat->line, CHAT_NOT_CONNECTED ". What you write to %s waits here", person->name);
    } else {
        chat_problem(chat, person->name, error, 0);
    }
}

static void command_to(struct chat *chat, const char *argument)
{
    struct name name;
    if (!parse_name(chat, argument, &name)) {
        return;
    }
    if (strcmp(name.text, chat->session.user) == 0) {
        chat_problem(chat, name.text, REASON_PEER_IS_SELF, 0);
        return;
    }
    struct person *person = people_get(&chat->people, name.text);
    if (person == NULL) {
        chat_problem(chat, name.text, KC_NO_MEMORY, 0);
        return;
    }
    chat_set_current(chat, person->name);
    if (person->open) {
        line_notice(chat->line, "You talk to %s; %s", person->name, person->online ? "online" : "offline");
        return;
    }
    open_conversation(chat, person);
}

static void command_list(struct chat *chat, const char *argument)
{
    (void)argument;
    int error = kc_list(chat->session.client);
    if (error != KC_OK) {
        chat_problem(chat, NULL, error, 0);
        return;
    }
    chat->list_asked = true;
    await_answer(chat);
}

static void command_who(struct chat *chat, const char *argument)
{
    struct name name;
    if (!parse_name(chat, argument, &name)) {
        return;
    }
    struct person *person = people_get(&chat->people, name.text);
    int error = person != NULL ? kc_who(chat->session.client, name.text) : KC_NO_MEMORY;
    if (error != KC_OK) {
        chat_problem(chat, error == KC_NOT_READY ? NULL : name.text, error, 0);
        return;
    }
    person->who_asked = true;
    await_answer(chat);
}

static void command_rekey(struct chat *chat, const char *argument)
{
    if (*argument == '\0' && chat->current[0] == '\0') {
        notice(chat, "/rekey: with whom? /rekey NAME, or /to NAME first");
        return;
    }
    struct name name;
    if (!parse_name(chat, *argument != '\0' ? argument : chat->current, &name)) {
        return;
    }
    struct person *person = people_find(&chat->people, name.text);
    if (person == NULL || person->epoch == 0) {
        line_notice(chat->line, "There is no conversation with %s yet: /to %s opens one", name.text, name.text);
        return;
    }
    open_conversation(chat, person);
}

static void command_fingerprint(struct chat *chat, const char *argument)
{
    (void)argument;
    line_notice(chat->line, "The KDC at %s has the fingerprint %s", chat->session.options->value[OPTION_SERVER],
                kc_fingerprint(chat->session.client));
}

/* The session asks, once this line is done with; nothing else is taken until then. */
static void command_passwd(struct chat *chat, const char *argument)
{
    (void)argument;
    if (!ask_possible()) {
        notice(chat, "/passwd: there is no terminal to ask at; kdc-chat passwd takes files");
        chat_keep_error(chat, EXIT_CODE_USAGE);
        return;
    }
    if (chat->lost) {
        chat_problem(chat, NULL, KC_NOT_READY, 0);
        return;
    }
    line_pause(chat->line);
    line_hide(chat->line);
    chat->session.question = QUESTION_PASSWORD;
}

static void command_quit(struct chat *chat, const char *argument)
{
    (void)argument;
    chat_leave(chat, false);
}

static void command_help(struct chat *chat, const char *argument);

const struct chat_command chat_commands[] = {
    { "to", "NAME", true, true, "talk to NAME from now on; opens a conversation if there is none", command_to },
    { "list", "", false, false, "who is online", command_list },
    { "who", "NAME", true, true, "whether NAME is online, and since when", command_who },
    { "rekey", "[NAME]", false, true, "a new key with NAME, or with whom you talk to", command_rekey },
    { "fingerprint", "", false, false, "the fingerprint of the KDC", command_fingerprint },
    { "passwd", "", false, false, "another password for yourself", command_passwd },
    { "help", "", false, false, "all of this", command_help },
    { "quit", "", false, false, "leave, once all is delivered; so does Ctrl-D", command_quit },
    { 0 },
};

static void command_help(struct chat *chat, const char *argument)
{
    (void)argument;
    for (const struct chat_command *command = chat_commands; command->name != NULL; command++) {
        char usage[40];
        (void)snprintf(usage, sizeof usage, "/%s %s", command->name, command->arguments);
        line_notice(chat->line, "%-14s %s", usage, command->doc);
    }
    static const char *const lines[] = {
        "NAME: text     writes to NAME directly",
        "text           goes to whom you talk to; before that, a NAME is /to NAME",
        " text          with a blank in front: as it is, whatever it looks like",
        "//text         a text that begins with a slash",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        notice(chat, lines[i]);
    }
}

/* `text` is behind the slash. */
static void run_command(struct chat *chat, const char *text)
{
    size_t word = strcspn(text, " \t");
    char *argument = strdup(text + word + strspn(text + word, " \t"));
    if (argument == NULL) {
        return;
    }
    for (size_t len = strlen(argument); len > 0 && (argument[len - 1] == ' ' || argument[len - 1] == '\t'); len--) {
        argument[len - 1] = '\0';
    }
    const struct chat_command *command = NULL;
    for (const struct chat_command *one = chat_commands; command == NULL && one->name != NULL; one++) {
        command = strlen(one->name) == word && strncmp(one->name, text, word) == 0 ? one : NULL;
    }
    if (command == NULL) {
        char *name = printable(text, word, false);
        line_notice(chat->line, "There is no command /%s (/help; //text sends a text with a slash)",
                    name != NULL ? name : "");
        free(name);
        chat_keep_error(chat, EXIT_CODE_REFUSED);
    } else if ((command->needs_argument && *argument == '\0') || (!command->takes_argument && *argument != '\0')) {
        line_notice(chat->line, "It is /%s%s%s", command->name, *command->arguments != '\0' ? " " : "",
                    command->arguments);
        chat_keep_error(chat, EXIT_CODE_REFUSED);
    } else {
        command->run(chat, argument);
    }
    free(argument);
}

/* --- Texts --- */

static void send_text(struct chat *chat, const char *peer, const char *text, size_t len)
{
    if (strcmp(peer, chat->session.user) == 0) {
        chat_problem(chat, peer, REASON_PEER_IS_SELF, 0);
        return;
    }
    struct person *person = people_get(&chat->people, peer);
    int error = person != NULL ? kc_send(chat->session.client, peer, text, len, NULL) : KC_NO_MEMORY;
    if (error == KC_OUTBOX_FULL && !chat->interactive && !person->offline_told) {
        line_put_back(chat->line); /* until something is delivered */
        return;
    }
    if (error == KC_BAD_TEXT && len > KC_TEXT_MAX) {
        line_notice(chat->line, "This was not sent: it is longer than %d bytes", KC_TEXT_MAX);
        chat_keep_error(chat, exit_code_of(error));
        return;
    }
    if (error != KC_OK) {
        chat_problem(chat, peer, error, 0);
        return;
    }
    person->written = true;
    person->wrote = true;
    chat_show_own(chat, person, text, len);
}

/* "NAME: text" to be sent directly: the length of "NAME: ", or 0 when the line is nothing of that kind. */
static size_t parse_direct(const char *text, size_t len, struct name *name)
{
    const char *colon = memchr(text, ':', len);
    if (colon == NULL || (size_t)(colon - text) + 2 >= len || colon[1] != ' ' ||
        name_parse((struct bytes){ (const uint8_t *)text, (size_t)(colon - text) }, name) != 0) {
        return 0;
    }
    return (size_t)(colon - text) + 2;
}

static void take_command(struct chat *chat, const char *text, size_t len)
{
    char *command = strndup(text, len);
    if (command != NULL && strpbrk(command, "\r\n") != NULL) {
        notice(chat, "A command is one line: this wasn't done");
    } else if (command != NULL) {
        run_command(chat, command);
    }
    free(command);
}

static void take_text(struct chat *chat, const char *text, size_t len)
{
    struct name name;
    size_t direct = parse_direct(text, len, &name);
    /* A blank in front: as it is. The first of two slashes goes as well. */
    size_t mark = text[0] == '/' || text[0] == ' ' ? 1 : 0;
    size_t word = len;
    while (word > 0 && text[word - 1] == ' ') {
        word--;
    }
    if (direct > 0) {
        send_text(chat, name.text, text + direct, len - direct);
    } else if (chat->current[0] != '\0') {
        send_text(chat, chat->current, text + mark, len - mark);
    } else if (name_parse((struct bytes){ (const uint8_t *)text, word }, &name) == 0) {
        command_to(chat, name.text);
    } else {
        notice(chat, "To whom? Type a name first, or NAME: text (/list: who is online, /help)");
        chat_keep_error(chat, EXIT_CODE_REFUSED);
    }
}

void chat_input(void *context, const char *text, size_t len)
{
    struct chat *chat = context;
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r')) {
        len--;
    }
    if (strspn(text, " \t\r\n") >= len && strlen(text) >= len) {
        return;
    }
    bool is_command = text[0] == '/' && !(len > 1 && text[1] == '/');
    if (chat->leaving && !(is_command && len == strlen("/quit") && strncmp(text, "/quit", len) == 0)) {
        if (chat->interactive) {
            notice(chat, "It is leaving: this was not sent");
        }
    } else if (is_command) {
        take_command(chat, text + 1, len - 1);
    } else {
        chat->quit_warned = false;
        take_text(chat, text, len);
    }
}
