"""Exercises of chapter 7, "From equations to code", with the wrong answers that learners give."""

from __future__ import annotations

from math import sqrt

import torch
from torch import Tensor

from bptt.exercises.engine import Exercise, Mistake
from bptt.rnn import RNN

CHAPTER = "chapter 7, From equations to code"


def _generator(seed: int):
    generator = torch.Generator().manual_seed(seed)
    return lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)


# ---- 1. the best step, by hand -------------------------------------------------------------

_U, _F, _SECOND, _THIRD = 1e-9, 16.0, 1.6, 6.0  # unit round-off, |f|, |f''|, |f'''|
_ROUNDING = _U * _F


def _central_error(step: float) -> float:
    return step**2 / 6 * _THIRD + _ROUNDING / step


def _forward_error(step: float) -> float:
    return step / 2 * _SECOND + 2 * _ROUNDING / step


def _millionths(**values: float) -> dict[str, float]:
    return {name.replace("_", " "): 1e6 * value for name, value in values.items()}


_CENTRAL, _FORWARD = (3 * _ROUNDING / _THIRD) ** (1 / 3), 2 * sqrt(_ROUNDING / _SECOND)
_BEST = _millionths(
    central_step=_CENTRAL,
    central_error=_central_error(_CENTRAL),
    forward_step=_FORWARD,
    forward_error=_forward_error(_FORWARD),
)


def _other_central(step: float) -> dict[str, float]:
    """The right answer, but for another step of the central difference."""
    return _BEST | _millionths(central_step=step, central_error=_central_error(step))


best_step = Exercise(
    "from_equations_to_code.best_step",
    chapter=CHAPTER,
    returns=dict.fromkeys(_BEST, "()"),
    reference=_BEST,
    tolerance=2e-3,
    mistakes=[
        Mistake(
            "square root for the central difference",
            _other_central(sqrt(3 * _ROUNDING / _THIRD)),
            "for the central difference you took a square root. Its truncation error has the "
            "square of the step, so the derivative of E is zero where the third power of the "
            "step is known.",
            "Differences instead of derivatives",
        ),
        Mistake(
            "terms set equal",
            _other_central((6 * _ROUNDING / _THIRD) ** (1 / 3)),
            "for the central difference you looked for the step at which both terms are equal. "
            "The sum is smallest elsewhere, where its derivative is zero: there the truncation "
            "term is half of the other. (For the forward difference the two places agree.)",
            "Differences instead of derivatives",
        ),
        Mistake(
            "factor 3 lost",
            _other_central((_ROUNDING / _THIRD) ** (1 / 3)),
            "for the central difference the factor 3 under the root is missing. Differentiate "
            "the square of the step over 6: that gives the step over 3.",
            "Differences instead of derivatives",
        ),
        Mistake(
            "one term of the error",
            _BEST
            | _millionths(
                central_error=_ROUNDING / _CENTRAL, forward_error=2 * _ROUNDING / _FORWARD
            ),
            "both errors are the rounding term alone. At the best step truncation has a share "
            "as well.",
            "Differences instead of derivatives",
        ),
        Mistake(
            "one rounded value in the forward difference",
            _BEST
            | _millionths(
                forward_step=sqrt(2 * _ROUNDING / _SECOND),
                forward_error=sqrt(2 * _ROUNDING * _SECOND),
            ),
            "for the forward difference you let one value be rounded. Two are, and they are "
            "divided by the step, not by twice the step.",
            "Differences instead of derivatives",
        ),
        Mistake(
            "factor 2 lost in the forward difference",
            _BEST
            | _millionths(
                forward_step=sqrt(_ROUNDING / _SECOND),
                forward_error=_forward_error(sqrt(_ROUNDING / _SECOND)),
            ),
            "for the forward difference a factor 2 is lost before the root. Both terms have a 2: "
            "one divides, the other multiplies.",
            "Differences instead of derivatives",
        ),
        Mistake(
            "truncation alone",
            _BEST
            | _millionths(
                central_error=_CENTRAL**2 / 6 * _THIRD, forward_error=_FORWARD / 2 * _SECOND
            ),
            "both errors are the truncation term alone. At the best step rounding has a share as "
            "well.",
            "Differences instead of derivatives",
        ),
        Mistake(
            "|f| left out",
            _millionths(
                central_step=(3 * _U / _THIRD) ** (1 / 3),
                central_error=1.5 * _U / (3 * _U / _THIRD) ** (1 / 3),
                forward_step=2 * sqrt(_U / _SECOND),
                forward_error=2 * sqrt(_U * _SECOND),
            ),
            "you took u for the rounding error of a value. The error is relative: a value of "
            "size |f| is wrong by up to u |f|.",
            "Differences instead of derivatives",
        ),
        Mistake(
            "not in millionths",
            {name: 1e-6 * value for name, value in _BEST.items()},
            "the numbers are right, but the exercise asks for millionths: multiply all by 10^6.",
            "Differences instead of derivatives",
        ),
    ],
    hints=(
        "Write E as a sum of two terms with the numbers in place. One grows with the step, the "
        "other falls.",
        "Set the derivative of E with respect to the step to zero, solve for the step, and put it "
        "back into E.",
        'The results are eq-code-best-step and its neighbour, in "Differences instead of '
        'derivatives".',
    ),
    insight="The central difference takes the larger step and has the much smaller error.",
)


