"""Checks of the equations of chapter 10, "Truncation, and what detach cuts".

The oracle is autograd on a network in which every use of W_hh is a copy of its own, so that the
derivative of one loss by one use can be asked for alone.
"""

import math
from fractions import Fraction

import torch
from ledger import equation
from network import assert_equal, tanh_network

from bptt import RNN

net = tanh_network()
T, n, W, H = net.T, net.n, net.W_hh, net.H
D = [torch.diag(1 - h**2) for h in H]
dO = [None, *torch.autograd.grad(net.L, net.o[1:], retain_graph=True)]
LENGTHS = (1, 2, 3, 5, 7, 9)


def pairs_by_autograd():
    """``{(t, j): derivative of l_t / T by the use of W_hh at step j}``."""
    uses = [None, *(W.detach().clone().requires_grad_() for _ in range(T))]
    h, found = H[0].detach(), {}
    for t in range(1, T + 1):
        h = torch.tanh(net.W_hx.detach() @ net.x[t] + uses[t] @ h)
        loss = ((net.W_qh.detach() @ h - net.y[t]) ** 2).sum() / (2 * T)
        gradients = torch.autograd.grad(loss, uses[1:], retain_graph=True, allow_unused=True)
        found |= {(t, j): gradients[j - 1] for j in range(1, t + 1)}
    return found


PAIRS = pairs_by_autograd()


def gradient_with_cuts(before):
    """dL/dW_hh by autograd when the state is detached before the steps in ``before``."""
    weight, h, loss = W.detach().clone().requires_grad_(), H[0].detach(), 0
    for t in range(1, T + 1):
        h = h.detach() if t in before else h
        h = torch.tanh(net.W_hx.detach() @ net.x[t] + weight @ h)
        loss = loss + ((net.W_qh.detach() @ h - net.y[t]) ** 2).sum() / (2 * T)
    return torch.autograd.grad(loss, weight)[0]


@equation(
    "eq-cut-model",
    r"""z_t = W_{hx}\, x_t + W_{hh}\, h_{t-1}, \qquad h_t = \tanh(z_t), \qquad
    o_t = W_{qh}\, h_t""",
)
def _():
    rnn = RNN(net.W_hx, W, net.W_qh)
    tape = rnn(torch.stack(net.x[1:])[:, None], H[0][None])
    h = H[0]
    for t in range(1, T + 1):
        z = [
            sum(net.W_hx[a, c].item() * net.x[t][c].item() for c in range(2))
            + sum(W[a, b].item() * h[b].item() for b in range(n))
            for a in range(n)
        ]
        h = torch.tensor([math.tanh(entry) for entry in z], dtype=torch.float64)
        o = torch.stack([sum(net.W_qh[c, a] * h[a] for a in range(n)) for c in range(4)])
        assert_equal(h, tape.H[t, 0])
        assert_equal(o, tape.O[t - 1, 0])


@equation("eq-cut-hand", r"P_{t,j} = w^{t-j}\, h_{j-1}")
def _():
    """Each cell by autograd on the linear chain, with a weight of its own for each use."""
    uses = [None, *(torch.tensor(2.0, dtype=torch.float64, requires_grad=True) for _ in range(4))]
    states, x = [1, 2, 1, 3, 6], (None, 0, -3, 1, 0)
    h = torch.tensor(1.0, dtype=torch.float64)
    printed = {}
    for t in range(1, 5):
        h = uses[t] * h + x[t]
        assert h == states[t]
        gradients = torch.autograd.grad(h, uses[1 : t + 1], retain_graph=True)
        for j in range(1, t + 1):
            printed[t, j] = 2 ** (t - j) * states[j - 1]
            assert printed[t, j] == gradients[j - 1]
    rows = [[printed[t, j] for j in range(1, t + 1)] for t in range(1, 5)]
    assert rows == [[1], [2, 2], [4, 4, 1], [8, 8, 2, 3]]


