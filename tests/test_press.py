"""The press: right editions, the same bytes twice, nothing lost, every kind of fault named."""

import json
import re
import shutil

import nbformat
import press
import pytest

HEADER = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

"""

CHAPTER = (
    HEADER
    + r"""# A chapter

$$
h_t = w h_{t-1}
$$ (eq-step)

```{code-cell} ipython3
import sys

import ipywidgets
import matplotlib.pyplot as plt
from IPython.display import display
from matplotlib_inline.backend_inline import set_matplotlib_formats

set_matplotlib_formats("svg", metadata={"Date": None})
plt.rcParams["svg.hashsalt"] = "bptt"
print("to stdout")
print("to stderr", file=sys.stderr)
print({"b", "a", "c"})
```

```{code-cell} ipython3
for t in range(3):
    print(t, flush=True)
```

+++ {"tags": ["margin"]}

The same cell, twice.

```{code-cell} ipython3
plt.plot([0, 1], [1, 0])
plt.show()
```

```{code-cell} ipython3
plt.plot([0, 1], [1, 0])
plt.show()
```

```{code-cell} ipython3
slider = ipywidgets.IntSlider()
view = {"application/vnd.jupyter.widget-view+json": {"model_id": slider.model_id}}
display({"text/html": "<b>a still</b>", "text/plain": "a still", **view}, raw=True)
```
"""
)

EXERCISES = (
    HEADER
    + r"""+++ {"tags": ["exercise"]}

# Exercises

+++

(statement-by-hand)=
## By hand

:::{math}
:label: eq-directive
a = b
:::

$$ c = d $$ (eq-one-line)

As in {eq}`eq-step`, with $$ e = f $$ in between.

$$
g = h
$$ (eq-lines)

```{code-cell} ipython3
def check(answer):
    print("not attempted" if answer in (None, ...) else "correct")
```

```{code-cell} ipython3
numbers = ...   # a list of three numbers
named = {"first": ..., "second": ...}
### BEGIN SOLUTION
numbers = [10, 20, 40]
### END SOLUTION
check(numbers)
```

```{code-cell} ipython3
def double(h):   # (n,) -> (n,)
    ### BEGIN SOLUTION
    secret = 2
    return secret * h
    ### END SOLUTION

check(double(1))
```

+++ {"tags": ["solution"]}

(why)=
The weight is used three times.

$$
i = j
$$ (eq-solution)

