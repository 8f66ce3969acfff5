"""Checks of the equations of chapter 3, "Why 1/T"."""

import math

import torch
from ledger import equation
from network import assert_equal, derivative, normal, tanh_network
from torch.nn.functional import cross_entropy

from bptt import RNN, bptt, squared_error
from bptt import cross_entropy as loss_and_adjoint

net = tanh_network()
T, H, z, o, y = net.T, net.H, net.z, net.o, net.y
WEIGHTS = (net.W_hx, net.W_hh, net.W_qh)
STEPS = range(1, T + 1)
l = [None, *(((o[t] - y[t]) ** 2).sum() / 2 for t in STEPS)]
L_sum = sum(l[1:])
E = [None, *(derivative(l[t], o[t]) for t in STEPS)]  # the immediate derivative of one loss
norm = torch.linalg.vector_norm


@equation(
    "eq-mean-model",
    r"""\begin{gathered}
    h_t = \tanh(W_{hx}\, x_t + W_{hh}\, h_{t-1}), \\
    o_t = W_{qh}\, h_t, \qquad \ell_t = \ell(o_t, y_t)
    \end{gathered}""",
)
def _():
    """Entry by entry in plain Python, against torch.nn.RNN, torch.nn.Linear and the library."""
    torch_rnn = torch.nn.RNN(2, net.n, bias=False, dtype=torch.float64)
    torch_rnn.load_state_dict({"weight_ih_l0": net.W_hx, "weight_hh_l0": net.W_hh})
    states = torch_rnn(torch.stack(net.x[1:]), H[0][None])[0]
    outputs = torch.nn.functional.linear(states, net.W_qh)
    h = H[0].tolist()
    for t in STEPS:
        h = [
            math.tanh(
                sum(net.W_hx[a, c].item() * net.x[t][c].item() for c in range(2))
                + sum(net.W_hh[a, b].item() * h[b] for b in range(net.n))
            )
            for a in range(net.n)
        ]
        output = [sum(net.W_qh[c, a].item() * h[a] for a in range(net.n)) for c in range(4)]
        loss = sum((output[c] - y[t][c].item()) ** 2 / 2 for c in range(4))
        assert_equal(states[t - 1], torch.tensor(h, dtype=torch.float64))
        assert_equal(outputs[t - 1], torch.tensor(output, dtype=torch.float64))
        assert_equal(squared_error(outputs[None, None, t - 1], y[t][None, None])[0], loss)


@equation(
    "eq-mean-two-losses",
    r"""L_{\text{sum}} = \sum_{t=1}^{T} \ell_t, \qquad\qquad
    L = \frac{1}{T} \sum_{t=1}^{T} \ell_t""",
)
def _():
    """Against torch's own reductions of half the squared error."""
    O, Y = torch.stack(o[1:]), torch.stack(y[1:])
    total = sum(loss.item() for loss in l[1:])
    assert_equal(total, torch.nn.MSELoss(reduction="sum")(O, Y) / 2)
    assert_equal(total / T, torch.nn.MSELoss(reduction="none")(O, Y).sum(-1).mean() / 2)


def hand(w, h, targets):
    """States and losses of h_t = w h_{t-1}, l_t = (h_t - y_t)^2 / 2; row 0 of the losses unused."""
    states, losses = [h], [None]
    for target in targets:
        states.append(w * states[-1])
        losses.append((states[-1] - target) ** 2 / 2)
    return states, losses


@equation(
    "eq-mean-hand",
    r"""\frac{\mathrm{d}L_{\text{sum}}}{\mathrm{d}w} = 1 - 4 + 24 = 21, \qquad
    \frac{\mathrm{d}L}{\mathrm{d}w} = \frac{21}{3} = 7""",
)
def _():
    w = torch.tensor([2.0], requires_grad=True)
    _, losses = hand(w, torch.tensor(1.0), (1, 5, 6))
    assert [derivative(loss, w).item() for loss in losses[1:]] == [1, -4, 24]
    assert derivative(sum(losses[1:]), w).item() == 1 - 4 + 24 == 21
    assert derivative(sum(losses[1:]) / 3, w).item() == 21 / 3 == 7


