"""Two tasks with a long memory, to measure remedies on: the adding problem and temporal order."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from bptt.arguments import require_count


def adding_problem(steps: int, batch_size: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """Add the two numbers that are marked: one in the first half, one in the second.

    Whoever always answers 1 has the mean squared error 1/6.

    Args:
        steps: T, at least 2.
        batch_size: B.
        generator: the source of randomness.

    Returns:
        ``X`` ``(T, B, 2)`` in float64: a number between 0 and 1, and a marker that is 1 at two
        steps and 0 elsewhere; ``Y`` ``(B, 1)``: the sum of the two marked numbers.

    Raises:
        TypeError, ValueError: a size is not a whole number, or too small.

    Source: Hochreiter & Schmidhuber 1997, experiment 4, with numbers between 0 and 1.
    """
    steps, batch_size = _sizes(steps, batch_size, least=2)
    X = torch.zeros(steps, batch_size, 2, dtype=torch.float64)
    X[..., 0] = torch.rand(steps, batch_size, generator=generator, dtype=torch.float64)
    row = torch.arange(batch_size)
    first = torch.randint(0, steps // 2, (batch_size,), generator=generator)
    second = torch.randint(steps // 2, steps, (batch_size,), generator=generator)
    X[first, row, 1] = 1
    X[second, row, 1] = 1
    return X, (X[first, row, 0] + X[second, row, 0])[:, None]


def temporal_order(steps: int, batch_size: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """Say in which order two symbols came: AA, AB, BA or BB, among four that do not matter.

    The first stands between T/10 and T/5, the second between 2T/5 and T/2. Whoever guesses is
    wrong three times out of four.

    Args:
        steps: T, at least 10.
        batch_size: B.
        generator: the source of randomness.

    Returns:
        ``X`` ``(T, B, 6)`` in float64, one-hot: A, B and four distractors; ``Y`` ``(B,)``: the
        class, 0 to 3.

    Raises:
        TypeError, ValueError: a size is not a whole number, or too small.

    Source: Hochreiter & Schmidhuber 1997, experiment 6a; the sizes as in Pascanu et al. 2013.
    """
    steps, batch_size = _sizes(steps, batch_size, least=10)
    symbols = torch.randint(2, 6, (steps, batch_size), generator=generator)
    row = torch.arange(batch_size)
    first = torch.randint(steps // 10, 2 * steps // 10, (batch_size,), generator=generator)
    second = torch.randint(4 * steps // 10, 5 * steps // 10, (batch_size,), generator=generator)
    Y = torch.randint(0, 4, (batch_size,), generator=generator)
    symbols[first, row], symbols[second, row] = Y // 2, Y % 2
    return torch.nn.functional.one_hot(symbols, 6).double(), Y


def _sizes(steps: int, batch_size: int, least: int) -> tuple[int, int]:
    steps, batch_size = require_count("steps", steps), require_count("batch_size", batch_size)
    if steps < least:
        raise ValueError(f"steps: expected at least {least}, got {steps}")
    return steps, batch_size
