"""What the text of chapter 8 says about its figures and numbers."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from bptt.explore.vanishing_and_exploding import (
    ACTIVATIONS,
    LAGS,
    MODELS,
    SEEDS,
    _gaussian,
    _log_norms,
    _lstm_step,
    _norms,
    _power_norms,
    _settled,
    _simple_step,
    latch,
    norm_by_lag,
    powers,
)

TEXT = (Path(__file__).parent.parent / "book/chapters/08_vanishing_and_exploding.md").read_text(
    "utf-8"
)
GAINS = (0.5, 0.8, 0.9, 1.0, 1.1, 1.5, 2.0)


def rate(model, gain, first=20):
    norms = _norms(model, gain)
    return (norms[-1] / norms[first]) ** (1 / (LAGS - first))


@pytest.mark.parametrize(
    ("sentence", "holds"),
    [
        (
            "Remove the coupling: the three lines are one.",
            lambda: (
                np.allclose(_power_norms(0.5, 0.5, 0.0)[0], 0.5 ** np.arange(21), rtol=1e-6)
                and _power_norms(0.5, 0.5, 0.0)[1:] == (0.5, 0.5)
            ),
        ),
        (
            "the norm passes 30 and is still above 1 after 20 steps",
            lambda: (
                _power_norms(0.9, 0.9, 8.0)[0].max() > 30 and _power_norms(0.9, 0.9, 8.0)[0][20] > 1
            ),
        ),
        (
            "With both eigenvalues 1 the norm grows like $2k$",
            lambda: abs(_power_norms(1.0, 1.0, 2.0)[0][20] / 40 - 1) < 0.01,
        ),
        (
            "why does the norm jump up and down?",
            lambda: (
                np.diff(_power_norms(0.9, -0.9, 8.0)[0])[1:] * (-1) ** np.arange(19) < 0
            ).all(),
        ),
        (
            "the lower state holds, with a slope of 0.71. One more tenth, and both paths end at "
            "the top.",
            lambda: (
                abs(_settled(2.0, 0.5, -1.0)[2] - 0.71) < 0.005
                and _settled(2.0, 0.5, -1.0)[0] < 0 < _settled(2.0, 0.5, 1.0)[0]
                and _settled(2.0, 0.6, -1.0)[0] > 0.9
            ),
        ),
        (
            "make the weight negative and see the cycle",
            lambda: abs(_settled(-2.0, 0.0, -1.0)[0] + _settled(-2.0, 0.0, -1.0)[1]) < 1e-9,
        ),
        (
            "At w = 1, u = 0 the slope is exactly 1",
            lambda: 0.999 < _settled(1.0, 0.0, -1.0)[2] < 1,
        ),
        (
            "It creeps towards 0, ever more slowly.",
            lambda: -0.01 < _settled(1.0, 0.0, -1.0)[0] < 0,
        ),
        (
            "At $w = 2$ the slope is 0.166: the weight doubles, and the gradient loses five sixths "
            "at every step.",
            lambda: (
                abs(_settled(2.0, 0.0, 1.0)[2] - 0.166) < 5e-4
                and abs(_settled(2.0, 0.0, 1.0)[2] - 1 / 6) < 1e-3
            ),
        ),
        (
            "Linear, Gaussian, scale 1.5 explodes; tanh with the same weights vanishes, with a "
            "spectral radius above 1.",
            lambda: (
                _norms("linear, Gaussian", 1.5)[-1] > 1e6
                and rate("tanh, Gaussian", 1.5) < 0.95
                and all(
                    np.abs(
                        np.linalg.eigvals(1.5 * _gaussian(np.random.default_rng(seed), 16))
                    ).max()
                    > 1.1
                    for seed in range(SEEDS)
                )
            ),
        ),
        (
            "An orthogonal weight keeps a linear network at 1 for ever, but put a tanh in and the "
            "slopes take it away.",
            lambda: (
                np.allclose(_norms("linear, orthogonal", 1.0), 1, atol=1e-6)
                and _norms("tanh, orthogonal", 1.0)[-1] < 1e-3
            ),
        ),
        (
            "ReLU units that start from the identity keep it, too, and lose it at 0.9: in two of "
            "the five networks the norm is $0.9^k$ to the end; in the other three every unit was "
            "at zero at some step",
            lambda: (
                np.allclose(_norms("ReLU, identity", 1.0), 1, atol=1e-6)
                and sorted(
                    np.round(10 ** _log_norms("ReLU, identity", 0.9, s)[-1] / 0.9**LAGS, 6)
                    for s in range(SEEDS)
                )
                == [0, 0, 0, 1, 1]
            ),
        ),
        (
            "At bias b it is about σ(b), the logistic function: 0.50, 0.73 and 0.98. The measured "
            "factors a step are larger (at weight scale 1, from lag 10 to lag 40, about 0.66, 0.88 "
            "and 1.02)",
            lambda: all(
                abs(rate(f"LSTM, forget bias {bias}", 1.0, 10) - measured) < 0.01
                and abs(gate - 1 / (1 + np.exp(-bias))) < 0.005
                for bias, gate, measured in ((0, 0.50, 0.66), (1, 0.73, 0.88), (4, 0.98, 1.02))
            ),
        ),
    ],
)
def test_the_text_tells_what_the_figure_shows(sentence, holds):
    words = re.sub(r"\s+", " ", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", TEXT))
    assert sentence in words
    assert holds()


def test_the_sentence_of_the_powers_gives_the_verdict_of_the_picture():
    figure = powers()
    for a in (0.5, 0.9, 1.0, 1.1):
        for b in (-0.9, 0.5, 0.9, 1.0):
            for c in (0.0, 0.5, 1.0, 2.0, 4.0, 8.0):
                figure.set(a=a, b=b, c=c)
                said, (norms, radius, _) = repr(figure), _power_norms(a, b, c)
                assert ("grows without end" in said) == (radius > 1 and c > 0)
                if "Without a coupling" in said:
                    assert np.allclose(norms, radius ** np.arange(21), rtol=1e-6)
                if "settles" in said:
                    J = np.array([[a, c], [0, b]])
                    limit = np.linalg.norm(np.linalg.matrix_power(J, 400), 2)
                    assert f"settles at {limit:.2f}." in said
                if "grows like" in said:
                    assert abs(norms[-1] / (20 * c) - 1) < 0.02
                if "is above 1 up to k" in said:
                    last = int(re.search(r"up to k = (\d+)", said)[1])
                    assert norms[last] > 1 and (norms[last + 1 :] <= 1).all()
                if "never above 1" in said:
                    assert norms.max() <= 1


def test_the_sentence_of_the_latch_gives_the_verdict_of_the_picture():
    figure = latch()
    for w in (-2.0, -1.5, -0.5, 1.0, 1.5, 2.0, 3.0):
        for u in [round(-0.8 + 0.1 * k, 1) for k in range(17)]:
            figure.set(w=w, u=u)
            said = repr(figure)
            threshold = np.sqrt(w * (w - 1)) - np.arctanh(np.sqrt(1 - 1 / w)) if w > 1 else -np.inf
            assert ("in two states" in said) == (abs(u) < threshold)
            assert ("swings" in said) == (w < -1)  # for these inputs
            assert ("neither vanishes nor grows" in said) == (w == 1 and u == 0)


def test_the_sentence_of_the_lags_gives_the_verdict_of_the_picture():
    figure = norm_by_lag()
    for model in MODELS:
        for gain in GAINS:
            figure.set(model=model, gain=gain)
            said, last = repr(figure), _norms(model, gain)[-1]
            verdict = said.rstrip(".").split(": ")[-1]
            if verdict == "exploding":
                assert last > 1
            elif verdict == "vanishing":
                assert last < 1
            else:
                assert verdict == "neither" and 0.1 < last < 12


def test_the_simple_networks_of_the_figure_agree_with_autograd():
    """Every kind of state and weight: the product of the figure's Jacobians is a derivative."""
    torch_f = {"linear": lambda z: z, "tanh": torch.tanh, "ReLU": torch.relu}
    rng = np.random.default_rng(5)
    W, h, x = rng.normal(size=(4, 4)), rng.normal(size=4), rng.normal(size=4)
    for kind in ACTIVATIONS:
        after, J = _simple_step(kind, W)(h, x)
        step = lambda state, f=torch_f[kind]: f(torch.tensor(W) @ state + torch.tensor(x))  # noqa: E731
        assert np.allclose(after, step(torch.tensor(h)), atol=1e-14)
        judge = torch.autograd.functional.jacobian(step, torch.tensor(h))
        assert np.allclose(J, judge, atol=1e-14) and np.abs(J).max() > 0.1


