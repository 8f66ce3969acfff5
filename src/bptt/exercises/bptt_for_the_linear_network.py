"""Exercises of chapter 5, "BPTT for the linear network", with the wrong answers readers gave."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from bptt.exercises.engine import Exercise, Mistake
from bptt.rnn import RNN

CHAPTER = "chapter 5, BPTT for the linear network"

_power = torch.linalg.matrix_power


def _network(n: int, d: int, q: int, T: int, seed: int) -> dict[str, Tensor]:
    """A generic linear network, one sequence long, with a loss at every step."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    rnn = RNN(normal(n, d), normal(n, n) / n**0.5, normal(q, n), activation="identity")
    H = rnn(normal(T, 1, d), normal(1, n)).H[:, 0]  # h_0 is not zero
    return {"W_hh": rnn.W_hh, "W_qh": rnn.W_qh, "H": H, "dO": normal(T, q), "g": normal(n)}


_NETWORKS = (
    _network(3, 2, 4, 7, seed=51),
    _network(4, 3, 2, 5, seed=52),
    _network(2, 1, 3, 1, seed=53),
)


# ---- 1. four pairings by hand --------------------------------------------------------------

_H = (1.0, 2.0, -1.0, 4.0)  # h_0 ... h_3
_DO = (1.0, -2.0, 2.0)  # dL/do_1 ... dL/do_3
_W = 3.0


def _pairings(
    w: float = _W,
    met: Sequence[float] = _H[:3],
    w_back: float = _W,
    adjoint: Sequence[float] | None = None,
) -> dict[str, float]:
    """The four sums; ``w`` carries forward, ``w_back`` carries back, ``met`` is h_{t-1}."""
    total, before = [], 0.0
    for state in met:
        before = state + w * before
        total.append(before)
    if adjoint is None:
        adjoint = _carried(_DO[::-1], w_back)[::-1]

    def pair(left: Sequence[float], right: Sequence[float]) -> float:
        return sum(a * b for a, b in zip(left, right, strict=True))

    return {
        "total_immediate": pair(adjoint, met),
        "direct_total": pair(_DO, total),
        "total_total": pair(adjoint, total),
        "direct_immediate": pair(_DO, met),
    }


def _carried(direct: Sequence[float], w: float) -> list[float]:
    carried, before = [], 0.0
    for value in direct:
        before = value + w * before
        carried.append(before)
    return carried


_RIGHT = _pairings()

by_hand = Exercise(
    "bptt_for_the_linear_network.by_hand",
    chapter=CHAPTER,
    returns=dict.fromkeys(_RIGHT, "()"),
    reference=_RIGHT,
    tolerance=2e-3,
    mistakes=[
        Mistake(
            "h_t for h_{t-1}",
            _pairings(met=_H[1:]),
            "the immediate derivative is taken as h_t. At step t the weight multiplied the state "
            "before it, so it is h_{t-1}: 1, 2, -1.",
            "Two steps, by hand",
        ),
        Mistake(
            "w forgotten",
            _pairings(w=1.0, w_back=1.0),
            "the weight on the way is missing, forward and backward. A path of lag k passes the "
            "weight k times.",
            "Two steps, by hand",
        ),
        Mistake(
            "w forgotten in the total derivative",
            _pairings(w=1.0),
            "the adjoints are right, but the total derivatives add h_{t-1} to dh_{t-1}/dw itself. "
            "The derivative of the step before must pass the weight: h_{t-1} + w dh_{t-1}/dw.",
            "Two steps, by hand",
        ),
        Mistake(
            "w forgotten in the adjoint",
            _pairings(w_back=1.0),
            "the total derivatives are right, but the adjoints add dL/do_t to dL/dh_{t+1} itself. "
            "What comes back must pass the weight: dL/do_t + w dL/dh_{t+1}.",
            "Two steps, by hand",
        ),
        Mistake(
            "adjoints carried forward",
            _pairings(adjoint=_carried(_DO, _W)),
            "the adjoints are collected from step 1 to step 3. A state acts on later losses, so "
            "begin at step 3 and go back.",
            "The adjoint, step by step",
        ),
        Mistake(
            "the two wrong pairings exchanged",
            _RIGHT
            | {
                "total_total": _RIGHT["direct_immediate"],
                "direct_immediate": _RIGHT["total_total"],
            },
            "total times total and direct times immediate are exchanged. Direct and immediate are "
            "the curly ones, which look at one formula alone.",
            "Two steps, by hand",
        ),
        Mistake(
            "divided by T once more",
            {name: value / 3 for name, value in _RIGHT.items()},
            "all four are divided by T = 3. The factor 1/T is inside dL/do_t already.",
            "Two steps, by hand",
        ),
    ],
    hints=(
        "Write down four rows of three numbers first: immediate, total, direct, total adjoint.",
        "Total derivatives from the left: h_{t-1} + w times the one before. Adjoints from the "
        "right: dL/do_t + w times the one after.",
        'Each answer is a sum of three products. Compare eq-linear-hand in "Two steps, by hand".',
    ),
    insight="One total and one other factor: both such sums are the gradient.",
)


