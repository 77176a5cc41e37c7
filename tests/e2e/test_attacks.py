"""Everything bad that can be sent to kdcd. Two people talk all along, and each attack's cause is in the log."""
import socket
import statistics
import threading
import time
from functools import partial

import pytest

from interop import attack
from interop.attack import HELLO_GROUP, PASSWORD, answer_to, connect, hello, read_alert, read_end
from interop.client import Client, Closed, Connection, Refused
from interop.messages import MESSAGES, encode_message
from interop.protocol import CLIENT_HELLO, TOGETHER_MAX, Alerted, ClientHandshake, ProtocolError, frame
from interop.proxy import Proxy
from interop.suites import AES_GCM, CHACHA20, SUITE_NAMES, TRIPLE_DES, DoesNotOpen
from support.kdcd import Database, Kdcd
from support.programs import SLOWER

DEADLINE = 3


@pytest.fixture(scope="module")
def kdc(mariadb, new_folder):
    """One for all of these tests: none of them may do it harm."""
    database = Database(mariadb, new_folder())
    daemon = Kdcd(database, new_folder(), limits={
        "handshake_deadline": DEADLINE * SLOWER, "login_deadline": 6 * SLOWER, "connections_per_source": 2000,
        "conversations": 3}, log={"refusals": 100000}, threads={"reactors": 2, "workers": 2})
    daemon.start()
    daemon.known_fingerprint = daemon.fingerprint
    for name in ("mallory", "carol", "dave", "erin", "frank", "locked", "disabled"):
        daemon.add_user(name)
    yield daemon
    daemon.stop()
    database.drop()


@pytest.fixture(scope="module")
def people(kdc):
    two = attack.TwoPeople(kdc)
    yield two
    two.leave()


@pytest.fixture(autouse=True)
def undisturbed(kdc, people):
    """After each attack the two who were there all along still talk."""
    people.talk()
    yield
    people.talk()


@pytest.fixture
def logged(kdc):
    """logged("public_value"): since the test began the log names this cause, or one of a|b."""
    begin = len(kdc.log())
    return lambda cause: kdc.wait_log(rf"reason=({cause})\b", since=begin)


@pytest.fixture
def mallory(kdc):
    with connect(kdc, "mallory") as client:
        yield client
        client.name = None


# --- Handshake ---------------------------------------------------------------------------------------------------

PUBLIC_VALUES = {
    "0": 0, "1": 1, "p - 1": HELLO_GROUP.p - 1, "p": HELLO_GROUP.p, "p + 1": HELLO_GROUP.p + 1,
    "all bits set": 2**3072 - 1,
}


@pytest.mark.parametrize("name", PUBLIC_VALUES)
def test_a_public_value_out_of_range_is_refused(kdc, logged, name):
    public = PUBLIC_VALUES[name].to_bytes(HELLO_GROUP.length, "big")
    assert answer_to(kdc, hello(public=public)) == "public_value"
    logged("public_value")


@pytest.mark.parametrize("length", [1, 256, 383, 385, 512, 1024])
def test_a_public_value_of_the_wrong_length_is_refused(kdc, logged, length):
    assert answer_to(kdc, hello(public=b"\x05" * length)) == "public_value"
    logged("public_value")


@pytest.mark.parametrize("group", [0x0100, 0x0104, 0x0105, 0x0000, 0xffff, 23])
def test_a_group_that_is_unknown_or_outside_of_the_policy_twice_is_refused(kdc, logged, group):
    with Connection(kdc.server) as connection:
        connection.send(hello(group=group))
        retry = connection.read_frame()
        assert retry == frame(bytes([2, 2]) + (0x0101).to_bytes(2, "big") + (0x0102).to_bytes(2, "big"))
        connection.send(hello(group=group))
        assert read_alert(connection) == "group"
    logged("group")


@pytest.mark.parametrize("suites", [(0,), (4,), (0xffff, 77)])
def test_unknown_suites_alone_are_refused(kdc, logged, suites):
    assert answer_to(kdc, hello(suites=suites)) == "suite"
    logged("suite")


def test_unknown_suites_beside_a_known_one_are_passed_over(kdc):
    shake = ClientHandshake(suites=[99, AES_GCM, 0xffff])
    with Connection(kdc.server) as connection:
        connection.send(shake.hello())
        shake.take(connection.read_frame())
    assert shake.suite == AES_GCM


@pytest.mark.parametrize("version", [0, 2, 0xffff])
def test_another_version_is_refused_whatever_follows(kdc, logged, version):
    assert answer_to(kdc, hello(version=version)) == "version"
    assert answer_to(kdc, frame(b"\x01" + version.to_bytes(2, "big") + b"of another shape")) == "version"
    logged("version")


