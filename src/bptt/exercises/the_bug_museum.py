"""Exercises of chapter 14, "The bug museum", with the wrong answers that learners give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

import torch
from torch import Tensor

from bptt.backward import Gradients, bptt
from bptt.checks import CHECKS
from bptt.exercises.engine import Exercise, Mistake
from bptt.museum import MUSEUM, BackwardPass
from bptt.rnn import RNN, Tape

CHAPTER = "chapter 14, The bug museum"


def _generator(seed: int):
    generator = torch.Generator().manual_seed(seed)
    return lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)


# ---- 1. right by accident, by hand -----------------------------------------------------------

_W, _H = 2, (2, 2, -1, 5)  # h_0 ... h_3


def _counted(count: Callable[[int, int], float], later: int = 0) -> float:
    """All pairs of a loss and a use, each so often; ``later`` takes the state of another step."""
    return float(
        sum(
            count(t, j) * _W ** (t - j) * _H[j - 1 + later]
            for t in (1, 2, 3)
            for j in range(1, t + 1)
        )
    )


_RIGHT = _counted(lambda t, j: 1)
_SAME_STEP = _counted(lambda t, j: 1, later=1)
_HAND = {
    "right": _RIGHT,
    "state of the same step": _SAME_STEP,
    "assigned, not added": _counted(lambda t, j: j == 1),
    "immediate only": _counted(lambda t, j: t == j),
    "total times total": _counted(lambda t, j: t - j + 1),
    "h_3 that hides it": _RIGHT - (_SAME_STEP - _H[3]),
}

by_hand = Exercise(
    "the_bug_museum.by_hand",
    chapter=CHAPTER,
    returns=dict.fromkeys(_HAND, "()"),
    reference=_HAND,
    tolerance=2e-3,
    mistakes=[
        Mistake(
            "the right one without a future",
            _HAND | {"right": _HAND["immediate only"]},
            "for the right derivative you let each loss see its own step only. The loss of step 3 "
            "also reaches the weight at steps 1 and 2.",
            "The smallest museum",
        ),
        Mistake(
            "the right one without h_0",
            _HAND | {"right": _counted(lambda t, j: j > 1)},
            "for the right derivative you left out what the weight met at step 1: that is h_0.",
            "The smallest museum",
        ),
        Mistake(
            "the loss of the last step alone",
            _HAND | {"right": _counted(lambda t, j: t == 3)},
            "for the right derivative you took the loss of step 3 alone. L has all three states.",
            "The smallest museum",
        ),
        Mistake(
            "the right one with the state of the same step",
            _HAND | {"right": _SAME_STEP},
            "for the right derivative you paired the adjoint of step t with h_t. The weight met "
            "h_{t-1} there.",
            "The wrong partner",
        ),
        Mistake(
            "right and wrong exchanged",
            _HAND | {"right": _SAME_STEP, "state of the same step": _RIGHT},
            "you exchanged the right derivative and the one with the state of the same step.",
            "The wrong partner",
        ),
        Mistake(
            "immediate only with the state of the same step",
            _HAND | {"immediate only": float(sum(_H[1:]))},
            "for the immediate derivatives you added h_1, h_2 and h_3. Step t contributes what the "
            "weight meets there: h_{t-1}.",
            "The wrong pairs",
        ),
        Mistake(
            "the last step is left",
            _HAND | {"assigned, not added": _counted(lambda t, j: j == 3)},
            "for the overwritten sum you kept the use at step 3. The loop begins there; what was "
            "written last is left over.",
            "The wrong pairs",
        ),
        Mistake(
            "overwritten with its own loss alone",
            _HAND | {"assigned, not added": float(_H[0])},
            "for the overwritten sum you kept the right step, but with its own loss alone. The "
            "adjoint there also holds what comes back from steps 2 and 3.",
            "The wrong pairs",
        ),
        Mistake(
            "counted lag times",
            _HAND | {"total times total": _counted(lambda t, j: t - j)},
            "for total times total you counted a path of lag k only k times. One of lag 0 is "
            "there once, not never: count k + 1 times.",
            "The wrong pairs",
        ),
        Mistake(
            "total times total with squares",
            _HAND | {"total times total": _counted(lambda t, j: (t - j + 1) ** 2)},
            "for total times total you counted a path of lag k squared times. Its k + 1 places at "
            "which the two totals can meet are counted once each.",
            "The wrong pairs",
        ),
        Mistake(
            "the last state forgotten",
            _HAND | {"state of the same step": _SAME_STEP - _H[3]},
            "for the state of the same step you left out h_3. Step 3 pairs its adjoint with it.",
            "The wrong partner",
        ),
        Mistake(
            "all states equal",
            _HAND | {"h_3 that hides it": 2.0},
            "equal states would hide the mistake, but h_2 is given and differs already. Set the "
            "two sums equal and solve for h_3.",
            "The wrong partner",
        ),
        Mistake(
            "the difference for the state",
            _HAND | {"h_3 that hides it": _RIGHT - _SAME_STEP},
            "you gave by how much the two sums differ with the given h_3. That is what must be "
            "added to it.",
            "The wrong partner",
        ),
    ],
    hints=(
        "The adjoints are dL/dh_3 = 1, dL/dh_2 = 1 + 2 dL/dh_3 and dL/dh_1 = 1 + 2 dL/dh_2. Pair "
        "them with h_2, h_1 and h_0.",
        "For total times total write the table of the six pairs, and count a pair of lag k k + 1 "
        "times. For the last number, the mistake and the right sum must be equal.",
        'The pairs are those of eq-museum-hand, in "The smallest museum".',
    ),
    insight="A wrong sum can be right by accident; with random numbers the accident has "
    "probability zero.",
)


# ---- 2. ten patients -------------------------------------------------------------------------

_ILLNESSES = sorted(
    (
        "assigned, not added",
        "cut into blocks",
        "divided by T again",
        "h_0 without its weight",
        "immediate only",
        "last loss only",
        "slope forgotten",
        "slopes pulled out",
        "state of the same step",
        "W_hh the wrong way round",
    ),
    key=lambda name: sha256(name.encode()).hexdigest(),
)


@dataclass(frozen=True)
class Patient:
    """A broken backward pass without a name: ``patient(tape, dO)`` returns its ``Gradients``."""

    number: int
    backward: BackwardPass = field(repr=False)

    def __call__(self, tape: Tape, dO: Tensor) -> Gradients:
        """The four gradients that this patient believes in."""
        return self.backward(tape, dO)


patients = [Patient(number, MUSEUM[name].broken) for number, name in enumerate(_ILLNESSES, start=1)]
_DIAGNOSES = {f"patient {number}": name for number, name in enumerate(_ILLNESSES, start=1)}


def _taken_for(name: str, other: str) -> dict[str, str]:
    """The right diagnoses but for one patient."""
    return {patient: other if own == name else own for patient, own in _DIAGNOSES.items()}


diagnosis = Exercise(
    "the_bug_museum.diagnosis",
    chapter=CHAPTER,
    returns=dict.fromkeys(_DIAGNOSES, "()"),
    reference=_DIAGNOSES,
    options=tuple(MUSEUM),
    mistakes=[
        Mistake(
            "one row of pairs taken for the diagonal",
            _taken_for("assigned, not added", "immediate only"),
            "on this patient's map of pairs the use at step 1 is right for every loss. If nothing "
            "came back from the next step, it would be right for the loss of step 1 alone.",
            "The wrong pairs",
        ),
        Mistake(
            "blocks taken for the diagonal",
            _taken_for("cut into blocks", "immediate only"),
            "look at a loss of step 2 or 3 alone: something does come back from it.",
            "The wrong pairs",
        ),
        Mistake(
            "blocks taken for gradients that pile up",
            _taken_for("cut into blocks", "state's gradient never cleared"),
            "with a loss at the last step alone this patient is still ill. Nothing could pile up "
            "there.",
            "The wrong pairs",
        ),
        Mistake(
            "two patients with one map exchanged",
            {
                patient: {"immediate only": "slopes pulled out"}.get(
                    name, "immediate only" if name == "slopes pulled out" else name
                )
                for patient, name in _DIAGNOSES.items()
            },
            "you exchanged the two patients whose maps are the same. With tiny weights all slopes "
            "are nearly 1, so their order does not matter, but a message that is missing still is.",
            "The wrong factor",
        ),
        Mistake(
            "missing messages taken for a wrong order",
            _taken_for("immediate only", "slopes pulled out"),
            "put the loss at step 7 alone: this patient's gradient of h_0 is zero. A wrong order "
            "of the factors would still send something back.",
            "The wrong pairs",
        ),
        Mistake(
            "a wrong order taken for missing messages",
            _taken_for("slopes pulled out", "immediate only"),
            "put the loss at step 7 alone: this patient's gradient of h_0 is not zero, so "
            "something does come back.",
            "The wrong factor",
        ),
        Mistake(
            "overwritten sums taken for total times total",
            _taken_for("assigned, not added", "total times total"),
            "on this patient's map the diagonal is wrong but for its first cell. Total times total "
            "counts a path of lag 0 once, as it should.",
            "The wrong pairs",
        ),
        Mistake(
            "missing losses taken for gradients that pile up",
            _taken_for("last loss only", "state's gradient never cleared"),
            "this patient's gradient of W_qh is wrong. What piles up in the gradients of the "
            "states does not reach W_qh.",
            "The wrong pairs",
        ),
        Mistake(
            "no slope taken for a clip",
            _taken_for("slope forgotten", "clipped inside"),
            "make the loss a thousand times smaller: this patient is still ill. And with one step "
            "the weights' gradients are wrong here, although no message meets them.",
            "The wrong size",
        ),
        Mistake(
            "T taken for B",
            _taken_for("divided by T again", "divided by B again"),
            "with one step this patient is well, and with one sequence it is not. Look at the "
            "size of the error as well.",
            "The wrong size",
        ),
        Mistake(
            "a missing product taken for a sum",
            _taken_for("h_0 without its weight", "h_0 summed over the batch"),
            "with one sequence this patient is still ill. A sum over one row changes nothing.",
            "The wrong partner",
        ),
        Mistake(
            "the diagonal taken for one row",
            _taken_for("immediate only", "assigned, not added"),
            "this patient's gradient of h_0 is wrong. Overwriting the weights' sums would leave it "
            "alone.",
            "The wrong pairs",
        ),
        Mistake(
            "the diagonal taken for the transpose",
            _taken_for("immediate only", "W_hh the wrong way round"),
            "make W_hh symmetric: this patient is still ill.",
            "The wrong factor",
        ),
        Mistake(
            "missing losses taken for missing steps",
            _taken_for("last loss only", "cut into blocks"),
            "this patient's gradient of W_qh is wrong, and W_qh needs no way back through time.",
            "The wrong pairs",
        ),
        Mistake(
            "missing losses taken for a division",
            _taken_for("last loss only", "divided by T again"),
            "this patient's gradient is no multiple of the right one. Put the loss at one step and "
            "see which step is heard.",
            "The wrong size",
        ),
        Mistake(
            "missing losses taken for the state before",
            _taken_for("last loss only", "output layer sees the state before"),
            "more than the gradient of W_qh is wrong here, and with one step nothing is.",
            "The wrong pairs",
        ),
        Mistake(
            "no slope taken for a slope of z",
            _taken_for("slope forgotten", "slope of z"),
            "with one step and x_1 a unit vector, a column of the gradient of W_hx is dL/dz_1, "
            "summed over the batch. Compare it with dL/dh_1: 1 - z^2 would stand between the two.",
            "The wrong factor",
        ),
        Mistake(
            "no slope taken for an older slope",
            _taken_for("slope forgotten", "slope of the step before"),
            "compare dL/dz_1 with dL/dh_1 in a case with one step and an h_0 that is not zero: "
            "1 - h_0^2 would stand between the two.",
            "The wrong factor",
        ),
        Mistake(
            "a wrong order taken for the transpose",
            _taken_for("slopes pulled out", "W_hh the wrong way round"),
            "make W_hh symmetric: this patient is still ill, for a transpose would not matter.",
            "The wrong factor",
        ),
        Mistake(
            "a wrong order taken for no slope",
            _taken_for("slopes pulled out", "slope forgotten"),
            "with one step this patient is well. A slope that is missing is missing there too.",
            "The wrong factor",
        ),
        Mistake(
            "the state of another step taken for zero",
            _taken_for("state of the same step", "h_0 taken for zero"),
            "with h_0 = 0 this patient is still ill.",
            "The wrong partner",
        ),
        Mistake(
            "the transpose taken for a wrong order",
            _taken_for("W_hh the wrong way round", "slopes pulled out"),
            "the gradient of h_0 is wrong already with one step. With one step there is one slope, "
            "and no order.",
            "The wrong factor",
        ),
        Mistake(
            "the transpose taken for the last product alone",
            _taken_for("W_hh the wrong way round", "h_0 without its weight"),
            "the gradients of the weights are wrong as well here, and the mistake spreads with the "
            "steps.",
            "The wrong partner",
        ),
    ],
    hints=(
        "Begin with the good design: which gradients are wrong? One alone means a wrong partner. "
        "If W_qh is among them, think of the loss; if h_0 is not, of how sums are collected.",
        "Then one step: who is well there needs a way between steps to be ill. Then a symmetric "
        "W_hh, then a loss at the last step. For the rest print the map of pairs.",
        "Two patients have the same map. Tiny weights make all slopes nearly 1: then their order "
        "does not matter, but a missing message still does.",
        'What is read off the map is eq-museum-one-hot, in "Why one random loss is enough".',
    ),
    insight="A mistake is known from outside by the cases in which it is none.",
)


# ---- 3. errors by loss -----------------------------------------------------------------------

Backward = Callable[[Tensor], Tensor]  # dO (T, B, q) -> a gradient


def _alone(dO: Tensor, t: int) -> Tensor:
    """The adjoint of the loss of step t: zero at all others."""
    return torch.where((torch.arange(1, len(dO) + 1) == t)[:, None, None], dO, 0.0)


def _up_to(dO: Tensor, t: int) -> Tensor:
    return torch.cat([dO[:t], torch.zeros_like(dO[t:])])


def _from(dO: Tensor, t: int) -> Tensor:
    return torch.cat([torch.zeros_like(dO[: t - 1]), dO[t - 1 :]])


def _size(G: Tensor) -> Tensor:
    return torch.linalg.vector_norm(G)


def _by_loss(
    error: Callable[[Tensor, Tensor], Tensor] = lambda got, wanted: (
        _size(got - wanted) / _size(wanted)
    ),
    keep: Callable[[Tensor, int], Tensor] = _alone,
):
    """The errors of all losses, with an error and a way to choose losses, right or wrong ones."""

    def errors_by_loss(dO: Tensor, backward: Backward, right: Backward) -> dict[str, Tensor]:
        losses = [keep(dO, t) for t in range(1, len(dO) + 1)]
        return {"errors": torch.stack([error(backward(g), right(g)) for g in losses])}

    return errors_by_loss


def _beside_all(dO: Tensor, backward: Backward, right: Backward) -> dict[str, Tensor]:
    absolute = _by_loss(lambda got, wanted: _size(got - wanted))
    return {"errors": absolute(dO, backward, right)["errors"] / _size(right(dO))}


def _subject(name: str, T: int, B: int, seed: int) -> dict[str, object]:
    """A case: one exhibit's gradient of W_hh on one network, and the right one."""
    normal = _generator(seed)
    n, d, q = 4, 2, 3
    rnn = RNN(normal(n, d), normal(n, n) / 2, normal(q, n))
    tape = rnn(normal(T, B, d), normal(B, n))

    def of_all_steps(dO: Tensor) -> Tensor:
        if dO.shape != (T, B, q):
            raise ValueError(
                f"expected an adjoint of all steps, shape {(T, B, q)}, got {tuple(dO.shape)}: a "
                "step without a loss has zeros"
            )
        return dO

    return {
        "dO": normal(T, B, q),
        "backward": lambda dO: MUSEUM[name].broken(tape, of_all_steps(dO)).W_hh,
        "right": lambda dO: bptt(tape, of_all_steps(dO)).W_hh,
    }


