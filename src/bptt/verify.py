"""Two independent oracles for a gradient, and the comparison that names the first difference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from bptt.backward import Gradients
from bptt.rnn import RNN

Loss = Callable[[Tensor], Tensor]  # outputs (T, B, q) -> scalar


def relative_error(actual: Tensor, expected: Tensor) -> float:
    """The 2-norm of the difference over the 2-norm of ``expected``; 0 if both are zero.

    Both are divided by the largest number of ``expected`` first, so that tiny and huge gradients
    are compared as sharply as others.

    Raises:
        TypeError: an argument is not a tensor.
        ValueError: the shapes differ.
    """
    for name, value in (("actual", actual), ("expected", expected)):
        if not isinstance(value, Tensor):
            raise TypeError(f"{name}: expected a torch.Tensor, got {type(value).__name__}")
    if actual.shape != expected.shape:
        raise ValueError(
            f"actual: expected shape {tuple(expected.shape)}, got {tuple(actual.shape)}"
        )
    actual, expected = actual.detach().double(), expected.detach().double()
    largest = expected.abs().max()
    if largest == 0:
        return 0.0 if not actual.any() else float("inf")
    difference = torch.linalg.vector_norm(actual / largest - expected / largest)
    return (difference / torch.linalg.vector_norm(expected / largest)).item()


def unrolled_outputs(rnn: RNN, X: Tensor, h0: Tensor) -> Tensor:
    """The network as a plain loop that autograd can follow; shapes as for :class:`RNN`.

    It shares no line with the forward pass of the library, so that a mistake there shows.
    """
    n = rnn.W_hh.shape[0]
    h, O = h0, []
    for x in X:
        z = x @ rnn.W_hx.T + h @ rnn.W_hh.T
        h = torch.tanh(z) if rnn.activation == "tanh" else z
        o = h @ rnn.W_qh[:, -n:].T
        O.append(o + rnn.W_qh[:, 0] if rnn.W_qh.shape[1] > n else o)
    return torch.stack(O)


def _leaves(rnn: RNN, X: Tensor, h0: Tensor | None) -> tuple[Tensor, list[Tensor]]:
    """The checked inputs, and copies of W_hx, W_hh, W_qh and h_0 to differentiate by."""
    X, h0 = rnn.inputs(X, h0)
    leaves = (rnn.W_hx, rnn.W_hh, rnn.W_qh, h0)
    return X, [leaf.clone(memory_format=torch.contiguous_format) for leaf in leaves]


def _evaluate(leaves: list[Tensor], rnn: RNN, X: Tensor, loss: Loss) -> Tensor:
    W_hx, W_hh, W_qh, h0 = leaves
    network = _Weights(W_hx, W_hh, W_qh, rnn.activation)
    value = loss(unrolled_outputs(network, X, h0))
    if not isinstance(value, Tensor) or value.ndim != 0:
        raise TypeError(f"loss: expected a function that returns a scalar tensor, got {value!r}")
    return value


@dataclass(frozen=True, eq=False)
class _Weights:
    """The weights of an :class:`RNN` with their autograd history, which ``RNN`` itself drops."""

    W_hx: Tensor
    W_hh: Tensor
    W_qh: Tensor
    activation: str


def autograd_gradients(rnn: RNN, X: Tensor, loss: Loss, h0: Tensor | None = None) -> Gradients:
    """The gradients that automatic differentiation finds.

    Args:
        rnn: the network.
        X: inputs, ``(T, B, d)``.
        loss: a function of the outputs ``(T, B, q)`` that autograd can follow, returning a scalar.
        h0: initial state, ``(B, n)``; zero when omitted.

    Returns:
        :class:`Gradients` with ``h0`` ``(B, n)``.

    Raises:
        TypeError: ``loss`` returns no scalar tensor, or one that autograd cannot follow (the
            losses of this library cannot be followed: they compute their own adjoint).
        TypeError, ValueError: for ``X`` and ``h0`` as :meth:`RNN.inputs`.
    """
    X, leaves = _leaves(rnn, X, h0)
    with torch.enable_grad():
        for leaf in leaves:
            leaf.requires_grad_()
        value = _evaluate(leaves, rnn, X, loss)
        if not value.requires_grad:
            raise TypeError("loss: expected a function that autograd can follow, got a constant")
        return Gradients(*torch.autograd.grad(value, leaves))


@torch.no_grad()
def finite_difference_gradients(
    rnn: RNN, X: Tensor, loss: Loss, h0: Tensor | None = None, step: float = 1e-5
) -> Gradients:
    """The gradients by central differences, one number at a time: slow, and independent.

    Args:
        rnn, X, loss, h0: as for :func:`autograd_gradients`; use float64.
        step: how far each number is moved up and down; above 0.

    Raises:
        ValueError: ``step`` is not above 0.
        TypeError, ValueError: as for :func:`autograd_gradients`.
    """
    if not step > 0:
        raise ValueError(f"step: expected a number above 0, got {step}")
    X, leaves = _leaves(rnn, X, h0)
    gradients = []
    for leaf in leaves:
        gradient = torch.empty_like(leaf)
        for index in range(leaf.numel()):
            value = leaf.view(-1)[index].item()
            leaf.view(-1)[index] = value + step
            above = _evaluate(leaves, rnn, X, loss)
            leaf.view(-1)[index] = value - step
            below = _evaluate(leaves, rnn, X, loss)
            leaf.view(-1)[index] = value
            gradient.view(-1)[index] = (above - below) / (2 * step)
        gradients.append(gradient)
    return Gradients(*gradients)


@dataclass(frozen=True)
class Difference:
    """The first gradient that differs: its name and the relative error (2-norm)."""

    name: str
    relative_error: float

    def __str__(self) -> str:
        return f"{self.name} differs: relative error {self.relative_error:.2e}"


def first_difference(
    actual: Gradients, expected: Gradients, tolerance: float = 1e-12
) -> Difference | None:
    """Name the first gradient whose relative error exceeds the tolerance; ``None`` if none does.

    The order is W_qh, h0, W_hh, W_hx: from the loss backwards, so that the first difference is
    nearest to its cause. An ``h0`` that is ``None`` in one of them is not compared.

    Raises:
        TypeError: an argument is not :class:`Gradients`.
    """
    for name, value in (("actual", actual), ("expected", expected)):
        if not isinstance(value, Gradients):
            raise TypeError(f"{name}: expected Gradients, got {type(value).__name__}")
    for name in ("W_qh", "h0", "W_hh", "W_hx"):
        got, wanted = getattr(actual, name), getattr(expected, name)
        if name == "h0" and (got is None or wanted is None):
            continue
        error = relative_error(got, wanted)
        if not error <= tolerance:  # also true for NaN
            return Difference(name, error)
    return None


def assert_same_gradients(
    actual: Gradients, expected: Gradients, tolerance: float = 1e-12
) -> dict[str, float]:
    """Raise ``AssertionError`` with the first difference, else return all relative errors."""
    difference = first_difference(actual, expected, tolerance)
    if difference is not None:
        raise AssertionError(str(difference))
    pairs = {
        f.name: (getattr(actual, f.name), getattr(expected, f.name)) for f in fields(Gradients)
    }
    return {
        name: relative_error(*pair)
        for name, pair in pairs.items()
        if pair[0] is not None and pair[1] is not None
    }
