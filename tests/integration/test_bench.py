"""kdc-bench measures what it says, and finds what is lost, doubled or out of order. About the instrument, not about speed."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

from support.mariadb import make_template
from support.programs import ROOT, environment, program, wait_until

pytestmark = pytest.mark.plain

# For kdc-bench-relay: its protocol (tests/bench/bare_relay.c), with something done to the 20th frame from one side.
FAULTY_RELAY = """#!/usr/bin/python3
import json, os, socket, struct, sys
listening = socket.create_server(("127.0.0.1", 0))
print(json.dumps({{"server": "127.0.0.1:%d" % listening.getsockname()[1], "pid": os.getpid()}}), flush=True)

def frame(connection):
    header = connection.recv(4, socket.MSG_WAITALL)
    if len(header) < 4:
        os._exit(0)
    return header + connection.recv(struct.unpack(">I", header)[0], socket.MSG_WAITALL)

ends = {{}}
while len(ends) < 2:
    connection = listening.accept()[0]
    hello = frame(connection)
    ends[hello[4:]] = connection
first, second = (ends[number] for number in sorted(ends))
for number in ends:
    ends[number].sendall(b"\\0\\0\\0\\4" + number)
seen = 0
while True:
    data = frame(first)
    seen += 1
    if seen == 20:
        {fault}
    else:
        second.sendall(data)
