"""The comparison finds a wrong gradient and names it."""

import dataclasses
import warnings

import numpy as np
import pytest
import torch

from bptt import (
    RNN,
    Gradients,
    augment,
    bptt,
    bptt_blocks,
    bptt_checkpointed,
    bptt_window,
    cross_entropy,
    rtrl,
    squared_error,
)
from bptt.museum import DEPOT, MUSEUM, clipped, right_by_loss, variant
from bptt.verify import (
    assert_same_gradients,
    autograd_gradients,
    finite_difference_gradients,
    first_difference,
    relative_error,
    verify,
)


def case():
    g = torch.Generator().manual_seed(1)
    normal = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64)  # noqa: E731
    rnn = RNN(normal(3, 2), normal(3, 3), normal(4, 3))
    X, h0, dO = normal(7, 2, 2), normal(2, 3), normal(7, 2, 4)
    return rnn, X, h0, bptt(rnn(X, h0), dO), lambda O: (O * dO).sum()


def test_right_gradients_pass_with_small_errors():
    rnn, X, h0, gradients, loss = case()
    errors = assert_same_gradients(gradients, autograd_gradients(rnn, X, loss, h0))
    assert set(errors) == {"W_hx", "W_hh", "W_qh", "h0"} and max(errors.values()) < 1e-13
    central = finite_difference_gradients(rnn, X, loss, h0)
    assert max(assert_same_gradients(gradients, central, 1e-8).values()) > 0


@pytest.mark.parametrize("name", ["W_hx", "W_hh", "W_qh", "h0"])
@pytest.mark.parametrize("spoil", [lambda g: g * 1.001, lambda g: g * float("nan")])
def test_a_wrong_gradient_is_named(name, spoil):
    rnn, X, h0, gradients, loss = case()
    wrong = dataclasses.replace(gradients, **{name: spoil(getattr(gradients, name))})
    expected = autograd_gradients(rnn, X, loss, h0)
    assert first_difference(wrong, expected).name == name
    with pytest.raises(AssertionError, match=f"{name} differs"):
        assert_same_gradients(wrong, expected)


def test_the_difference_nearest_to_the_loss_comes_first():
    rnn, X, h0, gradients, loss = case()
    wrong = dataclasses.replace(gradients, W_hx=gradients.W_hx * 2, h0=gradients.h0 * 2)
    assert first_difference(wrong, autograd_gradients(rnn, X, loss, h0)).name == "h0"


def test_relative_error():
    one = torch.ones(2)
    assert relative_error(one * 1.5, one) == 0.5
    assert relative_error(one * 0, one * 0) == 0
    assert relative_error(one, one * 0) == float("inf")
    with pytest.raises(ValueError, match=r"actual: expected shape \(2,\), got \(1,\)"):
        relative_error(one[:1], one)


# ---- verify: a reader's own gradient ---------------------------------------------------------


def reader(backward, loss=squared_error, **options):
    """A reader's function that has the library's forward pass and this backward pass."""

    def gradients(W_hx, W_hh, W_qh, X, h0, Y):
        tape = RNN(W_hx, W_hh, W_qh)(X, h0)
        return backward(tape, loss(tape.O, Y, **options)[1])

    return gradients


WHERE = {  # first wrong gradient, first loss that shows it, the use where it goes wrong
    "state of the same step": ("W_hh", 1, None),
    "h_0 taken for zero": ("W_hh", 1, None),
    "output layer sees the state before": ("W_qh", 1, None),
    "h_0 without its weight": ("h0", 1, None),
    "h_0 summed over the batch": ("h0", 1, None),
    "W_hh the wrong way round": ("h0", 1, None),
    "slope forgotten": ("h0", 1, 1),
    "slope of the step before": ("h0", 1, 1),
    "slope of z": ("h0", 1, 1),
    "slopes pulled out": ("h0", 2, 1),
    "assigned, not added": ("W_hh", 2, 2),
    "immediate only": ("h0", 2, 1),
    "last loss only": ("W_qh", 1, 1),
    "cut into blocks": ("h0", 4, 3),
    "total times total": ("W_hh", 2, 1),
    "state's gradient never cleared": ("h0", 2, 1),
    "divided by T again": ("W_qh", 1, 1),
    "divided by B again": ("W_qh", 1, 1),
    "clipped inside": ("h0", None, None),  # the losses do not add up
}


