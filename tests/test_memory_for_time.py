"""What the text of chapter 12 says about its figures and its numbers; costs of other methods."""

import math
import re
from math import comb
from pathlib import Path

import pytest
import torch

from bptt import RNN, bptt, rtrl
from bptt.checkpoint import classical_forward_steps, fewest_forward_steps, schedule
from bptt.explore.memory_for_time import (
    LENGTHS,
    MOST_CALLS,
    SLOTS,
    _curve,
    _events,
    _square_root,
)
from bptt.measure import multiplications, peak_bytes

TEXT = (Path(__file__).parent.parent / "book/chapters/12_memory_for_time.md").read_text("utf-8")
WORDS = re.sub(r"\s+", " ", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", TEXT))


def calls_of_each_step(T, slots):
    calls = [0] * (T + 1)
    for sweep in schedule(T, slots):
        for t in range(sweep.start + 1, sweep.stop + 1):
            calls[t] += 1
    return calls[1:]


@pytest.mark.parametrize(
    ("sentence", "holds"),
    [
        (
            "With 10 slots, half as many, only 10 calls come on top.",
            lambda: fewest_forward_steps(20, 10) == 30,
        ),
        (
            "Five times: five of the 15 sweeps begin at h₀. No step is called more often, because "
            "5 is the smallest r for which (r + 2)(r + 1)/2 is at least 21. Six steps are called "
            "five times",
            lambda: (
                max(calls_of_each_step(20, 2)) == calls_of_each_step(20, 2)[0] == 5
                and list(calls_of_each_step(20, 2)).count(5) == 6
                and next(r for r in range(9) if (r + 2) * (r + 1) / 2 >= 21) == 5
            ),
        ),
        (
            "less than four calls for each step still",
            lambda: fewest_forward_steps(1000, 10) < 4000,
        ),
        ("there are 500 for each step", lambda: fewest_forward_steps(1000, 1) == 500_500),
        (
            "the square-root schedule cannot come below 64 states",
            lambda: _square_root(1000) == 64 and fewest_forward_steps(1000, 64) < 2000,
        ),
        (
            "the best schedule needs 44 slots and the square-root schedule 64",
            lambda: (
                fewest_forward_steps(1000, 44) <= 2000
                and max(calls_of_each_step(1000, 44)) == 2 < max(calls_of_each_step(1000, 43))
            ),
        ),
        (
            "At 50 slots the classical schedule lies about one call a step above the best one (998 "
            "calls; in general $T - r$).",
            lambda: (
                classical_forward_steps(1000, 50) - fewest_forward_steps(1000, 50) == 998
                and all(
                    classical_forward_steps(T, m) - fewest_forward_steps(T, m)
                    == T - next(r for r in range(T + 1) if math.comb(m + r, m) >= T + 1)
                    for T in (1, 7, 60, 300)
                    for m in (1, 2, 5, 50)
                )
            ),
        ),
        (
            "With two slots and at most two calls the longest sequence has 5 steps; with 44 "
            "slots and two calls it has 1034.",
            lambda: (comb(4, 2) - 1, comb(46, 2) - 1) == (5, 1034),
        ),
        (
            "1968 calls against 1956",
            lambda: [fewest_forward_steps(1000, m) for m in (43, 44)] == [1968, 1956],
        ),
        (
            "it is 8977 products, nearly 2300 times the work",
            lambda: sum(1000 - 2**k for k in range(10)) == 8977 and 2250 < 8977 * 256 / 1000 < 2300,
        ),
        ("take 33 million bytes", lambda: round(1000 * 32 * 256 * 4 / 1e6) == 33),
    ],
)
def test_the_text_tells_what_is_counted(sentence, holds):
    assert sentence in WORDS
    assert holds()


@pytest.mark.parametrize("T", LENGTHS)
@pytest.mark.parametrize("slots", SLOTS)
def test_the_figure_follows_the_rules(T, slots):
    sweeps, bars, uses = _events(T, slots)
    calls = sum(stop - start for _, start, stop in sweeps)
    assert calls == fewest_forward_steps(T, slots) <= MOST_CALLS
    assert [t for _, t in uses] == list(range(T, -1, -1))
    for now in range(calls + 1):
        assert sum(begin <= now < end for _, begin, end in bars) <= slots
    when_used = {t: call for call, t in uses}
    assert all(when_used[t] == end for t, _, end in bars)


def test_the_curves_are_the_counts():
    slots, ratio = _curve(1000, fewest_forward_steps)
    assert [round(fewest_forward_steps(1000, m) / 1000, 4) for m in slots] == ratio
    assert ratio[-1] == 1 and slots[-1] == 1000


def _exponent(function, n: int) -> float:
    return math.log2(function(2 * n) / function(n))


def _tape(n, T):
    g = torch.Generator().manual_seed(n)
    weights = [torch.randn(shape, generator=g) / n for shape in ((n, 2), (n, n), (2, n))]
    return RNN(*weights)(torch.ones(T, 1, 2))


@pytest.mark.yardstick
def test_costs_per_time_step():
    """Williams and Zipser (1995), Williams and Peng (1990): exponents, from counts."""
    ones = lambda T: torch.ones(T, 1, 2)  # noqa: E731
    rtrl_work = lambda n: multiplications(lambda: rtrl(_tape(n, 4), ones(4))) / 4  # noqa: E731
    assert abs(_exponent(rtrl_work, 64) - 4) < 0.1
    tapes = {n: _tape(n, 4) for n in (64, 128)}
    rtrl_storage = lambda n: peak_bytes(lambda: rtrl(tapes[n], ones(4)))  # noqa: E731
    assert abs(_exponent(rtrl_storage, 64) - 3) < 0.1

    def window(n, h, every=1):
        """Multiplications of BPTT(h; h') for each time step, the forward pass left out."""
        tape = _tape(n, h)
        return multiplications(lambda: bptt(tape, ones(h))) / every

    assert abs(_exponent(lambda n: window(n, 5), 128) - 2) < 0.05
    assert abs(_exponent(lambda h: window(16, h), 8) - 1) < 1e-12
    assert abs(_exponent(lambda every: window(16, 32, every), 4) + 1) < 1e-12
    # The states are in the tape, which is made inside.
    storage = lambda n, h: peak_bytes(lambda: bptt(_tape(n, h), ones(h)))  # noqa: E731
    assert abs(math.log2(storage(16, 2000) / storage(16, 1000)) - 1) < 0.05
    assert abs(math.log2(storage(64, 1000) / storage(32, 1000)) - 1) < 0.2  # and 2 outputs a step
