"""Checks of the equations of chapter 2, "Total and immediate"."""

from functools import reduce

import torch
from ledger import equation
from network import assert_equal, derivative, tanh_network

from bptt import RNN

net = tanh_network()
T, n, H, W = net.T, net.n, net.H, net.W_hh
ROW, COLUMN = 1, 2  # w_h is this entry of W_hh
w_h = W[ROW, COLUMN].item()
D = [torch.diag(1 - h**2) for h in H]


def with_entry(matrix, w):
    """The matrix with ``w`` in place of its entry (ROW, COLUMN)."""
    place = torch.zeros_like(matrix)
    place[ROW, COLUMN] = 1
    return matrix.detach() * (1 - place) + w * place


def f(x, h, w):
    """One step, as a function of three arguments."""
    return torch.tanh(net.W_hx.detach() @ x + with_entry(W, w) @ h)


def states(w):
    """The network as a function of the weight: h_0(w), ..., h_T(w)."""
    h = [H[0].detach()]
    for t in range(1, T + 1):
        h.append(f(net.x[t], h[t - 1], w))
    return h


def partial(function, at):
    """The derivative of a function of one number or vector, by autograd."""
    at = torch.as_tensor(at, dtype=torch.float64).detach()
    return torch.autograd.functional.jacobian(function, at)


def df_dw(t):
    """The derivative of f in its third slot at step t, (n,)."""
    return partial(lambda w: f(net.x[t], H[t - 1].detach(), w), w_h)


def df_dh(t):
    """The derivative of f in its second slot at step t, (n, n)."""
    return partial(lambda h: f(net.x[t], h, w_h), H[t - 1])


def total(t):
    """dh_t/dw_h by autograd through all steps, (n,)."""
    return derivative(H[t], W)[:, ROW, COLUMN]


def product(factors, identity):
    """The factors from left to right; the identity if there are none."""
    return reduce(torch.matmul, factors, identity)


# ---- three steps with integers -------------------------------------------------------------


@equation("eq-total-hand-model", r"h_t = w\, h_{t-1} + x_t, \qquad h_0 = 3, \qquad w = 2")
def _():
    """It is the library's identity network with one unit, and gives the states of the text."""
    w, x, h = 2, [None, -1, -6, -1], [3]
    for t in (1, 2, 3):
        h.append(w * h[t - 1] + x[t])
    one = torch.ones(1, 1, dtype=torch.float64)
    X = torch.tensor(x[1:], dtype=torch.float64).reshape(3, 1, 1)
    tape = RNN(one, 2 * one, one, activation="identity")(X, 3 * one)
    assert tape.H.flatten().tolist() == h == [3, 5, 4, 7]


@equation(
    "eq-total-polynomial",
    r"""h_3 = 3 w^3 - w^2 - 6 w - 1, \qquad
    \frac{\mathrm{d}h_3}{\mathrm{d}w} = 9 w^2 - 2 w - 6 = 26""",
)
def _():
    def h_3(w):
        return w * (w * (w * 3 - 1) - 6) - 1  # three steps from h_0 = 3

    for w in range(-3, 5):
        assert h_3(w) == 3 * w**3 - w**2 - 6 * w - 1
        assert partial(h_3, w).item() == 9 * w**2 - 2 * w - 6
    assert 9 * 2**2 - 2 * 2 - 6 == 26


# ---- two functions -------------------------------------------------------------------------


@equation("eq-total-model", r"h_t = f(x_t, h_{t-1}, w_h), \qquad o_t = g(h_t, w_o)")
def _():
    """The library's forward pass has this form."""
    g = lambda h, W_o: W_o @ h  # noqa: E731
    tape = RNN(net.W_hx, W, net.W_qh)(torch.stack(net.x[1:])[:, None], H[0][None])
    h = H[0]
    for t in range(1, T + 1):
        h = f(net.x[t], h, w_h)
        assert_equal(h, tape.H[t, 0])
        assert_equal(g(h, net.W_qh), tape.O[t - 1, 0])


