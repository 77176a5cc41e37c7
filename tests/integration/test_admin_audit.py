"""kdc-admin audit: what is recorded, how it is found again, followed and forgotten."""
import datetime
import json
import re
import signal
import subprocess
import time

import pytest

from support.admin_exit import DATABASE, OTHER, USAGE
from support.kdcd import Database, write_config
from support.programs import ROOT, environment, program, wait_until

FIELDS = {"id", "time", "event", "user", "peer", "source", "outcome", "actor", "detail"}


def documented():
    """The fixed set of events."""
    return set(re.findall(r'^#define AUDIT_(?!OK)\w+ "(.*?)"', (ROOT / "kdc" / "audit_events.h").read_text(), re.MULTILINE))


def put(database, *rows, **columns):
    """Events as kdcd writes them, one for each row: columns by name."""
    with database.connect_admin() as connection, connection.cursor() as cursor:
        for row in rows or ({},):
            one = {"time": datetime.datetime.utcnow(), "event": "login", "user": "alice", "source": "192.0.2.7:5000",
                   "detail": "", **columns, **row}
            cursor.execute(f"INSERT INTO audit ({', '.join(one)}) VALUES ({', '.join(['%s'] * len(one))})",
                           list(one.values()))


@pytest.fixture
def empty(database, admin):
    """admin, with an empty audit log whose numbers begin with 1."""
    assert database.query("SELECT COUNT(*) FROM audit") == ((0,),)
    return admin


def ids(admin, *options):
    return [one["id"] for one in admin.json("audit", *options)]


def test_everything_is_recorded_with_who_from_where_and_what_came_of_it(kdcd, person, folder):
    kdc = kdcd(policy={"login_tries": 5})
    kdc.admin("user", "add", "carol", "--generate")
    alice, bob = person(kdc, "alice"), person(kdc, "bob")
    listener = bob.start("listen", "--json", "--count", "1")
    wait_until("bob listens", lambda: len(kdc.admin_json("who")) == 1)
    done = alice.run("send", "bob", "hello")
    assert done.returncode == 0
    listener.wait()
    mallory = person(kdc, "mallory", account=False)
    mallory.password = "wrong password 1"
    mallory.run("send", "bob", "hello")
    short = person(kdc, "alice2", "short", account=False)
    short.run("register")
    kdc.admin("user", "lock", "alice")
    assert alice.run("send", "bob", "x").returncode != 0
    kdc.admin("user", "export", folder / "users.csv")

    def rows():
        return kdc.database.query("SELECT event, user, outcome, source, actor, peer FROM audit ORDER BY id")
    wait_until("the refused login is on record",
               lambda: ("login", "alice", "account_locked") in [row[:3] for row in rows()])
    found = rows()
    assert {row[0] for row in found} <= documented()
    short_rows = [row[:3] for row in found]
    for expected in (("user added", "carol", "ok"), ("login", "alice", "ok"), ("login", "bob", "ok"),
                     ("key issued", "alice", "ok"), ("login", "mallory", "login_failed"), ("user locked", "alice", "ok"),
                     ("users exported", "", "ok")):
        assert expected in short_rows, (expected, found)
    for event, _, _, source, actor, peer in found:
        if event in ("login", "resume", "register", "key issued"):
            assert re.fullmatch(r"127\.0\.0\.1:\d+", source) and actor == ""
        else:
            assert source == "kdc-admin" and re.fullmatch(r"\w+\(\d+\)@[\w.-]+", actor)
        assert (peer == "bob") == (event == "key issued")


def test_no_secret_is_in_the_audit_log(kdcd, person, folder):
    kdc = kdcd()
    password = "a secret that nobody knows"
    alice = person(kdc, "alice", password)
    person(kdc, "bob")
    assert alice.run("send", "alice", "x").returncode is not None
    wrong = person(kdc, "alice", password + " not", account=False)
    wrong.run("send", "bob", "x")
    kdc.admin("db", "backup", folder / "backup")
    (hash_,), = kdc.database.query("SELECT hash FROM users WHERE name = 'alice'")
    wait_until("the logins are on record", lambda: kdc.database.query(
        "SELECT 1 FROM audit WHERE event = 'login' AND outcome = 'login_failed'"))
    text = str(kdc.database.query("SELECT * FROM audit"))
    text += kdc.admin("audit", "--json", "--limit", "all").stdout
    seed = (kdc.folder / "kdc-identity").read_text().strip()
    for secret in (password, hash_, hash_[29:], kdc.database.password, seed, "$2b$"):
        assert secret not in text


