"""The database's bad days, each with a real MariaDB and a real kdcd, while two people talk all along.

On each day: the two don't notice; logins, new conversations and tickets get what is documented, quickly; `kdc-admin status` and
the log say what is wrong, and the log isn't flooded; when the day is over all is well again by itself and without a rush; and
nothing that was acknowledged is lost."""
import contextlib
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

import pymysql
import pytest

from interop.attack import PASSWORD, connect
from interop.client import Refused
from support.chat import Person
from support.kdcd import Database, Kdcd
from support.mariadb import MariaDb
from support.programs import SLOWER, wait_until
from support.timing import clock

BUSY = 10  # kdc-chat's exit status: temporarily unavailable
QUICK = 4.5  # seconds: the timeouts below, and what a handshake and a bcrypt take beside everything else
TIMEOUTS = {"read_timeout": 2, "connect_timeout": 2}
PEOPLE = ("alice", "bob", "carol", "dave", "erin")


class Talk(threading.Thread):
    """Alice and bob write to each other all along, one text at a time; how long each took on its way."""

    def __init__(self, kdc):
        super().__init__()
        self.alice, self.bob = connect(kdc, "alice"), connect(kdc, "bob")
        self.alice.open("bob")
        self.bob.wait_for(lambda: "alice" in self.bob.conversations)
        self.took = []
        self.failure = None
        self.over = threading.Event()

    def exchange(self, number):
        for speaker, listener in ((self.alice, self.bob), (self.bob, self.alice)):
            begin = clock()
            speaker.send_text(listener.name, f"text {number}", wait=False)
            assert listener.receive(timeout=5 * SLOWER) == [(speaker.name, f"text {number}")]
            self.took.append(clock() - begin)
            speaker.flush(listener.name)

    def run(self):
        try:
            number = 0
            while not self.over.wait(0.05):
                self.exchange(number)
                number += 1
        except BaseException as error:  # whatever it is, the test has to tell it
            self.failure = error

    def end(self):
        self.over.set()
        self.join(30 * SLOWER)
        if self.failure is not None:
            raise self.failure
        assert len(self.took) >= 4, "they have talked"
        assert max(self.took) < 1 * SLOWER, f"a text took {max(self.took)} s"
        for one in (self.alice, self.bob):
            one.__exit__(None, None, None)


