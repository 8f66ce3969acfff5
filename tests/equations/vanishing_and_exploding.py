"""Checks of the equations of chapter 8, "Vanishing and exploding"."""

import math
from itertools import combinations

import torch
from ledger import equation
from network import assert_equal, derivative, normal, tanh_network

from bptt import RNN, squared_error
from bptt.exercises import catalogue
from bptt.jacobian import lyapunov_exponents

net = tanh_network()
T, n, W, W_qh, H = net.T, net.n, net.W_hh.detach(), net.W_qh.detach(), net.H
D = [torch.diag(1 - h.detach() ** 2) for h in H]  # D[0] belongs to no step
J = [d @ W for d in D]
MATRICES = [normal(3, 3, seed=s) / 2 for s in range(1, 6)]
JORDAN = torch.tensor([[0.5, 4.0], [0.0, 0.5]], dtype=torch.float64)


def norm(M):
    return torch.linalg.matrix_norm(M, 2).item()


def radius(M):
    return torch.linalg.eigvals(M).abs().max().item()


def chain(first, last):
    """J_last ... J_first, the identity if the product is empty."""
    product = torch.eye(n, dtype=torch.float64)
    for t in range(first, last + 1):
        product = J[t] @ product
    return product


@equation(
    "eq-vanish-model",
    r"""\begin{gathered} h_t = \tanh(W_{hx}\, x_t + W_{hh}\, h_{t-1}), \\
    o_t = W_{qh}\, h_t, \qquad L = \frac{1}{T} \sum_{t=1}^{T} \ell(o_t, y_t) \end{gathered}""",
)
def _():
    tape = RNN(net.W_hx, W, W_qh)(torch.stack(net.x[1:])[:, None], H[0][None])
    h, total = H[0].tolist(), 0.0
    for t in range(1, T + 1):
        x = net.x[t].tolist()
        h = [
            math.tanh(
                sum(net.W_hx[a, c].item() * x[c] for c in range(2))
                + sum(W[a, b].item() * h[b] for b in range(n))
            )
            for a in range(n)
        ]
        o = [sum(W_qh[c, a].item() * h[a] for a in range(n)) for c in range(4)]
        total += sum((o[c] - net.y[t][c].item()) ** 2 / 2 for c in range(4))
        assert_equal(tape.H[t, 0], torch.tensor(h, dtype=torch.float64))
        assert_equal(tape.O[t - 1, 0], torch.tensor(o, dtype=torch.float64))
    assert_equal(total / T, squared_error(tape.O, torch.stack(net.y[1:])[:, None])[0])


@equation(
    "eq-vanish-product",
    r"""\begin{gathered} \frac{\mathrm{d}h_T}{\mathrm{d}h_{T-k}} =
    J_T\, J_{T-1} \cdots J_{T-k+1}, \\ J_t = D_t\, W_{hh}, \qquad
    D_t = \operatorname{diag}(1 - h_t^2) \end{gathered}""",
)
def _():
    for k in range(1, T + 1):
        product = torch.eye(n, dtype=torch.float64)
        for t in range(T, T - k, -1):  # T, T-1, ..., T-k+1 from left to right
            product = product @ D[t] @ W
        assert_equal(product, derivative(H[T], H[T - k]))


@equation(
    "eq-vanish-hand",
    r"""J = \begin{pmatrix} \tfrac12 & 4 \\ 0 & \tfrac12 \end{pmatrix}, \qquad
    J^k = \frac{1}{2^k} \begin{pmatrix} 1 & 8k \\ 0 & 1 \end{pmatrix}""",
)
def _():
    """Exact: powers of two."""
    power = torch.eye(2, dtype=torch.float64)
    for k in range(8):
        expected = torch.tensor([[1.0, 8 * k], [0.0, 1.0]], dtype=torch.float64) / 2**k
        assert torch.equal(power, expected)
        power = power @ JORDAN


