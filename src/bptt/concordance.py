"""The textbook's printed equations, each computed as printed and compared with autograd.

The case hides nothing: n = 3, d = 2, q = 4, T = 5, generic weights, an initial state that is not
zero, a loss at every step, once with the identity and once with tanh. A formula that can be read in
two ways has two readings. Source of the formulas: the section "Backpropagation Through Time" of
*Dive into Deep Learning* in its printing until summer 2020 ("old") and since September 2020
("new"). They are stated here in this book's notation.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd.functional import jacobian

from bptt.loss import squared_error
from bptt.rnn import RNN

TOLERANCE = 1e-12
ACTIVATIONS = ("identity", "tanh")
RIGHT, IDENTITY, WRONG = "right", "right for the identity", "wrong"
T = 5
STEPS = range(1, T + 1)
power = torch.linalg.matrix_power


class Case:
    """A small network with an autograd graph through every state; lists are indexed by the step."""

    def __init__(self, activation: str, q: int = 4, seed: int = 0):
        generator = torch.Generator().manual_seed(seed)

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator, dtype=torch.float64)

        n, d = 3, 2
        self.activation, self.n = activation, n
        self.W_hx, self.W_hh, self.W_qh = (
            normal(*shape).requires_grad_() for shape in ((n, d), (n, n), (q, n))
        )
        self.x, self.y = [None, *normal(T, d)], [None, *normal(T, q)]
        self.g = normal(n)  # any adjoint
        self.H, self.o, self.losses = [normal(n).requires_grad_()], [None], [None]
        for t in STEPS:
            self.H.append(self.step(t, self.H[t - 1], self.W_hx, self.W_hh))
            self.o.append(self.W_qh @ self.H[t])
            self.losses.append(((self.o[t] - self.y[t]) ** 2).sum() / 2)
        self.sum = sum(self.losses[1:])
        self.L = self.sum / T

    def step(self, t: int, h: Tensor, W_hx: Tensor, W_hh: Tensor) -> Tensor:
        z = W_hx @ self.x[t] + W_hh @ h
        return torch.tanh(z) if self.activation == "tanh" else z

    def total(self, output: Tensor, of: Tensor) -> Tensor:
        """The total derivative, ``output.shape + of.shape``, by autograd."""
        rows = [
            torch.autograd.grad(entry, of, retain_graph=True, materialize_grads=True)[0]
            for entry in output.reshape(-1)
        ]
        return torch.stack(rows).reshape(*output.shape, *of.shape)

    @functools.cached_property
    def a(self) -> list[Tensor]:
        """dh_t/dW_hh, total, (n, n, n), for t = 0, ..., T."""
        return [self.total(h, self.W_hh) for h in self.H]

    @functools.cached_property
    def b(self) -> list[Tensor | None]:
        """The immediate derivatives of h_t by W_hh, (n, n, n)."""

        def step(W: Tensor, t: int) -> Tensor:
            return self.step(t, self.H[t - 1], self.W_hx, W)

        return [None, *(jacobian(functools.partial(step, t=t), self.W_hh) for t in STEPS)]

    @functools.cached_property
    def c(self) -> list[Tensor | None]:
        """The step Jacobians, (n, n)."""

        def step(h: Tensor, t: int) -> Tensor:
            return self.step(t, h, self.W_hx, self.W_hh)

        return [None, *(jacobian(functools.partial(step, t=t), self.H[t - 1]) for t in STEPS)]

    def adjoint(self, of: Tensor) -> Tensor:
        """dL/d(of), total."""
        return self.total(self.L, of)

    def dl_do(self, t: int) -> Tensor:
        """The derivative of the loss of step t by its own output, not divided by T."""
        return self.total(self.losses[t], self.o[t])


Pair = tuple[Tensor, Tensor]
Formula = Callable[[Case], Pair]


@dataclass(frozen=True)
class Reading:
    """One way to read a printed formula; ``compute`` returns what it says and what is true."""

    words: str
    compute: Formula
    q: int = 4

    def error(self, activation: str, seed: int = 0) -> float:
        """The relative error of the printed form, in the 2-norm over all its entries."""
        printed, exact = (part.detach() for part in self.compute(Case(activation, self.q, seed)))
        if printed.shape != exact.shape:
            raise ValueError(f"{self.words}: expected {tuple(exact.shape)}, got {printed.shape}")
        return float(torch.linalg.vector_norm(printed - exact) / torch.linalg.vector_norm(exact))

    @functools.cached_property
    def errors(self) -> dict[str, float]:
        return {activation: self.error(activation) for activation in ACTIVATIONS}

    @property
    def verdict(self) -> str:
        if self.errors["identity"] > TOLERANCE:
            return WRONG
        return RIGHT if self.errors["tanh"] <= TOLERANCE else IDENTITY


@dataclass(frozen=True)
class Printed:
    """A printed equation: its numbers in both printings, where it is derived, and its readings."""

    name: str
    old: tuple[str, ...]
    new: tuple[str, ...]
    latex: str
    chapter: str
    equations: tuple[str, ...]
    readings: tuple[Reading, ...]
    note: str = ""


CONCORDANCE: list[Printed] = []


def printed(
    name: str,
    latex: str,
    chapter: str,
    equations: Iterable[str],
    readings: dict[str, Formula | tuple[Formula, int]],
    old: Iterable[str] = (),
    new: Iterable[str] = (),
    note: str = "",
) -> None:
    """Enter one equation. A reading is a formula, or a formula and the number q of outputs."""
    CONCORDANCE.append(
        Printed(
            name,
            tuple(old),
            tuple(new),
            latex,
            chapter,
            tuple(equations),
            tuple(
                Reading(words, *(compute if isinstance(compute, tuple) else (compute,)))
                for words, compute in readings.items()
            ),
            note,
        )
    )


def together(parts: Iterable[tuple[Tensor, Tensor]]) -> Pair:
    """Several pairs as one."""
    left, right = zip(*parts, strict=True)
    return tuple(torch.cat([part.reshape(-1) for part in side]) for side in (left, right))


def times(matrix: Tensor, array: Tensor) -> Tensor:
    return torch.tensordot(matrix, array, 1)


def product(factors: Iterable[Tensor], n: int) -> Tensor:
    """The product in the order given, the first factor on the left."""
    return functools.reduce(torch.matmul, factors, torch.eye(n, dtype=torch.float64))


# The general model


def run(case: Case) -> Pair:
    """f and g, with one weight for both inputs of f, against the library."""
    w_h, h, rows = torch.cat([case.W_hx, case.W_hh], 1), case.H[0], []
    for t in STEPS:
        z = w_h @ torch.cat([case.x[t], h])
        h = torch.tanh(z) if case.activation == "tanh" else z
        rows.append(torch.cat([h, case.W_qh @ h]))
    tape = tape_of(case)
    return torch.stack(rows), torch.cat([tape.H[1:, 0], tape.O[:, 0]], 1)


def tape_of(case: Case):
    weights = (W.detach() for W in (case.W_hx, case.W_hh, case.W_qh))
    rnn = RNN(*weights, activation=case.activation)
    return rnn(torch.stack(case.x[1:])[:, None], case.H[0].detach()[None])


def library_loss(case: Case, reduction: str) -> Tensor:
    return squared_error(tape_of(case).O, torch.stack(case.y[1:])[:, None], reduction)[0]


def by_losses(case: Case, output_weight: Tensor) -> Pair:
    uses = [times(case.dl_do(t) @ output_weight, case.a[t]) for t in STEPS]
    return sum(uses) / T, case.adjoint(case.W_hh)


def recursion(case: Case, first: list[Tensor]) -> Pair:
    return together((first[t] + times(case.c[t], case.a[t - 1]), case.a[t]) for t in STEPS)


def closed(case: Case, later_left: bool) -> Pair:
    def form(t: int) -> Tensor:
        total = case.b[t]
        for i in range(1, t):
            factors = [case.c[j] for j in range(i + 1, t + 1)]
            total = total + times(
                product(factors[::-1] if later_left else factors, case.n), case.b[i]
            )
        return total

    return together((form(t), case.a[t]) for t in STEPS)


def closed_in_numbers(case: Case) -> Pair:
    """The lemma for sequences of numbers: one entry of each step Jacobian."""
    b, c = [0.0], [0.0]
    for t in STEPS:
        b.append(case.b[t][0, 0, 0])
        c.append(case.c[t][0, 0])
    a, pairs = torch.zeros((), dtype=torch.float64), []
    for t in STEPS:
        a = b[t] + c[t] * a
        terms = [
            torch.stack([torch.ones_like(a), *c[i + 1 : t + 1]]).prod() * b[i] for i in range(1, t)
        ]
        pairs.append((b[t] + sum(terms), a))
    return together(pairs)


printed(
    "the model",
    r"h_t = f(x_t, h_{t-1}, w_h), \quad o_t = g(h_t, w_o)",
    "chapter-an-rnn-unrolled",
    ["eq-unrolled-step"],
    {"": run},
    old=["8.7.1"],
    new=["8.7.1"],
)
printed(
    "the loss, a sum",
    r"L = \sum_{t=1}^{T} \ell(o_t, y_t)",
    "chapter-why-one-over-t",
    ["eq-mean-two-losses"],
    {"": lambda case: (case.sum, library_loss(case, "sum"))},
    old=["8.7.2", "8.7.12"],
)
printed(
    "the loss, a mean",
    r"L = \frac{1}{T} \sum_{t=1}^{T} \ell(o_t, y_t)",
    "chapter-why-one-over-t",
    ["eq-mean-two-losses"],
    {"": lambda case: (case.L, library_loss(case, "mean"))},
    new=["8.7.2", "8.7.10"],
)
printed(
    "the gradient, by losses",
    r"\frac{\mathrm{d}L}{\mathrm{d}w_h} = \sum_{t=1}^{T} \frac{\partial L}{\partial o_t}\,"
    r" \frac{\partial g(h_t, w_o)}{\partial h_t}\, \frac{\mathrm{d}h_t}{\mathrm{d}w_h}",
    "chapter-total-and-immediate",
    ["eq-total-loss"],
    {
        "with $g(h_t, w_h)$, in print until February 2021": (
            lambda case: by_losses(case, case.W_hh),
            3,
        ),
        "with $g(h_t, w_o)$, as today": lambda case: by_losses(case, case.W_qh),
    },
    old=["8.7.3"],
    new=["8.7.3"],
    note="The factor $1/T$ of the new printing is inside $\\partial L/\\partial o_t$. The first "
    "reading is computed with $q = n$; otherwise the shapes do not fit.",
)
printed(
    "the recursion",
    r"\frac{\mathrm{d}h_t}{\mathrm{d}w_h} = \frac{\partial f}{\partial w_h} +"
    r" \frac{\partial f}{\partial h_{t-1}}\, \frac{\mathrm{d}h_{t-1}}{\mathrm{d}w_h}",
    "chapter-total-and-immediate",
    ["eq-total-recursion"],
    {
        "the first term on the right immediate": lambda case: recursion(case, case.b),
        "one meaning for every ∂, the total one": lambda case: recursion(case, case.a),
    },
    old=["8.7.8"],
    new=["8.7.4"],
    note="The textbook prints one curly ∂ for both.",
)
printed(
    "the lemma",
    r"a_t = b_t + \sum_{i=1}^{t-1} \Big( \prod_{j=i+1}^{t} c_j \Big)\, b_i",
    "chapter-total-and-immediate",
    ["eq-total-lemma-closed", "eq-total-order"],
    {
        "numbers": closed_in_numbers,
        "matrices, later factors to the left": lambda case: closed(case, later_left=True),
        "matrices, factors from left to right as $j$ grows": lambda case: closed(
            case, later_left=False
        ),
    },
    old=["8.7.4"],
    new=["8.7.5"],
    note="The textbook says that it does not tell numbers from matrices here, or that it leaves "
    "such details out.",
)
printed(
    "the letters of the lemma",
    r"a_t = \frac{\mathrm{d}h_t}{\mathrm{d}w_h}, \quad b_t = \frac{\partial f}{\partial w_h}, \quad"
    r" c_t = \frac{\partial f}{\partial h_{t-1}}",
    "chapter-total-and-immediate",
    ["eq-total-lemma"],
    {"$a_t$ total, $b_t$ and $c_t$ immediate": lambda case: recursion(case, case.b)},
    old=["8.7.5", "8.7.6", "8.7.7"],
    new=["8.7.6"],
)
printed(
    "the closed form",
    r"\frac{\mathrm{d}h_t}{\mathrm{d}w_h} = \frac{\partial f_t}{\partial w_h} + \sum_{i=1}^{t-1}"
    r" \Big( \prod_{j=i+1}^{t} \frac{\partial f_j}{\partial h_{j-1}} \Big)\,"
    r" \frac{\partial f_i}{\partial w_h}",
    "chapter-total-and-immediate",
    ["eq-total-closed"],
    {
        "later factors to the left": lambda case: closed(case, later_left=True),
        "factors from left to right as $j$ grows": lambda case: closed(case, later_left=False),
    },
    old=["8.7.9"],
    new=["8.7.7"],
    note=r"$f_j$ is short for $f(x_j, h_{j-1}, w_h)$.",
)

# Randomized truncation: all coins are thrown in all ways, so the mean is exact

KEEP = 0.5


def mean_estimate(case: Case, exact_before: bool) -> Pair:
    """The mean of z_t over every outcome of the coins of steps 1 to t."""

    def mean(t: int) -> Tensor:
        total = torch.zeros_like(case.b[t])
        for coins in itertools.product((0, 1), repeat=t):
            z = torch.zeros_like(case.b[t])
            for i, coin in enumerate(coins, start=1):
                before = case.a[i - 1] if exact_before else z
                z = case.b[i] + coin / KEEP * times(case.c[i], before)
            kept = sum(coins)
            total = total + KEEP**kept * (1 - KEEP) ** (t - kept) * z
        return total

    return together((mean(t), case.a[t]) for t in STEPS)


def steps_seen(t: int, exact_before: bool) -> float:
    """How many uses of the weight the estimate of step t contains, on average over the coins."""
    seen = 1.0
    for i in range(2, t + 1):
        seen = 1 + KEEP * ((i - 1) if exact_before else seen)
    return seen


printed(
    "the randomized estimate",
    r"z_t = \frac{\partial f}{\partial w_h} + \xi_t\, \frac{\partial f}{\partial h_{t-1}}\,"
    r" \frac{\mathrm{d}h_{t-1}}{\mathrm{d}w_h}, \quad \mathbb{E}[z_t] ="
    r" \frac{\mathrm{d}h_t}{\mathrm{d}w_h}",
    "chapter-randomized-truncation",
    ["eq-random-printed", "eq-random-estimate"],
    {
        "its mean": lambda case: mean_estimate(case, exact_before=True),
        "the mean with $z_{t-1}$ in the place of the exact derivative": lambda case: mean_estimate(
            case, exact_before=False
        ),
    },
    old=["8.7.10"],
    new=["8.7.8"],
    note=f"The mean is right, but a kept coin asks for the exact derivative, and that is the whole "
    f"history. For a keep probability of {KEEP:g} the printed line contains "
    f"{steps_seen(20, True):.1f} uses of the weight on average at $t = 20$; with $z_{{t-1}}$ it is "
    f"{steps_seen(20, False):.1f}.",
)

# The linear network


def linear_run(case: Case) -> Pair:
    h, rows = case.H[0], []
    for t in STEPS:
        h = case.W_hx @ case.x[t] + case.W_hh @ h
        rows.append(torch.cat([h, case.W_qh @ h]))
    tape = tape_of(case)
    return torch.stack(rows), torch.cat([tape.H[1:, 0], tape.O[:, 0]], 1)


def output_weight(case: Case, loss: Tensor, divisor: int) -> Pair:
    uses = [torch.outer(case.dl_do(t), case.H[t]) for t in STEPS]
    return sum(uses) / divisor, case.total(loss, case.W_qh)


def hidden_weights_by_losses(case: Case) -> Pair:
    def by_uses(W: Tensor) -> Pair:
        uses = [times(case.dl_do(t) @ case.W_qh, case.total(case.H[t], W)) for t in STEPS]
        return sum(uses), case.total(case.sum, W)

    return together(by_uses(W) for W in (case.W_hh, case.W_hx))


def state_by_state(case: Case, rows_of_the_variable: bool) -> Pair:
    def exact(t: int) -> Tensor:
        J = case.total(case.H[T], case.H[t])
        return J.T if rows_of_the_variable else J

    return together((power(case.W_hh.T, T - t), exact(t)) for t in range(1, T))


def state_by_weight(case: Case, weight: str, met: Callable[[int], Tensor]) -> Pair:
    """The printed one-line sum, with an adjoint g put in its place between power and vector."""

    def form(t: int) -> Tensor:
        uses = range(1, t + 1)
        return sum(torch.outer(power(case.W_hh.T, t - j) @ case.g, met(j)) for j in uses)

    W = getattr(case, weight)
    return together((form(t), case.total(case.g @ case.H[t], W)) for t in STEPS)


def transposes_among_three_indices(case: Case) -> Pair:
    def form(t: int) -> Tensor:
        uses = range(1, t + 1)
        return sum(power(case.W_hh.T, t - j)[:, :, None] * case.H[j - 1] for j in uses)

    return together((form(t), case.a[t]) for t in STEPS)


def adjoint_recursion(case: Case) -> Pair:
    def right(t: int) -> Tensor:
        later = case.W_hh.T @ case.adjoint(case.H[t + 1])
        return later + case.W_qh.T @ case.adjoint(case.o[t])

    return together((right(t), case.adjoint(case.H[t])) for t in range(1, T))


def adjoint_expanded(case: Case) -> Pair:
    def right(t: int) -> Tensor:
        return sum(
            power(case.W_hh.T, T - i) @ case.W_qh.T @ case.adjoint(case.o[T + t - i])
            for i in range(t, T + 1)
        )

    return together((right(t), case.adjoint(case.H[t])) for t in STEPS)


def hidden_gradients(case: Case) -> Pair:
    dW_hx = sum(torch.outer(case.adjoint(case.H[t]), case.x[t]) for t in STEPS)
    dW_hh = sum(torch.outer(case.adjoint(case.H[t]), case.H[t - 1]) for t in STEPS)
    return together([(dW_hx, case.adjoint(case.W_hx)), (dW_hh, case.adjoint(case.W_hh))])


def total_times_total(case: Case) -> Pair:
    uses = [times(case.adjoint(case.H[t]), case.a[t]) for t in STEPS]
    return sum(uses), case.adjoint(case.W_hh)


printed(
    "the linear network",
    r"h_t = W_{hx}\, x_t + W_{hh}\, h_{t-1}, \quad o_t = W_{qh}\, h_t",
    "chapter-bptt-for-the-linear-network",
    ["eq-linear-model", "eq-tanh-step"],
    {"": linear_run},
    old=["8.7.11"],
    new=["8.7.9"],
    note="The new printing says that the activation is the identity and that there is no bias; "
    "the old one calls the model simple and linear and mentions neither. For tanh the number is "
    "the error of its states and outputs.",
)
printed(
    "the adjoint of the output",
    r"\frac{\mathrm{d}L}{\mathrm{d}o_t} = \frac{1}{T}\, \frac{\partial \ell_t}{\partial o_t}",
    "chapter-why-one-over-t",
    ["eq-mean-adjoint"],
    {"": lambda case: together((case.dl_do(t) / T, case.adjoint(case.o[t])) for t in STEPS)},
    new=["8.7.11"],
)
printed(
    "the gradient of the output weight",
    r"\frac{\mathrm{d}L}{\mathrm{d}W_{qh}} = \sum_{t=1}^{T} \frac{\mathrm{d}L}{\mathrm{d}o_t}\,"
    r" h_t^\top",
    "chapter-bptt-for-the-linear-network",
    ["eq-linear-other-gradients"],
    {
        "old: the summed loss": lambda case: output_weight(case, case.sum, 1),
        "new: the mean loss": lambda case: output_weight(case, case.L, T),
    },
    old=["8.7.13"],
    new=["8.7.12"],
)
printed(
    "the gradients of the hidden weights, by losses",
    r"\frac{\mathrm{d}L}{\mathrm{d}W} = \sum_{t=1}^{T} \Big( W_{qh}^\top\,"
    r" \frac{\partial \ell_t}{\partial o_t} \Big)^{\!\top} \frac{\mathrm{d}h_t}{\mathrm{d}W},"
    r" \quad W = W_{hh}, W_{hx}",
    "chapter-bptt-for-the-linear-network",
    ["eq-linear-two-right"],
    {"the derivative of $h_t$ total": hidden_weights_by_losses},
    old=["8.7.14"],
)
printed(
    "the derivative of a state by a state",
    r"\frac{\mathrm{d}h_T}{\mathrm{d}h_t} = (W_{hh}^\top)^{T-t}",
    "chapter-bptt-for-the-linear-network",
    ["eq-linear-jacobian", "eq-tanh-product"],
    {
        "rows belong to $h_t$": lambda case: state_by_state(case, True),
        "rows belong to $h_T$, as in this book": lambda case: state_by_state(case, False),
    },
    old=["8.7.15"],
    note="Both layouts are in use; the first is what the transpose asks for.",
)
printed(
    "the derivative of a state by the weights",
    r"\frac{\mathrm{d}h_t}{\mathrm{d}W_{hh}} = \sum_{j=1}^{t} (W_{hh}^\top)^{t-j}\, h_{j-1}, \quad"
    r" \frac{\mathrm{d}h_t}{\mathrm{d}W_{hx}} = \sum_{j=1}^{t} (W_{hh}^\top)^{t-j}\, x_j",
    "chapter-bptt-for-the-linear-network",
    ["eq-linear-with-adjoint", "eq-linear-weight", "eq-tanh-weight"],
    {
        "$W_{hh}$ with $h_j$, in print until August 2020": lambda case: state_by_weight(
            case, "W_hh", lambda j: case.H[j]
        ),
        "$W_{hh}$ with $h_{j-1}$, as corrected": lambda case: state_by_weight(
            case, "W_hh", lambda j: case.H[j - 1]
        ),
        "$W_{hx}$ with $x_j$": lambda case: state_by_weight(case, "W_hx", lambda j: case.x[j]),
        "the transposes kept among three indices": transposes_among_three_indices,
    },
    old=["8.7.16"],
    note="The line is shorthand: its two sides have different shapes. The first three readings put "
    "an adjoint between the power and the vector.",
)
printed(
    "the last adjoint",
    r"\frac{\mathrm{d}L}{\mathrm{d}h_T} = W_{qh}^\top\, \frac{\mathrm{d}L}{\mathrm{d}o_T}",
    "chapter-bptt-for-the-linear-network",
    ["eq-linear-recursion"],
    {
        "": lambda case: (
            case.W_qh.T @ case.adjoint(case.o[T]),
            case.adjoint(case.H[T]),
        )
    },
    new=["8.7.13"],
)
printed(
    "the recursion of the adjoint",
    r"\frac{\mathrm{d}L}{\mathrm{d}h_t} = W_{hh}^\top\, \frac{\mathrm{d}L}{\mathrm{d}h_{t+1}} +"
    r" W_{qh}^\top\, \frac{\mathrm{d}L}{\mathrm{d}o_t}",
    "chapter-bptt-for-the-linear-network",
    ["eq-linear-recursion", "eq-tanh-adjoint-state"],
    {"": adjoint_recursion},
    new=["8.7.14"],
)
printed(
    "the adjoint, expanded",
    r"\frac{\mathrm{d}L}{\mathrm{d}h_t} = \sum_{i=t}^{T} (W_{hh}^\top)^{T-i}\, W_{qh}^\top\,"
    r" \frac{\mathrm{d}L}{\mathrm{d}o_{T+t-i}}",
    "chapter-bptt-for-the-linear-network",
    ["eq-linear-expanded", "eq-tanh-adjoint-expanded"],
    {"": adjoint_expanded},
    new=["8.7.15"],
)
printed(
    "the gradients of the hidden weights, by uses",
    r"\frac{\mathrm{d}L}{\mathrm{d}W_{hx}} = \sum_{t=1}^{T} \frac{\mathrm{d}L}{\mathrm{d}h_t}\,"
    r" x_t^\top, \quad \frac{\mathrm{d}L}{\mathrm{d}W_{hh}} = \sum_{t=1}^{T}"
    r" \frac{\mathrm{d}L}{\mathrm{d}h_t}\, h_{t-1}^\top",
    "chapter-bptt-for-the-linear-network",
    ["eq-linear-gradients", "eq-tanh-grad-hh", "eq-tanh-grad-hx"],
    {
        "the derivative of $h_t$ immediate": hidden_gradients,
        "the derivative of $h_t$ total as well": total_times_total,
    },
    new=["8.7.16"],
    note="The printed right side, with $x_t^\\top$ and $h_{t-1}^\\top$, is the first reading.",
)
