"""kdc-admin: its command line, db and identity, with what they print and the exit status, on a real MariaDB."""
import concurrent.futures
import json
import os
import re
import stat
import subprocess

import pymysql
import pytest

from support.admin_exit import DATABASE, NOT_FOUND, OTHER, USAGE
from support.kdcd import Database, write_config
from support.programs import ROOT, environment, program

NEWEST = max(int(path.name[:4]) for path in (ROOT / "sql" / "migrations").iterdir())


# --- The program itself ------------------------------------------------------------------------------------------


def test_help_names_every_command_and_exit_status(admin):
    text = admin("--help").stdout
    for command in ("db init", "db migrate", "db status", "db check", "db backup FILE", "db restore FILE",
                    "user add NAME", "user list", "user show NAME", "user passwd NAME", "user set NAME", "user lock NAME",
                    "user unlock NAME", "user disable NAME", "user enable NAME", "user rename NAME NEW-NAME",
                    "user delete NAME", "user import FILE", "user export [FILE]", "invite new", "invite list",
                    "invite revoke ID", "audit", "penalties list", "penalties clear [NAME|ADDRESS]", "who",
                    "kick NAME", "status [SECONDS]", "identity show", "identity init"):
        assert re.search(rf"^  {re.escape(command)}\s+[A-Z]", text, re.MULTILINE), command
    assert "Exit status:\n  0  done\n" in text
    assert all(len(line) < 80 for line in text.splitlines())
    assert re.match(r"kdc-admin .*\d+\.\d+\.\d+", admin("--version").stdout)


@pytest.mark.parametrize("arguments", [
    (), ("frob",), ("user",), ("user", "frob", "alice"), ("user", "add"), ("user", "add", "a", "b"), ("who", "alice"),
    ("kick",), ("who", "--yes"), ("user", "list", "--password-file", "x"), ("db", "init", "--fingerprint"), ("--frob",),
    ("identity", "show", "--password-file"), ("alice", "user", "add"),
])
def test_bad_usage_is_told_and_nothing_done(admin, arguments):
    done = admin(*arguments, status=USAGE)
    assert "--help" in done.stderr and done.stdout == ""


@pytest.mark.parametrize("arguments, said", [
    (("who", "--limit", "3"), "who doesn't take --limit"), (("kick", "alice", "--yes", "--json"), "kick doesn't take --yes"),
    (("user", "list", "--count", "3"), "user list doesn't take --count"),
    (("user", "add", "alice", "--expires", "never", "--note", "x"), "user add doesn't take --note"),
    (("user", "delete", "alice", "-a"), "user delete doesn't take --all"),
])
def test_an_option_that_a_command_does_not_take_is_named(admin, arguments, said):
    assert said in admin(*arguments, status=USAGE).stderr


def test_every_command_refuses_what_it_does_not_take(database, admin):
    """Too much, too little, options that there are not and those of other commands; and then nothing is done."""
    admin("user", "add", "alice", text="correct horse\n")
    listed = re.findall(r"^  ((?:[a-z]+ )?[a-z]+)((?: \[?[A-Z][A-Z|-]*\]?)*)(?:  |$)",
                        admin("--help").stdout.partition("Commands:\n")[2].partition("\n\n")[0], re.MULTILINE)
    assert len(listed) >= 30

    def everything():
        tables = [name for name, in database.query("SHOW TABLES")]
        return [database.query(f"SELECT * FROM `{name}`") for name in tables]
    before = everything()
    for command, arguments in listed:
        words, count = command.split(), len(arguments.split())
        own = "--yes" if command == "identity show" else "--fingerprint"
        wrong = [[*words, *["alice"] * (count + 1)], [*words, *["alice"] * count, "--frob"], [*words, *["alice"] * count, own]]
        if count and "[" not in arguments:
            wrong.append(words)
        for one in wrong:
            done = admin(*one, status=USAGE)
            assert "--help" in done.stderr and done.stdout == "", one
    assert everything() == before


