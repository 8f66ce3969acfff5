"""Counting multiplications and bytes: against cases that can be counted by hand."""

import pytest
import torch

from bptt.measure import multiplications, peak_bytes


@pytest.mark.parametrize(("a", "b", "c"), [(1, 1, 1), (2, 3, 5), (7, 1, 4)])
def test_multiplications_of_a_matrix_product(a, b, c):
    left, right = torch.ones(a, b), torch.ones(b, c)
    assert multiplications(lambda: left @ right) == a * b * c
    assert multiplications(lambda: [left @ right, left @ right]) == 2 * a * b * c
    assert multiplications(lambda: left + 1) == 0


def kilobyte():
    return torch.zeros(128, dtype=torch.float64)


def test_what_was_there_before_does_not_count():
    before = kilobyte()
    assert peak_bytes(lambda: before.mul_(2)) == 0
    assert peak_bytes(lambda: before.reshape(8, 16)[2:]) == 0
    assert peak_bytes(lambda: before + before) == 1024


def test_tensors_alive_at_once_are_added():
    def one_after_the_other():
        for _ in range(5):
            kilobyte()

    def together():
        return [kilobyte() for _ in range(5)]

    def a_view_keeps_its_memory():
        views = [kilobyte()[:1] for _ in range(3)]
        return len(views)

    assert peak_bytes(one_after_the_other) == 1024
    assert peak_bytes(together) == 5 * 1024
    assert peak_bytes(a_view_keeps_its_memory) == 3 * 1024


def test_temporary_memory_inside_an_expression_counts():
    x = kilobyte()
    assert peak_bytes(lambda: (x * 2) + (x * 3)) == 3 * 1024


def test_results_that_are_tuples_count():
    x = torch.ones(4, 32, dtype=torch.float64)
    assert peak_bytes(lambda: x.max(dim=0)) == 32 * 8 + 32 * 8
