"""The remedies of chapter 9, each on one network: what ``benchmarks/remedies.py`` trains.

The tanh network is trained with the gradients of this library. Leaky, gated and normalised units
use autograd; the chapter derives their backward passes and compares them with it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Generator, Tensor

from bptt.arguments import require_count, require_option
from bptt.backward import bptt
from bptt.loss import cross_entropy, squared_error
from bptt.rnn import RNN, Tape, augment
from bptt.tasks import adding_problem, temporal_order

STORED = Path(__file__).with_name("remedies.json")  # written by benchmarks/remedies.py

STEPS, UNITS, BATCH, UPDATES = 40, 32, 32, 1000
CHECKS = 10  # how often a run is measured on the test sequences
THRESHOLD = 1.0  # of clipping by norm
THRESHOLD_VALUE = 0.1  # of clipping by value: entries are smaller than the norm
THRESHOLD_INSIDE = 0.01  # of clipping inside the backward pass: one message of one sequence
WINDOW = 10  # the last steps that truncation keeps
LEAK = 0.1


@dataclass(frozen=True)
class Remedy:
    """How one network is made and trained.

    Attributes:
        unit: ``"tanh"``, ``"leaky"``, ``"layer norm"``, ``"LSTM"`` or ``"GRU"``.
        start: of W_hh in the first three: ``"random"`` (Gaussian, spectral radius about 1),
            ``"orthogonal"`` or ``"identity"``.
        clip: ``"none"``, ``"norm"``, ``"value"``, or ``"inside"`` the backward pass (tanh alone).
        optimizer: ``"momentum"`` (gradient descent, 0.9, rate 0.03) or ``"Adam"`` (rate 0.003).
        window: with tanh, the number of last steps that the gradient sees; ``None`` for all.
        regulariser: with tanh, the weight of :func:`regulariser_gradient`.
    """

    unit: str = "tanh"
    start: str = "random"
    clip: str = "norm"
    optimizer: str = "Adam"
    window: int | None = None
    regulariser: float = 0.0


REMEDIES = {
    "momentum, no clipping": Remedy(clip="none", optimizer="momentum"),
    "momentum, clipped by norm": Remedy(optimizer="momentum"),
    "momentum, clipped by value": Remedy(clip="value", optimizer="momentum"),
    "momentum, clipped inside": Remedy(clip="inside", optimizer="momentum"),
    "Adam, no clipping": Remedy(clip="none"),
    "Adam, clipped by norm": Remedy(),
    "+ orthogonal start": Remedy(start="orthogonal"),
    "+ identity start": Remedy(start="identity"),
    "+ Jacobian regulariser": Remedy(regulariser=1.0),
    "+ layer norm": Remedy(unit="layer norm"),
    "+ truncation": Remedy(window=WINDOW),
    "+ leaky units": Remedy(unit="leaky"),
    "+ LSTM": Remedy(unit="LSTM"),
    "+ GRU": Remedy(unit="GRU"),
}


@dataclass(frozen=True)
class Task:
    """A task and how it is judged: sizes of input and output, batches, loss and test error."""

    d: int
    q: int
    batch: Callable[[int, int, Generator], tuple[Tensor, Tensor]]
    loss: Callable[[Tensor, Tensor], Tensor]
    error: Callable[[Tensor, Tensor], Tensor]


TASKS = {
    "adding": Task(
        2,
        1,
        adding_problem,
        lambda O, Y: ((O - Y) ** 2).sum(-1).mean() / 2,
        lambda O, Y: ((O - Y) ** 2).mean(),
    ),
    "order": Task(
        6,
        4,
        temporal_order,
        torch.nn.functional.cross_entropy,
        lambda O, Y: (O.argmax(-1) != Y).double().mean(),
    ),
}


def last_step_adjoint(O: Tensor, Y: Tensor) -> Tensor:
    """dL/dO, ``(T, B, q)``, of a loss at the last step alone, the mean over the batch.

    Args:
        O: outputs, ``(T, B, q)``.
        Y: targets of the last step, ``(B, q)`` for the squared error or ``(B,)`` classes.
    """
    loss = squared_error if Y.is_floating_point() else cross_entropy
    dO = torch.zeros_like(O)
    dO[-1:] = loss(O[-1:], Y[None])[1]
    return dO


@torch.no_grad()
def adjoints(tape: Tape, dO: Tensor, threshold: float = math.inf) -> Tensor:
    """dL/dz_t of all steps, ``(T, B, n)``; with a threshold, messages are clipped on the way.

    Args:
        tape: the forward pass of a tanh network.
        dO: the direct adjoint, ``(T, B, q)``.
        threshold: the norm that a message from z_{t+1} to h_t may have, one sequence at a time.

    Source: equations eq-tanh-adjoint-state, eq-tanh-adjoint-z and eq-remedy-inside.
    """
    rnn = tape.rnn
    direct = dO @ (rnn.W_qh[:, 1:] if rnn.has_output_bias else rnn.W_qh)
    slope = rnn.slope(tape.H[1:])
    dZ, message = torch.empty_like(slope), torch.zeros_like(slope[0])
    for t in reversed(range(len(slope))):
        dZ[t] = slope[t] * (direct[t] + message)
        message = dZ[t] @ rnn.W_hh
        if threshold < math.inf:
            norm = torch.linalg.vector_norm(message, dim=1, keepdim=True)
            message = message * (threshold / norm.clamp(min=threshold))
    return dZ


@torch.no_grad()
def regulariser_gradient(tape: Tape, dZ: Tensor) -> Tensor:
    """The derivative by W_hh of the penalty on messages that grow or shrink, ``(n, n)``.

    Args:
        tape: the forward pass of a tanh network.
        dZ: dL/dz_t of all steps, ``(T, B, n)``.

    Returns:
        the mean over the T - 1 links and the batch. A message of norm 0 adds nothing.

    Source: equations eq-remedy-regulariser and eq-remedy-regulariser-gradient.
    """
    a = dZ[1:]  # row t-1 is dL/dz_{t+1}
    slope = tape.rnn.slope(tape.H[1:-1])  # of step t
    m = slope * (a @ tape.rnn.W_hh)
    size = torch.linalg.vector_norm(a, dim=2, keepdim=True)
    passed = torch.linalg.vector_norm(m, dim=2, keepdim=True)
    weight = 2 * (passed / size - 1) / (size * passed)
    left = torch.where((size > 0) & (passed > 0), weight * a, torch.zeros_like(a))
    return left.flatten(0, 1).T @ (slope * m).flatten(0, 1) / max(len(a) * a.shape[1], 1)


class _TanhNetwork:
    """The library's own network; the gradient is :func:`bptt`, changed as the remedy says."""

    def __init__(self, task: Task, remedy: Remedy, generator: Generator):
        self.remedy = remedy
        self.parameters = _tanh_weights(task, remedy.start, generator)

    def outputs(self, X: Tensor) -> Tensor:
        return RNN(*self.parameters)(augment(X)).O[-1]

    def gradients(self, X: Tensor, Y: Tensor) -> list[Tensor]:
        remedy, tape = self.remedy, RNN(*self.parameters)(augment(X))
        dO = last_step_adjoint(tape.O, Y)
        if remedy.window is not None:  # the loss stands at the last step: keep the last ones
            k = min(remedy.window, len(dO))
            tape, dO = Tape(tape.rnn, tape.X[-k:], tape.H[-k - 1 :], tape.O[-k:]), dO[-k:]
        found = bptt(tape, dO)
        if remedy.clip == "inside":
            dZ = adjoints(tape, dO, THRESHOLD_INSIDE)
            into = [tape.X, tape.H[:-1]]
            dW_hx, dW_hh = (dZ.flatten(0, 1).T @ source.flatten(0, 1) for source in into)
            return [dW_hx, dW_hh, found.W_qh]
        dW_hh = found.W_hh
        if remedy.regulariser:
            penalty = regulariser_gradient(tape, adjoints(tape, dO))
            dW_hh = dW_hh + remedy.regulariser * penalty
        return [found.W_hx, dW_hh, found.W_qh]


