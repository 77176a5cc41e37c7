"""A running kdcd: what an operator does to it, and what it withstands while two people talk."""
import contextlib
import fcntl
import json
import os
import re
import resource
import socket
import subprocess
import sys
import threading
import time
from functools import partial

import pytest

from interop.attack import PASSWORD, TwoPeople, connect, hello, read_alert, read_end
from interop.client import WINDOW, Client, Closed, Connection, Refused, refusal_of
from interop.messages import encode_message
from support.chat_exit import BUSY
from support.programs import SLOWER, wait_until
from support.timing import clock


# --- The operator ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("command, reason, afterwards", [
    (("kick", "alice"), "kicked", None),
    (("user", "lock", "alice"), "account_locked", "account_locked"),
    (("user", "delete", "alice", "--yes"), "account_deleted", "login_failed"),
])
def test_who_is_in_is_ended_at_once(started, command, reason, afterwards):
    kdc = started()
    alice, bob = connect(kdc, "alice"), connect(kdc, "bob")
    alice.open("bob")
    bob.wait_for(lambda: "alice" in bob.conversations)
    kdc.admin(*command)
    assert read_end(alice) == reason
    left = {"message": "presence", "name": "alice", "presence": "offline"}
    bob.wait_for(lambda: left in bob.events, 5)
    kdc.wait_log(rf"left user=alice .*reason={reason}")
    with connect(kdc) as again:
        if afterwards:
            assert refusal_of(partial(again.login, "alice", PASSWORD)) == afterwards
        else:
            again.login("alice", PASSWORD)
    bob.__exit__(None, None, None)


def test_an_account_opens_so_many_conversations_a_minute(started, person):
    kdc = started(limits={"opens_per_minute": 2, "conversations": 3})
    kdc.configure(listen={"port": kdc.port})
    with connect(kdc, "bob"):
        with connect(kdc, "alice") as alice:
            for _ in range(3):
                alice.open("bob")
            with pytest.raises(Refused) as refused:
                alice.open("bob")
            assert refused.value.reason == "too_many" and 0 < refused.value.retry_after <= 30
        with connect(kdc, "alice") as alice:  # another session is no way out
            assert refusal_of(partial(alice.open, "bob")) == "too_many"
        said = person(kdc, "alice", account=False).run("send", "--timeout", "5", "bob", "hello")
        assert said.returncode == BUSY and "Too many conversations" in said.stderr
        wait_until("they are on record", lambda: kdc.database.query(
            "SELECT COUNT(*) FROM audit WHERE event = 'key issued'") == ((3,),))
        kdc.configure(limits={"opens_per_minute": 0})
        kdc.reload()
        kdc.wait_log("reloaded the configuration")
        with connect(kdc, "alice") as alice:
            for _ in range(20):
                alice.open("bob")


def test_a_reload_changes_what_comes_and_a_wrong_file_changes_nothing(started):
    kdc = started()
    kdc.stop()
    kdc.start()  # now with its port in the file
    people = TwoPeople(kdc)
    people.talk()
    good = kdc.config.read_text()
    for wrong, words in (("[policy]\nbcrypt_cost = 99\n", "bcrypt_cost"), ("[listen]\nport = 1\n", "listen.port"),
                         ("nonsense\n", "kdc.conf:1: "), (None, "can't be read")):
        begin = len(kdc.log())
        if wrong is None:
            kdc.config.unlink()
        else:
            kdc.config.write_text(good + wrong if wrong.startswith("[policy]") else
                                  good.replace(f"port = {kdc.port}", "port = 1") if "port" in wrong else wrong)
        kdc.reload()
        line = kdc.wait_log("error kept the configuration.*", since=begin)[0]
        assert words in line
        people.talk()
    kdc.config.write_text(good)
    with connect(kdc) as client:
        client.register("carol", PASSWORD)
    kdc.configure(policy={"registration": "closed", "groups": "ffdhe2048"}, log={"format": "json"})
    begin = len(kdc.log())
    kdc.reload()
    kdc.wait_log("reloaded the configuration", since=begin)
    people.talk()
    with connect(kdc, groups=[0x0100]) as client:
        assert refusal_of(partial(client.register, "dave", PASSWORD)) == "registration_closed"
        client.login("carol", PASSWORD)
        kdc.wait_log('"event":"logged in","user":"carol"', since=begin)
    lines = kdc.log()[begin:].splitlines()
    first = next(number for number, line in enumerate(lines) if "reloaded the configuration" in line)
    assert len(lines) > first + 2 and all(json.loads(line) for line in lines[first:])
    people.leave()


