"""Exercises of chapter 1, "An RNN, unrolled", with the wrong answers that learners give."""

from __future__ import annotations

import torch
from torch import Tensor

from bptt.exercises.engine import Exercise, Mistake
from bptt.rnn import RNN

CHAPTER = "chapter 1, An RNN, unrolled"


# ---- 1. forward, by hand -------------------------------------------------------------------

_X, _Y = (2, 2, -1), (6, -5, 5)


def _states(w_hx: float = 3, w_hh: float = -2, h_0: float = 1, shift: int = 0) -> list[float]:
    """h_0 to h_3 of the hand network; ``shift=1`` reads each input one step late."""
    inputs, h = (0,) * shift + _X, [h_0]
    for t in (1, 2, 3):
        h.append(w_hx * inputs[t - 1] + w_hh * h[t - 1])
    return h


def _forward_answer(h: list[float], w_qh: float = 2, divide_by: float = 1) -> dict[str, float]:
    L = sum((w_qh * h[t] - _Y[t - 1]) ** 2 / 2 for t in (1, 2, 3)) / divide_by
    return {"h_1": h[1], "h_2": h[2], "h_3": h[3], "L": L}


forward_by_hand = Exercise(
    "an_rnn_unrolled.forward_by_hand",
    chapter=CHAPTER,
    returns=dict.fromkeys(("h_1", "h_2", "h_3", "L"), "()"),
    reference=_forward_answer(_states()),
    tolerance=2e-3,
    mistakes=[
        Mistake(
            "h_0 dropped",
            _forward_answer(_states(h_0=0)),
            "the walk starts from zero. Here h_0 is given, and it is 1; step 1 multiplies it "
            "by w_hh like every other state.",
            "Four steps by hand",
        ),
        Mistake(
            "weights swapped",
            _forward_answer(_states(w_hx=-2, w_hh=3)),
            "the two weights changed places. W_hx leads to h from x: it multiplies the input.",
            "What this book is about",
        ),
        Mistake(
            "no memory",
            _forward_answer(_states(w_hh=0)),
            "each state is made of its input alone. The state before it arrives as well, "
            "multiplied by w_hh.",
            "One unit, one step",
        ),
        Mistake(
            "input of the step before",
            _forward_answer(_states(shift=1)),
            "step t reads x_{t-1}. The input has the index of its own step; only the state comes "
            "from the step before.",
            "One unit, one step",
        ),
        Mistake(
            "output weight forgotten",
            _forward_answer(_states(), w_qh=1),
            "the states are right, but the loss compares h_t with the target. The output is "
            "o_t = w_qh h_t, and here w_qh is not 1.",
            "One unit, one step",
        ),
        Mistake(
            "half forgotten",
            _forward_answer(_states(), divide_by=0.5),
            "the states are right, but the 1/2 in front of each squared difference is missing.",
            "One unit, one step",
        ),
        Mistake(
            "mean of the losses",
            _forward_answer(_states(), divide_by=3),
            "the states are right, but the loss is divided by T. This exercise, like the hand "
            "example of the chapter, adds the losses.",
            "One unit, one step",
        ),
    ],
    hints=(
        "Start at h_0 = 1, and work from left to right; one row of the table at a time.",
        "Two numbers arrive at h_t: w_hx times x_t, and w_hh times h_{t-1}. Mind that w_hh is "
        "negative.",
        'Use eq-unrolled-step and eq-unrolled-sum-loss, in "One unit, one step".',
    ),
    insight="The same three weights served at every step; only the state remembers.",
)


# ---- 2. backward, by hand ------------------------------------------------------------------


_H = (1, 3, -2, 1)  # h_0 to h_3
_RESIDUALS = (None, 2, -1, 3)  # o_t - y_t


def _backward_answer(
    *, future: bool = True, own: bool = True, pair_with: int = 1, w_qh: float = 2, w_hh: float = -2
) -> dict[str, float]:
    """Adjoints of h_1 to h_3 and dL/dw_hh; the options make the known mistakes."""
    g = [0.0] * 5
    for t in (3, 2, 1):
        g[t] = w_qh * _RESIDUALS[t] * (own or t == 3) + w_hh * g[t + 1] * future
    total = sum(g[t] * _H[t - pair_with] for t in (1, 2, 3))
    return {"h_3": g[3], "h_2": g[2], "h_1": g[1], "w_hh": total}


