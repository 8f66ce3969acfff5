"""How long all gradients take and how much memory: the library, torch.nn.RNN and a plain loop.

    python benchmarks/backward.py

Each contestant computes the outputs, the cross-entropy and the gradients of all three weights, in
float32: the library with ``rnn(X)`` and ``bptt``, the others with autograd. That they agree is
asserted before anything is timed. The floor is the matrix products alone, each
made in an array that is there already. Memory is the peak of all tensors
alive at once beyond the inputs. Nothing is asserted about times: they depend on the machine.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

import torch
from contest import arguments, median_times, publish, table
from torch import Tensor
from torch.nn.functional import cross_entropy as loss_for_autograd

from bptt import RNN, bptt, cross_entropy
from bptt.measure import peak_bytes
from bptt.verify import relative_error

CASES = (  # T, B, n, d; there are d outputs
    (32, 32, 128, 32),
    (128, 32, 128, 32),
    (512, 32, 128, 32),
    (128, 32, 512, 32),
    (128, 1, 64, 32),
    (1024, 8, 64, 32),
)
ROUNDS = 15
AHEAD_OF_LOOP = 2.5  # the aim

Weights = list[Tensor]
Run = Callable[[], object]  # the gradients by W_hx, W_hh and W_qh; nothing from the floor


def library(weights: Weights, X: Tensor, Y: Tensor) -> Run:
    """The forward pass that leaves a tape, the loss with its adjoint, and ``bptt``."""
    rnn = RNN(*weights)

    def run():
        tape = rnn(X)
        _, dO = cross_entropy(tape.O, Y)
        gradients = bptt(tape, dO)
        return [gradients.W_hx, gradients.W_hh, gradients.W_qh]

    return run


def torch_rnn(weights: Weights, X: Tensor, Y: Tensor) -> Run:
    """``torch.nn.RNN`` without biases, and autograd."""
    W_hx, W_hh, W_qh = weights
    rnn = torch.nn.RNN(W_hx.shape[1], len(W_hh), bias=False)
    rnn.load_state_dict({"weight_ih_l0": W_hx, "weight_hh_l0": W_hh})
    W_qh = W_qh.clone().requires_grad_()
    leaves = [rnn.weight_ih_l0, rnn.weight_hh_l0, W_qh]

    def run():
        O = rnn(X)[0] @ W_qh.T
        return torch.autograd.grad(loss_for_autograd(O.flatten(0, 1), Y.flatten()), leaves)

    return run


def plain_loop(weights: Weights, X: Tensor, Y: Tensor) -> Run:
    """The equations of one step in a Python loop, and autograd."""
    leaves = W_hx, W_hh, W_qh = [weight.clone().requires_grad_() for weight in weights]

    def run():
        h, states = X.new_zeros(X.shape[1], len(W_hh)), []
        for x in X:
            h = torch.tanh(x @ W_hx.T + h @ W_hh.T)
            states.append(h)
        O = torch.stack(states) @ W_qh.T
        return torch.autograd.grad(loss_for_autograd(O.flatten(0, 1), Y.flatten()), leaves)

    return run


def floor(weights: Weights, X: Tensor, Y: Tensor) -> Run:
    """The matrix products of a forward and a backward pass, and nothing else."""
    W_hx, W_hh, W_qh = weights
    T, B, _ = X.shape
    X, dO = X.flatten(0, 1), torch.zeros(T * B, len(W_qh))
    H, h = torch.zeros(T * B, len(W_hh)), torch.zeros(B, len(W_hh))
    dW_hx, dW_hh, dW_qh = (torch.empty_like(W) for W in weights)
    after = torch.empty_like(h)

    def run():
        torch.mm(X, W_hx.T, out=H)
        for _ in range(T):
            torch.mm(h, W_hh.T, out=after)
        torch.mm(H, W_qh.T, out=dO)
        torch.mm(dO, W_qh, out=H)
        for _ in range(T):
            torch.mm(h, W_hh, out=after)
        torch.mm(H.T, X, out=dW_hx)
        torch.mm(H.T, H, out=dW_hh)
        torch.mm(dO.T, H, out=dW_qh)

    return run


CONTESTANTS = {"bptt": library, "nn.RNN": torch_rnn, "plain loop": plain_loop}


def contestants(T: int, B: int, n: int, d: int) -> dict[str, Run]:
    """All contestants and the floor, on one case; those with gradients agree."""
    generator = torch.Generator().manual_seed(0)
    shapes = ((n, d), (n, n), (d, n))
    weights = [torch.randn(shape, generator=generator) / shape[1] ** 0.5 for shape in shapes]
    X = torch.randn(T, B, d, generator=generator)
    Y = torch.randint(d, (T, B), generator=generator)
    runs = {name: make(weights, X, Y) for name, make in CONTESTANTS.items()}
    expected = runs["bptt"]()
    for name, run in runs.items():
        for gradient, right in zip(run(), expected, strict=True):
            assert relative_error(gradient, right) < 1e-4, name
    return runs | {"floor": floor(weights, X, Y)}


def table_of_times(threads: int, rounds: int = ROUNDS, cases=CASES) -> str:
    """Median times in ms and their ratios, with the geometric means, and what the aim asks for."""
    rows, ratios = [], []
    for case in cases:
        ms = median_times(contestants(*case), rounds, threads)
        found = [ms["nn.RNN"] / ms["bptt"], ms["plain loop"] / ms["bptt"], ms["bptt"] / ms["floor"]]
        ratios.append(found)
        names = ("floor", "bptt", "nn.RNN", "plain loop")
        rows.append([", ".join(map(str, case)), *(f"{ms[name]:.1f}" for name in names)])
        rows[-1] += [f"{ratio:.2f}" for ratio in found]
    means = [statistics.geometric_mean(column) for column in zip(*ratios, strict=True)]
    rows.append(["geometric mean", *[""] * 4, *(f"{mean:.2f}" for mean in means)])
    ahead = ["nn.RNN / bptt", "loop / bptt", "bptt / floor"]
    times = table(["T, B, n, d", "floor", "bptt", "nn.RNN", "plain loop", *ahead], rows)
    _, loop, above_floor = means
    return (
        f"{times}\nTo be {AHEAD_OF_LOOP} times faster than the loop on the mean, bptt would have "
        f"to take {above_floor * loop / AHEAD_OF_LOOP:.2f} times the floor.\n"
    )


def table_of_memory(cases=CASES) -> str:
    """Peaks in MB beyond the inputs."""
    rows = []
    for case in cases:
        runs = contestants(*case)
        peaks = {name: peak_bytes(runs[name]) / 1e6 for name in CONTESTANTS}
        shares = [peaks["bptt"] / peaks[name] for name in ("nn.RNN", "plain loop")]
        rows.append([", ".join(map(str, case)), *(f"{peak:.1f}" for peak in peaks.values())])
        rows[-1] += [f"{share:.2f}" for share in shares]
    return table(["T, B, n, d", *CONTESTANTS, "bptt / nn.RNN", "bptt / loop"], rows)


def main() -> None:
    store = arguments(__doc__).parse_args().store
    parts = []
    for threads, words in ((1, "one thread"), (2, "two threads")):
        parts += [f"Median times in ms, {words}:\n", table_of_times(threads)]
    parts += ["Peak memory in MB beyond the inputs:\n", table_of_memory()]
    publish("backward", parts, store)


if __name__ == "__main__":
    main()
