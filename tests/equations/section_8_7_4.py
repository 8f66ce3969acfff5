"""Checks of the equations of the textbook's exercises, section 8.7.4."""

import math

import numpy as np
import torch
from ledger import equation
from network import assert_equal, derivative, normal
from torch.linalg import matrix_norm, matrix_power

TENSOR = {"dtype": torch.float64}
EIGENVALUES = (-1.3, 1.1, -0.7, 0.4)  # the leading one is negative
N = len(EIGENVALUES)
V = torch.linalg.qr(normal(N, N, seed=871))[0]
M = V @ torch.diag(torch.tensor(EIGENVALUES, **TENSOR)) @ V.T
X = normal(N, seed=872)
C = [float(V[:, i] @ X) for i in range(N)]


def applied(k, matrix=M, x=X):
    """M^k x by k matrix-vector products."""
    for _ in range(k):
        x = matrix @ x
    return x


def angle(x, v):
    """The angle between two lines in radians, without cosine or coordinates: by the arctangent of
    the lengths of the sum and the difference of two unit vectors."""
    x, v = x / x.norm(), v / v.norm()
    between = 2 * math.atan2(float((x - v).norm()), float((x + v).norm()))
    return min(between, math.pi - between)


@equation(
    "eq-power-eigen",
    r"""\begin{gathered}
    M v_i = \lambda_i\, v_i, \\
    v_i^\top v_i = 1, \\
    v_i^\top v_j = 0 \;\; (i \neq j)
    \end{gathered}""",
)
def _():
    A = normal(4, 4, seed=873)
    A = A + A.T
    eigenvalues, vectors = torch.linalg.eigh(A)
    for i in range(4):
        assert_equal(A @ vectors[:, i], eigenvalues[i] * vectors[:, i])
    assert_equal(vectors.T @ vectors, torch.eye(4, **TENSOR))  # ones and zeros


@equation(
    "eq-power-coordinates",
    r"""\begin{gathered}
    x = \sum_{i=1}^{n} c_i\, v_i, \qquad c_i = v_i^\top x, \\
    \lVert x \rVert^2 = \sum_{i=1}^{n} c_i^2
    \end{gathered}""",
)
def _():
    assert_equal(sum(C[i] * V[:, i] for i in range(N)), X)
    assert_equal(sum(c**2 for c in C), sum(x**2 for x in X.tolist()))


@equation(
    "eq-power-angle",
    r"""\begin{gathered}
    \cos\theta = \frac{\lvert v_1^\top x \rvert}{\lVert x \rVert}, \\
    \tan\theta = \frac{\sqrt{c_2^2 + \cdots + c_n^2}}{\lvert c_1 \rvert}
    \end{gathered}""",
)
def _():
    for sign in (1, -1):  # a vector and its negative lie on one line
        c = [sign * entry for entry in C]
        theta = angle(sign * X, V[:, 0])
        length = float((sign * X).norm())
        assert_equal(abs(float(V[:, 0] @ (sign * X))) / length, math.cos(theta))
        assert_equal(math.sqrt(sum(x**2 for x in c[1:])) / abs(c[0]), math.tan(theta))


@equation(
    "eq-power-bound",
    r"""\begin{gathered}
    \tan\theta_k \;\le\; \Big\lvert \frac{\lambda_2}{\lambda_1} \Big\rvert^{k} \tan\theta_0 \\
    \text{if} \;\; \lvert\lambda_1\rvert > \lvert\lambda_2\rvert \;\; \text{and} \;\; c_1
    \neq 0
    \end{gathered}""",
)
def _():
    """It holds, and with equal absolute values behind the first it is an equation."""
    first, second = EIGENVALUES[:2]
    flat = V @ torch.diag(torch.tensor([-1.3, 1.1, -1.1, 1.1], **TENSOR)) @ V.T
    for k in range(25):
        bound = abs(second / first) ** k * math.tan(angle(X, V[:, 0]))
        assert math.tan(angle(applied(k), V[:, 0])) <= bound * (1 + 1e-9)
        assert_equal(math.tan(angle(applied(k, flat), V[:, 0])), bound, tolerance=1e-9)
    reversed_order = V @ torch.diag(torch.tensor(EIGENVALUES[::-1], **TENSOR)) @ V.T
    assert angle(applied(25, reversed_order), V[:, 0]) > 1  # without the condition: no alignment


