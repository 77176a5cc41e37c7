"""kdc-admin user import, export, and what user list leaves out: moving users in and out, on a real MariaDB."""
import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import signal
import stat
import subprocess
import time

import pexpect
import pytest

from interop.attack import connect
from interop.client import Refused
from support.admin_exit import DATABASE, OTHER, REFUSED, USAGE
from support.chat import Person
from support.kdcd import Database
from support.programs import ROOT, SANITIZER, SLOWER, environment, program, sanitizer_report, wait_until

# Of the password "correct horse": as PHP, Ruby, Python, Java and Apache write them.
DIGEST = "kYCBYGg2mVL3dkxi3CLpGe"
PASSWORD = "correct horse"
COLUMNS = "name, hash, state, created, last_login, must_change, expires, email, phone"


def bcrypt(prefix="$2b$", cost=4, password=PASSWORD):
    """By libcrypt itself, not by our own code."""
    done = subprocess.run(["perl", "-e", "print crypt($ARGV[0], $ARGV[1])", password,
                           f"{prefix}{cost:02d}${DIGEST}"], stdout=subprocess.PIPE, text=True, check=True)
    assert len(done.stdout) == 60
    return done.stdout


@pytest.fixture(scope="module")
def hashed():
    return bcrypt()


@pytest.fixture
def write(folder):
    """write("users.csv", "name,hash", "alice,...") makes the file; bytes as they are, lines joined."""
    def make(name, *lines):
        path = folder / name
        path.write_bytes(b"".join(line if isinstance(line, bytes) else line.encode() + b"\n" for line in lines))
        return path
    return make


def count(database):
    return database.query("SELECT COUNT(*) FROM users")[0][0]


def refusals(done):
    """[(line, reason)] of what people are told."""
    return [(int(line), reason) for line, reason in
            re.findall(r"^kdc-admin: [^:\n]+:(\d+): (.*)$", done.stderr, re.MULTILINE)]


# --- Formats -----------------------------------------------------------------------------------------------------


def test_csv_with_every_column(database, admin, write, hashed):
    path = write("users.csv", "name,state,hash,last_login,created,must_change,expires",
                 f"alice,locked,{hashed},2026-01-02T03:04:05.678Z,2020-02-29,True,2030-01-02 03:04:05.006Z",
                 f'"BOB","","{hashed}",,"2020-02-29 12:00:00+01:00",no,', "", f"carol,pending,{hashed},,,,")
    assert admin("user", "import", path).stdout == "3 users are imported.\n"
    rows = database.query(f"SELECT {COLUMNS} FROM users WHERE name <> 'carol' ORDER BY id")
    assert [tuple(map(str, row[:7])) for row in rows] == [
        ("alice", hashed, "locked", "2020-02-29 00:00:00", "2026-01-02 03:04:05.678000", "1", "2030-01-02 03:04:05.006000"),
        ("bob", hashed, "active", "2020-02-29 11:00:00", "None", "0", "None")]
    assert database.query("SELECT state, last_login, ABS(TIMESTAMPDIFF(SECOND, created, UTC_TIMESTAMP())) < 300 "
                          "FROM users WHERE name = 'carol'") == (("pending", None, 1),)
    assert database.query(f"SELECT event, user, source, actor LIKE '%({os.getuid()})@%' FROM audit ORDER BY id") == tuple(
        ("user imported", name, "kdc-admin", 1) for name in ("alice", "bob", "carol"))


def test_json_lines(database, admin, write, hashed):
    path = write("users.jsonl", json.dumps({"name": "alice", "hash": hashed, "state": "disabled", "last_login": None}), "",
                 '{"created": "2020-01-01", "name": "b\\u006fb", "password": "gr\\u00fcn \\"und\\" blau"}')
    assert admin.json("user", "import", path) == {"rows": 2, "imported": 2, "dry_run": False, "refused": []}
    rows = database.query("SELECT name, state, LEFT(hash, 7) FROM users ORDER BY name")
    assert rows == (("alice", "disabled", "$2b$04$"), ("bob", "active", "$2b$10$"))
    assert database.query("SELECT hash FROM users WHERE name = 'bob'")[0][0] == \
        perl_crypt('grün "und" blau', database.query("SELECT hash FROM users WHERE name = 'bob'")[0][0])


