"""Checks of the equations of chapter 6, "The tanh fix"."""

import math
from functools import reduce

import torch
from ledger import equation
from network import assert_equal, derivative, normal, tanh_network

from bptt import RNN, squared_error

net = tanh_network()
scalar = tanh_network(n=1, d=1, q=1)
T, n, W = net.T, net.n, net.W_hh
H = net.H
D = [torch.diag(1 - h**2) for h in H]


def product(factors):
    return reduce(torch.matmul, factors)


def interleaved(t, j):
    """D_t W D_{t-1} W ... W D_j."""
    return product([D[i] if i == j else D[i] @ W for i in range(t, j - 1, -1)])


def slopes(network, first, last):
    """The product of the scalar slopes of steps first..last."""
    return math.prod(1 - network.H[i].item() ** 2 for i in range(first, last + 1))


@equation(
    "eq-tanh-step",
    r"z_t = W_{hx}\, x_t + W_{hh}\, h_{t-1}, \qquad h_t = \tanh(z_t)",
)
def _():
    """The formula, entry by entry in plain Python, is what the library and torch.nn.RNN compute."""
    rnn = RNN(net.W_hx, net.W_hh, net.W_qh)
    tape = rnn(torch.stack(net.x[1:])[:, None], H[0][None])
    torch_rnn = torch.nn.RNN(2, n, bias=False, dtype=torch.float64)
    torch_rnn.load_state_dict({"weight_ih_l0": net.W_hx, "weight_hh_l0": net.W_hh})
    states = torch_rnn(torch.stack(net.x[1:]), H[0][None])[0]
    h = H[0].tolist()
    for t in range(1, T + 1):
        z = [
            sum(net.W_hx[a, c].item() * net.x[t][c].item() for c in range(2))
            + sum(W[a, b].item() * h[b] for b in range(n))
            for a in range(n)
        ]
        h = [math.tanh(entry) for entry in z]
        assert_equal(tape.H[t, 0], torch.tensor(h, dtype=torch.float64))
        assert_equal(states[t - 1], torch.tensor(h, dtype=torch.float64))


@equation(
    "eq-tanh-output",
    r"o_t = W_{qh}\, h_t, \qquad L = \frac{1}{T} \sum_{t=1}^{T} \ell(o_t, y_t)",
)
def _():
    rnn = RNN(net.W_hx, net.W_hh, net.W_qh)
    tape = rnn(torch.stack(net.x[1:])[:, None], H[0][None])
    Y = torch.stack(net.y[1:])
    total = 0.0
    for t in range(1, T + 1):
        o = [sum(net.W_qh[c, a].item() * H[t][a].item() for a in range(n)) for c in range(4)]
        assert_equal(tape.O[t - 1, 0], torch.tensor(o, dtype=torch.float64))
        total += sum((o[c] - Y[t - 1, c].item()) ** 2 / 2 for c in range(4))
    assert_equal(squared_error(tape.O, Y[:, None])[0], total / T)
    assert_equal(net.L, total / T)


@equation(
    "eq-tanh-quotient",
    r"\tanh'(z) = \frac{(e^{z} + e^{-z})^2 - (e^{z} - e^{-z})^2}{(e^{z} + e^{-z})^2}",
)
def _():
    z = torch.linspace(-3, 3, 13, dtype=torch.float64, requires_grad=True)
    plus, minus = z.exp() + (-z).exp(), z.exp() - (-z).exp()
    (slope,) = torch.autograd.grad(torch.tanh(z).sum(), z)
    assert_equal((plus**2 - minus**2) / plus**2, slope)


@equation("eq-tanh-slope", r"\tanh'(z) = 1 - \tanh^2(z)")
def _():
    z, step = torch.linspace(-3, 3, 13, dtype=torch.float64), 1e-5
    central = (torch.tanh(z + step) - torch.tanh(z - step)) / (2 * step)
    assert_equal(1 - torch.tanh(z) ** 2, central, tolerance=1e-9)


@equation("eq-tanh-hand-model", r"h_t = \tanh(w\, h_{t-1} + x_t)")
def _():
    """It is eq-tanh-step with one unit and W_hx = 1."""
    one = torch.ones(1, 1, dtype=torch.float64)
    h, x, w = 1.0, [0.4, -1.2, 0.7], 2.0
    tape = RNN(one, w * one, one)(torch.tensor(x, dtype=torch.float64).reshape(3, 1, 1), h * one)
    for t in (1, 2, 3):
        h = math.tanh(w * h + x[t - 1])
        assert_equal(tape.H[t, 0, 0], h)


