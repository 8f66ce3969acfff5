"""The museum: backward passes that are wrong in one way each, as people wrote them.

Each exhibit is a whole backward pass for a tanh network without an output bias, so that it can be
run, read, and laid beside a right one. The weights' gradients grow inside the loop over time, where
most of the mistakes live.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from bptt.backward import Gradients, require_adjoint
from bptt.rnn import Tape
from bptt.truncate import bptt_blocks, bptt_window

BackwardPass = Callable[[Tape, Tensor], Gradients]


def unpack(tape: Tape, dO: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """``X`` (T, B, d), ``H`` (T+1, B, n), ``W_hh`` (n, n) and ``W_qh`` (q, n).

    Raises:
        TypeError, ValueError: as :func:`bptt.backward.bptt`; and ``ValueError`` for a network that
            is linear or has an output bias.
    """
    require_adjoint(tape, dO)
    rnn = tape.rnn
    if rnn.activation != "tanh":
        raise ValueError(f"tape: expected the activation 'tanh', got {rnn.activation!r}")
    if rnn.has_output_bias:
        raise ValueError(
            f"tape: expected W_qh of shape (q, n={len(rnn.W_hh)}), without an output bias, "
            f"got {tuple(rnn.W_qh.shape)}"
        )
    return tape.X, tape.H, rnn.W_hh, rnn.W_qh


# ---- two right ones -------------------------------------------------------------------------


def right(tape, dO):
    """All losses together, from the last step to the first.

    Source: equations eq-museum-adjoint and eq-museum-gradients.
    """
    X, H, W_hh, W_qh = unpack(tape, dO)
    dW_hx = dW_hh = dW_qh = future = 0
    for t in range(len(X), 0, -1):
        dh = dO[t - 1] @ W_qh + future
        dz = (1 - H[t] ** 2) * dh
        dW_hx += dz.T @ X[t - 1]
        dW_hh += dz.T @ H[t - 1]
        dW_qh += dO[t - 1].T @ H[t]
        future = dz @ W_hh
    return Gradients(dW_hx, dW_hh, dW_qh, future)


def right_by_loss(tape, dO):
    """One loss after the other, each with a way back of its own.

    Source: equation eq-museum-hand, with adjoints in the place of powers.
    """
    X, H, W_hh, W_qh = unpack(tape, dO)
    dW_hx = dW_hh = dW_qh = dh0 = 0
    for t in range(1, len(X) + 1):
        dW_qh += dO[t - 1].T @ H[t]
        dh = dO[t - 1] @ W_qh
        for j in range(t, 0, -1):
            dz = (1 - H[j] ** 2) * dh
            dW_hx += dz.T @ X[j - 1]
            dW_hh += dz.T @ H[j - 1]
            dh = dz @ W_hh
        dh0 += dh
    return Gradients(dW_hx, dW_hh, dW_qh, dh0)


# ---- the adjoint is right and meets the wrong partner ---------------------------------------


def state_of_the_same_step(tape, dO):
    X, H, W_hh, W_qh = unpack(tape, dO)
    dW_hx = dW_hh = dW_qh = future = 0
    for t in range(len(X), 0, -1):
        dh = dO[t - 1] @ W_qh + future
        dz = (1 - H[t] ** 2) * dh
        dW_hx += dz.T @ X[t - 1]
        dW_hh += dz.T @ H[t]
        dW_qh += dO[t - 1].T @ H[t]
        future = dz @ W_hh
    return Gradients(dW_hx, dW_hh, dW_qh, future)


def initial_state_taken_for_zero(tape, dO):
    X, H, W_hh, W_qh = unpack(tape, dO)
    H = torch.cat([torch.zeros_like(H[:1]), H[1:]])
    dW_hx = dW_hh = dW_qh = future = 0
    for t in range(len(X), 0, -1):
        dh = dO[t - 1] @ W_qh + future
        dz = (1 - H[t] ** 2) * dh
        dW_hx += dz.T @ X[t - 1]
        dW_hh += dz.T @ H[t - 1]
        dW_qh += dO[t - 1].T @ H[t]
        future = dz @ W_hh
    return Gradients(dW_hx, dW_hh, dW_qh, future)


def output_layer_sees_the_state_before(tape, dO):
    X, H, W_hh, W_qh = unpack(tape, dO)
    dW_hx = dW_hh = dW_qh = future = 0
    for t in range(len(X), 0, -1):
        dh = dO[t - 1] @ W_qh + future
        dz = (1 - H[t] ** 2) * dh
        dW_hx += dz.T @ X[t - 1]
        dW_hh += dz.T @ H[t - 1]
        dW_qh += dO[t - 1].T @ H[t - 1]
        future = dz @ W_hh
    return Gradients(dW_hx, dW_hh, dW_qh, future)


def initial_state_without_its_weight(tape, dO):
    X, H, W_hh, W_qh = unpack(tape, dO)
    dW_hx = dW_hh = dW_qh = future = 0
    for t in range(len(X), 0, -1):
        dh = dO[t - 1] @ W_qh + future
        dz = (1 - H[t] ** 2) * dh
        dW_hx += dz.T @ X[t - 1]
        dW_hh += dz.T @ H[t - 1]
        dW_qh += dO[t - 1].T @ H[t]
        future = dz @ W_hh
    return Gradients(dW_hx, dW_hh, dW_qh, dz)


def initial_state_summed_over_the_batch(tape, dO):
    X, H, W_hh, W_qh = unpack(tape, dO)
    dW_hx = dW_hh = dW_qh = future = 0
    for t in range(len(X), 0, -1):
        dh = dO[t - 1] @ W_qh + future
        dz = (1 - H[t] ** 2) * dh
        dW_hx += dz.T @ X[t - 1]
        dW_hh += dz.T @ H[t - 1]
        dW_qh += dO[t - 1].T @ H[t]
        future = dz @ W_hh
    return Gradients(dW_hx, dW_hh, dW_qh, future.sum(0).expand_as(future))


# ---- a factor on the way is wrong -----------------------------------------------------------


def the_wrong_way_round(tape, dO):
    X, H, W_hh, W_qh = unpack(tape, dO)
    dW_hx = dW_hh = dW_qh = future = 0
    for t in range(len(X), 0, -1):
        dh = dO[t - 1] @ W_qh + future
        dz = (1 - H[t] ** 2) * dh
        dW_hx += dz.T @ X[t - 1]
        dW_hh += dz.T @ H[t - 1]
        dW_qh += dO[t - 1].T @ H[t]
        future = dz @ W_hh.T
    return Gradients(dW_hx, dW_hh, dW_qh, future)


def slope_forgotten(tape, dO):
    X, H, W_hh, W_qh = unpack(tape, dO)
    dW_hx = dW_hh = dW_qh = future = 0
    for t in range(len(X), 0, -1):
        dh = dO[t - 1] @ W_qh + future
        dz = dh
        dW_hx += dz.T @ X[t - 1]
        dW_hh += dz.T @ H[t - 1]
        dW_qh += dO[t - 1].T @ H[t]
        future = dz @ W_hh
    return Gradients(dW_hx, dW_hh, dW_qh, future)


def slope_of_the_step_before(tape, dO):
    X, H, W_hh, W_qh = unpack(tape, dO)
    dW_hx = dW_hh = dW_qh = future = 0
    for t in range(len(X), 0, -1):
        dh = dO[t - 1] @ W_qh + future
        dz = (1 - H[t - 1] ** 2) * dh
        dW_hx += dz.T @ X[t - 1]
        dW_hh += dz.T @ H[t - 1]
        dW_qh += dO[t - 1].T @ H[t]
        future = dz @ W_hh
    return Gradients(dW_hx, dW_hh, dW_qh, future)


def slope_of_z(tape, dO):
    X, H, W_hh, W_qh = unpack(tape, dO)
    dW_hx = dW_hh = dW_qh = future = 0
    for t in range(len(X), 0, -1):
        dh = dO[t - 1] @ W_qh + future
        z = X[t - 1] @ tape.rnn.W_hx.T + H[t - 1] @ W_hh.T
        dz = (1 - z**2) * dh
        dW_hx += dz.T @ X[t - 1]
        dW_hh += dz.T @ H[t - 1]
        dW_qh += dO[t - 1].T @ H[t]
        future = dz @ W_hh
    return Gradients(dW_hx, dW_hh, dW_qh, future)


def slopes_pulled_out(tape, dO):
    X, H, W_hh, W_qh = unpack(tape, dO)
    dW_hx = dW_hh = dW_qh = dh0 = 0
    for t in range(1, len(X) + 1):
        dW_qh += dO[t - 1].T @ H[t]
        dh, slopes = dO[t - 1] @ W_qh, 1
        for j in range(t, 0, -1):
            slopes = slopes * (1 - H[j] ** 2)
            dz = slopes * dh
            dW_hx += dz.T @ X[j - 1]
            dW_hh += dz.T @ H[j - 1]
            dh = dh @ W_hh
        dh0 += dz @ W_hh
    return Gradients(dW_hx, dW_hh, dW_qh, dh0)


# ---- the wrong pairs of a loss and a use are counted ----------------------------------------


def assigned(tape, dO):
    X, H, W_hh, W_qh = unpack(tape, dO)
    dW_hx = dW_hh = dW_qh = future = 0
    for t in range(len(X), 0, -1):
        dh = dO[t - 1] @ W_qh + future
        dz = (1 - H[t] ** 2) * dh
        dW_hx = dz.T @ X[t - 1]
        dW_hh = dz.T @ H[t - 1]
        dW_qh += dO[t - 1].T @ H[t]
        future = dz @ W_hh
    return Gradients(dW_hx, dW_hh, dW_qh, future)


def immediate_only(tape, dO):
    X, H, W_hh, W_qh = unpack(tape, dO)
    dW_hx = dW_hh = dW_qh = future = 0
    for t in range(len(X), 0, -1):
        dh = dO[t - 1] @ W_qh
        dz = (1 - H[t] ** 2) * dh
        dW_hx += dz.T @ X[t - 1]
        dW_hh += dz.T @ H[t - 1]
        dW_qh += dO[t - 1].T @ H[t]
        future = dz @ W_hh
    return Gradients(dW_hx, dW_hh, dW_qh, future)


def last_loss_only(tape, dO):
    X, H, W_hh, W_qh = unpack(tape, dO)
    dO = torch.cat([torch.zeros_like(dO[:-1]), dO[-1:]])
    dW_hx = dW_hh = dW_qh = future = 0
    for t in range(len(X), 0, -1):
        dh = dO[t - 1] @ W_qh + future
        dz = (1 - H[t] ** 2) * dh
        dW_hx += dz.T @ X[t - 1]
        dW_hh += dz.T @ H[t - 1]
        dW_qh += dO[t - 1].T @ H[t]
        future = dz @ W_hh
    return Gradients(dW_hx, dW_hh, dW_qh, future)


def cut_into_blocks(tape, dO):
    X, H, W_hh, W_qh = unpack(tape, dO)
    dW_hx = dW_hh = dW_qh = future = 0
    for t in range(len(X), 0, -1):
        if t % 3 == 0:
            future = 0
        dh = dO[t - 1] @ W_qh + future
        dz = (1 - H[t] ** 2) * dh
        dW_hx += dz.T @ X[t - 1]
        dW_hh += dz.T @ H[t - 1]
        dW_qh += dO[t - 1].T @ H[t]
        future = dz @ W_hh
    return Gradients(dW_hx, dW_hh, dW_qh, future)


def total_times_total(tape, dO):
    X, H, W_hh, W_qh = unpack(tape, dO)
    dW_hx = dW_hh = dW_qh = future = again = 0
    for t in range(len(X), 0, -1):
        dh = dO[t - 1] @ W_qh + future
        dz = (1 - H[t] ** 2) * (dh + again)
        dW_hx += dz.T @ X[t - 1]
        dW_hh += dz.T @ H[t - 1]
        dW_qh += dO[t - 1].T @ H[t]
        future = ((1 - H[t] ** 2) * dh) @ W_hh
        again = dz @ W_hh
    return Gradients(dW_hx, dW_hh, dW_qh, future)


def never_cleared(tape, dO):
    X, H, W_hh, W_qh = unpack(tape, dO)
    dW_hx = dW_hh = dW_qh = 0
    dH = torch.zeros_like(H)
    for t in range(1, len(X) + 1):
        dW_qh += dO[t - 1].T @ H[t]
        dh = dO[t - 1] @ W_qh
        for j in range(t, 0, -1):
            dz = (1 - H[j] ** 2) * dh
            dW_hx += dz.T @ X[j - 1]
            dW_hh += dz.T @ H[j - 1]
            dH[j - 1] += dz @ W_hh
            dh = dH[j - 1]
    return Gradients(dW_hx, dW_hh, dW_qh, dH[0])


# ---- everything is there, in the wrong size -------------------------------------------------


def divided_by_steps(tape, dO):
    X, H, W_hh, W_qh = unpack(tape, dO)
    dW_hx = dW_hh = dW_qh = future = 0
    for t in range(len(X), 0, -1):
        dh = dO[t - 1] @ W_qh + future
        dz = (1 - H[t] ** 2) * dh
        dW_hx += dz.T @ X[t - 1] / len(X)
        dW_hh += dz.T @ H[t - 1] / len(X)
        dW_qh += dO[t - 1].T @ H[t] / len(X)
        future = dz @ W_hh
    return Gradients(dW_hx, dW_hh, dW_qh, future)


def divided_by_batch(tape, dO):
    X, H, W_hh, W_qh = unpack(tape, dO)
    dW_hx = dW_hh = dW_qh = future = 0
    for t in range(len(X), 0, -1):
        dh = dO[t - 1] @ W_qh + future
        dz = (1 - H[t] ** 2) * dh
        dW_hx += dz.T @ X[t - 1] / len(dz)
        dW_hh += dz.T @ H[t - 1] / len(dz)
        dW_qh += dO[t - 1].T @ H[t] / len(dz)
        future = dz @ W_hh
    return Gradients(dW_hx, dW_hh, dW_qh, future)


def clipped_inside(tape, dO):
    X, H, W_hh, W_qh = unpack(tape, dO)
    dW_hx = dW_hh = dW_qh = future = 0
    for t in range(len(X), 0, -1):
        dh = dO[t - 1] @ W_qh + future
        dz = (1 - H[t] ** 2) * dh
        dW_hx += dz.T @ X[t - 1]
        dW_hh += dz.T @ H[t - 1]
        dW_qh += dO[t - 1].T @ H[t]
        future = (dz @ W_hh).clamp(-0.1, 0.1)
    return Gradients(dW_hx, dW_hh, dW_qh, future)


# ---- the catalogue --------------------------------------------------------------------------


@dataclass(frozen=True)
class Bug:
    """A mistake that people made.

    Attributes:
        name: in plain English; the key of :data:`MUSEUM`.
        wing: what it does to the sum over paths: ``"partner"``, ``"factor"``, ``"pairs"``,
            ``"size"``.
        broken: the backward pass with this mistake and no other: ``broken(tape, dO)``.
        likely: one sentence, how to repair it.
        right_when: the cases in which it is right all the same.
        beside: the right backward pass that is nearest to it.
    """

    name: str
    wing: str
    broken: BackwardPass
    likely: str
    right_when: str
    beside: BackwardPass = right

    @property
    def change(self) -> str:
        """The lines that differ from the right backward pass: ``-`` taken away, ``+`` put in."""
        lines = difflib.ndiff(_body(self.beside), _body(self.broken))
        return "\n".join(line for line in lines if line[0] in "-+")


def _body(function: BackwardPass) -> list[str]:
    """The lines of code after the signature and the docstring, without the first indentation."""
    _, _, code = inspect.getsource(function).partition("X, H, W_hh, W_qh = unpack(tape, dO)\n")
    return [line[4:] for line in code.splitlines()]


MUSEUM: dict[str, Bug] = {
    bug.name: bug
    for bug in (
        Bug(
            "state of the same step",
            "partner",
            state_of_the_same_step,
            "Pair dL/dz_t with h_{t-1}: that is what W_hh multiplied at step t.",
            "all states are equal, h_0 included",
        ),
        Bug(
            "h_0 taken for zero",
            "partner",
            initial_state_taken_for_zero,
            "Pair dL/dz_1 with the h_0 that the forward pass began with, not with zeros.",
            "h_0 = 0",
        ),
        Bug(
            "output layer sees the state before",
            "partner",
            output_layer_sees_the_state_before,
            "Pair dL/do_t with h_t: W_qh multiplied the state of its own step.",
            "all states are equal, h_0 included",
        ),
        Bug(
            "h_0 without its weight",
            "partner",
            initial_state_without_its_weight,
            "Multiply dL/dz_1 once more by the transposed W_hh: it lies between h_0 and z_1.",
            "nobody asks for the gradient of h_0, or W_hh = I",
        ),
        Bug(
            "h_0 summed over the batch",
            "partner",
            initial_state_summed_over_the_batch,
            "Keep one row for each sequence: sum over the batch only what all sequences share.",
            "B = 1, or nobody asks for the gradient of h_0",
        ),
        Bug(
            "W_hh the wrong way round",
            "factor",
            the_wrong_way_round,
            "Go back through the transposed W_hh in columns, and through W_hh as it is in rows.",
            "W_hh is symmetric",
        ),
        Bug(
            "slope forgotten",
            "factor",
            slope_forgotten,
            "Multiply dL/dh_t by the slope 1 - h_t^2 before it goes to z_t.",
            "the network is linear, or all states are nearly zero",
        ),
        Bug(
            "slope of the step before",
            "factor",
            slope_of_the_step_before,
            "Take the slope at h_t, the state that this tanh put out, not at h_{t-1}.",
            "neighbouring states have the same squares",
        ),
        Bug(
            "slope of z",
            "factor",
            slope_of_z,
            "Put the state into 1 - h_t^2: the slope of tanh at z is 1 - tanh(z)^2, not 1 - z^2.",
            "all states are nearly zero",
        ),
        Bug(
            "slopes pulled out",
            "factor",
            slopes_pulled_out,
            "Let slopes and W_hh take turns, one slope a step: diagonal matrices and W_hh do not "
            "commute.",
            "n = 1, T = 1, or W_hh is diagonal",
            beside=right_by_loss,
        ),
        Bug(
            "assigned, not added",
            "pairs",
            assigned,
            "Write += for =: each step used the same weight, and all their contributions add up.",
            "T = 1",
        ),
        Bug(
            "immediate only",
            "pairs",
            immediate_only,
            "Add to dL/dh_t what comes back from step t + 1.",
            "T = 1",
        ),
        Bug(
            "last loss only",
            "pairs",
            last_loss_only,
            "Let the loss of every step come in: dL/do_t is not zero before the last step.",
            "only the last step has a loss",
        ),
        Bug(
            "cut into blocks",
            "pairs",
            cut_into_blocks,
            "Carry the adjoint across the border between blocks, or call the result truncated.",
            "the sequence is no longer than a block",
        ),
        Bug(
            "total times total",
            "pairs",
            total_times_total,
            "Pair the total adjoint dL/dz_t with the immediate derivative only: what h_{t-1} owes "
            "to the weight is counted at its own step.",
            "T = 1",
        ),
        Bug(
            "state's gradient never cleared",
            "pairs",
            never_cleared,
            "Clear the gradient of each carried state before the next loss goes back.",
            "T is at most 2, or only the last step has a loss",
            beside=right_by_loss,
        ),
        Bug(
            "divided by T again",
            "size",
            divided_by_steps,
            "Do not divide by T: if the loss is a mean over the steps, dL/do_t holds 1/T already.",
            "T = 1",
        ),
        Bug(
            "divided by B again",
            "size",
            divided_by_batch,
            "Do not divide by B: if the loss is a mean over the batch, dL/do_t holds 1/B already.",
            "B = 1",
        ),
        Bug(
            "clipped inside",
            "size",
            clipped_inside,
            "Clip the finished gradient, not the message between two steps.",
            "every message is below the limit",
        ),
    )
}


# ---- the depot: mistakes without a room -----------------------------------------------------


@dataclass(frozen=True)
class Stored:
    """A mistake of the depot.

    Attributes:
        says: goes on after "a backward pass".
        likely: one sentence, how to repair it.
        broken: the backward pass: ``broken(tape, dO)``.
        exhibit: the name of the exhibit that is the same mistake in another size, or nothing.
    """

    says: str
    likely: str
    broken: BackwardPass
    exhibit: str = ""


def variant(
    *,
    slope: Callable[[Tensor], Tensor] = lambda h: 1 - h**2,
    adjoint: Callable[[Tensor, Tensor, Tensor], Tensor] = lambda slope, own, future: (
        slope * (own + future)
    ),
    paired: Callable[[Tensor, Tensor], Tensor] = lambda dh, dz: dz,
    passed_on: Callable[[Tensor, Tensor], Tensor] = lambda dh, dz: dz,
    inputs: Callable[[Tensor], Tensor] = lambda X: X,
    message: Callable[[Tensor], Tensor] = lambda message: message,
    initial: Callable[[Tensor], Tensor] = lambda message: message,
    first: int = 1,
    behind: int = 0,
) -> BackwardPass:
    """The right backward pass with one part exchanged.

    Args:
        slope: of the state h_t.
        adjoint: dL/dz_t from the slope, what o_t passes to h_t, and what step t + 1 does.
        paired: what meets the inputs and states, from dL/dh_t and dL/dz_t.
        passed_on: what goes back through W_hh, from the same.
        inputs: what stands in the place of x_1, ..., x_T.
        message: what becomes of each message from a step to the one before.
        initial: what becomes of the last message, the gradient of h_0.
        first: the last step that the loop visits.
        behind: how many steps at the end it leaves out.
    """

    def broken(tape: Tape, dO: Tensor) -> Gradients:
        X, H, W_hh, W_qh = unpack(tape, dO)
        partner, future = inputs(X), torch.zeros_like(H[0])
        dW_hx, dW_hh, dW_qh = (torch.zeros_like(W) for W in (tape.rnn.W_hx, W_hh, W_qh))
        for t in range(len(X) - behind, first - 1, -1):
            own = dO[t - 1] @ W_qh
            dh, dz = own + future, adjoint(slope(H[t]), own, future)
            meets = paired(dh, dz)
            dW_hx += meets.T @ partner[t - 1]
            dW_hh += meets.T @ H[t - 1]
            dW_qh += dO[t - 1].T @ H[t]
            future = message(passed_on(dh, dz) @ W_hh)
        return Gradients(dW_hx, dW_hh, dW_qh, initial(future))

    return broken


def _mean_of_batch(rows: Tensor) -> Tensor:
    return rows.mean(0).expand_as(rows)


_SLOPE = "The slope at z_t is 1 - h_t^2, with the state as it is."

DEPOT: tuple[Stored, ...] = (
    Stored(
        "with the slope 1 - tanh(h_t)^2",
        "h_t is tanh(z_t) already: take its square, not that of its tanh.",
        variant(slope=lambda h: 1 - torch.tanh(h) ** 2),
    ),
    Stored("with the slope 1 - h_t", _SLOPE, variant(slope=lambda h: 1 - h)),
    Stored(
        "with h_t (1 - h_t), the slope of the sigmoid",
        _SLOPE,
        variant(slope=lambda h: h * (1 - h)),
    ),
    Stored(
        "with the slope of the ReLU",
        _SLOPE,
        variant(slope=lambda h: (h > 0).to(h.dtype)),
    ),
    Stored(
        "in which only what comes from o_t meets the slope",
        "Add what comes back from step t + 1 first, then multiply the sum by the slope.",
        variant(adjoint=lambda slope, own, future: slope * own + future),
    ),
    Stored(
        "in which only what comes back from step t + 1 meets the slope",
        "Add what comes from o_t first, then multiply the sum by the slope.",
        variant(adjoint=lambda slope, own, future: own + slope * future),
    ),
    Stored(
        "that pairs dL/dh_t with the inputs and the states",
        "Pair dL/dz_t with them: the weights stand inside the tanh.",
        variant(paired=lambda dh, dz: dh),
    ),
    Stored(
        "that sends dL/dh_t through W_hh",
        "Send dL/dz_t: the way from h_t back to h_{t-1} begins with the slope.",
        variant(passed_on=lambda dh, dz: dh),
    ),
    Stored(
        "that pairs dL/dz_t with x_{t-1}",
        "Pair it with x_t, the input of the same step.",
        variant(inputs=lambda X: torch.cat([torch.zeros_like(X[:1]), X[:-1]])),
    ),
    Stored(
        "that pairs dL/dz_t with x_{t-1}, and dL/dz_1 with x_T",
        "Pair it with x_t: an index -1 is the last row, not the one before the first.",
        variant(inputs=lambda X: X.roll(1, 0)),
    ),
    Stored(
        "with the gradient of h_0 averaged over the batch",
        "Keep one row for each sequence: h_0 is not shared.",
        variant(initial=_mean_of_batch),
    ),
    Stored(
        "with each message averaged over the batch",
        "Keep one row for each sequence: only the weights are shared.",
        variant(message=_mean_of_batch),
    ),
    Stored(
        "that never visits step 1",
        "Let the loop end one step earlier in time.",
        variant(first=2),
    ),
    Stored(
        "that never visits the last step",
        "Let the loop begin with step T.",
        variant(behind=1),
    ),
)


def truncated(lengths: Iterable[int]) -> list[Stored]:
    """All ways to cut the history after so many steps but the one with a room."""
    found = []
    for K in lengths:
        if K != 3:  # which is the exhibit
            found.append(
                Stored(
                    f"in blocks of {K} steps",
                    f"{MUSEUM['cut into blocks'].likely} A block has {K} steps here.",
                    lambda tape, dO, K=K: bptt_blocks(tape, dO, K),
                    "cut into blocks",
                )
            )
        found.append(
            Stored(
                f"in which a loss reaches back {K} steps, its own included",
                "It is truncated: carry the adjoint back to step 1, or call the result truncated.",
                lambda tape, dO, K=K: bptt_window(tape, dO, K),
            )
        )
    return found


def clipped(limit: float) -> list[Stored]:
    """Messages clipped to a limit, entry by entry or by the norm of each row or of all rows."""
    likely = MUSEUM["clipped inside"].likely

    def by_norm(rows: Tensor, axes: tuple[int, ...]) -> Tensor:
        norm = torch.linalg.vector_norm(rows, dim=axes, keepdim=True)
        return rows * (limit / norm.clamp(min=limit))

    ways = {
        "entry by entry": lambda rows: rows.clamp(-limit, limit),
        "by the norm of a row": lambda rows: by_norm(rows, (1,)),
        "by the norm of all rows": lambda rows: by_norm(rows, (0, 1)),
    }
    return [
        Stored(
            f"that clips messages {how}",
            f"{likely} The limit is {limit:.4g} {how}.",
            variant(message=clip),
            "clipped inside",
        )
        for how, clip in ways.items()
    ]
