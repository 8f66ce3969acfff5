"""What the exercises of chapter 14 say about their patients, their checks and their counts."""

import re
from pathlib import Path

import pytest
import torch

from bptt import RNN, bptt
from bptt.checks import CHECKS, GOOD
from bptt.exercises import the_bug_museum as ex
from bptt.museum import MUSEUM
from bptt.verify import relative_error

TEXT = (Path(__file__).parent.parent / "book/exercises/14_the_bug_museum.md").read_text("utf-8")
QUANTITIES = ("W_qh", "h0", "W_hh", "W_hx")
PATIENTS = {ex.diagnosis.reference[f"patient {p.number}"]: p for p in ex.patients}


def wrong(backward, tape, dO):
    """The gradients that are wrong."""
    got, right = backward(tape, dO), bptt(tape, dO)
    return {k for k in QUANTITIES if relative_error(getattr(got, k), getattr(right, k)) > 1e-9}


def ill(name, check):
    """The wrong gradients of one exhibit, in the case of a check, on five networks: the same."""
    (found,) = {
        frozenset(wrong(MUSEUM[name].broken, *CHECKS[check].case(seed))) for seed in range(5)
    }
    return found


def wrong_pairs(name):
    """The pairs (t, j) of a loss and a use that are wrong on the map of pairs."""
    rnn, X, _, h0 = GOOD.network(seed=0, one_hot=True)
    tape, found = rnn(X, h0), set()
    for t in range(1, 8):
        dO = torch.zeros_like(tape.O)
        dO[t - 1] = 1.0
        got, right = MUSEUM[name].broken(tape, dO).W_hx, bptt(tape, dO).W_hx
        found |= {(t, j) for j in range(1, t + 1) if relative_error(got[:, j - 1], right[:, j - 1])}
    return found


def test_the_patients_have_the_mistakes_of_the_key_and_no_name():
    assert [p.number for p in ex.patients] == list(range(1, 11)) and len(PATIENTS) == 10
    for name, patient in PATIENTS.items():
        assert patient.backward is MUSEUM[name].broken
        assert repr(patient) == f"Patient(number={patient.number})"
    order = list(PATIENTS)
    assert order != sorted(order) and order != [name for name in MUSEUM if name in PATIENTS]
    statement = re.sub(r"### BEGIN SOLUTION.*?### END SOLUTION", "", TEXT, flags=re.S)
    statement = statement.partition("## 2. Ten patients")[2].partition('{"tags": ["solution"]}')[0]
    assert not any(name in statement for name in MUSEUM)


def test_no_two_patients_have_the_same_signs():
    """The six cases that are printed and the map tell all ten apart."""
    printed = re.search(r"^cases = \(([^)]*)\)", TEXT, re.M)[1]
    cases = re.findall(r'"([^"]+)"', printed)
    assert len(cases) == 6
    signs = {(tuple(ill(n, c) for c in cases), frozenset(wrong_pairs(n))) for n in PATIENTS}
    assert len(signs) == 10


def test_what_tells_the_two_patients_with_one_map_apart():
    assert ill("slopes pulled out", "tiny weights") == set()
    assert ill("immediate only", "tiny weights") == {"h0", "W_hh", "W_hx"}
    tape, dO = GOOD.case(seed=0)
    dO[:-1] = 0
    for name, comes_back in (("immediate only", False), ("slopes pulled out", True)):
        assert bool(MUSEUM[name].broken(tape, dO).h0.any()) == comes_back


def test_what_the_diagnoses_say_of_clips_and_of_total_times_total():
    tape, dO = GOOD.case(seed=0)
    assert wrong(MUSEUM["slope forgotten"].broken, tape, dO / 1000)
    assert not wrong(MUSEUM["clipped inside"].broken, tape, dO / 1000)
    assert ill("clipped inside", "one step") <= {"h0"}
    assert ill("state's gradient never cleared", "good design") == {"h0", "W_hh", "W_hx"}
    assert wrong_pairs("total times total") == {(t, j) for t in range(1, 8) for j in range(1, t)}
    assert {(t, t) for t in range(2, 8)} <= wrong_pairs("assigned, not added")


def test_one_step_cut_out_of_the_adjoint_gets_a_message_of_the_exercise():
    def cut(dO, backward, right):
        return [float((backward(dO[t : t + 1]) - right(dO)).norm()) for t in range(len(dO))]

    result = ex.errors_by_loss.check(cut)
    assert result.outcome == "raised"
    assert "expected an adjoint of all steps, shape (7, 3, 3), got (1, 3, 3)" in result.message
    assert "has zeros" in result.message


@pytest.mark.parametrize(
    ("name", "check", "gradients"),
    [
        ("state of the same step", "zero h_0", {"W_hh"}),
        ("cut into blocks", "loss at the last step", {"h0", "W_hh", "W_hx"}),
        ("state's gradient never cleared", "loss at the last step", set()),
        ("divided by T again", "one step", set()),
        ("divided by T again", "one sequence", {"W_qh", "W_hh", "W_hx"}),
        ("divided by B again", "one sequence", set()),
        ("h_0 without its weight", "one sequence", {"h0"}),
        ("h_0 summed over the batch", "one sequence", set()),
        ("immediate only", "good design", {"h0", "W_hh", "W_hx"}),
        ("immediate only", "symmetric W_hh", {"h0", "W_hh", "W_hx"}),
        ("assigned, not added", "good design", {"W_hh", "W_hx"}),
        ("last loss only", "good design", set(QUANTITIES)),
        ("last loss only", "one step", set()),
        ("last loss only", "loss at the last step", set()),
        ("output layer sees the state before", "one step", {"W_qh"}),
        ("slopes pulled out", "symmetric W_hh", {"h0", "W_hh", "W_hx"}),
        ("slopes pulled out", "one step", set()),
        ("slope forgotten", "one step", {"h0", "W_hh", "W_hx"}),
        ("W_hh the wrong way round", "one step", {"h0"}),
        ("W_hh the wrong way round", "symmetric W_hh", set()),
    ],
)
def test_what_the_diagnoses_say_of_the_cases(name, check, gradients):
    found = ill(name, check)
    assert found & set(CHECKS[check].compared) == gradients & set(CHECKS[check].compared)