@pytest.mark.parametrize("name", MUSEUM)
def test_verify_names_every_mistake_of_the_museum(name):
    report = verify(reader(MUSEUM[name].broken))
    assert not report.correct and report.mistakes == (name,)
    assert (report.quantity, report.loss_step, report.use_step) == WHERE[name]
    text = str(report)
    assert f'the numbers of "{name}". {MUSEUM[name].likely}' in text
    assert f"First wrong gradient, seen from the loss: {report.quantity}" in text
    place = f"The loss of step {report.loss_step} alone gives a wrong {report.quantity}"
    assert (place in text) == (name != "clipped inside")
    assert ("do not add up" in text) == (name == "clipped inside")


@pytest.mark.parametrize("name", MUSEUM)
def test_verify_names_it_for_the_other_loss_and_in_float32(name):
    """Every mistake, in single precision and summed: none looks like another."""

    def gradients(*case):
        *floats, Y = case
        found = reader(MUSEUM[name].broken, cross_entropy, reduction="sum")(
            *(a.float() for a in floats), Y
        )
        return vars(found)

    assert verify(gradients, loss="cross_entropy", reduction="sum").mistakes == (name,)


@pytest.mark.parametrize("name", ["state of the same step", "immediate only", "slope forgotten"])
def test_verify_names_mistakes_in_a_network_with_biases(name):
    def gradients(W_hx, W_hh, W_qh, b_h, b_q, X, h0, Y):
        H = RNN(torch.cat([b_h[:, None], W_hx], dim=1), W_hh, W_qh)(augment(X), h0)
        dO = squared_error(H.O + b_q, Y)[1]
        found = MUSEUM[name].broken(H, dO)
        return {
            "W_hx": found.W_hx[:, 1:],
            "W_hh": found.W_hh,
            "W_qh": found.W_qh,
            "b_h": found.W_hx[:, 0],
            "b_q": dO.sum((0, 1)),
            "h0": found.h0,
        }

    report = verify(gradients, biases=True)
    assert report.mistakes == (name,) and report.quantity == WHERE[name][0]


def test_without_the_gradient_of_h0_some_mistakes_are_right():
    silent = [
        name
        for name, bug in MUSEUM.items()
        if verify(lambda *case, bug=bug: list(vars(reader(bug.broken)(*case)).values())[:3]).correct
    ]
    assert silent == ["h_0 without its weight", "h_0 summed over the batch"]


