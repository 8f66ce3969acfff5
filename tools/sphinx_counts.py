"""Role ``count``: what the book has, counted while the site is built. No count is typed in.

``{count}`equations``` gives the number of displayed equations; the other names are those of
``COUNTS``.
"""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

from bptt.exercises import catalogue

ROOT = Path(__file__).resolve().parent.parent
EDITIONS = ("notebooks", "exercises", "solutions")
EQUATION = re.compile(r"^\$\$ \((eq-[\w-]+)\)$", re.M)
FIGURE = re.compile(
    r'data-explore="([\w-]+)">.*?<script type="application/json">(.*?)</script>', re.S
)


@functools.cache
def cells() -> list[dict]:
    """Every code cell of the printed editions."""
    paths = [path for folder in EDITIONS for path in sorted((ROOT / folder).glob("*.ipynb"))]
    found = [cell for path in paths for cell in json.loads(path.read_text("utf-8"))["cells"]]
    return [cell for cell in found if cell["cell_type"] == "code"]


def figures() -> dict[tuple[str, str], int]:
    """The frames of each explorable figure, that is of each name with its sliders."""
    return {
        (name, json.dumps(parameters)): math.prod(map(len, parameters.values()))
        for html in _outputs()
        for name, state in FIGURE.findall(html)
        for parameters in [json.loads(state)["parameters"]]
    }


def _outputs() -> Iterator[str]:
    for cell in cells():
        for output in cell["outputs"]:
            yield "".join(output.get("data", {}).get("text/html", ""))


def equations() -> set[str]:
    texts = [path.read_text("utf-8") for path in (ROOT / "book").rglob("*.md")]
    return {label for text in texts for label in EQUATION.findall(text)}


COUNTS = {
    "equations": lambda: len(equations()),
    "exercises": lambda: len(catalogue),
    "mistakes": lambda: sum(len(exercise.mistakes) for exercise in catalogue.values()),
    "figures": lambda: len(figures()),
    "frames": lambda: sum(figures().values()),
    "cells": lambda: len(cells()),
}


class Count(SphinxRole):
    """A count; ``pages`` is that of the site which is being built."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        if self.text == "pages":
            number = len(self.env.found_docs)
        elif self.text in COUNTS:
            number = COUNTS[self.text]()
        else:
            names = ", ".join([*COUNTS, "pages"])
            message = f"count: expected one of {names}, got {self.text!r}"
            return [], [self.inliner.reporter.error(message, line=self.lineno)]
        return [nodes.inline("", f"{number:,}", classes=["count", f"count-{self.text}"])], []


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_role("count", Count())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
