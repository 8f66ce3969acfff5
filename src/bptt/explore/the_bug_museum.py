"""The explorable figure of chapter 14, "The bug museum"."""

from __future__ import annotations

from functools import cache
from math import log10

import torch
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from torch import Tensor

from bptt.backward import bptt
from bptt.checks import CHECKS, GOOD, Check, Training, largest_difference
from bptt.explore import Explore, explore
from bptt.loss import squared_error
from bptt.museum import MUSEUM
from bptt.rnn import Tape
from bptt.verify import relative_error

SEED = 0
LEFT, DECADE, LOWEST = 10.4, 0.8, -6  # the bars begin at an error of 10^LOWEST
WHY_MISSED = {
    "one step": "With one step nothing comes back through time.",
    "one sequence": "With one sequence, the sum over the batch, its mean and its row are the same.",
    "zero h_0": "The state begins with zero, and nobody compares the gradient of h_0.",
    "symmetric W_hh": "W_hh equals its transpose.",
    "tiny weights": "All slopes are nearly 1, and almost nothing comes back from later losses.",
    "loss at the last step": "There is one loss, so nothing can go wrong between two of them.",
}


def _network_of(check: str) -> Check:
    """The check whose network is drawn; the one that only trains has that of the good design."""
    chosen = CHECKS[check]
    return GOOD if isinstance(chosen, Training) else chosen


@cache
def _pairs(mistake: str, check: str) -> dict[str, tuple[Tensor, Tensor]]:
    """Of each gradient, what the mistake makes of it and what is right."""
    return _network_of(check).pairs(MUSEUM[mistake].broken, SEED)


def _errors(mistake: str, check: str) -> dict[str, float]:
    """The relative error of each gradient."""
    pairs = _pairs(mistake, check).items()
    return {name: float(f"{relative_error(*pair):.3g}") for name, pair in pairs}


@cache
def _caught(mistake: str, check: str) -> bool:
    return CHECKS[check].catches(MUSEUM[mistake].broken, SEED)


@cache
def _one_loss_at_a_time(check: str) -> tuple[Tape, dict[int, tuple[Tensor, Tensor]]]:
    """The forward pass with one-hot inputs; for each loss alone ``dO`` and the right adjoints.

    The adjoints are dL/dW_hx ``(n, T)``: column j - 1 belongs to step j.
    """
    chosen = _network_of(check)
    rnn, X, Y, h0 = chosen.network(SEED, one_hot=True)
    tape = rnn(X, h0)
    dO = chosen.loss * squared_error(tape.O, Y)[1]
    found = {}
    for t in range(chosen.T if chosen.last else 1, chosen.T + 1):
        only = torch.zeros_like(dO)
        only[t - 1] = dO[t - 1]
        found[t] = only, bptt(tape, only).W_hx
    return tape, found


@cache
def _wrong_adjoints(mistake: str, check: str) -> dict[tuple[int, int], bool]:
    """``{(t, j): whether the loss of step t sends a wrong adjoint to step j}``."""
    tape, losses = _one_loss_at_a_time(check)
    found = {}
    for t, (only, expected) in losses.items():
        actual = MUSEUM[mistake].broken(tape, only).W_hx
        sizes = torch.linalg.vector_norm(expected, dim=0)
        error = torch.linalg.vector_norm(actual - expected, dim=0) / sizes
        found |= {(t, j): not error[j - 1] <= GOOD.tolerance for j in range(1, t + 1)}
    return found


def _first_wrong(mistake: str, check: str) -> str:
    """What the check sees first."""
    chosen = CHECKS[check]
    if isinstance(chosen, Training):
        return "the loss does not fall"
    pairs = _pairs(mistake, check)
    name = next(n for n in chosen.compared if not chosen.measure(*pairs[n]) <= chosen.tolerance)
    error = _number(_errors(mistake, check)[name])
    return f"the gradient of {name.replace('h0', 'h_0')} has a relative error of {error}"


def _number(value: float) -> str:
    return "0" if value < 1e-9 else f"{value:.2g}" if value < 100 else f"{value:.0f}"


def _decimal(value: float) -> str:
    """Two digits without an exponent, for a sentence that is read aloud."""
    return f"{value:.{1 - int(log10(value) // 1)}f}"


