"""The benchmarks: they compare what is equal, and their tables hold what was measured."""

import re
import time

import backward
import contest
import growth
import pytest
import torch


def test_contestants_take_turns_and_the_first_round_does_not_count():
    calls = []
    slow_once = iter([0.05, 0, 0, 0, 0, 0])
    runs = {
        "a": lambda: (calls.append("a"), time.sleep(next(slow_once))),
        "b": lambda: calls.append("b"),
    }
    found = contest.median_times(runs, rounds=3)
    assert calls == ["a", "b"] * 4 and list(found) == ["a", "b"]
    assert 0 < found["a"] < 40


def test_threads_are_put_back():
    before, seen = torch.get_num_threads(), []
    contest.median_times({"a": lambda: seen.append(torch.get_num_threads())}, 1, threads=2)
    assert seen == [2, 2] and torch.get_num_threads() == before


def test_a_table_in_markdown():
    assert contest.table(["", "ms"], [["a", "1"]]) == "|  | ms |\n|---|--:|\n| a | 1 |\n"


def test_gradients_are_compared_before_they_are_timed(monkeypatch):
    runs = backward.contestants(4, 2, 3, 5)
    assert list(runs) == ["bptt", "nn.RNN", "plain loop", "floor"]
    wrong = lambda *case: lambda: [2 * g for g in backward.library(*case)()]  # noqa: E731
    monkeypatch.setitem(backward.CONTESTANTS, "plain loop", wrong)
    with pytest.raises(AssertionError, match="plain loop"):
        backward.contestants(4, 2, 3, 5)


def test_the_floor_makes_all_matrix_products():
    """T of B n^2 forward and T back; d and q = d enter and leave; three for the gradients."""
    T, B, n, d = 4, 2, 3, 5
    runs = backward.contestants(T, B, n, d)
    products = T * B * (3 * n**2 + 5 * n * d)
    for name in ("floor", "bptt"):
        assert growth.multiplications(runs[name]) == products, name


def test_tables_of_the_backward_pass_have_a_line_for_each_case():
    cases = [(4, 2, 3, 5), (3, 1, 2, 2)]
    *times, _, aim = backward.table_of_times(1, rounds=1, cases=cases).splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in times[2:]]
    assert [row[0] for row in rows] == ["4, 2, 3, 5", "3, 1, 2, 2", "geometric mean"]
    *_, loop, above_floor = map(float, rows[-1][-3:])
    (needed,) = re.findall(r"take ([\d.]+) times the floor", aim)
    assert float(needed) == pytest.approx(loop * above_floor / 2.5, abs=0.02)
    memory = backward.table_of_memory(cases).splitlines()
    assert len(memory) == 2 + len(cases)


def test_the_exponent_is_that_of_the_larger_half():
    sizes = [1, 2, 4, 8]
    assert growth.exponent(sizes, [7, 7, 16, 64]) == pytest.approx(2, abs=1e-12)


@pytest.mark.parametrize("way", growth.WAYS)
def test_work_grows_as_the_chapters_say(way):
    """In proportion to T; with n^2, or n^4 for real-time recurrent learning."""
    of_T = growth.counted(way, [(T, 4) for T in (32, 64, 128, 256)])
    work = growth.exponent([32, 64, 128, 256], of_T["multiplications"])
    assert work == pytest.approx(1, abs=0.1)
    sizes = [16, 32, 64, 128] if way != "RTRL" else [8, 12, 16, 24]
    of_n = growth.counted(way, [(8, n) for n in sizes])
    work = growth.exponent(sizes, of_n["multiplications"])
    assert work == pytest.approx(4 if way == "RTRL" else 2, abs=0.4)
    assert all(value > 0 for costs in (of_T, of_n) for value in costs["memory"])
    assert all(value > 0 for value in growth.timed(way, [(8, 4), (16, 4)])["time"])
