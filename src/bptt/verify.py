"""Two independent oracles for a gradient, the comparison that names the first difference, and
``verify``, which looks for the mistake in a reader's own gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bptt.arguments import require_option
from bptt.backward import Gradients, bptt
from bptt.loss import REDUCTIONS, cross_entropy, squared_error
from bptt.rnn import RNN, Tape, augment

Loss = Callable[[Tensor], Tensor]  # outputs (T, B, q) -> scalar


def relative_error(actual: Tensor, expected: Tensor) -> float:
    """The 2-norm of the difference over the 2-norm of ``expected``; 0 if both are zero.

    Both are divided by the largest number of ``expected`` first, so that tiny and huge gradients
    are compared as sharply as others.

    Raises:
        TypeError: an argument is not a tensor.
        ValueError: the shapes differ.
    """
    for name, value in (("actual", actual), ("expected", expected)):
        if not isinstance(value, Tensor):
            raise TypeError(f"{name}: expected a torch.Tensor, got {type(value).__name__}")
    if actual.shape != expected.shape:
        raise ValueError(
            f"actual: expected shape {tuple(expected.shape)}, got {tuple(actual.shape)}"
        )
    actual, expected = actual.detach().double(), expected.detach().double()
    largest = expected.abs().max()
    if largest == 0:
        return 0.0 if not actual.any() else float("inf")
    difference = torch.linalg.vector_norm(actual / largest - expected / largest)
    return (difference / torch.linalg.vector_norm(expected / largest)).item()


def unrolled_outputs(rnn: RNN, X: Tensor, h0: Tensor) -> Tensor:
    """The network as a plain loop that autograd can follow; shapes as for :class:`RNN`.

    It shares no line with the forward pass of the library, so that a mistake there shows.
    """
    n = rnn.W_hh.shape[0]
    h, O = h0, []
    for x in X:
        z = x @ rnn.W_hx.T + h @ rnn.W_hh.T
        h = torch.tanh(z) if rnn.activation == "tanh" else z
        o = h @ rnn.W_qh[:, -n:].T
        O.append(o + rnn.W_qh[:, 0] if rnn.W_qh.shape[1] > n else o)
    return torch.stack(O)


def _leaves(rnn: RNN, X: Tensor, h0: Tensor | None) -> tuple[Tensor, list[Tensor]]:
    """The checked inputs, and copies of W_hx, W_hh, W_qh and h_0 to differentiate by."""
    X, h0 = rnn.inputs(X, h0)
    leaves = (rnn.W_hx, rnn.W_hh, rnn.W_qh, h0)
    return X, [leaf.clone(memory_format=torch.contiguous_format) for leaf in leaves]


def _evaluate(leaves: list[Tensor], rnn: RNN, X: Tensor, loss: Loss) -> Tensor:
    W_hx, W_hh, W_qh, h0 = leaves
    network = _Weights(W_hx, W_hh, W_qh, rnn.activation)
    value = loss(unrolled_outputs(network, X, h0))
    if not isinstance(value, Tensor) or value.ndim != 0:
        raise TypeError(f"loss: expected a function that returns a scalar tensor, got {value!r}")
    return value


@dataclass(frozen=True, eq=False)
class _Weights:
    """The weights of an :class:`RNN` with their autograd history, which ``RNN`` itself drops."""

    W_hx: Tensor
    W_hh: Tensor
    W_qh: Tensor
    activation: str


def autograd_gradients(rnn: RNN, X: Tensor, loss: Loss, h0: Tensor | None = None) -> Gradients:
    """The gradients that automatic differentiation finds.

    Args:
        rnn: the network.
        X: inputs, ``(T, B, d)``.
        loss: a function of the outputs ``(T, B, q)`` that autograd can follow, returning a scalar.
        h0: initial state, ``(B, n)``; zero when omitted.

    Returns:
        :class:`Gradients` with ``h0`` ``(B, n)``.

    Raises:
        TypeError: ``loss`` returns no scalar tensor, or one that autograd cannot follow (the
            losses of this library cannot be followed: they compute their own adjoint).
        TypeError, ValueError: for ``X`` and ``h0`` as :meth:`RNN.inputs`.
    """
    X, leaves = _leaves(rnn, X, h0)
    with torch.enable_grad():
        for leaf in leaves:
            leaf.requires_grad_()
        value = _evaluate(leaves, rnn, X, loss)
        if not value.requires_grad:
            raise TypeError("loss: expected a function that autograd can follow, got a constant")
        return Gradients(*torch.autograd.grad(value, leaves))


@torch.no_grad()
def finite_difference_gradients(
    rnn: RNN, X: Tensor, loss: Loss, h0: Tensor | None = None, step: float = 1e-5
) -> Gradients:
    """The gradients by central differences, one number at a time: slow, and independent.

    Args:
        rnn, X, loss, h0: as for :func:`autograd_gradients`; use float64.
        step: how far each number is moved up and down; above 0.

    Raises:
        ValueError: ``step`` is not above 0.
        TypeError, ValueError: as for :func:`autograd_gradients`.
    """
    if not step > 0:
        raise ValueError(f"step: expected a number above 0, got {step}")
    X, leaves = _leaves(rnn, X, h0)
    gradients = []
    for leaf in leaves:
        gradient = torch.empty_like(leaf)
        for index in range(leaf.numel()):
            value = leaf.view(-1)[index].item()
            leaf.view(-1)[index] = value + step
            above = _evaluate(leaves, rnn, X, loss)
            leaf.view(-1)[index] = value - step
            below = _evaluate(leaves, rnn, X, loss)
            leaf.view(-1)[index] = value
            gradient.view(-1)[index] = (above - below) / (2 * step)
        gradients.append(gradient)
    return Gradients(*gradients)


@dataclass(frozen=True)
class Difference:
    """The first gradient that differs: its name and the relative error (2-norm)."""

    name: str
    relative_error: float

    def __str__(self) -> str:
        return f"{self.name} differs: relative error {self.relative_error:.2e}"


def first_difference(
    actual: Gradients, expected: Gradients, tolerance: float = 1e-12
) -> Difference | None:
    """Name the first gradient whose relative error exceeds the tolerance; ``None`` if none does.

    The order is W_qh, h0, W_hh, W_hx: from the loss backwards, so that the first difference is
    nearest to its cause. An ``h0`` that is ``None`` in one of them is not compared.

    Raises:
        TypeError: an argument is not :class:`Gradients`.
    """
    for name, value in (("actual", actual), ("expected", expected)):
        if not isinstance(value, Gradients):
            raise TypeError(f"{name}: expected Gradients, got {type(value).__name__}")
    for name in ("W_qh", "h0", "W_hh", "W_hx"):
        got, wanted = getattr(actual, name), getattr(expected, name)
        if name == "h0" and (got is None or wanted is None):
            continue
        error = relative_error(got, wanted)
        if not error <= tolerance:  # also true for NaN
            return Difference(name, error)
    return None


def assert_same_gradients(
    actual: Gradients, expected: Gradients, tolerance: float = 1e-12
) -> dict[str, float]:
    """Raise ``AssertionError`` with the first difference, else return all relative errors."""
    difference = first_difference(actual, expected, tolerance)
    if difference is not None:
        raise AssertionError(str(difference))
    pairs = {
        f.name: (getattr(actual, f.name), getattr(expected, f.name)) for f in fields(Gradients)
    }
    return {
        name: relative_error(*pair)
        for name, pair in pairs.items()
        if pair[0] is not None and pair[1] is not None
    }


# ---- a reader's own gradient -----------------------------------------------------------------

_LOSSES = ("squared_error", "cross_entropy")
_TOLERANCES = {torch.float64: 1e-7, torch.float32: 1e-3}  # mistakes are above 1e-2 on our cases
_ORDER = ("b_q", "W_qh", "h0", "W_hh", "b_h", "W_hx")  # from the loss backwards

Named = dict[str, Tensor]  # gradients, or the numbers of a case, by name


@dataclass(frozen=True, eq=False)
class Report:
    """What :func:`verify` found; ``print`` it.

    Attributes:
        errors: the largest relative error of each gradient that was compared, by name.
        wrong: the names of the wrong ones, from the loss backwards.
        loss_step: the first step whose loss, alone, gives a wrong ``quantity``; ``None`` if all
            is right, or if the loss of no single step does.
        use_step: the last step whose use of W_hx contributes wrongly to the gradient of this loss,
            the first that a backward pass meets; ``None`` if no use does.
        pairs: ``(T, T)``, whether the loss of step t (row t-1) has the right contribution from the
            use at step j (column j-1); ``None`` if all is right, or if the losses of single steps
            do not add up.
        place: what was seen with one loss at a time.
        mistakes: the names of the mistakes of :data:`bptt.museum.MUSEUM` that give these numbers:
            those that alone give all of them, or else those that each give one wrong gradient.
        explanation: how to repair them, or else what the numbers look like.
        not_compared: the names of the gradients that the function did not return.
        steps: how long the sequences were.
    """

    errors: dict[str, float]
    wrong: tuple[str, ...] = ()
    loss_step: int | None = None
    use_step: int | None = None
    pairs: Tensor | None = None
    place: str = ""
    mistakes: tuple[str, ...] = ()
    explanation: str = ""
    not_compared: tuple[str, ...] = ()
    steps: tuple[int, ...] = ()

    @property
    def correct(self) -> bool:
        """Whether every gradient that was compared is right."""
        return not self.wrong

    @property
    def quantity(self) -> str | None:
        """The first wrong gradient, nearest to the loss."""
        return self.wrong[0] if self.wrong else None

    def __str__(self) -> str:
        missing = "".join(f" {name} was not compared." for name in self.not_compared)
        if self.correct:
            return (
                f"Correct: {_listed(self.errors)} agree with two oracles on sequences of "
                f"{_listed(map(str, self.steps))} steps.{missing}"
            )
        right = [name for name in self.errors if name not in self.wrong]
        lines = [
            f"First wrong gradient, seen from the loss: {self.quantity}, relative error "
            f"{self.errors[self.quantity]:.1e}. Wrong: {_listed(self.wrong)}. Right: "
            f"{_listed(right) or 'none'}.{missing}",
            self.place,
            self.explanation,
        ]
        return "\n".join(line for line in lines if line)

    __repr__ = __str__


def verify(
    gradients: Callable[..., Any],
    *,
    loss: str | Callable[[Tensor, Tensor], Tensor] = "squared_error",
    reduction: str = "mean",
    biases: bool = False,
    initial_state: bool = True,
) -> Report:
    """Look for the mistake in your own gradient of a recurrent network.

    Your function is called as ``gradients(W_hx, W_hh, W_qh, X, h0, Y)`` with tensors in float64,
    time-major: the weights ``(n, d)``, ``(n, n)``, ``(q, n)``, inputs ``(T, B, d)``, the initial
    state ``(B, n)``, and targets ``(T, B, q)``, or classes ``(T, B)`` for the cross-entropy. It
    returns the gradients of W_hx, W_hh, W_qh and h0 as a tuple in this order, as a dict, or as
    :class:`Gradients`; tensors or arrays, float64 or float32. Leave h0 away, or return ``None``
    for it, if you do not have it: the report then says so. Sizes change from call to call.

    What is different in your code goes into a small function around it::

        verify(lambda *case: mine(*map(np.asarray, case)))                      # NumPy

        def batch_first(W_hx, W_hh, W_qh, X, h0, Y):                            # (B, T, d)
            return mine(W_hx, W_hh, W_qh, X.transpose(0, 1), h0, Y.transpose(0, 1))

        def autograd(W_hx, W_hh, W_qh, X, h0, Y):                               # a training loop
            leaves = [W.requires_grad_() for W in (W_hx, W_hh, W_qh, h0)]
            my_loss(*leaves, X, Y).backward()
            return [leaf.grad for leaf in leaves]

    The answers are compared with :func:`bptt.bptt` and with automatic differentiation, on three
    networks. The last one has a long sequence and large adjoints, so that a history that is cut
    after fewer than 50 steps shows, and a message that is clipped. If an answer is wrong, targets
    that differ at one step show the loss of this step alone, and inputs that are unit vectors show
    the contribution of each step as a column of the gradient of W_hx.

    Args:
        gradients: your function; it must leave its arguments as they are.
        loss: ``"squared_error"`` or ``"cross_entropy"`` as in :mod:`bptt.loss`, or your loss as a
            function ``loss(O, Y)`` that autograd can follow; Y then has the shape of O.
        reduction: ``"mean"`` over time and batch or ``"sum"``, for the two losses with a name.
        biases: whether there are biases; then the call is ``gradients(W_hx, W_hh, W_qh, b_h, b_q,
            X, h0, Y)`` with ``(n,)`` and ``(q,)``, and b_h and b_q come before h0 in the answer.
        initial_state: whether there is an h_0; without, it is zero and h0 is left out of the call.

    Returns:
        :class:`Report`.

    Raises:
        TypeError: ``gradients`` is not a function, or it returned something that is no gradient.
        ValueError: an unknown option; a gradient has the wrong shape, holds NaN or infinity, or is
            missing; or the function changed one of its arguments.
        Exception: what your function raises, with a note about the shapes of the call.
    """
    if not callable(gradients):
        raise TypeError(f"gradients: expected a function, got {type(gradients).__name__}")
    subject = _Subject(gradients, loss, reduction, biases, initial_state)
    cases = [subject.case(7, 3, 2, 5, 4), subject.case(8, 2, 3, 6, 5), subject.long_case()]
    steps = tuple(len(case["X"]) for case in cases)
    got = [subject.ask(case) for case in cases]
    right = [subject.right(case) for case in cases]
    names = [name for name in _ORDER if all(name in answer for answer in got)]
    tolerance = max(_TOLERANCES[g.dtype] for answer in got for g in answer.values())

    triples = {
        name: [(g[name], r[name], case) for g, r, case in zip(got, right, cases, strict=True)]
        for name in names
    }
    each = {name: [relative_error(g, r) for g, r, _ in triples[name]] for name in names}
    errors = {name: max(found) for name, found in each.items()}
    wrong = tuple(name for name in names if not errors[name] <= tolerance)
    missing = ("h0",) if "h0" not in names else ()
    if not wrong:
        return Report(errors, not_compared=missing, steps=steps)
    at_fault = {
        T for name in wrong for T, e in zip(steps, each[name], strict=True) if e > tolerance
    }
    where = _locate(subject, wrong[0], tolerance)
    mistakes, explanation = _explain(subject, triples, wrong, where, tolerance)
    return Report(
        errors,
        wrong,
        where.loss_step,
        where.use_step,
        where.pairs,
        where.told(wrong[0], [T for T in steps if T not in at_fault], max(steps)),
        mistakes,
        explanation,
        missing,
        steps,
    )


class _Subject:
    """The reader's function, and the same questions for the library."""

    def __init__(self, gradients, loss, reduction, biases, initial_state):
        if not callable(loss):
            require_option("loss", loss, _LOSSES)
        elif reduction != "mean":
            raise ValueError("reduction: your own loss decides it; leave this option out")
        require_option("reduction", reduction, REDUCTIONS)
        self.gradients, self.loss, self.reduction = gradients, loss, reduction
        self.biases, self.initial_state = biases, initial_state
        self.weights = ("W_hx", "W_hh", "W_qh", *(("b_h", "b_q") if biases else ()))

    def case(self, T: int, B: int, d: int, n: int, q: int) -> Named:
        """Numbers that hide nothing, each a multiple of 1/64: float32 holds them exactly."""
        generator = torch.Generator().manual_seed(T)

        def normal(*shape: int) -> Tensor:
            numbers = torch.randn(*shape, generator=generator, dtype=torch.float64)
            return (32 * numbers).round() / 64

        case = {"W_hx": normal(n, d), "W_hh": normal(n, n), "W_qh": 2 * normal(q, n)}
        if self.biases:
            case |= {"b_h": normal(n), "b_q": normal(q)}
        case["X"] = 2 * normal(T, B, d)
        if self.initial_state:
            case["h0"] = normal(B, n)
        if self.loss == "cross_entropy":
            return case | {"Y": torch.randint(q, (T, B), generator=generator)}
        return case | {"Y": 8 * normal(T, B, q)}

    def long_case(self) -> Named:
        """Fifty steps over which little fades, and adjoints in the hundreds.

        W_hh nearly keeps lengths and the states are small. So a loss still reaches back over a
        history longer than the blocks and windows in use, and the limit of a clip is exceeded.
        """
        case = self.case(50, B=2, d=2, n=4, q=3)
        Q, R = torch.linalg.qr(case["W_hh"])
        case["W_hh"] = (61 * Q * R.diag().sign()).round() / 64
        sizes = {"W_hx": 1 / 8, "b_h": 1 / 16, "W_qh": 512}
        return case | {name: size * case[name] for name, size in sizes.items() if name in case}

    def other_target(self, case: Named, *steps: int) -> Named:
        """The same case with other targets at some steps."""
        Y = case["Y"].clone()
        for step in steps:
            Y[step - 1] += 1
        if self.loss == "cross_entropy":
            Y %= len(case["W_qh"])
        return case | {"Y": Y}

    def ask(self, case: Named) -> Named:
        """What the reader's function returns, by name."""
        given = {name: value.clone() for name, value in case.items()}
        try:
            answer = self.gradients(*given.values())
        except Exception as error:
            shapes = ", ".join(f"{k} {tuple(v.shape)}" for k, v in given.items())
            error.add_note(f"verify called your function with {shapes}.")
            raise
        for name, value in given.items():
            if not torch.equal(value.detach(), case[name]):
                raise ValueError(
                    f"gradients: expected a function that leaves its arguments as they are, but it "
                    f"changed {name}; work on a copy"
                )
        named = self._named(answer)
        right = None
        for name, value in named.items():
            wanted = tuple(case[name].shape)
            if value.shape != wanted:
                right = right or self.right(case)
                transposed = value.shape == wanted[::-1] and (
                    relative_error(value.T, right[name]) <= _TOLERANCES[value.dtype]
                )
                hint = ": it is the transpose of the right one" if transposed else ""
                if name == "h0":
                    hint = ": one row for each sequence"
                got = tuple(value.shape)
                raise ValueError(f"{name}: expected shape {wanted}, got {got}{hint}")
            if not torch.isfinite(value).all():
                raise ValueError(f"{name}: expected finite numbers, got NaN or infinity")
        return named

    def _named(self, answer: Any) -> Named:
        names = [*self.weights, *(("h0",) if self.initial_state else ())]
        if isinstance(answer, Gradients):
            answer = vars(answer)
        if isinstance(answer, tuple | list):
            if len(answer) not in (len(names), len(self.weights)):
                raise ValueError(
                    f"gradients: expected {len(names)} gradients, {', '.join(names)}, got "
                    f"{len(answer)}"
                )
            answer = dict(zip(names, answer, strict=False))
        if not isinstance(answer, Mapping):
            raise TypeError(
                f"gradients: expected a function that returns a tuple or a dict of "
                f"{', '.join(names)}, got {type(answer).__name__}"
            )
        missing = [name for name in names if name not in answer]
        if missing and (missing != ["h0"] or any(key not in names for key in answer)):
            raise ValueError(
                f"{missing[0]}: expected a dict with the keys {', '.join(names)}, got "
                f"{', '.join(map(str, answer)) or 'none'}"
            )
        return {
            name: _as_tensor(name, answer[name])
            for name in names
            if name != "h0" or answer.get("h0") is not None
        }

    # ---- the library's side

    def _network(self, case: Named) -> tuple[RNN, Tensor]:
        """The network with its biases in the first columns, and the inputs that it takes."""
        W_hx, W_qh, X = case["W_hx"], case["W_qh"], case["X"]
        if self.biases:
            W_hx = torch.cat([case["b_h"][:, None], W_hx], dim=1)
            W_qh = torch.cat([case["b_q"][:, None], W_qh], dim=1)
            X = augment(X)
        return RNN(W_hx, case["W_hh"], W_qh), X

    def _loss(self, O: Tensor, Y: Tensor) -> Tensor:
        """The loss as autograd sees it."""
        if callable(self.loss):
            return self.loss(O, Y)
        if self.loss == "cross_entropy":
            flat = O.flatten(0, 1), Y.flatten()
            return torch.nn.functional.cross_entropy(*flat, reduction=self.reduction)
        return (O - Y).square().sum() / (2 * (Y[..., 0].numel() if self.reduction == "mean" else 1))

    def _adjoint(self, O: Tensor, Y: Tensor) -> Tensor:
        """dL/dO."""
        if self.loss == "squared_error":
            return squared_error(O, Y, self.reduction)[1]
        if self.loss == "cross_entropy":
            return cross_entropy(O, Y, self.reduction)[1]
        with torch.enable_grad():
            O = O.clone().requires_grad_()
            return torch.autograd.grad(self._loss(O, Y), O)[0]

    def right(self, case: Named) -> Named:
        """The right answer; the two oracles must agree on it."""
        rnn, X = self._network(case)
        tape = rnn(X, case.get("h0"))
        found = bptt(tape, self._adjoint(tape.O, case["Y"]))
        judge = autograd_gradients(rnn, X, lambda O: self._loss(O, case["Y"]), case.get("h0"))
        assert_same_gradients(found, judge, 1e-11)
        return self._split(found)

    def tape(self, case: Named) -> tuple[Tape, Tensor]:
        """The forward pass and dL/dO for a backward pass that knows no output bias."""
        rnn, X = self._network(case)
        tape = rnn(X, case.get("h0"))
        dO = self._adjoint(tape.O, case["Y"])
        return Tape(RNN(rnn.W_hx, rnn.W_hh, case["W_qh"]), X, tape.H, tape.O), dO

    def broken(self, bug: Callable[[Tape, Tensor], Gradients], tape: Tape, dO: Tensor) -> Named:
        """What a broken backward pass answers."""
        found = bug(tape, dO)
        if self.biases:
            W_qh = torch.cat([dO.sum((0, 1))[:, None], found.W_qh], dim=1)
            found = replace(found, W_qh=W_qh)
        return self._split(found)

    def _split(self, found: Gradients) -> Named:
        named = {name: value for name, value in vars(found).items() if value is not None}
        if self.biases:
            for bias, weight in (("b_h", "W_hx"), ("b_q", "W_qh")):
                named[bias], named[weight] = named[weight][:, 0], named[weight][:, 1:]
        return named


