"""The textbook's exercises 8.7.4: the yardstick, the figure, and where the hints lead."""

import math
import re
from pathlib import Path

import press
import pytest
import torch

from bptt.exercises import section_8_7_4 as ex
from bptt.exercises.engine import Exercise
from bptt.explore.section_8_7_4 import STEPS, _path

MANUSCRIPT = Path(__file__).parent.parent / "book/exercises/8_7_4.md"
WORDS = re.sub(r"\s+", " ", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", MANUSCRIPT.read_text("utf-8")))
EXERCISES = [value for value in vars(ex).values() if isinstance(value, Exercise)]


def chance_of_the_bound(k, n=50, ratio=0.9, degrees=1.0):
    """The probability with which the bound guarantees the angle after k steps.

    cot(theta_0) times the root of n - 1 is the absolute value of a Student t with n - 1 degrees of
    freedom, whose law is a finite sum for an odd number of them (Abramowitz and Stegun, 26.7.3).
    """
    phi = math.atan(ratio**k / math.tan(math.radians(degrees)))  # 90° - the farthest good start
    term = total = math.cos(phi)
    for j in range(3, n - 2, 2):
        term *= (j - 1) / j * math.cos(phi) ** 2
        total += term
    return 1 - 2 / math.pi * (phi + math.sin(phi) * total)


@pytest.mark.yardstick
def test_the_bound_guarantees_one_degree_from_step_77_and_from_step_99():
    assert chance_of_the_bound(76) < 0.90 <= chance_of_the_bound(77)
    assert chance_of_the_bound(98) < 0.99 <= chance_of_the_bound(99)
    assert chance_of_the_bound(76) == pytest.approx(0.8943, abs=5e-5)
    assert chance_of_the_bound(77) == pytest.approx(0.9048, abs=5e-5)
    assert chance_of_the_bound(98) == pytest.approx(0.9896, abs=5e-5)
    assert chance_of_the_bound(99) == pytest.approx(0.9906, abs=5e-5)


@pytest.mark.yardstick
def test_the_reference_answers_agree_with_the_yardstick():
    chances = torch.tensor([0.9, 0.99], dtype=torch.float64)
    assert ex.steps.reference(chances, 50, 0.9, 1.0).tolist() == [77, 99]
    for k in (10, 60, 76, 77, 99):
        start = math.degrees(math.atan(math.tan(math.radians(1)) / 0.9**k))
        angles = torch.tensor([start], dtype=torch.float64)
        (chance,) = ex.within.reference(angles, 50).tolist()
        assert chance == pytest.approx(chance_of_the_bound(k), rel=1e-9, abs=1e-13)


@pytest.mark.yardstick
@pytest.mark.parametrize(
    ("others", "first", "last"),
    [([0.9, -0.9] * 24 + [0.9], (77, 99), (77, 99)), (None, (57, 79), (58, 82))],
    ids=["all others equal", "spread"],
)
def test_simulation(others, first, last):
    """Gaussian vectors multiplied by diagonal matrices: tight for equal absolute values, and fewer
    steps for a spread spectrum. Tolerance: four standard errors."""
    count = 100_000
    generator = torch.Generator().manual_seed(8740)
    c = torch.randn(count, 50, generator=generator, dtype=torch.float64)
    others = torch.linspace(0.9, 0, 49) if others is None else torch.tensor(others)
    limit = math.tan(math.radians(1))

    def share(k):
        tangents = (c[:, 1:] * others.double() ** k).norm(dim=1) / c[:, 0].abs()
        return float((tangents <= limit).double().mean())

    for chance, low, high in zip((0.9, 0.99), first, last, strict=True):
        error = math.sqrt(chance * (1 - chance) / count)
        assert share(low - 1) < chance + 4 * error
        assert share(high) > chance - 4 * error
        if low == high:
            exact = chance_of_the_bound(low)
            assert abs(share(low) - exact) < 4 * math.sqrt(exact * (1 - exact) / count)
        else:
            assert high < {0.9: 77, 0.99: 99}[chance]


@pytest.mark.parametrize(
    ("sentence", "holds"),
    [
        ("the vector is 83° away from the line", lambda: round(_path("spread")[0][0]) == 83),
        (
            "all other eigenvalues equal the bound is exact",
            lambda: abs(_path("equal")[0] - _path("equal")[1]).max() < 2e-6,
        ),
        (
            "the arrow jumps from one end of the line to the other at every step",
            lambda: (
                (_path("negative")[2][:-1, 0] * _path("negative")[2][1:, 0] < 0).all()
                and (_path("negative")[0] == _path("spread")[0]).all()
                and abs(_path("negative")[2][12, 0]) > 0.9
            ),
        ),
        ("second eigenvalue 24 steps are not enough", lambda: _path("close")[0][24] > 10),
        (
            "the vector never aligns; step back and forth between 23 and 24",
            lambda: (
                30 < _path("tie")[0][STEPS] < 50
                and _path("tie")[2][23, 1] * _path("tie")[2][24, 1] < 0
            ),
        ),
    ],
)
def test_the_text_tells_what_the_figure_shows(sentence, holds):
    assert sentence in WORDS
    assert holds()


def test_the_bound_of_the_figure_is_a_bound():
    for spectrum in ("equal", "spread", "negative", "close", "tie"):
        angles, bounds, _ = _path(spectrum)
        assert (angles <= bounds + 2e-6).all()
        assert (angles[1:] <= angles[:-1] + 2e-6).all()


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_diagnoses_and_hints_lead_to_what_the_learner_has(exercise):
    """To headings and equations of the exercises, not of the solutions alone."""
    (edition,) = (
        edition
        for edition in press.editions(press.ROOT, [MANUSCRIPT])
        if edition.path.parent.name == "exercises"
    )
    text = "\n".join(c.source for c in press.compose(edition).cells if c.cell_type == "markdown")
    for mistake in exercise.known_mistakes:
        assert f"## {mistake.section}\n" in text
    for label in re.findall(r"eq-[\w-]+", " ".join(exercise.hints)):
        assert f"({label})" in text
