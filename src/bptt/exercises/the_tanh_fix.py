"""Exercises of chapter 6, "The tanh fix", with the wrong answers that readers gave."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from math import prod

import torch
from torch import Tensor

from bptt.exercises.engine import Exercise, Mistake
from bptt.rnn import RNN

CHAPTER = "chapter 6, The tanh fix"


def _network(n: int, d: int, q: int, T: int, seed: int) -> dict[str, Tensor]:
    """A generic tanh network, one sequence long, with a loss at every step."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    rnn = RNN(normal(n, d), normal(n, n) / n**0.5, normal(q, n))
    X, h0, dO = normal(T, d), normal(n), normal(T, q)
    H = rnn(X[:, None], h0[None]).H[:, 0]
    return {"W_hx": rnn.W_hx, "W_hh": rnn.W_hh, "W_qh": rnn.W_qh, "X": X, "H": H, "dO": dO}


_NETWORKS = (_network(3, 2, 4, 7, seed=61), _network(4, 3, 2, 9, seed=62))


# ---- 1. by hand ----------------------------------------------------------------------------

_H = (2.0, 0.5, -0.2, 0.6)  # h_0 ... h_3
_W = 3.0


def _uses(slopes: tuple[float, ...], states: tuple[float, ...], skip: int = 0) -> dict[str, float]:
    """What each use of the weight contributes to dh_3/dw, and the sum.

    ``slopes[i]`` is that of step i; ``skip=1`` leaves out the slope of each term's own step.
    """
    terms = {
        name: prod(slopes[j + skip :]) * _W ** (3 - j) * states[j - 1]
        for j, name in ((3, "third"), (2, "second"), (1, "first"))
    }
    return terms | {"total": sum(terms.values())}


_SLOPES = tuple(1 - h**2 for h in _H)


def _without_weights() -> dict[str, float]:
    powers = {"third": 1, "second": _W, "first": _W**2}
    terms = {name: _uses(_SLOPES, _H)[name] / power for name, power in powers.items()}
    return terms | {"total": sum(terms.values())}


def _exchanged(uses: dict[str, float]) -> dict[str, float]:
    return {"third": uses["first"], "first": uses["third"]}


by_hand = Exercise(
    "the_tanh_fix.by_hand",
    chapter=CHAPTER,
    returns=dict.fromkeys(("third", "second", "first", "total"), "()"),
    reference=_uses(_SLOPES, _H),
    tolerance=2e-3,
    mistakes=[
        Mistake(
            "tanh' forgotten",
            _uses((1.0,) * 4, _H),
            "no term carries a slope. That is the derivative of the identity network, whose "
            "states are z_t and not tanh(z_t).",
            "One unit, by hand",
        ),
        Mistake(
            "one factor short",
            _uses(_SLOPES, _H, skip=1),
            "each term lacks the slope of its own step. The term of step j passes through "
            "tanh at steps j, j+1, ..., t: that is t - j + 1 slopes, one more than the lag.",
            "One unit, by hand",
        ),
        Mistake(
            "slope at h_{t-1}",
            _uses((0.0, *_SLOPES[:3]), _H),
            "the slopes are taken one step too early, at h_{t-1}. The tanh of step t produces "
            "h_t, so its slope is 1 - h_t^2.",
            "The slope is known from the state",
        ),
        Mistake(
            "h_t for h_{t-1}",
            _uses(_SLOPES, _H[1:]),
            "each term multiplies the state that step j produced, h_j. The weight met the state "
            "before it, h_{j-1}.",
            "One unit, by hand",
        ),
        Mistake(
            "w forgotten",
            _without_weights(),
            "the weight itself is missing. A nudge passes the weight once for each step after its "
            "own.",
            "One unit, by hand",
        ),
        Mistake(
            "first and third exchanged",
            _uses(_SLOPES, _H) | _exchanged(_uses(_SLOPES, _H)),
            "the first and the third use are exchanged. The first use is that of step 1, which met "
            "h_0 and has the longest way.",
            "One unit, by hand",
        ),
        Mistake(
            "last use only",
            {"third": 0.64 * -0.2, "second": 0.0, "first": 0.0, "total": 0.64 * -0.2},
            "only the last use of the weight counts. Nudging w also changes h_1 and h_2, and "
            "both still act on h_3.",
            "One unit, by hand",
        ),
    ],
    hints=(
        "Write down the three slopes first: 1 - h_t^2 for t = 1, 2, 3.",
        "The term of the second use: the weight met h_1; then it passes the tanh of step 2, "
        "the weight, and the tanh of step 3.",
        'Use eq-tanh-scalar in "One unit, by hand", with t = 3, one j at a time.',
    ),
    insight="Each term carries one slope more than its lag: the step's own tanh counts too.",
)


