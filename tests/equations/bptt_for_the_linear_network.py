"""Checks of the equations of chapter 5, "BPTT for the linear network"."""

from fractions import Fraction

import torch
from ledger import equation
from network import assert_equal, derivative, tanh_network

from bptt import RNN, squared_error

net = tanh_network(activation=lambda z: z)
curved = tanh_network()
T, n, H, x, o = net.T, net.n, net.H, net.x, net.o
W_hx, W_hh, W_qh = net.W_hx, net.W_hh, net.W_qh
STEPS = range(1, T + 1)
e = torch.eye(n, dtype=torch.float64)
power = torch.linalg.matrix_power


def adjoint(of):
    """By autograd, the total derivative of the loss."""
    return derivative(net.L, of)


def direct(t, network=net):
    """By autograd, dL/dh_t with all later states held fixed: the loss of step t alone."""
    h = network.H[t].detach().requires_grad_()
    loss = ((network.W_qh @ h - network.y[t]) ** 2).sum() / 2 / network.T
    return derivative(loss, h)


def immediate(t, weight, network=net):
    """By autograd, dh_t/dW with h_{t-1} held fixed: ``(n, *weight.shape)``."""
    activation = torch.tanh if network is curved else (lambda z: z)

    def step(W):
        W_hx = W if weight == "W_hx" else network.W_hx
        W_hh = W if weight == "W_hh" else network.W_hh
        return activation(W_hx @ network.x[t] + W_hh @ network.H[t - 1].detach())

    return torch.autograd.functional.jacobian(step, getattr(network, weight).detach())


def matched(vector, array):
    """The vector times the first axis of the array, for all entries of the weight at once."""
    return torch.tensordot(vector, array, 1)


def path(j, t, weight):
    """eq-linear-path, for all entries of the weight at once."""
    return matched(direct(t) @ power(W_hh, t - j), immediate(j, weight))


@equation(
    "eq-linear-model",
    r"""\begin{gathered}
    h_t = W_{hx}\, x_t + W_{hh}\, h_{t-1}, \\
    o_t = W_{qh}\, h_t, \qquad L = \frac{1}{T} \sum_{t=1}^{T} \ell(o_t, y_t)
    \end{gathered}""",
)
def _():
    """The formula, entry by entry in plain Python, is what the library computes."""
    tape = RNN(W_hx, W_hh, W_qh, activation="identity")(torch.stack(x[1:])[:, None], H[0][None])
    Y = torch.stack(net.y[1:])
    times = lambda W, v: [  # noqa: E731
        sum(a * b for a, b in zip(row, v, strict=True)) for row in W.tolist()
    ]
    h, losses = H[0].tolist(), []
    for t in STEPS:
        h = [a + b for a, b in zip(times(W_hx, x[t].tolist()), times(W_hh, h), strict=True)]
        out = times(W_qh, h)
        losses.append(sum((a - b) ** 2 / 2 for a, b in zip(out, Y[t - 1].tolist(), strict=True)))
        assert_equal(tape.H[t, 0], torch.tensor(h, dtype=torch.float64))
        assert_equal(tape.O[t - 1, 0], torch.tensor(out, dtype=torch.float64))
    assert_equal(squared_error(tape.O, Y[:, None])[0], sum(losses) / T)


@equation(
    "eq-linear-state",
    r"""h_t = W_{hh}^{\,t}\, h_0 + \sum_{j=1}^{t} W_{hh}^{\,t-j}\, W_{hx}\, x_j""",
)
def _():
    for t in STEPS:
        inputs = sum(power(W_hh, t - j) @ W_hx @ x[j] for j in range(1, t + 1))
        assert_equal(power(W_hh, t) @ H[0] + inputs, H[t])


def by_hand(w):
    """The table of the example: states and outputs with x = 1, -1 and h_0 = 1."""
    h = [1]
    for x_t in (1, -1):
        h.append(w * h[-1] + x_t)
    return h


