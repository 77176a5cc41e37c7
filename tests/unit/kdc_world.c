#include "tests/unit/kdc_world.h"

#include "kdc/conversation.h"
#include "tests/unit/cmocka_all.h"
#include "wire/message.h"
#include "wire/name.h"

#include <stdlib.h>
#include <string.h>

struct sent {
    struct inbox_item item;
    size_t len;
    uint8_t bytes[];
};

static void append(struct inbox_item **list, struct inbox_item *item)
{
    while (*list != NULL) {
        list = &(*list)->next;
    }
    item->next = NULL;
    *list = item;
}

static struct inbox_item *take(struct inbox_item **list)
{
    struct inbox_item *item = *list;
    if (item != NULL) {
        *list = item->next;
    }
    return item;
}

/* ---- the host ---- */

static uint64_t host_now(void *context)
{
    return ((struct world *)context)->time;
}

static uint64_t host_session_number(void *context)
{
    return ++((struct world *)context)->number;
}

static void host_post(void *context, struct mail *mail)
{
    append(&((struct world *)context)->mail, &mail->item);
}

static int host_issue(void *context, struct mail_issue *mail, uint32_t *retry_after)
{
    return journal_issue(((struct world *)context)->journal, mail, retry_after);
}

static void host_record(void *context, const struct journal_event *event)
{
    journal_event(((struct world *)context)->journal, event);
}

/* As the real one: what it knows by now, and mail to a session that isn't that one. */
static int host_mail(void *context, const struct letter *letter)
{
    struct world *w = context;
    if (letter != NULL && !w->mail_full) {
        w->letter = *letter;
        w->letters++;
    }
    return w->mail_full ? -1 : 0;
}

static void host_account_changed(void *context, const struct name *name, const struct session_ref *keep,
                                 enum reason reason)
{
    struct world *w = context;
    static const struct session_ref nobody;
    struct directory_entry entry;
    for (size_t i = 0; i < WORLD_ACCOUNTS; i++) {
        const struct store_user *user = &w->table[i].user;
        if (w->table[i].used && strcmp(user->name.text, name->text) == 0) {
            assert_int_equal(account_changes_put(w->changes, user->id, user->epoch, w->time), 0);
        }
    }
    if (directory_find(w->host.directory, name, &entry) && (keep == NULL || !session_ref_equal(keep, &entry.ref))) {
        struct mail_end *mail = mail_new(MAIL_END, &entry.ref, &nobody, 0);
        assert_non_null(mail);
        mail->reason = reason;
        host_post(w, &mail->mail);
    }
}

static bool database_away(void *context)
{
    return ((struct world *)context)->database_gone;
}

static struct client *client_at(struct world *w, const struct session_ref *ref)
{
    struct client *c = ref->slot < w->client_count ? &w->clients[ref->slot] : NULL;
    return c != NULL && c->session != NULL && c->ref.generation == ref->generation ? c : NULL;
}

static bool host_pass(void *context, const struct session_ref *to, const struct session_ref *from, struct bytes plain)
{
    struct mail_ciphertext *mail = mail_new(MAIL_CIPHERTEXT, to, from, plain.len);
    assert_non_null(mail);
    mail->len = plain.len;
    memcpy(mail->plain, plain.data, plain.len);
    host_post(context, &mail->mail);
    return true;
}

static enum reason host_send_plain(void *link, struct bytes plain)
{
    struct client *c = link;
    assert_false(c->ended);
    if (c->send_fails != REASON_NONE) {
        return c->send_fails;
    }
    struct sent *sent = calloc(1, sizeof *sent + plain.len);
    assert_non_null(sent);
    sent->len = plain.len;
    memcpy(sent->bytes, plain.data, plain.len);
    append(&c->sent, &sent->item);
    return REASON_NONE;
}

static enum reason host_send(void *link, const struct message *m)
{
    static uint8_t bytes[FRAME_LEN_AFTER_LOGIN];
    struct writer w;
    writer_init(&w, bytes, sizeof bytes);
    assert_int_equal(message_encode(m, &w), 0);
    return host_send_plain(link, (struct bytes){ bytes, w.len });
}

static size_t host_waiting(void *link)
{
    return ((struct client *)link)->waiting;
}

static void host_hold(void *link, bool on)
{
    struct client *c = link;
    assert_true(c->held != on);
    c->held = on;
}

static void host_logged_in(void *link)
{
    ((struct client *)link)->logged_in = true;
}

