"""How time and memory grow with the number of steps T and with the number of units n.

    python benchmarks/growth.py

Each way to the gradient runs on sequences of 2^5 to 2^14 steps, and on networks of more and more
units. A straight line through the larger half of the points, in logarithms, gives the exponent:
the cost grows like T to that power. The multiplications are counted, up to 2^10 steps, and so
is the peak of all tensors alive at once beyond the inputs; the time is measured on one thread, in
float32. Real-time
recurrent learning has small networks, because its cost grows with the fourth power of n.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from contest import arguments, median_times, publish, table
from matplotlib.figure import Figure

from bptt import (
    RNN,
    bptt,
    bptt_blocks,
    bptt_checkpointed,
    bptt_randomized,
    bptt_window,
    cross_entropy,
    rtrl,
)
from bptt.measure import multiplications, peak_bytes

B, INPUTS, K, ROUNDS = 4, 8, 16, 7
STEPS = [2**k for k in range(5, 15)]
STEPS_COUNTED = STEPS[:6]
UNITS = [2**k for k in range(5, 12)]
UNITS_RTRL = [2**k for k in range(2, 8)]
WAYS = ("full", "blocks", "window", "randomized", "checkpointed", "RTRL")


def contestant(way: str, T: int, n: int) -> Callable[[], object]:
    """A call that computes loss and gradients of a network of n units over T steps."""
    generator = torch.Generator().manual_seed(0)
    shapes = ((n, INPUTS), (n, n), (INPUTS, n))
    rnn = RNN(*(torch.randn(shape, generator=generator) / shape[1] ** 0.5 for shape in shapes))
    X = torch.randn(T, B, INPUTS, generator=generator)
    Y = torch.randint(INPUTS, (T, B), generator=generator)
    backward = {
        "full": bptt,
        "blocks": lambda tape, dO: bptt_blocks(tape, dO, K),
        "window": lambda tape, dO: bptt_window(tape, dO, K),
        "randomized": lambda tape, dO: bptt_randomized(tape, dO, 1 - 1 / K, generator),
        "RTRL": rtrl,
    }

    def run():
        if way == "checkpointed":
            return bptt_checkpointed(rnn, X, lambda O: cross_entropy(O, Y), round(T**0.5))
        tape = rnn(X)
        return backward[way](tape, cross_entropy(tape.O, Y)[1])

    return run


def exponent(sizes: list[int], costs: list[float]) -> float:
    """The slope of the line of least squares through the larger half of the points, in logarithms.

    >>> round(exponent([1, 2, 4, 8], [5, 20, 80, 320]), 9)
    2.0
    """
    half = len(sizes) // 2
    return float(np.polyfit(np.log(sizes[half:]), np.log(costs[half:]), 1)[0])


def counted(way: str, points: list[tuple[int, int]]) -> dict[str, list[float]]:
    """Multiplications and bytes for each ``(T, n)``; to count is much slower than to run."""
    runs = [contestant(way, T, n) for T, n in points]
    return {
        "multiplications": [multiplications(run) for run in runs],
        "memory": [peak_bytes(run) for run in runs],
    }


def timed(way: str, points: list[tuple[int, int]]) -> dict[str, list[float]]:
    """Milliseconds for each ``(T, n)``; the sizes take turns."""
    runs = {str(point): contestant(way, *point) for point in points}
    return {"time": list(median_times(runs, ROUNDS).values())}


def of_steps(way: str, steps: list[int]) -> list[tuple[int, int]]:
    return [(T, 8 if way == "RTRL" else 32) for T in steps]


def of_units(way: str, T: int = 32) -> list[tuple[int, int]]:
    return [(T, n) for n in units_of(way)]


def units_of(way: str) -> list[int]:
    return UNITS_RTRL if way == "RTRL" else UNITS


def plot(times: dict[str, list[float]], memory: dict[str, list[float]]) -> Figure:
    """Time and memory over the number of steps, on scales of powers of ten."""
    figure = Figure((7, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for way in WAYS:
        left.loglog(STEPS, times[way], marker="o", ms=3, label=way)
        right.loglog(STEPS_COUNTED, np.array(memory[way]) / 1e6, marker="o", ms=3)
    left.set(xlabel="steps T", ylabel="ms")
    right.set(xlabel="steps T", ylabel="peak in MB")
    left.legend()
    return figure


def main() -> None:
    store = arguments(__doc__).parse_args().store
    rows, times, memory = [], {}, {}
    for way in WAYS:
        with_T = counted(way, of_steps(way, STEPS_COUNTED))
        times[way], memory[way] = timed(way, of_steps(way, STEPS))["time"], with_T["memory"]
        with_n = counted(way, of_units(way)) | timed(way, of_units(way))
        row = [exponent(STEPS_COUNTED, with_T["multiplications"]), exponent(STEPS, times[way])]
        row.append(exponent(STEPS_COUNTED, memory[way]))
        kinds = ("multiplications", "time", "memory")
        row += [exponent(units_of(way), with_n[kind]) for kind in kinds]
        rows.append([way, *(f"{value:.2f}" for value in row)])
    head = ["", *(f"{kind}, T" for kind in kinds), *(f"{kind}, n" for kind in kinds)]
    title = f"Exponents of the growth; B = {B}, d = q = {INPUTS}, K = {K}, √T slots:\n"
    publish("growth", [title, table(head, rows)], store, plot(times, memory))


if __name__ == "__main__":
    main()