def _as_tensor(name: str, value: Any) -> Tensor:
    """A gradient of the reader, without its history; lists of numbers are taken as float64."""
    if isinstance(value, list):
        try:
            value = np.array(value, dtype=np.float64)
        except (TypeError, ValueError):
            raise TypeError(
                f"{name}: expected a tensor or an array of numbers, got a list of something else"
            ) from None
    if not isinstance(value, Tensor | np.ndarray):
        raise TypeError(f"{name}: expected a tensor or an array, got {type(value).__name__}")
    if str(value.dtype).removeprefix("torch.") not in ("float64", "float32"):
        raise TypeError(f"{name}: expected float64 or float32, got {value.dtype}")
    if isinstance(value, np.ndarray):
        value = value.copy()  # torch warns of an array that it may not write to
    return torch.as_tensor(value).detach().cpu()


def _listed(names: Iterable[str]) -> str:
    *most, last = names or ("",)
    return f"{', '.join(most)} and {last}" if most else last


def _counted(noun: str, numbers: list[int]) -> str:
    """A noun and its numbers: ``step 1``, ``steps 1 to 6``, ``steps 1 and 7``."""
    if len(numbers) == 1:
        return f"{noun} {numbers[0]}"
    if numbers == list(range(numbers[0], numbers[-1] + 1)) and len(numbers) > 2:
        return f"{noun}s {numbers[0]} to {numbers[-1]}"
    return f"{noun}s {_listed(map(str, numbers))}"


