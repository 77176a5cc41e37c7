"""The store against a real MariaDB: what its account may do, calls at once, and trouble with the database."""
import concurrent.futures
import json
import random
import re
import signal
import time

import pymysql
import pytest

from support.kdcd import Database, write_config
from support.probe import Probe, race
from support.programs import SLOWER, wait_until
from support.timing import clock

OWN_PROCEDURES = {
    "kdc_schema_version": (), "kdc_user_find": ("alice",), "kdc_register": ("alice", "hash", "active", "", "", 0, ""),
    "kdc_code_new": (1, "deactivate", "0", 60, 5, 5), "kdc_code_use": (1, "deactivate", "0"),
    "kdc_unactivated_remove": (7, 1), "kdc_source_known": (1, ""),
    "kdc_user_password": (1, "hash", "other", 0), "kdc_user_history": (1, 5),
    "kdc_user_rehash": (1, "hash", "other"), "kdc_account_changes": (0,), "kdc_audit_expire": (0, 1),
    "kdc_journal": ('{"issues": [[1, 2, "a", "b", "s"]], "events": [[1, 0, "event", "user", "source", "detail"]]}',),
}
ADMIN_PROCEDURES = {"writable_check": (), "admin_audit_list": (0, 0, "", "", "", "", 0, 0, 10, 0),
                    "admin_user_list": ("", "", "", 0, 0, 10), "admin_user_set_hash": (1, "hash", 0, 0),
                    "admin_user_set_must_change": ("alice",), "admin_user_set_expiry": ("alice", 0),
                    "admin_user_rename": ("alice", "bob"), "admin_user_add": ("alice", "hash", 0, 0),
                    "admin_user_figures": (1, "alice", 0),
                    "admin_user_set_state": ("alice", "locked"), "admin_user_free": ("alice", "locked"), "admin_user_delete": ("alice",),
                    "admin_contact_claim": (1, "email", "a@example.org", 0, 0), "admin_user_contacts": ("alice",),
                    "admin_user_set_contact": ("alice", "email", "a@example.org", 0),
                    "admin_invitation_new": ("[]", "", "", 0), "admin_invitation_list": (0, 10),
                    "admin_invitation_revoke": (1,),
                    "admin_user_export": ("", "", 10), "admin_user_import": ("check", "", "[]")}
REFUSED = {1044, 1045, 1142, 1143, 1227, 1370, 1410}  # the server's numbers for "you have no right"


@pytest.fixture
def probe(folder):
    started = []

    def make(database, **keys):
        config = folder / f"probe-{len(started)}.conf"
        sections = database.sections()
        sections["database"].update(keys)
        write_config(config, sections)
        started.append(Probe(config, folder))
        return started[-1]
    yield make
    for one in started:
        one.end()


def call(connection, procedure, arguments):
    with connection.cursor() as cursor:
        cursor.callproc(procedure, arguments)
        return cursor.fetchall()


# --- Rights ------------------------------------------------------------------------------------------------------


def test_kdcds_account_may_execute_its_procedures(database):
    with database.connect() as connection:
        for procedure, arguments in OWN_PROCEDURES.items():
            call(connection, procedure, arguments)
    assert database.query("SELECT name FROM users") == (("alice",),)
    assert database.query("SELECT event, user, source, detail FROM audit") == (
        ("event", "user", "source", "detail"), ("key issued", "a", "s", "conversation 1 epoch 1 with b"))


def test_kdcds_account_has_these_grants_and_no_others(database):
    grants = [row[0] for row in database.query(f"SHOW GRANTS FOR `{database.user}`@localhost")]
    usage = [grant for grant in grants if grant.startswith("GRANT USAGE ON *.* ")]
    executes = {re.match(r"GRANT EXECUTE ON PROCEDURE `\w+`\.`(\w+)` TO", grant)[1] for grant in grants
                if grant not in usage}
    assert len(usage) == 1 and executes == set(OWN_PROCEDURES)