@equation(
    "eq-linear-hand-model",
    r"""\begin{gathered}
    h_t = w\, h_{t-1} + x_t, \qquad o_t = h_t, \\
    L = \frac{1}{2} \sum_{t=1}^{2} \tfrac12 (o_t - y_t)^2, \\
    w = 2, \qquad h_0 = 1
    \end{gathered}""",
)
def _():
    """It is the library's network with one unit, and it gives the numbers of the table."""
    one = torch.ones(1, 1, dtype=torch.float64)
    X = torch.tensor([1.0, -1.0], dtype=torch.float64).reshape(2, 1, 1)
    tape = RNN(one, 2 * one, one, activation="identity")(X, one)
    assert by_hand(2) == [1, 3, 5] == tape.H.flatten().tolist()
    loss, dO = squared_error(tape.O, torch.ones_like(tape.O))
    losses = [Fraction((h - 1) ** 2, 2) for h in by_hand(2)[1:]]
    assert loss.item() == Fraction(1, 2) * sum(losses) == 5
    assert dO.flatten().tolist() == [1, 2]


@equation("eq-linear-hand", r"\frac{\mathrm{d}L}{\mathrm{d}w} = 1 + 4 + 6 = 11")
def _():
    w = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    _, h_1, h_2 = by_hand(w)
    L = ((h_1 - 1) ** 2 / 2 + (h_2 - 1) ** 2 / 2) / 2
    paths = {(1, 1): 1, (1, 2): 4, (2, 2): 6}
    for (j, t), value in paths.items():  # what it met, the weights on the way, dL/do_t
        assert value == by_hand(2)[j - 1] * 2 ** (t - j) * (1, 2)[t - 1]
    (dL_dw,) = torch.autograd.grad(L, w)
    assert dL_dw == sum(paths.values()) == 11


@equation(
    "eq-linear-direct",
    r"""\frac{\mathrm{d}L}{\mathrm{d}o_t} = \frac{1}{T}\, \frac{\partial \ell_t}{\partial o_t},
    \qquad \frac{\partial L}{\partial h_t} = W_{qh}^\top\, \frac{\mathrm{d}L}{\mathrm{d}o_t}""",
)
def _():
    for t in STEPS:
        loss = ((o[t] - net.y[t]) ** 2).sum() / 2
        assert_equal(derivative(loss, o[t]) / T, adjoint(o[t]))
        assert_equal(W_qh.T @ adjoint(o[t]), direct(t))


@equation(
    "eq-linear-recursion",
    r"""\begin{gathered}
    \frac{\mathrm{d}L}{\mathrm{d}h_T} = W_{qh}^\top\, \frac{\mathrm{d}L}{\mathrm{d}o_T}, \\
    \frac{\mathrm{d}L}{\mathrm{d}h_t} = W_{hh}^\top\, \frac{\mathrm{d}L}{\mathrm{d}h_{t+1}} +
    W_{qh}^\top\, \frac{\mathrm{d}L}{\mathrm{d}o_t}
    \end{gathered}""",
)
def _():
    assert_equal(W_qh.T @ adjoint(o[T]), adjoint(H[T]))
    for t in range(1, T):
        right = W_hh.T @ adjoint(H[t + 1]) + W_qh.T @ adjoint(o[t])
        assert_equal(right, adjoint(H[t]))


@equation(
    "eq-linear-three-terms",
    r"""\begin{aligned}
    \frac{\mathrm{d}L}{\mathrm{d}h_{T-2}} = {} & W_{qh}^\top
    \frac{\mathrm{d}L}{\mathrm{d}o_{T-2}} + W_{hh}^\top W_{qh}^\top
    \frac{\mathrm{d}L}{\mathrm{d}o_{T-1}} \\
    & + (W_{hh}^\top)^2\, W_{qh}^\top \frac{\mathrm{d}L}{\mathrm{d}o_T}
    \end{aligned}""",
)
def _():
    right = (
        W_qh.T @ adjoint(o[T - 2])
        + W_hh.T @ W_qh.T @ adjoint(o[T - 1])
        + power(W_hh.T, 2) @ W_qh.T @ adjoint(o[T])
    )
    assert_equal(right, adjoint(H[T - 2]))


@equation(
    "eq-linear-by-loss",
    r"""\frac{\mathrm{d}L}{\mathrm{d}h_t} = \sum_{s=t}^{T} (W_{hh}^\top)^{s-t}\, W_{qh}^\top\,
    \frac{\mathrm{d}L}{\mathrm{d}o_s}""",
)
def _():
    for t in STEPS:
        right = sum(power(W_hh.T, s - t) @ W_qh.T @ adjoint(o[s]) for s in range(t, T + 1))
        assert_equal(right, adjoint(H[t]))