def test_a_new_identity_and_changes_of_the_database_are_recorded(database, admin, folder):
    admin("db", "init")
    database.query("DROP PROCEDURE kdc_journal")
    database.query("DELETE FROM schema_migrations WHERE number = 6")
    admin("db", "migrate")
    admin.sections["identity"]["file"] = folder / "another-identity"
    write_config(admin.config, admin.sections)
    admin("identity", "init")
    admin("identity", "init")
    found = admin.json("audit")
    assert [(one["event"], one["detail"]) for one in found] == [
        ("database changed", "migration 0006_audit"),
        ("identity made", admin("identity", "show", "--fingerprint").stdout.strip())]


def test_a_kick_is_recorded(started, person):
    kdc = started()
    alice = person(kdc, "alice", account=False)
    alice.start("listen", "--json")
    wait_until("alice is in", lambda: kdc.admin_json("who"))
    kdc.admin("kick", "alice")
    assert [one["user"] for one in kdc.admin_json("audit", "--event", "user kicked")] == ["alice"]


def test_events_are_found_by_each_filter(database, empty):
    now = datetime.datetime.utcnow()
    put(database,
        {"event": "login"},
        {"event": "login", "user": "bob", "source": "[2001:db8::1]:4000", "outcome": "login_failed"},
        {"event": "key issued", "user": "bob", "peer": "alice", "source": "[2001:db8::1]:4000"},
        {"event": "user locked", "user": "carol", "source": "kdc-admin", "actor": "root(0)@kdc"},
        {"event": "login", "user": "dave", "source": "192.0.2.70:1", "outcome": "penalty"},
        {"event": "login", "user": "alice", "time": now - datetime.timedelta(days=10)})
    assert ids(empty) == [1, 2, 3, 4, 5, 6]
    for options, expected in (
            (("--user", "ALICE"), [1, 3, 6]), (("--user", "nobody"), []), (("--event", "login"), [1, 2, 5, 6]),
            (("--event", "user locked"), [4]), (("--source", "192.0.2.7"), [1, 6]), (("--source", "192.0.2.*"), [1, 5, 6]),
            (("--source", "2001:db8::1"), [2, 3]), (("--source", "kdc-admin"), [4]), (("--source", "192.0.2.7:5000"), [1, 6]),
            (("--source", "_92.0.2.7"), []), (("--outcome", "ok"), [1, 3, 4, 6]), (("--outcome", "failed"), [2, 5]),
            (("--outcome", "penalty"), [5]), (("--since", "2h"), [1, 2, 3, 4, 5]), (("--until", "2h"), [6]),
            (("--since", "2w", "--until", "9d"), [6]), (("--since", f"{now:%Y-%m-%d}"), [1, 2, 3, 4, 5]),
            (("--limit", "2"), [5, 6]), (("--limit", "0"), []), (("--limit", "all"), [1, 2, 3, 4, 5, 6]),
            (("--after", "4"), [5, 6]), (("--after", "1", "--limit", "2"), [2, 3]), (("--before", "3"), [1, 2]),
            (("--before", "5", "--limit", "2"), [3, 4]), (("--after", "2", "--before", "5"), [3, 4]),
            (("--user", "bob", "--outcome", "ok", "--event", "key issued"), [3]),
            (("--user", "alice", "--limit", "1"), [6]), (("--user", "alice", "--after", "1", "--limit", "1"), [3])):
        assert ids(empty, *options) == expected, options
    one, = empty.json("audit", "--after", "3", "--limit", "1")
    assert set(one) == FIELDS and one["actor"] == "root(0)@kdc" and one["time"].endswith("Z")
    lines = empty("audit", "--event", "user locked").stdout.splitlines()
    assert lines[0].split() == ["ID", "TIME", "EVENT", "USER", "SOURCE", "OUTCOME", "BY", "DETAIL"]
    assert re.fullmatch(r"4 +\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ +user locked +carol +kdc-admin +ok +root\(0\)@kdc +", lines[1])
    assert empty("audit", "--user", "nobody").stdout == "There is no such event.\n"