def test_a_bad_configuration_is_told(admin, folder):
    assert "nowhere.conf: can't be read" in admin("who", config=folder / "nowhere.conf", status=OTHER).stderr
    bad = folder / "bad.conf"
    bad.write_text("[policy]\nbcrypt_cost = 99\n")
    assert "bad.conf:2: policy.bcrypt_cost" in admin("who", config=bad, status=OTHER).stderr


def test_the_configuration_may_come_from_the_environment(admin, folder):
    done = subprocess.run([program("kdc-admin"), "user", "list", "--json"], stdout=subprocess.PIPE, check=False,
                          env=environment(folder, {"KDC_CONF": str(admin.config)}))
    assert done.returncode == 0 and json.loads(done.stdout) == []


def test_output_that_cant_be_written_is_a_failure(admin, folder):
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([program("kdc-admin"), "--config", admin.config, "--help"], stdout=full, check=False)
        done = subprocess.run([program("kdc-admin"), "--config", admin.config, "user", "list"], stdout=full,
                              stderr=subprocess.PIPE, check=False, env=environment(folder))
    assert done.returncode == OTHER and b"could not be written" in done.stderr


# --- db ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def fresh(mariadb, folder):
    """No database yet."""
    made = Database(mariadb, folder, init=False)
    made.password_file.unlink()
    yield made
    made.drop()


def test_db_init_makes_everything_once(fresh):
    before = fresh.admin("db", "status", "--json", check=False)
    assert before.returncode == NOT_FOUND
    assert json.loads(before.stdout)["procedures_missing"] == len(list((ROOT / "sql" / "procedures").iterdir()))
    assert fresh.admin("db", "migrate", check=False).returncode == NOT_FOUND
    done = fresh.admin("db", "init")
    lines = done.stdout.splitlines()
    assert lines[0] == f"made the database {fresh.name}"
    assert "made the migration 0001_accounts" in lines and "made the procedure kdc_journal" in lines
    assert f"made the password file {fresh.password_file}" in lines
    assert f"made the account '{fresh.user}'@'localhost'" in lines
    assert lines[-1] == f"The database {fresh.name} is ready."
    status = fresh.password_file.stat()
    assert stat.S_IMODE(status.st_mode) == 0o600
    fresh.password = fresh.password_file.read_text().strip()
    assert re.fullmatch("[0-9a-f]{64}", fresh.password)
    with fresh.connect() as connection, connection.cursor() as cursor:
        cursor.callproc("kdc_register", ("alice", "hash", "active", "", "", 0, ""))

    again = json.loads(fresh.admin("db", "init", "--json").stdout)
    assert again == {"database": fresh.name, "made": []}
    assert fresh.password_file.read_text().strip() == fresh.password
    assert fresh.query("SELECT name FROM users") == (("alice",),)
    fresh.connect().close()


def test_db_init_gives_the_account_the_password_of_the_file(fresh):
    fresh.admin("db", "init")
    fresh.password_file.write_text("another password of 2026\n")
    fresh.password = "another password of 2026"
    with pytest.raises(pymysql.err.OperationalError):
        fresh.connect()
    fresh.admin("db", "init")
    fresh.connect().close()


def test_several_db_inits_at_once_do_the_work_of_one(fresh):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: json.loads(fresh.admin("db", "init", "--json").stdout)["made"], range(4)))
    made = [(one["what"], one["name"]) for result in results for one in result]
    assert len(made) == len(set(made)) > 10
    fresh.password = fresh.password_file.read_text().strip()
    fresh.connect().close()


def test_db_init_works_with_names_that_need_quotes(mariadb, folder):
    odd = Database(mariadb, folder, init=False)
    odd.name, odd.user = "kdc `odd' \"1\"", "o'dd\\"
    write_config(odd.config, odd.sections())
    try:
        odd.admin("db", "init")
        with odd.connect() as connection, connection.cursor() as cursor:
            cursor.callproc("kdc_user_find", ("alice",))
        assert json.loads(odd.admin("db", "status", "--json").stdout)["account"] == "works"
    finally:
        with mariadb.connect() as connection, connection.cursor() as cursor:
            cursor.execute("DROP DATABASE IF EXISTS `kdc ``odd' \"1\"`")
            cursor.execute(r"DROP USER IF EXISTS 'o\'dd\\'@localhost")


