"""kdcd and its database: not there, gone, silent, back again; and what changes there while somebody logs in."""
import contextlib
import itertools
import re
import signal
import socket
import threading
import time
from functools import partial

import pytest

from interop.attack import PASSWORD, connect
from interop.client import Closed, Refused, refusal_of
from support.kdcd import Database
from support.programs import SLOWER, wait_until
from support.timing import clock, ratio_of_times


def log_in(kdc, name, password=PASSWORD):
    with connect(kdc) as client:
        client.login(name, password)


def two_who_talk(kdc):
    kdc.known_fingerprint = kdc.fingerprint
    alice, bob = connect(kdc, "alice"), connect(kdc, "bob")
    alice.open("bob")
    bob.wait_for(lambda: "alice" in bob.conversations)

    def talk(text):
        for speaker, listener in ((alice, bob), (bob, alice)):
            speaker.send_text(listener.name, text, wait=False)
            assert listener.receive(timeout=2 * SLOWER) == [(speaker.name, text)]
            speaker.flush(listener.name)
    return alice, bob, talk


@pytest.fixture
def own_kdcd(own_mariadb, folder, kdcd):
    """own_kdcd(section={...}): one whose database may be taken away."""
    database = Database(own_mariadb, folder)

    def make(**sections):
        daemon = kdcd(database, start=False)
        daemon.configure(**sections)
        daemon.start()
        daemon.known_fingerprint = daemon.fingerprint
        return daemon
    return make


def test_workers_that_found_it_gone_in_different_ways_dont_fill_the_log(own_mariadb, own_kdcd):
    """Each answers with what it has seen last until it may try again, and there may be hundreds who ask meanwhile."""
    kdc = own_kdcd(threads={"workers": 3})
    kdc.add_user("alice")
    asking = connect(kdc, "alice")
    own_mariadb.stop(signal.SIGKILL)
    left = own_mariadb.socket.with_suffix(".left")
    end = time.monotonic() + 4
    asked = 0
    while time.monotonic() < end or asked <= 100 and time.monotonic() < end + 4:
        # A socket that nobody listens on, and none.
        if own_mariadb.socket.exists():
            own_mariadb.socket.rename(left)
        else:
            left.rename(own_mariadb.socket)
        change = time.monotonic() + 0.15
        while time.monotonic() < change:
            with pytest.raises(Refused, match="unavailable"):
                asking.who("bob")
            asked += 1
    asking.__exit__(None, None, None)
    assert asked > 100
    assert 1 <= kdc.log().count("warn database is not reachable") <= 10 * SLOWER


def test_a_database_that_comes_after_kdcd_is_taken_without_a_restart(own_mariadb, own_kdcd):
    own_mariadb.stop()
    kdc = own_kdcd()
    kdc.wait_log("warn database is not reachable")
    assert refusal_of(partial(log_in, kdc, "alice")) == "unavailable"
    assert kdc.admin_json("status")["database_up"] is False
    own_mariadb.start()
    kdc.wait_log("info database is reachable")
    kdc.add_user("alice")
    log_in(kdc, "alice")
    assert kdc.admin_json("status")["database_up"] is True


def test_people_go_on_talking_while_the_database_is_gone(own_mariadb, own_kdcd):
    kdc = own_kdcd()
    for name in ("alice", "bob", "carol"):
        kdc.add_user(name)
    alice, bob, talk = two_who_talk(kdc)
    talk("before")
    begin = len(kdc.log())
    own_mariadb.stop(9)
    for round in range(3):
        talk(f"without {round}")
        assert refusal_of(partial(log_in, kdc, "carol")) == "unavailable"
        assert refusal_of(partial(alice.open, "bob")) == "unavailable"
    own_mariadb.start()
    kdc.wait_log("database is reachable", since=begin)
    # Told once, and another cause once more.
    log = kdc.log()
    before, _, after = log[begin:].partition("database is reachable")
    causes = re.findall("database is not reachable cause=(.*)", before)
    assert causes and all(one != next_one for one, next_one in itertools.pairwise(causes))
    begin = len(log) - len(after)
    talk("after")
    # Every worker has it back as soon as one has.
    for _ in range(6):
        log_in(kdc, "carol")
    alice.open("bob")
    bob.wait_for(lambda: bob.conversations["alice"].epoch.number == alice.conversations["bob"].epoch.number)
    talk("under a new key")
    assert "database is not reachable" not in kdc.log()[begin:]
    for one in (alice, bob):
        one.__exit__(None, None, None)


