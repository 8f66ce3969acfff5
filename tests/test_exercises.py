"""Every exercise: the solution passes, each mistake gets its own diagnosis, nothing crashes."""

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from bs4 import BeautifulSoup

from bptt.exercises import OUTCOMES, catalogue, engine

BOOK = Path(__file__).parent.parent / "book"
NUMBERS = {"five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9}
HOURS = {"an hour": 60, "two hours": 120}
EXERCISES = list(catalogue.values())
MISTAKES = [(exercise, mistake) for exercise in EXERCISES for mistake in exercise.known_mistakes]
of_exercises = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.key)
of_code = pytest.mark.parametrize(
    "exercise", [e for e in EXERCISES if e.cases], ids=lambda e: e.key
)


@of_exercises
def test_the_solution_passes(exercise, capsys):
    result = exercise.check(exercise.reference)
    assert result.outcome == "correct" and exercise.insight in result.message
    assert capsys.readouterr().out == result.message + "\n"


@pytest.mark.parametrize(("exercise", "mistake"), MISTAKES, ids=lambda x: getattr(x, "key", x.name))
def test_each_known_mistake_gets_its_own_diagnosis(exercise, mistake):
    result = exercise.check(mistake.answer)
    assert result.outcome in ("wrong value", "wrong shape", "not finite")
    assert mistake.diagnosis in result.message and mistake.section in result.message
    others = [m for m in exercise.known_mistakes if m is not mistake]
    assert not any(other.diagnosis in result.message for other in others)
    assert exercise.mistakes[mistake.name] is mistake.answer


@of_exercises
def test_every_exercise_is_complete(exercise):
    least = 5 if exercise.cases else 2
    assert len(exercise.known_mistakes) >= least
    assert len(exercise.mistakes) == len(exercise.known_mistakes)
    assert len({m.diagnosis for m in exercise.known_mistakes}) == len(exercise.known_mistakes)
    assert len(exercise.hints) >= 2 and "eq-" in exercise.hints[-1]
    chapter, name = exercise.key.split(".")
    (manuscript,) = BOOK.glob(f"exercises/*{chapter.removeprefix('section_')}.md")
    text = manuscript.read_text("utf-8")
    assert f"ex.{name}.check(" in text and f"ex.{name}.hint()" in text
    # The exercises of a section of the textbook have no chapter: they say themselves what to know.
    lesson = next(BOOK.glob(f"chapters/*_{chapter}.md"), manuscript)
    headings = re.findall(r"^#+ (.+)$", lesson.read_text("utf-8"), re.MULTILINE)
    for mistake in exercise.known_mistakes:
        assert mistake.section in headings, f"{mistake.name}: no section {mistake.section!r}"
    for label in re.findall(r"eq-[\w-]+", exercise.hints[-1]):
        before, found, _ = lesson.read_text("utf-8").partition(f"$$ ({label})\n")
        assert found, f"the last hint names {label}, which the chapter does not have"
        section = re.findall(r"^#+ (.+)$", before, re.MULTILINE)[-1]
        assert f'"{section}"' in exercise.hints[-1], f"{label} stands in {section!r}"


@of_exercises
def test_hints_open_one_at_a_time(exercise, capsys):
    for number, hint in enumerate(exercise.hints, start=1):
        exercise.hint()
        assert capsys.readouterr().out == f"Hint {number} of {len(exercise.hints)}: {hint}\n"
    exercise.hint()
    assert capsys.readouterr().out.startswith("Hint 1 of ")


@of_exercises
def test_hints_in_a_notebook_are_folded_each_inside_the_one_before(exercise, monkeypatch):
    shown = []
    monkeypatch.setattr(engine, "display", shown.append)
    for _ in exercise.hints:
        exercise.hint()
    assert len({hint._repr_html_() for hint in shown}) == 1  # all hints, however many were asked
    folded = BeautifulSoup(shown[0]._repr_html_(), "html.parser").div
    for number, hint in enumerate(exercise.hints, start=1):
        (folded,) = folded.find_all("details", recursive=False)
        assert "open" not in folded.attrs
        assert folded.summary.get_text() == f"Open hint {number} of {len(exercise.hints)}"
        assert folded.p.get_text() == hint
    assert not folded.details