def test_the_pairs_show_blocks_of_any_length():
    report = verify(reader(lambda tape, dO: bptt_blocks(tape, dO, 4)))
    assert report.mistakes == ("cut into blocks",) and (report.loss_step, report.use_step) == (5, 4)
    block = (torch.arange(7) // 4)[:, None]
    kept = (block == block.T) | (torch.arange(7) > torch.arange(7)[:, None])
    assert torch.equal(report.pairs, kept)
    assert "     5  x x x x ." in str(report)


# ---- correct variants in other styles: all of them must be left alone


def one_sequence_by_columns(W_hx, W_hh, W_qh, x, h, y, scale):
    """Columns, one step at a time, lists of states."""
    z, states = [], [h]
    for x_t in x:
        z.append(W_hx @ x_t + W_hh @ states[-1])
        states.append(np.tanh(z[-1]))
    dW_hx, dW_hh, dW_qh = np.zeros_like(W_hx), np.zeros_like(W_hh), np.zeros_like(W_qh)
    dh = np.zeros_like(h)
    for t in reversed(range(len(x))):
        do = scale * (W_qh @ states[t + 1] - y[t])
        dz = (W_qh.T @ do + dh) / np.cosh(z[t]) ** 2
        dW_hx += np.outer(dz, x[t])
        dW_hh += np.outer(dz, states[t])
        dW_qh += np.outer(do, states[t + 1])
        dh = W_hh.T @ dz
    return dW_hx, dW_hh, dW_qh, dh


def columns(W_hx, W_hh, W_qh, X, h0, Y):
    W = [W.numpy() for W in (W_hx, W_hh, W_qh)]
    T, B, _ = X.shape
    each = [
        one_sequence_by_columns(*W, *(a.numpy() for a in (X[:, b], h0[b], Y[:, b])), 1 / (T * B))
        for b in range(B)
    ]
    *weights, h0_rows = zip(*each, strict=True)
    return *(sum(parts) for parts in weights), np.stack(h0_rows)


def einsum_batch_first(W_hx, W_hh, W_qh, X, h0, Y):
    """(B, T, d) inside, every product an einsum, the answer a dict."""
    X, Y = (a.transpose(0, 1).contiguous() for a in (X, Y))
    B, T, _ = X.shape
    H = [h0]
    for t in range(T):
        H.append(torch.tanh(X[:, t] @ W_hx.T + H[t] @ W_hh.T))
    H = torch.stack(H, dim=1)  # (B, T+1, n)
    dO = (torch.einsum("btn,qn->btq", H[:, 1:], W_qh) - Y) / (B * T)
    dZ, dh = torch.empty_like(H[:, 1:]), torch.zeros_like(h0)
    for t in range(T - 1, -1, -1):
        dh = dh + torch.einsum("bq,qn->bn", dO[:, t], W_qh)
        dZ[:, t] = dh - dh * H[:, t + 1] ** 2
        dh = torch.einsum("bn,nm->bm", dZ[:, t], W_hh)
    return {
        "h0": dh,
        "W_qh": torch.einsum("btq,btn->qn", dO, H[:, 1:]),
        "W_hh": torch.einsum("bti,btj->ij", dZ, H[:, :-1]),
        "W_hx": torch.einsum("bti,btj->ij", dZ, X),
    }


def training_loop(W_hx, W_hh, W_qh, X, h0, Y, loss=torch.nn.functional.mse_loss):
    """Autograd on a loop, gradients read from .grad; the loss is the mean over all numbers."""
    leaves = [leaf.requires_grad_() for leaf in (W_hx, W_hh, W_qh, h0)]
    h, total = h0, []
    for x in X:
        h = torch.tanh(torch.nn.functional.linear(x, W_hx) + h @ W_hh.T)
        total.append(h @ W_qh.T)
    loss(torch.stack(total), Y).backward()
    return [leaf.grad for leaf in leaves]


def modules(W_hx, W_hh, W_qh, b_h, b_q, X, h0, Y):
    """torch.nn.RNN with its two biases, batch first, in float32; cross-entropy."""
    n, d, q = *W_hx.shape, len(W_qh)
    net, out = torch.nn.RNN(d, n, batch_first=True), torch.nn.Linear(n, q)
    with torch.no_grad():
        for parameter, value in (
            (net.weight_ih_l0, W_hx),
            (net.weight_hh_l0, W_hh),
            (net.bias_ih_l0, b_h / 4),
            (net.bias_hh_l0, 3 * b_h / 4),
            (out.weight, W_qh),
            (out.bias, b_q),
        ):
            parameter.copy_(value)
    h = h0.float().requires_grad_()
    H, _ = net(X.float().transpose(0, 1), h[None])
    O = out(H)  # (B, T, q)
    torch.nn.functional.cross_entropy(O.transpose(1, 2), Y.T).backward()
    return {
        "W_hx": net.weight_ih_l0.grad,
        "W_hh": net.weight_hh_l0.grad,
        "W_qh": out.weight.grad,
        "b_h": net.bias_ih_l0.grad,
        "b_q": out.bias.grad,
        "h0": h.grad,
    }


def lists(*case):
    """Nested lists of numbers, and an h_0 that NumPy does not let anybody write to."""
    found = {name: value.tolist() for name, value in vars(reader(bptt)(*case)).items()}
    h0 = np.array(found["h0"])
    h0.flags.writeable = False
    return found | {"h0": h0}


def checkpointed(W_hx, W_hh, W_qh, X, h0, Y):
    loss = lambda O: squared_error(O, Y)  # noqa: E731
    return bptt_checkpointed(RNN(W_hx, W_hh, W_qh), X, loss, slots=2, h0=h0)[1]


def central_differences(W_hx, W_hh, W_qh, X, h0, Y):
    loss = lambda O: (O - Y).square().sum() / (2 * len(O) * len(O[0]))  # noqa: E731
    return finite_difference_gradients(RNN(W_hx, W_hh, W_qh), X, loss, h0)


def from_zero(W_hx, W_hh, W_qh, X, Y):
    """No initial state; NumPy in float32, the sum over time and the mean over the batch."""
    case = [a.float() for a in (W_hx, W_hh, W_qh, X, X.new_zeros(X.shape[1], len(W_hh)), Y)]
    dW_hx, dW_hh, dW_qh, _ = columns(*case)
    return [len(X) * dW for dW in (dW_hx, dW_hh, dW_qh)]


def sum_over_time(O, Y):
    return (O - Y).square().sum() / (2 * O.shape[1])


def last_step(O, Y):
    return (O[-1] - Y[-1]).abs().mean()


VARIANTS = {
    "the library": (reader(bptt), {}),
    "columns, NumPy, a loop over the batch": (columns, {}),
    "batch first, einsum, a dict": (einsum_batch_first, {}),
    "autograd and the loss of torch": (training_loop, {"loss": torch.nn.functional.mse_loss}),
    "torch.nn.RNN, two biases, float32": (modules, {"loss": "cross_entropy", "biases": True}),
    "forward accumulation": (reader(rtrl), {}),
    "checkpointed": (checkpointed, {}),
    "lists of numbers, an array that may not be written to": (lists, {}),
    "central differences": (central_differences, {}),
    "no initial state, summed over time": (
        from_zero,
        {"loss": sum_over_time, "initial_state": False},
    ),
    "one loss after the other, summed": (
        reader(right_by_loss, reduction="sum"),
        {"reduction": "sum"},
    ),
    "cross-entropy, summed": (
        reader(bptt, cross_entropy, reduction="sum"),
        {"loss": "cross_entropy", "reduction": "sum"},
    ),
    "a loss at the last step alone": (
        lambda *case: training_loop(*case, loss=last_step),
        {"loss": last_step},
    ),
}


@pytest.mark.parametrize("style", VARIANTS)
def test_verify_leaves_correct_variants_alone(style):
    gradients, options = VARIANTS[style]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = verify(gradients, **options)
    assert report.correct and report.quantity is None and report.mistakes == ()
    assert str(report).startswith("Correct: ") and "\n" not in str(report)
    assert "agree with two oracles on sequences of 7, 8 and 50 steps." in str(report)
    assert ("h0 was not compared" in str(report)) == (style == "no initial state, summed over time")


@pytest.mark.parametrize("style", VARIANTS)
@pytest.mark.parametrize("spoiled", ["W_hx", "W_hh", "W_qh"])
def test_a_small_slip_in_the_same_variants_is_found(style, spoiled):
    """One entry of one gradient is wrong by a twentieth of the largest."""
    gradients, options = VARIANTS[style]

    def wrong(*case):
        found = gradients(*case)
        names = ("W_hx", "W_hh", "W_qh", "b_h", "b_q", "h0")
        if isinstance(found, Gradients):
            found = vars(found)
        if not isinstance(found, dict):
            found = dict(zip((*names[:3], "h0"), found, strict=False))
        value = torch.as_tensor(found[spoiled]).clone()
        value[0, -1] += 0.05 * value.abs().max()
        return found | {spoiled: value}

    report = verify(wrong, **options)
    assert report.wrong == (spoiled,) and report.mistakes == ()
    assert "unlike any mistake" in str(report)


# ---- what seven steps do not show


CUT = {"blocks": bptt_blocks, "a window": bptt_window}


@pytest.mark.parametrize("length", [8, 10, 20, 35, 49])
@pytest.mark.parametrize("how", CUT)
def test_a_history_that_is_cut_after_many_steps_is_found(how, length):
    """In float64 with the squared error, and in float32 with a cross-entropy."""

    def single(*case):
        *floats, Y = case
        broken = reader(lambda *a: CUT[how](*a, length), cross_entropy)
        return vars(broken(*(a.float() for a in floats), Y))

    both = (
        verify(reader(lambda *a: CUT[how](*a, length))),
        verify(single, loss="cross_entropy"),
    )
    for report in both:
        text = str(report)
        assert report.mistakes == (("cut into blocks",) if how == "blocks" else ())
        assert "Nothing is wrong on sequences of 7 and 8 steps." in text
        told = f"A block has {length} steps here." if how == "blocks" else (
            f"a loss reaches back {length} steps, its own included"
        )  # fmt: skip
        assert told in text


@pytest.mark.parametrize("limit", [0.05, 1.0, 5.0, 10.0])
@pytest.mark.parametrize("loss", [squared_error, cross_entropy])
def test_messages_that_are_clipped_are_found_whatever_the_limit(limit, loss):
    ways = clipped(limit)
    assert len(ways) == 3
    for way in ways:
        report = verify(reader(way.broken, loss), loss=loss.__name__)
        assert report.mistakes == ("clipped inside",)
        assert f"The limit is {limit:g} " + way.says.partition("messages ")[2] in str(report)


def test_a_short_sequence_and_a_small_loss_hide_them(monkeypatch):
    """Without the long case all of these pass: it is the case that finds them."""
    monkeypatch.setattr(
        "bptt.verify._Subject.long_case", lambda self: self.case(6, B=2, d=2, n=4, q=3)
    )
    for broken in (
        lambda *a: bptt_blocks(*a, 8),
        lambda *a: bptt_window(*a, 35),
        clipped(5.0)[0].broken,
    ):
        assert verify(reader(broken)).correct


# ---- what is said where no mistake of the museum fits


@pytest.mark.parametrize("stored", DEPOT, ids=lambda stored: stored.says)
def test_verify_names_the_mistakes_of_the_depot(stored):
    report = verify(reader(stored.broken))
    words = f"These are the numbers of a backward pass {stored.says}. {stored.likely}"
    assert not report.correct and report.mistakes == () and words in str(report)


def test_what_never_contributes_is_named():
    first, last = DEPOT[-2:]

    def other_h0(stored):
        return lambda *a: dataclasses.replace(stored.broken(*a), h0=bptt(*a).h0)

    report = str(verify(reader(other_h0(first))))
    assert "The use at step 1 contributes nothing, whatever the loss. Does your loop end" in report
    assert "W_hh and W_hx: as in a backward pass that never visits step 1." in report
    assert "h_0 taken for zero" not in report
    report = str(verify(reader(last.broken)))
    assert "Nothing comes from the loss of step 7. Does your loop begin too late?" in report
    report = str(verify(reader(MUSEUM["last loss only"].broken)))
    assert "Nothing comes from the loss of steps 1 to 6." in report and "The use at" not in report
    report = str(verify(reader(MUSEUM["assigned, not added"].broken)))
    assert "The use at steps 2 to 7 contributes nothing" in report


@pytest.mark.parametrize("name", MUSEUM)
def test_the_place_does_not_contradict_the_map(name):
    """ "Each dL/dz_t is right" is said exactly if no pair has a cross."""
    report = verify(reader(MUSEUM[name].broken))
    if report.pairs is None or report.use_step is not None:
        assert "contributes rightly" not in str(report)
    else:
        assert ("so each dL/dz_t is right" in str(report)) == bool(report.pairs.all())
        assert ("for other losses see below" in str(report)) != bool(report.pairs.all())


def test_the_place_of_a_transposed_weight_is_said_of_one_loss():
    text = str(verify(reader(MUSEUM["W_hh the wrong way round"].broken)))
    assert "for this loss every use of W_hx contributes rightly; for other losses see below" in text
    assert "     7  x x x x x x ." in text


def with_weights(change):
    """The right gradients, those of the weights changed, that of h_0 not."""

    def backward(tape, dO):
        found = bptt(tape, dO)
        weights = ("W_hx", "W_hh", "W_qh")
        changed = change(tape, *(getattr(found, name) for name in weights))
        return dataclasses.replace(found, **dict(zip(weights, changed, strict=True)))

    return reader(backward)


def test_a_division_at_the_end_is_told_from_another_loss():
    divided = with_weights(lambda tape, *g: [G / tape.O[..., 0].numel() for G in g])
    text = str(verify(divided))
    assert "W_qh, W_hh and W_hx: the right gradient divided by T B: the gradient of h_0 is" in text
    assert "same loss and the same forward pass" not in text
    text = str(verify(scaled(lambda tape: 1 / tape.O[..., 0].numel())))
    assert "a sum where a mean is expected" in text and "the same loss and the same" in text


def test_the_loss_of_torch_is_recognised():
    text = str(verify(training_loop))
    assert "2/q times the right gradient: a mean over the outputs too, without the half." in text
    assert verify(training_loop, loss=torch.nn.functional.mse_loss).correct


def test_what_does_not_depend_on_the_loss_is_recognised():
    decayed = with_weights(
        lambda tape, *g: [
            G + 0.01 * W
            for G, W in zip(g, (tape.rnn.W_hx, tape.rnn.W_hh, tape.rnn.W_qh), strict=True)
        ]
    )
    text = str(verify(decayed))
    assert "The error does not depend on the loss" in text
    assert "W_hh: the right gradient plus 0.01 times W_hh itself: a weight decay" in text


def by_norm(tape, *g):
    norm = sum(G.square().sum() for G in g).sqrt()
    return [G * (1 / norm.clamp(min=1)) for G in g]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda tape, *g: [G.clamp(-0.05, 0.05) for G in g], "each entry is clipped to 0.05."),
        (by_norm, "W_qh, W_hh and W_hx: right, but clipped to the norm 1."),
    ],
)
def test_a_gradient_that_is_clipped_at_the_end_is_recognised(change, words):
    report = verify(with_weights(change))
    text = str(report)
    assert words in text and "do not add up" in text
    assert report.pairs is None and "x is wrong" not in text


