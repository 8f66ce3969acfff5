"""The library of the book on Backpropagation Through Time: each module is the code of one part."""

from bptt.backward import Gradients, bptt
from bptt.checkpoint import bptt_checkpointed
from bptt.jacobian import (
    gradient_by_lag,
    jacobian_product,
    lyapunov_exponents,
    norms_by_lag,
    step_jacobians,
)
from bptt.loss import cross_entropy, squared_error
from bptt.rnn import RNN, Tape, augment
from bptt.rtrl import rtrl
from bptt.text import Corpus, load_corpus
from bptt.truncate import bptt_blocks, bptt_randomized, bptt_window

__all__ = [
    "RNN",
    "Corpus",
    "Gradients",
    "Tape",
    "augment",
    "bptt",
    "bptt_blocks",
    "bptt_checkpointed",
    "bptt_randomized",
    "bptt_window",
    "cross_entropy",
    "gradient_by_lag",
    "jacobian_product",
    "load_corpus",
    "lyapunov_exponents",
    "norms_by_lag",
    "rtrl",
    "squared_error",
    "step_jacobians",
]
