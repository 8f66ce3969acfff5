"""Exercises of chapter 11, "Randomized truncation", with the wrong answers that learners give."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from math import sqrt

import torch
from torch import Tensor

from bptt.exercises.engine import Exercise, Mistake

CHAPTER = "chapter 11, Randomized truncation"


# ---- 1. four outcomes, by hand -------------------------------------------------------------

_B, _C = (2.0, 2.0, 4.0), (None, 3.0, -2.0)  # steps 1 to 3; c_1 is not used
_NAMES = {
    (False, False): "both cut",
    (True, False): "first kept",
    (False, True): "second kept",
    (True, True): "both kept",
}


def _four(
    weight: float = 2.0, exact: bool = False, once: bool = False, c_3: float = _C[2]
) -> dict[str, float]:
    """z_3 in the four outcomes of two fair coins, with mean and variance.

    ``exact`` puts a_2 in the place of z_2; ``once`` weighs a path of two links like one link.
    """
    found = {}
    for first, second in product((False, True), repeat=2):
        z_2 = _B[1] + (weight * _C[1] * _B[0] if first else 0)
        if exact:
            z_2 = _B[1] + _C[1] * _B[0]
        if once and first and second:
            z_2 = _B[1] + _C[1] * _B[0]
        found[_NAMES[first, second]] = _B[2] + (weight * c_3 * z_2 if second else 0)
    return _with_summary(found)


def _with_summary(found: dict[str, float]) -> dict[str, float]:
    """The outcomes together with their mean and variance."""
    values = [found[name] for name in _NAMES.values()]
    mean = sum(values) / len(values)
    return found | {"mean": mean, "variance": sum((v - mean) ** 2 for v in values) / len(values)}


_FOUR = _four()

by_hand = Exercise(
    "randomized_truncation.by_hand",
    chapter=CHAPTER,
    returns=dict.fromkeys(_FOUR, "()"),
    reference=_FOUR,
    tolerance=2e-3,
    mistakes=[
        Mistake(
            "no division",
            _four(weight=1.0),
            "you cut at random and did not divide the kept links by 1/2. Then the mean is too "
            "near to the term of step 3 alone: every term of lag k has lost a factor of 2 for each "
            "of its links.",
            "Why the mean is right",
        ),
        Mistake(
            "exact derivative on the right",
            _four(exact=True),
            "you multiplied by the exact derivative of the second state. That is the printed "
            "formula: its mean is right as well, but it needs the history that was to be cut.",
            "The printed formula saves nothing",
        ),
        Mistake(
            "weight once",
            _four(once=True),
            "where both links are kept you divided by 1/2 once for the whole path. Each kept link "
            "is divided, so the path over two links weighs 4.",
            "Why the mean is right",
        ),
        Mistake(
            "coins exchanged",
            _FOUR | {"first kept": _FOUR["second kept"], "second kept": _FOUR["first kept"]},
            "the outcomes with one kept link are exchanged. If only the first link is kept, "
            "nothing of it arrives at step 3, because the second link is cut.",
            "Two coins, by hand",
        ),
        Mistake(
            "z_2 for z_3",
            _with_summary(_FOUR | {"first kept": _B[1] + 2 * _C[1] * _B[0]}),
            "where only the first link is kept you gave z_2. The question asks for z_3, one step "
            "later, and the link into that step is cut.",
            "Two coins, by hand",
        ),
        Mistake(
            "sign of c_3 lost",
            _four(c_3=-_C[2]),
            "you took c_3 with the wrong sign: it is negative. A negative factor of a link is "
            "multiplied by the coin like any other.",
            "Two coins, by hand",
        ),
        Mistake(
            "standard deviation",
            _FOUR | {"variance": sqrt(_FOUR["variance"])},
            "this is the standard deviation; the question asks for its square.",
            "The price",
        ),
        Mistake(
            "divided by three",
            _FOUR | {"variance": _FOUR["variance"] * 4 / 3},
            "you divided the sum of squares by 3, as for a sample. These are not a sample but all "
            "outcomes, each with probability 1/4.",
            "The price",
        ),
        Mistake(
            "second moment",
            _FOUR | {"variance": _FOUR["variance"] + _FOUR["mean"] ** 2},
            "this is the mean of the squares. The variance is the mean of the squared distances "
            "from the mean.",
            "The price",
        ),
    ],
    hints=(
        "Write the two recursions: z_2 from z_1 = 2, and z_3 from z_2. A cut link gives 0, a kept "
        "one the factor 2.",
        "There are two values of z_2. Each leads to two values of z_3; average the four with equal "
        "weights.",
        'The recursion is eq-random-estimate, in "Two coins, by hand".',
    ),
    insight="No outcome need be near the mean: the mean belongs to all four together.",
)


# ---- 2. the recursion ----------------------------------------------------------------------


def _chain(T: int, n: int, keep: float, seed: int, kept: list[int] | None = None) -> dict:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    b, J, z0 = normal(T, n), normal(T, n, n) / n**0.5, normal(n)
    coins = torch.rand(T, generator=generator, dtype=torch.float64) < keep
    if kept is not None:
        coins = torch.tensor(kept, dtype=torch.bool)
    return {"b": b, "J": J, "coins": coins.double(), "keep": keep, "z0": z0}


def _estimate(
    b: Tensor,
    J: Tensor,
    coins: Tensor,
    keep: float,
    z0: Tensor,
    *,
    xi: Callable[[Tensor, float], Tensor] = lambda coins, keep: coins / keep,
    exact: bool = False,
    on_b: bool = False,
    transpose: bool = False,
    by_entry: bool = False,
    from_zero: bool = False,
) -> Tensor:
    """z_t for t = 1..T; the options make the known mistakes.

    ``xi`` turns the coins and ``keep`` into the T factors of the links.
    """
    z = a = torch.zeros_like(z0) if from_zero else z0
    rows = []
    for t, factor in enumerate(xi(coins, keep)):
        jacobian = J[t].T if transpose else J[t]
        before = a if exact else z
        past = jacobian * before if by_entry else jacobian @ before
        z = factor * (b[t] + past) if on_b else b[t] + factor * past
        a = b[t] + J[t] @ a
        rows.append(z)
    return torch.stack(rows)


def _wrong_estimate(**options):
    return lambda b, J, coins, keep, z0: _estimate(b, J, coins, keep, z0, **options)


estimate = Exercise(
    "randomized_truncation.estimate",
    chapter=CHAPTER,
    returns={"Z": "(T, n)"},
    reference=_wrong_estimate(),
    cases=[
        _chain(T=9, n=3, keep=0.7, seed=1, kept=[1, 1, 0, 1, 1, 1, 0, 1, 1]),
        _chain(T=6, n=2, keep=0.4, seed=2, kept=[0, 1, 1, 0, 0, 1]),
        _chain(T=1, n=4, keep=0.5, seed=3, kept=[1]),
        _chain(T=3, n=1, keep=0.9, seed=4, kept=[1, 1, 1]),
    ],
    mistakes=[
        Mistake(
            "not divided by keep",
            _wrong_estimate(xi=lambda coins, keep: coins),
            "you multiply by the coin, 0 or 1. A kept link must be divided by keep; otherwise the "
            "mean of every coin is keep in place of 1.",
            "Why the mean is right",
        ),
        Mistake(
            "exact derivative on the right",
            _wrong_estimate(exact=True),
            "you carry the exact derivative along and multiply it by the coin. That is the printed "
            "formula. Multiply the estimate of the step before.",
            "The printed formula saves nothing",
        ),
        Mistake(
            "coin of the step before",
            _wrong_estimate(xi=lambda coins, keep: torch.cat([coins[:1], coins[:-1]]) / keep),
            "the coins stand one step late: row t of coins belongs to the link that leads into "
            "the step of row t.",
            "Two coins, by hand",
        ),
        Mistake(
            "coin of the step before, around the end",
            _wrong_estimate(xi=lambda coins, keep: coins.roll(1) / keep),
            "you took coins[t - 1] in row t, and in row 0 that is the last coin of all. coins[t] "
            "belongs to the link into the step of row t.",
            "Two coins, by hand",
        ),
        Mistake(
            "coin of the next step",
            _wrong_estimate(xi=lambda coins, keep: torch.cat([coins[1:], coins[-1:]]) / keep),
            "you took coins[t + 1] in row t: the coin of the link out of the step. coins[t] "
            "belongs to the link into the step of row t.",
            "Two coins, by hand",
        ),
        Mistake(
            "divided by 1 - keep",
            _wrong_estimate(xi=lambda coins, keep: coins / (1 - keep)),
            "you divided a kept link by 1 - keep, the probability of a cut. Divide it by the "
            "probability of what has happened to it.",
            "Why the mean is right",
        ),
        Mistake(
            "multiplied by keep",
            _wrong_estimate(xi=lambda coins, keep: coins * keep),
            "you multiplied a kept link by keep. That makes it weaker a second time; a link that "
            "is often missing must count more when it is there.",
            "Why the mean is right",
        ),
        Mistake(
            "coin on b too",
            _wrong_estimate(on_b=True),
            "the coin multiplies b as well. The step's own use of the weight passes no link, so "
            "it is always kept, without a weight. (The mean would be right, with more noise.)",
            "Two coins, by hand",
        ),
        Mistake(
            "Jacobian transposed",
            _wrong_estimate(transpose=True),
            "the Jacobian is transposed. Forwards, row i of J_t gathers what unit i receives; the "
            "transpose belongs to the way back.",
            "Many units",
        ),
        Mistake(
            "entry by entry",
            _wrong_estimate(by_entry=True),
            "you multiplied J[t] and z entry by entry, with * in place of @. A step Jacobian acts "
            "on a vector as a matrix: each entry of the result is a sum over all units.",
            "Many units",
        ),
        Mistake(
            "z0 taken as zero",
            _wrong_estimate(from_zero=True),
            "you began with zero. Here an estimate z0 is handed over from an earlier part of the "
            "sequence, and the first link has a coin too.",
            "Many units",
        ),
        Mistake(
            "nothing cut",
            _wrong_estimate(xi=lambda coins, keep: torch.ones_like(coins) / keep),
            "every link is divided by keep and none is cut. Where the coin is 0, the history ends.",
            "Two coins, by hand",
        ),
        Mistake(
            "coins ignored",
            _wrong_estimate(xi=lambda coins, keep: torch.ones_like(coins)),
            "no coin has entered: no link was cut and none divided. This is the exact recursion, "
            "begun with z0.",
            "Two coins, by hand",
        ),
    ],
    hints=(
        "Carry one vector z through the loop, beginning with z0.",
        "A step adds b[t] and, if its coin is 1, J[t] @ z divided by keep.",
        'The equation is eq-random-vector, in "Many units".',
    ),
    insight="After a zero the estimate has forgotten all that came before; that is the saving.",
)


# ---- 3. the second moment ------------------------------------------------------------------


def _system(n: int, keep: float, seed: int, radius: float) -> dict:
    generator = torch.Generator().manual_seed(seed)
    A = torch.randn(n, n, generator=generator, dtype=torch.float64)
    A = radius * A / torch.linalg.eigvals(A).abs().max()
    return {"A": A, "b": torch.randn(n, generator=generator, dtype=torch.float64), "keep": keep}


def _moment(
    A: Tensor,
    b: Tensor,
    keep: float,
    *,
    factor: Callable[[float], float] = lambda keep: 1 / keep,
    cross: Callable[..., Tensor | float] = lambda b, m, Am, keep: _both(b, Am),
    transpose: bool = False,
    covariance: bool = False,
) -> Tensor:
    """E[z z^T] of the stationary estimate; the options make the known mistakes.

    ``factor`` stands before the quadratic term; ``cross`` is the mean of the two mixed terms.
    """
    n = len(b)
    m = torch.linalg.solve(torch.eye(n, dtype=A.dtype) - A, b)
    rest = torch.outer(b, b) + cross(b, m, A @ m, keep)
    twice = torch.kron(A.T, A.T) if transpose else torch.kron(A, A)
    system = torch.eye(n * n, dtype=A.dtype) - factor(keep) * twice
    M = torch.linalg.solve(system, rest.flatten()).reshape(n, n)
    return M - torch.outer(m, m) if covariance else M


def _both(b: Tensor, past: Tensor) -> Tensor:
    return torch.outer(b, past) + torch.outer(past, b)


def _newest_coin_only(A: Tensor, b: Tensor, keep: float) -> Tensor:
    """The product of the mean with itself and the noise of one coin."""
    m = torch.linalg.solve(torch.eye(len(b), dtype=A.dtype) - A, b)
    return torch.outer(m, m) + (1 - keep) / keep * torch.outer(A @ m, A @ m)


def _wrong_moment(**options):
    return lambda A, b, keep: _moment(A, b, keep, **options)


second_moment = Exercise(
    "randomized_truncation.second_moment",
    chapter=CHAPTER,
    returns={"M": "(n, n)"},
    reference=_wrong_moment(),
    # radius < keep, so that repetition settles even with the mistake 1/keep squared
    cases=[
        _system(3, keep=0.8, seed=5, radius=0.6),
        _system(1, keep=0.7, seed=6, radius=0.6),
        _system(4, keep=0.95, seed=7, radius=0.8),
    ],
    tolerance=1e-8,
    mistakes=[
        Mistake(
            "coin squared left out",
            _wrong_moment(factor=lambda keep: 1.0),
            "you took the mean of the squared coin for 1. Its mean is keep times 1/keep squared, "
            "which is 1/keep. With 1 the result is the product of the mean with itself: no noise "
            "at all.",
            "The price",
        ),
        Mistake(
            "keep for 1/keep",
            _wrong_moment(factor=lambda keep: keep),
            "the quadratic term carries keep. That is the mean of the square of a coin without "
            "its division; here a kept link is divided by keep.",
            "The price",
        ),
        Mistake(
            "1/keep squared",
            _wrong_moment(factor=lambda keep: 1 / keep**2),
            "the quadratic term carries 1/keep squared. That is the square of a coin that was "
            "kept; it happens with probability keep only.",
            "The price",
        ),
        Mistake(
            "cross terms left out",
            _wrong_moment(cross=lambda b, m, Am, keep: 0.0),
            "the products of b with the past are missing. They have a mean, because the estimate "
            "of the step before has the mean m.",
            "Many units",
        ),
        Mistake(
            "one cross term",
            _wrong_moment(cross=lambda b, m, Am, keep: torch.outer(b, Am)),
            "only one of the two products of b with the past is there. For numbers they are equal "
            "and make a factor of 2; for vectors they are transposes of each other.",
            "Many units",
        ),
        Mistake(
            "one cross term twice",
            _wrong_moment(cross=lambda b, m, Am, keep: 2 * torch.outer(b, Am)),
            "you took one of the two products of b with the past twice. That is right for "
            "numbers; for vectors the two are transposes of each other.",
            "Many units",
        ),
        Mistake(
            "m for A m",
            _wrong_moment(cross=lambda b, m, Am, keep: _both(b, m)),
            "you multiplied b by m. The past enters the step through A, so its mean there is A m.",
            "Many units",
        ),
        Mistake(
            "cross terms divided by keep",
            _wrong_moment(cross=lambda b, m, Am, keep: _both(b, Am) / keep),
            "you divided the products of b with the past by keep. They carry the coin once, and "
            "its mean is 1; only the mean of its square is 1/keep.",
            "The price",
        ),
        Mistake(
            "newest coin only",
            _newest_coin_only,
            "to the product of the mean with itself you added the noise of the newest coin only. "
            "Earlier noise is carried along: M itself stands on the right side.",
            "The price",
        ),
        Mistake(
            "transposed",
            _wrong_moment(transpose=True),
            "the transpose stands on the wrong side: z becomes A z, so z z^T becomes A z z^T A^T.",
            "Many units",
        ),
        Mistake(
            "covariance",
            _wrong_moment(covariance=True),
            "this is the covariance. The question asks for the second moment; you have subtracted "
            "the product of the mean with itself.",
            "Many units",
        ),
    ],
    hints=(
        "First the mean: m = b + A m, a linear system.",
        "Begin with M = 0. A round puts M into the right side of its equation and takes what comes "
        "out as the new M. Stop when the relative change is below 1e-12, not after a few rounds.",
        'The equation is eq-random-lyapunov, in "Many units".',
    ),
    insight="The spread of a random gradient can be computed before a single coin is thrown.",
)


# ---- 4. a prediction -----------------------------------------------------------------------

_UNBIASED = {
    "one coin for all links": False,
    "one coin for the sequence": True,
    "one coin for the batch": True,
    "keep changes with t": True,
    "keep looks at the last coin": True,
    "weight moves at every step": False,
}

still_unbiased = Exercise(
    "randomized_truncation.still_unbiased",
    chapter=CHAPTER,
    returns=dict.fromkeys(_UNBIASED, "()"),
    reference=_UNBIASED,
    options=(True, False),
    mistakes=[
        Mistake(
            "shared coin trusted",
            _UNBIASED | {"one coin for all links": True},
            "with one coin for all links a term of lag k carries the k-th power of that coin. The "
            "mean of its square is 1/keep, not 1: terms of lag 2 and more come out too large.",
            "Why the mean is right",
        ),
        Mistake(
            "coin for the sequence distrusted",
            _UNBIASED | {"one coin for the sequence": False},
            "here the coin multiplies the whole sum of all terms with a lag, once. Every "
            "term carries the first power of the coin, and its mean is 1.",
            "Why the mean is right",
        ),
        Mistake(
            "coin for the batch distrusted",
            _UNBIASED | {"one coin for the batch": False},
            "the gradient is a sum over examples, and the mean of a sum is the sum of the means, "
            "whether or not its parts are independent. What suffers is the variance.",
            "Why the mean is right",
        ),
        Mistake(
            "changing keep distrusted",
            _UNBIASED | {"keep changes with t": False},
            "each link is divided by the probability that it had itself, so each coin has the "
            "mean 1.",
            "Why the mean is right",
        ),
        Mistake(
            "looking back distrusted",
            _UNBIASED | {"keep looks at the last coin": False},
            "whatever the last coin showed, the mean of the next one is 1, because it is divided "
            "by the probability that it really had. The proof needs no more than that.",
            "Why the mean is right",
        ),
        Mistake(
            "moving weight trusted",
            _UNBIASED | {"weight moves at every step": True},
            "the coins now act on the weight and through it on the later states. The derivative "
            "of the loss and the estimate share coins, and the mean of their product is not the "
            "product of their means.",
            "Why the mean is right",
        ),
    ],
    hints=(
        "Write z_3 with all its coins, as a sum over three uses of the weight.",
        "Take the mean of each term. Is the mean of the product of its coins 1? And are b and c "
        "still free of coins?",
        'The expanded form is eq-random-expanded, in "Why the mean is right".',
    ),
    insight="Each coin has the mean 1, given the earlier ones, and nothing else may be random.",
)


# ---- 5. find the mistake -------------------------------------------------------------------

_FIND = {
    "mean of A": 4.0,
    "mean of B": 15.0,
    "mean of C": 15.0,
    "steps of C": 51.0,
    "steps of z": 2.0,
}

find_the_mistake = Exercise(
    "randomized_truncation.find_the_mistake",
    chapter=CHAPTER,
    returns=dict.fromkeys(_FIND, "()"),
    reference=_FIND,
    tolerance=2e-3,
    mistakes=[
        Mistake(
            "A taken for unbiased",
            _FIND | {"mean of A": 15.0},
            "you gave A the exact mean. A cuts links and does not divide: each of its coins has "
            "the mean 1/2.",
            "Why the mean is right",
        ),
        Mistake(
            "A halved as a whole",
            _FIND | {"mean of A": 7.5},
            "you halved the whole of A. Its terms lose one factor 1/2 for each link they pass: "
            "none, one, two or three.",
            "Why the mean is right",
        ),
        Mistake(
            "A without its factors",
            _FIND | {"mean of A": 1 + 1 / 2 + 1 / 4 + 1 / 8},
            "in A your terms carry one factor 1/2 for each link, and the factors c are missing. "
            "(If you divided the exact value by 8, that gives the same number; but only the oldest "
            "term passes three links.)",
            "Why the mean is right",
        ),
        Mistake(
            "B taken for biased",
            _FIND | {"mean of B": 7.5},
            "you halved B, because its coin cuts the step's own term as well. But a kept coin "
            "doubles that term as well: take the mean of the whole line.",
            "Why the mean is right",
        ),
        Mistake(
            "B cut without weight",
            _FIND | {"mean of B": 2.0},
            "you left the division out of B. B has it; its coin also multiplies b.",
            "Why the mean is right",
        ),
        Mistake(
            "C taken for biased",
            _FIND | {"mean of C": 8.0},
            "you left the division out of C. Its coin is divided by 1/2 before it multiplies.",
            "The printed formula saves nothing",
        ),
        Mistake(
            "C halved as a whole",
            _FIND | {"mean of C": 7.5},
            "you halved the whole of C. Its own term passes no coin, and where the coin keeps the "
            "link, the link is divided by 1/2.",
            "The printed formula saves nothing",
        ),
        Mistake(
            "C taken for cheap",
            _FIND | {"steps of C": 2.0},
            "you let C stop at the first zero. A single kept coin makes C ask for the exact "
            "derivative of the state before, and with it for all 101 steps.",
            "The printed formula saves nothing",
        ),
        Mistake(
            "C always complete",
            _FIND | {"steps of C": 101.0},
            "you let C see all steps always. If its one coin is zero, it sees its own step only.",
            "The printed formula saves nothing",
        ),
        Mistake(
            "half of all steps",
            _FIND | {"steps of C": 50.5},
            "for C you took half of all 101 steps. This forgets that C still sees its own step "
            "when the coin is zero.",
            "The printed formula saves nothing",
        ),
        Mistake(
            "own step counted twice",
            _FIND | {"steps of C": 51.5},
            "for C you added its own step to half of all 101 steps. Its own step is one of the "
            "101, so you have counted it once more when the coin is kept.",
            "The printed formula saves nothing",
        ),
        Mistake(
            "own step not counted",
            _FIND | {"steps of C": 50.0, "steps of z": 1.0},
            "you counted links. An estimate always sees its own step; count that one too.",
            "The printed formula saves nothing",
        ),
    ],
    hints=(
        "For the means, take the mean of one line of the loop: which factor stands in front of "
        "the estimate of the step before, on average?",
        "For the steps: C has one coin that matters, the newest. The recursion goes on as long as "
        "the coins are kept.",
        'The number of steps is eq-random-length, in "The printed formula saves nothing".',
    ),
    insight="A is wrong on average; B and C are right: one has noise without need, one no cut.",
)


# ---- 6. variance and threshold -------------------------------------------------------------


def _constant_chain(c: float = 0.8) -> dict[str, float]:
    """b = 1: threshold, spread at keep 0.8, keep for a relative spread of 1, and three steps."""
    a = 1 / (1 - c)
    keep, V = 0.5, 0.0
    exact = 0.0
    for _ in range(3):
        V = c * c / keep * V + (1 - keep) / keep * c * c * exact**2
        exact = 1 + c * exact
    return {
        "threshold": c * c,
        "shortest length": 1 / (1 - c * c),
        "spread": a * sqrt(c * c * 0.2 / (0.8 - c * c)),
        "keep for spread 5": 2 * c * c / (1 + c * c),
        "variance of z_3": V,
    }


_PRICE = _constant_chain()

price = Exercise(
    "randomized_truncation.price",
    chapter=CHAPTER,
    returns=dict.fromkeys(_PRICE, "()"),
    reference=_PRICE,
    tolerance=2e-3,
    mistakes=[
        Mistake(
            "c for c squared",
            _PRICE | {"threshold": 0.8, "shortest length": 5.0},
            "you took c for the threshold. The noise is multiplied by the square of c, and by "
            "1/keep, at every step; that product must stay below 1.",
            "The price",
        ),
        Mistake(
            "cut for keep",
            _PRICE | {"threshold": 0.36, "shortest length": 1 / 0.64},
            "you gave 1 - c squared for the threshold. At the threshold that is the probability of "
            "a cut; p is the probability that a link is kept.",
            "The price",
        ),
        Mistake(
            "length from keep",
            _PRICE | {"shortest length": 1 / 0.64},
            "for the mean length you divided 1 by p. Divide it by the probability of a cut: the "
            "rarer the cuts, the longer the history.",
            "The price",
        ),
        Mistake(
            "variance for the spread",
            _PRICE | {"spread": 20.0},
            "for the spread you gave the variance. The spread is its square root.",
            "The price",
        ),
        Mistake(
            "relative spread",
            _PRICE | {"spread": _PRICE["spread"] / 5},
            "your spread is divided by the derivative, which is 5. The question asks for the "
            "standard deviation itself.",
            "The price",
        ),
        Mistake(
            "old noise forgotten",
            _PRICE | {"spread": 2.0, "variance of z_3": 0.64 * 1.8**2},
            "you counted the noise of the newest coin only. Earlier noise is carried along and "
            "multiplied by c squared over keep.",
            "The price",
        ),
        Mistake(
            "old noise without 1/keep",
            _PRICE
            | {
                "spread": sqrt(0.16 * 25 / 0.36),
                "variance of z_3": 0.64 * 0.64 + 0.64 * 1.8**2,
            },
            "you carried earlier noise along with c squared only. It passes a coin as well, and "
            "the mean of the squared coin is 1/keep.",
            "The price",
        ),
        Mistake(
            "unlimited history for z_3",
            _PRICE | {"variance of z_3": 1.28 * 16 + 16},
            "for the third step you put the stationary derivative, 5, in the place of the first "
            "two. They are 1 and 1.8.",
            "The price",
        ),
        Mistake(
            "twice the threshold",
            _PRICE | {"keep for spread 5": 1 - 0.36 / 2},
            "you doubled the mean length at the threshold. Set the variance equal to 25 and solve "
            "for keep.",
            "The price",
        ),
    ],
    hints=(
        "With b = 1 the derivative settles at a = 1/(1 - c) = 5. The recursion for the variance "
        "gives, when nothing changes any more, one linear equation for V.",
        "Set V = 25 for the fourth number. For the fifth start with Var(z_1) = 0, a_1 = 1 and "
        "a_2 = 1.8: with three steps the variance is finite for every p above 0.",
        'The recursion is eq-random-variance, its limit eq-random-stationary, in "The price".',
    ),
    insight="Near the threshold a finite variance is no comfort: it may still be huge.",
)