def test_noise_is_told_from_a_mistake():
    noisy = with_weights(lambda tape, *g: [G * (1 + 1e-5 * torch.randn_like(G)) for G in g])
    text = str(verify(noisy))
    assert "your function gives two answers: noise?" in text and "nearly right" in text
    rounded = with_weights(lambda tape, *g: [G * (1 + 1e-5 * G.cos()) for G in g])
    assert "nearly right" in str(verify(rounded))


def test_a_wrong_slope_that_nobody_knows_is_told_where_it_is():
    report = verify(reader(variant(slope=lambda h: 1 - h**4)))
    assert report.mistakes == () and "look at the slope" in str(report)


def scaled(factor, *names):
    def backward(tape, dO):
        found = bptt(tape, dO)
        names_ = names or tuple(vars(found))
        return dataclasses.replace(found, **{n: factor(tape) * getattr(found, n) for n in names_})

    return reader(backward)


@pytest.mark.parametrize(
    ("gradients", "words"),
    [
        (scaled(lambda tape: len(tape.X)), "W_qh, h0, W_hh and W_hx: T times the right gradient"),
        (
            scaled(lambda tape: 1 / tape.O[0].numel()),
            "the right gradient divided by B q: a sum where a mean",
        ),
        (
            scaled(lambda tape: 1 / (len(tape.X) + 1)),
            "the right gradient times 0.125, 0.1111 and 0.01961 in the cases with 7, 8 and 50 ",
        ),
        (scaled(lambda tape: 0.5), "W_qh, h0, W_hh and W_hx: half the right gradient."),
        (scaled(lambda tape: tape.O[..., 0].numel()), "T B times the right gradient: a sum where"),
        (scaled(lambda tape: 1 / tape.O.shape[2]), "the right gradient divided by q"),
        (scaled(lambda tape: 2), "W_qh, h0, W_hh and W_hx: 2 times the right gradient."),
        (scaled(lambda tape: -1, "W_hh"), "W_hh: minus the right gradient."),
        (scaled(lambda tape: 3.5, "W_hx"), "W_hx: 3.5 times the right gradient."),
        (scaled(lambda tape: 0, "h0"), "h0: zero everywhere."),
        (
            reader(lambda *a: dataclasses.replace(bptt(*a), W_hh=bptt(*a).W_hh.T)),
            "W_hh: the transpose of the right gradient.",
        ),
        (
            lambda *case: reader(bptt)(*case[:4], 0 * case[4], case[5]),
            "same forward pass, h_0 included",
        ),
    ],
)
def test_symptoms(gradients, words):
    report = verify(gradients)
    assert not report.correct and report.mistakes == () and words in str(report)