# ---- 2. the gradients of a batch -----------------------------------------------------------


def _batch(T: int, B: int, d: int, n: int, seed: int) -> dict[str, Tensor]:
    normal = _generator(seed)
    rnn = RNN(normal(n, d), normal(n, n) / n**0.5, normal(2, n))
    tape = rnn(normal(T, B, d), normal(B, n))
    return {"W_hh": rnn.W_hh, "X": tape.X, "H": tape.H, "dZ": normal(T, B, n)}


def _gradients(W_hh: Tensor, X: Tensor, H: Tensor, dZ: Tensor) -> dict[str, Tensor]:
    return {
        "dW_hx": torch.einsum("tba,tbe->ae", dZ, X),
        "dW_hh": torch.einsum("tba,tbc->ac", dZ, H[:-1]),
        "dh0": dZ[0] @ W_hh,
    }


def _with(**changed):
    """The right gradients with some of them computed in another way."""
    return lambda W_hh, X, H, dZ: (
        _gradients(W_hh, X, H, dZ)
        | {name: other(W_hh, X, H, dZ) for name, other in changed.items()}
    )


def _averaged(W_hh: Tensor, X: Tensor, H: Tensor, dZ: Tensor) -> dict[str, Tensor]:
    right = _gradients(W_hh, X, H, dZ)
    return right | {name: right[name] / X.shape[1] for name in ("dW_hx", "dW_hh")}


def _steps_averaged(W_hh: Tensor, X: Tensor, H: Tensor, dZ: Tensor) -> dict[str, Tensor]:
    right = _gradients(W_hh, X, H, dZ)
    return right | {name: right[name] / len(X) for name in ("dW_hx", "dW_hh")}


def _both_averaged(W_hh: Tensor, X: Tensor, H: Tensor, dZ: Tensor) -> dict[str, Tensor]:
    right = _gradients(W_hh, X, H, dZ)
    return right | {name: right[name] / dZ[..., 0].numel() for name in ("dW_hx", "dW_hh")}


def _other_order(dZ: Tensor, other: Tensor) -> Tensor:
    return dZ.transpose(0, 1).flatten(0, 1).T @ other.flatten(0, 1)


