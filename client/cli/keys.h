/*
 * keys.h: what a terminal sends, as keys. Bytes in, keys out, no I/O. Understands UTF-8, the usual control characters,
 * the cursor keys of ANSI terminals, Alt (Esc and a character), and bracketed paste, in which a newline is text.
 */
#ifndef CLIENT_CLI_KEYS_H
#define CLIENT_CLI_KEYS_H

#include <stdbool.h>
#include <stddef.h>

enum key {
    KEY_NONE, /* nothing yet, or a key that means nothing here */
    KEY_TEXT, /* text and text_len of the decoder: one character, a blank for a tab; a newline only from a paste */
    KEY_ENTER,
    KEY_LEFT,
    KEY_RIGHT,
    KEY_WORD_LEFT,
    KEY_WORD_RIGHT,
    KEY_HOME,
    KEY_END,
    KEY_UP,
    KEY_DOWN,
    KEY_BACKSPACE,
    KEY_DELETE,
    KEY_ERASE_TO_START,
    KEY_ERASE_TO_END,
    KEY_ERASE_WORD,
    KEY_ERASE_WORD_RIGHT,
    KEY_YANK,
    KEY_CLEAR_SCREEN,
    KEY_CTRL_D, /* the end of input on an empty line, else delete */
    KEY_CTRL_C,
    KEY_CTRL_Z,
};

struct key_decoder {
    enum { KEYS_PLAIN, KEYS_ESCAPE, KEYS_CSI, KEYS_SS3, KEYS_UTF8 } state;
    char text[5];
    size_t text_len;
    size_t text_wanted;
    char sequence[16]; /* the parameters of a control sequence */
    size_t sequence_len;
    bool pasting;
    bool after_cr; /* CR LF in a paste is one newline */
};

/* All zero is a decoder's start. Takes one byte; most bytes give no key. */
enum key key_decode(struct key_decoder *decoder, unsigned char byte);

#endif
