"""store_probe (tests/integration/store_probe.c): the store as kdcd's workers use it, one call at a time."""
import subprocess

from support.programs import BIN, SLOWER, environment, sanitizer_report

PROBE = BIN.parent / "probe" / "store_probe"


class Probe:
    """`probe("find", "alice")` gives the words of the answer: the result first."""

    def __init__(self, config, folder):
        self.process = subprocess.Popen([PROBE, config], env=environment(folder), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        self.error = ""

    def __call__(self, *words):
        self.process.stdin.write("\t".join(map(str, words)).encode() + b"\n")
        line = self.process.stdout.readline().decode()
        assert line, self.process.stderr.read().decode()
        answer, _, self.error = line.rstrip("\n").partition(" | ")
        return answer.split(" ")

    def end(self):
        self.process.stdin.close()
        status = self.process.wait(20 * SLOWER)
        errors = self.process.stderr.read().decode()
        self.process.stdout.close()
        self.process.stderr.close()
        assert status == 0 and not sanitizer_report(errors), errors


def race(config, folder, threads, rounds, a, b):
    """[(conversation, epoch)] in the order in which they came."""
    done = subprocess.run([PROBE, config, "race", *map(str, (threads, rounds, a, b))], env=environment(folder),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60 * SLOWER, check=False)
    assert done.returncode == 0 and not sanitizer_report(done.stderr), done.stdout + done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert all(len(words) == 2 for words in lines), done.stdout
    return [(int(conversation), int(epoch)) for conversation, epoch in lines]