class Day:
    """A kdcd on a database that has trouble. What people did and what they were told is kept, to be compared at the end."""

    def __init__(self, mariadb, folder, kdc_folder):
        self.mariadb = mariadb
        self.folder = pathlib.Path(folder)
        self.database = Database(mariadb, folder)
        self.kdc = Kdcd(self.database, kdc_folder, threads={"workers": 3})
        self.kdc.configure(**{"database": TIMEOUTS})
        self.kdc.start()
        self.kdc.known_fingerprint = self.kdc.fingerprint
        self.kdc.add_user(PEOPLE[0])
        for name in PEOPLE[1:]:
            self.query("INSERT INTO users (name, hash, state, created) SELECT %s, hash, 'active', created FROM users"
                       " WHERE name = %s", (name, PEOPLE[0]))
        self.logins = 0
        self.resumes = 0
        self.keys = set()  # (conversation, epoch) that somebody holds
        self.dave, self.erin = connect(self.kdc, "dave"), connect(self.kdc, "erin")
        self.ticket = self.dave.ticket
        self.talk = Talk(self.kdc)
        self.logins += 4
        self.talk.start()
        self.log_from = 0

    def query(self, *arguments):
        return self.database.query(*arguments)

    def begin(self):
        wait_until("all that happened is on record", lambda: self.waiting() == 0)
        self.log_from = len(self.kdc.log())
        self.since = time.monotonic()

    def log(self):
        return self.kdc.log()[self.log_from:]

    def login(self, name="carol"):
        """What a login gets: "in", or a reason; never late."""
        with connect(self.kdc, timeout=20 * SLOWER) as client:
            begin = clock()
            try:
                client.login(name, PASSWORD)
                self.logins += 1
                answer = "in"
            except Refused as refused:
                answer = refused.reason
                assert answer != "unavailable" or refused.retry_after > 0
            assert clock() - begin < QUICK * SLOWER
        return answer

    def open(self):
        """What dave gets when he wants a new key for his conversation with erin."""
        begin = clock()
        try:
            self.dave.open("erin")
            epoch = self.dave.conversations["erin"].epoch
            self.keys.add((self.dave.conversations["erin"].number, epoch.number))
            answer = "opened"
        except Refused as refused:
            answer = refused.reason
            assert answer != "unavailable" or refused.retry_after > 0
        assert clock() - begin < QUICK * SLOWER
        return answer

    def resume(self):
        """Whether dave comes back by his ticket."""
        try:
            with connect(self.kdc, ticket=self.ticket) as client:
                if client.name is None:
                    return "asked"
                self.dave.__exit__(None, None, None)
                self.resumes += 1
        except Refused as refused:
            return refused.reason
        self.dave = connect(self.kdc, ticket=client.ticket)
        assert self.dave.name == "dave"
        self.ticket = self.dave.ticket
        self.resumes += 1
        return "resumed"

    def waiting(self):
        status = self.kdc.admin_json("status")
        return status["journal_issues_waiting"] + status["journal_events_waiting"]

    def status(self):
        """What is wrong with the database, in the operator's words; or nothing."""
        status = self.kdc.admin_json("status")
        return status.get("database_failing", "") if status["database_up"] else "gone: " + status["database_last_error"]

    def told(self, words, passing=False):
        """Status and log say it, and the log not more than once a second. `passing`: by now the next call may have gone well."""
        if passing:
            wait_until(f"the last error tells {words}", lambda: re.search(
                words, self.kdc.admin_json("status")["database_last_error"]), 8)
        else:
            wait_until(f"status tells {words}: {self.status()}", lambda: re.search(words, self.status()), 8)
        self.kdc.wait_log(words, since=self.log_from)
        self.not_flooded()

    def not_flooded(self):
        lines = [line for line in self.log().splitlines() if " database " in line]
        assert len(lines) <= 4 + 2 * (time.monotonic() - self.since), "\n".join(lines)

    def connections(self):
        """How many have ever tried to connect to the server."""
        return int(self.query("SHOW GLOBAL STATUS LIKE 'Connections'")[0][1])

    def recovered(self, seconds=8):
        wait_until("logins go again", lambda: self.login() == "in", seconds)
        wait_until("conversations begin again", lambda: self.open() == "opened", 5)
        wait_until(f"status has nothing to tell: {self.status()}", lambda: not re.search(
            "gone|kdc_journal|kdc_user_find|kdc_account_changes", self.status()), 5)
        wait_until("tickets are taken again", lambda: self.resume() == "resumed", 5)
        self.not_flooded()

    def recovers_without_a_rush(self, cure):
        """`cure` returns the connections counted until then. More than one for each worker, the journal and us is a rush."""
        before = cure()
        time.sleep(1)
        came = self.connections() - before
        self.recovered()
        assert came <= 3 + 2 + 1 + 3, f"{came} connections in the first second"

    def nothing_is_lost(self, twice=0):
        """Whoever was let in stands in the audit log, and each key that was handed out. `twice`: so many more may."""
        wait_until("what waited is on record", lambda: self.waiting() == 0)
        assert self.kdc.admin_json("status")["journal_events_dropped_total"] == 0
        count = dict(self.query("SELECT event, COUNT(*) FROM audit WHERE outcome = 'ok' GROUP BY event"))
        assert self.logins <= count["login"] <= self.logins + twice
        assert self.resumes <= count.get("resume", 0) <= self.resumes + twice
        issued = {tuple(map(int, re.match(r"conversation (\d+) epoch (\d+)", detail).groups()))
                  for detail, in self.query("SELECT detail FROM audit WHERE event = 'key issued'")}
        assert self.keys <= issued
        last = dict(self.query("SELECT id, epoch FROM conversations"))
        for conversation, epoch in self.keys:
            assert epoch <= last[conversation]

    def end(self):
        self.talk.end()
        for one in (self.dave, self.erin):
            one.__exit__(None, None, None)
        assert "internal" not in self.log()
        self.kdc.stop()


@pytest.fixture(scope="module")
def server(new_folder, mariadb_template):
    """One for all days: each leaves it as it was."""
    started = MariaDb(new_folder(), mariadb_template)
    started.start()
    yield started
    started.stop()


@pytest.fixture
def day(server, new_folder):
    made = Day(server, new_folder(), new_folder())
    try:
        yield made
        made.end()
    finally:
        made.talk.over.set()
        made.talk.join(10)
        if made.kdc.process is not None:
            made.kdc.kill()
        if server.process is None:
            server.start()
        server.resume()


