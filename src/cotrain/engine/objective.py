"""The one seam between who proposes weights and who trains them.

A searcher (sampled gains, exhaustive subsets, population-based training) calls an objective and never
sees a network; an engine, a cluster or three lines in a test answer it.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]


class Objective(Protocol):
    """Trains a population of weight vectors and scores every member on validation.

    >>> def fake(weights, seeds):  # every helper brings a tenth
    ...     return np.where(weights > 0, 0.1 * (weights.sum(axis=1, keepdims=True) - 1), np.nan)
    >>> fake(np.array([[1.0, 1.0, 0.0]]), [0])
    array([[0.1, 0.1, nan]])
    """

    def __call__(self, weights: Scores, seeds: Sequence[int]) -> Scores:
        """Scores of P members.

        Args:
            weights: ``[P, T]`` loss weights, non-negative, no row all zero.
            seeds: ``[P]`` seed of each member.

        Returns:
            ``[P, T]`` validation scores, higher is better, NaN where the weight is 0 or the score is
            not defined.
        """
        ...
