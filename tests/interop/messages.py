"""What is inside of records and of ciphertexts, to and from bytes: docs/protocol.md 1, 5.3, 6 and 7.

A message is a dict of its fields, and "message": its name. So is a content, with "content"."""
import re

REASONS = dict(enumerate((
    "none malformed out_of_order too_long version group suite public_value confirm record deadline busy unavailable "
    "login_failed tries name password_short password_long password_nul password_utf8 name_taken account_locked "
    "account_disabled account_pending registration_closed no_such_user peer_offline peer_is_self peer_locked "
    "no_conversation text_length too_many taken_over shutting_down kicked silent slow_reader internal "
    "must_change password_common password_reused account_expired invitation email email_taken phone phone_taken code "
    "code_expired penalty new_password account_renamed account_deleted").split()))
REASON_NUMBERS = {name: number for number, name in REASONS.items()}

NAME = re.compile(rb"[a-z0-9][a-z0-9._-]{0,31}")


class Malformed(Exception):
    """Bytes that no encoder produces."""


class Reader:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, count):
        if len(self.data) - self.at < count:
            raise Malformed("too short")
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, size):
        return int.from_bytes(self.take(size), "big")

    def vector(self, size, least, most):
        length = self.number(size)
        if not least <= length <= most:
            raise Malformed(f"a vector of {length} bytes")
        return self.take(length)

    def rest(self, least, most):
        data = self.take(len(self.data) - self.at)
        if not least <= len(data) <= most:
            raise Malformed(f"{len(data)} bytes are left")
        return data

    def end(self):
        if self.at != len(self.data):
            raise Malformed("bytes are left over")


# --- Fields: kind -> (to bytes, from a Reader) --------------------------------------------------------------------

def number_field(size):
    return lambda value: value.to_bytes(size, "big"), lambda reader: reader.number(size)


def one_of(size, names):
    numbers = {name: number for number, name in names.items()}

    def decode(reader):
        number = reader.number(size)
        if number not in names:
            raise Malformed(f"unknown number {number}")
        return names[number]
    return lambda name: (numbers[name] if isinstance(name, str) else name).to_bytes(size, "big"), decode


def vector_field(size, least, most):
    return lambda value: len(value).to_bytes(size, "big") + value, lambda reader: reader.vector(size, least, most)


def rest_field(least, most):
    return lambda value: value, lambda reader: reader.rest(least, most)


def encode_name(name):
    raw = name if isinstance(name, bytes) else name.encode()
    return bytes([len(raw)]) + raw


def decode_name(reader):
    raw = reader.vector(1, 1, 32)
    if not NAME.fullmatch(raw):
        raise Malformed(f"a name like {raw!r}")
    return raw.decode()


def encode_after(name):
    return b"\0" if name is None else b"\1" + encode_name(name)


def decode_after(reader):
    has_after = reader.number(1)
    if has_after > 1:
        raise Malformed("has_after")
    return decode_name(reader) if has_after else None


def encode_names(names):
    encoded = [encode_name(name) + since.to_bytes(8, "big") for name, since in names]
    return len(names).to_bytes(2, "big") + b"".join(encoded)


def decode_names(reader):
    count = reader.number(2)
    if count > 1000:
        raise Malformed(f"a list of {count} names")
    names = [(decode_name(reader), reader.number(8)) for _ in range(count)]
    if any(one[0] >= next_one[0] for one, next_one in zip(names, names[1:])):
        raise Malformed("names that don't ascend")
    return names


U8, U16, U32, U64 = map(number_field, (1, 2, 4, 8))
NAME_FIELD = encode_name, decode_name
REASON = one_of(1, REASONS)
CAUSE = one_of(1, {number: name for number, name in REASONS.items() if number})
PRESENCE = one_of(1, {0: "offline", 1: "online"})
FLAG = one_of(1, {0: False, 1: True})
LOOSE = vector_field(1, 0, 255)