batch_gradients = Exercise(
    "from_equations_to_code.batch_gradients",
    chapter=CHAPTER,
    returns={"dW_hx": "(n, d)", "dW_hh": "(n, n)", "dh0": "(B, n)"},
    reference=_gradients,
    cases=[
        _batch(T=7, B=3, d=2, n=4, seed=71),
        _batch(T=1, B=5, d=3, n=2, seed=72),
        _batch(T=4, B=4, d=4, n=4, seed=73),
    ],
    mistakes=[
        Mistake(
            "averaged over the batch",
            _averaged,
            "you divided the sum by B. If the loss is a mean, its factor is inside dL/do "
            "already, and dZ has it from there.",
            "Stage 4: the batch is summed",
        ),
        Mistake(
            "averaged over the steps",
            _steps_averaged,
            "you divided the sum by T. If the loss is a mean, its factor is inside dL/do "
            "already; the uses of a weight add up.",
            "Stage 4: the batch is summed",
        ),
        Mistake(
            "averaged over steps and batch",
            _both_averaged,
            "you divided the sum by T B. The mean's factor is inside dL/do already, and dZ has it "
            "from there.",
            "Stage 4: the batch is summed",
        ),
        Mistake(
            "flattened in two orders",
            _with(
                dW_hx=lambda W_hh, X, H, dZ: _other_order(dZ, X),
                dW_hh=lambda W_hh, X, H, dZ: _other_order(dZ, H[:-1]),
            ),
            "one factor was flattened with the batch in front and the other with time in front. "
            "Each row of dZ then meets a row of another step or sequence.",
            "Stage 4: the batch is summed",
        ),
        Mistake(
            "summed before the product",
            _with(
                dW_hx=lambda W_hh, X, H, dZ: dZ.sum(1).T @ X.sum(1),
                dW_hh=lambda W_hh, X, H, dZ: dZ.sum(1).T @ H[:-1].sum(1),
            ),
            "you summed both factors over the batch and multiplied the sums. That pairs every "
            "sequence with every other one; the products must be summed.",
            "Stage 4: the batch is summed",
        ),
        Mistake(
            "h_t for h_{t-1}",
            _with(dW_hh=lambda W_hh, X, H, dZ: torch.einsum("tba,tbc->ac", dZ, H[1:])),
            "dW_hh pairs dL/dz_t with h_t. At step t the weight multiplied h_{t-1}: the rows "
            "H[:-1].",
            "Stage 3: one product for the sum over time",
        ),
        Mistake(
            "W_hh's gradient transposed",
            _with(dW_hh=lambda W_hh, X, H, dZ: torch.einsum("tba,tbc->ca", dZ, H[:-1])),
            "dW_hh is transposed. Rows belong to z, so dZ is the factor that stands transposed "
            "on the left; no shape warns you, because W_hh is square.",
            "Stage 3: one product for the sum over time",
        ),
        Mistake(
            "first sequence only",
            _with(
                dW_hx=lambda W_hh, X, H, dZ: dZ[:, 0].T @ X[:, 0],
                dW_hh=lambda W_hh, X, H, dZ: dZ[:, 0].T @ H[:-1, 0],
            ),
            "only the first sequence counts. All sequences use the same weights.",
            "Stage 4: the batch is summed",
        ),
        Mistake(
            "dh0 summed over the batch",
            _with(dh0=lambda W_hh, X, H, dZ: (dZ[0] @ W_hh).sum(0)),
            "dh0 is summed over the batch. Each sequence has an initial state of its own, and so "
            "a gradient of its own: one row each.",
            "Stage 4: the batch is summed",
        ),
        Mistake(
            "dh0 through the transpose",
            _with(dh0=lambda W_hh, X, H, dZ: dZ[0] @ W_hh.T),
            "dh0 went through the transposed W_hh. Columns need the transpose; in rows it is gone.",
            "Stage 2: columns become rows",
        ),
        Mistake(
            "dh0 from the last step",
            _with(dh0=lambda W_hh, X, H, dZ: dZ[-1] @ W_hh),
            "dh0 is computed from the last row of dZ. The initial state acts through z_1, whose "
            "adjoint is row 0.",
            "The equations",
        ),
        Mistake(
            "dh0 without W_hh",
            _with(dh0=lambda W_hh, X, H, dZ: dZ[0].clone()),
            "dh0 is dL/dz_1. One product with W_hh lies between h_0 and z_1.",
            "The equations",
        ),
    ],
    hints=(
        "Which rows of H did the weight W_hh multiply at the steps 1 to T?",
        "Make (t, b) one long index in both factors, in the same order: flatten(0, 1). Then one "
        "matrix product sums over it.",
        'The equations are eq-code-one-product and eq-code-batch; dh0 is in "The equations".'
        ' See "Stage 3: one product for the sum over time" and "Stage 4: the batch is summed".',
    ),
    insight="One matrix product sums over steps and sequences; only dh0 keeps its sequences apart.",
)


# ---- 3. a check that wrong gradients cannot pass -------------------------------------------


def _norm(A: Tensor) -> Tensor:
    """One 2-norm for each pair: ``(k, a, b)`` to ``(k,)``."""
    return torch.linalg.vector_norm(A, dim=(1, 2))


def _finite(G: Tensor, G_judge: Tensor) -> Tensor:
    return (torch.isfinite(G) & torch.isfinite(G_judge)).all(-1).all(-1)


def _accepted(G: Tensor, G_judge: Tensor, tolerance: float) -> Tensor:
    size = _norm(G_judge)
    close = _norm(G - G_judge) <= tolerance * size
    return (close & (size > 0) & _finite(G, G_judge)).double()


