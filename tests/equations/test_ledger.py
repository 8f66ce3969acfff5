"""No equation without an assertion, no assertion for an equation that is not printed."""

import ledger
import pytest

ledger.load_checks()
PRINTED = ledger.manuscript_equations()


def test_every_equation_has_a_check_and_every_check_an_equation():
    assert len(PRINTED) > 0
    assert set(PRINTED) == set(ledger.CHECKS), "labels without a check, or checks without a label"


@pytest.mark.parametrize("label", ledger.CHECKS)
def test_equation(label):
    check = ledger.CHECKS[label]
    assert label in PRINTED, f"{label} is checked but not printed"
    printed = PRINTED[label]
    assert ledger.without_white_space(printed.latex) == ledger.without_white_space(check.latex), (
        f"{printed.place} prints another formula than the one that is checked: read the check again"
    )
    check.run()


def test_coverage_is_complete():
    assert ledger.coverage() == f"equations {len(PRINTED)}/{len(PRINTED)}"


@pytest.mark.parametrize(
    "text",
    [
        "$$\na = b\n$$\n",
        "$$\na = b\n$$ (tanh)\n",
        "$$ a = b $$ (eq-a)\n",
        "text $$a = b$$ text\n",
        "```{math}\n:label: eq-a\na = b\n```\n",
        ":::{math}\na = b\n:::\n",
        "\\begin{equation}a = b\\end{equation}\n",
        "\\[ a = b \\]\n",
    ],
)
def test_an_equation_in_another_form_is_refused(text):
    with pytest.raises(ValueError, match="page: expected"):
        ledger.find_equations(text, "page")


def test_white_space_is_set_aside_and_signs_are_not():
    (found,) = ledger.find_equations("$$\na  = b\n  + c\n$$ (eq-a)\n", "page")
    assert (found.label, found.place) == ("eq-a", "page")
    assert ledger.without_white_space(found.latex) == ledger.without_white_space("a = b + c")
    assert ledger.without_white_space(found.latex) != ledger.without_white_space("a = b - c")


def test_a_second_check_for_one_label_is_refused():
    with pytest.raises(ValueError, match="label: expected one check for eq-tanh-step"):
        ledger.equation("eq-tanh-step", "")(lambda: None)
