"""What the text of chapter 5 says about its figure."""

import re
from fractions import Fraction
from pathlib import Path

import pytest

from bptt.explore.bptt_for_the_linear_network import (
    FLOOR,
    LONGEST,
    PAIRINGS,
    UNIT,
    _count,
    _ratio,
    path_counts,
)

BOOK = Path(__file__).parent.parent / "book"
TEXT = (BOOK / "chapters/05_bptt_for_the_linear_network.md").read_text("utf-8")
RIGHT = ("total×immediate", "direct×total")
STEPS = range(1, LONGEST + 1)
WEIGHTS = (-0.8, 0.0, 0.5, 0.8, 1.0, 1.2)


def by_triples(pairing, T, w):
    """The sum of the pairing, from the states that both factors of a product may come from."""
    of_L, of_h = pairing.split("×")
    total = Fraction(0)
    for s in range(1, T + 1):
        losses = range(s, T + 1) if of_L == "total" else (s,)
        uses = range(1, s + 1) if of_h == "total" else (s,)
        total += sum(Fraction(w) ** (t - s) * Fraction(w) ** (s - j) for t in losses for j in uses)
    return total


@pytest.mark.parametrize(
    ("sentence", "holds"),
    [
        (
            "the frames turn from rows to columns, and no number changes",
            lambda: (
                [_count(RIGHT[0], lag) for lag in range(5)]
                == [_count(RIGHT[1], lag) for lag in range(5)]
                == [1] * 5
            ),
        ),
        (
            "the corner is counted five times, and the bar stands at $(5 + 2)/3 = 2.33$",
            lambda: (
                _count("total×total", 4) == 5
                and _ratio("total×total", 5, 1.0) == pytest.approx(7 / 3, abs=1e-6)
            ),
        ),
        (
            "one step, and all four bars are equal",
            lambda: all(_ratio(pairing, 1, 1.0) == 1 for pairing in PAIRINGS),
        ),
        (
            "let the weight be zero: equal again, although the counts are not",
            lambda: (
                all(_ratio(pairing, 5, 0.0) == 1 for pairing in PAIRINGS)
                and _count("total×total", 4) != _count("direct×immediate", 4)
            ),
        ),
        (
            "takes away more than the even lags give back, and the result is too small",
            lambda: _ratio("total×total", 5, -0.8) < 1,
        ),
        (
            "So the result is $(T+2)/3$ times the gradient, 34 times for $T = 100$. Direct × "
            "immediate has $T$ of the $T(T+1)/2$ paths and is $2/(T+1)$ times the gradient.",
            lambda: (
                _ratio("total×total", 100, 1.0) == 34
                and _ratio("direct×immediate", 100, 1.0) == pytest.approx(2 / 101, abs=1e-6)
            ),
        ),
    ],
)
def test_the_text_tells_what_the_figure_shows(sentence, holds):
    words = re.sub(r"\s+", " ", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", TEXT))
    assert sentence in words
    assert holds()


@pytest.mark.parametrize("pairing", PAIRINGS)
def test_the_bars_are_the_sums_of_the_products(pairing):
    for T in STEPS:
        for w in WEIGHTS:
            gradient = by_triples(RIGHT[0], T, w)
            expected = float(by_triples(pairing, T, w) / gradient)
            assert _ratio(pairing, T, w) == pytest.approx(expected, abs=1e-6)
            assert 0 < UNIT * expected < FLOOR - 1.2  # the bar stays below its heading


def test_the_sentence_gives_the_verdict_of_the_picture():
    figure = path_counts()
    for pairing in PAIRINGS:
        for T in STEPS:
            for w in WEIGHTS:
                figure.set(pairing=pairing, T=T, w=w)
                said, ratio = repr(figure), _ratio(pairing, T, w)
                if pairing in RIGHT:
                    assert said.endswith("every path counts once: the gradient.")
                elif T == 1 or w == 0:
                    assert ratio == 1 and ("gives the gradient" in said or "is right" in said)
                else:
                    assert f"{ratio:.2f} times the gradient" in said
                    assert ("too large" in said) == (ratio > 1)
                    assert ("too small" in said) == (ratio < 1)
