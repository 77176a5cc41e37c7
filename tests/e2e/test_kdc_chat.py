"""kdc-chat as people and scripts meet it: in a real terminal, in pipes, with exit codes."""
import json
import os
import pathlib
import re
import select
import signal
import subprocess

import pytest

from support.kdcd import Database
from support.programs import SLOWER, environment, sanitizer_report, wait_until
from support.terminal import Terminal

OK, OTHER, USAGE, LOGIN, OFFLINE, NO_SUCH_USER = 0, 1, 2, 3, 4, 5
UNREACHABLE, IDENTITY, TIMEOUT, REFUSED, BUSY, ENDED, INTERRUPTED = 6, 7, 8, 9, 10, 11, 130


# dash, other than bash, leaves the terminal's settings as the last program left them.
SHELL = ["env", "PS1=shell$ ", "dash", "-i"]


@pytest.fixture
def kdc(kdcd):
    return kdcd()


@pytest.fixture
def open_terminal(new_folder):
    """open_terminal(command, env)"""
    opened = []

    def make(command, env):
        one = Terminal(new_folder(), command, env)
        opened.append(one)
        return one
    yield make
    for one in opened:
        one.close()


@pytest.fixture
def terminal(open_terminal):
    """terminal(person) opens kdc-chat in a terminal and logs in; with login=False it leaves that to the test."""

    def make(person, *arguments, login=True, ready=True):
        one = open_terminal(person.command(*arguments, login=login), person.env)
        if login and ready:
            one.wait(f"Logged in as {person.name} ")
            one.wait_last(f"{person.name}>")
        return one
    return make


def read_line(process, seconds=30):
    """The next line that a running kdc-chat prints; nothing behind it may be there yet."""
    ready, _, _ = select.select([process.stdout], [], [], seconds * SLOWER)
    assert ready, "nothing was printed"
    return process.stdout.readline()


def detached(person, *arguments, login=True, text="", env=None):
    """Runs kdc-chat where there is no terminal at all."""
    done = subprocess.run(
        person.command(*arguments, login=login), env={**person.env, **(env or {})}, input=text, cwd=person.folder,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", timeout=60 * SLOWER, check=False,
        start_new_session=True)
    assert not sanitizer_report(done.stderr), done.stderr
    return done


def listening(person, *arguments):
    """A listener that is online already."""
    process = person.start("listen", "--json", "--all", *arguments)
    line = json.loads(read_line(process))
    assert line["type"] == "ready", line
    return process


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


def talking(terminal, alice, bob):
    """Two people in two terminals, talking to each other."""
    a, b = terminal(alice), terminal(bob)
    a.type("/to bob")
    a.wait(r"^-- The conversation with bob is open: epoch 1, 3des-cbc-hmac-sha512$")
    a.wait_last("alice → bob>")
    b.wait(r"^-- alice opened a conversation with you: epoch 1, 3des-cbc-hmac-sha512; "
           r"type alice, or /to alice,\s+to\s+answer$")
    b.wait_last("bob>")
    b.type("alice")
    b.wait("^-- You talk to alice; online$")
    b.wait_last("bob → alice>")
    return a, b


def unwrapped(screen):
    """With the rows of long texts joined again."""
    return screen.replace("\n         | ", " ")


# --- In a terminal -----------------------------------------------------------------------------------------------


def test_first_contact_and_an_account_from_the_prompt(kdc, person, terminal):
    alice = person(kdc, "alice", account=False, pin=False)
    t = terminal(alice, login=False)
    t.wait("^Username:")
    t.type("Not A Name")
    t.wait("A name has 1 to 32")
    t.type("  Alice ")
    t.wait("^Password:")
    t.type("abc123")
    t.wait("^Wrong password. Passwords have 8 to 72 bytes.$")
    t.type("x" * 300)
    t.wait("8 to 72 bytes(.|\n)*8 to 72 bytes")
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
    kdc = kdcd(limits={"handshake_deadline": 1, "login_deadline": 1})
    alice = person(kdc, "alice", pin=False)
    t = terminal(alice, login=False)
    t.wait("^Username:")
    t.type("alice")
    t.wait("^Password:")
    t.type("wrong password")
    t.wait("yes/no")
    kdc.wait_log("deadline")
    t.type("yes")
    t.wait(r"\[q\]uit\?")
    since = len(kdc.log())
    kdc.wait_log("deadline", since=since)
    t.type("t")
    t.wait(r"^Username \[alice\]:")
    t.type("")
    t.wait(r"\[alice\]:\nPassword:")
    t.type("correct horse")
    t.wait("^-- Logged in as alice")
    assert t.screen().count("yes/no") == 1


