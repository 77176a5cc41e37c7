"""kdc-chat where accounts are made by invitation or by mail: in scripts, and asked for at the terminal."""
import pytest

from interop.attack import PASSWORD
from support.chat_exit import LOGIN, PENDING, REFUSED
from support.registering import WRONG, invite


def test_kdc_chat_registers_by_invitation(inviting, person):
    [one] = invite(inviting)
    alice = person(inviting, "alice", account=False)
    done = alice.run("register", check=REFUSED)
    assert "invitation" in done.stderr and "give it with --invite" in done.stderr
    assert "--invite" in alice.run("register", "--invite", "AAAAA-AAAAA-AAAAA-AAAAA", check=REFUSED).stderr
    assert "The account alice is there." in alice.run("register", "--invite", one["code"], check=0).stdout


def test_kdc_chat_registers_activates_and_deactivates_in_scripts(mailing, smtp, person):
    kdc = mailing()
    bob = person(kdc, "bob", account=False)
    assert "is made here with an e-mail address; give it with --email" in bob.run("register", check=REFUSED).stderr
    assert "check the spelling; give it with --email" in bob.run("register", "--email", "bob", check=REFUSED).stderr
    assert "give it with --phone" in bob.run(
        "register", "--email", "bob@example.org", "--phone", "1", check=REFUSED).stderr
    done = bob.run("register", "--email", "bob@example.org", "--phone", "+49 30 123456", check=PENDING)
    assert "made. A code was mailed to bob@example.org; give it with: kdc-chat activate bob --code" in done.stderr
    code = smtp.code()
    assert "with: kdc-chat activate bob --code CODE" in bob.run("list", check=LOGIN).stderr
    done = bob.run("activate", "bob", "--code", WRONG if code != WRONG else "111111", check=REFUSED)
    assert "ask for a new one, with: kdc-chat activate" in done.stderr
    assert "A code was mailed" in bob.run("activate", "bob", check=PENDING).stderr
    code = smtp.code(2)
    assert "bob is active" in bob.run("activate", "bob", "--code", code, check=0).stdout
    bob.run("list", check=0)
    assert "deactivate --code CODE" in bob.run("deactivate", check=PENDING).stderr
    code = smtp.code(3)
    done = bob.run("deactivate", "--code", WRONG if code != WRONG else "111111", check=REFUSED)
    assert "ask for a new one, with: kdc-chat deactivate" in done.stderr
    kdc.database.query("UPDATE codes SET mailed = 5")
    done = bob.run("deactivate")
    assert done.returncode != 0 and "No more codes are mailed within the next 60 minutes" in done.stderr
    assert "given up" in bob.run("deactivate", "--code", code, check=0).stdout
    assert "disabled" in bob.run("list", check=LOGIN).stderr
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
