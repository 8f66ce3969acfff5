"""Full backpropagation through time, written as the equations are."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bptt.arguments import require_floats, require_shape
from bptt.rnn import RNN, Tape


@dataclass(frozen=True, eq=False)
class Gradients:
    """Total derivatives of the loss; each has the shape of what it belongs to.

    Attributes:
        W_hx: ``(n, d)``.
        W_hh: ``(n, n)``.
        W_qh: ``(q, n)``, or ``(q, n+1)`` with an output bias.
        h0: ``(B, n)``, one row an example; ``None`` where an estimator gives it no meaning.
    """

    W_hx: Tensor
    W_hh: Tensor
    W_qh: Tensor
    h0: Tensor | None


@torch.no_grad()
def bptt(tape: Tape, dO: Tensor) -> Gradients:
    """The gradient of a loss with respect to all weights and the initial state.

    One sweep from the last step to the first carries the adjoint dL/dz_t. One matrix product for
    each weight matrix then collects all steps and all examples.

    Args:
        tape: the forward pass, from ``rnn(X, h0)``.
        dO: the direct adjoint of the loss, dL/dO, ``(T, B, q)``.

    Returns:
        :class:`Gradients`.

    Raises:
        TypeError: ``tape`` is not a :class:`Tape`, or ``dO`` not a tensor of the tape's dtype.
        ValueError: shape or device of ``dO`` do not fit, or a number in it is not finite.

    Source: equations eq-tanh-adjoint-state, eq-tanh-adjoint-z, eq-tanh-grad-hh, eq-tanh-grad-hx,
    eq-tanh-grad-qh and eq-tanh-grad-h0.
    """
    dO = require_adjoint(tape, dO)
    rnn, X, H = tape.rnn, tape.X, tape.H
    T = len(X)

    dH_direct = dO @ weights_from_state(rnn)  # (T, B, n): through o_t alone
    slope = rnn.slope(H[1:])  # (T, B, n)
    dZ = torch.empty_like(slope)
    future = torch.zeros_like(H[0])  # (B, n): through z_{t+1}; nothing comes after step T
    for t in reversed(range(T)):  # row t belongs to step t+1, whose state is H[t+1]
        dZ[t] = slope[t] * (dH_direct[t] + future)
        future = dZ[t] @ rnn.W_hh

    return Gradients(
        W_hx=_sum_of_outer_products(dZ, X),
        W_hh=_sum_of_outer_products(dZ, H[:-1]),
        W_qh=_sum_of_outer_products(dO, rnn.output_features(H[1:])),
        h0=future,
    )


def _sum_of_outer_products(left: Tensor, right: Tensor) -> Tensor:
    """Over time and batch, ``(T, B, a)`` and ``(T, B, b)`` to ``(a, b)``: one matrix product."""
    return left.flatten(0, 1).T @ right.flatten(0, 1)


def require_adjoint(tape: object, dO: object) -> Tensor:
    """Return ``dO`` without its autograd history; it must be the adjoint of the tape's outputs.

    Raises:
        TypeError: ``tape`` is not a :class:`Tape`, or ``dO`` not a tensor of the tape's dtype.
        ValueError: shape or device of ``dO`` do not fit, or a number in it is not finite.
    """
    if not isinstance(tape, Tape):
        raise TypeError(f"tape: expected the Tape that rnn(X) returns, got {type(tape).__name__}")
    dO = require_floats("dO", dO, **{"tape.O": tape.O})
    T, B, q = tape.O.shape
    require_shape("dO", dO, "T B q", T=T, B=B, q=q)
    return dO


def weights_from_state(rnn: RNN) -> Tensor:
    """The part of ``W_qh`` that multiplies h_t, ``(q, n)``: a bias passes nothing to h_t."""
    return rnn.W_qh[:, 1:] if rnn.has_output_bias else rnn.W_qh
