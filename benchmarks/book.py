"""How long the book takes: its notebooks, its tests, its site.

    python benchmarks/book.py            # about ten minutes
    python benchmarks/book.py --tests    # and make test

It executes each chapter as a plain notebook and with nbval, prints the heaviest chapter and builds
the site from nothing. Nothing is asserted: times depend on the machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import nbformat
from contest import arguments, publish, table
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tools"))
import press  # noqa: E402

PARTS = ("book", "notebooks", "exercises", "solutions")
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")


def seconds(*command: str) -> float:
    """The wall time of a command that must succeed."""
    start = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def execution(notebook: Path) -> float:
    """The time in which a notebook is executed, the start of its kernel included."""
    cells = nbformat.read(notebook, as_version=4)
    start = time.perf_counter()
    folder = {"metadata": {"path": str(notebook.parent)}}
    NotebookClient(cells, timeout=press.SECONDS_A_CELL, resources=folder).execute()
    return time.perf_counter() - start


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--tests", action="store_true", help="time make test as well")
    options = parser.parse_args()
    os.environ.update(press.REPRODUCIBLE)
    chapters = sorted((ROOT / "notebooks").glob("*.ipynb"))
    plain = {chapter.stem: execution(chapter) for chapter in chapters}
    rows = [[name, f"{time:.1f}"] for name, time in plain.items()]
    parts = ["Seconds to execute a chapter, its kernel included:\n"]
    parts.append(table(["chapter", "s"], [*rows, ["all", f"{sum(plain.values()):.1f}"]]))

    nothing = seconds(*PYTEST, "notebooks", "--collect-only")
    compared = seconds(*PYTEST, "notebooks") - nothing
    of_plain = compared / sum(plain.values()) - 1
    heaviest = max(plain, key=plain.get)
    printed = seconds(sys.executable, "tools/press.py", "--all", f"book/chapters/{heaviest}.md")
    site = seconds("make", "book")
    pages = len(
        [page for page in (ROOT / "_build/html").rglob("*.html") if "genindex" not in page.name]
    )
    rows = [
        ["execute and compare all chapters (nbval)", f"{compared:.0f} s, {of_plain:+.0%}"],
        [f"`make press` for the heaviest chapter ({heaviest})", f"{printed:.0f} s"],
        [f"`make book` from nothing, {pages} pages", f"{site:.0f} s, {site / pages:.1f} s a page"],
    ]
    if options.tests:
        rows.append(["`make test`, site included", f"{seconds('make', 'test') / 60:.1f} min"])
    publish("book", [*parts, table(["what", "time"], rows)], options.store)


if __name__ == "__main__":
    main()