@pytest.mark.slow
def test_a_database_that_says_nothing_holds_up_no_handshake_and_few_logins(own_mariadb, own_kdcd):
    kdc = own_kdcd(database={"read_timeout": 6, "connect_timeout": 6})
    for name in ("alice", "bob", "carol"):
        kdc.add_user(name)
    alice, bob, talk = two_who_talk(kdc)
    own_mariadb.pause()
    answers = []
    handshakes = []

    def newcomer():
        begin = clock()
        with connect(kdc, timeout=40) as client:
            handshakes.append(clock() - begin)
            answers.append(refusal_of(partial(client.login, "carol", PASSWORD)))
    # Enough to hold up every worker that may wait for a database.
    alice.send_message("open", request=1000, peer="bob")
    for number in range(1001, 1004):
        alice.send_message("who", request=number, name="nobody")
    threads = [threading.Thread(target=newcomer) for _ in range(8)]
    begin = time.monotonic()
    for thread in threads:
        thread.start()
        talk("all along")
        time.sleep(1)
    for thread in threads:
        thread.join()
    assert answers == ["unavailable"] * 8
    assert max(handshakes) < 2
    # Known to be silent by now: nobody waits for it again.
    for _ in range(5):
        begin = clock()
        assert refusal_of(partial(log_in, kdc, "carol")) == "unavailable"
        assert clock() - begin < 2
    begin = len(kdc.log())
    own_mariadb.resume()
    kdc.wait_log("database is reachable", 20, since=begin)
    log_in(kdc, "carol")
    talk("after")
    for one in (alice, bob):
        one.__exit__(None, None, None)


def test_who_asks_for_what_the_database_does_not_say_keeps_no_newcomer_waiting(own_mariadb, own_kdcd):
    kdc = own_kdcd()
    with socket.socket(socket.AF_UNIX) as operator:
        operator.connect(str(kdc.folder / "kdcd.sock"))
        own_mariadb.pause()
        try:
            # Each is waited for, for two seconds at most, one after the other.
            operator.sendall(b'{"command":"refresh"}\n' * 10)
            for _ in range(5):
                began = clock()
                with connect(kdc):
                    pass
                assert clock() - began < 1 * SLOWER
            operator.setblocking(False)
            answered = b""
            with contextlib.suppress(BlockingIOError):
                answered = operator.recv(1 << 16)
            assert answered.count(b"\n") < 10
        finally:
            own_mariadb.resume()


def test_an_account_that_is_being_changed_holds_up_nobody_elses_key(own_kdcd):
    kdc = own_kdcd()
    for name in ("alice", "carol", "dave"):
        kdc.add_user(name)
    carol, dave = connect(kdc, "carol"), connect(kdc, "dave")
    with kdc.database.connect_admin() as other, other.cursor() as cursor:
        cursor.execute("START TRANSACTION")
        cursor.execute("SELECT id FROM users WHERE name = 'alice' FOR UPDATE")
        log_in(kdc, "alice")
        began = clock()
        carol.open("dave")
        assert clock() - began < 2 * SLOWER
        wait_until("alice's login is in the audit log", lambda: kdc.database.query(
            "SELECT 1 FROM audit WHERE event = 'login' AND user = 'alice'"))
        other.rollback()
    for one in (carol, dave):
        one.__exit__(None, None, None)


