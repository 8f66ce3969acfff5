"""Checks of the equations of chapter 11, "Randomized truncation".

Oracles: automatic differentiation, sums over all outcomes of all coins, and the exact law of the
number of kept links.
"""

import math
from fractions import Fraction
from itertools import product

import torch
from ledger import equation
from network import assert_equal, derivative, normal, tanh_network

net = tanh_network()
scalar = tanh_network(n=1, d=1, q=1)
T, n, W = net.T, net.n, net.W_hh
P_KEEP = 0.7

# The chain of the scalar network: b, c and a with index t; row 0 is not used, a_0 = 0.
w = scalar.W_hh.item()
h = [state.item() for state in scalar.H]
c = [None] + [(1 - h[t] ** 2) * w for t in range(1, T + 1)]
b = [None] + [(1 - h[t] ** 2) * h[t - 1] for t in range(1, T + 1)]
a = [0.0] + [derivative(scalar.H[t], scalar.W_hh).item() for t in range(1, T + 1)]


def coins(length, p=P_KEEP):
    """All outcomes of so many coins: (weights xi, probability)."""
    for kept in product((0, 1), repeat=length):
        yield [k / p for k in kept], math.prod(p if k else 1 - p for k in kept)


def estimate_by_autograd(t, xi):
    """dh_t/dw through links that carry the weights xi[1..t]: values untouched."""
    weight = torch.tensor(w, dtype=torch.float64, requires_grad=True)
    state = scalar.H[0].detach()[0]
    for i in range(1, t + 1):
        state = state.detach() + xi[i] * (state - state.detach())
        state = torch.tanh(scalar.W_hx[0, 0].detach() * scalar.x[i][0] + weight * state)
    return torch.autograd.grad(state, weight)[0].item()


def recursion(t, xi, b=b, c=c):
    """eq-random-estimate: z_t with xi[1..t]."""
    z = 0.0
    for i in range(1, t + 1):
        z = b[i] + xi[i] * c[i] * z if i > 1 else b[i]
    return z


def expectation(f, length, p=P_KEEP):
    """The mean of f(xi) over all outcomes; xi[0] is not used."""
    return sum(probability * f([None, *xi]) for xi, probability in coins(length, p))


@equation(
    "eq-random-recursion",
    r"""\begin{gathered}
    a_t = b_t + c_t\, a_{t-1}, \quad a_t = \frac{\mathrm{d}h_t}{\mathrm{d}w}, \\
    b_t = \frac{\partial h_t}{\partial w}, \quad c_t = \frac{\partial h_t}{\partial h_{t-1}}
    \end{gathered}""",
)
def _():
    """a, b and c each by autograd: one step for b and c, the whole network for a."""
    before = 0.0
    for t in range(1, T + 1):
        step = lambda v, past, t=t: torch.tanh(scalar.W_hx @ scalar.x[t] + v * past)[0]  # noqa: E731
        v = torch.tensor(w, dtype=torch.float64, requires_grad=True)
        past = scalar.H[t - 1][0].detach().requires_grad_()
        partial_w, partial_h = torch.autograd.grad(step(v, past), (v, past))
        assert_equal(partial_w, b[t])
        assert_equal(partial_h, c[t])
        before = partial_w.item() + partial_h.item() * before
        assert_equal(before, a[t])


@equation(
    "eq-random-coin",
    r"""\begin{gathered}
    P(\xi_t = 1/p) = p, \\
    P(\xi_t = 0) = 1 - p, \\
    \mathbb{E}[\xi_t] = p \cdot \tfrac1p + (1 - p) \cdot 0 = 1
    \end{gathered}""",
)
def _():
    for p in (Fraction(1, 2), Fraction(7, 10), Fraction(1)):
        law = {1 / p: p, Fraction(0): 1 - p}
        assert sum(law.values()) == 1
        assert sum(value * probability for value, probability in law.items()) == 1


@equation("eq-random-estimate", r"z_t = b_t + \xi_t\, c_t\, z_{t-1}, \qquad z_0 = 0")
def _():
    """Autograd through weighted links gives the same number for each outcome of the coins."""
    for xi, _probability in coins(T):
        xi = [None, *xi]
        z = 0.0
        for t in range(1, T + 1):
            z = b[t] + xi[t] * c[t] * z
        assert_equal(z, estimate_by_autograd(T, xi))


