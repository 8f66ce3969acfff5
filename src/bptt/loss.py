"""Losses on the outputs of all steps, each with its direct adjoint dL/dO in closed form."""

from __future__ import annotations

import torch
from torch import Tensor

from bptt.arguments import INTEGERS, require_floats, require_option, require_shape

REDUCTIONS = ("mean", "sum")


def _weight(O: Tensor, reduction: str) -> float:
    """The factor of one term l_{t,b} in the loss: 1/(T B) for the mean, 1 for the sum."""
    require_option("reduction", reduction, REDUCTIONS)
    require_shape("O", O, "T B q")
    return 1 / (O.shape[0] * O.shape[1]) if reduction == "mean" else 1.0


@torch.no_grad()
def cross_entropy(O: Tensor, Y: Tensor, reduction: str = "mean") -> tuple[Tensor, Tensor]:
    """Softmax cross-entropy and its adjoint.

    Args:
        O: logits, ``(T, B, q)``.
        Y: the right classes, ``(T, B)``, an integer dtype, values 0 to q-1.
        reduction: ``"mean"`` over time and batch, or ``"sum"``.

    Returns:
        the loss in nats (a scalar tensor), and ``dO = dL/dO``, ``(T, B, q)``: softmax(O) minus
        the one-hot target, divided by T B for the mean.

    Raises:
        TypeError: ``O`` is not a floating-point tensor or ``Y`` not an integer tensor.
        ValueError: shapes or devices do not fit, a class is out of range, a number is not finite,
            or the reduction is unknown.
    """
    O = require_floats("O", O)
    weight = _weight(O, reduction)
    T, B, q = O.shape
    if not isinstance(Y, Tensor):
        raise TypeError(f"Y: expected a torch.Tensor, got {type(Y).__name__}")
    if Y.dtype not in INTEGERS or Y.layout != torch.strided:
        raise TypeError(
            f"Y: expected a dense integer tensor of class numbers, got {Y.layout} {Y.dtype}"
        )
    require_shape("Y", Y, "T B", T=T, B=B)
    if Y.device != O.device:
        raise ValueError(f"Y: expected device {O.device} like O, got {Y.device}")
    if Y.min() < 0 or Y.max() >= q:
        raise ValueError(
            f"Y: expected classes from 0 to q-1={q - 1}, got {int(Y.min())} to {int(Y.max())}"
        )
    index = Y.long().unsqueeze(-1)  # (T, B, 1)
    log_p = torch.log_softmax(O, dim=-1)
    loss = -weight * log_p.gather(-1, index).sum()
    dO = log_p.exp_()
    dO.scatter_add_(-1, index, -torch.ones_like(index, dtype=O.dtype))
    return loss, dO.mul_(weight)


@torch.no_grad()
def squared_error(O: Tensor, Y: Tensor, reduction: str = "mean") -> tuple[Tensor, Tensor]:
    """Half the squared distance per step and example, summed over the q outputs, and its adjoint.

    Args:
        O: outputs, ``(T, B, q)``.
        Y: targets, ``(T, B, q)``, the dtype of ``O``.
        reduction: ``"mean"`` over time and batch, or ``"sum"``.

    Returns:
        the loss (a scalar tensor), and ``dO = dL/dO``, ``(T, B, q)``: O - Y, divided by T B for
        the mean.

    Raises:
        TypeError: an argument is not a floating-point tensor, or dtypes differ.
        ValueError: shapes or devices do not fit, a number is not finite, or the reduction is
            unknown.
    """
    O = require_floats("O", O)
    weight = _weight(O, reduction)
    Y = require_floats("Y", Y, O=O)
    T, B, q = O.shape
    require_shape("Y", Y, "T B q", T=T, B=B, q=q)
    difference = (O - Y).flatten()
    loss = weight * 0.5 * difference.dot(difference)
    return loss, difference.mul_(weight).view_as(O)