# ---- 2. the step Jacobian ------------------------------------------------------------------


def _step_jacobian(W_hh: Tensor, h_before: Tensor, h: Tensor) -> Tensor:
    return torch.diag(1 - h**2) @ W_hh


step_jacobian = Exercise(
    "the_tanh_fix.step_jacobian",
    chapter=CHAPTER,
    returns={"J": "(n, n)"},
    reference=_step_jacobian,
    cases=[{"W_hh": net["W_hh"], "h_before": net["H"][4], "h": net["H"][5]} for net in _NETWORKS],
    mistakes=[
        Mistake(
            "tanh' forgotten",
            lambda W_hh, h_before, h: W_hh.clone(),
            "this is W_hh alone, the step Jacobian of the identity network. The tanh between "
            "z_t and h_t is missing.",
            "The step Jacobian",
        ),
        Mistake(
            "slope at h_{t-1}",
            lambda W_hh, h_before, h: torch.diag(1 - h_before**2) @ W_hh,
            "the slope is taken at h_{t-1}. The tanh of this step produced h_t, so its slope is "
            "1 - h_t^2.",
            "The slope is known from the state",
        ),
        Mistake(
            "columns scaled",
            lambda W_hh, h_before, h: W_hh * (1 - h**2),
            "the slopes multiply the columns of W_hh. Slope a belongs to output unit a, and "
            "outputs are rows of a Jacobian. In code a vector of length n multiplies columns "
            "unless you write (1 - h**2)[:, None].",
            "The step Jacobian",
        ),
        Mistake(
            "W_hh transposed",
            lambda W_hh, h_before, h: torch.diag(1 - h**2) @ W_hh.T,
            "W_hh is transposed. The Jacobian carries changes forward, as W_hh itself does; the "
            "transpose belongs to the backward pass.",
            "The step Jacobian",
        ),
        Mistake(
            "tanh applied twice",
            lambda W_hh, h_before, h: torch.diag(1 - torch.tanh(h) ** 2) @ W_hh,
            "tanh is applied to h_t once more. h_t is already tanh(z_t), so the slope is "
            "1 - h_t^2 as it stands.",
            "The slope is known from the state",
        ),
        Mistake(
            "slope not squared",
            lambda W_hh, h_before, h: torch.diag(1 - h) @ W_hh,
            "the slope is written 1 - h_t. The derivative of tanh has the square: 1 - h_t^2.",
            "The slope is known from the state",
        ),
    ],
    hints=(
        "Entry (a, b) asks: when unit b of h_{t-1} moves, how much does unit a of h_t move?",
        "First z_a moves by W_hh[a, b]; then tanh passes on the share 1 - h_a^2.",
        'The equation is eq-tanh-jacobian, in "The step Jacobian".',
    ),
    insight="Row a is scaled by the slope of unit a: a saturated unit has a row of zeros.",
)


# ---- 3. the product of step Jacobians ------------------------------------------------------