@equation(
    "eq-vanish-two-by-two",
    r"""\begin{pmatrix} a & c \\ 0 & b \end{pmatrix}^{k} = \begin{pmatrix} a^k &
    c\, \dfrac{a^k - b^k}{a - b} \\ 0 & b^k \end{pmatrix}""",
)
def _():
    for a, b, c in ((0.5, -0.75, 3.0), (2.0, 0.5, -1.5), (0.9, 0.0, 2.0)):
        M = torch.tensor([[a, c], [0.0, b]], dtype=torch.float64)
        power = M
        for k in range(1, 8):
            corner = c * (a**k - b**k) / (a - b)
            printed = torch.tensor([[a**k, corner], [0.0, b**k]], dtype=torch.float64)
            assert_equal(printed, power)
            power = power @ M
    for k in range(1, 8):  # a = b, as the text says
        M = torch.matrix_power(JORDAN, k)
        assert_equal(4 * k * 0.5 ** (k - 1), M[0, 1])


@equation(
    "eq-vanish-bounds",
    r"\rho(J)^k \;\le\; \lVert J^k \rVert_2 \;\le\; \sigma(J)^k",
)
def _():
    """Both hold, both are attained, and for generic matrices both are strict from k = 2 on."""
    for M in [*MATRICES, JORDAN]:
        for k in range(8):
            size = norm(torch.matrix_power(M, k))
            low, high = radius(M) ** k, norm(M) ** k
            assert low <= size * (1 + 1e-12) and size <= high * (1 + 1e-12)
            if k == 0:
                assert abs(low - 1) + abs(size - 1) + abs(high - 1) < 1e-12
            if k == 1:
                assert low < 0.99 * size and abs(size / high - 1) < 1e-12
            if k > 1:
                assert low < 0.99 * size and size < 0.99 * high
    symmetric = MATRICES[0] + MATRICES[0].T
    for k in range(1, 8):
        assert_equal(norm(torch.matrix_power(symmetric, k)), radius(symmetric) ** k)


@equation(
    "eq-vanish-gelfand",
    r"\lim_{k \to \infty} \lVert J^k \rVert_2^{1/k} = \rho(J)",
)
def _():
    """The k-th root comes closer with every doubling, and its error falls like (ln k)/k at worst.

    The norms are carried as logarithms, so nothing under- or overflows.
    """
    for M in [*MATRICES, JORDAN]:
        power, logarithm, k, errors = M, 0.0, 1, []
        for _ in range(14):
            power, logarithm, k = power @ power, 2 * logarithm, 2 * k
            size = norm(power)
            power, logarithm = power / size, logarithm + math.log(size)
            errors.append(abs(math.exp(logarithm / k) / radius(M) - 1))
        assert errors[-1] < 3e-3 and errors[-1] < errors[4] / 50
        assert abs(norm(M) / radius(M) - 1) > 0.02  # not so at k = 1


@equation(
    "eq-vanish-normal",
    r"""J J^\top = J^\top J \quad \Longrightarrow \quad
    \lVert J^k \rVert_2 = \rho(J)^k""",
)
def _():
    Q = torch.linalg.qr(normal(3, 3, seed=9))[0]
    rotation = torch.tensor([[0.6, -0.8, 0], [0.8, 0.6, 0], [0, 0, 0.5]], dtype=torch.float64)
    generic = MATRICES[0]
    for M in (generic + generic.T, generic - generic.T, 0.7 * Q, 1.3 * Q @ rotation @ Q.T):
        assert norm(M @ M.T - M.T @ M) < 1e-12
        for k in range(1, 8):
            assert_equal(norm(torch.matrix_power(M, k)), radius(M) ** k)
    for M in (generic, JORDAN):  # the premise is needed
        assert norm(M @ M.T - M.T @ M) > 0.1
        assert norm(torch.matrix_power(M, 3)) > 1.1 * radius(M) ** 3