# ---- 2. the adjoints -----------------------------------------------------------------------


def _adjoints(
    W_hh: Tensor,
    W_qh: Tensor,
    dO: Tensor,
    *,
    transpose: bool = True,
    future: Callable[[Tensor, Tensor], Tensor] = lambda dH, direct: dH,
    direct_path: bool = True,
    also_own: bool = False,
) -> Tensor:
    """dL/dh_t for t = 1..T; the options make the known mistakes."""
    T = len(dO)
    direct = dO @ W_qh
    back = W_hh.T if transpose else W_hh
    dH = direct.clone()
    for row in reversed(range(T - 1)):
        own = direct[row] if direct_path else torch.zeros_like(direct[row])
        later = future(dH[row + 1], direct[row + 1])
        dH[row] = back @ (later + own) if also_own else back @ later + own
    return dH


def _mistaken_adjoints(**options) -> Callable:
    return lambda W_hh, W_qh, dO: _adjoints(W_hh, W_qh, dO, **options)


def _adjoints_forward(W_hh: Tensor, W_qh: Tensor, dO: Tensor) -> Tensor:
    return _adjoints(W_hh, W_qh, dO.flip(0)).flip(0)


adjoints = Exercise(
    "bptt_for_the_linear_network.adjoints",
    chapter=CHAPTER,
    returns={"dH": "(T, n)"},
    reference=lambda W_hh, W_qh, dO: _adjoints(W_hh, W_qh, dO),
    cases=[{name: net[name] for name in ("W_hh", "W_qh", "dO")} for net in _NETWORKS],
    mistakes=[
        Mistake(
            "W_hh not transposed",
            _mistaken_adjoints(transpose=False),
            "the adjoint goes back through W_hh instead of its transpose. No shape warns you, "
            "because W_hh is square.",
            "The adjoint, step by step",
        ),
        Mistake(
            "future dropped",
            lambda W_hh, W_qh, dO: dO @ W_qh,
            "this is the direct adjoint: each state listens to its own loss alone. It also acts "
            "on all later losses, through h_{t+1}.",
            "The adjoint, step by step",
        ),
        Mistake(
            "direct path dropped",
            _mistaken_adjoints(direct_path=False),
            "only the last loss comes back. Every step has a loss of its own: add "
            "W_qh^T dL/do_t at every t.",
            "The adjoint, step by step",
        ),
        Mistake(
            "own loss sent through W_hh",
            _mistaken_adjoints(also_own=True),
            "before the last step, W_hh^T multiplies the step's own loss, too. Only what comes "
            "from h_{t+1} has passed W_hh.",
            "The adjoint, step by step",
        ),
        Mistake(
            "one step back only",
            _mistaken_adjoints(future=lambda dH, direct: direct),
            "what comes back is the direct adjoint of the next step, so each loss reaches its own "
            "step and the one before, no further. Pass on the total adjoint of the next step.",
            "The expanded sum and its strange index",
        ),
        Mistake(
            "carried forward in time",
            _adjoints_forward,
            "the recursion runs from step 1 to step T. A state acts on later losses, so begin at "
            "step T and go back.",
            "The adjoint, step by step",
        ),
        Mistake(
            "loss of the next step",
            lambda W_hh, W_qh, dO: _adjoints(W_hh, W_qh, torch.cat([dO[1:], dO[-1:]])),
            "each step but the last takes the loss of the next step as its own. In the same row of "
            "dH and dO stands the same step.",
            "The adjoint, step by step",
        ),
        Mistake(
            "divided by T once more",
            lambda W_hh, W_qh, dO: _adjoints(W_hh, W_qh, dO) / len(dO),
            "the adjoints are divided by T. The factor 1/T is inside dL/do_t already.",
            "The adjoint, step by step",
        ),
    ],
    hints=(
        "Begin with the last row: nothing comes after step T.",
        "Go back from row T - 2 to row 0. Each row is W_qh.T @ dO[row] plus W_hh.T times the row "
        "after it.",
        'The equation is eq-linear-recursion, in "The adjoint, step by step".',
    ),
    insight="Two paths leave each state, and the recursion adds them with T - 1 products.",
)


