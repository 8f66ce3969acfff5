"""A server for the built site, a browser, and ``visit``, which opens a page in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from built_site import DESKTOP, SITE, Visit
from pdf import ARGUMENTS, PrintError, find_chromium
from playwright.sync_api import Browser, sync_playwright
from served import served


@pytest.fixture(scope="package")
def site() -> Path:
    """The folder of the built site."""
    if not (SITE / "index.html").is_file():
        pytest.fail(f"no site in {SITE.relative_to(SITE.parents[1])}: run make book", pytrace=False)
    return SITE


@pytest.fixture(scope="package")
def address(site: Path) -> Iterator[str]:
    with served(site) as address:
        yield address


@pytest.fixture(scope="package")
def address_below_a_path(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The site below a path of a server that has nothing else."""
    host = tmp_path_factory.mktemp("host")
    (host / "some" / "sub").mkdir(parents=True)
    (host / "some" / "sub" / "path").symlink_to(site)
    with served(host) as address:
        yield f"{address}some/sub/path/"


@pytest.fixture(scope="package")
def chromium() -> str:
    """The browser's program. None found: a skip for a reader, a failure in CI."""
    try:
        return find_chromium()
    except PrintError as error:
        message = f"THE SITE WAS NOT TESTED: {error}"
        if os.environ.get("CI") == "true":
            pytest.fail(message, pytrace=False)
        pytest.skip(message)


@pytest.fixture(scope="package")
def browser(chromium: str) -> Iterator[Browser]:
    """One Chromium for all tests of a worker."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def visit(browser: Browser, site: Path, address: str) -> Iterator[Callable[..., Visit]]:
    """``visit(path, scheme="light", javascript=True, from_disk=False, shared=False)``: a ``Visit``.

    A visit is a new reader, without anything stored, unless it is ``shared``: the tests of a page
    that share a visit leave it as they found it. Visits end when another page is opened.
    """
    visits: dict[tuple, Visit] = {}

    def close() -> None:
        while visits:
            visits.popitem()[1].page.context.close()

    def open_page(
        path: str,
        scheme: str = "light",
        javascript: bool = True,
        from_disk: bool = False,
        shared: bool = False,
    ) -> Visit:
        reader = (path, scheme, javascript, from_disk)
        if shared and reader in visits:
            return visits[reader]
        if not shared or any(path != other for other, *_ in visits):
            close()
        context = browser.new_context(
            viewport=DESKTOP, color_scheme=scheme, java_script_enabled=javascript
        )
        context.set_default_timeout(10_000)
        root = f"{site.as_uri()}/" if from_disk else address
        visit = Visit(context.new_page(), root, scheme)
        visits[reader] = visit
        if javascript:
            return visit.go(path)
        visit.page.goto(visit.root + path)
        return visit

    yield open_page
    close()
