"""What the text of chapter 1 says about its figure and its hand example."""

import re
from pathlib import Path

import pytest
import torch

from bptt import RNN, bptt, squared_error
from bptt.explore.an_rnn_unrolled import (
    H0,
    LAST,
    TURN,
    T,
    W,
    X,
    Y,
    _place,
    _run,
    _sentence,
    stepper,
)

TEXT = (Path(__file__).parent.parent / "book/chapters/01_an_rnn_unrolled.md").read_text("utf-8")
WORDS = re.sub(r"\s+", " ", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", TEXT))


@pytest.mark.parametrize("activation", ["identity", "tanh"])
def test_the_figure_shows_what_the_library_computes(activation):
    """Every number of the walk: states, losses, adjoints and the terms of the gradient."""
    column = lambda numbers: torch.tensor(numbers, dtype=torch.float64).reshape(-1, 1, 1)  # noqa: E731
    one = column([1.0])[0]
    tape = RNN(one, W * one, one, activation)(column(X[1:]), H0 * one)
    L, dO = squared_error(tape.O, column(Y[1:]), reduction="sum")
    gradients, run = bptt(tape, dO), _run(activation)
    assert run.h == pytest.approx(tape.H.flatten().tolist())
    assert sum(run.loss[1:]) == pytest.approx(L.item())
    assert run.direct[1:] == pytest.approx(dO.flatten().tolist())
    assert sum(run.term[1:]) == pytest.approx(gradients.W_hh.item())
    assert run.adjoint[0] == pytest.approx(gradients.h0.item())
    for t in range(1, T + 1):
        rest = RNN(one, W * one, one, activation)(tape.X[t:], tape.H[t]) if t < T else None
        future = bptt(rest, dO[t:]).h0.item() if rest else 0
        assert run.adjoint[t] == pytest.approx(run.direct[t] + future)


def test_the_walk_goes_forward_and_then_back():
    forward = [_place(step) for step in range(1, TURN + 1)]
    assert forward[:3] == [("input", 1), ("state", 1), ("loss", 1)] and forward[-1] == ("loss", 4)
    back = [_place(step) for step in range(TURN + 1, LAST + 1)]
    assert back[:3] == [("adjoint", 4), ("use", 4), ("message", 4)]
    assert back[-1] == ("message", 1) and LAST == 24


@pytest.mark.parametrize(
    ("words", "holds"),
    [
        (
            "two numbers arrive at $h_1$, from the input and from the state before",
            lambda: "arrives as well; h₁ = −4 + 6 = 2" in _sentence(2, "identity"),
        ),
        (
            "At step 3 $h_1$ goes up into its loss, and at step 5 it goes right into $h_2$",
            lambda: _place(3) == ("loss", 1) and _place(5) == ("state", 2),
        ),
        ("steps 1 to 12 go forward, steps 13 to 24 go back", lambda: (TURN, LAST) == (12, 24)),
        (
            "the walk back begins at the last loss",
            lambda: _place(13) == ("adjoint", 4),
        ),
        (
            "at $h_3$ two messages meet, 2 from its own loss and 2 from the future, together 4",
            lambda: _sentence(16, "identity").endswith(
                "the adjoint of h₃ is 2 from its own loss plus 2 from the future, together 4."
            ),
        ),
        (
            "the third use of $w$ enters the sum below",
            lambda: _place(17) == ("use", 3) and "4 · 1 = 4" in _sentence(17, "identity"),
        ),
        (
            "The adjoint of $h_2$ is now $-6.94$, but only the fraction 0.38 of it reaches $z_2$",
            lambda: "0.38 · (−6.94)" in _sentence(20, "tanh"),
        ),
        (
            "the gradient is $-2.64$",
            lambda: _sentence(24, "tanh").endswith("dL/dw = −2.64."),
        ),
        ("The loss is $L = 5$", lambda: _sentence(12, "identity").endswith("L = 5.")),
        (
            "The last row is what we found by trying, and its sum is 52",
            lambda: _run("identity").term[1:] == (33, 12, 4, 3),
        ),
    ],
)
def test_the_text_tells_what_the_figure_shows(words, holds):
    assert words in WORDS
    assert holds()


def test_every_link_asks_for_a_state_that_is_stored():
    links = re.findall(r"\(#explore-stepper\?step=(\d+)&activation=(\w+)\)", TEXT)
    assert len(links) == TEXT.count("#explore-")
    figure = stepper()
    for step, activation in links:
        figure.set(step=int(step), activation=activation)
        assert figure.parameters == {"step": int(step), "activation": activation}
