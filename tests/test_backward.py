"""bptt against two oracles: automatic differentiation and central differences."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bptt import RNN, augment, bptt, cross_entropy, squared_error
from bptt.backward import SEGMENT
from bptt.verify import (
    assert_same_gradients,
    autograd_gradients,
    finite_difference_gradients,
    relative_error,
)

SIZES = st.integers(1, 5)


def draw_case(T, B, d, n, q, activation, with_h0, output_bias=False, seed=0):
    """Generic float64 weights, inputs and (if wanted) a non-zero initial state."""
    g = torch.Generator().manual_seed(seed)
    normal = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64)  # noqa: E731
    rnn = RNN(normal(n, d), 0.9 * normal(n, n) / n**0.5, normal(q, n + output_bias), activation)
    return rnn, normal(T, B, d), normal(B, n) if with_h0 else None, g


def losses(rnn, X, reduction, which, g):
    """The library's (loss, dO) and the same loss as autograd sees it, from torch itself."""
    T, B, q = len(X), X.shape[1], rnn.W_qh.shape[0]
    if which == "cross_entropy":
        Y = torch.randint(q, (T, B), generator=g)
        reference = lambda O: torch.nn.functional.cross_entropy(  # noqa: E731
            O.reshape(-1, q), Y.reshape(-1), reduction=reduction
        )
        return (lambda O: cross_entropy(O, Y, reduction)), reference
    Y = torch.randn(T, B, q, generator=g, dtype=X.dtype)
    scale = 1 / (T * B) if reduction == "mean" else 1
    return (
        (lambda O: squared_error(O, Y, reduction)),
        (lambda O: scale * ((O - Y) ** 2).sum() / 2),
    )


ANY_NETWORK = {
    "T": st.integers(1, 12),
    "B": SIZES,
    "d": SIZES,
    "n": SIZES,
    "q": SIZES,
    "activation": st.sampled_from(["tanh", "identity"]),
    "with_h0": st.booleans(),
    "output_bias": st.booleans(),
    "reduction": st.sampled_from(["mean", "sum"]),
    "which": st.sampled_from(["cross_entropy", "squared_error"]),
    "seed": st.integers(0, 10**6),
}
MANY = settings(max_examples=150, deadline=None, derandomize=True)


@MANY
@given(**ANY_NETWORK)
def test_bptt_equals_autograd(
    T, B, d, n, q, activation, with_h0, output_bias, reduction, which, seed
):
    rnn, X, h0, g = draw_case(T, B, d, n, q, activation, with_h0, output_bias, seed)
    loss_and_adjoint, reference = losses(rnn, X, reduction, which, g)
    tape = rnn(X, h0)
    loss, dO = loss_and_adjoint(tape.O)
    expected_loss = reference(tape.O)
    assert abs(loss - expected_loss) <= 1e-12 * abs(expected_loss)
    # One class has a gradient of zero: rounding alone remains, and has no relative size.
    if which == "cross_entropy" and q == 1:
        assert dO.abs().max() == 0
        return
    assert_same_gradients(bptt(tape, dO), autograd_gradients(rnn, X, reference, h0))


@pytest.mark.parametrize("activation", ["tanh", "identity"])
@pytest.mark.parametrize("which", ["cross_entropy", "squared_error"])
@pytest.mark.parametrize("with_h0", [True, False])
def test_bptt_equals_central_differences(activation, which, with_h0):
    rnn, X, h0, g = draw_case(7, 2, 2, 3, 4, activation, with_h0, output_bias=True)
    loss_and_adjoint, reference = losses(rnn, X, "mean", which, g)
    tape = rnn(X, h0)
    gradients = bptt(tape, loss_and_adjoint(tape.O)[1])
    expected = finite_difference_gradients(rnn, X, reference, h0)
    assert_same_gradients(gradients, expected, tolerance=1e-8)


