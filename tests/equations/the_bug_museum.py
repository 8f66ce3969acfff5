"""Checks of the equations of chapter 14, "The bug museum".

The oracle is autograd, or exact integers; for the statement about random losses it is the normal
distribution's own arithmetic.
"""

import math

import torch
from ledger import equation
from network import assert_equal, normal, tanh_network

from bptt import RNN, Tape, bptt, squared_error
from bptt.checks import QUANTITIES, Check
from bptt.museum import MUSEUM

net = tanh_network()
T, n, H = net.T, net.n, net.H
leaves = (net.W_hx, net.W_hh, net.W_qh, H[0])
dO = [None, *torch.autograd.grad(net.L, net.o[1:], retain_graph=True)]
dZ = [None, *torch.autograd.grad(net.L, net.z[1:], retain_graph=True)]
dZ.append(torch.zeros(n, dtype=torch.float64))
dH = torch.autograd.grad(net.L, H, retain_graph=True)


@equation(
    "eq-museum-model",
    r"""z_t = W_{hx}\, x_t + W_{hh}\, h_{t-1}, \qquad h_t = \tanh(z_t), \qquad
    o_t = W_{qh}\, h_t""",
)
def _():
    rnn = RNN(net.W_hx, net.W_hh, net.W_qh)
    tape = rnn(torch.stack(net.x[1:])[:, None], H[0][None])
    h = H[0].tolist()
    for t in range(1, T + 1):
        z = [
            sum(net.W_hx[a, c].item() * net.x[t][c].item() for c in range(2))
            + sum(net.W_hh[a, b].item() * h[b] for b in range(n))
            for a in range(n)
        ]
        h = [math.tanh(entry) for entry in z]
        o = [sum(net.W_qh[c, a].item() * h[a] for a in range(n)) for c in range(4)]
        assert_equal(torch.tensor(h, dtype=torch.float64), tape.H[t, 0])
        assert_equal(torch.tensor(o, dtype=torch.float64), tape.O[t - 1, 0])


@equation(
    "eq-museum-loss",
    r"""L = \frac{1}{T B} \sum_{t=1}^{T} \sum_{b=1}^{B} \frac{1}{2}\,
    \lVert o_{t,b} - y_{t,b} \rVert^2, \qquad
    \frac{\mathrm{d}L}{\mathrm{d}o_{t,b}} = \frac{1}{T B}\, (o_{t,b} - y_{t,b})""",
)
def _():
    """The loss of the library, its adjoint by autograd; and 2/q for the loss of PyTorch."""
    steps, B, q = 4, 3, 5
    O, Y = normal(steps, B, q, seed=8).requires_grad_(), normal(steps, B, q, seed=9)
    L = sum(
        0.5 * torch.linalg.vector_norm(O[t, b] - Y[t, b]) ** 2
        for t in range(steps)
        for b in range(B)
    ) / (steps * B)
    (dO,) = torch.autograd.grad(L, O)
    for t in range(steps):
        for b in range(B):
            assert_equal((O[t, b] - Y[t, b]).detach() / (steps * B), dO[t, b])
    loss, adjoint = squared_error(O.detach(), Y)
    assert_equal(loss, L.detach())
    assert_equal(adjoint, dO)
    (other,) = torch.autograd.grad(torch.nn.functional.mse_loss(O, Y), O)
    assert_equal(other, 2 / q * dO)


@equation(
    "eq-museum-adjoint",
    r"""\frac{\mathrm{d}L}{\mathrm{d}h_t} = W_{qh}^\top \frac{\mathrm{d}L}{\mathrm{d}o_t}
    + W_{hh}^\top \frac{\mathrm{d}L}{\mathrm{d}z_{t+1}}, \qquad
    \frac{\mathrm{d}L}{\mathrm{d}z_t} = (1 - h_t^2) \odot \frac{\mathrm{d}L}{\mathrm{d}h_t}""",
)
def _():
    for t in range(1, T + 1):
        assert_equal(net.W_qh.T @ dO[t] + net.W_hh.T @ dZ[t + 1], dH[t])
        assert_equal((1 - H[t] ** 2) * dH[t], dZ[t])


@equation(
    "eq-museum-gradients",
    r"""\begin{aligned}
    \frac{\mathrm{d}L}{\mathrm{d}W_{hx}} &= \sum_{t=1}^{T}
      \frac{\mathrm{d}L}{\mathrm{d}z_t}\, x_t^\top, &
    \frac{\mathrm{d}L}{\mathrm{d}W_{hh}} &= \sum_{t=1}^{T}
      \frac{\mathrm{d}L}{\mathrm{d}z_t}\, h_{t-1}^\top, \\
    \frac{\mathrm{d}L}{\mathrm{d}W_{qh}} &= \sum_{t=1}^{T}
      \frac{\mathrm{d}L}{\mathrm{d}o_t}\, h_t^\top, &
    \frac{\mathrm{d}L}{\mathrm{d}h_0} &= W_{hh}^\top \frac{\mathrm{d}L}{\mathrm{d}z_1}
    \end{aligned}""",
)
def _():
    W_hx, W_hh, W_qh, h0 = torch.autograd.grad(net.L, leaves, retain_graph=True)
    steps = range(1, T + 1)
    assert_equal(sum(torch.outer(dZ[t], net.x[t]) for t in steps), W_hx)
    assert_equal(sum(torch.outer(dZ[t], H[t - 1]) for t in steps), W_hh)
    assert_equal(sum(torch.outer(dO[t], H[t]) for t in steps), W_qh)
    assert_equal(net.W_hh.T @ dZ[1], h0)


