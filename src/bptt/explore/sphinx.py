"""Sphinx extension ``bptt.explore.sphinx``: explorable figures on a page without a kernel.

It puts the engine into ``_static/explore`` and loads it on pages with a figure. It turns a link
of the prose, ``[text](#explore-NAME?parameter=value)``, into one that sets the figure, and warns
about a link that asks for what is not there, and about two figures of one name on a page. The
directive ``explore`` shows a figure on a page that is no notebook.
"""

from __future__ import annotations

import html
import importlib
import json
import math
import pathlib
import re
from urllib.parse import parse_qsl

from docutils import nodes
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

_FOLDER = pathlib.Path(__file__).parent
_FIGURE = re.compile(
    r'<div class="explore" id="explore-[\w-]+" data-explore="([\w-]+)">.*?'
    r'<script type="application/json">(.*?)</script>',
    re.DOTALL,
)
_LINK = "#explore-"
_LOGGER = logging.getLogger(__name__)


class ExploreDirective(SphinxDirective):
    """``{explore} chapter_module.figure`` shows a figure on a page that is no notebook."""

    required_arguments = 1

    def run(self):
        module, _, name = self.arguments[0].rpartition(".")
        try:
            figure = getattr(importlib.import_module(f"bptt.explore.{module}"), name)
        except (ImportError, AttributeError):
            message = f"expected module.figure of bptt.explore, got {self.arguments[0]!r}"
            raise self.error(message) from None
        data, _ = figure()._repr_mimebundle_()
        return [nodes.raw("", data["text/html"], format="html")]


class SettingLinks(SphinxTransform):
    """Makes links of the prose set the figures of their page."""

    default_priority = 870  # before MyST resolves links to anchors, at 879

    def apply(self, **kwargs):
        figures = self._figures()
        for link in list(self.document.findall(nodes.reference)):
            if link.get("refuri", "").startswith(_LINK):
                name, _, query = link["refuri"].removeprefix(_LINK).partition("?")
                for problem in _problems(name, query, figures):
                    _warn(problem, link)
                _replace(link, name, query)

    def _figures(self) -> dict[str, dict[str, list[str]]]:
        """The stored values of all figures of this page, ``{figure: {parameter: texts}}``."""
        figures = {}
        for output in self.document.findall(nodes.raw):
            for name, state in _FIGURE.findall(output.astext()):
                if name in figures:
                    _warn(f"two figures of this page are named {name!r}", output)
                figures[name] = json.loads(state)["parameters"]
        return figures


def _problems(name, query, figures):
    """What is wrong with a link, one sentence each."""
    if name not in figures:
        yield f"a link sets the figure {name!r}; this page has {_listed(figures)}"
        return
    parameters = figures[name]
    for parameter, value in parse_qsl(query, keep_blank_values=True):
        if parameter not in parameters:
            yield (
                f"a link sets {parameter!r} of the figure {name!r}, which has {_listed(parameters)}"
            )
        elif not any(_same(value, text) for text in parameters[parameter]):
            yield (
                f"a link sets {parameter} = {value!r} in the figure {name!r}, "
                f"which stores {_listed(parameters[parameter])}"
            )


def _listed(names):
    return ", ".join(names) or "none"


def _same(value, text):
    try:
        return math.isclose(float(value), float(text), rel_tol=1e-9)
    except ValueError:
        return value == text


def _warn(message, node):
    _LOGGER.warning(message, location=node, type="explore")


def _replace(link, name, query):
    """Docutils writes no ``data-`` attributes: the anchor is raw HTML around the link's text."""
    wanted = html.escape(f"{name}?{query}" if query else name)
    anchor = (
        f'<a class="explore-link reference internal" href="{_LINK}{name}"'
        f' data-explore-set="{wanted}">'
    )
    parts = [nodes.raw("", anchor, format="html"), *link.children]
    link.replace_self([*parts, nodes.raw("", "</a>", format="html")])


def _prefer_html(app, config):
    """Where an output has both, take its HTML: it comes before the widget, whose rank is 10."""
    config.nb_mime_priority_overrides = [
        *config.nb_mime_priority_overrides,
        ("html", "text/html", 5),
    ]


def _write_assets(app):
    """Write them before the pages are, so that Sphinx can add their checksums to their addresses.

    A folder of our own: Jupyter Book loads every script below a source folder ``_static`` on
    every page.
    """
    if app.builder.format != "html":
        return
    folder = pathlib.Path(app.outdir) / "_static" / "explore"
    folder.mkdir(parents=True, exist_ok=True)
    scripts = [(_FOLDER / name).read_text("utf-8") for name in ("explore.js", "page.js")]
    (folder / "explore.js").write_text("".join(scripts), "utf-8")
    (folder / "explore.css").write_text((_FOLDER / "explore.css").read_text("utf-8"), "utf-8")


def _load_assets(app, pagename, templatename, context, doctree):
    if '<div class="explore"' not in context.get("body", ""):
        return
    app.add_css_file("explore/explore.css")
    app.add_js_file("explore/explore.js", loading_method="defer", priority=100)
    # A figure carries its own data; what MyST-NB would load for widgets is not needed.
    notebooks = getattr(app.env, "nb_metadata", {})
    scripts = notebooks.get(pagename, {}).get("js_files", {})
    for name in [name for name in scripts if name.startswith("ipywidgets_")]:
        del scripts[name]


def setup(app):
    app.setup_extension("myst_nb")
    app.add_directive("explore", ExploreDirective)
    app.add_transform(SettingLinks)
    app.connect("config-inited", _prefer_html)
    app.connect("builder-inited", _write_assets, priority=400)
    app.connect("html-page-context", _load_assets, priority=400)  # before MyST-NB's, at 500
    return {"parallel_read_safe": True, "parallel_write_safe": True}
