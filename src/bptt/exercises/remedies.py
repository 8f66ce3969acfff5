"""Exercises of chapter 9, "Remedies", with the wrong answers that learners give."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from bptt.exercises.engine import Exercise, Mistake

CHAPTER = "chapter 9, Remedies"


def _normal(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


# ---- 1. by hand ----------------------------------------------------------------------------


def _two_clippings(
    by_norm: tuple[float, float] = (4.8, -1.4),
    by_value: tuple[float, float] = (5.0, -5.0),
    cosine: float | None = None,
) -> dict[str, float]:
    if cosine is None:
        dot = 24 * by_value[0] - 7 * by_value[1]
        cosine = dot / (25 * math.hypot(*by_value))
    return {
        "norm_1": by_norm[0],
        "norm_2": by_norm[1],
        "value_1": by_value[0],
        "value_2": by_value[1],
        "cosine": cosine,
    }


_CLIPPED = _two_clippings()

by_hand = Exercise(
    "remedies.by_hand",
    chapter=CHAPTER,
    returns=dict.fromkeys(_CLIPPED, "()"),
    reference=_CLIPPED,
    tolerance=2e-3,
    mistakes=[
        Mistake(
            "the two swapped",
            _two_clippings((5.0, -5.0), (4.8, -1.4), _CLIPPED["cosine"]),
            "you swapped the two. By norm is the one that multiplies both entries by one number.",
            "Clipping the finished gradient",
        ),
        Mistake(
            "scaled by the largest entry",
            _two_clippings(by_norm=(5.0, -35 / 24)),
            "for clipping by norm you scaled the largest entry to 5. The norm is the length of "
            "the whole vector.",
            "Clipping the finished gradient",
        ),
        Mistake(
            "sum of absolute values",
            _two_clippings(by_norm=(120 / 31, -35 / 31)),
            "for clipping by norm you divided by 24 + 7. The norm is the root of the sum of "
            "squares.",
            "Clipping the finished gradient",
        ),
        Mistake(
            "squared norm",
            _two_clippings(by_norm=(120 / 625, -35 / 625)),
            "for clipping by norm you divided by the squared norm, 625. Take the root.",
            "Clipping the finished gradient",
        ),
        Mistake(
            "cut from above alone",
            _two_clippings(by_value=(5.0, -7.0)),
            "by value you cut the entry 24 and let -7 pass. The threshold limits the size of an "
            "entry, also of a negative one.",
            "Clipping the finished gradient",
        ),
        Mistake(
            "sign lost",
            _two_clippings(by_value=(5.0, 5.0)),
            "by value you lost the sign of the second entry. Cutting limits its size and keeps its "
            "sign.",
            "Clipping the finished gradient",
        ),
        Mistake(
            "by value scaled by the largest entry",
            _two_clippings(by_value=(5.0, -35 / 24)),
            "by value you multiplied both entries by one number, so that the larger one fits. By "
            "value each entry is cut on its own.",
            "Clipping the finished gradient",
        ),
        Mistake(
            "by norm left as it was",
            _two_clippings(by_norm=(24.0, -7.0)),
            "for clipping by norm you left the gradient as it was. Compare its norm with the "
            "threshold: it is longer.",
            "Clipping the finished gradient",
        ),
        Mistake(
            "cosine with the vector clipped by norm",
            _two_clippings(cosine=1.0),
            "your cosine says that the direction stays. That holds for the vector clipped by "
            "norm; the question is about the one clipped by value.",
            "Clipping the finished gradient",
        ),
        Mistake(
            "sine, or a sign lost in the product",
            _two_clippings(cosine=85 / (25 * math.hypot(5, 5))),
            "your cosine is the sine of the angle. The same number comes out if the product of "
            "the two second entries gets a minus sign; both entries are negative.",
            "Clipping the finished gradient",
        ),
        Mistake(
            "angle in degrees",
            _two_clippings(cosine=math.degrees(math.acos(_CLIPPED["cosine"]))),
            "you gave the angle in degrees where its cosine is asked for.",
            "Clipping the finished gradient",
        ),
        Mistake(
            "not divided by the norms",
            _two_clippings(cosine=155.0),
            "you gave the product of the two vectors. Divide it by both norms for the cosine.",
            "Clipping the finished gradient",
        ),
    ],
    hints=(
        "24, 7 and 25 make a right triangle.",
        "The cosine of the angle is the product of the two vectors, divided by both norms.",
        "By norm is eq-remedy-norm, by value is eq-remedy-value."
        ' See "Clipping the finished gradient".',
    ),
    insight="By norm the arrow keeps its direction; by value it has turned by 29 degrees.",
)


# ---- 2. one clipped step -------------------------------------------------------------------

_Step = dict[str, Tensor]


def _step(W_hh, W_qh, dW_hh, dW_qh, rate, scales) -> _Step:
    """One step of gradient descent with a scale for each gradient."""
    return {"W_hh": W_hh - rate * scales[0] * dW_hh, "W_qh": W_qh - rate * scales[1] * dW_qh}


def _norm(*gradients: Tensor) -> float:
    return math.sqrt(sum(float((g**2).sum()) for g in gradients))


def _limited(norm: float, threshold: float) -> float:
    return threshold / norm if norm > threshold else 1.0


def _clipped_step(W_hh, W_qh, dW_hh, dW_qh, rate, threshold) -> _Step:
    norm = _norm(dW_hh, dW_qh)
    if not math.isfinite(norm):
        return {"W_hh": W_hh.clone(), "W_qh": W_qh.clone()}
    return _step(W_hh, W_qh, dW_hh, dW_qh, rate, [_limited(norm, threshold)] * 2)


def _step_mistake(scale_of):
    """A step whose common scale comes from both gradients in another way."""

    def answer(W_hh, W_qh, dW_hh, dW_qh, rate, threshold):
        return _step(W_hh, W_qh, dW_hh, dW_qh, rate, [scale_of(dW_hh, dW_qh, rate, threshold)] * 2)

    return answer


def _or_skipped(step):
    """The same step, but none if the gradient is not finite."""

    def answer(W_hh, W_qh, dW_hh, dW_qh, rate, threshold):
        if not math.isfinite(_norm(dW_hh, dW_qh)):
            return {"W_hh": W_hh.clone(), "W_qh": W_qh.clone()}
        return step(W_hh, W_qh, dW_hh, dW_qh, rate, threshold)

    return answer


def _each_alone(W_hh, W_qh, dW_hh, dW_qh, rate, threshold):
    scales = [_limited(_norm(g), threshold) for g in (dW_hh, dW_qh)]
    return _step(W_hh, W_qh, dW_hh, dW_qh, rate, scales)


def _by_value(W_hh, W_qh, dW_hh, dW_qh, rate, threshold):
    cut = [g.clamp(-threshold, threshold) for g in (dW_hh, dW_qh)]
    return _step(W_hh, W_qh, *cut, rate, [1.0, 1.0])


def _up(W_hh, W_qh, dW_hh, dW_qh, rate, threshold):
    scale = _limited(_norm(dW_hh, dW_qh), threshold)
    return _step(W_hh, W_qh, dW_hh, dW_qh, -rate, [scale, scale])


def _step_case(
    n: int, q: int, size: float, seed: int, ratio: float = 1 / 3, spoil: float | None = None
) -> dict:
    generator = torch.Generator().manual_seed(seed)
    shapes = ((n, n), (q, n), (n, n), (q, n))
    W_hh, W_qh, dW_hh, dW_qh = (_normal(generator, *shape) for shape in shapes)
    dW_hh, dW_qh = size * dW_hh, size * ratio * dW_qh
    if spoil is not None:
        dW_qh[0, 0] = spoil
    names = ("W_hh", "W_qh", "dW_hh", "dW_qh")
    tensors = dict(zip(names, (W_hh, W_qh, dW_hh, dW_qh), strict=True))
    return tensors | {"rate": 0.5, "threshold": 2.0}


clipped_step = Exercise(
    "remedies.clipped_step",
    chapter=CHAPTER,
    returns={"W_hh": "(n, n)", "W_qh": "(q, n)"},
    reference=_clipped_step,
    cases=[
        _step_case(3, 4, 10.0, seed=91),  # long: clipped
        _step_case(4, 2, 0.1, seed=92),  # short: not clipped
        _step_case(3, 2, 0.0, seed=93),  # zero
        _step_case(2, 3, 1.0, seed=94, spoil=math.inf),
        _step_case(2, 4, 5.0, seed=90, ratio=2.0),  # long: the second gradient more than the first
    ],
    tolerance=1e-6,  # PyTorch's clip_grad_norm_ adds 1e-6 to the norm
    mistakes=[
        Mistake(
            "each gradient on its own",
            _each_alone,
            "each gradient was clipped with its own norm. All weights make one vector with one "
            "norm; otherwise the direction changes.",
            "Clipping the finished gradient",
        ),
        Mistake(
            "each gradient on its own, skipped together",
            _or_skipped(_each_alone),
            "you skip the step for both weights together, and clip each gradient with its own "
            "norm. One norm for all weights serves for both.",
            "Clipping the finished gradient",
        ),
        Mistake(
            "the larger norm",
            _step_mistake(
                lambda a, b, rate, threshold: _limited(max(_norm(a), _norm(b)), threshold)
            ),
            "you took the larger of the two norms. The norm of both together is no less than each "
            "of them: it comes from all squared entries.",
            "Clipping the finished gradient",
        ),
        Mistake(
            "by value",
            _by_value,
            "you cut the entries one by one. That is clipping by value, and it turns the "
            "direction.",
            "Clipping the finished gradient",
        ),
        Mistake(
            "not clipped",
            _step_mistake(lambda a, b, rate, threshold: 1.0),
            "your step used the raw gradients. Clipping must come between the backward pass and "
            "the step.",
            "Clipping the finished gradient",
        ),
        Mistake(
            "by value, or skipped",
            _or_skipped(_by_value),
            "you skip the step where you should, and elsewhere you cut the entries one by one. "
            "Clipping by norm multiplies all entries by one number.",
            "Clipping the finished gradient",
        ),
        Mistake(
            "not clipped, or skipped",
            _or_skipped(_step_mistake(lambda a, b, rate, threshold: 1.0)),
            "you skip the step where you should, and elsewhere it used the raw gradients. Shorten "
            "them where their norm exceeds the threshold.",
            "Clipping the finished gradient",
        ),
        Mistake(
            "norms added",
            _step_mistake(
                lambda a, b, rate, threshold: _limited(_norm(a) + _norm(b), threshold),
            ),
            "you added the two norms. The squares add up: take the root of the sum of all squared "
            "entries.",
            "Clipping the finished gradient",
        ),
        Mistake(
            "root forgotten",
            _step_mistake(lambda a, b, rate, threshold: _limited(_norm(a, b) ** 2, threshold)),
            "you compared the squared norm with the threshold: the root is missing.",
            "Clipping the finished gradient",
        ),
        Mistake(
            "short gradients stretched",
            _step_mistake(
                lambda a, b, rate, threshold: threshold / _norm(a, b) if _norm(a, b) else 1.0
            ),
            "you scaled short gradients to the threshold, too. They stay as they are: the scale "
            "is at most 1.",
            "Clipping the finished gradient",
        ),
        Mistake(
            "rate inside",
            _step_mistake(lambda a, b, rate, threshold: _limited(rate * _norm(a, b), threshold)),
            "you clipped the step, the rate times the gradient. The threshold belongs to the "
            "gradient.",
            "Clipping the finished gradient",
        ),
        Mistake(
            "uphill",
            _up,
            "you added the clipped gradient to the weights. Descent subtracts it.",
            "Clipping the finished gradient",
        ),
    ],
    hints=(
        "One norm for both gradients: the root of the sum of all squared entries.",
        "Four kinds of gradient are tried: long, short, zero, and one with an infinite entry. "
        "Infinity times zero is NaN, so look at the norm before you multiply.",
        "The scale is that of eq-remedy-norm, at most 1; if the norm is not finite, return the "
        "weights unchanged."
        ' See "Clipping the finished gradient".',
    ),
    insight="One norm, one scale, between backward pass and step; what is not finite is skipped.",
)


# ---- 3. the adjoint of the cell --------------------------------------------------------------


def _cell_adjoints(
    F: Tensor,
    P: Tensor,
    C: Tensor,
    dH: Tensor,
    *,
    gate_row: int = 1,
    slope: str = "tanh",
    output_gate: bool = True,
    future: bool = True,
    cell_row: int = 1,
    through_slope: bool = False,
) -> Tensor:
    """dL/dc_t for all steps; the options make the known mistakes."""
    T = len(F)
    dC, carried = torch.zeros_like(F), torch.zeros_like(F[0])
    for row in reversed(range(T)):
        c = C[row + cell_row]
        own = {"tanh": 1 - torch.tanh(c) ** 2, "none": torch.ones_like(c), "c": 1 - c**2}[slope]
        own = own * P[row] if output_gate else own
        dC[row] = own * (dH[row] + carried) if through_slope else own * dH[row] + carried
        if future and row + gate_row - 1 >= 0:
            carried = F[row + gate_row - 1] * dC[row]
    return dC


def _cell_mistake(**options):
    return lambda F, P, C, dH: _cell_adjoints(F, P, C, dH, **options)


def _cell_case(T: int, n: int, seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    F = torch.sigmoid(_normal(generator, T, n) + 1)
    P = torch.sigmoid(_normal(generator, T, n))
    return {"F": F, "P": P, "C": _normal(generator, T + 1, n), "dH": _normal(generator, T, n)}


cell_adjoints = Exercise(
    "remedies.cell_adjoints",
    chapter=CHAPTER,
    returns={"dC": "(T, n)"},
    reference=lambda F, P, C, dH: _cell_adjoints(F, P, C, dH),
    cases=[_cell_case(7, 3, seed=95), _cell_case(4, 2, seed=96), _cell_case(1, 3, seed=97)],
    mistakes=[
        Mistake(
            "f_t for f_{t+1}",
            _cell_mistake(gate_row=0),
            "what comes back from the next cell was multiplied by the forget gate f_t. The gate "
            "between c_t and c_{t+1} is that of step t+1.",
            "The LSTM and the adjoint of its cell",
        ),
        Mistake(
            "no future",
            _cell_mistake(future=False),
            "the path into the next cell is missing: c_t acts through c_{t+1} as well.",
            "The LSTM and the adjoint of its cell",
        ),
        Mistake(
            "slope forgotten",
            _cell_mistake(slope="none"),
            "between c_t and h_t stands a tanh, and its slope is missing.",
            "The LSTM and the adjoint of its cell",
        ),
        Mistake(
            "slope from c",
            _cell_mistake(slope="c"),
            "the slope was taken as 1 - c^2. The cell is what the tanh receives, not what it "
            "gives: the slope is 1 - tanh(c)^2.",
            "The LSTM and the adjoint of its cell",
        ),
        Mistake(
            "output gate forgotten",
            _cell_mistake(output_gate=False),
            "between c_t and h_t stands the output gate, and it is missing.",
            "The LSTM and the adjoint of its cell",
        ),
        Mistake(
            "future through the tanh",
            _cell_mistake(through_slope=True),
            "what comes back from the next cell was multiplied by the output gate and the slope, "
            "too. The cell's own path passes neither.",
            "The LSTM and the adjoint of its cell",
        ),
        Mistake(
            "cell one row early",
            _cell_mistake(cell_row=0),
            "the slope was taken at c_{t-1}. C has a row for step 0; row t of it is c_t.",
            "The LSTM and the adjoint of its cell",
        ),
    ],
    hints=(
        "Go from the last step to the first and carry one vector.",
        "c_t has two readers: h_t, through tanh and output gate, and c_{t+1}, through a gate.",
        "The formula is eq-remedy-lstm-cell. Row 0 of F, P and dH is step 1; row 0 of C is step 0."
        ' See "The LSTM and the adjoint of its cell".',
    ),
    insight="Along the cell the adjoint passes forget gates alone: no matrix and no tanh.",
)


# ---- 4. a prediction: what can come back ------------------------------------------------------

_LARGER = {
    "clipping by norm": False,
    "clipping by value": False,
    "clipping inside": False,
    "orthogonal start": True,
    "forget bias of an LSTM": True,
    "Jacobian penalty": True,
    "truncation": False,
    "checkpointing": False,
}

what_comes_back = Exercise(
    "remedies.what_comes_back",
    chapter=CHAPTER,
    returns=dict.fromkeys(_LARGER, "()"),
    reference=_LARGER,
    options=(True, False),
    mistakes=[
        Mistake(
            "by norm",
            _LARGER | {"clipping by norm": True},
            "the scale is at most 1 and one for all: no contribution gets larger in size, and "
            "their ratios stay.",
            "Clipping the finished gradient",
        ),
        Mistake(
            "by value",
            _LARGER | {"clipping by value": True},
            "cutting makes no entry larger in size. What it cuts is the finished sum over all "
            "steps: it cannot tell the contribution of an early step from the others.",
            "Clipping the finished gradient",
        ),
        Mistake(
            "inside",
            _LARGER | {"clipping inside": True},
            "each link's scale is at most 1, and long lags collect more of them: their "
            "contributions can get smaller in size, never larger.",
            "Clipping inside the backward pass",
        ),
        Mistake(
            "orthogonal",
            _LARGER | {"orthogonal start": False},
            "an orthogonal W_hh itself shrinks no message, only the slopes do. A random one of a "
            "small scale shrinks every message as well.",
            "Starting near an isometry",
        ),
        Mistake(
            "forget bias",
            _LARGER | {"forget bias of an LSTM": False},
            "a larger forget bias opens the gates, and their product is what the cell's path "
            "passes on.",
            "The LSTM and the adjoint of its cell",
        ),
        Mistake(
            "penalty",
            _LARGER | {"Jacobian penalty": False},
            "the penalty also counts messages that shrink. There its derivative asks for a W_hh "
            "that makes them longer, and after some updates W_hh can have followed.",
            "A penalty on growing messages",
        ),
        Mistake(
            "truncation",
            _LARGER | {"truncation": True},
            "truncation leaves long paths out. It makes none of them larger.",
            "Truncation, curvature, and what is no remedy",
        ),
        Mistake(
            "checkpointing",
            _LARGER | {"checkpointing": True},
            "checkpointing computes the same gradient with less memory, number by number.",
            "Truncation, curvature, and what is no remedy",
        ),
    ],
    hints=(
        "Ask whether it changes the network, or only cuts what the backward pass found.",
        "A factor that is at most 1 makes nothing larger.",
        "Compare eq-remedy-inside-sum with eq-remedy-lstm-path."
        ' See "Clipping inside the backward pass" and "The LSTM and the adjoint of its cell".',
    ),
    insight="Whoever cuts cannot bring back; only a changed network can.",
)


# ---- 5. find the mistake ----------------------------------------------------------------------


def _gradients(M: Tensor, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Of the loss (u^T M v - 1)^2 / 2."""
    error = u @ M @ v - 1
    return error * (M @ v), error * (M.T @ u)