@equation(
    "eq-mean-uses",
    r"""\frac{\mathrm{d}L}{\mathrm{d}w} = \frac{1}{T} \sum_{t=1}^{T} (h_t - y_t)
    \sum_{j=1}^{t} w^{t-j}\, h_{j-1}""",
)
def _():
    w = torch.tensor([0.8], dtype=torch.float64, requires_grad=True)
    targets = normal(T, seed=31)
    h, losses = hand(w, torch.tensor(1.3, dtype=torch.float64), targets)
    total = sum(
        (h[t] - targets[t - 1]) * sum(w ** (t - j) * h[j - 1] for j in range(1, t + 1))
        for t in STEPS
    )
    assert_equal(total / T, derivative(sum(losses[1:]) / T, w).reshape(1))


@equation(
    "eq-mean-gradient",
    r"""\frac{\mathrm{d}L}{\mathrm{d}W} = \frac{1}{T}\, \frac{\mathrm{d}L_{\text{sum}}}{\mathrm{d}W}
    = \frac{1}{T} \sum_{t=1}^{T} \frac{\mathrm{d}\ell_t}{\mathrm{d}W}""",
)
def _():
    for W in WEIGHTS:
        assert_equal(derivative(L_sum, W) / T, derivative(net.L, W))
        assert_equal(sum(derivative(l[t], W) for t in STEPS) / T, derivative(net.L, W))


@equation(
    "eq-mean-direct",
    r"""\frac{\mathrm{d}L}{\mathrm{d}o_t} = \frac{1}{T}\,
    \frac{\partial \ell_t}{\partial o_t}""",
)
def _():
    for t in STEPS:
        assert_equal(E[t] / T, derivative(net.L, o[t]))


@equation(
    "eq-mean-adjoint",
    r"""\begin{gathered}
    \frac{\mathrm{d}L}{\mathrm{d}h_t} = W_{qh}^\top \frac{\mathrm{d}L}{\mathrm{d}o_t} +
    W_{hh}^\top \frac{\mathrm{d}L}{\mathrm{d}z_{t+1}}, \qquad
    \frac{\mathrm{d}L}{\mathrm{d}z_{T+1}} = 0, \\
    \frac{\mathrm{d}L}{\mathrm{d}z_t} = (1 - h_t^2) \odot \frac{\mathrm{d}L}{\mathrm{d}h_t}
    \end{gathered}""",
)
def _():
    dz = torch.zeros_like(H[0])
    for t in reversed(STEPS):
        dh = net.W_qh.T @ derivative(net.L, o[t]) + net.W_hh.T @ dz
        dz = (1 - H[t] ** 2) * dh
        assert_equal(dh, derivative(net.L, H[t]))
        assert_equal(dz, derivative(net.L, z[t]))


@equation(
    "eq-mean-grad",
    r"""\begin{gathered}
    \frac{\mathrm{d}L}{\mathrm{d}W_{hh}} = \sum_{t=1}^{T} \frac{\mathrm{d}L}{\mathrm{d}z_t}\,
    h_{t-1}^\top, \\
    \frac{\mathrm{d}L}{\mathrm{d}W_{hx}} = \sum_{t=1}^{T} \frac{\mathrm{d}L}{\mathrm{d}z_t}\,
    x_t^\top, \qquad
    \frac{\mathrm{d}L}{\mathrm{d}W_{qh}} = \sum_{t=1}^{T} \frac{\mathrm{d}L}{\mathrm{d}o_t}\,
    h_t^\top
    \end{gathered}""",
)
def _():
    dL = lambda of: derivative(net.L, of)  # noqa: E731
    assert_equal(sum(torch.outer(dL(z[t]), H[t - 1]) for t in STEPS), dL(net.W_hh))
    assert_equal(sum(torch.outer(dL(z[t]), net.x[t]) for t in STEPS), dL(net.W_hx))
    assert_equal(sum(torch.outer(dL(o[t]), H[t]) for t in STEPS), dL(net.W_qh))


