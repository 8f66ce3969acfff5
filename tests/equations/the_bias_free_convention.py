"""Checks of the equations of chapter 4, "The bias-free convention"."""

import math
from types import SimpleNamespace

import torch
from ledger import equation
from network import assert_equal, derivative, normal
from torch.nn.functional import linear, mse_loss

from bptt import RNN, augment, bptt, squared_error

d, n, q, T, B = 2, 3, 4, 7, 5
STEPS = range(1, T + 1)
F64 = {"dtype": torch.float64}
one = torch.ones(1, **F64)


def biased_network(h0=None, W_hx_aug=None):
    """The network with both biases, one sequence, as a plain loop that autograd can follow.

    Indices are those of the equations: ``x[t]``, ``z[t]``, ``o[t]`` and ``y[t]`` belong to step t.
    ``W_hx_aug`` gives b and W_hx as columns of one leaf, ``h0`` another initial state.
    """
    leaf = lambda *shape, seed: normal(*shape, seed=seed).requires_grad_()  # noqa: E731
    net = SimpleNamespace(
        W_hx=leaf(n, d, seed=41),
        W_hh=leaf(n, n, seed=42),
        W_qh=leaf(q, n, seed=43),
        b=leaf(n, seed=44),
        b_q=leaf(q, seed=45),
        H=[leaf(n, seed=46) if h0 is None else h0],
        x=[None, *(leaf(d, seed=50 + t) for t in STEPS)],
        y=[None, *normal(T, q, seed=47)],
        z=[None],
        o=[None],
    )
    if W_hx_aug is not None:
        net.b, net.W_hx = W_hx_aug[:, 0], W_hx_aug[:, 1:]
    for t in STEPS:
        net.z.append(net.b + net.W_hx @ net.x[t] + net.W_hh @ net.H[t - 1])
        net.H.append(torch.tanh(net.z[t]))
        net.o.append(net.b_q + net.W_qh @ net.H[t])
    net.L = sum(((net.o[t] - net.y[t]) ** 2).sum() / 2 for t in STEPS) / T
    return net


net = biased_network()
H, x, z, o, y, L = net.H, net.x, net.z, net.o, net.y, net.L
X = torch.stack(x[1:]).detach()
dL = lambda of: derivative(L, of)  # noqa: E731
W_hx_aug = torch.cat([net.b[:, None], net.W_hx], dim=1).detach()
W_qh_aug = torch.cat([net.b_q[:, None], net.W_qh], dim=1).detach()
x_aug = [None, *(torch.cat([one, x[t]]).detach() for t in STEPS)]


def torch_network(W_hx=net.W_hx, W_hh=net.W_hh, b_ih=None, b_hh=None):
    """A torch.nn.RNN with these weights; no bias unless ``b_ih`` is given."""
    module = torch.nn.RNN(W_hx.shape[1], len(W_hh), bias=b_ih is not None, **F64)
    weights = {"weight_ih_l0": W_hx, "weight_hh_l0": W_hh}
    if b_ih is not None:
        weights |= {"bias_ih_l0": b_ih, "bias_hh_l0": b_hh}
    module.load_state_dict({name: weight.detach() for name, weight in weights.items()})
    return module


@equation(
    "eq-bias-model",
    r"""\begin{gathered}
    z_t = b + W_{hx}\, x_t + W_{hh}\, h_{t-1}, \qquad h_t = \tanh(z_t), \\
    o_t = b_q + W_{qh}\, h_t, \qquad L = \frac{1}{T} \sum_{t=1}^{T} \ell(o_t, y_t)
    \end{gathered}""",
)
def _():
    """Entry by entry in plain Python, against torch.nn.RNN, torch's linear and its loss."""
    states = torch_network(b_ih=net.b, b_hh=0 * net.b)(X, H[0][None])[0]
    outputs = linear(states, net.W_qh, net.b_q)
    h, total = H[0].tolist(), 0.0
    for t in STEPS:
        pre = [
            net.b[a].item()
            + sum(net.W_hx[a, c].item() * x[t][c].item() for c in range(d))
            + sum(net.W_hh[a, e].item() * h[e] for e in range(n))
            for a in range(n)
        ]
        h = [math.tanh(entry) for entry in pre]
        out = [
            net.b_q[c].item() + sum(net.W_qh[c, a].item() * h[a] for a in range(n))
            for c in range(q)
        ]
        total += sum((out[c] - y[t][c].item()) ** 2 / 2 for c in range(q))
        assert_equal(states[t - 1], torch.tensor(h, **F64))
        assert_equal(outputs[t - 1], torch.tensor(out, **F64))
    assert_equal(total / T, q * mse_loss(outputs, torch.stack(y[1:])) / 2)
    assert_equal(L, total / T)