def _train(
    M: Tensor,
    u: Tensor,
    v: Tensor,
    rate: float,
    threshold: float,
    updates: int,
    *,
    together: bool = True,
    when: str = "before",
    what: str = "norm",
) -> dict[str, Tensor]:
    """The repaired loop; the options are its two faults and others like them."""

    def clip(du, dv):
        if what == "value":
            return du.clamp(-threshold, threshold), dv.clamp(-threshold, threshold)
        norms = [_norm(du, dv)] * 2 if together else [_norm(du), _norm(dv)]
        first, second = (_limited(norm, threshold) for norm in norms)
        return first * du, second * dv

    for _ in range(updates):
        du, dv = _gradients(M, u, v)
        if when == "before":
            du, dv = clip(du, dv)
        u, v = u - rate * du, v - rate * dv
        if when == "weights":
            u, v = clip(u, v)
    return {"u": u, "v": v}


def _train_mistake(**options):
    return lambda *arguments: _train(*arguments, **options)


def _one_after_the_other(M, u, v, rate, threshold, updates):
    for _ in range(updates):
        du, dv = _gradients(M, u, v)
        scale = _limited(_norm(du, dv), threshold)
        u = u - rate * scale * du
        v = v - rate * scale * _gradients(M, u, v)[1]
    return {"u": u, "v": v}


