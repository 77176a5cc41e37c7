"""How long something takes, on a machine that others use too."""
import threading
import time

TICK = 0.01
LATE = 0.02  # seconds that a tick may take without being held up


class _Stalls(threading.Thread):
    """How long this process has been held up, by the machine or the interpreter: what its ticks took beyond what they should."""

    def __init__(self):
        super().__init__(daemon=True)
        self.seen = time.monotonic(), 0  # when this tick began, and the sum of those before
        self.start()

    def run(self):
        while True:
            time.sleep(TICK)
            self.seen = self.sum()

    def sum(self):
        """Now, and for how long until now."""
        begin, before = self.seen  # first: what comes between these two lines counts as well
        now = time.monotonic()
        return now, before + max(0, now - begin - LATE)


_STALLS = _Stalls()


def clock():
    """Seconds in which this process could run: for upper bounds, which are about the programs under test and not the machine.
    Beside busy threads of the test itself it runs slow: no claim should stand on it alone there."""
    now, held_up = _STALLS.sum()
    return now - held_up


def ratio_of_times(one, other, least=5, most=9):
    """How many times as long one() takes as other(), by the shortest of several turns each: who else uses the machine only makes
    them longer. It takes more turns while the two don't look alike."""
    shortest = [float("inf")] * 2
    for turn in range(most):
        for i, what in enumerate((one, other)):
            begin = time.perf_counter()
            what()
            shortest[i] = min(shortest[i], time.perf_counter() - begin)
        ratio = shortest[0] / shortest[1]
        if turn + 1 >= least and 0.8 < ratio < 1.25:
            break
    return ratio
