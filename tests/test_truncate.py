"""bptt_blocks against autograd with detach, bptt_window against its definition, one loss a time."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_backward import SIZES, draw_case, losses
from torch.utils.flop_counter import FlopCounterMode

from bptt import RNN, Gradients, bptt, bptt_blocks, bptt_window, squared_error
from bptt.verify import assert_same_gradients, relative_error


def outputs(leaves, tanh, X, begin, end, h):
    """Outputs of the steps of rows begin..end-1 from the state ``h``, and the last state."""
    W_hx, W_hh, W_qh = leaves
    n, O = len(W_hh), []
    for x in X[begin:end]:
        z = x @ W_hx.T + h @ W_hh.T
        h = torch.tanh(z) if tanh else z
        o = h @ W_qh[:, -n:].T
        O.append(o + W_qh[:, 0] if W_qh.shape[1] > n else o)
    return torch.stack(O), h


def by_autograd(rnn, X, h0, dO, pieces):
    """Gradients of the sum of dO * O, where each piece (begin, end, losses) has its own history.

    ``losses`` names the rows whose outputs count; the state that enters is detached, unless it is
    the initial one.
    """
    leaves = [W.clone().requires_grad_() for W in (rnn.W_hx, rnn.W_hh, rnn.W_qh)]
    h0 = torch.zeros_like(X[0, :, :1]).expand(-1, len(rnn.W_hh)).clone() if h0 is None else h0
    h0 = h0.clone().requires_grad_()
    tanh = rnn.activation == "tanh"
    total = 0
    for begin, end, rows in pieces:
        h = h0
        if begin:
            h = outputs(leaves, tanh, X, 0, begin, h0)[1].detach()
        O = outputs(leaves, tanh, X, begin, end, h)[0]
        total = total + sum((dO[row] * O[row - begin]).sum() for row in rows)
    gradients = torch.autograd.grad(total, [*leaves, h0], allow_unused=True)
    return Gradients(*gradients)


CASES = {
    "T": st.integers(1, 10),
    "B": SIZES,
    "d": SIZES,
    "n": SIZES,
    "q": SIZES,
    "length": st.integers(1, 12),
    "activation": st.sampled_from(["tanh", "identity"]),
    "with_h0": st.booleans(),
    "output_bias": st.booleans(),
    "reduction": st.sampled_from(["mean", "sum"]),
    "which": st.sampled_from(["cross_entropy", "squared_error"]),
    "seed": st.integers(0, 10**6),
}


def tape_and_adjoint(T, B, d, n, q, activation, with_h0, output_bias, reduction, which, seed):
    rnn, X, h0, g = draw_case(T, B, d, n, q, activation, with_h0, output_bias, seed)
    tape = rnn(X, h0)
    return tape, h0, losses(rnn, X, reduction, which, g)[0](tape.O)[1]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(**CASES)
def test_blocks_equal_detach(length, **sizes):
    tape, h0, dO = tape_and_adjoint(**sizes)
    if not dO.any():
        return
    T = len(dO)
    pieces = [(b, min(b + length, T), range(b, min(b + length, T))) for b in range(0, T, length)]
    expected = by_autograd(tape.rnn, tape.X, h0, dO, pieces)
    assert_same_gradients(bptt_blocks(tape, dO, length), expected)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(**CASES)
def test_windows_equal_their_definition(length, **sizes):
    tape, h0, dO = tape_and_adjoint(**sizes)
    if not dO.any():
        return
    pieces = [(max(0, t + 1 - length), t + 1, [t]) for t in range(len(dO))]
    expected = by_autograd(tape.rnn, tape.X, h0, dO, pieces)
    assert_same_gradients(bptt_window(tape, dO, length), expected)


def generic(T=9, B=2):
    rnn, X, h0, g = draw_case(T, B, 3, 4, 5, "tanh", with_h0=True, seed=10)
    tape = rnn(X, h0)
    return tape, squared_error(tape.O, torch.randn(T, B, 5, generator=g, dtype=X.dtype))[1]


@pytest.mark.parametrize("estimator", [bptt_blocks, bptt_window])
def test_a_length_of_t_or_more_is_full_bptt(estimator):
    tape, dO = generic()
    for length in (9, 10, 1000):
        assert_same_gradients(estimator(tape, dO, length), bptt(tape, dO))
    short = estimator(tape, dO, 8)
    assert relative_error(short.W_hh, bptt(tape, dO).W_hh) > 1e-6
    assert relative_error(short.W_qh, bptt(tape, dO).W_qh) < 1e-14  # never truncated


def test_one_step_is_the_same_in_both_and_two_are_not():
    tape, dO = generic()
    assert_same_gradients(bptt_blocks(tape, dO, 1), bptt_window(tape, dO, 1))
    two = bptt_blocks(tape, dO, 2).W_hh, bptt_window(tape, dO, 2).W_hh
    assert relative_error(*two) > 0.01


@pytest.mark.parametrize("length", [1, 2, 5, 7, 20, 39])
def test_the_number_of_multiplications(length):
    """A window costs a product with W_hh for each lag and loss, blocks one for each step."""
    T, B, d, n, q = 40, 2, 3, 4, 5
    tape, dO = generic(T, B)
    count = {}
    for estimator in (bptt_blocks, bptt_window):
        with FlopCounterMode(display=False) as counter:
            estimator(tape, dO, length)
        count[estimator] = counter.get_total_flops() // 2
    common = T * B * (n * n + n * d + 2 * n * q) + B * n * n  # all but the way back; h0
    cuts = -(-T // length) - 1
    assert count[bptt_blocks] == common + (T - 1 - cuts) * B * n * n
    assert count[bptt_window] == common + sum(T - lag for lag in range(1, length)) * B * n * n


@pytest.mark.parametrize("estimator", [bptt_blocks, bptt_window])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_nothing_keeps_a_graph_or_changes_an_input(estimator, dtype):
    rnn, X, h0, _ = draw_case(7, 2, 3, 4, 5, "tanh", with_h0=True)
    weights = [leaf.to(dtype).requires_grad_() for leaf in (rnn.W_hx, rnn.W_hh, rnn.W_qh)]
    tape = RNN(*weights)(X.to(dtype), h0.to(dtype))
    dO = squared_error(tape.O, torch.zeros_like(tape.O))[1].requires_grad_()
    inputs = [*weights, tape.X, tape.H, tape.O, dO]
    before = [tensor.detach().clone() for tensor in inputs]
    for length in (3, 7):
        for tensor in vars(estimator(tape, dO, length)).values():
            assert not tensor.requires_grad and tensor.grad_fn is None and tensor.dtype == dtype
    assert all(torch.equal(a, b) for a, b in zip(before, inputs, strict=True))


@pytest.mark.parametrize("estimator", [bptt_blocks, bptt_window])
def test_bad_input_is_named(estimator):
    tape, dO = generic()
    for error, argument, call in (
        (TypeError, "tape", lambda: estimator(tape.X, dO, 3)),
        (TypeError, "dO", lambda: estimator(tape, None, 3)),
        (ValueError, "dO", lambda: estimator(tape, dO[1:], 3)),
        (ValueError, "dO", lambda: estimator(tape, dO * float("nan"), 3)),
        (TypeError, "length", lambda: estimator(tape, dO, 2.0)),
        (TypeError, "length", lambda: estimator(tape, dO, True)),
        (TypeError, "length", lambda: estimator(tape, dO, None)),
        (ValueError, "length", lambda: estimator(tape, dO, 0)),
        (ValueError, "length", lambda: estimator(tape, dO, -1)),
    ):
        with pytest.raises(error, match=rf"^{argument}: expected .+ got "):
            call()


def influence_balancing():
    """23 units at equilibrium, loss on the first one: a parameter that acts with two signs."""
    n = 23
    A = 0.5 * torch.eye(n, dtype=torch.float64)
    A += 0.5 * torch.diag(torch.ones(n - 1, dtype=torch.float64), 1)
    sign = torch.ones(n, 1, dtype=torch.float64)
    sign[10:] = -1
    first = torch.eye(n, dtype=torch.float64)[:1]
    return RNN(sign, A, first, activation="identity"), sign


def sensitivity(estimator, rnn, sign, T, length, last_only):
    """The estimate of ds^1/dtheta, mean over the losses that count."""
    tape = rnn(torch.ones(T, 1, 1, dtype=torch.float64))  # theta = 1; the network is linear
    dO = torch.ones_like(tape.O)
    if last_only:
        dO[:-1] = 0
    gradient = estimator(tape, dO, length).W_hx  # (n, 1): d/dtheta of theta * sign is sign
    return float((sign * gradient).sum() / dO.sum())


@pytest.mark.yardstick
def test_the_signs_of_influence_balancing():
    """Tallec and Ollivier (2017): a window is wrong up to 40 steps, blocks up to 109."""
    rnn, sign = influence_balancing()
    window = {k: sensitivity(bptt_window, rnn, sign, 60, k, True) for k in (10, 19, 40, 41)}
    assert [round(value, 4) for value in window.values()] == [10.0, 16.4761, 0.5655, -0.2190]
    blocks = {K: sensitivity(bptt_blocks, rnn, sign, 2 * K, K, False) for K in (10, 109, 110)}
    assert [round(value, 4) for value in blocks.values()] == [5.5, 0.0367, -0.0182]