static void host_rescheduled(void *link)
{
    ((struct client *)link)->rescheduled++;
}

static void host_end(void *link, enum reason reason, bool tell)
{
    struct client *c = link;
    assert_false(c->ended);
    c->ended = true;
    c->told = tell;
    c->reason = reason;
}

/* Here all sit together. */
static void host_bring_together(void *link, const struct directory_entry *peer)
{
    (void)link;
    (void)peer;
}

static struct admission_source host_origin(void *link)
{
    return ((struct client *)link)->origin;
}

static void host_delay(void *link, uint32_t ms)
{
    struct client *c = link;
    assert_false(c->delayed);
    assert_true(ms > 0);
    c->delayed = true;
    c->delayed_until = c->world->time + ms;
}

static void host_submit(void *link, struct job *job)
{
    struct client *c = link;
    job->owner = c->ref;
    if (c->world->queue_room == 0) {
        job->busy = true;
        job->retry_after = 17;
        append(&c->world->homeward, &job->item);
        return;
    }
    c->world->queue_room--;
    append(&c->world->jobs, &job->item);
}

static void host_log(enum log_level level, const char *event, const struct log_field *fields)
{
    (void)level;
    assert_non_null(event);
    for (; fields != NULL && fields->key != NULL; fields++) {
        assert_true(fields->text == NULL || strstr(fields->text, WORLD_PASSWORD) == NULL);
    }
}

/* ---- the world ---- */

static void post_all(void *context, struct mail **mails, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        host_post(context, mails[i]);
    }
}

struct world *world_new(void)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->config.conversation_suite = SUITE_3DES_CBC_HMAC_SHA512;
    w->config.bcrypt_cost = 12;
    w->config.login_tries = 3;
    w->config.log_refusals = 50;
    w->config.rekey_messages = 1000;
    w->config.rekey_seconds = 3600;
    w->config.ping_seconds = 30;
    w->config.conversations_max = 3;
    w->config.output_max = 1000000;
    w->queue_room = SIZE_MAX;
    w->time = 1795165200000;
    world_fill_accounts(w);
    static const uint8_t key[TICKET_KEY_LEN] = { 3 };
    w->tickets = ticket_keys_new(3600, w->time / 1000, key);
    w->changes = account_changes_new();
    assert_non_null(w->tickets);
    assert_non_null(w->changes);
    account_changes_fed(w->changes, 0);
    w->host = (struct session_host){ .context = w,
                                     .config = &w->config,
                                     .rng = &rng_system,
                                     .directory = directory_new(),
                                     .counters = &w->counters,
                                     .tickets = w->tickets,
                                     .changes = w->changes,
                                     .now = host_now,
                                     .session_number = host_session_number,
                                     .post = host_post,
                                     .issue = host_issue,
                                     .record = host_record,
                                     .account_changed = host_account_changed,
                                     .mail = host_mail,
                                     .pass = host_pass,
                                     .log = host_log,
                                     .send = host_send,
                                     .send_plain = host_send_plain,
                                     .waiting = host_waiting,
                                     .hold = host_hold,
                                     .logged_in = host_logged_in,
                                     .rescheduled = host_rescheduled,
                                     .end = host_end,
                                     .bring_together = host_bring_together,
                                     .origin = host_origin,
                                     .delay = host_delay,
                                     .submit = host_submit };
    assert_non_null(w->host.directory);
    w->journal = journal_new(&(struct journal_options){ .context = w, .deliver = post_all, .away = database_away });
    assert_non_null(w->journal);
    return w;
}

void world_free(struct world *w)
{
    for (size_t i = 0; i < w->client_count; i++) {
        session_free(&w->clients[i].session);
    }
    world_settle(w);
    for (size_t i = 0; i < w->client_count; i++) {
        for (struct inbox_item *item; (item = take(&w->clients[i].sent)) != NULL;) {
            free(item);
        }
    }
    assert_int_equal(directory_count(w->host.directory), 0);
    assert_int_equal(counter_read(&w->counters.conversations), 0);
    directory_free(&w->host.directory);
    journal_free(&w->journal);
    ticket_keys_free(&w->tickets);
    account_changes_free(&w->changes);
    penalties_free(&w->penalties);
    free(w);
}

int world_set_up(void **state)
{
    struct world *w = world_new();
    world_add_account(w, "alice", USER_ACTIVE);
    world_add_account(w, "bob", USER_ACTIVE);
    world_add_account(w, "carol", USER_ACTIVE);
    world_add_account(w, "locked", USER_LOCKED);
    *state = w;
    return 0;
}