# ---- 3. the expanded sum -------------------------------------------------------------------


def _expanded(
    W_hh: Tensor,
    W_qh: Tensor,
    dO: Tensor,
    t: int,
    *,
    power: Callable[[int, int, int], int] = lambda T, t, i: T - i,
    loss: Callable[[int, int, int], int] = lambda T, t, i: T + t - i,
    first: int = 0,
    last: int = 0,
    transpose: bool = True,
) -> Tensor:
    """dL/dh_t as the sum over i = t+first..T-last; the options make the known mistakes."""
    T = len(dO)
    back = W_hh.T if transpose else W_hh
    total = torch.zeros_like(W_hh[0])
    for i in range(t + first, T + 1 - last):
        total = total + _power(back, power(T, t, i)) @ (W_qh.T @ dO[loss(T, t, i) - 1])
    return total


def _mistaken_expanded(**options) -> Callable:
    return lambda W_hh, W_qh, dO, t: _expanded(W_hh, W_qh, dO, t, **options)


expanded = Exercise(
    "bptt_for_the_linear_network.expanded",
    chapter=CHAPTER,
    returns={"dh": "(n,)"},
    reference=lambda W_hh, W_qh, dO, t: _expanded(W_hh, W_qh, dO, t),
    cases=[
        {name: _NETWORKS[net][name] for name in ("W_hh", "W_qh", "dO")} | {"t": t}
        for net, t in ((0, 3), (1, 1), (1, 5), (2, 1))
    ],
    mistakes=[
        Mistake(
            "loss index not reversed",
            _mistaken_expanded(loss=lambda T, t, i: i),
            "the power T - i meets dL/do_i. In that order the loss of step t itself passes W_hh "
            "most often. Power and distance must fit: either T - i with o_{T+t-i}, or s - t with "
            "o_s.",
            "The expanded sum and its strange index",
        ),
        Mistake(
            "power one too high",
            _mistaken_expanded(power=lambda T, t, i: T - i + 1),
            "every power is one too high: the result is W_hh^T times the right one. The step's "
            "own loss has the power 0.",
            "The expanded sum and its strange index",
        ),
        Mistake(
            "transposes missing",
            _mistaken_expanded(transpose=False),
            "the powers are those of W_hh instead of its transpose.",
            "The adjoint, step by step",
        ),
        Mistake(
            "own loss left out",
            _mistaken_expanded(last=1),
            "the term i = T is missing, which is the loss of step t itself with the power 0. "
            "range(t, T) ends at T - 1.",
            "The expanded sum and its strange index",
        ),
        Mistake(
            "last loss left out",
            _mistaken_expanded(first=1),
            "one term is missing: the loss of the last step, s = T (i = t in the printed "
            "numbering), with the power T - t.",
            "The expanded sum and its strange index",
        ),
        Mistake(
            "rows one too late",
            lambda W_hh, W_qh, dO, t: _expanded(
                W_hh, W_qh, torch.cat([dO[1:], torch.zeros_like(dO[:1])]), t
            ),
            "each power meets the loss of the step after, and the last loss is missing. Row s - 1 "
            "of dO, not row s, belongs to the loss of step s.",
            "The expanded sum and its strange index",
        ),
        Mistake(
            "the same power in every term",
            _mistaken_expanded(power=lambda T, t, i: T - t),
            "every term has the power T - t. That is the way from step T; a loss at step s passes "
            "W_hh only s - t times.",
            "The expanded sum and its strange index",
        ),
        Mistake(
            "divided by T once more",
            lambda W_hh, W_qh, dO, t: _expanded(W_hh, W_qh, dO, t) / len(dO),
            "the sum is divided by T. The factor 1/T is inside dL/do_t already.",
            "The adjoint, step by step",
        ),
    ],
    hints=(
        "Row s - 1 of dO belongs to the loss of step s.",
        "For each loss s = t, ..., T: the matrix power of W_hh.T with exponent s - t, times "
        "W_qh.T, times the row of that loss.",
        'The equations are eq-linear-by-loss and eq-linear-expanded, in "The expanded sum and its '
        'strange index".',
    ),
    insight="The distance to the loss is the power, whichever way the sum is numbered.",
)