@equation(
    "eq-cut-pair",
    r"""P_{t,j} = \Big( D_j\, W_{hh}^\top\, D_{j+1}\, W_{hh}^\top \cdots D_t\; W_{qh}^\top
    \frac{\mathrm{d}L}{\mathrm{d}o_t} \Big)\, h_{j-1}^\top""",
)
def _():
    for (t, j), expected in PAIRS.items():
        product = D[j]
        for i in range(j + 1, t + 1):
            product = product @ W.T @ D[i]
        assert_equal(torch.outer(product @ net.W_qh.T @ dO[t], H[j - 1]), expected)


@equation(
    "eq-cut-table",
    r"\frac{\mathrm{d}L}{\mathrm{d}W_{hh}} = \sum_{t=1}^{T} \sum_{j=1}^{t} P_{t,j}",
)
def _():
    total = sum(PAIRS[t, j] for t in range(1, T + 1) for j in range(1, t + 1))
    (gradient,) = torch.autograd.grad(net.L, W, retain_graph=True)
    assert_equal(total, gradient)


def reached(loss, k1, k2):
    """The uses that autograd reaches from one loss: k1 steps forward, k2 steps back.

    The state before the way back begins is detached; then the group of the loss is run.
    """
    end = next(e for e in range(k1, 10 * T, k1) if e >= loss)
    uses = [torch.tensor(1.5, dtype=torch.float64, requires_grad=True) for _ in range(end)]
    h = torch.tensor(0.5, dtype=torch.float64)
    for step, use in enumerate(uses[:loss], start=1):
        if step == end - k2 + 1:
            h = h.detach()
        h = torch.tanh(use * h)
    gradients = torch.autograd.grad(h, uses, allow_unused=True)
    return [step for step, gradient in enumerate(gradients, start=1) if gradient is not None]


GROUPS = [(1, 1), (1, 3), (2, 2), (2, 3), (2, 5), (3, 3), (3, 4), (4, 9)]


@equation("eq-cut-general", r"j > k_1 \lceil t / k_1 \rceil - k_2")
def _():
    for k1, k2 in GROUPS:
        for t in range(1, T + 1):
            uses = [j for j in range(1, t + 1) if j > k1 * math.ceil(t / k1) - k2]
            assert uses == reached(t, k1, k2)
    for K in LENGTHS:  # blocks, by autograd with detach
        kept = sum(P for (t, j), P in PAIRS.items() if j > K * math.ceil(t / K) - K)
        assert_equal(kept, gradient_with_cuts(range(1, T + 1, K)))


@equation("eq-cut-mean-depth", r"\frac{1}{K} \sum_{r=1}^{K} r = \frac{K + 1}{2}")
def _():
    for K in range(1, 20):
        counted = Fraction(sum(len(reached(t, K, K)) for t in range(1, K + 1)), K)
        assert Fraction(sum(range(1, K + 1)), K) == Fraction(K + 1, 2) == counted


@equation(
    "eq-cut-depth",
    r"""r + k_2 - k_1, \qquad \text{on average} \quad k_2 - \frac{k_1 - 1}{2}""",
)
def _():
    for k1, k2 in GROUPS:
        first = k1 * math.ceil(k2 / k1)  # enough steps before it
        depths = [len(reached(first + r, k1, k2)) for r in range(1, k1 + 1)]
        assert depths == [r + k2 - k1 for r in range(1, k1 + 1)]
        assert Fraction(sum(depths), k1) == k2 - Fraction(k1 - 1, 2)


def paired(adjoints):
    return sum(torch.outer(adjoints[t], H[t - 1]) for t in range(1, T + 1))


@equation(
    "eq-cut-blocks",
    r"""\frac{\widehat{\mathrm{d}L}}{\mathrm{d}z_t} = D_t \Big( W_{qh}^\top
    \frac{\mathrm{d}L}{\mathrm{d}o_t} + c_t\, W_{hh}^\top
    \frac{\widehat{\mathrm{d}L}}{\mathrm{d}z_{t+1}} \Big)""",
)
def _():
    for K in LENGTHS:
        dz = {T + 1: torch.zeros(n, dtype=torch.float64)}
        for t in range(T, 0, -1):
            c = 0 if t % K == 0 else 1
            dz[t] = D[t] @ (net.W_qh.T @ dO[t] + c * W.T @ dz[t + 1])
        assert_equal(paired(dz), gradient_with_cuts(range(1, T + 1, K)))