@pytest.mark.parametrize("sql", [
    "SELECT * FROM users", "SELECT name FROM users", "SELECT * FROM conversations",
    "SELECT * FROM conversation_members",
    "SELECT * FROM audit", "SELECT * FROM schema_migrations", "SELECT user FROM mysql.user",
    "INSERT INTO users (name, hash, state, created) VALUES ('eve', 'x', 'active', NOW())",
    "INSERT INTO audit (time, event, user, source, detail) VALUES (NOW(), 'e', 'u', 's', 'd')",
    "UPDATE users SET hash = 'x'", "UPDATE conversations SET epoch = 0", "DELETE FROM users", "DELETE FROM audit",
    "TRUNCATE TABLE audit", "CREATE TABLE mine (id INT)", "CREATE TEMPORARY TABLE mine (id INT)", "DROP TABLE users",
    "ALTER TABLE users ADD COLUMN mine INT", "CREATE INDEX mine ON users (state)", "DROP PROCEDURE kdc_user_find",
    "CREATE PROCEDURE mine() SELECT 1", "CREATE VIEW mine AS SELECT 1 AS one", "CREATE DATABASE mine",
    "DROP DATABASE {database}", "CREATE USER mine@localhost", "GRANT EXECUTE ON {database}.* TO {user}@localhost",
    "SET GLOBAL general_log = 1", "SHOW CREATE TABLE users", "LOCK TABLES users READ",
    "SELECT 1 INTO OUTFILE '/tmp/never'", "LOAD DATA INFILE '/etc/hostname' INTO TABLE users",
    *(f"CALL {name}({', '.join(map(repr, arguments))})" for name, arguments in ADMIN_PROCEDURES.items()),
])
def test_kdcds_account_may_do_nothing_else(database, sql):
    with database.connect() as connection, connection.cursor() as cursor:
        with pytest.raises(pymysql.err.MySQLError) as refused:
            cursor.execute(sql.format(database=database.name, user=database.user))
    assert refused.value.args[0] in REFUSED, refused.value


def test_procedures_run_in_strict_mode_whatever_the_servers_is(database):
    rows = database.query("SELECT routine_name, sql_mode, security_type FROM information_schema.routines"
                          " WHERE routine_schema = DATABASE()")
    assert {row[0] for row in rows} == set(OWN_PROCEDURES) | set(ADMIN_PROCEDURES)
    for name, mode, security in rows:
        assert "STRICT_ALL_TABLES" in mode and security == ("INVOKER" if name == "writable_check" else "DEFINER")


# --- Calls -------------------------------------------------------------------------------------------------------


def test_an_account_is_found_added_once_and_changed(database, probe):
    kdc = probe(database)
    before = int(time.time() * 1000) - 1000
    assert kdc("find", "alice") == ["not_found"]
    result, number = kdc("add", "Alice", "$2b$10$first")
    assert result == "ok"
    assert kdc("add", "alice", "$2b$10$second") == ["exists", "0"]
    result, found, name, password_hash, state, created, last_login = kdc("find", "ALICE")
    assert (result, found, name, password_hash, state, last_login) == ("ok", number, "alice", "$2b$10$first", "1", "0")
    assert before <= int(created) <= int(time.time() * 1000) + 1000
    assert kdc("rehash", number, "$2b$10$first", "$2b$10$third") == ["ok"]
    assert kdc("rehash", number, "$2b$10$first", "$2b$10$late") == ["not_found"]
    assert kdc("login", number) == ["ok"]
    assert kdc("login", number) == ["ok"]
    found = kdc("find", "alice")
    assert found[3] == "$2b$10$third" and before <= int(found[6]) <= int(time.time() * 1000) + 1000
    assert kdc("rehash", 999, "x", "y") == ["not_found"]
    assert kdc("login", 999) == ["ok"], "an account of another application's table"


def test_times_dont_depend_on_the_servers_time_zone(own_mariadb, folder, probe):
    database = Database(own_mariadb, folder)
    database.query("SET GLOBAL time_zone = '+07:00'")
    kdc = probe(database)
    kdc("add", "alice", "x")
    assert abs(int(kdc("find", "alice")[5]) - time.time() * 1000) < 60000 * SLOWER


def test_the_audit_log_takes_any_bytes(database, probe):
    kdc = probe(database)
    kdc.process.stdin.write(b"audit\t\xff\xfe\x1b[31m\t" + b"u" * 300 + b"\t" + "ü".encode() * 40 + b"\td\n")
    assert kdc.process.stdout.readline() == b"ok\n"
    (event, user, source, detail), = database.query("SELECT event, user, source, detail FROM audit")
    assert event == "???[31m" and user == "u" * 64 and source == "ü" * 32 and detail == "d"


def test_a_conversation_with_oneself_is_not_recorded_and_does_no_harm_to_others(database, probe):
    assert probe(database)("batch", "5:5 5:6") == ["ok", "0:0", "1:1"]
    assert database.query("SELECT user_a, user_b FROM conversations") == ((5, 6),)
    assert database.query("SELECT COUNT(*) FROM audit") == ((1,),)