@pytest.mark.parametrize("options", [
    ("--user", "not a name!"), ("--event", "frob"), ("--outcome", "frob"), ("--since", "yesterday"), ("--until", "3x"),
    ("--limit", "-1"), ("--limit", "many"), ("--after", "alice"), ("--before", ""), ("--source", "x" * 65), ("--source", ""),
    ("--follow", "--until", "1h"), ("--since", "99999999999d"), ("--yes",), ("extra",)])
def test_bad_filters_are_told(empty, options):
    done = empty("audit", *options, status=USAGE)
    assert done.stdout == ""


def test_pages_of_many_events_lack_none(database, empty):
    put(database, *({"detail": str(number)} for number in range(1203)))
    assert ids(empty, "--limit", "all") == list(range(1, 1204))
    assert ids(empty, "--limit", "1100") == list(range(104, 1204))
    assert ids(empty, "--since", "1h") == ids(empty, "--since", "1h", "--until", "2099-01-01") == list(range(1, 1204))
    database.query("UPDATE audit SET time = time - INTERVAL 2 DAY WHERE id BETWEEN 51 AND 1150 AND id <> 700")
    assert ids(empty, "--since", "3d", "--until", "1d") == [number for number in range(51, 1151) if number != 700]
    assert ids(empty, "--until", "1d", "--limit", "500") == list(range(650, 700)) + list(range(701, 1151))
    assert ids(empty, "--since", "1h") == [*range(1, 51), 700, *range(1151, 1204)]
    database.query("UPDATE audit SET time = UTC_TIMESTAMP()")
    assert ids(empty) == list(range(1104, 1204))
    seen, before = [], None
    while True:
        page = ids(empty, "--limit", "500", *(("--before", str(before)) if before else ()))
        if not page:
            break
        seen, before = page + seen, page[0]
    assert seen == list(range(1, 1204))
    assert len(empty("audit", "--limit", "1100").stdout.splitlines()) == 1101


def test_control_characters_never_reach_the_terminal(database, empty):
    put(database, {"user": "a\x1b[2Jb", "detail": "x\ny\u202e\x7f", "source": "\x07", "actor": "\x9b1m"})
    shown = empty("audit").stdout
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", shown) and len(shown.splitlines()) == 2
    raw = empty("audit", "--json").stdout
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", raw)
    assert json.loads(raw)[0]["user"] == "a\x1b[2Jb"


# --- --follow ------------------------------------------------------------------------------------------------------


@pytest.fixture
def follow(admin, folder):
    """follow(*options) starts kdc-admin audit --follow --json; lines() are the events so far."""
    processes = []

    class Following:
        def __init__(self, *options, config=admin.config):
            self.out = folder / f"follow-{len(processes)}"
            self.errors = folder / f"follow-errors-{len(processes)}"
            with self.out.open("wb") as out, self.errors.open("wb") as errors:
                self.process = subprocess.Popen(
                    [program("kdc-admin"), "--config", str(config), "audit", "--follow", *options], stdin=subprocess.DEVNULL,
                    stdout=out, stderr=errors, env=environment(folder), cwd=folder)
            processes.append(self.process)

        def lines(self):
            return [json.loads(line) for line in self.out.read_text().splitlines(keepends=True) if line.endswith("\n")]

        def ids(self):
            return [one["id"] for one in self.lines()]

        def end(self, sig=signal.SIGINT):
            self.process.send_signal(sig)
            return self.process.wait(10)
    yield Following
    for process in processes:
        process.kill()
        process.wait()


def test_follow_shows_the_last_ones_and_then_what_comes(database, empty, follow):
    put(database, *({"detail": str(number)} for number in range(15)))
    following = follow("--json")
    wait_until("the last ten", lambda: following.ids() == list(range(6, 16)))
    put(database, {"user": "bob"})
    wait_until("the next", lambda: following.ids() == list(range(6, 17)))
    assert set(following.lines()[-1]) == FIELDS
    assert following.end() == 0
    assert following.errors.read_text() == ""


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGHUP])
def test_follow_ends_well_by_other_signals_too(empty, follow, sig):
    following = follow()
    wait_until("it waits", lambda: "--follow" in open(f"/proc/{following.process.pid}/cmdline", encoding="ascii").read())
    wait_until("it has asked", lambda: following.process.poll() is None and "sleep" in open(
        f"/proc/{following.process.pid}/wchan", encoding="ascii").read(), 10)
    assert following.end(sig) == 0


