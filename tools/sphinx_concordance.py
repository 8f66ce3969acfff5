"""Directive ``concordance``: the textbook's equations with verdicts computed at build time.

``{concordance} numbers`` is a table from a printed number to what it means in both printings,
``{concordance} entries`` one section for each equation, ``{concordance} tally`` a sentence that
counts the verdicts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from bptt.concordance import CONCORDANCE, RIGHT, TOLERANCE, WRONG, Printed, Reading


def today(number: str) -> str:
    """The number that an equation of the new printing has today: 9.7.4 for 8.7.4."""
    return number.replace("8.7.", "9.7.", 1)


def label(entry: Printed) -> str:
    return "concordance-" + entry.name.replace(",", "").replace(" ", "-")


def shown(error: float) -> str:
    return "0" if error <= TOLERANCE else f"{error:.2g}"


def worst(entry: Printed) -> str:
    """The verdict of the whole entry: of its only reading, or that it depends on the reading."""
    verdicts = {reading.verdict for reading in entry.readings}
    return verdicts.pop() if len(verdicts) == 1 else "depends on the reading"


def numbers() -> Iterator[str]:
    yield "| number | old printing | new printing |"
    yield "|---|---|---|"
    found = sorted(
        {number for entry in CONCORDANCE for number in (*entry.old, *entry.new)},
        key=lambda number: int(number.split(".")[-1]),
    )
    for number in found:
        cells = []
        for printing in ("old", "new"):
            (entry,) = [e for e in CONCORDANCE if number in getattr(e, printing)]
            cells.append(f"{{ref}}`{entry.name} <{label(entry)}>`: {worst(entry)}")
        yield f"| {number} | {cells[0]} | {cells[1]} |"


def where(entry: Printed) -> str:
    parts = []
    if entry.old:
        parts.append(f"Old {' and '.join(entry.old)}")
    if entry.new:
        parts.append(f"new {' and '.join(entry.new)} (today {' and '.join(map(today, entry.new))})")
    sentence = "; ".join(parts)
    return sentence[0].upper() + sentence[1:] + "."


def row(reading: Reading) -> str:
    errors = " | ".join(shown(reading.errors[name]) for name in ("identity", "tanh"))
    return f"| {reading.words or 'as printed'} | {reading.verdict} | {errors} |"


def entries() -> Iterator[str]:
    yield from ("## The equations", "")
    for entry in CONCORDANCE:
        yield from (f"({label(entry)})=", f"### {entry.name[0].upper()}{entry.name[1:]}", "")
        yield from (where(entry), "", f"${entry.latex}$", "")
        yield "| read | verdict | error, identity | error, tanh |"
        yield "|---|---|---|---|"
        yield from (row(reading) for reading in entry.readings)
        equations = ", ".join(f"{{eq}}`{name}`" for name in entry.equations)
        note = f" {entry.note}" if entry.note else ""
        yield from ("", f"Derived in {{ref}}`{entry.chapter}`: {equations}.{note}", "")


def tally() -> Iterator[str]:
    readings = [reading for entry in CONCORDANCE for reading in entry.readings]
    verdicts = Counter(reading.verdict for reading in readings)
    right = sum(
        any(reading.verdict != WRONG for reading in entry.readings) for entry in CONCORDANCE
    )
    yield (
        f"The page has {len(CONCORDANCE)} equations in {len(readings)} readings. "
        f"{verdicts[RIGHT]} readings are right for both activations, "
        f"{len(readings) - verdicts[RIGHT] - verdicts[WRONG]} for the identity, and "
        f"{verdicts[WRONG]} are wrong. Of the {len(CONCORDANCE)} equations {right} have a reading "
        "that is right for the identity at least."
    )


PARTS = {"numbers": numbers, "entries": entries, "tally": tally}


class Concordance(SphinxDirective):
    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        if self.arguments[0] not in PARTS:
            raise self.error(f"expected {', '.join(PARTS)}, got {self.arguments[0]!r}")
        lines = StringList(list(PARTS[self.arguments[0]]()), source=self.env.docname)
        container = nodes.Element()
        self.state.nested_parse(lines, self.content_offset, container, match_titles=True)
        return container.children


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("concordance", Concordance)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
