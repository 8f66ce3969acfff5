"""How long the book takes: its notebooks, its site, its tests.

    python benchmarks/book.py            # about half an hour

It executes each notebook by itself and all of them with nbval, prints the heaviest chapter, builds
the site from nothing and runs ``make test``. Nothing is asserted: times depend on the machine.
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
SITE = ROOT / "_build" / "html"
sys.path.insert(0, str(ROOT / "tools"))
import press  # noqa: E402

FOLDERS = ("notebooks", "exercises", "solutions")
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")


def seconds(*command: str) -> float:
    """The wall time of a command that must succeed; what it says is no part of the report."""
    start = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, stdout=sys.stderr)
    return time.perf_counter() - start


def execution(notebook: Path) -> float:
    """The time in which a notebook is executed, the start of its kernel included."""
    cells = nbformat.read(notebook, as_version=4)
    start = time.perf_counter()
    folder = {"metadata": {"path": str(notebook.parent)}}
    NotebookClient(cells, timeout=press.SECONDS_A_CELL, resources=folder).execute()
    return time.perf_counter() - start


def main() -> None:
    options = arguments(__doc__).parse_args()
    os.environ.update(press.REPRODUCIBLE)
    plain = {
        (folder, notebook.stem): execution(notebook)
        for folder in FOLDERS
        for notebook in sorted((ROOT / folder).glob("*.ipynb"))
    }
    names = sorted({name for _, name in plain})
    rows = [
        [name, *(f"{plain[key]:.1f}" if (key := (f, name)) in plain else "" for f in FOLDERS)]
        for name in names
    ]
    sums = [sum(time for (f, _), time in plain.items() if f == folder) for folder in FOLDERS]
    rows.append(["all", *(f"{total:.0f}" for total in sums)])
    parts = ["Seconds to execute a notebook, its kernel included:\n", table(["", *FOLDERS], rows)]

    nothing = seconds(*PYTEST, *FOLDERS, "--collect-only")
    compared = seconds(*PYTEST, *FOLDERS) - nothing
    heaviest = max((key for key in plain if key[0] == "notebooks"), key=plain.get)[1]
    printed = seconds(sys.executable, "tools/press.py", "--all", f"book/chapters/{heaviest}.md")
    site = seconds("make", "book")
    pages = len([page for page in SITE.rglob("*.html") if "<main" in page.read_text("utf-8")])
    tests = seconds("make", "test")
    rows = [
        ["execute and compare all notebooks (nbval)", f"{compared:.0f} s"],
        ["of it beyond executing them", f"{compared / sum(plain.values()) - 1:+.0%}"],
        [f"print the heaviest chapter, {heaviest}", f"{printed:.0f} s"],
        ["`make book` from nothing", f"{site:.0f} s"],
        [f"of it for each of {pages} pages", f"{site / pages:.1f} s"],
        ["`make test`, `make book` included", f"{tests / 60:.1f} min"],
    ]
    publish("book", [*parts, table(["", "time"], rows)], options.store)


if __name__ == "__main__":
    main()
