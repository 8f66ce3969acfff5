"""What the text of chapter 6 says about its figures."""

import re
from pathlib import Path

import pytest

from bptt.explore.the_tanh_fix import _chain_norms, _pulled_out_errors

TEXT = (Path(__file__).parent.parent / "book/chapters/06_the_tanh_fix.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("sentence", "holds"),
    [
        (
            "both chains vanish, tanh sooner",
            lambda: (
                _chain_norms(0.6, 0.5)[0][-1].tolist()
                == sorted(_chain_norms(0.6, 0.5)[0][-1], reverse=True)
                and _chain_norms(0.6, 0.5)[0][-1, 0] < 1e-4
            ),
        ),
        (
            "the identity explodes, while tanh ends within a factor of ten of 1",
            lambda: (
                _chain_norms(1.5, 0.5)[0][-1, 0] > 1e6
                and 0.1 < _chain_norms(1.5, 0.5)[0][-1, 1] < 10
            ),
        ),
        (
            "the identity has passed 10¹⁵. The mean slope of the tanh network has fallen below "
            "0.3, so tanh grows too, but only some hundredfold.",
            lambda: (
                _chain_norms(3.0, 0.5)[0][-1, 0] > 1e15
                and _chain_norms(3.0, 0.5)[1] < 0.3
                and 100 <= _chain_norms(3.0, 0.5)[0][-1, 1] < 1000
            ),
        ),
        (
            "the chain vanishes at a weight scale that was harmless before",
            lambda: _chain_norms(1.5, 1.5)[0][-1, 1] < 1e-4,
        ),
        (
            "the line lies on zero at every {term}`lag`",
            lambda: _pulled_out_errors(1, 1.0, "generic").max() == 0,
        ),
        (
            "At lag 0 the error is always zero",
            lambda: all(
                _pulled_out_errors(n, gain, kind)[0] == 0
                for n in (1, 2, 3, 4, 8, 16)
                for gain in (0.5, 1.0, 2.0)
                for kind in ("generic", "symmetric", "diagonal", "multiple of I")
            ),
        ),
    ],
)
def test_the_text_tells_what_the_figure_shows(sentence, holds):
    words = re.sub(r"\s+", " ", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", TEXT))
    assert sentence in words
    assert holds()
