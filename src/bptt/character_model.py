"""The character model of chapter 13: what ``benchmarks/character_model.py`` trains.

One tanh network reads a text, character by character, and says what comes next. All gradients are
those of this library; PyTorch's optimiser makes the steps.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from torch import Generator, Tensor

from bptt.arguments import require_count, require_option
from bptt.backward import Gradients, bptt
from bptt.jacobian import gradient_by_lag
from bptt.loss import cross_entropy
from bptt.measure import multiplications
from bptt.rnn import RNN, Tape, augment
from bptt.text import Corpus
from bptt.truncate import bptt_blocks, bptt_randomized, bptt_window
from bptt.verify import relative_error

STORED = Path(__file__).with_name("character_model.json")  # written by the benchmark

UNITS, STREAMS = 64, 8
STRETCH = 128  # steps between two updates
REACH = 16  # K: length of a block and of a window, mean length of a random history
BUDGET = 8 * 10**9  # multiplications of a run
CHECKS = 20  # how often a run is measured
SHOWN = (0, 2, 6, 20)  # the checks at which gradient and sample are kept
LAGS = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96)  # of the gradient by lag
THRESHOLD = 1.0  # of clipping by norm


@dataclass(frozen=True)
class Scheme:
    """A way to train.

    Attributes:
        estimate: ``"full"``, ``"blocks"``, ``"window"`` or ``"randomized"``.
        stretch: how many characters of each stream one update reads.
    """

    estimate: str
    stretch: int = STRETCH


SCHEMES = {
    "full": Scheme("full"),
    "blocks": Scheme("blocks"),
    "window": Scheme("window"),
    "randomized": Scheme("randomized"),
    "update each block": Scheme("blocks", stretch=REACH),
}
GRID = (0.003, 0.01, 0.03)  # rates of Adam, tried on the validation part
TRIPLE_WEIGHTS = (1, 2, 5, 10, 20)  # of the pairs among triples, tried there as well


def parts(numbers: Tensor) -> dict[str, Tensor]:
    """A text cut in three: the first 80 % to learn from, then 10 % and 10 % to judge by.

    Args:
        numbers: the characters of a text, ``(length,)``.

    Returns:
        ``"training"``, ``"validation"`` and ``"held out"``, in the order of the text.
    """
    length = len(numbers)
    ends = [8 * length // 10, 9 * length // 10]
    return dict(
        zip(("training", "validation", "held out"), numbers.tensor_split(ends), strict=True)
    )


def streams(numbers: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Cut a text into pieces of equal length that are read side by side.

    Args:
        numbers: the characters of a text, ``(length,)``.
        count: B, how many pieces.

    Returns:
        inputs and targets, ``(M, B)`` each with M = (length - 1) // B: column b is the piece b,
        and a target is the character that follows in the text.

    Raises:
        TypeError: ``count`` is not a whole number.
        ValueError: ``count`` is below 1, or the text is too short.

    Source: equation eq-text-streams.
    """
    M = (len(numbers) - 1) // require_count("count", count)
    if M < 1:
        raise ValueError(f"count: expected at most {len(numbers) - 1} for this text, got {count}")
    inputs, targets = numbers[: M * count], numbers[1 : M * count + 1]
    return inputs.reshape(count, M).T, targets.reshape(count, M).T


def one_hot(numbers: Tensor, d: int) -> Tensor:
    """The inputs of the network, ``(T, B, 1 + d)``: the constant 1, then the one-hot character."""
    return augment(torch.nn.functional.one_hot(numbers, d).to(torch.float64))


def new_network(d: int, generator: Generator) -> list[Tensor]:
    """Weights W_hx ``(n, 1+d)``, W_hh ``(n, n)`` and W_qh ``(d, 1+n)``; the biases are zero."""

    def normal(rows: int, columns: int) -> Tensor:
        weight = torch.randn(rows, columns, generator=generator, dtype=torch.float64)
        return weight / UNITS**0.5

    bias = torch.nn.functional.pad  # a column of zeros on the left
    W_hx, W_hh, W_qh = normal(UNITS, d), normal(UNITS, UNITS), normal(d, UNITS)
    return [bias(W_hx, (1, 0)), W_hh, bias(W_qh, (1, 0))]


