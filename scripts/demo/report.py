"""What the demo prints: headings, aligned rows, and the checks, whose count is the exit status."""
import os
import sys
import textwrap

LABEL = 24
CELL = 36
HEX_ROW = 24


class Report:
    def __init__(self, stream=sys.stdout):
        self._stream = stream
        self._colour = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._headings = 0
        self.checked = 0
        self.failed = []

    def _paint(self, code, text):
        return f"\033[{code}m{text}\033[0m" if self._colour else text

    def line(self, text=""):
        print(text, file=self._stream, flush=True)

    def heading(self, text):
        self._headings += 1
        self.line()
        self.line(self._paint("1;36", f"{self._headings}. {text}"))
        self.line()

    def note(self, text):
        for line in textwrap.wrap(text, 100):
            self.line("   " + line)

    def title(self, text):
        self.line("   " + self._paint("1", text))

    def row(self, label, *cells):
        """A label and one cell for each column."""
        padded = [str(cell).ljust(CELL) for cell in cells]
        self.line(f"   {label:<{LABEL}}{' '.join(padded)}".rstrip())

    def typed(self, text):
        self.line("   " + self._paint("32", "> " + text))

    def hex(self, label, data, most=4):
        """At most `most` rows of bytes, and how many there are in all."""
        for row in range(0, min(len(data), most * HEX_ROW), HEX_ROW):
            shown = data[row:row + HEX_ROW].hex(" ")
            self.row(label if row == 0 else "", shown)
        if len(data) > most * HEX_ROW:
            self.row("", f"… {len(data)} bytes in all")

    def check(self, good, text):
        self.checked += 1
        if not good:
            self.failed.append(text)
        self.line(f"   {self._paint('32', 'ok    ') if good else self._paint('1;31', 'FAILED')}  {text}")

    def result(self):
        """The last line; the exit status."""
        self.line()
        if self.failed or not self.checked:
            self.line(self._paint("1;31", f"{len(self.failed)} of {self.checked} checks FAILED:"))
            for text in self.failed:
                self.line(f"   {text}")
            return 1
        self.line(self._paint("1;32", f"All {self.checked} checks ok."))
        return 0


def start(data, most=12):
    """The first bytes in hexadecimal, and … when there are more."""
    return data[:most].hex() + ("…" if len(data) > most else "")