def quadrature(function, start, end):
    """An integral by Gauss and Legendre, 200 nodes."""
    nodes, weights = np.polynomial.legendre.leggauss(200)
    places = (end - start) / 2 * nodes + (end + start) / 2
    return (end - start) / 2 * float(np.sum(weights * function(places)))


def cap(a, n):
    """P(theta_0 <= a): the share of two opposite caps of a sphere, in closed form."""
    return {
        2: a / (math.pi / 2),
        3: 1 - math.cos(a),
        4: (2 * a - math.sin(2 * a)) / math.pi,
        5: 1 - (3 * math.cos(a) - math.cos(a) ** 3) / 2,
        50: 1 - student(math.pi / 2 - a, 49),
    }[n]


def student(phi, nu):
    """P(|t| <= sqrt(nu) tan(phi)) for Student's t with an odd number nu > 1 of degrees of freedom:
    the finite sum of Abramowitz and Stegun, 26.7.3."""
    term = total = math.cos(phi)
    for j in range(3, nu - 1, 2):
        term *= (j - 1) / j * math.cos(phi) ** 2
        total += term
    return 2 / math.pi * (phi + math.sin(phi) * total)


@equation(
    "eq-power-beta",
    r"""\begin{gathered}
    \cos^2\theta_0 \sim \operatorname{Beta}\Big(\frac{1}{2}, \frac{n-1}{2}\Big), \\
    p(u) \propto u^{-1/2}\, (1 - u)^{(n-3)/2}
    \end{gathered}""",
)
def _():
    """The density against areas of caps, the parameters against the moments, both closed form."""
    for n in (3, 4, 5, 50):

        def density(u, n=n):
            return u ** (-1 / 2) * (1 - u) ** ((n - 3) / 2)

        for low, high in ((0.2, 0.3), (0.5, 0.9)):  # angles of a squared cosine from low to high
            part = quadrature(density, low, high) / quadrature(density, 0.3, 0.5)
            bounds = [math.acos(math.sqrt(u)) for u in (low, high, 0.3, 0.5)]
            shares = [cap(a, n) for a in bounds]
            assert_equal(part, (shares[0] - shares[1]) / (shares[2] - shares[3]), 1e-7)
    for n in (2, 3, 7, 50):
        u = normal(200_000, n, seed=874)
        u = u[:, 0] ** 2 / (u**2).sum(1)
        beta = torch.distributions.Beta(1 / 2, torch.tensor((n - 1) / 2, **TENSOR))
        assert_equal(u.mean(), beta.mean, tolerance=0.02)
        assert_equal(u.var(), beta.variance, tolerance=0.04)


W = normal(3, 3, seed=875) + torch.diag(torch.tensor([3.0, -1.0, 0.5], **TENSOR))


def both_kinds(matrix):
    """Eigenvalues, right and left eigenvectors as columns, all of one order."""
    eigenvalues, right = torch.linalg.eig(matrix)
    return eigenvalues, right, torch.linalg.inv(right).T  # l_i^T r_j = 0 for j other than i


@equation(
    "eq-power-left-right",
    r"""\begin{gathered}
    W r_i = \lambda_i\, r_i, \\
    l_i^\top W = \lambda_i\, l_i^\top
    \end{gathered}""",
)
def _():
    eigenvalues, right, left = both_kinds(W)
    matrix = W.to(torch.complex128)
    for i in range(3):
        for printed, expected in (
            (matrix @ right[:, i], eigenvalues[i] * right[:, i]),
            (left[:, i] @ matrix, eigenvalues[i] * left[:, i]),
        ):
            assert_equal(torch.view_as_real(printed), torch.view_as_real(expected))
    transposed = torch.linalg.eigvals(W.T)
    assert_equal(transposed.abs().sort().values, eigenvalues.abs().sort().values)


