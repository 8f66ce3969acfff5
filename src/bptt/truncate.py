"""Truncated backpropagation through time: which paths from a loss to a weight are followed."""

from __future__ import annotations

from dataclasses import replace
from numbers import Real

import torch
from torch import Tensor

from bptt.arguments import require_count
from bptt.backward import Gradients, bptt, require_adjoint, weights_from_state
from bptt.rnn import Tape


@torch.no_grad()
def bptt_blocks(tape: Tape, dO: Tensor, length: int) -> Gradients:
    """The gradient with the history cut before the steps of rows 0, ``length``, 2 ``length``, ...

    The states are those of the tape, carried over every cut; no adjoint passes a cut. It is what
    automatic differentiation finds when the state is detached once a minibatch of ``length`` steps.
    A loss at position r of its block, 1 <= r <= ``length``, sees r steps back, its own included.
    The last block is shorter if ``length`` does not divide T; ``length >= T`` is full BPTT.

    Time and memory are those of :func:`bptt.bptt` on the whole tape.

    Args:
        tape: the forward pass, from ``rnn(X, h0)``.
        dO: the direct adjoint of the loss, dL/dO, ``(T, B, q)``.
        length: steps of a block, at least 1.

    Returns:
        :class:`Gradients`; ``h0`` ``(B, n)`` is reached by the losses of the first block alone.

    Raises:
        TypeError: ``tape`` is not a :class:`Tape`, ``dO`` not a tensor of the tape's dtype, or
            ``length`` not a whole number.
        ValueError: shape or device of ``dO`` do not fit, a number in it is not finite, or
            ``length`` is below 1.

    Source: equation eq-cut-blocks.
    """
    dO, length = require_adjoint(tape, dO), require_count("length", length)
    rnn = tape.rnn

    dH = dO @ weights_from_state(rnn)  # (T, B, n): through o_t alone, until the future is added
    slope = rnn.slope(tape.H[1:])  # (T, B, n)
    dZ = torch.empty_like(slope)
    for t in reversed(range(len(dO))):  # row t belongs to step t+1
        if t + 1 < len(dO) and (t + 1) % length:  # no cut between the rows t and t+1
            dH[t] += dZ[t + 1] @ rnn.W_hh
        dZ[t] = slope[t] * dH[t]
    return _collect(tape, dO, dZ)


@torch.no_grad()
def bptt_window(tape: Tape, dO: Tensor, length: int) -> Gradients:
    """The gradient in which every loss sees exactly ``length`` steps back, its own step included.

    The loss of step t reaches the uses of the weights at the steps t - ``length`` + 1 to t, or 1
    to t where fewer steps exist. ``length >= T`` is full BPTT.

    Each loss has paths of its own, so nothing is shared between losses as in full BPTT. All losses
    take a step back together: ``length`` - 1 products with ``W_hh``, of up to T B rows each. With
    K = min(``length``, T) that is O(T B K n^2) time, and memory for O(T B n) numbers.

    Args:
        tape: the forward pass, from ``rnn(X, h0)``.
        dO: the direct adjoint of the loss, dL/dO, ``(T, B, q)``.
        length: how many steps each loss sees, at least 1.

    Returns:
        :class:`Gradients`; ``h0`` ``(B, n)`` is reached by the losses of the first ``length``
        steps alone, those whose window begins with step 1.

    Raises:
        TypeError: ``tape`` is not a :class:`Tape`, ``dO`` not a tensor of the tape's dtype, or
            ``length`` not a whole number.
        ValueError: shape or device of ``dO`` do not fit, a number in it is not finite, or
            ``length`` is below 1.

    Source: equation eq-cut-window.
    """
    dO, length = require_adjoint(tape, dO), require_count("length", length)
    rnn, T = tape.rnn, len(dO)
    if length >= T:
        return bptt(tape, dO)

    slope = rnn.slope(tape.H[1:])  # (T, B, n)
    of_one_lag = slope * (dO @ weights_from_state(rnn))  # (T, B, n): of lag 0
    dZ = of_one_lag.clone()
    for lag in range(1, length):  # row t, of step t+1: what the loss `lag` steps later sends
        of_one_lag = slope[:-lag] * (of_one_lag[1:] @ rnn.W_hh)  # (T - lag, B, n)
        dZ[:-lag] += of_one_lag
    return _collect(tape, dO, dZ)


