"""Exercises that say precisely what is wrong: ``catalogue`` holds all of them by key."""

from bptt.exercises import (
    a_character_model,
    an_rnn_unrolled,
    bptt_for_the_linear_network,
    from_equations_to_code,
    memory_for_time,
    randomized_truncation,
    remedies,
    section_8_7_4,
    the_bias_free_convention,
    the_bug_museum,
    the_tanh_fix,
    total_and_immediate,
    vanishing_and_exploding,
    what_detach_cuts,
    why_one_over_t,
)
from bptt.exercises.engine import OUTCOMES, Exercise, Mistake, Result

_CHAPTERS = (
    an_rnn_unrolled,
    total_and_immediate,
    why_one_over_t,
    the_bias_free_convention,
    bptt_for_the_linear_network,
    the_tanh_fix,
    from_equations_to_code,
    vanishing_and_exploding,
    section_8_7_4,
    remedies,
    what_detach_cuts,
    randomized_truncation,
    memory_for_time,
    a_character_model,
    the_bug_museum,
)

catalogue = {
    value.key: value
    for chapter in _CHAPTERS
    for value in vars(chapter).values()
    if isinstance(value, Exercise)
}

__all__ = ["OUTCOMES", "Exercise", "Mistake", "Result", "catalogue"]