@dataclass(frozen=True, eq=False)
class _Where:
    """What one loss at a time shows; the first three fields are those of :class:`Report`.

    Attributes:
        moves: whether other targets change the right gradient at all.
        adds_up: whether the gradients of single losses add up to that of all.
        repeats: whether the function gives the same answer twice; asked only if they do not.
        base_wrong: whether the gradient of all losses is wrong.
        deaf: the steps whose loss contributes nothing, although it should.
        silent: the steps whose use of W_hx contributes nothing to any loss, although it should.
    """

    loss_step: int | None
    use_step: int | None
    pairs: Tensor | None
    moves: bool
    adds_up: bool
    repeats: bool
    base_wrong: bool
    deaf: list[int]
    silent: list[int]

    def told(self, quantity: str, well: list[int], longest: int) -> str:
        """The place of the mistake in words; ``well`` are the lengths without a mistake."""
        if not self.moves:
            return "The loss does not depend on Y, so no step can be tried alone."
        if not self.repeats:
            return "Called twice with the same numbers, your function gives two answers: noise?"
        if not self.adds_up:
            return (
                "The errors of single losses do not add up: the mistake depends on the size of the "
                "loss, as clipping does, and so it has no place among the steps."
            )
        lines = []
        if self.loss_step is not None:
            lines.append(self._first(quantity))
        elif self.base_wrong:
            lines.append(
                "The error does not depend on the loss: no loss of a single step shows it. Is "
                "something added to the gradient, a weight decay or what an earlier call has left?"
            )
        elif well:
            lines.append(
                f"Nothing is wrong on sequences of {_listed(map(str, well))} steps. It takes a "
                f"longer one, here of {longest} steps, or a larger loss."
            )
        else:
            lines.append("With one loss at a time nothing is wrong.")
        if not self.pairs.all():
            lines.append("Loss of step, and its uses at steps 1, 2, ...: . is right, x is wrong.")
            for row, pairs in enumerate(self.pairs.tolist()):
                marks = [("." if j <= row else " ") if ok else "x" for j, ok in enumerate(pairs)]
                lines.append(f"{row + 1:>6}  {' '.join(marks)}".rstrip())
        if self.deaf:
            late = " Does your loop begin too late?" if self.deaf == [len(self.pairs)] else ""
            lines.append(f"Nothing comes from the loss of {_counted('step', self.deaf)}.{late}")
        if self.silent:
            steps = _counted("step", self.silent)
            early = " Does your loop end too early?" if self.silent == [1] else ""
            lines.append(f"The use at {steps} contributes nothing, whatever the loss.{early}")
        return "\n".join(lines)

    def _first(self, quantity: str) -> str:
        t, j = self.loss_step, self.use_step
        alone = f"The loss of step {t} alone gives a wrong {quantity}"
        before = "" if t == 1 else ", those of the steps before do not"
        if j is not None:
            uses = f"the use at step {j} is the first on the way back to contribute wrongly"
        elif self.pairs.all():
            uses = "every use of W_hx contributes rightly, for every loss, so each dL/dz_t is right"
        else:
            uses = "for this loss every use of W_hx contributes rightly; for other losses see below"
        return f"{alone}{before}: {uses}."


