"""Print the built site as one PDF: a title page, a table of contents, and every page in its order.

    python tools/pdf.py             reads _build/html, writes _build/book.pdf

The PDF is made of the pages that readers see, so its equations have the numbers of the site. Many
anchors stand on several pages (each chapter has a ``#summary``), so every anchor gets the name of
its page in front, and every link between two pages leads to a place in the PDF.
"""

from __future__ import annotations

import gc
import html
import posixpath
import re
import shutil
import sys
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup, Tag
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "_build" / "html"

CHROMIUM = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # nothing leaves this machine
]
MINUTE = 60_000

# What moves, what is pressed, what points to the place where it stands, and the MathML beside each
# formula, which never reaches the PDF and takes a fifth of the time
NOT_ON_PAPER = (
    ".explore-controls, .explore-live, script, button, label, input, a.headerlink, .katex-mathml"
)
NAMES_AN_ID = ("for", "aria-labelledby", "aria-describedby", "aria-controls")
DATES = re.compile(rb"/(?:Creation|Mod)Date \(D:[^)]*\)")
# Chromium repeats the text of a heading that stands first on its sheet in the PDF's outline
REPEATED = re.compile(rb"(/Title (?:\((?:\xfe\xff)?|<FEFF))(.{4,}?)\2(.*)")


class PrintError(Exception):
    """The book was not printed; the message says what is missing and what to do."""


def find_chromium() -> str:
    """The browser's program. Raises PrintError when there is none."""
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        raise PrintError(f"no browser to print with: install Chromium ({', '.join(CHROMIUM)})")
    return found


def anchor(page: str, name: str = "") -> str:
    """The name that a page of the site, or an anchor on it, has in the PDF."""
    key = page.removesuffix(".html").replace("/", "-")
    return f"{key}--{name}" if name else key