_RIGHT = _backward_answer()
_OUTPUT_WEIGHT_TWICE = {"h_3": 6, "h_2": -26, "h_1": 108, "w_hh": 6 * -2 - 26 * 3 + 108 * 1}
_POWER_LOST = _RIGHT | {"h_1": 4 - 2 * (-2 + 6), "w_hh": 6 * -2 - 14 * 3 - 4 * 1}


backward_by_hand = Exercise(
    "an_rnn_unrolled.backward_by_hand",
    chapter=CHAPTER,
    returns=dict.fromkeys(("h_3", "h_2", "h_1", "w_hh"), "()"),
    reference=_RIGHT,
    tolerance=2e-3,
    mistakes=[
        Mistake(
            "last use only",
            _RIGHT | {"w_hh": _RIGHT["h_3"] * -2},
            "the adjoints are right, but only the last use of the weight entered the gradient. It "
            "was used at three steps, and the gradient adds the three.",
            "One weight, four uses",
        ),
        Mistake(
            "first use dropped",
            _RIGHT | {"w_hh": _RIGHT["h_3"] * -2 + _RIGHT["h_2"] * 3},
            "the adjoints are right, but the use of step 1 is missing. It multiplied h_0, which is "
            "not zero.",
            "One weight, four uses",
        ),
        Mistake(
            "output weight on both messages",
            _OUTPUT_WEIGHT_TWICE,
            "the message from the next state was multiplied by w_qh too. Only the message from the "
            "output passes w_qh.",
            "Going back, edge by edge",
        ),
        Mistake(
            "future path dropped",
            _backward_answer(future=False),
            "each state listens to its own loss alone. Two arrows leave h_t: one to its output, "
            "one to the next state, and a message comes back along each.",
            "Going back, edge by edge",
        ),
        Mistake(
            "own loss dropped",
            _backward_answer(own=False),
            "only the last loss sends a message. Every step has a loss here, and each state "
            "hears from its own one as well.",
            "Going back, edge by edge",
        ),
        Mistake(
            "power of w miscounted",
            _POWER_LOST,
            "the message of the third loss reached h_1 with one factor w_hh. It passes two arrows "
            "between states on its way, and each multiplies.",
            "Where the recursion comes from",
        ),
        Mistake(
            "h_t for h_{t-1}",
            _backward_answer(pair_with=0),
            "the adjoints are right, but each was paired with the state of its own step. At step "
            "t the weight multiplied the state before, h_{t-1}.",
            "Going back, edge by edge",
        ),
        Mistake(
            "output weight forgotten",
            _backward_answer(w_qh=1),
            "the message from the loss reached h_t without the weight on its arrow. It passes "
            "w_qh, which is not 1 here.",
            "Going back, edge by edge",
        ),
        Mistake(
            "sign of w lost",
            _backward_answer(w_hh=2),
            "the messages between states carry the wrong sign: w_hh is negative here.",
            "Going back, edge by edge",
        ),
    ],
    hints=(
        "dL/do_t is o_t - y_t, which is in the table. Begin at the right end, at h_3: nothing "
        "comes after it.",
        "The adjoint of h_2 is w_qh times its own o_2 - y_2, plus w_hh times the adjoint of h_3.",
        "The equations are eq-unrolled-adjoint-state and eq-unrolled-gradient; the slope is 1."
        ' See "Going back, edge by edge".',
    ),
    insight="One walk back, and each use of the weight has its term in the sum.",
)


# ---- generic networks for the code exercises -----------------------------------------------


