"""People who make their own accounts: by codes that are mailed; giving an account up. With a real SMTP server."""
import re
import threading
import time
from functools import partial

import pytest

from interop.attack import PASSWORD, read_end
from interop.client import refusal_of
from support.programs import SLOWER, wait_until
from support.registering import WRONG, connect, register


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

    def events():
        return {(one["event"], one["outcome"]) for one in kdc.admin_json("audit", "--user", "bob")}
    wait_until("both are on record", lambda: {("code mailed", "ok"), ("activate", "ok")} <= events())


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
