"""kdc-admin user import: all or nothing, many at once, and how those who came that way log in."""
import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess

import pexpect
import pytest

from interop.attack import connect
from interop.client import Refused
from support.admin_exit import DATABASE, REFUSED
from support.chat import Person
from support.importing import PASSWORD, bcrypt, count, many, perl_crypt, refusals, run
from support.kdcd import Database
from support.programs import ROOT, SANITIZER, SLOWER, environment, program, wait_until
from support.timing import clock


# --- All or nothing, and many ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_hundred_thousand_rows(database, admin, folder, hashed):
    path = many(folder / "users.csv", 100000, hashed)
    done, seconds = run(admin, "import", path)
    assert (done.returncode, done.stdout) == (0, "100000 users are imported.\n")
    assert count(database) == 100000 and database.query("SELECT COUNT(*) FROM audit") == ((100000,),)
    times = {"import csv": seconds}
    for ending in ("csv", "jsonl"):
        done, times[f"export {ending}"] = run(admin, "export", folder / f"out.{ending}")
        assert done.returncode == 0
    assert (folder / "out.csv").read_bytes().count(b"\n") == 100001
    database.query("DELETE FROM users")
    done, times["import jsonl"] = run(admin, "import", folder / "out.jsonl")
    assert (done.returncode, done.stdout) == (0, "100000 users are imported.\n")
    done, times["refuse all"] = run(admin, "import", path, "--json")
    assert done.returncode == REFUSED and len(json.loads(done.stdout)["refused"]) == 100000
    print("100,000 users: " + ", ".join(f"{what} {seconds:.1f} s" for what, seconds in times.items()))
    assert max(times.values()) < 60 * SLOWER


@pytest.mark.plain
def test_a_listing_and_an_export_take_the_same_memory_for_any_number_of_users(database, admin, folder, hashed):
    def peak(*arguments):
        most = 0
        with subprocess.Popen([program("kdc-admin"), "--config", str(admin.config), "user", *arguments],
                              env=environment(folder), stdout=subprocess.PIPE, bufsize=0) as child:
            while child.stdout.read(16384):
                found = re.search(r"VmHWM:\s*(\d+) kB", pathlib.Path(f"/proc/{child.pid}/status").read_text())
                most = max(most, int(found[1]) if found else 0)
        assert child.returncode == 0
        return most
    run(admin, "import", many(folder / "few.csv", 2000, hashed))
    commands = (("list",), ("list", "--json"), ("export",), ("export", "--format=jsonl"))
    few = [peak(*command) for command in commands]
    run(admin, "import", many(folder / "many.csv", 40000, hashed), "--keep-going")
    assert count(database) == 40000
    for before, after in zip(few, (peak(*command) for command in commands)):
        assert after < before + 1000, "KiB"


@contextlib.contextmanager
def uncommitted(database):
    """rows() counts also what isn't committed yet."""
    with database.connect_admin() as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED")

        def rows():
            cursor.execute("SELECT COUNT(*) FROM users")
            return cursor.fetchone()[0]
        rows.thread = connection.thread_id()
        yield rows


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGINT])
def test_a_long_import_that_is_killed_leaves_nothing(database, admin, folder, hashed, sig):
    path = many(folder / "users.csv", 150000, hashed)
    child = subprocess.Popen([program("kdc-admin"), "--config", str(admin.config), "user", "import", str(path)],
                             env=environment(folder), stdout=subprocess.PIPE)
    try:
        with uncommitted(database) as rows:
            wait_until("the import adds rows", lambda: rows() > 5000, 60)
            assert count(database) == 0, "nobody sees a part of it"
            child.send_signal(sig)
            assert child.wait(10) == -sig, "it was too quick to be killed in the middle"
            wait_until("the server undoes it", lambda: rows() == 0, 60)
    finally:
        child.kill()
        child.communicate()
    assert count(database) == 0 and database.query("SELECT COUNT(*) FROM audit") == ((0,),)
    few = many(folder / "few.csv", 1500, hashed)
    assert run(admin, "import", few)[0].returncode == 0, "and it can be done again"


