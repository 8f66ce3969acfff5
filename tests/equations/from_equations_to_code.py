"""Checks of the equations of chapter 7, "From equations to code"."""

import math
from decimal import Decimal, localcontext

import torch
from ledger import equation
from network import assert_equal, derivative, normal, tanh_network
from torch.utils.flop_counter import FlopCounterMode

from bptt import RNN, bptt, rtrl

net = tanh_network()
T, n, W = net.T, net.n, net.W_hh
H = net.H
D = [torch.diag(1 - h**2) for h in H]
STEPS = range(1, T + 1)
E = torch.eye(n, dtype=torch.float64)


def adjoint(of):
    return derivative(net.L, of)


def adjoint_z(t):
    """dL/dz_t, with the boundary that the text gives."""
    return adjoint(net.z[t]) if t <= T else torch.zeros(n, dtype=torch.float64)


@equation(
    "eq-code-model",
    r"""z_t = W_{hx}\, x_t + W_{hh}\, h_{t-1}, \qquad h_t = \tanh(z_t), \qquad
    o_t = W_{qh}\, h_t""",
)
def _():
    """Entry by entry in plain Python, against the library and torch.nn.RNN."""
    X = torch.stack(net.x[1:])
    tape = RNN(net.W_hx, W, net.W_qh)(X[:, None], H[0][None])
    torch_rnn = torch.nn.RNN(2, n, bias=False, dtype=torch.float64)
    torch_rnn.load_state_dict({"weight_ih_l0": net.W_hx, "weight_hh_l0": W})
    states = torch_rnn(X, H[0][None])[0]
    h = H[0].tolist()
    for t in STEPS:
        z = [
            sum(net.W_hx[a, e].item() * net.x[t][e].item() for e in range(2))
            + sum(W[a, b].item() * h[b] for b in range(n))
            for a in range(n)
        ]
        h = [math.tanh(entry) for entry in z]
        o = [sum(net.W_qh[k, a].item() * h[a] for a in range(n)) for k in range(4)]
        assert_equal(torch.tensor(h, dtype=torch.float64), states[t - 1])
        assert_equal(torch.tensor(h, dtype=torch.float64), tape.H[t, 0])
        assert_equal(torch.tensor(o, dtype=torch.float64), tape.O[t - 1, 0])


@equation(
    "eq-code-adjoint",
    r"""\frac{\mathrm{d}L}{\mathrm{d}z_t} = (1 - h_t^2) \odot \Big( W_{qh}^\top
    \frac{\mathrm{d}L}{\mathrm{d}o_t} + W_{hh}^\top \frac{\mathrm{d}L}{\mathrm{d}z_{t+1}} \Big)""",
)
def _():
    for t in STEPS:
        both = net.W_qh.T @ adjoint(net.o[t]) + W.T @ adjoint_z(t + 1)
        assert_equal((1 - H[t] ** 2) * both, adjoint(net.z[t]))


@equation(
    "eq-code-gradients",
    r"""\begin{aligned}
    \frac{\mathrm{d}L}{\mathrm{d}W_{hh}} &= \sum_{t=1}^{T}
    \frac{\mathrm{d}L}{\mathrm{d}z_t}\, h_{t-1}^\top, &
    \frac{\mathrm{d}L}{\mathrm{d}W_{hx}} &= \sum_{t=1}^{T}
    \frac{\mathrm{d}L}{\mathrm{d}z_t}\, x_t^\top, \\
    \frac{\mathrm{d}L}{\mathrm{d}W_{qh}} &= \sum_{t=1}^{T}
    \frac{\mathrm{d}L}{\mathrm{d}o_t}\, h_t^\top, &
    \frac{\mathrm{d}L}{\mathrm{d}h_0} &= W_{hh}^\top \frac{\mathrm{d}L}{\mathrm{d}z_1}
    \end{aligned}""",
)
def _():
    total = lambda left, right: sum(torch.outer(left[t], right[t]) for t in STEPS)  # noqa: E731
    dZ = [None, *map(adjoint_z, STEPS)]
    dO = [None, *(adjoint(net.o[t]) for t in STEPS)]
    assert_equal(total(dZ, [None, *H[:-1]]), adjoint(W))
    assert_equal(total(dZ, net.x), adjoint(net.W_hx))
    assert_equal(total(dO, H), adjoint(net.W_qh))
    assert_equal(W.T @ dZ[1], adjoint(H[0]))