def _first_shortened_before(M, u, v, rate, threshold, updates):
    for _ in range(updates):
        du, dv = _gradients(M, u, v)
        du = _limited(_norm(du, dv), threshold) * du
        dv = _limited(_norm(du, dv), threshold) * dv
        u, v = u - rate * du, v - rate * dv
    return {"u": u, "v": v}


def _norms_added(M, u, v, rate, threshold, updates):
    for _ in range(updates):
        du, dv = _gradients(M, u, v)
        scale = _limited(_norm(du) + _norm(dv), threshold)
        u, v = u - rate * scale * du, v - rate * scale * dv
    return {"u": u, "v": v}


def _loop_case(n: int, m: int, updates: int, seed: int) -> dict:
    generator = torch.Generator().manual_seed(seed)
    M, u, v = _normal(generator, n, m), _normal(generator, n), 0.5 * _normal(generator, m)
    return {"M": M, "u": 2 * u, "v": v, "rate": 0.05, "threshold": 1.5, "updates": updates}


repaired_loop = Exercise(
    "remedies.repaired_loop",
    chapter=CHAPTER,
    returns={"u": "(n,)", "v": "(m,)"},
    reference=_train,
    cases=[_loop_case(3, 4, 1, seed=5), _loop_case(4, 2, 7, seed=99), _loop_case(5, 5, 4, seed=3)],
    mistakes=[
        Mistake(
            "as given",
            _train_mistake(when="after"),
            "nothing was clipped. A clip behind the step changes gradients that nobody reads any "
            "more.",
            "Clipping the finished gradient",
        ),
        Mistake(
            "each on its own",
            _train_mistake(together=False),
            "the clip has moved to the right place, and each gradient still has a norm of its "
            "own. Take one norm for both.",
            "Clipping the finished gradient",
        ),
        Mistake(
            "by value",
            _train_mistake(what="value"),
            "you cut entries. That is clipping by value, which turns the direction.",
            "Clipping the finished gradient",
        ),
        Mistake(
            "the first gradient shortened before the second norm",
            _first_shortened_before,
            "you shortened du, and then took the norm again, with the short du, to scale dv. Both "
            "need one scale: take the norm once, before you change either.",
            "Clipping the finished gradient",
        ),
        Mistake(
            "norms added",
            _norms_added,
            "you added the two norms. The squares add up: take the root of the sum of all squared "
            "entries.",
            "Clipping the finished gradient",
        ),
        Mistake(
            "the weights clipped",
            _train_mistake(when="weights"),
            "you clipped the weights after the step. The gradient is what has to be clipped.",
            "Clipping the finished gradient",
        ),
        Mistake(
            "the second gradient at new weights",
            _one_after_the_other,
            "you stepped u first and computed the gradient of v at the new u. Both gradients "
            "belong to the old weights.",
            "Clipping the finished gradient",
        ),
    ],
    hints=(
        "Two faults: one is a place in the loop, the other is which numbers share a norm.",
        "Follow du through one round: who reads it after it was clipped?",
        "The norm of eq-remedy-norm runs over all weights; it stands between gradient and step."
        ' See "Clipping the finished gradient".',
    ),
    insight="A clip that nobody reads and a clip for each tensor both run without an error.",
)


