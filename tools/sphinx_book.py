"""Sphinx side of the book: the numbers of equations, and HTML that a screen reader understands.

Equations are numbered by the number in the file's name.
The third labelled equation of ``notebooks/06_the_tanh_fix`` is (6.3); in the exercises it would be
(E6.3), in the solutions (S6.3). That of ``exercises/8_7_4`` is (E8.7.4.3).
A number depends on its own page alone: a new chapter leaves the numbers of all others as they were.
"""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx
from sphinx.domains.math import MathDomain

EDITIONS = {"notebooks": "", "exercises": "E", "solutions": "S"}


def equation_prefix(docname: str) -> str:
    """What comes before an equation's running number: ``solutions/06_name`` gives ``S6.``

    A page that is no numbered chapter, exercise or solution has no prefix.
    """
    folder, _, name = docname.rpartition("/")
    number = re.match(r"\d+(?:_\d+)*", name)
    if folder not in EDITIONS or number is None:
        return ""
    parts = [str(int(part)) for part in number[0].split("_")]
    return f"{EDITIONS[folder]}{'.'.join(parts)}."


class PageMathDomain(MathDomain):
    """Sphinx's domain of mathematics, with the page's prefix in the number of each equation."""

    def note_equation(self, docname: str, labelid: str, location: Any = None) -> None:
        super().note_equation(docname, labelid, location)
        running_number = self.equations[labelid][1]
        self.equations[labelid] = (docname, f"{equation_prefix(docname)}{running_number}")


# HTML as docutils writes it, and what takes its place
ACCESSIBLE = {
    'role="doc-biblioentry"': 'role="listitem"',  # ARIA 1.2 deprecates the former in a list
    '<th class="head"><p></p></th>': "<td></td>",  # the empty corner of a table heads nothing
}


def make_accessible(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """Replace what a screen reader cannot make sense of."""
    for written, accessible in ACCESSIBLE.items():
        if "body" in context:
            context["body"] = context["body"].replace(written, accessible)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_domain(PageMathDomain, override=True)
    app.connect("html-page-context", make_accessible)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
