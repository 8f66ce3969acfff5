"""The explorable figures of chapter 11, "Randomized truncation".

All arithmetic is elementwise, in a fixed order, so that the stored pictures do not depend on the
processor.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from bptt.explore import Explore, explore

# The influence-balancing experiment.
UNITS, PLUS = 23, 10
START, OPTIMUM = 0.5, -1 / 6
RATE, STEPS, RUNS = 1e-4, 3000, 100
SIGN = np.where(np.arange(UNITS) < PLUS, 1.0, -1.0)
LENGTHS = [10, 16, 19, 25, 30, 40, 41, 50, 60, 80, 100, 109, 110, 150]
SCHEMES = ["window", "blocks", "weighted", "unweighted"]
SHOWN = np.arange(0, STEPS + 1, 75)  # the steps that the figure shows

SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

# The scalar chain.
FACTORS = [0.5, 0.6, 0.7, 0.8, 0.9, 0.95]
HISTORIES = {"10": 10, "30": 30, "100": 100, "300": 300, "unlimited": None}
MEAN_LENGTHS = np.round(np.geomspace(1.1, 100, 60), 4)


def _times_A(S: np.ndarray) -> None:
    """Replace S, one unit a row, by A S: half of each unit and half of the next one."""
    S[:-1] += S[1:]
    S /= 2


@cache
def _by_lag() -> np.ndarray:
    """What lag i adds to ds^1/dtheta at equilibrium, i = 0..STEPS-1."""
    v, terms = SIGN.copy(), []
    for _ in range(STEPS):
        terms.append(v[0])
        _times_A(v)
    return np.array(terms)


def _estimates(keep: float) -> np.ndarray:
    """The estimate after 1, 2, ... steps in which no link was cut; keep=1 has no weights."""
    return np.cumsum(_by_lag() / keep ** np.arange(STEPS))


def _mean_estimate(scheme: str, length: int) -> float:
    """The exact mean of the estimate of ds^1/dtheta at equilibrium; the truth is -6."""
    window = _estimates(1.0)
    if scheme == "window":
        return float(window[length - 1])
    if scheme == "blocks":
        return float(window[:length].sum() / length)
    if scheme == "weighted":
        return float(window[-1])
    return float((_by_lag() * (1 - 1 / length) ** np.arange(STEPS)).sum())


def _spread_of_estimate(length: int, weighted: bool) -> float:
    """The exact standard deviation of the randomized estimate, from its law."""
    keep = 1 - 1 / length
    values = _estimates(keep if weighted else 1.0)
    probability = keep ** np.arange(STEPS) * (1 - keep)
    mean = (probability * values).sum()
    return float(np.sqrt((probability * (values - mean) ** 2).sum()))


@cache
def _paths(scheme: str) -> np.ndarray:
    """theta of all runs at all steps, ``(STEPS + 1, len(LENGTHS), runs)``.

    A window moves theta at every step, the others at each cut, by the sum since the last cut.
    """
    random = scheme in ("weighted", "unweighted")
    length = np.array(LENGTHS)[:, None]
    keep = 1 - 1 / length
    table = np.array([_estimates(k if scheme == "weighted" else 1.0) for (k,) in keep])
    row = np.arange(len(LENGTHS))[:, None]
    coins = np.random.default_rng(11)

    shape = (len(LENGTHS), RUNS if random else 1)
    S = np.ones((UNITS, *shape))
    theta, total = np.full(shape, START), np.zeros(shape)
    seen = np.full(shape, -1)  # how many kept links lie behind the step
    paths = [theta]
    for t in range(STEPS):
        if scheme == "window":
            cut, seen = np.ones(shape, bool), np.full(shape, t).clip(max=length - 1)
        else:
            cut = coins.random(RUNS) >= keep if random else t % length == 0
            seen = np.where(cut, 0, seen + 1)
        theta = np.where(cut, theta - RATE * total, theta)
        _times_A(S)
        S[:PLUS] += theta
        S[PLUS:] -= theta
        total = np.where(cut, 0.0, total) + (S[0] - 1) * table[row, seen]
        paths.append(theta)
    return np.array(paths)


@cache
def _distances(scheme: str, length: int) -> np.ndarray:
    """|theta - theta*| at all steps: the 10th, 50th and 90th of 100 runs, or the only run."""
    runs = np.sort(abs(_paths(scheme)[:, LENGTHS.index(length)] - OPTIMUM), axis=-1)
    return runs[:, [9, 49, 89]] if runs.shape[-1] == RUNS else runs


def _home_and_away(scheme: str, length: int) -> tuple[int, int]:
    """How many of 100 runs end within 0.1 of the optimum, and how many farther than they began."""
    last = abs(_paths(scheme)[-1, LENGTHS.index(length)] - OPTIMUM)
    return int((last < 0.1).sum()), int((last > START - OPTIMUM).sum())


def _power_of_ten(value: float) -> str:
    """Two digits, with a power of ten where that is shorter."""
    if 0.01 <= value < 100:
        return f"{value:.2g}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}·10{str(int(exponent)).translate(SUPERSCRIPT)}"


def _rounded(values: np.ndarray) -> np.ndarray:
    """Five digits, so that the stored picture is the same on every processor."""
    return np.array([float(f"{value:.5g}") for value in values])


def theta_path() -> Explore:
    """The distance of theta from its optimum while it learns, for four ways to cut the history."""

    def draw(ax, scheme, length):
        """Does θ come home?

        Distance from the optimum over the steps, on a scale of powers of ten: one curve for a fixed
        cut, and for random cuts the 10th, the 50th and the 90th of 100 runs. A grey line marks the
        distance at the start.
        """
        distances = _distances(scheme, length)[SHOWN].T
        ax.set(xlim=(0, STEPS), ylim=(1e-6, 1e6), yscale="log")
        ax.set(xlabel="step", ylabel="distance |θ − θ*|")
        ax.set_yticks([1e-6, 1e-4, 1e-2, 1, 1e2, 1e4, 1e6])
        ax.axhline(START - OPTIMUM, color="gray", lw=1)
        if len(distances) == 1:
            ax.plot(SHOWN, _rounded(distances[0]), "C0", lw=2.5, label="the only path")
        else:
            ax.plot(SHOWN, _rounded(distances[2]), "C1", ls="--", lw=2, label="90th of 100 runs")
            ax.plot(SHOWN, _rounded(distances[1]), "C0", lw=2.5, label="50th")
            ax.plot(SHOWN, _rounded(distances[0]), "C2", ls=":", lw=2, label="10th")
        ax.legend(loc="lower left")

    def describe(scheme, length):
        mean = _mean_estimate(scheme, length)
        sign = "the right sign" if mean < 0 else "the wrong sign"
        if scheme not in ("weighted", "unweighted"):
            what = f"Window of {length} steps" if scheme == "window" else f"Blocks of {length}"
            before, end = _distances(scheme, length)[[-STEPS // 4, -1], 0]
            verb = "grows" if end > before else "shrinks"
            return (
                f"{what}: the mean estimate of the derivative is {mean:.3g}, which has {sign}; −6 "
                f"is right. The distance began at 0.67. After {STEPS} steps it is "
                f"{_power_of_ten(end)}, and it {verb}."
            ).replace("is -", "is −")
        weights = "with" if scheme == "weighted" else "without"
        spread = _spread_of_estimate(length, scheme == "weighted")
        home, away = _home_and_away(scheme, length)
        return (
            f"Random cuts, mean length {length}, {weights} weights: the estimate has mean "
            f"{mean:.3g} and standard deviation {spread:.3g}; −6 is right. Of 100 runs {home} "
            f"end within 0.1 of the optimum, and {away} farther away than they began."
        ).replace("mean -", "mean −")

    return explore(
        draw,
        name="theta-path",
        describe=describe,
        scheme=("history", SCHEMES),
        length=("length", LENGTHS),
        start={"scheme": "weighted", "length": 50},
        play="length",
        size=(5.2, 3.6),
    )


@cache
def _relative_spread(factor: float, history: str) -> np.ndarray:
    """Standard deviation of z_T over a_T, for all mean lengths; infinity where there is none."""
    keep = 1 - 1 / MEAN_LENGTHS
    if HISTORIES[history] is None:
        surplus = keep - factor**2
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = factor**2 * (1 - keep) / surplus
        return np.where(surplus > 0, np.sqrt(np.abs(variance)), np.inf)
    a, V = 0.0, np.zeros_like(keep)
    for _ in range(HISTORIES[history]):
        V = factor**2 / keep * V + factor**2 * (1 - keep) / keep * a * a
        a = 1 + factor * a
    return np.sqrt(V) / a


def _threshold(factor: float) -> float:
    return 1 / (1 - factor**2)


def estimate_spread() -> Explore:
    """The spread of the estimate for a chain with a constant factor, against the mean length."""

    def draw(ax, factor, history):
        """Spread of the randomized estimate

        The spread as a solid curve over the mean length, both axes in powers of ten. A dashed
        vertical line marks the threshold, and a grey level line where the spread is as large as the
        derivative.
        """
        spread = _relative_spread(factor, history)
        ax.set(xlim=(1, 100), ylim=(0.01, 1e4), xscale="log", yscale="log")
        ax.set(xlabel="mean length 1 / (1 − keep)", ylabel="spread / derivative")
        ax.set_xticks([1, 2, 5, 10, 20, 50, 100], ["1", "2", "5", "10", "20", "50", "100"])
        ax.minorticks_off()
        ax.axhline(1, color="gray", lw=1)
        x = float(f"{_threshold(factor):.5g}")
        ax.plot([x, x], [0.01, 1e4], "C1", ls="--", lw=2, label="threshold 1 / (1 − c²)")
        seen = np.isfinite(spread) & (spread < 1e6)
        ax.plot(MEAN_LENGTHS[seen], _rounded(spread[seen]), "C0", lw=2.5, label="spread")
        ax.legend(loc="upper right")

    def describe(factor, history):
        spread = _relative_spread(factor, history)
        edge = _threshold(factor)
        ten = spread[np.abs(MEAN_LENGTHS - 10).argmin()]
        below = (
            "Left of it the variance is infinite"
            if HISTORIES[history] is None
            else f"Left of it the spread is finite, because the history has {history} steps, and "
            "grows with the history"
        )
        if not np.isfinite(ten):
            near = "at a mean length of 10 it is infinite"
        else:
            near = f"at a mean length of 10 the spread is {ten:.2g} times the derivative"
        steps = "unlimited history" if HISTORIES[history] is None else f"{history} steps"
        return (
            f"Factor {factor:g} a step, {steps}: the threshold is a mean length of {edge:.3g}. "
            f"{below}; {near}."
        )

    return explore(
        draw,
        name="estimate-spread",
        describe=describe,
        factor=("factor c of a step", FACTORS),
        history=("steps of history", list(HISTORIES)),
        start={"factor": 0.9, "history": "unlimited"},
        play="factor",
        size=(5.2, 3.4),
    )
