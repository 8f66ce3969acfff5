"""The engine of checks: it compares an answer with the reference and names the known mistake.

An :class:`Exercise` knows its cases, its reference answer, its hints and the wrong answers that
learners really give, each with a diagnosis. ``check`` survives whatever a learner hands in.
"""

from __future__ import annotations

import inspect
import linecache
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

OUTCOMES = (
    "correct",
    "not attempted",
    "raised",
    "wrong type",
    "wrong shape",
    "not finite",
    "wrong value",
)


@dataclass(frozen=True)
class Result:
    """What a check found.

    Attributes:
        outcome: one of :data:`OUTCOMES`.
        message: plain text for the learner; it never contains the answer.
    """

    outcome: str
    message: str

    def _ipython_display_(self) -> None:
        """Show nothing in a notebook: ``check`` has printed the message already."""


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that learners give, and what to tell them.

    Attributes:
        name: a few words, unique within the exercise.
        answer: the wrong answer itself, of the kind that the exercise asks for.
        diagnosis: what went wrong, in one or two sentences, without the answer.
        section: heading of the chapter's section that clears it up.
    """

    name: str
    answer: Any
    diagnosis: str
    section: str


class _Fault(Exception):
    """Why an answer cannot be compared; carries an outcome and a message."""

    def __init__(self, outcome: str, message: str):
        super().__init__(message)
        self.outcome = outcome


class Exercise:
    """One question with everything needed to judge an answer.

    Args:
        key: ``"chapter.name"``; the last part is also the name of the variable and of the
            function that a code exercise asks for.
        chapter: title of the chapter, for the pointers to its sections.
        returns: for each quantity of the answer its shape in letters, for instance
            ``{"dZ": "(T, n)"}``; one quantity is returned as it is, several as a tuple in this
            order or as a dict. A shape that begins with T has one row a step, from step 1 on;
            with T+1, from step 0 on.
        reference: the right answer: a function if there are ``cases``, else the value or a dict.
        mistakes: known wrong answers, those that readers gave first.
        hints: opened one at a time; the last names the equation.
        insight: one sentence that a correct answer has earned.
        cases: arguments by name, one dict a call, tensors in float64; empty if the answer is not a
            function.
        options: the allowed answers of a prediction; empty if the answer is numeric.
        tolerance: the relative error that still counts as equal.
    """

    def __init__(
        self,
        key: str,
        *,
        chapter: str,
        returns: Mapping[str, str],
        reference: Any,
        mistakes: Sequence[Mistake],
        hints: Sequence[str],
        insight: str,
        cases: Sequence[Mapping[str, Any]] = (),
        options: Sequence[Any] = (),
        tolerance: float = 1e-9,
    ):
        self.key = key
        self.chapter = chapter
        self.returns = dict(returns)
        self.reference = reference
        self.known_mistakes = tuple(mistakes)
        self.hints = tuple(hints)
        self.insight = insight
        self.cases = tuple(cases)
        self.options = tuple(options)
        self.tolerance = tolerance
        self._hints_shown = 0

    def __repr__(self) -> str:
        return f"<Exercise {self.key}: .check(answer), .hint()>"

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition(".")[2]

    @property
    def mistakes(self) -> dict[str, Any]:
        """The known wrong answers by name."""
        return {mistake.name: mistake.answer for mistake in self.known_mistakes}

    def hint(self) -> None:
        """Print the next hint; after the last one, begin again."""
        number = self._hints_shown % len(self.hints)
        self._hints_shown += 1
        print(f"Hint {number + 1} of {len(self.hints)}: {self.hints[number]}")

    def check(self, answer: Any) -> Result:
        """Judge an answer of any kind, print the message and return the :class:`Result`."""
        try:
            result = self._judge(answer)
        except _Fault as fault:
            result = Result(fault.outcome, str(fault))
        except Exception as error:  # an answer that cannot even be looked at
            result = Result(
                "wrong type", f"Your answer could not be read: {type(error).__name__} on access."
            )
        print(result.message)
        return result

    # ---- judging ---------------------------------------------------------------------------

    def _judge(self, answer: Any) -> Result:
        if _is_blank(answer):
            raise _Fault(
                "not attempted", "Not attempted yet. Put your answer where the ... stands."
            )
        got = self._outputs(answer)
        expected = self._outputs(self.reference)
        for case, (arrays, right) in enumerate(zip(got, expected, strict=True)):
            for quantity, array in arrays.items():
                fault = self._compare(quantity, array, right[quantity])
                if fault is not None:
                    place = self._describe_case(case)
                    diagnosis = self._diagnose(got, expected, quantity)
                    return Result(fault[0], f"{fault[1]}{place}{diagnosis}")
        return Result("correct", f"Correct. {self.insight}")

    def _outputs(self, answer: Any) -> list[dict[str, _Array]]:
        """For each case the quantities of the answer as arrays."""
        if not self.cases:
            return [self._quantities(answer)]
        if not callable(answer):
            wanted = f"{self.name}({', '.join(self.cases[0])})"
            raise _Fault("wrong type", f"Expected a function {wanted}, got {_type_name(answer)}.")
        return [self._quantities(self._call(answer, case)) for case in self.cases]

    def _call(self, function: Callable, case: Mapping[str, Any]) -> Any:
        """Call the learner's function on copies and see that it leaves them as they were."""
        arguments = {name: _copy(value) for name, value in case.items()}
        try:
            inspect.signature(function).bind(*arguments.values())
        except TypeError:
            raise _Fault(
                "raised",
                f"Your function cannot be called as {self.name}({', '.join(arguments)}): it takes "
                f"{inspect.signature(function)}.",
            ) from None
        except ValueError:
            pass  # a built-in without a signature: the call will tell
        try:
            value = function(*arguments.values())
        except (Exception, SystemExit) as error:
            raise _Fault("raised", _explain_error(error)) from None
        for name, original in case.items():
            if not _same(arguments[name], original):
                raise _Fault(
                    "wrong value",
                    f"Your function changed its argument {name}. Whoever called it still needs "
                    f"the old values: work on a copy, for instance {name}.clone().",
                )
        return value

    def _quantities(self, value: Any) -> dict[str, _Array]:
        """Sort an answer into its named quantities and turn each into an array."""
        names = list(self.returns)
        if _is_blank(value):
            raise _Fault(
                "not attempted",
                "Your function returned nothing. Replace the ... in it; if you have written it "
                "already, see that it ends with a return.",
            )
        if isinstance(value, Mapping):
            missing = [name for name in names if name not in value]
            if missing:
                raise _Fault("wrong type", f"The answer has no entry {missing[0]!r}.")
            values = [value[name] for name in names]
        elif len(names) == 1:
            values = [value]
        elif isinstance(value, tuple | list):
            if len(value) != len(names):
                wanted = ", ".join(names)
                raise _Fault(
                    "wrong type",
                    f"Expected {len(names)} quantities in this order: {wanted}; got {len(value)}.",
                )
            values = list(value)
        else:
            wanted = ", ".join(names)
            raise _Fault(
                "wrong type",
                f"Expected {len(names)} quantities in this order: {wanted}; "
                f"got one {_type_name(value)}.",
            )
        for name, entry in zip(names, values, strict=True):
            if _is_blank(entry):
                raise _Fault("not attempted", f"{name} is not filled in yet.")
        return {n: self._array(n, v) for n, v in zip(names, values, strict=True)}

    def _array(self, name: str, value: Any) -> _Array:
        if self.options:
            return _Array(np.array(float(self._option(name, value))), 0.0)
        try:
            return _to_array(value)
        except Exception:
            raise _Fault(
                "wrong type",
                f"{name}: expected numbers (a tensor, an array or a list), got "
                f"{_type_name(value)}.",
            ) from None

    def _option(self, name: str, value: Any) -> int:
        """The place of a prediction among the options."""
        if isinstance(value, str):
            value = value.strip().lower()
        if isinstance(value, np.bool_):
            value = bool(value)
        for place, option in enumerate(self.options):
            if type(value) is type(option) and value == option:
                return place
        expected = " or ".join(repr(option) for option in self.options)
        raise _Fault("wrong type", f"{name}: expected {expected}, got {_type_name(value)}.")

    def _compare(self, name: str, got: _Array, right: _Array) -> tuple[str, str] | None:
        """Outcome and message of the first fault of one quantity; ``None`` if it is right."""
        if got.values.shape != right.values.shape:
            letters = self.returns[name]
            return (
                "wrong shape",
                f"{name}: expected shape {letters} = {right.values.shape}, got {got.values.shape}.",
            )
        finite = np.isfinite(got.values)
        if not finite.all():
            at = self._first_step(name, ~finite)
            return "not finite", f"{name} holds NaN or infinity{at}."
        error = _relative_error(got.values, right.values)
        if error <= max(self.tolerance, got.rounding):
            return None
        if self.options:
            return "wrong value", f"{name}: not so."
        scale = np.abs(right.values).max() or 1.0
        off = np.abs(got.values - right.values) > max(self.tolerance, got.rounding) * scale
        at = self._first_step(name, off)
        return "wrong value", f"{name}: wrong value{at}, relative error {error:.1e}."

    def _first_step(self, name: str, wrong: np.ndarray) -> str:
        """Where the first wrong row stands, if the quantity has one row a step."""
        letters = self.returns[name]
        if wrong.ndim == 0 or not letters.startswith("(T") or not wrong.any():
            return ""
        rows = np.flatnonzero(wrong.reshape(len(wrong), -1).any(axis=1))
        start = 0 if letters.startswith("(T+1") else 1
        steps = [int(row) + start for row in rows]
        last = len(wrong) - 1 + start
        if len(steps) == len(wrong):
            return f" at every step t = {start}..{last}"
        return f", first at step t = {steps[0]}, last at t = {steps[-1]} of {start}..{last}"

    def _describe_case(self, number: int) -> str:
        if not self.cases:
            return ""
        shapes = ", ".join(
            f"{name} {tuple(value.shape)}"
            for name, value in self.cases[number].items()
            if isinstance(value, torch.Tensor)
        )
        return f" (Case {number + 1} of {len(self.cases)}: {shapes}.)"

    # ---- diagnosis -------------------------------------------------------------------------

    def _diagnose(self, got: list, expected: list, quantity: str) -> str:
        """The known mistake that gives exactly this answer, or a general observation."""
        partial = None
        for mistake in self.known_mistakes:
            outputs = self._outputs(mistake.answer)
            agrees = {
                name: all(
                    _equal(a[name], b[name], self.tolerance)
                    for a, b in zip(got, outputs, strict=True)
                )
                for name in self.returns
            }
            if all(agrees.values()):
                return self._tell(mistake)
            was_right = all(
                _equal(a[quantity], b[quantity], self.tolerance)
                for a, b in zip(outputs, expected, strict=True)
            )
            if agrees[quantity] and not was_right and partial is None:
                partial = mistake
        if partial is not None:
            return self._tell(partial)
        return _general_observation([g[quantity] for g in got], [e[quantity] for e in expected])

    def _tell(self, mistake: Mistake) -> str:
        return (
            f"\nThis is exactly what the following mistake gives: {mistake.diagnosis}"
            f'\nRead again: "{mistake.section}" in {self.chapter}.'
        )