@equation(
    "eq-tanh-scalar",
    r"""\frac{\mathrm{d}h_t}{\mathrm{d}w} = \sum_{j=1}^{t} \Big(\prod_{i=j}^{t} (1 - h_i^2)\Big)\,
    w^{t-j}\, h_{j-1}""",
)
def _():
    w = scalar.W_hh.item()
    for t in range(1, T + 1):
        total = sum(
            slopes(scalar, j, t) * w ** (t - j) * scalar.H[j - 1].item() for j in range(1, t + 1)
        )
        assert_equal(total, derivative(scalar.H[t], scalar.W_hh).reshape(()))


@equation(
    "eq-tanh-scalar-recursion",
    r"""\frac{\mathrm{d}h_t}{\mathrm{d}w} = (1 - h_t^2) \Big( h_{t-1}
    + w\, \frac{\mathrm{d}h_{t-1}}{\mathrm{d}w} \Big)""",
)
def _():
    w, before = scalar.W_hh.item(), 0.0
    for t in range(1, T + 1):
        before = slopes(scalar, t, t) * (scalar.H[t - 1].item() + w * before)
        expected = derivative(scalar.H[t], scalar.W_hh).reshape(())
        assert_equal(before, expected)


def step_jacobian(t):
    """By autograd: one step, everything but h_{t-1} held fixed."""
    step = lambda h: torch.tanh(net.W_hx @ net.x[t] + W @ h)  # noqa: E731
    return torch.autograd.functional.jacobian(step, H[t - 1].detach())


@equation(
    "eq-tanh-jacobian-entry",
    r"\frac{\partial h_{t,a}}{\partial h_{t-1,b}} = (1 - h_{t,a}^2)\, (W_{hh})_{ab}",
)
def _():
    for t in range(1, T + 1):
        J = step_jacobian(t)
        for a in range(n):
            for b in range(n):
                assert_equal((1 - H[t][a] ** 2) * W[a, b], J[a, b])


@equation(
    "eq-tanh-jacobian",
    r"""\frac{\partial h_t}{\partial h_{t-1}} = D_t\, W_{hh}, \qquad
    D_t = \operatorname{diag}(1 - h_t^2)""",
)
def _():
    for t in range(1, T + 1):
        assert_equal(D[t] @ W, step_jacobian(t))


@equation(
    "eq-tanh-product",
    r"""\frac{\mathrm{d}h_T}{\mathrm{d}h_t} =
    D_T\, W_{hh}\; D_{T-1}\, W_{hh} \cdots D_{t+1}\, W_{hh}""",
)
def _():
    for t in range(T):
        factors = [D[i] @ W for i in range(T, t, -1)]
        assert_equal(product(factors), derivative(H[T], H[t]))


@equation(
    "eq-tanh-product-scalar",
    r"\frac{\mathrm{d}h_T}{\mathrm{d}h_t} = w^{T-t} \prod_{i=t+1}^{T} (1 - h_i^2)",
)
def _():
    w = scalar.W_hh.item()
    for t in range(T):
        value = w ** (T - t) * slopes(scalar, t + 1, T)
        assert_equal(value, derivative(scalar.H[T], scalar.H[t]).reshape(()))


@equation(
    "eq-tanh-weight",
    r"""\frac{\mathrm{d}h_t}{\mathrm{d}(W_{hh})_{ab}} = \sum_{j=1}^{t}
    \big( D_t\, W_{hh}\, D_{t-1}\, W_{hh} \cdots W_{hh}\, D_j \big)\, e_a\, h_{j-1,b}""",
)
def _():
    e = torch.eye(n, dtype=torch.float64)
    for t in range(1, T + 1):
        expected = derivative(H[t], W)  # (n, n, n): entry of h_t, a, b
        for a in range(n):
            for b in range(n):
                total = sum(interleaved(t, j) @ e[a] * H[j - 1][b] for j in range(1, t + 1))
                assert_equal(total, expected[:, a, b])


