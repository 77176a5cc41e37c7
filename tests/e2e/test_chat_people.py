"""People in kdc-chat who come and go, one or many of them."""
import re
import signal

from support.chat import listening, talking, unwrapped
from support.chat_exit import OK


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
    coming = listening(carol)
    a.wait("^-- carol is online$")
    coming.terminate()
    carol.finish(coming)
    kdc.wait_log("left user=carol")
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
    b.wait("^-- Nobody else is online")
    for text in ("one", "two"):
        alice.run("send", "bob", text, check=OK)
        b.wait(f"alice: {text}$")
    since = len(kdc.log())
    alice.run("list", check=OK)
    kdc.wait_log("left", since=since)
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
    b.wait_last("bob → alice (offline)>")
    since = len(b.screen().splitlines()) - 1
    alice.run("send", "bob", "from a script", check=OK)
    b.wait("from a script(.|\n)*^-- alice left; ")
    b.wait_last("bob → alice (offline)>")
    shown = b.screen().splitlines()[since:]
    assert [re.sub(r"[\d:]{8} ", "", line) for line in shown] == [
        "-- alice is online", "alice: from a script", "-- alice left; what you write waits here until they are back",
        "bob → alice (offline)>"]


def test_leaving_says_that_it_delivers(kdc, person, terminal):
    alice, bob = person(kdc, "alice"), person(kdc, "bob")
    listener = listening(bob, "--count", "1")
    a = terminal(alice)
    a.type("/to bob")
    a.wait("^-- The conversation with bob is open")
    listener.send_signal(signal.SIGSTOP)
    a.type("slowly")
    a.wait("alice: slowly$")
    a.key("C-d", "not this", "Enter")  # all at once: it stays for two seconds only
    a.wait("^-- It is leaving: this was not sent$")
    listener.send_signal(signal.SIGCONT)
    a.wait("^-- Delivering 1 text before leaving; /quit again leaves at once$")
    assert a.status() == OK
    texts = [line["text"] for line in bob.finish_json(listener) if line["type"] == "text"]
    assert texts == ["slowly"]


def test_people_go_on_after_kdcd_was_killed(kdc, person, terminal):
    a, b = talking(terminal, person(kdc, "alice"), person(kdc, "bob"))
    a.type("before")
    b.wait("alice: before$")
    kdc.kill()
    a.wait(r"^-- Not connected: it tries again by itself \(.*\). What you\s+write\s+waits\s+here")
    b.wait("^-- Not connected: ")
    b.signal(signal.SIGSTOP)
    a.type("while it is away", enter=True)
    a.wait(r"alice \(waits\): while it is away$")
    a.type("/list")
    a.wait("^-- Not connected: it tries again by itself$")
    kdc.start()
    a.wait("^-- Connected again", 30)
    b.signal(signal.SIGCONT)  # its next try is due by now: were it back much later, the other would be told so
    b.wait("^-- Connected again", 30)
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
