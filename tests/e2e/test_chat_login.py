"""How people come into kdc-chat: first contact with a KDC, a new account, the prompts, another identity."""
import json
import os
import pathlib
import signal

import pytest

from support.chat import detached
from support.chat_exit import IDENTITY, OK, REFUSED, USAGE
from support.terminal import SHELL


def pid_of(person):
    """Of kdc-chat that runs with this person's server and fingerprint on its command line, in a terminal."""
    command = "\0".join(person.command(login=False)) + "\0"
    for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if entry.read_text() == command:
                return int(entry.parent.name)
        except OSError:
            pass  # it has ended meanwhile
    raise AssertionError("kdc-chat doesn't run")


def test_first_contact_and_an_account_from_the_prompt(kdc, person, terminal):
    alice = person(kdc, "alice", account=False, pin=False)
    t = terminal(alice, login=False)
    t.wait("^Username:")
    t.type("Not A Name")
    t.wait("A name has 1 to 32")
    t.type("  Alice ")
    t.wait("^Password:")
    t.type("abc123")
    t.wait("^That can't be the password: passwords have 8 to 72 bytes\\.\nPassword:$")
    t.type("x" * 300)
    t.wait("8 to 72 bytes\\.\nPassword:(.|\n)*8 to 72 bytes\\.\nPassword:$")
    t.type("correct horse")
    t.wait("First contact")
    assert kdc.fingerprint in t.screen()
    t.type("maybe")
    t.wait("Please answer yes or no")
    t.type("yes")
    t.wait(r"No such name or wrong password. \[t\]ry again, \[c\]reate the account alice, \[q\]uit\?")
    t.type("c")
    t.wait("The same password again:")
    t.type("correct house")
    t.wait("The two passwords differ")
    t.wait("Password for the new account:")
    t.type("correct horse")
    t.wait("differ(.|\n)*The same password again:")
    t.type("correct horse")
    t.wait("^-- Logged in as alice at ")
    t.wait("^-- Nobody else is online. /to NAME: talk as soon as they come$")
    assert "horse" not in t.screen() and "abc123" not in t.screen()
    t.type("/quit")
    assert t.status() == OK

    # The KDC is known now, and so is the account; a wrong password first.
    t = terminal(alice, login=False)
    t.wait("^Username:")
    t.type("alice")
    t.wait("^Password:")
    t.type("wrong password")
    t.wait("No such name or wrong password")
    t.type("t")
    t.wait(r"Username \[alice\]:")
    t.type("")
    t.wait(r"\[alice\]:\nPassword:")
    t.type("correct horse")
    t.wait("^-- Logged in as alice at ")
    assert "First contact" not in t.screen()
    t.wait_last("alice>")
    t.key("C-d")
    assert t.status() == OK


def test_what_is_not_trusted_gets_no_password(kdc, person, terminal):
    alice = person(kdc, "alice", pin=False)
    t = terminal(alice, ready=False)
    t.wait("First contact")
    t.type("no")
    assert t.status() == IDENTITY
    t.wait("is not trusted")
    without = detached(alice, "list")
    assert without.returncode == IDENTITY
    assert f"--fingerprint {kdc.fingerprint}" in without.stderr
    assert "alice" not in kdc.log()


def test_a_person_may_take_more_time_than_the_kdc(kdcd, person, terminal):
    kdc = kdcd(limits={"handshake_deadline": 3, "login_deadline": 3})
    alice = person(kdc, "alice", pin=False)
    t = terminal(alice, login=False)
    t.wait("^Username:")
    t.type("alice")
    t.wait("^Password:")
    t.type("wrong password")
    t.wait("yes/no")
    kdc.wait_log("deadline")
    since = len(kdc.log())
    t.type("yes")
    t.wait(r"\[q\]uit\?")
    kdc.wait_log("deadline", since=since)
    t.type("t")
    t.wait(r"^Username \[alice\]:")
    t.type("")
    t.wait(r"\[alice\]:\nPassword:")
    t.type("correct horse")
    t.wait("^-- Logged in as alice")
    assert t.screen().count("yes/no") == 1


def test_a_person_may_be_wrong_more_often_than_a_connection(kdc, person, terminal):
    alice = person(kdc, "alice")
    t = terminal(alice, login=False)
    t.wait("^Username:")
    t.type("alice")
    t.wait("^Password:")
    t.type("wrong password")
    for name in ("alicia", "alicja", "alise", "alyce"):
        t.wait(r"\[q\]uit\?$")
        t.type("t")
        t.wait(r"Username \[\w+\]:$")
        t.type(name)
        t.wait(f": {name}\nPassword:$")
        t.type("wrong password")
        t.wait(rf"reate the account {name}, \[q\]uit\?$")
    t.type("c")
    t.wait("^The same password again:")
    t.type("wrong password")
    t.wait("^-- Logged in as alyce ")
    t.type("/quit")
    assert t.status() == OK