def _locate(subject: _Subject, quantity: str, tolerance: float) -> _Where:
    """The first loss whose gradient is wrong alone, the use where it goes wrong, and all pairs.

    The gradient is linear in dL/dO. So the difference of two answers whose targets differ at one
    step is the gradient of that step's loss. With the unit vector e_t as the input of step t,
    column t of the gradient of W_hx is the contribution of step t: dL/dz_t, summed over the batch.
    """
    T = 7
    case = subject.case(T, B=2, d=T, n=5, q=4)
    case["X"] = torch.eye(T, dtype=torch.float64)[:, None].repeat(1, 2, 1)
    base = subject.ask(case), subject.right(case)

    def differences(*steps: int) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """The reader's and the right gradient of these losses: the quantity, and by steps."""
        other = subject.other_target(case, *steps)
        found = []
        for answer, before in zip((subject.ask(other), subject.right(other)), base, strict=True):
            W_hx = (answer["W_hx"] - before["W_hx"]).T.double()
            found.append(((answer[quantity] - before[quantity]).double(), W_hx))
        return tuple(zip(*found, strict=True))

    single = [differences(step) for step in range(1, T + 1)]
    got, right = (torch.stack([pair[0][who] for pair in single]).flatten(1) for who in (0, 1))
    adjoints, right_adjoints = (torch.stack([pair[1][who] for pair in single]) for who in (0, 1))
    pairs = _agree(adjoints, right_adjoints, tolerance)  # (T, T): loss, step of the adjoint
    faulty = (~_agree(got, right, tolerance)).nonzero()
    base_wrong = not relative_error(base[0][quantity], base[1][quantity]) <= tolerance

    together = differences(*range(1, T + 1))
    sums = (got.sum(0), right.sum(0)), (adjoints.sum(0), right_adjoints.sum(0))
    apart, right_apart = (
        [
            float(torch.linalg.vector_norm(parts[who] - whole[who].reshape(parts[who].shape)))
            for parts, whole in zip(sums, together, strict=True)
        ]
        for who in (0, 1)
    )
    largest = [float(right.abs().max()), float(right_adjoints.abs().max())]
    adds_up = any(r > 1e-6 * size for r, size in zip(right_apart, largest, strict=True)) or all(
        a <= 10 * tolerance * size for a, size in zip(apart, largest, strict=True)
    )
    moves = bool(right.any())
    if not moves or not adds_up:
        repeats = torch.equal(subject.ask(case)[quantity], base[0][quantity])
        return _Where(None, None, None, moves, adds_up, repeats, base_wrong, [], [])
    nothing = (adjoints == 0).all(2) & (right_adjoints != 0).any(2)
    uses = torch.ones(T, T, dtype=torch.bool).tril()
    deaf = (nothing | ~uses).all(1)
    heard = uses & ~deaf[:, None]
    silent = (nothing | ~heard).all(0) & heard.any(0)
    row = int(faulty[0]) if len(faulty) else None
    columns = (~pairs[row]).nonzero() if row is not None else ()
    return _Where(
        None if row is None else row + 1,
        int(columns[-1]) + 1 if len(columns) else None,
        pairs,
        moves,
        adds_up,
        True,
        base_wrong,
        (deaf.nonzero().flatten() + 1).tolist(),
        (silent.nonzero().flatten() + 1).tolist(),
    )


