"""E-mail addresses and telephone numbers of accounts: whose they are, for people and for operators; who may read them."""
import csv
import io
import json
import re
from functools import partial

import pymysql
import pytest

from interop.attack import PASSWORD
from interop.client import refusal_of
from support.registering import connect, race


def test_of_those_who_want_one_address_at_once_one_gets_it(kdcd):
    kdc = kdcd(threads={"workers": 4}, registration={"contact_unique": "on"})
    for round_number in range(3):
        outcomes = race(kdc, [(f"user{round_number}-{number}", PASSWORD, {"email": f"U{round_number}@example.org"})
                              for number in range(4)])
        assert outcomes == ["email_taken"] * 3 + ["welcome"]
    assert len(kdc.database.query("SELECT id FROM users")) == 3


def test_a_telephone_number_is_one_accounts_only_where_policy_asks_for_it(kdcd):
    kdc = kdcd(registration={"contact_unique": "on"}, policy={"login_tries": 100})
    with connect(kdc) as bob, connect(kdc) as eve:
        assert refusal_of(partial(bob.register, "bob", PASSWORD, phone="call me")) == "phone"
        bob.register("bob", PASSWORD, phone="+49 30 123-456")
        assert refusal_of(partial(eve.register, "eve", PASSWORD, phone="+4930123456")) == "phone_taken"
        eve.register("eve", PASSWORD, phone="+4930123457")
    kdc.stop()
    kdc.configure(registration={"contact_unique": "off"})
    kdc.start()
    with connect(kdc) as carol:
        carol.register("carol", PASSWORD, phone="+4930123456")
    assert kdc.database.query("SELECT name, phone FROM users ORDER BY name") == (
        ("bob", "+4930123456"), ("carol", "+4930123456"), ("eve", "+4930123457"))


def test_contacts_are_added_shown_changed_exported_and_imported(admin, database, folder):
    admin("user", "add", "alice", "--email", "Alice@Example.ORG", "--phone", "+49 30 123-456", text="correct horse\n")
    admin("user", "add", "bob", text="correct horse\n")
    shown = admin.json("user", "show", "alice")
    assert shown["email"] == "Alice@example.org" and shown["phone"] == "+4930123456"
    assert admin.json("user", "show", "bob")["email"] is None
    assert "Alice@example.org" in admin("user", "show", "alice").stdout
    admin("user", "set", "bob", "--email", "bob@example.org")
    assert "+49555123456" in admin("user", "set", "bob", "--phone", "+49 555 123456").stdout
    exports = {}
    for ending in ("csv", "jsonl"):
        exports[ending] = folder / f"users.{ending}"
        admin("user", "export", exports[ending])
    rows = list(csv.DictReader(io.StringIO(exports["csv"].read_text())))
    assert [(row["name"], row["email"], row["phone"]) for row in rows] == [
        ("alice", "Alice@example.org", "+4930123456"), ("bob", "bob@example.org", "+49555123456")]
    before = database.query("SELECT name, hash, state, created, email, phone FROM users ORDER BY name")
    claims = database.query("SELECT kind, contact FROM contacts ORDER BY kind, contact")
    assert len(claims) == 4
    for path in exports.values():
        for name in ("alice", "bob"):
            admin("user", "delete", name, "--yes")
        assert database.query("SELECT * FROM contacts") == ()
        admin("user", "import", path)
        assert database.query("SELECT name, hash, state, created, email, phone FROM users ORDER BY name") == before
        assert database.query("SELECT kind, contact FROM contacts ORDER BY kind, contact") == claims
    admin("user", "set", "alice", "--email", "none")
    assert admin.json("user", "show", "alice")["email"] is None


@pytest.mark.parametrize("arguments, status, words", [
    (("add", "carol", "--email", "carol"), 7, "can't be an e-mail address"),
    (("add", "carol", "--email", "carol@example.org\nBcc: x"), 7, "can't be an e-mail address"),
    (("add", "carol", "--phone", "110"), 7, "can't be a telephone number"),
    (("set", "alice", "--email", "alice"), 7, "can't be an e-mail address"),
    (("set", "nobody", "--email", "a@example.org"), 3, "there is no user nobody"),
    (("set", "alice", "--email", "a@example.org", "--phone", "+4930123456"), 2, "takes one of"),
    (("set", "alice"), 2, "takes one of"),
])
def test_bad_contacts_change_nothing(admin, database, arguments, status, words):
    admin("user", "add", "alice", text="correct horse\n")
    assert words in admin("user", *arguments, text="correct horse\n", status=status).stderr
    assert database.query("SELECT name, email, phone FROM users") == (("alice", None, None),)


