"""What the text of chapter 14 says about the museum, its checks and its figure."""

import math
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import torch

from bptt import RNN, Gradients, bptt, bptt_blocks, bptt_window, squared_error
from bptt.checks import CHECKS, GOOD, QUANTITIES, Check, Training
from bptt.explore.the_bug_museum import SEED, WHY_MISSED, _caught, _wrong_contributions, rooms
from bptt.museum import DEPOT, MUSEUM, clipped, right, right_by_loss
from bptt.verify import autograd_gradients, relative_error

TEXT = (Path(__file__).parent.parent / "book/chapters/14_the_bug_museum.md").read_text("utf-8")
WORDS = re.sub(r"\s+", " ", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", TEXT))
BEYOND_ONE_STEP = {
    "slopes pulled out",
    "assigned, not added",
    "immediate only",
    "last loss only",
    "cut into blocks",
    "total times total",
    "state's gradient never cleared",
    "divided by T again",
}
MISSED = {  # what each check misses in at least one of three networks
    "one step": BEYOND_ONE_STEP,
    "one sequence": {"h_0 summed over the batch", "divided by B again"},
    "zero h_0": {
        "h_0 taken for zero",
        "h_0 without its weight",
        "h_0 summed over the batch",
    },
    "symmetric W_hh": {"W_hh the wrong way round"},
    "tiny weights": {
        "slope forgotten",
        "slope of z",
        "slopes pulled out",
        "immediate only",
        "cut into blocks",
        "total times total",
        "state's gradient never cleared",
        "clipped inside",
    },
    "loss at the last step": {"last loss only", "state's gradient never cleared"},
    "the loss falls": set(MUSEUM) - {"slope of z"},
    "good design": set(),
}


@cache
def catches(mistake, check):
    return [CHECKS[check].catches(MUSEUM[mistake].broken, seed) for seed in range(3)]


@pytest.mark.parametrize("check", MISSED)
def test_what_a_check_misses(check):
    assert {name for name in MUSEUM if not all(catches(name, check))} == MISSED[check]


def test_the_absolute_tolerance_misses_everything_in_some_network_or_in_all():
    seen = {name for name in MUSEUM if any(catches(name, "absolute tolerance"))}
    assert seen == {"slope of z"}
    assert not all(
        CHECKS["absolute tolerance"].catches(MUSEUM["slope of z"].broken, s) for s in range(5)
    )
    nothing = lambda tape, dO: Gradients(*(0 * g for g in vars(bptt(tape, dO)).values()))  # noqa: E731
    assert not any(CHECKS["absolute tolerance"].catches(nothing, seed) for seed in range(5))


@pytest.mark.parametrize("backward", [bptt, right, right_by_loss])
def test_no_check_alarms_without_a_mistake(backward):
    assert not any(check.catches(backward, seed) for check in CHECKS.values() for seed in range(3))


def test_each_famous_check_changes_one_thing_in_the_good_design():
    for name, check in CHECKS.items():
        if isinstance(check, Training):
            continue
        changed = [f for f in vars(GOOD) if getattr(GOOD, f) != getattr(check, f)]
        expected = {"good design": 0, "absolute tolerance": 4}.get(name, 2)  # the name is one
        assert len(changed) == expected, changed


def test_not_a_number_is_caught():
    def broken(tape, dO):
        return Gradients(*(g * math.nan for g in vars(bptt(tape, dO)).values()))

    for check in (GOOD, CHECKS["absolute tolerance"], CHECKS["the loss falls"]):
        assert check.catches(broken, 0)


def test_one_hot_inputs_show_the_adjoints():
    rnn, X, _, _ = Check("small", B=1).network(seed=3, one_hot=True)
    assert rnn.W_hx.shape == (4, 7) and torch.equal(X[:, 0], torch.eye(7, dtype=X.dtype))


def pairs_that_are_wrong(mistake, check="good design"):
    return {pair for pair, wrong in _wrong_contributions(mistake, check).items() if wrong}


ALL = {(t, j) for t in range(1, 8) for j in range(1, t + 1)}


@pytest.mark.parametrize(
    ("sentence", "holds"),
    [
        (
            "recognise nineteen wrong backward passes",
            lambda: len(MUSEUM) == 19,
        ),
        (
            "The good design".replace("The good", "The *good")
            + "* has seven steps, three sequences",
            lambda: (GOOD.T, GOOD.B, GOOD.with_h0, GOOD.tolerance) == (7, 3, True, 1e-3),
        ),
        (
            "Seventeen of the nineteen exhibits are this function with one mistake.",
            lambda: sum(bug.beside is right for bug in MUSEUM.values()) == 17,
        ),
        (
            "its gradients are $2/q$ times these",
            lambda: relative_error(*gradients_of_two_losses()) < 1e-12,
        ),
        (
            "a path of {term}`lag` $k$ is counted $k + 1$ times. In the code, `future` brings such "
            "a path once, and `again` as often as step $t + 1$ has counted it, $k$ times.",
            lambda: all(
                relative_error(contribution("total times total", 7, j), (8 - j) * right_one) < 1e-12
                for j, right_one in ((j, contribution(None, 7, j)) for j in range(1, 8))
            ),
        ),
        (
            "The identity hides two more mistakes: $h_0$ without its weight, and slopes pulled "
            "out.",
            lambda: (
                {name for name in MUSEUM if not wrong_with_identity(name)}
                == {"W_hh the wrong way round", "h_0 without its weight", "slopes pulled out"}
            ),
        ),
        (
            "the check catches this one on one network of three.",
            lambda: sum(catches("state's gradient never cleared", "tiny weights")) == 1,
        ),
        (
            "It has seven steps and sees blocks of three; blocks or a window of seven steps and "
            "more would pass.",
            lambda: (
                GOOD.catches(lambda *a: bptt_blocks(*a, 3), SEED)
                and not any(
                    GOOD.catches(lambda *a, K=K, cut=cut: cut(*a, K), SEED)
                    for K in (7, 8, 35)
                    for cut in (bptt_blocks, bptt_window)
                )
            ),
        ),
        (
            "because some messages exceed the limit, here 0.1. For a limit of 5 the loss must be "
            "larger.",
            lambda: (
                GOOD.catches(clipped(0.1)[0].broken, SEED)
                and not GOOD.catches(clipped(5.0)[0].broken, SEED)
                and replace(GOOD, name="large", loss=1e3).catches(clipped(5.0)[0].broken, SEED)
            ),
        ),
        (
            "Two end exactly where the right gradient ends: both are wrong for $h_0$ alone",
            lambda: (
                {name for name in MUSEUM if end_of_training(MUSEUM[name].broken) == end(right)}
                == {"h_0 without its weight", "h_0 summed over the batch"}
                == {name for name in MUSEUM if wrong_gradients(MUSEUM[name]) == {"h0"}}
            ),
        ),
        (
            "when you step, in small steps, *against* any vector that has a positive scalar",
            lambda: loss_falls_against(1.0) and not loss_falls_against(-1.0),
        ),
        (
            "Only the slope of $z$, whose factor is not bounded, is too gross for it on two of the "
            "three networks.",
            lambda: sum(catches("slope of z", "absolute tolerance")) == 2,
        ),
        (
            "with 100 steps and $W_{hx}$ and $W_{hh}$ half as large. How small "
            "$\\mathrm{d}L/\\mathrm{d}h_0$ is depends strongly on the network.",
            lambda: (
                all(ratio > 1e10 for ratio in (*fading(0.5), *fading(1.0)))
                and max(fading(1.0)) > 1e20 * min(fading(1.0))
            ),
        ),
        (
            "fails too once the optimiser has changed the weights in place {cite}`mobilevod25`; "
            "without that it only makes the graph longer and longer.",
            lambda: (
                "inplace" in carried(in_place=True)[0]
                and [*carried(in_place=False)] == sorted({*carried(in_place=False)})
            ),
        ),
        (
            "a threshold that was tuned on short sequences clips nearly every update",
            lambda: 1.7 < summed_gradient(100) / summed_gradient(50) < 2.3,
        ),
        (
            "Ten rooms cite where a mistake was seen.",
            lambda: sum("{cite}" in room for room in ROOMS) == 10 and len(ROOMS) == 18,
        ),
        (
            "the slope $1 - \\tanh(h_t)^2$",
            lambda: any(stored.says == "with the slope 1 - tanh(h_t)^2" for stored in DEPOT),
        ),
        (
            "there is one cell, and it is right. With the good design only the diagonal is right.",
            lambda: (
                _wrong_contributions("immediate only", "one step") == {(1, 1): False}
                and pairs_that_are_wrong("immediate only") == {p for p in ALL if p[0] != p[1]}
            ),
        ),
        (
            "the same cells are wrong, and the bars end before the dashed line.",
            lambda: (
                pairs_that_are_wrong("immediate only", "tiny weights")
                == pairs_that_are_wrong("immediate only")
                and not _caught("immediate only", "tiny weights")
            ),
        ),
        (
            "Go to state of the same step: no cell is wrong.",
            lambda: not pairs_that_are_wrong("state of the same step"),
        ),
        (
            '"Last loss only" keeps the row of the loss at step 7',
            lambda: pairs_that_are_wrong("last loss only") == {p for p in ALL if p[0] != 7},
        ),
        (
            '"Assigned, not added" keeps the column of step 1',
            lambda: pairs_that_are_wrong("assigned, not added") == {p for p in ALL if p[1] != 1},
        ),
        (
            "so the mistake touches one gradient only and nothing spreads.",
            lambda: all(
                len(wrong_gradients(bug)) == 1 for bug in MUSEUM.values() if bug.wing == "partner"
            ),
        ),
        (
            "$W_{hh}$ the wrong way round is caught all the same, by the gradient of $h_0$ alone.",
            lambda: (
                wrong_gradients(MUSEUM["W_hh the wrong way round"], CHECKS["tiny weights"])
                == {"h0"}
            ),
        ),
        (
            "the errors here are 2100, 1000 and 260.",
            lambda: (
                [float(f"{e:.2g}") for e in list(errors(MUSEUM["slope of z"]).values())[1:]]
                == [2100, 1000, 260]
            ),
        ),
        (
            "$\\mathrm{d}L/\\mathrm{d}h_0$ tells: it was not divided.",
            lambda: all(
                "h0" not in wrong_gradients(MUSEUM[f"divided by {letter} again"]) for letter in "TB"
            ),
        ),
        (
            "A sequence of at most two steps does not show it.",
            lambda: (
                not replace(GOOD, T=2).catches(MUSEUM["state's gradient never cleared"].broken, 0)
                and replace(GOOD, T=3).catches(MUSEUM["state's gradient never cleared"].broken, 0)
            ),
        ),
        (
            "so step 1 survives alone.",
            lambda: torch.equal(
                MUSEUM["assigned, not added"].broken(*GOOD.case(0)).W_hx,
                MUSEUM["assigned, not added"].broken(*first_use_only(0)).W_hx,
            ),
        ),
        (
            "is 21 times too small",
            lambda: GOOD.T * GOOD.B == 21,
        ),
        (
            "The two that concern the gradient of h_0 itself",
            lambda: (
                {name for name in MISSED["zero h_0"] if caught_with_gradient_of_zero_h0(name)}
                == {"h_0 without its weight", "h_0 summed over the batch"}
            ),
        ),
    ],
)
def test_the_text_tells_what_is_so(sentence, holds):
    assert sentence in WORDS
    assert holds()


ROOMS = re.findall(
    r"(?m)^- (\*\*.+)$", TEXT[TEXT.index("## The rooms") : TEXT.index("## The famous")]
)


def contribution(name, t, j):
    """Of one loss and one use, dL/dz_j summed over the batch, on the network with unit inputs."""
    rnn, X, _, h0 = GOOD.network(SEED, one_hot=True)
    tape = rnn(X, h0)
    dO = torch.zeros_like(tape.O)
    dO[t - 1] = 1.0
    return (MUSEUM[name].broken if name else bptt)(tape, dO).W_hx[:, j - 1]


def gradients_of_two_losses():
    """dL/dW_hh of the loss of PyTorch, and 2/q times that of the chapter."""
    rnn, X, Y, h0 = GOOD.network(SEED)
    other = autograd_gradients(rnn, X, lambda O: torch.nn.functional.mse_loss(O, Y), h0)
    return other.W_hh, 2 / Y.shape[2] * bptt(*GOOD.case(SEED)).W_hh


def wrong_with_identity(name):
    rnn, X, Y, h0 = GOOD.network(SEED)
    tape = RNN(rnn.W_hx, torch.eye(len(rnn.W_hh), dtype=X.dtype), rnn.W_qh)(X, h0)
    dO = squared_error(tape.O, Y)[1]
    got, wanted = MUSEUM[name].broken(tape, dO), bptt(tape, dO)
    return any(relative_error(getattr(got, k), getattr(wanted, k)) > 1e-3 for k in QUANTITIES)


def end_of_training(backward):
    """What the cell of the chapter prints."""
    return f"{replace(CHECKS['the loss falls'], steps=25).losses(backward, seed=0)[-1]:.12g}"


end = cache(end_of_training)


def loss_falls_against(sign):
    """Twenty random directions with a positive scalar product with the gradient, or negative."""
    rnn, X, Y, h0 = GOOD.network(SEED)
    tape = rnn(X, h0)
    before, dO = squared_error(tape.O, Y)
    G = bptt(tape, dO).W_hh
    generator = torch.Generator().manual_seed(3)
    fell = []
    for _ in range(20):
        V = torch.randn(*G.shape, generator=generator, dtype=G.dtype)
        V = V * torch.sign((V * G).sum()) * sign
        after = squared_error(RNN(rnn.W_hx, rnn.W_hh - 1e-6 * V, rnn.W_qh)(X, h0).O, Y)[0]
        fell.append(bool(after < before))
    assert len(set(fell)) == 1
    return fell[0]


def fading(size):
    """How much larger dL/dW_hh is than dL/dh_0, on five networks."""
    check = replace(GOOD, T=100, size=size, last=True)
    gradients = [bptt(*check.case(seed)) for seed in range(5)]
    return [float(g.W_hh.norm() / g.h0.norm()) for g in gradients]


def carried(in_place):
    """Five minibatches with retain_graph: the message of the error, or how deep the graph is."""
    w, h, found = torch.tensor(0.9, requires_grad=True), torch.tensor(0.8), []
    for _ in range(5):
        h = torch.tanh(w * h + 0.1)
        loss = h**2 / 2
        try:
            loss.backward(retain_graph=True)
        except RuntimeError as error:
            return [str(error)]
        if in_place:
            with torch.no_grad():
                w -= 0.1 * w.grad
        found.append(depth(loss.grad_fn))
    return found


def depth(node):
    return 1 + max((depth(parent) for parent, _ in node.next_functions if parent), default=0)


def summed_gradient(T):
    """The size of dL/dW_hh if the losses of T steps are summed, over ten networks."""
    sizes = []
    for seed in range(10):
        rnn, X, Y, h0 = replace(GOOD, T=T).network(seed)
        tape = rnn(X, h0)
        sizes.append(float(bptt(tape, squared_error(tape.O, Y, "sum")[1]).W_hh.norm()))
    return sum(sizes) / len(sizes)


def errors(bug, check=GOOD, seed=SEED):
    pairs = check.pairs(bug.broken, seed)
    return {name: relative_error(*pairs[name]) for name in QUANTITIES}


def wrong_gradients(bug, check=GOOD):
    return {name for name, error in errors(bug, check).items() if error > check.tolerance}


def first_use_only(seed):
    """The case with all inputs but the first set to zero on the tape."""
    tape, dO = GOOD.case(seed)
    X = torch.cat([tape.X[:1], 0 * tape.X[1:]])
    return replace(tape, X=X), dO


def caught_with_gradient_of_zero_h0(name):
    return bool(wrong_gradients(MUSEUM[name], CHECKS["zero h_0"]))


def test_the_figure_explains_each_miss_and_its_verdict_is_the_check_s():
    for name in CHECKS:
        missed = [mistake for mistake in MUSEUM if not _caught(mistake, name)]
        told = name in WHY_MISSED or CHECKS[name].name in ("absolute tolerance", "the loss falls")
        assert told == bool(missed), name
    figure = rooms()
    figure.set(mistake="immediate only", check="one step")
    assert "Missed. With one step nothing comes back" in repr(figure)
    figure.set(mistake="state of the same step", check="good design")
    assert "Caught: the gradient of W_hh has a relative error of 1.5. Of 28 contr" in repr(figure)
    figure.set(mistake="slope forgotten", check="absolute tolerance")
    assert "below 0.00001" in repr(figure)


def test_every_state_that_the_text_links_to_is_on_the_grid():
    figure = rooms()
    links = re.findall(r"\((#explore-rooms\?[^)]*)\)", TEXT)
    assert len(links) == 6
    for link in links:
        wanted = {k: v[0] for k, v in parse_qs(urlsplit(link).fragment.partition("?")[2]).items()}
        figure.set(**wanted)
        assert figure.parameters == wanted
