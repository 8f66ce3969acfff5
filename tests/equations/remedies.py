"""Checks of the equations of chapter 9, "Remedies"."""

import math
from types import SimpleNamespace

import torch
from ledger import equation
from network import assert_equal, derivative, normal, tanh_network
from torch.utils.flop_counter import FlopCounterMode

from bptt import RNN, squared_error
from bptt.explore.remedies import _loss_and_gradient
from bptt.remedies import adjoints, regulariser_gradient

net = tanh_network()
T, n, d, W, H = net.T, net.n, 2, net.W_hh, net.H
STEPS = range(1, T + 1)
D = [torch.diag(1 - h**2) for h in H]
WEIGHTS = ("W_hx", "W_hh", "W_qh")
ONES = torch.ones(n, dtype=torch.float64)
I = torch.eye(n, dtype=torch.float64)


def total(of, network=net):
    return derivative(network.L, of)


def gradients():
    return [total(getattr(net, name)) for name in WEIGHTS]


def flat(tensors):
    return torch.cat([t.flatten() for t in tensors])


def e(t, network=net):
    """The direct adjoint, by autograd: the loss of step t alone."""
    h = network.H[t].detach().requires_grad_()
    return derivative(((network.W_qh @ h - network.y[t]) ** 2).sum() / (2 * network.T), h)


def by_torch(clip, tensors, threshold):
    leaves = [torch.zeros_like(g).requires_grad_() for g in tensors]
    for leaf, g in zip(leaves, tensors, strict=True):
        leaf.grad = g.clone()
    clip(leaves, threshold)
    return flat([leaf.grad for leaf in leaves])


@equation(
    "eq-remedy-message",
    r"""\begin{gathered}
    \frac{\mathrm{d}L}{\mathrm{d}z_t} = D_t\, (e_t + m_t), \\
    m_t = W_{hh}^\top \frac{\mathrm{d}L}{\mathrm{d}z_{t+1}}, \qquad m_T = 0
    \end{gathered}""",
)
def _():
    for t in STEPS:
        m = W.T @ total(net.z[t + 1]) if t < T else 0
        assert_equal(D[t] @ (e(t) + m), total(net.z[t]))
        assert_equal(net.W_qh.T @ total(net.o[t]), e(t))  # as the text says in a line


@equation(
    "eq-remedy-norm",
    r"""\begin{gathered}
    \operatorname{clip}_\theta(g) = \min\Big(1, \frac{\theta}{\lVert g \rVert}\Big)\, g, \\
    \lVert g \rVert^2 = \sum_{W} \sum_{a,b} \Big(\frac{\mathrm{d}L}{\mathrm{d}W}\Big)_{ab}^2
    \end{gathered}""",
)
def _():
    """Large gradients, so that the 1e-6 that PyTorch adds to the norm is too small to be seen."""
    g = [1e8 * gradient for gradient in gradients()]
    norm = math.sqrt(sum(v**2 for gradient in g for v in gradient.flatten().tolist()))
    for threshold in (0.3 * norm, 0.9 * norm, 1.7 * norm):
        ours = flat([min(1, threshold / norm) * gradient for gradient in g])
        judge = by_torch(torch.nn.utils.clip_grad_norm_, g, threshold)
        assert_equal(ours, judge)


@equation(
    "eq-remedy-value",
    r"\operatorname{cut}_\theta(g)_a = \max\big(-\theta, \min(\theta, g_a)\big)",
)
def _():
    g = gradients()
    theta = 0.3 * float(flat(g).abs().max())
    assert (flat(g) > theta).any() and (flat(g) < -theta).any()
    ours = torch.stack([max(-theta, min(theta, v)) * ONES[0] for v in flat(g).tolist()])
    assert_equal(ours, by_torch(torch.nn.utils.clip_grad_value_, g, theta))