def perl_crypt(password, setting):
    return subprocess.run(["perl", "-e", "print crypt($ARGV[0], $ARGV[1])", password, setting], stdout=subprocess.PIPE,
                          text=True, check=True).stdout


def test_htpasswd(database, admin, write):
    hashed = bcrypt("$2y$", 5)
    path = write(".htpasswd", "# staff", f"alice:{hashed}", f"bob:{hashed}")
    assert admin("user", "import", path).stdout == "2 users are imported.\n"
    assert database.query("SELECT name, hash FROM users ORDER BY name") == (("alice", hashed), ("bob", hashed))


def test_the_format_option_goes_before_the_name_and_standard_input_needs_it(database, admin, write, hashed):
    path = write("users.csv", f"alice:{hashed}")
    admin("user", "import", path, "--format", "htpasswd")
    assert admin("user", "import", "-", "--format=csv", text=f"name,hash\nbob,{hashed}\n").stdout == "1 user is imported.\n"
    assert "--format" in admin("user", "import", "-", text=f"name,hash\ncarol,{hashed}\n", status=USAGE).stderr
    assert "no format 'xml'" in admin("user", "import", path, "--format", "xml", status=USAGE).stderr
    assert "doesn't tell" in admin("user", "import", write("users.txt", "x"), status=USAGE).stderr
    assert count(database) == 2


