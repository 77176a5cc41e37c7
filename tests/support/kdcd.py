"""A real kdcd with a database of its own, and the operator's kdc-admin beside it."""
import functools
import getpass
import json
import pathlib
import re
import secrets
import signal
import subprocess

from support.importing import bcrypt
from support.ports import free_port
from support.programs import SLOWER, environment, program, sanitizer_report, wait_until

READY = re.compile(r"ready to accept connections on (\[?[0-9a-fA-F.:]+\]?):(\d+)\D")


def write_config(path, sections):
    lines = []
    for section, keys in sections.items():
        lines.append(f"[{section}]")
        lines += [f"{key} = {value}" for key, value in keys.items() if value is not None]
        lines.append("")
    path.write_text("\n".join(lines))


class Database:
    """A fresh schema in a running MariaDB, with an account for kdcd, made by `kdc-admin db init`."""

    def __init__(self, mariadb, folder, init=True):
        self.mariadb = mariadb
        self.folder = pathlib.Path(folder)
        self.name = mariadb.new_name()
        self.user = self.name
        self.password = secrets.token_hex(16)
        self.password_file = self.folder / "kdc-password"
        self.password_file.touch(mode=0o600)
        self.password_file.write_text(self.password)
        self.config = self.folder / "database.conf"
        write_config(self.config, {**self.sections(), "identity": {"file": "kdc-identity"}})
        if init:
            self.admin("db", "init")
            self.query("TRUNCATE TABLE audit")  # that it was made stands in it

    def sections(self):
        return {
            "database": {"socket": self.mariadb.socket, "name": self.name, "user": self.user,
                         "password_file": self.password_file},
            "admin": {"user": getpass.getuser()},
        }

    def admin(self, *arguments, check=True):
        return run_admin(self.config, self.folder, arguments, check)

    def connect(self):
        """As kdcd does: with the rights that its account has."""
        return self.mariadb.connect(self.user, self.password, self.name)

    def connect_admin(self):
        return self.mariadb.connect(database=self.name)

    def query(self, sql, arguments=None):
        """The rows of an administrator's query."""
        with self.connect_admin() as connection, connection.cursor() as cursor:
            cursor.execute(sql, arguments)
            return cursor.fetchall()

    def drop(self):
        with self.mariadb.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS `{self.name}`")
            cursor.execute(f"DROP USER IF EXISTS `{self.user}`@localhost")


@functools.cache
def hash_of(password):
    return bcrypt(cost=10, password=password)


def run_admin(config, folder, arguments, check=True):
    done = subprocess.run(
        [program("kdc-admin"), "--config", str(config), *map(str, arguments)], env=environment(folder),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30 * SLOWER,
        check=False)
    assert not sanitizer_report(done.stderr), done.stderr
    if check:
        assert done.returncode == 0, f"kdc-admin {' '.join(map(str, arguments))}: {done.stdout}{done.stderr}"
    return done


class Kdcd:
    """Sections of the configuration may be overridden: Kdcd(database, folder, policy={"groups": "ffdhe4096"})."""

    def __init__(self, database, folder, **sections):
        self.database = database
        self.folder = pathlib.Path(folder)
        self.config = self.folder / "kdc.conf"
        self.log_file = self.folder / "kdcd.log"
        self.process = None
        self.address = "127.0.0.1"
        self.port = free_port()
        self._seen = 0
        self._sections = {
            "listen": {"address": self.address, "port": self.port},
            "identity": {"file": self.folder / "kdc-identity"},
            "control": {"socket": self.folder / "kdcd.sock"},
            # The cheapest that policy allows: what bcrypt costs is not what most tests are about.
            "policy": {"registration": "open", "bcrypt_cost": 10},
            "limits": {},
            # Who types wrong passwords waits longer and longer: test_penalties.py is about that.
            "penalties": {"enabled": "off"},
            **database.sections(),
        }
        self.configure(**sections)

    def configure(self, **sections):
        """Changes keys (None: back to the default) for the next start, or for a reload."""
        for section, keys in sections.items():
            self._sections.setdefault(section, {}).update(keys)
        write_config(self.config, self._sections)

    def start(self, wait=True, prefix=(), **options):
        """`prefix`: a program that starts it; `options` go to Popen (another stderr has no log)."""
        self._seen = len(self.log())
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [*prefix, program("kdcd"), "--config", str(self.config)], env=environment(self.folder),
                **{"start_new_session": True, "stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, **options})
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self):
        def ready():
            found = READY.search(self.log()[self._seen:])
            assert found or self.process.poll() is None, f"kdcd ended with {self.process.returncode}:\n{self.log()}"
            return found
        self.port = int(wait_until("kdcd is ready", ready, 20)[2])

    @property
    def server(self):
        return f"{self.address}:{self.port}"

    @property
    def pid(self):
        return self.process.pid

    @property
    def fingerprint(self):
        return self.admin("identity", "show", "--fingerprint").stdout.strip()

    def log(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def wait_log(self, pattern, seconds=10, since=0):
        """The match of a pattern in the log (from character `since` on), once it is there."""
        return wait_until(f"kdcd logs {pattern!r}\n{self.log()[-2000:]}",
                          lambda: re.search(pattern, self.log()[since:]), seconds)

    def admin(self, *arguments, check=True):
        return run_admin(self.config, self.folder, arguments, check)

    def admin_json(self, *arguments):
        return json.loads(self.admin(*arguments, "--json").stdout)

    def add_user(self, name, password="correct horse"):
        """With a hash that was computed before: hardly a test is about how an account comes to be."""
        path = self.folder / f"new-user-{secrets.token_hex(4)}.csv"
        path.write_text(f"name,hash\n{name},{hash_of(password)}\n")
        self.admin("user", "import", path)
        path.unlink()

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def kill(self):
        """Without warning; start() starts it again on the same port."""
        self.process.kill()
        self.process.wait(10)
        self.process = None

    def stop(self):
        """As an operator does it. It must drain, end with 0, and no sanitizer may have complained."""
        if self.process is not None:
            process, self.process = self.process, None
            if process.poll() is None:
                process.terminate()
            try:
                status = process.wait(20 * SLOWER)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
                raise AssertionError(f"kdcd did not end after SIGTERM:\n{self.log()[-3000:]}") from None
            assert not sanitizer_report(self.log()), sanitizer_report(self.log())
            assert status == 0, f"kdcd ended with {status}:\n{self.log()[-3000:]}"
        assert not sanitizer_report(self.log()), sanitizer_report(self.log())