def _product(W_hh: Tensor, H: Tensor, t: int) -> Tensor:
    J = torch.eye(len(W_hh), dtype=W_hh.dtype)
    for i in range(t + 1, len(H)):
        J = torch.diag(1 - H[i] ** 2) @ W_hh @ J
    return J


def _product_of(factors: Iterable[Tensor]) -> Tensor:
    """The latest factor leftmost."""
    return reduce(lambda earlier, factor: factor @ earlier, factors)


def _product_reversed(W_hh: Tensor, H: Tensor, t: int) -> Tensor:
    J = torch.eye(len(W_hh), dtype=W_hh.dtype)
    for i in range(t + 1, len(H)):
        J = J @ torch.diag(1 - H[i] ** 2) @ W_hh
    return J


def _product_pulled_out(W_hh: Tensor, H: Tensor, t: int) -> Tensor:
    lag = len(H) - 1 - t
    return torch.diag((1 - H[t + 1 :] ** 2).prod(0)) @ torch.linalg.matrix_power(W_hh, lag)


def _product_one_step_early(W_hh: Tensor, H: Tensor, t: int) -> Tensor:
    J = torch.eye(len(W_hh), dtype=W_hh.dtype)
    for i in range(t + 1, len(H)):
        J = torch.diag(1 - H[i - 1] ** 2) @ W_hh @ J
    return J


def _product_one_short(W_hh: Tensor, H: Tensor, t: int) -> Tensor:
    return _product(W_hh, H[:-1], t)


def _product_one_factor_short(W_hh: Tensor, H: Tensor, t: int) -> Tensor:
    """The power of W_hh is right, one slope is missing: that of the last step."""
    return W_hh @ _product(W_hh, H[:-1], t)


def _product_one_too_many(W_hh: Tensor, H: Tensor, t: int) -> Tensor:
    return _product(W_hh, H, t) @ torch.diag(1 - H[t] ** 2) @ W_hh


jacobian_product = Exercise(
    "the_tanh_fix.jacobian_product",
    chapter=CHAPTER,
    returns={"J": "(n, n)"},
    reference=_product,
    cases=[
        {"W_hh": _NETWORKS[0]["W_hh"], "H": _NETWORKS[0]["H"], "t": 3},
        {"W_hh": _NETWORKS[1]["W_hh"], "H": _NETWORKS[1]["H"], "t": 0},
        {"W_hh": _NETWORKS[1]["W_hh"], "H": _NETWORKS[1]["H"], "t": 8},
    ],
    mistakes=[
        Mistake(
            "factors pulled out",
            _product_pulled_out,
            "all slopes stand in front of the power of W_hh. The slopes are diagonal matrices; "
            "they do not commute with W_hh, so each must stay at its own step.",
            "What the reader had right",
        ),
        Mistake(
            "order reversed",
            _product_reversed,
            "the factors stand in the order of time, first step on the left. A matrix acts on "
            "what stands at its right: the earliest step stands rightmost.",
            "A product with an order",
        ),
        Mistake(
            "last step missing",
            _product_one_short,
            "the product ends at h_{T-1}: the last step, with its slope and its W_hh, is missing.",
            "A product with an order",
        ),
        Mistake(
            "factors counted one short",
            _product_one_factor_short,
            "there are T - t factors W_hh, but only T - t - 1 slopes: the slope of the last "
            "step is missing.",
            "A product with an order",
        ),
        Mistake(
            "one step too many",
            _product_one_too_many,
            "the product begins at h_{t-1}: the step that produced h_t is counted too.",
            "A product with an order",
        ),
        Mistake(
            "tanh' forgotten",
            lambda W_hh, H, t: torch.linalg.matrix_power(W_hh, len(H) - 1 - t),
            "this is the power of W_hh alone, the identity network.",
            "A product with an order",
        ),
        Mistake(
            "columns scaled",
            lambda W_hh, H, t: _product_of(W_hh * (1 - h**2) for h in H[t + 1 :]),
            "in each factor the slopes multiply the columns of W_hh. In code a vector of length n "
            "does that unless you make it a column: (1 - h**2)[:, None].",
            "The step Jacobian",
        ),
        Mistake(
            "W_hh transposed",
            lambda W_hh, H, t: _product(W_hh.T, H, t),
            "W_hh is transposed in each factor. This product carries changes forward, as W_hh "
            "itself does; the transpose belongs to the backward pass.",
            "The step Jacobian",
        ),
        Mistake(
            "slope at h_{t-1}",
            _product_one_step_early,
            "each slope is taken at the state before its step. Step i produces h_i, so its slope "
            "is 1 - h_i^2.",
            "The slope is known from the state",
        ),
    ],
    hints=(
        "H has T + 1 rows; row i is h_i. How many steps lead from h_t to h_T?",
        "Start with the identity matrix and multiply one step Jacobian after the other from the "
        "left, i = t+1, ..., T.",
        'The equation is eq-tanh-product, in "A product with an order".',
    ),
    insight="The slopes and W_hh stay interleaved; only one unit, or a special W_hh, hides that.",
)


