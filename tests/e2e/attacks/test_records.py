"""Attacks by records, and by what isn't one."""
import socket

import pytest

from interop.attack import connect, flipped, hello, read_end
from interop.client import Closed
from interop.messages import encode_message
from interop.protocol import TOGETHER_MAX, frame
from interop.suites import SUITE_NAMES


def ping_record(client, token=7):
    return client.sending.seal(encode_message("ping", token=token))


@pytest.mark.parametrize("suite", SUITE_NAMES, ids=SUITE_NAMES.get)
def test_no_byte_of_a_record_can_be_flipped(kdc, logged, suite):
    size = 0
    position = 0
    while position == 0 or position < size:
        with connect(kdc, "mallory", suites=[suite]) as client:
            client.name = None
            record = ping_record(client)
            size = len(record)
            client.send(flipped(record, position, 0x01))
            # A length that became larger waits for more: here it comes.
            if position < 4:
                client.send(bytes(1 << 9))
            if position in (0, 1):
                client.send(bytes(1 << 17))
            assert read_end(client) in (None, "too_long")
        position += 1 if position < 6 else 7
    logged("record")
    logged("too_long")


@pytest.mark.parametrize("suite", SUITE_NAMES, ids=SUITE_NAMES.get)
@pytest.mark.parametrize("how", ["replayed", "dropped", "reordered", "cut short", "made longer"])
def test_records_that_are_not_as_they_were_sent_end_the_connection(kdc, logged, suite, how):
    with connect(kdc, "mallory", suites=[suite]) as client:
        client.name = None
        first, second = ping_record(client, 1), ping_record(client, 2)
        if how == "replayed":
            client.send(first)
            assert client.read_message() == {"message": "pong", "token": 1}
        client.send({"replayed": first, "dropped": second, "reordered": second + first,
                     "cut short": frame(first[4:-1]), "made longer": frame(first[4:] + b"\0")}[how])
        with pytest.raises(Closed) as closed:
            client.read_message()
        assert closed.value.reason is None
    logged("record")


def test_a_record_that_ends_in_its_middle_is_a_cut_connection(kdc, logged, mallory):
    mallory.send(ping_record(mallory)[:-5])
    mallory.socket.shutdown(socket.SHUT_WR)
    assert read_end(mallory) is None
    logged("cut")


PING = encode_message("ping", token=7)
NO_MESSAGES = {
    "nothing": b"", "half a length": bytes(3), "a length without a message": bytes([0, 0, 0, 9]),
    "half a message": frame(PING)[:-1], "an empty message": frame(b""), "a message as it is, without its length": PING,
    "more than its length says": frame(PING) + b"\0", "a length over the end": frame(PING) + b"\0\0\0\x0a" + PING,
    "an empty message behind one": frame(PING) + frame(b""), "a huge length": b"\xff" * 4 + PING,
    "several in too long a record": frame(PING) * (TOGETHER_MAX // len(frame(PING)) + 1),
}


@pytest.mark.parametrize("name", NO_MESSAGES)
def test_a_record_that_is_not_messages_alone_ends_the_session(kdc, logged, mallory, name):
    mallory.send(mallory.sending.seal_plaintext(NO_MESSAGES[name]))
    assert read_end(mallory) == "malformed"
    logged("malformed")


@pytest.mark.parametrize("suite", SUITE_NAMES, ids=SUITE_NAMES.get)
def test_of_a_changed_record_no_message_is_answered(kdc, logged, suite):
    with connect(kdc, "mallory", suites=[suite]) as client:
        client.name = None
        record = client.sending.seal(PING, PING, PING)
        client.send(flipped(record, len(record) - 1, 0x80))
        with pytest.raises(Closed) as closed:
            client.read_message()
        assert closed.value.reason is None
    logged("record")


def test_behind_a_close_in_its_record_nothing_is_answered(kdc, mallory):
    mallory.send(mallory.sending.seal(PING, encode_message("close", reason="none"), PING, bytes(10)))
    assert mallory.read_message() == {"message": "pong", "token": 7}
    assert read_end(mallory) is None


@pytest.mark.parametrize("plain", [hello(), frame(b"\x04" + bytes(64)), frame(encode_message("ping", token=1)),
                                   frame(b"\x05\x01\0\0\0\0"), frame(b"\0")],
                         ids=["client_hello", "client_finish", "ping", "alert", "one byte"])
def test_a_plain_frame_after_the_handshake_ends_the_connection(kdc, logged, mallory, plain):
    mallory.send(plain)
    assert read_end(mallory) is None
    logged("record")


@pytest.mark.parametrize("length", [0, 65537, 1 << 20, 0xffffffff])
def test_a_length_over_the_limit_after_login_ends_the_connection(kdc, logged, mallory, length):
    mallory.send(length.to_bytes(4, "big"))
    assert read_end(mallory) in (None, "too_long", "malformed")
    logged("too_long|malformed")


def test_before_login_the_smaller_limit_counts(kdc, logged):
    with connect(kdc) as client:
        client.send((16385).to_bytes(4, "big"))
        assert read_end(client) in (None, "too_long")
    logged("too_long")
