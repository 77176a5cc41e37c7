"""Resumption tickets with a real kdcd: who comes back by one, and whose is void, from when on."""
import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from interop.attack import PASSWORD, connect, read_alert, read_end
from interop.client import Connection, Refused
from interop.protocol import ClientHandshake, Ticket
from support.kdcd import Database
from support.programs import SLOWER, wait_until
from support.timing import clock

IDENTITY = 5  # kdcd's exit status


def ticket_of(kdc, name="alice", password=PASSWORD):
    with connect(kdc, name, password) as client:
        return client.ticket


def is_taken(kdc, ticket, name="alice"):
    """Whether somebody comes in by it; if not, the connection is there to log in on."""
    try:
        with connect(kdc, ticket=ticket) as client:
            assert client.name in (None, name)
            return client.name == name
    except Refused as refused:
        assert refused.reason == "login_failed"
        return False


def wait_fed(kdc, ticket):
    """After a start: until kdcd knows which accounts have changed."""
    wait_until("tickets are taken", lambda: is_taken(kdc, ticket), 10)


def audited(kdc, *events):
    """The audit log's entries of these kinds, oldest first: (event, user)."""
    rows = kdc.database.query("SELECT event, user FROM audit ORDER BY id")
    return [(event, user) for event, user in rows if event in events]


def new_password(kdc, password):
    path = kdc.folder / "new-password"
    path.touch(mode=0o600)
    path.write_text(password)
    return path


# --- Coming back -------------------------------------------------------------------------------------------------

def test_a_ticket_lets_in_without_a_password_again_and_again(started):
    kdc = started()
    with connect(kdc, "alice") as client:
        assert client.welcome["ticket_seconds"] == 604800
        ticket = client.ticket
    seen = {ticket.sealed}
    for _ in range(3):
        with connect(kdc, ticket=ticket) as client:
            assert client.shake.resumed and client.name == "alice"
            client.ping()
            assert client.ticket.sealed not in seen
            ticket = client.ticket
            seen.add(ticket.sealed)
    assert kdc.admin_json("status")["logins_total"] == {"password": 1, "registering": 0, "ticket": 3}
    wait_until("it is in the log", lambda: len(re.findall("info resumed user=alice ", kdc.log())) == 3)
    wait_until("it is in the audit log", lambda: audited(kdc, "login", "resume") ==
               [("login", "alice")] + [("resume", "alice")] * 3)


def test_who_comes_back_talks_on_and_takes_the_older_session_over(started):
    kdc = started()
    older, bob = connect(kdc, "alice"), connect(kdc, "bob")
    newer = connect(kdc, ticket=older.ticket)
    assert newer.name == "alice"
    assert read_end(older) == "taken_over"
    newer.open("bob")
    newer.send_text("bob", "again", wait=False)
    assert bob.receive() == [("alice", "again")]
    newer.flush("bob")
    for one in (newer, bob):
        one.__exit__(None, None, None)


def test_tickets_survive_a_restart_and_not_their_file(started):
    kdc = started()
    ticket = ticket_of(kdc)
    kept = kdc.folder / "kdc-identity-tickets"
    assert kept.stat().st_mode & 0o777 == 0o600
    before = kept.read_text()
    kdc.stop()
    kdc.start()
    wait_fed(kdc, ticket)
    assert kept.read_text() == before
    kdc.stop()
    kept.unlink()
    kdc.start()
    new = ticket_of(kdc)
    wait_fed(kdc, new)
    assert not is_taken(kdc, ticket)


def test_a_kdc_with_a_copy_of_the_file_takes_the_others_tickets(started, kdcd):
    kdc = started()
    ticket = ticket_of(kdc)
    with_copy, without = kdcd(kdc.database, start=False), kdcd(kdc.database, start=False)
    shutil.copy(kdc.folder / "kdc-identity-tickets", with_copy.folder / "tickets")
    with_copy.configure(identity={"ticket_file": "tickets"})
    for one in (with_copy, without):
        one.start()
        one.known_fingerprint = one.fingerprint
    wait_fed(with_copy, ticket)
    wait_fed(without, ticket_of(without))
    assert not is_taken(without, ticket)


def test_tickets_end_a_lifetime_after_the_password_and_their_keys_change(started):
    kdc = started(policy={"ticket_lifetime": 6})
    kept = kdc.folder / "kdc-identity-tickets"
    before = kept.read_text()
    wait_fed(kdc, ticket_of(kdc))
    with connect(kdc, "alice") as client:
        assert client.welcome["ticket_seconds"] == 6
        ticket, begin = client.ticket, time.monotonic()
    while time.monotonic() < begin + 2:
        with connect(kdc, ticket=ticket) as client:
            assert client.name == "alice" and client.welcome["ticket_seconds"] < 6
            ticket = client.ticket or ticket
        time.sleep(0.3)
    time.sleep(max(0, begin + 6.1 - time.monotonic()))
    assert not is_taken(kdc, ticket)
    assert is_taken(kdc, ticket_of(kdc))
    wait_until("the file is written anew", lambda: kept.read_text() != before)