WHOLE = hello()
MALFORMED_HELLOS = {
    "no suites": hello(suites=()),
    "nine suites": hello(suites=range(1, 10)),
    "a suite twice": hello(suites=(2, 3, 2)),
    "an empty public value": hello(public=b""),
    "a public value of 1025 bytes": hello(public=b"\x05" * 1025),
    "a byte too many": frame(WHOLE[4:] + b"\0"),
    "a byte too few": frame(WHOLE[4:-1]),
    "only a type": frame(b"\x01"),
}


@pytest.mark.parametrize("name", MALFORMED_HELLOS)
def test_a_malformed_hello_is_refused(kdc, logged, name):
    assert answer_to(kdc, MALFORMED_HELLOS[name]) == "malformed"
    logged("malformed")


MISPLACED = {"hello_retry": frame(b"\x02\x01\x01\x01"), "server_hello": frame(b"\x03" + bytes(500)),
             "client_finish": frame(b"\x04" + bytes(64)), "type 0": frame(b"\0"), "type 200": frame(b"\xc8abc"),
             "a login in the open": frame(encode_message("login", name=b"ann", password=PASSWORD.encode()))}


@pytest.mark.parametrize("name", MISPLACED)
def test_a_plain_frame_out_of_its_place_is_refused(kdc, logged, name):
    assert answer_to(kdc, MISPLACED[name]) == "out_of_order", "as the first"
    if name != "client_finish":
        assert answer_to(kdc, hello(), MISPLACED[name]) == "out_of_order", "as the second"
    logged("out_of_order")


def test_a_second_hello_without_a_retry_is_refused(kdc, logged):
    assert answer_to(kdc, hello(), hello()) == "out_of_order"
    logged("out_of_order")


def test_a_wrong_confirm_is_refused(kdc, logged):
    with Connection(kdc.server) as connection:
        connection.send(hello())
        connection.read_frame()
        connection.send(frame(b"\x04" + bytes(64)))
        assert read_alert(connection) == "confirm"
    logged("confirm")


@pytest.mark.parametrize("length", [0, 16385, 65537, 0xffffffff])
def test_a_length_out_of_bounds_ends_the_connection_at_once(kdc, logged, length):
    begin = time.monotonic()
    assert answer_to(kdc, length.to_bytes(4, "big")) in ("too_long", "malformed")
    assert time.monotonic() - begin < DEADLINE * SLOWER / 2
    logged("too_long|malformed")


def attempt(kdc, flip_hello=None, flip_finish=None):
    """A whole login with bytes flipped on the way. Returns whether it got in."""
    with Client(kdc.server, handshake=False, timeout=3 * DEADLINE * SLOWER) as client:
        try:
            client.send(flipped(client.shake.hello(), flip_hello))
            following = client.shake.take(client.read_frame())
            if not client.shake.done:
                client.send(following)
                following = client.shake.take(client.read_frame())
            client.send(flipped(following, flip_finish))
            client.begin_records()
            client.login("mallory", PASSWORD)
            client.name = None
            return True
        except (ProtocolError, Alerted, Closed, DoesNotOpen):
            return False


def flipped(data, position, bit=0x10):
    if position is None:
        return data
    changed = bytearray(data)
    changed[position] ^= bit
    return bytes(changed)


def test_the_attempt_without_a_flipped_byte_gets_in(kdc):
    assert attempt(kdc)


HELLO_SIZE = len(ClientHandshake().hello())


@pytest.mark.parametrize("position", [0, 2, 3, 4, 5, 6, 7, 38, 39, 40, 41, 42, 43, 200, HELLO_SIZE - 7,
                                      HELLO_SIZE - 5, HELLO_SIZE - 1])
def test_no_byte_of_the_hello_can_be_flipped(kdc, position):
    assert not attempt(kdc, flip_hello=position)


@pytest.mark.parametrize("position", [0, 2, 3, 4, 5, 36, 68])
def test_no_byte_of_the_finish_can_be_flipped(kdc, logged, position):
    assert not attempt(kdc, flip_finish=position)
    logged("confirm|too_long|out_of_order|malformed|deadline")


# A server_hello: length, type, version, random, suite, resumed, length of y, y, identity, signature, confirm.
SERVER_HELLO_PARTS = {"type": 4, "version": 6, "random": 10, "suite": 40, "resumed": 41, "length of y": 42, "y": 100,
                      "identity": 44 + 384 + 3, "signature": 44 + 384 + 40, "confirm": 44 + 384 + 100}


