"""The textbook's own exercises, section 8.7.4, with the wrong answers that learners give."""

from __future__ import annotations

from collections.abc import Callable
from math import atan, ceil, cos, degrees, log, pi, radians, sqrt, tan

import numpy as np
import torch
from torch import Tensor

from bptt.exercises.engine import Exercise, Mistake

CHAPTER = "the exercises of section 8.7.4"
STATEMENT = "What the textbook asks"
COORDINATES = "Coordinates along the eigenvectors"
ANGLE = "The angle with a line"
CHANCE = "A random direction"
NOT_SYMMETRIC = "A matrix that is not symmetric"
BOUNDED = "What a remedy has to bound"


def _normal(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def _symmetric(*eigenvalues: float, seed: int) -> Tensor:
    """A symmetric matrix with these eigenvalues and generic eigenvectors."""
    V = torch.linalg.qr(_normal(len(eigenvalues), len(eigenvalues), seed=seed))[0]
    M = V @ torch.diag(torch.tensor(eigenvalues, dtype=torch.float64)) @ V.T
    return (M + M.T) / 2


# ---- 1. powers, by hand --------------------------------------------------------------------


def _third_power(first: float, second: float, tangent: float | None = None) -> dict[str, float]:
    """The answers for ``(-1, 3) = (1, 1) - 2 (1, -1)``, from the two eigenvalues of M^3."""
    return {
        "lambda_1^3": first,
        "lambda_2^3": second,
        "entry 1": first - 2 * second,
        "entry 2": first + 2 * second,
        "tan": abs(2 * second / first) if tangent is None else tangent,
    }


by_hand = Exercise(
    "section_8_7_4.by_hand",
    chapter=CHAPTER,
    returns=dict.fromkeys(_third_power(1, 1), "()"),
    reference=_third_power(64.0, -8.0),
    tolerance=2e-3,
    mistakes=[
        Mistake(
            "sign lost",
            _third_power(64.0, 8.0),
            "you took the eigenvalue -2 as 2. Its third power is negative: an odd power keeps "
            "the sign, so the second coordinate turns round.",
            COORDINATES,
        ),
        Mistake(
            "a minus sign lost in the entries",
            _third_power(64.0, -8.0) | {"entry 1": 48.0, "entry 2": 80.0},
            "both eigenvalues are right, but a minus sign is lost in the entries: that of -8, or "
            "that of the coordinate -2 along (1, -1).",
            COORDINATES,
        ),
        Mistake(
            "times k",
            _third_power(12.0, -6.0),
            "you multiplied each eigenvalue by 3. Each application of M multiplies the "
            "coordinate once more: three applications give the third power.",
            COORDINATES,
        ),
        Mistake(
            "entries cubed",
            {"lambda_1^3": 28.0, "lambda_2^3": -26.0, "entry 1": 80.0, "entry 2": -24.0}
            | {"tan": 52 / 28},
            "you raised each entry of M to the third power. The power of a matrix is a repeated "
            "matrix product; on its eigenvectors it is a power of numbers, on its entries not.",
            COORDINATES,
        ),
        Mistake(
            "ratio taken once",
            _third_power(64.0, -8.0, tangent=1.0),
            "for the tangent you multiplied by the ratio of the eigenvalues once. Each of the "
            "three steps multiplies by it.",
            ANGLE,
        ),
        Mistake(
            "tangent squared",
            _third_power(64.0, -8.0, tangent=0.0625),
            "you gave the square of the tangent. Take the root of the sum of squares.",
            ANGLE,
        ),
        Mistake(
            "tangent upside down",
            _third_power(64.0, -8.0, tangent=4.0),
            "this is the tangent of the angle with v_2: the coordinate along v_1 belongs into "
            "the denominator.",
            ANGLE,
        ),
        Mistake(
            "angle at the start",
            _third_power(64.0, -8.0, tangent=2.0),
            "this is the tangent for x itself, before any step. Use the coordinates of M^3 x.",
            ANGLE,
        ),
    ],
    hints=(
        "What does M do to (1, 1)? And to (1, -1)? The factors are the eigenvalues.",
        "Write x = (-1, 3) as a (1, 1) + b (1, -1). The sum of the two entries of x is 2a.",
        "Multiply each part by the third power of its eigenvalue and add up: eq-power-coordinates "
        "gives the coordinates, eq-power-angle the tangent."
        ' See "Coordinates along the eigenvectors" and "The angle with a line".',
    ),
    insight="Along its eigenvectors a matrix is a list of numbers, and powers are easy.",
)


# ---- 2. M^k from the eigenvalues -----------------------------------------------------------


def _through_eigenvalues(change: Callable[[Tensor, int], Tensor]):
    """The function ``(M, k) -> V diag(change(eigenvalues, k)) V^T``."""

    def power(M: Tensor, k: int) -> Tensor:
        eigenvalues, V = torch.linalg.eigh(M)
        return V @ torch.diag(change(eigenvalues, k)) @ V.T

    return power


def _left_out(which: str):
    """Like the right answer, with V and V^T exchanged, or without V^T."""

    def power(M: Tensor, k: int) -> Tensor:
        eigenvalues, V = torch.linalg.eigh(M)
        middle = torch.diag(eigenvalues**k)
        return V.T @ middle @ V if which == "exchanged" else V @ middle

    return power


matrix_power = Exercise(
    "section_8_7_4.matrix_power",
    chapter=CHAPTER,
    returns={"power": "(n, n)"},
    reference=_through_eigenvalues(lambda eigenvalues, k: eigenvalues**k),
    cases=[
        {"M": _symmetric(-1.2, 0.4, 0.9, seed=1), "k": 5},
        {"M": _symmetric(0.5, 0.5, -0.7, 1.1, seed=2), "k": 4},
        {"M": _symmetric(2.0, -0.3, seed=3), "k": 0},
    ],
    mistakes=[
        Mistake(
            "absolute values",
            _through_eigenvalues(lambda eigenvalues, k: eigenvalues.abs() ** k),
            "the eigenvalues lost their signs. The order of the new printing uses absolute "
            "values; the power itself uses the eigenvalues as they are.",
            COORDINATES,
        ),
        Mistake(
            "times k",
            _through_eigenvalues(lambda eigenvalues, k: k * eigenvalues),
            "the eigenvalues are multiplied by k instead of raised to the power k.",
            COORDINATES,
        ),
        Mistake(
            "one factor too many",
            _through_eigenvalues(lambda eigenvalues, k: eigenvalues ** (k + 1)),
            "this is M to the power k + 1. A loop that starts from M needs one round less; start "
            "it from the identity matrix.",
            COORDINATES,
        ),
        Mistake(
            "entry by entry",
            lambda M, k: M**k,
            "M**k raises each entry to the power k. That is not the matrix product.",
            COORDINATES,
        ),
        Mistake(
            "V and its transpose exchanged",
            _left_out("exchanged"),
            "V and its transpose stand in each other's place. eigh returns the eigenvectors as "
            "columns of V: first V^T takes coordinates, last V builds the vector.",
            COORDINATES,
        ),
        Mistake(
            "V^T left out",
            _left_out("last"),
            "the factor on the right, V^T, is missing: nothing takes the coordinates of the vector "
            "that the power will be applied to.",
            COORDINATES,
        ),
        Mistake(
            "eigenvalues alone",
            lambda M, k: torch.diag(torch.linalg.eigvalsh(M) ** k),
            "these are the right eigenvalues, on a diagonal matrix: a matrix with other "
            "eigenvectors. Go back to the old coordinates with V and V^T.",
            COORDINATES,
        ),
    ],
    hints=(
        "torch.linalg.eigh(M) returns the eigenvalues (n,) and V (n, n), eigenvectors as columns.",
        "In the coordinates V^T x the matrix multiplies entry i by eigenvalue i. Do it k times, "
        "then return to the old coordinates.",
        "M v_i = lambda_i v_i for all i at once reads M V = V diag(lambda): eq-power-eigen."
        ' See "Coordinates along the eigenvectors".',
    ),
    insight="M^k = V diag(lambda^k) V^T: the eigenvalues are the powers, multiplicities included.",
)


# ---- 3. a prediction: which line? ----------------------------------------------------------

_LINES = {
    "1, 2, 3": "v_n",
    "-3, 1, 2": "v_1",
    "-2, 1, 2": "neither",
    "1, 2, 2": "neither",
    "-0.9, 0.2, 0.5": "v_1",
    "0, 0, 1": "v_n",
}

which_line = Exercise(
    "section_8_7_4.which_line",
    chapter=CHAPTER,
    returns=dict.fromkeys(_LINES, "()"),
    reference=_LINES,
    options=("v_1", "v_n", "neither"),
    mistakes=[
        Mistake(
            "the older printing taken literally",
            _LINES | {"-3, 1, 2": "v_n", "-0.9, 0.2, 0.5": "v_n"},
            "you followed the sign: the older printing calls the largest number the leading "
            "eigenvalue. What grows fastest is what has the largest absolute value, and in "
            "both of these lists that is the first, a negative number.",
            STATEMENT,
        ),
        Mistake(
            "the older printing in the first list",
            _LINES | {"-3, 1, 2": "v_n"},
            "the largest number of the list -3, 1, 2 is 2, but the largest absolute value is that "
            "of -3, and it decides what grows fastest. It is the first of the list.",
            STATEMENT,
        ),
        Mistake(
            "the older printing in the list below 1",
            _LINES | {"-0.9, 0.2, 0.5": "v_n"},
            "the largest number of the list -0.9, 0.2, 0.5 is 0.5, but what shrinks most slowly "
            "has the largest absolute value: the first of the list.",
            STATEMENT,
        ),
        Mistake(
            "the sign of -3",
            _LINES | {"-3, 1, 2": "neither"},
            "with -3 the vector turns round at every step, but the line through it settles. "
            "Alignment is meant up to the sign.",
            ANGLE,
        ),
        Mistake(
            "a negative eigenvalue never settles",
            _LINES | {"-3, 1, 2": "neither", "-0.9, 0.2, 0.5": "neither"},
            "the vector turns round at every step, so it has no limit; but the line through it "
            "has one. Alignment is meant up to the sign.",
            ANGLE,
        ),
        Mistake(
            "what vanishes has no direction",
            _LINES | {"-0.9, 0.2, 0.5": "neither"},
            "all eigenvalues are below 1 in absolute value, so the vector shrinks to zero. Its "
            "direction is another matter: it depends on the ratios alone.",
            ANGLE,
        ),
        Mistake(
            "the tie of opposite signs overlooked",
            _LINES | {"-2, 1, 2": "v_n"},
            "-2 and 2 grow alike. Both coordinates keep their ratio, only a sign changes from step "
            "to step, so the vector jumps between two lines for ever.",
            COORDINATES,
        ),
        Mistake(
            "the repeated eigenvalue overlooked",
            _LINES | {"1, 2, 2": "v_n"},
            "the eigenvalue 2 has a whole plane of eigenvectors. M^k x aligns with that plane, at "
            "the place where x points, and not with the one vector that somebody called v_n.",
            COORDINATES,
        ),
        Mistake(
            "zero eigenvalues",
            _LINES | {"0, 0, 1": "neither"},
            "the two coordinates with eigenvalue 0 are gone after one step, and the third remains. "
            "No alignment could be faster.",
            COORDINATES,
        ),
    ],
    hints=(
        "Write M^k x in the coordinates along the eigenvectors. Which coordinate is multiplied by "
        "the number of largest absolute value?",
        "Is there only one such coordinate? The length of M^k x, and its sign, do not matter.",
        "The angle is the one of eq-power-angle: between a vector and a line."
        ' See "The angle with a line".',
    ),
    insight="What counts is the absolute value, that it is alone, and the line instead of a sign.",
)


# ---- 4. the bound on the angle -------------------------------------------------------------


def _turning(
    M: Tensor,
    x: Tensor,
    K: int,
    *,
    signed_order: bool = False,
    signed_ratio: bool = False,
    second: int = 1,
    exponent: int = 1,
    size: str = "tangent",
    from_the_step_before: bool = False,
) -> dict[str, Tensor]:
    """Tangents and bounds for k = 0..K; the options make the known mistakes."""
    eigenvalues, V = torch.linalg.eigh(M)
    order = (eigenvalues if signed_order else eigenvalues.abs()).argsort(descending=True)
    eigenvalues, c = eigenvalues[order], (V.T @ x)[order]
    ratio = eigenvalues[second] / eigenvalues[0]
    ratio = ratio if signed_ratio else ratio.abs()

    def tangent(y: Tensor) -> Tensor:
        rest = y[1:].abs().sum() if size == "1-norm" else y[1:].norm()
        return rest / (y.norm() if size == "sine" else y[0].abs())

    tangents = torch.stack([tangent(eigenvalues**k * c) for k in range(K + 1)])
    bounds = ratio ** (exponent * torch.arange(K + 1)) * tangents[0]
    if from_the_step_before:
        bounds = torch.cat([tangents[:1], ratio * tangents[:-1]])
    return {"tangent": tangents, "bound": bounds}


def _turning_mistake(**options):
    return lambda M, x, K: _turning(M, x, K, **options)


turning = Exercise(
    "section_8_7_4.turning",
    chapter=CHAPTER,
    returns={"tangent": "(K+1,)", "bound": "(K+1,)"},
    reference=lambda M, x, K: _turning(M, x, K),
    cases=[
        {"M": _symmetric(-1.1, 0.9, 0.3, seed=4), "x": _normal(3, seed=14), "K": 8},
        {"M": _symmetric(0.8, -0.7, 0.5, 0.4, -0.1, seed=5), "x": _normal(5, seed=15), "K": 12},
        {"M": _symmetric(2.0, 1.5, 0.5, -1.8, seed=6), "x": _normal(4, seed=16), "K": 5},
    ],
    mistakes=[
        Mistake(
            "signed order",
            _turning_mistake(signed_order=True),
            "you took the eigenvalues in the order of their signs, as the older printing does and "
            "as eigh returns them. Sort by absolute value first.",
            STATEMENT,
        ),
        Mistake(
            "signed ratio",
            _turning_mistake(signed_ratio=True),
            "the ratio in the bound keeps the sign of its eigenvalues, so that the bound changes "
            "its sign at every step. A bound on a length uses absolute values.",
            ANGLE,
        ),
        Mistake(
            "ratio squared",
            _turning_mistake(exponent=2),
            "the ratio in the bound is squared. The squares belong to the square of the tangent; "
            "after the root, each step multiplies by the ratio once.",
            ANGLE,
        ),
        Mistake(
            "sine for tangent",
            _turning_mistake(size="sine"),
            "you divided by the length of the whole vector: that is the sine. The tangent divides "
            "by the coordinate along v_1.",
            ANGLE,
        ),
        Mistake(
            "absolute values added",
            _turning_mistake(size="1-norm"),
            "you added the absolute values of the other coordinates. Perpendicular parts combine "
            "by Pythagoras: the root of the sum of squares.",
            COORDINATES,
        ),
        Mistake(
            "third eigenvalue in the bound",
            _turning_mistake(second=2),
            "your bound uses the third largest absolute value. The second one shrinks most slowly, "
            "so it alone can bound all the others.",
            ANGLE,
        ),
        Mistake(
            "bound from the step before",
            _turning_mistake(from_the_step_before=True),
            "your bound takes the tangent of the step before, times the ratio. That is a true "
            "bound, but it needs the whole path; the question asks for the one from theta_0.",
            ANGLE,
        ),
    ],
    hints=(
        "eigh sorts by sign. Sort again: order = eigenvalues.abs().argsort(descending=True).",
        "The coordinates of M^k x are eigenvalues**k * c, where c = V.T @ x.",
        "The tangent of each is eq-power-angle; the bound to be proved is eq-power-bound."
        ' See "The angle with a line".',
    ),
    insight="The second largest absolute value against the largest: this ratio sets the pace.",
)


# ---- 5. the law of the first angle ---------------------------------------------------------

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(200)


def _area(angle: float, n: int) -> float:
    """The integral of sin^(n-2) from 0 to an angle in radians."""
    places = angle / 2 * (_NODES + 1)
    return float(angle / 2 * np.sum(_WEIGHTS * np.sin(places) ** (n - 2)))


def _chance_within(angle: float, n: int) -> float:
    """The probability that a Gaussian vector is within ``angle`` radians of a given line."""
    return _area(angle, n) / _area(pi / 2, n)


def _within(law: Callable[[float, int], float]):
    """From ``law(angle in radians, n)`` the function of many angles in degrees."""
    return lambda angles, n: torch.tensor(
        [law(radians(angle), n) for angle in angles.tolist()], dtype=torch.float64
    )


within = Exercise(
    "section_8_7_4.within",
    chapter=CHAPTER,
    returns={"chance": "(m,)"},
    reference=_within(_chance_within),
    tolerance=1e-6,
    cases=[
        {"angles": torch.tensor(angles, dtype=torch.float64), "n": n}
        for angles, n in (
            ([10.0, 30.0, 45.0, 90.0], 2),
            ([30.0, 60.0, 80.0], 3),
            ([60.0, 75.0, 80.0, 85.0, 89.0], 50),
            ([40.0, 70.0], 7),
        )
    ],
    mistakes=[
        Mistake(
            "all angles equally likely",
            _within(lambda angle, n: angle / (pi / 2)),
            "you took every angle as equally likely. That is so for n = 2 alone. In more "
            "dimensions there is far more room at right angles to a line than near it.",
            CHANCE,
        ),
        Mistake(
            "one dimension too many",
            _within(lambda angle, n: _chance_within(angle, n + 1)),
            "these are the numbers of n + 1 dimensions. n - 1 coordinates are perpendicular to "
            "v_1, so the second parameter of the Beta law is (n - 1)/2, and the density of the "
            "angle has the power n - 2 of the sine.",
            CHANCE,
        ),
        Mistake(
            "the complement",
            _within(lambda angle, n: 1 - _chance_within(angle, n)),
            "this is the probability of a larger angle. The cosine falls as the angle grows: a "
            "small angle means a large squared cosine.",
            CHANCE,
        ),
        Mistake(
            "one side only",
            _within(lambda angle, n: _chance_within(angle, n) / 2),
            "this is half of the answer: you counted the vectors near v_1 and left out those near "
            "-v_1, which lie on the same line.",
            ANGLE,
        ),
        Mistake(
            "normal approximation",
            _within(lambda angle, n: float(torch.erfc(torch.tensor(sqrt(n / 2) * cos(angle))))),
            "you took the cosine as a normal number of variance 1/n. That is close for large n "
            "and wrong for small n: the length of x is random too.",
            CHANCE,
        ),
        Mistake(
            "divided by the other squares alone",
            _within(lambda angle, n: _chance_within(atan(1 / cos(angle)), n)),
            "you divided the first square by the sum of the others. The squared cosine divides it "
            "by the sum of all squares, itself included.",
            ANGLE,
        ),
    ],
    hints=(
        "The angle is at most a exactly when its squared cosine is at least cos^2(a).",
        "Put u = cos^2(theta) into the Beta density: u^(-1/2) (1 - u)^((n - 3)/2) du becomes, up "
        "to a constant, sin^(n-2)(theta) d theta. No singularity is left for n >= 2.",
        "Integrate sin^(n-2) from 0 to a and divide by the integral up to a right angle. The law "
        "is eq-power-beta."
        ' See "A random direction".',
    ),
    insight="For large n nearly every direction is nearly perpendicular to v_1; few start well.",
)


# ---- 6. how many steps ---------------------------------------------------------------------


def _first_step(holds: Callable[[int], bool]) -> int:
    """The smallest k >= 0 for which ``holds(k)``."""
    k = 0
    while not holds(k):
        k += 1
    return k


def _steps_guaranteed(
    chance: float, n: int, ratio: float, limit: float, *, power: int = 1, tangents: bool = True
) -> int:
    """Steps until the bound guarantees an angle of at most ``limit`` radians."""

    def holds(k: int) -> bool:
        shrunk = ratio ** (power * k)
        start = atan(tan(limit) / shrunk) if tangents else min(limit / shrunk, pi / 2)
        return _chance_within(start, n) >= chance

    return _first_step(holds)


def _steps(rule: Callable[[float, int, float, float], float]):
    """From a rule for one chance the function of many; the limit comes in degrees."""
    return lambda chances, n, ratio, limit: torch.tensor(
        [rule(chance, n, ratio, radians(limit)) for chance in chances.tolist()],
        dtype=torch.float64,
    )


def _steps_from_typical_start(chance: float, n: int, ratio: float, limit: float) -> int:
    return ceil(log(sqrt(n - 1) / tan(limit)) / log(1 / ratio))


def _steps_from_formula(chance: float, n: int, ratio: float, limit: float) -> int:
    constant = sqrt(2 * (n - 1) / pi)
    return max(0, ceil(log(constant / ((1 - chance) * tan(limit))) / log(1 / ratio)))


steps = Exercise(
    "section_8_7_4.steps",
    chapter=CHAPTER,
    returns={"k": "(m,)"},
    reference=_steps(_steps_guaranteed),
    cases=[
        {"chances": torch.tensor(chances, dtype=torch.float64), "n": n, "ratio": r, "limit": a}
        for chances, n, r, a in (
            ([0.9, 0.99], 50, 0.9, 1.0),
            ([0.5, 0.9, 0.999], 3, 0.5, 1.2),
            ([0.75, 0.95], 200, 0.97, 0.5),
        )
    ],
    mistakes=[
        Mistake(
            "one step short",
            _steps(lambda *given: _steps_guaranteed(*given) - 1),
            "each number is one too small. At your k the probability is still below what was "
            "asked; round up.",
            ANGLE,
        ),
        Mistake(
            "ratio squared",
            _steps(lambda *given: _steps_guaranteed(*given, power=2)),
            "you let the tangent shrink by the square of the ratio. Each step multiplies it by "
            "the ratio once.",
            ANGLE,
        ),
        Mistake(
            "angles instead of tangents",
            _steps(lambda *given: _steps_guaranteed(*given, tangents=False)),
            "you let the angle itself shrink by the ratio. The tangent does; near a right angle, "
            "where a random vector starts, the two differ very much.",
            ANGLE,
        ),
        Mistake(
            "the typical start",
            _steps(_steps_from_typical_start),
            "you started from one typical angle, with squared cosine 1/n. Then the probability "
            "that was asked for plays no part; unlucky starts are nearer to a right angle.",
            CHANCE,
        ),
        Mistake(
            "chance and risk exchanged",
            _steps(lambda chance, *given: _steps_guaranteed(1 - chance, *given)),
            "you used the probability of failure where that of success was asked. More certainty "
            "needs more steps.",
            CHANCE,
        ),
        Mistake(
            "the closed formula",
            _steps(_steps_from_formula),
            "your number of steps is sufficient, but not always the smallest: the closed formula "
            "rests on an upper bound of a density. Use the exact probability.",
            CHANCE,
        ),
        Mistake(
            "limit left in degrees",
            lambda chances, n, ratio, limit: _steps(_steps_guaranteed)(
                chances, n, ratio, degrees(limit)
            ),
            "you took the tangent of the number of degrees. The tangent of a computer expects "
            "radians: math.radians(limit).",
            ANGLE,
        ),
    ],
    hints=(
        "After k steps the bound guarantees the limit exactly when ratio^k tan(theta_0) is at most "
        "tan(limit).",
        "So theta_0 may be as large as arctan(tan(limit) / ratio^k). Your function of exercise 5 "
        "says how likely that is.",
        "Count k up from 0 until the probability is reached. The bound is eq-power-bound."
        ' See "The angle with a line".',
    ),
    insight="The dimension enters only through a logarithm; the gap decides.",
)


# ---- 7. a counterexample to construct ------------------------------------------------------

_SWAP = {"M_11": 0.6, "M_12": 0.8, "M_22": -0.6, "lambda_1": 1.0, "lambda_2": -1.0, "tan": 0.5}

never_settles = Exercise(
    "section_8_7_4.never_settles",
    chapter=CHAPTER,
    returns=dict.fromkeys(_SWAP, "()"),
    reference=_SWAP,
    tolerance=2e-3,
    mistakes=[
        Mistake(
            "the way back forgotten",
            _SWAP | {"M_22": 0.6, "lambda_1": 1.4, "lambda_2": -0.2, "tan": 1.0},
            "your matrix takes (5, 0) to (3, 4), but not (3, 4) back to (5, 0). The second "
            "condition fixes M_22.",
            COORDINATES,
        ),
        Mistake(
            "not divided by 5",
            {name: value * (1 if name == "tan" else 5) for name, value in _SWAP.items()},
            "every entry is 5 times too large: the first column is what M makes of (1, 0), not of "
            "(5, 0).",
            COORDINATES,
        ),
        Mistake(
            "eigenvalue 1 twice",
            _SWAP | {"lambda_2": 1.0},
            "you gave the eigenvalue 1 twice. Two steps lead back, so the squares of the "
            "eigenvalues are 1; with both equal to 1, M would be the identity matrix, and nothing "
            "would move.",
            COORDINATES,
        ),
        Mistake(
            "angle between the two vectors",
            _SWAP | {"tan": 4 / 3},
            "your tangent belongs to the angle between (5, 0) and (3, 4). The line of v_1 lies in "
            "the middle between them.",
            ANGLE,
        ),
        Mistake(
            "angle with the other eigenvector",
            _SWAP | {"tan": 2.0},
            "your tangent belongs to the angle with the eigenvector of -1. The question asks for "
            "the one of 1.",
            ANGLE,
        ),
    ],
    hints=(
        "The first column of M is M (1, 0). M is symmetric, so this fixes all entries but one.",
        "M (x + y) = y + x and M (x - y) = y - x. Which eigenvalues are these?",
        "v_1 is parallel to (5, 0) + (3, 4). Then use eq-power-angle for (5, 0)."
        ' See "The angle with a line".',
    ),
    insight="With lambda_2 = -lambda_1 nothing shrinks: the angle stays, at every step.",
)


# ---- 8. the rank-one matrix that is left ---------------------------------------------------


def _leading(W: Tensor, *, by_real_part: bool = False) -> tuple[float, Tensor, Tensor]:
    """The leading eigenvalue of W, which is real, with its right and left unit eigenvectors."""

    def leading_vector(A: Tensor) -> tuple[float, Tensor]:
        eigenvalues, vectors = torch.linalg.eig(A)
        size = eigenvalues.real if by_real_part else eigenvalues.abs()
        place = int(size.argmax())
        return float(eigenvalues[place].real), vectors[:, place].real

    eigenvalue, right = leading_vector(W)
    return eigenvalue, right, leading_vector(W.T)[1]


def _rank_one(W: Tensor, k: int, kind: str = "right") -> Tensor:
    """What is left of W^k; the kinds other than ``right`` are known mistakes."""
    eigenvalue, r, left = _leading(W, by_real_part=kind == "signed")
    power = eigenvalue**k
    if kind == "singular":
        U, S, Vh = torch.linalg.svd(W)
        return S[0] ** k * torch.outer(U[:, 0], Vh[0])
    return {
        "right": power * torch.outer(r, left) / (left @ r),
        "signed": power * torch.outer(r, left) / (left @ r),
        "transposed": power * torch.outer(left, r) / (left @ r),
        "right twice": power * torch.outer(r, r),
        "left twice": power * torch.outer(left, left),
        "not normalised": power * torch.outer(r, left) * torch.sign(left @ r),
        "no power": torch.outer(r, left) / (left @ r),
    }[kind]


def _first_returned(W: Tensor, k: int) -> Tensor:
    eigenvalues, right = torch.linalg.eig(W)
    left = torch.linalg.inv(right)  # its rows are left eigenvectors, divided by l^T r already
    return (eigenvalues[0] ** k * torch.outer(right[:, 0], left[0])).real


def _rank_one_of(kind: str):
    return lambda W, k: _rank_one(W, k, kind)


def _with_eigenvalues(*eigenvalues: float, seed: int) -> Tensor:
    """A matrix that is not symmetric, with these real eigenvalues."""
    n = len(eigenvalues)
    R = torch.eye(n, dtype=torch.float64) + 0.4 * _normal(n, n, seed=seed)
    return R @ torch.diag(torch.tensor(eigenvalues, dtype=torch.float64)) @ torch.linalg.inv(R)


def _triangular(*eigenvalues: float, seed: int) -> Tensor:
    """An upper triangular matrix with these eigenvalues on its diagonal."""
    n = len(eigenvalues)
    diagonal = torch.diag(torch.tensor(eigenvalues, dtype=torch.float64))
    return diagonal + 0.5 * _normal(n, n, seed=seed).triu(1)


rank_one = Exercise(
    "section_8_7_4.rank_one",
    chapter=CHAPTER,
    returns={"limit": "(n, n)"},
    reference=_rank_one_of("right"),
    cases=[
        {"W": _with_eigenvalues(0.7, 1.1, 0.2, seed=7), "k": 6},
        {"W": _with_eigenvalues(0.5, 0.3, -0.9, 0.6, seed=8), "k": 5},
        # LAPACK returns the eigenvalues of a triangular matrix in the order of the diagonal.
        {"W": _triangular(0.4, 0.7, -0.2, 1.2, seed=9), "k": 4},
    ],
    mistakes=[
        Mistake(
            "left and right exchanged",
            _rank_one_of("transposed"),
            "the left and the right eigenvector stand in each other's place. What leaves W^k lies "
            "along r, and l reads what enters: r is the column, l the row.",
            NOT_SYMMETRIC,
        ),
        Mistake(
            "right eigenvector twice",
            _rank_one_of("right twice"),
            "you used the right eigenvector on both sides, as for a symmetric matrix. Here the one "
            "that reads is the left eigenvector, an eigenvector of the transpose.",
            NOT_SYMMETRIC,
        ),
        Mistake(
            "left eigenvector twice",
            _rank_one_of("left twice"),
            "you used the left eigenvector on both sides. What leaves W^k lies along the right "
            "one.",
            NOT_SYMMETRIC,
        ),
        Mistake(
            "not divided by the product of the two",
            _rank_one_of("not normalised"),
            "the division by l^T r is missing. Two unit vectors that are not parallel have a "
            "product below 1; only a symmetric matrix makes it 1.",
            NOT_SYMMETRIC,
        ),
        Mistake(
            "power left out",
            _rank_one_of("no power"),
            "the factor lambda_1^k is missing: each step multiplies by lambda_1 once more.",
            NOT_SYMMETRIC,
        ),
        Mistake(
            "singular vectors",
            _rank_one_of("singular"),
            "you used the largest singular value and its vectors. They describe one step. The "
            "vector that one step stretches most is not what it puts out, so the next step "
            "stretches less.",
            NOT_SYMMETRIC,
        ),
        Mistake(
            "the first that eig returns",
            _first_returned,
            "you took the first eigenvalue that eig returns. eig does not sort: look for the "
            "largest absolute value.",
            STATEMENT,
        ),
        Mistake(
            "the largest real part",
            _rank_one_of("signed"),
            "you took the eigenvalue with the largest real part as the leading one. The largest "
            "absolute value counts; it may be a negative number.",
            STATEMENT,
        ),
    ],
    hints=(
        "torch.linalg.eig(W) gives right eigenvectors as columns, torch.linalg.eig(W.T) the left "
        "ones. Both are complex; where the leading eigenvalue is real, take the real parts.",
        "Write any vector in the basis of the right eigenvectors. The coordinate along r_1 is "
        "l_1^T x / (l_1^T r_1).",
        "So one term is left of W^k x, along r_1. The two kinds of eigenvectors are those of "
        "eq-power-left-right."
        ' See "A matrix that is not symmetric".',
    ),
    insight="Forward the state lines up with r, backward the adjoint lines up with l.",
)


# ---- 9. remedies ---------------------------------------------------------------------------

_BOUNDED = {
    "clipping by norm": True,
    "clipping by value": True,
    "a learning rate ten times smaller": False,
    "the mean over steps, and nothing else": False,
    "gradient checkpointing": False,
    "truncation to 20 steps": True,
    "W_hh scaled to a 2-norm of 0.9": True,
    "W_hh scaled to a spectral radius of 0.9": False,
}

remedies = Exercise(
    "section_8_7_4.remedies",
    chapter=CHAPTER,
    returns=dict.fromkeys(_BOUNDED, "()"),
    reference=_BOUNDED,
    options=(True, False),
    mistakes=[
        Mistake(
            "checkpointing",
            _BOUNDED | {"gradient checkpointing": True},
            "checkpointing stores fewer states and computes them again when they are needed. The "
            "gradient is the same number as before; what shrinks is the memory.",
            BOUNDED,
        ),
        Mistake(
            "the smaller step",
            _BOUNDED | {"a learning rate ten times smaller": True},
            "a tenth of something that grows with T without limit grows without limit. It buys a "
            "few steps: ten is reached a little later.",
            BOUNDED,
        ),
        Mistake(
            "the mean",
            _BOUNDED | {"the mean over steps, and nothing else": True},
            "the mean divides by T, while one term can grow like a power with exponent T.",
            BOUNDED,
        ),
        Mistake(
            "the spectral radius",
            _BOUNDED | {"W_hh scaled to a spectral radius of 0.9": True},
            "the spectral radius decides about powers of one matrix. With tanh the slopes change "
            "the matrix, and a slope matrix times W_hh can have a larger radius than W_hh.",
            BOUNDED,
        ),
        Mistake(
            "the 2-norm",
            _BOUNDED | {"W_hh scaled to a 2-norm of 0.9": False},
            "each step Jacobian then has a 2-norm of at most 0.9, whatever the slopes are, and "
            "the norm of a product is at most the product of the norms. That bound holds for "
            "every T.",
            BOUNDED,
        ),
        Mistake(
            "truncation",
            _BOUNDED | {"truncation to 20 steps": False},
            "no product has more than 20 step Jacobians then, so a number that does not depend on "
            "T bounds them all. It may be a large number.",
            BOUNDED,
        ),
        Mistake(
            "clipping by norm",
            _BOUNDED | {"clipping by norm": False},
            "after clipping by norm the length of the gradient is at most the threshold, whatever "
            "T and the inputs are. That is what it is for.",
            BOUNDED,
        ),
        Mistake(
            "clipping by value",
            _BOUNDED | {"clipping by value": False},
            "each entry is cut to the threshold, so the length is at most the threshold times the "
            "root of the number of entries. (The direction changes; that was not asked.)",
            BOUNDED,
        ),
    ],
    hints=(
        "Ask in each case: is there a number that the length of the update cannot pass, whatever "
        "T and the inputs are? It may be large.",
        "The length of a product of step Jacobians is at most the product of their 2-norms. Which "
        "remedies limit the norms, which the number of factors, which the result?",
        'The bound on the update is eq-power-geometric. See "What a remedy has to bound".',
    ),
    insight="A remedy bounds the factors, their number or the result. Four of these bound none.",
)
