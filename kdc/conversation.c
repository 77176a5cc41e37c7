#include "kdc/conversation.h"

#include "crypto/secret.h"

#include <string.h>

static void log_issued(const struct session_host *host, const struct issue *issue)
{
    const struct log_field fields[] = {
        LOG_NUMBER("conversation", issue->conversation),
        LOG_NUMBER("epoch", issue->epoch),
        LOG_TEXT("a", issue->name_a.text),
        LOG_TEXT("b", issue->name_b.text),
        LOG_TEXT("suite", suite_by_id(issue->suite)->name),
        { .key = NULL },
    };
    host->log(LOG_INFO, "key issued", fields);
}

static void refuse_opener(const struct session_host *host, const struct issue *issue)
{
    struct mail_refused *refused = mail_new(MAIL_REFUSED, &issue->a, &issue->b, 0);
    if (refused != NULL) {
        refused->what = (struct message_refused){ .request = issue->request, .reason = REASON_INTERNAL };
        host->post(host->context, &refused->mail);
    }
}

static bool a_is_first(const struct issue *issue)
{
    return strcmp(issue->name_a.text, issue->name_b.text) < 0;
}

struct session_ref conversation_first(const struct issue *issue)
{
    return session_ref_home(a_is_first(issue) ? &issue->a : &issue->b); /* no grant overtakes another */
}

void conversation_issue(const struct session_host *host, const struct issue *issue)
{
    const struct suite *suite = suite_by_id(issue->suite);
    const struct session_ref first = conversation_first(issue);
    struct mail_grant *grant = mail_new(MAIL_GRANT, &first, a_is_first(issue) ? &issue->b : &issue->a, 0);
    if (grant == NULL || suite_issue_key(suite, host->rng, grant->key) != 0) {
        host->log(LOG_ERROR, "no memory or no randomness for a conversation key", NULL);
        if (grant != NULL) {
            mail_free(&grant->mail);
        }
        refuse_opener(host, issue);
        return;
    }
    grant->issue = *issue;
    grant->first = true;
    grant->key_len = suite->issued_key_len;
    counter_add(&host->counters->keys_issued, 1);
    log_issued(host, issue);
    host->post(host->context, &grant->mail);
    secret_wipe_registers(); /* copying the key went through them */
}

/* Memory is out: the first has an epoch that the second will never know. */
static void give_up(const struct session_host *host, const struct mail_grant *grant)
{
    struct mail_leg *gone = mail_new(MAIL_PEER_GONE, &grant->mail.to, &grant->mail.from, 0);
    if (gone != NULL) {
        gone->conversation = grant->issue.conversation;
        host->post(host->context, &gone->mail);
    }
    if (!a_is_first(&grant->issue)) {
        refuse_opener(host, &grant->issue);
    }
}

void conversation_pass_grant(const struct session_host *host, const struct mail_grant *grant,
                             const struct session_ref *to)
{
    if (!grant->first) {
        return;
    }
    struct mail_grant *second = mail_new(MAIL_GRANT, to, &grant->mail.to, 0);
    if (second == NULL) {
        give_up(host, grant);
        return;
    }
    second->issue = grant->issue;
    second->key_len = grant->key_len;
    memcpy(second->key, grant->key, grant->key_len);
    host->post(host->context, &second->mail);
    secret_wipe_registers(); /* copying the key went through them */
}
