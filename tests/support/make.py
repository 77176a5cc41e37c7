"""Commands that a test runs to their end, or can't do without; and make on the build under test."""
import fcntl
import os
import shutil
import subprocess

import pytest

from support.programs import BIN, ROOT

BUILD = BIN.parent


def output(*command, **more):
    """What it prints; it must succeed."""
    done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, encoding="utf-8", check=False, **more)
    assert done.returncode == 0, done.stdout
    return done.stdout


def need(name):
    if shutil.which(name) is None:
        pytest.skip(f"{name} isn't installed")


def make(*goals, umask=-1, **variables):
    """The make that runs the tests is not to be heard. Other tests make in the same build, for other places: one at a time."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    folder = os.open(BUILD, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        return output("make", "--no-print-directory", f"BUILD={os.path.relpath(BUILD, ROOT)}", *goals,
                      *(f"{name}={value}" for name, value in variables.items()), cwd=ROOT, env=environment, umask=umask)
    finally:
        os.close(folder)
