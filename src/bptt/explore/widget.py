"""The explorable figure as a widget, and as a piece of HTML that needs no kernel."""

from __future__ import annotations

import base64
import gzip
import html
import inspect
import itertools
import json
import math
import pathlib
import re
from urllib.parse import quote

import anywidget
import numpy as np
import traitlets

from bptt.explore.parameter import Parameter
from bptt.explore.record import DPI, style
from bptt.explore.scene import Film, Scene, unpack

#: The largest number of pictures in one figure.
MOST_PICTURES = 2000

_FOLDER = pathlib.Path(__file__).parent
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_PACKED = re.compile(r'(<script type="application/json">\{[^<]*"data":)"([A-Za-z0-9+/=]+)"')
_PLAIN_IN_URI = " !$'()*+,-./:;=?@[]^_`{|}~"


def explore(
    draw, *, name=None, describe=None, title=None, start=None, play=None, size=(6.4, 3.2),
    **parameters,
) -> Explore:  # fmt: skip
    """Show ``draw(ax, **parameters)`` with a slider for each parameter.

    The figure works in JupyterLab with a kernel, on a page without one, and as a still picture
    without JavaScript and in print.

    Parameters
    ----------
    draw : an ordinary Matplotlib function, ``draw(ax, **parameters)``, or ``draw(fig,
        **parameters)`` if it makes its own axes. It runs once for each combination of values. It
        sets the limits and the labels, uses only its arguments and constants, and leaves nothing
        behind but artists. The colours C0 to C5, black, white and greys follow the page's theme.
    name : the figure's name in links of the prose, ``[text](#explore-NAME?w=0.5)``; lower-case
        words joined by hyphens. By default ``draw.__name__`` with hyphens for underscores.
    describe : ``describe(**parameters)`` returns one sentence about this state: what is seen, and
        what to conclude. It is the caption, and what a screen reader says.
    title : by default the first line of draw's docstring. The rest of the docstring says what is
        seen in every state: a screen reader reads it between the title and the sentence.
    start : the values shown first, ``{parameter: value}``; by default the middle ones.
    play : the parameter that a Play button moves.
    size : width and height in inches, of which a page shows 100 pixels each.
    **parameters : ``values`` or ``(label, values)``; numbers in increasing order, or strings, or
        booleans. With a kernel, a slider with floats takes values in between, too.

    Raises
    ------
    TypeError, ValueError : for arguments that make no figure; the message names the argument.
    NotImplementedError : for what the recorder cannot draw, hatches for instance.
    """
    return Explore(
        draw, name=name, describe=describe, title=title, start=start, play=play, size=size,
        **parameters,
    )  # fmt: skip