def test_sigterm_tells_everybody_and_ends_with_0(started):
    kdc = started(limits={"connections_per_source": 1000, "connections_before_login": 2000, "drain_seconds": 5,
                          "handshake_deadline": 300, "login_deadline": 300})
    alice, bob = connect(kdc, "alice"), connect(kdc, "bob")
    alice.open("bob")
    prepared = hello()
    waiting = [Connection(kdc.server) for _ in range(400)]
    for number, one in enumerate(waiting):
        one.send(prepared[:number % 60] if number % 4 else prepared)
    deaf = connect(kdc, timeout=60)
    deaf.send_message("login", name=b"alice", password=b"a wrong password")
    begin = clock()
    kdc.stop()
    assert clock() - begin < 8 * SLOWER
    assert read_end(alice) == "shutting_down"
    bob.wait_for(lambda: "alice" in bob.conversations)
    assert read_end(bob) == "shutting_down"
    assert read_end(deaf) in ("shutting_down", None)
    assert {read_alert(one) for one in waiting[1:4]} == {"shutting_down"}
    for one in waiting:
        one.socket.close()


def test_a_reload_while_it_shuts_down_disturbs_nothing(started):
    kdc = started()
    with connect(kdc) as waiting:
        kdc.process.terminate()
        kdc.wait_log("shutting down")
        assert read_end(waiting) == "shutting_down"
        # Not closed yet, so that it waits for us.
        for _ in range(5):
            kdc.reload()
    wait_until("kdcd ends", lambda: kdc.process.poll() is not None)
    assert kdc.process.returncode == 0


def test_it_listens_on_ipv6(started):
    kdc = started(listen={"address": "::1"})
    kdc.address = "[::1]"
    assert "ready to accept connections on [::1]:" in kdc.log()
    people = TwoPeople(kdc)
    people.talk()
    assert all(session["source"].startswith("[::1]:") for session in kdc.admin_json("who"))
    people.leave()


# --- The control socket ------------------------------------------------------------------------------------------

@pytest.fixture
def control(started):
    kdc = started()

    def ask():
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(10 * SLOWER)
        connection.connect(str(kdc.folder / "kdcd.sock"))
        return connection
    ask.kdc = kdc
    return ask


