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

void conversation_issue(const struct session_host *host, const struct issue *issue)
{
    const struct suite *suite = suite_by_id(issue->suite);
    struct mail_grant *for_b = mail_new(MAIL_GRANT, &issue->b, &issue->a, 0);
    struct mail_grant *for_a = mail_new(MAIL_GRANT, &issue->a, &issue->b, 0);
    if (for_a == NULL || for_b == NULL || suite_issue_key(suite, host->rng, for_b->key) != 0) {
        host->log(LOG_ERROR, "no memory or no randomness for a conversation key", NULL);
        if (for_a != NULL) {
            mail_free(&for_a->mail);
        }
        if (for_b != NULL) {
            mail_free(&for_b->mail);
        }
        refuse_opener(host, issue);
        return;
    }
    for_b->issue = *issue;
    for_b->key_len = suite->issued_key_len;
    for_a->issue = *issue;
    for_a->key_len = suite->issued_key_len;
    memcpy(for_a->key, for_b->key, suite->issued_key_len);
    counter_add(&host->counters->keys_issued, 1);
    log_issued(host, issue);
    /* In this order: see above. */
    host->post(host->context, &for_b->mail);
    host->post(host->context, &for_a->mail);
    secret_wipe_registers(); /* copying the key went through them */
}
