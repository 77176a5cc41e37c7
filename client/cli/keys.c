#include "client/cli/keys.h"

#include <string.h>
#include <utf8proc.h>

#define ESCAPE 0x1B
#define DEL 0x7F
#define CTRL(letter) ((letter)&0x1F)

static const struct {
    unsigned char byte;
    enum key key;
} control_keys[] = {
    { '\r', KEY_ENTER },
    { '\n', KEY_ENTER },
    { CTRL('a'), KEY_HOME },
    { CTRL('e'), KEY_END },
    { CTRL('b'), KEY_LEFT },
    { CTRL('f'), KEY_RIGHT },
    { CTRL('p'), KEY_UP },
    { CTRL('n'), KEY_DOWN },
    { CTRL('d'), KEY_CTRL_D },
    { CTRL('c'), KEY_CTRL_C },
    { CTRL('z'), KEY_CTRL_Z },
    { CTRL('h'), KEY_BACKSPACE },
    { DEL, KEY_BACKSPACE },
    { CTRL('u'), KEY_ERASE_TO_START },
    { CTRL('k'), KEY_ERASE_TO_END },
    { CTRL('w'), KEY_ERASE_WORD },
    { CTRL('y'), KEY_YANK },
    { CTRL('l'), KEY_CLEAR_SCREEN },
};

/* Control sequences after ESC [ and ESC O: parameters and final byte. */
static const struct {
    const char *sequence;
    enum key key;
} sequence_keys[] = {
    { "A", KEY_UP },           { "B", KEY_DOWN },          { "C", KEY_RIGHT },
    { "D", KEY_LEFT },         { "H", KEY_HOME },          { "F", KEY_END },
    { "1~", KEY_HOME },        { "4~", KEY_END },          { "7~", KEY_HOME },
    { "8~", KEY_END },         { "3~", KEY_DELETE },       { "1;5D", KEY_WORD_LEFT },
    { "1;3D", KEY_WORD_LEFT }, { "1;5C", KEY_WORD_RIGHT }, { "1;3C", KEY_WORD_RIGHT },
    { "5D", KEY_WORD_LEFT },   { "5C", KEY_WORD_RIGHT },   { "3;5~", KEY_ERASE_WORD_RIGHT },
};

static enum key alt_key(unsigned char byte)
{
    switch (byte) {
    case 'b':
        return KEY_WORD_LEFT;
    case 'f':
        return KEY_WORD_RIGHT;
    case 'd':
        return KEY_ERASE_WORD_RIGHT;
    case DEL:
    case CTRL('h'):
        return KEY_ERASE_WORD;
    default:
        return KEY_NONE;
    }
}

static enum key single_byte_text(struct key_decoder *decoder, unsigned char byte)
{
    decoder->text[0] = (char)byte;
    decoder->text[1] = '\0';
    decoder->text_len = 1;
    return KEY_TEXT;
}

static enum key control_byte(struct key_decoder *decoder, unsigned char byte)
{
    if (byte == ESCAPE) {
        decoder->state = KEYS_ESCAPE;
        return KEY_NONE;
    }
    if (decoder->pasting) {
        bool second_half = byte == '\n' && decoder->after_cr;
        decoder->after_cr = byte == '\r';
        if (second_half) {
            return KEY_NONE;
        }
        if (byte == '\r' || byte == '\n') {
            return single_byte_text(decoder, '\n');
        }
    }
    if (byte == '\t') {
        return single_byte_text(decoder, ' ');
    }
    if (decoder->pasting) {
        return KEY_NONE;
    }
    for (size_t i = 0; i < sizeof control_keys / sizeof control_keys[0]; i++) {
        if (control_keys[i].byte == byte) {
            return control_keys[i].key;
        }
    }
    return KEY_NONE;
}

/* The start of a character, or a whole one. Bytes that can't start one are dropped. */
static enum key plain_byte(struct key_decoder *decoder, unsigned char byte)
{
    if (byte < 0x20 || byte == DEL) {
        return control_byte(decoder, byte);
    }
    decoder->after_cr = false;
    if (byte < 0x80) {
        return single_byte_text(decoder, byte);
    }
    decoder->text_wanted = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC2 ? 2 : 0;
    if (decoder->text_wanted == 0 || byte > 0xF4) {
        return KEY_NONE;
    }
    decoder->text[0] = (char)byte;
    decoder->text_len = 1;
    decoder->state = KEYS_UTF8;
    return KEY_NONE;
}

static enum key utf8_byte(struct key_decoder *decoder, unsigned char byte)
{
    if ((byte & 0xC0) != 0x80) { /* the character broke off: what comes now is a new one */
        decoder->state = KEYS_PLAIN;
        return plain_byte(decoder, byte);
    }
    decoder->text[decoder->text_len++] = (char)byte;
    if (decoder->text_len < decoder->text_wanted) {
        return KEY_NONE;
    }
    decoder->state = KEYS_PLAIN;
    decoder->text[decoder->text_len] = '\0';
    utf8proc_int32_t code_point;
    utf8proc_ssize_t used =
        utf8proc_iterate((const utf8proc_uint8_t *)decoder->text, (utf8proc_ssize_t)decoder->text_len, &code_point);
    /* C1 controls come from no keyboard. */
    return used > 0 && code_point >= 0xA0 ? KEY_TEXT : KEY_NONE;
}

static enum key sequence_byte(struct key_decoder *decoder, unsigned char byte)
{
    if (byte == ESCAPE) { /* it broke off */
        decoder->state = KEYS_ESCAPE;
        return KEY_NONE;
    }
    /* Too long to be one of ours: kept up to its end, with its last place taken again and again. */
    if (decoder->sequence_len == sizeof decoder->sequence - 1) {
        decoder->sequence_len--;
    }
    decoder->sequence[decoder->sequence_len++] = (char)byte;
    if (byte < 0x40 || byte > 0x7E) {
        return KEY_NONE;
    }
    decoder->sequence[decoder->sequence_len] = '\0';
    decoder->state = KEYS_PLAIN;
    if (strcmp(decoder->sequence, "200~") == 0) {
        decoder->pasting = true;
        decoder->after_cr = false;
    } else if (strcmp(decoder->sequence, "201~") == 0) {
        decoder->pasting = false;
    } else if (!decoder->pasting) {
        for (size_t i = 0; i < sizeof sequence_keys / sizeof sequence_keys[0]; i++) {
            if (strcmp(sequence_keys[i].sequence, decoder->sequence) == 0) {
                return sequence_keys[i].key;
            }
        }
    }
    return KEY_NONE;
}

enum key key_decode(struct key_decoder *decoder, unsigned char byte)
{
    switch (decoder->state) {
    case KEYS_PLAIN:
        return plain_byte(decoder, byte);
    case KEYS_UTF8:
        return utf8_byte(decoder, byte);
    case KEYS_CSI:
    case KEYS_SS3:
        return sequence_byte(decoder, byte);
    case KEYS_ESCAPE:
        break;
    }
    decoder->sequence_len = 0;
    if (byte == '[' || byte == 'O') {
        decoder->state = byte == '[' ? KEYS_CSI : KEYS_SS3;
        return KEY_NONE;
    }
    if (byte == ESCAPE) {
        return KEY_NONE;
    }
    decoder->state = KEYS_PLAIN;
    return decoder->pasting ? KEY_NONE : alt_key(byte);
}