def test_colours_on_a_terminal_and_not_with_no_color(kdc, person, terminal):
    alice = person(kdc, "alice")
    t = terminal(alice)
    assert "\033[33m-- Logged in" in t.styled() and "\033[1m" in t.styled()
    alice.env["NO_COLOR"] = "1"
    assert "\033" not in terminal(alice).styled()


def test_a_conversation_in_two_terminals(kdc, person, terminal):
    a, b = talking(terminal, person(kdc, "alice"), person(kdc, "bob"))
    a.type("hello bob, 日本語 and Grüße 👋")
    b.wait(r"^\d\d:\d\d:\d\d alice: hello bob, 日本語 and Grüße 👋$")
    a.wait(r"^\d\d:\d\d:\d\d alice: hello bob, 日本語 and Grüße 👋$")
    b.type("hello alice")
    a.wait(r"^\d\d:\d\d:\d\d bob: hello alice$")
    a.type(" note: this goes to bob")
    b.wait(r"alice: note: this goes to bob$")
    a.type("//quit is what one types")
    b.wait(r"alice: /quit is what one types$")
    for text in ("one", "two", "three"):
        b.type(text)
    a.wait(r"bob: one\n.*bob: two\n.*bob: three$")
    a.type("/quit")
    assert a.status() == OK
    b.wait("^-- alice left")
    b.wait_last("bob → alice (offline)>")


def test_commands(kdc, person, terminal):
    a, b = talking(terminal, person(kdc, "alice"), person(kdc, "bob"))
    a.type("/list")
    a.wait(r"^-- 2 online:\n--   alice since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \(you\)\n--   bob since ")
    a.type("/who bob")
    a.wait(r"^-- bob is online since ")
    kdc.add_user("dave")
    a.type("/who dave")
    a.wait("^-- dave is offline and has never logged in")
    a.type("/who nobody-there")
    a.wait("^-- nobody-there: ")
    a.type("/rekey")
    a.wait("^-- New key with bob: epoch 2")
    b.wait("^-- New key with alice: epoch 2")
    b.type("/rekey alice")
    a.wait("^-- New key with bob: epoch 3")
    a.type("/rekey dave")
    a.wait("^-- There is no conversation with dave yet")
    a.type("/fingerprint")
    a.wait(re.escape(kdc.fingerprint))
    a.type("/help")
    for command in ("/to NAME", "/list", "/who NAME", "/rekey", "/fingerprint", "/help", "/quit"):
        a.wait(f"^-- {re.escape(command)} ")
    a.wait("^-- NAME: text ")
    assert all(len(row) <= 80 for row in a.screen().split("-- /to NAME")[1].splitlines())
    a.type("/nonsense \t x")
    a.wait("^-- There is no command /nonsense ")
    a.wait_last("alice → bob>")
    a.key("Up")
    a.wait_last("alice → bob> /nonsense   x")
    a.key("C-u")
    a.type("/to")
    a.wait("^-- It is /to NAME")
    a.type("/to alice")
    a.wait("^-- alice: ")
    a.type("/to nobody-there")
    a.wait("^-- nobody-there: (.|\n)*^-- nobody-there: ")
    a.wait_last("alice>")
    a.type("bob")
    a.wait_last("alice → bob>")
    a.type("still here")
    b.wait("alice: still here$")


def test_an_incoming_line_does_not_tear_the_one_being_typed(kdc, person, terminal):
    a, b = talking(terminal, person(kdc, "alice"), person(kdc, "bob"))
    typed = "a long line that does not fit: äöü 日本語 " + "and goes on " * 8 + "to the end"
    a.type(typed, enter=False)
    a.wait("> <.*to the end$")
    a.key(*["Left"] * 4)
    before = a.last(), a.cursor()[0]
    for i in range(3):
        b.type(f"in between {i}")
        a.wait(f"^.* bob: in between {i}$")
        wait_until("the line is drawn again", lambda: (a.last(), a.cursor()[0]) == before)
        assert a.cursor()[1] == len(a.rows()) - 1
    a.type("X", enter=False)
    a.key("Home")
    a.wait("^alice → bob> a long line .*>$")
    a.type("Y", enter=False)
    assert a.screen().count("a long line") == 1
    a.resize(60, 40)
    a.wait_last("alice → bob> Ya long line that does not fit: äöü 日本語 an>")
    a.key("Enter")
    expected = "Y" + typed[:-4] + "X" + typed[-4:]
    wait_until("it came whole", lambda: f" alice: {expected}\n" in unwrapped(b.screen()))
    a.key("Up")
    a.wait("> <.*to theX end$")