@equation(
    "eq-vanish-binomial",
    r"(A^k)_{i,\,i+j} = \frac{1}{2^k} \binom{k}{j}",
)
def _():
    power = torch.eye(23, dtype=torch.float64)
    A = (power + torch.diag(torch.ones(22, dtype=torch.float64), 1)) / 2
    for k in range(41):
        for i in range(1, 24):
            for j in range(24 - i):  # i + j <= 23
                assert power[i - 1, i + j - 1].item() == math.comb(k, j) / 2**k
        power = power @ A


@equation(
    "eq-vanish-alternating",
    r"""J_{\text{even}}\, J_{\text{odd}} = \begin{pmatrix} 0 & 0 \\ 2 & 0 \end{pmatrix}
    \begin{pmatrix} 0 & 2 \\ 0 & 0 \end{pmatrix} = \begin{pmatrix} 0 & 0 \\ 0 & 4 \end{pmatrix}""",
)
def _():
    even, odd = torch.tensor([[0, 0], [2, 0]]), torch.tensor([[0, 2], [0, 0]])
    product = torch.tensor([[0, 0], [0, 4]])
    assert torch.equal(even @ odd, product)
    assert not (even @ even).any() and not (odd @ odd).any()  # all eigenvalues are zero
    assert torch.equal(torch.matrix_power(even @ odd, 5), 4**4 * product)  # 2 a step


def gaussian_chain(steps, N, g, seed):
    return g * normal(steps, N, N, seed=seed) / math.sqrt(N)


def logarithms(matrices):
    """Logarithms of the singular values of the product, without a QR decomposition.

    The sum of the first i is the log norm of the product's i-th compound, the matrix of its minors
    of size i. Compounds multiply, and each is scaled as it goes, so nothing is lost.
    """
    N = matrices.shape[-1]
    sums = []
    for i in range(1, N + 1):
        rows = list(combinations(range(N), i))
        product = torch.eye(len(rows), dtype=torch.float64)
        total = 0.0
        for M in matrices:
            minors = [[torch.linalg.det(M[list(r)][:, list(c)]) for c in rows] for r in rows]
            product = torch.tensor(minors, dtype=torch.float64) @ product
            size = norm(product)
            product, total = product / size, total + math.log(size)
        sums.append(total)
    return torch.tensor(sums, dtype=torch.float64).diff(prepend=torch.zeros(1).double())


def by_qr(matrices):
    """eq-vanish-qr as printed, with Gram and Schmidt by hand."""
    N = matrices.shape[-1]
    Q, total = torch.eye(N, dtype=torch.float64), torch.zeros(N, dtype=torch.float64)
    for M in matrices:
        A, columns = M @ Q, []
        for i in range(N):
            rest = A[:, i]
            for q in columns:
                rest = rest - (q @ rest) * q
            total[i] += rest.norm().log()
            columns.append(rest / rest.norm())
        Q = torch.stack(columns, dim=1)
    return total / len(matrices)


@equation(
    "eq-vanish-lyapunov",
    r"""\lambda_i = \lim_{k \to \infty} \frac{1}{k}
    \ln \sigma_i\big( J_k\, J_{k-1} \cdots J_1 \big)""",
)
def _():
    """For one fixed matrix the exponents are the logarithms of its eigenvalues' sizes."""
    S = normal(3, 3, seed=4)
    M = S @ torch.diag(torch.tensor([1.5, 0.8, -0.3], dtype=torch.float64)) @ torch.linalg.inv(S)
    exact = torch.tensor([1.5, 0.8, 0.3], dtype=torch.float64).log()
    errors = []
    for k in (50, 400):
        found = logarithms(M.expand(k, 3, 3)) / k
        errors.append((found - exact).abs().max().item())
    assert errors[1] < 0.02 and errors[1] < errors[0] / 7


