"""The explorable figures of chapter 12, "Memory for time"."""

from __future__ import annotations

from functools import cache
from math import nan

from matplotlib.patches import Rectangle

from bptt.checkpoint import classical_forward_steps, fewest_forward_steps, schedule
from bptt.explore import Explore, explore

LENGTHS = [5, 10, 15, 20]
SLOTS = [2, 3, 4, 6, 10, 20]
MOST_CALLS = fewest_forward_steps(LENGTHS[-1], SLOTS[0])


@cache
def _events(T: int, slots: int) -> tuple[list, list, list]:
    """Sweeps (call, from, to), bars of stored states (state, from call, to call), uses."""
    calls, sweeps, stored, bars, uses = 0, [], {0: 0}, [], []
    for sweep in schedule(T, slots):
        sweeps.append((calls, sweep.start, sweep.stop))
        stored |= {t: calls + t - sweep.start for t in sweep.kept}
        calls += sweep.stop - sweep.start
        for t in range(sweep.stop, sweep.first - 1, -1):
            uses.append((calls, t))
            if t in stored:
                bars.append((t, stored.pop(t), calls))
    return sweeps, bars, uses


def _calls_at(T: int, slots: int, part: int) -> int:
    """How many calls have been made when ``part`` percent of them have."""
    return (part * fewest_forward_steps(T, slots) + 50) // 100


def _listed(states: list[int]) -> str:
    return ", ".join(f"h{t}" for t in states)


def store_and_recompute() -> Explore:
    """A schedule with the fewest calls: sweeps, stored states and their use."""

    def draw(ax, T, slots, part):
        """Store and compute again

        The states stand upwards, the calls run to the right. Slanted lines are sweeps forward,
        level bars show how long a state is stored, and dots show where the backward pass uses it. A
        vertical line marks the call reached; what comes later is pale.
        """
        sweeps, bars, uses = _events(T, slots)
        now = _calls_at(T, slots, part)
        ax.set(xlim=(-1, MOST_CALLS + 1), ylim=(-0.8, LENGTHS[-1] + 0.8))
        ax.set(xlabel="calls of the step function", ylabel="state")
        ax.set_yticks([0, 5, 10, 15, 20])
        ax.set_yticklabels([f"h{t}" for t in (0, 5, 10, 15, 20)])
        x = [value for _, begin, end in bars for value in (begin, end, nan)]
        y = [value for t, _, _ in bars for value in (t, t, nan)]
        ax.plot(x, y, "C2", lw=2.5, solid_capstyle="butt")
        x = [v for call, begin, end in sweeps for v in (call, call + end - begin, nan)]
        y = [v for _, begin, end in sweeps for v in (begin, end, nan)]
        ax.plot(x, y, "C0", lw=1.5)
        ax.plot(*zip(*uses, strict=True), "C1", ls="none", marker="o", ms=4)
        future = (now + 0.4, -0.8, MOST_CALLS + 1 - now, LENGTHS[-1] + 1.6)
        ax.add_patch(
            Rectangle(future[:2], future[2], future[3], fc="white", ec="none", alpha=0.8, zorder=3)
        )
        ax.plot([now + 0.4] * 2, [-0.8, LENGTHS[-1] + 0.8], "black", lw=1.5, zorder=4)

    def describe(T, slots, part):
        sweeps, bars, uses = _events(T, slots)
        now, calls = _calls_at(T, slots, part), fewest_forward_steps(T, slots)
        start = f"{T} steps, {slots} slots, {now} of {calls} calls. "
        if part == 100:
            extra = f"{calls - T} more than" if calls > T else "as many as"
            return start + (
                f"Every state has been used: {extra} full backpropagation through time takes. "
                f"The classical count is {classical_forward_steps(T, slots)}."
            )
        stored = sorted(t for t, begin, end in bars if begin <= now < end)
        begin, low, _ = [sweep for sweep in sweeps if sweep[0] <= now][-1]
        used = [t for call, t in uses if call <= now]
        back = f"the backward pass has come down to h{used[-1]}" if used else "nothing is used yet"
        return start + (f"In slots: {_listed(stored)}; working state h{low + now - begin}; {back}.")

    return explore(
        draw,
        name="store-and-recompute",
        describe=describe,
        T=("steps T", LENGTHS),
        slots=("slots m", SLOTS),
        part=("percent of the calls", list(range(0, 101, 10))),
        start={"T": 20, "slots": 4, "part": 100},
        play="part",
        size=(6.4, 3.6),
    )


MOST_SLOTS = 1000
GRID = [1, 2, 3, 4, 5, 7, 10, 14, 20, 30, 44, 50, 64, 100, 200, 300, 500, 700, 1000]
MARKS = [1, 2, 5, 10, 20, 44, 50, 64, 100, 1000]


@cache
def _curve(T: int, count) -> tuple[list, list]:
    """Slots, and calls for each step."""
    slots = [m for m in GRID if m < T] + [T]
    return slots, [round(count(T, m) / T, 4) for m in slots]


def _square_root(T: int) -> int:
    """The fewest states of a schedule with equal segments, about two calls a step."""
    return min(k + -(-T // k) for k in range(1, T + 1))


def memory_against_time() -> Explore:
    """Calls for each step against the number of stored states, for three schedules."""

    def draw(ax, T, slots):
        """What memory buys

        Two falling curves over the number of stored states, both axes in powers of ten: the
        classical schedule dashed, the one with the fewest calls solid. A ring marks the chosen
        number of slots, a square the schedule with equal segments.
        """
        ax.set(xlim=(0.8, 1300), ylim=(0.8, 700), xscale="log", yscale="log")
        ax.set(xlabel="stored states", ylabel="calls for each step")
        ax.set_xticks([1, 10, 100, 1000])
        ax.set_xticklabels(["1", "10", "100", "1000"])
        ax.set_yticks([1, 2, 10, 100])
        ax.set_yticklabels(["1", "2", "10", "100"])
        ax.plot(*_curve(T, classical_forward_steps), "C1", ls="--", lw=2, label="classical")
        ax.plot(*_curve(T, fewest_forward_steps), "C0", lw=2, label="fewest")
        ax.plot([_square_root(T)], [2], "C2", ls="none", marker="s", ms=8, label="square root")
        if slots <= T:
            calls = round(fewest_forward_steps(T, slots) / T, 4)
            ax.plot([slots], [calls], "o", ms=12, mfc="none", mec="black", mew=2)
        ax.legend(loc="upper right")

    def describe(T, slots):
        if slots > T:
            return f"{T} steps, {slots} slots: more slots than steps, all states can be kept."
        fewest, classical = fewest_forward_steps(T, slots), classical_forward_steps(T, slots)
        words = "slot" if slots == 1 else "slots"
        return (
            f"{T} steps, {slots} {words}: {fewest} calls, {fewest / T:.2f} for each step; the "
            f"classical count is {classical}, {classical / T:.2f} for each. Equal segments need "
            f"{_square_root(T)} states for 2 calls a step."
        )

    return explore(
        draw,
        name="memory-against-time",
        describe=describe,
        T=("steps T", [100, 300, 1000]),
        slots=("slots m", MARKS),
        start={"T": 1000, "slots": 50},
        play="slots",
        size=(6.4, 3.4),
    )