def estimate(scheme: str, tape: Tape, dO: Tensor, generator: Generator) -> Gradients:
    """The gradient as a scheme computes it.

    Args:
        scheme: one of :data:`SCHEMES`.
        tape: the forward pass over one stretch.
        dO: the direct adjoint, ``(T, B, q)``.
        generator: throws the coins of ``"randomized"``.
    """
    require_option("scheme", scheme, tuple(SCHEMES))
    ways: dict[str, Callable[[], Gradients]] = {
        "full": lambda: bptt(tape, dO),
        "blocks": lambda: bptt_blocks(tape, dO, REACH),
        "window": lambda: bptt_window(tape, dO, REACH),
        "randomized": lambda: bptt_randomized(tape, dO, 1 - 1 / REACH, generator),
    }
    return ways[SCHEMES[scheme].estimate]()


class Reader:
    """Reads the training part in order, one stretch after the other, and carries the state.

    Args:
        scheme: one of :data:`SCHEMES`.
        numbers: the training part.
        d: size of the alphabet.
        generator: draws where each pass over the text begins, and throws the coins.
    """

    def __init__(self, scheme: str, numbers: Tensor, d: int, generator: Generator):
        self.scheme, self.d, self.generator = scheme, d, generator
        self.X, self.Y = streams(numbers, STREAMS)
        self.stretch = SCHEMES[scheme].stretch
        self.begin = len(self.X)  # a new pass begins

    def gradients(self, weights: list[Tensor]) -> tuple[float, list[Tensor]]:
        """The loss of the next stretch, and the gradient by the three weights."""
        rnn, S = RNN(*weights), self.stretch
        if self.begin + S > len(self.X):  # a pass begins somewhere in the first stretch
            self.begin = int(
                torch.randint(min(S, len(self.X) - S + 1), (), generator=self.generator)
            )
            self.state, self.overlap = None, 0
        # A window reaches over the border: the steps before it are run again, without their losses.
        first, end = self.begin - self.overlap, self.begin + S
        tape = rnn(one_hot(self.X[first:end], self.d), self.state)
        loss, dO = cross_entropy(tape.O[self.overlap :], self.Y[self.begin : end])
        dO = torch.nn.functional.pad(dO, (0, 0, 0, 0, self.overlap, 0))
        found = estimate(self.scheme, tape, dO, self.generator)
        self.overlap = REACH - 1 if SCHEMES[self.scheme].estimate == "window" else 0
        self.state = tape.H[-1 - self.overlap]  # carried: the value stays, the history goes
        self.begin = end
        return float(loss), [found.W_hx, found.W_hh, found.W_qh]


def perplexity(rnn: RNN, numbers: Tensor) -> float:
    """The perplexity of a network on a text, read once from a zero state.

    Args:
        rnn: a network whose inputs are :func:`one_hot` characters.
        numbers: the characters of the text, ``(length,)``.

    Source: equation eq-text-perplexity.
    """
    X, Y = streams(numbers, 1)
    return math.exp(float(cross_entropy(rnn(one_hot(X, len(rnn.W_qh))).O, Y)[0]))


def sample(
    rnn: RNN, corpus: Corpus, start: str, length: int, generator: Generator, temperature: float = 1
) -> str:
    """Let the network write.

    Args:
        rnn: a network whose inputs are :func:`one_hot` characters.
        corpus: gives the alphabet.
        start: what the network reads first, at least one character.
        length: how many characters it writes.
        generator: draws them.
        temperature: divides the outputs, above 0.

    Returns:
        the characters written, without ``start``.

    Raises:
        TypeError: ``length`` is not a whole number.
        ValueError: ``start`` is empty or has a character that is not in the alphabet, ``length`` is
            below 1, or ``temperature`` is not above 0.

    Source: equation eq-text-temperature.
    """
    require_count("length", length)
    if not start:
        raise ValueError("start: expected at least one character, got none")
    if not temperature > 0:
        raise ValueError(f"temperature: expected a number above 0, got {temperature}")
    written, numbers, state = [], corpus.encode(start)[:, None], None
    while len(written) < length:
        tape = rnn(one_hot(numbers, len(corpus.alphabet)), state)
        chances = torch.softmax(tape.O[-1, 0] / temperature, dim=0)
        numbers = torch.multinomial(chances, 1, generator=generator)[None]  # (1, 1)
        state = tape.H[-1]
        written.append(int(numbers))
    return corpus.decode(torch.tensor(written))


