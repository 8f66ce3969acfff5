"""What the text of chapter 7 says about its figure, its numbers and its benchmark."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from bptt.explore.from_equations_to_code import STEPS, _best, _errors, _lost, _three_losses
from bptt.verify import relative_error

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "book/chapters/07_from_equations_to_code.md").read_text("utf-8")
SETTINGS = [(n, f, c) for n in ("float32", "float64") for f in ("forward", "central")
            for c in (0, 10, 100, 1000)]  # fmt: skip


def exponent(number, formula, constant):
    """How the measured error grows on the right arm, as a power of the step."""
    error = _errors(number, formula, constant)[0]
    return np.log2(error[4] / error[6]) / 2


def same_float32_losses():
    below, _, above = _three_losses("float32")
    lost = _lost("float32", "central", 0)
    return bool((below == above)[lost >= STEPS].all())


@pytest.mark.parametrize(
    ("sentence", "holds"),
    [
        (
            "The best step is near $10^{-5}$, as predicted.",
            lambda: 4e-6 < _best("float64", "central", 0)[0] < 2e-5,
        ),
        (
            "the right arm has half the slope, and the best error is a hundred times larger",
            lambda: (
                abs(exponent("float64", "central", 0) - 2) < 0.1
                and abs(exponent("float64", "forward", 0) - 1) < 0.1
                and 50 < _best("float64", "forward", 0)[1] / _best("float64", "central", 0)[1] < 200
            ),
        ),
        (
            "even the best step leaves only four digits, and below some step the error is exactly "
            "1",
            lambda: (
                1e-5 < _best("float32", "central", 0)[1] < 1e-4
                and _lost("float32", "central", 0) is not None
                and _lost("float64", "central", 0) is None
            ),
        ),
        (
            "the two moved weights, or the two values of the loss, are the same float32 number",
            same_float32_losses,
        ),
        (
            "The gradient is the same as before, and yet the left arm rises.",
            lambda: (
                np.median(
                    _errors("float64", "central", 1000)[0][20:]
                    / _errors("float64", "central", 0)[0][20:]
                )
                > 50
            ),
        ),
    ],
)
def test_the_text_tells_what_the_figure_shows(sentence, holds):
    words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", TEXT)
    assert sentence in re.sub(r"\s+", " ", words)
    assert holds()


@pytest.mark.parametrize(("number", "formula", "constant"), SETTINGS)
def test_the_measured_errors_follow_the_two_lines(number, formula, constant):
    measured, truncation, rounding = _errors(number, formula, constant)
    alive = (_lost(number, formula, constant) or 0) < STEPS
    assert (measured < 5 * (truncation + rounding))[alive].all()
    on_the_right = truncation > 20 * rounding
    assert on_the_right.sum() >= 3
    assert np.allclose(measured[on_the_right], truncation[on_the_right], rtol=0.1)
    step, error = _best(number, formula, constant)
    at = int(np.flatnonzero(step == STEPS)[0])
    assert 0.03 < truncation[at] / rounding[at] < 10  # near the place where the lines cross
    assert error < 3 * (truncation[at] + rounding[at])


def test_the_figure_agrees_with_autograd():
    """The gradient that its errors are measured against, from a loop that autograd follows."""
    from bptt.explore import from_equations_to_code as module

    leaf = lambda *shape, seed: torch.tensor(module._numbers(*shape, seed=seed))  # noqa: E731
    T, N, D, Q = module.T, module.N, module.D, module.Q
    W_hx, W_qh = leaf(N, D, seed=1), leaf(Q, N, seed=2)
    W_hh = leaf(N, N, seed=3).requires_grad_()
    h, loss = leaf(N, seed=6), 0
    for x, y in zip(leaf(T, D, seed=4), leaf(T, Q, seed=5), strict=True):
        h = torch.tanh(W_hx @ x + W_hh @ h)
        loss = loss + ((W_qh @ h - y) ** 2).sum() / (2 * T)
    below, here, above = _three_losses("decimal")
    assert abs(float(here[0, 0]) - loss.item()) < 1e-14
    quotients = (above - below).astype(float)[20] / (2 * STEPS[20])
    (gradient,) = torch.autograd.grad(loss, W_hh)
    assert relative_error(torch.tensor(quotients).reshape(N, N), gradient) < 1e-10


def test_the_numbers_of_the_best_step():
    """The text rounds what the two formulas give for equal |f| and |f'''|, or |f''|."""
    stated = {"float64": (2.0**-53, 7e-6, 2e-11), "float32": (2.0**-24, 6e-3, 2e-5)}
    for u, step, error in stated.values():
        best = (3 * u) ** (1 / 3)
        assert float(f"{best:.0e}") == step and float(f"{1.5 * u / best:.0e}") == error
    assert 1e-8 < 2 * (2.0**-53) ** 0.5 < 4e-8
    words = re.sub(r"\s+", " ", TEXT)
    assert "$7 \\cdot 10^{-6}$ in float64, with an error near $2 \\cdot 10^{-11}$" in words
    assert "$6 \\cdot 10^{-3}$ in float32, with an error near $2 \\cdot 10^{-5}$" in words


def test_the_text_names_the_benchmark():
    assert "`benchmarks/backward.py`" in TEXT and (ROOT / "benchmarks/backward.py").is_file()