def test_bptt_equals_torch_rnn():
    torch.manual_seed(0)
    torch_rnn = torch.nn.RNN(3, 4, dtype=torch.float64)
    linear = torch.nn.Linear(4, 5, dtype=torch.float64)
    X, Y = torch.randn(8, 2, 3, dtype=torch.float64), torch.randint(5, (8, 2))
    h0 = torch.randn(2, 4, dtype=torch.float64, requires_grad=True)
    O = linear(torch_rnn(X, h0[None])[0])
    loss = torch.nn.functional.cross_entropy(O.flatten(0, 1), Y.flatten())
    loss.backward()

    rnn = RNN.from_torch(torch_rnn, linear)
    tape = rnn(augment(X), h0)
    assert relative_error(tape.O, O.detach()) < 1e-14
    gradients = bptt(tape, cross_entropy(tape.O, Y)[1])
    for got, expected in (
        (gradients.W_hx[:, 0], torch_rnn.bias_ih_l0.grad),
        (gradients.W_hx[:, 0], torch_rnn.bias_hh_l0.grad),
        (gradients.W_hx[:, 1:], torch_rnn.weight_ih_l0.grad),
        (gradients.W_hh, torch_rnn.weight_hh_l0.grad),
        (gradients.W_qh[:, 0], linear.bias.grad),
        (gradients.W_qh[:, 1:], linear.weight.grad),
        (gradients.h0, h0.grad),
    ):
        assert relative_error(got, expected) < 1e-12


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_nothing_keeps_a_graph_or_changes_an_input(dtype):
    rnn, X, h0, _ = draw_case(7, 2, 3, 4, 5, "tanh", with_h0=True)
    inputs = [leaf.to(dtype).requires_grad_() for leaf in (rnn.W_hx, rnn.W_hh, rnn.W_qh, X, h0)]
    before = [leaf.detach().clone() for leaf in inputs]
    tape = RNN(*inputs[:3])(*inputs[3:])
    loss, dO = squared_error(tape.O, torch.zeros_like(tape.O))
    dO_before = dO.clone()
    gradients = bptt(tape, dO)
    results = [tape.X, tape.H, tape.O, loss, dO, *vars(gradients).values()]
    for tensor in results:
        assert not tensor.requires_grad and tensor.grad_fn is None and tensor.dtype == dtype
    assert all(torch.equal(a, b) for a, b in zip(before, inputs, strict=True))
    assert torch.equal(dO, dO_before)


@pytest.mark.parametrize("T", [5, SEGMENT, 3 * SEGMENT + 1])
def test_matrix_products(T):
    """T walk back; for a few steps together one comes from the outputs, three give gradients."""
    rnn, X, h0, _ = draw_case(T, 2, 3, 4, 5, "tanh", with_h0=True)
    tape = rnn(X, h0)
    with torch.profiler.profile() as profile:
        bptt(tape, torch.ones_like(tape.O))
    kinds = ("aten::mm", "aten::bmm", "aten::addmm")
    products = sum(event.count for event in profile.key_averages() if event.key in kinds)
    assert products == T + 4 * -(-T // SEGMENT)


def test_bad_input_is_named():
    rnn, X, _, _ = draw_case(7, 2, 3, 4, 5, "tanh", with_h0=False)
    tape = rnn(X)
    dO = torch.ones_like(tape.O)
    for error, argument, call in (
        (TypeError, "tape", lambda: bptt(X, dO)),
        (TypeError, "dO", lambda: bptt(tape, None)),
        (TypeError, "dO", lambda: bptt(tape, dO.float())),
        (TypeError, "dO", lambda: bptt(tape, dO.long())),
        (ValueError, "dO", lambda: bptt(tape, dO[1:])),
        (ValueError, "dO", lambda: bptt(tape, dO.to("meta"))),
        (ValueError, "dO", lambda: bptt(tape, dO * float("nan"))),
    ):
        with pytest.raises(error, match=rf"^{argument}: expected .+ got "):
            call()