errors_by_loss = Exercise(
    "the_bug_museum.errors_by_loss",
    chapter=CHAPTER,
    returns={"errors": "(T,)"},
    reference=_by_loss(),
    cases=[
        _subject("cut into blocks", T=7, B=3, seed=141),
        _subject("slope forgotten", T=4, B=2, seed=142),
        _subject("total times total", T=6, B=1, seed=143),
    ],
    mistakes=[
        Mistake(
            "absolute error",
            _by_loss(lambda got, wanted: _size(got - wanted)),
            "you did not divide by the size of the right gradient.",
            "The famous checks",
        ),
        Mistake(
            "losses up to t",
            _by_loss(keep=_up_to),
            "row t - 1 has all losses up to step t. Then one wrong loss spoils all later rows; "
            "keep the loss of step t alone.",
            "Why one random loss is enough",
        ),
        Mistake(
            "losses from t on",
            _by_loss(keep=_from),
            "row t - 1 has all losses from step t on. Keep the loss of step t alone.",
            "Why one random loss is enough",
        ),
        Mistake(
            "all but t",
            _by_loss(keep=lambda dO, t: dO - _alone(dO, t)),
            "you took the loss of step t away and kept the others. It is the other way round.",
            "Why one random loss is enough",
        ),
        Mistake(
            "divided by the size under test",
            _by_loss(lambda got, wanted: _size(got - wanted) / _size(got)),
            "you divided by the size of the gradient under test. Divide by that of the one that "
            "you trust.",
            "The famous checks",
        ),
        Mistake(
            "beside the gradient of all losses",
            _beside_all,
            "you divided by the size of the gradient of all losses together. Beside a large "
            "neighbour a small loss may be as wrong as it likes.",
            "The famous checks",
        ),
        Mistake(
            "largest entry",
            _by_loss(lambda got, wanted: (got - wanted).abs().max() / wanted.abs().max()),
            "you compared the largest entries. The 2-norm is asked for, over all entries.",
            "The famous checks",
        ),
        Mistake(
            "not rooted",
            _by_loss(lambda got, wanted: (got - wanted).square().sum() / wanted.square().sum()),
            "you have the squares of the errors: the roots are missing.",
            "The famous checks",
        ),
    ],
    hints=(
        "For each step t make an adjoint of zeros, copy row t - 1 of dO into it, and give it to "
        "both functions.",
        "torch.zeros_like(dO) makes the zeros. The relative error is the 2-norm of the difference "
        "over that of what right returns; torch.linalg.vector_norm takes it over all entries.",
        "Why losses may be tried one by one: eq-museum-linear."
        ' Section "Why one random loss is enough".',
    ),
    insight="One loss at a time tells where a backward pass fails, and needs none of its code.",
)