def test_a_batch_gives_every_issue_an_epoch_of_its_own_in_order(database, probe):
    kdc = probe(database)
    assert kdc("issue", 2, 1)[2] == "1"
    pairs = [(1, 2), (3, 4), (2, 1), (5, 6), (4, 3)] * 20
    answers = [tuple(map(int, one.split(":"))) for one in kdc("batch", " ".join(f"{a}:{b}" for a, b in pairs))[1:]]
    assert len(answers) == 100
    for pair, first in (({1, 2}, 2), ({3, 4}, 1), ({5, 6}, 1)):
        mine = [answer for answer, (a, b) in zip(answers, pairs) if {a, b} == pair]
        assert len({conversation for conversation, _ in mine}) == 1
        assert [epoch for _, epoch in mine] == list(range(first, first + len(mine)))
    assert database.query("SELECT user_a, user_b, epoch FROM conversations ORDER BY user_a") == (
        (1, 2, 41), (3, 4, 40), (5, 6, 20))
    assert database.query("SELECT conversation, user FROM conversation_members ORDER BY user") == tuple(
        (answers[i][0], user) for i in (0, 1, 3) for user in sorted(pairs[i]))
    details = [row[0] for row in database.query("SELECT detail FROM audit WHERE event = 'key issued' ORDER BY id")]
    assert details[1:] == [f"conversation {conversation} epoch {epoch} with b" for conversation, epoch in answers]
    assert kdc("batch", "1:2") == ["ok", f"{answers[0][0]}:42"], "and it counts on"


def test_a_deleted_user_fails_the_issues_of_that_user_alone(database, probe):
    kdc = probe(database)
    numbers = [kdc("add", name, "x")[1] for name in ("alice", "bob", "carol")]
    alice, bob, carol = numbers
    before = kdc("batch", f"{alice}:{bob} {alice}:{carol}")
    database.admin("user", "delete", "bob", "--yes")
    after = kdc("batch", f"{alice}:{bob} {alice}:{carol} {bob}:{carol}")
    assert after == ["ok", "0:0", before[2].replace(":1", ":2"), "0:0"]
    assert database.query("SELECT COUNT(*) FROM conversations") == ((1,),)


def test_a_conversation_that_begins_while_one_of_the_two_is_deleted_isnt_made(database, probe):
    kdc = probe(database)
    alice, bob, carol = (kdc("add", name, "x")[1] for name in ("alice", "bob", "carol"))

    def waiting(count):
        wait_until(f"{count} transactions wait", lambda: database.query(
            "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'")[0][1] == str(count))
    with concurrent.futures.ThreadPoolExecutor(2) as pool, database.connect_admin() as holder:
        with holder.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("INSERT INTO deleted_users (user) VALUES (%s)", (bob,))
            deleted = pool.submit(database.admin, "user", "delete", "bob", "--yes")
            waiting(1)  # all but its last step is done
            batch = pool.submit(kdc, "batch", f"{alice}:{bob} {alice}:{carol}")
            waiting(2)
            cursor.execute("ROLLBACK")
        deleted.result()
        assert batch.result()[:2] == ["ok", "0:0"]
    assert database.query("SELECT user_a, user_b, epoch FROM conversations") == ((int(alice), int(carol), 1),)
    assert database.query("SELECT COUNT(*) FROM audit WHERE event = 'key issued'") == ((1,),)


def test_batches_of_the_same_pairs_at_once_all_go_through(database, probe, folder):
    """Several KDCs that open the same conversations, known and new ones, each in an order of its own."""
    kdcs = [probe(database) for _ in range(4)]
    pairs = [(a, b) for a in range(1, 9) for b in range(a + 1, 9)]

    def run(number):
        epochs = []
        for _ in range(10):
            turned = pairs[number * 7:] + pairs[:number * 7]
            answer = kdcs[number]("batch", " ".join(f"{b}:{a}" for a, b in (turned if number % 2 else turned[::-1])))
            assert answer[0] == "ok", kdcs[number].error
            epochs += answer[1:]
        return epochs
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        epochs = [epoch for some in pool.map(run, range(4)) for epoch in some]
    assert len(set(epochs)) == len(epochs) == 40 * len(pairs)
    assert database.query("SELECT DISTINCT epoch FROM conversations") == ((40,),)
    assert database.query("SELECT COUNT(*) FROM conversation_members") == ((2 * len(pairs),),)


