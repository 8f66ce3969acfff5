"""From a drawing function to one still picture and a table of what changes.

:class:`Scene` draws: a picture of every point of the parameter grid, in the quick way where that
is proved to be right, else with a fresh figure each. :class:`Film` packs the pictures: the SVG of
one of them, and a column of values for each attribute that differs between them.
"""

from __future__ import annotations

import contextlib
import functools
import html
import inspect
import itertools
from collections.abc import Sequence
from xml.etree import ElementTree

import numpy as np
from matplotlib.figure import Figure

from bptt.explore.record import DPI, Element, Recorder

#: A picture: what :class:`~bptt.explore.record.Recorder` collects, in drawing order.
Picture = dict[str, Element]

_PROBES = 7


class Scene:
    """Draws ``draw(ax, **parameters)``, or ``draw(fig, **parameters)``, into pictures.

    The drawing of ``start`` fixes where the axes stand; all other drawings keep to it.
    Everything here runs inside ``with style():``.

    Parameters
    ----------
    draw : the author's function. It gets the whole figure if its first argument is called
        ``fig`` or ``figure``, else the only axes of a new figure.
    size : width and height in inches.
    start : the parameters of the first drawing, which becomes the still picture.
    clip_id : how the ids of clip rectangles begin.
    """

    def __init__(self, draw, size: tuple[float, float], start: dict, clip_id: str = "clip"):
        self._draw, self._size, self.clip_id = draw, size, clip_id
        self.clips: dict[tuple, int] = {}
        first_argument = next(iter(inspect.signature(draw).parameters))
        self._wants_figure = first_argument in ("fig", "figure")
        self._figure = self._new_figure(start)
        self._places = [axes.get_position() for axes in self._figure.axes]
        self._limits = _limits(self._figure)
        self.still = self._record(self._figure)
        self.quick = False

    def fresh(self, parameters: dict) -> Picture:
        """A picture drawn with a new figure."""
        return self._record(self._new_figure(parameters, self._places))

    def again(self, parameters: dict) -> Picture | None:
        """A picture drawn into the axes at hand, or None if its limits are not theirs.

        Several times faster than :meth:`fresh`: ticks and labels are not drawn again but taken
        from the still picture. It is right as long as ``draw`` leaves nothing behind but artists.
        """
        axes = self._figure.axes[0]
        _empty(axes)
        self._call(axes, parameters)
        if _limits(self._figure) != self._limits:
            return None
        recorder = Recorder(self._figure, self.clips, self.clip_id)
        with _copied_ticks(axes, self.still):
            self._figure.draw(recorder)
        return recorder.elements

    def pictures(self, grid: Sequence[dict]) -> list[Picture]:
        """A picture for every point of ``grid``.

        The quick way is taken if it agrees with fresh figures at a few points and if the limits
        are the same everywhere. :meth:`bptt.explore.Explore.unproved_frames` compares the rest.
        """
        spread = np.linspace(0, len(grid) - 1, _PROBES).round().astype(int)
        probes = {int(index): self.fresh(grid[index]) for index in spread}
        self.quick = self._may_be_quick(probes.values())
        if self.quick:
            pictures = self._all_again(grid, probes)
            if pictures is not None:
                return pictures
        self.quick = False
        return [
            probes[index] if index in probes else self.fresh(parameters)
            for index, parameters in enumerate(grid)
        ]

    def picture(self, parameters: dict) -> Picture:
        """A picture for parameters that need not be on the grid."""
        return (self.again(parameters) if self.quick else None) or self.fresh(parameters)

    def _may_be_quick(self, probes):
        one_axes = len(self._figure.axes) == 1 and not self._wants_figure
        return one_axes and all(_ticks(probe) == _ticks(self.still) for probe in probes)

    def _all_again(self, grid, probes):
        pictures = []
        for index, parameters in enumerate(grid):
            picture = self.again(parameters)
            if picture is None or (index in probes and picture != probes[index]):
                return None
            pictures.append(picture)
        return pictures

    def _new_figure(self, parameters, places=None):
        figure = Figure(self._size, DPI, layout="constrained" if places is None else None)
        self._call(figure if self._wants_figure else figure.subplots(), parameters)
        _name_spines(figure)
        if places is None:
            figure.draw_without_rendering()
            figure.set_layout_engine("none")
        else:
            for axes, place in zip(figure.axes, places, strict=False):
                axes.set_position(place)
        return figure

    def _call(self, target, parameters):
        try:
            self._draw(target, **parameters)
        except Exception as error:
            error.add_note(f"while {self._draw.__name__} drew {parameters}")
            raise

    def _record(self, figure):
        recorder = Recorder(figure, self.clips, self.clip_id)
        figure.draw(recorder)
        return recorder.elements