@pytest.mark.parametrize("cut_short", [False, True])
def test_db_migrate_brings_an_old_schema_up_to_date(database, admin, cut_short):
    database.query("INSERT INTO users (name, hash, state, created) VALUES ('alice', 'x', 'active', NOW())")
    if not cut_short:
        database.query("ALTER TABLE users DROP COLUMN changed")
        database.query("DROP TABLE deleted_users")
    database.query("DELETE FROM schema_migrations WHERE number = 4")
    database.query("DROP PROCEDURE kdc_journal")
    database.query("CREATE PROCEDURE kdc_audit(IN e TEXT) SELECT 1")
    done = admin("db", "status", status=OTHER)
    assert re.search(r"^schema +old$", done.stdout, re.MULTILINE) and "kdc-admin db migrate" in done.stderr
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        made = [one for result in pool.map(lambda _: admin.json("db", "migrate"), range(2)) for one in result["made"]]
    assert made == [{"what": "migration", "name": "0004_journal"}, {"what": "procedure", "name": "kdc_journal"}]
    assert "'kdc_audit'" not in str(database.query("SHOW PROCEDURE STATUS WHERE db = DATABASE()"))
    assert admin("db", "migrate").stdout == f"The database {database.name} is up to date: nothing was to be done.\n"
    assert admin.json("db", "status") == {
        "database": database.name, "server": admin.json("db", "status")["server"], "schema": "current",
        "number": NEWEST, "needed": NEWEST, "procedures_missing": 0, "users": 1, "conversations": 0, "audit": 1,
        "account": "works"}
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.callproc("kdc_journal", ('{"issues": [[1, 2, "a", "b", "s"]], "events": []}',))
        assert cursor.fetchall() == ((1, 1, 1),)


def test_a_newer_schema_is_left_alone(database, admin):
    database.query("INSERT INTO schema_migrations VALUES (9999, '9999_later', NOW())")
    database.query("DROP PROCEDURE kdc_journal")
    for command in ("init", "migrate", "status"):
        done = admin("db", command, status=OTHER)
        assert "newer" in done.stderr + done.stdout
    assert admin.json("db", "status", status=OTHER)["schema"] == "newer"
    assert "kdc_journal" not in str(database.query("SHOW PROCEDURE STATUS WHERE db = DATABASE()"))


def test_a_database_that_cant_be_reached_has_its_own_exit_status(admin, folder):
    admin.sections["database"]["socket"] = folder / "nothing.sock"
    write_config(admin.config, admin.sections)
    (folder / "users.csv").write_text(f"name,hash\nbob,$2b$10${'a' * 53}\n")
    alice = [("user", command, "alice") for command in ("show", "lock", "unlock", "disable", "enable")]
    for command in (("db", "init"), ("db", "migrate"), ("db", "migrate", "--dry-run"), ("db", "status"), ("db", "check"),
                    ("db", "backup", "backup"), ("user", "list"), *alice, ("user", "passwd", "alice", "--generate"),
                    ("user", "set", "alice", "--must-change"), ("user", "rename", "alice", "bob"),
                    ("user", "delete", "alice", "--yes"), ("user", "import", "users.csv"), ("user", "export"),
                    ("user", "export", "out.csv"), ("audit",), ("invite", "new"), ("invite", "list"), ("invite", "revoke", "1")):
        done = admin(*command, status=DATABASE)
        assert "nothing.sock" in done.stderr and done.stdout == ""
    assert "nothing.sock" in admin("user", "add", "alice", text="correct horse\n", status=DATABASE).stderr
    assert not [path for path in folder.iterdir() if path.name.startswith(("backup", "out.csv"))]