# --- Epochs of accounts --------------------------------------------------------------------------------------------


def test_an_accounts_epoch_moves_with_what_voids_tickets_and_with_nothing_else(database, probe, folder):
    kdc = probe(database)
    password = folder / "password"
    password.write_text("battery staple\n")
    password.chmod(0o600)
    number = kdc("add", "alice", "first")[1]

    def epoch():
        return int(kdc("epoch", "alice")[1])
    epochs = [epoch()]
    assert abs(epochs[0] / 1e6 - time.time()) < 60 * SLOWER
    assert kdc("login", number) == ["ok"] and kdc("find", "alice")[6] != "0"
    assert kdc("rehash", number, "first", "second") == ["ok"]
    assert kdc("issue", number, 99)[0] == "ok"
    assert epoch() == epochs[0]
    for change in (lambda: database.admin("user", "lock", "alice"), lambda: database.admin("user", "unlock", "alice"),
                   lambda: database.admin("user", "passwd", "alice", "--password-file", str(password)),
                   lambda: database.query("UPDATE users SET state = 'disabled' WHERE name = 'alice'")):
        change()
        epochs.append(epoch())
    assert epochs == sorted(set(epochs))


def test_changed_and_deleted_accounts_are_told_since_when_one_asks(database, probe):
    kdc = probe(database)
    alice, bob, carol = (kdc("add", name, "x")[1] for name in ("alice", "bob", "carol"))
    result, asked, *changed = kdc("changes", 0)
    assert result == "ok" and abs(int(asked) / 1e6 - time.time()) < 60 * SLOWER
    assert changed == [f"{number}:{kdc('epoch', name)[1]}" for name, number in
                       (("alice", alice), ("bob", bob), ("carol", carol))]
    assert kdc("changes", asked)[2:] == []
    database.admin("user", "lock", "bob")
    database.admin("user", "delete", "carol", "--yes")
    kdc("login", alice)
    result, later, *changed = kdc("changes", asked)
    assert changed == [f"{bob}:{kdc('epoch', 'bob')[1]}", f"{carol}:0"]
    assert kdc("changes", later)[2:] == []


def test_epochs_of_calls_at_once_are_all_different_and_rise(database, probe, folder):
    probe(database)  # for its configuration
    issued = race(folder / "probe-0.conf", folder, 8, 50, 1, 2)
    assert {conversation for conversation, _ in issued} == {issued[0][0]}
    assert sorted(epoch for _, epoch in issued) == list(range(1, 401))
    assert database.query("SELECT epoch FROM conversations") == ((400,),)
    assert database.query("SELECT user FROM conversation_members ORDER BY user") == ((1,), (2,))


def test_first_openings_at_once_make_one_conversation(database, probe, folder):
    """Many pairs that share users, each opened by both sides at once for the first time."""
    probe(database)
    pairs = [(a, b) for a in range(1, 7) for b in range(a + 1, 7)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda pair: race(folder / "probe-0.conf", folder, 4, 3, *pair), pairs))
    for issued in results:
        assert len({conversation for conversation, _ in issued}) == 1
        assert sorted(epoch for _, epoch in issued) == list(range(1, 13))
    assert len({issued[0][0] for issued in results}) == len(pairs)
    assert database.query("SELECT COUNT(*) FROM conversation_members") == ((2 * len(pairs),),)


def test_the_order_of_the_two_doesnt_matter(database, probe):
    kdc = probe(database)
    first, second = kdc("issue", 9, 4), kdc("issue", 4, 9)
    assert first == ["ok", first[1], "1"] and second == ["ok", first[1], "2"]


def test_a_deleted_conversations_number_and_epochs_never_come_back(database, probe):
    kdc = probe(database)
    number = kdc("add", "alice", "x")[1]
    before = kdc("issue", number, 99)
    database.admin("user", "delete", "alice", "--yes")
    assert database.query("SELECT COUNT(*) FROM conversation_members") == ((0,),)
    again = kdc("add", "alice", "x")[1]
    assert int(again) > int(number)
    assert int(kdc("issue", again, 99)[1]) > int(before[1])


# --- The seam to another application's users ---------------------------------------------------------------------


def replace_find(database, select):
    database.query("DROP PROCEDURE kdc_user_find")
    database.query("CREATE PROCEDURE kdc_user_find(IN p_name VARCHAR(32)) " + select)
    database.query(f"GRANT EXECUTE ON PROCEDURE kdc_user_find TO `{database.user}`@localhost")


