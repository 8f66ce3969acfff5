"""The comparison finds a wrong gradient and names it."""

import dataclasses

import pytest
import torch

from bptt import RNN, bptt
from bptt.verify import (
    assert_same_gradients,
    autograd_gradients,
    finite_difference_gradients,
    first_difference,
    relative_error,
)


def case():
    g = torch.Generator().manual_seed(1)
    normal = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64)  # noqa: E731
    rnn = RNN(normal(3, 2), normal(3, 3), normal(4, 3))
    X, h0, dO = normal(7, 2, 2), normal(2, 3), normal(7, 2, 4)
    return rnn, X, h0, bptt(rnn(X, h0), dO), lambda O: (O * dO).sum()


def test_right_gradients_pass_with_small_errors():
    rnn, X, h0, gradients, loss = case()
    errors = assert_same_gradients(gradients, autograd_gradients(rnn, X, loss, h0))
    assert set(errors) == {"W_hx", "W_hh", "W_qh", "h0"} and max(errors.values()) < 1e-13
    central = finite_difference_gradients(rnn, X, loss, h0)
    assert max(assert_same_gradients(gradients, central, 1e-8).values()) > 0


@pytest.mark.parametrize("name", ["W_hx", "W_hh", "W_qh", "h0"])
@pytest.mark.parametrize("spoil", [lambda g: g * 1.001, lambda g: g * float("nan")])
def test_a_wrong_gradient_is_named(name, spoil):
    rnn, X, h0, gradients, loss = case()
    wrong = dataclasses.replace(gradients, **{name: spoil(getattr(gradients, name))})
    expected = autograd_gradients(rnn, X, loss, h0)
    assert first_difference(wrong, expected).name == name
    with pytest.raises(AssertionError, match=f"{name} differs"):
        assert_same_gradients(wrong, expected)


def test_the_difference_nearest_to_the_loss_comes_first():
    rnn, X, h0, gradients, loss = case()
    wrong = dataclasses.replace(gradients, W_hx=gradients.W_hx * 2, h0=gradients.h0 * 2)
    assert first_difference(wrong, autograd_gradients(rnn, X, loss, h0)).name == "h0"


def test_relative_error():
    one = torch.ones(2)
    assert relative_error(one * 1.5, one) == 0.5
    assert relative_error(one * 0, one * 0) == 0
    assert relative_error(one, one * 0) == float("inf")
    with pytest.raises(ValueError, match=r"actual: expected shape \(2,\), got \(1,\)"):
        relative_error(one[:1], one)