@equation(
    "eq-power-adjoint",
    r"""\frac{\mathrm{d}L}{\mathrm{d}h_t} = (W_{hh}^\top)^{T-t}\,
    \frac{\mathrm{d}L}{\mathrm{d}h_T}""",
)
def _():
    T, inputs = 7, normal(8, 3, seed=876)
    H = [normal(3, seed=877).requires_grad_()]
    for t in range(1, T + 1):
        H.append(W @ H[t - 1] + inputs[t])
    L = torch.sin(H[T]).sum()
    last = derivative(L, H[T]).reshape(3)
    for t in range(T):
        assert_equal(matrix_power(W.T, T - t) @ last, derivative(L, H[t]).reshape(3))


def tanh_gradient(weight, T, h0):
    """dL/dW_hh by autograd, for the mean loss with direct adjoints (1, ..., 1)/T."""
    weight = weight.clone().requires_grad_()
    h, L = h0, 0.0
    for x in normal(T, len(h0), seed=878):
        h = torch.tanh(weight @ h + 0.1 * x)
        L = L + h.sum() / T
    return torch.autograd.grad(L, weight)[0]


@equation(
    "eq-power-geometric",
    r"""\Big\lVert \frac{\mathrm{d}L}{\mathrm{d}W_{hh}} \Big\rVert_F \;\le\; \frac{g
    \sqrt{n}}{1 - \sigma}""",
)
def _():
    """An upper bound, and one that a network comes near: one unit, no input, slopes near 1."""
    for seed in range(20):
        for sigma in (0.3, 0.9):
            for T in (1, 7, 100):
                A = normal(4, 4, seed=seed)
                A = sigma * A / matrix_norm(A, 2)
                bound = math.sqrt(4) * math.sqrt(4) / (1 - sigma)  # g is the root of n
                assert tanh_gradient(A, T, torch.ones(4, **TENSOR)).norm() <= bound
    # For the identity the gradient with h_t = 1 for all t tends to the bound with n = g = 1.
    sigma, T, total, adjoint = 0.9, 20_000, 0.0, 0.0
    for _ in range(T):
        adjoint = 1 / T + sigma * adjoint
        total += adjoint
    assert_equal(total, 1 * math.sqrt(1) / (1 - sigma), tolerance=1e-3)


@equation(
    "eq-power-induction",
    r"""\begin{aligned}
    M^k v_i &= M\, (M^{k-1} v_i) \\
    &= \lambda_i^{k-1}\, M v_i = \lambda_i^k\, v_i
    \end{aligned}""",
)
def _():
    for k in range(1, 8):
        for i, eigenvalue in enumerate(EIGENVALUES):
            oracle = applied(k, x=V[:, i])
            assert_equal(M @ (matrix_power(M, k - 1) @ V[:, i]), oracle)
            assert_equal(eigenvalue ** (k - 1) * (M @ V[:, i]), oracle, 1e-11)
            assert_equal(eigenvalue**k * V[:, i], oracle, 1e-11)


@equation(
    "eq-power-diagonal",
    r"""\begin{gathered}
    M^k = V \Lambda^k V^\top, \\
    \begin{aligned}
    &\det(\mu I - M^k) \\
    &\; = \det\!\big(V (\mu I - \Lambda^k) V^\top\big) \\
    &\; = \textstyle\prod_{i=1}^{n} (\mu - \lambda_i^k)
    \end{aligned}
    \end{gathered}""",
)
def _():
    eye, Lambda = torch.eye(N, **TENSOR), torch.diag(torch.tensor(EIGENVALUES, **TENSOR))
    for k in range(8):
        by_products = torch.stack([applied(k, x=e) for e in eye]).T
        assert_equal(V @ matrix_power(Lambda, k) @ V.T, by_products, 1e-11)
        for mu in (-2.0, 0.1, 3.0):
            oracle = torch.linalg.det(mu * eye - by_products)
            assert_equal(
                torch.linalg.det(V @ (mu * eye - matrix_power(Lambda, k)) @ V.T), oracle, 1e-9
            )
            assert_equal(math.prod(mu - eigenvalue**k for eigenvalue in EIGENVALUES), oracle, 1e-9)


@equation(
    "eq-power-applied",
    r"""M^k x = \sum_{i=1}^{n} \lambda_i^k\, c_i\, v_i""",
)
def _():
    for k in range(8):
        total = sum(EIGENVALUES[i] ** k * C[i] * V[:, i] for i in range(N))
        assert_equal(total, applied(k), 1e-11)


