"""Another application's users by one stored procedure: docs/examples/laravel.sql, as it is printed there, on a table of 50,000."""
import ctypes
import getpass
import json
import subprocess
import time

import pymysql
import pytest

from interop.attack import PASSWORD, connect
from interop.client import Refused
from support.programs import ROOT, SLOWER, wait_until
from support.timing import clock

EXAMPLES = ROOT / "docs" / "examples"
USERS = 50000


def bcrypt(password, setting):
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    return library.crypt(password.encode(), setting.encode()).decode()


# As Laravel writes them; at another cost than kdcd's.
HASH = bcrypt(PASSWORD, "$2y$11$" + "abcdefghijklmnopqrstu.")
OTHER = "another password"
OTHER_HASH = bcrypt(OTHER, "$2y$10$" + "ZYXWVUTSRQPONMLKJIHGF.")
READER = "kdc-app-reader"

TABLE = """
CREATE TABLE `users` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `name` varchar(255) NOT NULL,
  `email` varchar(255) NOT NULL,
  `email_verified_at` timestamp NULL DEFAULT NULL,
  `password` varchar(255) NOT NULL,
  `remember_token` varchar(100) DEFAULT NULL,
  `created_at` timestamp NULL DEFAULT NULL,
  `updated_at` timestamp NULL DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `users_email_unique` (`email`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci
"""
# name, address, confirmed
PEOPLE = [
    ("Alice Liddell", "Alice@example.com", True), ("Bob", "bob@example.org", True), ("Carol", "carol@example.com", True),
    # Two who may log in, and share what stands in front of the @.
    ("Sam One", "sam@example.com", True), ("Sam Two", "sam@example.org", True),
    # One who has taken another's name without showing that the address is theirs.
    ("Erin", "erin@example.com", True), ("Not Erin", "erin@example.net", False),
    ("Newcomer", "newcomer@example.com", False),
    ("Snake", "snake_case@example.com", True), ("No snake", "snakeXcase@example.com", True),
    ("René", "rené@example.com", True), ("Kelvin", "\u212aelvin@example.com", True), ("Plus", "plus+tag@example.com", True),
]