@equation("eq-random-printed", r"\tilde z_t = b_t + \xi_t\, c_t\, a_{t-1}")
def _():
    """Mean a_t; with a kept coin it holds the exact derivative, so it is not eq-random-estimate."""
    for t in range(2, T + 1):
        printed = lambda xi, t=t: b[t] + xi[t] * c[t] * a[t - 1]  # noqa: E731
        assert_equal(expectation(printed, t), a[t])
        kept = [None] + [0.0] * (t - 1) + [1 / P_KEEP]
        lag_0 = b[t]
        assert_equal(printed(kept) - lag_0, (a[t] - lag_0) / P_KEEP)
        if t > 2:
            assert abs(printed(kept) - estimate_by_autograd(t, kept)) > 1e-3
        variance = expectation(lambda xi, t=t, f=printed: (f(xi) - a[t]) ** 2, t)
        assert_equal(variance, (1 - P_KEEP) / P_KEEP * (c[t] * a[t - 1]) ** 2)


@equation(
    "eq-random-length",
    r"""\begin{aligned}
    1 + p + \cdots + p^{t-1} &= \frac{1 - p^t}{1 - p} \\
    &< \frac{1}{1 - p}
    \end{aligned}""",
)
def _():
    """The steps with a coefficient in z_t, counted in every outcome."""

    def seen(xi):
        return 1 + next((k for k, value in enumerate(xi) if value == 0), len(xi))

    for p in (0.3, 0.7, 0.9):
        for t in range(1, 9):
            counted = sum(q * seen(xi[::-1]) for xi, q in coins(t - 1, p))
            assert_equal(sum(p**k for k in range(t)), counted)
            assert_equal((1 - p**t) / (1 - p), counted)
            assert counted < 1 / (1 - p)
        assert_equal((1 - p**400) / (1 - p), 1 / (1 - p))  # the bound is reached in the limit


@equation(
    "eq-random-induction",
    r"""\begin{aligned}
    \mathbb{E}[z_t] &= b_t + c_t\, \mathbb{E}[\xi_t]\, \mathbb{E}[z_{t-1}] \\
    &= b_t + c_t \cdot 1 \cdot a_{t-1} = a_t
    \end{aligned}""",
)
def _():
    for t in range(2, T + 1):
        mean = expectation(lambda xi, t=t: estimate_by_autograd(t, xi), t)
        before = expectation(lambda xi, t=t: estimate_by_autograd(t - 1, xi), t)
        coin = expectation(lambda xi, t=t: xi[t], t)
        assert_equal(b[t] + c[t] * coin * before, mean)
        assert_equal(b[t] + c[t] * 1 * a[t - 1], mean)
        assert_equal(a[t], mean)


def expanded(t, factors):
    """Sum over j of b_j times the product of factors[i] c_i for i = j+1..t."""
    return sum(
        math.prod(factors[i] * c[i] for i in range(j + 1, t + 1)) * b[j] for j in range(1, t + 1)
    )


@equation(
    "eq-random-expanded",
    r"z_t = \sum_{j=1}^{t} \Big( \prod_{i=j+1}^{t} \xi_i\, c_i \Big)\, b_j",
)
def _():
    for t in (1, 2, T):
        for xi, _probability in coins(t):
            assert_equal(expanded(t, [None, *xi]), estimate_by_autograd(t, [None, *xi]))


@equation(
    "eq-random-unweighted",
    r"""\mathbb{E}[u_t] = \sum_{j=1}^{t} p^{\,t-j} \Big( \prod_{i=j+1}^{t} c_i \Big)\, b_j""",
)
def _():
    p = P_KEEP
    for t in range(1, T + 1):
        zero_or_one = lambda xi, t=t: estimate_by_autograd(t, [None, *[p * x for x in xi[1:]]])  # noqa: E731
        total = sum(
            p ** (t - j) * math.prod(c[i] for i in range(j + 1, t + 1)) * b[j]
            for j in range(1, t + 1)
        )
        assert_equal(total, expectation(zero_or_one, t))