@equation(
    "eq-linear-induction",
    r"""W_{hh}^\top\, \frac{\mathrm{d}L}{\mathrm{d}h_{t+1}} = \sum_{s=t+1}^{T} (W_{hh}^\top)^{s-t}\,
    W_{qh}^\top\, \frac{\mathrm{d}L}{\mathrm{d}o_s}""",
)
def _():
    for t in range(1, T):
        right = sum(power(W_hh.T, s - t) @ W_qh.T @ adjoint(o[s]) for s in range(t + 1, T + 1))
        assert_equal(right, W_hh.T @ adjoint(H[t + 1]))


@equation(
    "eq-linear-expanded",
    r"""\frac{\mathrm{d}L}{\mathrm{d}h_t} = \sum_{i=t}^{T} (W_{hh}^\top)^{T-i}\, W_{qh}^\top\,
    \frac{\mathrm{d}L}{\mathrm{d}o_{T+t-i}}""",
)
def _():
    for t in STEPS:
        right = sum(power(W_hh.T, T - i) @ W_qh.T @ adjoint(o[T + t - i]) for i in range(t, T + 1))
        assert_equal(right, adjoint(H[t]))


@equation(
    "eq-linear-reindex",
    r"""s = T + t - i, \qquad\text{so that}\qquad s - t = T - i""",
)
def _():
    """For every T and t it runs once through all losses from T down to t."""
    for last in range(1, 9):
        for t in range(1, last + 1):
            losses = [last + t - i for i in range(t, last + 1)]
            assert losses == list(range(last, t - 1, -1))
            lags = [s - t for s in losses]
            assert lags == [last - i for i in range(t, last + 1)]


@equation(
    "eq-linear-gradients",
    r"""\begin{gathered}
    \frac{\mathrm{d}L}{\mathrm{d}W_{hx}} = \sum_{t=1}^{T} \frac{\mathrm{d}L}{\mathrm{d}h_t}\,
    x_t^\top, \\
    \frac{\mathrm{d}L}{\mathrm{d}W_{hh}} = \sum_{t=1}^{T} \frac{\mathrm{d}L}{\mathrm{d}h_t}\,
    h_{t-1}^\top
    \end{gathered}""",
)
def _():
    dW_hx = sum(torch.outer(adjoint(H[t]), x[t]) for t in STEPS)
    dW_hh = sum(torch.outer(adjoint(H[t]), H[t - 1]) for t in STEPS)
    assert_equal(dW_hx, adjoint(W_hx))
    assert_equal(dW_hh, adjoint(W_hh))


@equation(
    "eq-linear-other-gradients",
    r"""\begin{gathered}
    \frac{\mathrm{d}L}{\mathrm{d}W_{qh}} = \sum_{t=1}^{T} \frac{\mathrm{d}L}{\mathrm{d}o_t}\,
    h_t^\top, \\
    \frac{\mathrm{d}L}{\mathrm{d}h_0} = W_{hh}^\top\, \frac{\mathrm{d}L}{\mathrm{d}h_1}
    \end{gathered}""",
)
def _():
    dW_qh = sum(torch.outer(adjoint(o[t]), H[t]) for t in STEPS)
    assert_equal(dW_qh, adjoint(W_qh))
    assert_equal(W_hh.T @ adjoint(H[1]), adjoint(H[0]))


@equation(
    "eq-linear-forward",
    r"""\begin{gathered}
    \frac{\mathrm{d}h_t}{\mathrm{d}(W_{hh})_{ab}} = e_a\, h_{t-1,b} + W_{hh}\,
    \frac{\mathrm{d}h_{t-1}}{\mathrm{d}(W_{hh})_{ab}}, \\
    \frac{\mathrm{d}h_0}{\mathrm{d}(W_{hh})_{ab}} = 0
    \end{gathered}""",
)
def _():
    for a in range(n):
        for b in range(n):
            before = torch.zeros(n, dtype=torch.float64)
            for t in STEPS:
                before = e[a] * H[t - 1][b] + W_hh @ before
                assert_equal(before, derivative(H[t], W_hh)[:, a, b])