class Book:
    """The pages of a built site, ready to be bound into one document."""

    def __init__(self, site: Path) -> None:
        if not (site / "index.html").is_file():
            raise PrintError(f"no site in {site.name}: run make book")
        self.site = site
        self.front = self._read("index.html").meta["content"].partition("url=")[2]
        self.home = self._read(self.front)
        self.parts = self._parts()
        paths = [self.front, *(path for pages in self.parts.values() for path, _ in pages)]
        self.pages = {path: self._read(path) for path in paths}

    def _read(self, path: str) -> BeautifulSoup:
        return BeautifulSoup((self.site / path).read_text("utf-8"), "html.parser")

    def _parts(self) -> dict[str, list[tuple[str, str]]]:
        """``{part: [(path, title), ...]}``, as the sidebar has it."""
        parts = {}
        for caption in self.home.select("nav.bd-docs-nav p.caption"):
            links = caption.find_next("ul").select("a[href]")
            parts[caption.get_text(strip=True)] = [
                (self._resolve(self.front, link["href"]), link.get_text(strip=True))
                for link in links
            ]
        return parts

    @staticmethod
    def _resolve(page: str, link: str) -> str:
        """The file that a link on ``page`` leads to, relative to the site."""
        path = unquote(urlsplit(link).path)
        return posixpath.normpath(posixpath.join(posixpath.dirname(page), path)) if path else page

    def document(self, assets: str) -> str:
        """The whole book as one document; ``assets`` is the way from it to the site's folder."""
        title, licence = (
            html.escape(self.home.select_one(place).get_text(" ", strip=True))
            for place in ("nav .navbar-brand", ".extra_footer")
        )
        return "\n".join(
            [
                '<!DOCTYPE html><html lang="en" data-theme="light" data-mode="light"><head>',
                f'<meta charset="utf-8"><title>{title}</title>',
                *self._head(assets),
                '</head><body class="bound">',
                f'<header class="title-page"><p class="title">{title}</p>',
                f"<p>{licence}</p></header>",
                *self._contents(),
                '<main class="bd-main"><div class="bd-article-container">',
                *(str(self._article(path, assets)) for path in self.pages),
                "</div></main></body></html>",
            ]
        )

    def _head(self, assets: str) -> list[str]:
        """Every style sheet of the pages, and what sets mathematics if a script does that."""
        found: dict[str, None] = {}
        for path, page in self.pages.items():
            for part in page.head.select("link[rel~=stylesheet], script"):
                if part.name == "link" or "mathjax" in str(part).lower():
                    self._point(part, path, assets)
                    found[str(part)] = None
        return list(found)

    def _contents(self) -> list[str]:
        lines = ['<nav class="book-contents"><p class="title">Contents</p>']
        for part, pages in {"": [(self.front, "Introduction")], **self.parts}.items():
            lines += [f"<p>{html.escape(part)}</p>" if part else "", "<ul>"]
            lines += [
                f'<li><a href="#{anchor(path)}">{html.escape(name)}</a></li>'
                for path, name in pages
            ]
            lines.append("</ul>")
        return [*lines, "</nav>"]

    def _article(self, path: str, assets: str) -> Tag:
        article = self.pages[path].article
        for part in article.select(NOT_ON_PAPER):
            part.decompose()
        for answer in article.select("details"):
            answer["open"] = ""
        for part in article.find_all(True):
            self._rename(part, path)
            self._point(part, path, assets)
        article["id"] = anchor(path)
        return article

    @staticmethod
    def _rename(part: Tag, path: str) -> None:
        if part.get("id"):
            part["id"] = anchor(path, part["id"])
        for name in NAMES_AN_ID:
            if part.get(name):
                part[name] = " ".join(anchor(path, id_) for id_ in part[name].split())
        for name, value in part.attrs.items():
            if isinstance(value, str) and value.startswith("url(#"):
                part[name] = f"url(#{anchor(path, value[5:-1])})"

    def _point(self, part: Tag, path: str, assets: str) -> None:
        """Let an address lead into the document, or to the site's files if it loads something."""
        name = next((name for name in ("href", "src") if part.get(name)), None)
        if name is None or urlsplit(part[name]).scheme:
            return
        file, fragment = self._resolve(path, part[name]), unquote(urlsplit(part[name]).fragment)
        if part.name != "a":
            part[name] = f"{assets}/{file}"
        elif file in self.pages:
            part[name] = f"#{anchor(file, fragment)}"
        else:
            del part[name]  # a file beside the site: there is none beside the PDF


def corrected(pdf: bytes) -> bytes:
    """The same PDF without its dates and without a heading twice in one entry of the outline.

    Blanks fill the gaps: the file lists the place of each of its objects, so nothing may move.
    """
    pdf = REPEATED.sub(lambda title: b"".join(title.groups()).ljust(len(title[0])), pdf)
    return DATES.sub(lambda date: b"".ljust(len(date[0])), pdf)


def print_book(site: Path, pdf: Path) -> None:
    """Print the built site. Raises PrintError without a site or without Chromium."""
    chromium = find_chromium()
    bound = site.parent / "bound.html"
    gc.disable()  # millions of small objects, none of them garbage: it would take half of the time
    bound.write_text(Book(site).document(assets=site.name), "utf-8")
    gc.enable()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_page(color_scheme="light")
        page.set_default_timeout(10 * MINUTE)
        page.goto(bound.as_uri())
        page.evaluate("() => document.fonts.ready.then(() => true)")
        printed = page.pdf(prefer_css_page_size=True, outline=True, tagged=True)
        browser.close()
    pdf.write_bytes(corrected(printed))


def main(site: Path = SITE) -> int:
    start = time.perf_counter()
    pdf = site.parent / "book.pdf"
    try:
        print_book(site, pdf)
    except PrintError as error:
        print(f"pdf: {error}", file=sys.stderr)
        return 1
    size, seconds = pdf.stat().st_size / 1e6, time.perf_counter() - start
    print(f"{pdf.relative_to(site.parents[1])}: {size:.1f} MB, printed in {seconds:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