def test_wide_characters_keep_the_cursor_in_its_place(kdc, person, terminal):
    a, b = talking(terminal, person(kdc, "alice"), person(kdc, "bob"))
    a.type("日本語", enter=False)
    a.wait_last("alice → bob> 日本語")
    assert a.cursor()[0] == 13 + 6
    a.key("Left")
    wait_until("the cursor moved", lambda: a.cursor()[0] == 13 + 4)
    b.type("hello")
    a.wait("bob: hello$")
    wait_until("the cursor is back", lambda: a.cursor()[0] == 13 + 4)
    a.key("BSpace")
    a.type("x")
    b.wait("alice: 日x語$")


def test_a_pasted_text_stays_one_text(kdc, person, terminal):
    a, b = talking(terminal, person(kdc, "alice"), person(kdc, "bob"))
    a.paste("first\n/quit\n12:00:00 alice: forged\n")
    a.wait_last("alice → bob> first↵/quit↵12:00:00 alice: forged↵")
    a.key("Enter")
    b.wait(r"alice: first\n         \| /quit\n         \| 12:00:00 alice: forged$")


def test_control_characters_never_reach_the_terminal(kdc, person, terminal):
    alice, bob = person(kdc, "alice"), person(kdc, "bob")
    b = terminal(bob)
    alice.run("send", "bob", text="red \033[31m \033]0;title\a \x9b2J\u202e bell\x07 del\x7f\rover", check=OK)
    b.wait(re.escape("alice: red ␛[31m ␛]0;title␇ <U+009B>2J<U+202E> bell␇ del␡␍over"))
    piped = bob.start("listen", "--count", "1")
    b.wait("logged in|Logged in|elsewhere|another")
    assert b.status() == ENDED
    wait_until("bob listens", lambda: "bob" in alice.run("list", check=OK).stdout)
    alice.run("send", "bob", text="\033[2J\nx", check=OK)
    status, output, _ = bob.finish(piped)
    assert status == OK
    assert re.fullmatch(r"\d\d:\d\d:\d\d alice: ␛\[2J\n         \| x\n", output)


def test_somebody_offline_and_then_online(kdc, person, terminal):
    alice, bob = person(kdc, "alice"), person(kdc, "bob")
    a = terminal(alice)
    a.type("/to bob")
    a.wait("^-- bob is offline; what you write waits here until they are back")
    a.wait_last("alice → bob (offline)>")
    carol = person(kdc, "carol")
    a.type("/to carol")
    a.wait("^-- carol is offline; ")
    a.type("/to bob")
    a.wait_last("alice → bob (offline)>")
    carol.run("list", check=OK)
    a.wait("^-- carol is online$")
    a.type("are you there?")
    a.wait(r"^\d\d:\d\d:\d\d alice \(waits\): are you there[?]$")
    a.type("answer me")
    a.type("/quit")
    a.wait("^-- /quit: 2 texts to bob are not delivered yet: /quit again to leave")
    b = terminal(bob, ready=False)
    a.wait("^-- bob is online; what you wrote is sent now")
    b.wait("alice: are you there[?]\n.*alice: answer me$")
    a.wait_last("alice → bob>")
    assert a.screen().count("carol left") == 0
    b.type("alice: yes")
    a.wait("bob: yes$")
    b.type("/quit")
    assert b.status() == OK
    a.wait("^-- bob left; what you write waits here")
    a.type("one more")
    a.type("/quit")
    a.wait("^-- /quit: 1 text to bob is not delivered yet")
    a.type("/quit")
    assert a.status() == OK


def test_one_talks_with_many_at_once(kdc, person, terminal):
    alice, bob, carol = (person(kdc, name) for name in ("alice", "bob", "carol"))
    a, b = talking(terminal, alice, bob)
    c = terminal(carol)
    a.type("/to carol")
    a.wait_last("alice → carol>")
    a.type("hi carol")
    c.wait("alice: hi carol$")
    a.type("bob: and hi bob")
    a.wait("^.* alice → bob: and hi bob$")
    b.wait("alice: and hi bob$")
    b.type("bob here")
    a.wait("^.* bob: bob here$")
    a.wait_last("alice → carol>")
    a.type("/to bob")
    a.wait("^-- You talk to bob; online")
    a.type("back")
    b.wait("alice: back$")
    assert "back" not in c.screen()
    c.type("bob: hello from carol")
    b.wait("carol: hello from carol$")
    c.wait_last("carol>")
    b.wait(r"^-- carol opened a conversation with you: .*; /to carol to answer$")
    b.wait_last("bob → alice>")
    # A name that is nobody's, known or not.
    b.type("note: for you")
    b.wait("^-- There is no user note: nothing was sent. To say it to alice as it is, begin the line with a\n   space$")
    b.type(" note: for you")
    a.wait("bob: note: for you$")
    b.type("  /quit")
    a.wait("bob:  /quit$")