"""


def bench(*arguments, binary=None, **options):
    # In a session of its own the kernel shares the processor out between it and the other tests; else those of its threads that
    # step back for others (overload's strangers) would hardly run beside them.
    return subprocess.Popen([binary or program("kdc-bench"), *map(str, arguments), "--json"], cwd=ROOT, start_new_session=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def finish(process, timeout=60):
    output, errors = process.communicate(timeout=timeout)
    return process.returncode, json.loads(output) if output else None, errors


@pytest.fixture
def attach(folder):
    """The options by which kdc-bench takes a running kdcd, and makes its accounts there."""
    def options(kdc):
        password = folder / "password"
        password.touch(mode=0o600)
        password.write_text("correct horse\n")
        return ["--server", kdc.server, "--pid", kdc.pid, "--register", "--users", "measured", "--password-file", password]
    return options


def is_measured(report, *numbers):
    used = report["result"]["used"]
    assert report["faults"] == {"errors": 0, "lost": 0, "doubled": 0, "out_of_order": 0}
    assert used["server_cpu_s"] > 0 and used["generator_cpu_s"] > 0 and used["seconds"] > 0
    assert report["server"]["peak_rss"] >= report["server"]["rss"] >= report["server"]["pss"] > 0
    for number in numbers:
        assert report["result"][number] > 0, number
    latency = report["result"]["latency"]
    assert 0 < latency["p50_us"] <= latency["p99_us"] <= latency["max_us"]


@pytest.mark.parametrize("mode, options, numbers, ratios", [
    ("handshake", ["--concurrency", 2], ["count", "per_s", "server_cpu_ms_each"], ["cpu_to_arithmetic"]),
    ("login", ["--concurrency", 2, "--cost", 10, "--seconds", 1], ["count", "server_cpu_ms_each"],
     ["rate_to_bcrypt", "cpu_to_bcrypt"]),
    ("login", ["--concurrency", 2, "--cost", 10, "--prepared", "--sessions", 60], ["count", "server_cpu_ms_each"],
     ["rate_to_bcrypt"]),
    ("resume", ["--concurrency", 2], ["count", "per_s", "server_cpu_ms_each"], ["cpu_to_arithmetic"]),
    ("keys", ["--concurrency", 2], ["count", "per_s", "server_cpu_ms_each"], []),
    ("keys", ["--concurrency", 40, "--pairs", 2], ["count", "per_s", "server_cpu_ms_each"], []),
    ("pingpong", ["--count", 500], ["round_trips", "server_cpu_us_each"], ["p50_to_bare", "p99_to_bare"]),
    ("relay", ["--pairs", 3], ["delivered", "delivered_per_s", "server_cpu_s_per_100k"],
     ["cpu_to_bare", "cpu_to_bare_and_aead", "p50_to_bare"]),
    ("relay", ["--pairs", 2, "--inner", "real", "--size", 4000], ["delivered", "server_cpu_s_per_100k"], ["cpu_to_bare"]),
    ("relay", ["--pairs", 2, "--batch", "--window", 100], ["delivered", "server_cpu_s_per_100k"], ["cpu_to_bare"]),
    ("idle", ["--pairs", 1, "--sessions", 20], ["sessions", "delivered"], ["cpu_to_none_idle"]),
])
def test_each_mode_reports_what_it_measured_and_its_limit(kdcd, attach, mode, options, numbers, ratios):
    kdc = kdcd(limits={"opens_per_minute": 0})
    status, report, errors = finish(bench(mode, "--seconds", 0.5, *options, *attach(kdc)))
    assert status == 0, errors
    assert report["mode"] == mode
    is_measured(report, *numbers)
    for ratio in ratios:
        assert report["ratio"][ratio] > 0, ratio


def test_storm_fills_the_workers_with_logins_and_compares(kdcd, attach):
    kdc = kdcd(limits={"connections_per_source": 1000})
    status, report, errors = finish(bench("storm", "--seconds", 1, "--pairs", 2, "--concurrency", 4, "--cost", 10,
                                          *attach(kdc)))
    assert status == 0, errors
    is_measured(report, "logins", "workers_busy")
    for section in ("result", "limit"):
        for part in ("pingpong", "talk"):
            assert report[section][part]["messages"] > 0 and report[section][part]["latency"]["p99_us"] > 0
    assert report["ratio"]["pingpong_p99"] > 0 and report["ratio"]["talk_p99"] > 0


def test_overload_asks_for_more_than_there_is_and_tells_what_became_of_it(kdcd, attach):
    kdc = kdcd(limits={"connections_before_login": 100})  # far fewer than come
    status, report, errors = finish(bench("overload", "--seconds", 2, "--pairs", 4, "--rate", 2500, "--sources", 20,
                                          *attach(kdc)))
    assert status == 0, errors
    is_measured(report, "rss_before", "rss_peak", "rss_after")
    load = report["result"]["load"]
    assert sum(load[kind]["begun"] for kind in load) > 1000
    assert load["silent"]["busy"] > 0 and 0 < load["silent"]["busy_after"]["p50_us"]
    for kind in load.values():
        assert kind["begun"] >= kind["busy"] + kind["other_word"] + kind["no_word"]
    for stage in ("quiet", "during", "after"):
        assert report["result"][stage]["messages"] > 0
    alone, beside = report["result"]["quiet"], report["limit"]["during"]
    assert beside["messages"] > 0 and beside["used"]["generator_cpu_s"] > 2 * alone["used"]["generator_cpu_s"]
    assert report["result"]["login_normal_after_s"] > 0 and report["ratio"]["during_p99"] > 0
    assert report["ratio"]["during_p99_to_hogs"] > 0


def test_restart_brings_everybody_back_by_ticket(folder):
    status, report, errors = finish(bench("restart", "--spawn", "--sessions", 20, "--cost", 10, env=environment(folder)))
    assert status == 0, errors
    is_measured(report, "all_back_s", "accepts_after_ms", "server_cpu_ms_each")
    assert report["result"]["by_ticket"] + report["result"]["by_password"] == report["result"]["sessions"] == 20
    assert report["result"]["by_ticket"] > 0 and report["ratio"]["back_to_arithmetic"] > 0


def test_restart_is_for_a_kdcd_of_its_own(kdcd, attach):
    status, report, _ = finish(bench("restart", "--sessions", 2, *attach(kdcd())))
    assert status == 1 and "--spawn" in report["faults"]["first"]


def test_churn_samples_the_memory_while_sessions_come_and_leave(kdcd, attach):
    status, report, errors = finish(bench("churn", "--seconds", 1, "--concurrency", 4, *attach(kdcd())))
    assert status == 0, errors
    result = report["result"]
    assert result["logins"] > 0 and result["left_in_order"] > 0 and result["vanished"] > 0
    assert len(result["rss"]) == 60 and all(rss > 0 for _, rss in result["rss"])
    assert result["used"]["server_cpu_s"] > 0 and "growth" in result and report["limit"]["growth"] > 0


def test_what_spawn_starts_is_tied_to_its_cores_and_gone_afterwards(folder):
    environ = {**environment(folder), "TMPDIR": str(folder)}
    before = set(os.listdir(folder))
    core = min(os.sched_getaffinity(0))
    process = bench("relay", "--spawn", "--pairs", 2, "--seconds", 0.5, "--server-cpus", core, "--cpus", core, env=environ)
    made = wait_until("the scratch folder is there", lambda: set(os.listdir(folder)) - before)
    status, report, errors = finish(process)
    assert status == 0, errors
    is_measured(report, "delivered")
    # It was tied to its core before it counted how many it has.
    assert report["options"]["reactors"] == report["options"]["workers"] == 1 and report["ratio"]["cpu_to_bare"] > 0
    assert not made & set(os.listdir(folder))


def processes_of(folder):
    """What was started with a path in there on its command line."""
    found = set()
    for line in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if os.fsencode(folder) in line.read_bytes():
                found.add(pathlib.Path(os.fsdecode(line.read_bytes().split(b"\0")[0])).name)
    return found


def test_what_spawn_starts_ends_with_whoever_started_it(folder):
    """However that ends, alone or with its process group: timeout(1) and an interrupt reach all of it."""
    environ = {**environment(folder), "KDC_BENCH_TEMPLATE": str(folder / "template")}
    make_template(folder / "template")
    started = []
    for sig, send in ((signal.SIGTERM, os.kill), (signal.SIGTERM, os.killpg), (signal.SIGINT, os.killpg),
                      (signal.SIGKILL, os.killpg)):
        own = folder / str(len(started))
        own.mkdir()
        process = bench("relay", "--spawn", "--pairs", 1, "--seconds", 120, "--no-limits",
                        env={**environ, "TMPDIR": str(own)})
        started.append((own, process, sig, send))
    for own, process, sig, send in started:
        wait_until("kdcd runs", lambda own=own: processes_of(own) == {"kdcd", "mariadbd"}, 60)
        send(process.pid, sig)
        assert process.wait(10) != 0
    for own, _, sig, _ in started:
        wait_until(f"{sig!r}: all is gone", lambda own=own: not processes_of(own) and not os.listdir(own), 20)


@pytest.mark.parametrize("mode", ["relay", "pingpong", "handshake", "keys", "resume", "churn"])
def test_a_kdcd_that_dies_in_the_middle_makes_it_fail(kdcd, attach, mode):
    kdc = kdcd(limits={"opens_per_minute": 0})
    process = bench(mode, "--pairs", 2, "--concurrency", 2, "--seconds", 20, "--count", 10000000, "--no-limits",
                    *attach(kdc))
    wait_until("there are connections", lambda: kdc.admin_json("status")["connections"] > 0)
    time.sleep(0.5)
    kdc.kill()
    status, report, errors = finish(process, 15)
    assert status == 1 and report["faults"]["errors"] > 0, report
    assert "mean nothing" in errors


@pytest.mark.parametrize("fault, found", [
    ("pass", "out_of_order"),
    ("second.sendall(data + data)", "doubled"),
    ("after = frame(first); second.sendall(after + data)", "out_of_order"),
    ("second.sendall(data[:-1] + bytes([data[-1] ^ 1]))", "errors"),
    ("sys.stdin.read(); os._exit(0)", "lost"),
])
def test_a_relay_that_loses_doubles_or_swaps_is_found_out(kdcd, attach, folder, fault, found):
    """By the same code that judges what kdcd delivers."""
    binary = shutil.copy(program("kdc-bench"), folder)
    relay = folder / "kdc-bench-relay"
    relay.write_text(FAULTY_RELAY.format(fault=fault))
    relay.chmod(0o755)
    kdc = kdcd()
    status, report, errors = finish(
        bench("relay", "--pairs", 1, "--window", 4, "--seconds", 5, *attach(kdc), binary=binary))
    assert status == 1 and report["result"]["delivered"] > 0, errors
    assert report["faults"][found] > 0, report["faults"]


def test_a_refused_login_makes_it_fail(kdcd, attach):
    kdc = kdcd(policy={"registration": "closed"})
    status, report, _ = finish(bench("relay", "--pairs", 1, "--seconds", 0.3, *attach(kdc)))
    assert status == 1 and "registration_closed" in report["faults"]["first"]


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["relay", "--pairs", "0"], ["relay", "--inner", "both"],
                                       ["relay", "--server", "127.0.0.1:1"], ["relay", "--seconds", "nan"],
                                       ["handshake", "--group", "ffdhe1024"], ["relay", "--suite", "rot13"]])
def test_a_wrong_command_line_is_refused(arguments):
    assert finish(bench(*arguments))[0] == 2
