"""What the text of chapter 11 says about its figures and numbers, and the published figures."""

import re
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from bptt.explore.randomized_truncation import (
    LENGTHS,
    MEAN_LENGTHS,
    OPTIMUM,
    RUNS,
    START,
    _distances,
    _estimates,
    _home_and_away,
    _mean_estimate,
    _paths,
    _relative_spread,
    _spread_of_estimate,
    _threshold,
)

TEXT = (Path(__file__).parent.parent / "book/chapters/11_randomized_truncation.md").read_text(
    "utf-8"
)
N = 23
A = (np.eye(N) + np.eye(N, k=1)) / 2
b = np.array([1.0] * 10 + [-1.0] * 13)


def window(k):
    """g_k: what a window of k steps estimates, from the definition."""
    return sum(float((np.linalg.matrix_power(A, i) @ b)[0]) for i in range(k))


def blocks(K):
    return sum(window(r) for r in range(1, K + 1)) / K


def spread(length):
    """From the Lyapunov equation, by repetition instead of one linear system."""
    p, m, M = 1 - 1 / length, np.zeros(N), np.zeros((N, N))
    for _ in range(5000):
        mixed = np.outer(b, A @ m)
        M, m = A @ M @ A.T / p + mixed + mixed.T + np.outer(b, b), b + A @ m
    return float(m[0]), float(np.sqrt(M[0, 0] - m[0] ** 2))


# ---- published figures ---------------------------------------------------------------------


@pytest.mark.yardstick
def test_equilibrium():
    s_1 = np.linalg.solve(np.eye(N) - A, b)[0]
    assert abs(s_1 + 6) < 1e-12
    assert abs(OPTIMUM * s_1 - 1) < 1e-12 and abs(OPTIMUM + 1 / 6) < 1e-15


@pytest.mark.yardstick
def test_windows():
    g = [window(k) for k in range(1, 61)]
    assert g[9] == 10
    assert round(max(g), 4) == 16.4761 and g.index(max(g)) == 18
    assert round(g[39], 4) == 0.5655 and round(g[40], 4) == -0.2190
    assert all(value > 0 for value in g[:40]) and all(value < 0 for value in g[40:])


@pytest.mark.yardstick
def test_blocks():
    g = np.cumsum([float((np.linalg.matrix_power(A, i) @ b)[0]) for i in range(300)])
    means = g.cumsum() / np.arange(1, 301)
    assert abs(means[9] - 5.5) < 1e-12 and abs(blocks(10) - 5.5) < 1e-12
    assert round(means[108], 4) == 0.0367 and round(means[109], 4) == -0.0182
    assert (means[:109] > 0).all() and (means[109:] < 0).all()


@pytest.mark.yardstick
@pytest.mark.parametrize(("length", "published"), [(16, 54.20), (50, 18.21)])
def test_randomized_mean_and_standard_deviation(length, published):
    mean, deviation = spread(length)
    assert abs(mean + 6) < 1e-9 and round(deviation, 2) == published
    # The figures have them from the law of the number of kept links.
    assert abs(_mean_estimate("weighted", length) + 6) < 1e-9
    assert abs(_spread_of_estimate(length, weighted=True) / deviation - 1) < 1e-9


@pytest.mark.yardstick
def test_without_the_weights():
    p = 1 - 1 / 16
    exact = np.linalg.solve(np.eye(N) - p * A, b)[0]
    assert round(exact, 3) == 7.746
    assert abs(_mean_estimate("unweighted", 16) / exact - 1) < 1e-9


@pytest.mark.yardstick
def test_threshold():
    assert round(_threshold(0.9), 2) == 5.26
    assert np.isfinite(_relative_spread(0.9, "unlimited")[MEAN_LENGTHS > 5.27]).all()
    assert np.isinf(_relative_spread(0.9, "unlimited")[MEAN_LENGTHS < 5.26]).all()


@pytest.mark.yardstick
def test_the_products_of_the_balancing_matrix():
    norm = lambda k: round(np.linalg.norm(np.linalg.matrix_power(A, k), 2), 3)  # noqa: E731
    assert norm(20) == 0.916 and norm(40) == 0.512


@pytest.mark.yardstick
def test_theta_runs_away_or_comes_home():
    """3000 steps with a rate of 1e-4, from theta = 0.5; 100 runs where coins are thrown."""
    end = lambda scheme, length: _distances(scheme, length)[-1]  # noqa: E731
    away = START - OPTIMUM
    for length in (10, 16, 19, 25, 30, 40):
        assert end("window", length)[0] > away
    for length in (50, 60, 80, 100):
        assert end("window", length)[0] < 1e-5
    for length in (10, 16, 25, 40, 50, 60, 80, 100):
        assert end("blocks", length)[0] > away
    assert end("blocks", 150)[0] < 0.1
    for length in (30, 40, 50, 60):
        home, gone = _home_and_away("weighted", length)
        assert home >= 85 and gone <= 5
        assert _home_and_away("unweighted", length)[0] <= 5
    assert _home_and_away("unweighted", 50)[1] > 90


