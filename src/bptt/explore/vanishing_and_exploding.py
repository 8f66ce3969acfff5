"""The explorable figures of chapter 8, "Vanishing and exploding"."""

from __future__ import annotations

from functools import cache

import numpy as np

from bptt.explore import Explore, explore

POWERS = 20  # largest power of the two-by-two matrix
LAGS = 40  # longest lag of the explorer
BURN_IN = 100  # steps before them, so that the start is forgotten
SEEDS = 5  # networks whose norms are averaged
BOUNCES = 11  # steps of the cobweb


def _rounded(values) -> np.ndarray:
    """Seven digits keep the stored picture the same on every processor."""
    values = np.asarray(values, dtype=float)
    return np.array([float(f"{x:.7g}") for x in values.ravel()]).reshape(values.shape)


def _number(x: float, digits: int = 2) -> str:
    return f"{x:.{digits}f}".replace("-", "−")


# ---- powers of a two-by-two matrix ---------------------------------------------------------


@cache
def _power_norms(a: float, b: float, c: float) -> tuple[np.ndarray, float, float]:
    """2-norms of J^k for k = 0..POWERS, the spectral radius and the largest singular value."""
    J = np.array([[a, c], [0.0, b]])
    norms = [np.linalg.norm(np.linalg.matrix_power(J, k), 2) for k in range(POWERS + 1)]
    return _rounded(norms), max(abs(a), abs(b)), float(_rounded(np.linalg.norm(J, 2)))


def powers() -> Explore:
    """The norm of the powers of a two-by-two matrix, between its two bounds."""
    k = np.arange(POWERS + 1)

    def draw(ax, a, b, c):
        """Size of the powers of a matrix

        Over the power k, on a scale of powers of ten, the norm as a solid curve between two
        straight lines: the powers of the largest singular value dashed above, those of the spectral
        radius dotted below.
        """
        norms, radius, sigma = _power_norms(a, b, c)
        ax.set(xlim=(0, POWERS), ylim=(1e-11, 1e4), yscale="log")
        ax.set_xticks(range(0, POWERS + 1, 5))
        ax.set(xlabel="power k", ylabel="2-norm of J^k")
        ax.axhline(1, color="gray", lw=1)
        ends = np.array([0, POWERS])
        ax.plot(ends, sigma**ends, "C1", ls="--", lw=2, label="largest singular value, power k")
        ax.plot(k, norms, "C0", lw=3, label="norm of J^k")
        ax.plot(ends, radius**ends, "C2", ls=":", lw=2.5, label="spectral radius, power k")
        ax.legend(loc="lower left")

    def describe(a, b, c):
        norms, radius, sigma = _power_norms(a, b, c)
        start = (
            f"J = [[{_number(a, 1)}, {_number(c, 1)}], [0, {_number(b, 1)}]]: spectral radius "
            f"{_number(radius, 1)}, largest singular value {_number(sigma)}"
        )
        if c == 0:
            return f"{start}. Without a coupling the norm is the power of the radius at every k."
        if radius > 1:
            return f"{start}. The radius is above 1: the norm grows without end."
        if radius == 1 and a == b:
            return f"{start}. Two equal eigenvalues 1 and a coupling: the norm grows like {c:g} k."
        if radius == 1:
            limit = np.hypot(1, c / (1 - (b if a == 1 else a)))
            return f"{start}. The radius is 1: in the end the norm settles at {_number(limit)}."
        above = int(np.flatnonzero(norms > 1).max(initial=0))
        if above == 0:
            return f"{start}. The norm is never above 1, and it falls like the radius in the end."
        return (
            f"{start}. The norm reaches {_number(norms.max())}, is above 1 up to k = {above}, and "
            "falls like the radius in the end."
        )

    return explore(
        draw,
        name="powers",
        describe=describe,
        a=("eigenvalue a", [0.5, 0.9, 1.0, 1.1]),
        b=("eigenvalue b", [-0.9, 0.5, 0.9, 1.0]),
        c=("coupling c", [0.0, 0.5, 1.0, 2.0, 4.0, 8.0]),
        start={"a": 0.5, "b": 0.5, "c": 4.0},
        play="c",
        size=(5.2, 3.4),
    )


# ---- the gradient by lag -------------------------------------------------------------------


def _gaussian(rng, n):
    return rng.normal(size=(n, n)) / np.sqrt(n)


def _orthogonal(rng, n):
    Q, R = np.linalg.qr(rng.normal(size=(n, n)))
    return Q * np.sign(np.diag(R))


def _identity(rng, n):
    return np.eye(n)


