"""Every page in a browser: quiet, accessible in both modes, readable on a telephone."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import product

import pytest
from axe_playwright_python.sync_playwright import Axe
from built_site import DESKTOP, TELEPHONE, Visit, pages
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
Opens = Callable[..., Visit]

FRONT = "book/index.html"
FIRST_PAGE, NEXT_PAGE = 400_000, 150_000  # bytes, compressed
FONTS_THAT_FAILED = """() =>
  [...document.fonts].filter((font) => font.status === "error").map((font) => font.family)"""
AXE = {
    "resultTypes": ["violations"],
    "preload": False,  # it would ask for style sheets at addresses that do not exist
    # It counts a header cell that holds a formula alone as empty; test_site_html looks at these.
    "rules": {"empty-table-header": {"enabled": False}},
}
# The pieces of formulas that look otherwise than the formula as a whole
COLOURED_FORMULAS = """() => [...document.querySelectorAll("main .katex-html *")].filter((part) => {
  const { color, backgroundColor, opacity } = getComputedStyle(part);
  const whole = getComputedStyle(part.closest(".katex")).color;
  return color !== whole || backgroundColor !== "rgba(0, 0, 0, 0)" || opacity !== "1";
}).map((part) => part.outerHTML.slice(0, 200))"""
# Axe takes half a minute for the ten thousand pieces of formulas, and passes over single letters.
# While it looks, each formula is its text, and pictures are empty: test_site_accessibility looks at
# their colours.
THIN_OUT = """() => {
  window.thinned = [...document.querySelectorAll("main :is(.katex, svg[role=img])")]
    .map((box) => [box, [...box.childNodes]]);
  for (const [box] of window.thinned) {
    box.replaceChildren(box.matches("svg") ? "" : box.textContent);
  }
}"""
FILL_AGAIN = "() => window.thinned.forEach(([box, parts]) => box.replaceChildren(...parts))"
# Contrast takes a few milliseconds for each piece of text, and most pieces look like an earlier
# one: the same colours, size and surroundings. While axe looks, these are empty.
EACH_LOOK_ONCE = """() => {
  const places = new Map([[document.querySelector("main"), ""]]);
  const place = (box) => {
    if (!places.has(box)) {
      places.set(box, `${place(box.parentElement)}<${box.tagName} ${box.className}`);
    }
    return places.get(box);
  };
  const look = ({ parentElement: box }) => {
    const { color, backgroundColor, opacity, fontSize, fontWeight } = getComputedStyle(box);
    return [place(box), color, backgroundColor, opacity, fontSize, fontWeight].join();
  };
  const walk = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  const pieces = [];
  while (walk.nextNode()) if (walk.currentNode.data.trim()) pieces.push(walk.currentNode);
  const looks = pieces.map(look);
  window.emptied = pieces.filter((_, k) => looks.indexOf(looks[k]) < k);
  window.emptied = window.emptied.map((piece) => [piece, piece.data]);
  for (const [piece] of window.emptied) piece.data = "";
  for (const code of document.querySelectorAll("main pre")) {
    if (code.textContent.trim()) continue;
    window.thinned.push([code, [...code.childNodes]]);
    code.replaceChildren();
  }
}"""
SAY_ALL_AGAIN = "() => window.emptied.forEach(([piece, text]) => (piece.data = text))"
TEXT_WITHOUT_CODE = """() => {
  const main = document.querySelector("main").cloneNode(true);
  main.querySelectorAll("pre, code, script, .katex").forEach((part) => part.remove());
  return main.textContent;
}"""
AFTER_TWO_FRAMES = """() => new Promise((done) => {
  requestAnimationFrame(() => requestAnimationFrame(done));
})"""
# Formulas that are wider than their box and that a reader cannot scroll by mouse or by keyboard
CUT_OFF = """() => [...document.querySelectorAll("main .katex-display, main span.math")]
  .filter((box) => box.checkVisibility() && box.scrollWidth > box.clientWidth + 1)
  .filter((box) => getComputedStyle(box).overflowX !== "auto" || box.tabIndex !== 0)
  .map((box) => box.closest(".math").textContent.slice(0, 60))"""
# Tables that scroll and that the tabulator key does not reach
TABLES_OUT_OF_REACH = """() => [...document.querySelectorAll(".pst-scrollable-table-container")]
  .filter((box) => box.checkVisibility() && box.scrollWidth > box.clientWidth + 1)
  .filter((box) => box.tabIndex !== 0)
  .map((box) => box.textContent.slice(0, 60))"""
# Formulas that fit into their box and are a stop of the tabulator key all the same
NEEDLESS_STOPS = """() => [...document.querySelectorAll(".katex")]
  .map((formula) => [formula, formula.closest("[tabindex='0']")])
  .filter(([formula, box]) => box && !box.querySelector("table") && formula.checkVisibility())
  .filter(([formula, box]) => {
    return formula.getBoundingClientRect().width <= box.clientWidth;
  })
  .map(([formula]) => formula.textContent.slice(0, 60))"""


MODES = {"light": {"from_disk": False}, "dark": {"from_disk": True}}


@pytest.fixture(scope="package")
def cached(visit: Opens) -> set[str]:
    """What a reader who comes from the front page has already."""
    return set(visit("book/index.html").weights())


@pytest.fixture(scope="module", params=product(pages(), MODES), ids=" ".join)
def opened(request: pytest.FixtureRequest, cached: set[str], visit: Opens) -> Visit:
    """A page with its figures alive and its folded answers open, shared by all tests of the page.

    The light page comes from the server, the dark one from the disk: every page works from both.
    """
    path, scheme = request.param
    opened = visit(path, scheme=scheme, **MODES[scheme], shared=True)
    opened.page.evaluate(
        "() => document.querySelectorAll('main details').forEach((answer) => (answer.open = true))"
    )
    return opened


def test_page_is_quiet(opened: Visit) -> None:
    """No request to another host, nothing missing, no error and no warning in the console."""
    assert not opened.foreign
    assert not opened.complaints
    assert opened.page.evaluate(FONTS_THAT_FAILED) == []


def test_no_markup_is_left_over(opened: Visit) -> None:
    left_over = re.findall(
        r"\\[a-zA-Z(\[]+|\$\$|\{(?:eq|ref|cite)", opened.page.evaluate(TEXT_WITHOUT_CODE)
    )
    assert not left_over, f"visible markup: {left_over[:5]}"


def test_nothing_moves_while_the_page_loads(opened: Visit) -> None:
    """Mathematics and figures have their size from the start. 0.1 is what others call good."""
    assert opened.shift < 0.01


@pytest.mark.parametrize("opened", [(p, "light") for p in pages()], ids=" ".join, indirect=True)
def test_page_is_light(cached: set[str], opened: Visit) -> None:
    """At most 400 kB on a first visit and 150 kB on the next page, and no engine for formulas."""
    weights = opened.weights()
    assert sum(weights.values()) <= FIRST_PAGE, weights
    assert sum(size for file, size in weights.items() if file not in cached) <= NEXT_PAGE, weights
    assert not [file for file in weights if re.search(r"(mathjax|katex).*\.m?js$", file)]


def accessibility_faults(visit: Visit, contrast_alone: bool = False) -> list[str]:
    """What axe finds on the page: contrast on every look that there is, all other rules on all."""
    page, reports = visit.page, []
    assert not page.evaluate(COLOURED_FORMULAS)
    page.evaluate(THIN_OUT)
    if not contrast_alone:
        others = AXE | {"rules": AXE["rules"] | {"color-contrast": {"enabled": False}}}
        reports.append(Axe().run(page, options=others).response)
    page.evaluate(EACH_LOOK_ONCE)
    colours = AXE | {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
    reports.append(Axe().run(page, options=colours).response)
    page.evaluate(SAY_ALL_AGAIN)
    page.evaluate(FILL_AGAIN)
    assert reports[-1]["passes"], "no colour was looked at"
    found = [violation for report in reports for violation in report["violations"]]
    return [f"{v['id']} ({v['impact']}): {n['html'][:200]}" for v in found for n in v["nodes"]]


SCREENS = {"light": DESKTOP, "dark": TELEPHONE}


def test_axe_finds_nothing(opened: Visit) -> None:
    """Colours in both modes; all other rules on a telephone, where most can go wrong.

    On one page all rules in both modes and on both screens.
    """
    front = opened.path == FRONT
    for screen in (DESKTOP, TELEPHONE) if front else (SCREENS[opened.scheme],):
        opened.page.set_viewport_size(screen)
        opened.page.evaluate(AFTER_TWO_FRAMES)
        contrast_alone = screen is DESKTOP and not front
        assert not accessibility_faults(opened, contrast_alone)


def test_page_fits_a_telephone(opened: Visit) -> None:
    """Nothing is cut off at 390 px, and only boxes that the keyboard reaches scroll sideways."""
    page = opened.page
    page.set_viewport_size(TELEPHONE)
    page.evaluate(AFTER_TWO_FRAMES)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= TELEPHONE["width"]
    assert page.evaluate("() => document.body.scrollWidth") <= TELEPHONE["width"]
    assert not page.evaluate(CUT_OFF)
    assert not page.evaluate(TABLES_OUT_OF_REACH)
    assert not page.evaluate(NEEDLESS_STOPS)


def test_dark_mode_is_chosen_by_a_button_and_kept(visit: Opens) -> None:
    page = visit("book/index.html").page

    def background() -> tuple[int, ...]:
        colour = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        return tuple(map(int, re.findall(r"\d+", colour)[:3]))

    assert min(background()) > 200
    for _ in range(3):  # the button goes round: system, light, dark
        if page.locator("html").get_attribute("data-theme") == "dark":
            break
        page.locator(".theme-switch-button").filter(visible=True).first.click()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert max(background()) < 60
    page.locator("a.right-next").click()
    page.wait_for_load_state()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert max(background()) < 60


def test_the_root_of_the_site_leads_to_the_front_page(visit: Opens) -> None:
    page = visit("book/glossary.html").page
    page.goto(page.url.replace("book/glossary.html", ""))
    page.wait_for_url("**/book/index.html")
    expect(page.locator("article h1")).to_be_visible()