# --- Gone --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_a_database_that_is_not_there(day, sig):
    day.begin()
    day.mariadb.stop(sig)
    for _ in range(3):
        assert day.login() == "unavailable"
        assert day.open() == "unavailable"
    assert day.resume() == "resumed"
    day.told("(?i)connect")
    assert day.status().startswith("gone: ")

    def start():
        day.mariadb.start()
        return 0
    day.recovers_without_a_rush(start)
    day.nothing_is_lost(twice=1)


def test_kdc_chat_says_that_the_database_is_unavailable_and_to_try_again(day, new_folder):
    person = Person(new_folder(), day.kdc, "carol")
    begin = time.monotonic()
    day.begin()
    day.mariadb.stop()
    done = person.run("send", "dave", "hello")
    assert done.returncode == BUSY, done.stderr
    assert "database" in done.stderr and "try again" in done.stderr, done.stderr
    assert time.monotonic() - begin < 30 * SLOWER
    day.mariadb.start()
    day.recovered()


def test_restarts_one_after_the_other(day):
    day.begin()
    for _ in range(2):
        day.mariadb.stop(signal.SIGKILL)
        assert {day.login(), day.open()} == {"unavailable"}
        day.mariadb.start()
    day.recovered()
    day.nothing_is_lost(twice=2)


# --- Silent ------------------------------------------------------------------------------------------------------

def test_a_database_that_hangs_for_longer_than_the_timeout(day):
    day.begin()
    day.mariadb.pause()
    for _ in range(3):
        assert day.login() == "unavailable"
        assert day.open() == "unavailable"
    assert day.resume() == "resumed"
    day.told("(?i)no answer|handshake|connect")
    day.kdc.wait_log("no answer within 2 s", since=day.log_from)
    time.sleep(max(0, day.since + 4.5 - time.monotonic()))

    def resume():
        day.mariadb.resume()
        return day.connections()
    day.recovers_without_a_rush(resume)
    day.nothing_is_lost(twice=2)


# --- Connections -------------------------------------------------------------------------------------------------

def kill_all(day):
    """Ends kdcd's connections, and tells how many there were."""
    numbers = day.query("SELECT id FROM information_schema.processlist WHERE user = %s", (day.database.user,))
    for number, in numbers:
        with contextlib.suppress(pymysql.err.OperationalError):
            day.query(f"KILL {number}")
    return len(numbers)


def test_connections_are_killed_one_after_the_other(day):
    day.begin()
    over = threading.Event()
    killed = []

    def kill():
        while not over.wait(0.05):
            killed.append(kill_all(day))
    killer = threading.Thread(target=kill)
    killer.start()
    answers = {"in": 0, "unavailable": 0}
    opened = {"opened": 0, "unavailable": 0}
    try:
        end = day.since + 3
        while time.monotonic() < end or 0 in (answers["in"], opened["opened"]) and time.monotonic() < end + 20:
            answers[day.login()] += 1
            opened[day.open()] += 1
    finally:
        over.set()
        killer.join()
    assert sum(killed) > 5
    # Each asks several times, and only what was cut off in the middle can't be asked again.
    assert answers["in"] > 0 and opened["opened"] > 0, (answers, opened)
    day.recovered()
    day.nothing_is_lost(twice=sum(killed))


def executing(day):
    """Connections that are in a procedure (which has its definer's name there)."""
    return {number for number, in day.query("SELECT id FROM information_schema.processlist WHERE command = 'Execute'")}


def test_a_connection_that_dies_in_the_middle_of_a_batch_is_not_taken_for_done(day):
    """The key isn't handed out, whether its issue is on record or not; what was to be recorded is, once at least."""
    killed = set()
    day.begin()
    for _ in range(2):
        with day.database.connect_admin() as holder, holder.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT * FROM conversations FOR UPDATE")
            day.dave.send_message("open", request=900, peer="erin")
            number, *_ = wait_until("the journal waits for the lock", lambda: executing(day) - killed)
            killed.add(number)
            day.query(f"KILL {number}")
            refused = day.dave.wait_for(lambda: day.dave._replies.pop(900, None))
            cursor.execute("ROLLBACK")
        assert refused["reason"] == "unavailable" and refused["retry_after"] > 0
        day.recovered()
    day.nothing_is_lost(twice=2)


