"""kdc-chat in scripts: send, listen, list, the chat in a pipe, settings."""
import json
import os
import re
import signal
import subprocess

import pytest

from support.chat import detached, listening, read_line
from support.chat_exit import INTERRUPTED, NO_SUCH_USER, OFFLINE, OK, OTHER, REFUSED, UNREACHABLE, USAGE
from support.programs import SLOWER, environment, wait_until


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


def test_version_and_help(kdc, person):
    alice = person(kdc, "alice")
    assert re.fullmatch(r"kdc-chat \d\S*\n", alice.run("version", check=OK).stdout)
    assert alice.run("--version", check=OK).stdout == alice.run("version", check=OK).stdout
    text = alice.run("--help", check=OK).stdout
    for word in ("send NAME", "listen", "list", "register", "version", "--server", "--password-file", "130"):
        assert word in text
    for line in text.splitlines():
        assert len(line) <= 80 and line == line.rstrip()


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
    wait_until("bob has left", lambda: "bob" not in alice.run("list", check=OK).stdout)
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
