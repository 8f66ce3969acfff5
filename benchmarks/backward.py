"""How long the gradients take: the library's bptt, torch.nn.RNN, and a plain loop with autograd.

Run ``python benchmarks/backward.py``. All three compute the same gradients in float32, on one
thread, from a given adjoint of the outputs; that they agree is asserted before anything is timed.
The three take turns, so that whatever else the machine does meets all of them; the table shows
medians in milliseconds. Nothing is asserted about times: they depend on the machine.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from bptt import RNN, bptt
from bptt.verify import relative_error

SIZES = ((100, 32, 32), (100, 32, 128), (100, 1, 128), (35, 64, 512), (1000, 32, 64))  # T, B, n
ROUNDS = 25
INPUTS = OUTPUTS = 32

Pass = Callable[[], object]


def library(weights: list[Tensor], X: Tensor, dO: Tensor) -> tuple[Pass, Callable]:
    """The forward pass that leaves a tape, and ``bptt``."""
    rnn = RNN(*weights)

    def backward(tape):
        gradients = bptt(tape, dO)
        return [gradients.W_hx, gradients.W_hh, gradients.W_qh]

    return lambda: rnn(X), backward


def torch_rnn(weights: list[Tensor], X: Tensor, dO: Tensor) -> tuple[Pass, Callable]:
    """``torch.nn.RNN`` without biases, and autograd."""
    W_hx, W_hh, W_qh = weights
    rnn = torch.nn.RNN(W_hx.shape[1], len(W_hh), bias=False)
    rnn.load_state_dict({"weight_ih_l0": W_hx, "weight_hh_l0": W_hh})
    W_qh = W_qh.clone().requires_grad_()
    leaves = [rnn.weight_ih_l0, rnn.weight_hh_l0, W_qh]
    return (
        lambda: rnn(X)[0] @ W_qh.T,
        lambda O: torch.autograd.grad(O, leaves, dO),
    )


def plain_loop(weights: list[Tensor], X: Tensor, dO: Tensor) -> tuple[Pass, Callable]:
    """The equations of one step in a Python loop, and autograd."""
    leaves = W_hx, W_hh, W_qh = [weight.clone().requires_grad_() for weight in weights]

    def forward():
        h, states = X.new_zeros(X.shape[1], len(W_hh)), []
        for x in X:
            h = torch.tanh(x @ W_hx.T + h @ W_hh.T)
            states.append(h)
        return torch.stack(states) @ W_qh.T

    return forward, lambda O: torch.autograd.grad(O, leaves, dO)


CONTESTANTS = {"library": library, "torch.nn.RNN": torch_rnn, "plain loop": plain_loop}


def measure(T: int, B: int, n: int) -> dict[str, tuple[float, float]]:
    """For each contestant the median times of its forward and its backward pass, in ms."""
    generator = torch.Generator().manual_seed(0)
    shapes = ((n, INPUTS), (n, n), (OUTPUTS, n))
    weights = [torch.randn(shape, generator=generator) / shape[1] ** 0.5 for shape in shapes]
    X = torch.randn(T, B, INPUTS, generator=generator)
    dO = torch.randn(T, B, OUTPUTS, generator=generator) / (T * B)
    passes = {name: make(weights, X, dO) for name, make in CONTESTANTS.items()}

    gradients = {name: backward(forward()) for name, (forward, backward) in passes.items()}
    for name in CONTESTANTS:
        for gradient, expected in zip(gradients[name], gradients["library"], strict=True):
            assert relative_error(gradient, expected) < 1e-4, name

    times: dict[str, list[tuple[float, float]]] = {name: [] for name in CONTESTANTS}
    for _ in range(ROUNDS):
        for name, (forward, backward) in passes.items():
            start = time.perf_counter()
            result = forward()
            middle = time.perf_counter()
            backward(result)
            end = time.perf_counter()
            times[name].append((1e3 * (middle - start), 1e3 * (end - middle)))
    return {
        name: tuple(map(statistics.median, zip(*pairs, strict=True)))
        for name, pairs in times.items()
    }


def main() -> None:
    torch.set_num_threads(1)
    print("median ms, forward + backward = together")
    print(f"{'T':>5} {'B':>4} {'n':>4}" + "".join(f"{name:>26}" for name in CONTESTANTS))
    for T, B, n in SIZES:
        line = f"{T:5d} {B:4d} {n:4d}"
        for forward, backward in measure(T, B, n).values():
            line += f"{forward:10.2f} +{backward:6.2f} ={forward + backward:7.2f}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
