"""Exercise pages as a place to study: a list of the exercises, stars in words, hints that link.

An exercise is a section of a page of ``exercises/`` whose heading begins with its number. Its first
paragraph begins with kind, difficulty and time, such as ``**By hand · ★★ · 8 minutes.**``. The list
at the top of the page is made of these lines. A section that lacks its line, and a line whose
section lacks its number, is a warning, so the build fails.

Labels of equations in the stored hints become links with the equation's number.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

NUMBER = re.compile(r"\d+\. ")
LINE = re.compile(r"(?P<kind>[^·★]+) · (?P<stars>★{1,3}) · (?P<minutes>\d+) minutes\.")
LABEL = re.compile(r"<code>(eq-[\w-]+)</code>")
SCRIPT = "study.js"

_LOGGER = logging.getLogger(__name__)


def first(parent: nodes.Element, kind: type[nodes.Element]) -> nodes.Element:
    """The first child of a kind; an empty one if there is none."""
    return next((child for child in parent.children if isinstance(child, kind)), kind())


class StudyList(SphinxTransform):
    """Lists the exercises of a page below the page's first paragraph."""

    default_priority = 500

    def apply(self, **kwargs: Any) -> None:
        folder = self.env.docname.partition("/")[0]
        if folder not in ("exercises", "solutions"):
            return
        page = first(self.document, nodes.section)
        found = [
            (section, line)
            for section in page.children
            if isinstance(section, nodes.section) and (line := statement(section))
        ]
        if folder == "exercises":
            minutes = sum(int(line["minutes"]) for _, line in found)
            place = page.index(first(page, nodes.paragraph)) + 1
            page[place:place] = [
                nodes.bullet_list("", *(item(*each) for each in found), classes=["study-list"]),
                nodes.paragraph("", f"{minutes} minutes in all.", classes=["study-total"]),
            ]


def statement(section: nodes.section) -> re.Match | None:
    """The line of an exercise, its stars marked; warns if line or number lacks the other."""
    title = first(section, nodes.title)
    strong = first(first(section, nodes.paragraph), nodes.strong)
    line = LINE.fullmatch(strong.astext())
    if bool(line) != bool(NUMBER.match(title.astext())):
        _LOGGER.warning(
            "an exercise needs a number in its heading and a first paragraph that begins like "
            "**By hand · ★★ · 8 minutes.**; got %r and %r",
            title.astext(),
            strong.astext(),
            location=section,
            type="study",
        )
    if line:
        kind, _, minutes = line[0].partition(line["stars"])
        strong[:] = [nodes.Text(kind), stars(line), nodes.Text(minutes)]
    return line


def item(section: nodes.section, line: re.Match) -> nodes.list_item:
    title = first(section, nodes.title).deepcopy().children
    link = nodes.reference("", "", *title, internal=True, refid=section["ids"][0])
    kind = nodes.inline("", line["kind"])
    minutes = nodes.inline("", f"{line['minutes']} minutes")
    parts = [link, kind, stars(line), minutes]
    spaced = [node for part in parts for node in (part, nodes.Text(" "))]
    return nodes.list_item("", nodes.paragraph("", "", *spaced[:-1]))


def stars(line: re.Match) -> nodes.inline:
    return nodes.inline("", line["stars"], classes=["stars"])


class SpokenStars(SphinxPostTransform):
    """Gives stars a name for screen readers, which docutils has no attribute for."""

    default_priority = 500
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        for node in list(self.document.findall(nodes.inline)):
            if node["classes"] == ["stars"]:
                shown = node.astext()
                name = f"difficulty {len(shown)} of 3"
                spoken = f'<span class="stars" role="img" aria-label="{name}">{shown}</span>'
                node.parent.replace(node, nodes.raw("", spoken, format="html"))


class HintLinks(SphinxPostTransform):
    """Turns the labels in stored hints into links with the number of the equation."""

    default_priority = 500
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        for node in list(self.document.findall(nodes.raw)):
            if node.astext().startswith('<div class="hints">'):
                node.replace_self(nodes.raw("", self._linked(node), format="html"))

    def _linked(self, node: nodes.raw) -> str:
        equations = self.env.get_domain("math").equations

        def link(label: re.Match) -> str:
            if label[1] not in equations:
                message = "a hint names the equation %r, which does not exist"
                _LOGGER.warning(message, label[1], location=node, type="study")
                return label[0]
            page, number = equations[label[1]]
            address = self.app.builder.get_relative_uri(self.env.docname, page)
            anchor = nodes.make_id(f"equation-{label[1]}")
            return f'<a class="reference internal" href="{address}#{anchor}">({number})</a>'

        return LABEL.sub(link, node.astext())


def load_script(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    if any(f'class="{name}' in context.get("body", "") for name in ("study-list", "chapters")):
        app.add_js_file(SCRIPT, loading_method="defer")


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_transform(StudyList)
    app.add_post_transform(SpokenStars)
    app.add_post_transform(HintLinks)
    app.connect("html-page-context", load_script)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
