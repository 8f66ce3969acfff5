"""Two things that can be counted without a clock: multiplications and bytes."""

from __future__ import annotations

import weakref
from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from torch.utils.flop_counter import FlopCounterMode


def multiplications(function: Callable[[], object]) -> int:
    """How many multiplications the matrix products take in a call of ``function``."""
    with FlopCounterMode(display=False) as counter:
        function()
    return counter.get_total_flops() // 2  # the counter has two operations for one multiplication


def peak_bytes(function: Callable[[], object]) -> int:
    """The largest memory of tensors alive at once that a call of ``function`` has taken.

    What was there before the call does not count, results do. Each operation of PyTorch is seen;
    work space inside an operation is not.
    """
    with _Memory() as memory:
        function()
    return memory.peak


class _Memory(TorchDispatchMode):
    """Adds up the memory that operations take, and subtracts it when its last tensor is gone."""

    def __init__(self):
        super().__init__()
        self.now = self.peak = 0
        self.known: set[int] = set()

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        old = {s.data_ptr() for s in _storages((args, kwargs))}  # results may be views of them
        result = operator(*args, **kwargs)
        for storage in _storages(result):
            if storage.data_ptr() not in old | self.known:
                self._add(storage)
        self.peak = max(self.peak, self.now)
        return result

    def _add(self, storage: torch.UntypedStorage) -> None:
        place, size = storage.data_ptr(), storage.nbytes()
        self.known.add(place)
        self.now += size
        weakref.finalize(storage, self._remove, place, size)

    def _remove(self, place: int, size: int) -> None:
        self.known.discard(place)
        self.now -= size


def _storages(values: object):
    return [value.untyped_storage() for value in tree_iter(values) if isinstance(value, Tensor)]