def memory_of(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


@pytest.mark.parametrize("request_line", [b"", b"{}", b"[]", b"x", b'{"command":"kick"}', b'{"command":7}', b"\0\xff",
                                          b'{"command":"kick","user":"../x"}', b"[" * 4000,
                                          b'{"command":"kick","user":"alice","reason":"none"}'])
def test_a_request_that_is_none_gets_an_error_and_the_next_its_answer(control, request_line):
    with control() as connection, connection.makefile("rb") as lines:
        connection.sendall(request_line + b'\n{"command":"status"}\n')
        assert list(json.loads(lines.readline())) == ["error"]
        assert json.loads(lines.readline())["sessions"] == 0


def test_a_request_that_is_too_long_ends_the_connection(control):
    with control() as connection, connection.makefile("rb") as lines:
        connection.sendall(b"x" * 5000)
        assert list(json.loads(lines.readline())) == ["error"]
        with contextlib.suppress(ConnectionResetError):
            assert lines.read() == b""


def test_requests_are_answered_in_order_also_behind_a_closed_half(control):
    with control() as connection, connection.makefile("rb") as lines:
        connection.sendall(b'{"command":"status"}\n{"command":"who"}\n' * 50)
        connection.shutdown(socket.SHUT_WR)
        replies = [json.loads(line) for line in lines]
    assert ["uptime_seconds" in reply for reply in replies] == [True, False] * 50


@pytest.mark.plain
def test_who_asks_and_never_reads_costs_one_answer(control):
    kdc = control.kdc
    before = memory_of(kdc.process)
    with control() as connection:
        connection.settimeout(1)
        asked = 0
        with pytest.raises(TimeoutError):
            while asked < 64 << 20:
                asked += connection.send(b'{"command":"status"}\n' * 1000)
        assert asked < 4 << 20
        assert memory_of(kdc.process) - before < 8 << 10
        assert kdc.admin_json("status")["sessions"] == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root to be somebody else")
def test_another_user_is_turned_away(control):
    kdc = control.kdc
    path = kdc.folder / "kdcd.sock"
    kdc.folder.chmod(0o711)
    path.chmod(0o666)  # more than kdcd gives
    script = ("import os, socket; os.setgroups([]); os.setgid(65534); os.setuid(65534); s = socket.socket(socket.AF_UNIX);"
              "s.connect('kdcd.sock'); s.sendall(b'{\"command\":\"who\"}\\n'); print(s.recv(100))")
    done = subprocess.run([sys.executable, "-c", script], cwd=kdc.folder, capture_output=True, text=True, check=False)
    assert done.stdout == "b''\n" or re.search("reset by peer|Broken pipe", done.stderr), done
    kdc.wait_log("refused a control connection uid=65534")


# --- What runs out -----------------------------------------------------------------------------------------------

def descriptors(count):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))


@pytest.mark.plain
def test_more_connections_than_descriptors_are_refused_and_all_else_goes_on(kdcd):
    kdc = kdcd(start=False, limits={"connections_per_source": 1000})
    kdc.start(preexec_fn=descriptors(200))
    kdc.known_fingerprint = kdc.fingerprint
    kdc.wait_log("warn there are fewer file descriptors than limits.connections asks for")
    people = TwoPeople(kdc)
    many = [Connection(kdc.server) for _ in range(300)]
    kdc.wait_log("refused a connection cause=limits.connections")
    people.talk()
    assert kdc.admin_json("status")["connections"] < 100
    # The database too: a new key.
    people.ann.open("ben")
    assert "can't accept" not in kdc.log()
    for one in many:
        one.socket.close()
    wait_until("kdcd has seen them go", lambda: kdc.admin_json("status")["connections"] == 2)
    with connect(kdc, "ann"):
        pass
    people.ben.__exit__(None, None, None)


@pytest.mark.plain
def test_too_few_descriptors_for_anybody_are_told(kdcd):
    kdc = kdcd(start=False)
    kdc.start(wait=False, preexec_fn=descriptors(64))
    process, kdc.process = kdc.process, None
    assert process.wait(10) == 4
    assert "this process may open 64 files only" in kdc.log().splitlines()[-1]


def test_a_log_that_nobody_reads_holds_nobody_up(kdcd):
    kdc = kdcd(start=False, log={"level": "debug"})
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    kdc.start(wait=False, stderr=writing)
    os.close(writing)
    text = b""
    while b"ready to accept" not in text:
        text += os.read(reading, 4096)
    kdc.port = int(text.split(b"127.0.0.1:")[1].split()[0])
    kdc.known_fingerprint = kdc.fingerprint
    people = TwoPeople(kdc)
    # A line or two for each: more than the pipe and the log's own queue hold.
    for number in range(4000):
        with Connection(kdc.server):
            pass
        if number % 400 == 0:
            people.talk()
    people.talk()
    # Read again: it goes on, and tells what is missing.
    os.set_blocking(reading, False)

    def caught_up():
        nonlocal text
        try:
            text += os.read(reading, 1 << 20)
        except BlockingIOError:
            pass
        return b"lines were left out of the log" in text
    wait_until("the log goes on", caught_up)
    people.leave()
    # Nobody reads any more, and it ends nevertheless.
    kdc.stop()
    os.close(reading)