def test_another_applications_users_can_be_put_in_place_and_stay(database, probe):
    database.query("CREATE TABLE app_people (number INT, login VARCHAR(50), pw VARCHAR(100), blocked INT)")
    database.query("INSERT INTO app_people VALUES (70007, 'Zoe', '$2y$10$app', 0)")
    replace_find(database, "SELECT number, LOWER(login), pw, IF(blocked, 'locked', 'active'), 0, 0, 0 FROM app_people"
                           " WHERE login = p_name COLLATE utf8mb4_general_ci")
    database.admin("db", "migrate")
    kdc = probe(database)
    assert kdc("find", "zoe") == ["ok", "70007", "zoe", "$2y$10$app", "1", "0", "0"]
    assert kdc("issue", 70007, 80008)[0] == "ok"


@pytest.mark.parametrize("select, words", [
    ("SELECT 1, 'alice', REPEAT('x', 61), 'active', 0, 0, 0", "too long"),
    ("SELECT 1, NULL, 'x', 'active', 0, 0, 0", "missing"),
    ("SELECT 1, 'alice', 'x', 'sleepy', 0, 0, 0", "sleepy"),
    ("SELECT 1, 'alice', 'x', 'active', 0, 0", "columns"),
    ("SELECT -1, 'alice', 'x', 'active', -1, 0, 0", "out of range"),
    ("DO 1", "no result"),
])
def test_a_result_that_cant_be_used_is_broken(database, probe, select, words):
    replace_find(database, select)
    kdc = probe(database)
    assert kdc("find", "alice")[0] == "broken" and words in kdc.error
    assert kdc("issue", 1, 2)[0] == "ok", "the connection goes on"


# --- Trouble -----------------------------------------------------------------------------------------------------


def test_a_database_that_isnt_there_is_unavailable_until_it_comes(own_mariadb, folder, probe):
    database = Database(own_mariadb, folder)
    own_mariadb.stop()
    kdc = probe(database)
    assert kdc("connect") == ["unavailable"] and str(own_mariadb.socket) in kdc.error
    own_mariadb.start()
    wait_until("connected", lambda: kdc("connect") == ["ok"], 15)


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGKILL])
def test_all_is_well_again_after_the_database_was_gone(own_mariadb, folder, probe, sig):
    database = Database(own_mariadb, folder)
    kdc = probe(database)
    assert kdc("add", "alice", "x")[0] == "ok"
    assert kdc("issue", 1, 2)[2] == "1"
    own_mariadb.stop(sig)
    assert kdc("find", "alice") == ["unavailable"]
    assert kdc("issue", 1, 2)[0] == "unavailable"
    own_mariadb.start()
    wait_until("found again", lambda: kdc("find", "alice")[0] == "ok", 15)
    assert kdc("issue", 1, 2)[2] == "2"


def test_calls_within_the_backoff_fail_at_once_and_say_why(own_mariadb, folder, probe):
    database = Database(own_mariadb, folder)
    kdc = probe(database, connect_timeout=1)
    assert kdc("connect") == ["ok"]
    own_mariadb.pause()
    try:
        # Its socket still takes connections: each attempt costs a timeout, and the backoff grows to 5 s.
        kdc = probe(database, connect_timeout=1)
        slow = 0
        end = time.monotonic() + 7
        calls = 0
        while time.monotonic() < end:
            started = clock()
            assert kdc("find", "alice") == ["unavailable"]
            assert kdc.error
            slow += clock() - started > 0.8  # an attempt takes the whole timeout
            calls += 1
            time.sleep(0.01)
        assert 2 <= slow <= 5
        assert calls > 10 * slow
    finally:
        own_mariadb.resume()
    wait_until("found again", lambda: kdc("find", "alice")[0] == "not_found", 15)


def test_a_server_that_doesnt_answer_is_given_up_on_in_time(own_mariadb, folder, probe):
    database = Database(own_mariadb, folder)
    kdc = probe(database, read_timeout=1, connect_timeout=1)
    assert kdc("connect") == ["ok"]
    own_mariadb.pause()
    try:
        started, began = time.monotonic(), clock()
        assert kdc("find", "alice") == ["unavailable"]
        assert 0.5 < time.monotonic() - started and clock() - began < 3.5 * SLOWER
    finally:
        own_mariadb.resume()
    wait_until("found again", lambda: kdc("find", "alice")[0] == "not_found", 15)