@pytest.mark.parametrize("part", SERVER_HELLO_PARTS)
def test_kdc_chat_says_nothing_more_when_a_byte_of_the_server_hello_was_flipped(kdc, person, part):
    carol = person(kdc, "carol", account=False)

    def change(from_client, before, data):
        at = SERVER_HELLO_PARTS[part] - before
        return flipped(data, at) if not from_client and 0 <= at < len(data) else data
    with Proxy(kdc.server, change) as proxy:
        done = carol.run("--server", proxy.server, "list")
        assert done.returncode != 0
        assert done.stderr
        assert proxy.from_clients
        for sent in proxy.from_clients:
            assert_hello_and_alert_only(sent)


def assert_hello_and_alert_only(sent):
    size = 4 + int.from_bytes(sent[:4], "big")
    assert sent[4] == CLIENT_HELLO
    rest = bytes(sent[size:])
    assert rest == b"" or (len(rest) == 10 and rest[:5] == b"\0\0\0\x06\x05")


def test_kdc_chat_says_nothing_more_to_another_kdc_than_the_known_one(kdc, person):
    carol = person(kdc, "carol", account=False, pin=False)
    with Proxy(kdc.server) as proxy:
        done = carol.run("--server", proxy.server, "--fingerprint", "SHA256:" + "A" * 43, "list")
        assert done.returncode != 0
        assert kdc.known_fingerprint in done.stderr
        for sent in proxy.from_clients:
            assert_hello_and_alert_only(sent)


# --- Records -----------------------------------------------------------------------------------------------------

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


@pytest.mark.parametrize("plain", [WHOLE, frame(b"\x04" + bytes(64)), frame(encode_message("ping", token=1)),
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


# --- Messages ----------------------------------------------------------------------------------------------------

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


# --- Time --------------------------------------------------------------------------------------------------------

def test_a_connection_that_says_nothing_is_closed_at_the_deadline(kdc, logged):
    begin = time.monotonic()
    assert answer_to(kdc, timeout=3 * DEADLINE * SLOWER) == "deadline"
    assert DEADLINE * SLOWER * 0.8 < time.monotonic() - begin < DEADLINE * SLOWER + 2
    logged("deadline")


def test_a_byte_a_second_does_not_move_the_deadline(kdc, logged):
    begin = time.monotonic()
    with Connection(kdc.server) as connection:
        ended = threading.Event()

        def drip():
            for byte in WHOLE:
                connection.send(bytes([byte]))
                if ended.wait(1):
                    return
        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        try:
            assert read_alert(connection) in ("deadline", None)
        finally:
            ended.set()
            thread.join()
    assert time.monotonic() - begin < DEADLINE * SLOWER + 2
    logged("deadline")


@pytest.mark.slow
def test_a_session_without_a_login_is_closed_at_its_deadline(kdc, logged):
    begin = time.monotonic()
    with connect(kdc) as client:
        assert read_end(client) == "deadline"
    assert 4 * SLOWER < time.monotonic() - begin < 6 * SLOWER + 3
    logged("deadline")


def test_half_handshakes_by_the_hundred_disturb_nobody(kdc, people, logged):
    prepared = hello()
    halves = []
    try:
        for number in range(300):
            connection = Connection(kdc.server)
            halves.append(connection)
            connection.send(prepared if number % 3 else prepared[:50])
            if number % 20 == 0:
                people.talk()
        slowest = 0
        for _ in range(20):
            begin = time.monotonic()
            people.talk()
            slowest = max(slowest, time.monotonic() - begin)
        assert slowest < 2 * SLOWER
        logged("deadline")
    finally:
        for connection in halves:
            connection.socket.close()


# --- Accounts ----------------------------------------------------------------------------------------------------

def refusal_of(action):
    with pytest.raises(Refused) as refused:
        action()
    return refused.value.reason


def test_a_wrong_password_and_an_unknown_user_get_the_same_answer_in_the_same_time(kdc, logged):
    taken = {"mallory": [], "nobody.of.that.name": []}
    for _ in range(9):
        for name, times in taken.items():
            with connect(kdc) as client:
                begin = time.perf_counter()
                assert refusal_of(partial(client.login, name, "wrong password")) == "login_failed"
                times.append(time.perf_counter() - begin)
    known, unknown = (statistics.median(times) for times in taken.values())
    assert 0.6 < known / unknown < 1.7, f"medians of {known} and {unknown} s"
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


# --- Conversations -----------------------------------------------------------------------------------------------

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
    listening = carol.start("listen", "--json", "--count", "2", "--timeout", "20")
    with pytest.raises(Refused, match="peer_offline"):
        mallory.open("carol")
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
    assert any(attack.fingerprint_in(part) == identity for part in wire)
