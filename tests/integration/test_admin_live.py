"""kdc-admin who, kick, status, and what ends sessions: against a stand-in for kdcd's control socket, and a real one."""
import contextlib
import json
import os
import re
import socket
import threading

import pytest

from support.admin_exit import NOT_FOUND, NOT_RUNNING, OTHER, REFUSED
from support.programs import wait_until


@contextlib.contextmanager
def fake_kdcd(path, replies):
    """Answers each request with the next of `replies` (bytes); gives the list of the requests."""
    requests = []
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def serve():
        for reply in replies:
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as lines:
                requests.append(json.loads(lines.readline()))
                connection.sendall(reply)
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield requests
    thread.join(10)
    assert not thread.is_alive()
    listener.close()
    os.unlink(path)


def reply(value):
    return json.dumps(value).encode() + b"\n"





@pytest.mark.parametrize("command", [("who",), ("status",), ("kick", "alice")])
def test_live_commands_say_when_kdcd_isnt_running(admin, folder, command):
    assert "isn't running" in admin(*command, status=NOT_RUNNING).stderr
    # A socket that a kdcd which was killed has left behind.
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(folder / "control.sock"))
    left.close()
    assert "isn't running" in admin(*command, status=NOT_RUNNING).stderr


SESSION = {"user": "alice", "session": 4711, "source": "127.0.0.1:50112", "since": 1795165200123, "conversations": 2,
           "suite": "chacha20-poly1305", "group": "ffdhe3072"}


def test_who_prints_a_table_or_json(admin, folder):
    replies = [reply({"sessions": [SESSION]}), reply({"sessions": [SESSION]}), reply({"sessions": []})]
    with fake_kdcd(folder / "control.sock", replies) as requests:
        assert admin("who").stdout == (
            "USER   SESSION  SOURCE           SINCE                 CONVERSATIONS  SUITE              GROUP\n"
            "alice  4711     127.0.0.1:50112  2026-11-20 09:00:00Z  2              chacha20-poly1305  ffdhe3072\n")
        assert admin.json("who") == [{**SESSION, "since": "2026-11-20T09:00:00.123Z"}]
        assert admin("who").stdout == "Nobody is logged in.\n"
    assert requests == [{"command": "who"}] * 3


def test_status_prints_a_table_or_json(admin, folder):
    status = {"version": "0.1.0", "uptime_seconds": 3661.5, "database_up": True, "keys_issued_total": 5,
              "refusals_total": {"login_failed": 2, "busy": 0}, "secret_memory_locked_bytes": 4096,
              "login_duration_seconds": {"count": 4, "sum_seconds": 1.0, "buckets": {"0.1": 1, "0.5": 4, "+Inf": 4}},
              "jobs_waiting": {"sql": 1, "password": 2}, "of_a_later_version": 1}
    with fake_kdcd(folder / "control.sock", [reply(status)] * 2):
        text = admin("status").stdout
        assert admin.json("status") == status
    for line in ("kdcd", r"  up for +1 h 1 min", "Database", r"  reachable +yes", r"  keys issued +5", r"  refusals +2",
                 r" +2 +login_failed", r"  secret memory locked +4.0 KiB", r"  jobs waiting +sql 1, password 2",
                 r"  login duration +250 ms on average; 99 of 100 within 500 ms"):
        assert re.search(rf"^{line}$", text, re.MULTILINE), line


def test_kick_ends_a_session_or_finds_none(admin, folder):
    replies = [reply({"ended": 1}), reply({"ended": 1}), reply({"ended": 0}), reply({"error": "not now"})]
    with fake_kdcd(folder / "control.sock", replies) as requests:
        assert admin("kick", "Alice").stdout == "The session of alice is ended.\n"
        assert admin.json("kick", "alice") == {"user": "alice", "ended": 1}
        assert admin("kick", "alice", status=NOT_FOUND).stderr == "kdc-admin: alice isn't logged in\n"
        assert "not now" in admin("kick", "alice", status=OTHER).stderr
    assert requests == [{"command": "kick", "user": "alice", "reason": "kicked"}] * 4
    admin("kick", "no name", status=REFUSED)