def test_follow_filters(database, empty, follow):
    put(database, {"user": "bob"}, {"user": "carol"})
    following = follow("--json", "--user", "carol", "--limit", "5")
    wait_until("the one that is there", lambda: following.ids() == [2])
    put(database, {"user": "bob"}, {"user": "carol"}, {"user": "dave", "peer": "carol", "event": "key issued"})
    wait_until("the new ones", lambda: following.ids() == [2, 4, 5])


def test_follow_shows_what_is_committed_late_and_nothing_twice(database, empty, follow):
    put(database)
    with database.connect_admin() as slow:
        slow.autocommit(False)
        with slow.cursor() as cursor:
            cursor.execute("INSERT INTO audit (time, event, user, source, detail) VALUES (NOW(), 'login', 'slow', 's', '')")
            following = follow("--json")
            wait_until("the first", lambda: following.ids() == [1])
            put(database, {"user": "quick"})
            wait_until("the quick one", lambda: following.ids() == [1, 3])
            slow.commit()
    wait_until("the slow one", lambda: following.ids() == [1, 3, 2])
    put(database, *[{}] * 600)
    wait_until("all others", lambda: following.ids() == [1, 3, 2, *range(4, 604)])
    assert following.end() == 0


def test_follow_survives_the_database(own_mariadb, folder, follow, new_folder):
    database = Database(own_mariadb, new_folder())
    put(database)
    following = follow("--json", config=database.config)
    wait_until("the first", lambda: following.ids() == [1])
    own_mariadb.stop(signal.SIGKILL)
    wait_until("that is told", lambda: "is waited for" in following.errors.read_text(), 20)
    own_mariadb.start()
    put(database)
    wait_until("the next", lambda: following.ids() == [1, 2], 30)
    wait_until("that is told, too", lambda: "can be read again" in following.errors.read_text())
    errors = following.errors.read_text().splitlines()
    assert len(errors) == 2 and "can be read again" in errors[1]
    assert following.end() == 0


def test_follow_without_a_database_fails_at_once(admin, folder):
    admin.sections["database"]["socket"] = folder / "nothing.sock"
    write_config(admin.config, admin.sections)
    assert "nothing.sock" in admin("audit", "--follow", status=DATABASE).stderr
    assert "nothing.sock" in admin("audit", status=DATABASE).stderr