# ---- 4. find the mistake: h_j for h_{j-1} --------------------------------------------------


def _state_gradient(
    W_hh: Tensor,
    H: Tensor,
    g: Tensor,
    *,
    shift: int = 1,
    first: int = 1,
    last: int = 0,
    transpose: bool = True,
) -> Tensor:
    """d(g^T h_T)/dW_hh as the sum over j = first..T-last; the options make the mistakes."""
    T = len(H) - 1
    back = W_hh.T if transpose else W_hh
    total = torch.zeros_like(W_hh)
    for j in range(first, T + 1 - last):
        total = total + torch.outer(_power(back, T - j) @ g, H[j - shift])
    return total


def _with_excess(**options) -> Callable:
    """The gradient with its mistake, and the excess of the printed formula over it."""

    def answer(W_hh: Tensor, H: Tensor, g: Tensor) -> dict[str, Tensor]:
        gradient = _state_gradient(W_hh, H, g, **options)
        return {"gradient": gradient, "excess": _state_gradient(W_hh, H, g, shift=0) - gradient}

    return answer


def _sign_swapped(W_hh: Tensor, H: Tensor, g: Tensor) -> dict[str, Tensor]:
    right = _with_excess()(W_hh, H, g)
    return right | {"excess": -right["excess"]}


def _kept(W_hh: Tensor, H: Tensor, g: Tensor) -> dict[str, Tensor]:
    right = _with_excess()(W_hh, H, g)
    return right | {"gradient": right["gradient"] + right["excess"]}


def _printed_for_excess(W_hh: Tensor, H: Tensor, g: Tensor) -> dict[str, Tensor]:
    right = _with_excess()(W_hh, H, g)
    return right | {"excess": right["gradient"] + right["excess"]}


def _outer_swapped(W_hh: Tensor, H: Tensor, g: Tensor) -> dict[str, Tensor]:
    return {name: value.T for name, value in _with_excess()(W_hh, H, g).items()}


repair = Exercise(
    "bptt_for_the_linear_network.repair",
    chapter=CHAPTER,
    returns={"gradient": "(n, n)", "excess": "(n, n)"},
    reference=_with_excess(),
    cases=[{name: net[name] for name in ("W_hh", "H", "g")} for net in _NETWORKS],
    mistakes=[
        Mistake(
            "printed formula kept",
            _kept,
            "the gradient still has h_j. At step j the weight multiplied the state that it found, "
            "h_{j-1}.",
            "Which state did the weight meet?",
        ),
        Mistake(
            "first use left out",
            _with_excess(first=2),
            "the index is right, but the sum begins at j = 2. Step 1 uses the weight on h_0, which "
            "is not zero here.",
            "Which state did the weight meet?",
        ),
        Mistake(
            "last use left out",
            _with_excess(last=1),
            "the index is right, but the sum ends at j = T - 1. The last use of the weight, at "
            "step T, has the power 0.",
            "Which state did the weight meet?",
        ),
        Mistake(
            "upper limit changed, index kept",
            _with_excess(shift=0, last=1),
            "the sum ends at T - 1 and still has h_j. The printed limit was right and the index "
            "wrong, not the other way round.",
            "Which state did the weight meet?",
        ),
        Mistake(
            "transposes dropped",
            _with_excess(transpose=False),
            "the index is right, but the powers lost their transpose. With an adjoint g in the "
            "formula the transposes belong there; in the three-index formula they do not.",
            "The derivative of the state, carried forward",
        ),
        Mistake(
            "transposes dropped, index kept",
            _with_excess(shift=0, transpose=False),
            "the transposes are gone and the state is still h_j. With g in the formula the "
            "transposes were right; look at the state instead.",
            "Which state did the weight meet?",
        ),
        Mistake(
            "printed value for the excess",
            _printed_for_excess,
            "the gradient is right, and the second matrix is the printed value itself. The excess "
            "is what is left of it when you take the right one away.",
            "Which state did the weight meet?",
        ),
        Mistake(
            "outer product swapped",
            _outer_swapped,
            "both matrices are transposed. Entry (a, b) of the gradient belongs to the weight from "
            "unit b to unit a: rows come from g, columns from the state.",
            "The derivative of the state, carried forward",
        ),
        Mistake(
            "sign of the excess",
            _sign_swapped,
            "the gradient is right, and the excess has the opposite sign: it is the printed value "
            "minus the right one.",
            "Which state did the weight meet?",
        ),
    ],
    hints=(
        "Which state did W_hh multiply at step j?",
        "H has T + 1 rows and H[0] is h_0. The excess is the same sum with the difference of two "
        "rows in the place of the state.",
        "The equations are eq-linear-with-adjoint and eq-linear-shifted."
        ' See "The derivative of the state, carried forward" and "Which state did the '
        'weight meet?".',
    ),
    insight="The excess is the same sum with h_j - h_{j-1}; it is zero only if its terms vanish "
    "or cancel.",
)


