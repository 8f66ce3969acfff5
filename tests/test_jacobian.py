"""Products of step Jacobians against autograd; exponents against closed forms; bad input."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_backward import SIZES, draw_case

from bptt import bptt
from bptt.jacobian import (
    gradient_by_lag,
    jacobian_product,
    lyapunov_exponents,
    norms_by_lag,
    step_jacobians,
)
from bptt.verify import relative_error


def network(T=7, B=2, activation="tanh", **options):
    rnn, X, h0, g = draw_case(T, B, 2, 3, 4, activation, with_h0=True, output_bias=False, **options)
    return rnn, X, h0, g


def normal(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("activation", ["tanh", "identity"])
def test_step_jacobians_and_their_product_equal_autograd(activation):
    rnn, X, h0, _ = network(activation=activation)
    tape = rnn(X, h0)
    J = step_jacobians(tape)
    assert J.shape == (7, 2, 3, 3)
    f = torch.tanh if activation == "tanh" else (lambda z: z)

    def run(h, b, first):
        for t in range(first + 1, 8):
            h = f(rnn.W_hx @ X[t - 1, b] + rnn.W_hh @ h)
        return h

    for b in range(2):
        for t in range(7):
            judge = torch.autograd.functional.jacobian(lambda h: run(h, b, t), tape.H[t, b])  # noqa: B023
            assert relative_error(jacobian_product(J[t:])[b], judge) < 1e-13
            norm = torch.linalg.matrix_norm(judge, 2)
            assert relative_error(norms_by_lag(J)[7 - t, b], norm) < 1e-13
    assert torch.equal(norms_by_lag(J)[0], torch.ones(2, dtype=torch.float64))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    T=st.integers(1, 9),
    B=SIZES,
    d=SIZES,
    n=SIZES,
    q=SIZES,
    activation=st.sampled_from(["tanh", "identity"]),
    with_h0=st.booleans(),
    output_bias=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_the_parts_add_up_to_the_gradient(T, B, d, n, q, activation, with_h0, output_bias, seed):
    rnn, X, h0, g = draw_case(T, B, d, n, q, activation, with_h0, output_bias, seed)
    tape = rnn(X, h0)
    dO = torch.randn(tape.O.shape, generator=g, dtype=tape.O.dtype)
    parts = gradient_by_lag(tape, dO)
    assert parts.shape == (T, n, n)
    whole = bptt(tape, dO).W_hh
    scale = parts.flatten(1).norm(dim=1).sum()
    assert (parts.sum(0) - whole).norm() <= 1e-12 * scale


def test_each_part_has_its_own_lag():
    """A leaf for each use of W_hh: the loss of step i by the use at step i - k."""
    rnn, X, h0, g = network()
    tape = rnn(X, h0)
    dO = torch.randn(tape.O.shape, generator=g, dtype=torch.float64)
    uses = [rnn.W_hh.clone().requires_grad_() for _ in range(7)]
    h, losses = h0, []
    for t in range(7):
        h = torch.tanh(X[t] @ rnn.W_hx.T + h @ uses[t].T)
        losses.append((h @ rnn.W_qh.T * dO[t]).sum())
    for k, part in enumerate(gradient_by_lag(tape, dO)):
        expected = sum(
            torch.autograd.grad(losses[i], uses[i - k], retain_graph=True)[0] for i in range(k, 7)
        )
        assert relative_error(part, expected) < 1e-12


def test_exponents_of_a_short_chain_are_those_of_its_product():
    J = normal(5, 2, 4, 4)
    R = torch.linalg.qr(jacobian_product(J))[1]
    expected = R.diagonal(dim1=-2, dim2=-1).abs().log() / 5
    assert relative_error(lyapunov_exponents(J), expected) < 1e-11
    assert lyapunov_exponents(J).shape == (2, 4)


def test_exponents_of_one_fixed_matrix_are_the_logarithms_of_its_eigenvalues():
    S = normal(4, 4, seed=3)
    sizes = torch.tensor([2.0, 1.1, 0.5, 0.01], dtype=torch.float64)
    M = S @ torch.diag(sizes) @ torch.linalg.inv(S)
    found = lyapunov_exponents(M.expand(2000, 4, 4))
    assert (found - sizes.log()).abs().max() < 5e-3


def test_a_chain_beyond_the_range_of_float64_keeps_its_exponents():
    J = (1e9 * torch.eye(2, dtype=torch.float64)).expand(100, 2, 2)
    assert (
        relative_error(lyapunov_exponents(J), torch.full((2,), math.log(1e9), dtype=torch.float64))
        < 1e-12
    )
    assert norms_by_lag(1e-9 * torch.eye(2).double().expand(100, 2, 2))[-1] == 0


def test_a_lost_direction_has_exponent_minus_infinity():
    J = torch.diag(torch.tensor([2.0, 0.0], dtype=torch.float64)).expand(3, 2, 2)
    found = lyapunov_exponents(J)
    assert relative_error(found[:1], torch.tensor([math.log(2)]).double()) < 1e-7
    assert found[1] == -math.inf


@pytest.mark.yardstick
@pytest.mark.parametrize(("k", "published"), [(20, 0.916), (40, 0.512)])
def test_the_influence_balancing_matrix(k, published):
    """Tallec & Ollivier 2017: radius 1/2, and yet these norms."""
    A = 0.5 * (torch.eye(23) + torch.diag(torch.ones(22), 1)).double()
    assert torch.equal(torch.linalg.eigvals(A).abs(), torch.full((23,), 0.5).double())
    norms = norms_by_lag(A.expand(k, 23, 23))
    assert abs(norms[k] - published) < 5e-4


@pytest.mark.yardstick
def test_gaussian_matrices_have_newman_s_exponents():
    """Newman 1986: N = 16, g = 1; all 16 within four standard errors of 20000 steps."""
    N, steps = 16, 20000
    i = torch.arange(1, N + 1, dtype=torch.float64)
    newman = (math.log(2 / N) + torch.digamma((N - i + 1) / 2)) / 2
    assert abs(newman[0] + 0.0319) < 5e-5 and abs(newman[-1] + 2.0215) < 5e-5
    found = lyapunov_exponents(normal(steps // 10, 10, N, N, seed=16) / N**0.5).mean(0)
    error = (torch.polygamma(1, (N - i + 1) / 2) / (4 * steps)).sqrt()
    assert error[0] < 0.0014 and error[-1] < 0.008
    assert ((found - newman).abs() < 4 * error).all()


@pytest.mark.parametrize(
    ("J", "error", "words"),
    [
        ([[1.0]], TypeError, "J: expected a torch.Tensor, got list"),
        (torch.ones(2, 3, 3, dtype=torch.int64), TypeError, "J: expected a floating-point tensor"),
        (torch.ones(3, 3), ValueError, "J: expected shape (T, ..., n, n)"),
        (torch.ones(2, 3, 4), ValueError, "got (2, 3, 4)"),
        (torch.ones(0, 3, 3), ValueError, "got (0, 3, 3)"),
        (torch.full((2, 3, 3), math.nan), ValueError, "J: expected finite numbers"),
    ],
)
@pytest.mark.parametrize("function", [jacobian_product, norms_by_lag, lyapunov_exponents])
def test_bad_chains_are_named(function, J, error, words):
    with pytest.raises(error) as caught:
        function(J)
    assert words in str(caught.value)


def test_other_bad_input_is_named():
    rnn, X, h0, _ = network()
    tape = rnn(X, h0)
    for function in (step_jacobians, lambda t: gradient_by_lag(t, tape.O)):
        with pytest.raises(TypeError, match="tape: expected the Tape"):
            function(rnn)
    with pytest.raises(ValueError, match="dO: expected shape"):
        gradient_by_lag(tape, tape.O[1:])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype_is_kept_and_inputs_are_left_alone(dtype):
    J = normal(4, 2, 3, 3).to(dtype).requires_grad_()
    before = J.detach().clone()
    for function in (jacobian_product, norms_by_lag, lyapunov_exponents):
        result = function(J)
        assert result.dtype == dtype and not result.requires_grad
    assert torch.equal(J, before)