def test_a_server_that_is_out_of_connections(day):
    day.query("CREATE USER IF NOT EXISTS crowd@localhost")
    (most,), = day.query("SELECT @@GLOBAL.max_connections")
    crowd = []

    def leave():
        for one in crowd:
            one.close()
        day.query(f"SET GLOBAL max_connections = {most}")
        return day.connections()
    day.begin()
    try:
        with day.database.connect_admin() as operator, operator.cursor() as cursor:
            cursor.execute("SET GLOBAL max_connections = 12")

            def crowded_out():
                """What kdcd's connections leave, the crowd takes; or kdcd again, if it is quicker."""
                cursor.execute("SELECT id FROM information_schema.processlist WHERE user = %s", (day.database.user,))
                own = cursor.fetchall()
                for number, in own:
                    with contextlib.suppress(pymysql.err.MySQLError):  # it is gone by now
                        cursor.execute(f"KILL {number}")
                with contextlib.suppress(pymysql.err.OperationalError):
                    while True:
                        crowd.append(day.mariadb.connect("crowd"))
                return not own
            wait_until("the crowd has all connections", crowded_out)
            cursor.execute("SHOW GLOBAL STATUS LIKE 'Connections'")
            before = int(cursor.fetchone()[1])
            for _ in range(2):
                assert day.login() == "unavailable"
                assert day.open() == "unavailable"
            time.sleep(2)
            cursor.execute("SHOW GLOBAL STATUS LIKE 'Connections'")
            tried = int(cursor.fetchone()[1]) - before
            assert tried < 40, f"kdcd tried to connect {tried} times in a few seconds"
            day.told("Too many connections")
    finally:
        before = leave()
    day.recovers_without_a_rush(lambda: before)
    day.nothing_is_lost(twice=1)


# --- It answers, and yet ... ---------------------------------------------------------------------------------------

def test_a_read_only_server(day):
    """Logins need nothing written at once; keys do."""
    day.begin()
    day.query("SET GLOBAL read_only = 1")
    try:
        for _ in range(3):
            assert day.login() == "in"
            assert day.open() == "unavailable"
        assert day.resume() == "resumed"
        day.told("read-only")
        assert not day.status().startswith("gone: ")
        with pytest.raises(Refused, match="unavailable"):
            connect(day.kdc).register("newcomer", PASSWORD)
    finally:
        day.query("SET GLOBAL read_only = 0")
    day.recovered()
    day.kdc.wait_log("a database call works again", since=day.log_from)
    day.nothing_is_lost()


@pytest.mark.parametrize("lock, logins", [
    ("SELECT * FROM conversations FOR UPDATE", "in"),
    ("LOCK TABLES users WRITE, conversations WRITE", "unavailable"),
], ids=["rows", "tables"])
def test_somebody_holds_a_lock_for_too_long(day, lock, logins):
    day.begin()
    with day.database.connect_admin() as holder, holder.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(lock)
        assert day.open() == "unavailable"
        assert day.login() == logins
        assert day.resume() == "resumed"
        day.told("[Ll]ock wait timeout", passing=True)
        cursor.execute("ROLLBACK")
        cursor.execute("UNLOCK TABLES")
    day.recovered()
    day.nothing_is_lost()


def test_a_deadlock_is_nobodys_concern(day):
    assert day.open() == "opened"
    (before,), = day.query("SELECT variable_value FROM information_schema.global_status"
                           " WHERE variable_name = 'Innodb_deadlocks'")
    day.query("CREATE TABLE weight (it INT)")
    day.begin()
    answers = []
    with day.database.connect_admin() as holder, holder.cursor() as cursor:
        cursor.execute("BEGIN")
        # The one that has done more is let live.
        cursor.execute("INSERT INTO weight SELECT seq FROM seq_1_to_1000")
        cursor.execute("SELECT * FROM conversations FOR UPDATE")
        opening = threading.Thread(target=lambda: answers.append(day.open()))
        day.login()
        locked = time.monotonic()
        opening.start()
        wait_until("kdcd waits for the conversation's row", lambda: executing(day))
        time.sleep(0.05)
        cursor.execute("UPDATE users SET last_login = last_login")
        cursor.execute("ROLLBACK")
        held = time.monotonic() - locked
        opening.join()
    (after,), = day.query("SELECT variable_value FROM information_schema.global_status"
                          " WHERE variable_name = 'Innodb_deadlocks'")
    if held > 0.9 and answers == ["unavailable"]:
        pytest.skip("the lock was held for longer than kdcd waits for one")
    assert answers == ["opened"]
    if after == before:
        pytest.skip("the login's row was written before the key's: there was no deadlock")
    assert " database " not in day.log()
    day.nothing_is_lost()


def wrong_password(day):
    day.query(f"ALTER USER `{day.database.user}`@localhost IDENTIFIED BY 'another one'")
    kill_all(day)