@equation(
    "eq-remedy-descent",
    r"""g^\top \operatorname{cut}_\theta(g) = \sum_{a} |g_a|\, \min(\theta, |g_a|) > 0""",
)
def _():
    """Left: the rate at which the loss falls along the cut gradient, by central differences."""
    g = gradients()
    theta = 0.3 * float(flat(g).abs().max())
    cut = [gradient.clamp(-theta, theta) for gradient in g]
    X, Y = torch.stack(net.x[1:])[:, None], torch.stack(net.y[1:])[:, None]

    def loss(step):
        moved = [getattr(net, name) + step * c for name, c in zip(WEIGHTS, cut, strict=True)]
        return squared_error(RNN(*moved)(X, H[0][None]).O, Y)[0]

    right = sum(abs(v) * min(theta, abs(v)) for v in flat(g).tolist())
    assert right > 0
    assert_equal(right, (loss(1e-5) - loss(-1e-5)) / 2e-5, tolerance=1e-7)


@equation("eq-remedy-cliff", r"h_t = \tanh(w\, h_{t-1} + b), \qquad L = \tfrac12\, h_T^2")
def _():
    """Plain Python, torch.nn.RNN with one unit, and the figure's function; its gradient, too."""
    w, b = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (1.7, -0.28))
    h = 0.5
    for _ in range(20):
        h = torch.tanh(w * h + b)
    L = h**2 / 2
    module = torch.nn.RNN(1, 1, dtype=torch.float64)
    zero = torch.zeros(1, 1, dtype=torch.float64)
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    values = (zero, w.detach().reshape(1, 1), b.detach().reshape(1), zero[0])
    module.load_state_dict(dict(zip(names, values, strict=True)))
    state = module(zero.expand(20, 1), zero + 0.5)[1]
    assert_equal(L, state[0, 0] ** 2 / 2)
    found = _loss_and_gradient(1.7, -0.28)
    for ours, judge in zip(found, (L, *torch.autograd.grad(L, (w, b))), strict=True):
        assert_equal(float(ours), judge)


def clipped_inside(theta):
    """Autograd with a hook that clips each message: an oracle that shares no line with ours."""
    weight = W.detach().requires_grad_()
    h, z, messages, L = H[0].detach(), [None], [None], 0.0

    def clip(message):
        messages.append(message)
        return message * min(1.0, theta / float(message.norm()))

    for t in STEPS:
        sent = h.clone()
        if sent.requires_grad:
            sent.register_hook(clip)
        z.append(net.W_hx.detach() @ net.x[t] + weight @ sent)
        h = torch.tanh(z[t])
        L = L + ((net.W_qh.detach() @ h - net.y[t]) ** 2).sum() / (2 * T)
    found = torch.autograd.grad(L, [weight, *z[1:]])
    return SimpleNamespace(dW=found[0], a=[None, *found[1:]], messages=[None, *messages[:0:-1]])


THETA = 0.2
inside = clipped_inside(THETA)
s = [None] + [min(1.0, THETA / (W.T @ inside.a[t + 1]).norm().item()) for t in range(1, T)]


@equation(
    "eq-remedy-inside",
    r"""\begin{gathered}
    \hat a_t = D_t\, (e_t + \hat m_t), \qquad \hat m_t = s_t\, W_{hh}^\top\, \hat a_{t+1}, \\
    s_t = \min\Big(1, \frac{\theta}{\lVert W_{hh}^\top\, \hat a_{t+1} \rVert}\Big)
    \end{gathered}""",
)
def _():
    assert min(s[1:]) < 0.8 and max(s[1:]) == 1  # some messages are clipped, some are not
    for t in range(1, T):
        m_hat = s[t] * W.T @ inside.a[t + 1]
        assert_equal(D[t] @ (e(t) + m_hat), inside.a[t])
    assert_equal(D[T] @ e(T), inside.a[T])
    tape = RNN(net.W_hx, W, net.W_qh)(torch.stack(net.x[1:])[:, None], H[0][None])
    dO = torch.stack([total(o) for o in net.o[1:]])[:, None]
    assert_equal(adjoints(tape, dO, THETA)[:, 0], torch.stack(inside.a[1:]))