def _network(n: int, d: int, q: int, T: int, seed: int) -> dict[str, Tensor]:
    """A generic tanh network, one sequence long, with a loss at every step."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    weights = {"W_hx": normal(n, d), "W_hh": normal(n, n) / n**0.5, "W_qh": normal(q, n)}
    X, h0, dO = normal(T, d), normal(n), normal(T, q)
    H = RNN(**weights)(X[:, None], h0[None]).H[:, 0]
    return weights | {"X": X, "h0": h0, "H": H, "dO": dO}


_NETWORKS = (
    _network(3, 2, 4, 7, seed=11),
    _network(4, 3, 2, 9, seed=12),
    _network(1, 1, 1, 1, seed=13),
)


# ---- 3. forward, in code -------------------------------------------------------------------


def _forward(
    W_hx: Tensor,
    W_hh: Tensor,
    W_qh: Tensor,
    X: Tensor,
    h0: Tensor,
    *,
    transpose: bool = False,
    start: bool = True,
    late_output: bool = False,
    tanh_on_output: bool = False,
    shift: int = 0,
    activation: bool = True,
) -> dict[str, Tensor]:
    """All states and outputs; the options make the known mistakes."""
    W = W_hh.T if transpose else W_hh
    X = torch.cat([torch.zeros_like(X[:shift]), X])
    H = [h0 if start else torch.zeros_like(h0)]
    for t in range(1, len(X) - shift + 1):
        z = W_hx @ X[t - 1] + W @ H[t - 1]
        H.append(torch.tanh(z) if activation else z)
    states = torch.stack(H)
    O = (states[:-1] if late_output else states[1:]) @ W_qh.T
    return {"H": states, "O": torch.tanh(O) if tanh_on_output else O}


def _forward_mistake(**options):
    return lambda W_hx, W_hh, W_qh, X, h0: _forward(W_hx, W_hh, W_qh, X, h0, **options)


forward = Exercise(
    "an_rnn_unrolled.forward",
    chapter=CHAPTER,
    returns={"H": "(T+1, n)", "O": "(T, q)"},
    reference=lambda W_hx, W_hh, W_qh, X, h0: _forward(W_hx, W_hh, W_qh, X, h0),
    cases=[{name: net[name] for name in ("W_hx", "W_hh", "W_qh", "X", "h0")} for net in _NETWORKS],
    mistakes=[
        Mistake(
            "W_hh transposed",
            _forward_mistake(transpose=True),
            "the state was multiplied by the transpose of W_hh. No shape warns you, because W_hh "
            "is square. With a row of states write h @ W_hh.T, with a single vector W_hh @ h.",
            "Many units",
        ),
        Mistake(
            "output before the update",
            _forward_mistake(late_output=True),
            "the outputs are one step late: o_t was read off h_{t-1}, before the state was "
            "updated. First make h_t, then o_t from it.",
            "Many units",
        ),
        Mistake(
            "h_0 dropped",
            _forward_mistake(start=False),
            "the initial state was replaced by zeros. h0 is an argument, it is row 0 of H, and "
            "step 1 multiplies it by W_hh.",
            "Four steps by hand",
        ),
        Mistake(
            "tanh on the output",
            _forward_mistake(tanh_on_output=True),
            "the states are right, but the outputs went through a tanh. The output is "
            "W_qh h_t and nothing more; the activation belongs to the state.",
            "Many units",
        ),
        Mistake(
            "input of the step before",
            _forward_mistake(shift=1),
            "step t read x_{t-1}. X has T rows and H has T + 1: x_t is X[t - 1], while h_t "
            "is H[t].",
            "Many units",
        ),
        Mistake(
            "tanh forgotten",
            _forward_mistake(activation=False),
            "no tanh was applied: H holds the pre-activations of an identity network.",
            "Many units",
        ),
    ],
    hints=(
        "Begin with a list H = [h0], and append one state a step.",
        "z = W_hx @ X[t - 1] + W_hh @ H[t - 1] for t = 1, ..., T; then the tanh. torch.stack "
        "turns a list of vectors into rows.",
        'The equation is eq-unrolled-forward, in "Many units".',
    ),
    insight="The loop is the whole network: one step, taken T times with the same weights.",
)


# ---- 4. a prediction: what grows with T? ---------------------------------------------------

_GROWTH = {
    "parameters": "unchanged",
    "shape of dL/dW_hh": "unchanged",
    "uses of W_hh": "doubles",
    "numbers on the tape": "doubles",
    "multiplications forward": "doubles",
    "multiplications backward": "doubles",
    "paths from a use to a loss": "quadruples",
}

what_grows = Exercise(
    "an_rnn_unrolled.what_grows",
    chapter=CHAPTER,
    returns=dict.fromkeys(_GROWTH, "()"),
    reference=_GROWTH,
    options=("unchanged", "doubles", "quadruples"),
    mistakes=[
        Mistake(
            "weights for each step",
            _GROWTH | {"parameters": "doubles"},
            "that would be a feed-forward network with weights of its own for each step. An RNN "
            "uses the same weights at all of them.",
            "Why the same weight at every step",
        ),
        Mistake(
            "a gradient for each step",
            _GROWTH | {"shape of dL/dW_hh": "doubles"},
            "a gradient has the shape of its weight. The terms of the steps are added, not "
            "laid side by side.",
            "Many units",
        ),
        Mistake(
            "only the state is kept",
            _GROWTH | {"numbers on the tape": "unchanged"},
            "to run forward one state is enough. To go back, h_{t-1}, h_t and x_t of every step "
            "are needed again.",
            "What is stored, and what it costs",
        ),
        Mistake(
            "every path walked",
            _GROWTH | {"multiplications backward": "quadruples"},
            "that is what it would cost to walk every path for itself. The recursion computes "
            "the common parts of the paths once.",
            "Where the recursion comes from",
        ),
        Mistake(
            "one path for each use",
            _GROWTH | {"paths from a use to a loss": "doubles"},
            "a use reaches its own loss and every later one, so there is a path for each pair. "
            "Look at the triangular table of paths and imagine it twice as wide and twice as high.",
            "Where the recursion comes from",
        ),
        Mistake(
            "one use",
            _GROWTH | {"uses of W_hh": "unchanged"},
            "W_hh appears once in the formula of a step, but every step uses it.",
            "One weight, four uses",
        ),
    ],
    hints=(
        "Which of these can you count in the figure, column by column?",
        "Count for T = 4 and for T = 8: arrows between states, boxes, entries of the table of "
        "paths.",
        "Compare the equations eq-unrolled-parameters, eq-unrolled-cost-forward and "
        "eq-unrolled-cost-backward."
        ' See "Why the same weight at every step" and "What is stored, and what it costs".',
    ),
    insight="The weights stay, the work grows with T, and the paths that it shares with T squared.",
)


# ---- 5. find the mistake -------------------------------------------------------------------

_FOUND = {"formula gives": -2, "right value": 31, "always right at T": 1, "only loss at step": 1}

find_the_mistake = Exercise(
    "an_rnn_unrolled.find_the_mistake",
    chapter=CHAPTER,
    returns=dict.fromkeys(_FOUND, "()"),
    reference=_FOUND,
    tolerance=2e-3,
    mistakes=[
        Mistake(
            "values exchanged",
            _FOUND | {"formula gives": 31, "right value": -2},
            "you have exchanged the two values: which sum leaves out the earlier uses?",
            "One weight, four uses",
        ),
        Mistake(
            "formula believed",
            _FOUND | {"right value": -2},
            "the formula is not right here. In it each loss hears only the use of the weight "
            "at its own step; the earlier uses are missing.",
            "One weight, four uses",
        ),
        Mistake(
            "last use only",
            _FOUND | {"right value": 2},
            "this is the last use alone. The two uses before it act on the losses as well.",
            "One weight, four uses",
        ),
        Mistake(
            "own losses dropped",
            _FOUND | {"right value": 1 * 2 + 3 * 1 + 9 * 2},
            "only the last loss was followed back. The losses of steps 1 and 2 send messages of "
            "their own.",
            "Going back, edge by edge",
        ),
        Mistake(
            "power of w miscounted",
            _FOUND | {"right value": 1 * 2 + 5 * 1 + (-3 + 3 * (2 + 1)) * 2},
            "the third loss reached h_1 with one factor w. It passes two arrows between states "
            "on its way, and each multiplies.",
            "Where the recursion comes from",
        ),
        Mistake(
            "last loss only",
            _FOUND | {"only loss at step": 3},
            "with a loss at the last step alone, three uses act on it, and the formula has one "
            "of them. It is the other way round: which loss is reached by one use only?",
            "Where the recursion comes from",
        ),
        Mistake(
            "right at two steps",
            _FOUND | {"always right at T": 2},
            "with two steps the first use acts on the second loss along w, and the formula has "
            "no such term.",
            "One weight, four uses",
        ),
        Mistake(
            "h_t for h_{t-1}",
            _FOUND | {"formula gives": -3 * 1 + 2 * 2 + 1 * 4},
            "the formula pairs each loss with h_{t-1}, the state before; you took h_t.",
            "Going back, edge by edge",
        ),
    ],
    hints=(
        "For what the formula gives, you need only the two rows of the table: (o_t - y_t) times "
        "the state before.",
        "For the right value walk back: begin with the adjoint of h_3, which is 1. In the table "
        "of paths, the formula is the diagonal; when is nothing else in the table?",
        "The right sum is eq-unrolled-gradient, with the adjoints of eq-unrolled-adjoint-state."
        ' See "Going back, edge by edge".',
    ),
    insight="The formula is the diagonal of the table of paths: right when nothing lies beside it.",
)


# ---- 6. the gradient of an input -----------------------------------------------------------


def _input_gradient(
    W_hx: Tensor,
    W_hh: Tensor,
    W_qh: Tensor,
    H: Tensor,
    dO: Tensor,
    *,
    future: bool = True,
    own: bool = True,
    transpose: bool = True,
    slope: bool = True,
    slope_in_the_end: bool = True,
    slope_from: int = 0,
    future_from_z: bool = True,
    sum_over_time: bool = False,
) -> Tensor:
    """dL/dx_t for t = 1..T; the options make the known mistakes."""
    T = len(dO)
    dZ, back = torch.zeros(T + 1, len(W_hh), dtype=H.dtype), W_hh.T if transpose else W_hh
    received = torch.zeros_like(dZ)
    for t in range(T, 0, -1):
        dh = W_qh.T @ dO[t - 1] if own or t == T else torch.zeros_like(H[0])
        if future:
            dh = dh + back @ (dZ if future_from_z else received)[t] if t < T else dh
        received[t - 1] = dh
        dZ[t - 1] = (1 - H[t + slope_from] ** 2) * dh if slope else dh
    dX = (dZ if slope_in_the_end else received)[:T] @ W_hx
    return dX.flip(0).cumsum(0).flip(0) if sum_over_time else dX


def _input_mistake(**options):
    return lambda W_hx, W_hh, W_qh, H, dO: _input_gradient(W_hx, W_hh, W_qh, H, dO, **options)


input_gradient = Exercise(
    "an_rnn_unrolled.input_gradient",
    chapter=CHAPTER,
    returns={"dX": "(T, d)"},
    reference=lambda W_hx, W_hh, W_qh, H, dO: _input_gradient(W_hx, W_hh, W_qh, H, dO),
    cases=[{name: net[name] for name in ("W_hx", "W_hh", "W_qh", "H", "dO")} for net in _NETWORKS],
    mistakes=[
        Mistake(
            "future path dropped",
            _input_mistake(future=False),
            "each input hears from the loss of its own step alone. x_t acts on all later losses "
            "too, through h_t and the states after it.",
            "Going back, edge by edge",
        ),
        Mistake(
            "own loss dropped",
            _input_mistake(own=False),
            "only the last step receives its loss. Here every step has one: add W_qh^T dL/do_t "
            "at every t.",
            "Going back, edge by edge",
        ),
        Mistake(
            "W_hh not transposed",
            _input_mistake(transpose=False),
            "the adjoint goes back through W_hh instead of its transpose. On the way back unit b "
            "collects from all units that it fed: the column b of W_hh.",
            "Many units",
        ),
        Mistake(
            "slope forgotten",
            _input_mistake(slope=False),
            "no slope appears: this is the way back through an identity network.",
            "The same with tanh",
        ),
        Mistake(
            "slope at h_{t-1}",
            _input_mistake(slope_from=-1),
            "the slope is taken from h_{t-1}. dL/dz_t needs 1 - h_t^2, and h_t is H[t], while "
            "dL/do_t is dO[t - 1].",
            "Many units",
        ),
        Mistake(
            "future taken from dL/dh",
            _input_mistake(future_from_z=False),
            "the message from the next state left before its slope. Send W_hh^T dL/dz_{t+1}, not "
            "W_hh^T dL/dh_{t+1}.",
            "Many units",
        ),
        Mistake(
            "slope forgotten at the end",
            _input_mistake(slope_in_the_end=False),
            "the adjoints of the states are right, but x_t enters z_t, in front of the tanh. "
            "Multiply W_hx^T with dL/dz_t, not with dL/dh_t.",
            "The same with tanh",
        ),
        Mistake(
            "summed over time",
            _input_mistake(sum_over_time=True),
            "you added the terms of all later steps. An input is used once; what happens later "
            "is already inside the adjoint of z_t.",
            "One weight, four uses",
        ),
    ],
    hints=(
        "How many arrows leave x_t in the unrolled graph, and where do they lead?",
        "Find dL/dz_t for all steps by walking back from t = T; then one arrow leads from z_t to "
        "x_t, with W_hx on it.",
        'The way back is eq-unrolled-backward-state, then eq-unrolled-backward-z, in "Many units".',
    ),
    insight="An input is used once, so no sum stands in front; the adjoint of z_t knows the rest.",
)
