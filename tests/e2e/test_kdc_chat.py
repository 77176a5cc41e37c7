"""kdc-chat on the screen of a real terminal: what is shown, and what its keys do."""
import re

import pytest

from support.chat import listening, talking, unwrapped
from support.chat_exit import ENDED, INTERRUPTED, OK
from support.programs import wait_until
from support.terminal import SHELL


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
    end = a.cursor()[0]
    a.key(*["Left"] * 4)
    wait_until("the cursor moved", lambda: a.cursor()[0] == end - 4)
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


@pytest.fixture
def made(kdc, person, open_terminal):
    """A terminal in which a shell's make has started kdc-chat, as make run does; it asks for the name."""
    alice = person(kdc, "alice")
    command = " ".join(f"'{part}'" for part in alice.command(login=False))
    (alice.folder / "chat.sh").write_text(f"{command} || echo kdc-chat has ended with $?\n")
    (alice.folder / "chat.mk").write_text(f"chat:\n\t@sh {alice.folder}/chat.sh\n")
    shell = open_terminal(SHELL, alice.env)
    shell.wait_last("shell$")
    shell.type(f"make -f {alice.folder}/chat.mk")
    shell.wait_last("Username:")
    shell.makefile = alice.folder / "chat.mk"
    return shell


def test_ctrl_z_stops_and_goes_on_under_make(made):
    made.type("alice")
    made.wait_last("Password:")
    for last in ("Password:", "alice>"):
        made.key("C-z")
        made.wait_last("shell$")
        made.type("stty -a | tr ' ' '\\n' | grep -x -e icanon -e echo -e isig | sort | tr '\\n' +")
        made.wait("^echo[+]icanon[+]isig[+]")
        made.type("clear; fg")
        made.wait_last(last)
        if last == "Password:":
            made.type("correct horse")
            made.wait("Logged in as alice")
            made.wait_last("alice>")
    made.type("/quit")
    made.wait_last("shell$")


def test_ctrl_c_is_no_failure_of_make(made):
    made.type("alice")
    made.wait_last("Password:")
    made.type("correct horse")
    made.wait_last("alice>")
    made.type("half a line", enter=False)
    made.wait_last("alice> half a line")
    made.key("C-c")
    made.wait_last("alice>")
    made.key("C-c")
    made.wait("^kdc-chat has ended with 130$")
    made.type("echo make=$?")
    made.wait("^make=0$")
    made.type(f"make -f {made.makefile}")
    made.wait_last("Username:")
    made.key("C-c")
    made.wait("Username: .*\nkdc-chat has ended with 130\nshell[$]")
    assert "***" not in made.screen()