# ---- 6. clipping inside, derived ----------------------------------------------------------------


def _inside(
    W_hh: Tensor,
    H: Tensor,
    dh_T: Tensor,
    threshold: float,
    *,
    adjoint: str = "clipped",
    shift: int = 0,
    product: str = "of the path",
    transpose: bool = True,
    last_slope: bool = True,
) -> dict[str, Tensor]:
    """The weights of the uses and the sum; the options make the known mistakes."""
    T = len(H) - 1
    back = W_hh.T if transpose else W_hh
    scales = torch.ones(T + 1, dtype=H.dtype)  # scales[t] belongs to the link t -> t+1
    true, a = torch.zeros_like(H), torch.zeros_like(H)
    true[T] = a[T] = (1 - H[T] ** 2) * dh_T if last_slope else dh_T
    for t in range(T - 1, 0, -1):
        sent = back @ (a if adjoint == "clipped" else true)[t + 1]
        scales[t] = _limited(_norm(sent), threshold)
        a[t] = (1 - H[t] ** 2) * (scales[t] * (back @ a[t + 1]))
        true[t] = (1 - H[t] ** 2) * (back @ true[t + 1])
    weights = torch.stack([scales[j + shift : T].prod() for j in range(1, T + 1)])
    if product == "of all":
        weights = scales[1:T].prod() * torch.ones_like(weights)
    elif product == "none":
        weights = scales[1:]
    return {"dW_hh": (weights[:, None] * true[1:]).T @ H[:-1], "weights": weights}