def test_what_the_diagnoses_and_the_solution_say_of_the_maps():
    pairs = {(t, j) for t in range(1, 8) for j in range(1, t + 1)}
    diagonal = {(t, t) for t in range(1, 8)}
    assert wrong_pairs("immediate only") == wrong_pairs("slopes pulled out") == pairs - diagonal
    assert wrong_pairs("assigned, not added") == {(t, j) for t, j in pairs if j > 1}
    blocks = {(t, j) for t, j in pairs if (t - 1) // 3 != (j - 1) // 3}
    assert wrong_pairs("cut into blocks") == blocks


def test_the_slopes_that_stand_between_two_adjoints():
    """With one step and unit inputs dL/dz_1 is seen, and dL/dh_1 is dO W_qh."""
    rnn, X, _, h0 = GOOD.network(seed=0, one_hot=True)
    tape = rnn(X[:1], h0)
    dO = torch.ones_like(tape.O)
    z = X[0] @ rnn.W_hx.T + h0 @ rnn.W_hh.T
    for name, slope in (
        ("slope forgotten", torch.ones_like(z)),
        ("slope of z", 1 - z**2),
        ("slope of the step before", 1 - h0**2),
    ):
        seen = MUSEUM[name].broken(tape, dO).W_hx[:, 0]
        assert relative_error(seen, (slope * (dO[0] @ rnn.W_qh)).sum(0)) < 1e-12


@pytest.mark.parametrize("line", ex.caught_or_missed.reference)
def test_the_verdicts_do_not_depend_on_the_network(line):
    mistake, check = line.split(": ")
    verdict = {CHECKS[check].catches(MUSEUM[mistake].broken, seed) for seed in range(5)}
    assert verdict == {ex.caught_or_missed.reference[line] == "caught"}


def test_the_counts_of_one_hot_losses():
    generator = torch.Generator().manual_seed(0)
    normal = lambda *s: torch.randn(*s, generator=generator, dtype=torch.float64)  # noqa: E731
    tape = RNN(normal(4, 2), normal(4, 4) / 2, normal(5, 4))(normal(7, 3, 2), normal(3, 4))
    units = torch.eye(105, dtype=torch.float64).reshape(105, 7, 3, 5)
    assert GOOD.case(0)[0].O.shape == tape.O.shape
    expected = dict(ex.one_hot.reference)
    steps = [expected.pop(f"never cleared: {which} step") for which in ("first", "last")]
    uncleared = MUSEUM["state's gradient never cleared"].broken
    ill = [t for t, unit in enumerate(units[::15], start=1) if wrong(uncleared, tape, unit)]
    assert [ill[0], ill[-1]] == steps and ill == list(range(2, 7))
    assert expected.pop("one-hot losses") == 105 == tape.O.numel()
    for name, count in expected.items():
        assert sum(bool(wrong(MUSEUM[name].broken, tape, unit)) for unit in units) == count


def test_the_colleague_passed_her_tests_and_is_wrong():
    colleague, right = ex.repaired.mistakes["as it was"], ex.repaired.reference
    generator = torch.Generator().manual_seed(0)
    normal = lambda *s: torch.randn(*s, generator=generator, dtype=torch.float64)  # noqa: E731
    W, W_qh, state = normal(3, 3), normal(2, 3), torch.tanh(normal(3))
    signs = torch.sign(normal(8, 3))
    tests = [
        (W + W.T, W_qh, signs * state, normal(7, 2)),
        (torch.eye(3, dtype=W.dtype), W_qh, torch.stack([state, -state]), normal(1, 2)),
    ]
    for case in tests:
        for name, value in right(*case).items():
            assert relative_error(colleague(*case)[name], value) < 1e-12
    generic = tuple(ex.repaired.cases[0].values())
    assert relative_error(colleague(*generic)["dh0"], right(*generic)["dh0"]) > 0.1


def test_the_repaired_pass_is_that_of_the_library():
    generator = torch.Generator().manual_seed(1)
    normal = lambda *s: torch.randn(*s, generator=generator, dtype=torch.float64)  # noqa: E731
    rnn = RNN(normal(4, 2), normal(4, 4), normal(3, 4))
    tape, dO = rnn(normal(7, 1, 2), normal(1, 4)), normal(7, 1, 3)
    found = ex.repaired.reference(rnn.W_hh, rnn.W_qh, tape.H[:, 0], dO[:, 0])
    expected = bptt(tape, dO)
    assert relative_error(found["dW_hh"], expected.W_hh) < 1e-12
    assert relative_error(found["dh0"], expected.h0[0]) < 1e-12


def test_capitals_in_a_prediction_do_not_matter():
    shouted = {k: v.upper() for k, v in ex.diagnosis.reference.items()}
    assert ex.diagnosis.check(shouted).outcome == "correct"