```{code-cell} ipython3
:tags: [solution]

print("another way")
```
"""
)


def write(root, chapter=CHAPTER, exercises=EXERCISES):
    for part, text in (("chapters", chapter), ("exercises", exercises)):
        (root / "book" / part).mkdir(parents=True, exist_ok=True)
        (root / "book" / part / "01_a.md").write_text(text)
    return root


def contents(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.glob("*/*.ipynb")}


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    root = write(tmp_path_factory.mktemp("a book with spaces"))
    assert press.main([], root) == 0
    return root


@pytest.fixture
def book(printed, tmp_path):
    """A copy of the printed book, to be damaged."""
    return shutil.copytree(printed, tmp_path / "book")


def notebook(root, folder):
    return nbformat.read(root / folder / "01_a.ipynb", as_version=4)


def sources(root, folder, cell_type):
    return [cell.source for cell in notebook(root, folder).cells if cell.cell_type == cell_type]


def stream(root, folder):
    outputs = [out for cell in notebook(root, folder).cells for out in cell.get("outputs", [])]
    return [out.text for out in outputs if out.output_type == "stream"]


def test_exercises_hold_stubs_and_no_answer(printed):
    code = sources(printed, "exercises", "code")
    assert code[1] == (
        "numbers = ...   # a list of three numbers\n"
        'named = {"first": ..., "second": ...}\ncheck(numbers)'
    )
    assert code[2] == "def double(h):   # (n,) -> (n,)\n    ...\n\ncheck(double(1))"
    assert stream(printed, "exercises") == ["not attempted\n", "not attempted\n"]
    text = (printed / "exercises" / "01_a.ipynb").read_text()
    for answer in ("secret", "[10, 20, 40]", "SOLUTION", "another way", "three times"):
        assert answer not in text


def test_solutions_hold_answers_and_no_markers(printed):
    code = sources(printed, "solutions", "code")
    assert code[1] == "numbers = [10, 20, 40]\ncheck(numbers)"
    assert code[2] == (
        "def double(h):   # (n,) -> (n,)\n    secret = 2\n    return secret * h\n\ncheck(double(1))"
    )
    assert stream(printed, "solutions") == ["correct\n", "correct\n", "another way\n"]
    assert not any("# Exercises" in text for text in sources(printed, "solutions", "markdown"))


def test_each_label_has_one_owner(printed):
    exercises = "\n".join(sources(printed, "exercises", "markdown"))
    solutions = "\n".join(sources(printed, "solutions", "markdown"))
    labels = {"(statement-by-hand)=", ":label: eq-directive", "(eq-one-line)", "(eq-lines)"}
    assert {label for label in labels if label in exercises} == labels
    assert {label for label in labels if label in solutions} == set()
    assert "(why)=" in solutions and "$$ (eq-solution)" in solutions
    assert "As in {eq}`eq-step`, with $$ e = f $$ in between." in solutions
    assert "$$ c = d $$\n" in solutions and "$$\ng = h\n$$" in solutions
    assert "eq-step" in sources(printed, "notebooks", "markdown")[0]


def test_editions_are_valid_and_hold_nothing_of_one_run(printed):
    for folder in ("notebooks", "exercises", "solutions"):
        nb = notebook(printed, folder)
        nbformat.validate(nb)
        assert set(nb.metadata) == {"kernelspec", "language_info", "press"}
        assert nb.metadata.language_info == {"name": "python", "pygments_lexer": "ipython3"}
        names = [cell.id for cell in nb.cells]
        assert len(set(names)) == len(names)
        counts = [cell.execution_count for cell in nb.cells if cell.cell_type == "code"]
        assert counts == list(range(1, len(counts) + 1))
        assert not any("execution" in cell.metadata for cell in nb.cells)
    outputs = [
        out for cell in notebook(printed, "notebooks").cells for out in cell.get("outputs", [])
    ]
    (widget,) = (out.data for out in outputs if "text/html" in out.get("data", {}))
    assert set(widget) == {"text/html", "text/plain"}
    svgs = [out.data["image/svg+xml"] for out in outputs if "image/svg+xml" in out.get("data", {})]
    assert len(svgs) == 2 and svgs[0] == svgs[1]
    assert "0\n1\n2\n" in stream(printed, "notebooks")
    assert (printed / "notebooks" / "01_a.ipynb").read_text().endswith("}\n")


def test_second_printing_has_the_same_bytes(book, capsys):
    before = contents(book)
    assert press.main([], book) == 0
    assert capsys.readouterr().out == "every edition matches its manuscript\n"
    assert press.main(["--all"], book) == 0
    assert contents(book) == before and len(before) == 3


def test_only_what_changed_is_printed(book, monkeypatch):
    before = contents(book)
    write(book, chapter=CHAPTER.replace("The same cell, twice.", "Twice."))
    monkeypatch.setattr(press, "execute", lambda notebook, folder: notebook)
    assert press.main([str(book / "book" / "exercises" / "01_a.md")], book) == 0
    assert contents(book) == before
    assert press.main([], book) == 0
    after = contents(book)
    assert {name for name in before if before[name] != after[name]} == {"notebooks/01_a.ipynb"}
    old, new = (
        [cell["id"] for cell in json.loads(state["notebooks/01_a.ipynb"])["cells"]]
        for state in (before, after)
    )
    assert sum(a != b for a, b in zip(old, new, strict=True)) == 1


def edit_output(root):
    path = root / "notebooks" / "01_a.ipynb"
    path.write_text(path.read_text().replace("to stdout", "to Stdout", 1))


def edit_source_and_seal(root):
    nb = notebook(root, "exercises")
    nb.cells[0].source = "# Other exercises"
    (root / "exercises" / "01_a.ipynb").write_text(press.seal(nb))


def leave_half(root):
    path = root / "solutions" / "01_a.ipynb"
    path.write_text(path.read_text()[:200])


def run_by_other_means(root):
    nb = notebook(root, "notebooks")
    del nb.metadata["press"]
    nbformat.write(nb, root / "notebooks" / "01_a.ipynb")


FAULTS = {
    "edited output": (edit_output, ["notebooks/01_a.ipynb was changed after it was printed"]),
    "no hash": (run_by_other_means, ["notebooks/01_a.ipynb was changed after it was printed"]),
    "half a file": (leave_half, ["solutions/01_a.ipynb was changed after it was printed"]),
    "other cells": (
        edit_source_and_seal,
        ["exercises/01_a.ipynb has other cells than its manuscript"],
    ),
    "newer manuscript": (
        lambda root: write(root, exercises=EXERCISES + "\nMore.\n"),
        [
            f"{folder}/01_a.ipynb is older than its manuscript"
            for folder in ("exercises", "solutions")
        ],
    ),
    "missing": (
        lambda root: (root / "solutions" / "01_a.ipynb").unlink(),
        ["solutions/01_a.ipynb is missing"],
    ),
    "no manuscript": (
        lambda root: (root / "book" / "chapters" / "01_a.md").unlink(),
        ["notebooks/01_a.ipynb has no manuscript"],
    ),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_check_names_every_fault(kind, book, capsys):
    assert press.main(["--check"], book) == 0
    capsys.readouterr()
    damage, lines = FAULTS[kind]
    damage(book)
    assert press.main(["--check"], book) == 1
    assert capsys.readouterr().out.splitlines() == lines


@pytest.mark.parametrize("option", [[], ["--all"]])
def test_changed_edition_is_not_overwritten(option, book, capsys):
    edit_output(book)
    before = contents(book)
    assert press.main(option, book) == 1
    assert "notebooks/01_a.ipynb: changed after the printing" in capsys.readouterr().err
    assert contents(book) == before


def test_failing_cell_stops_the_press_and_writes_nothing(book, capsys):
    before = contents(book)
    failing = EXERCISES.replace("return secret * h", 'raise ArithmeticError("too large")')
    write(book, exercises=failing)
    assert press.main([], book) == 1
    message = capsys.readouterr().err
    assert message.startswith("press: solutions/01_a.ipynb: ")
    assert "secret = 2" in message and "ArithmeticError: too large" in message
    assert "\x1b" not in message
    assert contents(book) == before


def test_interruption_leaves_whole_editions(book, monkeypatch):
    before = contents(book)
    write(book, chapter=CHAPTER + "\nMore.\n")
    monkeypatch.setattr(press, "execute", lambda notebook, folder: notebook)

    def interrupt(source, target):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(press.os, "replace", interrupt)
        press.main([], book)
    assert contents(book) == before
    assert [path.name for path in (book / "notebooks").iterdir()] == ["01_a.ipynb"]
    assert press.main([], book) == 0
    assert press.main(["--check"], book) == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (EXERCISES.replace('{"tags": ["solution"]}', '{"tags": ["solution"'), "not a MyST text"),
        (EXERCISES.replace("    ### END SOLUTION\n", ""), "lacks begin or end"),
        (
            EXERCISES.replace("    ### BEGIN SOLUTION\n", "    ### START SOLUTION\n"),
            "lacks begin or end",
        ),
    ],
)
def test_bad_manuscript_is_named(text, message, book, capsys):
    before = contents(book)
    write(book, exercises=text)
    assert press.main([], book) == 1
    error = capsys.readouterr().err
    assert message in error and re.search(r"book/exercises/01_a\.md", error)
    assert contents(book) == before


def test_wrong_file_and_empty_book_are_errors(book, tmp_path, capsys):
    assert press.main(["README.md"], book) == 1
    assert "README.md is no manuscript" in capsys.readouterr().err
    assert press.main(["--check"], tmp_path / "nothing") == 1
    assert "no manuscript: expected book/" in capsys.readouterr().err
