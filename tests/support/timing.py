"""How long something takes, on a machine that others use too."""
import time


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