B, q = 3, 4
logits = normal(T, B, q, seed=32).requires_grad_()
classes = torch.randint(q, (T, B), generator=torch.Generator().manual_seed(33))
LENGTHS = (7, 2, 4)
N = sum(LENGTHS)


def token_loss(t, b):
    return -torch.log_softmax(logits[t - 1, b], 0)[classes[t - 1, b]]


def immediate(t, b):
    """∂l/∂o of one step and example: its row alone, in the shape (q,)."""
    return derivative(token_loss(t, b), logits)[t - 1, b]


@equation(
    "eq-mean-batch",
    r"""L = \frac{1}{T B} \sum_{t=1}^{T} \sum_{b=1}^{B} \ell_{t,b}, \qquad
    \frac{\mathrm{d}L}{\mathrm{d}o_{t,b}} = \frac{1}{T B}\,
    \frac{\partial \ell_{t,b}}{\partial o_{t,b}}""",
)
def _():
    """The judge is torch's mean over the flattened batch; the library agrees."""
    judge = cross_entropy(logits.flatten(0, 1), classes.flatten())
    dL = derivative(judge, logits)
    total = sum(token_loss(t, b) for t in STEPS for b in range(B))
    assert_equal(total / (T * B), judge)
    for t in STEPS:
        for b in range(B):
            assert_equal(immediate(t, b) / (T * B), dL[t - 1, b])
    assert_equal(loss_and_adjoint(logits, classes)[1], dL)


@equation(
    "eq-mean-twice",
    r"""\frac{\mathrm{d}L}{\mathrm{d}W_{hh}} \neq \frac{1}{T} \sum_{t=1}^{T}
    \frac{\mathrm{d}L}{\mathrm{d}z_t}\, h_{t-1}^\top""",
)
def _():
    """Unequal, by the factor T, for each T above 1; equal for T = 1, as the text says."""
    for length in STEPS:
        network = tanh_network(T=length)
        steps = range(1, length + 1)
        uses = (torch.outer(derivative(network.L, network.z[t]), network.H[t - 1]) for t in steps)
        right, left = sum(uses) / length, derivative(network.L, network.W_hh)
        assert_equal(length * right, left)
        assert bool(norm(right - left) > 0.4 * norm(left)) == (length > 1)


@equation(
    "eq-mean-triangle",
    r"""\Big\lVert \frac{\mathrm{d}L}{\mathrm{d}W} \Big\rVert \;\le\;
    \max_{1 \le t \le T} \Big\lVert \frac{\mathrm{d}\ell_t}{\mathrm{d}W} \Big\rVert""",
)
def _():
    """It holds for several sizes, with equality if all gradients are equal; the sum exceeds it."""
    for length, units in ((7, 3), (12, 2), (9, 4)):
        network = tanh_network(n=units, T=length)
        for W in (network.W_hx, network.W_hh, network.W_qh):
            each = [
                derivative(((network.o[t] - network.y[t]) ** 2).sum() / 2, W)
                for t in range(1, length + 1)
            ]
            assert norm(derivative(network.L, W)) <= max(norm(g) for g in each)
    x, W, target = normal(2, seed=34), normal(3, 2, seed=35).requires_grad_(), normal(3, seed=36)
    same = [((torch.tanh(W @ x) - target) ** 2).sum() / 2 for _ in STEPS]  # W_hh = 0, one input
    longest = max(norm(derivative(loss, W)) for loss in same)
    assert_equal(norm(derivative(sum(same) / T, W)), longest)
    assert norm(derivative(sum(same), W)) > 6 * longest


