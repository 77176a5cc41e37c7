#include "wire/record.h"

#include "crypto/secret.h"
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

/* Room in `out` for the whole frame of a plaintext of that length; NULL when it can't be sent. */
static uint8_t *reserve_frame(const struct record_half *half, size_t plain_len, struct buffer *out, size_t *sealed_len)
{
    if (half->suite == NULL || half->sequence == UINT64_MAX || plain_len == 0 || plain_len > FRAME_LEN_AFTER_LOGIN)
        return NULL;
    *sealed_len = suite_sealed_len(half->suite, plain_len);
    if (*sealed_len > FRAME_LEN_AFTER_LOGIN)
        return NULL;
    return buffer_reserve(out, FRAME_HEADER_LEN + *sealed_len);
}

/* The plaintext lies in the frame, behind the header: seals it where it is. */
static int seal_in_place(struct record_half *half, uint8_t *frame, size_t plain_len, size_t sealed_len)
{
    if (ready_key(half) != 0)
        return -1;
    put_length(frame, sealed_len);
    aead_seal(half->aead, half->sequence, frame, FRAME_HEADER_LEN, frame + FRAME_HEADER_LEN, plain_len,
              frame + FRAME_HEADER_LEN);
    count_record(half, plain_len);
    return 0;
}

int record_seal_message(struct record_half *half, const struct message *m, struct buffer *out)
{
    size_t plain_len = message_len(m);
    size_t sealed_len;
    uint8_t *frame = reserve_frame(half, plain_len, out, &sealed_len);
    if (frame == NULL)
        return -1;

    struct writer w;
    writer_init(&w, frame + FRAME_HEADER_LEN, plain_len);
    if (message_encode(m, &w) != 0 || writer_end(&w) != 0 || w.len != plain_len)
        goto fail;
    if (seal_in_place(half, frame, plain_len, sealed_len) != 0)
        goto fail;
    buffer_commit(out, FRAME_HEADER_LEN + sealed_len);
    return 0;

fail:
    secret_wipe(frame, FRAME_HEADER_LEN + plain_len);
    return -1;
}

int record_seal(struct record_half *half, struct bytes plain, struct buffer *out)
{
    size_t sealed_len;
    uint8_t *frame = reserve_frame(half, plain.len, out, &sealed_len);
    if (frame == NULL)
        return -1;

    memcpy(frame + FRAME_HEADER_LEN, plain.data, plain.len);
    if (seal_in_place(half, frame, plain.len, sealed_len) != 0) {
        secret_wipe(frame, FRAME_HEADER_LEN + plain.len);
        return -1;
    }
    buffer_commit(out, FRAME_HEADER_LEN + sealed_len);
    return 0;
}

int record_open(struct record_half *half, uint8_t *frame, size_t len, struct bytes *plain)
{
    size_t plain_len;

    *plain = (struct bytes){ 0 };
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
    *plain = (struct bytes){ .data = sealed, .len = plain_len };
    return 0;

dead:
    record_clear(half);
    return -1;
}
