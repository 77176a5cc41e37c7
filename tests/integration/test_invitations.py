"""Accounts by invitation, and the invitations of operators."""
import re
from functools import partial

import pytest

from interop.attack import PASSWORD
from interop.client import refusal_of
from support.registering import connect, invite, race


def test_an_invitation_makes_one_account(inviting):
    [one] = invite(inviting, "--note", "for Bob")
    assert re.fullmatch(r"([0-9A-HJKMNP-TV-Z]{5}-){3}[0-9A-HJKMNP-TV-Z]{5}", one["code"])
    with connect(inviting) as bob, connect(inviting) as eve:
        assert refusal_of(bob.register, "bob", PASSWORD) == "invitation"
        assert refusal_of(bob.register, "bob", PASSWORD, "AAAAA-AAAAA-AAAAA-AAAAA") == "invitation"
        bob.register("bob", PASSWORD, one["code"].lower().replace("-", " "))
        assert refusal_of(eve.register, "eve", PASSWORD, one["code"]) == "invitation"
    [listed] = inviting.admin_json("invite", "list")
    assert listed["state"] == "used" and listed["used_by"] == "bob" and listed["note"] == "for Bob"
    refused = inviting.admin("invite", "revoke", one["id"], check=False)
    assert refused.returncode == 7 and "has registered" in refused.stderr


def test_the_database_never_has_the_code(inviting):
    codes = [one["code"] for one in invite(inviting, "--count", "3")]
    rows = str(inviting.database.query("SELECT * FROM invitations")).upper() + str(
        inviting.database.query("SELECT * FROM audit")).upper()
    for code in codes:
        assert code not in rows and code.replace("-", "") not in rows and code[:5] not in inviting.log()


def test_revoked_and_expired_invitations_are_refused(inviting):
    revoked, expired, good = invite(inviting, "--count", "3", "--expires", "1d")
    assert "is revoked" in inviting.admin("invite", "revoke", revoked["id"]).stdout
    inviting.database.query("UPDATE invitations SET expires = UTC_TIMESTAMP(3) WHERE id = %s", (expired["id"],))
    with connect(inviting) as bob:
        assert refusal_of(bob.register, "bob", PASSWORD, revoked["code"]) == "invitation"
        assert refusal_of(bob.register, "bob", PASSWORD, expired["code"]) == "invitation"
        bob.register("bob", PASSWORD, good["code"])
    assert [one["state"] for one in inviting.admin_json("invite", "list")] == ["revoked", "expired", "used"]


def test_a_registration_that_fails_leaves_the_invitation(inviting):
    inviting.add_user("alice")
    [one] = invite(inviting)
    with connect(inviting) as bob:
        assert refusal_of(bob.register, "alice", PASSWORD, one["code"]) == "name_taken"
        assert refusal_of(bob.register, "bob", "short", one["code"]) == "password_short"
        assert refusal_of(partial(bob.register, "bob", PASSWORD, one["code"], email="bob")) == "email"
        assert inviting.admin_json("invite", "list")[0]["state"] == "open"
        bob.register("bob", PASSWORD, one["code"])


def test_of_those_who_come_with_one_invitation_at_once_one_gets_in(kdcd):
    kdc = kdcd(policy={"registration": "invite"}, threads={"workers": 4}, limits={"connections_per_source": 1000})
    for round_number in range(3):
        [one] = invite(kdc)
        outcomes = race(kdc, [(f"user{round_number}-{number}", PASSWORD, {"code": one["code"]}) for number in range(4)])
        assert outcomes == ["invitation"] * 3 + ["welcome"]
    assert len(kdc.database.query("SELECT id FROM users")) == 3


@pytest.mark.parametrize("arguments, status, words", [
    (("new", "--count", "0"), 2, "from 1 to 1000"),
    (("new", "--count", "1001"), 2, "from 1 to 1000"),
    (("new", "--count", "many"), 2, "from 1 to 1000"),
    (("new", "--expires", "soon"), 2, "--expires takes"),
    (("new", "--expires", "2020-01-01"), 7, "over already"),
    (("new", "--expires", "0d"), 2, "--expires takes"),
    (("new", "--note", "two\nlines"), 7, "--note takes"),
    (("new", "--note", "x" * 256), 7, "--note takes"),
    (("revoke", "4711"), 3, "there is no invitation 4711"),
    (("revoke", "XXXXX-XXXXX"), 2, "takes a number"),
    (("revoke",), 2, "one argument"),
    (("show",), 2, "no command"),
])
def test_bad_input_invites_nobody(admin, database, arguments, status, words):
    assert words in admin("invite", *arguments, status=status).stderr
    assert database.query("SELECT * FROM invitations") == ()


def test_invite_prints_for_people(admin):
    assert "no invitations yet" in admin("invite", "list").stdout
    done = admin("invite", "new", "--count", "2", "--expires", "never")
    first, second, last = done.stdout.splitlines()
    assert first.endswith("(1)") and second.endswith("(2)") and "never expires" in last
    assert "isn't invite" in done.stderr
    assert admin("invite", "revoke", "2").stdout == "Invitation 2 is revoked.\n"
    lines = admin("invite", "list").stdout.splitlines()
    assert lines[0].split() == ["ID", "STATE", "EXPIRES", "USED", "BY", "MADE", "NOTE"]
    assert lines[1].split()[:3] == ["1", "open", "never"] and lines[2].split()[:2] == ["2", "revoked"]
    audit = admin.json("audit")
    assert {"invitation made", "invitation revoked"} <= {one["event"] for one in audit}
