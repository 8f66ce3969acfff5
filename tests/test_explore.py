"""The engine of explorable figures, without a browser."""

import base64
import gzip
import io
import json
import re
from html.parser import HTMLParser

import matplotlib
import nbformat
import numpy as np
import pytest
import traitlets
from matplotlib.patches import Circle, Rectangle
from PIL import Image

from bptt.explore import Explore, explore, sphinx, widget
from bptt.explore.parameter import Parameter
from bptt.explore.record import PALETTE, adaptive_colour
from bptt.explore.widget import canonical

LAGS = np.arange(41)


def two_lines(ax, w, kind):
    """Powers of one weight.

    Two lines over
    the lag.
    """
    ax.set(xlim=(0, 40), ylim=(1e-6, 1e3), yscale="log", xlabel="lag", ylabel="size")
    ax.plot(LAGS, w**LAGS, label="identity")
    ax.plot(LAGS, (0.8 * w) ** LAGS, "C1--", label=kind)
    ax.legend(loc="lower left")


def sentence(w, kind):
    return f"With w = {w:.2f} & {kind} <the powers> shrink."


def figure(**options) -> Explore:
    options = {"describe": sentence, "w": [0.5, 0.75, 1.0], "kind": ["tanh", "relu"], **options}
    return explore(two_lines, **options)


@pytest.fixture(scope="module")
def lines() -> Explore:
    return figure(w=("weight w", np.linspace(0.5, 1, 6)), start={"w": 0.6}, play="w")


# Every frame is what a fresh figure shows -----------------------------------------------------


def appearing(ax, k):
    """Artists come and go, below and above others, and clip their neighbours' numbers."""
    ax.set(xlim=(0, 10), ylim=(0, 10))
    ax.plot([0, 10], [0, k])
    if k % 3 == 0:
        ax.axvspan(0, k, color="0.8")
        ax.text(1, 1, f"{k} < 10 & more", rotation=30, alpha=0.5)
    if k > 4:
        ax.add_patch(Circle((5, 5), k / 4, zorder=3, fill=False))
        ax.plot([k], [5], "o", color="C2")
    if k % 2:
        ax.set_title(f"k = {k}")


def growing(ax, k):
    ax.plot(range(k + 2), np.arange(k + 2) ** 2)
    ax.set(xlim=(0, k + 1), xlabel=f"up to {k}")


def two_axes(fig, k):
    left, right = fig.subplots(1, 2)
    left.set(xlim=(0, 5), ylim=(0, 5))
    left.imshow(np.arange(9).reshape(3, 3) * k, extent=(0, 5, 0, 5), vmin=0, vmax=40)
    right.set(xlim=(0, 5), ylim=(0, 5))
    right.bar(range(4), range(4), color=["C1" if bar == k else "C0" for bar in range(4)])


def heat(ax, k):
    ax.pcolormesh(np.outer(np.arange(4), np.arange(5)) % (k + 2), vmin=0, vmax=6)
    ax.set(xlim=(0, 5), ylim=(4, 0))


@pytest.mark.parametrize(
    ("draw", "values", "quick"),
    [
        (appearing, range(12), True),
        (heat, range(5), True),
        (growing, range(4), False),
        (two_axes, range(4), False),
    ],
)
def test_every_frame_is_proved(draw, values, quick):
    made = explore(draw, k=values)
    assert made._scene.quick == quick
    assert made.unproved_frames() == []
    assert len(made._film.columns) > 0


def test_prover_names_the_one_frame_into_which_state_leaks():
    def leaking(ax, k):
        ax.set(xlim=(0, 40), ylim=(0, 40))
        ax.plot([0, 40], [0, k])
        if k == 9:
            ax.spines["top"].set_visible(False)  # leaks into the drawing of k = 10
        if k == 11:
            ax.spines["top"].set_visible(True)

    made = explore(leaking, k=range(40))
    assert made._scene.quick, "no probe sees the leak, or this test shows nothing"
    assert made.unproved_frames() == [{"k": 10}]