@pytest.mark.parametrize("option", ["--dry-run", "--keep-going"])
def test_equal_contacts_are_found_however_far_apart(admin, database, folder, option):
    config = folder / "unique.conf"
    config.write_text(admin.config.read_text() + "\n[registration]\ncontact_unique = on\n")
    path = folder / "many.jsonl"
    rows = [{"name": f"u{number}", "hash": "$2b$10$" + "a" * 53, "email": f"u{number}@example.org"} for number in range(2500)]
    rows[2400]["email"] = "U7@example.org"
    rows[8]["phone"], rows[1900]["phone"] = "+4930123456", "+49 30 123456"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = admin("user", "import", path, option, status=7, config=config)
    assert "many.jsonl:2401: the e-mail address U7@example.org is in line 8 already" in done.stderr
    assert "many.jsonl:1901: the telephone number +4930123456 is in line 9 already" in done.stderr
    assert len(done.stderr.splitlines()) == 3 or option == "--keep-going"
    assert database.query("SELECT COUNT(*) FROM users") == ((0 if option == "--dry-run" else 2498,),)


def test_contacts_are_one_accounts_only_for_operators_too(admin, database, folder):
    config = folder / "unique.conf"
    config.write_text(admin.config.read_text() + "\n[registration]\ncontact_unique = on\n")
    admin("user", "add", "alice", "--email", "alice@example.org", "--phone", "+4930123456", text="correct horse\n")
    for option, value in (("--email", "ALICE@example.org"), ("--phone", "+4930123456")):
        done = admin("user", "add", "bob", option, value, text="correct horse\n", status=4, config=config)
        assert "another account has that" in done.stderr
    admin("user", "add", "bob", "--email", "bob@example.org", text="correct horse\n", config=config)
    assert "another account" in admin("user", "set", "bob", "--email", "alice@example.org", status=4, config=config).stderr
    assert admin.json("user", "show", "bob")["email"] == "bob@example.org"
    lines = [{"name": "c1", "email": "c@example.org"}, {"name": "c2", "email": "C@example.org"},
             {"name": "c3", "email": "bob@example.org"}, {"name": "c4", "phone": "+4930123456"},
             {"name": "bob", "email": "new@example.org"}, {"name": "c5", "email": "c5@example.org"},
             {"name": "c6", "email": "c6"}]
    path = folder / "more.jsonl"
    path.write_text("".join(json.dumps({**line, "password": "correct horse"}) + "\n" for line in lines))
    done = admin("user", "import", path, status=7, config=config)
    assert database.query("SELECT COUNT(*) FROM users") == ((2,),)
    done = admin("user", "import", path, "--keep-going", status=7, config=config)
    for line, words in ((2, "address C@example.org"), (3, "address bob@example.org"), (4, "number +4930123456"),
                        (5, "there is a user bob"), (7, "its email isn't")):
        assert re.search(rf"more.jsonl:{line}: .*{re.escape(words)}", done.stderr), done.stderr
    assert database.query("SELECT name FROM users ORDER BY name") == (("alice",), ("bob",), ("c1",), ("c5",))
    assert {contact for contact, in database.query("SELECT contact FROM contacts WHERE kind = 'email'")} == {
        "alice@example.org", "bob@example.org", "c@example.org", "c5@example.org"}


def test_the_kdcs_account_reads_neither_codes_nor_contacts(database):
    with database.connect() as connection, connection.cursor() as cursor:
        for statement in ("SELECT * FROM codes", "SELECT * FROM invitations", "SELECT email FROM users",
                          "UPDATE codes SET tries_left = 5", "CALL admin_invitation_list(0, 1)",
                          "CALL admin_contact_claim(1, 'email', 'a@b.de', 0, @x)"):
            with pytest.raises(pymysql.err.OperationalError):
                cursor.execute(statement)


def test_migrating_twice_and_after_having_been_cut_short(database):
    database.query("DROP TABLE codes")
    database.query("DELETE FROM schema_migrations WHERE number = 8")
    database.admin("db", "migrate")
    database.admin("db", "migrate")
    assert database.query("SELECT * FROM codes") == ()
