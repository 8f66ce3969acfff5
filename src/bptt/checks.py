"""Ways to check a backward pass: one good design, and famous ones that each change one thing in it.

A check is a case, what it compares, and a tolerance. Tried on the mistakes of
:data:`bptt.museum.MUSEUM`, each famous check misses some; which ones is computed, not told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from bptt.backward import Gradients, bptt
from bptt.loss import squared_error
from bptt.museum import BackwardPass
from bptt.rnn import RNN, Tape
from bptt.verify import relative_error

QUANTITIES = ("W_qh", "h0", "W_hh", "W_hx")
INPUTS, UNITS, OUTPUTS = 2, 4, 5


def largest_difference(actual: Tensor, expected: Tensor) -> float:
    """The absolute judge: the largest difference of two numbers, whatever their size."""
    return float((actual - expected).abs().max())


@dataclass(frozen=True)
class Check:
    """A comparison of gradients on a random network; the defaults are the good design.

    Attributes:
        name: the key of :data:`CHECKS`.
        T, B: how many steps and sequences.
        with_h0: whether there is an initial state, and its gradient is compared; else it is zero.
        symmetric: whether W_hh is made symmetric.
        size: a factor of W_hx and W_hh.
        last: whether the last step alone has a loss.
        loss: a factor of the loss.
        tolerance: for the relative error of each gradient, or else for
        absolute: the largest difference of two numbers.
    """

    name: str
    T: int = 7
    B: int = 3
    with_h0: bool = True
    symmetric: bool = False
    size: float = 1.0
    last: bool = False
    loss: float = 1.0
    tolerance: float = 1e-3
    absolute: bool = False

    def network(self, seed: int, one_hot: bool = False) -> tuple[RNN, Tensor, Tensor, Tensor]:
        """The network with inputs ``X`` (T, B, d), targets ``Y`` (T, B, q) and ``h0`` (B, n).

        ``one_hot`` makes x_t the unit vector e_t. Then d = T, and column t of dL/dW_hx is the sum
        over the batch of dL/dz_t.
        """
        generator = torch.Generator().manual_seed(seed)

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator, dtype=torch.float64)

        T, B, n = self.T, self.B, UNITS
        d = T if one_hot else INPUTS
        W_hx, W_hh, W_qh = normal(n, d), normal(n, n) / n**0.5, normal(OUTPUTS, n)
        X, Y, h0 = normal(T, B, d), normal(T, B, OUTPUTS), normal(B, n)
        if self.symmetric:
            W_hh = (W_hh + W_hh.T) / 2
        if one_hot:
            X = torch.eye(T, dtype=X.dtype)[:, None].repeat(1, B, 1)
        rnn = RNN(self.size * W_hx, self.size * W_hh, W_qh)
        return rnn, X, Y, h0 if self.with_h0 else torch.zeros_like(h0)

    def case(self, seed: int) -> tuple[Tape, Tensor]:
        """The forward pass ``tape`` and the adjoint ``dO`` of the loss, ``(T, B, q)``."""
        rnn, X, Y, h0 = self.network(seed)
        tape = rnn(X, h0)
        dO = self.loss * squared_error(tape.O, Y)[1]
        if self.last:
            dO[:-1] = 0
        return tape, dO

    @property
    def compared(self) -> tuple[str, ...]:
        """The gradients that this check compares, the nearest to the loss first."""
        return tuple(name for name in QUANTITIES if name != "h0" or self.with_h0)

    @property
    def measure(self) -> Callable[[Tensor, Tensor], float]:
        """The judge: what must not exceed the tolerance."""
        return largest_difference if self.absolute else relative_error

    @cache  # noqa: B019 (a check is small, and there are few)
    def right(self, seed: int) -> tuple[Tape, Tensor, Gradients]:
        """The case and its right gradient: once for all backward passes that are tried on it."""
        tape, dO = self.case(seed)
        return tape, dO, bptt(tape, dO)

    @cache  # noqa: B019
    def pairs(self, backward: BackwardPass, seed: int) -> dict[str, tuple[Tensor, Tensor]]:
        """Of each quantity, what ``backward`` says and what is right."""
        tape, dO, expected = self.right(seed)
        actual = backward(tape, dO)
        return {name: (getattr(actual, name), getattr(expected, name)) for name in QUANTITIES}

    def catches(self, backward: BackwardPass, seed: int) -> bool:
        """Whether a wrong gradient is noticed in the network with this seed."""
        return bool(self.wrong(self.pairs(backward, seed)))

    def wrong(self, pairs: dict[str, tuple[Tensor, Tensor]]) -> list[str]:
        """Which of the compared gradients are outside the tolerance, the nearest to the loss first.

        Not-a-number is outside.
        """
        judged = ((name, self.measure(*pairs[name])) for name in self.compared)
        return [name for name, error in judged if not error <= self.tolerance]


@dataclass(frozen=True)
class Training:
    """The check that compares nothing: descend along the gradient and see whether the loss falls.

    Attributes:
        name: the key of :data:`CHECKS`.
        steps: how many steps of gradient descent.
        rate: the learning rate.
    """

    name: str
    steps: int = 10
    rate: float = 0.1

    @cache  # noqa: B019
    def losses(self, backward: BackwardPass, seed: int) -> tuple[float, ...]:
        """The loss before each step and after the last, on the network of the good design.

        Where the weights overflow, infinity comes last.
        """
        rnn, X, Y, h0 = GOOD.network(seed)
        found = []
        for _ in range(self.steps):
            tape = rnn(X, h0)
            loss, dO = squared_error(tape.O, Y)
            found.append(float(loss))
            g = backward(tape, dO)
            moved = [
                W - self.rate * dW
                for W, dW in ((rnn.W_hx, g.W_hx), (rnn.W_hh, g.W_hh), (rnn.W_qh, g.W_qh))
            ]
            if not all(torch.isfinite(W).all() for W in moved):
                return *found, float("inf")
            rnn = RNN(*moved)
        return *found, float(squared_error(rnn(X, h0).O, Y)[0])

    def catches(self, backward: BackwardPass, seed: int) -> bool:
        """Whether the loss failed to fall."""
        return self.alarmed(self.losses(backward, seed))

    @staticmethod
    def alarmed(losses: tuple[float, ...]) -> bool:
        """Whether the last loss is not below the first."""
        return not losses[-1] < losses[0]


GOOD = Check("good design")
CHECKS: dict[str, Check | Training] = {
    check.name: check
    for check in (
        Check("one step", T=1),
        Check("one sequence", B=1),
        Check("zero h_0", with_h0=False),
        Check("symmetric W_hh", symmetric=True),
        Check("tiny weights", size=1e-4),
        Check("loss at the last step", last=True),
        Check("absolute tolerance", loss=1e-6, tolerance=1e-5, absolute=True),
        Training("the loss falls"),
        GOOD,
    )
}