@pytest.mark.parametrize("command, reason, text", [
    (("user", "lock", "alice"), "account_locked", ""),
    (("user", "passwd", "alice"), "new_password", "battery staple\n"),
    (("user", "delete", "alice", "--yes"), "account_deleted", ""),
])
def test_a_change_of_the_account_ends_its_session(admin, folder, command, reason, text):
    admin("user", "add", "alice", text="correct horse\n")
    with fake_kdcd(folder / "control.sock", [reply({"refreshed": True}), reply({"ended": 1})]) as requests:
        assert admin(*command, text=text).stdout.endswith("The session of alice is ended.\n")
    assert requests == [{"command": "refresh"}, {"command": "kick", "user": "alice", "reason": reason}]


def test_a_change_whose_session_may_go_on_says_so(admin, folder):
    admin("user", "add", "alice", text="correct horse\n")
    with fake_kdcd(folder / "control.sock", [reply({"refreshed": True}), b""]):
        assert "a session of alice may go on" in admin("user", "lock", "alice", status=OTHER).stderr
    assert admin.json("user", "show", "alice")["state"] == "locked"


def test_a_change_that_kdcd_doesnt_know_of_yet_says_so_and_ends_the_session(admin, folder):
    admin("user", "add", "alice", text="correct horse\n")
    with fake_kdcd(folder / "control.sock", [reply({"error": "not now"}), reply({"ended": 1})]) as requests:
        done = admin("user", "lock", "alice", status=OTHER)
    assert "without a password" in done.stderr and "not now" in done.stderr
    assert done.stdout.endswith("The session of alice is ended.\n") and requests[1]["command"] == "kick"


@pytest.mark.parametrize("answer", [b"\n", b"[]\n", b"{\n", b"\xff\n", b'{"a":1,"a":2}\n', b'{"sessions":[', b""])
def test_an_answer_that_isnt_the_protocol_is_told(admin, folder, answer):
    with fake_kdcd(folder / "control.sock", [answer]):
        assert "control.sock" in admin("who", status=OTHER).stderr


def test_control_characters_never_reach_the_terminal(admin, folder):
    evil = "\x1b]0;gone\x07\r\n\x7f\x9b31m\u202e\u2028"
    session = {**SESSION, "user": f"al{evil}ice", "source": evil, "suite": None, "session": "x", "since": -1}
    replies = [reply({"sessions": [session]}), reply({"sessions": [session]}), reply({evil: evil, "version": evil, "refusals_total": {evil: 1}, "jobs_waiting": {evil: 1},
                      "job_wait_seconds": {evil: {}}, "database_connection_state": {evil: evil},
                      "database_calls_total": {evil: 1}}),
               reply({"error": evil})]
    with fake_kdcd(folder / "control.sock", replies):
        outputs = [admin("who").stdout, admin("who", "--json").stdout, admin("status").stdout,
                   admin("kick", "alice", status=OTHER).stderr]
    for text in outputs:
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e]", text), repr(text)
    assert len(outputs[0].splitlines()) == 2
    assert json.loads(outputs[1])[0]["user"] == f"al{evil}ice"


def test_a_kdcd_that_doesnt_answer_is_given_up_on(admin, folder):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "control.sock"))
    listener.listen()
    assert "no answer in time" in admin("who", status=OTHER).stderr
    listener.close()


# --- Live: with a real kdcd --------------------------------------------------------------------------------------


def test_who_kick_and_status_of_a_real_kdcd(kdcd, person):
    kdc = kdcd()
    alice = person(kdc, "alice")
    assert kdc.admin("who").stdout == "Nobody is logged in.\n"
    assert kdc.admin("kick", "alice", check=False).returncode == NOT_FOUND
    listening = alice.start("listen", "--json")

    def logged_in():
        return [session["user"] for session in kdc.admin_json("who")] == ["alice"]
    wait_until("alice is logged in", logged_in)
    session, = kdc.admin_json("who")
    assert set(session) == set(SESSION) and session["source"].startswith("127.0.0.1:")
    status = kdc.admin_json("status")
    assert status["sessions"] == 1 and status["connections"] >= 1 and status["database_up"] is True
    assert kdc.admin("user", "lock", "alice").stdout == "User alice is locked.\nThe session of alice is ended.\n"
    assert alice.finish(listening)[0] != 0
    wait_until("alice is gone", lambda: kdc.admin_json("who") == [])
