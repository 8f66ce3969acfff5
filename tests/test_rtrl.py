"""rtrl against autograd and bptt; its memory, its count of multiplications, its errors."""

import sys
import weakref

import pytest
import torch
from hypothesis import given
from test_backward import ANY_NETWORK, MANY, draw_case, losses
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from bptt import RNN, bptt, rtrl, squared_error
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


class _Peak(TorchDispatchMode):
    """The largest number of bytes that were alive at once in memory taken while it is on."""

    def __init__(self):
        super().__init__()
        self.alive: dict[int, weakref.ref] = {}
        self.peak = 0

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        tensors = [t for t in args if isinstance(t, torch.Tensor)]
        known = {t.untyped_storage().data_ptr() for t in tensors}
        result = operator(*args, **(kwargs or {}))
        storage = result.untyped_storage()
        if storage.data_ptr() not in known:  # not a view, nor changed in place
            self.alive[storage.data_ptr()] = weakref.ref(storage)
        living = [reference() for reference in self.alive.values()]
        self.peak = max(self.peak, sum(s.nbytes() for s in living if s is not None))
        return result


def peak(function, T, monkeypatch):
    rnn, X, h0, _ = draw_case(T, 2, 2, 3, 2, "tanh", with_h0=True)
    tape = rnn(X, h0)
    dO = torch.ones_like(tape.O)
    # The check of dO reads as many numbers as dO has; what counts here is the computation.
    module = sys.modules[function.__module__]
    monkeypatch.setattr(module, "require_adjoint", lambda tape, dO: dO)
    with _Peak() as counted:
        function(tape, dO)
    return counted.peak


def test_memory_does_not_grow_with_the_number_of_steps(monkeypatch):
    short, long = (peak(rtrl, T, monkeypatch) for T in (3, 90))
    assert 0 < short == long
    assert peak(bptt, 90, monkeypatch) > 10 * peak(bptt, 3, monkeypatch)  # the measure can see it


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