def _agree(got: Tensor, right: Tensor, tolerance: float) -> Tensor:
    """Of each row (last axis), whether it is right, beside the largest row."""
    return (got - right).norm(dim=-1) <= tolerance * right.norm(dim=-1).max()


def _explain(
    subject: _Subject,
    triples: dict[str, list[tuple[Tensor, Tensor, Named]]],
    wrong: tuple[str, ...],
    where: _Where,
    tolerance: float,
) -> tuple[tuple[str, ...], str]:
    """The mistakes that give the wrong numbers, and what to say about them."""
    agreeing = _agreeing(subject, triples, wrong, tolerance)
    everywhere = [known for known, same in agreeing if same == set(triples)]
    if everywhere:
        begin = "" if len(everywhere) == 1 else "Several mistakes give these numbers.\n"
        tell = [f"These are the numbers of {known.called} {known.likely}" for known in everywhere]
        names = dict.fromkeys(known.exhibit for known in everywhere if known.exhibit)
        return tuple(names), begin + "\n".join(tell)
    if clipped := _clipped_at_the_end(triples, wrong):
        return (), clipped

    found: list[str] = []
    said: dict[str, list[str]] = {}  # a sentence -> the gradients that it is true of
    h0_right = "h0" in triples and "h0" not in wrong
    for quantity in wrong:
        best, known = 0, []
        for candidate, same in agreeing:
            fits = len(same & set(wrong)) + len(same) / 100 if quantity in same else 0
            if fits and fits >= best:
                best, known = fits, [*(known if fits == best else ()), candidate]
        symptom = _symptom(quantity, triples[quantity], h0_right)
        if len(known) == 1:
            if known[0].exhibit and known[0].exhibit not in found:
                found.append(known[0].exhibit)
            sentence = f"as in {known[0].called} {known[0].likely}"
        else:
            sentence = f"{symptom or 'unlike any mistake of the museum'}."
        said.setdefault(sentence, []).append(quantity)
    lines = ["No single mistake of the museum gives all these numbers."]
    lines += [f"{_listed(quantities)}: {sentence}" for sentence, quantities in said.items()]
    nearly = all(_close(*triple[:2]) for name in wrong for triple in triples[name])
    if "W_qh" in wrong and not found and not h0_right and not nearly:
        lines.append(
            "W_qh needs no way back through time. See first that verify and your function mean the "
            "same loss and the same forward pass, h_0 included."
        )
    diagonal_wrong = where.pairs is not None and not where.pairs.diagonal().any()
    if "W_qh" in triples and "W_qh" not in wrong and not found and diagonal_wrong:
        lines.append(
            "W_qh is right, and each loss is wrong at its own step already: look at the slope, or "
            "at what else makes dL/dz_t of dL/dh_t."
        )
    return tuple(found), "\n".join(lines)