@equation(
    "eq-code-rows",
    r"""\Big(\frac{\mathrm{d}L}{\mathrm{d}z_t}\Big)^{\!\top} = (1 - h_t^2)^\top \odot
    \Big( \Big(\frac{\mathrm{d}L}{\mathrm{d}o_t}\Big)^{\!\top} W_{qh}
    + \Big(\frac{\mathrm{d}L}{\mathrm{d}z_{t+1}}\Big)^{\!\top} W_{hh} \Big)""",
)
def _():
    row = lambda v: v[None, :]  # noqa: E731
    for t in STEPS:
        both = row(adjoint(net.o[t])) @ net.W_qh + row(adjoint_z(t + 1)) @ W
        assert_equal(row(1 - H[t] ** 2) * both, row(adjoint(net.z[t])))


@equation(
    "eq-code-hand",
    r"""\begin{pmatrix} 1 \\ 2 \end{pmatrix} \begin{pmatrix} 2 & 1 \end{pmatrix}
    + \begin{pmatrix} 3 \\ -1 \end{pmatrix} \begin{pmatrix} 0 & 4 \end{pmatrix}
    = \begin{pmatrix} 2 & 13 \\ 4 & -2 \end{pmatrix}
    = \begin{pmatrix} 1 & 3 \\ 2 & -1 \end{pmatrix} \begin{pmatrix} 2 & 1 \\ 0 & 4 \end{pmatrix}""",
)
def _():
    matrix = torch.tensor
    outer = matrix([[1], [2]]) @ matrix([[2, 1]]) + matrix([[3], [-1]]) @ matrix([[0, 4]])
    assert outer.tolist() == [[2, 13], [4, -2]]
    assert (matrix([[1, 3], [2, -1]]) @ matrix([[2, 1], [0, 4]])).tolist() == [[2, 13], [4, -2]]


@equation("eq-code-one-product", r"\sum_{t=1}^{T} a_t\, c_t^\top = A^\top C")
def _():
    A, C = normal(T, 3, seed=71), normal(T, 5, seed=72)
    entries = [[sum(A[t, i] * C[t, k] for t in range(T)) for k in range(5)] for i in range(3)]
    assert_equal(sum(torch.outer(A[t], C[t]) for t in range(T)), torch.tensor(entries))
    assert_equal(A.T @ C, torch.tensor(entries))


@equation(
    "eq-code-batch",
    r"""L = \frac{1}{TB} \sum_{b=1}^{B} \sum_{t=1}^{T} \ell(o_{t,b}, y_{t,b}), \qquad
    \frac{\mathrm{d}L}{\mathrm{d}W_{hh}} = \sum_{b=1}^{B} \sum_{t=1}^{T}
    \frac{\mathrm{d}L}{\mathrm{d}z_{t,b}}\, h_{t-1,b}^\top""",
)
def _():
    """torch's own mean cross-entropy, as a scalar and as autograd differentiates it."""
    B = 3
    W_hx, W_hh = normal(4, 2, seed=91).requires_grad_(), normal(4, 4, seed=92).requires_grad_()
    W_qh = normal(5, 4, seed=93)
    X, Y = normal(T, B, 2, seed=74), torch.arange(T * B).reshape(T, B) % 5
    h, z, o = [normal(B, 4, seed=76)], [], []
    for x in X:
        z.append(x @ W_hx.T + h[-1] @ W_hh.T)
        h.append(torch.tanh(z[-1]))
        o.append(h[-1] @ W_qh.T)
    L = torch.nn.functional.cross_entropy(torch.stack(o).flatten(0, 1), Y.flatten())
    losses = [-torch.log_softmax(o[t][b], 0)[Y[t, b]] for b in range(B) for t in range(T)]
    assert_equal(1 / (T * B) * sum(losses), L)
    dZ = torch.autograd.grad(L, z, retain_graph=True)  # row b: sequence b alone reaches it
    total = sum(torch.outer(dZ[t][b], h[t][b]) for b in range(B) for t in range(T))
    assert_equal(total, torch.autograd.grad(L, W_hh)[0])


