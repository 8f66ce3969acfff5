"""What a page offers beside its text: its notebook, links that need an address, and its files."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from urllib.error import HTTPError
from urllib.parse import parse_qs, urljoin, urlsplit
from urllib.request import Request, urlopen
from xml.etree import ElementTree

import jupytext
import nbformat
import press
import pytest
import sphinx_reader_links
import yaml
from bs4 import BeautifulSoup
from built_site import Visit, html, pages
from PIL import Image
from playwright.sync_api import Browser, expect
from sphinx.errors import ConfigError

pytestmark = pytest.mark.browser
every_page = pytest.mark.parametrize("path", [p for p in pages() if p != "search.html"])

REPOSITORY, ADDRESS = "https://github.com/owner/name", "https://books.example/some/path/"
CONFIG = yaml.safe_load((press.ROOT / "_config.yml").read_text("utf-8"))
CHAPTER = """\
---
kernelspec: {display_name: Python 3, language: python, name: python3}
---

# 6. Tanh & others

$$ a = b $$ (eq-first)

Text between them, with the formula $h$ and a <sign>.

$$ c = d $$ (eq-second)
"""


def values(config: dict) -> dict:
    return config["sphinx"]["config"]


@every_page
def test_a_notebook_is_offered_for_download_as_it_stands(site: Path, path: str) -> None:
    source = press.ROOT / Path(path).with_suffix(".ipynb")
    links = html(path).select("a[download]")
    assert len(links) == source.is_file()
    for link in links:
        assert link.get_text() == "Download notebook"
        assert link["download"] == path.replace("/", "_").replace(".html", ".ipynb")
        assert (site / path).parent.joinpath(link["href"]).read_bytes() == source.read_bytes()


@every_page
def test_what_needs_an_address_is_there_if_it_is_set(site: Path, path: str) -> None:
    page, notebook = html(path), (press.ROOT / Path(path).with_suffix(".ipynb")).is_file()
    repository = bool(values(CONFIG)["html_theme_options"]["repository_url"])
    address = bool(values(CONFIG)["html_baseurl"])
    assert page.select(".mistake-links a[href$='errata.html'], .mistake-links a[href='#']")
    assert len(page.select("a[data-report]")) == repository
    assert len(page.select("a[href*='/v2/gh/']")) == (repository and notebook)
    assert len(page.select("link[rel=canonical]")) == address
    assert bool(page.select("meta[property^='og:'], meta[name^='twitter:']")) == address
    assert (site / "sitemap.xml").is_file() == address


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small site with the book's own configuration and both addresses set."""
    folder = tmp_path_factory.mktemp("published")
    config = yaml.safe_load((press.ROOT / "_config.yml").read_text("utf-8"))
    values(config)["html_baseurl"] = ADDRESS
    values(config)["html_theme_options"]["repository_url"] = REPOSITORY
    toc = {
        "format": "jb-book",
        "root": "book/index",
        "chapters": [{"file": "notebooks/06_tanh"}, {"file": "book/errata"}],
    }
    (folder / "_config.yml").write_text(yaml.safe_dump(config), "utf-8")
    (folder / "_toc.yml").write_text(yaml.safe_dump(toc), "utf-8")
    (folder / "tools").symlink_to(press.ROOT / "tools")
    (folder / "book").mkdir()
    (folder / "book" / "theme").symlink_to(press.ROOT / "book" / "theme")
    shutil.copy(press.ROOT / "book" / "references.bib", folder / "book")
    for name in ("index", "errata"):
        (folder / "book" / f"{name}.md").write_text(f"# The {name}\n\nWords.\n", "utf-8")
    (folder / "notebooks").mkdir()
    notebook = jupytext.reads(CHAPTER, fmt="md:myst")
    nbformat.write(notebook, folder / "notebooks" / "06_tanh.ipynb")
    command = [Path(sys.executable).with_name("jupyter-book"), "build", folder, "-W", "-n"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return folder / "_build" / "html"


@pytest.fixture(scope="module")
def chapter(published: Path) -> BeautifulSoup:
    return BeautifulSoup((published / "notebooks/06_tanh.html").read_text("utf-8"), "html.parser")


def test_a_notebook_can_be_run_by_a_service(published: Path, chapter: BeautifulSoup) -> None:
    (link,) = chapter.select("nav.notebook-links a:not([download])")
    assert link.get_text() == "Run on Binder"
    path = "lab%2Ftree%2Fnotebooks%2F06_tanh.ipynb"
    assert link["href"] == f"https://mybinder.org/v2/gh/owner/name/main?urlpath={path}"


def report(address: str) -> tuple[str, str]:
    """The title and the body of the report that a link opens."""
    start, _, query = address.partition("?")
    assert start == f"{REPOSITORY}/issues/new"
    fields = parse_qs(query, strict_parsing=True)
    return fields["title"][0], fields["body"][0]


def test_a_report_of_a_mistake_names_the_page(chapter: BeautifulSoup) -> None:
    (link,) = chapter.select("a[data-report]")
    assert link.get_text() == "Report a mistake on this page"
    title, body = report(link["href"])
    assert title == "Mistake on the page: 6. Tanh & others"
    assert "Page: 6. Tanh & others\n" in body
    assert f"Address: {ADDRESS}notebooks/06_tanh.html\n" in body
    assert re.search(r"^Equation: $", body, re.M)


def test_a_report_names_the_equation_that_was_clicked_last(
    published: Path, browser: Browser
) -> None:
    page = browser.new_page()
    link = page.locator("a[data-report]")

    def equation() -> str:
        return re.search(r"^Equation: (.*)$", report(link.get_attribute("href"))[1], re.M)[1]

    page.goto((published / "notebooks/06_tanh.html").as_uri())
    assert equation() == ""
    for name, number in (("second", "(6.2)"), ("first", "(6.1)")):
        page.locator(f"#equation-eq-{name} .eqno").hover()
        page.locator(f"#equation-eq-{name} a.headerlink").click()
        assert equation() == number
    page.goto(f"{page.url.partition('#')[0]}#equation-eq-second")
    page.reload()
    assert equation() == "(6.2)"
    page.close()


def test_previews_and_search_engines_find_the_page(published: Path, chapter: BeautifulSoup) -> None:
    address = f"{ADDRESS}notebooks/06_tanh.html"
    assert chapter.select_one("link[rel=canonical]")["href"] == address
    tags = {m["property"]: m["content"] for m in chapter.select("meta[property]")}
    assert tags["og:title"] == "6. Tanh & others"
    assert tags["og:url"] == address
    assert tags["og:site_name"] == CONFIG["title"]
    assert "Text between them" in tags["og:description"]
    assert chapter.select_one("meta[name='twitter:card']")["content"] == "summary_large_image"
    with Image.open(published / tags["og:image"].removeprefix(ADDRESS)) as picture:
        size = (int(tags["og:image:width"]), int(tags["og:image:height"]))
        assert picture.size == size
    sitemap = ElementTree.parse(published / "sitemap.xml").getroot()
    assert [page[0].text for page in sitemap] == [
        f"{ADDRESS}{name}.html" for name in ("book/errata", "book/index", "notebooks/06_tanh")
    ]


@pytest.mark.parametrize(
    ("repository", "address", "name"),
    [
        ("github.com/owner/name", "", "repository_url"),
        ("https://github.com/owner", "", "repository_url"),
        ("", "books.example/", "html_baseurl"),
        ("", "https://books.example/book", "html_baseurl"),
    ],
)
def test_an_address_of_no_use_is_refused(repository: str, address: str, name: str) -> None:
    options = {"repository_url": repository}
    config = SimpleNamespace(html_theme_options=options, html_baseurl=address)
    with pytest.raises(ConfigError, match=f"{name}: expected .* got '{repository or address}'"):
        sphinx_reader_links.check_addresses(None, config)


def loads(page: BeautifulSoup) -> Iterator[str]:
    """What a page loads, leads on to by itself, or offers for download."""
    for part in page.select("[src]"):
        yield part["src"]
    for part in page.select("link[href]:not([rel=canonical]), a[download]"):
        yield part["href"]
    for part in page.select("[srcset]"):
        yield from (choice.split()[0] for choice in part["srcset"].split(","))
    for part in page.select("meta[http-equiv=Refresh]"):
        yield part["content"].partition("url=")[2]


def answers(address: str) -> bool:
    try:
        with urlopen(Request(address, method="HEAD")) as answer:
            return answer.status == 200
    except HTTPError:
        return False


def test_every_file_is_found_below_a_path_of_a_host(site: Path, address_below_a_path: str) -> None:
    root = address_below_a_path
    asked = {
        urljoin(root + path, link).partition("#")[0]
        for path in [*pages(), "index.html"]
        for link in loads(html(path))
        if not link.startswith("data:")
    }
    styles = {address for address in asked if urlsplit(address).path.endswith(".css")}
    assert styles
    for style in styles:
        with urlopen(style) as answer:
            links = re.findall(r"url\(\s*[\"']?([^\"')]+)", answer.read().decode())
        asked |= {urljoin(style, link) for link in links if not link.startswith(("data:", "#"))}
    assert not [address for address in asked if not address.startswith(root)]
    assert not [address.removeprefix(root) for address in asked if not answers(address)]


def test_search_works_below_a_path_of_a_host(browser: Browser, address_below_a_path: str) -> None:
    context = browser.new_context()
    visit = Visit(context.new_page(), root=address_below_a_path)
    visit.page.goto(visit.root)
    visit.page.wait_for_url("**/some/sub/path/book/index.html")
    visit.go("search.html?q=tanh")
    found = visit.page.locator("#search-results a[href*='notebooks/06_the_tanh_fix.html']").first
    found.click()
    expect(visit.page.locator("article h1")).to_be_visible()
    assert not visit.foreign
    assert not visit.complaints
    context.close()
