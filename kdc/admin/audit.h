/*
 * audit.h: what the files of kdc-admin audit share.
 */
#ifndef KDC_ADMIN_AUDIT_H
#define KDC_ADMIN_AUDIT_H

#include "kdc/admin/command.h"
#include "wire/name.h"

#define AUDIT_PART 500 /* events asked for at once */

struct audit_view { /* what was asked for */
    struct store_audit_filter filter;
    struct name user;
    char source[STORE_PATTERN_MAX + 1];
    uint64_t limit; /* UINT64_MAX: none */
    bool limited;   /* a limit was given */
    bool json;
    bool follow;
    bool titled;                      /* the line of titles is printed */
    struct store_audit_event *events; /* AUDIT_PART of them */
    /* Told of the number of each event that audit_view_print prints; NULL: nobody wants to know. */
    void (*note)(void *context, uint64_t id);
    void *context;
};

/* EXIT_DONE, or it has complained. */
enum exit_code audit_view_take(struct admin *admin, struct audit_view *view);

/* Prints as a table's rows, or (--follow) as JSON objects on lines of their own. */
void audit_print(struct audit_view *view, const struct store_audit_event *events, size_t count);
json_t *audit_json(const struct store_audit_event *event);

/* What is there now. */
enum exit_code audit_view_print(struct audit_view *view, struct store *store);

/* The same, and goes on with what comes, until SIGINT, SIGTERM or SIGHUP; that ends it with EXIT_DONE. */
enum exit_code audit_follow(struct audit_view *view, struct store *store);

#endif