def _decimal_quotients(step: Decimal) -> tuple[Decimal, Decimal]:
    """Forward and central difference of the exponential function at 1."""
    f = lambda x: x.exp()  # noqa: E731
    x = Decimal(1)
    return (f(x + step) - f(x)) / step, (f(x + step) - f(x - step)) / (2 * step)


@equation(
    "eq-code-forward-difference",
    r"""\frac{f(x + \varepsilon) - f(x)}{\varepsilon} = f'(x) + \frac{\varepsilon}{2} f''(x)
    + O(\varepsilon^2)""",
)
def _():
    """With 60 digits: what is left after the two terms falls with the square of the step."""
    with localcontext(prec=60):
        e = Decimal(1).exp()  # the exponential function is each of its derivatives
        rests = []
        for step in (Decimal("1e-6"), Decimal("1e-7")):
            quotient, _ = _decimal_quotients(step)
            rests.append(quotient - e - step / 2 * e)
        assert abs(rests[0] / rests[1] - 100) < Decimal("0.01")
        assert abs(rests[0] / (Decimal("1e-12") * e / 6) - 1) < Decimal("1e-5")


@equation(
    "eq-code-central-difference",
    r"""\frac{f(x + \varepsilon) - f(x - \varepsilon)}{2 \varepsilon} = f'(x)
    + \frac{\varepsilon^2}{6} f'''(x) + O(\varepsilon^4)""",
)
def _():
    with localcontext(prec=60):
        e = Decimal(1).exp()
        rests = []
        for step in (Decimal("1e-6"), Decimal("1e-7")):
            _, quotient = _decimal_quotients(step)
            rests.append(quotient - e - step**2 / 6 * e)
        assert abs(rests[0] / rests[1] - 10000) < Decimal("0.01")


def _central_error(x: float, step: float) -> float:
    """The error of the central difference of exp with values rounded once, to float64."""
    with localcontext(prec=40):
        above, below = (float(Decimal(x + s).exp()) for s in (step, -step))
        quotient = (Decimal(above) - Decimal(below)) / (2 * Decimal(step))
        return abs(float(quotient - Decimal(x).exp()))


U = 2.0**-53


@equation(
    "eq-code-total-error",
    r"E(\varepsilon) = \frac{\varepsilon^2}{6} |f'''(x)| + \frac{u\, |f(x)|}{\varepsilon}",
)
def _():
    """An upper bound for exp at many places, and one that is nearly reached on both arms."""
    places = [k / 512 for k in range(1, 300)]
    # Near a power of two from above the spacing of floats is as coarse as u |f| allows.
    places += [math.log(2) + k * 2.0**-20 for k in range(1, 200)]
    for exponent in (9, 12, 17, 20, 26):
        step = 2.0**-exponent
        shares = []
        for place in places:
            x = round(place * 2**28) / 2**28  # so that x + step and x - step are exact
            E = step**2 / 6 * math.exp(x) + U * math.exp(x) / step
            shares.append(_central_error(x, step) / E)
        assert max(shares) <= 1 + 1e-3
        assert max(shares) > (0.9 if exponent != 17 else 0.6)