def test_a_taken_name_is_not_offered_again(kdc, person, terminal):
    alice = person(kdc, "alice")
    t = terminal(alice, login=False)
    t.wait("^Username:")
    t.type("bob")
    t.wait("^Password:")
    t.type("correct horse")
    t.wait(r"reate the account bob, \[q\]uit\?$")
    kdc.add_user("bob")
    t.type("c")
    t.wait("^The same password again:")
    t.type("correct horse")
    t.wait(r"^bob: .*taken.* \[t\]ry to log in, \[c\]reate another account, \[q\]uit\?$")
    t.type("c")
    t.wait("^Username:$(.|\n)*^Username:$|uit[?] c\nUsername:")
    t.type("bobby")
    t.wait("^Password for the new account:")
    t.type("correct horse")
    t.wait("account:\nThe same password again:")
    t.type("correct horse")
    t.wait("^-- Logged in as bobby ")


@pytest.mark.parametrize("how", ["interrupted", "ended"])
def test_the_echo_comes_back_after_a_password_prompt(kdc, person, open_terminal, how):
    alice = person(kdc, "alice")
    shell = open_terminal(SHELL, alice.env)
    shell.wait_last("shell$")
    shell.type(" ".join(f"'{part}'" for part in alice.command(login=False)))
    shell.wait("^Username:")
    shell.type("alice")
    shell.wait("^Password:")
    if how == "interrupted":
        shell.key("C-c")
    else:
        os.kill(pid_of(alice), signal.SIGTERM)
    shell.wait_last("shell$")
    shell.type("echo status=$?; stty -a | grep -c -- ' -echo '")
    shell.wait("^status=130\n0$")


def new_identity(kdc):
    kdc.stop()
    (kdc.folder / "kdc-identity").unlink()
    kdc.start()


def test_a_changed_identity_is_refused_loudly(kdc, person, terminal):
    alice = person(kdc, "alice")
    old = kdc.fingerprint
    alice.run("list", check=OK)
    a = terminal(alice)
    new_identity(kdc)
    # Also by who is connected, and comes back.
    a.wait("IDENTITY HAS CHANGED|NOT THE KDC", 30)
    assert a.status() == IDENTITY
    assert old in a.screen() and kdc.fingerprint in a.screen()
    alice.pin = False
    tried = alice.run("list", check=IDENTITY)
    assert "THE KDC'S IDENTITY HAS CHANGED. NOT CONNECTED." in tried.stderr
    assert old in tried.stderr and kdc.fingerprint in tried.stderr and "known_kdcs" in tried.stderr
    t = terminal(alice, login=False)
    t.wait("^Username:")
    t.type("alice")
    t.wait("^Password:")
    t.type("correct horse")
    assert t.status() == IDENTITY
    assert "yes/no" not in t.screen()
    # Whoever gives the new one has it known from then on.
    alice.pin = True
    alice.run("list", check=OK)
    alice.pin = False
    alice.run("list", check=OK)


def test_register(kdc, person, terminal):
    alice = person(kdc, "alice", account=False)
    assert "alice" in alice.run("register", check=OK).stdout
    alice.run("list", check=OK)
    assert "taken" in alice.run("register", check=REFUSED).stderr
    bob = person(kdc, "bob", account=False)
    t = terminal(bob, "register", login=False)
    t.wait("^Username:")
    t.type("bob")
    t.wait("^Password for the new account:")
    t.type("correct horse")
    t.wait("^The same password again:")
    t.type("correct horse")
    assert t.status() == OK
    bob.run("list", check=OK)
    for password in ("7 bytes", "x" * 73, ""):
        carol = person(kdc, "carol", password, account=False)
        carol.run("register", check=REFUSED if password else USAGE)
    assert not kdc.admin_json("user", "list") or "carol" not in json.dumps(kdc.admin_json("user", "list"))
    person(kdc, "x" * 33, account=False).run("register", check=USAGE)


def test_register_where_it_is_closed(kdcd, person):
    kdc = kdcd(policy={"registration": "closed"})
    done = person(kdc, "alice", account=False).run("register", check=REFUSED)
    assert done.stderr.count("\n") == 1
