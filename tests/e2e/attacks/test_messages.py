"""Attacks by messages: out of their place, or malformed."""
import pytest

from interop.attack import connect, read_end
from interop.messages import MESSAGES, encode_message


FIELDS = {
    "login": {"name": b"ann", "password": b"correct horse"},
    "register": {"name": b"new", "password": b"12345678", "code": b"", "email": b"", "phone": b""},
    "activate": {"name": b"new", "password": b"12345678", "code": b""},
    "login_changing": {"name": b"ann", "password": b"correct horse", "new": b"battery staple"},
    "change_password": {"request": 1, "old": b"correct horse", "new": b"battery staple"},
    "password_changed": {"request": 1, "ticket_seconds": 0, "ticket": b""},
    "deactivate": {"request": 1, "code": b""}, "code_mailed": {"request": 1},
    "welcome": {"session": 1, "time": 1, "name": "ann", "rekey_messages": 1, "rekey_seconds": 1, "ping_seconds": 1,
                "ticket_seconds": 1, "ticket": b"a ticket"},
    "refused": {"request": 0, "reason": "busy", "retry_after": 0}, "open": {"request": 1, "peer": "ann"},
    "grant": {"request": 0, "conversation": 1, "epoch": 9, "a": "ann", "b": "ben", "session_a": 1, "session_b": 2,
              "suite": 2, "time": 1, "key": bytes(32)},
    "ciphertext": {"conversation": 1, "epoch": 1, "sequence": 0, "sealed": bytes(40)},
    "undelivered": {"conversation": 1, "epoch": 1, "sequence": 0, "reason": "peer_offline"},
    "presence": {"name": "ann", "presence": "offline"}, "list": {"request": 1, "after": None},
    "list_reply": {"request": 1, "more": False, "names": []}, "who": {"request": 1, "name": "ann"},
    "who_reply": {"request": 1, "name": "ann", "presence": "online", "since": 1}, "ping": {"token": 1},
    "pong": {"token": 1}, "close": {"reason": "none"}, "credit": {"conversation": 1, "bytes": 1},
}
assert set(FIELDS) == {name for name, _ in MESSAGES.values()}
BEFORE_LOGIN = {"login", "register", "activate", "login_changing", "close"}
AFTER_LOGIN = {"open", "ciphertext", "list", "who", "ping", "close", "change_password", "deactivate"}


@pytest.mark.parametrize("name", sorted(set(FIELDS) - BEFORE_LOGIN))
def test_a_message_that_has_no_place_before_login_ends_the_connection(kdc, logged, name):
    with connect(kdc) as client:
        client.send_message(name, **FIELDS[name])
        assert read_end(client) == "out_of_order"
    logged("out_of_order")


@pytest.mark.parametrize("name", sorted(set(FIELDS) - AFTER_LOGIN))
def test_a_message_that_has_no_place_after_login_ends_the_session(kdc, logged, mallory, name):
    mallory.send_message(name, **FIELDS[name])
    assert read_end(mallory) == "out_of_order"
    logged("out_of_order")


@pytest.mark.parametrize("kind", [0, 1, 15, 39, 255])
def test_a_message_of_an_unknown_type_ends_the_session(kdc, logged, mallory, kind):
    mallory.send(mallory.sending.seal(bytes([kind]) + bytes(20)))
    assert read_end(mallory) == "out_of_order"
    logged("out_of_order")


def test_a_second_login_before_the_answer_to_the_first_is_out_of_order(kdc, logged):
    with connect(kdc) as client:
        login = encode_message("login", name=b"mallory", password=b"wrong password")
        client.send(client.sending.seal(login) + client.sending.seal(login))
        assert read_end(client) == "out_of_order"
    logged("out_of_order")
    with connect(kdc) as client:
        client.send(client.sending.seal(login, login))
        assert read_end(client) == "out_of_order"


def test_a_request_number_that_is_still_unanswered_may_not_be_used_again(kdc, logged, mallory):
    request = encode_message("open", request=9, peer="nobody")
    mallory.send(mallory.sending.seal(request) + mallory.sending.seal(request))
    assert read_end(mallory) == "out_of_order"
    logged("out_of_order")


MALFORMED_MESSAGES = {
    "too short": encode_message("ping", token=1)[:-1],
    "too long": encode_message("ping", token=1) + b"\0",
    "a request 0": encode_message("who", request=0, name="ann"),
    "a name with capitals": encode_message("open", request=1, peer=b"Ann"),
    "an empty name": encode_message("open", request=1, peer=b""),
    "a name of 33 bytes": encode_message("open", request=1, peer=b"a" * 33),
    "a name that begins with a dot": encode_message("open", request=1, peer=b".ann"),
    "a sealed of 16 bytes": encode_message("ciphertext", conversation=1, epoch=1, sequence=0, sealed=bytes(16)),
    "has_after 2": b"\x19\0\0\0\x01\x02", "an unknown reason": b"\x1f\xff",
}


@pytest.mark.parametrize("name", MALFORMED_MESSAGES)
def test_a_malformed_message_ends_the_session(kdc, logged, mallory, name):
    mallory.send(mallory.sending.seal(MALFORMED_MESSAGES[name]))
    assert read_end(mallory) == "malformed"
    logged("malformed")