# ---- the simulation of the figure ----------------------------------------------------------


def test_the_table_of_estimates_is_the_recursion():
    """The figure reads z_t from a table by the number of kept links; z_t itself agrees."""
    rng, keep = np.random.default_rng(0), 1 - 1 / 16
    z, seen, table = np.zeros(N), -1, _estimates(keep)
    for _ in range(400):
        kept = rng.random() < keep
        z, seen = b + kept / keep * (A @ z), seen + 1 if kept else 0
        assert abs(z[0] - table[seen]) <= 1e-9 * max(1, abs(z[0]))


def test_one_path_step_by_step():
    """Blocks of 50, written out with the states and z_t of every unit."""
    theta, h, z, total = 0.5, np.ones(N), np.zeros(N), 0.0
    found = _paths("blocks")[:, LENGTHS.index(50), 0]
    for t in range(3000):
        if t % 50 == 0:
            theta, total, z = theta - 1e-4 * total, 0.0, np.zeros(N)
        h, z = A @ h + theta * b, b + A @ z
        total += (h[0] - 1) * z[0]
        assert abs(theta - found[t + 1]) <= 1e-9 * abs(theta)
    assert _paths("weighted").shape == (3001, len(LENGTHS), RUNS)


def test_relative_spread_by_enumeration():
    """Ten steps of a chain with c = 0.9: all outcomes of nine coins, exactly."""
    c = Fraction(9, 10)
    for index in (20, 40):
        keep = Fraction(1 - 1 / MEAN_LENGTHS[index])
        mean = second = Fraction(0)
        for kept in product((0, 1), repeat=9):
            z, probability = Fraction(1), Fraction(1)
            for k in kept:
                z, probability = 1 + k / keep * c * z, probability * (keep if k else 1 - keep)
            mean, second = mean + probability * z, second + probability * z * z
        exact = float(second - mean**2) ** 0.5 / float(mean)
        assert abs(_relative_spread(0.9, "10")[index] / exact - 1) < 1e-9


# ---- sentences of the chapter --------------------------------------------------------------


def crossing(factor, history):
    """The mean length at which the spread falls below the derivative."""
    return MEAN_LENGTHS[_relative_spread(factor, history) < 1].min()


@pytest.mark.parametrize(
    ("sentence", "holds"),
    [
        (
            "right of the threshold the history hardly matters; left of it the spread is finite, "
            "but it grows with every step",
            lambda: (
                _relative_spread(0.9, "300")[MEAN_LENGTHS < 5].min()
                > 1.5 * _relative_spread(0.9, "100")[MEAN_LENGTHS < 5].min()
                and np.isfinite(_relative_spread(0.9, "300")).all()
                and (
                    abs(_relative_spread(0.9, "300") / _relative_spread(0.9, "100") - 1)[
                        MEAN_LENGTHS > 10
                    ]
                    < 0.02
                ).all()
            ),
        ),
        (
            "For a factor of 0.5 below a mean length of 2, for 0.9 a little below 10, for 0.95 "
            "near 20.",
            lambda: (
                1.5 < crossing(0.5, "300") < 2
                and 9 < crossing(0.9, "300") < 10.2
                and 18 < crossing(0.95, "300") < 21
            ),
        ),
        (
            "With unlimited history it is twice the threshold less 1",
            lambda: all(
                abs((1 + c * c) / (1 - c * c) - (2 * _threshold(c) - 1)) < 1e-12
                and abs(crossing(c, "unlimited") / (2 * _threshold(c) - 1) - 1) < 0.08
                for c in (0.5, 0.9, 0.95)
            ),
        ),
        (
            "The spread is nine times the derivative at length 16 and three times at length 50.",
            lambda: [round(spread(length)[1] / 6) for length in (16, 50)] == [9, 3],
        ),
        (
            "Blocks of 40 are far worse",
            lambda: _distances("blocks", 40)[-1] > 1000 * _distances("window", 40)[-1],
        ),
        (
            "110 steps both stand almost still",
            lambda: all(
                abs(np.log(_distances("blocks", K)[-1] / _distances("blocks", K)[-1500])) < 0.1
                for K in (109, 110)
            ),
        ),
        (
            "theta moves only about twenty times",
            lambda: (
                18
                < (np.diff(_paths("weighted")[:, LENGTHS.index(150)], axis=0) != 0).sum(0).mean()
                < 22
            ),
        ),
        (
            "the mean is the same as at 50. And is longer always better?",
            lambda: (
                _home_and_away("weighted", 16)[0] < 50
                and _home_and_away("weighted", 150)[0] < _home_and_away("weighted", 50)[0] - 20
            ),
        ),
    ],
)
def test_the_text_tells_what_the_figure_shows(sentence, holds):
    words = re.sub(r"\s+", " ", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", TEXT))
    assert sentence in words
    assert holds()