def _pairs(rows: int, columns: int, tolerance: float, seed: int) -> dict[str, Tensor | float]:
    """Gradients under test with their judges: right ones, wrong ones, and some of strange size."""
    normal = _generator(seed)
    right = normal(rows, columns)
    zero = torch.zeros_like(right)
    with_zero = right.clone()
    with_zero[0, 0] = 0
    one_entry = torch.zeros_like(right)
    one_entry[-1, -1] = 1
    spread = normal(rows, columns).sign() / (rows * columns) ** 0.5
    swing = torch.zeros_like(right)
    swing[0, 0], swing[-1, -1] = 1, -1
    limit = tolerance * right.norm()  # the largest difference that is accepted

    def with_entry(value: float, place: tuple[int, int], A: Tensor) -> Tensor:
        changed = A.clone()
        changed[place] = value
        return changed

    infinite = with_entry(torch.inf, (0, -1), right)
    pairs = [
        (1e-9 * right * (1 + 1e-9), 1e-9 * right),
        (zero, 1e-9 * right),
        (-1e-9 * right, 1e-9 * right),
        (-1e-20 * right, 1e-20 * right),
        (1e6 * right + 1e6 * 0.3 * limit * spread, 1e6 * right),
        (with_zero + 1e-9 * spread, with_zero),
        (zero, zero),
        (infinite, right),
        (right, infinite),
        (infinite, infinite),
        (with_entry(torch.nan, (-1, 0), right), right),
        (with_entry(torch.nan, (0, 0), with_zero), with_zero),
        (right.flip(0, 1), right),
        (right + 0.9 * limit * one_entry, right),
        (right + 1.2 * limit * one_entry, right),
        (right + 0.9 * limit * spread, right),
        (right + 1.2 * limit * spread, right),
        (right + 2 * limit * swing, right),
        (2 * right, right),
        ((1 - 0.9 * tolerance) * right, right),
        (1.5 * right, right),
        (right.clone(), right),
    ]
    G, G_judge = (torch.stack(side) for side in zip(*pairs, strict=True))
    return {"G": G, "G_judge": G_judge, "tolerance": tolerance}


def _verdict(accept) -> object:
    return lambda G, G_judge, tolerance: accept(G, G_judge, tolerance).double()


def _guarded(error) -> object:
    """The right guards, but another error: ``error(G, G_judge)`` returns ``(k,)``."""
    return _verdict(
        lambda G, judge, tol: (error(G, judge) <= tol) & (_norm(judge) > 0) & _finite(G, judge)
    )


def _cosine(G: Tensor, G_judge: Tensor) -> Tensor:
    return (G * G_judge).sum((1, 2)) / (_norm(G) * _norm(G_judge))


def _largest(A: Tensor) -> Tensor:
    return A.abs().amax((1, 2))


def _spectral(A: Tensor) -> Tensor:
    return torch.linalg.matrix_norm(A.nan_to_num(0, 0, 0), ord=2)


_TRAPS = "Relative, and never against zero"

