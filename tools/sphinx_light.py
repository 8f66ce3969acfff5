"""Sphinx extension: pages load little, and the theme's scripts wait.

The theme draws its few icons from a font with two thousand; the build keeps those that the pages
use. Scripts of the theme run after the page is read, and after the figures' script.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from sphinx.application import Sphinx

FONT = "fa-solid-900.woff2"
SYNCHRONOUS = "documentation_options.js"  # the page's own inline scripts need it at once


def used_icons(pages: str, sheet: str) -> set[int]:
    """Code points of the icons that HTML pages name by class and that the style sheet itself shows.

    >>> used_icons('<i class="fa-bars">', r'.fa-bars:before{content:"\\f0c9"}')
    {61641}
    """
    named = set(re.findall(r"fa-[\w-]+", pages))
    points = {ord(character) for character in re.findall(r'--pst-[\w-]+:"(.)"', sheet)}
    for selectors, code in re.findall(r'([^{}]+)\{content:"\\([0-9a-f]+)"\}', sheet):
        if named & set(re.findall(r"\.(fa-[\w-]+):before", selectors)):
            points.add(int(code, 16))
    return points


def without_other_fonts(sheet: str) -> str:
    """The style sheet without the icon fonts that the build removes: no link leads nowhere."""
    faces = r"@font-face\{[^}]*/fontawesome/webfonts/[^}]*\}"
    sheet = re.sub(faces, lambda face: face[0] if FONT in face[0] else "", sheet)
    return re.sub(r",\s*url\([^)]*/fontawesome/webfonts/[^)]*\.ttf\)[^,;}]*", "", sheet)


def keep_used_icons(app: Sphinx, exception: Exception | None) -> None:
    """Reduce the theme's icon font to the icons in use; the others of its fonts are not used."""
    static = Path(app.outdir) / "_static"
    fonts = static / "vendor" / "fontawesome" / "webfonts"
    if exception or app.builder.format != "html" or not fonts.is_dir():
        return
    pages = "".join(page.read_text("utf-8") for page in Path(app.outdir).rglob("*.html"))
    style = static / "styles" / "pydata-sphinx-theme.css"
    sheet = style.read_text("utf-8")
    style.write_text(without_other_fonts(sheet), "utf-8")
    solid = fonts / FONT
    font = TTFont(solid, recalcTimestamp=False)
    subsetter = Subsetter(Options(layout_features=[]))
    subsetter.populate(unicodes=used_icons(pages, sheet))
    subsetter.subset(font)
    font.save(solid)
    for other in fonts.iterdir():
        if other != solid:
            other.unlink()


def waiting(script: Any) -> Any:
    """The script, deferred if it may be. All pages share the given one: it is not changed."""
    if not script.filename or SYNCHRONOUS in script.filename:
        return script
    attributes = {"defer": "defer", **script.attributes}
    return type(script)(script.filename, priority=script.priority, **attributes)


def defer_scripts(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """Let scripts wait until the page is read. The search page has scripts that cannot wait."""
    if pagename == "search":
        return
    context["script_files"] = [waiting(script) for script in context.get("script_files", [])]


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", defer_scripts, priority=900)
    app.connect("build-finished", keep_used_icons, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
