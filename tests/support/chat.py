"""A person (or a script) with the real kdc-chat, and with folders of their own."""
import json
import pathlib
import select
import subprocess

import pexpect

from support.programs import SLOWER, environment, program, sanitizer_report


class Person:
    """`person.run("send", "bob", "hello")` runs to the end; start() leaves it running; spawn() gives it a terminal."""

    def __init__(self, folder, kdcd, name, password="correct horse", pin=True):
        self.folder = pathlib.Path(folder)
        self.kdcd = kdcd
        self.name = name
        self.password = password
        self.pin = pin
        self.env = environment(self.folder)
        self.password_file = self.folder / "password"
        self.password_file.touch(mode=0o600)
        self.password_file.write_text(password)
        self._running = []

    def command(self, *arguments, login=True):
        """The command line; with login=False it doesn't say who logs in, as a person types it."""
        options = ["--server", self.kdcd.server]
        if self.pin:
            options += ["--fingerprint", self.kdcd.fingerprint]
        if login:
            options += ["--user", self.name, "--password-file", str(self.password_file)]
        return [program("kdc-chat"), *options, *map(str, arguments)]

    def run(self, *arguments, text=None, timeout=30, check=None, login=True):
        """`check` is the exit status that is expected; None takes any."""
        done = subprocess.run(
            self.command(*arguments, login=login), env=self.env, cwd=self.folder, input=text or "",
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", timeout=timeout * SLOWER, check=False)
        assert not sanitizer_report(done.stderr), done.stderr
        if check is not None:
            assert done.returncode == check, f"exit status {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def start(self, *arguments, login=True):
        """Left running; end_all() ends it with the test."""
        process = subprocess.Popen(
            self.command(*arguments, login=login), env=self.env, cwd=self.folder, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", start_new_session=True)
        self._running.append(process)
        return process

    def finish(self, process, timeout=30):
        """Waits for a started one: its exit status, output and errors."""
        output, errors = process.communicate(timeout=timeout * SLOWER)
        assert not sanitizer_report(errors), errors
        return process.returncode, output, errors

    def finish_json(self, process, timeout=30):
        status, output, errors = self.finish(process, timeout)
        assert status == 0, f"exit status {status}\n{output}{errors}"
        return [json.loads(line) for line in output.splitlines()]

    def spawn(self, *arguments, login=False, timeout=15):
        """With a pseudo-terminal: pexpect's spawn."""
        first, *rest = self.command(*arguments, login=login)
        child = pexpect.spawn(first, rest, env={**self.env, "TERM": "xterm-256color"}, cwd=str(self.folder),
                              encoding="utf-8", timeout=timeout * SLOWER, dimensions=(24, 100))
        self._running.append(child)
        return child

    def end_all(self):
        for process in self._running:
            if isinstance(process, pexpect.spawn):
                process.close(force=True)
                continue
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(5 * SLOWER)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait(5)
            for stream in (process.stdin, process.stdout, process.stderr):
                stream.close()
        self._running.clear()


def read_line(process, seconds=30):
    """The next line that a running kdc-chat prints; nothing behind it may be there yet."""
    ready, _, _ = select.select([process.stdout], [], [], seconds * SLOWER)
    assert ready, "nothing was printed"
    return process.stdout.readline()


def detached(person, *arguments, login=True, text="", env=None):
    """Runs kdc-chat where there is no terminal at all."""
    done = subprocess.run(
        person.command(*arguments, login=login), env={**person.env, **(env or {})}, input=text, cwd=person.folder,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", timeout=60 * SLOWER, check=False,
        start_new_session=True)
    assert not sanitizer_report(done.stderr), done.stderr
    return done


def listening(person, *arguments):
    """A listener that is online already."""
    process = person.start("listen", "--json", "--all", *arguments)
    line = json.loads(read_line(process))
    assert line["type"] == "ready", line
    return process


def talking(terminal, alice, bob):
    """Two people in two terminals, talking to each other."""
    a, b = terminal(alice), terminal(bob)
    a.type("/to bob")
    a.wait(r"^-- The conversation with bob is open: epoch 1, 3des-cbc-hmac-sha512$")
    a.wait_last("alice → bob>")
    b.wait(r"^-- alice opened a conversation with you: epoch 1, 3des-cbc-hmac-sha512; "
           r"type alice, or /to alice,\s+to\s+answer$")
    b.wait_last("bob>")
    b.type("alice")
    b.wait("^-- You talk to alice; online$")
    b.wait_last("bob → alice>")
    return a, b


def unwrapped(screen):
    """With the rows of long texts joined again."""
    return screen.replace("\n         | ", " ")
