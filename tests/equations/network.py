"""One small network on which formulas are checked: nothing in it can hide a mistake.

T = 7 steps, B = 1, an initial state that is not zero, a generic W_hh, a loss at every step.
Indices are those of the equations: ``H[t]``, ``x[t]``, ``z[t]``, ``o[t]`` and ``y[t]`` belong to
step t; row 0 of the last four does not exist in the equations and is ``None``.
"""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor


def normal(*shape: int, seed: int) -> Tensor:
    """Standard normal numbers in float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def tanh_network(n: int = 3, d: int = 2, q: int = 4, T: int = 7, activation=torch.tanh):
    """The forward pass as a plain loop, with an autograd graph through every intermediate.

    Returns:
        a namespace with ``W_hx`` (n, d), ``W_hh`` (n, n), ``W_qh`` (q, n), lists ``x``, ``z``,
        ``H``, ``o``, ``y`` of vectors, and the loss ``L``, the mean over steps of half the squared
        distance.
    """
    leaf = lambda *shape, seed: normal(*shape, seed=seed).requires_grad_()  # noqa: E731
    net = SimpleNamespace(
        n=n,
        T=T,
        W_hx=leaf(n, d, seed=1),
        W_hh=leaf(n, n, seed=2),
        W_qh=leaf(q, n, seed=3),
        H=[leaf(n, seed=4)],
        x=[None, *normal(T, d, seed=5)],
        y=[None, *normal(T, q, seed=6)],
        z=[None],
        o=[None],
    )
    for t in range(1, T + 1):
        net.z.append(net.W_hx @ net.x[t] + net.W_hh @ net.H[t - 1])
        net.H.append(activation(net.z[t]))
        net.o.append(net.W_qh @ net.H[t])
    net.L = sum(((net.o[t] - net.y[t]) ** 2).sum() / 2 for t in range(1, T + 1)) / T
    return net


def derivative(output: Tensor, of: Tensor) -> Tensor:
    """The total derivative by autograd: ``output.shape + of.shape``."""
    rows = [
        torch.autograd.grad(entry, of, retain_graph=True, allow_unused=True)[0]
        for entry in output.reshape(-1)
    ]
    rows = [torch.zeros_like(of) if row is None else row for row in rows]
    return torch.stack(rows).reshape(*output.shape, *of.shape)


def assert_equal(
    actual: Tensor | float, expected: Tensor | float, tolerance: float = 1e-12
) -> None:
    """Relative comparison in the 2-norm; an expected value of zero is refused."""
    actual, expected = (
        torch.as_tensor(a, dtype=torch.float64).detach() for a in (actual, expected)
    )
    assert actual.shape == expected.shape, f"{actual.shape} is not {expected.shape}"
    scale = float(torch.linalg.vector_norm(expected))
    assert scale > 0, "a check against zero would accept many wrong formulas"
    error = float(torch.linalg.vector_norm(actual - expected)) / scale
    assert error <= tolerance, f"relative error {error:.2e}"