@equation(
    "eq-linear-weight",
    r"""\begin{gathered}
    \frac{\mathrm{d}h_t}{\mathrm{d}(W_{hh})_{ab}} = \sum_{j=1}^{t} W_{hh}^{\,t-j} e_a\,
    h_{j-1,b}, \\
    \frac{\mathrm{d}h_t}{\mathrm{d}(W_{hx})_{ac}} = \sum_{j=1}^{t} W_{hh}^{\,t-j} e_a\,
    x_{j,c}
    \end{gathered}""",
)
def _():
    for t in STEPS:
        by_W_hh, by_W_hx = derivative(H[t], W_hh), derivative(H[t], W_hx)
        uses = range(1, t + 1)
        for a in range(n):
            for b in range(n):
                total = sum(power(W_hh, t - j) @ e[a] * H[j - 1][b] for j in uses)
                assert_equal(total, by_W_hh[:, a, b])
            for c in range(len(x[1])):
                total = sum(power(W_hh, t - j) @ e[a] * x[j][c] for j in uses)
                assert_equal(total, by_W_hx[:, a, c])


@equation(
    "eq-linear-jacobian",
    r"""\frac{\mathrm{d}h_T}{\mathrm{d}h_t} = W_{hh}^{\,T-t}""",
)
def _():
    for t in range(T + 1):
        assert_equal(power(W_hh, T - t), derivative(H[T], H[t]))


@equation(
    "eq-linear-with-adjoint",
    r"""\frac{\mathrm{d}(g^\top h_t)}{\mathrm{d}W_{hh}} = \sum_{j=1}^{t} (W_{hh}^\top)^{t-j}\, g\,
    h_{j-1}^\top""",
)
def _():
    g = torch.tensor([0.7, -1.1, 0.4], dtype=torch.float64)
    for t in STEPS:
        total = sum(torch.outer(power(W_hh.T, t - j) @ g, H[j - 1]) for j in range(1, t + 1))
        assert_equal(total, derivative(g @ H[t], W_hh))


@equation(
    "eq-linear-shifted",
    r"""\begin{gathered}
    \sum_{j=1}^{t} W_{hh}^{\,t-j}\, e_a\, h_{j,b} -
    \frac{\mathrm{d}h_t}{\mathrm{d}(W_{hh})_{ab}} \\
    = \sum_{j=1}^{t} W_{hh}^{\,t-j}\, e_a\, (h_{j,b} - h_{j-1,b})
    \end{gathered}""",
)
def _():
    for t in STEPS:
        exact = derivative(H[t], W_hh)
        uses = range(1, t + 1)
        for a in range(n):
            for b in range(n):
                as_first_printed = sum(power(W_hh, t - j) @ e[a] * H[j][b] for j in uses)
                right = sum(power(W_hh, t - j) @ e[a] * (H[j][b] - H[j - 1][b]) for j in uses)
                assert_equal(right, as_first_printed - exact[:, a, b])


@equation(
    "eq-linear-path",
    r"""p_{jt} = \Big(\frac{\partial L}{\partial h_t}\Big)^{\!\top} W_{hh}^{\,t-j}\;
    \frac{\partial h_j}{\partial w}, \qquad 1 \le j \le t \le T""",
)
def _():
    """Each use its own copy of the weight: what the loss of step t asks of copy j alone."""
    for weight in ("W_hh", "W_hx"):
        for j in STEPS:
            copies = [None, *(getattr(net, weight).detach().clone() for _ in STEPS)]
            copies[j].requires_grad_()
            h = H[0].detach()
            for t in STEPS:
                W = {"W_hx": W_hx.detach(), "W_hh": W_hh.detach()} | {weight: copies[t]}
                h = W["W_hx"] @ x[t] + W["W_hh"] @ h
                if t >= j:
                    loss = ((W_qh.detach() @ h - net.y[t]) ** 2).sum() / 2 / T
                    assert_equal(path(j, t, weight), derivative(loss, copies[j]))


