#include "kdc/session_internal.h"

#include "wire/reason.h"

static struct request *find(const struct session *s, uint32_t number)
{
    for (size_t i = 0; i < s->request_count; i++) {
        if (s->requests[i].number == number) {
            return &s->requests[i];
        }
    }
    return NULL;
}

bool session_request_begin(struct session *s, uint32_t number, bool opens)
{
    if (find(s, number) != NULL) {
        session_close(s, REASON_OUT_OF_ORDER);
        return false;
    }
    if (s->request_count >= SESSION_REQUESTS_MAX) {
        session_refuse(s, number, REASON_TOO_MANY, 1);
        return false;
    }
    void *array = s->requests;
    const int room = session_room_for_one(&array, s->request_count, &s->request_room, sizeof *s->requests);
    s->requests = array;
    if (room != 0) {
        session_refuse(s, number, REASON_INTERNAL, 1);
        return false;
    }
    s->requests[s->request_count++] = (struct request){ .number = number, .opens = opens };
    return true;
}

void session_request_end(struct session *s, uint32_t number)
{
    struct request *request = find(s, number);
    if (request != NULL) {
        *request = s->requests[--s->request_count];
    }
}

void session_refuse(struct session *s, uint32_t number, enum reason reason, uint32_t retry_after)
{
    session_request_end(s, number);
    counter_add(&s->host->counters->refused[reason], 1);
    s->host->log(LOG_INFO, "refused a request",
                 (const struct log_field[]){ LOG_TEXT("user", s->name.text),
                                             LOG_NUMBER("session", s->ref.session),
                                             LOG_NUMBER("request", number),
                                             LOG_TEXT("reason", reason_name(reason)),
                                             { .key = NULL } });
    session_send(s,
                 &(struct message){ .type = MESSAGE_REFUSED,
                                    .refused = { .request = number, .reason = reason, .retry_after = retry_after } });
}

size_t session_requests_opening(const struct session *s)
{
    size_t opening = 0;
    for (size_t i = 0; i < s->request_count; i++) {
        opening += s->requests[i].opens ? 1 : 0;
    }
    return opening;
}

void session_submit(struct session *s, struct job *job, uint32_t request)
{
    uint32_t retry_after = 0;
    if (s->host->submit(s->link, job, &retry_after) != 0) {
        job->destroy(job);
        session_refuse(s, request, REASON_BUSY, retry_after);
    }
}
