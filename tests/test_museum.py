"""The catalogue of mistakes: each exhibit is wrong, in one way, and right where it says so."""

import ast
import inspect
import itertools

import pytest
import torch

from bptt import RNN, Gradients, bptt, squared_error
from bptt.museum import MUSEUM, right, right_by_loss
from bptt.verify import assert_same_gradients, first_difference, relative_error

BUGS = MUSEUM.values()
every_bug = pytest.mark.parametrize("bug", BUGS, ids=MUSEUM)


def case(seed=0, T=7, B=3, d=2, n=4, q=5, h0=1.0, scale=1.0):
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    rnn = RNN(scale * normal(n, d), scale * normal(n, n) / n**0.5, normal(q, n))
    tape = rnn(normal(T, B, d), h0 * normal(B, n))
    return tape, squared_error(tape.O, normal(T, B, q))[1]


@pytest.mark.parametrize("backward", [right, right_by_loss])
@pytest.mark.parametrize("T", [1, 2, 7])
def test_the_right_ones_are_right(backward, T):
    for seed in range(5):
        tape, dO = case(seed, T=T)
        assert_same_gradients(backward(tape, dO), bptt(tape, dO))


@every_bug
def test_every_exhibit_is_wrong_on_a_good_case(bug):
    for seed in range(20):
        tape, dO = case(seed)
        assert first_difference(bug.broken(tape, dO), bptt(tape, dO), 1e-3) is not None


def test_no_two_exhibits_are_the_same():
    tape, dO = case()
    answers = {bug.name: bug.broken(tape, dO) for bug in BUGS}
    for one, other in itertools.combinations(answers, 2):
        assert first_difference(answers[one], answers[other], 1e-3) is not None, (one, other)


@every_bug
def test_an_exhibit_returns_gradients_of_the_right_shapes_and_leaves_its_inputs_alone(bug):
    tape, dO = case()
    before = [A.clone() for A in (tape.X, tape.H, tape.O, dO, tape.rnn.W_hh)]
    answer, right_one = bug.broken(tape, dO), bptt(tape, dO)
    assert isinstance(answer, Gradients)
    for name, gradient in vars(right_one).items():
        assert getattr(answer, name).shape == gradient.shape
    after = (tape.X, tape.H, tape.O, dO, tape.rnn.W_hh)
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def with_weights(tape, W_hh, h0=None):
    """The same inputs through another W_hh, with a loss of random adjoints."""
    h0 = tape.H[0] if h0 is None else h0
    return RNN(tape.rnn.W_hx, W_hh, tape.rnn.W_qh)(tape.X, h0)


def symmetric(seed):
    tape, dO = case(seed)
    return with_weights(tape, tape.rnn.W_hh + tape.rnn.W_hh.T), dO


def diagonal(seed):
    tape, dO = case(seed)
    return with_weights(tape, tape.rnn.W_hh.diag().diag()), dO


def identity(seed):
    tape, dO = case(seed)
    return with_weights(tape, torch.eye(4, dtype=torch.float64)), dO


def last_step(seed):
    tape, dO = case(seed)
    return tape, torch.cat([torch.zeros_like(dO[:-1]), dO[-1:]])


def equal_states(seed):
    """A fixed point: z = W_hx x + W_hh h with tanh(z) = h, for one input that stays."""
    tape, dO = case(seed, d=4)
    rnn = tape.rnn
    h = torch.tanh(tape.H[0])
    x = torch.linalg.solve(rnn.W_hx, (torch.atanh(h) - h @ rnn.W_hh.T).T).T
    return rnn(x.expand(7, 3, 4).clone(), h), dO


def small_messages(seed):
    tape, dO = case(seed)
    return tape, 1e-3 * dO


CASES = {  # the words of `right_when`, and cases of that kind
    "all states are equal, h_0 included": [equal_states],
    "h_0 = 0": [lambda seed: case(seed, h0=0.0)],
    "nobody asks for the gradient of h_0, or W_hh = I": [identity],
    "B = 1, or nobody asks for the gradient of h_0": [lambda seed: case(seed, B=1)],
    "W_hh is symmetric": [symmetric],
    "the network is linear, or all states are nearly zero": [
        lambda seed: case(seed, h0=1e-4, scale=1e-4)
    ],
    "neighbouring states have the same squares": [equal_states],
    "all states are nearly zero": [lambda seed: case(seed, h0=1e-4, scale=1e-4)],
    "n = 1, T = 1, or W_hh is diagonal": [
        lambda seed: case(seed, n=1),
        lambda seed: case(seed, T=1),
        diagonal,
    ],
    "T = 1": [lambda seed: case(seed, T=1)],
    "only the last step has a loss": [last_step],
    "the sequence is no longer than a block": [lambda seed: case(seed, T=3)],
    "T is at most 2, or only the last step has a loss": [
        lambda seed: case(seed, T=1),
        lambda seed: case(seed, T=2),
        last_step,
    ],
    "B = 1": [lambda seed: case(seed, B=1)],
    "every message is below the limit": [small_messages],
}


@every_bug
def test_an_exhibit_is_right_where_the_catalogue_says_so(bug):
    tolerance = 1e-6 if "nearly" in bug.right_when else 1e-9
    for make in CASES[bug.right_when]:
        for seed in range(3):
            tape, dO = make(seed)
            assert_same_gradients(bug.broken(tape, dO), bptt(tape, dO), tolerance)


def test_weights_alone_do_not_show_what_is_wrong_with_the_initial_state():
    tape, dO = case()
    expected = bptt(tape, dO)
    for bug in BUGS:
        if "nobody asks" in bug.right_when:
            for name in ("W_hx", "W_hh", "W_qh"):
                wrong, true = getattr(bug.broken(tape, dO), name), getattr(expected, name)
                assert relative_error(wrong, true) < 1e-12


@every_bug
def test_the_change_is_what_makes_the_right_one_wrong(bug):
    """The lines shown as put in are in the exhibit, those taken away are in the right one."""
    sources = {"-": inspect.getsource(bug.beside), "+": inspect.getsource(bug.broken)}
    for line in bug.change.splitlines():
        assert line[2:].strip() in sources[line[0]]
    assert 1 <= bug.change.count("\n") + 1 <= 9
    ast.parse("\n".join(line[2:].strip() for line in bug.change.splitlines() if "if " not in line))


@pytest.mark.parametrize("backward", [right, *(bug.broken for bug in BUGS)])
def test_networks_that_the_museum_does_not_know_are_refused(backward):
    tape, dO = case()
    rnn = tape.rnn
    linear = RNN(rnn.W_hx, rnn.W_hh, rnn.W_qh, activation="identity")(tape.X)
    with pytest.raises(ValueError, match="tape: expected the activation 'tanh', got 'identity'"):
        backward(linear, dO)
    biased = RNN(rnn.W_hx, rnn.W_hh, torch.cat([rnn.W_qh[:, :1], rnn.W_qh], 1))(tape.X)
    with pytest.raises(ValueError, match=r"tape: expected W_qh of shape \(q, n=4\)"):
        backward(biased, dO)
    with pytest.raises(ValueError, match="dO: expected shape"):
        backward(tape, dO[1:])