@equation(
    "eq-mean-memory",
    r"""\begin{gathered}
    \Big\lVert \frac{\mathrm{d}\ell_t}{\mathrm{d}W_{hh}} \Big\rVert \;\le\; \frac{1}{1 - \rho}\;
    \Big\lVert W_{qh}^\top \frac{\partial \ell_t}{\partial o_t} \Big\rVert\; \max_{j < t} \lVert
    h_j \rVert, \\
    \rho = \max_i\, \lVert D_i\, W_{hh} \rVert_2 < 1
    \end{gathered}""",
)
def _():
    """It holds for contracting networks; one unit at rest attains it as t grows."""
    for seed in range(20):
        W_hh = normal(3, 3, seed=seed)
        W_hh = (0.9 * W_hh / torch.linalg.matrix_norm(W_hh, 2)).requires_grad_()
        W_qh, x = normal(2, 3, seed=seed + 100), normal(12, 3, seed=seed + 200)
        h = [normal(3, seed=seed + 300)]
        for t in range(1, 13):
            h.append(torch.tanh(W_hh @ h[t - 1] + x[t - 1]))
        slopes = [torch.diag(1 - state**2) for state in h[1:]]
        rho = max(torch.linalg.matrix_norm(D @ W_hh, 2) for D in slopes)
        assert rho < 1
        for t in range(1, 13):
            output = (W_qh @ h[t]).detach().requires_grad_()
            direct = W_qh.T @ derivative((output**2).sum() / 2, output)
            gradient = derivative(((W_qh @ h[t]) ** 2).sum() / 2, W_hh)
            longest = max(norm(h[j]) for j in range(t))
            assert norm(gradient) <= norm(direct) * longest / (1 - rho)

    w = torch.tensor([0.5], dtype=torch.float64, requires_grad=True)
    h = torch.tensor(3.0, dtype=torch.float64)
    for _ in range(60):
        h = w * h + 1.5  # identity, at rest at 3
    assert_equal(derivative(h**2 / 2, w).reshape(()), 1 / (1 - 0.5) * 3.0 * 3.0)


def stepped(optimizer, factor, **settings):
    """The weights after one step of a torch optimizer on ``factor`` times the mean loss."""
    weights = [W.detach().clone().requires_grad_() for W in WEIGHTS]
    chosen = optimizer(weights, **settings)
    for weight, W in zip(weights, WEIGHTS, strict=True):
        weight.grad = factor * derivative(net.L, W)
    chosen.step()
    return weights


@equation(
    "eq-mean-rate",
    r"""W - \eta\, \frac{\mathrm{d}L_{\text{sum}}}{\mathrm{d}W}
    = W - (\eta\, T)\, \frac{\mathrm{d}L}{\mathrm{d}W}""",
)
def _():
    """Left: the formula. Right: torch's SGD on the mean loss with the rate eta T."""
    eta = 0.03
    for W, after in zip(WEIGHTS, stepped(torch.optim.SGD, 1, lr=eta * T), strict=True):
        assert_equal(W - eta * derivative(L_sum, W), after)


def clip(threshold, g):
    return min(1, threshold / norm(g)) * g


def torch_clip(threshold, g):
    """torch's own; it adds 1e-6 to the norm, so it is given large numbers."""
    W = torch.nn.Parameter(torch.zeros_like(g))
    W.grad = 1e7 * g
    torch.nn.utils.clip_grad_norm_([W], 1e7 * threshold)
    return W.grad / 1e7


g = derivative(net.L, net.W_hh).flatten()
THRESHOLDS = [share * norm(g) for share in (0.01, 0.2, 0.5, 0.99, 1.01, 3.0, 6.9, 7.1, 30.0)]


@equation(
    "eq-mean-clip",
    r"\operatorname{clip}_\theta(g) = \min\Big(1, \frac{\theta}{\lVert g \rVert}\Big)\, g",
)
def _():
    for threshold in THRESHOLDS:
        assert_equal(clip(threshold, g), torch_clip(threshold, g), tolerance=1e-11)


