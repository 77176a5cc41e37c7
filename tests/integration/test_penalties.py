"""Guessing passwords, against a real kdcd: by account and by address, who gets in all the same, and what an operator sees."""
import contextlib
import re
import threading
import time

import pytest

from interop.attack import PASSWORD, connect
from interop.client import Closed, Refused
from support.admin_exit import NOT_FOUND, NOT_RUNNING, REFUSED, USAGE
from support.programs import SLOWER, wait_until

WRONG = "wrong password"
# Quick enough to be waited for.
QUICK = {"enabled": None, "account_failures": 4, "source_failures": 12, "delay_max": 1, "lock_seconds": 900}
BUSY_EXIT = 10  # kdc-chat's


def attempt(kdc, name, password=WRONG, source="127.0.0.1"):
    """What came of it (None: welcome), retry_after, and how many seconds it took."""
    with connect(kdc, source=source) as client:
        start = time.monotonic()
        try:
            client.login(name, password)
            return None, 0, time.monotonic() - start
        except Refused as refused:
            return refused.reason, refused.retry_after, time.monotonic() - start


def reason_of(*arguments, **more):
    return attempt(*arguments, **more)[0]


def sources(first, count):
    return [f"127.0.{first}.{number}" for number in range(1, count + 1)]


def lock(kdc, name, first=9):
    """From as many addresses as it takes, at the same time."""
    threads = [threading.Thread(target=attempt, args=(kdc, name, WRONG, source)) for source in sources(first, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert reason_of(kdc, name, PASSWORD, f"127.0.{first}.99") == "penalty"


def reload(kdc, **keys):
    kdc.configure(penalties=keys)
    kdc.reload()
    kdc.wait_log("reloaded the configuration", 60)


def audit(kdc, event):
    """(user, source, outcome, detail) of such events, once what was to be written is."""
    return list(kdc.database.query(
        "SELECT user, source, outcome, detail FROM audit WHERE event = %s ORDER BY id", (event,)))


def penalties(kdc):
    return {one["who"]: one for one in kdc.admin_json("penalties")}


def test_guessing_at_an_account_from_one_address(started):
    kdc = started(penalties={**QUICK, "lock_seconds": 6})
    seen = [attempt(kdc, "alice") for _ in range(4)]
    assert [reason for reason, _, _ in seen] == ["login_failed"] * 4
    assert all(seconds >= 0.9 for _, _, seconds in seen[1:])
    reason, retry_after, _ = attempt(kdc, "alice", PASSWORD)
    assert reason == "penalty" and 1 <= retry_after <= 6
    # The lock ends by itself.
    time.sleep(retry_after)
    wait_until("the lock is over", lambda: reason_of(kdc, "alice", PASSWORD) is None, 10)
    wait_until("the lock is on record", lambda: audit(kdc, "locked out"), 10)
    [(user, source, outcome, detail)] = audit(kdc, "locked out")
    assert (user, outcome, detail) == ("alice", "penalty", "the account") and source.startswith("127.0.0.1:")
    assert audit(kdc, "login").count(("alice", source, "login_failed", "")) <= 1
    assert not [row for row in audit(kdc, "login") if row[2] == "penalty"]


def test_guessing_at_an_account_from_many_addresses(started):
    kdc = started(penalties=QUICK)
    for source in sources(7, 4):
        assert reason_of(kdc, "alice", WRONG, source) == "login_failed"
    for source in sources(8, 3):
        reason, retry_after, _ = attempt(kdc, "alice", PASSWORD, source)
        assert reason == "penalty" and 880 <= retry_after <= 900
        assert reason_of(kdc, "bob", PASSWORD, source) is None
    assert "'penalty': 3" in str(kdc.admin_json("status"))


def test_guessing_at_many_accounts_from_one_address(started):
    kdc = started(penalties={**QUICK, "delay_max": 0})
    for number in range(12):
        assert reason_of(kdc, f"user{number}", WRONG, "127.0.0.66") == "login_failed"
    reason, retry_after, _ = attempt(kdc, "bob", PASSWORD, "127.0.0.66")
    assert reason == "penalty" and 880 <= retry_after <= 900
    assert reason_of(kdc, "bob", PASSWORD, "127.0.0.67") is None
    listed = penalties(kdc)
    assert listed["127.0.0.66"] == {"kind": "source", "who": "127.0.0.66", "failures": 12, "delay": 0,
                                    "locked": pytest.approx(890, abs=10)}
    assert listed["user3"] == {"kind": "account", "who": "user3", "failures": 1, "delay": 0, "locked": 0}
    wait_until("the lock is on record", lambda: audit(kdc, "locked out"), 10)
    assert audit(kdc, "locked out") == [("", "127.0.0.66", "penalty", "the source")]


def test_guessing_at_many_accounts_from_many_addresses(started):
    """No address tries an account twice: each account is locked all the same, and no address; who was there before gets in."""
    kdc = started(penalties={**QUICK, "delay_max": 0})
    with connect(kdc, "alice", source="127.0.0.7") as client:
        ticket = client.ticket
    wait_until("it is on record", lambda: audit(kdc, "login"), 10)
    names = ["alice", "bob", "carol", "dave"]
    for round_number in range(4):
        for number, source in enumerate(sources(5, 4)):
            assert reason_of(kdc, names[(number + round_number) % 4], WRONG, source) == "login_failed"
    listed = penalties(kdc)
    assert all(listed[name]["failures"] == 4 and listed[name]["locked"] > 0 for name in names)
    assert all(listed[source]["failures"] == 4 and listed[source]["locked"] == 0 for source in sources(5, 4))
    assert reason_of(kdc, "bob", PASSWORD, "127.0.0.8") == "penalty"
    assert reason_of(kdc, "alice", PASSWORD, "127.0.0.7") is None
    with connect(kdc, source="127.0.0.8", ticket=ticket) as client:
        assert client.shake.resumed
        client.ping()
    # Who isn't guessed at notices nothing, not even from beside the guessers.
    kdc.add_user("erin")
    assert reason_of(kdc, "erin", PASSWORD, "127.0.5.1") is None


def test_ipv6_counts_by_its_first_64_bits(started):
    kdc = started(penalties={**QUICK, "delay_max": 0}, listen={"address": "::1"})
    kdc.address = "[::1]"
    for number in range(12):
        assert reason_of(kdc, f"user{number}", WRONG, None) == "login_failed"
    assert reason_of(kdc, "bob", PASSWORD, None) == "penalty"
    assert penalties(kdc)["::/64"]["locked"] > 0
    # By any address of it.
    assert kdc.admin_json("penalties", "clear", "::4711") == {"cleared": 1}
    assert reason_of(kdc, "bob", PASSWORD, None) is None
    reload(kdc, exempt="::/64")
    for number in range(20, 34):
        assert reason_of(kdc, f"user{number}", WRONG, None) == "login_failed"


def test_the_owner_gets_in_meanwhile(started):
    kdc = started(penalties=QUICK)
    with connect(kdc, "alice", source="127.0.0.7") as client:
        ticket = client.ticket
    wait_until("it is on record", lambda: audit(kdc, "login"), 10)
    lock(kdc, "alice")
    with connect(kdc, source="127.0.0.8", ticket=ticket) as client:
        assert client.shake.resumed
        client.ping()
    reason, _, seconds = attempt(kdc, "alice", PASSWORD, "127.0.0.7")
    assert reason is None
    # From where she was by the ticket, too.
    wait_until("it is on record", lambda: audit(kdc, "resume"), 10)
    assert reason_of(kdc, "alice", PASSWORD, "127.0.0.8") is None
    assert reason_of(kdc, "alice", PASSWORD, "127.0.0.9") == "penalty"
    # Beside her nobody guesses freely.
    reload(kdc, delay_max=0)
    reasons = [reason_of(kdc, "alice", WRONG, "127.0.0.7") for _ in range(25)]
    assert reasons == ["login_failed"] * 24 + ["penalty"]
    assert reason_of(kdc, "alice", PASSWORD, "127.0.0.7") == "penalty"
    with connect(kdc, source="127.0.0.7", ticket=ticket) as client:
        assert client.shake.resumed
        client.ping()


def test_unknown_names_look_the_same(started):
    kdc = started(penalties=QUICK)
    seen = {}
    for name, first in (("alice", 5), ("nobody", 6)):
        seen[name] = []
        for source in sources(first, 6):
            before = kdc.admin_json("status")["guesses_delayed_total"]
            reason, retry_after, seconds = attempt(kdc, name, WRONG, source)
            delayed = kdc.admin_json("status")["guesses_delayed_total"] - before
            assert not delayed or seconds >= 0.9
            seen[name].append((reason, retry_after, delayed))
    for there, not_there in zip(seen["alice"], seen["nobody"]):
        assert there[0] == not_there[0]
        assert abs(there[1] - not_there[1]) <= 5 * SLOWER
        assert there[2] == not_there[2]
    assert any(delayed for _, _, delayed in seen["nobody"])
    assert [reason for reason, _, _ in seen["nobody"]] == ["login_failed"] * 4 + ["penalty"] * 2


def test_an_operator_sees_and_clears(started):
    kdc = started(penalties=QUICK)
    assert kdc.admin("penalties").stdout == "Nobody is under penalty.\n"
    lock(kdc, "alice")
    assert reason_of(kdc, "bob", WRONG, "127.0.9.1") == "login_failed"
    listed = kdc.admin_json("penalties", "list")
    assert listed[0] == {"kind": "account", "who": "alice", "failures": 4, "delay": 0,
                         "locked": pytest.approx(890, abs=10)}
    assert {one["who"] for one in listed} == {"alice", "bob", *sources(9, 4)}
    text = kdc.admin("penalties").stdout.splitlines()
    assert text[0].split() == ["KIND", "WHO", "FAILURES", "NEXT", "WAITS", "LOCKED", "FOR"]
    assert text[1].split()[:3] == ["account", "alice", "4"]
    # One account, by its name as people write it.
    assert kdc.admin("penalties", "clear", "ALICE").stdout == "Cleared 1.\n"
    assert reason_of(kdc, "alice", PASSWORD, "127.0.0.50") is None
    assert kdc.admin("penalties", "clear", "alice", check=False).returncode == NOT_FOUND
    # One address, then all.
    assert kdc.admin_json("penalties", "clear", "127.0.9.1") == {"cleared": 1}
    assert "127.0.9.1" not in penalties(kdc)
    assert kdc.admin_json("penalties", "clear", "--all") == {"cleared": 4}
    assert penalties(kdc) == {}
    assert kdc.admin_json("penalties", "clear", "--all") == {"cleared": 0}
    rows = audit(kdc, "penalties cleared")
    assert [(user, detail) for user, _, _, detail in rows] == [("alice", "1"), ("127.0.9.1", "1"), ("", "4")]


@pytest.mark.parametrize("arguments, status", [
    (("clear",), USAGE), (("clear", "alice", "--all"), USAGE), (("clear", "no such/thing"), REFUSED),
    (("clear", "10.0.0.0/8"), REFUSED), (("clear", "::1/129"), REFUSED), (("clear", "alice"), NOT_RUNNING),
    (("list",), NOT_RUNNING), ((), NOT_RUNNING), (("list", "--all"), USAGE), (("lists",), USAGE)])
def test_what_an_operator_can_not_do(admin, arguments, status):
    assert "kdc-admin: " in admin("penalties", *arguments, status=status).stderr


def test_known_sources_outlive_a_restart(started):
    kdc = started(penalties=QUICK)
    assert reason_of(kdc, "alice", PASSWORD, "127.0.0.7") is None
    kdc.stop()
    kdc.start()
    lock(kdc, "alice")
    assert reason_of(kdc, "alice", PASSWORD, "127.0.0.7") is None
    # They go with the account.
    kdc.admin("user", "delete", "alice", "--yes")
    assert kdc.database.query("SELECT COUNT(*) FROM login_sources WHERE source = UNHEX('047F00000700000000')") == ((0,),)


def test_the_newest_sources_are_known(database):
    """Sixteen of each user; one that is used stays."""
    [(user,)] = database.query("SELECT 4711")
    with database.connect() as connection, connection.cursor() as cursor:
        for number in range(20):
            events = ",".join(
                f'[{user},0,"login","alice","","","ok","","04C00002{n:02X}00000000"]' for n in (0, number))
            cursor.execute("CALL kdc_journal(%s)", (f'{{"issues":[],"events":[{events}]}}',))
            connection.commit()
            # Time goes on, for all that there are.
            database.query("UPDATE login_sources SET last = last - INTERVAL 2 HOUR")
        cursor.execute("CALL kdc_source_known(%s, %s)", (user, "04C000020000000000"))
        assert cursor.fetchone()[0] == 1
    kept = {row[0][4] for row in database.query("SELECT source FROM login_sources WHERE user = %s", (user,))}
    assert kept == {0, *range(5, 20)}


def test_exempt_addresses(started):
    kdc = started(penalties=QUICK)
    reload(kdc, exempt="127.0.3.0/24, 2001:db8::/32")
    for _ in range(15):
        reason, _, seconds = attempt(kdc, "alice", WRONG, "127.0.3.9")
        assert reason == "login_failed"
    assert penalties(kdc) == {}
    lock(kdc, "alice")
    assert reason_of(kdc, "alice", PASSWORD, "127.0.3.9") is None
    assert reason_of(kdc, "alice", PASSWORD, "127.0.4.9") == "penalty"


def test_a_wrong_exemption_is_told(started):
    kdc = started(penalties=QUICK)
    kdc.configure(penalties={"exempt": "127.0.0.1, localhost"})
    kdc.reload()
    kdc.wait_log("penalties.exempt has 'localhost', which is no address")


def test_hanging_up_before_the_answer_is_no_way_out(started):
    kdc = started(penalties={**QUICK, "delay_max": 0})
    for number, source in enumerate(sources(7, 4)):
        with connect(kdc, source=source) as client:
            client.send_message("login", name=b"alice", password=WRONG.encode())
            wait_until("a worker has it", lambda number=number:
                       kdc.admin_json("status")["job_wait_seconds"]["password"]["count"] > number)
    wait_until("alice is locked", lambda: penalties(kdc).get("alice", {}).get("locked"), 10)


def test_many_at_once_are_looked_at_no_more_than_one_by_one(started):
    kdc = started(penalties=QUICK)
    clients = [connect(kdc, source=source) for source in sources(7, 16)]
    with contextlib.ExitStack() as stack:
        for client in clients:
            stack.enter_context(client)
            client.send_message("login", name=b"alice", password=WRONG.encode())
        reasons = [client.read_message(20 * SLOWER)["reason"] for client in clients]
    # Two workers may each have looked at one when the last failure is counted.
    assert 4 <= reasons.count("login_failed") <= 6
    assert set(reasons) == {"login_failed", "penalty"}


@pytest.mark.slow
def test_waiting_is_no_reason_to_be_late(started):
    """The login's deadline stands still while an attempt waits, and only then."""
    kdc = started(penalties={**QUICK, "delay_max": 8, "account_failures": 10},
                  limits={"handshake_deadline": 6, "login_deadline": 6})
    for source in sources(7, 4):
        with contextlib.suppress(Refused), connect(kdc, source=source) as client:
            client.login("alice", WRONG)
    reason, _, seconds = attempt(kdc, "alice", PASSWORD)
    assert reason is None and seconds >= 7.9
    with connect(kdc) as client, pytest.raises(Closed, match="deadline"):
        client.read_message(20 * SLOWER)


def test_a_session_goes_on_while_others_wait(started):
    """Waiting takes no worker: with one of them, others log in."""
    kdc = started(penalties={**QUICK, "account_failures": 10, "delay_max": 20}, threads={"workers": 1})
    guessing = [connect(kdc, source=source) for source in sources(7, 5)]
    for client in guessing:  # at once: none waits for another
        client.send_message("login", name=b"alice", password=WRONG.encode())
    for client in guessing:
        assert client.read_message(20 * SLOWER)["reason"] == "login_failed"
        client.socket.close()
    with connect(kdc, source="127.0.0.77") as waiting:
        waiting.send_message("login", name=b"alice", password=WRONG.encode())
        for _ in range(3):
            assert reason_of(kdc, "bob", PASSWORD) is None
        with pytest.raises(TimeoutError):
            waiting.read_message(0.1)


def test_changing_the_password_is_no_way_to_guess_it(started):
    kdc = started(penalties={**QUICK, "delay_max": 0}, policy={"login_tries": 100})
    with connect(kdc, "alice") as client:
        reasons = []
        for number in range(26):
            client.send_message("change_password", request=100 + number, old=WRONG.encode(), new=b"something else")
            client.wait_for(lambda n=number: 100 + n in client._replies)
            reasons.append(client._replies[100 + number]["reason"])
    assert reasons == ["login_failed"] * 24 + ["penalty"] * 2


def test_a_person_who_mistypes(kdcd, person):
    """With the defaults."""
    kdc = kdcd(penalties={"enabled": None})
    alice = person(kdc, "alice")
    for _ in range(2):
        alice.password_file.write_text(WRONG)
        assert "Wrong name or password" in alice.run("list").stderr
    alice.password_file.write_text(PASSWORD)
    alice.run("list", check=0)


@pytest.mark.slow
def test_a_person_waits_longer_than_for_a_silent_kdc(kdcd, person):
    """With the defaults, after five failures of somebody else's: fifteen seconds, when a connection is given up."""
    kdc = kdcd(penalties={"enabled": None})
    alice = person(kdc, "alice")
    kdc.known_fingerprint = kdc.fingerprint
    clients = [connect(kdc, source=source) for source in sources(7, 5)]
    for client in clients:  # at once: none waits for another
        client.send_message("login", name=b"alice", password=WRONG.encode())
    assert {client.read_message()["reason"] for client in clients} == {"login_failed"}
    start = time.monotonic()
    alice.run("list", check=0)
    assert time.monotonic() - start >= 14.9


def test_a_person_under_penalty_is_told(kdcd, person):
    kdc = kdcd(penalties={**QUICK, "delay_max": 0})
    alice = person(kdc, "alice")
    kdc.known_fingerprint = kdc.fingerprint
    lock(kdc, "alice")
    done = alice.run("list", check=BUSY_EXIT)
    assert "Too many failed logins" in done.stderr and re.search(r"try again in [89]\d\d? s", done.stderr)
