"""The equation ledger: each displayed equation of the manuscript has an executed check.

A check carries the LaTeX that it checks. Whoever edits a formula in the manuscript turns the
ledger red until the check was read again.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

BOOK = Path(__file__).parents[2] / "book"
_DISPLAYED = re.compile(r"^\$\$\n(?P<latex>.*?)\n\$\$(?P<label> \([\w-]+\))?$", re.M | re.S)
_OTHER_FORMS = re.compile(
    r"^\s*(?:`{3,}|:{3,}|~{3,})\{math\}|\\\[|\\begin\{(?:equation|align)", re.M
)


@dataclass(frozen=True)
class Equation:
    """A displayed equation as the manuscript prints it."""

    label: str
    latex: str
    place: str


def without_white_space(latex: str) -> str:
    """White space does not change a formula, so it is not compared."""
    return re.sub(r"\s+", "", latex)


def find_equations(text: str, place: str) -> list[Equation]:
    """All displayed equations of one manuscript text.

    Raises:
        ValueError: an equation without a label ``eq-NAME``, or one in a form other than
            ``$$ ... $$ (eq-NAME)`` on lines of their own; the message names the place.
    """
    found = []
    for match in _DISPLAYED.finditer(text):
        label = (match["label"] or "").strip(" ()")
        if not label.startswith("eq-"):
            raise ValueError(f"{place}: expected a label (eq-NAME) after {match[0]!r}")
        found.append(Equation(label, match["latex"], place))
    rest = _DISPLAYED.sub("", text)
    other = re.search(r"\$\$", rest) or _OTHER_FORMS.search(rest)
    if other:
        line = rest[other.start() :].splitlines()[0]
        raise ValueError(f"{place}: expected $$ and (eq-NAME) on lines of their own, got {line!r}")
    return found


def manuscript_equations() -> dict[str, Equation]:
    """All equations of the book by label.

    Raises:
        ValueError: two equations have the same label.
    """
    equations: dict[str, Equation] = {}
    for path in sorted(BOOK.rglob("*.md")):
        place = path.relative_to(BOOK.parent).as_posix()
        for equation in find_equations(path.read_text("utf-8"), place):
            if equation.label in equations:
                raise ValueError(f"{place}: the label {equation.label} is used twice")
            equations[equation.label] = equation
    return equations


@dataclass(frozen=True)
class Check:
    """An executed check of the formula ``latex``."""

    label: str
    latex: str
    run: Callable[[], None]


CHECKS: dict[str, Check] = {}


def equation(label: str, latex: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Register a function as the check of one equation; it raises ``AssertionError`` on a fault."""

    def register(run: Callable[[], None]) -> Callable[[], None]:
        if label in CHECKS:
            raise ValueError(f"label: expected one check for {label}, got a second one")
        CHECKS[label] = Check(label, latex, run)
        return run

    return register


def load_checks() -> None:
    """Import the checks of every chapter: each module here but the ledger's own."""
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.stem not in ("ledger", "network") and not path.stem.startswith("test_"):
            importlib.import_module(path.stem)


def coverage() -> str:
    """One line, like code coverage: how many printed equations have a check of that formula."""
    load_checks()
    printed = manuscript_equations()
    covered = sum(
        label in CHECKS
        and without_white_space(CHECKS[label].latex) == without_white_space(found.latex)
        for label, found in printed.items()
    )
    return f"equations {covered}/{len(printed)}"