@equation(
    "eq-cut-window",
    r"""a_t^{(0)} = D_t\, W_{qh}^\top \frac{\mathrm{d}L}{\mathrm{d}o_t}, \qquad
    a_t^{(k)} = D_t\, W_{hh}^\top\, a_{t+1}^{(k-1)}, \qquad
    \frac{\widehat{\mathrm{d}L}}{\mathrm{d}z_t} = \sum_{k=0}^{m} a_t^{(k)}""",
)
def _():
    for K in LENGTHS:
        a = {(t, 0): D[t] @ net.W_qh.T @ dO[t] for t in range(1, T + 1)}
        for k in range(1, T):
            for t in range(1, T - k + 1):
                a[t, k] = D[t] @ W.T @ a[t + 1, k - 1]
        dz = {t: sum(a[t, k] for k in range(min(K - 1, T - t) + 1)) for t in range(1, T + 1)}
        expected = sum(P for (t, j), P in PAIRS.items() if t - j < K)
        assert_equal(paired(dz), expected)


@equation(
    "eq-cut-share",
    r"""\frac{K - (t - j)}{K} \quad \text{if } t - j < K, \qquad 0 \text{ otherwise}""",
)
def _():
    """Enumerated: all K offsets, pieces built one step at a time."""
    for K in (1, 2, 3, 5, 8):
        together = dict.fromkeys(PAIRS, 0)
        for offset in range(K):
            piece, names = 0, {}
            for step in range(1, T + 1):
                if step > 1 and (step - 1 - offset) % K == 0:
                    piece += 1
                names[step] = piece
            for t, j in PAIRS:
                together[t, j] += names[t] == names[j]
        for (t, j), count in together.items():
            printed = Fraction(K - (t - j), K) if t - j < K else 0
            assert Fraction(count, K) == printed


@equation(
    "eq-cut-bias",
    r"""\mathbb{E}\big[\widehat{G}\big] - \frac{\mathrm{d}L}{\mathrm{d}W_{hh}} =
    - \sum_{\text{cut } (t, j)} P_{t,j}""",
)
def _():
    (gradient,) = torch.autograd.grad(net.L, W, retain_graph=True)
    for K in (1, 2, 3, 5):
        cut = [P for (t, j), P in PAIRS.items() if (t - 1) // K != (j - 1) // K]
        assert_equal(-sum(cut), gradient_with_cuts(range(1, T + 1, K)) - gradient)


@equation(
    "eq-cut-double",
    r"""\begin{aligned}
    x_2 + w\, x_1 + w^2 x_0 &= 3 w^2 x_0 = 0.108 \\
    x_2 + w\, x_1 + (w + w^2)\, x_0 &= 0.288
    \end{aligned}""",
)
def _():
    w = torch.tensor(0.2, dtype=torch.float64, requires_grad=True)
    x = [torch.tensor(0.9, dtype=torch.float64)]
    for _ in range(3):
        x.append(w * x[-1])
    (derivative,) = torch.autograd.grad(x[3], w, retain_graph=True)
    x = [state.item() for state in x]
    value = w.item()
    assert_equal(x[2] + value * x[1] + value**2 * x[0], derivative)
    assert_equal(3 * value**2 * x[0], derivative)
    assert_equal(0.108, derivative)

    # The graphs of the snippet by hand: leaves keep what round 2 left in them.
    leaves = [torch.tensor(state, dtype=torch.float64, requires_grad=True) for state in x[:3]]
    made = [w * leaf for leaf in leaves]
    made[1].backward(retain_graph=True)  # round 2
    made[0].backward(leaves[1].grad, retain_graph=True)
    w.grad = None
    made[2].backward()  # round 3
    made[1].backward(leaves[2].grad)
    made[0].backward(leaves[1].grad)
    assert_equal(x[2] + value * x[1] + (value + value**2) * x[0], w.grad)
    assert_equal(0.288, w.grad)
