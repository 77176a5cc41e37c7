"""What an operator does to accounts, as the people who have them see it, and as it stands in the audit log: with a real kdcd."""
import datetime
import re

import pytest

from interop.attack import PASSWORD, connect, read_end
from interop.client import Refused, refusal_of
from support.programs import ROOT, SLOWER, wait_until
from support.smtp import SmtpServer, make_authority, make_certificate
from support.timing import clock

# Threads and memory are looked at elsewhere.
pytestmark = pytest.mark.plain

WRONG = "a wrong password"
NEW = "battery staple"
# What is done to alice; the reason that ends her session; what kdc-chat tells her.
CHANGES = {
    "lock": (("user", "lock", "alice"), "account_locked", "The account is locked"),
    "disable": (("user", "disable", "alice"), "account_disabled", "The account is disabled"),
    "delete": (("user", "delete", "alice", "--yes"), "account_deleted", "The account was deleted"),
    "rename": (("user", "rename", "alice", "alicia"), "account_renamed", "has another name now"),
    "passwd": (("user", "passwd", "alice", "--generate"), "new_password", "has another password now"),
    "passwd must change": (("user", "passwd", "alice", "--generate", "--must-change"), "must_change", "must be changed"),
    "must change": (("user", "set", "alice", "--must-change"), "must_change", "must be changed"),
    "expired": (("user", "set", "alice", "--expires", "2020-01-01"), "account_expired", "The account has expired"),
}


def comes_back(kdc, ticket, name="alice"):
    """Whether somebody comes in by it."""
    try:
        with connect(kdc, ticket=ticket) as client:
            assert client.name in (None, name)
            return client.name == name
    except Refused:
        return False


# --- Live sessions and tickets -----------------------------------------------------------------------------------

@pytest.mark.parametrize("change", CHANGES)
def test_a_change_ends_the_session_at_once_and_voids_all_tickets(started, change):
    arguments, reason, _ = CHANGES[change]
    kdc = started()
    with connect(kdc, "alice") as client:
        older = client.ticket
    wait_until("tickets are taken", lambda: comes_back(kdc, older))
    alice, bob = connect(kdc, "alice"), connect(kdc, "bob")
    newer, bobs = alice.ticket, bob.ticket
    done = kdc.admin_json(*arguments)
    begin = clock()
    assert done["user"] == "alice" and done["sessions_ended"] == 1
    assert read_end(alice) == reason
    assert clock() - begin < 2 * SLOWER
    for ticket in (older, newer):
        assert not comes_back(kdc, ticket)
    # Nobody else is concerned.
    bob.ping()
    bob.__exit__(None, None, None)
    assert comes_back(kdc, bobs, "bob")


def test_the_person_is_told_why_the_session_ends(kdcd, person):
    kdc = kdcd()
    for number, (arguments, _, words) in enumerate(CHANGES.values()):
        name = f"alice{number}"
        one = person(kdc, name)
        listening = one.start("listen", "--json")
        wait_until(f"{name} is in", lambda name=name: name in [session["user"] for session in kdc.admin_json("who")])
        kdc.admin(*(name if word == "alice" else word for word in arguments))
        status, _, errors = one.finish(listening)
        assert status != 0 and words in errors, arguments
    for change in ("lock", "delete"):
        arguments, _, words = CHANGES[change]
        one = person(kdc, f"{change}ed")
        chat = one.spawn("chat", login=True)
        chat.expect("Logged in as")
        kdc.admin(*(f"{change}ed" if word == "alice" else word for word in arguments))
        chat.expect(words)


def test_show_of_somebody_who_is_in_tells_all_that_happened(started):
    kdc = started()
    with connect(kdc) as alice, connect(kdc, "bob"), connect(kdc) as guesser:
        with pytest.raises(Refused):
            alice.login("alice", WRONG)  # before her last login
        alice.login("alice", PASSWORD)
        for _ in range(2):
            with pytest.raises(Refused):
                guesser.login("alice", WRONG)
        alice.open("bob")
        alice.open("bob")
        shown = wait_until("all is on record", lambda: (one := kdc.admin_json("user", "show", "alice"))["failures"] == 2
                           and one["keys_issued"] == 2 and one)
        text = kdc.admin("user", "show", "alice").stdout
        listed, = kdc.admin_json("user", "list", "--name", "alice")
    now = datetime.datetime.now(datetime.timezone.utc)
    for when in (shown["last_login"], shown["sessions"][0]["since"], listed["last_login"]):
        seconds = (now - datetime.datetime.fromisoformat(when.replace("Z", "+00:00"))).total_seconds()
        assert 0 <= seconds < 60 * SLOWER
    assert shown["conversations"] == 1
    assert len(shown["sessions"]) == 1 and re.fullmatch(r"127\.0\.0\.1:\d+", shown["sessions"][0]["source"])
    for line in (r"last login +\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", "failures since +2", "conversations +1", "keys issued +2",
                 r"session +since \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ from 127\.0\.0\.1:\d+"):
        assert re.search(f"^{line}$", text, re.MULTILINE), line
    wait_until("alice has left", lambda: kdc.admin_json("user", "show", "alice")["sessions"] == [])
    assert re.search("^session +none$", kdc.admin("user", "show", "alice").stdout, re.MULTILINE)


# --- Policy ------------------------------------------------------------------------------------------------------

def test_who_registers_is_asked_for_a_password_that_policy_takes(kdcd):
    kdc = kdcd(policy={"password_min": 10, "login_tries": 100})
    kdc.known_fingerprint = kdc.fingerprint
    with connect(kdc) as client:
        for password, reason in (("nine byte", "password_short"), ("qwertyuiop", "password_common"),
                                 ("I am CAROL!!", "password_common"), ("x" * 73, "password_long")):
            with pytest.raises(Refused) as refused:
                client.register("carol", password)
            assert refused.value.reason == reason
        client.register("carol", "correct horse")