@equation(
    "eq-tanh-reader",
    r"""\frac{\mathrm{d}h_t}{\mathrm{d}w} = \sum_{j=1}^{t} (1 - h_t^2)(1 - h_{t-1}^2) \cdots
    (1 - h_{t-j+1}^2)\; w^{j-1}\, h_{t-j}""",
)
def _():
    w = scalar.W_hh.item()
    for t in range(1, T + 1):
        total = sum(
            slopes(scalar, t - j + 1, t) * w ** (j - 1) * scalar.H[t - j].item()
            for j in range(1, t + 1)
        )
        expected = derivative(scalar.H[t], scalar.W_hh).reshape(())
        assert_equal(total, expected)


@equation(
    "eq-tanh-pulled-out",
    r"""D_t\, W_{hh}\, D_{t-1}\, W_{hh} \cdots W_{hh}\, D_j \;\neq\;
    \big( D_t\, D_{t-1} \cdots D_j \big)\, W_{hh}^{\,t-j}""",
)
def _():
    """Unequal at every lag above 0 for a generic W_hh; equal in the cases that the text names."""

    def left(D, W, t, j):
        return product([D[i] if i == j else D[i] @ W for i in range(t, j - 1, -1)])

    def right(D, W, t, j):
        return product([D[i] for i in range(t, j - 1, -1)]) @ torch.matrix_power(W, t - j)

    def error(D, W, t, j):
        true = left(D, W, t, j)
        return (torch.linalg.norm(true - right(D, W, t, j)) / torch.linalg.norm(true)).item()

    one_D = [torch.diag(1 - h**2) for h in scalar.H]
    equal_D = [(1 - h[0] ** 2) * torch.eye(n, dtype=torch.float64) for h in H]
    triangular = torch.triu(torch.ones(n, n, dtype=torch.float64), 1)
    for t in range(1, T + 1):
        for j in range(1, t + 1):
            assert_equal(left(D, W, t, j), derivative(H[t], net.z[j]))
            assert (error(D, W, t, j) > 0.05) == (j < t)
            assert error(one_D, scalar.W_hh, t, j) < 1e-12
            assert error(D, torch.diag(W.diagonal()), t, j) < 1e-12
            assert error(equal_D, W, t, j) < 1e-12
    # The order on the right matters as well, and a power in front would be another formula.
    other = torch.matrix_power(triangular, 1) @ D[3] @ D[2]
    assert torch.linalg.norm(right(D, triangular, 3, 2) - other) > 0.05


@equation(
    "eq-tanh-commute",
    r"(D\, W_{hh} - W_{hh}\, D)_{ab} = (D_{aa} - D_{bb})\, (W_{hh})_{ab}",
)
def _():
    left = D[3] @ W - W @ D[3]
    for a in range(n):
        for b in range(n):
            right = (D[3][a, a] - D[3][b, b]) * W[a, b]
            if a == b:
                assert right == 0 and left[a, b] == 0
            else:
                assert_equal(right, left[a, b])


@equation(
    "eq-tanh-counterexample",
    r"""D_2\, W_{hh}\, D_1\, W_{hh} = \begin{pmatrix} 1 & 0 \\ 0 & \tfrac{9}{16} \end{pmatrix}
    \qquad \text{but} \qquad
    D_2\, D_1\, W_{hh}^2 = \begin{pmatrix} \tfrac34 & 0 \\ 0 & \tfrac34 \end{pmatrix}""",
)
def _():
    swap = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    D_1 = torch.diag(1 - torch.tensor([0.5, 0.0]) ** 2)
    D_2 = torch.diag(1 - torch.tensor([0.0, 0.5]) ** 2)
    assert (D_2 @ swap @ D_1 @ swap).tolist() == [[1, 0], [0, 9 / 16]]
    assert (D_2 @ D_1 @ swap @ swap).tolist() == [[3 / 4, 0], [0, 3 / 4]]


def adjoint(of):
    return derivative(net.L, of)


@equation(
    "eq-tanh-adjoint-state",
    r"""\frac{\mathrm{d}L}{\mathrm{d}h_t} = W_{qh}^\top \frac{\mathrm{d}L}{\mathrm{d}o_t}
    + W_{hh}^\top \frac{\mathrm{d}L}{\mathrm{d}z_{t+1}}, \qquad
    \frac{\mathrm{d}L}{\mathrm{d}h_T} = W_{qh}^\top \frac{\mathrm{d}L}{\mathrm{d}o_T}""",
)
def _():
    for t in range(1, T):
        right = net.W_qh.T @ adjoint(net.o[t]) + W.T @ adjoint(net.z[t + 1])
        assert_equal(right, adjoint(H[t]))
    assert_equal(net.W_qh.T @ adjoint(net.o[T]), adjoint(H[T]))


