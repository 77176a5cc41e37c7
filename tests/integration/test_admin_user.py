"""kdc-admin user ...: accounts, and how their passwords are taken."""
import datetime
import re
import subprocess

import pexpect
import pytest

from support.admin_exit import EXISTS, NOT_FOUND, REFUSED
from support.kdcd import Database
from support.programs import SLOWER, environment, program


# --- user --------------------------------------------------------------------------------------------------------


def test_an_account_from_add_to_delete(database, admin):
    assert admin("user", "list").stdout == "There are no users yet: make one with: kdc-admin user add NAME\n"
    assert admin("user", "add", "Alice", text="correct horse\nignored\n").stdout == "User alice is added.\n"
    assert admin.json("user", "add", "bob", text="correct horse") == {
        "user": "bob", "done": "added", "sessions_ended": 0}

    table = admin("user", "list").stdout.splitlines()
    assert re.fullmatch(r"NAME +STATE +CREATED +LAST LOGIN +ID", table[0])
    assert re.fullmatch(r"alice  active  \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ  never       1", table[1])
    assert [line.split()[0] for line in table[1:]] == ["alice", "bob"]
    one, two = admin.json("user", "list")
    assert (one["name"], one["state"], one["last_login"], two["name"]) == ("alice", "active", None, "bob")
    created = datetime.datetime.fromisoformat(one["created"].replace("Z", "+00:00"))
    assert abs((datetime.datetime.now(datetime.timezone.utc) - created).total_seconds()) < 60 * SLOWER

    shown = admin.json("user", "show", "ALICE")
    assert shown == {**one, "password": "bcrypt, cost 10"}
    assert re.search(r"^password +bcrypt, cost 10$", admin("user", "show", "alice").stdout, re.MULTILINE)
    (kept,), = database.query("SELECT hash FROM users WHERE name = 'alice'")
    assert re.fullmatch(r"\$2b\$10\$[./A-Za-z0-9]{53}", kept)

    not_running = "kdcd isn't running: there was no session to end.\n"
    assert admin("user", "lock", "alice").stdout == "User alice is locked.\n" + not_running
    assert admin.json("user", "show", "alice")["state"] == "locked"
    assert admin("user", "unlock", "alice").stdout == "User alice is unlocked.\n"
    assert admin.json("user", "show", "alice")["state"] == "active"
    assert admin("user", "passwd", "alice", text="battery staple\n").stdout == (
        "User alice is given another password.\n" + not_running)
    assert database.query("SELECT hash FROM users WHERE name = 'alice'") != ((kept,),)

    done = admin("user", "delete", "alice", status=REFUSED)
    assert "--yes" in done.stderr and admin.json("user", "show", "alice")["id"] == 1
    assert admin("user", "delete", "alice", "--yes").stdout == "User alice is deleted.\n" + not_running
    assert [user["name"] for user in admin.json("user", "list")] == ["bob"]
    events = database.query("SELECT event, user, source FROM audit WHERE user = 'alice' ORDER BY id")
    assert events == tuple((event, "alice", "kdc-admin") for event in (
        "user added", "user locked", "user unlocked", "user given another password", "user deleted"))


@pytest.mark.parametrize("command", ["show", "passwd", "lock", "unlock", "delete"])
def test_an_unknown_user_is_not_found(admin, command):
    done = admin("user", command, "nobody", text="correct horse\n", status=NOT_FOUND)
    assert done.stderr == "kdc-admin: there is no user nobody\n" and done.stdout == ""


def test_a_taken_name_is_told_before_a_password_is_asked(database, admin):
    admin("user", "add", "alice", text="correct horse\n")
    before = database.query("SELECT * FROM users")
    assert "there is a user alice already" in admin("user", "add", "ALICE", text="", status=EXISTS).stderr
    assert database.query("SELECT * FROM users") == before


@pytest.mark.parametrize("name", ["", ".alice", "al ice", "älice", "a" * 33, "al\x1bice", "-alice", "a/b"])
def test_names_that_arent_allowed_are_refused(database, admin, name):
    for command in ("add", "show", "lock"):
        done = admin("user", command, "--", name, text="correct horse\n", status=REFUSED)
        assert "can't be a user's name" in done.stderr and "\x1b" not in done.stderr
    assert database.query("SELECT COUNT(*) FROM users") == ((0,),)


