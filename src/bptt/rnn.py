"""The forward pass of a recurrent neural network, and the tape that it leaves behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor

from bptt.arguments import require_floats, require_option, require_shape

ACTIVATIONS = ("tanh", "identity")


def augment(X: Tensor) -> Tensor:
    """Prepend the constant 1 to the last axis: the bias-free convention.

    With ``W = [b, W_hx]`` the product ``augment(X) @ W.T`` equals ``X @ W_hx.T + b``.

    Args:
        X: any shape ``(..., d)``.

    Returns:
        ``(..., d + 1)``, a new tensor.

    Raises:
        TypeError: ``X`` is not a floating-point tensor.
        ValueError: ``X`` is a scalar or holds NaN or infinity.
    """
    X = require_floats("X", X)
    if X.ndim == 0:
        raise ValueError("X: expected at least one axis, got a scalar")
    return torch.cat([X.new_ones(*X.shape[:-1], 1), X], dim=-1)


@dataclass(frozen=True, eq=False)
class Tape:
    """What the forward pass leaves for the backward pass.

    Attributes:
        rnn: the network that was run.
        X: inputs, ``(T, B, d)``; not a copy, so leave them as they are until the backward pass.
        H: hidden states, ``(T+1, B, n)``; ``H[0]`` is the initial state and ``H[t]`` is h_t.
        O: outputs, ``(T, B, q)``; ``O[t-1]`` is o_t.

    Raises:
        ValueError: the shapes do not fit each other.
    """

    rnn: RNN = field(repr=False)
    X: Tensor
    H: Tensor
    O: Tensor

    def __post_init__(self):
        n, d = self.rnn.W_hx.shape
        require_shape("X", self.X, "T B d", d=d)
        T, B, _ = self.X.shape
        require_shape("H", self.H, "T+1 B n", **{"T+1": T + 1}, B=B, n=n)
        require_shape("O", self.O, "T B q", T=T, B=B, q=len(self.rnn.W_qh))


@dataclass(frozen=True, eq=False)
class RNN:
    """The network ``z_t = W_hx x_t + W_hh h_{t-1}``, ``h_t = tanh(z_t)``, ``o_t = W_qh h_t``.

    The weights are kept without autograd history. A bias is a first column of ``W_hx`` beside a
    constant input 1 (see :func:`augment`). A bias of the output layer is a first column of
    ``W_qh``, which then is ``(q, n+1)``.

    Args:
        W_hx: ``(n, d)``, input to hidden.
        W_hh: ``(n, n)``, hidden to hidden.
        W_qh: ``(q, n)`` or ``(q, n+1)``, hidden to output.
        activation: ``"tanh"``, or ``"identity"`` for the linear network ``h_t = z_t``.

    Raises:
        TypeError: a weight is not a floating-point tensor, or dtypes differ.
        ValueError: shapes do not fit, devices differ, a number is not finite, or the activation
            is unknown.

    Source: equations eq-tanh-step and eq-tanh-output.
    """

    W_hx: Tensor
    W_hh: Tensor
    W_qh: Tensor
    activation: str = "tanh"

    def __post_init__(self):
        like = {}
        for name in ("W_hx", "W_hh", "W_qh"):  # copies: an optimiser may change the originals
            weight = require_floats(name, getattr(self, name), **like).clone()
            object.__setattr__(self, name, weight)
            like = {"W_hx": self.W_hx}
        require_shape("W_hx", self.W_hx, "n d")
        n = self.W_hx.shape[0]
        require_shape("W_hh", self.W_hh, "n n", n=n)
        if self.W_qh.ndim != 2 or self.W_qh.shape[0] < 1 or self.W_qh.shape[1] not in (n, n + 1):
            raise ValueError(
                f"W_qh: expected shape (q, n={n}), or (q, n+1={n + 1}) with an output bias in the "
                f"first column, got {tuple(self.W_qh.shape)}"
            )
        require_option("activation", self.activation, ACTIVATIONS)

    @property
    def has_output_bias(self) -> bool:
        """Whether the first column of ``W_qh`` multiplies the constant 1."""
        return self.W_qh.shape[1] == self.W_hh.shape[0] + 1

    def output_features(self, H: Tensor) -> Tensor:
        """What ``W_qh`` multiplies: the states ``(..., n)``, augmented for an output bias."""
        return augment(H) if self.has_output_bias else H

    def activate_(self, Z: Tensor) -> Tensor:
        """The activation f in ``h_t = f(z_t)``, elementwise, any shape, in the place of ``Z``."""
        return Z.tanh_() if self.activation == "tanh" else Z

    def slope(self, H: Tensor) -> Tensor:
        """The slope f'(z_t) written with the state h_t: ``1 - h_t^2`` for tanh, else 1."""
        if self.activation == "identity":
            return torch.ones_like(H)
        return torch.addcmul(H.new_ones(()), H, H, value=-1)  # in one pass, without a copy of H**2

    def inputs(self, X: Tensor, h0: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Check ``X`` ``(T, B, d)`` and ``h0`` ``(B, n)``; zeros take the place of a missing h0.

        Raises:
            TypeError: ``X`` or ``h0`` is not a tensor of the weights' dtype.
            ValueError: a shape or device does not fit, or a number is not finite.
        """
        n, d = self.W_hx.shape
        X = require_floats("X", X, W_hx=self.W_hx)
        require_shape("X", X, "T B d", d=d)
        if h0 is None:
            return X, X.new_zeros(X.shape[1], n)
        h0 = require_floats("h0", h0, W_hx=self.W_hx)
        require_shape("h0", h0, "B n", B=X.shape[1], n=n)
        return X, h0

    @torch.no_grad()
    def __call__(self, X: Tensor, h0: Tensor | None = None) -> Tape:
        """Run the network over a batch of sequences.

        Args:
            X: inputs, ``(T, B, d)``, with the dtype and device of the weights.
            h0: initial hidden state, ``(B, n)``; zero when omitted.

        Returns:
            the :class:`Tape` with all hidden states and outputs.

        Raises:
            what :meth:`inputs` raises.
        """
        W_hx, W_hh, W_qh = self.W_hx, self.W_hh, self.W_qh
        X, h0 = self.inputs(X, h0)
        T, B, _ = X.shape
        H = X.new_empty(T + 1, B, len(W_hh))
        H[0] = h0

        torch.matmul(X, W_hx.T, out=H[1:])  # one product for all steps; the loop adds the rest
        for h_before, h in pairwise(H):
            self.activate_(torch.addmm(h, h_before, W_hh.T, out=h))
        return Tape(self, X, H, self.output_features(H[1:]) @ W_qh.T)

    @classmethod
    def from_torch(
        cls, torch_rnn: torch.nn.RNN, output_linear: torch.nn.Linear | None = None
    ) -> RNN:
        """Take over the weights of a one-layer ``torch.nn.RNN``.

        Its two biases enter every step as their sum, ``b = b_ih + b_hh``, and become the first
        column of ``W_hx``: call the result with ``augment(X)``. A network made with ``bias=False``
        gets no column; call it with ``X``. Inputs here are time-major whatever ``batch_first`` is.

        Args:
            torch_rnn: one layer, one direction, ``nonlinearity="tanh"``; hidden size n.
            output_linear: ``n -> q``; its bias becomes the first column of ``W_qh``.
                ``None`` means ``W_qh = I``: the outputs are the hidden states.

        Raises:
            TypeError: an argument is not the module that is expected.
            ValueError: more than one layer, two directions, another nonlinearity, or an output
                layer of another width.
        """
        if not isinstance(torch_rnn, torch.nn.RNN):
            raise TypeError(f"torch_rnn: expected torch.nn.RNN, got {type(torch_rnn).__name__}")
        for option, wanted in (("num_layers", 1), ("bidirectional", False)):
            if (got := getattr(torch_rnn, option)) != wanted:
                raise ValueError(f"torch_rnn: expected {option}={wanted}, got {got}")
        require_option("torch_rnn.nonlinearity", torch_rnn.nonlinearity, ("tanh",))
        W_hx, W_hh = torch_rnn.weight_ih_l0, torch_rnn.weight_hh_l0
        if torch_rnn.bias:
            b = torch_rnn.bias_ih_l0 + torch_rnn.bias_hh_l0
            W_hx = torch.cat([b[:, None], W_hx], dim=1)

        if output_linear is None:
            return cls(W_hx, W_hh, torch.eye(len(W_hh), dtype=W_hh.dtype, device=W_hh.device))
        if not isinstance(output_linear, torch.nn.Linear):
            got = type(output_linear).__name__
            raise TypeError(f"output_linear: expected torch.nn.Linear or None, got {got}")
        if output_linear.in_features != len(W_hh):
            raise ValueError(
                f"output_linear: expected in_features={len(W_hh)}, the hidden size, "
                f"got {output_linear.in_features}"
            )
        W_qh = output_linear.weight
        if output_linear.bias is not None:
            W_qh = torch.cat([output_linear.bias[:, None], W_qh], dim=1)
        return cls(W_hx, W_hh, W_qh)