def test_there_are_no_tickets_with_a_lifetime_of_0(started):
    kdc = started(policy={"ticket_lifetime": 0})
    with connect(kdc, "alice") as client:
        assert client.ticket is None and client.welcome["ticket_seconds"] == 0
    assert not (kdc.folder / "kdc-identity-tickets").exists()
    with connect(kdc, ticket=Ticket(bytes(177), bytes(64))) as client:
        assert not client.shake.resumed
        client.login("alice", PASSWORD)


# --- What is no ticket -------------------------------------------------------------------------------------------

def test_a_wrong_ticket_leads_to_a_login_and_a_wrong_secret_to_an_alert(started):
    kdc = started()
    good = ticket_of(kdc)
    wait_fed(kdc, good)
    changed = bytearray(good.sealed)
    changed[60] ^= 1
    for wrong in (b"x", bytes(512), bytes(changed), good.sealed[:-1], good.sealed + b"x"):
        with connect(kdc, ticket=Ticket(wrong, good.secret)) as client:
            assert not client.shake.resumed
            client.login("alice", PASSWORD)
    with Connection(kdc.server) as thief:
        thief.send(ClientHandshake(ticket=Ticket(good.sealed, bytes(64))).hello())
        assert read_alert(thief) == "confirm"
    assert is_taken(kdc, good)


@pytest.mark.parametrize("text, mode, words", [
    ("1 86400 00\n", 0o600, "holds no tickets' key"), (None, 0o644, "chmod 600"),
])
def test_a_ticket_file_that_isnt_right_is_refused_and_kept(kdcd, text, mode, words):
    kdc = kdcd()
    kdc.stop()
    kept = kdc.folder / "kdc-identity-tickets"
    kept.write_text(text or kept.read_text())
    kept.chmod(mode)
    before = kept.read_text()
    kdc.start(wait=False)
    assert kdc.process.wait(20 * SLOWER) == IDENTITY
    kdc.process = None
    last = kdc.log().splitlines()[-1]
    assert last.startswith(f"kdcd: {kept}: ") and words in last
    assert kept.read_text() == before


# --- Void at once ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("change", ["lock", "passwd", "delete"])
def test_a_changed_accounts_ticket_is_void_at_once(started, change):
    kdc = started()
    ticket, other = ticket_of(kdc), ticket_of(kdc, "bob")
    wait_fed(kdc, ticket)
    with connect(kdc, ticket=ticket) as client:
        ticket = client.ticket
    if change == "passwd":
        kdc.admin("user", "passwd", "alice", "--password-file", new_password(kdc, "another password"))
    else:
        kdc.admin("user", change, "alice", *(["--yes"] if change == "delete" else []))
    assert not is_taken(kdc, ticket)
    assert is_taken(kdc, other, "bob")
    if change == "lock":
        with connect(kdc, ticket=ticket) as client, pytest.raises(Refused) as refused:
            client.login("alice", PASSWORD)
        assert refused.value.reason == "account_locked"
        kdc.admin("user", "unlock", "alice")
        assert not is_taken(kdc, ticket)
        fresh = ticket_of(kdc)
        assert is_taken(kdc, fresh)
        kdc.admin("user", "lock", "alice")
        assert not is_taken(kdc, fresh)
    elif change == "passwd":
        assert is_taken(kdc, ticket_of(kdc, password="another password"))
    else:
        kdc.add_user("alice")
        assert not is_taken(kdc, ticket)


def test_locking_voids_tickets_also_where_the_account_was_locked_unseen(started):
    kdc = started()
    ticket = ticket_of(kdc)
    wait_fed(kdc, ticket)
    kdc.database.query("UPDATE users SET state = 'locked', changed = changed WHERE name = 'alice'")
    assert is_taken(kdc, ticket)
    kdc.admin("user", "lock", "alice")
    assert not is_taken(kdc, ticket)


