"""What the text of chapter 14 says about the museum, its checks and its figure."""

import math
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import torch

from bptt import Gradients, bptt
from bptt.checks import CHECKS, GOOD, QUANTITIES, Check, Training
from bptt.explore.the_bug_museum import SEED, WHY_MISSED, _caught, _wrong_adjoints, rooms
from bptt.museum import MUSEUM, right, right_by_loss
from bptt.verify import relative_error

TEXT = (Path(__file__).parent.parent / "book/chapters/14_the_bug_museum.md").read_text("utf-8")
WORDS = re.sub(r"\s+", " ", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", TEXT))
BEYOND_ONE_STEP = {
    "slopes pulled out",
    "assigned, not added",
    "immediate only",
    "last loss only",
    "cut into blocks",
    "total times total",
    "state's gradient never cleared",
    "divided by T again",
}
MISSED = {  # what each check misses in at least one of three networks
    "one step": BEYOND_ONE_STEP,
    "one sequence": {"h_0 summed over the batch", "divided by B again"},
    "zero h_0": {
        "h_0 taken for zero",
        "h_0 without its weight",
        "h_0 summed over the batch",
    },
    "symmetric W_hh": {"W_hh the wrong way round"},
    "tiny weights": {
        "slope forgotten",
        "slope of z",
        "slopes pulled out",
        "immediate only",
        "cut into blocks",
        "total times total",
        "state's gradient never cleared",
        "clipped inside",
    },
    "loss at the last step": {"last loss only", "state's gradient never cleared"},
    "the loss falls": set(MUSEUM) - {"slope of z"},
    "good design": set(),
}


@cache
def catches(mistake, check):
    return [CHECKS[check].catches(MUSEUM[mistake].broken, seed) for seed in range(3)]


@pytest.mark.parametrize("check", MISSED)
def test_what_a_check_misses(check):
    assert {name for name in MUSEUM if not all(catches(name, check))} == MISSED[check]


def test_the_absolute_tolerance_misses_everything_in_some_network_or_in_all():
    seen = {name for name in MUSEUM if any(catches(name, "absolute tolerance"))}
    assert seen == {"slope of z"}
    assert not all(
        CHECKS["absolute tolerance"].catches(MUSEUM["slope of z"].broken, s) for s in range(5)
    )
    nothing = lambda tape, dO: Gradients(*(0 * g for g in vars(bptt(tape, dO)).values()))  # noqa: E731
    assert not any(CHECKS["absolute tolerance"].catches(nothing, seed) for seed in range(5))


@pytest.mark.parametrize("backward", [bptt, right, right_by_loss])
def test_no_check_alarms_without_a_mistake(backward):
    assert not any(check.catches(backward, seed) for check in CHECKS.values() for seed in range(3))


def test_each_famous_check_changes_one_thing_in_the_good_design():
    for name, check in CHECKS.items():
        if isinstance(check, Training):
            continue
        changed = [f for f in vars(GOOD) if getattr(GOOD, f) != getattr(check, f)]
        expected = {"good design": 0, "absolute tolerance": 4}.get(name, 2)  # the name is one
        assert len(changed) == expected, changed


def test_not_a_number_is_caught():
    def broken(tape, dO):
        return Gradients(*(g * math.nan for g in vars(bptt(tape, dO)).values()))

    for check in (GOOD, CHECKS["absolute tolerance"], CHECKS["the loss falls"]):
        assert check.catches(broken, 0)


def test_one_hot_inputs_show_the_adjoints():
    rnn, X, _, _ = Check("small", B=1).network(seed=3, one_hot=True)
    assert rnn.W_hx.shape == (4, 7) and torch.equal(X[:, 0], torch.eye(7, dtype=X.dtype))


def pairs_that_are_wrong(mistake, check="good design"):
    return {pair for pair, wrong in _wrong_adjoints(mistake, check).items() if wrong}


ALL = {(t, j) for t in range(1, 8) for j in range(1, t + 1)}


@pytest.mark.parametrize(
    ("sentence", "holds"),
    [
        (
            "recognise nineteen wrong backward passes",
            lambda: len(MUSEUM) == 19,
        ),
        (
            "The good design".replace("The good", "The *good")
            + "* has seven steps, three sequences",
            lambda: (GOOD.T, GOOD.B, GOOD.with_h0, GOOD.tolerance) == (7, 3, True, 1e-3),
        ),
        (
            "there is one cell, and it is right. With the good design only the diagonal is right.",
            lambda: (
                _wrong_adjoints("immediate only", "one step") == {(1, 1): False}
                and pairs_that_are_wrong("immediate only") == {p for p in ALL if p[0] != p[1]}
            ),
        ),
        (
            "the same cells are wrong, and the bars end before the dashed line.",
            lambda: (
                pairs_that_are_wrong("immediate only", "tiny weights")
                == pairs_that_are_wrong("immediate only")
                and not _caught("immediate only", "tiny weights")
            ),
        ),
        (
            "Go to state of the same step: no cell is wrong.",
            lambda: not pairs_that_are_wrong("state of the same step"),
        ),
        (
            '"Last loss only" keeps the column of the loss at step 7',
            lambda: pairs_that_are_wrong("last loss only") == {p for p in ALL if p[0] != 7},
        ),
        (
            '"Assigned, not added" keeps the row of step 1',
            lambda: pairs_that_are_wrong("assigned, not added") == {p for p in ALL if p[1] != 1},
        ),
        (
            "so the mistake touches one gradient only and nothing spreads.",
            lambda: all(
                len(wrong_gradients(bug)) == 1 for bug in MUSEUM.values() if bug.wing == "partner"
            ),
        ),
        (
            "$W_{hh}$ the wrong way round is caught all the same, by the gradient of $h_0$ alone.",
            lambda: (
                wrong_gradients(MUSEUM["W_hh the wrong way round"], CHECKS["tiny weights"])
                == {"h0"}
            ),
        ),
        (
            "the errors here are in the thousands.",
            lambda: 1e3 < errors(MUSEUM["slope of z"])["h0"] < 1e4,
        ),
        (
            "$\\mathrm{d}L/\\mathrm{d}h_0$ tells: it was not divided.",
            lambda: all(
                "h0" not in wrong_gradients(MUSEUM[f"divided by {letter} again"]) for letter in "TB"
            ),
        ),
        (
            "The first two steps are right.",
            lambda: (
                not replace(GOOD, T=2).catches(MUSEUM["state's gradient never cleared"].broken, 0)
                and replace(GOOD, T=3).catches(MUSEUM["state's gradient never cleared"].broken, 0)
            ),
        ),
        (
            "so step 1 survives alone.",
            lambda: torch.equal(
                MUSEUM["assigned, not added"].broken(*GOOD.case(0)).W_hx,
                MUSEUM["assigned, not added"].broken(*first_use_only(0)).W_hx,
            ),
        ),
        (
            "is 21 times too small",
            lambda: GOOD.T * GOOD.B == 21,
        ),
        (
            "The two that concern the gradient of h_0 itself",
            lambda: (
                {name for name in MISSED["zero h_0"] if caught_with_gradient_of_zero_h0(name)}
                == {"h_0 without its weight", "h_0 summed over the batch"}
            ),
        ),
    ],
)
def test_the_text_tells_what_is_so(sentence, holds):
    assert sentence in WORDS
    assert holds()


def errors(bug, check=GOOD):
    pairs = check.pairs(bug.broken, SEED)
    return {name: relative_error(*pairs[name]) for name in QUANTITIES}


def wrong_gradients(bug, check=GOOD):
    return {name for name, error in errors(bug, check).items() if error > check.tolerance}


def first_use_only(seed):
    """The case with all inputs but the first set to zero on the tape."""
    tape, dO = GOOD.case(seed)
    X = torch.cat([tape.X[:1], 0 * tape.X[1:]])
    return replace(tape, X=X), dO


def caught_with_gradient_of_zero_h0(name):
    return bool(wrong_gradients(MUSEUM[name], CHECKS["zero h_0"]))


def test_the_figure_explains_each_miss_and_its_verdict_is_the_check_s():
    for name in CHECKS:
        missed = [mistake for mistake in MUSEUM if not _caught(mistake, name)]
        told = name in WHY_MISSED or CHECKS[name].name in ("absolute tolerance", "the loss falls")
        assert told == bool(missed), name
    figure = rooms()
    figure.set(mistake="immediate only", check="one step")
    assert "Missed. With one step nothing comes back" in repr(figure)
    figure.set(mistake="state of the same step", check="good design")
    assert "Caught: the gradient of W_hh has a relative error of 1.5. Of 28" in repr(figure)
    figure.set(mistake="slope forgotten", check="absolute tolerance")
    assert "below 0.00001" in repr(figure)


def test_every_state_that_the_text_links_to_is_on_the_grid():
    figure = rooms()
    links = re.findall(r"\((#explore-rooms\?[^)]*)\)", TEXT)
    assert len(links) == 6
    for link in links:
        wanted = {k: v[0] for k, v in parse_qs(urlsplit(link).fragment.partition("?")[2]).items()}
        figure.set(**wanted)
        assert figure.parameters == wanted