def baselines(corpus: Corpus) -> dict[str, float]:
    """Perplexities on the held-out part without a network.

    ``"uniform"`` guesses all characters alike; ``"one character"`` knows how often each occurs in
    the training part, and ``"pairs"`` how often each follows each other, one added to all counts.
    ``"triples"`` knows how often each follows each two others, mixed with the pairs; their weight
    is one of :data:`TRIPLE_WEIGHTS`, the best on the validation part.

    Source: equations eq-text-pairs and eq-text-triples.
    """
    d, part = len(corpus.alphabet), parts(corpus.numbers)
    training, judged = part["training"], part["held out"]
    single = torch.ones(d, dtype=torch.float64)
    single.index_put_((training,), torch.ones(len(training)).double(), accumulate=True)
    pairs = torch.ones(d, d, dtype=torch.float64)
    ones = torch.ones(len(training) - 1, dtype=torch.float64)
    pairs.index_put_((training[:-1], training[1:]), ones, accumulate=True)
    pairs = pairs / pairs.sum(1, keepdim=True)

    read = training.tolist()
    three = Counter(zip(read, read[1:], read[2:], strict=False))
    two = Counter(pairwise(read[:-1]))  # with a character behind

    def with_triples(numbers: Tensor, weight: float) -> Tensor:
        text, chances = numbers.tolist(), pairs[numbers[:-1], numbers[1:]].tolist()
        for i in range(2, len(text)):  # the second character has one before it, so a pair
            a, b, c = text[i - 2 : i + 1]
            chances[i - 1] = (three[a, b, c] + weight * chances[i - 1]) / (two[a, b] + weight)
        return torch.tensor(chances, dtype=torch.float64)

    def perplexity_of(chances: Tensor) -> float:
        return math.exp(-float(chances.log().mean()))

    weight = min(TRIPLE_WEIGHTS, key=lambda w: perplexity_of(with_triples(part["validation"], w)))
    return {
        "uniform": float(d),
        "one character": perplexity_of((single / single.sum())[judged[1:]]),
        "pairs": perplexity_of(pairs[judged[:-1], judged[1:]]),
        "triples": perplexity_of(with_triples(judged, weight)),
    }


def cost(scheme: str, d: int) -> int:
    """Multiplications in the matrix products of one update, counted; d is the alphabet's size."""
    require_option("scheme", scheme, tuple(SCHEMES))
    generator = torch.Generator().manual_seed(0)
    text = torch.zeros(STREAMS * 3 * STRETCH + 1, dtype=torch.long)
    reader, weights = Reader(scheme, text, d, generator), new_network(d, generator)
    if SCHEMES[scheme].estimate == "window":  # it has its overlap from the second stretch on
        reader.gradients(weights)
    return multiplications(lambda: reader.gradients(weights))


def probe(scheme: str, rnn: RNN, numbers: Tensor) -> dict[str, object]:
    """How the gradient looks now, on the first stretch of the validation part.

    Returns:
        ``"lags"``: for each of :data:`LAGS` the norm of its part of dL/dW_hh. ``"error"``: how far
        the scheme's estimate of dL/dW_hh is from full BPTT over the same stretch, relative to the
        norm of the latter; the square root of the mean square of 20 draws where it is random.
    """
    X, Y = streams(numbers[: STREAMS * STRETCH + 1], STREAMS)
    tape = rnn(one_hot(X, len(rnn.W_qh)))
    dO = cross_entropy(tape.O, Y)[1]
    sizes = torch.linalg.matrix_norm(gradient_by_lag(tape, dO))
    generator, full = torch.Generator().manual_seed(0), bptt(tape, dO).W_hh
    draws = 20 if SCHEMES[scheme].estimate == "randomized" else 1
    errors = [
        relative_error(estimate(scheme, tape, dO, generator).W_hh, full) for _ in range(draws)
    ]
    return {
        "lags": [float(f"{float(sizes[lag]):.3g}") for lag in LAGS],
        "error": round(math.sqrt(sum(e**2 for e in errors) / draws), 4),
    }


