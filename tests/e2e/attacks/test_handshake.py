"""Attacks on the handshake."""
import pytest

from interop.attack import DEADLINE, HELLO_GROUP, PASSWORD, answer_to, flipped, hello, read_alert
from interop.client import Client, Closed, Connection
from interop.messages import encode_message
from interop.protocol import CLIENT_HELLO, Alerted, ClientHandshake, ProtocolError, frame
from interop.proxy import Proxy
from interop.suites import AES_GCM, DoesNotOpen
from support.programs import SLOWER
from support.timing import clock


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
    begin = clock()
    assert answer_to(kdc, length.to_bytes(4, "big")) in ("too_long", "malformed")
    assert clock() - begin < DEADLINE * SLOWER / 4
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
