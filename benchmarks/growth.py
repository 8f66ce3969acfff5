"""How time and memory grow with the number of steps T and with the number of units n.

    python benchmarks/growth.py

Each way to the gradient runs on sequences of 2^5 to 2^14 steps, and on networks of more and more
units. A straight line through the larger half of the points, in logarithms, gives the exponent:
the cost grows like T to that power. The multiplications are counted, the time is measured on one
thread, the memory is the peak of all tensors alive at once beyond the inputs; float32. Real-time
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

B, INPUTS, K, ROUNDS = 4, 8, 16, 3
STEPS = [2**k for k in range(5, 15)]
UNITS = [2**k for k in range(4, 10)]
UNITS_RTRL = [2**k for k in range(2, 7)]
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


def measure(way: str, points: list[tuple[int, int]]) -> dict[str, list[float]]:
    """Multiplications, milliseconds and bytes for each ``(T, n)``."""
    found: dict[str, list[float]] = {"multiplications": [], "time": [], "memory": []}
    for T, n in points:
        run = contestant(way, T, n)
        found["multiplications"].append(multiplications(run))
        found["time"].append(median_times({way: run}, ROUNDS)[way])
        found["memory"].append(peak_bytes(run))
    return found


def growth_with_steps(steps: list[int]) -> dict[str, dict[str, list[float]]]:
    return {way: measure(way, [(T, 8 if way == "RTRL" else 32) for T in steps]) for way in WAYS}


def growth_with_units(T: int = 64) -> dict[str, dict[str, list[float]]]:
    return {way: measure(way, [(T, n) for n in units_of(way)]) for way in WAYS}


def units_of(way: str) -> list[int]:
    return UNITS_RTRL if way == "RTRL" else UNITS


def plot(costs: dict[str, dict[str, list[float]]], steps: list[int]) -> Figure:
    """Time and memory over the number of steps, on scales of powers of ten."""
    figure = Figure((7, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for way, found in costs.items():
        left.loglog(steps, found["time"], marker="o", ms=3, label=way)
        right.loglog(steps, np.array(found["memory"]) / 1e6, marker="o", ms=3)
    left.set(xlabel="steps T", ylabel="ms")
    right.set(xlabel="steps T", ylabel="peak in MB")
    left.legend()
    return figure


def main() -> None:
    store = arguments(__doc__).parse_args().store
    with_steps, with_units = growth_with_steps(STEPS), growth_with_units()
    rows = []
    for way in WAYS:
        of_T, of_n = with_steps[way], with_units[way]
        row = [exponent(STEPS, of_T[cost]) for cost in of_T]
        row += [exponent(units_of(way), of_n[cost]) for cost in of_n]
        rows.append([way, *(f"{value:.2f}" for value in row)])
    kinds = ("multiplications", "time", "memory")
    head = ["", *(f"{kind}, T" for kind in kinds), *(f"{kind}, n" for kind in kinds)]
    title = f"Exponents of the growth; B = {B}, d = q = {INPUTS}, K = {K}, √T slots:\n"
    publish("growth", [title, table(head, rows)], store, plot(with_steps, STEPS))


if __name__ == "__main__":
    main()