def test_one_who_asks_too_much_doesnt_fill_the_log_nor_the_queue(started):
    kdc = started(limits={"queue": 8})
    with connect(kdc, "alice") as alice, connect(kdc, "bob") as bob:
        begin = len(kdc.log())
        start = time.monotonic()
        for number in range(3000):
            alice.send_message("open", request=5000 + number, peer="alice")
            if number % 50 == 49:
                alice.ping()
        seconds = int(time.monotonic() - start) + 2
        assert kdc.log()[begin:].count("refused a request") <= 10 * seconds
        # Sixty lists at once are all answered, though the queue is shorter; somebody else's who, too.
        answers = []

        def others():
            for _ in range(30):
                answers.append(refusal_of(partial(bob.who, "nobody")))
        thread = threading.Thread(target=others)
        thread.start()
        for number in range(60):
            alice.send_message("who", request=9000 + number, name="nobody")
        alice.wait_for(lambda: all(9000 + number in alice._replies for number in range(60)))
        thread.join()
        assert {alice._replies[9000 + number]["reason"] for number in range(60)} == {"no_such_user"}
        assert answers == ["no_such_user"] * 30
        assert "busy" not in kdc.log()[begin:]


def test_a_full_queue_of_logins_answers_busy_and_when_to_come_back(started):
    kdc = started(limits={"queue": 1}, threads={"workers": 1}, policy={"bcrypt_cost": 13})
    clients = [connect(kdc) for _ in range(8)]
    for client in clients:
        client.send_message("login", name=b"alice", password=b"a wrong password")
    answers = [client.read_message(20 * SLOWER) for client in clients]
    reasons = [answer["reason"] for answer in answers]
    assert set(reasons) == {"login_failed", "busy"} and reasons.count("busy") >= 5
    assert all(answer["retry_after"] >= 1 for answer in answers if answer["reason"] == "busy")
    # Busy is not a try.
    for client, reason in zip(clients, reasons):
        if reason == "busy":
            client.login("bob", PASSWORD)
            break
    for client in clients:
        client.socket.close()


# --- What comes in bits ------------------------------------------------------------------------------------------

def test_a_login_byte_by_byte_is_a_login(started):
    kdc = started()
    with Client(kdc.server, kdc.known_fingerprint) as alice:
        plain = alice.socket.sendall
        alice.send = lambda data: [plain(data[at:at + 1]) for at in range(len(data))]
        alice.login("alice", PASSWORD)
        alice.ping()
        assert [name for name, _ in alice.list()] == ["alice"]


# --- Flow --------------------------------------------------------------------------------------------------------

def write_within_the_window(client, number, most, first=0):
    """Ciphertexts that nobody can open, as far as the window goes. Returns how many."""
    sent = 0
    while sent < most and client.under_way[number] < WINDOW:
        client.send_message("ciphertext", conversation=number, epoch=1, sequence=first + sent, sealed=bytes(16000))
        sent += 1
    return sent


