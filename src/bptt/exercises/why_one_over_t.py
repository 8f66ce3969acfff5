"""Exercises of chapter 3, "Why 1/T", with the wrong answers that learners give."""

from __future__ import annotations

import torch
from torch import Tensor

from bptt.exercises.engine import Exercise, Mistake
from bptt.rnn import RNN

CHAPTER = "chapter 3, Why 1/T"


# ---- 1. by hand ----------------------------------------------------------------------------

_LENGTHS = (1, 3)
_ERRORS = ((4.0,), (4.0, 2.0, 2.0))  # h_t - y_t of the sequences A and B
_TOTAL = (1.0, 4.0, 12.0)  # dh_t/dw for w = 2, h_0 = 1
_IMMEDIATE = (1.0, 2.0, 4.0)  # h_{t-1}: the last use of w alone


def _two_means(derivatives: tuple[float, ...] = _TOTAL) -> dict[str, float]:
    """Both means of the losses and of their gradients."""
    losses = [sum(e**2 / 2 for e in errors) for errors in _ERRORS]
    gradients = [
        sum(e * d for e, d in zip(errors, derivatives, strict=False)) for errors in _ERRORS
    ]

    def by_token(sums: list[float]) -> float:
        return sum(sums) / sum(_LENGTHS)

    def by_sequence(sums: list[float]) -> float:
        return sum(total / T for total, T in zip(sums, _LENGTHS, strict=True)) / len(_LENGTHS)

    return {
        "token_loss": by_token(losses),
        "token_gradient": by_token(gradients),
        "sequence_loss": by_sequence(losses),
        "sequence_gradient": by_sequence(gradients),
    }


_MEANS = _two_means()

by_hand = Exercise(
    "why_one_over_t.by_hand",
    chapter=CHAPTER,
    returns=dict.fromkeys(_MEANS, "()"),
    reference=_MEANS,
    tolerance=2e-3,
    mistakes=[
        Mistake(
            "means swapped",
            {
                "token_loss": _MEANS["sequence_loss"],
                "token_gradient": _MEANS["sequence_gradient"],
                "sequence_loss": _MEANS["token_loss"],
                "sequence_gradient": _MEANS["token_gradient"],
            },
            "the two means are swapped. The mean over tokens adds all real losses and divides "
            "once, by their number.",
            "Padded batches",
        ),
        Mistake(
            "padding counted",
            {name: (40 if "gradient" in name else 20) / 6 for name in _MEANS},
            "you divided by T B = 6, and so counted the two padded steps. There are four real "
            "steps, and sequence A has one of them.",
            "Padded batches",
        ),
        Mistake(
            "last use only",
            _two_means(_IMMEDIATE),
            "the losses are right, but dh_t/dw is taken as h_{t-1}. That counts the last use of "
            "w alone; h_t = w^t h_0 has t of them.",
            "Three steps, by hand",
        ),
        Mistake(
            "divided twice",
            _MEANS
            | {
                "token_gradient": _MEANS["token_gradient"] / 4,
                "sequence_gradient": (4 / 1 / 1 + 36 / 3 / 3) / 2,
            },
            "the gradients are divided once more than the losses. The factor of a loss passes to "
            "its gradient once; the uses of w add up.",
            "Where the 1/T enters",
        ),
        Mistake(
            "half forgotten",
            {name: v if "gradient" in name else 2 * v for name, v in _MEANS.items()},
            "the losses are twice too large: each is half the squared error.",
            "Three steps, by hand",
        ),
        Mistake(
            "errors with the sign turned",
            {name: -v if "gradient" in name else v for name, v in _MEANS.items()},
            "the gradients have the wrong sign: the derivative of a loss by the state is state "
            "minus the target.",
            "Three steps, by hand",
        ),
        Mistake(
            "not divided by B",
            _MEANS | {"sequence_loss": 12.0, "sequence_gradient": 16.0},
            "you added the two sequence means. Their mean is asked for: divide by B = 2.",
            "Padded batches",
        ),
        Mistake(
            "sums",
            {
                "token_loss": 20.0,
                "token_gradient": 40.0,
                "sequence_loss": 20.0,
                "sequence_gradient": 40.0,
            },
            "these are sums. Each mean still has its division, and the two means divide "
            "differently.",
            "Two printings, two losses",
        ),
    ],
    hints=(
        "Write one row for each real step: error, loss, dh_t/dw, and their product.",
        "A has one row, B has three. For the token mean forget where the rows come from.",
        "The two means are those of eq-mean-padded; the gradient of each has the same weights."
        ' See "Padded batches".',
    ),
    insight="One mean has the larger loss, the other the larger gradient: they are two losses.",
)