@equation(
    "eq-bias-augmented",
    r"""\tilde W_{hx} = \begin{pmatrix} b & W_{hx} \end{pmatrix}, \qquad
    \tilde x_t = \begin{pmatrix} 1 \\ x_t \end{pmatrix}""",
)
def _():
    """What the library makes of torch's network, and its augmented input."""
    folded = RNN.from_torch(torch_network(b_ih=net.b, b_hh=0 * net.b))
    assert_equal(torch.hstack([net.b[:, None], net.W_hx]), folded.W_hx)
    for t in STEPS:
        assert_equal(torch.hstack([one, x[t]]), augment(X)[t - 1])


@equation(
    "eq-bias-forward",
    r"""(\tilde W_{hx}\, \tilde x_t)_a = b_a \cdot 1 + \sum_{c=1}^{d} (W_{hx})_{ac}\, x_{t,c}""",
)
def _():
    for t in STEPS:
        with_bias = linear(x[t], net.W_hx, net.b)
        for a in range(n):
            entry = net.b[a] * 1 + sum(net.W_hx[a, c] * x[t][c] for c in range(d))
            assert_equal((W_hx_aug @ x_aug[t])[a], entry)
            assert_equal(entry, with_bias[a])


def by_hand(b, u, w, h, inputs, targets):
    """States, outputs and losses of the small network; row 0 of the last two is not used."""
    states, outputs, losses = [h], [None], [None]
    for x_t, y_t in zip(inputs, targets, strict=True):
        states.append(b + u * x_t + w * states[-1])
        outputs.append(states[-1])
        losses.append((outputs[-1] - y_t) ** 2 / 2)
    return states, outputs, losses


@equation(
    "eq-bias-hand-model",
    r"""h_t = b + u\, x_t + w\, h_{t-1}, \qquad o_t = h_t, \qquad
    \ell_t = \tfrac12 (h_t - y_t)^2""",
)
def _():
    """It is the library's network with one unit, no tanh and W_qh = 1."""
    states, outputs, losses = by_hand(1, 3, 2, -1, (1, 0, -1), (-1, 8, 5))
    assert states == [-1, 2, 5, 8]
    column = lambda numbers: torch.tensor(numbers, **F64).reshape(3, 1, 1)  # noqa: E731
    rnn = RNN(torch.tensor([[1.0, 3.0]], **F64), 2 * one[None], one[None], activation="identity")
    tape = rnn(augment(column([1, 0, -1])), -one[None])
    assert tape.O.flatten().tolist() == outputs[1:]
    loss, _ = squared_error(tape.O, column([-1, 8, 5]), reduction="sum")
    assert_equal(sum(losses[1:]), loss)


@equation(
    "eq-bias-hand",
    r"""\frac{\mathrm{d}L}{\mathrm{d}(b \;\; u)}
    = 3\, (1 \;\; 1) + 1\, (1 \;\; 0) + 1\, (1 \;\; {-1}) = (5 \;\; 2)""",
)
def _():
    weights = torch.tensor([1.0, 3.0], requires_grad=True)
    losses = by_hand(*weights, 2, -1, (1, 0, -1), (-1, 8, 5))[2]
    gradient = derivative(sum(losses[1:]) / 3, weights)
    terms = [3 * torch.tensor([1, 1]), 1 * torch.tensor([1, 0]), 1 * torch.tensor([1, -1])]
    assert sum(terms).tolist() == [5, 2] == gradient.tolist()
    inputs = torch.tensor([1.0, 0.0, -1.0], requires_grad=True)  # dL/dx_t = u dL/dz_t
    losses = by_hand(1, 3, 2, -1, inputs, (-1, 8, 5))[2]
    assert (derivative(sum(losses[1:]) / 3, inputs) / 3).tolist() == [3, 1, 1]


@equation(
    "eq-bias-grad-b",
    r"""\frac{\mathrm{d}L}{\mathrm{d}b} = \sum_{t=1}^{T} \frac{\mathrm{d}L}{\mathrm{d}z_t}""",
)
def _():
    assert_equal(sum(dL(z[t]) for t in STEPS), dL(net.b))