def test_nobody_comes_under_ones_fingers(kdc, person, terminal):
    alice, bob = person(kdc, "alice"), person(kdc, "bob")
    b = terminal(bob)
    for text in ("one", "two"):
        alice.run("send", "bob", text, check=OK)
        b.wait(f"alice: {text}$")
    alice.run("list", check=OK)
    kdc.wait_log("left")
    b.type("for nobody in particular")
    b.wait("^-- To whom[?] Type a name first")
    b.wait_last("bob>")
    b.key("Up")
    b.wait_last("bob> for nobody in particular")
    shown = b.screen()[b.screen().index("-- Nobody else"):]
    assert re.sub(r"\d\d:\d\d:\d\d", "", unwrapped(shown)) == (
        "-- Nobody else is online. /to NAME: talk as soon as they come\n"
        "-- alice opened a conversation with you: epoch 1, 3des-cbc-hmac-sha512; type alice, or /to alice,\n"
        "   to answer\n"
        " alice: one\n alice: two\n"
        "-- To whom? Type a name first, or NAME: text (/list: who is online, /help)\n"
        "bob> for nobody in particular")


def test_a_script_of_somebody_one_talks_with_costs_two_lines(kdc, person, terminal):
    alice, bob = person(kdc, "alice"), person(kdc, "bob")
    a, b = talking(terminal, alice, bob)
    b.type("hello")
    a.wait("bob: hello$")
    a.type("/quit")
    b.wait("^-- alice left; ")
    since = len(b.screen().splitlines()) - 1
    alice.run("send", "bob", "from a script", check=OK)
    b.wait("from a script(.|\n)*^-- alice left; ")
    shown = b.screen().splitlines()[since:]
    assert [re.sub(r"[\d:]{8} ", "", line) for line in shown] == [
        "-- alice is online", "alice: from a script", "-- alice left; what you write waits here until they are back",
        "bob → alice (offline)>"]


def test_a_long_text_is_wrapped_with_a_margin(kdc, person, terminal):
    alice, bob = person(kdc, "alice"), person(kdc, "bob")
    b = terminal(bob)
    padded = "hello".ljust(100 - len("12:00:00 alice: ")) + "12:00:00 carol: forged"
    alice.run("send", "bob", padded, check=OK)
    b.wait("alice: hello\n         [|] 12:00:00 carol: forged$")
    alice.run("send", "bob", "日本語" * 40, check=OK)
    b.wait("alice: [日本語]{41}\n         [|] [日本語]{44}\n         [|] [日本語]{35}$")
    b.resize(60, 40)
    wait_until("the size is known", lambda: b.rows() and len(b.rows()[0]) <= 60)
    alice.run("send", "bob", "x" * 60, check=OK)
    b.wait("alice: x{43}\n         [|] x{17}$")


def test_leaving_says_that_it_delivers(kdc, person, terminal):
    alice, bob = person(kdc, "alice"), person(kdc, "bob")
    listener = listening(bob, "--count", "1")
    a = terminal(alice)
    a.type("/to bob")
    a.wait("^-- The conversation with bob is open")
    listener.send_signal(signal.SIGSTOP)
    a.type("slowly")
    a.wait("alice: slowly$")
    a.key("C-d")
    a.wait("^-- Delivering 1 text before leaving; /quit again leaves at once$")
    a.type("not this")
    a.wait("^-- It is leaving: this was not sent$")
    listener.send_signal(signal.SIGCONT)
    assert a.status() == OK
    texts = [line["text"] for line in bob.finish_json(listener) if line["type"] == "text"]
    assert texts == ["slowly"]


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


