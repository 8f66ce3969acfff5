"""The explorable figure of chapter 1, "An RNN, unrolled"."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

from matplotlib.patches import FancyBboxPatch, Polygon

from bptt.explore import Explore, explore

T = 4
W = 2  # w_hh; w_hx = w_qh = 1
X = (None, -4, -3, 1, -1)  # x_1 ... x_4
Y = (None, 3, 3, 1, 4)  # y_1 ... y_4
H0 = 3
FORWARD = ("input", "state", "loss")  # what happens at a time step on the way forward
BACKWARD = ("adjoint", "use", "message")  # and on the way back
TURN = 3 * T  # the last forward step of the walk
LAST = 2 * TURN


@dataclass(frozen=True)
class _Run:
    """Every number of the forward and of the backward pass; index t belongs to step t."""

    z: tuple
    h: tuple
    loss: tuple
    direct: tuple
    adjoint: tuple  # dL/dh_t
    slope: tuple
    adjoint_z: tuple  # dL/dz_t
    term: tuple  # dL/dz_t h_{t-1}


@cache
def _run(activation: str) -> _Run:
    z, h, direct = [None], [H0], [None]
    for t in range(1, T + 1):
        z.append(X[t] + W * h[t - 1])
        h.append(math.tanh(z[t]) if activation == "tanh" else z[t])
        direct.append(h[t] - Y[t])
    slope = [None] + [1 - h[t] ** 2 if activation == "tanh" else 1 for t in range(1, T + 1)]
    adjoint, adjoint_z = [0] * (T + 2), [0] * (T + 2)
    for t in range(T, 0, -1):
        adjoint[t] = direct[t] + W * adjoint_z[t + 1]
        adjoint_z[t] = slope[t] * adjoint[t]
    adjoint[0] = W * adjoint_z[1]
    term = [None] + [adjoint_z[t] * h[t - 1] for t in range(1, T + 1)]
    loss = [None] + [direct[t] ** 2 / 2 for t in range(1, T + 1)]
    lists = (z, h, loss, direct, adjoint, slope, adjoint_z, term)
    return _Run(*(tuple(numbers) for numbers in lists))


def _text(number: float) -> str:
    """At most two decimals, with a true minus sign."""
    digits = 1 if number == round(number, 1) else 2
    return f"{number:.{digits}f}".removesuffix(".0").replace("-", "−")


def _name(letter: str, t: int) -> str:
    return letter + "₀₁₂₃₄"[t]


def _place(step: int) -> tuple[str, int]:
    """What happens at a step of the walk, and at which time step."""
    if step == 0:
        return "start", 0
    if step <= TURN:
        return FORWARD[(step - 1) % 3], (step - 1) // 3 + 1
    return BACKWARD[(step - TURN - 1) % 3], T - (step - TURN - 1) // 3


def _number(what: str, t: int) -> int:
    """At which step of the walk something happens at time step t."""
    if what in FORWARD:
        return 3 * (t - 1) + 1 + FORWARD.index(what)
    return TURN + 3 * (T - t) + 1 + BACKWARD.index(what)


def _plus(number: float) -> str:
    """The number as a second summand, with its sign before it."""
    return f"{'−' if number < 0 else '+'} {_text(abs(number))}"


def _factor(number: float) -> str:
    """The number as a second factor: in brackets when it is negative."""
    return f"({_text(number)})" if number < 0 else _text(number)


def _sentence(step: int, activation: str) -> str:
    """What happens at this step of the walk, with its numbers."""
    what, t = _place(step)
    run = _run(activation)
    if what == "start":
        rounded = " Numbers are shown rounded." if activation == "tanh" else ""
        return (
            f"Before the first step: w = {W} is the weight that is used four times, h₀ = {H0}, "
            f"and w_hx = w_qh = 1. All else is still to be computed.{rounded}"
        )
    h, z, before = _name("h", t), _name("z", t), _name("h", t - 1)
    way = f"{'Forward' if what in FORWARD else 'Backward'}, step {t}: "
    if what == "input":
        return f"{way}the input {_name('x', t)} = {_text(X[t])} arrives at {h}."
    if what == "state":
        arrives = W * run.h[t - 1]
        add = f"{_text(X[t])} {_plus(arrives)} = {_text(run.z[t])}"
        result = f"{z} = {add} and {h} = tanh({z}) = {_text(run.h[t])}"
        if activation == "identity":
            result = f"{h} = {add}"
        product = f"{W} · {_factor(run.h[t - 1])} = {_text(arrives)}"
        return f"{way}w {before} = {product} arrives as well; {result}."
    if what == "loss":
        loss = (
            f"{way}the output is {h} = {_text(run.h[t])}, the target {_text(Y[t])}: "
            f"loss {_name('ℓ', t)} = {_factor(run.direct[t])}²/2 = {_text(run.loss[t])}."
        )
        total = f" All four together: L = {_text(sum(run.loss[1:]))}."
        return loss + total if t == T else loss
    if what == "adjoint":
        own = f"{way}the adjoint of {h} is {_text(run.direct[t])} from its own loss"
        if t == T:
            return f"{own}, and nothing comes after it."
        future = W * run.adjoint_z[t + 1]
        return f"{own} plus {_text(future)} from the future, together {_text(run.adjoint[t])}."
    if what == "use":
        slope = (
            ""
            if activation == "identity"
            else f"the slope of the tanh is {_text(run.slope[t])}, so dL/d{z} = "
            f"{_text(run.slope[t])} · {_factor(run.adjoint[t])} = {_text(run.adjoint_z[t])}; "
        )
        total = sum(run.term[t:])
        return (
            f"{way}{slope}use {t} of w gives dL/d{z} times {before} = {_text(run.adjoint_z[t])} · "
            f"{_factor(run.h[t - 1])} = {_text(run.term[t])}, and the sum so far is {_text(total)}."
        )
    message = _text(W * run.adjoint_z[t])
    sent = f"{way}w dL/d{z} = {W} · {_factor(run.adjoint_z[t])} = {message} goes back to {before}."
    end = f" That is dL/dh₀, and the walk ends with dL/dw = {_text(sum(run.term[1:]))}."
    return sent + end if t == 1 else sent


FUTURE = "0.35"  # grey: not reached yet
SMALL, LARGE = 15, 17
TOP, LOSS, STATE, INPUT, RULE = 5.55, 5.2, 3.52, 2.22, 1.85  # heights of the rows
LEDGER = (1.56, 1.22, 0.88, 0.3)  # dL/dz, h, their product, the sum
HALF_WIDTH, HALF_HEIGHT = 0.38, 0.36  # of the box of a state
DASHED = (0, (2, 1))
CENTRED = {"ha": "center", "va": "center"}


def _column(t: int) -> float:
    return 0.44 + 1.29 * t


class _Picture:
    """One state of the walk, drawn on ``ax``: the past thin, the present thick, the future grey."""

    def __init__(self, ax, step: int, activation: str):
        self.ax, self.step, self.run = ax, step, _run(activation)
        self.what, self.now = _place(step)

    def seen(self, what: str, t: int) -> bool:
        return self.step >= _number(what, t)

    def is_now(self, what: str, t: int) -> bool:
        return (what, t) == (self.what, self.now)

    def text(self, x, y, string, seen=True, now=False, **options):
        style = {"size": SMALL, "color": "black" if seen else FUTURE, **CENTRED, **options}
        if now:
            style |= {"weight": "bold"}
        self.ax.text(x, y, string, **style)

    def edge(self, what: str, t: int, start, end, number: float, at, **align):
        """The edge that ``what`` travels at step t, once it is reached, with its number."""
        if not self.seen(what, t):
            return
        back, now = what in BACKWARD, self.is_now(what, t)
        colour = "C1" if back else "C0"
        (x0, y0), (x1, y1) = start, end
        length = math.hypot(x1 - x0, y1 - y0)
        ux, uy = (x1 - x0) / length, (y1 - y0) / length
        head, half, width = (0.22, 0.11, 4) if now else (0.15, 0.07, 1.5)
        x2, y2 = x1 - head * ux, y1 - head * uy
        self.ax.plot((x0, x2), (y0, y2), color=colour, lw=width, ls=DASHED if back else "-")
        corners = [(x1, y1), (x2 - half * uy, y2 + half * ux), (x2 + half * uy, y2 - half * ux)]
        self.ax.add_patch(Polygon(corners, fc=colour, ec="none"))
        size = LARGE if now else SMALL
        self.text(*at, _text(number), now=now, color=colour, size=size, **align)

    def state(self, t: int):
        """The box of h_t: its value above, its adjoint below."""
        x, run = _column(t), self.run
        seen = t == 0 or self.seen("state", t)
        back = self.seen("message", 1) if t == 0 else self.seen("adjoint", t)
        now = (t == self.now and self.what in ("state", "adjoint", "use")) or (
            t == self.now - 1 and self.what in ("use", "message")
        )
        colour = ("C1" if self.what in BACKWARD else "C0") if now else "black" if seen else FUTURE
        corner = (x - HALF_WIDTH, STATE - HALF_HEIGHT)
        self.ax.add_patch(
            FancyBboxPatch(
                corner,
                2 * HALF_WIDTH,
                2 * HALF_HEIGHT,
                boxstyle="round,pad=0,rounding_size=0.1",
                fc="none",
                ec=colour,
                lw=3 if now else 1.2,
            )
        )
        self.text(corner[0] + 0.03, corner[1] - 0.34, _name("h", t), seen, ha="left")
        if seen:
            self.text(x, STATE + 0.16 * back, _text(run.h[t]), color="C0", weight="bold")
        if back:
            style = {"color": "C1", "weight": "bold", "style": "italic"}
            self.text(x, STATE - 0.17, _text(run.adjoint[t]), **style)

    def edges(self, t: int):
        """The three edges at h_t, each walked forward and, but for the input's, backward."""
        x, run = _column(t), self.run
        left, right = _column(t - 1) + HALF_WIDTH + 0.04, x - HALF_WIDTH - 0.04
        middle = (left + right) / 2
        over, under = STATE + 0.09, STATE - 0.09
        bottom, top = STATE + HALF_HEIGHT + 0.05, LOSS - 0.2
        for what, y, way, number in (
            ("state", over, (left, right), W * run.h[t - 1]),
            ("message", under, (right, left), W * run.adjoint_z[t]),
        ):
            wide = self.is_now(what, t) or len(_text(number)) > 2
            away = (0.38 if wide else 0.19) * (1 if what == "state" else -1)
            self.edge(what, t, (way[0], y), (way[1], y), number, (middle, y + away))
        up, down = x - 0.08, x + 0.08
        at = (up - 0.1, top - 0.3)
        self.edge("loss", t, (up, bottom), (up, top), run.h[t], at, ha="right")
        at = (down + 0.1, bottom + 0.36)
        self.edge("adjoint", t, (down, top), (down, bottom), run.direct[t], at, ha="left")
        start, end = (x, INPUT + 0.2), (x, STATE - HALF_HEIGHT - 0.05)
        self.edge("input", t, start, end, X[t], (x + 0.14, sum((start[1], end[1])) / 2), ha="left")

    def given(self, t: int):
        """Input, target and loss of step t, in words."""
        x, known = _column(t), self.seen("loss", t)
        loss = f" = {_text(self.run.loss[t])}" if known else ""
        self.text(x, TOP, f"{_name('y', t)} = {_text(Y[t])}", known)
        self.text(x, LOSS, _name("ℓ", t) + loss, known, self.is_now("loss", t))
        self.text(x, INPUT, f"{_name('x', t)} = {_text(X[t])}", self.seen("input", t))

    def ledger(self):
        """The uses of w: dL/dz_t times h_{t-1}, and their sum so far."""
        self.ax.plot((0.05, 6.35), (RULE, RULE), color="0.5", lw=1)
        left = {"ha": "left"}
        for height, label in zip(LEDGER, ("dL/dz", "times h"), strict=False):
            self.text(0.06, height, label, self.seen("use", T), **left)
        run, used = self.run, [t for t in range(1, T + 1) if self.seen("use", t)]
        for t in range(1, T + 1):
            if t not in used:
                self.text(_column(t), LEDGER[1], f"use {t}", seen=False)
                continue
            now, x = self.is_now("use", t), _column(t)
            self.text(x, LEDGER[0], _text(run.adjoint_z[t]), now=now, color="C1", style="italic")
            self.text(x, LEDGER[1], _text(run.h[t - 1]), now=now, color="C0")
            self.text(x, LEDGER[2], _text(run.term[t]), now=now, size=LARGE if now else SMALL)
            if t < T:
                self.text(x + 0.645, LEDGER[2], "+")
        total = f"dL/dw = {_text(sum(run.term[t] for t in used))}" if used else "dL/dw"
        now = self.what == "use" or self.step == LAST
        self.text(0.06, LEDGER[3], total, bool(used), now, size=LARGE, **left)


def stepper() -> Explore:
    """The unrolled network of four steps, forward and then backward, one edge at a time."""

    def draw(ax, step, activation):
        """Four steps, forward and back

        Five boxes in a row hold the states h₀ to h₄, with the inputs below and the targets and
        losses above. Solid arrows carry values forward, dotted ones derivatives back. Under a rule
        the uses of w are multiplied and added up.
        """
        ax.set(xlim=(0, 6.4), ylim=(0, 5.8))
        ax.axis("off")
        picture = _Picture(ax, step, activation)
        picture.text(0.06, TOP, f"w = {W}", ha="left")
        picture.text(0.06, LOSS, activation, ha="left")
        picture.state(0)
        for t in range(1, T + 1):
            picture.given(t)
            picture.edges(t)
            picture.state(t)
        picture.ledger()

    return explore(
        draw,
        name="stepper",
        describe=_sentence,
        size=(6.4, 5.8),
        step=("step of the walk", list(range(LAST + 1))),
        activation=("activation", ["identity", "tanh"]),
        start={"step": 17, "activation": "identity"},
        play="step",
    )