# ---- 4. the adjoints -----------------------------------------------------------------------


def _adjoints(
    W_hh: Tensor,
    W_qh: Tensor,
    H: Tensor,
    dO: Tensor,
    *,
    slope_from: int = 1,
    forget_slope: bool = False,
    transpose: bool = True,
    future: bool = True,
    direct: bool = True,
    future_from_z: bool = True,
    slope_on: str = "both",
    return_state_adjoint: bool = False,
) -> Tensor:
    """dL/dz_t for t = 1..T; the options make the known mistakes."""
    T = len(dO)
    dH = torch.zeros(T, len(W_hh), dtype=W_hh.dtype)
    dZ = torch.zeros_like(dH)
    back = W_hh.T if transpose else W_hh
    for row in reversed(range(T)):
        is_last = row == T - 1
        own = W_qh.T @ dO[row] if direct or is_last else torch.zeros_like(dH[row])
        later = torch.zeros_like(own)
        if future and not is_last:
            later = back @ (dZ if future_from_z else dH)[row + 1]
        slope = torch.ones_like(own) if forget_slope else 1 - H[row + slope_from] ** 2
        dH[row] = own + later
        dZ[row] = {
            "both": slope * (own + later),
            "future": own + slope * later,
            "direct": slope * own + later,
        }[slope_on]
    return dH if return_state_adjoint else dZ


def _adjoints_pulled_out(W_hh: Tensor, W_qh: Tensor, H: Tensor, dO: Tensor) -> Tensor:
    T = len(dO)
    slopes = 1 - H[1:] ** 2
    rows = [
        sum(
            slopes[row : i + 1].prod(0)
            * (torch.linalg.matrix_power(W_hh.T, i - row) @ (W_qh.T @ dO[i]))
            for i in range(row, T)
        )
        for row in range(T)
    ]
    return torch.stack(rows)


def _adjoints_mistake(**options):
    return lambda W_hh, W_qh, H, dO: _adjoints(W_hh, W_qh, H, dO, **options)


