"""Every edition was executed, holds nothing of the machine that did it, and gives no answer away.

nbval executes the editions again and compares; it passes a notebook that was never executed, and it
does not see what this module looks at.
"""

import re

import nbformat
import press
import pytest

BOOK = press.editions(press.ROOT)
EXERCISES = [edition for edition in BOOK if edition.path.parent.name == "exercises"]
SOLUTIONS = [edition for edition in BOOK if edition.path.parent.name == "solutions"]

LONGEST_CELL = 25
UNFILLED = ("Not attempted", "Replace the ...", "is not filled in")
OF_ONE_MACHINE = {
    "memory address": re.compile(r"\b0x[0-9a-f]{6,}\b"),
    "absolute path": re.compile(
        r"(?<![\w/.:+=])/(?:home|root|tmp|usr|opt|var|Users|private|work|mnt)/\S+|\b[A-Z]:\\\w+"
    ),
}


def each(editions):
    return pytest.mark.parametrize("edition", editions, ids=str)


def read(edition):
    return nbformat.read(edition.path, as_version=4)


def code_cells(edition):
    return [cell for cell in read(edition).cells if cell.cell_type == "code"]


def texts(cell):
    """What a cell printed and displayed, as text."""
    for output in cell.outputs:
        yield output.get("text", "")
        for content in output.get("data", {}).values():
            yield content if isinstance(content, str) else repr(content)


def answers(cell):
    """The lines of a manuscript cell that the learner has to find."""
    if "solution" in cell.metadata.get("tags", []):
        return set(cell.source.splitlines())
    inside, given, found = False, set(), set()
    for line in cell.source.splitlines():
        if press.BEGIN in line or press.END in line:
            inside = press.BEGIN in line
        else:
            (found if inside else given).add(line)
    return found - given


@each(BOOK)
def test_cells_were_executed_once_and_in_order(edition):
    counts = [cell.execution_count for cell in code_cells(edition)]
    assert counts == list(range(1, len(counts) + 1))
    assert counts, "no code cell"


@each(BOOK)
def test_no_error_and_no_widget_state_is_stored(edition):
    assert "widgets" not in read(edition).metadata
    for cell in code_cells(edition):
        for output in cell.outputs:
            assert output.output_type != "error", cell.source
            assert press.WIDGET_VIEW not in output.get("data", {}), cell.source


@each(BOOK)
@pytest.mark.parametrize("trace", OF_ONE_MACHINE)
def test_outputs_show_nothing_of_one_machine(edition, trace):
    found = [
        match[0]
        for cell in code_cells(edition)
        for text in texts(cell)
        for match in OF_ONE_MACHINE[trace].finditer(text)
    ]
    assert found == []


@each(BOOK)
def test_cells_are_short(edition):
    long = [cell.source for cell in code_cells(edition) if cell.source.count("\n") >= LONGEST_CELL]
    assert long == []


@each(EXERCISES)
def test_exercises_give_no_answer_away(edition):
    shown = {cell.id: cell.source.splitlines() for cell in read(edition).cells}
    manuscript = press.read_manuscript(edition.manuscript).cells
    assert any(answers(cell) for cell in manuscript)
    for cell in manuscript:
        assert not any(press.BEGIN in line for line in shown.get(cell.id, []))
        assert not answers(cell).intersection(shown.get(cell.id, [])), cell.source


@each(EXERCISES)
def test_unfilled_exercises_say_not_attempted(edition):
    checks = [cell for cell in code_cells(edition) if ".check(" in cell.source]
    assert checks, "no check"
    for cell in checks:
        said = "".join(texts(cell))
        assert any(phrase in said for phrase in UNFILLED), f"{cell.source}\n\n{said}"


@each(SOLUTIONS)
def test_solutions_are_correct(edition):
    checks = [cell for cell in code_cells(edition) if ".check(" in cell.source]
    assert checks, "no check"
    for cell in checks:
        assert re.search(r"^Correct\b", "".join(texts(cell)), re.MULTILINE), cell.source