def test_prover_sees_one_changed_string_and_one_changed_sentence():
    made = explore(growing, k=range(3))
    stored = json.loads(gzip.decompress(made.data))
    number, attribute, indices = next(column for column in stored["columns"] if column[1] == "d")
    stored["columns"] = [*stored["columns"], [number, attribute, [indices[0], indices[1]] * 2]]
    made.data = gzip.compress(json.dumps(stored).encode())
    assert made.unproved_frames() == [{"k": 2}]
    made = explore(growing, k=range(3))
    stored = json.loads(gzip.decompress(made.data))
    stored["sentences"][1] = "Another sentence."
    made.data = gzip.compress(json.dumps(stored).encode())
    assert made.unproved_frames() == [{"k": 1}]


def test_settings_of_the_notebook_do_not_matter():
    expected = figure(w=[0.5])
    with matplotlib.rc_context({"font.size": 30, "axes.grid": True, "lines.linewidth": 9}):
        made = figure(w=[0.5])
    assert made.html == expected.html
    assert made.data == expected.data


# What a page gets -----------------------------------------------------------------------------


class Page(HTMLParser):
    """Collects ``(tag, attributes)`` and the text of each tag."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self._open = [], {}, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("input", "img"):
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.texts.setdefault(self._open[-1], []).append(data)

    def find(self, wanted):
        return [attributes for tag, attributes in self.tags if tag == wanted]


def static_html(made) -> str:
    return made._repr_mimebundle_()[0]["text/html"]


def test_page_has_the_division_that_the_script_expects(lines):
    page = Page(static_html(lines))
    assert page.tags[0] == (
        "div",
        {"class": "explore", "id": "explore-two-lines", "data-explore": "two-lines"},
    )
    said = "With w = 0.60 & relu <the powers> shrink."
    assert page.texts["figcaption"] == [said]
    (svg,) = page.find("svg")
    assert svg["role"] == "img"
    assert svg["aria-label"] == f"Powers of one weight. Two lines over the lag. {said}"
    assert page.find("figure")[0]["aria-label"] == "Powers of one weight"
    weight, kind = page.find("input")
    assert (weight["name"], weight["max"], weight["value"]) == ("w", "5", "1")
    assert (weight["aria-valuetext"], kind["aria-valuetext"]) == ("0.6", "relu")
    assert {weight["data-lm-suppress-shortcuts"], kind["data-lm-suppress-shortcuts"]} == {"true"}
    assert (weight.get("data-fine"), kind.get("data-fine")) == ("0.1", None)
    assert page.texts["span"] == ["weight w", "kind"]
    assert page.texts["output"] == ["0.6", "relu"]
    assert page.find("button")[0]["data-play"] == "w"
    (live,) = (p for p in page.find("p") if p["class"] == "explore-live")
    assert live["aria-live"] == "polite"


def test_still_survives_a_sanitiser(lines):
    """JupyterLab drops scripts, SVG elements and attributes without a value, and keeps text."""
    page = Page(static_html(lines))
    (controls,) = (div for div in page.find("div") if div["class"] == "explore-controls")
    assert controls["hidden"] == "hidden"  # kept: sliders that do nothing stay hidden
    (spare,) = page.find("img")
    assert spare["hidden"] is None  # dropped: the spare picture shows
    assert spare["alt"].endswith("With w = 0.60 & relu <the powers> shrink.")
    assert spare["src"].startswith("data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'")
    assert '<div class="explore-picture" style="font-size:0"><svg' in static_html(lines)
    assert "<img" not in lines.html


def test_stored_figure_is_the_same_in_two_executions(lines):
    again = figure(w=("weight w", np.linspace(0.5, 1, 6)), start={"w": 0.6}, play="w")
    first, second = lines._repr_mimebundle_()[0], again._repr_mimebundle_()[0]
    assert first["text/html"] == second["text/html"]
    assert first["text/plain"] == second["text/plain"]
    expected = "Powers of one weight. With w = 0.60 & relu <the powers> shrink."
    assert first["text/plain"] == repr(lines) == expected


def test_canonical_form_does_not_depend_on_zlib(lines):
    text = f"before {static_html(lines)} between {static_html(figure(w=[0.5]))} after"
    repacked = re.sub(r'(?<="data":")[^"]+', _pack_badly, text)
    assert repacked != text
    assert canonical(repacked) == canonical(text)
    assert canonical(text).count('"columns":[[0,') == 2
    assert canonical("no figure") == "no figure"


def _pack_badly(match):
    table = gzip.decompress(base64.b64decode(match[0]))
    return base64.b64encode(gzip.compress(table, 1)).decode()


def test_weights():
    made = figure(w=np.linspace(0.2, 1, 200), describe=None)
    assert len(made._grid) == 400
    assert len(made.data) < 20_000
    scripts = [(sphinx._FOLDER / name).read_bytes() for name in ("explore.js", "page.js")]
    assert len(gzip.compress(b"".join(scripts))) < 3_000


# Values and positions -------------------------------------------------------------------------


def test_parameters_can_be_read_set_and_observed():
    made = figure()
    seen = []
    made.observe(lambda change: seen.append(change["new"]), "at")
    assert made.parameters == {"w": 0.75, "kind": "relu"}
    made.set(w=0.5)
    assert (made.at, made.parameters) == ([0, 1], {"w": 0.5, "kind": "relu"})
    made.set(kind="tanh", w=1)
    assert (made.at, seen) == ([2, 0], [[0, 1], [2, 0]])
    assert made.frame == {}


def test_value_between_two_stored_ones_is_drawn():
    made = figure()
    made.set(w=0.6)
    assert made.at == [pytest.approx(0.4), 1]
    assert made.parameters["w"] == pytest.approx(0.6)
    assert made.frame["texts"] == ["0.600", "relu"]
    assert made.frame["sentence"] == "With w = 0.60 & relu <the powers> shrink."
    stored = figure(w=[0.5, 0.6, 1.0], start={"w": 0.6})
    drawn = dict(zip(made._film._changing, made.frame["values"], strict=True))
    expected = stored._film.values(stored._scene.still)
    assert drawn == dict(zip(stored._film._changing, expected, strict=True))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"w": 2.0}, "w: expected one of 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, got 2.0"),
        ({"kind": "sine"}, "kind: expected one of tanh, relu, got 'sine'"),
        ({"rho": 1}, "set: expected a parameter, one of w, kind, got 'rho'"),
    ],
)
def test_set_refuses_what_a_slider_cannot_take(lines, values, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        lines.set(**values)
    assert lines.at == [1, 1]


@pytest.mark.parametrize("at", [[0], [0, 2], [-1, 0], [0, 0.5]])
def test_positions_off_the_slider_are_refused(lines, at):
    with pytest.raises(traitlets.TraitError, match="at: expected"):
        lines.at = at


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (np.linspace(0.5, 1.3, 5), ("0.5", "0.7", "0.9", "1.1", "1.3")),
        ([-0.5, -1e-17, 0.25], ("-0.50", "0.00", "0.25")),
        (range(3), ("0", "1", "2")),
        ([1e-8, 1e-4, 1.0], ("1e-08", "0.0001", "1")),
        ([False, True], ("False", "True")),
        (("tanh", "identity"), ("tanh", "identity")),
    ],
)
def test_values_read_well(values, texts):
    assert Parameter.read("w", values).texts == texts


# Bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"w": []}, ValueError, "w: expected at least one value, got none"),
        ({"w": 3}, TypeError, "w: expected a sequence of values or (label, values), got 3"),
        ({"w": "tanh"}, TypeError, "w: expected a sequence of values"),
        ({"w": [1, 1]}, ValueError, "w: expected different values"),
        ({"w": [2, 1]}, ValueError, "w: expected increasing values"),
        ({"w": [1, np.nan]}, ValueError, "w: expected finite values"),
        ({"w": [1, "a"]}, TypeError, "w: expected numbers only, strings only or booleans only"),
        ({"start": {"w": 0.6}}, ValueError, "w: expected one of 0.50, 0.75, 1.00, got 0.6"),
        ({"start": {"v": 1}}, ValueError, "start: expected a parameter, one of w, kind, got 'v'"),
        ({"start": 1}, TypeError, "start: expected a dictionary of parameters, got 1"),
        ({"play": "v"}, ValueError, "play: expected a parameter, one of w, kind, got 'v'"),
        ({"describe": "text"}, TypeError, "describe: expected a function, got 'text'"),
        ({"describe": lambda w: ""}, TypeError, "describe: expected a function of (w, kind)"),
        ({"describe": lambda w, kind: 1}, TypeError, "describe: expected to return a string"),
        ({"size": (3,)}, ValueError, "size: expected two positive numbers of inches, got (3,)"),
        ({"size": (3, -1)}, ValueError, "size: expected two positive numbers of inches"),
        ({"name": "Two words"}, ValueError, "name: expected lower-case words joined by hyphens"),
        ({"w": range(1001)}, ValueError, "explore: expected at most 2000 combinations"),
        ({"extra": [1]}, TypeError, "draw: expected a function of (ax, w, kind, extra)"),
    ],
)
def test_bad_arguments_are_named(options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        figure(**options)


def test_bad_draw_is_named():
    with pytest.raises(TypeError, match="draw: expected a function, got None"):
        explore(None, name="none", k=[1])
    with pytest.raises(ValueError, match="name: expected lower-case words"):
        explore(lambda ax, k: None, k=[1])
    with pytest.raises(ValueError, match="explore: expected at least one parameter, got none"):
        explore(lambda ax: None, name="dead")


def test_error_while_drawing_says_at_which_point():
    def failing(ax, k):
        ax.plot([1 / (k - 2)])

    with pytest.raises(ZeroDivisionError) as caught:
        explore(failing, k=range(4), start={"k": 0})
    assert caught.value.__notes__ == ["while failing drew {'k': 2}"]


def hatched(ax):
    ax.add_patch(Rectangle((0, 0), 1, 1, hatch="/"))


def round_clip(ax):
    (line,) = ax.plot([0, 1], [0, 1])
    line.set_clip_path(Circle((0, 0), 1, transform=ax.transData))


def wide_image(ax):
    ax.imshow(np.eye(3))
    ax.set_xlim(0, 1)


@pytest.mark.parametrize(
    ("paint", "message"),
    [
        (hatched, "no hatches"),
        (round_clip, "clips by rectangles only"),
        (wide_image, "must lie inside its axes"),
    ],
)
def test_what_cannot_be_recorded_is_refused(paint, message):
    def drawing(ax, k):
        paint(ax)

    with pytest.raises(NotImplementedError, match=message):
        explore(drawing, k=[1])


# Colours and pixels ---------------------------------------------------------------------------


def test_colours_follow_the_theme():
    assert adaptive_colour((0, 0, 0)) == "currentColor"
    assert adaptive_colour((1, 1, 1)) == "var(--explore-paper,#fff)"
    grey = "color-mix(in srgb,currentColor 31%,var(--explore-paper,#fff))"
    assert adaptive_colour((176 / 255,) * 3) == grey
    assert adaptive_colour((1, 0, 0)) == "#ff0000"
    dark = (sphinx._FOLDER / "explore.css").read_text("utf-8")
    for number, colour in enumerate(PALETTE):
        rgb = matplotlib.colors.to_rgb(colour)
        assert adaptive_colour(rgb) == f"var(--explore-c{number},{colour})"
        assert f"--explore-c{number}: #" in dark


@pytest.mark.parametrize("name", PALETTE)
def test_palette_is_legible_on_white(name):
    assert _contrast(name, "#ffffff") >= 4.5


def test_dark_palette_is_legible_on_the_theme_s_dark():
    css = (sphinx._FOLDER / "explore.css").read_text("utf-8")
    colours = re.findall(r"--explore-c\d: (#\w{6})", css)
    assert len(colours) == len(PALETTE)
    assert min(_contrast(colour, "#121212") for colour in colours) >= 4.5


def _contrast(one, other):
    def luminance(name):
        rgb = np.array(matplotlib.colors.to_rgb(name))
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_pixels_of_a_heat_map_are_exact():
    values = np.linspace(0, 1, 200).reshape(10, 20)

    def field(ax, k):
        ax.imshow(values, vmin=0, vmax=k)

    made = explore(field, k=[1.0, 2.0], start={"k": 2.0})
    uri = re.search(r'href="data:image/png;base64,([^"]+)"', made.html)[1]
    stored = Image.open(io.BytesIO(base64.b64decode(uri))).convert("RGBA")
    expected = matplotlib.colormaps["viridis"](values / 2, bytes=True)
    assert {tuple(pixel) for pixel in np.asarray(stored).reshape(-1, 4)} == {
        tuple(pixel) for pixel in expected.reshape(-1, 4)
    }


# On the site ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(lines, tmp_path_factory):
    """A small book, built: ``build(prose, ...) -> (pages folder, warnings)``."""
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace

    def build(*prose, figures=(lines,)):
        folder = tmp_path_factory.mktemp("book")
        nbformat.write(_notebook(prose, figures), folder / "index.ipynb")
        (folder / "plain.md").write_text("---\norphan: true\n---\n# Plain\n", "utf-8")
        settings = {
            "extensions": ["myst_nb", "bptt.explore.sphinx"],
            "nb_execution_mode": "off",
            "html_theme": "basic",
            "exclude_patterns": ["out"],
        }
        warnings = io.StringIO()
        out = folder / "out"
        with docutils_namespace():
            Sphinx(folder, None, out, out / "doctrees", "html", settings, None, warnings).build()
        return out, warnings.getvalue()

    return build


def _notebook(prose, figures):
    notebook = nbformat.v4.new_notebook()
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python", "language": ""}
    state = {"state": {"1": {}}, "version_major": 2, "version_minor": 0}
    notebook.metadata.widgets = {"application/vnd.jupyter.widget-state+json": state}
    notebook.cells = [nbformat.v4.new_markdown_cell("# Title\n\n" + "\n\n".join(prose))]
    for made in figures:
        bundle = {
            "application/vnd.jupyter.widget-view+json": {"model_id": "1"},
            "text/html": static_html(made),
            "text/plain": repr(made),
        }
        output = nbformat.v4.new_output("execute_result", bundle, execution_count=1)
        notebook.cells.append(nbformat.v4.new_code_cell("figure", outputs=[output]))
    return notebook


def test_site_page(site):
    out, warnings = site(
        "[Make *w* small](#explore-two-lines?w=0.5&kind=tanh).", "[See](#explore-two-lines)"
    )
    assert warnings == ""
    page = (out / "index.html").read_text("utf-8")
    assert (
        '<a class="explore-link reference internal" href="#explore-two-lines"'
        ' data-explore-set="two-lines?w=0.5&amp;kind=tanh">Make <em>w</em> small</a>.'
    ) in page
    assert 'data-explore-set="two-lines">See</a>' in page
    assert page.count('<div class="explore" id="explore-two-lines"') == 1
    assert "widget-state" not in page
    assert "require" not in page
    plain = (out / "plain.html").read_text("utf-8")
    for file in ("explore.js", "explore.css"):
        assert (out / "_static/explore" / file).stat().st_size > 2000
        assert len(re.findall(rf'_static/explore/{file}\?v=\w+"', page)) == 1
        assert file not in plain


def test_site_warns_about_links_to_what_is_not_there(site):
    _, warnings = site(
        "[right](#explore-two-lines?w=0.50)",
        "[a](#explore-three-lines?w=0.5)",
        "[b](#explore-two-lines?rho=0.5)",
        "[c](#explore-two-lines?w=0.55)",
        "[d](#explore-two-lines?kind=sine&w=0.5)",
    )
    for message in (
        "a link sets the figure 'three-lines'; this page has two-lines",
        "a link sets 'rho' of the figure 'two-lines', which has w, kind",
        "a link sets w = '0.55' in the figure 'two-lines', which stores 0.5, 0.6, 0.7, 0.8, 0.9,",
        "a link sets kind = 'sine' in the figure 'two-lines', which stores tanh, relu",
    ):
        assert message in warnings
    assert warnings.count("WARNING") == 4


def test_site_warns_about_two_figures_of_one_name(site, lines):
    _, warnings = site(figures=(lines, lines))
    assert "two figures of this page are named 'two-lines'" in warnings


def test_public_names():
    import bptt.explore

    assert bptt.explore.__all__ == ["Explore", "explore"]
    assert widget.MOST_PICTURES == 2000
