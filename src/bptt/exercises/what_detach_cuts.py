"""Exercises of chapter 10, "Truncation, and what detach cuts", with the wrong answers given."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

import torch
from torch import Tensor

from bptt.exercises.engine import Exercise, Mistake
from bptt.rnn import RNN

CHAPTER = "chapter 10, Truncation, and what detach cuts"

Keeps = Callable[[int, int], bool]  # (t, j) -> whether the pair of loss t and use j survives


# ---- 1. the table, by hand -----------------------------------------------------------------

_W, _H = 3, (2, 2, -1, 3, 1)  # h_0 ... h_4


def _sum_of_pairs(keeps: Keeps, shift: int = 0, extra: int = 0) -> float:
    """The pairs that survive; ``shift`` takes a wrong state, ``extra`` a wrong power."""
    states = (*_H, 4)  # the last one is h_5, which no weight met
    return float(
        sum(
            _W ** (t - j + extra) * states[j - 1 + shift]
            for t in range(1, 6)
            for j in range(1, t + 1)
            if keeps(t, j)
        )
    )


def _blocks(K: int) -> Keeps:
    return lambda t, j: (t - 1) // K == (j - 1) // K


def _window(K: int) -> Keeps:
    return lambda t, j: t - j < K


def _general(k1: int, k2: int) -> Keeps:
    return lambda t, j: j > k1 * ceil(t / k1) - k2


def _by_hand(first: int = 1, **options: int) -> dict[str, float]:
    """All four sums; uses before ``first`` are left out."""
    schemes = {
        "full": _window(5),
        "blocks": _blocks(2),
        "window": _window(2),
        "general": _general(2, 3),
    }
    return {
        name: _sum_of_pairs(lambda t, j, keeps=keeps: j >= first and keeps(t, j), **options)
        for name, keeps in schemes.items()
    }


_PAIRS = _by_hand()

by_hand = Exercise(
    "what_detach_cuts.by_hand",
    chapter=CHAPTER,
    returns=dict.fromkeys(_PAIRS, "()"),
    reference=_PAIRS,
    tolerance=2e-3,
    mistakes=[
        Mistake(
            "blocks and window exchanged",
            _PAIRS | {"blocks": _PAIRS["window"], "window": _PAIRS["blocks"]},
            "blocks and window are exchanged. In a window every loss sees two steps; in blocks "
            "the losses of steps 1, 3 and 5 see their own step alone.",
            "Blocks and windows",
        ),
        Mistake(
            "blocks taken for windows",
            _PAIRS | {"blocks": _PAIRS["window"]},
            "for the blocks you gave every loss two steps. The first loss of a block sees its own "
            "step alone; the cut lies just before it.",
            "Blocks and windows",
        ),
        Mistake(
            "window counted from the lag",
            _PAIRS | {"window": _sum_of_pairs(_window(3))},
            "your window reaches to lag 2, which is three steps. A window of 2 holds the loss's "
            "own step and one before it.",
            "Blocks and windows",
        ),
        Mistake(
            "window of the own step alone",
            _PAIRS | {"window": _sum_of_pairs(_window(1))},
            "your window holds the loss's own step alone, the diagonal of the table. A window of 2 "
            "holds one step before it, too.",
            "Blocks and windows",
        ),
        Mistake(
            "use at step 1 left out",
            _by_hand(first=2),
            "the first column is missing everywhere: the use at step 1 met h_0, which is given "
            "and is not zero.",
            "Every loss with every use",
        ),
        Mistake(
            "blocks begin at step 2",
            _PAIRS | {"blocks": _sum_of_pairs(lambda t, j: t // 2 == j // 2)},
            "your blocks are step 1, steps 2 and 3, steps 4 and 5. The first cut comes after two "
            "steps: 1 and 2, 3 and 4, 5.",
            "Blocks and windows",
        ),
        Mistake(
            "three steps for every loss",
            _PAIRS | {"general": _sum_of_pairs(_window(3))},
            "for k1 = 2, k2 = 3 you gave every loss three steps. That is the depth of the last "
            "loss of its group only; the first one sees two.",
            "Blocks and windows",
        ),
        Mistake(
            "two steps for every loss",
            _PAIRS | {"general": _PAIRS["window"]},
            "for k1 = 2, k2 = 3 you gave every loss two steps. The last loss of a group sees "
            "three, where there are so many; the first one sees two.",
            "Blocks and windows",
        ),
        Mistake(
            "the last group of its own size",
            _PAIRS | {"general": _sum_of_pairs(lambda t, j: j > min(5, 2 * ceil(t / 2)) - 3)},
            "you let the last group end at step 5, so its loss sees three steps. Its place in the "
            "group is the first one, and the group would end at step 6.",
            "Blocks and windows",
        ),
        Mistake(
            "losses counted twice",
            _PAIRS | {"general": _PAIRS["general"] + _sum_of_pairs(lambda t, j: t == j == 2)
                      + _sum_of_pairs(lambda t, j: t == j == 4)},
            "each time you went back three steps you counted every loss on the way. The losses of "
            "the group before were counted already.",
            "Blocks and windows",
        ),
        Mistake(
            "h_t for h_{t-1}",
            _by_hand(shift=1),
            "every cell holds the state that step j produced, h_j. The weight met h_{j-1}.",
            "Every loss with every use",
        ),
        Mistake(
            "one weight too many",
            _by_hand(extra=1),
            "every cell has one factor w too many. The use at step j is itself not a factor; "
            "t - j later ones are.",
            "Every loss with every use",
        ),
    ],
    hints=(
        "Draw the table: a row for each loss, a column for each use, 15 cells.",
        "A cell is w to the power of the lag, times the state that the use met. Then mark, for "
        "each scheme, which cells survive.",
        'The rule is eq-cut-general, in "Blocks and windows", with eq-cut-hand for the cells.'
        ' See "Every loss with every use".',
    ),
    insight="Four gradients from one table: a truncation only chooses cells.",
)  # fmt: skip


# ---- 2. find the mistake: blocks taken for windows ------------------------------------------


def _network(n: int, q: int, T: int, seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    rnn = RNN(normal(n, 2), normal(n, n) / n**0.5, normal(q, n))
    H = rnn(normal(T, 1, 2), normal(1, n)).H[:, 0]
    return {"W_hh": rnn.W_hh, "W_qh": rnn.W_qh, "H": H, "dO": normal(T, q)}


def _gradient(
    W_hh: Tensor, W_qh: Tensor, H: Tensor, dO: Tensor, K: int, *, depth=None, slope_from: int = 1,
    back_slope_from: int | None = None, slopes: str = "all", met: int = 0, transpose: bool = True,
    losses: str = "all", first: int = 1,
) -> Tensor:  # fmt: skip
    """dL/dW_hh with ``depth(t, K)`` steps for the loss of step t; options make the mistakes."""
    T, total = len(dO), torch.zeros_like(W_hh)
    back = W_hh.T if transpose else W_hh
    for t in range(1, T + 1) if losses == "all" else (T,):
        adjoint = W_qh.T @ dO[t - 1]
        steps = min(t, K if depth is None else depth(t, K))
        for j in range(t, max(t - steps, first - 1), -1):
            row = j - 1 + (slope_from if j == t or back_slope_from is None else back_slope_from)
            if slopes == "all" or (slopes == "own step" and j == t):
                adjoint = (1 - H[row] ** 2) * adjoint
            total += torch.outer(adjoint, H[j - 1 + met])
            adjoint = back @ adjoint
    return total


def _gradient_with(**options) -> Callable[..., Tensor]:
    return lambda W_hh, W_qh, H, dO, K: _gradient(W_hh, W_qh, H, dO, K, **options)


def _blocks_from_the_end(W_hh, W_qh, H, dO, K) -> Tensor:
    T = len(dO)
    return _gradient(W_hh, W_qh, H, dO, K, depth=lambda t, K: K - (T - t) % K)


def _all_losses_of_each_window(W_hh, W_qh, H, dO, K) -> Tensor:
    """Full BPTT inside each of the T windows, so that a loss counts in all that contain it."""
    total = torch.zeros_like(W_hh)
    for end in range(1, len(dO) + 1):
        begin = max(0, end - K)
        inside = H[begin : end + 1], dO[begin:end]
        total += _gradient(W_hh, W_qh, *inside, K)
    return total


window_gradient = Exercise(
    "what_detach_cuts.window_gradient",
    chapter=CHAPTER,
    returns={"dW_hh": "(n, n)"},
    reference=_gradient_with(),
    cases=[
        _network(n=3, q=2, T=9, seed=101) | {"K": 3},
        _network(n=2, q=3, T=7, seed=102) | {"K": 1},
        _network(n=4, q=2, T=5, seed=103) | {"K": 8},
        _network(n=3, q=4, T=8, seed=104) | {"K": 5},
    ],
    mistakes=[
        Mistake(
            "blocks taken for windows",
            _gradient_with(depth=lambda t, K: (t - 1) % K + 1),
            "these are blocks: the history is cut every K steps for all losses at once, so the "
            "first loss after a cut sees its own step alone. A window moves along with the loss.",
            "Blocks and windows",
        ),
        Mistake(
            "blocks that begin one step later",
            _gradient_with(depth=lambda t, K: t % K + 1),
            "these are blocks, and their cuts lie one step early: K - 1 steps before the first "
            "cut. A window moves along with the loss.",
            "Blocks and windows",
        ),
        Mistake(
            "blocks counted from the end",
            _blocks_from_the_end,
            "these are blocks, and their cuts are counted from the end of the sequence. Each loss "
            "should have a beginning of its own, not each group of K losses.",
            "Blocks and windows",
        ),
        Mistake(
            "own step alone",
            _gradient_with(depth=lambda t, K: 1),
            "each loss sees its own step alone, whatever K is: nothing goes back over the step "
            "before.",
            "Blocks and windows",
        ),
        Mistake(
            "each loss in every window",
            _all_losses_of_each_window,
            "you took all losses inside each window, so a loss counts once for each window that "
            "contains it. Each window belongs to its last loss.",
            "Blocks and windows",
        ),
        Mistake(
            "use at step 1 left out",
            _gradient_with(first=2),
            "the use at step 1 is missing. It met h_0, which is not zero.",
            "Every loss with every use",
        ),
        Mistake(
            "one step too many",
            _gradient_with(depth=lambda t, K: K + 1),
            "each loss sees K + 1 steps: you counted K steps before its own. The window includes "
            "the loss's own step.",
            "Blocks and windows",
        ),
        Mistake(
            "one step too few",
            _gradient_with(depth=lambda t, K: K - 1),
            "each loss sees K - 1 steps: the last step of the window is missing.",
            "Blocks and windows",
        ),
        Mistake(
            "no truncation",
            _gradient_with(depth=lambda t, K: t),
            "nothing is cut: this is the full gradient.",
            "Every loss with every use",
        ),
        Mistake(
            "last loss alone",
            _gradient_with(losses="last"),
            "only the loss of step T counts. Each step has a loss, and each loss a window.",
            "Two short algorithms",
        ),
        Mistake(
            "tanh' forgotten",
            _gradient_with(slopes="none"),
            "no slope appears: the adjoint must be multiplied by 1 - h_j^2 at each step j that it "
            "passes.",
            "Every loss with every use",
        ),
        Mistake(
            "no slope on the way back",
            _gradient_with(slopes="own step"),
            "the slope of the loss's own step is there, but on the way back no slope appears. "
            "Every step that the adjoint reaches has one.",
            "Every loss with every use",
        ),
        Mistake(
            "slope of the step just left",
            _gradient_with(back_slope_from=2),
            "on the way back from step j to step j - 1 you multiplied by the slope of step j, "
            "which the adjoint has passed already. Step j - 1 has its own.",
            "Every loss with every use",
        ),
        Mistake(
            "slope at h_{t-1}",
            _gradient_with(slope_from=0),
            "each slope is taken at the state before its step. The slope of step j is 1 - h_j^2.",
            "Every loss with every use",
        ),
        Mistake(
            "h_t for h_{t-1}",
            _gradient_with(met=1),
            "the adjoint of step j is paired with h_j. The weight met h_{j-1}.",
            "Every loss with every use",
        ),
        Mistake(
            "W_hh not transposed",
            _gradient_with(transpose=False),
            "the way back multiplies by W_hh. For columns it needs the transpose.",
            "Every loss with every use",
        ),
    ],
    hints=(
        "Which line makes the colleague's function forget a later loss, and for which losses is "
        "that too early?",
        "Give each loss a loop of its own: begin with W_qh^T dL/do_t, and go back at most K "
        "steps, j = t, t-1, ..., and never below 1.",
        'The equation is eq-cut-window, in "Two short algorithms".',
    ),
    insight="A window belongs to a loss; a block belongs to the clock.",
)


# ---- 3. the general rule ---------------------------------------------------------------------


def _table(steps: Tensor, keeps: Keeps) -> Tensor:
    rows = [[float(keeps(t, j)) for j in steps.tolist()] for t in steps.tolist()]
    return torch.tensor(rows, dtype=torch.float64)


def _table_with(rule: Callable[[int, int], Keeps]) -> Callable[..., Tensor]:
    return lambda steps, k1, k2: _table(steps, lambda t, j: j <= t and rule(k1, k2)(t, j))


def _ending_with_the_sequence(steps: Tensor, k1: int, k2: int) -> Tensor:
    T = len(steps)
    return _table(steps, lambda t, j: t >= j > min(T, k1 * ceil(t / k1)) - k2)


def _steps(T: int, k1: int, k2: int) -> dict[str, Tensor | int]:
    return {"steps": torch.arange(1, T + 1), "k1": k1, "k2": k2}


survivors = Exercise(
    "what_detach_cuts.survivors",
    chapter=CHAPTER,
    returns={"M": "(T, T)"},
    reference=_table_with(_general),
    cases=[
        _steps(T=9, k1=2, k2=5),
        _steps(T=7, k1=3, k2=3),
        _steps(T=8, k1=1, k2=4),
        _steps(T=5, k1=4, k2=11),
        _steps(T=10, k1=3, k2=4),
    ],
    mistakes=[
        Mistake(
            "windows of k2",
            _table_with(lambda k1, k2: _window(k2)),
            "every loss has depth k2. Only the last loss of a group sees so far: the others "
            "come before the end of the group, and the way back is counted from that end.",
            "Blocks and windows",
        ),
        Mistake(
            "blocks of k1",
            _table_with(lambda k1, k2: _blocks(k1)),
            "you cut between the groups of k1 steps. The way back is k2 steps long and may pass "
            "from one group into others.",
            "Blocks and windows",
        ),
        Mistake(
            "blocks of k2",
            _table_with(lambda k1, k2: _blocks(k2)),
            "these are blocks of k2 steps. Every k1 steps there is a new way back, and it starts "
            "at the end of the newest group.",
            "Blocks and windows",
        ),
        Mistake(
            "rounded down",
            _table_with(lambda k1, k2: lambda t, j: j > k1 * (t // k1) - k2),
            "you rounded t / k1 down: that is the end of a group that is already complete. The "
            "loss of step t waits for the end of its own group, so round up.",
            "Blocks and windows",
        ),
        Mistake(
            "rounded down, one group added",
            _table_with(lambda k1, k2: lambda t, j: j > k1 * (t // k1 + 1) - k2),
            "you rounded t / k1 down and added 1. Where k1 divides t, the step is the last of its "
            "own group, and your end is that of the next one.",
            "Blocks and windows",
        ),
        Mistake(
            "loss and use counted from 0",
            _table_with(lambda k1, k2: lambda t, j: j - 1 > k1 * ceil((t - 1) / k1) - k2),
            "you put t - 1 and j - 1 into the rule. It counts both from 1; only the rows and "
            "columns of the tensor begin at 0.",
            "Blocks and windows",
        ),
        Mistake(
            "loss counted from 0",
            _table_with(lambda k1, k2: lambda t, j: j > k1 * ceil((t - 1) / k1) - k2),
            "you put t - 1 into the rule in the place of t. The first loss of each group after "
            "the first then waits for the end of the group before.",
            "Blocks and windows",
        ),
        Mistake(
            "windows of k1",
            _table_with(lambda k1, k2: _window(k1)),
            "every loss has depth k1. That is how often there is a new way back; how far it goes "
            "is k2, counted from the end of the group.",
            "Blocks and windows",
        ),
        Mistake(
            "k1 and k2 exchanged",
            _table_with(lambda k1, k2: _general(k2, k1)),
            "k1 and k2 are exchanged: your groups have k2 steps, and the way back k1.",
            "Blocks and windows",
        ),
        Mistake(
            "one step too many",
            _table_with(lambda k1, k2: lambda t, j: j >= k1 * ceil(t / k1) - k2),
            "one use too many survives in each row where there are enough steps. From the end e, "
            "k2 steps are e, e - 1, ..., e - k2 + 1.",
            "Blocks and windows",
        ),
        Mistake(
            "transposed",
            lambda steps, k1, k2: _table_with(_general)(steps, k1, k2).T.clone(),
            "rows and columns are exchanged: row t - 1 belongs to the loss of step t, column j - 1 "
            "to the use at step j.",
            "Every loss with every use",
        ),
        Mistake(
            "uses after the loss",
            lambda steps, k1, k2: _table(steps, _general(k1, k2)),
            "your table lets losses see uses that come later than they do. Only j up to t can "
            "reach the loss of step t.",
            "Every loss with every use",
        ),
        Mistake(
            "the last group of its own size",
            _ending_with_the_sequence,
            "you let an incomplete last group end at step T. Its losses have their usual "
            "positions, so the way back is counted from where the group would end.",
            "Blocks and windows",
        ),
    ],
    hints=(
        "For each t find the end of its group: the smallest multiple of k1 that is at least t.",
        "-(-t // k1) rounds t / k1 up. Row t - 1, column j - 1 is 1 if j is at most t and greater "
        "than that end minus k2.",
        'The rule is eq-cut-general, in "Blocks and windows".',
    ),
    insight="Two numbers describe the table: how often you go back, and how far.",
)


# ---- 4. what remains of the state ------------------------------------------------------------

_OUTCOMES = ("both", "value", "nothing", "error")
_REMAINS = {
    "h = h.detach()": "value",
    "h.detach()": "both",
    "h = torch.zeros_like(h)": "nothing",
    "h = h * 1.0": "both",
    "h.detach_(), then w * h": "value",
    "h + 1 recorded, then h.detach_()": "both",
    "w * h recorded, then h.detach_()": "error",
    "h = h.clone()": "both",
}


def _flipped(name: str, answer: str) -> dict[str, str]:
    return _REMAINS | {name: answer}


what_remains = Exercise(
    "what_detach_cuts.what_remains",
    chapter=CHAPTER,
    returns=dict.fromkeys(_REMAINS, "()"),
    reference=_REMAINS,
    options=_OUTCOMES,
    mistakes=[
        Mistake(
            "detach taken for a reset",
            _flipped("h = h.detach()", "nothing"),
            "the new tensor shares the numbers of the old one. Only its history is gone; the "
            "network goes on from the same state.",
            "detach, detach_ and zero",
        ),
        Mistake(
            "detach taken for a copy",
            _flipped("h = h.detach()", "both"),
            "the name h now stands for the tensor that detach has returned, and the next step "
            "uses this one. It has no history.",
            "detach, detach_ and zero",
        ),
        Mistake(
            "product with 1 taken for a cut",
            _flipped("h = h * 1.0", "value"),
            "a new tensor is not a tensor without a history: autograd records the product, and "
            "its record leads back to the old h.",
            "detach, detach_ and zero",
        ),
        Mistake(
            "early detach_ taken for an error",
            _flipped("h.detach_(), then w * h", "error"),
            "when detach_ runs, no later step has saved h yet. The product is recorded after "
            "that and saves h as it is by then: backward has nothing to complain about.",
            "detach, detach_ and zero",
        ),
        Mistake(
            "late detach_ taken for an error where nothing was saved",
            _flipped("h + 1 recorded, then h.detach_()", "error"),
            "backward complains about a saved tensor that was detached in place. The derivative "
            "of h + 1 does not depend on h, so the sum has saved nothing.",
            "detach, detach_ and zero",
        ),
        Mistake(
            "the result is dropped",
            _flipped("h.detach()", "value"),
            "detach returns a new tensor and leaves h as it is. If nobody takes the result, "
            "nothing has happened.",
            "detach, detach_ and zero",
        ),
        Mistake(
            "zeroing taken for a cut",
            _flipped("h = torch.zeros_like(h)", "value"),
            "a tensor of zeros has no history, but it has not the old numbers either: the network "
            "has forgotten.",
            "detach, detach_ and zero",
        ),
        Mistake(
            "late detach_ taken for a cut",
            _flipped("h + 1 recorded, then h.detach_()", "value"),
            "the step that uses h was recorded before, together with its way back. Changing h "
            "afterwards does not change the record.",
            "detach, detach_ and zero",
        ),
        Mistake(
            "late detach_ passes unseen",
            _flipped("w * h recorded, then h.detach_()", "both"),
            "w * h has saved h, because the derivative by w is h. When backward wants the saved "
            "tensor it finds it detached in place, and stops.",
            "detach, detach_ and zero",
        ),
        Mistake(
            "late detach_ with a saved value taken for a cut",
            _flipped("w * h recorded, then h.detach_()", "value"),
            "the record cannot be cut afterwards. Here it cannot be used either: w * h has saved "
            "h, and a saved tensor may not be detached in place.",
            "detach, detach_ and zero",
        ),
        Mistake(
            "clone taken for a cut",
            _flipped("h = h.clone()", "value"),
            "a clone has memory of its own, but autograd records the copying: the way back leads "
            "through it.",
            "detach, detach_ and zero",
        ),
        Mistake(
            "in place taken for out of place",
            _flipped("h.detach_(), then w * h", "both"),
            "detach_ changes h itself, and the product is recorded after that. It finds a tensor "
            "without a history.",
            "detach, detach_ and zero",
        ),
    ],
    hints=(
        "Two questions each time: which numbers does the next step see? And does its record lead "
        "back to the steps before?",
        "A record is made when an operation runs. What happens to a tensor later cannot change "
        "the record, but it can make it unusable.",
        "What the history is worth is the table of eq-cut-table: a cut takes cells out of it; see "
        '"detach, detach_ and zero".'
        ' See "Every loss with every use".',
    ),
    insight="detach keeps the value and drops the history, and only for those who come after it.",
)


# ---- 5. find the mistake: the snippet that counts twice --------------------------------------


def _chain(w: float, x0: float, steps: int) -> list[float]:
    """What the snippet finds after each step: leaves whose gradients are never cleared."""
    states = [w**t * x0 for t in range(steps)]  # what the weight met at each step
    leaves, found = [0.0] * steps, []
    for t in range(steps):
        total, handed_on = 0.0, 1.0
        for j in range(t, -1, -1):
            total += handed_on * states[j]
            leaves[j] += handed_on * w
            handed_on = leaves[j]
        found.append(total)
    return found


_SNIPPET = _chain(2.0, 3.0, 4)
_TWICE = {
    "right, round 3": 3 * 4.0 * 3,
    "snippet, round 3": _SNIPPET[2],
    "leaf of step 2": 2.0 + 4.0,
    "first wrong round": 3.0,
}

counted_twice = Exercise(
    "what_detach_cuts.counted_twice",
    chapter=CHAPTER,
    returns=dict.fromkeys(_TWICE, "()"),
    reference=_TWICE,
    tolerance=2e-3,
    mistakes=[
        Mistake(
            "the snippet taken for right",
            _TWICE | {"snippet, round 3": 36.0},
            "for the snippet you handed on what a fresh leaf would hold. backward adds to .grad, "
            "and the leaf of step 2 still holds what round 2 left there.",
            "The snippet that counts twice",
        ),
        Mistake(
            "fresh leaf",
            _TWICE | {"snippet, round 3": 36.0, "leaf of step 2": 4.0},
            "you cleared the leaves after each round. That is the repair; the snippet does not do "
            "it.",
            "The snippet that counts twice",
        ),
        Mistake(
            "the last leaf doubled as well",
            _TWICE | {"snippet, round 3": 12.0 + 2 * 12.0 + (2.0 + 2 * 4.0) * 3.0},
            "you doubled what the leaf of step 3 hands on. It is new in round 3 and holds 2 "
            "alone; only older leaves have something left over.",
            "The snippet that counts twice",
        ),
        Mistake(
            "the weight's gradient not cleared",
            _TWICE | {"snippet, round 3": sum(_SNIPPET[:3])},
            "you added up the rounds. The gradient of the weight is cleared before each round; "
            "that of the leaves is not.",
            "The snippet that counts twice",
        ),
        Mistake(
            "the whole leaf counted on top",
            _TWICE | {"snippet, round 3": 36.0 + (2.0 + 4.0) * 3.0},
            "your number exceeds the right derivative by all that the leaf of step 2 hands on in "
            "round 3. Too much is only the part that round 2 left there.",
            "The snippet that counts twice",
        ),
        Mistake(
            "wrong from round 1 on",
            _TWICE | {"first wrong round": 1.0},
            "in round 1 there is one step with one leaf, and nothing is handed on. The round is "
            "right.",
            "The snippet that counts twice",
        ),
        Mistake(
            "leaf with the old value alone",
            _TWICE | {"leaf of step 2": 2.0},
            "the leaf of step 2 holds 2 from round 2, and round 3 adds what the leaf of step 3 "
            "hands on, times the weight.",
            "The snippet that counts twice",
        ),
        Mistake(
            "wrong from round 2 on",
            _TWICE | {"first wrong round": 2.0},
            "in round 2 the leaf of step 2 is new, and the leaf of step 1 hands nothing on. "
            "The round is right.",
            "The snippet that counts twice",
        ),
        Mistake(
            "two uses, or the state itself",
            _TWICE | {"right, round 3": 24.0},
            "for the right derivative you gave the number that two of the weight's uses make "
            "together; it is also the state x_3 itself. Count every use up to x_3.",
            "Every loss with every use",
        ),
        Mistake(
            "last use only",
            _TWICE | {"right, round 3": 12.0},
            "for the right derivative you counted the last use of the weight alone.",
            "Every loss with every use",
        ),
    ],
    hints=(
        "The states are 3, 6, 12, 24. Write down, round by round, what each leaf's .grad holds "
        "at the end.",
        "Round 3: the newest step adds x_2 to the weight's gradient and 2 to the leaf of step 3. "
        "That leaf's .grad goes to step 2, and so on.",
        'Both sums are in eq-cut-double, in "The snippet that counts twice".',
    ),
    insight="backward adds; whoever hands a gradient on must clear it, or hands it on again.",
)


# ---- 6. depths and shares, derived -----------------------------------------------------------

_DEPTHS = {
    "blocks of 35": 18.0,
    "random windows of 32": 16.5,
    "k1 = 10, k2 = 40": 35.5,
    "blocks of 32, T = 100": (3 * (32 * 33 / 2) + 4 * 5 / 2) / 100,
    "window of 3, T = 10": 2.7,
    "share of lag 10, blocks of 35": 25 / 35,
}

depths = Exercise(
    "what_detach_cuts.depths",
    chapter=CHAPTER,
    returns=dict.fromkeys(_DEPTHS, "()"),
    reference=_DEPTHS,
    tolerance=2e-3,
    mistakes=[
        Mistake(
            "blocks taken for windows",
            _DEPTHS
            | {"blocks of 35": 35.0, "random windows of 32": 32.0, "k1 = 10, k2 = 40": 40.0},
            "you gave every loss the depth of the last one in its block, window or group. The "
            "others see less.",
            "Blocks and windows",
        ),
        Mistake(
            "positions counted from 0",
            _DEPTHS | {"blocks of 35": 17.0, "random windows of 32": 15.5},
            "you averaged the lags, 0 to K - 1. The depth counts the loss's own step too, so it "
            "goes from 1 to K.",
            "Blocks and windows",
        ),
        Mistake(
            "half the length",
            _DEPTHS | {"blocks of 35": 17.5, "random windows of 32": 16.0},
            "you took K / 2. The mean of 1 and K is (K + 1) / 2.",
            "Blocks and windows",
        ),
        Mistake(
            "short block forgotten",
            _DEPTHS | {"blocks of 32, T = 100": 16.5},
            "100 steps hold three blocks of 32 and one of 4, whose losses see 1 to 4 steps.",
            "Blocks and windows",
        ),
        Mistake(
            "mean of the blocks' means",
            _DEPTHS | {"blocks of 32, T = 100": (3 * 16.5 + 2.5) / 4},
            "you averaged the four blocks alike. The mean is over losses, and the last block has "
            "only 4 of the 100.",
            "Blocks and windows",
        ),
        Mistake(
            "window at the start",
            _DEPTHS | {"window of 3, T = 10": 3.0},
            "the first two losses cannot see three steps: there are only one and two.",
            "Blocks and windows",
        ),
        Mistake(
            "sign of the correction",
            _DEPTHS | {"k1 = 10, k2 = 40": 44.5},
            "the first loss of a group sees fewer steps than k2, not more: subtract (k1 - 1) / 2.",
            "Blocks and windows",
        ),
        Mistake(
            "half the group subtracted",
            _DEPTHS | {"k1 = 10, k2 = 40": 35.0},
            "you subtracted k1 / 2 from k2. The last loss of a group sees k2 steps and the first "
            "one k1 - 1 fewer: the mean lies halfway between.",
            "Blocks and windows",
        ),
        Mistake(
            "share counted with the lag",
            _DEPTHS | {"share of lag 10, blocks of 35": 24 / 35},
            "a loss at position r sees lags 0 to r - 1. So lag 10 needs r of at least 11: "
            "25 positions.",
            "What happens to the state at a cut",
        ),
        Mistake(
            "the share that is lost",
            _DEPTHS | {"share of lag 10, blocks of 35": 10 / 35},
            "that is the share of the losses that do not see lag 10.",
            "What happens to the state at a cut",
        ),
    ],
    hints=(
        "Add 1 + 2 + ... + K to K + ... + 2 + 1, column by column.",
        "With k1 and k2 a loss at position r sees r + k2 - k1 steps. In a full block lag k is seen "
        "from the positions k + 1 to K.",
        "The formulas are eq-cut-mean-depth, eq-cut-depth and eq-cut-share; the others need a sum "
        "of your own."
        ' See "Blocks and windows" and "What happens to the state at a cut".',
    ),
    insight="The number that a loop calls its length is its greatest depth, not its mean.",
)
