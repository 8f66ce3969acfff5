"""Checks of the equations of chapter 13, "A character model, trained four ways"."""

import itertools
import math
from collections import Counter
from fractions import Fraction

import torch
from ledger import equation
from network import assert_equal

from bptt import RNN, Corpus
from bptt import character_model as model


def outputs(T=7, q=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    O = 2 * torch.randn(T, q, generator=generator, dtype=torch.float64)
    return O, torch.randint(q, (T,), generator=generator)


@equation(
    "eq-text-softmax",
    r"p_t(c) = \frac{e^{o_{t,c}}}{\sum_{k=1}^{q} e^{o_{t,k}}}, \qquad \ell_t = -\ln p_t(y_t)",
)
def _():
    O, Y = outputs()
    judge = torch.nn.functional.cross_entropy(O, Y, reduction="none")
    for t in range(7):
        whole = sum(math.exp(o) for o in O[t].tolist())
        p = [math.exp(o) / whole for o in O[t].tolist()]
        assert_equal(torch.tensor(p, dtype=torch.float64), torch.softmax(O[t], 0))
        assert_equal(torch.tensor(-math.log(p[Y[t]]), dtype=torch.float64), judge[t])


@equation(
    "eq-text-adjoint",
    r"\frac{\partial \ell_t}{\partial o_{t,c}} = p_t(c) - [\, c = y_t \,]",
)
def _():
    O, Y = outputs()
    O.requires_grad_()
    for t in range(7):
        loss = torch.nn.functional.cross_entropy(O[t : t + 1], Y[t : t + 1])
        (judge,) = torch.autograd.grad(loss, O)
        p = torch.softmax(O[t].detach(), 0)
        assert_equal(torch.stack([p[c] - int(c == Y[t]) for c in range(5)]), judge[t])


@equation(
    "eq-text-perplexity",
    r"""\exp\Big( \frac1T \sum_{t=1}^{T} \ell_t \Big) =
    \Big( \prod_{t=1}^{T} \frac{1}{p_t(y_t)} \Big)^{1/T}""",
)
def _():
    O, Y = outputs()
    losses = torch.nn.functional.cross_entropy(O, Y, reduction="none").tolist()
    p = [float(torch.softmax(O[t], 0)[Y[t]]) for t in range(7)]
    left, right = math.exp(sum(losses) / 7), math.prod(1 / one for one in p) ** (1 / 7)
    assert abs(left / right - 1) < 1e-12


@equation("eq-text-pairs", r"\hat p(c \mid a) = \frac{F_{ac} + 1}{F_a + q}")
def _():
    """A short text, counted by hand in whole numbers; then what the library makes of it."""
    corpus = Corpus("abracadabra, abracadabra! " * 4)
    part = {name: corpus.decode(numbers) for name, numbers in model.parts(corpus.numbers).items()}
    text, judged, q = part["training"], part["held out"], len(corpus.alphabet)
    rows = {
        a: {
            c: Fraction(
                sum(pair == (a, c) for pair in itertools.pairwise(text)) + 1,
                text[:-1].count(a) + q,
            )
            for c in corpus.alphabet
        }
        for a in corpus.alphabet
    }
    assert all(sum(row.values()) == 1 for row in rows.values())
    product = math.prod(rows[a][c] for a, c in itertools.pairwise(judged))
    expected = float(product) ** (-1 / (len(judged) - 1))
    assert abs(model.baselines(corpus)["pairs"] / expected - 1) < 1e-12


@equation(
    "eq-text-triples",
    r"\hat p(c \mid a b) = \frac{F_{abc} + w\, \hat p(c \mid b)}{F_{ab} + w}",
)
def _():
    """The same short text, in whole numbers, with the weight that is best on the validation part;
    the first character that is judged has one before it, and so its pair."""
    corpus = Corpus("abracadabra, abracadabra! " * 4 + "a barbarian ran, a bard can " * 3)
    part = {name: corpus.decode(numbers) for name, numbers in model.parts(corpus.numbers).items()}
    text, q = part["training"], len(corpus.alphabet)
    F = Counter(text[i : i + length] for length in (2, 3) for i in range(len(text) - length + 1))

    def pair(b, c):
        return Fraction(F[b + c] + 1, text[:-1].count(b) + q)

    def triple(a, b, c, w):
        F_ab = sum(F[a + b + e] for e in corpus.alphabet)
        return (F[a + b + c] + w * pair(b, c)) / (F_ab + w)

    def perplexity(judged, w):
        product = pair(*judged[:2]) * math.prod(
            triple(*judged[i : i + 3], w) for i in range(len(judged) - 2)
        )
        return float(product) ** (-1 / (len(judged) - 1))

    for a, b in itertools.pairwise(text):
        assert sum(triple(a, b, c, 2) for c in corpus.alphabet) == 1
    w = min(model.TRIPLE_WEIGHTS, key=lambda w: perplexity(part["validation"], w))
    assert len({perplexity(part["held out"], w) for w in model.TRIPLE_WEIGHTS}) > 1
    assert abs(model.baselines(corpus)["triples"] / perplexity(part["held out"], w) - 1) < 1e-12


@equation(
    "eq-text-streams",
    r"""\begin{gathered}
    x^{(b)}_t = u_{(b-1) M + t}, \qquad y^{(b)}_t = u_{(b-1) M + t + 1}, \\
    M = \Big\lfloor \frac{N - 1}{B} \Big\rfloor
    \end{gathered}""",
)
def _():
    for N, B in ((11, 3), (24, 4), (13, 3), (9, 1)):
        u = [None, *range(100, 100 + N)]  # u_1 ... u_N
        X, Y = model.streams(torch.tensor(u[1:]), B)
        M = math.floor(Fraction(N - 1, B))
        assert X.shape == Y.shape == (M, B)
        assert max(M * b + 1 for b in range(1, B + 1)) <= N < (M + 1) * B + 1
        for b in range(1, B + 1):
            for t in range(1, M + 1):
                assert X[t - 1, b - 1] == u[(b - 1) * M + t]
                assert Y[t - 1, b - 1] == u[(b - 1) * M + t + 1]


@equation("eq-text-carry", r"h^{(b)}_0[\,i + 1\,] = h^{(b)}_S[\,i\,]")
def _():
    """The trainer's reader, with fixed weights, against one pass over each whole stream."""
    generator = torch.Generator().manual_seed(3)
    numbers = torch.randint(4, (8 * 70 + 1,), generator=generator)
    weights = model.new_network(4, generator)
    reader = model.Reader("update each block", numbers, 4, generator)
    reader.gradients(weights)
    first, S = reader.begin - reader.stretch, reader.stretch
    X, _ = model.streams(numbers, model.STREAMS)
    whole = RNN(*weights)(model.one_hot(X[first : first + 3 * S], 4)).H
    for i in (1, 2, 3):
        assert_equal(reader.state, whole[i * S])
        if i < 3:
            reader.gradients(weights)


@equation(
    "eq-text-depth",
    r"""\begin{gathered}
    \text{full: } \frac{S + 1}{2}, \quad \text{blocks: } \frac{K + 1}{2}, \quad
    \text{window: } K, \\
    \text{randomized: } \frac1S \sum_{t=1}^{S} \frac{1 - \kappa^t}{1 - \kappa}
    \end{gathered}""",
)
def _():
    """Counted over all places; for the coins over all outcomes, each with its probability."""
    S, K = 12, 4
    assert Fraction(sum(range(1, S + 1)), S) == Fraction(S + 1, 2)
    assert Fraction(sum((t - 1) % K + 1 for t in range(1, S + 1)), S) == Fraction(K + 1, 2)
    # K - 1 steps before the stretch are run again, so no window is shorter.
    assert {len(range(max(t - K + 1, 2 - K), t + 1)) for t in range(1, S + 1)} == {K}
    kappa, total = 1 - Fraction(1, K), Fraction(0)
    for outcome in range(2 ** (S - 1)):
        kept = [bool(outcome >> link & 1) for link in range(S - 1)]
        depths = [1]
        for link in kept:
            depths.append(depths[-1] + 1 if link else 1)
        total += math.prod(kappa if link else 1 - kappa for link in kept) * Fraction(sum(depths), S)
    assert total == sum((1 - kappa**t) / (1 - kappa) for t in range(1, S + 1)) / S


@equation("eq-text-cost", r"C = 2\, n\, (d + 1) + 3\, n^2 + q\, (3 n + 2)")
def _():
    n, B, S = model.UNITS, model.STREAMS, model.STRETCH
    for d in (3, 59):
        q = d
        C = 2 * n * (d + 1) + 3 * n**2 + q * (3 * n + 2)
        assert model.cost("full", d) == B * S * C
        assert model.cost("update each block", d) == B * model.REACH * C
        assert model.cost("randomized", d) == B * (S * C + n**2)  # once more to h_0


@equation(
    "eq-text-window-cost",
    r"R\, (C - n^2) + \Big( (K - 1)\, R - \frac{K (K - 1)}{2} + 1 \Big)\, n^2",
)
def _():
    n, B, S, K = model.UNITS, model.STREAMS, model.STRETCH, model.REACH
    R = S + K - 1
    for d in (3, 59):
        C = 2 * n * (d + 1) + 3 * n**2 + d * (3 * n + 2)
        back = (K - 1) * R - Fraction(K * (K - 1), 2) + 1
        assert back == sum(R - lag for lag in range(1, K)) + 1
        assert model.cost("window", d) == B * (R * (C - n**2) + back * n**2)


@equation(
    "eq-text-temperature",
    r"p_t(c) = \frac{e^{o_{t,c} / \tau}}{\sum_{k=1}^{q} e^{o_{t,k} / \tau}}",
)
def _():
    """As often as the formula says, a network whose outputs never change writes a character."""
    corpus, generator = Corpus("abc"), torch.Generator().manual_seed(4)
    o, tau = [1.0, 0.0, -0.5], 0.7
    W_qh = torch.tensor([[value, 0.0] for value in o], dtype=torch.float64)  # a bias alone
    rnn = RNN(torch.zeros(1, 4).double(), torch.zeros(1, 1).double(), W_qh)
    text = model.sample(rnn, corpus, "a", 4000, generator, tau)
    whole = sum(math.exp(value / tau) for value in o)
    for character, value in zip("abc", o, strict=True):
        p = math.exp(value / tau) / whole
        assert abs(text.count(character) / 4000 - p) < 4 * (p * (1 - p) / 4000) ** 0.5