@pytest.mark.parametrize("words", [("find", "alice"), ("add", "alice", "x"), ("issue", 1, 2),
                                   ("audit", "e", "u", "s", "d")])
def test_a_connection_that_was_dropped_while_idle_is_made_again_unseen(database, probe, words):
    kdc = probe(database)
    # Once before, so that all that is left to do is the call itself.
    kdc(words[0], 3 if words[0] == "issue" else "before", *words[2:])
    (number,), = database.query("SELECT id FROM information_schema.processlist WHERE user = %s", (database.user,))
    database.query(f"KILL {number}")
    wait_until("it is gone", lambda: database.query(
        "SELECT COUNT(*) FROM information_schema.processlist WHERE id = %s", (number,)) == ((0,),))
    assert kdc(*words)[0] in ("ok", "not_found"), kdc.error
    assert kdc("audit", "after", "u", "s", "d") == ["ok"]
    (count,), = database.query("SELECT COUNT(*) FROM audit WHERE event NOT IN ('before', 'key issued')")
    assert count == (2 if words[0] == "audit" else 1)


def test_wait_timeout_is_survived(own_mariadb, folder, probe):
    database = Database(own_mariadb, folder)
    database.query("SET GLOBAL wait_timeout = 1")
    kdc = probe(database)
    assert kdc("audit", "first", "u", "s", "d") == ["ok"]
    wait_until("dropped", lambda: database.query(
        "SELECT COUNT(*) FROM information_schema.processlist WHERE user = %s", (database.user,)) == ((0,),))
    assert kdc("audit", "second", "u", "s", "d") == ["ok"]


def test_too_many_connections_is_unavailable(database, probe):
    database.query(f"ALTER USER `{database.user}`@localhost WITH MAX_USER_CONNECTIONS 1")
    first, second = probe(database), probe(database)
    assert first("connect") == ["ok"]
    assert second("connect") == ["unavailable"] and "max_user_connections" in second.error


def test_a_lock_that_is_held_for_too_long_is_unavailable_and_the_connection_goes_on(database, probe):
    kdc = probe(database)
    assert kdc("issue", 1, 2)[2] == "1"
    (number,), = database.query("SELECT id FROM information_schema.processlist WHERE user = %s", (database.user,))
    replaced = database.query("SELECT @@GLOBAL.innodb_lock_wait_timeout")[0][0]
    database.query("SET GLOBAL innodb_lock_wait_timeout = 1")
    try:
        fresh = probe(database)
        with database.connect_admin() as holder, holder.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT * FROM conversations FOR UPDATE")
            assert fresh("issue", 1, 2)[0] == "unavailable"
            assert "1205" in fresh.error
            cursor.execute("ROLLBACK")
        assert fresh("issue", 1, 2)[2] == "2"
    finally:
        database.query(f"SET GLOBAL innodb_lock_wait_timeout = {replaced}")
    assert number in {row[0] for row in database.query("SELECT id FROM information_schema.processlist")}


@pytest.mark.parametrize("locking", ["SELECT * FROM users FOR UPDATE", "FLUSH TABLES WITH READ LOCK"])
def test_nothing_waits_for_a_lock_longer_than_for_an_answer(own_mariadb, folder, probe, locking):
    """What still waited in the server would be done after we have said that it wasn't, and keep a connection each."""
    database = Database(own_mariadb, folder)
    kdc = probe(database, read_timeout=4)
    kdc("add", "alice", "x")
    with database.connect_admin() as holder, holder.cursor() as cursor:
        cursor.execute("START TRANSACTION")
        cursor.execute(locking)
        for _ in range(3):
            assert kdc("add", "bob", "x")[0] == "unavailable"
            assert "1205" in kdc.error
        assert database.query("SELECT COUNT(*) FROM information_schema.processlist WHERE user = %s",
                              (database.user,)) == ((1,),)
        cursor.execute("ROLLBACK")
        cursor.execute("UNLOCK TABLES")
    assert kdc("find", "alice")[0] == "ok"
    assert kdc("find", "bob")[0] == "not_found"


