"""Checks of the equations of chapter 12, "Memory for time"."""

import heapq
import math
from functools import cache
from math import comb

import torch
from ledger import equation
from network import assert_equal, derivative, normal, tanh_network

from bptt import RNN, bptt, bptt_checkpointed, squared_error
from bptt.measure import multiplications

net = tanh_network()
T, n, W, H = net.T, net.n, net.W_hh, net.H
SIZES = ((7, 3, 2, 4, 5), (2, 5, 7, 3, 1), (1, 1, 1, 6, 2))  # T, B, d, n, q


def network(T, B, d, n, q):
    rnn = RNN(normal(n, d, seed=1), normal(n, n, seed=2) / n**0.5, normal(q, n, seed=3))
    return rnn, normal(T, B, d, seed=4), normal(T, B, q, seed=5), normal(B, n, seed=6)


@equation(
    "eq-memory-model",
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
    for t in range(1, T + 1):
        z = [
            sum(net.W_hx[a, e].item() * net.x[t][e].item() for e in range(2))
            + sum(W[a, b].item() * h[b] for b in range(n))
            for a in range(n)
        ]
        h = [math.tanh(entry) for entry in z]
        o = [sum(net.W_qh[k, a].item() * h[a] for a in range(n)) for k in range(4)]
        assert_equal(torch.tensor(h, dtype=torch.float64), states[t - 1])
        assert_equal(torch.tensor(o, dtype=torch.float64), tape.O[t - 1, 0])


@equation("eq-memory-forward", r"M_{\text{forward}} = T B\, (n^2 + n d + n q)")
def _():
    for T, B, d, n, q in SIZES:
        rnn, X, _, h0 = network(T, B, d, n, q)
        assert T * B * (n**2 + n * d + n * q) == multiplications(lambda: rnn(X, h0))  # noqa: B023


@equation("eq-memory-backward", r"M_{\text{backward}} = T B\, (2 n^2 + n d + 2 n q)")
def _():
    for T, B, d, n, q in SIZES:
        rnn, X, _, h0 = network(T, B, d, n, q)
        tape = rnn(X, h0)
        counted = multiplications(lambda: bptt(tape, tape.O))  # noqa: B023
        assert T * B * (2 * n**2 + n * d + 2 * n * q) == counted


@equation(
    "eq-memory-term-by-term",
    r"\sum_{t=1}^{T} \sum_{i=1}^{t-1} (t - i) = \binom{T+1}{3}",
)
def _():
    """The multiplications are made and counted, and the sum they form is the derivative."""
    for T in (1, 2, 5, 9):
        made = 0
        b, c = normal(T + 1, seed=7).tolist(), normal(T + 1, seed=8).tolist()
        for t in range(1, T + 1):
            total = b[t]
            for i in range(1, t):
                term = b[i]
                for j in range(i + 1, t + 1):
                    term, made = c[j] * term, made + 1
                total += term
            recursion = b[1] if t == 1 else b[t] + c[t] * recursion  # noqa: F821
            assert math.isclose(total, recursion, rel_tol=1e-9)
        assert made == sum(sum(t - i for i in range(1, t)) for t in range(1, T + 1))
        assert made == comb(T + 1, 3)


@equation(
    "eq-memory-square-root",
    r"""k + \frac{T}{k} \;\ge\; 2 \sqrt{T}, \qquad
    \text{with equality for } k = \sqrt{T}""",
)
def _():
    for T in (1, 9, 36, 1000, 12345):
        # In whole numbers: (k + T/k)^2 >= 4 T, that is (k^2 + T)^2 >= 4 T k^2.
        for k in range(1, T + 1):
            assert (k * k + T) ** 2 >= 4 * T * k * k
        root = math.sqrt(T)
        assert_equal(root + T / root, 2 * math.sqrt(T))
        assert (
            0.999 * root + T / (0.999 * root) > 2 * math.sqrt(T) < 1.001 * root + T / root / 1.001
        )


@equation(
    "eq-memory-by-state",
    r"""\begin{aligned}
    \frac{\mathrm{d}L}{\mathrm{d}z_t} &= (1 - h_t^2) \odot \Big( W_{qh}^\top
    \frac{\mathrm{d}L}{\mathrm{d}o_t} + W_{hh}^\top
    \frac{\mathrm{d}L}{\mathrm{d}z_{t+1}} \Big) \\
    \frac{\mathrm{d}L}{\mathrm{d}W_{hh}} &= \sum_{t=0}^{T-1}
    \frac{\mathrm{d}L}{\mathrm{d}z_{t+1}}\, h_t^\top, \qquad
    \frac{\mathrm{d}L}{\mathrm{d}W_{qh}} = \sum_{t=1}^{T}
    \frac{\mathrm{d}L}{\mathrm{d}o_t}\, h_t^\top
    \end{aligned}""",
)
def _():
    adjoint = lambda of: derivative(net.L, of)  # noqa: E731
    dz = [None, *(adjoint(z) for z in net.z[1:]), torch.zeros(n, dtype=torch.float64)]
    dO = [None, *(adjoint(o) for o in net.o[1:])]
    for t in range(1, T + 1):
        assert_equal((1 - H[t] ** 2) * (net.W_qh.T @ dO[t] + W.T @ dz[t + 1]), dz[t])
    assert_equal(sum(torch.outer(dz[t + 1], H[t]) for t in range(T)), adjoint(W))
    total = sum(torch.outer(dO[t], H[t]) for t in range(1, T + 1))
    assert_equal(total, adjoint(net.W_qh))


@cache
def cheapest(last: int, m: int) -> int:
    """Fewest calls until the states h_last, ..., h_0 have been used, over all orders of moves.

    A position is the working state, the set of stored states, and the state that is used next.
    """
    start = (0, frozenset([0]), last)
    cost, queue = {start: 0}, [(0, 0, start)]
    while True:
        calls, _, (working, stored, target) = heapq.heappop(queue)
        if target < 0:
            return calls
        moves = [(1, (working + 1, stored, target))] if working < last else []
        moves += [(0, (s, stored, target)) for s in stored]
        moves += [(0, (working, stored - {s}, target)) for s in stored]
        if len(stored) < m:
            moves.append((0, (working, stored | {working}, target)))
        if target == working or target in stored:
            moves.append((0, (working, stored, target - 1)))
        for price, position in moves:
            if calls + price < cost.get(position, math.inf):
                cost[position] = calls + price
                heapq.heappush(queue, (calls + price, len(cost), position))


@cache
def R(t: int, m: int) -> float:
    """The recursion as printed."""
    if t == 0:
        return 0
    if m == 0:
        return math.inf
    return min(y + R(t - y, m - 1) + R(y - 1, m) for y in range(1, t + 1))


@cache
def C(t: int, m: int) -> int:
    """The classical recursion as printed, with the two cases that the text gives."""
    if t == 1:
        return 1
    if m == 1:
        return t * (t + 1) // 2
    return min(y + C(t - y, m - 1) + C(y, m) for y in range(1, t))


SMALL = [(t, m) for t in range(1, 9) for m in range(1, 5)]
LARGER = [(t, m) for t in range(1, 70) for m in range(1, 12)]


@equation(
    "eq-memory-recursion",
    r"R(t, m) = \min_{1 \le y \le t} \big[\, y + R(t - y, m - 1) + R(y - 1, m) \,\big]",
)
def _():
    """Against a search over all schedules."""
    for t, m in SMALL:
        assert R(t, m) == cheapest(t, m)


@equation(
    "eq-memory-longest",
    r"N(m, r) = N(m, r - 1) + 1 + N(m - 1, r) = \binom{m + r}{m} - 1",
)
def _():
    """The recursion; and its meaning: to add one step costs more than r calls, and not before."""

    @cache
    def N(m, r):
        return 0 if m == 0 or r == 0 else N(m, r - 1) + 1 + N(m - 1, r)

    for m in range(1, 7):
        for r in range(1, 7):
            assert N(m, r) == comb(m + r, m) - 1
            if N(m, r) < 60:
                assert R(N(m, r), m) - R(N(m, r) - 1, m) <= r
                assert R(N(m, r) + 1, m) - R(N(m, r), m) == r + 1


@equation(
    "eq-memory-fewest",
    r"""R(t, m) = r\, (t + 1) - \binom{m + r}{r - 1}, \qquad
    r \text{ smallest with } \binom{m + r}{m} \ge t + 1""",
)
def _():
    for t, m in LARGER:
        r = next(r for r in range(1, t + 1) if comb(m + r, m) >= t + 1)
        assert r * (t + 1) - comb(m + r, r - 1) == R(t, m)
    for t, m in SMALL:
        r = next(r for r in range(1, t + 1) if comb(m + r, m) >= t + 1)
        assert r * (t + 1) - comb(m + r, r - 1) == cheapest(t, m)


@equation(
    "eq-memory-classical-recursion",
    r"C(t, m) = \min_{1 \le y < t} \big[\, y + C(t - y, m - 1) + C(y, m) \,\big]",
)
def _():
    """Against a search: each step is evaluated for itself from the state before it."""
    for t, m in SMALL:
        assert C(t, m) == t + cheapest(t - 1, m)
    assert [C(100, m) for m in (1, 2, 3, 5)] == [5050, 945, 590, 416]


@equation(
    "eq-memory-classical",
    r"""C(t, m) = t + r t - \binom{m + r}{r - 1}, \qquad
    r \ge 1 \text{ smallest with } \binom{m + r}{m} \ge t""",
)
def _():
    for t, m in LARGER:
        r = next(r for r in range(1, t + 1) if comb(m + r, m) >= t)
        assert t + r * t - comb(m + r, r - 1) == C(t, m)


@equation("eq-memory-difference", r"C(t, m) = t + R(t - 1, m)")
def _():
    for t, m in LARGER:
        assert C(t, m) == t + R(t - 1, m)


@equation(
    "eq-memory-ratio",
    r"""\frac{M_{\text{checkpointed}}}{M_{\text{full}}} = 1 + \frac{R(T, m) - T}{T} \cdot
    \frac{n^2 + n d}{3 n^2 + 2 n d + 3 n q}""",
)
def _():
    for T, B, d, n, q in (*SIZES, (23, 2, 3, 4, 2)):
        rnn, X, Y, h0 = network(T, B, d, n, q)
        full = multiplications(lambda: bptt(tape := rnn(X, h0), tape.O))  # noqa: B023
        for m in (1, 2, 7):
            few = multiplications(
                lambda: bptt_checkpointed(rnn, X, lambda O: squared_error(O, Y), m, h0)  # noqa: B023
            )
            share = (n**2 + n * d) / (3 * n**2 + 2 * n * d + 3 * n * q)
            assert_equal(1 + (R(T, m) - T) / T * share, few / full)


@equation("eq-memory-amortised", r"\frac{h}{h'}\, (2 n^2 + n d + 2 n q)")
def _():
    """A stream of 24 steps, with a backward pass over h steps after every h' of them."""
    for h, every, (_, _, d, n, q) in ((6, 1, SIZES[0]), (6, 3, SIZES[1]), (4, 4, SIZES[2])):
        rnn, X, _, _ = network(24 + h, 1, d, n, q)
        count = 0
        for end in range(h + every, 24 + h + 1, every):
            tape = rnn(X[end - h : end])
            dO = tape.O.clone()
            dO[:-every] = 0  # the losses that were served before
            count += multiplications(lambda: bptt(tape, dO))  # noqa: B023
        assert_equal(h / every * (2 * n**2 + n * d + 2 * n * q), count / 24)


@equation(
    "eq-memory-combine",
    r"(A_2, b_2) \circ (A_1, b_1) = (A_2 A_1,\; A_2\, b_1 + b_2)",
)
def _():
    """The map that one after the other is, read off from what it does to points."""
    A_1, A_2, b_1, b_2 = (
        normal(*shape, seed=20 + k) for k, shape in enumerate([(4, 4), (4, 4), (4,), (4,)])
    )
    both = lambda h: A_2 @ (A_1 @ h + b_1) + b_2  # noqa: E731
    zero = torch.zeros(4, dtype=torch.float64)
    assert_equal(A_2 @ b_1 + b_2, both(zero))
    columns = [both(e) - both(zero) for e in torch.eye(4, dtype=torch.float64)]
    assert_equal(A_2 @ A_1, torch.stack(columns, dim=1))


@equation(
    "eq-memory-scan-products",
    r"\sum_{k=0}^{K-1} (T - 2^k) = K T - 2^K + 1",
)
def _():
    """A scan that counts its combinations; numbers in the place of matrices."""
    for T in (1, 2, 3, 7, 8, 9, 100):
        prefixes, stride, levels, products = list(range(1, T + 1)), 1, 0, 0
        while stride < T:
            products += T - stride
            prefixes = [
                p + prefixes[t - stride] if t >= stride else p for t, p in enumerate(prefixes)
            ]
            stride, levels = 2 * stride, levels + 1
        assert prefixes == [t * (t + 1) // 2 for t in range(1, T + 1)]  # the scan is right
        K = math.ceil(math.log2(T))
        assert levels == K
        assert products == sum(T - 2**k for k in range(K)) == K * T - 2**K + 1
