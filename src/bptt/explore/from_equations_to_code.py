"""The explorable figure of chapter 7, "From equations to code".

It shows rounding errors as they are, so every rounding here must be the same on each processor: the
arithmetic is elementwise with sums in a fixed order, and tanh is computed to 32 digits, then
rounded once.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from functools import cache

import numpy as np

from bptt.explore import Explore, explore

DIGITS = 32
STEPS = 2.0 ** -np.arange(41)  # powers of two: moving a weight by one of them rounds nothing
FLOATS = {"float32": np.float32, "float64": np.float64}
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
T, N, D, Q = 7, 2, 2, 2


def _numbers(*shape: int, seed: int) -> np.ndarray:
    """Multiples of 1/64 between -1.5 and 1.5, which float32 holds exactly."""
    return np.random.default_rng(seed).integers(-96, 97, shape) / 64


def _tanh(z: np.ndarray) -> np.ndarray:
    """tanh of each entry, rounded once to the kind of ``z``."""
    exact = [1 - 2 / ((2 * Decimal(x if z.dtype == object else float(x))).exp() + 1) for x in z]
    return np.array(exact, object).astype(z.dtype)


def _losses(kind: type, moves: np.ndarray) -> np.ndarray:
    """The loss for each row of ``moves``, which is added to the entries of W_hh, ``(K, n, n)``."""

    def cast(values: np.ndarray) -> np.ndarray:
        return np.vectorize(Decimal, otypes=[object])(values) if kind is object else kind(values)

    W_hx, W_qh = cast(_numbers(N, D, seed=1)), cast(_numbers(Q, N, seed=2))
    W_hh = cast(_numbers(N, N, seed=3)) + cast(moves)
    X, Y, h0 = cast(_numbers(T, D, seed=4)), cast(_numbers(T, Q, seed=5)), cast(_numbers(N, seed=6))
    H = [h0[a] + 0 * W_hh[:, 0, 0] for a in range(N)]
    total = 0 * H[0]
    for x, y in zip(X, Y, strict=True):
        H = [
            _tanh(
                sum(W_hx[a, e] * x[e] for e in range(D))
                + sum(W_hh[:, a, b] * H[b] for b in range(N))
            )
            for a in range(N)
        ]
        for k in range(Q):
            difference = sum(W_qh[k, a] * H[a] for a in range(N)) - y[k]
            total = total + difference * difference / 2
    return total / T


@cache
def _three_losses(number: str) -> np.ndarray:
    """The loss below and above each entry of W_hh, and between: ``(3, len(STEPS), n * n)``."""
    kind = FLOATS.get(number, object)
    directions = np.eye(N * N).reshape(N * N, N, N)
    moves = [sign * step * directions for sign in (-1, 1) for step in STEPS]
    with localcontext(prec=DIGITS):
        losses = _losses(kind, np.concatenate([*moves, np.zeros((1, N, N))]))
    below, above = losses[:-1].reshape(2, len(STEPS), N * N)
    return np.stack([below, np.full_like(below, losses[-1]), above])


def _quotients(losses: np.ndarray, formula: str) -> np.ndarray:
    """The difference quotients ``(len(STEPS), n * n)``; division by a power of two is exact."""
    below, here, above = losses
    steps = STEPS.astype(losses.dtype)[:, None]
    if losses.dtype == object:
        steps = np.vectorize(Decimal, otypes=[object])(STEPS)[:, None]
    return (above - here) / steps if formula == "forward" else (above - below) / (2 * steps)


@cache
def _errors(number: str, formula: str, constant: float):
    """Relative errors for all steps: measured, of exact arithmetic, and what rounding predicts."""
    with localcontext(prec=DIGITS):
        losses = _three_losses("decimal")
        quotients = _quotients(losses, formula)
        # The error of the central difference is even in the step: this cancels its first term.
        central = _quotients(losses, "central")
        gradient = (4 * central[-1] - central[-2]) / 3
        truncation = (quotients - gradient).astype(float)
        loss, gradient = float(losses[1, 0, 0]), gradient.astype(float)
        kind = FLOATS[number]
        measured = _quotients(_three_losses(number) + kind(constant), formula).astype(float)
    size = _norm(gradient)
    unit = np.finfo(kind).eps / 2
    per_entry = (2 if formula == "forward" else 1) * unit * (loss + constant) / STEPS
    return (
        _rounded(_norm(measured - gradient) / size),
        _rounded(_norm(truncation) / size),
        _rounded(N * per_entry / size),
    )


def _norm(A: np.ndarray) -> np.ndarray:
    """The 2-norm over the last axis, summed in a fixed order."""
    return np.sqrt(sum(A[..., k] ** 2 for k in range(A.shape[-1])))


def _rounded(values: np.ndarray) -> np.ndarray:
    return np.array([float(f"{value:.4g}") for value in values])


def _power_of_ten(value: float) -> str:
    mantissa, exponent = f"{value:.0e}".split("e")
    return f"{mantissa}·10{str(int(exponent)).translate(SUPERSCRIPT)}"


def _best(number: str, formula: str, constant: float) -> tuple[float, float]:
    """The best of the steps, and its relative error."""
    measured = _errors(number, formula, constant)[0]
    return float(STEPS[measured.argmin()]), float(measured.min())


def _lost(number: str, formula: str, constant: float) -> float | None:
    """The largest step from which on down all differences are 0; None if there is none."""
    measured = _errors(number, formula, constant)[0]
    if measured[-1] != 1:
        return None
    return float(STEPS[np.flatnonzero(measured != 1)[-1] + 1])


def step_size() -> Explore:
    """The error of a finite difference against its step: truncation and rounding meet."""

    def draw(ax, number, formula, constant):
        """Error of a finite difference

        The measured error over the step, both axes in powers of ten. It falls along the dotted line
        of rounding, reaches its least value at a ring, and rises along the dashed line of
        truncation.
        """
        measured, truncation, rounding = _errors(number, formula, constant)
        ax.set(xlim=(5e-13, 2), ylim=(1e-13, 1e6), xscale="log", yscale="log")
        ax.set(xlabel="step ε", ylabel="relative error of dL/dW_hh")
        ax.set_yticks([1e-12, 1e-9, 1e-6, 1e-3, 1])
        seen = rounding < 100  # below the legend
        ax.plot(STEPS[seen], rounding[seen], "C2", ls=":", lw=2, label="rounding, estimated")
        ax.plot(STEPS, truncation, "C1", ls="--", lw=2, label="truncation alone")
        ax.plot(STEPS, measured, "C0", lw=2, marker=".", ms=5, label="measured")
        step, error = _best(number, formula, constant)
        ax.plot([step], [error], "o", ms=11, mfc="none", mec="black", mew=2)
        ax.legend(loc="upper center", ncols=2, fontsize=11, columnspacing=1, handlelength=1.8)

    def describe(number, formula, constant):
        step, error = _best(number, formula, constant)
        power = "ε²" if formula == "central" else "ε"
        added = f"{constant} added to the loss" if constant else "nothing added to the loss"
        sentence = (
            f"{number}, {formula} differences, {added}. The best step is {_power_of_ten(step)}, "
            f"with a relative error of {_power_of_ten(error)}. With larger steps truncation grows "
            f"like {power}; with smaller ones rounding grows like 1/ε"
        )
        lost = _lost(number, formula, constant)
        if lost is None:
            return sentence + "."
        return sentence + f", until at {_power_of_ten(lost)} every difference is 0 and the error 1."

    return explore(
        draw,
        name="step-size",
        describe=describe,
        number=("numbers", list(FLOATS)),
        formula=("difference", ["forward", "central"]),
        constant=("added to the loss", [0, 10, 100, 1000]),
        start={"number": "float64", "formula": "central", "constant": 0},
        play="constant",
        size=(5.2, 3.6),
    )
