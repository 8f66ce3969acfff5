"""The explorable figure of the textbook's exercises, section 8.7.4."""

from __future__ import annotations

from functools import cache

import numpy as np
from matplotlib.transforms import ScaledTranslation

from bptt.explore import Explore, explore

N = 50  # dimensions
STEPS = 24
SPECTRA = {
    "equal": (1.0, np.full(N - 1, 0.7)),
    "spread": (1.0, np.linspace(0.7, 0.0, N - 1)),
    "negative": (-1.0, np.linspace(0.7, 0.0, N - 1)),
    "close": (1.0, np.linspace(0.95, 0.0, N - 1)),
    "tie": (1.0, np.concatenate([[-1.0], np.linspace(0.7, 0.0, N - 2)])),
}
WORDS = {
    "equal": "λ₁ = 1, all others 0.7",
    "spread": "λ₁ = 1, the others from 0.7 down to 0",
    "negative": "λ₁ = −1, the others from 0.7 down to 0",
    "close": "λ₁ = 1, the others from 0.95 down to 0",
    "tie": "λ₁ = 1, λ₂ = −1, the others from 0.7 down to 0",
}


@cache
def _path(spectrum: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Angles and bounds in degrees for k = 0..STEPS, and the unit vector's first two entries."""
    first, others = SPECTRA[spectrum]
    eigenvalues = np.concatenate([[first], others])
    c = np.random.default_rng(32).normal(size=N)
    powers = eigenvalues ** np.arange(STEPS + 1)[:, None] * c  # row k: coordinates of M^k x
    tangents = np.linalg.norm(powers[:, 1:], axis=1) / np.abs(powers[:, 0])
    bounds = np.abs(others).max() ** np.arange(STEPS + 1) * tangents[0]
    tips = powers[:, :2] / np.linalg.norm(powers, axis=1, keepdims=True)
    # Six decimals keep the stored picture the same on every processor.
    angles, limits = np.degrees(np.arctan([tangents, bounds]))
    return np.round(angles, 6), np.round(limits, 6), np.round(tips, 6)


def turning() -> Explore:
    """A random vector in 50 dimensions, turned step by step by a symmetric matrix."""
    circle = np.linspace(0, 2 * np.pi, 61)

    def draw(ax, spectrum, k):
        """A random vector turns

        Left, on a scale of powers of ten, the angle with v₁ as a solid curve over the steps and its
        bound as a dashed one. Right, the unit circle in the plane of v₁ and v₂, with the vector as
        a hand and the way of its tip over the last steps as a dotted line.
        """
        angles, limits, tips = _path(spectrum)
        ax.set(xlim=(-1, 1.7 * STEPS), ylim=(0.003, 200), yscale="log")
        ax.set_xlabel("steps k", x=0.3)
        ax.set_ylabel("angle with v₁, degrees")
        ax.set_xticks(range(0, STEPS + 1, 6))
        ax.set_yticks([0.01, 0.1, 1, 10, 90], ["0.01", "0.1", "1", "10", "90"])
        ax.minorticks_off()
        ax.plot(limits, "C1", ls="--", lw=2, label="bound")
        ax.plot(angles, "C0", lw=2.5, label="angle")
        ax.plot(k, angles[k], "C0", marker="o", ms=7)
        ax.legend(loc="lower left")
        # Beside the curves the plane of v_1 and v_2, one inch long: the unit vector as seen there.
        ax.axvline(STEPS + 1, color="gray", lw=1)
        plane = ax.figure.dpi_scale_trans + ScaledTranslation(0.812, 0.5, ax.transAxes)
        ax.plot(np.cos(circle), np.sin(circle), color="gray", lw=1, transform=plane)
        ax.plot([-1, 1], [0, 0], color="gray", lw=1, ls=":", transform=plane)
        ax.text(0.93, -0.2, "v₁", ha="right", transform=plane)
        ax.text(0.06, 0.76, "v₂", transform=plane)
        ax.plot(*tips[max(0, k - 5) : k + 1].T, "C1", ls=":", lw=2, transform=plane)
        ax.plot([0, tips[k, 0]], [0, tips[k, 1]], "C0", lw=2.5, transform=plane)
        ax.plot(*tips[k], "C0", marker="o", ms=7, transform=plane)

    def describe(spectrum, k):
        angles, limits, _ = _path(spectrum)
        steps = "1 step" if k == 1 else f"{k} steps"
        seen = f"{WORDS[spectrum]}. After {steps} the angle with v₁ is {_degrees(angles[k])}"
        if spectrum == "tie":
            return f"{seen}. It stops at {_degrees(angles[-1])}: the vector never aligns."
        if spectrum == "equal":
            return f"{seen}, exactly what the bound says."
        return f"{seen}; the bound says at most {_degrees(limits[k])}."

    return explore(
        draw,
        name="turning-vector",
        describe=describe,
        spectrum=("spectrum", list(SPECTRA)),
        k=("steps k", list(range(STEPS + 1))),
        start={"spectrum": "spread", "k": 6},
        play="k",
        size=(6.4, 3.1),
    )


def _degrees(angle: float) -> str:
    return f"{angle:.0f}°" if angle >= 10 else f"{angle:.2g}°"
