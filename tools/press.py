"""Print the editions of the book from its manuscript.

    python tools/press.py                  print every edition that does not match its manuscript
    python tools/press.py FILE ...         the same, for these manuscript files only
    python tools/press.py --all            print everything anew
    python tools/press.py --check          print nothing; name every edition at fault

The manuscript consists of MyST text notebooks, the editions are executed Jupyter notebooks:

    book/chapters/NAME.md    ->  notebooks/NAME.ipynb
    book/exercises/NAME.md   ->  exercises/NAME.ipynb    the answers removed
                                 solutions/NAME.ipynb    the answers shown

In an exercise file, lines between ``### BEGIN SOLUTION`` and ``### END SOLUTION`` are an answer;
the exercises print ``...`` in their place. ``answer = ...``, or ``answer = {"name": ...}``,
directly before a region is what the learner starts from; the solutions leave it out. A cell tagged
``solution`` appears in the solutions only, a cell tagged ``exercise`` in the exercises only. The
exercises own the labels of everything else, so the solutions print it without labels.

Two runs give the same bytes. Each edition stores the hash of its manuscript and a hash of its own
content, so ``--check`` executes nothing, and an edition that somebody changed is never overwritten.
"""

import argparse
import copy
import hashlib
import os
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import jupytext
import nbformat
from jupytext.myst import MystMetadataParsingError
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, DeadKernelError
from nbconvert.filters import strip_ansi
from nbconvert.preprocessors import TagRemovePreprocessor
from nbformat import NotebookNode
from nbgrader.preprocessors import ClearSolutions
from yaml import YAMLError

ROOT = Path(__file__).resolve().parent.parent
EDITIONS = {"chapters": ("notebooks",), "exercises": ("exercises", "solutions")}

# What a result may depend on besides the code: the processor's code paths, the number of threads,
# the order of sets. The editions are printed and tested under the same settings.
REPRODUCIBLE = {
    "MKL_CBWR": "COMPATIBLE",
    "ATEN_CPU_CAPABILITY": "default",
    "OMP_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
}

SECONDS_A_CELL = 300
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

BEGIN, END = "BEGIN SOLUTION", "END SOLUTION"
STUB = r"\w+ = (?:\.\.\.|\{[^{}]*: \.\.\.[^{}]*\}).*\n"  # answer = ..., or a dict of nothing else
MARKER_LINES = re.compile(rf"^(?:(?:{STUB})*[ \t]*#+ {BEGIN}|[ \t]*#+ {END}).*\n?", re.M)
STUB_AT_TOP_LEVEL = re.compile(r"^\.\.\.(?:\n|\Z)", re.M)

EQUATION_LABEL = re.compile(r"(\$\$.+?\$\$)(?:[ \t]*\([\w:.-]+\)[ \t]*$)?", re.M | re.S)
LABEL_LINE = re.compile(r"^[ \t]*(?:\([^()\n]+\)=|:(?:label|name):.*)[ \t]*(?:\n|\Z)", re.M)


class PressError(Exception):
    """The press stopped; the message names the file and says what to do."""


@dataclass(frozen=True)
class Edition:
    """One notebook to print, and the manuscript file it comes from."""

    manuscript: Path
    path: Path

    def __str__(self) -> str:
        return f"{self.path.parent.name}/{self.path.name}"


def editions(root: Path, chosen: list[Path] | None = None) -> list[Edition]:
    """Every edition of the book below ``root``, or those of the ``chosen`` manuscript files.

    Raises PressError when a chosen file is no manuscript, or when there is no manuscript at all.
    """
    book = [
        Edition(manuscript, root / folder / f"{manuscript.stem}.ipynb")
        for part, folders in EDITIONS.items()
        for manuscript in sorted((root / "book" / part).glob("*.md"))
        for folder in folders
    ]
    if not book:
        raise PressError(f"no manuscript: expected book/{{{','.join(EDITIONS)}}}/*.md")
    known = {edition.manuscript for edition in book}
    wanted = {path.resolve() for path in chosen} if chosen else known
    for path in sorted(wanted - known):
        raise PressError(f"{path} is no manuscript: expected a file of book/chapters or exercises")
    return [edition for edition in book if edition.manuscript in wanted]


