"""What checkpointing saves and costs: memory and time against full backpropagation through time.

    python benchmarks/checkpoint.py

The first line is ``rnn(X)``, the loss and ``bptt``; the others are ``bptt_checkpointed`` with
different numbers of slots. All run in float32 on one thread, and that their gradients agree is
asserted before anything is timed. Memory is the peak of all tensors alive at once beyond X, O and
dO, in states: one state is B n numbers. Nothing is asserted about times.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from contest import arguments, median_times, publish, table
from matplotlib.figure import Figure

from bptt import RNN, bptt, bptt_checkpointed, cross_entropy
from bptt.measure import multiplications, peak_bytes
from bptt.verify import assert_same_gradients

T, B, N, Q, D = 1000, 32, 256, 8, 8
SLOTS = (5, 10, 15, 25, 44, 64, 100, 200)
ROUNDS = 15


def methods(T: int, B: int, n: int, slots: tuple[int, ...]) -> dict[str, Callable]:
    """Full backpropagation through time, and the checkpointed one for each number of slots."""
    generator = torch.Generator().manual_seed(0)
    shapes = ((n, D), (n, n), (Q, n))
    rnn = RNN(*(torch.randn(shape, generator=generator) / shape[1] ** 0.5 for shape in shapes))
    X = torch.randn(T, B, D, generator=generator)
    Y = torch.randint(Q, (T, B), generator=generator)

    def full():
        tape = rnn(X)
        loss, dO = cross_entropy(tape.O, Y)
        return loss, bptt(tape, dO)

    def checkpointed(slots):
        return lambda: bptt_checkpointed(rnn, X, lambda O: cross_entropy(O, Y), slots)[:2]

    return {"full": full} | {f"{m} slots": checkpointed(m) for m in slots}


def measure(
    T: int = T, B: int = B, n: int = N, slots: tuple[int, ...] = SLOTS, rounds: int = ROUNDS
) -> dict[str, tuple[float, int, float]]:
    """For each method the peak memory in states, the multiplications, the median time in ms."""
    contestants = methods(T, B, n, slots)
    expected = contestants["full"]()[1]
    counts = {}
    bytes_a_number, outputs = 4, 2 * T * B * Q
    for name, run in contestants.items():
        assert_same_gradients(run()[1], expected, tolerance=1e-3)
        memory = (peak_bytes(run) / bytes_a_number - outputs) / (B * n)
        counts[name] = (memory, multiplications(run))
    times = median_times(contestants, rounds)
    return {name: (*counts[name], times[name]) for name in contestants}


def plot(found: dict[str, tuple[float, int, float]]) -> Figure:
    """Memory and time against the slots, as shares of full backpropagation through time."""
    full_memory, _, full_time = found["full"]
    few = [values for name, values in found.items() if name != "full"]
    figure = Figure((5, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.semilogx(SLOTS, [memory / full_memory for memory, *_ in few], marker="o", label="memory")
    axes.semilogx(SLOTS, [time / full_time for *_, time in few], marker="s", label="time")
    axes.axhline(1, color="0.5", lw=0.8)
    axes.set(xlabel="slots", ylabel="share of full BPTT", ylim=(0, None))
    axes.set_xticks(SLOTS, map(str, SLOTS), minor=False)
    axes.minorticks_off()
    axes.legend()
    return figure


def main() -> None:
    store = arguments(__doc__).parse_args().store
    found = measure()
    full_memory, full_products, full_time = found["full"]
    rows = [
        [
            name,
            f"{memory:.0f}",
            f"{memory / full_memory:.1%}",
            f"{products / full_products:.3f}",
            f"{milliseconds:.0f}",
            f"{milliseconds / full_time:.2f}",
        ]
        for name, (memory, products, milliseconds) in found.items()
    ]
    title = f"T = {T}, B = {B}, n = {N}, q = {Q}, d = {D}; memory in states, times in ms:\n"
    head = ["", "memory", "of full", "multiplications, of full", "time", "of full"]
    publish("checkpoint", [title, table(head, rows)], store, plot(found))


if __name__ == "__main__":
    main()
