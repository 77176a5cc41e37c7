"""kdcd's figures by HTTP: what they say, when people can log in, and what a stranger on that port can't do."""
import collections
import contextlib
import http.client
import multiprocessing
import os
import pathlib
import re
import shutil
import socket
import subprocess
import threading
import time

import pytest

from interop.attack import PASSWORD, TwoPeople, connect
from interop.client import Connection, Refused
from support.kdcd import Database
from support.ports import free_port
from support.programs import SLOWER, wait_until
from support.prometheus import parse
from support.timing import clock

CONNECTIONS = 16
SECONDS = 5
NO_UPKEEP = {"unactivated_days": 0}  # which has a connection to the database of its own, now and then
TEXT = "text/plain; charset=utf-8"


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body


class Metrics:
    def __init__(self, kdc, port, address="127.0.0.1"):
        self.kdc, self.port, self.address = kdc, port, address

    def ask(self, path, method="GET", body=None):
        connection = http.client.HTTPConnection(self.address, self.port, timeout=10 * SLOWER)
        with contextlib.closing(connection):
            connection.request(method, path, body)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read().decode())

    def figures(self):
        answer = self.ask("/metrics")
        assert answer.status == 200, answer.body
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        families = parse(answer.body)
        assert all(name.startswith("kdc_chat_") for name in families)
        return {name.removeprefix("kdc_chat_"): family for name, family in families.items()}

    def ready(self):
        answer = self.ask("/ready")
        assert answer.headers["Content-Type"] == TEXT and re.fullmatch(r"[ -~]+\n", answer.body)
        return answer.status, answer.body

    def wait(self, wanted):
        """All figures, once those are what is wanted."""
        def reached():
            one = self.figures()
            return all(one[name][()] == number for name, number in wanted.items()) and one
        return wait_until(f"figures: {wanted}", reached)

    def connect(self):
        one = socket.create_connection((self.address, self.port), 3 * SECONDS * SLOWER)
        return one

    def raw(self, request):
        with self.connect() as one:
            with contextlib.suppress(ConnectionError):
                one.sendall(request)
            return read_all(one)


def read_all(one):
    answer = b""
    with contextlib.suppress(ConnectionError):
        while part := one.recv(65536):
            answer += part
    return answer


@pytest.fixture
def measured(kdcd):
    """measured(other database, section={...}): a kdcd that serves metrics, with alice and bob."""
    def make(other=None, /, users=("alice", "bob"), **sections):
        kdc = kdcd(other, start=False) if other else kdcd(start=False)
        port = free_port()
        kdc.configure(**{**sections, "metrics": {"port": port, **sections.get("metrics", {})}})
        kdc.start()
        kdc.known_fingerprint = kdc.fingerprint
        for name in users:
            kdc.add_user(name)
        return Metrics(kdc, port)
    return make