@pytest.mark.parametrize("term", ["TERM=dumb", "-uTERM"])
def test_a_terminal_that_cannot_be_drawn_on(kdc, person, open_terminal, term):
    alice, bob = person(kdc, "alice"), person(kdc, "bob")
    t = open_terminal(["env", term, *alice.command(login=False)], alice.env)
    t.wait("^Username:")
    t.type("alice")
    t.wait("^Password:")
    t.type("wrong password")
    t.wait(r"\[q\]uit\?$")
    t.type("t")
    t.wait(r"^Username \[alice\]:$")
    t.type("")
    t.wait(r"\[alice\]:\nPassword:$")
    t.type("correct horse")
    t.wait("^-- Whom do you want to talk to")
    t.wait("^-- Nobody else is online")
    t.wait_last("alice>")
    listener = listening(bob, "--count", "2")
    t.type("bob")
    t.wait("^-- bob is online")
    t.wait_last("alice → bob>")
    t.type("hello")
    wait_until("bob has it", lambda: t.last() == "alice → bob>" and "alice → bob> hello\n" in t.screen())
    t.type("bob: half a", enter=False)
    bob_says = person(kdc, "carol")
    bob_says.run("send", "alice", "in between", check=OK)
    t.wait("^alice → bob> bob: half a\n(-- carol opened(.|\n)*)?^[\\d:]{8} carol: in between$")
    t.wait_last("alice → bob>")
    t.type(" line")
    texts = [line["text"] for line in bob.finish_json(listener) if line["type"] == "text"]
    assert texts == ["hello", "half a line"]
    t.wait("^-- bob left")
    t.type("still there?")
    t.wait(r"alice \(waits\): still there[?]$")
    assert "\033" not in t.styled()
    t.key("C-d")
    t.wait("^-- /quit: 1 text to bob is not delivered yet: /quit again to leave$")
    t.key("C-d")
    assert t.status() == OK


def test_ctrl_c_empties_the_line_and_then_leaves(kdc, person, terminal):
    a = terminal(person(kdc, "alice"))
    a.type("half a line", enter=False)
    a.wait_last("alice> half a line")
    a.key("C-c")
    a.wait_last("alice>")
    a.key("C-c")
    assert a.status() == INTERRUPTED


def test_ctrl_z_gives_the_terminal_back(kdc, person, open_terminal):
    alice = person(kdc, "alice")
    shell = open_terminal(SHELL, alice.env)
    shell.wait_last("shell$")
    shell.type(" ".join(f"'{part}'" for part in alice.command(login=True)))
    shell.wait("Logged in as alice")
    shell.type("typed bef", enter=False)
    shell.wait_last("alice> typed bef")
    shell.key("C-z")
    shell.wait("Stopped")
    shell.type("stty -a | tr ' ' '\\n' | grep -x -e icanon -e echo | tr '\\n' +")
    shell.wait("icanon[+]echo[+]")
    shell.type("fg")
    shell.wait_last("alice> typed bef")
    shell.type("ore", enter=False)
    shell.wait_last("alice> typed before")
    shell.key("C-u")
    shell.type("/quit")
    shell.wait_last("shell$")


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


def test_people_go_on_after_kdcd_was_killed(kdc, person, terminal):
    a, b = talking(terminal, person(kdc, "alice"), person(kdc, "bob"))
    a.type("before")
    b.wait("alice: before$")
    kdc.kill()
    a.wait(r"^-- Not connected: it tries again by itself \(.*\). What you\s+write\s+waits\s+here")
    a.type("while it is away", enter=True)
    a.wait(r"alice \(waits\): while it is away$")
    a.type("/list")
    a.wait("^-- Not connected: it tries again by itself$")
    kdc.start()
    for t in (a, b):
        t.wait("^-- Connected again", 30)
    b.wait("alice: while it is away$", 30)
    b.type("after")
    a.wait("bob: after$")
    a.type("all well")
    b.wait("alice: all well$")
    for t in (a, b):
        notices = t.screen()[t.screen().index("-- Not connected"):]
        assert [line for line in re.findall("^-- .*", notices, re.MULTILINE) if "Not connected" not in line] == [
            "-- Connected again"]
        assert "Password" not in notices


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


# --- In scripts --------------------------------------------------------------------------------------------------


