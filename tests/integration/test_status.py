"""kdc-admin status --watch: on a terminal, and into a pipe; also when kdcd goes away and comes back."""
import itertools
import json
import re
import signal
import subprocess
import time

import pytest

from interop.attack import connect
from support.admin_exit import USAGE, NOT_RUNNING
from support.kdcd import Database
from support.programs import SLOWER, environment, program, wait_until
from support.terminal import Terminal

TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ"


def command_of(kdc, *arguments):
    return [program("kdc-admin"), "--config", str(kdc.config), "status", *arguments]


@pytest.fixture
def watch(folder):
    """watch(kdc, "--watch") shows it on a terminal."""
    shown = []

    def make(kdc, *arguments, **size):
        terminal = Terminal(folder, command_of(kdc, *arguments), environment(folder), **size)
        shown.append(terminal)
        return terminal
    yield make
    for terminal in shown:
        terminal.close()


@pytest.fixture
def pipe(folder):
    started = []

    def make(kdc, *arguments):
        one = subprocess.Popen(command_of(kdc, *arguments), env=environment(folder), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(one)
        return one
    yield make
    for one in started:
        one.kill()
        one.communicate()


# --- While it ends ---------------------------------------------------------------------------------------------------

def test_until_it_has_drained_it_says_so(own_mariadb, folder, kdcd):
    kdc = kdcd(Database(own_mariadb, folder), start=False)
    kdc.configure(limits={"drain_seconds": 1}, database={"read_timeout": 30, "connect_timeout": 30})
    kdc.start()
    kdc.known_fingerprint = kdc.fingerprint
    kdc.add_user("alice")
    own_mariadb.pause()
    with connect(kdc) as client:
        # Something that it waits for, longer than for who reads slowly.
        client.send_message("login", name=b"alice", password=b"correct horse")
        wait_until("the database is asked", lambda: kdc.admin_json("status")["database_connections"]["busy"] >= 2)
        kdc.process.terminate()
        wait_until("it drains", lambda: not kdc.admin_json("status")["ready"])
        assert kdc.admin_json("status")["not_ready"].startswith("draining: ")
        assert "people can't log in: draining: " in kdc.admin("status").stdout
        time.sleep(2)
        assert kdc.process.poll() is None and kdc.admin_json("status")["not_ready"].startswith("draining: ")
        assert kdc.admin_json("who") == [] and kdc.admin("kick", "alice", check=False).returncode != NOT_RUNNING
    own_mariadb.resume()
    process, kdc.process = kdc.process, None
    assert process.wait(20 * SLOWER) == 0
    assert kdc.admin("status", check=False).returncode == NOT_RUNNING and not (kdc.folder / "kdcd.sock").exists()


# --- On a terminal -----------------------------------------------------------------------------------------------

def test_it_refreshes_in_place_and_ctrl_c_ends_it_with_0(started, watch):
    kdc = started()
    screen = watch(kdc, "--watch", "1", rows=80)
    screen.wait(r"sessions +0$")
    first = re.search(TIME, screen.rows()[0])[0]
    assert re.match(rf"{TIME}  every 1 s", screen.rows()[0])
    with connect(kdc, "alice"):
        screen.wait(r"sessions +1$")
        rows = screen.rows()
        assert re.search(TIME, rows[0])[0] > first
        assert rows.count("kdcd") == 1 and rows[1] == "kdcd"
    screen.wait(r"sessions +0$")
    screen.key("C-c")
    assert screen.status() == 0
    # What was there before is there again, and nothing of ours.
    assert "sessions" not in screen.screen() and "every 1 s" not in screen.screen()


@pytest.mark.plain
def test_a_picture_is_one_write_that_erases_nothing_first(started, folder):
    """What flickers is a screen that is emptied and filled again."""
    kdc = started()
    trace = folder / "trace"
    screen = Terminal(folder, ["strace", "-o", str(trace), "-e", "trace=write", "-s", "100000", "--",
                               *command_of(kdc, "--watch", "1")], environment(folder), rows=80)
    try:
        screen.wait(r"sessions +0$|ptrace")
        if "ptrace" in screen.screen():
            pytest.skip("strace isn't allowed here")
        first = screen.rows()[0]
        wait_until("there is another picture", lambda: screen.rows()[0] != first)
        screen.key("q")
        assert screen.status() == 0
    finally:
        screen.close()
    writes = [line for line in trace.read_text().splitlines() if line.startswith("write(1,")]
    pictures = [line for line in writes if "Sessions" in line]
    assert len(pictures) >= 2 and len(writes) == len(pictures) + 2  # entering, and leaving
    assert all(line.startswith(r'write(1, "\33[H') and r"\33[2J" not in line for line in pictures)


def test_kdcd_may_go_and_come_back(started, watch):
    kdc = started()
    screen = watch(kdc, "--watch", "1", columns=200)
    screen.wait(r"sessions +0$")
    kdc.stop()
    screen.wait(rf"{TIME}  .*isn't running")
    assert len(screen.rows()) > 10  # what it said last
    kdc.start()
    screen.wait(rf"{TIME}  every 1 s")
    screen.key("q")
    assert screen.status() == 0


def test_on_a_usual_terminal_it_says_at_once_that_kdcd_is_gone(started, watch):
    kdc = started()
    screen = watch(kdc, "--watch", "1", columns=80, rows=24)
    screen.wait(r"sessions +0$")
    kdc.stop()
    screen.wait(rf"^{TIME}  kdcd isn't running; as it was {TIME}$")


def test_without_a_kdcd_a_narrow_terminal_shows_all_of_why(started, watch):
    kdc = started()
    kdc.stop()
    screen = watch(kdc, "--watch", "1", columns=40, rows=24)
    screen.wait(rf"^{TIME}  kdcd isn't running$")
    assert "it isn't running, or has another configuration" in " ".join(row.strip() for row in screen.rows())
    assert str(kdc.folder / "kdcd.sock") in "".join(row.strip() for row in screen.rows())


def test_what_is_wrong_comes_first_and_whole(own_mariadb, folder, kdcd, watch):
    kdc = kdcd(Database(own_mariadb, folder))
    assert kdc.admin("status").stdout.startswith("kdcd\n")
    own_mariadb.stop()
    wait_until("it has been seen", lambda: not kdc.admin_json("status")["ready"])
    why = kdc.admin_json("status")["not_ready"]
    assert kdc.admin("status").stdout.startswith(f"Wrong now\n  people can't log in: {why}\n\nkdcd\n")
    for columns in (80, 40):
        screen = watch(kdc, "--watch", "1", columns=columns, rows=24)
        screen.wait("^Wrong now$")
        rows = screen.rows()
        wrong = rows[2:rows.index("")]
        assert "".join(wrong).replace(" ", "") == "peoplecan'tlogin:" + why.replace(" ", "")
        assert all(len(row) <= columns for row in rows)
        screen.key("q")
        assert screen.status() == 0


def test_a_page_of_a_healthy_kdcd_is_no_wider_than_a_usual_terminal(started):
    kdc = started(threads={"workers": 12})

    def page():
        """Its lines, and the rows about connections once those are there that stay: upkeep has one more now and then."""
        lines = kdc.admin("status").stdout.splitlines()
        table = lines[next(i for i, line in enumerate(lines) if line.startswith("  CONNECTION")):]
        rows = table[:table.index("")]
        return len(rows) == 15 and (lines, rows)
    lines, rows = wait_until("there are 15 rows", page)
    assert max(map(len, lines)) <= 80
    calls = rows[0].index("CALLS")
    assert all(re.match(r"\d", row[calls:]) and row[calls - 1] == " " for row in rows[1:]), "\n".join(rows)


def test_another_size_is_drawn_at_once_and_a_small_one_scrolls(started, watch):
    kdc = started()
    screen = watch(kdc, "--watch", "3600", columns=100, rows=20)
    screen.wait("takes logins")
    assert len(screen.rows()) == 20
    screen.resize(30, 9)
    wait_until("it fits", lambda: len(screen.rows()) == 9 and screen.rows()[0].startswith("20"))
    assert all(len(row) <= 30 for row in screen.rows()) and screen.rows()[1] == "kdcd"
    screen.key("Down")
    wait_until("it has scrolled", lambda: "version" in screen.rows()[1])
    screen.key("Up")
    wait_until("it has scrolled back", lambda: screen.rows()[1] == "kdcd")
    for _ in range(30):
        screen.key("PageDown")
    last = kdc.admin("status").stdout.splitlines()[-1].split("  ")[1]
    # What is too long takes a second row.
    wait_until("the last line is the lowest", lambda: screen.rows()[-2].startswith("  " + last))
    screen.resize(100, 90)
    screen.wait("takes logins")
    wait_until("it begins with the first", lambda: screen.rows()[1] == "kdcd")
    screen.key("C-c")
    assert screen.status() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_ends_restore_the_terminal_too(started, watch, number, folder):
    kdc = started()
    screen = watch(kdc, "--watch")
    screen.wait(r"sessions +0$")
    found = subprocess.run(["pgrep", "-f", f"{kdc.config} status --watch"], capture_output=True, text=True, check=True)
    for pid in found.stdout.split():
        with open(f"/proc/{pid}/comm", encoding="ascii") as comm:
            if comm.read().strip() == "kdc-admin":
                subprocess.run(["kill", f"-{number.value}", pid], check=True)
    assert screen.status() == 0
    assert "sessions" not in screen.screen()


# --- Into a pipe -------------------------------------------------------------------------------------------------

def test_a_line_of_json_each_time_and_an_end_with_0(started, pipe):
    kdc = started()
    one = pipe(kdc, "--json", "--watch", "1")
    uptimes = [json.loads(one.stdout.readline())["uptime_seconds"] for _ in range(3)]

    def two_seconds_on():
        uptimes.append(json.loads(one.stdout.readline())["uptime_seconds"])
        return all(0.8 < later - earlier < 1.2 for earlier, later in itertools.pairwise(uptimes[-3:]))
    wait_until("it comes each second, where nobody is held up", two_seconds_on, 20)
    kdc.stop()
    while "error" not in (line := json.loads(one.stdout.readline())):
        pass
    assert "isn't running" in line["error"]
    kdc.start()
    while "sessions" not in json.loads(one.stdout.readline()):
        pass
    one.send_signal(signal.SIGINT)
    assert one.wait(5 * SLOWER) == 0
    assert "\033" not in one.stdout.read() + one.stderr.read()


def test_a_page_each_time_without_a_terminals_codes(started, pipe):
    kdc = started()
    one = pipe(kdc, "--watch", "1")
    text = ""
    while len(re.findall(rf"^{TIME}\nkdcd\n", text, re.MULTILINE)) < 2:
        text += one.stdout.readline()
    one.send_signal(signal.SIGTERM)
    assert one.wait(5 * SLOWER) == 0
    assert "\033" not in text


def test_a_reader_that_goes_ends_it(started, pipe):
    kdc = started()
    one = pipe(kdc, "--watch", "1", "--json")
    one.stdout.readline()
    one.stdout.close()
    assert one.wait(10 * SLOWER) == 1
    assert "could not be written" in one.stderr.read()
    one.stdout = None


@pytest.mark.parametrize("arguments", [("--watch", "0"), ("--watch", "x"), ("--watch", "1.5"), ("--watch", "3601"), ("--watch", ""),
                                       ("5",), ("--watch=1",), ("--watch", "1", "2")])
def test_what_isnt_a_number_of_seconds_is_refused(admin, arguments):
    assert admin("status", *arguments, status=USAGE).stdout == ""


def test_without_watch_a_kdcd_that_isnt_there_is_an_error(admin):
    assert "isn't running" in admin("status", status=NOT_RUNNING).stderr
