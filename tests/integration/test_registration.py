"""People who make their own accounts: by invitation, by mail; contacts; giving an account up. With a real SMTP server."""
import csv
import io
import json
import re
import threading
import time
from functools import partial

import pytest

from interop.attack import PASSWORD, read_end
from interop.client import Client, Refused
from support import kdcd as kdcd_support
from support.ports import free_port
from support.programs import SLOWER, wait_until
from support.smtp import HostileServer, SmtpServer, make_authority, make_certificate

WRONG = "000000"


def connect(kdc, name=None, **choices):
    client = Client(kdc.server, **choices)
    if name:
        client.login(name, PASSWORD)
    return client


def refusal_of(action, *arguments):
    with pytest.raises(Refused) as refused:
        action(*arguments)
    return refused.value.reason


@pytest.fixture(scope="session")
def authority(session_folder):
    folder = session_folder / "authority"
    folder.mkdir()
    return make_authority(folder)


@pytest.fixture(scope="session")
def certificate(session_folder, authority):
    return make_certificate(session_folder / "authority", authority)


@pytest.fixture
def smtp(certificate):
    server = SmtpServer(certificate).start()
    yield server
    server.stop()


@pytest.fixture
def mailing(kdcd, smtp, authority):
    """mailing(section={...}): a kdcd under the policy `email` that mails by the server `smtp`."""
    def make(start=True, **sections):
        settings = {"policy": {"registration": "email", "login_tries": 100},
                    "penalties": {"enabled": "off"},
                    "limits": {"login_deadline": 600},
                    "mail": {"server": "localhost", "port": smtp.port, "from": "chat@example.com", "ca": authority[1],
                             "timeout": 5}}
        for section, keys in sections.items():
            settings.setdefault(section, {}).update(keys)
        kdc = kdcd(start=False)
        kdc.configure(**settings)
        return kdc.start() if start else kdc
    return make


@pytest.fixture
def inviting(kdcd):
    return kdcd(policy={"registration": "invite", "login_tries": 100}, penalties={"enabled": "off"})


def invite(kdc, *options):
    return kdc.admin_json("invite", "new", *options)


# --- By invitation -----------------------------------------------------------------------------------------------

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


def race(kdc, tries):
    """Several at once, each register's arguments; what came of them."""
    clients = [connect(kdc) for _ in tries]
    ready = threading.Barrier(len(tries))
    outcomes = [None] * len(tries)

    def run(number):
        ready.wait()
        try:
            clients[number].register(*tries[number][:2], **tries[number][2])
            outcomes[number] = "welcome"
        except Refused as refused:
            outcomes[number] = refused.reason
    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(tries))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for client in clients:
        client.__exit__(None, None, None)
    return sorted(outcomes)


def test_of_those_who_come_with_one_invitation_at_once_one_gets_in(kdcd):
    kdc = kdcd(policy={"registration": "invite"}, threads={"workers": 4}, limits={"connections_per_source": 1000})
    for round_number in range(3):
        [one] = invite(kdc)
        outcomes = race(kdc, [(f"user{round_number}-{number}", PASSWORD, {"code": one["code"]}) for number in range(4)])
        assert outcomes == ["invitation"] * 3 + ["welcome"]
    assert len(kdc.database.query("SELECT id FROM users")) == 3


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


# --- By mail -----------------------------------------------------------------------------------------------------

def register(kdc, name="bob", address="bob@example.org"):
    """Somebody whose account is pending."""
    client = connect(kdc)
    assert refusal_of(partial(client.register, name, PASSWORD, email=address)) == "account_pending"
    return client


def test_the_right_code_activates_and_the_mail_is_in_order(mailing, smtp):
    kdc = mailing()
    with register(kdc) as bob:
        code = smtp.code()
        assert refusal_of(bob.login, "bob", PASSWORD) == "account_pending"
        assert refusal_of(bob.activate, "bob", "a wrong password", code) == "login_failed"
        assert bob.activate("bob", PASSWORD, code)["name"] == "bob"
    with connect(kdc) as bob:
        bob.login("bob", PASSWORD)
    [mail] = smtp.mails
    assert mail["encrypted"] and mail["from"] == "chat@example.com" and mail["to"] == ["bob@example.org"]
    message = mail["message"]
    assert message["To"] == "bob@example.org" and message["Auto-Submitted"] == "auto-generated"
    assert "bob" in mail["text"] and "15 minutes" in mail["text"] and "://" not in mail["text"]
    assert code not in kdc.log() and "bob@example.org" not in kdc.log()
    rows = str(kdc.database.query("SELECT * FROM codes")) + str(kdc.database.query("SELECT * FROM audit"))
    assert code not in rows
    events = [(one["event"], one["outcome"]) for one in kdc.admin_json("audit", "--user", "bob")]
    assert ("code mailed", "ok") in events and ("activate", "ok") in events


