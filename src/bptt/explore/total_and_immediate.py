"""The explorable figures of chapter 2, "Total and immediate"."""

from __future__ import annotations

from functools import cache

import numpy as np

from bptt.explore import Explore, explore

H0, X, W = 3.0, (-1.0, -6.0, -1.0), 2.0  # the chapter's example: h = 3, 5, 4, 7
IMMEDIATE = np.array([3.0, 5.0, 4.0])  # at steps 1, 2, 3
TOTAL = np.array([3.0, 11.0, 26.0])

STEPS = 8  # length of the tanh network
X_TANH = (0.5, -0.3, 0.6, 0.2, 0.7, 0.1, 0.4, 0.3)


def _number(value: float, digits: int = 1) -> str:
    """With a typographic minus sign."""
    return f"{value:.{digits}f}".replace("-", "−")


def _states(weights) -> np.ndarray:
    """h_1, h_2, h_3 when step t uses ``weights[t - 1]``."""
    h, states = H0, []
    for w, x in zip(weights, X, strict=True):
        h = w * h + x
        states.append(h)
    return np.array(states)


@cache
def _measured(step: str, nudge: float) -> np.ndarray:
    """Change of h_1, h_2, h_3 over the nudge, when one use of the weight or all are nudged."""
    nudged = [W + nudge * (step in ("all", str(t))) for t in (1, 2, 3)]
    return np.round((_states(nudged) - _states([W] * 3)) / nudge, 6) + 0.0


def nudged_weight() -> Explore:
    """Nudge the weight at one step or at all, and compare the change with both derivatives."""
    steps = np.arange(1, 4)

    def draw(ax, step, nudge):
        """What a nudge of the weight does to each state

        A stacked bar for each of three states: the immediate derivative below, the recursive term
        above it. A diamond beside each bar marks the measured change.
        """
        measured = _measured(step, nudge)
        ax.set(xlim=(0.5, 3.75), ylim=(-1, 34), xticks=steps)
        ax.set(xlabel="step t", ylabel="change of h_t ÷ nudge")
        ax.bar(steps, TOTAL - IMMEDIATE, 0.44, IMMEDIATE, color="0.85", ec="black", lw=0.8,
               label="recursive term")  # fmt: skip
        ax.bar(steps, IMMEDIATE, 0.44, color="C0", ec="black", lw=0.8, label="immediate")
        ax.plot(steps + 0.33, measured, "C1", ls="none", marker="D", ms=9, label="measured")
        for t, direct, total, value in zip(steps, IMMEDIATE, TOTAL, measured, strict=True):
            ax.text(t, direct / 2, f"{direct:.0f}", color="white", ha="center", va="center")
            ax.text(t, total + 0.5, f"{total:.0f}", ha="center", va="bottom")
            ax.text(t + 0.42, value, f"{value:.4g}", ha="left", va="center")
        ax.legend(loc="upper left")

    def describe(step, nudge):
        third = _measured(step, nudge)[-1]
        where = "all three uses" if step == "all" else f"the use at step {step} alone"
        by = f"{'+' if nudge > 0 else ''}{_number(nudge, 2)}"
        seen = f"Nudge {where} by {by}: h_3 changes by {third:.4g} per unit of the nudge."
        if step == "3":
            return f"{seen} The immediate derivative, 4, predicts exactly that."
        if step == "all":
            near = "predicts it" if abs(nudge) <= 0.01 else "is its limit for a small nudge"
            return f"{seen} The total derivative, 26, {near}; the immediate one, 4, misses most."
        return (
            f"{seen} That is the immediate derivative of step {step}, "
            f"{IMMEDIATE[int(step) - 1]:.0f}, times the weight 2"
            f"{' twice' if step == '1' else ''}: one part of the recursive term."
        )

    return explore(
        draw,
        name="nudged-weight",
        describe=describe,
        step=("nudge the use at step", ["1", "2", "3", "all"]),
        nudge=("nudge", [-0.25, -0.1, -0.01, 0.01, 0.1, 0.25]),
        start={"step": "all", "nudge": 0.01},
        play="step",
        size=(6.4, 3.8),
    )


@cache
def _both(w: float) -> tuple[np.ndarray, np.ndarray]:
    """Immediate and total derivative of each state of the tanh network."""
    h, total, rows = 0.6, 0.0, []
    for x in X_TANH:
        new = np.tanh(w * h + x)
        immediate = (1 - new**2) * h
        total = immediate + (1 - new**2) * w * total
        rows.append((immediate, total))
        h = new
    immediate, total = np.round(np.array(rows).T, 7)
    return immediate, total


def recursive_term() -> Explore:
    """Total and immediate derivative of a tanh network, step by step, as the weight changes."""
    steps = np.arange(1, STEPS + 1)

    def draw(ax, w):
        """The gap between the total and the immediate derivative

        Two curves over eight steps, the total derivative solid and the immediate one dashed. The
        recursive term is the grey area between them.
        """
        immediate, total = _both(w)
        ax.set(xlim=(0.7, STEPS + 0.3), ylim=(-0.75, 1.5), xticks=steps)
        ax.set(xlabel="step t", ylabel="derivative of h_t by w")
        ax.axhline(0, color="gray", lw=1)
        ax.fill_between(steps, immediate, total, color="0.85", label="recursive term")
        ax.plot(steps, total, "C0", marker="o", lw=2.5, ms=8, label="total")
        ax.plot(steps, immediate, "C1", marker="s", ls="--", lw=2, ms=5, label="immediate")
        ax.legend(loc="upper right", ncols=3)

    def describe(w):
        immediate, total = _both(w)
        if w == 0:
            return (
                "With w = 0 the two derivatives agree at every step: no state passes anything on, "
                "so the recursive term is zero."
            )
        gap = total - immediate
        last = f"{_number(total[-1], 2)} against {_number(immediate[-1], 2)}"
        side = "above" if gap[-1] > 0 else "below"
        return (
            f"With w = {_number(w)} the two agree at step 1 alone. At step {STEPS} the total "
            f"derivative is {last}: the recursive term puts it {side} the immediate one."
        )

    return explore(
        draw,
        name="recursive-term",
        describe=describe,
        w=("weight w", [round(-1.0 + 0.1 * k, 1) for k in range(26)]),
        start={"w": 0.9},
        play="w",
    )
