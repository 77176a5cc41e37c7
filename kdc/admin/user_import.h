/*
 * user_import.h: what a file of users becomes before any of it goes to the database: rows, and rows that are refused.
 *
 * Bytes of the file, fields and passwords are in secret memory from the first read on. No reason of a refused row shows a
 * password or a hash.
 */
#ifndef KDC_ADMIN_USER_IMPORT_H
#define KDC_ADMIN_USER_IMPORT_H

#include "kdc/admin/user.h"
#include "kdc/password_policy.h"
#include "wire/protocol.h"

#include <stddef.h>

enum import_field {
    FIELD_NAME,
    FIELD_HASH,
    FIELD_PASSWORD,
    FIELD_STATE,
    FIELD_CREATED,
    FIELD_LAST_LOGIN,
    FIELD_MUST_CHANGE,
    FIELD_EXPIRES,
    FIELD_EMAIL,
    FIELD_PHONE,
    FIELD_COUNT
};

/* The field that a column or key names; FIELD_COUNT: none. */
enum import_field import_field_by_name(struct bytes name);

struct import_row {
    uint64_t line;
    struct store_import user; /* its hash is still empty where there is a password */
    char *password;           /* secret memory; NULL: there is a hash */
    bool refused;
};

struct import_refused {
    uint64_t line;
    char *name; /* NULL: there is none that could be told */
    char *reason;
};

/* Of zeros at first; import_clear gives everything back. */
struct import {
    uint64_t line_count; /* rows that were read, refused ones too */
    struct import_row *rows;
    size_t count;
    size_t room;
    struct import_refused *refused;
    size_t refused_count;
    size_t refused_room;
    size_t *by_name; /* hash table: row's index + 1 */
    size_t by_name_room;
    bool memory_out;
    const struct password_policy *passwords; /* lent; NULL: any password is taken */
};

void import_clear(struct import *import);

/* Takes a row, or refuses it. An absent or empty field is the same. */
void import_take(struct import *import, uint64_t line, const struct bytes fields[FIELD_COUNT]);
void import_refuse(struct import *import, uint64_t line, const char *name, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same of a row that was taken; its password is wiped. */
void import_row_refuse(struct import *import, struct import_row *row, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Refused rows in the order of their lines. */
void import_refused_sort(struct import *import);

/* ---- user_import_source.c: the file's bytes, record by record ---- */
#define RECORD_MAX 16384 /* bytes: more is refused */
#define RECORD_FIELDS_MAX 16

struct import_source {
    int fd;
    uint8_t *buffer; /* secret memory */
    size_t at;
    size_t len;
    uint64_t line; /* of the byte that comes next, from 1 */
    int error;     /* errno of a read that failed */
};

struct record {
    char *text; /* secret memory: the fields, one behind the other */
    size_t len;
    struct bytes fields[RECORD_FIELDS_MAX];
    size_t count; /* of fields, also of those that had no room */
    uint64_t line;
    const char *wrong; /* why it can't be taken; NULL: well */
};

/* 0, or -1: memory is out. A byte order mark is passed over. */
int source_open(struct import_source *source, int fd) __attribute__((warn_unused_result));
void source_close(struct import_source *source);
int record_new(struct record *record) __attribute__((warn_unused_result));
void record_free(struct record *record);
/* The next one that isn't an empty line: of CSV (RFC 4180), or a line as one field. False at the end and when a read failed. */
bool record_read_csv(struct import_source *source, struct record *record);
bool record_read_line(struct import_source *source, struct record *record);

/* ---- user_import_csv.c, user_import_lines.c: each takes all records of the source ---- */
#define IMPORT_ERROR_MAX 256
/* 0; -1 with `error` a sentence (empty when a read failed): the first line isn't one for this. */
int import_read_csv(struct import *import, struct import_source *source, char error[IMPORT_ERROR_MAX])
    __attribute__((warn_unused_result));
void import_read_jsonl(struct import *import, struct import_source *source);
void import_read_htpasswd(struct import *import, struct import_source *source);

/* ---- user_import_contacts.c ---- */
/* Refuses rows whose e-mail address or telephone number an earlier one has. When all rows are there. */
void import_contacts_refuse(struct import *import);

/* ---- user_import_hash.c ---- */
/* Hashes all passwords, on all cores, and wipes them. With a progress bar on stderr when that is a terminal. 0, or -1: memory or
 * randomness is out. */
int import_hash(struct import *import, unsigned cost) __attribute__((warn_unused_result));

#endif
