"""The list of a page's exercises: without its number or its line no exercise is built."""

import io

import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

PAGE = """# 1. Exercises

Two exercises.

## 1. By hand

**By hand · ★ · 8 minutes.** Add.

## {heading}

{line} Prove.

## What to know

Something.
"""


@pytest.mark.parametrize(
    ("heading", "line", "complaints"),
    [
        ("2. With a proof", "**Prove · ★★★ · 12 minutes.**", 0),
        ("2. With a proof", "", 1),
        ("2. With a proof", "**Prove · 12 minutes.**", 1),
        ("2. With a proof", "**Prove · ★★★★ · 12 minutes.**", 1),
        ("2. With a proof", "**Prove · ★★★ · a while.**", 1),
        ("With a proof", "**Prove · ★★★ · 12 minutes.**", 1),
    ],
)
def test_an_exercise_without_number_or_line_is_a_warning(tmp_path, heading, line, complaints):
    (tmp_path / "exercises").mkdir()
    (tmp_path / "index.md").write_text("# Book\n\n```{toctree}\nexercises/01_one\n```\n", "utf-8")
    page = PAGE.format(heading=heading, line=line)
    (tmp_path / "exercises" / "01_one.md").write_text(page, "utf-8")
    options = {
        "extensions": ["myst_parser", "sphinx_study"],
        "source_suffix": {".md": "markdown"},  # not MyST-NB's, which another test may have left
        "html_theme": "basic",
    }
    warnings, built = io.StringIO(), tmp_path / "built"
    with docutils_namespace():
        app = Sphinx(tmp_path, None, built, built, "html", options, status=None, warning=warnings)
        app.build()
    assert warnings.getvalue().count("an exercise needs a number") == complaints
    assert warnings.getvalue().count("WARNING") == complaints
    if not complaints:
        html = (built / "exercises" / "01_one.html").read_text("utf-8")
        assert "20 minutes in all." in html and 'aria-label="difficulty 3 of 3"' in html