@equation(
    "eq-remedy-inside-sum",
    r"""\begin{gathered}
    \sum_{t=1}^{T} \hat a_t\, h_{t-1}^\top = \sum_{j=1}^{T} \sum_{i=j}^{T}
    \Big(\prod_{k=j}^{i-1} s_k\Big)\, P_{ji}\, e_i\, h_{j-1}^\top, \\
    P_{ji} = D_j\, W_{hh}^\top\, D_{j+1} \cdots W_{hh}^\top\, D_i
    \end{gathered}""",
)
def _():
    right = torch.zeros(n, n, dtype=torch.float64)
    for j in STEPS:
        for i in range(j, T + 1):
            path = D[j]
            for k in range(j + 1, i + 1):
                path = path @ W.T @ D[k]
            right = right + math.prod(s[j:i]) * torch.outer(path @ e(i), H[j - 1])
    left = sum(torch.outer(inside.a[t], H[t - 1]) for t in STEPS)
    assert_equal(right, inside.dW)
    assert_equal(left, inside.dW)


@equation(
    "eq-remedy-orthogonal",
    r"""\begin{gathered}
    \lVert D_T\, Q\; D_{T-1}\, Q \cdots D_{t+1}\, Q \rVert_2 \\
    \le\; \prod_{i=t+1}^{T} \max_a\, (1 - h_{i,a}^2) \;\le\; 1
    \end{gathered}""",
)
def _():
    """Random states obey it; where all units share a state the first two are equal."""
    Q = torch.linalg.qr(normal(n, n, seed=7))[0]
    for states, tight in ((H, False), ([0.3 * t / T * ONES for t in range(T + 1)], True)):
        for t in range(T):
            J, bound = I, 1.0
            for i in range(t + 1, T + 1):
                J = torch.diag(1 - states[i] ** 2) @ Q @ J
                bound = bound * (1 - states[i] ** 2).max().item()
            norm = torch.linalg.matrix_norm(J, 2)
            assert norm <= bound * (1 + 1e-12) and bound <= 1
            if tight:
                assert_equal(norm, bound)


ALPHA = 0.3


def leaky(h, t):
    z = net.W_hx @ net.x[t] + W @ h
    return (1 - ALPHA) * h + ALPHA * torch.tanh(z)


@equation("eq-remedy-leaky", r"h_t = (1 - \alpha)\, h_{t-1} + \alpha \tanh(z_t)")
def _():
    """Between the state before and the library's new state, at the place alpha."""
    h = H[0]
    for t in STEPS:
        new = RNN(net.W_hx, W, net.W_qh)(net.x[t][None, None], h[None]).H[1, 0]
        assert_equal(leaky(h, t), torch.lerp(h, new, ALPHA))
        h = leaky(h, t).detach()


@equation(
    "eq-remedy-leaky-jacobian",
    r"""\frac{\partial h_t}{\partial h_{t-1}} = (1 - \alpha)\, I
    + \alpha\, \operatorname{diag}\big(1 - \tanh^2(z_t)\big)\, W_{hh}""",
)
def _():
    for t in STEPS:
        h = H[t - 1].detach()
        z = net.W_hx @ net.x[t] + W @ h
        right = (1 - ALPHA) * I + ALPHA * torch.diag(1 - torch.tanh(z) ** 2) @ W
        assert_equal(right, torch.autograd.functional.jacobian(lambda h: leaky(h, t), h))  # noqa: B023