def read_manuscript(path: Path) -> NotebookNode:
    """A manuscript file as a notebook, with the metadata and the cell ids of its editions.

    Raises PressError when it is no MyST text notebook, or when a solution region is not closed.
    """
    text = path.read_text(encoding="utf-8")
    try:
        notebook = jupytext.reads(text, fmt="md:myst")
    except (MystMetadataParsingError, YAMLError, ValueError) as error:
        raise PressError(f"{path}: not a MyST text notebook: {error}") from error
    notebook.nbformat_minor = 5
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python", "pygments_lexer": "ipython3"},
            "press": {"manuscript": digest(text)},
        }
    )
    name_cells(notebook)
    for cell in notebook.cells:
        if cell.source.count(BEGIN) != cell.source.count(END):
            raise PressError(f"{path}: a solution region lacks begin or end:\n\n{cell.source}")
    return notebook


def compose(edition: Edition) -> NotebookNode:
    """The edition as its manuscript says, not yet executed. Raises what read_manuscript raises."""
    notebook = read_manuscript(edition.manuscript)
    if edition.path.parent.name == "exercises":
        remove_answers(notebook)
    elif edition.path.parent.name == "solutions":
        show_answers(notebook)
    return notebook


def name_cells(notebook: NotebookNode) -> None:
    """Give each cell an id that depends on its source alone, so that an edit changes one id."""
    seen: Counter[str] = Counter()
    for cell in notebook.cells:
        name = digest(f"{cell.cell_type}\n{cell.source}")[:12]
        seen[name] += 1
        cell.id = name if seen[name] == 1 else f"{name}-{seen[name]}"


def remove_answers(notebook: NotebookNode) -> None:
    """Turn an exercise notebook into what the learner fills in."""
    TagRemovePreprocessor(remove_cell_tags={"solution"}).preprocess(notebook, {})
    ClearSolutions(enforce_metadata=False, code_stub={"python": "..."}).preprocess(notebook, {})
    for cell in notebook.cells:
        if cell.cell_type == "code":  # "answer = ..." stands above it and says it better
            cell.source = STUB_AT_TOP_LEVEL.sub("", cell.source).rstrip("\n")


def show_answers(notebook: NotebookNode) -> None:
    """Turn an exercise notebook into its solutions, without the labels of the exercises."""
    TagRemovePreprocessor(remove_cell_tags={"exercise"}).preprocess(notebook, {})
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = MARKER_LINES.sub("", cell.source).rstrip("\n")
        elif "solution" not in cell.metadata.get("tags", []):
            cell.source = LABEL_LINE.sub("", EQUATION_LABEL.sub(r"\1", cell.source))


def execute(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """A copy of ``notebook``, executed in ``folder`` and free of whatever two runs do not share."""
    notebook = copy.deepcopy(notebook)
    metadata = copy.deepcopy(notebook.metadata)
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        timeout=SECONDS_A_CELL,
        iopub_timeout=SECONDS_A_CELL,
        raise_on_iopub_timeout=True,
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR"],
    )
    client.execute(env={**os.environ, **REPRODUCIBLE})
    notebook.metadata = metadata
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "text/html" in output.get("data", {}):
                output.data.pop(WIDGET_VIEW, None)  # its model id is random, and no kernel keeps it
    nbformat.validate(notebook)
    return notebook


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def seal(notebook: NotebookNode) -> str:
    """The file content of ``notebook``, which carries a hash of itself."""
    sealed = copy.deepcopy(notebook)
    sealed.metadata.press.pop("edition", None)
    sealed.metadata.press["edition"] = digest(nbformat.writes(sealed))
    return nbformat.writes(sealed) + "\n"


