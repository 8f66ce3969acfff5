"""The explorable figures of chapter 13, "A character model, trained four ways"."""

from __future__ import annotations

import statistics
from functools import cache

import numpy as np
import torch

from bptt.character_model import CHECKS, LAGS, REACH, SCHEMES, SHOWN, stored_runs
from bptt.explore import Explore, explore
from bptt.text import load_corpus

FIRST, SHOWN_CHARACTERS = "We left", 36  # where the shown text begins, and its length
ROWS = ("randomized", "blocks", "window", "full")
TIMES = {0: 0, 10: 1, 30: 2, 100: 3}  # per cent of the budget, and the stored probe of that time
LENGTHS = (3, 9, 36)
COINS = (1, 2)  # seeds of the random row


@cache
def _shown_text() -> str:
    text = load_corpus().text
    begin = text.index(FIRST)
    return text[begin : begin + SHOWN_CHARACTERS]


@cache
def _kept(K: int, draw: int) -> tuple[bool, ...]:
    """Whether the link into each step is kept; the first step has none."""
    coins = torch.rand(SHOWN_CHARACTERS, generator=torch.Generator().manual_seed(draw))
    return (False, *(coins[1:] < 1 - 1 / K).tolist())


def _depths(row: str, K: int, draw: int) -> list[int]:
    """How many steps each loss sees, its own included."""
    steps = range(1, SHOWN_CHARACTERS + 1)
    if row == "full":
        return list(steps)
    if row == "window":
        return [min(t, K) for t in steps]
    if row == "blocks":
        return [(t - 1) % K + 1 for t in steps]
    found: list[int] = []
    for kept in _kept(K, draw):
        found.append(found[-1] + 1 if kept else 1)
    return found


def _mean_depth(row: str, K: int, draw: int) -> float:
    return sum(_depths(row, K, draw)) / SHOWN_CHARACTERS


def cut_text() -> Explore:
    """The beginning of the text, cut in each way, and how far back each loss sees."""

    def draw_row(ax, row, K, draw, bottom):
        depths = _depths(row, K, draw)
        x = np.repeat(np.arange(SHOWN_CHARACTERS + 1), 2)[1:-1]  # each step's left and right edge
        y = bottom + 1.6 * np.repeat(depths, 2) / SHOWN_CHARACTERS
        ax.fill_between(x, bottom, np.round(y, 6), color="C0", alpha=0.75, lw=0)
        cuts = [t for t, depth in enumerate(depths) if t and depth == 1]
        if row in ("randomized", "blocks"):  # one line with gaps
            x = [place for t in cuts for place in (t, t, np.nan)]
            ax.plot(x, [bottom, bottom + 1.9, np.nan] * len(cuts), color="C1", lw=2)
        ax.plot([0, SHOWN_CHARACTERS], [bottom, bottom], color="0.5", lw=0.8)
        name = f"{row}, sees {_mean_depth(row, K, draw):.1f} steps on average"
        ax.text(0, bottom + 2.35, name, ha="left", va="center", fontsize=11)

    def draw(ax, K, coins):
        """The text, cut in four ways

        Under a line of the text four rows, one for each way. A bar over each character is as high
        as the number of steps that its loss sees; a vertical line marks a cut.
        """
        ax.set(xlim=(-0.2, SHOWN_CHARACTERS + 0.2), ylim=(-0.1, 13.2))
        ax.axis("off")
        for t, letter in enumerate(_shown_text()):  # once: text is slow to draw
            ax.text(t + 0.5, 12.6, letter, ha="center", va="center", family="monospace")
        for number, row in enumerate(ROWS):
            draw_row(ax, row, K, coins, bottom=3 * (len(ROWS) - 1 - number))

    def describe(K, coins):
        means = {row: f"{_mean_depth(row, K, coins):.1f}" for row in ROWS}
        pieces = _depths("randomized", K, coins).count(1)
        return (
            f"K = {K}, {SHOWN_CHARACTERS} characters: the coins cut them into {pieces} pieces, "
            f"and a loss sees {means['randomized']} steps on average; in blocks "
            f"{means['blocks']}, with a window {means['window']}, uncut {means['full']}."
        )

    return explore(
        draw,
        name="cut-text",
        describe=describe,
        K=("length K", list(LENGTHS)),
        coins=("coins", list(COINS)),
        start={"K": 9, "coins": 1},
        play="K",
        size=(5.2, 3.6),
    )