# ---- 2. tables of weights ------------------------------------------------------------------


def _real(lengths: Tensor, T: int, more: int = 0) -> Tensor:
    """1.0 where sequence b has a step t, ``(T, B)``; ``more`` moves the end."""
    return (torch.arange(T)[:, None] < lengths + more).double()


def _tables(lengths: Tensor, T: int, more: int = 0) -> dict[str, Tensor]:
    real = _real(lengths, T, more)
    return {"tokens": real / lengths.sum(), "sequences": real / (len(lengths) * lengths)}


def _mean_over_steps_of_batch_means(lengths: Tensor, T: int) -> Tensor:
    real = _real(lengths, T)
    running = real.sum(1, keepdim=True)  # sequences that still run at each step
    return real / running.clamp(min=1) / int(lengths.max())


reduction_weights = Exercise(
    "why_one_over_t.reduction_weights",
    chapter=CHAPTER,
    returns={"tokens": "(T, B)", "sequences": "(T, B)"},
    reference=_tables,
    cases=[
        {"lengths": torch.tensor([7, 2, 4]), "T": 7},
        {"lengths": torch.tensor([3, 9, 1, 5]), "T": 11},
    ],
    mistakes=[
        Mistake(
            "tables swapped",
            lambda lengths, T: {
                "tokens": _tables(lengths, T)["sequences"],
                "sequences": _tables(lengths, T)["tokens"],
            },
            "the two tables are swapped. In the token mean all real steps weigh the same.",
            "Padded batches",
        ),
        Mistake(
            "padding counted",
            lambda lengths, T: dict.fromkeys(
                ("tokens", "sequences"), _real(lengths, T) / (T * len(lengths))
            ),
            "you divided by T B, the size of the padded batch. The weights then add up to "
            "less than 1, and the more padding there is, the less.",
            "Padded batches",
        ),
        Mistake(
            "mask forgotten",
            lambda lengths, T: {
                "tokens": torch.ones(T, len(lengths)).double() / lengths.sum(),
                "sequences": torch.ones(T, 1).double() / (len(lengths) * lengths),
            },
            "padded steps have a weight. They are not part of the loss: their weight is zero.",
            "Padded batches",
        ),
        Mistake(
            "not divided by B",
            lambda lengths, T: {
                "tokens": _tables(lengths, T)["tokens"],
                "sequences": _real(lengths, T) / lengths,
            },
            "each sequence is averaged, but the sequences are added. Their weights together are "
            "B; divide by B once more.",
            "Padded batches",
        ),
        Mistake(
            "batch first, then time",
            lambda lengths, T: {
                "tokens": _tables(lengths, T)["tokens"],
                "sequences": _mean_over_steps_of_batch_means(lengths, T),
            },
            "you averaged over the sequences at each step first, and over the steps then. That is "
            "a third mean: late steps, where few sequences still run, weigh more. Average over "
            "the steps of one sequence first.",
            "Padded batches",
        ),
        Mistake(
            "one step short",
            lambda lengths, T: _tables(lengths, T, more=-1),
            "the last real step of each sequence has weight zero. A sequence of length 1 has "
            "its step in row 0.",
            "Padded batches",
        ),
        Mistake(
            "one step too long",
            lambda lengths, T: _tables(lengths, T, more=1),
            "the first padded step of each sequence has a weight. Row t - 1 belongs to step t, "
            "and step T_b is the last one.",
            "Padded batches",
        ),
    ],
    hints=(
        "First the mask: in column b, the rows 0 to T_b - 1 are real.",
        "Each table is the mask divided by something: by one number for the tokens, by one number "
        "a column for the sequences. Both tables add up to 1.",
        "Read the weights off eq-mean-padded, in the form of eq-mean-weights."
        ' See "Padded batches".',
    ),
    insight="Every reduction is a table of weights, and a mean is one whose weights add up to 1.",
)