def gated(kind):
    """A gated network as torch's module computes it, a step a call; E[t] is the direct adjoint."""
    torch.manual_seed(9)
    module = kind(d, n, bias=False, dtype=torch.float64)
    state = (
        normal(1, n, seed=11).requires_grad_(),
        (0.8 * normal(1, n, seed=12)).requires_grad_(),
    )
    state = state if kind is torch.nn.LSTM else state[0]
    states, L = [state], 0.0
    for t in STEPS:
        _, state = module(net.x[t][None], states[-1])
        states.append(state)
        h = state[0] if kind is torch.nn.LSTM else state
        L = L + ((net.W_qh.detach() @ h[0] - net.y[t]) ** 2).sum() / (2 * T)
    h = [state[0] if kind is torch.nn.LSTM else state for state in states]
    c = [state[1] if kind is torch.nn.LSTM else None for state in states]
    found = SimpleNamespace(module=module, h=h, L=L, T=T, y=net.y, W_qh=net.W_qh.detach())
    found.W_x, found.W_h = module.weight_ih_l0.detach(), module.weight_hh_l0.detach()
    found.H = [state[0].detach() for state in h]
    found.C = [None if cell is None else cell[0].detach() for cell in c]
    return found


def pre_activation_gradients(found, step):
    """By autograd, dL/dz_t for all t, with our own forward pass ``step(z_parts, t, states)``."""
    leaves = [None] + [
        torch.zeros(len(found.W_x), dtype=torch.float64).requires_grad_() for _ in STEPS
    ]
    state, L = (found.H[0], found.C[0]), 0.0
    for t in STEPS:
        state = step(leaves[t], t, state)
        L = L + ((found.W_qh @ state[0] - found.y[t]) ** 2).sum() / (2 * T)
    assert_equal(L, found.L)  # the same forward pass as torch's module
    return [None, *torch.autograd.grad(L, leaves[1:])]


lstm = gated(torch.nn.LSTM)


def lstm_gates(z):
    i, f, g, p = z.split(n)
    return torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(p)


def lstm_z(t):
    return lstm.W_x @ net.x[t] + lstm.W_h @ lstm.H[t - 1]


def lstm_step(nudge, t, state):
    h, c = state
    i, f, g, p = lstm_gates(lstm.W_x @ net.x[t] + lstm.W_h @ h + nudge)
    c = f * c + i * g
    return p * torch.tanh(c), c


lstm_dz = pre_activation_gradients(lstm, lstm_step)


@equation(
    "eq-remedy-lstm",
    r"""\begin{gathered}
    z_t = W_x\, x_t + W_h\, h_{t-1} = (z^i_t;\, z^f_t;\, z^g_t;\, z^p_t), \\
    i_t = \sigma(z^i_t), \quad f_t = \sigma(z^f_t), \quad g_t = \tanh(z^g_t), \quad
    p_t = \sigma(z^p_t), \\
    c_t = f_t \odot c_{t-1} + i_t \odot g_t, \qquad h_t = p_t \odot \tanh(c_t)
    \end{gathered}""",
)
def _():
    """Entry by entry in plain Python, against torch.nn.LSTM."""
    sigma = lambda v: 1 / (1 + math.exp(-v))  # noqa: E731
    for t in STEPS:
        z = [
            sum(a * b for a, b in zip(lstm.W_x[k].tolist(), net.x[t].tolist(), strict=True))
            + sum(a * b for a, b in zip(lstm.W_h[k].tolist(), lstm.H[t - 1].tolist(), strict=True))
            for k in range(4 * n)
        ]
        for unit in range(n):
            i, f, g, p = (z[unit + k * n] for k in range(4))
            c = sigma(f) * lstm.C[t - 1][unit].item() + sigma(i) * math.tanh(g)
            assert_equal(c, lstm.C[t][unit])
            assert_equal(sigma(p) * math.tanh(c), lstm.H[t][unit])


@equation(
    "eq-remedy-lstm-cell",
    r"""\frac{\mathrm{d}L}{\mathrm{d}c_t} = p_t \odot \big(1 - \tanh^2(c_t)\big) \odot
    \frac{\mathrm{d}L}{\mathrm{d}h_t} + f_{t+1} \odot \frac{\mathrm{d}L}{\mathrm{d}c_{t+1}}""",
)
def _():
    """Both adjoints come from autograd: a fresh h_t with c_t held, and a nudge of c_t."""
    for t in STEPS:
        p = lstm_gates(lstm_z(t))[3]
        right = p * (1 - torch.tanh(lstm.C[t]) ** 2) * _state_alone(t)
        if t < T:
            right = right + lstm_gates(lstm_z(t + 1))[1] * _cell_with_h(t + 1)
        assert_equal(right, _cell_with_h(t))