@equation(
    "eq-vanish-qr",
    r"""J_t\, Q_{t-1} = Q_t\, R_t, \qquad
    \lambda_i \approx \frac{1}{k} \sum_{t=1}^{k} \ln |r_{t,ii}|""",
)
def _():
    """It tends to the logarithms of the product's singular values, which compounds give."""
    for seed in (1, 2):
        matrices = gaussian_chain(600, 3, 1.3, seed)
        assert_equal(by_qr(matrices), lyapunov_exponents(matrices))
        gap = (by_qr(matrices) - logarithms(matrices) / 600).abs().max().item()
        assert gap < 5 / 600  # they differ by a bounded amount over k
    first = gaussian_chain(1, 3, 1.3, 7)
    R = torch.linalg.qr(first[0])[1]
    assert_equal(by_qr(first), R.diagonal().abs().log())  # k = 1: Q_0 = I


@equation(
    "eq-vanish-newman",
    r"""\lambda_i = \ln g + \frac12 \Big( \ln \frac{2}{N}
    + \psi\Big(\frac{N - i + 1}{2}\Big) \Big)""",
)
def _():
    """Within four standard errors of a simulation; and exactly where integrals are elementary."""
    for N, g, seed in ((3, 1.3, 1), (5, 0.7, 2)):
        steps = 4000
        i = torch.arange(1, N + 1, dtype=torch.float64)
        formula = math.log(g) + (math.log(2 / N) + torch.digamma((N - i + 1) / 2)) / 2
        error = (torch.polygamma(1, (N - i + 1) / 2) / (4 * steps)).sqrt()
        found = by_qr(gaussian_chain(steps, N, g, seed))
        assert ((found - formula).abs() < 4 * error).all()
        assert error.max() < 0.025
    euler = 0.5772156649015329  # exact: N = 1, the mean of ln |x|; N = 2, of ln sqrt(x^2 + y^2)
    half, one = torch.tensor([0.5, 1.0], dtype=torch.float64)
    assert_equal((math.log(2 / 1) + torch.digamma(half)) / 2, -(euler + math.log(2)) / 2)
    assert_equal((math.log(2 / 2) + torch.digamma(one)) / 2, -euler / 2)


@equation(
    "eq-vanish-tanh-bound",
    r"""\lVert J_T\, J_{T-1} \cdots J_{T-k+1} \rVert_2 \;\le\; \sigma(W_{hh})^k
    \prod_{t=T-k+1}^{T} \max_a\, (1 - h_{t,a}^2) \;\le\; \sigma(W_{hh})^k""",
)
def _():
    sigma = norm(W)
    for k in range(1, T + 1):
        slopes = math.prod((1 - H[t] ** 2).max().item() for t in range(T - k + 1, T + 1))
        size = norm(derivative(H[T], H[T - k]))
        assert size < sigma**k * slopes < sigma**k
    # Attained where the weight is orthogonal and all units have one slope.
    Q, s, attained = torch.linalg.qr(W)[0] * 1.7, [0.3, 0.9, 0.5], torch.eye(3).double()
    for slope in s:
        attained = slope * Q @ attained
        assert norm(attained) <= 1.7**3
    assert_equal(norm(attained), norm(Q) ** 3 * math.prod(s))


def step(w, u, h):
    return math.tanh(w * h + u)


def settled(w, u, h):
    for _ in range(5000):
        h = step(w, u, h)
    return h


@equation(
    "eq-vanish-latch",
    r"""h_t = \tanh(w\, h_{t-1} + u), \qquad
    \frac{\partial h_t}{\partial h_{t-1}} = w\, (1 - h_t^2)""",
)
def _():
    for w, u, h in ((2.0, 0.3, -0.4), (-1.7, 0.2, 0.5), (0.6, -0.8, 0.1)):
        after = step(w, u, h)
        central = (step(w, u, h + 1e-6) - step(w, u, h - 1e-6)) / 2e-6
        assert_equal(w * (1 - after**2), central, tolerance=1e-8)


