"""The site without JavaScript, and its search, also from the disk without a server.

That every page works from the disk is a matter of test_site_pages.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from built_site import Visit, html, pages
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
Opens = Callable[..., Visit]
every_page = pytest.mark.parametrize("path", pages())


@every_page
def test_without_javascript_the_text_and_the_stills_are_there(visit: Opens, path: str) -> None:
    page = visit(path, javascript=False, shared=True).page
    assert page.locator("h1").filter(visible=True).count() == 1
    words = len((html(path).article or html(path).main).get_text().split())
    shown = len(page.locator("article, .bd-search-container").first.inner_text().split())
    assert shown > 0.5 * words
    for figure in page.locator("[data-explore]").all():
        still = figure.locator("svg[role=img]")
        assert still.is_visible() and still.bounding_box()["height"] > 100
        assert figure.locator("figcaption").inner_text().strip()
        assert not figure.locator(".explore-controls").is_visible()
        assert not figure.locator("input, button").filter(visible=True).count()


@pytest.mark.parametrize("from_disk", [False, True], ids=["server", "disk"])
def test_search_finds_the_chapter(visit: Opens, from_disk: bool) -> None:
    opened = visit("book/index.html", from_disk=from_disk)
    page = opened.page
    page.locator(".search-button__button").filter(visible=True).first.click()
    page.keyboard.type("tanh")
    page.keyboard.press("Enter")
    chapter = page.locator("#search-results a[href*='notebooks/06_the_tanh_fix.html']")
    expect(chapter.first).to_be_visible()
    assert not opened.foreign
    assert not opened.complaints