@equation(
    "eq-power-proof",
    r"""\begin{aligned}
    &\tan^2\theta_k = \frac{\sum_{i=2}^{n} \lambda_i^{2k} c_i^2}{\lambda_1^{2k} c_1^2} \\
    &\; = \sum_{i=2}^{n} \Big(\frac{\lambda_i}{\lambda_1}\Big)^{2k} \frac{c_i^2}{c_1^2} \\
    &\; \le \Big(\frac{\lambda_2}{\lambda_1}\Big)^{2k} \sum_{i=2}^{n} \frac{c_i^2}{c_1^2} \\
    &\; = \Big(\frac{\lambda_2}{\lambda_1}\Big)^{2k} \tan^2\theta_0
    \end{aligned}""",
)
def _():
    first, second, *_ = EIGENVALUES
    others = range(1, N)
    for k in range(12):
        oracle = math.tan(angle(applied(k), V[:, 0])) ** 2
        quotient = sum(EIGENVALUES[i] ** (2 * k) * C[i] ** 2 for i in others)
        terms = sum((EIGENVALUES[i] / first) ** (2 * k) * C[i] ** 2 / C[0] ** 2 for i in others)
        larger = (second / first) ** (2 * k) * sum(C[i] ** 2 / C[0] ** 2 for i in others)
        assert_equal(quotient / (first ** (2 * k) * C[0] ** 2), oracle, 1e-9)
        assert_equal(terms, oracle, 1e-9)
        assert terms <= larger * (1 + 1e-12) and (k == 0 or terms < larger)
        start = math.tan(angle(X, V[:, 0])) ** 2
        assert_equal((second / first) ** (2 * k) * start, larger, 1e-9)


@equation(
    "eq-power-limit",
    r"""\begin{aligned}
    &\Big\lVert \frac{M^k x}{\lambda_1^k} - c_1 v_1 \Big\rVert \\
    &\; = \lvert c_1 \rvert \tan\theta_k \\
    &\; \le \Big\lvert \frac{\lambda_2}{\lambda_1} \Big\rvert^{k} \sqrt{c_2^2 + \cdots +
    c_n^2}
    \end{aligned}""",
)
def _():
    first, second, *_ = EIGENVALUES
    for k in range(12):
        left = (applied(k) / first**k - C[0] * V[:, 0]).norm()
        assert_equal(left, abs(C[0]) * math.tan(angle(applied(k), V[:, 0])), 1e-9)
        bound = abs(second / first) ** k * math.sqrt(sum(c**2 for c in C[1:]))
        assert left <= bound * (1 + 1e-12) and (k == 0 or left < bound)
        flat = V @ torch.diag(torch.tensor([first, second, -second, second], **TENSOR)) @ V.T
        assert_equal((applied(k, flat) / first**k - C[0] * V[:, 0]).norm(), bound, 1e-9)


@equation(
    "eq-power-quotient",
    r"""\begin{gathered}
    \cos^2\theta_0 = \frac{a}{a + b}, \\
    a = c_1^2 \sim \chi^2_1, \\
    b = c_2^2 + \cdots + c_n^2 \sim \chi^2_{n-1}
    \end{gathered}""",
)
def _():
    """The quotient exactly; the degrees of freedom by the mean m and the variance 2m."""
    a, b = C[0] ** 2, sum(c**2 for c in C[1:])
    assert_equal(a / (a + b), math.cos(angle(X, V[:, 0])) ** 2)
    coordinates = normal(200_000, N, seed=879) @ V
    a, b = coordinates[:, 0] ** 2, (coordinates[:, 1:] ** 2).sum(1)
    for sample, freedom in ((a, 1), (b, N - 1)):
        assert_equal(sample.mean(), freedom, tolerance=0.02)
        assert_equal(sample.var(), 2 * freedom, tolerance=0.04)
    assert abs(float(((a - 1) * (b - N + 1)).mean())) < 0.03  # independent, so uncorrelated


