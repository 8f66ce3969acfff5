"""What the benchmarks share: contestants that take turns, tables in Markdown, and where they go."""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib
import torch
from matplotlib.figure import Figure

MEASURED = Path(__file__).parents[1] / "book" / "measured"  # `make measure` writes there


def median_times(
    contestants: dict[str, Callable[[], object]], rounds: int, threads: int = 1
) -> dict[str, float]:
    """For each contestant the median time of a call, in ms.

    They take turns, so that whatever else the machine does meets all of them. A first round warms
    up and does not count.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(rounds + 1):
        for name, run in contestants.items():
            start = time.perf_counter()
            run()
            if turn:
                times[name].append(1e3 * (time.perf_counter() - start))
    torch.set_num_threads(before)
    return {name: statistics.median(found) for name, found in times.items()}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are numbers."""
    line = "|---|" + "--:|" * (len(head) - 1)
    return "\n".join([_row(head), line, *map(_row, rows)]) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def machine() -> str:
    """One sentence about where the numbers come from."""
    return (
        f"Measured on {os.cpu_count()} cores of {_processor()}, with Python "
        f"{platform.python_version()} and PyTorch {torch.__version__}.\n"
    )


def _processor() -> str:
    """The processor's name, or its architecture where the system does not tell."""
    information = Path("/proc/cpuinfo")
    for line in information.read_text().splitlines() if information.exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def arguments(description: str) -> argparse.ArgumentParser:
    """The command line that all benchmarks have."""
    parser = argparse.ArgumentParser(description=description.partition("\n")[0])
    parser.add_argument("--store", action="store_true", help="write the tables for the book, too")
    return parser


def publish(name: str, parts: Sequence[str], store: bool, figure: Figure | None = None) -> None:
    """Print the parts of a report below a sentence about the machine.

    ``store`` writes it for the page "How this book is checked", the plot too: the same plot gives
    the same bytes.
    """
    text = "\n".join([machine(), *parts])
    print(text)
    if not store:
        return
    (MEASURED / f"{name}.md").write_text(text, "utf-8")
    if figure:
        with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
            figure.savefig(MEASURED / f"{name}.svg", metadata={"Date": None})