adjoints = Exercise(
    "the_tanh_fix.adjoints",
    chapter=CHAPTER,
    returns={"dZ": "(T, n)"},
    reference=lambda W_hh, W_qh, H, dO: _adjoints(W_hh, W_qh, H, dO),
    cases=[{name: net[name] for name in ("W_hh", "W_qh", "H", "dO")} for net in _NETWORKS],
    mistakes=[
        Mistake(
            "tanh' forgotten",
            _adjoints_mistake(forget_slope=True),
            "no slope appears anywhere: this is the backward pass of the identity network, run "
            "on the states of a tanh network.",
            "The backward pass",
        ),
        Mistake(
            "slope at h_{t-1}",
            _adjoints_mistake(slope_from=0),
            "row t - 1 of H is h_{t-1}, and you took the slope there. The slope of step t is "
            "1 - h_t^2: H has one row more than dO.",
            "The slope is known from the state",
        ),
        Mistake(
            "W_hh not transposed",
            _adjoints_mistake(transpose=False),
            "the adjoint goes back through W_hh instead of its transpose. W_hh[a, b] carries "
            "unit b forward to unit a; the way back goes from a to b.",
            "The backward pass",
        ),
        Mistake(
            "future path dropped",
            _adjoints_mistake(future=False),
            "each step listens to its own output alone. h_t also acts on all later losses, "
            "through z_{t+1}.",
            "The backward pass",
        ),
        Mistake(
            "direct path dropped",
            _adjoints_mistake(direct=False),
            "only the last step receives its loss. Here every step has a loss of its own: add "
            "W_qh^T dL/do_t at every t.",
            "The backward pass",
        ),
        Mistake(
            "future taken from dL/dh",
            _adjoints_mistake(future_from_z=False),
            "the message of step t+1 left before it passed the tanh of that step. Send "
            "W_hh^T dL/dz_{t+1}, not W_hh^T dL/dh_{t+1}.",
            "The backward pass",
        ),
        Mistake(
            "slope on the future alone",
            _adjoints_mistake(slope_on="future"),
            "the slope multiplies what comes from the future alone. Both paths start behind the "
            "tanh of step t: add them first, then multiply the sum.",
            "The backward pass",
        ),
        Mistake(
            "slope on the own loss alone",
            _adjoints_mistake(slope_on="direct"),
            "the slope multiplies the step's own loss alone. Add both paths first, then multiply.",
            "The backward pass",
        ),
        Mistake(
            "factors pulled out",
            _adjoints_pulled_out,
            "the slopes between two steps stand in front of a power of the transposed W_hh. They "
            "do not commute with it: each must stay at its own step.",
            "What the reader had right",
        ),
        Mistake(
            "dL/dh returned",
            _adjoints_mistake(return_state_adjoint=True),
            "this is dL/dh_t. The question asks for dL/dz_t, one slope further.",
            "The backward pass",
        ),
    ],
    hints=(
        "Begin with the last step: nothing comes after it, so only its own output asks for h_T.",
        "At each earlier step add two parts: W_qh.T @ dO[...] and W_hh.T @ (dZ of the step after). "
        "Then multiply by the slope of this step.",
        'The equations are eq-tanh-adjoint-state and eq-tanh-adjoint-z, in "The backward pass".',
    ),
    insight="Every way back from z_t begins with the slope of step t, whatever comes later.",
)


# ---- 5. the weight gradients ---------------------------------------------------------------


def _weight_gradients(X: Tensor, H: Tensor, dZ: Tensor) -> dict[str, Tensor]:
    return {"dW_hx": dZ.T @ X, "dW_hh": dZ.T @ H[:-1]}


