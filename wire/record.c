#include "wire/record.h"

#include "crypto/secret.h"
#include "wire/frame.h"
#include "wire/message.h"

#include <string.h>

static const char record_label[] = PROTOCOL_NAME " record";
static const char next_label[] = PROTOCOL_NAME " next";

static struct aead *record_key(const struct suite *suite, const uint8_t traffic[KDF_SECRET_LEN])
{
    return aead_derive(suite, traffic, record_label, sizeof(record_label) - 1);
}

int record_init(struct record_half *half, const struct suite *suite, const uint8_t traffic[KDF_SECRET_LEN])
{
    memset(half, 0, sizeof(*half));
    struct aead *aead = record_key(suite, traffic);
    if (aead == NULL)
        return -1;
    half->suite = suite;
    half->aead = aead;
    memcpy(half->traffic, traffic, KDF_SECRET_LEN);
    secret_wipe_registers(); /* copying went through them */
    return 0;
}

/* A cleared half has no suite: that is what being dead means here. */
void record_clear(struct record_half *half)
{
    aead_free(&half->aead);
    secret_wipe(half, sizeof(*half));
}

void record_cool(struct record_half *half)
{
    if (half->gathered == 0)
        aead_free(&half->aead);
}

static int warm_up(struct record_half *half)
{
    if (half->aead == NULL)
        half->aead = record_key(half->suite, half->traffic);
    return half->aead == NULL ? -1 : 0;
}

/* Before a record, on both sides at the same one: a key that has served its time is replaced, its traffic secret too, so
 * that neither can be computed from what is left. A cooled one is scheduled again. */
static int ready_key(struct record_half *half)
{
    if (half->records < half->suite->key_records && half->bytes < half->suite->key_bytes)
        return warm_up(half);

    hkdf_sha512_expand(half->traffic, next_label, sizeof(next_label) - 1, half->traffic, KDF_SECRET_LEN);
    aead_free(&half->aead);
    half->aead = record_key(half->suite, half->traffic);
    if (half->aead == NULL) {
        record_clear(half);
        return -1;
    }
    half->records = 0;
    half->bytes = 0;
    return 0;
}

static void count_record(struct record_half *half, size_t plain_len)
{
    half->sequence++;
    half->records++;
    half->bytes += plain_len;
}

static void put_length(uint8_t header[FRAME_HEADER_LEN], size_t len)
{
    header[0] = (uint8_t)(len >> 24);
    header[1] = (uint8_t)(len >> 16);
    header[2] = (uint8_t)(len >> 8);
    header[3] = (uint8_t)len;
}

/* What sealing adds behind a plaintext of that length. */
static size_t overhead(const struct record_half *half, size_t plain_len)
{
    return suite_sealed_len(half->suite, plain_len) - plain_len;
}

/* Whether the record that gathers can take a message's frame without getting too long or being moved. */
static bool takes_another(const struct record_half *half, size_t framed_len, const struct buffer *out)
{
    const size_t plain_len = half->gathered + framed_len;
    return plain_len <= RECORD_TOGETHER_MAX && framed_len + overhead(half, plain_len) <= out->room - out->end;
}

/* A place for a message of that length in the record that gathers, or in a new one, with room for its own header before it
 * and for the seal behind it; the key is ready. NULL when it can't be sent. */
static uint8_t *reserve_message(struct record_half *half, size_t len, struct buffer *out)
{
    const size_t framed_len = FRAME_HEADER_LEN + len;
    if (half->suite == NULL || len == 0 || len > FRAME_LEN_AFTER_LOGIN ||
        suite_sealed_len(half->suite, framed_len) > FRAME_LEN_AFTER_LOGIN)
        return NULL;
    if (half->gathered > 0) {
        if (takes_another(half, framed_len, out))
            return out->data + out->end + FRAME_HEADER_LEN;
        record_seal(half, out);
    }
    if (half->sequence == UINT64_MAX)
        return NULL;
    uint8_t *frame = buffer_reserve(out, FRAME_HEADER_LEN + framed_len + overhead(half, framed_len));
    if (frame == NULL || ready_key(half) != 0)
        return NULL;
    return frame + 2 * FRAME_HEADER_LEN;
}

/* The message lies where reserve_message said. */
static void commit_message(struct record_half *half, uint8_t *at, size_t len, struct buffer *out)
{
    put_length(at - FRAME_HEADER_LEN, len);
    buffer_commit(out, (half->gathered == 0 ? (size_t)2 : 1) * FRAME_HEADER_LEN + len);
    half->gathered += FRAME_HEADER_LEN + len;
}

int record_add_message(struct record_half *half, const struct message *m, struct buffer *out)
{
    size_t len = message_len(m);
    uint8_t *at = reserve_message(half, len, out);
    if (at == NULL)
        return -1;

    struct writer w;
    writer_init(&w, at, len);
    if (message_encode(m, &w) != 0 || writer_end(&w) != 0 || w.len != len) {
        secret_wipe(at, len);
        return -1;
    }
    commit_message(half, at, len, out);
    return 0;
}

int record_add(struct record_half *half, struct bytes message, struct buffer *out)
{
    uint8_t *at = reserve_message(half, message.len, out);
    if (at == NULL)
        return -1;
    memcpy(at, message.data, message.len);
    commit_message(half, at, message.len, out);
    return 0;
}

void record_seal(struct record_half *half, struct buffer *out)
{
    const size_t plain_len = half->gathered;
    if (plain_len == 0)
        return;

    uint8_t *frame = out->data + out->end - plain_len - FRAME_HEADER_LEN;
    uint8_t *plain = frame + FRAME_HEADER_LEN;
    put_length(frame, suite_sealed_len(half->suite, plain_len));
    aead_seal(half->aead, half->sequence, frame, FRAME_HEADER_LEN, plain, plain_len, plain);
    buffer_commit(out, overhead(half, plain_len)); /* reserved with the last message */
    count_record(half, plain_len);
    half->gathered = 0;
}

int record_open(struct record_half *half, uint8_t *frame, size_t len, struct bytes *messages)
{
    size_t plain_len;

    *messages = (struct bytes){ 0 };
    if (half->suite == NULL || half->sequence == UINT64_MAX || len < FRAME_HEADER_LEN)
        goto dead;
    if (ready_key(half) != 0)
        goto dead;

    /* A length that isn't the sender's doesn't authenticate. */
    uint8_t *sealed = frame + FRAME_HEADER_LEN;
    if (aead_open(half->aead, half->sequence, frame, FRAME_HEADER_LEN, sealed, len - FRAME_HEADER_LEN, sealed,
                  &plain_len) != 0)
        goto dead;
    count_record(half, plain_len);
    *messages = (struct bytes){ .data = sealed, .len = plain_len };
    return 0;

dead:
    record_clear(half);
    return -1;
}

int record_next(struct bytes *messages, struct bytes *message)
{
    size_t framed_len;

    *message = (struct bytes){ 0 };
    if (frame_peek(messages->data, messages->len, FRAME_LEN_AFTER_LOGIN, &framed_len) != FRAME_READY)
        return -1;
    if (messages->len > framed_len && messages->len > RECORD_TOGETHER_MAX)
        return -1;
    *message = (struct bytes){ .data = messages->data + FRAME_HEADER_LEN, .len = framed_len - FRAME_HEADER_LEN };
    messages->data += framed_len;
    messages->len -= framed_len;
    return 0;
}