@dataclass(frozen=True)
class _Known:
    """A mistake that is looked for: how it is called, its repair, and its exhibit, if any."""

    called: str
    likely: str
    exhibit: str
    broken: Callable[[Tape, Tensor], Gradients]


def _agreeing(
    subject: _Subject,
    triples: dict[str, list[tuple[Tensor, Tensor, Named]]],
    wrong: tuple[str, ...],
    tolerance: float,
) -> list[tuple[_Known, set[str]]]:
    """The known mistakes that give at least one wrong gradient, and all gradients they give."""
    from bptt.museum import DEPOT, MUSEUM, clipped, truncated  # the museum measures with us

    cases = [case for _, _, case in next(iter(triples.values()))]
    known = [_Known(f'"{name}".', bug.likely, name, bug.broken) for name, bug in MUSEUM.items()]
    shortest, longest = len(cases[0]["X"]), len(cases[-1]["X"])
    shows = any(relative_error(*triples[name][0][:2]) > tolerance for name in wrong)
    lengths = range(2, shortest) if shows else range(shortest, longest)
    stored = [*DEPOT, *truncated(lengths)]
    for got, _, _ in triples.get("h0", ()):  # the limit, if the last message was clipped
        rows = got.double()
        limits = {float(rows.abs().max()), float(rows.norm()), float(rows.norm(dim=1).max())}
        stored += [way for limit in limits if limit > 0 for way in clipped(limit)]
    known += [_Known(_called(s), s.likely, s.exhibit, s.broken) for s in stored]
    tapes = [subject.tape(case) for case in cases]
    found, seen = [], set()
    for mistake in known:
        same = set(triples)
        for number, tape in enumerate(tapes):
            answer = subject.broken(mistake.broken, *tape)
            same = {
                name
                for name in same
                if relative_error(triples[name][number][0], answer[name]) <= tolerance
            }
            if not same & set(wrong):
                break
        if same & set(wrong) and (mistake.exhibit or mistake.called, *sorted(same)) not in seen:
            found.append((mistake, same))
            seen.add((mistake.exhibit or mistake.called, *sorted(same)))
    return found