@pytest.mark.parametrize("ending", ["\r\n", "\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("last", [True, False])
def test_line_ends_and_a_byte_order_mark(database, admin, write, hashed, ending, mark, last):
    lines = ["name,hash", f"alice,{hashed}", f'"bob","{hashed}"']
    text = ending.join(lines) + (ending if last else "")
    assert admin("user", "import", write("users.csv", mark + text.encode())).stdout == "2 users are imported.\n"
    line = json.dumps({"name": "carol", "hash": hashed})
    assert "1 user is" in admin("user", "import", write("users.jsonl", mark + (line + ending * last).encode())).stdout
    assert "1 user is" in admin("user", "import", write("htpasswd", mark + f"dora:{hashed}{ending * last}".encode())).stdout
    assert {row[0] for row in database.query("SELECT hash FROM users")} == {hashed} and count(database) == 4


def test_quotes_commas_and_line_ends_in_a_password(database, admin, write):
    passwords = {"alice": 'say "yes", now', "bob": "two\nlines of it", "carol": "  spaces  ", "dora": "x" * 72}
    lines = ["name,password"] + [f'{name},"{password.replace(chr(34), chr(34) * 2)}"' for name, password in passwords.items()]
    admin("user", "import", write("users.csv", *lines))
    kept = dict(database.query("SELECT name, hash FROM users"))
    assert kept == {name: perl_crypt(password, kept[name]) for name, password in passwords.items()}


# --- What is refused ---------------------------------------------------------------------------------------------


GOOD = "$2b$10$" + "a" * 53
BAD_HASH = "the hash isn't bcrypt"
BAD_ROWS = [
    ("name,hash", f",{GOOD}", "it has no name"),
    ("name,hash", f".alice,{GOOD}", "'.alice' can't be a user's name"),
    ("name,hash", f"a@b.example,{GOOD}", "'a@b.example' can't be"),
    ("name,hash", f"{'n' * 33},{GOOD}", "can't be a user's name"),
    ("name,hash", f"älice,{GOOD}", "'älice' can't be"),
    ("name,hash", f"al\x1bice,{GOOD}", "can't be"),
    ("name,hash", f"{GOOD},alice", "that can't be a user's name"),
    ("name,hash", "alice,", "neither a hash nor a password"),
    ("name,hash,password", f"alice,{GOOD},correct horse", "both a hash and a password"),
    ("name,hash", "alice,secret horse", BAD_HASH),
    ("name,hash", f"alice,{GOOD}a", BAD_HASH),
    ("name,hash", f"alice,{GOOD[:-1]}", BAD_HASH),
    ("name,hash", f"alice,{GOOD[:-1]}!", BAD_HASH),
    ("name,hash", f"alice,$2x${GOOD[4:]}", BAD_HASH),
    ("name,hash", f"alice,bcrypt_sha256$${GOOD[1:]}", BAD_HASH),
    ("name,hash", "alice,$6$rounds=5000$" + "a" * 40, BAD_HASH),
    ("name,hash", f"alice,$2b$1x${GOOD[7:]}", BAD_HASH),
    ("name,hash", f"alice,$2b$03${GOOD[7:]}", "the hash's cost isn't from 4 to 15"),
    ("name,hash", f"alice,$2b$16${GOOD[7:]}", "the hash's cost isn't from 4 to 15"),
    ("name,hash", f"alice,$2b$31${GOOD[7:]}", "the hash's cost isn't from 4 to 15"),
    ("name,hash", f"alice,$2b$99${GOOD[7:]}", "the hash's cost isn't from 4 to 15"),
    ("name,password", "alice,1234567", "too short"),
    ("name,password", f"alice,{'x' * 73}", "too long"),
    ("name,password", f"alice,{'ü' * 37}", "too long"),
    ("name,password", b"alice,\xff\xfe12345678\n", "not UTF-8"),
    ("name,hash,state", f"alice,{GOOD},gone", "its state isn't"),
    ("name,hash,state", f"alice,{GOOD},Active", "its state isn't"),
    ("name,hash,created", f"alice,{GOOD},yesterday", "created isn't a date"),
    ("name,hash,created", f"alice,{GOOD},2026-02-29", "created isn't a date"),
    ("name,hash,created", f"alice,{GOOD},2026-01-01T24:00", "created isn't a date"),
    ("name,hash,created", f"alice,{GOOD},1969-12-31", "created isn't a date"),
    ("name,hash,created", f"alice,{GOOD},9999-12-31T23:59:59-01:00", "created isn't a date"),
    ("name,hash,last_login", f"alice,{GOOD},2026-01-01T10:00:00 please", "last_login isn't a date"),
    ("name,hash,expires", f"alice,{GOOD},never", "expires isn't a date"),
    ("name,hash,must_change", f"alice,{GOOD},perhaps", "must_change isn't true or false"),
    ("name,password", "alice,Password123", "too easy to guess"),
    ("name,password", "alice,my alice words", "too easy to guess"),
    ("name,hash", "alice", "it has 1 columns, the first line names 2"),
    ("name,hash", f"alice,{GOOD},", "it has 3 columns"),
    ("name,hash", "alice" + "," * 40, "it has 41 columns"),
    ("name,hash", f'"alice"x,{GOOD}', "behind a closing quote"),
    ("name,hash", f'al"ice,{GOOD}', "isn't quoted"),
    ("name,hash", f'alice,"{GOOD}', "isn't closed"),
    ("name,hash", b"ali\0ce," + GOOD.encode() + b"\n", "NUL"),
    ("name,hash", "alice," + "x" * 1000000, "longer than 16384 bytes"),
]


@pytest.mark.parametrize("header, row, words", BAD_ROWS, ids=[f"{number}" for number in range(len(BAD_ROWS))])
def test_a_row_of_csv_is_refused_with_its_line_and_why(database, admin, write, header, row, words):
    path = write("users.csv", header, *([] if "isn't closed" in words else [""]), row)
    line = 2 if "isn't closed" in words else 3
    done = admin("user", "import", path, status=REFUSED)
    (told,) = refusals(done)
    assert told[0] == line and words in told[1], done.stderr
    assert done.stdout == "" and "nothing was imported" in done.stderr and "\x1b" not in done.stderr
    assert not any(secret in done.stderr for secret in ("secret horse", "correct horse", GOOD[-30:], "x" * 30, "1234567"))
    assert count(database) == 0 and database.query("SELECT COUNT(*) FROM audit") == ((0,),)


@pytest.mark.parametrize("line, words", [
    ("secret horse", "it isn't JSON"), ('["alice"]', "isn't a JSON object"), ('{"name": "alice", "password": "secret horse"',
     "it isn't JSON"), ('{"name": "alice", "password": 12345678}', "neither a string nor null"),
    ('{"name": "alice", "passwd": "secret horse"}', "a key other than"), ('{"name": "alice"}', "neither a hash nor"),
    ('{"name": "alice", "password": "secret\\u0000horse"}', "it isn't JSON"), ('{"name": "a", "name": "b"}', "it isn't JSON"),
    ('{"password": "secret horse"}', "it has no name"), (b'{"name": "ali\0ce"}\n', "NUL"),
    (b'{"name": "alice", "password": "secret \xff horse"}\n', "it isn't JSON"), ("[" * 16000, "it isn't JSON"),
    ('{"name": "' + "x" * 1000000 + '"}', "longer than"), ("", None),
])
def test_a_json_line_is_refused_with_its_number_and_why(database, admin, write, line, words):
    path = write("users.jsonl", "", line, json.dumps({"name": "bob", "hash": GOOD}), "{}")
    done = admin("user", "import", path, status=REFUSED)
    told = refusals(done)
    assert [number for number, _ in told] == ([2, 4] if words else [4])
    assert words is None or words in told[0][1]
    assert "horse" not in done.stderr and count(database) == 0


def test_an_htpasswd_line_that_isnt_bcrypt_is_refused(admin, write):
    path = write("htpasswd", "alice:$apr1$ab$abcdef", "bob", f"carol:{GOOD}:extra", ":x", f"dora:{GOOD}")
    told = refusals(admin("user", "import", path, status=REFUSED))
    assert [line for line, _ in told] == [1, 2, 3, 4]
    assert BAD_HASH in told[0][1] and "a colon" in told[1][1] and BAD_HASH in told[2][1] and "no name" in told[3][1]


@pytest.mark.parametrize("header, words", [
    ("", "it is empty"), ("name", "at least name, and hash or password"), ("hash,password", "at least name"),
    ("name,hash,name", "column 3 is there twice"), ("name,hash,sate", "column 3 is none of these"),
    ("alice,secret horse", "column 1 is none"), (f"alice,{GOOD}", "column 1 is none"), ("name,\"hash", "isn't closed"),
    ("name,hash" + ",x" * 30, "column 3 is none"), (b"\xff\xfen\0a\0m\0e\0,\0h\0a\0s\0h\0\n\0", "its first line must name"),
])
def test_a_csv_file_without_a_header_is_refused(database, admin, write, header, words):
    lines = [header] if header else []
    done = admin("user", "import", write("users.csv", *lines), status=REFUSED)
    assert words in done.stderr and "horse" not in done.stderr and "aaaa" not in done.stderr and count(database) == 0


@pytest.mark.parametrize("ending", ["csv", "jsonl", "htpasswd"])
def test_binary_garbage_is_refused(database, admin, write, ending):
    garbage = bytes((number * 7919 + number // 251) % 256 for number in range(300000))
    done = admin("user", "import", write(f"garbage.{ending}", garbage), status=REFUSED)
    assert re.fullmatch(r"[\x20-\x7e\n]*", done.stderr.replace("�", "?").encode("ascii", "replace").decode())
    assert count(database) == 0


def test_a_name_twice_in_the_file_or_already_there_is_refused(database, admin, write, hashed):
    admin("user", "add", "bob", text="correct horse\n")
    before = database.query("SELECT * FROM users")
    path = write("users.csv", "name,hash", f"alice,{hashed}", f"bob,{hashed}", f"ALICE,{hashed}", f"carol,{hashed}")
    done = admin("user", "import", path, status=REFUSED)
    assert refusals(done) == [(3, "there is a user bob already"), (4, "alice is in line 2 already")]
    assert "2 of 4 rows" in done.stderr and database.query("SELECT * FROM users") == before
    done = admin("user", "import", path, "--json", status=REFUSED)
    assert json.loads(done.stdout) == {"rows": 4, "imported": 0, "dry_run": False, "refused": [
        {"line": 3, "name": "bob", "reason": "there is a user bob already"},
        {"line": 4, "name": "alice", "reason": "alice is in line 2 already"}]}


def test_keep_going_imports_the_others_and_says_so(database, admin, write, hashed):
    admin("user", "add", "bob", text="correct horse\n")
    before = database.query("SELECT * FROM users")
    path = write("users.csv", "name,hash,password", f"alice,{hashed},", f"bob,{hashed},", "carol,,short",
                 "dora,,long enough", f"alice,{hashed},", "x", f"erin,{hashed},")
    done = admin("user", "import", path, "--keep-going", status=REFUSED)
    assert done.stdout == "3 users are imported.\n" and [line for line, _ in refusals(done)] == [3, 4, 6, 7]
    assert "nothing" not in done.stderr
    assert database.query("SELECT name FROM users ORDER BY name") == (("alice",), ("bob",), ("dora",), ("erin",))
    assert database.query("SELECT * FROM users WHERE name = 'bob'") == before
    again = admin("user", "import", path, "--keep-going", "--json", status=REFUSED)
    assert json.loads(again.stdout)["imported"] == 0 and len(json.loads(again.stdout)["refused"]) == 7


def test_a_dry_run_tells_the_same_and_changes_nothing(database, admin, write, hashed):
    admin("user", "add", "bob", text="correct horse\n")
    before = database.query("SELECT * FROM users"), database.query("SELECT * FROM audit")
    good = write("good.csv", "name,hash,password", f"alice,{hashed},", "carol,,long enough")
    assert admin("user", "import", good, "--dry-run").stdout == "2 users would be imported.\n"
    assert admin.json("user", "import", good, "--dry-run") == {"rows": 2, "imported": 0, "dry_run": True, "refused": []}
    bad = write("bad.csv", "name,hash", f"alice,{hashed}", f"bob,{hashed}", "carol,x")
    told = refusals(admin("user", "import", bad, "--dry-run", status=REFUSED))
    assert [line for line, _ in told] == [3, 4]
    assert admin("user", "import", bad, "--dry-run", "--keep-going", status=REFUSED).stdout == "1 user would be imported.\n"
    assert before == (database.query("SELECT * FROM users"), database.query("SELECT * FROM audit"))
    admin("user", "add", "zoe", text="correct horse\n")
    assert database.query("SELECT id FROM users WHERE name = 'zoe'") == ((2,),), "not even a number was used up"


def test_files_that_cant_be_read_are_told(database, admin, folder, write, hashed):
    assert "No such file" in admin("user", "import", folder / "none.csv", status=OTHER).stderr
    (folder / "folder.csv").mkdir()
    assert "can't be read" in admin("user", "import", folder / "folder.csv", status=OTHER).stderr
    if os.geteuid() != 0:
        path = write("closed.csv", "name,hash", f"alice,{hashed}")
        path.chmod(0)
        assert "can't be read" in admin("user", "import", path, status=OTHER).stderr
    # Readable at first: /proc/self/mem gives an error at its address 0.
    assert "can't be read" in admin("user", "import", "/proc/self/mem", "--format", "csv", status=OTHER).stderr
    assert admin("user", "import", write("empty.jsonl")).stdout == "0 users are imported.\n"
    assert count(database) == 0


@pytest.mark.parametrize("arguments", [
    ("import",), ("import", "a.csv", "b.csv"), ("export", "a.csv", "b.csv"), ("export", "users.txt"), ("import", "a.csv", "--state", "x"),
    ("export", "--format", "htpasswd"), ("export", "--state", "gone"), ("export", "--dry-run"), ("list", "--keep-going"),
    ("list", "--state", "Active"), ("list", "--state", ""), ("list", "--name", "ä*"), ("list", "--name", ""),
    ("list", "--name", "a" * 65), ("list", "--name", "a%"), ("list", "--limit", "-1"), ("list", "--limit", "1x"),
    ("list", "--limit", ""), ("list", "--after", "a/b"), ("list", "--login-before", "2026"),
    ("list", "--login-after", "2026-13-01"), ("list", "--login-after", "2026-01-01T10"),
])
def test_bad_usage_is_told(admin, arguments):
    done = admin("user", *arguments, status=USAGE)
    assert "--help" in done.stderr and done.stdout == ""


def test_without_the_database_nothing_is_done(own_mariadb, folder, write, hashed):
    database = Database(own_mariadb, folder)
    path = write("users.csv", "name,hash", f"alice,{hashed}")
    own_mariadb.stop()
    for arguments in (("import", path), ("export", folder / "out.csv"), ("list", "--limit", "1")):
        assert database.admin("user", *arguments, check=False).returncode == DATABASE
    assert not list(folder.glob("out.csv*"))


# --- All or nothing, and many ------------------------------------------------------------------------------------


def many(path, number, hashed):
    with path.open("w", encoding="ascii") as out:
        out.write("name,hash\n")
        out.writelines(f"user{one:06d},{hashed}\n" for one in range(number))
    return path


def run(admin, *arguments, **more):
    started = time.monotonic()
    done = subprocess.run([program("kdc-admin"), "--config", str(admin.config), "user", *map(str, arguments)],
                          env=environment(pathlib.Path(admin.config).parent), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          encoding="utf-8", timeout=120 * SLOWER, check=False, **more)
    assert not sanitizer_report(done.stderr), done.stderr
    return done, time.monotonic() - started


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
    begin = time.monotonic()
    done = database.admin("user", "import", folder / "users.jsonl", "--keep-going", check=False)
    assert done.returncode == REFUSED and done.stdout == "49997 users are imported.\n" and refusals(done) == refused
    assert time.monotonic() - begin < 30 * SLOWER
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


# --- Export ------------------------------------------------------------------------------------------------------


def fill(database, number=2345):
    states = ("pending", "active", "locked", "disabled")
    rows = ", ".join(
        f"('user{one:05d}', '{GOOD}', '{states[one % 4]}', '2019-01-01' + INTERVAL {one * 86461001} * 1000 MICROSECOND, "
        + (f"'2025-06-01' + INTERVAL {one * 7919} * 1000 MICROSECOND" if one % 3 else "NULL")
        + f", {one % 2}, " + (f"'2031-06-01' + INTERVAL {one} * 1000 MICROSECOND" if one % 5 else "NULL") + ", "
        + (f"'user{one}@example.org', '+4930{one:07d}')" if one % 7 else "NULL, NULL)") for one in range(number))
    database.query(f"INSERT INTO users ({COLUMNS}) VALUES {rows}")


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_export_then_import_gives_the_same_table(database, mariadb, admin, new_folder, ending):
    fill(database)
    path = new_folder() / f"users.{ending}"
    assert admin("user", "export", path).stdout == f"2345 users are exported to {path}.\n"
    other = Database(mariadb, new_folder())
    try:
        other.admin("user", "import", path)
        everything = f"SELECT {COLUMNS} FROM users ORDER BY name"
        assert other.query(everything) == database.query(everything) and count(other) == 2345
        columns = {row[0] for row in database.query("SHOW COLUMNS FROM users")}
        # Numbers are that table's own, and so is the epoch: it voids whatever tickets an earlier table's numbers have.
        assert columns - {"id", "changed"} == set(COLUMNS.split(", "))
        assert other.query("SELECT COUNT(*) FROM users WHERE changed < NOW() - INTERVAL 1 HOUR") == ((0,),)
        again = new_folder() / f"again.{ending}"
        other.admin("user", "export", again)
        assert again.read_bytes() == path.read_bytes()
    finally:
        other.drop()


def test_export_to_standard_output_by_state(database, admin, hashed):
    database.query("INSERT INTO users (name, hash, state, created) VALUES ('bob', 'x,\"y', 'locked', '2020-01-02'), "
                   f"('alice', '{hashed}', 'active', '2020-01-02 03:04:05.006')")
    header = "name,hash,state,created,last_login,must_change,expires,email,phone\n"
    alice = f"alice,{hashed},active,2020-01-02T03:04:05.006Z,,false,,,\n"
    bob = 'bob,"x,""y",locked,2020-01-02T00:00:00.000Z,,false,,,\n'
    assert admin("user", "export").stdout == admin("user", "export", "-").stdout == header + alice + bob
    assert admin("user", "export", "--state", "locked").stdout == header + bob
    assert admin("user", "export", "--state", "pending").stdout == header
    (line,) = admin("user", "export", "--state", "active", "--format", "jsonl").stdout.splitlines()
    assert json.loads(line) == {"name": "alice", "hash": hashed, "state": "active", "created": "2020-01-02T03:04:05.006Z",
                                "last_login": None, "must_change": False, "expires": None, "email": None, "phone": None}
    assert database.query("SELECT DISTINCT event, user, detail FROM audit") == (("users exported", "", "to standard output"),)


def test_an_export_file_is_private_and_complete_or_not_there(database, admin, folder):
    fill(database, 10)
    path = folder / "users.csv"
    path.write_text("before")
    path.chmod(0o644)
    assert admin.json("user", "export", path) == {"exported": 10, "file": str(path)}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and len(path.read_text().splitlines()) == 11
    for bad in (folder / "none" / "users.csv", folder, "/dev/null"):
        assert "can't be written" in admin("user", "export", bad, "--format", "csv", status=OTHER).stderr
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([program("kdc-admin"), "--config", admin.config, "user", "export"], stdout=full,
                              stderr=subprocess.PIPE, check=False, env=environment(folder))
    assert done.returncode == OTHER and b"could not be written" in done.stderr
    before = path.read_bytes()
    database.query("DROP PROCEDURE admin_user_export")
    assert admin("user", "export", path, status=OTHER).stdout == ""
    assert path.read_bytes() == before and not list(folder.glob("*.new"))


def test_an_export_is_of_one_moment(database, admin, folder):
    fill(database, 5000)
    before = database.query("SELECT name, state FROM users ORDER BY name")
    child = subprocess.Popen([program("kdc-admin"), "--config", str(admin.config), "user", "export"], env=environment(folder),
                             stdout=subprocess.PIPE, encoding="ascii")
    try:
        # Nobody reads on: it waits in the middle, with room in the pipe for less than a thousand users.
        child.stdout.readline()
        database.query("DELETE FROM users WHERE name > 'user04000'")
        database.query("UPDATE users SET name = CONCAT('y', name) WHERE name < 'user00010'")
        database.query("UPDATE users SET state = 'locked'")
        admin("user", "add", "user99999", text="correct horse\n")
        rows = [tuple(line.split(",")[::2][:2]) for line in child.stdout.read().splitlines()]
        assert child.wait(10) == 0 and rows == list(before)
    finally:
        child.kill()
        child.communicate()


def test_an_export_that_is_interrupted_takes_its_file_away(database, admin, folder, hashed):
    run(admin, "import", many(folder / "many.csv", 60000, hashed))
    child = subprocess.Popen([program("kdc-admin"), "--config", str(admin.config), "user", "export", str(folder / "out.csv")],
                             env=environment(folder))
    wait_until("the export has begun", lambda: list(folder.glob("out.csv.*.new")))
    child.terminate()
    assert child.wait(10) == -signal.SIGTERM
    assert not list(folder.glob("out.csv*"))


# --- List --------------------------------------------------------------------------------------------------------


def names(admin, *arguments):
    """By --json; the table must say the same."""
    listed = [user["name"] for user in admin.json("user", "list", *arguments)]
    table = admin("user", "list", *arguments).stdout
    if not listed:
        assert table == "There is no such user.\n"
    else:
        assert [line.split()[0] for line in table.splitlines()[1:]] == listed
    return listed


@pytest.fixture
def some(database):
    database.query(
        "INSERT INTO users (name, hash, state, created, last_login) VALUES ('alice', 'x', 'active', NOW(), '2026-01-01'),"
        "('al_ice', 'x', 'locked', NOW(), '2026-03-01 12:00'), ('bob', 'x', 'active', NOW(), NULL),"
        "('bob-2', 'x', 'disabled', NOW(), '2025-12-31 23:59:59.999'), ('zoe', 'x', 'pending', NOW(), NULL)")


EVERYBODY = ["al_ice", "alice", "bob", "bob-2", "zoe"]


@pytest.mark.parametrize("arguments, expected", [
    ((), EVERYBODY), (("--state", "active"), ["alice", "bob"]), (("--state", "pending"), ["zoe"]),
    (("--name", "*"), EVERYBODY), (("--name", "al*"), ["al_ice", "alice"]), (("--name", "AL_*"), ["al_ice"]),
    (("--name", "???"), ["bob", "zoe"]), (("--name", "*o?"), ["bob", "zoe"]), (("--name", "*o*"), ["bob", "bob-2", "zoe"]),
    (("--name", "bob"), ["bob"]), (("--name", "b"), []), (("--name", "*" * 64), EVERYBODY),
    (("--login-before", "2026-01-01"), ["bob", "bob-2", "zoe"]), (("--login-after", "2026-01-01"), ["al_ice", "alice"]),
    (("--login-after", "2026-01-01T00:00:00.001Z"), ["al_ice"]), (("--login-after", "2026-03-01 13:00+01:00"), ["al_ice"]),
    (("--login-after", "2026-03-01T13:00:01+01:00"), []), (("--login-before", "1970-01-01"), ["bob", "zoe"]),
    (("--login-after", "1970-01-01"), ["al_ice", "alice", "bob-2"]),
    (("--login-after", "2025-12-31", "--login-before", "2026-01-02", "--state", "active"), ["alice"]),
    (("--limit", "2"), ["al_ice", "alice"]), (("--limit", "2", "--after", "alice"), ["bob", "bob-2"]), (("--limit", "0"), []),
    (("--after", "Zoe"), []), (("--after", "b"), ["bob", "bob-2", "zoe"]),
    (("--state", "active", "--name", "*b*", "--after", "alice", "--limit", "9"), ["bob"]),
])
@pytest.mark.usefixtures("some")
def test_filters_and_paging(admin, arguments, expected):
    assert names(admin, *arguments) == expected


def test_pages_of_a_long_list_make_up_the_whole(database, admin):
    fill(database, 1203)
    everybody = names(admin)
    assert len(everybody) == 1203 == len(set(everybody)) and everybody == sorted(everybody)
    for size in (400, 500, 1000):
        pages, after = [], ()
        while page := names(admin, "--limit", str(size), *after):
            pages.append(page)
            after = ("--after", page[-1])
        assert sum(pages, []) == everybody and all(len(page) == size for page in pages[:-1])
    widths = {len(line) for line in admin("user", "list", "--limit", "999").stdout.splitlines()[1:]}
    assert len(widths) <= 3, "columns stay under their titles"