class Film:
    """All pictures of a grid, packed.

    Attributes
    ----------
    body : SVG text: the clip rectangles and the elements of the still picture. The elements that
        change carry ``data-moves``; they are numbered in document order.
    strings : all values that any attribute takes; None stands for an absent attribute.
    columns : ``[element number, attribute, [number of the string in every picture]]``, one for
        each attribute that changes. The attribute "" is the text content.
    """

    def __init__(self, scene: Scene, pictures: Sequence[Picture], start: int):
        self._numbers: dict[str | None, int] = {None: 0}
        self.columns: list[list] = []
        self._changing: list[tuple[str, str]] = []
        self._keys: list[str] = []
        for picture in [scene.still, *pictures]:
            _rekeyed(picture, self._keys)
        pictures = [_rekeyed(picture, self._keys) for picture in pictures]
        moving = 0
        pieces = [_clip_rectangles(scene)]
        for key in self._keys:
            states = [picture.get(key) for picture in pictures]
            shown = _without_gaps(states)
            now = {**shown[start].attributes}
            if states[start] is None:
                now["display"] = "none"
            if self._add_columns(key, states, shown, moving):
                now["data-moves"], moving = "", moving + 1
            pieces.append(_svg(shown[start].tag, now, shown[start].text))
        self.body = "".join(pieces)
        self.strings = list(self._numbers)

    def _add_columns(self, key, states, shown, number) -> bool:
        """A column for each attribute of the element that changes; False if none does."""
        before = len(self.columns)
        names = sorted({name for element in shown for name in element.attributes})
        for name in names:
            self._add(key, number, name, [element.attributes.get(name) for element in shown])
        self._add(key, number, "", [element.text for element in shown])
        self._add(key, number, "display", ["none" if state is None else None for state in states])
        return len(self.columns) > before

    def _add(self, key, number, attribute, values):
        if len(set(values)) > 1:
            indices = [self._numbers.setdefault(value, len(self._numbers)) for value in values]
            self.columns.append([number, attribute, indices])
            self._changing.append((key, attribute))

    def values(self, picture: Picture) -> list[str | None]:
        """What the columns would hold for one more picture; what no column covers is left out."""
        picture = _rekeyed(picture, [*self._keys])
        return [_value(picture.get(key), attribute) for key, attribute in self._changing]


def unpack(body: str, strings: Sequence, columns: Sequence, index: int) -> list[Element]:
    """Picture number ``index`` as a browser shows it: the visible elements, in drawing order."""
    elements = list(ElementTree.fromstring(f"<svg>{body}</svg>"))[1:]
    moving = [element for element in elements if "data-moves" in element.attrib]
    for number, attribute, indices in columns:
        value, element = strings[indices[index]], moving[number]
        if attribute == "":
            element.text = value
        elif value is None:
            element.attrib.pop(attribute, None)
        else:
            element.attrib[attribute] = value
    return [
        Element(element.tag, _plain(element.attrib), element.text or None)
        for element in elements
        if element.get("display") != "none"
    ]


def _plain(attributes):
    return {name: value for name, value in attributes.items() if name != "data-moves"}


def _value(element, attribute):
    if attribute == "display":
        return "none" if element is None else None
    if element is None:
        return None
    return element.text if attribute == "" else element.attributes.get(attribute)


def _name_spines(figure):
    """Spines are patches to the recorder; by name they keep their keys when patches are added."""
    for axes in figure.axes:
        for side, spine in axes.spines.items():
            spine.set_gid(f"spine-{side}")


def _limits(figure):
    """What the ticks and labels of the axes depend on."""
    return [
        (
            (axes.get_xlim(), axes.get_xscale(), axes.get_xlabel()),
            (axes.get_ylim(), axes.get_yscale(), axes.get_ylabel()),
        )
        for axes in figure.axes
    ]


def _empty(axes):
    """Remove all artists that a drawing function adds, and start the colours again."""
    kinds = (axes.lines, axes.patches, axes.collections, axes.texts, axes.images, axes.tables)
    for artist in [*itertools.chain(*kinds, axes.artists), axes.get_legend()]:
        if artist is not None:
            artist.remove()
    axes.containers.clear()
    axes.set_prop_cycle(None)
    for place in ("left", "center", "right"):
        axes.set_title("", loc=place)


@contextlib.contextmanager
def _copied_ticks(axes, still):
    """While this lasts, an axis is drawn by copying its ticks and labels from ``still``."""

    def copy(axis, recorder):
        if axis.get_visible():
            recorder.copy_group("matplotlib.axis", still)

    for axis in (axes.xaxis, axes.yaxis):
        axis.draw = functools.partial(copy, axis)
    try:
        yield
    finally:
        for axis in (axes.xaxis, axes.yaxis):
            del axis.draw


def _ticks(picture):
    return {key: element for key, element in picture.items() if "axis" in key}


def _rekeyed(picture, keys):
    """``picture`` with keys in the order of ``keys``, which grows by the keys that are new.

    A new key comes right after the one that it follows. Where artists appear and disappear, a key
    may be drawn earlier in one picture and later in another; it then stands for two elements.
    """
    position = {key: place for place, key in enumerate(keys)}
    place, result = -1, {}
    for key, element in picture.items():
        while position.get(key, place + 1) <= place:
            key += "'"
        if key not in position:
            keys.insert(place + 1, key)
            position = {key: place for place, key in enumerate(keys)}
        place = position[key]
        result[key] = element
    return result


def _without_gaps(states):
    """Where an element is absent it keeps what it last was: nothing to store, nothing to set."""
    last = next(state for state in states if state is not None)
    filled = []
    for state in states:
        last = state or last
        filled.append(last)
    return filled


def _clip_rectangles(scene):
    rectangles = "".join(
        f'<clipPath id="{scene.clip_id}{number}">'
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}"/></clipPath>'
        for (x, y, width, height), number in scene.clips.items()
    )
    return f"<defs>{rectangles}</defs>"


def _svg(tag, attributes, text):
    pairs = "".join(f' {name}="{html.escape(value)}"' for name, value in attributes.items())
    return f"<{tag}{pairs}>{html.escape(text or '', quote=False)}</{tag}>"
