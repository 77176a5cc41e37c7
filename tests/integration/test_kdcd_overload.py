"""More is asked of kdcd than it can give, by one address or by many; and how soon it is there after its start."""
import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import time

import pytest

from interop.attack import PASSWORD, TwoPeople, connect, hello
from interop.client import Client, Closed, Refused
from interop.messages import CAUSE, Reader
from interop.protocol import Alerted
from support.programs import SLOWER, environment, program, wait_until
from support.timing import clock

STRANGER = "127.0.0.2"
START_MAX = 1.0 * SLOWER  # on an idle machine it is 20 ms
TICKS = os.sysconf("SC_CLK_TCK")


def rss(kdc):
    with open(f"/proc/{kdc.pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def cpu(kdc):
    """Seconds, of user and system."""
    with open(f"/proc/{kdc.pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def open_files(kdc):
    return len(os.listdir(f"/proc/{kdc.pid}/fd"))


def connections(kdc):
    return kdc.admin_json("status")["connections"]


def raise_own_limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


# --- Who goes first ---

TRY = "import os; os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))"


def go_first(kdc):
    """How many of its threads go before others now."""
    policies = []
    for task in os.listdir(f"/proc/{kdc.pid}/task"):
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            policies.append(os.sched_getscheduler(int(task)) & ~os.SCHED_RESET_ON_FORK)
    assert set(policies) <= {os.SCHED_OTHER, os.SCHED_RR}
    return policies.count(os.SCHED_RR)


def crossings(kdc):
    """What other threads had for a reactor, since the start."""
    return sum(kdc.admin_json("status")["reactor_inbox_items_total"].values())


@contextlib.contextmanager
def worker_held(kdc):
    """The one worker waits for the table of accounts, with the login of a client of its own, until this is over."""
    with connect(kdc, source=STRANGER) as held, kdc.database.connect_admin() as holder, holder.cursor() as cursor:
        cursor.execute("LOCK TABLES users WRITE")
        try_password(held)
        wait_until("the worker waits", lambda: kdc.database.query(
            "SELECT 1 FROM information_schema.processlist WHERE db = %s AND state LIKE 'Waiting%%' AND info LIKE '%%mallory%%'",
            (kdc.database.name,)))
        yield
        cursor.execute("UNLOCK TABLES")
        assert held.read_message()["reason"] == "login_failed"


@contextlib.contextmanager
def storm_of_logins(kdc):
    """The one worker is busy, and will be."""
    clients = [connect(kdc, source=STRANGER) for _ in range(8)]
    with worker_held(kdc):
        for client in clients:
            try_password(client)
        yield
    for client in clients:
        client.__exit__(None, None, None)


def make_talkers(kdc):
    kdc.known_fingerprint = kdc.fingerprint
    for name in ("alice", "bob"):
        kdc.add_user(name, PASSWORD)
    return kdc


def say_something(alice, bob):
    alice.send_text("bob", "still there?", wait=False)
    assert bob.receive() == [("alice", "still there?")]


WITHOUT_PRIVILEGE = ["setpriv", "--bounding-set=-sys_nice", "--inh-caps=-sys_nice"]


def with_one_worker(kdcd, **sections):
    """Stopped; it waits for its database as long as worker_held() takes."""
    kdc = kdcd(start=False, threads={"workers": 1, "reactors": 2}, **sections)
    kdc.configure(database={"read_timeout": 120})
    return kdc


# As root, and as one who has no more right than RLIMIT_RTPRIO gives (which may not undo everything that it may do).
@pytest.mark.parametrize("prefix", [[], ["prlimit", "--rtprio=1:1", *WITHOUT_PRIVILEGE]], ids=["privileged", "by limit"])
def test_who_passes_messages_on_goes_first_while_workers_are_busy_and_no_longer(kdcd, prefix):
    if subprocess.run([*prefix, sys.executable, "-c", TRY], check=False).returncode != 0:
        pytest.skip("nobody may go first here, or give that right")
    kdc = with_one_worker(kdcd)
    kdc.start(prefix=prefix)
    make_talkers(kdc)
    with storm_of_logins(kdc):
        time.sleep(0.5)
        assert go_first(kdc) == 0, "nobody talks"
    with connect(kdc, "alice") as alice, connect(kdc, "bob") as bob:
        alice.open("bob")
        bob.wait_for(lambda: "alice" in bob.conversations)
        wait_until("the workers have nothing to do", lambda: go_first(kdc) == 0)
        before = crossings(kdc)
        for _ in range(10):
            say_something(alice, bob)
        # Whoever has something to send just when they are to move may stay: then two reactors pass it on.
        pass_on = 2 if crossings(kdc) - before >= 10 else 1
        assert go_first(kdc) == 0, "the workers are idle"
        with storm_of_logins(kdc):
            wait_until("they go first", lambda: say_something(alice, bob) or go_first(kdc) == pass_on)
        wait_until("they don't any more", lambda: go_first(kdc) == 0)
        say_something(alice, bob)


def test_without_the_right_to_go_first_all_goes_on(kdcd):
    kdc = with_one_worker(kdcd)
    kdc.start(prefix=WITHOUT_PRIVILEGE if os.geteuid() == 0 else [])
    make_talkers(kdc)
    with connect(kdc, "alice") as alice, connect(kdc, "bob") as bob:
        alice.open("bob")
        bob.wait_for(lambda: "alice" in bob.conversations)
        with storm_of_logins(kdc):
            for _ in range(20):
                say_something(alice, bob)
                assert go_first(kdc) == 0
                time.sleep(0.02)


# --- Sources ---

@pytest.fixture
def one_worker(kdcd):
    """Which serves one at a time, and eight may wait."""
    kdc = with_one_worker(kdcd, limits={"queue": 8}).start()
    kdc.known_fingerprint = kdc.fingerprint
    kdc.add_user("ann")
    return kdc


def try_password(client):
    client.send_message("login", name=b"mallory", password=b"a guess, and wrong")


def waiting(kdc):
    return sum(kdc.admin_json("status")["jobs_waiting"].values())


class Storm:
    """Many who try a password from one address while the worker is held."""

    def __init__(self, kdc, size):
        self.clients = [connect(kdc, source=STRANGER) for _ in range(size)]
        self.refused = []  # (client, what was answered)

    def begin(self):
        for client in self.clients:
            try_password(client)

    def count_refused(self):
        """Without waiting for those who hear nothing."""
        for client in self.clients:
            if client not in [known for known, _ in self.refused]:
                with contextlib.suppress(TimeoutError):
                    self.refused.append((client, client.read_message(timeout=0.01)))
        assert {answer["reason"] for _, answer in self.refused} <= {"busy"}
        return len(self.refused)

    def read_rest(self):
        """Until all are answered."""
        known = [client for client, _ in self.refused]
        return [client.read_message()["reason"] for client in self.clients if client not in known]

    def leave(self):
        for client in self.clients:
            client.__exit__(None, None, None)


def test_a_storm_of_logins_from_one_address_keeps_others_in(one_worker):
    kdc = one_worker
    storm, ann = Storm(kdc, 19), connect(kdc)
    with worker_held(kdc):
        storm.begin()
        wait_until("eight wait, the rest are refused", lambda: storm.count_refused() == 11)
        ann.send_message("login", name=b"ann", password=PASSWORD.encode())
        wait_until("one of those makes room for ann", lambda: storm.count_refused() == 12)
    assert ann.read_message()["message"] == "welcome"
    assert storm.read_rest() == ["login_failed"] * 7
    entered = kdc.wait_log("logged in user=ann ")
    wait_until("all of it is told", lambda: kdc.log().count("reason=login_failed") == 8)  # the one held, too
    assert kdc.log()[:entered.start()].count("reason=login_failed") <= 5, "not last"
    storm.leave()
    ann.__exit__(None, None, None)


def test_who_was_displaced_is_told_when_to_come_back_and_may(one_worker):
    kdc = one_worker
    storm, others = Storm(kdc, 8), [connect(kdc) for _ in range(3)]
    with worker_held(kdc):
        storm.begin()
        wait_until("the queue is full", lambda: waiting(kdc) == 8)
        for client in others:
            try_password(client)
        wait_until("each of the others displaces one", lambda: storm.count_refused() == 3)
    for _, answer in storm.refused:
        assert 1 <= answer["retry_after"] <= 60
    assert storm.read_rest() == ["login_failed"] * 5
    with pytest.raises(Refused, match="login_failed"):
        storm.refused[0][0].login("mallory", "a guess, and wrong")
    storm.leave()
    for client in others:
        client.__exit__(None, None, None)


def test_a_login_whose_client_has_gone_is_not_computed(one_worker):
    kdc = one_worker
    clients = [connect(kdc) for _ in range(8)]
    with worker_held(kdc):
        for client in clients:
            try_password(client)
        wait_until("they wait", lambda: waiting(kdc) == 8)
        for client in clients:
            client.socket.close()
        wait_until("none waits, though the worker is held", lambda: waiting(kdc) == 0)
    wait_until("nobody is there", lambda: connections(kdc) == 0)
    wait_until("a job is counted", lambda: kdc.admin_json("status")["jobs_finished_total"]["password"] >= 1)
    assert kdc.admin_json("status")["jobs_finished_total"]["password"] == 1, "the one whom the worker had begun to serve"


# --- Descriptors ---

def test_without_descriptors_it_waits_without_spinning_and_goes_on_afterwards(kdcd):
    kdc = kdcd()
    kdc.known_fingerprint = kdc.fingerprint
    people = TwoPeople(kdc)
    people.talk()
    before = resource.prlimit(kdc.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(kdc.pid, resource.RLIMIT_NOFILE, (open_files(kdc) + 3, before[1]))
    began = time.monotonic()
    knocking = [socket.create_connection((kdc.address, kdc.port)) for _ in range(50)]
    kdc.wait_log("can't accept connections for a moment")
    used, since = cpu(kdc), time.monotonic()
    while time.monotonic() - since < 2:
        people.talk()
        time.sleep(0.2)
    assert cpu(kdc) - used < 0.3 * SLOWER, "of two seconds"
    assert kdc.log().count("can't accept") <= 2 + int(time.monotonic() - began), "one a second"
    resource.prlimit(kdc.pid, resource.RLIMIT_NOFILE, before)
    since = clock()
    with connect(kdc) as late:
        late.register("cat", PASSWORD)
    assert clock() - since < 2 * SLOWER
    for one in knocking:
        one.close()
    people.talk()
    people.leave()


# --- Half-open and slow ---

@pytest.mark.slow
def test_half_open_and_slow_connections_by_the_thousand_disturb_nobody(kdcd):
    raise_own_limit()
    deadline = 20
    kdc = kdcd(listen={"backlog": 4096}, limits={
        "connections_before_login": 4000, "connections_per_source": 1000, "handshake_deadline": deadline})
    kdc.known_fingerprint = kdc.fingerprint
    people = TwoPeople(kdc)
    people.talk()
    before = rss(kdc)
    since = time.monotonic()
    silent = [socket.create_connection((kdc.address, kdc.port), 5, source_address=(f"127.0.1.{1 + i % 5}", 0))
              for i in range(1000)]
    slow = [socket.create_connection((kdc.address, kdc.port), 5, source_address=(f"127.0.2.{1 + i % 5}", 0))
            for i in range(500)]
    wait_until("all are there", lambda: connections(kdc) == 1502)
    longest, data, sent = 0, hello(), 0
    while sent <= 3 or time.monotonic() - since < 9:
        for one in slow:
            one.send(data[sent:sent + 1])
        sent += 1
        longest = max(longest, people.talk())
        time.sleep(0.1)
    full = rss(kdc)
    print(f"RSS: {before >> 10} KiB before, {full >> 10} KiB with 1500 ({(full - before) / 1500:.0f} bytes each); "
          f"{sent} times a byte; the slowest talk took {longest * 1000:.1f} ms")
    assert 3 < sent < len(data) and connections(kdc) == 1502
    assert (full - before) / 1500 < 16384
    assert longest < 1
    wait_until("all have gone", lambda: connections(kdc) == 2, deadline + 10)
    assert {read_alert_of(one) for one in silent + slow} == {"deadline"}
    after = rss(kdc)
    print(f"RSS: {after >> 10} KiB afterwards")
    assert after - before < 6 << 20
    people.talk()
    people.leave()


def read_alert_of(one):
    """The alert that the KDC said before it closed."""
    one.settimeout(5)
    with one:
        data = b""
        with contextlib.suppress(ConnectionResetError):
            while part := one.recv(1024):
                data += part
    return CAUSE[1](Reader(data[5:]))


def test_who_is_refused_at_the_door_hears_it_at_once_and_gets_in_when_it_is_over(kdcd):
    # None of those inside is to leave for having taken too long: the next would have the place.
    kdc = kdcd(limits={"connections_before_login": 20, "connections_per_source": 8,
                       "handshake_deadline": 300, "login_deadline": 300})
    kdc.known_fingerprint = kdc.fingerprint
    people = TwoPeople(kdc)
    inside, waits = [], []
    for i in range(400):
        began = clock()
        one = socket.create_connection((kdc.address, kdc.port), 5, source_address=(f"127.0.3.{1 + i % 50}", 0))
        one.settimeout(0.5 if len(inside) < 20 else 5)
        try:
            answer = one.recv(64)
            waits.append(clock() - began)
            assert answer[4] == 5, "an alert"
            one.close()
        except TimeoutError:
            inside.append(one)
        if i % 50 == 0:
            people.talk()
    waits.sort()
    print(f"{len(waits)} were refused: half within {waits[len(waits) // 2] * 1000:.2f} ms, all within "
          f"{waits[-1] * 1000:.1f} ms")
    assert len(inside) <= 20 and len(waits) >= 380
    assert waits[len(waits) // 2] < 0.1 * SLOWER and waits[-1] < 1 * SLOWER
    for one in inside:
        one.close()
    since = clock()
    wait_until("a newcomer is let in", lambda: gets_in(kdc))
    assert clock() - since < 1 * SLOWER
    people.talk()
    people.leave()


def gets_in(kdc):
    try:
        with Client(kdc.server, kdc.known_fingerprint):
            return True
    except Alerted as alert:
        assert "busy" in str(alert)
        return False


# --- Start ---

def started(kdc):
    """Seconds from its exec until it accepts a connection, until a handshake is done, and until a login."""
    since = clock()
    with kdc.log_file.open("ab") as log:
        kdc.process = subprocess.Popen([program("kdcd"), "--config", str(kdc.config)], env=environment(kdc.folder),
                                       start_new_session=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    while True:
        try:
            socket.create_connection((kdc.address, kdc.port)).close()
            break
        except ConnectionRefusedError:
            assert clock() - since < 20 * SLOWER
            time.sleep(0.001)
    accepted = clock() - since
    with connect(kdc) as client:
        shaken = clock() - since
        client.login("ann", PASSWORD)
        return accepted, shaken, clock() - since


def test_it_listens_at_once_and_again_at_once_on_the_same_port(kdcd):
    kdc = kdcd()
    kdc.known_fingerprint = kdc.fingerprint
    kdc.add_user("ann")
    for _ in range(3):
        # Connections that the KDC closes first leave their port behind for a minute.
        left = [connect(kdc) for _ in range(5)]
        kdc.process.send_signal(signal.SIGTERM)
        for client in left:
            with pytest.raises(Closed):
                client.read_message()
            client.socket.close()
        assert kdc.process.wait(20 * SLOWER) == 0
        times = started(kdc)
        print("ms from exec to the first connection, handshake, login: "
              + ", ".join(f"{seconds * 1000:.1f}" for seconds in times))
        assert times[0] < START_MAX and times[1] < START_MAX and times[2] < 2 * START_MAX