@equation(
    "eq-power-jacobian",
    r"""\begin{aligned}
    &\det \frac{\partial(a, b)}{\partial(u, s)} \\
    &\; = \det\begin{pmatrix} s & u \\ -s & 1 - u \end{pmatrix} \\
    &\; = s\,(1 - u) + u\, s = s
    \end{aligned}""",
)
def _():
    for u, s in ((0.3, 2.5), (0.8, 0.4)):
        point = torch.tensor([u, s], **TENSOR)

        def back(p):
            return torch.stack([p[0] * p[1], (1 - p[0]) * p[1]])

        J = torch.autograd.functional.jacobian(back, point)
        printed = torch.tensor([[s, u], [-s, 1 - u]], **TENSOR)
        a, b = back(point)
        assert_equal(torch.stack([a / (a + b), a + b]), point)
        assert_equal(printed, J)
        assert_equal(s * (1 - u) + u * s, torch.linalg.det(J))
        assert_equal(s, torch.linalg.det(J))


@equation(
    "eq-power-factors",
    r"""\begin{aligned}
    &(us)^{-1/2} \big((1-u)s\big)^{(n-3)/2} \\
    &\quad \cdot\; e^{-s/2}\, s \\
    &= u^{-1/2}\, (1 - u)^{(n-3)/2} \\
    &\quad \cdot\; s^{n/2 - 1}\, e^{-s/2}
    \end{aligned}""",
)
def _():
    """Both sides, and the left one against the product of torch's chi-squared densities."""
    for n in (2, 5, 50):
        laws = [torch.distributions.Chi2(torch.tensor(m, **TENSOR)) for m in (1.0, n - 1.0)]
        constants = []
        for u, s in ((0.3, 2.5), (0.8, 0.4), (0.1, 7.0)):
            left = (u * s) ** (-1 / 2) * ((1 - u) * s) ** ((n - 3) / 2) * math.exp(-s / 2) * s
            right = u ** (-1 / 2) * (1 - u) ** ((n - 3) / 2) * s ** (n / 2 - 1) * math.exp(-s / 2)
            assert_equal(left, right)
            pair = (torch.tensor(u * s, **TENSOR), torch.tensor((1 - u) * s, **TENSOR))
            density = sum(law.log_prob(x) for law, x in zip(laws, pair, strict=True)).exp() * s
            constants.append(left / density)
        assert_equal(constants[1], constants[0])
        assert_equal(constants[2], constants[0])


@equation(
    "eq-power-within",
    r"""\begin{gathered}
    P(\theta_0 \le a) = \frac{A(a)}{A(\pi/2)}, \\
    A(a) = \int_0^{a} \sin^{n-2}\theta\; \mathrm{d}\theta
    \end{gathered}""",
)
def _():
    for n in (2, 3, 4, 5, 50):

        def power(theta, n=n):
            return np.sin(theta) ** (n - 2)

        for degrees in (20, 50, 85):
            a = math.radians(degrees)
            share = quadrature(power, 0, a) / quadrature(power, 0, math.pi / 2)
            tolerance = 1e-10 if cap(a, n) > 1e-4 else 1e-2  # 1 - sum loses digits
            if cap(a, n) > 1e-12:
                assert_equal(share, cap(a, n), tolerance)


@equation(
    "eq-power-probability",
    r"""\begin{aligned}
    &P(\theta_k \le \varepsilon) \\
    &\; \ge P\Big(\theta_0 \le \arctan\frac{\tan\varepsilon}{r^k}\Big)
    \end{aligned}""",
)
def _():
    """By simulation: an equation vector by vector for equal absolute values, else an inequality."""
    samples, epsilon, r = normal(20_000, 6, seed=880), math.radians(3), 0.8

    def angles(eigenvalues, k):
        c = samples * torch.tensor(eigenvalues, **TENSOR) ** k
        return torch.acos((c[:, 0].abs() / c.norm(dim=1)).clamp(max=1))

    flat, spread = [1, r, -r, r, r, -r], [-1, r, -0.5, 0.4, 0.3, 0.0]
    for k in (12, 15, 18):
        start = math.atan(math.tan(epsilon) / r**k)
        good = angles(flat, 0) <= start
        assert 0.01 < good.double().mean() < 0.99
        assert_equal((angles(flat, k) <= epsilon).double(), good.double())
        assert ((angles(spread, k) <= epsilon) >= good).all()


