#!/usr/bin/python3
"""Runs every test, stage by stage, and counts them one by one.

    tests/run_tests.py [--quick] [--list] [STAGE...]

A stage's output goes to build/test-logs/; what failed is shown at the end, and the last line is `N passed, N failed`.
Exit status: 0 when all passed; 1 when something failed, or when a stage had nothing to run.
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOGS = ROOT / "build" / "test-logs"
JOBS = len(os.sched_getaffinity(0))
FUZZ_SECONDS = 8
UNIT_SECONDS = 180  # when one hangs; the longest takes 22 s of processor
SHOWN_LINES = 60
LONG_UNITS = ("test_sim_schedules", "test_handshake_tamper")  # begin first, so that nobody waits for them alone
# For races, a program of one thread needn't be run once more. (What import hashes in threads, test_admin_import_many has.)
LEFT_OUT = {"thread": ["admin_audit", "admin_database", "admin_export", "admin_import", "admin_user"]}

SANITIZER_ENV = {
    "ASAN_OPTIONS": "abort_on_error=0:exitcode=66:detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:exitcode=66",
    "TSAN_OPTIONS": "halt_on_error=1:exitcode=66:second_deadlock_stack=1",
    "LSAN_OPTIONS": "exitcode=66",
}


class Result:
    """What one stage (or one program of it) gave."""

    def __init__(self):
        self.passed = 0
        self.skipped = []
        self.failures = []  # (name, text to show)

    def add(self, other):
        self.passed += other.passed
        self.skipped += other.skipped
        self.failures += other.failures

    def fail(self, name, text):
        self.failures.append((name, text))


def sanitizer_prefix():
    """With many bits of address randomisation, gcc 12's and clang 14's sanitizers can't find room for their shadow."""
    try:
        bits = int(pathlib.Path("/proc/sys/vm/mmap_rnd_bits").read_text())
    except (OSError, ValueError):
        bits = 0
    fixed = ["setarch", "-R"]
    if bits > 28 and subprocess.run([*fixed, "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
        return fixed
    return []


def run(command, log, timeout, env=None, separate=False):
    """Runs a command in the checkout, in a process group of its own, so that a timeout ends all of it.

    Returns its exit status (None: timed out), its output, and its errors if they are to be kept separate."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8", **SANITIZER_ENV, **(env or {})}
    # Of the make that runs this, nothing goes to those that it runs.
    for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "BUILD", "SAN", "CC"):
        environment.pop(name, None)
    with subprocess.Popen(
        [str(part) for part in command], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if separate else subprocess.STDOUT, start_new_session=True,
    ) as process:
        try:
            output, errors = process.communicate(timeout=timeout)
            status = process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, errors = process.communicate()
            status = None
        except BaseException:
            os.killpg(process.pid, signal.SIGTERM)
            raise
    output = output.decode("utf-8", "replace")
    errors = (errors or b"").decode("utf-8", "replace")
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(output + errors)
    return status, output, errors


def how_it_ended(status, timeout):
    if status is None:
        return f"still ran after {timeout} s"
    if status < 0:
        return f"ended by {signal.Signals(-status).name}"
    return f"exit status {status}"


def tail(text):
    lines = text.rstrip().splitlines()
    if len(lines) > SHOWN_LINES:
        lines = [f"... ({len(lines) - SHOWN_LINES} lines more in {LOGS.relative_to(ROOT)}/)"] + lines[-SHOWN_LINES:]
    return "\n".join(lines)


def build(name, *arguments):
    result = Result()
    timeout = 600
    status, output, _ = run(["make", "--no-print-directory", "-k", f"-j{JOBS}", *arguments],
                            LOGS / f"{name}.log", timeout)
    if status == 0:
        result.passed = 1
    else:
        wrong = [line for line in output.splitlines() if not re.match(r"  (CC|AR|LINK|SQL) +\S+$", line)]
        result.fail("build", f"{how_it_ended(status, timeout)}\n" + tail("\n".join(wrong)))
    return result


def cmocka(program, log, timeout, prefix):
    """One cmocka program. A test counts by its own line; one that has begun and has no end has failed."""
    result = Result()
    name = program.name
    status, output, errors = run([*prefix, program], log, timeout, separate=True)
    begun = None
    for word, test in re.findall(r"\[ +(RUN|OK|FAILED|SKIPPED) +\] (\S+)", output):
        if word == "RUN":
            if begun:
                result.fail(f"{name}: {begun}", "")
            begun = test
            continue
        if test != begun:
            continue
        begun = None
        if word == "OK":
            result.passed += 1
        elif word == "SKIPPED":
            result.skipped.append(f"{name}: {test}")
        else:
            result.fail(f"{name}: {test}", "")
    if begun:
        result.fail(f"{name}: {begun}", "")
    if status != 0 and not result.failures:
        result.fail(name, "")
    if not result.passed and not result.failures and not result.skipped:
        result.fail(name, "it ran no test\n")
    if result.failures:
        first, text = result.failures[0]
        result.failures[0] = (first, f"{text}{how_it_ended(status, timeout)}\n" + tail(output + errors))
    return result


def unit(name, directory, slower=1, prefix=()):
    result = Result()
    programs = [directory / "unit" / source.stem for source in (ROOT / "tests/unit").glob("test_*.c")]
    programs.sort(key=lambda program: (program.name not in LONG_UNITS, program.name))
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        for one in pool.map(
            lambda program: cmocka(program, LOGS / name / f"{program.name}.log", UNIT_SECONDS * slower, prefix)
            if program.exists() else missing(program), programs,
        ):
            result.add(one)
    return result


def missing(program):
    result = Result()
    result.fail(program.name, "not built")
    return result


def pytest(name, directory, folders, san="", timeout=600, prefix=()):
    result = Result()
    folders = [folder for folder in folders if any((ROOT / folder).rglob("test_*.py"))]
    if not folders:
        return result
    report = LOGS / f"{name}.xml"
    report.unlink(missing_ok=True)
    command = [*prefix, "/usr/bin/python3", "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", "-n",
               str(3 * JOBS), "-o", "junit_family=xunit2", "-o", "junit_logging=system-out", f"--junitxml={report}",
               *(f"--ignore=tests/integration/test_{left_out}.py" for left_out in LEFT_OUT.get(san, ())), *folders]
    status, output, _ = run(command, LOGS / f"{name}.log", timeout,
                            {"KDC_BIN": str(directory / "bin"), "KDC_SAN": san, "PYTHONDONTWRITEBYTECODE": "1"})
    if not report.exists():
        result.fail("pytest", f"{how_it_ended(status, timeout)}\n" + tail(output))
        return result
    for case in ElementTree.parse(report).iter("testcase"):
        test = f"{case.get('classname', '').removeprefix('tests.')}::{case.get('name')}"
        wrong = [child for child in case if child.tag in ("failure", "error")]
        if wrong:
            printed = [child for child in case if child.tag == "system-out"]
            result.fail(test, "\n".join(tail(child.text or child.get("message", "")) for child in wrong + printed))
        elif case.find("skipped") is not None:
            result.skipped.append(f"{test}: {case.find('skipped').get('message')}")
        else:
            result.passed += 1
    if status != 0 and not result.failures:
        result.fail("pytest", f"{how_it_ended(status, timeout)}\n" + tail(output))
    return result


def lint(name):
    result = Result()
    timeout = 240
    status, output, _ = run(["scripts/lint.sh"], LOGS / f"{name}.log", timeout)
    found = []
    for line in output.splitlines():
        verdict = re.fullmatch(r"(ok|not ok) (\S+)", line)
        if not verdict:
            found.append(line)
        elif verdict[1] == "ok":
            result.passed += 1
            found = []
        else:
            result.fail(verdict[2], tail("\n".join(found)))
            found = []
    if status != 0 and not result.failures:
        result.fail("lint", f"{how_it_ended(status, timeout)}\n" + tail(output))
    return result


def fuzz_one(source, directory, prefix):
    """A short run from the seeds in the repository and from what earlier runs found here."""
    result = Result()
    name = source.stem
    program = directory / "bin" / name
    if not program.exists():
        return missing(program)
    found = directory / "corpus" / name
    artifacts = directory / "artifacts"
    found.mkdir(parents=True, exist_ok=True)
    artifacts.mkdir(parents=True, exist_ok=True)
    command = [*prefix, program, f"-max_total_time={FUZZ_SECONDS}", "-timeout=10", "-rss_limit_mb=1500",
               "-print_final_stats=1", "-verbosity=1", f"-artifact_prefix={artifacts}/{name}-", found]
    seeds = ROOT / "tests/fuzz/corpus" / name.removeprefix("fuzz_")
    if seeds.is_dir():
        command.append(seeds)
    words = source.with_suffix(".dict")
    if words.exists():
        command.insert(len(prefix) + 1, f"-dict={words}")
    timeout = 8 * FUZZ_SECONDS + 60
    status, output, _ = run(command, LOGS / "fuzz" / f"{name}.log", timeout)
    runs = re.search(r"stat::number_of_executed_units: *(\d+)", output)
    if status == 0 and runs and int(runs[1]) > 0:
        result.passed = 1
    else:
        result.fail(name, f"{how_it_ended(status, timeout)}\n" + tail(output))
    return result


def fuzz(directory, prefix):
    result = Result()
    sources = sorted((ROOT / "tests/fuzz").glob("fuzz_*.c"))
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        for one in pool.map(lambda source: fuzz_one(source, directory, prefix), sources):
            result.add(one)
    return result


def bench_tsan(name, directory):
    """Messages and logins at once, as fast as they go: one test for each of its runs."""
    result = Result()
    timeout = 240
    status, output, _ = run(["tests/bench/tsan.sh", directory / "bin"], LOGS / f"{name}.log", timeout)
    result.passed = len(re.findall(r"(?<! not) clean$", output, re.MULTILINE))
    if status != 0 or not result.passed:
        result.fail("kdc-bench", f"{how_it_ended(status, timeout)}\n" + tail(output))
    return result


def stages():
    """(name, what it needs, what it runs), in order."""
    plain, clang, asan, tsan, fuzzed = (ROOT / "build" / part for part in ("", "clang", "asan", "tsan", "fuzz"))
    everything = ["tests/integration", "tests/e2e", "tests/interop", "tests/model"]
    prefix = sanitizer_prefix()
    return [
        ("build", None, lambda: build("build", "all", "units", "benches")),
        ("unit", "build", lambda: unit("unit", plain)),
        ("build-clang", None, lambda: build("build-clang", "CC=clang", "BUILD=build/clang", "all", "units", "benches")),
        ("unit-clang", "build-clang", lambda: unit("unit-clang", clang)),
        ("lint", None, lambda: lint("lint")),
        ("programs", "build", lambda: pytest("programs", plain, everything)),
        ("build-fuzz", None, lambda: build("build-fuzz", "SAN=fuzz", "BUILD=build/fuzz", "fuzzers")),
        ("fuzz", "build-fuzz", lambda: fuzz(fuzzed, prefix)),
        ("build-asan", None, lambda: build("build-asan", "SAN=address", "BUILD=build/asan", "all", "units")),
        ("unit-asan", "build-asan", lambda: unit("unit-asan", asan, 4, prefix)),
        ("programs-asan", "build-asan",
         lambda: pytest("programs-asan", asan, everything[:1], "address", prefix=prefix)),
        ("build-tsan", None, lambda: build("build-tsan", "SAN=thread", "BUILD=build/tsan", "all", "units", "benches")),
        ("unit-tsan", "build-tsan", lambda: unit("unit-tsan", tsan, 8, prefix)),
        ("programs-tsan", "build-tsan",
         lambda: pytest("programs-tsan", tsan, everything[:1], "thread", prefix=prefix)),
        ("bench-tsan", "build-tsan", lambda: bench_tsan("bench-tsan", tsan)),
    ]


QUICK = ("build", "unit")


def main():
    parser = argparse.ArgumentParser(description="Runs the tests and counts them.")
    parser.add_argument("--quick", action="store_true", help="only: " + ", ".join(QUICK))
    parser.add_argument("--list", action="store_true", help="the stages' names")
    parser.add_argument("stage", nargs="*", help="only these stages, and what they need")
    arguments = parser.parse_args()
    every = stages()
    if arguments.list:
        print("\n".join(name for name, _, _ in every))
        return 0
    wanted = set(arguments.stage or (QUICK if arguments.quick else [name for name, _, _ in every]))
    unknown = wanted - {name for name, _, _ in every}
    if unknown:
        parser.error("no such stage: " + ", ".join(sorted(unknown)))
    wanted |= {needs for name, needs, _ in every if name in wanted and needs}

    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)
    total = Result()
    broken = set()
    begin = time.monotonic()
    for name, needs, action in every:
        if name not in wanted:
            continue
        start = time.monotonic()
        if needs in broken:
            result = Result()
            result.fail(name, f"not run: {needs} failed")
        else:
            result = action()
            if not result.passed and not result.failures:
                result.fail(name, "there was nothing to run")
        if result.failures:
            broken.add(name)
        words = f"{result.passed} passed, {len(result.failures)} failed"
        if result.skipped:
            words += f", {len(result.skipped)} skipped"
        print(f"{name:<14} {words:<36} {time.monotonic() - start:6.1f} s", flush=True)
        result.failures = [(f"{name}: {test}", text) for test, text in result.failures]
        result.skipped = [f"{name}: {test}" for test in result.skipped]
        total.add(result)

    for test in total.skipped:
        print(f"skipped: {test}")
    for test, text in total.failures:
        print(f"\n--- {test}")
        if text:
            print(text)
    print(f"\n{time.monotonic() - begin:.0f} s; logs in {LOGS.relative_to(ROOT)}/")
    print(f"{total.passed} passed, {len(total.failures)} failed", flush=True)
    return 1 if total.failures or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