# ---- 4. caught or missed ---------------------------------------------------------------------

_TRIALS = (
    ("assigned, not added", "one step"),
    ("state of the same step", "one step"),
    ("state of the same step", "zero h_0"),
    ("h_0 without its weight", "zero h_0"),
    ("W_hh the wrong way round", "symmetric W_hh"),
    ("slopes pulled out", "symmetric W_hh"),
    ("state's gradient never cleared", "loss at the last step"),
    ("cut into blocks", "loss at the last step"),
    ("W_hh the wrong way round", "tiny weights"),
    ("immediate only", "tiny weights"),
)
_CAUGHT = {
    f"{mistake}: {check}": (
        "caught" if CHECKS[check].catches(MUSEUM[mistake].broken, seed=0) else "missed"
    )
    for mistake, check in _TRIALS
}


def _turned(name: str) -> dict[str, str]:
    """The right verdicts but for one."""
    return _CAUGHT | {name: "missed" if _CAUGHT[name] == "caught" else "caught"}


caught_or_missed = Exercise(
    "the_bug_museum.caught_or_missed",
    chapter=CHAPTER,
    returns=dict.fromkeys(_CAUGHT, "()"),
    reference=_CAUGHT,
    options=("caught", "missed"),
    mistakes=[
        Mistake(
            "a sum of one term",
            _turned("assigned, not added: one step"),
            "with one step the sum over time has one term, and to set it is to add it to zero.",
            "The famous checks",
        ),
        Mistake(
            "one step hides everything",
            _turned("state of the same step: one step"),
            "one step hides what passes between steps. This mistake passes nothing: it pairs "
            "dL/dz_1 with h_1, and h_0 is another vector.",
            "The wrong partner",
        ),
        Mistake(
            "zero h_0 hides the wrong state",
            _turned("state of the same step: zero h_0"),
            "with h_0 = 0 the first pair is wrong all the more: it should vanish. And there are "
            "six more steps.",
            "The wrong partner",
        ),
        Mistake(
            "what is not asked for",
            _turned("h_0 without its weight: zero h_0"),
            "this mistake touches the gradient of h_0 only, and this check does not ask for it.",
            "The famous checks",
        ),
        Mistake(
            "a transpose that is none",
            _turned("W_hh the wrong way round: symmetric W_hh"),
            "a symmetric matrix is its own transpose.",
            "The famous checks",
        ),
        Mistake(
            "symmetric taken for diagonal",
            _turned("slopes pulled out: symmetric W_hh"),
            "the order of the factors matters as long as W_hh does not commute with the diagonal "
            "matrices of the slopes. To be symmetric is not enough; to be diagonal would be.",
            "The wrong factor",
        ),
        Mistake(
            "nothing to pile up",
            _turned("state's gradient never cleared: loss at the last step"),
            "losses before the last leave nothing behind here, because they are zero. There is "
            "nothing to clear.",
            "The famous checks",
        ),
        Mistake(
            "one loss needs no way back",
            _turned("cut into blocks: loss at the last step"),
            "the loss of step 7 still has six steps to go back, and this pass stops on the way.",
            "The famous checks",
        ),
        Mistake(
            "tiny weights hide the transpose",
            _turned("W_hh the wrong way round: tiny weights"),
            "in the weights' gradients the mistake drowns. But dL/dh_0 is a product with W_hh, "
            "large or tiny, and the check is relative and asks for it.",
            "The famous checks",
        ),
        Mistake(
            "the future is small",
            _turned("immediate only: tiny weights"),
            "what comes back from the next step is ten thousand times smaller than what is there. "
            "Without it the relative error stays below the tolerance.",
            "The famous checks",
        ),
    ],
    hints=(
        "For each pair ask two things: does the case leave the wrong line anything to change? And "
        "is the gradient that it changes compared?",
        "One step has one slope, one state before it, and no message between steps. Tiny weights "
        "make messages small, but a relative error sees a small gradient as well as a large one.",
        "What each line contributes is in eq-museum-adjoint and eq-museum-gradients."
        ' Section "The building".',
    ),
    insight="A check is as good as its case: ask of each case what it makes equal.",
)


