"""The explorable figures of chapter 4, "The bias-free convention"."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.patches import Rectangle

from bptt.backward import bptt
from bptt.explore import Explore, explore
from bptt.loss import squared_error
from bptt.rnn import RNN, augment

# ---- the augmented gradients, filled step by step --------------------------------------------

MODES = ("absent", "vector", "column")
STEPS = ("before", "4", "3", "2", "1")
SUBSCRIPT = str.maketrans("01234", "₀₁₂₃₄")

# A network without tanh in whole numbers; row t belongs to step t, row 0 of X and DO is not used.
_W_HX = np.array([[1, 0], [-1, 1]])
_W_HH = np.array([[1, -1], [0, 1]])
_W_QH = np.array([[1, 2]])
_B = np.array([1, -1])
_X = np.array([[0, 0], [1, 2], [2, 0], [-1, 1], [0, 3]])
_DO = np.array([[0], [1], [-1], [2], [1]])  # dL/do_t, given
_H0 = np.array([1, 2])


@cache
def _passes(bias: bool) -> tuple[np.ndarray, np.ndarray]:
    """The states ``(5, 2)`` and the adjoints dL/dz_t ``(5, 2)``, whose row 0 is not used."""
    H, dZ = [_H0], np.zeros((6, 2), dtype=int)
    for t in range(1, 5):
        H.append(_W_HX @ _X[t] + _W_HH @ H[t - 1] + (_B if bias else 0))
    for t in range(4, 0, -1):
        dZ[t] = _W_QH.T @ _DO[t] + _W_HH.T @ dZ[t + 1]
    return np.array(H), dZ[:5]


class _Block(NamedTuple):
    """The gradient of one matrix; each step adds the outer product of ``adjoints`` and ``met``.

    Both have a row for each step; the first ``bias_columns`` columns of ``met`` are the constant 1.
    """

    name: str
    bias_name: str
    adjoint_name: str
    met_name: str
    adjoints: np.ndarray
    met: np.ndarray
    bias_columns: int

    def added(self, t: int) -> np.ndarray:
        """What step t adds."""
        return np.outer(self.adjoints[t], self.met[t])

    def gathered(self, t: int) -> np.ndarray:
        """What the steps 4 down to t have added; nothing for t = 5."""
        return sum((self.added(i) for i in range(t, 5)), 0 * self.added(0))


@cache
def _blocks(bias: bool) -> tuple[_Block, ...]:
    H, dZ = _passes(bias)
    one = np.ones((5, int(bias)), dtype=int)
    before = np.vstack([0 * _H0, H[:-1]])  # row t is h_{t-1}
    columns = int(bias)
    return (
        _Block("W_qh", "b_q", "dL/do", "h", _DO, np.hstack([one, H]), columns),
        _Block("W_hx", "b", "dL/dz", "x", dZ, np.hstack([one, _X]), columns),
        _Block("W_hh", "", "dL/dz", "h", dZ, before, 0),
    )


def _write(ax, x: float, y: float, text: str) -> None:
    ax.text(x, y, text, ha="center", va="center")


def _draw_block(ax, left: float, block: _Block, mode: str, t: int) -> None:
    """The grid of sums, with the two factors of step t's outer product at its left and its top."""
    sums, added = block.gathered(t), block.added(t) if t < 5 else None
    apart = block.bias_columns if mode == "vector" else 0
    x = [left + 1.3 + c + (0.4 if apart and c >= apart else 0) for c in range(sums.shape[1])]

    if apart:
        _write(ax, x[0] + 0.5, 1.7, block.bias_name)
    name = f"[{block.bias_name}, {block.name}]" if block.bias_columns > apart else block.name
    _write(ax, (x[apart] + x[-1] + 1) / 2, 1.7, name)
    for row, column in np.ndindex(sums.shape):
        constant = column < block.bias_columns
        lit = added is not None and added[row, column] != 0
        face = ("C1" if constant else "C0", 0.35) if lit else "none"
        edge = {"lw": 2.4, "ec": "C1"} if constant else {"lw": 1, "ec": "0.4"}
        ax.add_patch(Rectangle((x[column] + 0.05, -row - 0.95), 0.9, 0.9, fc=face, **edge))
        _write(ax, x[column] + 0.5, -row - 0.5, f"{sums[row, column]}".replace("-", "−"))
    if t == 5:
        return
    index = t - 1 if block.name == "W_hh" else t
    _write(ax, left + 0.5, 0.65, block.met_name + str(index).translate(SUBSCRIPT))
    for column in range(apart, sums.shape[1]):
        _write(ax, x[column] + 0.5, 0.65, f"{block.met[t, column]}".replace("-", "−"))
    for row, entry in enumerate(block.adjoints[t]):
        _write(ax, left + 0.5, -row - 0.5, f"{entry}".replace("-", "−"))
    _write(ax, left + 0.6, -len(sums) - 0.5, block.adjoint_name + str(t).translate(SUBSCRIPT))


