#!/usr/bin/python3
"""Runs every mode of kdc-bench with its limits, prints one table with the ratios, and writes docs/benchmarks.md.

    tests/bench/run.py [--seconds N] [--only WORD] [--json FILE] [--document FOLDER] FOLDER_OF_THE_PROGRAMS

`limit` is what this machine allows for the same work, measured in the same run; `ratio` is measured to limit, and `wanted`
the bound for it; `at most` is the bound for what was measured; `peer` is the best known server of another
kind on a machine like the one that it was measured on. With --only there are only the rows whose section or name has that
in it ("attribution" and "plots" count as such), and no document unless --document says where. Exit status 1 when a run
had a fault; a figure that was missed is told, and is none.
"""
import argparse
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile

import attribution
import document
import machine
import rows

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CHURN_TO_SECONDS = 30  # churn takes so many times --seconds: two minutes, of which one is judged
SWEEP_TO_SECONDS = 0.25
LAYOUT = "{:<34} {:<11} {:>9} {:>9} {:>7}  {:<7} {:>7} {:>7}  {}"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=4, help="of each measurement (4)")
    parser.add_argument("--sessions", type=int, default=10000, help="idle ones (10000, as far as descriptors allow)")
    parser.add_argument("--only", help="rows whose section or name has this in it")
    parser.add_argument("--json", type=pathlib.Path, help="where to keep all reports, one a line")
    parser.add_argument("--document", type=pathlib.Path, help="where to write benchmarks.md and benchmarks/ (docs)")
    return parser.parse_args()


class Runs:
    """What kdc-bench reported, by command: each is run once."""

    def __init__(self, options):
        self.program = options.bin / "kdc-bench"
        self.seconds = options.seconds
        # The generator and kdcd each need a descriptor for every session, and some besides.
        sessions = min(options.sessions, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 700)
        self.words = {"sessions": sessions, "churn": options.seconds * CHURN_TO_SECONDS,
                      "sweep": max(0.5, options.seconds * SWEEP_TO_SECONDS)}
        self.json = options.json
        self.done = {}
        self.bad = False

    def command(self, words):
        return ["--seconds", f"{self.seconds:g}", *(word.format(**self.words) for word in words)]

    def words_of(self, words):
        """As a person would type it: the mode first, and what the program would do anyway left out."""
        command = self.command(words)
        options = command[:2] if "--seconds" not in command[2:] else []
        return " ".join([command[2], *options, *command[3:]])

    def report(self, words):
        """None after a fault."""
        command = self.command(words)
        key = tuple(command)
        if key not in self.done:
            done = subprocess.run([str(self.program), *command, "--json"], cwd=ROOT, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, text=True, check=False)
            self.done[key] = json.loads(done.stdout) if done.returncode == 0 else None
            if done.returncode != 0:
                self.bad = True
                print(f"failed: kdc-bench {' '.join(command)}: exit status {done.returncode}", flush=True)
            if self.json:
                with self.json.open("a") as out:
                    out.write(json.dumps({"command": command, "report": json.loads(done.stdout or "null")}) + "\n")
        return self.done[key]


def find(report, section, path):
    value = report.get(section, {})
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


class Result:
    """One row: what came of it. `value` is None after a fault."""

    def __init__(self, row, runs):
        self.row = row
        report = runs.report(row.command)
        other = runs.report(row.second) if row.second else report
        self.value = self.limit = self.ratio = None
        if report is None or other is None:
            return
        self.value = find(report, "result", row.figure)
        self.limit = find(report, "limit", row.figure)
        self.ratio = find(report, "ratio", (row.ratio,)) if row.ratio else None
        if row.second:
            self.value, self.limit = find(other, "result", row.figure), self.value
            self.ratio = 2 * self.limit / self.value if self.limit and self.value else None
        if self.value is None or (row.ratio and self.ratio is None):
            runs.bad = True
            print(f"failed: {row.section}, {row.name}: the report has no such figure or ratio", flush=True)
            self.value = self.limit = self.ratio = None
            return
        self.value /= row.per
        self.limit = None if self.limit is None else self.limit / row.per

    def verdict(self):
        """"ok", what is missed, or nothing where nothing was asked."""
        row = self.row
        if self.value is None:
            return "failed"
        missed = []
        if self.ratio is not None and row.wanted is not None:
            sign, bound = row.wanted.split()
            if (self.ratio > float(bound)) if sign == "<" else (self.ratio < float(bound)):
                missed.append("ratio")
        if row.most is not None and self.value > row.most:
            missed.append("figure")
        if missed:
            return "missed: " + ", ".join(missed)
        return "ok" if row.wanted is not None or row.most is not None else "-"

    def columns(self):
        row = self.row
        return [row.name, row.unit, show(self.value), show(self.limit), show(self.ratio), row.wanted or "-",
                f"<= {row.most:g}" if row.most is not None else "-", show(row.peer), self.verdict()]


def show(number):
    return "-" if number is None else f"{number:.4g}"


def measure(runs, wanted):
    results = []
    for row in rows.ROWS:
        if wanted(row.section) or wanted(row.name):
            result = Result(row, runs)
            results.append(result)
            print(LAYOUT.format(*result.columns()), flush=True)
    return results


def attribute(options):
    if not attribution.available():
        print("perf is missing (Debian's linux-perf): nothing is said of where a message's time goes", flush=True)
        return []
    done = [(name, attribution.profile(options.bin, command, options.seconds)) for name, command in rows.PROFILED]
    for name, one in done:
        if one is not None:
            top = sorted(one["shares"].items(), key=lambda pair: -pair[1])[:5]
            print(f"relay, {name}: {one['ns']:.0f} ns of CPU a message: "
                  + ", ".join(f"{where} {share:.0%}" for where, share in top), flush=True)
    return [(name, one) for name, one in done if one is not None]


def main():
    options = arguments()
    os.environ["LC_ALL"] = "C.UTF-8"
    print(machine.line() + "; server and generator share them\n")
    described = machine.description(options.bin)
    print(LAYOUT.format("what", "unit", "measured", "limit", "ratio", "wanted", "at most", "peer", ""), flush=True)

    def wanted(name):
        return not options.only or options.only in name

    folder = options.document or (None if options.only else ROOT / "docs")
    with tempfile.TemporaryDirectory(prefix="kdc-bench-template-") as template:
        os.environ["KDC_BENCH_TEMPLATE"] = str(pathlib.Path(template) / "template")
        runs = Runs(options)
        results = measure(runs, wanted)
        profiles = attribute(options) if wanted("attribution") else []
        if wanted("plots") and folder is not None:
            for series in rows.SWEEPS:
                for _, command in series:
                    runs.report(command)
    if folder is not None:
        if shutil.which("gnuplot") is None:
            print("gnuplot is missing (Debian's gnuplot-nox): the document has no plots", flush=True)
        document.write(folder, described, results, runs, profiles)
        print(f"\n{folder / 'benchmarks.md'} is written")
    if not results and not profiles:
        print(f"--only {options.only}: there is nothing of that name. Sections are: "
              + ", ".join(dict.fromkeys(row.section for row in rows.ROWS)), file=sys.stderr)
        return 2
    missed = [result for result in results if result.verdict().startswith("missed")]
    print(f"{len(missed)} of {len(results)} figures missed" if missed else f"{len(results)} figures, none missed")
    return 1 if runs.bad else 0


if __name__ == "__main__":
    sys.exit(main())
