"""rtrl against autograd and bptt; its memory, its count of multiplications, its errors."""

import pytest
import torch
from hypothesis import given
from test_backward import ANY_NETWORK, MANY, draw_case, losses
from torch.utils.flop_counter import FlopCounterMode

from bptt import RNN, bptt, rtrl, squared_error
from bptt.measure import peak_bytes
from bptt.verify import assert_same_gradients, autograd_gradients, finite_difference_gradients


@MANY
@given(**ANY_NETWORK)
def test_rtrl_equals_autograd(
    T, B, d, n, q, activation, with_h0, output_bias, reduction, which, seed
):
    rnn, X, h0, g = draw_case(T, B, d, n, q, activation, with_h0, output_bias, seed)
    loss_and_adjoint, reference = losses(rnn, X, reduction, which, g)
    tape = rnn(X, h0)
    dO = loss_and_adjoint(tape.O)[1]
    # One class has a gradient of zero: rounding alone remains, and has no relative size.
    if which == "cross_entropy" and q == 1:
        assert dO.abs().max() == 0
        return
    gradients = rtrl(tape, dO)
    assert_same_gradients(gradients, autograd_gradients(rnn, X, reference, h0))
    for name, gradient in vars(bptt(tape, dO)).items():
        assert getattr(gradients, name).shape == gradient.shape
        assert getattr(gradients, name).is_contiguous()


@pytest.mark.parametrize("activation", ["tanh", "identity"])
def test_rtrl_equals_central_differences(activation):
    rnn, X, h0, g = draw_case(7, 2, 2, 3, 4, activation, with_h0=True, output_bias=True)
    loss_and_adjoint, reference = losses(rnn, X, "mean", "cross_entropy", g)
    tape = rnn(X, h0)
    gradients = rtrl(tape, loss_and_adjoint(tape.O)[1])
    expected = finite_difference_gradients(rnn, X, reference, h0)
    assert_same_gradients(gradients, expected, tolerance=1e-8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_nothing_keeps_a_graph_or_changes_an_input(dtype):
    rnn, X, h0, _ = draw_case(7, 2, 3, 4, 5, "tanh", with_h0=True)
    weights = [leaf.to(dtype).requires_grad_() for leaf in (rnn.W_hx, rnn.W_hh, rnn.W_qh)]
    tape = RNN(*weights)(X.to(dtype), h0.to(dtype))
    dO = squared_error(tape.O, torch.zeros_like(tape.O))[1].requires_grad_()
    inputs = [*weights, tape.X, tape.H, tape.O, dO]
    before = [tensor.detach().clone() for tensor in inputs]
    gradients = rtrl(tape, dO)
    for tensor in vars(gradients).values():
        assert not tensor.requires_grad and tensor.grad_fn is None and tensor.dtype == dtype
    assert all(torch.equal(a, b) for a, b in zip(before, inputs, strict=True))


def test_memory_does_not_grow_with_the_number_of_steps():
    """Beyond the tape, whose states full backpropagation needs and this does not."""

    def case(T):
        rnn, X, h0, _ = draw_case(T, 2, 2, 3, 2, "tanh", with_h0=True)
        tape = rnn(X, h0)
        return rnn, X, h0, tape, torch.ones_like(tape.O)

    def of_rtrl(T):
        *_, tape, dO = case(T)
        return peak_bytes(lambda: rtrl(tape, dO))

    def of_bptt(T):
        rnn, X, h0, _, dO = case(T)
        return peak_bytes(lambda: bptt(rnn(X, h0), dO))

    assert 0 < of_rtrl(3) == of_rtrl(90)
    assert of_bptt(90) > 5 * of_bptt(3)  # the measure can see it


@pytest.mark.parametrize(("T", "B", "d", "n", "q"), [(7, 3, 2, 4, 5), (3, 1, 6, 8, 2)])
def test_the_number_of_multiplications(T, B, d, n, q):
    """Counted in matrix products; one multiplication is two operations to the counter."""
    rnn, X, h0, _ = draw_case(T, B, d, n, q, "tanh", with_h0=True)
    tape = rnn(X, h0)
    count = {}
    for function in (bptt, rtrl):
        with FlopCounterMode(display=False) as counter:
            function(tape, torch.ones_like(tape.O))
        count[function] = counter.get_total_flops() // 2
    assert count[bptt] == T * B * (2 * n**2 + n * d + 2 * n * q)
    assert count[rtrl] == T * B * (n**3 * (n + d) + n**2 * (n + d) + n**3 + n**2 + 2 * n * q)


def test_bad_input_is_named():
    rnn, X, _, _ = draw_case(7, 2, 3, 4, 5, "tanh", with_h0=False)
    tape = rnn(X)
    dO = torch.ones_like(tape.O)
    for error, argument, call in (
        (TypeError, "tape", lambda: rtrl(X, dO)),
        (TypeError, "dO", lambda: rtrl(tape, None)),
        (TypeError, "dO", lambda: rtrl(tape, dO.float())),
        (ValueError, "dO", lambda: rtrl(tape, dO[1:])),
        (ValueError, "dO", lambda: rtrl(tape, dO.to("meta"))),
        (ValueError, "dO", lambda: rtrl(tape, dO * float("nan"))),
    ):
        with pytest.raises(error, match=rf"^{argument}: expected .+ got "):
            call()
