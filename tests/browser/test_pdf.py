"""``make pdf``: the whole book on paper. It is printed once for all tests."""

from __future__ import annotations

import ctypes
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pdf
import press
import pypdfium2
import pytest
from bs4 import BeautifulSoup
from built_site import html, pages
from pypdfium2 import raw

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def printed(chromium: str, site: Path) -> Path:
    command = [sys.executable, pdf.__file__]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.fullmatch(r"_build/book\.pdf: [\d.]+ MB, printed in \d+ s\n", run.stdout)
    return site.parent / "book.pdf"


@pytest.fixture(scope="module")
def document(printed: Path) -> Iterator[pypdfium2.PdfDocument]:
    with pypdfium2.PdfDocument(printed) as document:
        yield document


@pytest.fixture(scope="module")
def texts(document: pypdfium2.PdfDocument) -> list[str]:
    """What stands on each sheet."""
    return [sheet.get_textpage().get_text_bounded() for sheet in document]


@pytest.fixture(scope="module")
def bound(printed: Path) -> BeautifulSoup:
    """The document that was printed."""
    return BeautifulSoup((printed.parent / "bound.html").read_text("utf-8"), "html.parser")


def squeezed(text: str) -> str:
    return re.sub(r"\W", "", text)


def articles() -> list[str]:
    return [path for path in pages() if html(path).article]


def test_every_page_of_the_site_is_in_the_outline(document: pypdfium2.PdfDocument) -> None:
    outline = [squeezed(entry.get_title()) for entry in document.get_toc()]
    headings = [
        squeezed(heading.get_text())
        for path in articles()
        for heading in html(path).article.select("h1, h2, h3")
        if not heading.select(".math")  # Chromium names it by the letters of its fonts
    ]
    assert len(headings) > len(articles())
    assert set(headings) <= set(outline)


def test_every_equation_has_its_number(texts: list[str]) -> None:
    text = "\n".join(texts)
    numbers = [n.get_text().rstrip("#") for path in articles() for n in html(path).select(".eqno")]
    assert numbers
    assert not [number for number in numbers if number not in text]


def test_anchors_are_unique_and_links_lead_to_them(bound: BeautifulSoup) -> None:
    names = [part["id"] for part in bound.select("[id]")]
    assert len(names) == len(set(names))
    links = [link["href"] for link in bound.select("a[href^='#']")]
    assert not [link for link in links if link.removeprefix("#") not in names]
    assert not [link for link in bound.select("a[href]") if not re.match("#|https?:", link["href"])]


def test_links_work_inside_the_pdf(document: pypdfium2.PdfDocument, bound: BeautifulSoup) -> None:
    inside = outside = 0
    for sheet in document:
        position, link = ctypes.c_int(0), raw.FPDF_LINK()
        while raw.FPDFLink_Enumerate(sheet.raw, position, link):
            target = raw.FPDFLink_GetDest(document.raw, link)
            if target:
                assert raw.FPDFDest_GetDestPageIndex(document.raw, target) >= 0
                inside += 1
            else:
                action = raw.FPDFLink_GetAction(link)
                assert raw.FPDFAction_GetType(action) == raw.PDFACTION_URI
                outside += 1
    assert inside >= len(bound.select("a[href^='#']"))
    assert outside >= len(bound.select("a[href^='http']"))


def test_the_pdf_says_nothing_of_the_machine_or_the_day(printed: Path) -> None:
    content = printed.read_bytes()
    for trace in (b"file:", bytes(press.ROOT), b"CreationDate", b"ModDate"):
        assert trace not in content


def test_no_sheet_is_empty(texts: list[str]) -> None:
    assert not [number for number, text in enumerate(texts, 1) if len(text.strip()) < 20]


def test_answers_are_open_and_nothing_is_to_be_pressed(bound: BeautifulSoup) -> None:
    answers = bound.select("details")
    assert answers
    assert all(answer.has_attr("open") for answer in answers)
    assert not bound.select("main button, main script, main input")


def test_without_a_site_or_a_browser_it_says_what_to_do(
    chromium: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert pdf.main(tmp_path / "html") == 1
    assert "run make book" in capsys.readouterr().err
    monkeypatch.setenv("PATH", "")
    assert pdf.main(pdf.SITE) == 1
    assert "install Chromium" in capsys.readouterr().err
