"""The reference pages as they were built: the concordance and the counts are computed afresh."""

from __future__ import annotations

import re
from copy import copy
from pathlib import Path

import ledger
import pytest
import sphinx_concordance
from built_site import figures, html, pages

from bptt.concordance import CONCORDANCE
from bptt.exercises import catalogue

pytestmark = pytest.mark.browser
CONCORDANCE_PAGE = "book/concordance.html"
CHECKED_PAGE = "book/how_it_is_checked.html"
QUESTIONS_PAGE = "book/readers_questions.html"


def rows(table) -> list[list[str]]:
    return [
        [cell.get_text(" ", strip=True) for cell in row.select("td, th")]
        for row in table.select("tbody tr")
    ]


@pytest.mark.parametrize("entry", CONCORDANCE, ids=lambda entry: entry.name)
def test_the_concordance_prints_what_is_computed(site: Path, entry) -> None:
    target = html(CONCORDANCE_PAGE).find(id=sphinx_concordance.label(entry))
    section = target if target.name == "section" else target.find_next_sibling("section")
    section = section or target.find_parent("section")
    assert section.h3.get_text().lower().startswith(entry.name)
    found = [row[1:] for row in rows(section.table)]
    expected = [
        [reading.verdict, *map(sphinx_concordance.shown, reading.errors.values())]
        for reading in entry.readings
    ]
    assert found == expected
    for number in (*entry.old, *entry.new):
        assert number in section.get_text()
    assert len(section.select("a[href*='#equation-']")) == len(entry.equations)


def test_every_printed_number_leads_to_its_equation(site: Path) -> None:
    table = html(CONCORDANCE_PAGE).main.table
    assert [row[0] for row in rows(table)] == [f"8.7.{n}" for n in range(1, 17)]
    assert len(table.select("td a.reference")) == 32


def counts(path: str) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for count in html(path).select(".count"):
        (name,) = [c.removeprefix("count-") for c in count["class"] if c.startswith("count-")]
        found.setdefault(name, set()).add(int(count.get_text().replace(",", "")))
    return found


@pytest.mark.parametrize("path", [CHECKED_PAGE, "book/index.html"])
def test_the_counts_are_those_of_the_book(site: Path, path: str) -> None:
    found = counts(path)
    expected = {
        "equations": {len(ledger.manuscript_equations())},
        "exercises": {len(catalogue)},
        "mistakes": {sum(len(exercise.mistakes) for exercise in catalogue.values())},
        "figures": {len({name for _, name in figures()})},
        "pages": {len([page for page in pages() if page not in ("search.html", "genindex.html")])},
    }
    assert found
    assert {name: found[name] for name in found if name in expected} == {
        name: value for name, value in expected.items() if name in found
    }
    for name in found.keys() - expected.keys():
        assert name in ("frames", "cells")
        assert min(found[name]) > 100


def test_no_count_is_typed_in(site: Path) -> None:
    """What is counted stands in no digit of the page besides."""
    page = copy(html(CHECKED_PAGE).main)
    for table in page.select("#what-it-costs table"):  # measured, whatever the numbers are
        table.decompose()
    text = page.get_text(" ")
    for name, numbers in counts(CHECKED_PAGE).items():
        for number in numbers:
            shown = len(page.select(f".count-{name}"))
            assert len(re.findall(rf"(?<!\d){number:,}(?![\d,])", text)) == shown, name


def test_every_question_has_a_row_an_answer_and_an_exercise(site: Path) -> None:
    page = html(QUESTIONS_PAGE)
    names = [f"Q{n}" for n in range(1, 14)] + [f"B{n}" for n in range(1, 7)]
    found = rows(page.main.table)
    assert [row[0] for row in found] == names
    headings = page.main.select("h2")
    for name, row in zip(names, page.main.table.select("tbody tr"), strict=True):
        links = [cell.a["href"] for cell in row.select("td") if cell.a]
        assert len(links) == 3
        assert "notebooks/" in links[1] or "solutions/" in links[1]
        assert "exercises/" in links[2]
        (heading,) = [h for h in headings if h.get_text().startswith(f"{name}. ")]
        section = heading.find_parent("section")
        assert section.em, heading
        assert "notebooks/" in str(section) or "solutions/" in str(section), heading