def test_send_and_listen(kdc, person):
    alice, bob = person(kdc, "alice"), person(kdc, "bob")
    listener = listening(bob, "--count", "4")
    sent = alice.run("send", "BOB", "as an argument", check=OK)
    assert sent.stdout == "" and sent.stderr == ""
    alice.run("send", "bob", text="two\nlines\n", check=OK)
    alice.run("send", "bob", "-", text="from - \"quoted\" \t ü\n\n", check=OK)
    alice.run("send", "bob", text="x" * 16384 + "\n", check=OK)
    lines = bob.finish_json(listener)
    texts = [line for line in lines if line["type"] == "text"]
    assert [line["text"] for line in texts] == [
        "as an argument", "two\nlines", "from - \"quoted\" \t ü\n", "x" * 16384]
    for line in texts:
        assert list(line) == ["type", "time", "from", "to", "conversation", "epoch", "seq", "text"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
        assert line["from"] == "alice" and line["to"] == "bob"
        assert line["conversation"] == texts[0]["conversation"] and line["seq"] >= 0
    assert [line["epoch"] for line in texts] == sorted({line["epoch"] for line in texts})
    opened = [line for line in lines if line["type"] == "opened"]
    assert opened and opened[0]["suite"] == "3des-cbc-hmac-sha512" and opened[0]["from"] == "alice"
    assert {"type": "presence", "from": "alice", "online": False}.items() <= next(
        line for line in lines if line["type"] == "presence").items()


def test_listen_says_each_text_at_once_and_only_texts(kdc, person):
    alice, bob = person(kdc, "alice"), person(kdc, "bob")
    listener = bob.start("listen", "--json")
    wait_until("bob is online", lambda: "bob" in alice.run("list", check=OK).stdout)
    for i in range(3):
        alice.run("send", "bob", f"text {i}", check=OK)
        line = json.loads(read_line(listener))
        assert (line["type"], line["text"]) == ("text", f"text {i}")
    listener.send_signal(signal.SIGINT)
    status, output, _ = bob.finish(listener)
    assert status == INTERRUPTED and output == ""


def test_list(kdc, person):
    alice, bob = person(kdc, "alice"), person(kdc, "bob")
    listening(bob)
    lines = [json.loads(line) for line in alice.run("list", "--json", check=OK).stdout.splitlines()]
    assert [line["name"] for line in lines] == ["alice", "bob"]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["since"]) for line in lines)
    people = alice.run("list", check=OK).stdout
    assert re.fullmatch(r"alice +since \d{4}-\S+ \S+\nbob +since \d{4}-\S+ \S+\n", people)


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


def test_version_and_help(kdc, person):
    alice = person(kdc, "alice")
    assert re.fullmatch(r"kdc-chat \d\S*\n", alice.run("version", check=OK).stdout)
    assert alice.run("--version", check=OK).stdout == alice.run("version", check=OK).stdout
    text = alice.run("--help", check=OK).stdout
    for word in ("send NAME", "listen", "list", "register", "version", "--server", "--password-file", "130"):
        assert word in text
    for line in text.splitlines():
        assert len(line) <= 80 and line == line.rstrip()


def test_exit_codes_of_wrong_usage(kdc, person):
    alice = person(kdc, "alice")
    for arguments in (["nonsense"], ["send"], ["send", "bob", "a", "b"], ["list", "--count", "1"], ["listen", "--count", "x"],
                      ["--group", "ffdhe1024", "list"], ["--config", "/nonexistent", "list"], ["--password", "hunter2"],
                      ["--password=hunter2", "list"], ["--server", "host:0", "list"], ["--nonsense"]):
        done = alice.run(*arguments, check=USAGE)
        assert done.stderr.startswith("kdc-chat: ") or "kdc-chat" in done.stderr
        assert "hunter2" not in done.stderr and done.stdout == ""
    done = detached(alice, "list", login=False)
    assert done.returncode == USAGE and "--user" in done.stderr
    done = detached(alice, "--user", "alice", "list", login=False)
    assert done.returncode == USAGE and "--password-file" in done.stderr
    alice.password_file.unlink()
    assert str(alice.password_file) in alice.run("list", check=USAGE).stderr


def test_exit_codes_of_texts_and_people(kdc, person):
    alice, bob = person(kdc, "alice"), person(kdc, "bob")
    before = len(kdc.log())
    assert "empty" in alice.run("send", "bob", "", check=REFUSED).stderr
    assert "empty" in alice.run("send", "bob", text="\n", check=REFUSED).stderr
    assert "16384" in alice.run("send", "bob", text="x" * 16385, check=REFUSED).stderr
    alice.run("send", "no name", "x", check=REFUSED)
    done = subprocess.run(alice.command("send", "bob"), env=alice.env, input=b"\xff\xfe", stderr=subprocess.PIPE,
                          timeout=30 * SLOWER, check=False)
    assert done.returncode == REFUSED and b"UTF-8" in done.stderr
    assert len(kdc.log()) == before  # refused before anything was connected
    alice.run("send", "alice", "x", check=REFUSED)
    alice.run("send", "bob", "x", check=OFFLINE)
    alice.run("send", "nobody", "x", check=NO_SUCH_USER)
    kdc.admin("user", "lock", "bob")
    alice.run("send", "bob", "x", check=NO_SUCH_USER)
    bob.run("list", check=LOGIN)


def test_exit_codes_of_logins(kdc, person):
    alice = person(kdc, "alice")
    alice.password_file.write_text("wrong password\n")
    wrong = alice.run("list", check=LOGIN).stderr
    nobody = person(kdc, "nobody", account=False).run("list", check=LOGIN).stderr
    assert wrong == nobody.replace("nobody", "alice")
    alice.password_file.write_text("correct horse\nsecond line\n")
    alice.run("list", check=OK)
    alice.password_file.write_text("correct horse\r\n")
    alice.run("list", check=OK)
    alice.password_file.chmod(0o644)
    assert "others can read" in alice.run("list", check=OK).stderr


