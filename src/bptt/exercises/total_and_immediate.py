"""Exercises of chapter 2, "Total and immediate", with the wrong answers that readers gave."""

from __future__ import annotations

import torch
from torch import Tensor

from bptt.exercises.engine import Exercise, Mistake

CHAPTER = "chapter 2, Total and immediate"


def _normal(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


# ---- 1. both derivatives, by hand ----------------------------------------------------------

_H = (2.0, -1.0, 4.0, 5.0)  # h_0 ... h_3
_W = 3.0


def _six(immediate: tuple[float, ...], total: tuple[float, ...]) -> dict[str, float]:
    named = {f"immediate {t}": immediate[t - 1] for t in (1, 2, 3)}
    return named | {f"total {t}": total[t - 1] for t in (1, 2, 3)}


by_hand = Exercise(
    "total_and_immediate.by_hand",
    chapter=CHAPTER,
    returns=dict.fromkeys(_six(_H, _H), "()"),
    reference=_six((2.0, -1.0, 4.0), (2.0, 5.0, 19.0)),
    tolerance=2e-3,
    mistakes=[
        Mistake(
            "recursive term dropped",
            _six((2.0, -1.0, 4.0), (2.0, -1.0, 4.0)),
            "both rows are the same: the recursive term is missing from the total derivatives. "
            "It is zero at step 1 alone.",
            "Why both sides look the same",
        ),
        Mistake(
            "rows exchanged",
            _six((2.0, 5.0, 19.0), (2.0, -1.0, 4.0)),
            "the two rows are exchanged: what you call immediate is total, and the other way "
            "round.",
            "What is held fixed",
        ),
        Mistake(
            "total for immediate",
            _six((2.0, 5.0, 19.0), (2.0, 5.0, 19.0)),
            "both rows are total derivatives. For the immediate one h_{t-1} is a plain number, "
            "whatever weight it was made with.",
            "What is held fixed",
        ),
        Mistake(
            "recursion fed with the immediate derivative",
            _six((2.0, -1.0, 4.0), (2.0, 5.0, 1.0)),
            "the last factor of the recursion is immediate in your answer. It is right until "
            "step 2, because at step 1 both are the same; from step 3 on the first use is lost.",
            "The recursion",
        ),
        Mistake(
            "weight left out of the recursion",
            _six((2.0, -1.0, 4.0), (2.0, 1.0, 5.0)),
            "the immediate derivatives are added up as they are. What came before passes the "
            "weight once for each step on its way.",
            "Three steps with integers",
        ),
        Mistake(
            "h_t for h_{t-1}",
            _six((-1.0, 4.0, 5.0), (-1.0, 1.0, 8.0)),
            "each step takes the state that it produced. At step t the weight multiplied the "
            "state before, h_{t-1}.",
            "Three steps with integers",
        ),
        Mistake(
            "h_0 left out",
            _six((0.0, -1.0, 4.0), (0.0, -1.0, 1.0)),
            "the use at step 1 is missing. It multiplied h_0, which is not zero here. What is "
            "zero is the derivative of h_0.",
            "Three steps with integers",
        ),
    ],
    hints=(
        "The immediate derivative of step t is the number that the weight multiplied in this step.",
        "Total derivative of step t: the immediate one, plus the weight times the total derivative "
        "of the step before. Begin with dh_0/dw = 0.",
        'The equation is eq-total-recursion with f(x, h, w) = w h + x. See "The recursion".',
    ),
    insight="The two agree at step 1; from then on the total also contains the past.",
)


# ---- 2. both derivatives of a tanh network -------------------------------------------------


def _tanh_states(w: Tensor, x: Tensor, h0: Tensor) -> Tensor:
    h = [h0]
    for x_t in x:
        h.append(torch.tanh(w * h[-1] + x_t))
    return torch.stack(h)


def _both(
    w: Tensor,
    x: Tensor,
    h0: Tensor,
    *,
    direct_slope: bool = True,
    recursive_slope: bool = True,
    slope_from: int = 1,
    state_from: int = 0,
    recursive: bool = True,
    feed_immediate: bool = False,
    return_total_twice: bool = False,
) -> dict[str, Tensor]:
    """Immediate and total derivative for t = 1..T; the options make the known mistakes."""
    h = _tanh_states(w, x, h0)
    one, zero = torch.ones_like(w), torch.zeros_like(w)
    immediate, total = [zero], [zero]
    for t in range(1, len(h)):
        slope = 1 - h[t - 1 + slope_from] ** 2
        immediate.append((slope if direct_slope else one) * h[t - 1 + state_from])
        c = (slope if recursive_slope else one) * w
        before = (immediate if feed_immediate else total)[t - 1]
        total.append(immediate[t] + (c * before if recursive else zero))
    immediate, total = torch.stack(immediate[1:]), torch.stack(total[1:])
    return {"immediate": total.clone() if return_total_twice else immediate, "total": total}


def _both_mistake(**options):
    return lambda w, x, h0: _both(w, x, h0, **options)


immediate_and_total = Exercise(
    "total_and_immediate.immediate_and_total",
    chapter=CHAPTER,
    returns={"immediate": "(T,)", "total": "(T,)"},
    reference=lambda w, x, h0: _both(w, x, h0),
    cases=[
        {
            "w": torch.tensor(w, dtype=torch.float64),
            "x": 0.8 * _normal(T, seed=seed),
            "h0": torch.tensor(h0, dtype=torch.float64),
        }
        for w, T, h0, seed in ((1.3, 7, 0.7, 21), (-0.8, 9, -0.4, 22))
    ],
    mistakes=[
        Mistake(
            "quantities exchanged",
            lambda w, x, h0: dict(
                zip(("total", "immediate"), _both(w, x, h0).values(), strict=True)
            ),
            "the two quantities are exchanged: what you call immediate is total, and the other way "
            "round.",
            "What is held fixed",
        ),
        Mistake(
            "h_0 taken as zero",
            lambda w, x, h0: _both(w, x, torch.zeros_like(h0)),
            "your network starts at 0. It starts at h0, and the use of the weight at step 1 meets "
            "h0.",
            "Three steps with integers",
        ),
        Mistake(
            "recursive term dropped",
            _both_mistake(recursive=False),
            "both quantities are the immediate derivative. The total one also counts what the "
            "weight did to h_{t-1}: the two are different things under one printed symbol.",
            "Why both sides look the same",
        ),
        Mistake(
            "h_{t-1} not held fixed",
            _both_mistake(return_total_twice=True),
            "both quantities are the total derivative. For the immediate one the step must "
            "receive h_{t-1} as a plain number; with autograd that takes a detach.",
            "The recursion",
        ),
        Mistake(
            "recursion fed with the immediate derivative",
            _both_mistake(feed_immediate=True),
            "the recursion takes the immediate derivative of the step before where the total one "
            "belongs. Only the last two uses of the weight remain.",
            "The recursion",
        ),
        Mistake(
            "tanh' forgotten",
            _both_mistake(direct_slope=False, recursive_slope=False),
            "no slope appears. Both terms of a step pass its tanh, so both carry 1 - h_t^2.",
            "The recursion",
        ),
        Mistake(
            "slope missing in the recursive term",
            _both_mistake(recursive_slope=False),
            "the recursive term lacks the slope. The step Jacobian is (1 - h_t^2) w, not w alone.",
            "The recursion",
        ),
        Mistake(
            "slope at h_{t-1}",
            _both_mistake(slope_from=0),
            "the slope is taken at h_{t-1}. The tanh of step t produced h_t, so its slope is "
            "1 - h_t^2.",
            "The recursion",
        ),
        Mistake(
            "h_t for h_{t-1}",
            _both_mistake(state_from=1),
            "the immediate derivative contains h_t. The weight multiplied the state before the "
            "step, h_{t-1}.",
            "Three steps with integers",
        ),
    ],
    hints=(
        "Run the network first and keep all states, h_0 included.",
        "One slope for each step, 1 - h_t^2. It multiplies both terms: h_{t-1}, and w times the "
        "total derivative of the step before.",
        'The equation is eq-total-recursion with f(x, h, w) = tanh(w h + x). See "The recursion".',
    ),
    insight="One number carried from step to step turns the immediate derivatives into total ones.",
)


# ---- 3. a prediction: which symbol belongs here? -------------------------------------------

_SYMBOLS = {
    "9.7.4 left": "total",
    "9.7.4 first": "immediate",
    "9.7.4 last": "total",
    "9.7.3 last": "total",
    "9.7.16 last": "immediate",
    "detached": "immediate",
    "all uses": "total",
}

which_symbol = Exercise(
    "total_and_immediate.which_symbol",
    chapter=CHAPTER,
    returns=dict.fromkeys(_SYMBOLS, "()"),
    reference=_SYMBOLS,
    options=("total", "immediate"),
    mistakes=[
        Mistake(
            "one meaning: total everywhere",
            dict.fromkeys(_SYMBOLS, "total"),
            "one meaning for every symbol. Then 9.7.4 says that its second term is zero, and it "
            "is not.",
            "Why both sides look the same",
        ),
        Mistake(
            "one meaning: immediate everywhere",
            dict.fromkeys(_SYMBOLS, "immediate"),
            "everything is immediate. Then no formula knows that earlier states depend on the "
            "weight at all.",
            "Why both sides look the same",
        ),
        Mistake(
            "9.7.4: left side immediate",
            _SYMBOLS | {"9.7.4 left": "immediate"},
            "the left side of 9.7.4 is the derivative of the whole network's state. The weight "
            "moves at every step, so h_{t-1} moves too.",
            "Why both sides look the same",
        ),
        Mistake(
            "all uses: immediate",
            _SYMBOLS | {"all uses": "immediate"},
            "the weight is nudged at every step, so h_1 and h_2 move as well. Nothing is held "
            "fixed.",
            "What is held fixed",
        ),
        Mistake(
            "9.7.4: first term total",
            _SYMBOLS | {"9.7.4 first": "total"},
            "the first term on the right of 9.7.4 is the derivative of f in one slot, with "
            "h_{t-1} held fixed. If it were total, it would equal the left side.",
            "Why both sides look the same",
        ),
        Mistake(
            "9.7.4: last factor immediate",
            _SYMBOLS | {"9.7.4 last": "immediate"},
            "the last factor of 9.7.4 must bring everything that the weight did before step t. "
            "An immediate derivative brings one use only.",
            "The recursion",
        ),
        Mistake(
            "9.7.3: last factor immediate",
            _SYMBOLS | {"9.7.3 last": "immediate"},
            "in 9.7.3 the other two factors look at step t alone. With an immediate last factor "
            "the gradient would forget the past.",
            "The slip in 8.7.3, and tied weights",
        ),
        Mistake(
            "9.7.16: last factor total",
            _SYMBOLS | {"9.7.16 last": "total"},
            "in 9.7.16 the adjoint dL/dh_t counts all later paths already. With a total last "
            "factor earlier uses are counted more than once.",
            "The same symbol again: the weight gradient",
        ),
        Mistake(
            "detached: total",
            _SYMBOLS | {"detached": "total"},
            "a detached h_{t-1} is a number without a past: autograd finds the weight in the "
            "last step alone.",
            "The recursion",
        ),
    ],
    hints=(
        "Ask at each place: may h_{t-1} move when the weight moves?",
        "In a product of derivatives along a path one factor is total; the others look at one "
        "step.",
        "Compare with the equations eq-total-gradient and eq-total-loss, which are 9.7.16 and "
        "9.7.3."
        ' See "The same symbol again: the weight gradient" and "The slip in 8.7.3, and tied '
        'weights".',
    ),
    insight="In each product one factor is total, and the others look at a single step.",
)


# ---- 4. the closed form, derived and coded -------------------------------------------------


def _closed_form(
    B: Tensor,
    C: Tensor,
    *,
    reverse: bool = False,
    begin: int = 1,
    end: int = 0,
    first_use: int = 1,
    own_term: bool = True,
    lags: int | None = None,
) -> Tensor:
    """The sum over i; ``begin`` and ``end`` shift the range j = i+1..t of the product."""
    A = torch.zeros_like(B)
    for t in range(first_use, len(B)):
        for i in range(first_use, t + own_term):
            if lags is not None and t - i > lags:
                continue
            P = torch.eye(B.shape[1], dtype=B.dtype)
            for j in range(i + begin, t + 1 - end) if i < t else ():
                P = P @ C[j] if reverse else C[j] @ P
            A[t] += P @ B[i]
    return A


def _closed_form_mistake(**options):
    return lambda B, C: _closed_form(B, C, **options)


closed_form = Exercise(
    "total_and_immediate.closed_form",
    chapter=CHAPTER,
    returns={"A": "(T+1, n)"},
    reference=lambda B, C: _closed_form(B, C),
    cases=[
        {"B": _normal(T + 1, n, seed=seed), "C": 0.7 * _normal(T + 1, n, n, seed=seed + 1)}
        for T, n, seed in ((7, 3, 23), (9, 2, 25))
    ],
    mistakes=[
        Mistake(
            "order reversed",
            _closed_form_mistake(reverse=True),
            "the factors stand in the order of time, c_{i+1} on the left. b_i meets c_{i+1} "
            "first, so c_{i+1} stands next to it and c_t on the far left.",
            "The recursion as a sum",
        ),
        Mistake(
            "product begins at i",
            _closed_form_mistake(begin=0),
            "your product begins at j = i: it has one factor too many. The use at step i does not "
            "pass c_i, which leads into step i.",
            "The recursion as a sum",
        ),
        Mistake(
            "product ends at t-1",
            _closed_form_mistake(end=1),
            "your product ends at j = t - 1: the last step, c_t, is missing.",
            "The recursion as a sum",
        ),
        Mistake(
            "b_t dropped",
            _closed_form_mistake(own_term=False),
            "the term of step t itself, b_t, is missing. Its product is empty: the identity "
            "matrix, not zero.",
            "The recursion as a sum",
        ),
        Mistake(
            "b_0 included",
            _closed_form_mistake(first_use=0),
            "your sum begins at i = 0. There is no b_0: no step made h_0, and a_0 is zero. Row 0 "
            "of B means nothing.",
            "The recursion as a sum",
        ),
        Mistake(
            "stopped after one step",
            _closed_form_mistake(lags=1),
            "you have b_t + c_t b_{t-1}. That is the recursion with b_{t-1} in the place of "
            "a_{t-1}: all earlier uses are lost.",
            "The recursion as a sum",
        ),
    ],
    hints=(
        "Write a_1, a_2 and a_3 out by putting the recursion into itself.",
        "Which c stand before b_1 in a_3, and in which order? Build the product by multiplying "
        "from the left, j = i+1, ..., t.",
        'The equations are eq-total-lemma-closed and eq-total-order. See "The recursion as a sum".',
    ),
    insight="Each use of the weight is carried forward by the steps after it, later ones leftmost.",
)


# ---- 5. find the mistake -------------------------------------------------------------------


def _total_derivative(
    W_hh: Tensor,
    H: Tensor,
    a: int,
    b: int,
    *,
    slope_from: int = 1,
    forget_slope: bool = False,
    feed_immediate: bool = False,
    transpose: bool = False,
    state_from: int = 0,
    recursive: bool = True,
) -> Tensor:
    """dh_t/d(W_hh)_ab for t = 0..T; the options make the known mistakes."""
    dH = torch.zeros_like(H)
    before = torch.zeros_like(H[0])
    for t in range(1, len(H)):
        immediate = torch.zeros_like(H[0])
        immediate[a] = (1 - H[t, a] ** 2) * H[t - 1 + state_from, b]
        slope = torch.ones_like(H[0]) if forget_slope else 1 - H[t - 1 + slope_from] ** 2
        jacobian = slope[:, None] * (W_hh.T if transpose else W_hh)
        dH[t] = immediate + (jacobian @ before if recursive else 0)
        before = immediate if feed_immediate else dH[t]
    return dH


def _total_derivative_mistake(**options):
    return lambda W_hh, H, a, b: _total_derivative(W_hh, H, a, b, **options)


def _case(n: int, T: int, a: int, b: int, seed: int) -> dict:
    W_hh, x, h = _normal(n, n, seed=seed), _normal(T, n, seed=seed + 1), _normal(n, seed=seed + 2)
    H = [h]
    for x_t in x:
        H.append(torch.tanh(W_hh @ H[-1] + 0.5 * x_t))
    return {"W_hh": W_hh, "H": torch.stack(H), "a": a, "b": b}


total_derivative = Exercise(
    "total_and_immediate.total_derivative",
    chapter=CHAPTER,
    returns={"dH": "(T+1, n)"},
    reference=lambda W_hh, H, a, b: _total_derivative(W_hh, H, a, b),
    cases=[_case(3, 7, 1, 2, seed=31), _case(4, 8, 3, 0, seed=34)],
    mistakes=[
        Mistake(
            "both faults left",
            _total_derivative_mistake(slope_from=0, feed_immediate=True),
            "this is the colleague's function as it was. Compare it with the recursion factor by "
            "factor: which step does each belong to, and is it total or immediate?",
            "Vectors: one entry of a matrix at a time",
        ),
        Mistake(
            "c_{t-1} for c_t",
            _total_derivative_mistake(slope_from=0),
            "one fault is left: the slopes of the Jacobian are those of the step before. It "
            "shows from step 2 on.",
            "Vectors: one entry of a matrix at a time",
        ),
        Mistake(
            "immediate where total belongs",
            _total_derivative_mistake(feed_immediate=True),
            "one fault is left: what is handed to the next step is the immediate derivative. It "
            "shows from step 3 on, because at step 1 both are the same.",
            "The recursion",
        ),
        Mistake(
            "recursive term dropped",
            _total_derivative_mistake(recursive=False),
            "this is the immediate derivative of each step alone.",
            "Why both sides look the same",
        ),
        Mistake(
            "slope left out of the Jacobian",
            _total_derivative_mistake(forget_slope=True),
            "the Jacobian is W_hh alone. What comes from the step before passes the tanh of step "
            "t too.",
            "Vectors: one entry of a matrix at a time",
        ),
        Mistake(
            "W_hh transposed",
            _total_derivative_mistake(transpose=True),
            "W_hh is transposed. The recursion runs forward in time, as W_hh itself does.",
            "Vectors: one entry of a matrix at a time",
        ),
        Mistake(
            "a and b swapped",
            lambda W_hh, H, a, b: _total_derivative(W_hh, H, b, a),
            "a and b are swapped: the weight in row a and column b moves unit a, by unit b of the "
            "state before.",
            "Vectors: one entry of a matrix at a time",
        ),
        Mistake(
            "h_t for h_{t-1}",
            _total_derivative_mistake(state_from=1),
            "the immediate derivative contains h_t. The weight multiplied unit b of h_{t-1}.",
            "Vectors: one entry of a matrix at a time",
        ),
    ],
    hints=(
        "Row 1 is right. Which factors does the function use at step 2, and which does the "
        "recursion want there?",
        "One fault shows from step 2 on and is an index. The other shows from step 3 on and is a "
        "kind of derivative.",
        'The equation is eq-total-entry. See "Vectors: one entry of a matrix at a time".',
    ),
    insight="A test with two steps would have found one of the two faults and not the other.",
)


# ---- 6. the slip in 8.7.3, and tied weights, by hand ---------------------------------------

_OUTPUT = {"own": 190.0, "w_o": 5.0, "tied": 62.0}

output_weight = Exercise(
    "total_and_immediate.output_weight",
    chapter=CHAPTER,
    returns=dict.fromkeys(_OUTPUT, "()"),
    reference=_OUTPUT,
    tolerance=2e-3,
    mistakes=[
        Mistake(
            "w_h for w_o",
            _OUTPUT | {"own": 57.0},
            "that is the old print taken at its word, with w_h in g. The output is made with w_o.",
            "The slip in 8.7.3, and tied weights",
        ),
        Mistake(
            "tied: one term short",
            _OUTPUT | {"tied": 57.0},
            "with tied weights the weight is used once more, in g itself. The immediate "
            "derivative of g is missing.",
            "The slip in 8.7.3, and tied weights",
        ),
        Mistake(
            "tied: immediate only",
            _OUTPUT | {"tied": 5.0},
            "only the use in g counts. The weight also made h_3.",
            "The slip in 8.7.3, and tied weights",
        ),
        Mistake(
            "immediate derivative of the state",
            _OUTPUT | {"own": 40.0, "tied": 17.0},
            "the derivative of h_3 is immediate, 4, in your answer. g looks at step 3 alone, so "
            "the derivative of the state has to bring the whole past.",
            "The slip in 8.7.3, and tied weights",
        ),
        Mistake(
            "extra term without tying",
            _OUTPUT | {"own": 195.0},
            "you added the immediate derivative of g by its weight. With a weight of its own, g "
            "does not take w_h, and that term is zero.",
            "The slip in 8.7.3, and tied weights",
        ),
        Mistake(
            "w_o acts on the states",
            _OUTPUT | {"w_o": 190.0},
            "w_o makes outputs only; no state depends on it. Its total derivative is the "
            "immediate one.",
            "The slip in 8.7.3, and tied weights",
        ),
    ],
    hints=(
        "You need two numbers of exercise 1: h_3, and the total derivative of h_3.",
        "Write down in which slots of g the weight in question sits: in the first, through h_3; "
        "in the second; in both.",
        "The equation is eq-total-tied; without tying its first term is zero."
        ' See "The slip in 8.7.3, and tied weights".',
    ),
    insight="One term for each slot in which the weight sits, directly or through the state.",
)
