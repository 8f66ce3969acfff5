"""Checks of the equations of the exercises of chapter 14, "The bug museum"."""

import torch
from ledger import equation
from network import assert_equal, tanh_network


@equation(
    "eq-museum-ex-basis",
    r"""G\Big(\frac{\mathrm{d}L}{\mathrm{d}O}\Big) = \sum_{t=1}^{T} \sum_{b=1}^{B} \sum_{i=1}^{q} \Big(\frac{\mathrm{d}L}{\mathrm{d}O}\Big)_{t,b,i}\, G(E_{t,b,i})""",  # noqa: E501
)
def _():
    """G is automatic differentiation; the weights of the sum are dL/dO in closed form."""
    nets = [tanh_network(), tanh_network()]  # the batch: two sequences, the second one backwards
    nets[1].x[1:] = nets[1].x[:0:-1]
    W_hx, W_hh, W_qh = nets[0].W_hx, nets[0].W_hh, nets[0].W_qh
    T, B = nets[0].T, len(nets)
    O = []
    for net in nets:
        h, outputs = net.H[0], []
        for t in range(1, T + 1):
            h = torch.tanh(W_hx @ net.x[t] + W_hh @ h)
            outputs.append(W_qh @ h)
        O.append(torch.stack(outputs))
    O = torch.stack(O, dim=1)  # (T, B, q)
    Y = torch.stack([torch.stack(net.y[1:]) for net in nets], dim=1)
    L = (O - Y).square().sum() / (2 * T * B)
    dO = (O - Y).detach() / (T * B)

    def G(of):
        return torch.autograd.grad(of, (W_hx, W_hh, W_qh), retain_graph=True)

    for row, expected in enumerate(G(L)):
        found = sum(
            dO[t, b, i] * G(O[t, b, i])[row]
            for t in range(T)
            for b in range(B)
            for i in range(O.shape[2])
        )
        assert_equal(found, expected)
