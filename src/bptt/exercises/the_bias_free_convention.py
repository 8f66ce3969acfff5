"""Exercises of chapter 4, "The bias-free convention", with the wrong answers that learners give."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from bptt.exercises.engine import Exercise, Mistake
from bptt.rnn import RNN, augment

CHAPTER = "chapter 4, The bias-free convention"


# ---- 1. by hand ----------------------------------------------------------------------------

_INPUTS, _STATES, _WEIGHT = (2, 0, -1), (3, 4, -4, 9), -2  # x_1..x_3, h_0..h_3, w
_OUTPUT_ADJOINTS = (2, -1, 1)  # (h_t - y_t) / 3


def _gathered(adjoints: tuple[int, ...], met: tuple[int, ...] = _STATES[:3]) -> dict[str, float]:
    """The gradients of b, u, w and h_0 from dL/dz_1..dL/dz_3 and the states that w met."""
    return {
        "b": float(sum(adjoints)),
        "u": float(sum(a * x for a, x in zip(adjoints, _INPUTS, strict=True))),
        "w": float(sum(a * h for a, h in zip(adjoints, met, strict=True))),
        "h0": float(_WEIGHT * adjoints[0]),
    }


_ADJOINTS = (8, -3, 1)
_HAND = _gathered(_ADJOINTS)

by_hand = Exercise(
    "the_bias_free_convention.by_hand",
    chapter=CHAPTER,
    returns=dict.fromkeys(_HAND, "()"),
    reference=_HAND,
    tolerance=2e-3,
    mistakes=[
        Mistake(
            "empty step skipped",
            _HAND | {"b": 9.0},
            "you left out step 2 in the gradient of b, perhaps because its input is zero. The "
            "bias does not meet the input: it meets the constant 1, at every step.",
            "Three steps, by hand",
        ),
        Mistake(
            "first use only",
            _HAND | {"b": 8.0},
            "you counted the first use of b alone. The same bias is added at every step, and "
            "each use contributes its adjoint.",
            "Block by block",
        ),
        Mistake(
            "last use only",
            _gathered((0, 0, 1)) | {"h0": _HAND["h0"]},
            "you counted only the last use of b, u and w. Each weight is used at every step, and "
            "the uses add up.",
            "Three steps, by hand",
        ),
        Mistake(
            "own losses only",
            _gathered(_OUTPUT_ADJOINTS),
            "you took dL/do_t for dL/dz_t. z_t also acts on all later losses, through the next "
            "state: go back from the last step and add w times the adjoint of the step after.",
            "Three steps, by hand",
        ),
        Mistake(
            "1/T forgotten",
            {name: 3 * value for name, value in _HAND.items()},
            "you used the errors h_t - y_t as they are. The loss is a mean over three steps, so "
            "dL/do_t is a third of the error.",
            "Three steps, by hand",
        ),
        Mistake(
            "h_t for h_{t-1}",
            _HAND | {"w": _gathered(_ADJOINTS, _STATES[1:])["w"]},
            "in the gradient of w you multiplied by the state that the step produced. At step t "
            "the weight met the state before it, h_{t-1}.",
            "Three steps, by hand",
        ),
        Mistake(
            "w forgotten for h_0",
            _HAND | {"h0": float(_ADJOINTS[0])},
            "for h_0 you gave dL/dz_1. From z_1 back to h_0 the way leads through w.",
            "The initial state, a bias that acts once",
        ),
    ],
    hints=(
        "Compute dL/do_t for the three steps first: the error divided by 3.",
        "Then dL/dz_3 = dL/do_3, and one step before: dL/do_2 + w dL/dz_3, and so on.",
        "Multiply each dL/dz_t by what the weight met, as in eq-bias-hand; b met a 1."
        ' See "Three steps, by hand".',
    ),
    insight="The bias gathers the adjoints themselves, also at a step whose input is zero.",
)


# ---- 2. four blocks from two products --------------------------------------------------------


def _batch(T: int, B: int, d: int, n: int, q: int, seed: int) -> dict[str, Tensor]:
    """Inputs, states and adjoints of some network, generic numbers."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    return {
        "X": normal(T, B, d),
        "H": torch.tanh(normal(T + 1, B, n)),
        "dZ": normal(T, B, n),
        "dO": normal(T, B, q),
    }