def _state_alone(t):
    """dL/dh_t by autograd: torch's module runs on from a fresh h_t, with c_t held."""
    h, c = lstm.H[t].clone().requires_grad_(), lstm.C[t]
    L = ((lstm.W_qh @ h - net.y[t]) ** 2).sum() / (2 * T)
    state = (h[None], c[None])
    for i in range(t + 1, T + 1):
        out, state = lstm.module(net.x[i][None], state)
        L = L + ((lstm.W_qh @ out[0] - net.y[i]) ** 2).sum() / (2 * T)
    return derivative(L, h)


def _cell_with_h(t):
    """dL/dc_t by autograd: a nudge of c_t inside the step, so that h_t feels it, too."""
    nudge = torch.zeros(n, dtype=torch.float64, requires_grad=True)
    h, c = lstm.H[t - 1], lstm.C[t - 1]
    L = 0.0
    for i in range(t, T + 1):
        gates = lstm_gates(lstm.W_x @ net.x[i] + lstm.W_h @ h)
        c = gates[1] * c + gates[0] * gates[2] + (nudge if i == t else 0)
        h = gates[3] * torch.tanh(c)
        L = L + ((lstm.W_qh @ h - net.y[i]) ** 2).sum() / (2 * T)
    return derivative(L, nudge)


@equation(
    "eq-remedy-lstm-gates",
    r"""\begin{gathered}
    \frac{\mathrm{d}L}{\mathrm{d}z^i_t} = i_t (1 - i_t) \odot g_t \odot
    \frac{\mathrm{d}L}{\mathrm{d}c_t}, \\
    \frac{\mathrm{d}L}{\mathrm{d}z^f_t} = f_t (1 - f_t) \odot c_{t-1} \odot
    \frac{\mathrm{d}L}{\mathrm{d}c_t}, \\
    \frac{\mathrm{d}L}{\mathrm{d}z^g_t} = (1 - g_t^2) \odot i_t \odot
    \frac{\mathrm{d}L}{\mathrm{d}c_t}, \\
    \frac{\mathrm{d}L}{\mathrm{d}z^p_t} = p_t (1 - p_t) \odot \tanh(c_t) \odot
    \frac{\mathrm{d}L}{\mathrm{d}h_t}
    \end{gathered}""",
)
def _():
    for t in STEPS:
        i, f, g, p = lstm_gates(lstm_z(t))
        dc, dh = _cell_with_h(t), _state_alone(t)
        parts = (
            i * (1 - i) * g * dc,
            f * (1 - f) * lstm.C[t - 1] * dc,
            (1 - g**2) * i * dc,
            p * (1 - p) * torch.tanh(lstm.C[t]) * dh,
        )
        for part, judge in zip(parts, lstm_dz[t].split(n), strict=True):
            assert_equal(part, judge)


@equation(
    "eq-remedy-lstm-state",
    r"""\frac{\mathrm{d}L}{\mathrm{d}h_t} = e_t + W_h^\top
    \frac{\mathrm{d}L}{\mathrm{d}z_{t+1}}""",
)
def _():
    for t in range(1, T):
        assert_equal(e(t, lstm) + lstm.W_h.T @ lstm_dz[t + 1], _state_alone(t))


@equation(
    "eq-remedy-lstm-path",
    r"""\frac{\partial c_T}{\partial c_t}\Big|_{\text{gates}} =
    \operatorname{diag}\Big(\prod_{i=t+1}^{T} f_i\Big)""",
)
def _():
    gates = [None] + [lstm_gates(lstm_z(t)) for t in STEPS]

    def last_cell(c, t):
        for i in range(t + 1, T + 1):
            c = gates[i][1] * c + gates[i][0] * gates[i][2]
        return c

    for t in range(T):
        product = torch.stack([gates[i][1] for i in range(t + 1, T + 1)]).prod(0)
        J = torch.autograd.functional.jacobian(lambda c: last_cell(c, t), lstm.C[t])  # noqa: B023
        assert_equal(torch.diag(product), J)


