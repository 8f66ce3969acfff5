"""Exercises of chapter 13, "A character model, trained four ways", with the wrong answers given."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from bptt.exercises.engine import Exercise, Mistake
from bptt.rnn import RNN

CHAPTER = "chapter 13, A character model, trained four ways"


# ---- 1. by hand ----------------------------------------------------------------------------

_GUESSES = (1 / 2, 1 / 8, 1 / 8, 1 / 32)  # what the network gave to the four right characters
_CHANCES, _RIGHT = (5 / 8, 2 / 8, 1 / 8), 2  # e^o = (5, 2, 1), and the third one follows


def _by_hand(
    perplexity: float = 8.0,
    adjoint: Callable[[float, bool], float] | None = None,
    right: int = _RIGHT,
):
    adjoint = adjoint or (lambda p, right: p - right)
    rows = [adjoint(p, c == right) for c, p in enumerate(_CHANCES)]
    names = ("adjoint_1", "adjoint_2", "adjoint_3")
    return {"perplexity": perplexity} | dict(zip(names, rows, strict=True))


by_hand = Exercise(
    "a_character_model.by_hand",
    chapter=CHAPTER,
    returns=dict.fromkeys(_by_hand(), "()"),
    reference=_by_hand(),
    tolerance=2e-3,
    mistakes=[
        Mistake(
            "mean of the four perplexities",
            _by_hand(sum(1 / p for p in _GUESSES) / 4),
            "your perplexity is the arithmetic mean of 2, 8, 8 and 32. The average is taken of the "
            "losses, inside the exponential, so it is a geometric mean.",
            "What a perplexity means",
        ),
        Mistake(
            "one over the mean probability",
            _by_hand(4 / sum(_GUESSES)),
            "your perplexity is 1 over the mean of the probabilities. The probabilities of a text "
            "multiply, so their logarithms are averaged.",
            "What a perplexity means",
        ),
        Mistake(
            "root forgotten",
            _by_hand(1 / math.prod(_GUESSES)),
            "your perplexity is 1 over the probability of the whole text. Take the fourth root, "
            "one factor a character.",
            "What a perplexity means",
        ),
        Mistake(
            "root not inverted",
            _by_hand(math.prod(_GUESSES) ** (1 / 4)),
            "your perplexity is the geometric mean of the probabilities. The number of equally "
            "likely characters is 1 over that.",
            "What a perplexity means",
        ),
        Mistake(
            "mean loss in bits",
            _by_hand(3.0),
            "your perplexity is the mean loss in bits. Take 2 to that power.",
            "What a perplexity means",
        ),
        Mistake(
            "bits into the exponential",
            _by_hand(math.exp(3)),
            "you averaged the losses in bits and then took a power of e. Logarithm and power must "
            "have the same base.",
            "What a perplexity means",
        ),
        Mistake(
            "mean loss for a perplexity",
            _by_hand(math.log(8)),
            "your perplexity is the mean cross-entropy itself. The exponential is missing.",
            "What a perplexity means",
        ),
        Mistake(
            "sign of the adjoint",
            _by_hand(adjoint=lambda p, right: right - p),
            "all three adjoints have the other sign. They say how the loss grows, and it grows "
            "with the outputs of the wrong characters.",
            "What the network is asked",
        ),
        Mistake(
            "first character taken for the right one",
            _by_hand(right=0),
            "the 1 is subtracted at the first character. Which one follows here?",
            "What the network is asked",
        ),
        Mistake(
            "second character taken for the right one",
            _by_hand(right=1),
            "the 1 is subtracted at the second character. That was the example of the chapter; "
            "look which one follows here.",
            "What the network is asked",
        ),
        Mistake(
            "not normalised",
            _by_hand(adjoint=lambda p, right: 8 * p - right),
            "you subtracted 1 from the exponentials themselves. They are not probabilities yet: "
            "divide by their sum first.",
            "What the network is asked",
        ),
        Mistake(
            "right character not subtracted",
            _by_hand(adjoint=lambda p, right: p),
            "your adjoints are the probabilities. The first term of the loss, minus the output of "
            "the right character, gives -1 there.",
            "What the network is asked",
        ),
        Mistake(
            "right character alone",
            _by_hand(adjoint=lambda p, right: (p - 1) * right),
            "you gave an adjoint to the right character alone. The others stand in the sum below "
            "the fraction, so they have one too.",
            "What the network is asked",
        ),
        Mistake(
            "derivative by the probability",
            _by_hand(adjoint=lambda p, right: -right / p),
            "these are derivatives by the probabilities, -1/p for the right one. The question is "
            "about the outputs, before the softmax.",
            "What the network is asked",
        ),
    ],
    hints=(
        "The four probabilities are powers of one half: add the exponents.",
        "Perplexity: 2 to the power of the mean exponent. Adjoints: first the three probabilities, "
        "then subtract 1 in one place.",
        "The equations are eq-text-perplexity and eq-text-adjoint."
        ' Section "What a perplexity means" and "What the network is asked".',
    ),
    insight="A perplexity is a geometric mean, and the three adjoints add up to zero.",
)


# ---- 2. perplexities of texts of different length ------------------------------------------


def _perplexities(losses: Tensor, lengths: Tensor) -> Tensor:
    return torch.stack([losses[: int(T), b].mean().exp() for b, T in enumerate(lengths)])


def _of_kept(combine: Callable[[Tensor], Tensor], extra: int = 0) -> Callable[..., Tensor]:
    return lambda losses, lengths: torch.stack(
        [combine(losses[: int(T) + extra, b]) for b, T in enumerate(lengths)]
    )


def _pooled(losses: Tensor, lengths: Tensor) -> Tensor:
    kept = [losses[: int(T), b] for b, T in enumerate(lengths)]
    return torch.cat(kept).mean().exp().expand(len(kept)).clone()


def _divided_by_the_longest(losses: Tensor, lengths: Tensor) -> Tensor:
    return _of_kept(lambda kept: (kept.sum() / len(losses)).exp())(losses, lengths)


def _masked(losses: Tensor, lengths: Tensor, extra: int) -> Tensor:
    """The sum of the first rows, ``extra`` more than a text has, divided by its length."""
    mask = torch.arange(len(losses))[:, None] < lengths + extra
    return ((losses * mask).sum(0) / lengths).exp()


def _padded(seed: int, lengths: list[int]) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    losses = 3 * torch.rand(max(lengths), len(lengths), generator=generator, dtype=torch.float64)
    return {"losses": losses + 0.1, "lengths": torch.tensor(lengths)}


perplexities = Exercise(
    "a_character_model.perplexities",
    chapter=CHAPTER,
    returns={"perplexity": "(B,)"},
    reference=_perplexities,
    cases=[_padded(1, [7, 4, 6]), _padded(2, [3, 9, 5, 2]), _padded(3, [8, 3])],
    mistakes=[
        Mistake(
            "padding counted",
            lambda losses, lengths: losses.mean(0).exp(),
            "the padding counts: you averaged whole columns. Only the first `lengths[b]` losses of "
            "column b belong to a text.",
            "What a perplexity means",
        ),
        Mistake(
            "divided by the longest",
            _divided_by_the_longest,
            "you divided each sum by the length of the longest text. A short text then looks too "
            "good; divide by its own number of characters.",
            "What a perplexity means",
        ),
        Mistake(
            "padding in the sum",
            lambda losses, lengths: (losses.sum(0) / lengths).exp(),
            "you divided by the right lengths, but the padding is in the sums. A text then looks "
            "worse than it is.",
            "What a perplexity means",
        ),
        Mistake(
            "mask with <=",
            lambda losses, lengths: _masked(losses, lengths, 1),
            "your sum has one row of padding: the rows of a text of length T are numbered 0 to "
            "T-1, so the mask is `<`, not `<=`.",
            "What a perplexity means",
        ),
        Mistake(
            "one row too many",
            _of_kept(lambda kept: kept.mean().exp(), extra=1),
            "your mean takes one row of padding in. `losses[:T]` are the rows 0 to T-1, and they "
            "are T already.",
            "What a perplexity means",
        ),
        Mistake(
            "one number for all",
            _pooled,
            "every text has the perplexity of all texts together. The mean runs over the "
            "characters of one text.",
            "What a perplexity means",
        ),
        Mistake(
            "mean of exponentials",
            _of_kept(lambda kept: kept.exp().mean()),
            "you took exponentials first and averaged then. The average is inside.",
            "What a perplexity means",
        ),
        Mistake(
            "power of two",
            _of_kept(lambda kept: 2 ** kept.mean()),
            "you took a power of 2, but the losses are in nats: natural logarithms go back with e.",
            "What a perplexity means",
        ),
        Mistake(
            "exponential forgotten",
            _of_kept(lambda kept: kept.mean()),
            "these are mean cross-entropies. The exponential is missing.",
            "What a perplexity means",
        ),
        Mistake(
            "last character left out",
            _of_kept(lambda kept: kept.mean().exp(), extra=-1),
            "the last character of each text is missing: a text of length T has the rows 0 to T-1, "
            "`losses[:T]`.",
            "What a perplexity means",
        ),
        Mistake(
            "sum for a mean",
            _of_kept(lambda kept: kept.sum().exp()),
            "you took the exponential of the sum: 1 over the probability of the whole text. Divide "
            "by its length first.",
            "What a perplexity means",
        ),
    ],
    hints=(
        "Column b belongs to text b; how many of its rows count?",
        "Mean of the first `lengths[b]` losses of column b, then the exponential; `torch.stack` "
        "makes a tensor of the B numbers.",
        'The equation is eq-text-perplexity. Section "What a perplexity means".',
    ),
    insight="Each text is divided by its own length, and the exponential comes last.",
)


# ---- 3. streams ------------------------------------------------------------------------------


def _streams(numbers: Tensor, B: int, offset: int = 1) -> dict[str, Tensor]:
    M = (len(numbers) - 1) // B
    pair = [numbers[i : M * B + i].reshape(B, M).T.clone() for i in (0, offset)]
    return {"X": pair[0], "Y": pair[1]}


def _side_by_side(numbers: Tensor, B: int) -> dict[str, Tensor]:
    M = (len(numbers) - 1) // B
    pair = [numbers[i : M * B + i].reshape(M, B).clone() for i in (0, 1)]
    return {"X": pair[0], "Y": pair[1]}


def _next_column(numbers: Tensor, B: int) -> dict[str, Tensor]:
    X = _streams(numbers, B)["X"]
    return {"X": X, "Y": X.roll(-1, 1)}


def _targets_inside(numbers: Tensor, B: int) -> dict[str, Tensor]:
    X = _streams(numbers, B)["X"]
    return {"X": X, "Y": X.roll(-1, 0)}


def _backwards(numbers: Tensor, B: int) -> dict[str, Tensor]:
    found = _streams(numbers, B)
    return {"X": found["Y"], "Y": found["X"]}


def _two_ahead(numbers: Tensor, B: int) -> dict[str, Tensor]:
    found = _streams(torch.cat([numbers, numbers[:1]]), B, 2)
    M = (len(numbers) - 1) // B
    return {name: value[:M] for name, value in found.items()}


def _reshaped(numbers: Tensor, B: int) -> dict[str, Tensor]:
    return {name: value.T.reshape(value.shape) for name, value in _side_by_side(numbers, B).items()}


def _text(seed: int, length: int, B: int) -> dict[str, Tensor | int]:
    generator = torch.Generator().manual_seed(seed)
    return {"numbers": torch.randperm(length, generator=generator).double(), "B": B}


streams = Exercise(
    "a_character_model.streams",
    chapter=CHAPTER,
    returns={"X": "(M, B)", "Y": "(M, B)"},
    reference=_streams,
    cases=[_text(1, 13, 3), _text(2, 24, 4), _text(3, 18, 2)],
    mistakes=[
        Mistake(
            "neighbours side by side",
            _side_by_side,
            "your rows hold neighbours: the text runs along the rows. Row t + 1 of a stream must "
            "continue row t of the same column, or no state can be carried.",
            "Reading in streams",
        ),
        Mistake(
            "reshaped where a transpose is needed",
            _reshaped,
            "the characters are dealt out and reshaped again, so that streams jump through the "
            "text. Cut B pieces of M neighbours as rows, and transpose.",
            "Reading in streams",
        ),
        Mistake(
            "target from the next stream",
            _next_column,
            "your target of a character stands in the next stream. It is the character that "
            "follows in the text: one row down.",
            "Reading in streams",
        ),
        Mistake(
            "targets inside the stream",
            _targets_inside,
            "the last target of each stream is its own first character. The text goes on after a "
            "stream: there is always one more character.",
            "Reading in streams",
        ),
        Mistake(
            "targets are the inputs",
            lambda numbers, B: _streams(numbers, B, 0),
            "inputs and targets are the same characters: the network is asked what it reads. The "
            "target comes one later.",
            "Reading in streams",
        ),
        Mistake(
            "the character before",
            _backwards,
            "inputs and targets are exchanged, so the network is asked what came before.",
            "Reading in streams",
        ),
        Mistake(
            "streams in reverse order",
            lambda numbers, B: {k: v.flip(1) for k, v in _streams(numbers, B).items()},
            "your columns come in the reverse order: stream 1 is the beginning of the text and "
            "stands first.",
            "Reading in streams",
        ),
    ],
    hints=(
        "How many characters can be inputs, if each needs a successor? Divide that by B and round "
        "down.",
        "Take the first M B characters, cut them into B rows of M, and transpose. The targets are "
        "the same, one character later.",
        'The equation is eq-text-streams. Section "Reading in streams".',
    ),
    insight="Column b continues from row to row: only so can its state be carried.",
)


# ---- 4. carried blocks -----------------------------------------------------------------------


def _run(
    W_hx: Tensor, W_hh: Tensor, W_qh: Tensor, X: Tensor, h0: Tensor, dO: Tensor, K: int,
    *, start: str = "carried", cut: Callable[[int, int], bool] = lambda t, K: t % K == 0,
    met: int = 0, late: int = 0, slope: bool = True, back: Callable = lambda W: W.T,
) -> dict[str, Tensor]:  # fmt: skip
    """States and dL/dW_hh; the options make the mistakes. Row t of X belongs to step t + 1."""
    T, H = len(X), [h0]
    for t in range(T):
        h = H[-1]
        if t and t % K == 0:
            h = {
                "carried": H[t - late],
                "zero": torch.zeros_like(h0),
                "h0": h0,
                "block before": H[t - K],
            }[start]
        H.append(torch.tanh(W_hx @ X[t] + W_hh @ h))
    dW_hh, future = torch.zeros_like(W_hh), torch.zeros_like(h0)
    for t in reversed(range(T)):
        if t + 1 < T and cut(t + 1, K):
            future = torch.zeros_like(h0)
        dz = W_qh.T @ dO[t] + future
        if slope:
            dz = (1 - H[t + 1] ** 2) * dz
        source = H[t + met]
        if not met and t and t % K == 0 and start != "carried":
            source = {"zero": torch.zeros_like(h0), "h0": h0, "block before": H[t - K]}[start]
        if not met and t and t % K == 0 and late:
            source = H[t - late]
        dW_hh = dW_hh + torch.outer(dz, source)
        future = back(W_hh) @ dz
    return {"H": torch.stack(H), "dW_hh": dW_hh}


def _run_with(**options) -> Callable[..., dict[str, Tensor]]:
    return lambda *arguments: _run(*arguments, **options)


def _from_zero(W_hx, W_hh, W_qh, X, h0, dO, K) -> dict[str, Tensor]:
    return _run(W_hx, W_hh, W_qh, X, torch.zeros_like(h0), dO, K)


def _last_block(W_hx, W_hh, W_qh, X, h0, dO, K) -> dict[str, Tensor]:
    T = len(dO)
    only = dO.clone()
    only[: (T - 1) // K * K] = 0
    return _run(W_hx, W_hh, W_qh, X, h0, only, K)


def _other_length(more: int) -> Callable[..., dict[str, Tensor]]:
    return lambda *arguments: _run(*arguments[:-1], arguments[-1] + more)


def _windows(W_hx, W_hh, W_qh, X, h0, dO, K) -> dict[str, Tensor]:
    """Each loss on its own, K steps back wherever it stands."""
    total = torch.zeros_like(W_hh)
    for t in range(len(X)):
        only = torch.zeros_like(dO)
        only[t] = dO[t]
        begin = max(t - K + 1, 0)
        found = _run(W_hx, W_hh, W_qh, X, h0, only, K, cut=lambda s, K, begin=begin: s == begin)
        total = total + found["dW_hh"]
    return found | {"dW_hh": total}


def _whole_blocks(W_hx, W_hh, W_qh, X, h0, dO, K) -> dict[str, Tensor]:
    T = len(X) // K * K
    return _run(W_hx, W_hh, W_qh, X[:T], h0, dO[:T], K)


def _mean_of_blocks(*arguments) -> dict[str, Tensor]:
    found, X, K = _run(*arguments), arguments[3], arguments[-1]
    return found | {"dW_hh": found["dW_hh"] / math.ceil(len(X) / K)}


def _blocks_case(seed: int, T: int, K: int) -> dict[str, Tensor | int]:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    rnn = RNN(normal(3, 2), normal(3, 3) / 2, normal(4, 3))
    weights = {"W_hx": rnn.W_hx, "W_hh": rnn.W_hh, "W_qh": rnn.W_qh}
    return weights | {"X": normal(T, 2), "h0": normal(3), "dO": normal(T, 4), "K": K}


carried_blocks = Exercise(
    "a_character_model.carried_blocks",
    chapter=CHAPTER,
    returns={"H": "(T+1, n)", "dW_hh": "(n, n)"},
    reference=_run,
    cases=[_blocks_case(1, 9, 3), _blocks_case(2, 8, 3), _blocks_case(3, 10, 4)],
    mistakes=[
        Mistake(
            "state reset",
            _run_with(start="zero"),
            "each block begins with a zero state: the network forgets what it has read. Carry the "
            "last state of the block before.",
            "Reading in streams",
        ),
        Mistake(
            "every block from h_0",
            _run_with(start="h0"),
            "each block begins with the same given h_0. It belongs to the first block alone; the "
            "others continue.",
            "Reading in streams",
        ),
        Mistake(
            "state at the start of the block before",
            _run_with(start="block before"),
            "you carry the state with which the block before began, not the one with which it "
            "ended.",
            "Reading in streams",
        ),
        Mistake(
            "last state but one",
            _run_with(late=1),
            "you carry the last state but one. The states of a block of K steps have K + 1 rows, "
            "its initial state included; take the last.",
            "Reading in streams",
        ),
        Mistake(
            "h_0 taken for zero",
            _from_zero,
            "the very first state is zero in your computation. h_0 is given and is not zero.",
            "Reading in streams",
        ),
        Mistake(
            "history kept",
            _run_with(cut=lambda t, K: False),
            "the states are right, and your gradient goes back over the cuts: it is the full one. "
            "The carried state is a given number for its block.",
            "Four ways through a stretch",
        ),
        Mistake(
            "cut at every step",
            _run_with(cut=lambda t, K: True),
            "the states are right, and your gradient is cut at every step. The history ends where "
            "a block begins.",
            "Four ways through a stretch",
        ),
        Mistake(
            "cuts one step late",
            _run_with(cut=lambda t, K: t % K == 1),
            "your cuts lie one step late. The first block holds the steps 1 to K, the rows 0 to "
            "K-1 of X.",
            "Four ways through a stretch",
        ),
        Mistake(
            "blocks one step too long",
            _other_length(1),
            "your gradient is cut every K + 1 steps. A block has K steps; K + 1 is the number of "
            "its states, the initial one included.",
            "Four ways through a stretch",
        ),
        Mistake(
            "blocks one step too short",
            _other_length(-1),
            "your gradient is cut every K - 1 steps. A block has K steps, and K - 1 links between "
            "them.",
            "Four ways through a stretch",
        ),
        Mistake(
            "windows for blocks",
            _windows,
            "every loss sees K steps in your gradient: these are windows. In a block a loss sees "
            "back to the beginning of its block, 1 to K steps.",
            "Four ways through a stretch",
        ),
        Mistake(
            "last short block left out",
            _whole_blocks,
            "the steps after the last whole block are missing. The last block may be shorter than "
            "K; go on to the end of X.",
            "Four ways through a stretch",
        ),
        Mistake(
            "derivative of tanh forgotten",
            _run_with(slope=False),
            "the derivative of tanh is missing: the adjoint of z_t is 1 - h_t^2 times that of h_t.",
            "What the network is asked",
        ),
        Mistake(
            "W_hh not transposed",
            _run_with(back=lambda W: W),
            "on the way back you multiplied by W_hh as it is. An adjoint goes back with its "
            "transpose.",
            "What the network is asked",
        ),
        Mistake(
            "mean over the blocks",
            _mean_of_blocks,
            "you averaged over the blocks. The losses of all blocks belong to one sum, and so do "
            "their gradients.",
            "Four ways through a stretch",
        ),
        Mistake(
            "h_t for h_{t-1}",
            _run_with(met=1),
            "each adjoint is paired with the state of its own step. The weight met the state "
            "before.",
            "Four ways through a stretch",
        ),
        Mistake(
            "last block alone",
            _last_block,
            "your gradient is that of the last block. Add up those of all blocks.",
            "Four ways through a stretch",
        ),
    ],
    hints=(
        "Forward there is no cut at all: all states are those of one long pass.",
        "Backward, set what comes from the future to zero at the last step of each block, t = K, "
        "2K, ...",
        "The equation is eq-text-carry: the value is carried, no derivative."
        ' Section "Reading in streams".',
    ),
    insight="Carry the value, drop the history: forward one long pass, backward blocks.",
)


# ---- 5. temperature --------------------------------------------------------------------------


def _chances(O: Tensor, tau: float) -> Tensor:
    return torch.softmax(O / tau, dim=1)


def _largest_alone(O: Tensor, tau: float) -> Tensor:
    return torch.nn.functional.one_hot(O.argmax(1), O.shape[1]).double()


def _outputs(seed: int, T: int, q: int, scale: float, tau: float) -> dict[str, Tensor | float]:
    generator = torch.Generator().manual_seed(seed)
    O = torch.randn(T, q, generator=generator, dtype=torch.float64)
    return {"O": scale * O, "tau": tau}


def _normalised(weights: Tensor) -> Tensor:
    return weights / weights.sum(1, keepdim=True)


_LARGE = torch.tensor([[3000.0, 2999.0, 0.0], [2.0, 1.0, 0.0]], dtype=torch.float64)

chances = Exercise(
    "a_character_model.chances",
    chapter=CHAPTER,
    returns={"P": "(T, q)"},
    reference=_chances,
    cases=[
        _outputs(1, 4, 5, 2.0, 0.5),
        _outputs(2, 3, 4, 2.0, 2.0),
        _outputs(3, 5, 3, 900.0, 0.7),
        {"O": _LARGE, "tau": 0.5},
        {"O": _LARGE, "tau": 2.0},
        {"O": torch.tensor([[0.0, -3000.0, 0.0]], dtype=torch.float64), "tau": 1000.0},
    ],
    mistakes=[
        Mistake(
            "multiplied by the temperature",
            lambda O, tau: torch.softmax(O * tau, dim=1),
            "you multiplied by the temperature. Cold must be careful: a small temperature makes "
            "the differences larger.",
            "Letting it write",
        ),
        Mistake(
            "probabilities divided",
            lambda O, tau: torch.softmax(O, dim=1) / tau,
            "you divided the probabilities, so they no longer add up to 1. Divide the outputs, "
            "before the softmax.",
            "Letting it write",
        ),
        Mistake(
            "temperature ignored",
            lambda O, tau: torch.softmax(O, dim=1),
            "the temperature changes nothing in your answer: this is temperature 1.",
            "Letting it write",
        ),
        Mistake(
            "softmax over time",
            lambda O, tau: torch.softmax(O / tau, dim=0),
            "your columns add up to 1. Each step, a row, has probabilities of its own.",
            "Letting it write",
        ),
        Mistake(
            "largest alone",
            _largest_alone,
            "the most likely character gets everything. That is temperature 0; the others should "
            "keep a chance.",
            "Letting it write",
        ),
        Mistake(
            "not normalised",
            lambda O, tau: (O / tau - (O / tau).max(1, keepdim=True).values).exp(),
            "your rows do not add up to 1: divide by their sum.",
            "Letting it write",
        ),
        Mistake(
            "overflow",
            lambda O, tau: _normalised((O / tau).exp()),
            "your exponentials overflow, and infinity over infinity is no number. Subtract each "
            "row's largest value, after dividing by tau; it cancels.",
            "Letting it write",
        ),
        Mistake(
            "largest subtracted before dividing",
            lambda O, tau: _normalised((O / tau - O.max(1, keepdim=True).values).exp()),
            "you subtracted the largest output, but from outputs that were divided by tau already. "
            "Divide first, then take the largest of the quotients.",
            "Letting it write",
        ),
        Mistake(
            "largest of the whole matrix",
            lambda O, tau: _normalised((O / tau - (O / tau).max()).exp()),
            "you subtracted the largest value of all steps. Where a row lies far below it, all its "
            "exponentials are 0, and so is their sum. Each row has a largest value of its own.",
            "Letting it write",
        ),
        Mistake(
            "powers of the probabilities",
            lambda O, tau: _normalised(torch.softmax(O, dim=1) ** (1 / tau)),
            "you raised the probabilities to the power 1/tau. On paper that is the same; but a "
            "probability that has become 0 in the computer stays 0, however warm it gets. Divide "
            "the outputs.",
            "Letting it write",
        ),
    ],
    hints=(
        "Where does the temperature act: on the outputs, or on the probabilities?",
        "Divide the outputs, subtract the largest of each row so that nothing overflows, then the "
        "softmax of each row.",
        'The equation is eq-text-temperature. Section "Letting it write".',
    ),
    insight="A temperature divides outputs, so it changes the ratios of the probabilities.",
)


# ---- 6. predict ------------------------------------------------------------------------------

_SCHEMES = ("full", "blocks", "window", "randomized", "update each block")
_PREDICTION = {
    "fewest updates": "window",
    "most updates": "update each block",
    "right on average": "randomized",
    "every loss has one depth": "window",
    "longest mean depth": "full",
    "short depths, long stretch": "blocks",
}

which_scheme = Exercise(
    "a_character_model.which_scheme",
    chapter=CHAPTER,
    returns=dict.fromkeys(_PREDICTION, "()"),
    reference=_PREDICTION,
    options=_SCHEMES,
    mistakes=[
        Mistake(
            "full BPTT taken for the dearest",
            _PREDICTION | {"fewest updates": "full"},
            "full backpropagation carries all losses back together, one step back a step. A window "
            "carries each loss on its own, so that it multiplies K - 1 times as often by W_hh.",
            "What an update costs",
        ),
        Mistake(
            "coins taken for the dearest",
            _PREDICTION | {"fewest updates": "randomized"},
            "coins change a factor on each link and nothing else: the products are those of full "
            "backpropagation. Somebody else walks back once for each lag.",
            "What an update costs",
        ),
        Mistake(
            "blocks taken for the cheapest",
            _PREDICTION | {"most updates": "blocks"},
            "blocks save a few steps back, about one in a hundred multiplications. To make more "
            "updates, read less before each.",
            "What an update costs",
        ),
        Mistake(
            "window taken for unbiased",
            _PREDICTION | {"right on average": "window"},
            "a window drops all lags from K on, always. Only coins with the weight 1/kappa "
            "drop them sometimes and make up for it.",
            "Four ways through a stretch",
        ),
        Mistake(
            "full taken for a truncation",
            _PREDICTION | {"right on average": "full"},
            "full backpropagation is right for its stretch, but it cuts nothing inside. The "
            "question asks for a scheme that truncates.",
            "Four ways through a stretch",
        ),
        Mistake(
            "full taken for one depth",
            _PREDICTION | {"every loss has one depth": "full"},
            "uncut, the first loss of a stretch sees one step and the last one sees all S.",
            "Four ways through a stretch",
        ),
        Mistake(
            "coins taken for one depth",
            _PREDICTION | {"every loss has one depth": "randomized"},
            "K is only the mean length of a history that has no beginning. Each draw of the coins "
            "gives other depths, from one step to all.",
            "Four ways through a stretch",
        ),
        Mistake(
            "blocks taken for windows",
            _PREDICTION | {"every loss has one depth": "blocks"},
            "in blocks a loss sees 1 to K steps, by its position. In a window all see K.",
            "Four ways through a stretch",
        ),
        Mistake(
            "randomized taken for the deepest",
            _PREDICTION | {"longest mean depth": "randomized"},
            "a random history may be long, but its mean is below K. Uncut, the losses of a stretch "
            "see (S + 1)/2 on average.",
            "Four ways through a stretch",
        ),
        Mistake(
            "window taken for the deepest",
            _PREDICTION | {"longest mean depth": "window"},
            "a window sees K steps everywhere. Compare that with (S + 1)/2 for the S of a stretch.",
            "Four ways through a stretch",
        ),
        Mistake(
            "windows taken for short",
            _PREDICTION | {"short depths, long stretch": "window"},
            "in a window every loss sees all K steps, so the mean is K. Where is a loss near the "
            "beginning of something?",
            "Four ways through a stretch",
        ),
        Mistake(
            "the two blocks taken for one",
            _PREDICTION | {"short depths, long stretch": "update each block"},
            "updating after each block reads K characters before it moves. The question asks for "
            "one update after all S.",
            "Four ways through a stretch",
        ),
    ],
    hints=(
        "How often does each scheme multiply by W_hh on the way back, and how much does it read "
        "before an update?",
        "Write down depth and multiplications of all five for S = 8 and K = 2.",
        "The equations are eq-text-depth and eq-text-cost, with eq-text-window-cost."
        ' Section "Four ways through a stretch" and "What an update costs".',
    ),
    insight="How far a loss sees and how often the weights move are two questions.",
)