class Explore(anywidget.AnyWidget):
    """An explorable figure; made by :func:`explore`, which explains the arguments.

    Attributes
    ----------
    at : the positions of the sliders, in the order of the parameters: indices into their values,
        and fractions between two values. It can be observed and linked.
    parameters : the values at these positions, ``{parameter: value}``.
    title, seen : what the docstring of the drawing function says of the picture in every state.
    """

    _esm = (_FOLDER / "explore.js").read_text("utf-8") + "\nexport default { render: explore };\n"
    _css = (_FOLDER / "explore.css").read_text("utf-8")
    html = traitlets.Unicode().tag(sync=True)
    texts = traitlets.List().tag(sync=True)
    data = traitlets.Bytes().tag(sync=True)
    at = traitlets.List().tag(sync=True)
    frame = traitlets.Dict().tag(sync=True)

    def __init__(
        self, draw, *, name=None, describe=None, title=None, start=None, play=None,
        size=(6.4, 3.2), **parameters,
    ):  # fmt: skip
        self._parameters = {key: Parameter.read(key, given) for key, given in parameters.items()}
        self._require_usable(draw, describe, play, size)
        self.name = _checked_name(draw, name)
        first, _, rest = (inspect.getdoc(draw) or self.name).partition("\n")
        self.title = title or first.rstrip(".")
        self.seen = " ".join(rest.split())
        self._describe = describe or self._list_values
        self._start = self._positions(start)
        self._grid = self._all_points()
        self._shoot(draw, size)
        self._still_sentence = self._sentence(self._values(self._start))
        self._svg = self._still(size)
        self._controls = self._sliders(play)
        texts = [list(parameter.texts) for parameter in self._parameters.values()]
        super().__init__(
            html=self._division(), texts=texts, data=self._pack(), at=self._start, frame={}
        )
        self.on_msg(self._answer)
        self.observe(self._draw_between, "at")

    # What a reader or an author does with it -----------------------------------------------

    @property
    def parameters(self) -> dict:
        return self._values(self.at)

    def set(self, **parameters) -> None:
        """Move the sliders to these values; those not named stay where they are.

        Raises ValueError for an unknown parameter, and for a value that its slider cannot take.
        """
        at = dict(zip(self._parameters, self.at, strict=True))
        for name, value in parameters.items():
            at[name] = self._parameter(name, "set").position(value)
        self.at = list(at.values())

    def unproved_frames(self) -> list[dict]:
        """The parameters of all stored pictures that differ from a fresh drawing; [] if none does.

        What is stored is decompressed and read as a browser reads it, then compared with a new
        figure and a new sentence, attribute by attribute.
        """
        stored = json.loads(gzip.decompress(self.data))
        body = self._film.body
        unproved = []
        with style():
            for index, parameters in enumerate(self._grid):
                picture = unpack(body, stored["strings"], stored["columns"], index)
                same_picture = picture == list(self._scene.fresh(parameters).values())
                same_sentence = stored["sentences"][index] == self._sentence(parameters)
                if not (same_picture and same_sentence):
                    unproved.append(parameters)
        return unproved

    def __repr__(self):
        return f"{self._title_as_sentence()} {self._sentence(self.parameters)}"

    def _repr_mimebundle_(self, **kwargs):
        """The widget for JupyterLab, a still picture with its data for all other places."""
        bundle, metadata = super()._repr_mimebundle_(**kwargs)
        return {**bundle, "text/plain": repr(self), "text/html": self._static_html()}, metadata

    # Checks of the arguments ---------------------------------------------------------------

    def _require_usable(self, draw, describe, play, size):
        if not self._parameters:
            raise ValueError("explore: expected at least one parameter, got none")
        first = {name: parameter.values[0] for name, parameter in self._parameters.items()}
        _require_takes("draw", draw, (None,), first)
        if describe is not None:
            _require_takes("describe", describe, (), first)
        if play is not None:
            self._parameter(play, "play")
        if np.shape(size) != (2,) or not all(0 < side < math.inf for side in size):
            raise ValueError(f"size: expected two positive numbers of inches, got {size!r}")
        count = math.prod(len(parameter.values) for parameter in self._parameters.values())
        if count > MOST_PICTURES:
            raise ValueError(
                f"explore: expected at most {MOST_PICTURES} combinations of values, got {count}"
            )

    def _parameter(self, name, argument) -> Parameter:
        if name not in self._parameters:
            known = ", ".join(self._parameters)
            raise ValueError(f"{argument}: expected a parameter, one of {known}, got {name!r}")
        return self._parameters[name]

    def _positions(self, start):
        at = {name: len(parameter.values) // 2 for name, parameter in self._parameters.items()}
        if not isinstance(start, dict | None):
            raise TypeError(f"start: expected a dictionary of parameters, got {start!r}")
        for name, value in (start or {}).items():
            at[name] = self._parameter(name, "start").index(value)
        return list(at.values())

    @traitlets.validate("at")
    def _valid_positions(self, proposal):
        at, parameters = proposal["value"], self._parameters.values()
        if len(at) != len(parameters):
            raise traitlets.TraitError(f"at: expected {len(parameters)} positions, got {at}")
        for position, parameter in zip(at, parameters, strict=True):
            if not 0 <= position <= len(parameter.values) - 1:
                raise traitlets.TraitError(
                    f"at: expected a position of {parameter.name} from 0 to "
                    f"{len(parameter.values) - 1}, got {position}"
                )
            if position != int(position) and not parameter.continuous:
                raise traitlets.TraitError(
                    f"at: expected a whole position of {parameter.name}, got {position}"
                )
        return at

    # Pictures and sentences ----------------------------------------------------------------

    def _all_points(self):
        values = [parameter.values for parameter in self._parameters.values()]
        return [
            dict(zip(self._parameters, point, strict=True)) for point in itertools.product(*values)
        ]

    def _shoot(self, draw, size):
        """Draw and describe all points of the grid."""
        start = self._values(self._start)
        with style():
            self._scene = Scene(draw, size, start, f"explore-{self.name}-clip")
            pictures = self._scene.pictures(self._grid)
        self._film = Film(self._scene, pictures, self._grid.index(start))
        self._sentences = [self._sentence(point) for point in self._grid]

    def _values(self, at):
        return {
            name: parameter.value(position)
            for (name, parameter), position in zip(self._parameters.items(), at, strict=True)
        }

    def _texts(self, at):
        return [
            parameter.text(position)
            for parameter, position in zip(self._parameters.values(), at, strict=True)
        ]

    def _list_values(self, **values):
        shown = (
            f"{parameter.label} = {parameter.text(parameter.position(values[name]))}"
            for name, parameter in self._parameters.items()
        )
        return ", ".join(shown) + "."

    def _sentence(self, parameters):
        sentence = self._describe(**parameters)
        if not isinstance(sentence, str):
            raise TypeError(f"describe: expected to return a string, got {sentence!r}")
        return sentence

    def _pack(self):
        table = {
            "sentences": self._sentences,
            "strings": self._film.strings,
            "columns": self._film.columns,
        }
        return gzip.compress(_json(table).encode(), 9, mtime=0)

    # With a kernel -------------------------------------------------------------------------

    def _answer(self, _widget, content, _buffers):
        """A view asks whether a kernel is there; if so, its sliders take values in between."""
        if content == "hello":
            self.send("kernel")

    def _draw_between(self, change):
        """Draw a picture that is not stored."""
        at = change["new"]
        if all(position == int(position) for position in at):
            return
        parameters = self._values(at)
        with style():
            picture = self._scene.picture(parameters)
        self.frame = {
            "at": at,
            "values": self._film.values(picture),
            "sentence": self._sentence(parameters),
            "texts": self._texts(at),
        }

    # HTML ----------------------------------------------------------------------------------

    def _alternative(self):
        """The text in place of the picture. It ends in the sentence, which ``explore.js`` swaps."""
        said = (self._title_as_sentence(), self.seen, self._still_sentence)
        return " ".join(filter(None, said))

    def _title_as_sentence(self):
        return self.title if self.title.endswith("?") else f"{self.title}."

    def _still(self, size):
        width, height = size
        label = html.escape(self._alternative())
        return (
            f'<svg viewBox="0 0 {width * DPI:.0f} {height * DPI:.0f}" role="img"'
            f' aria-label="{label}" style="max-width:{width * 100:.0f}px"'
            f' font-family="system-ui,sans-serif" stroke-linejoin="round">{self._film.body}</svg>'
        )

    def _sliders(self, play):
        at = zip(self._parameters.values(), self._start, strict=True)
        rows = "".join(_slider(parameter, position) for parameter, position in at)
        if play is not None:
            rows += (
                f'<button type="button" data-play="{play}" data-lm-suppress-shortcuts="true">'
                "Play</button>"
            )
        return rows

    def _division(self, more_picture="", more=""):
        """The DOM that ``explore.js`` works on.

        JupyterLab shows the stored HTML of a notebook that was not run here through a sanitiser.
        It drops SVG elements but keeps their text, and drops attributes without a value. Hence
        ``font-size:0`` around the SVG, and ``hidden="hidden"`` where hidden must stay hidden.
        """
        title, sentence = html.escape(self.title), html.escape(self._still_sentence)
        return (
            f'<div class="explore" id="explore-{self.name}" data-explore="{self.name}">'
            f'<figure aria-label="{title}"><p class="explore-title"><strong>{title}</strong></p>'
            f'<div class="explore-controls" hidden="hidden">{self._controls}</div>'
            f'<div class="explore-picture" style="font-size:0">{self._svg}</div>{more_picture}'
            f'<figcaption>{sentence}</figcaption><p class="explore-live" aria-live="polite"></p>'
            f"</figure>{more}</div>"
        )

    def _static_html(self):
        """The division with its data, and with a spare picture for JupyterLab's sanitiser.

        The spare picture shows only after the sanitiser has taken away its bare ``hidden``.
        """
        svg = self._svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
        uri = quote(svg.replace('"', "'"), safe=_PLAIN_IN_URI)
        alt = html.escape(self._alternative())
        width = self._svg.partition("max-width:")[2].partition("px")[0]
        spare = (
            f'<img hidden alt="{alt}" width="{width}" style="background-color:#fff"'
            f' src="data:image/svg+xml,{uri}">'
        )
        texts = {name: parameter.texts for name, parameter in self._parameters.items()}
        data = base64.b64encode(self.data).decode()
        state = _json({"at": self._start, "parameters": texts, "data": data})
        return self._division(spare, f'<script type="application/json">{state}</script>')


def canonical(text: str) -> str:
    """``text`` with the packed data of every explorable figure in it decompressed.

    Versions of zlib differ in the bytes they write. Two notebooks show the same figure if this is
    the same for both.
    """

    def unpacked(match):
        table = gzip.decompress(base64.b64decode(match[2])).decode()
        return match[1] + table.replace("<", "\\u003c")

    return _PACKED.sub(unpacked, text)


def _slider(parameter, position):
    text = html.escape(parameter.texts[position])
    fine = ' data-fine="0.1"' if parameter.continuous else ""
    return (
        f"<label><span>{html.escape(parameter.label)}</span>"
        f'<input type="range" name="{parameter.name}" min="0" max="{len(parameter.values) - 1}"'
        f' value="{position}" step="1"{fine} aria-valuetext="{text}"'
        f' data-lm-suppress-shortcuts="true" autocomplete="off"><output>{text}</output></label>'
    )


def _checked_name(draw, name):
    if name is None:
        name = getattr(draw, "__name__", "").lower().replace("_", "-").strip("-")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"name: expected lower-case words joined by hyphens, got {name!r}")
    return name


def _require_takes(argument, function, positional, named):
    if not callable(function):
        raise TypeError(f"{argument}: expected a function, got {function!r}")
    try:
        inspect.signature(function).bind(*positional, **named)
    except TypeError as error:
        names = ", ".join([*(["ax"] if positional else []), *named])
        raise TypeError(f"{argument}: expected a function of ({names}): {error}") from None


def _json(value):
    """Compact JSON that may stand inside a script element."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.replace("<", "\\u003c")