gru = gated(torch.nn.GRU)
(W_rx, W_ux, W_gx), (W_rh, W_uh, W_gh) = gru.W_x.split(n), gru.W_h.split(n)


def gru_gates(t, h, nudge):
    r = torch.sigmoid(W_rx @ net.x[t] + W_rh @ h + nudge[:n])
    u = torch.sigmoid(W_ux @ net.x[t] + W_uh @ h + nudge[n : 2 * n])
    v = W_gh @ h
    return r, u, torch.tanh(W_gx @ net.x[t] + r * v + nudge[2 * n :]), v


def gru_step(nudge, t, state):
    _, u, g, _ = gru_gates(t, state[0], nudge)
    return (1 - u) * g + u * state[0], None


gru_dz = pre_activation_gradients(gru, gru_step)
NO_NUDGE = torch.zeros(3 * n, dtype=torch.float64)


def gru_dh(t):
    return total(gru.h[t], gru)[0]


@equation(
    "eq-remedy-gru",
    r"""\begin{gathered}
    r_t = \sigma(z^r_t), \quad u_t = \sigma(z^u_t), \quad g_t = \tanh(z^g_t), \\
    z^r_t = W_{rx} x_t + W_{rh} h_{t-1}, \quad z^u_t = W_{ux} x_t + W_{uh} h_{t-1}, \\
    z^g_t = W_{gx} x_t + r_t \odot v_t, \quad v_t = W_{gh} h_{t-1}, \\
    h_t = (1 - u_t) \odot g_t + u_t \odot h_{t-1}
    \end{gathered}""",
)
def _():
    """Entry by entry in plain Python, against torch.nn.GRU."""
    sigma = lambda v: 1 / (1 + math.exp(-v))  # noqa: E731
    dot = lambda row, v: sum(a * b for a, b in zip(row.tolist(), v.tolist(), strict=True))  # noqa: E731
    for t in STEPS:
        x, h = net.x[t], gru.H[t - 1]
        for unit in range(n):
            r = sigma(dot(W_rx[unit], x) + dot(W_rh[unit], h))
            u = sigma(dot(W_ux[unit], x) + dot(W_uh[unit], h))
            g = math.tanh(dot(W_gx[unit], x) + r * dot(W_gh[unit], h))
            assert_equal((1 - u) * g + u * h[unit].item(), gru.H[t][unit])


@equation(
    "eq-remedy-gru-state",
    r"""\begin{gathered}
    \frac{\mathrm{d}L}{\mathrm{d}h_t} = e_t + u_{t+1} \odot
    \frac{\mathrm{d}L}{\mathrm{d}h_{t+1}} + W_{rh}^\top
    \frac{\mathrm{d}L}{\mathrm{d}z^r_{t+1}} \\
    +\; W_{uh}^\top \frac{\mathrm{d}L}{\mathrm{d}z^u_{t+1}} + W_{gh}^\top
    \Big(r_{t+1} \odot \frac{\mathrm{d}L}{\mathrm{d}z^g_{t+1}}\Big)
    \end{gathered}""",
)
def _():
    for t in range(1, T):
        r, u, _, _ = gru_gates(t + 1, gru.H[t], NO_NUDGE)
        dz_r, dz_u, dz_g = gru_dz[t + 1].split(n)
        right = e(t, gru) + u * gru_dh(t + 1)
        right = right + W_rh.T @ dz_r + W_uh.T @ dz_u + W_gh.T @ (r * dz_g)
        assert_equal(right, gru_dh(t))
    assert_equal(e(T, gru), gru_dh(T))