@pytest.mark.parametrize("change", ["lock", "passwd", "delete"])
def test_a_change_that_had_to_wait_for_the_row_bears_the_time_of_its_end(started, change):
    """A look for changes goes back a while only: a waiting statement's own time may be long ago."""
    kdc = started()
    arguments = {"lock": [], "passwd": ["--password-file", new_password(kdc, "another password")], "delete": ["--yes"]}
    with kdc.database.connect_admin() as other, other.cursor() as cursor, ThreadPoolExecutor() as pool:
        cursor.execute("START TRANSACTION")
        cursor.execute("SELECT id FROM users WHERE name = 'alice' FOR UPDATE")
        changing = pool.submit(kdc.admin, "user", change, "alice", *arguments[change])
        wait_until("it waits for the row", lambda: kdc.database.query(
            "SELECT 1 FROM information_schema.processlist WHERE db = DATABASE() AND info LIKE '%user%' "
            "AND id <> CONNECTION_ID() AND time_ms > 300"))
        cursor.execute("SELECT SYSDATE(6)")
        [(until,)] = cursor.fetchall()
        other.commit()
        changing.result()
    rows = kdc.database.query("SELECT deleted FROM deleted_users" if change == "delete" else
                              "SELECT changed FROM users WHERE name = 'alice'")
    assert rows[0][0] >= until


def test_a_session_that_came_by_ticket_ends_with_its_account(started):
    kdc = started()
    ticket = ticket_of(kdc)
    wait_fed(kdc, ticket)
    alice = connect(kdc, ticket=ticket)
    kdc.admin("user", "lock", "alice")
    assert read_end(alice) == "account_locked"


def test_what_is_changed_by_sql_is_void_within_two_seconds(started):
    kdc = started()
    ticket = ticket_of(kdc)
    wait_fed(kdc, ticket)
    kdc.database.query("UPDATE users SET hash = REPLACE(hash, SUBSTRING(hash, 30), REVERSE(SUBSTRING(hash, 30))) "
                       "WHERE name = 'alice'")
    changed = asked = clock()
    while is_taken(kdc, ticket):
        assert asked - changed < 2 * SLOWER
        asked = clock()


@pytest.mark.parametrize("change", ["lock", "delete"])
def test_what_was_changed_while_kdcd_was_down_is_void(started, change):
    kdc = started()
    ticket, other = ticket_of(kdc), ticket_of(kdc, "bob")
    kdc.stop()
    kdc.database.admin("user", change, "alice", *(["--yes"] if change == "delete" else []))
    kdc.start()
    wait_until("tickets are taken", lambda: is_taken(kdc, other, "bob"), 10)
    assert not is_taken(kdc, ticket)


def test_a_rehash_and_further_logins_void_nothing(started):
    kdc = started()
    ticket = ticket_of(kdc)
    before = kdc.database.query("SELECT hash FROM users WHERE name = 'alice'")
    begin = len(kdc.log())
    kdc.configure(policy={"bcrypt_cost": 11})
    kdc.reload()
    kdc.wait_log("reloaded the configuration", since=begin)
    wait_until("the last login is recorded",
               lambda: kdc.database.query("SELECT last_login FROM users WHERE name = 'alice'")[0][0])
    ticket_of(kdc)
    assert kdc.database.query("SELECT hash FROM users WHERE name = 'alice'") != before
    time.sleep(1.5)
    assert is_taken(kdc, ticket)


# --- Without the database ----------------------------------------------------------------------------------------

def test_without_the_database_tickets_are_taken_but_not_right_after_the_start(own_mariadb, folder, kdcd):
    kdc = kdcd(Database(own_mariadb, folder))
    kdc.known_fingerprint = kdc.fingerprint
    kdc.add_user("alice")
    ticket = ticket_of(kdc)
    wait_fed(kdc, ticket)
    own_mariadb.stop()
    time.sleep(1.5)
    assert is_taken(kdc, ticket)
    kdc.kill()
    kdc.start()
    kdc.wait_log("warn database is not reachable")
    assert not is_taken(kdc, ticket)
    with connect(kdc, ticket=ticket) as client, pytest.raises(Refused) as refused:
        client.login("alice", PASSWORD)
    assert refused.value.reason == "unavailable"
    own_mariadb.start()
    wait_fed(kdc, ticket)


# --- kdc-chat ----------------------------------------------------------------------------------------------------

def test_kdc_chat_comes_back_after_a_restart_without_its_password(kdcd, person):
    kdc = kdcd()
    alice, bob = person(kdc, "alice"), person(kdc, "bob")
    listening = bob.start("listen", "--json", "--count", "2")
    wait_until("bob is in", lambda: audited(kdc, "login") == [("login", "bob")])
    alice.run("send", "bob", "before", check=0)
    begin = len(kdc.log())
    kdc.stop()
    kdc.start()
    kdc.wait_log(r"(resumed|logged in) user=bob", 20, begin)
    wait_until("that is in the audit log", lambda: ("resume", "bob") in audited(kdc, "resume"))
    assert audited(kdc, "login").count(("login", "bob")) == 1
    alice.run("send", "bob", "after", check=0)
    status, output, _ = bob.finish(listening)
    assert status == 0 and '"before"' in output and '"after"' in output