class _AutogradNetwork:
    """Leaky, normalised and gated units."""

    def __init__(self, task: Task, remedy: Remedy, generator: Generator):
        self.unit, self.task = remedy.unit, task
        if remedy.unit in ("leaky", "layer norm"):
            self.parameters = _tanh_weights(task, remedy.start, generator)
            if remedy.unit == "layer norm":
                self.parameters.append(torch.ones(UNITS, dtype=torch.float64))  # the gain
        else:
            kind = torch.nn.LSTM if remedy.unit == "LSTM" else torch.nn.GRU
            self.cell = kind(task.d, UNITS, dtype=torch.float64)
            self.linear = torch.nn.Linear(UNITS, task.q, dtype=torch.float64)
            self.parameters = [*self.cell.parameters(), *self.linear.parameters()]
            with torch.no_grad():
                for p in self.parameters:
                    p.copy_(2 * torch.rand(p.shape, generator=generator, dtype=p.dtype) - 1)
                    p.div_(UNITS**0.5)
                if remedy.unit == "LSTM":  # the forget gates begin open
                    self.cell.bias_ih_l0[UNITS : 2 * UNITS] = 1.0
        for p in self.parameters:
            p.requires_grad_()

    def outputs(self, X: Tensor) -> Tensor:
        if self.unit in ("LSTM", "GRU"):
            return self.linear(self.cell(X)[0][-1])
        W_hx, W_hh, W_qh, *gain = self.parameters
        h = X.new_zeros(X.shape[1], UNITS)
        for from_input in augment(X) @ W_hx.T:
            z = from_input + h @ W_hh.T
            if self.unit == "leaky":
                h = (1 - LEAK) * h + LEAK * torch.tanh(z)
            else:
                h = torch.tanh(torch.nn.functional.layer_norm(z, (UNITS,), gain[0]))
        return h @ W_qh[:, 1:].T + W_qh[:, 0]

    def gradients(self, X: Tensor, Y: Tensor) -> list[Tensor]:
        loss = self.task.loss(self.outputs(X), Y)
        return list(torch.autograd.grad(loss, self.parameters))


