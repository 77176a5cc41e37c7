"""kdc-admin user ...: accounts, and how their passwords are taken."""
import datetime
import json
import re
import subprocess

import pexpect
import pytest

from support.admin_exit import EXISTS, NOT_FOUND, REFUSED, USAGE
from support.kdcd import Database, write_config
from support.programs import SLOWER, environment, program, wait_until


# --- user --------------------------------------------------------------------------------------------------------


def test_an_account_from_add_to_delete(database, admin):
    assert admin("user", "list").stdout == "There are no users yet: make one with: kdc-admin user add NAME\n"
    assert admin("user", "add", "Alice", text="correct horse\nignored\n").stdout == "User alice is added.\n"
    assert admin.json("user", "add", "bob", text="correct horse") == {
        "user": "bob", "done": "added", "sessions_ended": 0}

    table = admin("user", "list").stdout.splitlines()
    assert re.fullmatch(r"NAME +STATE +CREATED +LAST LOGIN +EXPIRES +ID", table[0])
    assert re.fullmatch(r"alice  active  \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ  never       never    1", table[1])
    assert [line.split()[0] for line in table[1:]] == ["alice", "bob"]
    one, two = admin.json("user", "list")
    assert (one["name"], one["state"], one["last_login"], two["name"]) == ("alice", "active", None, "bob")
    created = datetime.datetime.fromisoformat(one["created"].replace("Z", "+00:00"))
    assert abs((datetime.datetime.now(datetime.timezone.utc) - created).total_seconds()) < 60 * SLOWER

    shown = admin.json("user", "show", "ALICE")
    assert {key: shown[key] for key in one} == one
    assert (shown["password"], shown["must_change"], shown["expires"]) == ("bcrypt, cost 10", False, None)
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
    gone = admin("user", "delete", "alice", "--yes").stdout
    assert gone.startswith("User alice is deleted.\nWith it went ") and gone.endswith(not_running)
    assert [user["name"] for user in admin.json("user", "list")] == ["bob"]
    events = database.query("SELECT event, user, source FROM audit WHERE user = 'alice' ORDER BY id")
    assert events == tuple((event, "alice", "kdc-admin") for event in (
        "user added", "user locked", "user unlocked", "user given another password", "user deleted"))


@pytest.mark.parametrize("command", ["show", "passwd", "lock", "unlock", "disable", "enable", "delete"])
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


# --- Passwords that are made up, policy --------------------------------------------------------------------------

MADE_UP = r"[a-km-np-z2-9]{5}(-[a-km-np-z2-9]{5}){3}"


@pytest.mark.parametrize("options", [["--generate"], []])
def test_a_password_is_made_up_and_shown_once(database, admin, options):
    done = admin("user", "add", "alice", *options)
    found = re.fullmatch(rf"User alice is added\.\nThe password is ({MADE_UP})\nIt isn't shown again\.\n", done.stdout)
    assert found and done.stderr == ""
    other = admin.json("user", "passwd", "alice", *options)
    assert re.fullmatch(MADE_UP, other["password"]) and other["password"] != found[1]
    (kept,), = database.query("SELECT hash FROM users")
    salt = kept[:29]
    made = subprocess.run(["perl", "-e", "print crypt(<STDIN>, $ARGV[0])", salt], input=other["password"],
                          stdout=subprocess.PIPE, text=True, check=True).stdout
    assert made == kept
    everything = str(database.query("SELECT * FROM audit")) + admin("user", "show", "alice").stdout
    assert found[1] not in everything and other["password"] not in everything


def test_a_password_that_is_made_up_is_as_long_as_policy_asks(admin, folder):
    for least in (8, 23, 24, 71, 72):
        sections = {**admin.sections, "policy": {"bcrypt_cost": 10, "password_min": least}}
        config = folder / "other.conf"
        write_config(config, sections)
        made = admin.json("user", "add", f"user{least}", "--generate", config=config)["password"]
        assert len(made) == max(23, least) and not made.endswith("-")
        assert "at least" in admin("user", "add", "b", text="x" * (least - 1), config=config, status=REFUSED).stderr


@pytest.mark.parametrize("password, words", [
    ("password123", "too easy"), ("QWERTYUIOP", "too easy"), ("Alice's cat", "too easy")])
def test_policy_is_asked_unless_it_is_forced(database, admin, password, words):
    assert words in admin("user", "add", "alice", text=password, status=REFUSED).stderr
    assert database.query("SELECT COUNT(*) FROM users") == ((0,),)
    admin("user", "add", "alice", "--force", text=password)
    assert words in admin("user", "passwd", "alice", text=password, status=REFUSED).stderr
    admin("user", "passwd", "alice", "--force", text=password)
    assert "8 bytes" in admin("user", "passwd", "alice", "--force", text="short", status=REFUSED).stderr


