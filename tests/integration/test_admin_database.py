"""kdc-admin db check, db migrate from every earlier schema, db backup and db restore, on a real MariaDB."""
import concurrent.futures
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import threading
import time

import pytest

from support.admin_exit import DATABASE, EXISTS, FOUND, NOT_FOUND, OTHER, REFUSED, USAGE
from support.kdcd import Database, run_admin, write_config
from support.programs import ROOT, environment, program, wait_until
from support.schema_facts import EXPECTED, facts

MIGRATIONS = sorted((ROOT / "sql" / "migrations").glob("*.sql"))
NUMBERS = [int(path.name[:4]) for path in MIGRATIONS]


def client(mariadb, database, sql):
    done = subprocess.run(["mariadb", "--comments", f"--socket={mariadb.socket}", database], input=sql, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout


def described(database):
    """Everything that the schema is, as the server tells it."""
    found = {}
    for (name,) in database.query("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"):
        (_, text), = database.query(f"SHOW CREATE TABLE `{name}`")
        found[name] = re.sub(r" AUTO_INCREMENT=\d+", "", text)
    for (name,) in database.query("SELECT routine_name FROM information_schema.routines"
                                  " WHERE routine_schema = DATABASE()"):
        found[name] = database.query(f"SHOW CREATE PROCEDURE `{name}`")[0][2]
    return found


def check(admin, status=0):
    return {(one["check"], one["result"]): one["detail"] for one in admin.json("db", "check", status=status)}


# --- The expected schema -------------------------------------------------------------------------------------------


def test_schema_txt_is_what_a_fresh_database_has(database):
    assert EXPECTED.read_text() == facts(database), "run: python3 tests/support/schema_facts.py"


# --- Migrations ----------------------------------------------------------------------------------------------------


def old_schema(database, number):
    """The schema as it was with that migration as the newest, with something in it; without procedures of today."""
    mariadb = database.mariadb
    with mariadb.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE `{database.name}` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
    client(mariadb, database.name, (ROOT / "sql" / "bookkeeping.sql").read_text())
    for path in MIGRATIONS:
        if int(path.name[:4]) <= number:
            client(mariadb, database.name, path.read_text())
            database.query("INSERT INTO schema_migrations VALUES (%s, %s, NOW(3))", (int(path.name[:4]), path.stem))
    database.query("INSERT INTO users (name, hash, state, created) VALUES ('alice', 'a', 'active', '2020-01-01'),"
                   " ('bob', 'b', 'locked', '2020-01-02')")
    if number >= 2:
        database.query("INSERT INTO conversations (user_a, user_b, epoch, last_issued) VALUES (1, 2, 7, '2021-01-01')")
        database.query("INSERT INTO conversation_members VALUES (1, 1), (1, 2)")
    if number < 4:
        database.query("CREATE PROCEDURE kdc_epoch_issue() SELECT 1")
        database.query("INSERT INTO schema_procedures VALUES ('kdc_epoch_issue', 'x', NOW(3))")
    if number in (3, 4, 5):
        database.query("INSERT INTO audit (time, event, user, source, detail) VALUES"
                       " ('2021-01-01', 'login refused', 'alice', '192.0.2.1:5', 'login_failed'),"
                       " ('2021-01-02', 'key issued', 'alice', '192.0.2.1:5', 'conversation 1 epoch 7 with bob'),"
                       " ('2021-01-03', 'user locked', 'bob', 'kdc-admin', 'by operating system user 1000')")


@pytest.fixture
def old(mariadb, new_folder):
    made = Database(mariadb, new_folder(), init=False)
    yield made
    made.drop()


@pytest.mark.parametrize("number", NUMBERS[:-1])
def test_migrations_from_each_earlier_schema_end_in_the_same_one(old, database, number):
    old_schema(old, number)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        made = [one for done in pool.map(lambda _: old.admin("db", "migrate", "--json"), range(2))
                for one in json.loads(done.stdout)["made"]]
    names = [one["name"] for one in made if one["what"] == "migration"]
    assert names == [path.stem for path in MIGRATIONS if int(path.name[:4]) > number]
    assert described(old) == described(database)
    assert old.query("SELECT id, name, hash, state FROM users") == ((1, "alice", "a", "active"), (2, "bob", "b", "locked"))
    if number >= 2:
        assert old.query("SELECT user_a, user_b, epoch FROM conversations") == ((1, 2, 7),)
    if number in (3, 4, 5):
        assert old.query("SELECT event, user, peer, outcome, actor, detail FROM audit WHERE id < 4 ORDER BY id") == (
            ("login", "alice", None, "login_failed", "", ""),
            ("key issued", "alice", "bob", "ok", "", "conversation 1 epoch 7 with bob"),
            ("user locked", "bob", None, "ok", "uid 1000", ""))
    old.admin("db", "init")
    assert old.admin("db", "check").returncode == 0


@pytest.mark.parametrize("number", [NUMBERS[0], NUMBERS[-2]])
def test_a_dry_run_prints_sql_that_does_the_same_and_changes_nothing(old, database, number):
    old_schema(old, number)
    before = described(old), old.query("SELECT * FROM schema_migrations")
    sql = old.admin("db", "migrate", "--dry-run").stdout
    would = json.loads(old.admin("db", "migrate", "--dry-run", "--json").stdout)["would_run"]
    assert (described(old), old.query("SELECT * FROM schema_migrations")) == before
    assert [one["name"] for one in would if one["what"] == "migration"] == [
        path.stem for path in MIGRATIONS if int(path.name[:4]) > number]
    client(old.mariadb, old.name, sql)
    assert described(old) == described(database)
    assert "nothing is to be done" in old.admin("db", "migrate", "--dry-run").stdout
    assert json.loads(old.admin("db", "migrate", "--json").stdout)["made"] == []


def test_a_dry_run_tells_what_stands_against_it(old, admin, database):
    assert old.admin("db", "migrate", "--dry-run", check=False).returncode == NOT_FOUND
    assert admin("db", "migrate", "--dry-run").stdout == "-- The database is up to date: nothing is to be done.\n"
    database.query("INSERT INTO schema_migrations VALUES (9999, '9999_later', NOW())")
    assert "newer" in admin("db", "migrate", "--dry-run", status=OTHER).stderr


# --- check ---------------------------------------------------------------------------------------------------------


def test_check_finds_nothing_in_a_fresh_database(admin):
    found = admin.json("db", "check")
    assert {one["result"] for one in found} <= {"ok", "note"}
    assert {one["check"] for one in found} == {"server", "binary log", "durability", "characters", "schema", "tables",
                                               "procedures", "rights", "clock", "account"}
    lines = admin("db", "check").stdout.splitlines()
    assert lines[0].split() == ["CHECK", "RESULT", "DETAIL"] and len(lines) == len(found) + 1


@pytest.mark.parametrize("statement, category, words", [
    ("ALTER TABLE users DROP COLUMN last_login", "tables", "column users.last_login is missing"),
    ("ALTER TABLE users MODIFY name VARCHAR(64) NOT NULL", "tables", "column users.name is 'varchar(64)"),
    ("ALTER TABLE audit DROP KEY audit_user", "tables", "index audit.audit_user is missing"),
    ("ALTER TABLE audit DROP KEY audit_user, ADD KEY audit_user (user, time)", "tables",
     "index audit.audit_user is 'user, time'"),
    ("ALTER TABLE users DROP CONSTRAINT users_name_canonical", "tables", "constraint users.users_name_canonical is missing"),
    ("ALTER TABLE deleted_users ENGINE=MyISAM", "tables", "table deleted_users is 'myisam"),
    ("ALTER TABLE audit CONVERT TO CHARACTER SET latin1", "tables", "table audit is 'innodb latin1"),
    ("DROP TABLE deleted_users", "tables", "table deleted_users is missing"),
    ("DROP PROCEDURE kdc_journal", "procedures", "kdc_journal is missing"),
    ("UPDATE schema_procedures SET digest = 'x' WHERE name = 'kdc_journal'", "procedures", "kdc_journal is of another version"),
    ("DELETE FROM schema_migrations WHERE number > 5", "schema", "number 5"),
    ("INSERT INTO schema_migrations VALUES (9999, '9999_later', NOW())", "schema", "number 9999"),
    ("GRANT SELECT ON {name}.users TO `{user}`@localhost", "rights", "has more than it should: GRANT SELECT ON"),
    ("GRANT EXECUTE ON {name}.* TO `{user}`@localhost", "rights", "has more than it should: GRANT EXECUTE ON"),
    ("GRANT EXECUTE ON PROCEDURE {name}.admin_user_list TO `{user}`@localhost", "rights", "admin_user_list"),
    ("GRANT EXECUTE ON PROCEDURE {name}.kdc_user_find TO `{user}`@localhost WITH GRANT OPTION", "rights",
     "WITH GRANT OPTION"),
    ("REVOKE EXECUTE ON PROCEDURE {name}.kdc_journal FROM `{user}`@localhost", "rights", "may not call kdc_journal"),
    ("DROP USER `{user}`@localhost", "rights", "there is no account"),
    ("ALTER USER `{user}`@localhost IDENTIFIED BY 'another'", "account", "connecting to the database"),
    ("ALTER DATABASE {name} CHARACTER SET latin1", "characters", "latin1"),
])
def test_check_finds(database, admin, statement, category, words):
    database.query(statement.format(name=database.name, user=database.user))
    found = [one for one in admin.json("db", "check", status=FOUND) if one["result"] == "wrong"]
    assert any(one["check"] == category and words in one["detail"] for one in found), found
    assert "IDENTIFIED" not in str(found) and "*" not in str(found).replace("*.*", "").replace(".*", "")
    assert re.search(rf"^{category} +wrong +", admin("db", "check", status=FOUND).stdout, re.MULTILINE)


def test_check_notes_what_an_operator_has_added_or_replaced(database, admin):
    database.query("CREATE TABLE mine (id INT)")
    database.query("ALTER TABLE users ADD COLUMN remark TEXT NULL")
    database.query("DROP PROCEDURE kdc_user_rehash")
    database.query("CREATE PROCEDURE kdc_user_rehash(IN a INT, IN b TEXT, IN c TEXT) SELECT 0")
    database.query(f"GRANT EXECUTE ON PROCEDURE kdc_user_rehash TO `{database.user}`@localhost")
    found = [(one["check"], one["detail"]) for one in admin.json("db", "check") if one["result"] == "note"]
    assert found == [("tables", "table mine isn't ours"), ("tables", "column users.remark isn't ours"),
                     ("procedures", "kdc_user_rehash was replaced by an operator")] or sorted(found) == sorted(
        [("tables", "table mine isn't ours"), ("tables", "column users.remark isn't ours"),
         ("procedures", "kdc_user_rehash was replaced by an operator")])


def test_check_looks_at_the_clock_and_the_binary_log(new_folder, own_mariadb):
    database = Database(own_mariadb, new_folder())
    own_mariadb.stop()
    own_mariadb.start("--log-bin", "--server-id=1", "--binlog-format=STATEMENT", "--innodb-flush-log-at-trx-commit=2",
                      "--init-connect=SET timestamp = UNIX_TIMESTAMP() + 100")
    with own_mariadb.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE USER plain@localhost IDENTIFIED BY 'plain'")
        cursor.execute("GRANT SELECT, EXECUTE, SHOW DATABASES ON *.* TO plain@localhost")
    password = database.folder / "plain-password"
    password.touch(mode=0o600)
    password.write_text("plain\n")
    config = database.folder / "plain.conf"
    write_config(config, {**database.sections(), "admin": {"user": "plain", "password_file": password}})
    done = run_admin(config, database.folder, ("db", "check", "--json"), check=False)
    assert done.returncode == FOUND
    found = {one["check"]: one for one in json.loads(done.stdout)}
    assert found["binary log"]["result"] == "wrong" and found["durability"]["result"] == "note"
    assert found["clock"]["result"] == "wrong" and re.search(r"is (9\d{4}|10\d{4}) ms ahead of", found["clock"]["detail"])


def test_check_tells_that_the_server_is_read_only(new_folder, own_mariadb):
    database = Database(own_mariadb, new_folder())
    with own_mariadb.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET GLOBAL read_only = 1")
        try:
            done = database.admin("db", "check", check=False)
        finally:
            cursor.execute("SET GLOBAL read_only = 0")
    assert done.returncode == FOUND and re.search("^read-only +wrong +the server is read-only", done.stdout, re.MULTILINE)
    assert "read-only" not in database.admin("db", "check").stdout


def test_check_without_a_database(old, admin, folder):
    assert old.admin("db", "check", check=False).returncode == NOT_FOUND
    admin.sections["database"]["socket"] = folder / "nothing.sock"
    write_config(admin.config, admin.sections)
    assert "nothing.sock" in admin("db", "check", status=DATABASE).stderr


# --- backup and restore --------------------------------------------------------------------------------------------


@pytest.fixture
def other(own_mariadb, new_folder):
    """An empty place for a restore: another MariaDB."""
    made = Database(own_mariadb, new_folder(), init=False)
    yield made


def exported(database):
    return database.admin("user", "export", "--format", "jsonl").stdout


def test_a_backup_while_people_talk_is_restored_elsewhere(kdcd, person, other, folder):
    kdc = kdcd()
    alice, bob = person(kdc, "alice"), person(kdc, "bob")
    listener = bob.start("listen", "--json")
    wait_until("bob listens", lambda: kdc.admin_json("who"))
    ending = threading.Event()

    def talk():
        while not ending.is_set():
            assert alice.run("send", "bob", "hello").returncode == 0

    def register():
        number = 0
        while not ending.is_set():
            number += 1
            kdc.add_user(f"more{number}")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        busy = [pool.submit(talk), pool.submit(register)]
        try:
            time.sleep(1)
            wait_until("both are at it", lambda: kdc.database.query(
                "SELECT EXISTS (SELECT 1 FROM audit WHERE event = 'key issued') AND (SELECT COUNT(*) FROM users) > 2") == ((1,),))
            done = kdc.admin("db", "backup", folder / "backup.sql")
            assert done.stdout == f"All that is in the database {kdc.database.name} is in {folder}/backup.sql.\n"
        finally:
            ending.set()
        for one in busy:
            one.result(60)
    listener.stop() if hasattr(listener, "stop") else None
    path = folder / "backup.sql"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    assert "DEFINER=`" not in text and text.startswith("-- kdc-chat backup 1\n-- schema ")
    done = other.admin("db", "restore", path)
    assert f"The database {other.name} is restored." in done.stdout and "wrong" not in done.stdout
    assert other.admin("db", "check").returncode == 0
    facts_of = "SELECT name, hash, state, created, last_login FROM users ORDER BY id"
    restored = other.query(facts_of)
    assert len(restored) > 2 and set(row[0] for row in restored) <= set(row[0] for row in kdc.database.query(facts_of))
    # Consistent: a key that is on record in the audit log is that of the conversation's epoch.
    (issued,), = other.query("SELECT COUNT(*) FROM audit WHERE event = 'key issued'")
    (epochs,), = other.query("SELECT SUM(epoch) - 1000000 * COUNT(*) FROM conversations")
    assert issued == epochs > 0
    assert {name for (name,) in other.query("SHOW DATABASES")}.isdisjoint(
        {f"{other.name}_restoring", f"{other.name}_replaced"})
    (events,), = other.query("SELECT COUNT(*) FROM audit WHERE event IN ('database backed up', 'database restored')")
    assert events == 2
    moved = kdcd(other_database=other)
    again_bob, again_alice = person(moved, "bob", account=False), person(moved, "alice", account=False)
    hears = again_bob.start("listen", "--json", "--count", "1")
    wait_until("bob is in again", lambda: moved.admin_json("who"))
    assert again_alice.run("send", "bob", "hello again").returncode == 0
    hears.wait()


def test_an_export_of_what_was_restored_is_the_same(database, other, admin, folder):
    for name in ("alice", "bob"):
        admin("user", "add", name, text="correct horse\n")
    admin("user", "lock", "bob")
    before = exported(database)
    backup = admin("db", "backup", "-").stdout
    done = subprocess.run([program("kdc-admin"), "--config", str(other.config), "db", "restore", "-", "--json"], input=backup,
                          env=environment(folder), stdout=subprocess.PIPE, text=True, check=True)
    told = json.loads(done.stdout)
    assert told["schema"] == NUMBERS[-1] and {one["result"] for one in told["check"]} <= {"ok", "note"}
    assert exported(other) == before
    assert described(other) == described(database)
    epochs = "SELECT name, changed FROM users"
    assert not set(other.query(epochs)) & set(database.query(epochs))
    other.query("INSERT INTO users (name, hash, state, created) VALUES ('new', 'x', 'active', NOW())")
    assert other.query("SELECT id > 1000000 FROM users WHERE name = 'new'") == ((1,),)


def test_what_an_operator_has_replaced_is_in_a_backup(database, other, admin, folder):
    database.query("DROP PROCEDURE kdc_user_rehash")
    database.query("CREATE PROCEDURE kdc_user_rehash(IN a INT, IN b TEXT, IN c TEXT) SELECT 4711")
    admin("db", "backup", folder / "backup")
    other.admin("db", "restore", folder / "backup")
    assert "4711" in described(other)["kdc_user_rehash"]


def test_a_backup_of_an_earlier_schema_is_restored_and_brought_up_to_date(old, database, other, folder):
    old_schema(old, 4)
    old.query("CREATE PROCEDURE kdc_user_add() SELECT 'what a migration since has removed'")
    old.query("INSERT INTO schema_procedures VALUES ('kdc_user_add', 'x', NOW(3))")
    old.admin("db", "backup", folder / "backup")
    assert old.query("SELECT COUNT(*) FROM audit WHERE event = 'database backed up'") == ((1,),)
    other.admin("db", "restore", folder / "backup")
    assert described(other) == described(database)
    assert other.query("SELECT name FROM users") == (("alice",), ("bob",))


def test_a_restore_replaces_only_when_it_is_told_to(database, admin, folder):
    admin("user", "add", "alice", text="correct horse\n")
    admin("db", "backup", folder / "backup")
    admin("user", "add", "bob", text="correct horse\n")
    before = described(database)
    done = admin("db", "restore", folder / "backup", status=EXISTS)
    assert "--replace" in done.stderr
    assert "--yes" in admin("db", "restore", folder / "backup", "--replace", status=REFUSED).stderr
    assert admin("db", "restore", folder / "backup", "--yes", status=EXISTS)
    assert [one["name"] for one in admin.json("user", "list")] == ["alice", "bob"]
    admin("db", "restore", folder / "backup", "--replace", "--yes")
    assert [one["name"] for one in admin.json("user", "list")] == ["alice"] and described(database) == before
    assert admin("db", "check").returncode == 0


@pytest.mark.parametrize("spoil, words", [
    (lambda data: data[:-1], "its end is missing"), (lambda data: data[:len(data) // 2], "its end is missing"),
    (lambda data: data.replace(b"alice", b"alicf"), "another"), (lambda data: data + b"\n", "its end is missing"),
    (lambda data: b"", "isn't a backup"), (lambda data: b"SELECT 1;\n", "isn't a backup"),
    (lambda data: data.partition(b"\n")[2], "isn't a backup"),
    (lambda data: data.replace(b"backup 1", b"backup 2", 1), "isn't a backup"),
])
def test_a_bad_backup_changes_nothing(database, admin, folder, spoil, words):
    admin("user", "add", "alice", text="correct horse\n")
    admin("db", "backup", folder / "backup")
    bad = folder / "bad"
    bad.write_bytes(spoil((folder / "backup").read_bytes()))
    before = exported(database)
    done = admin("db", "restore", bad, "--replace", "--yes", status=REFUSED)
    assert words in done.stderr and "nothing was restored" in done.stderr
    assert exported(database) == before


def resigned(data):
    """With a last line that fits."""
    import hashlib
    body, last = data[:-data[::-1].index(b"\n", 1)], data[-data[::-1].index(b"\n", 1):]
    at = re.search(rb"procedures at (\d+)", last)[1]
    return body + b"-- end of the backup: procedures at " + at + b", SHA-512 " + hashlib.sha512(body).hexdigest().encode() + b"\n"


def test_a_backup_whose_sql_fails_changes_nothing(database, admin, folder):
    admin("user", "add", "alice", text="correct horse\n")
    admin("db", "backup", folder / "backup")
    good = (folder / "backup").read_bytes()
    assert resigned(good) == good
    (folder / "bad").write_bytes(resigned(good.replace(b"CREATE TABLE `users`", b"CREATE TABEL `users`", 1)))
    before = exported(database), described(database)
    done = admin("db", "restore", folder / "bad", "--replace", "--yes", status=OTHER)
    assert "SQL syntax" in done.stderr
    assert (exported(database), described(database)) == before
    names = {name for (name,) in database.query("SHOW DATABASES")}
    assert names.isdisjoint({f"{database.name}_restoring", f"{database.name}_replaced"})
    later = resigned(good.replace(b"-- schema ", b"-- schema 9", 1))
    (folder / "later").write_bytes(later)
    assert "later kdc-admin" in admin("db", "restore", folder / "later", "--replace", "--yes", status=REFUSED).stderr


def test_backup_failures_are_told_and_leave_no_file(old, admin, folder, database):
    assert old.admin("db", "backup", folder / "x", check=False).returncode == NOT_FOUND
    assert "can't be written" in admin("db", "backup", folder / "no" / "x", status=OTHER).stderr
    assert "isn't a regular file" in admin("db", "backup", folder, status=OTHER).stderr
    assert "can't be read" in admin("db", "restore", folder / "no", status=OTHER).stderr
    assert "isn't a regular file" in admin("db", "restore", folder, status=REFUSED).stderr
    admin("db", "backup", "-", "--json", status=USAGE)
    admin("db", "backup", status=USAGE)
    empty = folder / "empty"
    empty.mkdir()
    done = subprocess.run([program("kdc-admin"), "--config", str(admin.config), "db", "backup", "x"], cwd=folder,
                          env={**environment(folder), "PATH": str(empty)}, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == OTHER and "package mariadb-client" in done.stderr
    admin.sections["database"]["socket"] = folder / "nothing.sock"
    write_config(admin.config, admin.sections)
    for command in ("backup", "restore"):
        (folder / "backup").write_text("")
        assert admin("db", command, folder / "x", status=DATABASE if command == "backup" else OTHER)
    assert not list(folder.glob("x*"))


def test_mysqldump_serves_where_mariadb_dump_is_missing(admin, folder):
    tools = folder / "tools"
    tools.mkdir()
    (tools / "mysqldump").symlink_to(shutil.which("mariadb-dump"))
    done = subprocess.run([program("kdc-admin"), "--config", str(admin.config), "db", "backup", "x"], cwd=folder,
                          env={**environment(folder), "PATH": str(tools)}, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_password_is_in_no_argument_and_no_environment(database, folder):
    """A stand-in for mariadb-dump looks around, and then is it."""
    password = "pass \"word' \\ with # everything; in it ü"
    database.query("DROP USER IF EXISTS odd@localhost")
    with database.connect_admin() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE USER odd@localhost IDENTIFIED BY %s", (password,))
        cursor.execute("GRANT ALL ON *.* TO odd@localhost WITH GRANT OPTION")
    secret = folder / "odd-password"
    secret.touch(mode=0o600)
    secret.write_text(password + "\n")
    config = folder / "odd.conf"
    write_config(config, {**database.sections(), "admin": {"user": "odd", "password_file": secret}})
    tools = folder / "tools"
    tools.mkdir()
    stand_in = tools / "mariadb-dump"
    stand_in.write_text(f"#!/bin/sh\nstat -L -c %a /proc/self/fd/3 >> {folder}/seen\n"
                        f"tr '\\0' '\\n' < /proc/$$/cmdline >> {folder}/seen\ntr '\\0' '\\n' < /proc/$$/environ >> {folder}/seen\n"
                        f"ls /proc/$$/fd >> {folder}/fds\nexec {shutil.which('mariadb-dump')} \"$@\"\n")
    stand_in.chmod(0o755)
    done = subprocess.run([program("kdc-admin"), "--config", str(config), "db", "backup", "x"], cwd=folder,
                          env={**environment(folder), "PATH": f"{tools}:{os.environ['PATH']}"}, stderr=subprocess.PIPE,
                          text=True, check=False)
    database.query("DROP USER odd@localhost")
    assert done.returncode == 0, done.stderr
    seen = (folder / "seen").read_text()
    assert seen.startswith("600\n") and "--defaults-file=" in seen and "word" not in seen and "PATH=" in seen
    assert "word" not in (folder / "x").read_text().partition("INSERT INTO `audit`")[0]


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGKILL])
def test_a_backup_that_is_killed_leaves_no_half_file_and_no_lock(database, admin, folder, sig):
    tools = folder / "tools"
    tools.mkdir()
    stand_in = tools / "mariadb-dump"
    stand_in.write_text(f"#!/bin/sh\necho half; touch {folder}/runs; exec sleep 60\n")
    stand_in.chmod(0o755)
    path = folder / "backup"
    path.write_text("an older one")
    with subprocess.Popen([program("kdc-admin"), "--config", str(admin.config), "db", "backup", str(path)], cwd=folder,
                          env={**environment(folder), "PATH": f"{tools}:{os.environ['PATH']}"}) as process:
        wait_until("it writes", (folder / "runs").exists)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(admin, "db", "migrate")
            time.sleep(1)
            assert not waiting.done()
            process.send_signal(sig)
            process.wait(10)
            waiting.result(20)
    assert path.read_text() == "an older one"
    left = [one.name for one in folder.glob("backup.*")]
    assert left == [] if sig == signal.SIGTERM else len(left) <= 1
    wait_until("its child has ended", lambda: subprocess.run(["pgrep", "-f", f"{folder}.*sleep 60"], check=False,
                                                             stdout=subprocess.DEVNULL).returncode != 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root: a small file system is mounted")
def test_a_full_disk_is_told_and_leaves_the_older_backup(database, admin, folder):
    small = folder / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", small], check=False, stderr=subprocess.PIPE)
    if mounted.returncode != 0:
        pytest.skip("nothing can be mounted here")
    try:
        (small / "backup").write_text("an older one")
        done = admin("db", "backup", small / "backup", status=OTHER)
        assert "No space left on device" in done.stderr
        assert [one.name for one in small.iterdir()] == ["backup"] and (small / "backup").read_text() == "an older one"
    finally:
        subprocess.run(["umount", small], check=True)


def stand_in_for_mariadb(folder, script):
    """A program that runs the script in its place; $real is mariadb itself."""
    tools = folder / "tools"
    tools.mkdir()
    (tools / "mariadb").write_text(f"#!/bin/sh\ncd {folder}\nreal={shutil.which('mariadb')}\n{script}\n")
    (tools / "mariadb").chmod(0o755)
    return {**environment(folder), "PATH": f"{tools}:{os.environ['PATH']}"}


def killed_behind_the_exchange(config, folder, backup):
    """A restore that is killed while its procedures are made."""
    changed = stand_in_for_mariadb(folder, 'if [ -e first ]; then touch second; exec sleep 60; fi; touch first; exec "$real" "$@"')
    with subprocess.Popen([program("kdc-admin"), "--config", str(config), "db", "restore", str(backup), "--replace", "--yes"],
                          cwd=folder, env=changed) as process:
        wait_until("it has come to the procedures", (folder / "second").exists)
        process.kill()
        process.wait(10)


def test_a_restore_that_is_killed_behind_the_exchange_has_all_accounts_and_can_be_done_again(database, admin, folder):
    admin("user", "add", "alice", text="correct horse\n")
    admin("db", "backup", folder / "backup")
    admin("user", "add", "bob", text="correct horse\n")
    before = described(database)
    killed_behind_the_exchange(admin.config, folder, folder / "backup")
    assert [one["name"] for one in admin.json("user", "list")] == ["alice"] and described(database) == before
    left = f"'{database.name}_restoring' and '{database.name}_replaced'"
    assert left in check(admin)["restore", "note"]
    admin("db", "restore", folder / "backup", "--replace", "--yes")
    assert ("restore", "note") not in check(admin)
    assert not database.query("SHOW DATABASES LIKE %s", (f"{database.name}|_%",))


def test_init_makes_the_rest_of_a_restore_that_was_killed(database, other, admin, folder):
    admin("user", "add", "alice", text="correct horse\n")
    admin("db", "backup", folder / "backup")
    killed_behind_the_exchange(other.config, folder, folder / "backup")
    assert other.admin("db", "check", check=False).returncode == FOUND
    other.admin("db", "init")
    assert other.admin("db", "check").returncode == 0 and described(other) == described(database)
    assert exported(other) == exported(database)


def test_a_restore_whose_connection_is_killed_in_the_middle_changes_nothing(database, admin, folder):
    """Another connection would lack what the backup has set for its session."""
    admin("user", "add", "alice", text="correct horse\n")
    admin("db", "backup", folder / "backup")
    before = exported(database), described(database)
    changed = stand_in_for_mariadb(folder, '{ head -c 2000; touch half; while [ ! -e killed ]; do sleep 0.1; done; cat; } |'
                                           ' "$real" "$@"')
    with subprocess.Popen([program("kdc-admin"), "--config", str(admin.config), "db", "restore", str(folder / "backup"),
                           "--replace", "--yes"], cwd=folder, env=changed, stderr=subprocess.PIPE, text=True) as process:
        numbers = wait_until("it has made a table", lambda: database.query(
            "SELECT id FROM information_schema.processlist WHERE db = %s AND EXISTS (SELECT 1 FROM information_schema.tables"
            " WHERE table_schema = %s)", (f"{database.name}_restoring",) * 2))
        database.query(f"KILL {numbers[0][0]}")
        (folder / "killed").touch()
        assert process.wait(20) == OTHER and "nothing was restored" in process.stderr.read()
    assert (exported(database), described(database)) == before


def test_a_restore_outlasts_the_servers_patience_with_idle_connections(database, other, admin, folder):
    """The one that holds the lock says nothing meanwhile."""
    admin("user", "add", "alice", text="correct horse\n")
    admin("db", "backup", folder / "backup")
    with other.mariadb.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET GLOBAL wait_timeout = 1")
    changed = stand_in_for_mariadb(folder, 'sleep 2; exec "$real" "$@"')
    subprocess.run([program("kdc-admin"), "--config", str(other.config), "db", "restore", str(folder / "backup")], env=changed,
                   check=True, stdout=subprocess.DEVNULL)
    assert exported(other) == exported(database)


def test_a_restore_that_is_killed_changes_nothing_and_can_be_done_again(database, admin, folder):
    admin("user", "add", "alice", text="correct horse\n")
    admin("db", "backup", folder / "backup")
    admin("user", "add", "bob", text="correct horse\n")
    before = exported(database), described(database)
    tools = folder / "tools"
    tools.mkdir()
    stand_in = tools / "mariadb"
    stand_in.write_text(f"#!/bin/sh\ntouch {folder}/runs; exec sleep 60\n")
    stand_in.chmod(0o755)
    with subprocess.Popen([program("kdc-admin"), "--config", str(admin.config), "db", "restore", str(folder / "backup"),
                           "--replace", "--yes"], cwd=folder,
                          env={**environment(folder), "PATH": f"{tools}:{os.environ['PATH']}"}) as process:
        wait_until("it runs", (folder / "runs").exists)
        process.kill()
        process.wait(10)
    assert (exported(database), described(database)) == before
    admin("db", "restore", folder / "backup", "--replace", "--yes")
    assert [one["name"] for one in admin.json("user", "list")] == ["alice"]
