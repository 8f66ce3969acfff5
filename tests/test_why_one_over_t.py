"""What the text of chapter 3 says about its figure."""

import re
from pathlib import Path

import pytest

from bptt.explore.why_one_over_t import (
    LENGTHS,
    RATE,
    THRESHOLDS,
    _clipped_from,
    _mean_norms,
    _steps,
    step_taken,
)

TEXT = (Path(__file__).parent.parent / "book/chapters/03_why_one_over_t.md").read_text("utf-8")


def clipped_from(threshold, stretch):
    """The lengths from which on the sum and the mean are clipped."""
    return tuple(_clipped_from(steps, threshold) for steps in _steps(threshold, stretch))


@pytest.mark.parametrize(
    ("sentence", "holds"),
    [
        (
            "the two curves are $T$ times apart",
            lambda: all(
                total == pytest.approx(T * mean, rel=1e-12)
                for T, total, mean in zip(LENGTHS, *_steps("none", 0.8), strict=True)
            ),
        ),
        (
            "the summed loss is clipped from $T = 3$ on, the mean never",
            lambda: clipped_from("1", 0.8) == (3, None),
        ),
        (
            "every gradient is clipped, and the curves lie on each other",
            lambda: (
                clipped_from("0.1", 0.8) == (1, 1)
                and _steps("0.1", 0.8)[0] == _steps("0.1", 0.8)[1]
            ),
        ),
        (
            "From which length on does clipping protect the mean loss, too?",
            lambda: clipped_from("1", 1.02) == (3, 14),
        ),
        ("the learning rate 0.1 times the norm of the clipped gradient", lambda: RATE == 0.1),
    ],
)
def test_the_text_tells_what_the_figure_shows(sentence, holds):
    words = re.sub(r"\s+", " ", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", TEXT))
    assert sentence in words
    assert holds()


def test_a_short_memory_keeps_the_mean_flat_and_an_explosion_does_not():
    assert max(_mean_norms(0.5)) < 2 * min(_mean_norms(0.5))
    assert _mean_norms(1.02)[-1] > 500 * _mean_norms(1.02)[0]


def test_the_sentence_names_the_lengths_of_the_picture():
    figure = step_taken()
    for threshold in THRESHOLDS:
        for stretch in (0.5, 0.8, 0.9, 0.95, 1.0, 1.02):
            figure.set(threshold=threshold, stretch=stretch)
            said = [int(number) for number in re.findall(r"from T = (\d+)", repr(figure))]
            expected = [T for T in clipped_from(threshold, stretch) if T is not None]
            assert said == expected or (said == [] and expected == [1, 1])