@equation(
    "eq-code-best-step",
    r"""\varepsilon_{\text{best}} = \Big( \frac{3 u\, |f(x)|}{|f'''(x)|} \Big)^{1/3}, \qquad
    E(\varepsilon_{\text{best}}) = \frac{3}{2}\, \frac{u\, |f(x)|}{\varepsilon_{\text{best}}}""",
)
def _():
    for u, f, third in ((U, 2.0, 5.0), (2.0**-24, 30.0, 0.1)):
        E = lambda step: step**2 / 6 * third + u * f / step  # noqa: B023, E731
        best = (3 * u * f / third) ** (1 / 3)
        grid = [best * 1.001**k for k in range(-2000, 2001)]  # a search knows no calculus
        assert_equal(best, min(grid, key=E), tolerance=1e-9)
        assert_equal(3 / 2 * u * f / best, E(best))


@equation(
    "eq-code-best-step-forward",
    r"""\varepsilon_{\text{best}} = 2 \sqrt{\frac{u\, |f(x)|}{|f''(x)|}}, \qquad
    E(\varepsilon_{\text{best}}) = 2 \sqrt{u\, |f(x)|\, |f''(x)|}""",
)
def _():
    for u, f, second in ((U, 2.0, 5.0), (2.0**-24, 30.0, 0.1)):
        E = lambda step: step / 2 * second + 2 * u * f / step  # noqa: B023, E731
        best = 2 * math.sqrt(u * f / second)
        grid = [best * 1.001**k for k in range(-2000, 2001)]
        assert_equal(best, min(grid, key=E), tolerance=1e-9)
        assert_equal(2 * math.sqrt(u * f * second), E(best))


@equation(
    "eq-code-relative-error",
    r"e(g, \hat g) = \frac{\lVert g - \hat g \rVert}{\lVert \hat g \rVert}",
)
def _():
    """Exact integers, what the text says of it, and the library's function on other numbers."""
    from bptt.verify import relative_error

    def e(g, judge):
        norm = lambda v: math.sqrt(sum(x * x for x in v.flatten().tolist()))  # noqa: E731
        return norm(g - judge) / norm(judge)

    judge = torch.tensor([[3.0, 0.0], [0.0, 4.0]], dtype=torch.float64)
    assert e(judge + torch.tensor([[0.0, 6.0], [8.0, 0.0]]), judge) == 2
    assert e(0 * judge, judge) == 1 and e(-judge, judge) == 2
    g, judge = normal(3, 4, seed=77), normal(3, 4, seed=78)
    assert_equal(e(g, judge), relative_error(g, judge))


@equation(
    "eq-code-direction",
    r"""v^\top g = \frac{\mathrm{d}}{\mathrm{d}\varepsilon} L(\theta + \varepsilon v)
    \Big|_{\varepsilon = 0} \approx
    \frac{L(\theta + \varepsilon v) - L(\theta - \varepsilon v)}{2 \varepsilon}""",
)
def _():
    """All weights of the network as one vector; the middle one by autograd in the step."""
    weights = [net.W_hx, W, net.W_qh]
    shapes, theta = [w.shape for w in weights], torch.cat([w.detach().flatten() for w in weights])
    g = torch.cat([adjoint(w).flatten() for w in weights])

    def L(theta):
        pieces = theta.split([shape.numel() for shape in shapes])
        W_hx, W_hh, W_qh = (p.reshape(s) for p, s in zip(pieces, shapes, strict=True))
        h, total = H[0].detach(), 0.0
        for t in STEPS:
            h = torch.tanh(W_hx @ net.x[t] + W_hh @ h)
            total = total + ((W_qh @ h - net.y[t]) ** 2).sum() / 2
        return total / T

    for seed in range(5):
        v, step = normal(len(theta), seed=80 + seed), 1e-5
        epsilon = torch.zeros((), dtype=torch.float64, requires_grad=True)
        (middle,) = torch.autograd.grad(L(theta + epsilon * v), epsilon)
        assert_equal(v @ g, middle)
        assert_equal((L(theta + step * v) - L(theta - step * v)) / (2 * step), middle, 1e-7)


