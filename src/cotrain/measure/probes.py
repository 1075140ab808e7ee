"""Statistics of repeated probes: means, standard errors that know of correlation, rank agreement."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Matrix = NDArray[np.float64]


def mean_and_error(samples: NDArray[np.floating[Any]]) -> tuple[Matrix, Matrix]:
    """Mean over ``[S, ...]`` probes and its standard error, NaN and infinity left out.

    Neighbouring probes are correlated, so the error comes from the means of about √S stretches of the
    run (batch means), not from the single probes.
    """
    values = samples.astype(np.float64)
    stretches = np.array_split(values, max(2, round(len(samples) ** 0.5)))
    blocks = np.stack([finite_mean(np.asarray(stretch)) for stretch in stretches])
    count = np.isfinite(blocks).sum(axis=0)
    apart = np.where(np.isfinite(blocks), blocks - finite_mean(blocks), 0.0)
    error = np.sqrt((apart**2).sum(axis=0) / np.maximum(count - 1, 1) / np.maximum(count, 1))
    return finite_mean(values), np.where(count > 1, error, np.nan)


def finite_mean(values: NDArray[np.floating[Any]]) -> Matrix:
    """Mean of the finite values over the first axis; NaN where there are none."""
    finite = np.isfinite(values)
    count = finite.sum(axis=0)
    total = np.where(finite, values, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def rank_correlation(a: Matrix, b: Matrix) -> float:
    """Spearman's correlation over the cells where both are known; NaN where it is not defined.

    >>> rank_correlation(np.array([1.0, 2.0, 5.0]), np.array([10.0, 20.0, 21.0]))
    1.0
    """
    both = np.isfinite(a) & np.isfinite(b)
    ranks = [rankdata(values[both]) for values in (a, b)]
    if both.sum() < 2 or any(rank.std() == 0 for rank in ranks):
        return float("nan")
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])
