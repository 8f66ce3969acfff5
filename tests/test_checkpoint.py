"""bptt_checkpointed and its planner: the counts, the gradients, the states alive, the errors."""

import heapq
import math
import runpy
from functools import cache
from math import comb
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_backward import SIZES, draw_case, losses

from bptt import RNN, bptt, bptt_checkpointed, squared_error
from bptt import checkpoint as module
from bptt.checkpoint import (
    classical_forward_steps,
    fewest_forward_steps,
    longest_sequence,
    schedule,
)
from bptt.measure import multiplications, peak_bytes
from bptt.verify import assert_same_gradients, autograd_gradients

yardstick = pytest.mark.yardstick
ROOT = Path(__file__).parent.parent


@cache
def fewest(t, m):
    """Dynamic programming, without the closed form."""
    if t == 0:
        return 0
    if m == 0:
        return math.inf
    return min(y + fewest(t - y, m - 1) + fewest(y - 1, m) for y in range(1, t + 1))


@cache
def classical(t, m):
    if t == 1:
        return 1
    if m == 1:
        return t * (t + 1) // 2
    return min(y + classical(t - y, m - 1) + classical(y, m) for y in range(1, t))


def cheapest(t, m, classical=False):
    """Dijkstra's algorithm over all schedules: (working state, stored states, state used next).

    In the classical game the backward step t uses h_{t-1} and calls its own step once more.
    """
    last = t - 1 if classical else t
    start = (0, frozenset([0]), last)
    cost, queue = {start: 0}, [(0, 0, start)]
    while True:
        calls, _, (working, stored, target) = heapq.heappop(queue)
        if target < 0:
            return calls
        moves = [(1, (working + 1, stored, target))] if working < last else []
        moves += [(0, (s, stored, target)) for s in stored]
        moves += [(0, (working, stored - {s}, target)) for s in stored]
        if len(stored) < m:
            moves.append((0, (working, stored | {working}, target)))
        if target == working or target in stored:
            moves.append((int(classical), (working, stored, target - 1)))
        for price, position in moves:
            if calls + price < cost.get(position, math.inf):
                cost[position] = calls + price
                heapq.heappush(queue, (calls + price, len(cost), position))


@yardstick
def test_the_classical_count():
    counts = [classical_forward_steps(100, m) for m in (1, 2, 3, 5, 10, 20)]
    assert counts == [5050, 945, 590, 416, 322, 278]
    assert [classical_forward_steps(1000, m) for m in (2, 10)] == [29820, 4636]
    for t in range(1, 80):
        assert classical_forward_steps(t, 1) == t * (t + 1) // 2
        assert all(classical_forward_steps(t, m) == 2 * t - 1 for m in range(t, t + 3))
        for m in range(1, 13):
            assert classical_forward_steps(t, m) == classical(t, m)
            r = next(r for r in range(1, t + 1) if comb(m + r, m) >= t)
            assert classical(t, m) == t + r * t - comb(m + r, r - 1)


@yardstick
def test_this_network_needs_fewer():
    assert fewest_forward_steps(23, 7) == 39 and classical_forward_steps(23, 7) == 60
    counts = [fewest_forward_steps(100, m) for m in (1, 2, 3, 5, 10, 20)]
    assert counts == [5050, 858, 497, 320, 225, 180]
    assert [fewest_forward_steps(1000, m) for m in (2, 10, 44, 50)] == [28864, 3640, 1956, 1950]
    for t in range(1, 80):
        assert fewest_forward_steps(t, 1) == t * (t + 1) // 2
        assert all(fewest_forward_steps(t, m) == t for m in range(t, t + 3))
        for m in range(1, 13):
            assert fewest_forward_steps(t, m) == fewest(t, m)
            assert classical_forward_steps(t, m) == t + (fewest(t - 1, m) if t > 1 else 0)


@pytest.mark.parametrize("t", range(1, 9))
@pytest.mark.parametrize("m", range(1, 5))
def test_no_schedule_is_cheaper(t, m):
    assert cheapest(t, m) == fewest_forward_steps(t, m)
    assert cheapest(t, m, classical=True) == classical_forward_steps(t, m)