def test_the_digest_of_a_code_is_there_and_its_text_isnt(mailing, smtp):
    kdc = mailing()
    with register(kdc):
        code = smtp.code()
        [(digest, tries)] = kdc.database.query("SELECT digest, tries_left FROM codes WHERE purpose = 'activate'")
        assert re.fullmatch("[0-9a-f]{64}", digest) and tries == 5 and code not in digest


def test_five_wrong_codes_and_the_right_one_holds_no_more(mailing, smtp):
    kdc = mailing()
    with register(kdc) as bob:
        code = smtp.code()
        wrong = WRONG if code != WRONG else "111111"
        for _ in range(5):
            assert refusal_of(bob.activate, "bob", PASSWORD, wrong) == "code"
        assert refusal_of(bob.activate, "bob", PASSWORD, code) == "code_expired"
        assert refusal_of(bob.activate, "bob", PASSWORD) == "account_pending"
        bob.activate("bob", PASSWORD, smtp.code(2))


def test_a_code_expires(mailing, smtp):
    kdc = mailing()
    with register(kdc) as bob:
        code = smtp.code()
        [(seconds,)] = kdc.database.query("SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(3), expires) FROM codes")
        assert 890 - 20 * SLOWER <= seconds <= 900
        kdc.database.query("UPDATE codes SET expires = UTC_TIMESTAMP(3)")
        assert refusal_of(bob.activate, "bob", PASSWORD, code) == "code_expired"


def test_an_earlier_code_is_void_once_there_is_another_and_there_arent_too_many(mailing, smtp):
    kdc = mailing(registration={"code_mails": 3})
    with register(kdc) as bob:
        first = smtp.code()
        assert refusal_of(bob.activate, "bob", PASSWORD) == "account_pending"
        second = smtp.code(2)
        if first != second:
            assert refusal_of(bob.activate, "bob", PASSWORD, first) == "code"
        assert refusal_of(bob.activate, "bob", PASSWORD) == "account_pending"
        assert refusal_of(bob.activate, "bob", PASSWORD) == "too_many"
        third = smtp.code(3)
        time.sleep(0.2)
        assert len(smtp.mails) == 3
        bob.activate("bob", PASSWORD, third)


def test_an_address_isnt_flooded_and_nobody_learns_of_it(mailing, smtp):
    kdc = mailing(registration={"code_mails": 2})
    clients = [register(kdc, f"user{number}", "Victim@example.org" if number % 2 else "victim@example.org")
               for number in range(4)]
    smtp.wait(2)
    kdc.wait_log("mailed no code: too many for one address.*user=user3")
    time.sleep(0.2)
    assert len(smtp.mails) == 2
    for client in clients:
        client.__exit__(None, None, None)


def test_registering_tells_nothing_about_an_address_unless_each_is_one_accounts_only(mailing, smtp):
    kdc = mailing()
    with register(kdc, "bob") as bob:
        bob.activate("bob", PASSWORD, smtp.code())
    register(kdc, "eve", "bob@example.org").__exit__(None, None, None)
    smtp.wait(2)
    kdc.stop()
    kdc.configure(registration={"contact_unique": "on"})
    kdc.start()
    with connect(kdc) as mallory:
        assert refusal_of(partial(mallory.register, "mallory", PASSWORD, email="BOB@example.org")) == "email_taken"
        assert refusal_of(partial(mallory.register, "mallory", PASSWORD)) == "email"
    # Both who have it went: it is free again.
    kdc.admin("user", "delete", "bob", "--yes")
    with connect(kdc) as mallory:
        assert refusal_of(partial(mallory.register, "mallory", PASSWORD, email="bob@example.org")) == "email_taken"
        kdc.admin("user", "delete", "eve", "--yes")
        assert refusal_of(partial(mallory.register, "mallory", PASSWORD, email="bob@example.org")) == "account_pending"