@equation(
    "eq-bias-blocks",
    r"""\frac{\mathrm{d}L}{\mathrm{d}\tilde W_{hx}}
    = \sum_{t=1}^{T} \frac{\mathrm{d}L}{\mathrm{d}z_t}\, \tilde x_t^\top
    = \Big( \sum_{t=1}^{T} \frac{\mathrm{d}L}{\mathrm{d}z_t} \quad\;
    \sum_{t=1}^{T} \frac{\mathrm{d}L}{\mathrm{d}z_t}\, x_t^\top \Big)""",
)
def _():
    """The augmented matrix is one leaf of autograd's."""
    leaf = W_hx_aug.clone().requires_grad_()
    expected = derivative(biased_network(W_hx_aug=leaf).L, leaf)
    assert_equal(sum(torch.outer(dL(z[t]), x_aug[t]) for t in STEPS), expected)
    column = sum(dL(z[t]) for t in STEPS)
    others = sum(torch.outer(dL(z[t]), x[t]) for t in STEPS)
    assert_equal(torch.hstack([column[:, None], others]), expected)


@equation(
    "eq-bias-adjoint",
    r"""\begin{gathered}
    \frac{\mathrm{d}L}{\mathrm{d}h_t} = W_{qh}^\top \frac{\mathrm{d}L}{\mathrm{d}o_t}
    + W_{hh}^\top \frac{\mathrm{d}L}{\mathrm{d}z_{t+1}} \quad (1 \le t < T), \qquad
    \frac{\mathrm{d}L}{\mathrm{d}h_T} = W_{qh}^\top \frac{\mathrm{d}L}{\mathrm{d}o_T}, \\
    \frac{\mathrm{d}L}{\mathrm{d}z_t} = (1 - h_t^2) \odot \frac{\mathrm{d}L}{\mathrm{d}h_t}
    \quad (1 \le t \le T)
    \end{gathered}""",
)
def _():
    for t in STEPS:
        adjoint = net.W_qh.T @ dL(o[t])
        if t < T:
            adjoint = adjoint + net.W_hh.T @ dL(z[t + 1])
        assert_equal(adjoint, dL(H[t]))
        assert_equal((1 - H[t] ** 2) * dL(H[t]), dL(z[t]))


@equation(
    "eq-bias-output",
    r"""o_t = \tilde W_{qh}\, \tilde h_t, \qquad
    \tilde W_{qh} = \begin{pmatrix} b_q & W_{qh} \end{pmatrix}, \qquad
    \tilde h_t = \begin{pmatrix} 1 \\ h_t \end{pmatrix}""",
)
def _():
    for t in STEPS:
        matrix, state = torch.hstack([net.b_q[:, None], net.W_qh]), torch.hstack([one, H[t]])
        assert_equal(matrix @ state, linear(H[t], net.W_qh, net.b_q))


@equation(
    "eq-bias-output-grad",
    r"""\frac{\mathrm{d}L}{\mathrm{d}\tilde W_{qh}}
    = \sum_{t=1}^{T} \frac{\mathrm{d}L}{\mathrm{d}o_t}\, \tilde h_t^\top
    = \Big( \sum_{t=1}^{T} \frac{\mathrm{d}L}{\mathrm{d}o_t} \quad\;
    \sum_{t=1}^{T} \frac{\mathrm{d}L}{\mathrm{d}o_t}\, h_t^\top \Big)""",
)
def _():
    expected = torch.hstack([dL(net.b_q)[:, None], dL(net.W_qh)])
    whole = sum(torch.outer(dL(o[t]), torch.hstack([one, H[t]])) for t in STEPS)
    column = sum(dL(o[t]) for t in STEPS)
    others = sum(torch.outer(dL(o[t]), H[t]) for t in STEPS)
    assert_equal(whole, expected)
    assert_equal(torch.hstack([column[:, None], others]), expected)