def moments(t, p=P_KEEP):
    """E[z_t^2] and Var(z_t) over all outcomes."""
    z = lambda xi: recursion(t, xi)  # noqa: E731
    second = expectation(lambda xi: z(xi) ** 2, t, p)
    return second, expectation(lambda xi: (z(xi) - a[t]) ** 2, t, p)


@equation(
    "eq-random-second-moment",
    r"""\begin{aligned}
    \mathbb{E}[z_t^2] &= b_t^2 + 2\, b_t\, c_t\, a_{t-1} \\
    &\quad + \frac{c_t^2}{p}\, \mathbb{E}[z_{t-1}^2]
    \end{aligned}""",
)
def _():
    for p in (0.4, P_KEEP):
        for t in range(2, T + 1):
            right = b[t] ** 2 + 2 * b[t] * c[t] * a[t - 1] + c[t] ** 2 / p * moments(t - 1, p)[0]
            assert_equal(right, moments(t, p)[0])


@equation(
    "eq-random-variance",
    r"""\begin{aligned}
    \operatorname{Var}(z_t) &= \frac{c_t^2}{p} \operatorname{Var}(z_{t-1}) \\
    &\quad + \frac{1 - p}{p}\, c_t^2\, a_{t-1}^2
    \end{aligned}""",
)
def _():
    for p in (0.4, P_KEEP):
        assert abs(moments(1, p)[1]) < 1e-30 < moments(2, p)[1]
        for t in range(2, T + 1):
            right = c[t] ** 2 / p * moments(t - 1, p)[1] + (1 - p) / p * c[t] ** 2 * a[t - 1] ** 2
            assert_equal(right, moments(t, p)[1])


def stationary(b, c, p, links=4000):
    """Mean and variance of b (1 + c/p + ... + (c/p)^K), P(K = k) = (1-p) p^k, term by term.

    The pairs (i, j) of the double sum occur together with probability p^max(i, j).
    """
    powers = [c**k for k in range(links)]
    mean = b * sum(powers)
    second, partial = 0.0, 0.0
    for k in range(links):  # max(i, j) = k: p^k (c/p)^k (2 sum_{i<k} (c/p)^i + (c/p)^k)
        newest = c**k
        second += newest * 2 * partial + c ** (2 * k) / p**k
        partial += (c / p) ** k
    return mean, b * b * second - mean**2


CHAINS = [(1.3, 0.6, 0.7), (-0.8, 0.9, 0.95), (2.0, -0.5, 0.4)]


@equation(
    "eq-random-stationary",
    r"""\operatorname{Var}(z) = a^2\, \frac{c^2\, (1 - p)}{p - c^2}""",
)
def _():
    for b, c, p in CHAINS:
        mean, variance = stationary(b, c, p, links=400)
        assert_equal(b / (1 - c), mean, tolerance=1e-9)
        assert_equal((b / (1 - c)) ** 2 * c**2 * (1 - p) / (p - c**2), variance, tolerance=1e-9)


@equation(
    "eq-random-threshold",
    r"""p > c^2 \iff \frac{1}{1 - p} > \frac{1}{1 - c^2}""",
)
def _():
    """And on the two sides of it the variance of a long history converges, or grows."""
    assert_equal(1 / (1 - 0.9**2), 5.26, tolerance=1e-3)
    for c in (0.5, 0.9, -0.7):
        for p in (c * c - 0.02, c * c - 1e-6, c * c + 1e-6, c * c + 0.02):
            assert (p > c * c) == (1 / (1 - p) > 1 / (1 - c * c))
        growth = {}
        for p in (c * c - 0.02, c * c + 0.02):
            V, a, seen = 0.0, 0.0, []
            for _ in range(4000):
                V, a = c * c / p * V + (1 - p) / p * c * c * a * a, 1 + c * a
                seen.append(V)
            growth[p > c * c] = seen[-1] / seen[-2]
        assert growth[False] > 1.001 and abs(growth[True] - 1) < 1e-9


