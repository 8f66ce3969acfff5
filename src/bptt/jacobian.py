"""Products of step Jacobians: how they grow with the lag, and what each lag gives the weight."""

from __future__ import annotations

import torch
from torch import Tensor

from bptt.arguments import require_floats
from bptt.backward import require_adjoint, weights_from_state
from bptt.rnn import Tape


@torch.no_grad()
def step_jacobians(tape: Tape) -> Tensor:
    """The Jacobians ``J_t = dh_t/dh_{t-1} = D_t W_hh`` of all steps.

    Args:
        tape: the forward pass, from ``rnn(X, h0)``.

    Returns:
        ``(T, B, n, n)``; row ``t-1`` is J_t.

    Raises:
        TypeError: ``tape`` is not a :class:`Tape`.

    Source: equation eq-vanish-product.
    """
    if not isinstance(tape, Tape):
        raise TypeError(f"tape: expected the Tape that rnn(X) returns, got {type(tape).__name__}")
    return tape.rnn.slope(tape.H[1:])[..., None] * tape.rnn.W_hh


@torch.no_grad()
def jacobian_product(J: Tensor) -> Tensor:
    """The product ``J_T ... J_2 J_1``, the latest factor leftmost.

    Args:
        J: ``(T, ..., n, n)``, the earliest factor in row 0. For dh_T/dh_t give the rows from t on,
            ``J[t:]``.

    Returns:
        ``(..., n, n)``.

    Raises:
        TypeError: ``J`` is not a floating-point tensor.
        ValueError: ``J`` is not a chain of square matrices, or a number is not finite.

    Source: equation eq-vanish-product.
    """
    J = _require_chain(J)
    product = J[0]
    for later in J[1:]:
        product = later @ product
    return product


@torch.no_grad()
def norms_by_lag(J: Tensor) -> Tensor:
    """The 2-norm of ``dh_T/dh_{T-k}`` for every lag k from 0 to T.

    A norm beyond the range of the dtype comes back as 0 or infinity. For long chains
    :func:`lyapunov_exponents` keeps logarithms.

    Args:
        J: ``(T, ..., n, n)``, the earliest factor in row 0.

    Returns:
        ``(T+1, ...)``; row k belongs to lag k, and row 0 is 1.

    Raises:
        TypeError, ValueError: as :func:`jacobian_product`.

    Source: equation eq-vanish-product.
    """
    J = _require_chain(J)
    norms = [J.new_ones(J.shape[1:-2])]
    product = torch.eye(J.shape[-1], dtype=J.dtype, device=J.device)
    for earlier in J.flip(0):
        product = product @ earlier
        norms.append(torch.linalg.matrix_norm(product, 2))
    return torch.stack(norms)


@torch.no_grad()
def lyapunov_exponents(J: Tensor) -> Tensor:
    """The Lyapunov exponents of a chain of matrices, estimated by repeated QR decomposition.

    Each step multiplies an orthonormal basis by J_t and makes it orthonormal again. The
    logarithms of the stretches, averaged over the steps, tend to the exponents. The start is the
    identity matrix, which suits generic matrices: a matrix that keeps or loses a coordinate axis
    can hide an exponent or change the order.

    Args:
        J: ``(T, ..., n, n)``, the earliest factor in row 0.

    Returns:
        ``(..., n)``, per step, in nats; the largest exponent first once T is large. Minus infinity
        where a direction is lost.

    Raises:
        TypeError, ValueError: as :func:`jacobian_product`.

    Source: equation eq-vanish-qr.
    """
    J = _require_chain(J)
    Q = torch.eye(J.shape[-1], dtype=J.dtype, device=J.device)
    total = torch.zeros_like(J[0, ..., 0])
    for step in J:
        Q, R = torch.linalg.qr(step @ Q)
        total += R.diagonal(dim1=-2, dim2=-1).abs().log()
    return total / len(J)


@torch.no_grad()
def gradient_by_lag(tape: Tape, dO: Tensor) -> Tensor:
    """The gradient of ``W_hh`` taken apart by lag.

    Part k collects every path that leads from a use of ``W_hh`` at some step j to the loss of
    step j + k. The parts add up to the gradient of :func:`bptt`. All losses go back together, so
    the work is that of about T/2 backward passes.

    Args:
        tape: the forward pass, from ``rnn(X, h0)``.
        dO: the direct adjoint of the loss, dL/dO, ``(T, B, q)``.

    Returns:
        ``(T, n, n)``; row k is the part of lag k.

    Raises:
        TypeError: ``tape`` is not a :class:`Tape`, or ``dO`` not a tensor of the tape's dtype.
        ValueError: shape or device of ``dO`` do not fit, or a number in it is not finite.

    Source: equations eq-vanish-lags and eq-vanish-lag-term.
    """
    dO = require_adjoint(tape, dO)
    rnn, H, T = tape.rnn, tape.H, len(dO)
    slope = rnn.slope(H[1:])  # (T, B, n)
    A = slope * (dO @ weights_from_state(rnn))  # row i - 1 of lag 0: from the loss of step i
    parts = [A.flatten(0, 1).T @ H[:T].flatten(0, 1)]
    for lag in range(1, T):
        A = slope[: T - lag] * (A[1:] @ rnn.W_hh)  # one step back; the first loss has no more
        parts.append(A.flatten(0, 1).T @ H[: T - lag].flatten(0, 1))
    return torch.stack(parts)


def _require_chain(J: object) -> Tensor:
    """Return ``J`` without its autograd history; it must be ``(T, ..., n, n)``."""
    J = require_floats("J", J)
    if J.ndim < 3 or J.shape[-1] != J.shape[-2] or 0 in J.shape:
        raise ValueError(
            f"J: expected shape (T, ..., n, n) with every size >= 1, got {tuple(J.shape)}"
        )
    return J