@equation(
    "eq-bias-drop",
    r"""\tilde W_{qh}^\top \frac{\mathrm{d}L}{\mathrm{d}o_t} = \begin{pmatrix}
    b_q^\top\, \mathrm{d}L/\mathrm{d}o_t \\[2pt]
    W_{qh}^\top\, \mathrm{d}L/\mathrm{d}o_t \end{pmatrix}""",
)
def _():
    """The oracle moves the constant and the state together, as one vector, at one step."""
    for t in STEPS:
        state = torch.hstack([one, H[t]]).detach().requires_grad_()
        loss = ((W_qh_aug @ state - y[t]) ** 2).sum() / 2 / T
        expected = derivative(loss, state)
        assert_equal(W_qh_aug.T @ dL(o[t]), expected)
        assert_equal((net.b_q @ dL(o[t]))[None], expected[:1])
        assert_equal(net.W_qh.T @ dL(o[t]), expected[1:])


@equation(
    "eq-bias-input-adjoint",
    r"""\frac{\mathrm{d}L}{\mathrm{d}x_t} = W_{hx}^\top\, \frac{\mathrm{d}L}{\mathrm{d}z_t}""",
)
def _():
    for t in STEPS:
        assert_equal(net.W_hx.T @ dL(z[t]), dL(x[t]))


def constant_in_state(v, c_0):
    """torch.nn.RNN with the constant as its first unit: states of steps 1..T, (T, n+1)."""
    matrix = torch.zeros(n + 1, n + 1, **F64)
    matrix[0, 0], matrix[1:, 0], matrix[1:, 1:] = v, net.b.detach(), net.W_hh.detach()
    W_in = torch.vstack([torch.zeros(1, d, **F64), net.W_hx.detach()])
    module = torch_network(W_in, matrix)
    return module(X, torch.hstack([c_0 * one, H[0].detach()])[None])[0].detach()


@equation(
    "eq-bias-state",
    r"""\begin{pmatrix} c_t \\ h_t \end{pmatrix} = \tanh \left(
    \begin{pmatrix} v & 0 \\ b & W_{hh} \end{pmatrix}
    \begin{pmatrix} c_{t-1} \\ h_{t-1} \end{pmatrix}
    + \begin{pmatrix} 0 \\ W_{hx}\, x_t \end{pmatrix} \right)""",
)
def _():
    v, c_0 = 1.3, 0.9
    states = constant_in_state(v, c_0)
    row = torch.hstack([v * one, torch.zeros(n, **F64)])
    matrix = torch.vstack([row, torch.hstack([net.b[:, None], net.W_hh])])
    before = torch.hstack([c_0 * one, H[0]])
    for t in STEPS:
        inputs = torch.hstack([0 * one, net.W_hx @ x[t]])
        before = torch.tanh(matrix @ before + inputs)
        assert_equal(before, states[t - 1])


@equation(
    "eq-bias-fading",
    r"""c_t = \tanh(v\, c_{t-1}), \qquad
    z_t = c_{t-1}\, b + W_{hx}\, x_t + W_{hh}\, h_{t-1}""",
)
def _():
    for v, c in ((1.0, 1.0), (1.3, 0.9)):
        states, h = constant_in_state(v, c), H[0]
        for t in STEPS:
            pre = c * net.b + net.W_hx @ x[t] + net.W_hh @ h
            c = math.tanh(v * c)
            assert_equal(states[t - 1, 0], c)
            assert_equal(torch.tanh(pre), states[t - 1, 1:])
            h = states[t - 1, 1:]
        if v == 1.0:
            assert [round(float(state), 2) for state in states[:3, 0]] == [0.76, 0.64, 0.57]


@equation(
    "eq-bias-artificial",
    r"""\tanh\!\big( \tfrac12 \ln 3 \big) = \frac{e^{\ln 3} - 1}{e^{\ln 3} + 1}
    = \frac{3 - 1}{3 + 1} = \frac12""",
)
def _():
    power = math.exp(math.log(3))
    assert_equal(math.tanh(1 / 2 * math.log(3)), (power - 1) / (power + 1))
    assert (3 - 1) / (3 + 1) == 1 / 2
    assert_equal(math.tanh(1 / 2 * math.log(3)), 1 / 2)
    c = 0.5
    assert_equal(math.atanh(c) / c, math.log(3))


rate, decay = 0.3, 0.7


def stepped(optimizer, groups, gradients):
    """The tensors of ``groups`` after one step of a torch optimiser with these gradients."""
    leaves = [leaf.detach().clone() for leaf, _ in groups]
    for leaf, gradient in zip(leaves, gradients, strict=True):
        leaf.grad = gradient.clone()
    settings = [
        {"params": [leaf], "weight_decay": weight_decay}
        for leaf, (_, weight_decay) in zip(leaves, groups, strict=True)
    ]
    optimizer(settings, lr=rate).step()
    return leaves