accepted = Exercise(
    "from_equations_to_code.accepted",
    chapter=CHAPTER,
    returns={"verdicts": "(k,)"},
    reference=_accepted,
    cases=[
        _pairs(3, 4, tolerance=1e-6, seed=74),
        _pairs(5, 2, tolerance=0.6, seed=75),
    ],
    mistakes=[
        Mistake(
            "absolute tolerance",
            _verdict(lambda G, judge, tol: _largest(G - judge) <= tol),
            "the largest difference is compared with the tolerance as it is. Beside small "
            "gradients that accepts a wrong sign and zeros; beside large ones it rejects rounding.",
            _TRAPS,
        ),
        Mistake(
            "absolute tolerance in the 2-norm",
            _guarded(lambda G, judge: _norm(G - judge)),
            "the norm of the difference is compared with the tolerance as it is. Divide it by the "
            "norm of the judge's gradient, or multiply the tolerance by it.",
            _TRAPS,
        ),
        Mistake(
            "one tolerance for all",
            lambda G, G_judge, tolerance: _accepted(G, G_judge, 1e-6),
            "the tolerance is fixed in your code. It is an argument, and the second call gives "
            "another one than the first.",
            _TRAPS,
        ),
        Mistake(
            "NaN passes",
            _verdict(lambda G, judge, tol: ~(_norm(G - judge) / _norm(judge) > tol)),
            "you reject where the error is above the tolerance, and accept the rest. Where an "
            "error is NaN no comparison with it is true, and the pair is accepted; a judge of "
            "zeros against zeros is such a pair too.",
            _TRAPS,
        ),
        Mistake(
            "NaN passes, zero does not",
            _verdict(
                lambda G, judge, tol: ~(_norm(G - judge) / _norm(judge) > tol) & (_norm(judge) > 0)
            ),
            "you reject where the error is above the tolerance, and accept the rest. Where an "
            "error is NaN no comparison with it is true, and the pair is accepted.",
            _TRAPS,
        ),
        Mistake(
            "NaN replaced",
            lambda G, G_judge, tolerance: _accepted(G.nan_to_num(), G_judge, tolerance),
            "you replaced NaN by a number before you compared. Where the judge has nearly that "
            "number, a broken gradient passes. Reject it as it is.",
            _TRAPS,
        ),
        Mistake(
            "infinite judge accepted",
            _verdict(
                lambda G, judge, tol: (_norm(G - judge) <= tol * _norm(judge)) & (_norm(judge) > 0)
            ),
            "if the judge holds infinity, your limit is infinite as well, and every finite "
            "gradient is accepted. Reject a judge that is not finite.",
            _TRAPS,
        ),
        Mistake(
            "zero gradient accepted",
            _verdict(
                lambda G, judge, tol: (_norm(G - judge) <= tol * _norm(judge)) & _finite(G, judge)
            ),
            "a gradient of zeros is accepted where the judge's is zero too. Such a case cannot "
            "tell right from wrong: reject it.",
            _TRAPS,
        ),
        Mistake(
            "zero and infinite judges accepted",
            _verdict(lambda G, judge, tol: _norm(G - judge) <= tol * _norm(judge)),
            "a judge of zeros accepts zeros, and a judge with infinity accepts every finite "
            "gradient. Nothing is tested in either case: reject both.",
            _TRAPS,
        ),
        Mistake(
            "a small number in the denominator",
            _guarded(lambda G, judge: _norm(G - judge) / (_norm(judge) + 1e-12)),
            "you added a small number to the norm of the judge. Beside a gradient that is smaller "
            "still it is no longer small, and the wrong sign passes.",
            _TRAPS,
        ),
        Mistake(
            "divided by the gradient under test",
            _guarded(lambda G, judge: _norm(G - judge) / _norm(G)),
            "you divided by the norm of the gradient under test. The longer that gradient is, the "
            "smaller its error looks. Divide by the one that you trust.",
            _TRAPS,
        ),
        Mistake(
            "divided by the longer of the two",
            _guarded(lambda G, judge: _norm(G - judge) / torch.maximum(_norm(G), _norm(judge))),
            "you divided by the longer of the two gradients. A gradient that is too long then "
            "makes its own error look smaller. Divide by the one that you trust.",
            _TRAPS,
        ),
        Mistake(
            "divided by the sum of the two",
            _guarded(lambda G, judge: _norm(G - judge) / (_norm(G) + _norm(judge))),
            "you divided by the sum of the two norms. That is about half of the error that the "
            "exercise asks for. Divide by the norm of the judge's gradient alone.",
            _TRAPS,
        ),
        Mistake(
            "largest entry",
            _guarded(lambda G, judge: _largest(G - judge) / _largest(judge)),
            "you compared the largest entries. The exercise asks for the 2-norm over all entries: "
            "the root of the sum of their squares.",
            _TRAPS,
        ),
        Mistake(
            "sum of absolute values",
            _guarded(lambda G, judge: (G - judge).abs().sum((1, 2)) / judge.abs().sum((1, 2))),
            "you compared sums of absolute values. The exercise asks for the 2-norm over all "
            "entries: the root of the sum of their squares.",
            _TRAPS,
        ),
        Mistake(
            "largest singular value",
            _guarded(lambda G, judge: _spectral(G - judge) / _spectral(judge)),
            "you took the 2-norm of a matrix, its largest singular value. The exercise asks for "
            "the 2-norm over all entries: the root of the sum of their squares.",
            _TRAPS,
        ),
        Mistake(
            "lengths compared",
            _guarded(lambda G, judge: (_norm(G) - _norm(judge)).abs() / _norm(judge)),
            "you compared the two norms. Gradients of one length can point anywhere: the wrong "
            "sign passes. Take the norm of the difference.",
            _TRAPS,
        ),
        Mistake(
            "entry by entry",
            _verdict(
                lambda G, judge, tol: (
                    ((G - judge).abs() <= tol * judge.abs()).all(-1).all(-1)
                    & (_norm(judge) > 0)
                    & _finite(G, judge)
                )
            ),
            "each entry is divided by itself. An entry that is zero, or near it, is then rejected "
            "for its rounding error. Compare whole gradients with one norm.",
            _TRAPS,
        ),
        Mistake(
            "entry by entry, with an absolute part",
            _verdict(
                lambda G, judge, tol: (
                    ((G - judge).abs() <= 1e-8 + tol * judge.abs()).all(-1).all(-1)
                )
            ),
            "you compared entry by entry, with a small absolute tolerance beside the relative "
            "one, as torch.allclose does. Beside tiny gradients the absolute part accepts "
            "everything. Compare whole gradients with one norm.",
            _TRAPS,
        ),
        Mistake(
            "differences cancel",
            _guarded(lambda G, judge: (G - judge).sum((1, 2)).abs() / _norm(judge)),
            "you added the differences with their signs, so that two errors can cancel. Square "
            "them, or take absolute values, before you add.",
            _TRAPS,
        ),
        Mistake(
            "direction alone",
            _guarded(lambda G, judge: 1 - _cosine(G, judge)),
            "you compared directions alone. A gradient that is half as long again passes; a "
            "second division by B or T is just such a mistake.",
            _TRAPS,
        ),
        Mistake(
            "squared error",
            _guarded(lambda G, judge: (_norm(G - judge) / _norm(judge)) ** 2),
            "you compared the square of the relative error with the tolerance. Take the root.",
            _TRAPS,
        ),
        Mistake(
            "verdicts exchanged",
            lambda G, G_judge, tolerance: 1 - _accepted(G, G_judge, tolerance),
            "the verdicts are exchanged: 1 means accepted, 0 rejected.",
            _TRAPS,
        ),
    ],
    hints=(
        "Take norms over the last two axes, so that each of the k pairs has its own.",
        "Put the test so that a pair is accepted only if a comparison is true: NaN makes every "
        "comparison false. If you multiply the tolerance by the norm of the judge, look what "
        "happens when that norm is zero or infinite.",
        'The quantity is eq-code-relative-error, in "Relative, and never against zero"; read the '
        "three traps below it.",
    ),
    insight="A check is written from the side of acceptance: what is not shown right is rejected.",
)