@equation(
    "eq-remedy-gru-gates",
    r"""\begin{gathered}
    \frac{\mathrm{d}L}{\mathrm{d}z^g_t} = (1 - g_t^2) \odot (1 - u_t) \odot
    \frac{\mathrm{d}L}{\mathrm{d}h_t}, \\
    \frac{\mathrm{d}L}{\mathrm{d}z^u_t} = u_t (1 - u_t) \odot (h_{t-1} - g_t) \odot
    \frac{\mathrm{d}L}{\mathrm{d}h_t}, \\
    \frac{\mathrm{d}L}{\mathrm{d}z^r_t} = r_t (1 - r_t) \odot v_t \odot
    \frac{\mathrm{d}L}{\mathrm{d}z^g_t}
    \end{gathered}""",
)
def _():
    for t in STEPS:
        r, u, g, v = gru_gates(t, gru.H[t - 1], NO_NUDGE)
        dh = gru_dh(t)
        dz_g = (1 - g**2) * (1 - u) * dh
        parts = (r * (1 - r) * v * dz_g, u * (1 - u) * (gru.H[t - 1] - g) * dh, dz_g)
        for part, judge in zip(parts, gru_dz[t].split(n), strict=True):
            assert_equal(part, judge)


def messages(weight):
    """The a_{t+1} of all links, by autograd, and rho_t for any weight with a and D held fixed."""
    a = [None] + [total(net.z[t]) for t in STEPS]
    b = [None] + [D[t].detach() @ weight.T @ a[t + 1] for t in range(1, T)]
    rho = [None] + [b[t].norm() / a[t + 1].norm() for t in range(1, T)]
    return a, b, rho


@equation(
    "eq-remedy-regulariser",
    r"""\begin{gathered}
    \Omega = \frac{1}{T-1} \sum_{t=1}^{T-1} (\rho_t - 1)^2, \\
    \rho_t = \frac{\lVert D_t\, W_{hh}^\top\, a_{t+1} \rVert}{\lVert a_{t+1} \rVert}
    \end{gathered}""",
)
def _():
    """Autograd carries a_{t+1} back over one link; central differences say what the mean is."""
    a, _, rho = messages(W.detach())
    omega = sum((rho[t] - 1) ** 2 for t in range(1, T)) / (T - 1)
    judge = []
    for t in range(1, T):
        (passed,) = torch.autograd.grad(net.z[t + 1], net.z[t], a[t + 1], retain_graph=True)
        judge.append(passed.norm() / a[t + 1].norm())
    assert_equal(omega, ((torch.stack(judge) - 1) ** 2).mean())


@equation(
    "eq-remedy-regulariser-gradient",
    r"""\frac{\partial \Omega}{\partial W_{hh}} = \frac{1}{T-1} \sum_{t=1}^{T-1}
    \frac{2\, (\rho_t - 1)}{\lVert a_{t+1} \rVert\, \lVert b_t \rVert}\;
    a_{t+1}\, (D_t\, b_t)^\top""",
)
def _():
    weight = W.detach().requires_grad_()
    omega = sum((rho - 1) ** 2 for rho in messages(weight)[2][1:]) / (T - 1)
    a, b, rho = messages(W.detach())
    right = sum(
        2 * (rho[t] - 1) / (a[t + 1].norm() * b[t].norm()) * torch.outer(a[t + 1], D[t] @ b[t])
        for t in range(1, T)
    ) / (T - 1)
    assert_equal(right, derivative(omega, weight))
    tape = RNN(net.W_hx, W, net.W_qh)(torch.stack(net.x[1:])[:, None], H[0][None])
    assert_equal(regulariser_gradient(tape, torch.stack(a[1:])[:, None]), right)


GAMMA, EPSILON = normal(n, seed=13), 0.1


def normalised(z):
    mu = sum(z) / n
    s_t = (sum((entry - mu) ** 2 for entry in z) / n + EPSILON) ** 0.5
    return (z - mu * ONES) / s_t, s_t


@equation(
    "eq-remedy-layer-norm",
    r"""\hat z_t = (z_t - \mu_t \mathbf{1}) / s_t, \qquad
    h_t = \tanh(\gamma \odot \hat z_t)""",
)
def _():
    for t in STEPS:
        judge = torch.nn.functional.layer_norm(net.z[t], (n,), GAMMA, eps=EPSILON)
        assert_equal(torch.tanh(GAMMA * normalised(net.z[t])[0]), torch.tanh(judge))