# ---- 5. one loss at a time, proved -----------------------------------------------------------

_T, _B, _Q = 7, 3, 5
_COUNTS = {
    "one-hot losses": float(_T * _B * _Q),
    "last loss only": float((_T - 1) * _B * _Q),
    "assigned, not added": float((_T - 1) * _B * _Q),
    "cut into blocks": float((_T - 3) * _B * _Q),
    "state's gradient never cleared": float((_T - 2) * _B * _Q),
    "h_0 without its weight": float(_T * _B * _Q),
}
_ONE_HOT = _COUNTS | {"never cleared: first step": 2.0, "never cleared: last step": _T - 1.0}

one_hot = Exercise(
    "the_bug_museum.one_hot",
    chapter=CHAPTER,
    returns=dict.fromkeys(_ONE_HOT, "()"),
    reference=_ONE_HOT,
    tolerance=2e-3,
    mistakes=[
        Mistake(
            "steps alone",
            _ONE_HOT | {name: count / (_B * _Q) for name, count in _COUNTS.items()},
            "you counted steps. Each step has B sequences and q outputs, and each of them is an "
            "entry of dL/dO.",
            "Why one random loss is enough",
        ),
        Mistake(
            "one sequence",
            _ONE_HOT | {name: count / _B for name, count in _COUNTS.items()},
            "you counted steps and outputs. Each of the B sequences has losses of its own.",
            "Why one random loss is enough",
        ),
        Mistake(
            "the right ones counted",
            _ONE_HOT | {"last loss only": float(_B * _Q)},
            "for last loss only you counted the losses that it gets right. Those of the last step "
            "are right, all others wrong.",
            "The wrong pairs",
        ),
        Mistake(
            "assigned is wrong everywhere",
            _ONE_HOT | {"assigned, not added": _ONE_HOT["one-hot losses"]},
            "for assigned, not added: a loss of step 1 has one use of the weights, at step 1, and "
            "the loop writes that one last. It is right.",
            "The wrong pairs",
        ),
        Mistake(
            "first wrong at the border",
            _ONE_HOT | {"cut into blocks": float((_T - 2) * _B * _Q)},
            "for blocks: the losses of steps 1, 2 and 3 lie in the first block, and nothing before "
            "them is cut off.",
            "The wrong pairs",
        ),
        Mistake(
            "the border twice",
            _ONE_HOT | {"cut into blocks": float(2 * _B * _Q)},
            "for blocks you counted the two losses behind a border. The losses after them see no "
            "further back: their way ends at the same border.",
            "The wrong pairs",
        ),
        Mistake(
            "one loss cannot pile up",
            _ONE_HOT | {"state's gradient never cleared": 0.0},
            "for the gradient that is never cleared: the other losses are zero, but their ways "
            "back are walked all the same, and they hand on what the one loss has left.",
            "The wrong pairs",
        ),
        Mistake(
            "all but the first",
            _ONE_HOT
            | {
                "state's gradient never cleared": float((_T - 1) * _B * _Q),
                "never cleared: last step": float(_T),
            },
            "for the gradient that is never cleared: the loss of step T comes last, and nobody "
            "walks back after it. It is right, like that of step 1.",
            "The wrong pairs",
        ),
        Mistake(
            "all but the first two",
            _ONE_HOT | {"never cleared: first step": 3.0, "never cleared: last step": float(_T)},
            "for the gradient that is never cleared you took the losses of steps 1 and 2 for right "
            "ones. A sequence of two steps is right; in a longer one, the ways back that follow "
            "hand on what the loss of step 2 has left. And after the last loss nobody walks back.",
            "The wrong pairs",
        ),
        Mistake(
            "h_0 is near to step 1 only",
            _ONE_HOT | {"h_0 without its weight": float(_B * _Q)},
            "for h_0 without its weight you counted the losses of step 1. Every loss reaches h_0, "
            "and every one arrives there over the product that is missing.",
            "The wrong partner",
        ),
    ],
    hints=(
        "An adjoint dL/dO has T B q entries; a one-hot loss has a 1 at one of them. So count the "
        "steps whose losses are treated wrongly, then multiply by B q.",
        "Take the maps of pairs from the figure: a loss is treated wrongly if its row has a "
        "filled cell, or if the gradient of h_0 is wrong for it.",
        'The proof begins with eq-museum-linear, in "Why one random loss is enough".',
    ),
    insight="A linear function is known once it is known on the unit vectors; one random vector "
    "tells whether two are equal.",
)


