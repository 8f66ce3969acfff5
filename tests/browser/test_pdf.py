"""``make pdf``: the whole book on paper. It is printed once for all tests."""

from __future__ import annotations

import ctypes
import html
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import ledger
import pdf
import press
import pypdfium2
import pytest
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
def bound(printed: Path) -> str:
    """The document that was printed."""
    return (printed.parent / "bound.html").read_text("utf-8")


@pytest.fixture(scope="module")
def pages(site: Path) -> str:
    """All pages of the site: found here by patterns, as parsing them takes half a minute."""
    return "\n".join(page.read_text("utf-8") for page in sorted(site.glob("*/*.html")))


def links(bound: str, start: str) -> list[str]:
    return re.findall(rf'<a [^>]*href="({start}[^"]*)"', bound)


def squeezed(text: str) -> str:
    return re.sub(r"\W", "", html.unescape(text))


def test_every_heading_of_the_site_is_in_the_outline(
    document: pypdfium2.PdfDocument, pages: str
) -> None:
    outline = [squeezed(entry.get_title()) for entry in document.get_toc()]
    found = re.findall(r'<h[123]>(.*?)<a class="headerlink"', pages)
    # Chromium names a formula by the letters of its fonts
    headings = [squeezed(re.sub("<.*?>", "", h)) for h in found if 'class="math' not in h]
    assert len(headings) > 100
    assert not set(headings) - set(outline)


def test_every_equation_has_its_number(texts: list[str], pages: str) -> None:
    text = "\n".join(texts)
    numbers = re.findall(r'class="eqno">(\(.*?\))', pages)
    assert len(numbers) == len(ledger.manuscript_equations())
    # once at the equation, and once for each reference to it
    assert not [n for n in numbers if text.count(n) < pages.count(f">{n}<")]


def test_anchors_are_unique_and_links_lead_to_them(bound: str) -> None:
    names = re.findall(r'<[^>]* id="([^"]+)"', bound)
    assert len(names) == len(set(names))
    assert links(bound, "#")
    assert not [link for link in links(bound, "#") if link.removeprefix("#") not in set(names)]
    assert links(bound, "") == [*links(bound, "(?:#|https?:)")]


def test_links_work_inside_the_pdf(document: pypdfium2.PdfDocument, bound: str) -> None:
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
    assert inside >= len(links(bound, "#"))
    assert outside >= len(links(bound, "http"))


def test_the_pdf_says_nothing_of_the_machine_or_the_day(printed: Path) -> None:
    content = printed.read_bytes()
    for trace in (b"file:", bytes(press.ROOT), b"CreationDate", b"ModDate"):
        assert trace not in content


def test_no_sheet_is_empty(texts: list[str]) -> None:
    assert not [number for number, text in enumerate(texts, 1) if len(text.strip()) < 20]


def test_answers_are_open_and_nothing_is_to_be_pressed(bound: str) -> None:
    answers = re.findall("<details[^>]*>", bound)
    assert answers
    assert all(" open" in answer for answer in answers)
    assert not re.findall("<(?:button|input|label)", bound)


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