@equation(
    "eq-mean-clip-scale",
    r"\operatorname{clip}_\theta(T g) = T\, \operatorname{clip}_{\theta / T}(g)",
)
def _():
    for threshold in THRESHOLDS:
        assert_equal(T * clip(threshold / T, g), torch_clip(threshold, T * g), tolerance=1e-11)


@equation(
    "eq-mean-clipped",
    r"""\operatorname{clip}_\theta(T g) = \operatorname{clip}_\theta(g)
    = \theta\, \frac{g}{\lVert g \rVert} \qquad
    \text{if } \lVert g \rVert \ge \theta \text{ and } T \ge 1""",
)
def _():
    """It holds under the condition for every T >= 1, and for a smaller norm it does not."""
    for threshold in THRESHOLDS:
        right = threshold * g / norm(g)
        for factor in (1, 2, T):
            is_equal = norm(torch_clip(threshold, factor * g) - right) < 1e-10 * norm(right)
            assert is_equal or norm(g) < threshold
        if norm(g) < threshold:
            assert norm(torch_clip(threshold, g) - right) > 0.005 * norm(right)
            assert norm(clip(threshold, T * g) - clip(threshold, g)) > 0.005 * norm(g)


@equation(
    "eq-mean-decay",
    r"""W - \eta\, (T g + \lambda W) = W - \eta T \Big( g + \frac{\lambda}{T}\, W \Big)""",
)
def _():
    """Both sides of the formula against torch's SGD with weight decay, on the sum and the mean."""
    eta, decay = 0.03, 0.4
    total = stepped(torch.optim.SGD, T, lr=eta, weight_decay=decay)
    mean = stepped(torch.optim.SGD, 1, lr=eta * T, weight_decay=decay / T)
    for W, of_sum, of_mean in zip(WEIGHTS, total, mean, strict=True):
        gradient = derivative(net.L, W)
        assert_equal(W - eta * (T * gradient + decay * W), of_mean)
        assert_equal(W - eta * T * (gradient + decay / T * W), of_sum)


