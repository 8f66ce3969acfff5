"""Real-time recurrent learning: the gradients of backpropagation through time, found forwards."""

from __future__ import annotations

import torch
from torch import Tensor

from bptt.backward import Gradients, require_adjoint, weights_from_state
from bptt.rnn import Tape


@torch.no_grad()
def rtrl(tape: Tape, dO: Tensor) -> Gradients:
    """The gradients that :func:`bptt.bptt` returns, without a backward pass.

    It reads the tape from the first step to the last, each row once, and carries the sensitivities:
    how h_t reacts to every weight and to h_0. What one step adds to the gradients is known as soon
    as the step is done.

    The sensitivities take n^2 (n+d) + n^2 numbers for each example, whatever T is: one for each
    unit and each entry of ``W_hh``, ``W_hx`` and h_0. To carry one of them over a step is a sum
    over n units, so the time is O(T B n^3 (n+d)); backpropagation takes O(T B n (n+d+q)).

    Args:
        tape: the forward pass, from ``rnn(X, h0)``.
        dO: the direct adjoint of the loss, dL/dO, ``(T, B, q)``.

    Returns:
        :class:`Gradients`.

    Raises:
        TypeError: ``tape`` is not a :class:`Tape`, or ``dO`` not a tensor of the tape's dtype.
        ValueError: shape or device of ``dO`` do not fit, or a number in it is not finite.

    Source: Williams and Zipser (1989); equations eq-code-sensitivity-hh, eq-code-sensitivity-others
    and eq-code-forward-gradient.
    """
    dO = require_adjoint(tape, dO)
    rnn, X, H = tape.rnn, tape.X, tape.H
    T, B, d = X.shape
    n = len(rnn.W_hh)
    W_qh = weights_from_state(rnn)

    # Entry [b, c, a, e] is the derivative of unit c of h_t by entry (a, e) of [W_hh, W_hx].
    S = X.new_zeros(B, n, n, n + d)
    S_0 = torch.eye(n, dtype=X.dtype, device=X.device).repeat(B, 1, 1)  # dh_t/dh_0, (B, n, n)
    dW = X.new_zeros(n, n + d)
    dW_qh = torch.zeros_like(rnn.W_qh)
    dh0 = torch.zeros_like(H[0])
    for t in range(T):  # row t belongs to step t+1, whose state is H[t+1]
        slope = rnn.slope(H[t + 1])  # (B, n)
        S = (rnn.W_hh @ S.flatten(2)).view_as(S)  # through h_t
        S.diagonal(dim1=1, dim2=2).add_(torch.cat([H[t], X[t]], dim=-1)[:, :, None])  # at once
        S *= slope[:, :, None, None]
        S_0 = slope[:, :, None] * (rnn.W_hh @ S_0)

        dh = dO[t] @ W_qh  # (B, n): through o_{t+1} alone
        dW += torch.einsum("bc,bcae->ae", dh, S)
        dh0 += torch.einsum("bc,bca->ba", dh, S_0)
        dW_qh += dO[t].T @ rnn.output_features(H[t + 1])

    return Gradients(W_hx=dW[:, n:].clone(), W_hh=dW[:, :n].clone(), W_qh=dW_qh, h0=dh0)
