"""The explorable figure of chapter 14, "The bug museum"."""

from __future__ import annotations

from functools import cache
from math import log10

import numpy as np
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
NAMES, NUMBERS, LEFT = 8.2, 10.4, 12.5  # where the names, the errors and the bars begin
LINES = 3.2  # the distance of two of them, in lines of text
DECADE, LOWEST = 0.66, -6  # the bars begin at an error of 10^LOWEST
CODES = [Path.MOVETO, *3 * [Path.LINETO], Path.CLOSEPOLY]  # of a rectangle
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


def _pairs(mistake: str, check: str) -> dict[str, tuple[Tensor, Tensor]]:
    """Of each gradient, what the mistake makes of it and what is right."""
    return _network_of(check).pairs(MUSEUM[mistake].broken, SEED)


@cache
def _errors(mistake: str, check: str) -> dict[str, float]:
    """The relative error of each gradient."""
    pairs = _pairs(mistake, check).items()
    return {name: float(f"{relative_error(*pair):.3g}") for name, pair in pairs}


def _losses(mistake: str, check: str) -> tuple[float, ...]:
    """The losses of a training with the wrong gradient."""
    return CHECKS[check].losses(MUSEUM[mistake].broken, SEED)


def _caught(mistake: str, check: str) -> bool:
    chosen = CHECKS[check]
    if isinstance(chosen, Training):
        return chosen.alarmed(_losses(mistake, check))
    return bool(chosen.wrong(_pairs(mistake, check)))


@cache
def _one_loss_at_a_time(chosen: Check) -> tuple[Tape, dict[int, tuple[Tensor, Tensor]]]:
    """The forward pass with one-hot inputs; for each loss alone ``dO`` and the right adjoints.

    The adjoints are dL/dW_hx ``(n, T)``: column j - 1 belongs to step j.
    """
    rnn, X, Y, h0 = chosen.network(SEED, one_hot=True)
    tape = rnn(X, h0)
    dO = chosen.loss * squared_error(tape.O, Y)[1]
    found = {}
    for t in range(chosen.T if chosen.last else 1, chosen.T + 1):
        only = torch.zeros_like(dO)
        only[t - 1] = dO[t - 1]
        found[t] = only, bptt(tape, only).W_hx
    return tape, found


def _wrong_contributions(mistake: str, check: str) -> dict[tuple[int, int], bool]:
    """``{(t, j): whether the use at step j contributes wrongly to the loss of step t}``."""
    return _wrong_on(mistake, _network_of(check))


@cache
def _wrong_on(mistake: str, network: Check) -> dict[tuple[int, int], bool]:
    tape, losses = _one_loss_at_a_time(network)
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
    name = chosen.wrong(_pairs(mistake, check))[0]
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
        if rectangles:
            left, top, width, height = np.array(rectangles).T
            right, bottom = left + width, top + height
            corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
            whole = Path(np.array(corners).transpose(2, 0, 1).reshape(-1, 2), len(left) * CODES)
            ax.add_artist(PathPatch(whole, fc=face, ec=edge, lw=1.2))  # limits stand

    def upright(ax, x, line):
        """A line beside the bars, or across them."""
        ax.add_artist(PathPatch(Path([(x, 2.3), (x, 7.6)]), fc="none", ls=line))

    def draw_map(ax, mistake, check):
        cells = _wrong_contributions(mistake, check).items()
        for face, filled in (("none", False), ("C1", True)):
            chosen = [(j - 0.5, t - 0.5, 1, 1) for (t, j), wrong in cells if wrong == filled]
            fill(ax, chosen, face, "0.5")

    def draw_bars(ax, mistake, check):
        chosen = CHECKS[check]
        compared = () if isinstance(chosen, Training) else chosen.compared
        errors = _errors(mistake, check)
        bars = {}
        for row, (name, error) in enumerate(errors.items()):
            length = DECADE * max(0, log10(max(error, 1e-12)) - LOWEST)
            bars[name] = LEFT, 2.6 + 1.3 * row, length, 0.8
        names = "\n".join(["relative error of dL/d…", *errors]).replace("h0", "h_0")
        numbers = "\n".join(map(_number, errors.values()))
        for x, column in ((NAMES, names), (NUMBERS, numbers)):  # y is the foot of the last line
            ax.text(x, 7.07, column, va="baseline", linespacing=LINES)
        fill(ax, [bar for name, bar in bars.items() if name not in compared], "none", "black")
        fill(ax, [bar for name, bar in bars.items() if name in compared], "C1", "black")
        upright(ax, LEFT, "-")
        if compared and not chosen.absolute:
            upright(ax, LEFT + DECADE * (log10(chosen.tolerance) - LOWEST), "--")

    def draw(ax, mistake, check):
        """Switch the mistake, switch the check

        Left, a triangle of cells, one row for each loss, one column for each earlier use: filled
        where the contribution is wrong. Right, a bar for the relative error of each gradient,
        filled where the check compares it; a dashed line marks what the check allows.
        """
        if not ax.get_xlabel():  # once: the axes are the same for all
            ax.set(xlim=(0.4, LEFT + 10 * DECADE + 0.6), ylim=(7.6, 0.4), ylabel="loss of step t")
            ax.set(xticks=range(1, 8), yticks=range(1, 8))
            ax.set_xlabel("use at step j", loc="left")
            ax.spines[["top", "right"]].set_visible(False)
        verdict = "caught" if _caught(mistake, check) else "missed"
        ax.text(NAMES, 0.9, verdict, va="center", fontsize=16)
        draw_map(ax, mistake, check)
        draw_bars(ax, mistake, check)

    def describe(mistake, check):
        start = f"Mistake: {mistake}. Check: {check}. "
        cells = _wrong_contributions(mistake, check).values()
        wrong = sum(cells)
        if len(cells) == 1:
            paths = f"The only contribution is {'wrong' if wrong else 'right'}."
        else:
            paths = f"Of {len(cells)} contributions, {wrong} are wrong."
        if _caught(mistake, check):
            return f"{start}Caught: {_first_wrong(mistake, check)}. {paths}"
        if isinstance(CHECKS[check], Training):
            losses = _losses(mistake, check)
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
