"""Exercises that say precisely what is wrong: ``catalogue`` holds all of them by key."""

from bptt.exercises import the_tanh_fix
from bptt.exercises.engine import OUTCOMES, Exercise, Mistake, Result

_CHAPTERS = (the_tanh_fix,)

catalogue = {
    value.key: value
    for chapter in _CHAPTERS
    for value in vars(chapter).values()
    if isinstance(value, Exercise)
}

__all__ = ["OUTCOMES", "Exercise", "Mistake", "Result", "catalogue"]
