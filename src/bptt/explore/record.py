"""A Matplotlib renderer that records a drawing as a flat table of SVG elements.

A recorded picture is a dictionary ``key -> Element`` in drawing order. The key is the path of
Matplotlib's own drawing groups, ``axes1/line2d2/path1`` say, so the same artist has the same key
whenever the figure is drawn again, and two drawings can be compared attribute by attribute.
Coordinates are whole numbers, ten to a point: short text that compresses well.

Colours adapt to a dark page. ``C0`` to ``C5``, black, white and every grey become CSS expressions
over a few custom properties that ``explore.css`` sets; all other colours stay as they are.
"""

from __future__ import annotations

import base64
import io
import re
from collections import Counter
from typing import NamedTuple

import matplotlib.style
import numpy as np
from cycler import cycler
from matplotlib.backend_bases import RendererBase
from matplotlib.colors import to_hex
from matplotlib.path import Path
from matplotlib.transforms import Affine2D
from PIL import Image

#: Dots per inch: ten units to a point.
DPI = 720

#: The colours C0 to C5, after Okabe and Ito, darkened until text in them is legible on white.
PALETTE = ("#0072b2", "#b34700", "#007a5a", "#9b4a86", "#8a5c00", "#55606b")

_SETTINGS = {
    "axes.formatter.use_mathtext": False,
    "axes.facecolor": "none",
    "axes.prop_cycle": cycler(color=PALETTE),
    "figure.facecolor": "none",
    "font.size": 12,  # 9 pixels on the narrowest screens
    "image.interpolation": "none",
    "legend.framealpha": 0.0,
    "savefig.facecolor": "none",
}

