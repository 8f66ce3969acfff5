"""The explorable figures of chapter 9, "Remedies"."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from contourpy import contour_generator

from bptt.explore import Explore, explore
from bptt.remedies import CHECKS, UPDATES, stored_runs

STEPS, START_STATE, RATE = 20, 0.5, 0.3  # of the network on the cliff, and of its descent
STARTS = {"A": (2.0, -0.1), "B": (1.5, 0.3), "C": (1.0, -0.5), "D": (2.5, -0.6)}
CLIPPINGS = ("none", "norm:1", "norm:0.3", "norm:0.1", "value:0.3")
SHOWN = (0, 1, 2, 4, 8, 16, 28, 40)  # updates
LEVELS = (0.1, 0.2, 0.3, 0.4, 0.45, 0.48)
W_LIMITS, B_LIMITS = (0.0, 3.0), (-1.2, 0.8)


def _loss_and_gradient(w, b):
    """eq-remedy-cliff and its derivatives by w and b; numbers or arrays."""
    h, dw, db = START_STATE + 0 * w, 0 * w, 0 * w
    for _ in range(STEPS):
        before, h = h, np.tanh(w * h + b)
        slope = 1 - h**2
        dw, db = slope * (before + w * dw), slope * (1 + w * db)
    return h**2 / 2, h * dw, h * db


def _clip(dw: float, db: float, clipping: str) -> tuple[float, float]:
    how, _, threshold = clipping.partition(":")
    limit = float(threshold or "inf")
    if how == "value":
        return max(-limit, min(limit, dw)), max(-limit, min(limit, db))
    scale = limit / max(math.hypot(dw, db), limit) if how == "norm" else 1.0
    return scale * dw, scale * db


@cache
def _path(origin: str, clipping: str) -> np.ndarray:
    """Weights, loss and norm of the gradient after 0, 1, ... updates: rows (w, b, L, norm)."""
    w, b = STARTS[origin]
    rows = []
    for _ in range(SHOWN[-1] + 1):
        loss, dw, db = (float(value) for value in _loss_and_gradient(w, b))
        rows.append((w, b, loss, math.hypot(dw, db)))
        dw, db = _clip(dw, db, clipping)
        w, b = w - RATE * dw, b - RATE * db
    # Six digits keep the stored picture the same on every processor.
    return np.array([[float(f"{value:.6g}") for value in row] for row in rows])


@cache
def _contours():
    """The lines of equal loss as one line with gaps, found once for all pictures."""
    w, b = np.linspace(*W_LIMITS, 91), np.linspace(*B_LIMITS, 121)
    generator = contour_generator(w, b, np.round(_loss_and_gradient(*np.meshgrid(w, b))[0], 6))
    gap = [[np.nan, np.nan]]
    lines = [line for level in LEVELS for line in generator.lines(level)]
    pieces = [piece for line in lines for piece in (line[:-1:3], line[-1:], gap)]
    return np.round(np.concatenate(pieces), 6).T


@cache
def _zero_loss():
    """For each w the bias with h_T = 0, by bisection: h_T grows with b."""
    w = np.linspace(*W_LIMITS, 61)
    low, high = np.full_like(w, -2.0), np.full_like(w, 1.0)
    for _ in range(40):
        b = (low + high) / 2
        h = START_STATE + 0 * w
        for _ in range(STEPS):
            h = np.tanh(w * h + b)
        low, high = np.where(h < 0, b, low), np.where(h < 0, high, b)
    return w, np.round(b, 6)


def cliff() -> Explore:
    """The loss of one unit over its two weights, and the path of gradient descent."""

    def draw(ax, origin, clipping, updates):
        """Gradient descent on the cliff

        A map of the loss over weight and bias with thin contour lines. A thick band, the valley,
        runs level from the left and then down along the cliff. A chain of dots shows the updates
        from a square, the start, to a star.
        """
        ax.set(xlim=W_LIMITS, ylim=B_LIMITS, xlabel="weight w", ylabel="bias b")
        ax.plot(*_contours(), color="0.5", lw=0.8)
        ax.plot(*_zero_loss(), color="0.5", lw=4)
        path = _path(origin, clipping)[: updates + 1]
        x, y = np.clip(path[:, 0], -9, 12), np.clip(path[:, 1], -9, 9)
        ax.plot(x, y, "C1", lw=1.5, marker="o", ms=4, label="updates")
        ax.plot(x[:1], y[:1], "C0", ls="none", marker="s", ms=9, label="start")
        ax.plot(x[-1:], y[-1:], "k", ls="none", marker="*", ms=13, label="now")
        ax.text(2.95, 0.7, "state near +1", ha="right", va="top")
        ax.text(2.95, -1.15, "state near −1", ha="right", va="bottom")
        ax.text(0.06, 0.05, "valley", ha="left", va="bottom")
        ax.text(2.2, -0.66, "cliff", ha="right", va="top")
        ax.legend(loc="lower left")

    def describe(origin, clipping, updates):
        path = _path(origin, clipping)[: updates + 1]
        w, b, loss, _ = path[-1]
        how, _, threshold = clipping.partition(":")
        means = "no clipping" if how == "none" else f"clipping by {how} at {threshold}"
        inside = W_LIMITS[0] <= w <= W_LIMITS[1] and B_LIMITS[0] <= b <= B_LIMITS[1]
        place = "" if inside else " Its weights have left the picture."
        if updates == 0:
            return f"Start {origin}, {means}: the loss is {loss:.2f}."
        longest = np.hypot(*np.diff(path[:, :2], axis=0).T).max()
        return (
            f"Start {origin}, {means}, {updates} updates: the loss is {loss:.2f}, the longest "
            f"step was {longest:.2f}, and the largest gradient was {path[:, 3].max():.2g}.{place}"
        )

    return explore(
        draw,
        name="cliff",
        describe=describe,
        origin=("start", list(STARTS)),
        clipping=("clipping", list(CLIPPINGS)),
        updates=("updates", list(SHOWN)),
        start={"origin": "A", "clipping": "norm:1", "updates": 40},
        play="updates",
        size=(5.2, 3.6),
    )


NAMES = {
    "SGD": "momentum, no clipping",
    "SGD:norm": "momentum, clipped by norm",
    "SGD:value": "momentum, clipped by value",
    "SGD:inside": "momentum, clipped inside",
    "Adam": "Adam, no clipping",
    "Adam:norm": "Adam, clipped by norm",
    "orthogonal": "+ orthogonal start",
    "identity": "+ identity start",
    "penalty": "+ Jacobian regulariser",
    "layer-norm": "+ layer norm",
    "truncation": "+ truncation",
    "leaky": "+ leaky units",
    "LSTM": "+ LSTM",
    "GRU": "+ GRU",
}


@cache
def _curves(task: str, remedy: str) -> np.ndarray:
    """Test errors, ``(seeds, CHECKS)``; NaN where a run was no longer finite."""
    runs = stored_runs()["tasks"][task][NAMES[remedy]]
    return np.array([run["errors"] for run in runs], dtype=float)


def learning_curves() -> Explore:
    """The stored runs of one remedy, five seeds, beside clipping by norm alone."""
    updates = np.linspace(UPDATES / CHECKS, UPDATES, CHECKS)

    def draw(ax, task, remedy):
        """Five runs of each remedy

        Curves of the error over the updates: five runs of the chosen remedy solid with dots, five
        runs of Adam with clipping dashed and grey. A dotted line marks the error of always the same
        answer.
        """
        top, chance = (0.3, 1 / 6) if task == "adding" else (1.25, 0.75)
        ax.set(xlim=(0, UPDATES * 1.02), ylim=(-0.02 * top, top), xlabel="updates")
        ax.set_ylabel("mean squared error" if task == "adding" else "share of wrong answers")
        ax.axhline(chance, color="black", lw=1, ls=":", label="always the same answer")
        for number, curve in enumerate(_curves(task, "Adam:norm")):
            label = "Adam, clipped by norm" if number == 0 else None
            ax.plot(updates, curve, color="0.5", lw=1.2, ls="--", label=label)
        for number, curve in enumerate(_curves(task, remedy)):
            label = remedy if number == 0 else None
            ax.plot(updates, curve, "C0", lw=2, marker="o", ms=3.5, label=label)
        ax.legend(loc="upper right", fontsize=11, borderaxespad=0.2)

    def describe(task, remedy):
        last = np.sort(_curves(task, remedy)[:, -1])
        limit = 0.05
        solved = int((last < limit).sum())
        what = "mean squared error" if task == "adding" else "share of wrong answers"
        return (
            f"{NAMES[remedy].removeprefix('+ ').capitalize()}, {task}: after {UPDATES} updates the "
            f"{what} is {last[0]:.3f} to {last[-1]:.3f}; {solved} of {len(last)} runs end below "
            f"{limit}."
        )

    return explore(
        draw,
        name="learning-curves",
        describe=describe,
        task=("task", ["adding", "order"]),
        remedy=("remedy", list(NAMES)),
        start={"task": "order", "remedy": "leaky"},
        play="remedy",
        size=(5.2, 3.4),
    )