def rooms() -> Explore:
    """What a mistake makes wrong, and whether a check sees it."""

    def fill(ax, rectangles, face, edge):
        """Rectangles (left, top, width, height), all as one path."""
        corners = ((0, 0), (1, 0), (1, 1), (0, 1), (0, 0))
        paths = [
            Path([(x + width * a, y + height * b) for a, b in corners], closed=True)
            for x, y, width, height in rectangles
        ]
        if paths:
            whole = Path.make_compound_path(*paths)
            ax.add_artist(PathPatch(whole, fc=face, ec=edge, lw=1.2))  # limits stand

    def draw_adjoints(ax, mistake, check):
        cells = _wrong_adjoints(mistake, check).items()
        for face, filled in (("none", False), ("C1", True)):
            chosen = [(t - 0.5, j - 0.5, 1, 1) for (t, j), wrong in cells if wrong == filled]
            fill(ax, chosen, face, "0.5")

    def draw_bars(ax, mistake, check):
        chosen = CHECKS[check]
        compared = () if isinstance(chosen, Training) else chosen.compared
        bars = {}
        for row, (name, error) in enumerate(_errors(mistake, check).items()):
            y, length = 3 + 1.3 * row, DECADE * max(0, log10(max(error, 1e-12)) - LOWEST)
            bars[name] = LEFT, y - 0.4, length, 0.8
            ax.text(LEFT - 0.3, y, name.replace("h0", "h_0"), ha="right", va="center")
            ax.text(LEFT + length + 0.2, y, _number(error), ha="left", va="center")
        fill(ax, [bar for name, bar in bars.items() if name not in compared], "none", "black")
        fill(ax, [bar for name, bar in bars.items() if name in compared], "C1", "black")
        ax.plot([LEFT, LEFT], [2.3, 7.6], color="black", lw=1)
        if compared and not chosen.absolute:
            limit = LEFT + DECADE * (log10(chosen.tolerance) - LOWEST)
            ax.plot([limit, limit], [2.3, 7.6], color="black", lw=1, ls="--")

    def draw(ax, mistake, check):
        """Switch the mistake, switch the check

        Left, a triangle of cells, one for each loss and each earlier use: filled where the adjoint
        is wrong. Right, a bar for the relative error of each gradient, filled where the check
        compares it; a dashed line marks what the check allows.
        """
        ax.set(xlim=(0.4, LEFT + 10 * DECADE + 0.6), ylim=(7.6, 0.4), ylabel="use at step j")
        ax.set_xticks(range(1, 8))
        ax.set_yticks(range(1, 8))
        ax.set_xlabel("loss of step t", loc="left")
        ax.spines[["top", "right"]].set_visible(False)
        verdict = "caught" if _caught(mistake, check) else "missed"
        ax.text(LEFT, 0.9, verdict, ha="left", va="center", fontsize=16)
        ax.text(LEFT, 1.9, "relative error of dL/d…", ha="left", va="center")
        draw_adjoints(ax, mistake, check)
        draw_bars(ax, mistake, check)

    def describe(mistake, check):
        start = f"Mistake: {mistake}. Check: {check}. "
        adjoints = _wrong_adjoints(mistake, check).values()
        wrong = sum(adjoints)
        if len(adjoints) == 1:
            paths = f"The only adjoint is {'wrong' if wrong else 'right'}."
        else:
            paths = f"Of {len(adjoints)} adjoints, {wrong} are wrong."
        if _caught(mistake, check):
            return f"{start}Caught: {_first_wrong(mistake, check)}. {paths}"
        if isinstance(CHECKS[check], Training):
            losses = CHECKS[check].losses(MUSEUM[mistake].broken, SEED)
            why = f"The loss falls all the same, from {losses[0]:.2f} to {losses[-1]:.2f}."
        elif CHECKS[check].absolute:
            pairs = _pairs(mistake, check).values()
            largest = _decimal(max(largest_difference(*pair) for pair in pairs))
            why = f"The largest difference is {largest}, below 0.00001, and nobody asks of what."
        else:
            why = WHY_MISSED[check]
        return f"{start}Missed. {why} {paths}"

    return explore(
        draw,
        name="rooms",
        describe=describe,
        mistake=("mistake", list(MUSEUM)),
        check=("check", list(CHECKS)),
        start={"mistake": "immediate only", "check": "one step"},
        play="check",
        size=(5.2, 3.6),
    )
