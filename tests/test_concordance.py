"""The verdicts on the textbook's equations: those that are expected, on every generic network."""

from functools import partial

import pytest
import torch

from bptt import RNN, bptt, squared_error
from bptt.concordance import CONCORDANCE, IDENTITY, RIGHT, TOLERANCE, WRONG, Case, Reading
from bptt.concordance import printed as enter

READINGS = [(entry, reading) for entry in CONCORDANCE for reading in entry.readings]
VERDICTS = {
    "the model": [RIGHT],
    "the loss, a sum": [RIGHT],
    "the loss, a mean": [RIGHT],
    "the gradient, by losses": [WRONG, RIGHT],
    "the recursion": [RIGHT, WRONG],
    "the lemma": [RIGHT, RIGHT, IDENTITY],
    "the letters of the lemma": [RIGHT],
    "the closed form": [RIGHT, IDENTITY],
    "the randomized estimate": [RIGHT, RIGHT],
    "the linear network": [IDENTITY],
    "the adjoint of the output": [RIGHT],
    "the gradient of the output weight": [RIGHT, RIGHT],
    "the gradients of the hidden weights, by losses": [RIGHT],
    "the derivative of a state by a state": [IDENTITY, WRONG],
    "the derivative of a state by the weights": [WRONG, IDENTITY, IDENTITY, WRONG],
    "the last adjoint": [RIGHT],
    "the recursion of the adjoint": [IDENTITY],
    "the adjoint, expanded": [IDENTITY],
    "the gradients of the hidden weights, by uses": [IDENTITY, WRONG],
}


def test_the_verdicts_are_those_of_the_chapters():
    found = {entry.name: [reading.verdict for reading in entry.readings] for entry in CONCORDANCE}
    assert found == VERDICTS


@pytest.mark.parametrize("seed", range(1, 5))
def test_another_network_gives_the_same_verdicts(seed):
    for entry, reading in READINGS:
        for activation, error in reading.errors.items():
            other = reading.error(activation, seed)
            place = f"{entry.name}, {reading.words}, {activation}: {error:.1e} and {other:.1e}"
            assert (error <= TOLERANCE) == (other <= TOLERANCE), place
            assert other <= TOLERANCE or other > 1e-4, place


@pytest.mark.parametrize("printing", ["old", "new"])
def test_every_number_means_one_equation(printing):
    numbers = [number for entry in CONCORDANCE for number in getattr(entry, printing)]
    assert sorted(numbers) == sorted(f"8.7.{n}" for n in range(1, 17))


@pytest.mark.parametrize("activation", ["identity", "tanh"])
def test_the_judge_agrees_with_the_library(activation):
    case = Case(activation)
    weights = [W.detach() for W in (case.W_hx, case.W_hh, case.W_qh)]
    tape = RNN(*weights, activation=activation)(
        torch.stack(case.x[1:])[:, None], case.H[0].detach()[None]
    )
    grads = bptt(tape, squared_error(tape.O, torch.stack(case.y[1:])[:, None])[1])
    for name in ("W_hx", "W_hh", "W_qh"):
        torch.testing.assert_close(
            case.adjoint(getattr(case, name)), getattr(grads, name), rtol=1e-12, atol=1e-13
        )


def with_the_sign_changed(reading, case):
    says, true = reading.compute(case)
    return -says, true


def test_a_changed_sign_is_wrong_and_a_changed_shape_is_refused():
    for entry, reading in READINGS:
        assert Reading("", partial(with_the_sign_changed, reading), reading.q).verdict == WRONG, (
            entry
        )
    with pytest.raises(ValueError, match="short: expected"):
        Reading("short", lambda case: (case.H[0][:1], case.H[0])).error("tanh")


def test_an_entry_keeps_its_readings_in_order():
    before = len(CONCORDANCE)
    try:
        enter("x", "x", "c", ["e"], {"a": READINGS[0][1].compute, "b": (READINGS[0][1].compute, 3)})
        entry = CONCORDANCE[-1]
        assert [(reading.words, reading.q) for reading in entry.readings] == [("a", 4), ("b", 3)]
    finally:
        del CONCORDANCE[before:]