# ---- 3. a prediction: T doubles ------------------------------------------------------------

_DOUBLED = {
    "gradient norm, sum": "doubles",
    "gradient norm, mean": "stays",
    "clipped step, sum": "stays",
    "Adam step, sum": "stays",
    "share of weight decay, sum": "halves",
    "steps in a pass, mean": "halves",
}

twice_as_long = Exercise(
    "why_one_over_t.twice_as_long",
    chapter=CHAPTER,
    returns=dict.fromkeys(_DOUBLED, "()"),
    reference=_DOUBLED,
    options=("doubles", "stays", "halves"),
    mistakes=[
        Mistake(
            "the mean shrinks",
            _DOUBLED | {"gradient norm, mean": "halves"},
            "the mean is divided by twice the number, but it also adds twice as many gradients. "
            "In a network with a short memory, far from trained, they are of one size.",
            "The size of the gradient",
        ),
        Mistake(
            "the sum stays",
            _DOUBLED | {"gradient norm, sum": "stays"},
            "the sum has twice as many terms, which mostly agree in this network: nothing divides "
            "them.",
            "The size of the gradient",
        ),
        Mistake(
            "the clipped step doubles",
            _DOUBLED | {"clipped step, sum": "doubles"},
            "this gradient was clipped already. Its length is the threshold, before and after.",
            "Clipping by norm",
        ),
        Mistake(
            "the mean doubles",
            _DOUBLED | {"gradient norm, mean": "doubles"},
            "twice as many gradients are added, and the mean divides by twice the number.",
            "The size of the gradient",
        ),
        Mistake(
            "the sum halves",
            _DOUBLED | {"gradient norm, sum": "halves"},
            "nothing divides a sum, and here its terms mostly agree: it has twice as many.",
            "The size of the gradient",
        ),
        Mistake(
            "the clipped step halves",
            _DOUBLED | {"clipped step, sum": "halves"},
            "a clipped gradient has the length of the threshold, whatever it was before.",
            "Clipping by norm",
        ),
        Mistake(
            "Adam halves",
            _DOUBLED | {"Adam step, sum": "halves"},
            "Adam divides the gradient by its own recent size, which has grown by the same factor.",
            "Weight decay and Adam",
        ),
        Mistake(
            "steps in a pass double",
            _DOUBLED | {"steps in a pass, mean": "doubles"},
            "each step now uses twice as much text, so a pass has fewer steps, not more.",
            "Truncation blocks",
        ),
        Mistake(
            "Adam sees the scale",
            _DOUBLED | {"Adam step, sum": "doubles"},
            "Adam divides by the size of recent gradients. A factor that all of them carry "
            "cancels, up to eps.",
            "Weight decay and Adam",
        ),
        Mistake(
            "the decay keeps its share",
            _DOUBLED | {"share of weight decay, sum": "stays"},
            "the decay term does not know T, and the gradient beside it has doubled.",
            "Weight decay and Adam",
        ),
        Mistake(
            "the decay gains",
            _DOUBLED | {"share of weight decay, sum": "doubles"},
            "the gradient has grown, the decay term has not: the decay's share of the step falls.",
            "Weight decay and Adam",
        ),
        Mistake(
            "steps in a pass stay",
            _DOUBLED | {"steps in a pass, mean": "stays"},
            "the text has as many characters as before, and each step now uses twice as many.",
            "Truncation blocks",
        ),
    ],
    hints=(
        "Ask each time: does this quantity know T, and does anything divide it out again?",
        "After clipping only the direction of the gradient is left; Adam divides by its size.",
        "For the gradient see eq-mean-gradient; for the others eq-mean-clipped, eq-mean-adam, "
        "eq-mean-decay and eq-mean-blocks."
        ' See "Nothing else changes", "Clipping by norm", "Weight decay and Adam" and '
        '"Truncation blocks".',
    ),
    insight="What has a scale of its own, a threshold or a decay, notices the length; Adam hardly.",
)


