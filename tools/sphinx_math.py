"""Sphinx extension: mathematics is set while the site is built.

KaTeX turns each formula into HTML for the eye and MathML for screen readers. It runs in an embedded
V8, so no Node is needed. A reader's browser loads a style sheet and fonts, and no engine.
A formula that KaTeX does not know is a warning with page and line, and ``-W`` makes it an error.

The engine comes with the package sphinxcontrib-katex, its style sheet and fonts lie in
``book/theme/katex``: no package carries those without a web framework.
"""

from __future__ import annotations

import base64
import functools
import html
import re
import shutil
from pathlib import Path

from docutils import nodes
from py_mini_racer import JSEvalException, MiniRacer
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator
from sphinxcontrib import katex

FOLDER = Path(__file__).parents[1] / "book" / "theme" / "katex"
# The fonts of nearly every formula come with the style sheet, so that nothing moves later.
# A preload would do the same, but not on pages that are read from the disk.
IN_THE_SHEET = [
    f"KaTeX_{name}.woff2"
    for name in ("Main-Regular", "Math-Italic", "Size1-Regular", "Size2-Regular", "Size3-Regular")
]
LOGGER = logging.getLogger(__name__)


@functools.cache
def engine() -> MiniRacer:
    """KaTeX, ready to be called."""
    racer = MiniRacer()
    racer.eval(Path(katex.__file__).with_name("katex.min.js").read_text("utf-8"))
    return racer


@functools.cache
def set_formula(latex: str, display: bool) -> str:
    """HTML and MathML of a formula.

    Raises ``ValueError`` with KaTeX's reason where it does not know how to set ``latex``.
    """
    options = {"displayMode": display, "throwOnError": True, "strict": "error"}
    try:
        markup = engine().call("katex.renderToString", latex, options)
    except JSEvalException as error:
        reason = re.search(r"(?:ParseError|Error): (.*)", str(error))
        raise ValueError(reason[1] if reason else str(error)) from None
    return re.sub(r"<annotation.*?</annotation>", "", markup)  # the LaTeX once more


def html_of(node: nodes.math | nodes.math_block) -> str:
    """The set formula; where that fails, a warning and the LaTeX as code."""
    latex = node.astext().strip()
    try:
        return set_formula(latex, isinstance(node, nodes.math_block))
    except ValueError as error:
        while node.line is None and node.parent is not None:  # inline nodes have no line
            node = node.parent
        LOGGER.warning("KaTeX cannot set %r: %s", latex, error, location=node, type="math")
        return f"<code>{html.escape(latex)}</code>"


def visit_inline(self: HTML5Translator, node: nodes.math) -> None:
    self.body.append(self.starttag(node, "span", "", CLASS="math notranslate nohighlight"))
    self.body.append(f"{html_of(node)}</span>")
    raise nodes.SkipNode


def visit_block(self: HTML5Translator, node: nodes.math_block) -> None:
    self.body.append(self.starttag(node, "div", CLASS="math notranslate nohighlight"))
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append(f"{html_of(node)}</div>\n")
    raise nodes.SkipNode


def write_assets(app: Sphinx) -> None:
    """Write style sheet and fonts before the pages, so that Sphinx knows their checksums."""
    if app.builder.format != "html":
        return
    sheet = (FOLDER / "katex.min.css").read_text("utf-8")
    if f'content:"{katex.katex_version}"' not in sheet:
        raise ExtensionError(
            f"{FOLDER}: expected the style sheet and fonts of KaTeX {katex.katex_version}, "
            "which the installed sphinxcontrib-katex runs"
        )
    target = Path(app.outdir) / "_static" / "katex"
    shutil.copytree(FOLDER / "fonts", target / "fonts", dirs_exist_ok=True)
    # Every browser that shows the book reads WOFF2: the two older formats are not served.
    sheet = re.sub(r',url\([^)]*\.(?:woff|ttf)\) format\("\w+"\)', "", sheet)
    for name in IN_THE_SHEET:
        font = base64.b64encode((target / "fonts" / name).read_bytes()).decode("ascii")
        sheet = sheet.replace(f"fonts/{name}", f"data:font/woff2;base64,{font}")
        (target / "fonts" / name).unlink()
    (target / "katex.css").write_text(sheet, "utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer("katex", (visit_inline, None), (visit_block, None))
    app.add_css_file("katex/katex.css")
    app.connect("builder-inited", write_assets, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
