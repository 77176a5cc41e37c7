"""The programs under test, and how to wait for something without sleeping too long."""
import os
import pathlib
import re
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BIN = pathlib.Path(os.environ.get("KDC_BIN", ROOT / "build" / "bin")).resolve()
SANITIZER = os.environ.get("KDC_SAN", "")
# Everything is slower there, so every limit of time is longer.
SLOWER = {"": 1, "address": 4, "thread": 8}[SANITIZER]

_REPORT = re.compile(r"(ERROR|WARNING): \w+Sanitizer|runtime error: |SUMMARY: \w+Sanitizer")


def program(name):
    path = BIN / name
    assert path.exists(), f"{path} isn't built"
    return str(path)


def sanitizer_report(text):
    """From the first sanitizer's report in `text` on; None when there is none."""
    found = _REPORT.search(text)
    return text[found.start():] if found else None


def wait_until(what, condition, seconds=10):
    """Returns the first true value of condition(); fails with `what` when there is none in time."""
    end = time.monotonic() + seconds * SLOWER
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"not within {seconds * SLOWER} s: {what}"
        time.sleep(0.02)


def environment(folder, extra=None):
    """For a program under test: nothing of the one who runs the tests but the path and the sanitizers' options."""
    kept = {name: value for name, value in os.environ.items() if name == "PATH" or name.endswith("SAN_OPTIONS")}
    folder = pathlib.Path(folder)
    private = {
        "HOME": folder / "home", "XDG_CONFIG_HOME": folder / "config", "XDG_DATA_HOME": folder / "data",
        "XDG_STATE_HOME": folder / "state", "XDG_CACHE_HOME": folder / "cache", "XDG_RUNTIME_DIR": folder / "run",
    }
    for path in private.values():
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return {**kept, **{name: str(path) for name, path in private.items()}, "LC_ALL": "C.UTF-8", "TERM": "dumb",
            "TZ": "UTC", **(extra or {})}
