"""The explorable figure of chapter 5, "BPTT for the linear network"."""

from __future__ import annotations

from functools import cache

from matplotlib.patches import Rectangle

from bptt.explore import Explore, explore

LONGEST = 5  # steps in the largest table
BARS = (7.2, 8.5, 9.8, 11.1)  # where the bars stand, right of the table
FLOOR, UNIT = LONGEST + 0.5, 1.5  # y of their feet, and the height that means "the gradient"
PAIRINGS = {  # the factors of L and of h_t: upright d counts every path, curly ∂ one formula
    "total×immediate": "d · ∂",
    "direct×total": "∂ · d",
    "total×total": "d · d",
    "direct×immediate": "∂ · ∂",
}


def _count(pairing: str, lag: int) -> int:
    """How often the pairing counts a path of this lag."""
    return {"total×total": lag + 1, "direct×immediate": int(lag == 0)}.get(pairing, 1)


@cache
def _ratio(pairing: str, T: int, w: float) -> float:
    """The sum that the pairing gives over the gradient; a path of lag k has the value w^k."""
    paths = [(T - lag) * w**lag for lag in range(T)]  # all paths of one lag together
    counted = sum(_count(pairing, lag) * value for lag, value in enumerate(paths))
    return round(counted / sum(paths), 6)


def path_counts() -> Explore:
    """How often each pairing of derivatives counts the path from a use to a loss."""

    def draw_table(ax, pairing, T):
        for j in range(1, T + 1):
            for t in range(j, T + 1):
                count = _count(pairing, t - j)
                face = "none" if count == 0 else "0.85" if count == 1 else "C1"
                ax.add_patch(Rectangle((t - 0.5, j - 0.5), 1, 1, fc=face, ec="0.5", lw=1))
                ink = "white" if count > 1 else "black"
                ax.text(t, j, str(count), color=ink, ha="center", va="center", fontsize=15)
        for step in range(1, T + 1):  # what one product takes together
            row = (step - 0.44, step - 0.44, T - step + 0.88, 0.88)
            column = (step - 0.44, 0.56, 0.88, step - 0.12)
            frame = {"total×immediate": row, "direct×total": column}.get(pairing)
            if frame:
                x, y, width, height = frame
                ax.add_patch(Rectangle((x, y), width, height, fill=False, ec="C0", lw=3))

    def draw_bars(ax, pairing, T, w):
        for x, name in zip(BARS, PAIRINGS, strict=True):
            colour = "C0" if name in ("total×immediate", "direct×total") else "C1"
            ratio = _ratio(name, T, w)
            face = colour if name == pairing else "none"
            ax.bar(x, -UNIT * ratio, 0.8, FLOOR, color=face, ec="black", lw=1.2)
            top = FLOOR - UNIT * ratio - 0.08
            ax.text(x, top, f"{ratio:.2f}", ha="center", va="bottom")
        ax.plot([BARS[0] - 0.6, BARS[-1] + 0.6], [FLOOR - UNIT] * 2, "black", lw=1, ls="--")

    def draw(ax, pairing, T, w):
        """How often each path is counted

        Left, a triangle of cells, a row for each use and a column for each loss, with the count of
        the path between them; frames show what one product takes together. Right, four bars compare
        the sum of each pairing with the gradient, a dashed line.
        """
        ax.set(xlim=(0.4, BARS[-1] + 0.7), ylim=(FLOOR, 0.4), ylabel="use at step j")
        ax.set_xticks([*range(1, LONGEST + 1), *BARS])
        ax.set_xticklabels([*range(1, LONGEST + 1), *PAIRINGS.values()])
        ax.set_yticks(range(1, LONGEST + 1))
        ax.set_xlabel("loss of step t", loc="left")
        ax.text(sum(BARS) / 4, 0.6, "sum ÷ gradient", ha="center", va="center")
        ax.spines[["top", "right"]].set_visible(False)
        draw_table(ax, pairing, T)
        draw_bars(ax, pairing, T, w)

    def describe(pairing, T, w):
        first, second = pairing.split("×")
        ratio = _ratio(pairing, T, w)
        steps = f"{T} {'step' if T == 1 else 'steps'}, w = {w:.1f}".replace("-", "−")
        start = f"{first.capitalize()} × {second}, {steps}"
        if pairing == "total×immediate":
            return f"{start}: each row is one product, and every path counts once: the gradient."
        if pairing == "direct×total":
            return f"{start}: each column is one product, and every path counts once: the gradient."
        if T == 1:
            return f"{start}: there is one path, of lag 0, so every pairing gives the gradient."
        if pairing == "total×total":
            seen = "a path of lag k counts k + 1 times"
        else:
            seen = "paths of lag 0 count once, all others never"
        if w == 0:
            return f"{start}: {seen}. Only lag 0 has a value here, so the sum is right."
        how = "too large" if ratio > 1 else "too small"
        return f"{start}: {seen}. The sum is {ratio:.2f} times the gradient, {how}."

    return explore(
        draw,
        name="path-counts",
        describe=describe,
        pairing=("pairing", list(PAIRINGS)),
        T=("number of steps T", list(range(1, LONGEST + 1))),
        w=("weight w", [-0.8, 0.0, 0.5, 0.8, 1.0, 1.2]),
        start={"pairing": "total×immediate", "T": 5, "w": 1.0},
        play="pairing",
        size=(6.4, 3.6),
    )