def test_exit_codes_of_waiting_and_ending(kdc, person):
    alice, bob = person(kdc, "alice"), person(kdc, "bob")
    assert "0 of 1" in bob.run("listen", "--count", "1", "--timeout", "1", check=TIMEOUT).stderr
    bob.run("listen", "--timeout", "1", check=OK)
    first = listening(bob)
    second = listening(bob)
    assert bob.finish(first)[0] == ENDED
    kdc.admin("kick", "bob")
    assert bob.finish(second)[0] == ENDED
    third = listening(bob)
    third.send_signal(signal.SIGTERM)
    assert bob.finish(third)[0] == INTERRUPTED
    # Somebody who is online, and whose client does nothing: the text can't be delivered.
    fourth = listening(bob)
    fourth.send_signal(signal.SIGSTOP)
    assert "not delivered within 2 s" in alice.run("send", "bob", "x", "--timeout", "2", check=TIMEOUT).stderr
    fourth.send_signal(signal.SIGCONT)


def test_exit_codes_of_connections(kdc, person):
    alice = person(kdc, "alice")
    fingerprint = kdc.fingerprint
    kdc.stop()
    done = alice.run("list", check=UNREACHABLE)
    assert kdc.server in done.stderr and done.stderr.count("\n") == 1
    alice.run("send", "bob", "x", check=UNREACHABLE)
    alice.run("--server", "name.invalid", "list", check=UNREACHABLE)
    kdc.start()
    other = fingerprint[:8] + ("B" if fingerprint[8] == "A" else "A") + fingerprint[9:]
    done = alice.run("--fingerprint", other, "list", check=IDENTITY)
    assert "NOT CONNECTED" in done.stderr and fingerprint in done.stderr and other in done.stderr


def test_exit_code_when_the_database_is_away(own_mariadb, folder, kdcd, person):
    kdc = kdcd(Database(own_mariadb, folder))
    alice = person(kdc, "alice")
    alice.run("list", check=OK)
    own_mariadb.stop(signal.SIGKILL)
    alice.run("list", check=BUSY)


def test_a_listener_comes_back_after_kdcd_was_killed(kdc, person):
    alice, bob = person(kdc, "alice"), person(kdc, "bob")
    listener = listening(bob, "--count", "2")
    alice.run("send", "bob", "before", check=OK)
    kdc.kill()
    kdc.start()
    wait_until("bob is back", lambda: "bob" in alice.run("list", check=OK).stdout, 30)
    alice.run("send", "bob", "after", check=OK)
    lines = bob.finish_json(listener)
    assert [line["text"] for line in lines if line["type"] == "text"] == ["before", "after"]
    types = [line["type"] for line in lines]
    assert types.index("disconnected") < len(types) - 1 - types[::-1].index("ready")


def test_chat_in_a_pipe(kdc, person):
    alice, bob = person(kdc, "alice"), person(kdc, "bob")
    listener = listening(bob, "--count", "3")
    done = detached(alice, text="/to bob\nfirst\n/nonsense\nsecond\n note: third")
    assert done.returncode == REFUSED  # the first thing that went wrong
    assert "-- There is no command /nonsense" in done.stdout
    assert "\033" not in done.stdout and "> " not in done.stdout
    assert [line["text"] for line in bob.finish_json(listener) if line["type"] == "text"] == [
        "first", "second", "note: third"]
    many = [f"line {i}" for i in range(1500)]  # more than may wait for one person at once
    listener = bob.start("listen", "--count", str(len(many)))
    wait_until("bob is online", lambda: "bob" in alice.run("list", check=OK).stdout)
    assert detached(alice, text="/to bob\n" + "\n".join(many) + "\n").returncode == OK
    status, output, _ = bob.finish(listener)
    assert status == OK and re.findall("alice: (.*)", output) == many
    done = detached(alice, text="/who bob\nnote: x\n/list\n/fingerprint\n/who nobody\n/who bob")
    assert done.returncode == NO_SUCH_USER
    answers = re.sub(r"\d{4}-\S+ \S+", "T", done.stdout).splitlines()[1:]
    answers.remove("-- There is no user note: nothing was sent")
    assert answers == [
        "-- bob is offline; last login T", "-- 1 online:", "--   alice since T (you)",
        f"-- The KDC at {kdc.server} has the fingerprint {kdc.fingerprint}",
        "-- nobody: There is no user of that name; check the spelling", "-- bob is offline; last login T"]
    assert detached(alice, text="/to nobody\nlost\n").returncode == NO_SUCH_USER
    assert detached(alice, text="to whom?\n\n").returncode == REFUSED
    done = detached(alice, text="/to bob\n" + "x" * 16385 + "\n" + "x" * 100000 + "\n/quit\nnever\n")
    assert done.returncode == REFUSED
    assert done.stdout.count("16384") == 2