def test_two_mistakes_in_different_gradients_are_both_named():
    def backward(tape, dO):
        one = MUSEUM["state of the same step"].broken(tape, dO)
        return dataclasses.replace(one, h0=MUSEUM["h_0 without its weight"].broken(tape, dO).h0)

    report = verify(reader(backward))
    assert set(report.mistakes) == {"state of the same step", "h_0 without its weight"}
    assert report.wrong == ("h0", "W_hh") and 'h0: as in "h_0 without its weight"' in str(report)


def test_two_mistakes_in_one_gradient_still_have_a_place():
    def backward(tape, dO):  # immediate only, and paired with the state of the same step
        dZ = tape.rnn.slope(tape.H[1:]) * (dO @ tape.rnn.W_qh)
        one = MUSEUM["immediate only"].broken(tape, dO)
        return dataclasses.replace(one, W_hh=torch.einsum("tbn,tbm->nm", dZ, tape.H[1:]))

    report = verify(reader(backward))
    assert report.mistakes == ("immediate only",)
    assert (report.quantity, report.loss_step, report.use_step) == ("h0", 2, 1)
    assert "W_hh: unlike any mistake of the museum." in str(report)


def test_a_loss_that_does_not_depend_on_the_targets_gives_no_step():
    loss = lambda O, Y: O.square().mean()  # noqa: E731
    wrong = lambda *case: training_loop(*case[:3], 2 * case[3], *case[4:], loss=loss)  # noqa: E731
    report = verify(wrong, loss=loss)
    assert report.loss_step is None and "The loss does not depend on Y" in str(report)


