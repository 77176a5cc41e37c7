"""Attacks by taking one's time, against a kdcd whose deadlines are short."""
import threading
import time

import pytest

from interop.attack import answer_to, attacked, connect, hello, read_alert, read_end
from interop.client import Connection
from support.programs import SLOWER
from support.timing import clock

# Seconds, for a handshake and for a login.
HANDSHAKE, LOGIN = 3, 6


@pytest.fixture(scope="module")
def kdc(mariadb, new_folder):
    with attacked(mariadb, new_folder, HANDSHAKE, LOGIN) as daemon:
        yield daemon


def test_a_connection_that_says_nothing_is_closed_at_the_deadline(kdc, logged):
    begin, at = time.monotonic(), clock()
    assert answer_to(kdc, timeout=5 * HANDSHAKE * SLOWER) == "deadline"
    assert HANDSHAKE * SLOWER * 0.8 < time.monotonic() - begin and clock() - at < HANDSHAKE * SLOWER + 2
    logged("deadline")


def test_a_byte_a_second_does_not_move_the_deadline(kdc, logged):
    begin = clock()
    with Connection(kdc.server) as connection:
        ended = threading.Event()

        def drip():
            for byte in hello():
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
    assert clock() - begin < HANDSHAKE * SLOWER + 2
    logged("deadline")


@pytest.mark.slow
def test_a_session_without_a_login_is_closed_at_its_deadline(kdc, logged):
    begin, at = time.monotonic(), clock()
    with connect(kdc) as client:
        assert read_end(client) == "deadline"
    assert LOGIN * SLOWER * 0.7 < time.monotonic() - begin and clock() - at < LOGIN * SLOWER + 3
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
        assert max(people.talk() for _ in range(20)) < 2 * SLOWER
        logged("deadline")
    finally:
        for connection in halves:
            connection.socket.close()
