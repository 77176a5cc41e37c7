"""A private MariaDB, as scripts/up.sh starts one, but in a folder of its own."""
import contextlib
import getpass
import os
import pathlib
import shutil
import signal
import subprocess

import pymysql

from support.programs import ROOT, wait_until

CONFIG = ROOT / "scripts" / "mariadb.cnf"
AS_ROOT = ["--user=root"] if os.geteuid() == 0 else []
PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"


def make_template(folder):
    """A fresh data folder, made once; each server starts from a copy of it."""
    # A server removes what it finds of its kind in its folder for temporary files: no two may share one.
    tmp = pathlib.Path(f"{folder}.tmp")
    tmp.mkdir()
    made = subprocess.run(
        ["mariadb-install-db", f"--defaults-file={CONFIG}", f"--datadir={folder}", *AS_ROOT,
         "--auth-root-authentication-method=socket", f"--auth-root-socket-user={getpass.getuser()}",
         "--skip-test-db", "--force"],
        env={**os.environ, "PATH": PATH, "TMPDIR": str(tmp)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False)
    assert made.returncode == 0, made.stdout


class MariaDb:
    def __init__(self, folder, template):
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "db"
        self.socket = self.folder / "mariadb.sock"
        self.log = self.folder / "mariadb.log"
        self.process = None
        self._made = 0
        self.tmp = self.folder / "tmp"
        self.tmp.mkdir()
        shutil.copytree(template, self.data)

    def start(self, *options, new_session=True):
        self.socket.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["mariadbd", f"--defaults-file={CONFIG}", *AS_ROOT, f"--datadir={self.data}",
                 f"--tmpdir={self.tmp}", f"--socket={self.socket}", f"--pid-file={self.data}/mariadbd.pid",
                 *options],
                env={**os.environ, "PATH": PATH}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=new_session, process_group=None if new_session else 0)
        wait_until("MariaDB starts", self._ready, 60)

    def _ready(self):
        assert self.process.poll() is None, "MariaDB ended:\n" + self.log.read_text(errors="replace")[-3000:]
        try:
            self.connect().close()
        except pymysql.err.OperationalError:
            return False
        return True

    def stop(self, sig=signal.SIGTERM):
        """Ends it; SIGKILL is how a test takes the database away without warning."""
        if self.process is None:
            return
        self.process.send_signal(sig)
        # A process that was stopped by SIGSTOP must run to end.
        self.process.send_signal(signal.SIGCONT)
        self.process.wait(60)
        self.process = None

    def pause(self):
        """It stays connected, and answers nothing."""
        self.process.send_signal(signal.SIGSTOP)
        # Each of its threads stops when it comes to it; until then it may answer.
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task")

        def stopped():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # one that has just ended
                return all((task / "stat").read_text().rpartition(")")[2].split()[0] == "T" for task in tasks.iterdir())
            return False
        wait_until("MariaDB stops", stopped)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def connect(self, user=None, password="", database=None):
        """A connection; without a user, the administrator's (by the operating system's user)."""
        return pymysql.connect(unix_socket=str(self.socket), user=user or getpass.getuser(), password=password,
                               database=database, autocommit=True, charset="utf8mb4")

    def new_name(self):
        self._made += 1
        return f"kdc_{self._made}"