def _pairs(left: Tensor, right: Tensor) -> Tensor:
    return left.flatten(0, 1).T @ right.flatten(0, 1)


def _blocks(X: Tensor, H: Tensor, dZ: Tensor, dO: Tensor) -> dict[str, Tensor]:
    hidden, output = _pairs(dZ, augment(X)), _pairs(dO, augment(H[1:]))
    return {
        "db": hidden[:, 0],
        "dW_hx": hidden[:, 1:],
        "db_q": output[:, 0],
        "dW_qh": output[:, 1:],
    }


def _constant_last(X: Tensor, H: Tensor, dZ: Tensor, dO: Tensor) -> dict[str, Tensor]:
    """The constant 1 appended behind, and the first column split off."""
    hidden = _pairs(dZ, augment(X).roll(-1, -1))
    output = _pairs(dO, augment(H[1:]).roll(-1, -1))
    return {
        "db": hidden[:, 0],
        "dW_hx": hidden[:, 1:],
        "db_q": output[:, 0],
        "dW_qh": output[:, 1:],
    }


def _last_column_split(X: Tensor, H: Tensor, dZ: Tensor, dO: Tensor) -> dict[str, Tensor]:
    """The constant in front, as it should be, and the last column split off."""
    hidden, output = _pairs(dZ, augment(X)), _pairs(dO, augment(H[1:]))
    return {
        "db": hidden[:, -1],
        "dW_hx": hidden[:, :-1],
        "db_q": output[:, -1],
        "dW_qh": output[:, :-1],
    }


def _divided(by: str):
    def answer(X: Tensor, H: Tensor, dZ: Tensor, dO: Tensor) -> dict[str, Tensor]:
        count = {"steps": len(X), "sequences": X.shape[1]}[by]
        return {name: block / count for name, block in _blocks(X, H, dZ, dO).items()}

    return answer


four_blocks = Exercise(
    "the_bias_free_convention.four_blocks",
    chapter=CHAPTER,
    returns={"db": "(n,)", "dW_hx": "(n, d)", "db_q": "(q,)", "dW_qh": "(q, n)"},
    reference=_blocks,
    cases=[
        _batch(7, 3, 2, 3, 4, seed=41),
        _batch(9, 1, 3, 4, 2, seed=42),
        _batch(1, 5, 4, 2, 3, seed=43),
    ],
    mistakes=[
        Mistake(
            "constant at the end",
            _constant_last,
            "you appended the constant 1 at the end and split off the first column. The column of "
            "the bias stands where the 1 stands: augment puts both first.",
            "Where the bias went",
        ),
        Mistake(
            "last column split off",
            _last_column_split,
            "you split off the last column of each gradient. The 1 stands first in what augment "
            "returns, so the bias is column 0.",
            "Where the bias went",
        ),
        Mistake(
            "sequences not summed",
            lambda X, H, dZ, dO: _blocks(X, H, dZ, dO) | {"db": dZ.sum(0), "db_q": dO.sum(0)},
            "for the biases you summed over the steps and kept a row for each sequence. All "
            "sequences share one bias: sum over them, too.",
            "Block by block",
        ),
        Mistake(
            "last step only",
            lambda X, H, dZ, dO: (
                _blocks(X, H, dZ, dO) | {"db": dZ[-1].sum(0), "db_q": dO[-1].sum(0)}
            ),
            "for the biases you took the adjoints of the last step alone. A bias is added at "
            "every step.",
            "Block by block",
        ),
        Mistake(
            "averaged over steps",
            _divided("steps"),
            "you divided the sums over the steps by T. If the loss is a mean, its 1/T is inside "
            "dZ and dO already.",
            "Block by block",
        ),
        Mistake(
            "averaged over sequences",
            _divided("sequences"),
            "you divided the sums over the sequences by B. If the loss is a mean, its 1/B is "
            "inside dZ and dO already.",
            "Block by block",
        ),
        Mistake(
            "h_{t-1} for the output",
            lambda X, H, dZ, dO: _blocks(X, H, dZ, dO) | {"dW_qh": _pairs(dO, H[:-1])},
            "you paired dO with h_{t-1}. The output of step t was made from h_t, the rows H[1:].",
            "The output layer has a column of its own",
        ),
        Mistake(
            "columns kept",
            lambda X, H, dZ, dO: (
                _blocks(X, H, dZ, dO)
                | {"dW_hx": _pairs(dZ, augment(X)), "dW_qh": _pairs(dO, augment(H[1:]))}
            ),
            "you left the column of the bias in the two matrices. Split it off: the matrices of "
            "the network with biases have d and n columns.",
            "Block by block",
        ),
    ],
    hints=(
        "First the two augmented gradients: one product for dZ with augment(X), one for dO with "
        "augment of the right states.",
        "flatten(0, 1) makes one axis of steps and sequences, and one matrix product sums over "
        "both. Column 0 is the bias, as a vector: gradient[:, 0].",
        "The equations are eq-bias-blocks and eq-bias-output-grad."
        ' See "Block by block" and "The output layer has a column of its own".',
    ),
    insight="Two products give four gradients, and each first column is a plain sum of adjoints.",
)


