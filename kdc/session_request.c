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

static void log_refused(struct session *s, uint32_t number, enum reason reason)
{
    uint64_t left_out = 0;
    const unsigned a_second = s->host->config->log_refusals / 5;
    if (!log_quota_take(&s->quota, s->host->now(s->host->context), a_second, &left_out)) {
        return;
    }
    const struct log_field fields[] = {
        LOG_TEXT("user", s->name.text),
        LOG_NUMBER("session", s->ref.session),
        LOG_NUMBER("request", number),
        LOG_TEXT("reason", reason_name(reason)),
        { .key = left_out > 0 ? "lines_left_out" : NULL, .number = left_out },
        { .key = NULL },
    };
    s->host->log(LOG_INFO, "refused a request", fields);
}

void session_refuse(struct session *s, uint32_t number, enum reason reason, uint32_t retry_after)
{
    session_request_end(s, number);
    counter_add(&s->host->counters->refused[reason], 1);
    log_refused(s, number, reason);
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

static void hand_over(struct session *s, struct request_job *job)
{
    s->jobs++;
    s->host->submit(s->link, &job->job);
}

void session_submit(struct session *s, struct request_job *job)
{
    if (s->jobs < SESSION_JOBS_MAX) {
        hand_over(s, job);
        return;
    }
    struct inbox_item *item = &job->job.item;
    item->next = NULL;
    if (s->waiting_newest != NULL) {
        s->waiting_newest->next = item;
    } else {
        s->waiting_oldest = item;
    }
    s->waiting_newest = item;
}

static struct request_job *next_waiting(struct session *s)
{
    struct inbox_item *item = s->waiting_oldest;
    if (item != NULL) {
        s->waiting_oldest = item->next;
        s->waiting_newest = s->waiting_oldest != NULL ? s->waiting_newest : NULL;
    }
    return (struct request_job *)item; /* a job is the item that it begins with */
}

void session_request_job_back(struct session *s)
{
    s->jobs--;
    if (s->state == SESSION_IN && s->waiting_oldest != NULL) {
        hand_over(s, next_waiting(s));
    }
}

void session_request_displaced(struct session *s, const struct request_job *job)
{
    session_request_job_back(s);
    if (s->state == SESSION_IN) {
        session_refuse(s, job->request, REASON_BUSY, job->job.retry_after);
    }
}

void session_requests_drop(struct session *s)
{
    struct request_job *job;
    while ((job = next_waiting(s)) != NULL) {
        job->job.destroy(&job->job);
    }
}
