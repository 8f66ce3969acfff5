"""Clear errors for wrong arguments: each names the argument, what was expected and what came."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral

import torch
from torch import Tensor

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def require_option(name: str, value: object, options: Sequence[str]) -> None:
    """Raise ``ValueError`` unless ``value`` is one of ``options``."""
    if not isinstance(value, str) or value not in options:
        expected = " or ".join(repr(option) for option in options)
        raise ValueError(f"{name}: expected {expected}, got {value!r}")


def require_count(name: str, value: object) -> int:
    """Return ``value``, an integer of at least 1; ``TypeError`` or ``ValueError`` otherwise."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name}: expected a whole number, got {type(value).__name__}")
    if value < 1:
        raise ValueError(f"{name}: expected at least 1, got {value}")
    return int(value)


def require_floats(name: str, value: object, **like: Tensor) -> Tensor:
    """Return ``value`` without its autograd history; it must be a finite floating-point tensor.

    ``like`` gives, by its name, another tensor whose dtype and device ``value`` must have. A wrong
    type or dtype is a ``TypeError``, the rest a ``ValueError``.
    """
    if not isinstance(value, Tensor):
        raise TypeError(f"{name}: expected a torch.Tensor, got {type(value).__name__}")
    if value.dtype not in FLOATS:
        raise TypeError(f"{name}: expected a floating-point tensor, got dtype {value.dtype}")
    if value.layout != torch.strided:
        raise TypeError(f"{name}: expected a dense tensor, got layout {value.layout}")
    for other_name, other in like.items():
        if value.dtype != other.dtype:
            raise TypeError(f"{name}: expected {other.dtype} like {other_name}, got {value.dtype}")
        if value.device != other.device:
            raise ValueError(
                f"{name}: expected device {other.device} like {other_name}, got {value.device}"
            )
    if value.is_meta:
        raise ValueError(f"{name}: expected a tensor with numbers in it, got device meta")
    value = value.detach()
    # A finite sum has finite terms, and is much faster to find; but it may overflow.
    if not value.sum().isfinite() and not value.isfinite().all():
        raise ValueError(f"{name}: expected finite numbers, got NaN or infinity")
    return value


def require_shape(name: str, value: Tensor, shape: str, **known: int) -> None:
    """Raise ``ValueError`` unless ``value`` has the shape, for instance ``"T B d"`` with ``d=3``.

    A letter without a known size stands for any size >= 1.
    """
    letters = shape.split()
    if len(letters) != value.ndim or any(
        size != known.get(letter, max(size, 1))
        for letter, size in zip(letters, value.shape, strict=True)
    ):
        expected = ", ".join(f"{k}={known[k]}" if k in known else k for k in letters)
        hint = "" if set(letters) <= set(known) else " with every size >= 1"
        raise ValueError(f"{name}: expected shape ({expected}){hint}, got {tuple(value.shape)}")