def _called(stored: Any) -> str:
    """The name of a mistake of the depot in a sentence."""
    if stored.exhibit:
        return f'"{stored.exhibit}".'
    return f"a backward pass {stored.says}."


def _close(got: Tensor, right: Tensor) -> bool:
    return got.shape == right.shape and relative_error(got, right) <= 1e-3


def _factor(got: Tensor, right: Tensor) -> float:
    """The multiple of the right gradient that is nearest."""
    return float((got.double() * right).sum() / right.square().sum())


def _clipped_at_the_end(
    triples: dict[str, list[tuple[Tensor, Tensor, Named]]], wrong: tuple[str, ...]
) -> str:
    """What to say if the wrong gradients are right ones that were clipped, else nothing."""
    likely = "That is for the optimiser: compare the gradient before it is clipped."
    if all(_close(*triple[:2]) for name in wrong for triple in triples[name]):
        return ""
    limit = max(float(got.abs().max()) for name in wrong for got, _, _ in triples[name])
    if limit > 0 and all(
        _close(got, right.clamp(-limit, limit)) for name in wrong for got, right, _ in triples[name]
    ):
        return f"{_listed(wrong)}: right, but each entry is clipped to {limit:.4g}. {likely}"
    norms = []
    for number in range(len(triples[wrong[0]])):
        pairs = [triples[name][number][:2] for name in wrong]
        if not all(right.any() for _, right in pairs):
            return ""
        factors = [_factor(*pair) for pair in pairs]
        if not all(
            abs(f - factors[0]) <= 1e-3 * abs(f) and _close(got, f * right)
            for f, (got, right) in zip(factors, pairs, strict=True)
        ):
            return ""
        if factors[0] < 1 - 1e-3:
            norms.append(sum(float(got.double().square().sum()) for got, _ in pairs) ** 0.5)
        elif factors[0] > 1 + 1e-3:
            return ""
    if len(norms) > 1 and 0 < max(norms) <= 1.001 * min(norms):
        return f"{_listed(wrong)}: right, but clipped to the norm {norms[0]:.4g}. {likely}"
    return ""