# ---- 5. a prediction: which sums are the gradient? -----------------------------------------

_EXACT = {
    "total x immediate": True,
    "direct x total": True,
    "total x total, T = 1": True,
    "total x total, T = 2, h_0 = 0": True,
    "total x total, T = 2, h_0 = 0, by W_hx": False,
    "total x total, W_hh symmetric": False,
    "direct x immediate, loss at step T alone": False,
    "total x immediate, tanh": True,
}

_TWO_RIGHT, _TWO_OTHERS = "One table, added in two ways", "The two other pairings"


def _flipped(key: str, diagnosis: str, section: str) -> Mistake:
    return Mistake(key, _EXACT | {key: not _EXACT[key]}, diagnosis, section)


which_equal = Exercise(
    "bptt_for_the_linear_network.which_equal",
    chapter=CHAPTER,
    returns=dict.fromkeys(_EXACT, "()"),
    reference=_EXACT,
    options=(True, False),
    mistakes=[
        _flipped(
            "total x immediate",
            "the rows of the table are added here: all losses for one use, then all uses. Every "
            "path counts once.",
            _TWO_RIGHT,
        ),
        _flipped(
            "direct x total",
            "the columns of the table are added here: all uses for one loss, then all losses. "
            "Every path counts once.",
            _TWO_RIGHT,
        ),
        _flipped(
            "total x total, T = 1",
            "with one step there is one path, of lag 0, and k + 1 is 1.",
            _TWO_OTHERS,
        ),
        _flipped(
            "total x total, T = 2, h_0 = 0",
            "the only path of lag 1 begins with the use at step 1, which met h_0 = 0. It has the "
            "value 0, however often it is counted.",
            _TWO_OTHERS,
        ),
        _flipped(
            "total x total, T = 2, h_0 = 0, by W_hx",
            "the path of lag 1 begins with x_1 when the weight is W_hx. h_0 = 0 does not make it "
            "vanish, and it is counted twice.",
            _TWO_OTHERS,
        ),
        _flipped(
            "total x total, W_hh symmetric",
            "symmetry does not change how often a path is counted. One unit is a symmetric case, "
            "and the example by hand gave 15 for 11.",
            _TWO_OTHERS,
        ),
        _flipped(
            "direct x immediate, loss at step T alone",
            "with one loss the last column of the table remains, and direct x immediate keeps the "
            "last use alone. The earlier uses act on this loss as well.",
            _TWO_OTHERS,
        ),
        _flipped(
            "total x immediate, tanh",
            "the step Jacobians take the place of W_hh in every path, and the rows of the table "
            "are added as before.",
            "What the identity loses, and what stays",
        ),
    ],
    hints=(
        "Draw the table of uses and losses for the case, and mark the paths that are zero.",
        "Total x total counts a path of lag k k + 1 times. Are there paths of lag 1 or more that "
        "are not zero?",
        "The equations are eq-linear-two-right, eq-linear-total-total and "
        "eq-linear-direct-immediate."
        ' See "One table, added in two ways" and "The two other pairings".',
    ),
    insight="A wrong pairing is right only where what it counts too often, or leaves out, adds up "
    "to zero.",
)


# ---- 6. the table and its counts, with a proof ---------------------------------------------


def _lags(T: int) -> Tensor:
    """(T, T): t - j in row j - 1 and column t - 1."""
    steps = torch.arange(T, dtype=torch.float64)
    return steps - steps[:, None]


def _table(
    W_hh: Tensor,
    C: Tensor,
    B: Tensor,
    *,
    extra: int = 0,
    shortest: int = 0,
    transpose: bool = False,
    both_ways: bool = False,
) -> Tensor:
    """p_jt in row j - 1 and column t - 1; the options make the known mistakes."""
    T = len(C)
    W = W_hh.T if transpose else W_hh
    P = torch.zeros(T, T, dtype=W_hh.dtype)
    for j in range(T):
        for t in range(T):
            lag = abs(t - j) if both_ways else t - j
            if lag >= shortest:
                P[j, t] = C[t] @ _power(W, lag + extra) @ B[j]
    return P