def cot_density(z, n):
    """Of cot(theta_0), from the caps by central differences."""
    step = 1e-4

    def share(x):
        return cap(math.atan2(1, x), n)  # P(cot >= x)

    return (share(z - step) - share(z + step)) / (2 * step)


@equation(
    "eq-power-constant",
    r"""\begin{aligned}
    C_n &= \frac{2\, \Gamma(\frac{n}{2})}{\sqrt{\pi}\; \Gamma(\frac{n-1}{2})} \\
    &\le \sqrt{\frac{2\,(n - 1)}{\pi}}
    \end{aligned}""",
)
def _():
    def constant(n):
        return 2 * math.exp(math.lgamma(n / 2) - math.lgamma((n - 1) / 2)) / math.sqrt(math.pi)

    for n in (2, 3, 4, 5, 50):
        for z in (0.05, 0.3):
            assert_equal(constant(n) * (1 + z**2) ** (-n / 2), cot_density(z, n), tolerance=1e-5)
    for n in range(2, 400):
        bound = math.sqrt(2 * (n - 1) / math.pi)
        assert constant(n) <= bound
        assert n < 100 or constant(n) > 0.99 * bound  # and not much smaller


@equation(
    "eq-power-failure",
    r"""\begin{aligned}
    &P(\theta_k > \varepsilon) \\
    &\; \le \sqrt{\frac{2\,(n-1)}{\pi}}\; \frac{\lvert \lambda_2/\lambda_1
    \rvert^{k}}{\tan\varepsilon}
    \end{aligned}""",
)
def _():
    """Against the exact probability for equal absolute values; it is close for small risks."""
    for n in (2, 3, 4, 5, 50):
        for degrees, ratio in ((1, 0.9), (10, 0.5)):
            for k in range(120):
                tangent = math.tan(math.radians(degrees))
                exact = 1 - cap(math.atan(tangent / ratio**k), n)
                bound = math.sqrt(2 * (n - 1) / math.pi) / tangent * ratio**k
                assert exact <= bound + 1e-12
                if n == 50 and 1e-6 < bound < 0.05:
                    assert_equal(bound, exact, tolerance=0.02)


@equation(
    "eq-power-steps",
    r"""\begin{gathered}
    k = \left\lceil \frac{\ln(C / \delta)}{\ln \lvert \lambda_1 / \lambda_2 \rvert}
    \right\rceil, \\
    C = \frac{1}{\tan\varepsilon} \sqrt{\frac{2\,(n-1)}{\pi}}
    \end{gathered}""",
)
def _():
    """The smallest k with a right side of eq-power-failure of at most delta, by counting."""
    for n, ratio, degrees, delta in ((50, 0.9, 1, 0.1), (50, 0.9, 1, 0.01), (7, 0.5, 4, 1e-3)):
        tangent = math.tan(math.radians(degrees))
        inside = math.sqrt(2 * (n - 1) / math.pi) / (delta * tangent)

        def risk(k):
            return math.sqrt(2 * (n - 1) / math.pi) / tangent * ratio**k  # noqa: B023

        counted = next(k for k in range(1000) if risk(k) <= delta)
        assert math.ceil(math.log(inside) / math.log(1 / ratio)) == counted


@equation(
    "eq-power-reflection",
    r"""\begin{gathered}
    M = \begin{pmatrix} 0.6 & 0.8 \\ 0.8 & -0.6 \end{pmatrix}, \\
    M \begin{pmatrix} 5 \\ 0 \end{pmatrix} = \begin{pmatrix} 3 \\ 4 \end{pmatrix}, \\
    M \begin{pmatrix} 3 \\ 4 \end{pmatrix} = \begin{pmatrix} 5 \\ 0 \end{pmatrix}
    \end{gathered}""",
)
def _():
    tenths = ((6, 8), (8, -6))  # exact integers: ten times M
    for x, y in (((5, 0), (3, 4)), ((3, 4), (5, 0))):
        assert tuple(row[0] * x[0] + row[1] * x[1] for row in tenths) == (10 * y[0], 10 * y[1])