int world_tear_down(void **state)
{
    world_free(*state);
    return 0;
}

void world_punish(struct world *w, const struct penalty_policy *policy)
{
    static const struct penalty_policy by_default = { .enabled = true,
                                                      .account_failures = 10,
                                                      .source_failures = 30,
                                                      .forget_seconds = 3600,
                                                      .lock_seconds = 900,
                                                      .delay_max = 15 };
    w->penalties = penalties_new(policy != NULL ? policy : &by_default);
    assert_non_null(w->penalties);
    w->host.penalties = w->penalties;
}

void world_pass_time(struct world *w, uint64_t ms)
{
    w->time += ms;
    for (size_t i = 0; i < w->client_count; i++) {
        struct client *c = &w->clients[i];
        if (c->delayed && c->delayed_until <= w->time) {
            c->delayed = false;
            if (c->session != NULL && !c->ended) {
                session_delayed(c->session);
            }
        }
    }
}

struct client *world_connect(struct world *w)
{
    return world_connect_from(w, 1);
}

struct client *world_connect_from(struct world *w, uint8_t host)
{
    uint8_t resumption[KDF_SECRET_LEN];
    assert_true(w->client_count < WORLD_CLIENTS);
    memset(resumption, (int)(0x40 + w->client_count), sizeof resumption);
    const struct session_origin origin = {
        .source = "192.0.2.1:5000", .suite = SUITE_AES_256_GCM, .group = DH_FFDHE3072, .resumption = resumption
    };
    struct client *c = &w->clients[w->client_count];
    c->world = w;
    c->origin = (struct admission_source){ .family = 4, .prefix = { 192, 0, 2, host } };
    c->ref = (struct session_ref){ .slot = (uint32_t)w->client_count, .generation = 9 };
    c->session = session_new(&w->host, c, &c->ref, &origin);
    assert_non_null(c->session);
    w->client_count++;
    return c;
}

uint8_t world_resumption(const struct client *c)
{
    return (uint8_t)(0x40 + c->ref.slot);
}

struct ticket world_ticket(struct world *w, const struct message_welcome *welcome)
{
    struct ticket ticket;
    assert_int_equal(ticket_open(welcome->ticket, w->tickets, w->time, &ticket), 0);
    assert_int_equal(welcome->ticket_seconds, ticket_seconds_left(&ticket, w->tickets, w->time));
    return ticket;
}

struct client *world_resume(struct world *w, const struct ticket *ticket)
{
    struct client *c = world_connect(w);
    session_resume(c->session, ticket);
    return c;
}

struct client *world_login(struct world *w, const char *name)
{
    struct client *c = world_connect(w);
    world_say_credentials(c, MESSAGE_LOGIN, name, WORLD_PASSWORD);
    assert_true(world_run_job(w));
    assert_string_equal(world_expect(c, MESSAGE_WELCOME).welcome.name.text, name);
    assert_true(c->logged_in);
    return c;
}

void world_say(struct client *c, const struct message *m)
{
    static uint8_t bytes[FRAME_LEN_AFTER_LOGIN];
    struct writer w;
    writer_init(&w, bytes, sizeof bytes);
    assert_int_equal(message_encode(m, &w), 0);
    session_receive(c->session, (struct bytes){ bytes, w.len });
}

void world_say_credentials(struct client *c, enum message_type type, const char *name, const char *password)
{
    struct message m = { .type = type };
    m.credentials = (struct message_credentials){ { (const uint8_t *)name, strlen(name) },
                                                  { (const uint8_t *)password, strlen(password) } };
    world_say(c, &m);
}

static struct bytes typed(const char *text)
{
    return (struct bytes){ (const uint8_t *)text, strlen(text) };
}

void world_register(struct client *c, const char *name, const char *code, const char *email, const char *phone)
{
    world_say(c, &(struct message){ .type = MESSAGE_REGISTER,
                                    .registering = { .credentials = { typed(name), typed(WORLD_PASSWORD) },
                                                     .code = typed(code),
                                                     .email = typed(email),
                                                     .phone = typed(phone) } });
}

void world_activate(struct client *c, const char *name, const char *password, const char *code)
{
    world_say(
        c, &(struct message){ .type = MESSAGE_ACTIVATE,
                              .activate = { .credentials = { typed(name), typed(password) }, .code = typed(code) } });
}