def test_an_account_whose_code_wasnt_mailed_has_none_to_guess(mailing, smtp):
    kdc = mailing(registration={"code_mails": 1})
    with register(kdc, "eve1", "victim@example.org"), register(kdc, "eve2", "victim@example.org") as eve:
        smtp.wait(1)
        (mailed,), (quiet,) = kdc.database.query(
            "SELECT digest FROM users JOIN codes ON codes.user = users.id ORDER BY users.id")
        assert re.fullmatch("[0-9a-f]{64}", mailed) and quiet == "-" * 64
        assert refusal_of(eve.activate, "eve2", PASSWORD, "123456") == "code"


def test_of_two_at_once_who_have_one_address_the_second_counts_the_firsts_mail(database):
    outcomes = []

    def ask(user):
        with database.connect() as connection, connection.cursor() as cursor:
            cursor.callproc("kdc_code_new", (user, "activate", "0" * 64, 900, 5, 1))
            outcomes.append(cursor.fetchone()[0])

    def both_wait():
        time.sleep(0.2)  # what is asked for more often isn't looked at anew
        waiting = "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"
        return database.query(waiting)[0][0] >= 2
    with database.connect() as connection, connection.cursor() as cursor:
        for name in ("eve1", "eve2"):
            cursor.callproc("kdc_register", (name, "hash", "pending", "victim@example.org", "", 0, ""))
    users = [user for user, in database.query("SELECT id FROM users ORDER BY id")]
    threads = [threading.Thread(target=ask, args=(user,)) for user in users]
    with database.connect_admin() as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT * FROM codes FOR UPDATE")  # holds up both where they would write
        for thread in threads:
            thread.start()
        wait_until("both to wait", both_wait)
        cursor.execute("COMMIT")
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == ["ok", "quiet"]


def test_a_source_makes_so_many_accounts_that_wait_for_a_code(mailing, smtp, person):
    kdc = mailing(registration={"per_source": 2})
    for name in ("bob", "carol"):
        register(kdc, name, f"{name}@example.org").__exit__(None, None, None)
    with connect(kdc) as dave:
        assert refusal_of(partial(dave.register, "dave", PASSWORD, email="dave@example.org")) == "too_many"
    done = person(kdc, "dave", account=False).run("register", "--email", "dave@example.org", check=None)
    assert done.returncode != 0 and re.search("too many accounts .* try again in (29|30) minutes", done.stderr)
    assert len(kdc.database.query("SELECT id FROM users")) == 2
    kdc.configure(registration={"per_source": 0})
    kdc.reload()
    kdc.wait_log("reloaded the configuration")
    register(kdc, "dave", "dave@example.org").__exit__(None, None, None)


@pytest.mark.parametrize("address", [
    "bob@example.org\r\nBcc: eve@example.org", "bob@example.org\nRCPT TO:<eve@example.org>", "bob", "bob@localhost",
    "<bob@example.org>", "bob@example.org,eve@example.org", "bob@example.org>\r\nDATA", "\"bob\"@example.org",
    "bob@example.org\0", "bob@[127.0.0.1]", "b\u00f6b@example.org", "bob@example.org ",
])
def test_what_is_no_address_is_refused_and_injects_nothing(mailing, smtp, address):
    kdc = mailing()
    with connect(kdc) as bob:
        assert refusal_of(partial(bob.register, "bob", PASSWORD, email=address)) == "email"
        assert refusal_of(partial(bob.register, "bob", PASSWORD, email="bob@example.org", phone="12\r\n")) == "phone"
    assert kdc.database.query("SELECT * FROM users") == () and smtp.mails == []


def test_an_account_that_is_never_activated_goes_and_its_name_is_free(mailing, smtp):
    kdc = mailing(registration={"unactivated_days": 3})
    register(kdc, "bob").__exit__(None, None, None)
    register(kdc, "carol", "carol@example.org").__exit__(None, None, None)
    smtp.wait(2)
    kdc.add_user("dave")
    kdc.database.query("UPDATE users SET state = 'pending' WHERE name = 'dave'")  # by an operator: it stays
    kdc.database.query("UPDATE users SET created = UTC_TIMESTAMP(3) - INTERVAL 4 DAY WHERE name <> 'carol'")
    kdc.stop()
    kdc.start()  # a round comes at once
    kdc.wait_log("removed accounts that were never activated accounts=1")
    assert kdc.database.query("SELECT name FROM users ORDER BY name") == (("carol",), ("dave",))
    assert [one["event"] for one in kdc.admin_json("audit", "--user", "bob", "--event", "account removed")] == [
        "account removed"]
    register(kdc, "bob").__exit__(None, None, None)