@dataclass(frozen=True)
class _Array:
    """Numbers of an answer in float64, with the relative error that their own dtype excuses."""

    values: np.ndarray
    rounding: float


def _to_array(value: Any) -> _Array:
    if isinstance(value, list | tuple) and any(isinstance(v, torch.Tensor) for v in value):
        value = torch.stack([torch.as_tensor(v) for v in value])
    if isinstance(value, torch.Tensor):
        if value.is_complex() or value.dtype == torch.bool:
            raise TypeError
        precision = torch.finfo(value.dtype).eps if value.is_floating_point() else 0.0
        value = value.detach().to_dense() if value.is_sparse else value.detach()
        array = value.cpu().to(torch.float64).resolve_neg().numpy()
    else:
        array = np.asarray(value)
        if array.dtype.kind not in "iuf":
            raise TypeError
        precision = float(np.finfo(array.dtype).eps) if array.dtype.kind == "f" else 0.0
    return _Array(np.array(array, dtype=np.float64), min(1e4 * precision, 1e-2))


def _is_blank(value: Any) -> bool:
    """Whether nothing was filled in: ``...``, ``None``, or a container of nothing else."""
    if value is None or value is ...:
        return True
    if isinstance(value, Mapping):
        value = list(value.values())
    return isinstance(value, list | tuple) and len(value) > 0 and all(map(_is_blank, value))


