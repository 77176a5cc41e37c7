"""Attacks on accounts and conversations by somebody who keeps to the protocol."""
import contextlib
from functools import partial

import pytest

from interop.attack import PASSWORD, connect, fingerprint_in, read_end
from interop.client import Refused, refusal_of
from interop.proxy import Proxy
from interop.suites import CHACHA20, SUITE_NAMES, TRIPLE_DES
from support.timing import ratio_of_times


# --- Accounts --------------------------------------------------------------------------------------------------------

def test_a_wrong_password_and_an_unknown_user_get_the_same_answer_in_the_same_time(kdc, logged):
    turns = 9
    with contextlib.ExitStack() as connected:
        clients = iter([connected.enter_context(connect(kdc)) for _ in range(2 * turns)])

        def refused(name):
            assert refusal_of(partial(next(clients).login, name, "wrong password")) == "login_failed"
        ratio = ratio_of_times(partial(refused, "mallory"), partial(refused, "nobody.of.that.name"), most=turns)
    assert 0.6 < ratio < 1.7
    logged("login_failed")


def test_three_wrong_passwords_end_the_connection(kdc, logged):
    with connect(kdc) as client:
        for _ in range(3):
            assert refusal_of(partial(client.login, "mallory", "wrong password")) == "login_failed"
        assert read_end(client) == "tries"
    logged("tries")


BAD_ACCOUNTS = [
    ("name", b"", b"long enough"), ("name", b"a" * 33, b"long enough"), ("name", b"-dash", b"long enough"),
    ("name", "ünal".encode(), b"long enough"), ("name", b"two words", b"long enough"),
    ("name", b"a\0b", b"long enough"), ("name", b"a\xffb", b"long enough"),
    ("password_short", b"grace", b"1234567"), ("password_short", b"grace", b""),
    ("password_long", b"grace", b"x" * 73), ("password_long", b"grace", b"x" * 255),
    ("password_nul", b"grace", b"1234\x005678"), ("password_utf8", b"grace", b"12345678\xff"),
    ("password_utf8", b"grace", b"\xc0\xaf345678"), ("name_taken", b"ann", b"long enough"),
]


@pytest.mark.parametrize("reason, name, password", BAD_ACCOUNTS)
def test_an_account_that_may_not_be_is_refused_with_its_reason(kdc, reason, name, password):
    before = kdc.admin("user", "list").stdout
    with connect(kdc) as client:
        assert refusal_of(partial(client.register, name, password)) == reason
        # The connection goes on: the same person tries again.
        client.login("mallory", PASSWORD)
        client.ping()
    after = kdc.admin("user", "list").stdout
    assert [line.split()[:1] for line in before.splitlines()] == [line.split()[:1] for line in after.splitlines()]


@pytest.mark.parametrize("reason, name, password", [
    ("login_failed", b"-dash", b"long enough"), ("login_failed", b"", b"long enough"),
    ("login_failed", b"a" * 33, b"long enough"), ("login_failed", b"a\xffb", b"long enough"),
    ("password_short", b"ann", b"1234567"), ("password_long", b"ann", b"x" * 73),
    ("password_nul", b"ann", b"1234\x005678"), ("password_utf8", b"ann", b"12345678\xff"),
])
def test_a_login_that_cannot_be_right_says_nothing_about_names(kdc, logged, reason, name, password):
    with connect(kdc) as client:
        assert refusal_of(partial(client.login, name, password)) == reason
        # The same password with a name that nobody has: the same answer.
        assert refusal_of(partial(client.login, b"nobody.of.that.name", password)) == reason
    logged(reason)


def test_an_account_that_is_locked_or_disabled_is_told_to_its_owner_only(kdc, logged):
    kdc.admin("user", "lock", "locked")
    kdc.database.query("UPDATE users SET state = 'disabled' WHERE name = 'disabled'")
    for name in ("locked", "disabled"):
        with connect(kdc) as client:
            assert refusal_of(partial(client.login, name, "wrong password")) == "login_failed"
            assert refusal_of(partial(client.login, name, PASSWORD)) == f"account_{name}"
        logged(f"account_{name}")


# --- Conversations ---------------------------------------------------------------------------------------------------

def test_a_peer_that_cannot_be_is_refused_with_its_reason(kdc, mallory):
    kdc.admin("user", "lock", "locked")
    for peer, reason in (("mallory", "peer_is_self"), ("unknown", "no_such_user"), ("carol", "peer_offline"),
                         ("locked", "peer_locked")):
        assert refusal_of(partial(mallory.open, peer)) == reason
    mallory.ping()


def test_a_ciphertext_for_a_conversation_of_others_reaches_nobody(kdc, people, mallory):
    theirs = people.ann.conversations["ben"].number
    for conversation in (theirs, 0, 2**64 - 1):
        mallory.send_message("ciphertext", conversation=conversation, epoch=1, sequence=0, sealed=bytes(40))
        assert mallory.serve() == {"message": "undelivered", "conversation": conversation, "epoch": 1, "sequence": 0,
                                   "reason": "no_conversation"}
        assert mallory.serve() == {"message": "credit", "conversation": conversation, "bytes": 21 + 40}
    people.talk()
    mallory.ping()