def test_chat_ends_when_nobody_reads_it(kdc, person):
    alice = person(kdc, "alice")
    process = alice.start("chat")
    assert read_line(process).startswith("-- Logged in")
    process.stdout.close()
    process.stdin.write("/help\n")
    process.stdin.flush()
    assert process.wait(15 * SLOWER) == OK
    process.stdin.close()


def test_nobody_reads_the_output(kdc, person):
    alice, bob = person(kdc, "alice"), person(kdc, "bob")
    listener = bob.start("listen")
    wait_until("bob is online", lambda: "bob" in alice.run("list", check=OK).stdout)
    listener.stdout.close()
    assert listener.wait(15 * SLOWER) == OK
    assert listener.stderr.read() == ""
    done = subprocess.run(["bash", "-c", '"$@" | true; exit "${PIPESTATUS[0]}"', "-", *alice.command("list")],
                          env=alice.env, stderr=subprocess.PIPE, timeout=30 * SLOWER, check=False)
    assert (done.returncode, done.stderr) == (OK, b"")
    full = subprocess.run(["bash", "-c", 'exec "$@" >/dev/full', "-", *alice.command("list")],
                          env=alice.env, stderr=subprocess.PIPE, timeout=30 * SLOWER, check=False)
    assert full.returncode == OTHER and b"can't be written" in full.stderr


@pytest.mark.slow
def test_chat_in_a_pipe_to_somebody_offline(kdc, person):
    alice = person(kdc, "alice")
    person(kdc, "bob")
    done = detached(alice, text="/to bob\nx\n")
    assert done.returncode == OFFLINE
    assert "1 text to bob is not delivered yet" in done.stdout


def test_settings_from_everywhere(kdc, person):
    alice = person(kdc, "alice")
    config = alice.folder / "config" / "kdc-chat"
    config.mkdir()
    (config / "config").write_text(
        f"server = {kdc.server}\nfingerprint = {kdc.fingerprint}\nuser = alice\n# no password here\n")
    command = alice.command()[:1]
    env = {**alice.env, "KDC_CHAT_PASSWORD_FILE": str(alice.password_file)}
    run = {"env": env, "stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
           "encoding": "utf-8", "timeout": 30 * SLOWER, "check": False}
    done = subprocess.run([*command, "list"], **run)
    assert (done.returncode, done.stdout[:5]) == (OK, "alice"), done.stderr
    done = subprocess.run([*command, "list"], **{**run, "env": {**env, "KDC_CHAT_SERVER": "127.0.0.1:1"}})
    assert done.returncode == UNREACHABLE
    (config / "config").write_text("pasword_file = x\n")
    done = subprocess.run([*command, "list"], **run)
    assert done.returncode == USAGE and str(config / "config") in done.stderr and "pasword_file" in done.stderr


def test_groups_and_suites_and_the_trace(kdc, person):
    alice = person(kdc, "alice")
    done = alice.run("--debug", "--group", "ffdhe2048,ffdhe4096", "--suite", "aes-256-gcm", "list", check=OK)
    assert "hello_retry" in done.stderr and "ffdhe4096" in done.stderr and "aes-256-gcm" in done.stderr
    assert "login" in done.stderr and alice.password not in done.stderr
    alice.run("--group", "ffdhe2048", "list", check=OTHER)


def test_nothing_of_a_person_is_in_the_process_list_or_left_on_disk(kdc, person):
    bob = person(kdc, "bob")
    listener = listening(bob)
    for name in ("cmdline", "environ"):
        try:
            with open(f"/proc/{listener.pid}/{name}", "rb") as file:
                assert bob.password.encode() not in file.read()
        except PermissionError:
            assert os.geteuid() != 0  # the program isn't dumpable
    with open(f"/proc/{listener.pid}/limits", encoding="ascii") as limits:
        assert re.search(r"^Max core file size +0 +0 ", limits.read(), re.MULTILINE)
    for path in bob.folder.rglob("*"):
        if path.is_file() and path != bob.password_file:
            assert bob.password.encode() not in path.read_bytes(), path
    known = [path for path in bob.folder.rglob("known_kdcs")]
    assert len(known) == 1 and known[0].stat().st_mode & 0o077 == 0
    assert environment(bob.folder)["XDG_DATA_HOME"] in str(known[0])