_TEXT_SIZES: dict[tuple, tuple[float, float, float]] = {}
_POWER = re.compile(r"\$\\mathdefault\{((?:10|2)\^\{[−-]?\d+\}|[−-]?[\d.]+)\}\$")
_SUPERSCRIPTS = str.maketrans("-−0123456789", "⁻⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_ANCHORS = {"left": "start", "center": "middle", "right": "end"}
_SVG_COMMANDS = {
    Path.MOVETO: (1, "M"),
    Path.LINETO: (1, "l"),
    Path.CURVE3: (2, "q"),
    Path.CURVE4: (3, "c"),
}


def style():
    """A context with Matplotlib's own defaults and ours, whatever a notebook has set."""
    return matplotlib.style.context(["default", _SETTINGS])


class Element(NamedTuple):
    """One SVG element: its tag, its attributes (all text) and its text content, if any."""

    tag: str
    attributes: dict[str, str]
    text: str | None = None


def adaptive_colour(rgb: tuple[float, float, float]) -> str:
    """The CSS colour for ``rgb``, which follows the page's light or dark theme where it can."""
    colour = to_hex(rgb)
    if colour in PALETTE:
        return f"var(--explore-c{PALETTE.index(colour)},{colour})"
    if not colour[1:3] == colour[3:5] == colour[5:7]:
        return colour
    ink = round(100 - int(colour[1:3], 16) / 2.55)
    if ink == 100:
        return "currentColor"
    paper = "var(--explore-paper,#fff)"
    return paper if ink == 0 else f"color-mix(in srgb,currentColor {ink}%,{paper})"


def path_data(vertices: np.ndarray, codes: np.ndarray) -> str:
    """The SVG path for Matplotlib ``vertices`` (n, 2) and ``codes`` (n,).

    Moves are absolute, all other steps relative to the point before: the numbers stay small.
    """
    points = np.rint(vertices).astype(int).tolist()
    pieces, here, start, last_letter, k = [], (0, 0), (0, 0), "", 0
    while k < len(points) and codes[k] != Path.STOP:
        if codes[k] == Path.CLOSEPOLY:
            pieces.append("z")
            here, last_letter, k = start, "", k + 1
            continue
        count, letter = _SVG_COMMANDS[codes[k]]
        if letter == "M":
            start = points[k]
            pieces.append(f"M{start[0]},{start[1]}")
            last_letter = ""
        else:
            steps = " ".join(f"{x - here[0]},{y - here[1]}" for x, y in points[k : k + count])
            pieces.append((" " if letter == last_letter else letter) + steps)
            last_letter = letter
        here, k = points[k + count - 1], k + count
    return "".join(pieces)


class Recorder(RendererBase):
    """Records what Matplotlib draws; see the module's text.

    Parameters
    ----------
    figure : the figure that will be drawn with this renderer.
    clips : the clip rectangles seen so far, ``(x, y, width, height) -> number``; extended in place.
    clip_id : clip rectangle number n is referred to as ``#<clip_id><n>``.

    After ``figure.draw(recorder)`` the picture is in :attr:`elements`.

    Raises
    ------
    NotImplementedError : for hatches, and for clipping by anything but a rectangle.
    """

    def __init__(self, figure, clips: dict, clip_id: str):
        super().__init__()
        self.width, self.height = (float(inches * DPI) for inches in figure.get_size_inches())
        self.clips, self.clip_id = clips, clip_id
        self.elements: dict[str, Element] = {}
        self._downwards = Affine2D().scale(1, -1).translate(0, self.height)
        self._groups: list[str] = []
        self._count: Counter[str] = Counter()

    # Keys ------------------------------------------------------------------------------------

    def open_group(self, s, gid=None):
        """Enter a group; ``s`` may be the full name of a class, of which the last part is kept."""
        name = "#" + gid if gid else s.rpartition(".")[2]
        self._groups.append(name if gid else self._numbered("/".join([*self._groups, name])))

    def close_group(self, s):
        self._groups.pop()

    def copy_group(self, s, picture):
        """Instead of drawing a group, take the elements that ``picture`` has in its place."""
        self.open_group(s)
        place = "/".join(self._groups) + "/"
        self.elements |= {key: picture[key] for key in picture if key.startswith(place)}
        self.close_group(s)

    def _numbered(self, path):
        """The last part of ``path``, numbered among its equals."""
        self._count[path] += 1
        return f"{path.rpartition('/')[2]}{self._count[path]}"

    def _add(self, tag, attributes, text=None, visible=True):
        """Record one element. An invisible one still counts, so that the others keep their keys."""
        name = self._numbered("/".join([*self._groups, tag]))
        if visible:
            given = {name: value for name, value in attributes.items() if value is not None}
            self.elements["/".join([*self._groups, name])] = Element(tag, given, text)

    # Style -----------------------------------------------------------------------------------

    def _clip(self, gc):
        if gc.get_clip_path()[0] is not None:
            raise NotImplementedError("an explorable figure clips by rectangles only")
        box = gc.get_clip_rectangle()
        if box is None:
            return None
        left, bottom, right, top = box.extents
        corner_and_size = (left, self.height - top, right - left, top - bottom)
        rectangle = tuple(round(number) for number in corner_and_size)
        return f"url(#{self.clip_id}{self.clips.setdefault(rectangle, len(self.clips))})"

    @staticmethod
    def _fill(face, alpha):
        if face is None:
            return {"fill": "none"}
        opacity = alpha if alpha is not None else (face[3] if len(face) > 3 else 1)
        if opacity <= 0:
            return {"fill": "none"}
        style = {"fill": adaptive_colour(face[:3])}
        if opacity < 1:
            style["fill-opacity"] = f"{opacity:.2g}"
        return style

    @staticmethod
    def _stroke(gc, alpha):
        rgb, width = gc.get_rgb(), gc.get_linewidth() * DPI / 72
        opacity = alpha if alpha is not None else rgb[3]
        if width <= 0 or opacity <= 0:
            return {}
        style = {"stroke": adaptive_colour(rgb[:3]), "stroke-width": f"{width:.0f}"}
        if opacity < 1:
            style["stroke-opacity"] = f"{opacity:.2g}"
        _, dashes = gc.get_dashes()
        if dashes is not None:
            style["stroke-dasharray"] = " ".join(f"{dash * DPI / 72:.0f}" for dash in dashes)
        if gc.get_capstyle() != "butt":
            cap = gc.get_capstyle()
            style["stroke-linecap"] = "square" if cap == "projecting" else cap
        return style

    # The operations that Matplotlib asks for ------------------------------------------------

    def draw_path(self, gc, path, transform, rgbFace=None):
        if gc.get_hatch():
            raise NotImplementedError("an explorable figure has no hatches")
        alpha = gc.get_alpha() if gc.get_forced_alpha() else None
        fill, stroke = self._fill(rgbFace, alpha), self._stroke(gc, alpha)
        is_line = rgbFace is None
        path = path.cleaned(
            transform + self._downwards,
            remove_nans=True,
            clip=(0, 0, self.width, self.height) if is_line else None,
            simplify=path.should_simplify and is_line,
            curves=True,
        )
        data = path_data(path.vertices, path.codes)
        visible = bool(data) and (fill["fill"] != "none" or bool(stroke))
        self._add("path", {"d": data, "clip-path": self._clip(gc), **fill, **stroke}, None, visible)

    def draw_image(self, gc, x, y, im, transform=None):
        height, width = im.shape[:2]
        unit_square = Affine2D().scale(1 / width, 1 / height)
        size = transform or Affine2D().scale(width, height)
        place = unit_square + size + Affine2D().translate(x, y) + self._downwards
        self._require_inside(gc, place.transform([(0, 0), (width, height)]))
        matrix = Affine2D(place.get_matrix()).to_values()
        attributes = {
            "href": _png(im),
            "width": str(width),
            "height": str(height),
            "style": "image-rendering:pixelated",
            "preserveAspectRatio": "none",
            "transform": "matrix(" + ",".join(f"{number:.6g}" for number in matrix) + ")",
        }
        self._add("image", attributes)

    def _require_inside(self, gc, corners):
        """An image is not clipped: a clip path would live in the image's own coordinates."""
        box = gc.get_clip_rectangle()
        if box is None:
            return
        (left, right), (top, bottom) = np.sort(corners[:, 0]), np.sort(corners[:, 1])
        room = (box.x0, self.height - box.y1, -box.x1, box.y0 - self.height)
        if np.any(np.array([left, top, -right, -bottom]) < np.array(room) - 1):
            raise NotImplementedError(
                "an image in an explorable figure must lie inside its axes: widen the limits"
            )

    def draw_quad_mesh(
        self, gc, master_transform, meshWidth, meshHeight, coordinates, offsets, offsetTrans,
        facecolors, antialiased, edgecolors,
    ):  # fmt: skip
        """A regular mesh without edges is one small image, a pixel a cell, not many paths."""
        corners = master_transform.transform(np.asarray(coordinates, float).reshape(-1, 2))
        corners = corners.reshape(meshHeight + 1, meshWidth + 1, 2)
        x, y = corners[0, :, 0], corners[:, 0, 1]
        regular = (
            len(facecolors) == meshWidth * meshHeight
            and (edgecolors is None or len(edgecolors) == 0)
            and np.allclose(corners[..., 0], x)
            and np.allclose(corners[..., 1], y[:, None])
            and np.allclose(np.diff(x), x[1] - x[0])
            and np.allclose(np.diff(y), y[1] - y[0])
        )
        if not regular:
            return super().draw_quad_mesh(
                gc, master_transform, meshWidth, meshHeight, coordinates, offsets, offsetTrans,
                facecolors, antialiased, edgecolors,
            )  # fmt: skip
        cells = np.asarray(facecolors).reshape(meshHeight, meshWidth, 4)
        place = Affine2D().scale(x[-1] - x[0], y[-1] - y[0]).translate(x[0], y[0])
        self.draw_image(gc, 0, 0, np.rint(cells * 255).astype("uint8"), place)

    def draw_text(self, gc, x, y, s, prop, angle, ismath=False, mtext=None):
        """Text stays text. Formulas become outlines, except tick labels like ``10^{-3}``."""
        if ismath and (power := _POWER.fullmatch(s)):
            s = re.sub(r"\^\{([^}]*)\}", lambda m: m[1].translate(_SUPERSCRIPTS), power[1])
        elif ismath:
            self._draw_text_as_path(gc, x, y, s, prop, angle, ismath)
            return
        x, y, anchor = self._anchored(x, y, angle, mtext)
        *rgb, opacity = gc.get_rgb()
        weight, slope, family = prop.get_weight(), prop.get_style(), prop.get_family()[0]
        attributes = {
            "x": str(x),
            "y": str(y),
            "fill": adaptive_colour(tuple(rgb)),
            "fill-opacity": f"{opacity:.2g}" if opacity < 1 else None,
            "font-size": f"{prop.get_size_in_points() * DPI / 72:.0f}",
            "font-family": family if family in ("monospace", "serif") else None,
            "font-style": slope if slope != "normal" else None,
            "font-weight": str(weight) if weight not in ("normal", 400) else None,
            "text-anchor": anchor if anchor != "start" else None,
            "transform": f"rotate({-angle:.4g} {x} {y})" if angle else None,
        }
        self._add("text", attributes, s)

    def _anchored(self, x, y, angle, mtext):
        """Where to put a text, and which end of it goes there.

        The browser's font is not Matplotlib's: a label that Matplotlib centres must be centred by
        the browser too, so its own anchor replaces the left end that Matplotlib computed.
        """
        one_line = mtext is not None and "\n" not in mtext.get_text()
        anchor = "start"
        if one_line and (angle == 0 or mtext.get_rotation_mode() == "anchor"):
            position = mtext.get_transform().transform(mtext.get_unitless_position())
            wanted = np.array([position[0], self.height - position[1]])
            across = np.array([np.sin(np.deg2rad(angle)), np.cos(np.deg2rad(angle))])
            x, y = wanted + across * np.dot(across, np.array([x, y]) - wanted)
            anchor = _ANCHORS[mtext.get_ha()]
        return round(x), round(y), anchor

    # What Matplotlib wants to know about its renderer ---------------------------------------

    def get_text_width_height_descent(self, s, prop, ismath):
        """The same text has the same size in every picture: measured once."""
        key = (s, hash(prop), ismath)
        if key not in _TEXT_SIZES:
            _TEXT_SIZES[key] = super().get_text_width_height_descent(s, prop, ismath)
        return _TEXT_SIZES[key]

    def get_canvas_width_height(self):
        return self.width, self.height

    def points_to_pixels(self, points):
        return points * DPI / 72

    def flipy(self):
        return True

    def option_scale_image(self):
        return True

    def option_image_nocomposite(self):
        return True


def _png(pixels: np.ndarray) -> str:
    """``pixels`` (height, width, 4), 8 bit, as a ``data:`` URI; up to 256 colours as a palette."""
    colours, cells = np.unique(pixels.reshape(-1, 4), axis=0, return_inverse=True)
    if len(colours) <= 256:
        image = Image.fromarray(cells.reshape(pixels.shape[:2]).astype("uint8"), "P")
        image.putpalette(colours.tobytes(), "RGBA")
    else:
        image = Image.fromarray(pixels)
    stream = io.BytesIO()
    image.save(stream, format="png")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
