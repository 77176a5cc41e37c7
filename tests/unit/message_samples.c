#include "tests/unit/message_samples.h"

#include "tests/support/wire_bytes.h"
#include "tests/unit/cmocka_all.h"

#define LONGEST_NAME "abcdefghijklmnopqrstuvwxyz-_.789"

const uint8_t some_bytes[ROOM] = { 0xc0, 0xc1, 0xc2, 0xc3 };
static const struct list_entry two_entries[] = { { { "alice" }, 0x11 }, { { "bob" }, 0x22 } };

const struct sample samples[] = {
    { "10 05 'Alice' 08 'pass w' 0aff",
      ROLE_CLIENT,
      { .type = MESSAGE_LOGIN,
        .credentials = { { (const uint8_t *)"Alice", 5 }, { (const uint8_t *)"pass w\n\xff", 8 } } } },
    { "10 00 00", ROLE_CLIENT, { .type = MESSAGE_LOGIN } },
    { "11 05 'Alice' 08 'password' 00 00 00",
      ROLE_CLIENT,
      { .type = MESSAGE_REGISTER,
        .registering = { .credentials = { { (const uint8_t *)"Alice", 5 }, { (const uint8_t *)"password", 8 } } } } },
    { "11 ff c0c1c2c3 00*251 ff c0c1c2c3 00*251 40 c0c1c2c3 00*60 fe c0c1c2c3 00*250 20 c0c1c2c3 00*28",
      ROLE_CLIENT,
      { .type = MESSAGE_REGISTER,
        .registering = { .credentials = { { some_bytes, 255 }, { some_bytes, 255 } },
                         .code = { some_bytes, CODE_LEN_MAX },
                         .email = { some_bytes, EMAIL_LEN_MAX },
                         .phone = { some_bytes, PHONE_LEN_MAX } } } },
    { "12 0102030405060708 0000018bcfe56800 05 'alice' 000003e8 00000e10 001e 00000000 0000",
      ROLE_KDC,
      { .type = MESSAGE_WELCOME,
        .welcome = { .session = UINT64_C(0x0102030405060708),
                     .time = 1700000000000,
                     .name = { "alice" },
                     .rekey_messages = 1000,
                     .rekey_seconds = 3600,
                     .ping_seconds = 30 } } },
    { "12 0102030405060708 0000018bcfe56800 05 'alice' 00*4 00*4 001e 00015180 0004 c0c1c2c3",
      ROLE_KDC,
      { .type = MESSAGE_WELCOME,
        .welcome = { .session = UINT64_C(0x0102030405060708),
                     .time = 1700000000000,
                     .name = { "alice" },
                     .ping_seconds = 30,
                     .ticket_seconds = 86400,
                     .ticket = { some_bytes, 4 } } } },
    { "12 ff*8 ff*8 20 '" LONGEST_NAME "' ff*4 ff*4 ffff ff*4 0200 c0c1c2c3 00*508",
      ROLE_KDC,
      { .type = MESSAGE_WELCOME,
        .welcome = { .session = UINT64_MAX,
                     .time = UINT64_MAX,
                     .name = { LONGEST_NAME },
                     .rekey_messages = UINT32_MAX,
                     .rekey_seconds = UINT32_MAX,
                     .ping_seconds = UINT16_MAX,
                     .ticket_seconds = UINT32_MAX,
                     .ticket = { some_bytes, TICKET_LEN_MAX } } } },
    { "13 00000000 0d 00000005",
      ROLE_KDC,
      { .type = MESSAGE_REFUSED, .refused = { .request = 0, .reason = REASON_LOGIN_FAILED, .retry_after = 5 } } },
    { "13 01020304 25 ff*4",
      ROLE_KDC,
      { .type = MESSAGE_REFUSED,
        .refused = { .request = 0x01020304, .reason = REASON_INTERNAL, .retry_after = UINT32_MAX } } },
    { "14 00000001 01 'b'", ROLE_CLIENT, { .type = MESSAGE_OPEN, .open = { .request = 1, .peer = { "b" } } } },
    { "15 00000007 1112131415161718 00000001 05 'alice' 03 'bob' 2122232425262728 3132333435363738 0001"
      " 4142434445464748 18 c0c1c2c3 00*20",
      ROLE_KDC,
      { .type = MESSAGE_GRANT,
        .grant = { .request = 7,
                   .conversation = UINT64_C(0x1112131415161718),
                   .epoch = 1,
                   .a = { "alice" },
                   .b = { "bob" },
                   .session_a = UINT64_C(0x2122232425262728),
                   .session_b = UINT64_C(0x3132333435363738),
                   .suite = SUITE_3DES_CBC_HMAC_SHA512,
                   .time = UINT64_C(0x4142434445464748),
                   .key = { some_bytes, 24 } } } },
    { "15 00000000 00*8 ff*4 01 '0' 20 '" LONGEST_NAME "' 00*8 00*8 0003 00*8 20 c0c1c2c3 00*28",
      ROLE_KDC,
      { .type = MESSAGE_GRANT,
        .grant = { .epoch = UINT32_MAX,
                   .a = { "0" },
                   .b = { LONGEST_NAME },
                   .suite = SUITE_AES_256_GCM,
                   .key = { some_bytes, 32 } } } },
    { "16 0102030405060708 00000009 1112131415161718 c0c1c2c3 00*13",
      ROLE_CLIENT,
      { .type = MESSAGE_CIPHERTEXT,
        .ciphertext = { .conversation = UINT64_C(0x0102030405060708),
                        .epoch = 9,
                        .sequence = UINT64_C(0x1112131415161718),
                        .sealed = { some_bytes, 17 } } } },
    { "16 00*8 00000001 00*8 c0c1c2c3 00*16436",
      ROLE_KDC,
      { .type = MESSAGE_CIPHERTEXT, .ciphertext = { .epoch = 1, .sealed = { some_bytes, MESSAGE_SEALED_MAX } } } },
    { "16 00*8 00000001 00*8 c0c1c2c3 00*65000",
      ROLE_CLIENT,
      { .type = MESSAGE_CIPHERTEXT, .ciphertext = { .epoch = 1, .sealed = { some_bytes, 65004 } } } },
    { "17 0102030405060708 00000009 1112131415161718 1a",
      ROLE_KDC,
      { .type = MESSAGE_UNDELIVERED,
        .undelivered = { .conversation = UINT64_C(0x0102030405060708),
                         .epoch = 9,
                         .sequence = UINT64_C(0x1112131415161718),
                         .reason = REASON_PEER_OFFLINE } } },
    { "18 03 'bob' 00",
      ROLE_KDC,
      { .type = MESSAGE_PRESENCE, .presence = { .name = { "bob" }, .presence = PRESENCE_OFFLINE } } },
    { "18 03 'bob' 01",
      ROLE_KDC,
      { .type = MESSAGE_PRESENCE, .presence = { .name = { "bob" }, .presence = PRESENCE_ONLINE } } },
    { "19 00000002 00", ROLE_CLIENT, { .type = MESSAGE_LIST, .list = { .request = 2 } } },
    { "19 ff*4 01 03 'bob'",
      ROLE_CLIENT,
      { .type = MESSAGE_LIST, .list = { .request = UINT32_MAX, .has_after = true, .after = { "bob" } } } },
    { "1a 00000002 00 0000", ROLE_KDC, { .type = MESSAGE_LIST_REPLY, .list_reply = { .request = 2 } } },
    { "1a 00000002 01 0002 05 'alice' 00*7 11 03 'bob' 00*7 22",
      ROLE_KDC,
      { .type = MESSAGE_LIST_REPLY,
        .list_reply = { .request = 2, .more = true, .count = 2, .entries = two_entries } } },
    { "1b 00000003 03 'bob'", ROLE_CLIENT, { .type = MESSAGE_WHO, .who = { .request = 3, .name = { "bob" } } } },
    { "1c 00000003 03 'bob' 01 0000018bcfe56800",
      ROLE_KDC,
      { .type = MESSAGE_WHO_REPLY,
        .who_reply = { .request = 3, .name = { "bob" }, .presence = PRESENCE_ONLINE, .since = 1700000000000 } } },
    { "1d 0102030405060708", ROLE_CLIENT, { .type = MESSAGE_PING, .ping = { .token = UINT64_C(0x0102030405060708) } } },
    { "1e 0102030405060708", ROLE_KDC, { .type = MESSAGE_PONG, .ping = { .token = UINT64_C(0x0102030405060708) } } },
    { "1f 00", ROLE_CLIENT, { .type = MESSAGE_CLOSE, .close = { .reason = REASON_NONE } } },
    { "1f 21", ROLE_KDC, { .type = MESSAGE_CLOSE, .close = { .reason = REASON_SHUTTING_DOWN } } },
    { "20 0102030405060708 00004000",
      ROLE_KDC,
      { .type = MESSAGE_CREDIT, .credit = { .conversation = UINT64_C(0x0102030405060708), .bytes = 16384 } } },
    { "21 05 'Alice' 08 'password' 06 '012345'",
      ROLE_CLIENT,
      { .type = MESSAGE_ACTIVATE,
        .activate = { .credentials = { { (const uint8_t *)"Alice", 5 }, { (const uint8_t *)"password", 8 } },
                      .code = { (const uint8_t *)"012345", 6 } } } },
    { "21 00 00 40 c0c1c2c3 00*60",
      ROLE_CLIENT,
      { .type = MESSAGE_ACTIVATE, .activate = { .code = { some_bytes, CODE_LEN_MAX } } } },
    { "22 01020304 08 'password' 05 'other'",
      ROLE_CLIENT,
      { .type = MESSAGE_CHANGE_PASSWORD,
        .change_password = { .request = 0x01020304,
                             .old = { (const uint8_t *)"password", 8 },
                             .new = { (const uint8_t *)"other", 5 } } } },
    { "22 00000001 ff c0c1c2c3 00*251 ff c0c1c2c3 00*251",
      ROLE_CLIENT,
      { .type = MESSAGE_CHANGE_PASSWORD,
        .change_password = { .request = 1, .old = { some_bytes, 255 }, .new = { some_bytes, 255 } } } },
    { "23 00000007 00015180 0004 c0c1c2c3",
      ROLE_KDC,
      { .type = MESSAGE_PASSWORD_CHANGED,
        .password_changed = { .request = 7, .ticket_seconds = 86400, .ticket = { some_bytes, 4 } } } },
    { "23 ff*4 00000000 0000",
      ROLE_KDC,
      { .type = MESSAGE_PASSWORD_CHANGED, .password_changed = { .request = UINT32_MAX } } },
    { "24 05 'Alice' 08 'password' 05 'other'",
      ROLE_CLIENT,
      { .type = MESSAGE_LOGIN_CHANGING,
        .login_changing = { .credentials = { { (const uint8_t *)"Alice", 5 }, { (const uint8_t *)"password", 8 } },
                            .new = { (const uint8_t *)"other", 5 } } } },
    { "24 00 00 ff c0c1c2c3 00*251",
      ROLE_CLIENT,
      { .type = MESSAGE_LOGIN_CHANGING, .login_changing = { .new = { some_bytes, 255 } } } },
    { "25 00000007 00", ROLE_CLIENT, { .type = MESSAGE_DEACTIVATE, .deactivate = { .request = 7 } } },
    { "25 ff*4 40 c0c1c2c3 00*60",
      ROLE_CLIENT,
      { .type = MESSAGE_DEACTIVATE, .deactivate = { .request = UINT32_MAX, .code = { some_bytes, CODE_LEN_MAX } } } },
    { "26 00000007", ROLE_KDC, { .type = MESSAGE_CODE_MAILED, .code_mailed = { .request = 7 } } },
    { "20 ff*8 ff*4",
      ROLE_KDC,
      { .type = MESSAGE_CREDIT, .credit = { .conversation = UINT64_MAX, .bytes = UINT32_MAX } } },
};
const size_t sample_count = sizeof(samples) / sizeof(samples[0]);