@pytest.mark.parametrize("password, words", [
    ("", "8 bytes"), ("1234567", "8 bytes"), ("x" * 73, "72 bytes"), ("passw\0rd!", "NUL"), ("ü" * 37, "72 bytes"),
    (b"\xff\xfe12345678", "UTF-8"), ("x" * 5000, "longer than"),
])
@pytest.mark.parametrize("by_file", [False, True])
def test_passwords_that_arent_allowed_are_refused(database, admin, folder, password, words, by_file):
    data = password if isinstance(password, bytes) else password.encode()
    path = folder / "new-password"
    path.write_bytes(data + b"\n")
    command = [program("kdc-admin"), "--config", admin.config, "user", "add", "alice"]
    with path.open("rb") as stream:
        done = subprocess.run(command + (["--password-file", path] if by_file else []), env=environment(folder),
                              stdin=subprocess.DEVNULL if by_file else stream, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False)
    assert done.returncode == REFUSED, done.stderr
    assert words.lower() in done.stderr.decode().lower(), done.stderr
    assert len(data) == 0 or data not in done.stderr
    assert database.query("SELECT COUNT(*) FROM users") == ((0,),)


def test_the_longest_password_is_taken_from_a_file(admin, folder):
    path = folder / "new-password"
    path.write_text("ü" * 36 + "\r\n")
    admin("user", "add", "alice", "--password-file", path)
    assert "can't be read" in admin("user", "add", "bob", "--password-file", folder / "none", status=REFUSED).stderr


def test_a_long_list_is_complete_and_in_order(database, admin):
    names = sorted(f"user{number:04d}" for number in range(1203))
    rows = ", ".join(f"('{name}', 'x', 'pending', NOW())" for name in names)
    database.query(f"INSERT INTO users (name, hash, state, created) VALUES {rows}")
    listed = admin.json("user", "list")
    assert [user["name"] for user in listed] == names and listed[0]["state"] == "pending"
    assert len(admin("user", "list").stdout.splitlines()) == 1204
    assert "not a bcrypt hash" in admin("user", "show", names[0]).stdout


# --- Passwords on a terminal -------------------------------------------------------------------------------------


@pytest.fixture
def terminal(admin, folder):
    children = []

    def spawn(*arguments):
        child = pexpect.spawn(program("kdc-admin"), ["--config", str(admin.config), *arguments], encoding="utf-8",
                              env=environment(folder), timeout=15 * SLOWER)
        children.append(child)
        return child
    yield spawn
    for child in children:
        child.close(force=True)


def test_a_password_is_asked_for_twice_and_never_shown(admin, terminal):
    child = terminal("user", "add", "alice")
    child.expect_exact("New password for alice: ")
    child.sendline("correct horse")
    child.expect_exact("The same again: ")
    child.sendline("correct horse")
    child.expect_exact("User alice is added.")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 0 and "horse" not in child.before
    assert admin.json("user", "show", "alice")["state"] == "active"


def test_two_different_passwords_are_refused(database, terminal):
    child = terminal("user", "add", "alice")
    child.expect_exact("New password")
    child.sendline("correct horse")
    child.expect_exact("again: ")
    child.sendline("correct house")
    child.expect_exact("the two passwords differ")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == REFUSED and database.query("SELECT COUNT(*) FROM users") == ((0,),)


def test_an_interrupt_leaves_the_terminal_with_echo(database, terminal):
    child = terminal("user", "add", "alice")
    child.expect_exact("New password")
    child.waitnoecho(5)
    child.send("corr")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.wait()
    assert child.signalstatus == 2, "ended by the signal, as shells want to see it"
    assert database.query("SELECT COUNT(*) FROM users") == ((0,),)


def test_delete_asks_on_a_terminal(admin, terminal):
    admin("user", "add", "alice", text="correct horse\n")
    for answer, status, left in (("no", REFUSED, 1), ("y", REFUSED, 1), ("yes", 0, 0)):
        child = terminal("user", "delete", "alice")
        child.expect_exact("[yes/no] ")
        child.sendline(answer)
        child.expect(pexpect.EOF)
        child.wait()
        assert child.exitstatus == status
        assert len(admin.json("user", "list")) == left


# --- Secrets -----------------------------------------------------------------------------------------------------


def test_no_password_reaches_the_database_server_in_the_clear(own_mariadb, folder, new_folder):
    fresh = Database(own_mariadb, folder, init=False)
    log = own_mariadb.folder / "general.log"
    with own_mariadb.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"SET GLOBAL general_log_file = '{log}'")
        cursor.execute("SET GLOBAL general_log = 1")
    password = "Tr0ub4dor&3 in the clear"
    path = new_folder() / "password"
    path.write_text(password)
    fresh.admin("db", "init")
    fresh.admin("user", "add", "alice", "--password-file", path)
    fresh.admin("user", "passwd", "alice", "--password-file", path)
    fresh.connect().close()
    text = log.read_text(errors="replace")
    assert "CALL kdc_user_add" in text and "$2b$12$" in text, "the log is written"
    assert password not in text and fresh.password not in text
    assert password not in own_mariadb.log.read_text(errors="replace")