def _counts(T: int) -> Tensor:
    return torch.triu(_lags(T) + 1)


def _paths(W_hh: Tensor, C: Tensor, B: Tensor) -> dict[str, Tensor]:
    return {"P": _table(W_hh, C, B), "N": _counts(len(C))}


def _paths_mistake(counts: Callable[[int], Tensor] = _counts, **options) -> Callable:
    return lambda W_hh, C, B: {"P": _table(W_hh, C, B, **options), "N": counts(len(C))}


def _path_case(n: int, T: int, seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = {"W_hh": (n, n), "C": (T, n), "B": (T, n)}
    return {
        name: torch.randn(*shape, generator=generator, dtype=torch.float64)
        for name, shape in shapes.items()
    }


paths = Exercise(
    "bptt_for_the_linear_network.paths",
    chapter=CHAPTER,
    returns={"P": "(j, t)", "N": "(j, t)"},
    reference=_paths,
    cases=[_path_case(3, 7, seed=54), _path_case(1, 4, seed=55), _path_case(4, 2, seed=56)],
    mistakes=[
        Mistake(
            "the lag itself",
            _paths_mistake(lambda T: torch.triu(_lags(T))),
            "P is right, and N holds the lag t - j. A path of lag k passes k + 1 states, both ends "
            "included.",
            _TWO_OTHERS,
        ),
        Mistake(
            "every path once",
            _paths_mistake(lambda T: torch.ones(T, T, dtype=torch.float64).triu()),
            "P is right, and N counts every path once. That is the gradient. Total x total counts "
            "a path at every state that it passes.",
            _TWO_OTHERS,
        ),
        Mistake(
            "paths of this lag",
            _paths_mistake(lambda T: torch.triu(T - _lags(T))),
            "P is right, and N holds T - k: how many paths of lag k there are. The question is how "
            "often each of them is counted.",
            _TWO_OTHERS,
        ),
        Mistake(
            "negative counts",
            _paths_mistake(lambda T: _lags(T) + 1),
            "P is right, and N goes on below the diagonal, with counts of 0 and less. No path "
            "leads from a use to an earlier loss.",
            _TWO_OTHERS,
        ),
        Mistake(
            "counts multiplied in",
            lambda W_hh, C, B: {
                "P": _table(W_hh, C, B) * _counts(len(C)),
                "N": _counts(len(C)),
            },
            "N is right, and P is multiplied by the counts already. P holds each path once, N how "
            "often total x total counts it.",
            _TWO_OTHERS,
        ),
        Mistake(
            "rows and columns exchanged",
            lambda W_hh, C, B: {name: value.T for name, value in _paths(W_hh, C, B).items()},
            "both tables are transposed. Rows belong to uses (j), columns to losses (t).",
            _TWO_RIGHT,
        ),
        Mistake(
            "power one too high",
            _paths_mistake(extra=1),
            "N is right, and every path in P passes W_hh once too often. The derivative of h_j by "
            "w stands behind the weight of step j; t - j weights follow.",
            _TWO_RIGHT,
        ),
        Mistake(
            "W_hh transposed",
            _paths_mistake(transpose=True),
            "N is right, and P has the transpose of W_hh between the direct adjoint (on the left) "
            "and the immediate derivative (on the right). From use to loss the way goes forward, "
            "through W_hh itself.",
            _TWO_RIGHT,
        ),
        Mistake(
            "lag 0 left out",
            _paths_mistake(lambda T: torch.triu(_lags(T) + 1, 1), shortest=1),
            "both diagonals are empty. A use acts on the loss of its own step: lag 0, the power 0, "
            "counted once.",
            _TWO_RIGHT,
        ),
        Mistake(
            "the past filled in",
            _paths_mistake(lambda T: _lags(T).abs() + 1, both_ways=True),
            "both tables are filled below the diagonal, too. No path leads from a use to an "
            "earlier loss: there the entries are zero.",
            _TWO_RIGHT,
        ),
    ],
    hints=(
        "P[j-1, t-1] is one number: a row vector times a matrix power times a column vector.",
        "For N: through which states does the path from use j to loss t pass? Count them, both "
        "ends included.",
        "The equations are eq-linear-path and eq-linear-total-total."
        ' See "One table, added in two ways" and "The two other pairings".',
    ),
    insight="The sum of P is the gradient; the sum of N times P is total x total.",
)
