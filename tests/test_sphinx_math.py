"""Mathematics set at build time: KaTeX's answer, and a build that stops at an unknown formula."""

from __future__ import annotations

from pathlib import Path

import pytest
import sphinx_math
from sphinx.testing.util import SphinxTestApp

GOOD = r"Let $h_t = \tanh(z_t)$."


def build(folder: Path, text: str, builder: str = "html") -> SphinxTestApp:
    (folder / "conf.py").write_text(
        'extensions = ["myst_parser", "sphinx_math"]\n'
        'source_suffix = {".md": "markdown"}\n'  # not MyST-NB's, which another test may have left
        'myst_enable_extensions = ["amsmath", "dollarmath"]\n'
    )
    (folder / "index.md").write_text(f"# Title\n\n{text}\n", "utf-8")
    app = SphinxTestApp(builder, folder)
    try:
        app.build()
    finally:
        app.cleanup()
    return app


def test_a_formula_is_set_in_html_and_in_mathml() -> None:
    markup = sphinx_math.set_formula(r"\frac{a}{b}", False)
    assert '<span class="katex-html" aria-hidden="true">' in markup
    assert "<mfrac><mi>a</mi><mi>b</mi></mfrac>" in markup
    assert "frac{" not in markup
    assert 'display="block"' in sphinx_math.set_formula(r"\frac{a}{b}", True)


@pytest.mark.parametrize(
    ("latex", "reason"),
    [(r"\unknown", "Undefined control sequence"), (r"\frac{1", "end of input"), ("ü", "Unicode")],
)
def test_what_katex_does_not_know_is_refused_with_its_reason(latex: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        sphinx_math.set_formula(latex, False)


@pytest.mark.parametrize("builder", ["html", "singlehtml"])
def test_page_and_line_of_an_unknown_formula_are_named(tmp_path: Path, builder: str) -> None:
    text = f"{GOOD}\n\nHere is $\\unknown$.\n\n$$ \\wrong < 1 $$ (eq-wrong)\n"
    app = build(tmp_path, text, builder)
    warnings = app.warning.getvalue()
    assert "index.md:5: WARNING: KaTeX cannot set '\\\\unknown'" in warnings
    assert "index.md:7: WARNING: KaTeX cannot set '\\\\wrong < 1'" in warnings
    assert app.statuscode == 0  # with -W Sphinx makes it 1
    page = (tmp_path / "_build" / builder / "index.html").read_text("utf-8")
    assert "<code>\\wrong &lt; 1</code>" in page
    assert page.count('class="katex"') == 1


def test_a_displayed_formula_keeps_its_label_and_its_number(tmp_path: Path) -> None:
    app = build(tmp_path, "$$ a = b $$ (eq-name)\n\nSee {eq}`eq-name`.")
    assert app.warning.getvalue() == ""
    page = (tmp_path / "_build" / "html" / "index.html").read_text("utf-8")
    assert 'id="equation-eq-name"' in page
    assert '<span class="eqno">(1)<a class="headerlink" href="#equation-eq-name"' in page


def test_only_woff2_is_served_and_all_of_it_is_there(tmp_path: Path) -> None:
    build(tmp_path, GOOD)
    folder = tmp_path / "_build" / "html" / "_static" / "katex"
    sheet = (folder / "katex.css").read_text("utf-8")
    fonts = {part.partition(")")[0] for part in sheet.split("url(")[1:]}
    assert len(fonts) == 20
    inside = {font for font in fonts if font.startswith("data:font/woff2;base64,d09GMg")}  # "wOF2"
    assert len(inside) == len(sphinx_math.IN_THE_SHEET)
    fonts -= inside
    assert fonts == {f"fonts/{font.name}" for font in (folder / "fonts").iterdir()}


def test_engine_and_style_sheet_are_of_one_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sphinx_math.katex, "katex_version", "0.0.0")
    with pytest.raises(sphinx_math.ExtensionError, match=r"expected .* of KaTeX 0\.0\.0"):
        build(tmp_path, GOOD)