@equation(
    "eq-random-law",
    r"""\begin{gathered}
    z = b \sum_{i=0}^{K} \Big(\frac{c}{p}\Big)^{i}, \\
    P(K = k) = (1 - p)\, p^k
    \end{gathered}""",
)
def _():
    """Against all outcomes of ten coins: the value and the probability of each K below ten."""
    for b, c, p in CHAINS:
        found = {}
        for xi, probability in coins(10, p):
            z = 0.7  # what lies before the ten coins is met only if all of them are kept
            for weight in xi:
                z = b + weight * c * z
            kept = next((k for k, value in enumerate(xi[::-1]) if value == 0), None)
            if kept is not None:
                value, total = found.get(kept, (z, 0.0))
                assert_equal(z, value)
                found[kept] = (value, total + probability)
        for k in range(10):
            assert_equal(b * sum((c / p) ** i for i in range(k + 1)), found[k][0])
            assert_equal((1 - p) * p**k, found[k][1])


# ---- many units ----------------------------------------------------------------------------

J = [None] + [torch.diag(1 - net.H[t] ** 2) @ W for t in range(1, T + 1)]


def immediate(t, i, j):
    """The immediate derivative of h_t by entry (i, j) of W_hh, by autograd."""
    jacobian = torch.autograd.functional.jacobian(
        lambda V: torch.tanh(net.W_hx.detach() @ net.x[t] + V @ net.H[t - 1].detach()), W.detach()
    )
    return jacobian[:, i, j]


def weighted_run(xi):
    """The network with weighted links, values untouched: leaves W_hh and h_0, and all states."""
    V, state = W.detach().clone().requires_grad_(), net.H[0].detach().clone().requires_grad_()
    states = [state]
    for t in range(1, T + 1):
        before = states[-1].detach() + xi[t] * (states[-1] - states[-1].detach())
        states.append(torch.tanh(net.W_hx.detach() @ net.x[t] + V @ before))
    return V, states


SOME_COINS = [
    [None, *[k / P_KEEP for k in kept]]
    for kept in (
        (1,) * 7,
        (0,) * 7,
        (1, 1, 0, 1, 1, 1, 1),
        (0, 1, 1, 1, 0, 1, 1),
        (1, 0, 1) * 2 + (1,),
    )
]
v = [None] + [
    (net.W_qh.T @ (net.o[t] - net.y[t]) / T).detach() for t in range(1, T + 1)
]  # direct adjoints of the mean of half the squared distances


@equation("eq-random-vector", r"z_t = b_t + \xi_t\, J_t\, z_{t-1}, \qquad z_0 = 0")
def _():
    entry = (1, 2)
    B = [None] + [immediate(t, *entry) for t in range(1, T + 1)]
    for xi in SOME_COINS:
        V, states = weighted_run(xi)
        z = torch.zeros(n, dtype=torch.float64)
        for t in range(1, T + 1):
            z = B[t] + xi[t] * J[t] @ z
            assert_equal(z, derivative(states[t], V)[:, entry[0], entry[1]])


