/* session_deactivate.c: somebody gives up their account: they are mailed a code, and the account is disabled once they type it. */
#include "kdc/session_register.h"

#include "crypto/secret.h"
#include "kdc/audit_events.h"
#include "wire/reason.h"

#include <string.h>

/* Secret memory: it holds a code. */
struct deactivate_job {
    struct request_job head;
    struct session_ref session;
    uint64_t user;
    struct name name;
    struct registering registering;
    enum reason reason; /* result */
};

static void run_deactivate(struct job *running, struct accounts *accounts)
{
    struct deactivate_job *job = (struct deactivate_job *)running;
    struct registering *r = &job->registering;
    if (r->typed_len == 0) {
        job->reason = session_mail_code(r, accounts, &job->name, job->user, CODE_DEACTIVATE);
        return;
    }
    job->reason = session_use_code(r, accounts, job->user, CODE_DEACTIVATE);
    secret_wipe(r->typed, sizeof r->typed);
    if (job->reason == REASON_NONE) {
        r->host->account_changed(r->host->context, &job->name, &job->session, REASON_ACCOUNT_DISABLED);
    }
    if (job->reason != REASON_UNAVAILABLE && job->reason != REASON_INTERNAL) {
        session_register_record(r, AUDIT_DEACTIVATE, &job->name, job->reason);
    }
}

static void destroy_deactivate(struct job *done)
{
    struct deactivate_job *job = (struct deactivate_job *)done;
    secret_free(&job);
}

static uint32_t retry_of(const struct deactivate_job *job)
{
    if (job->registering.retry_after > 0) {
        return job->registering.retry_after;
    }
    return job->reason == REASON_UNAVAILABLE ? RETRY_UNAVAILABLE : 0;
}

static void deactivate_done(struct job *done, void *owner)
{
    struct session *s = owner;
    const struct deactivate_job *job = (const struct deactivate_job *)done;
    session_request_job_back(s);
    if (s->state != SESSION_IN) {
        return;
    }
    if (job->reason != REASON_NONE) {
        session_refuse(s, job->head.request, job->reason, retry_of(job));
    } else if (job->registering.typed_len > 0) {
        session_close(s, REASON_ACCOUNT_DISABLED);
    } else {
        session_request_end(s, job->head.request);
        session_send(s,
                     &(struct message){ .type = MESSAGE_CODE_MAILED, .code_mailed = { .request = job->head.request } });
    }
}

void session_deactivate(struct session *s, const struct message_deactivate *m)
{
    if (!session_request_begin(s, m->request, false)) {
        return;
    }
    struct deactivate_job *job = secret_alloc(sizeof *job);
    if (job == NULL) {
        session_refuse(s, m->request, REASON_INTERNAL, 1);
        return;
    }
    job->head = (struct request_job){
        .job = { .class = JOB_SQL, .run = run_deactivate, .done = deactivate_done, .destroy = destroy_deactivate },
        .request = m->request,
    };
    job->session = s->ref;
    job->user = s->user;
    job->name = s->name;
    session_registering_take(&job->registering, s, NULL, m->code);
    session_submit(s, &job->head);
}