@pytest.mark.parametrize("path", sorted(BOOK.glob("exercises/*.md")), ids=lambda path: path.stem)
def test_the_introduction_states_the_number_and_the_time_of_the_exercises(path):
    text = path.read_text("utf-8")
    minutes = [int(m) for m in re.findall(r"^\*\*.+ · ★+ · (\d+) minutes\.\*\*", text, re.M)]
    introduction = rf"(?is)\b({'|'.join(NUMBERS)})\s+exercises\b.*? about (.+?) in all"
    stated = re.search(introduction, text)
    assert NUMBERS[stated[1].lower()] == len(minutes)
    time = HOURS.get(stated[2]) or int(stated[2].removesuffix(" minutes"))
    assert abs(time - sum(minutes)) <= 3, f"{sum(minutes)} minutes, said to be {stated[2]}"


def convert(value, how):
    if isinstance(value, dict):
        return {name: convert(entry, how) for name, entry in value.items()}
    return how(value)


def in_place(function):
    """The same function, finished in place on memory that its caller never sees."""

    def answer(*arguments):
        value = function(*(a.clone() if isinstance(a, torch.Tensor) else a for a in arguments))
        return convert(value, lambda v: torch.zeros_like(v).add_(v))

    return answer


def column_major(value):
    axes = tuple(reversed(range(value.ndim)))
    return value.permute(axes).contiguous().permute(axes)


STYLES = {
    "float32": lambda f: lambda *a: convert(f(*a), lambda v: v.float()),
    "NumPy": lambda f: lambda *a: convert(f(*a), lambda v: v.numpy()),
    "nested lists": lambda f: lambda *a: convert(f(*a), lambda v: v.tolist()),
    "column-major layout": lambda f: lambda *a: convert(f(*a), column_major),
    "rows as a list of tensors": lambda f: lambda *a: convert(f(*a), list),
    "with autograd history": lambda f: lambda *a: convert(f(*a), lambda v: v.requires_grad_() * 1),
    "in place": in_place,
    "sparse": lambda f: lambda *a: convert(f(*a), lambda v: v.to_sparse()),
}


@of_code
@pytest.mark.parametrize("style", STYLES)
def test_other_styles_pass(exercise, style):
    assert exercise.check(STYLES[style](exercise.reference)).outcome == "correct"


@of_code
def test_several_quantities_as_dict_or_tuple(exercise):
    if len(exercise.returns) == 1:
        return
    reference = exercise.reference
    as_tuple = lambda *a: tuple(reference(*a)[name] for name in exercise.returns)  # noqa: E731
    assert exercise.check(as_tuple).outcome == "correct"
    short = exercise.check(lambda *a: as_tuple(*a)[:1])
    assert short.outcome == "wrong type" and ", ".join(exercise.returns) in short.message


def raises(*arguments):
    rows = [1, 2]
    return rows[7]


class Hostile:
    """Raises on whatever it is asked."""

    def __getattr__(self, name):
        raise RuntimeError("no")

    def __array__(self, *arguments, **options):
        raise RuntimeError("no")

    def __len__(self):
        raise RuntimeError("no")


@of_code
@pytest.mark.parametrize(
    ("answer", "outcome", "words"),
    [
        (..., "not attempted", "Not attempted yet"),
        (None, "not attempted", "Not attempted yet"),
        (lambda *a: None, "not attempted", "return"),
        (lambda *a: ..., "not attempted", "return"),
        (5, "wrong type", "Expected a function"),
        ("1 - h**2", "wrong type", "the string"),
        (torch.ones(3), "wrong type", "Expected a function"),
        (lambda: 1, "raised", "cannot be called"),
        (raises, "raised", "return rows[7]"),
        (lambda *a: 1 / 0, "raised", "ZeroDivisionError"),
        (lambda *a: exit(3), "raised", "SystemExit"),
        (lambda *a: raises.missing, "raised", "AttributeError"),
    ],
)
def test_hostile_answers_get_a_clear_message(exercise, answer, outcome, words):
    result = exercise.check(answer)
    assert result.outcome == outcome and words in result.message


@of_code
def test_wrong_kinds_of_values(exercise):
    names = list(exercise.returns)
    every = lambda value: lambda *a: dict.fromkeys(names, value)  # noqa: E731
    for value in ("0.5", object(), Hostile(), 1j, True, {"a": 1}, [[1], [1, 2]]):
        result = exercise.check(every(value))
        assert result.outcome == "wrong type" and names[0] in result.message
    assert "1.0 and 0.0" in exercise.check(every(torch.tensor([True]))).message
    assert exercise.check(lambda *a: Hostile()).outcome == "wrong type"
    assert exercise.check(every(torch.ones(2, 3, 5))).outcome == "wrong shape"
    assert exercise.check(every(1.0)).outcome == "wrong shape"
    for value in (float("nan"), float("inf")):
        spoiled = lambda *a: convert(exercise.reference(*a), lambda v: v * value)  # noqa: B023, E731
        assert exercise.check(spoiled).outcome == "not finite"


