"""bptt_randomized: all outcomes enumerated, each one's definition, the limit keep=1, bad input."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_backward import SIZES, draw_case

from bptt import RNN, Gradients, bptt, bptt_randomized, squared_error
from bptt.verify import assert_same_gradients, relative_error

NAMES = ("W_hx", "W_hh", "W_qh", "h0")


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def links_of(seed, T, B, keep):
    """Which links the documented draw keeps: (T, B) booleans, row t for h_t -> h_{t+1}."""
    return torch.rand(T, B, generator=seeded(seed), dtype=torch.float64) < keep


def by_definition(rnn, X, h0, Y, links, keep):
    """Autograd through a forward pass whose values are untouched and whose links are weighted."""
    leaves = [A.clone().requires_grad_() for A in (rnn.W_hx, rnn.W_hh, rnn.W_qh, h0)]
    W_hx, W_hh, W_qh, h = leaves
    loss = 0
    for t in range(len(X)):
        weight = links[t, :, None].to(X.dtype) / keep
        h = h.detach() + weight * (h - h.detach())  # the same number, another derivative
        z = X[t] @ W_hx.T + h @ W_hh.T
        h = torch.tanh(z) if rnn.activation == "tanh" else z
        o = h @ W_qh[:, -len(W_hh) :].T
        if W_qh.shape[1] > len(W_hh):
            o = o + W_qh[:, 0]
        loss = loss + ((o - Y[t]) ** 2).sum() / 2
    return Gradients(*torch.autograd.grad(loss, leaves))


def seed_of_each_outcome(T, B, keep):
    """For each of the 2^(TB) outcomes a seed whose draw gives it."""
    seeds = {}
    for seed in itertools.count():
        seeds.setdefault(tuple(links_of(seed, T, B, keep).flatten().tolist()), seed)
        if len(seeds) == 2 ** (T * B):
            return seeds


@pytest.mark.parametrize(("B", "keep"), [(1, 0.5), (1, 0.7), (2, 0.5), (2, 0.6)])
@pytest.mark.parametrize("activation", ["tanh", "identity"])
def test_the_mean_over_all_outcomes_is_the_gradient(B, keep, activation):
    T = 3
    rnn, X, h0, g = draw_case(T, B, 2, 3, 4, activation, with_h0=True, output_bias=B == 2)
    Y = torch.randn(T, B, 4, generator=g, dtype=X.dtype)
    tape = rnn(X, h0)
    dO = squared_error(tape.O, Y, "sum")[1]

    mean = {name: torch.zeros_like(getattr(bptt(tape, dO), name)) for name in NAMES}
    outcomes, total = [], 0.0
    for outcome, seed in seed_of_each_outcome(T, B, keep).items():
        estimate = bptt_randomized(tape, dO, keep, seeded(seed))
        links = torch.tensor(outcome).reshape(T, B)
        assert_same_or_zero(estimate, by_definition(rnn, X, h0, Y, links, keep))
        probability = keep ** sum(outcome) * (1 - keep) ** (T * B - sum(outcome))
        total += probability
        outcomes.append(estimate.W_hh)
        for name in NAMES:
            mean[name] += probability * getattr(estimate, name)
    assert abs(total - 1) < 1e-12
    assert_same_gradients(Gradients(**mean), bptt(tape, dO))
    # The outcomes do differ: the mean is not made of equal numbers.
    assert max(relative_error(outcome, mean["W_hh"]) for outcome in outcomes) > 0.02


def assert_same_or_zero(actual, expected):
    """A cut first link makes dL/dh0 zero in both; all else has a size."""
    for name in NAMES:
        assert relative_error(getattr(actual, name), getattr(expected, name)) < 1e-12, name


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    T=st.integers(1, 12),
    B=SIZES,
    d=SIZES,
    n=SIZES,
    q=SIZES,
    activation=st.sampled_from(["tanh", "identity"]),
    output_bias=st.booleans(),
    keep=st.floats(0.05, 1),
    seed=st.integers(0, 10**6),
)
def test_each_draw_is_its_definition(T, B, d, n, q, activation, output_bias, keep, seed):
    rnn, X, h0, g = draw_case(T, B, d, n, q, activation, True, output_bias, seed)
    Y = torch.randn(T, B, q, generator=g, dtype=X.dtype)
    tape = rnn(X, h0)
    dO = squared_error(tape.O, Y, "sum")[1]
    estimate = bptt_randomized(tape, dO, keep, seeded(seed))
    expected = by_definition(rnn, X, h0, Y, links_of(seed, T, B, keep), keep)
    assert_same_or_zero(estimate, expected)
    assert relative_error(estimate.W_qh, bptt(tape, dO).W_qh) < 1e-12  # passes no link


@pytest.mark.parametrize("keep", [1, 1.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_keep_1_is_full_bptt_to_the_bit(keep, dtype):
    rnn, X, h0, _ = draw_case(9, 3, 2, 4, 3, "tanh", with_h0=True)
    rnn = RNN(rnn.W_hx.to(dtype), rnn.W_hh.to(dtype), rnn.W_qh.to(dtype))
    tape = rnn(X.to(dtype), h0.to(dtype))
    dO = squared_error(tape.O, torch.zeros_like(tape.O))[1]
    estimate, exact = bptt_randomized(tape, dO, keep, seeded(0)), bptt(tape, dO)
    assert all(torch.equal(getattr(estimate, name), getattr(exact, name)) for name in NAMES)


def test_draws_follow_the_generator_and_not_the_dtype():
    rnn, X, h0, _ = draw_case(9, 3, 2, 4, 3, "tanh", with_h0=True)
    tape = rnn(X, h0)
    dO = squared_error(tape.O, torch.zeros_like(tape.O))[1]
    generator = seeded(5)
    state = torch.get_rng_state()
    first, second = (bptt_randomized(tape, dO, 0.5, generator) for _ in range(2))
    assert torch.equal(state, torch.get_rng_state())  # the global generator is left alone
    assert relative_error(first.W_hh, second.W_hh) > 1e-3  # new coins for each call
    again = bptt_randomized(tape, dO, 0.5, seeded(5))
    assert torch.equal(again.W_hh, first.W_hh)
    small = RNN(rnn.W_hx.float(), rnn.W_hh.float(), rnn.W_qh.float())(X.float(), h0.float())
    single = bptt_randomized(small, dO.float(), 0.5, seeded(5))
    assert single.W_hh.dtype == torch.float32
    assert relative_error(single.W_hh, first.W_hh) < 1e-5


def test_examples_have_coins_of_their_own():
    """Two equal sequences in one batch get different estimates."""
    rnn, X, h0, _ = draw_case(9, 1, 2, 4, 3, "tanh", with_h0=True)
    tape = rnn(X.expand(9, 2, 2), h0.expand(2, 4))
    dO = squared_error(tape.O, torch.zeros_like(tape.O))[1]
    seeds = [s for s in range(10) if links_of(s, 9, 2, 0.8)[0].all()]  # h_0 -> h_1 kept twice
    assert seeds
    differ = [bptt_randomized(tape, dO, 0.8, seeded(s)).h0 for s in seeds]
    assert any(relative_error(h[0], h[1]) > 1e-3 for h in differ)


def test_nothing_keeps_a_graph_or_changes_an_input():
    rnn, X, h0, _ = draw_case(7, 2, 3, 4, 5, "tanh", with_h0=True)
    tape = rnn(X, h0)
    dO = squared_error(tape.O, torch.zeros_like(tape.O))[1].requires_grad_()
    inputs = [rnn.W_hh, tape.X, tape.H, tape.O, dO]
    before = [tensor.detach().clone() for tensor in inputs]
    for tensor in vars(bptt_randomized(tape, dO, 0.5, seeded(0))).values():
        assert not tensor.requires_grad and tensor.grad_fn is None
    assert all(torch.equal(a, b) for a, b in zip(before, inputs, strict=True))


def test_bad_input_is_named():
    rnn, X, _, _ = draw_case(7, 2, 3, 4, 5, "tanh", with_h0=False)
    tape = rnn(X)
    dO, coin = torch.ones_like(tape.O), seeded(0)
    for error, argument, call in (
        (TypeError, "tape", lambda: bptt_randomized(X, dO, 0.5, coin)),
        (TypeError, "dO", lambda: bptt_randomized(tape, dO.float(), 0.5, coin)),
        (ValueError, "dO", lambda: bptt_randomized(tape, dO[1:], 0.5, coin)),
        (ValueError, "dO", lambda: bptt_randomized(tape, dO * float("inf"), 0.5, coin)),
        (TypeError, "keep", lambda: bptt_randomized(tape, dO, "0.5", coin)),
        (TypeError, "keep", lambda: bptt_randomized(tape, dO, True, coin)),
        (TypeError, "keep", lambda: bptt_randomized(tape, dO, None, coin)),
        (ValueError, "keep", lambda: bptt_randomized(tape, dO, 0, coin)),
        (ValueError, "keep", lambda: bptt_randomized(tape, dO, 1.01, coin)),
        (ValueError, "keep", lambda: bptt_randomized(tape, dO, -0.5, coin)),
        (ValueError, "keep", lambda: bptt_randomized(tape, dO, float("nan"), coin)),
        (TypeError, "generator", lambda: bptt_randomized(tape, dO, 0.5, None)),
        (TypeError, "generator", lambda: bptt_randomized(tape, dO, 0.5, 7)),
    ):
        with pytest.raises(error, match=rf"^{argument}: expected .+ got "):
            call()
