"""Every explorable figure of the book: each stored frame is drawn afresh and compared."""

import importlib
import inspect
from pathlib import Path

import pytest

CHAPTERS = sorted((Path(__file__).parent.parent / "book/chapters").glob("*.md"))


def figures_of(manuscript: Path):
    module = importlib.import_module(f"bptt.explore.{manuscript.stem.partition('_')[2]}")
    return [
        function
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    ]


FIGURES = [figure for manuscript in CHAPTERS for figure in figures_of(manuscript)]


@pytest.mark.parametrize("figure", FIGURES, ids=lambda f: f.__name__)
def test_every_frame_is_what_a_fresh_drawing_shows(figure):
    assert figure().unproved_frames() == []


@pytest.mark.parametrize("manuscript", CHAPTERS, ids=lambda path: path.stem)
def test_every_chapter_shows_its_figures(manuscript):
    text = manuscript.read_text("utf-8")
    figures = figures_of(manuscript)
    assert figures
    for figure in figures:
        assert f"figures.{figure.__name__}()" in text
