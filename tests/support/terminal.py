"""A real terminal: tmux, with a program in its one pane."""
import contextlib
import os
import pathlib
import re
import signal
import subprocess
import time

from support.programs import SLOWER

# dash, other than bash, leaves the terminal's settings as the last program left them.
SHELL = ["env", "PS1=shell$ ", "dash", "-i"]


class Terminal:
    """What the program has printed stays readable after its end."""

    def __init__(self, folder, command, env, columns=100, rows=40):
        self._socket = str(folder / "tmux")
        self._status = folder / "tmux-status"
        self._status.unlink(missing_ok=True)
        config = folder / "tmux.conf"
        config.write_text("set -g remain-on-exit on\nset -g remain-on-exit-format ''\nset -g status off\n"
                          "set -g escape-time 0\nset -g default-terminal screen-256color\n")
        self._tmux("-f", str(config), "new-session", "-d", "-x", str(columns), "-y", str(rows), "--",
                   "bash", "-c", 'trap : INT; "$@"; echo $? >"$0"', str(self._status), *command,
                   env={**env, "TERM": "xterm-256color"})

    def _tmux(self, *arguments, env=None):
        return subprocess.run(["tmux", "-u", "-S", self._socket, *arguments], env=env, check=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, encoding="utf-8").stdout

    def type(self, text, enter=True):
        self._tmux("send-keys", "-l", "--", text)
        if enter:
            self.key("Enter")

    def key(self, *names):
        self._tmux("send-keys", *names)

    def signal(self, number):
        """To the program itself."""
        pane = self._tmux("display-message", "-p", "#{pane_pid}").strip()
        children = pathlib.Path(f"/proc/{pane}/task/{pane}/children").read_text(encoding="ascii")
        os.kill(int(children.split()[0]), number)

    def paste(self, text):
        self._tmux("set-buffer", "--", text)
        self._tmux("paste-buffer", "-p", "-r")

    def resize(self, columns, rows):
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def screen(self):
        """All lines, from the first that was ever printed on; a line that the terminal wrapped is one."""
        return "\n".join(line.rstrip() for line in self._tmux("capture-pane", "-p", "-J", "-S", "-").splitlines()).rstrip()

    def rows(self):
        """The rows as they are seen, without the empty ones at the bottom."""
        return self._tmux("capture-pane", "-p").rstrip().split("\n")

    def styled(self):
        """As screen(), with the colours."""
        return self._tmux("capture-pane", "-p", "-e", "-S", "-")

    def last(self):
        return self.rows()[-1].rstrip()

    def cursor(self):
        column, row = self._tmux("display-message", "-p", "#{cursor_x} #{cursor_y}").split()
        return int(column), int(row)

    def _until(self, what, condition, seconds):
        end = time.monotonic() + seconds * SLOWER
        while not (value := condition()):
            assert time.monotonic() < end, f"not within {seconds * SLOWER} s: {what} on the screen:\n{self.screen()}"
            time.sleep(0.03)
        return value

    def wait(self, pattern, seconds=15):
        """The match of a pattern on the screen, once it is there."""
        return self._until(repr(pattern), lambda: re.search(pattern, self.screen(), re.MULTILINE), seconds)

    def wait_last(self, text, seconds=15):
        """Until the last row, where the input is, says just that."""
        self._until(f"{text!r} as the last row", lambda: self.last() == text.rstrip(), seconds)

    def status(self, seconds=15):
        """The program's exit status, once it has ended."""
        def ended():
            return self._status.exists() and self._status.read_text().strip()
        return int(self._until("the end of the program", ended, seconds))

    def close(self):
        """Whoever still runs is killed first: the end of a terminal sends several signals, and a sanitizer's last look at a program
        doesn't survive them, but goes on for ever."""
        with contextlib.suppress(subprocess.CalledProcessError, ProcessLookupError):
            os.killpg(int(self._tmux("display-message", "-p", "#{pane_pid}")), signal.SIGKILL)
        subprocess.run(["tmux", "-S", self._socket, "kill-server"], stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
