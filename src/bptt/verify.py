"""Two independent oracles for a gradient, the comparison that names the first difference, and
``verify``, which looks for the mistake in a reader's own gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bptt.arguments import require_option
from bptt.backward import Gradients, bptt
from bptt.loss import REDUCTIONS, cross_entropy, squared_error
from bptt.rnn import RNN, Tape, augment
from bptt.truncate import bptt_blocks

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
            use at step j (column j-1); ``None`` if all is right.
        mistakes: the names of the mistakes of :data:`bptt.museum.MUSEUM` that give these numbers:
            those that alone give all of them, or else those that each give one wrong gradient.
        explanation: how to repair them, or else what the numbers look like.
        not_compared: the names of the gradients that the function did not return.
    """

    errors: dict[str, float]
    wrong: tuple[str, ...] = ()
    loss_step: int | None = None
    use_step: int | None = None
    pairs: Tensor | None = None
    mistakes: tuple[str, ...] = ()
    explanation: str = ""
    not_compared: tuple[str, ...] = ()

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
            return f"Correct: {_listed(self.errors)} agree with two oracles.{missing}"
        right = [name for name in self.errors if name not in self.wrong]
        lines = [
            f"First wrong gradient, seen from the loss: {self.quantity}, relative error "
            f"{self.errors[self.quantity]:.1e}. Wrong: {_listed(self.wrong)}. Right: "
            f"{_listed(right) or 'none'}.{missing}",
            self._place(),
            self.explanation,
        ]
        return "\n".join(line for line in lines if line)

    __repr__ = __str__

    def _place(self) -> str:
        lines = []
        if self.loss_step is None:
            lines.append("The loss of no single step shows it.")
        else:
            t, j = self.loss_step, self.use_step
            alone = f"The loss of step {t} alone gives a wrong {self.quantity}"
            before = "" if t == 1 else ", those of the steps before do not"
            if j is None:
                uses = "every use of W_hx contributes rightly to it, so dL/dz_t is right"
            else:
                uses = f"the use at step {j} is the first on the way back to contribute wrongly"
            lines.append(f"{alone}{before}: {uses}.")
        if not self.pairs.all():
            lines.append("Loss of step, and its uses at steps 1, 2, ...: . is right, x is wrong.")
            for row, pairs in enumerate(self.pairs.tolist()):
                marks = [("." if j <= row else " ") if ok else "x" for j, ok in enumerate(pairs)]
                lines.append(f"{row + 1:>6}  {' '.join(marks)}".rstrip())
        return "\n".join(lines)


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

    The answers are compared with :func:`bptt.bptt` and with automatic differentiation. If one is
    wrong, targets that differ at one step show the loss of this step alone, and inputs that are
    unit vectors show the contribution of each step as a column of the gradient of W_hx.

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
    cases = [subject.case(T, B, d, n, q) for T, B, d, n, q in ((7, 3, 2, 5, 4), (8, 2, 3, 6, 5))]
    got = [subject.ask(case) for case in cases]
    right = [subject.right(case) for case in cases]
    names = [name for name in _ORDER if all(name in answer for answer in got)]
    tolerance = max(_TOLERANCES[g.dtype] for answer in got for g in answer.values())

    got = [{name: answer[name] for name in names} for answer in got]
    errors = {
        name: max(relative_error(g[name], r[name]) for g, r in zip(got, right, strict=True))
        for name in names
    }
    wrong = tuple(name for name in names if not errors[name] <= tolerance)
    missing = ("h0",) if "h0" not in names else ()
    if not wrong:
        return Report(errors, not_compared=missing)
    loss_step, use_step, pairs = _locate(subject, wrong[0], tolerance)
    mistakes, explanation = _explain(subject, cases, got, right, wrong, tolerance)
    return Report(errors, wrong, loss_step, use_step, pairs, mistakes, explanation, missing)


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

    def other_target(self, case: Named, step: int) -> Named:
        """The same case with other targets at one step."""
        Y = case["Y"].clone()
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
        for name in names:
            if name not in answer and name != "h0":
                raise ValueError(f"{name}: expected a gradient of this name, got {list(answer)}")
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
    """A gradient of the reader, without its history."""
    if not isinstance(value, Tensor | np.ndarray):
        raise TypeError(f"{name}: expected a tensor or an array, got {type(value).__name__}")
    if str(value.dtype).removeprefix("torch.") not in ("float64", "float32"):
        raise TypeError(f"{name}: expected float64 or float32, got {value.dtype}")
    return torch.as_tensor(value).detach().cpu()


def _listed(names: Iterable[str]) -> str:
    *most, last = names or ("",)
    return f"{', '.join(most)} and {last}" if most else last