def train(
    scheme: str,
    seed: int,
    corpus: Corpus,
    budget: int = BUDGET,
    checks: int = CHECKS,
    rate: float | None = None,
    part: str = "held out",
) -> dict[str, list]:
    """Train one network.

    Args:
        scheme: one of :data:`SCHEMES`.
        seed: of the weights, of where a pass begins, and of the coins.
        corpus: the text.
        budget: multiplications that the updates may take together.
        checks: how often the run is measured, at equal distances.
        rate: of Adam; ``None`` takes the one that the benchmark chose for the scheme.
        part: on what the perplexity is measured, ``"held out"`` or ``"validation"``.

    Returns:
        Lists with one entry a check, the first before training: ``"perplexity"``; and for the
        updates since the check before ``"training"``, the perplexity while they learnt, ``"norm"``,
        the median norm of the gradient, and ``"clipped"``, the share of updates that were clipped
        (their first entries are ``None``). ``"probes"``: :func:`probe` and a ``"sample"``
        at the checks in :data:`SHOWN`. ``"updates"``: how many. ``"weights"``: the three tensors.

    Raises:
        TypeError: ``budget`` or ``checks`` is not a whole number.
        ValueError: an unknown scheme or part, a text that is too short for one stretch, or a
            budget that does not pay for an update a check.
    """
    require_option("scheme", scheme, tuple(SCHEMES))
    require_option("part", part, ("held out", "validation"))
    d, text = len(corpus.alphabet), parts(corpus.numbers)
    if rate is None:
        rate = stored_runs()["configuration"]["rates"][scheme]
    updates = require_count("budget", budget) // cost(scheme, d)
    if updates < require_count("checks", checks):
        raise ValueError(f"budget: expected enough for {checks} updates, got enough for {updates}")
    least = STREAMS * STRETCH + 1
    if len(text["validation"]) < least:
        raise ValueError(f"corpus: expected {10 * least} characters, got {len(corpus.text)}")
    generator = torch.Generator().manual_seed(seed)
    weights = new_network(d, generator)
    reader = Reader(scheme, text["training"], d, generator)
    optimizer = torch.optim.Adam(weights, lr=rate)
    run = {"perplexity": [], "training": [], "norm": [], "clipped": [], "probes": []}
    losses, norms = [], []
    measured = {check * updates // checks for check in range(checks + 1)}
    for update in range(updates + 1):
        if update in measured:
            rnn = RNN(*weights)
            if len(run["perplexity"]) in SHOWN:
                draw = torch.Generator().manual_seed(seed)
                start = corpus.decode(text["held out"][:20])
                written = sample(rnn, corpus, start, 60, draw)
                run["probes"].append(probe(scheme, rnn, text["validation"]) | {"sample": written})
            run["perplexity"].append(round(perplexity(rnn, text[part]), 3))
            run["training"].append(
                round(math.exp(sum(losses) / len(losses)), 3) if losses else None
            )
            run["norm"].append(float(f"{sorted(norms)[len(norms) // 2]:.3g}") if norms else None)
            share = sum(norm > THRESHOLD for norm in norms) / max(len(norms), 1)
            run["clipped"].append(round(share, 3) if norms else None)
            losses, norms = [], []
        if update == updates:
            break
        loss, gradients = reader.gradients(weights)
        norm = math.sqrt(sum(float((g**2).sum()) for g in gradients))
        scale = THRESHOLD / norm if norm > THRESHOLD else 1.0
        for W, g in zip(weights, gradients, strict=True):
            W.grad = scale * g
        optimizer.step()
        losses.append(loss)
        norms.append(norm)
    return run | {"updates": updates, "weights": weights}


def stored_runs() -> dict:
    """What ``benchmarks/character_model.py`` found on the book's own text: its configuration, the
    search for the rates, and for each scheme one result of :func:`train` a seed."""
    return json.loads(STORED.read_text("utf-8"))