def test_the_lstm_of_the_figure_is_torch_s_lstm():
    n, rng = 3, np.random.default_rng(6)
    W_i, W_f, W_o, W_g = (rng.normal(size=(n, n)) for _ in range(4))
    state, x = rng.normal(size=2 * n), rng.normal(size=4 * n)
    after, J = _lstm_step(W_i, W_f, W_o, W_g, 1.5)(state, x)

    cell = torch.nn.LSTMCell(4 * n, n, dtype=torch.float64)
    x_i, x_f, x_o, x_g = x.reshape(4, n)
    inputs = torch.eye(4 * n, dtype=torch.float64)  # torch's order of the gates is i, f, g, o
    weights = torch.tensor(np.concatenate([W_i, W_f, W_g, W_o]))
    bias = torch.zeros(4 * n, dtype=torch.float64)
    bias[n : 2 * n] = 1.5
    cell.load_state_dict(
        {"weight_ih": inputs, "weight_hh": weights, "bias_ih": bias, "bias_hh": 0 * bias}
    )
    ordered = torch.tensor(np.concatenate([x_i, x_f, x_g, x_o]))
    step = lambda s: torch.cat(cell(ordered[None], (s[None, :n], s[None, n:])), dim=1)[0]  # noqa: E731
    assert np.allclose(after, step(torch.tensor(state)).detach(), atol=1e-14)
    judge = torch.autograd.functional.jacobian(step, torch.tensor(state))
    assert np.allclose(J, judge, atol=1e-14) and np.abs(J).max() > 0.1


def test_the_first_norm_is_one_and_the_networks_differ():
    for model in MODELS:
        first, second = (_log_norms(model, 1.1, seed) for seed in (0, 1))
        assert first[0] == 0
        same = np.allclose(first, second, atol=1e-9)
        assert same == (model in ("linear, orthogonal", "ReLU, identity"))
