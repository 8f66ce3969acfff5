"""What the text of chapter 10 says about its figure, its numbers and PyTorch."""

import re
from fractions import Fraction
from pathlib import Path

import pytest
import torch

from bptt.exercises import what_detach_cuts as exercises
from bptt.explore.what_detach_cuts import SCHEMES, T, _biases, _depth, _network, cuts

TEXT = (Path(__file__).parent.parent / "book/chapters/10_what_detach_cuts.md").read_text("utf-8")
WORDS = re.sub(r"\s+", " ", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", TEXT))
LENGTHS = (2, 3, 4, 6, 8, 10, 12)
RULES = {  # whether the pair of the loss of step t and the use of step j survives
    "window": lambda t, j, K: t - j < K,
    "general": lambda t, j, K: j > 2 * -(-t // 2) - K,
    "blocks": lambda t, j, K: (t - 1) // K == (j - 1) // K,
    "reset": lambda t, j, K: (t - 1) // K == (j - 1) // K,
    "random": lambda t, j, K: t - j < K,
}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_figure_shows_the_pairs_of_the_rule(scheme):
    for K in LENGTHS:
        for t in range(1, T + 1):
            survive = [j for j in range(1, t + 1) if RULES[scheme](t, j, K)]
            assert _depth(scheme, K, t) == len(survive)
            assert survive == list(range(t - len(survive) + 1, t + 1))


def uses_and_losses(start_at=()):
    """Each use of W_hh as its own leaf: ``{(t, j): gradient}``, restarted from zero at steps."""
    rnn, X, Y, h0 = _network()
    uses = [rnn.W_hh.clone().requires_grad_() for _ in range(T)]
    h, found = h0[0], {}
    for t in range(T):
        h = torch.zeros_like(h) if t in start_at else h
        h = torch.tanh(rnn.W_hx @ X[t, 0] + uses[t] @ h)
        loss = ((rnn.W_qh @ h - Y[t, 0]) ** 2).sum() / (2 * T)
        gradients = torch.autograd.grad(loss, uses, retain_graph=True, allow_unused=True)
        found |= {(t + 1, j + 1): g for j, g in enumerate(gradients) if g is not None}
    return found


def test_the_biases_of_the_figure_by_autograd():
    """The carried schemes from the table of pairs, the others from networks that restart."""
    pairs = uses_and_losses()
    full = sum(pairs.values())
    for K in LENGTHS:
        expected = []
        for scheme in ("window", "general", "blocks"):
            kept = [P for (t, j), P in pairs.items() if RULES[scheme](t, j, K)]
            expected.append(sum(kept))
        restarts = [sum(uses_and_losses(range(o or K, T, K)).values()) for o in range(K)]
        expected += [restarts[0], sum(restarts) / K]
        biases = [float((G - full).norm() / full.norm()) for G in expected]
        assert torch.allclose(torch.tensor(_biases(K)), torch.tensor(biases), rtol=0, atol=1e-6)


def _products(K):
    """How often a window multiplies by W_hh in 12 steps, over how often blocks do."""
    return sum(T - lag for lag in range(1, K)) / (T - T / K if T % K == 0 else T - T // K - 1)


def depths(scheme, K):
    return [_depth(scheme, K, t) for t in range(1, T + 1)]


@pytest.mark.parametrize(
    ("sentence", "holds"),
    [
        (
            "blocks of 4: three saw teeth. Find a loss that sees one step only.",
            lambda: depths("blocks", 4) == [1, 2, 3, 4] * 3,
        ),
        (
            "windows of 4: a band of one height.",
            lambda: depths("window", 4)[3:] == [4] * 9,
        ),
        (
            "the losses at the odd steps from 5 on see one step less",
            lambda: depths("general", 4)[4:] == [3, 4] * 4,
        ),
        (
            "one of the two is full BPTT, and the other is not.",
            lambda: _biases(12)[2] < 1e-6 and _biases(12)[4] > 0.1,
        ),
        (
            "eleven of the twelve offsets put a cut inside the twelve steps",
            lambda: sum(len(range(o or 12, 12, 12)) > 0 for o in range(12)) == 11,
        ),
        (
            "the two schemes that restart have the largest bias.",
            lambda: all(min(_biases(K)[3:]) > max(_biases(K)[:3]) for K in (2, 4)),
        ),
        (
            "for two to six times as many products with $W_{hh}$",
            lambda: all(2 <= round(_products(K)) <= 6 for K in (2, 4, 8)),
        ),
        (
            "From 16.5 to 32.5, nearly double.",
            lambda: [Fraction(K + 1, 2) for K in (32, 64)] == [Fraction(33, 2), Fraction(65, 2)],
        ),
    ],
)
def test_the_text_tells_what_the_figure_shows(sentence, holds):
    assert sentence in WORDS
    assert holds()


def test_every_state_that_the_text_links_to_is_on_the_grid():
    figure = cuts()
    links = re.findall(r"#explore-cuts\?scheme=(\w+)&K=(\d+)\)", TEXT)
    assert len(links) == 6
    for scheme, K in links:
        figure.set(scheme=scheme, K=int(K))
        assert figure.parameters == {"scheme": scheme, "K": int(K)}


@pytest.mark.yardstick
def test_the_snippet_of_the_forum():
    """PyTorch forum, topic 15500: 0.288 where the truth is 0.108."""

    def rounds(clear):
        w, x = torch.tensor(0.2, dtype=torch.float64, requires_grad=True), torch.tensor(0.9)
        pieces, found = [], []
        for _ in range(3):
            leaf = x.detach().double().requires_grad_()
            x = w * leaf
            pieces.append((leaf, x))
            w.grad = None
            x.backward(retain_graph=True)
            for i in range(len(pieces) - 1, 0, -1):
                pieces[i - 1][1].backward(pieces[i][0].grad, retain_graph=True)
                if clear:
                    pieces[i][0].grad = None
            if clear:
                pieces[0][0].grad = None
            found.append(round(w.grad.item(), 6))
        return found

    assert rounds(clear=False) == [0.9, 0.36, 0.288]
    assert rounds(clear=True) == [0.9, 0.36, 0.108]


def test_the_snippet_of_the_exercise_is_the_one_that_is_computed():
    """The exercise computes its numbers without PyTorch; for 0.2 and 0.9 it gives the forum's."""
    assert exercises._chain(0.2, 0.9, 3) == pytest.approx([0.9, 0.36, 0.288])
    assert exercises._chain(2.0, 3.0, 3) == [3.0, 12.0, 42.0]


def test_split_and_tensor_split():
    assert (
        "`X.split(k)` makes pieces of $k$ steps, and `X.tensor_split(k)` makes $k$ pieces" in WORDS
    )
    X = torch.arange(12)
    assert [len(piece) for piece in X.split(3)] == [3] * 4
    assert [len(piece) for piece in X.tensor_split(3)] == [4] * 3