def _inside_mistake(**options):
    return lambda *arguments: _inside(*arguments, **options)


def _behind_the_slope(W_hh, H, dh_T, threshold):
    T = len(H) - 1
    scales = torch.ones(T + 1, dtype=H.dtype)
    a = (1 - H[T] ** 2) * dh_T
    true, rows = a, [a]
    for t in range(T - 1, 0, -1):
        a, true = ((1 - H[t] ** 2) * (W_hh.T @ message) for message in (a, true))
        scales[t] = _limited(_norm(a), threshold)
        a = scales[t] * a
        rows.insert(0, true)
    weights = torch.stack([scales[j:T].prod() for j in range(1, T + 1)])
    return {"dW_hh": (weights[:, None] * torch.stack(rows)).T @ H[:-1], "weights": weights}


def _at_the_end(W_hh, H, dh_T, threshold):
    exact = _inside(W_hh, H, dh_T, math.inf)
    scale = _limited(_norm(exact["dW_hh"]), threshold)
    return {"dW_hh": scale * exact["dW_hh"], "weights": scale * exact["weights"]}


def _inside_case(n: int, T: int, seed: int) -> dict:
    generator = torch.Generator().manual_seed(seed)
    W_hh, H = 2.0 * _normal(generator, n, n), torch.tanh(0.5 * _normal(generator, T + 1, n))
    return {"W_hh": W_hh, "H": H, "dh_T": _normal(generator, n), "threshold": 1.0}


