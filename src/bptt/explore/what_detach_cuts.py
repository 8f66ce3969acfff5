"""The explorable figure of chapter 10, "Truncation, and what detach cuts"."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import torch
from matplotlib.patches import Rectangle
from torch import Tensor

from bptt.backward import bptt
from bptt.explore import Explore, explore
from bptt.loss import squared_error
from bptt.rnn import RNN, Tape
from bptt.truncate import bptt_blocks, bptt_window

T = 12
SCHEMES = {  # and what stands beside their bars
    "window": "window",
    "general": "k₁ = 2",
    "blocks": "blocks",
    "reset": "reset",
    "random": "random",
}
LEFT, UNIT = 17.4, 6.2  # where the bars begin, and the width that means a bias of 1


@cache
def _network() -> tuple[RNN, Tensor, Tensor, Tensor]:
    """The network of the chapter: rnn, X, Y, h0."""
    generator = torch.Generator().manual_seed(10)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    W_hh = normal(4, 4)
    W_hh = 0.9 * W_hh / torch.linalg.eigvals(W_hh).abs().max()
    rnn = RNN(normal(4, 2), W_hh, normal(3, 4))
    return rnn, normal(T, 1, 2), normal(T, 1, 3), normal(1, 4)


def _restarted(K: int, offset: int = 0) -> Tensor:
    """dL/dW_hh when each piece but the first begins with a zero state."""
    rnn, X, Y, h0 = _network()
    total = torch.zeros_like(rnn.W_hh)
    for begin, end in pairwise([0, *range(offset or K, T, K), T]):
        tape = rnn(X[begin:end], h0 if begin == 0 else None)
        total += bptt(tape, squared_error(tape.O, Y[begin:end], "sum")[1] / T).W_hh
    return total


def _every_two_steps(tape: Tape, dO: Tensor, K: int) -> Tensor:
    """dL/dW_hh when the losses of two steps go back together, K steps from the second."""
    total = torch.zeros_like(tape.rnn.W_hh)
    for first in range(0, T, 2):
        begin, end = max(0, first + 2 - K), first + 2
        own = dO[begin:end].clone()
        own[: first - begin] = 0
        piece = Tape(tape.rnn, tape.X[begin:end], tape.H[begin : end + 1], tape.O[begin:end])
        total += bptt(piece, own).W_hh
    return total


@cache
def _biases(K: int) -> tuple[float, ...]:
    """The bias of dL/dW_hh over the norm of the gradient, in the order of SCHEMES."""
    rnn, X, Y, h0 = _network()
    tape = rnn(X, h0)
    dO = squared_error(tape.O, Y)[1]
    full = bptt(tape, dO).W_hh
    estimates = (
        bptt_window(tape, dO, K).W_hh,
        _every_two_steps(tape, dO, K),
        bptt_blocks(tape, dO, K).W_hh,
        _restarted(K),
        sum(_restarted(K, offset) for offset in range(K)) / K,
    )
    return tuple(round(float((G - full).norm() / full.norm()), 6) + 0.0 for G in estimates)


def _depth(scheme: str, K: int, t: int) -> int:
    """How many steps the loss of step t can see, its own included."""
    if scheme == "general":
        return min(t, K - (t % 2))
    if scheme in ("blocks", "reset"):
        return (t - 1) % K + 1
    return min(t, K)


def cuts() -> Explore:
    """Which pairs of a loss and a lag survive, and what the cut pairs cost."""

    def draw_pairs(ax, scheme, K):
        if scheme == "random":  # a row for each lag, fainter and fainter
            for lag in range(K):
                row = Rectangle((lag + 0.5, lag - 0.5), T - lag, 1, fc="C0", alpha=1 - lag / K)
                ax.add_patch(row)
        else:
            for t in range(1, T + 1):
                ax.add_patch(Rectangle((t - 0.5, -0.5), 1, _depth(scheme, K, t), fc="C0"))
        for step in range(T + 1):  # the grid: a line below each lag, and left of each loss
            ax.plot([max(step, 1) - 0.5, T + 0.5], [step - 0.5] * 2, color="0.5", lw=0.8)
            ax.plot([step + 0.5] * 2, [-0.5, min(step + 1, T) - 0.5], color="0.5", lw=0.8)
        if scheme in ("blocks", "reset"):
            for cut in range(K, T, K):
                style = "--" if scheme == "blocks" else "-"
                ax.plot([cut + 0.5] * 2, [-0.5, T - 0.5], color="C1", lw=2, ls=style)

    def draw_bars(ax, scheme, K):
        for row, (name, bias) in enumerate(zip(SCHEMES, _biases(K), strict=True)):
            y = 9 - 2 * row
            face = "C0" if name == scheme else "none"
            ax.add_patch(Rectangle((LEFT, y - 0.6), UNIT * bias, 1.2, fc=face, ec="black"))
            ax.text(LEFT - 0.3, y, SCHEMES[name], ha="right", va="center")
            ax.text(LEFT + UNIT * bias + 0.25, y, f"{bias:.2f}", ha="left", va="center")
        ax.plot([LEFT, LEFT], [-0.2, 10.2], color="black", lw=1)

    def draw(ax, scheme, K):
        """Which pairs of loss and lag survive

        Left, a staircase of cells, a column for each loss and a row for each lag; cells that
        survive are filled, and vertical lines mark where blocks are cut. Right, five bars compare
        the bias of each scheme with the gradient.
        """
        ax.set(xlim=(0.4, LEFT + UNIT + 2.4), ylim=(-0.6, T - 0.4), ylabel="lag")
        ax.set_xticks([1, 4, 8, 12])
        ax.set_yticks([0, 4, 8])
        ax.set_xlabel("loss of step t", loc="left")
        ax.text(LEFT, 11, "bias ÷ gradient", ha="left", va="center")
        ax.spines[["top", "right"]].set_visible(False)
        draw_pairs(ax, scheme, K)
        draw_bars(ax, scheme, K)

    def describe(scheme, K):
        bias = f"The bias is {_biases(K)[list(SCHEMES).index(scheme)]:.2f} of the gradient."
        steps = f"{K} step{'s' * (K > 1)}"
        if K == T and scheme != "random":
            return f"{scheme.capitalize()}, {steps}: nothing is cut. This is full BPTT."
        if scheme == "window":
            return (
                f"A window of {steps}: each loss sees {steps} back, where there are so many. {bias}"
            )
        if scheme == "general":
            seen = f"{K - 1} or {K} steps" if K > 2 else "1 or 2 steps"
            return f"Every 2 steps, {K} steps back: each loss sees {seen}, by turns. {bias}"
        if scheme == "random":
            return (
                f"Random windows of {steps}, each from a zero state: the longer the lag, the "
                f"fainter, down to one chance in {K} at lag {K - 1}. {bias}"
            )
        state = "state carried" if scheme == "blocks" else "state reset at each cut"
        mean = f"{(K + 1) / 2:.1f}".removesuffix(".0")
        seen = f"a loss sees 1 to {K} steps" if K > 1 else "a loss sees its own step alone"
        return f"Blocks of {steps}, {state}: {seen}, {mean} on average in a full block. {bias}"

    return explore(
        draw,
        name="cuts",
        describe=describe,
        scheme=("scheme", list(SCHEMES)),
        K=("length K", [2, 3, 4, 6, 8, 10, 12]),
        start={"scheme": "blocks", "K": 4},
        play="K",
        size=(6.4, 3.6),
    )
