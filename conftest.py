"""Settings of every test run: its environment, its order, and how nbval compares figures."""

import gc
import os
import re

import ledger
import press
import pytest
from nbval.plugin import IPyNbCell
from xdist.scheduler import LoadScopeScheduling

os.environ.update(press.REPRODUCIBLE)  # before a test module imports torch; kernels inherit it

EXPLORABLE_FIGURE = r"(?s)\A.*\bdata-explore=.*\Z"

PAGE = re.compile(r"^tests/browser/.*\[(\S+\.html)\b")


def share(nodeid: str) -> str:
    """What one worker must do alone: a page, whose visits are shared, or a file with its kernel.

    A figure is proved by itself, so that the figures are divided among the workers.
    """
    if page := PAGE.match(nodeid):
        return page[1]
    if nodeid.startswith("tests/test_figures.py"):
        return nodeid
    return nodeid.partition("::")[0]


class Shares(LoadScopeScheduling):
    """Hands out the shares in the order of the tests."""

    def _split_scope(self, nodeid: str) -> str:
        return share(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log) -> Shares:
    config.option.loadscopereorder = False
    return Shares(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of one share stand together, where the first of them stood."""
    place: dict[str, int] = {}
    for item in items:
        place.setdefault(share(item.nodeid), len(place))
    items.sort(key=lambda item: place[share(item.nodeid)])


def pytest_collection_finish() -> None:
    """What is imported by now stays: the garbage collector need not look at it again and again."""
    gc.collect()
    gc.freeze()


def unpacked(figure: re.Match[str]) -> str:
    """An explorable figure with its frames decompressed: zlib's bytes differ between versions."""
    from bptt.explore.widget import canonical

    return canonical(figure[0])


def pytest_itemcollected(item: pytest.Item) -> None:
    if isinstance(item, IPyNbCell):
        item.parent.sanitize_patterns[EXPLORABLE_FIGURE] = unpacked


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(ledger.coverage())