def test_follow_ends_when_nobody_reads(database, empty, folder):
    with subprocess.Popen([program("kdc-admin"), "--config", str(empty.config), "audit", "--follow"], env=environment(folder),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        put(database)
        assert process.wait(20) == OTHER


# --- How long events are kept --------------------------------------------------------------------------------------


def test_old_events_are_removed_and_new_ones_stay(kdcd):
    kdc = kdcd(start=False, audit={"retention_days": 30})
    now = datetime.datetime.utcnow()
    put(kdc.database, *({"time": now - datetime.timedelta(days=40, seconds=number), "detail": "old"}
                        for number in range(2500)))
    put(kdc.database, {"time": now - datetime.timedelta(days=29), "detail": "young"})
    kdc.start()
    kdc.wait_log(r"removed old events from the audit log events=2500")
    assert kdc.database.query("SELECT detail FROM audit") == (("young",),)
    kdc.configure(audit={"retention_days": 28})
    kdc.reload()
    kdc.wait_log(r"removed old events from the audit log events=1\b")
    assert kdc.database.query("SELECT COUNT(*) FROM audit") == ((0,),)


def test_without_retention_events_stay(kdcd):
    kdc = kdcd(start=False)
    put(kdc.database, {"time": datetime.datetime(2001, 1, 1)})
    kdc.start()
    kdc.add_user("alice")
    with kdc.database.connect() as connection, connection.cursor() as cursor:
        cursor.callproc("kdc_audit_expire", (0, 1000))
        assert cursor.fetchall() == ((0,),)
    assert kdc.database.query("SELECT COUNT(*) FROM audit WHERE time < '2002-01-01'") == ((1,),)


# --- Many -----------------------------------------------------------------------------------------------------------


def test_filters_read_little_of_a_long_log(database, empty):
    """Of 100,000 events no question reads more than a few thousand rows: user, event and time have an index, and the newest come
    first."""
    database.query("""INSERT INTO audit (time, event, user, source, outcome, detail)
        SELECT UTC_TIMESTAMP() - INTERVAL (100001 - seq) * 10 SECOND, IF(seq MOD 1000 = 0, 'user locked', 'key issued'),
               CONCAT('user', seq MOD 997),
               CONCAT('10.0.', seq MOD 251, '.1:', seq MOD 60000), IF(seq MOD 50 = 0, 'penalty', 'ok'), ''
          FROM seq_1_to_100000""")
    database.query("UPDATE audit SET peer = 'bob' WHERE id MOD 5000 = 0")
    database.query("ANALYZE TABLE audit")
    with database.connect_admin() as connection, connection.cursor() as cursor:
        def reads():
            cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
            return sum(int(value) for _, value in cursor.fetchall())
        two_hours_ago = int(time.time() - 7200) * 1000
        for filters in (("", "", "", "", 0), ("user5", "", "", "", 0), ("bob", "", "", "", 0), ("", "user locked", "", "", 0),
                        ("", "", "10.0.7.1:%", "", two_hours_ago), ("", "", "203.0.113.7:%", "", two_hours_ago),
                        ("", "", "", "penalty", 0), ("", "", "", "failed", two_hours_ago), ("user500", "user locked", "", "", 0)):
            before = reads()
            cursor.execute("CALL admin_audit_list(0, 0, %s, %s, %s, %s, %s, 0, 100, 1)", filters)
            rows = cursor.fetchall()
            while cursor.nextset():
                pass
            assert reads() - before < 8000, filters
            assert rows or filters[0] == "user500" or filters[2] == "203.0.113.7:%"
        # Pages from the front on, as kdc-admin asks for what --since and --until leave, and from the back on up to a time long ago.
        oldest = int(time.time() - 99000 * 10) * 1000
        for event, source, outcome, since, until, backwards in (
                ("", "", "", two_hours_ago, 0, 0), ("", "203.0.113.7:%", "", two_hours_ago, 0, 0),
                ("", "", "penalty", two_hours_ago, 0, 0), ("key issued", "", "penalty", two_hours_ago, 0, 0),
                ("", "", "", 0, oldest, 1), ("", "203.0.113.7:%", "", 0, oldest, 1)):
            before = reads()
            cursor.execute("CALL admin_audit_list(0, 0, '', %s, %s, %s, %s, %s, 500, %s)",
                           (event, source, outcome, since, until, backwards))
            rows = cursor.fetchall()
            while cursor.nextset():
                pass
            assert reads() - before < 8000, (event, source, outcome, since, until, backwards)
            assert rows or source


@pytest.mark.parametrize("number, advice", [(1114, "make room on the database server's disk\n"), (1467, "see SHOW PROCESSLIST\n")])
def test_what_cant_be_put_on_record_is_done_and_told(database, admin, number, advice):
    admin("user", "add", "alice", text="correct horse\n")
    database.query("CREATE TRIGGER full BEFORE INSERT ON audit FOR EACH ROW SIGNAL SQLSTATE 'HY000'"
                   f" SET MYSQL_ERRNO = {number}, MESSAGE_TEXT = 'not now'")
    said = admin("user", "lock", "alice").stderr
    assert "that is done, but it isn't in the audit log" in said and advice in said
    assert admin.json("user", "show", "alice")["state"] == "locked"


def test_a_long_search_is_waited_for(database, empty):
    """For longer than for the answers that kdcd waits for."""
    empty.sections["database"]["read_timeout"] = 1
    write_config(empty.config, empty.sections)
    database.query("DROP PROCEDURE admin_audit_list")
    database.query("CREATE PROCEDURE admin_audit_list(a INT, b INT, c TEXT, d TEXT, e TEXT, f TEXT, g INT, h INT, i INT, j INT)"
                   " BEGIN DO SLEEP(1.5); SELECT 7, 1, 'login', 'alice', '', 'here', 'ok', '', '' FROM DUAL WHERE b <> 7; END")
    assert ids(empty, "--after", "6") == [7]