@pytest.mark.slow
def test_who_stops_reading_holds_up_that_conversation_alone_and_is_ended(started):
    kdc = started(limits={"output": 131072})
    kdc.add_user("carol")
    with connect(kdc, "alice") as alice, connect(kdc, "bob") as bob, connect(kdc, "carol") as carol:
        bob.name = None  # not there to say good-bye
        bob.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        number = alice.open("bob")["conversation"]
        alice.open("carol")
        carol.wait_for(lambda: "alice" in carol.conversations)
        sent, full_since = 0, time.monotonic()
        while time.monotonic() - full_since < 1:
            if more := write_within_the_window(alice, number, 100, sent):
                sent, full_since = sent + more, time.monotonic()
            alice.ping()
            assert sent < 4000, "the window never fills"
        left = {"message": "presence", "name": "bob", "presence": "offline"}
        slowest, said = 0, 0
        while left not in alice.events:
            begin = clock()
            assert time.monotonic() - full_since < 20 * SLOWER, "bob is never ended"
            alice.send_text("carol", f"text {said}", wait=False)
            assert carol.receive() == [("alice", f"text {said}")]
            alice.flush("carol")
            said += 1
            slowest = max(slowest, clock() - begin)
            time.sleep(0.02)
        assert 8 < time.monotonic() - full_since
        assert said > 50 and slowest < SLOWER
        kdc.wait_log("left user=bob .*reason=slow_reader")
        # All is given back: who comes next is written to at once.
        assert alice.under_way[number] == 0


@pytest.mark.slow
@pytest.mark.parametrize(("together", "size"), [(1, 16000), (17, 900)], ids=["one in a record", "seventeen"])
def test_who_sends_past_the_window_is_not_read_from_and_loses_nothing(started, together, size):
    kdc = started(limits={"output": 131072})
    count = 1500 * together
    with connect(kdc, "alice") as alice, connect(kdc, "bob") as bob:
        bob.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
        number = alice.open("bob")["conversation"]
        ended = threading.Event()

        def flood():
            for first in range(0, count, together):
                messages = [encode_message("ciphertext", conversation=number, epoch=2, sequence=sequence,
                                           sealed=bytes(size)) for sequence in range(first, first + together)]
                alice.under_way[number] += sum(map(len, messages))
                alice.send(alice.sending.seal(*messages))
            ended.set()
        thread = threading.Thread(target=flood, daemon=True)
        thread.start()
        assert not ended.wait(3)
        got = []
        while len(got) < count:
            message = bob.read_message()
            if message["message"] == "ciphertext" and message["epoch"] == 2:
                got.append(message["sequence"])
        assert got == list(range(count))
        assert ended.wait(10)
        thread.join()

        def given_back():
            alice.ping()
            return 0 <= alice.under_way[number] < WINDOW // 2
        # What bob's reactor has sent is credited by a message to alice's, which her ping may overtake.
        wait_until("the credit comes", given_back)


@pytest.mark.slow
def test_twenty_who_flood_one_who_reads_slowly_disturb_nobody_else(started):
    kdc = started(limits={"connections_per_source": 1000})
    people = TwoPeople(kdc)
    names = [f"m{number}" for number in range(20)]
    senders = []
    for name in names:
        client = connect(kdc)
        client.register(name, PASSWORD)
        senders.append(client)
    slow = connect(kdc, "alice")
    for sender in senders:
        sender.open("alice")
    stop = threading.Event()

    def flood(sender):
        sender.socket.settimeout(0.2)
        number = sender.conversations["alice"].number
        epoch = sender.conversations["alice"].epoch.number
        record = 0
        while not stop.is_set() and record < 400:
            try:
                sender.send_message("ciphertext", conversation=number, epoch=epoch, sequence=record, sealed=bytes(16000))
            except OSError:
                return  # a record is cut now: this one is done
            record += 1
    threads = [threading.Thread(target=flood, args=(sender,)) for sender in senders]
    for thread in threads:
        thread.start()
    slowest = 0
    for _ in range(30):
        slowest = max(slowest, people.talk())
        time.sleep(0.1)
    stop.set()
    for thread in threads:
        thread.join()
    assert slowest < 1
    # Read at last, or ended as too slow: nothing else.
    try:
        while True:
            slow.read_message(15)
    except (Closed, TimeoutError) as end:
        assert isinstance(end, TimeoutError) or end.reason in ("slow_reader", None)
    assert kdc.process.poll() is None
    for one in (*senders, slow):
        one.socket.close()
    people.talk()
    people.leave()