@equation(
    "eq-mean-adam",
    r"\frac{T m}{\sqrt{T^2 v} + \varepsilon} = \frac{m}{\sqrt{v} + \varepsilon / T}",
)
def _():
    """Both sides against the last of three steps of torch's Adam on gradients times T."""
    gradients, eps = normal(3, 6, seed=37), 0.2
    W = torch.zeros(6, dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([W], lr=1.0, betas=(0.9, 0.99), eps=eps)
    m = v = torch.zeros(6, dtype=torch.float64)
    for k, gradient in enumerate(gradients, start=1):
        before, W.grad = W.detach().clone(), T * gradient
        adam.step()
        m, v = 0.9 * m + 0.1 * gradient, 0.99 * v + 0.01 * gradient**2
        m_k, v_k = m / (1 - 0.9**k), v / (1 - 0.99**k)
        assert_equal(T * m_k / ((T**2 * v_k).sqrt() + eps), before - W)
        assert_equal(m_k / (v_k.sqrt() + eps / T), before - W)


@equation(
    "eq-mean-blocks",
    r"""\sum_{k=1}^{N/K} \Big( \frac{1}{K} \sum_{t=(k-1)K+1}^{kK} g_t \Big)
    = \frac{N}{K} \cdot \frac{1}{N} \sum_{t=1}^{N} g_t""",
)
def _():
    """Left: the library's gradients of the blocks. Right: autograd with the state detached."""
    steps = 12
    W_hx, W_hh, W_qh = normal(3, 2, seed=38), normal(3, 3, seed=39), normal(4, 3, seed=40)
    X, Y, h_0 = normal(steps, 2, seed=41), normal(steps, 4, seed=42), normal(3, seed=43)
    for K in (1, 2, 3, 4, 6, 12):
        W, h, g = W_hh.clone().requires_grad_(), h_0, [None]
        for t in range(1, steps + 1):
            h = h.detach() if (t - 1) % K == 0 else h
            h = torch.tanh(W_hx @ X[t - 1] + W @ h)
            g.append(derivative(((W_qh @ h - Y[t - 1]) ** 2).sum() / 2, W))
        left, state, rnn = 0, h_0[None], RNN(W_hx, W_hh, W_qh)
        for k in range(1, steps // K + 1):
            block = slice((k - 1) * K, k * K)
            tape = rnn(X[block, None], state)
            left = left + bptt(tape, squared_error(tape.O, Y[block, None])[1]).W_hh
            state = tape.H[-1]
        assert_equal(steps / K * (1 / steps) * sum(g[1:]), left)


def sequence_mean(b):
    """L_b: torch's mean over one sequence that was never padded."""
    return cross_entropy(logits[: LENGTHS[b], b], classes[: LENGTHS[b], b])


def padded():
    """The token mean by torch: padding is ignored."""
    labels = classes.clone()
    for b, length in enumerate(LENGTHS):
        labels[length:, b] = -100
    return cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)


@equation(
    "eq-mean-padded",
    r"""L_{\text{tok}} = \frac{1}{N} \sum_{b=1}^{B} \sum_{t=1}^{T_b} \ell_{t,b}, \qquad\qquad
    L_{\text{seq}} = \frac{1}{B} \sum_{b=1}^{B} \frac{1}{T_b} \sum_{t=1}^{T_b} \ell_{t,b}""",
)
def _():
    sums = [sum(token_loss(t, b) for t in range(1, LENGTHS[b] + 1)) for b in range(B)]
    assert_equal(sum(sums) / N, padded())
    assert_equal(
        sum(sums[b] / LENGTHS[b] for b in range(B)) / B,
        torch.stack([sequence_mean(b) for b in range(B)]).mean(),
    )


@equation(
    "eq-mean-tradeoff",
    r"""L_{\text{tok}} = \sum_{b=1}^{B} \frac{T_b}{N}\, L_b, \qquad\qquad
    L_{\text{seq}} = \sum_{b=1}^{B} \frac{1}{B}\, L_b""",
)
def _():
    assert_equal(sum(LENGTHS[b] / N * sequence_mean(b) for b in range(B)), padded())
    total = sum(token_loss(t, b) / LENGTHS[b] for b in range(B) for t in range(1, LENGTHS[b] + 1))
    assert_equal(sum(1 / B * sequence_mean(b) for b in range(B)), total / B)


@equation(
    "eq-mean-weights",
    r"""L = \sum_{t,b} w_{t,b}\, \ell_{t,b}, \qquad
    \frac{\mathrm{d}L}{\mathrm{d}o_{t,b}} = w_{t,b}\,
    \frac{\partial \ell_{t,b}}{\partial o_{t,b}}""",
)
def _():
    """Weights of any size, against torch's unreduced loss."""
    w = normal(T, B, seed=44)
    each = cross_entropy(logits.flatten(0, 1), classes.flatten(), reduction="none").reshape(T, B)
    judge = torch.tensordot(w, each, dims=2)
    assert_equal(sum(w[t - 1, b] * token_loss(t, b) for t in STEPS for b in range(B)), judge)
    dL = derivative(judge, logits)
    for t in STEPS:
        for b in range(B):
            assert_equal(w[t - 1, b] * immediate(t, b), dL[t - 1, b])


@equation(
    "eq-mean-perplexity",
    r"\text{perplexity} = \exp\Big( \frac{\sum_k N_k\, L_k}{\sum_k N_k} \Big)",
)
def _():
    """Three batches of different sizes, against the loss of all their tokens at once."""
    parts = (slice(0, 1), slice(1, 3), slice(3, 7))
    flat = lambda part: (logits[part].flatten(0, 1), classes[part].flatten())  # noqa: E731
    N_k = [flat(part)[1].numel() for part in parts]
    L_k = [cross_entropy(*flat(part)) for part in parts]
    weighted = sum(n * mean for n, mean in zip(N_k, L_k, strict=True)) / sum(N_k)
    assert_equal(torch.exp(weighted), cross_entropy(*flat(slice(None))).exp())
