"""Draw the picture that other sites show beside a link to the book: book/theme/static/preview.png.

    python tools/preview.py

A recurrent network unrolled over four steps: the states go forward, the gradients come back.
"""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

ROOT = Path(__file__).resolve().parent.parent
PREVIEW = ROOT / "book" / "theme" / "static" / "preview.png"

SIZE, DPI = (12, 6.3), 100  # 1200 by 630 pixels, what the services that show it ask for
PAPER, INK, FORWARD, BACK = "#0b3a66", "white", "#8ecbff", "#ffb37a"
STEPS = 4


def arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], color: str) -> None:
    style = {"arrowstyle": "-|>", "color": color, "lw": 4, "mutation_scale": 24, "shrinkA": 0}
    ax.annotate("", end, start, arrowprops=style)


def draw(ax: Axes) -> None:
    """The picture, on axes that fill the figure and count inches."""
    ax.text(0.7, 4.95, "Backpropagation\nThrough Time", color=INK, fontsize=50, weight="bold",
            va="center", linespacing=1.15)  # fmt: skip
    ax.text(0.7, 3.45, "derived, executed and checked", color=FORWARD, fontsize=26, va="center")
    for step in range(STEPS):
        x = 1.4 + 3 * step
        ax.add_patch(plt.Circle((x, 1.7), 0.6, facecolor=PAPER, edgecolor=INK, lw=4))
        ax.text(x, 1.7, f"$h_{step + 1}$", color=INK, fontsize=32, ha="center", va="center")
        if step + 1 < STEPS:
            arrow(ax, (x + 0.7, 1.95), (x + 2.3, 1.95), FORWARD)
            arrow(ax, (x + 2.3, 1.45), (x + 0.7, 1.45), BACK)


def preview() -> bytes:
    """The picture as a PNG file; the same bytes each time."""
    figure = plt.figure(figsize=SIZE, dpi=DPI, facecolor=PAPER)
    ax = figure.add_axes((0, 0, 1, 1), xlim=(0, SIZE[0]), ylim=(0, SIZE[1]), aspect="equal")
    ax.axis("off")
    draw(ax)
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    plt.close(figure)
    return file.getvalue()


if __name__ == "__main__":
    PREVIEW.write_bytes(preview())
