"""Backpropagation through time with room for a few hidden states: what is not kept is run again.

The planner counts and lists the calls of the step function. ``slots`` hidden states are stored at
most, the initial state among them; beside them there is one working state, the latest that the
step function returned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import comb
from typing import NamedTuple

import torch
from torch import Tensor

from bptt.arguments import require_count, require_floats, require_shape
from bptt.backward import Gradients, add_outer_products, adjoints
from bptt.rnn import RNN

SEGMENT = 8  # steps whose adjoints are alive together: fewer than in bptt, for little memory


def longest_sequence(slots: int, calls: int) -> int:
    """The largest T for which no step has to be called more than ``calls`` times.

    Raises:
        TypeError, ValueError: an argument is not a whole number of at least 1.

    Source: equation eq-memory-longest.
    """
    slots, calls = require_count("slots", slots), require_count("calls", calls)
    return _longest(slots, calls)


def fewest_forward_steps(T: int, slots: int) -> int:
    """The smallest number of calls of the step function for the gradient over ``T`` steps.

    The first sweep counts. The states are needed in the order h_T, ..., h_0, one at a time.

    Raises:
        TypeError, ValueError: an argument is not a whole number of at least 1.

    Source: equation eq-memory-fewest.
    """
    T, slots = require_count("T", T), require_count("slots", slots)
    r = _most_calls(T, slots)
    return r * (T + 1) - comb(slots + r, r - 1)


def classical_forward_steps(T: int, slots: int) -> int:
    """The same where each backward step calls its own forward step again, as is usual.

    Raises:
        TypeError, ValueError: an argument is not a whole number of at least 1.

    Source: Griewank (1992), Griewank and Walther (2000); equation eq-memory-classical.
    """
    T, slots = require_count("T", T), require_count("slots", slots)
    r = _most_calls(T - 1, slots)
    return T + r * T - comb(slots + r, r - 1)


class Sweep(NamedTuple):
    """Calls of the step function from a stored state on, and the states that are used after it.

    Attributes:
        start: h_start is stored.
        stop: the steps start+1, ..., stop are called; h_stop is then the working state.
        kept: which of the states between the two are stored on the way.
        first: after the sweep the states h_stop, h_{stop-1}, ..., h_first are at hand, and the
            backward pass uses them in this order. Their slots are then free.
    """

    start: int
    stop: int
    kept: tuple[int, ...]
    first: int


def schedule(T: int, slots: int) -> Iterator[Sweep]:
    """The sweeps that make up a schedule with the fewest calls of the step function.

    The stored states are a stack. It begins with h_0; a sweep begins at its top and stores states
    above it, and the backward pass takes them off again.

    Raises:
        TypeError, ValueError: an argument is not a whole number of at least 1.
    """
    T, slots = require_count("T", T), require_count("slots", slots)
    return _sweeps(T, slots)


def _sweeps(T: int, slots: int) -> Iterator[Sweep]:
    stack, stop = [0], T
    while stack:
        start = stack[-1]
        kept = _kept(start, stop, slots - len(stack) + 1)
        stack += kept
        first = stop
        while stack and stack[-1] == first - 1:
            first = stack.pop()
        yield Sweep(start, stop, kept, first)
        stop = first - 1


def _kept(start: int, stop: int, slots: int) -> tuple[int, ...]:
    """The states to store on the way from h_start, which has one of the slots, to h_stop."""
    kept = []
    while (next_kept := start + _first_kept(stop - start, slots)) < stop:
        kept.append(next_kept)
        start, slots = next_kept, slots - 1
    return tuple(kept)


def _first_kept(t: int, slots: int) -> int:
    """The largest y that attains the minimum in eq-memory-recursion."""
    r = _most_calls(t, slots)
    return 1 + min(_longest(slots, r - 1), t - 1 - _longest(slots - 1, r - 1))


def _longest(slots: int, calls: int) -> int:
    return comb(slots + calls, slots) - 1


def _most_calls(t: int, slots: int) -> int:
    """The r of the closed forms: how often the step that is called most is called."""
    r = 1
    while _longest(slots, r) < t:
        r += 1
    return r


LossAndAdjoint = Callable[[Tensor], tuple[Tensor, Tensor]]


@torch.no_grad()
def bptt_checkpointed(
    rnn: RNN,
    X: Tensor,
    loss_and_adjoint: LossAndAdjoint,
    slots: int,
    h0: Tensor | None = None,
) -> tuple[Tensor, Gradients, int]:
    """The loss and its gradient, like ``rnn(X, h0)`` and :func:`bptt.bptt`, in little memory.

    At any time at most ``slots`` hidden states are stored, h_0 among them, and one working state
    beside them. The adjoints dL/dz_t of a few consecutive states are alive with them, as in
    :func:`bptt.bptt`. The outputs and their adjoint, ``(T, B, q)``, are kept as they are.

    The gradients are those of full backpropagation through time. They differ in the last digits
    alone, because the sum over time is added up in another order.

    Args:
        rnn: the network.
        X: inputs, ``(T, B, d)``.
        loss_and_adjoint: called once with the outputs ``O``, ``(T, B, q)``; returns the loss and
            ``dO = dL/dO``, ``(T, B, q)``.
        slots: how many hidden states may be stored, at least 1.
        h0: initial hidden state, ``(B, n)``; zero when omitted.

    Returns:
        the loss as ``loss_and_adjoint`` returned it; :class:`Gradients`; and the number of calls
        of the step function, first sweep included: ``fewest_forward_steps(T, slots)``.

    Raises:
        TypeError: ``rnn`` is not an :class:`RNN`, ``loss_and_adjoint`` not a function that returns
            a pair, ``slots`` not a whole number, or a tensor not of the weights' dtype.
        ValueError: ``slots`` is less than 1, a shape or device does not fit, or a number is not
            finite.

    Source: equations eq-memory-by-state, eq-memory-recursion and eq-memory-fewest.
    """
    if not isinstance(rnn, RNN):
        raise TypeError(f"rnn: expected an RNN, got {type(rnn).__name__}")
    if not callable(loss_and_adjoint):
        got = type(loss_and_adjoint).__name__
        raise TypeError(f"loss_and_adjoint: expected a function, got {got}")
    slots = require_count("slots", slots)
    X, h0 = rnn.inputs(X, h0)
    T, B, _ = X.shape

    H = X.new_empty(min(slots, T) + 1, *h0.shape)  # the stack of states, the working one on top
    H[0] = h0
    top = 0
    O = X.new_empty(T, B, len(rnn.W_qh))
    totals = [torch.zeros_like(W) for W in (rnn.W_hx, rnn.W_hh, rnn.W_qh)]
    dz, future = h0.new_empty(0, *h0.shape), torch.zeros_like(h0)  # nothing comes after step T
    forward_steps = 0
    for sweep in schedule(T, slots):
        stored = {sweep.start, *sweep.kept}
        for t in range(sweep.start + 1, sweep.stop + 1):
            h = rnn.activate_(torch.addmm(X[t - 1] @ rnn.W_hx.T, H[top], rnn.W_hh.T))
            forward_steps += 1
            top += t - 1 in stored  # a state that is not stored gives its row to the next one
            H[top] = h
            if sweep.stop == T:
                O[t - 1] = rnn.output_features(h) @ rnn.W_qh.T
        if sweep.stop == T:
            loss, dO = _checked(loss_and_adjoint(O), O)

        bottom = top - (sweep.stop - sweep.first)
        while top >= bottom:  # a few states at a time, as in bptt
            lowest = max(bottom, top + 1 - SEGMENT)
            first = sweep.first + lowest - bottom
            dz = _use_states(rnn, H[lowest : top + 1], first, X, dO, dz, future, totals)
            top = lowest - 1
    return loss, Gradients(*totals, h0=future), forward_steps


def _use_states(
    rnn: RNN,
    H: Tensor,
    first: int,
    X: Tensor,
    dO: Tensor,
    dz_after: Tensor,
    future: Tensor,
    totals: list[Tensor],
) -> Tensor:
    """Add to ``totals`` what consecutive states give to the gradients of W_hx, W_hh and W_qh.

    Row i of ``H`` is h_{first+i}. ``dz_after`` is dL/dz of the step after the last of them,
    ``(1, B, n)``, or ``(0, B, n)`` if there is none; the same is returned for the first of them.
    ``future`` is as in :func:`bptt.backward.adjoints`.
    """
    begin = int(first == 0)  # h_0 is no step's result
    steps = slice(first + begin - 1, first + len(H) - 1)  # rows of X and dO
    dZ = adjoints(rnn, H[begin:], dO[steps], future)
    dW_hx, dW_hh, dW_qh = totals
    add_outer_products(dW_hx, dZ, X[steps])
    add_outer_products(dW_hh, dZ[1 - begin :], H[:-1])
    add_outer_products(dW_hh, dz_after, H[-1:][: len(dz_after)])
    add_outer_products(dW_qh, dO[steps], rnn.output_features(H[begin:]))
    return dZ[:1].clone()


def _checked(loss_and_dO: object, O: Tensor) -> tuple[object, Tensor]:
    """The pair that ``loss_and_adjoint`` returned, if its second part fits the outputs."""
    if not isinstance(loss_and_dO, tuple | list) or len(loss_and_dO) != 2:
        got = type(loss_and_dO).__name__
        raise TypeError(f"loss_and_adjoint: expected a function that returns (loss, dO), got {got}")
    loss, dO = loss_and_dO
    dO = require_floats("dO", dO, O=O)
    T, B, q = O.shape
    require_shape("dO", dO, "T B q", T=T, B=B, q=q)
    return loss, dO
