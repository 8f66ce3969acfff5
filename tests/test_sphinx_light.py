"""What pages load: the icon font holds the icons in use, and scripts wait."""

from __future__ import annotations

import sphinx_light
from sphinx.builders.html._assets import _JavaScript

SHEET = (
    r'html{--pst-icon-bell:"' + "\uf0f3" + r'"}.fa-bars:before,.fa-navicon:before{content:"\f0c9"}'
    r'.fa-list:before{content:"\f03a"}.fa-moon:before{content:"\f186"}'
)


def test_icons_named_by_a_page_and_those_of_the_style_sheet_are_kept() -> None:
    assert sphinx_light.used_icons("", SHEET) == {0xF0F3}
    pages = '<i class="fa-solid fa-navicon"></i><i class="fa-list"></i>'
    assert sphinx_light.used_icons(pages, SHEET) == {0xF0F3, 0xF0C9, 0xF03A}


def test_a_style_sheet_asks_only_for_the_font_that_is_kept() -> None:
    face = '@font-face{{src:url(../vendor/fontawesome/webfonts/{}.woff2) format("woff2"){}}}'
    old = ',url(../vendor/fontawesome/webfonts/fa-solid-900.ttf) format("truetype")'
    others = face.format("fa-brands-400", ""), "@font-face{src:url(inter.woff2)}"
    sheet = "a{}" + face.format("fa-solid-900", old) + "".join(others)
    expected = "a{}" + face.format("fa-solid-900", "") + others[1]
    assert sphinx_light.without_other_fonts(sheet) == expected


def test_scripts_wait_but_for_the_one_that_the_page_needs_at_once() -> None:
    names = ["_static/documentation_options.js", "_static/doctools.js", None]
    scripts = [_JavaScript(name, priority=200) for name in names]
    context = {"script_files": scripts}
    sphinx_light.defer_scripts(None, "book/index", "page.html", context, None)
    assert [script.attributes for script in context["script_files"]] == [{}, {"defer": "defer"}, {}]
    assert [script.filename for script in context["script_files"]] == names


def test_scripts_of_the_search_page_stay_as_they_are_whatever_page_came_before() -> None:
    scripts = [_JavaScript("_static/doctools.js", priority=200)]
    for page in ("book/index", "search"):
        context = {"script_files": scripts}
        sphinx_light.defer_scripts(None, page, "page.html", context, None)
    assert [script.attributes for script in context["script_files"]] == [{}]