@equation(
    "eq-total-immediate",
    r"""\frac{\partial h_t}{\partial w_h} = \lim_{\varepsilon \to 0}
    \frac{f(x_t, h_{t-1}, w_h + \varepsilon) - f(x_t, h_{t-1}, w_h)}{\varepsilon}""",
)
def _():
    """Against the slope of tanh, written out: only entry ROW of z_t contains the weight."""
    epsilon = 1e-7
    for t in range(1, T + 1):
        h = H[t - 1].detach()
        quotient = (f(net.x[t], h, w_h + epsilon) - f(net.x[t], h, w_h)) / epsilon
        expected = torch.zeros(n, dtype=torch.float64)
        expected[ROW] = ((1 - H[t] ** 2)[ROW] * h[COLUMN]).detach()
        assert_equal(quotient, expected, tolerance=1e-5)


@equation(
    "eq-total-composed",
    r"h_t(w_h) = f\big(x_t,\, h_{t-1}(w_h),\, w_h\big), \qquad h_0(w_h) = h_0",
)
def _():
    """Two values of the weight, against the library's forward pass."""
    for w in (w_h, w_h + 0.4):
        tape = RNN(net.W_hx, with_entry(W, w), net.W_qh)(
            torch.stack(net.x[1:])[:, None], H[0][None]
        )
        for t, h in enumerate(states(w)):
            assert_equal(h, tape.H[t, 0])


@equation(
    "eq-total-total",
    r"""\frac{\mathrm{d}h_t}{\mathrm{d}w_h} = \lim_{\varepsilon \to 0}
    \frac{h_t(w_h + \varepsilon) - h_t(w_h)}{\varepsilon}""",
)
def _():
    epsilon = 1e-7
    for t in range(1, T + 1):
        quotient = (states(w_h + epsilon)[t] - states(w_h)[t]) / epsilon
        assert_equal(quotient, total(t), tolerance=1e-5)


# ---- the recursion -------------------------------------------------------------------------


@equation(
    "eq-total-increment",
    r"""h_t(w_h + \varepsilon) - h_t(w_h) = \frac{\partial h_t}{\partial w_h}\, \varepsilon
    + \frac{\partial h_t}{\partial h_{t-1}}\, \delta_{t-1} + o(\varepsilon)""",
)
def _():
    """What is left over shrinks with the square: ten times smaller, a hundred times less."""
    before = states(w_h)

    def left_over(t, epsilon):
        after = states(w_h + epsilon)
        delta = after[t - 1] - before[t - 1]
        first_order = df_dw(t) * epsilon + df_dh(t) @ delta
        return float(torch.linalg.vector_norm(after[t] - before[t] - first_order))

    for t in range(1, T + 1):
        assert 80 < left_over(t, 1e-3) / left_over(t, 1e-4) < 120


@equation(
    "eq-total-recursion",
    r"""\frac{\mathrm{d}h_t}{\mathrm{d}w_h} = \frac{\partial f(x_t, h_{t-1}, w_h)}{\partial w_h}
    + \frac{\partial f(x_t, h_{t-1}, w_h)}{\partial h_{t-1}}\,
    \frac{\mathrm{d}h_{t-1}}{\mathrm{d}w_h}, \qquad \frac{\mathrm{d}h_0}{\mathrm{d}w_h} = 0""",
)
def _():
    before = torch.zeros(n, dtype=torch.float64)
    assert total(0).tolist() == before.tolist()
    for t in range(1, T + 1):
        before = df_dw(t) + df_dh(t) @ before
        assert_equal(before, total(t))


@equation(
    "eq-total-gap",
    r"""\frac{\mathrm{d}h_t}{\mathrm{d}w_h} - \frac{\partial h_t}{\partial w_h}
    = \frac{\partial h_t}{\partial h_{t-1}}\, \frac{\mathrm{d}h_{t-1}}{\mathrm{d}w_h}""",
)
def _():
    """It is a good part of the total from step 2 on, and nothing at step 1."""
    for t in range(2, T + 1):
        right = df_dh(t) @ total(t - 1)
        assert_equal(right, total(t) - df_dw(t))
        assert torch.linalg.vector_norm(right) > 0.05 * torch.linalg.vector_norm(total(t))
    assert_equal(df_dw(1), total(1))
    assert not (df_dh(1) @ total(0)).any()


@equation(
    "eq-total-gradient",
    r"""\frac{\mathrm{d}L}{\mathrm{d}w_h} = \sum_{t=1}^{T} \frac{\mathrm{d}L}{\mathrm{d}h_t}\,
    \frac{\partial h_t}{\partial w_h}""",
)
def _():
    right = sum(derivative(net.L, H[t]) @ df_dw(t) for t in range(1, T + 1))
    assert_equal(right, derivative(net.L, W)[ROW, COLUMN])