def test_sigterm_ends_kdcd_while_the_database_says_nothing(own_mariadb, own_kdcd):
    kdc = own_kdcd(database={"read_timeout": 3, "connect_timeout": 3})
    kdc.add_user("alice")
    own_mariadb.pause()
    with connect(kdc) as client:
        client.send_message("login", name=b"alice", password=PASSWORD.encode())
        time.sleep(0.3)
        kdc.stop()
        with pytest.raises(Closed, match="shutting_down"):
            client.read_message()
    own_mariadb.resume()


# --- While somebody logs in --------------------------------------------------------------------------------------

SLOW_HASH = {"bcrypt_cost": 14}


def while_a_login_runs(kdc, name, password, meanwhile):
    """What a login gets, when `meanwhile` is done during its bcrypt."""
    with connect(kdc, timeout=30 * SLOWER) as client:
        client.send_message("login", name=name.encode(), password=password.encode())
        time.sleep(0.2)
        meanwhile()
        answer = client.read_message()
        return answer["message"] if answer["message"] == "welcome" else answer["reason"]


@pytest.mark.plain
def test_an_account_that_is_locked_while_it_logs_in_does_not_get_in(kdcd):
    kdc = kdcd(policy=SLOW_HASH)
    kdc.known_fingerprint = kdc.fingerprint
    kdc.add_user("alice")

    def lock():
        kdc.database.query("UPDATE users SET state = 'locked' WHERE name = 'alice'")
    assert while_a_login_runs(kdc, "alice", PASSWORD, lock) == "account_locked"


@pytest.mark.plain
def test_a_password_that_is_changed_during_a_login_stays_changed(kdcd):
    kdc = kdcd(policy={"bcrypt_cost": 10})
    kdc.known_fingerprint = kdc.fingerprint
    kdc.add_user("alice", "the old one")
    kdc.add_user("bob", "the new one")
    kdc.stop()
    # From now on a login makes the hash anew, which takes a second.
    kdc.configure(policy=SLOW_HASH)
    kdc.start()

    def change():
        kdc.database.query("UPDATE users AS a JOIN users AS b ON b.name = 'bob' SET a.hash = b.hash"
                           " WHERE a.name = 'alice'")
    assert while_a_login_runs(kdc, "alice", "the old one", change) == "login_failed"
    log_in(kdc, "alice", "the new one")
    assert refusal_of(partial(log_in, kdc, "alice", "the old one")) == "login_failed"


@pytest.mark.plain
def test_a_wrong_password_takes_as_long_for_an_account_with_a_cheaper_hash(kdcd):
    kdc = kdcd(policy={"bcrypt_cost": 10})
    kdc.known_fingerprint = kdc.fingerprint
    kdc.add_user("alice")
    kdc.stop()
    kdc.configure(policy={"bcrypt_cost": 12, "login_tries": 100})
    kdc.start()

    def refused(name):
        assert refusal_of(partial(client.login, name, "wrong password")) == "login_failed"
    with connect(kdc) as client:
        assert 0.6 < ratio_of_times(partial(refused, "alice"), partial(refused, "nobody.of.that.name")) < 1.7


def test_users_of_another_application_log_in(kdcd, database):
    kdc = kdcd()
    kdc.known_fingerprint = kdc.fingerprint
    for name in ("alice", "bob"):
        kdc.add_user(name)
    database.query("CREATE TABLE members AS SELECT id + 5000 AS number, name, hash FROM users")
    database.query("DELETE FROM users")
    database.query("DROP PROCEDURE kdc_user_find")
    database.query("CREATE PROCEDURE kdc_user_find(IN p_name VARCHAR(32)) SELECT number AS id, name, hash,"
                   " 'active' AS state, 0 AS created, 0 AS last_login, 0 AS epoch FROM members WHERE name = p_name")
    database.query(f"GRANT EXECUTE ON PROCEDURE kdc_user_find TO `{database.user}`@localhost")
    alice, bob, talk = two_who_talk(kdc)
    talk("hello")
    for one in (alice, bob):
        one.__exit__(None, None, None)
    wait_until("both have left", lambda: kdc.log().count(" left ") == 2)