@equation(
    "eq-museum-hand",
    r"""P_{t,j} = w^{t-j}\, h_{j-1}, \qquad
    \frac{\mathrm{d}L}{\mathrm{d}w} = \sum_{t=1}^{T} \sum_{j=1}^{t} P_{t,j}""",
)
def _():
    """Each pair by autograd, with a weight of its own for each use; then all of them."""
    states, x = [1, 3, 4, 5], (None, 1, -2, -3)
    uses = [None, *(torch.tensor(2.0, dtype=torch.float64, requires_grad=True) for _ in range(3))]
    h, printed = torch.tensor(1.0, dtype=torch.float64), {}
    for t in (1, 2, 3):
        h = uses[t] * h + x[t]
        assert h == states[t]
        gradients = torch.autograd.grad(h, uses[1 : t + 1], retain_graph=True)
        for j in range(1, t + 1):
            printed[t, j] = 2 ** (t - j) * states[j - 1]
            assert printed[t, j] == gradients[j - 1]
    rows = [[printed[t, j] for j in range(1, t + 1)] for t in (1, 2, 3)]
    assert rows == [[1], [2, 3], [4, 6, 4]]
    w = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    h = L = torch.tensor(1.0, dtype=torch.float64)
    for t in (1, 2, 3):
        h = w * h + x[t]
        L = L + h
    assert sum(printed.values()) == torch.autograd.grad(L, w)[0] == 20


def flat(gradients):
    return torch.cat([getattr(gradients, name).flatten() for name in QUANTITIES])


@equation(
    "eq-museum-linear",
    r"""\widehat{G}(\alpha u + \beta v) = \alpha\, \widehat{G}(u) + \beta\, \widehat{G}(v)""",
)
def _():
    """All exhibits but the one that clips; and that one is not linear."""
    tape, dO = Check("generic").case(seed=1)
    u, v = normal(*dO.shape, seed=2), normal(*dO.shape, seed=3)
    for name, bug in MUSEUM.items():
        together = flat(bug.broken(tape, 2.5 * u - 0.5 * v))
        apart = 2.5 * flat(bug.broken(tape, u)) - 0.5 * flat(bug.broken(tape, v))
        if name == "clipped inside":
            assert torch.linalg.vector_norm(together - apart) > 0.1
        else:
            assert_equal(together, apart)


@equation(
    "eq-museum-difference",
    r"""\widehat{G}(g) - G(g) = M g, \qquad
    \mathbb{P}(M g = 0) = 0 \ \text{ if } M \ne 0, \qquad
    \mathbb{E}\, \lVert M g \rVert^2 = \sum_{k} \lVert M e_k \rVert^2""",
)
def _():
    """M from the unit losses. The mean over all signs (+1, -1) has the normal's second moments.

    Probability zero: every row of M that is not zero gives a normal number with a positive
    variance. A continuous law has no atom; 2000 draws show none.
    """
    tape, dO = Check("small", T=3, B=1).case(seed=1)
    tape = Tape(
        RNN(tape.rnn.W_hx, tape.rnn.W_hh, tape.rnn.W_qh[:3]), tape.X, tape.H, tape.O[..., :3]
    )
    shape = dO[..., :3].shape
    units = torch.eye(9, dtype=torch.float64).reshape(9, *shape)
    signs = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0], dtype=torch.float64)] * 9)
    draws = normal(2000, 9, seed=5)
    for name in ("total times total", "W_hh the wrong way round", "immediate only"):

        def difference(g, broken=MUSEUM[name].broken):
            return flat(broken(tape, g)) - flat(bptt(tape, g))

        M = torch.stack([difference(e) for e in units], dim=1)
        g = normal(9, seed=4)
        assert_equal(M @ g, difference(g.reshape(shape)))
        second_moment = ((signs @ M.T) ** 2).sum(1).mean()
        assert_equal(sum((M[:, k] ** 2).sum() for k in range(9)), second_moment)
        rows = M[torch.linalg.vector_norm(M, dim=1) > 1e-9]
        assert len(rows) > 0 and ((draws @ rows.T).abs() > 0).all()


@equation(
    "eq-museum-one-hot",
    r"""x_t = e_t \ \text{ for all } t \quad \Longrightarrow \quad
    \text{column } t \text{ of } \frac{\mathrm{d}L}{\mathrm{d}W_{hx}} \ \text{ is } \
    \frac{\mathrm{d}L}{\mathrm{d}z_t}""",
)
def _():
    W_hx = normal(n, T, seed=7).requires_grad_()
    h, z, L = H[0].detach(), [], 0
    for t in range(T):
        z.append(W_hx @ torch.eye(T, dtype=torch.float64)[t] + net.W_hh.detach() @ h)
        h = torch.tanh(z[-1])
        L = L + ((net.W_qh.detach() @ h - net.y[t + 1]) ** 2).sum() / (2 * T)
    (columns,) = torch.autograd.grad(L, W_hx, retain_graph=True)
    for t in range(T):
        assert_equal(columns[:, t], torch.autograd.grad(L, z[t], retain_graph=True)[0])
