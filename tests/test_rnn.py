"""The forward pass against torch.nn.RNN and by hand; bad input is named."""

import dataclasses

import pytest
import torch

from bptt import RNN, augment

W_hx, W_hh, W_qh = torch.rand(4, 3), torch.rand(4, 4), torch.rand(2, 4)
X, h0 = torch.rand(7, 5, 3), torch.rand(5, 4)


def test_forward_by_hand():
    """h_1 = 2*3 + 1*5 = 11, h_2 = 2*4 + 1*11 = 19; outputs are ten times as large."""
    one = lambda value: torch.tensor([[float(value)]])  # noqa: E731
    tape = RNN(one(2), one(1), one(10), activation="identity")(
        torch.tensor([3.0, 4.0]).reshape(2, 1, 1), one(5)
    )
    assert tape.H.flatten().tolist() == [5, 11, 19]
    assert tape.O.flatten().tolist() == [110, 190]


@pytest.mark.parametrize("bias", [True, False])
def test_from_torch_without_output_layer(bias):
    torch.manual_seed(0)
    torch_rnn = torch.nn.RNN(3, 4, bias=bias, dtype=torch.float64)
    X64, h064 = X.double(), h0.double()
    expected, _ = torch_rnn(X64, h064[None])
    tape = RNN.from_torch(torch_rnn)(augment(X64) if bias else X64, h064)
    assert torch.allclose(tape.O, expected, rtol=1e-13, atol=1e-14)
    assert torch.equal(tape.O, tape.H[1:])


def test_shapes_and_initial_state():
    tape = RNN(W_hx, W_hh, W_qh)(X, h0)
    assert tape.H.shape == (8, 5, 4) and tape.O.shape == (7, 5, 2)
    assert torch.equal(tape.H[0], h0)
    assert torch.equal(RNN(W_hx, W_hh, W_qh)(X).H[0], torch.zeros(5, 4))


def test_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        RNN(W_hx, W_hh, W_qh).W_hh = W_hh


def test_augment():
    assert augment(torch.tensor([[2.0, 3.0]])).tolist() == [[1, 2, 3]]


NAN = torch.full_like(W_hh, float("nan"))


@pytest.mark.parametrize(
    ("error", "argument", "call"),
    [
        (TypeError, "W_hx", lambda: RNN([[1.0]], W_hh, W_qh)),
        (TypeError, "W_hh", lambda: RNN(W_hx, W_hh.long(), W_qh)),
        (TypeError, "W_hh", lambda: RNN(W_hx, W_hh.double(), W_qh)),
        (ValueError, "W_hx", lambda: RNN(W_hx[0], W_hh, W_qh)),
        (ValueError, "W_hx", lambda: RNN(W_hx[:, :0], W_hh, W_qh)),
        (ValueError, "W_hh", lambda: RNN(W_hx, W_hh[:3], W_qh)),
        (ValueError, "W_hh", lambda: RNN(W_hx, NAN, W_qh)),
        (ValueError, "W_hh", lambda: RNN(W_hx, W_hh.to("meta"), W_qh)),
        (ValueError, "W_qh", lambda: RNN(W_hx, W_hh, W_qh[:, :3])),
        (ValueError, "activation", lambda: RNN(W_hx, W_hh, W_qh, "relu")),
        (ValueError, "activation", lambda: RNN(W_hx, W_hh, W_qh, None)),
        (TypeError, "X", lambda: RNN(W_hx, W_hh, W_qh)(X.double())),
        (TypeError, "X", lambda: RNN(W_hx, W_hh, W_qh)(X.numpy())),
        (ValueError, "X", lambda: RNN(W_hx, W_hh, W_qh)(X[..., :2])),
        (ValueError, "X", lambda: RNN(W_hx, W_hh, W_qh)(X[:0])),
        (ValueError, "X", lambda: RNN(W_hx, W_hh, W_qh)(X / 0)),
        (ValueError, "h0", lambda: RNN(W_hx, W_hh, W_qh)(X, h0[0])),
        (TypeError, "h0", lambda: RNN(W_hx, W_hh, W_qh)(X, 0)),
        (ValueError, "X", lambda: augment(torch.tensor(1.0))),
        (TypeError, "torch_rnn", lambda: RNN.from_torch(torch.nn.LSTM(3, 4))),
        (ValueError, "torch_rnn", lambda: RNN.from_torch(torch.nn.RNN(3, 4, num_layers=2))),
        (ValueError, "torch_rnn", lambda: RNN.from_torch(torch.nn.RNN(3, 4, bidirectional=True))),
        (
            ValueError,
            "torch_rnn.nonlinearity",
            lambda: RNN.from_torch(torch.nn.RNN(3, 4, nonlinearity="relu")),
        ),
        (TypeError, "output_linear", lambda: RNN.from_torch(torch.nn.RNN(3, 4), W_qh)),
        (
            ValueError,
            "output_linear",
            lambda: RNN.from_torch(torch.nn.RNN(3, 4), torch.nn.Linear(5, 2)),
        ),
    ],
)
def test_bad_input_is_named(error, argument, call):
    with pytest.raises(error, match=rf"^{argument}: expected .+ got "):
        call()