# ---- the recursion as a sum ----------------------------------------------------------------

_generator = torch.Generator().manual_seed(2)
_integers = lambda *shape: torch.randint(-2, 3, shape, generator=_generator)  # noqa: E731
b = [None, *_integers(T, 3)]
c = [None, *_integers(T, 3, 3)]
I = torch.eye(3, dtype=torch.int64)


def a(t):
    """The recursion, backwards: what the lemma is about."""
    return torch.zeros(3, dtype=torch.int64) if t == 0 else b[t] + c[t] @ a(t - 1)


def later_to_the_left(last, first):
    """c_last ... c_first, the identity if there are none."""
    return product([c[j] for j in range(last, first - 1, -1)], I)


@equation("eq-total-lemma", r"a_0 = 0, \qquad a_t = b_t + c_t\, a_{t-1} \quad (t \ge 1)")
def _():
    """The three letters stand for the derivatives of the network."""
    letter = [torch.zeros(n, dtype=torch.float64)]
    for t in range(1, T + 1):
        letter.append(df_dw(t) + df_dh(t) @ letter[t - 1])
        assert_equal(letter[t], total(t))


@equation(
    "eq-total-three",
    r"a_1 = b_1, \qquad a_2 = b_2 + c_2\, b_1, \qquad a_3 = b_3 + c_3\, b_2 + c_3\, c_2\, b_1",
)
def _():
    assert torch.equal(b[1], a(1))
    assert torch.equal(b[2] + c[2] @ b[1], a(2))
    assert torch.equal(b[3] + c[3] @ b[2] + c[3] @ c[2] @ b[1], a(3))


@equation(
    "eq-total-lemma-closed",
    r"a_t = b_t + \sum_{i=1}^{t-1} \Big( \prod_{j=i+1}^{t} c_j \Big)\, b_i",
)
def _():
    for t in range(1, T + 1):
        terms = [later_to_the_left(t, i + 1) @ b[i] for i in range(1, t)]
        assert torch.equal(b[t] + sum(terms), a(t))


@equation(
    "eq-total-induction",
    r"""c_t\, a_{t-1} = c_t\, b_{t-1}
    + \sum_{i=1}^{t-2} c_t \Big( \prod_{j=i+1}^{t-1} c_j \Big)\, b_i
    = \sum_{i=1}^{t-1} \Big( \prod_{j=i+1}^{t} c_j \Big)\, b_i""",
)
def _():
    for t in range(2, T + 1):
        terms = [c[t] @ later_to_the_left(t - 1, i + 1) @ b[i] for i in range(1, t - 1)]
        right = sum(later_to_the_left(t, i + 1) @ b[i] for i in range(1, t))
        assert torch.equal(c[t] @ b[t - 1] + sum(terms), c[t] @ a(t - 1))
        assert torch.equal(right, c[t] @ a(t - 1))


@equation(
    "eq-total-one-sum",
    r"a_t = \sum_{i=1}^{t} \Big( \prod_{j=i+1}^{t} c_j \Big)\, b_i",
)
def _():
    for t in range(1, T + 1):
        total_sum = sum(later_to_the_left(t, i + 1) @ b[i] for i in range(1, t + 1))
        assert torch.equal(total_sum, a(t))


@equation("eq-total-order", r"\prod_{j=i+1}^{t} c_j = c_t\, c_{t-1} \cdots c_{i+1}")
def _():
    """In this order, and no other, step Jacobians multiply to dh_t/dh_i."""
    identity = torch.eye(n, dtype=torch.float64)
    for t in range(1, T + 1):
        for i in range(t):
            factors = [df_dh(j) for j in range(t, i, -1)]
            assert_equal(product(factors, identity), derivative(H[t], H[i]))


@equation(
    "eq-total-order-example",
    r"""c_2 = \begin{pmatrix} 1 & 1 \\ 0 & 1 \end{pmatrix}, \quad
    c_3 = \begin{pmatrix} 1 & 0 \\ 1 & 1 \end{pmatrix}, \qquad
    c_3\, c_2 = \begin{pmatrix} 1 & 1 \\ 1 & 2 \end{pmatrix}, \quad
    c_2\, c_3 = \begin{pmatrix} 2 & 1 \\ 1 & 1 \end{pmatrix}""",
)
def _():
    c_2, c_3 = torch.tensor([[1, 1], [0, 1]]), torch.tensor([[1, 0], [1, 1]])
    assert (c_3 @ c_2).tolist() == [[1, 1], [1, 2]]
    assert (c_2 @ c_3).tolist() == [[2, 1], [1, 1]]


