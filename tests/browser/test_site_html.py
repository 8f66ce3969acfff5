"""What can be read off the built HTML alone: links, names of pictures, numbers of equations."""

from __future__ import annotations

import functools
import posixpath
import re
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from built_site import anchors, html, pages, source

pytestmark = pytest.mark.browser
every_page = pytest.mark.parametrize("path", pages())

FILE_NUMBER = re.compile(r"(notebooks|exercises|solutions)/(\d+(?:_\d+)*)[_.]")
PREFIX = {"notebooks": "", "exercises": "E", "solutions": "S"}


def target(path: str, link: str) -> tuple[str, str]:
    """The page and the fragment that a link on the page ``path`` leads to."""
    parts = urlsplit(link)
    page = posixpath.normpath(posixpath.join(posixpath.dirname(path), unquote(parts.path)))
    return page if parts.path else path, unquote(parts.fragment)


@every_page
def test_internal_links_and_anchors_resolve(site: Path, path: str) -> None:
    broken = []
    for link in {a["href"] for a in html(path).select("a[href]")}:
        if urlsplit(link).scheme or link == "#":
            continue
        page, fragment = target(path, link)
        exists = (site / page).is_file()
        if not exists or (fragment and fragment not in anchors(page)):
            broken.append(link)
    assert not broken, f"{path} links to what is not there: {broken}"


@every_page
def test_ids_are_unique(site: Path, path: str) -> None:
    ids = [element["id"] for element in html(path).select("[id]")]
    assert not {name for name in ids if ids.count(name) > 1}


@every_page
def test_nothing_is_loaded_from_another_host(site: Path, path: str) -> None:
    loads = "[src], link[href], [poster], [data-src], object[data]"
    addresses = [
        element.get("src") or element.get("href") or element.get("data") or ""
        for element in html(path).select(loads)
        if not {"canonical", "author"} & set(element.get("rel", []))
    ]
    assert not [a for a in addresses if urlsplit(a).netloc]


@every_page
def test_every_picture_says_what_it_shows(site: Path, path: str) -> None:
    for image in html(path).main.select("img"):
        alt = image.get("alt", "").strip()
        assert alt, f"an image without alternative text: {image.get('src', '')[:80]}"
        assert not re.search(r"\.(svg|png|jpe?g)$", alt), f"a file name for alternative text: {alt}"
    for figure in html(path).select("[data-explore]"):
        picture = figure.select_one("svg[role=img]")
        assert picture is not None, f"{figure['id']}: no svg with role=img"
        assert len(picture.get("aria-label", "")) > 20, f"{figure['id']}: aria-label is missing"
        assert figure.figcaption.get_text(strip=True), f"{figure['id']}: no caption"


@every_page
def test_no_header_cell_of_a_table_is_empty(site: Path, path: str) -> None:
    assert not [cell for cell in html(path).main.select("th") if not cell.get_text(strip=True)]


@every_page
def test_every_formula_is_set_for_the_eye_and_for_the_ear(site: Path, path: str) -> None:
    """The HTML itself holds the set formula: a reader without JavaScript sees it too."""
    page = html(path)
    formulas = page.select(".math")
    for formula in formulas:
        assert len(formula.select(".katex")) == 1, formula
        assert formula.select_one(".katex-html[aria-hidden=true]").get_text(strip=True), formula
        assert formula.select_one(".katex-mathml > math").get_text(strip=True), formula
    assert len(page.select(".katex")) == len(formulas)


@every_page
def test_equations_are_numbered_by_the_number_of_the_file(site: Path, path: str) -> None:
    numbers = [span.get_text().rstrip("#\N{PILCROW SIGN}") for span in html(path).select(".eqno")]
    file = FILE_NUMBER.match(path)
    number = ".".join(part.lstrip("0") for part in file[2].split("_")) if file else ""
    prefix = f"{PREFIX[file[1]]}{number}." if file else ""
    assert numbers == [f"({prefix}{n})" for n in range(1, len(numbers) + 1)]


@functools.cache
def equation_numbers(path: str) -> dict[str, str]:
    """The number at each anchor of an equation."""
    found = r'(?s)<div [^<>]*id="(equation-[^"]+)".*?class="eqno">(\(.*?\))'
    return dict(re.findall(found, source(path)))


@every_page
def test_a_reference_shows_the_number_of_its_equation(site: Path, path: str) -> None:
    for link in html(path).find_all("a", href=lambda h: h and "#equation-" in h):
        if "headerlink" in link.get("class", []):
            continue
        page, fragment = target(path, link["href"])
        number = equation_numbers(page)[fragment]
        assert number == link.get_text(strip=True), f"{link} leads to {number}"


@every_page
def test_prose_links_name_a_figure_of_their_page_and_its_sliders(site: Path, path: str) -> None:
    for link in html(path).select("a[data-explore-set]"):
        name, _, state = link["data-explore-set"].partition("?")
        assert link["href"] == f"#explore-{name}"
        figure = html(path).find(attrs={"data-explore": name})
        assert figure is not None, f"{path} has no figure {name}"
        sliders = {slider["name"] for slider in figure.select("input[type=range]")}
        wanted = dict(parse_qsl(state))
        assert wanted.keys() <= sliders, f"{name} has the sliders {sliders}: {state}"


def test_the_pages_of_a_chapter_follow_one_another(site: Path) -> None:
    """Chapter, exercises, solutions: this is the path of the links to the next page."""
    chapters = [path for path in pages() if path.startswith("notebooks/")]
    assert chapters
    for path in chapters:
        for folder in ("exercises", "solutions"):
            following = html(path).select_one("a.right-next")["href"]
            path, expected = target(path, following)[0], f"{folder}/{posixpath.basename(path)}"
            assert path == expected
