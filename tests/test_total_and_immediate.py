"""What the text of chapter 2 says about its figures and its printed numbers."""

import re
from pathlib import Path

import nbformat
import pytest

from bptt.explore.total_and_immediate import IMMEDIATE, TOTAL, _both, _measured, nudged_weight

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "book/chapters/02_total_and_immediate.md").read_text("utf-8")
WEIGHTS = [round(-1.0 + 0.1 * k, 1) for k in range(26)]


def gap(w):
    immediate, total = _both(w)
    return total - immediate


@pytest.mark.parametrize(
    ("sentence", "holds"),
    [
        (
            "Nudge the last use alone: h_3 gains 4, the lower part of its bar",
            lambda: _measured("3", 0.01).tolist() == [0, 0, IMMEDIATE[2]] and IMMEDIATE[2] == 4,
        ),
        (
            "it gains about 26, the whole bar",
            lambda: abs(_measured("all", 0.01)[2] - TOTAL[2]) < 0.2 and TOTAL[2] == 26,
        ),
        (
            "now h_2 gains what the lower part of its bar says, and h_3 gains twice that",
            lambda: _measured("2", 0.01).tolist() == [0, IMMEDIATE[1], 2 * IMMEDIATE[1]],
        ),
        (
            "the measured change leaves the bar",
            lambda: _measured("all", 0.25)[2] > TOTAL[2] + 4,
        ),
        ("the lines fall together at every step", lambda: not gap(0.0).any()),
        ("they part from step 2 on", lambda: abs(gap(0.9)[1:]).min() > 0.1),
        (
            "at some steps the recursive term is negative now, at others positive",
            lambda: gap(-0.8).min() < -0.1 and gap(-0.8).max() > 0.1 and gap(0.9).min() >= 0,
        ),
        ("At step 1 the lines always meet", lambda: all(gap(w)[0] == 0 for w in WEIGHTS)),
    ],
)
def test_the_text_tells_what_the_figure_shows(sentence, holds):
    words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", TEXT).replace("$", "")
    assert sentence in re.sub(r"\s+", " ", words)
    assert holds()


def test_the_figure_shows_the_table_of_the_text():
    rows = {
        "the step alone: $h_{t-1}$": IMMEDIATE,
        "everything": TOTAL,
    }
    for name, values in rows.items():
        (row,) = re.findall(rf"^\| {re.escape(name)} \|(.*)\|$", TEXT, re.MULTILINE)
        assert [int(cell.split("=")[0]) for cell in row.split("|")] == values.tolist()


@pytest.mark.parametrize("step", ["1", "2", "3"])
def test_a_single_use_counts_in_proportion(step):
    """The captions promise the same number for every size of the nudge."""
    sizes = [-0.25, -0.1, -0.01, 0.01, 0.1, 0.25]
    assert len({tuple(_measured(step, size)) for size in sizes}) == 1


def test_the_caption_of_an_early_nudge_tells_how_the_change_travels():
    figure = nudged_weight()
    for step, third, words in (("1", 12, "3, times the weight 2 twice"), ("2", 10, "5, times")):
        figure.set(step=step)
        assert f"h_3 changes by {third} per unit" in repr(figure) and words in repr(figure)
        assert _measured(step, 0.01)[2] == third


def test_the_gap_is_zero_at_no_weight_but_zero():
    """The caption says that the two agree at step 1 alone."""
    for w in WEIGHTS:
        assert (abs(gap(w)[1:]) > 1e-4).all() == (w != 0)


def test_the_mistake_is_as_large_as_the_text_says():
    """ "More than one tenth" from step 2 on, nothing at step 1."""
    notebook = nbformat.read(ROOT / "notebooks/02_total_and_immediate.ipynb", as_version=4)
    printed = [
        output.text
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "relative error at t = 1" in output.get("text", "")
    ]
    assert (
        "In this network the relative error is more than one tenth at every step from $t = 2$ on"
        in re.sub(r"\s+", " ", TEXT)
    )
    (line,) = printed
    errors = [float(number) for number in line.partition("[")[2].rstrip("]\n").split(", ")]
    assert len(errors) == 7 and errors[0] == 0 and min(errors[1:]) > 0.1