@equation(
    "eq-vanish-latch-slope",
    r"""w\, (1 - {h^*}^2) = \frac{z}{\sinh z\, \cosh z} = \frac{2z}{\sinh 2z} < 1,
    \qquad z = w h^* \neq 0""",
)
def _():
    for w in (1.05, 1.5, 2.0, 4.0):
        for start in (-1.0, 1.0):
            h = settled(w, 0.0, start)
            z = w * h
            slope = (step(w, 0.0, h + 1e-6) - step(w, 0.0, h - 1e-6)) / 2e-6
            assert_equal(w * (1 - h**2), slope, tolerance=1e-8)
            assert_equal(z / (math.sinh(z) * math.cosh(z)), slope, tolerance=1e-8)
            assert_equal(2 * z / math.sinh(2 * z), slope, tolerance=1e-8)
            assert slope < 1 and abs(h) > 0.1


@equation(
    "eq-vanish-cycle",
    r"""\frac{\mathrm{d}h_{t+2}}{\mathrm{d}h_t} = \big( w\, (1 - {h^*}^2) \big)^2
    = \Big( \frac{2z}{\sinh 2z} \Big)^2 < 1, \qquad z = |w|\, h^* \neq 0""",
)
def _():
    for w in (-1.2, -2.0, -3.0):
        h = settled(-w, 0.0, 1.0)  # the fixed point of |w|
        assert_equal(step(w, 0.0, h), -h)  # a cycle of two steps
        assert_equal(abs(settled(w, 0.0, 0.3)), h)
        above, below = (step(w, 0.0, step(w, 0.0, h + move)) for move in (1e-6, -1e-6))
        slope = (above - below) / 2e-6
        z = abs(w) * h
        assert_equal((w * (1 - h**2)) ** 2, slope, tolerance=1e-7)
        assert_equal((2 * z / math.sinh(2 * z)) ** 2, slope, tolerance=1e-7)
        assert slope < 1


@equation("eq-vanish-fixed-point", r"u = \operatorname{artanh}(h^*) - w\, h^*")
def _():
    for w in (-2.0, 0.5, 1.0, 2.5):
        for h in (-0.9, -0.2, 0.4, 0.8):  # every state is a fixed point of one input
            assert_equal(step(w, math.atanh(h) - w * h, h), h)


@equation(
    "eq-vanish-threshold",
    r"|u| < \sqrt{w\,(w-1)} - \operatorname{artanh}\sqrt{1 - \tfrac{1}{w}}",
)
def _():
    """Two stable states on one side of the threshold and one on the other, by iteration."""
    for w in (1.1, 1.5, 2.0, 4.0):
        threshold = math.sqrt(w * (w - 1)) - math.atanh(math.sqrt(1 - 1 / w))
        for sign in (-1, 1):
            below, above = sign * (threshold - 2e-4), sign * (threshold + 2e-4)
            assert settled(w, below, 1.0) - settled(w, below, -1.0) > 0.2
            assert abs(settled(w, above, 1.0) - settled(w, above, -1.0)) < 1e-9


@equation(
    "eq-vanish-saturated",
    r"""D\, W_{hh} = \begin{pmatrix} 1 & 0 \\ 0 & 0 \end{pmatrix}
    \begin{pmatrix} 2 & -2 \\ 2 & -2 \end{pmatrix} =
    \begin{pmatrix} 2 & -2 \\ 0 & 0 \end{pmatrix}, \qquad W_{hh}^2 = 0""",
)
def _():
    slopes, weight = torch.tensor([[1, 0], [0, 0]]), torch.tensor([[2, -2], [2, -2]])
    product = torch.tensor([[2, -2], [0, 0]])
    assert torch.equal(slopes @ weight, product)
    assert not (weight @ weight).any() and weight.any()
    assert torch.equal(torch.matrix_power(product, 6), 2**5 * product)  # 2 a step


def lag_term(k):
    """eq-vanish-lag-term as printed."""
    total = torch.zeros(n, n, dtype=torch.float64)
    for i in range(k + 1, T + 1):
        bracket = chain(i - k + 1, i) @ D[i - k]
        dL_do = (net.o[i] - net.y[i]).detach() / T
        total += torch.outer(bracket.T @ W_qh.T @ dL_do, H[i - k - 1].detach())
    return total


