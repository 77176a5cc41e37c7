"""Two people talk through a KDC, with the real programs and without a terminal; then all of it is shown, and checked.

    python3 scripts/demo --bin FOLDER --config kdc.conf --server HOST:PORT --log FILE

Exit status: 0 only when everything that should have happened did; 1 otherwise.
"""
import argparse
import os
import pathlib
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import conversation
import sections
from person import NotSeen, Person
from report import Report
from wiretap import Wiretap

SUFFIX_LETTERS = "bcdfghjkmnpqrstvwxz23456789"
LOG_SECONDS = 5


class Operator:
    """kdc-admin and the log, as the one who runs the KDC has them."""

    def __init__(self, program, config, log):
        self._command = [program, "--config", config]
        self._log = log
        self._log_start = os.path.getsize(log)

    def admin(self, *arguments):
        """The output; raises NotSeen with what was said when it fails."""
        done = subprocess.run([*self._command, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise NotSeen(f"kdc-admin {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def log_lines(self):
        """What was logged since the start of the demo."""
        with open(self._log, encoding="utf-8", errors="replace") as log:
            log.seek(self._log_start)
            return log.read().splitlines()

    def wait_log(self, enough):
        """The last lines come a moment after the programs have ended."""
        end = time.monotonic() + LOG_SECONDS
        while not enough(self.log_lines()) and time.monotonic() < end:
            time.sleep(0.05)


def make_person(operator, name, folder, options, fingerprint):
    """An account with a random password, known only to a file in a private folder. The password, and the person."""
    home = folder / name
    home.mkdir(mode=0o700)
    password_file = home / "password"
    password = secrets.token_urlsafe(18)
    with open(os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(password + "\n")
    operator.admin("user", "add", name, "--password-file", str(password_file))
    host, _, port = options.server.rpartition(":")
    tap = Wiretap(host.strip("[]"), int(port))
    program = str(options.bin / "kdc-chat")
    return password, Person(name, str(password_file), str(home), program, tap, fingerprint, options.wait)


def tell(report, operator, people, passwords, fingerprint):
    """Runs the conversation, then all sections."""
    alice, bob = people
    who = []

    def look():
        table = operator.admin("who").splitlines()
        who.extend(line for i, line in enumerate(table) if i == 0 or alice.name in line or bob.name in line)
    try:
        conversation.talk(alice, bob, look)
        report.check(True, "the conversation took place, from the first line to both people's /quit")
        operator.wait_log(lambda lines: all(
            any(person.name in line and "left" in line for line in lines) for person in people))
    except NotSeen as error:
        report.check(False, f"the conversation broke off: {error}")
    for person in people:
        person.end()
    sections.screens(report, alice, bob)
    sections.handshake(report, alice, bob, fingerprint)
    sections.key_issue(report, alice, bob)
    sections.message(report, alice, bob)
    sections.wire(report, alice, bob, passwords)
    sections.log(report, alice, bob, operator.log_lines(), who, passwords)


def run(report, options, folder):
    operator = Operator(str(options.bin / "kdc-admin"), options.config, options.log)
    suffix = "".join(secrets.choice(SUFFIX_LETTERS) for _ in range(6))
    names = [f"{name}-{suffix}" for name in ("alice", "bob")]
    fingerprint = operator.admin("identity", "show", "--fingerprint").strip()
    report.heading("Two people")
    report.note(f"{names[0]} and {names[1]} get accounts and random passwords, and talk with kdc-chat through the KDC at "
                f"{options.server}. Between each of them and the KDC sits a proxy that records every byte.")
    report.line()
    made, people, passwords = [], [], []
    try:
        for name in names:
            password, person = make_person(operator, name, folder, options, fingerprint)
            made.append(name)
            people.append(person)
            passwords.append(password)
        tell(report, operator, people, passwords, fingerprint)
    finally:
        for person in people:
            person.end()
            person.tap.close()
        report.heading("Tidying up")
        for name in made:
            operator.admin("user", "delete", name, "--yes")
        left = operator.admin("user", "list")
        report.check(bool(made) and not any(name in left for name in names), "both accounts are deleted again")


def main():
    parser = argparse.ArgumentParser(prog="demo", description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="the folder with kdc-chat and kdc-admin")
    parser.add_argument("--config", required=True, help="the configuration of the KDC, for kdc-admin")
    parser.add_argument("--server", required=True, help="HOST:PORT, where that KDC listens")
    parser.add_argument("--log", required=True, help="the file that its log goes to")
    parser.add_argument("--wait", type=int, default=30, help="seconds that a step of the conversation may take")
    options = parser.parse_args()
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    report = Report()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kdc-chat-demo."))
    try:
        run(report, options, folder)
    except (NotSeen, OSError, subprocess.TimeoutExpired) as error:
        report.check(False, str(error))
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return report.result()


if __name__ == "__main__":
    sys.exit(main())