def test_an_account_that_an_operator_made_pending_isnt_the_mails(mailing, smtp):
    kdc = mailing(registration={"unactivated_days": 3})
    kdc.add_user("dave")
    kdc.database.query("UPDATE users SET state = 'pending', email = 'dave@example.org',"
                       " created = UTC_TIMESTAMP(3) - INTERVAL 9 DAY")
    with connect(kdc) as dave:
        assert refusal_of(dave.login, "dave", PASSWORD) == "account_pending"
        assert refusal_of(dave.activate, "dave", PASSWORD) == "email"
        assert refusal_of(dave.activate, "dave", PASSWORD, "123456") == "code_expired"
    kdc.reload()  # a round comes at once
    kdc.wait_log("reloaded the configuration")
    time.sleep(1)
    assert kdc.database.query("SELECT name, state FROM users") == (("dave", "pending"),) and smtp.mails == []


def test_giving_an_account_up(mailing, smtp):
    kdc = mailing()
    with register(kdc) as bob:
        bob.activate("bob", PASSWORD, smtp.code())
        ticket = bob.ticket
        assert bob.deactivate()["message"] == "code_mailed"
        code = smtp.code(2)
        assert "give up" in smtp.mails[1]["text"]
        wrong = WRONG if code != WRONG else "111111"
        assert refusal_of(bob.deactivate, wrong) == "code"
        bob.send_message("deactivate", request=99, code=code.encode())
        assert read_end(bob) == "account_disabled"
        bob.name = None
    with connect(kdc, ticket=ticket) as bob:
        assert not bob.shake.resumed
        assert refusal_of(bob.login, "bob", PASSWORD) == "account_disabled"
        assert refusal_of(bob.activate, "bob", PASSWORD, code) == "account_disabled"
    assert kdc.admin_json("user", "show", "bob")["state"] == "disabled"
    assert code not in kdc.log()
    kdc.admin("user", "enable", "bob")


def test_without_an_address_nothing_can_be_mailed(mailing):
    kdc = mailing()
    kdc.add_user("alice")
    with connect(kdc, "alice") as alice:
        assert refusal_of(alice.deactivate) == "email"
        assert refusal_of(alice.deactivate, "123456") == "code_expired"


# --- The mail server ---------------------------------------------------------------------------------------------

def test_a_server_that_is_away_holds_up_nobody_and_gets_the_mail_later(mailing, smtp):
    kdc = mailing()
    smtp.stop()
    begin = time.monotonic()
    with register(kdc) as bob:
        assert time.monotonic() - begin < 5 * SLOWER
        kdc.wait_log("warn mails can't be sent cause=.*(refused|connect)")
        assert smtp.mails == []
        smtp.start()
        bob.activate("bob", PASSWORD, smtp.code(seconds=30))
        kdc.wait_log("info the mail server takes mails again")


def test_a_certificate_that_isnt_the_servers_gets_no_mail(mailing, smtp, session_folder, authority, new_folder):
    folder = new_folder()
    cases = {
        "another name": make_certificate(folder, authority, "DNS:mail.example.com", "other-name"),
        "another authority": make_certificate(folder, make_authority(folder, "stranger"), name="stranger-server"),
    }
    for context in cases.values():
        port = free_port()
        wrong = SmtpServer(context, port=port).start()
        kdc = mailing(mail={"port": port})
        with register(kdc):
            kdc.wait_log("warn mails can't be sent cause=.*(certificate|verif|SSL|name)")
            assert wrong.mails == []
        kdc.stop()
        kdc.database.query("DELETE FROM users")
        wrong.stop()


def test_a_server_without_starttls_gets_no_mail(mailing):
    plain = SmtpServer().start()
    kdc = mailing(mail={"port": plain.port})
    with register(kdc):
        kdc.wait_log("warn mails can't be sent cause=")
        assert plain.mails == []
    kdc.stop()
    plain.stop()