def test_a_list_that_cant_be_read_is_an_error(database, admin, folder):
    config = folder / "other.conf"
    write_config(config, {**admin.sections, "policy": {"bcrypt_cost": 10, "password_list": "/nonexistent/list"}})
    assert "/nonexistent/list" in admin("user", "add", "alice", text="correct horse", config=config, status=1).stderr
    assert database.query("SELECT COUNT(*) FROM users") == ((0,),)


@pytest.mark.parametrize("arguments", [
    ("add", "carol", "--generate", "--password-file", "/dev/null"), ("add", "alice", "--expires", "tomorrow"),
    ("add", "alice", "--expires", "2026-02-30"), ("set", "alice"), ("set", "alice", "--must-change", "--expires", "never"),
    ("set", "alice", "--expires", ""), ("rename", "alice"), ("rename",), ("rename", "alice", "bob", "carol"),
    ("passwd", "alice", "--expires", "never"), ("show", "alice", "--must-change"), ("lock", "alice", "--force"),
    ("disable",), ("enable", "alice", "bob")])
def test_wrong_usage_changes_nothing(database, admin, arguments):
    admin("user", "add", "alice", text="correct horse")
    before = database.query("SELECT * FROM users")
    assert "kdc-admin --help" in admin("user", *arguments, text="battery staple", status=USAGE).stderr
    assert database.query("SELECT * FROM users") == before


# --- What an account may do, and until when ----------------------------------------------------------------------


def test_an_account_must_change_its_password_and_ends(database, admin):
    admin("user", "add", "alice", "--must-change", "--expires", "2099-12-31T10:00:00+01:00", text="correct horse")
    shown = admin.json("user", "show", "alice")
    assert (shown["must_change"], shown["expires"]) == (True, "2099-12-31T09:00:00.000Z")
    text = admin("user", "show", "alice").stdout
    assert re.search(r"^expires +2099-12-31 09:00:00Z$", text, re.MULTILINE)
    assert re.search(r"^password +bcrypt, cost 10; must be changed at the next login$", text, re.MULTILINE)
    assert " 2099-12-31 09:00:00Z " in admin("user", "list").stdout
    epoch = "SELECT changed FROM users"
    before = database.query(epoch)
    assert "made to expire never" in admin("user", "set", "alice", "--expires", "never").stdout
    assert admin.json("user", "show", "alice")["expires"] is None
    assert database.query(epoch) > before, "tickets are void"
    assert admin.json("user", "set", "alice", "--expires", "2030-01-01")["expires"] == "2030-01-01T00:00:00.000Z"
    admin("user", "passwd", "alice", text="battery staple")
    shown = admin.json("user", "show", "alice")
    assert (shown["must_change"], shown["expires"]) == (False, "2030-01-01T00:00:00.000Z")
    before = database.query(epoch)
    admin("user", "set", "alice", "--must-change")
    assert admin.json("user", "show", "alice")["must_change"] is True and database.query(epoch) > before
    for option in ("--must-change",), ("--expires", "never"):
        assert "there is no user" in admin("user", "set", "nobody", *option, status=NOT_FOUND).stderr
    assert "is over already" in admin("user", "add", "bob", "--expires", "2020-01-01", text="correct horse",
                                      status=REFUSED).stderr
    assert database.query("SELECT detail FROM audit WHERE event = 'user changed' ORDER BY id") == (
        ("made to expire never",), ("made to expire at 2030-01-01 00:00:00Z",),
        ("must change the password at the next login",))


def test_disabled_and_locked_are_undone_by_their_own_commands(admin):
    admin("user", "add", "alice", text="correct horse")

    def state():
        return admin.json("user", "show", "alice")["state"]
    assert admin("user", "disable", "alice").stdout.startswith("User alice is disabled.\n")
    assert "kdc-admin user enable" in admin("user", "unlock", "alice", status=REFUSED).stderr and state() == "disabled"
    assert admin.json("user", "enable", "alice")["done"] == "enabled" and state() == "active"
    admin("user", "lock", "alice")
    assert "kdc-admin user unlock" in admin("user", "enable", "alice", status=REFUSED).stderr and state() == "locked"
    admin("user", "unlock", "alice")
    assert state() == "active"


@pytest.mark.parametrize("command, state, meanwhile", [("unlock", "locked", "disabled"), ("enable", "disabled", "locked")])
def test_what_another_administrator_does_meanwhile_is_not_undone(database, admin, folder, command, state, meanwhile):
    admin("user", "add", "alice", text="correct horse")
    database.query(f"UPDATE users SET state = '{state}'")
    with database.connect_admin() as other, other.cursor() as cursor:
        cursor.execute("START TRANSACTION")
        cursor.execute(f"UPDATE users SET state = '{meanwhile}'")
        process = subprocess.Popen([program("kdc-admin"), "--config", str(database.config), "user", command, "alice"],
                                   env=environment(folder), stderr=subprocess.PIPE, text=True)
        wait_until("it waits for the row", lambda: database.query(
            "SELECT 1 FROM information_schema.processlist WHERE db = DATABASE() AND info LIKE 'UPDATE users%' "
            "AND time_ms > 300"))
        cursor.execute("COMMIT")
        assert f"stays {meanwhile}" in process.communicate(timeout=20)[1] and process.returncode == REFUSED
    assert database.query("SELECT state FROM users") == ((meanwhile,),)


