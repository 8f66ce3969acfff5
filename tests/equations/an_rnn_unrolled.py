"""Checks of the equations of chapter 1, "An RNN, unrolled"."""

import math

import torch
from ledger import equation
from network import assert_equal, derivative, normal, tanh_network
from torch.utils.flop_counter import FlopCounterMode

from bptt import RNN, bptt, squared_error

net = tanh_network()
scalar = tanh_network(n=1, d=1, q=1)
linear = tanh_network(n=1, d=1, q=1, activation=lambda z: z)
T = net.T
STEPS = range(1, T + 1)
UNIT = torch.ones(1, 1, dtype=torch.float64)


def run(network, W_hh=None):
    """The library's forward pass of a network, with its own W_hh or another one."""
    rnn = RNN(network.W_hx, network.W_hh if W_hh is None else W_hh, network.W_qh)
    return rnn(torch.stack(network.x[1:])[:, None], network.H[0][None])


def loss(network, tape):
    return squared_error(tape.O, torch.stack(network.y[1:])[:, None])[0]


def column(numbers):
    """Numbers as the inputs or targets of one sequence, (T, 1, 1)."""
    return torch.tensor(numbers, dtype=torch.float64).reshape(-1, 1, 1)


def with_named_uses(network):
    """A leaf for each use of W_hh, the pre-activations that they lead to, and the loss."""
    uses = [None] + [network.W_hh.detach().clone().requires_grad_() for _ in STEPS]
    h, z, L = network.H[0], [None], 0.0
    for t in STEPS:
        z.append(network.W_hx @ network.x[t] + uses[t] @ h)
        h = torch.tanh(z[t])
        L = L + ((network.W_qh @ h - network.y[t]) ** 2).sum() / (2 * T)
    return uses, z, L


@equation(
    "eq-unrolled-step",
    r"""\begin{aligned} h_t &= f(w_{hx}\, x_t + w_{hh}\, h_{t-1}) \\ o_t &= w_{qh}\, h_t
    \end{aligned}""",
)
def _():
    """In plain Python against the library with one unit, for both activations."""
    w_hx, w_hh, w_qh, h0 = 0.7, -1.3, 1.9, 0.5
    x = [None, 0.4, -1.1, 0.8, 0.3, -0.6, 1.2, -0.9]
    for name, f in (("tanh", math.tanh), ("identity", lambda z: z)):
        tape = RNN(w_hx * UNIT, w_hh * UNIT, w_qh * UNIT, name)(column(x[1:]), h0 * UNIT)
        h = h0
        for t in STEPS:
            h = f(w_hx * x[t] + w_hh * h)
            assert_equal(tape.H[t, 0, 0], h)
            assert_equal(tape.O[t - 1, 0, 0], w_qh * h)


@equation(
    "eq-unrolled-sum-loss",
    r"L = \sum_{t=1}^{T} \ell_t, \qquad \ell_t = \tfrac12\, (o_t - y_t)^2",
)
def _():
    """Against the library's loss with reduction "sum", and against PyTorch's squared error."""
    o, y = torch.stack(scalar.o[1:])[:, None], torch.stack(scalar.y[1:])[:, None]
    L = sum((scalar.o[t].item() - scalar.y[t].item()) ** 2 / 2 for t in STEPS)
    assert_equal(L, squared_error(o, y, reduction="sum")[0])
    assert_equal(L, torch.nn.functional.mse_loss(o, y, reduction="sum") / 2)


@equation("eq-unrolled-hand", r"h_t = x_t + 2\, h_{t-1}")
def _():
    """Exact integers; the library with w_hx = w_qh = 1 agrees."""
    x, h = [None, -4, -3, 1, -1], [3]
    for t in range(1, 5):
        h.append(x[t] + 2 * h[t - 1])
    tape = RNN(UNIT, 2 * UNIT, UNIT, "identity")(column(x[1:]), 3 * UNIT)
    assert h == tape.H.flatten().tolist() == [3, 2, 1, 3, 5]
    assert tape.O.flatten().tolist() == h[1:]


@equation(
    "eq-unrolled-named",
    r"z_t = w_{hx}\, x_t + w^{(t)}\, h_{t-1}",
)
def _():
    """Naming the uses changes no number: the library, which has one weight, agrees."""
    uses, z, L = with_named_uses(scalar)
    H = run(scalar).H
    for t in STEPS:
        z_t = scalar.W_hx.item() * scalar.x[t].item() + uses[t].item() * H[t - 1].item()
        assert uses[t].item() == scalar.W_hh.item()
        assert_equal(z_t, z[t].item())
        assert_equal(math.tanh(z_t), H[t].item())
    assert_equal(L, loss(scalar, run(scalar)))