def as_printed(path: Path) -> NotebookNode | None:
    """The notebook at ``path``, or None when somebody changed it after the press."""
    try:
        text = path.read_text(encoding="utf-8")
        notebook = nbformat.reads(text, as_version=4)
        return notebook if seal(notebook) == text else None
    except (ValueError, AttributeError, nbformat.ValidationError):
        return None


def fault(edition: Edition) -> str | None:
    """What is wrong with an edition, in words; None when it matches its manuscript."""
    if not edition.path.exists():
        return "is missing"
    printed = as_printed(edition.path)
    if printed is None:
        return "was changed after it was printed"
    composed = compose(edition)
    if printed.metadata.press.manuscript != composed.metadata.press.manuscript:
        return "is older than its manuscript"
    if print_form(printed) != print_form(composed):
        return "has other cells than its manuscript"
    return None


def print_form(notebook: NotebookNode) -> list[tuple]:
    return [(cell.id, cell.cell_type, cell.source, cell.metadata) for cell in notebook.cells]


def orphans(root: Path) -> list[Path]:
    """The notebooks in the folders of the editions that no manuscript has."""
    expected = {edition.path for edition in editions(root)}
    folders = [folder for folders in EDITIONS.values() for folder in folders]
    found = {path for folder in folders for path in (root / folder).glob("*.ipynb")}
    return sorted(found - expected)


def check(root: Path, chosen: list[Path]) -> list[str]:
    """Every fault, one line each."""
    book = editions(root, chosen)
    faults = [f"{edition} {found}" for edition in book if (found := fault(edition))]
    if not chosen:
        faults += [f"{path.parent.name}/{path.name} has no manuscript" for path in orphans(root)]
    return faults


def press(root: Path, chosen: list[Path], everything: bool = False) -> None:
    """Print the editions at fault, or all of them; those of one manuscript file together or not.

    Raises PressError, before anything is executed, when an edition was changed by hand; and when a
    cell fails, in which case no edition of this manuscript file is written.
    """
    due = [edition for edition in editions(root, chosen) if everything or fault(edition)]
    changed = [e for e in due if e.path.exists() and as_printed(e.path) is None]
    if changed:
        names = ", ".join(str(edition) for edition in changed)
        raise PressError(
            f"{names}: changed after the printing, not overwritten. Edit the manuscript instead. "
            "To give the change up, restore or delete the file and press again."
        )
    for manuscript in dict.fromkeys(edition.manuscript for edition in due):
        texts = {}
        for edition in [edition for edition in due if edition.manuscript == manuscript]:
            start = time.perf_counter()
            edition.path.parent.mkdir(exist_ok=True)
            try:
                texts[edition] = seal(execute(compose(edition), edition.path.parent))
            except (CellControlSignal, DeadKernelError, nbformat.ValidationError) as error:
                raise PressError(f"{edition}: {strip_ansi(str(error))}") from error
            print(f"{edition} executed in {time.perf_counter() - start:.1f} s", flush=True)
        for edition, text in texts.items():
            write_whole(edition.path, text)
    print(f"{len(due)} printed" if due else "every edition matches its manuscript")


def write_whole(path: Path, text: str) -> None:
    """Write a file so that an interruption leaves the old content or the new, never half of it."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        unfinished.write_text(text, encoding="utf-8", newline="\n")
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(prog="press", description="Print the editions of the book.")
    parser.add_argument("manuscript", nargs="*", type=Path, help="only these manuscript files")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--all", action="store_true", help="print everything anew")
    mode.add_argument("--check", action="store_true", help="name every edition at fault")
    options = parser.parse_args(arguments)
    try:
        if options.check:
            faults = check(root, options.manuscript)
            print("\n".join(faults) or "every edition matches its manuscript")
            return 1 if faults else 0
        press(root, options.manuscript, options.all)
    except PressError as error:
        print(f"press: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
