"""What checkpointing saves and costs: memory and time against full backpropagation through time.

Run ``python benchmarks/checkpoint.py``. The first line is ``rnn(X)``, the loss and ``bptt``; the
others are ``bptt_checkpointed`` with different numbers of slots. All run in float32 on one thread,
and that their gradients agree is asserted before anything is timed. Memory is the peak of all
tensors alive at once beyond X, O and dO, in states: one state is B n numbers. Methods take turns,
so that whatever else the machine does meets all of them; the table shows medians. Nothing is
asserted about times: they depend on the machine.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

from bptt import RNN, bptt, bptt_checkpointed, cross_entropy
from bptt.measure import multiplications, peak_bytes
from bptt.verify import assert_same_gradients

T, B, N, Q, D = 1000, 32, 256, 8, 8
SLOTS = (10, 25, 44, 50, 64, 100)
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
    times: dict[str, list[float]] = {name: [] for name in contestants}
    counts = {}
    bytes_a_number, outputs = 4, 2 * T * B * Q
    for name, run in contestants.items():
        assert_same_gradients(run()[1], expected, tolerance=1e-3)
        memory = (peak_bytes(run) / bytes_a_number - outputs) / (B * n)
        counts[name] = (memory, multiplications(run))
    for _ in range(rounds):
        for name, run in contestants.items():
            start = time.perf_counter()
            run()
            times[name].append(1e3 * (time.perf_counter() - start))
    return {name: (*counts[name], statistics.median(times[name])) for name in contestants}


def main() -> None:
    torch.set_num_threads(1)
    print(f"T = {T}, B = {B}, n = {N}, q = {Q}, d = {D}, float32")
    print(f"{'':>10}{'memory, states':>16}{'of full':>9}{'products':>10}{'ms':>8}{'of full':>9}")
    table = measure()
    full_memory, full_products, full_time = table["full"]
    for name, (memory, products, milliseconds) in table.items():
        print(
            f"{name:>10}{memory:16.0f}{memory / full_memory:9.1%}{products / full_products:10.3f}"
            f"{milliseconds:8.0f}{milliseconds / full_time:9.2f}"
        )


if __name__ == "__main__":
    main()
