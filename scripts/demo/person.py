"""One person: the real kdc-chat at the end of pipes, with private folders, and all that was typed, seen and traced."""
import os
import re
import subprocess
import threading
import time


class NotSeen(Exception):
    """What should have come did not come in time."""


class Person:
    def __init__(self, name, password_file, folder, program, tap, fingerprint, wait):
        self.name = name
        self.tap = tap
        self.status = None  # the exit status, once there is one
        self.screen = []    # (typed?, line), in order
        self.trace = []     # the lines of --debug
        self._changed = threading.Condition()
        self._process = None
        self._readers = []
        self._command = [program, "--server", tap.server, "--fingerprint", fingerprint, "--user", name,
                         "--password-file", password_file, "--debug"]
        self._folder = folder
        self._wait_seconds = wait

    def start(self):
        # Nothing of the one who runs the demo: no configuration, no known KDCs.
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("KDC_CHAT_", "XDG_"))}
        environment = {**kept, "HOME": self._folder, "TERM": "dumb", "LC_ALL": "C.UTF-8"}
        self._process = subprocess.Popen(
            self._command, env=environment, cwd=self._folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, encoding="utf-8", errors="replace", start_new_session=True)
        for stream, take in ((self._process.stdout, self._take_seen), (self._process.stderr, self.trace.append)):
            reader = threading.Thread(target=self._read, args=(stream, take), daemon=True)
            reader.start()
            self._readers.append(reader)

    def _take_seen(self, line):
        self.screen.append((False, line))

    def _read(self, stream, take):
        for line in stream:
            with self._changed:
                take(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def types(self, line):
        with self._changed:
            self.screen.append((True, line))
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise NotSeen(f"{self.name} could not type: {error}") from None

    def seen(self):
        with self._changed:
            return [line for typed, line in self.screen if not typed]

    def traced(self, pattern):
        """The matches of a pattern in the lines of --debug."""
        with self._changed:
            return [match for line in self.trace if (match := re.search(pattern, line))]

    def _wait(self, what, condition):
        end = time.monotonic() + self._wait_seconds
        with self._changed:
            while not (value := condition()):
                left = end - time.monotonic()
                over = not any(reader.is_alive() for reader in self._readers)
                if left <= 0 or over:
                    why = "kdc-chat ended" if over else f"not within {self._wait_seconds} s"
                    raise NotSeen(f"{self.name}: {what}: {why}")
                self._changed.wait(min(left, 0.5))
        return value

    def sees(self, text):
        """Waits until a line that holds `text` is on the screen."""
        self._wait(f"should see '{text}'", lambda: any(text in line for line in self.seen()))

    def takes_epoch(self, epoch):
        self._wait(f"should take epoch {epoch}", lambda: self.traced(rf"^epoch taken: .*, epoch {epoch},"))

    def wait_end(self):
        try:
            self.status = self._process.wait(self._wait_seconds)
        except subprocess.TimeoutExpired:
            raise NotSeen(f"{self.name}: kdc-chat did not end within {self._wait_seconds} s") from None
        for reader in self._readers:
            reader.join(5)

    def end(self):
        """Whatever state it is in."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