@equation(
    "eq-bias-decay-step",
    r"""b \leftarrow b - \eta \Big( \frac{\mathrm{d}L}{\mathrm{d}b} + \lambda\, b \Big)
    = (1 - \eta \lambda)\, b - \eta\, \frac{\mathrm{d}L}{\mathrm{d}b}""",
)
def _():
    gradient = torch.hstack([dL(net.b)[:, None], dL(net.W_hx)])
    (after,) = stepped(torch.optim.SGD, [(W_hx_aug, decay)], [gradient])
    assert_equal(net.b - rate * (dL(net.b) + decay * net.b), after[:, 0])
    assert_equal((1 - rate * decay) * net.b - rate * dL(net.b), after[:, 0])


@equation(
    "eq-bias-decay-mask",
    r"""\tilde W_{hx} \leftarrow \tilde W_{hx} - \eta \Big(
    \frac{\mathrm{d}L}{\mathrm{d}\tilde W_{hx}} + \lambda\, M \odot \tilde W_{hx} \Big)""",
)
def _():
    """M has zeros in the first column; torch does the same with two parameter groups."""
    groups = [(net.b, 0.0), (net.W_hx, decay)]
    b, W_hx = stepped(torch.optim.SGD, groups, [dL(net.b), dL(net.W_hx)])
    M = torch.hstack([torch.zeros(n, 1, **F64), torch.ones(n, d, **F64)])
    gradient = torch.hstack([dL(net.b)[:, None], dL(net.W_hx)])
    after = W_hx_aug - rate * (gradient + decay * M * W_hx_aug)
    assert_equal(after, torch.hstack([b[:, None], W_hx]))


LINE_X, LINE_Y = normal(T, seed=71), 3 + normal(T, seed=72)


def penalised(b, u, mu, inputs):
    errors = sum((b + u * inputs[t] - LINE_Y[t]) ** 2 / 2 for t in range(T))
    return errors / T + decay / 2 * (mu * b**2 + u**2)


@equation(
    "eq-bias-decay-loss",
    r"""f(b, u) = \frac{1}{T} \sum_{t=1}^{T} \tfrac12 (b + u\, x_t - y_t)^2
    + \frac{\lambda}{2} \big( \mu\, b^2 + u^2 \big)""",
)
def _():
    """Its gradient is the gradient of torch's loss with torch's decay in it."""
    for mu in (0, 1):
        b, u = (torch.tensor([value], **F64, requires_grad=True) for value in (0.4, -1.1))
        plain = mse_loss(b + u * LINE_X, LINE_Y) / 2
        groups = [(b, mu * decay), (u, decay)]
        after = stepped(torch.optim.SGD, groups, [derivative(plain, of)[()] for of in (b, u)])
        value = penalised(b, u, mu, LINE_X)
        for of, moved in zip((b, u), after, strict=True):
            assert_equal(derivative(value, of).reshape(1), (of - moved) / rate)
    value = penalised(0.4, -1.1, 0, LINE_X)
    assert_equal(value, mse_loss(0.4 - 1.1 * LINE_X, LINE_Y) / 2 + decay / 2 * 1.1**2)


@equation(
    "eq-bias-minimiser",
    r"""b = \frac{\bar y}{1 + \lambda \mu}, \qquad
    u = \frac{\overline{x y}}{\overline{x^2} + \lambda} \qquad \text{if } \bar x = 0""",
)
def _():
    """The quadratic is minimised by one exact step of Newton."""
    centred = LINE_X - LINE_X.mean()
    for mu in (0, 1):
        f = lambda weights: penalised(weights[0], weights[1], mu, centred)  # noqa: B023, E731
        begin = torch.tensor([0.3, 0.2], **F64)
        gradient = torch.autograd.functional.jacobian(f, begin)
        hessian = torch.autograd.functional.hessian(f, begin)
        b = LINE_Y.mean() / (1 + decay * mu)
        u = (centred * LINE_Y).mean() / ((centred**2).mean() + decay)
        assert_equal(torch.stack([b, u]), begin - torch.linalg.solve(hessian, gradient))


b_ih, b_hh = normal(n, seed=81), normal(n, seed=82)
TARGETS = normal(T, n, seed=83)


