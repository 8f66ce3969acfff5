"""Every explorable figure of the book: each stored frame is drawn afresh and compared."""

import importlib
import inspect
from pathlib import Path

import pytest

BOOK = Path(__file__).parent.parent / "book"
CHAPTERS = sorted(BOOK.glob("chapters/*.md"))
# The exercises of a section of the textbook, 8_7_4 for instance, have no chapter.
SECTIONS = [
    p for p in sorted(BOOK.glob("exercises/*.md")) if not (BOOK / "chapters" / p.name).exists()
]
MANUSCRIPTS = CHAPTERS + SECTIONS


def figures_of(manuscript: Path):
    stem = manuscript.stem
    name = f"section_{stem}" if manuscript in SECTIONS else stem.partition("_")[2]
    module = importlib.import_module(f"bptt.explore.{name}")
    return [
        function
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    ]


FIGURES = [figure for manuscript in MANUSCRIPTS for figure in figures_of(manuscript)]


@pytest.mark.parametrize("figure", FIGURES, ids=lambda f: f.__name__)
def test_every_frame_is_what_a_fresh_drawing_shows(figure):
    assert figure().unproved_frames() == []


@pytest.mark.parametrize("manuscript", MANUSCRIPTS, ids=lambda path: path.stem)
def test_every_chapter_shows_its_figures(manuscript):
    text = manuscript.read_text("utf-8")
    figures = figures_of(manuscript)
    assert figures
    for figure in figures:
        assert f"figures.{figure.__name__}()" in text