void world_deactivate(struct client *c, uint32_t request, const char *code)
{
    world_say(
        c, &(struct message){ .type = MESSAGE_DEACTIVATE, .deactivate = { .request = request, .code = typed(code) } });
}

void world_open(struct client *c, uint32_t request, const char *peer)
{
    struct message m = { .type = MESSAGE_OPEN, .open = { .request = request } };
    assert_int_equal(name_from_string(peer, &m.open.peer), 0);
    world_say(c, &m);
}

void world_say_ciphertext(struct client *c, uint64_t conversation, uint64_t sequence, size_t len)
{
    static const uint8_t sealed[MESSAGE_SEALED_MAX + 1];
    static uint8_t bytes[FRAME_LEN_AFTER_LOGIN];
    struct writer w;
    writer_init(&w, bytes, sizeof bytes);
    writer_u8(&w, MESSAGE_CIPHERTEXT);
    writer_u64(&w, conversation);
    writer_u32(&w, 1);
    writer_u64(&w, sequence);
    writer_bytes(&w, sealed, len);
    assert_int_equal(writer_end(&w), 0);
    session_receive(c->session, (struct bytes){ bytes, w.len });
}

bool world_deliver_mail(struct world *w)
{
    struct mail *mail = (struct mail *)take(&w->mail);
    if (mail == NULL) {
        return false;
    }
    struct client *c = client_at(w, &mail->to);
    if (mail->type == MAIL_ISSUE) {
        conversation_issue(&w->host, &((struct mail_issue *)mail)->issue);
    } else if (c != NULL) {
        session_mail(c->session, mail);
    } else {
        session_mail_lost(&w->host, mail);
    }
    mail_free(mail);
    return true;
}

static void bring_home(struct world *w, struct job *job)
{
    struct client *c = client_at(w, &job->owner);
    if (c != NULL) {
        session_job_done(c->session, job);
    }
    job->destroy(job);
}

bool world_run_job(struct world *w)
{
    struct job *job = (struct job *)take(&w->homeward);
    if (job != NULL) {
        bring_home(w, job);
        return true;
    }
    job = (struct job *)take(&w->jobs);
    if (job == NULL) {
        return false;
    }
    job->run(job, &w->accounts);
    bring_home(w, job);
    return true;
}

bool world_displace_job(struct world *w, uint32_t retry_after)
{
    struct job *job = (struct job *)take(&w->jobs);
    if (job == NULL) {
        return false;
    }
    job->busy = true;
    job->retry_after = retry_after;
    bring_home(w, job);
    return true;
}

bool world_run_journal(struct world *w)
{
    const bool has = journal_has_work(w->journal);
    if (has) {
        journal_step(w->journal, &w->accounts);
    }
    return has;
}

void world_settle(struct world *w)
{
    while (world_run_job(w) || world_run_journal(w) || world_deliver_mail(w)) {
    }
}

struct message world_expect(struct client *c, enum message_type type)
{
    static uint8_t bytes[FRAME_LEN_AFTER_LOGIN];
    struct message m;
    struct sent *sent = (struct sent *)take(&c->sent);
    assert_non_null(sent);
    memcpy(bytes, sent->bytes, sent->len);
    const struct bytes plain = { bytes, sent->len };
    free(sent);
    assert_int_equal(message_decode(plain, ROLE_KDC, &m), MESSAGE_OK);
    assert_string_equal(message_type_name(m.type), message_type_name(type));
    return m;
}

void world_expect_nothing(const struct client *c)
{
    assert_null(c->sent);
}

void world_expect_refused(struct client *c, uint32_t request, enum reason reason)
{
    const struct message m = world_expect(c, MESSAGE_REFUSED);
    assert_int_equal(m.refused.reason, reason);
    assert_int_equal(m.refused.request, request);
}

void world_expect_presence(struct client *c, const char *name, enum presence presence)
{
    const struct message m = world_expect(c, MESSAGE_PRESENCE);
    assert_string_equal(m.presence.name.text, name);
    assert_int_equal(m.presence.presence, presence);
}

void world_expect_closed(const struct client *c, enum reason reason)
{
    assert_true(c->ended);
    assert_true(c->told);
    assert_int_equal(c->reason, reason);
    assert_true(session_is_over(c->session));
}

void world_hang_up(struct client *c)
{
    session_lost(c->session, REASON_NONE);
    session_free(&c->session);
    assert_null(c->session);
}