def test_without_tls_only_when_told_so(mailing):
    plain = SmtpServer().start()
    kdc = mailing(mail={"port": plain.port, "tls": "none"})
    with register(kdc) as bob:
        bob.activate("bob", PASSWORD, plain.code())
        assert not plain.mails[0]["encrypted"]
    kdc.stop()
    plain.stop()


def test_with_tls_from_the_first_byte_and_a_password(mailing, certificate, new_folder):
    password_file = new_folder() / "mail-password"
    password_file.touch(mode=0o600)
    password_file.write_text("s3cret of the mail server\n")
    server = SmtpServer(certificate, tls=True, user="kdcd", password="s3cret of the mail server").start()
    kdc = mailing(mail={"port": server.port, "tls": "tls", "user": "kdcd", "password_file": password_file})
    with register(kdc) as bob:
        bob.activate("bob", PASSWORD, server.code())
    assert server.mails[0]["encrypted"]
    kdc.stop()
    password_file.write_text("a wrong one\n")
    kdc.start()
    with register(kdc, "carol", "carol@example.org"):
        kdc.wait_log("warn mails can't be sent cause=")
        assert len(server.mails) == 1
    kdc.stop()
    server.stop()


def test_what_a_server_refuses_for_good_is_dropped_and_for_now_tried_again(mailing, smtp):
    kdc = mailing()
    smtp.refuse["nobody@.*"] = "550 no such mailbox"
    smtp.refuse["grey@.*"] = "451 try again"
    with register(kdc, "nobody", "nobody@example.org"), register(kdc, "grey", "grey@example.org"):
        kdc.wait_log("warn the mail server refuses a mail user=nobody cause=.*550")
        kdc.wait_log("warn the mail server takes a mail not now user=grey cause=.*451")
        with register(kdc, "bob") as bob:
            bob.activate("bob", PASSWORD, smtp.code())  # nobody waits for another's mail
        del smtp.refuse["grey@.*"]
        assert smtp.wait(2, 30)[1]["to"] == ["grey@example.org"]
    status = kdc.admin_json("status")
    assert status["mails_sent_total"] == 2 and status["mails_waiting"] == 0 and status["mail_up"] == 1
    assert status["mails_dropped_total"] == {"refused": 1, "full": 0} and status["mail_retries_total"] >= 1
    assert "451" in status["mail_last_error"] or "550" in status["mail_last_error"]


def test_nobody_waits_long_for_a_mail_that_the_server_never_answers(mailing, smtp):
    kdc = mailing(mail={"timeout": 1})
    smtp.slow["tarpit@.*"] = 60
    with register(kdc, "eve", "tarpit@example.org"), register(kdc, "bob") as bob:
        kdc.wait_log("warn mails can't be sent cause=.*[Tt]ime")
        bob.activate("bob", PASSWORD, smtp.code(seconds=20))


@pytest.mark.parametrize("tricks", ["strip", "endless", "huge", "inject"])
def test_a_server_that_means_harm_gets_no_mail_and_holds_up_nobody(mailing, certificate, tricks):
    with HostileServer(certificate, tricks) as hostile:
        kdc = mailing(mail={"port": hostile.port, "timeout": 2})
        with register(kdc) as bob:
            kdc.wait_log("warn mails can't be sent cause=")
            assert refusal_of(bob.login, "bob", PASSWORD) == "account_pending"
        assert not re.search(rb"(?i)mail from|rcpt to|bob@example", hostile.heard)
        assert kdc.admin_json("status")["mail_up"] == 0
        kdc.stop()


def test_the_environment_turns_mail_nowhere_else(mailing, smtp, monkeypatch):
    proxies = dict.fromkeys(("all_proxy", "ALL_PROXY", "smtp_proxy", "http_proxy", "https_proxy"), "http://127.0.0.1:1")
    plain = kdcd_support.environment
    monkeypatch.setattr(kdcd_support, "environment", lambda folder, extra=None: plain(folder, {**proxies, **(extra or {})}))
    kdc = mailing()
    with register(kdc) as bob:
        bob.activate("bob", PASSWORD, smtp.code())