inside = Exercise(
    "remedies.inside",
    chapter=CHAPTER,
    returns={"dW_hh": "(n, n)", "weights": "(T,)"},
    reference=lambda W_hh, H, dh_T, threshold: _inside(W_hh, H, dh_T, threshold),
    cases=[_inside_case(3, 3, seed=21), _inside_case(2, 6, seed=22), _inside_case(3, 1, seed=23)],
    mistakes=[
        Mistake(
            "scales of the true messages",
            _inside_mistake(adjoint="true"),
            "each scale was computed from the true message. The program clips what it has, and "
            "that has been clipped at later steps already.",
            "Clipping inside the backward pass",
        ),
        Mistake(
            "one link short",
            _inside_mistake(shift=1),
            "each product lacks the scale of its first link, the one that leaves h_j. The use at "
            "step j passes the links j, j+1, ..., T-1.",
            "Clipping inside the backward pass",
        ),
        Mistake(
            "one scale for all",
            _inside_mistake(product="of all"),
            "every use got the product of all scales. A use passes only the links that lie "
            "between it and the loss; the last use passes none.",
            "Clipping inside the backward pass",
        ),
        Mistake(
            "single scales",
            _inside_mistake(product="none"),
            "the use at each step got the scale of one link alone, the first on its way to the "
            "loss. It passes all the links behind it as well, and their scales multiply.",
            "Clipping inside the backward pass",
        ),
        Mistake(
            "W_hh not transposed",
            _inside_mistake(transpose=False),
            "the way back multiplies by W_hh. For columns it needs the transpose.",
            "Clipping inside the backward pass",
        ),
        Mistake(
            "D_T forgotten",
            _inside_mistake(last_slope=False),
            "you began with dL/dh_T. The adjoint of step T is behind its tanh: the slope of step "
            "T is missing.",
            "Clipping inside the backward pass",
        ),
        Mistake(
            "clipped behind the slope",
            _behind_the_slope,
            "the norm was taken after the slope of step t. The program clips the message to h_t, "
            "before it passes the tanh.",
            "Clipping inside the backward pass",
        ),
        Mistake(
            "clipped at the end",
            _at_the_end,
            "you clipped the finished sum: all weights are equal, and the direction is that of "
            "the gradient. Inside, each link has a scale of its own.",
            "Clipping inside the backward pass",
        ),
        Mistake(
            "not clipped",
            lambda W_hh, H, dh_T, threshold: _inside(W_hh, H, dh_T, math.inf),
            "this is the gradient, with all weights 1. Where a message exceeds the threshold, its "
            "link has a smaller scale.",
            "Clipping inside the backward pass",
        ),
    ],
    hints=(
        "Write the three adjoints of T = 3 down, with s_1 and s_2 as letters.",
        "Move the scales to the front of each term, and see which term has which.",
        "The general form is eq-remedy-inside-sum with the loss at i = T alone; for T = 1 there "
        "is no link, and the only weight is an empty product."
        ' See "Clipping inside the backward pass".',
    ),
    insight="The same sum over uses, and each use weighted by the scales of the links it passes.",
)