def torch_gradients(b_ih, b_hh):
    """torch.nn.RNN's own gradients of its two biases, and its states."""
    module = torch_network(b_ih=b_ih, b_hh=b_hh)
    states = module(X, H[0].detach()[None])[0]
    ((states - TARGETS) ** 2).sum().backward()
    return module.bias_ih_l0.grad, module.bias_hh_l0.grad, states.detach()


@equation(
    "eq-bias-torch",
    r"""z_t = W_{hx}\, x_t + b_{ih} + W_{hh}\, h_{t-1} + b_{hh}""",
)
def _():
    states = torch_gradients(b_ih, b_hh)[2]
    h = H[0]
    for t in STEPS:
        pre = net.W_hx @ x[t] + b_ih + net.W_hh @ h + b_hh
        assert_equal(torch.tanh(pre), states[t - 1])
        h = states[t - 1]


@equation(
    "eq-bias-two-gradients",
    r"""g = \frac{\mathrm{d}L}{\mathrm{d}b_{ih}} = \frac{\mathrm{d}L}{\mathrm{d}b_{hh}}
    = \sum_{t=1}^{T} \frac{\mathrm{d}L}{\mathrm{d}z_t}""",
)
def _():
    h, pre = H[0].detach(), []
    for t in STEPS:
        pre.append((net.W_hx @ x[t] + b_ih + net.W_hh @ h + b_hh).detach().requires_grad_())
        h = torch.tanh(pre[-1]).detach()
    first, second, _ = torch_gradients(b_ih, b_hh)
    dz, future = [], torch.zeros(n, **F64)  # dL/dz_t from autograd, one step at a time
    for t in reversed(range(T)):
        state = torch.tanh(pre[t])
        part = ((state - TARGETS[t]) ** 2).sum() + state @ future
        dz.append(derivative(part, pre[t]))
        future = net.W_hh.T.detach() @ dz[-1]
    assert_equal(sum(dz), first)
    assert_equal(sum(dz), second)


def two_steps(optimizer, weight_decay=0.0):
    """Both biases before and after one step of a torch optimiser, and their gradient."""
    first, second, _ = torch_gradients(b_ih, b_hh)
    groups = [(b_ih, weight_decay), (b_hh, weight_decay)]
    return first, *stepped(optimizer, groups, [first, second])


@equation("eq-bias-two-sgd", r"s \leftarrow s - 2\, \eta\, g")
def _():
    g, new_ih, new_hh = two_steps(torch.optim.SGD)
    s = b_ih + b_hh
    assert_equal(s - 2 * rate * g, new_ih + new_hh)


@equation(
    "eq-bias-two-decay",
    r"""s \leftarrow s - 2\, \eta\, g - \eta \lambda\, s
    = s - 2\, \eta \Big( g + \frac{\lambda}{2}\, s \Big)""",
)
def _():
    g, new_ih, new_hh = two_steps(torch.optim.SGD, decay)
    s = b_ih + b_hh
    assert_equal(s - 2 * rate * g - rate * decay * s, new_ih + new_hh)
    assert_equal(s - 2 * rate * (g + decay / 2 * s), new_ih + new_hh)


@equation(
    "eq-bias-two-difference",
    r"""b_{ih} - b_{hh} \leftarrow (1 - \eta \lambda) ( b_{ih} - b_{hh} )""",
)
def _():
    _, new_ih, new_hh = two_steps(torch.optim.SGD, decay)
    assert_equal((1 - rate * decay) * (b_ih - b_hh), new_ih - new_hh)


@equation(
    "eq-bias-two-adam",
    r"""s \leftarrow s - 2\, \eta\, \frac{\hat m}{\sqrt{\hat v} + \varepsilon}""",
)
def _():
    """Four steps of torch's Adam; the means and their corrections from Adam's definition."""
    first, second = (bias.clone().requires_grad_() for bias in (b_ih, b_hh))
    optimizer = torch.optim.Adam([first, second], lr=rate, eps=0.01)
    m, v = torch.zeros(n, **F64), torch.zeros(n, **F64)
    for k in range(1, 5):
        s = (first + second).detach()
        first.grad, second.grad, _ = torch_gradients(first, second)
        g = first.grad.clone()
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        m_hat, v_hat = m / (1 - 0.9**k), v / (1 - 0.999**k)
        optimizer.step()
        assert_equal(s - 2 * rate * m_hat / (v_hat.sqrt() + 0.01), first + second)