def lag_term_by_autograd(k):
    """Each use of W_hh is a leaf of its own: the loss of step i by the use at step i - k."""
    uses = [None] + [W.clone().requires_grad_() for _ in range(T)]
    h, losses = H[0].detach(), [None]
    for t in range(1, T + 1):
        h = torch.tanh(net.W_hx.detach() @ net.x[t] + uses[t] @ h)
        losses.append(((W_qh @ h - net.y[t]) ** 2).sum() / (2 * T))
    return sum(
        torch.autograd.grad(losses[i], uses[i - k], retain_graph=True)[0]
        for i in range(k + 1, T + 1)
    )


@equation(
    "eq-vanish-lags",
    r"\frac{\mathrm{d}L}{\mathrm{d}W_{hh}} = \sum_{k=0}^{T-1} G_k",
)
def _():
    whole = derivative(net.L, net.W_hh)
    assert_equal(sum(lag_term_by_autograd(k) for k in range(T)), whole)
    without_last = sum(lag_term_by_autograd(k) for k in range(T - 1))
    assert torch.linalg.norm(without_last - whole) > 1e-9  # the last lag counts


@equation(
    "eq-vanish-lag-term",
    r"""G_k = \sum_{i=k+1}^{T} \big( J_i\, J_{i-1} \cdots J_{i-k+1}\, D_{i-k} \big)^\top\,
    W_{qh}^\top\, \frac{\mathrm{d}L}{\mathrm{d}o_i}\; h_{i-k-1}^\top""",
)
def _():
    for k in range(T):
        assert_equal(lag_term(k), lag_term_by_autograd(k))


@equation(
    "eq-vanish-lag-bound",
    r"""\lVert G_k \rVert_F \;\le\; \sigma^k \sum_{i=k+1}^{T} \Big\lVert W_{qh}^\top
    \frac{\mathrm{d}L}{\mathrm{d}o_i} \Big\rVert\, \lVert h_{i-k-1} \rVert""",
)
def _():
    """It holds; and it is attained by one unit, small states, a loss at the last step alone."""
    sigma = norm(W)
    for k in range(T):
        sizes = [
            (W_qh.T @ derivative(net.L, net.o[i])).norm() * H[i - k - 1].detach().norm()
            for i in range(k + 1, T + 1)
        ]
        assert lag_term_by_autograd(k).norm() <= sigma**k * sum(sizes)
    w, v, h, steps = 0.8, 1.7, [1e-7], 6  # slopes are 1 to rounding
    for _ in range(steps):
        h.append(math.tanh(w * h[-1]))
    for k in range(steps):
        G_k = torch.tensor(1.0, dtype=torch.float64)
        for i in range(steps, steps - k, -1):
            G_k = G_k * w * (1 - h[i] ** 2)
        G_k = G_k * (1 - h[steps - k] ** 2) * v * h[steps - k - 1]
        uses = [torch.tensor(w, dtype=torch.float64, requires_grad=True) for _ in range(steps)]
        state = torch.tensor(h[0], dtype=torch.float64)
        for use in uses:
            state = torch.tanh(use * state)
        (exact,) = torch.autograd.grad(v * state, uses[steps - k - 1])
        assert_equal(G_k, exact)
        assert_equal(w**k * v * h[steps - k - 1], exact, tolerance=1e-10)


@equation(
    "eq-vanish-exercise",
    r"J = \begin{pmatrix} \tfrac12 & 3 \\ 0 & \tfrac14 \end{pmatrix}",
)
def _():
    """The matrix whose powers the exercise's check expects."""
    right = catalogue["vanishing_and_exploding.powers_by_hand"].reference
    M, power = torch.tensor([[2, 12], [0, 1]]), torch.eye(2, dtype=torch.int64)  # 4 J
    for k in range(1, 5):
        power = power @ M
        assert k == 1 or right[f"corner_{k}"] == power[0, 1].item() / 4**k
        length = (power[:, 1] / 4**k).norm().item()
        assert (length < 1) == (k >= right["first_below_one"])
