"""Exercises of chapter 12, "Memory for time", with the wrong answers that learners give."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from bptt.checkpoint import classical_forward_steps, fewest_forward_steps
from bptt.exercises.engine import Exercise, Mistake

CHAPTER = "chapter 12, Memory for time"


# ---- 1. schedules, by hand -----------------------------------------------------------------

_COUNTS = {
    "one slot": float(fewest_forward_steps(5, 1)),
    "two slots": float(fewest_forward_steps(5, 2)),
    "first stored": 3.0,
    "five slots": float(fewest_forward_steps(5, 5)),
    "classical, two slots": float(classical_forward_steps(5, 2)),
}

by_hand = Exercise(
    "memory_for_time.by_hand",
    chapter=CHAPTER,
    returns=dict.fromkeys(_COUNTS, "()"),
    reference=_COUNTS,
    tolerance=2e-3,
    mistakes=[
        Mistake(
            "h_0 without a slot",
            _COUNTS
            | {
                "one slot": float(fewest_forward_steps(5, 2)),
                "two slots": float(fewest_forward_steps(5, 3)),
                "classical, two slots": float(classical_forward_steps(5, 3)),
            },
            "you counted one slot too many: h_0 occupies one of the m slots. With one slot "
            "nothing else can be stored.",
            "When is a state needed?",
        ),
        Mistake(
            "first sweep left out",
            _COUNTS
            | {"one slot": 10.0, "two slots": 3.0, "five slots": 0.0, "classical, two slots": 6.0},
            "you counted the calls that are made again only. The first sweep counts as well: 5 "
            "calls each time.",
            "When is a state needed?",
        ),
        Mistake(
            "classical throughout",
            _COUNTS
            | {
                "two slots": float(classical_forward_steps(5, 2)),
                "five slots": float(classical_forward_steps(5, 5)),
            },
            "you called each step again for its own backward step. This network does not need "
            "that: the state tells its own slope.",
            "The classical count",
        ),
        Mistake(
            "no working state",
            _COUNTS
            | {
                "two slots": float(fewest_forward_steps(5, 1)),
                "five slots": float(fewest_forward_steps(5, 4)),
                "classical, two slots": float(classical_forward_steps(5, 1)),
            },
            "with two or more slots you gave one of them to the working state. It stands beside "
            "the slots, and the last state of a sweep is used from there.",
            "When is a state needed?",
        ),
        Mistake(
            "stored in the middle",
            _COUNTS | {"two slots": 9.0, "first stored": 2.0},
            "you stored h_2 first. Then one slot is left for the three steps above it, and they "
            "cost 3 + 2 + 1 calls. Try every y from 1 to 5 and keep the cheapest.",
            "The fewest calls",
        ),
        Mistake(
            "stored late",
            _COUNTS | {"two slots": 9.0, "first stored": 4.0},
            "you stored h_4 first. Then three steps are left below it, and with two slots they "
            "cost 4 calls. Try every y from 1 to 5 and keep the cheapest.",
            "The fewest calls",
        ),
        Mistake(
            "the calls of another stop",
            _COUNTS | {"two slots": 9.0},
            "you gave nine calls with two slots. They are what you get with h_2 or with h_4 stored "
            "first. Add up the calls for the state that you named.",
            "The fewest calls",
        ),
        Mistake(
            "h_2 named",
            _COUNTS | {"first stored": 2.0},
            "you named h_2, but not the number of calls that it leads to. Add them up: 2 calls, "
            "three steps above with one slot, one step below with two.",
            "The fewest calls",
        ),
        Mistake(
            "h_4 named",
            _COUNTS | {"first stored": 4.0},
            "you named h_4, but not the number of calls that it leads to. Add them up: 4 calls, "
            "one step above with one slot, three steps below with two.",
            "The fewest calls",
        ),
        Mistake(
            "classical not larger",
            _COUNTS | {"classical, two slots": float(fewest_forward_steps(5, 2))},
            "you gave the fewest calls as the classical count. That count is larger: it evaluates "
            "each step again for its own backward step.",
            "The classical count",
        ),
        Mistake(
            "the same game for as many states",
            _COUNTS | {"classical, two slots": 5.0 + fewest_forward_steps(5, 2)},
            "thirteen is five evaluations and the fewest calls for five steps. The evaluation of "
            "the last step leads to h_5 already: the states left to reach are h_4, ..., h_0.",
            "The classical count",
        ),
    ],
    hints=(
        "The states are used in the order h_5, h_4, ..., h_0. With one slot, how many calls lead "
        "from h_0 to each of them?",
        "With two slots, try every y from 1 to 5: y calls, then the part above with one slot, "
        "then the part below with two.",
        'The recursion is eq-memory-recursion in "The fewest calls"; the classical count follows '
        'from eq-memory-difference in "The classical count".',
    ),
    insight="One more slot saves nearly half of the calls here, and five slots save all repeats.",
)


# ---- 2. a prediction: four times as many steps ---------------------------------------------

_GROWTH = {
    "full BPTT: work": "times 4",
    "full BPTT: states": "times 4",
    "square-root schedule: work": "times 4",
    "square-root schedule: states": "times 2",
    "one slot: calls": "times 16",
    "two calls a step, best schedule: states": "times 2",
    "RTRL: storage": "times 1",
}


def _grown(**wrong: str) -> dict[str, str]:
    names = {
        "work": "full BPTT: work",
        "states": "full BPTT: states",
        "root_work": "square-root schedule: work",
        "root_states": "square-root schedule: states",
        "one_slot": "one slot: calls",
        "best_states": "two calls a step, best schedule: states",
        "rtrl": "RTRL: storage",
    }
    return _GROWTH | {names[key]: value for key, value in wrong.items()}


four_times_as_long = Exercise(
    "memory_for_time.four_times_as_long",
    chapter=CHAPTER,
    returns=dict.fromkeys(_GROWTH, "()"),
    reference=_GROWTH,
    options=("times 1", "times 2", "times 4", "times 16"),
    mistakes=[
        Mistake(
            "full BPTT is quadratic",
            _grown(work="times 16"),
            "the backward pass carries one adjoint from step to step. It makes the same number of "
            "products at each step, however long the sequence is; only the sum written out term "
            "by term grows faster.",
            "What the full gradient costs",
        ),
        Mistake(
            "full BPTT keeps one state",
            _grown(states="times 1"),
            "the backward pass begins at the last step, and every state is still needed then.",
            "What grows is memory",
        ),
        Mistake(
            "checkpointing costs a factor that grows",
            _grown(root_work="times 16"),
            "each step is called twice, once in the first sweep and once in its segment, whatever "
            "T is. So the work for one step does not depend on T.",
            "Keep some, run the others again",
        ),
        Mistake(
            "states grow with the steps",
            _grown(root_states="times 4"),
            "the square root of 4T is twice the square root of T: twice as many segments, each "
            "with twice as many steps.",
            "Keep some, run the others again",
        ),
        Mistake(
            "one slot is linear",
            _grown(one_slot="times 4"),
            "with one slot the state h_t costs t calls, each time from h_0. The sum of 1, 2, ..., "
            "T grows with the square of T.",
            "When is a state needed?",
        ),
        Mistake(
            "best schedule grows with the steps",
            _grown(best_states="times 4"),
            "with two calls for each step the longest sequence has about m^2/2 steps. For a "
            "sequence four times as long, m has to double.",
            "A closed form",
        ),
        Mistake(
            "RTRL remembers",
            _grown(rtrl="times 4"),
            "real-time recurrent learning carries its sensitivities forward and keeps no earlier "
            "state. Its storage depends on n and d alone.",
            "Other bargains",
        ),
    ],
    hints=(
        "For each line write down how the quantity depends on T, then put 4T in the place of T.",
        "T(T+1)/2, 2 times the square root of T, T, and a constant: which is which?",
        'The square root is eq-memory-square-root in "Keep some, run the others again", the '
        'longest sequence for a given number of calls eq-memory-longest in "A closed form".',
    ),
    insight="With two calls for each step, the memory grows only like the square root of T.",
)


# ---- 3. the table of fewest calls ----------------------------------------------------------


def _row(
    fewer: Tensor,
    *,
    above: int = 0,
    below: int = -1,
    calls: int = 0,
    largest: int = 0,
    one_slot_less_below: bool = False,
) -> Tensor:
    """The recursion; the options shift its indices or exchange a table, as learners do."""
    R = torch.zeros_like(fewer)
    lower = fewer if one_slot_less_below else R
    for t in range(1, len(fewer)):
        candidates = [
            y + calls + fewer[max(t - y + above, 0)] + lower[max(y + below, 0)]
            for y in range(1, t + 1 - largest)
        ]
        R[t] = min(candidates, default=t)
    return R


def _fewer(T: int, slots: int) -> dict[str, Tensor]:
    row = [0, *(fewest_forward_steps(t, slots) for t in range(1, T + 1))]
    return {"fewer": torch.tensor(row, dtype=torch.float64)}


def _greedy(fewer: Tensor) -> Tensor:
    """Always stores in the middle."""
    R = torch.zeros_like(fewer)
    for t in range(1, len(fewer)):
        y = (t + 1) // 2
        R[t] = y + fewer[t - y] + R[y - 1]
    return R


one_more_slot = Exercise(
    "memory_for_time.one_more_slot",
    chapter=CHAPTER,
    returns={"R": "(T+1,)"},
    reference=lambda fewer: _row(fewer),
    cases=[_fewer(12, 1), _fewer(30, 2), _fewer(5, 3), _fewer(1, 1)],
    mistakes=[
        Mistake(
            "the used state again",
            lambda fewer: _row(fewer, below=0, largest=1),
            "the part below h_y is counted with y steps. h_y is used from its slot: below it "
            "remain y - 1 steps, not y.",
            "The fewest calls",
        ),
        Mistake(
            # R[y] for R[y-1], R for fewer, and the two exchanged all give this table.
            "no call made again",
            lambda fewer: _row(fewer, below=0),
            "your table says t calls for every t, as if no step were called again. Look at the "
            "part below: h_y is used from its slot, so y - 1 steps remain, not y, and R[t] is not "
            "filled yet. Look at the part above: while it is worked on, h_0 keeps one of the "
            "slots.",
            "The fewest calls",
        ),
        Mistake(
            "one state too few below",
            lambda fewer: _row(fewer, below=-2),
            "the part below h_y is counted with y - 2 steps. After h_y has been used, the states "
            "h_{y-1}, ..., h_1 have to be reached: y - 1 steps.",
            "The fewest calls",
        ),
        Mistake(
            "old slots below",
            lambda fewer: _row(fewer, one_slot_less_below=True),
            "both parts have one slot less in your count. When the part below begins, h_y has "
            "given its slot back: it has all m of them.",
            "The fewest calls",
        ),
        Mistake(
            "one call too few",
            lambda fewer: _row(fewer, calls=-1),
            "you counted y - 1 calls from h_0 to h_y. There are y, one for each step.",
            "The fewest calls",
        ),
        Mistake(
            "stored in the middle",
            _greedy,
            "you always store in the middle. The part below has a slot more than the part above "
            "and may be longer: take the minimum over all y.",
            "The fewest calls",
        ),
        Mistake(
            "one state too few above",
            lambda fewer: _row(fewer, above=-1),
            "the part above h_y is counted with t - y - 1 steps. The states h_{y+1}, ..., h_t are "
            "t - y.",
            "The fewest calls",
        ),
    ],
    hints=(
        "R[0] is 0. Fill R[1], R[2], ... in this order: each needs smaller entries of R alone.",
        "For each t try y = 1, ..., t. The part above reads fewer, the part below reads R.",
        'The recursion is eq-memory-recursion in "The fewest calls".',
    ),
    insight="A table for m slots grows out of the table for m - 1: this is the whole planner.",
)


# ---- 4. one segment, run again -------------------------------------------------------------


def _segment(
    W_hh: Tensor, h_start: Tensor, x_part: Tensor, direct: Tensor, future: Tensor, *,
    slip: str = "",
) -> dict[str, Tensor]:  # fmt: skip
    """The right answer, or with one slip."""
    exchanged = slip == "the transpose exchanged"
    ahead = W_hh.T if exchanged or slip == "transposed forward" else W_hh
    back = W_hh if exchanged or slip == "W_hh not transposed" else W_hh.T
    H = [h_start]
    for x in x_part:
        H.append(torch.tanh(x + ahead @ H[-1]))
    dW, message = torch.zeros_like(W_hh), future
    if slip == "message dropped":
        message = torch.zeros_like(future)
    if slip == "message multiplied again":
        message = W_hh.T @ future
    for t in range(len(x_part), 0, -1):
        state = H[t - 1] if slip == "slope at h_{t-1}" else H[t]
        own = direct[t - 1]
        dz = (1 - state**2) * (own + message)
        if slip == "slope forgotten":
            dz = own + message
        at_the_end = slip == "message after the slope" and t == len(x_part)
        if at_the_end or slip == "slope on direct only":
            dz = (1 - state**2) * own + message
        met = H[t] if slip == "h_t for h_{t-1}" else H[t - 1]
        met = torch.zeros_like(met) if slip == "checkpoint forgotten" and t == 1 else met
        dW = dW + torch.outer(dz, met)
        message = back @ dz
    return {"dW_hh": dW, "future": dz if slip == "dz handed on" else message}


def _slip(name: str) -> Callable:
    return lambda W_hh, h_start, x_part, direct, future: _segment(
        W_hh, h_start, x_part, direct, future, slip=name
    )


def _segment_case(n: int, steps: int, seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    normal = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
    return {
        "W_hh": normal(n, n) / n**0.5,
        "h_start": normal(n),
        "x_part": normal(steps, n),
        "direct": normal(steps, n),
        "future": normal(n),
    }


segment_again = Exercise(
    "memory_for_time.segment_again",
    chapter=CHAPTER,
    returns={"dW_hh": "(n, n)", "future": "(n,)"},
    reference=lambda W_hh, h_start, x_part, direct, future: _segment(
        W_hh, h_start, x_part, direct, future
    ),
    cases=[_segment_case(3, 4, seed=121), _segment_case(4, 1, 122), _segment_case(2, 7, 123)],
    mistakes=[
        Mistake(
            "message dropped",
            _slip("message dropped"),
            "you began with a message of zero. That cuts the history at the end of the segment: "
            "truncation into blocks, and not checkpointing.",
            "Keep some, run the others again",
        ),
        Mistake(
            "message multiplied again",
            _slip("message multiplied again"),
            "you multiplied the incoming message by the transpose of W_hh. It has passed W_hh "
            "already when it leaves the later segment.",
            "Keep some, run the others again",
        ),
        Mistake(
            "message after the slope",
            _slip("message after the slope"),
            "you added the incoming message after the slope of the last step. It belongs to "
            "dL/dh, beside the direct adjoint; both pass the tanh.",
            "When is a state needed?",
        ),
        Mistake(
            "slope on direct only",
            _slip("slope on direct only"),
            "at every step you multiplied the direct adjoint alone by the slope. The slope "
            "multiplies the whole sum of direct adjoint and message.",
            "When is a state needed?",
        ),
        Mistake(
            "slope forgotten",
            _slip("slope forgotten"),
            "you left out the slope on the way back. The sum of direct adjoint and message is "
            "dL/dh; dL/dz lies before the tanh.",
            "When is a state needed?",
        ),
        Mistake(
            "dz handed on",
            _slip("dz handed on"),
            "you handed on dL/dz of the segment's first step. The step before needs it multiplied "
            "by the transpose of W_hh.",
            "Keep some, run the others again",
        ),
        Mistake(
            "checkpoint forgotten",
            _slip("checkpoint forgotten"),
            "in dW_hh the first step of the segment is missing. Its partner is the checkpoint "
            "h_start.",
            "When is a state needed?",
        ),
        Mistake(
            "h_t for h_{t-1}",
            _slip("h_t for h_{t-1}"),
            "in dW_hh you paired dL/dz_t with h_t. The weight multiplied h_{t-1}.",
            "When is a state needed?",
        ),
        Mistake(
            "slope at h_{t-1}",
            _slip("slope at h_{t-1}"),
            "you took the slope of step t at h_{t-1}. The tanh of step t produced h_t.",
            "When is a state needed?",
        ),
        Mistake(
            "W_hh not transposed",
            _slip("W_hh not transposed"),
            "you multiplied by W_hh on the way back. With columns, as here, the way back has the "
            "transpose.",
            "When is a state needed?",
        ),
        Mistake(
            "transposed forward",
            _slip("transposed forward"),
            "you ran the segment with the transpose of W_hh; h @ W_hh does that too. Here the "
            "vectors are columns, and the step forward multiplies by W_hh itself.",
            "What the full gradient costs",
        ),
        Mistake(
            "the transpose exchanged",
            _slip("the transpose exchanged"),
            "you multiplied by the transpose of W_hh on the way forward and by W_hh on the way "
            "back; h @ W_hh and dz @ W_hh.T do that too. Here the vectors are columns: it is the "
            "other way round.",
            "When is a state needed?",
        ),
    ],
    hints=(
        "First run the segment: a list that begins with h_start and ends with its last state.",
        "Then go back. dL/dz_t is the slope at h_t times the sum of direct[t-1] and the message; "
        "the next message is W_hh.T @ dz.",
        'Both lines are in eq-memory-by-state, in "When is a state needed?"; the sum over states '
        "runs over this segment's steps alone.",
    ),
    insight="A segment needs its checkpoint and one vector from the future, and nothing else.",
)


# ---- 5. find the mistake -------------------------------------------------------------------

_LOST = {"right": 49.0, "colleague": 25.0, "right dh0": 30.0, "colleague's dh0": 6.0,
         "longest T": 2.0}  # fmt: skip

lost_message = Exercise(
    "memory_for_time.lost_message",
    chapter=CHAPTER,
    returns=dict.fromkeys(_LOST, "()"),
    reference=_LOST,
    tolerance=2e-3,
    mistakes=[
        Mistake(
            "checkpointing changes nothing",
            _LOST | {"colleague": 49.0, "colleague's dh0": 30.0},
            "you let the colleague's message pass. Look at the line future = 0: it stands inside "
            "the loop over segments.",
            "Keep some, run the others again",
        ),
        Mistake(
            "losses of later segments dropped",
            _LOST | {"colleague": 5.0},
            "you left the later segment out of the colleague's sum. Each segment adds its share "
            "of dW; only the message between them is lost.",
            "Keep some, run the others again",
        ),
        Mistake(
            "message lost at every step",
            _LOST | {"colleague": 15.0, "colleague's dh0": 2.0, "longest T": 1.0},
            "you lost the message at every step. The colleague loses it only where a segment ends.",
            "Keep some, run the others again",
        ),
        Mistake(
            "h_t for h_{t-1}",
            _LOST | {"right": 98.0, "colleague": 50.0},
            "you paired dL/dz_t with h_t. The weight multiplied h_{t-1}: the state before.",
            "When is a state needed?",
        ),
        Mistake(
            "dz_1 for dh_0",
            _LOST | {"right dh0": 15.0, "colleague's dh0": 3.0},
            "you gave dL/dz_1. From z_1 to h_0 there is one more factor w.",
            "When is a state needed?",
        ),
        Mistake(
            "loss at the end only",
            _LOST | {"right": 32.0, "right dh0": 16.0},
            "you counted the loss of the last step alone. L is the sum of all four states.",
            "When is a state needed?",
        ),
        Mistake(
            "right for T = 3",
            _LOST | {"longest T": 3.0},
            "you gave an odd number. With three steps there are two segments already, and step 3 "
            "has no message for step 2.",
            "Keep some, run the others again",
        ),
        Mistake(
            "right for T = 4",
            _LOST | {"longest T": 4.0},
            "you answered four. With four steps there are two segments, and the message between "
            "them is lost.",
            "Keep some, run the others again",
        ),
        Mistake(
            "never right",
            _LOST | {"longest T": 0.0},
            "you took the code to be wrong for every sequence. Nothing comes after the last "
            "segment: there a message of zero is right.",
            "Keep some, run the others again",
        ),
    ],
    hints=(
        "Write down the states 1, 2, 4, 8, 16. Then dL/dz_4, dL/dz_3, dL/dz_2, dL/dz_1: each is "
        "1 plus w times the one after it.",
        "For the colleague, begin again with 1 at the end of each segment.",
        'The gradient of the weight is the sum of eq-memory-by-state in "When is a state needed?".',
    ),
    insight="One lost line turns checkpointing into truncation, and no error message tells you.",
)


# ---- 6. two steps are one step -------------------------------------------------------------


def _pair(A: Tensor, b: Tensor) -> dict[str, Tensor]:
    return {"A": A, "b": b}


def _combine_case(n: int, seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    normal = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
    return {
        "A_late": normal(n, n),
        "b_late": normal(n),
        "A_early": normal(n, n),
        "b_early": normal(n),
    }


combine = Exercise(
    "memory_for_time.combine",
    chapter=CHAPTER,
    returns={"A": "(n, n)", "b": "(n,)"},
    reference=lambda A_late, b_late, A_early, b_early: _pair(
        A_late @ A_early, A_late @ b_early + b_late
    ),
    cases=[_combine_case(3, 124), _combine_case(2, 125), _combine_case(5, 126)],
    mistakes=[
        Mistake(
            "order exchanged",
            lambda A_late, b_late, A_early, b_early: _pair(
                A_early @ A_late, A_early @ b_late + b_early
            ),
            "this is the later map first, then the earlier one. What acts first stands on the "
            "right.",
            "A shorter way in time: the scan",
        ),
        Mistake(
            "A in the wrong order",
            lambda A_late, b_late, A_early, b_early: _pair(
                A_early @ A_late, A_late @ b_early + b_late
            ),
            "b is right, and in A the factors are exchanged: h_0 meets the earlier matrix first.",
            "A shorter way in time: the scan",
        ),
        Mistake(
            "b added",
            lambda A_late, b_late, A_early, b_early: _pair(A_late @ A_early, b_early + b_late),
            "you added the two vectors. The earlier one is part of h_1 and passes the later "
            "matrix.",
            "A shorter way in time: the scan",
        ),
        Mistake(
            "the wrong matrix on b",
            lambda A_late, b_late, A_early, b_early: _pair(
                A_late @ A_early, A_early @ b_early + b_late
            ),
            "you multiplied b_early by the earlier matrix. It was added after that matrix; the "
            "later one is still to come.",
            "A shorter way in time: the scan",
        ),
        Mistake(
            "the late matrix on both",
            lambda A_late, b_late, A_early, b_early: _pair(
                A_late @ A_early, A_late @ (b_early + b_late)
            ),
            "you multiplied both vectors by the later matrix. b_late is added at the end.",
            "A shorter way in time: the scan",
        ),
        Mistake(
            "entry by entry",
            lambda A_late, b_late, A_early, b_early: _pair(
                A_late * A_early, A_late @ b_early + b_late
            ),
            "you multiplied the matrices entry by entry. In a chain they multiply as matrices: @.",
            "A shorter way in time: the scan",
        ),
    ],
    hints=(
        "Write h_1 = A_early h_0 + b_early and put it into h_2 = A_late h_1 + b_late.",
        "Sort by h_0: what multiplies it is the new A, the rest is the new b.",
        'The result is eq-memory-combine in "A shorter way in time: the scan".',
    ),
    insight="Affine maps combine to affine maps, so time can be folded in any grouping.",
)
