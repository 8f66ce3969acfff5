"""Full backpropagation through time, written as the equations are."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bptt.arguments import require_floats, require_shape
from bptt.rnn import RNN, Tape

SEGMENT = 16  # steps whose adjoints are alive together


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

    One sweep from the last step to the first carries the adjoint dL/dz_t. It makes the adjoints of
    a few steps, adds what they give to each weight in one matrix product, and forgets them.

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
    dW_hx, dW_hh, dW_qh = (torch.zeros_like(W) for W in (rnn.W_hx, rnn.W_hh, rnn.W_qh))

    future = torch.zeros_like(H[0])  # (B, n): through z_{t+1}; nothing comes after step T
    a_few_steps = zip(*(rows.split(SEGMENT) for rows in (X, H[:-1], H[1:], dO)), strict=True)
    for x, h_before, h, do in reversed(list(a_few_steps)):
        dz = adjoints(rnn, h, do, future)
        add_outer_products(dW_hx, dz, x)
        add_outer_products(dW_hh, dz, h_before)
        add_outer_products(dW_qh, do, rnn.output_features(h))
        del dz  # before the next ones are made
    return Gradients(dW_hx, dW_hh, dW_qh, h0=future)


def adjoints(rnn: RNN, H: Tensor, dO: Tensor, future: Tensor) -> Tensor:
    """The adjoints dL/dz_t of S consecutive steps, ``(S, B, n)``.

    Args:
        rnn: the network.
        H: the states of the steps, ``(S, B, n)``.
        dO: the direct adjoints of their outputs, ``(S, B, q)``.
        future: what the step after them sends to the last of them, ``(B, n)``. It is changed to
            what the first of them sends to the step before.

    Source: equation eq-code-rows.
    """
    dZ = dO @ weights_from_state(rnn)  # at first dL/dh_t through o_t alone
    slope = rnn.slope(H)
    for dz, slope_t in reversed(list(zip(dZ, slope, strict=True))):
        dz += future
        dz *= slope_t
        torch.mm(dz, rnn.W_hh, out=future)
    return dZ


def add_outer_products(total: Tensor, left: Tensor, right: Tensor) -> None:
    """Add to ``total`` ``(a, b)`` the outer products of all rows of ``left`` and ``right``.

    They are ``(S, B, a)`` and ``(S, B, b)``; the sum over steps and batch is one matrix product.
    """
    torch.addmm(total, left.flatten(0, 1).T, right.flatten(0, 1), out=total)


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