# ---- 4. a prediction: caught or hidden? ----------------------------------------------------

_CAUGHT = {
    "n = 1: W_hh transposed": "hidden",
    "W_hh a rotation: W_hh transposed": "caught",
    "no tanh: slope left out": "hidden",
    "T = 2: future left out": "caught",
    "loss at step 1 only: future left out": "hidden",
    "equal sequences: divided by B again": "caught",
    "h_0 = 0: h_t for h_{t-1}": "caught",
}


def _flipped(name: str) -> dict[str, str]:
    return _CAUGHT | {name: "hidden" if _CAUGHT[name] == "caught" else "caught"}


hidden_or_caught = Exercise(
    "from_equations_to_code.hidden_or_caught",
    chapter=CHAPTER,
    returns=dict.fromkeys(_CAUGHT, "()"),
    reference=_CAUGHT,
    options=("caught", "hidden"),
    mistakes=[
        Mistake(
            "one unit is enough",
            _flipped("n = 1: W_hh transposed"),
            "a matrix with one row and one column is its own transpose.",
            "Cases that hide mistakes",
        ),
        Mistake(
            "rotations taken for symmetric",
            _flipped("W_hh a rotation: W_hh transposed"),
            "the transpose of a rotation turns the other way. It is the inverse, and equal to the "
            "rotation only in special cases such as half a turn.",
            "Cases that hide mistakes",
        ),
        Mistake(
            "slope of the identity",
            _flipped("no tanh: slope left out"),
            "without tanh every slope is 1, and leaving out a factor 1 changes nothing.",
            "Cases that hide mistakes",
        ),
        Mistake(
            "two steps are too few",
            _flipped("T = 2: future left out"),
            "two steps have one message from the future: from step 2 to step 1. Without it "
            "dL/dz_1 is wrong, and with it the share of step 1 in both gradients.",
            "Cases that hide mistakes",
        ),
        Mistake(
            "an early loss has a future",
            _flipped("loss at step 1 only: future left out"),
            "if only step 1 has a loss, no loss comes after any step that counts: every message "
            "from the future is zero, with the slip and without.",
            "Cases that hide mistakes",
        ),
        Mistake(
            "equal sequences taken for B = 1",
            _flipped("equal sequences: divided by B again"),
            "B equal sequences are still B sequences. Dividing by B once more makes the gradient "
            "B times too small.",
            "Cases that hide mistakes",
        ),
        Mistake(
            "h_0 = 0 taken for all states",
            _flipped("h_0 = 0: h_t for h_{t-1}"),
            "only the first of the states h_0, ..., h_{T-1} is zero. All other pairs are wrong "
            "with the slip, and h_T takes part, which belongs to none.",
            "Cases that hide mistakes",
        ),
    ],
    hints=(
        "Ask each time: which number does the slip change, and is it multiplied by zero, or "
        "replaced by an equal one, in this case?",
        "Write down eq-code-adjoint for the case: which factors are 1, which messages are zero?",
        "For the batch look at eq-code-batch, for the states at eq-code-gradients."
        ' See "Stage 4: the batch is summed" and "The equations".',
    ),
    insight="A case hides a slip if it makes the wrong factor equal to the right one, or zero.",
)


