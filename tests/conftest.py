"""Fixtures of the tests of whole programs. Every part is real; each test has private folders and its own database.

    def test_that(kdcd, person):
        kdc = kdcd(policy={"groups": "ffdhe3072"})
        alice, bob = person(kdc, "alice"), person(kdc, "bob")
        listener = bob.start("listen", "--json", "--count", "1")
        ...

The programs are taken from $KDC_BIN (default build/bin); $KDC_SAN names the sanitizer that they were built with.
"""
import contextlib
import itertools
import os
import pathlib
import shutil
import signal
import tempfile

import pytest

from support.chat import Person
from support.kdcd import Database, Kdcd
from support.mariadb import MariaDb, make_template
from support.programs import SANITIZER

MEMORY = "/dev/shm"
MEMORY_MIN = 6 << 30  # bytes free

# Where the tests were started in the background, interrupts are ignored; the programs under test would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config, items):
    if not SANITIZER:
        return
    left_out = [item for item in items if item.get_closest_marker("slow") or item.get_closest_marker("plain")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def place():
    """Where all folders are: in memory, if there is plenty of it, for databases write much; nothing of theirs is to outlast a power
    cut. $TMPDIR, if it is set."""
    with contextlib.suppress(OSError):
        memory = os.statvfs(MEMORY)
        if "TMPDIR" not in os.environ and memory.f_bavail * memory.f_frsize >= MEMORY_MIN and not memory.f_flag & os.ST_NOEXEC:
            return MEMORY
    return None


@pytest.fixture(scope="session")
def session_folder():
    """Not pytest's own: a UNIX socket's path has room for 107 bytes only."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="kdc-test-", dir=place()))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def new_folder(session_folder):
    """new_folder() makes one more private folder, with a short path."""
    numbers = itertools.count(1)

    def make():
        path = session_folder / str(next(numbers))
        path.mkdir(mode=0o700)
        return path
    return make


@pytest.fixture
def folder(new_folder):
    return new_folder()


@pytest.fixture(scope="session")
def mariadb_template(session_folder):
    path = session_folder / "template"
    make_template(path)
    return path


@pytest.fixture(scope="session")
def mariadb(new_folder, mariadb_template):
    """The one that tests share, each with its own database in it. It is never stopped by a test."""
    server = MariaDb(new_folder(), mariadb_template)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_mariadb(new_folder, mariadb_template):
    """One for this test alone, which may stop, pause and kill it. Its database: Database(own_mariadb, folder)."""
    server = MariaDb(new_folder(), mariadb_template)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(server.folder, ignore_errors=True)


@pytest.fixture
def database(mariadb, folder):
    """A fresh schema, migrated, and kdcd's account."""
    made = Database(mariadb, folder)
    yield made
    made.drop()


@pytest.fixture
def kdcd(database, new_folder):
    """kdcd(section={key: value}) starts one; other_database= takes another one, start=False leaves it stopped.

    At the end each gets SIGTERM and must end with 0."""
    started = []

    def make(other_database=None, start=True, **sections):
        daemon = Kdcd(other_database or database, new_folder(), **sections)
        started.append(daemon)
        return daemon.start() if start else daemon
    with contextlib.ExitStack() as stopping:
        yield make
        for daemon in started:
            stopping.callback(daemon.stop)
            print(f"--- {daemon.log_file}, the last lines", *daemon.log().splitlines()[-30:], sep="\n")  # shown when a test fails


@pytest.fixture
def person(new_folder):
    """person(kdc, "alice") has an account (account=False: none yet) and kdc-chat with folders of their own."""
    people = []

    def make(kdc, name, password="correct horse", account=True, pin=True):
        if account:
            kdc.add_user(name, password)
        one = Person(new_folder(), kdc, name, password, pin)
        people.append(one)
        return one
    yield make
    for one in people:
        one.end_all()
