"""up.sh and stop.sh, which make run, make demo and make stop stand on, in a checkout of their own."""
import os
import shutil
import signal
import socket
import subprocess

import pytest

from support.ports import free_port
from support.programs import BIN, ROOT, SLOWER, program, wait_until

pytestmark = pytest.mark.plain


class Checkout:
    def __init__(self, root):
        self.root = root
        shutil.copytree(ROOT / "scripts", root / "scripts")
        self.port = free_port()

    def script(self, name, check=0):
        done = subprocess.run(
            [self.root / "scripts" / name], env={**os.environ, "KDC_BIN": str(BIN), "KDC_PORT": str(self.port)},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=90 * SLOWER, check=False)
        assert done.returncode == check, done.stdout
        return done.stdout

    def pids(self):
        return {name: int((self.root / "var" / f"{name}.pid").read_text()) for name in ("kdcd", "mariadb")}

    def listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def fingerprint(self):
        return subprocess.run(
            [program("kdc-admin"), "--config", self.root / "var/kdc.conf", "identity", "show", "--fingerprint"],
            stdout=subprocess.PIPE, text=True, timeout=30, check=True).stdout


def runs(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as command:
            return command.read() != b""
    except FileNotFoundError:
        return False


def gone(pid):
    """Not when it has no command line any more: its threads may go on for a moment."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            state = stat.read().rpartition(")")[2].split()[0]
        return state == "Z" and len(os.listdir(f"/proc/{pid}/task")) <= 1
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.fixture
def checkout(folder):
    made = Checkout(folder)
    yield made
    made.script("stop.sh")


def test_up_starts_once_and_stop_ends_all(checkout):
    checkout.script("up.sh")
    first = checkout.pids()
    assert checkout.listens()
    checkout.script("up.sh")
    assert checkout.pids() == first
    checkout.script("stop.sh")
    assert not any(map(runs, first.values()))
    assert not checkout.listens()


def test_what_was_there_is_there_after_stop_and_up(checkout):
    checkout.script("up.sh")
    before = checkout.fingerprint()
    password = (checkout.root / "var/kdc-password").read_text()
    checkout.script("stop.sh")
    checkout.script("up.sh")
    assert checkout.fingerprint() == before
    assert (checkout.root / "var/kdc-password").read_text() == password


def test_two_at_once_start_one(checkout):
    environment = {**os.environ, "KDC_BIN": str(BIN), "KDC_PORT": str(checkout.port)}
    both = [subprocess.Popen([checkout.root / "scripts/up.sh"], env=environment, stdin=subprocess.DEVNULL)
            for _ in range(2)]
    assert [one.wait(90) for one in both] == [0, 0]
    assert all(map(runs, checkout.pids().values()))


def test_up_recovers_from_a_crash(checkout):
    checkout.script("up.sh")
    crashed = checkout.pids()
    for pid in crashed.values():
        os.kill(pid, signal.SIGKILL)
    wait_until("both are dead", lambda: all(map(gone, crashed.values())))
    checkout.script("up.sh")
    assert checkout.listens()
    assert all(map(runs, checkout.pids().values()))


def test_stop_leaves_alone_who_has_a_stale_pid_now(checkout):
    checkout.script("up.sh")
    checkout.script("stop.sh")
    with subprocess.Popen(["sleep", "60"]) as bystander:
        for name in ("kdcd", "mariadb"):
            (checkout.root / "var" / f"{name}.pid").write_text(f"{bystander.pid}\n")
        checkout.script("stop.sh")
        assert bystander.poll() is None
        bystander.kill()


def test_a_taken_port_is_named(checkout):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", checkout.port))
        taken.listen()
        said = checkout.script("up.sh", check=1)
        assert f"Port {checkout.port} of 127.0.0.1 is taken" in said
        checkout.port = free_port()
        checkout.script("up.sh")
        assert checkout.listens(), "the port that is given next is taken into the configuration that is there"


@pytest.mark.parametrize("name", ["d" * 100, "with a space"])
def test_a_checkouts_path_may_be_deep_and_odd(folder, name):
    (folder / name).mkdir()
    checkout = Checkout(folder / name)
    try:
        checkout.script("up.sh")
        assert checkout.listens()
        assert checkout.fingerprint()
    finally:
        checkout.script("stop.sh")


def test_secrets_are_readable_by_their_owner_only(checkout):
    checkout.script("up.sh")
    var = checkout.root / "var"
    assert var.stat().st_mode & 0o777 == 0o700
    for name in ("kdc-password", "kdc-identity"):
        assert (var / name).stat().st_mode & 0o777 == 0o600