# ---- 6. find the mistakes: two at once -------------------------------------------------------


def _columns(
    *,
    own_slope: bool = True,
    transposed: bool = True,
    future: float = 1.0,
    later: int = 0,
    with_slope: bool = True,
    at_h0: int = 1,
):
    """The gradients of one sequence in columns, with a choice of mistakes."""

    def repaired(W_hh: Tensor, W_qh: Tensor, H: Tensor, dO: Tensor) -> dict[str, Tensor]:
        back = W_hh.T if transposed else W_hh
        dW_hh, message = torch.zeros_like(W_hh), torch.zeros_like(H[0])
        for t in range(len(dO), 0, -1):
            slope = 1 - H[t if own_slope else t - 1] ** 2 if with_slope else 1.0
            dz = slope * (W_qh.T @ dO[t - 1] + future * message)
            dW_hh += torch.outer(dz, H[t - 1 + later])
            message = back @ dz
        return {"dW_hh": dW_hh, "dh0": (dz, message, back @ message)[at_h0]}

    return repaired


def _sequence(T: int, n: int, q: int, seed: int) -> dict[str, Tensor]:
    normal = _generator(seed)
    W_hh, W_qh, W_hx = normal(n, n) / n**0.5, normal(q, n), normal(n, 2)
    tape = RNN(W_hx, W_hh, W_qh)(normal(T, 1, 2), normal(1, n) / 2)
    return {"W_hh": W_hh, "W_qh": W_qh, "H": tape.H[:, 0], "dO": normal(T, q)}


