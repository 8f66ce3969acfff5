"""Explorable figures: Python computes, Matplotlib draws, the browser only moves.

>>> from bptt.explore import explore
>>> def powers(ax, w):
...     "Powers of one weight"
...     ax.set(xlim=(0, 10), ylim=(0, 4), xlabel="exponent")
...     ax.plot(range(11), [w**k for k in range(11)])
>>> explore(powers, w=[0.5, 0.75, 1.0, 1.1], describe=lambda w: f"With w = {w}, ...")

See :func:`explore` for what a drawing function may do.
"""

from bptt.explore.widget import Explore, explore

__all__ = ["Explore", "explore"]