# ---- 5. one step of real-time recurrent learning -------------------------------------------


def _through(W_hh: Tensor, S: Tensor) -> Tensor:
    """W_hh times the old sensitivities: the sum over the unit of h_{t-1}, the first axis."""
    return torch.einsum("ck,kae->cae", W_hh, S)


def _direct(h: Tensor, x: Tensor) -> Tensor:
    """Entry (a, e) of W_hx acts at once on unit a alone, by x_e."""
    return torch.einsum("ca,e->cae", torch.eye(len(h), dtype=h.dtype), x)


def _slope(h: Tensor) -> Tensor:
    return (1 - h**2)[:, None, None]


def _sensitivity_step(W_hh: Tensor, S: Tensor, x: Tensor, h: Tensor) -> Tensor:
    return _slope(h) * (_through(W_hh, S) + _direct(h, x))


def _sensitivities(n: int, d: int, t: int, seed: int) -> dict[str, Tensor]:
    normal = _generator(seed)
    W_hh, W_hx, h = normal(n, n) / n**0.5, normal(n, d), normal(n)
    S = torch.zeros(n, n, d, dtype=torch.float64)
    for _ in range(t):
        before_S, x = S, normal(d)
        h = torch.tanh(W_hh @ h + W_hx @ x)
        S = _sensitivity_step(W_hh, before_S, x, h)
    return {"W_hh": W_hh, "S": before_S, "x": x, "h": h}


sensitivity_step = Exercise(
    "from_equations_to_code.sensitivity_step",
    chapter=CHAPTER,
    returns={"S_new": "(n, n, d)"},
    reference=_sensitivity_step,
    cases=[
        _sensitivities(3, 3, 5, seed=76),
        _sensitivities(4, 2, 1, seed=77),
        _sensitivities(2, 2, 8, seed=78),
        _sensitivities(3, 4, 4, seed=79),
    ],
    mistakes=[
        Mistake(
            "sum over the wrong axis",
            lambda W_hh, S, x, h: _slope(h) * (W_hh @ S + _direct(h, x)),
            "W_hh @ S sums over the middle axis of S, a. The unit of h_{t-1}, over which W_hh "
            "sums, is the first axis.",
            "The forward twin",
        ),
        Mistake(
            "direct effect forgotten",
            lambda W_hh, S, x, h: _slope(h) * _through(W_hh, S),
            "the direct effect is missing: the weight also acts at this step itself. Without it "
            "the sensitivities stay zero for ever.",
            "The forward twin",
        ),
        Mistake(
            "path through h_{t-1} forgotten",
            lambda W_hh, S, x, h: _slope(h) * _direct(h, x),
            "this is the direct effect alone. A nudge of the weight has changed h_{t-1} as well, "
            "and that goes on through W_hh.",
            "The forward twin",
        ),
        Mistake(
            "past taken over as it is",
            lambda W_hh, S, x, h: _slope(h) * (S + _direct(h, x)),
            "the old sensitivities are added as they are. What h_{t-1} does to this step goes "
            "through W_hh.",
            "The forward twin",
        ),
        Mistake(
            "direct effect on every unit",
            lambda W_hh, S, x, h: _slope(h) * (_through(W_hh, S) + x),
            "the direct effect is added for every unit. Entry (a, e) of W_hx leads to unit a "
            "alone: it stands where c = a.",
            "The forward twin",
        ),
        Mistake(
            "slope forgotten",
            lambda W_hh, S, x, h: _through(W_hh, S) + _direct(h, x),
            "no part carries the slope of this step: these are the sensitivities of z_t. One tanh "
            "lies between z_t and h_t.",
            "The forward twin",
        ),
        Mistake(
            "slope on the direct effect alone",
            lambda W_hh, S, x, h: _through(W_hh, S) + _slope(h) * _direct(h, x),
            "what comes through h_{t-1} does not carry the slope. Add both parts first; both pass "
            "the tanh of this step.",
            "The forward twin",
        ),
        Mistake(
            "slope on the past alone",
            lambda W_hh, S, x, h: _slope(h) * _through(W_hh, S) + _direct(h, x),
            "the direct effect does not carry the slope. Add both parts first; both pass the tanh "
            "of this step.",
            "The forward twin",
        ),
        Mistake(
            "slope on the axis a",
            lambda W_hh, S, x, h: (1 - h**2)[:, None] * (_through(W_hh, S) + _direct(h, x)),
            "the slope multiplies the middle axis, a. It belongs to the unit of h_t, the axis c.",
            "The forward twin",
        ),
        Mistake(
            "W_hh transposed",
            lambda W_hh, S, x, h: _sensitivity_step(W_hh.T, S, x, h),
            "W_hh is transposed. Sensitivities travel forward, as the states do; the transpose "
            "belongs to the way back.",
            "The forward twin",
        ),
    ],
    hints=(
        "Two parts: W_hh times the old sensitivities, summed over the first axis of S, and a "
        "direct effect that is zero unless c = a.",
        "For each a, S_new[a, a] is the vector that gets x. Multiply by the slope last; it belongs "
        "to the axis c.",
        'The equation is eq-code-sensitivity-others, in "The forward twin".',
    ),
    insight="One step of the forward twin: n times n times d numbers, and no past beyond them.",
)