class App:
    """The application's schema beside a database of ours."""

    def __init__(self, database, sql=None):
        self.database = database
        self.name = database.name + "_laravel"
        self.run(f"CREATE DATABASE `{self.name}` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci", database=None)
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(TABLE)
            insert = "INSERT INTO users (name, email, email_verified_at, password, created_at, updated_at) "
            cursor.executemany(insert + "VALUES (%s, %s, %s, %s, '2025-11-20 08:00:00', NOW())",
                               [(name, email, "2025-11-20 09:00:00" if confirmed else None, HASH)
                                for name, email, confirmed in PEOPLE])
            cursor.execute(insert + "SELECT CONCAT('User ', seq), CONCAT('user', seq, '@example.', ELT(1 + seq %% 3, 'com', 'org',"
                           f" 'net')), NOW(), %s, NOW(), NOW() FROM seq_1_to_{USERS - len(PEOPLE)}", (HASH,))

    def connect(self):
        return self.database.mariadb.connect(database=self.name)

    def run(self, sql, arguments=None, database=""):
        with self.database.mariadb.connect(database=self.name if database == "" else database) as connection, \
                connection.cursor() as cursor:
            cursor.execute(sql, arguments)
            return cursor.fetchall()

    def change(self, email, what):
        self.run(f"UPDATE users SET {what} WHERE email = %s", (email,))

    def install(self, *files, status=0):
        """As the documents tell it: with the schemas' names put in, by the client, and then a migration."""
        done = None
        for name in files:
            text = (EXAMPLES / name).read_text().replace("`laravel`", f"`{self.name}`").replace("`kdc_chat`",
                                                                                           f"`{self.database.name}`")
            done = subprocess.run(["mariadb", "--no-defaults", f"--socket={self.database.mariadb.socket}",
                                   f"--user={getpass.getuser()}", self.database.name], input=text, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            assert (done.returncode != 0) == (status != 0), done.stdout
        if status == 0:
            self.database.admin("db", "migrate")
        return done.stdout


@pytest.fixture
def app(database):
    made = App(database)
    yield made
    made.run(f"DROP DATABASE `{made.name}`", database=None)


@pytest.fixture
def laravel(app, kdcd):
    """laravel("laravel.sql", ...): the application and a kdcd."""
    def make(*files):
        app.install(*files)
        kdc = kdcd(policy={"registration": "closed"})
        kdc.known_fingerprint = kdc.fingerprint
        return app, kdc
    return make


def login(kdc, name, password=PASSWORD):
    """"in", or the reason why not."""
    with connect(kdc) as client:
        try:
            client.login(name, password)
            return "in"
        except Refused as refused:
            return refused.reason


def comes_back(kdc, ticket):
    try:
        with connect(kdc, ticket=ticket) as client:
            return client.name is not None
    except Refused as refused:
        assert refused.reason == "login_failed"
        return False


def test_people_of_the_application_log_in_and_talk(laravel):
    app, kdc = laravel("laravel.sql")
    alice, bob = connect(kdc, "alice"), connect(kdc, "bob")
    assert not alice.ticket, "not before changes are known here"
    alice.open("bob")
    alice.send_text("bob", "hello", wait=False)
    assert bob.receive() == [("alice", "hello")]
    alice.flush("bob")
    for one in (alice, bob):
        one.__exit__(None, None, None)
    assert login(kdc, f"user{USERS - len(PEOPLE)}") == "in"
    assert login(kdc, "alice", OTHER) == login(kdc, "nobody") == "login_failed"
    assert {row[0] for row in app.run("SELECT DISTINCT password FROM users")} == {HASH}, "nobody writes there"
    events = kdc.database.query("SELECT user FROM audit WHERE event = 'key issued'")
    assert events == (("alice",),)


def test_who_gets_in_by_which_name(laravel):
    _, kdc = laravel("laravel.sql")
    answers = {name: login(kdc, name) for name in
               ("Alice", "sam", "erin", "newcomer", "snake_case", "snakexcase", "snake-case", "rene", "kelvin", "plus", "plus%")}
    refused = "login_failed"
    assert answers == {"Alice": "in", "sam": refused, "erin": "in", "newcomer": "account_pending", "snake_case": "in",
                       "snakexcase": "in", "snake-case": refused, "rene": refused, "kelvin": refused, "plus": refused,
                       "plus%": refused}


def test_the_application_changes_its_accounts(laravel):
    app, kdc = laravel("laravel.sql")
    app.change("alice@example.com", f"password = '{OTHER_HASH}'")
    assert (login(kdc, "alice"), login(kdc, "alice", OTHER)) == ("login_failed", "in")
    app.change("bob@example.org", "email_verified_at = NULL")
    assert login(kdc, "bob") == "account_pending"
    app.run("DELETE FROM users WHERE email = 'carol@example.com'")
    assert login(kdc, "carol") == "login_failed"
    app.run("DELETE FROM users WHERE email = 'sam@example.org'")
    assert login(kdc, "sam") == "in", "there is only one by now"


def test_the_other_ways_to_name_people_work_as_they_are_printed(laravel):
    app, kdc = laravel("laravel.sql")
    text = (EXAMPLES / "laravel.sql").read_text()
    begin, end = text.index("WHERE u.email LIKE"), text.index(") AS found")
    app.run("ALTER TABLE users ADD COLUMN username VARCHAR(32) UNIQUE")
    app.change("carol@example.com", "username = 'caz'")
    app.run(f"GRANT SELECT (username) ON `{app.name}`.users TO `{READER}`@localhost")
    for where, answers in (("WHERE u.email = CONCAT(p_name, '@example.org')", {"bob": "in", "sam": "in", "alice": "login_failed"}),
                           ("WHERE u.username = p_name", {"caz": "in", "carol": "login_failed"})):
        assert f"--   {where}\n" in text
        other = kdc.folder / "other.sql"
        other.write_text(text[:begin] + where + text[end:])
        app.install(other)
        assert {name: login(kdc, name) for name in answers} == answers


def test_kdcds_account_still_cant_read_the_applications_table(app):
    app.install("laravel.sql", "laravel-tickets.sql")
    database = app.database
    with database.connect() as kdc, kdc.cursor() as cursor:
        for sql in (f"SELECT * FROM `{app.name}`.users", f"SELECT password FROM `{app.name}`.users LIMIT 1",
                    f"UPDATE `{app.name}`.users SET password = ''", f"USE `{app.name}`", "SELECT app_epoch(1, 'x')",
                    "SELECT * FROM app_changes", "SELECT * FROM deleted_users",
                    f"SET ROLE `{READER}`"):
            with pytest.raises(pymysql.err.MySQLError) as refused:
                cursor.execute(sql)
            assert refused.value.args[0] in (1044, 1142, 1143, 1227, 1305, 1370, 1410, 1959), refused.value
        cursor.execute("SHOW GRANTS")
        grants = [row[0] for row in cursor.fetchall()]
        assert not any(app.name in grant or "SELECT" in grant for grant in grants)
        cursor.execute("CALL kdc_user_find('alice')")
        assert cursor.fetchone()[1] == "alice"
    with pytest.raises(pymysql.err.OperationalError, match="locked"):
        database.mariadb.connect(READER)
    granted = str(database.query(f"SHOW GRANTS FOR `{READER}`@localhost"))
    assert "ALL" not in granted and "remember_token" not in granted


def test_an_account_is_found_by_the_index(app):
    app.install("laravel.sql")
    with app.database.connect() as kdc, kdc.cursor() as cursor:
        cursor.execute("CALL kdc_user_find('user777')")
        assert cursor.fetchone()[1] == "user777"
        kdc.next_result()
        cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
        before = sum(int(value) for _, value in cursor.fetchall())
        begin = clock()
        for number in range(1, 101):
            cursor.execute(f"CALL kdc_user_find('user{number * 7}')")
            assert len(cursor.fetchall()) == 1
            kdc.next_result()
        assert clock() - begin < 2 * SLOWER
        cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
        read = sum(int(value) for _, value in cursor.fetchall()) - before
    assert read < 100 * 40, f"{read} rows were read for a hundred accounts"
    plan = app.run("EXPLAIN SELECT id FROM users AS u WHERE u.email LIKE CAST('user777@%' AS CHAR CHARACTER SET ascii) ESCAPE '|'")
    assert "users_email_unique" in str(plan)


def test_accounts_of_our_own_are_made_by_nobody(laravel, folder):
    app, kdc = laravel("laravel.sql")
    password = folder / "password"
    password.touch(mode=0o600)
    password.write_text("correct horse battery")
    done = app.database.admin("user", "add", "zoe", "--password-file", password, check=False)
    assert done.returncode != 0 and "in the application" in done.stderr
    with pytest.raises(Refused, match="registration_closed"):
        with connect(kdc) as client:
            client.register("zoe", PASSWORD)
    assert app.database.query("SELECT COUNT(*) FROM users") == ((0,),)


def test_a_password_is_changed_in_the_application_alone(laravel):
    app, kdc = laravel("laravel.sql")
    with connect(kdc, "alice") as client:
        with pytest.raises(Refused, match="internal"):
            client.change_password(PASSWORD, OTHER)
        client.ping()
    kdc.wait_log("error a password can't be changed: kdc_user_password doesn't know the account")
    assert {row[0] for row in app.run("SELECT DISTINCT password FROM users")} == {HASH}


def test_a_hash_that_cant_be_replaced_is_not_computed_at_every_login(laravel):
    """kdcd would have hashes of another cost; these aren't its own. One login in ten minutes finds that out."""
    _, kdc = laravel("laravel.sql")
    kdc.database.query("DROP PROCEDURE kdc_user_rehash")
    kdc.database.query("CREATE TABLE rehashes (it INT)")
    kdc.database.query("CREATE PROCEDURE kdc_user_rehash(IN a BIGINT, IN b VARCHAR(60), IN c VARCHAR(60))"
                       " BEGIN INSERT INTO rehashes VALUES (1); SELECT 0 AS found; END")
    kdc.database.admin("db", "migrate")
    for name in ("alice", "bob", "carol", "alice"):
        assert login(kdc, name) == "in"
    assert kdc.database.query("SELECT COUNT(*) FROM rehashes") == ((1,),)


def test_an_empty_database_of_ours_is_asked_for(app, folder):
    password = folder / "password"
    password.touch(mode=0o600)
    password.write_text("correct horse battery")
    app.database.admin("user", "add", "zoe", "--password-file", password)
    assert "accounts of its own" in app.install("laravel.sql", status=1)
    assert app.database.query("SELECT definer FROM information_schema.routines WHERE routine_schema = %s AND routine_name ="
                              " 'kdc_user_find'", (app.database.name,))[0][0].startswith(getpass.getuser())


# --- Upgrades ----------------------------------------------------------------------------------------------------

def definition(database):
    return database.query("SELECT routine_definition FROM information_schema.routines WHERE routine_schema = %s AND"
                          " routine_name = 'kdc_user_find'", (database.name,))[0][0]


def test_a_migration_keeps_what_was_put_in_place_and_says_so(app):
    database = app.database
    ours = definition(database)
    app.install("laravel.sql")
    theirs = definition(database)
    assert theirs != ours
    # As if this version had brought another one.
    database.query("UPDATE schema_procedures SET digest = REPEAT('0', 128) WHERE name IN ('kdc_user_find', 'kdc_journal')")
    told = database.admin("db", "migrate").stdout
    assert "kept procedure kdc_user_find: " in told and "made the procedure kdc_journal\n" in told
    assert definition(database) == theirs
    assert "kdc_user_find was replaced by an operator" in database.admin("db", "check", check=False).stdout
    made = json.loads(database.admin("db", "migrate", "--json").stdout)["made"]
    assert made == [{"what": "kept procedure", "name": "kdc_user_find"}]
    # Back to ours.
    database.query("DROP PROCEDURE kdc_user_find")
    assert "made the procedure kdc_user_find\n" in database.admin("db", "migrate").stdout
    assert definition(database) == ours


def test_a_restore_is_refused_while_there_are_triggers_and_the_files_make_all_again(laravel, folder):
    files = ("laravel.sql", "laravel-tickets.sql")
    app, kdc = laravel(*files)
    database = app.database
    app.run("DELETE FROM users WHERE email = 'carol@example.com'")
    database.admin("db", "backup", folder / "backup")
    restore = ("db", "restore", folder / "backup", "--replace", "--yes")
    refused = database.admin(*restore, check=False)
    assert refused.returncode == 1 and "have triggers" in refused.stderr and login(kdc, "alice") == "in"
    database.query("DROP TRIGGER users_are_elsewhere")
    database.admin(*restore)
    for name in files:
        app.install(name)
    assert login(kdc, "alice") == "in" and login(kdc, "carol") == "login_failed"
    assert database.query("SELECT DISTINCT definer FROM information_schema.routines WHERE routine_schema = %s"
                          " AND routine_name IN ('kdc_user_find', 'kdc_account_changes')",
                          (database.name,)) == ((f"{READER}@localhost",),)
    assert database.query("SELECT trigger_name FROM information_schema.triggers WHERE event_object_schema = %s",
                          (database.name,)) == (("users_are_elsewhere",),)


# --- Tickets -----------------------------------------------------------------------------------------------------

def test_tickets_are_void_once_the_application_has_changed_or_deleted_the_account(laravel):
    app, kdc = laravel("laravel.sql", "laravel-tickets.sql")

    def ticket(name, password=PASSWORD):
        with connect(kdc, name, password) as client:
            return client.ticket
    tickets = {name: ticket(name) for name in ("alice", "bob", "carol", "erin")}
    assert all(tickets.values())
    wait_until("tickets are taken", lambda: comes_back(kdc, tickets["alice"]))
    # What changes nothing here.
    app.change("erin@example.com", "remember_token = 'x', updated_at = NOW(), name = 'Erin!'")
    app.change("alice@example.com", f"password = '{OTHER_HASH}', updated_at = NOW()")
    app.change("bob@example.org", "email_verified_at = NULL")
    app.run("DELETE FROM users WHERE email = 'carol@example.com'")
    for name in ("alice", "bob", "carol"):
        wait_until(f"{name}'s ticket is void", lambda name=name: not comes_back(kdc, tickets[name]), 4)
    assert comes_back(kdc, tickets["erin"])
    # Confirmed again: it was void, and stays so.
    app.change("bob@example.org", "email_verified_at = NOW()")
    time.sleep(1.2)
    assert not comes_back(kdc, tickets["bob"]) and login(kdc, "bob") == "in"


def test_of_two_changes_in_the_same_second_each_voids_what_was_given_before(laravel):
    app, kdc = laravel("laravel.sql", "laravel-tickets.sql")
    with connect(kdc, "alice") as client:
        first = client.ticket
    app.run("UPDATE users SET password = %s, updated_at = '2026-01-01 00:00:00' WHERE email = 'alice@example.com'", (OTHER_HASH,))
    with connect(kdc, "alice", OTHER) as client:
        second = client.ticket
    app.run("UPDATE users SET password = %s, updated_at = '2026-01-01 00:00:00' WHERE email = 'alice@example.com'", (HASH,))
    with connect(kdc, "alice") as client:
        third = client.ticket
    for ticket in (first, second):
        wait_until("the change is known", lambda ticket=ticket: not comes_back(kdc, ticket), 4)
    assert comes_back(kdc, third)