@pytest.mark.parametrize("between_calls", [False, True])
def test_a_connection_that_is_killed_in_the_middle_undoes_all(own_mariadb, folder, hashed, between_calls):
    database = Database(own_mariadb, folder)
    path = many(folder / "users.csv", 150000, hashed)
    child = subprocess.Popen([program("kdc-admin"), "--config", str(database.config), "user", "import", str(path)],
                             env=environment(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")
    try:
        with uncommitted(database) as rows:
            wait_until("the import adds rows", lambda: rows() > 5000, 60)
            with own_mariadb.connect() as connection, connection.cursor() as cursor:
                def thread(command):
                    cursor.execute("SELECT id FROM information_schema.processlist WHERE db = %s AND id <> %s "
                                   "AND command LIKE %s", (database.name, rows.thread, command))
                    return cursor.fetchone()
                if between_calls:
                    child.send_signal(signal.SIGSTOP)
                number = wait_until("it's the time", lambda: thread("Sleep" if between_calls else "%"))
                cursor.execute(f"KILL {number[0]}")
                wait_until("the server undoes it", lambda: rows() == 0, 60)
                child.send_signal(signal.SIGCONT)
        output, errors = child.communicate(timeout=60 * SLOWER)
    finally:
        child.kill()
        child.wait()
    assert child.returncode == DATABASE and output == "" and "nothing was imported" in errors, errors
    assert count(database) == 0


def test_two_imports_of_the_same_names_at_once_make_them_once(database, admin, folder, hashed):
    path = many(folder / "users.csv", 20000, hashed)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = [one[0] for one in pool.map(lambda _: run(admin, "import", path), range(2))]
    assert sorted(done.returncode == 0 for done in results) == [False, True], [done.stderr[-300:] for done in results]
    assert count(database) == 20000


def test_passwords_are_hashed_on_all_cores_with_a_bar_on_a_terminal(database, admin, folder, write):
    number = 40
    path = write("users.csv", "name,password", *(f"user{one},the password {one}" for one in range(number)))
    child = pexpect.spawn(program("kdc-admin"), ["--config", str(admin.config), "user", "import", str(path)], encoding="utf-8",
                          env=environment(folder), timeout=60 * SLOWER, dimensions=(24, 100))
    try:
        child.expect(rf"hashing passwords \[[#.]{{30}}\] \d+ of {number}, about \d+ (s|min) left")
        threads = len(os.listdir(f"/proc/{child.pid}/task"))
        child.expect(rf"hashing passwords \[#{{30}}\] {number} of {number}\r\n")
        child.expect_exact(f"{number} users are imported.")
        child.expect(pexpect.EOF)
        child.wait()
    finally:
        child.close(force=True)
    own = 2 if SANITIZER == "thread" else 1  # that sanitizer has a thread itself
    assert child.exitstatus == 0 and threads == own + min(number, len(os.sched_getaffinity(0)))
    kept = dict(database.query("SELECT name, hash FROM users"))
    assert len(set(kept.values())) == number
    for one in (0, number - 1):
        assert perl_crypt(f"the password {one}", kept[f"user{one}"]) == kept[f"user{one}"]


def test_passwords_are_neither_shown_nor_sent(own_mariadb, folder, write):
    database = Database(own_mariadb, folder)
    log = own_mariadb.folder / "general.log"
    with own_mariadb.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"SET GLOBAL general_log_file = '{log}'")
        cursor.execute("SET GLOBAL general_log = 1")
    password = "Tr0ub4dor&3 in the clear"
    csv = write("a.csv", "name,password", f"alice,{password}")
    jsonl = write("b.jsonl", json.dumps({"name": "bob", "password": password}))
    done = [database.admin("user", "import", path) for path in (csv, jsonl)]
    assert all(password not in one.stdout + one.stderr for one in done)
    text = log.read_text(errors="replace")
    assert "CALL admin_user_import" in text and "$2b$12$" in text and password not in text


# --- Logging in --------------------------------------------------------------------------------------------------


def test_imported_hashes_log_in_and_are_upgraded(database, kdcd, new_folder, write):
    forms = {
        "php": bcrypt("$2y$", 4), "rails": bcrypt("$2a$", 5), "python": bcrypt("$2b$", 6),
        "django": "bcrypt$" + bcrypt("$2b$", 4), "spring": "{bcrypt}" + bcrypt("$2a$", 4), "same": bcrypt("$2y$", 10),
        "dear": bcrypt("$2b$", 11)}
    path = write("users.csv", "name,hash,password", *(f"{name},{hashed}," for name, hashed in forms.items()),
                 f"plain,,{PASSWORD}")
    kdc = kdcd()
    kdc.admin("user", "import", path)
    kdc.admin("user", "import", write("htpasswd", f"apache:{bcrypt('$2y$', 5)}"))
    before = dict(database.query("SELECT name, hash FROM users"))
    assert before["django"] == forms["django"][7:] and before["spring"] == forms["spring"][8:]
    for name in (*forms, "plain", "apache"):
        one = Person(new_folder(), kdc, name, PASSWORD)
        one.run("list", check=0)
        Person(new_folder(), kdc, name, "correct house").run("list", check=3)
    after = dict(database.query("SELECT name, hash FROM users"))
    for name, hashed in after.items():
        assert hashed.startswith("$2b$10$") and hashed == perl_crypt(PASSWORD, hashed), name
        assert (hashed == before[name]) == (name == "plain")


def test_the_documents_way_from_a_laravel_like_table(own_mariadb, folder, kdcd):
    """Fifty thousand, of whom a few can't have a name here; then they log in by their passwords of there."""
    database = Database(own_mariadb, folder)
    command = re.search(r"^mariadb --batch.*?> users\.jsonl$", (ROOT / "docs/operations.md").read_text(),
                        re.MULTILINE | re.DOTALL)[0]
    hashed = bcrypt("$2y$", 10)
    with own_mariadb.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE app CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
        cursor.execute("USE app")
        cursor.execute("CREATE TABLE users (id BIGINT UNSIGNED PRIMARY KEY AUTO_INCREMENT, name VARCHAR(255) NOT NULL, "
                       "email VARCHAR(255) NOT NULL UNIQUE, password VARCHAR(255) NOT NULL, remember_token VARCHAR(100) NULL, "
                       "created_at TIMESTAMP NULL, updated_at TIMESTAMP NULL)")
        insert = "INSERT INTO users (name, email, password, created_at) "
        cursor.execute(insert + f"VALUES ('Alice Liddell', 'Alice@Example.org', '{hashed}', '2024-05-06 07:08:09'), "
                       f"('Bob', 'bob@example.org', '{hashed}', NULL), ('Plus', 'plus+tag@example.org', '{hashed}', NULL), "
                       f"('Another Bob', 'bob@example.net', '{hashed}', NULL), ('René', 'rené@example.org', '{hashed}', NULL)")
        cursor.execute(insert + f"SELECT CONCAT('User ', seq), CONCAT('user', seq, '@example.org'), '{hashed}', NOW() "
                       "FROM seq_1_to_49995")
    home = environment(folder)["HOME"]
    (pathlib.Path(home) / ".my.cnf").write_text(f"[client]\nsocket = {own_mariadb.socket}\n")
    subprocess.run(["bash", "-ec", command], cwd=folder, check=True, env=environment(folder))
    refused = [(3, "'plus+tag' can't be a user's name"), (4, "bob is in line 2 already"), (5, "'rené' can't be a user's name")]
    dry = database.admin("user", "import", folder / "users.jsonl", "--dry-run", check=False)
    assert dry.returncode == REFUSED and refusals(dry) == refused and count(database) == 0
    begin = clock()
    done = database.admin("user", "import", folder / "users.jsonl", "--keep-going", check=False)
    assert done.returncode == REFUSED and done.stdout == "49997 users are imported.\n" and refusals(done) == refused
    assert clock() - begin < 30 * SLOWER
    rows = database.query("SELECT name, hash, email, created FROM users WHERE name IN ('alice', 'bob') ORDER BY name")
    assert tuple(map(str, rows[0])) == ("alice", hashed, "Alice@example.org", "2024-05-06 07:08:09")
    assert rows[1][:3] == ("bob", hashed, "bob@example.org")
    kdc = kdcd(database)
    kdc.known_fingerprint = kdc.fingerprint
    for name in ("alice", "bob", "user1", "USER49995"):
        with connect(kdc, name, PASSWORD):
            pass
    with connect(kdc) as client, pytest.raises(Refused, match="login_failed"):
        client.login("user1", "correct house")