@equation(
    "eq-tanh-adjoint-z",
    r"""\frac{\mathrm{d}L}{\mathrm{d}z_t} = (1 - h_t^2) \odot \frac{\mathrm{d}L}{\mathrm{d}h_t}""",
)
def _():
    for t in range(1, T + 1):
        assert_equal((1 - H[t] ** 2) * adjoint(H[t]), adjoint(net.z[t]))


@equation(
    "eq-tanh-adjoint-expanded",
    r"""\frac{\mathrm{d}L}{\mathrm{d}z_t} = \sum_{i=t}^{T} D_t\, W_{hh}^\top\, D_{t+1}\, W_{hh}^\top
    \cdots W_{hh}^\top\, D_i\; W_{qh}^\top \frac{\mathrm{d}L}{\mathrm{d}o_i}""",
)
def _():
    for t in range(1, T + 1):
        total = sum(
            product([D[k] if k == i else D[k] @ W.T for k in range(t, i + 1)])
            @ (net.W_qh.T @ adjoint(net.o[i]))
            for i in range(t, T + 1)
        )
        assert_equal(total, adjoint(net.z[t]))


@equation(
    "eq-tanh-grad-hh",
    r"""\frac{\mathrm{d}L}{\mathrm{d}W_{hh}} = \sum_{t=1}^{T} \frac{\mathrm{d}L}{\mathrm{d}z_t}\,
    h_{t-1}^\top = \sum_{t=1}^{T} \operatorname{diag}(1 - h_t^2)\,
    \frac{\mathrm{d}L}{\mathrm{d}h_t}\, h_{t-1}^\top""",
)
def _():
    steps = range(1, T + 1)
    middle = sum(torch.outer(adjoint(net.z[t]), H[t - 1]) for t in steps)
    right = sum(torch.outer(torch.diag(1 - H[t] ** 2) @ adjoint(H[t]), H[t - 1]) for t in steps)
    assert_equal(middle, adjoint(W))
    assert_equal(right, adjoint(W))


@equation(
    "eq-tanh-grad-hx",
    r"""\frac{\mathrm{d}L}{\mathrm{d}W_{hx}} = \sum_{t=1}^{T}
    \frac{\mathrm{d}L}{\mathrm{d}z_t}\, x_t^\top""",
)
def _():
    total = sum(torch.outer(adjoint(net.z[t]), net.x[t]) for t in range(1, T + 1))
    assert_equal(total, adjoint(net.W_hx))


@equation(
    "eq-tanh-grad-qh",
    r"""\frac{\mathrm{d}L}{\mathrm{d}W_{qh}} = \sum_{t=1}^{T}
    \frac{\mathrm{d}L}{\mathrm{d}o_t}\, h_t^\top""",
)
def _():
    total = sum(torch.outer(adjoint(net.o[t]), H[t]) for t in range(1, T + 1))
    assert_equal(total, adjoint(net.W_qh))


@equation(
    "eq-tanh-grad-h0",
    r"""\frac{\mathrm{d}L}{\mathrm{d}h_0} = W_{hh}^\top \frac{\mathrm{d}L}{\mathrm{d}z_1}""",
)
def _():
    assert_equal(W.T @ adjoint(net.z[1]), adjoint(H[0]))


@equation(
    "eq-tanh-bound",
    r"""\lVert D_t\, W_{hh} \rVert_2 \;\le\; \max_a\, (1 - h_{t,a}^2)\; \lVert W_{hh} \rVert_2""",
)
def _():
    """It holds on many draws, with equality if all slopes are equal: no smaller factor will do."""
    norm = lambda A: torch.linalg.matrix_norm(A, 2).item()  # noqa: E731
    bound = lambda slope, A: slope.max().item() * norm(A)  # noqa: E731
    for seed in range(100):
        A, slope = normal(4, 4, seed=seed), 1 - torch.tanh(2 * normal(4, seed=seed + 1000)) ** 2
        assert norm(torch.diag(slope) @ A) <= bound(slope, A) * (1 + 1e-12)
        equal = slope[0] * torch.ones(4, dtype=torch.float64)
        assert_equal(norm(torch.diag(equal) @ A), bound(equal, A))