ACTIVATIONS = {  # f, and its slope written with the state
    "linear": (lambda z: z, np.ones_like),
    "tanh": (np.tanh, lambda h: 1 - h**2),
    "ReLU": (lambda z: np.maximum(z, 0), lambda h: (h > 0).astype(float)),
}
WEIGHTS = {"Gaussian": _gaussian, "orthogonal": _orthogonal, "identity": _identity}
MODELS = (
    "linear, Gaussian",
    "linear, orthogonal",
    "tanh, Gaussian",
    "tanh, orthogonal",
    "ReLU, Gaussian",
    "ReLU, identity",
    "LSTM, forget bias 0",
    "LSTM, forget bias 1",
    "LSTM, forget bias 4",
)


def _simple_step(activation: str, W_hh: np.ndarray):
    """A step of ``h = f(W_hh h + x)``: the new state ``(n,)`` and the step Jacobian ``(n, n)``."""
    f, slope = ACTIVATIONS[activation]

    def step(h, x):
        h = f(W_hh @ h + x)
        return h, slope(h)[:, None] * W_hh

    return step


def _lstm_step(W_i, W_f, W_o, W_g, forget_bias: float):
    """A step of an LSTM whose state is (h, c), ``(2n,)``; x ``(4n,)`` holds the gates' inputs."""
    n = len(W_i)
    sigmoid = lambda z: 1 / (1 + np.exp(-z))  # noqa: E731

    def step(state, x):
        h, c = state[:n], state[n:]
        x_i, x_f, x_o, x_g = x.reshape(4, n)
        i, f, o = (
            sigmoid(W_i @ h + x_i),
            sigmoid(W_f @ h + x_f + forget_bias),
            sigmoid(W_o @ h + x_o),
        )
        g = np.tanh(W_g @ h + x_g)
        new_c = f * c + i * g
        squashed = np.tanh(new_c)
        dc_dh = (
            (c * f * (1 - f))[:, None] * W_f
            + (g * i * (1 - i))[:, None] * W_i
            + (i * (1 - g**2))[:, None] * W_g
        )
        back = o * (1 - squashed**2)  # dh/dc within the step
        dh_dh = (squashed * o * (1 - o))[:, None] * W_o + back[:, None] * dc_dh
        J = np.block([[dh_dh, np.diag(back * f)], [dc_dh, np.diag(f)]])
        return np.concatenate([o * squashed, new_c]), J

    return step


def _log_norms(model: str, gain: float, seed: int) -> list[float]:
    """Logarithms to base 10 of the 2-norm of ds_T/ds_{T-k}, k = 0..LAGS, for one network."""
    kind, _, detail = model.partition(", ")
    rng, n = np.random.default_rng(seed), 16
    if kind == "LSTM":
        step = _lstm_step(*(gain * _gaussian(rng, n) for _ in range(4)), float(detail.split()[-1]))
        state, strength, inputs = np.zeros(2 * n), 0.5, 4 * n
    else:
        step = _simple_step(kind, gain * WEIGHTS[detail](rng, n))
        state, strength, inputs = np.full(n, 0.5), 0.05 if detail == "identity" else 0.5, n
    chain = []
    for _ in range(BURN_IN + LAGS):
        state, J = step(state, strength * rng.normal(size=inputs))
        chain.append(J)
    product, logs = np.eye(len(state)), [0.0]
    for J in reversed(chain[BURN_IN:]):
        product = product @ J
        logs.append(np.log10(max(np.linalg.norm(product, 2), 1e-99)))
    return logs


@cache
def _norms(model: str, gain: float) -> np.ndarray:
    """Norms for lags 0..LAGS, the geometric mean over SEEDS networks."""
    logs = [_log_norms(model, gain, seed) for seed in range(SEEDS)]
    return _rounded(10 ** np.mean(logs, axis=0))


