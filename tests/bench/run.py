#!/usr/bin/python3
"""Runs every mode of kdc-bench with its limits, and prints one table with the ratios.

    tests/bench/run.py [--seconds N] [--only WORD] [--json FILE] FOLDER_OF_THE_PROGRAMS

`limit` is what this machine allows for the same work, measured in the same run; `peer` is the best known server of another
kind on a machine like the one that it was measured on (CPU per unit of work, so that it can be compared at all). Exit
status 1 when a run had a fault.
"""
import argparse
import json
import os
import pathlib
import platform
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CPU = ("server_cpu_s_per_100k",)
EACH = ("server_cpu_ms_each",)
P50 = ("latency", "p50_us")
P99 = ("latency", "p99_us")
RELAY = ["relay", "--pairs", "50", "--size", "100"]
ONE_CORE = ["--server-cpus", "0", "--cpus", "0"]
ONE_REACTOR = ["--reactors", "1", "--server-cpus", "0", "--cpus", "1"]  # and the generator on the other core
CHACHA = ["--suite", "chacha20-poly1305"]

# What, unit, arguments of kdc-bench, the figure, the ratio's name, what it should be at most ("<") or at least (">"),
# the figure's own bound, the best peer's figure.
ROWS = [
    ("handshake ffdhe3072", "CPU ms", ["handshake"], EACH, "cpu_to_arithmetic", "< 1.1", None, None),
    ("login, cost 10", "per s", ["login", "--cost", "10"], ("per_s",), "rate_to_bcrypt", "> 0.95", None, None),
    ("login, cost 10", "CPU ms", ["login", "--cost", "10"], EACH, "cpu_to_bcrypt", "< 1.05", None, None),
    ("login, cost 10, handshakes before", "per s", ["login", "--cost", "10", "--prepared"], ("per_s",),
     "rate_to_bcrypt", "> 0.95", None, None),
    ("login, cost 12", "per s", ["login", "--cost", "12"], ("per_s",), "rate_to_bcrypt", "> 0.95", None, None),
    ("login, cost 12", "CPU ms", ["login", "--cost", "12"], EACH, "cpu_to_bcrypt", "< 1.05", None, None),
    ("keys, 8 at a time", "CPU ms", ["keys"], EACH, None, None, 0.018, 0.177),
    ("keys, 64 at a time", "CPU ms", ["keys", "--concurrency", "64"], EACH, None, None, 0.018, 0.177),
    ("pingpong on one core, p50", "us", ["pingpong", *ONE_CORE], P50, "p50_to_bare", "< 1.2", 40, 47),
    ("pingpong on one core, p99", "us", ["pingpong", *ONE_CORE], P99, "p99_to_bare", None, 75, 81),
    ("relay, window 32", "CPU s/100k", RELAY, CPU, "cpu_to_bare", "< 1.25", 0.55, 0.68),
    ("relay, window 1", "CPU s/100k", [*RELAY, "--window", "1"], CPU, "cpu_to_bare", "< 1.25", 1.0, 1.22),
    ("relay, window 1, p50", "us", [*RELAY, "--window", "1"], P50, "p50_to_bare", None, None, None),
    ("relay, batched", "CPU s/100k", [*RELAY, "--batch"], CPU, "cpu_to_bare_and_aead", "< 1.25", 0.09, 0.09),
    ("relay, batched, chacha20", "CPU s/100k", [*RELAY, "--batch", *CHACHA], CPU, "cpu_to_bare_and_aead", "< 1.25",
     0.15, 0.18),
    ("relay, inner real, window 32", "CPU s/100k", [*RELAY, "--inner", "real"], CPU, "cpu_to_bare", None, None, None),
    ("relay, one reactor, window 32", "CPU s/100k", [*RELAY, *ONE_REACTOR], CPU, "cpu_to_bare", "< 1.25", None, None),
    ("relay, one reactor, window 1", "CPU s/100k", [*RELAY, "--window", "1", *ONE_REACTOR], CPU, "cpu_to_bare", "< 1.25",
     None, None),
    ("idle sessions, RSS of each", "bytes", ["idle"], ("rss_per_session",), None, None, 4096, 13200),
    ("idle sessions, chacha20", "bytes", ["idle", *CHACHA], ("rss_per_session",), None, None, 4096, 13200),
    ("relay beside the idle ones", "CPU s/100k", ["idle"], CPU, "cpu_to_none_idle", "< 1.2", None, None),
]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement (5)")
    parser.add_argument("--sessions", type=int, default=10000, help="idle ones (10000, as far as descriptors allow)")
    parser.add_argument("--only", help="rows whose name has this in it")
    parser.add_argument("--json", type=pathlib.Path, help="where to keep all reports, one a line")
    return parser.parse_args()


def sessions_that_fit(wanted):
    """The generator and kdcd each need a descriptor for every session, and some besides."""
    import resource
    return min(wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 700)


def measure(program, mode, seconds, sessions):
    command = [str(program), *mode, "--seconds", str(seconds), "--json"]
    if mode[0] == "idle":
        command += ["--sessions", str(sessions)]
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
    return json.loads(done.stdout) if done.stdout else None, done.returncode


def find(report, section, path):
    value = report.get(section, {})
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def verdict(value, ratio, wanted, bound):
    """"ok", or what is missed."""
    missed = []
    if ratio is not None and wanted is not None:
        sign, limit = wanted.split()
        if (ratio > float(limit)) if sign == "<" else (ratio < float(limit)):
            missed.append("ratio")
    if bound is not None and value > bound:
        missed.append("figure")
    return "missed: " + ", ".join(missed) if missed else "ok"


def show(number):
    return "-" if number is None else f"{number:.4g}"


def main():
    options = arguments()
    os.environ["LC_ALL"] = "C.UTF-8"
    cpu = next((line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.machine())
    print(f"{os.cpu_count()} cores, {cpu}, Linux {platform.release()}; server and generator share them\n")
    layout = "{:<34} {:<11} {:>9} {:>9} {:>7}  {:<7} {:>7} {:>7}  {}"
    print(layout.format("what", "unit", "measured", "limit", "ratio", "wanted", "wanted", "peer", ""), flush=True)
    done = {}
    bad = False
    for name, unit, mode, path, ratio_name, wanted, bound, peer in ROWS:
        if options.only and options.only not in name:
            continue
        key = tuple(mode)
        if key not in done:
            done[key] = measure(options.bin / "kdc-bench", mode, options.seconds, sessions_that_fit(options.sessions))
            if options.json:
                with options.json.open("a") as out:
                    out.write(json.dumps({"command": mode, "report": done[key][0]}) + "\n")
        report, status = done[key]
        if status != 0:
            bad = True
            print(f"{name:<34} failed: kdc-bench {' '.join(mode)}: exit status {status}", flush=True)
            continue
        value = find(report, "result", path)
        ratio = find(report, "ratio", (ratio_name,)) if ratio_name else None
        print(layout.format(name, unit, show(value), show(find(report, "limit", path)), show(ratio), wanted or "-",
                            f"< {bound}" if bound else "-", show(peer), verdict(value, ratio, wanted, bound)),
              flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