@equation(
    "eq-unrolled-uses",
    r"\frac{\mathrm{d}L}{\mathrm{d}w} = \sum_{t=1}^{T} \frac{\mathrm{d}L}{\mathrm{d}w^{(t)}}",
)
def _():
    """Right: one leaf a use. Left: the one weight of the library, by central differences."""
    for network in (scalar, net):
        uses, _, L = with_named_uses(network)
        total = sum(derivative(L, uses[t]) for t in STEPS)
        W, step = network.W_hh.detach(), 1e-5
        for place in range(W.numel()):
            nudge = step * torch.eye(W.numel(), dtype=W.dtype)[place].view_as(W)
            above, below = (loss(network, run(network, W + s * nudge)) for s in (1, -1))
            assert_equal(total.flatten()[place], (above - below) / (2 * step), tolerance=1e-8)


def check_adjoint_state(network):
    """The first rule of the way back, without its second term at the last step."""
    d = lambda of: derivative(network.L, of)  # noqa: E731
    for t in range(1, T):
        right = network.W_qh.T @ d(network.o[t]) + network.W_hh.T @ d(network.z[t + 1])
        assert_equal(right, d(network.H[t]))
    assert_equal(network.W_qh.T @ d(network.o[T]), d(network.H[T]))


def check_adjoint_z(network, activation):
    """The second rule, with the slope of the activation by central differences."""
    for t in STEPS:
        z, step = network.z[t].detach(), 1e-6
        slope = (activation(z + step) - activation(z - step)) / (2 * step)
        right = slope * derivative(network.L, network.H[t])
        assert_equal(right, derivative(network.L, network.z[t]), tolerance=1e-8)


@equation(
    "eq-unrolled-adjoint-state",
    r"""\frac{\mathrm{d}L}{\mathrm{d}h_t} = w_{qh}\, \frac{\mathrm{d}L}{\mathrm{d}o_t}
    + w_{hh}\, \frac{\mathrm{d}L}{\mathrm{d}z_{t+1}}""",
)
def _():
    check_adjoint_state(scalar)
    check_adjoint_state(linear)


@equation(
    "eq-unrolled-adjoint-z",
    r"\frac{\mathrm{d}L}{\mathrm{d}z_t} = f'(z_t)\, \frac{\mathrm{d}L}{\mathrm{d}h_t}",
)
def _():
    check_adjoint_z(scalar, torch.tanh)


@equation(
    "eq-unrolled-gradient",
    r"""\frac{\mathrm{d}L}{\mathrm{d}w_{hh}} =
    \sum_{t=1}^{T} \frac{\mathrm{d}L}{\mathrm{d}z_t}\, h_{t-1}""",
)
def _():
    for network in (scalar, linear):
        total = sum(derivative(network.L, network.z[t]) * network.H[t - 1] for t in STEPS)
        assert_equal(total.reshape(1, 1), derivative(network.L, network.W_hh))


@equation(
    "eq-unrolled-paths",
    r"""\frac{\mathrm{d}L}{\mathrm{d}h_t} = \sum_{i=t}^{T} w_{hh}^{\,i-t}\; w_{qh}\,
    \frac{\mathrm{d}L}{\mathrm{d}o_i}""",
)
def _():
    w, w_qh = linear.W_hh.item(), linear.W_qh.item()
    for t in STEPS:
        total = sum(
            w ** (i - t) * w_qh * derivative(linear.L, linear.o[i]).item() for i in range(t, T + 1)
        )
        assert_equal(total, derivative(linear.L, linear.H[t]).item())


@equation(
    "eq-unrolled-nested",
    r"""\frac{\mathrm{d}L}{\mathrm{d}h_1} =
    -1 + 2\, \big({-2} + 2\, (2 + 2 \cdot 1)\big) = 11""",
)
def _():
    """Exact integers: the derivative of the hand example's loss by its state h_1."""
    x, y = [None, None, -3, 1, -1], [None, 3, 3, 1, 4]
    h_1 = h = torch.tensor([2.0], dtype=torch.float64, requires_grad=True)
    L = (h - y[1]) ** 2 / 2
    for t in (2, 3, 4):
        h = x[t] + 2 * h
        L = L + (h - y[t]) ** 2 / 2
    assert -1 + 2 * (-2 + 2 * (2 + 2 * 1)) == 11 == derivative(L, h_1).item()


@equation(
    "eq-unrolled-forward",
    r"""\begin{aligned} z_t &= W_{hx}\, x_t + W_{hh}\, h_{t-1} \\ h_t &= f(z_t) \\
    o_t &= W_{qh}\, h_t \end{aligned}""",
)
def _():
    """Entry by entry in plain Python, against torch.nn.RNN with torch.nn.Linear."""
    torch_rnn = torch.nn.RNN(2, 3, bias=False, dtype=torch.float64)
    torch_rnn.load_state_dict({"weight_ih_l0": net.W_hx, "weight_hh_l0": net.W_hh})
    torch_linear = torch.nn.Linear(3, 4, bias=False, dtype=torch.float64)
    torch_linear.load_state_dict({"weight": net.W_qh})
    states, _ = torch_rnn(torch.stack(net.x[1:]), net.H[0][None])
    outputs = torch_linear(states)
    times = lambda W, v: [  # noqa: E731
        sum(W[a][b] * v[b] for b in range(len(v))) for a in range(len(W))
    ]
    W_hx, W_hh, W_qh = (W.tolist() for W in (net.W_hx, net.W_hh, net.W_qh))
    h = net.H[0].tolist()
    for t in STEPS:
        z = [a + b for a, b in zip(times(W_hx, net.x[t].tolist()), times(W_hh, h), strict=True)]
        h = [math.tanh(entry) for entry in z]
        assert_equal(torch.tensor(h, dtype=torch.float64), states[t - 1])
        assert_equal(torch.tensor(times(W_qh, h), dtype=torch.float64), outputs[t - 1])


