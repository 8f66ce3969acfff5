"""The exercise pages as a place to study, and the front page: lists, folded hints, marks."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from bs4 import Tag
from built_site import Visit, html, pages
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
Opens = Callable[..., Visit]

MANUSCRIPTS = Path(__file__).parents[2] / "book" / "exercises"
EXERCISES = [path for path in pages() if path.startswith("exercises/")] or ["no exercises"]
FRONT, PAGE = "book/index.html", "exercises/06_the_tanh_fix.html"
STATEMENT = re.compile(r"^## (\d+\. .+)\n+\*\*(.+?) · (★+) · (\d+) minutes\.\*\*", re.M)
each_exercise_page = pytest.mark.parametrize("path", EXERCISES)


def text(element: Tag) -> str:
    """What a reader sees of an element; a heading without the mark of its own link."""
    parts = [p for p in element.find_all(string=True) if not p.find_parent(class_="headerlink")]
    return " ".join("".join(parts).split())


@each_exercise_page
def test_the_list_of_exercises_is_made_of_their_statements(site: Path, path: str) -> None:
    manuscript = (MANUSCRIPTS / f"{Path(path).stem}.md").read_text("utf-8")
    stated = STATEMENT.findall(manuscript)
    assert len(stated) == manuscript.count(".hint()\n```")
    page = html(path)
    listed = []
    for entry in page.select(".study-list > li"):
        section = page.find(id=entry.a["href"].removeprefix("#"))
        assert text(section.h2) == text(entry.a)
        stars, minutes = entry.select_one(".stars"), text(entry.p).split()[-2]
        assert stars["role"] == "img"
        assert stars["aria-label"] == f"difficulty {len(stars.get_text())} of 3"
        kind = text(entry.select_one("a ~ span"))
        listed.append((text(entry.a), kind, stars.get_text(), minutes))
    as_set = str.maketrans({"`": "", "'": "\N{RIGHT SINGLE QUOTATION MARK}"})
    plain = [(title.translate(as_set), *rest) for title, *rest in stated]
    assert listed == plain
    total = sum(int(minutes) for *_, minutes in stated)
    assert text(page.select_one(".study-total")) == f"{total} minutes in all."
    lines = [
        strong for strong in page.select("section > p:first-of-type > strong") if "★" in strong.text
    ]
    assert [line.select_one(".stars")["aria-label"][11] for line in lines] == [
        str(len(stars)) for _, _, stars, _ in stated
    ]


@each_exercise_page
def test_hints_are_folded_and_the_last_leads_to_an_equation(site: Path, path: str) -> None:
    boxes = html(path).select(".cell_output .hints")
    assert len(boxes) == len(html(path).select(".study-list > li"))
    for box in boxes:
        hints = box.select("details")
        assert len(hints) >= 2 and len(box.find_all("details", recursive=False)) == 1
        assert not box.select("[open]")
        for number, hint in enumerate(hints, start=1):
            assert text(hint.summary) == f"Open hint {number} of {len(hints)}"
            assert len(hint.find_all("details", recursive=False)) == (number < len(hints))
        assert "#equation-" in hints[-1].a["href"]
        assert "eq-" not in text(box)


@pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "no javascript"])
def test_hints_open_one_at_a_time_by_keyboard(visit: Opens, javascript: bool) -> None:
    page = visit(PAGE, javascript=javascript).page
    box = page.locator(".hints").first
    summaries = box.locator("summary")
    for number in range(summaries.count()):
        assert box.locator("p").filter(visible=True).count() == number
        summaries.nth(number).focus()
        page.keyboard.press("Enter")
        expect(box.locator("p").nth(number)).to_be_visible()
    assert page.locator(".hints p").filter(visible=True).count() == summaries.count()
    if not javascript:
        assert page.locator("main :is(input, label)").filter(visible=True).count() == 0


@pytest.mark.parametrize("from_disk", [False, True], ids=["server", "disk"])
def test_marks_are_kept_in_this_browser_alone(visit: Opens, from_disk: bool) -> None:
    opened = visit(PAGE, from_disk=from_disk)
    page, requests = opened.page, []
    count = page.locator(".study-total [role=status]")
    boxes = page.get_by_role("checkbox", name="done: 2. The step Jacobian")
    expect(count).to_have_text("0 of 7 done.")
    assert boxes.count() == 2  # in the list, and at the end of the exercise
    page.on("request", lambda request: requests.append(request.url))
    boxes.last.focus()
    page.keyboard.press("Space")
    expect(count).to_have_text("1 of 7 done.")
    expect(boxes.first).to_be_checked()
    assert not requests
    page.reload()
    expect(count).to_have_text("1 of 7 done.")
    expect(boxes.last).to_be_checked()
    expect(page.locator("main :checked")).to_have_count(2)
    assert not page.context.cookies()
    page.goto(opened.root + FRONT)
    expect(page.locator(".chapters .done")).to_have_text("(1 of 7 done)")
    page.goto(opened.root + PAGE)
    page.get_by_role("button", name="Clear the marks").focus()
    page.keyboard.press("Enter")
    expect(count).to_have_text("0 of 7 done.")
    expect(page.locator("main :checked")).to_have_count(0)
    assert page.evaluate("() => localStorage.getItem('bptt-done')") == "{}"
    assert not opened.foreign
    assert not opened.complaints


REFUSE = """() => {{
  const own = Storage.prototype.{method};
  Storage.prototype.{method} = function (key, ...rest) {{
    if (key === "bptt-done") throw new DOMException("refused", "SecurityError");
    return own.call(this, key, ...rest);
  }};
}}"""


@pytest.mark.parametrize(("method", "boxes"), [("getItem", 0), ("setItem", 14)])
def test_a_browser_that_stores_nothing_is_no_error(visit: Opens, method: str, boxes: int) -> None:
    opened = visit(PAGE)
    opened.page.add_init_script(f"({REFUSE.format(method=method)})()")
    opened.page.reload()
    expect(opened.page.locator("main [type=checkbox]")).to_have_count(boxes)
    if boxes:  # it can be read, but it is full
        opened.page.locator("main [type=checkbox]").first.click()
        expect(opened.page.locator("main :checked")).to_have_count(0)
    assert not opened.complaints


def titles() -> dict[str, str]:
    return {path: text(html(path).main.h1) for path in pages() if html(path).main.h1}


def test_a_link_to_the_next_page_makes_sense_alone(site: Path) -> None:
    found = titles()
    assert len(set(found.values())) == len(found)
    for path in found:
        for link in html(path).select("a.left-prev, a.right-next"):
            page = posixpath.normpath(posixpath.join(posixpath.dirname(path), link["href"]))
            assert text(link.select_one(".prev-next-title")) == found[page]


def test_the_front_page_leads_everywhere(site: Path) -> None:
    page = html(FRONT)
    questions = page.select(".questions a")
    assert 5 <= len(questions) <= 12
    for link in questions:
        assert "readers_questions.html#" in link["href"] and text(link).endswith("?")
    assert len(page.select(".paths > li")) == 3
    links = [link["href"] for link in page.select(".chapters a")]
    listed = [link.removeprefix("../").partition("#")[0] for link in links]
    editions = [p for p in pages() if p.split("/")[0] in ("notebooks", "exercises", "solutions")]
    assert sorted(listed) == sorted(editions)
    sidebar = [link["href"].removeprefix("../") for link in page.select("nav.bd-links a")]
    assert [path for path in sidebar if path in editions] == listed
