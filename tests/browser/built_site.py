"""The built site: its pages and figures as they stand in the HTML, and pages opened in a browser.

Pages and figures are found, not listed, so a new chapter is tested without a new line here.
"""

from __future__ import annotations

import functools
import gc
import gzip
import re
from dataclasses import dataclass, field
from pathlib import Path

from bs4 import BeautifulSoup
from playwright.sync_api import ConsoleMessage, Locator, Page, Request, Response

SITE = Path(__file__).parents[2] / "_build" / "html"
DESKTOP = {"width": 1200, "height": 900}
TELEPHONE = {"width": 390, "height": 844}
OWN_SCHEMES = ("data:", "blob:", "about:")
# Figures with a Play button, and figures that a link in the prose sets
PLAYED = r'(?s)data-explore="{name}"(?:(?!</figure>).)*?data-play="'
SET_BY_A_LINK = r'data-explore-set="{name}\?'
COMPRESSED_ALREADY = (".woff2", ".png", ".jpg")
# How far things moved since the page was opened: the sum of the browser's own measure
LAYOUT_SHIFT = """() => new Promise((done) => {
  let sum = 0;
  new PerformanceObserver((list) => list.getEntries().forEach((entry) => (sum += entry.value)))
    .observe({ type: "layout-shift", buffered: true });
  requestAnimationFrame(() => requestAnimationFrame(() => done(sum)));
})"""


@functools.cache
def source(path: str) -> str:
    """The HTML of a page as it was built; ``path`` is relative to the site."""
    return (SITE / path).read_text("utf-8")


@functools.cache
def html(path: str) -> BeautifulSoup:
    """The same, parsed. This takes half a second: what finds all pages goes without it."""
    gc.disable()  # a hundred thousand new objects, none of them garbage
    parsed = BeautifulSoup(source(path), "html.parser")
    gc.freeze()
    gc.enable()
    return parsed


@functools.cache
def pages() -> list[str]:
    """Every page of the site, relative to it. Redirects and parts of the theme are not pages."""
    files = (p.relative_to(SITE) for p in SITE.rglob("*.html"))
    paths = sorted(p.as_posix() for p in files if p.parts[0] != "_static")
    # Without a site this one name lets the fixture `site` fail, and say what to do.
    return [p for p in paths if "<main" in source(p)] or ["no page"]


@functools.cache
def anchors(path: str) -> set[str]:
    """The ids on a page."""
    return set(re.findall(r'<[^<>]* id="([^"]+)"', source(path)))


def figures(having: str = "") -> list[tuple[str, str]]:
    """Page and name of every explorable figure.

    ``having`` is a pattern, with {name} in it, of what must be on its page. Without any such
    figure, one that does not exist is named, so that a test fails and is not skipped.
    """
    found = [
        (path, name)
        for path in pages()
        if (SITE / path).is_file()
        for name in re.findall(r'<div [^<>]*data-explore="([^"]+)"', source(path))
        if re.search(having.format(name=name), source(path))
    ]
    return found or [(pages()[0], "none")]


@dataclass
class Visit:
    """A page in the browser: what it loaded, what moved, and what went wrong on it so far."""

    page: Page
    root: str
    scheme: str = "light"
    path: str = ""
    foreign: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    responses: list[Response] = field(default_factory=list)
    shift: float = 0.0

    def __post_init__(self) -> None:
        self.page.on("request", self._request)
        self.page.on("response", self._response)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.root, *OWN_SCHEMES)):
            self.foreign.append(request.url)

    def _response(self, response: Response) -> None:
        self.responses.append(response)
        if response.status >= 400:
            self.complaints.append(f"status {response.status}: {response.url}")

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"console {message.type}: {message.text}")

    def weights(self) -> dict[str, int]:
        """Bytes of every file that was loaded, text as gzip sends it."""
        files = {r.url.partition("?")[0]: r for r in self.responses if r.ok}
        return {
            url.removeprefix(self.root): len(
                body if url.endswith(COMPRESSED_ALREADY) else gzip.compress(body, 6)
            )
            for url, response in files.items()
            for body in [response.body()]
        }

    def figure(self, name: str) -> Locator:
        return self.page.locator(f"[data-explore='{name}']")

    def go(self, path: str) -> Visit:
        """Open a page and wait until its fonts are there and all its figures are alive."""
        self.path = path
        self.page.goto(self.root + path)
        self.page.evaluate("() => document.fonts.ready.then(() => true)")
        self.shift = self.page.evaluate(LAYOUT_SHIFT)
        for box in self.page.locator("[data-explore]").all():
            box.scroll_into_view_if_needed()
            box.and_(self.page.locator("[data-drawn]")).wait_for(timeout=10_000)
        self.page.evaluate("() => window.scrollTo(0, 0)")
        return self