@yardstick
def test_the_square_root_schedule():
    """Stored states and calls of equal segments, played step by step."""
    for T in (16, 100, 400, 2500):
        stored = {}
        for k in (k for k in range(1, T + 1) if T % k == 0):
            checkpoints, most, calls = list(range(0, T, T // k)), 0, T
            while checkpoints:
                begin = checkpoints[-1]
                segment = list(range(begin + 1, begin + T // k + 1))
                most, calls = max(most, len(checkpoints) + len(segment)), calls + len(segment)
                checkpoints.pop()
            assert most == k + T // k and calls == 2 * T
            stored[k] = most
        assert min(stored.values()) == stored[math.isqrt(T)] == 2 * math.isqrt(T)


@yardstick
def test_95_percent_less_memory_for_a_third_more_time():
    """Gruslys et al. (2016) report these figures for T = 1000; here they are counted."""
    T, slots, B, d, n, q = 1000, 50, 1, 8, 256, 8
    assert slots == 0.05 * T
    full = T * B * (3 * n**2 + 2 * n * d + 3 * n * q)
    more = (fewest_forward_steps(T, slots) - T) * B * (n**2 + n * d)
    assert abs(more / full - 1 / 3) < 0.03
    # The two formulas are what is counted, on a smaller network.
    d, n, q = 1, 6, 1
    rnn, X, h0, g = draw_case(T, B, d, n, q, "tanh", with_h0=True)
    loss_and_adjoint, _ = losses(rnn, X, "mean", "squared_error", g)
    run = lambda: bptt_checkpointed(rnn, X, loss_and_adjoint, slots, h0)  # noqa: E731
    more = (fewest_forward_steps(T, slots) - T) * B * (n**2 + n * d)
    assert multiplications(run) == T * B * (3 * n**2 + 2 * n * d + 3 * n * q) + more


@pytest.mark.parametrize("T", [1, 2, 3, 9, 23, 100])
@pytest.mark.parametrize("slots", [1, 2, 3, 7, 22, 23, 200])
def test_the_schedule_keeps_the_rules(T, slots):
    """Played with a set of states: nothing is used that is not there, and each state once."""
    stored, used, calls, steps = {0}, [], 0, [0] * (T + 1)
    for sweep in schedule(T, slots):
        assert sweep.start in stored and all(sweep.start < t < sweep.stop for t in sweep.kept)
        for t in range(sweep.start + 1, sweep.stop + 1):
            calls, steps[t] = calls + 1, steps[t] + 1
            if t in sweep.kept:
                stored.add(t)
            assert len(stored) <= slots
        at_hand = list(range(sweep.stop, sweep.first - 1, -1))
        assert stored >= set(at_hand[1:])  # the first is the working state
        stored -= set(at_hand)
        used += at_hand
    assert used == list(range(T, -1, -1))
    assert calls == fewest_forward_steps(T, slots)
    r = max(steps)
    assert r == 1 or longest_sequence(slots, r - 1) < T
    assert longest_sequence(slots, r) >= T


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    T=st.integers(1, 14),
    B=SIZES,
    d=SIZES,
    n=SIZES,
    q=SIZES,
    slots=st.integers(1, 16),
    activation=st.sampled_from(["tanh", "identity"]),
    with_h0=st.booleans(),
    output_bias=st.booleans(),
    reduction=st.sampled_from(["mean", "sum"]),
    which=st.sampled_from(["cross_entropy", "squared_error"]),
    seed=st.integers(0, 10**6),
)
def test_the_gradients_equal_autograd_and_bptt(
    T, B, d, n, q, slots, activation, with_h0, output_bias, reduction, which, seed
):
    rnn, X, h0, g = draw_case(T, B, d, n, q, activation, with_h0, output_bias, seed)
    loss_and_adjoint, reference = losses(rnn, X, reduction, which, g)
    loss, gradients, steps = bptt_checkpointed(rnn, X, loss_and_adjoint, slots, h0)
    assert steps == fewest_forward_steps(T, slots)
    tape = rnn(X, h0)
    expected_loss, dO = loss_and_adjoint(tape.O)
    assert torch.isclose(loss, expected_loss, rtol=1e-12, atol=0)
    # One class has a gradient of zero: rounding alone remains, and has no relative size.
    if which == "cross_entropy" and q == 1:
        return
    assert_same_gradients(gradients, bptt(tape, dO))
    assert_same_gradients(gradients, autograd_gradients(rnn, X, reference, h0))
    for name, gradient in vars(bptt(tape, dO)).items():
        assert getattr(gradients, name).shape == gradient.shape
        assert getattr(gradients, name).is_contiguous()


@pytest.mark.parametrize("T", [1, 5, 23, 40])
@pytest.mark.parametrize("slots", [1, 2, 3, 7, 100])
def test_no_more_states_than_slots_are_alive(T, slots, monkeypatch):
    """The library has one array of states, of slots + 1 rows at most: one is the working state."""
    rnn, X, h0, g = draw_case(T, 2, 3, 4, 5, "tanh", with_h0=True)
    Y = torch.randn(T, 2, 5, generator=g, dtype=torch.float64)
    seen, calls, steps = [], [], []
    use_states, states = module._use_states, rnn(X, h0).H

    def watch(rnn, H, first, *rest):
        rows = H.untyped_storage().nbytes() // H[0].nbytes
        assert rows == min(slots, T) + 1
        assert torch.equal(H, states[first : first + len(H)])  # computed again to the last bit
        seen.extend(range(first + len(H) - 1, first - 1, -1))
        calls.append(len(steps))
        return use_states(rnn, H, first, *rest)

    activate = RNN.activate_
    monkeypatch.setattr(module, "_use_states", watch)
    monkeypatch.setattr(RNN, "activate_", lambda self, Z: steps.append(Z) or activate(self, Z))
    *_, forward_steps = bptt_checkpointed(rnn, X, lambda O: squared_error(O, Y), slots, h0)
    assert seen == list(range(T, -1, -1))
    assert len(steps) == forward_steps == fewest_forward_steps(T, slots)
    assert list(dict.fromkeys(calls)) == list(
        torch.tensor([s.stop - s.start for s in schedule(T, slots)]).cumsum(0)
    )


def test_memory_follows_the_slots_and_not_the_steps():
    """All tensors counted, the adjoints of a stretch too. B n numbers are one state."""

    def peak(T, slots=None):
        rnn, X, h0, _ = draw_case(T, 4, 2, 30, 1, "tanh", with_h0=True)
        adjoint = lambda O: (O.sum(), O)  # noqa: E731
        if slots is None:
            run = lambda: bptt(tape := rnn(X, h0), tape.O)  # noqa: E731
        else:
            run = lambda: bptt_checkpointed(rnn, X, adjoint, slots, h0)  # noqa: E731
        outputs = 8 * T * 4
        return (peak_bytes(run) - outputs) / (8 * 4 * 30)

    assert 1 <= (peak(300) - peak(150)) / 150 < 1.5  # the states, and checks of X and dO
    few = {T: peak(T, slots=30) for T in (150, 300, 450)}
    assert few[450] - few[150] < 0.1 * 300  # checks of X and dO, not states
    assert few[300] < 30 + 60
    assert 0.9 < (peak(300, slots=100) - peak(300, slots=50)) / 50 < 1.1


def test_at_most_a_tenth_of_the_memory_at_full_size():
    """The peak of every tensor at T = 1000, B = 32, n = 256, q = 8, beyond X, O and dO."""
    script = runpy.run_path(str(ROOT / "benchmarks/checkpoint.py"))
    outputs = 4 * 2 * 1000 * 32 * 8
    runs = script["methods"](1000, 32, 256, (50,))
    full, few = (peak_bytes(run) - outputs for run in runs.values())
    assert few < 0.1 * full
    assert few < 4 * 1000 * 32 * 256 * 0.2  # and a fifth of the states alone


def test_the_benchmark_compares_equal_gradients(monkeypatch):
    script = runpy.run_path(str(ROOT / "benchmarks/checkpoint.py"))
    table = script["measure"](T=6, B=2, n=3, slots=(2, 4), rounds=1)
    assert list(table) == ["full", "2 slots", "4 slots"]
    assert all(value > 0 for row in table.values() for value in row)
    wrong = lambda *arguments: (0, bptt(*arguments), 0)  # noqa: E731
    monkeypatch.setitem(
        script["methods"].__globals__,
        "bptt_checkpointed",
        lambda rnn, X, adjoint, slots: wrong(tape := rnn(2 * X), adjoint(tape.O)[1]),
    )
    with pytest.raises(AssertionError):
        script["measure"](T=6, B=2, n=3, slots=(2,), rounds=1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_nothing_keeps_a_graph_or_changes_an_input(dtype):
    rnn, X, h0, _ = draw_case(7, 2, 3, 4, 5, "tanh", with_h0=True)
    weights = [leaf.to(dtype).requires_grad_() for leaf in (rnn.W_hx, rnn.W_hh, rnn.W_qh)]
    X, h0 = X.to(dtype).requires_grad_(), h0.to(dtype)
    inputs = [*weights, X, h0]
    before = [tensor.detach().clone() for tensor in inputs]
    adjoint = lambda O: squared_error(O, torch.zeros_like(O))  # noqa: E731
    loss, gradients, _ = bptt_checkpointed(RNN(*weights), X, adjoint, 3, h0)
    for tensor in (loss, *vars(gradients).values()):
        assert not tensor.requires_grad and tensor.grad_fn is None and tensor.dtype == dtype
    assert all(torch.equal(a, b) for a, b in zip(before, inputs, strict=True))


def test_the_loss_is_asked_once():
    rnn, X, h0, _ = draw_case(9, 2, 3, 4, 5, "tanh", with_h0=True)
    asked = []
    bptt_checkpointed(rnn, X, lambda O: asked.append(O.shape) or (O.sum(), O), 2, h0)
    assert asked == [(9, 2, 5)]


def test_bad_input_is_named():
    rnn, X, h0, _ = draw_case(7, 2, 3, 4, 5, "tanh", with_h0=True)
    adjoint = lambda O: (O.sum(), torch.ones_like(O))  # noqa: E731
    nothing = lambda O: None  # noqa: E731
    for error, argument, call in (
        (TypeError, "rnn", lambda: bptt_checkpointed(rnn(X), X, adjoint, 3)),
        (TypeError, "X", lambda: bptt_checkpointed(rnn, X.float(), adjoint, 3)),
        (ValueError, "X", lambda: bptt_checkpointed(rnn, X[0], adjoint, 3)),
        (ValueError, "h0", lambda: bptt_checkpointed(rnn, X, adjoint, 3, h0[:1])),
        (TypeError, "loss_and_adjoint", lambda: bptt_checkpointed(rnn, X, None, 3)),
        (TypeError, "loss_and_adjoint", lambda: bptt_checkpointed(rnn, X, nothing, 3)),
        (TypeError, "loss_and_adjoint", lambda: bptt_checkpointed(rnn, X, lambda O: O, 3)),
        (TypeError, "dO", lambda: bptt_checkpointed(rnn, X, lambda O: (0, None), 3)),
        (TypeError, "dO", lambda: bptt_checkpointed(rnn, X, lambda O: (0, O.float()), 3)),
        (ValueError, "dO", lambda: bptt_checkpointed(rnn, X, lambda O: (0, O[1:]), 3)),
        (ValueError, "dO", lambda: bptt_checkpointed(rnn, X, lambda O: (0, O / 0), 3)),
        (ValueError, "slots", lambda: bptt_checkpointed(rnn, X, adjoint, 0)),
        (TypeError, "slots", lambda: bptt_checkpointed(rnn, X, adjoint, 2.0)),
        (ValueError, "slots", lambda: fewest_forward_steps(3, 0)),
        (TypeError, "slots", lambda: classical_forward_steps(3, True)),
        (ValueError, "T", lambda: classical_forward_steps(0, 3)),
        (TypeError, "T", lambda: fewest_forward_steps("3", 3)),
        (ValueError, "T", lambda: schedule(0, 3)),
        (ValueError, "calls", lambda: longest_sequence(3, 0)),
    ):
        with pytest.raises(error, match=rf"^{argument}: expected .+ got "):
            call()