@equation(
    "eq-random-lyapunov",
    r"""\begin{aligned}
    M &= \frac{1}{p}\, A M A^\top + b\, b^\top \\
    &\quad + b\, (A m)^\top + (A m)\, b^\top, \\
    m &= (I - A)^{-1}\, b
    \end{aligned}""",
)
def _():
    """M and m from the law of the number of kept links satisfy both equations."""
    for seed, p in ((1, 0.8), (2, 0.95)):
        A, b = normal(3, 3, seed=seed), normal(3, seed=seed + 10)
        A = 0.7 * A / torch.linalg.eigvals(A).abs().max()
        M, m = torch.zeros(3, 3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
        value, power = torch.zeros(3, dtype=torch.float64), b
        for k in range(3000):
            value = value + power / p**k  # sum of A^i b / p^i, i <= K = k
            M += (1 - p) * p**k * torch.outer(value, value)
            m += (1 - p) * p**k * value
            power = A @ power
        outer = torch.outer
        right = A @ M @ A.T / p + outer(b, A @ m) + outer(A @ m, b) + outer(b, b)
        assert_equal(right, M, tolerance=1e-9)
        assert_equal(torch.linalg.inv(torch.eye(3) - A) @ b, m, tolerance=1e-9)


# ---- influence balancing -------------------------------------------------------------------

UNITS = 23


def balancing_network(theta, steps, cut=lambda t: False):
    """The first unit at every step, written out unit by unit; the history is cut where asked."""
    state, first = [torch.ones((), dtype=torch.float64)] * UNITS, []
    for t in range(steps):
        if cut(t):
            state = [unit.detach() for unit in state]
        state = [
            (state[i] + (state[i + 1] if i + 1 < UNITS else 0)) / 2 + (theta if i < 10 else -theta)
            for i in range(UNITS)
        ]
        first.append(state[0])
    return first


def by_theta(cut, steps, rows):
    theta = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    first = balancing_network(theta, steps, cut)
    return [torch.autograd.grad(first[row], theta, retain_graph=True)[0].item() for row in rows]


A = (
    torch.eye(UNITS, dtype=torch.float64)
    + torch.diag(torch.ones(UNITS - 1, dtype=torch.float64), 1)
) / 2
drive = torch.cat([torch.ones(10), -torch.ones(13)]).double()
e_1 = torch.eye(UNITS, dtype=torch.float64)[0]


def window(k):
    """eq-random-window, left: g_k."""
    return sum(e_1 @ torch.matrix_power(A, i) @ drive for i in range(k)).item()


@equation(
    "eq-random-balancing",
    r"""\begin{gathered}
    h_t = A\, h_{t-1} + \theta\, b, \\
    A_{i,i} = A_{i,i+1} = \tfrac12, \\
    \ell_t = \tfrac12 \big( (h_t)_1 - 1 \big)^2
    \end{gathered}""",
)
def _():
    """The matrix form is the line of units written out; the loss has the adjoint (h)_1 - 1."""
    theta = torch.tensor(0.5, dtype=torch.float64)
    first = balancing_network(theta, 30)
    h = torch.ones(UNITS, dtype=torch.float64)
    for t in range(30):
        h = A @ h + theta * drive
        assert_equal(h[0], first[t])
        unit = h[0].clone().requires_grad_()
        (adjoint,) = torch.autograd.grad((unit - 1) ** 2 / 2, unit)
        assert_equal(adjoint, h[0] - 1)
    assert A.count_nonzero() == 23 + 22 and set(A.unique().tolist()) == {0, 0.5}


@equation(
    "eq-random-equilibrium",
    r"""\begin{gathered}
    \frac{\mathrm{d}(h_\infty)_1}{\mathrm{d}\theta} = e_1^\top (I - A)^{-1} b \\
    = -6, \qquad \theta^* = -\frac16
    \end{gathered}""",
)
def _():

    def settle(theta):
        return balancing_network(torch.tensor(theta, dtype=torch.float64), 400)[-1].item()

    measured = (settle(0.7) - settle(0.3)) / 0.4
    assert_equal(-6, measured, tolerance=1e-9)
    formula = e_1 @ torch.linalg.inv(torch.eye(UNITS) - A) @ drive
    assert_equal(formula, measured, tolerance=1e-9)
    assert_equal(settle(-1 / 6), 1, tolerance=1e-6)  # the loss is zero there


@equation(
    "eq-random-window",
    r"""\begin{aligned}
    \text{window:} \quad & g_k = \sum_{i=0}^{k-1} e_1^\top A^i\, b \\
    \text{blocks:} \quad & \frac1K \sum_{r=1}^{K} g_r
    \end{aligned}""",
)
def _():
    """Autograd with the state detached once before the window, or before every block."""
    for k in (1, 10, 19, 41):
        (found,) = by_theta(lambda t, k=k: t == 60 - k, 60, [59])
        assert_equal(window(k), found)
    for K in (1, 7, 10):
        rows = range(3 * K, 4 * K)  # the losses of one block
        found = sum(by_theta(lambda t, K=K: t % K == 0, 4 * K, rows)) / K
        assert_equal(sum(window(r) for r in range(1, K + 1)) / K, found)


@equation(
    "eq-random-soft-window",
    r"""\sum_{i=0}^{\infty} p^i e_1^\top A^i b = e_1^\top (I - p A)^{-1} b""",
)
def _():
    """Both sides are the mean over K of the window of K + 1 steps, P(K = k) = (1-p) p^k."""
    by_lag = [(e_1 @ torch.matrix_power(A, i) @ drive).item() for i in range(150)]
    for p in (15 / 16, 0.8):
        cumulative = torch.tensor(by_lag, dtype=torch.float64).cumsum(0).tolist()
        mean = sum((1 - p) * p**k * cumulative[min(k, 149)] for k in range(1000))
        assert_equal(sum(p**i * term for i, term in enumerate(by_lag)), mean, tolerance=1e-9)
        right = e_1 @ torch.linalg.inv(torch.eye(UNITS) - p * A) @ drive
        assert_equal(right, mean, tolerance=1e-9)


# ---- backwards -----------------------------------------------------------------------------


def weighted_gradients(xi):
    """By autograd: the loss through weighted links, by W_hh and by h_0."""
    V, states = weighted_run(xi)
    loss = sum(
        ((net.W_qh.detach() @ states[t] - net.y[t]) ** 2).sum() / (2 * T) for t in range(1, T + 1)
    )
    return torch.autograd.grad(loss, (V, states[0]))


def adjoints(xi):
    """eq-random-backward: delta_t for t = 1..T."""
    delta = [None] * (T + 1)
    delta[T] = v[T]
    for t in range(T - 1, 0, -1):
        delta[t] = v[t] + xi[t + 1] * J[t + 1].T @ delta[t + 1]
    return delta


@equation("eq-random-forward", r"\hat g = \sum_{t=1}^{T} v_t^\top z_t")
def _():
    for xi in SOME_COINS:
        expected = weighted_gradients(xi)[0]
        V, states = weighted_run(xi)
        Z = [None] + [derivative(states[t], V) for t in range(1, T + 1)]
        total = sum(torch.einsum("a,aij->ij", v[t], Z[t]) for t in range(1, T + 1))
        assert_equal(total, expected)


@equation(
    "eq-random-backward",
    r"""\begin{gathered}
    \hat\delta_t = v_t + \xi_{t+1}\, J_{t+1}^\top\, \hat\delta_{t+1}, \\
    \hat\delta_T = v_T
    \end{gathered}""",
)
def _():
    """Each delta is what autograd finds for the state itself, before its own outgoing coin."""
    for xi in SOME_COINS:
        _, states = weighted_run(xi)
        loss = sum(
            ((net.W_qh.detach() @ states[t] - net.y[t]) ** 2).sum() / (2 * T)
            for t in range(1, T + 1)
        )
        delta = adjoints(xi)
        for t in range(1, T + 1):
            assert_equal(delta[t], torch.autograd.grad(loss, states[t], retain_graph=True)[0])


@equation(
    "eq-random-same",
    r"\sum_{t=1}^{T} v_t^\top z_t = \sum_{j=1}^{T} \hat\delta_j^\top\, b_j",
)
def _():
    for xi in SOME_COINS:
        delta = adjoints(xi)
        expected = weighted_gradients(xi)[0]
        for i, j in ((0, 1), (2, 2)):
            B = [None] + [immediate(t, i, j) for t in range(1, T + 1)]
            z, left = torch.zeros(n, dtype=torch.float64), 0.0
            for t in range(1, T + 1):
                z = B[t] + xi[t] * J[t] @ z
                left = left + v[t] @ z
            right = sum(delta[k] @ B[k] for k in range(1, T + 1))
            assert_equal(left, expected[i, j])
            assert_equal(right, expected[i, j])


@equation(
    "eq-random-h0",
    r"\widehat{\frac{\mathrm{d}L}{\mathrm{d}h_0}} = \xi_1\, J_1^\top\, \hat\delta_1",
)
def _():
    for xi in SOME_COINS:
        expected = weighted_gradients(xi)[1]
        found = xi[1] * J[1].T @ adjoints(xi)[1]
        if xi[1] == 0:
            assert not expected.any() and not found.any()
        else:
            assert_equal(found, expected)
