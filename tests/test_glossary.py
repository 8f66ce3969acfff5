"""Each chapter links a term of the glossary where its prose uses it first."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

BOOK = Path(__file__).parents[1] / "book"
CHAPTERS = sorted(BOOK.glob("chapters/*.md"))
# Where a chapter says cell, it mostly means one of the notebook, not that of an LSTM.
AMBIGUOUS = {"cell"}

LINK = re.compile(r"\{term\}`(?:[^`<]*<(?P<target>[^>`]+)>|(?P<plain>[^`]+))`")
NOT_PROSE = re.compile(
    r"""\A---\n.*?\n---\n                   # the head of the notebook
    | ^```.*?^```                           # code
    | ^\$\$\n.*?\n\$\$.*?$                  # displayed mathematics
    | ^[#>].*?$                             # headings and quotations
    | ^\*\*(?:You\ need|You\ will|Reading).*?$ # what a chapter promises
    | ^[-*\s]*\*\*(?:Sources|Next)\.?\*\*.*?$
    | \$[^$\n]*\$ | `[^`]*` | \{[a-z]+\}`[^`]*`
    """,
    re.M | re.S | re.X,
)


def terms() -> list[str]:
    """The terms, longest first, so that a direct adjoint is not taken for an adjoint."""
    text = (BOOK / "glossary.md").read_text("utf-8")
    body = text.split(":::{glossary}\n")[1].split("\n:::")[0]
    found = [line for line in body.splitlines() if line and not line.startswith(" ")]
    return sorted(found, key=len, reverse=True)


def linked(text: str) -> list[str]:
    """The targets of all links to the glossary, in order."""
    found = (match["target"] or match["plain"] for match in LINK.finditer(text))
    return [" ".join(target.split()) for target in found]


def unlinked_first_uses(text: str) -> list[str]:
    """Each term whose first use in the prose of a chapter is no link, with the words around it."""
    marked = LINK.sub(lambda m: f"\0{' '.join((m['target'] or m['plain']).split())}\0", text)
    prose = NOT_PROSE.sub(" ", marked)
    found = []
    for term in terms():
        if term in AMBIGUOUS:
            continue
        words = r"\s+".join(map(re.escape, term.split()))
        use = re.search(rf"\0{words}\0|(?<![\w-]){words}(?:s|es)?(?![\w-])", prose, re.I)
        if use and not use[0].startswith("\0"):
            around = prose[max(0, use.start() - 60) : use.end() + 20]
            found.append(f"{term}: {' '.join(around.split())}")
        prose = re.sub(rf"\0?{words}(?:s|es)?\0?(?![\w-])", " ", prose, flags=re.I)
    return found


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_a_term_is_linked_at_its_first_use(chapter):
    assert not unlinked_first_uses(chapter.read_text("utf-8"))


def test_every_term_is_linked_and_every_link_has_a_term():
    texts = [path.read_text("utf-8") for path in BOOK.rglob("*.md")]
    assert {target for text in texts for target in linked(text)} == set(terms())


def test_terms_are_in_alphabetical_order():
    order = re.findall(r"^([^ \n:].*)\n  \S", (BOOK / "glossary.md").read_text("utf-8"), re.M)
    assert len(order) == len(terms())
    assert order == sorted(order, key=str.lower)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("# The tape\n\nA {term}`tape` and its tape.", []),
        ("The tape, a {term}`tape`.", ["tape"]),
        ("Two tapes.", ["tape"]),
        ("A direct adjoint.", ["direct adjoint"]),
        ("{term}`Direct adjoints <direct adjoint>` and an adjoint.", ["adjoint"]),
        ("The hidden\nstate.", ["hidden state"]),
        ("```{code-cell}\ntape\n```\nNo `tape`, no $tape$, no videotape.", []),
    ],
)
def test_a_use_without_a_link_is_found(text, found):
    assert [use.split(":")[0] for use in unlinked_first_uses(text)] == found