def test_a_ciphertext_longer_than_a_text_can_be_is_not_delivered(kdc, mallory):
    with connect(kdc, "carol") as carol:
        number = mallory.open("carol")["conversation"]
        mallory.send_message("ciphertext", conversation=number, epoch=1, sequence=9, sealed=bytes(16442))
        mallory.wait_for(lambda: mallory.events and mallory.events[-1]["message"] == "undelivered")
        assert mallory.events[-1]["reason"] == "text_length"
        mallory.ping()
        carol.ping()
        assert not any(event.get("message") == "doesn't open" for event in carol.events)


def test_garbage_in_a_conversation_makes_the_peer_ask_for_a_new_key_and_goes_on(kdc, mallory):
    with connect(kdc, "carol") as carol:
        number = mallory.open("carol")["conversation"]
        before = mallory.conversations["carol"].epoch.number
        mallory.send_message("ciphertext", conversation=number, epoch=before, sequence=1, sealed=bytes(40))
        carol.wait_for(lambda: "mallory" in carol.conversations)
        carol.wait_for(lambda: carol.conversations["mallory"].epoch.number == before + 1)
        mallory.wait_for(lambda: mallory.conversations["carol"].epoch.number == before + 1)
        mallory.send_text("carol", "well again", wait=False)
        assert carol.receive() == [("mallory", "well again")]


UNREADABLE = {"an unknown kind": b"\x09", "kind 0": b"\0", "a text that isn't UTF-8": b"\x02" + bytes(16) + b"\xff\xfe",
              "an empty text": b"\x02" + bytes(16), "a confirm with more": b"\x01\x01",
              "a receipt of nothing that was sent": b"\x03" + b"\xff" * 16, "a receipt cut short": b"\x03" + bytes(15)}


def test_what_a_dishonest_peer_seals_does_not_stop_kdc_chat(kdc, person, mallory):
    carol = person(kdc, "carol", account=False)
    with pytest.raises(Refused, match="peer_offline"):
        mallory.open("carol")
    listening = carol.start("listen", "--json", "--count", "2", "--timeout", "20")
    mallory.wait_for(lambda: mallory.events)
    for number, unreadable in enumerate(UNREADABLE.values()):
        mallory.open("carol")
        mallory.send_message("ciphertext", **mallory.conversations["carol"].seal(unreadable))
        if number == 0:
            mallory.send_text("carol", "first", wait=False)
    mallory.send_text("carol", "second", wait=False)
    mallory.flush("carol")
    assert [line["text"] for line in carol.finish_json(listening)] == ["first", "second"]


@pytest.mark.slow
def test_a_peer_that_floods_ends_who_does_not_read_and_nobody_else(kdc, people, logged, mallory):
    with connect(kdc, "carol") as carol:
        mallory.timeout = 60  # she is held until carol has gone
        carol.name = None
        number = mallory.open("carol")["conversation"]
        left = {"message": "presence", "name": "carol", "presence": "offline"}
        for sent in range(4000):
            mallory.send_message("ciphertext", conversation=number, epoch=1, sequence=sent, sealed=bytes(16000))
            if sent % 50 == 0:
                mallory.ping()
                if left in mallory.events:
                    break
            if sent % 200 == 0:
                people.talk()
        assert left in mallory.events
    logged("slow_reader")


def test_too_many_conversations_are_refused(kdc, logged):
    with connect(kdc, "mallory") as mallory, connect(kdc, "carol"), connect(kdc, "dave"), connect(kdc, "erin"), \
            connect(kdc, "frank"):
        for peer in ("carol", "dave", "erin"):
            mallory.open(peer)
        assert refusal_of(partial(mallory.open, "frank")) == "too_many"
        # Those that are there go on.
        mallory.open("carol")


def test_who_was_taken_over_is_told_and_does_nothing_more(kdc, logged):
    with connect(kdc, "carol") as older, connect(kdc, "carol") as newer:
        assert read_end(older) == "taken_over"
        older.name = None
        newer.ping()
    logged("taken_over")


@pytest.mark.parametrize("suite", [CHACHA20, TRIPLE_DES], ids=SUITE_NAMES.get)
def test_the_wire_shows_neither_names_nor_password_nor_text(kdc, person, suite):
    password = "an unusual passphrase"
    names = ["recorded.sender", "recorded.listener"]
    for name in names:
        if name not in kdc.admin("user", "list").stdout:
            kdc.add_user(name, password)
    sender, listener = (person(kdc, name, password, account=False) for name in names)
    text = "what nobody else may read, twice encrypted"
    begin = len(kdc.log())
    with Proxy(kdc.server) as proxy:
        through = ["--server", proxy.server, "--suite", SUITE_NAMES[suite]]
        listening = listener.start(*through, "listen", "--json", "--count", "1", "--timeout", "20")
        kdc.wait_log(r"logged in user=recorded\.listener", since=begin)
        sender.run(*through, "send", names[1], text, check=0)
        assert [line["text"] for line in listener.finish_json(listening)] == [text]
        wire = [bytes(part) for part in proxy.from_clients + proxy.from_kdc]
    assert len(wire) == 4 and all(len(part) > 500 for part in wire)
    for secret in [text, password, *names, "recorded"]:
        for part in wire:
            assert secret.encode() not in part
            assert secret.encode("utf-16-le") not in part
    # What it does show: that is how we know that we looked at the right bytes.
    identity = kdc.admin("identity", "show", "--fingerprint").stdout.strip()
    assert any(fingerprint_in(part) == identity for part in wire)