# ---- 3. back through an output layer with a bias ---------------------------------------------


def _sequence(T: int, n: int, q: int, seed: int) -> dict[str, Tensor]:
    """A tanh network with an output bias, one sequence long."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    rnn = RNN(normal(n, 3), normal(n, n) / n**0.5, normal(q, n + 1))
    H = rnn(normal(T, 1, 3), normal(1, n)).H[:, 0]
    return {"W_hh": rnn.W_hh, "W_qh": rnn.W_qh, "H": H, "dO": normal(T, q)}


def _state_adjoints(
    W_hh: Tensor,
    W_qh: Tensor,
    H: Tensor,
    dO: Tensor,
    *,
    columns: slice = slice(1, None),
    transpose: bool = True,
    future: bool = True,
    slope_from: int | None = 1,
    return_z: bool = False,
) -> Tensor:
    """dL/dh_t for t = 1..T; the options make the known mistakes."""
    back = W_hh.T if transpose else W_hh
    dH, dZ, message = torch.zeros_like(H[1:]), torch.zeros_like(H[1:]), torch.zeros_like(H[0])
    for row in reversed(range(len(dO))):
        dH[row] = W_qh[:, columns].T @ dO[row] + message
        slope = 1.0 if slope_from is None else 1 - H[row + slope_from] ** 2
        dZ[row] = slope * dH[row]
        message = back @ dZ[row] if future else message
    return dZ if return_z else dH


def _state_adjoints_mistake(**options):
    return lambda W_hh, W_qh, H, dO: _state_adjoints(W_hh, W_qh, H, dO, **options)


state_adjoints = Exercise(
    "the_bias_free_convention.state_adjoints",
    chapter=CHAPTER,
    returns={"dH": "(T, n)"},
    reference=lambda W_hh, W_qh, H, dO: _state_adjoints(W_hh, W_qh, H, dO),
    cases=[_sequence(7, 3, 4, seed=44), _sequence(9, 4, 2, seed=45), _sequence(1, 2, 5, seed=46)],
    mistakes=[
        Mistake(
            "first column not dropped",
            lambda W_hh, W_qh, H, dO: torch.cat(
                [dO @ W_qh[:, :1], _state_adjoints(W_hh, W_qh, H, dO)], dim=1
            ),
            "you kept the first column of W_qh, so each row begins with the derivative by the "
            "constant 1. The constant is not a part of h_t: drop the column.",
            "The output layer has a column of its own",
        ),
        Mistake(
            "last column dropped",
            _state_adjoints_mistake(columns=slice(None, -1)),
            "you dropped the last column of W_qh. The bias is the first one; no shape warns you.",
            "The output layer has a column of its own",
        ),
        Mistake(
            "future path dropped",
            _state_adjoints_mistake(future=False),
            "you counted the output of the step itself alone. h_t also acts through z_{t+1} and "
            "everything after it.",
            "Block by block",
        ),
        Mistake(
            "slope forgotten",
            _state_adjoints_mistake(slope_from=None),
            "you sent the adjoint of h_{t+1} back to h_t without its slope. On the way stands the "
            "tanh of step t + 1: multiply by 1 - h_{t+1}^2 first.",
            "Block by block",
        ),
        Mistake(
            "slope at h_{t-1}",
            _state_adjoints_mistake(slope_from=0),
            "you took the slope one row too early. H has one row more than dO, and the slope of "
            "step t is 1 - H[t]**2.",
            "Block by block",
        ),
        Mistake(
            "W_hh not transposed",
            _state_adjoints_mistake(transpose=False),
            "you went back through W_hh itself. The way back goes through its transpose.",
            "Block by block",
        ),
        Mistake(
            "dL/dz returned",
            _state_adjoints_mistake(return_z=True),
            "you returned dL/dz_t. The question asks for dL/dh_t, before the slope.",
            "Block by block",
        ),
    ],
    hints=(
        "W_qh has n + 1 columns here. Which of them multiply a part of h_t?",
        "Drop the first column once, before the loop; then go back as without a bias.",
        "The equations are eq-bias-drop and eq-bias-adjoint."
        ' See "The output layer has a column of its own" and "Block by block".',
    ),
    insight="A bias passes nothing back: the column multiplies a constant that nobody produced.",
)


# ---- 4. a prediction: two biases against one -------------------------------------------------

_COMPARED = {
    "gradient of b_ih": "same",
    "SGD step of the sum": "twice",
    "Adam step of the sum": "twice",
    "SGD step of W_hx": "same",
    "decay term of the sum": "same",
    "decay term against gradient term": "half",
    "squared length of the bias gradients": "twice",
}

two_against_one = Exercise(
    "the_bias_free_convention.two_against_one",
    chapter=CHAPTER,
    returns=dict.fromkeys(_COMPARED, "()"),
    reference=_COMPARED,
    options=("half", "same", "twice"),
    mistakes=[
        Mistake(
            "the gradient is shared",
            _COMPARED | {"gradient of b_ih": "half"},
            "the gradient is not divided among the two. Each of them is added to every z_t, so "
            "each gathers all adjoints.",
            "The two biases of torch.nn.RNN",
        ),
        Mistake(
            "the gradient is doubled",
            _COMPARED | {"gradient of b_ih": "twice"},
            "each bias is added to z_t once, so its own gradient is the sum of the adjoints, as "
            "for one bias. What doubles is the step of the sum.",
            "The two biases of torch.nn.RNN",
        ),
        Mistake(
            "the sum moves once",
            _COMPARED | {"SGD step of the sum": "same"},
            "both biases make the step of the single one, and the sum moves by both.",
            "The two biases of torch.nn.RNN",
        ),
        Mistake(
            "Adam cancels the two",
            _COMPARED | {"Adam step of the sum": "same"},
            "Adam cancels a factor that multiplies a gradient. Here no gradient is doubled: each "
            "bias makes an ordinary Adam step, and there are two of them.",
            "The two biases of torch.nn.RNN",
        ),
        Mistake(
            "the weights move faster, too",
            _COMPARED | {"SGD step of W_hx": "twice"},
            "only the bias has been doubled. W_hx is one tensor with one gradient and one step.",
            "The two biases of torch.nn.RNN",
        ),
        Mistake(
            "the decay doubles",
            _COMPARED | {"decay term of the sum": "twice"},
            "each bias decays by its own value, and the two values add up to the sum, not to "
            "twice the sum.",
            "The two biases of torch.nn.RNN",
        ),
        Mistake(
            "the decay keeps its share",
            _COMPARED | {"decay term against gradient term": "same"},
            "in the step of the sum the gradient term has doubled and the decay term has not.",
            "The two biases of torch.nn.RNN",
        ),
        Mistake(
            "the bias counts once in the length",
            _COMPARED | {"squared length of the bias gradients": "same"},
            "there are two gradient vectors with the same numbers, and squared lengths add up.",
            "The two biases of torch.nn.RNN",
        ),
    ],
    hints=(
        "Write down the step of each bias by itself, then add the two.",
        "Ask each time whether a gradient has changed, or only the number of tensors that use it.",
        "Compare eq-bias-two-sgd, eq-bias-two-decay and eq-bias-two-adam."
        ' See "The two biases of torch.nn.RNN".',
    ),
    insight="Two biases are one with its rate doubled, under Adam too, and its decay halved.",
)


# ---- 5. find the mistake: the constant in the state ------------------------------------------


def _matrix(W_hh: Tensor, column: Tensor, weight: float) -> Tensor:
    """The recurrent matrix with the constant as the first unit."""
    n = len(W_hh)
    W = torch.zeros(n + 1, n + 1, dtype=W_hh.dtype)
    W[0, 0], W[1:, 0], W[1:, 1:] = weight, column, W_hh
    return W


def _kept(W_hh: Tensor, b: Tensor, c: float) -> Tensor:
    return _matrix(W_hh, b / c, math.atanh(c) / c)


def _recurrent(n: int, c: float, seed: int) -> dict:
    generator = torch.Generator().manual_seed(seed)
    W_hh = torch.randn(n, n, generator=generator, dtype=torch.float64)
    b = torch.randn(n, generator=generator, dtype=torch.float64)
    return {"W_hh": W_hh, "b": b, "c": c}


kept_constant = Exercise(
    "the_bias_free_convention.kept_constant",
    chapter=CHAPTER,
    returns={"W": "(n+1, n+1)"},
    reference=_kept,
    cases=[_recurrent(3, 0.5, 47), _recurrent(4, 0.9, 48), _recurrent(1, -0.6, 49)],
    mistakes=[
        Mistake(
            "as given",
            lambda W_hh, b, c: _matrix(W_hh, b, 1.0),
            "this is the colleague's matrix. With the weight 1 each tanh makes the constant "
            "smaller, and the column does not know the value c.",
            "Which matrix takes the column",
        ),
        Mistake(
            "column not divided",
            lambda W_hh, b, c: _matrix(W_hh, b, math.atanh(c) / c),
            "you keep the constant, but the column holds b. It meets c and not 1, so the network "
            "has the bias c b.",
            "Which matrix takes the column",
        ),
        Mistake(
            "the numbers of c = 1/2",
            lambda W_hh, b, c: _matrix(W_hh, 2 * b, math.log(3)),
            "these are the weight and the column for c = 1/2, as in the chapter. Here c is an "
            "argument: solve tanh(v c) = c for v again.",
            "Which matrix takes the column",
        ),
        Mistake(
            "weight 1",
            lambda W_hh, b, c: _matrix(W_hh, b / c, 1.0),
            "your column is right, but the weight of the constant is 1. Then tanh(c) comes out "
            "and not c.",
            "Which matrix takes the column",
        ),
        Mistake(
            "weight 1/c",
            lambda W_hh, b, c: _matrix(W_hh, b / c, 1 / c),
            "you chose the weight 1/c, so that the tanh receives 1. It must receive the number "
            "whose tanh is c.",
            "Which matrix takes the column",
        ),
        Mistake(
            "not divided by c",
            lambda W_hh, b, c: _matrix(W_hh, b / c, math.atanh(c)),
            "you chose the weight artanh(c). The weight is multiplied by the constant before the "
            "tanh: divide by c.",
            "Which matrix takes the column",
        ),
        Mistake(
            "tanh for artanh",
            lambda W_hh, b, c: _matrix(W_hh, b / c, math.tanh(c) / c),
            "you chose the weight tanh(c)/c. Solve tanh(v c) = c for v: the inverse function of "
            "tanh is needed.",
            "Which matrix takes the column",
        ),
        Mistake(
            "bias in the first row",
            lambda W_hh, b, c: _matrix(W_hh.T, b / c, math.atanh(c) / c).T,
            "you put the bias into the first row. A row produces a unit: the first one produces "
            "the constant, and the others, which produce h, need the bias in their first column.",
            "Which matrix takes the column",
        ),
        Mistake(
            "constant at the end",
            lambda W_hh, b, c: _kept(W_hh, b, c).roll((-1, -1), (0, 1)),
            "you made the constant the last unit. The colleague's state begins with it.",
            "Which matrix takes the column",
        ),
    ],
    hints=(
        "Follow the first entry of the state alone, with weight v: what is it after one step?",
        "It must be c again: tanh(v c) = c. Then ask what the column meets at every step.",
        "For c = 1/2 the answer is beside eq-bias-artificial; now for any c."
        ' See "Which matrix takes the column".',
    ),
    insight="A state can carry a constant, but only one that its own tanh reproduces.",
)


# ---- 6. any other constant, with a proof -----------------------------------------------------


def _with_constant(
    dZ: Tensor,
    X: Tensor,
    b: Tensor,
    kappa: float,
    rate: float,
    decay: float,
    *,
    in_column: float | None = None,
    in_step: float | None = None,
    in_decay: float = 1.0,
    returned: float = 1.0,
) -> dict[str, Tensor]:
    """The augmented gradient and the effective bias; the options make the known mistakes."""
    g = dZ.sum(0)
    column = (kappa if in_column is None else in_column) * g
    in_step = kappa**2 if in_step is None else in_step
    after = b - rate * (in_step * g + in_decay * decay * b)
    return {"dW": torch.cat([column[:, None], dZ.T @ X], dim=1), "b_new": returned * after}


def _constant_case(T: int, n: int, d: int, kappa: float, rate: float, decay: float, seed: int):
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    given = {"dZ": normal(T, n), "X": normal(T, d), "b": normal(n)}
    return given | {"kappa": kappa, "rate": rate, "decay": decay}


other_constant = Exercise(
    "the_bias_free_convention.other_constant",
    chapter=CHAPTER,
    returns={"dW": "(n, d+1)", "b_new": "(n,)"},
    reference=lambda dZ, X, b, kappa, rate, decay: _with_constant(dZ, X, b, kappa, rate, decay),
    cases=[
        _constant_case(7, 3, 2, 2.0, 0.1, 0.3, seed=51),
        _constant_case(9, 2, 4, 0.5, 0.2, 0.4, seed=52),
        _constant_case(1, 4, 3, -3.0, 0.05, 0.7, seed=53),
    ],
    mistakes=[
        Mistake(
            "constant 1",
            lambda dZ, X, b, kappa, rate, decay: _with_constant(
                dZ, X, b, kappa, rate, decay, in_column=1.0, in_step=1.0
            ),
            "you computed with the constant 1. The column met kappa, so each use contributes "
            "kappa times the adjoint.",
            "Block by block",
        ),
        Mistake(
            "kappa counted once",
            lambda dZ, X, b, kappa, rate, decay: _with_constant(
                dZ, X, b, kappa, rate, decay, in_step=kappa
            ),
            "your gradient is right. In the step of b you have kappa once: the column moves by "
            "kappa times the adjoints, and b is kappa times the column.",
            "The two biases of torch.nn.RNN",
        ),
        Mistake(
            "divided by kappa",
            lambda dZ, X, b, kappa, rate, decay: _with_constant(
                dZ, X, b, kappa, rate, decay, in_column=1 / kappa, in_step=1.0
            ),
            "you divided the gradient of the column by kappa, as the column itself is divided. A "
            "gradient goes the other way: a smaller column has the larger effect per unit.",
            "Block by block",
        ),
        Mistake(
            "decay multiplied, too",
            lambda dZ, X, b, kappa, rate, decay: _with_constant(
                dZ, X, b, kappa, rate, decay, in_decay=kappa**2
            ),
            "you multiplied the decay term by kappa squared as well. It shortens the column by a "
            "share of itself, and b by the same share.",
            "Weight decay on the bias",
        ),
        Mistake(
            "decay forgotten",
            lambda dZ, X, b, kappa, rate, decay: _with_constant(dZ, X, b, kappa, rate, 0.0),
            "your step has no decay. Here the whole matrix decays, with the column in it.",
            "Weight decay on the bias",
        ),
        Mistake(
            "column returned",
            lambda dZ, X, b, kappa, rate, decay: _with_constant(
                dZ, X, b, kappa, rate, decay, returned=1 / kappa
            ),
            "you returned the column after the step. The bias of the network is kappa times it.",
            "Where the bias went",
        ),
        Mistake(
            "last step only",
            lambda dZ, X, b, kappa, rate, decay: _with_constant(
                dZ[-1:], X[-1:], b, kappa, rate, decay
            ),
            "you took the last step alone. All steps use the column and W_hx.",
            "Block by block",
        ),
    ],
    hints=(
        "Call the column beta, so that b = kappa beta. What is the outer product of dL/dz_t with "
        "the input (kappa, x_t)?",
        "Make the step for beta first, with its own gradient and its own decay; then multiply by "
        "kappa.",
        "The proof is that of eq-bias-blocks; compare the step with eq-bias-two-decay."
        ' See "Block by block" and "The two biases of torch.nn.RNN".',
    ),
    insight="A constant kappa multiplies the rate of the bias by kappa squared; two biases are "
    "kappa = root 2.",
)