# --- The audit log -----------------------------------------------------------------------------------------------

@pytest.fixture
def smtp(folder):
    authority = make_authority(folder)
    server = SmtpServer(make_certificate(folder, authority)).start()
    server.ca = authority[1]
    yield server
    server.stop()


def password_file(folder):
    """With the password that everybody has here."""
    path = folder / "a-password"
    path.touch(mode=0o600)
    path.write_text(PASSWORD)
    return path


def test_each_kind_of_event_is_recorded_when_it_happens(kdcd, smtp, folder):
    """All that audit_events.h names, by doing it; each with who, from where, when, and what came of it."""
    begin = datetime.datetime.utcnow()
    kdc = kdcd(start=False)
    kdc.configure(policy={"registration": "email", "login_tries": 100},
                  penalties={"enabled": None, "account_failures": 2, "delay_max": 0},
                  mail={"server": "localhost", "port": smtp.port, "from": "chat@example.com", "ca": smtp.ca},
                  registration={"unactivated_days": 3})
    kdc.start()
    kdc.known_fingerprint = kdc.fingerprint
    # People.
    with connect(kdc) as bob:
        assert refusal_of(bob.register, "bob", PASSWORD, email="bob@example.org") == "account_pending"
        assert refusal_of(bob.register, "bob", "short", email="bob@example.org") == "password_short"
        bob.activate("bob", PASSWORD, smtp.code())
        kdc.admin("user", "add", "alice", "--password-file", password_file(folder))
        with connect(kdc, "alice") as alice:
            ticket = alice.ticket
            bob.open("alice")
            alice.change_password(PASSWORD, NEW)
            ticket = alice.ticket
        wait_until("tickets are taken", lambda: comes_back(kdc, ticket))
        bob.deactivate()
        bob.send_message("deactivate", request=99, code=smtp.code(2).encode())
        assert read_end(bob) == "account_disabled"
        bob.name = None
    for source in ("127.0.0.5", "127.0.0.6"):
        with connect(kdc, source=source) as guesser:
            assert refusal_of(guesser.login, "mallory", WRONG) == "login_failed"
    with connect(kdc) as carol:
        assert refusal_of(carol.register, "carol", PASSWORD, email="carol@example.org") == "account_pending"
    # The operator.
    with connect(kdc, "alice", NEW) as alice:
        kdc.admin("kick", "alice")
        assert read_end(alice) == "kicked"
    kdc.admin("penalties", "clear", "mallory")
    for command in (("lock", "alice"), ("unlock", "alice"), ("disable", "alice"), ("enable", "alice"),
                    ("rename", "alice", "alicia"), ("passwd", "alicia", "--generate"), ("set", "alicia", "--expires", "2099-01-01"),
                    ("export", folder / "users.csv"), ("delete", "alicia", "--yes")):
        kdc.admin("user", *command)
    (folder / "one.jsonl").write_text('{"name": "dave", "password": "correct horse"}\n')
    kdc.admin("user", "import", folder / "one.jsonl")
    made, = kdc.admin_json("invite", "new")
    kdc.admin("invite", "revoke", made["id"])
    kdc.database.query("UPDATE users SET created = UTC_TIMESTAMP(3) - INTERVAL 9 DAY WHERE name = 'carol'")
    kdc.stop()
    kdc.start()  # a round comes at once
    kdc.wait_log("removed accounts that were never activated")
    kdc.stop()
    kdc.database.query("DROP PROCEDURE kdc_journal")
    kdc.admin("db", "migrate")
    (kdc.folder / "kdc-identity").rename(kdc.folder / "older-identity")
    kdc.admin("identity", "init")
    kdc.admin("db", "backup", folder / "backup.sql")
    kdc.admin("db", "restore", folder / "backup.sql", "--replace", "--yes")
    found = kdc.database.query("SELECT time, event, user, peer, source, outcome, actor FROM audit ORDER BY id")
    known = set(re.findall(r'^#define AUDIT_(?!OK)\w+ "(.*?)"', (ROOT / "kdc" / "audit_events.h").read_text(), re.MULTILINE))
    assert {row[1] for row in found} == known
    for when, event, user, peer, source, outcome, actor in found:
        assert begin - datetime.timedelta(seconds=1) <= when <= datetime.datetime.utcnow(), event
        if event == "account removed":
            continue
        if actor:
            assert source == "kdc-admin" and re.fullmatch(r"\w+\(\d+\)@[\w.-]+", actor) and outcome == "ok", event
        else:
            assert re.fullmatch(r"127\.0\.0\.\d:\d+", source) and user, event
    outcomes = {(row[1], row[2], row[5]) for row in found}
    for expected in (("register", "bob", "password_short"), ("register", "bob", "account_pending"), ("activate", "bob", "ok"),
                     ("login", "mallory", "login_failed"), ("locked out", "mallory", "penalty"), ("resume", "alice", "ok"),
                     ("password change", "alice", "ok"), ("deactivate", "bob", "ok"), ("account removed", "carol", "ok")):
        assert expected in outcomes, (expected, sorted(outcomes))
    # Never a secret in it, however it looks.
    text = kdc.admin("audit", "--json", "--limit", "all").stdout
    codes = [re.search(r"\b\d{6}\b", mail["text"])[0] for mail in smtp.mails]
    for secret in (PASSWORD, NEW, WRONG, made["code"], "$2b$", *(f'"{code}"' for code in codes)):
        assert secret not in text