@cache
def _runs(scheme: str) -> list[dict]:
    return stored_runs()["runs"][scheme]


@cache
def _curves(scheme: str) -> np.ndarray:
    """Perplexities on the held-out text, ``(seeds, CHECKS + 1)``."""
    return np.array([run["perplexity"] for run in _runs(scheme)])


@cache
def _median_curve(scheme: str) -> np.ndarray:
    return np.median(_curves(scheme), axis=0)


def _probe(run: dict, percent: int) -> dict:
    return run["probes"][TIMES[percent]]


@cache
def _lags(scheme: str, percent: int) -> np.ndarray:
    """The gradient by lag over that of lag 0, the median of the seeds."""
    found = np.array([_probe(run, percent)["lags"] for run in _runs(scheme)])
    return np.round(np.median(found / found[:, :1], axis=0), 6)


def training() -> Explore:
    """The stored runs of one scheme: what they learn, and the gradient by lag meanwhile."""
    budget = np.arange(CHECKS + 1) / CHECKS * 100

    def plot_all(axes, curves, *style, **more):  # one line with gaps, faster than many lines
        x = np.tile(np.append(budget, np.nan), len(curves))
        y = np.hstack([curves, np.full((len(curves), 1), np.nan)]).ravel()
        axes.plot(x, y, *style, **more)

    def name(axes, title):  # a title of matplotlib looks for its place each time
        axes.text(0.5, 1.05, title, transform=axes.transAxes, ha="center", fontsize=11)

    def draw(fig, scheme, percent):
        """Five runs of each scheme

        Left, the perplexity over the budget: five solid curves, and dashed the medians of the other
        schemes; a vertical line marks the time. Right, the size of the gradient by lag at that
        time, in powers of ten; a dotted line marks the length of a block and of a window.
        """
        left, right = fig.subplots(1, 2)
        left.set(xlim=(0, 102), ylim=(6, 16), xlabel="% of the budget", ylabel="perplexity")
        left.set(xticks=list(TIMES), yticks=[6, 10, 14])  # few: ticks are slow to draw
        others = np.array([_median_curve(other) for other in SCHEMES if other != scheme])
        plot_all(left, others, color="0.5", lw=1.2, ls="--")
        plot_all(left, _curves(scheme), "C0", lw=1.6)
        left.axvline(percent, color="C1", lw=2)
        right.set(xlim=(-1, 49), ylim=(-5, 0.5), xlabel="lag")
        right.set_xticks([0, REACH, 2 * REACH, 3 * REACH])
        right.set_yticks([-4, -2, 0], labels=["0.01 %", "1 %", "100 %"])
        name(left, "dashed: the other schemes")
        name(right, "gradient by lag")
        right.axvline(REACH - 0.5, color="0.5", lw=1, ls=":")
        powers = np.log10(np.clip(_lags(scheme, percent), 1e-6, None))
        right.plot(LAGS, np.round(powers, 4), "C0", marker="o", ms=4)

    def describe(scheme, percent):
        now = np.sort(_curves(scheme)[:, SHOWN[TIMES[percent]]])
        first = _probe(_runs(scheme)[0], percent)
        error = statistics.median(_probe(run, percent)["error"] for run in _runs(scheme))
        written = " ".join(first["sample"].split())
        off = "exact" if scheme == "full" else f"off by {error:.2g} of its norm"
        return (
            f"{scheme.capitalize()}, {percent} % of the budget: perplexity "
            f"{now[0]:.2f} to {now[-1]:.2f}. The gradient of a stretch is {off}. "
            f"The first network writes: {written}"
        )

    return explore(
        draw,
        name="training",
        describe=describe,
        scheme=("scheme", list(SCHEMES)),
        percent=("% of the budget", list(TIMES)),
        start={"scheme": "full", "percent": 100},
        play="percent",
        size=(5.4, 3.2),
    )