repaired = Exercise(
    "the_bug_museum.repaired",
    chapter=CHAPTER,
    returns={"dW_hh": "(n, n)", "dh0": "(n,)"},
    reference=_columns(),
    cases=[
        _sequence(T=7, n=4, q=3, seed=144),
        _sequence(T=1, n=3, q=5, seed=145),
        _sequence(T=4, n=2, q=2, seed=146),
    ],
    mistakes=[
        Mistake(
            "as it was",
            _columns(own_slope=False, transposed=False),
            "both mistakes are still in it.",
            "The wrong factor",
        ),
        Mistake(
            "the slope repaired",
            _columns(transposed=False),
            "the slope is right now. The second mistake is still in it: the vectors here are "
            "columns.",
            "The wrong factor",
        ),
        Mistake(
            "the way back repaired",
            _columns(own_slope=False),
            "the way back through W_hh is right now. Look at the slope: whose tanh is it?",
            "The wrong factor",
        ),
        Mistake(
            "the slope taken away",
            _columns(with_slope=False),
            "you took the slope away instead of moving it to the right step.",
            "The wrong factor",
        ),
        Mistake(
            "no message",
            _columns(future=0.0),
            "what comes back from the next step is missing in your adjoint.",
            "The wrong pairs",
        ),
        Mistake(
            "the partner moved as well",
            _columns(later=1),
            "you moved all indices. The slope belongs to h_t, but the partner of the adjoint is "
            "h_{t-1}: that one was right.",
            "The wrong partner",
        ),
        Mistake(
            "h_0 without its weight",
            _columns(at_h0=0),
            "for h_0 you return the adjoint of z_1. One product with the weight lies between them.",
            "The wrong partner",
        ),
        Mistake(
            "h_0 with its weight twice",
            _columns(at_h0=2),
            "for h_0 you multiply once more by the weight. The loop's last message is already "
            "what arrives at h_0.",
            "The wrong partner",
        ),
    ],
    hints=(
        "Each of her tests passes with both mistakes, so it hides both. Ask of each line what the "
        "test makes equal: a matrix and its transpose? The states of two steps, or their squares?",
        "Write the lines with their indices and compare them with the equation, in columns.",
        'The adjoint in columns is eq-museum-adjoint, in "The building".',
    ),
    insight="Two mistakes need two repairs: a check that names the first one only is run again.",
)