@equation(
    "eq-remedy-layer-norm-jacobian",
    r"""\frac{\partial h_t}{\partial h_{t-1}} = D_t\, \operatorname{diag}(\gamma)\,
    \frac{1}{s_t} \Big( I - \tfrac1n \mathbf{1} \mathbf{1}^\top
    - \tfrac1n\, \hat z_t\, \hat z_t^\top \Big)\, W_{hh}""",
)
def _():
    for t in STEPS:

        def step(h, t=t):
            z = net.W_hx @ net.x[t] + W @ h
            return torch.tanh(torch.nn.functional.layer_norm(z, (n,), GAMMA, eps=EPSILON))

        z_hat, s_t = normalised(net.z[t].detach())
        slopes = torch.diag(1 - step(H[t - 1]).detach() ** 2)
        P = I - torch.outer(ONES, ONES) / n - torch.outer(z_hat, z_hat) / n
        right = slopes @ torch.diag(GAMMA) @ P @ W / s_t
        assert_equal(right, torch.autograd.functional.jacobian(step, H[t - 1].detach()))


@equation(
    "eq-remedy-window",
    r"""G_k = \sum_{i=1}^{T} \; \sum_{j=\max(1,\, i-k+1)}^{i} P_{ji}\, e_i\, h_{j-1}^\top""",
)
def _():
    """Autograd, one loss at a time, with the state detached k steps before it."""
    for k in (1, 3, T, T + 2):
        right = torch.zeros(n, n, dtype=torch.float64)
        judge = torch.zeros(n, n, dtype=torch.float64)
        for i in STEPS:
            for j in range(max(1, i - k + 1), i + 1):
                path = D[j]
                for step in range(j + 1, i + 1):
                    path = path @ W.T @ D[step]
                right = right + torch.outer(path @ e(i), H[j - 1])
            h, weight = H[max(0, i - k)].detach(), W.detach().requires_grad_()
            for step in range(max(0, i - k) + 1, i + 1):
                h = torch.tanh(net.W_hx.detach() @ net.x[step] + weight @ h)
            loss = ((net.W_qh.detach() @ h - net.y[i]) ** 2).sum() / (2 * T)
            judge = judge + derivative(loss, weight)
        assert_equal(right, judge)


@equation(
    "eq-remedy-gauss-newton",
    r"""\frac{\mathrm{d}L/\mathrm{d}w}{(\mathrm{d}h_T/\mathrm{d}w)^2} =
    \frac{h_T - y}{T\, w^{T-1}\, h_0}""",
)
def _():
    for value, h_0, y, steps in ((1.3, 0.7, 0.4, 7), (-0.8, -1.2, 2.0, 5), (2.0, 3.0, 1.0, 1)):
        w = torch.tensor(value, dtype=torch.float64, requires_grad=True)
        h = torch.tensor(h_0, dtype=torch.float64)
        for _ in range(steps):
            h = w * h
        L = (h - y) ** 2 / 2
        (dL,) = torch.autograd.grad(L, w, retain_graph=True)
        (dh,) = torch.autograd.grad(h, w)
        left = dL / dh**2
        assert_equal((h.item() - y) / (steps * value ** (steps - 1) * h_0), left)


@equation("eq-remedy-cost", r"C_k = k\, n\, (d + n)")
def _():
    """PyTorch's own count, two operations for each product, for one step of its own cells."""
    kinds = ((1, torch.nn.RNNCell), (3, torch.nn.GRUCell), (4, torch.nn.LSTMCell))
    for inputs, units in ((2, 3), (5, 4)):
        for k, kind in kinds:
            cell = kind(inputs, units, bias=False)
            with FlopCounterMode(display=False) as counter:
                cell(torch.zeros(1, inputs))
            assert k * units * (inputs + units) == counter.get_total_flops() / 2
