"""Settings of every test run: the environment of the press, and how nbval compares figures."""

import os
import re

import ledger
import press
import pytest
from nbval.plugin import IPyNbCell

os.environ.update(press.REPRODUCIBLE)  # before a test module imports torch; kernels inherit it

EXPLORABLE_FIGURE = r"(?s)\A.*\bdata-explore=.*\Z"


def unpacked(figure: re.Match[str]) -> str:
    """An explorable figure with its frames decompressed: zlib's bytes differ between versions."""
    from bptt.explore.widget import canonical

    return canonical(figure[0])


def pytest_itemcollected(item: pytest.Item) -> None:
    if isinstance(item, IPyNbCell):
        item.parent.sanitize_patterns[EXPLORABLE_FIGURE] = unpacked


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(ledger.coverage())