size_t by_hand(const char *notation, uint8_t room[ROOM])
{
    size_t len = bytes_from(notation, room, ROOM);
    assert_true(len != SIZE_MAX);
    return len;
}

static void same_bytes(struct bytes a, struct bytes b)
{
    assert_int_equal(a.len, b.len);
    if (a.len > 0)
        assert_memory_equal(a.data, b.data, a.len);
}

void same_message(const struct message *a, struct message *b)
{
    assert_int_equal(a->type, b->type);
    switch (a->type) {
    case MESSAGE_LOGIN:
        same_bytes(a->credentials.name, b->credentials.name);
        same_bytes(a->credentials.password, b->credentials.password);
        break;
    case MESSAGE_REGISTER:
        same_bytes(a->registering.credentials.name, b->registering.credentials.name);
        same_bytes(a->registering.credentials.password, b->registering.credentials.password);
        same_bytes(a->registering.code, b->registering.code);
        same_bytes(a->registering.email, b->registering.email);
        same_bytes(a->registering.phone, b->registering.phone);
        break;
    case MESSAGE_ACTIVATE:
        same_bytes(a->activate.credentials.name, b->activate.credentials.name);
        same_bytes(a->activate.credentials.password, b->activate.credentials.password);
        same_bytes(a->activate.code, b->activate.code);
        break;
    case MESSAGE_CHANGE_PASSWORD:
        assert_int_equal(a->change_password.request, b->change_password.request);
        same_bytes(a->change_password.old, b->change_password.old);
        same_bytes(a->change_password.new, b->change_password.new);
        break;
    case MESSAGE_PASSWORD_CHANGED:
        assert_int_equal(a->password_changed.request, b->password_changed.request);
        assert_int_equal(a->password_changed.ticket_seconds, b->password_changed.ticket_seconds);
        same_bytes(a->password_changed.ticket, b->password_changed.ticket);
        break;
    case MESSAGE_LOGIN_CHANGING:
        same_bytes(a->login_changing.credentials.name, b->login_changing.credentials.name);
        same_bytes(a->login_changing.credentials.password, b->login_changing.credentials.password);
        same_bytes(a->login_changing.new, b->login_changing.new);
        break;
    case MESSAGE_DEACTIVATE:
        assert_int_equal(a->deactivate.request, b->deactivate.request);
        same_bytes(a->deactivate.code, b->deactivate.code);
        break;
    case MESSAGE_CODE_MAILED:
        assert_int_equal(a->code_mailed.request, b->code_mailed.request);
        break;
    case MESSAGE_WELCOME:
        assert_true(a->welcome.session == b->welcome.session && a->welcome.time == b->welcome.time);
        assert_string_equal(a->welcome.name.text, b->welcome.name.text);
        assert_int_equal(a->welcome.rekey_messages, b->welcome.rekey_messages);
        assert_int_equal(a->welcome.rekey_seconds, b->welcome.rekey_seconds);
        assert_int_equal(a->welcome.ping_seconds, b->welcome.ping_seconds);
        assert_int_equal(a->welcome.ticket_seconds, b->welcome.ticket_seconds);
        same_bytes(a->welcome.ticket, b->welcome.ticket);
        break;
    case MESSAGE_REFUSED:
        assert_int_equal(a->refused.request, b->refused.request);
        assert_int_equal(a->refused.reason, b->refused.reason);
        assert_int_equal(a->refused.retry_after, b->refused.retry_after);
        break;
    case MESSAGE_OPEN:
        assert_int_equal(a->open.request, b->open.request);
        assert_string_equal(a->open.peer.text, b->open.peer.text);
        break;
    case MESSAGE_GRANT:
        assert_int_equal(a->grant.request, b->grant.request);
        assert_true(a->grant.conversation == b->grant.conversation && a->grant.time == b->grant.time);
        assert_int_equal(a->grant.epoch, b->grant.epoch);
        assert_string_equal(a->grant.a.text, b->grant.a.text);
        assert_string_equal(a->grant.b.text, b->grant.b.text);
        assert_true(a->grant.session_a == b->grant.session_a && a->grant.session_b == b->grant.session_b);
        assert_int_equal(a->grant.suite, b->grant.suite);
        same_bytes(a->grant.key, b->grant.key);
        break;
    case MESSAGE_CIPHERTEXT:
        assert_true(a->ciphertext.conversation == b->ciphertext.conversation);
        assert_int_equal(a->ciphertext.epoch, b->ciphertext.epoch);
        assert_true(a->ciphertext.sequence == b->ciphertext.sequence);
        same_bytes(a->ciphertext.sealed, b->ciphertext.sealed);
        break;
    case MESSAGE_UNDELIVERED:
        assert_true(a->undelivered.conversation == b->undelivered.conversation);
        assert_int_equal(a->undelivered.epoch, b->undelivered.epoch);
        assert_true(a->undelivered.sequence == b->undelivered.sequence);
        assert_int_equal(a->undelivered.reason, b->undelivered.reason);
        break;
    case MESSAGE_PRESENCE:
        assert_string_equal(a->presence.name.text, b->presence.name.text);
        assert_int_equal(a->presence.presence, b->presence.presence);
        break;
    case MESSAGE_LIST:
        assert_int_equal(a->list.request, b->list.request);
        assert_int_equal(a->list.has_after, b->list.has_after);
        assert_string_equal(a->list.after.text, b->list.after.text);
        break;
    case MESSAGE_LIST_REPLY:
        assert_int_equal(a->list_reply.request, b->list_reply.request);
        assert_int_equal(a->list_reply.more, b->list_reply.more);
        assert_int_equal(a->list_reply.count, b->list_reply.count);
        for (size_t i = 0; i < a->list_reply.count; i++) {
            struct list_entry entry;
            assert_int_equal(message_list_next(&b->list_reply, &entry), 1);
            assert_string_equal(a->list_reply.entries[i].name.text, entry.name.text);
            assert_true(a->list_reply.entries[i].since == entry.since);
        }
        assert_int_equal(message_list_next(&b->list_reply, &(struct list_entry){ .since = 0 }), 0);
        break;
    case MESSAGE_WHO:
        assert_int_equal(a->who.request, b->who.request);
        assert_string_equal(a->who.name.text, b->who.name.text);
        break;
    case MESSAGE_WHO_REPLY:
        assert_int_equal(a->who_reply.request, b->who_reply.request);
        assert_string_equal(a->who_reply.name.text, b->who_reply.name.text);
        assert_int_equal(a->who_reply.presence, b->who_reply.presence);
        assert_true(a->who_reply.since == b->who_reply.since);
        break;
    case MESSAGE_PING:
    case MESSAGE_PONG:
        assert_true(a->ping.token == b->ping.token);
        break;
    case MESSAGE_CLOSE:
        assert_int_equal(a->close.reason, b->close.reason);
        break;
    case MESSAGE_CREDIT:
        assert_true(a->credit.conversation == b->credit.conversation);
        assert_int_equal(a->credit.bytes, b->credit.bytes);
        break;
    }
}