def _locate(
    subject: _Subject, quantity: str, tolerance: float
) -> tuple[int | None, int | None, Tensor]:
    """The first loss whose gradient is wrong alone, the use where it goes wrong, and all pairs.

    The gradient is linear in dL/dO. So the difference of two answers whose targets differ at one
    step is the gradient of that step's loss. With the unit vector e_t as the input of step t,
    column t of the gradient of W_hx is the contribution of step t: dL/dz_t, summed over the batch.
    """
    T = 7
    case = subject.case(T, B=2, d=T, n=5, q=4)
    case["X"] = torch.eye(T, dtype=torch.float64)[:, None].repeat(1, 2, 1)
    base, right_base = subject.ask(case), subject.right(case)
    got, right, adjoints, right_adjoints = [], [], [], []
    for step in range(1, T + 1):
        other = subject.other_target(case, step)
        answer, expected = subject.ask(other), subject.right(other)
        got.append((answer[quantity] - base[quantity]).double())
        right.append(expected[quantity] - right_base[quantity])
        adjoints.append((answer["W_hx"] - base["W_hx"]).T.double())
        right_adjoints.append((expected["W_hx"] - right_base["W_hx"]).T)

    def agree(got: list[Tensor], right: list[Tensor], axes: int) -> Tensor:
        got, right = torch.stack(got).flatten(axes), torch.stack(right).flatten(axes)
        return (got - right).norm(dim=-1) <= tolerance * right.norm(dim=-1).max()

    pairs = agree(adjoints, right_adjoints, 2)  # (T, T): loss, step of the adjoint
    faulty = (~agree(got, right, 1)).nonzero()
    if not len(faulty):
        return None, None, pairs
    row = int(faulty[0])
    columns = (~pairs[row]).nonzero()
    return row + 1, int(columns[-1]) + 1 if len(columns) else None, pairs


def _explain(
    subject: _Subject,
    cases: list[Named],
    got: list[Named],
    right: list[Named],
    wrong: tuple[str, ...],
    tolerance: float,
) -> tuple[tuple[str, ...], str]:
    """The mistakes that give the wrong numbers, and what to say about them."""
    from bptt.museum import MUSEUM  # not above: the museum measures its errors with this module

    known = [(name, bug.broken) for name, bug in MUSEUM.items()]
    known += [("cut into blocks", partial(bptt_blocks, length=K)) for K in (2, 4, 5, 6, 7)]
    agreeing: dict[str, set[str]] = {name: set() for name in MUSEUM}
    tapes = [subject.tape(case) for case in cases]
    for name, broken in known:
        answers = [subject.broken(broken, *tape) for tape in tapes]
        same = {
            quantity
            for quantity in got[0]
            if all(
                relative_error(g[quantity], a[quantity]) <= tolerance
                for g, a in zip(got, answers, strict=True)
            )
        }
        agreeing[name] = max(agreeing[name], same, key=len)

    everywhere = tuple(name for name, same in agreeing.items() if same == set(got[0]))
    if everywhere:
        begin = "" if len(everywhere) == 1 else "Several mistakes give these numbers.\n"
        tell = [f'These are the numbers of "{name}". {MUSEUM[name].likely}' for name in everywhere]
        return everywhere, begin + "\n".join(tell)

    found: list[str] = []
    said: dict[str, list[str]] = {}  # a sentence -> the gradients that it is true of
    for quantity in wrong:
        names = [name for name, same in agreeing.items() if quantity in same]
        triples = [(g[quantity], r[quantity], c) for g, r, c in zip(got, right, cases, strict=True)]
        if len(names) == 1:
            found += [name for name in names if name not in found]
            sentence = f'as in "{names[0]}". {MUSEUM[names[0]].likely}'
        else:
            sentence = f"{_symptom(triples) or 'unlike any mistake of the museum'}."
        said.setdefault(sentence, []).append(quantity)
    lines = ["No single mistake of the museum gives all these numbers."]
    lines += [f"{_listed(quantities)}: {sentence}" for sentence, quantities in said.items()]
    if "W_qh" in wrong and not found:
        lines.append(
            "W_qh needs no way back through time. See first that verify and your function mean the "
            "same loss and the same forward pass, h_0 included."
        )
    return tuple(found), "\n".join(lines)


def _symptom(triples: list[tuple[Tensor, Tensor, Named]]) -> str:
    """What wrong numbers look like: zero, the transpose, or a multiple of the right ones."""

    def close(got: Tensor, right: Tensor) -> bool:
        return got.shape == right.shape and relative_error(got, right) <= 1e-3

    if not any(got.any() for got, _, _ in triples):
        return "zero everywhere"
    if all(got.ndim == 2 and close(got.T, right) for got, right, _ in triples):
        return "the transpose of the right gradient"
    factors = [
        float((got.double() * right).sum() / right.square().sum()) for got, right, _ in triples
    ]
    if not all(close(got, f * right) for (got, right, _), f in zip(triples, factors, strict=True)):
        return ""
    sizes = [(*case["X"].shape[:2], len(case["W_qh"])) for _, _, case in triples]
    mean = ": a sum where a mean is expected, or the reverse"
    known = {"minus the right gradient": [-1, -1]}
    for name, values, hint in (
        ("2", [2, 2], ""),
        ("T", [T for T, _, _ in sizes], mean),
        ("B", [B for _, B, _ in sizes], mean),
        ("q", [q for _, _, q in sizes], mean),
        ("T B", [T * B for T, B, _ in sizes], mean),
        ("T B q", [T * B * q for T, B, q in sizes], mean),
    ):
        known[f"{name} times the right gradient{hint}"] = values
        known[f"the right gradient divided by {name}{hint}"] = [1 / value for value in values]
    for text, values in known.items():
        if np.allclose(factors, values, rtol=1e-3, atol=0):
            return text
    values = " and ".join(f"{factor:.4g}" for factor in factors)
    return f"the right gradient times {values} in the two cases"