def test_a_read_only_server_takes_no_change(own_mariadb, folder):
    """Though the procedures' definer might write there: what an operator does to a replica would be nowhere else, and in no audit log."""
    database = Database(own_mariadb, folder)
    database.admin("user", "add", "alice", "--generate")
    made, = json.loads(database.admin("invite", "new", "--json").stdout)
    (folder / "users.csv").write_text(f"name,hash\nbob,$2b$10${'a' * 53}\n")

    def everything():
        return [database.query(f"SELECT * FROM `{name}`") for name, in database.query("SHOW TABLES")]
    before = everything()
    database.query("SET GLOBAL read_only = 1")
    states = [("user", command, "alice") for command in ("lock", "unlock", "disable", "enable")]
    for command in (("user", "add", "carol", "--generate"), *states, ("user", "passwd", "alice", "--generate"),
                    ("user", "set", "alice", "--must-change"), ("user", "set", "alice", "--expires", "2099-01-01"),
                    ("user", "set", "alice", "--email", "a@example.org"), ("user", "rename", "alice", "bob"),
                    ("user", "delete", "alice", "--yes"), ("user", "import", folder / "users.csv"),
                    ("user", "export", folder / "out.csv"), ("invite", "new"), ("invite", "revoke", made["id"])):
        done = database.admin(*command, check=False)
        assert done.returncode == DATABASE and "read-only" in done.stderr and done.stdout == "", (command, done)
    assert everything() == before and not (folder / "out.csv").exists()
    for command in (("user", "list"), ("user", "show", "alice"), ("audit",), ("invite", "list"), ("db", "status"),
                    ("user", "import", folder / "users.csv", "--dry-run")):
        database.admin(*command)
    database.query("SET GLOBAL read_only = 0")
    database.admin("user", "lock", "alice")


# --- identity ----------------------------------------------------------------------------------------------------


def test_identity_is_made_once_and_shown(admin, folder):
    path = folder / "identity"
    done = admin("identity", "show", status=NOT_FOUND)
    assert "kdc-admin identity init" in done.stderr and "kdcd" in done.stderr and not path.exists()
    made = admin.json("identity", "init")
    seed = path.read_text()
    assert re.fullmatch("[0-9a-f]{64}\n", seed) and seed.strip() not in json.dumps(made)
    assert admin.json("identity", "init") == admin.json("identity", "show") == made and path.read_text() == seed
    assert re.fullmatch(r"SHA256:[A-Za-z0-9+/]{43}", made["fingerprint"]) and made["file"] == str(path)
    assert admin("identity", "show", "--fingerprint").stdout == made["fingerprint"] + "\n"
    assert re.search(rf"^public key +{made['public_key']}$", admin("identity", "show").stdout, re.MULTILINE)


def test_the_identity_of_a_known_seed(admin, folder):
    """RFC 8032 section 7.1, test 1."""
    path = folder / "identity"
    path.touch(mode=0o600)
    path.write_text("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60\n")
    assert admin.json("identity", "show")["public_key"] == (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")


def test_identities_made_at_once_are_one(admin):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: admin.json("identity", "init")["fingerprint"], range(8)))
    assert len(set(made)) == 1


@pytest.mark.parametrize("text, mode, words", [
    ("9d" * 32 + "\n", 0o640, "chmod 600"), ("9d" * 32 + "\n", 0o604, "chmod 600"),
    ("9d" * 32 + "\n", 0o620, "chmod 600"),
    ("", 0o600, "holds no identity"), ("9d" * 31 + "\n", 0o600, "holds no identity"),
    ("9d" * 33 + "\n", 0o600, "holds no identity"), ("9D" * 32 + "\n", 0o600, "holds no identity"),
    ("9d" * 31 + "xx\n", 0o600, "holds no identity"), ("9d" * 5000, 0o600, "longer than"),
])
def test_an_identity_file_that_isnt_right_is_refused_and_kept(admin, folder, text, mode, words):
    path = folder / "identity"
    path.write_text(text)
    path.chmod(mode)
    for command in ("show", "init"):
        done = admin("identity", command, status=OTHER)
        assert words in done.stderr and str(path) in done.stderr and "9d9d" not in done.stderr
    assert path.read_text() == text


def test_an_identity_in_something_that_is_no_file_is_refused(admin, folder):
    (folder / "identity").mkdir(mode=0o700)
    assert "regular file" in admin("identity", "show", status=OTHER).stderr
    (folder / "identity").rmdir()
    os.mkfifo(folder / "identity", 0o600)
    assert "regular file" in admin("identity", "show", status=OTHER).stderr
