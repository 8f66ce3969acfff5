"""The explorable figure of chapter 3, "Why 1/T"."""

from __future__ import annotations

from functools import cache

import torch

from bptt.backward import bptt
from bptt.explore import Explore, explore
from bptt.loss import cross_entropy
from bptt.rnn import RNN
from bptt.text import load_corpus

RATE = 0.1  # the learning rate of every step in the figure
LENGTHS = (1, 2, 3, 4, 5, 7, 10, 14, 20, 28, 40, 56, 75, 100)
THRESHOLDS = ("none", "10", "3", "1", "0.3", "0.1")


@cache
def _mean_norms(stretch: float) -> tuple[float, ...]:
    """Gradient norms of the mean loss, all weights together, one for each length."""
    corpus, generator = load_corpus(), torch.Generator().manual_seed(3)
    d, n = len(corpus.alphabet), 16

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    W_hh = stretch * torch.linalg.qr(normal(n, n))[0]
    rnn = RNN(normal(n, d) / 3, W_hh, normal(d, n) / (2 * n**0.5), activation="identity")
    X, Y = corpus.batch(LENGTHS[-1], 16, generator)
    norms = []
    for T in LENGTHS:
        tape = rnn(X[:T])
        gradients = bptt(tape, cross_entropy(tape.O, Y[:T])[1])
        squares = sum((g**2).sum() for g in (gradients.W_hx, gradients.W_hh, gradients.W_qh))
        # Seven digits keep the stored picture the same on every processor.
        norms.append(float(f"{float(squares) ** 0.5:.7g}"))
    return tuple(norms)


def _steps(threshold: str, stretch: float) -> tuple[list[float], list[float]]:
    """Lengths of the steps taken, for the sum and for the mean over time, one for each length."""
    limit = float("inf") if threshold == "none" else float(threshold)
    mean = [RATE * min(norm, limit) for norm in _mean_norms(stretch)]
    total = [
        RATE * min(T * norm, limit) for T, norm in zip(LENGTHS, _mean_norms(stretch), strict=True)
    ]
    return total, mean


def _clipped_from(steps: list[float], threshold: str) -> int | None:
    """The first length from which on every step is clipped, ``None`` if the last one is not."""
    first = None
    for T, step in zip(reversed(LENGTHS), reversed(steps), strict=True):
        if threshold == "none" or step < RATE * float(threshold):
            break
        first = T
    return first


def _plain(number: float) -> str:
    """Two significant digits without an exponent."""
    return f"{float(f'{number:.2g}'):,.10g}".replace(",", " ")


def step_taken() -> Explore:
    """Sequence length, reduction and clipping threshold against the step actually taken."""

    def draw(ax, threshold, stretch):
        """Length of the step taken

        Two curves over the sequence length, both axes in powers of ten: the summed loss dashed with
        squares, the mean loss solid with dots. A dotted line marks the length at which a step is
        clipped.
        """
        total, mean = _steps(threshold, stretch)
        ax.set(xlim=(0.93, 108), ylim=(5e-3, 1e4), xscale="log", yscale="log")
        ax.set(xlabel="sequence length T", ylabel="length of the step")
        ax.set_xticks([1, 2, 5, 10, 20, 50, 100], ["1", "2", "5", "10", "20", "50", "100"])
        ax.set_yticks([0.01, 0.1, 1, 10, 100, 1000], ["0.01", "0.1", "1", "10", "100", "1000"])
        ax.minorticks_off()
        limit = 1e9 if threshold == "none" else RATE * float(threshold)
        ax.axhline(limit, color="gray", lw=1, ls=":")
        ax.plot(LENGTHS, total, "C1", ls="--", lw=2, marker="s", ms=5, label="sum over time")
        ax.plot(LENGTHS, mean, "C0", lw=2.5, marker="o", ms=4, label="mean over time")
        ax.legend(loc="upper left")

    def describe(threshold, stretch):
        total, mean = _steps(threshold, stretch)
        kind = "explodes" if stretch > 1 else "forgets nothing" if stretch == 1 else "forgets"
        network = f"W_hh stretches by {stretch:.2f} a step: the network {kind}. "
        if threshold == "none":
            return (
                f"{network}Without clipping, the step of the summed loss is T times that of the "
                f"mean. At T = 100 their lengths are {_plain(total[-1])} and {_plain(mean[-1])}."
            )
        total_from, mean_from = (_clipped_from(steps, threshold) for steps in (total, mean))
        if total_from is None:
            return f"{network}Threshold {threshold} clips neither: the steps are T times apart."
        if mean_from is None:
            return (
                f"{network}Threshold {threshold} clips the summed loss from T = {total_from} on: "
                "it alone sets the length of those steps. The mean loss is not clipped at T = 100."
            )
        if total_from == mean_from == 1:
            return (
                f"{network}Threshold {threshold} clips both at every length: the steps are equal, "
                "and the reduction no longer matters."
            )
        return (
            f"{network}Threshold {threshold} clips the summed loss from T = {total_from} on and "
            f"the mean from T = {mean_from} on. Where both are clipped, their steps are equal."
        )

    return explore(
        draw,
        name="step-taken",
        describe=describe,
        threshold=("clipping threshold", THRESHOLDS),
        stretch=("stretch of W_hh", [0.5, 0.8, 0.9, 0.95, 1.0, 1.02]),
        start={"threshold": "1", "stretch": 0.8},
        play="threshold",
        size=(5.2, 3.3),
    )