weight_gradients = Exercise(
    "the_tanh_fix.weight_gradients",
    chapter=CHAPTER,
    returns={"dW_hx": "(n, d)", "dW_hh": "(n, n)"},
    reference=_weight_gradients,
    cases=[
        {
            "X": net["X"],
            "H": net["H"],
            "dZ": _adjoints(net["W_hh"], net["W_qh"], net["H"], net["dO"]),
        }
        for net in _NETWORKS
    ],
    mistakes=[
        Mistake(
            "h_t for h_{t-1}",
            lambda X, H, dZ: {"dW_hx": dZ.T @ X, "dW_hh": dZ.T @ H[1:]},
            "W_hh is paired with h_t. At step t the weight multiplies the state before it, "
            "h_{t-1}: the rows H[0] to H[T-1].",
            "The three weight gradients and the initial state",
        ),
        Mistake(
            "outer product swapped",
            lambda X, H, dZ: {"dW_hx": X.T @ dZ, "dW_hh": H[:-1].T @ dZ},
            "the outer product is swapped. A gradient has the shape of its weight: rows belong "
            "to z (the adjoint), columns to what the weight multiplied.",
            "The three weight gradients and the initial state",
        ),
        Mistake(
            "swapped for W_hh alone",
            lambda X, H, dZ: {"dW_hx": dZ.T @ X, "dW_hh": H[:-1].T @ dZ},
            "the outer product of dW_hh is swapped. No shape warns you here, because W_hh is "
            "square: the adjoint belongs to the rows.",
            "The three weight gradients and the initial state",
        ),
        Mistake(
            "first step dropped",
            lambda X, H, dZ: {"dW_hx": dZ.T @ X, "dW_hh": dZ[1:].T @ H[1:-1]},
            "the first step is missing in dW_hh. It pairs dL/dz_1 with h_0, which is not zero "
            "here; a zero initial state would have hidden this.",
            "The three weight gradients and the initial state",
        ),
        Mistake(
            "first step dropped in both",
            lambda X, H, dZ: {"dW_hx": dZ[1:].T @ X[1:], "dW_hh": dZ[1:].T @ H[1:-1]},
            "the first step is missing in both gradients. Step 1 uses the weights too, on x_1 and "
            "h_0.",
            "The three weight gradients and the initial state",
        ),
        Mistake(
            "slope applied twice",
            lambda X, H, dZ: {
                "dW_hx": (dZ * (1 - H[1:] ** 2)).T @ X,
                "dW_hh": (dZ * (1 - H[1:] ** 2)).T @ H[:-1],
            },
            "the slope is applied a second time. dL/dz_t already contains it; it stands in the "
            "formula only where dL/dh_t does.",
            "The three weight gradients and the initial state",
        ),
        Mistake(
            "averaged over steps",
            lambda X, H, dZ: {"dW_hx": dZ.T @ X / len(X), "dW_hh": dZ.T @ H[:-1] / len(X)},
            "the sum over steps is divided by T. If the loss is a mean, the 1/T is already "
            "inside dL/dz_t; the weight's uses add up.",
            "The three weight gradients and the initial state",
        ),
        Mistake(
            "last step only",
            lambda X, H, dZ: {
                "dW_hx": torch.outer(dZ[-1], X[-1]),
                "dW_hh": torch.outer(dZ[-1], H[-2]),
            },
            "only the last use of each weight counts. The same weight acts at every step, and "
            "the gradient is the sum.",
            "The three weight gradients and the initial state",
        ),
    ],
    hints=(
        "Which vector did W_hh multiply at step t? And W_hx?",
        "At one step the gradient is the outer product of dL/dz_t and that vector. Add up the "
        "steps; one matrix product does it.",
        'The equations are eq-tanh-grad-hx and eq-tanh-grad-hh, in "The three weight '
        'gradients and the initial state".',
    ),
    insight="One matrix product sums over all steps: dZ.T times what the weight multiplied.",
)


# ---- 6. a prediction: when may the slopes be pulled out? -----------------------------------

_EXACT = {
    "one unit": True,
    "W_hh diagonal": True,
    "W_hh symmetric": False,
    "W_hh orthogonal": False,
    "all units in the same state": True,
    "all slopes below 0.1": False,
}

