"""The documents' commands, typed as they are written; and that what programs say is in the documents."""
import getpass
import os
import re
import shutil
import subprocess

import pexpect
import pymysql
import pytest

import support.mariadb
from interop.attack import connect
from interop.client import Refused
from support.admin_exit import EXISTS, REFUSED
from support.chat import Person
from support.kdcd import Database, Kdcd, run_admin, write_config
from support.mariadb import CONFIG, MariaDb
from support.ports import free_port
from support.programs import BIN, ROOT, SLOWER, environment, program, wait_until

pytestmark = pytest.mark.plain

OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
NEW_PASSWORD = "correct horse battery"


def section(title):
    """What stands under a heading of operations.md."""
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", OPERATIONS, re.MULTILINE | re.DOTALL)[1]


def code(text):
    """The lines of all blocks of code, in order; those that a \\ cuts are whole."""
    blocks = re.findall(r"^ *```\w*\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    indented = re.findall(r"(?:^    \S.*\n)+", text, re.MULTILINE)
    found = "".join(sorted([*blocks, *indented], key=text.index))
    return [line.strip() for line in found.replace("\\\n", " ").splitlines() if line.strip()]


def examples(page):
    """The lines of a man page's examples."""
    text = (ROOT / "docs" / "man" / f"{page}.in").read_text().partition(".Sh EXAMPLES\n")[2].partition("\n.Sh ")[0]
    blocks = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed$", text, re.MULTILINE | re.DOTALL)
    return "".join(blocks).replace("\\-", "-").splitlines()


class Shell:
    """bash in a folder, with our programs in its path. What programs ask there is answered."""

    def __init__(self, folder, **variables):
        self.folder = folder
        self.environment = environment(folder, {"PATH": f"{BIN}:{os.environ['PATH']}", **variables})

    def type(self, line, interrupt=None):
        """(exit status, all that was shown). `interrupt`: Ctrl-C is typed once that is shown."""
        child = pexpect.spawn("bash", ["--norc", "-c", line], env=self.environment, cwd=str(self.folder), encoding="utf-8",
                              timeout=30 * SLOWER, dimensions=(50, 200))
        shown = ""
        asked = ["New password for [^\r\n]*: ", "The same again: ", r"\[yes/no\] ", interrupt or "no such words", pexpect.EOF]
        try:
            while (number := child.expect(asked)) != 4:
                shown += child.before + child.after
                if number == 3:
                    child.sendintr()
                else:
                    child.sendline("yes" if number == 2 else NEW_PASSWORD)
            shown += child.before
            child.wait()
        finally:
            child.close(force=True)
        return child.exitstatus, shown


# --- kdc-admin ---------------------------------------------------------------------------------------------------

def test_every_command_of_operations_works_as_it_is_written(own_mariadb, folder, new_folder):
    kdc = Kdcd(Database(own_mariadb, folder), new_folder(), policy={"registration": "invite", "bcrypt_cost": 10},
               penalties={"enabled": None})
    (kdc.folder / "var").mkdir()
    (kdc.folder / "var" / "kdc.conf").symlink_to(kdc.config)
    (kdc.folder / "users.csv").write_text(f"name,password\ndora,{NEW_PASSWORD}\n")
    kdc.start()
    try:
        kdc.known_fingerprint = kdc.fingerprint
        kdc.add_user("alice")
        with connect(kdc) as guesser, pytest.raises(Refused, match="login_failed"):
            guesser.login("alice", "a wrong password")
        shell = Shell(kdc.folder, KDC_CONF=str(kdc.config))
        typed = [line for line in code(OPERATIONS) if line.startswith("kdc-admin ")]
        assert len(typed) > 25
        for line in typed:
            # The only two places that a test must not write to, or that are another's.
            line = line.replace("/var/backups/", f"{kdc.folder}/").replace(" kdc.conf ", f" {kdc.config} ")
            expected = EXISTS if " db restore " in line else REFUSED if "import users.jsonl" in line else 0
            status, shown = shell.type(line, interrupt="user imported" if "--follow" in line else None)
            assert status == expected, f"{line}\n{shown}"
            assert NEW_PASSWORD not in shown.replace(f"name,password\ndora,{NEW_PASSWORD}", "")
        names = [user["name"] for user in kdc.admin_json("user", "list")]
        assert names == ["alice", "dora"], "carol came, became caroline and went"
        assert len(kdc.admin_json("invite", "list")) == 51
        assert [one["kind"] for one in kdc.admin_json("penalties")] == ["source"], "alice's are cleared"
        assert (kdc.folder / "kdc-chat.sql").exists() and (kdc.folder / "users.jsonl").exists()
    finally:
        kdc.stop()


def test_the_manual_pages_examples_work_as_they_are_written(own_mariadb, folder, new_folder):
    database, other = Database(own_mariadb, folder), Database(own_mariadb, new_folder())
    if shutil.which("jq") is None:
        pytest.skip("jq isn't installed")
    (folder / "users.csv").write_text(f"name,password\ndora,{NEW_PASSWORD}\n")
    (folder / "other.conf").symlink_to(other.config)
    database.admin("identity", "init")
    shell = Shell(folder, KDC_CONF=str(database.config))
    typed = examples("kdc-admin.8")
    assert len(typed) >= 10
    for line in typed:
        # There is no such user where tests run.
        line = line.removeprefix("runuser -u kdc-chat -- ")
        status, shown = shell.type(line)
        assert status == (EXISTS if " db restore " in line else 0), f"{line}\n{shown}"
    names = "SELECT name, hash FROM users ORDER BY name"
    assert database.query(names) == other.query(names) and len(other.query(names)) == 2


def test_no_document_and_no_message_names_a_command_or_option_that_there_is_not():
    text = subprocess.run([program("kdc-admin"), "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout
    commands = {" ".join(re.findall(r"^[a-z]+|(?<= )[a-z]+", line)) for line in re.findall(
        r"^  ((?:[a-z]+ )?[a-z]+)(?: |$)", text.partition("Commands:\n")[2].partition("\n\n")[0], re.MULTILINE)}
    groups = {command.split()[0] for command in commands}
    options = set(re.findall(r"--[\w-]+", text))
    files = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "examples").iterdir(),
             *(ROOT / "kdc").rglob("*.c"), *(ROOT / "kdc").rglob("*.h"), *(ROOT / "scripts").glob("*.sh")]
    mentions = []
    for path in files:
        source = re.sub(r'"\s*\n\s*"', "", path.read_text()) if path.suffix in (".c", ".h") else path.read_text()
        for mention in re.findall(r"kdc-admin(?: --config \S+)?((?: (?:--[a-z][\w-]*|[a-z]+)(?![\w.:-]))+)", source):
            mentions.append(mention)
            words = [word for word in mention.split() if not word.startswith("--")]
            assert {word for word in mention.split() if word.startswith("--")} <= options, (path, mention)
            # Prose goes on behind a name: "kdc-admin is older", "kdc-admin user that".
            if words and words[0] in groups and len(words) > 1 and words[0] not in commands:
                assert " ".join(words[:2]) in commands, (path, mention)
    assert len(mentions) > 60


# --- The first run, and TLS --------------------------------------------------------------------------------------

def test_the_first_run_as_it_is_written(own_mariadb, folder):
    """But for the port, and where the database's socket and its administrator are."""
    text = section("First run")
    config = re.search(r"```\n(.*?)```", text, re.DOTALL)[1].replace("   [", "[")
    lines = [line.strip() for line in config.strip().splitlines()]
    port = free_port()
    config = "\n".join(lines).replace("address = 0.0.0.0", f"address = 127.0.0.1\nport = {port}").replace(
        "[database]", f"[database]\nsocket = {own_mariadb.socket}") + f"\n[admin]\nuser = {getpass.getuser()}\n"
    shell = Shell(folder)
    commands = re.findall(r"`(kdc(?:d|-admin) [^`]+)`", text)
    assert commands[:5] == ["kdcd --sample-config > kdc.conf", "kdcd --config kdc.conf --check-config",
                            "kdc-admin --config kdc.conf db init", "kdcd --config kdc.conf",
                            "kdc-admin --config kdc.conf identity show"]
    assert shell.type(commands[0]) == (0, "") and "[database]" in (folder / "kdc.conf").read_text()
    (folder / "kdc.conf").write_text(config)
    for command in commands[1:3]:
        status, shown = shell.type(command)
        assert status == 0, f"{command}\n{shown}"
    with (folder / "log").open("wb") as log, subprocess.Popen(
            ["bash", "--norc", "-c", f"exec {commands[3]}"], cwd=folder, env=shell.environment, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log) as kdcd:
        try:
            wait_until("kdcd is ready", lambda: "ready to accept connections" in (folder / "log").read_text(), 20)
            status, shown = shell.type(commands[4])
            assert status == 0
            fingerprint = re.search(r"SHA256:\S+", shown)[0]
            assert shell.type("kdc-admin --config kdc.conf user add alice")[0] == 0
            (folder / "password").touch(mode=0o600)
            (folder / "password").write_text(NEW_PASSWORD)
            status, shown = shell.type(f"kdc-chat --server 127.0.0.1:{port} --fingerprint {fingerprint} --user alice"
                                       " --password-file password list")
            assert status == 0, shown
            done = shell.type(f"kdc-chat --server 127.0.0.1:{port} --user bob --password-file password register")
            assert done[0] == 9, "registration is closed"
        finally:
            kdcd.terminate()
    assert kdcd.returncode == 0


def test_tls_to_the_database_as_it_is_written(new_folder, mariadb_template, monkeypatch):
    """But for the host, and the folder of the files."""
    text = section("TLS to the database")
    folder = new_folder()
    shell = Shell(folder)
    blocks = re.findall(r"```\n(.*?)```", text, re.DOTALL)
    for line in code(text):
        if line.startswith("openssl "):
            line = line.replace("DNS:db.example.org", "IP:127.0.0.1").replace("db.example.org", "127.0.0.1")
            status, shown = shell.type(line)
            assert status == 0, f"{line}\n{shown}"
    port = free_port()
    server_config = folder / "mariadb.cnf"
    server_config.write_text(f"!include {CONFIG}\n[mariadbd]\nskip-networking = 0\nbind-address = 127.0.0.1\nport = {port}\n"
                             f"ssl_cert = {folder}/server.pem\nssl_key = {folder}/server.key\n")
    monkeypatch.setattr(support.mariadb, "CONFIG", server_config)
    server = MariaDb(folder, mariadb_template)
    server.start()
    try:
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("CREATE USER kdc_operator@'%' IDENTIFIED BY 'of the operator'")
            cursor.execute("GRANT ALL ON *.* TO kdc_operator@'%' WITH GRANT OPTION")
        (folder / "operator-password").touch(mode=0o600)
        (folder / "operator-password").write_text("of the operator\n")
        config = folder / "kdc.conf"
        config.write_text(blocks[0].replace("db.example.org", f"127.0.0.1\nport = {port}").replace("/etc/kdc-chat", str(folder)))
        for command in (("db", "init"), ("db", "check"), ("user", "list")):
            run_admin(config, folder, command)
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SHOW GRANTS FOR kdc@'%'")
            assert "REQUIRE SSL" in str(cursor.fetchall())
        # Renewed as it is told: the server shows the new one, and it is taken.
        before = (folder / "server.pem").read_bytes()
        for line in code(text):
            if line.startswith("openssl ") and "-x509" not in line:
                assert shell.type(line.replace("DNS:db.example.org", "IP:127.0.0.1"))[0] == 0
        assert (folder / "server.pem").read_bytes() != before
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("FLUSH SSL")
        run_admin(config, folder, ("user", "list"))
    finally:
        server.stop()


def test_another_applications_users_as_it_is_written(own_mariadb, folder, new_folder):
    database = Database(own_mariadb, folder, init=False)
    database.name, database.user = "kdc_chat", "kdc"
    write_config(database.config, database.sections())
    shell = Shell(folder, KDC_CONF=str(database.config))
    (folder / "home" / ".my.cnf").write_text(f"[client]\nsocket = {own_mariadb.socket}\nuser = {getpass.getuser()}\n")
    shutil.copy(ROOT / "docs" / "examples" / "laravel.sql", folder)
    made = subprocess.run(["perl", "-e", "print crypt('correct horse', '$2y$10$kYCBYGg2mVL3dkxi3CLpGe')"],
                          stdout=subprocess.PIPE, text=True, check=True).stdout
    with own_mariadb.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE myapp CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
        cursor.execute("CREATE TABLE myapp.users (id BIGINT UNSIGNED PRIMARY KEY AUTO_INCREMENT, name VARCHAR(255) NOT NULL,"
                       " email VARCHAR(255) NOT NULL UNIQUE, email_verified_at TIMESTAMP NULL, password VARCHAR(255) NOT NULL,"
                       " remember_token VARCHAR(100) NULL, created_at TIMESTAMP NULL, updated_at TIMESTAMP NULL)")
        cursor.execute("INSERT INTO myapp.users (name, email, email_verified_at, password) VALUES ('Alice', 'alice@example.org',"
                       f" NOW(), '{made}')")
    lines = code(section("Another application's users"))
    assert len(lines) == 3 and lines[1].startswith("sed ")
    for line in lines:
        status, shown = shell.type(line)
        assert status == 0, f"{line}\n{shown}"
    kdc = Kdcd(database, new_folder(), policy={"registration": "closed"})
    kdc.start()
    try:
        kdc.known_fingerprint = kdc.fingerprint
        with connect(kdc, "alice", "correct horse") as alice:
            alice.ping()
        with database.connect() as connection, connection.cursor() as cursor, pytest.raises(pymysql.err.OperationalError):
            cursor.execute("SELECT password FROM myapp.users")
    finally:
        kdc.stop()


# --- kdc-chat ----------------------------------------------------------------------------------------------------

def test_kdc_chats_examples_work_as_they_are_written(kdcd, person):
    kdc = kdcd()
    alice, bob = person(kdc, "alice"), person(kdc, "bob")
    bob.run("list", check=0)  # from now on the KDC is known
    shell = Shell(bob.folder, KDC_CHAT_SERVER=kdc.server, HOME=str(bob.folder))
    (bob.folder / "bob.password").touch(mode=0o600)
    (bob.folder / "bob.password").write_text(bob.password)
    first, *lines = examples("kdc-chat.1")
    assert first.startswith("export ") and len(lines) == 3
    hears = alice.start("listen", "--json", "--count", "2")
    wait_until("alice listens", lambda: [one["user"] for one in kdc.admin_json("who")] == ["alice"])
    for line in lines[:2]:
        status, shown = shell.type(f"{first}; {line}")
        assert status == 0, f"{line}\n{shown}"
    texts = [one["text"] for one in alice.finish_json(hears)]
    assert texts[0] == "The backup is done." and "load average" in texts[1]
    child = pexpect.spawn("bash", ["--norc", "-c", f"{first}; {lines[2]}"], env=shell.environment, cwd=str(shell.folder),
                          encoding="utf-8", timeout=30 * SLOWER, dimensions=(24, 300))
    try:
        wait_until("bob listens", lambda: [one["user"] for one in kdc.admin_json("who")] == ["bob"])
        Person.run(alice, "send", "bob", "Fine, thank you.", check=0)
        child.expect_exact('"text":"Fine, thank you."')
        child.expect(pexpect.EOF)
        child.wait()
    finally:
        child.close(force=True)
    assert child.exitstatus == 0


# --- What programs say -------------------------------------------------------------------------------------------

def test_operations_explains_every_line_of_kdcds_log():
    log = section("The log")
    found = set()
    for path in (ROOT / "kdc").rglob("*.c"):
        if "admin" in path.parts:
            continue
        text = re.sub(r'"\s*\n\s*"', "", path.read_text())
        calls = r'(?:log_line|log_event|session_log|connection_log)\((?:\w+, )??[^,"]+, "([^"\n]+)"'
        found |= {event.partition(":")[0] for event in re.findall(calls, text)}
    assert len(found) > 35
    # At level = debug nobody is left alone: they are about one connection.
    found -= {"connected", "disconnected"}
    missing = {event for event in found if f"`{event}" not in log and not event.startswith("no memory for")}
    assert missing == set()


def test_operations_explains_every_event_of_the_audit_log():
    source = (ROOT / "kdc" / "audit_events.h").read_text()
    events = re.findall(r'^#define AUDIT_(?!OK)\w+ "(.*?)"', source, re.MULTILINE)
    listed = re.findall(r"^\| `([a-z ]+)` \| \S", section("The audit log"), re.MULTILINE)
    assert sorted(listed) == sorted(events)


def test_the_manual_names_each_column_that_users_are_moved_by(database):
    columns = database.admin("user", "export").stdout.strip().split(",")
    assert len(columns) >= 9
    row = re.search(r"^\| `csv` .*$", section("Moving users in and out"), re.MULTILINE)[0]
    page = (ROOT / "docs" / "man" / "kdc-admin.8.in").read_text()
    for column in (*columns, "password"):
        assert f"`{column}`" in row and re.search(rf"^\.Cm {column}\b", page, re.MULTILINE), column