def norm_by_lag() -> Explore:
    """How much of a change of the state is left after some steps, for nine kinds of network."""
    lags = np.arange(LAGS + 1)

    def draw(ax, model, gain):
        """What is left of a change after some steps

        Curves over the lag, on a scale of powers of ten: nine kinds of network thin and grey, the
        chosen one thick. A grey line marks the size 1.
        """
        ax.set(xlim=(0, LAGS), ylim=(1e-20, 1e8), yscale="log")
        ax.set(xlabel="lag, in steps", ylabel="2-norm of dh_T / dh_{T − lag}")
        ax.axhline(1, color="gray", lw=1)
        for other in MODELS:
            ax.plot(lags, _norms(other, gain), color="0.5", lw=1)
        ax.plot(lags, _norms(model, gain), "C0", lw=3, label=model)
        ax.legend(loc="lower left")

    def describe(model, gain):
        norms = _norms(model, gain)
        start = f"{model}, weight scale {gain:.1f}: after {LAGS} steps the norm is"
        if norms[-1] < 1e-20:
            return f"{start} below 10^(−20): vanishing."
        rate = (norms[-1] / norms[LAGS // 2]) ** (2 / LAGS)
        verdict = "vanishing" if rate < 0.97 else "exploding" if rate > 1.03 else "neither"
        exponent = f"{np.log10(norms[-1]):.1f}".replace("-", "−")
        return (
            f"{start} 10^({exponent}); over the last {LAGS // 2} lags a factor of {rate:.2f} a "
            f"step: {verdict}."
        )

    return explore(
        draw,
        name="norm-by-lag",
        describe=describe,
        model=("model", list(MODELS)),
        gain=("weight scale", [0.5, 0.8, 0.9, 1.0, 1.1, 1.5, 2.0]),
        start={"model": "tanh, Gaussian", "gain": 1.0},
        play="model",
        size=(5.2, 3.4),
    )


# ---- the latch -----------------------------------------------------------------------------


def _unstable_fixed_point(w: float, u: float) -> float | None:
    """For ``|w| > 1`` the fixed point between the ends, by bisection; ``None`` if there is none."""
    if abs(w) <= 1:
        return None
    high = np.sqrt(1 - 1 / w) if w > 1 else 1.0  # for w > 1 the slope is 1 at these two ends
    low = -high
    excess = lambda h: np.sign(w) * (np.tanh(w * h + u) - h)  # noqa: E731
    if not excess(low) < 0 < excess(high):
        return None
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) < 0 else (low, middle)
    return middle


@cache
def _starts(w: float, u: float) -> tuple[float, float]:
    """Both sides of the unstable fixed point if there is one, else the two ends."""
    middle = _unstable_fixed_point(w, u)
    return (-1.0, 1.0) if middle is None else (middle - 0.1, middle + 0.1)


@cache
def _orbit(w: float, u: float, h: float) -> np.ndarray:
    """The states ``h_0 .. h_BOUNCES`` of the latch."""
    states = [h]
    for _ in range(BOUNCES):
        states.append(np.tanh(w * states[-1] + u))
    return _rounded(states)


@cache
def _settled(w: float, u: float, h: float) -> tuple[float, float, float]:
    """Where the latch ends: the last two states, and the slope of two steps, per step."""
    for _ in range(20000):
        h = np.tanh(w * h + u)
    after = np.tanh(w * h + u)
    slope = abs(w) * np.sqrt((1 - h**2) * (1 - after**2))
    return float(h), float(after), float(slope)


def latch() -> Explore:
    """The cobweb of one unit: where its state goes from two starts, and the slope there."""
    grid = np.linspace(-1.1, 1.1, 25)

    def draw(ax, w, u):
        """The cobweb of one unit

        An S-shaped curve takes the state before a step to the state after it, and a diagonal marks
        where both are equal. Two staircases between them, one solid and one dashed, lead from two
        starts to the dots where they end.
        """
        ax.set(xlim=(-1.1, 1.1), ylim=(-1.1, 1.1), aspect="equal")
        ax.set(xlabel="state before the step", ylabel="state after the step")
        ax.set_xticks([-1, -0.5, 0, 0.5, 1])
        ax.set_yticks([-1, -0.5, 0, 0.5, 1])
        ax.plot([-1.1, 1.1], [-1.1, 1.1], color="gray", lw=1)
        ax.plot(grid, _rounded(np.tanh(w * grid + u)), "black", lw=1.5)
        for start, colour, dashes in zip(_starts(w, u), ("C0", "C1"), ("-", "--"), strict=True):
            states = np.repeat(_orbit(w, u, start), 2)
            ax.plot(states[:-1], [states[0], *states[2:]], colour, ls=dashes, lw=2)
            before, after, _ = _settled(w, u, start)
            ax.plot(*_rounded([before, after]), colour, marker="o", ms=8)

    def describe(w, u):
        low, after, slope = _settled(w, u, _starts(w, u)[0])
        high, _, slope_high = _settled(w, u, _starts(w, u)[1])
        start = f"w = {_number(w, 1)}, u = {_number(u, 1)}"
        if abs(low - after) > 1e-3:
            return (
                f"{start}: the unit swings between {_number(low)} and {_number(after)}. The slope "
                f"is {slope:.2f} a step on average: the gradient vanishes."
            )
        if high - low > 0.05:  # at w = 1, u = 0 both creep towards 0
            return (
                f"{start}: the two starts end in two states, {_number(low)} and {_number(high)}, "
                f"with slopes {slope:.2f} and {slope_high:.2f}. It remembers, and the gradient "
                "vanishes."
            )
        end = (
            "the gradient vanishes" if slope < 0.999 else "the gradient neither vanishes nor grows"
        )
        return f"{start}: both starts end at {_number(low)}, with slope {slope:.2f}: {end}."

    return explore(
        draw,
        name="latch",
        describe=describe,
        w=("weight w", [-2.0, -1.5, -0.5, 1.0, 1.5, 2.0, 3.0]),
        u=("input u", [round(-0.8 + 0.1 * k, 1) for k in range(17)]),
        start={"w": 2.0, "u": 0.2},
        play="u",
        size=(4.6, 4.4),
    )
