"""kdc-chat's exit codes."""
import signal
import subprocess

from support.chat import detached, listening
from support.chat_exit import (
    BUSY, ENDED, IDENTITY, INTERRUPTED, LOGIN, NO_SUCH_USER, OFFLINE, OK, REFUSED, TIMEOUT, UNREACHABLE, USAGE)
from support.kdcd import Database
from support.programs import SLOWER


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
    alice.run("--server", "name.invalid", "list", timeout=120, check=UNREACHABLE)
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
