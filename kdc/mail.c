#include "kdc/mail.h"

#include "crypto/secret.h"

#include <stdlib.h>

static const size_t sizes[] = {
    [MAIL_ISSUE] = sizeof(struct mail_issue),
    [MAIL_UNISSUED] = sizeof(struct mail_issue),
    [MAIL_GRANT] = sizeof(struct mail_grant),
    [MAIL_CIPHERTEXT] = sizeof(struct mail_ciphertext),
    [MAIL_UNDELIVERED] = sizeof(struct mail_undelivered),
    [MAIL_REFUSED] = sizeof(struct mail_refused),
    [MAIL_PEER_GONE] = sizeof(struct mail_leg),
    [MAIL_CREDIT] = sizeof(struct mail_credit),
    [MAIL_CAME_ONLINE] = sizeof(struct mail_name),
    [MAIL_END] = sizeof(struct mail_end),
    [MAIL_EXPIRES] = sizeof(struct mail_expires),
};

static void address(struct mail *mail, enum mail_type type, const struct session_ref *to,
                    const struct session_ref *from)
{
    mail->item = (struct inbox_item){ 0 };
    mail->type = type;
    mail->to = *to;
    mail->from = *from;
}

void *mail_new(enum mail_type type, const struct session_ref *to, const struct session_ref *from, size_t extra)
{
    const size_t size = sizes[type] + extra;
    struct mail *mail = type == MAIL_GRANT        ? secret_alloc(size)
                        : type == MAIL_CIPHERTEXT ? malloc(size)
                                                  : calloc(1, size);
    if (mail == NULL) {
        return NULL;
    }
    address(mail, type, to, from);
    if (type == MAIL_CIPHERTEXT) {
        ((struct mail_ciphertext *)mail)->home = NULL;
    }
    return mail;
}

void mail_discard(struct mail *mail)
{
    if (mail->type == MAIL_GRANT) {
        secret_free(&mail);
    } else {
        free(mail);
    }
}

static void go_home(struct mail_stock *home, struct inbox_item *item)
{
    item->next = atomic_load_explicit(&home->back, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&home->back, &item->next, item, memory_order_release,
                                                  memory_order_relaxed)) {
    }
}

void mail_free(struct mail *mail)
{
    struct mail_stock *home = mail->type == MAIL_CIPHERTEXT ? ((struct mail_ciphertext *)mail)->home : NULL;
    if (home != NULL) {
        go_home(home, &mail->item);
    } else {
        mail_discard(mail);
    }
}

/* ---- stocks ---- */

void mail_stock_init(struct mail_stock *stock, unsigned max)
{
    *stock = (struct mail_stock){ .max = max };
    atomic_init(&stock->back, NULL);
}

/* What has come back is spare now. Only the owner takes it away, and always all of it: so no mail can be given and taken
 * again behind somebody's look at the list. */
static void collect(struct mail_stock *stock)
{
    struct inbox_item *item = atomic_exchange_explicit(&stock->back, NULL, memory_order_acquire);
    while (item != NULL) {
        struct inbox_item *next = item->next;
        item->next = stock->spare;
        stock->spare = item;
        stock->spare_count++;
        item = next;
    }
}

static struct mail_ciphertext *take_spare(struct mail_stock *stock)
{
    struct inbox_item *item = stock->spare;
    if (item != NULL) {
        stock->spare = item->next;
        stock->spare_count--;
        if (stock->least > stock->spare_count) {
            stock->least = stock->spare_count;
        }
    }
    return (struct mail_ciphertext *)item;
}

struct mail_ciphertext *mail_stock_take(struct mail_stock *stock, const struct session_ref *to,
                                        const struct session_ref *from, size_t len)
{
    if (len > MAIL_STOCK_ROOM) {
        return mail_new(MAIL_CIPHERTEXT, to, from, len);
    }
    if (stock->spare == NULL) {
        collect(stock);
    }
    struct mail_ciphertext *mail = take_spare(stock);
    if (mail != NULL) {
        address(&mail->mail, MAIL_CIPHERTEXT, to, from);
        return mail;
    }
    mail = mail_new(MAIL_CIPHERTEXT, to, from, MAIL_STOCK_ROOM);
    if (mail != NULL && stock->out < stock->max) {
        stock->out++;
        mail->home = stock;
    }
    return mail;
}

void mail_stock_trim(struct mail_stock *stock)
{
    unsigned idle = stock->least;
    for (; idle > 0; idle--) {
        free(take_spare(stock));
        stock->out--;
    }
    collect(stock);
    stock->least = stock->spare_count;
}

void mail_stock_clear(struct mail_stock *stock)
{
    collect(stock);
    while (stock->spare != NULL) {
        free(take_spare(stock));
        stock->out--;
    }
}
