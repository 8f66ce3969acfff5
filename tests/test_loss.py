"""Losses: values against torch, adjoints against autograd, bad input named."""

import pytest
import torch

from bptt import cross_entropy, squared_error

O = torch.linspace(-2, 2, 2 * 3 * 4, dtype=torch.float64).reshape(2, 3, 4).sin() * 3
CLASSES = torch.tensor([[0, 1, 3], [2, 2, 1]])


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_cross_entropy_equals_torch(reduction):
    leaf = O.clone().requires_grad_()
    expected = torch.nn.functional.cross_entropy(
        leaf.flatten(0, 1), CLASSES.flatten(), reduction=reduction
    )
    (expected_dO,) = torch.autograd.grad(expected, leaf)
    loss, dO = cross_entropy(O, CLASSES, reduction)
    assert torch.allclose(loss, expected, rtol=1e-14)
    assert torch.allclose(dO, expected_dO, rtol=1e-13, atol=1e-16)


def test_squared_error_by_hand():
    """Two steps, one example, differences 3 and -4: (9 + 16)/2 = 12.5, averaged 6.25."""
    outputs = torch.tensor([4.0, -3.0]).reshape(2, 1, 1)
    targets = torch.ones(2, 1, 1)
    loss, dO = squared_error(outputs, targets, "sum")
    assert loss == 12.5 and dO.flatten().tolist() == [3, -4]
    loss, dO = squared_error(outputs, targets)
    assert loss == 6.25 and dO.flatten().tolist() == [1.5, -2]


def test_large_logits_stay_finite():
    loss, dO = cross_entropy(1e4 * O, CLASSES)
    assert torch.isfinite(loss) and torch.isfinite(dO).all()


@pytest.mark.parametrize(
    ("error", "argument", "call"),
    [
        (ValueError, "reduction", lambda: cross_entropy(O, CLASSES, "average")),
        (ValueError, "reduction", lambda: squared_error(O, O, None)),
        (TypeError, "Y", lambda: cross_entropy(O, CLASSES.double())),
        (TypeError, "Y", lambda: cross_entropy(O, CLASSES.tolist())),
        (ValueError, "Y", lambda: cross_entropy(O, CLASSES.T)),
        (ValueError, "Y", lambda: cross_entropy(O, CLASSES + 1)),
        (ValueError, "Y", lambda: cross_entropy(O, CLASSES - 1)),
        (ValueError, "O", lambda: cross_entropy(O[0], CLASSES)),
        (ValueError, "O", lambda: cross_entropy(O / 0, CLASSES)),
        (ValueError, "Y", lambda: squared_error(O, O[:1])),
        (TypeError, "Y", lambda: squared_error(O, O.float())),
        (ValueError, "Y", lambda: squared_error(O, O * float("nan"))),
    ],
)
def test_bad_input_is_named(error, argument, call):
    with pytest.raises(error, match=rf"^{argument}: expected .+ got "):
        call()