@equation(
    "eq-linear-rows-columns",
    r"""\begin{gathered}
    \sum_{t=j}^{T} p_{jt} = \Big(\frac{\mathrm{d}L}{\mathrm{d}h_j}\Big)^{\!\top} \frac{\partial
    h_j}{\partial w}, \\
    \sum_{j=1}^{t} p_{jt} = \Big(\frac{\partial L}{\partial h_t}\Big)^{\!\top}
    \frac{\mathrm{d}h_t}{\mathrm{d}w}
    \end{gathered}""",
)
def _():
    for weight in ("W_hh", "W_hx"):
        for j in STEPS:
            row = sum(path(j, t, weight) for t in range(j, T + 1))
            assert_equal(row, matched(adjoint(H[j]), immediate(j, weight)))
        for t in STEPS:
            column = sum(path(j, t, weight) for j in range(1, t + 1))
            total = derivative(H[t], getattr(net, weight))
            assert_equal(column, matched(direct(t), total))


@equation(
    "eq-linear-exchange",
    r"""\sum_{j=1}^{T} \sum_{t=j}^{T} p_{jt} = \sum_{t=1}^{T} \sum_{j=1}^{t} p_{jt}""",
)
def _():
    """The same pairs, each once, for every T; and both are the gradient."""
    for last in range(1, 9):
        rows_first = [(j, t) for j in range(1, last + 1) for t in range(j, last + 1)]
        columns_first = [(j, t) for t in range(1, last + 1) for j in range(1, t + 1)]
        assert sorted(rows_first) == sorted(columns_first)
        assert len(set(rows_first)) == len(rows_first) == last * (last + 1) // 2
    for weight in ("W_hh", "W_hx"):
        left = sum(path(j, t, weight) for j in STEPS for t in range(j, T + 1))
        right = sum(path(j, t, weight) for t in STEPS for j in range(1, t + 1))
        assert_equal(left, adjoint(getattr(net, weight)))
        assert_equal(right, adjoint(getattr(net, weight)))


@equation(
    "eq-linear-two-right",
    r"""\begin{aligned}
    \frac{\mathrm{d}L}{\mathrm{d}w} & = \sum_{t=1}^{T}
    \Big(\frac{\mathrm{d}L}{\mathrm{d}h_t}\Big)^{\!\top} \frac{\partial h_t}{\partial w} \\
    & = \sum_{t=1}^{T} \Big(\frac{\partial L}{\partial h_t}\Big)^{\!\top}
    \frac{\mathrm{d}h_t}{\mathrm{d}w}
    \end{aligned}""",
)
def _():
    """For both weights, and for tanh as well, as the text says."""
    for network in (net, curved):
        for name in ("W_hh", "W_hx"):
            weight = getattr(network, name)
            left = sum(
                matched(derivative(network.L, network.H[t]), immediate(t, name, network))
                for t in STEPS
            )
            right = sum(
                matched(direct(t, network), derivative(network.H[t], weight)) for t in STEPS
            )
            assert_equal(left, derivative(network.L, weight))
            assert_equal(right, derivative(network.L, weight))


@equation(
    "eq-linear-meeting",
    r"""\begin{aligned}
    \Big(\frac{\mathrm{d}L}{\mathrm{d}h_s}\Big)^{\!\top} \frac{\mathrm{d}h_s}{\mathrm{d}w} & =
    \sum_{t=s}^{T} \sum_{j=1}^{s} \Big(\frac{\partial L}{\partial h_t}\Big)^{\!\top}
    W_{hh}^{\,t-s}\, W_{hh}^{\,s-j}\; \frac{\partial h_j}{\partial w} \\
    & = \sum_{t=s}^{T} \sum_{j=1}^{s} p_{jt}
    \end{aligned}""",
)
def _():
    for s in STEPS:
        expected = matched(adjoint(H[s]), derivative(H[s], W_hh))
        pairs = [(j, t) for t in range(s, T + 1) for j in range(1, s + 1)]
        middle = sum(
            matched(direct(t) @ power(W_hh, t - s) @ power(W_hh, s - j), immediate(j, "W_hh"))
            for j, t in pairs
        )
        assert_equal(middle, expected)
        assert_equal(sum(path(j, t, "W_hh") for j, t in pairs), expected)


