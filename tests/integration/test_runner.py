"""The runner's counting: a test that crashes, hangs or never ran must not look like one that passed."""
import importlib.util

import pytest

from support.programs import ROOT

pytestmark = pytest.mark.plain


@pytest.fixture(scope="module")
def runner():
    spec = importlib.util.spec_from_file_location("run_tests", ROOT / "tests" / "run_tests.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def count(runner, folder):
    """What the runner makes of a cmocka program that does what this shell script does."""

    def counted(script, timeout=20):
        program = folder / "test_program"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        result = runner.cmocka(program, folder / "log", timeout, ())
        return result.passed, [name for name, _ in result.failures], result.skipped
    return counted


BEGIN = "echo '[ RUN      ] {0}'; "
OK = BEGIN + "echo '[       OK ] {0}'; "
FAILED = BEGIN + "echo '[  FAILED  ] {0}'; "
SKIPPED = BEGIN + "echo '[  SKIPPED ] {0}'; "


def test_each_test_counts_once(count):
    script = OK.format("a") + FAILED.format("b") + SKIPPED.format("c") + "echo '[  FAILED  ] b' >&2; exit 1"
    assert count(script) == (1, ["test_program: b"], ["test_program: c"])


def test_a_crash_fails_the_test_that_ran(count):
    assert count(OK.format("a") + BEGIN.format("b") + "kill -SEGV $$") == (1, ["test_program: b"], [])


def test_a_hang_fails_the_test_that_ran(count):
    assert count(BEGIN.format("a") + "exec sleep 60", timeout=5) == (0, ["test_program: a"], [])


def test_a_failure_between_tests_fails_the_program(count):
    assert count(OK.format("a") + "exit 66") == (1, ["test_program"], [])


def test_a_program_without_tests_fails(count):
    assert count("exit 0") == (0, ["test_program"], [])


@pytest.mark.parametrize("stages, last, status", [
    ([("one", None, 2, [])], "2 passed, 0 failed", 0),
    ([("one", None, 2, ["x"])], "2 passed, 1 failed", 1),
    ([("one", None, 0, [])], "0 passed, 1 failed", 1),  # nothing to run
    ([("one", None, 0, ["x"]), ("two", "one", 5, [])], "0 passed, 2 failed", 1),  # the second needs the first
])
def test_last_line_and_exit_status(runner, monkeypatch, capsys, folder, stages, last, status):
    def stage(passed, failures):
        result = runner.Result()
        result.passed = passed
        for name in failures:
            result.fail(name, "")
        return result

    monkeypatch.setattr(runner, "ROOT", folder)
    monkeypatch.setattr(runner, "LOGS", folder / "logs")
    monkeypatch.setattr(runner.sys, "argv", ["run_tests.py"])
    monkeypatch.setattr(runner, "stages", lambda: [
        (name, needs, lambda passed=passed, failures=failures: stage(passed, failures))
        for name, needs, passed, failures in stages])
    assert runner.main() == status
    assert capsys.readouterr().out.splitlines()[-1] == last
