"""What axe does not look at: names of links, colours in figures, focus, motion, enlarged text."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from bs4 import Comment, Tag
from built_site import PLAYED, TELEPHONE, Visit, figures, html, pages

pytestmark = pytest.mark.browser
Opens = Callable[..., Visit]
every_page = pytest.mark.parametrize("path", pages())
every_figure = pytest.mark.parametrize(("path", "name"), figures(), ids=" ".join)

TEXT, LINE = 4.5, 3.0  # least contrast of text and of lines: WCAG 2.2, 1.4.3 and 1.4.11
VAGUE = re.compile(r"(?i)(click |see )?(here|this|link|more|page|next|previous)\W*|[\d.]+|\W*")


# Headings, landmarks and links -------------------------------------------------------------------


@every_page
def test_headings_skip_no_level(site: Path, path: str) -> None:
    article = html(path).article or html(path).main
    levels = [int(heading.name[1]) for heading in article.select("h1, h2, h3, h4, h5, h6")]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(below <= above + 1 for above, below in pairwise(levels))


@every_page
def test_language_landmarks_and_the_link_that_skips(site: Path, path: str) -> None:
    page = html(path)
    assert page.html["lang"] == "en" and page.title.get_text(strip=True)
    assert len(page.select("main")) == 1
    names = [nav.get("aria-label") or nav.get("aria-labelledby") for nav in page.select("nav")]
    assert all(names) and len(set(names)) == len(names)
    first = page.body.find("a")
    assert first["href"].startswith("#") and page.find(id=first["href"][1:]).name == "main"
    loose = [text for text in page.body.find_all(string=True, recursive=False) if text.strip()]
    assert all(isinstance(text, Comment) for text in loose), "text outside of all landmarks"


def name_of(link: Tag) -> str:
    pictures = " ".join(image.get("alt", "") for image in link.select("img"))
    return link.get("aria-label") or f"{link.get_text(' ', strip=True)} {pictures}".strip()


@every_page
def test_a_link_says_where_it_leads(site: Path, path: str) -> None:
    """No vague words, and on one page one text leads to one place.

    In a table the row and the column say more. One figure may be set in the words of another.
    """
    places = defaultdict(set)
    for link in (html(path).article or html(path).main).select("a[href]:not(.headerlink)"):
        name = name_of(link)
        assert not VAGUE.fullmatch(name), f"{name!r} leads to {link['href']}"
        if not link.find_parent("table") and "data-explore-set" not in link.attrs:
            places[name].add(link["href"])
    assert not {name: found for name, found in places.items() if len(found) > 1}


# Colours of figures ------------------------------------------------------------------------------

Colour = tuple[float, float, float]


def rgb(text: str) -> Colour:
    digits = text.removeprefix("#")
    digits = "".join(2 * d for d in digits) if len(digits) == 3 else digits
    return tuple(int(digits[k : k + 2], 16) / 255 for k in (0, 2, 4))


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    return tuple(share * a + (1 - share) * b for a, b in zip(one, other, strict=True))


def contrast(one: Colour, other: Colour) -> float:
    def luminance(colour: Colour) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
        return sum(k * c for k, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def declared(sheets: str, selector: str, variable: str) -> str:
    """The value of a variable in the last rule with exactly this selector that sets it."""
    found = None
    for selectors, body in re.findall(r"([^{}]+)\{([^{}]*)\}", sheets):
        exact = [part.strip().replace('"', "") for part in selectors.split(",")]
        if selector in exact and (value := re.search(rf"{variable}:\s*([^;]+)", body)):
            found = value[1].strip()
    assert found, f"no {selector} sets {variable}"
    return found


@pytest.fixture(scope="module", params=["light", "dark"])
def shown(request: pytest.FixtureRequest, site: Path) -> Callable[[str], Colour]:
    """``shown(colour)``: a colour of a figure's SVG in light or dark mode, and the page's own."""
    links = [sheet["href"].partition("?")[0] for sheet in html("book/index.html").select("link")]
    sheets = "".join(
        (site / "book" / link).read_text("utf-8") for link in links if link.endswith(".css")
    )
    mode = f"html[data-theme={request.param}]"
    paper = rgb(declared(sheets, mode, "--pst-color-background"))
    ink = rgb(declared(sheets, mode, "--pst-color-text-base"))

    def colour(text: str) -> Colour:
        if text == "currentColor":
            return ink
        if text.startswith("color-mix"):
            share = int(re.search(r"currentColor (\d+)%", text)[1]) / 100
            return mixed(ink, paper, share)
        if text.startswith("var(--explore-paper"):
            return paper
        if variable := re.fullmatch(r"var\((--explore-c\d),(#\w+)\)", text):
            dark = request.param == "dark"
            return rgb(declared(sheets, f"{mode} .explore", variable[1]) if dark else variable[2])
        return rgb(text)

    return colour


def strokes_and_texts(box: Tag) -> set[tuple[str, str, str]]:
    """``(kind, colour, opacity)`` of all that any frame of a figure writes or draws as a line."""
    data = json.loads(box.find("script", type="application/json").string)["data"]
    table = json.loads(gzip.decompress(base64.b64decode(data)))
    moving = box.select("svg[role=img] [data-moves]")
    states = defaultdict(lambda: defaultdict(set))
    for element in box.select("svg[role=img] text, svg[role=img] path"):
        for name, value in element.attrs.items():
            states[id(element)][name].add(value)
    for number, attribute, numbers in table["columns"]:
        values = {table["strings"][k] for k in numbers} - {None}
        states[id(moving[number])][attribute] |= values
    found = set()
    for element in box.select("svg[role=img] text, svg[role=img] path"):
        kind = "fill" if element.name == "text" else "stroke"
        if kind == "stroke" and states[id(element)]["fill"] == states[id(element)]["stroke"]:
            continue  # an area, which other lines bound
        for colour in states[id(element)][kind] - {"none"}:
            for opacity in states[id(element)][f"{kind}-opacity"] or {"1"}:
                found.add((element.name, colour, opacity))
    return found


@every_figure
def test_text_and_lines_of_a_figure_can_be_seen(site, shown, path: str, name: str) -> None:
    """Every frame, in both modes. Text in the page's own colour stands on a bar of the palette."""
    paper = shown("var(--explore-paper,#fff)")
    found = strokes_and_texts(html(path).find(attrs={"data-explore": name}))
    assert found
    for kind, colour, opacity in found:
        seen = mixed(shown(colour), paper, float(opacity))
        if colour.startswith("var(--explore-paper"):
            bar = shown("var(--explore-c0,#0072b2)")
            assert contrast(seen, bar) >= TEXT, f"{kind} in {colour} on a bar"
        else:
            least = TEXT if kind == "text" else LINE
            assert contrast(seen, paper) >= least, f"{kind} in {colour}"