def _type_name(value: Any) -> str:
    return f"the string {value[:30]!r}" if isinstance(value, str) else type(value).__name__


def _copy(value: Any) -> Any:
    return value.clone() if isinstance(value, torch.Tensor) else value


def _same(value: Any, original: Any) -> bool:
    if isinstance(original, torch.Tensor):
        return (
            value.shape == original.shape
            and value.dtype == original.dtype
            and torch.equal(value.detach(), original)
        )
    return value == original


def _relative_error(got: np.ndarray, right: np.ndarray) -> float:
    scale = float(np.linalg.norm(right)) or 1.0
    return float(np.linalg.norm(got - right)) / scale


def _equal(got: _Array, other: _Array, tolerance: float) -> bool:
    return got.values.shape == other.values.shape and bool(
        np.isfinite(got.values).all()
        and _relative_error(got.values, other.values)
        <= max(tolerance, got.rounding, other.rounding)
    )


def _general_observation(got: Iterable[_Array], expected: Iterable[_Array]) -> str:
    """What can be said without a known mistake: all zero, a constant factor, or transposed."""
    pairs = [(g.values, e.values) for g, e in zip(got, expected, strict=True)]
    if all(
        g.ndim == 2 and g.T.shape == e.shape and _relative_error(g.T, e) < 1e-6 for g, e in pairs
    ):
        return "\nIt is the transpose of the right matrix."
    if any(g.shape != e.shape or not np.isfinite(g).all() for g, e in pairs):
        return ""
    if all(not g.any() for g, _ in pairs):
        return "\nEvery number is zero."
    ratios = [float((g * e).sum() / (e * e).sum()) for g, e in pairs if e.size > 1 and e.any()]
    if ratios and all(
        _relative_error(g, r * e) < 1e-6 for (g, e), r in zip(pairs, ratios, strict=False)
    ):
        if np.ptp(ratios) < 1e-6:
            return f"\nIt is the right answer times {ratios[0]:.4g}: look for a constant factor."
        return (
            "\nIn each case it is the right answer times a factor: look for an average or a sign."
        )
    return ""


def _explain_error(error: BaseException) -> str:
    """The error and the learner's own line, for the deepest frame outside the libraries."""
    frames = traceback.extract_tb(error.__traceback__)[1:]
    own = [f for f in frames if "site-packages" not in f.filename and f.filename != __file__]
    text = f"Your function raised {type(error).__name__}: {error}"
    if own:
        linecache.checkcache(own[-1].filename)
        text += f"\nin line {own[-1].lineno} of {own[-1].name}: {own[-1].line}"
    return text
