"""A parameter of an explorable figure: its label, its stored values, and how they read."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Real


@dataclass(frozen=True)
class Parameter:
    """The values of one slider. A *position* is an index, or between two values a fraction.

    Positions between two stored values exist for continuous parameters alone, those with a
    float among their values. They need a kernel that draws them.
    """

    name: str
    label: str
    values: tuple
    texts: tuple[str, ...]

    @classmethod
    def read(cls, name: str, given) -> Parameter:
        """From what the author wrote: ``values`` or ``(label, values)``.

        Raises TypeError for what is neither, ValueError for values that make no slider.
        """
        label = name
        if isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], str):
            is_pair_of_values = isinstance(given[1], str)
            label, given = (name, given) if is_pair_of_values else given
        if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
            raise TypeError(
                f"{name}: expected a sequence of values or (label, values), got {given!r}"
            )
        values = tuple(value.item() if hasattr(value, "item") else value for value in given)
        _require_valid(name, values)
        return cls(name, label, values, _texts(name, values))

    @property
    def continuous(self) -> bool:
        """Whether there is something between two values."""
        return any(isinstance(value, float) for value in self.values)

    def index(self, value) -> int:
        """The index of a stored value. Raises ValueError when it is not stored."""
        for index, stored in enumerate(self.values):
            if _same(stored, value):
                return index
        raise ValueError(f"{self.name}: expected one of {', '.join(self.texts)}, got {value!r}")

    def position(self, value) -> int | float:
        """The position of ``value``. Raises ValueError when there is none."""
        is_number = isinstance(value, Real) and not isinstance(value, bool)
        if self.continuous and is_number and self.values[0] < value < self.values[-1]:
            right = bisect.bisect(self.values, value)
            left_value, right_value = self.values[right - 1], self.values[right]
            position = right - 1 + float(value - left_value) / (right_value - left_value)
            nearest = round(position)
            return nearest if _same(self.values[nearest], value) else position
        return self.index(value)

    def value(self, position: int | float):
        """The value at a position."""
        left = int(position)
        if position == left:
            return self.values[left]
        left_value, right_value = self.values[left : left + 2]
        return left_value + (position - left) * (right_value - left_value)

    def text(self, position: int | float) -> str:
        """The value at a position as shown beside the slider; one more digit between two values."""
        left = int(position)
        if position == left:
            return self.texts[left]
        if any("e" in text for text in self.texts):
            return f"{self.value(position):.4g}"
        digits = len(self.texts[0].partition(".")[2])
        return f"{self.value(position):.{digits + 1}f}"


def _require_valid(name, values):
    if len(values) == 0:
        raise ValueError(f"{name}: expected at least one value, got none")
    kinds = {_kind(value) for value in values}
    if None in kinds or len(kinds) > 1:
        raise TypeError(
            f"{name}: expected numbers only, strings only or booleans only, got {list(values)!r}"
        )
    if len(set(values)) < len(values):
        raise ValueError(f"{name}: expected different values, got a value twice in {list(values)}")
    if kinds == {"number"}:
        if not all(math.isfinite(value) for value in values):
            raise ValueError(f"{name}: expected finite values, got {list(values)}")
        if list(values) != sorted(values):
            raise ValueError(f"{name}: expected increasing values, got {list(values)}")


def _kind(value):
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "string"
    return "number" if isinstance(value, (int, float)) else None


def _same(stored, value):
    if _kind(stored) == "number" and isinstance(value, Real) and not isinstance(value, bool):
        return math.isclose(stored, value, rel_tol=1e-9, abs_tol=1e-12)
    return type(stored) is type(value) and stored == value


def _texts(name, values):
    """All values with the same number of decimals if six or fewer show them; else ``%g``."""
    if _kind(values[0]) != "number":
        return tuple(str(value) for value in values)
    for digits in range(7):
        texts = tuple(_without_minus_zero(f"{value:.{digits}f}") for value in values)
        if all(_same(value, float(text)) for value, text in zip(values, texts, strict=True)):
            return texts
    for digits in range(3, 18):
        texts = tuple(f"{value:.{digits}g}" for value in values)
        if len(set(texts)) == len(texts):
            return texts
    raise ValueError(f"{name}: expected values that differ in 17 digits, got {list(values)}")


def _without_minus_zero(text):
    return text.lstrip("-") if float(text) == 0 else text