where_exact = Exercise(
    "the_tanh_fix.where_exact",
    chapter=CHAPTER,
    returns=dict.fromkeys(_EXACT, "()"),
    reference=_EXACT,
    options=(True, False),
    mistakes=[
        Mistake(
            "one unit is enough to fail",
            _EXACT | {"one unit": False},
            "with one unit all factors are numbers, and numbers commute. A test with n = 1 "
            "cannot see the mistake at all.",
            "What the reader had right",
        ),
        Mistake(
            "diagonal matrices do not commute",
            _EXACT | {"W_hh diagonal": False},
            "two diagonal matrices do commute: n units that never talk to each other are n "
            "networks of one unit.",
            "What the reader had right",
        ),
        Mistake(
            "symmetric is enough",
            _EXACT | {"W_hh symmetric": True},
            "symmetry of W_hh does not help. The counterexample of the chapter is symmetric: it "
            "swaps two units that have different slopes.",
            "What the reader had right",
        ),
        Mistake(
            "orthogonal is enough",
            _EXACT | {"W_hh orthogonal": True},
            "an orthogonal matrix keeps lengths, but it mixes units, and then the slope of the "
            "wrong unit is applied. The swap of two units is orthogonal.",
            "What the reader had right",
        ),
        Mistake(
            "equal slopes overlooked",
            _EXACT | {"all units in the same state": False},
            "if all units have the same value at a step, the slope matrix is a number times I, and "
            "that commutes with every W_hh.",
            "What the reader had right",
        ),
        Mistake(
            "small slopes are enough",
            _EXACT | {"all slopes below 0.1": True},
            "small slopes make both products small, so the absolute error is small. The relative "
            "error is not: what counts is whether the slopes of mixed units differ.",
            "What the reader had right",
        ),
    ],
    hints=(
        "Ask in each case: does D W_hh equal W_hh D, for the diagonal matrix D of the slopes?",
        "Entry (a, b) of D W_hh - W_hh D is (D_a - D_b) W_ab. Which condition makes all of them "
        "zero?",
        "The equation is eq-tanh-commute; the figure of the pulled-out product has four kinds of "
        "W_hh to try."
        ' See "What the reader had right".',
    ),
    insight="Pulling out is exact when no two units with different slopes are connected.",
)


# ---- 7. the commutator, with a proof -------------------------------------------------------

commutator = Exercise(
    "the_tanh_fix.commutator",
    chapter=CHAPTER,
    returns={"C": "(n, n)"},
    reference=lambda W_hh, h: (h**2 - (h**2)[:, None]) * W_hh,
    cases=[{"W_hh": net["W_hh"], "h": net["H"][5]} for net in _NETWORKS],
    mistakes=[
        Mistake(
            "sign swapped",
            lambda W_hh, h: ((h**2)[:, None] - h**2) * W_hh,
            "this is W_hh D - D W_hh: the sign is swapped. In D W_hh the slope belongs to the "
            "row, and that term comes first.",
            "What the reader had right",
        ),
        Mistake(
            "slopes added",
            lambda W_hh, h: (2 - (h**2)[:, None] - h**2) * W_hh,
            "the two products are added, not subtracted.",
            "What the reader had right",
        ),
        Mistake(
            "states for slopes",
            lambda W_hh, h: (h[:, None] - h) * W_hh,
            "the states stand where the slopes belong: D holds 1 - h_a^2, not h_a.",
            "The slope is known from the state",
        ),
        Mistake(
            "tanh applied twice",
            lambda W_hh, h: (torch.tanh(h) ** 2 - (torch.tanh(h) ** 2)[:, None]) * W_hh,
            "tanh is applied to h once more. h is already tanh(z), so the slope is 1 - h^2.",
            "The slope is known from the state",
        ),
        Mistake(
            "D W_hh alone",
            lambda W_hh, h: (1 - h**2)[:, None] * W_hh,
            "this is D W_hh alone; W_hh D, with the columns scaled, is still to be subtracted.",
            "What the reader had right",
        ),
        Mistake(
            "W_hh transposed",
            lambda W_hh, h: (h**2 - (h**2)[:, None]) * W_hh.T,
            "W_hh is transposed: entry (a, b) of the answer contains W_hh[a, b].",
            "What the reader had right",
        ),
    ],
    hints=(
        "Row a of D W_hh is row a of W_hh times the slope of unit a.",
        "Column b of W_hh D is column b of W_hh times the slope of unit b. Subtract, entry by "
        "entry.",
        'The equation is eq-tanh-commute, in "What the reader had right".',
    ),
    insight="The commutator is zero exactly where slopes agree or no weight connects the units.",
)