def test_many_mails_over_one_connection(mailing, smtp):
    kdc = mailing()
    clients = [register(kdc, f"user{number}", f"user{number}@example.org") for number in range(6)]
    mails = smtp.wait(6, 30)
    assert sorted(mail["to"][0] for mail in mails) == [f"user{number}@example.org" for number in range(6)]
    for client in clients:
        client.__exit__(None, None, None)


def test_the_template_is_the_operators(mailing, smtp, new_folder):
    template = new_folder() / "mail.txt"
    template.write_text("Subject: Ihr Schl\u00fcssel\n\nHallo {name},\n\n{code}\n\n.\ng\u00fcltig f\u00fcr {minutes} Minuten\n")
    kdc = mailing(mail={"template": template}, registration={"activation_minutes": 3})
    with register(kdc) as bob:
        code = smtp.code()
        assert smtp.mails[0]["message"]["Subject"] == "Ihr Schl\u00fcssel"
        assert smtp.mails[0]["text"].replace("\r", "").strip() == f"Hallo bob,\n\n{code}\n\n.\ng\u00fcltig f\u00fcr 3 Minuten"
        bob.activate("bob", PASSWORD, code)


@pytest.mark.parametrize("settings, words", [
    ({"mail": {"server": None, "from": None, "ca": None, "port": None, "timeout": None}}, "needs a server to mail by"),
    ({"mail": {"from": "nobody"}}, "mail.from"),
    ({"mail": {"template": "/nowhere/template"}}, "/nowhere/template"),
    ({"mail": {"user": "kdcd"}}, "mail.user"),
])
def test_mail_that_cant_work_is_told_at_the_start(mailing, settings, words):
    kdc = mailing(start=False, **settings)
    kdc.start(wait=False)
    assert kdc.process.wait(10 * SLOWER) == 3
    kdc.process = None
    assert words in kdc.log()


def test_a_stop_waits_for_no_mail_server(mailing, smtp):
    """One that takes the connection and says nothing."""
    import socket
    with socket.create_server(("127.0.0.1", 0)) as silent:
        kdc = mailing(mail={"port": silent.getsockname()[1], "timeout": 60})
        with register(kdc):
            connection, _ = silent.accept()
            begin = time.monotonic()
        kdc.stop()
        assert time.monotonic() - begin < 8 * SLOWER
        connection.close()


@pytest.mark.parametrize("when", ["between two mails", "in the middle of one"])
def test_a_stop_waits_for_no_mail_server_that_answered_before(mailing, smtp, when):
    kdc = mailing(mail={"timeout": 60})
    if when == "in the middle of one":
        smtp.slow["carol@.*"] = 60
    with register(kdc):
        kdc.wait_log("mailed a code user=bob")
    if when == "in the middle of one":
        with register(kdc, "carol", "carol@example.org"):
            wait_until("the server is asked for carol", lambda: smtp.slow_ones)
    with smtp.frozen():
        begin = time.monotonic()
        kdc.stop()
        assert time.monotonic() - begin < 8 * SLOWER


# --- Contacts, for operators -------------------------------------------------------------------------------------

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


# --- The KDC's own account ---------------------------------------------------------------------------------------

def test_the_kdcs_account_reads_neither_codes_nor_contacts(database):
    import pymysql
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


# --- kdc-chat ----------------------------------------------------------------------------------------------------

PENDING, REFUSED_INPUT, LOGIN_REFUSED = 12, 9, 3


def test_kdc_chat_registers_by_invitation(inviting, person):
    [one] = invite(inviting)
    alice = person(inviting, "alice", account=False)
    done = alice.run("register", check=REFUSED_INPUT)
    assert "invitation" in done.stderr and "give it with --invite" in done.stderr
    assert "--invite" in alice.run("register", "--invite", "AAAAA-AAAAA-AAAAA-AAAAA", check=REFUSED_INPUT).stderr
    assert "The account alice is there." in alice.run("register", "--invite", one["code"], check=0).stdout