@equation(
    "eq-bias-padding",
    r"""x_t = 0: \qquad h_t = \tanh\!\big( b + W_{hh}\, h_{t-1} \big)""",
)
def _():
    module = torch_network(b_ih=net.b, b_hh=0 * net.b)
    states, h = module(torch.zeros(T, d, **F64), H[0].detach()[None])[0], H[0]
    for t in STEPS:
        assert_equal(torch.tanh(net.b + net.W_hh @ h), states[t - 1])
        h = states[t - 1]


@equation(
    "eq-bias-h0",
    r"""\frac{\mathrm{d}L}{\mathrm{d}h_0} = W_{hh}^\top\, \frac{\mathrm{d}L}{\mathrm{d}z_1}""",
)
def _():
    assert_equal(net.W_hh.T @ dL(z[1]), dL(H[0]))


def batch_of_states(H_0):
    """The library's gradient by the initial states, and autograd's loss, for a batch."""
    rnn = RNN(W_hx_aug, net.W_hh, W_qh_aug)
    X, Y = normal(T, B, d, seed=91), normal(T, B, q, seed=92)
    tape = rnn(augment(X), H_0.detach())
    by_rows = bptt(tape, squared_error(tape.O, Y)[1]).h0
    h, loss = H_0, 0.0
    for x_t, y_t in zip(X, Y, strict=True):
        h = torch.tanh(linear(x_t, net.W_hx, net.b) + linear(h, net.W_hh))
        loss = loss + ((linear(h, net.W_qh, net.b_q) - y_t) ** 2).sum() / 2 / T / B
    return by_rows, loss


@equation(
    "eq-bias-h0-shared",
    r"""\frac{\mathrm{d}L}{\mathrm{d}p} = \sum_{i=1}^{B}
    \frac{\mathrm{d}L}{\mathrm{d}h_0^{(i)}}""",
)
def _():
    p = normal(n, seed=93).requires_grad_()
    by_rows, loss = batch_of_states(p.expand(B, n))
    assert_equal(sum(by_rows[i] for i in range(B)), derivative(loss, p))


@equation(
    "eq-bias-virtual",
    r"""\begin{gathered}
    \tilde W_{hx} = \begin{pmatrix} b & W_{hx} & p \end{pmatrix}, \qquad
    \tilde x_0 = \begin{pmatrix} 0 \\ 0 \\ 1 \end{pmatrix}, \qquad
    \tilde x_t = \begin{pmatrix} 1 \\ x_t \\ 0 \end{pmatrix} \quad (t \ge 1), \\
    h_{-1} = 0, \qquad h_0 = \tanh\!\big( \tilde W_{hx}\, \tilde x_0 + W_{hh}\, h_{-1} \big)
    = \tanh(p)
    \end{gathered}""",
)
def _():
    """Step by step with the flag, against torch's network with biases that begins at tanh(p)."""
    p = normal(n, seed=94)
    matrix = torch.hstack([net.b[:, None], net.W_hx, p[:, None]])
    module = torch_network(b_ih=net.b, b_hh=0 * net.b)
    states = module(X, torch.tanh(p)[None])[0]
    x_0 = torch.hstack([0 * one, torch.zeros(d, **F64), one])
    h = torch.zeros(n, **F64)
    h = torch.tanh(matrix @ x_0 + net.W_hh @ h)
    assert_equal(h, torch.tanh(p))
    for t in STEPS:
        x_t = torch.hstack([one, x[t], 0 * one])
        h = torch.tanh(matrix @ x_t + net.W_hh @ h)
        assert_equal(h, states[t - 1])


@equation(
    "eq-bias-virtual-grad",
    r"""\frac{\mathrm{d}L}{\mathrm{d}p} = \sum_{i=1}^{B} \big( 1 - (h_0^{(i)})^2 \big) \odot
    \frac{\mathrm{d}L}{\mathrm{d}h_0^{(i)}}""",
)
def _():
    p = normal(n, seed=95).requires_grad_()
    H_0 = torch.tanh(p).expand(B, n)
    by_rows, loss = batch_of_states(H_0)
    total = sum((1 - H_0[i] ** 2) * by_rows[i] for i in range(B))
    assert_equal(total, derivative(loss, p))