def _tanh_weights(task: Task, start: str, generator: Generator) -> list[Tensor]:
    """W_hx with a bias, W_hh and W_qh with a bias; biases begin at zero."""

    def normal(rows: int, columns: int) -> Tensor:
        W = torch.randn(rows, columns, generator=generator, dtype=torch.float64)
        return W / columns**0.5

    W_hh, W_hx, W_qh = normal(UNITS, UNITS), normal(UNITS, task.d), normal(task.q, UNITS)
    if start == "orthogonal":
        W_hh = torch.linalg.qr(W_hh)[0]
    elif start == "identity":
        W_hh = torch.eye(UNITS, dtype=torch.float64)
    no_bias = torch.nn.functional.pad  # a column of zeros on the left
    return [no_bias(W_hx, (1, 0)), W_hh, no_bias(W_qh, (1, 0))]


def _clip(gradients: list[Tensor], how: str, norm: float) -> list[Tensor]:
    if how == "norm" and norm > THRESHOLD:
        return [g * (THRESHOLD / norm) for g in gradients]
    if how == "value":
        return [g.clamp(-THRESHOLD_VALUE, THRESHOLD_VALUE) for g in gradients]
    return gradients


def train(remedy: str, task: str, seed: int, updates: int = UPDATES) -> dict[str, list]:
    """Train one network.

    Args:
        remedy: one of :data:`REMEDIES`.
        task: one of :data:`TASKS`.
        seed: of the weights and the training sequences; the test sequences are always the same.
        updates: how many.

    Returns:
        ``"errors"``: at :data:`CHECKS` times, equally spaced, the error on 500 test sequences:
        mean squared error for ``"adding"``, share of wrong classes for ``"order"``; ``None`` once
        a number is no longer finite. ``"norms"``: the median and the largest norm of the gradient
        before it is clipped as a whole.

    Raises:
        TypeError: ``updates`` is not a whole number.
        ValueError: an unknown remedy or task, or ``updates`` is not a multiple of CHECKS.
    """
    require_option("remedy", remedy, tuple(REMEDIES))
    require_option("task", task, tuple(TASKS))
    if require_count("updates", updates) % CHECKS:
        raise ValueError(f"updates: expected a multiple of {CHECKS}, got {updates}")
    how, what = REMEDIES[remedy], TASKS[task]
    generator = torch.Generator().manual_seed(seed)
    X_test, Y_test = what.batch(STEPS, 500, torch.Generator().manual_seed(999))
    kind = _TanhNetwork if how.unit == "tanh" else _AutogradNetwork
    network = kind(what, how, generator)
    optimizer = (
        torch.optim.SGD(network.parameters, lr=0.03, momentum=0.9)
        if how.optimizer == "momentum"
        else torch.optim.Adam(network.parameters, lr=0.003)
    )
    errors, norms = [], []
    for update in range(1, updates + 1):
        gradients = network.gradients(*what.batch(STEPS, BATCH, generator))
        norms.append(math.sqrt(sum(float((g**2).sum()) for g in gradients)))
        if not math.isfinite(norms[-1]):
            break
        for p, g in zip(network.parameters, _clip(gradients, how.clip, norms[-1]), strict=True):
            p.grad = g
        optimizer.step()
        if update % (updates // CHECKS) == 0:
            with torch.no_grad():
                errors.append(round(float(what.error(network.outputs(X_test), Y_test)), 4))
    found = torch.tensor(norms)
    return {
        "errors": errors + [None] * (CHECKS - len(errors)),
        "norms": [float(f"{value:.3g}") for value in (found.median(), found.max())],
    }


def stored_runs() -> dict:
    """What ``benchmarks/remedies.py`` found: its configuration, and for each task and remedy one
    result of :func:`train` a seed."""
    return json.loads(STORED.read_text("utf-8"))