@equation(
    "eq-power-spectral-sum",
    r"""W^k = \sum_{i=1}^{n} \lambda_i^k\, \frac{r_i\, l_i^\top}{l_i^\top r_i}""",
)
def _():
    eigenvalues, right, _ = both_kinds(W)
    left_values, left = torch.linalg.eig(W.T)  # unit vectors: l_i^T r_i is not 1
    order = [int((left_values - value).abs().argmin()) for value in eigenvalues]
    for k in range(1, 8):
        total = sum(
            eigenvalues[i] ** k
            * torch.outer(right[:, i], left[:, order[i]])
            / (left[:, order[i]] @ right[:, i])
            for i in range(3)
        )
        expected = torch.stack([applied(k, W, e) for e in torch.eye(3, **TENSOR)]).T
        assert_equal(total.real, expected, 1e-10)


@equation(
    "eq-power-rank-one",
    r"""\begin{gathered}
    \frac{\lVert M^k - \lambda_1^k\, v_1 v_1^\top \rVert_2}{\lVert M^k \rVert_2} \\
    = \Big\lvert \frac{\lambda_2}{\lambda_1} \Big\rvert^{k}
    \end{gathered}""",
)
def _():
    first, second, *_ = EIGENVALUES
    for k in range(1, 12):
        power = matrix_power(M, k)
        rest = power - first**k * torch.outer(V[:, 0], V[:, 0])
        assert_equal(matrix_norm(rest, 2) / matrix_norm(power, 2), abs(second / first) ** k, 1e-10)


@equation(
    "eq-power-coupled",
    r"""\begin{gathered}
    W = \begin{pmatrix} \lambda & a \\ 0 & \lambda \end{pmatrix}, \\
    W^k = \begin{pmatrix} \lambda^k & k\, \lambda^{k-1} a \\ 0 & \lambda^k \end{pmatrix}
    \end{gathered}""",
)
def _():
    for eigenvalue, a in ((0.9, 2.0), (-0.7, 0.3)):
        matrix = torch.tensor([[eigenvalue, a], [0, eigenvalue]], **TENSOR)
        for k in range(1, 12):
            corner = k * eigenvalue ** (k - 1) * a
            printed = torch.tensor([[eigenvalue**k, corner], [0, eigenvalue**k]], **TENSOR)
            assert_equal(printed, matrix_power(matrix, k))


@equation(
    "eq-power-rotation",
    r"""\begin{gathered}
    R(\varphi) = \begin{pmatrix} \cos\varphi & -\sin\varphi \\ \sin\varphi & \cos\varphi
    \end{pmatrix}, \\
    W = \rho\, R(\varphi), \\
    W^k = \rho^k\, R(k\varphi)
    \end{gathered}""",
)
def _():
    def turn(phi):
        return torch.tensor(
            [[math.cos(phi), -math.sin(phi)], [math.sin(phi), math.cos(phi)]], **TENSOR
        )

    rho, phi = 1.2, 0.7
    for k in range(1, 9):
        power = (rho * complex(math.cos(phi), math.sin(phi))) ** k  # the same turn in the plane
        expected = torch.tensor([[power.real, -power.imag], [power.imag, power.real]], **TENSOR)
        assert_equal(rho**k * turn(k * phi), expected)
        assert_equal(matrix_power(rho * turn(phi), k), expected)


@equation(
    "eq-power-radius",
    r"""\begin{gathered}
    W_{hh} = \begin{pmatrix} 4.9 & 4 \\ -4 & -3.1 \end{pmatrix}, \\
    \det(\mu I - W_{hh}) \\
    = (\mu - 0.9)^2
    \end{gathered}""",
)
def _():
    """In exact tenths: det(10 mu I - 10 W) for whole numbers m = 10 mu; then the slopes' claim."""
    for m in range(-20, 20):
        assert (m - 49) * (m + 31) - (-40) * 40 == (m - 9) ** 2
    matrix = torch.tensor([[4.9, 4.0], [-4.0, -3.1]], **TENSOR)
    slopes = torch.diag(torch.tensor([0.99, 0.1], **TENSOR))
    radius = torch.linalg.eigvals(slopes @ matrix).abs().max()
    assert round(float(radius), 2) == 4.52