MESSAGES = {
    16: ("login", (("name", LOOSE), ("password", LOOSE))),
    17: ("register", (("name", LOOSE), ("password", LOOSE), ("code", vector_field(1, 0, 64)),
                      ("email", vector_field(1, 0, 254)), ("phone", vector_field(1, 0, 32)))),
    18: ("welcome", (("session", U64), ("time", U64), ("name", NAME_FIELD), ("rekey_messages", U32),
                     ("rekey_seconds", U32), ("ping_seconds", U16), ("ticket_seconds", U32),
                     ("ticket", vector_field(2, 0, 512)))),
    19: ("refused", (("request", U32), ("reason", CAUSE), ("retry_after", U32))),
    20: ("open", (("request", U32), ("peer", NAME_FIELD))),
    21: ("grant", (("request", U32), ("conversation", U64), ("epoch", U32), ("a", NAME_FIELD), ("b", NAME_FIELD),
                   ("session_a", U64), ("session_b", U64), ("suite", U16), ("time", U64),
                   ("key", vector_field(1, 24, 32)))),
    22: ("ciphertext", (("conversation", U64), ("epoch", U32), ("sequence", U64), ("sealed", rest_field(17, 65536)))),
    23: ("undelivered", (("conversation", U64), ("epoch", U32), ("sequence", U64), ("reason", CAUSE))),
    24: ("presence", (("name", NAME_FIELD), ("presence", PRESENCE))),
    25: ("list", (("request", U32), ("after", (encode_after, decode_after)))),
    26: ("list_reply", (("request", U32), ("more", FLAG), ("names", (encode_names, decode_names)))),
    27: ("who", (("request", U32), ("name", NAME_FIELD))),
    28: ("who_reply", (("request", U32), ("name", NAME_FIELD), ("presence", PRESENCE), ("since", U64))),
    29: ("ping", (("token", U64),)),
    30: ("pong", (("token", U64),)),
    31: ("close", (("reason", REASON),)),
    32: ("credit", (("conversation", U64), ("bytes", U32))),
    33: ("activate", (("name", LOOSE), ("password", LOOSE), ("code", vector_field(1, 0, 64)))),
    34: ("change_password", (("request", U32), ("old", LOOSE), ("new", LOOSE))),
    35: ("password_changed", (("request", U32), ("ticket_seconds", U32), ("ticket", vector_field(2, 0, 512)))),
    36: ("login_changing", (("name", LOOSE), ("password", LOOSE), ("new", LOOSE))),
    37: ("deactivate", (("request", U32), ("code", vector_field(1, 0, 64)))),
    38: ("code_mailed", (("request", U32),)),
}
CONTENTS = {
    1: ("confirm", ()),
    2: ("text", (("instance", U64), ("number", U64), ("text", rest_field(1, 16384)))),
    3: ("received", (("instance", U64), ("number", U64))),
}
FROM_THE_KDC = {"welcome", "refused", "grant", "ciphertext", "undelivered", "presence", "list_reply", "who_reply",
                "pong", "close", "credit", "code_mailed", "password_changed"}


def _encode(table, name, fields):
    number, layout = next((number, layout) for number, (known, layout) in table.items() if known == name)
    assert set(fields) == {field for field, _ in layout}, f"{name} has the fields {[field for field, _ in layout]}"
    return bytes([number]) + b"".join(encode(fields[field]) for field, (encode, _) in layout)


def _decode(table, data, kind):
    reader = Reader(data)
    number = reader.number(1)
    if number not in table:
        raise Malformed(f"unknown type {number}")
    name, layout = table[number]
    decoded = {kind: name, **{field: decode(reader) for field, (_, decode) in layout}}
    reader.end()
    return decoded


def encode_message(name, /, **fields):
    return _encode(MESSAGES, name, fields)


def decode_message(data):
    message = _decode(MESSAGES, data, "message")
    if message["message"] == "welcome" and bool(message["ticket"]) != bool(message["ticket_seconds"]):
        raise Malformed("a ticket without its time, or a time without its ticket")
    if message["message"] == "credit" and message["bytes"] == 0:
        raise Malformed("a credit of nothing")
    return message


def encode_content(name, /, **fields):
    return _encode(CONTENTS, name, fields)


def decode_content(data):
    content = _decode(CONTENTS, data, "content")
    if content["content"] == "text":
        try:
            content["text"].decode()
        except UnicodeDecodeError as error:
            raise Malformed("a text that isn't UTF-8") from error
    return content
