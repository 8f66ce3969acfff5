"""Exercises of chapter 8, "Vanishing and exploding", with the wrong answers that learners give."""

from __future__ import annotations

from math import atanh, sqrt, tanh

import torch
from torch import Tensor

from bptt.exercises.engine import Exercise, Mistake
from bptt.rnn import RNN

CHAPTER = "chapter 8, Vanishing and exploding"

POWERS = "Six steps, by hand"
BOUNDS = "What the eigenvalues decide, and what they do not"
CHANGING = "When every step has another matrix"
TANH = "With tanh: a radius above 1 that vanishes"
PRODUCT = "A product of step Jacobians"
HEALTHY = "Why the gradient of the weight looks healthy"


def _network(n: int, d: int, q: int, T: int, gain: float, seed: int) -> dict[str, Tensor]:
    """A generic tanh network, one sequence long, with a loss at every step."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    rnn = RNN(normal(n, d), gain * normal(n, n) / n**0.5, normal(q, n))
    X, h0, dO = normal(T, d), normal(n), normal(T, q)
    H = rnn(X[:, None], h0[None]).H[:, 0]
    return {"W_hh": rnn.W_hh, "W_qh": rnn.W_qh, "H": H, "dO": dO}


_NETWORKS = (
    _network(3, 2, 4, 7, 1.0, seed=81),
    _network(4, 3, 2, 9, 0.4, seed=82),
    _network(2, 1, 3, 1, 1.2, seed=83),
)


def _jacobians(net: dict[str, Tensor]) -> Tensor:
    return (1 - net["H"][1:, :, None] ** 2) * net["W_hh"]


_CHAINS = tuple(_jacobians(net) for net in _NETWORKS)


def _norm(M: Tensor) -> Tensor:
    return torch.linalg.matrix_norm(M, 2)


# ---- 1. powers by hand ---------------------------------------------------------------------

_POWERS = {"corner_2": 2.25, "corner_3": 1.3125, "corner_4": 0.703125, "first_below_one": 4.0}

powers_by_hand = Exercise(
    "vanishing_and_exploding.powers_by_hand",
    chapter=CHAPTER,
    returns=dict.fromkeys(_POWERS, "()"),
    reference=_POWERS,
    tolerance=2e-3,
    mistakes=[
        Mistake(
            "entry by entry",
            {"corner_2": 9.0, "corner_3": 27.0, "corner_4": 81.0, "first_below_one": 1.0},
            "the corner itself was raised to the power. A matrix power multiplies rows by columns: "
            "a signal uses the coupling once and stays on one of the two units otherwise.",
            POWERS,
        ),
        Mistake(
            "as for equal eigenvalues",
            {"corner_2": 3.0, "corner_3": 2.25, "corner_4": 1.5, "first_below_one": 5.0},
            "the corner was computed as 3 k / 2^(k-1), which belongs to two equal eigenvalues 1/2. "
            "Here the steps before the coupling give 1/4 each and those after it 1/2.",
            POWERS,
        ),
        Mistake(
            "one unit keeps everything",
            {"corner_2": 1.5, "corner_3": 0.75, "corner_4": 0.375, "first_below_one": 3.0},
            "only the paths that cross at once and then stay on unit 1 are counted, 3 / 2^(k-1). "
            "A signal can also wait on unit 2 before it crosses; all ways add up.",
            POWERS,
        ),
        Mistake(
            "the radius decides",
            _POWERS | {"first_below_one": 1.0},
            "the spectral radius was taken for the size of every power. It is their floor; a power "
            "can be far above it, as J itself is.",
            BOUNDS,
        ),
        Mistake(
            "last above one",
            _POWERS | {"first_below_one": 3.0},
            "three is the last power after which the vector is still longer than 1; asked is the "
            "first after which it is shorter.",
            POWERS,
        ),
    ],
    hints=(
        "Multiply J by J once, row by column. The entries on the diagonal are 1/4 and 1/16.",
        "The corner of J^k is 3 times the sum of (1/2)^i (1/4)^(k-1-i) over i = 0 .. k-1.",
        'The formula is eq-vanish-two-by-two, in "Six steps, by hand".',
    ),
    insight="Both eigenvalues are at most 1/2, and the vector is longer than 1 for three steps.",
)


# ---- 2. the latch's threshold --------------------------------------------------------------

_W = 25 / 9
_HELD = sqrt(1 - 1 / _W)  # 4/5
_LATCH = {
    "h_c": _HELD,
    "u_c": _W * _HELD - atanh(_HELD),
    "fixed_points_at_1.0": 3.0,
    "fixed_points_at_1.2": 1.0,
}

latch_threshold = Exercise(
    "vanishing_and_exploding.latch_threshold",
    chapter=CHAPTER,
    returns=dict.fromkeys(_LATCH, "()"),
    reference=_LATCH,
    tolerance=2e-3,
    mistakes=[
        Mistake(
            "root forgotten",
            {
                "h_c": 1 - 1 / _W,
                "u_c": _W * (1 - 1 / _W) - atanh(1 - 1 / _W),
                "fixed_points_at_1.0": 3.0,
                "fixed_points_at_1.2": 1.0,
            },
            "the root is missing: 1 - 1/w is the square of the turning point, because the slope "
            "is w (1 - h^2).",
            TANH,
        ),
        Mistake(
            "artanh forgotten",
            _LATCH | {"u_c": _W * _HELD, "fixed_points_at_1.2": 3.0},
            "the threshold is w h_c alone. A fixed point needs artanh(h) = w h + u, so artanh(h_c) "
            "is still to be subtracted.",
            TANH,
        ),
        Mistake(
            "tanh for artanh",
            _LATCH | {"u_c": _W * _HELD - tanh(_HELD), "fixed_points_at_1.2": 3.0},
            "tanh stands where its inverse belongs. To solve h = tanh(w h + u) for u, apply artanh "
            "to both sides.",
            TANH,
        ),
        Mistake(
            "artanh added",
            _LATCH | {"u_c": _W * _HELD + atanh(_HELD), "fixed_points_at_1.2": 3.0},
            "artanh(h_c) is added where it must be subtracted: a fixed point has "
            "u = artanh(h) - w h.",
            TANH,
        ),
        Mistake(
            "artanh alone",
            _LATCH | {"u_c": atanh(_HELD)},
            "the threshold is artanh(h_c) alone. The term w h_c of the fixed point is missing.",
            TANH,
        ),
        Mistake(
            "negative turning point",
            _LATCH | {"h_c": -_HELD},
            "this is the negative of the two turning points. Asked is the positive state.",
            TANH,
        ),
        Mistake(
            "two beyond the threshold",
            _LATCH | {"fixed_points_at_1.2": 2.0},
            "two fixed points exist only exactly at the threshold, where two of the three meet. "
            "Beyond it these two are gone.",
            TANH,
        ),
        Mistake(
            "sign of the threshold",
            _LATCH | {"u_c": atanh(_HELD) - _W * _HELD},
            "the sign is that of the other turning point. At h = -h_c the input is positive; the "
            "threshold is its size.",
            TANH,
        ),
        Mistake(
            "stable ones alone",
            _LATCH | {"fixed_points_at_1.0": 2.0},
            "the unstable fixed point between the two stable ones was not counted. The curve "
            "crosses the diagonal there, too.",
            TANH,
        ),
        Mistake(
            "always three",
            _LATCH | {"fixed_points_at_1.2": 3.0},
            "a strong input was thought to leave the three fixed points. Beyond the threshold two "
            "of them meet and disappear.",
            TANH,
        ),
    ],
    hints=(
        "At the turning point the slope is exactly 1: w (1 - h^2) = 1. Solve for h.",
        "Put this h into u = artanh(h) - w h. artanh(4/5) is ln 3. Then compare 1.0 and 1.2 "
        "with the threshold.",
        'The equations are eq-vanish-fixed-point and eq-vanish-threshold, in "With tanh: a radius '
        'above 1 that vanishes".',
    ),
    insight="The turning point, where the slope is 1, is where the latch gives way.",
)


# ---- 3. the gradient by lag ----------------------------------------------------------------


def _part_of_lag(
    W_hh: Tensor,
    W_qh: Tensor,
    H: Tensor,
    dO: Tensor,
    lag: int,
    *,
    late: int = 0,
    own_slope: bool = True,
    transpose: bool = True,
    shortened: bool = False,
) -> Tensor:
    """G_lag; the keywords make one mistake each."""
    total = torch.zeros_like(W_hh)
    back = W_hh if transpose else W_hh.T
    for i in range(lag + 1, len(H)):
        a = dO[i - 1] @ W_qh
        for t in range(i, i - lag, -1):
            a = ((1 - H[t] ** 2) * a) @ back if not shortened else a @ back
        if own_slope:
            a = (1 - H[i - lag] ** 2) * a
        total += torch.outer(a, H[i - lag - 1 + late])
    return total


def _parts_up_to(W_hh: Tensor, W_qh: Tensor, H: Tensor, dO: Tensor, lag: int) -> Tensor:
    return sum(_part_of_lag(W_hh, W_qh, H, dO, k) for k in range(lag + 1))


def _last_loss_alone(W_hh: Tensor, W_qh: Tensor, H: Tensor, dO: Tensor, lag: int) -> Tensor:
    alone = torch.zeros_like(dO)
    alone[-1] = dO[-1]
    return _part_of_lag(W_hh, W_qh, H, alone, lag)


def _slope_of_the_step_before(
    W_hh: Tensor, W_qh: Tensor, H: Tensor, dO: Tensor, lag: int
) -> Tensor:
    total = torch.zeros_like(W_hh)
    for i in range(lag + 1, len(H)):
        a = dO[i - 1] @ W_qh
        for t in range(i, i - lag, -1):
            a = (1 - H[t] ** 2) * (a @ W_hh)
        total += torch.outer((1 - H[i - lag] ** 2) * a, H[i - lag - 1])
    return total


def _one_loss_short(W_hh: Tensor, W_qh: Tensor, H: Tensor, dO: Tensor, lag: int) -> Tensor:
    return _part_of_lag(W_hh, W_qh, H[:-1], dO[:-1], lag)


part_of_lag = Exercise(
    "vanishing_and_exploding.part_of_lag",
    chapter=CHAPTER,
    returns={"G": "(n, n)"},
    reference=_part_of_lag,
    cases=[
        {**_NETWORKS[0], "lag": 3},
        {**_NETWORKS[1], "lag": 1},
        {**_NETWORKS[1], "lag": 8},
        {**_NETWORKS[2], "lag": 0},
    ],
    mistakes=[
        Mistake(
            "h_t for h_{t-1}",
            lambda *a: _part_of_lag(*a, late=1),
            "the use at step j is paired with h_j. The weight met the state before it, h_{j-1}.",
            HEALTHY,
        ),
        Mistake(
            "own slope missing",
            lambda *a: _part_of_lag(*a, own_slope=False),
            "the slope of the step of the use is missing: k Jacobians have k slopes, and the "
            "step i - k has one more.",
            HEALTHY,
        ),
        Mistake(
            "transpose missing",
            lambda *a: _part_of_lag(*a, transpose=False),
            "W_hh carries the adjoint back without its transpose.",
            HEALTHY,
        ),
        Mistake(
            "slopes on the way missing",
            lambda *a: _part_of_lag(*a, shortened=True),
            "the slopes of the steps after the use are missing. The way back passes the tanh "
            "of every step.",
            PRODUCT,
        ),
        Mistake(
            "slope after the transpose",
            _slope_of_the_step_before,
            "on the way back each step was multiplied by W_hh.T before its slope. The tanh of step "
            "t is passed first, then W_hh.T leads to step t - 1.",
            PRODUCT,
        ),
        Mistake(
            "one loss left out",
            _one_loss_short,
            "the last loss is missing: i runs up to T, which is row T - 1 of dO.",
            HEALTHY,
        ),
        Mistake(
            "last loss alone",
            _last_loss_alone,
            "only the loss of the last step is counted. Every loss that has a use this many steps "
            "before it contributes.",
            HEALTHY,
        ),
        Mistake(
            "all lags up to this one",
            _parts_up_to,
            "all lags from 0 to this one are added. Asked is the part of one lag.",
            HEALTHY,
        ),
        Mistake(
            "outer product swapped",
            lambda *a: _part_of_lag(*a).T.clone(),
            "the outer product is swapped. A gradient has the shape of its weight: rows belong to "
            "the adjoint, columns to the state that the weight met.",
            HEALTHY,
        ),
    ],
    hints=(
        "For which steps i of the loss is there a use lag steps earlier? i - lag must be at "
        "least 1.",
        "Start with W_qh.T @ dO[i - 1]. For each step t = i, i-1, ..., i-lag+1 multiply by the "
        "slope of step t and by W_hh.T. Then comes the slope of step i - lag alone.",
        'The equation is eq-vanish-lag-term, in "Why the gradient of the weight looks healthy".',
    ),
    insight="Added over all lags these parts are dL/dW_hh; lag 0 contains no Jacobian at all.",
)


# ---- 4. Lyapunov exponents by QR -----------------------------------------------------------


def _exponents(J: Tensor) -> Tensor:
    Q, total = torch.eye(J.shape[-1], dtype=J.dtype), torch.zeros_like(J[0, 0])
    for step in J:
        Q, R = torch.linalg.qr(step @ Q)
        total = total + R.diagonal().abs().log()
    return total / len(J)


def _log_of_mean(J: Tensor) -> Tensor:
    Q, total = torch.eye(J.shape[-1], dtype=J.dtype), torch.zeros_like(J[0, 0])
    for step in J:
        Q, R = torch.linalg.qr(step @ Q)
        total = total + R.diagonal().abs()
    return (total / len(J)).log()


def _without_basis(J: Tensor) -> Tensor:
    return torch.linalg.qr(J)[1].diagonal(dim1=-2, dim2=-1).abs().log().mean(0)


def _last_step_alone(J: Tensor) -> Tensor:
    Q = torch.eye(J.shape[-1], dtype=J.dtype)
    for step in J:
        Q, R = torch.linalg.qr(step @ Q)
    return R.diagonal().abs().log() / len(J)


def _of_eigenvalues(J: Tensor) -> Tensor:
    sizes = torch.linalg.eigvals(J).abs().sort(descending=True, dim=-1).values
    return sizes.log().mean(0)


def _of_whole_product(J: Tensor) -> Tensor:
    product = torch.eye(J.shape[-1], dtype=J.dtype)
    for step in J:
        product = step @ product
    return torch.linalg.svdvals(product).log() / len(J)


lyapunov_by_qr = Exercise(
    "vanishing_and_exploding.lyapunov_by_qr",
    chapter=CHAPTER,
    returns={"exponents": "(n,)"},
    reference=_exponents,
    cases=[{"J": _CHAINS[0]}, {"J": _CHAINS[1]}, {"J": _CHAINS[0].flip(0)[:4].contiguous()}],
    mistakes=[
        Mistake(
            "not divided",
            lambda J: _exponents(J) * len(J),
            "the logarithms are added and not divided by the number of steps. An exponent is "
            "growth per step.",
            CHANGING,
        ),
        Mistake(
            "logarithm of the mean",
            _log_of_mean,
            "the stretches are averaged first and the logarithm is taken last. Stretches multiply, "
            "so their logarithms are what adds up.",
            CHANGING,
        ),
        Mistake(
            "basis not carried",
            _without_basis,
            "each matrix is decomposed by itself. The basis Q of one step must be what the next "
            "matrix multiplies.",
            CHANGING,
        ),
        Mistake(
            "order of time reversed",
            lambda J: _exponents(J.flip(0)),
            "the chain runs backwards: the latest matrix was applied first. Row 0 of J acts first.",
            CHANGING,
        ),
        Mistake(
            "last step alone",
            _last_step_alone,
            "only the last R counts. Every step's stretches belong into the sum.",
            CHANGING,
        ),
        Mistake(
            "eigenvalues of each step",
            _of_eigenvalues,
            "the eigenvalues of each step are used. For changing matrices they do not tell the "
            "growth of the product, as the chapter's two matrices with eigenvalues zero show.",
            CHANGING,
        ),
        Mistake(
            "sorted",
            lambda J: _exponents(J).sort(descending=True).values,
            "these are the right numbers, sorted. Keep the order in which the QR decomposition "
            "gives them: in a short chain it need not be that of their size.",
            CHANGING,
        ),
        Mistake(
            "singular values of each step",
            lambda J: torch.linalg.svdvals(J).log().mean(0),
            "the singular values of each step are used. They are the growth of the product only "
            "if the most stretched directions of all steps line up.",
            CHANGING,
        ),
        Mistake(
            "singular values of the product",
            _of_whole_product,
            "you took the singular values of the whole product. For an endless chain they give the "
            "same exponents; this exercise asks for the sums of the QR decompositions. (And a "
            "long product loses its small directions to rounding.)",
            CHANGING,
        ),
        Mistake(
            "logarithm to base 10",
            lambda J: _exponents(J) / 2.302585092994046,
            "the logarithm has base 10. The exponents are in nats: use the natural logarithm.",
            CHANGING,
        ),
    ],
    hints=(
        "Begin with Q = I. At each step torch.linalg.qr(J[t] @ Q) gives the new Q and an R.",
        "A diagonal entry of R can be negative; the stretch is its absolute value. Add the "
        "logarithms of the stretches, and divide by the number of steps at the end.",
        'The equation is eq-vanish-qr, in "When every step has another matrix".',
    ),
    insight="Only logarithms are added, so a chain of any length neither under- nor overflows.",
)


# ---- 5. a prediction -----------------------------------------------------------------------

_ALWAYS = {
    "radius 0.9, linear: the norm of J^k tends to 0": True,
    "radius 0.9, linear: the norm of J^k falls at every step": False,
    "sigma 0.9, tanh: the norm at lag k is at most 0.9^k": True,
    "radius 1.1, tanh: the norm grows exponentially": False,
    "every J_t has radius 0.9, all different: the norm tends to 0": False,
    "the norm of dL/dW_hh is 10: long lags are alive": False,
}
_NAMES = list(_ALWAYS)

always_true = Exercise(
    "vanishing_and_exploding.always_true",
    chapter=CHAPTER,
    returns=dict.fromkeys(_ALWAYS, "()"),
    reference=_ALWAYS,
    options=(True, False),
    mistakes=[
        Mistake(
            "the limit doubted",
            _ALWAYS | {_NAMES[0]: False},
            "the k-th root of the norm tends to the radius, so in the end the norm falls faster "
            "than r^k for every r above 0.9, however long the transient was.",
            BOUNDS,
        ),
        Mistake(
            "no transient",
            _ALWAYS | {_NAMES[1]: True},
            "the radius is the floor of the norm, not the norm. A matrix that is not normal can "
            "let it grow first.",
            BOUNDS,
        ),
        Mistake(
            "slopes may add",
            _ALWAYS | {_NAMES[2]: False},
            "slopes of tanh are at most 1, and the norm of a product is at most the product of the "
            "norms. A ceiling below 1 holds from the first step on.",
            TANH,
        ),
        Mistake(
            "the radius decides with tanh",
            _ALWAYS | {_NAMES[3]: True},
            "the slopes can take away more than the weight gives. The latch has a weight above 1 "
            "and a vanishing gradient.",
            TANH,
        ),
        Mistake(
            "radii multiply",
            _ALWAYS | {_NAMES[4]: True},
            "the radius of a product is not bounded by the product of the radii. Give two "
            "matrices the eigenvalue 0.9 on the diagonal and strong couplings in opposite "
            "corners: their product grows.",
            CHANGING,
        ),
        Mistake(
            "one norm for all lags",
            _ALWAYS | {_NAMES[5]: True},
            "the gradient of the weight is a sum over lags, and lag 0 alone can have norm 10.",
            HEALTHY,
        ),
    ],
    hints=(
        "For each line look for the chapter's counterexample: the two-by-two matrix, the latch, "
        "the alternating pair, the healthy gradient.",
        "Two lines have a proof instead: one with a limit, one with a product of norms.",
        "The equations are eq-vanish-gelfand and eq-vanish-tanh-bound."
        ' See "What the eigenvalues decide, and what they do not" and "With tanh: a radius '
        'above 1 that vanishes".',
    ),
    insight="The radius speaks about the end, sigma about every step, and neither about the sum.",
)


# ---- 6. find the mistake -------------------------------------------------------------------


def _norms_by_lag(J: Tensor) -> Tensor:
    product, norms = torch.eye(J.shape[-1], dtype=J.dtype), []
    for step in J.flip(0):
        product = product @ step
        norms.append(_norm(product))
    return torch.stack(norms)


def _from_the_start(J: Tensor) -> Tensor:
    product, norms = torch.eye(J.shape[-1], dtype=J.dtype), []
    for step in J:
        product = step @ product
        norms.append(_norm(product))
    return torch.stack(norms)


def _order_swapped(J: Tensor) -> Tensor:
    product, norms = torch.eye(J.shape[-1], dtype=J.dtype), []
    for step in J.flip(0):
        product = step @ product
        norms.append(_norm(product))
    return torch.stack(norms)


def _frobenius(J: Tensor) -> Tensor:
    product, norms = torch.eye(J.shape[-1], dtype=J.dtype), []
    for step in J.flip(0):
        product = product @ step
        norms.append(torch.linalg.matrix_norm(product))
    return torch.stack(norms)


def _radius_of_product(J: Tensor) -> Tensor:
    product, radii = torch.eye(J.shape[-1], dtype=J.dtype), []
    for step in J.flip(0):
        product = product @ step
        radii.append(torch.linalg.eigvals(product).abs().max())
    return torch.stack(radii)


norms_by_lag = Exercise(
    "vanishing_and_exploding.norms_by_lag",
    chapter=CHAPTER,
    returns={"norms": "(lags,)"},
    reference=_norms_by_lag,
    cases=[{"J": chain} for chain in _CHAINS],
    mistakes=[
        Mistake(
            "radii multiplied",
            lambda J: torch.linalg.eigvals(J).abs().amax(-1).flip(0).cumprod(0),
            "the radii of the steps are still multiplied. That is neither the norm of the product "
            "nor a bound for it.",
            CHANGING,
        ),
        Mistake(
            "norms multiplied",
            lambda J: _norm(J).flip(0).cumprod(0),
            "the norms of the steps are multiplied. That is a ceiling; the norm of the product is "
            "in general smaller, because the most stretched directions do not line up.",
            BOUNDS,
        ),
        Mistake(
            "lag counted from the start",
            _from_the_start,
            "the products begin at the first step, as dh_k/dh_0. Asked is dh_T/dh_{T-k}: the last "
            "k steps.",
            PRODUCT,
        ),
        Mistake(
            "order of the factors",
            _order_swapped,
            "the factors stand in the wrong order: the latest step must be leftmost, because the "
            "earliest acts first.",
            PRODUCT,
        ),
        Mistake(
            "Frobenius norm",
            _frobenius,
            "this is the Frobenius norm. Asked is the 2-norm, the largest stretch: "
            "torch.linalg.matrix_norm(product, 2).",
            PRODUCT,
        ),
        Mistake(
            "radius of the product",
            _radius_of_product,
            "the products are right, but their spectral radius is taken. It is only a "
            "floor of the norm: a product can have radius zero and a large norm.",
            BOUNDS,
        ),
        Mistake(
            "logarithms returned",
            lambda J: _norms_by_lag(J).log(),
            "these are the logarithms of the norms. Return the norms themselves.",
            PRODUCT,
        ),
    ],
    hints=(
        "Is the spectral radius of a product the product of the spectral radii? Try the chapter's "
        "alternating pair.",
        "Multiply the matrices themselves, from the last step backwards, J_T J_{T-1} ..., and take "
        "the 2-norm after each factor.",
        'The product is eq-vanish-product, in "A product of step Jacobians".',
    ),
    insight="The norm at a lag belongs to the product; no number of the single steps replaces it.",
)


# ---- 7. a bound with a proof ---------------------------------------------------------------


def _lag_bounds(
    W_hh: Tensor,
    W_qh: Tensor,
    H: Tensor,
    dO: Tensor,
    *,
    power: int = 0,
    late: int = 0,
    ratio: Tensor | None = None,
) -> Tensor:
    """The right side of the bound for all lags; the keywords make one mistake each."""
    ratio = _norm(W_hh) if ratio is None else ratio
    direct, states, T = (dO @ W_qh).norm(dim=1), H.norm(dim=1), len(dO)
    bounds = [
        ratio ** (k + power) * (direct[k:] * states[late : T - k + late]).sum() for k in range(T)
    ]
    return torch.stack(bounds)


def _without_output_weight(W_hh: Tensor, W_qh: Tensor, H: Tensor, dO: Tensor) -> Tensor:
    direct, states, T = dO.norm(dim=1), H.norm(dim=1), len(dO)
    sums = [_norm(W_hh) ** k * (direct[k:] * states[: T - k]).sum() for k in range(T)]
    return torch.stack(sums)


def _all_pairs(W_hh: Tensor, W_qh: Tensor, H: Tensor, dO: Tensor) -> Tensor:
    whole = ((dO @ W_qh).norm(dim=1) * H[:-1].norm(dim=1)).sum()
    return _norm(W_hh) ** torch.arange(len(dO)) * whole


def _norms_of_the_parts(W_hh: Tensor, W_qh: Tensor, H: Tensor, dO: Tensor) -> Tensor:
    direct, states, T = dO.norm(dim=1) * _norm(W_qh), H.norm(dim=1), len(dO)
    sums = [_norm(W_hh) ** k * (direct[k:] * states[: T - k]).sum() for k in range(T)]
    return torch.stack(sums)


def _product_of_sums(W_hh: Tensor, W_qh: Tensor, H: Tensor, dO: Tensor) -> Tensor:
    direct, states, T = (dO @ W_qh).norm(dim=1), H.norm(dim=1), len(dO)
    sums = [_norm(W_hh) ** k * direct[k:].sum() * states[: T - k].sum() for k in range(T)]
    return torch.stack(sums)


lag_bounds = Exercise(
    "vanishing_and_exploding.lag_bounds",
    chapter=CHAPTER,
    returns={"bounds": "(lags,)"},
    reference=_lag_bounds,
    cases=[dict(net) for net in _NETWORKS],
    mistakes=[
        Mistake(
            "norm of W_qh taken apart",
            _norms_of_the_parts,
            "the norm of W_qh is multiplied by that of dL/do. That is a bound too, but a larger "
            "one: the exercise keeps the norm of the product W_qh^T dL/do.",
            HEALTHY,
        ),
        Mistake(
            "product of sums",
            _product_of_sums,
            "the two norms are summed first and multiplied afterwards. That pairs every loss with "
            "every use; only those lag k apart belong together.",
            HEALTHY,
        ),
        Mistake(
            "spectral radius",
            lambda W_hh, W_qh, H, dO: _lag_bounds(
                W_hh, W_qh, H, dO, ratio=torch.linalg.eigvals(W_hh).abs().max()
            ),
            "the spectral radius stands where the largest singular value belongs. The radius is a "
            "floor and bounds nothing from above.",
            BOUNDS,
        ),
        Mistake(
            "Frobenius norm of W_hh",
            lambda W_hh, W_qh, H, dO: _lag_bounds(
                W_hh, W_qh, H, dO, ratio=torch.linalg.matrix_norm(W_hh)
            ),
            "the Frobenius norm of W_hh is used. It is a bound too, but a weaker one: asked is the "
            "one with the largest singular value.",
            HEALTHY,
        ),
        Mistake(
            "one factor too many",
            lambda *a: _lag_bounds(*a, power=1),
            "there is one factor sigma too many. At lag 0 no Jacobian lies between the use and the "
            "loss.",
            HEALTHY,
        ),
        Mistake(
            "h_t for h_{t-1}",
            lambda *a: _lag_bounds(*a, late=1),
            "each loss is paired with the state that the use produced. The weight met the one "
            "before, h_{i-k-1}.",
            HEALTHY,
        ),
        Mistake(
            "output weight forgotten",
            _without_output_weight,
            "W_qh is missing: the adjoint of the state begins with W_qh^T dL/do_i.",
            HEALTHY,
        ),
        Mistake(
            "all losses at every lag",
            _all_pairs,
            "each lag has the sum of lag 0. At lag k only the losses from step k + 1 on have a use "
            "so far back, and each meets an earlier state.",
            HEALTHY,
        ),
    ],
    hints=(
        "For one loss: the norm of an outer product of two vectors is the product of their norms.",
        "Each of the k Jacobians makes a vector at most sigma times as long, and the slope of the "
        "use's own step lengthens nothing. Then add up the losses.",
        'The equation is eq-vanish-lag-bound, in "Why the gradient of the weight looks healthy".',
    ),
    insight="With sigma below 1 all lags from K on together are at most of the order sigma^K.",
)
