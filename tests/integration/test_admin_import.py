"""kdc-admin user import: its formats, and what is refused, on a real MariaDB."""
import json
import os
import re

import pytest

from support.admin_exit import DATABASE, OTHER, REFUSED, USAGE
from support.importing import COLUMNS, GOOD, bcrypt, count, perl_crypt, refusals
from support.kdcd import Database


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
