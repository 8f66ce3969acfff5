"""The two tasks: shapes, ranges, and targets that follow from the inputs."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bptt.tasks import adding_problem, temporal_order


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 60), st.integers(1, 20), st.integers(0, 100))
def test_adding_problem(T, B, seed):
    X, Y = adding_problem(T, B, generator(seed))
    assert X.shape == (T, B, 2) and Y.shape == (B, 1) and X.dtype == Y.dtype == torch.float64
    assert ((X[..., 0] >= 0) & (X[..., 0] < 1)).all()
    marker = X[..., 1]
    assert torch.equal(marker[: T // 2].sum(0), torch.ones(B).double())
    assert torch.equal(marker[T // 2 :].sum(0), torch.ones(B).double())
    assert torch.allclose((X[..., 0] * marker).sum(0), Y[:, 0], rtol=1e-14)


@settings(max_examples=30, deadline=None)
@given(st.integers(10, 80), st.integers(1, 20), st.integers(0, 100))
def test_temporal_order(T, B, seed):
    X, Y = temporal_order(T, B, generator(seed))
    assert X.shape == (T, B, 6) and Y.shape == (B,) and X.dtype == torch.float64
    assert torch.equal(X.sum(-1), torch.ones(T, B).double())
    symbols = X.argmax(-1)
    for b in range(B):
        first, second = torch.nonzero(symbols[:, b] < 2)[:, 0].tolist()
        assert T // 10 <= first < 2 * T // 10 <= 4 * T // 10 <= second < 5 * T // 10
        assert Y[b] == 2 * symbols[first, b] + symbols[second, b]


def test_all_classes_and_the_constant_answer():
    assert set(temporal_order(10, 200, generator())[1].tolist()) == {0, 1, 2, 3}
    Y = adding_problem(40, 20_000, generator())[1]
    assert ((Y - 1) ** 2).mean().item() == pytest.approx(1 / 6, rel=0.03)


@pytest.mark.parametrize(("make", "least"), [(adding_problem, 2), (temporal_order, 10)])
def test_bad_arguments_are_named(make, least):
    with pytest.raises(ValueError, match=f"steps: expected at least {least}, got {least - 1}"):
        make(least - 1, 1, generator())
    with pytest.raises(ValueError, match="batch_size: expected at least 1, got 0"):
        make(least, 0, generator())
    with pytest.raises(TypeError, match="steps: expected a whole number, got float"):
        make(10.0, 1, generator())
