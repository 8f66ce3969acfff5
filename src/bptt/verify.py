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

    Raises:
        ValueError: the shapes differ.
    """
    if actual.shape != expected.shape:
        raise ValueError(
            f"actual: expected shape {tuple(expected.shape)}, got {tuple(actual.shape)}"
        )
    difference = torch.linalg.vector_norm(actual - expected)
    scale = torch.linalg.vector_norm(expected)
    if scale == 0:
        return 0.0 if difference == 0 else float("inf")
    return float(difference / scale)


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


def _leaves(rnn: RNN, X: Tensor, h0: Tensor | None) -> list[Tensor]:
    """Fresh copies of W_hx, W_hh, W_qh and h_0 to differentiate with respect to."""
    h0 = X.new_zeros(X.shape[1], rnn.W_hh.shape[0]) if h0 is None else h0
    return [leaf.detach().clone() for leaf in (rnn.W_hx, rnn.W_hh, rnn.W_qh, h0)]


def _evaluate(leaves: list[Tensor], rnn: RNN, X: Tensor, loss: Loss) -> Tensor:
    W_hx, W_hh, W_qh, h0 = leaves
    network = _Weights(W_hx, W_hh, W_qh, rnn.activation)
    return loss(unrolled_outputs(network, X.detach(), h0))


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
    """
    leaves = [leaf.requires_grad_() for leaf in _leaves(rnn, X, h0)]
    return Gradients(*torch.autograd.grad(_evaluate(leaves, rnn, X, loss), leaves))


@torch.no_grad()
def finite_difference_gradients(
    rnn: RNN, X: Tensor, loss: Loss, h0: Tensor | None = None, step: float = 1e-5
) -> Gradients:
    """The gradients by central differences, one number at a time: slow, and independent.

    Args:
        rnn, X, loss, h0: as for :func:`autograd_gradients`; use float64.
        step: how far each number is moved up and down.
    """
    leaves = _leaves(rnn, X, h0)
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
    nearest to its cause. A gradient that is ``None`` is not compared.
    """
    for name in ("W_qh", "h0", "W_hh", "W_hx"):
        got, wanted = getattr(actual, name), getattr(expected, name)
        if got is None or wanted is None:
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
