"""The explorable figures of chapter 6, "The tanh fix"."""

from __future__ import annotations

from functools import cache

import numpy as np

from bptt.explore import Explore, explore

STEPS = 30  # length of the chain of step Jacobians
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
LAGS = 12  # longest lag of the pulled-out product


def _network(n: int, gain: float, steps: int, strength: float, kind: str = "generic"):
    """Weights ``(n, n)`` scaled by ``gain``, and the states ``(steps+1, n)`` that noise drives."""
    rng = np.random.default_rng(6)
    W_hh = rng.normal(size=(n, n)) / np.sqrt(n)
    if kind == "symmetric":
        W_hh = (W_hh + W_hh.T) / np.sqrt(2)
    elif kind == "diagonal":
        W_hh = np.diag(np.sign(np.diag(W_hh)) * np.linspace(0.6, 1.4, n))
    elif kind == "multiple of I":
        W_hh = np.eye(n)
    W_hh = gain * W_hh
    H = [0.5 * rng.normal(size=n)]
    for _ in range(steps):
        H.append(np.tanh(W_hh @ H[-1] + strength * rng.normal(size=n)))
    return W_hh, np.array(H)


@cache
def _chain_norms(gain: float, strength: float):
    """2-norms of dh_T/dh_t for lags 0..STEPS, identity and tanh, and the mean slope."""
    W_hh, H = _network(16, gain, STEPS, strength)
    slope = 1 - H**2
    identity = tanh = np.eye(16)
    norms = [(1.0, 1.0)]
    for t in range(STEPS, 0, -1):
        identity = identity @ W_hh
        tanh = tanh @ (slope[t][:, None] * W_hh)
        norms.append((np.linalg.norm(identity, 2), np.linalg.norm(tanh, 2)))
    # Seven digits keep the stored picture the same on every processor.
    return np.array([[float(f"{x:.7g}") for x in row] for row in norms]), slope[1:].mean()


def _trend(norm: float) -> str:
    """What a chain that starts with norm 1 has done."""
    if 0.1 <= norm <= 10:
        return f"stayed near 1, at {norm:.1g}"
    verb = "grown" if norm > 1 else "shrunk"
    exponent = f"{np.log10(norm):.0f}".translate(SUPERSCRIPT)
    return f"{verb} to 10{exponent}"


def jacobian_chain() -> Explore:
    """The chain of step Jacobians, identity against tanh, as the weights grow."""
    lags = np.arange(STEPS + 1)

    def draw(ax, gain, strength):
        """Size of the chain of step Jacobians

        Two curves over the lag, on a scale of powers of ten: the identity network dashed, the tanh
        network solid. A grey line marks the size 1.
        """
        norms, _ = _chain_norms(gain, strength)
        ax.set(xlim=(0, STEPS), ylim=(1e-20, 1e16), yscale="log")
        ax.set(xlabel="lag T − t, in steps", ylabel="2-norm of dh_T / dh_t")
        ax.axhline(1, color="gray", lw=1)
        ax.plot(lags, norms[:, 0], "C1", ls="--", lw=2, label="identity: powers of W_hh")
        ax.plot(lags, norms[:, 1], "C0", lw=2.5, label="tanh: slopes and W_hh in turn")
        ax.legend(loc="upper left")

    def describe(gain, strength):
        norms, mean_slope = _chain_norms(gain, strength)
        identity, tanh = norms[-1]
        return (
            f"Weight scale {gain:.1f}, mean slope {mean_slope:.2f}. After {STEPS} steps the "
            f"identity chain has {_trend(identity)} and the tanh chain has {_trend(tanh)}."
        )

    return explore(
        draw,
        name="jacobian-chain",
        describe=describe,
        gain=("weight scale", [round(0.4 + 0.1 * k, 1) for k in range(27)]),
        strength=("input strength", [0.0, 0.5, 1.0, 1.5]),
        start={"gain": 1.5, "strength": 0.5},
        play="gain",
        size=(5.2, 3.3),
    )


@cache
def _pulled_out_errors(n: int, gain: float, kind: str) -> np.ndarray:
    """Relative difference of the interleaved and the pulled-out product for lags 0..LAGS."""
    W_hh, H = _network(n, gain, LAGS + 1, 0.5, kind)
    slope, T = 1 - H**2, LAGS + 1
    errors = []
    interleaved = np.diag(slope[T])
    slopes, power = slope[T], np.eye(n)
    for t in range(T, 0, -1):
        pulled_out = slopes[:, None] * power
        size = np.linalg.norm(interleaved) + np.linalg.norm(pulled_out)
        errors.append(np.linalg.norm(interleaved - pulled_out) / size)
        interleaved = interleaved @ (W_hh * slope[t - 1])
        slopes, power = slopes * slope[t - 1], power @ W_hh
    return np.round(errors, 6)


def pulled_out_error() -> Explore:
    """The error of the product with the factors pulled out in front, against the lag."""
    lags = np.arange(LAGS + 1)

    def draw(ax, n, kind, gain):
        """Error of the pulled-out product

        One curve with dots over the lags 0 to 12. A grey line marks no difference.
        """
        ax.set(xlim=(-0.4, LAGS + 0.4), ylim=(-0.03, 1.03))
        ax.set(xlabel="lag t − j, in steps", ylabel="relative difference")
        ax.axhline(0, color="gray", lw=1)
        ax.plot(lags, _pulled_out_errors(n, gain, kind), "C1", marker="o", lw=2.5, ms=6)

    def describe(n, kind, gain):
        errors = _pulled_out_errors(n, gain, kind)
        units = "1 unit" if n == 1 else f"{n} units"
        if errors.max() == 0:
            return (
                f"With {units} and W_hh {kind} the pulled-out product is exact at every lag: "
                "here the slopes commute with W_hh."
            )
        return (
            f"With {units} and W_hh {kind} the pulled-out product is exact at lag 0 alone: the "
            f"difference is {errors[1]:.2f} at lag 1 and {errors[-1]:.2f} at lag {LAGS}."
        )

    return explore(
        draw,
        name="pulled-out-error",
        describe=describe,
        n=("number of units n", [1, 2, 3, 4, 8, 16]),
        kind=("W_hh is", ["generic", "symmetric", "diagonal", "multiple of I"]),
        gain=("weight scale", [0.5, 0.75, 1.0, 1.25, 1.5, 2.0]),
        start={"n": 3, "kind": "generic", "gain": 1.0},
        play="n",
        size=(5.2, 3.3),
    )
