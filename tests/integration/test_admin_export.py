"""kdc-admin user export, and what user list leaves out, on a real MariaDB."""
import json
import os
import signal
import stat
import subprocess

import pytest

from support.admin_exit import OTHER
from support.importing import COLUMNS, GOOD, count
from support.kdcd import Database
from support.programs import environment, program, wait_until


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


def test_an_export_that_is_interrupted_takes_its_file_away(database, admin, folder):
    # Its question has no answer for so long that the file is there whenever one looks.
    database.query("DROP PROCEDURE admin_user_export")
    database.query("CREATE PROCEDURE admin_user_export(IN after VARCHAR(32), IN state VARCHAR(8), IN most INT) SELECT SLEEP(60)")
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