@every_figure
def test_the_text_in_place_of_a_figure_says_what_is_seen(site, path: str, name: str) -> None:
    """Between the title and the sentence of the state it describes the picture itself."""
    box = html(path).find(attrs={"data-explore": name})
    label = box.select_one("svg[role=img]")["aria-label"]
    title, sentence = box.strong.get_text(), box.figcaption.get_text()
    assert label.startswith(title) and label.endswith(sentence)
    assert len(label) - len(title) - len(sentence) > 40, f"{name}: nothing is said of the picture"


# In a browser ------------------------------------------------------------------------------------

# Where the keyboard goes, and nothing marks it
UNMARKED = """() => {
  const found = [];
  for (const box of document.querySelectorAll("main a[href], main button, main input, summary")) {
    if (!box.checkVisibility()) continue;
    box.focus({ focusVisible: true, preventScroll: true });
    const style = getComputedStyle(box);
    const marked = [style, getComputedStyle(box.parentElement)].some((style) => {
      const outline = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
      return outline || style.boxShadow !== "none";
    });
    if (document.activeElement === box && !marked) {
      found.push(box.outerHTML.slice(0, 90));
    }
  }
  document.activeElement.blur();
  return found;
}"""
# Sliders, buttons and folded answers that a finger misses: WCAG 2.2, 2.5.8
TOO_SMALL = """() => [...document.querySelectorAll("main :is(button, input, summary)")]
  .filter((box) => box.checkVisibility())
  .filter((box) => Math.min(box.offsetWidth, box.offsetHeight) < 24)
  .map((box) => box.outerHTML.slice(0, 90))"""
# The spacing of WCAG 2.2, 1.4.12, and then the text that sticks out of a box that hides it
SPACED = """* { line-height: 1.5 !important; letter-spacing: .12em !important;
  word-spacing: .16em !important } p { margin-bottom: 2em !important }"""
CUT_OFF = """() => [...document.querySelectorAll("main :is(p, li, h1, h2, h3, a, button, td)")]
  .filter((box) => box.checkVisibility() && getComputedStyle(box).overflowX === "hidden")
  .filter((box) => box.scrollWidth > box.clientWidth + 1)
  .map((box) => box.textContent.slice(0, 60))"""

# How far the whole page can be moved sideways
SIDEWAYS = """() => {
  window.scrollTo({ left: 9999, behavior: "instant" });
  const moved = window.scrollX;
  window.scrollTo({ left: 0, behavior: "instant" });
  return moved;
}"""


@every_page
def test_focus_fingers_and_spaced_text_on_a_telephone(visit: Opens, path: str) -> None:
    """Also at twice the size: 640 px wide, a page enlarged to 200 % has the room of 320 px."""
    page = visit(path, shared=True).page
    page.set_viewport_size(TELEPHONE)
    assert not page.evaluate(UNMARKED)
    assert not page.evaluate(TOO_SMALL)
    assert not page.evaluate(CUT_OFF)
    style = page.add_style_tag(content=SPACED)
    page.set_viewport_size({"width": 320, "height": 512})
    assert not page.evaluate(CUT_OFF)
    assert page.evaluate(SIDEWAYS) == 0
    style.evaluate("(sheet) => sheet.remove()")


def test_a_reader_who_wants_no_motion_gets_none(visit: Opens) -> None:
    """Play becomes Step and moves one position; what a link sets is reached without scrolling."""
    path, name = figures(PLAYED)[0]
    opened = visit(path)
    opened.page.emulate_media(reduced_motion="reduce")
    opened.go(path)
    button = opened.figure(name).locator("button[data-play]")
    slider = opened.figure(name).locator(f"[name='{button.get_attribute('data-play')}']")
    start = int(slider.input_value())
    assert button.inner_text() == "Step"
    button.click()
    opened.page.wait_for_timeout(1000)
    assert int(slider.input_value()) == start + 1
    scrolling = "() => getComputedStyle(document.documentElement).scrollBehavior"
    assert opened.page.evaluate(scrolling) == "auto"