@equation("eq-unrolled-loss", r"L = \frac{1}{T} \sum_{t=1}^{T} \ell(o_t, y_t)")
def _():
    """For both losses of the library, with PyTorch's as the judge of one step."""
    classes = torch.tensor([2, 0, 3, 1, 1, 2, 0])
    outputs = torch.stack(net.o[1:])
    steps = [torch.nn.functional.cross_entropy(net.o[t], classes[t - 1]) for t in STEPS]
    assert_equal(
        sum(step.item() for step in steps) / T,
        torch.nn.functional.cross_entropy(outputs, classes),
    )
    steps = [((net.o[t] - net.y[t]) ** 2).sum() / 2 for t in STEPS]
    assert_equal(sum(step.item() for step in steps) / T, loss(net, run(net)))


@equation(
    "eq-unrolled-rows",
    r"z_t^\top = x_t^\top\, W_{hx}^\top + h_{t-1}^\top\, W_{hh}^\top",
)
def _():
    """A row of the batch is the transposed column of eq-unrolled-forward."""
    for t in STEPS:
        row = net.x[t][None] @ net.W_hx.T + net.H[t - 1][None] @ net.W_hh.T
        assert_equal(row[0], net.z[t])


@equation(
    "eq-unrolled-backward-state",
    r"""\frac{\mathrm{d}L}{\mathrm{d}h_t} = W_{qh}^\top\, \frac{\mathrm{d}L}{\mathrm{d}o_t}
    + W_{hh}^\top\, \frac{\mathrm{d}L}{\mathrm{d}z_{t+1}}""",
)
def _():
    check_adjoint_state(net)


@equation(
    "eq-unrolled-backward-z",
    r"\frac{\mathrm{d}L}{\mathrm{d}z_t} = f'(z_t) \odot \frac{\mathrm{d}L}{\mathrm{d}h_t}",
)
def _():
    check_adjoint_z(net, torch.tanh)


@equation(
    "eq-unrolled-outer",
    r"""\frac{\mathrm{d}L}{\mathrm{d}W_{hh}} =
    \sum_{t=1}^{T} \frac{\mathrm{d}L}{\mathrm{d}z_t}\, h_{t-1}^\top""",
)
def _():
    total = sum(torch.outer(derivative(net.L, net.z[t]), net.H[t - 1]) for t in STEPS)
    assert_equal(total, derivative(net.L, net.W_hh))


@equation("eq-unrolled-parameters", r"N = n\,(d + n + q)")
def _():
    """PyTorch's layers hold as many numbers."""
    for n, d, q in ((3, 2, 4), (1, 1, 1), (5, 7, 2)):
        layers = (torch.nn.RNN(d, n, bias=False), torch.nn.Linear(n, q, bias=False))
        count = sum(weight.numel() for layer in layers for weight in layer.parameters())
        assert n * (d + n + q) == count


def multiplications(function):
    """PyTorch's own count of what a call computes: two operations for each product."""
    with FlopCounterMode(display=False) as counter:
        function()
    return counter.get_total_flops() / 2


def costs(n, d, q, T):
    """Multiplications of the library's forward and backward pass for one sequence."""
    shapes = ((n, d), (n, n), (q, n))
    rnn = RNN(*(normal(*shape, seed=k) for k, shape in enumerate(shapes)))
    X, h0, dO = normal(T, 1, d, seed=3), normal(1, n, seed=4), normal(T, 1, q, seed=5)
    tape = rnn(X, h0)
    return multiplications(lambda: rnn(X, h0)), multiplications(lambda: bptt(tape, dO))


SIZES = ((3, 2, 4, 7), (3, 2, 4, 14), (5, 7, 2, 9))


@equation("eq-unrolled-cost-forward", r"C_{\text{forward}} = T\, n\, (d + n + q)")
def _():
    for n, d, q, T in SIZES:
        assert T * n * (d + n + q) == costs(n, d, q, T)[0]


@equation("eq-unrolled-cost-backward", r"C_{\text{backward}} = T\, n\, (d + 2n + 2q)")
def _():
    for n, d, q, T in SIZES:
        forward, backward = costs(n, d, q, T)
        assert T * n * (d + 2 * n + 2 * q) == backward <= 2 * forward
