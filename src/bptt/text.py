"""A character corpus: real text, as numbers that a network can read."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

import torch
from torch import Tensor

from bptt.arguments import FLOATS, INTEGERS, require_count

#: The default text, written for this book and frozen, so that results stay.
DEFAULT_TEXT = files("bptt") / "walk.txt"


@dataclass(frozen=True)
class Corpus:
    """A text and its alphabet.

    Attributes:
        text: the text itself.
        alphabet: its different characters in sorted order; character ``alphabet[i]`` has number i.
        numbers: the whole text as numbers, ``(len(text),)`` int64.

    Raises:
        TypeError: ``text`` is not a string.
        ValueError: the text has fewer than two characters.
    """

    text: str = field(repr=False)
    alphabet: str = field(init=False)
    numbers: Tensor = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        if not isinstance(self.text, str):
            raise TypeError(f"text: expected a string, got {type(self.text).__name__}")
        if len(self.text) < 2:
            raise ValueError(f"text: expected at least 2 characters, got {len(self.text)}")
        object.__setattr__(self, "alphabet", "".join(sorted(set(self.text))))
        object.__setattr__(self, "numbers", self.encode(self.text))

    def encode(self, text: str) -> Tensor:
        """The numbers of the characters, ``(len(text),)`` int64.

        Raises:
            TypeError: ``text`` is not a string.
            ValueError: a character is not in the alphabet; the message names it and its place.
        """
        if not isinstance(text, str):
            raise TypeError(f"text: expected a string, got {type(text).__name__}")
        number = {character: i for i, character in enumerate(self.alphabet)}
        for place, character in enumerate(text):
            if character not in number:
                raise ValueError(
                    f"text: expected characters of the corpus ({len(self.alphabet)} of them), "
                    f"got {character!r} at position {place}"
                )
        return torch.tensor([number[character] for character in text], dtype=torch.long)

    def decode(self, numbers: Tensor) -> str:
        """The text of the numbers ``(length,)``; the inverse of :meth:`encode`.

        Raises:
            TypeError: ``numbers`` is not a tensor of integers.
            ValueError: a number is outside 0 to len(alphabet) - 1.
        """
        if not isinstance(numbers, Tensor) or numbers.dtype not in INTEGERS:
            got = getattr(numbers, "dtype", type(numbers).__name__)
            raise TypeError(f"numbers: expected a tensor of integers, got {got}")
        numbers = numbers.flatten().tolist()
        for number in numbers:
            if not 0 <= number < len(self.alphabet):
                raise ValueError(f"numbers: expected 0 to {len(self.alphabet) - 1}, got {number}")
        return "".join(self.alphabet[number] for number in numbers)

    def batch(
        self,
        steps: int,
        batch_size: int,
        generator: torch.Generator,
        dtype: torch.dtype = torch.float64,
    ) -> tuple[Tensor, Tensor]:
        """Random windows of the text, one-hot, each with the character that follows as the target.

        Args:
            steps: T, characters in a window.
            batch_size: B, windows.
            generator: draws where the windows begin.
            dtype: of the one-hot inputs.

        Returns:
            ``X`` ``(T, B, d)`` with d the size of the alphabet, and ``Y`` ``(T, B)`` int64, where
            ``Y[t]`` is the number of the character that ``X[t + 1]`` shows.

        Raises:
            TypeError: ``steps`` or ``batch_size`` is not a whole number, ``generator`` not a
                generator or ``dtype`` not a floating-point dtype.
            ValueError: ``steps`` or ``batch_size`` is below 1, or the text is too short.
        """
        steps, batch_size = require_count("steps", steps), require_count("batch_size", batch_size)
        if not isinstance(generator, torch.Generator):
            got = type(generator).__name__
            raise TypeError(f"generator: expected a torch.Generator, got {got}")
        if dtype not in FLOATS:
            raise TypeError(f"dtype: expected a floating-point dtype, got {dtype!r}")
        places = len(self.text) - steps
        if places < 1:
            raise ValueError(
                f"steps: expected at most {len(self.text) - 1} for this text of "
                f"{len(self.text)} characters, got {steps}"
            )
        begin = torch.randint(places, (batch_size,), generator=generator)
        numbers = self.numbers[begin + torch.arange(steps + 1)[:, None]]  # (T+1, B)
        X = torch.nn.functional.one_hot(numbers[:-1], len(self.alphabet)).to(dtype)
        return X, numbers[1:]


def load_corpus(path: str | Path | None = None, encoding: str = "utf-8") -> Corpus:
    """The corpus of a text file, or the book's own text when no path is given.

    Args:
        path: a text file of yours, for instance a novel out of copyright.
        encoding: how the file is encoded.

    Raises:
        TypeError: ``path`` is neither a string nor a path, or ``encoding`` is not a string.
        FileNotFoundError: there is no such file.
        ValueError: the file cannot be decoded (the message names the byte), the encoding is
            unknown, or the text has fewer than two characters.
    """
    if not isinstance(path, str | Path | None):
        raise TypeError(f"path: expected a string or a Path, got {type(path).__name__}")
    if not isinstance(encoding, str):
        raise TypeError(f"encoding: expected a string, got {type(encoding).__name__}")
    source = DEFAULT_TEXT if path is None else Path(path)
    if not source.is_file():
        raise FileNotFoundError(f"path: expected a text file, found none at {source}")
    try:
        text = source.read_bytes().decode(encoding)
    except LookupError:
        raise ValueError(f"encoding: expected one that Python knows, got {encoding!r}") from None
    except UnicodeDecodeError as error:
        raise ValueError(
            f"path: expected text in {encoding}, but byte {error.start} of {source} is "
            f"{error.object[error.start]:#04x}; name the file's encoding"
        ) from None
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if len(text) < 2:
        raise ValueError(f"path: expected at least 2 characters in {source}, got {len(text)}")
    return Corpus(text)