def old_schema(day):
    day.query("DELETE FROM schema_migrations WHERE number = (SELECT newest FROM (SELECT MAX(number) AS newest"
              " FROM schema_migrations) AS it)")
    kill_all(day)


def no_rights(day):
    day.query(f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM `{day.database.user}`@localhost")


def no_journal(day):
    day.query("DROP PROCEDURE kdc_journal")


@pytest.mark.parametrize("cause, words, logins, resumed", [
    (wrong_password, "password file", "unavailable", "asked"),
    (old_schema, "db migrate", "unavailable", "asked"),
    (no_rights, "kdc-admin db init", "unavailable", "asked"),
    (no_journal, "kdc-admin db init", "in", "resumed"),
], ids=["password", "schema", "rights", "procedure"])
def test_what_the_operator_has_to_mend(day, cause, words, logins, resumed):
    """Where changed accounts can't be asked for, tickets aren't taken either: others may go on changing accounts there."""
    day.begin()
    cause(day)
    time.sleep(2.2)  # until changed accounts have been looked for
    for _ in range(2):
        assert day.login() == logins
        assert day.open() == "unavailable"
    assert day.resume() == resumed
    day.told(words)
    assert re.search(r" error .*database", day.log()), "it stands out"
    if cause is old_schema:
        day.query("INSERT INTO schema_migrations SELECT MAX(number) + 1, 'again', UTC_TIMESTAMP(3) FROM schema_migrations")
    else:
        day.database.admin("db", "init")
    day.recovered()
    day.nothing_is_lost()


# --- A full disk ---------------------------------------------------------------------------------------------------

@pytest.fixture
def small_disk(new_folder, mariadb_template):
    """small_disk(*options): a MariaDB whose data lie on a small tmpfs; .fill() takes all room, .empty() gives it back."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    folder = new_folder()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200m,mode=0700", "tmpfs", folder], check=False,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"a small disk can't be mounted here: {mounted.stdout.strip()}")
    started = []

    def start(*options):
        one = MariaDb(folder, mariadb_template)
        one.start(*options)
        started.append(one)
        filler = folder / "filler"

        def fill():
            with contextlib.suppress(OSError), filler.open("ab", buffering=0) as file:
                while True:
                    file.write(bytes(1 << 16))
            with contextlib.suppress(OSError), filler.open("ab", buffering=0) as file:
                while True:
                    file.write(bytes(512))
        one.fill = fill
        one.empty = lambda: filler.unlink(missing_ok=True)
        return one
    try:
        yield start
    finally:
        for one in started:
            one.empty()
            one.stop(signal.SIGKILL)
        subprocess.run(["umount", folder], check=False)


@pytest.mark.plain
@pytest.mark.parametrize("options, words", [
    ((), "make room"),
    (("--log-bin=binary", "--server-id=1", "--binlog-format=ROW"), "make room|disk is full|[Ll]ock wait"),
], ids=["data", "binary log"])
def test_a_full_disk(small_disk, new_folder, options, words):
    day = Day(small_disk(*options), new_folder(), new_folder())
    try:
        assert day.open() == "opened"
        day.begin()
        day.mariadb.fill()
        # The server has some room set aside in its files yet. (Who writes a binary log waits for room there.)
        for rows in () if options else (100, 10, 1):
            with contextlib.suppress(pymysql.err.Error), day.database.connect_admin() as writer, writer.cursor() as cursor:
                cursor.execute("SET SESSION max_statement_time = 1")
                for _ in range(2000):
                    cursor.execute("INSERT INTO audit (time, event, user, source, detail) SELECT UTC_TIMESTAMP(3), 'filler',"
                                   f" 'dave', 'x', CONCAT(RAND(), REPEAT('x', 220)) FROM seq_1_to_{rows}")
        end = time.monotonic() + 20
        while day.open() == "opened":
            assert time.monotonic() < end
            assert day.login() in ("in", "unavailable")
        for _ in range(3):
            assert day.open() == "unavailable"
            assert day.login() in ("in", "unavailable")
        assert day.resume() == "resumed"
        day.told(words, passing=bool(options))
        day.mariadb.empty()
        if options:
            day.kdc.wait_log("no answer within 2 s", since=day.log_from)
            # Whoever waits for room in a binary log looks for it once a minute.
            day.mariadb.stop(signal.SIGKILL)
            day.mariadb.start(*options)
        day.recovered()
        day.nothing_is_lost(twice=3)
        day.end()
    finally:
        day.talk.over.set()
        day.talk.join(10)
        if day.kdc.process is not None:
            day.kdc.kill()
