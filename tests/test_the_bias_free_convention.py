"""What the text of chapter 4 says about its figures and its numbers."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from bptt.explore.the_bias_free_convention import (
    DECAYS,
    OPTIMIZERS,
    RATES,
    UPDATES,
    _blocks,
    _losses,
    _passes,
    augmented_gradient,
)

TEXT = (Path(__file__).parent.parent / "book/chapters/04_the_bias_free_convention.md").read_text(
    "utf-8"
)
WORDS = re.sub(r"\s+", " ", re.sub(r"\[([^]]*)\]\(#[^)]*\)", r"\1", TEXT))
STATES = [(name, rate, decay) for name in OPTIMIZERS for rate in RATES for decay in DECAYS]


def changed_blocks():
    """Which of the three gradients differ without the bias, apart from the bias itself."""
    return [
        not np.array_equal(with_b.gathered(1)[:, with_b.bias_columns :], without.gathered(1))
        for with_b, without in zip(_blocks(True), _blocks(False), strict=True)
    ]


@pytest.mark.parametrize(
    ("sentence", "holds"),
    [
        (
            "the second entry of $x_2$ is zero, so the last column of $[b, W_{hx}]$ gets nothing, "
            "while the first column does",
            lambda: (
                _blocks(True)[1].met[2, 2] == 0
                and not _blocks(True)[1].added(2)[:, 2].any()
                and _blocks(True)[1].added(2)[:, 0].any()
            ),
        ),
        (
            "Which numbers have changed now, and why not those of $W_{hx}$?",
            lambda: changed_blocks() == [True, False, True],
        ),
        (
            "the adjoints are the same as before",
            lambda: np.array_equal(_passes(True)[1], _passes(False)[1]),
        ),
        (
            "two biases learn faster, and the circles, one bias with doubled rate, lie on their "
            "curve",
            lambda: (
                _losses("SGD", 0.05, 0.0, 2, False)[1:] < _losses("SGD", 0.05, 0.0, 1, False)[1:]
            ).all(),
        ),
        (
            "Step $t$ sees the bias $c_{t-1}\\, b$",
            lambda: [round(math.tanh(c), 2) for c in (1, math.tanh(1))] == [0.76, 0.64],
        ),
    ],
)
def test_the_text_tells_what_is_so(sentence, holds):
    assert sentence in WORDS
    assert holds()


@pytest.mark.parametrize(("optimizer", "rate", "decay"), STATES)
def test_the_circles_lie_on_the_curve_of_two_biases(optimizer, rate, decay):
    two = _losses(optimizer, rate, decay, 2, False)
    assert len(two) == UPDATES + 1
    assert _losses(optimizer, rate, decay, 1, True) == pytest.approx(two, rel=1e-6)
    assert _losses(optimizer, rate, decay, 1, False) != pytest.approx(two, rel=1e-2)


def test_pytorch_draws_the_biases_as_the_text_says():
    assert "each uniformly between $\\pm 1/\\sqrt n$" in WORDS
    assert "$\\sqrt 2$ times the standard deviation of one" in WORDS
    torch.manual_seed(0)
    module = torch.nn.RNN(2, 1024)  # 1 / sqrt(n) is 1/32
    b_ih, b_hh = module.bias_ih_l0.detach().numpy(), module.bias_hh_l0.detach().numpy()
    for bias in (b_ih, b_hh):
        assert 0.98 / 32 < abs(bias).max() <= 1 / 32
        assert bias.std() == pytest.approx(1 / 32 / math.sqrt(3), rel=0.05)
    assert (b_ih + b_hh).std() == pytest.approx(math.sqrt(2) * b_ih.std(), rel=0.05)


def test_the_block_picture_adds_up_to_autograds_gradient():
    """The network of the figure, differentiated by autograd, b and W_hx apart."""
    from bptt.explore import the_bias_free_convention as module

    weights = [module._B, np.zeros(1), module._W_HX, module._W_HH, module._W_QH]
    b, b_q, W_hx, W_hh, W_qh = (
        torch.tensor(np.asarray(weight, dtype=float), requires_grad=True) for weight in weights
    )
    h, loss = torch.tensor(module._H0.astype(float)), 0.0
    for t in range(1, 5):
        h = b + W_hx @ torch.tensor(module._X[t].astype(float)) + W_hh @ h
        loss = loss + torch.tensor(module._DO[t].astype(float)) @ (b_q + W_qh @ h)
    found = torch.autograd.grad(loss, (b_q, W_qh, b, W_hx, W_hh))
    output, hidden, recurrent = (block.gathered(1) for block in _blocks(True))
    expected = (output[:, 0], output[:, 1:], hidden[:, 0], hidden[:, 1:], recurrent)
    for ours, theirs in zip(expected, found, strict=True):
        assert np.array_equal(ours, theirs.numpy())


def test_the_sentence_gives_the_first_column():
    figure = augmented_gradient()
    for step in ("4", "3", "2", "1"):
        figure.set(step=step, bias="column")
        first = _blocks(True)[1].gathered(int(step))[:, 0]
        assert f"({first[0]}, {first[1]}), the same numbers as the vector b" in repr(figure)