@of_code
def test_general_observations(exercise):
    scaled = lambda *a: convert(exercise.reference(*a), lambda v: -2 * v)  # noqa: E731
    result = exercise.check(scaled)
    assert result.outcome == "wrong value" and "times a number" in result.message
    assert "-2" in result.message
    zero = lambda *a: convert(exercise.reference(*a), lambda v: 0 * v)  # noqa: E731
    assert "Every number is zero" in exercise.check(zero).message


@of_code
def test_changing_an_argument_is_noticed(exercise):
    def careless(*arguments):
        value = exercise.reference(*arguments)
        arguments[0].mul_(2)
        return value

    result = exercise.check(careless)
    first = next(iter(exercise.cases[0]))
    assert result.outcome == "wrong value" and f"changed its argument {first}" in result.message
    assert exercise.check(exercise.reference).outcome == "correct"  # the cases are unharmed


@pytest.mark.parametrize("exercise", [e for e in EXERCISES if not e.cases], ids=lambda e: e.key)
def test_hostile_values(exercise):
    blank = dict.fromkeys(exercise.returns, ...)
    assert exercise.check(blank).outcome == "not attempted"
    first = next(iter(exercise.returns))
    half = exercise.check(exercise.reference | {first: ...})
    assert half.outcome == "not attempted" and first in half.message
    assert exercise.check({}).outcome == "wrong type"
    for value in ("maybe", Hostile(), lambda: 1, [], {}):
        assert exercise.check(exercise.reference | {first: value}).outcome in (
            "wrong type",
            "wrong shape",
        )
    assert exercise.check(Hostile()).outcome == "wrong type"
    if not exercise.options:
        nan = exercise.check(exercise.reference | {first: float("nan")})
        assert nan.outcome == "not finite" and first in nan.message
        as_array = np.array(list(exercise.reference.values()))
        assert exercise.check(as_array).outcome == "correct"
        assert exercise.check(torch.tensor(as_array)).outcome == "correct"
        exact = {name: Fraction(value) for name, value in exercise.reference.items()}
        assert exercise.check(exact).outcome == "correct"
        arrays = {name: np.float32(value) for name, value in exercise.reference.items()}
        assert exercise.check(arrays).outcome == "correct"
        rounded = {name: round(value, 3) for name, value in exercise.reference.items()}
        assert exercise.check(rounded).outcome == "correct"


def test_the_first_wrong_step_is_named():
    exercise = catalogue["the_tanh_fix.adjoints"]

    def off_at_step_three(*arguments):
        dZ = exercise.reference(*arguments)
        dZ[2, 0] += 0.1
        return dZ

    message = exercise.check(off_at_step_three).message
    assert "dZ: wrong value, first at step t = 3, last at t = 3 of 1..7" in message


def test_rows_in_reverse_order_are_noticed():
    exercise = catalogue["the_tanh_fix.adjoints"]
    message = exercise.check(lambda *a: exercise.reference(*a).flip(0)).message
    assert "reverse order of time" in message
    padded = exercise.check(
        lambda *a: torch.cat([torch.zeros(1, len(a[0])), exercise.reference(*a)])
    )
    assert padded.outcome == "wrong shape" and "Row 0 belongs to step 1" in padded.message


def test_two_quantities_in_the_other_order_are_noticed():
    exercise = catalogue["the_tanh_fix.weight_gradients"]
    swapped = exercise.check(lambda *a: tuple(exercise.reference(*a).values())[::-1])
    assert "expected dW_hx first" in swapped.message


def test_a_mixture_of_mistakes_is_told_of_its_part_alone():
    """The whole answer fits no mistake: a diagnosis speaks only of the quantities it explains."""
    exercise = catalogue["the_tanh_fix.by_hand"]
    right, mistakes = exercise.reference, exercise.mistakes
    one_slip = mistakes["one factor short"] | {"total": right["total"]}
    message = exercise.check(one_slip).message
    assert "For third and second and first alone" in message and "own step" in message
    one_number = right | {"third": mistakes["one factor short"]["third"]}  # two mistakes give it
    assert "mistake" not in exercise.check(one_number).message
    prediction = catalogue["the_tanh_fix.where_exact"]
    two_wrong = prediction.reference | {"one unit": False, "W_hh symmetric": True}
    message = prediction.check(two_wrong).message
    assert "Your answer False for 'one unit' is wrong.\nWhy:" in message


def test_outcomes_are_the_documented_ones():
    assert set(OUTCOMES) == {
        "correct", "not attempted", "raised", "wrong type", "wrong shape", "not finite",
        "wrong value",
    }  # fmt: skip