# ---- 6. find the mistake -------------------------------------------------------------------

_LOOPLESS = {"right": 40.0, "colleague": 4.0, "longest T": 2.0}

without_a_loop = Exercise(
    "from_equations_to_code.without_a_loop",
    chapter=CHAPTER,
    returns=dict.fromkeys(_LOOPLESS, "()"),
    reference=_LOOPLESS,
    tolerance=2e-3,
    mistakes=[
        Mistake(
            "the second line taken for a loop",
            _LOOPLESS | {"colleague": 40.0},
            "for the colleague you used adjoints that are finished already. The right-hand side is "
            "computed for all steps before anything is stored: there every row of dZ still holds "
            "its own loss alone.",
            "Stage 5: out of the loop",
        ),
        Mistake(
            "exchanged",
            _LOOPLESS | {"right": 4.0, "colleague": 40.0},
            "the two numbers are exchanged: the colleague's is the one that stops after one step.",
            "Stage 5: out of the loop",
        ),
        Mistake(
            "own loss alone",
            _LOOPLESS | {"colleague": 1.0},
            "for the colleague you left the second line out. It does add one message, that of the "
            "next step.",
            "Stage 5: out of the loop",
        ),
        Mistake(
            "longest path alone",
            _LOOPLESS | {"right": 27.0},
            "you counted the loss of the last step alone. Each of the four steps has a loss, and "
            "each reaches z_1 with a power of w of its own.",
            "The equations",
        ),
        Mistake(
            "one step too many",
            _LOOPLESS | {"right": 121.0},
            "you went one step too far. From z_4 to z_1 there are three factors w.",
            "The equations",
        ),
        Mistake(
            "one step too few",
            _LOOPLESS | {"right": 13.0},
            "you stopped at z_2. One more step, with a factor w and a loss of its own, leads to "
            "z_1.",
            "The equations",
        ),
        Mistake(
            "right for T = 4",
            _LOOPLESS | {"longest T": 4.0},
            "with T = 4, the network of this exercise, the two numbers differ. So 4 is too long.",
            "Stage 5: out of the loop",
        ),
        Mistake(
            "right for T = 1 alone",
            _LOOPLESS | {"longest T": 1.0},
            "with two steps there is one message, from step 2 to step 1, and the colleague's "
            "second line sends it. Step 2 has nothing after it.",
            "Stage 5: out of the loop",
        ),
        Mistake(
            "right for T = 3",
            _LOOPLESS | {"longest T": 3.0},
            "with three steps the loss of step 3 must reach z_1 over two steps. One product "
            "carries it one step.",
            "Stage 5: out of the loop",
        ),
    ],
    hints=(
        "Begin with the right answer: dz_4, then dz_3, dz_2, dz_1. Each is 1 plus w times the one "
        "after it.",
        "For the colleague, write down the four rows after the first line. The second line reads "
        "these rows, and only then changes them.",
        'The recursion is eq-code-rows; what must wait is said in "Stage 5: out of the loop".'
        ' See "Stage 2: columns become rows".',
    ),
    insight="What depends on the step after it cannot leave the loop; a test with T = 2 is blind.",
)