def test_a_login_of_an_account_that_is_being_changed_waits_for_nobody(database, probe):
    kdc = probe(database)
    number = kdc("add", "alice", "x")[1]
    with database.connect_admin() as holder, holder.cursor() as cursor:
        cursor.execute("START TRANSACTION")
        cursor.execute("SELECT * FROM users FOR UPDATE")
        assert kdc("login", number) == ["ok"]
        cursor.execute("ROLLBACK")
    assert database.query("SELECT last_login FROM users") == ((None,),)
    assert kdc("login", number) == ["ok"]
    assert database.query("SELECT last_login IS NULL FROM users") == ((0,),)


def test_of_several_logins_those_whose_accounts_are_free_are_noted(database):
    for name in ("alice", "bob", "carol"):
        database.query("INSERT INTO users (name, hash, state, created) VALUES (%s, 'x', 'active', UTC_TIMESTAMP(3))", (name,))
    numbers = dict(database.query("SELECT name, id FROM users"))
    events = [[numbers[name], 5, "login", name, "here", ""] for name in ("alice", "bob", "carol")]
    with database.connect_admin() as holder, holder.cursor() as cursor, database.connect() as kdc:
        cursor.execute("START TRANSACTION")
        cursor.execute("SELECT id FROM users WHERE name = 'bob' FOR UPDATE")
        call(kdc, "kdc_journal", (json.dumps({"issues": [], "events": events}),))
        cursor.execute("ROLLBACK")
    assert database.query("SELECT name FROM users WHERE last_login IS NOT NULL ORDER BY name") == (("alice",), ("carol",))
    assert database.query("SELECT COUNT(*) FROM audit") == ((3,),)


@pytest.mark.parametrize("first", [1, 1001])
def test_logins_of_the_same_people_from_somewhere_new_at_two_kdcs_are_no_deadlock(database, first):
    """Whose accounts are in our table, and whose are another application's. Each leaves the newest few sources alone."""
    database.query("INSERT INTO users (name, hash, state, created) SELECT CONCAT('user', seq), 'x', 'active', UTC_TIMESTAMP(3)"
                   " FROM seq_1_to_40")

    def log_in(kdc):
        order = random.Random(kdc)
        with database.connect() as connection:
            for _ in range(60):
                events = [[user, 5, "login", "u", "here", "", "ok", "", f"04{order.getrandbits(32):08x}00000000"]
                          for user in order.sample(range(first, first + 40), 30)]
                call(connection, "kdc_journal", (json.dumps({"issues": [], "events": events}),))

    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(log_in, range(3)))
    assert database.query("SELECT COUNT(*) FROM audit") == ((3 * 60 * 30,),)
    (least, most), = database.query("SELECT MIN(sources), MAX(sources) FROM"
                                    " (SELECT COUNT(*) AS sources FROM login_sources GROUP BY user) AS counts")
    assert 16 <= least and most <= 18


@pytest.mark.parametrize("deadlocks, result", [(2, "ok"), (9, "unavailable")])
def test_a_deadlock_is_tried_again_a_few_times(database, probe, deadlocks, result):
    database.query("CREATE TABLE deadlocks (count INT) ENGINE=MyISAM")
    database.query("INSERT INTO deadlocks VALUES (0)")
    database.query("DROP PROCEDURE kdc_journal")
    database.query(
        "CREATE PROCEDURE kdc_journal(IN batch TEXT)"
        " BEGIN UPDATE deadlocks SET count = count + 1;"
        f" IF (SELECT count FROM deadlocks) <= {deadlocks} THEN"
        " SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'Deadlock found'; END IF; SELECT 0, 0, 0 FROM DUAL WHERE FALSE; END")
    database.query(f"GRANT EXECUTE ON PROCEDURE kdc_journal TO `{database.user}`@localhost")
    kdc = probe(database)
    assert kdc("audit", "e", "u", "s", "d") == [result]
    assert database.query("SELECT count FROM deadlocks") == ((3,),)


def test_what_a_deadlock_at_the_commit_took_back_isnt_believed(database, probe):
    """As a cluster shows it, with an answer before it, as an operator's own procedure may have. Then one of the two is deleted."""
    kdc = probe(database)
    alice, bob, carol = (kdc("add", name, "x")[1] for name in ("alice", "bob", "carol"))
    text, = (row[2] for row in database.query("SHOW CREATE PROCEDURE kdc_journal"))
    deadlock = ("IF NOT EXISTS (SELECT 1 FROM tried) THEN ROLLBACK; INSERT INTO tried VALUES (1);"
                f" INSERT INTO deleted_users (user) VALUES ({bob}); SELECT 1, 4711, 9;"
                " SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'Deadlock found'; END IF; COMMIT")
    assert text.count("    COMMIT;") == 1
    database.query("CREATE TABLE tried (it INT) ENGINE=MyISAM")
    database.query("DROP PROCEDURE kdc_journal")
    database.query(text.replace("    COMMIT;", deadlock + ";"))
    database.query(f"GRANT EXECUTE ON PROCEDURE kdc_journal TO `{database.user}`@localhost")
    answer = kdc("batch", f"{alice}:{bob} {alice}:{carol}")
    assert answer[:2] == ["ok", "0:0"] and answer[2].endswith(":1"), kdc.error
    assert database.query("SELECT user_b FROM conversations") == ((int(carol),),)