def test_kdc_chat_registers_activates_and_deactivates_in_scripts(mailing, smtp, person):
    kdc = mailing()
    bob = person(kdc, "bob", account=False)
    assert "is made here with an e-mail address; give it with --email" in bob.run("register", check=REFUSED_INPUT).stderr
    assert "check the spelling; give it with --email" in bob.run("register", "--email", "bob", check=REFUSED_INPUT).stderr
    assert "give it with --phone" in bob.run(
        "register", "--email", "bob@example.org", "--phone", "1", check=REFUSED_INPUT).stderr
    done = bob.run("register", "--email", "bob@example.org", "--phone", "+49 30 123456", check=PENDING)
    assert "made. A code was mailed to bob@example.org; give it with: kdc-chat activate bob --code" in done.stderr
    code = smtp.code()
    assert "with: kdc-chat activate bob --code CODE" in bob.run("list", check=LOGIN_REFUSED).stderr
    done = bob.run("activate", "bob", "--code", WRONG if code != WRONG else "111111", check=REFUSED_INPUT)
    assert "ask for a new one, with: kdc-chat activate" in done.stderr
    assert "A code was mailed" in bob.run("activate", "bob", check=PENDING).stderr
    code = smtp.code(2)
    assert "bob is active" in bob.run("activate", "bob", "--code", code, check=0).stdout
    bob.run("list", check=0)
    assert "deactivate --code CODE" in bob.run("deactivate", check=PENDING).stderr
    code = smtp.code(3)
    done = bob.run("deactivate", "--code", WRONG if code != WRONG else "111111", check=REFUSED_INPUT)
    assert "ask for a new one, with: kdc-chat deactivate" in done.stderr
    kdc.database.query("UPDATE codes SET mailed = 5")
    done = bob.run("deactivate")
    assert done.returncode != 0 and "No more codes are mailed within the next 60 minutes" in done.stderr
    assert "given up" in bob.run("deactivate", "--code", code, check=0).stdout
    assert "disabled" in bob.run("list", check=LOGIN_REFUSED).stderr
    assert kdc.database.query("SELECT email, phone FROM users") == (("bob@example.org", "+4930123456"),)


@pytest.mark.parametrize("tries", [3, 100])
def test_the_chat_asks_for_what_the_policy_needs(mailing, smtp, person, tries):
    kdc = mailing(policy={"login_tries": tries})
    bob = person(kdc, "bob", account=False)
    terminal = bob.spawn()
    terminal.expect("Username: ")
    terminal.sendline("bob")
    terminal.expect("Password: ")
    terminal.sendline(PASSWORD)
    terminal.expect_exact("[q]uit? ")
    terminal.sendline("c")
    terminal.expect("again: ")
    terminal.sendline(PASSWORD)
    terminal.expect("E-mail address: ")
    terminal.sendline("bob at example")
    terminal.expect("not an e-mail address.*E-mail address: ")
    terminal.sendline("bob@example.org")
    terminal.expect("A code was mailed to bob@example.org.*Code .*: ")
    code = smtp.code()
    terminal.sendline("12345")
    terminal.expect("not the code.*Code .*: ")
    terminal.sendline("")
    terminal.expect("A code was mailed.*Code .*: ")
    code = smtp.code(2)
    terminal.sendline(f" {code[:3]} {code[3:]} ")
    terminal.expect("bob> ")


def test_the_chat_asks_for_an_invitation(inviting, person):
    [one] = invite(inviting)
    bob = person(inviting, "bob", account=False)
    terminal = bob.spawn("register")
    terminal.expect("Username: ")
    terminal.sendline("bob")
    terminal.expect("Password for the new account: ")
    terminal.sendline(PASSWORD)
    terminal.expect("again: ")
    terminal.sendline(PASSWORD)
    terminal.expect("Invitation code: ")
    terminal.sendline("nonsense")
    terminal.expect("isn't one that holds.*Invitation code: ")
    terminal.sendline(one["code"].lower())
    terminal.expect("The account bob is there")


def test_somebody_who_comes_back_later_is_asked_for_the_code(mailing, smtp, person):
    kdc = mailing()
    bob = person(kdc, "bob", account=False)
    bob.run("register", "--email", "bob@example.org", check=PENDING)
    terminal = bob.spawn("chat", login=True)
    terminal.expect("not activated yet.*Code .*: ")
    terminal.sendline(smtp.code())
    terminal.expect("bob> ")
    terminal.close(force=True)
    terminal = bob.spawn("deactivate", login=True)
    terminal.expect("A code was mailed.*Code .*: ")
    terminal.sendline("000")
    terminal.expect("not the code.*Code .*: ")
    terminal.sendline(smtp.code(2))
    terminal.expect("bob is given up")
