/*
 * session_query.c: who is there: list, and who.
 */
#include "kdc/session_internal.h"

#include "crypto/secret.h"

#include <stdlib.h>

/* ---- list ---- */

struct list_job {
    struct request_job head;
    struct directory *directory;
    struct message_list asked;
    /* Results. */
    struct list_entry *entries; /* NULL with a count: memory was out */
    size_t count;
    bool more;
    bool failed;
};

static void run_list(struct job *job, struct accounts *accounts)
{
    (void)accounts;
    struct list_job *list = (struct list_job *)job;
    struct directory_entry *found = NULL;
    list->failed = directory_list(list->directory, list->asked.has_after ? &list->asked.after : NULL, LIST_ENTRIES_MAX,
                                  &found, &list->count, &list->more) != 0;
    if (!list->failed && list->count > 0) {
        list->entries = calloc(list->count, sizeof *list->entries);
        list->failed = list->entries == NULL;
    }
    for (size_t i = 0; !list->failed && i < list->count; i++) {
        list->entries[i] = (struct list_entry){ .name = found[i].name, .since = found[i].since };
    }
    free(found);
}

static void list_done(struct job *job, void *owner)
{
    const struct list_job *list = (const struct list_job *)job;
    struct session *s = owner;
    session_request_job_back(s);
    if (list->failed) {
        session_refuse(s, list->asked.request, REASON_INTERNAL, 1);
        return;
    }
    session_request_end(s, list->asked.request);
    session_send(s, &(struct message){ .type = MESSAGE_LIST_REPLY,
                                       .list_reply = { .request = list->asked.request,
                                                       .more = list->more,
                                                       .count = list->count,
                                                       .entries = list->entries } });
}

static void destroy_list(struct job *job)
{
    free(((struct list_job *)job)->entries);
    free(job);
}

void session_list(struct session *s, const struct message_list *m)
{
    if (!session_request_begin(s, m->request, false)) {
        return;
    }
    struct list_job *list = calloc(1, sizeof *list);
    if (list == NULL) {
        session_refuse(s, m->request, REASON_INTERNAL, 1);
        return;
    }
    list->head.job = (struct job){ .class = JOB_SQL, .run = run_list, .done = list_done, .destroy = destroy_list };
    list->directory = s->host->directory;
    list->head.request = m->request;
    list->asked = *m;
    session_submit(s, &list->head);
}

/* ---- who ---- */

struct who_job {
    struct request_job head;
    struct message_who asked;
    /* Results. */
    enum store_result result;
    uint64_t last_login;
};

static void run_who(struct job *job, struct accounts *accounts)
{
    struct who_job *who = (struct who_job *)job;
    struct store_user user = { 0 };
    who->result = accounts->find(accounts, &who->asked.name, &user);
    who->last_login = who->result == STORE_OK ? user.last_login : 0;
    secret_wipe(user.hash, sizeof user.hash);
}

static void answer_who(struct session *s, const struct message_who *m, enum presence presence, uint64_t since)
{
    session_request_end(s, m->request);
    session_send(s,
                 &(struct message){
                     .type = MESSAGE_WHO_REPLY,
                     .who_reply = { .request = m->request, .name = m->name, .presence = presence, .since = since } });
}

static void who_done(struct job *job, void *owner)
{
    const struct who_job *who = (const struct who_job *)job;
    struct session *s = owner;
    struct directory_entry entry;
    session_request_job_back(s);
    switch (who->result) {
    case STORE_OK:
        if (directory_find(s->host->directory, &who->asked.name, &entry)) {
            answer_who(s, &who->asked, PRESENCE_ONLINE, entry.since);
        } else {
            answer_who(s, &who->asked, PRESENCE_OFFLINE, who->last_login);
        }
        return;
    case STORE_NOT_FOUND:
        session_refuse(s, who->asked.request, REASON_NO_SUCH_USER, 0);
        return;
    case STORE_UNAVAILABLE:
    case STORE_BROKEN: /* until the operator has mended it */
    case STORE_REFUSED:
        session_refuse(s, who->asked.request, REASON_UNAVAILABLE, RETRY_UNAVAILABLE);
        return;
    case STORE_EXISTS:
        break;
    }
    session_refuse(s, who->asked.request, REASON_INTERNAL, 0);
}

static void destroy_who(struct job *job)
{
    free(job);
}

void session_who(struct session *s, const struct message_who *m)
{
    if (!session_request_begin(s, m->request, false)) {
        return;
    }
    struct directory_entry entry;
    if (directory_find(s->host->directory, &m->name, &entry)) {
        answer_who(s, m, PRESENCE_ONLINE, entry.since);
        return;
    }
    struct who_job *who = calloc(1, sizeof *who);
    if (who == NULL) {
        session_refuse(s, m->request, REASON_INTERNAL, 1);
        return;
    }
    who->head.job = (struct job){ .class = JOB_SQL, .run = run_who, .done = who_done, .destroy = destroy_who };
    who->head.request = m->request;
    who->asked = *m;
    session_submit(s, &who->head);
}