@equation(
    "eq-code-sensitivity-hh",
    r"""\frac{\mathrm{d}h_t}{\mathrm{d}(W_{hh})_{ab}} = D_t \Big( W_{hh}\,
    \frac{\mathrm{d}h_{t-1}}{\mathrm{d}(W_{hh})_{ab}} + e_a\, h_{t-1,b} \Big)""",
)
def _():
    S = [derivative(h, W) for h in H]  # (n, n, n): unit of h_t, a, b
    assert not S[0].any()
    for t in STEPS:
        for a in range(n):
            for b in range(n):
                right = D[t] @ (W @ S[t - 1][:, a, b] + E[a] * H[t - 1][b])
                assert_equal(right, S[t][:, a, b])


@equation(
    "eq-code-sensitivity-others",
    r"""\begin{aligned}
    \frac{\mathrm{d}h_t}{\mathrm{d}(W_{hx})_{ae}} &= D_t \Big( W_{hh}\,
    \frac{\mathrm{d}h_{t-1}}{\mathrm{d}(W_{hx})_{ae}} + e_a\, x_{t,e} \Big) \\
    \frac{\mathrm{d}h_t}{\mathrm{d}h_0} &= D_t\, W_{hh}\,
    \frac{\mathrm{d}h_{t-1}}{\mathrm{d}h_0}
    \end{aligned}""",
)
def _():
    S = [derivative(h, net.W_hx) for h in H]
    S_0 = [derivative(h, H[0]) for h in H]
    assert not S[0].any() and torch.equal(S_0[0], E)
    for t in STEPS:
        assert_equal(D[t] @ W @ S_0[t - 1], S_0[t])
        for a in range(n):
            for e in range(2):
                right = D[t] @ (W @ S[t - 1][:, a, e] + E[a] * net.x[t][e])
                assert_equal(right, S[t][:, a, e])


@equation(
    "eq-code-forward-gradient",
    r"""\frac{\mathrm{d}L}{\mathrm{d}(W_{hh})_{ab}} = \sum_{t=1}^{T} \Big( W_{qh}^\top
    \frac{\mathrm{d}L}{\mathrm{d}o_t} \Big)^{\!\top}
    \frac{\mathrm{d}h_t}{\mathrm{d}(W_{hh})_{ab}}""",
)
def _():
    S, dW = [derivative(h, W) for h in H], adjoint(W)
    for a in range(n):
        for b in range(n):
            total = sum((net.W_qh.T @ adjoint(net.o[t])) @ S[t][:, a, b] for t in STEPS)
            assert_equal(total, dW[a, b])


def multiplications(method, T, B, d, n, q):
    """What PyTorch counts in matrix products; two of its operations are one multiplication."""
    rnn = RNN(normal(n, d, seed=1), normal(n, n, seed=2), normal(q, n, seed=3))
    tape = rnn(normal(T, B, d, seed=4))
    with FlopCounterMode(display=False) as counter:
        method(tape, torch.ones_like(tape.O))
    return counter.get_total_flops() // 2


SIZES = ((7, 3, 2, 4, 5), (2, 5, 7, 3, 1), (1, 1, 1, 6, 2))


@equation(
    "eq-code-cost-backward",
    r"M_{\text{backward}} = T B \,\big( 2 n^2 + n d + 2 n q \big)",
)
def _():
    for T, B, d, n, q in SIZES:
        assert T * B * (2 * n**2 + n * d + 2 * n * q) == multiplications(bptt, T, B, d, n, q)


@equation(
    "eq-code-cost-forward",
    r"M_{\text{forward}} = T B \,\big( (n^2 + n) (n (n + d) + n) + 2 n q \big)",
)
def _():
    for T, B, d, n, q in SIZES:
        count = T * B * ((n**2 + n) * (n * (n + d) + n) + 2 * n * q)
        assert count == multiplications(rtrl, T, B, d, n, q)