def test_a_batch_of_any_size_is_answered_whatever_the_server_cuts(own_mariadb, folder, probe):
    with own_mariadb.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET GLOBAL group_concat_max_len = 1024")
    kdc = probe(Database(own_mariadb, folder))
    alice, bob = (kdc("add", name, "x")[1] for name in ("alice", "bob"))
    answer = kdc("batch", " ".join([f"{alice}:{bob}"] * 200))
    assert answer[0] == "ok", kdc.error
    assert [one.split(":")[1] for one in answer[1:]] == [str(epoch) for epoch in range(1, 201)]


def test_what_only_the_operator_can_mend_is_broken_and_says_how(database, probe, folder):
    kdc = probe(database)
    database.query("DROP PROCEDURE kdc_user_find")
    assert kdc("find", "alice") == ["broken"] and "kdc-admin db init" in kdc.error
    database.admin("db", "init")
    assert kdc("find", "alice") == ["not_found"], "its right is there again, too"

    database.query("REVOKE EXECUTE ON PROCEDURE kdc_user_find FROM " + f"`{database.user}`@localhost")
    other = probe(database)
    assert other("find", "alice") == ["broken"] and "kdc-admin db init" in other.error
    database.query("DELETE FROM schema_migrations WHERE number > 1")
    old = probe(database)
    assert old("connect") == ["broken"] and "kdc-admin db migrate" in old.error

    wrong = folder / "wrong-password"
    wrong.touch(mode=0o600)
    wrong.write_text("wrong\n")
    stranger = probe(database, password_file=wrong)
    assert stranger("connect") == ["broken"] and "password file" in stranger.error
    nowhere = probe(database, name="nowhere")
    assert nowhere("connect") == ["broken"] and "kdc-admin db init" in nowhere.error


@pytest.mark.parametrize("form, result", [("STATEMENT", "broken"), ("MIXED", "ok"), ("ROW", "ok")])
def test_a_binary_log_of_statements_is_told_and_others_are_taken(own_mariadb, folder, probe, form, result):
    own_mariadb.stop()
    own_mariadb.start("--log-bin=binary", f"--binlog-format={form}", "--server-id=1")
    kdc = probe(Database(own_mariadb, folder))
    assert kdc("issue", 1, 2)[0] == result and ("binlog_format" in kdc.error) == (result == "broken")


@pytest.mark.parametrize("change", ["CALL kdc_user_password(1, 'hash', 'other', 2)",
                                    "CALL admin_user_set_hash(1, 'other', 0, 2)"])
def test_changes_of_two_passwords_are_no_deadlock(database, change):
    """The first earlier passwords of two accounts lie in the same gap of their table."""
    database.query("INSERT INTO users (id, name, hash, state, created) VALUES (1, 'alice', 'hash', 'active', NOW()), "
                   "(2, 'bob', 'hash', 'active', NOW())")
    with database.connect_admin() as other, other.cursor() as cursor, concurrent.futures.ThreadPoolExecutor() as pool:
        cursor.execute("START TRANSACTION")
        cursor.execute("SELECT * FROM password_history WHERE user = 2 FOR UPDATE")
        changing = pool.submit(database.query, change)
        wait_until("it waits for the gap", lambda: database.query(
            "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'")[0][1] == "1")
        cursor.execute("INSERT INTO password_history VALUES (2, 1, 'hash', NOW())")
        cursor.execute("COMMIT")
        assert changing.result(10 * SLOWER) == ((1,),)
    assert database.query("SELECT user, hash FROM password_history") == ((1, "hash"), (2, "hash"))


def test_a_password_file_that_everybody_can_read_is_refused(database, probe):
    database.password_file.chmod(0o644)
    kdc = probe(database)
    assert kdc("connect") == ["broken"]
    assert "chmod 600" in kdc.error and database.password not in kdc.error