def _symptom(quantity: str, triples: list[tuple[Tensor, Tensor, Named]], h0_right: bool) -> str:
    """What wrong numbers look like: zero, the transpose, or a multiple of the right ones."""
    if all(_close(got, right) for got, right, _ in triples):
        return (
            "nearly right; the mistakes of the museum are larger. It may be rounding in single "
            "precision, noise, or a wide step of finite differences"
        )
    if not any(got.any() for got, _, _ in triples):
        return "zero everywhere"
    if all(got.ndim == 2 and _close(got.T, right) for got, right, _ in triples):
        return "the transpose of the right gradient"
    added = [got.double() - right for got, right, _ in triples]
    weights = [case[quantity] for _, _, case in triples]
    decays = [_factor(more, W) for more, W in zip(added, weights, strict=True)]
    if all(_close(more, decays[0] * W) for more, W in zip(added, weights, strict=True)):
        return (
            f"the right gradient plus {decays[0]:.4g} times {quantity} itself: a weight decay, "
            "which is a part of the loss or of the optimiser"
        )
    factors = [_factor(got, right) for got, right, _ in triples]
    if not all(_close(got, f * right) for (got, right, _), f in zip(triples, factors, strict=True)):
        return ""
    for text, values in _multiples(
        [(*case["X"].shape[:2], len(case["W_qh"])) for *_, case in triples], h0_right
    ).items():
        if np.allclose(factors, values, rtol=1e-3, atol=0):
            return text
    if np.allclose(factors, factors[0], rtol=1e-3, atol=0):
        return f"{factors[0]:.4g} times the right gradient"
    values = _listed(f"{factor:.4g}" for factor in factors)
    sizes = _listed(str(len(case["X"])) for *_, case in triples)
    return f"the right gradient times {values} in the cases with {sizes} steps"


def _multiples(sizes: list[tuple[int, int, int]], h0_right: bool) -> dict[str, list[float]]:
    """In words, the factors that mean something, in each of the cases; a size is T, B, q."""
    why = half = ": a sum where a mean is expected, or the reverse"
    if h0_right:
        why = half = (
            ": the gradient of h_0 is right, so the loss is the same; the factor came in once more "
            "at the end"
        )
    known = {
        "minus the right gradient": [-1.0] * len(sizes),
        "2 times the right gradient": [2.0] * len(sizes),
        "half the right gradient": [0.5] * len(sizes),
    }
    for letters in ("T", "B", "q", "T B", "T q", "B q", "T B q"):
        each = [dict(zip("TBq", size, strict=True)) for size in sizes]
        values = [float(np.prod([size[letter] for letter in letters.split()])) for size in each]
        if not h0_right:
            half = f": a mean{' over the outputs too' * ('q' in letters)}, without the half"
        below = letters if len(letters) == 1 else f"({letters})"
        known |= {
            f"{letters} times the right gradient{why}": values,
            f"2 {letters} times the right gradient{why}": [2 * value for value in values],
            f"the right gradient divided by {letters}{why}": [1 / value for value in values],
            f"2/{below} times the right gradient{half}": [2 / value for value in values],
        }
    return known