# ---- 4. one division too many --------------------------------------------------------------


def _network(n: int, d: int, q: int, T: int, seed: int) -> dict[str, Tensor]:
    """A generic tanh network, one sequence long; E holds the derivative of each loss by o_t."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    rnn = RNN(normal(n, d), normal(n, n) / n**0.5, normal(q, n))
    X, h0, E = normal(T, d), normal(n), normal(T, q)
    H = rnn(X[:, None], h0[None]).H[:, 0]
    return {"W_hh": rnn.W_hh, "W_qh": rnn.W_qh, "X": X, "H": H, "E": E}


def _backward(
    W_hh: Tensor,
    W_qh: Tensor,
    X: Tensor,
    H: Tensor,
    E: Tensor,
    *,
    in_dO: bool = True,
    in_message: bool = False,
    again_in: tuple[str, ...] = (),
    count: int | None = None,
) -> dict[str, Tensor]:
    """The gradients of the mean loss; the options make the known mistakes."""
    T = len(E)
    count = count or T
    dO = E / count if in_dO else E.clone()
    dZ, future = torch.zeros(T, len(W_hh), dtype=W_hh.dtype), torch.zeros_like(H[0])
    for row in reversed(range(T)):
        dZ[row] = (1 - H[row + 1] ** 2) * (W_qh.T @ dO[row] + future)
        future = W_hh.T @ dZ[row] / (T if in_message else 1)
    gradients = {"dW_hx": dZ.T @ X, "dW_hh": dZ.T @ H[:-1], "dW_qh": dO.T @ H[1:]}
    return {name: g / T if name in again_in else g for name, g in gradients.items()}


def _backward_mistake(**options):
    return lambda W_hh, W_qh, X, H, E: _backward(W_hh, W_qh, X, H, E, **options)


mean_gradients = Exercise(
    "why_one_over_t.mean_gradients",
    chapter=CHAPTER,
    returns={"dW_hx": "(n, d)", "dW_hh": "(n, n)", "dW_qh": "(q, n)"},
    reference=lambda W_hh, W_qh, X, H, E: _backward(W_hh, W_qh, X, H, E),
    cases=[_network(3, 2, 4, 7, seed=31), _network(4, 3, 2, 9, seed=32)],
    mistakes=[
        Mistake(
            "as given",
            _backward_mistake(again_in=("dW_hx", "dW_hh")),
            "this is the colleague's code. Two of the three gradients carry 1/T twice: once in "
            "dO, which reaches them through dz, and once more in their own sum.",
            "Where the 1/T enters",
        ),
        Mistake(
            "wrong one removed",
            _backward_mistake(in_dO=False, again_in=("dW_hx", "dW_hh")),
            "you removed the 1/T from dO. Two gradients are now right, but dW_qh is made from dO "
            "directly and has no 1/T any more. Divide where all three begin.",
            "Where the 1/T enters",
        ),
        Mistake(
            "twice in all three",
            _backward_mistake(again_in=("dW_hx", "dW_hh", "dW_qh")),
            "all three gradients carry 1/T twice: dO has it already. They are T times too small; a "
            "test of the direction alone would pass.",
            "Where the 1/T enters",
        ),
        Mistake(
            "W_hh alone mended",
            _backward_mistake(again_in=("dW_hx",)),
            "dW_hh is mended, dW_hx still carries 1/T twice: once in dO, which reaches it through "
            "dz, and once more in its own sum.",
            "Where the 1/T enters",
        ),
        Mistake(
            "W_hx alone mended",
            _backward_mistake(again_in=("dW_hh",)),
            "dW_hx is mended, dW_hh still carries 1/T twice: once in dO, which reaches it through "
            "dz, and once more in its own sum.",
            "Where the 1/T enters",
        ),
        Mistake(
            "the sum's gradient",
            _backward_mistake(in_dO=False),
            "this is the gradient of the summed loss: the 1/T is missing.",
            "Nothing else changes",
        ),
        Mistake(
            "1/T at every step",
            _backward_mistake(in_message=True),
            "the message to the step before is divided by T at every step. A loss k steps ahead "
            "is then divided by T^k once more; the recursion itself has no T.",
            "Where the 1/T enters",
        ),
        Mistake(
            "divided by T + 1",
            lambda W_hh, W_qh, X, H, E: _backward(W_hh, W_qh, X, H, E, count=len(H)),
            "you divided by len(H), which is T + 1: H also holds h_0. There are T losses.",
            "Two printings, two losses",
        ),
    ],
    hints=(
        "Which of the three gradients does the colleague's code get right?",
        "Follow the factor: dO has it. What is made from dO has it too.",
        "The factor enters in eq-mean-direct, and eq-mean-grad has no factor."
        ' See "Where the 1/T enters".',
    ),
    insight="One division, where all paths begin, serves all weights: sums over uses have none.",
)


# ---- 5. the settings of a summed loss ------------------------------------------------------


def _scaled(rate: int, threshold: int, decay: int):
    """Learning rate, threshold and decay multiplied by these powers of T."""

    def settings(settings: Tensor, T: int) -> Tensor:
        powers = torch.tensor([rate, threshold, decay], dtype=torch.float64)
        return settings * torch.tensor(float(T), dtype=torch.float64) ** powers

    return settings


def _settings(k: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(k, 3, generator=generator, dtype=torch.float64) + 0.1


sum_settings = Exercise(
    "why_one_over_t.sum_settings",
    chapter=CHAPTER,
    returns={"converted": "(k, 3)"},
    reference=_scaled(-1, 1, 1),
    cases=[
        {"settings": _settings(2, seed=33), "T": 7},
        {"settings": _settings(5, seed=34), "T": 40},
    ],
    mistakes=[
        Mistake(
            "rate alone",
            _scaled(-1, 0, 0),
            "only the learning rate is converted. The steps agree while nothing clips and nothing "
            "decays; the threshold and the decay meet the longer gradient too.",
            "Clipping by norm",
        ),
        Mistake(
            "nothing changed",
            _scaled(0, 0, 0),
            "these are the settings of the mean loss. With the summed loss they take steps that "
            "are T times as long until the threshold clips them.",
            "Learning rate",
        ),
        Mistake(
            "all divided",
            _scaled(-1, -1, -1),
            "all three are divided. Only the rate gets smaller; the threshold and the decay meet a "
            "gradient that is T times as long.",
            "Clipping by norm",
        ),
        Mistake(
            "threshold forgotten",
            _scaled(-1, 0, 1),
            "the threshold is unchanged. It meets a gradient T times as long, clips it far too "
            "often, and the step of a clipped gradient is T times too short.",
            "Clipping by norm",
        ),
        Mistake(
            "decay forgotten",
            _scaled(-1, 1, 0),
            "the decay is unchanged, but it acts through the learning rate, which you divided: "
            "the weights now decay T times too slowly.",
            "Weight decay and Adam",
        ),
        Mistake(
            "threshold divided",
            _scaled(-1, -1, 1),
            "the threshold goes the wrong way. The gradient of the sum is T times as long, so "
            "what clips it at the same moments is T times as large.",
            "Clipping by norm",
        ),
        Mistake(
            "decay divided",
            _scaled(-1, 1, -1),
            "the decay goes the wrong way. Rate times decay must stay as it was.",
            "Weight decay and Adam",
        ),
        Mistake(
            "the other direction",
            _scaled(1, -1, -1),
            "you converted in the other direction: these are the settings with which a mean loss "
            "takes the steps of a summed one.",
            "Learning rate",
        ),
        Mistake(
            "rate multiplied",
            _scaled(1, 1, 1),
            "the rate goes the wrong way. The summed gradient is T times as long, so the rate has "
            "to be smaller.",
            "Learning rate",
        ),
    ],
    hints=(
        "First assume that nothing is clipped and nothing decays: which rate gives the same step?",
        "A clipped step has the length rate times threshold, a decay step is rate times decay "
        "times W. Neither product may change.",
        "Compare eq-mean-rate, eq-mean-clip-scale and eq-mean-decay, read from right to left."
        ' See "Learning rate", "Clipping by norm" and "Weight decay and Adam".',
    ),
    insight="Rate times threshold and rate times decay stay; all three settings change.",
)