# ---- bad input


def returning(change):
    """A right function whose answer, a dict, is changed."""
    return lambda *case: change(dict(vars(reader(bptt)(*case))))


@pytest.mark.parametrize(
    ("gradients", "options", "error", "message"),
    [
        (None, {}, TypeError, "gradients: expected a function, got NoneType"),
        (reader(bptt), {"loss": "hinge"}, ValueError, "loss: expected 'squared_error' or"),
        (reader(bptt), {"reduction": "none"}, ValueError, "reduction: expected 'mean' or 'sum'"),
        (reader(bptt), {"loss": last_step, "reduction": "sum"}, ValueError, "your own loss"),
        (lambda *case: None, {}, TypeError, "a tuple or a dict of W_hx, W_hh, W_qh, h0, got None"),
        (lambda *case: case[:2], {}, ValueError, "expected 4 gradients, W_hx, W_hh, W_qh, h0"),
        (
            returning(lambda g: {"d" + name: value for name, value in g.items()}),
            {},
            ValueError,
            "W_hx: expected a dict with the keys W_hx, W_hh, W_qh, h0, got dW_hx, dW_hh, dW_qh, dh",
        ),
        (
            returning(lambda g: g | {"dh0": g.pop("h0")}),
            {},
            ValueError,
            "h0: expected a dict with the keys W_hx, W_hh, W_qh, h0, got W_hx, W_hh, W_qh, dh0",
        ),
        (
            returning(lambda g: g | {"W_hh": [[1.0], ["a"]]}),
            {},
            TypeError,
            "W_hh: expected a tensor or an array of numbers, got a list of something else",
        ),
        (returning(lambda g: g | {"W_hh": None}), {}, TypeError, "W_hh: .* got NoneType"),
        (returning(lambda g: g | {"W_hh": "0.5"}), {}, TypeError, "W_hh: .* got str"),
        (
            returning(lambda g: g | {"W_hh": g["W_hh"].half()}),
            {},
            TypeError,
            "W_hh: expected float64 or float32, got torch.float16",
        ),
        (
            returning(lambda g: g | {"W_hh": np.array([["a"]])}),
            {},
            TypeError,
            "W_hh: expected float64 or float32, got <U1",
        ),
        (
            returning(lambda g: g | {"W_qh": g["W_qh"] * float("nan")}),
            {},
            ValueError,
            "W_qh: expected finite numbers, got NaN",
        ),
        (
            returning(lambda g: g | {"W_hx": g["W_hx"].T}),
            {},
            ValueError,
            r"W_hx: expected shape \(5, 2\), got \(2, 5\): it is the transpose of the right one",
        ),
        (
            returning(lambda g: g | {"h0": g["h0"].sum(0)}),
            {},
            ValueError,
            r"h0: expected shape \(3, 5\), got \(5,\): one row for each sequence",
        ),
        (
            lambda *case: [case[3].mul_(2), reader(bptt)(*case)][1],
            {},
            ValueError,
            "leaves its arguments as they are, but it changed X; work on a copy",
        ),
    ],
)
def test_bad_input_is_named(gradients, options, error, message):
    with pytest.raises(error, match=message):
        verify(gradients, **options)


def test_what_the_function_raises_passes_on_with_the_shapes():
    def mine(W_hx, W_hh, W_qh, X, h0, Y):
        return X @ W_hx

    with pytest.raises(RuntimeError) as caught:
        verify(mine)
    assert "W_hx (5, 2), W_hh (5, 5), W_qh (4, 5), X (7, 3, 2)" in caught.value.__notes__[0]
    assert str(caught.traceback[-1].statement).strip() == "return X @ W_hx"