def memory_of(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def descriptors(kdc):
    return len(os.listdir(f"/proc/{kdc.pid}/fd"))


def settled(kdc):
    """How many there are once all connections to the database are there and whoever asked has gone."""
    def all_there():
        status = kdc.admin_json("status")
        return status["database_connections"]["idle"] == status["workers"] + 2

    def number():
        one = descriptors(kdc)
        time.sleep(0.3)
        return descriptors(kdc) == one and one
    wait_until("all connections to the database are there", all_there)
    return wait_until("there are as many for a while", number)


def count_ciphertexts(client):
    """A list that grows with each message of a conversation that the client sends."""
    sent, send = [], client.send_message

    def counting(message, /, **fields):
        if message == "ciphertext":
            sent.append(message)
        return send(message, **fields)
    client.send_message = counting
    return sent


# --- What the figures say ----------------------------------------------------------------------------------------

def test_counters_match_what_happened_and_only_go_up(measured):
    metrics = measured(policy={"login_tries": 10})
    kdc = metrics.kdc
    before = metrics.figures()
    with connect(kdc, "alice") as alice, connect(kdc) as bob:
        for _ in range(3):
            with pytest.raises(Refused, match="login_failed"):
                bob.login("bob", "a wrong password")
        with pytest.raises(Refused, match="password_short"):
            bob.login("bob", "short")
        bob.login("bob", PASSWORD)
        alice.open("bob")
        bob.wait_for(lambda: "alice" in bob.conversations)
        sent = [count_ciphertexts(one) for one in (alice, bob)]
        for number in range(20):
            alice.send_text("bob", f"text {number}", wait=False)
            assert bob.receive() == [("alice", f"text {number}")]
        alice.flush("bob")
        messages = sum(map(len, sent))
        assert messages >= 20
        with connect(kdc) as carol:
            carol.register("carol", PASSWORD)
            ticket = carol.ticket
        with connect(kdc, ticket=ticket) as carol, Connection(kdc.server):
            assert carol.shake.resumed
            # One after the other is looked at, and nobody stands still meanwhile.
            there = {"connections": 4, "sessions": 3, "connections_before_login": 1, "conversations": 1}
            now = wait_until("the last job is counted", lambda: (one := metrics.wait(there))[
                "jobs_finished_total"]["password"] == 6 and one)
            status = kdc.admin_json("status")
            assert status["sessions"] == 3 and status["messages_total"] >= messages
            assert status["refusals_total"]["login_failed"] == 3
            assert status["messages_per_second"] > 0 and status["keys_per_second"] > 0
            assert status["logins_per_second"] > 0 and status["refusals_per_second"] > 0

    def grown(name, *labels):
        return now[name][labels] - before[name][labels]
    assert grown("logins_total", "password") == 2
    assert grown("logins_total", "registering") == 1
    assert grown("logins_total", "ticket") == 1
    assert grown("handshakes_total") == 4
    assert grown("refusals_total", "login_failed") == 3
    assert grown("refusals_total", "password_short") == 1
    assert grown("refusals_total", "busy") == 0
    # Before we counted they had opened: an epoch's first words.
    assert messages <= grown("messages_total") <= messages + 4
    assert grown("keys_issued_total") == 1
    # Of three wrong and three right ones; what is too short is refused at once.
    durations = now["login_duration_seconds"].samples
    assert durations["_count", ()] == 6 and durations["_sum", ()] > 6 * 0.01
    assert now["job_wait_seconds"].samples["_count", (("class", "password"),)] == 6
    assert now["jobs_finished_total"]["password"] == 6 and now["jobs_waiting"]["password"] == 0
    assert now["journal_batches_total"][()] >= 2
    assert now["version_info"].samples["", (("version", status["version"]),)] == 1
    assert time.time() - 60 * SLOWER < now["start_time_seconds"][()] <= time.time()
    later = metrics.wait({"connections": 0, "sessions": 0, "connections_ended_total": 5})
    for name, family in now.items():
        if family.type != "gauge":
            for key, number in family.samples.items():
                assert later[name].samples[key] >= number, (name, key)


def test_connections_that_are_refused_are_counted_by_their_cause(measured):
    metrics = measured(limits={"connections_per_source": 3})
    many = [Connection(metrics.kdc.server) for _ in range(8)]
    refused = wait_until("five are refused", lambda: (one := metrics.figures()["connections_refused_total"])
                         ["connections_per_source"] == 5 and one)
    assert sum(refused.samples.values()) == 5
    for one in many:
        one.socket.close()


@pytest.mark.parametrize("limit", ["connections", "connections_before_login"])
def test_while_no_more_connections_are_let_in_it_isnt_ready(measured, limit):
    metrics = measured(limits={limit: 1})
    one = Connection(metrics.kdc.server)
    full = (503, f"as many are connected as may be: limits.{limit}\n")
    wait_until("it is full", lambda: metrics.ready() == full)
    one.socket.close()
    wait_until("it has room", lambda: metrics.ready() == (200, "ready\n"))


def test_status_and_metrics_are_the_same_figures(measured):
    metrics = measured()
    def at_rest():
        """Not while upkeep asks the database, on a connection that it has for that time only."""
        status, figures = metrics.kdc.admin_json("status"), metrics.figures()
        same = figures["database_pool_size"][()] == status["database_pool_size"] == status["workers"] + 2
        return same and (figures, status)
    with connect(metrics.kdc, "alice"):
        figures, status = wait_until("the database's connections are those that stay", at_rest)
    for name, family in figures.items():
        name = name.removesuffix("_info")
        assert name in status, name
        if family.type == "histogram":
            one = status[name] if "buckets" in status[name] else next(iter(status[name].values()))
            assert set(one) == {"count", "sum_seconds", "buckets"}
        elif isinstance(status[name], dict):
            assert {labels[0][1] for _, labels in family.samples} == set(status[name]), name
    only_status = set(status) - {name.removesuffix("_info") for name in figures}
    assert only_status <= {"logins_per_second", "messages_per_second", "keys_per_second", "refusals_per_second",
                           "database_connection_state", "database_last_error", "not_ready"}
    assert figures["database_pool_size"][()] == sum(figures["database_connections"].samples.values())
    assert set(status["database_connection_state"].values()) <= {"idle", "busy", "connecting", "closed", "backoff"}
    assert status["database_connection_state"]["journal"] in ("idle", "busy")
    assert len(status["database_connection_state"]) == status["database_pool_size"] == status["workers"] + 2
    assert sum(status["database_calls_total"].values()) > 0


def test_under_load_it_answers_and_waiting_logins_show(measured):
    # One login takes so long that most is looked at before the next one's turn.
    metrics = measured(users=("alice",), threads={"workers": 1}, limits={"queue": 6}, policy={"bcrypt_cost": 14})
    kdc = metrics.kdc
    clients = [connect(kdc) for _ in range(30)]
    to_come = iter(clients)

    def one_more():
        next(to_come).send_message("login", name=b"alice", password=b"a wrong password")

    def all_wait():
        """What was sent may wait, or the worker may have taken it already."""
        one = metrics.figures()
        if one["jobs_waiting"]["password"] < 6:
            one_more()
        return one["jobs_waiting"]["password"] == 6 and one
    figures = wait_until("they wait", all_wait)
    for _ in range(5):
        one_more()  # refused
    assert figures["jobs_waiting_limit"][()] == 6

    def full():
        """The worker may take one at any time: then there is room until the next."""
        status = all_wait() and kdc.admin_json("status")
        return status and metrics.ready() == (503, "too many logins are waiting already\n") and not status["ready"] and status
    assert wait_until("it says that it is full", full)["not_ready"] == "too many logins are waiting already"
    begin = clock()
    metrics.figures()
    assert clock() - begin < 2 * SLOWER
    # One of those may have had the place of one that the worker took just then.
    wait_until("five are refused", lambda: metrics.figures()["refusals_total"]["busy"] >= 5 or one_more())
    for client in clients:
        client.socket.close()
    wait_until("it is ready again", lambda: metrics.ready() == (200, "ready\n"), 20)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool isn't installed")
def test_promtool_finds_nothing_to_say(measured):
    text = measured().ask("/metrics").body
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# --- The database ------------------------------------------------------------------------------------------------

def test_a_database_that_goes_and_comes_back_shows(own_mariadb, folder, measured):
    metrics = measured(Database(own_mariadb, folder))
    kdc = metrics.kdc
    assert metrics.ready() == (200, "ready\n")
    good = kdc.admin_json("status")
    assert good["database_up"] is True and good["ready"] is True and "not_ready" not in good
    stopped = time.time()
    own_mariadb.stop()
    code, why = wait_until("it isn't ready", lambda: (one := metrics.ready())[0] == 503 and one)
    assert why.startswith("the database can't be used: ")
    figures = metrics.figures()
    assert figures["database_up"][()] == 0 and figures["ready"][()] == 0
    assert stopped - 1 <= figures["database_changed_time_seconds"][()] <= time.time()
    status = kdc.admin_json("status")
    assert status["database_up"] is False and status["database_last_error"] in why
    text = kdc.admin("status").stdout
    assert re.search(r"^ +reachable +no$", text, re.MULTILINE), text
    assert re.search(r"^ +takes logins +no$", text, re.MULTILINE), text
    wait_until("a connection waits for a moment", lambda: metrics.figures()["database_connections"]["backoff"] >= 1)
    own_mariadb.start()
    wait_until("it is ready again", lambda: metrics.ready() == (200, "ready\n"), 15)
    again = kdc.admin_json("status")
    assert again["database_up"] is True
    assert again["database_changed_time_seconds"] > status["database_changed_time_seconds"]
    assert again["database_last_error"] and again["database_last_failure_time_seconds"] > good["start_time_seconds"]
    assert sum(again["database_connect_failures_total"].values()) > 0
    with connect(kdc, "alice"):
        pass


def test_a_database_that_says_nothing_shows_what_the_pool_does(own_mariadb, folder, measured):
    metrics = measured(Database(own_mariadb, folder), database={"read_timeout": 3, "connect_timeout": 3})
    own_mariadb.pause()
    try:
        wait_until("a call waits", lambda: metrics.figures()["database_connections"]["busy"] >= 1)
        wait_until("it isn't ready", lambda: metrics.ready()[0] == 503)
        # Asked while it still says nothing.
        wait_until("the call has failed", lambda:
                   max(metrics.figures()["database_call_slowest_seconds"].samples.values()) >= 2.5)
    finally:
        own_mariadb.resume()
    wait_until("it is ready again", lambda: metrics.ready()[0] == 200, 15)


def test_without_the_right_to_find_accounts_it_isnt_ready(own_mariadb, folder, measured):
    database = Database(own_mariadb, folder)
    metrics = measured(database)
    kdc = metrics.kdc
    right = f"EXECUTE ON PROCEDURE `{database.name}`.kdc_user_find"
    database.query(f"REVOKE {right} FROM `{database.user}`@localhost")
    with connect(kdc) as client, pytest.raises(Refused, match="unavailable"):
        client.login("alice", PASSWORD)
    code, why = metrics.ready()
    assert code == 503 and why.startswith("accounts can't be looked up: ") and "kdc_user_find" in why
    assert metrics.figures()["database_up"][()] == 1 and metrics.figures()["ready"][()] == 0
    database.query(f"GRANT {right} TO `{database.user}`@localhost")
    with connect(kdc, "alice"):
        assert metrics.ready() == (200, "ready\n")


def test_while_it_shuts_down_it_is_not_ready_and_lives(own_mariadb, folder, measured):
    metrics = measured(Database(own_mariadb, folder), database={"read_timeout": 30, "connect_timeout": 30})
    kdc = metrics.kdc
    own_mariadb.pause()
    with connect(kdc) as client:
        # Something that it waits for.
        client.send_message("login", name=b"alice", password=PASSWORD.encode())
        wait_until("the database is asked", lambda: metrics.figures()["database_connections"]["busy"] >= 2)
        kdc.process.terminate()
        wait_until("it isn't ready", lambda: metrics.ready() == (503, "kdcd is shutting down\n"))
        assert metrics.ask("/metrics").status == 503
        assert metrics.ask("/live").body == "alive\n"
    own_mariadb.resume()
    process, kdc.process = kdc.process, None
    assert process.wait(20 * SLOWER) == 0


# --- HTTP --------------------------------------------------------------------------------------------------------

def test_only_get_and_head_of_three_pages(measured):
    metrics = measured()
    assert metrics.ask("/live").body == "alive\n"
    assert metrics.ask("/metrics?name=kdc").status == 200
    for path in ("/", "/metricss", "/metrics/", "/ready/..", "//metrics", "/%6detrics%00"):
        assert metrics.ask(path).status == 404, path
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        answer = metrics.ask("/metrics", method, b"x" if method == "POST" else None)
        assert answer.status == 405 and answer.headers["Allow"] == "GET, HEAD", method
        assert "# HELP" not in answer.body
    for path in ("/metrics", "/ready", "/live"):
        whole, head = metrics.ask(path), metrics.ask(path, "HEAD")
        assert (head.status, head.body) == (whole.status, "") and whole.headers["Connection"] == "close"
        assert abs(int(head.headers["Content-Length"]) - len(whole.body)) < 200
    # Nothing behind the headers of a HEAD.
    assert metrics.raw(b"HEAD /live HTTP/1.1\r\nHost: x\r\n\r\n").endswith(b"\r\n\r\n")


@pytest.mark.parametrize("request_bytes", [
    b"\r\n\r\n", b"GET\r\n\r\n", b"GET /metrics\r\n\r\n", b"GET /metrics HTTP/9.9\r\n\r\n", b"\0" * 100, b"\x16\x03\x01" * 50,
    b"GET /metrics HTTP/1.1\r\nHost\r\n\r\n", b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\n" + b"A: b\r\n" * 20000 + b"\r\n", b"BREW /metrics HTTP/1.1\r\n\r\n",
    b"POST /metrics HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", b"POST /metrics HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"POST /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n",
    b"POST /metrics HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100000,
    b"GET http:// HTTP/1.1\r\n\r\n", b"GET * HTTP/1.1\r\n\r\n", b"CONNECT localhost:1 HTTP/1.1\r\n\r\n"],
    ids=lambda one: repr(one[:40]))
def test_what_is_no_request_gets_no_figures_and_does_no_harm(measured, request_bytes):
    metrics = measured(users=())
    with metrics.connect() as one:
        one.settimeout(1)
        with contextlib.suppress(ConnectionError):
            one.sendall(request_bytes)
        with contextlib.suppress(TimeoutError):
            assert b"# HELP" not in read_all(one)
    metrics.figures()


@pytest.mark.plain
def test_slow_ones_end_after_their_time_and_make_room_for_others(measured):
    metrics = measured(users=())
    slow = [metrics.connect() for _ in range(CONNECTIONS)]
    begin = time.monotonic()
    for one in slow:
        one.sendall(b"GET /metrics HTTP/1.1\r\n")
    # The next one is served at once: the oldest had to go, and no other.
    metrics.figures()
    assert read_all(slow[0]) == b""
    slow[1].setblocking(False)
    with pytest.raises(BlockingIOError):
        slow[1].recv(1)
    # A byte now and then prolongs nothing.
    last = slow[-1]
    with contextlib.suppress(ConnectionError):
        while time.monotonic() - begin < 3 * SECONDS * SLOWER:
            last.sendall(b"A")
            time.sleep(0.2)
    assert SECONDS * 0.8 < time.monotonic() - begin < 2 * SECONDS * SLOWER
    for one in slow:
        one.close()


def test_an_answer_that_isnt_read_ends_too(measured):
    metrics = measured(users=(), registration=NO_UPKEEP)
    before = settled(metrics.kdc)
    deaf = metrics.connect()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    with contextlib.suppress(ConnectionError):
        deaf.sendall(b"GET /metrics HTTP/1.1\r\n\r\n" * 1000)
    silent = metrics.connect()
    wait_until("it has come", lambda: descriptors(metrics.kdc) > before)
    wait_until("kdcd has closed both", lambda: descriptors(metrics.kdc) == before, 3 * SECONDS)
    silent.close()
    deaf.close()


@pytest.mark.plain
def test_a_flood_of_requests_holds_no_memory_and_disturbs_nobody(measured):
    metrics = measured(users=())
    people = TwoPeople(metrics.kdc)
    metrics.figures()
    before = memory_of(metrics.kdc.process)
    end = time.monotonic() + 4
    counts = []

    def flood():
        count = 0
        while time.monotonic() < end:
            with contextlib.suppress(OSError), metrics.connect() as one:
                one.sendall(b"GET /metrics HTTP/1.1\r\n" if count % 3 else b"GET /metrics HTTP/1.1\r\n\r\n")
                if count % 3 == 0:
                    one.recv(100)
            count += 1
        counts.append(count)
    threads = [threading.Thread(target=flood) for _ in range(4)]
    for thread in threads:
        thread.start()
    while time.monotonic() < end:
        people.talk()
        time.sleep(0.1)
    for thread in threads:
        thread.join()
    assert sum(counts) > 200
    assert memory_of(metrics.kdc.process) - before < 4 << 10
    wait_until("descriptors are given back", lambda: descriptors(metrics.kdc) < 60)
    metrics.figures()
    people.leave()


@pytest.mark.plain
def test_who_connects_faster_than_it_accepts_gets_no_more_connections(measured):
    metrics = measured(users=(), registration=NO_UPKEEP)
    before = settled(metrics.kdc)
    end = time.monotonic() + 3

    def flood():
        held = collections.deque(maxlen=500)
        while time.monotonic() < end:
            one = socket.socket()
            one.setblocking(False)
            with contextlib.suppress(OSError):
                one.connect((metrics.address, metrics.port))
            held.append(one)
    flooding = [multiprocessing.get_context("fork").Process(target=flood) for _ in range(3)]
    for one in flooding:
        one.start()
    most = 0
    while time.monotonic() < end:
        most = max(most, descriptors(metrics.kdc) - before)
        time.sleep(0.005)
    for one in flooding:
        one.join()
    assert CONNECTIONS <= most <= CONNECTIONS + 4
    metrics.figures()


@pytest.mark.plain
def test_figures_are_taken_by_a_thread_that_has_not_stepped_back(measured):
    """Who has stepped back may be stopped at any time: it mustn't hold the locks that figures are taken under."""
    metrics = measured(users=())
    tasks = pathlib.Path(f"/proc/{metrics.kdc.pid}/task")

    def spent():
        """Nanoseconds of those threads that have not stepped back."""
        return sum(int((one / "schedstat").read_text().split()[0]) for one in tasks.iterdir()
                   if (one / "stat").read_text().rsplit(")", 1)[1].split()[16] == "0")

    def spent_on(path):
        before = spent()
        for _ in range(300):
            metrics.ask(path)
        return spent() - before
    spent_on("/live")  # what a start has to do is behind it then
    on_nothing = spent_on("/live")
    assert spent_on("/metrics") > on_nothing + 300 * 30_000


def test_on_ipv6_too(measured):
    metrics = measured(users=(), metrics={"address": "::1"})
    metrics.address = "::1"
    assert metrics.ready() == (200, "ready\n")


def test_a_port_that_is_taken_keeps_kdcd_from_starting(kdcd):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        kdc = kdcd(start=False, metrics={"port": port})
        kdc.start(wait=False)
        process, kdc.process = kdc.process, None
        assert process.wait(20 * SLOWER) == 4
    assert f"can't listen for metrics on 127.0.0.1 port {port}: Address already in use" in kdc.log().splitlines()[-1]


def test_by_default_nothing_is_served(kdcd):
    kdc = kdcd()
    listening = subprocess.run(["ss", "-ltnpH"], capture_output=True, text=True, check=False).stdout \
        if shutil.which("ss") else ""
    assert listening.count(f"pid={kdc.pid},") <= 1
    assert "serving metrics" not in kdc.log()