@equation(
    "eq-total-closed",
    r"""\frac{\mathrm{d}h_t}{\mathrm{d}w_h} = \frac{\partial f(x_t, h_{t-1}, w_h)}{\partial w_h}
    + \sum_{i=1}^{t-1} \Big( \prod_{j=i+1}^{t}
    \frac{\partial f(x_j, h_{j-1}, w_h)}{\partial h_{j-1}} \Big)\,
    \frac{\partial f(x_i, h_{i-1}, w_h)}{\partial w_h}""",
)
def _():
    identity = torch.eye(n, dtype=torch.float64)
    for t in range(1, T + 1):
        right = df_dw(t)
        for i in range(1, t):
            right = right + product([df_dh(j) for j in range(t, i, -1)], identity) @ df_dw(i)
        assert_equal(right, total(t))


# ---- vectors -------------------------------------------------------------------------------

e = torch.eye(n, dtype=torch.float64)


@equation(
    "eq-total-entry-immediate",
    r"""\frac{\partial h_t}{\partial (W_{hh})_{ab}} = D_t\, e_a\, h_{t-1,b}, \qquad
    D_t = \operatorname{diag}(1 - h_t^2)""",
)
def _():
    for t in range(1, T + 1):
        h = H[t - 1].detach()
        expected = partial(lambda W: torch.tanh(net.W_hx.detach() @ net.x[t] + W @ h), W)  # noqa: B023
        for row in range(n):
            for column in range(n):
                assert_equal(D[t] @ e[row] * h[column], expected[:, row, column])


@equation(
    "eq-total-entry",
    r"""\frac{\mathrm{d}h_t}{\mathrm{d}(W_{hh})_{ab}} = D_t \Big( e_a\, h_{t-1,b}
    + W_{hh}\, \frac{\mathrm{d}h_{t-1}}{\mathrm{d}(W_{hh})_{ab}} \Big)""",
)
def _():
    for t in range(1, T + 1):
        before, expected = derivative(H[t - 1], W), derivative(H[t], W)  # (n, n, n)
        for row in range(n):
            for column in range(n):
                right = D[t] @ (e[row] * H[t - 1][column] + W @ before[:, row, column])
                assert_equal(right, expected[:, row, column])


# ---- the loss ------------------------------------------------------------------------------


def half_square(o, y):
    return ((o - y) ** 2).sum() / 2


@equation(
    "eq-total-loss",
    r"""\frac{\mathrm{d}L}{\mathrm{d}w_h} = \frac{1}{T} \sum_{t=1}^{T}
    \frac{\partial \ell(o_t, y_t)}{\partial o_t}\, \frac{\partial g(h_t, w_o)}{\partial h_t}\,
    \frac{\mathrm{d}h_t}{\mathrm{d}w_h}""",
)
def _():
    right = 0.0
    for t in range(1, T + 1):
        dl_do = partial(lambda o: half_square(o, net.y[t]), net.o[t])  # noqa: B023
        dg_dh = partial(lambda h: net.W_qh.detach() @ h, H[t])
        right = right + dl_do @ dg_dh @ total(t) / T
    assert_equal(right, derivative(net.L, W)[ROW, COLUMN])


@equation(
    "eq-total-tied",
    r"""\frac{\mathrm{d}o_t}{\mathrm{d}w} = \frac{\partial g(h_t, w)}{\partial w}
    + \frac{\partial g(h_t, w)}{\partial h_t}\, \frac{\mathrm{d}h_t}{\mathrm{d}w}""",
)
def _():
    """The same number is an entry of W_hh and an entry of W_qh."""
    g = lambda h, w: with_entry(net.W_qh, w) @ h  # noqa: E731
    for t in range(1, T + 1):
        h = H[t].detach()
        right = partial(lambda w: g(h, w), w_h) + partial(lambda h: g(h, w_h), h) @ total(t)  # noqa: B023
        assert_equal(right, partial(lambda w: g(states(w)[t], w), w_h))  # noqa: B023