@torch.no_grad()
def bptt_randomized(tape: Tape, dO: Tensor, keep: float, generator: torch.Generator) -> Gradients:
    """An unbiased estimate of the gradient: links between steps are cut at random.

    Each link h_{t-1} -> h_t, from h_0 -> h_1 on, is kept with probability ``keep``, for each step
    and each example by a coin of its own. The adjoint that passes a kept link is divided by
    ``keep``, so the mean over all outcomes is the gradient that :func:`bptt.bptt` returns. That of
    ``W_qh`` passes no link and is always exact. ``keep=1`` is full BPTT. A path of lag k is
    followed with probability ``keep**k``, and then counts ``keep**-k`` times: with a small ``keep``
    and long sequences the estimate is rarely near its mean.

    Time and memory are those of :func:`bptt.bptt` on the whole tape.

    Args:
        tape: the forward pass, from ``rnn(X, h0)``.
        dO: the direct adjoint of the loss, dL/dO, ``(T, B, q)``.
        keep: the probability that a link is kept, above 0 and at most 1.
        generator: where the coins come from. One call draws ``torch.rand(T, B)`` in float64, on the
            generator's device; a link is kept where the number is below ``keep``. So the same seed
            gives the same cuts for each dtype.

    Returns:
        :class:`Gradients`; ``h0`` ``(B, n)`` is an unbiased estimate too.

    Raises:
        TypeError: ``tape`` is not a :class:`Tape`, ``dO`` not a tensor of the tape's dtype,
            ``keep`` not a number, or ``generator`` not a ``torch.Generator``.
        ValueError: shape or device of ``dO`` do not fit, a number in it is not finite, or ``keep``
            is not above 0 and at most 1.

    Source: Tallec and Ollivier (2017), with a constant probability; equation eq-random-backward.
    """
    dO, keep = require_adjoint(tape, dO), _require_probability("keep", keep)
    if not isinstance(generator, torch.Generator):
        raise TypeError(f"generator: expected a torch.Generator, got {type(generator).__name__}")
    rnn, H, (T, B, _) = tape.rnn, tape.H, dO.shape

    coins = torch.rand(T, B, generator=generator, dtype=torch.float64, device=generator.device)
    if keep == 1:
        return bptt(tape, dO)
    weight = (coins < keep).to(dO)[:, :, None] / keep  # row t: the link h_t -> h_{t+1}

    dH_direct = dO @ weights_from_state(rnn)  # (T, B, n)
    slope = rnn.slope(H[1:])  # (T, B, n)
    dZ = torch.empty_like(slope)
    future = torch.zeros_like(H[0])  # (B, n)
    for t in reversed(range(T)):  # row t belongs to step t+1
        dZ[t] = slope[t] * (dH_direct[t] + future)
        future = weight[t] * (dZ[t] @ rnn.W_hh)
    return replace(_collect(tape, dO, dZ), h0=future)


def _collect(tape: Tape, dO: Tensor, dZ: Tensor) -> Gradients:
    """The gradients that the adjoints ``dZ`` ``(T, B, n)`` of the pre-activations give."""
    rnn, X, H = tape.rnn, tape.X, tape.H

    def over_time_and_batch(left: Tensor, right: Tensor) -> Tensor:
        return left.flatten(0, 1).T @ right.flatten(0, 1)

    return Gradients(
        W_hx=over_time_and_batch(dZ, X),
        W_hh=over_time_and_batch(dZ, H[:-1]),
        W_qh=over_time_and_batch(dO, rnn.output_features(H[1:])),
        h0=dZ[0] @ rnn.W_hh,
    )


def _require_probability(name: str, value: object) -> float:
    """Return ``value``, above 0 and at most 1; ``TypeError`` or ``ValueError`` otherwise."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name}: expected a number, got {type(value).__name__}")
    if not 0 < value <= 1:
        raise ValueError(f"{name}: expected a number above 0 and at most 1, got {value}")
    return float(value)