@equation(
    "eq-linear-total-total",
    r"""\sum_{s=1}^{T} \Big(\frac{\mathrm{d}L}{\mathrm{d}h_s}\Big)^{\!\top}
    \frac{\mathrm{d}h_s}{\mathrm{d}w} = \sum_{1 \le j \le t \le T} (t - j + 1)\, p_{jt}""",
)
def _():
    for name in ("W_hh", "W_hx"):
        weight = getattr(net, name)
        left = sum(matched(adjoint(H[s]), derivative(H[s], weight)) for s in STEPS)
        right = sum((t - j + 1) * path(j, t, name) for t in STEPS for j in range(1, t + 1))
        assert_equal(right, left)


@equation(
    "eq-linear-direct-immediate",
    r"""\sum_{s=1}^{T} \Big(\frac{\partial L}{\partial h_s}\Big)^{\!\top}
    \frac{\partial h_s}{\partial w} = \sum_{s=1}^{T} p_{ss}""",
)
def _():
    """Against autograd on a network whose states are cut from their past at every step."""
    for name in ("W_hh", "W_hx"):
        weight = getattr(net, name).detach().requires_grad_()
        weights = {"W_hx": W_hx.detach(), "W_hh": W_hh.detach()} | {name: weight}
        loss = 0
        for t in STEPS:
            h = weights["W_hx"] @ x[t] + weights["W_hh"] @ H[t - 1].detach()
            loss = loss + ((W_qh.detach() @ h - net.y[t]) ** 2).sum() / 2 / T
        cut = derivative(loss, weight)
        assert_equal(sum(matched(direct(s), immediate(s, name)) for s in STEPS), cut)
        assert_equal(sum(path(s, s, name) for s in STEPS), cut)


@equation(
    "eq-linear-equal-paths",
    r"""\begin{aligned}
    \sum_{k=0}^{T-1} (k+1)(T-k) & = \frac{T(T+1)(T+2)}{6} \\
    & = \frac{T+2}{3} \cdot \frac{T(T+1)}{2}
    \end{aligned}""",
)
def _():
    """Against a count of all triples j <= s <= t and of all pairs j <= t."""
    for last in range(1, 12):
        steps = range(1, last + 1)
        triples = sum(j <= s <= t for j in steps for s in steps for t in steps)
        pairs = sum(j <= t for j in steps for t in steps)
        assert sum((k + 1) * (last - k) for k in range(last)) == triples
        assert Fraction(last * (last + 1) * (last + 2), 6) == triples
        assert Fraction(last * (last + 1), 2) == pairs
        assert Fraction(last + 2, 3) * pairs == triples


@equation(
    "eq-linear-path-general",
    r"""p_{jt} = \Big(\frac{\partial L}{\partial h_t}\Big)^{\!\top} J_t\, J_{t-1} \cdots J_{j+1}\;
    \frac{\partial h_j}{\partial w}""",
)
def _():
    """With tanh: rows, columns and the whole table of these numbers are what autograd finds."""
    D = [torch.diag(1 - h**2) for h in curved.H]
    J = [None, *(D[i] @ curved.W_hh for i in STEPS)]
    for t in STEPS:
        step = lambda h, t=t: torch.tanh(curved.W_hx @ curved.x[t] + curved.W_hh @ h)  # noqa: E731
        exact = torch.autograd.functional.jacobian(step, curved.H[t - 1].detach())
        assert_equal(J[t], exact)

    def general(j, t, weight):
        vector = direct(t, curved)
        for i in range(t, j, -1):
            vector = vector @ J[i]
        return matched(vector, immediate(j, weight, curved))

    for name in ("W_hh", "W_hx"):
        weight = getattr(curved, name)
        for j in STEPS:
            row = sum(general(j, t, name) for t in range(j, T + 1))
            assert_equal(
                row, matched(derivative(curved.L, curved.H[j]), immediate(j, name, curved))
            )
        for t in STEPS:
            column = sum(general(j, t, name) for j in range(1, t + 1))
            assert_equal(column, matched(direct(t, curved), derivative(curved.H[t], weight)))
        twice = sum((t - j + 1) * general(j, t, name) for t in STEPS for j in range(1, t + 1))
        totals = sum(
            matched(derivative(curved.L, curved.H[s]), derivative(curved.H[s], weight))
            for s in STEPS
        )
        assert_equal(twice, totals)