def augmented_gradient() -> Explore:
    """The gradient of each matrix, with the bias absent, a vector, or a first column."""

    def draw(ax, step, bias):
        """Gradients of the weights, gathered from the last step back

        Three grids of numbers, the gradients of the output, the input and the recurrent weights. At
        the left of each stands the adjoint, above it the vector that it meets. Cells that the last
        step changed are tinted; those of a bias have a thick frame.
        """
        ax.set(xlim=(-0.3, 13.3), ylim=(-2.9, 2.2))
        ax.axis("off")
        t = 5 if step == "before" else int(step)
        for left, block in zip((-0.2, 4.8, 9.8), _blocks(bias != "absent"), strict=True):
            _draw_block(ax, left, block, bias, t)

    def describe(step, bias):
        _, dZ = _passes(bias != "absent")
        if step == "before":
            return "Before the first step back, all gradients are zero."
        t = int(step)
        steps = "Step 4 has" if t == 4 else f"The steps from 4 back to {t} have"
        numbers = f"({dZ[t:, 0].sum()}, {dZ[t:, 1].sum()})"
        if bias == "absent":
            return (
                f"{steps} been added. Without biases each matrix gathers the outer products of "
                "the adjoint at its left and the vector above it."
            )
        if bias == "vector":
            return (
                f"{steps} been added. The vector b gathers the adjoints dL/dz themselves, "
                f"whatever the input is: {numbers}."
            )
        return (
            f"{steps} been added. The first column meets the constant 1, so it gathers the "
            f"adjoints dL/dz themselves: {numbers}, the same numbers as the vector b."
        )

    return explore(
        draw,
        name="augmented-gradient",
        describe=describe,
        step=("backward pass, step t", STEPS),
        bias=("the bias is", MODES),
        start={"step": "3", "bias": "column"},
        play="step",
        size=(5.4, 2.3),
    )


# ---- one bias against two --------------------------------------------------------------------

UPDATES = 40
RATES = (0.01, 0.02, 0.05, 0.1)
DECAYS = (0.0, 0.5)
OPTIMIZERS = {
    "SGD": lambda groups: torch.optim.SGD(groups),
    "SGD with momentum": lambda groups: torch.optim.SGD(groups, momentum=0.9),
    "AdamW": lambda groups: torch.optim.AdamW(groups),
}


@cache
def _losses(optimizer: str, rate: float, decay: float, biases: int, doubled: bool) -> np.ndarray:
    """Losses before updates 0..UPDATES, with ``biases`` bias vectors that start at zero.

    ``doubled`` gives the biases twice the rate and half the decay. Other weights do not decay.
    """
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    n = 4
    X = normal(12, 16, 1)
    Y = 1 + X.roll(1, 0) / 2
    weights = [normal(n, 1) / 2, normal(n, n) / 4, normal(1, n) / 2]
    vectors = [torch.zeros(n, dtype=torch.float64) for _ in range(biases)]
    factor = 2 if doubled else 1
    groups = [
        {"params": weights, "lr": rate, "weight_decay": 0.0},
        {"params": vectors, "lr": factor * rate, "weight_decay": decay / factor},
    ]
    update = OPTIMIZERS[optimizer](groups)
    losses = []
    for _ in range(UPDATES + 1):
        W_hx, W_hh, W_qh = weights
        tape = RNN(torch.cat([sum(vectors)[:, None], W_hx], dim=1), W_hh, W_qh)(augment(X))
        loss, dO = squared_error(tape.O, Y)
        # Seven digits keep the stored picture the same on every processor.
        losses.append(float(f"{loss.item():.7g}"))
        gradients = bptt(tape, dO)
        own = (gradients.W_hx[:, 1:], gradients.W_hh, gradients.W_qh)
        for weight, gradient in zip(weights, own, strict=True):
            weight.grad = gradient.contiguous()
        for vector in vectors:
            vector.grad = gradients.W_hx[:, 0].clone()
        update.step()
    return np.array(losses)


def _first_below(losses: np.ndarray, level: float) -> int | None:
    """The first number of updates after which the loss is below ``level``."""
    below = np.flatnonzero(losses < level)
    return int(below[0]) if len(below) else None


def two_biases() -> Explore:
    """Training curves of one bias, of two, and of one with doubled rate and halved decay."""
    updates = np.arange(UPDATES + 1)

    def draw(ax, optimizer, rate, decay):
        """One bias against two

        Falling curves of the loss over the updates, on a scale of powers of ten: one bias dashed,
        two biases solid. Circles mark one bias with the rate doubled and the decay halved.
        """
        ax.set(xlim=(0, UPDATES), ylim=(0.02, 8), yscale="log")
        ax.set(xlabel="updates", ylabel="loss")
        ax.set_yticks([0.1, 1], ["0.1", "1"])
        ax.minorticks_off()
        curve = lambda biases, doubled: _losses(optimizer, rate, decay, biases, doubled)  # noqa: E731
        ax.plot(updates, curve(1, False), "C1", ls="--", lw=2, label="one bias")
        ax.plot(updates, curve(2, False), "C0", lw=2.5, label="two biases")
        ax.plot(
            updates[::4], curve(1, True)[::4], "black", ls="", marker="o", ms=5, mfc="none",
            label="one bias, rate doubled, decay halved",
        )  # fmt: skip
        ax.legend(loc="upper right", fontsize=11)

    def describe(optimizer, rate, decay):
        one, two = (_losses(optimizer, rate, decay, biases, False) for biases in (1, 2))
        begin = f"{optimizer}, rate {rate:g}, decay {decay:g}: the circles lie on the curve of two"
        return (
            f"{begin} biases at every update. After {UPDATES} updates the loss is "
            f"{one[-1]:.3f} with one bias and {two[-1]:.3f} with two."
        )

    return explore(
        draw,
        name="two-biases",
        describe=describe,
        optimizer=("optimiser", tuple(OPTIMIZERS)),
        rate=("learning rate", RATES),
        decay=("weight decay on the biases", DECAYS),
        start={"optimizer": "SGD", "rate": 0.05, "decay": 0.0},
        play="rate",
        size=(5.2, 3.3),
    )