def test_a_name_is_changed(database, admin):
    for name in ("alice", "bob"):
        admin("user", "add", name, text="correct horse")
    before = database.query("SELECT id, hash, changed FROM users WHERE name = 'alice'")
    assert admin("user", "rename", "Alice", "Carol").stdout.startswith("User alice is renamed to carol.\n")
    after = database.query("SELECT id, hash, changed FROM users WHERE name = 'carol'")
    assert after[0][:2] == before[0][:2] and after[0][2] > before[0][2]
    assert "there is no user alice" in admin("user", "rename", "alice", "dave", status=NOT_FOUND).stderr
    everything = database.query("SELECT * FROM users")
    assert "there is a user bob already" in admin("user", "rename", "carol", "bob", status=EXISTS).stderr
    assert "has that name already" in admin("user", "rename", "carol", "CAROL", status=EXISTS).stderr
    for bad in ("", ".carol", "c arol", "c" * 33):
        assert "can't be a user's name" in admin("user", "rename", "--", "carol", bad, status=REFUSED).stderr
    assert database.query("SELECT * FROM users") == everything
    assert admin.json("user", "rename", "carol", "alice") == {
        "user": "carol", "done": "renamed", "name": "alice", "sessions_ended": 0}
    assert database.query("SELECT user, detail FROM audit WHERE event = 'user renamed' ORDER BY id LIMIT 2") == (
        ("carol", "from alice"), ("alice", "to carol"))


def test_show_and_delete_say_what_there_is(database, admin):
    for name in ("alice", "bob", "carol"):
        admin("user", "add", name, text="correct horse")
    with database.connect() as connection, connection.cursor() as cursor:
        for batch in ('{"issues": [[1, 2, "alice", "bob", "s"], [1, 2, "alice", "bob", "s"], [3, 1, "carol", "alice", "s"]]}',
                      '{"events": [[0, 9000, "login", "alice", "s", "", "login_failed"],'
                      ' [1, 5000, "login", "alice", "s", ""], [0, 900, "login", "alice", "s", "", "login_failed"],'
                      ' [0, 800, "login", "alice", "s", "", "must_change"], [0, 700, "login", "alice", "s", "", "penalty"]]}'):
            cursor.execute("CALL kdc_journal(%s)", (batch,))
            while cursor.nextset():
                pass
        connection.commit()
    shown = admin.json("user", "show", "alice")
    assert (shown["conversations"], shown["keys_issued"], shown["failures"], shown["sessions"]) == (2, 3, 2, None)
    text = admin("user", "show", "alice").stdout
    for line in (r"conversations +2", r"keys issued +3", r"failures since +2", r"session +not known: kdcd isn't running"):
        assert re.search(f"^{line}$", text, re.MULTILINE), line
    done = admin("user", "delete", "alice", "--yes").stdout
    assert "With it went the records of 2 conversations (3 keys issued) and 0 earlier passwords." in done
    assert re.search(r"\d+ entries of the audit log stay\.", done)
    assert admin.json("user", "delete", "carol", "--yes") == {
        "user": "carol", "done": "deleted", "conversations": 0, "keys_issued": 0, "sessions_ended": 0}


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
        child.expect_exact("Delete user alice, with the records of 0 conversations (0 keys issued) and 0 earlier passwords? "
                           "This can't be undone. [yes/no] ")
        child.sendline(answer)
        child.expect(pexpect.EOF)
        child.wait()
        assert child.exitstatus == status
        assert len(admin.json("user", "list")) == left


def test_what_delete_asks_is_seen_where_its_output_goes_to_a_file(admin, folder):
    admin("user", "add", "alice", text="correct horse\n")
    child = pexpect.spawn("sh", ["-c", 'exec "$0" "$@" >output', program("kdc-admin"), "--config", str(admin.config),
                                 "user", "delete", "alice", "--json"], cwd=str(folder), encoding="utf-8",
                          env=environment(folder), timeout=15 * SLOWER)
    try:
        child.expect_exact("[yes/no] ")
        child.sendline("yes")
        child.expect(pexpect.EOF)
    finally:
        child.close(force=True)
    assert child.exitstatus == 0 and json.loads((folder / "output").read_text())["done"] == "deleted"


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
    assert "CALL admin_user_add" in text and "$2b$12$" in text, "the log is written"
    assert password not in text and fresh.password not in text
    assert password not in own_mariadb.log.read_text(errors="replace")
